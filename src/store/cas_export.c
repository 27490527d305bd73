/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"
#include "store/varint.h"

#define HEAD_MAX 256

struct sl_cas_export {
    struct sl_cas_walk *walk;
    struct sl_cas_checker checker;
    struct sl_cid root;
    bool checked, begun;
};

enum sl_status sl_cas_export_open(struct sl_cas_export **out, struct sl_cas *cas,
                                  const struct sl_cid *root, bool checked, struct sl_error *err)
{
    struct sl_cas_export *e = sl_alloc_zero(sizeof *e);
    struct sl_cas_place place = {0};
    enum sl_status status;

    *out = NULL;
    if (!e) {
        return sl_fail_memory(err);
    }
    sl_cas_checker_init(&e->checker);
    e->root = *root;
    e->checked = checked;
    status = sl_cas_find(&place, cas, root, err);
    if (status == SL_OK) {
        status = sl_cas_walk_open(&e->walk, cas, &place, SL_CAS_WALK_DEEP | SL_CAS_WALK_ONCE, err);
    }
    sl_cas_object_unref(&place.object);
    if (status != SL_OK) {
        sl_cas_export_close(&e);
    }
    *out = e;
    return status;
}

void sl_cas_export_close(struct sl_cas_export **out)
{
    struct sl_cas_export *e = out ? *out : NULL;

    if (!e) {
        return;
    }
    *out = NULL;
    sl_cas_walk_close(&e->walk);
    sl_cas_checker_clear(&e->checker);
    sl_free(e);
}

/* What stands in front of a block, and of a leaf's content in it. */
static enum sl_status add_head(struct sl_chain *out, const struct sl_cas_piece *piece,
                               const struct sl_dag_frame *frame, struct sl_error *err)
{
    uint64_t size = piece->leaf ? frame->head_size + (uint64_t)piece->size + frame->tail_size
                                : piece->block_size;
    uint8_t cid[SL_CID_BYTES_MAX];
    size_t cid_size = sl_cid_encode(&piece->cid, cid);
    struct sl_writer head;
    enum sl_status status;

    sl_writer_init(&head, HEAD_MAX);
    sl_write_varint(&head, cid_size + size);
    sl_write_bytes(&head, cid, cid_size);
    sl_write_bytes(&head, frame->head, frame->head_size);
    status = sl_writer_finish(&head, err);
    if (status == SL_OK) {
        status = sl_chain_add_copy(out, head.data, head.size, err);
    }
    sl_writer_clear(&head);
    return status;
}

static enum sl_status add_piece(struct sl_cas_export *e, const struct sl_cas_piece *piece,
                                struct sl_chain *out, struct sl_error *err)
{
    struct sl_dag_frame frame = {0};
    const uint8_t *content = NULL;
    enum sl_status status = SL_OK;

    /* Nodes are few, and checked always: what hangs on them is then known to be asked for. */
    if (e->checked || !piece->leaf) {
        status = sl_cas_check_piece(&e->checker, piece, &content, err);
    }
    if (piece->leaf && piece->cid.codec == SL_CODEC_DAG_PB) {
        sl_dag_leaf_frame(&frame, (uint64_t)piece->size);
    }
    if (status == SL_OK) {
        status = add_head(out, piece, &frame, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (!piece->leaf) {
        return sl_chain_add_copy(out, piece->block, piece->block_size, err);
    }
    status = content ? sl_chain_add_copy(out, content, (size_t)piece->size, err)
                     : sl_chain_add_file(out, piece->object->file, piece->offset,
                                         (size_t)piece->size, err);
    return status == SL_OK ? sl_chain_add_copy(out, frame.tail, frame.tail_size, err) : status;
}

static enum sl_status add_car_head(const struct sl_cid *root, struct sl_chain *out,
                                   struct sl_error *err)
{
    struct sl_writer head;
    enum sl_status status;

    sl_writer_init(&head, HEAD_MAX);
    sl_cas_dag_write_head(&head, root);
    status = sl_writer_finish(&head, err);
    if (status == SL_OK) {
        status = sl_chain_add_copy(out, head.data, head.size, err);
    }
    sl_writer_clear(&head);
    return status;
}

enum sl_status sl_cas_export_next(struct sl_cas_export *e, struct sl_chain *out,
                                  struct sl_error *err)
{
    struct sl_cas_piece piece;
    struct sl_chain made;
    enum sl_status status;

    sl_chain_init(&made);
    if (!e->begun) {
        status = add_car_head(&e->root, &made, err);
        e->begun = true;
    } else {
        status = sl_cas_walk_next(e->walk, &piece, err);
        if (status == SL_OK) {
            status = add_piece(e, &piece, &made, err);
        }
    }
    if (status == SL_OK) {
        status = sl_chain_move(out, &made, err);
    }
    sl_chain_clear(&made);
    return status;
}

enum sl_status sl_cas_export_node(struct sl_cas *cas, const struct sl_cid *cid,
                                  struct sl_chain *out, struct sl_error *err)
{
    struct sl_chain made, block;
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t size = sl_cid_encode(cid, bytes);
    struct sl_writer head;
    enum sl_status status;

    sl_chain_init(&made);
    sl_chain_init(&block);
    sl_writer_init(&head, HEAD_MAX);
    status = sl_cas_block(cas, cid, &block, err);
    if (status == SL_OK) {
        status = add_car_head(cid, &made, err);
    }
    if (status == SL_OK) {
        sl_write_varint(&head, size + (uint64_t)block.size);
        sl_write_bytes(&head, bytes, size);
        status = sl_writer_finish(&head, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(&made, head.data, head.size, err);
    }
    if (status == SL_OK) {
        status = sl_chain_move(&made, &block, err);
    }
    if (status == SL_OK) {
        status = sl_chain_move(out, &made, err);
    }
    sl_writer_clear(&head);
    sl_chain_clear(&block);
    sl_chain_clear(&made);
    return status;
}
