/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds HEVC sequence parameter sets with everything in them, from the syntax tables of
 * ITU-T H.265 7.3 and Annex E. Encoders at hand leave most of it out. */
#ifndef SL_TEST_MEDIA_HEVC_BUILD_H
#define SL_TEST_MEDIA_HEVC_BUILD_H

#include <sluice/media.h>

#include "base/bits.h"

struct hevc_build {
    uint64_t seed; /* of what is not set here */
    unsigned sub_layers, chroma_format, width, height, crop[4];
    unsigned depth_luma, depth_chroma, reorder, buffering;
    bool scaling, pcm, long_term, extension;
    unsigned rps_count;
    bool vui;
    bool aspect, overscan, chroma_loc, display_window, timing, hrd, restriction;
    unsigned sar_w, sar_h, video_format, min_spatial;
    struct sl_colour colour; /* chroma_location is written where chroma_loc is set */
    uint32_t units, scale;
};

/* The whole unit. w must be initialised. */
void hevc_build(const struct hevc_build *c, struct sl_writer *w);
/* Anything that is allowed. */
void hevc_build_random(struct hevc_build *c, uint64_t *random);

#endif
