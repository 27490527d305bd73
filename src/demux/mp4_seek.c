/* SPDX-License-Identifier: BSD-2-Clause */
/* Going to a time: by the sample tables, or by fragments, where sidx (ISO/IEC 14496-12 8.16.3) and
 * mfra (8.8.9 to 8.8.11) say where to begin to look. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/mp4.h"

#define LAST_MOOFS 8         /* the ends of all tracks are looked for in so many */
#define HOPS_MAX   (1 << 20) /* boxes to pass over */

/* ---- indexes of fragments ----------------------------------------------------------------- */

/* What an index box says, as an offset from which a moof is to be looked for. */
struct hint {
    int64_t offset; /* -1: none */
    int64_t end;    /* media time of the end of all, ticks of the track; -1: not stated */
};

static int64_t to_track(const struct sl_mp4_track *t, int64_t time, uint32_t timescale)
{
    return sl_rescale(time, sl_rational(1, timescale), sl_rational(1, t->timescale), SL_ROUND_DOWN);
}

/* 8.16.3: segments follow each other, so that offsets and times are sums. */
static void read_sidx(const struct sl_mp4_box *box, const struct sl_mp4_track *t, int64_t time,
                      struct hint *hint)
{
    struct sl_reader r;

    sl_reader_init(&r, box->data, box->size);
    bool wide = sl_read_u8(&r) == 1;
    sl_read_skip(&r, 7);
    uint32_t timescale = sl_read_be32(&r);
    uint64_t at = wide ? sl_read_be64(&r) : sl_read_be32(&r);
    uint64_t first = wide ? sl_read_be64(&r) : sl_read_be32(&r);
    sl_read_skip(&r, 2);
    unsigned count = sl_read_be16(&r);
    int64_t offset = box->offset + (int64_t)(box->head + box->size);
    if (r.overrun || timescale == 0 || timescale > INT32_MAX || at >= (uint64_t)SL_MP4_TIME_MAX ||
        first > INT64_MAX / 4) {
        return;
    }
    offset += (int64_t)first;
    for (unsigned i = 0; i < count; i++) {
        uint32_t size = sl_read_be32(&r);
        uint32_t duration = sl_read_be32(&r);
        sl_read_skip(&r, 4);
        if (r.overrun || size >> 31) { /* references to further sidx are not followed */
            return;
        }
        if (to_track(t, (int64_t)at, timescale) <= time) {
            hint->offset = offset;
        }
        offset += size;
        at += duration;
        if (at >= (uint64_t)SL_MP4_TIME_MAX) {
            return;
        }
    }
    hint->end = to_track(t, (int64_t)at, timescale);
}

/* 8.8.10; false: of another track. */
static bool read_tfra(const struct sl_mp4_box *box, const struct sl_mp4_track *t, int64_t time,
                      struct hint *hint)
{
    struct sl_reader r;

    sl_reader_init(&r, box->data, box->size);
    bool wide = sl_read_u8(&r) == 1;
    sl_read_skip(&r, 3);
    if (sl_read_be32(&r) != t->id) {
        return false;
    }
    uint32_t sizes = sl_read_be32(&r);
    size_t rest = 3 + (sizes >> 4 & 3) + (sizes >> 2 & 3) + (sizes & 3);
    uint32_t count = sl_read_be32(&r);
    for (uint32_t i = 0; i < count && !r.overrun; i++) {
        uint64_t at = wide ? sl_read_be64(&r) : sl_read_be32(&r);
        uint64_t offset = wide ? sl_read_be64(&r) : sl_read_be32(&r);
        sl_read_skip(&r, rest);
        if (r.overrun || at > (uint64_t)time || offset > INT64_MAX / 4) {
            break;
        }
        hint->offset = (int64_t)offset;
    }
    return true;
}

/* 8.8.11: the last bytes of the file say how far before them mfra begins. */
static void look_at_end(struct sl_mp4 *d, const struct sl_mp4_track *t, int64_t time,
                        struct hint *hint)
{
    int64_t end = sl_window_size(d->window);
    const uint8_t *data = NULL;
    size_t got = 0;
    struct sl_reader r;
    struct sl_mp4_head head;
    struct sl_mp4_box box;
    uint8_t *memory = NULL;
    size_t capacity = 0;

    if (end < 16 || sl_window_view(d->window, end - 16, 16, &data, &got, NULL) != SL_OK ||
        got < 16) {
        return;
    }
    sl_reader_init(&r, data, got);
    sl_read_skip(&r, 4);
    uint32_t code = sl_read_be32(&r);
    sl_read_skip(&r, 4);
    int64_t size = sl_read_be32(&r);
    if (code != SL_MP4_FOURCC("mfro") || size > end - d->fragments ||
        sl_mp4_head(d, end - size, &head, NULL) != SL_OK || head.code != SL_MP4_FOURCC("mfra") ||
        head.size != size) {
        return;
    }
    if (sl_mp4_load(d, end - size, &head, &memory, &capacity, &box, NULL) == SL_OK) {
        struct sl_mp4_walk w;
        struct sl_mp4_box child;
        sl_mp4_walk_init(&w, d->name, &box, 0);
        while (sl_mp4_walk_next(&w, &child, NULL) == SL_OK) {
            if (sl_mp4_is(&child, "tfra") && read_tfra(&child, t, time, hint)) {
                break;
            }
        }
    }
    sl_free(memory);
}

/* sidx stands before the first fragment that it speaks of. */
static void look_at_front(struct sl_mp4 *d, const struct sl_mp4_track *t, int64_t time,
                          struct hint *hint)
{
    struct sl_mp4_head head;
    int64_t offset = d->fragments;
    uint8_t *memory = NULL;
    size_t capacity = 0;

    for (unsigned i = 0; i < 16; i++) {
        struct sl_mp4_box box;
        if (sl_mp4_head(d, offset, &head, NULL) != SL_OK || head.code == SL_MP4_FOURCC("moof") ||
            head.size > INT64_MAX / 4 - offset) {
            break;
        }
        if (head.code == SL_MP4_FOURCC("sidx") &&
            sl_mp4_load(d, offset, &head, &memory, &capacity, &box, NULL) == SL_OK) {
            struct sl_reader r;
            sl_reader_init(&r, box.data, box.size);
            sl_read_skip(&r, 4);
            bool ours = sl_read_be32(&r) == t->id; /* reference_ID */
            if (ours || hint->offset < 0) {
                read_sidx(&box, t, time, hint);
            }
            if (ours) {
                break;
            }
        }
        offset += head.size;
    }
    sl_free(memory);
}

/* ---- how long it is ----------------------------------------------------------------------- */

/* Where the last few fragments begin, hopping from header to header. */
static void last_moofs(struct sl_mp4 *d, int64_t from, int64_t last[LAST_MOOFS])
{
    struct sl_mp4_head head;

    for (size_t i = 0; i < LAST_MOOFS; i++) {
        last[i] = -1;
    }
    for (unsigned i = 0; i < HOPS_MAX && sl_mp4_head(d, from, &head, NULL) == SL_OK; i++) {
        if (head.code == SL_MP4_FOURCC("moof")) {
            memmove(last, last + 1, (LAST_MOOFS - 1) * sizeof *last);
            last[LAST_MOOFS - 1] = from;
        }
        if (head.size > INT64_MAX / 4 - from) {
            break;
        }
        from += head.size;
    }
}

static void rewind_fragments(struct sl_mp4 *d, int64_t offset)
{
    d->offset = offset;
    for (size_t i = 0; i < d->count; i++) {
        d->tracks[i].run = d->tracks[i].run_count = 0;
        d->tracks[i].next_dts = d->tracks[i].tables_end;
    }
}

void sl_mp4_measure_fragments(struct sl_mp4 *d)
{
    int64_t last[LAST_MOOFS];
    struct hint hint = {-1, -1};
    bool stated = d->fragment_duration > 0 && d->movie_timescale > 0;

    if (!sl_window_seekable(d->window)) {
        return;
    }
    for (size_t i = 0; i < d->count && !stated; i++) {
        const struct sl_mp4_track *t = &d->tracks[i];
        if (!t->cover) {
            hint = (struct hint){-1, -1};
            look_at_front(d, t, 0, &hint);
            if (hint.end > 0 && hint.end < SL_MP4_TIME_MAX) {
                d->demuxer.tracks[i].duration = hint.end;
                stated = true;
            }
        }
    }
    /* Over a network each header would be a request. */
    if (stated || !sl_window_file(d->window)) {
        return;
    }
    for (size_t i = 0; i < d->count && hint.offset < 0; i++) {
        if (d->tracks[i].had_run) {
            look_at_end(d, &d->tracks[i], INT64_MAX, &hint);
        }
    }
    last_moofs(d, hint.offset > d->fragments ? hint.offset : d->fragments, last);
    for (size_t i = 0; i < LAST_MOOFS; i++) {
        d->offset = last[i];
        if (last[i] >= 0 && sl_mp4_next_moof(d, NULL) != SL_OK) {
            break;
        }
    }
    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *t = &d->tracks[i];
        /* Where fragments do not say when they begin, the sum of the last ones says nothing. */
        if (!t->cover && t->timed && t->next_dts > 0) {
            d->demuxer.tracks[i].duration = t->next_dts;
        }
    }
    rewind_fragments(d, d->fragments);
    if (!d->in_tables && sl_mp4_next_moof(d, NULL) != SL_OK) {
        rewind_fragments(d, d->fragments); /* read will meet the same damage, and say so */
    }
}

/* ---- seeking ------------------------------------------------------------------------------ */

/* Goes over the samples of the moof at hand; true where there is a sync sample at or before cts,
 * and then t stands on the last one. *past: the track has gone beyond. */
static bool find_sync(struct sl_mp4_track *t, int64_t cts, bool *past)
{
    struct sl_mp4_sample s;
    struct sl_mp4_track ahead = *t;
    bool found = false;

    while (sl_mp4_run_peek(&ahead, &s)) {
        if (s.dts - t->dts_shift > cts) {
            *past = true;
            break;
        }
        if (s.key && s.cts <= cts) {
            found = true;
            t->run = ahead.run;
            t->run_sample = ahead.run_sample;
            t->run_pos = ahead.run_pos;
            t->run_dts = ahead.run_dts;
        }
        sl_mp4_run_pass(&ahead, &s);
    }
    return found;
}

/* From moof to moof; SL_ENOTFOUND: no sync sample at or before cts from there on. */
static enum sl_status search(struct sl_mp4 *d, struct sl_mp4_track *t, int64_t from, int64_t cts,
                             struct sl_error *err)
{
    int64_t *starts = sl_alloc_array(d->count, sizeof *starts); /* next_dts before the best one */
    int64_t best = -1;
    bool past = false;
    enum sl_status status = SL_OK;

    if (!starts) {
        return sl_fail_memory(err);
    }
    rewind_fragments(d, from);
    while (!past) {
        status = sl_mp4_next_moof(d, err);
        if (status != SL_OK) {
            break;
        }
        /* Without tfdt times are known only to who comes from the start. */
        if (from != d->fragments && t->run_count > 0 && !t->timed) {
            break;
        }
        if (find_sync(t, cts, &past)) {
            best = d->moof_offset;
            for (size_t i = 0; i < d->count; i++) {
                starts[i] =
                    d->tracks[i].run_count > 0 ? d->tracks[i].runs[0].dts : d->tracks[i].next_dts;
            }
        }
    }
    if (status == SL_EOF) {
        status = SL_OK;
    }
    if (status == SL_OK && best < 0) {
        status = SL_ENOTFOUND;
    }
    if (status == SL_OK) {
        d->offset = best;
        for (size_t i = 0; i < d->count; i++) {
            d->tracks[i].next_dts = starts[i];
        }
        status = sl_mp4_next_moof(d, err);
        if (status == SL_OK) {
            (void)find_sync(t, cts, &past);
        }
    }
    sl_free(starts);
    return status;
}

static enum sl_status seek_fragments(struct sl_mp4 *d, struct sl_mp4_track *t, int64_t cts,
                                     struct sl_error *err)
{
    struct hint hint = {-1, -1};
    enum sl_status status = SL_ENOTFOUND;

    look_at_end(d, t, cts, &hint);
    if (hint.offset < d->fragments) {
        hint.offset = -1;
        look_at_front(d, t, cts, &hint);
    }
    if (hint.offset > d->fragments) {
        status = search(d, t, hint.offset, cts, NULL);
    }
    if (status == SL_ENOTFOUND || status == SL_EDATA) {
        status = search(d, t, d->fragments, cts, err);
    }
    if (status == SL_ENOTFOUND) {
        rewind_fragments(d, d->fragments);
        status = SL_OK;
    }
    return status;
}

/* Where the samples of all tracks are in moov: each goes to its own sample of that time. */
static void seek_tables(struct sl_mp4 *d, struct sl_mp4_track *t, int64_t cts)
{
    struct sl_mp4_sample s;
    int64_t time = cts + t->shift;

    sl_mp4_cursor_seek(t, &t->cursor, cts);
    if (sl_mp4_cursor_peek(t, &t->cursor, &s) && s.cts + t->shift < time) {
        time = s.cts + t->shift;
    }
    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *other = &d->tracks[i];
        if (other != t && !other->cover) {
            int64_t at = sl_rescale(time, sl_rational(1, t->timescale),
                                    sl_rational(1, other->timescale), SL_ROUND_DOWN);
            sl_mp4_cursor_seek(other, &other->cursor, at - other->shift);
        }
    }
}

enum sl_status sl_mp4_seek(struct sl_demuxer *demuxer, size_t track, int64_t time,
                           struct sl_error *err)
{
    struct sl_mp4 *d = (struct sl_mp4 *)demuxer;

    if (track >= d->count || d->tracks[track].cover || time == SL_NO_TIME) {
        return sl_fail(err, SL_EINVAL, d->name, "seeking in track %zu, which has no times", track);
    }
    if (!sl_window_seekable(d->window)) {
        return sl_fail(err, SL_EUNSUPPORTED, d->name, "the input cannot seek");
    }
    struct sl_mp4_track *t = &d->tracks[track];
    int64_t low = -SL_MP4_TIME_MAX;
    int64_t cts = (time < low ? low : time > SL_MP4_TIME_MAX ? SL_MP4_TIME_MAX : time) - t->shift;
    bool tables = t->sample_count > 0 && (!d->fragmented || cts < t->tables_end);
    enum sl_status status = SL_OK;

    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *other = &d->tracks[i];
        other->has_next = false;
        other->ended = false;
        other->keys_after_end = 0;
        other->given = 0;
    }
    if (tables || !d->fragmented) {
        seek_tables(d, t, cts);
        d->in_tables = true;
        rewind_fragments(d, d->fragments);
        return SL_OK;
    }
    status = seek_fragments(d, t, cts, err);
    d->in_tables = false;
    return status;
}

/* ---- all sync samples ---------------------------------------------------------------------- */

/* Out of the tables alone: where there are fragments, their headers would have to be read. */
enum sl_status sl_mp4_index(struct sl_demuxer *demuxer, size_t track, struct sl_index *out,
                            struct sl_error *err)
{
    struct sl_mp4 *d = (struct sl_mp4 *)demuxer;
    const struct sl_mp4_track *t = track < d->count ? &d->tracks[track] : NULL;
    struct sl_mp4_cursor c;
    struct sl_mp4_sample s;

    *out = (struct sl_index){.count = 0};
    if (!t || t->cover || t->sample_count == 0 || d->fragmented) {
        return sl_fail(err, SL_EUNSUPPORTED, d->name, "has no index of track %zu", track);
    }
    sl_mp4_cursor_start(t, &c);
    while (sl_mp4_cursor_peek(t, &c, &s)) {
        if (s.key && s.size > 0 && s.cts < t->edit_end) {
            if (sl_grow((void *)&out->entries, &out->capacity, out->count, sizeof *out->entries,
                        SL_INDEX_MAX) != SL_OK) {
                sl_free(out->entries);
                *out = (struct sl_index){.count = 0};
                return sl_fail_memory(err);
            }
            out->entries[out->count++] = (struct sl_index_entry){.time = s.cts + t->shift};
        }
        if (out->count > 0) {
            out->entries[out->count - 1].bytes += s.size;
        }
        sl_mp4_cursor_pass(t, &c, &s);
    }
    return SL_OK;
}
