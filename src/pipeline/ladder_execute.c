/* SPDX-License-Identifier: BSD-2-Clause */
/* A ladder run: the first picture decides what is made, then the input is read to its end and every
 * thread is brought to its own. See ladder_run.h for the threads. */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/publish.h"
#include "base/rational.h"
#include "pipeline/ladder.h"
#include "pipeline/ladder_run.h"

static void drop_frame(void *item)
{
    struct sl_frame *frame = item;
    sl_frame_unref(&frame);
}

/* ---- the first picture decides ------------------------------------------------------------- */

static void describe_picture(struct sl_ladder *l, const struct sl_frame *first)
{
    bool turned = l->video->rotation == 90 || l->video->rotation == 270;
    int32_t width = turned ? first->height : first->width;
    int32_t height = turned ? first->width : first->height;
    /* By the coded height, as the scaler completes what comes in untagged. */
    l->colour = sl_scale_colour(first->format, first->colour, first->height, l->video->rotation,
                                l->video->flip);
    l->width = width < 2 ? 2 : width & ~1;
    l->height = height < 2 ? 2 : height & ~1;
    struct sl_rational aspect =
        sl_rational_valid(first->sample_aspect) ? first->sample_aspect : l->video->sample_aspect;
    if (sl_rational_valid(aspect)) {
        l->sample_aspect = turned ? sl_rational(aspect.den, aspect.num) : aspect;
        l->sample_aspect = sl_rational_limit(l->sample_aspect, 65535);
    } else {
        l->sample_aspect = sl_rational(0, 1);
    }
    l->frame_rate = l->video->frame_rate;
}

static enum sl_status prepare_output(struct sl_ladder *l, struct sl_error *err)
{
    enum sl_status st = sl_make_directories(l->params.output, err);
    if (st != SL_OK) {
        return st;
    }
    char *master = sl_format("%s/master.m3u8", l->params.output);
    if (!master) {
        return sl_fail_memory(err);
    }
    /* Withdrawn before anything that it names is touched. */
    if (unlink(master) != 0 && errno != ENOENT) {
        st = sl_fail_errno(err, errno, master, "the older playlist could not be removed");
    }
    sl_publish_sweep(l->params.output);
    sl_free(master);
    return st;
}

static enum sl_status plan(struct sl_ladder *l, const struct sl_frame *first, struct sl_error *err)
{
    struct sl_ladder_rung rungs[SL_LADDER_RUNGS_MAX];
    size_t count = 0;
    describe_picture(l, first);
    enum sl_status st = sl_ladder_plan(&l->params, l->width, l->height, rungs, &count, err);
    if (st == SL_OK && !l->live) {
        st = prepare_output(l, err);
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_scale_params base = {
        .width = l->width,
        .height = l->height,
        .colour = l->colour,
        .rotation = l->video->rotation,
        .flip = l->video->flip,
        .crop_odd = true,
    };
    st = sl_scaler_create(&l->base, &base, err);
    if (st == SL_OK && l->sound.present) {
        st = sl_ladder_sound_open(l, l->clock.zero, l->clock.params.source, err);
    }
    for (size_t i = 0; i < count; i++) {
        l->rungs[i].plan = rungs[i];
    }
    l->rung_count = st == SL_OK ? count : 0;
    for (size_t i = 0; i < l->rung_count && st == SL_OK; i++) {
        st = sl_rung_open(l, i, err);
    }
    if (st == SL_OK && l->live) {
        st = sl_ladder_live_begin(l, err);
    }
    if (st == SL_OK && l->sound.present) {
        st = sl_ladder_sound_begin(l, err);
    }
    for (size_t i = 0; i < l->rung_count && st == SL_OK; i++) {
        st = sl_rung_begin(l, i, err);
    }
    if (st == SL_OK) {
        st = sl_queue_create(&l->frames, SL_LADDER_FRAME_QUEUE, drop_frame, err);
    }
    for (size_t i = 0; i < l->rung_count && st == SL_OK; i++) {
        st = sl_ladder_thread(&l->rungs[i].thread, sl_rung_thread, &l->rungs[i], err);
        l->rungs[i].started = st == SL_OK;
    }
    if (st == SL_OK) {
        st = sl_ladder_thread(&l->shape_thread, sl_shape_thread, l, err);
        l->shape_started = st == SL_OK;
    }
    if (st == SL_OK && l->sound.present) {
        st = sl_ladder_sound_start(l, err);
    }
    l->planned = st == SL_OK;
    return st;
}

/* ---- running ------------------------------------------------------------------------------- */

/* From the clock: a picture with its final time. Takes it over on SL_OK. SL_EOF: separate sound
 * ended before it. */
enum sl_status sl_ladder_emit(void *opaque, struct sl_frame *frame, struct sl_error *err)
{
    struct sl_ladder *l = opaque;
    enum sl_status st = SL_OK;
    if (l->live && !sl_ladder_live_picture(l, frame)) {
        sl_frame_unref(&frame);
        return SL_OK;
    }
    if (!l->planned) {
        st = plan(l, frame, err);
    }
    if (st == SL_OK && l->sound.separate) {
        bool over = false;
        st = sl_ladder_sound_reach(l, frame->pts, &over, err);
        if (st == SL_OK && over) {
            l->shared.end_ticks = frame->pts;
            return SL_EOF;
        }
    }
    if (st != SL_OK) {
        return st;
    }
    l->progress.frames++;
    l->progress.position_us = sl_rescale(frame->pts + frame->duration, l->clock.out,
                                         sl_rational(1, 1000000), SL_ROUND_NEAREST);
    st = sl_queue_push(l->frames, frame);
    if (st == SL_OK && l->events.progress) {
        pthread_mutex_lock(&l->shared.lock);
        l->progress.segments = l->shared.segments;
        pthread_mutex_unlock(&l->shared.lock);
        l->events.progress(l->events.opaque, &l->progress);
    }
    return st;
}

/* One packet of the picture (NULL: drains). Damage is counted and passed over. */
static enum sl_status decode(struct sl_ladder *l, struct sl_packet *packet, int64_t *damaged,
                             struct sl_error *err)
{
    for (bool sent = false;;) {
        enum sl_status st;
        struct sl_error why = {0};
        if (!sent) {
            st = l->decoder->ops->send(l->decoder, packet, &why);
            if (st == SL_EDATA) {
                if ((*damaged)++ == 0) {
                    sl_log_write(l->log, SL_LOG_WARN, "ladder", "%s: damaged picture: %s",
                                 l->params.input, why.msg);
                }
                return SL_OK;
            }
            if (st != SL_OK && st != SL_EAGAIN) {
                return sl_fail(err, st, l->params.input, "picture: %s", why.msg);
            }
            sent = st == SL_OK;
        }
        struct sl_frame *frame = NULL;
        while ((st = l->decoder->ops->receive(l->decoder, &frame, &why)) == SL_OK) {
            /* Decoded from an earlier key picture on, only to be able to decode what follows. */
            bool early = l->resume.source != SL_NO_TIME &&
                         (frame->pts == SL_NO_TIME || frame->pts < l->resume.source);
            st = early ? SL_OK : sl_clock_put(&l->clock, frame, err);
            sl_frame_unref(&frame);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EDATA) {
            (*damaged)++;
            continue;
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return sl_fail(err, st, l->params.input, "picture: %s", why.msg);
        }
    }
}

static enum sl_status put_raw(struct sl_ladder *l, const struct sl_packet *packet,
                              struct sl_error *err)
{
    struct sl_frame *frame = sl_raw_rows_take(&l->raw, packet);
    enum sl_status st = sl_clock_put(&l->clock, frame, err);
    sl_frame_unref(&frame);
    return st;
}

/* Reads to the end of the input, to damage (in *input_error), to the end of separate sound (SL_EOF)
 * or to a failure. */
static enum sl_status read_all(struct sl_ladder *l, struct sl_error *input_error,
                               struct sl_error *err)
{
    int64_t damaged = 0;
    enum sl_status st = SL_OK;
    while (st == SL_OK && !sl_cancelled(&l->stop)) {
        struct sl_packet *packet = NULL;
        enum sl_status got = sl_input_read(&l->input, &packet, input_error);
        if (got != SL_OK) {
            if (got != SL_EOF && input_error->status == SL_OK) {
                (void)sl_fail(input_error, got, l->params.input,
                              "the input cannot be read further");
            }
            break;
        }
        if (packet->track == (uint32_t)l->video_index) {
            st = l->raw.used ? put_raw(l, packet, err) : decode(l, packet, &damaged, err);
        } else if (l->sound.present && !l->sound.separate &&
                   packet->track == (uint32_t)l->sound.index) {
            st = sl_ladder_sound_put(l, packet, err);
            packet = NULL;
        }
        sl_packet_unref(&packet);
    }
    if (st == SL_OK) {
        st = decode(l, NULL, &damaged, err);
    }
    if (damaged > 1) {
        sl_log_write(l->log, SL_LOG_WARN, "ladder", "%s: %lld damaged pictures in all",
                     l->params.input, (long long)damaged);
    }
    return st;
}

/* Waits for the sound of the source to be decoded to its end. */
static int64_t sound_end(struct sl_ladder *l)
{
    struct sl_ladder_shared *s = &l->shared;
    pthread_mutex_lock(&s->lock);
    while (s->error.status == SL_OK && !s->sound_ended) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    int64_t samples = s->sound_samples;
    pthread_mutex_unlock(&s->lock);
    return sl_rescale(samples, sl_rational(1, l->params.audio_rate), l->clock.out, SL_ROUND_DOWN);
}

/* Where the run ends, ticks of the clock; emits the last picture. Sound of the source that goes on
 * keeps the last picture on screen; separate sound and picture end with the shorter. */
static enum sl_status finish_clock(struct sl_ladder *l, int64_t *end, struct sl_error *err)
{
    if (!l->clock.pending) {
        *end = 0;
        return SL_OK;
    }
    int64_t last = l->clock.pending->pts;
    *end = sl_clock_end(&l->clock);
    if (!l->planned) {
        /* A single picture: nothing has been emitted yet, so plan now, before the end is asked. */
        enum sl_status st = plan(l, l->clock.pending, err);
        if (st != SL_OK) {
            return st;
        }
    }
    if (l->sound.present && l->sound.separate) {
        bool over = false;
        enum sl_status st = sl_ladder_sound_reach(l, *end, &over, err);
        if (st != SL_OK) {
            return st;
        }
        if (over) {
            int64_t sound = sound_end(l);
            *end = sound < *end ? sound : *end;
            *end = *end > last ? *end : last + 1;
        }
    } else if (l->sound.present) {
        sl_queue_close(l->sound.inbox);
        int64_t sound = sound_end(l);
        *end = sound > *end ? sound : *end;
    }
    return sl_clock_finish(&l->clock, *end, err);
}

static void announce_end(struct sl_ladder *l, int64_t end)
{
    struct sl_ladder_shared *s = &l->shared;
    pthread_mutex_lock(&s->lock);
    s->end_ticks = end;
    s->end_samples =
        sl_rescale(end, l->clock.out, sl_rational(1, l->params.audio_rate), SL_ROUND_NEAREST);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void sl_ladder_join(struct sl_ladder *l)
{
    if (l->frames) {
        sl_queue_close(l->frames);
    }
    if (l->shape_started) {
        pthread_join(l->shape_thread, NULL);
        l->shape_started = false;
    }
    if (l->sound.inbox) {
        sl_queue_close(l->sound.inbox);
    }
    if (l->sound.started) {
        pthread_join(l->sound.thread, NULL);
        l->sound.started = false;
    }
    /* Both that feed the rungs are done. */
    for (size_t i = 0; i < l->rung_count; i++) {
        if (l->rungs[i].inbox) {
            sl_queue_close(l->rungs[i].inbox);
        }
    }
    for (size_t i = 0; i < l->rung_count; i++) {
        if (l->rungs[i].started) {
            pthread_join(l->rungs[i].thread, NULL);
            l->rungs[i].started = false;
        }
    }
}

enum sl_status sl_ladder_failed(struct sl_ladder *l, struct sl_error *err)
{
    pthread_mutex_lock(&l->shared.lock);
    struct sl_error first = l->shared.error;
    pthread_mutex_unlock(&l->shared.lock);
    if (first.status != SL_OK && err && err->status == SL_OK) {
        *err = first;
    }
    return first.status;
}

/* Waits for every thread, and announces that all is there. */
static enum sl_status complete(struct sl_ladder *l, int64_t end, struct sl_error *err)
{
    announce_end(l, end);
    sl_ladder_join(l);
    if (l->shared.error.status == SL_OK && l->planned && !l->live) {
        struct sl_error master = {0};
        if (sl_ladder_publish_master(l, true, &master) != SL_OK) {
            sl_ladder_fail(l, &master);
        }
    }
    return sl_ladder_failed(l, err);
}

/* What the run comes to once all threads are done. */
static enum sl_status outcome(struct sl_ladder *l, enum sl_status st,
                              const struct sl_error *input_error, struct sl_error *err)
{
    bool whole = l->planned || (l->live && l->resume.active);
    if (st == SL_OK && input_error->status != SL_OK) {
        if (err->status == SL_OK) {
            *err = *input_error;
        }
        st = input_error->status;
    }
    if (st == SL_OK && !whole && !sl_cancelled(&l->stop)) {
        st = sl_fail(err, SL_EDATA, l->push ? "ladder" : l->params.input, "%s",
                     l->push ? "closed before any picture came" : "no picture could be decoded");
    }
    return l->live ? sl_ladder_live_end(l, st, err) : st;
}

enum sl_status sl_ladder_conclude(struct sl_ladder *l, enum sl_status st, struct sl_error *own,
                                  const struct sl_error *input_error, struct sl_error *err)
{
    struct sl_error why = {0};
    const char *name = l->push ? "ladder" : l->params.input;
    int64_t end = 0;
    if (st == SL_EOF) {
        end = l->shared.end_ticks;
        st = SL_OK;
    } else if (st == SL_OK) {
        st = finish_clock(l, &end, own);
        if (st == SL_EOF) {
            end = l->shared.end_ticks;
            st = SL_OK;
        }
    }
    if (st != SL_OK && st != SL_ECANCELLED) {
        (void)sl_fail(own, st, name, "%s", sl_status_name(st));
        sl_ladder_fail(l, own);
    }
    st = outcome(l, complete(l, end, &why), input_error, &why);
    if (st != SL_OK) {
        if (err && err->status == SL_OK) {
            *err = why;
        }
        return st;
    }
    l->progress.finished = 1;
    l->progress.segments = l->shared.segments;
    if (l->events.progress) {
        l->events.progress(l->events.opaque, &l->progress);
    }
    return sl_cancelled(&l->stop) ? sl_fail(err, SL_ECANCELLED, name, "stopped after %lld pictures",
                                            (long long)l->progress.frames)
                                  : SL_OK;
}

enum sl_status sl_ladder_execute(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_error input_error = {0};
    struct sl_error own = {0};
    enum sl_status st = read_all(l, &input_error, &own);
    return sl_ladder_conclude(l, st, &own, &input_error, err);
}
