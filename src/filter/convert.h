/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as programs have them into pictures as an encoder reads them, of the same size. What
 * comes in is memory of strangers: any alignment and direction of rows, and nothing outside of the
 * pixels is read. */
#ifndef SL_FILTER_CONVERT_H
#define SL_FILTER_CONVERT_H

#include "media/frame.h"

struct sl_convert_params {
    enum sl_pixel_format in_format, out_format;
    int32_t width, height; /* even where one of the formats subsamples chroma */
    /* What the input leaves unspecified is completed by sl_colour_complete(); a chroma location
     * that it does not state is the output's. */
    struct sl_colour in;
    /* As in struct sl_scale_params: matrix and range must be stated (RGB: matrix 0), a chroma
     * location that is stated is made true, with 0 chroma stays where it is (in the middle, from
     * what is not subsampled), primaries and transfer are labels. */
    struct sl_colour out;
    /* The output never is the input: for memory that is the caller's again after the call. */
    bool copy;
    unsigned idle_frames; /* unused output frames to keep; 0: a sensible number */
};

/* Single owner. */
struct sl_converter;

/* All that will be needed is allocated here, but for the frames. SL_EUNSUPPORTED with the names of
 * both formats where there is no way from one to the other: to RGB from anything else, and between
 * matrices that zimg cannot convert. */
SL_NODISCARD enum sl_status sl_converter_create(struct sl_converter **out,
                                                const struct sl_convert_params *params,
                                                struct sl_error *err);
/* *out is a new reference: in itself, or its planes under the output's labels, where nothing is to
 * be done (and copy is not set). Times and flags are carried over; colour, size and format are the
 * output's. What in says of its colour is not looked at. SL_EINVAL: not a picture of the format and
 * size that were promised, a plane is missing, a stride is shorter than a row. */
SL_NODISCARD enum sl_status sl_converter_run(struct sl_converter *c, struct sl_frame *in,
                                             struct sl_frame **out, struct sl_error *err);
/* True where running it does nothing but hand the input on. */
bool sl_converter_is_idle(const struct sl_converter *c);
void sl_converter_destroy(struct sl_converter **c);

#endif
