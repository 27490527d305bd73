/* SPDX-License-Identifier: BSD-2-Clause */
/* Every codec that libavcodec decodes. A module of its own: see src/base/module.h. */
#include "decode/libav.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/cpu.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"

#define THREADS_MAX 16
#define DAMAGE_MAX  1024 /* errors in a row; more is a decoder that will not come to an end */
#define SKIP_SIZE   10   /* of AV_PKT_DATA_SKIP_SAMPLES */

SL_API extern const struct sl_decoder_ops sl_decode_libav;

static const enum AVCodecID ids[SL_CODEC_COUNT] = {
    [SL_CODEC_H264] = AV_CODEC_ID_H264,   [SL_CODEC_HEVC] = AV_CODEC_ID_HEVC,
    [SL_CODEC_AV1] = AV_CODEC_ID_AV1,     [SL_CODEC_VP8] = AV_CODEC_ID_VP8,
    [SL_CODEC_VP9] = AV_CODEC_ID_VP9,     [SL_CODEC_MPEG2] = AV_CODEC_ID_MPEG2VIDEO,
    [SL_CODEC_MPEG4] = AV_CODEC_ID_MPEG4, [SL_CODEC_VC1] = AV_CODEC_ID_VC1,
    [SL_CODEC_MJPEG] = AV_CODEC_ID_MJPEG, [SL_CODEC_AAC] = AV_CODEC_ID_AAC,
    [SL_CODEC_AC3] = AV_CODEC_ID_AC3,     [SL_CODEC_EAC3] = AV_CODEC_ID_EAC3,
    [SL_CODEC_DTS] = AV_CODEC_ID_DTS,     [SL_CODEC_TRUEHD] = AV_CODEC_ID_TRUEHD,
    [SL_CODEC_MP3] = AV_CODEC_ID_MP3,     [SL_CODEC_MP2] = AV_CODEC_ID_MP2,
    [SL_CODEC_OPUS] = AV_CODEC_ID_OPUS,   [SL_CODEC_VORBIS] = AV_CODEC_ID_VORBIS,
    [SL_CODEC_FLAC] = AV_CODEC_ID_FLAC,   [SL_CODEC_ALAC] = AV_CODEC_ID_ALAC,
};

/* PCM and what Sluice has no number for go by FFmpeg's own name. */
static enum AVCodecID codec_id(const struct sl_track *t)
{
    enum AVCodecID id = (unsigned)t->codec < SL_CODEC_COUNT ? ids[t->codec] : AV_CODEC_ID_NONE;
    if (t->codec == SL_CODEC_PCM || t->codec == SL_CODEC_OTHER) {
        const AVCodecDescriptor *desc = avcodec_descriptor_get_by_name(t->codec_name);
        id = desc ? desc->id : AV_CODEC_ID_NONE;
    }
    return id;
}

static int libav_probe(const struct sl_track *track)
{
    return avcodec_find_decoder(codec_id(track)) ? 1 : 0;
}

static AVRational rational(struct sl_rational r)
{
    r = sl_rational_reduce(r);
    bool fits = sl_rational_valid(r) && r.num <= INT32_MAX && r.den <= INT32_MAX;
    return fits ? (AVRational){(int)r.num, (int)r.den} : (AVRational){0, 1};
}

static void set_picture(AVCodecContext *c, const struct sl_track *t)
{
    const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)t->pixel_format);
    c->width = c->coded_width = t->width;
    c->height = c->coded_height = t->height;
    if (info) {
        c->pix_fmt = av_get_pix_fmt(info->name);
    }
    c->sample_aspect_ratio = rational(t->sample_aspect);
    c->has_b_frames = t->reorder > 0 ? t->reorder : 0;
    /* The container's word, for bitstreams that state none. */
    c->color_primaries = (enum AVColorPrimaries)t->colour.primaries;
    c->color_trc = (enum AVColorTransferCharacteristic)t->colour.transfer;
    c->colorspace = (enum AVColorSpace)t->colour.matrix;
    c->color_range = (enum AVColorRange)t->colour.range;
    c->chroma_sample_location = (enum AVChromaLocation)t->colour.chroma_location;
    /* Cut exactly as the bitstream says, even where rows then begin unaligned. */
    c->flags |= AV_CODEC_FLAG_UNALIGNED;
}

static void set_sound(AVCodecContext *c, const struct sl_track *t)
{
    c->sample_rate = t->sample_rate;
    c->block_align = t->block_align;
    c->bits_per_coded_sample = t->bit_depth;
    if (t->channel_layout == 0 ||
        av_channel_layout_from_mask(&c->ch_layout, t->channel_layout) < 0 ||
        c->ch_layout.nb_channels != t->channels) {
        av_channel_layout_uninit(&c->ch_layout);
        c->ch_layout.order = AV_CHANNEL_ORDER_UNSPEC;
        c->ch_layout.nb_channels = t->channels > 0 ? t->channels : 0;
    }
}

static enum sl_status set_codec(AVCodecContext *c, const struct sl_track *t, int threads,
                                struct sl_error *err)
{
    int cpus = av_cpu_count();

    if (t->config_size > 0) {
        if (t->config_size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
            return sl_fail(err, SL_EDATA, NULL, "decoder configuration of %zu bytes",
                           t->config_size);
        }
        c->extradata = av_mallocz(t->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!c->extradata) {
            return sl_fail_memory(err);
        }
        memcpy(c->extradata, t->config, t->config_size);
        c->extradata_size = (int)t->config_size;
    }
    c->codec_tag = t->codec_tag;
    c->pkt_timebase = rational(t->timebase);
    c->thread_count = 1;
    if (t->kind == SL_KIND_VIDEO) {
        set_picture(c, t);
        threads = threads > 0 ? threads : cpus;
        c->thread_count = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
        c->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
    } else {
        set_sound(c, t);
    }
    return SL_OK;
}

static void libav_destroy(struct sl_decoder *decoder)
{
    struct sl_libav_decoder *d = (struct sl_libav_decoder *)decoder;
    avcodec_free_context(&d->codec);
    av_packet_free(&d->packet);
    av_frame_free(&d->frame);
    sl_libav_convert_clear(&d->convert);
    sl_free(d);
}

static enum sl_status libav_open(struct sl_decoder **out, const struct sl_track *track,
                                 const struct sl_decode_params *params, struct sl_error *err)
{
    const AVCodec *codec = NULL;
    struct sl_libav_decoder *d = NULL;
    enum sl_status status = SL_OK;
    int code = 0;

    *out = NULL;
    /* Its callback is global and has no state of ours: silence, errors come by return code. */
    av_log_set_level(AV_LOG_QUIET);
    codec = avcodec_find_decoder(codec_id(track));
    if (!codec) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "no decoder for %s (%s)", track->codec_name,
                       sl_kind_name(track->kind));
    }
    d = sl_alloc_zero(sizeof *d);
    if (!d) {
        return sl_fail_memory(err);
    }
    d->decoder.ops = &sl_decode_libav;
    d->kind = track->kind;
    d->log = params ? params->log : NULL;
    d->timebase = track->timebase;
    d->frame_rate = track->frame_rate;
    d->sample_aspect = track->sample_aspect;
    d->anchor = track->start == SL_NO_TIME ? 0 : track->start;
    d->last_end = d->anchor;
    d->convert.from = AV_PIX_FMT_NONE;
    (void)snprintf(d->codec_name, sizeof d->codec_name, "%s", track->codec_name);
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (!d->codec || !d->packet || !d->frame) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = set_codec(d->codec, track, params ? params->threads : 0, err);
    if (status != SL_OK) {
        goto out;
    }
    code = avcodec_open2(d->codec, codec, NULL);
    if (code < 0) {
        char text[AV_ERROR_MAX_STRING_SIZE] = "";
        (void)av_strerror(code, text, sizeof text);
        status = code == AVERROR(ENOMEM)
                     ? sl_fail_memory(err)
                     : sl_fail(err, SL_EDATA, NULL, "%s cannot be decoded as configured: %s",
                               d->codec_name, text);
        goto out;
    }
    *out = &d->decoder;
    d = NULL;
out:
    if (d) {
        libav_destroy(&d->decoder);
    }
    return status;
}

static void release_payload(void *opaque, uint8_t *data)
{
    struct sl_buf *buf = opaque;
    (void)data;
    sl_buf_unref(&buf);
}

static enum sl_status add_side_data(AVPacket *out, const struct sl_packet *p, struct sl_error *err)
{
    if (p->trim_start > 0 || p->trim_end > 0) {
        uint8_t *skip = av_packet_new_side_data(out, AV_PKT_DATA_SKIP_SAMPLES, SKIP_SIZE);
        if (!skip) {
            return sl_fail_memory(err);
        }
        memset(skip, 0, SKIP_SIZE);
        AV_WL32(skip, p->trim_start > 0 ? (uint32_t)p->trim_start : 0);
        AV_WL32(skip + 4, p->trim_end > 0 ? (uint32_t)p->trim_end : 0);
    }
    if (p->config_size > 0) {
        uint8_t *config = av_packet_new_side_data(out, AV_PKT_DATA_NEW_EXTRADATA, p->config_size);
        if (!config) {
            return sl_fail_memory(err);
        }
        memcpy(config, p->config, p->config_size);
    }
    return SL_OK;
}

/* The payload stays where it is; libavcodec reads a little past its end (SL_BUF_PADDING). */
static enum sl_status wrap_payload(AVPacket *out, const struct sl_packet *p, struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_chain_load(&p->payload, &buf, err);

    if (status != SL_OK) {
        return status;
    }
    if (buf->size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
        status = sl_fail(err, SL_EDATA, NULL, "packet of %zu bytes", buf->size);
        goto out;
    }
    out->buf = av_buffer_create(buf->data, buf->size + AV_INPUT_BUFFER_PADDING_SIZE,
                                release_payload, buf, AV_BUFFER_FLAG_READONLY);
    if (!out->buf) {
        status = sl_fail_memory(err);
        goto out;
    }
    out->data = buf->data;
    out->size = (int)buf->size;
    buf = NULL;
out:
    sl_buf_unref(&buf);
    return status;
}

static enum sl_status fill_packet(AVPacket *out, const struct sl_packet *p, struct sl_error *err)
{
    enum sl_status status = wrap_payload(out, p, err);
    if (status == SL_OK) {
        status = add_side_data(out, p, err);
    }
    out->pts = p->pts == SL_NO_TIME ? AV_NOPTS_VALUE : p->pts;
    out->dts = p->dts == SL_NO_TIME ? AV_NOPTS_VALUE : p->dts;
    out->duration = p->duration == SL_NO_TIME ? 0 : p->duration;
    out->pos = p->position;
    out->flags = (p->flags & SL_PACKET_KEY ? AV_PKT_FLAG_KEY : 0) |
                 (p->flags & SL_PACKET_HIDDEN ? AV_PKT_FLAG_DISCARD : 0) |
                 (p->flags & SL_PACKET_CORRUPT ? AV_PKT_FLAG_CORRUPT : 0);
    return status;
}

static enum sl_status libav_send(struct sl_decoder *decoder, struct sl_packet *packet,
                                 struct sl_error *err)
{
    struct sl_libav_decoder *d = (struct sl_libav_decoder *)decoder;
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    enum sl_status status = SL_OK;
    int code = 0;

    if (packet && packet->payload.size == 0) {
        return SL_OK; /* to libavcodec an empty packet would be the end */
    }
    if (packet) {
        status = fill_packet(d->packet, packet, err);
    }
    if (status == SL_OK) {
        code = avcodec_send_packet(d->codec, packet ? d->packet : NULL);
    }
    av_packet_unref(d->packet);
    if (status != SL_OK || code == 0) {
        return status;
    }
    if (code == AVERROR(EAGAIN)) {
        return SL_EAGAIN;
    }
    if (code == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    if (code == AVERROR_EOF) {
        return packet ? sl_fail(err, SL_EINVAL, NULL, "packet after the last") : SL_OK;
    }
    (void)av_strerror(code, text, sizeof text);
    return sl_fail(err, SL_EDATA, NULL, "%s: %s", d->codec_name, text);
}

/* d->frame's time, or where the container has none, as many units after the last one known. */
static void stamp(struct sl_libav_decoder *d, int64_t pts, int64_t duration, int64_t units,
                  struct sl_frame *f)
{
    struct sl_rational unit = f->kind == SL_KIND_AUDIO
                                  ? sl_rational(1, f->sample_rate)
                                  : sl_rational(d->frame_rate.den, d->frame_rate.num);
    if (pts != AV_NOPTS_VALUE) {
        d->anchor = pts;
        d->count = 0;
    } else if (sl_rational_valid(unit) && sl_rational_valid(d->timebase)) {
        pts = d->anchor + sl_rescale(d->count, unit, d->timebase, SL_ROUND_NEAREST);
    } else {
        pts = d->last_end;
    }
    d->count += units;
    d->last_end = pts + (duration > 0 ? duration : 0);
    f->pts = pts;
    f->duration = duration > 0 ? duration : SL_NO_TIME;
}

/* What came before was damaged: told once, decoding goes on. */
static void tell_damage(struct sl_libav_decoder *d, int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    (void)av_strerror(code, text, sizeof text);
    sl_log_write(d->log, d->damage_told ? SL_LOG_DEBUG : SL_LOG_WARN, "decode",
                 "%s: damaged data is passed over: %s", d->codec_name, text);
    d->damage_told = true;
}

static enum sl_status libav_receive(struct sl_decoder *decoder, struct sl_frame **out,
                                    struct sl_error *err)
{
    struct sl_libav_decoder *d = (struct sl_libav_decoder *)decoder;
    enum sl_status status = SL_OK;

    *out = NULL;
    for (int damage = 0; damage < DAMAGE_MAX; damage++) {
        int code = avcodec_receive_frame(d->codec, d->frame);
        if (code == 0) {
            int64_t pts = d->frame->best_effort_timestamp;
            int64_t duration = d->frame->pkt_duration;
            int64_t units = d->kind == SL_KIND_AUDIO ? d->frame->nb_samples : 1;
            status = d->kind == SL_KIND_AUDIO ? sl_libav_sound(d, out, err)
                                              : sl_libav_picture(d, out, err);
            if (status == SL_OK) {
                stamp(d, pts, duration, units, *out);
            }
            return status;
        }
        if (code == AVERROR(EAGAIN)) {
            return SL_EAGAIN;
        }
        if (code == AVERROR_EOF) {
            return SL_EOF;
        }
        if (code == AVERROR(ENOMEM)) {
            return sl_fail_memory(err);
        }
        tell_damage(d, code);
    }
    return sl_fail(err, SL_EDATA, NULL, "%s: nothing but damage in %d packets", d->codec_name,
                   DAMAGE_MAX);
}

static void libav_flush(struct sl_decoder *decoder)
{
    struct sl_libav_decoder *d = (struct sl_libav_decoder *)decoder;
    avcodec_flush_buffers(d->codec);
}

const struct sl_decoder_ops sl_decode_libav = {
    .name = "libav",
    .probe = libav_probe,
    .open = libav_open,
    .send = libav_send,
    .receive = libav_receive,
    .destroy = libav_destroy,
    .flush = libav_flush,
};
