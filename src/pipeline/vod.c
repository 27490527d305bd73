/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/vod.h"

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"
#include "pipeline/vod_run.h"

#define TARGET_SECONDS 4
#define TARGET_MAX     60
#define READERS        4
#define READERS_MAX    64
#define PRESET         "veryfast"
/* Raised whenever the same settings give other bytes. */
#define VERSION 1

const struct sl_vod_info *sl_vod_info(const struct sl_vod *v)
{
    return &v->info;
}

const char *sl_vod_settings(const struct sl_vod *v)
{
    return v->settings;
}

const struct sl_vod_rendition *sl_vod_find(const struct sl_vod *v, const char *name)
{
    for (size_t i = 0; name && i < v->info.rendition_count; i++) {
        if (strcmp(v->renditions[i].name, name) == 0) {
            return &v->renditions[i];
        }
    }
    return NULL;
}

static enum sl_status check(const struct sl_vod_params *p, struct sl_rational target,
                            struct sl_error *err)
{
    if (!p->where || !p->where[0] || p->readers > READERS_MAX || p->audio_bitrate < 0) {
        return sl_fail(err, SL_EINVAL, "vod",
                       "source \"%s\", %u readers and a bitrate of %" PRId64
                       ", expected a name and at most %d readers",
                       p->where ? p->where : "", p->readers, p->audio_bitrate, READERS_MAX);
    }
    if (target.den > 1000000 || sl_rational_compare(target, sl_rational(1, 2)) < 0 ||
        sl_rational_compare(target, sl_rational(TARGET_MAX, 1)) > 0) {
        return sl_fail(err, SL_EINVAL, "vod",
                       "segments of %" PRId64 "/%" PRId64 " s, expected 1/2 to %d", target.num,
                       target.den, TARGET_MAX);
    }
    /* Its streams are of another profile, which playlists would have to know beforehand. */
    if (p->preset && (strcmp(p->preset, "ultrafast") == 0 || strlen(p->preset) > 15)) {
        return sl_fail(err, SL_EINVAL, "vod", "preset \"%s\", expected superfast to veryslow",
                       p->preset);
    }
    return SL_OK;
}

static enum sl_status begin(struct sl_vod *v, const struct sl_vod_params *p,
                            struct sl_rational target, struct sl_error *err)
{
    v->where = sl_strdup(p->where);
    if (!v->where) {
        return sl_fail_memory(err);
    }
    v->open = p->open;
    v->opaque = p->opaque;
    v->log = p->log;
    v->target = target;
    v->audio_bitrate = p->audio_bitrate;
    v->readers_max = p->readers ? p->readers : READERS;
    (void)snprintf(v->preset, sizeof v->preset, "%s", p->preset ? p->preset : PRESET);
    (void)snprintf(v->settings, sizeof v->settings,
                   "vod %d; target %" PRId64 "/%" PRId64 "; x264 %s %s; aac %" PRId64, VERSION,
                   target.num, target.den, SL_X264_TEXT, v->preset, v->audio_bitrate);
    return SL_OK;
}

static enum sl_status open_source(struct sl_vod *v, const struct sl_cancel *cancel,
                                  struct sl_error *err)
{
    struct vod_reader *r = NULL;
    enum sl_status st = sl_vod_reader_open(v, &r, err);
    if (st != SL_OK) {
        return st;
    }
    v->readers = 1;
    v->idle = r;
    v->size = r->source->bytes.size;
    st = sl_vod_look(v, r, cancel, err);
    if (st == SL_OK) {
        st = sl_vod_take_index(v, r->demuxer, &v->info.indexed, err);
    }
    return st == SL_OK ? sl_vod_offer(v, err) : st;
}

enum sl_status sl_vod_open(struct sl_vod **out, const struct sl_vod_params *params,
                           const struct sl_cancel *cancel, struct sl_error *err)
{
    struct sl_rational target = sl_rational_valid(params->target)
                                    ? sl_rational_reduce(params->target)
                                    : sl_rational(TARGET_SECONDS, 1);
    *out = NULL;
    enum sl_status st = check(params, target, err);
    if (st != SL_OK) {
        return st;
    }
    struct sl_vod *v = sl_alloc_zero(sizeof *v);
    if (!v) {
        return sl_fail_memory(err);
    }
    (void)pthread_mutex_init(&v->lock, NULL);
    (void)pthread_cond_init(&v->changed, NULL);
    st = begin(v, params, target, err);
    if (st == SL_OK) {
        st = open_source(v, cancel, err);
    }
    if (st != SL_OK) {
        sl_vod_destroy(&v);
    }
    *out = v;
    return st;
}

void sl_vod_destroy(struct sl_vod **vod)
{
    struct sl_vod *v = vod ? *vod : NULL;
    if (!v) {
        return;
    }
    *vod = NULL;
    while (v->idle) {
        struct vod_reader *r = v->idle;
        v->idle = r->next;
        sl_vod_reader_close(&r);
    }
    for (size_t i = 0; i < v->info.track_count; i++) {
        sl_track_clear(&v->tracks[i]);
        sl_track_clear(&v->known[i].facts.out);
        sl_track_clear(&v->known[i].decoded.aac);
        sl_free(v->known[i].decoded.marks);
    }
    for (size_t i = 0; i < SL_LADDER_RUNGS_MAX; i++) {
        sl_free(v->records[i].data);
    }
    sl_free(v->tracks);
    sl_free(v->known);
    sl_free(v->renditions);
    sl_free(v->bytes);
    sl_free(v->edges);
    sl_cuts_clear(&v->cuts);
    sl_cuts_clear(&v->real);
    sl_cuts_clear(&v->split);
    (void)pthread_cond_destroy(&v->changed);
    (void)pthread_mutex_destroy(&v->lock);
    sl_free(v->where);
    sl_free(v);
}

enum sl_status sl_vod_prepare(struct sl_vod *v, const struct sl_cancel *cancel,
                              struct sl_error *err)
{
    return sl_vod_need_edges(v, cancel, err);
}

int64_t sl_vod_segment_start(struct sl_vod *v, const char *rendition, size_t n)
{
    const struct sl_vod_rendition *r = sl_vod_find(v, rendition);
    struct sl_cuts c = {.count = 0};
    int64_t at = -1;
    if (r && sl_vod_table(v, r, &c, NULL, NULL) == SL_OK && n < c.count) {
        sl_vod_table_shown(v, r, &c);
        at = sl_rescale(c.at[n] - c.at[0], c.timebase, sl_rational(1, 1000000), SL_ROUND_NEAREST);
    }
    sl_cuts_clear(&c);
    return at;
}

enum sl_status sl_vod_stream(struct sl_vod *v, struct sl_rational start, struct sl_remux **out,
                             struct sl_error *err)
{
    struct sl_remux_params p = {.start = {0, 1},
                                .duration = {0, 1},
                                .decode_time = {0, 1},
                                .fragment = {1, 1},
                                .channels = 2,
                                .preset = "veryfast",
                                .crf = {21, 1},
                                .keep_going = 1};
    *out = NULL;
    if (start.den <= 0 || start.num < 0) {
        return sl_fail(err, SL_EINVAL, "start", "%" PRId64 "/%" PRId64 ", expected 0 or later",
                       start.num, start.den);
    }
    if (strlen(v->where) >= sizeof p.input) {
        return sl_fail(err, SL_EINVAL, v->where, "the name is too long");
    }
    (void)snprintf(p.input, sizeof p.input, "%s", v->where);
    p.start = sl_rational_reduce(start);
    enum sl_status st = sl_remux_create(out, &p, NULL, NULL, v->log, err);
    if (st == SL_OK && v->open) {
        struct sl_source *source = NULL;
        st = v->open(v->opaque, &source, err);
        st = st == SL_OK ? sl_remux_take_source(*out, source, err) : st;
    }
    if (st != SL_OK) {
        sl_remux_free(out);
    }
    return st;
}
