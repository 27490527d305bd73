/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/remux_run.h"

#define FIFO_MAX ((size_t)4 * SL_REMUX_WAIT_PACKETS) /* whoever fills it stops long before */

int64_t sl_remux_memory_of(const struct sl_packet *packet)
{
    const struct sl_chain *c = &packet->payload;
    const struct sl_slice *s = c->capacity == 0 ? &c->first : c->slices;
    int64_t sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        sum += s[i].buf ? (int64_t)s[i].size : 0;
    }
    return sum;
}

/* The capacity is a power of two. */
static enum sl_status grow(struct sl_remux_fifo *f, struct sl_error *err)
{
    size_t capacity = f->capacity ? f->capacity * 2 : 64;
    struct sl_packet **items = sl_alloc_array(capacity, sizeof(struct sl_packet *));
    if (!items) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < f->count; i++) {
        items[i] = f->items[(f->first + i) & (f->capacity - 1)];
    }
    sl_free(f->items);
    f->items = items;
    f->first = 0;
    f->capacity = capacity;
    return SL_OK;
}

enum sl_status sl_remux_fifo_put(struct sl_remux_fifo *f, struct sl_packet *packet,
                                 struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (f->count >= FIFO_MAX) {
        st = sl_fail(err, SL_ENOMEM, NULL, "more than %zu packets wait for one another", FIFO_MAX);
    } else if (f->count == f->capacity) {
        st = grow(f, err);
    }
    if (st != SL_OK) {
        sl_packet_unref(&packet);
        return st;
    }
    f->items[(f->first + f->count++) & (f->capacity - 1)] = packet;
    f->memory += sl_remux_memory_of(packet);
    return SL_OK;
}

struct sl_packet *sl_remux_fifo_take(struct sl_remux_fifo *f)
{
    struct sl_packet *p;
    if (f->count == 0) {
        return NULL;
    }
    p = f->items[f->first];
    f->first = (f->first + 1) & (f->capacity - 1);
    f->count--;
    f->memory -= sl_remux_memory_of(p);
    return p;
}

struct sl_packet *sl_remux_fifo_at(const struct sl_remux_fifo *f, size_t i)
{
    return f->items[(f->first + i) & (f->capacity - 1)];
}

void sl_remux_fifo_clear(struct sl_remux_fifo *f)
{
    struct sl_packet *p;
    while ((p = sl_remux_fifo_take(f)) != NULL) {
        sl_packet_unref(&p);
    }
    sl_free(f->items);
    *f = (struct sl_remux_fifo){.items = NULL};
}
