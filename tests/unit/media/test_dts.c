/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "media/dts.h"
#include "random.h"
#include "unit.h"

#define GROUP_MAX 64

/* Packets in coded order. */
struct group {
    struct sl_packet packet[GROUP_MAX];
    struct sl_packet *list[GROUP_MAX];
    size_t count;
    int64_t end, delay;
};

static void set_group(struct group *g, const int64_t *pts, size_t count, int64_t end, int64_t delay)
{
    memset(g, 0, sizeof *g);
    g->count = count;
    g->end = end;
    g->delay = delay;
    for (size_t i = 0; i < count; i++) {
        g->packet[i].pts = pts[i];
        g->packet[i].dts = SL_NO_TIME;
        g->list[i] = &g->packet[i];
    }
}

static enum sl_status assign(struct group *g, struct sl_error *err)
{
    return sl_dts_assign(g->list, g->count, g->end, g->delay, err);
}

/* What the header promises. */
static void check_group(const struct group *g)
{
    int64_t first = g->packet[0].pts;
    for (size_t i = 0; i < g->count; i++) {
        const struct sl_packet *p = &g->packet[i];
        const int64_t next = i + 1 < g->count ? g->packet[i + 1].dts : g->end - g->delay;
        assert_true(p->duration > 0);
        assert_int_equal(p->dts + p->duration, next);
        assert_true(p->dts <= p->pts);
    }
    assert_int_equal(g->packet[0].dts, first - g->delay);
}

static void test_known(void **state)
{
    struct group g;
    (void)state;

    /* I0 P4 B2 b1 b3 in frames of 10 ticks, two frames of delay */
    set_group(&g, (const int64_t[]){0, 40, 20, 10, 30}, 5, 50, 20);
    assert_int_equal(assign(&g, NULL), SL_OK);
    static const int64_t expected[] = {-20, -10, 0, 10, 20};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(g.packet[i].dts, expected[i]);
        assert_int_equal(g.packet[i].duration, 10);
    }

    /* No reordering: dts are pts, durations those of display. */
    set_group(&g, (const int64_t[]){100, 133, 200}, 3, 233, 0);
    assert_int_equal(assign(&g, NULL), SL_OK);
    assert_int_equal(g.packet[1].dts, 133);
    assert_int_equal(g.packet[1].duration, 67);
    assert_int_equal(g.packet[2].duration, 33);

    /* A gap of 1000 ticks in the middle: b at 20 would be decoded at 1000 - 20; it is brought
     * forward, and P before it by one tick more. */
    set_group(&g, (const int64_t[]){0, 1010, 1000, 10}, 4, 1020, 20);
    assert_int_equal(assign(&g, NULL), SL_OK);
    check_group(&g);
    assert_int_equal(g.packet[3].dts, 10);
    assert_int_equal(g.packet[2].dts, 9);

    set_group(&g, (const int64_t[]){5}, 1, 6, 3);
    assert_int_equal(assign(&g, NULL), SL_OK);
    assert_int_equal(g.packet[0].dts, 2);
    assert_int_equal(g.packet[0].duration, 1);
    g.count = 0;
    assert_int_equal(assign(&g, NULL), SL_OK);
}

static void expect_refused(const int64_t *pts, size_t count, int64_t end, int64_t delay,
                           const char *text)
{
    struct group g;
    struct sl_error err = {0};
    set_group(&g, pts, count, end, delay);
    assert_int_equal(assign(&g, &err), SL_EDATA);
    assert_int_equal(err.status, SL_EDATA);
    if (!strstr(err.msg, text)) {
        fail_msg("\"%s\" does not say \"%s\"", err.msg, text);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(g.packet[i].dts, SL_NO_TIME); /* untouched */
    }
}

static void test_refused(void **state)
{
    struct group g;
    (void)state;

    /* Three packets between 0 and 1 leave no room for strictly rising times. */
    expect_refused((const int64_t[]){0, 3, 2, 1, 4}, 5, 5, 1, "packet 3");
    expect_refused((const int64_t[]){0, 10, 10}, 3, 50, 20, "pts 10");
    expect_refused((const int64_t[]){10, 0}, 2, 50, 20, "packet 1");
    expect_refused((const int64_t[]){0, 50}, 2, 50, 20, "packet 1");
    expect_refused((const int64_t[]){0, SL_NO_TIME}, 2, 50, 20, "packet 1");
    expect_refused((const int64_t[]){INT64_MAX}, 1, 50, 20, "packet 0");
    set_group(&g, (const int64_t[]){0}, 1, 50, -1);
    assert_int_equal(assign(&g, NULL), SL_EINVAL);
    set_group(&g, (const int64_t[]){0}, 1, INT64_MAX, 0);
    assert_int_equal(assign(&g, NULL), SL_EINVAL);
    set_group(&g, (const int64_t[]){0}, 1, 50, INT64_MAX);
    assert_int_equal(assign(&g, NULL), SL_EINVAL);
}

/* A closed group with at most depth pictures of reordering: a picture is coded while at most depth
 * of those shown before it are still to come (that is what max_num_reorder_frames means). */
static void random_group(struct group *g, uint64_t *random, unsigned depth, int64_t *gap_max)
{
    int64_t pts[GROUP_MAX];
    int64_t coded[GROUP_MAX];
    bool done[GROUP_MAX] = {false};
    const unsigned count = 1 + random_below(random, GROUP_MAX);
    int64_t at = (int64_t)random_below(random, 100000) - 50000;
    const uint32_t spread = random_below(random, 4) == 0 ? 500 : 1 + random_below(random, 40);

    *gap_max = 0;
    for (unsigned i = 0; i <= count; i++) {
        if (i < count) {
            pts[i] = at;
        }
        /* One step is the least that leaves room for a tick for each reordered picture. */
        const int64_t gap = depth + 1 + random_below(random, spread);
        *gap_max = gap > *gap_max ? gap : *gap_max;
        at += gap;
    }
    coded[0] = pts[0];
    done[0] = true;
    for (unsigned n = 1, low = 1; n < count; n++) {
        while (done[low]) {
            low++;
        }
        /* Anything up to depth places after the first that is missing. */
        unsigned pick = low + random_below(random, depth + 1);
        while (pick >= count || done[pick]) {
            pick = pick > low ? pick - 1 : low;
        }
        /* Pictures already coded and shown after low */
        unsigned ahead = 0;
        for (unsigned i = low + 1; i < count; i++) {
            ahead += done[i];
        }
        if (pick != low && ahead >= depth) {
            pick = low;
        }
        coded[n] = pts[pick];
        done[pick] = true;
    }
    set_group(g, coded, count, at, (int64_t)depth * *gap_max);
}

static void test_property(void **state)
{
    uint64_t random = 42;
    (void)state;

    for (int run = 0; run < 20000; run++) {
        struct group g;
        int64_t gap_max;
        random_group(&g, &random, (unsigned)run % 5, &gap_max);
        assert_int_equal(assign(&g, NULL), SL_OK);
        check_group(&g);

        /* With less delay it may be impossible, but never wrong. */
        g.delay = gap_max > 0 ? random_below(&random, (uint32_t)g.delay + 1) : 0;
        if (assign(&g, NULL) == SL_OK) {
            check_group(&g);
        }
    }
}

/* Where no time has to be brought forward, durations are those of display order. */
static void test_display_durations(void **state)
{
    static const int64_t pts[] = {0, 70, 30, 10, 50, 90, 80};
    static const int64_t durations[] = {10, 20, 20, 20, 10, 10, 15};
    struct group g;
    (void)state;

    set_group(&g, pts, 7, 105, 70);
    assert_int_equal(assign(&g, NULL), SL_OK);
    check_group(&g);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(g.packet[i].duration, durations[i]);
    }
}

static enum sl_status body(void *arg)
{
    struct group g;
    struct sl_error err = {0};
    (void)arg;
    set_group(&g, (const int64_t[]){0, 40, 20, 10, 30}, 5, 50, 20);
    enum sl_status status = assign(&g, &err);
    assert_int_equal(err.status, status);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_property), cmocka_unit_test(test_display_durations),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
