/* SPDX-License-Identifier: BSD-2-Clause */
/* How long Vorbis packets are (Vorbis I specification): a window is short or long, and its packet's
 * first byte says which. */
#ifndef SL_MEDIA_VORBIS_H
#define SL_MEDIA_VORBIS_H

#include "base/bytes.h"

struct sl_vorbis {
    uint16_t block[2]; /* samples of a short and a long window; 0: not known */
    uint64_t long_modes;
    unsigned mode_bits;
};

/* config: the three headers, laced as Xiph does (RFC 9559 6.4.2, A_VORBIS). False: they are not. */
bool sl_vorbis_parse(const uint8_t *config, size_t size, struct sl_vorbis *out);
/* The window of a packet from its first bytes; 0: it is no sound, or not known. */
unsigned sl_vorbis_block(const struct sl_vorbis *v, const uint8_t *head, size_t size);
/* Samples that a packet gives (4.3.8): half of its window and half of the one before, of which
 * half is common to both. The first packet gives none: before is 0. */
static inline int32_t sl_vorbis_samples(unsigned before, unsigned block)
{
    return before > 0 && block > 0 ? (int32_t)(before + block) / 4 : 0;
}

#endif
