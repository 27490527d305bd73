/* SPDX-License-Identifier: BSD-2-Clause */
#include "demux/ebml.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

#define DEPTH_MAX 8 /* tables within tables; ours, not the input's */

unsigned sl_ebml_vint(const uint8_t *data, size_t size, uint64_t *value)
{
    unsigned length = 1;
    uint64_t v = 0;

    if (size == 0 || data[0] == 0) {
        return 0;
    }
    length = (unsigned)__builtin_clz((unsigned)data[0]) - 24 + 1;
    if (length > size) {
        return 0;
    }
    v = data[0] & (0xffU >> length);
    for (unsigned i = 1; i < length; i++) {
        v = v << 8 | data[i];
    }
    *value = v == (UINT64_C(1) << (7 * length)) - 1 ? UINT64_MAX : v;
    return length;
}

/* Element IDs keep their marker (5): "1a45dfa3". SL_EOF where there are too few bytes. */
static enum sl_status read_id(const uint8_t *data, size_t size, uint32_t *id, unsigned *length)
{
    uint64_t value = 0;

    if (size == 0 || (data[0] >= 0x10 && size < 4 && sl_ebml_vint(data, size, &value) == 0)) {
        return SL_EOF;
    }
    *length = sl_ebml_vint(data, size, &value);
    if (*length == 0 || *length > 4 || value == UINT64_MAX) { /* all ones are reserved */
        return SL_EDATA;
    }
    *id = (uint32_t)value | 1U << (7 * *length);
    return SL_OK;
}

enum sl_status sl_ebml_parse_header(const uint8_t *data, size_t size, int64_t offset,
                                    const char *name, struct sl_ebml_element *out,
                                    struct sl_error *err)
{
    uint64_t value = 0;
    unsigned id = 0;
    unsigned length = 0;
    enum sl_status status = read_id(data, size, &out->id, &id);

    if (status == SL_EOF) {
        return SL_EOF;
    }
    if (status != SL_OK) {
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "an EBML element ID begins with the byte %02x: IDs of 1 to 4 bytes that "
                          "are not all ones are allowed",
                          data[0]);
    }
    length = sl_ebml_vint(data + id, size - id, &value);
    if (length == 0) {
        if (size == id || data[id] != 0) {
            return SL_EOF;
        }
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "the size of EBML element %" PRIX32
                          " is longer than 8 bytes, 1 to 8 are allowed",
                          out->id);
    }
    out->offset = offset;
    out->data = offset + id + length; /* offsets in files are far from INT64_MAX, see below */
    if (value == UINT64_MAX) {
        out->size = SL_EBML_UNKNOWN;
    } else if (offset > INT64_MAX / 2 || value > (uint64_t)(INT64_MAX - out->data)) {
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "EBML element %" PRIX32 " claims %" PRIu64 " bytes", out->id, value);
    } else {
        out->size = (int64_t)value;
    }
    return SL_OK;
}

enum sl_status sl_ebml_header(struct sl_window *w, int64_t offset, struct sl_ebml_element *out,
                              struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    size_t want = sl_window_seekable(w) || sl_window_held(w, offset) >= SL_EBML_HEADER_MAX
                      ? SL_EBML_HEADER_MAX
                      : 2;
    enum sl_status status = SL_OK;

    if (offset > INT64_MAX / 2) {
        return SL_EOF;
    }
    /* Of a source that one has to wait for, no more is asked for than the header has: the last
     * element of a live stream would else be held back until the next one comes. */
    for (;;) {
        status = sl_window_view(w, offset, want, &data, &got, err);
        if (status != SL_OK) {
            return status;
        }
        if (got == 0) {
            return SL_EOF;
        }
        status = sl_ebml_parse_header(data, got, offset, sl_window_name(w), out, err);
        if (status != SL_EOF) {
            return status;
        }
        if (got < want || want == SL_EBML_HEADER_MAX) {
            return SL_EOF;
        }
        want++;
    }
}

/* ---- masters ------------------------------------------------------------------------------ */

struct level {
    const struct sl_ebml_table *table;
    uint8_t *out;
    size_t end; /* of its data */
};

struct parser {
    const uint8_t *data;
    int64_t offset;
    const char *name;
    struct level levels[DEPTH_MAX];
    size_t depth;
};

static const struct sl_ebml_field *find_field(const struct sl_ebml_table *table, uint32_t id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].id == id) {
            return &table->fields[i];
        }
    }
    return NULL;
}

static uint64_t read_uint(const uint8_t *data, size_t size)
{
    uint64_t v = 0;
    for (size_t i = 0; i < size; i++) {
        v = v << 8 | data[i];
    }
    return v;
}

/* 7.1 to 7.3 */
static enum sl_status read_number(const struct sl_ebml_field *field, uint8_t *out,
                                  const uint8_t *data, size_t size, int64_t offset,
                                  const char *name, struct sl_error *err)
{
    uint64_t v = 0;

    if (size > 8 || (field->type == SL_EBML_FLOAT && size != 4 && size != 8)) {
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "EBML element %" PRIX32 " is a number of %zu bytes, %s are allowed",
                          field->id, size, field->type == SL_EBML_FLOAT ? "0, 4 and 8" : "0 to 8");
    }
    v = read_uint(data, size);
    if (field->type == SL_EBML_SINT && size < 8 && (data[0] & 0x80)) {
        v |= UINT64_MAX << (8 * size);
    }
    if (field->type == SL_EBML_FLOAT) {
        double d = 0;
        if (size == 4) {
            float f = 0;
            uint32_t bits = (uint32_t)v;
            memcpy(&f, &bits, sizeof f);
            d = (double)f;
        } else {
            memcpy(&d, &v, sizeof d);
        }
        memcpy(out, &d, sizeof d);
    } else {
        memcpy(out, &v, sizeof v);
    }
    return SL_OK;
}

/* 7.4 and 7.5: a zero ends it early. */
static void read_string(const struct sl_ebml_field *field, uint8_t *out, const uint8_t *data,
                        size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t n = zero ? (size_t)(zero - data) : size;

    if (n >= field->width) {
        n = field->width - 1;
        while (n > 0 && (data[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    memcpy(out, data, n);
    out[n] = '\0';
}

/* Where the child's own struct is. NULL: the list is full. */
static uint8_t *child_struct(const struct sl_ebml_field *field, uint8_t *out)
{
    const struct sl_ebml_table *child = field->child;
    struct sl_ebml_list list;
    uint8_t *item = NULL;

    if (field->type == SL_EBML_MASTER) {
        return out;
    }
    memcpy(&list, out, sizeof list);
    if (list.count >= field->width) {
        return NULL;
    }
    item = out + child->first + list.count * child->size;
    if (child->initial) {
        memcpy(item, child->initial, child->size);
    } else {
        memset(item, 0, child->size);
    }
    list.count++;
    memcpy(out, &list, sizeof list);
    return item;
}

/* Goes into a child: its children are read next. */
static enum sl_status enter(struct parser *p, const struct sl_ebml_field *field, uint8_t *out,
                            size_t end)
{
    uint8_t *inner = child_struct(field, out);

    if (!inner || p->depth == DEPTH_MAX) {
        return SL_EEXIST; /* passed over */
    }
    p->levels[p->depth++] = (struct level){field->child, inner, end};
    return SL_OK;
}

/* One element at *pos, which moves behind it, or to its first child. */
static enum sl_status read_child(struct parser *p, size_t *pos, struct sl_error *err)
{
    struct level *level = &p->levels[p->depth - 1];
    int64_t at = p->offset + (int64_t)*pos;
    struct sl_ebml_element e;
    const struct sl_ebml_field *field = NULL;
    enum sl_status status =
        sl_ebml_parse_header(p->data + *pos, level->end - *pos, at, p->name, &e, err);
    size_t head = 0;
    uint8_t *out = NULL;

    if (status == SL_EOF) {
        return sl_fail_at(err, SL_EDATA, p->name, at,
                          "%s ends within the header of one of its elements", level->table->name);
    }
    if (status != SL_OK) {
        return status;
    }
    head = (size_t)(e.data - at);
    if (e.size > (int64_t)(level->end - *pos - head)) {
        return sl_fail_at(err, SL_EDATA, p->name, at,
                          "EBML element %" PRIX32 " passes the end of its parent (%s), which has "
                          "%zu bytes left",
                          e.id, level->table->name, level->end - *pos - head);
    }
    *pos += head;
    field = find_field(level->table, e.id);
    if (!field || (e.size == 0 && field->type < SL_EBML_BYTES)) {
        *pos += (size_t)e.size;
        return SL_OK;
    }
    out = level->out + field->offset;
    if (field->type >= SL_EBML_MASTER) {
        if (enter(p, field, out, *pos + (size_t)e.size) != SL_OK) {
            *pos += (size_t)e.size;
        }
        return SL_OK;
    }
    if (field->type == SL_EBML_BYTES) {
        struct sl_ebml_bytes bytes = {p->data + *pos, (size_t)e.size};
        memcpy(out, &bytes, sizeof bytes);
    } else if (field->type == SL_EBML_STRING) {
        read_string(field, out, p->data + *pos, (size_t)e.size);
    } else {
        status = read_number(field, out, p->data + *pos, (size_t)e.size, at, p->name, err);
    }
    *pos += (size_t)e.size;
    return status;
}

enum sl_status sl_ebml_parse(const struct sl_ebml_table *table, void *out, const uint8_t *data,
                             size_t size, int64_t offset, const char *name, struct sl_error *err)
{
    struct parser p = {.data = data, .offset = offset, .name = name, .depth = 1};
    enum sl_status status = SL_OK;
    size_t pos = 0;

    p.levels[0] = (struct level){table, out, size};
    while (status == SL_OK && p.depth > 0) {
        if (pos == p.levels[p.depth - 1].end) {
            p.depth--;
        } else {
            status = read_child(&p, &pos, err);
        }
    }
    return status;
}
