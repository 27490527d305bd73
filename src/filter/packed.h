/* SPDX-License-Identifier: BSD-2-Clause */
/* Any picture as packed pixels of the same size for programs: RGB24 or NV12, rows and planes
 * without padding. */
#ifndef SL_FILTER_PACKED_H
#define SL_FILTER_PACKED_H

#include "media/frame.h"

/* Single owner. Rebuilt whenever a picture's format, size or colour differs from the last one's. */
struct sl_packer;

/* format: SL_PIX_RGB24 or SL_PIX_NV12. */
SL_NODISCARD enum sl_status sl_packer_create(struct sl_packer **out, enum sl_pixel_format format,
                                             struct sl_error *err);
/* Bytes of a picture. SL_EUNSUPPORTED for NV12 with odd sides. */
SL_NODISCARD enum sl_status sl_packer_size(const struct sl_packer *p, int32_t width, int32_t height,
                                           size_t *size, struct sl_error *err);
/* The description of what comes out: RGB of full range; NV12 with the input's matrix and range.
 * What the input leaves unspecified is completed by sl_colour_complete(). */
struct sl_colour sl_packer_colour(const struct sl_packer *p, const struct sl_frame *in);
/* dst has sl_packer_size() bytes. SL_EUNSUPPORTED where zimg cannot convert the input. */
SL_NODISCARD enum sl_status sl_packer_run(struct sl_packer *p, const struct sl_frame *in,
                                          uint8_t *dst, struct sl_error *err);
void sl_packer_destroy(struct sl_packer **p);

#endif
