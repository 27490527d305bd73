/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions, flights, and who waits for them: on the threads of the event loops. */
#include "serve/media.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/media_core.h"
#include "serve/metrics.h"
#include "serve/path.h"
#include "serve/seal.h"

/* Descriptions of sources, for the list. */
#define DESCRIPTIONS_LIMIT (16u << 20)

static enum sl_status open_root(struct sl_media *m, const char *root, struct sl_error *err)
{
    if (!root || !root[0]) {
        return SL_OK;
    }
    m->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->root < 0) {
        return sl_fail_errno(err, errno, root, "cannot serve this directory");
    }
    m->have_openat2 = sl_path_have_openat2(m->root);
    return SL_OK;
}

enum sl_status sl_media_create(struct sl_media **out, const struct sl_media_params *params,
                               const struct sl_log *log, struct sl_error *err)
{
    struct sl_media *m = sl_alloc_zero(sizeof *m);
    enum sl_status status;

    *out = NULL;
    if (!m) {
        return sl_fail_memory(err);
    }
    m->params = *params;
    m->engine = *params->engine;
    m->log = log;
    m->root = -1;
    (void)pthread_mutex_init(&m->lock, NULL);
    status = open_root(m, params->root, err);
    if (status == SL_OK) {
        status = sl_lru_init(&m->flights, SL_MEDIA_FLIGHTS_MAX, err);
    }
    if (status == SL_OK) {
        status = sl_lru_init(&m->sources, params->sources, err);
    }
    if (status == SL_OK) {
        status = sl_cache_memory_init(&m->answers, (size_t)params->memory, err);
    }
    if (status == SL_OK) {
        status = sl_cache_memory_init(&m->descriptions, DESCRIPTIONS_LIMIT, err);
    }
    if (status == SL_OK && params->cache && params->cache[0]) {
        status = sl_cache_disk_open(&m->disk, params->cache, params->cache_size, log, err);
    }
    /* Backlogs hold whatever can be under way, so that no submit ever waits for room. */
    if (status == SL_OK) {
        status = sl_pool_create(&m->quick, params->workers,
                                SL_MEDIA_FLIGHTS_MAX + params->streams * 2, err);
    }
    if (status == SL_OK && params->remote) {
        status = sl_pool_create(&m->remote, SL_MEDIA_REMOTE_WORKERS,
                                SL_MEDIA_FLIGHTS_MAX + params->streams * 2, err);
    }
    if (status == SL_OK) {
        status = sl_pool_create(&m->coders, params->transcodes,
                                params->transcodes + params->waiting + params->streams * 2, err);
    }
    if (status != SL_OK) {
        sl_media_destroy(&m);
    }
    *out = m;
    return status;
}

void sl_media_cancel(struct sl_media *m)
{
    (void)pthread_mutex_lock(&m->lock);
    m->closing = true;
    sl_cancel_set(&m->cancel);
    for (struct sl_lru_node *node = m->flights.oldest; node; node = node->to) {
        sl_cancel_set(&((struct sl_flight *)node)->cancel);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

void sl_media_destroy(struct sl_media **out)
{
    struct sl_media *m = *out;

    *out = NULL;
    if (!m) {
        return;
    }
    sl_media_cancel(m);
    /* Flights that are still queued see that they are cancelled; the quick pools may hand some to
     * the coders, so they go first. */
    sl_pool_destroy(&m->quick);
    sl_pool_destroy(&m->remote);
    sl_pool_destroy(&m->coders);
    sl_cache_memory_clear(&m->answers);
    sl_cache_memory_clear(&m->descriptions);
    if (m->sources.buckets) {
        sl_media_sources_clear(m);
    }
    sl_lru_clear(&m->sources);
    sl_lru_clear(&m->flights);
    sl_cache_disk_close(&m->disk);
    if (m->root >= 0) {
        (void)close(m->root);
    }
    (void)pthread_mutex_destroy(&m->lock);
    sl_free(m);
}

/* Begins with the identity of the source, so that what belongs to it can be found. */
void sl_media_key(const struct sl_media_want *w, const char *id, bool head_only,
                  char key[SL_MEDIA_KEY_MAX])
{
    const struct sl_media_ask *a = &w->ask;

    (void)snprintf(key, SL_MEDIA_KEY_MAX,
                   "%s/%d.%d/%s/%" PRIu64 "/%" PRId64 ":%" PRId64 "/%" PRId32 "x%" PRId32 "%s", id,
                   (int)a->what, (int)a->form, a->rendition, a->number, a->time.num, a->time.den,
                   a->width, a->height, head_only ? "/head" : "");
}

/* For flights: of one address all have the same, whatever version it turns out to be; but for links
 * that name one, whose answer may be that it is gone. */
static void flight_key(const struct sl_media_want *w, bool head_only, char key[SL_MEDIA_KEY_MAX])
{
    char id[2 * sizeof w->id + 1];

    (void)snprintf(id, sizeof id, w->version[0] ? "%s.%s" : "%s", w->id, w->version);
    sl_media_key(w, id, head_only, key);
}

struct sl_pool *sl_media_pool(const struct sl_media *m, const struct sl_media_want *w)
{
    return w->url ? m->remote : m->quick;
}

void sl_media_shown(const struct sl_media *m, const struct sl_media_want *w, const char *version,
                    char shown[17])
{
    if (w->url && m->params.alias_key) {
        sl_seal_alias(m->params.alias_key, version, shown);
    } else {
        memcpy(shown, version, 17);
    }
}

/* ---- ports and waiters -------------------------------------------------------------------- */

enum sl_status sl_media_port_open(struct sl_media_port *port, struct sl_media *media,
                                  struct sl_error *err)
{
    port->media = media;
    port->ready = NULL;
    port->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return port->fd < 0 ? sl_fail_errno(err, errno, NULL, "eventfd") : SL_OK;
}

void sl_media_port_close(struct sl_media_port *port)
{
    if (port->media && port->fd >= 0) {
        (void)close(port->fd);
    }
    port->media = NULL;
    port->fd = -1;
}

/* Under the lock, like all that touches lists of waiters. */
void sl_waiter_enlist(struct sl_waiter **head, struct sl_waiter *w)
{
    w->head = head;
    w->prev = NULL;
    w->next = *head;
    if (w->next) {
        w->next->prev = w;
    }
    *head = w;
}

void sl_waiter_unlist(struct sl_waiter *w)
{
    if (w->prev) {
        w->prev->next = w->next;
    } else {
        *w->head = w->next;
    }
    if (w->next) {
        w->next->prev = w->prev;
    }
    w->head = NULL;
    w->prev = w->next = NULL;
}

void sl_waiter_ready(struct sl_waiter *w)
{
    const uint64_t one = 1;
    ssize_t n;

    sl_waiter_unlist(w);
    w->flight = NULL;
    sl_waiter_enlist(&w->port->ready, w);
    n = write(w->port->fd, &one, sizeof one); /* cannot fail but by being readable already */
    (void)n;
}

void sl_media_deliver(struct sl_media_port *port)
{
    struct sl_media *m = port->media;
    struct sl_waiter *w;
    uint64_t count;
    ssize_t n = read(port->fd, &count, sizeof count);

    (void)n;
    do {
        (void)pthread_mutex_lock(&m->lock);
        w = port->ready;
        if (w) {
            sl_waiter_unlist(w);
        }
        (void)pthread_mutex_unlock(&m->lock);
        if (w) {
            w->done(w); /* may start, end and leave whatever it likes */
        }
    } while (w);
}

bool sl_media_waits(const struct sl_waiter *w)
{
    bool waits;

    if (!w->port || !w->port->media) {
        return false;
    }
    (void)pthread_mutex_lock(&w->port->media->lock);
    waits = w->head != NULL;
    (void)pthread_mutex_unlock(&w->port->media->lock);
    return waits;
}

static void clear_outcome(struct sl_waiter *w)
{
    struct sl_media_stream *s = w->stream;

    w->stream = NULL;
    sl_answer_unref(&w->answer);
    if (s) {
        sl_media_stream_close(&s);
    }
}

/* Nobody waits any more. What is asked for next time is still worth finishing where it is the
 * table of a whole source; all else is cancelled. */
static void abandon(struct sl_flight *f)
{
    enum sl_media_what what = f->want->ask.what;

    if (what == SL_MEDIA_MASTER || what == SL_MEDIA_PLAYLIST) {
        return;
    }
    sl_cancel_set(&f->cancel);
    if (f->stream && f->stream->stream) {
        f->media->engine.stream_cancel(f->stream->stream);
    }
    if (f->listed) {
        sl_lru_remove(&f->media->flights, &f->node);
        f->listed = false;
    }
}

void sl_media_leave(struct sl_waiter *w)
{
    struct sl_media *m;

    if (!w->port || !w->port->media) {
        return;
    }
    m = w->port->media;
    (void)pthread_mutex_lock(&m->lock);
    if (w->head) {
        struct sl_flight *f = w->flight;

        sl_waiter_unlist(w);
        w->flight = NULL;
        if (f && !f->waiters) {
            abandon(f);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    clear_outcome(w);
}

/* ---- asking ------------------------------------------------------------------------------- */

static bool refuse(struct sl_waiter *w, int status, const char *detail)
{
    w->status = status;
    (void)snprintf(w->detail, sizeof w->detail, "%s", detail);
    return true;
}

struct sl_flight *sl_flight_create(struct sl_media *m, const struct sl_media_want *want)
{
    struct sl_flight *f = sl_alloc_zero(sizeof *f);

    if (f) {
        f->media = m;
        f->want = sl_media_want_copy(want);
    }
    if (f && !f->want) {
        sl_free(f);
        f = NULL;
    }
    return f;
}

void sl_flight_free_unused(struct sl_flight *f)
{
    if (f) {
        sl_media_want_destroy(&f->want);
        sl_free(f);
    }
}

/* Under the lock: the name of what may be kept. false: an address whose version is not known, or is
 * not the one that is meant. */
static bool answer_key(struct sl_media *m, const struct sl_media_want *want,
                       char key[SL_MEDIA_KEY_MAX], char shown[17])
{
    const struct sl_media_source *s;

    shown[0] = '\0';
    if (!want->url) {
        sl_media_key(want, want->id, false, key);
        return true;
    }
    s = (const struct sl_media_source *)sl_lru_find(&m->sources, want->id);
    if (!s || !s->ready || !sl_media_source_fresh(s, want)) {
        return false;
    }
    sl_media_shown(m, want, s->version, shown);
    if (want->pinned && strcmp(shown, want->version) != 0) {
        return false;
    }
    sl_media_key(want, s->version, false, key);
    return true;
}

/* Under the lock. true: w has its outcome. */
static bool look_up(struct sl_media *m, const char *key, struct sl_waiter *w)
{
    w->answer = sl_cache_memory_get(&m->answers, key, w->settings);
    if (w->answer) {
        atomic_fetch_add_explicit(&m->counts.memory_hits, 1, memory_order_relaxed);
        w->status = 200;
    }
    return w->answer != NULL;
}

static bool join(struct sl_media *m, const char *key, struct sl_waiter *w)
{
    struct sl_flight *f = (struct sl_flight *)sl_lru_find(&m->flights, key);

    if (f) {
        w->flight = f;
        f->ahead = f->ahead && w->ahead;
        sl_waiter_enlist(&f->waiters, w);
        atomic_fetch_add_explicit(&m->counts.joined, 1, memory_order_relaxed);
    }
    return f != NULL;
}

/* Puts w first among those who wait for f, and f on its way. */
static bool launch(struct sl_media *m, struct sl_flight *f, const char *key, struct sl_waiter *w)
{
    (void)snprintf(f->key, sizeof f->key, "%s", key);
    f->node.key = f->key;
    f->listed = f->want->ask.what != SL_MEDIA_STREAM;
    if (f->listed) {
        sl_lru_insert(&m->flights, &f->node);
    }
    m->outstanding++;
    w->flight = f;
    sl_waiter_enlist(&f->waiters, w);
    /* It has room for all flights, so this does not wait; with the lock held, since f may be gone
     * the moment it runs. */
    if (sl_pool_submit(sl_media_pool(m, f->want), sl_flight_run, sl_flight_drop, f) == SL_OK) {
        return true;
    }
    sl_waiter_unlist(w);
    w->flight = NULL;
    m->outstanding--;
    if (f->listed) {
        sl_lru_remove(&m->flights, &f->node);
    }
    return false;
}

bool sl_media_request(struct sl_media *m, const struct sl_media_want *want, bool head_only,
                      struct sl_waiter *w)
{
    bool shared = want->ask.what != SL_MEDIA_STREAM, ok = false;
    char key[SL_MEDIA_KEY_MAX], known[SL_MEDIA_KEY_MAX], search[64] = "";
    struct sl_flight *f = NULL;

    w->status = 0;
    w->last = false;
    w->detail[0] = w->settings[0] = w->version[0] = '\0';
    flight_key(want, head_only, key);
    atomic_fetch_add_explicit(&m->counts.asked, 1, memory_order_relaxed);
    if (want->ask.what == SL_MEDIA_LIST) { /* made anew each time */
        (void)snprintf(search, sizeof search, "list %" PRId64 " %" PRId64 " ", want->offset,
                       want->limit);
        (void)snprintf(key, sizeof key, "%s%.150s", search, want->search ? want->search : "");
        shared = !want->search || strlen(want->search) <= 150;
    }
    (void)pthread_mutex_lock(&m->lock);
    if (shared && answer_key(m, want, known, w->version) && look_up(m, known, w)) {
        (void)pthread_mutex_unlock(&m->lock);
        return true;
    }
    if (m->closing || m->outstanding >= SL_MEDIA_FLIGHTS_MAX) {
        atomic_fetch_add_explicit(&m->counts.refused, 1, memory_order_relaxed);
        (void)pthread_mutex_unlock(&m->lock);
        return refuse(w, 503, m->closing ? "the server stops" : "too much to do");
    }
    ok = shared && join(m, key, w);
    if (!ok) {
        f = sl_flight_create(m, want);
        if (f) {
            f->head_only = head_only;
            ok = launch(m, f, key, w);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!ok) {
        sl_flight_free_unused(f);
        return refuse(w, 503, "out of memory");
    }
    return false;
}

void sl_media_ahead(struct sl_media *m, const struct sl_media_want *want, struct sl_waiter *w)
{
    struct sl_media_want next = *want; /* borrows all that it points to */
    char key[SL_MEDIA_KEY_MAX], kept[SL_MEDIA_KEY_MAX], note[9];
    struct sl_answer *known = NULL;
    struct sl_flight *f = NULL;
    bool ok = true;

    if (sl_media_waits(w)) {
        return;
    }
    next.ask.number++;
    flight_key(&next, false, key);
    (void)pthread_mutex_lock(&m->lock);
    if (answer_key(m, &next, kept, w->version)) {
        known = sl_cache_memory_get(&m->answers, kept, note);
    }
    /* A join keeps the work alive that another viewer may leave. */
    if (!known && !m->closing && !join(m, key, w) && m->places < m->params.transcodes &&
        m->outstanding < SL_MEDIA_FLIGHTS_MAX) {
        f = sl_flight_create(m, &next);
        if (f) {
            f->ahead = true;
            ok = launch(m, f, key, w);
            atomic_fetch_add_explicit(&m->counts.ahead, 1, memory_order_relaxed);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!ok) {
        sl_flight_free_unused(f);
    }
    sl_answer_unref(&known);
}
