/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/h264_tables.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool sl_h264_profile_has_chroma(unsigned profile_idc)
{
    static const uint8_t high[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    for (size_t i = 0; i < COUNT(high); i++) {
        if (high[i] == profile_idc) {
            return true;
        }
    }
    return false;
}

static const uint8_t intra4[16] = {6, 13, 13, 20, 20, 20, 28, 28, 28, 28, 32, 32, 32, 37, 37, 42};
static const uint8_t inter4[16] = {10, 14, 14, 20, 20, 20, 24, 24, 24, 24, 27, 27, 27, 30, 30, 34};
static const uint8_t intra8[64] = {6,  10, 10, 13, 11, 13, 16, 16, 16, 16, 18, 18, 18, 18, 18, 23,
                                   23, 23, 23, 23, 23, 25, 25, 25, 25, 25, 25, 25, 27, 27, 27, 27,
                                   27, 27, 27, 27, 29, 29, 29, 29, 29, 29, 29, 31, 31, 31, 31, 31,
                                   31, 33, 33, 33, 33, 33, 36, 36, 36, 36, 38, 38, 38, 40, 40, 42};
static const uint8_t inter8[64] = {9,  13, 13, 15, 13, 15, 17, 17, 17, 17, 19, 19, 19, 19, 19, 21,
                                   21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 24, 24, 24, 24,
                                   24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 27, 27, 27, 27, 27,
                                   27, 28, 28, 28, 28, 28, 30, 30, 30, 30, 32, 32, 32, 33, 33, 35};

const uint8_t *sl_h264_default_list(unsigned i)
{
    if (i < 6) {
        return i < 3 ? intra4 : inter4;
    }
    return i % 2 == 0 ? intra8 : inter8; /* Y, Cb, Cr: intra and inter in turn */
}

uint32_t sl_h264_max_dpb_mbs(unsigned level_idc)
{
    static const struct {
        uint8_t level_idc; /* 9: level 1b of the High profiles; elsewhere 1b is 11, like 1.1 */
        uint32_t mbs;
    } levels[] = {
        {9, 396},     {10, 396},    {11, 900},    {12, 2376},   {13, 2376},
        {20, 2376},   {21, 4752},   {22, 8100},   {30, 8100},   {31, 18000},
        {32, 20480},  {40, 32768},  {41, 32768},  {42, 34816},  {50, 110400},
        {51, 184320}, {52, 184320}, {60, 696320}, {61, 696320}, {62, 696320},
    };
    for (size_t i = 0; i < COUNT(levels); i++) {
        if (levels[i].level_idc == level_idc) {
            return levels[i].mbs;
        }
    }
    return 0;
}
