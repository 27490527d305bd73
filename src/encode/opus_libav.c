/* SPDX-License-Identifier: BSD-2-Clause */
/* Opus by libopus through libavcodec. Its delay is the pre-skip (RFC 7845 4.2). Part of module
 * encode-libav. */
#include <libavutil/channel_layout.h>

#include "base/error.h"
#include "base/rational.h"
#include "encode/backends.h"
#include "encode/sound_libav.h"
#include "media/opus.h"
#include "media/track.h"

#define NAME            "opus"
#define FRAME           960   /* samples of 20 ms: the usual length */
#define CHANNEL_BITRATE 64000 /* default, bit/s */
#define MONO_BITRATE    96000 /* the same for one channel, which has no other to share with */

static enum sl_status opus_check(const struct sl_encode_params *p, const AVCodec *codec,
                                 struct sl_error *err)
{
    (void)codec;
    bool channels = p->channels == 1 || p->channels == 2 || p->channels == 6;
    if (p->sample_rate != SL_OPUS_RATE || !channels ||
        sl_rational_compare(p->timebase, sl_rational(1, p->sample_rate)) != 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "%d channels at %d Hz, expected 1, 2 or 6 at %d Hz in ticks of a sample",
                       p->channels, p->sample_rate, SL_OPUS_RATE);
    }
    return SL_OK;
}

static enum sl_status opus_configure(AVCodecContext *c, const struct sl_encode_params *p,
                                     struct sl_error *err)
{
    c->bit_rate = p->bitrate > 0     ? p->bitrate
                  : p->channels == 1 ? MONO_BITRATE
                                     : (int64_t)CHANNEL_BITRATE * p->channels;
    if (p->channels != 6) {
        av_channel_layout_default(&c->ch_layout, p->channels);
        return SL_OK;
    }
    /* 5.1 with back speakers is what mapping family 1 knows (RFC 7845 5.1.1.2); libavcodec puts the
     * channels into its order. */
    int code = av_channel_layout_from_mask(&c->ch_layout, AV_CH_LAYOUT_5POINT1_BACK);
    return code < 0 ? sl_sound_libav_fail(err, NAME, code, "channel layout") : SL_OK;
}

static enum sl_status opus_describe(struct sl_track *t, const AVCodecContext *c,
                                    const struct sl_encode_params *p, struct sl_error *err)
{
    (void)t;
    struct sl_opus_head head;
    enum sl_status status = sl_opus_parse(c->extradata, (size_t)c->extradata_size, &head, err);
    if (status != SL_OK) {
        return status;
    }
    if (head.channels != p->channels || head.pre_skip != c->initial_padding) {
        return sl_fail(err, SL_EDATA, NAME, "OpusHead says %u channels and a pre-skip of %u",
                       head.channels, head.pre_skip);
    }
    return SL_OK;
}

static const struct sl_sound_coder coder = {
    .ops = &sl_encode_opus_libav,
    .libav_name = "libopus",
    .codec = SL_CODEC_OPUS,
    .frame = FRAME,
    .interleaved = true,
    .check = opus_check,
    .configure = opus_configure,
    .describe = opus_describe,
};

static enum sl_status opus_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return sl_sound_libav_open(out, &coder, params, err);
}

const struct sl_coder_ops sl_encode_opus_libav = {
    .name = NAME,
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_OPUS,
    .open = opus_open,
    .send = sl_sound_libav_send,
    .receive = sl_sound_libav_receive,
    .destroy = sl_sound_libav_destroy,
};
