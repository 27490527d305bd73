/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "failing_alloc.h"
#include "package/cuts.h"
#include "unit.h"

#define NONE SL_NO_TIME

static struct sl_cuts_params params(int64_t start, int64_t end)
{
    return (struct sl_cuts_params){{1, 1000}, {4, 1}, start, end};
}

static void expect(const struct sl_cuts *c, const int64_t *at, size_t count, int64_t end)
{
    assert_int_equal(c->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(c->at[i], at[i]);
        assert_int_equal(sl_cuts_end(c, i), i + 1 < count ? at[i + 1] : end);
    }
    assert_int_equal(c->end, end);
}
#define EXPECT(c, end, ...)                                                                        \
    expect((c), (const int64_t[]){__VA_ARGS__},                                                    \
           sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (end))

static void make(struct sl_cuts *c, int64_t start, int64_t end, const int64_t *keys, size_t count)
{
    struct sl_cuts_params p = params(start, end);
    assert_int_equal(sl_cuts_make(c, &p, keys, count, NULL), SL_OK);
}
#define MAKE(c, start, end, ...)                                                                   \
    make((c), (start), (end), (const int64_t[]){__VA_ARGS__},                                      \
         sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void test_keys(void **state)
{
    struct sl_cuts c;
    (void)state;
    /* at the first key at or after the target, counted from the cut before */
    MAKE(&c, 0, 20000, 0, 2000, 4000, 5000, 9000, 13500, 16000);
    EXPECT(&c, 20000, 0, 4000, 9000, 13500);
    assert_int_equal(sl_cuts_target(&c), 7); /* 6.5 s, rounded as players do */
    assert_int_equal(sl_cuts_find(&c, -5), 0);
    assert_int_equal(sl_cuts_find(&c, 3999), 0);
    assert_int_equal(sl_cuts_find(&c, 4000), 1);
    assert_int_equal(sl_cuts_find(&c, 1000000), 3);
    sl_cuts_clear(&c);
    /* in disorder, twice, before the start, past the end, and no times at all */
    MAKE(&c, 0, 20000, 9000, 4000, 4000, -700, NONE, 13500, 20000, 90000, INT64_MAX, 4001);
    EXPECT(&c, 20000, 0, 4000, 9000, 13500);
    sl_cuts_clear(&c);
    /* the first key frame is not in the index, or the first picture is not at 0 */
    MAKE(&c, 120, 20000, 5000, 10000);
    EXPECT(&c, 20000, 120, 5000, 10000);
    sl_cuts_clear(&c);
    MAKE(&c, -40, NONE, 0, 5000);
    EXPECT(&c, NONE, -40, 5000);
    assert_int_equal(sl_cuts_target(&c), 5);
    sl_cuts_clear(&c);
    make(&c, 0, 100, NULL, 0);
    EXPECT(&c, 100, 0);
    assert_int_equal(sl_cuts_target(&c), 1);
    sl_cuts_clear(&c);
}

static void test_refused(void **state)
{
    struct sl_cuts c, d;
    struct sl_cuts_params p = params(0, 0);
    struct sl_cuts_grid g = {{1, 48000}, 0, 0, 0, 48000, 0};
    (void)state;
    assert_int_equal(sl_cuts_make(&c, &p, NULL, 0, NULL), SL_EINVAL);
    p = params(0, 10);
    p.target.num = 0;
    assert_int_equal(sl_cuts_make(&c, &p, NULL, 0, NULL), SL_EINVAL);
    p = params(0, 10);
    p.timebase.den = 0;
    assert_int_equal(sl_cuts_make(&c, &p, NULL, 0, NULL), SL_EINVAL);
    p = params(INT64_MIN + 1, 10);
    assert_int_equal(sl_cuts_make(&c, &p, NULL, 0, NULL), SL_EINVAL);
    make(&c, 0, NONE, NULL, 0);
    assert_int_equal(sl_cuts_split(&d, &c, (struct sl_rational){1, 1}, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_cuts_on_grid(&d, &c, &g, (struct sl_rational){1, 1}, NULL), SL_EINVAL);
    g.step = 1024;
    g.end = NONE;
    assert_int_equal(sl_cuts_even(&d, &g, (struct sl_rational){1, 1}, NULL), SL_EINVAL);
    sl_cuts_clear(&c);
}

static void test_split(void **state)
{
    struct sl_cuts c, d;
    struct sl_rational four = {4, 1};
    (void)state;
    MAKE(&c, 0, 31000, 5000, 12500, 28000);
    assert_int_equal(sl_cuts_split(&d, &c, four, 0, NULL), SL_OK);
    EXPECT(&d, 31000, 0, 5000, 12500, 16500, 20500, 24500, 28000);
    sl_cuts_clear(&d);
    /* on pictures of 33 ms: 122 of them are the first multiple past 4 s */
    assert_int_equal(sl_cuts_split(&d, &c, four, 33, NULL), SL_OK);
    EXPECT(&d, 31000, 0, 5000, 12500, 16526, 20552, 24578, 28000);
    sl_cuts_clear(&d);
    sl_cuts_clear(&c);
    /* one key in all: no last piece shorter than half a target */
    make(&c, 0, 13000, NULL, 0);
    assert_int_equal(sl_cuts_split(&d, &c, four, 0, NULL), SL_OK);
    EXPECT(&d, 13000, 0, 4000, 8000);
    sl_cuts_clear(&d);
    sl_cuts_clear(&c);
}

static void test_grid(void **state)
{
    struct sl_cuts c, d;
    struct sl_rational four = {4, 1};
    struct sl_cuts_grid g = {{1, 48000}, 0, 1024, 0, 21 * 48000, 9600};
    (void)state;
    MAKE(&c, 0, 12000, 4000, 8000);
    assert_int_equal(sl_cuts_on_grid(&d, &c, &g, four, NULL), SL_OK);
    /* 188 * 1024 is the first frame at or after 4 s; the sound goes on after the pictures */
    EXPECT(&d, 21 * 48000, 0, 188 * 1024, 375 * 1024, 750 * 1024, 938 * 1024);
    sl_cuts_clear(&d);
    g.end = 938 * 1024 + 9599; /* too little for a segment */
    assert_int_equal(sl_cuts_on_grid(&d, &c, &g, four, NULL), SL_OK);
    EXPECT(&d, g.end, 0, 188 * 1024, 375 * 1024, 750 * 1024);
    sl_cuts_clear(&d);
    /* off-grid origin, a late start and an early end */
    g = (struct sl_cuts_grid){{1, 48000}, -500, 1024, 5 * 48000, 7 * 48000, 0};
    assert_int_equal(sl_cuts_on_grid(&d, &c, &g, four, NULL), SL_OK);
    EXPECT(&d, 7 * 48000, 5 * 48000);
    sl_cuts_clear(&d);
    g = (struct sl_cuts_grid){{1, 44100}, 0, 1024, 0, 441000, 0};
    assert_int_equal(sl_cuts_even(&d, &g, four, NULL), SL_OK);
    EXPECT(&d, 441000, 0, 173 * 1024, 345 * 1024);
    sl_cuts_clear(&d);
    sl_cuts_clear(&c);
}

/* Whatever goes in, what comes out rises, lies within and meets the target. */
static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 300; round++) {
        int64_t keys[200];
        size_t n = (size_t)(rand() % 200);
        struct sl_cuts c, d;
        struct sl_cuts_grid g = {{1, 44100}, rand() % 3000 - 1500, 1 + rand() % 2000, 0, 0, 0};
        int64_t start = rand() % 500 - 250, end = start + 1 + rand() % 60000;
        for (size_t i = 0; i < n; i++) {
            keys[i] = rand() % 70000 - 2000;
        }
        make(&c, start, end, keys, n);
        for (size_t i = 0; i < c.count; i++) {
            assert_true(sl_cuts_end(&c, i) > c.at[i]);
            assert_true(i + 1 == c.count || sl_cuts_end(&c, i) - c.at[i] >= 4000);
        }
        g.start = g.origin;
        g.end = g.start + 1 + rand() % 4000000;
        assert_int_equal(sl_cuts_on_grid(&d, &c, &g, (struct sl_rational){4, 1}, NULL), SL_OK);
        for (size_t i = 0; i < d.count; i++) {
            assert_true(sl_cuts_end(&d, i) > d.at[i]);
            assert_int_equal((d.at[i] - g.origin) % g.step, 0);
        }
        sl_cuts_clear(&d);
        sl_cuts_clear(&c);
    }
}

static enum sl_status all_of(void *arg)
{
    struct sl_cuts_params p = params(0, 90000);
    const int64_t keys[] = {70000, 5000, 12000};
    struct sl_cuts c, d;
    (void)arg;
    enum sl_status st = sl_cuts_make(&c, &p, keys, 3, NULL);
    if (st == SL_OK) {
        st = sl_cuts_split(&d, &c, p.target, 0, NULL);
        sl_cuts_clear(&d);
    }
    sl_cuts_clear(&c);
    return st;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(all_of, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys), cmocka_unit_test(test_refused), cmocka_unit_test(test_split),
        cmocka_unit_test(test_grid), cmocka_unit_test(test_random),  cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
