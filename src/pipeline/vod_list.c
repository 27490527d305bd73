/* SPDX-License-Identifier: BSD-2-Clause */
/* Playlists of a source: RFC 8216bis. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "package/playlist.h"
#include "pipeline/vod_run.h"

#define PLAYLIST   "playlist.m3u8"
#define URI_MAX    (SL_VOD_NAME_MAX + 32)
#define GROUPS_MAX 2

/* ---- media playlists ---------------------------------------------------------------------------
 */

/* For TS the master says the format to each playlist; names of segments say it by themselves. */
static bool is_in(const struct sl_vod_rendition *r, enum sl_vod_format format)
{
    return r && (format == SL_VOD_FMP4 || r->ts || r->kind == SL_KIND_SUBTITLE);
}

/* EXT-X-INDEPENDENT-SEGMENTS of one playlist. */
static bool is_independent(const struct sl_vod *v, const struct sl_vod_rendition *r)
{
    return r->kind != SL_KIND_VIDEO || !r->copy || v->closed;
}

static enum sl_status add_segments(struct sl_playlist *p, const struct sl_cuts *c,
                                   struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < c->count && st == SL_OK; i++) {
        st = sl_playlist_add(p, sl_cuts_end(c, i) - c->at[i], 0, err);
    }
    return st;
}

enum sl_status sl_vod_playlist(struct sl_vod *v, const char *name, enum sl_vod_format format,
                               const struct sl_vod_links *links, struct sl_writer *out,
                               const struct sl_cancel *cancel, struct sl_error *err)
{
    const struct sl_vod_rendition *r = sl_vod_find(v, name);
    struct sl_playlist p;
    struct sl_cuts c = {.count = 0};
    if (!is_in(r, format)) {
        return sl_fail(err, SL_ENOTFOUND, v->where, "has no rendition \"%.40s\" in this format",
                       name);
    }
    sl_playlist_init(&p);
    enum sl_status st = sl_vod_table(v, r, &c, cancel, err);
    if (st == SL_OK) {
        sl_vod_table_shown(v, r, &c);
        p.timebase = c.timebase;
        p.target = sl_cuts_target(&c);
        p.extension = r->kind == SL_KIND_SUBTITLE ? "vtt" : format == SL_VOD_TS ? "ts" : "m4s";
        p.init_uri = r->kind == SL_KIND_SUBTITLE || format == SL_VOD_TS ? NULL : "init.mp4";
        p.independent = is_independent(v, r);
        p.on_demand = p.ended = true;
        p.link =
            links ? (struct sl_link){links->write, links->opaque} : (struct sl_link){.write = NULL};
        st = add_segments(&p, &c, err);
    }
    if (st == SL_OK) {
        st = sl_playlist_render(&p, out, err);
    }
    sl_playlist_clear(&p);
    sl_cuts_clear(&c);
    return st;
}

/* ---- the multivariant playlist ------------------------------------------------------------------
 */

/* Renditions of sound that go together: each track as it is, or each as AAC. */
struct group {
    const char *name;
    const struct sl_vod_rendition *of[VOD_TRACKS_MAX];
    size_t count;
    char codecs[256];       /* of all of them */
    struct vod_rates rates; /* of the greediest */
    bool copied;            /* some are passed through */
};

struct master {
    struct group groups[GROUPS_MAX];
    size_t group_count;
    struct sl_rendition_entry entries[SL_VOD_RENDITIONS_MAX * GROUPS_MAX];
    char uris[SL_VOD_RENDITIONS_MAX * GROUPS_MAX][URI_MAX];
    size_t entry_count;
    struct sl_variant variants[SL_VOD_RENDITIONS_MAX * GROUPS_MAX];
    char variant_uris[SL_VOD_RENDITIONS_MAX * GROUPS_MAX][URI_MAX];
    char codecs[SL_VOD_RENDITIONS_MAX * GROUPS_MAX][320];
    size_t variant_count;
    bool has_text;
    enum sl_vod_format format;
    bool linked;
};

static void uri_of(const struct master *m, const struct sl_vod_rendition *r, char out[URI_MAX])
{
    (void)snprintf(out, URI_MAX, "%s/" PLAYLIST "%s", r->name,
                   m->format == SL_VOD_TS && !m->linked ? "?format=ts" : "");
}

static void add_to_group(const struct sl_vod *v, struct group *g, const struct sl_vod_rendition *r,
                         enum sl_vod_format format)
{
    size_t used = strlen(g->codecs);
    struct vod_rates rates = sl_vod_sound_rates(v, r, format);
    if (g->count == VOD_TRACKS_MAX) {
        return;
    }
    g->of[g->count++] = r;
    if (rates.peak > g->rates.peak) {
        g->rates = rates;
    }
    g->copied = g->copied || r->copy;
    if (!strstr(g->codecs, r->codecs) && used + strlen(r->codecs) + 2 < sizeof g->codecs) {
        (void)snprintf(g->codecs + used, sizeof g->codecs - used, "%s%s", used ? "," : "",
                       r->codecs);
    }
}

/* The first rendition of a track is its copy where there is one. */
static const struct sl_vod_rendition *find(const struct sl_vod *v, size_t track, bool aac)
{
    const struct sl_vod_rendition *found = NULL;
    for (size_t i = 0; i < v->info.rendition_count; i++) {
        const struct sl_vod_rendition *r = &v->renditions[i];
        bool fits = r->kind == SL_KIND_AUDIO && r->track == track;
        /* AAC that is there need not be made. */
        if (fits && !found && (!aac || strncmp(r->codecs, "mp4a.40", 7) == 0)) {
            found = r;
        }
    }
    return found;
}

static void make_groups(const struct sl_vod *v, struct master *m)
{
    bool differ = false;
    for (size_t i = 0; i < v->info.track_count; i++) {
        differ = differ || find(v, i, false) != find(v, i, true);
    }
    m->group_count = 0;
    for (int aac = differ ? 0 : 1; aac <= 1; aac++) {
        struct group *g = &m->groups[m->group_count];
        g->name = aac ? "aac" : "source";
        for (size_t i = 0; i < v->info.track_count; i++) {
            const struct sl_vod_rendition *r = find(v, i, aac != 0);
            if (r) {
                add_to_group(v, g, r, m->format);
            }
        }
        m->group_count += g->count > 0;
    }
}

static void add_entry(const struct sl_vod *v, struct master *m, const char *group,
                      const struct sl_vod_rendition *r)
{
    char *uri = m->uris[m->entry_count];
    uri_of(m, r, uri);
    bool text = r->kind == SL_KIND_SUBTITLE;
    m->entries[m->entry_count++] =
        (struct sl_rendition_entry){.group = group,
                                    .name = r->title,
                                    .language = r->language[0] ? r->language : NULL,
                                    .uri = uri,
                                    .channels = text ? 0 : r->channels,
                                    .is_default = r->is_default,
                                    .is_text = text,
                                    .is_forced = v->tracks[r->track].is_forced != 0};
}

static void add_entries(const struct sl_vod *v, struct master *m)
{
    bool chosen = false;
    for (size_t g = 0; g < m->group_count && m->format == SL_VOD_FMP4; g++) {
        for (size_t i = 0; i < m->groups[g].count; i++) {
            add_entry(v, m, m->groups[g].name, m->groups[g].of[i]);
        }
    }
    for (size_t i = 0; i < v->info.rendition_count; i++) {
        const struct sl_vod_rendition *r = &v->renditions[i];
        if (r->kind == SL_KIND_SUBTITLE) {
            add_entry(v, m, "text", r);
            /* one default in a group (RFC 8216bis 4.4.6.1.1), whatever the container says */
            struct sl_rendition_entry *e = &m->entries[m->entry_count - 1];
            e->is_default = e->is_default && !chosen;
            chosen = chosen || e->is_default;
            m->has_text = true;
        }
    }
}

static void add_variant(struct master *m, const struct sl_vod_rendition *r, const struct group *g,
                        struct vod_rates rates)
{
    size_t n = m->variant_count;
    bool beside = g && m->format == SL_VOD_FMP4;
    struct vod_rates sound = {0};
    if (g) {
        bool counted = rates.of_all && g->copied;
        sound = counted
                    ? (struct vod_rates){.peak = g->rates.wrapping, .average = g->rates.wrapping}
                    : g->rates;
    }
    uri_of(m, r, m->variant_uris[n]);
    (void)snprintf(m->codecs[n], sizeof m->codecs[n], "%s%s%s", r->codecs, g ? "," : "",
                   g ? g->codecs : "");
    m->variants[n] = (struct sl_variant){
        .uri = m->variant_uris[n],
        .codecs = m->codecs[n],
        .bandwidth = rates.peak + sound.peak > 0 ? rates.peak + sound.peak : 1,
        .average_bandwidth = rates.average > 0 ? rates.average + sound.average : 0,
        .width = r->width,
        .height = r->height,
        .frame_rate = r->frame_rate,
        .audio_group = beside ? g->name : NULL,
        .text_group = m->has_text ? "text" : NULL,
    };
    m->variant_count++;
}

static enum sl_status add_variants(const struct sl_vod *v, struct master *m, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    bool pictures = v->picture < v->info.track_count;
    for (size_t i = 0; i < v->info.rendition_count && st == SL_OK; i++) {
        const struct sl_vod_rendition *r = &v->renditions[i];
        struct vod_rates rates = {0};
        if (r->kind == SL_KIND_SUBTITLE || (pictures && r->kind != SL_KIND_VIDEO) ||
            (m->format == SL_VOD_TS && !r->ts)) {
            continue;
        }
        if (r->kind == SL_KIND_AUDIO) {
            add_variant(m, r, NULL, sl_vod_sound_rates(v, r, m->format));
            continue;
        }
        st = sl_vod_video_rates(v, r, m->format, &rates, err);
        /* TS has one sound muxed in: the one that a group of AAC begins with, or about that. */
        size_t groups = m->format == SL_VOD_TS && m->group_count > 0 ? 1 : m->group_count;
        for (size_t g = 0; g < groups && st == SL_OK; g++) {
            add_variant(m, r, &m->groups[m->format == SL_VOD_TS ? m->group_count - 1 : g], rates);
        }
        if (st == SL_OK && groups == 0) {
            add_variant(m, r, NULL, rates);
        }
    }
    return st;
}

enum sl_status sl_vod_master(struct sl_vod *v, enum sl_vod_format format,
                             const struct sl_vod_links *links, struct sl_writer *out,
                             const struct sl_cancel *cancel, struct sl_error *err)
{
    enum sl_status st = sl_vod_need_ends(v, cancel, err);
    if (st != SL_OK) {
        return st;
    }
    struct master *m = sl_alloc_zero(sizeof *m);
    if (!m) {
        return sl_fail_memory(err);
    }
    m->format = format;
    m->linked = links != NULL;
    make_groups(v, m);
    add_entries(v, m);
    st = add_variants(v, m, err);
    if (st == SL_OK && m->variant_count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, v->where, "has nothing that this format can carry");
    }
    if (st == SL_OK) {
        /* Whether every segment is independent is said by each playlist: telling it of all here
         * would ask for a look at every cut. */
        struct sl_master text = {.variants = m->variants,
                                 .variant_count = m->variant_count,
                                 .entries = m->entries,
                                 .entry_count = m->entry_count,
                                 .version = format == SL_VOD_TS ? 4 : 7};
        if (links) {
            text.link = (struct sl_link){links->write, links->opaque};
        }
        st = sl_master_write(&text, out, err);
    }
    sl_free(m);
    return st;
}
