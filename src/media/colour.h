/* SPDX-License-Identifier: BSD-2-Clause */
/* Colour: what unspecified means, in one place. */
#ifndef SL_MEDIA_COLOUR_H
#define SL_MEDIA_COLOUR_H

#include <stdbool.h>

#include <sluice/media.h>

struct sl_colour sl_colour_unspecified(void);
/* Fills in what is unspecified, field by field: RGB and YUV alike get BT.709 at 720 lines and
 * above, else BT.601 (SMPTE 170M); transfer follows primaries; range full for RGB, else limited.
 * Matrix 0 (RGB) is kept only where rgb is true. BT.2020 matrix and primaries imply each other. */
struct sl_colour sl_colour_complete(struct sl_colour c, bool rgb, int32_t height);

#endif
