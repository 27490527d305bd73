/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/clock.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"

/* A timescale of fewer ticks a second could not place the end of the sound to a millisecond. */
#define TIMESCALE_MIN 10000
/* Finer than any source is meant, and safe in every 32-bit field. */
#define TIMESCALE_MAX 10000000
/* Beyond these a product of a tick count and the rate could pass 63 bits. */
#define GRID_FACTOR_MAX (INT64_C(1) << 24)

/* 1/den with den >= TIMESCALE_MIN: the wanted ticks per second times a power of two (30 becomes
 * 15360, 1000 becomes 16000). */
static struct sl_rational timebase_for(int64_t per_second)
{
    while (per_second < TIMESCALE_MIN) {
        per_second *= 2;
    }
    return sl_rational(1, per_second);
}

enum sl_status sl_clock_init(struct sl_clock *c, const struct sl_clock_params *params,
                             struct sl_error *err)
{
    memset(c, 0, sizeof *c);
    c->params = *params;
    c->zero = c->last = c->pending_source = c->emitting = SL_NO_TIME;
    if (!sl_rational_valid(params->source) || !sl_rational_valid(params->segment)) {
        return sl_fail(err, SL_EINVAL, "clock", "timebase and segment length must be positive");
    }
    struct sl_rational source = sl_rational_reduce(params->source);
    struct sl_rational rate = sl_rational_reduce(params->rate);
    bool have_rate = sl_rational_valid(rate) && rate.num <= TIMESCALE_MAX;
    c->params.source = source;
    c->params.rate = rate;
    c->params.rate_exact = params->rate_exact && have_rate && source.num * rate.num > 0 &&
                           source.num <= GRID_FACTOR_MAX && rate.num <= GRID_FACTOR_MAX;
    if (c->params.rate_exact) {
        c->out = timebase_for(rate.num);
        /* The origin of the grid lies within half a source tick of the first timestamp. */
        c->grid_low = -(source.num * rate.num);
        c->grid_high = source.num * rate.num;
    } else if (source.den <= TIMESCALE_MAX) {
        c->out = timebase_for(source.den);
    } else {
        c->out = sl_rational(1, 90000);
    }
    if (have_rate) {
        c->nominal = sl_rescale(1, sl_rational(rate.den, rate.num), c->out, SL_ROUND_NEAREST);
    }
    return SL_OK;
}

/* The design's rule 3: a rounded source time (Matroska's milliseconds) goes back to the exact frame
 * grid where the rate is proven, and only where no time moves by more than half a source tick.
 *
 * In units of 1/(2M) frame, with N = tick x rate and M its denominator, a picture d ticks after the
 * first sits at 2dN; grid point i at 2iM + origin. Each picture allows the origins within N of its
 * own error; while the intersection of all is not empty the grid explains every timestamp. */
static int64_t from_first(struct sl_clock *c, int64_t delta)
{
    if (!c->params.rate_exact) {
        return sl_rescale(delta, c->params.source, c->out, SL_ROUND_NEAREST);
    }
    int64_t n = c->params.source.num * c->params.rate.num;
    int64_t m = c->params.source.den * c->params.rate.den;
    int64_t index = sl_muldiv(delta, n, m, SL_ROUND_NEAREST);
    /* |error| <= m: differences of large products, taken modulo 2^64, are exact when they fit. */
    int64_t error = (int64_t)(2 * ((uint64_t)delta * (uint64_t)n - (uint64_t)index * (uint64_t)m));
    int64_t low = error - n > c->grid_low ? error - n : c->grid_low;
    int64_t high = error + n < c->grid_high ? error + n : c->grid_high;
    if (low > high) {
        return sl_rescale(delta, c->params.source, c->out, SL_ROUND_NEAREST);
    }
    c->grid_low = low;
    c->grid_high = high;
    return sl_muldiv(index, c->out.den * c->params.rate.den, c->params.rate.num, SL_ROUND_NEAREST);
}

static int64_t to_output(struct sl_clock *c, int64_t delta)
{
    return c->params.origin + from_first(c, delta);
}

void sl_clock_restore(struct sl_clock *c, int64_t zero, int64_t grid_low, int64_t grid_high)
{
    c->zero = zero;
    if (c->params.rate_exact) {
        c->grid_low = grid_low;
        c->grid_high = grid_high;
    }
}

/* First tick at or after cut k. */
static int64_t cut_time(const struct sl_clock *c, int64_t k)
{
    struct sl_rational s = c->params.segment;
    return sl_muldiv(k * s.num, c->out.den, s.den, SL_ROUND_UP);
}

static enum sl_status emit(struct sl_clock *c, struct sl_frame *frame, struct sl_error *err)
{
    if (frame->pts >= cut_time(c, c->next_cut)) {
        frame->flags |= SL_FRAME_CUT | SL_FRAME_KEY;
        c->cut_at = frame->pts;
        while (cut_time(c, c->next_cut) <= frame->pts) {
            c->next_cut++;
        }
    }
    enum sl_status st = c->params.emit(c->params.opaque, frame, err);
    if (st == SL_OK) {
        c->emitted++;
    }
    return st;
}

/* Emits the pending picture, which is shown until end. Where it stays on screen so long that its
 * segment would pass the target duration, it is shown again at each cut that it spans. */
static enum sl_status emit_until(struct sl_clock *c, int64_t end, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    int64_t longest = (2 * c->params.target + 1) * c->out.den / 2; /* exclusive */
    struct sl_frame *frame = c->pending;
    c->pending = NULL;
    c->emitting = c->pending_source;
    for (;;) {
        struct sl_frame *again = NULL;
        bool cuts = frame->pts >= cut_time(c, c->next_cut);
        int64_t start = cuts ? frame->pts : c->cut_at;
        int64_t k = c->next_cut;
        while (cut_time(c, k) <= frame->pts) {
            k++;
        }
        int64_t cut = cut_time(c, k);
        if (end - start >= longest && cut < end) {
            st = sl_frame_share(&again, frame, err);
            if (st != SL_OK) {
                goto out;
            }
            again->pts = cut;
            again->flags &= ~(uint32_t)(SL_FRAME_CUT | SL_FRAME_KEY);
            frame->duration = cut - frame->pts;
        } else {
            frame->duration = end - frame->pts;
        }
        c->last_duration = frame->duration;
        st = emit(c, frame, err);
        if (st != SL_OK) {
            sl_frame_unref(&again);
            goto out;
        }
        frame = again;
        c->emitting = SL_NO_TIME;
        if (!again) {
            return SL_OK;
        }
    }
out:
    sl_frame_unref(&frame);
    return st;
}

enum sl_status sl_clock_put(struct sl_clock *c, struct sl_frame *frame, struct sl_error *err)
{
    if (c->zero == SL_NO_TIME) {
        c->zero = frame->pts != SL_NO_TIME ? frame->pts : 0;
    }
    int64_t pts;
    if (frame->pts != SL_NO_TIME) {
        pts = to_output(c, frame->pts - c->zero);
    } else {
        pts = sl_clock_end(c);
    }
    if (c->pending && pts <= c->pending->pts) {
        if (c->dropped++ == 0) {
            sl_log_write(c->params.log, SL_LOG_WARN, "ladder",
                         "a picture at tick %lld is not later than the one before: dropped",
                         (long long)frame->pts);
        }
        return SL_OK;
    }
    struct sl_frame *own = NULL;
    enum sl_status st = sl_frame_share(&own, frame, err);
    if (st != SL_OK) {
        return st;
    }
    if (frame->duration != SL_NO_TIME && frame->duration > 0) {
        own->duration = sl_rescale(frame->duration, c->params.source, c->out, SL_ROUND_NEAREST);
    } else {
        own->duration = SL_NO_TIME;
    }
    own->pts = pts;
    own->flags = 0;
    if (c->pending) {
        st = emit_until(c, pts, err);
    }
    if (st != SL_OK) {
        sl_frame_unref(&own);
        return st;
    }
    c->pending = own;
    c->pending_source = frame->pts;
    c->last = frame->pts;
    return SL_OK;
}

int64_t sl_clock_end(const struct sl_clock *c)
{
    if (!c->pending) {
        return c->params.origin;
    }
    int64_t duration = c->nominal;
    if (duration <= 0 && c->pending->duration != SL_NO_TIME) {
        duration = c->pending->duration;
    }
    if (duration <= 0) {
        duration = c->last_duration;
    }
    if (duration <= 0) {
        /* One picture and no word on how long it lasts: as an image viewer would, a second. */
        duration = c->out.den;
    }
    return c->pending->pts + duration;
}

enum sl_status sl_clock_finish(struct sl_clock *c, int64_t end, struct sl_error *err)
{
    if (!c->pending) {
        return SL_OK;
    }
    return emit_until(c, end > c->pending->pts ? end : c->pending->pts + 1, err);
}

void sl_clock_clear(struct sl_clock *c)
{
    sl_frame_unref(&c->pending);
}
