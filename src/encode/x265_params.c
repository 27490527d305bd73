/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "encode/x265_params.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rational.h"

#define NAME          "x265"
#define SIDE_MIN      16
#define SIDE_MAX      16384
#define SAR_MAX       65535 /* sar_width and sar_height are u(16) (H.265 E.2.1) */
#define RATE_MAX_KBIT 2000000
#define QP_MIN        1 /* below, the scale of crf ends */
#define QP_MAX        51
#define FALLBACK_RATE 25  /* frames a second assumed where no nominal rate is known */
#define THREADS_MAX   128 /* of a pool; frame threads are limited by x265 */
#define BFRAMES_MAX   16
#define GOP_MAX       (INT32_MAX - 1)
#define TICKS_MAX     0x7fffffff

static bool is_named(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum sl_status check_picture(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->width < SIDE_MIN || p->height < SIDE_MIN || p->width > SIDE_MAX ||
        p->height > SIDE_MAX || p->width % 2 != 0 || p->height % 2 != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "size %dx%d, expected even sides of %d to %d",
                       p->width, p->height, SIDE_MIN, SIDE_MAX);
    }
    if (!sl_rational_valid(p->timebase)) {
        return sl_fail(err, SL_EINVAL, NAME, "timebase %lld/%lld, expected terms above 0",
                       (long long)p->timebase.num, (long long)p->timebase.den);
    }
    /* H.265 E.3.1: matrix_coeffs 0 only with 4:4:4. */
    if (p->colour.matrix == 0) {
        return sl_fail(err, SL_EINVAL, NAME, "colour matrix 0 (RGB), expected one of YUV");
    }
    if (p->colour.chroma_location > 6) { /* chroma_sample_loc_type has 0 to 5 */
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "chroma location %u cannot be described",
                       p->colour.chroma_location);
    }
    return SL_OK;
}

static enum sl_status check_mode(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->threads < 0 || p->threads > THREADS_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "%d threads, expected 0 to %d", p->threads,
                       THREADS_MAX);
    }
    if (p->gop < 0 || p->gop > GOP_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "gop %lld, expected 0 to %d", (long long)p->gop,
                       GOP_MAX);
    }
    if (p->latency == SL_LATENCY_LOOKAHEAD && p->bframes > BFRAMES_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "%d B pictures in a row, expected at most %d",
                       p->bframes, BFRAMES_MAX);
    }
    if (p->intra_refresh) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "intra refresh is not to be had from x265 without IDR pictures at times "
                       "of its own");
    }
    return SL_OK;
}

/* Looked up here: x265 writes complaints to standard error. */
static enum sl_status check_names(const struct sl_encode_params *p, struct sl_error *err)
{
    static const char *const profiles[] = {"main", "main10", NULL};
    if (p->preset && !is_named(p->preset, x265_preset_names)) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\", expected ultrafast to placebo",
                       p->preset);
    }
    if (p->tune && !is_named(p->tune, x265_tune_names)) {
        return sl_fail(err, SL_EINVAL, NAME, "tune \"%s\" is not known", p->tune);
    }
    if (p->profile && !is_named(p->profile, profiles)) {
        return sl_fail(err, SL_EINVAL, NAME, "profile \"%s\", expected main or main10", p->profile);
    }
    return SL_OK;
}

int sl_x265_depth(const struct sl_encode_params *p)
{
    return p->profile && strcmp(p->profile, "main10") == 0 ? 10 : 8;
}

static enum sl_status kbit(int64_t bits, const char *what, int *out, struct sl_error *err)
{
    int64_t k = sl_muldiv(bits, 1, 1000, SL_ROUND_NEAREST);
    if (bits < 0 || k > RATE_MAX_KBIT) {
        return sl_fail(err, SL_EINVAL, NAME, "%s %lld, expected 0 to %d000", what, (long long)bits,
                       RATE_MAX_KBIT);
    }
    *out = (int)k;
    return SL_OK;
}

static enum sl_status set_bitrate(x265_param *x, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    if (p->bitrate < 1000) {
        return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld, expected 1000 or more",
                       (long long)p->bitrate);
    }
    x->rc.rateControlMode = X265_RC_ABR;
    enum sl_status status = kbit(p->bitrate, "bitrate", &x->rc.bitrate, err);
    if (status == SL_OK && p->rate == SL_RATE_CBR) {
        x->rc.vbvMaxBitrate = x->rc.bitrate;
        x->rc.bStrictCbr = 1; /* without, it may spend half of it for seconds */
    }
    return status;
}

static enum sl_status set_quality(x265_param *x, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    if (p->rate == SL_RATE_CQP) {
        if (p->qp < QP_MIN || p->qp > QP_MAX) {
            return sl_fail(err, SL_EINVAL, NAME, "qp %d, expected %d to %d", p->qp, QP_MIN, QP_MAX);
        }
        x->rc.rateControlMode = X265_RC_CQP;
        x->rc.qp = p->qp;
        return SL_OK;
    }
    x->rc.rateControlMode = X265_RC_CRF;
    if (p->crf.num == 0 && (p->crf.den == 0 || p->crf.den == 1)) {
        return SL_OK; /* not set: x265's own, 28 */
    }
    if (p->crf.den <= 0 || sl_rational_compare(p->crf, sl_rational(QP_MIN, 1)) < 0 ||
        sl_rational_compare(p->crf, sl_rational(QP_MAX, 1)) > 0) {
        return sl_fail(err, SL_EINVAL, NAME, "crf %lld/%lld, expected %d to %d",
                       (long long)p->crf.num, (long long)p->crf.den, QP_MIN, QP_MAX);
    }
    x->rc.rfConstant = (double)p->crf.num / (double)p->crf.den;
    return SL_OK;
}

static enum sl_status set_rate(x265_param *x, const struct sl_encode_params *p,
                               struct sl_error *err)
{
    enum sl_status status = kbit(p->maxrate, "maxrate", &x->rc.vbvMaxBitrate, err);
    if (status == SL_OK) {
        status = kbit(p->buffer, "buffer", &x->rc.vbvBufferSize, err);
    }
    if (status != SL_OK) {
        return status;
    }
    switch (p->rate) {
    case SL_RATE_VBR:
    case SL_RATE_CBR:
        status = set_bitrate(x, p, err);
        break;
    case SL_RATE_CRF:
    case SL_RATE_CQP:
        status = set_quality(x, p, err);
        break;
    default:
        return sl_fail(err, SL_EINVAL, NAME, "rate control %d is not known", (int)p->rate);
    }
    if (x->rc.vbvMaxBitrate > 0 && x->rc.vbvBufferSize == 0) {
        x->rc.vbvBufferSize = x->rc.vbvMaxBitrate; /* one second */
    }
    return status;
}

/* Annex E. Code points that this x265 does not know are left to the contract. */
static void set_vui(x265_param *x, const struct sl_encode_params *p)
{
    enum { PRIMARIES = 12, TRANSFER = 18, MATRIX = 14, UNSPECIFIED = 2, RESERVED = 3 };
    const struct sl_colour *c = &p->colour;
    if (sl_rational_valid(p->sample_aspect)) {
        struct sl_rational sar = sl_rational_limit(p->sample_aspect, SAR_MAX);
        x->vui.aspectRatioIdc = X265_EXTENDED_SAR;
        x->vui.sarWidth = (int)sar.num;
        x->vui.sarHeight = (int)sar.den;
    }
    x->vui.bEnableVideoSignalTypePresentFlag = 1;
    x->vui.videoFormat = 5; /* unspecified */
    x->vui.bEnableVideoFullRangeFlag = c->range == SL_RANGE_FULL;
    bool stated =
        c->primaries != UNSPECIFIED || c->transfer != UNSPECIFIED || c->matrix != UNSPECIFIED;
    bool known = c->primaries > 0 && c->primaries <= PRIMARIES && c->primaries != RESERVED &&
                 c->transfer > 0 && c->transfer <= TRANSFER && c->transfer != RESERVED &&
                 c->matrix <= MATRIX && c->matrix != RESERVED;
    if (stated && known) {
        x->vui.bEnableColorDescriptionPresentFlag = 1;
        x->vui.colorPrimaries = c->primaries;
        x->vui.transferCharacteristics = c->transfer;
        x->vui.matrixCoeffs = c->matrix;
    }
    if (c->chroma_location > 1) { /* 1, left, is what is inferred */
        x->vui.bEnableChromaLocInfoPresentFlag = 1;
        x->vui.chromaSampleLocTypeTopField = c->chroma_location - 1;
        x->vui.chromaSampleLocTypeBottomField = c->chroma_location - 1;
    }
}

static void set_timing(x265_param *x, const struct sl_encode_params *p)
{
    struct sl_rational rate = sl_rational(FALLBACK_RATE, 1);
    if (sl_rational_valid(p->frame_rate)) {
        rate = sl_rational_limit(p->frame_rate, TICKS_MAX);
    } else {
        x->bEmitVUITimingInfo = 0; /* a guess is for rate control alone */
    }
    x->fpsNum = (uint32_t)rate.num;
    x->fpsDenom = (uint32_t)rate.den;
}

/* Threads of the pool share a picture by rows (wavefront). Without a name for the pool x265 makes
 * one of as many as there are processors; it copies the name each time and never frees it. */
static void set_threads(x265_param *x, const struct sl_encode_params *p, char pools[static 16])
{
    if (p->threads == 1) { /* no pool */
        x->frameNumThreads = 1;
        x->bEnableWavefront = 0;
        x->lookaheadSlices = 0;
    } else if (p->threads > 1 && p->threads < sysconf(_SC_NPROCESSORS_ONLN)) {
        (void)snprintf(pools, 16, "%d", p->threads);
        x->numaPools = pools;
    }
}

/* One picture in, its own access unit out: nothing that looks ahead or turns the order round. x265
 * waits for the picture at hand only where all of this is so; with frame threads it hands out the
 * picture that is as many behind as there are threads. */
static void set_live(x265_param *x, const struct sl_encode_params *p)
{
    x->bframes = 0;
    x->bFrameAdaptive = 0;
    x->bBPyramid = 0;
    x->lookaheadDepth = 0;
    x->lookaheadSlices = 0;
    x->scenecutThreshold = 0; /* IDR where the caller and the gop say */
    x->bHistBasedSceneCut = 0;
    x->rc.cuTree = 0;
    x->maxSlices = 1;
    x->frameNumThreads = p->latency == SL_LATENCY_PIPELINED && p->depth > 1 ? p->depth : 1;
    if (x->frameNumThreads > X265_MAX_FRAME_THREADS) {
        x->frameNumThreads = X265_MAX_FRAME_THREADS;
    }
}

static void set_groups(x265_param *x, const struct sl_encode_params *p)
{
    if (p->latency == SL_LATENCY_LOOKAHEAD && p->bframes >= 0) {
        x->bframes = p->bframes;
    }
    x->keyframeMax = p->gop > 0 ? (int)p->gop : -1; /* -1: without end */
    x->keyframeMin = 0;                             /* x265's own */
    x->bOpenGOP = 0;
    x->radl = 0;
    /* Never x->levelIdc: x265 takes it for a wish to have a VBV, or refuses. The contract says the
     * level. */
}

/* A picture has to hold one block of the largest size. */
static void set_blocks(x265_param *x)
{
    int side = x->sourceWidth < x->sourceHeight ? x->sourceWidth : x->sourceHeight;
    while (x->maxCUSize > SIDE_MIN && (uint32_t)side < x->maxCUSize) {
        x->maxCUSize /= 2;
    }
    x->maxTUSize = x->maxTUSize > x->maxCUSize ? x->maxCUSize : x->maxTUSize;
    if (x->minCUSize >= x->maxCUSize) {
        x->minCUSize = x->maxCUSize / 2;
    }
}

enum sl_status sl_x265_params(const struct x265_api *api, x265_param *x,
                              const struct sl_encode_params *p, char pools[static 16],
                              struct sl_error *err)
{
    enum sl_status status = check_picture(p, err);
    if (status == SL_OK) {
        status = check_mode(p, err);
    }
    if (status == SL_OK) {
        status = check_names(p, err);
    }
    if (status != SL_OK) {
        return status;
    }
    bool live = p->latency != SL_LATENCY_LOOKAHEAD;
    const char *preset = p->preset ? p->preset : live ? "ultrafast" : "medium";
    if (api->param_default_preset(x, preset, p->tune) != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\" or its tuning is refused", preset);
    }
    x->logLevel = X265_LOG_NONE; /* it has no callback, and would write to standard error */
    x->sourceWidth = p->width;
    x->sourceHeight = p->height;
    x->internalCsp = X265_CSP_I420;
    x->internalBitDepth = x->sourceBitDepth = sl_x265_depth(p);
    set_timing(x, p);
    set_vui(x, p);
    set_groups(x, p);
    if (live) {
        set_live(x, p);
    }
    set_threads(x, p, pools);
    set_blocks(x);
    x->bAnnexB = 1;
    x->bRepeatHeaders = 0; /* the contract puts them in front of each IDR */
    x->bEnableAccessUnitDelimiters = 0;
    x->bEmitInfoSEI = 0;
    x->bEmitHRDSEI = 0;
    status = set_rate(x, p, err);
    if (status == SL_OK && api->param_apply_profile(x, p->profile ? p->profile : "main") != 0) {
        status = sl_fail(err, SL_EINVAL, NAME, "profile \"%s\" forbids what was asked for",
                         p->profile ? p->profile : "main");
    }
    return status;
}
