/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample tables: ISO/IEC 14496-12 8.6 and 8.7. Nothing is copied; what is checked here is that each
 * table lies within its box. */
#include <inttypes.h>

#include "base/error.h"
#include "base/log.h"
#include "demux/mp4.h"

/* A full box that holds a count and entries of each bytes. */
static enum sl_status read_table(struct sl_mp4 *d, const struct sl_mp4_box *box, uint32_t each,
                                 struct sl_mp4_table *out, struct sl_error *err)
{
    struct sl_reader r;
    uint32_t count = 0;

    if (out->data) {
        return SL_OK; /* the first one counts */
    }
    sl_reader_init(&r, box->data, box->size);
    sl_read_skip(&r, 4);
    count = sl_read_be32(&r);
    if (r.overrun || count > sl_reader_left(&r) / each) {
        return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                          "box '%s' states %" PRIu32 " entries of %" PRIu32
                          " bytes, %zu are allowed by its size",
                          box->type, count, each, r.overrun ? 0 : sl_reader_left(&r) / each);
    }
    *out = (struct sl_mp4_table){.data = box->data + r.pos, .count = count};
    return SL_OK;
}

/* 8.7.3: stsz, and stz2 with sizes of 4, 8 or 16 bits */
static enum sl_status read_sizes(struct sl_mp4 *d, struct sl_mp4_track *t,
                                 const struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_reader r;
    bool compact = sl_mp4_is(box, "stz2");
    uint64_t need = 0;

    if (t->size_bits != 0) {
        return SL_OK;
    }
    sl_reader_init(&r, box->data, box->size);
    sl_read_skip(&r, 4);
    uint32_t first = sl_read_be32(&r);
    uint32_t count = sl_read_be32(&r);
    uint32_t bits = compact ? first & 0xff : 32;
    if (r.overrun || (bits != 4 && bits != 8 && bits != 16 && bits != 32)) {
        return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                          "box '%s' of %zu bytes with sizes of %" PRIu32
                          " bits, 4, 8, 16 or 32 were expected",
                          box->type, box->size, bits);
    }
    t->fixed_size = compact ? 0 : first;
    need = t->fixed_size ? 0 : ((uint64_t)count * bits + 7) / 8;
    if (need > sl_reader_left(&r)) {
        return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                          "box '%s' states %" PRIu32 " samples, %zu are allowed by its size",
                          box->type, count, sl_reader_left(&r) * 8 / bits);
    }
    t->size_bits = bits;
    t->stsz = (struct sl_mp4_table){.data = box->data + r.pos, .count = count};
    t->sample_count = count;
    return SL_OK;
}

/* 8.9.2: 'rap ', whose samples can be started at as sync samples can, and 'tele' (10.5). */
static enum sl_status read_groups(struct sl_mp4 *d, struct sl_mp4_track *t,
                                  const struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_reader r;
    struct sl_mp4_box rest = *box;

    sl_reader_init(&r, box->data, box->size);
    unsigned version = sl_read_u8(&r);
    sl_read_skip(&r, 3);
    uint32_t grouping = sl_read_be32(&r);
    bool rap = grouping == SL_MP4_FOURCC("rap ");
    if ((!rap && grouping != SL_MP4_FOURCC("tele")) || r.overrun) {
        return SL_OK;
    }
    sl_read_skip(&r, version == 1 ? 4 : 0);
    if (r.pos < 8) {
        return SL_OK;
    }
    /* From here on it looks like any other table, less four bytes. */
    rest.data += r.pos - 4;
    rest.size -= r.pos - 4;
    return read_table(d, &rest, 8, rap ? &t->rap : &t->tele, err);
}

/* Entries of stsc must begin with chunk 1 and rise. */
static enum sl_status check_chunks(struct sl_mp4 *d, struct sl_mp4_track *t,
                                   const struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_reader r;
    uint32_t last = 0;

    sl_reader_init(&r, t->stsc.data, (size_t)t->stsc.count * 12);
    for (uint32_t i = 0; i < t->stsc.count; i++) {
        uint32_t first = sl_read_be32(&r);
        sl_read_skip(&r, 8);
        if (i == 0 ? first != 1 : first <= last) {
            return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                              "box 'stsc': entry %" PRIu32 " begins with chunk %" PRIu32
                              ", %s were expected",
                              i, first, i == 0 ? "chunks from 1 on" : "rising chunks");
        }
        last = first;
    }
    return SL_OK;
}

static enum sl_status read_box(struct sl_mp4 *d, struct sl_mp4_track *t,
                               const struct sl_mp4_box *box, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    const struct {
        const char *type;
        struct sl_mp4_table *table;
        uint32_t each;
    } tables[] = {
        {"stts", &t->stts, 8}, {"ctts", &t->ctts, 8}, {"stsc", &t->stsc, 12}, {"stco", &t->stco, 4},
        {"co64", &t->stco, 8}, {"stss", &t->stss, 4}, {"stps", &t->stps, 4},
    };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (sl_mp4_is(box, tables[i].type)) {
            bool had = tables[i].table->data != NULL;
            status = read_table(d, box, tables[i].each, tables[i].table, err);
            if (status == SL_OK && !had && tables[i].table == &t->stco) {
                t->wide_offsets = sl_mp4_is(box, "co64");
            }
            if (status == SL_OK && !had && tables[i].table == &t->stsc) {
                status = check_chunks(d, t, box, err);
            }
            t->has_stss = t->has_stss || sl_mp4_is(box, "stss");
            return status;
        }
    }
    if (sl_mp4_is(box, "stsz") || sl_mp4_is(box, "stz2")) {
        return read_sizes(d, t, box, err);
    }
    if (sl_mp4_is(box, "sbgp")) {
        return read_groups(d, t, box, err);
    }
    if (sl_mp4_is(box, "sgpd")) {
        struct sl_reader r;
        sl_reader_init(&r, box->data, box->size);
        unsigned version = sl_read_u8(&r);
        sl_read_skip(&r, 3);
        uint32_t grouping = sl_read_be32(&r);
        sl_read_skip(&r, version > 0 ? 4 : 0);
        if (sl_read_be32(&r) > 0 &&
            (grouping == SL_MP4_FOURCC("roll") || grouping == SL_MP4_FOURCC("prol"))) {
            t->roll = (int16_t)sl_read_be16(&r);
        }
        return SL_OK;
    }
    if (sl_mp4_is(box, "stsd") && t->stsd.size == 0) {
        t->stsd = *box;
    }
    return SL_OK;
}

/* What the tables say of each other. */
static enum sl_status compare(struct sl_mp4 *d, struct sl_mp4_track *t,
                              const struct sl_mp4_box *stbl, struct sl_error *err)
{
    struct sl_reader r;
    uint64_t timed = 0;
    int64_t low = 0;

    if (t->sample_count > 0 && (!t->stts.count || !t->stsc.count || !t->stco.count)) {
        return sl_fail_at(err, SL_EDATA, d->name, stbl->offset,
                          "track %" PRIu32 " has %" PRIu32
                          " samples, and entries in stts, stsc and stco were expected (%" PRIu32
                          ", %" PRIu32 " and %" PRIu32 ")",
                          t->id, t->sample_count, t->stts.count, t->stsc.count, t->stco.count);
    }
    sl_reader_init(&r, t->stts.data, (size_t)t->stts.count * 8);
    for (uint32_t i = 0; i < t->stts.count; i++) {
        timed += sl_read_be32(&r);
        sl_read_skip(&r, 4);
    }
    if (timed < t->sample_count) {
        if (d->strict) {
            return sl_fail_at(err, SL_EDATA, d->name, stbl->offset,
                              "track %" PRIu32 ": stts times %" PRIu64 " of %" PRIu32 " samples",
                              t->id, timed, t->sample_count);
        }
        sl_log_write(d->log, SL_LOG_WARN, "demux",
                     "%s: track %" PRIu32 ": stts times %" PRIu64 " of %" PRIu32
                     " samples; the rest is taken to last as long as the last of them",
                     d->name, t->id, timed, t->sample_count);
    }
    /* 8.6.1.3: version 0 is unsigned by the letter, but there are writers that put negative offsets
     * there, and no real offset needs the upper half. */
    sl_reader_init(&r, t->ctts.data, (size_t)t->ctts.count * 8);
    for (uint32_t i = 0; i < t->ctts.count; i++) {
        bool used = sl_read_be32(&r) > 0;
        int32_t offset = (int32_t)sl_read_be32(&r);
        low = used && offset < low ? offset : low;
    }
    t->dts_shift = -low;
    return SL_OK;
}

enum sl_status sl_mp4_parse_tables(struct sl_mp4 *d, struct sl_mp4_track *t,
                                   const struct sl_mp4_box *stbl, struct sl_error *err)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    sl_mp4_walk_init(&w, d->name, stbl, 0);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        status = read_box(d, t, &box, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? compare(d, t, stbl, err) : status;
}
