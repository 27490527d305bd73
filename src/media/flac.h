/* SPDX-License-Identifier: BSD-2-Clause */
/* FLAC's STREAMINFO, RFC 9639 8.2, wherever containers keep it. */
#ifndef SL_MEDIA_FLAC_H
#define SL_MEDIA_FLAC_H

#include "base/bytes.h"

#define SL_FLAC_STREAMINFO 34

struct sl_flac_info {
    uint16_t block_min, block_max; /* samples */
    uint32_t sample_rate;
    uint8_t channels, bit_depth;
    uint64_t samples;   /* 0: not known */
    const uint8_t *raw; /* the 34 bytes, within the config */
};

/* config: the block's 34 bytes alone, "fLaC" and metadata blocks (Matroska, Ogg), blocks alone, or
 * the payload of dfLa (version and flags of 0 in front). */
SL_NODISCARD enum sl_status sl_flac_parse(const uint8_t *config, size_t size,
                                          struct sl_flac_info *out, struct sl_error *err);
/* Payload of dfLa with version and flags: "Encapsulation of FLAC in ISO Base Media File Format"
 * 3.3.2. STREAMINFO alone: nothing else is needed to play. */
void sl_flac_write_dfla(const struct sl_flac_info *info, struct sl_writer *out);

#endif
