/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HEVC by libx265 (docs/encoders-software.md). Presets are x265's own; what differs is closed
 * groups that start where the caller says, with IDR pictures, and a description of the stream that
 * is read back from the parameter sets that x265 really wrote. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "encode/contract.h"
#include "encode/soft.h"
#include "encode/turn.h"
#include "encode/x265_params.h"
#include "media/track.h"

#define NAME "x265"
/* Pictures on their way: at most 250 of look-ahead, 16 B pictures, 16 frame threads and the one at
 * hand. */
#define IN_FLIGHT_MAX 320

struct encoder {
    struct sl_coder base;
    const x265_api *api;
    x265_encoder *x265;
    x265_param *x;
    char pools[16];
    struct sl_slot flights[IN_FLIGHT_MAX]; /* x265 hands the pointer through */
    size_t next_flight, on_their_way;
    struct sl_turn turn;
    struct sl_contract contract;
    bool drained;
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

/* ---- open -------------------------------------------------------------------------------- */

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    x265_nal *nals;
    uint32_t count;
    int size = e->api->encoder_headers(e->x265, &nals, &count);
    if (size <= 0) {
        return sl_fail(err, SL_EDATA, NAME, "no parameter sets");
    }
    /* The units of one call lie one after the other in memory (x265.h). x265 states its reorder
     * depth itself. */
    enum sl_status status = sl_contract_open(&e->contract, NAME, SL_CODEC_HEVC, p, -1,
                                             nals[0].payload, (size_t)size, &e->base.track, err);
    if (status == SL_OK) {
        e->base.track.pixel_format = sl_x265_depth(p) == 10 ? SL_PIX_YUV420P10 : SL_PIX_YUV420P;
    }
    return status;
}

static void x265_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    if (e->x265) {
        e->api->encoder_close(e->x265);
    }
    if (e->x) {
        e->api->param_free(e->x);
    }
    sl_turn_clear(&e->turn);
    sl_contract_clear(&e->contract);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

static enum sl_status start(struct encoder *e, const struct sl_encode_params *params,
                            struct sl_error *err)
{
    int depth = sl_x265_depth(params);
    e->api = x265_api_get(depth);
    if (!e->api) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this libx265 has no %d bits a sample", depth);
    }
    e->x = e->api->param_alloc();
    if (!e->x) {
        return sl_fail_memory(err);
    }
    e->api->param_default(e->x); /* what param_free() looks at is left as it was by param_alloc() */
    enum sl_status status = sl_x265_params(e->api, e->x, params, e->pools, err);
    if (status != SL_OK) {
        return status;
    }
    e->x265 = e->api->encoder_open(e->x);
    if (!e->x265) { /* it gives no reasons but on standard error */
        return sl_fail(err, SL_EINVAL, NAME, "these settings are refused");
    }
    return fill_track(e, params, err);
}

static enum sl_status x265_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = &sl_encode_x265_lib;
    sl_track_init(&e->base.track);
    sl_turn_init(&e->turn, NAME);
    enum sl_status status = start(e, params, err);
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        x265_destroy(&e->base);
    }
    return status;
}

/* ---- encode ------------------------------------------------------------------------------ */

/* in: NULL to flush. e->turn.pending stays NULL where nothing came out yet. */
static enum sl_status encode(struct encoder *e, x265_picture *in, struct sl_error *err)
{
    x265_nal *nals;
    uint32_t count = 0;
    x265_picture pic;
    e->api->picture_init(e->x, &pic);
    int code = e->api->encoder_encode(e->x265, &nals, &count, in, &pic);
    if (code < 0) {
        return sl_fail(err, SL_EDATA, NAME, "encoding failed");
    }
    if (code == 0 || count == 0) {
        e->drained = !in;
        return SL_OK;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += nals[i].sizeBytes;
    }
    struct sl_slot *slot = pic.userData;
    slot->used = false;
    e->on_their_way--;
    struct sl_packet *p;
    enum sl_status status = sl_contract_packet(&e->contract, nals[0].payload, size, &p, err);
    if (status != SL_OK) {
        return status;
    }
    e->turn.pending = p;
    p->pts = pic.pts;
    p->duration = slot->duration;
    p->qp = (int32_t)(pic.frameData.qp + 0.5);
    p->flags |= slot->cut ? SL_PACKET_CUT : 0u;
    if (((p->flags & SL_PACKET_KEY) != 0) != (pic.sliceType == X265_TYPE_IDR)) {
        return sl_fail(err, SL_EDATA, NAME, "a picture of type %d %s an IDR", pic.sliceType,
                       (p->flags & SL_PACKET_KEY) != 0 ? "is" : "is not");
    }
    return SL_OK;
}

static enum sl_status x265_send(struct sl_coder *base, struct sl_frame *frame, struct sl_error *err)
{
    struct encoder *e = cast(base);
    bool go;
    enum sl_status status =
        sl_turn_send(&e->turn, &base->track, frame, sl_x265_caps.formats, &go, err);
    if (!go) {
        return status;
    }
    struct sl_slot *slot = sl_turn_slot(e->flights, IN_FLIGHT_MAX, &e->next_flight, frame);
    if (!slot) {
        return sl_fail(err, SL_EDATA, NAME, "more than %d frames are in flight", IN_FLIGHT_MAX);
    }
    x265_picture pic;
    e->api->picture_init(e->x, &pic);
    /* CUT implies KEY (media/frame.h). */
    bool key = (frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
    pic.sliceType = key ? X265_TYPE_IDR : X265_TYPE_AUTO;
    pic.pts = frame->pts;
    pic.userData = slot;
    pic.bitDepth = sl_pixel_info(frame->format)->depth;
    for (int i = 0; i < 3; i++) {
        pic.planes[i] = frame->plane[i];
        pic.stride[i] = (int)frame->stride[i];
    }
    e->turn.last_pts = frame->pts;
    e->on_their_way++;
    /* x265 copies the picture into a frame of its own, so no reference needs to be kept. */
    status = encode(e, &pic, err);
    e->turn.broken = status;
    return status;
}

static enum sl_status x265_receive(struct sl_coder *base, struct sl_packet **out,
                                   struct sl_error *err)
{
    struct encoder *e = cast(base);
    struct sl_turn *t = &e->turn;
    *out = NULL;
    while (!t->broken && !t->pending && t->flushing && !e->drained && e->on_their_way > 0) {
        t->broken = encode(e, NULL, err);
        if (t->broken) {
            return t->broken;
        }
    }
    if (!t->broken && !t->pending && t->flushing && e->on_their_way > 0) {
        return sl_fail(err, SL_EDATA, NAME, "%zu pictures never came out", e->on_their_way);
    }
    return sl_turn_receive(t, out, err);
}

/* No reconfigure: x265_encoder_reconfig() of 3.5 says yes, and bitrate, crf and quantiser stay as
 * they were, or take many seconds (docs/encoders-software.md). */
const struct sl_coder_ops sl_encode_x265_lib = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_HEVC,
    .open = x265_open,
    .send = x265_send,
    .receive = x265_receive,
    .destroy = x265_destroy,
    .caps = &sl_x265_caps,
};
