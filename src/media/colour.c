/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/colour.h"

/* Code points of ITU-T H.273. */
enum {
    RGB = 0, /* matrix only */
    BT709 = 1,
    UNSPECIFIED = 2,
    BT470BG = 5,
    SMPTE170M = 6,
    SMPTE240M = 7,
    BT2020 = 9, /* primaries, and matrix with non-constant luminance */
    BT2020_CL = 10,
    BT2020_10BIT = 14, /* transfer only */
};

struct sl_colour sl_colour_unspecified(void)
{
    return (struct sl_colour){
        .primaries = UNSPECIFIED, .transfer = UNSPECIFIED, .matrix = UNSPECIFIED};
}

/* The transfer characteristic that comes with a set of primaries. */
static uint8_t transfer_of(uint8_t primaries)
{
    switch (primaries) {
    case BT470BG: /* H.273 8.2: BT.601 625 is value 6 too; 5 is the assumed display gamma of 2.8 */
    case SMPTE170M:
        return SMPTE170M;
    case SMPTE240M:
        return SMPTE240M;
    case BT2020:
        return BT2020_10BIT;
    default:
        return BT709;
    }
}

struct sl_colour sl_colour_complete(struct sl_colour c, bool rgb, int32_t height)
{
    const uint8_t by_height = height >= 720 ? BT709 : SMPTE170M;

    /* 0 is reserved for primaries and transfer; some muxers write it for "not known". */
    if (c.primaries == 0) {
        c.primaries = UNSPECIFIED;
    }
    if (c.transfer == 0) {
        c.transfer = UNSPECIFIED;
    }
    if (c.matrix == RGB && !rgb) {
        c.matrix = UNSPECIFIED;
    }

    /* BT.2020's matrix and primaries are never meant without each other. */
    const bool wide = c.primaries == BT2020 || c.matrix == BT2020 || c.matrix == BT2020_CL;
    if (c.primaries == UNSPECIFIED) {
        c.primaries = wide ? BT2020 : by_height;
    }
    if (c.matrix == UNSPECIFIED) {
        c.matrix = wide ? BT2020 : by_height;
    }
    if (c.transfer == UNSPECIFIED) {
        c.transfer = transfer_of(c.primaries);
    }
    if (c.range == SL_RANGE_UNSPECIFIED) {
        c.range = rgb ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    }
    return c;
}
