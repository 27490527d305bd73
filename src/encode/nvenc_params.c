/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/nvenc_params.h"

#include <string.h>

#include "base/error.h"
#include "base/rational.h"

#define NAME            SL_NVENC_NAME
#define FALLBACK_RATE   25 /* frames a second assumed where no nominal rate is known */
#define QP_MAX          51
#define LOOKAHEAD       16 /* pictures; NVENC allows 31 less the B pictures */
#define EXTRA_DELAY_MAX 16
#define DEPTH_MAX       16
#define REFERENCES      4 /* kept for loss recovery: every usual level holds as many */
/* With B pictures an infinite group is not allowed (nvEncodeAPI.h, gopLength): six days at 30 a
 * second, after which one IDR more does no harm. */
#define GOP_LONGEST (1u << 24)

/* Tells which capability is missing, by its name. */
#define NEED_CAP(s, cap, what, err)                                                                \
    (sl_nvenc_cap(s, cap)                                                                          \
         ? SL_OK                                                                                   \
         : sl_fail(err, SL_EUNSUPPORTED, NAME, "this device has no %s (" #cap " is 0)", what))

static bool is(const char *name, const char *other)
{
    return name && strcmp(name, other) == 0;
}

NV_ENC_BUFFER_FORMAT sl_nvenc_format(enum sl_pixel_format format)
{
    switch (format) {
    case SL_PIX_NV12:
        return NV_ENC_BUFFER_FORMAT_NV12;
    case SL_PIX_YUV420P:
        return NV_ENC_BUFFER_FORMAT_IYUV;
    case SL_PIX_YUV444P:
        return NV_ENC_BUFFER_FORMAT_YUV444;
    case SL_PIX_P010:
        return NV_ENC_BUFFER_FORMAT_YUV420_10BIT;
    /* NVENC names the bytes of a little-endian word from its top. */
    case SL_PIX_RGBA:
        return NV_ENC_BUFFER_FORMAT_ABGR;
    case SL_PIX_BGRA:
        return NV_ENC_BUFFER_FORMAT_ARGB;
    default:
        return NV_ENC_BUFFER_FORMAT_UNDEFINED;
    }
}

/* ---- preset, tune, profile ---------------------------------------------------------------- */

static enum sl_status find_preset(const char *name, GUID *out, struct sl_error *err)
{
    const GUID guids[] = {NV_ENC_PRESET_P1_GUID, NV_ENC_PRESET_P2_GUID, NV_ENC_PRESET_P3_GUID,
                          NV_ENC_PRESET_P4_GUID, NV_ENC_PRESET_P5_GUID, NV_ENC_PRESET_P6_GUID,
                          NV_ENC_PRESET_P7_GUID};
    if (name[0] != 'p' || name[1] < '1' || name[1] > '7' || name[2] != '\0') {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\", expected p1 to p7", name);
    }
    *out = guids[name[1] - '1'];
    return SL_OK;
}

static enum sl_status find_tune(const char *name, NV_ENC_TUNING_INFO *out, struct sl_error *err)
{
    static const struct {
        const char *name;
        NV_ENC_TUNING_INFO info;
    } tunes[] = {{"hq", NV_ENC_TUNING_INFO_HIGH_QUALITY},
                 {"ll", NV_ENC_TUNING_INFO_LOW_LATENCY},
                 {"ull", NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY},
                 {"lossless", NV_ENC_TUNING_INFO_LOSSLESS}};
    for (size_t i = 0; i < sizeof tunes / sizeof tunes[0]; i++) {
        if (is(name, tunes[i].name)) {
            *out = tunes[i].info;
            return SL_OK;
        }
    }
    return sl_fail(err, SL_EINVAL, NAME, "tune \"%s\", expected ll, ull, hq or lossless", name);
}

static enum sl_status set_profile_h264(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                       const struct sl_encode_params *p, bool lossless,
                                       struct sl_error *err)
{
    NV_ENC_CONFIG_H264 *h = &c->config.encodeCodecConfig.h264Config;
    const char *profile = p->profile ? p->profile : lossless ? "high444" : "high";
    c->coded = SL_PIX_YUV420P;
    h->chromaFormatIDC = 1;
    if (is(profile, "high444")) {
        /* A.2.7: also what codes without loss, in 4:2:0 unless 4:4:4 was asked for. */
        c->config.profileGUID = NV_ENC_H264_PROFILE_HIGH_444_GUID;
        if (p->profile) {
            c->coded = SL_PIX_YUV444P;
            h->chromaFormatIDC = 3;
            return NEED_CAP(s, NV_ENC_CAPS_SUPPORT_YUV444_ENCODE, "4:4:4", err);
        }
        return SL_OK;
    }
    if (lossless) {
        return sl_fail(err, SL_EINVAL, NAME,
                       "tune lossless with profile \"%s\", expected high444 or none", profile);
    }
    if (is(profile, "high")) {
        c->config.profileGUID = NV_ENC_H264_PROFILE_HIGH_GUID;
    } else if (is(profile, "main")) {
        c->config.profileGUID = NV_ENC_H264_PROFILE_MAIN_GUID;
    } else if (is(profile, "baseline")) {
        c->config.profileGUID = NV_ENC_H264_PROFILE_BASELINE_GUID;
    } else if (is(profile, "high10")) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "profile high10: H.264 has 8 bits here");
    } else {
        return sl_fail(err, SL_EINVAL, NAME,
                       "profile \"%s\", expected baseline, main, high or high444", profile);
    }
    return SL_OK;
}

static enum sl_status set_profile_hevc(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                       const struct sl_encode_params *p, struct sl_error *err)
{
    NV_ENC_CONFIG_HEVC *h = &c->config.encodeCodecConfig.hevcConfig;
    bool deep = is(p->profile, "main10");
    if (p->profile && !deep && !is(p->profile, "main")) {
        return sl_fail(err, SL_EINVAL, NAME, "profile \"%s\", expected main or main10", p->profile);
    }
    h->chromaFormatIDC = 1;
#if NVENCAPI_MAJOR_VERSION > 12 || (NVENCAPI_MAJOR_VERSION == 12 && NVENCAPI_MINOR_VERSION >= 2)
    h->inputBitDepth = deep ? NV_ENC_BIT_DEPTH_10 : NV_ENC_BIT_DEPTH_8;
    h->outputBitDepth = h->inputBitDepth;
#else
    h->pixelBitDepthMinus8 = deep ? 2 : 0;
#endif
    c->config.profileGUID = deep ? NV_ENC_HEVC_PROFILE_MAIN10_GUID : NV_ENC_HEVC_PROFILE_MAIN_GUID;
    c->coded = deep ? SL_PIX_P010 : SL_PIX_YUV420P;
    return deep ? NEED_CAP(s, NV_ENC_CAPS_SUPPORT_10BIT_ENCODE, "10 bits", err) : SL_OK;
}

/* ---- rate control -------------------------------------------------------------------------- */

static enum sl_status bits(int64_t value, const char *what, uint32_t *out, struct sl_error *err)
{
    if (value < 0 || value > UINT32_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "%s %lld, expected 0 to %u", what, (long long)value,
                       UINT32_MAX);
    }
    *out = (uint32_t)value;
    return SL_OK;
}

static enum sl_status need_mode(struct sl_nvenc_session *s, NV_ENC_PARAMS_RC_MODE mode,
                                const char *name, struct sl_error *err)
{
    int modes = sl_nvenc_cap(s, NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES);
    return ((unsigned)modes & (unsigned)mode) != 0
               ? SL_OK
               : sl_fail(err, SL_EUNSUPPORTED, NAME,
                         "this device has no %s (NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES is %d)",
                         name, modes);
}

static enum sl_status set_bitrate(NV_ENC_RC_PARAMS *rc, struct sl_nvenc_session *s,
                                  const struct sl_encode_params *p, struct sl_error *err)
{
    bool constant = p->rate == SL_RATE_CBR;
    rc->rateControlMode = constant ? NV_ENC_PARAMS_RC_CBR : NV_ENC_PARAMS_RC_VBR;
    if (p->bitrate < 1000) {
        return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld, expected 1000 or more",
                       (long long)p->bitrate);
    }
    enum sl_status status = bits(p->bitrate, "bitrate", &rc->averageBitRate, err);
    if (status == SL_OK && constant) {
        rc->maxBitRate = rc->averageBitRate;
        if (rc->vbvBufferSize == 0) {
            rc->vbvBufferSize = rc->averageBitRate; /* one second */
        }
    }
    return status == SL_OK ? need_mode(s, rc->rateControlMode, constant ? "CBR" : "VBR", err)
                           : status;
}

/* Constant quality is VBR without a bitrate (nvEncodeAPI.h, targetQuality), in 8.8 fixed point. */
static enum sl_status set_quality(NV_ENC_RC_PARAMS *rc, struct sl_nvenc_session *s,
                                  enum sl_codec codec, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    struct sl_rational crf = p->crf;
    if (crf.num == 0) {
        crf = sl_rational(codec == SL_CODEC_HEVC ? 28 : 23, 1);
    }
    if (crf.den <= 0 || sl_rational_compare(crf, sl_rational(1, 1)) < 0 ||
        sl_rational_compare(crf, sl_rational(QP_MAX, 1)) > 0) {
        return sl_fail(err, SL_EINVAL, NAME, "crf %lld/%lld, expected 1 to %d",
                       (long long)p->crf.num, (long long)p->crf.den, QP_MAX);
    }
    int64_t fixed = sl_muldiv(crf.num, 256, crf.den, SL_ROUND_NEAREST);
    rc->rateControlMode = NV_ENC_PARAMS_RC_VBR;
    rc->averageBitRate = 0;
    rc->targetQuality = (uint8_t)(fixed >> 8);
    rc->targetQualityLSB = (uint8_t)(fixed & 0xff);
    return need_mode(s, NV_ENC_PARAMS_RC_VBR, "VBR", err);
}

static void set_quantiser(NV_ENC_RC_PARAMS *rc, int qp)
{
    rc->rateControlMode = NV_ENC_PARAMS_RC_CONSTQP;
    rc->constQP.qpInterP = rc->constQP.qpInterB = rc->constQP.qpIntra = (uint32_t)qp;
    rc->averageBitRate = rc->maxBitRate = rc->vbvBufferSize = rc->vbvInitialDelay = 0;
}

static enum sl_status set_rate(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                               enum sl_codec codec, const struct sl_encode_params *p,
                               struct sl_error *err)
{
    NV_ENC_RC_PARAMS *rc = &c->config.rcParams;
    rc->version = sl_nvenc_version(s, NV_ENC_RC_PARAMS_VER);
    rc->vbvInitialDelay = 0;
    rc->targetQuality = rc->targetQualityLSB = 0;
    if (c->init.tuningInfo == NV_ENC_TUNING_INFO_LOSSLESS) {
        if (p->rate == SL_RATE_VBR || p->rate == SL_RATE_CBR) {
            return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld with tune lossless, expected none",
                           (long long)p->bitrate);
        }
        set_quantiser(rc, 0);
        return NEED_CAP(s, NV_ENC_CAPS_SUPPORT_LOSSLESS_ENCODE, "lossless coding", err);
    }
    enum sl_status status = bits(p->maxrate, "maxrate", &rc->maxBitRate, err);
    if (status == SL_OK) {
        status = bits(p->buffer, "buffer", &rc->vbvBufferSize, err);
    }
    if (status == SL_OK && p->buffer > 0) {
        status =
            NEED_CAP(s, NV_ENC_CAPS_SUPPORT_CUSTOM_VBV_BUF_SIZE, "buffer of a given size", err);
    }
    if (status != SL_OK) {
        return status;
    }
    switch (p->rate) {
    case SL_RATE_VBR:
    case SL_RATE_CBR:
        return set_bitrate(rc, s, p, err);
    case SL_RATE_CRF:
        return set_quality(rc, s, codec, p, err);
    case SL_RATE_CQP:
        if (p->qp < 0 || p->qp > QP_MAX) {
            return sl_fail(err, SL_EINVAL, NAME, "qp %d, expected 0 to %d", p->qp, QP_MAX);
        }
        set_quantiser(rc, p->qp);
        return SL_OK;
    case SL_RATE_AUTO:
        break;
    }
    return sl_fail(err, SL_EINVAL, NAME, "rate control %d is not known", (int)p->rate);
}

/* ---- picture ------------------------------------------------------------------------------- */

static enum sl_status check_side(struct sl_nvenc_session *s, const char *what, int32_t side,
                                 NV_ENC_CAPS least, NV_ENC_CAPS most, bool even,
                                 struct sl_error *err)
{
    int min = sl_nvenc_cap(s, least), max = sl_nvenc_cap(s, most);
    if (side < 1 || (even && side % 2 != 0)) {
        return sl_fail(err, SL_EINVAL, NAME, "%s %d, expected %s", what, side,
                       even ? "an even number above 0" : "1 or more");
    }
    if (side < min || side > max) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "%s %d, this device does %d to %d (NV_ENC_CAPS_%s_MIN, _MAX)", what, side,
                       min, max, most == NV_ENC_CAPS_WIDTH_MAX ? "WIDTH" : "HEIGHT");
    }
    return SL_OK;
}

static enum sl_status set_picture(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                  const struct sl_encode_params *p, struct sl_error *err)
{
    NV_ENC_INITIALIZE_PARAMS *i = &c->init;
    bool even = c->coded != SL_PIX_YUV444P;
    enum sl_status status =
        check_side(s, "width", p->width, NV_ENC_CAPS_WIDTH_MIN, NV_ENC_CAPS_WIDTH_MAX, even, err);
    if (status == SL_OK) {
        status = check_side(s, "height", p->height, NV_ENC_CAPS_HEIGHT_MIN, NV_ENC_CAPS_HEIGHT_MAX,
                            even, err);
    }
    if (status != SL_OK) {
        return status;
    }
    i->encodeWidth = (uint32_t)p->width;
    i->encodeHeight = (uint32_t)p->height;
    i->maxEncodeWidth = i->encodeWidth;
    i->maxEncodeHeight = i->encodeHeight;
    if (sl_nvenc_cap(s, NV_ENC_CAPS_SUPPORT_DYN_RES_CHANGE)) {
        i->maxEncodeWidth = (uint32_t)(p->max_width > p->width ? p->max_width : p->width);
        i->maxEncodeHeight = (uint32_t)(p->max_height > p->height ? p->max_height : p->height);
    }
    /* The display's aspect ratio; NVENC makes sample_aspect_ratio of it. */
    struct sl_rational dar = sl_rational(p->width, p->height);
    if (sl_rational_valid(p->sample_aspect)) {
        struct sl_rational sar = sl_rational_limit(p->sample_aspect, 65535);
        dar = sl_rational_limit(sl_rational(sar.num * p->width, sar.den * p->height), INT32_MAX);
    }
    i->darWidth = (uint32_t)dar.num;
    i->darHeight = (uint32_t)dar.den;
    struct sl_rational rate = sl_rational(FALLBACK_RATE, 1);
    if (sl_rational_valid(p->frame_rate)) {
        rate = sl_rational_limit(p->frame_rate, INT32_MAX);
    }
    i->frameRateNum = (uint32_t)rate.num;
    i->frameRateDen = (uint32_t)rate.den;
    return SL_OK;
}

/* H.264 and H.265 Annex E. NVENC's own conversion of RGB goes by the matrix that is stated here. */
static enum sl_status set_vui(NV_ENC_CONFIG_H264_VUI_PARAMETERS *v,
                              const struct sl_encode_params *p, struct sl_error *err)
{
    const struct sl_colour *colour = &p->colour;
    if (colour->matrix == 0) {
        return sl_fail(err, SL_EINVAL, NAME, "colour matrix 0 (RGB), expected one of YUV");
    }
    v->videoSignalTypePresentFlag = 1;
    v->videoFormat = 5; /* unspecified */
    v->videoFullRangeFlag = colour->range == SL_RANGE_FULL;
    v->colourDescriptionPresentFlag =
        colour->primaries != 2 || colour->transfer != 2 || colour->matrix != 2;
    v->colourPrimaries = colour->primaries;
    v->transferCharacteristics = colour->transfer;
    v->colourMatrix = colour->matrix;
    if (colour->chroma_location > 0) {
        v->chromaSampleLocationFlag = 1;
        v->chromaSampleLocationTop = v->chromaSampleLocationBot =
            (uint32_t)(colour->chroma_location - 1);
    }
    v->bitstreamRestrictionFlag = 1; /* max_num_reorder_frames: decoders wait without it */
    return SL_OK;
}

/* ---- order --------------------------------------------------------------------------------- */

static enum sl_status set_lookahead(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                    const struct sl_encode_params *p, struct sl_error *err)
{
    int most = sl_nvenc_cap(s, NV_ENC_CAPS_NUM_MAX_BFRAMES);
    NV_ENC_RC_PARAMS *rc = &c->config.rcParams;
    int b = c->config.frameIntervalP > 1 ? c->config.frameIntervalP - 1 : 0;
    b = b < most ? b : most;
    if (p->intra_refresh || p->loss_recovery) {
        b = 0; /* neither goes with B pictures */
    }
    if (p->bframes >= 0) {
        if (p->bframes > most) {
            return sl_fail(err, SL_EUNSUPPORTED, NAME,
                           "%d B pictures in a row, this device does %d "
                           "(NV_ENC_CAPS_NUM_MAX_BFRAMES)",
                           p->bframes, most);
        }
        b = p->bframes;
    }
    c->config.frameIntervalP = b + 1;
    rc->zeroReorderDelay = 0;
    rc->enableLookahead = 0;
    rc->lookaheadDepth = 0;
    if (sl_nvenc_cap(s, NV_ENC_CAPS_SUPPORT_LOOKAHEAD)) {
        rc->enableLookahead = 1;
        rc->lookaheadDepth = LOOKAHEAD;
        rc->disableIadapt = 1; /* groups begin where the caller says */
    }
    c->delay = b + rc->lookaheadDepth;
    /* B pictures are not referred to, so each waits for one picture alone. H.265 states it itself;
     * what is stated there cannot be mended. */
    c->reorder = b > 0 ? 1 : 0;
    return SL_OK;
}

static enum sl_status set_order(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                enum sl_codec codec, const struct sl_encode_params *p,
                                struct sl_error *err)
{
    NV_ENC_RC_PARAMS *rc = &c->config.rcParams;
    if (p->extra_delay < 0 || p->extra_delay > EXTRA_DELAY_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "extra output delay %d, expected 0 to %d",
                       p->extra_delay, EXTRA_DELAY_MAX);
    }
    if (p->latency == SL_LATENCY_SYNC && p->extra_delay > 0) { /* it holds nothing back (stage.h) */
        return sl_fail(err, SL_EINVAL, NAME, "extra output delay %d in sync mode, expected 0",
                       p->extra_delay);
    }
    if (p->gop < 0 || p->gop >= NVENC_INFINITE_GOPLENGTH) {
        return sl_fail(err, SL_EINVAL, NAME, "gop %lld, expected 0 to %u", (long long)p->gop,
                       NVENC_INFINITE_GOPLENGTH - 1);
    }
    if (p->latency == SL_LATENCY_LOOKAHEAD) {
        enum sl_status status = set_lookahead(c, s, p, err);
        if (status != SL_OK) {
            return status;
        }
        c->reorder = codec == SL_CODEC_HEVC ? -1 : c->reorder;
    } else {
        if (p->latency == SL_LATENCY_PIPELINED && (p->depth < 1 || p->depth > DEPTH_MAX)) {
            return sl_fail(err, SL_EINVAL, NAME, "depth %d, expected 1 to %d", p->depth, DEPTH_MAX);
        }
        c->config.frameIntervalP = 1;
        rc->enableLookahead = 0;
        rc->lookaheadDepth = 0;
        rc->zeroReorderDelay = 1;
        c->reorder = 0;
        c->delay = p->latency == SL_LATENCY_PIPELINED ? p->depth : 0;
    }
    c->delay += p->extra_delay;
    c->config.gopLength = p->gop > 0                     ? (uint32_t)p->gop
                          : c->config.frameIntervalP > 1 ? GOP_LONGEST
                                                         : NVENC_INFINITE_GOPLENGTH;
    return SL_OK;
}

/* Intra refresh takes the place of IDR pictures: a cycle as long as a group would have been, or a
 * second, one picture in two of it refreshing. */
static enum sl_status set_refresh(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                  const struct sl_encode_params *p, uint32_t *period,
                                  struct sl_error *err)
{
    *period = 0;
    if (!p->intra_refresh) {
        return SL_OK;
    }
    if (c->config.frameIntervalP > 1) {
        return sl_fail(err, SL_EINVAL, NAME, "intra refresh with %d B pictures, expected none",
                       c->config.frameIntervalP - 1);
    }
    *period = p->gop > 0 ? (uint32_t)p->gop : c->init.frameRateNum / c->init.frameRateDen;
    *period = *period > 2 ? *period : 2;
    c->refresh = (*period + 1) / 2;
    c->config.gopLength = NVENC_INFINITE_GOPLENGTH; /* the refresh is disabled else */
    return NEED_CAP(s, NV_ENC_CAPS_SUPPORT_INTRA_REFRESH, "intra refresh", err);
}

static void set_h264(struct sl_nvenc_config *c, const struct sl_encode_params *p, uint32_t refresh,
                     bool lossless)
{
    NV_ENC_CONFIG_H264 *h = &c->config.encodeCodecConfig.h264Config;
    h->idrPeriod = c->config.gopLength;
    h->level = (uint32_t)p->level; /* 0: NV_ENC_LEVEL_AUTOSELECT */
    h->repeatSPSPPS = 1;
    h->disableSPSPPS = 0;
    h->outputAUD = 0;
    h->useBFramesAsRef = NV_ENC_BFRAME_REF_MODE_DISABLED;
    h->qpPrimeYZeroTransformBypassFlag = lossless;
    h->enableIntraRefresh = refresh > 0;
    h->intraRefreshPeriod = refresh;
    h->intraRefreshCnt = refresh > 0 ? c->refresh : 0;
    if (c->references > 0) {
        h->maxNumRefFrames = (uint32_t)c->references;
    }
}

static void set_hevc(struct sl_nvenc_config *c, const struct sl_encode_params *p, uint32_t refresh)
{
    NV_ENC_CONFIG_HEVC *h = &c->config.encodeCodecConfig.hevcConfig;
    h->idrPeriod = c->config.gopLength;
    h->level = (uint32_t)(3 * p->level); /* H.265 A.4.1: 30 times the level */
    h->tier = NV_ENC_TIER_HEVC_MAIN;
    h->repeatSPSPPS = 1;
    h->disableSPSPPS = 0;
    h->outputAUD = 0;
    h->useBFramesAsRef = NV_ENC_BFRAME_REF_MODE_DISABLED;
    h->enableIntraRefresh = refresh > 0;
    h->intraRefreshPeriod = refresh;
    h->intraRefreshCnt = refresh > 0 ? c->refresh : 0;
    if (c->references > 0) {
        h->maxNumRefFramesInDPB = (uint32_t)c->references;
    }
}

static enum sl_status set_preset(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                 const struct sl_encode_params *p, struct sl_error *err)
{
    bool live = p->latency != SL_LATENCY_LOOKAHEAD;
    enum sl_status status = find_preset(p->preset ? p->preset
                                        : live    ? "p3"
                                                  : "p5",
                                        &c->init.presetGUID, err);
    if (status == SL_OK) {
        status = find_tune(p->tune ? p->tune : live ? "ll" : "hq", &c->init.tuningInfo, err);
    }
    if (status != SL_OK) {
        return status;
    }
    NV_ENC_PRESET_CONFIG preset = {
        .version = sl_nvenc_version(s, NV_ENC_PRESET_CONFIG_VER),
        .presetCfg.version = sl_nvenc_version(s, NV_ENC_CONFIG_VER),
    };
    NVENCSTATUS answer = s->driver.nvenc.nvEncGetEncodePresetConfigEx(
        s->encoder, s->codec, c->init.presetGUID, c->init.tuningInfo, &preset);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s, "nvEncGetEncodePresetConfigEx", answer, err);
    }
    c->config = preset.presetCfg;
    c->config.version = sl_nvenc_version(s, NV_ENC_CONFIG_VER);
    return SL_OK;
}

enum sl_status sl_nvenc_params(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                               enum sl_codec codec, const struct sl_encode_params *p,
                               struct sl_error *err)
{
    bool hevc = codec == SL_CODEC_HEVC;
    uint32_t period;
    *c = (struct sl_nvenc_config){
        .init = {.version = sl_nvenc_version(s, NV_ENC_INITIALIZE_PARAMS_VER),
                 .encodeGUID = s->codec,
                 .enablePTD = 1}};
    enum sl_status status = set_preset(c, s, p, err);
    bool lossless = c->init.tuningInfo == NV_ENC_TUNING_INFO_LOSSLESS;
    if (status == SL_OK) {
        status = hevc ? set_profile_hevc(c, s, p, err) : set_profile_h264(c, s, p, lossless, err);
    }
    if (status == SL_OK) {
        status = set_picture(c, s, p, err);
    }
    if (status == SL_OK) {
        status = set_vui(hevc ? &c->config.encodeCodecConfig.hevcConfig.hevcVUIParameters
                              : &c->config.encodeCodecConfig.h264Config.h264VUIParameters,
                         p, err);
    }
    if (status == SL_OK) {
        status = set_rate(c, s, codec, p, err);
    }
    if (status == SL_OK) {
        status = set_order(c, s, codec, p, err);
    }
    if (status == SL_OK) {
        status = set_refresh(c, s, p, &period, err);
    }
    if (status != SL_OK) {
        return status;
    }
    /* Where the device cannot, recover says so and an IDR takes its place. */
    if (p->loss_recovery && sl_nvenc_cap(s, NV_ENC_CAPS_SUPPORT_REF_PIC_INVALIDATION) &&
        c->config.frameIntervalP == 1) {
        c->references = REFERENCES;
    }
    if (hevc) {
        set_hevc(c, p, period);
    } else {
        set_h264(c, p, period, lossless);
    }
    return SL_OK;
}
