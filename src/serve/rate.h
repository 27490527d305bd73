/* SPDX-License-Identifier: BSD-2-Clause */
/* A bucket of tokens for each client: a request takes one, and they come back at a steady rate. A
 * fixed amount of memory; where it is full, the client that was seen least recently is forgotten.
 * Thread-safe. */
#ifndef SL_SERVE_RATE_H
#define SL_SERVE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

#define SL_RATE_KEY 8 /* bytes that tell clients apart */

struct sl_rate;

/* per_second requests for long, burst at once. */
SL_NODISCARD enum sl_status sl_rate_create(struct sl_rate **out, int64_t per_second, int64_t burst,
                                           struct sl_error *err);
/* now: microseconds, monotonic. false: none left, *wait microseconds until there is one. A NULL
 * rate has no limit. */
bool sl_rate_take(struct sl_rate *r, const uint8_t key[SL_RATE_KEY], int64_t now, int64_t *wait);
void sl_rate_destroy(struct sl_rate **out);

#endif
