/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/parameter_set.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/rational.h"

enum sl_status sl_ps_open(struct sl_ps_reader *p, const struct sl_nal *nal, size_t header,
                          const char *what, struct sl_error *err)
{
    *p = (struct sl_ps_reader){.what = what, .err = err, .status = SL_OK};
    sl_writer_init(&p->rbsp, SL_PARAMETER_SET_BYTES);
    if (nal->size <= header || nal->size > SL_PARAMETER_SET_BYTES) {
        p->status = sl_fail(err, SL_EDATA, NULL, "%s of %zu bytes (%zu to %d)", what, nal->size,
                            header + 1, SL_PARAMETER_SET_BYTES);
        return p->status;
    }
    sl_nal_unescape(nal->data + header, nal->size - header, &p->rbsp);
    p->status = sl_writer_finish(&p->rbsp, err);
    sl_bits_init(&p->bits, p->rbsp.data, p->rbsp.size);
    return p->status;
}

enum sl_status sl_ps_close(struct sl_ps_reader *p)
{
    if (p->status == SL_OK && p->bits.overrun) {
        p->status = sl_fail(p->err, SL_EDATA, NULL, "%s of %zu bytes ends before its last field",
                            p->what, p->rbsp.size);
    }
    sl_writer_clear(&p->rbsp);
    return p->status;
}

bool sl_ps_ok(const struct sl_ps_reader *p)
{
    return p->status == SL_OK && !p->bits.overrun;
}

enum sl_status sl_ps_refuse(struct sl_ps_reader *p, const char *field, int64_t value, int64_t min,
                            int64_t max)
{
    if (p->status == SL_OK) {
        p->status =
            sl_fail(p->err, SL_EDATA, NULL, "%s: %s is %" PRId64 " (%" PRId64 " to %" PRId64 ")",
                    p->what, field, value, min, max);
    }
    return p->status;
}

bool sl_ps_flag(struct sl_ps_reader *p)
{
    return sl_ps_bits(p, 1) != 0;
}

uint32_t sl_ps_bits(struct sl_ps_reader *p, unsigned n)
{
    return p->status == SL_OK ? sl_bits_read(&p->bits, n) : 0;
}

uint32_t sl_ps_ue(struct sl_ps_reader *p, const char *field, uint32_t max)
{
    if (!sl_ps_ok(p)) {
        return 0;
    }
    const uint32_t value = sl_bits_ue(&p->bits);
    if (value > max && !p->bits.overrun) {
        (void)sl_ps_refuse(p, field, value, 0, max);
    }
    return sl_ps_ok(p) ? value : 0;
}

int32_t sl_ps_se(struct sl_ps_reader *p, const char *field, int32_t min, int32_t max)
{
    if (!sl_ps_ok(p)) {
        return 0;
    }
    const int32_t value = sl_bits_se(&p->bits);
    if ((value < min || value > max) && !p->bits.overrun) {
        (void)sl_ps_refuse(p, field, value, min, max);
    }
    return sl_ps_ok(p) ? value : 0;
}

#define EXTENDED_SAR 255

/* H.264 table E-1, H.265 table E.1. */
static const struct {
    uint16_t w, h;
} aspects[] = {{0, 1},   {1, 1},    {12, 11}, {10, 11}, {16, 11}, {40, 33},
               {24, 11}, {20, 11},  {32, 11}, {80, 33}, {18, 11}, {15, 11},
               {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}};
#define ASPECT_COUNT (sizeof aspects / sizeof *aspects)

struct sl_rational sl_ps_read_aspect(struct sl_ps_reader *p)
{
    const struct sl_rational none = {0, 1};
    const unsigned idc = sl_ps_bits(p, 8);
    if (idc == EXTENDED_SAR) {
        const unsigned w = sl_ps_bits(p, 16);
        const unsigned h = sl_ps_bits(p, 16);
        /* E.2.1: unspecified where either is 0. */
        return w && h ? sl_rational_reduce(sl_rational(w, h)) : none;
    }
    /* Values beyond the table are reserved, to be taken as unspecified. */
    return idc < ASPECT_COUNT ? sl_rational(aspects[idc].w, aspects[idc].h) : none;
}

void sl_ps_write_aspect(struct sl_bit_writer *b, struct sl_rational aspect)
{
    const struct sl_rational r = sl_rational_limit(aspect, UINT16_MAX);
    for (uint32_t i = 1; i < ASPECT_COUNT; i++) {
        if (aspects[i].w == r.num && aspects[i].h == r.den) {
            sl_put_bits(b, 8, i);
            return;
        }
    }
    sl_put_bits(b, 8, EXTENDED_SAR);
    sl_put_bits(b, 16, (uint32_t)r.num);
    sl_put_bits(b, 16, (uint32_t)r.den);
}

enum sl_pixel_format sl_ps_pixel_format(unsigned chroma_format_idc, unsigned depth_luma,
                                        unsigned depth_chroma, bool rgb)
{
    static const enum sl_pixel_format table[4][3] = {
        {SL_PIX_GRAY, SL_PIX_GRAY10, SL_PIX_NONE},
        {SL_PIX_YUV420P, SL_PIX_YUV420P10, SL_PIX_YUV420P12},
        {SL_PIX_YUV422P, SL_PIX_YUV422P10, SL_PIX_YUV422P12},
        {SL_PIX_YUV444P, SL_PIX_YUV444P10, SL_PIX_YUV444P12},
    };
    static const enum sl_pixel_format planar_rgb[3] = {SL_PIX_GBRP, SL_PIX_GBRP10, SL_PIX_GBRP12};

    if (chroma_format_idc > 3 || (chroma_format_idc != 0 && depth_luma != depth_chroma) ||
        (depth_luma != 8 && depth_luma != 10 && depth_luma != 12)) {
        return SL_PIX_NONE;
    }
    const unsigned deep = (depth_luma - 8) / 2;
    return rgb && chroma_format_idc == 3 ? planar_rgb[deep] : table[chroma_format_idc][deep];
}

void sl_ps_merge_colour(struct sl_colour *into, const struct sl_colour *from)
{
    if (from->primaries != 2) {
        into->primaries = from->primaries;
    }
    if (from->transfer != 2) {
        into->transfer = from->transfer;
    }
    if (from->matrix != 2) {
        into->matrix = from->matrix;
    }
    if (from->range != SL_RANGE_UNSPECIFIED) {
        into->range = from->range;
    }
    if (from->chroma_location != 0) {
        into->chroma_location = from->chroma_location;
    }
}
