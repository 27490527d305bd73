/* SPDX-License-Identifier: BSD-2-Clause */
/* What registry.c lists. */
#ifndef SL_DECODE_DECODERS_H
#define SL_DECODE_DECODERS_H

#include "media/stage.h"

extern const struct sl_decoder_ops sl_decode_raw;
/* Stands in for module decode-libav, which is loaded when a track is first opened with it. */
extern const struct sl_decoder_ops sl_decode_libav_module;

#endif
