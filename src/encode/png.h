/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as PNG (ISO/IEC 15948), written for speed: what is decoded out of video is looked at or
 * read again, not stored for ever. */
#ifndef SL_ENCODE_PNG_H
#define SL_ENCODE_PNG_H

#include <sluice/media.h>

#include "base/bytes.h"

/* 8-bit RGB, rows without padding, into an empty writer. Colour: cICP where the primaries or the
 * transfer are not those of sRGB and BT.709. */
SL_NODISCARD enum sl_status sl_png_write(struct sl_writer *out, const uint8_t *pixels,
                                         int32_t width, int32_t height,
                                         const struct sl_colour *colour, struct sl_error *err);

#endif
