/* SPDX-License-Identifier: BSD-2-Clause */
/* Preconditions (RFC 9110 13) and byte ranges (RFC 9110 14). */
#ifndef SL_SERVE_CONDITION_H
#define SL_SERVE_CONDITION_H

#include "serve/request.h"

/* What is known of the bytes that are about to be sent. */
struct sl_validators {
    char etag[160];   /* quoted, strong */
    int64_t modified; /* seconds since 1970; -1: not known */
};

/* Returns 0 (go on), 304 or 412, in the order of RFC 9110 13.2.2. */
int sl_condition_check(const struct sl_request *r, const struct sl_validators *v, int64_t now);

enum sl_range_result {
    SL_RANGE_WHOLE,  /* no range, or one that may be ignored: 200 */
    SL_RANGE_PART,   /* 206 */
    SL_RANGE_BEYOND, /* 416 */
};

/* A single range out of size bytes; several ranges, other units and what does not parse are
 * ignored, as RFC 9110 14.2 permits. If-Range is taken into account. */
enum sl_range_result sl_range_check(const struct sl_request *r, const struct sl_validators *v,
                                    int64_t now, int64_t size, int64_t *first, int64_t *count);

#endif
