/* SPDX-License-Identifier: BSD-2-Clause */
/* The on-demand engine with each allocation failing in turn. Lenient: what a parameter set says
 * about a track is told only where it could be read. */
#include <string.h>

#include "failing_alloc.h"
#include "unit.h"
#include "vod_media.h"

static struct scratch home;
static char films[2][600];

static int set_up(void **state)
{
    (void)state;
    scratch_make(&home);
    vod_media(&home,
              "-f lavfi -i testsrc2=size=64x48:rate=10:duration=6 "
              "-f lavfi -i sine=sample_rate=8000:duration=6 " CODED "-c:a aac -b:a 8k",
              "in.mkv", films[0]);
    vod_media(&home,
              "-f lavfi -i testsrc2=size=64x48:rate=10:duration=6 "
              "-f lavfi -i sine=sample_rate=8000:duration=6 " CODED "-c:a aac -b:a 8k",
              "in.mp4", films[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&home);
    return 0;
}

static enum sl_status lists(struct sl_vod *v)
{
    struct sl_writer w;
    sl_writer_init(&w, 1 << 20);
    enum sl_status st = sl_vod_master(v, SL_VOD_FMP4, NULL, &w, NULL, NULL);
    if (st == SL_OK) {
        st = sl_vod_playlist(v, "source", SL_VOD_FMP4, NULL, &w, NULL, NULL);
    }
    if (st == SL_OK) {
        st = sl_vod_playlist(v, "audio1-copy", SL_VOD_FMP4, NULL, &w, NULL, NULL);
    }
    sl_writer_clear(&w);
    return st;
}

static enum sl_status bytes(struct sl_vod *v)
{
    struct sl_chain out;
    sl_chain_init(&out);
    enum sl_status st = sl_vod_init(v, "source", &out, NULL, NULL);
    if (st == SL_OK) {
        st = sl_vod_segment(v, "source", SL_VOD_FMP4, 1, &out, NULL, NULL);
    }
    if (st == SL_OK) {
        st = sl_vod_segment(v, "audio1-copy", SL_VOD_FMP4, 0, &out, NULL, NULL);
    }
    if (st == SL_OK) {
        st = sl_vod_segment(v, "source", SL_VOD_TS, 0, &out, NULL, NULL);
    }
    sl_chain_clear(&out);
    return st;
}

static enum sl_status whole(void *arg)
{
    struct sl_vod_params p = {.where = arg, .readers = 1};
    struct sl_vod *v = NULL;
    enum sl_status st = sl_vod_open(&v, &p, NULL, NULL);
    if (st == SL_OK) {
        st = lists(v);
    }
    if (st == SL_OK) {
        st = bytes(v);
    }
    sl_vod_destroy(&v);
    return st;
}

static void test_matroska(void **state)
{
    (void)state;
    failing_alloc_run_lenient(whole, films[0]);
}

static void test_mp4(void **state)
{
    (void)state;
    failing_alloc_run_lenient(whole, films[1]);
}

/* What failed once is worked out again by the next who asks. */
static void test_again(void **state)
{
    struct sl_vod *v = vod_media_open(films[0]);
    (void)state;
    for (unsigned long n = 1; n < 60; n++) {
        failing_alloc_set(n);
        (void)!lists(v);
        failing_alloc_set(0);
    }
    assert_int_equal(lists(v), SL_OK);
    assert_int_equal(bytes(v), SL_OK);
    sl_vod_destroy(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matroska),
        cmocka_unit_test(test_mp4),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
