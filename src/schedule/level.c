/* SPDX-License-Identifier: BSD-2-Clause */
/* ISO/IEC 14496-10 table A-1 and A.3.1 */
#include "base/rational.h"
#include "schedule/schedule.h"

static const struct level {
    int idc;
    int64_t rate;     /* MaxMBPS, macroblocks a second */
    int64_t size;     /* MaxFS, macroblocks */
    int64_t dpb_size; /* MaxDpbMbs */
} levels[] = {
    {10, 1485, 99, 396},
    {11, 3000, 396, 900},
    {12, 6000, 396, 2376},
    {13, 11880, 396, 2376},
    {20, 11880, 396, 2376},
    {21, 19800, 792, 4752},
    {22, 20250, 1620, 8100},
    {30, 40500, 1620, 8100},
    {31, 108000, 3600, 18000},
    {32, 216000, 5120, 20480},
    {40, 245760, 8192, 32768},
    {41, 245760, 8192, 32768},
    {42, 522240, 8704, 34816},
    {50, 589824, 22080, 110400},
    {51, 983040, 36864, 184320},
    {52, 2073600, 36864, 184320},
    {60, 4177920, 139264, 696320},
    {61, 8355840, 139264, 696320},
    {62, 16711680, 139264, 696320},
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
    return frames > SL_SCHEDULE_REFS_MAX ? SL_SCHEDULE_REFS_MAX : (int32_t)frames;
}

int sl_schedule_level(int32_t width, int32_t height, struct sl_rational rate, int32_t dpb)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        const struct level *l = &levels[i];
        if (holds(l, width, height) && frames_of(l, width, height) >= dpb &&
            (!sl_rational_valid(rate) || sl_muldiv(blocks(width) * blocks(height), rate.num,
                                                   rate.den, SL_ROUND_UP) <= l->rate)) {
            return l->idc;
        }
    }
    return 0;
}

int32_t sl_schedule_level_dpb(int level_idc, int32_t width, int32_t height)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (levels[i].idc == level_idc) {
            return holds(&levels[i], width, height) ? frames_of(&levels[i], width, height) : 0;
        }
    }
    return 0;
}
