/* SPDX-License-Identifier: BSD-2-Clause */
/* What an encoder of H.264 says of its stream, and takes. */
#ifndef SL_ENCODE_H264_TRACK_H
#define SL_ENCODE_H264_TRACK_H

#include "media/h264.h"
#include "media/stage.h"

/* Kind, codec, timebase and nominal rate as asked for; the config (avcC) from the parameter sets
 * that the encoder announces, an Annex B stream of them. sets points into t->config. */
SL_NODISCARD enum sl_status sl_h264_track_fill(struct sl_track *t, const struct sl_encode_params *p,
                                               const uint8_t *annexb, size_t size,
                                               struct sl_nal_config *sets, struct sl_error *err);
/* SL_EINVAL, in the name of the encoder, where a frame is no picture of the track's size in one of
 * these formats (ended by SL_PIX_NONE; NULL: yuv420p) with the chroma and depth of the track's
 * pixel format, is not in the host's memory, or has strides that an int does not hold. */
SL_NODISCARD enum sl_status sl_h264_track_check(const struct sl_track *t, const struct sl_frame *f,
                                                const enum sl_pixel_format *formats,
                                                const char *encoder, struct sl_error *err);

#endif
