/* SPDX-License-Identifier: BSD-2-Clause */
/* Playlists of runs: RFC 8216bis. A run that is shown from its start only ever gets longer, so its
 * lines are kept and added to. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "package/playlist.h"
#include "serve/runs_core.h"
#include "serve/sign.h"

#define MICROSECONDS 1000000
/* From /runs/ID/quality/NAME/ on: relative, so that it holds behind a proxy's prefix too. */
#define STORE "../../../../ipfs/"
/* What the clock of a writer may be off without being said anew, in microseconds. */
#define CLOCK_SLACK 1000

/* What came before a segment, as far as it matters for its lines. */
struct before {
    char *init; /* SL_REGISTRY_CID_MAX */
    int64_t *clock;
};

static void write_time(struct sl_writer *out, int64_t micros)
{
    time_t seconds = (time_t)(micros / MICROSECONDS);
    struct tm tm;

    if (micros < 0 || !gmtime_r(&seconds, &tm)) {
        return;
    }
    sl_write_format(out, "#EXT-X-PROGRAM-DATE-TIME:%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\n",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (int)(micros % MICROSECONDS / 1000));
}

static const char *extension_of(const struct sl_registry_rendition *r)
{
    return strcmp(r->format, "fmp4") == 0 ? "m4s" : r->format[0] ? r->format : "bin";
}

static void write_segment(const struct sl_registry_rendition *r,
                          const struct sl_registry_segment *s, struct before *b,
                          struct sl_writer *out)
{
    const struct sl_rational micro = {1, MICROSECONDS};
    int64_t start = sl_rescale(s->start, r->timebase, micro, SL_ROUND_NEAREST);
    int64_t end = sl_rescale(s->start + s->duration, r->timebase, micro, SL_ROUND_NEAREST);
    int64_t off;

    if (s->discontinuity) {
        sl_write_text(out, "#EXT-X-DISCONTINUITY\n");
        *b->clock = SL_NO_TIME;
    }
    if (s->init_cid[0] && strcmp(s->init_cid, b->init) != 0) {
        sl_write_format(out, "#EXT-X-MAP:URI=\"" STORE "%s?filename=init.mp4\"\n", s->init_cid);
        (void)snprintf(b->init, SL_REGISTRY_CID_MAX, "%s", s->init_cid);
    }
    /* Where it does not follow from the segment before: 4.4.4.6 */
    off =
        s->program_time == SL_NO_TIME || *b->clock == SL_NO_TIME ? 0 : s->program_time - *b->clock;
    if (s->program_time != SL_NO_TIME &&
        (*b->clock == SL_NO_TIME || off > CLOCK_SLACK || off < -CLOCK_SLACK)) {
        write_time(out, s->program_time);
        *b->clock = s->program_time;
    }
    if (*b->clock != SL_NO_TIME) {
        *b->clock += end - start;
    }
    if (s->gap) {
        sl_write_text(out, "#EXT-X-GAP\n");
    }
    sl_write_format(out, "#EXTINF:%" PRId64 ".%06" PRId64 ",\n", (end - start) / MICROSECONDS,
                    (end - start) % MICROSECONDS);
    if (s->gap) { /* 4.4.4.7: it must not be asked for, and has an address all the same */
        sl_write_format(out, "gap/%06" PRId64 ".%s\n", s->number, extension_of(r));
    } else {
        sl_write_format(out, STORE "%s?filename=%06" PRId64 ".%s\n", s->cid, s->number,
                        extension_of(r));
    }
}

static enum sl_status add_to_window(struct sl_run_track *t, const struct sl_registry_segment *s,
                                    size_t window, struct sl_error *err)
{
    if (t->shown_count >= window) {
        size_t over = t->shown_count - window + 1;

        for (size_t i = 0; i < over; i++) { /* 6.2.2: EXT-X-DISCONTINUITY-SEQUENCE */
            t->passed += t->shown[i].discontinuity;
        }
        memmove(t->shown, t->shown + over, (t->shown_count - over) * sizeof *t->shown);
        t->shown_count -= over;
    }
    if (sl_grow(&t->shown, &t->shown_capacity, t->shown_count, sizeof *t->shown, window)) {
        return sl_fail_memory(err);
    }
    t->shown[t->shown_count++] = *s;
    return SL_OK;
}

enum sl_status sl_run_track_add(struct sl_run_track *t, const struct sl_registry_rendition *r,
                                const struct sl_registry_segment *segments, size_t count,
                                struct sl_error *err)
{
    struct before before = {t->init, &t->clock};

    for (size_t i = 0; i < count; i++) {
        if (segments[i].number != t->next) {
            return sl_fail(err, SL_EDATA, t->name, "segment %" PRId64 " follows %" PRId64,
                           segments[i].number, t->next - 1);
        }
        if (r->window > 0) {
            enum sl_status status = add_to_window(t, &segments[i], (size_t)r->window, err);

            if (status != SL_OK) {
                return status;
            }
        } else {
            write_segment(r, &segments[i], &before, &t->body);
        }
        t->next++;
    }
    return r->window > 0 ? SL_OK : sl_writer_finish(&t->body, err);
}

void sl_run_track_write(const struct sl_run_track *t, const struct sl_registry_rendition *r,
                        enum sl_run_state state, struct sl_writer *out)
{
    bool window = r->window > 0;
    int64_t first = window && t->shown_count > 0 ? t->shown[0].number : t->first;

    /* 7 is what fMP4 is declared with, 3 what fractions of seconds take: src/package/playlist.c */
    sl_write_format(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%" PRId32 "\n",
                    strcmp(r->format, "fmp4") == 0 ? 7 : 3, r->target_duration);
    sl_write_format(out, "#EXT-X-MEDIA-SEQUENCE:%" PRId64 "\n", first);
    if (!window) {
        sl_write_text(out, "#EXT-X-PLAYLIST-TYPE:EVENT\n");
    } else if (t->passed > 0) {
        sl_write_format(out, "#EXT-X-DISCONTINUITY-SEQUENCE:%" PRId64 "\n", t->passed);
    }
    /* Whatever we encode begins each segment with a closed group. */
    sl_write_text(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (state == SL_RUN_RUNNING) {
        sl_write_text(out, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n");
    }
    if (window) {
        char init[SL_REGISTRY_CID_MAX] = "";
        int64_t clock = SL_NO_TIME;
        struct before before = {init, &clock};

        for (size_t i = 0; i < t->shown_count; i++) {
            write_segment(r, &t->shown[i], &before, out);
        }
    } else {
        sl_write_bytes(out, t->body.data, t->body.size);
    }
    /* A run that was stopped or has failed may go on one day: only the end is the end. */
    if (state == SL_RUN_FINISHED) {
        sl_write_text(out, "#EXT-X-ENDLIST\n");
    }
}

/* ---- the multivariant playlist --------------------------------------------------------------- */

#define AUDIO_GROUP "audio"
#define TEXT_GROUP  "subtitles"

struct master {
    struct sl_variant variants[SL_REGISTRY_RENDITIONS_MAX];
    struct sl_rendition_entry entries[SL_REGISTRY_RENDITIONS_MAX];
    char uris[SL_REGISTRY_RENDITIONS_MAX][SL_REGISTRY_NAME_MAX + 32];
    char codecs[SL_REGISTRY_RENDITIONS_MAX][SL_REGISTRY_CODECS_MAX * 2];
    size_t variant_count, entry_count;
    const char *audio_codecs; /* of the group; "" where there is none */
    int64_t audio_rate, audio_average;
    bool text, fmp4;
};

static void add_entry(struct master *m, const struct sl_registry_rendition *r, const char *uri,
                      bool text)
{
    bool first = true;

    for (size_t i = 0; i < m->entry_count; i++) {
        first = first && m->entries[i].is_text != text;
    }
    m->entries[m->entry_count++] = (struct sl_rendition_entry){
        .group = text ? TEXT_GROUP : AUDIO_GROUP,
        .name = r->name,
        .language = r->language[0] ? r->language : NULL,
        .uri = uri,
        .channels = r->channels,
        .is_default = first && !text,
        .is_text = text,
    };
    if (text) {
        m->text = true;
        return;
    }
    m->audio_codecs = m->audio_codecs ? m->audio_codecs : r->codecs;
    m->audio_rate = r->bitrate > m->audio_rate ? r->bitrate : m->audio_rate;
    m->audio_average =
        r->average_bitrate > m->audio_average ? r->average_bitrate : m->audio_average;
}

static void add_variant(struct master *m, const struct sl_registry_rendition *r, const char *uri,
                        bool alone)
{
    struct sl_variant *v = &m->variants[m->variant_count];
    char *codecs = m->codecs[m->variant_count++];
    bool audio = !alone && m->audio_codecs;

    (void)snprintf(codecs, sizeof m->codecs[0], "%s%s%s", r->codecs,
                   audio && m->audio_codecs[0] ? "," : "", audio ? m->audio_codecs : "");
    *v = (struct sl_variant){
        .uri = uri,
        .name = r->name,
        .codecs = r->codecs[0] ? codecs : NULL,
        .bandwidth = r->bitrate + (audio ? m->audio_rate : 0),
        .average_bandwidth =
            r->average_bitrate > 0 ? r->average_bitrate + (audio ? m->audio_average : 0) : 0,
        .width = r->width,
        .height = r->height,
        .frame_rate = r->frame_rate,
        .audio_group = audio ? AUDIO_GROUP : NULL,
        .text_group = m->text ? TEXT_GROUP : NULL,
    };
    v->bandwidth = v->bandwidth > 0 ? v->bandwidth : 1;
}

enum sl_status sl_run_master_write(const struct sl_registry_rendition *all, const bool *has,
                                   size_t count, struct sl_writer *out, struct sl_error *err)
{
    struct master *m = sl_alloc_zero(sizeof *m);
    bool video = false;
    enum sl_status status;

    if (!m) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(m->uris[i], sizeof m->uris[i], "quality/%s/playlist.m3u8", all[i].name);
        video = video || (has[i] && strcmp(all[i].kind, "video") == 0);
        m->fmp4 = m->fmp4 || strcmp(all[i].format, "fmp4") == 0;
    }
    for (size_t i = 0; i < count; i++) {
        bool text = strcmp(all[i].kind, "subtitles") == 0;

        if (has[i] && (text || (video && strcmp(all[i].kind, "audio") == 0))) {
            add_entry(m, &all[i], m->uris[i], text);
        }
    }
    for (size_t i = 0; i < count; i++) { /* sound alone is a variant of its own */
        if (has[i] && strcmp(all[i].kind, video ? "video" : "audio") == 0) {
            add_variant(m, &all[i], m->uris[i], !video);
        }
    }
    if (m->variant_count == 0) {
        status = sl_fail(err, SL_ENOTFOUND, NULL, "nothing that can be played yet");
    } else {
        const struct sl_master master = {
            .variants = m->variants,
            .variant_count = m->variant_count,
            .entries = m->entries,
            .entry_count = m->entry_count,
            .version = m->fmp4 ? 7 : 3,
            .independent = true,
        };

        status = sl_master_write(&master, out, err);
    }
    sl_free(m);
    return status;
}

/* ---- signed links ---------------------------------------------------------------------------- */

/* What a link to a run allows is below /runs/; its segments are not. Each gets a link of its own,
 * for as long as the first one holds. */
static void sign_uri(const char *uri, size_t size, const struct sl_sign_key *key, int64_t expires,
                     const char *address, struct sl_writer *out)
{
    static const char store[] = STORE;
    const size_t skip = sizeof store - 1;
    const char *question = size > skip ? memchr(uri, '?', size) : NULL;
    char path[SL_REGISTRY_CID_MAX + 8];

    sl_write_bytes(out, uri, size);
    if (!question || memcmp(uri, store, skip) != 0 || question < uri + skip ||
        (size_t)(question - uri) - skip >= SL_REGISTRY_CID_MAX) {
        return;
    }
    (void)snprintf(path, sizeof path, "/ipfs/%.*s", (int)((size_t)(question - uri) - skip),
                   uri + skip);
    sl_write_u8(out, '&');
    sl_sign_query(key, path, NULL, expires, address, out);
}

void sl_run_sign_links(const uint8_t *text, size_t size, const struct sl_sign_key *key,
                       int64_t expires, const char *address, struct sl_writer *out)
{
    static const char map[] = "#EXT-X-MAP:URI=\"";
    const char *p = (const char *)text, *end = p + size;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t line = newline ? (size_t)(newline - p) : (size_t)(end - p);

        if (line > sizeof map && memcmp(p, map, sizeof map - 1) == 0) {
            sl_write_bytes(out, p, sizeof map - 1);
            sign_uri(p + sizeof map - 1, line - sizeof map, key, expires, address, out);
            sl_write_u8(out, '"');
        } else if (line > 0 && p[0] != '#') {
            sign_uri(p, line, key, expires, address, out);
        } else {
            sl_write_bytes(out, p, line);
        }
        sl_write_u8(out, '\n');
        p += line + 1;
    }
}
