/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that are not there yet and are made of no media file: what has to ask the registry, or to
 * wait until a run goes on, and streams. Event loops never wait; workers do, a few for each kind of
 * work, so that a slow disk does not hold up playlists. */
#ifndef SL_SERVE_LATER_H
#define SL_SERVE_LATER_H

#include <pthread.h>

#include "base/pool.h"
#include "serve/answer.h"

#define SL_LATER_JOBS_MAX 1024 /* that a pool has taken and not finished */

struct sl_job;
struct sl_reply;
struct sl_site;
struct sl_visit;

struct sl_later {
    pthread_mutex_t lock; /* of all lists of jobs; held for links, never for work */
    bool closing;
    struct sl_cancel cancel; /* closing, for work that takes long */
};

void sl_later_init(struct sl_later *l);
/* From now on what is asked for is refused. Thread-safe. */
void sl_later_close(struct sl_later *l);
void sl_later_clear(struct sl_later *l); /* no job may be left */

/* One kind of workers. */
struct sl_later_pool {
    struct sl_pool *pool;
    unsigned outstanding; /* under the lock */
};
/* others: what else may be submitted to its pool at a time. */
SL_NODISCARD enum sl_status sl_later_pool_create(struct sl_later_pool *p, unsigned threads,
                                                 unsigned others, struct sl_error *err);
/* What was submitted is still done. A zeroed one is fine. */
void sl_later_pool_destroy(struct sl_later_pool *p);

/* Where a loop is told: fd becomes readable, then sl_later_deliver is due, on that loop's thread.
 */
struct sl_later_port {
    struct sl_later *later; /* NULL: closed */
    struct sl_job *ready;
    int fd;
};
SL_NODISCARD enum sl_status sl_later_port_open(struct sl_later_port *port, struct sl_later *later,
                                               struct sl_error *err);
void sl_later_deliver(struct sl_later_port *port);
void sl_later_port_close(struct sl_later_port *port); /* nobody waits any more */

/* What a kind of job does. */
struct sl_job_ops {
    /* On the loop's thread: sees to it that sl_job_done is called, soon or some day; once for each
     * call. */
    void (*step)(struct sl_job *j);
    /* On a worker, after sl_job_submit. Calls sl_job_done. NULL: never submitted. */
    void (*run)(struct sl_job *j);
    /* On the loop's thread, for the first outcome: fills an initialised reply. Where that is
     * chunked, more steps follow until one is the last. */
    void (*reply)(struct sl_job *j, const struct sl_site *site, const struct sl_visit *visit,
                  struct sl_reply *reply);
    /* On the loop's thread: whoever waits had better be answered now, since the server stops. May
     * call sl_job_done. NULL: it ends by itself. */
    void (*hurry)(struct sl_job *j);
    void (*destroy)(struct sl_job *j); /* on any thread; not while it is used elsewhere */
};

/* The first member of a job. */
struct sl_job {
    const struct sl_job_ops *ops;
    struct sl_later *later;
    struct sl_later_port *port;
    void (*done)(struct sl_job *j); /* on the port's thread */
    void *opaque;

    /* The outcome, for done, on the port's thread. */
    enum sl_status status;
    struct sl_answer *answer; /* owned; a chunk where the reply was chunked */
    bool last;                /* of a stream: there is no more (answer is NULL) */

    /* Under the lock. */
    bool left;  /* nobody wants the outcome any more */
    bool waits; /* a step was taken whose outcome was not delivered yet */
    bool ready; /* the outcome is there */
    enum sl_status made_status;
    struct sl_answer *made;
    bool made_last;
    struct sl_later_pool *pool; /* that has it */
    struct sl_job **head;       /* the list that it is in: a port's, or where it is parked */
    struct sl_job *prev, *next;
    unsigned refs; /* one of whoever waits, one of the worker that has it */
};

/* One reference, the caller's. */
void sl_job_init(struct sl_job *j, const struct sl_job_ops *ops, struct sl_later *later);
/* Takes a step; done is called later, never from within. */
void sl_job_step(struct sl_job *j, struct sl_later_port *port, void (*done)(struct sl_job *j),
                 void *opaque);
/* The same again, for the next chunk. */
void sl_job_next(struct sl_job *j);
bool sl_job_waits(struct sl_job *j);
/* The server stops: what would be waited for is answered now. */
void sl_job_hurry(struct sl_job *j);
/* Gives up the reference, and with it the outcome. *NULL is fine. */
void sl_job_leave(struct sl_job **out);

/* For kinds of jobs: */

/* ops->run is called on a worker of p. Where that has too much to do the job is done with
 * SL_EAGAIN. */
void sl_job_submit(struct sl_job *j, struct sl_later_pool *p);
/* The outcome of the step: takes answer over. From any thread, without the lock. */
void sl_job_done(struct sl_job *j, enum sl_status status, struct sl_answer *answer, bool last);
/* The same under the lock. Takes the job out of the list that it is parked in. */
void sl_job_done_locked(struct sl_job *j, enum sl_status status, struct sl_answer *answer,
                        bool last);
/* Puts it into a list of those that wait for something; under the lock. It leaves by itself. */
void sl_job_park(struct sl_job *j, struct sl_job **head);

#endif
