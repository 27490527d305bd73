/* SPDX-License-Identifier: BSD-2-Clause */
/* A CAR into a store. Digests in the input are put right first, so that what is behind them is
 * reached: a CID of 32 equal bytes stands for the n-th block of the CAR. What was imported must
 * verify, and export must give it back. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "store/car.h"
#include "store/store.h"
#include "store/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define SIZE_MAX_IN   65536
#define BLOCKS_MAX    64
#define COLLECT_AFTER 64

static char directory[] = "/dev/shm/sluice-fuzz-XXXXXX";
static char objects[sizeof directory + 8];
static struct sl_cas *cas;
static unsigned inputs;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void clear(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *d;

    while (dir && (d = readdir(dir)) != NULL) {
        char name[512];

        if (d->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s/%s", path, d->d_name);
        if (unlink(name) != 0) {
            clear(name);
            (void)rmdir(name);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static void finish(void)
{
    sl_cas_close(&cas);
    clear(directory);
    (void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    require(mkdtemp(directory) != NULL);
    (void)snprintf(objects, sizeof objects, "%s/objects", directory);
    require(sl_cas_open(&cas, directory, SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, NULL) == SL_OK);
    return atexit(finish);
}

/* ---- digests --------------------------------------------------------------------------------- */

/* Where a block lies, and the digest in front of it. */
struct block {
    uint8_t *digest, *data;
    size_t size;
    uint8_t right[SL_CID_DIGEST_SIZE];
};

/* Puts the digest of block k where 32 bytes of value k stand. */
static void replace(uint8_t *data, size_t size, const struct block *b, uint8_t k)
{
    uint8_t placeholder[SL_CID_DIGEST_SIZE];

    memset(placeholder, k, sizeof placeholder);
    for (size_t at = 0; at + sizeof placeholder <= size; at++) {
        if (data[at] == k && memcmp(data + at, placeholder, sizeof placeholder) == 0) {
            memcpy(data + at, b->right, sizeof placeholder);
            at += sizeof placeholder - 1;
        }
    }
}

/* Blocks refer to those before them, so that one pass is enough; the root, in the header, to any.
 */
static void mend(uint8_t *data, size_t size)
{
    struct sl_reader r;
    uint64_t length;
    uint8_t k = 0;

    sl_reader_init(&r, data, size);
    length = sl_read_varint(&r);
    if (r.overrun || length > sl_reader_left(&r)) {
        return;
    }
    sl_read_skip(&r, (size_t)length);
    while (k < BLOCKS_MAX && sl_reader_left(&r) > 0) {
        struct sl_cid cid;
        struct block b = {0};
        size_t used = 0, at;

        length = sl_read_varint(&r);
        if (r.overrun || length == 0 || length > sl_reader_left(&r)) {
            return;
        }
        at = r.pos;
        sl_read_skip(&r, (size_t)length);
        if (sl_cid_decode(&cid, data + at, (size_t)length, &used, NULL) != SL_OK) {
            return;
        }
        b.digest = data + at + used - SL_CID_DIGEST_SIZE;
        b.data = data + at + used;
        b.size = (size_t)length - used;
        sl_sha256(b.data, b.size, b.right);
        memcpy(b.digest, b.right, sizeof b.right);
        k++;
        replace(data, size, &b, k);
    }
}

/* ---- what came in ---------------------------------------------------------------------------- */

static int memory_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("car", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void check_root(void *opaque, const struct sl_cas_info *info)
{
    struct sl_cas_export *e = NULL;
    struct sl_cas_totals totals;
    struct sl_chain chain;
    enum sl_status status;

    (void)opaque;
    require(sl_cas_verify(cas, &info->cid, NULL, NULL, &totals, NULL) == SL_OK);
    sl_chain_init(&chain);
    require(sl_cas_export_open(&e, cas, &info->cid, true, NULL) == SL_OK);
    do {
        status = sl_cas_export_next(e, &chain, NULL);
    } while (status == SL_OK);
    require(status == SL_EOF);
    sl_cas_export_close(&e);
    sl_chain_clear(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sl_cas_import_params params = {
        .name = "fuzz", .root = check_root, .max_bytes = 1 << 20};
    struct sl_cas_totals totals;
    struct sl_error err = {0};
    uint8_t *copy;
    int fd;

    if (size > SIZE_MAX_IN) {
        return 0;
    }
    copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, data, size);
    mend(copy, size);
    fd = memory_file(copy, size);
    if (sl_cas_import(cas, fd, &params, &err) != SL_OK) {
        require(err.status == SL_EDATA || err.status == SL_EUNSUPPORTED);
    }
    close(fd);
    free(copy);
    if (++inputs % COLLECT_AFTER == 0) {
        sl_cas_release(cas);
        require(sl_cas_gc(cas, false, &totals, NULL) == SL_OK);
        require(totals.objects == 0);
        clear(objects); /* directories that are empty now, and only make it slow */
    }
    return 0;
}
