/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/sound_libav.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/channel_layout.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"

struct encoder {
    struct sl_coder base;
    const struct sl_sound_coder *coder;
    AVCodecContext *avctx;
    AVFrame *frame;
    AVPacket *packet;
    int64_t first;   /* pts of the first sample */
    int64_t samples; /* sent so far that are meant */
    int64_t packets; /* received so far */
    bool ended;      /* a short frame was sent: none may follow */
    bool flushing;
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

static const char *name(const struct encoder *e)
{
    return e->base.ops->name;
}

enum sl_status sl_sound_libav_fail(struct sl_error *err, const char *name, int code,
                                   const char *what)
{
    if (code == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(code, text, sizeof text);
    return sl_fail(err, SL_EDATA, name, "%s: %s", what, text);
}

/* ---- open ------------------------------------------------------------------------------- */

static enum sl_status open_codec(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    const struct sl_sound_coder *coder = e->coder;
    /* Its log is global and has no state of ours: silence, errors come by return code. */
    av_log_set_level(AV_LOG_QUIET);
    const AVCodec *codec = avcodec_find_encoder_by_name(coder->libav_name);
    if (!codec) {
        return sl_fail(err, SL_EUNSUPPORTED, name(e), "this libavcodec was built without \"%s\"",
                       coder->libav_name);
    }
    enum sl_status status = coder->check(p, codec, err);
    if (status != SL_OK) {
        return status;
    }
    AVCodecContext *c = e->avctx = avcodec_alloc_context3(codec);
    e->frame = av_frame_alloc();
    e->packet = av_packet_alloc();
    if (!c || !e->frame || !e->packet) {
        return sl_fail_memory(err);
    }
    c->sample_fmt = coder->interleaved ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP;
    c->sample_rate = p->sample_rate;
    c->time_base = (AVRational){1, p->sample_rate};
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    status = coder->configure(c, p, err);
    if (status != SL_OK) {
        return status;
    }
    int code = avcodec_open2(c, codec, NULL);
    if (code < 0) {
        return sl_sound_libav_fail(err, name(e), code, "cannot be opened");
    }
    if (c->frame_size != coder->frame || c->initial_padding < 0) {
        return sl_fail(err, SL_EUNSUPPORTED, name(e),
                       "libavcodec codes %d samples a frame with a delay of %d, expected %d",
                       c->frame_size, c->initial_padding, coder->frame);
    }
    return SL_OK;
}

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    const AVCodecContext *c = e->avctx;
    struct sl_track *t = &e->base.track;
    t->kind = SL_KIND_AUDIO;
    t->codec = e->coder->codec;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", name(e));
    t->timebase = sl_rational(1, p->sample_rate);
    t->sample_rate = p->sample_rate;
    t->channels = p->channels;
    t->channel_layout =
        c->ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? c->ch_layout.u.mask : p->channel_layout;
    t->bitrate = c->bit_rate;
    t->delay = c->initial_padding;
    t->decode_delay = c->initial_padding;
    enum sl_status status = e->coder->describe(t, c, p, err);
    return status == SL_OK ? sl_track_set_config(t, c->extradata, (size_t)c->extradata_size, err)
                           : status;
}

void sl_sound_libav_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    avcodec_free_context(&e->avctx);
    av_frame_free(&e->frame);
    av_packet_free(&e->packet);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

enum sl_status sl_sound_libav_open(struct sl_coder **out, const struct sl_sound_coder *coder,
                                   const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = coder->ops;
    e->coder = coder;
    sl_track_init(&e->base.track);
    e->first = SL_NO_TIME;
    enum sl_status status = open_codec(e, params, err);
    if (status == SL_OK) {
        status = fill_track(e, params, err);
    }
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        sl_sound_libav_destroy(&e->base);
    }
    return status;
}

/* ---- encode ----------------------------------------------------------------------------- */

/* Samples of the frame that are meant: the sound filter pads the last one and says so in the
 * duration (filter/sound.h). */
static int32_t meant(const struct sl_frame *f)
{
    bool shorter = f->duration != SL_NO_TIME && f->duration >= 0 && f->duration < f->samples;
    return shorter ? (int32_t)f->duration : f->samples;
}

static enum sl_status check_frame(const struct encoder *e, const struct sl_frame *f,
                                  struct sl_error *err)
{
    const struct sl_track *t = &e->base.track;
    if (f->kind != SL_KIND_AUDIO || f->sample_format != SL_SAMPLE_F32P ||
        f->sample_rate != t->sample_rate || f->channels != t->channels) {
        return sl_fail(err, SL_EINVAL, name(e),
                       "frame has %d channels at %d Hz, expected %d planes of float at %d Hz",
                       f->channels, f->sample_rate, t->channels, t->sample_rate);
    }
    if (e->ended || f->samples < 1 || f->samples > e->coder->frame) {
        return sl_fail(err, SL_EINVAL, name(e),
                       "frame of %d samples%s, expected %d (fewer only at the end)", f->samples,
                       e->ended ? " after a short one" : "", e->coder->frame);
    }
    if (f->pts == SL_NO_TIME || (e->first != SL_NO_TIME && f->pts != e->first + e->samples)) {
        return sl_fail(err, SL_EINVAL, name(e), "frame starts at sample %lld, expected %lld",
                       (long long)f->pts,
                       (long long)(e->first == SL_NO_TIME ? 0 : e->first + e->samples));
    }
    return SL_OK;
}

/* Planes to one row of samples, silence after the last. */
static void interleave(AVFrame *to, const struct sl_frame *from)
{
    float *out = (float *)(void *)to->data[0];
    memset(out, 0, (size_t)to->nb_samples * (size_t)from->channels * sizeof *out);
    for (int c = 0; c < from->channels; c++) {
        const float *in = (const float *)(const void *)from->plane[c];
        for (int i = 0; i < from->samples; i++) {
            out[(ptrdiff_t)i * from->channels + c] = in[i];
        }
    }
}

/* Copies the frame into e->frame. */
static enum sl_status take(struct encoder *e, const struct sl_frame *frame, struct sl_error *err)
{
    bool interleaved = e->coder->interleaved;
    AVFrame *f = e->frame;
    f->format = e->avctx->sample_fmt;
    f->sample_rate = frame->sample_rate;
    f->nb_samples = interleaved ? e->coder->frame : frame->samples;
    f->pts = e->samples;
    int code = av_channel_layout_copy(&f->ch_layout, &e->avctx->ch_layout);
    if (code >= 0) {
        code = av_frame_get_buffer(f, 0);
    }
    if (code < 0) {
        av_frame_unref(f);
        return sl_sound_libav_fail(err, name(e), code, "frame");
    }
    if (interleaved) {
        interleave(f, frame);
    }
    for (int c = 0; !interleaved && c < frame->channels; c++) {
        memcpy(f->extended_data[c], frame->plane[c], (size_t)frame->samples * sizeof(float));
    }
    return SL_OK;
}

enum sl_status sl_sound_libav_send(struct sl_coder *base, struct sl_frame *frame,
                                   struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, name(e), "frame after the end") : SL_OK;
    }
    if (frame) {
        enum sl_status status = check_frame(e, frame, err);
        if (status == SL_OK) {
            status = take(e, frame, err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    int code = avcodec_send_frame(e->avctx, frame ? e->frame : NULL);
    av_frame_unref(e->frame);
    if (code == AVERROR(EAGAIN)) {
        return SL_EAGAIN;
    }
    if (code < 0) {
        return sl_sound_libav_fail(err, name(e), code, "frame");
    }
    if (!frame) {
        e->flushing = true;
        return SL_OK;
    }
    if (e->first == SL_NO_TIME) {
        e->first = frame->pts;
    }
    e->samples += meant(frame);
    e->ended = meant(frame) < e->coder->frame;
    return SL_OK;
}

/* Packets that bring back all samples, the priming included. */
static int64_t packets_needed(const struct encoder *e)
{
    int32_t frame = e->coder->frame;
    return (e->samples + e->base.track.delay + frame - 1) / frame;
}

/* Makes a packet of e->packet, which starts at this sample of the sound. */
static enum sl_status give(struct encoder *e, int64_t start, struct sl_packet **out,
                           struct sl_error *err)
{
    struct sl_packet *p;
    uint8_t *data;
    if (e->packet->size <= 0) {
        return sl_fail(err, SL_EDATA, name(e), "libavcodec's packet %lld is empty",
                       (long long)e->packets);
    }
    if (e->coder->has_times && e->packet->pts != start) {
        return sl_fail(err, SL_EDATA, name(e), "libavcodec's packet %lld is at %lld, expected %lld",
                       (long long)e->packets, (long long)e->packet->pts, (long long)start);
    }
    enum sl_status status = sl_packet_create_data(&p, (size_t)e->packet->size, &data, err);
    if (status != SL_OK) {
        return status;
    }
    memcpy(data, e->packet->data, (size_t)e->packet->size);
    p->pts = p->dts = e->first + start;
    p->duration = e->coder->frame;
    p->flags = SL_PACKET_KEY;
    e->packets++;
    /* Only while flushing is it known which packet is the last. */
    if (e->flushing && e->packets == packets_needed(e)) {
        p->trim_end = (int32_t)(start + e->coder->frame - e->samples);
    }
    *out = p;
    return SL_OK;
}

enum sl_status sl_sound_libav_receive(struct sl_coder *base, struct sl_packet **out,
                                      struct sl_error *err)
{
    struct encoder *e = cast(base);
    *out = NULL;
    int code = avcodec_receive_packet(e->avctx, e->packet);
    if (code == AVERROR(EAGAIN)) {
        return SL_EAGAIN;
    }
    if (code == AVERROR_EOF && e->samples > 0 && e->packets < packets_needed(e)) {
        return sl_fail(err, SL_EDATA, name(e), "libavcodec gave %lld packets for %lld samples",
                       (long long)e->packets, (long long)e->samples);
    }
    if (code == AVERROR_EOF) {
        return SL_EOF;
    }
    if (code < 0) {
        return sl_sound_libav_fail(err, name(e), code, "encoding failed");
    }
    int64_t start = e->packets * e->coder->frame - e->base.track.delay;
    enum sl_status status = give(e, start, out, err);
    av_packet_unref(e->packet);
    return status;
}
