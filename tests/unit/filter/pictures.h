/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures for the tests of src/filter. */
#ifndef SL_TEST_PICTURES_H
#define SL_TEST_PICTURES_H

#include "media/frame.h"

/* Value 0 to 1 of component c (Y Cb Cr or R G B) at luma position x, y. */
typedef double picture_fill(int c, double x, double y);

/* A picture of its own with every sample from fill, codes as range has them. pad: extra bytes
 * in front of each row, so that nothing is aligned. */
struct sl_frame *picture_make(enum sl_pixel_format format, int32_t width, int32_t height,
                              struct sl_colour colour, picture_fill *fill, int pad);
/* Smooth, and different in each component. */
double picture_waves(int c, double x, double y);
/* The same with little colour: Y Cb Cr that R'G'B' of 0 to 1 can be. */
double picture_pale(int c, double x, double y);
/* Noise, the same for the same place. */
double picture_noise(int c, double x, double y);

uint32_t picture_random(uint32_t *seed);
/* One sample of a yuv420p picture. */
int picture_sample(const struct sl_frame *f, int plane, int32_t x, int32_t y);
/* Peak signal to noise of two yuv420p pictures of one size, all planes together. */
double picture_psnr(const struct sl_frame *a, const struct sl_frame *b);
void picture_assert_equal(const struct sl_frame *a, const struct sl_frame *b);
struct sl_colour picture_colour(uint8_t matrix, uint8_t range, uint8_t location);

#endif
