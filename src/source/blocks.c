/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/blocks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/lru.h"

#define KEY_MAX 40

struct block {
    struct sl_lru_node node; /* first */
    char key[KEY_MAX];
    size_t size;
    uint8_t data[];
};

struct sl_blocks {
    pthread_mutex_t lock;
    struct sl_lru table;
    size_t limit, bytes;
    uint64_t serial;
};

enum sl_status sl_blocks_create(struct sl_blocks **out, size_t limit, struct sl_error *err)
{
    struct sl_blocks *b = sl_alloc_zero(sizeof *b);
    enum sl_status status;

    *out = NULL;
    if (!b) {
        return sl_fail_memory(err);
    }
    status = sl_lru_init(&b->table, limit / SL_BLOCK_SIZE + 1, err);
    if (status != SL_OK) {
        sl_free(b);
        return status;
    }
    (void)pthread_mutex_init(&b->lock, NULL);
    b->limit = limit;
    *out = b;
    return SL_OK;
}

static void drop(struct sl_blocks *b, struct sl_lru_node *node)
{
    struct block *block = (struct block *)node;

    sl_lru_remove(&b->table, node);
    b->bytes -= sizeof *block + block->size;
    sl_free(block);
}

void sl_blocks_destroy(struct sl_blocks **blocks)
{
    struct sl_blocks *b = *blocks;

    *blocks = NULL;
    if (!b) {
        return;
    }
    while (b->table.oldest) {
        drop(b, b->table.oldest);
    }
    sl_lru_clear(&b->table);
    (void)pthread_mutex_destroy(&b->lock);
    sl_free(b);
}

uint64_t sl_blocks_serial(struct sl_blocks *b)
{
    uint64_t n;

    (void)pthread_mutex_lock(&b->lock);
    n = ++b->serial;
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

static void key_of(const char *name, int64_t index, char key[KEY_MAX])
{
    (void)snprintf(key, KEY_MAX, "%.16s/%" PRIx64, name, (uint64_t)index);
}

bool sl_blocks_get(struct sl_blocks *b, const char *name, int64_t index, size_t inside, void *dst,
                   size_t size, size_t *got)
{
    const struct block *block;
    char key[KEY_MAX];

    *got = 0;
    key_of(name, index, key);
    (void)pthread_mutex_lock(&b->lock);
    block = (const struct block *)sl_lru_find(&b->table, key);
    if (block) {
        sl_lru_touch(&b->table, (struct sl_lru_node *)&block->node);
        if (inside < block->size) {
            *got = block->size - inside < size ? block->size - inside : size;
            memcpy(dst, block->data + inside, *got);
        }
    }
    (void)pthread_mutex_unlock(&b->lock);
    return block != NULL;
}

void sl_blocks_put(struct sl_blocks *b, const char *name, int64_t index, const void *data,
                   size_t size)
{
    struct block *block = sl_alloc(sizeof *block + size);
    struct sl_lru_node *old;

    if (!block) {
        return;
    }
    key_of(name, index, block->key);
    block->node.key = block->key;
    block->size = size;
    memcpy(block->data, data, size);
    (void)pthread_mutex_lock(&b->lock);
    old = sl_lru_find(&b->table, block->key);
    if (old) {
        drop(b, old);
    }
    sl_lru_insert(&b->table, &block->node);
    b->bytes += sizeof *block + size;
    while (b->bytes > b->limit && b->table.oldest) {
        drop(b, b->table.oldest);
    }
    (void)pthread_mutex_unlock(&b->lock);
}
