/* SPDX-License-Identifier: BSD-2-Clause */
/* ISO/IEC 14496-12 8.6.1, 8.6.2, 8.7.3 to 8.7.5 */
#include "mux/mp4_tables.h"

#include "base/error.h"

#define TABLE_MAX ((size_t)SL_MP4_SAMPLES_MAX * 8)

static void put_number(struct sl_writer *w, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >> 7; v >>= 7) {
        bytes[n++] = (uint8_t)(v & 127) | 128;
    }
    bytes[n++] = (uint8_t)v;
    sl_write_bytes(w, bytes, n);
}

static uint64_t get_number(struct sl_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = sl_read_u8(r);
        v |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) {
            break;
        }
    }
    return v;
}

static void runs_add(struct sl_mp4_runs *r, uint32_t value)
{
    if (r->count && r->value == value) {
        r->count++;
        return;
    }
    if (r->count) {
        put_number(&r->out, r->count);
        put_number(&r->out, r->value);
    }
    r->entries++;
    r->value = value;
    r->count = 1;
}

void sl_mp4_tables_init(struct sl_mp4_tables *t)
{
    *t = (struct sl_mp4_tables){0};
    sl_writer_init(&t->durations.out, TABLE_MAX);
    sl_writer_init(&t->offsets.out, TABLE_MAX);
    sl_writer_init(&t->sizes, TABLE_MAX);
    sl_writer_init(&t->keys, TABLE_MAX);
    sl_writer_init(&t->chunks, TABLE_MAX);
}

void sl_mp4_tables_clear(struct sl_mp4_tables *t)
{
    sl_writer_clear(&t->durations.out);
    sl_writer_clear(&t->offsets.out);
    sl_writer_clear(&t->sizes);
    sl_writer_clear(&t->keys);
    sl_writer_clear(&t->chunks);
}

enum sl_status sl_mp4_tables_add(struct sl_mp4_tables *t, const struct sl_mp4_sample *s,
                                 struct sl_error *err)
{
    enum sl_status status;
    if (t->samples == SL_MP4_SAMPLES_MAX) {
        return sl_fail(err, SL_ENOMEM, NULL, "more than %u samples in a track", SL_MP4_SAMPLES_MAX);
    }
    if (t->samples == 0) {
        t->first_size = s->size;
    }
    t->samples++;
    t->in_chunk++;
    t->duration += s->duration;
    t->sizes_differ |= s->size != t->first_size;
    t->has_offsets |= s->offset != 0;
    runs_add(&t->durations, s->duration);
    runs_add(&t->offsets, s->offset);
    put_number(&t->sizes, s->size);
    if (s->sync) {
        put_number(&t->keys, t->samples - t->last_key);
        t->last_key = t->samples;
        t->key_count++;
    }
    status = sl_writer_finish(&t->durations.out, err);
    status = status ? status : sl_writer_finish(&t->offsets.out, err);
    status = status ? status : sl_writer_finish(&t->sizes, err);
    return status ? status : sl_writer_finish(&t->keys, err);
}

enum sl_status sl_mp4_tables_chunk(struct sl_mp4_tables *t, int64_t offset, struct sl_error *err)
{
    if (t->in_chunk == 0) {
        return SL_OK;
    }
    put_number(&t->chunks, (uint64_t)(offset - t->last_chunk));
    put_number(&t->chunks, t->in_chunk);
    t->last_chunk = offset;
    t->chunk_count++;
    t->in_chunk = 0;
    return sl_writer_finish(&t->chunks, err);
}

static void write_runs(const struct sl_mp4_runs *runs, const char *type, struct sl_writer *w)
{
    struct sl_reader r;
    size_t box = sl_box_begin_full(w, type, 0, 0);
    sl_reader_init(&r, runs->out.data, runs->out.size);
    sl_write_be32(w, runs->entries);
    while (sl_reader_left(&r)) {
        sl_write_be32(w, (uint32_t)get_number(&r));
        sl_write_be32(w, (uint32_t)get_number(&r));
    }
    if (runs->count) {
        sl_write_be32(w, runs->count);
        sl_write_be32(w, runs->value);
    }
    sl_box_end(w, box);
}

/* 8.6.2: absent where every sample is a sync sample. */
static void write_keys(const struct sl_mp4_tables *t, struct sl_writer *w)
{
    struct sl_reader r;
    uint32_t sample = 0;
    size_t box = sl_box_begin_full(w, "stss", 0, 0);
    sl_reader_init(&r, t->keys.data, t->keys.size);
    sl_write_be32(w, t->key_count);
    while (sl_reader_left(&r)) {
        sample += (uint32_t)get_number(&r);
        sl_write_be32(w, sample);
    }
    sl_box_end(w, box);
}

static void write_sizes(const struct sl_mp4_tables *t, struct sl_writer *w)
{
    struct sl_reader r;
    size_t box = sl_box_begin_full(w, "stsz", 0, 0);
    /* A common size of 0 would mean that a table follows. */
    bool table = t->sizes_differ || t->first_size == 0;
    sl_write_be32(w, table ? 0 : t->first_size);
    sl_write_be32(w, t->samples);
    if (table) {
        sl_reader_init(&r, t->sizes.data, t->sizes.size);
        while (sl_reader_left(&r)) {
            sl_write_be32(w, (uint32_t)get_number(&r));
        }
    }
    sl_box_end(w, box);
}

/* 8.7.4: where the number of samples in a chunk changes. */
static void write_chunk_runs(const struct sl_mp4_tables *t, struct sl_writer *w)
{
    struct sl_reader r;
    uint32_t chunk = 0, entries = 0, last = 0;
    size_t box = sl_box_begin_full(w, "stsc", 0, 0), patch = w->size;
    sl_write_be32(w, 0);
    sl_reader_init(&r, t->chunks.data, t->chunks.size);
    while (sl_reader_left(&r)) {
        (void)get_number(&r);
        uint32_t samples = (uint32_t)get_number(&r);
        chunk++;
        if (samples != last) {
            sl_write_be32(w, chunk);
            sl_write_be32(w, samples);
            sl_write_be32(w, 1); /* sample entry */
            entries++;
            last = samples;
        }
    }
    if (w->status == SL_OK) {
        sl_writer_patch_be32(w, patch, entries);
    }
    sl_box_end(w, box);
}

static void write_offsets(const struct sl_mp4_tables *t, int64_t base, bool wide,
                          struct sl_writer *w)
{
    struct sl_reader r;
    uint64_t offset = (uint64_t)base;
    size_t box = sl_box_begin_full(w, wide ? "co64" : "stco", 0, 0);
    sl_reader_init(&r, t->chunks.data, t->chunks.size);
    sl_write_be32(w, t->chunk_count);
    while (sl_reader_left(&r)) {
        offset += get_number(&r);
        (void)get_number(&r);
        if (wide) {
            sl_write_be64(w, offset);
        } else {
            sl_write_be32(w, (uint32_t)offset);
        }
    }
    sl_box_end(w, box);
}

void sl_mp4_tables_write(const struct sl_mp4_tables *t, int64_t base, bool wide, bool video,
                         struct sl_writer *w)
{
    write_runs(&t->durations, "stts", w);
    if (t->has_offsets) {
        write_runs(&t->offsets, "ctts", w);
    }
    if (video && t->key_count != t->samples) {
        write_keys(t, w);
    }
    write_chunk_runs(t, w);
    write_sizes(t, w);
    write_offsets(t, base, wide, w);
}
