/* SPDX-License-Identifier: BSD-2-Clause */
/* The multivariant playlist of a ladder: announced once every rendition has a segment, and written
 * again with measured rates when all is done. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/publish.h"
#include "base/rational.h"
#include "pipeline/ladder_run.h"

#define MASTER_MAX (1u << 16)

/* While the run goes on nobody knows the final peak; the encoder's limit plus what the container
 * adds is a promise that holds. */
static int64_t promised(int64_t kbits)
{
    return kbits * 1000 + kbits * 50;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct master_text {
    char uri[SL_LADDER_RUNGS_MAX][64];
    char codecs[SL_LADDER_RUNGS_MAX][2 * SL_CODEC_STRING_MAX];
    struct sl_variant variants[SL_LADDER_RUNGS_MAX];
};

static void describe(const struct sl_ladder *l, size_t i, const struct sl_playlist_rates *rates,
                     bool finished, struct master_text *text)
{
    const struct sl_rung *r = &l->rungs[i];
    const struct sl_ladder_sound *sound = &l->sound;
    bool muxed = l->params.format == SL_LADDER_TS;
    struct sl_variant *v = &text->variants[i];
    const struct sl_playlist_rates *picture = &rates[i];
    const struct sl_playlist_rates *voice = &rates[l->rung_count];
    struct sl_rational aspect = l->sample_aspect;

    (void)snprintf(text->uri[i], sizeof text->uri[i], "%s/playlist.m3u8", r->plan.name);
    (void)snprintf(text->codecs[i], sizeof text->codecs[i], "%s%s%s", r->codecs,
                   sound->present ? "," : "", sound->present ? sound->codec : "");
    v->uri = text->uri[i];
    v->name = r->plan.name;
    v->codecs = text->codecs[i];
    v->bandwidth = picture->peak;
    v->average_bandwidth = picture->average;
    if (!finished) {
        int64_t voice_kbits = sound->present ? l->params.audio_bitrate : 0;
        v->bandwidth = larger(v->bandwidth, promised(r->plan.maxrate + (muxed ? voice_kbits : 0)));
        v->average_bandwidth =
            larger(v->average_bandwidth, promised(r->plan.bitrate + (muxed ? voice_kbits : 0)));
    }
    if (sound->present && !muxed) {
        int64_t kbits = finished ? 0 : promised(l->params.audio_bitrate);
        v->bandwidth += larger(voice->peak, kbits);
        v->average_bandwidth += larger(voice->average, kbits);
        v->audio_group = "audio";
    }
    v->width = (int32_t)r->plan.width;
    v->height = (int32_t)r->plan.height;
    /* As players show it: the longer side of a pixel is stretched, nothing is shrunk. */
    if (sl_rational_valid(aspect) && aspect.num > aspect.den) {
        v->width = (int32_t)sl_muldiv(v->width, aspect.num, aspect.den, SL_ROUND_NEAREST);
    } else if (sl_rational_valid(aspect)) {
        v->height = (int32_t)sl_muldiv(v->height, aspect.den, aspect.num, SL_ROUND_NEAREST);
    }
    v->frame_rate = l->frame_rate;
}

static enum sl_status publish(const struct sl_ladder *l, const struct sl_playlist_rates *rates,
                              bool finished, struct sl_error *err)
{
    enum sl_status st = SL_ENOMEM;
    struct sl_writer w;
    sl_writer_init(&w, MASTER_MAX);
    char *path = sl_format("%s/master.m3u8", l->params.output);
    struct master_text *text = sl_alloc_zero(sizeof *text);
    if (!path || !text) {
        st = sl_fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < l->rung_count; i++) {
        describe(l, i, rates, finished, text);
    }
    struct sl_rendition_entry entry = {
        .group = "audio",
        .name = l->sound.track.title[0]      ? l->sound.track.title
                : l->sound.track.language[0] ? l->sound.track.language
                                             : "audio",
        .language = l->sound.track.language,
        .uri = "audio/playlist.m3u8",
        .channels = (int32_t)l->params.audio_channels,
        .is_default = true,
    };
    bool own = l->sound.present && l->params.format == SL_LADDER_FMP4;
    st = sl_master_render(text->variants, l->rung_count, &entry, own ? 1 : 0, &w, err);
    if (st == SL_OK) {
        st = sl_publish_bytes(path, w.data, w.size, err);
    }
out:
    sl_free(text);
    sl_free(path);
    sl_writer_clear(&w);
    return st;
}

enum sl_status sl_ladder_listed(struct sl_ladder *l, size_t rendition,
                                const struct sl_playlist *playlist, struct sl_error *err)
{
    struct sl_ladder_shared *s = &l->shared;
    struct sl_playlist_rates rates[SL_LADDER_RUNGS_MAX + 1];
    bool own_sound = l->sound.present && l->params.format == SL_LADDER_FMP4;
    size_t renditions = l->rung_count + (own_sound ? 1 : 0);
    bool due = false;

    pthread_mutex_lock(&s->lock);
    if (playlist->count != s->listed[rendition]) {
        s->segments += (int64_t)(playlist->count - s->listed[rendition]);
        s->listed[rendition] = playlist->count;
        if (!s->master_published || playlist->ended) {
            s->rates[rendition].peak = sl_playlist_peak(playlist);
            s->rates[rendition].average = sl_playlist_average(playlist);
        }
        due = !s->master_published && !l->live; /* a live run has its own with every segment */
        for (size_t i = 0; i < renditions; i++) {
            due = due && s->listed[i] > 0;
        }
        s->master_published = s->master_published || due;
        memcpy(rates, s->rates, sizeof rates);
    }
    pthread_mutex_unlock(&s->lock);
    return due ? publish(l, rates, false, err) : SL_OK;
}

enum sl_status sl_ladder_publish_master(struct sl_ladder *l, bool finished, struct sl_error *err)
{
    struct sl_playlist_rates rates[SL_LADDER_RUNGS_MAX + 1] = {{0, 0}};
    for (size_t i = 0; i < l->rung_count; i++) {
        const struct sl_playlist *p = sl_rendition_playlist(l->rungs[i].rendition);
        rates[i].peak = sl_playlist_peak(p);
        rates[i].average = sl_playlist_average(p);
    }
    if (l->sound.rendition) {
        const struct sl_playlist *p = sl_rendition_playlist(l->sound.rendition);
        rates[l->rung_count].peak = sl_playlist_peak(p);
        rates[l->rung_count].average = sl_playlist_average(p);
    }
    return publish(l, rates, finished, err);
}
