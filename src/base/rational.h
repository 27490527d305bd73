/* SPDX-License-Identifier: BSD-2-Clause */
/* Exact time. A timestamp is int64_t ticks of a rational timebase; conversions round once. */
#ifndef SL_BASE_RATIONAL_H
#define SL_BASE_RATIONAL_H

#include <stdbool.h>

#include <sluice/media.h>

enum sl_rounding {
    SL_ROUND_NEAREST, /* halves away from zero */
    SL_ROUND_DOWN,    /* towards minus infinity */
    SL_ROUND_UP,      /* towards plus infinity */
};

struct sl_rational sl_rational(int64_t num, int64_t den); /* as given */
bool sl_rational_valid(struct sl_rational r);             /* num > 0 and den > 0 */
struct sl_rational sl_rational_reduce(struct sl_rational r);
int sl_rational_compare(struct sl_rational a, struct sl_rational b); /* dens > 0 */
/* The nearest fraction with numerator and denominator up to max. */
struct sl_rational sl_rational_limit(struct sl_rational r, int64_t max);

/* value * from / to, 128 bits inside. SL_NO_TIME stays SL_NO_TIME. A result that does not fit is
 * clamped to INT64_MIN + 1 … INT64_MAX. */
int64_t sl_rescale(int64_t value, struct sl_rational from, struct sl_rational to,
                   enum sl_rounding rounding);
/* value * num / den, the same way. */
int64_t sl_muldiv(int64_t value, int64_t num, int64_t den, enum sl_rounding rounding);
/* <0, 0, >0 as a (in tb_a) is before, at or after b (in tb_b); exact. */
int sl_time_compare(int64_t a, struct sl_rational tb_a, int64_t b, struct sl_rational tb_b);

/* Parses "N", "N/D", "N:D" or a decimal like "29.97" exactly (2997/100); reduced. */
SL_NODISCARD bool sl_rational_parse(const char *text, struct sl_rational *out);

#endif
