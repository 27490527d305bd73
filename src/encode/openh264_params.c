/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/openh264_params.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rational.h"

#define NAME          "openh264"
#define SIDE_MIN      16
#define BLOCKS_MAX    36864 /* MaxFS of level 5.2, the highest that openh264 knows */
#define THREADS_MAX   4     /* openh264 takes no more */
#define SLICE_ROWS    4     /* macroblock rows that its rate control wants in a slice at least */
#define RATE_MIN      1     /* frames a second that it takes */
#define RATE_MAX      60
#define FALLBACK_RATE 25        /* assumed where no nominal rate is known */
#define BITRATE_MAX   288000000 /* of level 5.2 (table A-1, cpbBrNalFactor 1200) */
#define QP_MIN        1
#define QP_MAX        51
#define CRF_DEFAULT   23
#define TICKS_MAX     0x7fffffff

static int find_name(const char *name, const char *const *list)
{
    for (int i = 0; list[i]; i++) {
        if (strcmp(list[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static enum sl_status check_picture(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->width < SIDE_MIN || p->height < SIDE_MIN || p->width > 16384 || p->height > 16384 ||
        p->width % 2 != 0 || p->height % 2 != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "size %dx%d, expected even sides of %d to 16384",
                       p->width, p->height, SIDE_MIN);
    }
    int32_t blocks = (p->width + 15) / 16 * ((p->height + 15) / 16);
    if (blocks > BLOCKS_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "size %dx%d is %d macroblocks, and openh264 codes at most %d", p->width,
                       p->height, blocks, BLOCKS_MAX);
    }
    struct sl_rational tb = sl_rational_reduce(p->timebase);
    if (!sl_rational_valid(tb) || tb.num > TICKS_MAX || tb.den > TICKS_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "timebase %lld/%lld, expected terms of 1 to %d",
                       (long long)p->timebase.num, (long long)p->timebase.den, TICKS_MAX);
    }
    /* H.264 E.2.1: matrix_coefficients 0 only with 4:4:4. */
    if (p->colour.matrix == 0) {
        return sl_fail(err, SL_EINVAL, NAME, "colour matrix 0 (RGB), expected one of YUV");
    }
    return SL_OK;
}

static enum sl_status check_mode(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->latency == SL_LATENCY_LOOKAHEAD) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "openh264 does not look ahead and has no B pictures: latency sync or "
                       "pipelined");
    }
    if (p->intra_refresh) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "openh264 has no intra refresh");
    }
    if (p->threads < 0) {
        return sl_fail(err, SL_EINVAL, NAME, "%d threads, expected 0 or more", p->threads);
    }
    if (p->gop < 0 || p->gop > INT32_MAX - 1) {
        return sl_fail(err, SL_EINVAL, NAME, "gop %lld, expected 0 to %d", (long long)p->gop,
                       INT32_MAX - 1);
    }
    return SL_OK;
}

/* Preset, tune and profile are openh264's complexity, usage and profile. */
static enum sl_status set_names(SEncParamExt *x, const struct sl_encode_params *p,
                                struct sl_error *err)
{
    static const char *const presets[] = {"low", "medium", "high", NULL};
    static const ECOMPLEXITY_MODE modes[] = {LOW_COMPLEXITY, MEDIUM_COMPLEXITY, HIGH_COMPLEXITY};
    static const char *const tunes[] = {"camera", "screen", NULL};
    static const char *const profiles[] = {"baseline", "main", "high", "high10", "high444", NULL};
    static const EProfileIdc idcs[] = {PRO_BASELINE, PRO_MAIN, PRO_HIGH};
    int preset = find_name(p->preset ? p->preset : "low", presets);
    int tune = find_name(p->tune ? p->tune : "camera", tunes);
    int profile = find_name(p->profile ? p->profile : "high", profiles);
    if (preset < 0) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\", expected low, medium or high",
                       p->preset);
    }
    if (tune < 0) {
        return sl_fail(err, SL_EINVAL, NAME, "tune \"%s\", expected camera or screen", p->tune);
    }
    if (profile < 0) {
        return sl_fail(err, SL_EINVAL, NAME, "profile \"%s\", expected baseline, main or high",
                       p->profile);
    }
    if (profile > 2) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "profile %s, and openh264 codes 4:2:0 of 8 bits alone", p->profile);
    }
    x->iComplexityMode = modes[preset];
    x->iUsageType = tune == 0 ? CAMERA_VIDEO_REAL_TIME : SCREEN_CONTENT_REAL_TIME;
    x->sSpatialLayers[0].uiProfileIdc = idcs[profile];
    x->iEntropyCodingModeFlag = profile > 0; /* CABAC, which is what it has of Main and High */
    return SL_OK;
}

static enum sl_status set_quantiser(SEncParamExt *x, const struct sl_encode_params *p,
                                    struct sl_error *err)
{
    int qp = p->qp;
    if (p->rate == SL_RATE_CRF) {
        bool unset = p->crf.num == 0 && (p->crf.den == 0 || p->crf.den == 1);
        struct sl_rational crf = unset ? sl_rational(CRF_DEFAULT, 1) : p->crf;
        if (crf.den <= 0 || sl_rational_compare(crf, sl_rational(QP_MIN, 1)) < 0 ||
            sl_rational_compare(crf, sl_rational(QP_MAX, 1)) > 0) {
            return sl_fail(err, SL_EINVAL, NAME, "crf %lld/%lld, expected %d to %d",
                           (long long)crf.num, (long long)crf.den, QP_MIN, QP_MAX);
        }
        qp = (int)sl_muldiv(crf.num, 1, crf.den, SL_ROUND_NEAREST);
    }
    if (qp < QP_MIN || qp > QP_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "qp %d, expected %d to %d", qp, QP_MIN, QP_MAX);
    }
    x->iRCMode = RC_OFF_MODE;
    x->sSpatialLayers[0].iDLayerQp = qp;
    return SL_OK;
}

/* Frame rates outside of what openh264 takes become the nearest one that it does, and bit rates are
 * scaled alike, so that a picture still has the same number of bits. */
static enum sl_status set_rate(SEncParamExt *x, const struct sl_encode_params *p,
                               struct sl_error *err)
{
    SSpatialLayerConfig *layer = &x->sSpatialLayers[0];
    struct sl_rational rate = sl_rational(FALLBACK_RATE, 1), taken;
    if (sl_rational_valid(p->frame_rate)) {
        rate = sl_rational_limit(p->frame_rate, TICKS_MAX);
    }
    taken = sl_rational_compare(rate, sl_rational(RATE_MIN, 1)) < 0   ? sl_rational(RATE_MIN, 1)
            : sl_rational_compare(rate, sl_rational(RATE_MAX, 1)) > 0 ? sl_rational(RATE_MAX, 1)
                                                                      : rate;
    x->fMaxFrameRate = layer->fFrameRate = (float)taken.num / (float)taken.den;
    x->iMinQp = QP_MIN;
    x->iMaxQp = QP_MAX;
    if (p->rate == SL_RATE_CQP || p->rate == SL_RATE_CRF) {
        return set_quantiser(x, p, err);
    }
    if (p->rate != SL_RATE_VBR && p->rate != SL_RATE_CBR) {
        return sl_fail(err, SL_EINVAL, NAME, "rate control %d is not known", (int)p->rate);
    }
    if (p->bitrate < 1000 || p->bitrate > BITRATE_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld, expected 1000 to %d",
                       (long long)p->bitrate, BITRATE_MAX);
    }
    if (p->maxrate != 0 && (p->maxrate < p->bitrate || p->maxrate > INT32_MAX)) {
        return sl_fail(err, SL_EINVAL, NAME, "maxrate %lld, expected 0 or %lld to %d",
                       (long long)p->maxrate, (long long)p->bitrate, INT32_MAX);
    }
    if (p->buffer < 0) {
        return sl_fail(err, SL_EINVAL, NAME, "buffer %lld, expected 0 or more",
                       (long long)p->buffer);
    }
    int64_t num = taken.num * rate.den, den = taken.den * rate.num; /* of 31 bits each */
    int64_t bits = sl_muldiv(p->bitrate, num, den, SL_ROUND_NEAREST);
    x->iRCMode = RC_BITRATE_MODE;
    x->iTargetBitrate = layer->iSpatialBitrate = (int)(bits < 1000          ? 1000
                                                       : bits > BITRATE_MAX ? BITRATE_MAX
                                                                            : bits);
    /* It would keep to a maximum by leaving pictures out, which is off. */
    x->iMaxBitrate = layer->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
    return SL_OK;
}

/* One slice for each thread: there are no others to share out. */
static void set_threads(SEncParamExt *x, const struct sl_encode_params *p)
{
    SSliceArgument *slices = &x->sSpatialLayers[0].sSliceArgument;
    long n = p->threads > 0 ? p->threads : sysconf(_SC_NPROCESSORS_ONLN);
    long most = (p->height + 15) / 16 / SLICE_ROWS;
    n = n > THREADS_MAX ? THREADS_MAX : n;
    n = n > most ? most : n;
    n = n < 1 ? 1 : n;
    x->iMultipleThreadIdc = (unsigned short)n;
    slices->uiSliceMode = n > 1 ? SM_FIXEDSLCNUM_SLICE : SM_SINGLE_SLICE;
    slices->uiSliceNum = (unsigned)n;
    x->bUseLoadBalancing = false; /* would move the slices with the load: other bytes each time */
}

/* Annex E. What openh264 has no name for is left to the contract. */
static void set_vui(SSpatialLayerConfig *layer, const struct sl_colour *c)
{
    layer->bVideoSignalTypePresent = true;
    layer->uiVideoFormat = VF_UNDEF;
    layer->bFullRange = c->range == SL_RANGE_FULL;
    layer->bColorDescriptionPresent = c->primaries < CP_NUM_ENUM && c->transfer < TRC_NUM_ENUM &&
                                      c->matrix < CM_NUM_ENUM &&
                                      (c->primaries != 2 || c->transfer != 2 || c->matrix != 2);
    if (layer->bColorDescriptionPresent) {
        layer->uiColorPrimaries = c->primaries;
        layer->uiTransferCharacteristics = c->transfer;
        layer->uiColorMatrix = c->matrix;
    }
}

enum sl_status sl_openh264_params(SEncParamExt *x, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    enum sl_status status = check_picture(p, err);
    if (status == SL_OK) {
        status = check_mode(p, err);
    }
    if (status == SL_OK) {
        status = set_names(x, p, err);
    }
    if (status == SL_OK) {
        status = set_rate(x, p, err);
    }
    if (status != SL_OK) {
        return status;
    }
    SSpatialLayerConfig *layer = &x->sSpatialLayers[0];
    x->iPicWidth = layer->iVideoWidth = p->width;
    x->iPicHeight = layer->iVideoHeight = p->height;
    x->iTemporalLayerNum = x->iSpatialLayerNum = 1;
    layer->uiLevelIdc = LEVEL_UNKNOWN; /* the lowest; the contract raises it as asked */
    set_vui(layer, &p->colour);
    if (sl_rational_valid(p->sample_aspect)) {
        struct sl_rational sar = sl_rational_limit(p->sample_aspect, 65535); /* u(16), E.1.1 */
        layer->bAspectRatioPresent = true;
        layer->eAspectRatio = ASP_EXT_SAR;
        layer->sAspectRatioExtWidth = (unsigned short)sar.num;
        layer->sAspectRatioExtHeight = (unsigned short)sar.den;
    }
    set_threads(x, p);
    x->uiIntraPeriod = (unsigned)p->gop;
    x->eSpsPpsIdStrategy = CONSTANT_ID;
    x->bPrefixNalAddingCtrl = false;
    x->bEnableFrameSkip = false;                     /* each picture sent is a picture coded */
    x->bEnableSceneChangeDetect = false;             /* would put in IDR pictures of its own */
    if (x->iUsageType == SCREEN_CONTENT_REAL_TIME) { /* what it would say it cannot do there */
        x->bEnableAdaptiveQuant = x->bEnableBackgroundDetection = false;
        x->bEnableSceneChangeDetect = true;
    }
    x->bEnableLongTermReference = p->loss_recovery;
    x->iLTRRefNum = p->loss_recovery ? 2 : 0; /* the one number that it takes */
    return SL_OK;
}
