/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of a store: made, opened, and the names in it. */
#include "store/cas.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "base/publish.h"

#define VERSION_FILE "sluice-store"
#define VERSION      "1\n"

static const struct {
    const char *name;
    size_t field;
} folders[] = {
    {"objects", offsetof(struct sl_cas, objects)}, {"blocks", offsetof(struct sl_cas, blocks)},
    {"pins", offsetof(struct sl_cas, pins)},       {"temp", offsetof(struct sl_cas, temp)},
    {"damaged", offsetof(struct sl_cas, damaged)},
};
#define FOLDERS (sizeof folders / sizeof *folders)

static int *folder(struct sl_cas *cas, size_t i)
{
    return (int *)(void *)((char *)cas + folders[i].field);
}

/* ---- making and opening -------------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < FOLDERS; i++) {
        if (strcmp(name, folders[i].name) == 0) {
            return true;
        }
    }
    /* "." and "..", and a version file that is just being published. */
    return name[0] == '.' || strcmp(name, "lock") == 0 || strcmp(name, VERSION_FILE) == 0;
}

/* A store is only made where there is nothing else: a mistyped name must not fill a home. Several
 * processes may be at it at once, so what is ours may be there already. */
static enum sl_status check_empty(const struct sl_cas *cas, struct sl_error *err)
{
    DIR *dir = opendir(cas->directory);
    enum sl_status status = SL_OK;
    struct dirent *d;

    if (!dir) {
        return sl_fail_errno(err, errno, cas->directory, "open the store");
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (status == SL_OK && (d = readdir(dir)) != NULL) {
        if (!is_ours(d->d_name)) {
            status = sl_fail(err, SL_EUNSUPPORTED, cas->directory,
                             "is no store, and holds something else (\"%.64s\")", d->d_name);
        }
    }
    (void)closedir(dir);
    return status;
}

static enum sl_status create(struct sl_cas *cas, struct sl_error *err)
{
    enum sl_status status = sl_make_directories(cas->directory, err);
    char *path;

    if (status == SL_OK) {
        status = check_empty(cas, err);
    }
    for (size_t i = 0; i < FOLDERS && status == SL_OK; i++) {
        path = sl_format("%s/%s", cas->directory, folders[i].name);
        status = path ? sl_make_directories(path, err) : sl_fail_memory(err);
        sl_free(path);
    }
    if (status != SL_OK) {
        return status;
    }
    /* Last: where the version is there, the rest is too. */
    path = sl_format("%s/" VERSION_FILE, cas->directory);
    status = path ? sl_publish_bytes(path, VERSION, sizeof(VERSION) - 1, err) : sl_fail_memory(err);
    sl_free(path);
    return status;
}

/* SL_ENOTFOUND where there is no store. */
static enum sl_status check_version(const struct sl_cas *cas, struct sl_error *err)
{
    char text[64] = "";
    enum sl_status status;
    size_t got;
    int fd = openat(cas->root, VERSION_FILE, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        return sl_fail(err, SL_ENOTFOUND, cas->directory, "is not a store");
    }
    if (fd < 0) {
        return sl_fail_errno(err, errno, cas->directory, "open the store");
    }
    status = sl_io_pread(fd, 0, text, sizeof(text) - 1, &got, cas->directory, err);
    (void)close(fd);
    if (status == SL_OK && strcmp(text, VERSION) != 0) {
        text[strcspn(text, "\n")] = '\0';
        status = sl_fail(err, SL_EUNSUPPORTED, cas->directory,
                         "is a store of version \"%s\", 1 is expected", text);
    }
    return status;
}

static enum sl_status open_root(struct sl_cas *cas, struct sl_error *err)
{
    cas->root = open(cas->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cas->root < 0 && errno == ENOENT) {
        return sl_fail(err, SL_ENOTFOUND, cas->directory, "there is no store");
    }
    if (cas->root < 0) {
        return sl_fail_errno(err, errno, cas->directory, "open the store");
    }
    return check_version(cas, err);
}

static enum sl_status open_folders(struct sl_cas *cas, struct sl_error *err)
{
    for (size_t i = 0; i < FOLDERS; i++) {
        *folder(cas, i) = openat(cas->root, folders[i].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*folder(cas, i) < 0) {
            return sl_fail_errno(err, errno, cas->directory, folders[i].name);
        }
    }
    return SL_OK;
}

enum sl_status sl_cas_open(struct sl_cas **out, const char *directory, unsigned flags,
                           const struct sl_log *log, struct sl_error *err)
{
    struct sl_cas *cas = sl_alloc_zero(sizeof *cas);
    struct sl_error first = {0};
    enum sl_status status;

    *out = NULL;
    if (!cas) {
        return sl_fail_memory(err);
    }
    cas->root = cas->lease = -1;
    for (size_t i = 0; i < FOLDERS; i++) {
        *folder(cas, i) = -1;
    }
    (void)pthread_mutex_init(&cas->mutex, NULL);
    cas->flags = flags;
    cas->log = log;
    cas->directory = sl_strdup(directory);
    if (!cas->directory) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = open_root(cas, &first);
    if (status == SL_ENOTFOUND && (flags & SL_CAS_CREATE) != 0 && (flags & SL_CAS_READ_ONLY) == 0) {
        if (cas->root >= 0) {
            (void)close(cas->root);
            cas->root = -1;
        }
        first = (struct sl_error){0};
        status = create(cas, &first);
        if (status == SL_OK) {
            status = open_root(cas, &first);
        }
    }
    if (status == SL_OK) {
        status = open_folders(cas, &first);
    }
    if (status == SL_OK && (flags & SL_CAS_READ_ONLY) == 0) {
        status = sl_cas_sweep(cas, NULL, NULL, &first);
    }
    if (status != SL_OK && err && err->status == SL_OK) {
        *err = first;
    }
out:
    if (status != SL_OK) {
        sl_cas_close(&cas);
    }
    *out = cas;
    return status;
}

void sl_cas_close(struct sl_cas **out)
{
    struct sl_cas *cas = out ? *out : NULL;

    if (!cas) {
        return;
    }
    *out = NULL;
    sl_cas_session_end(cas);
    for (size_t i = 0; i < FOLDERS; i++) {
        if (*folder(cas, i) >= 0) {
            (void)close(*folder(cas, i));
        }
    }
    if (cas->root >= 0) {
        (void)close(cas->root);
    }
    (void)pthread_mutex_destroy(&cas->mutex);
    sl_free(cas->directory);
    sl_free(cas);
}

const char *sl_cas_directory(const struct sl_cas *cas)
{
    return cas->directory;
}

/* ---- names --------------------------------------------------------------------------------- */

static const char *const suffixes[] = {"", SL_CAS_DAG_SUFFIX, SL_CAS_NODE_SUFFIX};

void sl_cas_shard(const struct sl_cid *cid, char out[3])
{
    struct sl_cid v1 = sl_cid_v1(cid);
    char text[SL_CID_TEXT_SIZE];
    size_t length = strlen(sl_cid_text(&v1, text));

    /* The last letter has three bits alone. */
    out[0] = text[length - 3];
    out[1] = text[length - 2];
    out[2] = '\0';
}

char *sl_cas_part_name(const struct sl_cid *cid, enum sl_cas_part part, char out[SL_CAS_NAME_SIZE])
{
    struct sl_cid v1 = sl_cid_v1(cid);
    char text[SL_CID_TEXT_SIZE];
    size_t length = strlen(sl_cid_text(&v1, text));

    (void)snprintf(out, SL_CAS_NAME_SIZE, "%.2s/%s%s", text + length - 3, text, suffixes[part]);
    return out;
}

bool sl_cas_part_parse(const char *name, struct sl_cid *cid, enum sl_cas_part *part)
{
    size_t length = strcspn(name, ".");

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (strcmp(name + length, suffixes[i]) == 0) {
            *part = (enum sl_cas_part)i;
            return sl_cid_parse(cid, name, length, NULL) == SL_OK && cid->version == 1;
        }
    }
    return false;
}

enum sl_status sl_cas_part_open(const struct sl_cas *cas, const struct sl_cid *cid,
                                enum sl_cas_part part, int *fd, int64_t *size, struct sl_error *err)
{
    char name[SL_CAS_NAME_SIZE];
    struct stat st;

    do {
        *fd = openat(cas->objects, sl_cas_part_name(cid, part, name),
                     O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    } while (*fd < 0 && errno == EINTR);
    if (*fd < 0 && errno == ENOENT) {
        return SL_OK;
    }
    if (*fd < 0) {
        return sl_fail_errno(err, errno, name, "open");
    }
    if (size && fstat(*fd, &st) != 0) {
        enum sl_status status = sl_fail_errno(err, errno, name, "open");

        (void)close(*fd);
        *fd = -1;
        return status;
    }
    if (size) {
        *size = st.st_size;
    }
    return SL_OK;
}

bool sl_cas_part_exists(const struct sl_cas *cas, const struct sl_cid *cid, enum sl_cas_part part,
                        int64_t *size)
{
    char name[SL_CAS_NAME_SIZE];
    struct stat st;

    if (fstatat(cas->objects, sl_cas_part_name(cid, part, name), &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode)) {
        return false;
    }
    if (size) {
        *size = st.st_size;
    }
    return true;
}

enum sl_status sl_cas_load(int fd, int64_t size, size_t max, const char *name, struct sl_buf **out,
                           struct sl_error *err)
{
    enum sl_status status;
    size_t got = 0;

    *out = NULL;
    if (size < 0 || (uint64_t)size > max) {
        return sl_fail(err, SL_EDATA, name, "%lld bytes are more than the %zu that it may have",
                       (long long)size, max);
    }
    status = sl_buf_alloc(out, (size_t)size, err);
    if (status == SL_OK) {
        status = sl_io_pread(fd, 0, (*out)->data, (size_t)size, &got, name, err);
    }
    if (status == SL_OK && got < (size_t)size) {
        status = sl_fail(err, SL_EIO, name, "has become shorter while it was read");
    }
    if (status != SL_OK) {
        sl_buf_unref(out);
    }
    return status;
}

bool sl_cas_has(struct sl_cas *cas, const struct sl_cid *cid)
{
    return sl_cas_part_exists(cas, cid, SL_CAS_FLAT, NULL) ||
           sl_cas_part_exists(cas, cid, SL_CAS_NODE, NULL);
}
