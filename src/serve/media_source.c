/* SPDX-License-Identifier: BSD-2-Clause */
/* The sources that are kept open, a bounded number of them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/media_core.h"

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
    if (!*source) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    (*source)->refs--;
    (void)pthread_mutex_unlock(&m->lock);
    *source = NULL;
    close_unused(m);
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
    };
    /* Not the flight's flag: others wait for this source, too, and it is kept. */
    return f->media->engine.open(f->media->engine.opaque, &input, &s->source, &f->media->cancel,
                                 err);
}

/* Sends those on their way who waited for it, or tells them why not. */
static void wake_parked(struct sl_media *m, struct sl_flight *parked, enum sl_status status,
                        const struct sl_error *err)
{
    while (parked) {
        struct sl_flight *f = parked;

        parked = f->next;
        f->next = NULL;
        if (status != SL_OK) {
            sl_flight_finish(f, status, err, NULL);
        } else if (sl_pool_submit(m->quick, sl_flight_run, sl_flight_drop, f) != SL_OK) {
            sl_flight_finish(f, SL_ECANCELLED, NULL, NULL);
        }
    }
}

enum sl_source_result sl_media_source_get(struct sl_flight *f)
{
    struct sl_media *m = f->media;
    struct sl_media_source *s, *created = sl_alloc_zero(sizeof *created);
    struct sl_flight *parked;
    struct sl_error err = {0};
    enum sl_status status;

    (void)pthread_mutex_lock(&m->lock);
    s = (struct sl_media_source *)sl_lru_find(&m->sources, f->want->id);
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
        s->node.key = s->id;
        s->refs = 1;
        sl_lru_insert(&m->sources, &s->node);
    }
    (void)pthread_mutex_unlock(&m->lock);

    status = s ? open_source(f, s, &err) : sl_fail_memory(&err);
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
    wake_parked(m, parked, status, &err);
    if (status != SL_OK) {
        sl_free(s);
        sl_flight_finish(f, status, &err, NULL);
        return SL_SOURCE_FAILED;
    }
    close_unused(m);
    return SL_SOURCE_READY;
}
