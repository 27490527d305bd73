/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of module demux-libav. */
#ifndef SL_DEMUX_LIBAV_H
#define SL_DEMUX_LIBAV_H

#include <libavformat/avformat.h>

#include "media/stage.h"

/* libavformat's view of a window. */
struct sl_libav_io {
    AVIOContext *avio;
    struct sl_window *window;
    int64_t pos;
    bool release;          /* bytes that were read will not be asked for again */
    enum sl_status status; /* why the window refused, since libavformat may take that for the end */
    struct sl_error error;
};

SL_NODISCARD enum sl_status sl_libav_io_open(struct sl_libav_io *io, struct sl_window *w,
                                             struct sl_error *err);
void sl_libav_io_close(struct sl_libav_io *io);

/* The frame rate that the header proves, before libavformat begins to estimate; 0/1: none. */
struct sl_rational sl_libav_proven_rate(const AVFormatContext *format, AVStream *stream);
/* Fills an initialised track. */
SL_NODISCARD enum sl_status sl_libav_track(struct sl_track *t, AVFormatContext *format,
                                           AVStream *stream, struct sl_rational proven_rate,
                                           struct sl_error *err);

#endif
