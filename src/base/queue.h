/* SPDX-License-Identifier: BSD-2-Clause */
/* A bounded queue of pointers between threads. All functions are thread-safe. */
#ifndef SL_BASE_QUEUE_H
#define SL_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

struct sl_queue;

/* drop(item) is called for what is still inside at destroy or cancel. */
SL_NODISCARD enum sl_status sl_queue_create(struct sl_queue **out, size_t capacity,
                                            void (*drop)(void *item), struct sl_error *err);
void sl_queue_destroy(struct sl_queue **q);
/* Waits for room. SL_ECANCELLED after cancel, SL_EINVAL after close; the item is consumed on
 * SL_OK only. */
SL_NODISCARD enum sl_status sl_queue_push(struct sl_queue *q, void *item);
/* Waits for an item. SL_EOF when closed and empty, SL_ECANCELLED after cancel. */
SL_NODISCARD enum sl_status sl_queue_pop(struct sl_queue *q, void **item);
/* The same, but waits no longer than that many milliseconds: SL_EAGAIN where nothing came. */
SL_NODISCARD enum sl_status sl_queue_pop_within(struct sl_queue *q, int64_t milliseconds,
                                                void **item);
/* No more pushes; what is inside can still be popped. */
void sl_queue_close(struct sl_queue *q);
/* Wakes everybody and drops what is inside. */
void sl_queue_cancel(struct sl_queue *q);
size_t sl_queue_length(struct sl_queue *q);

#endif
