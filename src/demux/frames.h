/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of one size, one after another: what Y4M and raw frames share. */
#ifndef SL_DEMUX_FRAMES_H
#define SL_DEMUX_FRAMES_H

#include "media/stage.h"

#define SL_PICTURE_SIDE_MAX 16384

/* Each payload is read straight from the source into a block of a pool: no copy in between. */
struct sl_frame_reader {
    struct sl_window *window;
    struct sl_buf_pool *pool;
    struct sl_buf *buf; /* the picture being read, or NULL */
    size_t size;        /* of every picture, bytes */
    size_t got;         /* of them, in buf */
    int64_t index;      /* of that picture, from 0 */

    struct sl_band_sink sink; /* take set: buf holds one band at a time */
    size_t row, band_size;    /* bytes */
    size_t band;              /* where the band in buf starts in the picture, bytes */
};

/* SL_EDATA where a picture of this size cannot be (1 to SL_PICTURE_SIDE_MAX a side). */
SL_NODISCARD enum sl_status sl_frame_reader_init(struct sl_frame_reader *r, struct sl_window *w,
                                                 enum sl_pixel_format format, int32_t width,
                                                 int32_t height, struct sl_error *err);
/* Pictures go to sink in bands from now on; before the first one is read. SL_EINVAL where the
 * format has more than one plane. */
SL_NODISCARD enum sl_status sl_frame_reader_bands(struct sl_frame_reader *r,
                                                  const struct sl_band_sink *sink,
                                                  enum sl_pixel_format format, int32_t width,
                                                  struct sl_error *err);
void sl_frame_reader_clear(struct sl_frame_reader *r);
/* The picture whose first byte is at offset; pts is its index. SL_EAGAIN where a pushed window
 * needs more: call again with the same offset. SL_EOF where the source ends at offset; SL_EDATA
 * where it ends within the picture. */
SL_NODISCARD enum sl_status sl_frame_reader_next(struct sl_frame_reader *r, int64_t offset,
                                                 struct sl_packet **out, struct sl_error *err);
/* One track of such pictures at a constant rate. */
void sl_frame_track(struct sl_track *t, enum sl_pixel_format format, int32_t width, int32_t height,
                    struct sl_rational rate);
/* Microseconds that so many pictures last. */
int64_t sl_frame_time(int64_t count, struct sl_rational rate);

#endif
