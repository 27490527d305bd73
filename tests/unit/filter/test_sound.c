/* SPDX-License-Identifier: BSD-2-Clause */
/* Placing sound by its timestamps: gaps, overlaps, jitter, starts and ends. */
#include <stdlib.h>

#include "failing_alloc.h"
#include "filter/mix.h"
#include "sounds.h"
#include "unit.h"

#define TICKS(n) ((struct sl_rational){1, (n)})

/* A value that tells the index. */
static double counter(int c, int64_t i)
{
    return (double)(i % 8191 + 1) / 16384 + c * 0.25;
}

static void expect(const struct line *l, int64_t at, int64_t count, int64_t first)
{
    for (int64_t i = 0; i < count; i++) {
        for (int c = 0; c < l->channels; c++) {
            double want = first < 0 ? 0 : (float)counter(c, first + i);
            if (l->sample[c][at + i] != (float)want) {
                fail_msg("channel %d at %lld is %f, not %f", c, (long long)(at + i),
                         (double)l->sample[c][at + i], want);
            }
        }
    }
}

static void test_straight_through(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 2);
    line_open(&l, &params);
    int64_t at = 0;
    for (int i = 0; i < 20; i++) {
        int32_t count = 1 + i * 313 % 1999;
        line_send(&l, at, 48000, 2, 3, counter, at, count);
        at += count;
        assert_int_equal(sl_sound_length(l.s), at);
    }
    line_finish(&l, -1);
    assert_int_equal(l.meant, at);
    assert_int_equal(l.count, (at + 1023) / 1024 * 1024);
    expect(&l, 0, at, 0);
    expect(&l, at, l.count - at, -1); /* padding is silence */
    line_close(&l);
}

static void test_no_timestamps(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(1000), 48000, 1);
    line_open(&l, &params);
    line_send(&l, SL_NO_TIME, 48000, 1, 4, counter, 0, 1000);
    line_send(&l, SL_NO_TIME, 48000, 1, 4, counter, 1000, 1000);
    line_finish(&l, -1);
    assert_int_equal(l.meant, 2000);
    expect(&l, 0, 2000, 0);
    line_close(&l);
}

static void test_zero_cuts_and_delays(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(90000), 48000, 1);
    params.zero = 900000; /* ten seconds */
    line_open(&l, &params);
    /* A frame wholly before, one across, one behind. */
    line_send(&l, 900000 - 3750, 48000, 1, 4, counter, 0, 1000);
    assert_int_equal(sl_sound_length(l.s), 0);
    line_send(&l, 900000 - 1875, 48000, 1, 4, counter, 1000, 1500);
    assert_int_equal(sl_sound_length(l.s), 500);
    line_send(&l, 900000 + 938, 48000, 1, 4, counter, 2500, 100);
    line_finish(&l, -1);
    assert_int_equal(l.meant, 600);
    expect(&l, 0, 600, 2000);
    line_close(&l);

    /* Sound that starts late starts exactly so, even by less than the tolerance. */
    params = sound_params(TICKS(48000), 48000, 1);
    line_open(&l, &params);
    line_send(&l, 100, 48000, 1, 4, counter, 0, 1000);
    line_finish(&l, -1);
    assert_int_equal(l.meant, 1100);
    expect(&l, 0, 100, -1);
    expect(&l, 100, 1000, 0);
    line_close(&l);
}

static void test_gap_and_overlap(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 2);
    line_open(&l, &params);
    line_send(&l, 0, 48000, 2, 3, counter, 0, 3000);
    line_send(&l, 5000, 48000, 2, 3, counter, 5000, 3000); /* 2000 are missing */
    line_send(&l, 6000, 48000, 2, 3, counter, 6000, 3000); /* 2000 again */
    line_send(&l, 6000, 48000, 2, 3, counter, 6000, 1500); /* nothing new */
    line_send(&l, 9000, 48000, 2, 3, counter, 9000, 1500);
    line_finish(&l, -1);
    assert_int_equal(l.meant, 10500);
    expect(&l, 0, 3000, 0);
    expect(&l, 3000, 2000, -1);
    expect(&l, 5000, 5500, 5000);
    line_close(&l);
}

static void test_tolerance(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
    params.tolerance = 100;
    line_open(&l, &params);
    line_send(&l, 0, 48000, 1, 4, counter, 0, 1000);
    line_send(&l, 1100, 48000, 1, 4, counter, 1000, 1000); /* jitter */
    line_send(&l, 1900, 48000, 1, 4, counter, 2000, 1000);
    assert_int_equal(sl_sound_length(l.s), 3000);
    line_send(&l, 3101, 48000, 1, 4, counter, 3101, 1000); /* a gap */
    assert_int_equal(sl_sound_length(l.s), 4101);
    line_send(&l, 4000, 48000, 1, 4, counter, 4000, 1000); /* an overlap */
    line_finish(&l, -1);
    assert_int_equal(l.meant, 5000);
    expect(&l, 0, 3000, 0);
    expect(&l, 3000, 101, -1);
    expect(&l, 3101, 5000 - 3101, 3101);
    line_close(&l);
}

/* Three hours of frames whose times are rounded to milliseconds and jitter besides, at a rate that
 * milliseconds do not divide. */
static void test_jitter_does_not_add_up(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(1000), 8000, 1);
    struct sl_frame *f = NULL;
    uint32_t seed = 9;
    int64_t at = 0;
    line_open(&l, &params);
    assert_int_equal(sl_frame_create_audio(&f, 1, 4, 8000, 1013, NULL), SL_OK);
    while (at < (int64_t)3 * 3600 * 8000) {
        struct sl_frame *out = NULL;
        seed = seed * 1664525u + 1013904223u;
        f->pts = at / 8 + (int)(seed >> 16) % 19 - 9; /* up to 9 ms early or late */
        if (at == 0) {
            f->pts = 0;
        }
        assert_int_equal(sl_sound_send(l.s, f, NULL), SL_OK);
        at += f->samples;
        assert_int_equal(sl_sound_length(l.s), at);
        while (sl_sound_receive(l.s, &out, NULL) == SL_OK) {
            sl_frame_unref(&out);
        }
    }
    sl_frame_unref(&f);
    line_close(&l);
}

/* A clock that is off by one in a thousand: the line never strays further from the timestamps than
 * the tolerance, whatever the sample counts say. */
static void test_drift_is_corrected(void **state)
{
    (void)state;
    for (int fast = -1; fast <= 1; fast += 2) {
        struct line l;
        struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
        struct sl_frame *f = NULL;
        line_open(&l, &params);
        assert_int_equal(sl_frame_create_audio(&f, 1, 4, 48000, 1000, NULL), SL_OK);
        for (int64_t i = 0; i < 5000; i++) {
            struct sl_frame *out = NULL;
            f->pts = i * (1000 + fast);
            assert_int_equal(sl_sound_send(l.s, f, NULL), SL_OK);
            int64_t off = sl_sound_length(l.s) - (f->pts + 1000);
            assert_true(llabs(off) <= SL_SOUND_JITTER(48000));
            while (sl_sound_receive(l.s, &out, NULL) == SL_OK) {
                sl_frame_unref(&out);
            }
        }
        sl_frame_unref(&f);
        line_close(&l);
    }
}

/* Frame n as a container with milliseconds has it. */
static int64_t millisecond(int n)
{
    return ((int64_t)n * 1536 * 1000 + 24000) / 48000;
}

/* A line from the middle lies where the one from the beginning lay, though no frame's own
 * timestamp says so to the sample. */
static void test_anchor(void **state)
{
    (void)state;
    struct line whole, later;
    struct sl_sound_anchor anchor = {0}, unknown = {0};
    struct sl_sound_params params = sound_params(TICKS(1000), 48000, 1);
    params.zero = 7;
    line_open(&whole, &params);
    assert_false(sl_sound_anchor(whole.s, &unknown));
    for (int n = 0; n < 60; n++) {
        line_send(&whole, millisecond(n), 48000, 1, 4, counter, (int64_t)n * 1536, 1536);
        if (n == 31) {
            assert_true(sl_sound_anchor(whole.s, &anchor));
        }
    }
    line_finish(&whole, -1);
    assert_int_equal(anchor.pts, millisecond(31));
    assert_int_equal(anchor.rate, 48000);
    assert_int_equal(anchor.index, 31 * 1536 - 7 * 48);

    /* The anchored frame is there, or the reading began behind it. */
    for (int begin = 29; begin < 34; begin++) {
        params.first = 48 * 1024;
        params.anchor = anchor;
        line_open(&later, &params);
        for (int n = begin; n < 60; n++) {
            line_send(&later, millisecond(n), 48000, 1, 4, counter, (int64_t)n * 1536, 1536);
        }
        line_finish(&later, -1);
        assert_int_equal(params.first + later.meant, whole.meant);
        if (begin <= 31) {
            for (int64_t i = 0; i < later.meant; i++) {
                assert_true(later.sample[0][i] == whole.sample[0][params.first + i]);
            }
        }
        line_close(&later);
    }
    line_close(&whole);
}

static void test_silence_of_hours_costs_nothing(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 2);
    struct sl_frame *f = NULL;
    int64_t hours = (int64_t)100000 * 3600 * 48000, frames = 0;
    line_open(&l, &params);
    line_send(&l, 0, 48000, 2, 3, counter, 0, 700);
    assert_int_equal(sl_frame_create_audio(&f, 2, 3, 48000, 1, NULL), SL_OK);
    f->pts = hours;
    assert_int_equal(sl_sound_send(l.s, f, NULL), SL_OK);
    assert_int_equal(sl_sound_length(l.s), hours + 1);
    assert_int_equal(sl_sound_send(l.s, f, NULL), SL_EAGAIN);
    sl_frame_unref(&f);
    for (; frames < 1000; frames++) {
        assert_int_equal(sl_sound_receive(l.s, &f, NULL), SL_OK);
        assert_int_equal(f->pts, frames * 1024);
        assert_true(((float *)(void *)f->plane[1])[1023] == 0);
        sl_frame_unref(&f);
    }
    line_close(&l);
}

/* Gaps and crumbs of sound in turn, so that many spans wait at once. */
static void test_crumbs(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
    params.tolerance = 1;
    line_open(&l, &params);
    for (int64_t i = 0; i < 2000; i++) {
        line_send(&l, i * 5, 48000, 1, 4, counter, i * 5, 2);
    }
    line_finish(&l, -1);
    assert_int_equal(l.meant, 1999 * 5 + 2);
    for (int64_t i = 0; i < 1999; i++) {
        expect(&l, i * 5, 2, i * 5);
        expect(&l, i * 5 + 2, 3, -1);
    }
    line_close(&l);
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        int64_t end, meant, count;
    } cases[] = {
        {-1, 5000, 5120},   {0, 4096, 4096},    {4200, 4200, 5120},
        {5000, 5000, 5120}, {6000, 6000, 6144}, {6144, 6144, 6144},
    };
    for (int i = 0; i < 6; i++) {
        struct line l;
        struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
        line_open(&l, &params);
        line_send(&l, 0, 48000, 1, 4, counter, 0, 5000);
        line_finish(&l, cases[i].end);
        assert_int_equal(l.meant, cases[i].meant);
        assert_int_equal(l.count, cases[i].count);
        int64_t sound = l.meant < 5000 ? l.meant : 5000;
        expect(&l, 0, sound, 0);
        expect(&l, sound, l.count - sound, -1);
        assert_int_equal(sl_sound_finish(l.s, -1, NULL), SL_EINVAL);
        line_close(&l);
    }
    /* Nothing at all, and nothing but an end. */
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
    line_open(&l, &params);
    line_finish(&l, -1);
    assert_int_equal(l.count, 0);
    line_close(&l);
    line_open(&l, &params);
    line_finish(&l, 1500);
    assert_int_equal(l.count, 2048);
    assert_int_equal(l.meant, 1500);
    expect(&l, 0, 2048, -1);
    line_close(&l);
}

static void test_bad_input(void **state)
{
    (void)state;
    struct sl_sound *s = NULL;
    struct sl_sound_params good = sound_params(TICKS(1000), 48000, 2);
    struct sl_sound_params bad[5] = {good, good, good, good, good};
    bad[0].channels = 9;
    bad[1].sample_rate = 0;
    bad[2].frame_samples = 0;
    bad[3].timebase.den = 0;
    bad[4].tolerance = -1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(sl_sound_create(&s, &bad[i], NULL), SL_EINVAL);
        assert_null(s);
    }
    struct sl_frame *f = NULL;
    assert_int_equal(sl_sound_create(&s, &good, NULL), SL_OK);
    assert_int_equal(sl_frame_create_audio(&f, 2, 3, 48000, 64, NULL), SL_OK);
    f->sample_format = SL_SAMPLE_S16;
    assert_int_equal(sl_sound_send(s, f, NULL), SL_EINVAL);
    f->sample_format = SL_SAMPLE_F32P;
    f->pts = INT64_MAX - 5;
    assert_int_equal(sl_sound_send(s, f, NULL), SL_EDATA);
    f->pts = INT64_MIN + 5;
    assert_int_equal(sl_sound_send(s, f, NULL), SL_EDATA);
    sl_sound_destroy(&s);
    good.zero = INT64_MAX;
    assert_int_equal(sl_sound_create(&s, &good, NULL), SL_OK);
    assert_int_equal(sl_sound_send(s, f, NULL), SL_EDATA);
    sl_sound_destroy(&s);
    sl_sound_destroy(&s);
    sl_frame_unref(&f);
}

/* ---- channels ----------------------------------------------------------------------------- */

static double by_channel(int c, int64_t i)
{
    (void)i;
    return (double)(1 << c) / 256;
}

/* One frame of constants through a line; what comes out, in 1/256. */
static void mixed(int32_t in_channels, uint64_t layout, int32_t out_channels, double out[8])
{
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, out_channels);
    line_open(&l, &params);
    line_send(&l, 0, 48000, in_channels, layout, by_channel, 0, 1024);
    for (int c = 0; c < out_channels; c++) {
        out[c] = (double)l.sample[c][500] * 256;
    }
    line_finish(&l, -1);
    line_close(&l);
}

static void near(double a, double b)
{
    if (a < b - 1e-4 || a > b + 1e-4) {
        fail_msg("%f, not %f", a, b);
    }
}

static void test_mixes(void **state)
{
    (void)state;
    const double h = 0.70710678, n = 1 / (1 + 2 * h);
    double o[8];
    /* Mono to stereo at full level, stereo to mono by halves. */
    mixed(1, 4, 2, o);
    near(o[0], 1);
    near(o[1], 1);
    mixed(2, 3, 1, o);
    near(o[0], 1.5);
    /* 5.1 with the rear pair called back or side: the same. FL FR FC LFE BL BR. */
    for (int i = 0; i < 3; i++) {
        static const uint64_t layouts[3] = {0x3f, 0x60f, 0};
        mixed(6, layouts[i], 2, o);
        near(o[0], (1 + h * 4 + h * 16) * n);
        near(o[1], (2 + h * 4 + h * 32) * n);
    }
    /* 7.1 FL FR FC LFE BL BR SL SR */
    mixed(8, 0x63f, 2, o);
    near(o[0], (1 + h * 4 + h * 16 + h * 64) / (1 + 3 * h));
    near(o[1], (2 + h * 4 + h * 32 + h * 128) / (1 + 3 * h));
    /* 5.1 to mono, BS.775 table 2 */
    mixed(6, 0x3f, 1, o);
    near(o[0], (h * 1 + h * 2 + 4 + 0.5 * 16 + 0.5 * 32) / (2 * h + 2));
    /* 4.0 FL FR FC BC to stereo */
    mixed(4, 0x107, 2, o);
    near(o[0], (1 + h * 4 + 0.5 * 8) / (1 + h + 0.5));
    /* 5.1 to 5.1: side is back, nothing is mixed; 7.1 to 5.1: two pairs become one */
    mixed(6, 0x60f, 6, o);
    for (int c = 0; c < 6; c++) {
        near(o[c], 1 << c);
    }
    mixed(8, 0x63f, 6, o);
    near(o[4], (16 + 64) / 2.0);
    near(o[0], 0.5);
    /* A wider line keeps what it is given. */
    mixed(2, 3, 6, o);
    near(o[0], 1);
    near(o[1], 2);
    near(o[2], 0);
    near(o[5], 0);
}

/* Every speaker of every layout is heard (but LFE), and nothing is ever louder than full scale. */
static void test_every_speaker_is_heard(void **state)
{
    (void)state;
    for (int32_t out = 1; out <= 8; out++) {
        for (int bit = 0; bit < 18; bit++) {
            for (int other = 0; other < 18; other++) {
                uint64_t layout = (uint64_t)1 << bit | (uint64_t)1 << other;
                struct sl_mix m;
                sl_mix_init(&m, bit == other ? 1 : 2, layout, out, 0);
                double heard = 0;
                for (int o = 0; o < out; o++) {
                    double sum = m.copies;
                    for (int i = 0; i < m.in_channels; i++) {
                        assert_true(m.gain[o][i] >= 0);
                        sum += (double)m.gain[o][i];
                    }
                    assert_true(sum < 1.000001);
                    heard += sum;
                }
                bool deaf = bit == 3 && other == 3 && out < 6;
                assert_true(deaf ? heard >= 0 : heard > 0.1);
            }
        }
    }
}

static void test_layout_changes(void **state)
{
    (void)state;
    struct line l;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 2);
    line_open(&l, &params);
    line_send(&l, 0, 48000, 2, 3, by_channel, 0, 1000);
    line_send(&l, 1000, 48000, 1, 4, by_channel, 0, 1000);
    line_send(&l, 2000, 48000, 6, 0x3f, by_channel, 0, 1000);
    line_finish(&l, -1);
    assert_int_equal(l.meant, 3000);
    near((double)l.sample[1][999] * 256, 2);
    near((double)l.sample[1][1000] * 256, 1);
    near((double)l.sample[1][2000] * 256, (2 + 36 * 0.70710678) / 2.41421356);
    line_close(&l);
}

static double damaged(int c, int64_t i)
{
    (void)c;
    static const float bad[4] = {1e30f, -1e30f, 0.5f, -0.5f};
    return i % 5 == 4 ? (double)(0.0f / (float)(i - i)) : (double)bad[i % 5];
}

static void test_damaged_samples_become_silence(void **state)
{
    (void)state;
    for (int32_t channels = 1; channels <= 2; channels++) {
        struct line l;
        struct sl_sound_params params = sound_params(TICKS(48000), 48000, 1);
        line_open(&l, &params);
        line_send(&l, 0, 48000, channels, 0, damaged, 0, 1000);
        line_finish(&l, -1);
        for (int i = 0; i < 1000; i++) {
            double want = i % 5 == 2 ? 0.5 : i % 5 == 3 ? -0.5 : 0;
            near((double)l.sample[0][i], want);
        }
        line_close(&l);
    }
}

/* ---- memory ------------------------------------------------------------------------------- */

static enum sl_status line_of_some(void *arg)
{
    struct sl_frame *const *frames = arg;
    struct sl_sound_params params = sound_params(TICKS(48000), 48000, 2);
    struct sl_sound *s = NULL;
    enum sl_status status = sl_sound_create(&s, &params, NULL);
    for (int i = 0; i < 3 && status == SL_OK; i++) {
        status = sl_sound_send(s, frames[i], NULL);
        while (status == SL_OK) {
            struct sl_frame *out = NULL;
            status = sl_sound_receive(s, &out, NULL);
            sl_frame_unref(&out);
        }
        if (status == SL_EAGAIN) {
            status = SL_OK;
        }
    }
    if (status == SL_OK) {
        status = sl_sound_finish(s, 90000, NULL);
    }
    sl_sound_destroy(&s);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static const int32_t pts[3] = {0, 4000, 60000}, samples[3] = {3000, 20000, 500};
    struct sl_frame *frames[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sl_frame_create_audio(&frames[i], 2, 3, 48000, samples[i], NULL), SL_OK);
        frames[i]->pts = pts[i];
    }
    failing_alloc_run(line_of_some, frames);
    for (int i = 0; i < 3; i++) {
        sl_frame_unref(&frames[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight_through),
        cmocka_unit_test(test_no_timestamps),
        cmocka_unit_test(test_zero_cuts_and_delays),
        cmocka_unit_test(test_gap_and_overlap),
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_jitter_does_not_add_up),
        cmocka_unit_test(test_drift_is_corrected),
        cmocka_unit_test(test_anchor),
        cmocka_unit_test(test_silence_of_hours_costs_nothing),
        cmocka_unit_test(test_crumbs),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_mixes),
        cmocka_unit_test(test_every_speaker_is_heard),
        cmocka_unit_test(test_layout_changes),
        cmocka_unit_test(test_damaged_samples_become_silence),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
