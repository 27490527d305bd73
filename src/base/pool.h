/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker pool with a bounded backlog, and the flag by which work is told to stop. */
#ifndef SL_BASE_POOL_H
#define SL_BASE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

/* Set once, read by anyone. Zero-initialised: not cancelled. */
struct sl_cancel {
    atomic_bool set;
};
void sl_cancel_set(struct sl_cancel *c);
bool sl_cancelled(const struct sl_cancel *c); /* NULL: false */

/* Thread-safe, but for destroy, which is the owner's last call. Work must not wait for its own pool
 * (sl_pool_wait, or sl_pool_submit into a full backlog). Workers take no signals. */
struct sl_pool;
SL_NODISCARD enum sl_status sl_pool_create(struct sl_pool **out, unsigned threads, size_t backlog,
                                           struct sl_error *err);
/* Waits for room in the backlog. run(arg, cancel) is called once, on some worker; drop(arg) is
 * called instead where the pool is cancelled first. drop may be NULL. SL_ECANCELLED: not taken. */
SL_NODISCARD enum sl_status sl_pool_submit(struct sl_pool *p,
                                           void (*run)(void *arg, const struct sl_cancel *cancel),
                                           void (*drop)(void *arg), void *arg);
void sl_pool_wait(struct sl_pool *p);     /* until everything submitted so far is done */
void sl_pool_cancel(struct sl_pool *p);   /* drops the backlog, sets the flag of running work */
void sl_pool_destroy(struct sl_pool **p); /* waits for what runs; the backlog is still done */

#endif
