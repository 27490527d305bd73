/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes out of a store: descriptions, files, directories, CARs. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/store.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "base/publish.h"

static enum sl_status resolve(struct sl_store *store, const char *path, struct sl_cas_info *out,
                              struct sl_error *err)
{
    if (!store || !path) {
        return sl_fail(err, SL_EINVAL, store ? "path" : "store", "is NULL");
    }
    return sl_cas_resolve(store->cas, path, out, err);
}

enum sl_status sl_store_stat(struct sl_store *store, const char *path, struct sl_store_info *info,
                             struct sl_error *err)
{
    struct sl_cas_info found;
    enum sl_status status =
        info ? resolve(store, path, &found, err) : sl_fail(err, SL_EINVAL, "info", "is NULL");

    if (status == SL_OK) {
        sl_store_describe(&found, info);
    }
    return status;
}

enum sl_status sl_store_list(struct sl_store *store, const char *path, sl_store_entry_fn *entry,
                             void *opaque, struct sl_error *err)
{
    struct sl_cas_list list = {0};
    struct sl_cas_info found;
    enum sl_status status =
        entry ? resolve(store, path, &found, err) : sl_fail(err, SL_EINVAL, "entry", "is NULL");

    if (status == SL_OK) {
        status = sl_cas_list(store->cas, &found.cid, &list, err);
    }
    for (size_t i = 0; i < list.count && status == SL_OK; i++) {
        struct sl_cas_info one = {.cid = list.entries[i].cid, .kind = SL_STORE_NODE, .size = -1};
        struct sl_store_info info;
        struct sl_error own = {0};

        status = sl_cas_stat(store->cas, &list.entries[i].cid, &one, &own);
        if (status == SL_ENOTFOUND) {
            one.tsize = (int64_t)list.entries[i].tsize;
            status = SL_OK;
        } else if (status != SL_OK) {
            status = sl_fail(err, status, own.where, "%s", own.msg);
        }
        if (status == SL_OK) {
            sl_store_describe(&one, &info);
            entry(opaque, &info, list.entries[i].name);
        }
    }
    sl_cas_list_clear(&list);
    return status;
}

/* ---- files --------------------------------------------------------------------------------- */

struct to_fd {
    int fd;
    const char *name;
};

static enum sl_status write_fd(void *opaque, const void *data, size_t size, struct sl_error *err)
{
    const struct to_fd *to = opaque;

    return sl_io_write(to->fd, data, size, to->name, err);
}

static enum sl_status write_file(void *opaque, const void *data, size_t size, struct sl_error *err)
{
    return sl_publish_write(opaque, data, size, err);
}

enum sl_status sl_store_get_fd(struct sl_store *store, const char *path, int fd,
                               struct sl_error *err)
{
    struct to_fd to = {fd, "output"};
    struct sl_cas_info found;
    enum sl_status status = resolve(store, path, &found, err);

    if (fd < 0) {
        return sl_fail(err, SL_EINVAL, "fd", "is negative");
    }
    return status == SL_OK ? sl_cas_read_checked(store->cas, &found.cid, write_fd, &to, err)
                           : status;
}

static enum sl_status get_file(struct sl_store *store, const struct sl_cid *cid, const char *output,
                               struct sl_error *err)
{
    struct sl_publish *p = NULL;
    enum sl_status status = sl_publish_open(&p, output, err);

    if (status == SL_OK) {
        status = sl_cas_read_checked(store->cas, cid, write_file, p, err);
    }
    if (status == SL_OK) {
        return sl_publish_commit_unsynced(&p, err);
    }
    sl_publish_abort(&p);
    return status;
}

/* NOLINTNEXTLINE(misc-no-recursion): SL_CAS_DEPTH_MAX deep at most */
static enum sl_status get(struct sl_store *store, const struct sl_cas_info *what,
                          const char *output, int depth, struct sl_error *err)
{
    struct sl_cas_list list = {0};
    char text[SL_CID_TEXT_SIZE];
    enum sl_status status = SL_OK;

    if (what->kind == SL_STORE_FILE) {
        return get_file(store, &what->cid, output, err);
    }
    if (what->kind != SL_STORE_DIRECTORY || depth == SL_CAS_DEPTH_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, sl_cid_text(&what->cid, text),
                       depth == SL_CAS_DEPTH_MAX ? "is too many directories deep"
                                                 : "is neither a file nor a directory");
    }
    if (mkdir(output, 0777) != 0) {
        return errno == EEXIST ? sl_fail(err, SL_EEXIST, output, "is there already")
                               : sl_fail_errno(err, errno, output, "make the directory");
    }
    status = sl_cas_list(store->cas, &what->cid, &list, err);
    for (size_t i = 0; i < list.count && status == SL_OK; i++) {
        char *below = sl_format("%s/%s", output, list.entries[i].name);
        struct sl_cas_info info;

        status =
            below ? sl_cas_stat(store->cas, &list.entries[i].cid, &info, err) : sl_fail_memory(err);
        if (status == SL_OK) {
            status = get(store, &info, below, depth + 1, err);
        }
        sl_free(below);
    }
    sl_cas_list_clear(&list);
    return status;
}

enum sl_status sl_store_get(struct sl_store *store, const char *path, const char *output,
                            struct sl_error *err)
{
    struct sl_cas_info found;
    enum sl_status status;

    if (!output) {
        return sl_fail(err, SL_EINVAL, "output", "is NULL");
    }
    if (strcmp(output, "-") == 0) {
        return sl_store_get_fd(store, path, STDOUT_FILENO, err);
    }
    status = resolve(store, path, &found, err);
    return status == SL_OK ? get(store, &found, output, 0, err) : status;
}

/* ---- CARs ---------------------------------------------------------------------------------- */

static enum sl_status export(struct sl_store *store, const char *path, int fd,
                             struct sl_publish *file, struct sl_error *err) {
    struct sl_cas_export *e = NULL; struct sl_cas_info found;
    enum sl_status status = resolve(store, path, &found, err);

    if (status == SL_OK){status = sl_cas_export_open(&e, store->cas, &found.cid, true, err);}
while (status == SL_OK)
{
    struct sl_chain chain;

    sl_chain_init(&chain);
    status = sl_cas_export_next(e, &chain, err);
    if (status == SL_OK) {
        status =
            file ? sl_publish_chain(file, &chain, err) : sl_chain_write(&chain, fd, "output", err);
    }
    sl_chain_clear(&chain);
}
sl_cas_export_close(&e);
return status == SL_EOF ? SL_OK : status;
}

enum sl_status sl_store_export_fd(struct sl_store *store, const char *path, int fd,
                                  struct sl_error *err)
{
    return fd < 0 ? sl_fail(err, SL_EINVAL, "fd", "is negative")
                  : export(store, path, fd, NULL, err);
}

enum sl_status sl_store_export(struct sl_store *store, const char *path, const char *output,
                               struct sl_error *err)
{
    struct sl_publish *p = NULL;
    enum sl_status status;

    if (!output) {
        return sl_fail(err, SL_EINVAL, "output", "is NULL");
    }
    if (strcmp(output, "-") == 0) {
        return sl_store_export_fd(store, path, STDOUT_FILENO, err);
    }
    status = sl_publish_open(&p, output, err);
    if (status == SL_OK) {
        status = export(store, path, -1, p, err);
    }
    if (status == SL_OK) {
        return sl_publish_commit_unsynced(&p, err);
    }
    sl_publish_abort(&p);
    return status;
}
