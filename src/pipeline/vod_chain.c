/* SPDX-License-Identifier: BSD-2-Clause */
/* The places of frames of sound where they are decoded. filter/sound.h appends what is within 25 ms
 * of where the line stands, and moves the line otherwise, so that a place may depend
 * on all that came before. Where times are regular it does not: then the grid says it. Where they
 * are not, some seconds before are mostly enough; where they are not either, one reading of the
 * track leaves marks to go on from. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "filter/sound.h"
#include "pipeline/vod_run.h"

#define MARK_EVERY 2 /* seconds */
#define MARKS_MAX  (1u << 20)
#define JITTER     12000 /* of a second: what libavformat's own counting may be off */

bool sl_vod_chain_regular(const struct vod_decoded *d, int64_t time)
{
    const struct vod_grid *g = &d->grid;
    if (g->frame <= 0) {
        return true; /* there is no grid that it could be off */
    }
    int64_t at = sl_rescale(time - g->zero, g->in, g->out, SL_ROUND_NEAREST);
    int64_t k = sl_muldiv(at - g->origin, 1, g->frame, SL_ROUND_NEAREST);
    int64_t off = g->origin + k * g->frame - at;
    /* the origin and this time are rounded, each by half a tick */
    int64_t most = sl_rescale(1, g->in, g->out, SL_ROUND_UP) + 1;
    most = most > d->rate / JITTER ? most : d->rate / JITTER;
    return off <= most && off >= -most;
}

static int64_t time_in(const struct vod_decoded *d, int64_t time)
{
    return sl_rescale(time - d->grid.zero, d->grid.in, d->grid.out, SL_ROUND_NEAREST);
}

/* Samples of the source by which a time may be off the line before the line follows it. */
static int64_t jitter_of(const struct vod_decoded *d)
{
    return sl_muldiv(SL_SOUND_JITTER(d->out_rate), d->rate, d->out_rate, SL_ROUND_UP);
}

/* Samples that a packet decodes to. */
static int64_t length_of(struct vod_chain *c, const struct sl_packet *p)
{
    const struct vod_decoded *d = c->d;
    uint8_t head;
    if (!d->counted) {
        return d->grid.frame;
    }
    if (sl_chain_read(&p->payload, 0, &head, 1, NULL) != SL_OK) {
        return 0;
    }
    unsigned block = sl_vorbis_block(&d->vorbis, &head, 1);
    int64_t samples = sl_vorbis_samples(c->before, block);
    c->before = block > 0 ? block : c->before;
    return samples;
}

int64_t sl_vod_chain_place(struct vod_chain *c, const struct sl_packet *p, int64_t time)
{
    int64_t t = time_in(c->d, time), jitter = jitter_of(c->d), length = length_of(c, p);
    if (length <= 0) { /* not known; or the first of those that are counted, which gives nothing */
        return t;
    }
    if (c->next != SL_NO_TIME && t - c->next >= -jitter && t - c->next <= jitter) {
        t = c->next;
    }
    /* A frame that overlaps is cut at its beginning, by the line itself. */
    c->next = c->next != SL_NO_TIME && t + length < c->next ? c->next : t + length;
    return t;
}

void sl_vod_chain_warm(struct vod_chain *c, const struct sl_packet *p, int64_t time)
{
    const struct vod_decoded *d = c->d;
    int64_t t = time_in(d, time), jitter = jitter_of(d), frame = d->grid.frame;
    size_t kept = 0;
    bool moved = false;
    if (c->next != SL_NO_TIME || frame <= 0) {
        (void)sl_vod_chain_place(c, p, time);
        return;
    }
    c->irregular = c->irregular || !sl_vod_chain_regular(d, time);
    if (c->place_count == 0) {
        c->places[c->place_count++] = (struct vod_places){t + frame - jitter, t + frame + jitter};
        return;
    }
    for (size_t i = 0; i < c->place_count; i++) {
        struct vod_places at = c->places[i];
        moved = moved || at.low < t - jitter || at.high > t + jitter;
        at.low = at.low < t - jitter ? t - jitter : at.low;
        at.high = at.high > t + jitter ? t + jitter : at.high;
        if (at.low <= at.high) { /* these are near enough to be gone on from */
            c->places[kept++] = (struct vod_places){at.low + frame, at.high + frame};
        }
    }
    if (moved && kept < VOD_PLACES) { /* and all others come together here */
        c->places[kept++] = (struct vod_places){t + frame, t + frame};
    } else if (moved) {
        kept = 0; /* too many to keep: from this packet on, then */
        c->places[kept++] = (struct vod_places){t + frame - jitter, t + frame + jitter};
    }
    c->place_count = kept;
}

enum sl_status sl_vod_chain_settle(struct vod_chain *c, int64_t time)
{
    int64_t low = c->place_count > 0 ? c->places[0].low : 0, high = low;
    if (c->next != SL_NO_TIME || c->d->grid.frame <= 0) {
        return SL_OK;
    }
    for (size_t i = 0; i < c->place_count; i++) {
        low = c->places[i].low < low ? c->places[i].low : low;
        high = c->places[i].high > high ? c->places[i].high : high;
    }
    if (c->place_count > 0 && low == high) {
        c->next = low;
        return SL_OK;
    }
    if (c->irregular || !c->d->regular || !sl_vod_chain_regular(c->d, time)) {
        return SL_EAGAIN;
    }
    c->next = sl_vod_grid_place(&c->d->grid, time);
    return SL_OK;
}

static enum sl_status end_from(struct vod_job *j, size_t track, struct vod_decoded *d, int64_t from,
                               int64_t last, int64_t *end, struct sl_error *err)
{
    struct vod_chain c = {.d = d, .next = SL_NO_TIME};
    enum sl_status st = sl_vod_seek(j, track, from, UINT64_C(1) << track, err);
    bool done = false;
    while (st == SL_OK && !done) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        bool ours = st == SL_OK && p->track == track && p->payload.size > 0;
        int64_t time = ours ? sl_vod_time(p) : SL_NO_TIME;
        bool counts = time != SL_NO_TIME && time >= from;
        done = counts && time >= last;
        if (done) {
            st = sl_vod_chain_settle(&c, time);
            (void)sl_vod_chain_place(&c, p, time);
        } else if (counts) {
            sl_vod_chain_warm(&c, p, time);
        }
        sl_packet_unref(&p);
    }
    *end = c.next;
    d->regular = d->regular && !c.irregular && sl_vod_chain_regular(d, last);
    return st == SL_OK || st == SL_EOF ? done ? SL_OK : SL_EAGAIN : st;
}

enum sl_status sl_vod_chain_end(struct vod_job *j, size_t track, struct vod_decoded *d,
                                int64_t last, int64_t *end, struct sl_error *err)
{
    enum sl_status st = SL_EAGAIN;
    int64_t second = sl_rescale(1, sl_rational(1, 1), d->grid.in, SL_ROUND_UP);
    for (int64_t warm = VOD_WARM; warm <= VOD_WARM_MOST && st == SL_EAGAIN; warm *= 10) {
        int64_t from = last - warm * second;
        st = from > d->grid.zero ? end_from(j, track, d, from, last, end, err) : SL_EAGAIN;
    }
    if (st == SL_EAGAIN) {
        st = sl_vod_mark_all(j, track, d, err);
        *end = d->line_end;
        d->marking.state = st == SL_OK ? VOD_KNOWN : VOD_UNKNOWN;
    }
    return st;
}

enum sl_status sl_vod_mark_all(struct vod_job *j, size_t track, struct vod_decoded *d,
                               struct sl_error *err)
{
    const struct vod_grid *g = &d->grid;
    struct vod_chain c = {.d = d, .next = SL_NO_TIME};
    int64_t early = g->zero - sl_rescale(VOD_DECODE_MS, sl_rational(1, 1000), g->in, SL_ROUND_UP);
    int64_t marked = SL_NO_TIME;
    enum sl_status st = sl_vod_seek(j, track, VOD_FIRST, UINT64_C(1) << track, err);
    d->mark_count = 0; /* of an attempt that failed */
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        bool ours = st == SL_OK && p->track == track && p->payload.size > 0;
        int64_t time = ours ? sl_vod_time(p) : SL_NO_TIME;
        if (time == SL_NO_TIME || time < early) {
            sl_packet_unref(&p);
            continue;
        }
        struct vod_mark mark = {time, c.next, c.before};
        int64_t place = sl_vod_chain_place(&c, p, time);
        sl_packet_unref(&p);
        if (mark.next == SL_NO_TIME && !d->counted) { /* else it gives nothing */
            mark.next = place;
        }
        if (marked == SL_NO_TIME || place - marked >= (int64_t)MARK_EVERY * d->rate) {
            if (sl_grow((void *)&d->marks, &d->mark_capacity, d->mark_count, sizeof *d->marks,
                        MARKS_MAX) != SL_OK) {
                return sl_fail_memory(err);
            }
            d->marks[d->mark_count++] = mark;
            marked = place;
        }
    }
    d->line_end = c.next;
    return st == SL_EOF ? SL_OK : st;
}

struct marking {
    size_t track;
    struct vod_decoded *d;
};

static enum sl_status mark(struct vod_job *j, void *arg, struct sl_error *err)
{
    const struct marking *m = arg;
    return sl_vod_mark_all(j, m->track, m->d, err);
}

enum sl_status sl_vod_need_marks(struct sl_vod *v, size_t track, const struct sl_cancel *cancel,
                                 struct sl_error *err)
{
    struct marking m = {track, &v->known[track].decoded};
    return sl_vod_once(v, &m.d->marking, mark, &m, cancel, err);
}

const struct vod_mark *sl_vod_mark_before(const struct vod_decoded *d, int64_t place)
{
    const struct vod_mark *found = NULL;
    for (size_t i = 0; i < d->mark_count && (i == 0 || d->marks[i].next <= place); i++) {
        found = &d->marks[i];
    }
    return found;
}
