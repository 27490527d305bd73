/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/siting.h"

#include <stddef.h>

/* ITU-T H.264 E.2.1, table and figure for chroma_sample_loc_type */
static const struct sl_siting types[] = {{-1, 0}, {0, 0}, {-1, -1}, {0, -1}, {-1, 1}, {0, 1}};

#define TYPE_COUNT (sizeof types / sizeof types[0])

struct sl_siting sl_siting_from_location(uint8_t location)
{
    return location >= 1 && location <= TYPE_COUNT ? types[location - 1] : types[0];
}

bool sl_siting_equal(struct sl_siting a, struct sl_siting b)
{
    return a.h == b.h && a.v == b.v;
}

uint8_t sl_siting_location(struct sl_siting s)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (sl_siting_equal(types[i], s)) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

struct sl_siting sl_siting_codable(struct sl_siting s)
{
    if (s.h > 0) {
        s.h = 0;
    }
    return s;
}

struct sl_siting sl_siting_of(const struct sl_pixel_info *info, uint8_t location)
{
    struct sl_siting s = sl_siting_from_location(location);
    if (info->chroma_w == 0) {
        s.h = 0;
    }
    if (info->chroma_h == 0) {
        s.v = 0;
    }
    return s;
}

struct sl_siting sl_siting_turn(struct sl_siting s, int32_t degrees, bool flip)
{
    for (; degrees > 0; degrees -= 90) {
        s = (struct sl_siting){(int8_t)-s.v, s.h};
    }
    if (flip) {
        s.h = (int8_t)-s.h;
    }
    return s;
}

struct sl_siting sl_siting_unturn(struct sl_siting s, int32_t degrees, bool flip)
{
    if (flip) {
        s.h = (int8_t)-s.h;
    }
    for (; degrees > 0; degrees -= 90) {
        s = (struct sl_siting){s.v, (int8_t)-s.h};
    }
    return s;
}
