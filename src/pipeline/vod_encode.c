/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of one segment, re-encoded: decoded from the key frame before the cut on, those shown in
 * it scaled and encoded as one closed group, by an encoder that is configured from what is known of
 * the source alone and runs on one thread: so its parameter sets and its packets are the same every
 * time (docs/encode.md). */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "filter/scale.h"
#include "media/dts.h"
#include "media/h264.h"
#include "media/track.h"
#include "pipeline/vod_run.h"

#define FALLBACK_RATE 25

struct encode {
    struct vod_job *job;
    const struct vod_rung *rung;
    struct sl_decoder *decoder;
    struct sl_scaler *scaler;
    struct sl_coder *encoder;
    struct sl_remux_grid grid;
    struct vod_run *run;
    int64_t from, to;        /* ticks of grid.out */
    int64_t nominal;         /* of a picture */
    struct sl_frame *before; /* the last picture shown before the segment */
    struct sl_frame *held;   /* shown in it, not encoded yet: what comes next ends it */
    int64_t held_at;
    bool first, full;
    int64_t damaged;
};

static void init_grid(const struct sl_vod *v, struct sl_remux_grid *g)
{
    const struct vod_track *k = &v->known[v->picture];
    if (k->passable) {
        *g = k->facts.grid;
        return;
    }
    sl_remux_grid_init(g, &v->tracks[v->picture]);
    g->origin = v->zero;
}

static int64_t nominal_of(const struct sl_vod *v, struct sl_rational out)
{
    struct sl_rational rate = v->tracks[v->picture].frame_rate;
    rate = sl_rational_valid(rate) ? rate : sl_rational(FALLBACK_RATE, 1);
    int64_t n = sl_rescale(1, sl_rational(rate.den, rate.num), out, SL_ROUND_NEAREST);
    return n > 0 ? n : 1;
}

/* ---- the first picture, which decides about colour ------------------------------------------- */

static enum sl_status first_frame(struct vod_job *j, struct sl_frame **out, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct sl_decode_params params = {.log = v->log, .threads = 1};
    struct sl_decoder *d = NULL;
    enum sl_status st = sl_decode_open(&d, &v->tracks[v->picture], &params, err);
    bool ended = false;
    *out = NULL;
    if (st == SL_OK) {
        st = sl_vod_seek(j, v->picture, VOD_FIRST, UINT64_C(1) << v->picture, err);
    }
    while (st == SL_OK && !*out) {
        struct sl_packet *p = NULL;
        if (!ended) {
            st = sl_vod_read(j, &p, err);
            ended = st == SL_EOF;
            st = ended ? SL_OK : st;
        }
        if (st == SL_OK && (!p || p->track == v->picture)) {
            st = d->ops->send(d, p, err);
            st = st == SL_EDATA || st == SL_EAGAIN ? SL_OK : st;
        }
        sl_packet_unref(&p);
        if (st == SL_OK) {
            st = d->ops->receive(d, out, err);
            st = st == SL_EAGAIN && !ended ? SL_OK : st;
        }
    }
    sl_decode_destroy(&d);
    return st == SL_EOF || st == SL_EAGAIN
               ? sl_fail(err, SL_EDATA, v->where, "no picture could be decoded")
               : st;
}

static enum sl_status look(struct vod_job *j, void *arg, struct sl_error *err)
{
    struct sl_frame *f = NULL;
    enum sl_status st = first_frame(j, &f, err);
    (void)arg;
    if (st == SL_OK) {
        j->vod->first = (struct vod_first_picture){.format = f->format,
                                                   .width = f->width,
                                                   .height = f->height,
                                                   .colour = f->colour,
                                                   .sample_aspect = f->sample_aspect};
    }
    sl_frame_unref(&f);
    return st;
}

enum sl_status sl_vod_need_picture(struct sl_vod *v, const struct sl_cancel *cancel,
                                   struct sl_error *err)
{
    return sl_vod_once(v, &v->picturing, look, NULL, cancel, err);
}

/* ---- the encoder ----------------------------------------------------------------------------- */

static struct sl_scale_params scale_for(const struct sl_vod *v, const struct vod_rung *rung)
{
    const struct sl_track *t = &v->tracks[v->picture];
    return (struct sl_scale_params){
        .width = rung->width,
        .height = rung->height,
        .colour = sl_scale_colour(v->first.format, v->first.colour, v->first.height, t->rotation,
                                  t->flip),
        .rotation = t->rotation,
        .flip = t->flip,
    };
}

/* What the playlist says of the profile and level, and the parameter sets of the init segment, are
 * in the encoder's record. */
static enum sl_status check_record(struct sl_vod *v, const struct vod_rung *rung,
                                   const struct sl_track *t, struct sl_error *err)
{
    const uint8_t *c = t->config;
    size_t index = (size_t)(rung - v->rungs);
    struct vod_record *known = &v->records[index];
    enum sl_status st = SL_OK;
    if (t->config_size < 7 || c[1] != 100 || c[2] != 0 || c[3] != rung->level) {
        return sl_fail(err, SL_EUNSUPPORTED, rung->name,
                       "the encoder made profile %u of level %u, 100 of %d was announced",
                       t->config_size > 3 ? c[1] : 0u, t->config_size > 3 ? c[3] : 0u, rung->level);
    }
    (void)pthread_mutex_lock(&v->lock);
    if (!known->data) {
        known->data = sl_alloc(t->config_size);
        known->size = known->data ? t->config_size : 0;
        if (known->data) {
            memcpy(known->data, c, t->config_size);
        } else {
            st = sl_fail_memory(err);
        }
    } else if (known->size != t->config_size || memcmp(known->data, c, known->size) != 0) {
        st = sl_fail(err, SL_EDATA, rung->name,
                     "the encoder's parameter sets are not those of the init segment");
    }
    (void)pthread_mutex_unlock(&v->lock);
    return st;
}

static enum sl_status open_encoder(struct sl_vod *v, const struct vod_rung *rung,
                                   struct sl_coder **out, struct sl_error *err)
{
    struct sl_scale_params scale = scale_for(v, rung);
    struct sl_remux_grid grid;
    init_grid(v, &grid);
    struct sl_encode_params p = {
        .log = v->log,
        .timebase = grid.out,
        .threads = 1,
        .width = rung->width,
        .height = rung->height,
        .frame_rate = v->tracks[v->picture].frame_rate,
        .sample_aspect = {1, 1},
        .colour = scale.colour,
        .preset = v->preset,
        .profile = "high",
        .level = rung->level,
        .latency = SL_LATENCY_LOOKAHEAD,
        .bframes = -1,
        .rate = SL_RATE_CRF,
        .maxrate = rung->maxrate,
        .buffer = rung->buffer,
    };
    enum sl_status st = sl_encode_open(out, SL_CODEC_H264, "x264", &p, err);
    if (st != SL_OK) {
        return st;
    }
    struct sl_track *t = &(*out)->track;
    int64_t reorder = t->reorder > 0 ? t->reorder : 0;
    t->timebase = grid.out;
    t->decode_delay = reorder * nominal_of(v, grid.out);
    return check_record(v, rung, t, err);
}

enum sl_status sl_vod_rung_track(struct sl_vod *v, const struct vod_rung *rung,
                                 struct sl_track *out, struct sl_error *err)
{
    struct sl_coder *encoder = NULL;
    enum sl_status st = open_encoder(v, rung, &encoder, err);
    if (st == SL_OK) {
        st = sl_track_copy(out, &encoder->track, err);
    }
    sl_encode_destroy(&encoder);
    return st;
}

/* ---- encoding ---------------------------------------------------------------------------------
 */

static enum sl_status encode(struct encode *e, struct sl_frame *frame, struct sl_error *err)
{
    const struct sl_coder_ops *ops = e->encoder->ops;
    for (;;) {
        enum sl_status st = sl_vod_check(e->job, err);
        st = st == SL_OK ? ops->send(e->encoder, frame, err) : st;
        bool sent = st == SL_OK;
        struct sl_packet *p = NULL;
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        while ((st = ops->receive(e->encoder, &p, err)) == SL_OK) {
            p->flags &= ~(uint32_t)SL_PACKET_CUT;
            p->track = 0;
            st = sl_vod_run_add(e->run, p, err);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

/* A picture that is shown from at to end. */
static enum sl_status show(struct encode *e, struct sl_frame *frame, int64_t at, int64_t end,
                           struct sl_error *err)
{
    struct sl_frame *shaped = NULL, *own = NULL;
    enum sl_status st = sl_scaler_run(e->scaler, frame, &shaped, err);
    if (st == SL_OK) {
        st = sl_frame_share(&own, shaped, err);
    }
    if (st == SL_OK) {
        own->pts = at;
        own->duration = end - at;
        own->sample_aspect = sl_rational(1, 1);
        own->flags = e->first ? 0 : SL_FRAME_KEY;
        e->first = true;
        st = encode(e, own, err);
    }
    sl_frame_unref(&own);
    sl_frame_unref(&shaped);
    return st;
}

static enum sl_status let_go(struct encode *e, int64_t until, struct sl_error *err)
{
    enum sl_status st = e->held ? show(e, e->held, e->held_at, until, err) : SL_OK;
    sl_frame_unref(&e->held);
    return st;
}

/* The first picture of the segment. One that is on when the segment begins is shown again, unless
 * the first is so close that it is what was meant. */
static enum sl_status begin(struct encode *e, struct sl_frame *f, int64_t at)
{
    if (at > e->from && at - e->from > e->nominal && e->before) {
        e->held = sl_frame_ref(e->before);
        e->held_at = e->from;
        return SL_EAGAIN; /* and now f */
    }
    e->held = sl_frame_ref(f);
    e->held_at = e->from;
    return SL_OK;
}

static enum sl_status take_frame(struct encode *e, struct sl_frame *f, struct sl_error *err)
{
    if (f->pts == SL_NO_TIME) {
        return SL_OK;
    }
    int64_t at = sl_remux_grid_place(&e->grid, f->pts);
    if (at < e->from) {
        sl_frame_unref(&e->before);
        e->before = sl_frame_ref(f);
        return SL_OK;
    }
    if (at >= e->to) {
        e->full = true;
        return SL_OK;
    }
    if (!e->held && !e->first && begin(e, f, at) == SL_OK) {
        return SL_OK;
    }
    if (at <= e->held_at) { /* not later than the one before */
        return SL_OK;
    }
    enum sl_status st = let_go(e, at, err);
    e->held = st == SL_OK ? sl_frame_ref(f) : NULL;
    e->held_at = at;
    return st;
}

static enum sl_status hand_on(void *opaque, struct sl_frame *f, struct sl_error *err)
{
    return take_frame(opaque, f, err);
}

/* Decodes one packet (NULL: drains). */
static enum sl_status decode(struct encode *e, struct sl_packet *p, struct sl_error *err)
{
    struct vod_decoding d = {.vod = e->job->vod,
                             .what = "picture",
                             .decoder = e->decoder,
                             .full = &e->full,
                             .damaged = &e->damaged,
                             .take = hand_on,
                             .opaque = e};
    return sl_vod_decode(&d, p, err);
}

static enum sl_status feed(struct encode *e, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    size_t track = e->job->vod->picture;
    while (st == SL_OK && !e->full) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(e->job, &p, err);
        if (st == SL_EOF) {
            st = decode(e, NULL, err);
            break;
        }
        if (st == SL_OK && p->track == track) {
            st = decode(e, p, err);
        }
        sl_packet_unref(&p);
    }
    /* Nothing new is shown in all of it: what was on stays on. */
    if (st == SL_OK && !e->held && !e->first && e->before) {
        e->held = sl_frame_ref(e->before);
        e->held_at = e->from;
    }
    st = st == SL_OK ? let_go(e, e->to, err) : st;
    if (st == SL_OK && !e->first) {
        return sl_fail(err, SL_ENOTFOUND, e->job->vod->where, "has no pictures from there on");
    }
    return st == SL_OK ? encode(e, NULL, err) : st;
}

enum sl_status sl_vod_encode(struct vod_job *j, const struct vod_rung *rung, size_t n,
                             struct vod_run *run, struct sl_track *track, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct sl_decode_params params = {.log = v->log};
    struct encode e = {.job = j, .rung = rung, .run = run};
    struct sl_scale_params scale = scale_for(v, rung);
    init_grid(v, &e.grid);
    e.nominal = nominal_of(v, e.grid.out);
    e.from = sl_vod_cut_in(v, v->split.at[n], e.grid.out, SL_ROUND_NEAREST);
    e.to = sl_vod_cut_in(v, sl_cuts_end(&v->split, n), e.grid.out, SL_ROUND_NEAREST);
    enum sl_status st = sl_decode_open(&e.decoder, &v->tracks[v->picture], &params, err);
    if (st == SL_OK) {
        st = sl_scaler_create(&e.scaler, &scale, err);
    }
    if (st == SL_OK) {
        st = open_encoder(v, rung, &e.encoder, err);
    }
    if (st == SL_OK) {
        st = sl_vod_seek(j, v->picture, n == 0 ? VOD_FIRST : v->split.at[n] + v->zero,
                         UINT64_C(1) << v->picture, err);
    }
    if (st == SL_OK) {
        st = feed(&e, err);
    }
    if (st == SL_OK) {
        st = sl_dts_assign(run->items, run->count, e.to, e.encoder->track.decode_delay, err);
        run->start = e.from - e.encoder->track.decode_delay;
        run->end = e.to - e.encoder->track.decode_delay;
    }
    if (st == SL_OK) {
        st = sl_track_copy(track, &e.encoder->track, err);
    }
    sl_frame_unref(&e.before);
    sl_frame_unref(&e.held);
    sl_decode_destroy(&e.decoder);
    sl_scaler_destroy(&e.scaler);
    sl_encode_destroy(&e.encoder);
    return st;
}
