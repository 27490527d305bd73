/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/date.h"

#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)

static const char days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years are counted from
 * March, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const uint8_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return length[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

void sl_date_format(int64_t seconds, char out[SL_DATE_SIZE])
{
    const int64_t last = (days_of(10000, 1, 1)) * DAY - 1;
    int64_t day, rest, year, month = 1;

    seconds = seconds < 0 ? 0 : seconds > last ? last : seconds;
    day = seconds / DAY;
    rest = seconds % DAY;
    year = 1970 + day / 366; /* never too late; at most a few years too early */
    while (days_of(year + 1, 1, 1) <= day) {
        year++;
    }
    while (month < 12 && days_of(year, month + 1, 1) <= day) {
        month++;
    }
    /* 1970-01-01 was a Thursday. */
    (void)snprintf(out, SL_DATE_SIZE, "%.3s, %02u %s %04u %02u:%02u:%02u GMT", days[(day + 4) % 7],
                   (unsigned)(day - days_of(year, month, 1) + 1) % 100, months[month - 1],
                   (unsigned)year % 10000, (unsigned)(rest / 3600) % 100,
                   (unsigned)(rest / 60 % 60) % 100, (unsigned)(rest % 60) % 100);
}

struct cursor {
    const char *p;
    size_t left;
    bool bad;
};

static void expect(struct cursor *c, const char *text)
{
    size_t n = strlen(text);

    if (c->bad || c->left < n || memcmp(c->p, text, n) != 0) {
        c->bad = true;
        return;
    }
    c->p += n;
    c->left -= n;
}

static int64_t number(struct cursor *c, size_t digits)
{
    int64_t v = 0;

    if (c->bad || c->left < digits) {
        c->bad = true;
        return 0;
    }
    for (; digits > 0; digits--, c->p++, c->left--) {
        if (*c->p < '0' || *c->p > '9') {
            c->bad = true;
        }
        v = v * 10 + (*c->p - '0');
    }
    return v;
}

static int64_t month_name(struct cursor *c)
{
    for (int64_t m = 0; m < 12 && c->left >= 3; m++) {
        if (memcmp(c->p, months[m], 3) == 0) {
            expect(c, months[m]);
            return m + 1;
        }
    }
    c->bad = true;
    return 1;
}

static int64_t time_of_day(struct cursor *c)
{
    int64_t h = number(c, 2), m, s;

    expect(c, ":");
    m = number(c, 2);
    expect(c, ":");
    s = number(c, 2);
    if (h > 23 || m > 59 || s > 60) { /* 60: a leap second */
        c->bad = true;
    }
    return h * 3600 + m * 60 + s;
}

/* RFC 9110 5.6.7: more than 50 years in the future means the past century. */
static int64_t full_year(int64_t two_digits, int64_t now)
{
    int64_t this_year = 1970 + now / (DAY * 1461) * 4 + now % (DAY * 1461) / (DAY * 365);
    int64_t year = this_year / 100 * 100 + two_digits;

    return year > this_year + 50 ? year - 100 : year;
}

bool sl_date_parse(const char *text, size_t size, int64_t now, int64_t *seconds)
{
    struct cursor c = {text, size, false};
    int64_t year, month, day, clock;
    size_t name = 0;

    while (name < size && ((text[name] | 0x20) >= 'a' && (text[name] | 0x20) <= 'z')) {
        name++;
    }
    c.bad = true;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        if ((name == 3 || name == strlen(days[i])) && memcmp(days[i], text, name) == 0) {
            c.bad = false;
        }
    }
    if (c.bad) {
        return false;
    }
    c.p += name;
    c.left -= name;

    if (c.left > 0 && c.p[0] == ' ') { /* Sun Nov  6 08:49:37 1994 */
        expect(&c, " ");
        month = month_name(&c);
        expect(&c, " ");
        if (c.left > 0 && c.p[0] == ' ') {
            expect(&c, " ");
            day = number(&c, 1);
        } else {
            day = number(&c, 2);
        }
        expect(&c, " ");
        clock = time_of_day(&c);
        expect(&c, " ");
        year = number(&c, 4);
    } else {
        bool old = c.left > 4 && c.p[4] == '-'; /* Sunday, 06-Nov-94 08:49:37 GMT */

        expect(&c, ", ");
        day = number(&c, 2);
        expect(&c, old ? "-" : " ");
        month = month_name(&c);
        expect(&c, old ? "-" : " ");
        year = old ? full_year(number(&c, 2), now) : number(&c, 4);
        expect(&c, " ");
        clock = time_of_day(&c);
        expect(&c, " GMT");
    }
    if (c.bad || c.left > 0 || year < 1 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *seconds = days_of(year, month, day) * DAY + clock;
    return true;
}
