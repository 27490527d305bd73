/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/av1.h"

#include "base/bits.h"
#include "base/error.h"
#include "media/parameter_set.h"

#define CONFIG_HEADER 4 /* bytes of av1C before its OBUs */

struct obu {
    unsigned type;
    bool has_size;
    const uint8_t *start, *payload;
    size_t size, header; /* of the whole, of what stands before the payload */
};

/* 4.10.5 leb128() */
static uint64_t read_leb128(struct sl_reader *r)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        const unsigned byte = sl_read_u8(r);
        value |= (uint64_t)(byte & 127) << (7 * i);
        if (!(byte & 128)) {
            break;
        }
    }
    return value;
}

/* 5.3.1, 5.3.2. Without a size the unit goes to the end of the data. */
static bool next_obu(struct sl_reader *r, struct obu *o)
{
    if (sl_reader_left(r) == 0) {
        return false;
    }
    const size_t at = r->pos;
    const unsigned head = sl_read_u8(r);
    if (head & 4) { /* obu_extension_flag */
        sl_read_skip(r, 1);
    }
    o->type = head >> 3 & 15;
    o->has_size = head & 2;
    const uint64_t size = o->has_size ? read_leb128(r) : sl_reader_left(r);
    if ((head & 0x80) || r->overrun || size > sl_reader_left(r)) {
        return false;
    }
    o->start = r->data + at;
    o->header = r->pos - at;
    o->payload = sl_read_bytes(r, (size_t)size);
    o->size = r->pos - at;
    return true;
}

bool sl_av1_find_sequence(const uint8_t *data, size_t size, const uint8_t **obu, size_t *obu_size)
{
    struct sl_reader r;
    struct obu o;

    sl_reader_init(&r, data, size);
    while (next_obu(&r, &o)) {
        if (o.type == SL_AV1_SEQUENCE_HEADER) {
            *obu = o.start;
            *obu_size = o.size;
            return true;
        }
    }
    return false;
}

/* 4.10.3 uvlc() */
static void skip_uvlc(struct sl_bit_reader *b)
{
    unsigned zeros = 0;
    while (!b->overrun && zeros < 32 && !sl_bits_flag(b)) {
        zeros++;
    }
    if (zeros < 32) {
        sl_bits_skip(b, zeros);
    }
}

/* 5.5.1: operating points, with the timing that stands between them */
static void read_points(struct sl_bit_reader *b, struct sl_av1_sequence *s)
{
    bool model = false;
    unsigned delay_length = 0;

    if (sl_bits_flag(b)) { /* timing_info_present_flag */
        sl_bits_skip(b, 64);
        if (sl_bits_flag(b)) { /* equal_picture_interval */
            skip_uvlc(b);
        }
        model = sl_bits_flag(b);
        if (model) { /* 5.5.4 */
            delay_length = 1 + sl_bits_read(b, 5);
            sl_bits_skip(b, 32 + 5 + 5);
        }
    }
    const bool display_delay = sl_bits_flag(b);
    const unsigned points = 1 + sl_bits_read(b, 5);
    for (unsigned i = 0; i < points && !b->overrun; i++) {
        sl_bits_skip(b, 12); /* operating_point_idc */
        const unsigned level = sl_bits_read(b, 5);
        const unsigned tier = level > 7 ? sl_bits_read(b, 1) : 0;
        if (i == 0) {
            s->level = (uint8_t)level;
            s->tier = (uint8_t)tier;
        }
        if (model && sl_bits_flag(b)) { /* 5.5.5 */
            sl_bits_skip(b, 2 * (size_t)delay_length + 1);
        }
        if (display_delay && sl_bits_flag(b)) {
            sl_bits_skip(b, 4);
        }
    }
}

/* 5.5.1: what coding tools are on */
static void skip_tools(struct sl_bit_reader *b)
{
    sl_bits_skip(b, 4); /* interintra and masked compound, warped motion, dual filter */
    const bool order_hint = sl_bits_flag(b);
    if (order_hint) {
        sl_bits_skip(b, 2); /* jnt_comp, ref_frame_mvs */
    }
    bool screen = sl_bits_flag(b); /* seq_choose_screen_content_tools */
    if (!screen) {
        screen = sl_bits_flag(b); /* seq_force_screen_content_tools */
    }
    if (screen && !sl_bits_flag(b)) { /* seq_choose_integer_mv */
        sl_bits_skip(b, 1);
    }
    if (order_hint) {
        sl_bits_skip(b, 3);
    }
}

/* 5.5.2 */
static void read_colour(struct sl_bit_reader *b, struct sl_av1_sequence *s)
{
    const bool high = sl_bits_flag(b);
    const bool twelve = s->profile == 2 && high && sl_bits_flag(b);

    s->bit_depth = high ? (twelve ? 12 : 10) : 8;
    s->mono = s->profile != 1 && sl_bits_flag(b);
    s->colour = (struct sl_colour){.primaries = 2, .transfer = 2, .matrix = 2};
    if (sl_bits_flag(b)) {
        s->colour.primaries = (uint8_t)sl_bits_read(b, 8);
        s->colour.transfer = (uint8_t)sl_bits_read(b, 8);
        s->colour.matrix = (uint8_t)sl_bits_read(b, 8);
    }
    s->subsampling_x = s->subsampling_y = 1;
    if (!s->mono && s->colour.primaries == 1 && s->colour.transfer == 13 && s->colour.matrix == 0) {
        s->colour.range = SL_RANGE_FULL; /* sRGB */
        s->subsampling_x = s->subsampling_y = 0;
    } else {
        s->colour.range = sl_bits_flag(b) ? SL_RANGE_FULL : SL_RANGE_LIMITED;
        if (s->mono) {
            return;
        }
        if (s->profile == 1) {
            s->subsampling_x = s->subsampling_y = 0;
        } else if (s->profile == 2 && s->bit_depth == 12) {
            s->subsampling_x = sl_bits_flag(b);
            s->subsampling_y = s->subsampling_x && sl_bits_flag(b);
        } else if (s->profile == 2) {
            s->subsampling_y = 0;
        }
        if (s->subsampling_x && s->subsampling_y) {
            s->chroma_position = (uint8_t)sl_bits_read(b, 2);
        }
    }
    sl_bits_skip(b, 1); /* separate_uv_delta_q */
}

enum sl_status sl_av1_parse_sequence(const uint8_t *data, size_t size, struct sl_av1_sequence *out,
                                     struct sl_error *err)
{
    struct sl_reader r;
    struct sl_bit_reader b;
    struct obu o;

    *out = (struct sl_av1_sequence){0};
    sl_reader_init(&r, data, size);
    if (!next_obu(&r, &o) || o.type != SL_AV1_SEQUENCE_HEADER) {
        return sl_fail(err, SL_EDATA, NULL, "%zu bytes are no AV1 sequence header", size);
    }
    sl_bits_init(&b, o.payload, o.size - o.header);
    out->profile = (uint8_t)sl_bits_read(&b, 3);
    out->still_picture = sl_bits_flag(&b);
    const bool reduced = sl_bits_flag(&b);
    if (reduced) {
        out->level = (uint8_t)sl_bits_read(&b, 5);
    } else {
        read_points(&b, out);
    }
    const unsigned width_bits = 1 + sl_bits_read(&b, 4);
    const unsigned height_bits = 1 + sl_bits_read(&b, 4);
    out->width = 1 + sl_bits_read(&b, width_bits);
    out->height = 1 + sl_bits_read(&b, height_bits);
    if (!reduced && sl_bits_flag(&b)) {
        sl_bits_skip(&b, 4 + 3); /* lengths of frame ids */
    }
    sl_bits_skip(&b, 3); /* superblocks, filter_intra, intra_edge_filter */
    if (!reduced) {
        skip_tools(&b);
    }
    sl_bits_skip(&b, 3); /* superres, cdef, restoration */
    read_colour(&b, out);
    out->film_grain = sl_bits_flag(&b);
    if (b.overrun || out->profile > 2) {
        return sl_fail(err, SL_EDATA, NULL, "an AV1 sequence header of %zu bytes, profile %u",
                       o.size, out->profile);
    }
    return SL_OK;
}

void sl_av1_write_config(const struct sl_av1_sequence *s, const uint8_t *obu, size_t size,
                         struct sl_writer *out)
{
    struct sl_reader r;
    struct sl_bit_writer b;
    struct obu o;

    sl_bit_writer_init(&b, out);
    sl_put_bits(&b, 8, 0x81); /* marker, version 1 */
    sl_put_bits(&b, 3, s->profile);
    sl_put_bits(&b, 5, s->level);
    sl_put_bits(&b, 1, s->tier);
    sl_put_bits(&b, 1, s->bit_depth > 8);
    sl_put_bits(&b, 1, s->bit_depth == 12);
    sl_put_bits(&b, 1, s->mono);
    sl_put_bits(&b, 1, s->subsampling_x);
    sl_put_bits(&b, 1, s->subsampling_y);
    sl_put_bits(&b, 2, s->chroma_position);
    sl_put_bits(&b, 8, 0); /* no initial_presentation_delay */
    sl_reader_init(&r, obu, size);
    if (!next_obu(&r, &o)) {
        return;
    }
    const size_t payload = o.size - o.header;
    sl_write_u8(out, 0x0a); /* sequence header with obu_has_size_field, as 2.3.3 wants it */
    size_t left = payload;
    do {
        sl_write_u8(out, (left & 127) | (left >> 7 ? 128u : 0));
        left >>= 7;
    } while (left);
    sl_write_bytes(out, o.payload, payload);
}

enum sl_status sl_av1_parse_config(const uint8_t *config, size_t size, struct sl_av1_sequence *out,
                                   struct sl_error *err)
{
    const uint8_t *obu;
    size_t obu_size;

    if (size < CONFIG_HEADER || config[0] != 0x81) {
        return sl_fail(err, SL_EDATA, "av1C", "%zu bytes (4 or more), version %u (1)", size,
                       size ? config[0] & 0x7fu : 0u);
    }
    if (!sl_av1_find_sequence(config + CONFIG_HEADER, size - CONFIG_HEADER, &obu, &obu_size)) {
        return SL_EAGAIN;
    }
    return sl_av1_parse_sequence(obu, obu_size, out, err);
}

enum sl_status sl_av1_describe(struct sl_track *t, struct sl_error *err)
{
    struct sl_av1_sequence s;
    enum sl_status status = sl_av1_parse_config(t->config, t->config_size, &s, err);
    if (status != SL_OK) {
        return status;
    }
    const enum sl_pixel_format format =
        sl_ps_pixel_format(s.mono            ? 0
                           : s.subsampling_y ? 1
                           : s.subsampling_x ? 2
                                             : 3,
                           s.bit_depth, s.bit_depth, s.colour.matrix == 0);
    if (t->width <= 0 || t->height <= 0) {
        t->width = (int32_t)s.width;
        t->height = (int32_t)s.height;
    }
    if (format != SL_PIX_NONE && t->pixel_format == 0) {
        t->pixel_format = (int32_t)format;
    }
    t->bit_depth = s.bit_depth;
    t->profile = s.profile;
    t->level = s.level;
    /* What the container states is kept: it may correct the stream. */
    struct sl_colour colour = s.colour;
    sl_ps_merge_colour(&colour, &t->colour);
    t->colour = colour;
    return SL_OK;
}
