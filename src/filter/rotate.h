/* SPDX-License-Identifier: BSD-2-Clause */
/* Turning 8-bit planes by quarters, and mirroring them. */
#ifndef SL_FILTER_ROTATE_H
#define SL_FILTER_ROTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_plane_view {
    uint8_t *data;
    ptrdiff_t stride;
};

/* Turns a plane of width x height clockwise by degrees (0, 90, 180, 270), then mirrors it left to
 * right if flip. out has the turned size and does not overlap in. */
void sl_rotate_plane(struct sl_plane_view out, struct sl_plane_view in, int32_t width,
                     int32_t height, int32_t degrees, bool flip);

#endif
