/* SPDX-License-Identifier: BSD-2-Clause */
/* moov and what is in it: ISO/IEC 14496-12 8.2 to 8.5, 8.8.1 to 8.8.3; QuickTime's user data. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/mp4.h"
#include "media/track.h"

/* Runs each over the children of parent; SL_OK after the last one. */
static enum sl_status each_child(struct sl_mp4 *d, const struct sl_mp4_box *parent, size_t skip,
                                 enum sl_status (*each)(struct sl_mp4 *d, void *to,
                                                        const struct sl_mp4_box *box,
                                                        struct sl_error *err),
                                 void *to, struct sl_error *err)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    sl_mp4_walk_init(&w, d->name, parent, skip);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        status = each(d, to, &box, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

static enum sl_status too_short(struct sl_mp4 *d, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, d->name, box->offset, "box '%s' of %zu bytes is too short",
                      box->type, box->size);
}

/* Durations of all ones mean that none is stated. */
static int64_t read_duration(struct sl_reader *r, bool wide)
{
    uint64_t v = wide ? sl_read_be64(r) : sl_read_be32(r);
    return v < (wide ? (uint64_t)SL_MP4_TIME_MAX : UINT32_MAX) ? (int64_t)v : 0;
}

/* mvhd and mdhd begin alike: 8.2.2, 8.4.2 */
static enum sl_status read_times(struct sl_mp4 *d, const struct sl_mp4_box *box,
                                 uint32_t *timescale, int64_t *duration, struct sl_reader *r,
                                 struct sl_error *err)
{
    sl_reader_init(r, box->data, box->size);
    bool wide = sl_read_u8(r) == 1;
    sl_read_skip(r, 3 + (wide ? 16 : 8));
    *timescale = sl_read_be32(r);
    *duration = read_duration(r, wide);
    return r->overrun ? too_short(d, box, err) : SL_OK;
}

/* ---- track -------------------------------------------------------------------------------- */

struct parsed {
    struct sl_mp4_track *t;
    struct sl_track *track;
};

/* A text, cut between two characters of UTF-8 where it is too long. */
static void copy_text(char *dst, size_t size, const uint8_t *text, size_t n)
{
    const uint8_t *end = n > 0 ? memchr(text, 0, n) : NULL;
    n = end ? (size_t)(end - text) : n;
    if (n >= size) {
        n = size - 1;
        while (n > 0 && (text[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    if (n > 0) {
        memcpy(dst, text, n);
    }
    dst[n] = '\0';
}

/* The matrix maps (x, y), y downwards, to (a x + c y, b x + d y): 14496-12 6.2.2. Turned clockwise
 * by r it is (cos r, sin r, -sin r, cos r); mirrored left-right after that, a and c change sign. */
static void set_rotation(struct sl_track *track, int64_t a, int64_t b, int64_t c, int64_t d)
{
    if (a * d < b * c) {
        track->flip = 1;
        a = -a;
    }
    /* To the nearest quarter turn: nothing else is stored on purpose. */
    int64_t x = a < 0 ? -a : a;
    int64_t y = b < 0 ? -b : b;
    if (x >= y) {
        track->rotation = a < 0 ? 180 : 0;
    } else {
        track->rotation = b > 0 ? 90 : 270;
    }
}

/* 8.3.2 */
static enum sl_status read_tkhd(struct sl_mp4 *d, struct parsed *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct sl_reader r;
    int32_t m[9];

    sl_reader_init(&r, box->data, box->size);
    bool wide = sl_read_u8(&r) == 1;
    uint32_t flags = sl_read_be24(&r);
    sl_read_skip(&r, wide ? 16 : 8);
    to->t->id = sl_read_be32(&r);
    sl_read_skip(&r, 4 + (wide ? 8 : 4) + 8 + 8);
    for (size_t i = 0; i < 9; i++) {
        m[i] = (int32_t)sl_read_be32(&r);
    }
    to->t->tkhd_width = sl_read_be32(&r);
    to->t->tkhd_height = sl_read_be32(&r);
    if (r.overrun) {
        return too_short(d, box, err);
    }
    to->track->id = to->t->id;
    to->track->is_default = (flags & 1) != 0;
    set_rotation(to->track, m[0], m[1], m[3], m[4]);
    return SL_OK;
}

/* 8.4.2.3: three letters of five bits. QuickTime's numbers below 0x400 are of the Macintosh; the
 * first ones are worth knowing. */
static void set_language(struct sl_track *track, unsigned code)
{
    static const char macintosh[][4] = {"eng", "fre", "ger", "ita", "dut", "swe", "spa", "dan",
                                        "por", "nor", "heb", "jpn", "ara", "fin", "gre", "ice",
                                        "mlt", "tur", "hrv", "chi", "urd", "hin", "tha", "kor"};
    if (code < 0x400) {
        if (code < sizeof macintosh / sizeof *macintosh) {
            memcpy(track->language, macintosh[code], 4);
        }
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned letter = code >> (10 - 5 * i) & 0x1f;
        if (letter < 1 || letter > 26) {
            track->language[0] = '\0';
            return;
        }
        track->language[i] = (char)('a' + letter - 1);
    }
    track->language[3] = '\0';
    if (strcmp(track->language, "und") == 0) {
        track->language[0] = '\0';
    }
}

static enum sl_status read_dref(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    const struct parsed *p = to;
    /* 8.7.2: flag 1 says that the media are in this very file. */
    if (box->size > 4 && (box->data[3] & 1) == 0) {
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, box->offset,
                          "track %" PRIu32 " has its media in another file ('%s')", p->t->id,
                          box->type);
    }
    return SL_OK;
}

static enum sl_status read_minf(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct parsed *p = to;
    struct sl_mp4_box dref;

    if (sl_mp4_is(box, "stbl") && p->t->stsd.size == 0) {
        return sl_mp4_parse_tables(d, p->t, box, err);
    }
    if (sl_mp4_is(box, "dinf") && sl_mp4_find(box, 0, "dref", &dref)) {
        return each_child(d, &dref, 8, read_dref, to, err);
    }
    return SL_OK;
}

static enum sl_status read_mdia(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct parsed *p = to;
    struct sl_reader r;
    enum sl_status status = SL_OK;

    if (sl_mp4_is(box, "mdhd")) {
        status = read_times(d, box, &p->t->timescale, &p->t->media_duration, &r, err);
        if (status == SL_OK && p->track->language[0] == '\0') {
            set_language(p->track, sl_read_be16(&r));
        }
        return status;
    }
    if (sl_mp4_is(box, "hdlr") && p->t->handler == 0) {
        sl_reader_init(&r, box->data, box->size);
        sl_read_skip(&r, 8);
        p->t->handler = sl_read_be32(&r);
        return r.overrun ? too_short(d, box, err) : SL_OK;
    }
    if (sl_mp4_is(box, "elng") && box->size > 4) { /* 8.4.6: says more than mdhd */
        copy_text(p->track->language, sizeof p->track->language, box->data + 4, box->size - 4);
        return SL_OK;
    }
    if (sl_mp4_is(box, "minf")) {
        return each_child(d, box, 0, read_minf, to, err);
    }
    return SL_OK;
}

/* User data are read leniently: nothing that plays depends on them. */
static void read_track_names(struct sl_mp4 *d, struct parsed *p, const struct sl_mp4_box *udta)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;

    sl_mp4_walk_init(&w, d->name, udta, 0);
    while (sl_mp4_walk_next(&w, &box, NULL) == SL_OK) {
        if (sl_mp4_is(&box, "name")) {
            copy_text(p->track->title, sizeof p->track->title, box.data, box.size);
        } else if (box.code == SL_MP4_FOURCC("\xa9nam") && box.size > 4) {
            /* QuickTime: 16 bits of size, 16 of language */
            copy_text(p->track->title, sizeof p->track->title, box.data + 4, box.size - 4);
        } else if (sl_mp4_is(&box, "kind") && box.size > 4) { /* 8.10.4 */
            static const char scheme[] = "urn:mpeg:dash:role:2011";
            size_t n = sizeof scheme;
            if (box.size > 4 + n && memcmp(box.data + 4, scheme, n) == 0) {
                char role[32];
                copy_text(role, sizeof role, box.data + 4 + n, box.size - 4 - n);
                p->track->is_forced |= strcmp(role, "forced-subtitle") == 0;
            }
        }
    }
}

static enum sl_status read_trak(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct parsed *p = to;
    struct sl_mp4_box elst;

    if (sl_mp4_is(box, "tkhd")) {
        return read_tkhd(d, p, box, err);
    }
    if (sl_mp4_is(box, "mdia")) {
        return each_child(d, box, 0, read_mdia, to, err);
    }
    if (sl_mp4_is(box, "edts") && sl_mp4_find(box, 0, "elst", &elst)) {
        p->t->edits = elst;
    }
    if (sl_mp4_is(box, "udta")) {
        read_track_names(d, p, box);
    }
    return SL_OK;
}

/* ---- movie -------------------------------------------------------------------------------- */

static enum sl_status add_track(struct sl_mp4 *d, const struct sl_mp4_box *trak,
                                struct sl_error *err)
{
    struct sl_mp4_track *t = &d->tracks[d->count];
    struct parsed p = {t, &d->demuxer.tracks[d->count]};

    sl_track_init(p.track);
    t->pack = t->pack_samples = 1;
    d->count++;
    d->demuxer.track_count++;
    enum sl_status status = each_child(d, trak, 0, read_trak, &p, err);
    if (status == SL_OK && t->timescale == 0) {
        t->timescale = d->movie_timescale;
    }
    if (status == SL_OK && (t->timescale == 0 || t->timescale > INT32_MAX)) {
        status = sl_fail_at(err, SL_EDATA, d->name, trak->offset,
                            "track %" PRIu32 " has a timescale of %" PRIu32
                            ", 1 to 2147483647 were expected",
                            t->id, t->timescale);
    }
    return status;
}

static struct sl_mp4_track *track_by_id(struct sl_mp4 *d, uint32_t id)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->tracks[i].id == id) {
            return &d->tracks[i];
        }
    }
    return NULL;
}

/* 8.8.2, 8.8.3 */
static enum sl_status read_mvex(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct sl_reader r;

    (void)to;
    sl_reader_init(&r, box->data, box->size);
    if (sl_mp4_is(box, "mehd")) {
        bool wide = sl_read_u8(&r) == 1;
        sl_read_skip(&r, 3);
        d->fragment_duration = read_duration(&r, wide);
        return r.overrun ? too_short(d, box, err) : SL_OK;
    }
    if (sl_mp4_is(box, "trex")) {
        sl_read_skip(&r, 4);
        struct sl_mp4_track *t = track_by_id(d, sl_read_be32(&r));
        struct sl_mp4_track none;
        t = t ? t : &none;
        t->trex_description = sl_read_be32(&r);
        t->trex_duration = sl_read_be32(&r);
        t->trex_size = sl_read_be32(&r);
        t->trex_flags = sl_read_be32(&r);
        return r.overrun ? too_short(d, box, err) : SL_OK;
    }
    return SL_OK;
}

/* A picture among iTunes' metadata is a track of one packet, as a player shows it. */
static enum sl_status read_cover(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                 struct sl_error *err)
{
    struct sl_mp4_track *t = &d->tracks[d->count];
    struct sl_track *track = &d->demuxer.tracks[d->count];

    (void)to;
    (void)err;
    if (!sl_mp4_is(box, "data") || box->size <= 8 || d->covers >= SL_MP4_COVERS_MAX ||
        box->size - 8 > UINT32_MAX) {
        return SL_OK;
    }
    const uint8_t *data = box->data + 8;
    size_t size = box->size - 8;
    bool png = size > 24 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0;
    if (!png && (size < 3 || memcmp(data, "\xff\xd8\xff", 3) != 0)) {
        return SL_OK; /* neither PNG nor JPEG: nothing that is shown */
    }
    sl_track_init(track);
    track->kind = SL_KIND_VIDEO;
    track->is_attached_picture = 1;
    track->timebase = sl_rational(1, 90000);
    track->start = 0;
    if (png) { /* PNG 11.2.2: IHDR comes first */
        struct sl_reader r;
        sl_reader_init(&r, data + 16, 8);
        track->width = (int32_t)(sl_read_be32(&r) & INT32_MAX);
        track->height = (int32_t)(sl_read_be32(&r) & INT32_MAX);
    }
    sl_mp4_set_codec(track, png ? SL_CODEC_OTHER : SL_CODEC_MJPEG, "png");
    t->timescale = 90000;
    t->cover = data;
    t->has_next = true;
    t->next = (struct sl_mp4_sample){
        .offset = box->offset + (int64_t)box->head + 8,
        .size = (uint32_t)size,
        .count = 1,
        .key = true,
    };
    t->edit_start = INT64_MIN;
    t->edit_end = INT64_MAX;
    d->count++;
    d->demuxer.track_count++;
    d->covers++;
    return SL_OK;
}

static void read_covers(struct sl_mp4 *d, const struct sl_mp4_box *udta)
{
    struct sl_mp4_box meta;
    struct sl_mp4_box list;
    struct sl_mp4_box cover;

    if (sl_mp4_find(udta, 0, "meta", &meta) && sl_mp4_find(&meta, 4, "ilst", &list) &&
        sl_mp4_find(&list, 0, "covr", &cover)) {
        (void)!each_child(d, &cover, 0, read_cover, NULL, NULL);
    }
}

/* Chapters are tracks that others refer to: QuickTime's 'chap' of 'tref'. */
static void mark_chapters(struct sl_mp4 *d, const struct sl_mp4_box *trak)
{
    struct sl_mp4_box tref;
    struct sl_mp4_box chap;
    struct sl_reader r;

    if (sl_mp4_find(trak, 0, "tref", &tref) && sl_mp4_find(&tref, 0, "chap", &chap)) {
        sl_reader_init(&r, chap.data, chap.size);
        while (sl_reader_left(&r) >= 4) {
            struct sl_mp4_track *t = track_by_id(d, sl_read_be32(&r));
            if (t) {
                t->is_chapters = true;
            }
        }
    }
}

/* The first round counts; mvhd may come after the tracks, and mvex says which movie it is. */
static enum sl_status look_around(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                  struct sl_error *err)
{
    size_t *tracks = to;
    struct sl_reader r;

    if (sl_mp4_is(box, "trak")) {
        (*tracks)++;
    } else if (sl_mp4_is(box, "mvhd")) {
        return read_times(d, box, &d->movie_timescale, &d->movie_duration, &r, err);
    } else if (sl_mp4_is(box, "mvex")) {
        d->fragmented = true;
    } else if (sl_mp4_is(box, "cmov")) {
        /* QuickTime's compressed movie resource: asked of the next demuxer. */
        return sl_fail_at(err, SL_ENOTFOUND, d->name, box->offset, "its index is compressed");
    }
    return SL_OK;
}

static enum sl_status second_round(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                   struct sl_error *err)
{
    (void)to;
    return sl_mp4_is(box, "trak") ? add_track(d, box, err) : SL_OK;
}

static enum sl_status third_round(struct sl_mp4 *d, void *to, const struct sl_mp4_box *box,
                                  struct sl_error *err)
{
    (void)to;
    if (sl_mp4_is(box, "mvex")) {
        return each_child(d, box, 0, read_mvex, NULL, err);
    }
    if (sl_mp4_is(box, "trak")) {
        mark_chapters(d, box);
    } else if (sl_mp4_is(box, "udta")) {
        read_covers(d, box);
    }
    return SL_OK;
}

enum sl_status sl_mp4_parse_moov(struct sl_mp4 *d, const struct sl_mp4_box *box,
                                 struct sl_error *err)
{
    size_t tracks = 0;
    enum sl_status status = each_child(d, box, 0, look_around, &tracks, err);

    if (status != SL_OK) {
        return status;
    }
    if (tracks == 0 || tracks > SL_MP4_TRACKS_MAX) {
        return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                          "holds %zu tracks, 1 to %d were expected", tracks, SL_MP4_TRACKS_MAX);
    }
    d->tracks = sl_alloc_array(tracks + SL_MP4_COVERS_MAX, sizeof *d->tracks);
    d->demuxer.tracks = sl_alloc_array(tracks + SL_MP4_COVERS_MAX, sizeof *d->demuxer.tracks);
    if (!d->tracks || !d->demuxer.tracks) {
        return sl_fail_memory(err);
    }
    status = each_child(d, box, 0, second_round, NULL, err);
    return status == SL_OK ? each_child(d, box, 0, third_round, NULL, err) : status;
}
