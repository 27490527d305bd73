/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

/* ---- what there is ------------------------------------------------------------------------- */

static enum sl_status describe(const struct sl_cas_place *p, struct sl_cas_info *out,
                               struct sl_error *err)
{
    const struct sl_cas_object *o = p->object;
    const uint8_t *block = o->dag ? o->dag->data : NULL;
    size_t size = o->dag ? o->dag->size : 0;
    char text[SL_CID_TEXT_SIZE];
    struct sl_error own = {0};
    struct sl_dag_node node;
    enum sl_status status;

    *out = (struct sl_cas_info){.cid = p->cid, .kind = SL_STORE_FILE, .size = p->size};
    if (p->leaf) {
        struct sl_dag_frame frame = {0};

        if (p->cid.codec == SL_CODEC_DAG_PB) {
            sl_dag_leaf_frame(&frame, (uint64_t)p->size);
        }
        out->tsize = p->size + (int64_t)(frame.head_size + frame.tail_size);
        return SL_OK;
    }
    if (!o->is_node) {
        const struct sl_cas_inner *inner = sl_cas_object_inner(o, &p->cid);

        if (!inner) {
            return sl_fail(err, SL_EDATA, sl_cid_text(&p->cid, text),
                           "its own node is missing among its nodes");
        }
        block += inner->offset;
        size = inner->size;
    }
    status = sl_dag_decode(&node, block, size, &own);
    if (status != SL_OK) {
        return sl_fail(err, status, sl_cid_text(&p->cid, text), "%s", own.msg);
    }
    if (o->is_node) {
        out->kind = node.type == SL_UNIXFS_DIRECTORY ? SL_STORE_DIRECTORY : SL_STORE_NODE;
        out->size = (int64_t)size;
    }
    out->tsize = node.tsize > INT64_MAX ? INT64_MAX : (int64_t)node.tsize;
    sl_dag_clear(&node);
    return SL_OK;
}

enum sl_status sl_cas_stat(struct sl_cas *cas, const struct sl_cid *cid, struct sl_cas_info *out,
                           struct sl_error *err)
{
    struct sl_cas_place place;
    enum sl_status status = sl_cas_find(&place, cas, cid, err);

    if (status == SL_OK) {
        status = describe(&place, out, err);
    }
    sl_cas_object_unref(&place.object);
    return status;
}

/* ---- directories --------------------------------------------------------------------------- */

static enum sl_status check_node(const struct sl_cas_place *place, struct sl_error *err)
{
    struct sl_cas_piece piece = {.cid = place->cid,
                                 .block = place->object->dag->data,
                                 .block_size = place->object->dag->size};
    struct sl_cas_checker checker;
    enum sl_status status;

    sl_cas_checker_init(&checker);
    status = sl_cas_check_piece(&checker, &piece, NULL, err);
    sl_cas_checker_clear(&checker);
    return status;
}

/* The node of a directory, checked. Names point into place->object. */
static enum sl_status load_directory(struct sl_cas *cas, const struct sl_cid *cid,
                                     struct sl_cas_place *place, struct sl_dag_node *node,
                                     struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    struct sl_error own = {0};
    enum sl_status status = sl_cas_find(place, cas, cid, err);

    *node = (struct sl_dag_node){.type = SL_UNIXFS_NONE};
    if (status != SL_OK) {
        return status;
    }
    if (!place->object->is_node) {
        return sl_fail(err, SL_EUNSUPPORTED, sl_cid_text(cid, text), "is a file, no directory");
    }
    status = check_node(place, err);
    if (status == SL_OK) {
        status = sl_dag_decode(node, place->object->dag->data, place->object->dag->size, &own);
        if (status != SL_OK) {
            return sl_fail(err, status, sl_cid_text(cid, text), "%s", own.msg);
        }
    }
    if (status == SL_OK && node->type != SL_UNIXFS_DIRECTORY) {
        sl_dag_clear(node);
        return sl_fail(err, SL_EUNSUPPORTED, sl_cid_text(cid, text), "is no directory%s",
                       node->type == SL_UNIXFS_SHARD ? " in one block (it is sharded)" : "");
    }
    return status;
}

enum sl_status sl_cas_list(struct sl_cas *cas, const struct sl_cid *cid, struct sl_cas_list *out,
                           struct sl_error *err)
{
    struct sl_cas_place place;
    struct sl_dag_node node;
    size_t names = 0;
    char *text;
    enum sl_status status;

    *out = (struct sl_cas_list){0};
    status = load_directory(cas, cid, &place, &node, err);
    if (status != SL_OK) {
        goto out;
    }
    for (size_t i = 0; i < node.count; i++) {
        names += node.links[i].name_size + 1;
    }
    out->memory = sl_alloc(node.count * sizeof *out->entries + names + 1);
    if (!out->memory) {
        status = sl_fail_memory(err);
        goto out;
    }
    out->entries = out->memory;
    text = (char *)out->memory + node.count * sizeof *out->entries;
    for (size_t i = 0; i < node.count; i++) {
        const struct sl_dag_link *link = &node.links[i];

        out->entries[i] = (struct sl_cas_entry){link->cid, link->tsize, text};
        memcpy(text, link->name, link->name_size);
        text += link->name_size;
        *text++ = '\0';
    }
    out->count = node.count;
out:
    sl_dag_clear(&node);
    sl_cas_object_unref(&place.object);
    return status;
}

void sl_cas_list_clear(struct sl_cas_list *list)
{
    sl_free(list->memory);
    *list = (struct sl_cas_list){0};
}

/* One step of a path. */
static enum sl_status step(struct sl_cas *cas, struct sl_cid *at, const char *name, size_t size,
                           const char *path, struct sl_error *err)
{
    struct sl_cas_place place;
    struct sl_dag_node node;
    enum sl_status status = load_directory(cas, at, &place, &node, err);
    bool found = false;

    for (size_t i = 0; status == SL_OK && i < node.count && !found; i++) {
        const struct sl_dag_link *link = &node.links[i];

        found = link->name_size == size && memcmp(link->name, name, size) == 0;
        if (found) {
            *at = link->cid;
        }
    }
    if (status == SL_OK && !found) {
        status = sl_fail(err, SL_ENOTFOUND, path, "there is no \"%.*s\"", (int)size, name);
    }
    sl_dag_clear(&node);
    sl_cas_object_unref(&place.object);
    return status;
}

enum sl_status sl_cas_resolve(struct sl_cas *cas, const char *path, struct sl_cas_info *out,
                              struct sl_error *err)
{
    const char *p = strncmp(path, "/ipfs/", 6) == 0 ? path + 6 : path;
    size_t size = strcspn(p, "/");
    struct sl_cid cid;
    enum sl_status status = sl_cid_parse(&cid, p, size, err);

    for (p += size; status == SL_OK && *p; p += size) {
        if (*p == '/') {
            p++;
        }
        size = strcspn(p, "/");
        if (size > 0) { /* "a//b" and "a/" are "a/b" and "a", as in every path */
            status = step(cas, &cid, p, size, path, err);
        }
    }
    return status == SL_OK ? sl_cas_stat(cas, &cid, out, err) : status;
}

/* ---- content ------------------------------------------------------------------------------- */

static enum sl_status find_file(struct sl_cas_place *out, struct sl_cas *cas,
                                const struct sl_cid *cid, struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    enum sl_status status = sl_cas_find(out, cas, cid, err);

    if (status == SL_OK && !out->object->file) {
        status = sl_fail(err, SL_EUNSUPPORTED, sl_cid_text(cid, text), "is not a file");
    }
    return status;
}

enum sl_status sl_cas_open_file(struct sl_cas *cas, const struct sl_cid *cid, struct sl_file **out,
                                int64_t *offset, struct sl_cas_info *info, struct sl_error *err)
{
    struct sl_cas_place place;
    enum sl_status status = find_file(&place, cas, cid, err);

    *out = NULL;
    if (status == SL_OK) {
        status = describe(&place, info, err);
    }
    if (status == SL_OK) {
        *out = sl_file_ref(place.object->file);
        *offset = place.offset;
    }
    sl_cas_object_unref(&place.object);
    return status;
}

/* What takes the checked bytes of a file. */
struct sink {
    enum sl_status (*take)(void *opaque, const void *data, size_t size, struct sl_error *err);
    void *opaque;
};

/* Content that a node has in itself comes before that of its links. */
static enum sl_status hand_on(const struct sink *sink, const struct sl_cas_piece *piece,
                              const uint8_t *content, struct sl_error *err)
{
    struct sl_dag_node node;
    enum sl_status status;

    if (piece->leaf) {
        return sink->take(sink->opaque, content, (size_t)piece->size, err);
    }
    status = sl_dag_decode(&node, piece->block, piece->block_size, err);
    if (status == SL_OK && node.data_size > 0) {
        status = sink->take(sink->opaque, node.data, node.data_size, err);
    }
    sl_dag_clear(&node);
    return status;
}

static enum sl_status check(struct sl_cas *cas, const struct sl_cid *cid, int64_t offset,
                            int64_t size, const struct sink *sink, struct sl_error *err)
{
    struct sl_cas_checker checker;
    struct sl_cas_walk *walk = NULL;
    struct sl_cas_place place;
    enum sl_status status;

    sl_cas_checker_init(&checker);
    status = find_file(&place, cas, cid, err);
    if (status == SL_OK) {
        status = sl_cas_walk_open(&walk, cas, &place, 0, err);
    }
    if (status == SL_OK && size >= 0) {
        int64_t from = place.offset + offset;

        sl_cas_walk_limit(walk, from, size < INT64_MAX - from ? from + size : INT64_MAX);
    }
    while (status == SL_OK) {
        const uint8_t *content = NULL;
        struct sl_cas_piece piece;

        status = sl_cas_walk_next(walk, &piece, err);
        if (status == SL_OK) {
            status = sl_cas_check_piece(&checker, &piece, &content, err);
        }
        if (status == SL_OK && sink) {
            status = hand_on(sink, &piece, content, err);
        }
    }
    sl_cas_walk_close(&walk);
    sl_cas_object_unref(&place.object);
    sl_cas_checker_clear(&checker);
    return status == SL_EOF ? SL_OK : status;
}

enum sl_status sl_cas_check(struct sl_cas *cas, const struct sl_cid *cid, int64_t offset,
                            int64_t size, struct sl_error *err)
{
    return check(cas, cid, offset, size, NULL, err);
}

enum sl_status sl_cas_read_checked(struct sl_cas *cas, const struct sl_cid *cid,
                                   enum sl_status (*take)(void *opaque, const void *data,
                                                          size_t size, struct sl_error *err),
                                   void *opaque, struct sl_error *err)
{
    const struct sink sink = {take, opaque};

    return check(cas, cid, 0, -1, &sink, err);
}

/* ---- blocks -------------------------------------------------------------------------------- */

enum sl_status sl_cas_block(struct sl_cas *cas, const struct sl_cid *cid, struct sl_chain *out,
                            struct sl_error *err)
{
    struct sl_cas_checker checker;
    struct sl_cas_walk *walk = NULL;
    struct sl_cas_place place;
    struct sl_cas_piece piece;
    struct sl_chain made;
    const uint8_t *content = NULL;
    enum sl_status status;

    sl_chain_init(&made);
    sl_cas_checker_init(&checker);
    status = sl_cas_find(&place, cas, cid, err);
    if (status == SL_OK) {
        status = sl_cas_walk_open(&walk, cas, &place, 0, err);
    }
    if (status == SL_OK) {
        status = sl_cas_walk_next(walk, &piece, err);
    }
    if (status == SL_OK) {
        status = sl_cas_check_piece(&checker, &piece, &content, err);
    }
    if (status == SL_OK && !piece.leaf) {
        status = sl_chain_add_copy(&made, piece.block, piece.block_size, err);
    } else if (status == SL_OK) {
        struct sl_dag_frame frame = {0};

        if (cid->codec == SL_CODEC_DAG_PB) {
            sl_dag_leaf_frame(&frame, (uint64_t)piece.size);
        }
        status = sl_chain_add_copy(&made, frame.head, frame.head_size, err);
        if (status == SL_OK) {
            status = sl_chain_add_copy(&made, content, (size_t)piece.size, err);
        }
        if (status == SL_OK) {
            status = sl_chain_add_copy(&made, frame.tail, frame.tail_size, err);
        }
    }
    if (status == SL_OK) {
        status = sl_chain_move(out, &made, err);
    }
    sl_chain_clear(&made);
    sl_cas_walk_close(&walk);
    sl_cas_object_unref(&place.object);
    sl_cas_checker_clear(&checker);
    return status;
}
