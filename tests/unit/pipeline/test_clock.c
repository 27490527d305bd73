/* SPDX-License-Identifier: BSD-2-Clause */
/* The run's clock: exact times, cuts, bridged holes. */

#include <stdint.h>
#include <string.h>

#include "base/rational.h"
#include "pipeline/clock.h"
#include "unit.h"

#define SEEN_MAX 4096

struct seen {
    int64_t pts[SEEN_MAX], duration[SEEN_MAX];
    uint32_t flags[SEEN_MAX];
    size_t count;
};

static enum sl_status collect(void *opaque, struct sl_frame *frame, struct sl_error *err)
{
    struct seen *s = opaque;
    (void)err;
    assert_true(s->count < SEEN_MAX);
    s->pts[s->count] = frame->pts;
    s->duration[s->count] = frame->duration;
    s->flags[s->count++] = frame->flags;
    sl_frame_unref(&frame);
    return SL_OK;
}

static void start(struct sl_clock *c, struct seen *s, struct sl_rational source,
                  struct sl_rational rate, bool exact, struct sl_rational segment)
{
    struct sl_clock_params p = {
        .source = source,
        .rate = rate,
        .rate_exact = exact,
        .segment = segment,
        .target = (segment.num + segment.den - 1) / segment.den,
        .emit = collect,
        .opaque = s,
    };
    memset(s, 0, sizeof *s);
    assert_int_equal(sl_clock_init(c, &p, NULL), SL_OK);
}

static void put(struct sl_clock *c, int64_t pts, int64_t duration)
{
    struct sl_frame *f = NULL;
    assert_int_equal(sl_frame_create(&f, SL_KIND_VIDEO, NULL), SL_OK);
    f->pts = pts;
    f->duration = duration;
    assert_int_equal(sl_clock_put(c, f, NULL), SL_OK);
    sl_frame_unref(&f);
}

static void finish(struct sl_clock *c)
{
    assert_int_equal(sl_clock_finish(c, sl_clock_end(c), NULL), SL_OK);
    sl_clock_clear(c);
}

/* Whatever comes out: no gap, no overlap, no segment as long as target + 0.5. */
static void check(const struct seen *s, const struct sl_clock *c)
{
    int64_t cut = 0;
    assert_true(s->flags[0] & SL_FRAME_CUT);
    for (size_t i = 0; i < s->count; i++) {
        assert_true(s->duration[i] > 0);
        if (i) {
            assert_int_equal(s->pts[i], s->pts[i - 1] + s->duration[i - 1]);
        }
        if (s->flags[i] & SL_FRAME_CUT) {
            assert_true(s->flags[i] & SL_FRAME_KEY);
            cut = s->pts[i];
        }
        assert_true(2 * (s->pts[i] + s->duration[i] - cut) <
                    (2 * c->params.target + 1) * c->out.den);
    }
}

static void test_matroska_milliseconds(void **state)
{
    (void)state;
    static const struct sl_rational rates[] = {{24000, 1001}, {30000, 1001}, {60000, 1001},
                                               {25, 1},       {24, 1},       {120, 1}};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        for (int64_t origin_us = 0; origin_us < 3000; origin_us += 130) {
            struct sl_clock c;
            static struct seen s;
            start(&c, &s, sl_rational(1, 1000), rates[r], true, sl_rational(4, 1));
            for (int64_t i = 0; i < 3000; i++) {
                /* what a muxer writes: the exact time, rounded to milliseconds */
                int64_t us = origin_us +
                             sl_muldiv(i * 1000000, rates[r].den, rates[r].num, SL_ROUND_NEAREST);
                put(&c, sl_muldiv(us, 1, 1000, SL_ROUND_NEAREST), SL_NO_TIME);
            }
            finish(&c);
            assert_int_equal(s.count, 3000);
            int64_t step = c.out.den * rates[r].den / rates[r].num;
            for (size_t i = 0; i < s.count; i++) {
                assert_int_equal(s.pts[i], (int64_t)i * step);
                assert_int_equal(s.duration[i], step);
            }
            check(&s, &c);
        }
    }
}

static void test_exact_grid_is_left_where_a_block_is_off_it(void **state)
{
    (void)state;
    struct sl_clock c;
    static struct seen s;
    start(&c, &s, sl_rational(1, 1000), sl_rational(25, 1), true, sl_rational(4, 1));
    static const int64_t times[] = {0, 40, 80, 113, 160, 200};
    for (size_t i = 0; i < 6; i++) {
        put(&c, times[i], SL_NO_TIME);
    }
    finish(&c);
    /* 113 ms is more than half a millisecond from any grid point: it stays what it was. */
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(sl_rescale(s.pts[i], c.out, sl_rational(1, 1000), SL_ROUND_NEAREST),
                         times[i]);
    }
}

static void test_cuts_at_or_after(void **state)
{
    (void)state;
    struct sl_clock c;
    static struct seen s;
    /* 29.97: cut k is picture ceil(4k x 30000 / 1001) */
    start(&c, &s, sl_rational(1, 30000), sl_rational(30000, 1001), true, sl_rational(4, 1));
    for (int64_t i = 0; i < 2000; i++) {
        put(&c, 5000 + i * 1001, 1001);
    }
    finish(&c);
    int64_t k = 0;
    for (size_t i = 0; i < s.count; i++) {
        bool want = (int64_t)i == (4 * k * 30000 + 1000) / 1001;
        assert_int_equal(!!(s.flags[i] & SL_FRAME_CUT), want);
        k += want;
    }
    check(&s, &c);
}

static void test_holes_are_bridged(void **state)
{
    (void)state;
    struct sl_clock c;
    static struct seen s;
    start(&c, &s, sl_rational(1, 1000), sl_rational(0, 1), false, sl_rational(4, 1));
    put(&c, 0, SL_NO_TIME);
    put(&c, 1000, SL_NO_TIME);
    put(&c, 17000, SL_NO_TIME);
    put(&c, 17040, SL_NO_TIME);
    finish(&c);
    check(&s, &c);
    /* 0, 1, (4, 8, 12), 17, 17.04: at 16 it need not be shown again, 17 is the cut */
    assert_int_equal(s.count, 8);
    assert_int_equal(s.pts[2], 4000 * c.out.den / 1000);
    assert_int_equal(s.pts[4], 12000 * c.out.den / 1000);
}

static void test_slow_pictures_and_random_times(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 400; round++) {
        struct sl_clock c;
        static struct seen s;
        static const struct sl_rational segments[] = {{4, 1}, {2, 1}, {5, 2}, {1, 1}, {6006, 1000}};
        start(&c, &s, sl_rational(1, 90000), sl_rational(0, 1), false, segments[round % 5]);
        int64_t t = seed;
        int64_t last = 0;
        for (int i = 0; i < 200; i++) {
            put(&c, t, SL_NO_TIME);
            last = t - c.zero;
            seed = seed * 1664525u + 1013904223u;
            int64_t scale = seed % 7 == 0 ? 900000 : seed % 3 == 0 ? 90000 : 6000;
            t += 1 + (int64_t)(seed >> 8) % scale;
        }
        finish(&c);
        check(&s, &c);
        assert_int_equal(s.pts[s.count - 1] >= last ? last : -1, last);
    }
}

static void test_pictures_that_do_not_advance_are_dropped(void **state)
{
    (void)state;
    struct sl_clock c;
    static struct seen s;
    start(&c, &s, sl_rational(1, 1000), sl_rational(25, 1), false, sl_rational(4, 1));
    put(&c, 100, SL_NO_TIME);
    put(&c, 140, SL_NO_TIME);
    put(&c, 140, SL_NO_TIME);
    put(&c, 90, SL_NO_TIME);
    put(&c, SL_NO_TIME, SL_NO_TIME); /* no time: follows at the nominal rate */
    put(&c, 220, SL_NO_TIME);
    finish(&c);
    assert_int_equal(s.count, 4);
    assert_int_equal(c.dropped, 2);
    assert_int_equal(s.pts[2], 80 * c.out.den / 1000);
    assert_int_equal(s.duration[3], 40 * c.out.den / 1000);
}

static void test_last_picture(void **state)
{
    (void)state;
    struct sl_clock c;
    static struct seen s;
    start(&c, &s, sl_rational(1, 1000), sl_rational(0, 1), false, sl_rational(4, 1));
    put(&c, 500, SL_NO_TIME);
    assert_int_equal(sl_clock_end(&c), c.out.den); /* nothing is known: a second */
    put(&c, 750, SL_NO_TIME);
    put(&c, 1000, 70);
    assert_int_equal(sl_clock_end(&c), 570 * c.out.den / 1000);
    /* shown to the end of sound that goes on */
    assert_int_equal(sl_clock_finish(&c, 30 * c.out.den, NULL), SL_OK);
    check(&s, &c);
    assert_int_equal(s.pts[s.count - 1] + s.duration[s.count - 1], 30 * c.out.den);
    sl_clock_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matroska_milliseconds),
        cmocka_unit_test(test_exact_grid_is_left_where_a_block_is_off_it),
        cmocka_unit_test(test_cuts_at_or_after),
        cmocka_unit_test(test_holes_are_bridged),
        cmocka_unit_test(test_slow_pictures_and_random_times),
        cmocka_unit_test(test_pictures_that_do_not_advance_are_dropped),
        cmocka_unit_test(test_last_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
