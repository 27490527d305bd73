/* SPDX-License-Identifier: BSD-2-Clause */
/* A ladder from settings to an opened input, and its end. See ladder_run.h for the threads. */
#include "pipeline/ladder.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "pipeline/ladder_run.h"

void sl_ladder_cancel(struct sl_ladder *l)
{
    if (l->frames) {
        sl_queue_cancel(l->frames);
    }
    if (l->sound.inbox) {
        sl_queue_cancel(l->sound.inbox);
    }
    for (size_t i = 0; i < l->rung_count; i++) {
        if (l->rungs[i].inbox) {
            sl_queue_cancel(l->rungs[i].inbox);
        }
    }
}

void sl_ladder_fail(struct sl_ladder *l, const struct sl_error *err)
{
    pthread_mutex_lock(&l->shared.lock);
    if (l->shared.error.status == SL_OK) {
        l->shared.error = *err;
    }
    pthread_cond_broadcast(&l->shared.changed);
    pthread_mutex_unlock(&l->shared.lock);
    sl_ladder_cancel(l);
}

enum sl_status sl_ladder_thread(pthread_t *thread, void *(*run)(void *), void *arg,
                                struct sl_error *err)
{
    int failed = pthread_create(thread, NULL, run, arg);
    return failed ? sl_fail_errno(err, failed, "ladder", "a thread could not be started") : SL_OK;
}

/* ---- opening ----------------------------------------------------------------------------- */

static enum sl_status check_output(struct sl_ladder *l, struct sl_error *err)
{
    char *master = sl_format("%s/master.m3u8", l->params.output);
    if (!master) {
        return sl_fail_memory(err);
    }
    enum sl_status st = SL_OK;
    if (!l->params.overwrite && access(master, F_OK) == 0) {
        st = sl_fail(err, SL_EEXIST, master, "a ladder is there already; --overwrite replaces it");
    }
    sl_free(master);
    return st;
}

static enum sl_status demux_params(const struct sl_ladder_params *p, const struct sl_log *log,
                                   struct sl_demux_params *out, struct sl_error *err)
{
    *out = (struct sl_demux_params){.log = log};
    if (!p->raw[0]) {
        if (p->size[0] || p->size[1] || p->rate.num) {
            return sl_fail(err, SL_EINVAL, "size", "--size and --rate go with --raw");
        }
        return SL_OK;
    }
    out->raw_format = sl_pixel_find(p->raw);
    if (out->raw_format == SL_PIX_NONE) {
        return sl_fail(err, SL_EINVAL, "raw",
                       "\"%s\" is not a pixel format (rgb24, rgba, bgra, nv12, yuv420p, yuv444p …)",
                       p->raw);
    }
    if (p->size[0] <= 0 || !sl_rational_valid(p->rate)) {
        return sl_fail(err, SL_EINVAL, "raw",
                       "raw frames need --size WIDTHxHEIGHT and --rate N/D as well");
    }
    out->raw_width = p->size[0];
    out->raw_height = p->size[1];
    out->raw_rate = p->rate;
    return SL_OK;
}

static enum sl_status open_input(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_demux_params demux;
    enum sl_status st = demux_params(&l->params, l->log, &demux, err);
    if (st == SL_OK) {
        st = sl_raw_rows_open(&l->raw, &demux, err);
    }
    if (st == SL_OK) {
        st = sl_input_open(&l->input, l->params.input, &demux, err);
    }
    if (st == SL_OK) {
        st = sl_input_pick(&l->input, SL_KIND_VIDEO, l->params.video_track, &l->video_index, err);
    }
    if (st == SL_OK && l->video_index < 0) {
        st = sl_fail(err, SL_EDATA, l->params.input,
                     "no picture track: a ladder is made of pictures");
    }
    if (st == SL_OK) {
        l->video = &l->input.demuxer->tracks[l->video_index];
        st = sl_ladder_sound_prepare(l, err);
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_demuxer *d = l->input.demuxer;
    if (d->ops->select) {
        uint64_t wanted = UINT64_C(1) << l->video_index;
        if (l->sound.present && !l->sound.separate) {
            wanted |= UINT64_C(1) << l->sound.index;
        }
        d->ops->select(d, wanted);
    }
    struct sl_decode_params decode = {.log = l->log};
    struct sl_error why = {0};
    st = sl_decode_open(&l->decoder, l->video, &decode, &why);
    return st == SL_OK ? st
                       : sl_fail(err, st, l->params.input, "picture (%s): %s", l->video->codec_name,
                                 why.msg);
}

enum sl_status sl_ladder_create(struct sl_ladder **out, const struct sl_ladder_params *params,
                                const struct sl_ladder_events *events, const struct sl_log *log,
                                struct sl_error *err)
{
    *out = NULL;
    struct sl_ladder *l = sl_alloc_zero(sizeof *l);
    if (!l) {
        return sl_fail_memory(err);
    }
    pthread_mutex_init(&l->shared.lock, NULL);
    pthread_cond_init(&l->shared.changed, NULL);
    l->shared.end_samples = -1;
    l->params = *params;
    if (events) {
        l->events = *events;
    }
    l->log = log;
    /* The first whole number of seconds that no regular segment passes. */
    struct sl_rational seg = params->segment;
    l->target = (seg.num + seg.den - 1) / seg.den;
    l->push = !params->input[0];
    l->pushed_pts = SL_NO_TIME;
    l->resume.source = SL_NO_TIME;
    enum sl_status st = l->params.run[0] ? SL_OK : check_output(l, err);
    if (st == SL_OK) {
        st = l->push ? sl_ladder_push_open(l, err) : open_input(l, err);
    }
    if (st == SL_OK) {
        struct sl_clock_params clock = {
            .source = l->video->timebase,
            .rate = l->video->frame_rate,
            .rate_exact = l->video->frame_rate_exact,
            .segment = seg,
            .target = l->target,
            .log = log,
            .emit = sl_ladder_emit,
            .opaque = l,
        };
        st = sl_clock_init(&l->clock, &clock, err);
    }
    if (st == SL_OK && l->params.run[0]) {
        st = sl_ladder_live_open(l, err);
    }
    if (st == SL_OK && l->live && !l->push) {
        st = sl_ladder_live_seek(l, err);
    }
    l->progress.duration_us = l->input.demuxer ? l->input.demuxer->duration : -1;
    if (st != SL_OK) {
        sl_ladder_free(&l);
        return st;
    }
    *out = l;
    return SL_OK;
}

void sl_ladder_request_stop(struct sl_ladder *l)
{
    sl_cancel_set(&l->stop);
}

void sl_ladder_free(struct sl_ladder **ladder)
{
    struct sl_ladder *l = ladder ? *ladder : NULL;
    if (!l) {
        return;
    }
    sl_ladder_cancel(l);
    sl_ladder_join(l);
    sl_clock_clear(&l->clock);
    for (size_t i = 0; i < SL_LADDER_RUNGS_MAX; i++) {
        struct sl_rung *r = &l->rungs[i];
        sl_queue_destroy(&r->inbox);
        sl_rendition_destroy(&r->rendition);
        sl_encode_destroy(&r->encoder);
        sl_scaler_destroy(&r->scaler);
    }
    sl_queue_destroy(&l->frames);
    sl_scaler_destroy(&l->base);
    sl_ladder_sound_close(l);
    sl_decode_destroy(&l->decoder);
    sl_input_close(&l->input);
    sl_raw_rows_close(&l->raw);
    sl_live_close(&l->live);
    sl_buf_pool_destroy(&l->pictures);
    pthread_cond_destroy(&l->shared.changed);
    pthread_mutex_destroy(&l->shared.lock);
    sl_free(l);
    *ladder = NULL;
}
