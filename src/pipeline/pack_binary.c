/* SPDX-License-Identifier: BSD-2-Clause */
/* The compact sidecar of a packed MP4: docs/layers.md. Numbers are LEB128; signed ones zigzag. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/publish.h"
#include "pipeline/frames_binary.h"
#include "pipeline/pack.h"

#define INDEX_MAX ((size_t)1 << 30)

static void put_number(struct sl_writer *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        sl_write_u8(w, (unsigned)(value & 0x7f) | 0x80);
    }
    sl_write_u8(w, (unsigned)value);
}

static void put_signed(struct sl_writer *w, int64_t value)
{
    put_number(w, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

/* Each sample's number in display order. */
static uint32_t *rank(const struct sl_layered *l)
{
    uint32_t *shown = sl_layered_display_order(l);
    uint32_t *ranks = sl_alloc_array(l->count, sizeof *ranks);
    if (!shown || !ranks) {
        sl_free(ranks);
        ranks = NULL;
    }
    for (size_t i = 0; ranks && i < l->count; i++) {
        ranks[shown[i]] = (uint32_t)i;
    }
    sl_free(shown);
    return ranks;
}

static void write_head(const struct sl_layered *l, int layout, struct sl_writer *w)
{
    sl_write_bytes(w, SL_FRAMES_BINARY_MAGIC, 8);
    sl_write_be32(w, SL_FRAMES_BINARY_VERSION);
    sl_write_be32(w, (uint32_t)l->width);
    sl_write_be32(w, (uint32_t)l->height);
    sl_write_be32(w, (uint32_t)l->timebase.den);
    sl_write_be32(w, (uint32_t)l->timebase.num);
    sl_write_be32(w, (uint32_t)l->count);
    sl_write_u8(w, (unsigned)l->layers);
    sl_write_u8(w, (unsigned)layout);
    sl_write_zeros(w, SL_FRAMES_BINARY_HEAD - w->size);
}

static void write_sample(const struct sl_layered *l, size_t i, uint32_t number, int64_t *end,
                         struct sl_writer *w)
{
    const struct sl_layered_sample *s = &l->samples[i];
    sl_write_u8(w, (unsigned)(s->layer & SL_FRAMES_BINARY_LAYER) |
                       (s->key ? (unsigned)SL_FRAMES_BINARY_KEY : 0) |
                       (s->refs_known ? (unsigned)SL_FRAMES_BINARY_LINKED : 0));
    put_signed(w, s->out_offset - *end);
    put_number(w, s->out_size);
    put_signed(w, s->pts - number);
    put_number(w, (uint64_t)s->duration);
    put_signed(w, s->display - s->pts);
    put_signed(w, (int64_t)((uint64_t)s->id - number));
    *end = s->out_offset + s->out_size;
    if (s->refs_known) {
        put_number(w, s->ref_count);
        for (size_t k = 0; k < s->ref_count; k++) {
            put_number(w, i - s->refs[k]);
        }
    }
}

enum sl_status sl_layered_write_binary(const struct sl_layered *l, int layout, const char *output,
                                       struct sl_error *err)
{
    uint32_t *ranks = rank(l);
    struct sl_writer w;
    int64_t end = 0;
    enum sl_status status;
    if (!ranks) {
        return sl_fail_memory(err);
    }
    sl_writer_init(&w, INDEX_MAX);
    write_head(l, layout, &w);
    for (size_t i = 0; i < l->count; i++) {
        write_sample(l, i, ranks[i], &end, &w);
    }
    status = sl_writer_finish(&w, err);
    if (!status) {
        sl_write_be32(&w, (uint32_t)crc32_z(0, w.data, w.size));
        status = sl_writer_finish(&w, err);
    }
    if (!status) {
        status = sl_publish_bytes(output, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    sl_free(ranks);
    return status;
}
