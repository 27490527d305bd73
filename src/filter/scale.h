/* SPDX-License-Identifier: BSD-2-Clause */
/* Colour conversion and scaling: any picture in, 8-bit 4:2:0 of one fixed size and colour out. */
#ifndef SL_FILTER_SCALE_H
#define SL_FILTER_SCALE_H

#include "media/frame.h"

struct sl_scale_params {
    int32_t width, height; /* of the output, even */
    /* Of the output: matrix and range must be stated. A chroma location that is stated is made
     * true. Where it is 0, chroma stays where the input has it (in the middle where the input has
     * none of its own, as RGB): sl_scale_colour() says where that is. Primaries and transfer are
     * labels: nothing is converted between them. */
    struct sl_colour colour;
    int32_t rotation; /* clockwise degrees applied to the input: 0, 90, 180, 270 */
    int32_t flip;     /* 1: mirrored left-right after turning */
    /* Input pictures that are one row or column larger than an even size are cut, not scaled:
     * set where the output is meant to be the input, pixel for pixel. */
    bool crop_odd;
    unsigned idle_frames; /* unused output frames to keep; 0: a sensible number */
};

/* The description of an output that keeps what the input means and costs least: the input's colour
 * completed (RGB becomes BT.709 or BT.601 by height, in limited range), and the chroma location
 * that conversion without resampling chroma leads to (0 where the input does not state its own, or
 * H.264 has no code for it). */
struct sl_colour sl_scale_colour(enum sl_pixel_format format, struct sl_colour colour,
                                 int32_t height, int32_t rotation, int32_t flip);

struct sl_rgb;
/* What a scaler of these params does with packed pictures of its own, even size and this colour,
 * for whoever has rows instead of pictures. False where it does something else. */
SL_NODISCARD bool sl_scale_rows(struct sl_rgb *out, const struct sl_scale_params *params,
                                enum sl_pixel_format format, struct sl_colour colour);

/* Single owner. The conversion is rebuilt whenever the input's format, size or colour changes. */
struct sl_scaler;

SL_NODISCARD enum sl_status sl_scaler_create(struct sl_scaler **out,
                                             const struct sl_scale_params *params,
                                             struct sl_error *err);
/* *out is a new reference: in itself where nothing is to be done. Times and flags are carried over;
 * colour, size and format are the output's; sample_aspect follows rotation. Unspecified input
 * colour is completed by sl_colour_complete(). */
SL_NODISCARD enum sl_status sl_scaler_run(struct sl_scaler *s, struct sl_frame *in,
                                          struct sl_frame **out, struct sl_error *err);
void sl_scaler_destroy(struct sl_scaler **s);

#endif
