/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"

#define THREADS_MAX 1024

void sl_cancel_set(struct sl_cancel *c)
{
    atomic_store_explicit(&c->set, true, memory_order_release);
}

bool sl_cancelled(const struct sl_cancel *c)
{
    return c && atomic_load_explicit(&c->set, memory_order_acquire);
}

struct task {
    void (*run)(void *arg, const struct sl_cancel *cancel);
    void (*drop)(void *arg);
    void *arg;
};

struct worker {
    struct sl_pool *pool;
    pthread_t thread;
    uint64_t running; /* number of the task at hand, 0: idle */
};

struct sl_pool {
    pthread_mutex_t lock;
    pthread_cond_t room;  /* in the backlog */
    pthread_cond_t work;  /* to do, or time to leave */
    pthread_cond_t ended; /* some task */
    struct sl_cancel cancel;
    struct task *tasks; /* a ring */
    size_t backlog;
    size_t head;
    size_t count;
    uint64_t submitted; /* tasks so far; also the number of the last one, from 1 */
    bool leaving;
    struct worker *workers;
    unsigned threads; /* that were started */
};

/* What waits when the pool is cancelled is for sl_pool_cancel to drop. */
static bool has_task(const struct sl_pool *p)
{
    return p->count > 0 && !sl_cancelled(&p->cancel);
}

static void *work(void *arg)
{
    struct worker *me = arg;
    struct sl_pool *p = me->pool;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct task task;

        while (!has_task(p) && !p->leaving) {
            pthread_cond_wait(&p->work, &p->lock);
        }
        if (!has_task(p)) {
            break;
        }
        task = p->tasks[p->head];
        p->head = (p->head + 1) % p->backlog;
        me->running = p->submitted - p->count + 1;
        p->count--;
        pthread_cond_signal(&p->room);
        pthread_mutex_unlock(&p->lock);
        task.run(task.arg, &p->cancel);
        pthread_mutex_lock(&p->lock);
        me->running = 0;
        pthread_cond_broadcast(&p->ended);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are for the thread that the program started with: a worker has no use for SIGINT. */
static int start(struct sl_pool *p, unsigned threads)
{
    sigset_t all, old;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == 0 && p->threads < threads) {
        struct worker *w = &p->workers[p->threads];

        w->pool = p;
        rc = pthread_create(&w->thread, NULL, work, w);
        if (rc == 0) {
            p->threads++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static void destroy(struct sl_pool *p)
{
    pthread_cond_destroy(&p->ended);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->room);
    pthread_mutex_destroy(&p->lock);
    sl_free(p->workers);
    sl_free(p->tasks);
    sl_free(p);
}

enum sl_status sl_pool_create(struct sl_pool **out, unsigned threads, size_t backlog,
                              struct sl_error *err)
{
    struct sl_pool *p;
    int rc;

    *out = NULL;
    if (threads == 0 || threads > THREADS_MAX || backlog == 0) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "a pool of %u threads (1 to %d) with a backlog of %zu (at least 1)", threads,
                       THREADS_MAX, backlog);
    }
    p = sl_alloc_zero(sizeof(*p));
    if (!p) {
        return sl_fail_memory(err);
    }
    p->tasks = sl_alloc_array(backlog, sizeof(*p->tasks));
    p->workers = sl_alloc_array(threads, sizeof(*p->workers));
    p->backlog = backlog;
    /* With default attributes none of these can fail on the systems we build for. */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->room, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->ended, NULL);
    if (!p->tasks || !p->workers) {
        destroy(p);
        return sl_fail_memory(err);
    }
    rc = start(p, threads);
    if (rc) {
        sl_pool_destroy(&p);
        return sl_fail_errno(err, rc, NULL, "thread");
    }
    *out = p;
    return SL_OK;
}

enum sl_status sl_pool_submit(struct sl_pool *p,
                              void (*run)(void *arg, const struct sl_cancel *cancel),
                              void (*drop)(void *arg), void *arg)
{
    enum sl_status status = SL_OK;

    pthread_mutex_lock(&p->lock);
    while (p->count == p->backlog && !sl_cancelled(&p->cancel)) {
        pthread_cond_wait(&p->room, &p->lock);
    }
    if (sl_cancelled(&p->cancel)) {
        status = SL_ECANCELLED;
    } else {
        p->tasks[(p->head + p->count) % p->backlog] = (struct task){run, drop, arg};
        p->count++;
        p->submitted++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* Whether a task up to number last is waiting or running. */
static bool is_busy(const struct sl_pool *p, uint64_t last)
{
    if (p->count > 0 && p->submitted - p->count + 1 <= last) {
        return true;
    }
    for (unsigned i = 0; i < p->threads; i++) {
        if (p->workers[i].running != 0 && p->workers[i].running <= last) {
            return true;
        }
    }
    return false;
}

void sl_pool_wait(struct sl_pool *p)
{
    uint64_t last;

    pthread_mutex_lock(&p->lock);
    last = p->submitted;
    while (is_busy(p, last)) {
        pthread_cond_wait(&p->ended, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

void sl_pool_cancel(struct sl_pool *p)
{
    pthread_mutex_lock(&p->lock);
    sl_cancel_set(&p->cancel);
    pthread_cond_broadcast(&p->room);
    while (p->count > 0) {
        struct task task = p->tasks[p->head];

        p->head = (p->head + 1) % p->backlog;
        p->count--;
        pthread_mutex_unlock(&p->lock);
        if (task.drop) {
            task.drop(task.arg);
        }
        pthread_mutex_lock(&p->lock);
    }
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->lock);
}

void sl_pool_destroy(struct sl_pool **pool)
{
    struct sl_pool *p;

    if (!pool || !*pool) {
        return;
    }
    p = *pool;
    *pool = NULL;
    pthread_mutex_lock(&p->lock);
    p->leaving = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++) {
        pthread_join(p->workers[i].thread, NULL);
    }
    destroy(p);
}
