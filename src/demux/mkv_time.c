/* SPDX-License-Identifier: BSD-2-Clause */
/* Undoing the rounding of Matroska's times, where DefaultDuration proves the exact rate.
 *
 * A file of 30000/1001 pictures a second with ticks of a millisecond holds the times 0, 33, 67, 100
 * …: each picture's time, rounded. The track then counts in ticks in which a frame is a whole
 * number, and each tick of the file too (1/30000, 1001 to a frame and 30 to a millisecond), and a
 * block is put on the grid of frames where that moves it by no more than half a tick of the file;
 * other blocks keep their times.
 *
 * The grid starts where the frames do, which need not be at 0 (sound that starts earlier shifts the
 * picture by some odd amount) and is itself known only as a rounded time. But every block allows
 * only origins within half a tick of its own, and after as many frames as it takes for the rounding
 * to repeat (30 of them here), what all allow is as narrow as it can be. So origin and decisions
 * follow from the file alone, not from where reading began. */
#include "base/rational.h"
#include "demux/mkv.h"

#define NANO          INT64_C(1000000000)
#define TIMESCALE_MAX INT64_C(0x7fffffff) /* ISO/IEC 14496-12 8.4.2: an unsigned 32-bit number */
#define PERIOD_MAX    64
#define RATE_MAX      1000 /* whole pictures a second that are looked for */
#define COARSE_MIN    (NANO / 121)

/* DefaultDuration is a frame's duration in nanoseconds, rounded or cut, by some to microseconds
 * (which cannot be mistaken at usual rates: the nearest ones differ by a thousandth). */
static bool explains(int64_t duration, struct sl_rational rate)
{
    int64_t exact = sl_muldiv(NANO, rate.den, rate.num, SL_ROUND_DOWN);
    int64_t slack = exact > COARSE_MIN ? 1000 : 1;
    return duration >= exact - slack + 1 && duration <= exact + slack;
}

/* Frames a second. The simplest fraction that rounds to this many nanoseconds; 0/1: none. */
static struct sl_rational exact_rate(int64_t duration)
{
    int64_t nearest = sl_muldiv(NANO, 1, duration, SL_ROUND_NEAREST);
    struct sl_rational rate = {nearest, 1};

    if (nearest >= 1 && nearest <= RATE_MAX) {
        if (explains(duration, rate)) {
            return rate;
        }
        rate = sl_rational(nearest * 1000, 1001);
        if (explains(duration, rate)) {
            return rate;
        }
    }
    rate = sl_rational_limit(sl_rational_reduce(sl_rational(NANO, duration)), 30000);
    return sl_rational_valid(rate) && explains(duration, rate) ? rate : sl_rational(0, 1);
}

/* A frame of sound is a whole number of samples. */
static struct sl_rational sample_rate(int64_t duration, int32_t rate)
{
    int64_t samples = sl_muldiv(duration, rate, NANO, SL_ROUND_NEAREST);
    struct sl_rational r = {rate, samples};

    int64_t exact = samples > 0 && rate > 0 ? sl_muldiv(NANO, samples, rate, SL_ROUND_DOWN) : 0;

    return exact > 0 && duration >= exact && duration <= exact + 1 ? r : sl_rational(0, 1);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void sl_mkv_clock_init(struct sl_mkv *m, size_t track)
{
    struct sl_mkv_track *mt = &m->tracks[track];
    struct sl_track *t = &m->demuxer.tracks[track];
    struct sl_mkv_clock *c = &mt->clock;
    struct sl_rational tick = sl_rational_reduce(sl_rational(m->scale, NANO));
    struct sl_rational rate = {0, 1}; /* a frame lasts rate.den ticks of 1/rate.num */

    *c = (struct sl_mkv_clock){.num = 1, .den = 1};
    t->timebase = tick;
    if (mt->default_duration > 0 && t->kind == SL_KIND_VIDEO) {
        rate = exact_rate(mt->default_duration);
        t->frame_rate_exact = rate.num > 0;
        t->frame_rate =
            rate.num > 0 ? rate
                         : sl_rational_limit(
                               sl_rational_reduce(sl_rational(NANO, mt->default_duration)), 30000);
        rate = sl_rational_reduce(rate);
    } else if (mt->default_duration > 0 && t->kind == SL_KIND_AUDIO) {
        rate = sample_rate(mt->default_duration, mt->sound.rate);
    }
    /* Ticks of the file that a frame lasts, as a fraction: a whole number needs no grid. */
    int64_t num = rate.den * tick.den;
    int64_t den = rate.num * tick.num;
    if (rate.num > 0 && num % den != 0) {
        int64_t scale = rate.num;
        int64_t frame = rate.den;
        /* A picture's ticks also count those of the file, so that every origin that the blocks
         * leave holds a whole one, and blocks that are not on the grid keep their times exactly.
         * Sound keeps to its samples. */
        int64_t factor = tick.den / common_divisor(scale, tick.den);
        if (t->kind == SL_KIND_VIDEO && factor <= TIMESCALE_MAX / scale) {
            scale *= factor;
            frame *= factor;
        }
        while (scale * tick.num < tick.den && scale <= TIMESCALE_MAX / 2) {
            scale *= 2;
            frame *= 2;
        }
        int64_t a = tick.num * scale;
        int64_t divisor = common_divisor(a, tick.den);
        c->num = a / divisor;
        c->den = tick.den / divisor;
        c->frame = frame;
        int64_t period = den / common_divisor(num, den);
        c->period = period < PERIOD_MAX ? (int)period : PERIOD_MAX;
        t->timebase = sl_rational(1, scale);
    }
    mt->delay = sl_rescale(mt->codec_delay, sl_rational(1, NANO), t->timebase, SL_ROUND_NEAREST);
    mt->duration =
        sl_rescale(mt->default_duration, sl_rational(1, NANO), t->timebase, SL_ROUND_NEAREST);
    t->duration =
        m->duration < 0 ? SL_NO_TIME : sl_rescale(m->duration, tick, t->timebase, SL_ROUND_NEAREST);
}

/* 2 (num ticks - den at), exact where it is small: the products may wrap. */
static int64_t twice_error(const struct sl_mkv_clock *c, int64_t ticks, int64_t at)
{
    return (int64_t)(2 * ((uint64_t)ticks * (uint64_t)c->num - (uint64_t)at * (uint64_t)c->den));
}

/* The origins within half a tick of the file of this block, as far from it as they are. */
static void allowed(const struct sl_mkv_clock *c, int64_t ticks, int64_t *low, int64_t *high)
{
    int64_t at = sl_muldiv(ticks, c->num, c->den, SL_ROUND_NEAREST);
    int64_t error = twice_error(c, ticks, at);
    /* at + o is allowed while |error - 2 den o| <= num */
    *high = at + sl_muldiv(error + c->num, 1, 2 * c->den, SL_ROUND_DOWN);
    *low = at + sl_muldiv(error - c->num, 1, 2 * c->den, SL_ROUND_UP);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

void sl_mkv_clock_learn(struct sl_mkv_clock *c, int64_t ticks)
{
    int64_t low = 0;
    int64_t high = 0;

    allowed(c, ticks, &low, &high);
    c->off_zero = c->off_zero || floor_mod(high, c->frame) > high - low;
    if (c->seen == 0) {
        c->reference = low;
        c->low = 0;
        c->high = high - low;
    } else {
        /* The nearest whole number of frames away from the first block's. */
        int64_t frames = sl_muldiv(low - c->reference, 1, c->frame, SL_ROUND_NEAREST);
        low -= c->reference + frames * c->frame;
        high -= c->reference + frames * c->frame;
        low = low > c->low ? low : c->low;
        high = high < c->high ? high : c->high;
        if (low <= high) { /* else it is not on the grid */
            c->low = low;
            c->high = high;
        }
    }
    c->seen++;
}

void sl_mkv_clock_settle(struct sl_mkv_clock *c)
{
    int64_t low = 0;
    int64_t width = c->high - c->low;

    if (c->frame == 0 || c->seen == 0) {
        return;
    }
    low = floor_mod(c->reference + c->low, c->frame);
    /* At 0 where that is allowed, as most files are meant. */
    if (low == 0 || low + width >= c->frame) {
        c->origin = 0;
    } else {
        c->origin = floor_mod(low + width / 2, c->frame);
    }
}

int64_t sl_mkv_clock_map(const struct sl_mkv_clock *c, int64_t ticks)
{
    int64_t at = 0;
    int64_t grid = 0;
    int64_t error = 0;

    if (c->frame == 0) {
        return ticks;
    }
    at = sl_muldiv(ticks, c->num, c->den, SL_ROUND_NEAREST);
    if (at > INT64_MAX / 4 || at < -INT64_MAX / 4) {
        return at;
    }
    grid = sl_muldiv(at - c->origin, 1, c->frame, SL_ROUND_NEAREST) * c->frame + c->origin;
    if (grid - at > c->num / c->den + 1 || at - grid > c->num / c->den + 1) {
        return at;
    }
    error = twice_error(c, ticks, grid);
    return error <= c->num && error >= -c->num ? grid : at;
}

int64_t sl_mkv_time(const struct sl_mkv *m, size_t track, int64_t ticks)
{
    return sl_mkv_clock_map(&m->tracks[track].clock, ticks) - m->tracks[track].delay;
}
