/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* What stands before the data in one block of memory; keeps the data aligned. */
#define HEAD SL_BUF_ALIGN

_Static_assert(sizeof(struct sl_buf) <= HEAD, "struct sl_buf outgrew its place");

/* head bytes, then size bytes of data, then zeroed padding; aligned. */
static uint8_t *alloc_block(size_t size)
{
    size_t total;
    uint8_t *block;

    if (!sl_size_add(size, HEAD + SL_BUF_PADDING, &total)) {
        return NULL;
    }
    block = sl_alloc_aligned(SL_BUF_ALIGN, total);
    if (block) {
        memset(block + HEAD + size, 0, SL_BUF_PADDING);
    }
    return block;
}

enum sl_status sl_buf_alloc(struct sl_buf **out, size_t size, struct sl_error *err)
{
    uint8_t *block = alloc_block(size);
    struct sl_buf *buf;

    *out = NULL;
    if (!block) {
        return sl_fail_memory(err);
    }
    buf = (struct sl_buf *)(void *)block;
    *buf = (struct sl_buf){.data = block + HEAD, .size = size};
    atomic_init(&buf->refs, 1);
    *out = buf;
    return SL_OK;
}

enum sl_status sl_buf_wrap(struct sl_buf **out, uint8_t *data, size_t size,
                           void (*release)(void *opaque, uint8_t *data), void *opaque,
                           struct sl_error *err)
{
    struct sl_buf *buf = sl_alloc(sizeof(*buf));

    *out = NULL;
    if (!buf) {
        return sl_fail_memory(err);
    }
    *buf = (struct sl_buf){.data = data, .size = size, .release = release, .opaque = opaque};
    atomic_init(&buf->refs, 1);
    *out = buf;
    return SL_OK;
}

struct sl_buf *sl_buf_ref(struct sl_buf *buf)
{
    atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

void sl_buf_unref(struct sl_buf **buf)
{
    struct sl_buf *b;

    if (!buf || !*buf) {
        return;
    }
    b = *buf;
    *buf = NULL;
    /* Release what this thread wrote, acquire what the others did before theirs went. */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (b->release) {
        b->release(b->opaque, b->data);
    }
    sl_free(b);
}

/* Lives at the head of a pooled block; the data follows at HEAD. */
struct block {
    struct sl_buf_pool *pool;
    struct block *next;
};

struct sl_buf_pool {
    pthread_mutex_t lock;
    size_t size;
    unsigned max_idle;
    unsigned idle_count;
    struct block *idle; /* last in, first out: the warmest block goes first */
    size_t refs;        /* the owner's, and one for each block that is out */
};

enum sl_status sl_buf_pool_create(struct sl_buf_pool **out, size_t size, unsigned max_idle,
                                  struct sl_error *err)
{
    struct sl_buf_pool *pool = sl_alloc_zero(sizeof(*pool));

    *out = NULL;
    if (!pool) {
        return sl_fail_memory(err);
    }
    pthread_mutex_init(&pool->lock, NULL); /* cannot fail with default attributes */
    pool->size = size;
    pool->max_idle = max_idle;
    pool->refs = 1;
    *out = pool;
    return SL_OK;
}

/* Gives one reference back, and a block (or NULL) with it. */
static void pool_leave(struct sl_buf_pool *pool, struct block *block)
{
    struct block *drop = block;
    bool last;

    pthread_mutex_lock(&pool->lock);
    if (block && pool->idle_count < pool->max_idle) {
        block->next = pool->idle;
        pool->idle = block;
        pool->idle_count++;
        drop = NULL;
    }
    last = --pool->refs == 0;
    pthread_mutex_unlock(&pool->lock);
    sl_free(drop); /* outside: giving megabytes back to the system takes its time */
    if (last) {
        pthread_mutex_destroy(&pool->lock);
        sl_free(pool);
    }
}

static void pool_release(void *opaque, uint8_t *data)
{
    struct block *block = opaque;

    (void)data;
    pool_leave(block->pool, block);
}

enum sl_status sl_buf_pool_get(struct sl_buf_pool *pool, struct sl_buf **out, struct sl_error *err)
{
    struct block *block;
    uint8_t *memory;
    enum sl_status status;

    *out = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->refs++;
    block = pool->idle;
    if (block) {
        pool->idle = block->next;
        pool->idle_count--;
    }
    pthread_mutex_unlock(&pool->lock);

    memory = (uint8_t *)block;
    if (!memory) {
        memory = alloc_block(pool->size);
        if (!memory) {
            pool_leave(pool, NULL);
            return sl_fail_memory(err);
        }
        block = (struct block *)(void *)memory;
        *block = (struct block){.pool = pool};
    } else {
        /* Whoever had it may have written there. */
        memset(memory + HEAD + pool->size, 0, SL_BUF_PADDING);
    }
    status = sl_buf_wrap(out, memory + HEAD, pool->size, pool_release, block, err);
    if (status != SL_OK) {
        pool_leave(pool, block);
    }
    return status;
}

void sl_buf_pool_destroy(struct sl_buf_pool **pool)
{
    struct sl_buf_pool *p;
    struct block *idle;

    if (!pool || !*pool) {
        return;
    }
    p = *pool;
    *pool = NULL;
    pthread_mutex_lock(&p->lock);
    idle = p->idle;
    p->idle = NULL;
    p->idle_count = 0;
    p->max_idle = 0;
    pthread_mutex_unlock(&p->lock);
    while (idle) {
        struct block *next = idle->next;

        sl_free(idle);
        idle = next;
    }
    pool_leave(p, NULL);
}
