/* SPDX-License-Identifier: BSD-2-Clause */
/* Passed-through sound of one segment: the frames whose place (struct vod_grid) lies in it. Within,
 * each lasts until the next one begins; the first begins and the last ends where the table says,
 * which in sound without gaps is where they do anyway. */
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
    int64_t last; /* place of the frame before */
    bool any;     /* some frame has been seen */
};

/* Of the frames before time zero sl_remux keeps those that are heard, or lead by little. */
static bool is_kept(const struct sounds *s, int64_t place)
{
    const struct sl_remux_track *t = &s->k->facts;
    int64_t frame = s->k->grid.frame;
    return s->from != VOD_FIRST || place + frame + t->lead > 0;
}

static enum sl_status put(struct sounds *s, struct sl_packet *p, int64_t place, struct vod_run *run,
                          struct sl_error *err)
{
    enum sl_status st = SL_OK;
    bool first = run->count == 0;
    if (!first && place <= s->last) { /* it lies within the one before */
        sl_packet_unref(&p);
        return SL_OK;
    }
    if (s->k->facts.form.adts) {
        st = sl_adts_unwrap(p, err);
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st;
    }
    place = first && s->from != VOD_FIRST ? s->from : place;
    p->pts = p->dts = place;
    p->track = 0;
    if (!first) {
        run->items[run->count - 1]->duration = place - run->items[run->count - 1]->pts;
    }
    s->last = place;
    return vod_run_add(run, p, err);
}

static enum sl_status collect(struct sounds *s, struct vod_run *run, struct sl_error *err)
{
    const struct vod_track *k = s->k;
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = vod_read(s->job, &p, err);
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
        int64_t place = vod_grid_place(&k->grid, p->pts) - k->facts.zero;
        if (place >= s->to) {
            sl_packet_unref(&p);
            return SL_OK;
        }
        if (place < s->from || !is_kept(s, place)) {
            sl_packet_unref(&p);
            continue;
        }
        st = put(s, p, place, run, err);
    }
    return st;
}

enum sl_status vod_sounds(struct vod_job *j, size_t track, int64_t from, int64_t to,
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
    enum sl_status st = vod_seek(j, track, time, UINT64_C(1) << track, err);
    if (st == SL_OK) {
        st = collect(&s, run, err);
    }
    if (st == SL_OK && run->count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, j->vod->where, "track %zu has no sound from there on",
                     track);
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_packet *end = run->items[run->count - 1];
    run->start = run->items[0]->pts;
    run->end = to == VOD_LAST ? k->end : to;
    run->end = run->end > end->pts ? run->end : end->pts + 1;
    end->duration = run->end - end->pts;
    return SL_OK;
}
