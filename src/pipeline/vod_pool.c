/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers, which are few, and what is worked out once. */
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "demux/registry.h"
#include "pipeline/vod_run.h"
#include "source/source.h"

#define WAIT_MS 50 /* between looks at the cancel flag */

/* ---- readers ------------------------------------------------------------------------------ */

void sl_vod_reader_close(struct vod_reader **reader)
{
    struct vod_reader *r = *reader;
    if (!r) {
        return;
    }
    *reader = NULL;
    sl_demux_destroy(&r->demuxer);
    sl_window_destroy(&r->window);
    sl_source_destroy(&r->source);
    sl_free(r);
}

enum sl_status sl_vod_reader_open(struct sl_vod *v, struct vod_reader **out, struct sl_error *err)
{
    struct sl_demux_params params = {.log = v->log};
    struct vod_reader *r = sl_alloc_zero(sizeof *r);
    *out = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    enum sl_status st =
        v->open ? v->open(v->opaque, &r->source, err) : sl_source_open(&r->source, v->where, err);
    if (st == SL_OK && !r->source->bytes.seekable) {
        st = sl_fail(err, SL_EUNSUPPORTED, v->where,
                     "can only be read from its beginning to its end; segments on demand need a "
                     "source that can go anywhere");
    }
    if (st == SL_OK) {
        st = sl_window_create(&r->window, &r->source->bytes, err);
    }
    if (st == SL_OK) {
        st = sl_demux_open(&r->demuxer, r->window, &params, err);
    }
    /* Another file under the same name, or a header that now reads otherwise. */
    if (st == SL_OK && v->tracks && r->demuxer->track_count != v->info.track_count) {
        st = sl_fail(err, SL_EDATA, v->where, "is not what it was: %zu tracks, %zu were there",
                     r->demuxer->track_count, v->info.track_count);
    }
    if (st == SL_OK && !r->demuxer->ops->seek) {
        st = sl_fail(err, SL_EUNSUPPORTED, v->where, "%s cannot be read from the middle",
                     r->demuxer->format);
    }
    if (st != SL_OK) {
        sl_vod_reader_close(&r);
        return st;
    }
    *out = r;
    return SL_OK;
}

/* Under the lock. The condition is signalled for everything that somebody may wait for. */
static void wait_a_little(struct sl_vod *v)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += WAIT_MS * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    (void)pthread_cond_timedwait(&v->changed, &v->lock, &t);
}

static enum sl_status stopped(struct sl_error *err)
{
    return sl_fail(err, SL_ECANCELLED, NULL, "stopped on request");
}

enum sl_status sl_vod_check(const struct vod_job *j, struct sl_error *err)
{
    return sl_cancelled(j->cancel) ? stopped(err) : SL_OK;
}

enum sl_status sl_vod_begin(struct vod_job *j, struct sl_vod *v, const struct sl_cancel *cancel,
                            struct sl_error *err)
{
    bool make = false;
    enum sl_status st = SL_OK;
    *j = (struct vod_job){.vod = v, .cancel = cancel};
    (void)pthread_mutex_lock(&v->lock);
    while (!j->reader && !make && st == SL_OK) {
        if (sl_cancelled(cancel)) {
            st = stopped(err);
        } else if (v->idle) {
            j->reader = v->idle;
            v->idle = j->reader->next;
        } else if (v->readers < v->readers_max) {
            v->readers++;
            make = true;
        } else {
            wait_a_little(v);
        }
    }
    (void)pthread_mutex_unlock(&v->lock);
    if (make) {
        st = sl_vod_reader_open(v, &j->reader, err);
        if (st != SL_OK) {
            (void)pthread_mutex_lock(&v->lock);
            v->readers--;
            (void)pthread_cond_broadcast(&v->changed);
            (void)pthread_mutex_unlock(&v->lock);
        }
    }
    return st;
}

void sl_vod_end(struct vod_job *j)
{
    struct sl_vod *v = j->vod;
    if (!v || !j->reader) {
        return;
    }
    sl_jumps_clear(&j->jumps);
    (void)pthread_mutex_lock(&v->lock);
    j->reader->next = v->idle;
    v->idle = j->reader;
    (void)pthread_cond_broadcast(&v->changed);
    (void)pthread_mutex_unlock(&v->lock);
    j->reader = NULL;
}

enum sl_status sl_vod_seek(struct vod_job *j, size_t track, int64_t time, uint64_t set,
                           struct sl_error *err)
{
    struct sl_demuxer *d = j->reader->demuxer;
    enum sl_status st = sl_vod_check(j, err);
    /* Where times start anew only who comes from the beginning knows which ones are meant. */
    if (j->vod->jumped) {
        time = VOD_FIRST + 1;
    }
    if (st == SL_OK && d->ops->select) {
        d->ops->select(d, set);
    }
    if (st == SL_OK) {
        st = d->ops->seek(d, track, time == VOD_FIRST ? time + 1 : time, err);
    }
    sl_jumps_clear(&j->jumps);
    j->jumping = j->vod->jumped;
    if (st == SL_OK && j->jumping) {
        st = sl_jumps_init(&j->jumps, d->tracks, d->track_count, err);
    }
    return st;
}

enum sl_status sl_vod_read(struct vod_job *j, struct sl_packet **out, struct sl_error *err)
{
    struct sl_demuxer *d = j->reader->demuxer;
    struct sl_error why = {0};
    enum sl_status st = sl_vod_check(j, err);
    *out = NULL;
    if (st != SL_OK) {
        return st;
    }
    st = d->ops->read(d, out, &why);
    if (st == SL_OK && j->jumping) {
        sl_jumps_apply(&j->jumps, *out);
    }
    if (st == SL_EDATA) {
        /* As sl_remux has it: what came before is still a film. */
        sl_log_write(j->vod->log, SL_LOG_WARN, VOD_LOG, "%s: %s", why.where, why.msg);
        return SL_EOF;
    }
    if (st != SL_OK && st != SL_EOF) {
        return sl_fail(err, st, why.where, "%s", why.msg);
    }
    return st;
}

int64_t sl_vod_time(const struct sl_packet *p)
{
    return p->pts != SL_NO_TIME ? p->pts : p->dts;
}

/* ---- once ---------------------------------------------------------------------------------- */

enum sl_status sl_vod_once(struct sl_vod *v, struct vod_once *once,
                           enum sl_status (*work)(struct vod_job *j, void *arg,
                                                  struct sl_error *err),
                           void *arg, const struct sl_cancel *cancel, struct sl_error *err)
{
    struct vod_job job = {0};
    enum sl_status st = SL_OK;
    (void)pthread_mutex_lock(&v->lock);
    while (once->state == VOD_RUNNING && !sl_cancelled(cancel)) {
        wait_a_little(v);
    }
    bool known = once->state == VOD_KNOWN, ours = once->state == VOD_UNKNOWN;
    if (ours) {
        once->state = VOD_RUNNING;
    }
    (void)pthread_mutex_unlock(&v->lock);
    if (known || !ours) {
        return known ? SL_OK : stopped(err);
    }
    st = sl_vod_begin(&job, v, cancel, err);
    if (st == SL_OK) {
        st = work(&job, arg, err);
    }
    sl_vod_end(&job);
    (void)pthread_mutex_lock(&v->lock);
    once->state = st == SL_OK ? VOD_KNOWN : VOD_UNKNOWN;
    (void)pthread_cond_broadcast(&v->changed);
    (void)pthread_mutex_unlock(&v->lock);
    return st;
}

/* ---- runs ---------------------------------------------------------------------------------- */

enum sl_status sl_vod_run_add(struct vod_run *run, struct sl_packet *p, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    run->memory += sl_remux_memory_of(p);
    if (run->memory > VOD_MEMORY_MAX) {
        st = sl_fail(err, SL_EUNSUPPORTED, NULL,
                     "a segment of more than %u bytes that are not ranges of a file",
                     VOD_MEMORY_MAX);
    } else if (sl_grow((void *)&run->items, &run->capacity, run->count, sizeof *run->items,
                       VOD_PACKETS_MAX) != SL_OK) {
        st = sl_fail(err, SL_ENOMEM, NULL, "no room for packet %zu of a segment (at most %u)",
                     run->count, VOD_PACKETS_MAX);
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st;
    }
    run->items[run->count++] = p;
    return SL_OK;
}

void sl_vod_run_clear(struct vod_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        sl_packet_unref(&run->items[i]);
    }
    sl_free(run->items);
    *run = (struct vod_run){.items = NULL};
}
