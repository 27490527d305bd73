/* SPDX-License-Identifier: BSD-2-Clause */
/* VP9 and VP8 frame headers and vpcC: VP9 Bitstream & Decoding Process Specification 6.2,
 * RFC 6386 9.1, VP Codec ISO Media File Format Binding. */
#ifndef SL_MEDIA_VP9_H
#define SL_MEDIA_VP9_H

#include <stdbool.h>

#include <sluice/media.h>

#include "base/bytes.h"

struct sl_vp_frame {
    bool key, shown;
    uint8_t profile;
    /* of key frames alone */
    uint8_t bit_depth, subsampling_x, subsampling_y;
    struct sl_colour colour; /* primaries and transfer: not coded, 2 */
    uint32_t width, height;
};

SL_NODISCARD enum sl_status sl_vp9_parse(const uint8_t *data, size_t size, struct sl_vp_frame *out,
                                         struct sl_error *err);
SL_NODISCARD enum sl_status sl_vp8_parse(const uint8_t *data, size_t size, struct sl_vp_frame *out,
                                         struct sl_error *err);
/* The least level (10 to 62) whose limits hold size and rate of a track; 0: above all. */
unsigned sl_vp9_level(const struct sl_track *track);

struct sl_vpcc {
    uint8_t profile, level, bit_depth;
    uint8_t chroma; /* chroma_subsampling: 0, 1 4:2:0 (1: with luma), 2 4:2:2, 3 4:4:4 */
    struct sl_colour colour;
};
/* Payload of vpcC with version 1 and flags in front. false: it is something else. */
SL_NODISCARD bool sl_vpcc_parse(const uint8_t *data, size_t size, struct sl_vpcc *out);
void sl_vpcc_write(const struct sl_vpcc *config, struct sl_writer *out);
/* From what a key frame says and the track knows (size, rate, colour, chroma siting). */
void sl_vpcc_of(const struct sl_vp_frame *frame, const struct sl_track *track, struct sl_vpcc *out);

#endif
