/* SPDX-License-Identifier: BSD-2-Clause */
/* AV1 sequence headers and av1C: AV1 Bitstream & Decoding Process Specification 5.3 to 5.5,
 * AV1 Codec ISO Media File Format Binding 2.3. */
#ifndef SL_MEDIA_AV1_H
#define SL_MEDIA_AV1_H

#include <stdbool.h>

#include <sluice/media.h>

#include "base/bytes.h"

/* obu_type, 6.2.2 */
enum {
    SL_AV1_SEQUENCE_HEADER = 1,
    SL_AV1_TEMPORAL_DELIMITER = 2,
};

struct sl_av1_sequence {
    uint8_t profile, level, tier; /* of operating point 0 */
    bool still_picture;
    uint8_t bit_depth;
    bool mono;
    uint8_t subsampling_x, subsampling_y, chroma_position;
    uint32_t width, height; /* max_frame_width, max_frame_height */
    struct sl_colour colour;
    bool film_grain;
};

/* The OBU with its header; out->*: see above. SL_EDATA where it is none or is cut short. */
SL_NODISCARD enum sl_status sl_av1_parse_sequence(const uint8_t *obu, size_t size,
                                                  struct sl_av1_sequence *out,
                                                  struct sl_error *err);
/* The first sequence header OBU of a temporal unit (low-overhead format, 5.2); false: none. */
SL_NODISCARD bool sl_av1_find_sequence(const uint8_t *data, size_t size, const uint8_t **obu,
                                       size_t *obu_size);
/* Payload of av1C (2.3.3) with that OBU in it. An OBU without a size field gets one. */
void sl_av1_write_config(const struct sl_av1_sequence *sequence, const uint8_t *obu, size_t size,
                         struct sl_writer *out);
/* The sequence header of an av1C. SL_EAGAIN where it has none (it may be in band alone). */
SL_NODISCARD enum sl_status sl_av1_parse_config(const uint8_t *config, size_t size,
                                                struct sl_av1_sequence *out, struct sl_error *err);
/* Fills what the track does not state from its av1C: size, depth, pixel format, colour, profile,
 * level. */
SL_NODISCARD enum sl_status sl_av1_describe(struct sl_track *track, struct sl_error *err);

#endif
