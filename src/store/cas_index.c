/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of blocks: which files have them. 256 files blocks/XX by the first byte of the block's
 * digest, each a row of records that are only appended: 16 bytes of the block's digest, 32 of the
 * file's. A record is a hint: whoever follows it looks whether the block is there. One that is
 * wrong or stale costs a look, one that a power failure took is made again by verify. A file of
 * its own for each block would cost ten times as much as hashing it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "store/cas.h"

#define KEY_SIZE    16
#define RECORD_SIZE (KEY_SIZE + SL_CID_DIGEST_SIZE)
#define SHARDS      256
#define READ        1024 /* records */

struct records {
    uint8_t (*items)[RECORD_SIZE];
    size_t count, capacity;
};

static void shard_name(uint8_t first, char out[3])
{
    (void)snprintf(out, 3, "%02x", first);
}

/* ---- adding -------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_SIZE);
}

/* Under the file's own lock, since others append too, and what one that was killed left unfinished
 * is written over. */
static void append(const struct sl_cas *cas, const uint8_t (*records)[RECORD_SIZE], size_t count)
{
    char name[3];
    struct stat st;
    int fd;

    shard_name(records[0][0], name);
    fd = openat(cas->blocks, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0) {
        (void)!pwrite(fd, records, count * RECORD_SIZE, st.st_size / RECORD_SIZE * RECORD_SIZE);
    }
    (void)close(fd);
}

static bool collect(struct records *r, const struct sl_cid *object, const struct sl_buf *dag)
{
    struct sl_reader reader;
    const uint8_t *block;
    struct sl_cid cid;
    size_t size;

    sl_reader_init(&reader, dag->data, dag->size);
    if (sl_cas_dag_head(&reader, NULL) != SL_OK) {
        return false;
    }
    while (sl_cas_dag_next(&reader, &cid, &block, &size, NULL) == SL_OK) {
        struct sl_dag_node node;

        if (sl_dag_decode(&node, block, size, NULL) != SL_OK) {
            continue;
        }
        /* Inner nodes are links too, but for the root, which is the object. */
        for (size_t i = 0; i < node.count; i++) {
            if (i > 0 && sl_cid_same(&node.links[i].cid, &node.links[i - 1].cid)) {
                continue;
            }
            if (sl_grow(&r->items, &r->capacity, r->count, sizeof *r->items, SL_CAS_SET_MAX) !=
                SL_OK) {
                sl_dag_clear(&node);
                return false;
            }
            memcpy(r->items[r->count], node.links[i].cid.digest, KEY_SIZE);
            memcpy(r->items[r->count++] + KEY_SIZE, object->digest, SL_CID_DIGEST_SIZE);
        }
        sl_dag_clear(&node);
    }
    return true;
}

void sl_cas_index_add(struct sl_cas *cas, const struct sl_cid *object, const struct sl_buf *dag)
{
    struct records r = {0};

    if (collect(&r, object, dag) && r.count > 0) {
        qsort(r.items, r.count, sizeof *r.items, by_bytes);
        for (size_t from = 0, to; from < r.count; from = to) {
            for (to = from + 1; to < r.count && r.items[to][0] == r.items[from][0]; to++) {
            }
            append(cas, (const uint8_t(*)[RECORD_SIZE])r.items + from, to - from);
        }
    }
    sl_free((void *)r.items);
}

/* ---- looking up ---------------------------------------------------------------------------- */

enum sl_status sl_cas_index_find(const struct sl_cas *cas, const struct sl_cid *block,
                                 enum sl_status (*each)(void *opaque, const struct sl_cid *object),
                                 void *opaque, struct sl_error *err)
{
    uint8_t records[READ][RECORD_SIZE];
    enum sl_status status = SL_ENOTFOUND;
    char name[3];
    size_t got;
    int fd;

    shard_name(block->digest[0], name);
    fd = openat(cas->blocks, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? SL_ENOTFOUND
                               : sl_fail_errno(err, errno, cas->directory, "read the index");
    }
    for (int64_t at = 0; status == SL_ENOTFOUND; at += (int64_t)sizeof records) {
        status = sl_io_pread(fd, at, records, sizeof records, &got, cas->directory, err);
        if (status != SL_OK) {
            break;
        }
        status = SL_ENOTFOUND;
        for (size_t i = 0; i < got / RECORD_SIZE && status == SL_ENOTFOUND; i++) {
            if (memcmp(records[i], block->digest, KEY_SIZE) == 0) {
                struct sl_cid object = {.version = 1, .codec = SL_CODEC_DAG_PB};

                memcpy(object.digest, records[i] + KEY_SIZE, sizeof object.digest);
                status = each(opaque, &object);
            }
        }
        if (got < sizeof records) {
            break;
        }
    }
    (void)close(fd);
    return status;
}

static enum sl_status is_object(void *opaque, const struct sl_cid *object)
{
    return sl_cid_same(opaque, object) ? SL_OK : SL_ENOTFOUND;
}

void sl_cas_index_mend(struct sl_cas *cas, const struct sl_cid *object, const struct sl_buf *dag)
{
    struct records r = {0};
    struct sl_cid block = {.version = 1}, own = *object;

    if (collect(&r, object, dag)) {
        for (size_t i = 0; i < r.count; i++) {
            memcpy(block.digest, r.items[i], KEY_SIZE);
            if (sl_cas_index_find(cas, &block, is_object, &own, NULL) != SL_OK) {
                append(cas, (const uint8_t(*)[RECORD_SIZE])r.items + i, 1);
            }
        }
    }
    sl_free((void *)r.items);
}

/* ---- making it small again ------------------------------------------------------------------- */

static enum sl_status compact_shard(struct sl_cas *cas, const char *name,
                                    const struct sl_cid_set *kept, struct sl_error *err)
{
    char temp[SL_CAS_NAME_SIZE] = "";
    struct sl_cid object = {.version = 1, .codec = SL_CODEC_DAG_PB};
    struct sl_buf *all = NULL;
    size_t count = 0, left = 0;
    struct stat st;
    enum sl_status status;
    int out = -1, fd = openat(cas->blocks, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return errno == ENOENT ? SL_OK
                               : sl_fail_errno(err, errno, cas->directory, "read the index");
    }
    status = fstat(fd, &st) == 0 ? sl_cas_load(fd, st.st_size, SL_CAS_NODES_MAX, name, &all, err)
                                 : sl_fail_errno(err, errno, name, "read the index");
    (void)close(fd);
    if (status != SL_OK) {
        return status;
    }
    count = all->size / RECORD_SIZE;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *record = all->data + i * RECORD_SIZE;

        memcpy(object.digest, record + KEY_SIZE, sizeof object.digest);
        if (sl_cid_set_find(kept, &object)) {
            memmove(all->data + left++ * RECORD_SIZE, record, RECORD_SIZE);
        }
    }
    if (left == 0) {
        (void)unlinkat(cas->blocks, name, 0);
    } else if (left < count) {
        status = sl_cas_temp_create(cas, temp, &out, err);
        if (status == SL_OK) {
            status = sl_io_write(out, all->data, left * RECORD_SIZE, cas->directory, err);
        }
        if (status == SL_OK && renameat(cas->temp, temp, cas->blocks, name) != 0) {
            status = sl_fail_errno(err, errno, cas->directory, "replace the index");
        }
        if (out >= 0) {
            (void)close(out);
        }
        if (status != SL_OK && temp[0]) {
            (void)unlinkat(cas->temp, temp, 0);
        }
    }
    sl_buf_unref(&all);
    return status;
}

enum sl_status sl_cas_index_compact(struct sl_cas *cas, const struct sl_cid_set *kept,
                                    struct sl_error *err)
{
    enum sl_status status = SL_OK;

    for (unsigned i = 0; i < SHARDS && status == SL_OK; i++) {
        char name[3];

        shard_name((uint8_t)i, name);
        status = compact_shard(cas, name, kept, err);
    }
    return status;
}
