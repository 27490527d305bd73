/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/vp9.h"

#include "base/bits.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/parameter_set.h"

#define VPCC_VERSION 0x01000000 /* version 1, flags 0 */

/* color_space, 7.2.2: 0 unknown, 1 BT.601, 2 BT.709, 3 SMPTE 170M, 4 SMPTE 240M, 5 BT.2020,
 * 6 reserved, 7 RGB; as matrix coefficients of H.273 */
static const uint8_t matrices[8] = {2, 5, 1, 6, 7, 9, 2, 0};

/* 6.2.2 color_config() */
static void read_colour(struct sl_bit_reader *b, struct sl_vp_frame *f)
{
    const bool odd = f->profile & 1;

    f->bit_depth = 8;
    if (f->profile >= 2) {
        f->bit_depth = sl_bits_flag(b) ? 12 : 10;
    }
    const unsigned space = sl_bits_read(b, 3);
    f->colour.matrix = matrices[space];
    f->subsampling_x = f->subsampling_y = 1;
    if (space == 7) {
        f->colour.range = SL_RANGE_FULL;
        f->subsampling_x = f->subsampling_y = 0;
        sl_bits_skip(b, odd); /* reserved_zero */
        return;
    }
    f->colour.range = sl_bits_flag(b) ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    if (odd) {
        f->subsampling_x = sl_bits_flag(b);
        f->subsampling_y = sl_bits_flag(b);
        sl_bits_skip(b, 1);
    }
}

enum sl_status sl_vp9_parse(const uint8_t *data, size_t size, struct sl_vp_frame *out,
                            struct sl_error *err)
{
    struct sl_bit_reader b;

    *out = (struct sl_vp_frame){.colour = {.primaries = 2, .transfer = 2, .matrix = 2}};
    sl_bits_init(&b, data, size);
    const unsigned marker = sl_bits_read(&b, 2);
    out->profile = (uint8_t)sl_bits_read(&b, 1);
    out->profile |= (uint8_t)(sl_bits_read(&b, 1) << 1);
    if (out->profile == 3) {
        sl_bits_skip(&b, 1);
    }
    const bool again = sl_bits_flag(&b); /* show_existing_frame */
    if (marker != 2 || b.overrun) {
        return sl_fail(err, SL_EDATA, NULL, "a VP9 frame of %zu bytes with frame_marker %u (2)",
                       size, marker);
    }
    if (again) {
        out->shown = true;
        return SL_OK;
    }
    out->key = !sl_bits_flag(&b);
    out->shown = sl_bits_flag(&b);
    sl_bits_skip(&b, 1); /* error_resilient_mode */
    if (!out->key) {
        return SL_OK;
    }
    const uint32_t sync = sl_bits_read(&b, 24);
    read_colour(&b, out);
    out->width = 1 + sl_bits_read(&b, 16);
    out->height = 1 + sl_bits_read(&b, 16);
    if (sync != 0x498342 || b.overrun) {
        return sl_fail(err, SL_EDATA, NULL, "a VP9 key frame of %zu bytes with sync code %06x",
                       size, (unsigned)sync);
    }
    return SL_OK;
}

enum sl_status sl_vp8_parse(const uint8_t *data, size_t size, struct sl_vp_frame *out,
                            struct sl_error *err)
{
    struct sl_reader r;

    *out = (struct sl_vp_frame){.colour = {.primaries = 2, .transfer = 2, .matrix = 2},
                                .bit_depth = 8,
                                .subsampling_x = 1,
                                .subsampling_y = 1};
    sl_reader_init(&r, data, size);
    const unsigned tag = sl_read_u8(&r);
    sl_read_skip(&r, 2);
    out->key = !(tag & 1);
    out->profile = tag >> 1 & 7;
    out->shown = tag >> 4 & 1;
    if (r.overrun || out->profile > 3) {
        return sl_fail(err, SL_EDATA, NULL, "a VP8 frame of %zu bytes, version %u (0 to 3)", size,
                       out->profile);
    }
    if (!out->key) {
        return SL_OK;
    }
    const uint32_t start = sl_read_be24(&r);
    out->width = sl_read_le16(&r) & 0x3fffu;
    out->height = sl_read_le16(&r) & 0x3fffu;
    if (r.overrun || start != 0x9d012a) {
        return sl_fail(err, SL_EDATA, NULL, "a VP8 key frame of %zu bytes with start code %06x",
                       size, (unsigned)start);
    }
    return SL_OK;
}

/* Annex A of the VP9 bitstream specification */
unsigned sl_vp9_level(const struct sl_track *t)
{
    static const struct {
        uint8_t level;
        uint16_t side;
        int32_t picture; /* luma samples */
        int64_t rate;    /* luma samples a second */
    } levels[] = {
        {10, 512, 36864, 829440},          {11, 768, 73728, 2764800},
        {20, 960, 122880, 4608000},        {21, 1344, 245760, 9216000},
        {30, 2048, 552960, 20736000},      {31, 2752, 983040, 36864000},
        {40, 4160, 2228224, 83558400},     {41, 4160, 2228224, 160432128},
        {50, 8384, 8912896, 311951360},    {51, 8384, 8912896, 588251136},
        {52, 8384, 8912896, 1176502272},   {60, 16832, 35651584, 1176502272},
        {61, 16832, 35651584, 2353004544}, {62, 16832, 35651584, 4706009088},
    };
    const int64_t picture = (int64_t)t->width * t->height;
    const int32_t side = t->width > t->height ? t->width : t->height;
    const int64_t rate = sl_rational_valid(t->frame_rate)
                             ? sl_muldiv(picture, t->frame_rate.num, t->frame_rate.den, SL_ROUND_UP)
                             : picture;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (picture <= levels[i].picture && side <= levels[i].side && rate <= levels[i].rate) {
            return levels[i].level;
        }
    }
    return 0;
}

bool sl_vpcc_parse(const uint8_t *data, size_t size, struct sl_vpcc *out)
{
    struct sl_reader r;

    sl_reader_init(&r, data, size);
    const uint32_t version = sl_read_be32(&r);
    out->profile = sl_read_u8(&r);
    out->level = sl_read_u8(&r);
    const unsigned bits = sl_read_u8(&r);
    out->bit_depth = (uint8_t)(bits >> 4);
    out->chroma = bits >> 1 & 7;
    out->colour.range = bits & 1 ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    out->colour.primaries = sl_read_u8(&r);
    out->colour.transfer = sl_read_u8(&r);
    out->colour.matrix = sl_read_u8(&r);
    out->colour.chroma_location = 0;
    return !r.overrun && version == VPCC_VERSION;
}

void sl_vpcc_write(const struct sl_vpcc *c, struct sl_writer *out)
{
    sl_write_be32(out, VPCC_VERSION);
    sl_write_u8(out, c->profile);
    sl_write_u8(out, c->level);
    sl_write_u8(out, (unsigned)c->bit_depth << 4 | (unsigned)c->chroma << 1 |
                         (c->colour.range == SL_RANGE_FULL));
    sl_write_u8(out, c->colour.primaries);
    sl_write_u8(out, c->colour.transfer);
    sl_write_u8(out, c->colour.matrix);
    sl_write_be16(out, 0); /* no codecInitializationData: it must be empty for VP8 and VP9 */
}

void sl_vpcc_of(const struct sl_vp_frame *f, const struct sl_track *t, struct sl_vpcc *out)
{
    struct sl_track sized = *t;
    unsigned chroma = 3;

    if (sized.width <= 0 || sized.height <= 0) {
        sized.width = (int32_t)f->width;
        sized.height = (int32_t)f->height;
    }
    if (f->subsampling_x && f->subsampling_y) {
        chroma = t->colour.chroma_location != 1; /* left, midway between lines: 0 */
    } else if (f->subsampling_x) {
        chroma = 2;
    }
    *out = (struct sl_vpcc){
        .profile = f->profile,
        .level =
            (uint8_t)(t->level >= 10 && t->level <= 62 ? (unsigned)t->level : sl_vp9_level(&sized)),
        .bit_depth = f->bit_depth,
        .chroma = (uint8_t)chroma,
        .colour = f->colour};
    sl_ps_merge_colour(&out->colour, &t->colour);
}
