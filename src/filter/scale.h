/* SPDX-License-Identifier: BSD-2-Clause */
/* Colour conversion and scaling: any picture in, 8-bit 4:2:0 of one fixed size and colour out. */
#ifndef SL_FILTER_SCALE_H
#define SL_FILTER_SCALE_H

#include "media/frame.h"

struct sl_scale_params {
    int32_t width, height;    /* of the output, even */
    struct sl_colour colour;  /* of the output: matrix and range must be stated */
    int32_t rotation;         /* clockwise degrees applied to the input: 0, 90, 180, 270 */
    int32_t flip;             /* 1: mirrored left-right after turning */
    /* Input pictures that are one row or column larger than an even size are cut, not scaled:
     * set where the output is meant to be the input, pixel for pixel. */
    bool crop_odd;
    unsigned idle_frames;     /* unused output frames to keep; 0: a sensible number */
};

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
