/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers by name, in memory: bounded by bytes, the least recently used goes first. Answers that
 * are being sent stay as long as they are: they are counted references. Lock it yourself. */
#ifndef SL_SERVE_CACHE_MEMORY_H
#define SL_SERVE_CACHE_MEMORY_H

#include "base/lru.h"
#include "serve/answer.h"

struct sl_cache_memory {
    struct sl_lru table;
    size_t bytes, limit;
};

SL_NODISCARD enum sl_status sl_cache_memory_init(struct sl_cache_memory *c, size_t limit,
                                                 struct sl_error *err);
void sl_cache_memory_clear(struct sl_cache_memory *c); /* a zeroed one is fine */
/* A reference for the caller, or NULL. note (9 bytes) is what was put with it. */
struct sl_answer *sl_cache_memory_get(struct sl_cache_memory *c, const char *key, char note[9]);
/* Takes a reference of its own; does without where memory runs out or it is too big to keep. */
void sl_cache_memory_put(struct sl_cache_memory *c, const char *key, struct sl_answer *answer,
                         const char note[9]);
/* Forgets what holds files open and whose key begins so. */
void sl_cache_memory_drop_files(struct sl_cache_memory *c, const char *prefix);

#endif
