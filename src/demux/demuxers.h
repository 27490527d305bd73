/* SPDX-License-Identifier: BSD-2-Clause */
/* What registry.c lists. */
#ifndef SL_DEMUX_DEMUXERS_H
#define SL_DEMUX_DEMUXERS_H

#include "media/stage.h"

extern const struct sl_demuxer_ops sl_demux_mkv;
extern const struct sl_demuxer_ops sl_demux_y4m;
extern const struct sl_demuxer_ops sl_demux_raw;
extern const struct sl_demuxer_ops sl_demux_mp4;
/* Stands in for module demux-libav, which is loaded when a source is first opened with it. */
extern const struct sl_demuxer_ops sl_demux_libav_module;

#endif
