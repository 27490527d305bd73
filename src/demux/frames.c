/* SPDX-License-Identifier: BSD-2-Clause */
#include "demux/frames.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"

#define IDLE_FRAMES 4 /* kept for reuse: enough for a decoder's and a scaler's look-ahead */
#define BAND_SIZE   (128 << 10) /* bytes: fits a second-level cache, with what is made of it */

/* Rows follow each other without padding, planes likewise. */
static bool packed_size(enum sl_pixel_format format, int32_t width, int32_t height, size_t *out)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    *out = 0;
    if (!info || width < 1 || height < 1 || width > SL_PICTURE_SIDE_MAX ||
        height > SL_PICTURE_SIDE_MAX) {
        return false;
    }
    for (int i = 0; i < info->planes; i++) {
        size_t plane = 0;
        if (!sl_size_mul((size_t)sl_plane_bytes(format, i, width),
                         (size_t)sl_plane_rows(format, i, height), &plane) ||
            !sl_size_add(*out, plane, out)) {
            return false;
        }
    }
    return true;
}

enum sl_status sl_frame_reader_init(struct sl_frame_reader *r, struct sl_window *w,
                                    enum sl_pixel_format format, int32_t width, int32_t height,
                                    struct sl_error *err)
{
    *r = (struct sl_frame_reader){.window = w};
    if (!packed_size(format, width, height, &r->size)) {
        return sl_fail(err, SL_EDATA, sl_window_name(w),
                       "pictures of %dx%d, 1x1 to %dx%d were expected", (int)width, (int)height,
                       SL_PICTURE_SIDE_MAX, SL_PICTURE_SIDE_MAX);
    }
    return sl_buf_pool_create(&r->pool, r->size, IDLE_FRAMES, err);
}

enum sl_status sl_frame_reader_bands(struct sl_frame_reader *r, const struct sl_band_sink *sink,
                                     enum sl_pixel_format format, int32_t width,
                                     struct sl_error *err)
{
    if (sl_pixel_info(format)->planes != 1) {
        return sl_fail(err, SL_EINVAL, sl_window_name(r->window),
                       "pictures of several planes do not come in bands");
    }
    r->sink = *sink;
    r->row = (size_t)sl_plane_bytes(format, 0, width);
    size_t rows = BAND_SIZE / r->row / 2 * 2;
    r->band_size = r->row * (rows < 2 ? 2 : rows);
    return SL_OK;
}

void sl_frame_reader_clear(struct sl_frame_reader *r)
{
    sl_buf_unref(&r->buf);
    sl_buf_pool_destroy(&r->pool);
}

static enum sl_status cut_short(const struct sl_frame_reader *r, int64_t offset, int64_t got,
                                struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, sl_window_name(r->window), offset,
                      "frame %lld is cut short: %lld bytes, %zu were expected", (long long)r->index,
                      (long long)got, r->size);
}

/* A header may claim anything: ask for memory only where the bytes can be there. */
static enum sl_status check_rest(const struct sl_frame_reader *r, int64_t offset,
                                 struct sl_error *err)
{
    int64_t end = sl_window_size(r->window);
    if (end >= 0 && offset >= end) {
        return SL_EOF;
    }
    if (end >= 0 && (uint64_t)(end - offset) < r->size) {
        return cut_short(r, offset, end - offset, err);
    }
    return SL_OK;
}

static enum sl_status read_payload(struct sl_frame_reader *r, int64_t offset, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (!r->buf) {
        status = check_rest(r, offset, err);
        if (status == SL_OK) {
            status = sl_buf_pool_get(r->pool, &r->buf, err);
        }
        if (status != SL_OK) {
            return status;
        }
        r->got = 0;
    }
    if (r->got < r->size) {
        status = sl_window_read(r->window, offset, r->buf->data, r->size, &r->got, err);
    }
    if (status == SL_EOF && r->got > 0) {
        return cut_short(r, offset, (int64_t)r->got, err);
    }
    return status;
}

/* The same, band by band; buf is one band. */
static enum sl_status read_bands(struct sl_frame_reader *r, int64_t offset, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (r->band == 0 && r->got == 0) {
        status = check_rest(r, offset, err);
    }
    if (status == SL_OK && !r->buf) {
        status = sl_buf_alloc(&r->buf, r->band_size, err);
    }
    while (status == SL_OK && r->band < r->size) {
        size_t left = r->size - r->band;
        size_t want = left < r->band_size ? left : r->band_size;
        size_t in_band = r->got - r->band;
        status =
            sl_window_read(r->window, offset + (int64_t)r->band, r->buf->data, want, &in_band, err);
        r->got = r->band + in_band;
        if (status == SL_EOF && r->got > 0) {
            status = cut_short(r, offset, (int64_t)r->got, err);
        }
        if (status == SL_OK) {
            status = r->sink.take(r->sink.opaque, (int32_t)(r->band / r->row),
                                  (int32_t)(want / r->row), r->buf->data, err);
            r->band += want;
        }
    }
    return status;
}

enum sl_status sl_frame_reader_next(struct sl_frame_reader *r, int64_t offset,
                                    struct sl_packet **out, struct sl_error *err)
{
    struct sl_packet *packet = NULL;
    enum sl_status status =
        r->sink.take ? read_bands(r, offset, err) : read_payload(r, offset, err);

    *out = NULL;
    if (status != SL_OK) {
        goto out;
    }
    status = sl_packet_create(&packet, err);
    if (status != SL_OK) {
        goto out;
    }
    if (r->sink.take) {
        r->band = 0;
        r->got = 0;
    } else {
        status = sl_chain_add_buf(&packet->payload, r->buf, 0, r->size, err);
        if (status != SL_OK) {
            goto out;
        }
        sl_buf_unref(&r->buf); /* the payload has a reference of its own */
    }
    packet->flags = SL_PACKET_KEY;
    packet->pts = r->index;
    packet->dts = r->index;
    packet->duration = 1;
    packet->position = offset;
    r->index++;
    sl_window_release(r->window, offset + (int64_t)r->size);
    *out = packet;
    packet = NULL;
out:
    sl_packet_unref(&packet);
    return status;
}

void sl_frame_track(struct sl_track *t, enum sl_pixel_format format, int32_t width, int32_t height,
                    struct sl_rational rate)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);

    sl_track_init(t);
    rate = sl_rational_reduce(rate);
    t->kind = SL_KIND_VIDEO;
    t->codec = SL_CODEC_RAWVIDEO;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", sl_codec_name(t->codec));
    t->timebase = sl_rational(rate.den, rate.num);
    t->start = 0;
    t->is_default = 1;
    t->width = width;
    t->height = height;
    t->pixel_format = (int32_t)format;
    t->bit_depth = info->depth;
    t->frame_rate = rate;
    t->frame_rate_exact = 1;
    t->reorder = 0;
}

int64_t sl_frame_time(int64_t count, struct sl_rational rate)
{
    return sl_rescale(count, sl_rational(rate.den, rate.num), sl_rational(1, 1000000),
                      SL_ROUND_NEAREST);
}
