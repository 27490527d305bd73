/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source is offered as. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "encode/registry.h"
#include "media/codec_string.h"
#include "media/h264.h"
#include "pipeline/ladder_plan.h"
#include "pipeline/vod_run.h"

#define REORDER_MAX 4 /* reference pictures that any preset of x264 up to "medium" asks for */

bool sl_vod_plays(enum sl_codec codec)
{
    switch (codec) {
    case SL_CODEC_H264:
    case SL_CODEC_HEVC:
    case SL_CODEC_AV1:
    case SL_CODEC_VP9:
    case SL_CODEC_AAC:
    case SL_CODEC_MP3:
    case SL_CODEC_OPUS:
    case SL_CODEC_FLAC:
    case SL_CODEC_AC3:
    case SL_CODEC_EAC3:
        return true;
    default:
        return false;
    }
}

bool sl_vod_ts_carries(enum sl_codec codec)
{
    return codec == SL_CODEC_H264 || codec == SL_CODEC_HEVC || codec == SL_CODEC_AAC;
}

/* As displayed: turned, and with square samples. */
static void displayed(const struct sl_track *t, int32_t *width, int32_t *height)
{
    int64_t w = t->width, h = t->height;
    if (sl_rational_valid(t->sample_aspect)) {
        w = sl_muldiv(w, t->sample_aspect.num, t->sample_aspect.den, SL_ROUND_NEAREST);
        w = w < 1 ? 1 : w > INT32_MAX ? INT32_MAX : w;
    }
    bool turned = t->rotation == 90 || t->rotation == 270;
    *width = (int32_t)(turned ? h : w);
    *height = (int32_t)(turned ? w : h);
}

static struct sl_vod_rendition *add(struct sl_vod *v, enum sl_media_kind kind, size_t track)
{
    if (v->info.rendition_count == SL_VOD_RENDITIONS_MAX) {
        return NULL;
    }
    struct sl_vod_rendition *r = &v->renditions[v->info.rendition_count++];
    const struct sl_track *t = &v->tracks[track];
    *r = (struct sl_vod_rendition){.kind = kind, .track = track};
    (void)snprintf(r->language, sizeof r->language, "%s", t->language);
    return r;
}

/* ---- pictures ------------------------------------------------------------------------------ */

static enum sl_status offer_source(struct sl_vod *v)
{
    const struct vod_track *k = &v->known[v->picture];
    char codecs[SL_CODEC_STRING_MAX];
    if (!k->passable || !sl_vod_plays(k->facts.out.codec) ||
        sl_codec_string(&k->facts.out, codecs, NULL) != SL_OK) {
        return SL_OK;
    }
    if (k->facts.form.in_band) {
        sl_codec_string_in_band(codecs);
    }
    struct sl_vod_rendition *r = add(v, SL_KIND_VIDEO, v->picture);
    if (r) {
        (void)snprintf(r->name, sizeof r->name, "source");
        (void)snprintf(r->codecs, sizeof r->codecs, "%s", codecs);
        r->copy = r->is_default = true;
        r->ts = sl_vod_ts_carries(k->facts.out.codec);
        displayed(&k->facts.out, &r->width, &r->height);
        r->frame_rate = v->tracks[v->picture].frame_rate;
    }
    return SL_OK;
}

/* The lowest level that holds the rung whatever the encoder's preset, announced in the playlist and
 * given to the encoder. */
static int level_of(const struct sl_vod *v, const struct sl_ladder_rung *r)
{
    struct sl_rational rate = v->tracks[v->picture].frame_rate;
    /* High profile allows 1.25 times the bitrate of Main (ISO/IEC 14496-10 A.3.3). */
    int level = sl_h264_level_of((int32_t)r->width, (int32_t)r->height,
                                 sl_rational_valid(rate) ? rate : sl_rational(60, 1), REORDER_MAX,
                                 sl_muldiv(r->maxrate * 1000, 4, 5, SL_ROUND_UP));
    return level > 0 ? level : 62;
}

static enum sl_status offer_rungs(struct sl_vod *v, struct sl_error *err)
{
    struct sl_ladder_params *params = sl_alloc_zero(sizeof *params);
    struct sl_ladder_rung *plan = sl_alloc_array(SL_LADDER_RUNGS_MAX, sizeof *plan);
    const struct sl_ladder_rung *rung;
    size_t count = 0;
    int32_t width = 0, height = 0;
    enum sl_status st = params && plan ? SL_OK : sl_fail_memory(err);
    if (st == SL_OK) {
        (void)snprintf(params->preset, sizeof params->preset, "%s", v->preset);
        displayed(v->known[v->picture].passable ? &v->known[v->picture].facts.out
                                                : &v->tracks[v->picture],
                  &width, &height);
        if (width >= 2 && height >= 2) {
            st = sl_ladder_plan(params, width, height, plan, &count, err);
        }
    }
    for (size_t i = 0; i < count && st == SL_OK; i++) {
        struct sl_vod_rendition *r = add(v, SL_KIND_VIDEO, v->picture);
        struct vod_rung *own = &v->rungs[v->rung_count];
        if (!r) {
            break;
        }
        rung = &plan[i];
        *own = (struct vod_rung){.width = (int32_t)rung->width,
                                 .height = (int32_t)rung->height,
                                 .bitrate = rung->bitrate * 1000,
                                 .maxrate = rung->maxrate * 1000,
                                 .buffer = rung->buffer * 1000,
                                 .level = level_of(v, rung)};
        (void)snprintf(own->name, sizeof own->name, "%dp", (int)own->height);
        v->rung_count++;
        (void)snprintf(r->name, sizeof r->name, "%s", own->name);
        /* High profile, no constraint flag set: what is asserted when the encoder opens */
        (void)snprintf(r->codecs, sizeof r->codecs, "avc1.6400%02x", (unsigned)own->level);
        r->costly = r->ts = true;
        r->width = own->width;
        r->height = own->height;
        r->frame_rate = v->tracks[v->picture].frame_rate;
        r->is_default = i == 0 && v->info.rendition_count == 1;
    }
    sl_free(params);
    sl_free(plan);
    return st;
}

const struct vod_rung *sl_vod_rung_of(const struct sl_vod *v, const struct sl_vod_rendition *r)
{
    for (size_t i = 0; i < v->rung_count; i++) {
        if (strcmp(v->rungs[i].name, r->name) == 0) {
            return &v->rungs[i];
        }
    }
    return NULL;
}

/* ---- sound and text ------------------------------------------------------------------------- */

static void set_title(const struct sl_vod *v, struct sl_vod_rendition *r, const char *what)
{
    const struct sl_track *t = &v->tracks[r->track];
    /* Names differ within a group (RFC 8216bis 4.4.6.1.1), so the track's number is in all. */
    if (t->title[0]) {
        (void)snprintf(r->title, sizeof r->title, "%.100s (%zu)", t->title, r->track);
    } else if (t->language[0]) {
        (void)snprintf(r->title, sizeof r->title, "%s (%zu)", t->language, r->track);
    } else {
        (void)snprintf(r->title, sizeof r->title, "%s %zu", what, r->track);
    }
}

static void offer_sound(struct sl_vod *v, size_t track, bool can_convert)
{
    const struct vod_track *k = &v->known[track];
    const struct sl_track *t = k->passable ? &k->facts.out : &v->tracks[track];
    char codecs[SL_CODEC_STRING_MAX];
    if (k->passable && sl_vod_plays(t->codec) && k->grid.frame > 0 &&
        sl_codec_string(t, codecs, NULL) == SL_OK) {
        struct sl_vod_rendition *r = add(v, SL_KIND_AUDIO, track);
        if (r) {
            (void)snprintf(r->name, sizeof r->name, "audio%zu-copy", track);
            (void)snprintf(r->codecs, sizeof r->codecs, "%s", codecs);
            r->copy = true;
            r->channels = t->channels;
            r->is_default = track == v->sound;
            r->ts = v->picture == v->info.track_count && sl_vod_ts_carries(t->codec);
            set_title(v, r, "sound");
        }
    }
    struct sl_vod_rendition *r = can_convert ? add(v, SL_KIND_AUDIO, track) : NULL;
    if (r) {
        (void)snprintf(r->name, sizeof r->name, "audio%zu-aac", track);
        (void)snprintf(r->codecs, sizeof r->codecs, "mp4a.40.2");
        r->costly = true;
        r->channels = t->channels < 2 ? t->channels : 2;
        r->is_default = track == v->sound;
        r->ts = v->picture == v->info.track_count;
        set_title(v, r, "sound");
    }
}

static void offer_text(struct sl_vod *v, size_t track)
{
    const struct sl_track *t = &v->tracks[track];
    struct sl_vod_rendition *r =
        sl_remux_is_text(t->codec) ? add(v, SL_KIND_SUBTITLE, track) : NULL;
    if (r) {
        (void)snprintf(r->name, sizeof r->name, "text%zu", track);
        (void)snprintf(r->codecs, sizeof r->codecs, "wvtt");
        r->is_default = t->is_default != 0;
        set_title(v, r, "text");
    }
}

enum sl_status sl_vod_offer(struct sl_vod *v, struct sl_error *err)
{
    const struct sl_coder_ops *ops = NULL;
    enum sl_status st = SL_OK;
    v->renditions = sl_alloc_array(SL_VOD_RENDITIONS_MAX, sizeof *v->renditions);
    v->info.renditions = v->renditions;
    if (!v->renditions) {
        return sl_fail_memory(err);
    }
    if (v->picture < v->info.track_count) {
        st = offer_source(v);
        if (st == SL_OK && sl_encode_find(SL_CODEC_H264, "x264", &ops, NULL) == SL_OK) {
            st = offer_rungs(v, err);
        }
    }
    for (size_t i = 0; i < v->info.track_count && st == SL_OK; i++) {
        if (v->tracks[i].kind == SL_KIND_AUDIO) {
            offer_sound(v, i, true);
        }
    }
    for (size_t i = 0; i < v->info.track_count && st == SL_OK; i++) {
        if (v->tracks[i].kind == SL_KIND_SUBTITLE) {
            offer_text(v, i);
        }
    }
    if (st == SL_OK && v->info.rendition_count == 0) {
        st = sl_fail(err, SL_EDATA, v->where, "holds nothing that could be played");
    }
    return st;
}
