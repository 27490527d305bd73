/* SPDX-License-Identifier: BSD-2-Clause */
/* MP4 and QuickTime: finding the index, then samples in the order of the file. docs/mp4-input.md */
#include "demux/mp4.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/demuxers.h"
#include "media/track.h"

#define RANGE_MIN 4096 /* payloads from this size on stay ranges of the file */

static void mp4_destroy(struct sl_demuxer *demuxer)
{
    struct sl_mp4 *d = (struct sl_mp4 *)demuxer;

    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *t = &d->tracks[i];
        for (size_t k = 0; k < t->entry_count; k++) {
            sl_free(t->entries[k].config);
        }
        sl_free(t->entries);
        sl_free(t->runs);
        sl_track_clear(&d->demuxer.tracks[i]);
    }
    sl_free(d->tracks);
    sl_free(d->demuxer.tracks);
    sl_free(d->moov);
    sl_free(d->moof);
    sl_free(d);
}

/* ---- finding moov ------------------------------------------------------------------------- */

/* 4.3: what the file was written for decides how sound entries of version 1 are read. */
static enum sl_status read_ftyp(struct sl_mp4 *d, int64_t offset, const struct sl_mp4_head *head,
                                struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    enum sl_status status = SL_OK;

    if (offset != 0 || head->size < 12) {
        return SL_OK;
    }
    size_t size = head->size < 256 ? (size_t)head->size : 256;
    status = sl_window_view(d->window, offset, size, &data, &got, err);
    d->quicktime = false;
    for (size_t i = head->head; status == SL_OK && i + 4 <= got; i += 4) {
        /* the major brand, then after its version the compatible ones */
        if (i != head->head + 4 && memcmp(data + i, "qt  ", 4) == 0) {
            d->quicktime = true;
        }
    }
    return status;
}

/* Media before their index, on a source that cannot go back: they are held until it comes. */
static enum sl_status hold_media(struct sl_mp4 *d, int64_t offset, const struct sl_mp4_head *head,
                                 struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;

    if (d->hold < 0) {
        d->hold = offset;
    }
    if (head->size > (int64_t)SL_MP4_HOLD_MAX - 16 - (offset - d->hold)) {
        char size[40] = "to its end";
        if (head->size < INT64_MAX) {
            (void)snprintf(size, sizeof size, "of %" PRId64 " bytes", head->size);
        }
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, offset,
                          "its index ('moov') comes after media %s, the input cannot seek, and at "
                          "most %u bytes are held: give it as a file, or with 'moov' in front",
                          size, SL_MP4_HOLD_MAX);
    }
    size_t size = (size_t)(offset - d->hold + head->size) + 16;
    return sl_window_view(d->window, d->hold, size, &data, &got, err);
}

static enum sl_status find_moov(struct sl_mp4 *d, struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_mp4_head head;
    int64_t offset = 0;
    size_t capacity = 0;
    bool media = false;
    enum sl_status status = SL_OK;

    d->hold = -1;
    d->quicktime = true;
    for (;;) {
        status = sl_mp4_head(d, offset, &head, err);
        if (status == SL_EOF) {
            return sl_fail_at(err, SL_EDATA, d->name, offset,
                              "is cut short or no MP4: there is no 'moov' box%s",
                              media ? ", which says what its media are" : "");
        }
        if (status != SL_OK) {
            return status;
        }
        if (head.code == SL_MP4_FOURCC("moov")) {
            break;
        }
        if (head.code == SL_MP4_FOURCC("ftyp")) {
            status = read_ftyp(d, offset, &head, err);
        } else if (head.code == SL_MP4_FOURCC("moof")) {
            return sl_fail_at(err, SL_EDATA, d->name, offset,
                              "a fragment ('moof') comes before any 'moov': an init segment is "
                              "missing in front");
        } else if (head.code == SL_MP4_FOURCC("mdat")) {
            media = true;
            if (!sl_window_seekable(d->window)) {
                status = hold_media(d, offset, &head, err);
            }
        } else if (d->hold >= 0 && head.size > (int64_t)SL_MP4_HOLD_MAX - 16 - (offset - d->hold)) {
            status = hold_media(d, offset, &head, err); /* refuses */
        }
        if (status != SL_OK) {
            return status;
        }
        offset = head.size > INT64_MAX / 2 - offset ? INT64_MAX / 2 : offset + head.size;
    }
    status = sl_mp4_load(d, offset, &head, &d->moov, &capacity, box, err);
    d->fragments = d->offset = offset + (head.size < INT64_MAX / 2 ? head.size : 0);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------ */

static enum sl_status mp4_open(struct sl_demuxer **out, struct sl_window *w,
                               const struct sl_demux_params *params, struct sl_error *err)
{
    struct sl_mp4_box moov;
    enum sl_status status = SL_OK;
    struct sl_mp4 *d = sl_alloc_zero(sizeof *d);

    *out = NULL;
    if (!d) {
        return sl_fail_memory(err);
    }
    d->demuxer.ops = &sl_demux_mp4;
    (void)snprintf(d->demuxer.format, sizeof d->demuxer.format, "mov");
    d->window = w;
    d->name = sl_window_name(w);
    d->log = params->log;
    d->strict = params->strict;
    d->places_only = d->demuxer.places_only = params->places_only;
    status = find_moov(d, &moov, err);
    if (status == SL_OK) {
        status = sl_mp4_parse_moov(d, &moov, err);
    }
    if (status == SL_OK) {
        status = sl_mp4_describe_tracks(d, err);
    }
    if (status == SL_OK) {
        status = sl_mp4_first_samples(d, err);
    }
    if (status != SL_OK) {
        goto out;
    }
    if (d->fragmented) {
        sl_mp4_measure_fragments(d);
    }
    sl_mp4_set_duration(d);
    d->opened = true; /* nothing is released before */
    d->hold = -1;     /* all that has to be held is held; samples are read on from there */
    *out = &d->demuxer;
    d = NULL;
out:
    if (d) {
        mp4_destroy(&d->demuxer);
    }
    return status;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The next sample of a track that is to be given, if it is not known yet. */
static bool advance(struct sl_mp4 *d, size_t index)
{
    struct sl_mp4_track *t = &d->tracks[index];
    const struct sl_track *track = &d->demuxer.tracks[index];
    int64_t end = sl_window_size(d->window);

    while (!t->has_next && !t->unwanted && !t->cover) {
        struct sl_mp4_sample *s = &t->next;
        if (d->in_tables ? !sl_mp4_cursor_peek(t, &t->cursor, s) : !sl_mp4_run_peek(t, s)) {
            break;
        }
        if (sl_mp4_after_edit(t, track, s)) {
            break;
        }
        if (d->in_tables) {
            sl_mp4_cursor_pass(t, &t->cursor, s);
        } else {
            sl_mp4_run_pass(t, s);
        }
        if (s->size == 0) {
            continue; /* without a coded picture */
        }
        if (end >= 0 && (s->offset >= end || s->size > end - s->offset)) {
            d->missing++;
            if (d->in_tables ? t->fixed_size > 0 : t->runs[t->run].entry_size == 0) {
                /* The count alone stands behind what follows. */
                t->cursor.index = t->sample_count;
                t->run = t->run_count;
            }
            continue;
        }
        t->has_next = true;
    }
    return t->has_next;
}

/* Whether a comes before b: in the order of the file, unless one is more than a second behind and
 * the source can jump (tracks that follow each other instead of being interleaved). */
static bool comes_before(const struct sl_mp4 *d, const struct sl_mp4_track *a,
                         const struct sl_mp4_track *b)
{
    if (a->cover || b->cover) {
        return a->cover && !b->cover;
    }
    if (sl_window_seekable(d->window)) {
        int64_t ta = a->next.dts + a->shift;
        int64_t tb = b->next.dts + b->shift;
        struct sl_rational ba = {1, a->timescale};
        struct sl_rational bb = {1, b->timescale};
        if (sl_time_compare(ta + a->timescale, ba, tb, bb) < 0) {
            return true;
        }
        if (sl_time_compare(tb + b->timescale, bb, ta, ba) < 0) {
            return false;
        }
    }
    return a->next.offset < b->next.offset;
}

/* SL_EOF where no sample is left. */
static enum sl_status choose(struct sl_mp4 *d, size_t *out, struct sl_error *err)
{
    for (;;) {
        bool found = false;
        enum sl_status status = sl_mp4_pass_media(d, err);
        if (status != SL_OK) {
            return status;
        }
        for (size_t i = 0; i < d->count; i++) {
            if (advance(d, i) && (!found || comes_before(d, &d->tracks[i], &d->tracks[*out]))) {
                *out = i;
                found = true;
            }
        }
        if (found) {
            return SL_OK;
        }
        if (!d->fragmented) {
            return SL_EOF;
        }
        d->in_tables = false;
        status = sl_mp4_next_moof(d, err);
        if (status != SL_OK) {
            return status;
        }
    }
}

/* Bytes of a sample: a range of the file, memory that the window has, or a block of its own. */
static enum sl_status add_payload(struct sl_mp4 *d, const struct sl_mp4_sample *s,
                                  struct sl_packet *p, struct sl_error *err)
{
    struct sl_file *file = sl_window_file(d->window);
    size_t got = 0;
    enum sl_status status = SL_OK;

    if (d->places_only) {
        p->stored = s->size;
        return SL_OK;
    }
    if (file && s->size >= RANGE_MIN) {
        return sl_chain_add_file(&p->payload, file, s->offset, s->size, err);
    }
    status = sl_window_share(d->window, s->offset, s->size, &p->payload, &got, err);
    if (status == SL_OK && got < s->size) {
        return SL_EOF;
    }
    return status;
}

/* A description that is not the first one's comes with the first packet that it holds for. */
static enum sl_status change_description(struct sl_mp4 *d, struct sl_mp4_track *t,
                                         const struct sl_mp4_sample *s, struct sl_packet *p,
                                         struct sl_error *err)
{
    const struct sl_mp4_entry *e = NULL;

    if (s->description == t->description || t->entry_count == 0) {
        return SL_OK;
    }
    if (s->description >= 1 && s->description <= t->entry_count) {
        e = &t->entries[s->description - 1];
    }
    if (!e || !e->usable) {
        return sl_fail_at(err, e ? SL_EUNSUPPORTED : SL_EDATA, d->name, s->offset,
                          "track %" PRIu32 ": a sample of description %" PRIu32
                          ", 1 to %zu of one codec were expected",
                          t->id, s->description, t->entry_count);
    }
    if (e->config_size > 0) {
        p->config = sl_alloc(e->config_size);
        if (!p->config) {
            return sl_fail_memory(err);
        }
        memcpy(p->config, e->config, e->config_size);
        p->config_size = e->config_size;
    }
    return SL_OK;
}

static enum sl_status make_packet(struct sl_mp4 *d, size_t index, struct sl_packet **out,
                                  struct sl_error *err)
{
    struct sl_mp4_track *t = &d->tracks[index];
    const struct sl_mp4_sample *s = &t->next;
    struct sl_packet *p = NULL;
    enum sl_status status = sl_packet_create(&p, err);

    if (status != SL_OK) {
        return status;
    }
    p->track = (uint32_t)index;
    p->position = s->offset;
    if (t->cover) {
        p->flags = SL_PACKET_KEY;
        p->pts = p->dts = p->duration = SL_NO_TIME;
        status = sl_chain_add_copy(&p->payload, t->cover, s->size, err);
    } else {
        sl_mp4_place(t, &d->demuxer.tracks[index], s, p);
        status = change_description(d, t, s, p, err);
        if (status == SL_OK) {
            status = add_payload(d, s, p, err);
        }
    }
    if (status != SL_OK) {
        sl_packet_unref(&p);
        return status;
    }
    *out = p;
    return SL_OK;
}

/* A track whose samples are more than the source can hold names some of its bytes again and again:
 * damage, and without an end to speak of. */
static enum sl_status check_given(struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_error *err)
{
    int64_t end = sl_window_size(d->window);

    t->given += t->next.size;
    if (end >= 0 && t->given > end) {
        return sl_fail_at(err, SL_EDATA, d->name, t->next.offset,
                          "track %" PRIu32 ": its samples overlap, they come to more than the "
                          "%" PRId64 " bytes of the source",
                          t->id, end);
    }
    return SL_OK;
}

static enum sl_status mp4_read(struct sl_demuxer *demuxer, struct sl_packet **out,
                               struct sl_error *err)
{
    struct sl_mp4 *d = (struct sl_mp4 *)demuxer;
    enum sl_status status = SL_OK;
    size_t index = 0;

    *out = NULL;
    for (;;) {
        status = choose(d, &index, err);
        if (status != SL_OK) {
            break;
        }
        struct sl_mp4_track *t = &d->tracks[index];
        status = make_packet(d, index, out, err);
        if (status == SL_EOF) { /* the end has just been found: a pipe */
            t->has_next = false;
            d->missing++;
            continue;
        }
        if (status != SL_OK) {
            return status;
        }
        status = check_given(d, t, err);
        t->has_next = false;
        t->description = t->next.description;
        if (!t->cover && d->hold < 0) {
            sl_window_release(d->window, t->next.offset);
        }
        if (status != SL_OK) {
            sl_packet_unref(out);
        }
        return status;
    }
    if (status == SL_EOF && d->missing > 0) {
        return sl_fail_at(err, SL_EDATA, d->name, sl_window_size(d->window),
                          "is cut short: the samples from here on, %" PRId64
                          " or more, are not there",
                          d->missing);
    }
    return status;
}

static void mp4_select(struct sl_demuxer *demuxer, uint64_t tracks)
{
    struct sl_mp4 *d = (struct sl_mp4 *)demuxer;

    for (size_t i = 0; i < d->count; i++) {
        d->tracks[i].unwanted = i >= 64 || ((tracks >> i) & 1) == 0;
        if (d->tracks[i].unwanted && !d->tracks[i].cover) {
            d->tracks[i].has_next = false;
        }
    }
}

/* ISO/IEC 14496-12 has no magic but the type of the first box. */
static int mp4_probe(const uint8_t *head, size_t size)
{
    static const struct {
        char type[5];
        uint8_t score;
    } types[] = {
        {"ftyp", 100}, {"moov", 90}, {"mdat", 80}, {"styp", 90}, {"moof", 80}, {"wide", 80},
        {"free", 60},  {"skip", 60}, {"pnot", 60}, {"uuid", 40}, {"sidx", 80},
    };
    struct sl_reader r;

    if (size < 8) {
        return 0;
    }
    sl_reader_init(&r, head, size);
    uint32_t box = sl_read_be32(&r);
    uint32_t code = sl_read_be32(&r);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (code == SL_MP4_FOURCC(types[i].type) && (box <= 1 || box >= 8)) {
            return types[i].score;
        }
    }
    return 0;
}

const struct sl_demuxer_ops sl_demux_mp4 = {
    .name = "mp4",
    .probe = mp4_probe,
    .open = mp4_open,
    .read = mp4_read,
    .seek = sl_mp4_seek,
    .select = mp4_select,
    .destroy = mp4_destroy,
    .index = sl_mp4_index,
};
