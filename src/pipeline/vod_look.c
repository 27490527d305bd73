/* SPDX-License-Identifier: BSD-2-Clause */
/* What the header and the first packets tell. The looking is done by sl_remux, so that what it
 * would write and what is cut out here begin alike. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/complete.h"
#include "media/track.h"
#include "pipeline/vod_run.h"

#define SAMPLED 64 /* packets of sound whose sizes tell its rate */

int64_t sl_vod_grid_place(const struct vod_grid *g, int64_t time)
{
    int64_t at = sl_rescale(time - g->zero, g->in, g->out, SL_ROUND_NEAREST);
    if (g->frame <= 0) {
        return at;
    }
    int64_t k = sl_muldiv(at - g->origin, 1, g->frame, SL_ROUND_NEAREST);
    int64_t on = g->origin + k * g->frame;
    return on - at <= g->slack && at - on <= g->slack ? on : at;
}

static enum sl_status copy_tracks(struct sl_vod *v, const struct sl_demuxer *d,
                                  struct sl_error *err)
{
    v->info.track_count = d->track_count < VOD_TRACKS_MAX ? d->track_count : VOD_TRACKS_MAX;
    v->tracks = sl_alloc_array(v->info.track_count + 1, sizeof *v->tracks);
    v->known = sl_alloc_array(v->info.track_count + 1, sizeof *v->known);
    if (!v->tracks || !v->known) {
        v->info.track_count = 0;
        return sl_fail_memory(err);
    }
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < v->info.track_count && st == SL_OK; i++) {
        sl_track_init(&v->tracks[i]);
        sl_track_init(&v->known[i].facts.out);
        sl_track_init(&v->known[i].decoded.aac);
        v->known[i].last = SL_NO_TIME;
        st = sl_track_copy(&v->tracks[i], &d->tracks[i], err);
    }
    v->info.tracks = v->tracks;
    (void)snprintf(v->info.format, sizeof v->info.format, "%s", d->format);
    v->info.duration = d->duration;
    v->may_jump = d->may_jump;
    return st;
}

/* The places of frames that all agree, from the look at the first ones: the last of these, since
 * the very first may stand apart (priming in fragments). */
static void take_grid(struct vod_track *k, const struct sl_remux_track *t, const struct sl_remux *r,
                      uint32_t index)
{
    const struct sl_remux_sound *s = &t->sound;
    int64_t origin = t->first;
    for (size_t n = 0; n < r->held.count; n++) {
        const struct sl_packet *p = sl_remux_fifo_at(&r->held, n);
        origin = p->track == index ? p->pts + t->zero : origin;
    }
    bool even = s->frame > 0 || t->out.codec == SL_CODEC_OPUS;
    k->grid = (struct vod_grid){.in = s->in,
                                .out = s->out,
                                .origin = origin,
                                .frame = s->frame > 0 ? s->frame
                                         : even       ? s->length
                                                      : 0,
                                .slack = s->slack};
}

/* Sizes of the packets of sound that the look has left over. */
static void take_bitrate(struct sl_vod *v, const struct sl_remux *r)
{
    for (size_t i = 0; i < v->info.track_count; i++) {
        int64_t bytes = 0, first = SL_NO_TIME, last = SL_NO_TIME;
        int64_t count = 0;
        const struct sl_track *track = &v->tracks[i];
        int at = r->map[i];
        v->known[i].bitrate = track->bitrate > 0 ? track->bitrate : 0;
        if (at < 0 || track->kind != SL_KIND_AUDIO || v->known[i].bitrate > 0) {
            continue;
        }
        const struct sl_remux_track *t = &r->tracks[at];
        for (size_t n = 0; n < r->held.count && count < SAMPLED; n++) {
            const struct sl_packet *p = sl_remux_fifo_at(&r->held, n);
            if (p->track == (uint32_t)at) {
                bytes += p->payload.size;
                first = first == SL_NO_TIME ? p->pts : first;
                last = p->pts + p->duration;
                count++;
            }
        }
        if (count > 0 && last > first) {
            v->known[i].bitrate =
                sl_rescale(8 * bytes, sl_rational(t->out.timebase.den, t->out.timebase.num),
                           sl_rational(last - first, 1), SL_ROUND_UP);
        }
    }
}

static void take(struct sl_vod *v, struct sl_remux *r)
{
    v->zero = r->zero;
    v->zero_base = r->zero_base;
    v->picture = v->sound = v->info.track_count;
    take_bitrate(v, r);
    for (size_t i = 0; i < r->track_count; i++) {
        struct sl_remux_track *t = &r->tracks[i];
        struct vod_track *k = &v->known[t->source];
        if (t->out.kind == SL_KIND_VIDEO) {
            v->picture = t->source;
        }
        if ((t->way != SL_REMUX_PICTURES && t->way != SL_REMUX_SOUND) || t->left_out) {
            continue;
        }
        if (t->way == SL_REMUX_SOUND) {
            take_grid(k, t, r, (uint32_t)i);
        }
        k->facts = *t;
        k->passable = true;
        /* The track's own memory has a new owner; what else it holds stays with the remux. */
        sl_track_init(&t->out);
        k->facts.dts.count = k->facts.dts.dealt = 0;
        memset(&k->facts.tail, 0, sizeof k->facts.tail);
        memset(&k->facts.sound, 0, sizeof k->facts.sound);
        k->facts.convert = NULL;
        k->facts.encode = NULL;
        k->facts.text = NULL;
    }
}

/* Of all tracks of sound the one that a player should take: as sl_remux would. */
static void choose_sound(struct sl_vod *v)
{
    for (size_t i = 0; i < v->info.track_count; i++) {
        const struct sl_track *t = &v->tracks[i];
        const struct sl_track *best = v->sound < v->info.track_count ? &v->tracks[v->sound] : NULL;
        if (t->kind != SL_KIND_AUDIO) {
            continue;
        }
        if (!best || (t->is_default && !best->is_default) ||
            (!t->is_default == !best->is_default && t->channels > best->channels)) {
            v->sound = i;
        }
    }
}

static void relay(const struct sl_cancel *from, struct sl_remux *r)
{
    if (sl_cancelled(from)) {
        sl_remux_request_cancel(r);
    }
}

enum sl_status sl_vod_look(struct sl_vod *v, struct vod_reader *reader,
                           const struct sl_cancel *cancel, struct sl_error *err)
{
    struct sl_remux_params *p = sl_alloc_zero(sizeof *p);
    struct sl_remux *r = NULL;
    enum sl_status st = p ? copy_tracks(v, reader->demuxer, err) : sl_fail_memory(err);
    if (st == SL_OK) {
        struct sl_rational none = {0, 1};
        size_t sounds = 0;
        p->start = p->duration = p->decode_time = none;
        p->fragment = (struct sl_rational){1, 1};
        p->channels = 2;
        p->keep_going = 1;
        p->video = SL_REMUX_VIDEO_AUTO;
        p->audio = SL_REMUX_AUDIO_AUTO;
        for (size_t i = 0; i < v->info.track_count; i++) {
            sounds += v->tracks[i].kind == SL_KIND_AUDIO;
        }
        /* One place is the picture's. */
        if (sounds > 0 && sounds < SL_REMUX_TRACKS_MAX) {
            (void)snprintf(p->audio_track, sizeof p->audio_track, "all");
        }
        st = sl_remux_create(&r, p, NULL, NULL, v->log, err);
    }
    if (st == SL_OK) {
        struct sl_window *own = r->window;
        r->window = reader->window;
        r->demuxer = reader->demuxer;
        r->pushed = false;
        relay(cancel, r);
        st = sl_remux_look(r, err);
        r->demuxer = NULL;
        r->window = own;
    }
    if (st == SL_OK) {
        take(v, r);
        choose_sound(v);
    }
    sl_remux_free(&r);
    sl_free(p);
    return st;
}
