/* SPDX-License-Identifier: BSD-2-Clause */
/* Joined transport streams: timestamps that start anew become one line. */
#include <stdlib.h>

#include "pipeline/jumps.h"
#include "unit.h"

static struct sl_track tracks[2];

static int64_t feed(struct sl_jumps *j, uint32_t track, int64_t dts, int64_t duration)
{
    struct sl_packet *p = NULL;
    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    p->track = track;
    p->dts = dts;
    p->pts = dts + 6000;
    p->duration = duration;
    sl_jumps_apply(j, p);
    int64_t at = p->dts;
    assert_int_equal(p->pts, at + 6000);
    sl_packet_unref(&p);
    return at;
}

static void start(struct sl_jumps *j)
{
    tracks[0].timebase = tracks[1].timebase = (struct sl_rational){1, 90000};
    assert_int_equal(sl_jumps_init(j, tracks, 2, NULL), SL_OK);
}

static void test_straight_streams_are_left_alone(void **state)
{
    (void)state;
    struct sl_jumps j;
    start(&j);
    int64_t t = 126000;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(feed(&j, 0, t, 3600), t);
        assert_int_equal(feed(&j, 1, t - 9000, 1920), t - 9000);
        t += i % 100 ? 3600 : 9 * 90000; /* a hole of nine seconds is a hole */
    }
    assert_int_equal(j.epochs, 0);
    sl_jumps_clear(&j);
}

static void test_restart_with_tracks_out_of_step(void **state)
{
    (void)state;
    struct sl_jumps j;
    start(&j);
    /* picture to 20 s, then from 1.4 s again; sound changes epoch 12 packets later */
    for (int i = 0; i < 500; i++) {
        assert_int_equal(feed(&j, 0, 126000 + i * 3600, 3600), 126000 + i * 3600);
        assert_int_equal(feed(&j, 1, 126000 + i * 3600, 3600), 126000 + i * 3600);
    }
    int64_t shift = 500 * 3600;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(feed(&j, 0, 126000 + i * 3600, 3600), 126000 + shift + i * 3600);
        assert_int_equal(feed(&j, 1, 126000 + (500 + i) * 3600, 3600), 126000 + (500 + i) * 3600);
    }
    assert_int_equal(j.epochs, 1);
    for (int i = 12; i < 500; i++) {
        assert_int_equal(feed(&j, 0, 126000 + i * 3600, 3600), 126000 + shift + i * 3600);
        assert_int_equal(feed(&j, 1, 126000 + i * 3600, 3600), 126000 + shift + i * 3600);
    }
    assert_int_equal(j.epochs, 1);
    sl_jumps_clear(&j);
}

static void test_jump_forward_by_hours(void **state)
{
    (void)state;
    struct sl_jumps j;
    start(&j);
    assert_int_equal(feed(&j, 0, 0, 3600), 0);
    assert_int_equal(feed(&j, 0, 3600, 3600), 3600);
    assert_int_equal(feed(&j, 0, INT64_C(90000) * 36000, 3600), 7200);
    assert_int_equal(feed(&j, 0, INT64_C(90000) * 36000 + 3600, 3600), 10800);
    sl_jumps_clear(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight_streams_are_left_alone),
        cmocka_unit_test(test_restart_with_tracks_out_of_step),
        cmocka_unit_test(test_jump_forward_by_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
