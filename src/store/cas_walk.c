/* SPDX-License-Identifier: BSD-2-Clause */
/* Depth-first over the blocks of a DAG, one at a time. Memory is the links of the nodes on the way
 * down, and, where each block is met once, the CIDs that were. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

#define ONCE_MAX (1u << 20) /* beyond, a block may be met again: that is allowed, and only dear */

struct frame {
    struct sl_cas_object *object; /* a reference */
    struct sl_dag_node node;
    size_t next;
    int64_t offset; /* of the content of the next link */
};

struct sl_cas_walk {
    struct sl_cas *cas;
    unsigned flags;
    int64_t from, to;
    struct sl_cas_place root; /* object: a reference, until it was met */
    struct frame frames[SL_CAS_DEPTH_MAX];
    size_t depth;
    struct sl_cas_object *last; /* of the piece that was met last */
    struct sl_cid_set met;
};

enum sl_status sl_cas_walk_open(struct sl_cas_walk **out, struct sl_cas *cas,
                                const struct sl_cas_place *root, unsigned flags,
                                struct sl_error *err)
{
    struct sl_cas_walk *w = sl_alloc_zero(sizeof *w);

    *out = w;
    if (!w) {
        return sl_fail_memory(err);
    }
    w->cas = cas;
    w->flags = flags;
    w->from = INT64_MIN; /* empty blocks are met too */
    w->to = INT64_MAX;
    w->root = *root;
    w->met.max = ONCE_MAX;
    atomic_fetch_add_explicit(&root->object->refs, 1, memory_order_relaxed);
    return SL_OK;
}

void sl_cas_walk_limit(struct sl_cas_walk *w, int64_t from, int64_t to)
{
    w->from = from;
    w->to = to;
}

static void leave(struct sl_cas_walk *w)
{
    struct frame *f = &w->frames[--w->depth];

    sl_dag_clear(&f->node);
    sl_cas_object_unref(&f->object);
}

void sl_cas_walk_close(struct sl_cas_walk **out)
{
    struct sl_cas_walk *w = out ? *out : NULL;

    if (!w) {
        return;
    }
    *out = NULL;
    while (w->depth > 0) {
        leave(w);
    }
    sl_cas_object_unref(&w->root.object);
    sl_cas_object_unref(&w->last);
    sl_cid_set_clear(&w->met);
    sl_free(w);
}

/* The block of a node, which lies in memory. */
static enum sl_status enter(struct sl_cas_walk *w, struct sl_cas_piece *piece,
                            struct sl_cas_object *object, int64_t offset, struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    struct sl_error own = {0};
    struct frame *f;
    enum sl_status status;

    if (object->is_node) {
        piece->block = object->dag->data;
        piece->block_size = object->dag->size;
    } else {
        const struct sl_cas_inner *inner = sl_cas_object_inner(object, &piece->cid);

        piece->block = object->dag->data + inner->offset;
        piece->block_size = inner->size;
    }
    if (w->depth == SL_CAS_DEPTH_MAX) {
        return sl_fail(err, SL_EDATA, sl_cid_text(&piece->cid, text),
                       "is more than %d nodes below its root", SL_CAS_DEPTH_MAX);
    }
    f = &w->frames[w->depth];
    *f = (struct frame){.offset = offset};
    status = sl_dag_decode(&f->node, piece->block, piece->block_size, &own);
    if (status != SL_OK) {
        return sl_fail(err, status, sl_cid_text(&piece->cid, text), "%s", own.msg);
    }
    if (!object->is_node) {
        /* Sizes of children are what their parents say: one that says otherwise would send the walk
         * astray. */
        if (!sl_dag_is_file(&f->node) || f->node.size != (uint64_t)piece->size) {
            sl_dag_clear(&f->node);
            return sl_fail(err, SL_EDATA, sl_cid_text(&piece->cid, text),
                           "is not the node of a file of %lld bytes", (long long)piece->size);
        }
        f->offset += (int64_t)f->node.data_size;
    }
    f->object = object;
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    w->depth++;
    return SL_OK;
}

/* Meets one block. *skip: it was met before, and what is below it too. */
static enum sl_status meet(struct sl_cas_walk *w, struct sl_cas_piece *piece,
                           struct sl_cas_object *object, int64_t offset, bool *skip,
                           struct sl_error *err)
{
    bool node = object->is_node || sl_cas_object_inner(object, &piece->cid) != NULL;

    *skip = false;
    if ((w->flags & SL_CAS_WALK_ONCE) != 0 && w->met.count < w->met.max) {
        struct sl_cid_entry *entry;
        enum sl_status status = sl_cid_set_add(&w->met, &piece->cid, &entry, skip, err);

        if (status != SL_OK) {
            return status;
        }
        *skip = !*skip;
        if (*skip) {
            return SL_OK;
        }
    }
    sl_cas_object_unref(&w->last);
    w->last = object;
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    piece->object = object;
    piece->offset = offset;
    piece->leaf = !node;
    if (node && (object->is_node || (w->flags & SL_CAS_WALK_NODES) == 0)) {
        return enter(w, piece, object, offset, err);
    }
    return SL_OK;
}

/* The next link of the node on top: SL_EAGAIN where there was nothing to meet. */
static enum sl_status follow(struct sl_cas_walk *w, struct sl_cas_piece *piece,
                             struct sl_error *err)
{
    struct frame *f = &w->frames[w->depth - 1];
    const struct sl_dag_link *link;
    struct sl_cas_object *object = f->object;
    enum sl_status status = SL_OK;
    int64_t offset;
    bool skip = false;

    if (f->next == f->node.count || (object->is_node && (w->flags & SL_CAS_WALK_DEEP) == 0)) {
        leave(w);
        return SL_EAGAIN;
    }
    link = &f->node.links[f->next++];
    *piece = (struct sl_cas_piece){.cid = link->cid};
    if (object->is_node) {
        status = sl_cas_object_open(&object, w->cas, &link->cid, err);
        if (status == SL_OK) {
            piece->size = object->size;
            status = meet(w, piece, object, 0, &skip, err);
            sl_cas_object_unref(&object);
        }
        return status == SL_OK && skip ? SL_EAGAIN : status;
    }
    piece->size = (int64_t)link->size;
    offset = f->offset;
    f->offset += piece->size;
    if (offset + piece->size <= w->from || offset >= w->to) {
        return SL_EAGAIN;
    }
    status = meet(w, piece, object, offset, &skip, err);
    return status == SL_OK && skip ? SL_EAGAIN : status;
}

enum sl_status sl_cas_walk_next(struct sl_cas_walk *w, struct sl_cas_piece *out,
                                struct sl_error *err)
{
    enum sl_status status = SL_EAGAIN;

    if (w->root.object) {
        struct sl_cas_object *object = w->root.object;
        bool skip;

        *out = (struct sl_cas_piece){.cid = w->root.cid, .size = w->root.size};
        w->root.object = NULL;
        status = meet(w, out, object, w->root.offset, &skip, err);
        sl_cas_object_unref(&object);
        return status;
    }
    while (status == SL_EAGAIN && w->depth > 0) {
        status = follow(w, out, err);
    }
    return status == SL_EAGAIN ? SL_EOF : status;
}

/* ---- checking ------------------------------------------------------------------------------ */

void sl_cas_checker_init(struct sl_cas_checker *c)
{
    *c = (struct sl_cas_checker){0};
    sl_hasher_init(&c->hasher);
}

void sl_cas_checker_clear(struct sl_cas_checker *c)
{
    sl_hasher_clear(&c->hasher);
    sl_free(c->data);
    c->data = NULL;
    c->capacity = 0;
}

static enum sl_status read_leaf(struct sl_cas_checker *c, const struct sl_cas_piece *piece,
                                struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    struct sl_slice slice = {.file = piece->object->file, .offset = piece->offset};

    if (piece->size < 0 || piece->size > SL_CAS_BLOCK_MAX) {
        return sl_fail(err, SL_EDATA, sl_cid_text(&piece->cid, text),
                       "a block of %lld bytes: %u are allowed", (long long)piece->size,
                       SL_CAS_BLOCK_MAX);
    }
    if (piece->offset + piece->size > piece->object->file->size) {
        return sl_fail(err, SL_EDATA, sl_cid_text(&piece->cid, text),
                       "lies behind the end of its file");
    }
    slice.size = (size_t)piece->size;
    if (c->capacity < slice.size || !c->data) {
        sl_free(c->data);
        c->capacity = slice.size > 0 ? slice.size : 1;
        c->data = sl_alloc(c->capacity);
        if (!c->data) {
            return sl_fail_memory(err);
        }
    }
    return sl_slice_read(&slice, 0, c->data, slice.size, err);
}

enum sl_status sl_cas_check_piece(struct sl_cas_checker *c, const struct sl_cas_piece *piece,
                                  const uint8_t **content, struct sl_error *err)
{
    uint8_t digest[SL_CID_DIGEST_SIZE];
    char text[SL_CID_TEXT_SIZE];
    enum sl_status status;

    if (!piece->leaf) {
        sl_hasher_digest(&c->hasher, piece->block, piece->block_size, digest);
    } else {
        struct sl_dag_frame frame = {0};

        status = read_leaf(c, piece, err);
        if (status != SL_OK) {
            return status;
        }
        if (piece->cid.codec == SL_CODEC_DAG_PB) {
            sl_dag_leaf_frame(&frame, (uint64_t)piece->size);
        }
        sl_hasher_start(&c->hasher);
        sl_hasher_update(&c->hasher, frame.head, frame.head_size);
        sl_hasher_update(&c->hasher, c->data, (size_t)piece->size);
        sl_hasher_update(&c->hasher, frame.tail, frame.tail_size);
        sl_hasher_finish(&c->hasher, digest);
        if (content) {
            *content = c->data;
        }
    }
    if (memcmp(digest, piece->cid.digest, sizeof digest) != 0) {
        return sl_fail_at(err, SL_EDATA, sl_cid_text(&piece->cid, text), piece->offset,
                          "the block is damaged: its hash is another");
    }
    return SL_OK;
}
