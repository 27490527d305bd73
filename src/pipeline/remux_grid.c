/* SPDX-License-Identifier: BSD-2-Clause */
/* From the container's ticks to exact ones. Matroska's milliseconds are undone where
 * DefaultDuration proves the rate, picture by picture, as the clock of a ladder does it (clock.c
 * explains the arithmetic), and nowhere else. */
#include "base/rational.h"
#include "pipeline/remux_run.h"

#define TIMESCALE_MIN 10000
#define TIMESCALE_MAX 10000000
#define FACTOR_MAX    (INT64_C(1) << 24)

void sl_remux_grid_init(struct sl_remux_grid *g, const struct sl_track *track)
{
    struct sl_rational in = sl_rational_reduce(track->timebase);
    struct sl_rational rate = sl_rational_reduce(track->frame_rate);
    *g = (struct sl_remux_grid){.in = in, .out = in, .rate = rate, .origin = SL_NO_TIME};
    if (in.den > UINT32_MAX || in.num > INT32_MAX) {
        g->out = sl_rational(1, 90000);
        return;
    }
    /* Nothing is to be undone where a picture lasts a whole number of ticks. */
    if (!track->frame_rate_exact || !sl_rational_valid(rate) || rate.num > TIMESCALE_MAX ||
        in.num * rate.num > FACTOR_MAX || in.den > FACTOR_MAX || rate.den > FACTOR_MAX ||
        (in.den * rate.den) % (in.num * rate.num) == 0) {
        return;
    }
    g->exact = true;
    g->out = sl_rational(1, rate.num);
    while (g->out.den < TIMESCALE_MIN) {
        g->out.den *= 2;
    }
    g->low = -(in.num * rate.num);
    g->high = in.num * rate.num;
}

int64_t sl_remux_grid_place(struct sl_remux_grid *g, int64_t pts)
{
    if (g->origin == SL_NO_TIME) {
        g->origin = pts;
    }
    int64_t delta = pts - g->origin;
    if (!g->exact) {
        return sl_rescale(delta, g->in, g->out, SL_ROUND_NEAREST);
    }
    int64_t n = g->in.num * g->rate.num, m = g->in.den * g->rate.den;
    int64_t index = sl_muldiv(delta, n, m, SL_ROUND_NEAREST);
    /* |error| <= m, so the difference is right modulo 2^64. */
    int64_t error = (int64_t)(2 * ((uint64_t)delta * (uint64_t)n - (uint64_t)index * (uint64_t)m));
    int64_t low = error - n > g->low ? error - n : g->low;
    int64_t high = error + n < g->high ? error + n : g->high;
    if (low > high) { /* not on the grid: the container's word stands */
        return sl_rescale(delta, g->in, g->out, SL_ROUND_NEAREST);
    }
    g->low = low;
    g->high = high;
    return sl_muldiv(index, g->out.den * g->rate.den, g->rate.num, SL_ROUND_NEAREST);
}
