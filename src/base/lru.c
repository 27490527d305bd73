/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/lru.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* FNV-1a. Keys that a client chose are paths of files that exist, or answers that were paid for
 * with work: nobody fills a bucket cheaply. */
static uint32_t hash_of(const char *key)
{
    uint32_t h = 2166136261u;

    for (; *key; key++) {
        h = (h ^ (unsigned char)*key) * 16777619u;
    }
    return h;
}

enum sl_status sl_lru_init(struct sl_lru *t, size_t expected, struct sl_error *err)
{
    size_t n = 16;

    while (n < expected && n < (size_t)1 << 20) {
        n *= 2;
    }
    memset(t, 0, sizeof *t);
    t->buckets = sl_alloc_array(n, sizeof(struct sl_lru_node *));
    if (!t->buckets) {
        return sl_fail_memory(err);
    }
    t->bucket_count = n;
    return SL_OK;
}

void sl_lru_clear(struct sl_lru *t)
{
    sl_free(t->buckets);
    memset(t, 0, sizeof *t);
}

static struct sl_lru_node **bucket_of(const struct sl_lru *t, uint32_t hash)
{
    return &t->buckets[hash & (t->bucket_count - 1)];
}

static void link_newest(struct sl_lru *t, struct sl_lru_node *node)
{
    node->from = t->newest;
    node->to = NULL;
    if (t->newest) {
        t->newest->to = node;
    } else {
        t->oldest = node;
    }
    t->newest = node;
}

static void unlink_order(struct sl_lru *t, struct sl_lru_node *node)
{
    if (node->from) {
        node->from->to = node->to;
    } else {
        t->oldest = node->to;
    }
    if (node->to) {
        node->to->from = node->from;
    } else {
        t->newest = node->from;
    }
}

void sl_lru_insert(struct sl_lru *t, struct sl_lru_node *node)
{
    struct sl_lru_node **bucket;

    node->hash = hash_of(node->key);
    bucket = bucket_of(t, node->hash);
    node->same = *bucket;
    *bucket = node;
    link_newest(t, node);
    t->count++;
}

struct sl_lru_node *sl_lru_find(const struct sl_lru *t, const char *key)
{
    uint32_t hash = hash_of(key);
    struct sl_lru_node *node = t->buckets ? *bucket_of(t, hash) : NULL;

    while (node && (node->hash != hash || strcmp(node->key, key) != 0)) {
        node = node->same;
    }
    return node;
}

void sl_lru_touch(struct sl_lru *t, struct sl_lru_node *node)
{
    if (t->newest != node) {
        unlink_order(t, node);
        link_newest(t, node);
    }
}

void sl_lru_remove(struct sl_lru *t, struct sl_lru_node *node)
{
    struct sl_lru_node **at = bucket_of(t, node->hash);

    while (*at != node) {
        at = &(*at)->same;
    }
    *at = node->same;
    unlink_order(t, node);
    t->count--;
}
