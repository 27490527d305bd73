/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes: ISO/IEC 14496-12 4.2, in memory and in the source. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "demux/mp4.h"

#define FIRST_LOAD ((size_t)1 << 20) /* a size is believed only so far before bytes have come */

void sl_mp4_type_text(uint32_t code, char out[5])
{
    for (unsigned i = 0; i < 4; i++) {
        uint8_t c = (uint8_t)(code >> (24 - 8 * i));
        out[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[4] = '\0';
}

bool sl_mp4_is(const struct sl_mp4_box *box, const char *type)
{
    return box->code == SL_MP4_FOURCC(type);
}

void sl_mp4_walk_init(struct sl_mp4_walk *w, const char *name, const struct sl_mp4_box *parent,
                      size_t skip)
{
    skip = skip < parent->size ? skip : parent->size;
    *w = (struct sl_mp4_walk){
        .name = name,
        .data = parent->data + skip,
        .size = parent->size - skip,
        .base = parent->offset + (int64_t)(parent->head + skip),
    };
    memcpy(w->parent, parent->type, sizeof w->parent);
}

enum sl_status sl_mp4_walk_next(struct sl_mp4_walk *w, struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_reader r;
    uint64_t size = 0;
    size_t left = w->size - w->pos;

    sl_reader_init(&r, w->data + w->pos, left);
    size = sl_read_be32(&r);
    box->code = sl_read_be32(&r);
    /* Less than a header, or a QuickTime list's terminator of zeros. */
    if (r.overrun || (size == 0 && box->code == 0)) {
        return SL_EOF;
    }
    sl_mp4_type_text(box->code, box->type);
    box->offset = w->base + (int64_t)w->pos;
    if (size == 1) {
        size = sl_read_be64(&r);
    } else if (size == 0) {
        size = left;
    }
    if (r.overrun || size < r.pos || size > left) {
        return sl_fail_at(err, SL_EDATA, w->name, box->offset,
                          "box '%s' of %" PRIu64 " bytes in '%s', %zu to %zu are allowed",
                          box->type, size, w->parent, r.pos, left);
    }
    box->head = r.pos;
    box->data = w->data + w->pos + r.pos;
    box->size = (size_t)size - r.pos;
    w->pos += (size_t)size;
    return SL_OK;
}

bool sl_mp4_find(const struct sl_mp4_box *parent, size_t skip, const char *type,
                 struct sl_mp4_box *out)
{
    struct sl_mp4_walk w;

    sl_mp4_walk_init(&w, NULL, parent, skip);
    while (sl_mp4_walk_next(&w, out, NULL) == SL_OK) {
        if (sl_mp4_is(out, type)) {
            return true;
        }
    }
    return false;
}

/* ---- in the source ------------------------------------------------------------------------ */

/* A source that cannot go back keeps all from d->hold on while views begin there. */
static enum sl_status view(struct sl_mp4 *d, int64_t offset, size_t size, const uint8_t **data,
                           size_t *got, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (d->hold < 0) {
        return sl_window_view(d->window, offset, size, data, got, err);
    }
    size_t ahead = (size_t)(offset - d->hold); /* the caller has checked it */
    status = sl_window_view(d->window, d->hold, ahead + size, data, got, err);
    if (status != SL_OK) {
        return status;
    }
    *data += ahead < *got ? ahead : *got;
    *got -= ahead < *got ? ahead : *got;
    return status;
}

enum sl_status sl_mp4_head(struct sl_mp4 *d, int64_t offset, struct sl_mp4_head *out,
                           struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    struct sl_reader r;
    enum sl_status status = view(d, offset, 8, &data, &got, err);

    if (status != SL_OK) {
        return status;
    }
    if (got < 8) {
        return SL_EOF;
    }
    sl_reader_init(&r, data, got);
    uint64_t size = sl_read_be32(&r);
    out->code = sl_read_be32(&r);
    out->head = 8;
    sl_mp4_type_text(out->code, out->type);
    if (size == 1) {
        status = view(d, offset, 16, &data, &got, err);
        if (status != SL_OK || got < 16) {
            return status != SL_OK ? status : SL_EOF;
        }
        sl_reader_init(&r, data, got);
        sl_read_skip(&r, 8);
        size = sl_read_be64(&r);
        out->head = 16;
    } else if (size == 0) {
        int64_t end = sl_window_size(d->window);
        size = end > offset ? (uint64_t)(end - offset) : INT64_MAX;
    }
    if (size < out->head || size > INT64_MAX) {
        return sl_fail_at(err, SL_EDATA, d->name, offset,
                          "box '%s' of %" PRIu64 " bytes, at least %" PRIu32 " were expected",
                          out->type, size, out->head);
    }
    out->size = (int64_t)size;
    return SL_OK;
}

static enum sl_status cut_short(struct sl_mp4 *d, int64_t offset, const struct sl_mp4_head *head,
                                int64_t got, struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, d->name, offset + got,
                      "is cut short within box '%s': %" PRId64 " of its %" PRId64
                      " bytes are there",
                      head->type, got, head->size);
}

/* Bytes of a box as far as there are any; they stay where they are until *got says so. */
static enum sl_status fetch(struct sl_mp4 *d, int64_t offset, size_t size, uint8_t *to, size_t *got,
                            struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t there = 0;
    enum sl_status status = SL_OK;

    if (d->hold < 0) {
        return sl_window_read(d->window, offset, to, size, got, err);
    }
    status = view(d, offset, size, &data, &there, err);
    if (status == SL_OK && there > *got) {
        memcpy(to + *got, data + *got, there - *got);
        *got = there;
    }
    return status == SL_OK && *got < size ? SL_EOF : status;
}

enum sl_status sl_mp4_load(struct sl_mp4 *d, int64_t offset, const struct sl_mp4_head *head,
                           uint8_t **data, size_t *capacity, struct sl_mp4_box *box,
                           struct sl_error *err)
{
    int64_t end = sl_window_size(d->window);
    enum sl_status status = SL_OK;
    bool open_end = head->size == INT64_MAX;
    size_t total = 0;
    size_t got = 0;

    if (!open_end && end >= 0 && (offset >= end || head->size > end - offset)) {
        return cut_short(d, offset, head, end > offset ? end - offset : 0, err);
    }
    if (!open_end && head->size > SL_MP4_INDEX_MAX) {
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, offset,
                          "box '%s' of %" PRId64 " bytes, at most %u can be held", head->type,
                          head->size, SL_MP4_INDEX_MAX);
    }
    if (d->hold >= 0 && !open_end && head->size > (int64_t)SL_MP4_HOLD_MAX - (offset - d->hold)) {
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, offset,
                          "its index ('%s') follows after its media and together they pass the %u "
                          "bytes that are held of an input that cannot seek: give it as a file, or "
                          "with 'moov' in front",
                          head->type, SL_MP4_HOLD_MAX);
    }
    total = open_end ? SL_MP4_INDEX_MAX : (size_t)head->size;
    while (status == SL_OK && got < total) {
        size_t want = got + FIRST_LOAD > 2 * got ? got + FIRST_LOAD : 2 * got;
        want = want < total ? want : total;
        if (want > *capacity) {
            uint8_t *more = sl_realloc_array(*data, want, 1);
            if (!more) {
                return sl_fail_memory(err);
            }
            *data = more;
            *capacity = want;
        }
        status = fetch(d, offset, want, *data, &got, err);
    }
    if (status == SL_EOF && open_end && got >= head->head) {
        status = SL_OK;
        total = got;
    }
    if (status == SL_EOF) {
        return cut_short(d, offset, head, (int64_t)got, err);
    }
    if (status == SL_OK) {
        *box = (struct sl_mp4_box){.code = head->code,
                                   .offset = offset,
                                   .data = *data + head->head,
                                   .size = total - head->head,
                                   .head = head->head};
        memcpy(box->type, head->type, sizeof box->type);
    }
    return status;
}
