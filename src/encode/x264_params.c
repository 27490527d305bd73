/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "encode/x264_params.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "encode/x264_check.h"
#include "media/h264.h"

#define NAME          "x264"
#define TICKS_MAX     0x7fffffff /* time_scale is twice the denominator in 32 bits (E.2.1) */
#define SAR_MAX       65535      /* sar_width and sar_height are u(16) (E.1.1) */
#define RATE_MAX_KBIT 2000000    /* x264's own limit is lower or none; keeps int arithmetic safe */
#define CRF_MIN       1          /* below, 8-bit x264 codes without loss: not in High (A.2.4) */
#define CRF_MAX       51
#define FALLBACK_RATE 25  /* frames a second assumed where no nominal rate is known */
#define THREADS_MAX   128 /* X264_THREAD_MAX */
#define BFRAMES_MAX   16  /* X264_BFRAME_MAX */
#define PSY_TUNES     6   /* film to ssim, the first in x264_tune_names */

static bool is_444(const struct sl_encode_params *p)
{
    return p->profile && strcmp(p->profile, "high444") == 0;
}

static enum sl_status check_picture(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->width < 2 || p->height < 2 || p->width > 16384 || p->height > 16384 ||
        (!is_444(p) && (p->width % 2 != 0 || p->height % 2 != 0))) {
        return sl_fail(err, SL_EINVAL, NAME, "size %dx%d, expected %s of 2 to 16384", p->width,
                       p->height, is_444(p) ? "sides" : "even sides");
    }
    struct sl_rational tb = sl_rational_reduce(p->timebase);
    if (!sl_rational_valid(tb) || tb.num > TICKS_MAX || tb.den > TICKS_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "timebase %lld/%lld, expected terms of 1 to %d",
                       (long long)p->timebase.num, (long long)p->timebase.den, TICKS_MAX);
    }
    if (p->threads < 0 || p->threads > THREADS_MAX) {
        return sl_fail(err, SL_EINVAL, NAME, "%d threads, expected 0 to %d", p->threads,
                       THREADS_MAX);
    }
    /* H.264 E.2.1: matrix_coefficients 0 only with 4:4:4. */
    if (p->colour.matrix == 0) {
        return sl_fail(err, SL_EINVAL, NAME, "colour matrix 0 (RGB), expected one of YUV");
    }
    return SL_OK;
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

static enum sl_status set_bitrate(x264_param_t *x, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    x->rc.i_rc_method = X264_RC_ABR;
    if (p->bitrate < 1000) {
        return sl_fail(err, SL_EINVAL, NAME, "bitrate %lld, expected 1000 or more",
                       (long long)p->bitrate);
    }
    enum sl_status status = kbit(p->bitrate, "bitrate", &x->rc.i_bitrate, err);
    if (status == SL_OK && p->rate == SL_RATE_CBR) {
        x->rc.i_vbv_max_bitrate = x->rc.i_bitrate;
        if (p->buffer == 0) {
            x->rc.i_vbv_buffer_size = x->rc.i_bitrate; /* one second */
        }
    }
    return status;
}

static enum sl_status set_rate(x264_param_t *x, const struct sl_encode_params *p,
                               struct sl_error *err)
{
    enum sl_status status = kbit(p->maxrate, "maxrate", &x->rc.i_vbv_max_bitrate, err);
    if (status == SL_OK) {
        status = kbit(p->buffer, "buffer", &x->rc.i_vbv_buffer_size, err);
    }
    if (status != SL_OK) {
        return status;
    }
    switch (p->rate) {
    case SL_RATE_VBR:
    case SL_RATE_CBR:
        return set_bitrate(x, p, err);
    case SL_RATE_CQP:
        x->rc.i_rc_method = X264_RC_CQP;
        if (p->qp < (is_444(p) ? 0 : CRF_MIN) || p->qp > CRF_MAX) {
            return sl_fail(err, SL_EINVAL, NAME, "qp %d, expected %d to %d", p->qp,
                           is_444(p) ? 0 : CRF_MIN, CRF_MAX);
        }
        x->rc.i_qp_constant = p->qp;
        return SL_OK;
    case SL_RATE_AUTO:
        break;
    case SL_RATE_CRF:
        x->rc.i_rc_method = X264_RC_CRF;
        if (p->crf.den == 0 && p->crf.num == 0) {
            return SL_OK; /* not set: x264's own, 23 */
        }
        if (p->crf.den <= 0 || sl_rational_compare(p->crf, sl_rational(CRF_MIN, 1)) < 0 ||
            sl_rational_compare(p->crf, sl_rational(CRF_MAX, 1)) > 0) {
            return sl_fail(err, SL_EINVAL, NAME, "crf %lld/%lld, expected %d to %d",
                           (long long)p->crf.num, (long long)p->crf.den, CRF_MIN, CRF_MAX);
        }
        x->rc.f_rf_constant = (float)p->crf.num / (float)p->crf.den;
        return SL_OK;
    }
    return sl_fail(err, SL_EINVAL, NAME, "rate control %d is not known", (int)p->rate);
}

/* Annex E. Unspecified (2) is what x264 leaves out and what E.2.1 infers from that. */
static void set_vui(x264_param_t *x, const struct sl_encode_params *p)
{
    if (sl_rational_valid(p->sample_aspect)) {
        struct sl_rational sar = sl_rational_limit(p->sample_aspect, SAR_MAX);
        x->vui.i_sar_width = (int)sar.num;
        x->vui.i_sar_height = (int)sar.den;
    }
    x->vui.i_colorprim = p->colour.primaries;
    x->vui.i_transfer = p->colour.transfer;
    x->vui.i_colmatrix = p->colour.matrix;
    x->vui.b_fullrange = p->colour.range == SL_RANGE_FULL;
    x->vui.i_chroma_loc = p->colour.chroma_location > 0 ? p->colour.chroma_location - 1 : 0;
}

static void set_timing(x264_param_t *x, const struct sl_encode_params *p)
{
    struct sl_rational tb = sl_rational_reduce(p->timebase);
    /* Rate control looks at the frames' own times. Costs a picture of delay: a duration is known
     * when the next picture is. */
    x->b_vfr_input = p->latency == SL_LATENCY_LOOKAHEAD;
    x->i_timebase_num = (uint32_t)tb.num;
    x->i_timebase_den = (uint32_t)tb.den;
    struct sl_rational rate = sl_rational(FALLBACK_RATE, 1);
    if (sl_rational_valid(p->frame_rate)) {
        rate = sl_rational_limit(p->frame_rate, TICKS_MAX);
    }
    x->i_fps_num = (uint32_t)rate.num;
    x->i_fps_den = (uint32_t)rate.den;
}

/* The entry of a list of x264's that is called so, or NULL. */
static const char *const *find_name(const char *name, size_t size, const char *const *list)
{
    for (; *list; list++) {
        if (strlen(*list) == size && memcmp(name, *list, size) == 0) {
            return list;
        }
    }
    return NULL;
}

/* x264 would write its complaint to standard error, so names are looked up here first. A tune may
 * be several, "film,fastdecode", one of them at most psychovisual. */
static enum sl_status check_names(const struct sl_encode_params *p, struct sl_error *err)
{
    static const char *const profiles[] = {"baseline", "main", "high", "high10", "high444", NULL};
    if (p->preset && !find_name(p->preset, strlen(p->preset), x264_preset_names)) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\", expected ultrafast to placebo",
                       p->preset);
    }
    unsigned psychovisual = 0;
    for (const char *at = p->tune; at && *at;) {
        size_t n = strcspn(at, ",");
        const char *const *tune = find_name(at, n, x264_tune_names);
        psychovisual += tune && tune < x264_tune_names + PSY_TUNES;
        if (!tune || psychovisual > 1) {
            return sl_fail(err, SL_EINVAL, NAME, "tune \"%s\" %s", p->tune,
                           tune ? "has two that exclude each other" : "is not known");
        }
        at += n + (at[n] == ',');
    }
    if (p->profile && !find_name(p->profile, strlen(p->profile), profiles)) {
        return sl_fail(err, SL_EINVAL, NAME,
                       "profile \"%s\", expected baseline, main, high, high10 or high444",
                       p->profile);
    }
    return SL_OK;
}

enum sl_status sl_x264_check(const struct sl_encode_params *p, struct sl_error *err)
{
    enum sl_status status = check_picture(p, err);
    return status == SL_OK ? check_names(p, err) : status;
}

enum sl_pixel_format sl_x264_format(const struct sl_encode_params *p)
{
    return is_444(p)                                         ? SL_PIX_YUV444P
           : p->profile && strcmp(p->profile, "high10") == 0 ? SL_PIX_YUV420P10
                                                             : SL_PIX_YUV420P;
}

int sl_x264_csp(enum sl_pixel_format format)
{
    switch (format) {
    case SL_PIX_NV12:
        return X264_CSP_NV12;
    case SL_PIX_YUV444P:
        return X264_CSP_I444;
    case SL_PIX_YUV420P10:
        return X264_CSP_I420 | X264_CSP_HIGH_DEPTH;
    default:
        return X264_CSP_I420;
    }
}

/* One picture in, its own access unit out: nothing that looks ahead or turns the order round. Frame
 * threads hold pictures back, so that several threads share one picture by slices instead; in
 * pipelined mode they are what the depth is for. */
static void set_live(x264_param_t *x, const struct sl_encode_params *p)
{
    x->i_bframe = 0;
    x->i_scenecut_threshold = 0; /* IDR where the caller and the gop say */
    x->rc.i_lookahead = 0;
    x->i_sync_lookahead = 0;
    x->rc.b_mb_tree = 0;
    if (p->latency == SL_LATENCY_PIPELINED) {
        x->b_sliced_threads = 0;
        x->i_threads = p->depth + 1;
    } else {
        x->b_sliced_threads = p->threads != 1;
    }
}

static enum sl_status set_groups(x264_param_t *x, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    if (p->gop < 0 || p->gop > INT32_MAX - 1) {
        return sl_fail(err, SL_EINVAL, NAME, "gop %lld, expected 0 to %d", (long long)p->gop,
                       INT32_MAX - 1);
    }
    if (p->latency == SL_LATENCY_LOOKAHEAD && p->bframes >= 0) {
        if (p->bframes > BFRAMES_MAX) {
            return sl_fail(err, SL_EINVAL, NAME, "%d B pictures in a row, expected at most %d",
                           p->bframes, BFRAMES_MAX);
        }
        x->i_bframe = p->bframes;
    }
    x->i_keyint_max = p->gop > 0 ? (int)p->gop : X264_KEYINT_MAX_INFINITE;
    x->i_keyint_min = X264_KEYINT_MIN_AUTO;
    x->b_open_gop = 0;
    x->b_intra_refresh = p->intra_refresh;
    if (p->loss_recovery) { /* older pictures to fall back on; as many as the level of 4 allows */
        int level = sl_h264_level(p->width, p->height, p->frame_rate, 4);
        x->i_dpb_size = level ? sl_h264_level_dpb(level, p->width, p->height) : 4;
    }
    x->i_level_idc = p->level ? p->level : -1;
    return SL_OK;
}

enum sl_status sl_x264_params(x264_param_t *x, const struct sl_encode_params *p,
                              struct sl_error *err)
{
    enum sl_status status = sl_x264_check(p, err);
    if (status != SL_OK) {
        return status;
    }
    bool live = p->latency != SL_LATENCY_LOOKAHEAD;
    const char *preset = p->preset ? p->preset : live ? "superfast" : "medium";
    if (x264_param_default_preset(x, preset, p->tune) != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\" or its tuning is refused", preset);
    }
    x->i_threads = p->threads; /* 0 is X264_THREADS_AUTO */

    x->b_deterministic = 1; /* holds for CRF, and for one thread: docs/encode.md */

    x->i_width = p->width;
    x->i_height = p->height;
    enum sl_pixel_format format = sl_x264_format(p);
    x->i_csp = sl_x264_csp(format);
    x->i_bitdepth = sl_pixel_info(format)->depth;
    set_timing(x, p);
    set_vui(x, p);

    /* Without a gop, segments are cut where the caller forces an IDR and nowhere else. With
     * look-ahead a scene cut may still put in an I picture, or an IDR if the last one is about a
     * second away (keyint_min auto is the frame rate then). */
    status = set_groups(x, p, err);
    if (status != SL_OK) {
        return status;
    }
    if (live) {
        set_live(x, p);
    }

    x->b_annexb = 1;
    x->b_repeat_headers = 1;
    x->b_aud = 0;
    status = set_rate(x, p, err);
    if (status != SL_OK) {
        return status;
    }
    const char *profile = p->profile ? p->profile : "high";
    if (x264_param_apply_profile(x, profile) != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "profile \"%s\" forbids what was asked for", profile);
    }
    return SL_OK;
}
