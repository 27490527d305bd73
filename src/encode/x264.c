/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H.264 by libx264. Presets are x264's own, untouched; what differs from its command line is only
 * what HLS needs: closed groups that start where the caller says, parameter sets in band, and a
 * description of the stream that is read back from the SPS that x264 really wrote. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "encode/backends.h"
#include "encode/h264_track.h"
#include "encode/x264_log.h"
#include "encode/x264_params.h"
#include "media/h264.h"
#include "media/track.h"

#define NAME       "x264"
#define START_CODE 4 /* b_annexb: SPS and PPS always get the long start code */

/* What has to come out again with a frame; x264 hands the pointer through. */
struct in_flight {
    int64_t duration;
    bool used, cut;
};

struct encoder {
    struct sl_encoder base;
    x264_t *x264;
    struct sl_x264_log log;
    struct in_flight *in_flight;
    size_t in_flight_count;
    size_t next_slot;
    int64_t last_pts;
    struct sl_packet *pending; /* encoded, not yet received */
    struct sl_nal_config sets; /* points into base.track.config */
    bool flushing;
    enum sl_status broken; /* a call failed half way: nothing more can come */
};

static struct encoder *cast(struct sl_encoder *e)
{
    return (struct encoder *)e;
}

/* ---- open: what came of it -------------------------------------------------------------- */

/* Our own parser's word on what x264 is going to write, against what was asked for. */
static enum sl_status check_sps(const struct sl_h264_sps *sps, const struct sl_encode_params *p,
                                struct sl_error *err)
{
    if (sps->width != p->width || sps->height != p->height) {
        return sl_fail(err, SL_EDATA, NAME, "SPS says %dx%d, asked for %dx%d", sps->width,
                       sps->height, p->width, p->height);
    }
    struct sl_colour is = {2, 2, 2, SL_RANGE_LIMITED, 0}; /* inferred by E.2.1 where absent */
    if (sps->vui_present && sps->video_signal_present) {
        is.range = sps->colour.range == SL_RANGE_FULL ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    }
    if (sps->vui_present && sps->colour_description_present) {
        is.primaries = sps->colour.primaries;
        is.transfer = sps->colour.transfer;
        is.matrix = sps->colour.matrix;
    }
    bool full = p->colour.range == SL_RANGE_FULL;
    is.chroma_location = sps->chroma_loc_present ? (uint8_t)(sps->chroma_loc_top + 1) : 1;
    uint8_t location = p->colour.chroma_location > 0 ? p->colour.chroma_location : 1; /* left */
    if (is.chroma_location != location) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "chroma location %u, SPS would say %u", location,
                       is.chroma_location);
    }
    if (is.primaries != p->colour.primaries || is.transfer != p->colour.transfer ||
        is.matrix != p->colour.matrix || full != (is.range == SL_RANGE_FULL)) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "colour %u-%u-%u range %u cannot be described, SPS would say %u-%u-%u %u",
                       p->colour.primaries, p->colour.transfer, p->colour.matrix, p->colour.range,
                       is.primaries, is.transfer, is.matrix, is.range);
    }
    if (!sps->vui_present || !sps->bitstream_restriction) {
        return sl_fail(err, SL_EDATA, NAME, "SPS has no bitstream_restriction");
    }
    return SL_OK;
}

static const struct sl_nal *find_set(const struct sl_nal_config *sets, unsigned type)
{
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->sets[i].size > 0 && (sets->sets[i].data[0] & 0x1fu) == type) {
            return &sets->sets[i];
        }
    }
    return NULL;
}

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    struct sl_track *t = &e->base.track;
    t->pixel_format = SL_PIX_YUV420P;
    t->sample_aspect = p->sample_aspect;
    t->colour = p->colour;
    t->bitrate = p->rate == SL_RATE_BITRATE ? p->bitrate : 0;

    x264_nal_t *nals;
    int count;
    int size = x264_encoder_headers(e->x264, &nals, &count);
    if (size <= 0) {
        return sl_x264_refused(&e->log, SL_EDATA, "no parameter sets", err);
    }
    /* The units of one call lie one after the other in memory (x264.h). */
    enum sl_status status =
        sl_h264_track_fill(t, p, nals[0].p_payload, (size_t)size, &e->sets, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_h264_sps sps;
    status = sl_h264_parse_sps(find_set(&e->sets, SL_H264_SPS), &sps, err);
    if (status == SL_OK) {
        status = check_sps(&sps, p, err);
    }
    return status == SL_OK ? sl_h264_describe(t, err) : status;
}

static void x264_destroy(struct sl_encoder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    if (e->x264) {
        x264_encoder_close(e->x264);
    }
    sl_packet_unref(&e->pending);
    sl_free(e->in_flight);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

static enum sl_status x264_open(struct sl_encoder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = &sl_encode_x264;
    sl_track_init(&e->base.track);
    e->log.log = params->log;
    e->last_pts = SL_NO_TIME;
    x264_param_t x;
    enum sl_status status = sl_x264_params(&x, params, err);
    if (status != SL_OK) {
        goto out;
    }
    x.pf_log = sl_x264_log;
    x.p_log_private = &e->log;
    x.i_log_level =
        params->log && params->log->level >= SL_LOG_DEBUG ? X264_LOG_INFO : X264_LOG_WARNING;
    e->x264 = x264_encoder_open(&x);
    if (!e->x264) {
        status = sl_x264_refused(&e->log, SL_EINVAL, "cannot be opened", err);
        goto out;
    }
    status = fill_track(e, params, err);
    if (status != SL_OK) {
        goto out;
    }
    /* One more for the frame at hand. */
    e->in_flight_count = (size_t)x264_encoder_maximum_delayed_frames(e->x264) + 1;
    e->in_flight = sl_alloc_array(e->in_flight_count, sizeof *e->in_flight);
    if (!e->in_flight) {
        status = sl_fail_memory(err);
    }
out:
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        x264_destroy(&e->base);
    }
    return status;
}

/* ---- encode ----------------------------------------------------------------------------- */

/* The config was written before the first frame; readers rely on it for all of them. */
static enum sl_status check_in_band(const struct encoder *e, const x264_nal_t *nals, int count,
                                    struct sl_error *err)
{
    for (int i = 0; i < count; i++) {
        if (nals[i].i_type != NAL_SPS && nals[i].i_type != NAL_PPS) {
            continue;
        }
        const struct sl_nal *want =
            find_set(&e->sets, nals[i].i_type == NAL_SPS ? SL_H264_SPS : SL_H264_PPS);
        if (nals[i].i_payload < START_CODE ||
            (size_t)nals[i].i_payload - START_CODE != want->size ||
            memcmp(nals[i].p_payload + START_CODE, want->data, want->size) != 0) {
            return sl_fail(err, SL_EDATA, NAME, "%s in band differs from the one announced",
                           nals[i].i_type == NAL_SPS ? "SPS" : "PPS");
        }
    }
    return SL_OK;
}

/* in: NULL to flush. e->pending stays NULL where nothing came out yet. */
static enum sl_status encode(struct encoder *e, x264_picture_t *in, struct sl_error *err)
{
    x264_nal_t *nals;
    int count;
    x264_picture_t pic;
    int size = x264_encoder_encode(e->x264, &nals, &count, in, &pic);
    if (size < 0) {
        return sl_x264_refused(&e->log, SL_EDATA, "encoding failed", err);
    }
    if (size == 0) {
        return SL_OK;
    }
    uint8_t *data;
    enum sl_status status = sl_packet_create_data(&e->pending, (size_t)size, &data, err);
    if (status != SL_OK) {
        return status;
    }
    memcpy(data, nals[0].p_payload, (size_t)size);
    struct in_flight *slot = pic.opaque;
    slot->used = false;
    e->pending->pts = pic.i_pts;
    e->pending->duration = slot->duration;
    e->pending->flags = slot->cut ? SL_PACKET_CUT : 0u;
    if (pic.i_type != X264_TYPE_IDR) {
        return SL_OK;
    }
    e->pending->flags |= SL_PACKET_KEY;
    return check_in_band(e, nals, count, err);
}

static enum sl_status check_frame(const struct encoder *e, const struct sl_frame *f,
                                  struct sl_error *err)
{
    enum sl_status status = sl_h264_track_check(&e->base.track, f, NAME, err);
    if (status != SL_OK) {
        return status;
    }
    if (f->pts == SL_NO_TIME || (e->last_pts != SL_NO_TIME && f->pts <= e->last_pts)) {
        return sl_fail(err, SL_EINVAL, NAME, "frame pts %lld after %lld, expected to rise",
                       (long long)f->pts, (long long)e->last_pts);
    }
    return SL_OK;
}

static struct in_flight *free_slot(struct encoder *e)
{
    for (size_t i = 0; i < e->in_flight_count; i++) {
        size_t at = (e->next_slot + i) % e->in_flight_count;
        if (!e->in_flight[at].used) {
            e->next_slot = (at + 1) % e->in_flight_count;
            return &e->in_flight[at];
        }
    }
    return NULL;
}

static enum sl_status x264_send(struct sl_encoder *base, struct sl_frame *frame,
                                struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier frame could not be encoded");
    }
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, NAME, "frame after the end") : SL_OK;
    }
    if (e->pending) {
        return SL_EAGAIN;
    }
    if (!frame) {
        e->flushing = true;
        return SL_OK;
    }
    enum sl_status status = check_frame(e, frame, err);
    if (status != SL_OK) {
        return status;
    }
    struct in_flight *slot = free_slot(e);
    if (!slot) {
        return sl_fail(err, SL_EDATA, NAME, "more than the %zu frames announced are in flight",
                       e->in_flight_count);
    }
    *slot = (struct in_flight){
        .duration = frame->duration, .used = true, .cut = (frame->flags & SL_FRAME_CUT) != 0};
    x264_picture_t pic;
    x264_picture_init(&pic);
    /* CUT implies KEY (media/frame.h). */
    bool key = (frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
    pic.i_type = key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    pic.i_pts = frame->pts;
    pic.opaque = slot;
    pic.img.i_csp = X264_CSP_I420;
    pic.img.i_plane = 3;
    for (int i = 0; i < 3; i++) {
        pic.img.plane[i] = frame->plane[i];
        pic.img.i_stride[i] = (int)frame->stride[i];
    }
    e->last_pts = frame->pts;
    /* x264 copies the picture into a frame of its own, so no reference needs to be kept. */
    status = encode(e, &pic, err);
    e->broken = status;
    return status;
}

static enum sl_status x264_receive(struct sl_encoder *base, struct sl_packet **out,
                                   struct sl_error *err)
{
    struct encoder *e = cast(base);
    *out = NULL;
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier frame could not be encoded");
    }
    while (!e->pending && e->flushing && x264_encoder_delayed_frames(e->x264) > 0) {
        e->broken = encode(e, NULL, err);
        if (e->broken) {
            return e->broken;
        }
    }
    if (!e->pending) {
        return e->flushing ? SL_EOF : SL_EAGAIN;
    }
    *out = e->pending;
    e->pending = NULL;
    return SL_OK;
}

const struct sl_encoder_ops sl_encode_x264 = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .open = x264_open,
    .send = x264_send,
    .receive = x264_receive,
    .destroy = x264_destroy,
};
