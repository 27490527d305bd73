/* SPDX-License-Identifier: BSD-2-Clause */
/* Any picture as aligned planar lines, a few at a time: what zimg asks for when it cannot read a
 * frame where it lies. */
#ifndef SL_FILTER_UNPACK_H
#define SL_FILTER_UNPACK_H

#include "media/frame.h"

struct sl_unpack_plane {
    uint8_t *data; /* a ring of mask + 1 lines */
    ptrdiff_t stride;
    unsigned mask;
    uint8_t from;         /* plane of the frame */
    uint8_t offset;       /* sample of a pixel (or chroma site) */
    uint8_t step;         /* samples of a pixel (or chroma site) */
    uint8_t log_w, log_h; /* subsampling */
};

struct sl_unpack {
    const struct sl_pixel_info *info;
    int32_t width, height; /* of the picture; lines and columns past it repeat the last one */
    int planes;
    struct sl_unpack_plane plane[3]; /* Y U V or R G B */
    const struct sl_frame *in;       /* set before each run */
};

/* Fills in all but the rings and in. */
void sl_unpack_init(struct sl_unpack *u, enum sl_pixel_format format, int32_t width,
                    int32_t height);
/* True where zimg's planes are simply planes of the frame. */
bool sl_unpack_is_planar(const struct sl_unpack *u);
/* A zimg_filter_graph_callback: loads the lines from i on that one line of chroma covers. */
int sl_unpack_lines(void *unpack, unsigned i, unsigned left, unsigned right);

#endif
