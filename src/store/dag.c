/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/dag.h"

#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/varint.h"

enum { NODE_DATA = 1, NODE_LINKS = 2 };
enum { LINK_HASH = 1, LINK_NAME = 2, LINK_TSIZE = 3 };
enum {
    UNIXFS_TYPE = 1,
    UNIXFS_DATA = 2,
    UNIXFS_FILESIZE = 3,
    UNIXFS_BLOCKSIZES = 4,
    UNIXFS_LAST = 8 /* hashType, fanout, mode, mtime */
};

static enum sl_status damaged(struct sl_error *err, const char *what)
{
    return sl_fail(err, SL_EDATA, NULL, "not a dag-pb node: %s", what);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum sl_status read_link(struct sl_dag_link *out, const struct sl_field *whole,
                                struct sl_error *err)
{
    struct sl_reader r;
    struct sl_field f;
    uint32_t last = 0;
    size_t used = 0;

    *out = (struct sl_dag_link){.name = ""};
    sl_reader_init(&r, whole->data, (size_t)whole->value);
    while (sl_read_field(&r, &f)) {
        enum sl_status status = SL_OK;

        if (f.number <= last || f.number > LINK_TSIZE ||
            f.wire != (f.number == LINK_TSIZE ? SL_WIRE_VARINT : SL_WIRE_BYTES)) {
            return damaged(err, "a link's fields are not Hash, Name, Tsize");
        }
        last = f.number;
        if (f.number == LINK_HASH) {
            status = sl_cid_decode(&out->cid, f.data, (size_t)f.value, &used, err);
            if (status == SL_OK && used != f.value) {
                status = damaged(err, "bytes follow a link's CID");
            }
        } else if (f.number == LINK_NAME) {
            out->name = (const char *)f.data;
            out->name_size = (size_t)f.value;
        } else {
            out->tsize = f.value;
        }
        if (status != SL_OK) {
            return status;
        }
    }
    if (r.overrun || used == 0) {
        return damaged(err, r.overrun ? "a link is cut short" : "a link has no Hash");
    }
    return SL_OK;
}

/* UnixFS in the node's Data. False: it is something else. */
static bool read_unixfs(struct sl_dag_node *node, const uint8_t *data, size_t size, size_t *sizes,
                        bool *stated)
{
    struct sl_reader r;
    struct sl_field f;
    bool typed = false;

    sl_reader_init(&r, data, size);
    while (sl_read_field(&r, &f)) {
        if (f.number == UNIXFS_TYPE && f.wire == SL_WIRE_VARINT && !typed &&
            f.value <= SL_UNIXFS_SHARD) {
            node->type = (enum sl_unixfs_type)f.value;
            typed = true;
        } else if (f.number == UNIXFS_DATA && f.wire == SL_WIRE_BYTES && !node->data) {
            node->data = f.data;
            node->data_size = (size_t)f.value;
        } else if (f.number == UNIXFS_FILESIZE && f.wire == SL_WIRE_VARINT && !*stated) {
            node->size = f.value;
            *stated = true;
        } else if (f.number == UNIXFS_BLOCKSIZES && f.wire == SL_WIRE_VARINT) {
            if (*sizes < node->count) {
                node->links[*sizes].size = f.value;
            }
            ++*sizes;
        } else if (f.number <= UNIXFS_BLOCKSIZES || f.number > UNIXFS_LAST) {
            return false;
        }
    }
    return typed && !r.overrun;
}

/* A file's size is what is in the node and below it; each is stated, so both must agree. */
static enum sl_status check_file(const struct sl_dag_node *node, size_t sizes, bool stated,
                                 struct sl_error *err)
{
    uint64_t sum = node->data_size;

    if (sizes != node->count) {
        return damaged(err, "a file has not as many block sizes as links");
    }
    for (size_t i = 0; i < node->count; i++) {
        if (__builtin_add_overflow(sum, node->links[i].size, &sum)) {
            return damaged(err, "block sizes of a file are past counting");
        }
    }
    if (sum > INT64_MAX || (stated ? node->size != sum : sum != 0)) {
        return damaged(err, "a file's size is not the sum of its blocks");
    }
    return SL_OK;
}

bool sl_dag_name_valid(const char *name, size_t size)
{
    return size > 0 && size <= NAME_MAX && !memchr(name, '/', size) && !memchr(name, '\0', size) &&
           !(size == 1 && name[0] == '.') && !(size == 2 && memcmp(name, "..", 2) == 0);
}

int sl_dag_name_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common ? memcmp(a, b, common) : 0;

    return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

static enum sl_status check_directory(const struct sl_dag_node *node, struct sl_error *err)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct sl_dag_link *link = &node->links[i], *last = i > 0 ? link - 1 : NULL;

        if (!sl_dag_name_valid(link->name, link->name_size)) {
            return damaged(err, "a directory has a name that no file may have");
        }
        if (last &&
            sl_dag_name_compare(last->name, last->name_size, link->name, link->name_size) >= 0) {
            return damaged(err, "names of a directory are not in order, each once");
        }
    }
    return SL_OK;
}

/* Links and Data, in either order, each in one piece: Data first was never written, but is read. */
static enum sl_status read_node(struct sl_dag_node *out, const uint8_t *block, size_t size,
                                struct sl_field *data, struct sl_error *err)
{
    struct sl_reader r;
    struct sl_field f;
    uint32_t last = 0;

    sl_reader_init(&r, block, size);
    while (sl_read_field(&r, &f)) {
        enum sl_status status;

        if (f.wire != SL_WIRE_BYTES || f.number > NODE_LINKS) {
            return damaged(err, "there are other fields than Links and Data");
        }
        if (f.number == NODE_DATA) {
            if (data->data) {
                return damaged(err, "Data is there twice");
            }
            *data = f;
        } else {
            if (last == NODE_DATA && out->count > 0) {
                return damaged(err, "Links are in two pieces");
            }
            status = sl_grow(&out->links, &out->capacity, out->count, sizeof *out->links,
                             SL_DAG_LINKS_MAX);
            if (status != SL_OK) {
                return sl_fail_memory(err);
            }
            status = read_link(&out->links[out->count], &f, err);
            if (status != SL_OK) {
                return status;
            }
            out->count++;
        }
        last = f.number;
    }
    return r.overrun ? damaged(err, "it is cut short") : SL_OK;
}

enum sl_status sl_dag_decode(struct sl_dag_node *out, const uint8_t *block, size_t size,
                             struct sl_error *err)
{
    struct sl_field data = {0};
    size_t sizes = 0;
    bool stated = false;
    enum sl_status status;

    *out = (struct sl_dag_node){.type = SL_UNIXFS_NONE};
    status = read_node(out, block, size, &data, err);
    if (status != SL_OK) {
        goto out;
    }
    if (!data.data || !read_unixfs(out, data.data, (size_t)data.value, &sizes, &stated)) {
        out->type = SL_UNIXFS_NONE;
        out->data = NULL;
        out->data_size = 0;
    } else if (sl_dag_is_file(out)) {
        status = check_file(out, sizes, stated, err);
    } else if (out->type == SL_UNIXFS_DIRECTORY) {
        status = check_directory(out, err);
    }
    out->tsize = size;
    for (size_t i = 0; i < out->count && status == SL_OK; i++) {
        /* What is stated is not proved: a sum past counting is no damage. */
        if (__builtin_add_overflow(out->tsize, out->links[i].tsize, &out->tsize)) {
            out->tsize = UINT64_MAX;
        }
    }
out:
    if (status != SL_OK) {
        sl_dag_clear(out);
    }
    return status;
}

void sl_dag_clear(struct sl_dag_node *node)
{
    sl_free(node->links);
    *node = (struct sl_dag_node){.type = SL_UNIXFS_NONE};
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Links stand in front of Data, and each has a Name, an empty one too. */
static void write_links(struct sl_writer *w, const struct sl_dag_link *links, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sl_dag_link *link = &links[i];
        uint8_t cid[SL_CID_BYTES_MAX];
        size_t cid_size = sl_cid_encode(&link->cid, cid);

        sl_write_field_head(w, NODE_LINKS,
                            1 + sl_varint_size(cid_size) + cid_size + 1 +
                                sl_varint_size(link->name_size) + link->name_size + 1 +
                                sl_varint_size(link->tsize));
        sl_write_field_head(w, LINK_HASH, cid_size);
        sl_write_bytes(w, cid, cid_size);
        sl_write_field_head(w, LINK_NAME, link->name_size);
        if (link->name_size > 0) {
            sl_write_bytes(w, link->name, link->name_size);
        }
        sl_write_field_varint(w, LINK_TSIZE, link->tsize);
    }
}

void sl_dag_write_file(struct sl_writer *w, const struct sl_dag_link *links, size_t count)
{
    uint64_t total = 0, sizes = 0;

    for (size_t i = 0; i < count; i++) {
        total += links[i].size;
        sizes += 1 + sl_varint_size(links[i].size);
    }
    write_links(w, links, count);
    sl_write_field_head(w, NODE_DATA, 2 + 1 + sl_varint_size(total) + sizes);
    sl_write_field_varint(w, UNIXFS_TYPE, SL_UNIXFS_FILE);
    sl_write_field_varint(w, UNIXFS_FILESIZE, total);
    for (size_t i = 0; i < count; i++) {
        sl_write_field_varint(w, UNIXFS_BLOCKSIZES, links[i].size);
    }
}

void sl_dag_write_directory(struct sl_writer *w, const struct sl_dag_link *links, size_t count)
{
    write_links(w, links, count);
    sl_write_field_head(w, NODE_DATA, 2);
    sl_write_field_varint(w, UNIXFS_TYPE, SL_UNIXFS_DIRECTORY);
}

static size_t put_field(uint8_t *out, unsigned number, unsigned wire, uint64_t v)
{
    size_t n = sl_varint_put((uint64_t)number << 3 | wire, out);

    return n + sl_varint_put(v, out + n);
}

void sl_dag_leaf_frame(struct sl_dag_frame *out, uint64_t size)
{
    uint8_t inner[SL_DAG_FRAME_MAX];
    size_t inner_size = put_field(inner, UNIXFS_TYPE, SL_WIRE_VARINT, SL_UNIXFS_FILE);

    /* An empty file has no Data in its UnixFS at all. */
    if (size > 0) {
        inner_size += put_field(inner + inner_size, UNIXFS_DATA, SL_WIRE_BYTES, size);
    }
    out->tail_size = put_field(out->tail, UNIXFS_FILESIZE, SL_WIRE_VARINT, size);
    out->head_size =
        put_field(out->head, NODE_DATA, SL_WIRE_BYTES, inner_size + size + out->tail_size);
    memcpy(out->head + out->head_size, inner, inner_size);
    out->head_size += inner_size;
}
