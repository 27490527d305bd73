/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/rate.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define SETS  1024 /* a power of two */
#define WAYS  8
#define TOKEN 1000000 /* one request */

struct bucket {
    uint8_t key[SL_RATE_KEY];
    bool used;
    int64_t tokens; /* in millionths of a request, at the time of last */
    int64_t last;
};

struct sl_rate {
    int64_t per_second, burst;
    pthread_mutex_t lock;
    struct bucket buckets[SETS][WAYS];
};

enum sl_status sl_rate_create(struct sl_rate **out, int64_t per_second, int64_t burst,
                              struct sl_error *err)
{
    struct sl_rate *r = sl_alloc_zero(sizeof *r);

    *out = r;
    if (!r) {
        return sl_fail_memory(err);
    }
    r->per_second = per_second;
    r->burst = (burst > per_second ? burst : per_second) * TOKEN;
    (void)pthread_mutex_init(&r->lock, NULL);
    return SL_OK;
}

void sl_rate_destroy(struct sl_rate **out)
{
    if (*out) {
        (void)pthread_mutex_destroy(&(*out)->lock);
    }
    sl_free(*out);
    *out = NULL;
}

/* The client's bucket; a new one is full. */
static struct bucket *find(struct sl_rate *r, const uint8_t key[SL_RATE_KEY], int64_t now)
{
    struct bucket *set, *worst;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < SL_RATE_KEY; i++) {
        hash = (hash ^ key[i]) * 16777619u;
    }
    set = r->buckets[(hash ^ hash >> 16) % SETS];
    worst = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && memcmp(set[i].key, key, SL_RATE_KEY) == 0) {
            return &set[i];
        }
        if (!set[i].used || (worst->used && set[i].last < worst->last)) {
            worst = &set[i];
        }
    }
    *worst = (struct bucket){.used = true, .tokens = r->burst, .last = now};
    memcpy(worst->key, key, SL_RATE_KEY);
    return worst;
}

bool sl_rate_take(struct sl_rate *r, const uint8_t key[SL_RATE_KEY], int64_t now, int64_t *wait)
{
    struct bucket *b;
    int64_t passed;
    bool ok;

    if (!r) {
        return true;
    }
    (void)pthread_mutex_lock(&r->lock);
    b = find(r, key, now);
    passed = now > b->last ? now - b->last : 0;
    /* Whatever was full after an hour is full; the product stays small. */
    passed = passed < INT64_C(3600) * 1000000 ? passed : INT64_C(3600) * 1000000;
    b->tokens += passed * r->per_second;
    b->tokens = b->tokens < r->burst ? b->tokens : r->burst;
    b->last = now;
    ok = b->tokens >= TOKEN;
    if (ok) {
        b->tokens -= TOKEN;
    } else {
        *wait = (TOKEN - b->tokens + r->per_second - 1) / r->per_second;
    }
    (void)pthread_mutex_unlock(&r->lock);
    return ok;
}
