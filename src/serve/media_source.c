/* SPDX-License-Identifier: BSD-2-Clause */
/* The sources that are kept open, a bounded number of them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "serve/media_core.h"

static int64_t monotonic(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void close_one(const struct sl_media *m, struct sl_media_source *s)
{
    if (s->ready) {
        m->engine.close(s->source);
    }
    sl_free(s);
}

/* Under the lock: takes the least recently used one that nobody uses out of the table. */
static struct sl_media_source *pick_unused(struct sl_media *m)
{
    if (m->sources.count <= m->params.sources) {
        return NULL;
    }
    for (struct sl_lru_node *node = m->sources.oldest; node; node = node->to) {
        struct sl_media_source *s = (struct sl_media_source *)node;

        if (s->refs == 0 && s->ready) {
            sl_lru_remove(&m->sources, node);
            /* What was made of it holds its file open. */
            sl_cache_memory_drop_files(&m->answers, s->id);
            return s;
        }
    }
    return NULL;
}

static void close_unused(struct sl_media *m)
{
    struct sl_media_source *s;

    do {
        (void)pthread_mutex_lock(&m->lock);
        s = pick_unused(m);
        (void)pthread_mutex_unlock(&m->lock);
        if (s) {
            close_one(m, s);
        }
    } while (s);
}

void sl_media_sources_clear(struct sl_media *m)
{
    while (m->sources.oldest) {
        struct sl_media_source *s = (struct sl_media_source *)m->sources.oldest;

        sl_lru_remove(&m->sources, &s->node);
        close_one(m, s);
    }
}

void sl_media_source_put(struct sl_media *m, struct sl_media_source **source)
{
    bool over;

    if (!*source) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    (*source)->refs--;
    over = (*source)->gone && (*source)->refs == 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (over) {
        close_one(m, *source);
    }
    *source = NULL;
    close_unused(m);
}

/* Under the lock: takes it out of the table. true: nobody uses it, so that the caller closes it. */
static bool detach(struct sl_media *m, struct sl_media_source *s)
{
    if (s->gone) {
        return false;
    }
    sl_lru_remove(&m->sources, &s->node);
    s->gone = true;
    return s->refs == 0;
}

void sl_media_source_drop(struct sl_media *m, struct sl_media_source *s)
{
    (void)pthread_mutex_lock(&m->lock);
    (void)detach(m, s); /* the caller uses it */
    (void)pthread_mutex_unlock(&m->lock);
}

bool sl_media_source_fresh(const struct sl_media_source *s, const struct sl_media_want *w)
{
    return !w->url || w->ask.what != SL_MEDIA_MASTER ||
           monotonic() - s->opened < (int64_t)SL_MEDIA_FRESH * 1000000;
}

static enum sl_status open_source(struct sl_flight *f, struct sl_media_source *s,
                                  struct sl_error *err)
{
    const struct sl_media_want *w = f->want;
    const struct sl_media_input input = {
        .file = w->file,
        .name = w->name,
        .url = w->url,
        .headers = w->headers,
        .header_count = w->header_count,
        .allowed = f->media->params.allowed,
        .allowed_opaque = f->media->params.allowed_opaque,
        .fault = &f->fault,
    };
    /* Not the flight's flag: others wait for this source, too, and it is kept. */
    return f->media->engine.open(f->media->engine.opaque, &input, &s->source, &f->media->cancel,
                                 err);
}

/* Sends those on their way who waited for it, or tells them why not. Who knows the same source by
 * another address tries that. */
static void wake_parked(struct sl_media *m, struct sl_flight *parked, const struct sl_flight *by,
                        enum sl_status status, const struct sl_error *err)
{
    while (parked) {
        struct sl_flight *f = parked;
        bool same = strcmp(f->want->address, by->want->address) == 0;

        parked = f->next;
        f->next = NULL;
        if (status != SL_OK && same) {
            f->fault = by->fault;
            sl_flight_finish(f, status, err, NULL);
        } else if (sl_pool_submit(sl_media_pool(m, f->want), sl_flight_run, sl_flight_drop, f) !=
                   SL_OK) {
            sl_flight_finish(f, SL_ECANCELLED, NULL, NULL);
        }
    }
}

/* What is kept of an address is kept by version. Under an id of the caller's own there is one. */
static void note_version(const struct sl_media *m, const struct sl_media_want *w,
                         struct sl_media_source *s)
{
    const char *revision = w->url && !w->opaque ? m->engine.revision(s->source) : NULL;
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_sha256 h;

    memcpy(s->version, s->id, sizeof s->version);
    if (revision) {
        sl_sha256_init(&h);
        sl_sha256_update(&h, s->id, sizeof s->id);
        sl_sha256_update(&h, revision, strlen(revision));
        sl_sha256_final(&h, digest);
        sl_sha256_hex(digest, 8, s->version);
    }
    s->opened = monotonic();
}

/* Under the lock: what is in the table, unless it is too old for this question; then *old is to be
 * closed, or NULL. */
static struct sl_media_source *find(struct sl_media *m, const struct sl_media_want *w,
                                    struct sl_media_source **old)
{
    struct sl_media_source *s = (struct sl_media_source *)sl_lru_find(&m->sources, w->id);

    *old = NULL;
    if (s && s->ready && !sl_media_source_fresh(s, w)) {
        *old = detach(m, s) ? s : NULL;
        s = NULL;
    }
    return s;
}

enum sl_source_result sl_media_source_get(struct sl_flight *f)
{
    struct sl_media *m = f->media;
    struct sl_media_source *s, *old, *created = sl_alloc_zero(sizeof *created);
    struct sl_flight *parked;
    struct sl_error err = {0};
    enum sl_status status;

    (void)pthread_mutex_lock(&m->lock);
    s = find(m, f->want, &old);
    if (s) {
        bool ready = s->ready;

        if (ready) {
            s->refs++;
            sl_lru_touch(&m->sources, &s->node);
            f->source = s;
        } else {
            f->next = s->parked;
            s->parked = f;
        }
        (void)pthread_mutex_unlock(&m->lock);
        sl_free(created);
        return ready ? SL_SOURCE_READY : SL_SOURCE_PARKED;
    }
    s = created;
    if (s) {
        memcpy(s->id, f->want->id, sizeof s->id);
        memcpy(s->address, f->want->address, sizeof s->address);
        s->node.key = s->id;
        s->refs = 1;
        sl_lru_insert(&m->sources, &s->node);
    }
    (void)pthread_mutex_unlock(&m->lock);

    if (old) {
        close_one(m, old);
    }
    status = s ? open_source(f, s, &err) : sl_fail_memory(&err);
    if (status == SL_OK) {
        note_version(m, f->want, s);
    }
    if (!s) {
        sl_flight_finish(f, status, &err, NULL);
        return SL_SOURCE_FAILED;
    }
    (void)pthread_mutex_lock(&m->lock);
    parked = s->parked;
    s->parked = NULL;
    s->ready = status == SL_OK;
    if (!s->ready) {
        sl_lru_remove(&m->sources, &s->node);
    }
    (void)pthread_mutex_unlock(&m->lock);
    f->source = s->ready ? s : NULL;
    wake_parked(m, parked, f, status, &err);
    if (status != SL_OK) {
        sl_free(s);
        sl_flight_finish(f, status, &err, NULL);
        return SL_SOURCE_FAILED;
    }
    close_unused(m);
    return SL_SOURCE_READY;
}
