/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/tree.h"

#include "base/alloc.h"
#include "base/error.h"
#include "store/store.h"

static enum sl_status add(struct sl_tree *t, size_t level, const struct sl_dag_link *link,
                          struct sl_error *err);

/* The row of a level becomes one node of the level above. */
static enum sl_status close_row(struct sl_tree *t, size_t level, struct sl_error *err)
{
    struct sl_dag_link *links = t->levels[level].links, up = {.name = ""};
    size_t count = t->levels[level].count;
    enum sl_status status;

    sl_writer_clear(&t->block);
    sl_writer_init(&t->block, SL_CAS_BLOCK_MAX);
    sl_dag_write_file(&t->block, links, count);
    status = sl_writer_finish(&t->block, err);
    if (status != SL_OK) {
        return status;
    }
    up.cid.version = t->profile->cid_version;
    up.cid.codec = SL_CODEC_DAG_PB;
    sl_hasher_digest(t->hasher, t->block.data, t->block.size, up.cid.digest);
    up.tsize = t->block.size;
    for (size_t i = 0; i < count; i++) {
        up.size += links[i].size;
        up.tsize += links[i].tsize;
    }
    t->levels[level].count = 0;
    status = t->node(t->opaque, &up.cid, t->block.data, t->block.size, err);
    return status == SL_OK ? add(t, level + 1, &up, err) : status;
}

/* NOLINTNEXTLINE(misc-no-recursion): once a level at most */
static enum sl_status add(struct sl_tree *t, size_t level, const struct sl_dag_link *link,
                          struct sl_error *err)
{
    if (level >= SL_TREE_LEVELS) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "the file has too many blocks");
    }
    if (!t->levels[level].links) {
        t->levels[level].links = sl_alloc_array(t->profile->width, sizeof *link);
        if (!t->levels[level].links) {
            return sl_fail_memory(err);
        }
    }
    /* A full row is closed when one more comes: it may be the only one, and then the root. */
    if (t->levels[level].count == t->profile->width) {
        enum sl_status status = close_row(t, level, err);

        if (status != SL_OK) {
            return status;
        }
    }
    t->levels[level].links[t->levels[level].count++] = *link;
    t->levels[level].made++;
    return SL_OK;
}

enum sl_status sl_tree_leaf(struct sl_tree *t, const struct sl_dag_link *leaf, struct sl_error *err)
{
    return add(t, 0, leaf, err);
}

enum sl_status sl_tree_finish(struct sl_tree *t, struct sl_dag_link *root, struct sl_error *err)
{
    for (size_t level = 0; level < SL_TREE_LEVELS; level++) {
        enum sl_status status;

        if (t->levels[level].made == 1) {
            *root = t->levels[level].links[0];
            return SL_OK;
        }
        /* The last row gets a parent even where it has one link: all leaves are equally deep. */
        status = close_row(t, level, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "the file has too many blocks");
}

void sl_tree_clear(struct sl_tree *t)
{
    for (size_t level = 0; level < SL_TREE_LEVELS; level++) {
        sl_free(t->levels[level].links);
        t->levels[level].links = NULL;
    }
    sl_writer_clear(&t->block);
}
