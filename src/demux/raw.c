/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures without any header: format, size and rate are what the caller says. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/demuxers.h"
#include "demux/frames.h"

struct raw {
    struct sl_demuxer demuxer; /* first: handed out as this */
    struct sl_frame_reader frames;
    struct sl_track track;
    int64_t offset; /* of the next picture */
};

static void raw_destroy(struct sl_demuxer *demuxer)
{
    struct raw *d = (struct raw *)demuxer;
    sl_frame_reader_clear(&d->frames);
    sl_free(d);
}

static enum sl_status raw_open(struct sl_demuxer **out, struct sl_window *w,
                               const struct sl_demux_params *params, struct sl_error *err)
{
    const struct sl_pixel_info *info = params ? sl_pixel_info(params->raw_format) : NULL;
    enum sl_status status = SL_OK;
    struct raw *d = NULL;

    *out = NULL;
    if (!info || params->raw_width < 1 || params->raw_height < 1 ||
        !sl_rational_valid(params->raw_rate)) {
        return sl_fail(err, SL_EINVAL, sl_window_name(w),
                       "raw frames need a pixel format, a size and a frame rate");
    }
    d = sl_alloc_zero(sizeof *d);
    if (!d) {
        return sl_fail_memory(err);
    }
    status = sl_frame_reader_init(&d->frames, w, params->raw_format, params->raw_width,
                                  params->raw_height, err);
    if (status != SL_OK) {
        goto out;
    }
    if (params->raw_bands.take) {
        status = sl_frame_reader_bands(&d->frames, &params->raw_bands, params->raw_format,
                                       params->raw_width, err);
        if (status != SL_OK) {
            goto out;
        }
    }
    sl_frame_track(&d->track, params->raw_format, params->raw_width, params->raw_height,
                   params->raw_rate);
    d->demuxer = (struct sl_demuxer){.ops = &sl_demux_raw,
                                     .tracks = &d->track,
                                     .track_count = 1,
                                     .format = "raw",
                                     .duration = -1};
    if (sl_window_size(w) >= 0) {
        d->track.duration = sl_window_size(w) / (int64_t)d->frames.size;
        d->demuxer.duration = sl_frame_time(d->track.duration, d->track.frame_rate);
    }
    *out = &d->demuxer;
    d = NULL;
out:
    if (d) {
        raw_destroy(&d->demuxer);
    }
    return status;
}

static enum sl_status raw_read(struct sl_demuxer *demuxer, struct sl_packet **out,
                               struct sl_error *err)
{
    struct raw *d = (struct raw *)demuxer;
    enum sl_status status = sl_frame_reader_next(&d->frames, d->offset, out, err);
    if (status == SL_OK) {
        d->offset += (int64_t)d->frames.size;
    }
    return status;
}

/* Any bytes could be raw frames: never chosen by looking. */
static int raw_probe(const uint8_t *head, size_t size)
{
    (void)head;
    (void)size;
    return 0;
}

const struct sl_demuxer_ops sl_demux_raw = {
    .name = "raw",
    .probe = raw_probe,
    .open = raw_open,
    .read = raw_read,
    .destroy = raw_destroy,
};
