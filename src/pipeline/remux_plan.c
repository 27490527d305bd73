/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tracks go into the output, and which way each of them goes. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "media/h264.h"
#include "pipeline/remux_run.h"

static bool is_among(enum sl_codec codec, const enum sl_codec *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == codec) {
            return true;
        }
    }
    return false;
}
#define AMONG(codec, list) is_among((codec), (list), sizeof(list) / sizeof(list)[0])

/* What the fMP4 muxer has sample entries for. */
static const enum sl_codec carried_video[] = {SL_CODEC_H264, SL_CODEC_HEVC, SL_CODEC_AV1,
                                              SL_CODEC_VP9};
static const enum sl_codec carried_audio[] = {SL_CODEC_AAC, SL_CODEC_AC3,  SL_CODEC_EAC3,
                                              SL_CODEC_MP3, SL_CODEC_OPUS, SL_CODEC_FLAC};
/* … and what browsers play out of it. */
static const enum sl_codec played_audio[] = {SL_CODEC_AAC, SL_CODEC_MP3, SL_CODEC_OPUS,
                                             SL_CODEC_FLAC};

static const char *name_of(const struct sl_remux *r)
{
    return sl_window_name(r->window);
}

/* Of two tracks of a kind: the largest picture; the default sound, then the most channels. */
static bool better(const struct sl_track *a, const struct sl_track *b)
{
    if (a->kind == SL_KIND_VIDEO) {
        return (int64_t)a->width * a->height > (int64_t)b->width * b->height;
    }
    if (!a->is_default != !b->is_default) {
        return a->is_default;
    }
    return a->channels > b->channels;
}

static bool is_candidate(const struct sl_track *t, enum sl_media_kind kind)
{
    return t->kind == kind && !t->is_attached_picture;
}

static uint64_t best_of(const struct sl_demuxer *d, enum sl_media_kind kind)
{
    size_t best = d->track_count;
    for (size_t i = 0; i < d->track_count && i < 64; i++) {
        if (is_candidate(&d->tracks[i], kind) &&
            (best == d->track_count || better(&d->tracks[i], &d->tracks[best]))) {
            best = i;
        }
    }
    return best < d->track_count ? UINT64_C(1) << best : 0;
}

static uint64_t all_of(const struct sl_demuxer *d, enum sl_media_kind kind)
{
    uint64_t set = 0;
    for (size_t i = 0; i < d->track_count && i < 64; i++) {
        set |= is_candidate(&d->tracks[i], kind) ? UINT64_C(1) << i : 0;
    }
    return set;
}

/* "en" chooses "en", "en-GB" and "eng": the first two letters are the language in most tags. */
static bool speaks(const struct sl_track *t, const char *language)
{
    size_t n = strlen(language);
    size_t common = n < 2 ? n : n == 2 || strlen(t->language) == 2 ? 2 : n;
    return t->language[0] && strncasecmp(t->language, language, common) == 0;
}

/* One word of a list. Among several tracks of one language, the best. */
static enum sl_status choose(const struct sl_remux *r, enum sl_media_kind kind, const char *word,
                             const char *option, uint64_t *set, struct sl_error *err)
{
    const struct sl_demuxer *d = r->demuxer;
    size_t best = d->track_count;
    if (word[0] && strspn(word, "0123456789") == strlen(word)) {
        unsigned long i = strtoul(word, NULL, 10);
        if (i >= d->track_count || i >= 64 || d->tracks[i].kind != kind) {
            return sl_fail(err, SL_EINVAL, name_of(r), "%s: track %s is not a track of kind %s",
                           option, word, sl_kind_name(kind));
        }
        *set |= UINT64_C(1) << i;
        return SL_OK;
    }
    for (size_t i = 0; i < d->track_count && i < 64; i++) {
        if (is_candidate(&d->tracks[i], kind) && speaks(&d->tracks[i], word) &&
            (best == d->track_count || better(&d->tracks[i], &d->tracks[best]))) {
            best = i;
        }
    }
    if (best == d->track_count) {
        return sl_fail(err, SL_EINVAL, name_of(r), "%s: no track of kind %s is in \"%s\"", option,
                       sl_kind_name(kind), word);
    }
    *set |= UINT64_C(1) << best;
    return SL_OK;
}

static enum sl_status choose_list(const struct sl_remux *r, enum sl_media_kind kind,
                                  const char *list, const char *option, uint64_t *set,
                                  struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (strcmp(list, "all") == 0) {
        *set = all_of(r->demuxer, kind);
        return SL_OK;
    }
    while (*list && st == SL_OK) {
        char word[64];
        size_t n = strcspn(list, ",");
        if (n == 0 || n >= sizeof word) {
            return sl_fail(err, SL_EINVAL, option, "\"%s\" is neither an index nor a language",
                           list);
        }
        memcpy(word, list, n);
        word[n] = '\0';
        st = choose(r, kind, word, option, set, err);
        list += n + (list[n] == ',');
    }
    return st;
}

void sl_remux_track_prefix(struct sl_remux_track *t)
{
    const uint8_t *c = t->out.config;
    t->prefix = 4;
    /* ISO/IEC 14496-15 5.3.3.1.2, 8.3.3.1.2: lengthSizeMinusOne */
    if (t->out.codec == SL_CODEC_H264 && t->out.config_size > 4 && c[0] == 1) {
        t->prefix = (c[4] & 3u) + 1;
    } else if (t->out.codec == SL_CODEC_HEVC && t->out.config_size > 21 && c[0] == 1) {
        t->prefix = (c[21] & 3u) + 1;
    }
}

void sl_remux_plan_picture(const struct sl_remux *r, struct sl_remux_track *t,
                           const struct sl_track *from)
{
    int64_t nominal = 0;
    int32_t depth = t->out.reorder;
    sl_remux_grid_init(&t->grid, from);
    t->out.timebase = t->grid.out;
    if (sl_rational_valid(from->frame_rate)) {
        nominal = sl_rescale(1, sl_rational(from->frame_rate.den, from->frame_rate.num),
                             t->grid.out, SL_ROUND_NEAREST);
    }
    /* Matroska has no decoding times: what libavformat says there it has made up. */
    bool stated = !t->grid.exact && strcmp(r->demuxer->format, "mkv") != 0 &&
                  strcmp(r->demuxer->format, "webm") != 0;
    /* Only these two are reordered in the container; the others hide it inside their packets. */
    if (t->out.codec != SL_CODEC_H264 && t->out.codec != SL_CODEC_HEVC) {
        depth = 0;
    }
    sl_remux_dts_init(&t->dts, depth, nominal, stated);
    sl_remux_track_prefix(t);
}

static enum sl_status way_of(const struct sl_remux *r, const struct sl_track *t,
                             enum sl_remux_way *way, struct sl_error *err)
{
    const char *refused = NULL;
    if (t->kind == SL_KIND_VIDEO) {
        bool carried = AMONG(t->codec, carried_video);
        bool encode = r->params.video == SL_REMUX_VIDEO_H264 ||
                      r->params.video == SL_REMUX_VIDEO_HEVC ||
                      (r->params.video == SL_REMUX_VIDEO_AUTO && !carried);
        *way = encode ? SL_REMUX_ENCODE : SL_REMUX_PICTURES;
        refused = !encode && !carried ? "--video h264 encodes it" : NULL;
    } else if (t->kind == SL_KIND_AUDIO) {
        bool convert =
            r->params.audio == SL_REMUX_AUDIO_AAC || r->params.audio == SL_REMUX_AUDIO_OPUS ||
            (r->params.audio == SL_REMUX_AUDIO_AUTO &&
             !(r->looking ? AMONG(t->codec, carried_audio) : AMONG(t->codec, played_audio)));
        *way = convert ? SL_REMUX_CONVERT : SL_REMUX_SOUND;
        refused = !convert && !AMONG(t->codec, carried_audio) ? "--audio aac converts it" : NULL;
    } else {
        *way = SL_REMUX_TEXT;
        refused = sl_remux_is_text(t->codec) ? NULL : "pictures of text need to be read first";
    }
    return refused ? sl_fail(err, SL_EUNSUPPORTED, name_of(r), "MP4 cannot carry %s; %s",
                             t->codec_name, refused)
                   : SL_OK;
}

static enum sl_status add_track(struct sl_remux *r, size_t source, struct sl_error *err)
{
    const struct sl_track *from = &r->demuxer->tracks[source];
    struct sl_remux_track *t = &r->tracks[r->track_count];
    struct sl_error why = {0};
    enum sl_remux_way way;
    enum sl_status st = way_of(r, from, &way, &why);
    /* Subtitles that are pictures are part of many films, and not what --subtitles is after. */
    bool passed = r->params.keep_going || (way == SL_REMUX_TEXT && !r->params.subtitle_track[0]);
    if (st != SL_OK && passed) {
        sl_log_write(r->log, SL_LOG_WARN, "remux", "track %zu is left out: %s", source, why.msg);
        return SL_OK;
    }
    if (st != SL_OK) {
        return sl_fail(err, st, why.where, "track %zu: %s", source, why.msg);
    }
    if (r->track_count == SL_REMUX_TRACKS_MAX) {
        return sl_fail(err, SL_EINVAL, name_of(r), "more than %d tracks were chosen",
                       SL_REMUX_TRACKS_MAX);
    }
    *t = (struct sl_remux_track){.way = way,
                                 .source = source,
                                 .index = (uint32_t)r->track_count,
                                 .waited = way != SL_REMUX_TEXT,
                                 .end = INT64_MAX,
                                 .reach = INT64_MIN};
    sl_track_init(&t->out);
    r->map[source] = (int)r->track_count++;
    st = sl_track_copy(&t->out, from, err);
    if (st != SL_OK) {
        return st;
    }
    if (way == SL_REMUX_PICTURES) {
        sl_remux_plan_picture(r, t, from);
    } else if (way == SL_REMUX_SOUND) {
        int32_t rate = from->codec == SL_CODEC_OPUS ? 48000 : from->sample_rate;
        t->out.timebase = sl_rational(1, rate > 0 ? rate : 48000);
    } else if (way == SL_REMUX_TEXT) {
        return sl_remux_text_open(r, t, err);
    }
    if (t->out.kind == SL_KIND_VIDEO && !r->picture) {
        r->picture = t;
    }
    return SL_OK;
}

static enum sl_status add_set(struct sl_remux *r, uint64_t set, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < 64 && st == SL_OK; i++) {
        if (set >> i & 1) {
            st = add_track(r, i, err);
        }
    }
    return st;
}

enum sl_status sl_remux_plan(struct sl_remux *r, struct sl_error *err)
{
    const struct sl_remux_params *p = &r->params;
    uint64_t video = 0, audio = 0, text = 0, wanted = 0;
    enum sl_status st = SL_OK;

    for (size_t i = 0; i < 64; i++) {
        r->map[i] = -1;
    }
    if (p->video != SL_REMUX_VIDEO_NONE) {
        st = p->video_track[0]
                 ? choose_list(r, SL_KIND_VIDEO, p->video_track, "video-track", &video, err)
                 : SL_OK;
        video = p->video_track[0] ? video : best_of(r->demuxer, SL_KIND_VIDEO);
    }
    if (st == SL_OK && p->audio != SL_REMUX_AUDIO_NONE) {
        st = p->audio_track[0]
                 ? choose_list(r, SL_KIND_AUDIO, p->audio_track, "audio-track", &audio, err)
                 : SL_OK;
        audio = p->audio_track[0] ? audio : best_of(r->demuxer, SL_KIND_AUDIO);
    }
    if (st == SL_OK && (video & (video - 1)) != 0) {
        st = sl_fail(err, SL_EINVAL, "video-track", "one picture is all that an output can have");
    }
    if (st == SL_OK && p->subtitles != SL_REMUX_SUBTITLES_NONE) {
        st = choose_list(r, SL_KIND_SUBTITLE, p->subtitle_track[0] ? p->subtitle_track : "all",
                         "subtitle-track", &text, err);
    }
    st = st == SL_OK ? add_set(r, video, err) : st;
    st = st == SL_OK ? add_set(r, audio, err) : st;
    st = st == SL_OK ? add_set(r, text, err) : st;
    if (st != SL_OK) {
        return st;
    }
    if (r->track_count == 0) {
        return sl_fail(err, SL_EDATA, name_of(r), "holds no track that could be used");
    }
    for (size_t i = 0; i < r->track_count; i++) {
        wanted |= UINT64_C(1) << r->tracks[i].source;
    }
    if (r->demuxer->ops->select) {
        r->demuxer->ops->select(r->demuxer, wanted);
    }
    return SL_OK;
}

void sl_remux_track_clear(struct sl_remux_track *t)
{
    sl_remux_dts_clear(&t->dts);
    sl_remux_fifo_clear(&t->tail);
    sl_remux_sound_clear(&t->sound);
    sl_remux_convert_free(&t->convert);
    sl_remux_encode_free(&t->encode);
    sl_remux_text_free(&t->text);
    sl_track_clear(&t->out);
}
