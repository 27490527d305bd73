/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

typedef enum sl_status each_fn(void *opaque, const struct sl_cid *cid, enum sl_cas_part part,
                               struct sl_error *err);

static DIR *open_directory(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir && fd >= 0) {
        (void)close(fd);
    }
    return dir;
}

static enum sl_status scan_shard(struct sl_cas *cas, const char *shard, each_fn *each, void *opaque,
                                 struct sl_error *err)
{
    DIR *dir = open_directory(cas->objects, shard);
    enum sl_status status = SL_OK;
    struct dirent *d;

    if (!dir) {
        return errno == ENOTDIR || errno == ELOOP
                   ? SL_OK
                   : sl_fail_errno(err, errno, cas->directory, "read the objects");
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (status == SL_OK && (d = readdir(dir)) != NULL) {
        enum sl_cas_part part;
        struct sl_cid cid;

        if (sl_cas_part_parse(d->d_name, &cid, &part)) {
            status = each(opaque, &cid, part, err);
        }
    }
    (void)closedir(dir);
    return status;
}

enum sl_status sl_cas_scan(struct sl_cas *cas, each_fn *each, void *opaque, struct sl_error *err)
{
    DIR *dir = open_directory(cas->root, "objects");
    enum sl_status status = SL_OK;
    struct dirent *d;

    if (!dir) {
        return sl_fail_errno(err, errno, cas->directory, "read the objects");
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (status == SL_OK && (d = readdir(dir)) != NULL) {
        if (d->d_name[0] != '.') {
            status = scan_shard(cas, d->d_name, each, opaque, err);
        }
    }
    (void)closedir(dir);
    return status;
}

/* ---- marking ------------------------------------------------------------------------------- */

enum sl_status sl_cas_mark_add(struct sl_cas_mark *m, const struct sl_cid *cid,
                               struct sl_error *err)
{
    struct sl_cid_entry *entry;
    bool added;
    enum sl_status status = sl_cid_set_add(&m->set, cid, &entry, &added, err);

    if (status != SL_OK || !added) {
        return status;
    }
    if (sl_grow(&m->todo, &m->todo_capacity, m->todo_count, sizeof *m->todo, SL_CAS_SET_MAX) !=
        SL_OK) {
        return sl_fail_memory(err);
    }
    m->todo[m->todo_count++] = *cid;
    return SL_OK;
}

static enum sl_status follow(struct sl_cas_mark *m, struct sl_cas *cas, const struct sl_cid *cid,
                             struct sl_error *err)
{
    struct sl_cas_object *object = NULL;
    struct sl_cas_checker checker;
    struct sl_dag_node node = {.type = SL_UNIXFS_NONE};
    struct sl_cas_piece piece = {.cid = *cid};
    enum sl_status status;

    if (sl_cas_part_exists(cas, cid, SL_CAS_FLAT, NULL)) {
        return SL_OK;
    }
    if (!sl_cas_part_exists(cas, cid, SL_CAS_NODE, NULL)) {
        return m->missing ? m->missing(m->opaque, cid, err) : SL_OK;
    }
    sl_cas_checker_init(&checker);
    status = sl_cas_object_open(&object, cas, cid, err);
    if (status == SL_OK && object->is_node) {
        piece.block = object->dag->data;
        piece.block_size = object->dag->size;
        status = sl_cas_check_piece(&checker, &piece, NULL, err);
    }
    if (status == SL_OK && object->is_node) {
        status = sl_dag_decode(&node, piece.block, piece.block_size, err);
    }
    for (size_t i = 0; i < node.count && status == SL_OK; i++) {
        status = sl_cas_mark_add(m, &node.links[i].cid, err);
    }
    sl_dag_clear(&node);
    sl_cas_checker_clear(&checker);
    sl_cas_object_unref(&object);
    return status;
}

enum sl_status sl_cas_mark_step(struct sl_cas_mark *m, struct sl_cas *cas, struct sl_error *err)
{
    struct sl_cid cid = m->todo[--m->todo_count];

    return follow(m, cas, &cid, err);
}

enum sl_status sl_cas_mark_run(struct sl_cas_mark *m, struct sl_cas *cas, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    while (m->todo_count > 0 && status == SL_OK) {
        status = sl_cas_mark_step(m, cas, err);
    }
    return status;
}

void sl_cas_mark_clear(struct sl_cas_mark *m)
{
    sl_cid_set_clear(&m->set);
    sl_free(m->todo);
    m->todo = NULL;
    m->todo_count = m->todo_capacity = 0;
}
