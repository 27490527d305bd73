/* SPDX-License-Identifier: BSD-2-Clause */
/* The same samples in another layout: 4:2:0 with Cb and Cr in planes of their own, and in turn in
 * one plane (NV12; P010, which also keeps its ten bits in the high ones of a word). */
#ifndef SL_FILTER_WEAVE_H
#define SL_FILTER_WEAVE_H

#include "media/frame.h"

/* The layout that zimg works in: yuv420p for NV12, yuv420p10 for P010, else format itself. */
enum sl_pixel_format sl_weave_planar(enum sl_pixel_format format);
/* True where one format is the planar form of the other, or both are the same. */
bool sl_weave_handles(enum sl_pixel_format in, enum sl_pixel_format out);
/* out's planes from in's, of one size; sl_weave_handles() their formats. Alignment and direction of
 * rows are free on both sides. A plane that lies in the same place on both sides stays there (its
 * samples are moved within their words where the formats say so). */
void sl_weave(const struct sl_frame *in, struct sl_frame *out);

#endif
