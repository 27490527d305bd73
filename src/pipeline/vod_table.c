/* SPDX-License-Identifier: BSD-2-Clause */
/* The cut table of a source: from its index, or from one scan; where each track ends; where exactly
 * each segment begins. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "pipeline/vod_run.h"

#define AAC_FRAME 1024
/* A segment longer than this makes an index suspect: then the source is asked itself. */
#define LONGEST_SECONDS 90
#define TAIL_SECONDS    5 /* before the last cut, for tracks that end a little earlier */
#define SHORTEST_MS     200

static bool has_picture(const struct sl_vod *v)
{
    return v->picture < v->info.track_count;
}

int64_t sl_vod_cut_in(const struct sl_vod *v, int64_t cut, struct sl_rational timebase,
                      enum sl_rounding rounding)
{
    return sl_rescale(cut, v->zero_base, timebase, rounding);
}

/* ---- cuts ---------------------------------------------------------------------------------- */

/* Bytes of each segment out of those between sync samples. */
static enum sl_status add_bytes(struct sl_vod *v, const struct sl_index *x, struct sl_error *err)
{
    int64_t *bytes = sl_alloc_array(v->cuts.count, sizeof *bytes);
    if (!bytes) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < x->count; i++) {
        int64_t *to = &bytes[sl_cuts_find(&v->cuts, x->entries[i].time - v->zero)];
        *to += x->entries[i].bytes < INT64_MAX / 2 - *to ? x->entries[i].bytes : 0;
    }
    sl_free(v->bytes);
    v->bytes = bytes;
    v->bytes_of_all = x->all_tracks;
    return SL_OK;
}

static enum sl_status make_cuts(struct sl_vod *v, const struct sl_index *x, int64_t end,
                                struct sl_error *err)
{
    struct sl_cuts_params p = {.timebase = v->zero_base,
                               .target = v->target,
                               .start = 0,
                               .end = end > 0 ? end : SL_NO_TIME};
    int64_t *keys = sl_alloc_array(x->count + 1, sizeof *keys);
    if (!keys) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < x->count; i++) {
        int64_t t = x->entries[i].time;
        keys[i] = t > INT64_MIN / 4 && t < INT64_MAX / 4 ? t - v->zero : SL_NO_TIME;
    }
    sl_cuts_clear(&v->cuts);
    enum sl_status st = sl_cuts_make(&v->cuts, &p, keys, x->count, err);
    if (st == SL_OK) {
        st = add_bytes(v, x, err);
    }
    sl_free(keys);
    return st;
}

static enum sl_status copy_table(struct sl_cuts *out, const struct sl_cuts *from,
                                 struct sl_error *err)
{
    *out = *from;
    out->at = sl_alloc_array(from->count, sizeof *out->at);
    if (!out->at) {
        out->count = out->capacity = 0;
        return sl_fail_memory(err);
    }
    out->capacity = from->count;
    memcpy(out->at, from->at, from->count * sizeof *out->at);
    return SL_OK;
}

/* Where the container says that it ends, as a bound for what an index claims. */
static int64_t stated_end(const struct sl_vod *v)
{
    int64_t us = v->info.duration;
    return us > 0 && us < INT64_MAX / 4
               ? sl_rescale(us, sl_rational(1, 1000000), v->zero_base, SL_ROUND_UP)
               : -1;
}

static bool is_plausible(const struct sl_vod *v)
{
    struct sl_rational most = {LONGEST_SECONDS, 1};
    int64_t end = stated_end(v);
    for (size_t i = 0; i < v->cuts.count; i++) {
        int64_t to = i + 1 < v->cuts.count ? v->cuts.at[i + 1] : end;
        if (to > v->cuts.at[i] &&
            sl_time_compare(to - v->cuts.at[i], v->zero_base, most.num, sl_rational(1, 1)) > 0) {
            return false;
        }
    }
    return true;
}

enum sl_status sl_vod_take_index(struct sl_vod *v, struct sl_demuxer *d, bool *found,
                                 struct sl_error *err)
{
    struct sl_index x = {.count = 0};
    struct sl_error why = {0};
    *found = false;
    if (!has_picture(v)) {
        v->indexing.state = VOD_KNOWN;
        *found = true;
        return SL_OK;
    }
    enum sl_status st =
        d->ops->index && !v->may_jump ? d->ops->index(d, v->picture, &x, &why) : SL_EUNSUPPORTED;
    if (st == SL_EUNSUPPORTED) {
        return SL_OK;
    }
    if (st != SL_OK) {
        return sl_fail(err, st, why.where, "%s", why.msg);
    }
    st = make_cuts(v, &x, stated_end(v), err);
    sl_free(x.entries);
    *found = st == SL_OK && is_plausible(v);
    if (*found) {
        v->indexing.state = VOD_KNOWN;
    }
    return st;
}

/* Reads all of the source, once. Memory is bounded by SL_INDEX_MAX. */
static enum sl_status scan(struct vod_job *j, void *arg, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct sl_index x = {.count = 0};
    enum sl_status st = sl_vod_seek(j, v->picture, VOD_FIRST, UINT64_C(1) << v->picture, err);
    (void)arg;
    if (st == SL_OK && v->may_jump) {
        j->jumping = true;
        st = sl_jumps_init(&j->jumps, j->reader->demuxer->tracks, j->reader->demuxer->track_count,
                           err);
    }
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        if (st != SL_OK) {
            break;
        }
        int64_t time = sl_vod_time(p), size = p->payload.size;
        bool ours = p->track == v->picture;
        bool key = ours && (p->flags & SL_PACKET_KEY) && time != SL_NO_TIME;
        sl_packet_unref(&p);
        if (key && sl_grow((void *)&x.entries, &x.capacity, x.count, sizeof *x.entries,
                           SL_INDEX_MAX) != SL_OK) {
            st = sl_fail_memory(err);
        } else if (key) {
            x.entries[x.count++] = (struct sl_index_entry){.time = time};
        }
        if (ours && x.count > 0) {
            x.entries[x.count - 1].bytes += size;
        }
    }
    st = st == SL_EOF ? SL_OK : st;
    if (st == SL_OK) {
        v->jumped = j->jumping && j->jumps.epochs > 0;
        st = make_cuts(v, &x, -1, err);
    }
    sl_free(x.entries);
    return st;
}

enum sl_status sl_vod_need_cuts(struct sl_vod *v, const struct sl_cancel *cancel,
                                struct sl_error *err)
{
    return has_picture(v) ? sl_vod_once(v, &v->indexing, scan, NULL, cancel, err) : SL_OK;
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* Ticks of facts.out, counted as packets' times are, at which the last packet ends. */
static void set_end(struct sl_vod *v, size_t i)
{
    struct vod_track *k = &v->known[i];
    struct sl_rational out = k->facts.out.timebase, in = v->tracks[i].timebase;
    if (k->last == SL_NO_TIME || !k->passable || v->tracks[i].kind != SL_KIND_AUDIO) {
        return;
    }
    int64_t length = k->grid.frame > 0 ? k->grid.frame
                     : k->last_duration > 0
                         ? sl_rescale(k->last_duration, in, out, SL_ROUND_NEAREST)
                         : 1;
    length -= k->trim > 0 ? k->trim : 0;
    k->end = sl_vod_grid_place(&k->grid, k->last) + (length > 0 ? length : 1) - k->facts.zero;
}

static void note_last(struct sl_vod *v, const struct sl_packet *p)
{
    struct vod_track *k = p->track < v->info.track_count ? &v->known[p->track] : NULL;
    int64_t time = sl_vod_time(p);
    if (!k || time == SL_NO_TIME || p->payload.size == 0 ||
        (k->last != SL_NO_TIME && time < k->last)) {
        return;
    }
    k->last = time;
    k->trim = p->trim_end;
    k->last_duration = p->duration;
}

/* From a track's sync sample at or before time to the end of the source. */
static enum sl_status read_tail(struct vod_job *j, size_t track, int64_t time, uint64_t set,
                                struct sl_error *err)
{
    enum sl_status st = sl_vod_seek(j, track, time, set, err);
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        if (st == SL_OK) {
            note_last(j->vod, p);
        }
        sl_packet_unref(&p);
    }
    return st == SL_EOF ? SL_OK : st;
}

static int64_t step_of(const struct sl_vod *v)
{
    const struct sl_track *t = &v->tracks[v->picture];
    if (!t->frame_rate_exact || !sl_rational_valid(t->frame_rate)) {
        return 0;
    }
    /* only where a picture lasts a whole number of ticks */
    int64_t n = sl_rescale(1, sl_rational(t->frame_rate.den, t->frame_rate.num), v->zero_base,
                           SL_ROUND_NEAREST);
    return n > 0 && sl_time_compare(n, v->zero_base, 1,
                                    sl_rational(t->frame_rate.den, t->frame_rate.num)) == 0
               ? n
               : 0;
}

static enum sl_status find_ends(struct vod_job *j, void *arg, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    size_t lead = has_picture(v) ? v->picture : v->sound;
    uint64_t sounds = 0, all;
    (void)arg;
    for (size_t i = 0; i < v->info.track_count; i++) {
        sounds |= v->tracks[i].kind == SL_KIND_AUDIO ? UINT64_C(1) << i : 0;
        v->known[i].last = SL_NO_TIME;
    }
    all = sounds | UINT64_C(1) << lead;
    int64_t back = sl_rescale(TAIL_SECONDS, sl_rational(1, 1), v->zero_base, SL_ROUND_UP);
    int64_t from = has_picture(v) ? v->zero + v->cuts.at[v->cuts.count - 1] - back : INT64_MAX / 4;
    enum sl_status st = read_tail(j, lead, from, all, err);
    for (size_t i = 0; i < v->info.track_count && st == SL_OK; i++) {
        /* It ended long before, or the last key frames were not there after all. */
        if ((all >> i & 1) && v->known[i].last == SL_NO_TIME) {
            st = read_tail(j, i, INT64_MAX / 4, UINT64_C(1) << i, err);
        }
        if (st == SL_OK && (all >> i & 1) && v->known[i].last == SL_NO_TIME) {
            st = read_tail(j, i, VOD_FIRST, UINT64_C(1) << i, err);
        }
        set_end(v, i);
    }
    if (st == SL_OK && has_picture(v)) {
        const struct vod_track *k = &v->known[v->picture];
        const struct sl_track *t = &v->tracks[v->picture];
        int64_t length = k->last_duration;
        if (length == SL_NO_TIME || length <= 0) {
            length = sl_rational_valid(t->frame_rate)
                         ? sl_rescale(1, sl_rational(t->frame_rate.den, t->frame_rate.num),
                                      v->zero_base, SL_ROUND_NEAREST)
                         : 1;
        }
        if (k->last == SL_NO_TIME || k->last < v->zero) {
            return sl_fail(err, SL_EDATA, v->where, "has no pictures");
        }
        sl_cuts_clear(&v->real);
        sl_cuts_clear(&v->split);
        st = copy_table(&v->real, &v->cuts, err);
        /* Cuts behind the last picture were no more than claims. */
        while (st == SL_OK && v->real.count > 1 &&
               v->real.at[v->real.count - 1] > k->last - v->zero) {
            v->real.count--;
        }
        v->real.end = k->last - v->zero + (length > 0 ? length : 1);
        st = st == SL_OK ? sl_cuts_split(&v->split, &v->real, v->target, step_of(v), err) : st;
    }
    return st;
}

enum sl_status sl_vod_need_ends(struct sl_vod *v, const struct sl_cancel *cancel,
                                struct sl_error *err)
{
    enum sl_status st = sl_vod_need_cuts(v, cancel, err);
    return st == SL_OK ? sl_vod_once(v, &v->ending, find_ends, NULL, cancel, err) : st;
}

/* ---- edges --------------------------------------------------------------------------------- */

/* Over a network a look at each cut would be a request. Then all groups are taken for closed, and
 * said to be of unknown kind where the codec has others. */
static enum sl_status assume_edges(struct vod_job *j, struct vod_edge *e, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    const struct sl_remux_track *t = &v->known[v->picture].facts;
    enum sl_status st = sl_vod_edge_at(j, VOD_FIRST, &e[0], err);
    for (size_t i = 1; i <= v->real.count && st == SL_OK; i++) {
        int64_t cut = i < v->real.count ? v->real.at[i] : v->real.end;
        e[i] = (struct vod_edge){.dts = sl_vod_cut_in(v, cut, t->out.timebase, SL_ROUND_NEAREST) -
                                        (e[0].earliest - e[0].dts),
                                 .closed = t->out.codec != SL_CODEC_H264 &&
                                           t->out.codec != SL_CODEC_HEVC};
        if (e[i].dts <= e[i - 1].dts) {
            st = sl_fail(err, SL_EDATA, v->where, "segment %zu would hold no time", i - 1);
        }
    }
    return st;
}

static enum sl_status look_at_edges(struct vod_job *j, struct vod_edge *e, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct vod_run run = {.items = NULL};
    size_t last = v->real.count - 1;
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < v->real.count && st == SL_OK; i++) {
        st = sl_vod_edge_at(j, i == 0 ? VOD_FIRST : v->real.at[i], &e[i], err);
        if (st == SL_OK && i > 0 && e[i].dts <= e[i - 1].dts) {
            st = sl_fail(err, SL_EDATA, v->where, "segment %zu would hold no time", i - 1);
        }
    }
    if (st == SL_OK) {
        st = sl_vod_pictures(j, last == 0 ? VOD_FIRST : v->real.at[last], VOD_LAST, &run, err);
        e[last + 1] = (struct vod_edge){.dts = run.end, .closed = true};
    }
    sl_vod_run_clear(&run);
    return st;
}

static enum sl_status find_edges(struct vod_job *j, void *arg, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct vod_edge *e = sl_alloc_array(v->real.count + 1, sizeof *e);
    (void)arg;
    if (!e) {
        return sl_fail_memory(err);
    }
    enum sl_status st =
        sl_window_file(j->reader->window) ? look_at_edges(j, e, err) : assume_edges(j, e, err);
    if (st != SL_OK) {
        sl_free(e);
        return st;
    }
    v->edges = e;
    v->closed = true;
    for (size_t i = 0; i <= v->real.count; i++) {
        v->closed = v->closed && e[i].closed;
    }
    return SL_OK;
}

enum sl_status sl_vod_need_edges(struct sl_vod *v, const struct sl_cancel *cancel,
                                 struct sl_error *err)
{
    enum sl_status st = sl_vod_need_ends(v, cancel, err);
    return st == SL_OK && has_picture(v) && v->known[v->picture].passable
               ? sl_vod_once(v, &v->edging, find_edges, NULL, cancel, err)
               : st;
}

/* ---- tables of renditions ------------------------------------------------------------------- */

static enum sl_status picture_table(struct sl_vod *v, struct sl_cuts *out,
                                    const struct sl_cancel *cancel, struct sl_error *err)
{
    enum sl_status st = sl_vod_need_edges(v, cancel, err);
    *out = (struct sl_cuts){.timebase = v->known[v->picture].facts.out.timebase};
    out->at = st == SL_OK ? sl_alloc_array(v->real.count, sizeof *out->at) : NULL;
    if (!out->at) {
        return st == SL_OK ? sl_fail_memory(err) : st;
    }
    out->count = out->capacity = v->real.count;
    for (size_t i = 0; i < out->count; i++) {
        out->at[i] = v->edges[i].dts;
    }
    out->end = v->edges[out->count].dts;
    return SL_OK;
}

static enum sl_status copied_table(struct sl_vod *v, const struct sl_vod_rendition *r,
                                   struct sl_cuts *out, struct sl_error *err)
{
    const struct vod_track *k = &v->known[r->track];
    struct sl_cuts_grid g = {
        .timebase = k->facts.out.timebase,
        .origin = k->grid.origin - k->facts.zero,
        .step = k->grid.frame,
        .start = k->facts.first - k->facts.zero,
        .end = k->end,
        .shortest =
            sl_rescale(SHORTEST_MS, sl_rational(1, 1000), k->facts.out.timebase, SL_ROUND_UP),
    };
    return has_picture(v) ? sl_cuts_on_grid(out, &v->split, &g, v->target, err)
                          : sl_cuts_even(out, &g, v->target, err);
}

static enum sl_status converted_table(struct sl_vod *v, const struct sl_vod_rendition *r,
                                      struct sl_cuts *out, const struct sl_cancel *cancel,
                                      struct sl_error *err)
{
    enum sl_status st = sl_vod_need_decoded(v, r->track, cancel, err);
    const struct vod_decoded *d = &v->known[r->track].decoded;
    if (st != SL_OK) {
        return st;
    }
    struct sl_rational tb = {1, d->out_rate};
    struct sl_cuts_grid g = {
        .timebase = tb,
        .step = AAC_FRAME,
        /* packets are whole, the last one too */
        .end = sl_muldiv(d->end, 1, AAC_FRAME, SL_ROUND_UP) * AAC_FRAME,
        .shortest = sl_rescale(SHORTEST_MS, sl_rational(1, 1000), tb, SL_ROUND_UP),
    };
    return has_picture(v) ? sl_cuts_on_grid(out, &v->split, &g, v->target, err)
                          : sl_cuts_even(out, &g, v->target, err);
}

/* Text is cut where everything else is. */
static enum sl_status text_table(struct sl_vod *v, struct sl_cuts *out,
                                 const struct sl_cancel *cancel, struct sl_error *err)
{
    struct sl_vod_rendition sound = {.track = v->sound};
    if (has_picture(v)) {
        return copy_table(out, &v->split, err);
    }
    if (v->sound == v->info.track_count) {
        return sl_fail(err, SL_ENOTFOUND, v->where, "has nothing but text");
    }
    return v->known[v->sound].passable && v->known[v->sound].grid.frame > 0
               ? copied_table(v, &sound, out, err)
               : converted_table(v, &sound, out, cancel, err);
}

enum sl_status sl_vod_table(struct sl_vod *v, const struct sl_vod_rendition *r, struct sl_cuts *out,
                            const struct sl_cancel *cancel, struct sl_error *err)
{
    *out = (struct sl_cuts){.count = 0};
    if (r->kind == SL_KIND_VIDEO && r->copy) {
        return picture_table(v, out, cancel, err);
    }
    enum sl_status st = sl_vod_need_ends(v, cancel, err);
    if (st != SL_OK) {
        return st;
    }
    switch (r->kind) {
    case SL_KIND_VIDEO:
        return copy_table(out, &v->split, err);
    case SL_KIND_AUDIO:
        return r->copy ? copied_table(v, r, out, err) : converted_table(v, r, out, cancel, err);
    default:
        return text_table(v, out, cancel, err);
    }
}

void sl_vod_table_shown(const struct sl_vod *v, const struct sl_vod_rendition *r, struct sl_cuts *c)
{
    int64_t first = c->at[0], end = sl_cuts_end(c, 0);
    if (r->kind == SL_KIND_VIDEO && r->copy) {
        int64_t earliest = v->edges[0].earliest;
        first -= earliest < 0 ? earliest : 0;
    } else {
        first = first < 0 ? 0 : first;
    }
    c->at[0] = first < end ? first : end - 1;
}
