/* SPDX-License-Identifier: BSD-2-Clause */
/* Flights, on the threads of the workers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "serve/gzip.h"
#include "serve/media_core.h"

int sl_media_http_status(enum sl_status status)
{
    switch (status) {
    case SL_OK:
    case SL_EOF:
        return 200;
    case SL_ENOTFOUND:
        return 404;
    case SL_EINVAL:
        return 400;
    case SL_ENOMEM:
    case SL_ECANCELLED:
    case SL_EAGAIN:
        return 503;
    case SL_EUNSUPPORTED:
        return 501;
    default:
        return 500;
    }
}

static void count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static const char *name_of(const struct sl_flight *f)
{
    return f->want->name ? f->want->name : f->want->url ? f->want->url : "/";
}

static void report(struct sl_flight *f, enum sl_status status, const struct sl_error *err)
{
    char text[512] = "";

    if (status == SL_OK || status == SL_EOF) {
        return;
    }
    if (sl_cancelled(&f->cancel) || status == SL_ECANCELLED) {
        count(&f->media->counts.cancelled);
        return;
    }
    if (status == SL_EAGAIN) { /* no room: counted where it is refused */
        return;
    }
    count(&f->media->counts.failed);
    if (f->fault) {
        count(&f->media->counts.origin_failed);
    }
    if (err && err->status != SL_OK) {
        (void)sl_error_format(err, text, sizeof text);
    }
    sl_log_write(f->media->log, status == SL_ENOTFOUND ? SL_LOG_INFO : SL_LOG_WARN, "media",
                 "%s: %s: %s", name_of(f), f->key[0] ? f->key + 17 : "stream",
                 text[0] ? text : sl_status_name(status));
}

/* What a client is told. Where a file lies, and what is in it, is for the log. */
static const char *detail_of(const struct sl_flight *f, enum sl_status status)
{
    if (f->detail) {
        return f->detail;
    }
    if (f->fault && status != SL_OK) {
        return f->fault == 403   ? "this source is not allowed"
               : f->fault == 404 ? "the origin has no such source"
               : f->fault == 504 ? "the origin does not answer in time"
                                 : "the origin does not deliver";
    }
    switch (status) {
    case SL_EDATA:
        return "the source is damaged";
    case SL_EUNSUPPORTED:
        return "the source cannot be served this way";
    case SL_EAGAIN:
        return "too many transcodes";
    case SL_ECANCELLED:
        return "the server stops";
    default:
        return "";
    }
}

static void tell(struct sl_flight *f, struct sl_waiter *w, enum sl_status status,
                 struct sl_answer *answer)
{
    w->status = status == SL_OK || !f->fault ? sl_media_http_status(status) : f->fault;
    w->last = status == SL_EOF;
    (void)snprintf(w->detail, sizeof w->detail, "%s", detail_of(f, status));
    w->version[0] = '\0';
    if (f->want->url && f->version[0]) {
        sl_media_shown(f->media, f->want, f->version, w->version);
    }
    memcpy(w->settings, f->settings, sizeof w->settings);
    w->answer = status == SL_OK && answer ? sl_answer_ref(answer) : NULL;
    if (f->stream && status == SL_OK && !w->stream && f->key[0]) {
        w->stream = f->stream; /* a first chunk: the stream is the viewer's now */
        f->stream = NULL;
    }
    sl_waiter_ready(w);
}

void sl_flight_finish(struct sl_flight *f, enum sl_status status, const struct sl_error *err,
                      struct sl_answer *answer)
{
    struct sl_media *m = f->media;
    struct sl_media_stream *stream = f->stream;
    bool stream_step = stream && !f->key[0], keep, orphan = false;
    char key[SL_MEDIA_KEY_MAX];

    report(f, status, err);
    keep = status == SL_OK && answer && f->listed && !f->head_only && f->version[0];
    sl_media_key(f->want, f->version, false, key);
    (void)pthread_mutex_lock(&m->lock);
    if (f->listed) {
        sl_lru_remove(&m->flights, &f->node);
        f->listed = false;
    }
    if (keep && f->want->ask.what != SL_MEDIA_LIST) {
        sl_cache_memory_put(&m->answers, key, answer, f->settings);
    }
    if (stream) {
        stream->busy = false;
        orphan = stream->orphan;
    }
    while (f->waiters) {
        tell(f, f->waiters, status, answer);
    }
    m->outstanding--;
    m->places -= f->counted ? 1 : 0;
    (void)pthread_mutex_unlock(&m->lock);
    /* Either nobody took the first chunk, or whoever did has left since. */
    if (f->stream && (!stream_step || orphan)) {
        sl_media_stream_close(&f->stream);
    }
    sl_media_source_put(m, &f->source);
    if (keep && f->costly && m->disk) {
        char name[SL_MEDIA_KEY_MAX + 16];

        (void)snprintf(name, sizeof name, "%s/%s", f->settings, key);
        sl_cache_disk_put(m->disk, name, &answer->chain);
    }
    sl_answer_unref(&answer);
    sl_media_want_destroy(&f->want);
    sl_free(f);
}

void sl_flight_drop(void *arg)
{
    sl_flight_finish(arg, SL_ECANCELLED, NULL, NULL);
}

/* ---- running ------------------------------------------------------------------------------ */

/* Whether the origin of an address has failed, whatever else came of it: what was made of half of
 * the bytes is not to be sent, and nobody is to go on with this source. */
static enum sl_status look_at_origin(struct sl_flight *f, enum sl_status status,
                                     struct sl_error *err)
{
    struct sl_media_source *s = f->stream ? f->stream->source : f->source;

    if (!f->want->url || !s || status == SL_ECANCELLED) {
        return status;
    }
    f->fault = f->media->engine.fault(s->source);
    if (f->fault) {
        sl_media_source_drop(f->media, s);
        if (status == SL_OK || status == SL_EOF) {
            status = sl_fail(err, SL_EIO, f->want->name, "the origin failed on the way");
        }
    }
    return status;
}

/* An address may have been good for a while only; this question may have come with a newer one. */
static bool try_again(struct sl_flight *f)
{
    struct sl_media *m = f->media;
    bool ok = f->fault && f->source && !f->stream && !f->again &&
              strcmp(f->source->address, f->want->address) != 0;

    if (!ok) {
        return false;
    }
    sl_media_source_put(m, &f->source);
    (void)pthread_mutex_lock(&m->lock);
    ok = !m->closing; /* then there is a pool */
    if (ok) {
        m->places -= f->counted ? 1 : 0;
        f->counted = f->costly = false;
        f->again = true;
        f->fault = 0;
        ok = sl_pool_submit(m->remote, sl_flight_run, sl_flight_drop, f) == SL_OK;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return ok;
}

static void make_and_finish(struct sl_flight *f)
{
    struct sl_media_counts *c = &f->media->counts;
    struct sl_answer *answer = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_cancelled(&f->cancel) ? SL_ECANCELLED : SL_OK;

    if (status == SL_OK) {
        status = sl_answer_create(&answer, &err);
    }
    if (status == SL_OK) {
        atomic_fetch_add(&c->running, 1);
        atomic_fetch_add(&c->coding, f->costly ? 1 : 0);
        status = look_at_origin(f, sl_flight_make(f, answer, &err), &err);
        atomic_fetch_sub(&c->coding, f->costly ? 1 : 0);
        atomic_fetch_sub(&c->running, 1);
    }
    if (status == SL_OK) {
        count(&c->made);
    } else {
        sl_answer_unref(&answer);
    }
    if (status == SL_OK || !try_again(f)) {
        sl_flight_finish(f, status, &err, answer);
    }
}

static void run_coder(void *arg, const struct sl_cancel *cancel)
{
    (void)cancel;
    make_and_finish(arg);
}

static struct sl_answer *find_on_disk(struct sl_flight *f)
{
    char key[SL_MEDIA_KEY_MAX], name[SL_MEDIA_KEY_MAX + 16];
    struct sl_answer *answer;

    if (!f->media->disk || f->want->ask.what == SL_MEDIA_STREAM) {
        return NULL;
    }
    sl_media_key(f->want, f->version, false, key);
    (void)snprintf(name, sizeof name, "%s/%s", f->settings, key);
    answer = sl_cache_disk_get(f->media->disk, name);
    if (answer) {
        count(&f->media->counts.disk_hits);
    }
    return answer;
}

/* Under the lock: nobody joins any more. */
static void close_door(struct sl_flight *f)
{
    if (f->listed) {
        sl_lru_remove(&f->media->flights, &f->node);
    }
    f->listed = false;
}

/* Whether it would be made for nobody yet; then nobody joins any more either. */
static bool only_ahead(struct sl_flight *f)
{
    bool ahead;

    (void)pthread_mutex_lock(&f->media->lock);
    ahead = f->ahead;
    if (ahead) {
        close_door(f);
    }
    (void)pthread_mutex_unlock(&f->media->lock);
    return ahead;
}

/* Coding: at most so many at a time, and so many more that wait. A step of a stream that runs needs
 * no place. */
static void run_costly(struct sl_flight *f)
{
    struct sl_media *m = f->media;
    struct sl_answer *answer = find_on_disk(f);
    unsigned most;

    if (answer || f->head_only) {
        f->costly = false; /* nothing new to keep on disk */
        sl_flight_finish(f, SL_OK, NULL, answer);
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    most = m->params.transcodes + (f->ahead ? 0 : m->params.waiting);
    f->counted = m->places < most;
    m->places += f->counted ? 1 : 0;
    if (!f->counted && f->ahead) {
        close_door(f);
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!f->counted) {
        count(&m->counts.refused);
        sl_flight_finish(f, SL_EAGAIN, NULL, NULL);
    } else if (sl_pool_submit(m->coders, run_coder, sl_flight_drop, f) != SL_OK) {
        sl_flight_finish(f, SL_ECANCELLED, NULL, NULL);
    }
}

static enum sl_status open_stream(struct sl_flight *f, struct sl_error *err)
{
    struct sl_media *m = f->media;
    struct sl_media_stream *s;
    enum sl_status status;
    bool room;

    (void)pthread_mutex_lock(&m->lock);
    room = m->streams < m->params.streams;
    m->streams += room ? 1 : 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (!room) {
        count(&m->counts.refused);
        return SL_EAGAIN;
    }
    s = sl_alloc_zero(sizeof *s);
    if (!s) {
        (void)pthread_mutex_lock(&m->lock);
        m->streams--;
        (void)pthread_mutex_unlock(&m->lock);
        return sl_fail_memory(err);
    }
    s->media = m;
    s->source = f->source; /* the flight's use of it */
    f->source = NULL;
    s->costly = f->costly;
    s->want = sl_media_want_copy(f->want);
    status = s->want ? m->engine.stream_open(s->source->source, &f->want->ask, &s->stream, err)
                     : sl_fail_memory(err);
    (void)pthread_mutex_lock(&m->lock); /* who leaves may cancel it from now on */
    s->busy = status == SL_OK;
    f->stream = s;
    (void)pthread_mutex_unlock(&m->lock);
    return status;
}

static void run_list(struct sl_flight *f)
{
    struct sl_answer *answer = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_answer_create(&answer, &err);

    if (status == SL_OK) {
        status = sl_media_list(f, &answer->chain, &err);
    }
    if (status == SL_OK && answer->chain.size >= SL_GZIP_LEAST &&
        answer->chain.size <= SL_GZIP_MOST) {
        struct sl_buf *plain = NULL;

        if (sl_chain_load(&answer->chain, &plain, NULL) == SL_OK) {
            (void)!sl_gzip_make(&answer->gzip, plain->data, plain->size, NULL);
        }
        sl_buf_unref(&plain);
    }
    if (status != SL_OK) {
        sl_answer_unref(&answer);
    }
    sl_flight_finish(f, status, &err, answer);
}

static void note_settings(struct sl_flight *f)
{
    const char *text = f->media->engine.settings(f->source->source);
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_sha256 h;

    sl_sha256_init(&h);
    sl_sha256_update(&h, text, strlen(text) + 1);
    sl_sha256_update(&h, f->media->engine.version, strlen(f->media->engine.version));
    sl_sha256_final(&h, digest);
    f->settings[0] = f->costly ? 'c' : '-';
    sl_sha256_hex(digest, 3, f->settings + 1);
}

/* Of an address: what could not be known before it was open. true: the flight is over. */
static bool settle_version(struct sl_flight *f)
{
    struct sl_media *m = f->media;
    struct sl_answer *answer = NULL;
    char key[SL_MEDIA_KEY_MAX], shown[17], note[9] = "";

    memcpy(f->version, f->source->version, sizeof f->version);
    if (!f->want->url) {
        return false;
    }
    sl_media_shown(m, f->want, f->version, shown);
    if (f->want->pinned && strcmp(f->want->version, shown) != 0) {
        f->detail = "the source has changed";
        sl_flight_finish(f, SL_ENOTFOUND, NULL, NULL);
        return true;
    }
    if (f->want->ask.what == SL_MEDIA_STREAM) {
        return false;
    }
    sl_media_key(f->want, f->version, false, key);
    (void)pthread_mutex_lock(&m->lock);
    answer = sl_cache_memory_get(&m->answers, key, note);
    (void)pthread_mutex_unlock(&m->lock);
    if (answer) {
        count(&m->counts.memory_hits);
        memcpy(f->settings, note, sizeof f->settings);
        f->costly = false; /* it is on disk already, if it is to be */
        sl_flight_finish(f, SL_OK, NULL, answer);
    }
    return answer != NULL;
}

void sl_flight_run(void *arg, const struct sl_cancel *cancel)
{
    struct sl_flight *f = arg;
    struct sl_error err = {0};
    enum sl_status status;

    (void)cancel;
    if (sl_cancelled(&f->cancel)) {
        sl_flight_finish(f, SL_ECANCELLED, NULL, NULL);
        return;
    }
    if (f->stream) { /* the next step of one */
        make_and_finish(f);
        return;
    }
    if (f->want->ask.what == SL_MEDIA_LIST) {
        run_list(f);
        return;
    }
    if (sl_media_source_get(f) != SL_SOURCE_READY) {
        return;
    }
    if (settle_version(f)) {
        return;
    }
    f->costly = f->media->engine.costly(f->source->source, &f->want->ask);
    note_settings(f);
    if (f->want->ask.what == SL_MEDIA_STREAM) {
        if (f->head_only) {
            sl_flight_finish(f, SL_OK, NULL, NULL);
            return;
        }
        status = look_at_origin(f, open_stream(f, &err), &err);
        if (status != SL_OK) {
            sl_flight_finish(f, status, &err, NULL);
            return;
        }
    }
    if (f->costly) {
        run_costly(f);
    } else if (only_ahead(f)) { /* not worth it */
        sl_flight_finish(f, SL_EAGAIN, NULL, NULL);
    } else {
        make_and_finish(f);
    }
}
