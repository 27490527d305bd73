/* SPDX-License-Identifier: BSD-2-Clause */
/* Continuous streams, chunk by chunk: on the threads of the event loops. */
#include <sys/eventfd.h>

#include "base/alloc.h"
#include "serve/media_core.h"

struct sl_media_stream *sl_media_stream_take(struct sl_waiter *w)
{
    struct sl_media_stream *s = w->stream;

    w->stream = NULL;
    return s;
}

void sl_media_stream_next(struct sl_media_stream *s, struct sl_waiter *w)
{
    struct sl_media *m = s->media;
    struct sl_flight *f = sl_flight_create(m, s->want);
    bool ok = false;

    w->status = 0;
    w->last = false;
    w->detail[0] = '\0';
    (void)pthread_mutex_lock(&m->lock);
    if (f && !m->closing) {
        f->stream = s;
        f->costly = s->costly;
        s->busy = true;
        m->outstanding++;
        w->flight = f;
        sl_waiter_enlist(&f->waiters, w);
        ok = sl_pool_submit(s->costly ? m->coders : sl_media_pool(m, f->want), sl_flight_run,
                            sl_flight_drop, f) == SL_OK;
        if (!ok) {
            sl_waiter_unlist(w);
            w->flight = NULL;
            s->busy = false;
            m->outstanding--;
        }
    }
    if (!ok) { /* told like any other outcome, later */
        w->status = 503;
        sl_waiter_enlist(&w->port->ready, w);
        (void)eventfd_write(w->port->fd, 1);
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!ok) {
        sl_flight_free_unused(f);
    }
}

static void close_stream(void *arg, const struct sl_cancel *cancel)
{
    struct sl_media_stream *s = arg;
    struct sl_media *m = s->media;

    (void)cancel;
    if (s->stream) {
        m->engine.stream_close(s->stream);
    }
    sl_media_source_put(m, &s->source);
    (void)pthread_mutex_lock(&m->lock);
    m->streams--;
    (void)pthread_mutex_unlock(&m->lock);
    sl_media_want_destroy(&s->want);
    sl_free(s);
}

void sl_media_stream_close(struct sl_media_stream **out)
{
    struct sl_media_stream *s = *out;
    struct sl_media *m;
    bool busy, closing;

    *out = NULL;
    if (!s) {
        return;
    }
    m = s->media;
    (void)pthread_mutex_lock(&m->lock);
    busy = s->busy;
    closing = m->closing;
    s->orphan = true;
    (void)pthread_mutex_unlock(&m->lock);
    /* Ending coders takes a while: a worker does it, as long as there are any. */
    if (!busy && (closing || sl_pool_submit(m->quick, close_stream, NULL, s) != SL_OK)) {
        close_stream(s, NULL);
    }
}
