/* SPDX-License-Identifier: BSD-2-Clause */
/* AAC-LC by libavcodec's own encoder. Part of module encode-libav. */
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>

#include "base/error.h"
#include "base/rational.h"
#include "encode/backends.h"
#include "encode/sound_libav.h"
#include "media/aac.h"
#include "media/track.h"

#define NAME            "aac"
#define FRAME           1024  /* samples of a frame of AAC-LC */
#define CHANNELS_MAX    8     /* SL_FRAME_PLANES, and channel configuration 7 */
#define CHANNEL_BITRATE 64000 /* default, bit/s: transparent for most stereo at 128k */
/* Lambda to begin with. It rises by a tenth a frame at most and falls as far as it has to: one that
 * begins low stays coarser for seconds where the sound is quiet. libavcodec's own is 120. */
#define JOINING_LAMBDA 960
#define CHANNEL_RATE_MAX                                                                           \
    INT64_C(6144) /* bits a frame and channel may take (ISO/IEC 14496-3 4.5.3.3) */

/* Layouts that AAC has a channel configuration for go by that, so that no program config element
 * is needed. "5.1(side)" is what AC-3 and our mixing call the layout that AAC's table 1.19 knows
 * with back speakers: the same five directions. */
static uint64_t layout_for(const struct sl_encode_params *p)
{
    uint64_t layout = p->channel_layout;
    if (layout == AV_CH_LAYOUT_5POINT0) {
        return AV_CH_LAYOUT_5POINT0_BACK;
    }
    if (layout == AV_CH_LAYOUT_5POINT1) {
        return AV_CH_LAYOUT_5POINT1_BACK;
    }
    return layout;
}

static enum sl_status aac_check(const struct sl_encode_params *p, const AVCodec *codec,
                                struct sl_error *err)
{
    bool known = false;
    for (const int *rate = codec->supported_samplerates; rate && *rate; rate++) {
        known = known || *rate == p->sample_rate;
    }
    if (!known) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "sample rate %d, expected one of AAC's (8000 to 96000)", p->sample_rate);
    }
    if (p->channels < 1 || p->channels > CHANNELS_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "%d channels, expected 1 to %d", p->channels,
                       CHANNELS_MAX);
    }
    if (sl_rational_compare(p->timebase, sl_rational(1, p->sample_rate)) != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "timebase %lld/%lld, expected 1/%d",
                       (long long)p->timebase.num, (long long)p->timebase.den, p->sample_rate);
    }
    int64_t limit = sl_muldiv(CHANNEL_RATE_MAX * p->channels, p->sample_rate, FRAME, SL_ROUND_DOWN);
    if (p->bitrate < 0 || p->bitrate > limit) {
        return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld, expected up to %lld",
                       (long long)p->bitrate, (long long)limit);
    }
    return SL_OK;
}

static enum sl_status aac_configure(AVCodecContext *c, const struct sl_encode_params *p,
                                    struct sl_error *err)
{
    c->bit_rate = p->bitrate > 0 ? p->bitrate : (int64_t)CHANNEL_BITRATE * p->channels;
    c->profile = FF_PROFILE_AAC_LOW;
    c->global_quality = p->joins ? JOINING_LAMBDA : 0;
    uint64_t layout = layout_for(p);
    if (layout == 0) {
        av_channel_layout_default(&c->ch_layout, p->channels);
    } else if (av_channel_layout_from_mask(&c->ch_layout, layout) < 0 ||
               c->ch_layout.nb_channels != p->channels) {
        return sl_fail(err, SL_EINVAL, NAME, "channel layout 0x%llx does not have %d channels",
                       (unsigned long long)p->channel_layout, p->channels);
    }
    /* The quick coder is also the better one: on film sound, music and speech at 48 to 192 kbit/s
     * it takes 0.55 of the time of "twoloop" and leaves less error that is not masked
     * (docs/encode.md has the numbers). */
    int code = av_opt_set(c->priv_data, "aac_coder", "fast", 0);
    return code < 0 ? sl_sound_libav_fail(err, NAME, code, "cannot be opened") : SL_OK;
}

static enum sl_status aac_describe(struct sl_track *t, const AVCodecContext *c,
                                   const struct sl_encode_params *p, struct sl_error *err)
{
    struct sl_aac_config config;
    if (c->initial_padding % FRAME != 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "libavcodec has a delay of %d samples, expected whole frames of %d",
                       c->initial_padding, FRAME);
    }
    enum sl_status status =
        sl_aac_parse_config(c->extradata, (size_t)c->extradata_size, &config, err);
    if (status != SL_OK) {
        return status;
    }
    if (config.object_type != 2 || config.sample_rate != (uint32_t)p->sample_rate || config.sbr) {
        return sl_fail(err, SL_EDATA, NAME,
                       "AudioSpecificConfig says object type %u at %u Hz, asked for 2 at %d Hz",
                       config.object_type, config.sample_rate, p->sample_rate);
    }
    t->profile = 2;
    return SL_OK;
}

static const struct sl_sound_coder coder = {
    .ops = &sl_encode_aac_libav,
    .libav_name = "aac",
    .codec = SL_CODEC_AAC,
    .frame = FRAME,
    .has_times = true,
    .check = aac_check,
    .configure = aac_configure,
    .describe = aac_describe,
};

static enum sl_status aac_open(struct sl_coder **out, const struct sl_encode_params *params,
                               struct sl_error *err)
{
    return sl_sound_libav_open(out, &coder, params, err);
}

const struct sl_coder_ops sl_encode_aac_libav = {
    .name = NAME,
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_AAC,
    .open = aac_open,
    .send = sl_sound_libav_send,
    .receive = sl_sound_libav_receive,
    .destroy = sl_sound_libav_destroy,
};
