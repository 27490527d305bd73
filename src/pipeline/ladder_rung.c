/* SPDX-License-Identifier: BSD-2-Clause */
/* The picture's half of a ladder: scaling, and one thread a rung that encodes and publishes. */
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "encode/registry.h"
#include "mux/registry.h"
#include "pipeline/ladder_run.h"

void sl_rung_item_drop(void *item)
{
    struct sl_rung_item *it = item;
    sl_frame_unref(&it->frame);
    sl_packet_unref(&it->packet);
    sl_free(it);
}

enum sl_status sl_rung_push(struct sl_rung *r, struct sl_frame *frame, struct sl_packet *packet,
                            struct sl_error *err)
{
    struct sl_rung_item *item = sl_alloc_zero(sizeof *item);
    if (!item) {
        return sl_fail_memory(err);
    }
    item->frame = frame ? sl_frame_ref(frame) : NULL;
    item->packet = packet ? sl_packet_ref(packet) : NULL;
    enum sl_status st = sl_queue_push(r->inbox, item);
    if (st != SL_OK) {
        sl_rung_item_drop(item);
    }
    return st;
}

/* Threads for one rung: its share of the pixels, so that all rungs finish a picture together. */
static int rung_threads(const struct sl_ladder *l, const struct sl_ladder_rung *plans, size_t count,
                        size_t index)
{
    int64_t all = l->params.threads;
    if (all <= 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        all = online > 0 ? online : 1;
    }
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += plans[i].width * plans[i].height;
    }
    int64_t own = sl_muldiv(plans[index].width * plans[index].height, all, sum, SL_ROUND_NEAREST);
    return (int)(own < 1 ? 1 : own > 64 ? 64 : own);
}

static enum sl_status open_encoder(struct sl_ladder *l, struct sl_rung *r, size_t index,
                                   struct sl_error *err)
{
    struct sl_ladder_rung plans[SL_LADDER_RUNGS_MAX];
    for (size_t i = 0; i < l->rung_count; i++) {
        plans[i] = l->rungs[i].plan;
    }
    struct sl_encode_params e = {
        .log = l->log,
        .timebase = l->clock.out,
        .threads = rung_threads(l, plans, l->rung_count, index),
        .width = (int32_t)r->plan.width,
        .height = (int32_t)r->plan.height,
        .frame_rate = l->frame_rate,
        .sample_aspect = l->sample_aspect,
        .colour = l->colour,
        .preset = r->plan.preset,
        .latency = SL_LATENCY_LOOKAHEAD,
        .bframes = -1,
        .rate = SL_RATE_VBR,
        .bitrate = r->plan.bitrate * 1000,
        .maxrate = r->plan.maxrate * 1000,
        .buffer = r->plan.buffer * 1000,
    };
    enum sl_status st = sl_encode_open(&r->encoder, SL_CODEC_H264, NULL, &e, err);
    if (st != SL_OK) {
        return st;
    }
    /* The design's rule 4: decoding starts the SPS's reorder depth before presentation. A tick a
     * picture is the least that keeps decoding times apart. */
    struct sl_track *t = &r->encoder->track;
    int64_t reorder = t->reorder > 0 ? t->reorder : 0;
    int64_t frame = l->clock.nominal > 0 ? l->clock.nominal : l->clock.out.den / 25;
    t->decode_delay = reorder * (frame > 0 ? frame : 1);
    t->frame_rate = l->frame_rate;
    return sl_codec_string(t, r->codecs, err);
}

enum sl_status sl_rung_open(struct sl_ladder *l, size_t index, struct sl_error *err)
{
    struct sl_rung *r = &l->rungs[index];
    struct sl_scale_params scale = {
        .width = (int32_t)r->plan.width,
        .height = (int32_t)r->plan.height,
        .colour = l->colour,
    };
    r->ladder = l;
    r->sound_from = SL_NO_TIME;
    enum sl_status st = sl_scaler_create(&r->scaler, &scale, err);
    return st != SL_OK ? st : open_encoder(l, r, index, err);
}

enum sl_status sl_rung_begin(struct sl_ladder *l, size_t index, struct sl_error *err)
{
    struct sl_rung *r = &l->rungs[index];
    struct sl_rendition_resume resume;
    struct sl_chain last;
    enum sl_status st = SL_OK;
    char *directory =
        l->live ? sl_strdup(r->plan.name) : sl_format("%s/%s", l->params.output, r->plan.name);
    if (!directory) {
        return sl_fail_memory(err);
    }
    sl_chain_init(&last);
    bool ts = l->params.format == SL_LADDER_TS;
    struct sl_rendition_params params = {
        .directory = directory,
        .muxer = ts ? &sl_mux_ts : &sl_mux_fmp4,
        .tracks = {&r->encoder->track, ts && l->sound.present ? &l->sound.encoder->track : NULL},
        .target = l->target,
        .log = l->log,
    };
    if (l->live) {
        st = sl_ladder_live_rendition(l, index, &params, &resume, &last, err);
    }
    if (st == SL_OK) {
        st = sl_rendition_open(&r->rendition, &params, err);
    }
    if (st == SL_OK) {
        st = sl_queue_create(&r->inbox, SL_LADDER_RUNG_QUEUE, sl_rung_item_drop, err);
    }
    sl_chain_clear(&last);
    sl_free(directory);
    return st;
}

static enum sl_status write_packet(struct sl_rung *r, struct sl_packet *packet,
                                   struct sl_error *err)
{
    enum sl_status st = sl_rendition_write(r->rendition, packet, err);
    if (st != SL_OK) {
        sl_packet_unref(&packet);
        return st;
    }
    return sl_ladder_listed(r->ladder, (size_t)(r - r->ladder->rungs),
                            sl_rendition_playlist(r->rendition), err);
}

/* Hands on what the encoder has. */
static enum sl_status collect(struct sl_rung *r, struct sl_error *err)
{
    for (;;) {
        struct sl_packet *packet = NULL;
        enum sl_status st = r->encoder->ops->receive(r->encoder, &packet, err);
        if (st == SL_OK) {
            packet->track = 0;
            st = write_packet(r, packet, err);
        }
        if (st != SL_OK) {
            return st;
        }
    }
}

/* One frame, or NULL to drain. */
static enum sl_status encode(struct sl_rung *r, struct sl_frame *frame, struct sl_error *err)
{
    for (;;) {
        enum sl_status st = r->encoder->ops->send(r->encoder, frame, err);
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        bool sent = st == SL_OK;
        st = collect(r, err);
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

static enum sl_status handle(struct sl_rung *r, struct sl_rung_item *item, struct sl_error *err)
{
    if (item->frame) {
        return encode(r, item->frame, err);
    }
    if (item->packet) {
        struct sl_packet *packet = item->packet;
        item->packet = NULL;
        return write_packet(r, packet, err);
    }
    enum sl_status st = sl_rendition_end_sound(r->rendition, err);
    return st != SL_OK ? st
                       : sl_ladder_listed(r->ladder, (size_t)(r - r->ladder->rungs),
                                          sl_rendition_playlist(r->rendition), err);
}

void *sl_rung_thread(void *rung)
{
    struct sl_rung *r = rung;
    struct sl_ladder *l = r->ladder;
    struct sl_error err = {0};
    enum sl_status st;
    void *item;

    while ((st = sl_queue_pop(r->inbox, &item)) == SL_OK) {
        st = handle(r, item, &err);
        sl_rung_item_drop(item);
        if (st != SL_OK) {
            break;
        }
    }
    if (st == SL_EOF) {
        st = encode(r, NULL, &err);
        if (st == SL_OK) {
            pthread_mutex_lock(&l->shared.lock);
            int64_t end = l->shared.end_ticks;
            pthread_mutex_unlock(&l->shared.lock);
            st = sl_rendition_finish(r->rendition, end, &err);
        }
        if (st == SL_OK) {
            st = sl_ladder_listed(l, (size_t)(r - l->rungs), sl_rendition_playlist(r->rendition),
                                  &err);
        }
    }
    if (st != SL_OK && st != SL_ECANCELLED) {
        (void)sl_fail(&err, st, r->plan.name, "the rendition could not be written");
        sl_ladder_fail(l, &err);
    }
    return NULL;
}

/* Base picture, then each rung from the next larger one. */
static enum sl_status shape(struct sl_ladder *l, struct sl_frame *frame, struct sl_error *err)
{
    struct sl_frame *at = NULL;
    enum sl_status st = sl_scaler_run(l->base, frame, &at, err);
    for (size_t i = 0; st == SL_OK && i < l->rung_count; i++) {
        struct sl_frame *scaled = NULL;
        st = sl_scaler_run(l->rungs[i].scaler, at, &scaled, err);
        if (st == SL_OK) {
            sl_frame_unref(&at);
            at = scaled;
            if (at->pts >= l->rungs[i].from) {
                st = sl_rung_push(&l->rungs[i], at, NULL, err);
            }
        }
    }
    sl_frame_unref(&at);
    return st;
}

void *sl_shape_thread(void *ladder)
{
    struct sl_ladder *l = ladder;
    struct sl_error err = {0};
    enum sl_status st;
    void *frame;

    while ((st = sl_queue_pop(l->frames, &frame)) == SL_OK) {
        struct sl_frame *f = frame;
        st = shape(l, f, &err);
        sl_frame_unref(&f);
        if (st != SL_OK) {
            break;
        }
    }
    if (st != SL_EOF && st != SL_ECANCELLED) {
        (void)sl_fail(&err, st, "scale", "the picture could not be converted");
        sl_ladder_fail(l, &err);
    }
    return NULL;
}
