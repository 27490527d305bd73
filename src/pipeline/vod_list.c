/* SPDX-License-Identifier: BSD-2-Clause */
/* Playlists of a source: RFC 8216bis. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "package/playlist.h"
#include "pipeline/vod_run.h"

#define PLAYLIST "playlist.m3u8"
#define URI_MAX  (SL_VOD_NAME_MAX + 32)
#define AAC_RATE                                                                                   \
    160000 /* announced where the coder chooses: more than it takes for two channels               \
            */
#define SOUND_RATE 768000 /* of passed-through sound that nothing is known of */
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

/* ---- rates -------------------------------------------------------------------------------------
 */

struct rates {
    int64_t peak, average;
    bool of_all; /* sound is in them */
};

/* The container's size over its length, where no index has sizes. */
static int64_t overall(const struct sl_vod *v)
{
    return v->size > 0 && v->info.duration > 0
               ? sl_muldiv(v->size, 8000000, v->info.duration, SL_ROUND_UP)
               : 0;
}

static enum sl_status source_rates(const struct sl_vod *v, struct rates *out, struct sl_error *err)
{
    struct sl_playlist p;
    enum sl_status st = SL_OK;
    sl_playlist_init(&p);
    p.timebase = v->real.timebase;
    p.target = sl_cuts_target(&v->real);
    for (size_t i = 0; i < v->real.count && st == SL_OK; i++) {
        int64_t bytes = v->bytes[i];
        /* What an index had behind the last picture. */
        for (size_t k = i + 1; i + 1 == v->real.count && k < v->cuts.count; k++) {
            bytes += v->bytes[k];
        }
        st = sl_playlist_add(&p, sl_cuts_end(&v->real, i) - v->real.at[i], bytes, err);
    }
    *out = (struct rates){sl_playlist_peak(&p), sl_playlist_average(&p), v->bytes_of_all};
    sl_playlist_clear(&p);
    if (st == SL_OK && out->average <= 0) {
        int64_t all = overall(v);
        *out = (struct rates){2 * all, all, true};
    }
    return st;
}

static enum sl_status video_rates(const struct sl_vod *v, const struct sl_vod_rendition *r,
                                  struct rates *out, struct sl_error *err)
{
    if (r->copy) {
        return source_rates(v, out, err);
    }
    /* The encoder keeps to maxrate over its buffer; boxes are a little more. */
    const struct vod_rung *rung = sl_vod_rung_of(v, r);
    *out = (struct rates){sl_muldiv(rung->maxrate + rung->buffer / 4, 21, 20, SL_ROUND_UP),
                          rung->bitrate, false};
    return SL_OK;
}

static int64_t sound_rate(const struct sl_vod *v, const struct sl_vod_rendition *r)
{
    int64_t rate = !r->copy ? v->audio_bitrate > 0 ? v->audio_bitrate : AAC_RATE
                   : v->known[r->track].bitrate > 0 ? v->known[r->track].bitrate
                                                    : SOUND_RATE;
    return sl_muldiv(rate, 11, 10, SL_ROUND_UP);
}

/* ---- the multivariant playlist ------------------------------------------------------------------
 */

/* Renditions of sound that go together: each track as it is, or each as AAC. */
struct group {
    const char *name;
    const struct sl_vod_rendition *of[VOD_TRACKS_MAX];
    size_t count;
    char codecs[256]; /* of all of them */
    int64_t rate;     /* of the greediest */
    bool copied;      /* some are passed through */
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

static void add_to_group(const struct sl_vod *v, struct group *g, const struct sl_vod_rendition *r)
{
    size_t used = strlen(g->codecs);
    int64_t rate = sound_rate(v, r);
    if (g->count == VOD_TRACKS_MAX) {
        return;
    }
    g->of[g->count++] = r;
    g->rate = rate > g->rate ? rate : g->rate;
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
                add_to_group(v, g, r);
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
                        struct rates rates)
{
    size_t n = m->variant_count;
    bool beside = g && m->format == SL_VOD_FMP4;
    int64_t sound = g && !(rates.of_all && g->copied) ? g->rate : 0;
    uri_of(m, r, m->variant_uris[n]);
    (void)snprintf(m->codecs[n], sizeof m->codecs[n], "%s%s%s", r->codecs, g ? "," : "",
                   g ? g->codecs : "");
    m->variants[n] = (struct sl_variant){
        .uri = m->variant_uris[n],
        .codecs = m->codecs[n],
        .bandwidth = rates.peak + sound > 0 ? rates.peak + sound : 1,
        .average_bandwidth = rates.average > 0 ? rates.average + sound : 0,
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
        struct rates rates = {0};
        if (r->kind == SL_KIND_SUBTITLE || (pictures && r->kind != SL_KIND_VIDEO) ||
            (m->format == SL_VOD_TS && !r->ts)) {
            continue;
        }
        if (r->kind == SL_KIND_AUDIO) {
            rates.peak = sound_rate(v, r);
            add_variant(m, r, NULL, rates);
            continue;
        }
        st = video_rates(v, r, &rates, err);
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
