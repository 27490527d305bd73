/* SPDX-License-Identifier: BSD-2-Clause */
/* Other sample rates: everything stands where its time says, whatever came before. */
#include <math.h>
#include <stdlib.h>

#include "failing_alloc.h"
#include "sounds.h"
#include "unit.h"

#define TICKS(n) ((struct sl_rational){1, (n)})
#define PI       3.14159265358979323846

static double frequency, rate;
static int64_t impulse_at;

static double tone(int c, int64_t i)
{
    return 0.5 * sin(2 * PI * frequency * (double)i / rate + c * 0.7);
}

static double impulse(int c, int64_t i)
{
    (void)c;
    return i == impulse_at ? 0.9 : 0;
}

/* A whole tone through a line in frames of some size; the line is left open. */
static void resample_tone(struct line *l, int32_t in_rate, int32_t out_rate, int64_t from,
                          int64_t count, int32_t frame, int32_t channels)
{
    struct sl_sound_params params = sound_params(TICKS(in_rate), out_rate, channels);
    rate = in_rate;
    line_open(l, &params);
    for (int64_t i = from; i < from + count; i += frame) {
        int32_t n = from + count - i < frame ? (int32_t)(from + count - i) : frame;
        line_send(l, i, in_rate, channels, 0, tone, i, n);
    }
}

/* Signal to noise of what stands from sample a to b against the tone as it should be there: level
 * and phase errors count as noise. */
static double snr(const struct line *l, int c, double out_rate, int64_t a, int64_t b)
{
    double noise = 0, signal = 0;
    for (int64_t i = a; i < b; i++) {
        double want = 0.5 * sin(2 * PI * frequency * (double)i / out_rate + c * 0.7);
        noise += ((double)l->sample[c][i] - want) * ((double)l->sample[c][i] - want);
        signal += want * want;
    }
    return 10 * log10(signal / noise);
}

static void test_tones(void **state)
{
    (void)state;
    /* 44101 shares no factor with 48000: the library then interpolates between phases. */
    static const struct {
        int32_t in, out;
        double least;
    } cases[] = {{44100, 48000, 85}, {48000, 44100, 85}, {96000, 48000, 85},
                 {32000, 48000, 85}, {22050, 48000, 85}, {8000, 48000, 80},
                 {44101, 48000, 75}, {48000, 8000, 80},  {192000, 48000, 85}};
    for (int i = 0; i < 9; i++) {
        for (int k = 0; k < 3; k++) {
            struct line l;
            double nyquist = (cases[i].in < cases[i].out ? cases[i].in : cases[i].out) / 2.0;
            frequency = k == 0 ? 220 : k == 1 ? nyquist / 4 : nyquist * 0.7;
            resample_tone(&l, cases[i].in, cases[i].out, 0, cases[i].in, 1000, 2);
            line_finish(&l, -1);
            assert_int_equal(l.meant, cases[i].out); /* one second is one second */
            for (int c = 0; c < 2; c++) {
                double db = snr(&l, c, cases[i].out, 500, l.meant - 500);
                if (db < cases[i].least) {
                    fail_msg("%d to %d Hz, %.0f Hz: %.1f dB", (int)cases[i].in, (int)cases[i].out,
                             frequency, db);
                }
            }
            line_close(&l);
        }
    }
}

static void test_an_impulse_stands_where_it_should(void **state)
{
    (void)state;
    static const int32_t rates[][2] = {{44100, 48000}, {48000, 44100}, {11025, 48000},
                                       {96000, 48000}, {48000, 16000}, {44101, 48000}};
    for (int i = 0; i < 6; i++) {
        for (int64_t at = 0; at < 4000; at += 777) {
            struct line l;
            struct sl_sound_params params = sound_params(TICKS(rates[i][0]), rates[i][1], 1);
            impulse_at = at;
            line_open(&l, &params);
            for (int64_t n = 0; n < 8000; n += 500) {
                line_send(&l, n, rates[i][0], 1, 4, impulse, n, 500);
            }
            line_finish(&l, -1);
            int64_t peak = 0;
            double centre = 0, energy = 0;
            for (int64_t n = 0; n < l.meant; n++) {
                double v = (double)l.sample[0][n];
                if (fabs(v) > fabs((double)l.sample[0][peak])) {
                    peak = n;
                }
                centre += (double)n * v * v;
                energy += v * v;
            }
            double want = (double)at * rates[i][1] / rates[i][0];
            assert_true(fabs((double)peak - want) <= 1);
            if (at > 100) { /* its left half is not cut off */
                assert_true(fabs(centre / energy - want) < 0.1);
            }
            line_close(&l);
        }
    }
}

static void same(const struct line *a, const struct line *b, int64_t from, int64_t to,
                 double tolerance)
{
    for (int c = 0; c < a->channels; c++) {
        for (int64_t i = from; i < to; i++) {
            double d = (double)a->sample[c][i] - (double)b->sample[c][i];
            if (fabs(d) > tolerance) {
                fail_msg("channel %d at %lld: %g and %g", c, (long long)i, (double)a->sample[c][i],
                         (double)b->sample[c][i]);
            }
        }
    }
}

static void test_frame_sizes_do_not_matter(void **state)
{
    (void)state;
    struct line a, b;
    frequency = 1000;
    resample_tone(&a, 44100, 48000, 0, 40000, 1152, 2);
    line_finish(&a, -1);
    for (int32_t frame = 1; frame < 30000; frame = frame * 7 + 3) {
        resample_tone(&b, 44100, 48000, 0, 40000, frame, 2);
        line_finish(&b, -1);
        assert_int_equal(a.meant, b.meant);
        same(&a, &b, 0, a.meant, 0);
        line_close(&b);
    }
    line_close(&a);
}

/* A line that starts in the middle has the samples of one that was there from the start: what
 * segments made one by one stand on. */
static void test_phase_follows_from_the_index(void **state)
{
    (void)state;
    static const int32_t rates[][2] = {{44100, 48000}, {48000, 44100}, {22050, 48000}};
    for (int i = 0; i < 3; i++) {
        struct line a, b;
        frequency = 3000;
        resample_tone(&a, rates[i][0], rates[i][1], 0, 60000, 1000, 1);
        line_finish(&a, -1);
        for (int64_t from = 10000; from < 50000; from += 13337) {
            resample_tone(&b, rates[i][0], rates[i][1], from, 60000 - from, 1024, 1);
            line_finish(&b, -1);
            assert_int_equal(a.meant, b.meant);
            int64_t first = (from * rates[i][1] + rates[i][0] - 1) / rates[i][0];
            for (int64_t n = 0; n < first; n++) {
                assert_true(b.sample[0][n] == 0);
            }
            same(&a, &b, first + 100, b.meant, 1e-6);
            line_close(&b);
        }
        line_close(&a);
    }
}

static void test_before_zero_is_run_in(void **state)
{
    (void)state;
    struct line a, b;
    frequency = 3000;
    resample_tone(&a, 44100, 48000, 0, 44100, 1000, 1);
    line_finish(&a, -1);
    /* The same sound on a line whose zero is half a second later: identical from its first sample
     * on, since what lies before was heard by the filter. */
    struct sl_sound_params params = sound_params(TICKS(44100), 48000, 1);
    params.zero = 22050;
    rate = 44100;
    line_open(&b, &params);
    for (int64_t i = 20000; i < 44100; i += 100) {
        line_send(&b, i, 44100, 1, 4, tone, i, 100);
    }
    line_finish(&b, -1);
    assert_int_equal(b.meant, 24000);
    for (int64_t n = 0; n < 24000; n++) {
        assert_true(fabs((double)a.sample[0][24000 + n] - (double)b.sample[0][n]) < 1e-6);
    }
    line_close(&a);
    line_close(&b);
}

static void test_gaps_and_overlaps(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(44100), 48000, 1);
    frequency = 1000;
    rate = 44100;
    line_open(&l, &params);
    for (int64_t i = 0; i < 44100; i += 441) {
        if (i >= 8820 && i < 17640) {
            continue; /* 0.2 s are missing */
        }
        /* From half a second on, each frame also repeats the three before: more than what passes
         * for unsteady clocks. */
        int32_t again = i >= 22050 ? 3 * 441 : 0;
        line_send(&l, i - again, 44100, 1, 4, tone, i - again, 441 + again);
    }
    line_finish(&l, -1);
    assert_int_equal(l.meant, 48000);
    assert_true(snr(&l, 0, 48000, 100, 9500) > 85);
    assert_true(snr(&l, 0, 48000, 19300, 47900) > 85);
    for (int64_t n = 9600; n < 19200; n++) {
        assert_true(l.sample[0][n] == 0);
    }
    line_close(&l);
}

/* 44.1, 48, 32 kHz in turn, with millisecond timestamps: no hole at the seams, no shift. */
static void test_rates_may_change(void **state)
{
    (void)state;
    static const int32_t rates[] = {44100, 48000, 32000, 44100, 22050};
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(1000), 48000, 1);
    frequency = 200;
    line_open(&l, &params);
    for (int64_t piece = 0; piece < 5; piece++) {
        int32_t in = rates[piece];
        rate = in;
        for (int64_t i = 0; i < in; i += in / 50) {
            line_send(&l, piece * 1000 + i * 1000 / in, in, 1, 4, tone, piece * in + i, in / 50);
        }
    }
    line_finish(&l, -1);
    assert_int_equal(l.meant, 5 * 48000);
    for (int64_t piece = 0; piece < 5; piece++) {
        assert_true(snr(&l, 0, 48000, piece * 48000 + 100, piece * 48000 + 47900) > 80);
    }
    for (int64_t seam = 48000; seam < l.meant; seam += 48000) {
        for (int64_t n = seam - 100; n < seam + 100; n++) {
            double want = 0.5 * sin(2 * PI * frequency * (double)n / 48000);
            assert_true(fabs((double)l.sample[0][n] - want) < 0.3);
        }
    }
    line_close(&l);
}

static void test_three_hours_without_drift(void **state)
{
    (void)state;
    struct sl_sound *s = NULL;
    struct sl_frame *f = NULL;
    struct sl_sound_params params = sound_params(TICKS(1000), 8000, 1);
    int64_t at = 0;
    assert_int_equal(sl_sound_create(&s, &params, NULL), SL_OK);
    assert_int_equal(sl_frame_create_audio(&f, 1, 4, 7350, 1024, NULL), SL_OK);
    while (at < (int64_t)3 * 3600 * 7350) {
        struct sl_frame *out = NULL;
        f->pts = at * 1000 / 7350; /* truncated: always early */
        assert_int_equal(sl_sound_send(s, f, NULL), SL_OK);
        at += f->samples;
        int64_t due = at * 8000 / 7350;
        assert_true(sl_sound_length(s) <= due + 1 && sl_sound_length(s) > due - 100);
        while (sl_sound_receive(s, &out, NULL) == SL_OK) {
            sl_frame_unref(&out);
        }
    }
    assert_int_equal(sl_sound_finish(s, -1, NULL), SL_OK);
    assert_int_equal(sl_sound_length(s), (at * 8000 + 7349) / 7350);
    sl_frame_unref(&f);
    sl_sound_destroy(&s);
}

static enum sl_status some_line(void *arg)
{
    struct sl_frame *f = arg;
    struct sl_sound_params params = sound_params(TICKS(44100), 48000, 2);
    struct sl_sound *s = NULL;
    enum sl_status status = sl_sound_create(&s, &params, NULL);
    f->pts = 0;
    if (status == SL_OK) {
        status = sl_sound_send(s, f, NULL);
    }
    if (status == SL_OK) {
        status = sl_sound_finish(s, -1, NULL);
    }
    sl_sound_destroy(&s);
    /* base/module.h has one status for a module that cannot be had, whatever the reason. */
    return status == SL_EUNSUPPORTED ? SL_ENOMEM : status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    struct sl_frame *f = NULL;
    assert_int_equal(sl_frame_create_audio(&f, 2, 3, 44100, 2000, NULL), SL_OK);
    assert_int_equal(some_line(f), SL_OK); /* the module is opened once and stays */
    failing_alloc_run(some_line, f);
    sl_frame_unref(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tones),
        cmocka_unit_test(test_an_impulse_stands_where_it_should),
        cmocka_unit_test(test_frame_sizes_do_not_matter),
        cmocka_unit_test(test_phase_follows_from_the_index),
        cmocka_unit_test(test_before_zero_is_run_in),
        cmocka_unit_test(test_gaps_and_overlaps),
        cmocka_unit_test(test_rates_may_change),
        cmocka_unit_test(test_three_hours_without_drift),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
