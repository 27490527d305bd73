/* SPDX-License-Identifier: BSD-2-Clause */
/* Mirrors of runs, the one watch that says which have changed, and the workers that look again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/metrics.h"
#include "serve/runs_core.h"

#define WAIT_MS 2000 /* that a worker waits for the registry */

int64_t sl_playout_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- registries ------------------------------------------------------------------------------ */

static enum sl_status open_registry(struct sl_playout *runs, bool create, struct sl_registry **out,
                                    struct sl_error *err)
{
    const struct sl_registry_params params = {
        .log = runs->log, .wait_ms = WAIT_MS, .create = create, .read_only = !create};

    return sl_registry_open(out, runs->where, &params, err);
}

enum sl_status sl_playout_take(struct sl_playout *runs, struct sl_registry **out,
                               struct sl_error *err)
{
    *out = NULL;
    (void)pthread_mutex_lock(&runs->later->lock);
    if (runs->idle_count > 0) {
        *out = runs->idle[--runs->idle_count];
    }
    (void)pthread_mutex_unlock(&runs->later->lock);
    return *out ? SL_OK : open_registry(runs, false, out, err);
}

void sl_playout_give(struct sl_playout *runs, struct sl_registry *r, enum sl_status status)
{
    if (status == SL_EIO || status == SL_EDATA) { /* perhaps another connection fares better */
        sl_registry_close(&r);
    }
    (void)pthread_mutex_lock(&runs->later->lock);
    if (r && runs->idle_count < SL_PLAYOUT_WORKERS) {
        runs->idle[runs->idle_count++] = r;
        r = NULL;
    }
    (void)pthread_mutex_unlock(&runs->later->lock);
    sl_registry_close(&r);
}

/* ---- mirrors, under the lock ----------------------------------------------------------------- */

static void free_mirror(struct sl_playout *runs, struct sl_run_mirror *m)
{
    sl_lru_remove(&runs->mirrors, &m->node);
    sl_run_view_unref(&m->view);
    sl_run_tracks_clear(m);
    sl_free(m);
}

static bool make_room(struct sl_playout *runs)
{
    struct sl_lru_node *node = runs->mirrors.oldest;

    if (runs->mirrors.count < SL_PLAYOUT_MIRRORS_MAX) {
        return true;
    }
    while (node) {
        struct sl_run_mirror *m = (struct sl_run_mirror *)node;

        if (!m->refreshing && !m->waiters) {
            free_mirror(runs, m);
            return true;
        }
        node = node->to;
    }
    return false;
}

struct sl_run_mirror *sl_playout_mirror(struct sl_playout *runs, const char *id)
{
    struct sl_run_mirror *m = (struct sl_run_mirror *)sl_lru_find(&runs->mirrors, id);

    if (m) {
        sl_lru_touch(&runs->mirrors, &m->node);
        return m;
    }
    m = make_room(runs) ? sl_alloc_zero(sizeof *m) : NULL;
    if (m) {
        (void)snprintf(m->id, sizeof m->id, "%s", id);
        m->node.key = m->id;
        m->runs = runs;
        m->dirty = true;
        sl_lru_insert(&runs->mirrors, &m->node);
    }
    return m;
}

static void look_all(struct sl_run_mirror *m, int64_t now)
{
    for (struct sl_job *j = m->waiters, *next; j; j = next) {
        next = j->next;
        sl_run_job_look(j, m->view, now);
    }
}

/* ---- refreshing ------------------------------------------------------------------------------ */

/* Where the registry cannot be asked right now, what is known still holds: a registry that is away
 * for a minute ends nobody's playback. */
static void take_view(struct sl_run_mirror *m, struct sl_run_view *view, enum sl_status status)
{
    struct sl_playout *runs = m->runs;

    m->refreshing = false;
    if (view) {
        sl_run_view_unref(&m->view);
        m->view = view;
    } else {
        m->dirty = true; /* the tick tries again */
    }
    if (m->view) {
        look_all(m, sl_playout_now());
    } else {
        while (m->waiters) {
            sl_run_job_fail(m->waiters, status);
        }
    }
    if (m->view && m->view->gone) {
        free_mirror(runs, m);
    } else if (view && m->dirty && m->waiters) {
        sl_playout_refresh(m);
    }
}

static void refresh(void *arg, const struct sl_cancel *cancel)
{
    struct sl_run_mirror *m = arg;
    struct sl_playout *runs = m->runs;
    struct sl_registry *r = NULL;
    struct sl_run_view *view = NULL;
    struct sl_error err = {0};
    enum sl_status status;

    (void)cancel;
    (void)pthread_mutex_lock(&runs->later->lock);
    m->dirty = false; /* what is told from here on may be missing below */
    (void)pthread_mutex_unlock(&runs->later->lock);
    status = sl_playout_take(runs, &r, &err);
    if (status == SL_OK) {
        status = sl_run_view_make(&view, m, r, &err);
        sl_playout_give(runs, r, status);
    }
    atomic_fetch_add_explicit(&runs->refreshes, 1, memory_order_relaxed);
    if (status != SL_OK) {
        sl_log_write(runs->log, status == SL_EBUSY ? SL_LOG_INFO : SL_LOG_WARN, "serve",
                     "run %s: %s", m->id, err.msg);
    }
    (void)pthread_mutex_lock(&runs->later->lock);
    take_view(m, view, status);
    (void)pthread_mutex_unlock(&runs->later->lock);
}

static void refresh_dropped(void *arg)
{
    struct sl_run_mirror *m = arg;

    (void)pthread_mutex_lock(&m->runs->later->lock);
    take_view(m, NULL, SL_ECANCELLED);
    (void)pthread_mutex_unlock(&m->runs->later->lock);
}

void sl_playout_refresh(struct sl_run_mirror *m)
{
    if (m->refreshing || m->runs->later->closing) {
        return;
    }
    m->refreshing = true;
    /* The pool has room for each mirror once, so this does not wait. */
    if (sl_pool_submit(m->runs->pool.pool, refresh, refresh_dropped, m) != SL_OK) {
        m->refreshing = false;
    }
}

/* ---- being told ------------------------------------------------------------------------------ */

static void mark(struct sl_run_mirror *m)
{
    m->dirty = true;
    if (m->waiters) {
        sl_playout_refresh(m);
    }
}

static void tell(void *opaque, const struct sl_registry_change *change)
{
    struct sl_playout *runs = opaque;
    struct sl_run_mirror *m;

    atomic_fetch_add_explicit(&runs->told, 1, memory_order_relaxed);
    (void)pthread_mutex_lock(&runs->later->lock);
    if (change->run[0]) {
        m = (struct sl_run_mirror *)sl_lru_find(&runs->mirrors, change->run);
        if (m) {
            mark(m);
        }
    } else {
        for (struct sl_lru_node *node = runs->mirrors.oldest; node; node = node->to) {
            mark((struct sl_run_mirror *)node);
        }
    }
    (void)pthread_mutex_unlock(&runs->later->lock);
}

static void on_watch(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_playout *runs = opaque;
    struct sl_error err = {0};
    enum sl_status status = sl_registry_watch_read(runs->watch, tell, runs, &err);

    (void)fd;
    (void)what;
    if (status != SL_OK && !runs->out_of_reach) {
        sl_log_write(runs->log, SL_LOG_WARN, "serve", "registry: %s", err.msg);
    }
    runs->out_of_reach = status != SL_OK;
}

/* Ends what has waited long enough, and tries again what failed. */
static void on_tick(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_playout *runs = opaque;
    int64_t now = sl_playout_now();

    (void)fd;
    (void)what;
    (void)pthread_mutex_lock(&runs->later->lock);
    for (struct sl_lru_node *node = runs->mirrors.oldest; node; node = node->to) {
        struct sl_run_mirror *m = (struct sl_run_mirror *)node;

        look_all(m, now);
        if (m->dirty && m->waiters) {
            sl_playout_refresh(m);
        }
    }
    (void)pthread_mutex_unlock(&runs->later->lock);
}

enum sl_status sl_playout_attach(struct sl_playout *runs, struct event_base *base,
                                 struct sl_error *err)
{
    static const struct timeval every = {0, 500000};

    runs->base = base;
    runs->watch_event =
        event_new(base, sl_registry_watch_fd(runs->watch), EV_READ | EV_PERSIST, on_watch, runs);
    runs->tick = event_new(base, -1, EV_PERSIST, on_tick, runs);
    if (!runs->watch_event || !runs->tick || event_add(runs->watch_event, NULL) != 0 ||
        event_add(runs->tick, &every) != 0) {
        return sl_fail_memory(err);
    }
    return SL_OK;
}

void sl_playout_detach(struct sl_playout *runs, const struct event_base *base)
{
    if (!runs || runs->base != base) {
        return;
    }
    if (runs->watch_event) {
        event_free(runs->watch_event);
    }
    if (runs->tick) {
        event_free(runs->tick);
    }
    runs->watch_event = runs->tick = NULL;
    runs->base = NULL;
}

/* ---- opening --------------------------------------------------------------------------------- */

enum sl_status sl_playout_open(struct sl_playout **out, struct sl_later *later, const char *where,
                               const struct sl_log *log, struct sl_error *err)
{
    static const char beat[] = ":\n\n"; /* a comment: keeps proxies from giving up */
    const struct sl_registry_params params = {.log = log, .wait_ms = WAIT_MS, .read_only = true};
    struct sl_playout *runs = sl_alloc_zero(sizeof *runs);
    struct sl_registry *r = NULL;
    enum sl_status status;

    *out = NULL;
    if (!runs) {
        return sl_fail_memory(err);
    }
    runs->later = later;
    runs->log = log;
    runs->where = sl_strdup(where);
    status = runs->where ? SL_OK : sl_fail_memory(err);
    if (status == SL_OK) { /* so that there is something to be watched before the first run */
        status = open_registry(runs, true, &r, err);
        sl_registry_close(&r);
    }
    if (status == SL_OK) {
        status = sl_registry_watch_open(&runs->watch, where, &params, err);
    }
    if (status == SL_OK) {
        status = sl_lru_init(&runs->mirrors, SL_PLAYOUT_MIRRORS_MAX, err);
    }
    if (status == SL_OK) {
        status = sl_answer_create(&runs->heartbeat, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(&runs->heartbeat->chain, beat, sizeof beat - 1, err);
    }
    if (status == SL_OK) {
        status = sl_later_pool_create(&runs->pool, SL_PLAYOUT_WORKERS, SL_PLAYOUT_MIRRORS_MAX, err);
    }
    if (status != SL_OK) {
        sl_playout_close(&runs);
    }
    *out = runs;
    return status;
}

void sl_playout_close(struct sl_playout **out)
{
    struct sl_playout *runs = *out;

    *out = NULL;
    if (!runs) {
        return;
    }
    sl_later_pool_destroy(&runs->pool);
    while (runs->mirrors.oldest) {
        free_mirror(runs, (struct sl_run_mirror *)runs->mirrors.oldest);
    }
    sl_lru_clear(&runs->mirrors);
    sl_registry_watch_close(&runs->watch);
    while (runs->idle_count > 0) {
        sl_registry_close(&runs->idle[--runs->idle_count]);
    }
    sl_answer_unref(&runs->heartbeat);
    sl_free(runs->where);
    sl_free(runs);
}

void sl_playout_write_metrics(struct sl_playout *runs, struct sl_writer *out)
{
    unsigned events;
    size_t mirrors;

    (void)pthread_mutex_lock(&runs->later->lock);
    events = runs->events;
    mirrors = runs->mirrors.count;
    (void)pthread_mutex_unlock(&runs->later->lock);
    sl_metrics_write_one(out, "sluice_runs_changes_total", "counter",
                         "Changes that the registry told.", atomic_load(&runs->told));
    sl_metrics_write_one(out, "sluice_runs_refreshes_total", "counter",
                         "Times that a run was read again.", atomic_load(&runs->refreshes));
    sl_metrics_write_one(out, "sluice_runs_held_total", "counter",
                         "Requests that waited for a run to go on.", atomic_load(&runs->held));
    sl_metrics_write_one(out, "sluice_runs_events", "gauge", "Streams of events.", events);
    sl_metrics_write_one(out, "sluice_runs_known", "gauge", "Runs that are kept in memory.",
                         mirrors);
}
