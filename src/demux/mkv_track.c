/* SPDX-License-Identifier: BSD-2-Clause */
/* From a TrackEntry to a track. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/mkv.h"
#include "media/track.h"

#define SIDE_MAX     65535
#define CHANNELS_MAX 256
#define RATE_MAX     INT32_MAX

/* TrackType, 5.1.4.1.3 */
enum { VIDEO = 1, AUDIO = 2, SUBTITLE = 17 };

/* value * unit to the nearest whole number, 0 to max; what is no number is 0. */
static uint32_t scaled(double value, double unit, uint32_t max)
{
    double v = value * unit + 0.5;
    if (!(v >= 0)) {
        return 0;
    }
    return v >= (double)max ? max : (uint32_t)v;
}

static uint8_t code_point(uint64_t v)
{
    return v > 255 ? 2 : (uint8_t)v;
}

/* 5.1.4.1.28.16 and below */
static void set_colour(struct sl_track *t, const struct sl_mkv_colour *c)
{
    t->colour.primaries = code_point(c->primaries);
    t->colour.transfer = code_point(c->transfer);
    t->colour.matrix = code_point(c->matrix);
    t->colour.range = c->range == 1 || c->range == 2 ? (uint8_t)c->range : SL_RANGE_UNSPECIFIED;
    if (c->siting_horizontal >= 1 && c->siting_horizontal <= 2 && c->siting_vertical >= 1 &&
        c->siting_vertical <= 2) {
        /* H.264 figure E-1: left, centre, top left, top */
        t->colour.chroma_location =
            (uint8_t)((c->siting_vertical == 2 ? 0 : 2) + (c->siting_horizontal == 2 ? 1 : 0) + 1);
    }
    if (c->bits > 0 && c->bits <= 32) {
        t->bit_depth = (int32_t)c->bits;
    }
}

static void set_hdr(struct sl_hdr *h, const struct sl_mkv_colour *c)
{
    /* SEI order: green, blue, red; units of 0.00002 */
    const double points[4][2] = {{c->green_x, c->green_y},
                                 {c->blue_x, c->blue_y},
                                 {c->red_x, c->red_y},
                                 {c->white_x, c->white_y}};
    bool complete = c->luminance_max >= 0 && c->luminance_min >= 0;

    for (size_t i = 0; i < 4; i++) {
        complete = complete && points[i][0] >= 0 && points[i][1] >= 0;
    }
    if (complete) {
        h->has_mastering = 1;
        for (size_t i = 0; i < 4; i++) {
            uint16_t *to = i < 3 ? h->primary[i] : h->white;
            to[0] = (uint16_t)scaled(points[i][0], 50000, UINT16_MAX);
            to[1] = (uint16_t)scaled(points[i][1], 50000, UINT16_MAX);
        }
        h->luminance_max = scaled(c->luminance_max, 10000, UINT32_MAX);
        h->luminance_min = scaled(c->luminance_min, 10000, UINT32_MAX);
    }
    if (c->max_cll > 0 || c->max_fall > 0) {
        h->has_light = 1;
        h->max_cll = c->max_cll > UINT16_MAX ? UINT16_MAX : (uint16_t)c->max_cll;
        h->max_fall = c->max_fall > UINT16_MAX ? UINT16_MAX : (uint16_t)c->max_fall;
    }
}

/* The display size is that of the picture after the container's own cropping, 5.1.4.1.28.10 to 14,
 * in pixels or any other unit of length, or as a ratio. */
static void set_aspect(struct sl_track *t, const struct sl_mkv_video *v)
{
    uint64_t width = v->width;
    uint64_t height = v->height;
    uint64_t shown_width = v->display_width;
    uint64_t shown_height = v->display_height;

    if (v->display_unit > 3 || (shown_width == 0 && shown_height == 0)) {
        return; /* not stated: the codec's word counts */
    }
    if (v->crop_left + v->crop_right < width && v->crop_top + v->crop_bottom < height &&
        v->crop_left < width && v->crop_top < height) {
        width -= v->crop_left + v->crop_right;
        height -= v->crop_top + v->crop_bottom;
    }
    shown_width = shown_width ? shown_width : width;
    shown_height = shown_height ? shown_height : height;
    if (shown_width > INT32_MAX || shown_height > INT32_MAX) {
        return;
    }
    t->sample_aspect = sl_rational_reduce(
        sl_rational((int64_t)(shown_width * height), (int64_t)(shown_height * width)));
}

/* ProjectionPoseRoll turns counter-clockwise, 5.1.4.1.28.46; a yaw of half a turn shows the picture
 * from behind. */
static void set_rotation(struct sl_track *t, const struct sl_mkv_video *v)
{
    double roll = v->roll;

    if (v->projection != 0 || !(fabs(v->pitch) < 0.5) || !(fabs(roll) <= 360)) {
        return;
    }
    t->flip = fabs(fabs(v->yaw) - 180) < 0.5;
    t->rotation = (4 - (int32_t)lround(roll / 90)) % 4 * 90;
    if (t->rotation < 0) {
        t->rotation += 360;
    }
}

static enum sl_status set_picture(struct sl_track *t, const struct sl_mkv_entry *e,
                                  const char *name, int64_t offset, struct sl_error *err)
{
    if (e->video.width < 1 || e->video.width > SIDE_MAX || e->video.height < 1 ||
        e->video.height > SIDE_MAX) {
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "track %" PRIu64 " has pictures of %" PRIu64 "x%" PRIu64
                          ", 1 to %d a side are allowed",
                          e->number, e->video.width, e->video.height, SIDE_MAX);
    }
    t->width = (int32_t)e->video.width;
    t->height = (int32_t)e->video.height;
    set_colour(t, &e->video.colour);
    set_hdr(&t->hdr, &e->video.colour);
    set_aspect(t, &e->video);
    set_rotation(t, &e->video);
    return SL_OK;
}

static enum sl_status set_sound(struct sl_track *t, const struct sl_mkv_entry *e, const char *name,
                                int64_t offset, struct sl_error *err)
{
    double rate = e->audio.output_rate > 0 ? e->audio.output_rate : e->audio.rate;

    if (!(rate >= 1 && rate < RATE_MAX) || e->audio.channels < 1 ||
        e->audio.channels > CHANNELS_MAX) {
        return sl_fail_at(err, SL_EDATA, name, offset,
                          "track %" PRIu64 " has %" PRIu64
                          " channels at %.3f Hz, 1 to %d channels at 1 Hz or more are allowed",
                          e->number, e->audio.channels, rate, CHANNELS_MAX);
    }
    t->sample_rate = (int32_t)lround(rate);
    t->channels = (int32_t)e->audio.channels;
    t->bit_depth = e->audio.bits <= 64 ? (int32_t)e->audio.bits : 0;
    return SL_OK;
}

static void set_names(struct sl_track *t, const struct sl_mkv_entry *e)
{
    /* LanguageBCP47 overrides Language, 5.1.4.1.20; both say "und" for what is not known. */
    const char *language = e->bcp47[0] ? e->bcp47 : e->language;

    if (strcmp(language, "und") != 0) {
        (void)snprintf(t->language, sizeof t->language, "%s", language);
    }
    (void)snprintf(t->title, sizeof t->title, "%s", e->name);
}

static bool is_lossless(enum sl_codec codec)
{
    return codec == SL_CODEC_PCM || codec == SL_CODEC_FLAC || codec == SL_CODEC_ALAC ||
           codec == SL_CODEC_OTHER || codec == SL_CODEC_TRUEHD;
}

/* Everything but time, which waits for TimestampScale. */
static enum sl_status fill(struct sl_track *t, struct sl_mkv_track *mt, struct sl_mkv_entry *e,
                           const char *name, int64_t offset, struct sl_error *err)
{
    struct sl_buf *config = NULL;
    enum sl_status status = SL_OK;

    mt->number = e->number;
    mt->uid = e->uid;
    if (e->default_duration <= INT64_MAX / 1000000) {
        mt->default_duration = (int64_t)e->default_duration;
    }
    if (e->codec_delay <= INT64_MAX / 1000000) {
        mt->codec_delay = (int64_t)e->codec_delay;
    }
    t->id = e->number <= INT64_MAX ? (int64_t)e->number : 0;
    t->is_default = e->is_default != 0;
    t->is_forced = e->is_forced != 0;
    set_names(t, e);
    switch (e->type) {
    case VIDEO:
        t->kind = SL_KIND_VIDEO;
        status = set_picture(t, e, name, offset, err);
        break;
    case AUDIO:
        t->kind = SL_KIND_AUDIO;
        status = set_sound(t, e, name, offset, err);
        break;
    case SUBTITLE:
        t->kind = SL_KIND_SUBTITLE;
        break;
    default:
        t->kind = strncmp(e->codec_id, "D_WEBVTT/", 9) == 0 ? SL_KIND_SUBTITLE : SL_KIND_DATA;
        break;
    }
    if (status == SL_OK) {
        status = sl_mkv_set_undo(mt, e, name, offset, err);
    }
    if (status == SL_OK) {
        status = sl_mkv_decode_config(e, &config, err);
    }
    if (status == SL_OK) {
        status = sl_mkv_set_codec(t, mt, e, err);
    }
    sl_buf_unref(&config);
    if (status != SL_OK) {
        return status;
    }
    if (t->kind == SL_KIND_AUDIO) {
        if (!is_lossless(t->codec)) {
            t->bit_depth = 0; /* stated by some muxers, and of no meaning */
        }
        struct sl_rational nano = {1, 1000000000};
        struct sl_rational sample = {1, t->sample_rate > 0 ? t->sample_rate : 1};
        int64_t delay = sl_rescale(mt->codec_delay, nano, sample, SL_ROUND_NEAREST);
        int64_t preroll =
            e->seek_preroll > INT64_MAX / 1000000
                ? 0
                : sl_rescale((int64_t)e->seek_preroll, nano, sample, SL_ROUND_NEAREST);
        t->delay = delay > INT32_MAX ? INT32_MAX : (int32_t)delay;
        t->seek_preroll = preroll > INT32_MAX ? INT32_MAX : (int32_t)preroll;
        sl_mkv_sound_init(&mt->sound, t);
    }
    mt->intra = (t->kind != SL_KIND_VIDEO && t->codec != SL_CODEC_TRUEHD) ||
                t->codec == SL_CODEC_MJPEG || t->codec == SL_CODEC_RAWVIDEO;
    return SL_OK;
}

enum sl_status sl_mkv_add_track(struct sl_mkv *m, struct sl_mkv_entry *entry, int64_t offset,
                                struct sl_error *err)
{
    size_t index = m->demuxer.track_count;
    struct sl_track *t = NULL;

    if (entry->number == 0) {
        return sl_fail_at(err, SL_EDATA, m->name, offset,
                          "a track without a number (TrackNumber must not be 0)");
    }
    for (size_t i = 0; i < index; i++) {
        if (m->tracks[i].number == entry->number) {
            return sl_fail_at(err, SL_EDATA, m->name, offset, "two tracks have the number %" PRIu64,
                              entry->number);
        }
    }
    if (index == SL_MKV_TRACKS_MAX) {
        return sl_fail_at(err, SL_EDATA, m->name, offset, "more than %d tracks", SL_MKV_TRACKS_MAX);
    }
    if (sl_grow((void *)&m->demuxer.tracks, &m->capacity, index, sizeof *m->demuxer.tracks,
                SL_MKV_TRACKS_MAX) != SL_OK ||
        sl_grow((void *)&m->tracks, &m->tracks_capacity, index, sizeof *m->tracks,
                SL_MKV_TRACKS_MAX) != SL_OK) {
        return sl_fail_memory(err);
    }
    t = &m->demuxer.tracks[index];
    sl_track_init(t);
    memset(&m->tracks[index], 0, sizeof m->tracks[index]);
    m->demuxer.track_count++; /* now, so that what it owns goes with the rest */
    if (entry->number < SL_MKV_NUMBERS) {
        m->by_number[entry->number] = (uint16_t)(index + 1);
    }
    return fill(t, &m->tracks[index], entry, m->name, offset, err);
}
