/* SPDX-License-Identifier: BSD-2-Clause */
/* The tracks come together: the muxer opens once each has begun, and fragments end at key frames.
 *
 * A fragment ends at time T when a picture that can start the next one is at T. Sound before T that
 * has not come yet is waited for, within bounds: a track that stays silent does not make the others
 * pile up. What is at or after T is held until the fragment is out. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "media/codec_string.h"
#include "pipeline/remux_run.h"

/* The track whose packets decide where fragments end. */
static const struct sl_remux_track *leader(const struct sl_remux *r)
{
    if (r->picture && !r->picture->over) {
        return r->picture;
    }
    for (size_t i = 0; i < r->track_count; i++) {
        if (!r->tracks[i].over && r->tracks[i].out.kind == SL_KIND_AUDIO) {
            return &r->tracks[i];
        }
    }
    return NULL;
}

static bool is_waited_for(const struct sl_remux_track *t)
{
    return t->waited && !t->over;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void list_codecs(struct sl_remux *r)
{
    size_t used = 0;
    for (size_t i = 0; i < r->track_count; i++) {
        char text[SL_CODEC_STRING_MAX];
        if (sl_codec_string(&r->tracks[i].out, text, NULL) != SL_OK ||
            used + strlen(text) + 2 > sizeof r->codecs) {
            continue;
        }
        used += (size_t)snprintf(r->codecs + used, sizeof r->codecs - used, "%s%s",
                                 used > 0 ? "," : "", text);
    }
}

/* A track that has given nothing so far can still be described, or else is left out. */
static enum sl_status settle(struct sl_remux *r, struct sl_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->track_count; i++) {
        struct sl_remux_track *t = &r->tracks[i];
        bool usable = t->begun && t->complete;
        if (!usable) {
            sl_log_write(
                r->log, SL_LOG_WARN, "remux",
                "%s: track %zu (%s) is left out: nothing of it came in time to describe it",
                sl_window_name(r->window), t->source, t->out.codec_name);
            t->over = true;
            t->left_out = true;
            continue;
        }
        t->index = (uint32_t)kept++;
    }
    return kept > 0 ? SL_OK
                    : sl_fail(err, SL_EDATA, sl_window_name(r->window),
                              "holds nothing that could be written");
}

static enum sl_status open_muxer(struct sl_remux *r, struct sl_error *err)
{
    const struct sl_track *tracks[SL_REMUX_TRACKS_MAX];
    struct sl_mux_track places[SL_REMUX_TRACKS_MAX];
    size_t count = 0;
    enum sl_status st = settle(r, err);
    for (size_t i = 0; i < r->track_count && st == SL_OK; i++) {
        const struct sl_remux_track *t = &r->tracks[i];
        if (!t->left_out) {
            tracks[count] = &t->out;
            places[count++] = (struct sl_mux_track){.start = t->start, .in_band = t->form.in_band};
        }
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_mux_params params = {
        .log = r->log,
        .tracks = places,
        .flags = (r->params.styp ? 0 : SL_MUX_NO_STYP) | (r->params.sidx ? SL_MUX_SIDX : 0u) |
                 (r->params.no_init || r->params.faststart ? 0 : SL_MUX_SWITCH),
        .duration = r->progress.duration_us > 0 ? r->progress.duration_us : 0,
    };
    const struct sl_muxer_ops *ops = sl_mux_find(r->params.faststart ? "mp4" : "fmp4");
    if (!ops) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "this build has no such muxer");
    }
    st = sl_mux_open(&r->muxer, ops, tracks, count, &params, err);
    if (st == SL_OK) {
        list_codecs(r);
        st = r->params.no_init ? SL_OK : r->muxer->ops->header(r->muxer, &r->ready, err);
        r->header_size = r->ready.size;
    }
    r->fragment_empty = true;
    return st;
}

static bool may_open(const struct sl_remux *r)
{
    for (size_t i = 0; i < r->track_count; i++) {
        const struct sl_remux_track *t = &r->tracks[i];
        if (is_waited_for(t) && (!t->begun || !t->complete)) {
            return false;
        }
    }
    return true;
}

/* ---- cutting ------------------------------------------------------------------------------- */

static enum sl_status write_packet(struct sl_remux *r, struct sl_packet *p, struct sl_error *err)
{
    enum sl_status st = r->muxer->ops->write(r->muxer, p, err);
    if (st == SL_EAGAIN) {
        /* Another decoder configuration: a new init segment. */
        st = r->muxer->ops->flush(r->muxer, &r->ready, err);
        if (st == SL_OK) {
            st = r->muxer->ops->reconfigure(r->muxer, p, err);
        }
        if (st == SL_OK) {
            st = r->muxer->ops->header(r->muxer, &r->ready, err);
        }
        if (st == SL_OK) {
            st = r->muxer->ops->write(r->muxer, p, err);
        }
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st == SL_EAGAIN ? sl_fail(err, SL_EDATA, NULL, "the muxer took no configuration")
                               : st;
    }
    return SL_OK;
}

/* Ticks of t since the fragment began. */
static int64_t elapsed(const struct sl_remux *r, const struct sl_remux_track *t, int64_t pts)
{
    return pts - sl_rescale(r->from.ticks, r->from.base, t->out.timebase, SL_ROUND_NEAREST);
}

static int64_t ticks_of(struct sl_rational seconds, const struct sl_remux_track *t)
{
    return sl_rescale(seconds.num, sl_rational(1, seconds.den), t->out.timebase, SL_ROUND_NEAREST);
}

static bool too_long(const struct sl_remux *r, const struct sl_remux_track *t, int64_t pts)
{
    return r->fragment_memory > SL_REMUX_FRAGMENT_BYTES ||
           elapsed(r, t, pts) > ticks_of(sl_rational(SL_REMUX_FRAGMENT_SECONDS, 1), t);
}

/* Ends the fragment before this packet. */
static void cut_at(struct sl_remux *r, const struct sl_remux_track *by, int64_t pts)
{
    r->cutting = true;
    r->next = (struct sl_remux_moment){pts, by->out.timebase};
    for (size_t i = 0; i < r->track_count; i++) {
        struct sl_remux_track *t = &r->tracks[i];
        t->cut = t == by ? INT64_MIN
                         : sl_rescale(pts, by->out.timebase, t->out.timebase, SL_ROUND_NEAREST);
    }
}

static bool is_cut(const struct sl_remux *r, const struct sl_remux_track *t,
                   const struct sl_packet *p)
{
    const struct sl_remux_track *lead = leader(r);
    bool key = t->out.kind != SL_KIND_VIDEO || (p->flags & SL_PACKET_KEY);
    if (r->fragment_empty) {
        return false;
    }
    /* Another track than the leading one ends a fragment only where that one is silent. */
    return too_long(r, t, p->pts) || (t == lead && key && r->from.base.den > 0 &&
                                      elapsed(r, t, p->pts) >= ticks_of(r->params.fragment, t));
}

/* Writes a packet, or holds it where it belongs behind a cut. Consumes. */
static enum sl_status place(struct sl_remux *r, struct sl_packet *p, struct sl_error *err)
{
    struct sl_remux_track *t = r->by_index[p->track];
    if (r->from.base.den == 0) {
        r->from = (struct sl_remux_moment){p->pts, t->out.timebase};
    }
    if (!r->cutting && is_cut(r, t, p)) {
        cut_at(r, t, p->pts);
    }
    if (r->cutting && p->pts >= t->cut) {
        return sl_remux_fifo_put(&r->held, p, err);
    }
    r->fragment_memory += sl_remux_memory_of(p);
    r->fragment_empty = false;
    return write_packet(r, p, err);
}

static bool all_reached(const struct sl_remux *r)
{
    for (size_t i = 0; i < r->track_count; i++) {
        const struct sl_remux_track *t = &r->tracks[i];
        if (is_waited_for(t) && t->begun && t->reach < t->cut) {
            return false;
        }
    }
    return true;
}

/* Nobody waits for ever. */
static bool out_of_patience(struct sl_remux *r)
{
    bool late = r->held.memory > SL_REMUX_WAIT_BYTES || r->held.count > SL_REMUX_WAIT_PACKETS;
    bool beginning = !r->muxer && sl_window_file(r->window);
    struct sl_rational most = {beginning ? SL_REMUX_LATE_SECONDS : SL_REMUX_WAIT_SECONDS, 1};
    for (size_t i = 0; i < r->track_count && !late; i++) {
        const struct sl_remux_track *t = &r->tracks[i];
        if (t->begun) {
            int64_t since = r->muxer ? sl_rescale(r->next.ticks, r->next.base, t->out.timebase,
                                                  SL_ROUND_NEAREST)
                                     : t->base;
            late = t->reach - since > ticks_of(most, t);
        }
    }
    for (size_t i = 0; i < r->track_count && late; i++) {
        struct sl_remux_track *t = &r->tracks[i];
        if (r->muxer ? t->reach < t->cut : !t->begun || !t->complete) {
            t->waited = false;
        }
    }
    return late;
}

static void tell(struct sl_remux *r, bool finished)
{
    const struct sl_remux_track *t = r->picture ? r->picture : &r->tracks[0];
    r->progress.finished = finished;
    if (t->begun) {
        r->progress.position_us = sl_rescale(t->reach - t->base, t->out.timebase,
                                             sl_rational(1, 1000000), SL_ROUND_NEAREST);
    }
    if (r->events.progress) {
        r->events.progress(r->events.opaque, &r->progress);
    }
}

/* until: where the fragment ends; all that is left at the very end. */
static enum sl_status flush(struct sl_remux *r, const struct sl_remux_moment *until,
                            struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < r->track_count && st == SL_OK; i++) {
        struct sl_remux_track *t = &r->tracks[i];
        if (t->way == SL_REMUX_TEXT && !t->left_out) {
            st = sl_remux_text_cut(
                r, t,
                until ? sl_rescale(until->ticks, until->base, t->out.timebase, SL_ROUND_NEAREST)
                      : sl_remux_text_end(t),
                err);
        }
    }
    if (st == SL_OK) {
        st = r->muxer->ops->flush(r->muxer, &r->ready, err);
    }
    r->fragment_empty = true;
    r->fragment_memory = 0;
    r->progress.fragments++;
    tell(r, false);
    return st;
}

static enum sl_status replay(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t n = r->held.count; n > 0 && st == SL_OK; n--) {
        st = place(r, sl_remux_fifo_take(&r->held), err);
    }
    return st;
}

/* Opening numbered the tracks that are there; what waited for it was numbered before. */
static enum sl_status renumber(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < r->track_count; i++) {
        if (!r->tracks[i].left_out) {
            r->by_index[r->tracks[i].index] = &r->tracks[i];
        }
    }
    for (size_t n = r->held.count; n > 0 && st == SL_OK; n--) {
        struct sl_packet *p = sl_remux_fifo_take(&r->held);
        const struct sl_remux_track *t = &r->tracks[p->track];
        if (t->left_out) {
            sl_packet_unref(&p);
            continue;
        }
        p->track = t->index;
        st = sl_remux_fifo_put(&r->held, p, err);
    }
    return st;
}

enum sl_status sl_remux_join_check(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (!r->muxer) {
        if (r->held.count == 0 || (!may_open(r) && !out_of_patience(r))) {
            return SL_OK;
        }
        if (r->looking) {
            r->state = SL_REMUX_DONE;
            return settle(r, err);
        }
        st = open_muxer(r, err);
        st = st == SL_OK ? renumber(r, err) : st;
        st = st == SL_OK ? replay(r, err) : st;
    }
    while (st == SL_OK && r->cutting && (all_reached(r) || out_of_patience(r))) {
        st = flush(r, &r->next, err);
        r->cutting = false;
        r->from = r->next;
        if (st == SL_OK) {
            st = replay(r, err);
        }
    }
    return st;
}

enum sl_status sl_remux_join(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                             struct sl_error *err)
{
    enum sl_status st;
    if (t->left_out) {
        sl_packet_unref(&p);
        return SL_OK;
    }
    if (t->way != SL_REMUX_TEXT) {
        t->waited = true;
    }
    if (r->muxer) {
        st = place(r, p, err);
        return st == SL_OK && r->cutting ? sl_remux_join_check(r, err) : st;
    }
    st = sl_remux_fifo_put(&r->held, p, err);
    return st == SL_OK ? sl_remux_join_check(r, err) : st;
}

enum sl_status sl_remux_join_end(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = sl_remux_join_check(r, err);
    if (r->looking) {
        return st == SL_OK && r->held.count > 0 ? settle(r, err) : st;
    }
    if (st == SL_OK && !r->muxer) {
        return sl_fail(err, SL_EDATA, sl_window_name(r->window),
                       "holds nothing that could be written");
    }
    if (st == SL_OK && !r->fragment_empty) {
        st = flush(r, NULL, err);
    }
    if (st == SL_OK && r->muxer->ops->finish) {
        st = r->muxer->ops->finish(r->muxer, &r->front, err);
    }
    if (st == SL_OK) {
        tell(r, true);
    }
    return st;
}
