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

/* libavformat takes the end of the bytes for the end of the media. True where the container itself
 * says that there should have been more than size bytes. */
bool sl_libav_cut_short(AVFormatContext *format, int64_t declared_end, int64_t size);
/* Where the container says that it ends; -1: it does not say. Reads the first bytes of w. */
int64_t sl_libav_declared_end(struct sl_window *w);

/* Goes to the last sync sample of the stream at or before time (ticks of its timebase), to the
 * first one where none is; it is left in packet, and reading goes on behind it. An AVERROR, or 0.
 */
int sl_libav_seek(AVFormatContext *format, int stream, int64_t time, AVPacket *packet);

/* The frame rate that the header proves, before libavformat begins to estimate; 0/1: none. */
struct sl_rational sl_libav_proven_rate(const AVFormatContext *format, AVStream *stream);
/* Fills an initialised track. */
SL_NODISCARD enum sl_status sl_libav_track(struct sl_track *t, AVFormatContext *format,
                                           AVStream *stream, struct sl_rational proven_rate,
                                           struct sl_error *err);

#endif
