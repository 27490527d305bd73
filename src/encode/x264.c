/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H.264 by libx264. Presets are x264's own, untouched; what differs from its command line is only
 * what HLS needs: closed groups that start where the caller says, parameter sets in band, and a
 * description of the stream that is read back from the SPS that x264 really wrote. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "encode/backends.h"
#include "encode/contract.h"
#include "encode/turn.h"
#include "encode/x264_log.h"
#include "encode/x264_params.h"
#include "media/h264.h"
#include "media/track.h"

#define NAME "x264"

static const struct sl_coder_caps caps;

struct encoder {
    struct sl_coder base;
    x264_t *x264;
    struct sl_x264_log log;
    struct sl_slot *flights; /* x264 hands the pointer through */
    size_t flight_count, next_flight;
    struct sl_turn turn;
    struct sl_contract contract;
    x264_param_t x; /* as opened, for what is changed later */
    bool recovers, refreshes;
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

/* ---- open: what came of it -------------------------------------------------------------- */

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    x264_nal_t *nals;
    int count;
    int size = x264_encoder_headers(e->x264, &nals, &count);
    if (size <= 0) {
        return sl_x264_refused(&e->log, SL_EDATA, "no parameter sets", err);
    }
    /* The units of one call lie one after the other in memory (x264.h). x264 states its reorder
     * depth itself. */
    enum sl_status status = sl_contract_open(&e->contract, NAME, SL_CODEC_H264, p, -1,
                                             nals[0].p_payload, (size_t)size, &e->base.track, err);
    if (status == SL_OK) {
        e->base.track.pixel_format = (int32_t)sl_x264_format(p);
    }
    return status;
}

static void x264_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    if (e->x264) {
        x264_encoder_close(e->x264);
    }
    sl_turn_clear(&e->turn);
    sl_contract_clear(&e->contract);
    sl_free(e->flights);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

static enum sl_status x264_open(struct sl_coder **out, const struct sl_encode_params *params,
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
    sl_turn_init(&e->turn, NAME);
    e->recovers = params->loss_recovery;
    e->refreshes = params->intra_refresh;
    enum sl_status status = sl_x264_params(&e->x, params, err);
    if (status != SL_OK) {
        goto out;
    }
    e->x.pf_log = sl_x264_log;
    e->x.p_log_private = &e->log;
    e->x.i_log_level =
        params->log && params->log->level >= SL_LOG_DEBUG ? X264_LOG_INFO : X264_LOG_WARNING;
    e->x264 = x264_encoder_open(&e->x);
    if (!e->x264) {
        status = sl_x264_refused(&e->log, SL_EINVAL, "cannot be opened", err);
        goto out;
    }
    status = fill_track(e, params, err);
    if (status != SL_OK) {
        goto out;
    }
    /* One more for the frame at hand. */
    e->flight_count = (size_t)x264_encoder_maximum_delayed_frames(e->x264) + 1;
    e->flights = sl_alloc_array(e->flight_count, sizeof *e->flights);
    if (!e->flights) {
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

/* in: NULL to flush. e->turn.pending stays NULL where nothing came out yet. */
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
    struct sl_slot *slot = pic.opaque;
    slot->used = false;
    struct sl_packet *p;
    enum sl_status status =
        sl_contract_packet(&e->contract, nals[0].p_payload, (size_t)size, &p, err);
    if (status != SL_OK) {
        return status;
    }
    e->turn.pending = p;
    p->pts = pic.i_pts;
    p->duration = slot->duration;
    p->qp = pic.i_qpplus1 - 1;
    p->flags |= slot->cut ? SL_PACKET_CUT : 0u;
    if ((p->flags & SL_PACKET_KEY) != 0 && pic.i_type != X264_TYPE_IDR) {
        return sl_fail(err, SL_EDATA, NAME, "a picture is IDR and is not said to be");
    }
    return SL_OK;
}

static enum sl_status x264_send(struct sl_coder *base, struct sl_frame *frame, struct sl_error *err)
{
    struct encoder *e = cast(base);
    bool go;
    enum sl_status status = sl_turn_send(&e->turn, &base->track, frame, caps.formats, &go, err);
    if (!go) {
        return status;
    }
    struct sl_slot *slot = sl_turn_slot(e->flights, e->flight_count, &e->next_flight, frame);
    if (!slot) {
        return sl_fail(err, SL_EDATA, NAME, "more than the %zu frames announced are in flight",
                       e->flight_count);
    }
    x264_picture_t pic;
    x264_picture_init(&pic);
    /* CUT implies KEY (media/frame.h). */
    bool key = (frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
    pic.i_type = key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    pic.i_pts = frame->pts;
    pic.opaque = slot;
    pic.img.i_csp = sl_x264_csp(frame->format);
    pic.img.i_plane = sl_pixel_info(frame->format)->planes;
    for (int i = 0; i < pic.img.i_plane; i++) {
        pic.img.plane[i] = frame->plane[i];
        pic.img.i_stride[i] = (int)frame->stride[i];
    }
    e->turn.last_pts = frame->pts;
    /* x264 copies the picture into a frame of its own, so no reference needs to be kept. */
    status = encode(e, &pic, err);
    e->turn.broken = status;
    return status;
}

static enum sl_status x264_receive(struct sl_coder *base, struct sl_packet **out,
                                   struct sl_error *err)
{
    struct encoder *e = cast(base);
    struct sl_turn *t = &e->turn;
    while (!t->broken && !t->pending && t->flushing && x264_encoder_delayed_frames(e->x264) > 0) {
        t->broken = encode(e, NULL, err);
        if (t->broken) {
            *out = NULL;
            return t->broken;
        }
    }
    return sl_turn_receive(t, out, err);
}

/* ---- changes ----------------------------------------------------------------------------- */

/* x264_encoder_reconfig() takes a new bitrate in any case; its rate control follows only where the
 * buffer is filled at that rate. */
static bool is_constant(const x264_param_t *x)
{
    return x->rc.i_vbv_buffer_size > 0 && x->rc.i_vbv_max_bitrate > 0 &&
           x->rc.i_vbv_max_bitrate <= x->rc.i_bitrate;
}

static enum sl_status x264_reconfigure(struct sl_coder *base, const struct sl_encode_params *params,
                                       struct sl_error *err)
{
    struct encoder *e = cast(base);
    x264_param_t to;
    enum sl_status status = sl_x264_params(&to, params, err);
    if (status != SL_OK) {
        return status;
    }
    /* x264 holds on to size, frame rate, and whether there is a buffer. */
    if (to.i_width != e->x.i_width || to.i_height != e->x.i_height ||
        (int64_t)to.i_fps_num * e->x.i_fps_den != (int64_t)e->x.i_fps_num * to.i_fps_den ||
        to.rc.i_rc_method != e->x.rc.i_rc_method || to.rc.i_rc_method == X264_RC_CQP ||
        (to.rc.i_vbv_buffer_size > 0) != (e->x.rc.i_vbv_buffer_size > 0) ||
        (to.rc.i_vbv_max_bitrate > 0) != (e->x.rc.i_vbv_max_bitrate > 0) ||
        (to.rc.i_bitrate != e->x.rc.i_bitrate && !is_constant(&to))) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this cannot be changed in mid-stream");
    }
    x264_param_t now = e->x;
    now.rc.i_bitrate = to.rc.i_bitrate;
    now.rc.i_vbv_max_bitrate = to.rc.i_vbv_max_bitrate;
    now.rc.i_vbv_buffer_size = to.rc.i_vbv_buffer_size;
    now.rc.f_rf_constant = to.rc.f_rf_constant;
    if (x264_encoder_reconfig(e->x264, &now) != 0) {
        return sl_x264_refused(&e->log, SL_EUNSUPPORTED, "this cannot be changed in mid-stream",
                               err);
    }
    e->x = now;
    return SL_OK;
}

static enum sl_status x264_recover(struct sl_coder *base, int64_t pts,
                                   enum sl_encoder_recovery *how, struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->refreshes) {
        x264_encoder_intra_refresh(e->x264);
        *how = SL_RECOVERY_REFRESH;
        return SL_OK;
    }
    if (!e->recovers || x264_encoder_invalidate_reference(e->x264, pts) != 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "opened without loss recovery");
    }
    *how = SL_RECOVERY_REFERENCE;
    return SL_OK;
}

static const char *version(void)
{
    return X264_POINTVER;
}

static const enum sl_pixel_format formats[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_YUV420P10,
                                               SL_PIX_YUV444P, SL_PIX_NONE};
static const struct sl_coder_caps caps = {
    .flags =
        SL_BACKEND_RECONFIGURES | SL_BACKEND_RECOVERS | SL_BACKEND_REFRESHES | SL_BACKEND_LOOKAHEAD,
    .formats = formats,
    .presets = "ultrafast,superfast,veryfast,faster,fast,medium,slow,slower,veryslow,placebo",
    .tunes = "film,animation,grain,stillimage,psnr,ssim,fastdecode,zerolatency",
    .profiles = "baseline,main,high,high10,high444",
    .licence = "GPL-2.0-or-later",
    .version = version,
};

const struct sl_coder_ops sl_encode_x264 = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .open = x264_open,
    .send = x264_send,
    .receive = x264_receive,
    .destroy = x264_destroy,
    .reconfigure = x264_reconfigure,
    .recover = x264_recover,
    .caps = &caps,
};
