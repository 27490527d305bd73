/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"
#include "store/varint.h"

#define INNER_MAX (1u << 24)

/* ---- CID.dag ------------------------------------------------------------------------------- */

enum sl_status sl_cas_dag_head(struct sl_reader *r, struct sl_error *err)
{
    uint64_t size = sl_read_varint(r);

    if (r->overrun || size == 0 || size > sl_reader_left(r)) {
        return sl_fail_at(err, SL_EDATA, NULL, 0, "the header of a CAR is expected");
    }
    sl_read_skip(r, (size_t)size);
    return SL_OK;
}

enum sl_status sl_cas_dag_next(struct sl_reader *r, struct sl_cid *cid, const uint8_t **block,
                               size_t *size, struct sl_error *err)
{
    size_t at = r->pos, used = 0;
    const uint8_t *section;
    enum sl_status status;
    uint64_t whole;

    if (sl_reader_left(r) == 0) {
        return SL_EOF;
    }
    whole = sl_read_varint(r);
    if (r->overrun || whole == 0 || whole > sl_reader_left(r)) {
        return sl_fail_at(err, SL_EDATA, NULL, (int64_t)at, "a block of a CAR is cut short");
    }
    section = sl_read_bytes(r, (size_t)whole);
    status = sl_cid_decode(cid, section, (size_t)whole, &used, err);
    *block = section + used;
    *size = (size_t)whole - used;
    return status;
}

static int by_digest(const void *a, const void *b)
{
    const struct sl_cas_inner *x = a, *y = b;

    return memcmp(x->cid.digest, y->cid.digest, SL_CID_DIGEST_SIZE);
}

static enum sl_status index_inner(struct sl_cas_object *o, struct sl_error *err)
{
    struct sl_reader r;
    size_t capacity = 0;
    enum sl_status status;

    sl_reader_init(&r, o->dag->data, o->dag->size);
    status = sl_cas_dag_head(&r, err);
    while (status == SL_OK) {
        struct sl_cas_inner inner;
        const uint8_t *block;

        status = sl_cas_dag_next(&r, &inner.cid, &block, &inner.size, err);
        if (status != SL_OK) {
            break;
        }
        inner.offset = (size_t)(block - o->dag->data);
        if (sl_grow(&o->inner, &capacity, o->inner_count, sizeof *o->inner, INNER_MAX) != SL_OK) {
            return sl_fail_memory(err);
        }
        o->inner[o->inner_count++] = inner;
    }
    if (status != SL_EOF) {
        return status;
    }
    if (o->inner_count == 0) {
        return sl_fail(err, SL_EDATA, NULL, "there are no inner nodes");
    }
    qsort(o->inner, o->inner_count, sizeof *o->inner, by_digest);
    return SL_OK;
}

const struct sl_cas_inner *sl_cas_object_inner(const struct sl_cas_object *o,
                                               const struct sl_cid *cid)
{
    struct sl_cas_inner key = {.cid = *cid};
    const struct sl_cas_inner *found;

    if (o->inner_count == 0 || cid->codec != SL_CODEC_DAG_PB) {
        return NULL;
    }
    found = bsearch(&key, o->inner, o->inner_count, sizeof *o->inner, by_digest);
    return found;
}

/* ---- opening ------------------------------------------------------------------------------- */

static enum sl_status open_file(struct sl_cas_object *o, struct sl_cas *cas, int fd,
                                struct sl_error *err)
{
    char name[SL_CAS_NAME_SIZE];
    enum sl_status status;
    int64_t size = 0;
    int dag = -1;

    status = sl_file_wrap(&o->file, fd, sl_cas_part_name(&o->cid, SL_CAS_FLAT, name), err);
    if (status != SL_OK || o->cid.codec == SL_CODEC_RAW) {
        return status;
    }
    status = sl_cas_part_open(cas, &o->cid, SL_CAS_DAG, &dag, &size, err);
    if (status != SL_OK || dag < 0) {
        return status;
    }
    status = sl_cas_load(dag, size, SL_CAS_NODES_MAX, sl_cas_part_name(&o->cid, SL_CAS_DAG, name),
                         &o->dag, err);
    (void)close(dag);
    return status == SL_OK ? index_inner(o, err) : status;
}

static enum sl_status not_there(const struct sl_cas *cas, const struct sl_cid *cid,
                                struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];

    return sl_fail(err, SL_ENOTFOUND, sl_cid_text(cid, text), "is not in the store %s",
                   cas->directory);
}

enum sl_status sl_cas_object_open(struct sl_cas_object **out, struct sl_cas *cas,
                                  const struct sl_cid *cid, struct sl_error *err)
{
    char name[SL_CAS_NAME_SIZE];
    struct sl_cas_object *o = sl_alloc_zero(sizeof *o);
    enum sl_status status;
    int fd = -1;

    *out = NULL;
    if (!o) {
        return sl_fail_memory(err);
    }
    atomic_init(&o->refs, 1);
    o->cid = sl_cid_v1(cid);
    status = sl_cas_part_open(cas, cid, SL_CAS_FLAT, &fd, &o->size, err);
    if (status == SL_OK && fd >= 0) {
        status = open_file(o, cas, fd, err);
    } else if (status == SL_OK && cid->codec == SL_CODEC_DAG_PB) {
        status = sl_cas_part_open(cas, cid, SL_CAS_NODE, &fd, &o->size, err);
        if (status == SL_OK && fd >= 0) {
            o->is_node = true;
            status = sl_cas_load(fd, o->size, SL_CAS_BLOCK_MAX,
                                 sl_cas_part_name(cid, SL_CAS_NODE, name), &o->dag, err);
            (void)close(fd);
        }
    }
    if (status == SL_OK && !o->file && !o->is_node) {
        status = not_there(cas, cid, err);
    }
    if (status != SL_OK) {
        sl_cas_object_unref(&o);
    }
    *out = o;
    return status;
}

void sl_cas_object_unref(struct sl_cas_object **out)
{
    struct sl_cas_object *o = out ? *out : NULL;

    if (!o) {
        return;
    }
    *out = NULL;
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) {
        sl_file_unref(&o->file);
        sl_buf_unref(&o->dag);
        sl_free(o->inner);
        sl_free(o);
    }
}

/* ---- finding ------------------------------------------------------------------------------- */

/* The block as a part of the file that the index names. SL_ENOTFOUND: it is not. */
static enum sl_status find_inside(struct sl_cas_place *out, struct sl_cas *cas,
                                  const struct sl_cid *object, struct sl_error *err)
{
    struct sl_cas_place whole = {0};
    struct sl_cas_walk *walk = NULL;
    struct sl_cas_piece piece;
    enum sl_status status = sl_cas_object_open(&whole.object, cas, object, err);

    if (status != SL_OK) {
        return status;
    }
    whole.cid = whole.object->cid;
    whole.size = whole.object->size;
    status = whole.object->is_node ? SL_ENOTFOUND : sl_cas_walk_open(&walk, cas, &whole, 0, err);
    while (status == SL_OK) {
        status = sl_cas_walk_next(walk, &piece, err);
        if (status == SL_OK && sl_cid_same(&piece.cid, &out->cid)) {
            out->leaf = piece.leaf;
            out->offset = piece.offset;
            out->size = piece.size;
            out->object = whole.object;
            whole.object = NULL;
            break;
        }
    }
    sl_cas_walk_close(&walk);
    sl_cas_object_unref(&whole.object);
    return status == SL_EOF ? SL_ENOTFOUND : status;
}

struct search {
    struct sl_cas_place *out;
    struct sl_cas *cas;
    struct sl_error *err;
};

static enum sl_status look_inside(void *opaque, const struct sl_cid *object)
{
    struct search *s = opaque;
    struct sl_error own = {0};
    enum sl_status status = find_inside(s->out, s->cas, object, &own);

    return status == SL_OK || status == SL_ENOTFOUND
               ? status
               : sl_fail(s->err, status, own.where, "%s", own.msg);
}

enum sl_status sl_cas_find(struct sl_cas_place *out, struct sl_cas *cas, const struct sl_cid *cid,
                           struct sl_error *err)
{
    struct search search = {out, cas, err};
    struct sl_error own = {0};
    enum sl_status status;

    *out = (struct sl_cas_place){.cid = *cid};
    status = sl_cas_object_open(&out->object, cas, cid, &own);
    if (status == SL_OK) {
        out->leaf = out->object->file && !out->object->dag;
        out->size = out->object->size;
        return SL_OK;
    }
    if (status != SL_ENOTFOUND) {
        return sl_fail(err, status, own.where, "%s", own.msg);
    }
    status = sl_cas_index_find(cas, cid, look_inside, &search, err);
    return status == SL_ENOTFOUND ? not_there(cas, cid, err) : status;
}
