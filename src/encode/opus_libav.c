/* SPDX-License-Identifier: BSD-2-Clause */
/* Opus by libopus through libavcodec. Part of module encode-libav.
 *
 * Packets lie on one grid of 960 samples (20 ms): the first starts at the first sample less the
 * pre-skip (RFC 7845 4.2), each is 960 long, and there are as many as it takes to bring back the
 * last sample. What libavcodec says about times is not used. */
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "encode/backends.h"
#include "media/opus.h"
#include "media/track.h"

#define NAME            "opus"
#define FRAME           960   /* samples of 20 ms: the usual length */
#define CHANNEL_BITRATE 64000 /* default, bit/s */
#define MONO_BITRATE    96000 /* the same for one channel, which has no other to share with */

struct encoder {
    struct sl_encoder base;
    AVCodecContext *avctx;
    AVFrame *frame;
    AVPacket *packet;
    int64_t first;   /* pts of the first sample */
    int64_t samples; /* sent so far that are meant */
    int64_t packets; /* received so far */
    bool ended;      /* a short frame was sent: none may follow */
    bool flushing;
};

static struct encoder *cast(struct sl_encoder *e)
{
    return (struct encoder *)e;
}

static enum sl_status fail_av(struct sl_error *err, int code, const char *what)
{
    if (code == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(code, text, sizeof text);
    return sl_fail(err, SL_EDATA, NAME, "%s: %s", what, text);
}

/* ---- open ------------------------------------------------------------------------------- */

static enum sl_status open_codec(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    /* Its log is global and has no state of ours: silence, errors come by return code. */
    av_log_set_level(AV_LOG_QUIET);
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    if (!codec) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this libavcodec was built without libopus");
    }
    bool channels = p->channels == 1 || p->channels == 2 || p->channels == 6;
    if (p->sample_rate != SL_OPUS_RATE || !channels ||
        sl_rational_compare(p->timebase, sl_rational(1, p->sample_rate)) != 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "%d channels at %d Hz, expected 1, 2 or 6 at %d Hz in ticks of a sample",
                       p->channels, p->sample_rate, SL_OPUS_RATE);
    }
    AVCodecContext *c = e->avctx = avcodec_alloc_context3(codec);
    e->frame = av_frame_alloc();
    e->packet = av_packet_alloc();
    if (!c || !e->frame || !e->packet) {
        return sl_fail_memory(err);
    }
    c->sample_fmt = AV_SAMPLE_FMT_FLT;
    c->sample_rate = p->sample_rate;
    c->time_base = (AVRational){1, p->sample_rate};
    c->bit_rate = p->bitrate > 0     ? p->bitrate
                  : p->channels == 1 ? MONO_BITRATE
                                     : (int64_t)CHANNEL_BITRATE * p->channels;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    /* 5.1 with back speakers is what mapping family 1 knows (RFC 7845 5.1.1.2); libavcodec puts the
     * channels into its order. */
    if (p->channels == 6) {
        int code = av_channel_layout_from_mask(&c->ch_layout, AV_CH_LAYOUT_5POINT1_BACK);
        if (code < 0) {
            return fail_av(err, code, "channel layout");
        }
    } else {
        av_channel_layout_default(&c->ch_layout, p->channels);
    }
    int code = avcodec_open2(c, codec, NULL);
    if (code < 0) {
        return fail_av(err, code, "cannot be opened");
    }
    if (c->frame_size != FRAME || c->initial_padding < 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "libavcodec codes %d samples a frame, expected %d", c->frame_size, FRAME);
    }
    return SL_OK;
}

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    const AVCodecContext *c = e->avctx;
    struct sl_track *t = &e->base.track;
    struct sl_opus_head head;
    enum sl_status status = sl_opus_parse(c->extradata, (size_t)c->extradata_size, &head, err);
    if (status != SL_OK) {
        return status;
    }
    if (head.channels != p->channels || head.pre_skip != c->initial_padding) {
        return sl_fail(err, SL_EDATA, NAME, "OpusHead says %u channels and a pre-skip of %u",
                       head.channels, head.pre_skip);
    }
    t->kind = SL_KIND_AUDIO;
    t->codec = SL_CODEC_OPUS;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", "opus");
    t->timebase = sl_rational(1, p->sample_rate);
    t->sample_rate = p->sample_rate;
    t->channels = p->channels;
    t->channel_layout = c->ch_layout.u.mask;
    t->bitrate = c->bit_rate;
    t->delay = c->initial_padding;
    t->decode_delay = c->initial_padding;
    return sl_track_set_config(t, c->extradata, (size_t)c->extradata_size, err);
}

static void opus_destroy(struct sl_encoder *base)
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

static enum sl_status opus_open(struct sl_encoder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = &sl_encode_opus_libav;
    sl_track_init(&e->base.track);
    e->first = SL_NO_TIME;
    enum sl_status status = open_codec(e, params, err);
    if (status == SL_OK) {
        status = fill_track(e, params, err);
    }
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        opus_destroy(&e->base);
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
        return sl_fail(err, SL_EINVAL, NAME,
                       "frame has %d channels at %d Hz, expected %d planes of float at %d Hz",
                       f->channels, f->sample_rate, t->channels, t->sample_rate);
    }
    if (e->ended || f->samples < 1 || f->samples > FRAME) {
        return sl_fail(err, SL_EINVAL, NAME,
                       "frame of %d samples%s, expected %d (fewer only at the end)", f->samples,
                       e->ended ? " after a short one" : "", FRAME);
    }
    if (f->pts == SL_NO_TIME || (e->first != SL_NO_TIME && f->pts != e->first + e->samples)) {
        return sl_fail(err, SL_EINVAL, NAME, "frame starts at sample %lld, expected %lld",
                       (long long)f->pts,
                       (long long)(e->first == SL_NO_TIME ? 0 : e->first + e->samples));
    }
    return SL_OK;
}

/* Planes to one row of samples; a short frame is filled up with silence. */
static void interleave(AVFrame *to, const struct sl_frame *from)
{
    float *out = (float *)(void *)to->data[0];
    memset(out, 0, (size_t)FRAME * (size_t)from->channels * sizeof *out);
    for (int c = 0; c < from->channels; c++) {
        const float *in = (const float *)(const void *)from->plane[c];
        for (int i = 0; i < from->samples; i++) {
            out[(ptrdiff_t)i * from->channels + c] = in[i];
        }
    }
}

static enum sl_status opus_send(struct sl_encoder *base, struct sl_frame *frame,
                                struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, NAME, "frame after the end") : SL_OK;
    }
    if (frame) {
        enum sl_status status = check_frame(e, frame, err);
        if (status != SL_OK) {
            return status;
        }
        AVFrame *f = e->frame;
        f->format = AV_SAMPLE_FMT_FLT;
        f->sample_rate = frame->sample_rate;
        f->nb_samples = FRAME;
        f->pts = e->samples;
        int code = av_channel_layout_copy(&f->ch_layout, &e->avctx->ch_layout);
        if (code >= 0) {
            code = av_frame_get_buffer(f, 0);
        }
        if (code < 0) {
            av_frame_unref(f);
            return fail_av(err, code, "frame");
        }
        interleave(f, frame);
    }
    int code = avcodec_send_frame(e->avctx, frame ? e->frame : NULL);
    av_frame_unref(e->frame);
    if (code == AVERROR(EAGAIN)) {
        return SL_EAGAIN;
    }
    if (code < 0) {
        return fail_av(err, code, "frame");
    }
    if (!frame) {
        e->flushing = true;
        return SL_OK;
    }
    if (e->first == SL_NO_TIME) {
        e->first = frame->pts;
    }
    e->samples += meant(frame);
    e->ended = meant(frame) < FRAME;
    return SL_OK;
}

/* Packets that bring back all samples, the priming included. */
static int64_t packets_needed(const struct encoder *e)
{
    return (e->samples + e->base.track.delay + FRAME - 1) / FRAME;
}

static enum sl_status opus_receive(struct sl_encoder *base, struct sl_packet **out,
                                   struct sl_error *err)
{
    struct encoder *e = cast(base);
    *out = NULL;
    int code = avcodec_receive_packet(e->avctx, e->packet);
    if (code == AVERROR(EAGAIN)) {
        return SL_EAGAIN;
    }
    if (code == AVERROR_EOF && e->samples > 0 && e->packets < packets_needed(e)) {
        return sl_fail(err, SL_EDATA, NAME, "libavcodec gave %lld packets for %lld samples",
                       (long long)e->packets, (long long)e->samples);
    }
    if (code == AVERROR_EOF) {
        return SL_EOF;
    }
    if (code < 0) {
        return fail_av(err, code, "encoding failed");
    }
    int64_t start = e->packets * FRAME - e->base.track.delay; /* in samples of the sound */
    struct sl_packet *p = NULL;
    uint8_t *data;
    enum sl_status status = SL_OK;
    if (e->packet->size <= 0) {
        status = sl_fail(err, SL_EDATA, NAME, "libavcodec's packet %lld is empty",
                         (long long)e->packets);
    } else {
        status = sl_packet_create_data(&p, (size_t)e->packet->size, &data, err);
    }
    if (status == SL_OK) {
        memcpy(data, e->packet->data, (size_t)e->packet->size);
        p->pts = p->dts = e->first + start;
        p->duration = FRAME;
        p->flags = SL_PACKET_KEY;
        e->packets++;
        /* Only while flushing is it known which packet is the last. */
        if (e->flushing && e->packets == packets_needed(e)) {
            p->trim_end = (int32_t)(start + FRAME - e->samples);
        }
        *out = p;
    }
    av_packet_unref(e->packet);
    return status;
}

const struct sl_encoder_ops sl_encode_opus_libav = {
    .name = NAME,
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_OPUS,
    .open = opus_open,
    .send = opus_send,
    .receive = opus_receive,
    .destroy = opus_destroy,
};
