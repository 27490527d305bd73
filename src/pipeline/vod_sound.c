/* SPDX-License-Identifier: BSD-2-Clause */
/* Passed-through sound of one segment. Which frames: in the source's order, from the first one
 * whose place (struct vod_grid) is at or after the cut. Within, frames follow one another as
 * sl_remux has them follow; the first begins and the last ends where the table says, which in sound
 * without gaps is where they do anyway. No frame is ever left out. */
#include "base/error.h"
#include "base/rational.h"
#include "media/adts.h"
#include "pipeline/vod_run.h"

#define BACK_MS 500 /* sought before a time: what containers say of their order is not exact */

struct sounds {
    struct vod_job *job;
    const struct vod_track *k;
    size_t track;
    int64_t from, to;
    bool inside;
    int64_t last, length; /* of the frame before: its place, and what it holds */
};

/* Of the frames before time zero sl_remux keeps those that are heard, or lead by little. */
static bool is_kept(const struct sounds *s, int64_t place)
{
    const struct sl_remux_track *t = &s->k->facts;
    return place + s->k->grid.frame + t->lead > 0;
}

/* A container whose times are as fine as samples may say that a frame is short. */
static int64_t length_of(const struct vod_grid *g, const struct sl_packet *p)
{
    if (p->duration == SL_NO_TIME || p->duration <= 0 || sl_rational_compare(g->in, g->out) > 0) {
        return g->frame;
    }
    int64_t n = sl_rescale(p->duration, g->in, g->out, SL_ROUND_NEAREST);
    return n > 0 && (n < g->frame - g->slack || n > g->frame + g->slack) ? n : g->frame;
}

/* After the one before, as far as its own time allows, and never before it. */
static int64_t follow(const struct sounds *s, const struct sl_packet *p)
{
    const struct vod_grid *g = &s->k->grid;
    int64_t t = sl_rescale(p->pts - g->zero, g->in, g->out, SL_ROUND_NEAREST) - s->k->facts.zero;
    int64_t next = s->last + s->length;
    next = next < t - g->slack ? t - g->slack : next > t + g->slack ? t + g->slack : next;
    return next > s->last ? next : s->last + 1;
}

static enum sl_status put(struct sounds *s, struct sl_packet *p, struct vod_run *run,
                          struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (s->k->facts.form.adts) {
        st = sl_adts_unwrap(p, err);
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st;
    }
    int64_t start = s->k->facts.first - s->k->facts.zero;
    int64_t place = run->count > 0 ? follow(s, p) : s->from != VOD_FIRST ? s->from : start;
    s->length = length_of(&s->k->grid, p);
    s->last = place;
    p->pts = p->dts = place;
    p->track = 0;
    return sl_vod_run_add(run, p, err);
}

static enum sl_status collect(struct sounds *s, struct vod_run *run, struct sl_error *err)
{
    const struct vod_track *k = s->k;
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(s->job, &p, err);
        if (st == SL_EOF) {
            return SL_OK;
        }
        if (st != SL_OK) {
            return st;
        }
        if (p->track != s->track || p->payload.size == 0 || p->pts == SL_NO_TIME) {
            sl_packet_unref(&p);
            continue;
        }
        int64_t place = sl_vod_grid_place(&k->grid, p->pts) - k->facts.zero;
        if (place >= s->to) {
            sl_packet_unref(&p);
            return SL_OK;
        }
        s->inside = s->inside || (s->from == VOD_FIRST ? is_kept(s, place) : place >= s->from);
        if (!s->inside) {
            sl_packet_unref(&p);
            continue;
        }
        st = put(s, p, run, err);
    }
    return st;
}

/* Durations; the last frame ends where the segment does, and others make room where times are not
 * in order. */
static enum sl_status end_at(struct vod_run *run, int64_t end, struct sl_error *err)
{
    int64_t next = end;
    if (end - run->items[0]->pts < (int64_t)run->count) {
        return sl_fail(err, SL_EDATA, NULL,
                       "%zu frames of sound lie between %lld and %lld, where there is not room",
                       run->count, (long long)run->items[0]->pts, (long long)end);
    }
    for (size_t i = run->count; i-- > 0;) {
        struct sl_packet *p = run->items[i];
        p->pts = p->dts = p->pts < next ? p->pts : next - 1;
        p->duration = next - p->pts;
        next = p->pts;
    }
    run->start = run->items[0]->pts;
    run->end = end;
    return SL_OK;
}

enum sl_status sl_vod_sounds(struct vod_job *j, size_t track, int64_t from, int64_t to,
                             struct vod_run *run, struct sl_error *err)
{
    const struct vod_track *k = &j->vod->known[track];
    struct sounds s = {.job = j, .k = k, .track = track, .from = from, .to = to};
    int64_t time = VOD_FIRST;
    if (from != VOD_FIRST) {
        int64_t back = sl_rescale(BACK_MS, sl_rational(1, 1000), k->grid.out, SL_ROUND_UP);
        time = k->grid.zero +
               sl_rescale(from + k->facts.zero - back, k->grid.out, k->grid.in, SL_ROUND_DOWN);
    }
    enum sl_status st = sl_vod_seek(j, track, time, UINT64_C(1) << track, err);
    if (st == SL_OK) {
        st = collect(&s, run, err);
    }
    if (st == SL_OK && run->count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, j->vod->where, "track %zu has no sound from there on",
                     track);
    }
    return st == SL_OK ? end_at(run, to == VOD_LAST ? k->end : to, err) : st;
}
