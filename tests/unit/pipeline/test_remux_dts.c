/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding times from presentation times in coded order, with open groups, gaps and bad depths. */
#include <stdlib.h>

#include "pipeline/remux_dts.h"
#include "unit.h"

struct shot {
    int64_t pts, dts, duration;
};

static struct sl_packet *packet(int64_t pts, int64_t dts)
{
    struct sl_packet *p;
    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    p->pts = pts;
    p->dts = dts;
    return p;
}

/* Feeds it all, checks the muxer's contract, gives back what came out. */
static void run(struct sl_remux_dts *d, const int64_t *pts, const int64_t *dts, size_t count,
                struct shot *out)
{
    size_t n = 0;
    for (size_t i = 0; i <= count; i++) {
        struct sl_packet *p;
        if (i < count) {
            sl_remux_dts_push(d, packet(pts[i], dts ? dts[i] : SL_NO_TIME));
        } else {
            sl_remux_dts_end(d);
        }
        while ((p = sl_remux_dts_pop(d)) != NULL) {
            assert_true(n < count);
            assert_true(p->duration > 0);
            assert_true(p->dts <= p->pts);
            if (n > 0) {
                assert_int_equal(p->dts, out[n - 1].dts + out[n - 1].duration);
            }
            out[n++] = (struct shot){p->pts, p->dts, p->duration};
            sl_packet_unref(&p);
        }
    }
    assert_int_equal(n, count);
    sl_remux_dts_clear(d);
}

static void constant_rate_with_b_pictures(void **state)
{
    static const int64_t order[] = {0, 3, 1, 2, 6, 4, 5, 9, 7, 8};
    int64_t pts[10];
    struct shot out[10];
    struct sl_remux_dts d;
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        pts[i] = order[i] * 1001;
    }
    sl_remux_dts_init(&d, 1, 1001, false);
    run(&d, pts, NULL, 10, out);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(out[i].dts, ((int64_t)i - 1) * 1001);
        assert_int_equal(out[i].duration, 1001);
        assert_int_equal(out[i].pts, pts[i]);
    }
}

static void without_reordering_pts_is_dts(void **state)
{
    static const int64_t pts[] = {0, 40, 80, 200, 240};
    struct shot out[5];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 0, 40, false);
    run(&d, pts, NULL, 5, out);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(out[i].dts, pts[i]);
    }
    assert_int_equal(out[2].duration, 120);
    assert_int_equal(out[4].duration, 40);
}

/* Leading pictures come after their key frame and are shown before it. */
static void open_group(void **state)
{
    static const int64_t pts[] = {20, 0, 10, 50, 30, 40, 80, 60, 70};
    struct shot out[9];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 2, 10, false);
    run(&d, pts, NULL, 9, out);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(out[i].dts, (int64_t)i * 10 - 20);
        assert_int_equal(out[i].duration, 10);
    }
}

static void a_gap_brings_dts_forward(void **state)
{
    static const int64_t pts[] = {0, 1000, 10, 20, 30, 1030, 1010, 1020};
    struct shot out[8];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 1, 10, false);
    run(&d, pts, NULL, 8, out);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(out[i].pts, pts[i]);
    }
}

static void stated_times_are_kept(void **state)
{
    static const int64_t pts[] = {0, 90, 30, 61, 200, 120, 150};
    static const int64_t dts[] = {-60, -30, 1, 30, 60, 95, 120};
    struct shot out[7];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 2, 30, true);
    run(&d, pts, dts, 7, out);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(out[i].dts, dts[i]);
        assert_int_equal(out[i].pts, pts[i]);
    }
}

/* ISO/IEC 14496-12 8.6.1.3, version 1: pts before dts. */
static void negative_offsets_are_shifted(void **state)
{
    static const int64_t pts[] = {0, 30, 10, 20, 60, 40, 50};
    static const int64_t dts[] = {0, 10, 20, 30, 40, 50, 60};
    struct shot out[7];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 3, 10, true);
    run(&d, pts, dts, 7, out);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(out[i].dts, dts[i] - 10);
        assert_int_equal(out[i].pts, pts[i]);
    }
}

static void equal_times_are_pulled_apart(void **state)
{
    static const int64_t pts[] = {0, 0, 0, 10, 10, 5};
    struct shot out[6];
    struct sl_remux_dts d;
    (void)state;
    sl_remux_dts_init(&d, 0, 0, false);
    run(&d, pts, NULL, 6, out); /* the contract holds, whatever came in */
    assert_true(d.moved > 0);
}

/* The promise of the header: with a true depth, no picture's time is touched. */
static void random_groups(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 400; round++) {
        int64_t pts[64], order[64];
        struct shot out[64];
        struct sl_remux_dts d;
        int depth = rand() % 5;
        int64_t t = 0;
        for (size_t i = 0; i < 64; i++) {
            order[i] = t;
            t += 1 + rand() % (round % 2 ? 1 : 50);
        }
        /* A picture may be coded up to depth places before those shown ahead of it. */
        for (size_t i = 0; i < 64; i++) {
            pts[i] = order[i];
        }
        for (size_t i = 0; i + (size_t)depth < 64; i += (size_t)depth + 1) {
            for (size_t k = 0; k <= (size_t)depth; k++) {
                pts[i + k] = order[i + (k == 0 ? (size_t)depth : k - 1)];
            }
        }
        sl_remux_dts_init(&d, depth > 0 ? 1 + rand() % 4 : 0, 0, false);
        run(&d, pts, NULL, 64, out);
        for (size_t i = 0; i < 64; i++) {
            assert_int_equal(out[i].pts, pts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_rate_with_b_pictures),
        cmocka_unit_test(without_reordering_pts_is_dts),
        cmocka_unit_test(open_group),
        cmocka_unit_test(a_gap_brings_dts_forward),
        cmocka_unit_test(stated_times_are_kept),
        cmocka_unit_test(negative_offsets_are_shifted),
        cmocka_unit_test(equal_times_are_pulled_apart),
        cmocka_unit_test(random_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
