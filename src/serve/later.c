/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/later.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

void sl_later_init(struct sl_later *l)
{
    memset(l, 0, sizeof *l);
    (void)pthread_mutex_init(&l->lock, NULL);
}

void sl_later_close(struct sl_later *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->closing = true;
    (void)pthread_mutex_unlock(&l->lock);
    sl_cancel_set(&l->cancel);
}

void sl_later_clear(struct sl_later *l)
{
    (void)pthread_mutex_destroy(&l->lock);
}

enum sl_status sl_later_pool_create(struct sl_later_pool *p, unsigned threads, unsigned others,
                                    struct sl_error *err)
{
    p->outstanding = 0;
    /* Room for all that may be outstanding, so that no submit ever waits. */
    return sl_pool_create(&p->pool, threads, SL_LATER_JOBS_MAX + others, err);
}

void sl_later_pool_destroy(struct sl_later_pool *p)
{
    sl_pool_destroy(&p->pool);
}

/* ---- lists, under the lock ----------------------------------------------------------------- */

static void enlist(struct sl_job *j, struct sl_job **head)
{
    j->head = head;
    j->prev = NULL;
    j->next = *head;
    if (j->next) {
        j->next->prev = j;
    }
    *head = j;
}

static void unlist(struct sl_job *j)
{
    if (!j->head) {
        return;
    }
    if (j->prev) {
        j->prev->next = j->next;
    } else {
        *j->head = j->next;
    }
    if (j->next) {
        j->next->prev = j->prev;
    }
    j->head = NULL;
    j->prev = j->next = NULL;
}

void sl_job_park(struct sl_job *j, struct sl_job **head)
{
    enlist(j, head);
}

void sl_job_done_locked(struct sl_job *j, enum sl_status status, struct sl_answer *answer,
                        bool last)
{
    unlist(j);
    if (j->left || j->ready) {
        sl_answer_unref(&answer);
        return;
    }
    j->ready = true;
    j->made_status = status;
    j->made = answer;
    j->made_last = last;
    enlist(j, &j->port->ready);
    (void)eventfd_write(j->port->fd, 1); /* cannot fail but by being readable already */
}

void sl_job_done(struct sl_job *j, enum sl_status status, struct sl_answer *answer, bool last)
{
    (void)pthread_mutex_lock(&j->later->lock);
    sl_job_done_locked(j, status, answer, last);
    (void)pthread_mutex_unlock(&j->later->lock);
}

/* ---- ports --------------------------------------------------------------------------------- */

enum sl_status sl_later_port_open(struct sl_later_port *port, struct sl_later *later,
                                  struct sl_error *err)
{
    port->later = later;
    port->ready = NULL;
    port->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return port->fd < 0 ? sl_fail_errno(err, errno, NULL, "eventfd") : SL_OK;
}

void sl_later_port_close(struct sl_later_port *port)
{
    if (port->later && port->fd >= 0) {
        (void)close(port->fd);
    }
    port->later = NULL;
    port->fd = -1;
}

void sl_later_deliver(struct sl_later_port *port)
{
    struct sl_later *l = port->later;
    struct sl_job *j;
    eventfd_t count;

    (void)eventfd_read(port->fd, &count);
    do {
        (void)pthread_mutex_lock(&l->lock);
        j = port->ready;
        if (j) {
            unlist(j);
            j->waits = j->ready = false;
            j->status = j->made_status;
            j->answer = j->made;
            j->last = j->made_last;
            j->made = NULL;
        }
        (void)pthread_mutex_unlock(&l->lock);
        if (j) {
            j->done(j); /* may take the next step, or leave */
        }
    } while (j);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

void sl_job_init(struct sl_job *j, const struct sl_job_ops *ops, struct sl_later *later)
{
    memset(j, 0, sizeof *j);
    j->ops = ops;
    j->later = later;
    j->refs = 1;
}

static void release(struct sl_job *j)
{
    unsigned refs;

    (void)pthread_mutex_lock(&j->later->lock);
    refs = --j->refs;
    (void)pthread_mutex_unlock(&j->later->lock);
    if (refs == 0) {
        sl_answer_unref(&j->made);
        j->ops->destroy(j);
    }
}

void sl_job_step(struct sl_job *j, struct sl_later_port *port, void (*done)(struct sl_job *j),
                 void *opaque)
{
    j->port = port;
    j->done = done;
    j->opaque = opaque;
    sl_job_next(j);
}

void sl_job_next(struct sl_job *j)
{
    bool closing;

    (void)pthread_mutex_lock(&j->later->lock);
    j->waits = true;
    closing = j->later->closing;
    (void)pthread_mutex_unlock(&j->later->lock);
    if (closing) {
        sl_job_done(j, SL_ECANCELLED, NULL, false);
    } else {
        j->ops->step(j);
    }
}

bool sl_job_waits(struct sl_job *j)
{
    bool waits;

    (void)pthread_mutex_lock(&j->later->lock);
    waits = j->waits;
    (void)pthread_mutex_unlock(&j->later->lock);
    return waits;
}

void sl_job_hurry(struct sl_job *j)
{
    if (j->ops->hurry) {
        j->ops->hurry(j);
    }
}

void sl_job_leave(struct sl_job **out)
{
    struct sl_job *j = *out;

    *out = NULL;
    if (!j) {
        return;
    }
    (void)pthread_mutex_lock(&j->later->lock);
    unlist(j);
    j->left = true;
    (void)pthread_mutex_unlock(&j->later->lock);
    sl_answer_unref(&j->answer);
    release(j);
}

static void finish_run(struct sl_job *j)
{
    (void)pthread_mutex_lock(&j->later->lock);
    j->pool->outstanding--;
    (void)pthread_mutex_unlock(&j->later->lock);
    release(j);
}

static void run(void *arg, const struct sl_cancel *cancel)
{
    struct sl_job *j = arg;
    bool left;

    (void)cancel;
    (void)pthread_mutex_lock(&j->later->lock);
    left = j->left;
    (void)pthread_mutex_unlock(&j->later->lock);
    if (!left) {
        j->ops->run(j);
    }
    finish_run(j);
}

static void drop(void *arg)
{
    sl_job_done(arg, SL_ECANCELLED, NULL, false);
    finish_run(arg);
}

void sl_job_submit(struct sl_job *j, struct sl_later_pool *p)
{
    bool ok;

    (void)pthread_mutex_lock(&j->later->lock);
    ok = p->outstanding < SL_LATER_JOBS_MAX;
    if (ok) {
        p->outstanding++;
        j->refs++;
        j->pool = p;
        /* There is room for all that may be outstanding, so this does not wait. */
        ok = sl_pool_submit(p->pool, run, drop, j) == SL_OK;
        if (!ok) {
            p->outstanding--;
            j->refs--;
        }
    }
    if (!ok) {
        sl_job_done_locked(j, SL_EAGAIN, NULL, false);
    }
    (void)pthread_mutex_unlock(&j->later->lock);
}
