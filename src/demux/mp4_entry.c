/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample entries of pictures and texts: ISO/IEC 14496-12 8.5.2 and 12.1, 14496-15, and the codecs'
 * own bindings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/mp4.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/pixel.h"
#include "media/track.h"

#define ENTRY_FIELDS   8  /* reserved, data_reference_index */
#define PICTURE_FIELDS 78 /* of VisualSampleEntry */

static const struct sl_mp4_codec pictures[] = {
    {"avc1", SL_CODEC_H264, NULL, "avcC"},  {"avc2", SL_CODEC_H264, NULL, "avcC"},
    {"avc3", SL_CODEC_H264, NULL, "avcC"},  {"avc4", SL_CODEC_H264, NULL, "avcC"},
    {"dva1", SL_CODEC_H264, NULL, "avcC"},  {"dvav", SL_CODEC_H264, NULL, "avcC"},
    {"hvc1", SL_CODEC_HEVC, NULL, "hvcC"},  {"hev1", SL_CODEC_HEVC, NULL, "hvcC"},
    {"dvh1", SL_CODEC_HEVC, NULL, "hvcC"},  {"dvhe", SL_CODEC_HEVC, NULL, "hvcC"},
    {"av01", SL_CODEC_AV1, NULL, "av1C"},   {"vp08", SL_CODEC_VP8, NULL, "vpcC"},
    {"vp09", SL_CODEC_VP9, NULL, "vpcC"},   {"mp4v", SL_CODEC_MPEG4, NULL, "esds"},
    {"m2v1", SL_CODEC_MPEG2, NULL, "glbl"}, {"mp2v", SL_CODEC_MPEG2, NULL, "glbl"},
    {"jpeg", SL_CODEC_MJPEG, NULL, NULL},   {"mjpa", SL_CODEC_MJPEG, NULL, NULL},
    {"png ", SL_CODEC_OTHER, "png", NULL},
};

static const struct sl_mp4_codec texts[] = {
    {"tx3g", SL_CODEC_MOV_TEXT, NULL, NULL},   {"text", SL_CODEC_MOV_TEXT, NULL, NULL},
    {"wvtt", SL_CODEC_WEBVTT, NULL, "vttC"},   {"stpp", SL_CODEC_OTHER, "ttml", NULL},
    {"c608", SL_CODEC_OTHER, "eia_608", NULL},
};

void sl_mp4_set_codec(struct sl_track *track, enum sl_codec codec, const char *name)
{
    bool named = codec != SL_CODEC_PCM && codec != SL_CODEC_OTHER;
    track->codec = codec;
    (void)snprintf(track->codec_name, sizeof track->codec_name, "%s",
                   named ? sl_codec_name(codec) : name);
}

static const struct sl_mp4_codec *find(const struct sl_mp4_codec *list, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (SL_MP4_FOURCC(list[i].type) == code) {
            return &list[i];
        }
    }
    return NULL;
}

/* Sluice's tags have the first byte lowest, as FFmpeg's. */
static uint32_t swapped(uint32_t code)
{
    return code >> 24 | (code >> 8 & 0xff00) | (code << 8 & 0xff0000) | code << 24;
}

/* ---- pictures ----------------------------------------------------------------------------- */

static uint8_t code_point(uint16_t v)
{
    return v <= UINT8_MAX ? (uint8_t)v : 2;
}

/* 12.1.5; QuickTime's nclc has no range. */
static void read_colr(const struct sl_mp4_box *box, struct sl_track *track)
{
    struct sl_reader r;
    struct sl_colour c = track->colour;

    sl_reader_init(&r, box->data, box->size);
    uint32_t type = sl_read_be32(&r);
    c.primaries = code_point(sl_read_be16(&r));
    c.transfer = code_point(sl_read_be16(&r));
    c.matrix = code_point(sl_read_be16(&r));
    if (r.overrun || (type != SL_MP4_FOURCC("nclx") && type != SL_MP4_FOURCC("nclc"))) {
        return;
    }
    if (type == SL_MP4_FOURCC("nclx") && sl_reader_left(&r) > 0) {
        c.range = sl_read_u8(&r) & 0x80 ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    }
    track->colour = c;
}

/* 12.1.6 and 12.1.7, and the older boxes of WebM's people, which are full boxes. */
static void read_hdr(const struct sl_mp4_box *box, struct sl_hdr *hdr)
{
    struct sl_reader r;
    struct sl_hdr h = *hdr;

    sl_reader_init(&r, box->data, box->size);
    if (sl_mp4_is(box, "mdcv")) {
        for (size_t i = 0; i < 6; i++) {
            h.primary[i / 2][i % 2] = sl_read_be16(&r);
        }
        h.white[0] = sl_read_be16(&r);
        h.white[1] = sl_read_be16(&r);
        h.luminance_max = sl_read_be32(&r);
        h.luminance_min = sl_read_be32(&r);
        h.has_mastering = 1;
    } else {
        sl_read_skip(&r, sl_mp4_is(box, "CoLL") ? 4 : 0);
        h.max_cll = sl_read_be16(&r);
        h.max_fall = sl_read_be16(&r);
        h.has_light = 1;
    }
    if (!r.overrun) {
        *hdr = h;
    }
}

static void set_format(struct sl_track *track, unsigned depth, const char *layout)
{
    char name[24];
    (void)snprintf(name, sizeof name, depth > 8 ? "%s%ule" : "%s", layout, depth);
    track->bit_depth = (int32_t)depth;
    track->pixel_format = (int32_t)sl_pixel_find(name);
}

/* AV1 Codec ISO Media File Format Binding 2.3.3 */
static void describe_av1(struct sl_track *track)
{
    if (track->config_size < 4 || track->config[0] != 0x81) {
        return;
    }
    unsigned bits = track->config[2];
    unsigned depth = bits & 0x40 ? (bits & 0x20 ? 12 : 10) : 8;
    track->profile = track->config[1] >> 5;
    track->level = track->config[1] & 0x1f;
    set_format(track, depth,
               bits & 0x10   ? "gray"
               : !(bits & 8) ? "yuv444p"
               : bits & 4    ? "yuv420p"
                             : "yuv422p");
    track->reorder = 0;
}

/* VP Codec ISO Media File Format Binding, vpcC version 1 */
static void describe_vp(struct sl_track *track)
{
    static const char *const layouts[] = {"yuv420p", "yuv420p", "yuv422p", "yuv444p"};
    struct sl_reader r;

    sl_reader_init(&r, track->config, track->config_size);
    uint32_t version = sl_read_be32(&r);
    unsigned profile = sl_read_u8(&r);
    unsigned level = sl_read_u8(&r);
    unsigned bits = sl_read_u8(&r);
    struct sl_colour c = track->colour;
    c.primaries = sl_read_u8(&r);
    c.transfer = sl_read_u8(&r);
    c.matrix = sl_read_u8(&r);
    if (r.overrun || version != 0x01000000) {
        return;
    }
    track->profile = (int32_t)profile;
    track->level = (int32_t)level;
    if ((bits >> 1 & 7) < 4) {
        set_format(track, bits >> 4, layouts[bits >> 1 & 7]);
    }
    if (track->colour.primaries == 2 && track->colour.transfer == 2 && track->colour.matrix == 2) {
        c.range = bits & 1 ? SL_RANGE_FULL : SL_RANGE_LIMITED;
        track->colour = c;
    }
    track->reorder = 0;
}

/* What the container says of the shape of a sample: pasp, else the size of the presentation. A
 * difference that rounding to whole pixels makes says nothing. */
static void set_aspect(const struct sl_mp4_track *t, struct sl_track *track,
                       struct sl_rational stated, int32_t width, int32_t height)
{
    int64_t w = t->tkhd_width >> 16;
    int64_t h = t->tkhd_height >> 16;
    struct sl_rational coded = track->sample_aspect;

    if (sl_rational_valid(stated)) {
        track->sample_aspect = sl_rational_reduce(stated);
        return;
    }
    if (w < 1 || h < 1 || width < 1 || height < 1 || (w == width && h == height)) {
        return;
    }
    if (sl_rational_valid(coded)) {
        int64_t shown = sl_muldiv(width, coded.num, coded.den, SL_ROUND_NEAREST);
        if (h == height && shown - w <= 1 && w - shown <= 1) {
            return;
        }
    }
    track->sample_aspect = sl_rational_reduce(sl_rational(height * w, width * h));
}

static enum sl_status read_picture_boxes(struct sl_mp4 *d, const struct sl_mp4_box *entry,
                                         const struct sl_mp4_codec *codec, struct sl_track *track,
                                         struct sl_rational *aspect, struct sl_error *err)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    sl_mp4_walk_init(&w, d->name, entry, PICTURE_FIELDS);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        if (sl_mp4_is(&box, "esds")) {
            status = sl_mp4_read_esds(d, &box, track, err);
        } else if (codec->config && sl_mp4_is(&box, codec->config) && track->config_size == 0) {
            status = sl_track_set_config(track, box.data, box.size, err);
        } else if (sl_mp4_is(&box, "pasp") && box.size >= 8) {
            struct sl_reader r;
            sl_reader_init(&r, box.data, box.size);
            aspect->num = sl_read_be32(&r);
            aspect->den = sl_read_be32(&r);
        } else if (sl_mp4_is(&box, "colr")) {
            read_colr(&box, track);
        } else if (sl_mp4_is(&box, "mdcv") || sl_mp4_is(&box, "clli") || sl_mp4_is(&box, "CoLL")) {
            read_hdr(&box, &track->hdr);
        } else if (sl_mp4_is(&box, "btrt") && box.size >= 12) {
            struct sl_reader r;
            sl_reader_init(&r, box.data, box.size);
            sl_read_skip(&r, 8);
            track->bitrate = sl_read_be32(&r);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

static enum sl_status describe_picture(struct sl_mp4 *d, struct sl_mp4_track *t,
                                       const struct sl_mp4_box *entry, struct sl_track *track,
                                       struct sl_error *err)
{
    const struct sl_mp4_codec *codec =
        find(pictures, sizeof pictures / sizeof *pictures, entry->code);
    struct sl_rational aspect = {0, 1};
    struct sl_reader r;

    if (!codec) {
        /* Left to whoever knows more codecs: see registry.c. */
        return sl_fail_at(err, SL_ENOTFOUND, d->name, entry->offset,
                          "track %" PRIu32 ": pictures of kind '%s' are not known here", t->id,
                          entry->type);
    }
    sl_reader_init(&r, entry->data, entry->size);
    sl_read_skip(&r, 24);
    int32_t width = sl_read_be16(&r);
    int32_t height = sl_read_be16(&r);
    sl_read_skip(&r, PICTURE_FIELDS - 28);
    if (r.overrun) {
        return sl_fail_at(err, SL_EDATA, d->name, entry->offset,
                          "sample entry '%s' of %zu bytes, at least %d were expected", entry->type,
                          entry->size, PICTURE_FIELDS);
    }
    track->width = width;
    track->height = height;
    sl_mp4_set_codec(track, codec->codec, codec->name);
    enum sl_status status = read_picture_boxes(d, entry, codec, track, &aspect, err);
    if (status != SL_OK) {
        return status;
    }
    /* A parameter set that cannot be read leaves the track as the container describes it. */
    switch (track->codec) {
    case SL_CODEC_H264:
        (void)!sl_h264_describe(track, NULL);
        break;
    case SL_CODEC_HEVC:
        (void)!sl_hevc_describe(track, NULL);
        break;
    case SL_CODEC_AV1:
        describe_av1(track);
        break;
    case SL_CODEC_VP8:
    case SL_CODEC_VP9:
        describe_vp(track);
        break;
    case SL_CODEC_MPEG4:
        set_format(track, 8, "yuv420p");
        break;
    default:
        break;
    }
    set_aspect(t, track, aspect, width, height);
    return SL_OK;
}

/* ---- texts and the rest ------------------------------------------------------------------- */

static enum sl_status describe_text(struct sl_mp4 *d, const struct sl_mp4_box *entry,
                                    const struct sl_mp4_codec *codec, struct sl_mp4_track *t,
                                    struct sl_track *track, struct sl_error *err)
{
    struct sl_mp4_box box;

    (void)d;
    track->kind = SL_KIND_SUBTITLE;
    sl_mp4_set_codec(track, codec->codec, codec->name);
    track->width = (int32_t)(t->tkhd_width >> 16);
    track->height = (int32_t)(t->tkhd_height >> 16);
    if (codec->config) {
        return sl_mp4_find(entry, ENTRY_FIELDS, codec->config, &box)
                   ? sl_track_set_config(track, box.data, box.size, err)
                   : SL_OK;
    }
    if (codec->codec == SL_CODEC_MOV_TEXT && entry->size > ENTRY_FIELDS) {
        return sl_track_set_config(track, entry->data + ENTRY_FIELDS, entry->size - ENTRY_FIELDS,
                                   err);
    }
    return SL_OK;
}

/* 8.12: what protects the samples, as far as it says so. */
static enum sl_status refuse_encrypted(struct sl_mp4 *d, struct sl_mp4_track *t,
                                       const struct sl_mp4_box *entry, size_t skip,
                                       struct sl_error *err)
{
    struct sl_mp4_box sinf;
    struct sl_mp4_box schm;
    char scheme[5] = "????";

    if (sl_mp4_find(entry, skip, "sinf", &sinf) && sl_mp4_find(&sinf, 0, "schm", &schm) &&
        schm.size >= 8) {
        struct sl_reader r;
        sl_reader_init(&r, schm.data, schm.size);
        sl_read_skip(&r, 4);
        sl_mp4_type_text(sl_read_be32(&r), scheme);
    }
    return sl_fail_at(err, SL_EUNSUPPORTED, d->name, entry->offset,
                      "track %" PRIu32 " is encrypted ('%s', scheme '%s')", t->id, entry->type,
                      scheme);
}

static enum sl_status describe_entry(struct sl_mp4 *d, struct sl_mp4_track *t,
                                     const struct sl_mp4_box *entry, struct sl_track *track,
                                     struct sl_error *err)
{
    const struct sl_mp4_codec *text = find(texts, sizeof texts / sizeof *texts, entry->code);

    track->codec_tag = swapped(entry->code);
    if (sl_mp4_is(entry, "encv") || sl_mp4_is(entry, "drmi")) {
        return refuse_encrypted(d, t, entry, PICTURE_FIELDS, err);
    }
    if (sl_mp4_is(entry, "enca") || sl_mp4_is(entry, "drms")) {
        return refuse_encrypted(d, t, entry, 28, err);
    }
    if (sl_mp4_is(entry, "enct") || sl_mp4_is(entry, "encs")) {
        return refuse_encrypted(d, t, entry, ENTRY_FIELDS, err);
    }
    if (track->kind == SL_KIND_VIDEO) {
        return describe_picture(d, t, entry, track, err);
    }
    if (track->kind == SL_KIND_AUDIO) {
        return sl_mp4_describe_sound(d, t, entry, track, err);
    }
    if (text && !t->is_chapters) {
        return describe_text(d, entry, text, t, track, err);
    }
    track->kind = SL_KIND_DATA;
    sl_mp4_set_codec(track, SL_CODEC_UNKNOWN, NULL);
    return SL_OK;
}

/* ---- several descriptions ----------------------------------------------------------------- */

/* The configurations of a track whose samples change from one description to another. Fields other
 * than the configuration are the first one's. */
static enum sl_status keep_entry(struct sl_mp4 *d, struct sl_mp4_track *t,
                                 const struct sl_mp4_box *entry, const struct sl_track *first,
                                 struct sl_error *err)
{
    struct sl_mp4_entry *e = &t->entries[t->entry_count];
    struct sl_track other;
    enum sl_status status = SL_OK;

    sl_track_init(&other);
    other.kind = first->kind;
    status = describe_entry(d, t, entry, &other, err);
    if (status == SL_OK && other.codec == first->codec) {
        e->usable = true;
        e->config = other.config;
        e->config_size = other.config_size;
        other.config = NULL;
        other.config_size = 0;
    }
    t->entry_count++;
    sl_track_clear(&other);
    return status;
}

enum sl_status sl_mp4_describe(struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_track *track,
                               struct sl_error *err)
{
    struct sl_reader r;
    struct sl_mp4_walk w;
    struct sl_mp4_box entry;
    uint32_t left = 0;
    enum sl_status status = SL_OK;

    track->kind = t->handler == SL_MP4_FOURCC("vide")   ? SL_KIND_VIDEO
                  : t->handler == SL_MP4_FOURCC("soun") ? SL_KIND_AUDIO
                                                        : SL_KIND_DATA;
    sl_mp4_set_codec(track, SL_CODEC_UNKNOWN, NULL);
    if (t->is_chapters && track->kind == SL_KIND_VIDEO) {
        track->is_attached_picture = 1; /* thumbnails: nothing that anyone watches */
    }
    if (t->stsd.size == 0) {
        track->kind = SL_KIND_DATA;
        return SL_OK;
    }
    sl_reader_init(&r, t->stsd.data, t->stsd.size);
    sl_read_skip(&r, 4);
    left = sl_read_be32(&r);
    if (r.overrun || left > SL_MP4_ENTRIES_MAX || left > sl_reader_left(&r) / 8) {
        return sl_fail_at(err, SL_EDATA, d->name, t->stsd.offset,
                          "box 'stsd' states %" PRIu32 " entries, at most %zu are allowed", left,
                          sl_reader_left(&r) / 8 < SL_MP4_ENTRIES_MAX ? sl_reader_left(&r) / 8
                                                                      : SL_MP4_ENTRIES_MAX);
    }
    if (left > 1) {
        t->entries = sl_alloc_array(left, sizeof *t->entries);
        if (!t->entries) {
            return sl_fail_memory(err);
        }
    }
    sl_mp4_walk_init(&w, d->name, &t->stsd, 8);
    for (uint32_t i = 0; i < left; i++) {
        status = sl_mp4_walk_next(&w, &entry, err);
        if (status == SL_EOF) {
            break;
        }
        if (status == SL_OK && i == 0) {
            status = describe_entry(d, t, &entry, track, err);
        }
        if (status == SL_OK && left > 1) {
            status = keep_entry(d, t, &entry, track, err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return SL_OK;
}
