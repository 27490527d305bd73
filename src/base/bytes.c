/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define CAPACITY_MIN 256

void sl_reader_init(struct sl_reader *r, const void *data, size_t size)
{
    *r = (struct sl_reader){.data = data, .size = size};
}

size_t sl_reader_left(const struct sl_reader *r)
{
    return r->size - r->pos;
}

const uint8_t *sl_read_bytes(struct sl_reader *r, size_t n)
{
    /* What a pointer to no bytes of an empty reader looks like: not NULL, which means overrun. */
    static const uint8_t nothing[1];
    const uint8_t *p;

    if (n > sl_reader_left(r)) {
        r->pos = r->size;
        r->overrun = true;
        return NULL;
    }
    p = r->data ? r->data + r->pos : nothing;
    r->pos += n;
    return p;
}

void sl_read_skip(struct sl_reader *r, size_t n)
{
    (void)sl_read_bytes(r, n);
}

static uint64_t read_be(struct sl_reader *r, size_t n)
{
    const uint8_t *p = sl_read_bytes(r, n);
    uint64_t v = 0;

    for (size_t i = 0; p && i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint64_t read_le(struct sl_reader *r, size_t n)
{
    const uint8_t *p = sl_read_bytes(r, n);
    uint64_t v = 0;

    for (size_t i = n; p && i-- > 0;) {
        v = v << 8 | p[i];
    }
    return v;
}

uint8_t sl_read_u8(struct sl_reader *r)
{
    return (uint8_t)read_be(r, 1);
}

uint16_t sl_read_be16(struct sl_reader *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t sl_read_be24(struct sl_reader *r)
{
    return (uint32_t)read_be(r, 3);
}

uint32_t sl_read_be32(struct sl_reader *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t sl_read_be64(struct sl_reader *r)
{
    return read_be(r, 8);
}

uint16_t sl_read_le16(struct sl_reader *r)
{
    return (uint16_t)read_le(r, 2);
}

uint32_t sl_read_le32(struct sl_reader *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t sl_read_le64(struct sl_reader *r)
{
    return read_le(r, 8);
}

void sl_writer_init(struct sl_writer *w, size_t max)
{
    *w = (struct sl_writer){.max = max};
}

void sl_writer_clear(struct sl_writer *w)
{
    sl_free(w->data);
    sl_writer_init(w, w->max);
}

/* Room for n more bytes, or NULL and a failed writer. Does not count them as written. */
static uint8_t *reserve(struct sl_writer *w, size_t n)
{
    size_t needed, capacity;
    uint8_t *data;

    if (w->status != SL_OK) {
        return NULL;
    }
    if (!sl_size_add(w->size, n, &needed) || needed > w->max) {
        w->status = SL_ENOMEM;
        return NULL;
    }
    if (needed > w->capacity || !w->data) {
        capacity = w->capacity > w->max / 2 ? w->max : w->capacity * 2;
        if (capacity < CAPACITY_MIN) {
            capacity = w->max < CAPACITY_MIN ? w->max : CAPACITY_MIN;
        }
        if (capacity < needed) {
            capacity = needed;
        }
        data = sl_realloc_array(w->data, capacity, 1);
        if (!data) {
            w->status = SL_ENOMEM;
            return NULL;
        }
        w->data = data;
        w->capacity = capacity;
    }
    return w->data + w->size;
}

void sl_write_bytes(struct sl_writer *w, const void *data, size_t n)
{
    uint8_t *p = reserve(w, n);

    if (!p || n == 0) {
        return;
    }
    memcpy(p, data, n);
    w->size += n;
}

void sl_write_zeros(struct sl_writer *w, size_t n)
{
    uint8_t *p = reserve(w, n);

    if (!p) {
        return;
    }
    memset(p, 0, n);
    w->size += n;
}

static void write_be(struct sl_writer *w, uint64_t v, size_t n)
{
    uint8_t *p = reserve(w, n);

    if (!p) {
        return;
    }
    for (size_t i = n; i-- > 0; v >>= 8) {
        p[i] = (uint8_t)v;
    }
    w->size += n;
}

static void write_le(struct sl_writer *w, uint64_t v, size_t n)
{
    uint8_t *p = reserve(w, n);

    if (!p) {
        return;
    }
    for (size_t i = 0; i < n; i++, v >>= 8) {
        p[i] = (uint8_t)v;
    }
    w->size += n;
}

void sl_write_u8(struct sl_writer *w, unsigned v)
{
    write_be(w, v, 1);
}

void sl_write_be16(struct sl_writer *w, unsigned v)
{
    write_be(w, v, 2);
}

void sl_write_be24(struct sl_writer *w, uint32_t v)
{
    write_be(w, v, 3);
}

void sl_write_be32(struct sl_writer *w, uint32_t v)
{
    write_be(w, v, 4);
}

void sl_write_be64(struct sl_writer *w, uint64_t v)
{
    write_be(w, v, 8);
}

void sl_write_le16(struct sl_writer *w, unsigned v)
{
    write_le(w, v, 2);
}

void sl_write_le32(struct sl_writer *w, uint32_t v)
{
    write_le(w, v, 4);
}

void sl_write_le64(struct sl_writer *w, uint64_t v)
{
    write_le(w, v, 8);
}

void sl_write_text(struct sl_writer *w, const char *text)
{
    sl_write_bytes(w, text, strlen(text));
}

void sl_write_format(struct sl_writer *w, const char *fmt, ...)
{
    va_list args, again;
    size_t room;
    char *p;
    int length;

    va_start(args, fmt);
    va_copy(again, args);
    p = (char *)reserve(w, 0);
    if (!p) {
        goto out;
    }
    room = w->capacity - w->size;
    length = vsnprintf(p, room, fmt, args);
    if (length < 0) {
        w->status = SL_EINVAL;
        goto out;
    }
    if ((size_t)length >= room) {
        /* vsnprintf ends with a zero, which is not part of the text: a text that fills the
         * maximum exactly cannot be printed in place. */
        char *text = sl_alloc((size_t)length + 1);

        if (!text) {
            w->status = SL_ENOMEM;
            goto out;
        }
        (void)vsnprintf(text, (size_t)length + 1, fmt, again);
        sl_write_bytes(w, text, (size_t)length);
        sl_free(text);
        goto out;
    }
    w->size += (size_t)length;
out:
    va_end(again);
    va_end(args);
}

void sl_writer_patch_be32(struct sl_writer *w, size_t pos, uint32_t v)
{
    if (w->status != SL_OK) {
        return;
    }
    if (w->size < 4 || pos > w->size - 4) {
        w->status = SL_EINVAL;
        return;
    }
    for (size_t i = 4; i-- > 0; v >>= 8) {
        w->data[pos + i] = (uint8_t)v;
    }
}

enum sl_status sl_writer_finish(const struct sl_writer *w, struct sl_error *err)
{
    if (w->status == SL_ENOMEM) {
        return sl_fail(err, SL_ENOMEM, NULL, "out of memory, or more than %zu bytes to write",
                       w->max);
    }
    if (w->status != SL_OK) {
        return sl_fail(err, w->status, NULL, "writing outside of what was written");
    }
    return SL_OK;
}
