/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/raw_rows.h"

#include "base/error.h"
#include "filter/scale.h"
#include "media/track.h"

#define IDLE_FRAMES 8 /* what the queues to the first rung and its look-ahead hold */

static enum sl_status take(void *opaque, int32_t first, int32_t rows, const uint8_t *data,
                           struct sl_error *err)
{
    struct sl_raw_rows *r = opaque;
    if (first == 0) {
        sl_frame_unref(&r->frame);
        enum sl_status st =
            sl_frame_create_video(&r->frame, SL_PIX_YUV420P, r->width, r->height, r->pool, err);
        if (st != SL_OK) {
            return st;
        }
        r->frame->colour = r->colour;
    }
    sl_rgb_run_rows(&r->rgb, data, (ptrdiff_t)r->rgb.bytes * r->width, r->frame, first, rows);
    return SL_OK;
}

enum sl_status sl_raw_rows_open(struct sl_raw_rows *r, struct sl_demux_params *demux,
                                struct sl_error *err)
{
    struct sl_track unstated; /* raw frames say nothing about their colour */
    size_t size = 0;
    *r = (struct sl_raw_rows){.width = demux->raw_width, .height = demux->raw_height};
    if (!sl_rgb_handles(demux->raw_format) || r->width % 2 != 0 || r->height % 2 != 0) {
        return SL_OK;
    }
    sl_track_init(&unstated);
    r->colour = sl_scale_colour(demux->raw_format, unstated.colour, r->height, 0, 0);
    struct sl_scale_params scale = {.width = r->width, .height = r->height, .colour = r->colour};
    if (!sl_scale_rows(&r->rgb, &scale, demux->raw_format, unstated.colour) ||
        !sl_frame_video_size(SL_PIX_YUV420P, r->width, r->height, &size)) {
        return SL_OK; /* the scaler or the demuxer will say why not */
    }
    enum sl_status st = sl_buf_pool_create(&r->pool, size, IDLE_FRAMES, err);
    if (st == SL_OK) {
        r->used = true;
        demux->raw_bands = (struct sl_band_sink){.take = take, .opaque = r};
    }
    return st;
}

struct sl_frame *sl_raw_rows_take(struct sl_raw_rows *r, const struct sl_packet *packet)
{
    struct sl_frame *frame = r->frame;
    r->frame = NULL;
    frame->pts = packet->pts;
    frame->duration = packet->duration;
    return frame;
}

void sl_raw_rows_close(struct sl_raw_rows *r)
{
    sl_frame_unref(&r->frame);
    sl_buf_pool_destroy(&r->pool);
    r->used = false;
}
