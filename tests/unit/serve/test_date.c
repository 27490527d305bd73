/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <time.h>

#include "serve/date.h"
#include "unit.h"

#define EXAMPLE 784111777 /* RFC 9110 5.6.7 */
#define NOW     1795000000

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE},
        {"Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE},
        {"Sun Nov  6 08:49:37 1994", EXAMPLE},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Fri, 29 Feb 2008 00:00:00 GMT", 1204243200},
        {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        /* two digits: at most 50 years ahead */
        {"Sunday, 06-Nov-75 08:49:37 GMT", 3340255777},
        {"Sunday, 06-Nov-77 08:49:37 GMT", 247654177},
        /* the wrong day of the week is still a day */
        {"Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE},
        {"", -1},
        {"now", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
        {"sun, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 94 08:49:37 GMT", -1},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Thu, 29 Feb 2007 00:00:00 GMT", -1},
        {"Thu, 29 Feb 2100 00:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 8:49:37 GMT", -1},
        {"Sunday, 06 Nov 1994 08:49:37 GMT", EXAMPLE},
        {"Sundays, 06-Nov-94 08:49:37 GMT", -1},
        {"Sun Nov 06 08:49:37 1994", EXAMPLE},
        {"Sun Nov 6 08:49:37 1994", -1},
        {"784111777", -1},
        {"Sun", -1},
        {"Sun,", -1},
        {"Sun ", -1},
    };
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ok = sl_date_parse(cases[i].text, strlen(cases[i].text), NOW, &seconds);

        if (ok != (cases[i].seconds >= 0) || (ok && seconds != cases[i].seconds)) {
            fail_msg("%s: %d, %lld", cases[i].text, ok, (long long)seconds);
        }
    }
}

/* The C library agrees, day by day over four centuries. */
static void test_format(void **state)
{
    char ours[SL_DATE_SIZE], theirs[64];
    int64_t back;

    (void)state;
    for (int64_t s = 0; s < INT64_C(86400) * 146097; s += 86399) {
        time_t t = (time_t)s;
        struct tm tm;

        sl_date_format(s, ours);
        assert_non_null(gmtime_r(&t, &tm));
        assert_int_not_equal(strftime(theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S GMT", &tm), 0);
        if (strcmp(ours, theirs) != 0) {
            fail_msg("%s, not %s", ours, theirs);
        }
        assert_true(sl_date_parse(ours, strlen(ours), NOW, &back));
        assert_true(back == s);
    }
    sl_date_format(-1, ours);
    assert_string_equal(ours, "Thu, 01 Jan 1970 00:00:00 GMT");
    sl_date_format(INT64_MAX, ours);
    assert_string_equal(ours, "Fri, 31 Dec 9999 23:59:59 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
