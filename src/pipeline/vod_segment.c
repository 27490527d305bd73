/* SPDX-License-Identifier: BSD-2-Clause */
/* Init segments and segments: which packets, and through which muxer. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"
#include "mux/registry.h"
#include "pipeline/vod_run.h"

#define AAC_FRAME 1024

/* One track of an output. */
struct part {
    struct sl_track track; /* owned */
    struct sl_mux_track place;
    struct vod_run run;
};

static void part_clear(struct part *p)
{
    sl_track_clear(&p->track);
    sl_vod_run_clear(&p->run);
}

static enum sl_status no_such(const struct sl_vod *v, const char *name, struct sl_error *err)
{
    return sl_fail(err, SL_ENOTFOUND, v->where, "has no rendition \"%.40s\" in this format", name);
}

/* ---- tracks ---------------------------------------------------------------------------------- */

/* How the track of a rendition begins. */
static enum sl_status describe(struct sl_vod *v, const struct sl_vod_rendition *r, struct part *p,
                               const struct sl_cancel *cancel, struct sl_error *err)
{
    const struct vod_track *k = &v->known[r->track];
    enum sl_status st = SL_OK;
    sl_track_init(&p->track);
    if (r->copy) {
        p->place = (struct sl_mux_track){k->facts.start, k->facts.form.in_band};
        return sl_track_copy(&p->track, &k->facts.out, err);
    }
    if (r->kind == SL_KIND_AUDIO) {
        st = sl_vod_need_ends(v, cancel, err);
        st = st == SL_OK ? sl_vod_need_decoded(v, r->track, cancel, err) : st;
        st = st == SL_OK ? sl_track_copy(&p->track, &k->decoded.aac, err) : st;
    } else {
        st = sl_vod_need_picture(v, cancel, err);
        st = st == SL_OK ? sl_vod_rung_track(v, sl_vod_rung_of(v, r), &p->track, err) : st;
    }
    (void)memcpy(p->track.language, v->tracks[r->track].language, sizeof p->track.language);
    return st;
}

static enum sl_status open_muxer(const struct sl_vod *v, enum sl_vod_format format,
                                 const struct part *parts, size_t count, size_t sequence,
                                 struct sl_muxer **out, struct sl_error *err)
{
    const struct sl_track *tracks[2];
    struct sl_mux_track places[2];
    for (size_t i = 0; i < count; i++) {
        tracks[i] = &parts[i].track;
        places[i] = parts[i].place;
    }
    struct sl_mux_params params = {.log = v->log, .tracks = places, .sequence = (uint32_t)sequence};
    return sl_mux_open(out, format == SL_VOD_TS ? &sl_mux_ts : &sl_mux_fmp4, tracks, count, &params,
                       err);
}

enum sl_status sl_vod_init(struct sl_vod *v, const char *name, struct sl_chain *out,
                           const struct sl_cancel *cancel, struct sl_error *err)
{
    const struct sl_vod_rendition *r = sl_vod_find(v, name);
    struct part part = {.place = {0}};
    struct sl_muxer *m = NULL;
    struct sl_chain made;
    if (!r || r->kind == SL_KIND_SUBTITLE) {
        return no_such(v, name, err);
    }
    sl_chain_init(&made);
    enum sl_status st = describe(v, r, &part, cancel, err);
    if (st == SL_OK) {
        st = open_muxer(v, SL_VOD_FMP4, &part, 1, 0, &m, err);
    }
    if (st == SL_OK) {
        st = m->ops->header(m, &made, err);
    }
    if (st == SL_OK) {
        st = sl_chain_move(out, &made, err);
    }
    sl_mux_destroy(&m);
    sl_chain_clear(&made);
    part_clear(&part);
    return st;
}

/* ---- packets --------------------------------------------------------------------------------- */

static enum sl_status beyond(const struct sl_vod *v, size_t n, size_t count, struct sl_error *err)
{
    return sl_fail(err, SL_ENOTFOUND, v->where, "has no segment %zu, there are %zu", n, count);
}

/* The track's place follows from where its packets begin. */
static void set_place(struct part *p)
{
    p->place.start = p->run.start + p->track.decode_delay;
}

static enum sl_status copied_pictures(struct vod_job *j, size_t n, struct part *p,
                                      struct sl_error *err)
{
    const struct sl_cuts *c = &j->vod->cuts;
    if (n >= c->count) {
        return beyond(j->vod, n, c->count, err);
    }
    return sl_vod_pictures(j, n == 0 ? VOD_FIRST : c->at[n],
                           n + 1 < c->count ? c->at[n + 1] : VOD_LAST, &p->run, err);
}

static enum sl_status sound(struct vod_job *j, const struct sl_vod_rendition *r, int64_t from,
                            int64_t to, bool first, struct part *p, struct sl_error *err)
{
    if (r->copy) {
        return sl_vod_sounds(j, r->track, first ? VOD_FIRST : from, to, &p->run, err);
    }
    /* The first packet is the coder's priming. */
    return sl_vod_convert(j, r->track, first ? -AAC_FRAME : from, to, &p->run, err);
}

static enum sl_status sound_of(struct vod_job *j, const struct sl_vod_rendition *r,
                               const struct sl_cuts *table, size_t n, struct part *p,
                               struct sl_error *err)
{
    bool last = n + 1 == table->count;
    return sound(j, r, table->at[n], last ? VOD_LAST : table->at[n + 1], n == 0, p, err);
}

/* ---- sound beside pictures in TS ------------------------------------------------------------- */

/* What is muxed in: the default sound as it is, where TS carries it, else as AAC. */
static const struct sl_vod_rendition *beside(const struct sl_vod *v)
{
    const struct sl_vod_rendition *found = NULL;
    for (size_t i = 0; i < v->info.rendition_count; i++) {
        const struct sl_vod_rendition *r = &v->renditions[i];
        if (r->kind == SL_KIND_AUDIO && r->track == v->sound && !found &&
            (!r->copy || sl_vod_ts_carries(v->known[r->track].facts.out.codec))) {
            found = r;
        }
    }
    return found;
}

/* The first frame at or after a cut. */
static int64_t at_cut(const struct sl_vod *v, const struct sl_vod_rendition *r, int64_t cut)
{
    const struct vod_track *k = &v->known[r->track];
    struct sl_rational tb = r->copy ? k->facts.out.timebase : sl_rational(1, k->decoded.out_rate);
    int64_t origin = r->copy ? k->grid.origin - k->facts.zero : 0;
    int64_t step = r->copy ? k->grid.frame : AAC_FRAME;
    int64_t at = sl_vod_cut_in(v, cut, tb, SL_ROUND_UP);
    return origin + sl_muldiv(at - origin, 1, step, SL_ROUND_UP) * step;
}

static enum sl_status sound_beside(struct vod_job *j, const struct sl_vod_rendition *r,
                                   const struct sl_cuts *cuts, size_t n, struct part *p,
                                   struct sl_error *err)
{
    const struct sl_vod *v = j->vod;
    struct sl_error why = {0};
    int64_t from = at_cut(v, r, cuts->at[n]);
    int64_t to = n + 1 < cuts->count ? at_cut(v, r, cuts->at[n + 1]) : VOD_LAST;
    if (to <= from) {
        return SL_OK;
    }
    enum sl_status st = sound(j, r, from, to, n == 0, p, &why);
    if (st == SL_ENOTFOUND) { /* it has ended, or has not begun */
        return SL_OK;
    }
    return st == SL_OK ? SL_OK : sl_fail(err, st, why.where, "%s", why.msg);
}

/* ---- segments -------------------------------------------------------------------------------- */

static enum sl_status mux(const struct sl_vod *v, enum sl_vod_format format, struct part *parts,
                          size_t count, size_t n, struct sl_chain *out, struct sl_error *err)
{
    struct sl_muxer *m = NULL;
    for (size_t i = 0; i < count; i++) {
        set_place(&parts[i]);
    }
    enum sl_status st = open_muxer(v, format, parts, count, n, &m, err);
    for (size_t i = 0; i < count && st == SL_OK; i++) {
        for (size_t k = 0; k < parts[i].run.count && st == SL_OK; k++) {
            parts[i].run.items[k]->track = (uint32_t)i;
            st = m->ops->write(m, parts[i].run.items[k], err);
            parts[i].run.items[k] = st == SL_OK ? NULL : parts[i].run.items[k];
        }
    }
    if (st == SL_OK) {
        st = m->ops->flush(m, out, err);
    }
    sl_mux_destroy(&m);
    return st;
}

/* What a segment needs to be known before its job begins: a job holds a reader, and others may be
 * waiting for one. */
static enum sl_status need(struct sl_vod *v, const struct sl_vod_rendition *r,
                           enum sl_vod_format format, struct sl_cuts *table,
                           const struct sl_cancel *cancel, struct sl_error *err)
{
    const struct sl_vod_rendition *other = format == SL_VOD_TS ? beside(v) : NULL;
    enum sl_status st = sl_vod_need_cuts(v, cancel, err);
    *table = (struct sl_cuts){.count = 0};
    if (st == SL_OK && r->kind == SL_KIND_VIDEO && r->copy && format == SL_VOD_FMP4) {
        return SL_OK; /* two cuts are all that it takes */
    }
    st = st == SL_OK ? sl_vod_need_ends(v, cancel, err) : st;
    if (st == SL_OK && r->kind == SL_KIND_VIDEO && !r->copy) {
        st = sl_vod_need_picture(v, cancel, err);
    } else if (st == SL_OK && r->kind != SL_KIND_VIDEO) {
        st = sl_vod_table(v, r, table, cancel, err);
    }
    if (st == SL_OK && r->kind == SL_KIND_VIDEO && other && !other->copy) {
        st = sl_vod_need_decoded(v, other->track, cancel, err);
    }
    return st;
}

static enum sl_status segment(struct vod_job *j, const struct sl_vod_rendition *r,
                              enum sl_vod_format format, const struct sl_cuts *table, size_t n,
                              struct sl_chain *out, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct part parts[2] = {{.place = {0}}};
    const struct sl_vod_rendition *other =
        format == SL_VOD_TS && r->kind == SL_KIND_VIDEO ? beside(v) : NULL;
    const struct sl_cuts *cuts = r->copy ? &v->cuts : &v->split;
    enum sl_status st = SL_OK;
    sl_track_init(&parts[0].track);
    sl_track_init(&parts[1].track);
    if (r->kind == SL_KIND_AUDIO) {
        st = n < table->count ? sound_of(j, r, table, n, &parts[0], err)
                              : beyond(v, n, table->count, err);
    } else if (r->copy) {
        st = copied_pictures(j, n, &parts[0], err);
    } else {
        st = n < cuts->count
                 ? sl_vod_encode(j, sl_vod_rung_of(v, r), n, &parts[0].run, &parts[0].track, err)
                 : beyond(v, n, cuts->count, err);
    }
    if (st == SL_OK && other) {
        st = sound_beside(j, other, cuts, n, &parts[1], err);
    }
    /* The reader is free for others; what follows knows already what it asks for. */
    sl_vod_end(j);
    if (st == SL_OK && (r->copy || r->kind == SL_KIND_AUDIO)) {
        st = describe(v, r, &parts[0], j->cancel, err);
    }
    if (st == SL_OK && other) {
        st = describe(v, other, &parts[1], j->cancel, err);
    }
    if (st == SL_OK) {
        st = mux(v, format, parts, other ? 2 : 1, n, out, err);
    }
    part_clear(&parts[0]);
    part_clear(&parts[1]);
    return st;
}

static enum sl_status text(struct vod_job *j, const struct sl_vod_rendition *r,
                           enum sl_vod_format format, const struct sl_cuts *table, size_t n,
                           struct sl_chain *out, struct sl_error *err)
{
    const struct sl_rational ms = {1, 1000};
    if (n >= table->count) {
        return beyond(j->vod, n, table->count, err);
    }
    return sl_vod_text(j, r->track, sl_rescale(table->at[n], table->timebase, ms, SL_ROUND_NEAREST),
                       sl_rescale(sl_cuts_end(table, n), table->timebase, ms, SL_ROUND_NEAREST),
                       format, out, err);
}

enum sl_status sl_vod_segment(struct sl_vod *v, const char *name, enum sl_vod_format format,
                              size_t n, struct sl_chain *out, const struct sl_cancel *cancel,
                              struct sl_error *err)
{
    const struct sl_vod_rendition *r = sl_vod_find(v, name);
    struct vod_job j = {.vod = NULL};
    struct sl_cuts table;
    struct sl_chain made;
    if (!r || (format == SL_VOD_TS && !r->ts && r->kind != SL_KIND_SUBTITLE)) {
        return no_such(v, name, err);
    }
    sl_chain_init(&made);
    enum sl_status st = need(v, r, format, &table, cancel, err);
    if (st == SL_OK) {
        st = sl_vod_begin(&j, v, cancel, err);
    }
    if (st == SL_OK) {
        st = r->kind == SL_KIND_SUBTITLE ? text(&j, r, format, &table, n, &made, err)
                                         : segment(&j, r, format, &table, n, &made, err);
    }
    sl_vod_end(&j);
    if (st == SL_EAGAIN) {
        /* Its sound cannot be placed without knowing all that came before. */
        st = sl_vod_need_marks(v, r->kind == SL_KIND_AUDIO ? r->track : v->sound, cancel, err);
        st = st == SL_OK ? sl_vod_begin(&j, v, cancel, err) : st;
        st = st == SL_OK ? segment(&j, r, format, &table, n, &made, err) : st;
    }
    sl_vod_end(&j);
    if (st == SL_OK) {
        st = sl_chain_move(out, &made, err);
    }
    sl_chain_clear(&made);
    sl_cuts_clear(&table);
    return st;
}
