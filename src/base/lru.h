/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of things by name that also knows which of them was used least recently. Nodes lie within
 * the things themselves, so only making the table can fail. Single owner: lock it yourself. */
#ifndef SL_BASE_LRU_H
#define SL_BASE_LRU_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

struct sl_lru_node {
    const char *key;               /* owned by the thing around it; not changed while inserted */
    struct sl_lru_node *same;      /* next in the bucket */
    struct sl_lru_node *from, *to; /* neighbours in the order of use */
    uint32_t hash;
};

struct sl_lru {
    struct sl_lru_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct sl_lru_node *oldest, *newest;
};

/* expected: how many things there will be, more or less. More make it slower, not wrong. */
SL_NODISCARD enum sl_status sl_lru_init(struct sl_lru *t, size_t expected, struct sl_error *err);
/* Forgets the table, not the things. A zeroed one is fine. */
void sl_lru_clear(struct sl_lru *t);
/* node->key is set and not in the table. The node becomes the newest. */
void sl_lru_insert(struct sl_lru *t, struct sl_lru_node *node);
/* NULL: not there. */
struct sl_lru_node *sl_lru_find(const struct sl_lru *t, const char *key);
/* Makes it the newest. */
void sl_lru_touch(struct sl_lru *t, struct sl_lru_node *node);
void sl_lru_remove(struct sl_lru *t, struct sl_lru_node *node);

#endif
