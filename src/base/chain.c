/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/gather.h"
#include "base/io.h"
#include "base/slice.h"

/* A chain of one slice needs no memory of its own: most payloads are one frame. */
static bool is_inline(const struct sl_chain *c)
{
    return c->capacity == 0;
}

static const struct sl_slice *slices_of(const struct sl_chain *c)
{
    return is_inline(c) ? &c->first : c->slices;
}

static void release_slice(struct sl_slice *s)
{
    sl_buf_unref(&s->buf);
    sl_file_unref(&s->file);
}

void sl_chain_init(struct sl_chain *c)
{
    memset(c, 0, sizeof(*c));
    c->slices = &c->first;
}

void sl_chain_clear(struct sl_chain *c)
{
    struct sl_slice *slices = is_inline(c) ? &c->first : c->slices;

    for (size_t i = 0; i < c->count; i++) {
        release_slice(&slices[i]);
    }
    if (!is_inline(c)) {
        sl_free(slices);
    }
    sl_chain_init(c);
}

/* Room for more slices and size more bytes; after it append cannot fail. */
static enum sl_status reserve(struct sl_chain *c, size_t more, int64_t size, struct sl_error *err)
{
    struct sl_slice *slices;
    size_t wanted;
    int64_t total;

    if (__builtin_add_overflow(c->size, size, &total)) {
        return sl_fail(err, SL_ENOMEM, NULL, "a chain of more than 2^63 bytes");
    }
    if (more > SL_CHAIN_MAX - c->count) {
        return sl_fail(err, SL_ENOMEM, NULL, "a chain of more than %u slices", SL_CHAIN_MAX);
    }
    wanted = c->count + more;
    if (is_inline(c)) {
        c->slices = &c->first;
        if (wanted <= 1) {
            return SL_OK;
        }
    }
    if (wanted <= c->capacity) {
        return SL_OK;
    }
    if (wanted < c->capacity * 2) {
        wanted = c->capacity * 2;
    }
    if (wanted < 8) {
        wanted = 8;
    }
    slices = sl_realloc_array(is_inline(c) ? NULL : c->slices, wanted, sizeof(*slices));
    if (!slices) {
        return sl_fail_memory(err);
    }
    if (is_inline(c) && c->count == 1) {
        slices[0] = c->first;
    }
    c->slices = slices;
    c->capacity = wanted;
    return SL_OK;
}

/* Takes over the reference in s. */
static void append(struct sl_chain *c, struct sl_slice s)
{
    struct sl_slice *last = c->count > 0 ? &c->slices[c->count - 1] : NULL;

    assert(c->slices); /* reserve saw to it */
    c->size += (int64_t)s.size;
    if (last && last->buf == s.buf && last->file == s.file &&
        s.offset == last->offset + (int64_t)last->size) {
        last->size += s.size;
        release_slice(&s);
        return;
    }
    c->slices[c->count++] = s;
}

static enum sl_status add(struct sl_chain *c, struct sl_slice s, struct sl_error *err)
{
    enum sl_status status;

    if (s.size == 0) {
        return SL_OK;
    }
    status = reserve(c, 1, (int64_t)s.size, err);
    if (status != SL_OK) {
        return status;
    }
    if (s.buf) {
        sl_buf_ref(s.buf);
    } else {
        sl_file_ref(s.file);
    }
    append(c, s);
    return SL_OK;
}

enum sl_status sl_chain_add_buf(struct sl_chain *c, struct sl_buf *buf, size_t offset, size_t size,
                                struct sl_error *err)
{
    if (offset > buf->size || size > buf->size - offset) {
        return sl_fail(err, SL_EINVAL, NULL, "bytes %zu to %zu+%zu of a buffer of %zu", offset,
                       offset, size, buf->size);
    }
    return add(c, (struct sl_slice){.buf = buf, .offset = (int64_t)offset, .size = size}, err);
}

enum sl_status sl_chain_add_file(struct sl_chain *c, struct sl_file *file, int64_t offset,
                                 size_t size, struct sl_error *err)
{
    if (offset < 0 || offset > file->size || size > (uint64_t)(file->size - offset)) {
        return sl_fail_at(err, SL_EDATA, file->name, offset,
                          "%zu bytes are wanted here, but the file has only %" PRId64 " in all",
                          size, file->size);
    }
    return add(c, (struct sl_slice){.file = file, .offset = offset, .size = size}, err);
}

enum sl_status sl_chain_add_copy(struct sl_chain *c, const void *data, size_t size,
                                 struct sl_error *err)
{
    struct sl_buf *buf;
    enum sl_status status;

    if (size == 0) {
        return SL_OK;
    }
    status = sl_buf_alloc(&buf, size, err);
    if (status != SL_OK) {
        return status;
    }
    memcpy(buf->data, data, size);
    status = sl_chain_add_buf(c, buf, 0, size, err);
    sl_buf_unref(&buf);
    return status;
}

/* The slice that holds byte offset (< size of the chain); *inside: how far into it. */
static size_t find(const struct sl_chain *c, int64_t offset, size_t *inside)
{
    const struct sl_slice *s = slices_of(c);
    uint64_t left = (uint64_t)offset;
    size_t i = 0;

    while (i < c->count && left >= s[i].size) {
        left -= s[i++].size;
    }
    *inside = (size_t)left;
    return i;
}

static bool range_is_inside(const struct sl_chain *c, int64_t offset, int64_t size)
{
    return offset >= 0 && size >= 0 && offset <= c->size && size <= c->size - offset;
}

enum sl_status sl_chain_add_chain(struct sl_chain *c, const struct sl_chain *src, int64_t offset,
                                  int64_t size, struct sl_error *err)
{
    const struct sl_slice *from = slices_of(src);
    size_t i, end, inside, rest;
    enum sl_status status;

    if (c == src || !range_is_inside(src, offset, size)) {
        return sl_fail(err, SL_EINVAL, NULL, "bytes %" PRId64 "+%" PRId64 " of a chain of %" PRId64,
                       offset, size, src->size);
    }
    if (size == 0) {
        return SL_OK;
    }
    i = find(src, offset, &inside);
    end = find(src, offset + size - 1, &rest);
    status = reserve(c, end - i + 1, size, err);
    if (status != SL_OK) {
        return status;
    }
    for (; i <= end; i++, inside = 0) {
        struct sl_slice s = from[i];

        if (i == end) {
            s.size = rest + 1;
        }
        s.offset += (int64_t)inside;
        s.size -= inside;
        if (s.buf) {
            sl_buf_ref(s.buf);
        } else {
            sl_file_ref(s.file);
        }
        append(c, s);
    }
    return SL_OK;
}

enum sl_status sl_chain_move(struct sl_chain *c, struct sl_chain *src, struct sl_error *err)
{
    const struct sl_slice *from = slices_of(src);
    enum sl_status status;

    if (c == src || src->count == 0) {
        return SL_OK;
    }
    if (c->count == 0) {
        sl_chain_clear(c);
        *c = *src;
        if (is_inline(c)) {
            c->slices = &c->first;
        }
        sl_chain_init(src);
        return SL_OK;
    }
    status = reserve(c, src->count, src->size, err);
    if (status != SL_OK) {
        return status;
    }
    for (size_t i = 0; i < src->count; i++) {
        append(c, from[i]);
    }
    src->count = 0; /* the references went with the slices */
    sl_chain_clear(src);
    return SL_OK;
}

enum sl_status sl_chain_load(const struct sl_chain *c, struct sl_buf **out, struct sl_error *err)
{
    const struct sl_slice *s = slices_of(c);
    enum sl_status status;

    *out = NULL;
    if (c->count == 1 && s->buf && s->offset == 0 && s->size == s->buf->size) {
        *out = sl_buf_ref(s->buf);
        return SL_OK;
    }
    if ((uint64_t)c->size > SIZE_MAX) {
        return sl_fail_memory(err);
    }
    status = sl_buf_alloc(out, (size_t)c->size, err);
    if (status != SL_OK) {
        return status;
    }
    status = sl_chain_read(c, 0, (*out)->data, (*out)->size, err);
    if (status != SL_OK) {
        sl_buf_unref(out);
    }
    return status;
}

enum sl_status sl_slice_read(const struct sl_slice *s, size_t inside, void *dst, size_t size,
                             struct sl_error *err)
{
    int64_t at = s->offset + (int64_t)inside;
    enum sl_status status;
    size_t got;

    if (inside > s->size || size > s->size - inside) {
        return sl_fail(err, SL_EINVAL, NULL, "bytes %zu+%zu of a slice of %zu", inside, size,
                       s->size);
    }
    if (s->buf) {
        if (size > 0) {
            memcpy(dst, s->buf->data + at, size);
        }
        return SL_OK;
    }
    status = sl_io_pread(s->file->fd, at, dst, size, &got, s->file->name, err);
    if (status == SL_OK && got < size) {
        return sl_fail_at(err, SL_EIO, s->file->name, at + (int64_t)got,
                          "the file has become shorter: it had %" PRId64 " bytes", s->file->size);
    }
    return status;
}

enum sl_status sl_chain_read(const struct sl_chain *c, int64_t offset, void *dst, size_t size,
                             struct sl_error *err)
{
    struct sl_gather g = {.slices = slices_of(c), .count = c->count};
    enum sl_status status = SL_OK;
    uint8_t *to = dst;

    if (size > INT64_MAX || !range_is_inside(c, offset, (int64_t)size)) {
        return sl_fail(err, SL_EINVAL, NULL, "bytes %" PRId64 "+%zu of a chain of %" PRId64, offset,
                       size, c->size);
    }
    if (size == 0) {
        return SL_OK;
    }
    g.i = find(c, offset, &g.inside);
    while (size > 0 && status == SL_OK) {
        const struct sl_slice *s = &g.slices[g.i];
        size_t n = s->size - g.inside < size ? s->size - g.inside : size;

        if (s->buf) {
            memcpy(to, s->buf->data + s->offset + g.inside, n);
            g.i++;
            g.inside = 0;
        } else {
            status = sl_gather_read(&g, to, size, &n, err);
        }
        to += n;
        size -= n;
    }
    return status;
}
