/* SPDX-License-Identifier: BSD-2-Clause */
/* ISO/IEC 14496-10 table A-1 and A.3.1 */
#include "base/rational.h"
#include "media/h264.h"

#define DPB_FRAMES_MAX 16 /* A.3.1 h */

static const struct level {
    int idc;
    int64_t rate;     /* MaxMBPS, macroblocks a second */
    int64_t size;     /* MaxFS, macroblocks */
    int64_t dpb_size; /* MaxDpbMbs */
    int64_t bitrate;  /* MaxBR, 1000 bit/s for Baseline and Main */
} levels[] = {
    {10, 1485, 99, 396, 64},
    {11, 3000, 396, 900, 192},
    {12, 6000, 396, 2376, 384},
    {13, 11880, 396, 2376, 768},
    {20, 11880, 396, 2376, 2000},
    {21, 19800, 792, 4752, 4000},
    {22, 20250, 1620, 8100, 4000},
    {30, 40500, 1620, 8100, 10000},
    {31, 108000, 3600, 18000, 14000},
    {32, 216000, 5120, 20480, 20000},
    {40, 245760, 8192, 32768, 20000},
    {41, 245760, 8192, 32768, 50000},
    {42, 522240, 8704, 34816, 50000},
    {50, 589824, 22080, 110400, 135000},
    {51, 983040, 36864, 184320, 240000},
    {52, 2073600, 36864, 184320, 240000},
    {60, 4177920, 139264, 696320, 240000},
    {61, 8355840, 139264, 696320, 480000},
    {62, 16711680, 139264, 696320, 800000},
};

static int64_t blocks(int32_t side)
{
    return ((int64_t)side + 15) / 16;
}

/* Neither side is longer than sqrt(8 * MaxFS) macroblocks (A.3.1 f, g). */
static bool holds(const struct level *l, int32_t width, int32_t height)
{
    int64_t w = blocks(width), h = blocks(height);
    return width > 0 && height > 0 && w * w <= 8 * l->size && h * h <= 8 * l->size &&
           w * h <= l->size;
}

static int32_t frames_of(const struct level *l, int32_t width, int32_t height)
{
    int64_t frames = l->dpb_size / (blocks(width) * blocks(height));
    return frames > DPB_FRAMES_MAX ? DPB_FRAMES_MAX : (int32_t)frames;
}

int sl_h264_level(int32_t width, int32_t height, struct sl_rational rate, int32_t dpb)
{
    return sl_h264_level_of(width, height, rate, dpb, 0);
}

int sl_h264_level_of(int32_t width, int32_t height, struct sl_rational rate, int32_t dpb,
                     int64_t bitrate)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        const struct level *l = &levels[i];
        if (holds(l, width, height) && frames_of(l, width, height) >= dpb &&
            bitrate <= l->bitrate * 1000 &&
            (!sl_rational_valid(rate) || sl_muldiv(blocks(width) * blocks(height), rate.num,
                                                   rate.den, SL_ROUND_UP) <= l->rate)) {
            return l->idc;
        }
    }
    return 0;
}

int32_t sl_h264_level_dpb(int level_idc, int32_t width, int32_t height)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (levels[i].idc == level_idc) {
            return holds(&levels[i], width, height) ? frames_of(&levels[i], width, height) : 0;
        }
    }
    return 0;
}
