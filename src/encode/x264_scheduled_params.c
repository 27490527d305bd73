/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without a schedule everything is set as x264's command sets it for a Y4M file, in its order,
 * since the bytes have to be the same. */
#include "encode/x264_scheduled_params.h"

#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "encode/x264_check.h"

#define NAME    "x264"
#define KEY_MAX 64
#define FPS_MAX 0x7fffffff /* time_scale is twice the numerator in 32 bits (E.2.1) */
#define SAR_MAX 65535      /* sar_width and sar_height are u(16) (E.1.1) */

/* A stream of ours is Annex B with parameter sets at every IDR, progressive, at the source's rate,
 * and its access units begin with what belongs to a sample. */
static const char *const never[] = {"annexb",
                                    "repeat-headers",
                                    "aud",
                                    "interlaced",
                                    "tff",
                                    "bff",
                                    "fps",
                                    "force-cfr",
                                    "stats",
                                    "pass",
                                    "opencl",
                                    "avcintra-class",
                                    "pulldown",
                                    "fake-interlaced",
                                    "pic-struct",
                                    "filler",
                                    "avcintra-flavor",
                                    NULL};
/* What the schedule decides, and what cannot be promised with one. */
static const char *const with_schedule_never[] = {
    "keyint",    "min-keyint",    "scenecut", "bframes",       "b-adapt",     "b-bias",
    "b-pyramid", "open-gop",      "dpb-size", "intra-refresh", "vbv-maxrate", "vbv-bufsize",
    "vbv-init",  "bluray-compat", "nal-hrd",  "frame-packing", NULL};

static bool listed(const char *const *list, const char *key)
{
    for (; *list; list++) {
        if (strcmp(*list, key) == 0) {
            return true;
        }
    }
    return false;
}

/* As x264_param_parse reads a name: '_' for '-', and "no" or "no-" in front. */
static bool plain_key(const char *key, char out[KEY_MAX])
{
    key += strncmp(key, "no", 2) != 0 ? 0 : key[2] == '-' || key[2] == '_' ? 3 : 2;
    size_t n = strlen(key);
    if (n == 0 || n >= KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i <= n; i++) {
        out[i] = key[i] == '_' ? '-' : key[i];
    }
    return true;
}

static enum sl_status set_option(x264_param_t *x, const char *key, const char *value,
                                 bool scheduled, struct sl_error *err)
{
    char plain[KEY_MAX];
    if (!plain_key(key, plain)) {
        return sl_fail(err, SL_EINVAL, NAME, "\"%s\" is not an option of x264", key);
    }
    if (listed(never, plain)) {
        return sl_fail(err, SL_EINVAL, NAME, "option %s is not open to change", key);
    }
    if (scheduled && listed(with_schedule_never, plain)) {
        return sl_fail(err, SL_EINVAL, NAME, "option %s contradicts a schedule", key);
    }
    int got = x264_param_parse(x, key, value);
    if (got == X264_PARAM_ALLOC_FAILED) {
        return sl_fail_memory(err);
    }
    if (got == X264_PARAM_BAD_NAME) {
        return sl_fail(err, SL_EINVAL, NAME, "\"%s\" is not an option of x264", key);
    }
    if (got != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "option %s does not take \"%s\"", key,
                       value ? value : "");
    }
    return SL_OK;
}

enum sl_status sl_x264_scheduled_option(const char *key, const char *value, bool scheduled,
                                        struct sl_error *err)
{
    x264_param_t scratch;
    x264_param_default(&scratch);
    enum sl_status status = set_option(&scratch, key, value, scheduled, err);
    x264_param_cleanup(&scratch);
    return status;
}

static enum sl_status set_schedule(x264_param_t *x, const struct sl_x264_scheduled_params *p,
                                   struct sl_error *err)
{
    const struct sl_schedule *s = p->schedule;
    if (p->bframes < 0 || p->bframes > SL_X264_BFRAMES_MAX || s->dpb < 0 ||
        s->dpb > SL_SCHEDULE_REFS_MAX || s->reorder < 0 || s->reorder > p->bframes ||
        s->reorder > (s->dpb > 1 ? s->dpb : 1) || p->step < 0 || p->step > SL_X264_STEP_MAX) {
        return sl_fail(
            err, SL_EUNSUPPORTED, NAME,
            "schedule with %d B pictures in a row, DPB %d, reorder %d, steps of %lld; at "
            "most %d, %d, the former two and %d can be coded",
            p->bframes, s->dpb, s->reorder, (long long)p->step, SL_X264_BFRAMES_MAX,
            SL_SCHEDULE_REFS_MAX, SL_X264_STEP_MAX);
    }
    x->b_sched = 1;
    x->i_sched_reorder = s->reorder;
    x->i_sched_step = (int)p->step;
    x->i_dpb_size = s->dpb;
    x->i_bframe = p->bframes;
    x->b_open_gop = 0;
    x->b_intra_refresh = 0;
    /* Pictures left out make the rest last longer, which rate control should know. */
    x->b_vfr_input = p->gaps;
    return SL_OK;
}

static void set_picture(x264_param_t *x, const struct sl_encode_params *p)
{
    x->i_width = p->width;
    x->i_height = p->height;
    x->i_csp = X264_CSP_I420;
    x->i_bitdepth = 8;
    struct sl_rational rate = sl_rational_limit(p->frame_rate, FPS_MAX);
    x->i_fps_num = (uint32_t)rate.num;
    x->i_fps_den = (uint32_t)rate.den;
    x->b_vfr_input = 0;
    x->i_timebase_num = x->i_fps_den;
    x->i_timebase_den = x->i_fps_num;
    if (sl_rational_valid(p->sample_aspect)) {
        struct sl_rational sar = sl_rational_limit(p->sample_aspect, SAR_MAX);
        x->vui.i_sar_width = (int)sar.num;
        x->vui.i_sar_height = (int)sar.den;
    }
    /* Unspecified (2) is what x264 leaves out and what E.2.1 infers from that. The siting of chroma
     * is left out: what writes Y4M says "420jpeg" of anything. */
    x->vui.i_colorprim = p->colour.primaries;
    x->vui.i_transfer = p->colour.transfer;
    x->vui.i_colmatrix = p->colour.matrix;
    x->vui.b_fullrange = p->colour.range == SL_RANGE_FULL;
}

enum sl_status sl_x264_scheduled_fill(x264_param_t *x, const struct sl_x264_scheduled_params *p,
                                      struct sl_error *err)
{
    const struct sl_encode_params *e = &p->encode;
    x264_param_default(x);
    enum sl_status status = sl_x264_check(e, err);
    if (status != SL_OK) {
        return status;
    }
    if (!sl_rational_valid(e->frame_rate)) {
        return sl_fail(err, SL_EINVAL, NAME, "no frame rate");
    }
    if (x264_param_default_preset(x, e->preset, e->tune) != 0) {
        return sl_fail(err, SL_EINVAL, NAME, "preset \"%s\" or its tuning is refused",
                       e->preset ? e->preset : "medium");
    }
    x->i_threads = e->threads; /* 0 is X264_THREADS_AUTO */
    /* What follows a group decides how much its pictures are worth: see two of them at least. */
    if (p->schedule && x->rc.i_lookahead > 0 && x->rc.i_lookahead < 2 * p->bframes + 10) {
        x->rc.i_lookahead = 2 * p->bframes + 10;
    }
    set_picture(x, e);
    if (sl_rational_valid(e->crf)) {
        x->rc.i_rc_method = X264_RC_CRF;
        x->rc.f_rf_constant = (float)e->crf.num / (float)e->crf.den;
    }
    for (size_t i = 0; i < p->option_count; i++) {
        status = set_option(x, p->options[i].key, p->options[i].value, p->schedule != NULL, err);
        if (status != SL_OK) {
            return status;
        }
    }
    if (p->schedule) {
        status = set_schedule(x, p, err);
    }
    if (status == SL_OK && e->profile && x264_param_apply_profile(x, e->profile) != 0) {
        status =
            sl_fail(err, SL_EINVAL, NAME, "profile \"%s\" forbids what was asked for", e->profile);
    }
    if (status == SL_OK && p->schedule && x->i_bframe < p->bframes) {
        status = sl_fail(err, SL_EINVAL, NAME, "profile \"%s\" has no B pictures, the schedule has",
                         e->profile);
    }
    return status;
}
