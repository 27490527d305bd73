/* SPDX-License-Identifier: BSD-2-Clause */
/* Movie fragments: ISO/IEC 14496-12 8.8.4 to 8.8.12. The moof at hand is held as it is in the file;
 * a run is a few numbers and a pointer to its entries. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "demux/mp4.h"

enum { /* 8.8.7 */
       TFHD_BASE = 0x000001,
       TFHD_DESCRIPTION = 0x000002,
       TFHD_DURATION = 0x000008,
       TFHD_SIZE = 0x000010,
       TFHD_FLAGS = 0x000020,
       TFHD_MOOF_IS_BASE = 0x020000,
       /* 8.8.8 */
       TRUN_OFFSET = 0x000001,
       TRUN_FIRST_FLAGS = 0x000004,
       TRUN_DURATION = 0x000100,
       TRUN_SIZE = 0x000200,
       TRUN_FLAGS = 0x000400,
       TRUN_CTS = 0x000800,
       /* 8.8.3.1 */
       SAMPLE_NOT_SYNC = 0x00010000,
       SAMPLE_DEPENDS = 0x01000000,
       SAMPLE_DEPENDS_MASK = 0x03000000,
};

/* While a traf is read. */
struct fragment {
    struct sl_mp4 *d;
    const struct sl_mp4_box *moof;
    struct sl_mp4_track *t; /* NULL: of a track that is not known */
    uint32_t description, duration, size, flags;
    int64_t base;     /* of data offsets */
    int64_t data_end; /* where the run before ended: 8.8.7.1, 8.8.8.1 */
    bool first_run;
    bool has_header;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- walking a run ------------------------------------------------------------------------ */

struct fields {
    uint32_t duration, size, flags;
    int32_t cts;
};

static struct fields sample_fields(const struct sl_mp4_run *run, uint32_t index)
{
    const uint8_t *p = run->entries + (size_t)index * run->entry_size;
    struct fields f = {run->duration, run->size, run->sample_flags, 0};

    if (index == 0 && (run->flags & TRUN_FIRST_FLAGS)) {
        f.flags = run->first_flags;
    }
    if (run->flags & TRUN_DURATION) {
        f.duration = be32(p);
        p += 4;
    }
    if (run->flags & TRUN_SIZE) {
        f.size = be32(p);
        p += 4;
    }
    if (run->flags & TRUN_FLAGS) {
        f.flags = be32(p);
        p += 4;
    }
    if (run->flags & TRUN_CTS) {
        /* Unsigned in version 0, by the letter: no real offset needs the upper half. */
        f.cts = (int32_t)be32(p);
    }
    return f;
}

bool sl_mp4_run_peek(struct sl_mp4_track *t, struct sl_mp4_sample *out)
{
    while (t->run < t->run_count && t->run_sample >= t->runs[t->run].count) {
        t->run++;
        t->run_sample = 0;
        if (t->run < t->run_count) {
            t->run_pos = t->runs[t->run].offset;
            t->run_dts = t->runs[t->run].dts;
        }
    }
    if (t->run >= t->run_count) {
        return false;
    }
    const struct sl_mp4_run *run = &t->runs[t->run];
    struct fields f = sample_fields(run, t->run_sample);
    *out = (struct sl_mp4_sample){
        .offset = t->run_pos,
        .dts = t->run_dts,
        .cts = t->run_dts + f.cts,
        .duration = f.duration,
        .size = f.size,
        .count = 1,
        .description = run->description,
        .key = t->all_sync ||
               (!(f.flags & SAMPLE_NOT_SYNC) && (f.flags & SAMPLE_DEPENDS_MASK) != SAMPLE_DEPENDS),
    };
    return true;
}

void sl_mp4_run_pass(struct sl_mp4_track *t, const struct sl_mp4_sample *s)
{
    t->run_sample++;
    t->run_pos += s->size;
    t->run_dts += s->duration;
}

/* ---- reading a moof ----------------------------------------------------------------------- */

static enum sl_status damaged(struct fragment *f, const struct sl_mp4_box *box, const char *what,
                              struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, f->d->name, box->offset, "box '%s' of %zu bytes %s", box->type,
                      box->size, what);
}

/* 8.8.7 */
static enum sl_status read_tfhd(struct fragment *f, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct sl_reader r;
    struct sl_mp4 *d = f->d;

    sl_reader_init(&r, box->data, box->size);
    sl_read_skip(&r, 1);
    uint32_t flags = sl_read_be24(&r);
    uint32_t id = sl_read_be32(&r);
    for (size_t i = 0; i < d->count; i++) {
        if (d->tracks[i].id == id && !d->tracks[i].cover) {
            f->t = &d->tracks[i];
            break;
        }
    }
    if (flags & TFHD_BASE) {
        uint64_t base = sl_read_be64(&r);
        if (base > INT64_MAX / 2) {
            return damaged(f, box, "states a base beyond any file", err);
        }
        f->base = (int64_t)base;
    } else {
        f->base = flags & TFHD_MOOF_IS_BASE ? f->moof->offset : f->data_end;
    }
    f->data_end = f->base;
    f->description = f->t ? f->t->trex_description : 1;
    f->duration = f->t ? f->t->trex_duration : 0;
    f->size = f->t ? f->t->trex_size : 0;
    f->flags = f->t ? f->t->trex_flags : 0;
    if (flags & TFHD_DESCRIPTION) {
        f->description = sl_read_be32(&r);
    }
    if (flags & TFHD_DURATION) {
        f->duration = sl_read_be32(&r);
    }
    if (flags & TFHD_SIZE) {
        f->size = sl_read_be32(&r);
    }
    if (flags & TFHD_FLAGS) {
        f->flags = sl_read_be32(&r);
    }
    f->has_header = true;
    f->first_run = true;
    if (!f->t) {
        sl_log_write(d->log, SL_LOG_DEBUG, "demux",
                     "%s: offset %" PRId64 ": a fragment of track %" PRIu32 ", which is not known",
                     d->name, box->offset, id);
    }
    return r.overrun ? damaged(f, box, "is too short", err) : SL_OK;
}

/* 8.8.12 */
static enum sl_status read_tfdt(struct fragment *f, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, box->data, box->size);
    bool wide = sl_read_u8(&r) == 1;
    sl_read_skip(&r, 3);
    uint64_t time = wide ? sl_read_be64(&r) : sl_read_be32(&r);
    if (r.overrun) {
        return damaged(f, box, "is too short", err);
    }
    if (time >= (uint64_t)SL_MP4_TIME_MAX) {
        return damaged(f, box, "states a time beyond 2^60", err);
    }
    if (f->t) {
        f->t->next_dts = (int64_t)time;
        f->t->timed = true;
    }
    return SL_OK;
}

/* Adds up what the run holds: where its data and its time end. */
static enum sl_status measure(struct fragment *f, const struct sl_mp4_box *box,
                              const struct sl_mp4_run *run, struct sl_error *err)
{
    struct sl_mp4_track *t = f->t;
    int64_t end = sl_window_size(f->d->window);
    int64_t pos = run->offset;
    int64_t dts = run->dts;
    int32_t low = 0;

    if (run->entry_size == 0) {
        /* Nothing stands behind the count but what the data can hold. */
        uint64_t data = (uint64_t)run->count * run->size;
        if (run->size > 0 && end >= 0 && data > (uint64_t)end) {
            return sl_fail_at(err, SL_EDATA, f->d->name, box->offset,
                              "box 'trun' states %" PRIu32 " samples of %" PRIu32
                              " bytes, the source has %" PRId64,
                              run->count, run->size, end);
        }
        pos += (int64_t)data;
        dts += (int64_t)run->count * run->duration;
    }
    for (uint32_t i = 0; run->entry_size > 0 && i < run->count; i++) {
        struct fields s = sample_fields(run, i);
        pos += s.size;
        dts += s.duration;
        low = s.cts < low ? s.cts : low;
    }
    if (dts > SL_MP4_TIME_MAX) {
        return damaged(f, box, "goes on to a time beyond 2^60", err);
    }
    f->data_end = pos;
    t->next_dts = dts;
    if (!t->had_run && -(int64_t)low > t->dts_shift) {
        t->dts_shift = -(int64_t)low;
    }
    return SL_OK;
}

/* 8.8.8 */
static enum sl_status read_trun(struct fragment *f, const struct sl_mp4_box *box,
                                struct sl_error *err)
{
    struct sl_reader r;
    struct sl_mp4_track *t = f->t;
    struct sl_mp4_run run = {.duration = f->duration,
                             .size = f->size,
                             .sample_flags = f->flags,
                             .description = f->description};

    sl_reader_init(&r, box->data, box->size);
    sl_read_skip(&r, 1);
    run.flags = sl_read_be24(&r);
    run.count = sl_read_be32(&r);
    run.offset = f->first_run ? f->base : f->data_end;
    if (run.flags & TRUN_OFFSET) {
        run.offset = f->base + (int32_t)sl_read_be32(&r);
    }
    if (run.flags & TRUN_FIRST_FLAGS) {
        run.first_flags = sl_read_be32(&r);
    }
    for (uint32_t bit = TRUN_DURATION; bit <= TRUN_CTS; bit <<= 1) {
        run.entry_size += run.flags & bit ? 4 : 0;
    }
    f->first_run = false;
    if (r.overrun || run.offset < 0) {
        return damaged(f, box, r.overrun ? "is too short" : "places data before the file", err);
    }
    if (run.entry_size > 0 && run.count > sl_reader_left(&r) / run.entry_size) {
        return sl_fail_at(err, SL_EDATA, f->d->name, box->offset,
                          "box 'trun' states %" PRIu32 " samples of %" PRIu32
                          " bytes, %zu are allowed by its size",
                          run.count, run.entry_size, sl_reader_left(&r) / run.entry_size);
    }
    if (!t || run.count == 0) {
        return SL_OK;
    }
    run.entries = run.entry_size > 0 ? box->data + r.pos : box->data;
    run.dts = t->next_dts;
    enum sl_status status = measure(f, box, &run, err);
    if (status != SL_OK) {
        return status;
    }
    t->had_run = true;
    if (run.entry_size == 0 && run.size == 0) {
        return SL_OK; /* time passes, nothing is there */
    }
    if (sl_grow(&t->runs, &t->run_capacity, t->run_count, sizeof *t->runs, SL_MP4_RUNS_MAX)) {
        return sl_fail_memory(err);
    }
    if (t->run_count == 0) {
        t->run_pos = run.offset;
        t->run_dts = run.dts;
    }
    t->runs[t->run_count++] = run;
    return SL_OK;
}

static enum sl_status read_traf(struct fragment *f, const struct sl_mp4_box *traf,
                                struct sl_error *err)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    f->t = NULL;
    f->has_header = false;
    sl_mp4_walk_init(&w, f->d->name, traf, 0);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        if (sl_mp4_is(&box, "tfhd")) {
            status = read_tfhd(f, &box, err);
        } else if (sl_mp4_is(&box, "tfdt")) {
            status = read_tfdt(f, &box, err);
        } else if (sl_mp4_is(&box, "trun")) {
            status = f->has_header ? read_trun(f, &box, err)
                                   : damaged(f, &box, "stands before 'tfhd'", err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

enum sl_status sl_mp4_parse_moof(struct sl_mp4 *d, const struct sl_mp4_box *moof,
                                 struct sl_error *err)
{
    struct fragment f = {.d = d, .moof = moof, .data_end = moof->offset};
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    for (size_t i = 0; i < d->count; i++) {
        d->tracks[i].run_count = d->tracks[i].run = 0;
        d->tracks[i].run_sample = 0;
    }
    sl_mp4_walk_init(&w, d->name, moof, 0);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        if (sl_mp4_is(&box, "traf")) {
            status = read_traf(&f, &box, err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

enum sl_status sl_mp4_next_moof(struct sl_mp4 *d, struct sl_error *err)
{
    struct sl_mp4_head head;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    for (;;) {
        if (d->opened) {
            sl_window_release(d->window, d->offset);
        }
        status = sl_mp4_head(d, d->offset, &head, err);
        if (status != SL_OK) {
            return status;
        }
        if (head.code == SL_MP4_FOURCC("moof")) {
            break;
        }
        if (head.size > INT64_MAX / 2 - d->offset) {
            return SL_EOF;
        }
        d->offset += head.size;
    }
    status = sl_mp4_load(d, d->offset, &head, &d->moof, &d->moof_capacity, &box, err);
    if (status == SL_OK) {
        status = sl_mp4_parse_moof(d, &box, err);
    }
    if (status == SL_OK) {
        d->moof_offset = d->offset;
        d->offset += head.size;
        d->at_media = !sl_window_seekable(d->window);
    }
    return status;
}

enum sl_status sl_mp4_pass_media(struct sl_mp4 *d, struct sl_error *err)
{
    struct sl_mp4_head head;
    enum sl_status status = SL_OK;

    while (d->at_media) {
        status = sl_mp4_head(d, d->offset, &head, err);
        if (status != SL_OK && status != SL_EOF) {
            return status;
        }
        if (status == SL_EOF || head.code == SL_MP4_FOURCC("moof") ||
            head.size > INT64_MAX / 2 - d->offset) {
            break;
        }
        d->offset += head.size;
        if (head.code == SL_MP4_FOURCC("mdat")) {
            break;
        }
    }
    d->at_media = false;
    return SL_OK;
}
