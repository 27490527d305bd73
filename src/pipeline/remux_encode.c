/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures that are encoded: decode, exact times (clock.h), 4:2:0 of even size and upright, encode,
 * decoding times. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "filter/scale.h"
#include "pipeline/clock.h"
#include "pipeline/remux_run.h"

#define KEY_SECONDS 2         /* between key frames, where fragments are not longer */
#define NO_TARGET   (1 << 20) /* seconds: a picture is never shown again for a segment's sake */

struct sl_remux_encode {
    struct sl_remux *remux;
    struct sl_remux_track *track;
    struct sl_decoder *decoder;
    struct sl_clock clock;
    bool clocked; /* clock is initialised */
    struct sl_scaler *scaler;
    struct sl_coder *encoder;
    int64_t zero, end;     /* ticks of the source track; end may be INT64_MAX */
    int64_t offset;        /* of the clock's 0 from zero, ticks of the clock */
    struct sl_rational in; /* the source's timebase */
    int64_t damaged;
};

static const char *name_of(const struct sl_remux *r)
{
    return sl_window_name(r->window);
}

static enum sl_status pop(struct sl_remux_encode *e, struct sl_error *err)
{
    struct sl_packet *p;
    enum sl_status st = SL_OK;
    while (st == SL_OK && (p = sl_remux_dts_pop(&e->track->dts)) != NULL) {
        st = sl_remux_deliver(e->remux, e->track, p, err);
    }
    return st;
}

/* Encodes one picture (NULL: drains). */
static enum sl_status encode(struct sl_remux_encode *e, struct sl_frame *frame,
                             struct sl_error *err)
{
    const struct sl_coder_ops *ops = e->encoder->ops;
    for (;;) {
        enum sl_status st = ops->send(e->encoder, frame, err);
        bool sent = st == SL_OK;
        struct sl_packet *packet = NULL;
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        while ((st = ops->receive(e->encoder, &packet, err)) == SL_OK) {
            packet->pts += e->offset;
            packet->flags &= ~(uint32_t)SL_PACKET_CUT;
            sl_remux_dts_push(&e->track->dts, packet);
            st = pop(e, err);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

/* What the picture looks like when it is upright and even. */
static enum sl_status open_encoder(struct sl_remux_encode *e, const struct sl_frame *first,
                                   struct sl_error *err)
{
    const struct sl_remux_params *p = &e->remux->params;
    struct sl_remux_track *t = e->track;
    const struct sl_track *from = &e->remux->demuxer->tracks[t->source];
    bool turned = from->rotation == 90 || from->rotation == 270;
    int32_t width = turned ? first->height : first->width;
    int32_t height = turned ? first->width : first->height;
    struct sl_rational aspect =
        sl_rational_valid(first->sample_aspect) ? first->sample_aspect : from->sample_aspect;
    if (sl_rational_valid(aspect)) {
        aspect = sl_rational_limit(turned ? sl_rational(aspect.den, aspect.num) : aspect, 65535);
    } else {
        aspect = sl_rational(0, 1);
    }
    struct sl_scale_params scale = {
        .width = width < 2 ? 2 : width & ~1,
        .height = height < 2 ? 2 : height & ~1,
        .colour = sl_scale_colour(first->format, first->colour, first->height, from->rotation,
                                  from->flip),
        .rotation = from->rotation,
        .flip = from->flip,
        .crop_odd = true,
    };
    struct sl_encode_params params = {
        .log = e->remux->log,
        .timebase = e->clock.out,
        .width = scale.width,
        .height = scale.height,
        .frame_rate = from->frame_rate,
        .sample_aspect = aspect,
        .colour = scale.colour,
        .preset = p->preset[0] ? p->preset : NULL,
        .latency = SL_LATENCY_LOOKAHEAD,
        .bframes = -1,
        .rate = p->video_bitrate > 0 ? SL_RATE_VBR : SL_RATE_CRF,
        .bitrate = p->video_bitrate * 1000,
        .crf = p->crf,
    };
    enum sl_codec codec = p->video == SL_REMUX_VIDEO_HEVC ? SL_CODEC_HEVC : SL_CODEC_H264;
    enum sl_status st = sl_scaler_create(&e->scaler, &scale, err);
    if (st == SL_OK) {
        st = sl_encode_open(&e->encoder, codec, p->encoder[0] ? p->encoder : NULL, &params, err);
    }
    if (st == SL_OK) {
        sl_track_clear(&t->out);
        st = sl_track_copy(&t->out, &e->encoder->track, err);
    }
    if (st != SL_OK) {
        return st;
    }
    (void)snprintf(t->out.language, sizeof t->out.language, "%s", from->language);
    (void)snprintf(t->out.title, sizeof t->out.title, "%s", from->title);
    t->out.timebase = e->clock.out;
    t->out.is_default = from->is_default;
    t->form.annexb = true;
    t->complete = true;
    t->zero = 0;
    t->base = sl_remux_ticks(p->decode_time, t->out.timebase);
    sl_remux_dts_init(&t->dts, t->out.reorder, e->clock.nominal, false);
    return SL_OK;
}

/* From the clock: a picture with its exact time and duration. Takes over on SL_OK. */
static enum sl_status emit(void *opaque, struct sl_frame *frame, struct sl_error *err)
{
    struct sl_remux_encode *e = opaque;
    struct sl_frame *shaped = NULL;
    enum sl_status st = e->encoder ? SL_OK : open_encoder(e, frame, err);
    if (st == SL_OK) {
        st = sl_scaler_run(e->scaler, frame, &shaped, err);
    }
    if (st == SL_OK) {
        st = encode(e, shaped, err);
    }
    sl_frame_unref(&shaped);
    if (st == SL_OK) {
        sl_frame_unref(&frame);
    }
    return st;
}

static enum sl_status start_clock(struct sl_remux_encode *e, const struct sl_frame *first,
                                  struct sl_error *err)
{
    const struct sl_track *from = &e->remux->demuxer->tracks[e->track->source];
    struct sl_rational fragment = e->remux->params.fragment;
    bool longer = sl_rational_compare(fragment, sl_rational(KEY_SECONDS, 1)) > 0;
    struct sl_clock_params clock = {
        .source = e->in,
        .rate = from->frame_rate,
        .rate_exact = from->frame_rate_exact != 0,
        .segment = longer ? fragment : sl_rational(KEY_SECONDS, 1),
        .target = NO_TARGET,
        .log = e->remux->log,
        .emit = emit,
        .opaque = e,
    };
    enum sl_status st = sl_clock_init(&e->clock, &clock, err);
    e->clocked = st == SL_OK;
    e->offset =
        st == SL_OK ? sl_rescale(first->pts - e->zero, e->in, e->clock.out, SL_ROUND_NEAREST) : 0;
    return st;
}

static enum sl_status take_frame(struct sl_remux_encode *e, struct sl_frame *frame,
                                 struct sl_error *err)
{
    if (frame->pts != SL_NO_TIME && (frame->pts < e->zero || frame->pts >= e->end)) {
        return SL_OK;
    }
    enum sl_status st = e->clocked ? SL_OK : start_clock(e, frame, err);
    return st == SL_OK ? sl_clock_put(&e->clock, frame, err) : st;
}

/* Decodes one packet (NULL: drains). */
static enum sl_status decode(struct sl_remux_encode *e, struct sl_packet *packet,
                             struct sl_error *err)
{
    for (bool sent = false;;) {
        struct sl_error why = {0};
        enum sl_status st = SL_OK;
        if (!sent) {
            st = e->decoder->ops->send(e->decoder, packet, &why);
        }
        if (st == SL_EDATA && !e->remux->params.strict) {
            sl_log_write(e->remux->log, e->damaged++ == 0 ? SL_LOG_WARN : SL_LOG_DEBUG, "remux",
                         "%s: damaged picture: %s", name_of(e->remux), why.msg);
            return SL_OK;
        }
        if (st != SL_OK && st != SL_EAGAIN) {
            return sl_fail(err, st, name_of(e->remux), "picture: %s", why.msg);
        }
        sent = sent || st == SL_OK;
        struct sl_frame *frame = NULL;
        while ((st = e->decoder->ops->receive(e->decoder, &frame, err)) == SL_OK) {
            st = take_frame(e, frame, err);
            sl_frame_unref(&frame);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

static enum sl_status create(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    const struct sl_track *from = &r->demuxer->tracks[t->source];
    struct sl_decode_params decode = {.log = r->log};
    struct sl_rational start = r->params.start, length = r->params.duration;
    struct sl_error why = {0};
    struct sl_remux_encode *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    t->encode = e;
    e->remux = r;
    e->track = t;
    e->in = from->timebase;
    e->zero = r->zero + sl_rescale(start.num, sl_rational(1, start.den), e->in, SL_ROUND_NEAREST);
    e->end = length.num == 0 ? INT64_MAX
                             : e->zero + sl_rescale(length.num, sl_rational(1, length.den), e->in,
                                                    SL_ROUND_NEAREST);
    enum sl_status st = sl_decode_open(&e->decoder, from, &decode, &why);
    return st == SL_OK ? SL_OK
                       : sl_fail(err, st, name_of(r), "track %zu (%s): %s", t->source,
                                 from->codec_name, why.msg);
}

static enum sl_status finish(struct sl_remux_encode *e, struct sl_error *err)
{
    enum sl_status st = decode(e, NULL, err);
    if (st == SL_OK && e->clocked) {
        st = sl_clock_finish(&e->clock, sl_clock_end(&e->clock), err);
    }
    if (st != SL_OK || !e->encoder) {
        return st;
    }
    st = encode(e, NULL, err);
    sl_remux_dts_end(&e->track->dts);
    return st == SL_OK ? pop(e, err) : st;
}

enum sl_status sl_remux_encode_put(struct sl_remux *r, struct sl_remux_track *t,
                                   struct sl_packet *packet, struct sl_error *err)
{
    enum sl_status st = t->encode ? SL_OK : create(r, t, err);
    if (st == SL_OK && !packet) {
        return finish(t->encode, err);
    }
    /* Pictures after the end may still be needed by earlier ones: as far as reordering reaches. */
    bool late = st == SL_OK && packet->pts != SL_NO_TIME && packet->pts >= t->encode->end;
    t->past_end = late ? t->past_end + 1 : 0;
    if (t->past_end > SL_REMUX_DEPTH_MAX / 2 + 1) {
        sl_packet_unref(&packet);
        return sl_remux_put_end(r, t, err);
    }
    if (st == SL_OK) {
        st = decode(t->encode, packet, err);
    }
    sl_packet_unref(&packet);
    return st;
}

void sl_remux_encode_free(struct sl_remux_encode **encode)
{
    struct sl_remux_encode *e = *encode;
    if (!e) {
        return;
    }
    *encode = NULL;
    sl_decode_destroy(&e->decoder);
    if (e->clocked) {
        sl_clock_clear(&e->clock);
    }
    sl_scaler_destroy(&e->scaler);
    sl_encode_destroy(&e->encoder);
    sl_free(e);
}
