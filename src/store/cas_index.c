/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of blocks: which file has them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/cas.h"

/* A link of the file system, from a block's name to that of the file it is in: one is made with one
 * call, and what a crash leaves of it is either there or not. It is a help alone: a wrong entry
 * leads to a file that does not have the block, which is looked at anyway. */
static void index_one(struct sl_cas *cas, const struct sl_cid *block, const char *object)
{
    char name[SL_CAS_NAME_SIZE], shard[3];

    sl_cas_part_name(block, SL_CAS_FLAT, name);
    if (symlinkat(object, cas->blocks, name) == 0 || errno != ENOENT) {
        return;
    }
    sl_cas_shard(block, shard);
    (void)mkdirat(cas->blocks, shard, 0777);
    (void)symlinkat(object, cas->blocks, name);
}

void sl_cas_index_add(struct sl_cas *cas, const struct sl_cid *object, const struct sl_buf *dag)
{
    struct sl_cid v1 = sl_cid_v1(object), cid;
    char text[SL_CID_TEXT_SIZE];
    struct sl_reader r;
    const uint8_t *block;
    size_t size;

    (void)sl_cid_text(&v1, text);
    sl_reader_init(&r, dag->data, dag->size);
    if (sl_cas_dag_head(&r, NULL) != SL_OK) {
        return;
    }
    while (sl_cas_dag_next(&r, &cid, &block, &size, NULL) == SL_OK) {
        struct sl_dag_node node;

        if (sl_dag_decode(&node, block, size, NULL) != SL_OK) {
            continue;
        }
        /* Inner nodes are links too, but for the root, which is the object. */
        for (size_t i = 0; i < node.count; i++) {
            if (i == 0 || !sl_cid_same(&node.links[i].cid, &node.links[i - 1].cid)) {
                index_one(cas, &node.links[i].cid, text);
            }
        }
        sl_dag_clear(&node);
    }
}

/* ---- mending ------------------------------------------------------------------------------- */

static void sweep_shard(struct sl_cas *cas, const char *shard)
{
    int fd = openat(cas->blocks, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;

    if (!dir) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((d = readdir(dir)) != NULL) {
        char target[SL_CID_TEXT_SIZE + 1];
        ssize_t size = readlinkat(dirfd(dir), d->d_name, target, sizeof target);
        struct sl_cid object;

        if (size <= 0) {
            continue; /* "." and ".." */
        }
        if ((size_t)size == sizeof target ||
            sl_cid_parse(&object, target, (size_t)size, NULL) != SL_OK ||
            !sl_cas_part_exists(cas, &object, SL_CAS_FLAT, NULL)) {
            (void)unlinkat(dirfd(dir), d->d_name, 0);
        }
    }
    (void)closedir(dir);
    (void)unlinkat(cas->blocks, shard, AT_REMOVEDIR); /* where it is empty */
}

static enum sl_status mend_one(void *opaque, const struct sl_cid *cid, enum sl_cas_part part,
                               struct sl_error *err)
{
    struct sl_cas *cas = opaque;
    struct sl_buf *dag = NULL;
    enum sl_status status;
    int64_t size = 0;
    int fd;

    if (part != SL_CAS_DAG) {
        return SL_OK;
    }
    status = sl_cas_part_open(cas, cid, SL_CAS_DAG, &fd, &size, err);
    if (status == SL_OK && fd >= 0) {
        status = sl_cas_load(fd, size, SL_CAS_NODES_MAX, "nodes", &dag, err);
        (void)close(fd);
    }
    if (status == SL_OK && dag) {
        sl_cas_index_add(cas, cid, dag);
    }
    sl_buf_unref(&dag);
    return status;
}

enum sl_status sl_cas_index_mend(struct sl_cas *cas, struct sl_error *err)
{
    int fd = openat(cas->root, "blocks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;

    if (!dir) {
        enum sl_status status = sl_fail_errno(err, errno, cas->directory, "read the index");

        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((d = readdir(dir)) != NULL) {
        if (d->d_name[0] != '.') {
            sweep_shard(cas, d->d_name);
        }
    }
    (void)closedir(dir);
    return sl_cas_scan(cas, mend_one, cas, err);
}
