/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "base/rational.h"
#include "unit.h"

#define TB(n, d) ((struct sl_rational){(n), (d)})

static void assert_rational(struct sl_rational r, int64_t num, int64_t den)
{
    if (r.num != num || r.den != den)
        fail_msg("%" PRId64 "/%" PRId64 " is not %" PRId64 "/%" PRId64, r.num, r.den, num, den);
}

static void test_reduce(void **state)
{
    (void)state;
    assert_rational(sl_rational_reduce(TB(60000, 2002)), 30000, 1001);
    assert_rational(sl_rational_reduce(TB(-4, 6)), -2, 3);
    assert_rational(sl_rational_reduce(TB(4, -6)), -2, 3);
    assert_rational(sl_rational_reduce(TB(-4, -6)), 2, 3);
    assert_rational(sl_rational_reduce(TB(0, 5)), 0, 1);
    assert_rational(sl_rational_reduce(TB(5, 0)), 5, 0);
    assert_rational(sl_rational_reduce(TB(INT64_MIN, 2)), INT64_MIN / 2, 1);
    assert_rational(sl_rational_reduce(TB(INT64_MIN, INT64_MIN)), 1, 1);
    assert_rational(sl_rational_reduce(TB(INT64_MAX, INT64_MAX)), 1, 1);
    assert_true(sl_rational_valid(TB(1, 1)));
    assert_false(sl_rational_valid(TB(0, 1)));
    assert_false(sl_rational_valid(TB(1, 0)));
    assert_false(sl_rational_valid(TB(-1, -1)));
    assert_rational(sl_rational(7, 9), 7, 9);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(sl_rational_compare(TB(30000, 1001), TB(2997, 100)) > 0);
    assert_true(sl_rational_compare(TB(1, 3), TB(2, 6)) == 0);
    assert_true(sl_rational_compare(TB(-1, 3), TB(1, 3)) < 0);
    assert_true(sl_rational_compare(TB(-1, 3), TB(-1, 2)) > 0);
    assert_true(
        sl_rational_compare(TB(INT64_MAX, INT64_MAX - 1), TB(INT64_MAX - 1, INT64_MAX - 2)) < 0);
    assert_true(sl_rational_compare(TB(0, 7), TB(0, 1)) == 0);
    /* Products of three 63-bit numbers. */
    assert_true(sl_time_compare(INT64_MAX, TB(INT64_MAX, 3), INT64_MAX - 1, TB(INT64_MAX, 3)) > 0);
    assert_true(sl_time_compare(INT64_MAX, TB(INT64_MAX - 1, INT64_MAX), INT64_MAX - 1,
                                TB(INT64_MAX, INT64_MAX)) == 0);
    assert_true(sl_time_compare(-INT64_MAX, TB(1, 1), -INT64_MAX, TB(1, 2)) < 0);
    assert_true(sl_time_compare(1001, TB(1, 30000), 33, TB(1, 1000)) > 0);
    assert_true(sl_time_compare(90000, TB(1, 90000), 1000, TB(1, 1000)) == 0);
    assert_true(sl_time_compare(0, TB(1, 90000), 0, TB(1, 1000)) == 0);
    assert_true(sl_time_compare(0, TB(1, 90000), -1, TB(1, 1000)) > 0);
}

static void test_rounding(void **state)
{
    static const struct {
        int64_t value, num, den, nearest, down, up;
    } cases[] = {
        {7, 1, 2, 4, 3, 4},
        {-7, 1, 2, -4, -4, -3},
        {5, 1, 3, 2, 1, 2},
        {-5, 1, 3, -2, -2, -1},
        {4, 1, 3, 1, 1, 2},
        {-4, 1, 3, -1, -2, -1},
        {6, 1, 3, 2, 2, 2},
        {-6, 1, 3, -2, -2, -2},
        {0, 5, 3, 0, 0, 0},
        {7, -1, 2, -4, -4, -3},
        {7, 1, -2, -4, -4, -3},
        {-7, -1, 2, 4, 3, 4},
        {5, 0, 3, 0, 0, 0},
        {1, 1, INT64_MAX, 0, 0, 1},
        {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
        {INT64_MAX, 2, 1, INT64_MAX, INT64_MAX, INT64_MAX},
        {-INT64_MAX, 2, 1, -INT64_MAX, -INT64_MAX, -INT64_MAX},
        {INT64_MAX, INT64_MAX - 1, INT64_MAX, INT64_MAX - 1, INT64_MAX - 1, INT64_MAX - 1},
        {INT64_MAX, 1, 2, INT64_MAX / 2 + 1, INT64_MAX / 2, INT64_MAX / 2 + 1},
        {3, INT64_MIN, INT64_MIN, 3, 3, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sl_muldiv(cases[i].value, cases[i].num, cases[i].den, SL_ROUND_NEAREST),
                         cases[i].nearest);
        assert_int_equal(sl_muldiv(cases[i].value, cases[i].num, cases[i].den, SL_ROUND_DOWN),
                         cases[i].down);
        assert_int_equal(sl_muldiv(cases[i].value, cases[i].num, cases[i].den, SL_ROUND_UP),
                         cases[i].up);
    }
    assert_true(sl_muldiv(SL_NO_TIME, 1, 2, SL_ROUND_NEAREST) == SL_NO_TIME);
    assert_true(sl_muldiv(1, 1, 0, SL_ROUND_NEAREST) == SL_NO_TIME);
}

static void test_rescale(void **state)
{
    (void)state;
    assert_int_equal(sl_rescale(33, TB(1, 1000), TB(1001, 30000), SL_ROUND_NEAREST), 1);
    assert_int_equal(sl_rescale(1, TB(1001, 30000), TB(1, 30000), SL_ROUND_NEAREST), 1001);
    assert_int_equal(sl_rescale(1, TB(1001, 30000), TB(1, 90000), SL_ROUND_NEAREST), 3003);
    assert_int_equal(sl_rescale(-1, TB(1, 3), TB(1, 2), SL_ROUND_DOWN), -1);
    assert_int_equal(sl_rescale(-1, TB(1, 3), TB(1, 2), SL_ROUND_UP), 0);
    assert_true(sl_rescale(SL_NO_TIME, TB(1, 3), TB(1, 2), SL_ROUND_UP) == SL_NO_TIME);
    assert_true(sl_rescale(5, TB(0, 3), TB(1, 2), SL_ROUND_UP) == SL_NO_TIME);
    assert_true(sl_rescale(5, TB(1, 3), TB(1, 0), SL_ROUND_UP) == SL_NO_TIME);
    assert_int_equal(sl_rescale(INT64_MAX, TB(1, 1), TB(1, 1000), SL_ROUND_UP), INT64_MAX);
    assert_int_equal(sl_rescale(-INT64_MAX, TB(1, 1), TB(1, 1000), SL_ROUND_UP), -INT64_MAX);
    assert_int_equal(sl_rescale(INT64_MIN + 1, TB(1, 1), TB(1, 1), SL_ROUND_UP), -INT64_MAX);
    /* A year in nanoseconds and back, exactly. */
    assert_int_equal(
        sl_rescale(INT64_C(31536000000000007), TB(1, 1000000000), TB(1, 90000), SL_ROUND_NEAREST),
        INT64_C(2838240000000));
}

/* Timebases that do not reduce below 64 bits take the long way; it must agree. */
static void test_rescale_wide(void **state)
{
    const int64_t p = INT64_C(9223372036854775783), q = INT64_C(9223372036854775643); /* primes */

    (void)state;
    assert_int_equal(sl_rescale(1000, TB(p, 3), TB(q, 5), SL_ROUND_DOWN), 1666);
    assert_int_equal(sl_rescale(1000, TB(p, 3), TB(q, 5), SL_ROUND_UP), 1667);
    assert_int_equal(sl_rescale(-1000, TB(p, 3), TB(q, 5), SL_ROUND_DOWN), -1667);
    assert_int_equal(sl_rescale(-1000, TB(p, 3), TB(q, 5), SL_ROUND_NEAREST), -1667);
    assert_int_equal(sl_rescale(1, TB(p, 1), TB(1, p), SL_ROUND_NEAREST), INT64_MAX);
    assert_int_equal(sl_rescale(INT64_MAX, TB(p, 1), TB(1, p), SL_ROUND_NEAREST), INT64_MAX);
    assert_int_equal(sl_rescale(INT64_MAX, TB(1, p), TB(p, 1), SL_ROUND_UP), 1);
    assert_int_equal(sl_rescale(INT64_MAX, TB(1, p), TB(p, 1), SL_ROUND_NEAREST), 0);
    assert_int_equal(sl_rescale(q, TB(p, q), TB(1, 1), SL_ROUND_NEAREST), p);
    assert_int_equal(sl_rescale(q - 1, TB(p, q), TB(1, 1), SL_ROUND_DOWN), p - 2);
    assert_int_equal(sl_rescale(INT64_MAX, TB(p, q), TB(p, q), SL_ROUND_UP), INT64_MAX);
    assert_int_equal(sl_rescale(7, TB(p, q), TB(p, q), SL_ROUND_UP), 7);
}

static void test_limit(void **state)
{
    (void)state;
    assert_rational(sl_rational_limit(TB(30000, 1001), 1 << 20), 30000, 1001);
    assert_rational(sl_rational_limit(TB(314159265, 100000000), 1000), 355, 113);
    assert_rational(sl_rational_limit(TB(-314159265, 100000000), 1000), -355, 113);
    /* DefaultDuration in nanoseconds: the rate behind it */
    assert_rational(sl_rational_limit(TB(1000000000, 33366667), 65535), 30000, 1001);
}

/* Against every fraction that there is. */
static void test_limit_brute(void **state)
{
    (void)state;
    for (int64_t num = 1; num < 60; num++) {
        for (int64_t den = 1; den < 60; den++) {
            for (int64_t max = 1; max < 12; max++) {
                struct sl_rational r = sl_rational_limit(TB(num, den), max);
                int64_t error = r.num * den - num * r.den;

                assert_true(r.num >= 0 && r.num <= max && r.den >= 1 && r.den <= max);
                if (error < 0)
                    error = -error;
                for (int64_t n = 0; n <= max; n++) {
                    for (int64_t d = 1; d <= max; d++) {
                        int64_t e = n * den - num * d;

                        /* |n/d - r| >= |found - r| */
                        assert_true((e < 0 ? -e : e) * r.den >= error * d);
                    }
                }
            }
        }
    }
    assert_rational(sl_rational_limit(TB(INT64_MAX, INT64_MAX - 2), 100), 1, 1);
    assert_rational(sl_rational_limit(TB(INT64_MAX, 1), 100), 100, 1);
    assert_rational(sl_rational_limit(TB(1, INT64_MAX), 100), 0, 1);
    assert_rational(sl_rational_limit(TB(INT64_MAX, INT64_MAX - 2), INT64_MAX), INT64_MAX,
                    INT64_MAX - 2);
    assert_rational(sl_rational_limit(TB(5, 0), 3), 5, 0);
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t num, den;
    } good[] = {
        {"25", 25, 1},
        {"30000/1001", 30000, 1001},
        {"16:9", 16, 9},
        {"29.97", 2997, 100},
        {"23.976", 2997, 125},
        {"0.5", 1, 2},
        {"-1.5", -3, 2},
        {"+2", 2, 1},
        {"0", 0, 1},
        {"60000/2002", 30000, 1001},
        {"9223372036854775807", INT64_MAX, 1},
        {"0.000000000000000001", 1, INT64_C(1000000000000000000)},
        {"-0", 0, 1},
    };
    static const char *const bad[] = {
        "",
        " 1",
        "1 ",
        "1/",
        "/1",
        "1/0",
        "1.",
        ".5",
        "1.2.3",
        "1/2/3",
        "1.5/2",
        "x",
        "0x10",
        "1e3",
        "-",
        "+-1",
        "1/-2",
        "nan",
        "9223372036854775808",
        "1/9223372036854775808",
        "0.0000000000000000001",
        "1,5",
    };
    struct sl_rational r;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sl_rational_parse(good[i].text, &r));
        assert_rational(r, good[i].num, good[i].den);
    }
    r = TB(11, 13);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sl_rational_parse(bad[i], &r))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_rational(r, 11, 13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reduce),       cmocka_unit_test(test_compare),
        cmocka_unit_test(test_rounding),     cmocka_unit_test(test_rescale),
        cmocka_unit_test(test_rescale_wide), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_brute),  cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
