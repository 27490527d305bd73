/* SPDX-License-Identifier: BSD-2-Clause */
/* libswresample as a resampler. Mixing is not its business (mix.c does that exactly and alike for
 * every layout): channels come in and go out one to one. */
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "base/alloc.h"
#include "base/error.h"
#include "filter/resample.h"

/* With up to this many phases the library's filter bank holds every one that the two rates need,
 * and its output is exact; beyond, it must interpolate between phases. */
#define EXACT_PHASES_MAX 1024

struct sl_resampler {
    struct SwrContext *swr;
};

static int32_t gcd(int32_t a, int32_t b)
{
    while (b != 0) {
        int32_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static void destroy(struct sl_resampler *r)
{
    if (!r) {
        return;
    }
    swr_free(&r->swr);
    sl_free(r);
}

static enum sl_status failed(int code, int32_t in_rate, int32_t out_rate, struct sl_error *err)
{
    if (code == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "cannot resample from %d to %d Hz (error %d)",
                   (int)in_rate, (int)out_rate, code);
}

static enum sl_status open_swr(struct sl_resampler **out, int32_t channels, int32_t in_rate,
                               int32_t out_rate, struct sl_error *err)
{
    AVChannelLayout layout = {.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = (int)channels};
    enum sl_status status = SL_OK;
    struct sl_resampler *r = sl_alloc_zero(sizeof *r);
    *out = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    int code = swr_alloc_set_opts2(&r->swr, &layout, AV_SAMPLE_FMT_FLTP, (int)out_rate, &layout,
                                   AV_SAMPLE_FMT_FLTP, (int)in_rate, 0, NULL);
    if (code < 0) {
        status = failed(code, in_rate, out_rate, err);
        goto out;
    }
    int interpolate = out_rate / gcd(in_rate, out_rate) > EXACT_PHASES_MAX;
    code = av_opt_set_int(r->swr, "linear_interp", interpolate, 0);
    if (code >= 0) {
        code = swr_init(r->swr);
    }
    if (code < 0) {
        status = failed(code, in_rate, out_rate, err);
        goto out;
    }
    *out = r;
    r = NULL;
out:
    destroy(r);
    return status;
}

static enum sl_status convert(struct sl_resampler *r, const float *const *in, int32_t count,
                              float *const *out, int32_t room, int32_t *got, struct sl_error *err)
{
    /* libswresample only reads what in points at; its prototype predates such const. */
    int n = swr_convert(r->swr, (uint8_t **)(void *)out, (int)room, (const uint8_t **)(void *)in,
                        (int)count);
    *got = 0;
    if (n == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    if (n < 0) {
        return sl_fail(err, SL_EINVAL, NULL, "resampling failed (error %d)", n);
    }
    *got = n;
    return SL_OK;
}

/* Found by dlsym (base/module.h). */
extern const struct sl_resample_ops sl_resample_libav;

SL_API const struct sl_resample_ops sl_resample_libav = {
    .name = "libswresample",
    .open = open_swr,
    .convert = convert,
    .destroy = destroy,
};
