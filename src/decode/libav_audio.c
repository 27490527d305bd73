/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "decode/libav.h"

#define FOLD_GAIN 0.70710678F

/* dst += gain * source, in floats of full scale 1. */
static void mix(float *dst, const uint8_t *src, size_t step, int samples,
                enum AVSampleFormat format, float gain)
{
#define MIX(type, value)                                                                           \
    for (int i = 0; i < samples; i++, src += step) {                                               \
        type v;                                                                                    \
        memcpy(&v, src, sizeof v);                                                                 \
        dst[i] += gain * (float)(value);                                                           \
    }                                                                                              \
    break

    switch (format) {
    case AV_SAMPLE_FMT_U8:
        MIX(uint8_t, (float)((int)v - 128) / 128.0F);
    case AV_SAMPLE_FMT_S16:
        MIX(int16_t, (float)v / 32768.0F);
    case AV_SAMPLE_FMT_S32:
        MIX(int32_t, (float)v / 2147483648.0F);
    case AV_SAMPLE_FMT_S64:
        MIX(int64_t, (float)v / 9223372036854775808.0F);
    case AV_SAMPLE_FMT_FLT:
        MIX(float, v);
    case AV_SAMPLE_FMT_DBL:
        MIX(double, v);
    default:
        break;
    }
#undef MIX
}

/* The mask's lowest SL_FRAME_PLANES speakers: those are what is left after folding. */
static uint64_t layout_mask(const AVChannelLayout *layout)
{
    uint64_t mask = layout->order == AV_CHANNEL_ORDER_NATIVE ? layout->u.mask : 0;
    uint64_t kept = 0;
    for (int n = 0; mask && n < SL_FRAME_PLANES; n++) {
        kept |= mask & -mask;
        mask &= mask - 1;
    }
    return kept;
}

static enum sl_status converted(struct sl_libav_decoder *d, struct sl_frame **out,
                                struct sl_error *err)
{
    const AVFrame *in = d->frame;
    int channels = in->ch_layout.nb_channels;
    int kept = channels < SL_FRAME_PLANES ? channels : SL_FRAME_PLANES;
    enum AVSampleFormat packed = av_get_packed_sample_fmt((enum AVSampleFormat)in->format);
    size_t each = (size_t)av_get_bytes_per_sample(packed);
    bool planar = av_sample_fmt_is_planar((enum AVSampleFormat)in->format) != 0;
    enum sl_status status = sl_frame_create_audio(out, kept, layout_mask(&in->ch_layout),
                                                  in->sample_rate, in->nb_samples, err);

    if (status != SL_OK) {
        return status;
    }
    if (kept < channels && !d->fold_told) {
        d->fold_told = true;
        sl_log_write(d->log, SL_LOG_WARN, "decode",
                     "%s: %d channels, those after the first %d are mixed into the front pair",
                     d->codec_name, channels, kept);
    }
    for (int i = 0; i < channels; i++) {
        int to = i < kept ? i : i & 1;
        const uint8_t *src = planar ? in->extended_data[i] : in->data[0] + (size_t)i * each;
        mix((float *)(void *)(*out)->plane[to], src, planar ? each : each * (size_t)channels,
            in->nb_samples, packed, i < kept ? 1.0F : FOLD_GAIN);
    }
    return SL_OK;
}

static enum sl_status shared(struct sl_libav_decoder *d, struct sl_frame **out,
                             struct sl_error *err)
{
    const AVFrame *in = d->frame;
    struct sl_frame *f = NULL;
    enum sl_status status = sl_frame_create(&f, SL_KIND_AUDIO, err);

    if (status != SL_OK) {
        return status;
    }
    f->sample_format = SL_SAMPLE_F32P;
    f->sample_rate = in->sample_rate;
    f->channels = in->ch_layout.nb_channels;
    f->channel_layout = layout_mask(&in->ch_layout);
    f->samples = in->nb_samples;
    for (int i = 0; i < f->channels; i++) {
        f->plane[i] = in->extended_data[i];
    }
    status = sl_libav_keep(d->frame, &f->buf[0], err);
    if (status != SL_OK) {
        sl_frame_unref(&f);
        return status;
    }
    *out = f;
    return SL_OK;
}

enum sl_status sl_libav_sound(struct sl_libav_decoder *d, struct sl_frame **out,
                              struct sl_error *err)
{
    const AVFrame *in = d->frame;
    int channels = in->ch_layout.nb_channels;
    enum sl_status status = SL_OK;

    *out = NULL;
    if (channels < 1 || in->sample_rate < 1 || in->nb_samples < 1) {
        status = sl_fail(err, SL_EDATA, NULL, "%s: %d samples in %d channels at %d Hz",
                         d->codec_name, in->nb_samples, channels, in->sample_rate);
    } else if (in->format == AV_SAMPLE_FMT_FLTP && channels <= SL_FRAME_PLANES) {
        status = shared(d, out, err);
    } else {
        status = converted(d, out, err);
    }
    av_frame_unref(d->frame);
    return status;
}
