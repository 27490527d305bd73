/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

struct sl_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    void (*drop)(void *item);
    void **items; /* a ring */
    size_t capacity;
    size_t head;
    size_t count;
    bool closed;
    bool cancelled;
};

enum sl_status sl_queue_create(struct sl_queue **out, size_t capacity, void (*drop)(void *item),
                               struct sl_error *err)
{
    struct sl_queue *q;

    *out = NULL;
    if (capacity == 0) {
        return sl_fail(err, SL_EINVAL, NULL, "a queue needs room for one item");
    }
    q = sl_alloc_zero(sizeof(*q));
    if (!q) {
        return sl_fail_memory(err);
    }
    q->items = sl_alloc_array(capacity, sizeof(*q->items));
    if (!q->items) {
        sl_free(q);
        return sl_fail_memory(err);
    }
    q->capacity = capacity;
    q->drop = drop;
    /* With default attributes none of these can fail on the systems we build for. */
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_full, NULL);
#if defined(__APPLE__) /* has no other clock for conditions, and waits for spans of time instead   \
                        */
    pthread_cond_init(&q->not_empty, NULL);
#else
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&q->not_empty, &steady);
    pthread_condattr_destroy(&steady);
#endif
    *out = q;
    return SL_OK;
}

static bool take(struct sl_queue *q, void **item)
{
    if (q->count == 0) {
        return false;
    }
    *item = q->items[q->head];
    q->head = (q->head + 1) % q->capacity;
    q->count--;
    return true;
}

/* drop runs without the lock: it may do anything but use this queue. */
static void drop_all(struct sl_queue *q)
{
    void *item;
    bool more;

    do {
        pthread_mutex_lock(&q->lock);
        more = take(q, &item);
        pthread_mutex_unlock(&q->lock);
        if (more && q->drop) {
            q->drop(item);
        }
    } while (more);
}

void sl_queue_destroy(struct sl_queue **queue)
{
    struct sl_queue *q;

    if (!queue || !*queue) {
        return;
    }
    q = *queue;
    *queue = NULL;
    drop_all(q);
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->not_full);
    pthread_mutex_destroy(&q->lock);
    sl_free(q->items);
    sl_free(q);
}

enum sl_status sl_queue_push(struct sl_queue *q, void *item)
{
    enum sl_status status = SL_OK;

    pthread_mutex_lock(&q->lock);
    while (q->count == q->capacity && !q->closed && !q->cancelled) {
        pthread_cond_wait(&q->not_full, &q->lock);
    }
    if (q->cancelled) {
        status = SL_ECANCELLED;
    } else if (q->closed) {
        status = SL_EINVAL;
    } else {
        q->items[(q->head + q->count) % q->capacity] = item;
        q->count++;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    return status;
}

/* With the lock held, and nothing more to wait for. */
static enum sl_status pop_now(struct sl_queue *q, void **item)
{
    if (q->cancelled) {
        return SL_ECANCELLED;
    }
    if (take(q, item)) {
        pthread_cond_signal(&q->not_full);
        return SL_OK;
    }
    return SL_EOF;
}

enum sl_status sl_queue_pop(struct sl_queue *q, void **item)
{
    enum sl_status status;

    *item = NULL;
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed && !q->cancelled) {
        pthread_cond_wait(&q->not_empty, &q->lock);
    }
    status = pop_now(q, item);
    pthread_mutex_unlock(&q->lock);
    return status;
}

/* Waits once, until the deadline at the latest. False once that has passed. */
static bool wait_until(struct sl_queue *q, const struct timespec *deadline)
{
#if defined(__APPLE__)
    struct timespec now, span;
    clock_gettime(CLOCK_MONOTONIC, &now);
    span.tv_sec = deadline->tv_sec - now.tv_sec;
    span.tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (span.tv_nsec < 0) {
        span.tv_nsec += 1000000000;
        span.tv_sec--;
    }
    return span.tv_sec >= 0 &&
           pthread_cond_timedwait_relative_np(&q->not_empty, &q->lock, &span) != ETIMEDOUT;
#else
    return pthread_cond_timedwait(&q->not_empty, &q->lock, deadline) != ETIMEDOUT;
#endif
}

enum sl_status sl_queue_pop_within(struct sl_queue *q, int64_t milliseconds, void **item)
{
    enum sl_status status;
    struct timespec deadline;
    bool in_time = true;

    *item = NULL;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t)(milliseconds / 1000);
    deadline.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed && !q->cancelled && in_time) {
        in_time = wait_until(q, &deadline);
    }
    status = q->count == 0 && !q->closed && !q->cancelled ? SL_EAGAIN : pop_now(q, item);
    pthread_mutex_unlock(&q->lock);
    return status;
}

static void wake_all(struct sl_queue *q, bool *flag)
{
    pthread_mutex_lock(&q->lock);
    *flag = true;
    pthread_cond_broadcast(&q->not_full);
    pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

void sl_queue_close(struct sl_queue *q)
{
    wake_all(q, &q->closed);
}

void sl_queue_cancel(struct sl_queue *q)
{
    wake_all(q, &q->cancelled);
    drop_all(q);
}

size_t sl_queue_length(struct sl_queue *q)
{
    size_t count;

    pthread_mutex_lock(&q->lock);
    count = q->count;
    pthread_mutex_unlock(&q->lock);
    return count;
}
