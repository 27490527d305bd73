/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rational.h"

__extension__ typedef unsigned __int128 u128;

/* An unsigned number of 192 bits, least significant limb first: three int64_t multiplied. */
struct wide {
    uint64_t limb[3];
};

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;
}

static u128 gcd(u128 a, u128 b)
{
    while (b) {
        u128 t = a % b;

        a = b;
        b = t;
    }
    return a;
}

static struct wide wide_mul(u128 a, uint64_t b)
{
    u128 low = (u128)(uint64_t)a * b;
    u128 high = (a >> 64) * b + (low >> 64);

    return (struct wide){{(uint64_t)low, (uint64_t)high, (uint64_t)(high >> 64)}};
}

static int wide_compare(struct wide a, struct wide b)
{
    for (int i = 2; i >= 0; i--) {
        if (a.limb[i] != b.limb[i]) {
            return a.limb[i] < b.limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* n / d by long division; the quotient is clamped to 128 bits. d < 2^127. */
static u128 wide_divide(struct wide n, u128 d, u128 *rest)
{
    u128 quotient = 0, r = 0;
    bool huge = false;

    for (int i = 191; i >= 0; i--) {
        r = r << 1 | (n.limb[i / 64] >> (i % 64) & 1);
        huge |= quotient >> 127 != 0;
        quotient <<= 1;
        if (r >= d) {
            r -= d;
            quotient |= 1;
        }
    }
    *rest = r;
    return huge ? ~(u128)0 : quotient;
}

/* ± value * num / den, rounded once and clamped. den < 2^127. */
static int64_t divide(bool negative, uint64_t value, u128 num, u128 den, enum sl_rounding rounding)
{
    u128 q, rest;

    if (num >> 64 == 0) {
        u128 product = (u128)value * num;

        q = product / den;
        rest = product % den;
    } else {
        q = wide_divide(wide_mul(num, value), den, &rest);
    }
    if (rest != 0 && q <= INT64_MAX) {
        bool up = rounding == SL_ROUND_NEAREST ? rest >= den - rest
                                               : (rounding == SL_ROUND_DOWN) == negative;

        q += up;
    }
    if (q > INT64_MAX) {
        q = INT64_MAX;
    }
    return negative ? -(int64_t)q : (int64_t)q;
}

struct sl_rational sl_rational(int64_t num, int64_t den)
{
    return (struct sl_rational){num, den};
}

bool sl_rational_valid(struct sl_rational r)
{
    return r.num > 0 && r.den > 0;
}

struct sl_rational sl_rational_reduce(struct sl_rational r)
{
    uint64_t num = magnitude(r.num), den = magnitude(r.den), g;
    bool negative = (r.num < 0) != (r.den < 0);

    if (den == 0) {
        return r;
    }
    g = (uint64_t)gcd(num, den);
    num /= g;
    den /= g;
    if (num > INT64_MAX || den > INT64_MAX) { /* INT64_MIN over something odd: stays as given */
        return r;
    }
    return (struct sl_rational){negative ? -(int64_t)num : (int64_t)num, (int64_t)den};
}

int sl_rational_compare(struct sl_rational a, struct sl_rational b)
{
    return sl_time_compare(a.num, (struct sl_rational){1, a.den}, b.num,
                           (struct sl_rational){1, b.den});
}

/* Continued fractions: p/q is the convergent at hand, p0/q0 the one before it. Beside them runs
 * Euclid's algorithm, whose remainders are how far each is from r (times the denominators):
 * |p0 * den - q0 * num| = a and |p * den - q * num| = b, on different sides of r. */
struct sl_rational sl_rational_limit(struct sl_rational r, int64_t max)
{
    uint64_t limit = max > 0 ? (uint64_t)max : 1;
    uint64_t a, b, p0 = 0, q0 = 1, p = 1, q = 0;
    bool negative;

    r = sl_rational_reduce(r);
    a = magnitude(r.num);
    b = magnitude(r.den);
    negative = (r.num < 0) != (r.den < 0);
    if (b == 0 || (a <= limit && b <= limit)) {
        return r;
    }
    while (b != 0) {
        uint64_t x = a / b, fit = x, next;

        if (p != 0 && fit > (limit - p0) / p) {
            fit = (limit - p0) / p;
        }
        if (q != 0 && fit > (limit - q0) / q) {
            fit = (limit - q0) / q;
        }
        next = a - fit * b;
        if (fit < x) {
            /* Between two convergents: fit * p/q "plus" p0/q0, if it is nearer than p/q. */
            if ((u128)next * q < (u128)b * (fit * q + q0)) {
                p = fit * p + p0;
                q = fit * q + q0;
            }
            break;
        }
        next = x * p + p0;
        p0 = p;
        p = next;
        next = x * q + q0;
        q0 = q;
        q = next;
        next = a - x * b;
        a = b;
        b = next;
    }
    return (struct sl_rational){negative ? -(int64_t)p : (int64_t)p, (int64_t)q};
}

int64_t sl_rescale(int64_t value, struct sl_rational from, struct sl_rational to,
                   enum sl_rounding rounding)
{
    u128 num, den, g;

    if (value == SL_NO_TIME || !sl_rational_valid(from) || !sl_rational_valid(to)) {
        return SL_NO_TIME;
    }
    num = (u128)(uint64_t)from.num * (uint64_t)to.den;
    den = (u128)(uint64_t)from.den * (uint64_t)to.num;
    if (num >> 64 != 0) {
        g = gcd(num, den);
        num /= g;
        den /= g;
    }
    return divide(value < 0, magnitude(value), num, den, rounding);
}

int64_t sl_muldiv(int64_t value, int64_t num, int64_t den, enum sl_rounding rounding)
{
    if (value == SL_NO_TIME || den == 0) {
        return SL_NO_TIME;
    }
    return divide(((value < 0) != (num < 0)) != (den < 0), magnitude(value), magnitude(num),
                  magnitude(den), rounding);
}

int sl_time_compare(int64_t a, struct sl_rational tb_a, int64_t b, struct sl_rational tb_b)
{
    int order;

    if ((a < 0) != (b < 0) || a == 0 || b == 0) {
        return (a > b) - (a < b);
    }
    order = wide_compare(wide_mul((u128)(uint64_t)tb_a.num * (uint64_t)tb_b.den, magnitude(a)),
                         wide_mul((u128)(uint64_t)tb_b.num * (uint64_t)tb_a.den, magnitude(b)));
    return a < 0 ? -order : order;
}

/* Digits into *v; false where there are none or they do not fit. */
static bool parse_digits(const char **text, int64_t *v, int64_t *scale)
{
    const char *c = *text;

    if (*c < '0' || *c > '9') {
        return false;
    }
    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(*v, 10, v) || __builtin_add_overflow(*v, *c - '0', v)) {
            return false;
        }
        if (scale && __builtin_mul_overflow(*scale, 10, scale)) {
            return false;
        }
    }
    *text = c;
    return true;
}

bool sl_rational_parse(const char *text, struct sl_rational *out)
{
    struct sl_rational r = {0, 1};
    bool negative = *text == '-';

    if (*text == '-' || *text == '+') {
        text++;
    }
    if (!parse_digits(&text, &r.num, NULL)) {
        return false;
    }
    if (*text == '.') {
        text++;
        if (!parse_digits(&text, &r.num, &r.den)) {
            return false;
        }
    } else if (*text == '/' || *text == ':') {
        text++;
        r.den = 0;
        if (!parse_digits(&text, &r.den, NULL) || r.den == 0) {
            return false;
        }
    }
    if (*text) {
        return false;
    }
    if (negative) {
        r.num = -r.num;
    }
    *out = sl_rational_reduce(r);
    return true;
}
