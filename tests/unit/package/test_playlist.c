/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/rational.h"
#include "boxes.h"
#include "failing_alloc.h"
#include "package/playlist.h"
#include "unit.h"

static struct sl_playlist make(int64_t num, int64_t den, int64_t target, bool fmp4)
{
    struct sl_playlist p;
    sl_playlist_init(&p);
    p.timebase = sl_rational(num, den);
    p.target = target;
    p.init_uri = fmp4 ? "init.mp4" : NULL;
    p.extension = fmp4 ? "m4s" : "ts";
    p.independent = true;
    return p;
}

static void add(struct sl_playlist *p, int64_t duration, int64_t bytes)
{
    struct sl_error err = {0};
    if (sl_playlist_add(p, duration, bytes, &err))
        fail_msg("%s", err.msg);
}

static void golden(const struct sl_playlist *p, const char *name)
{
    struct sl_writer w;
    sl_writer_init(&w, 1 << 20);
    assert_int_equal(sl_playlist_render(p, &w, NULL), SL_OK);
    golden_check(SL_GOLDEN_DIR, name, &w);
    sl_writer_clear(&w);
}

static void test_text(void **state)
{
    struct sl_playlist p = make(1001, 30000, 4, true);
    (void)state;
    add(&p, 120, 1000);
    add(&p, 120, 2000);
    add(&p, 119, 1500);
    golden(&p, "live.m3u8");
    add(&p, 7, 90);
    p.ended = true;
    golden(&p, "ended.m3u8");
    sl_playlist_clear(&p);
    p = make(1, 48000, 10, false);
    p.independent = false;
    for (int i = 0; i < 502; i++)
        add(&p, 48000, 1);
    assert_int_equal(p.segments[501].number, 501);
    p.segments[3] = p.segments[499];
    p.segments[4] = p.segments[500];
    p.count = 5;
    golden(&p, "ts.m3u8");
    sl_playlist_clear(&p);
}

/* A run that was gone on with: 2026-11-28T13:00:00Z is 1795870800 s. */
static void test_lives(void **state)
{
    struct sl_playlist p = make(1, 1000, 4, true);
    const int64_t zero = INT64_C(1795870800) * 1000000;
    const struct sl_segment segments[] = {
        {.duration = 4000, .bytes = 1, .program_time = zero},
        {.duration = 3996, .bytes = 1, .program_time = zero + 4000000},
        {.duration = 4000, .program_time = zero + 7996000, .gap = true},
        {.duration = 4000,
         .bytes = 1,
         .program_time = INT64_C(1798761599999000), /* the last millisecond of the year */
         .discontinuity = true},
        {.duration = 4000,
         .bytes = 1,
         .program_time = INT64_C(1798761603999000),
         .init = 1,
         .discontinuity = true},
        {.duration = 1000, .bytes = 1, .program_time = INT64_C(1798761607999000), .init = 1},
        /* A leap day */
        {.duration = 1000, .bytes = 1, .program_time = INT64_C(1835395200000000)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++)
        assert_int_equal(sl_playlist_append(&p, &segments[i], NULL), SL_OK);
    assert_int_equal(p.segments[5].number, 5);
    golden(&p, "lives.m3u8");
    p.whole = p.ended = true;
    golden(&p, "lives-whole.m3u8");
    sl_playlist_clear(&p);
}

/* The EXTINFs add up to the whole, rounded once, however many there are. */
static void test_no_drift(void **state)
{
    struct sl_playlist p = make(1001, 24000, 5, true);
    struct sl_writer w;
    int64_t sum = 0, ticks = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        add(&p, 96 + i % 7, 1);
        ticks += 96 + i % 7;
    }
    sl_writer_init(&w, 1 << 22);
    assert_int_equal(sl_playlist_render(&p, &w, NULL), SL_OK);
    sl_write_u8(&w, 0);
    for (const char *c = strstr((char *)w.data, "#EXTINF:"); c; c = strstr(c + 1, "#EXTINF:")) {
        char *dot;
        sum += strtoll(c + 8, &dot, 10) * 1000000;
        sum += strtoll(dot + 1, &dot, 10);
        assert_int_equal(*dot, ',');
    }
    assert_int_equal(sum, sl_rescale(ticks, p.timebase, sl_rational(1, 1000000), SL_ROUND_NEAREST));
    sl_writer_clear(&w);
    sl_playlist_clear(&p);
}

static void refuse(struct sl_playlist *p, int64_t duration, const char *words)
{
    struct sl_error err = {0};
    size_t count = p->count;
    assert_int_equal(sl_playlist_add(p, duration, 1, &err), SL_EINVAL);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    assert_int_equal(p->count, count);
}

static void test_refusals(void **state)
{
    struct sl_playlist p = make(1, 1000000, 4, true);
    struct sl_writer w;
    (void)state;
    add(&p, 4499999, 1);
    refuse(&p, 4500000, "segment 1 lasts 4.500000 s, which rounds to more than the target");
    refuse(&p, 0, "expected 1 or more");
    refuse(&p, -5, "expected 1 or more");
    refuse(&p, INT64_MAX, "expected 1 or more");
    p.init_uri = "a\"b";
    sl_writer_init(&w, 1 << 20);
    assert_int_equal(sl_playlist_render(&p, &w, NULL), SL_EINVAL);
    p.init_uri = "a\nb";
    assert_int_equal(sl_playlist_render(&p, &w, NULL), SL_EINVAL);
    assert_int_equal(w.size, 0);
    sl_playlist_clear(&p);
    p = make(0, 1, 4, true);
    refuse(&p, 1, "timebase 0/1");
    /* 4.4999995 s is printed as 4.500000, which readers round up */
    p = make(1, 10000000, 4, true);
    add(&p, 44999994, 1);
    sl_playlist_clear(&p);
    p = make(1, 10000000, 4, true);
    refuse(&p, 44999995, "4.500000");
}

/* The definition, by brute force. */
static int64_t slow_peak(const struct sl_playlist *p)
{
    int64_t best = sl_playlist_average(p);
    for (size_t i = 0; i < p->count; i++) {
        int64_t duration = 0, bytes = 0, rate;
        for (size_t k = i; k < p->count; k++) {
            duration += p->segments[k].duration;
            bytes += p->segments[k].bytes;
            if (2 * duration < p->target * 1000 || 2 * duration > 3 * p->target * 1000)
                continue;
            rate = (bytes * 8 * 1000 + duration - 1) / duration;
            if (rate > best)
                best = rate;
        }
    }
    return best;
}

static void test_peak(void **state)
{
    uint32_t seed = 7;
    struct sl_playlist p = make(1, 1000, 4, true);
    (void)state;
    assert_int_equal(sl_playlist_peak(&p), 0);
    assert_int_equal(sl_playlist_average(&p), 0);
    add(&p, 1000, 1000); /* shorter than half a target: what there is */
    assert_int_equal(sl_playlist_peak(&p), 8000);
    add(&p, 4000, 500001);
    assert_int_equal(sl_playlist_peak(&p), 1000002);
    assert_int_equal(sl_playlist_average(&p), 801602); /* 801601.6 */
    sl_playlist_clear(&p);
    for (int run = 0; run < 200; run++) {
        p = make(1, 1000, 4, true);
        seed = seed * 1664525u + 1013904223u;
        for (uint32_t i = 0, n = seed >> 26; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            int64_t duration = 1 + (seed >> 12) % (run % 2 ? 4499u : 900u);
            seed = seed * 1664525u + 1013904223u;
            add(&p, duration, (int64_t)(seed >> 8) % 1000000);
            assert_int_equal(sl_playlist_peak(&p), slow_peak(&p));
        }
        sl_playlist_clear(&p);
    }
}

static const struct sl_variant variants[] = {
    {.uri = "original/playlist.m3u8",
     .name = "original",
     .codecs = "avc1.64001f,mp4a.40.2",
     .bandwidth = 3000001,
     .average_bandwidth = 2500000,
     .width = 1280,
     .height = 720,
     .frame_rate = {30000, 1001},
     .audio_group = "audio"},
    {.uri = "360p/playlist.m3u8",
     .name = "one with spaces",
     .codecs = "avc1.64001e,mp4a.40.2",
     .bandwidth = 900000,
     .width = 640,
     .height = 360,
     .frame_rate = {0, 1},
     .audio_group = "audio"},
};

static const struct sl_rendition_entry sounds[] = {
    {.group = "audio",
     .name = "English \"5.1\"\nmix",
     .language = "eng",
     .uri = "audio-1/playlist.m3u8",
     .channels = 6,
     .is_default = true},
    {.group = "audio", .name = "Second", .language = "und", .uri = "audio-2/playlist.m3u8"},
};

static void test_master(void **state)
{
    struct sl_writer w;
    struct sl_variant v = variants[0];
    struct sl_rendition_entry twice[2] = {sounds[0], sounds[0]};
    struct sl_error err = {0};
    (void)state;
    sl_writer_init(&w, 65536);
    assert_int_equal(sl_master_render(variants, 2, sounds, 2, &w, NULL), SL_OK);
    golden_check(SL_GOLDEN_DIR, "master.m3u8", &w);
    sl_writer_clear(&w);
    v.audio_group = NULL;
    assert_int_equal(sl_master_render(&v, 1, NULL, 0, &w, NULL), SL_OK);
    golden_check(SL_GOLDEN_DIR, "master-plain.m3u8", &w);
    sl_writer_clear(&w);

    assert_int_equal(sl_master_render(variants, 0, NULL, 0, &w, NULL), SL_EINVAL);
    assert_int_equal(sl_master_render(variants, 1, NULL, 0, &w, &err), SL_EINVAL);
    assert_non_null(strstr(err.msg, "audio group"));
    v.codecs = "avc1\"";
    assert_int_equal(sl_master_render(&v, 1, NULL, 0, &w, NULL), SL_EINVAL);
    v.codecs = NULL;
    v.uri = "#not-a-uri";
    assert_int_equal(sl_master_render(&v, 1, NULL, 0, &w, NULL), SL_EINVAL);
    v.uri = "a\nb";
    assert_int_equal(sl_master_render(&v, 1, NULL, 0, &w, NULL), SL_EINVAL);
    v.uri = "a";
    v.bandwidth = 0;
    assert_int_equal(sl_master_render(&v, 1, NULL, 0, &w, NULL), SL_EINVAL);
    assert_int_equal(sl_master_render(variants, 2, twice, 2, &w, NULL), SL_EINVAL);
    twice[1].name = "other";
    assert_int_equal(sl_master_render(variants, 2, twice, 2, &w, NULL), SL_EINVAL);
    twice[1].is_default = false;
    twice[1].uri = "x\"y";
    assert_int_equal(sl_master_render(variants, 2, twice, 2, &w, NULL), SL_EINVAL);
    assert_int_equal(w.size, 0);
    sl_writer_clear(&w);
}

static enum sl_status build(void *arg)
{
    struct sl_playlist p = make(1, 1, 4, true);
    struct sl_writer w;
    enum sl_status status = SL_OK;
    (void)arg;
    sl_writer_init(&w, 1 << 20);
    for (int i = 0; i < 20 && !status; i++)
        status = sl_playlist_add(&p, 4, 1, NULL);
    if (!status)
        status = sl_playlist_render(&p, &w, NULL);
    if (!status)
        status = sl_master_render(variants, 2, sounds, 2, &w, NULL);
    sl_writer_clear(&w);
    sl_playlist_clear(&p);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_lives),
        cmocka_unit_test(test_no_drift), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_peak),     cmocka_unit_test(test_master),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("package/playlist", tests, NULL, NULL);
}
