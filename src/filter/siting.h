/* SPDX-License-Identifier: BSD-2-Clause */
/* Where chroma samples stand, as directions: this is what turning a picture acts on. */
#ifndef SL_FILTER_SITING_H
#define SL_FILTER_SITING_H

#include <stdbool.h>

#include "media/pixel.h"

/* -1: left or top, 0: in the middle, 1: right or bottom, of the luma samples that share it. */
struct sl_siting {
    int8_t h, v;
};

/* From struct sl_colour's chroma_location (1 to 6; anything else is left, as H.264 E.2.1 infers),
 * and back: 0 where H.264 has no code for it (the right-hand ones). */
struct sl_siting sl_siting_from_location(uint8_t location);
uint8_t sl_siting_location(struct sl_siting s);
/* The nearest one that H.264 has a code for. */
struct sl_siting sl_siting_codable(struct sl_siting s);
/* Only along axes that the format subsamples does a siting mean anything: the middle elsewhere. */
struct sl_siting sl_siting_of(const struct sl_pixel_info *info, uint8_t location);
/* What becomes of it when the picture is turned clockwise and then mirrored, and the way back. */
struct sl_siting sl_siting_turn(struct sl_siting s, int32_t degrees, bool flip);
struct sl_siting sl_siting_unturn(struct sl_siting s, int32_t degrees, bool flip);
bool sl_siting_equal(struct sl_siting a, struct sl_siting b);

#endif
