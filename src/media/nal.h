/* SPDX-License-Identifier: BSD-2-Clause */
/* NAL units: finding them, changing their framing, and the escape bytes inside.
 * ISO/IEC 14496-10 Annex B and 7.4.1, ISO/IEC 14496-15 5.3, ITU-T H.265 Annex B. */
#ifndef SL_MEDIA_NAL_H
#define SL_MEDIA_NAL_H

#include "base/bytes.h"

/* One NAL unit, header byte(s) included, start code and trailing zeros not. Not owning. */
struct sl_nal {
    const uint8_t *data;
    size_t size;
};

/* Walks Annex B. Zero-initialise, set data and size; false when there are no more. Units of no
 * bytes are passed over; bytes before the first start code are passed over. */
struct sl_nal_walker {
    const uint8_t *data;
    size_t size;
    size_t pos;
};
bool sl_nal_next_annexb(struct sl_nal_walker *w, struct sl_nal *nal);
/* Where the first unit at or after pos begins (the byte after its start code); size: there is
 * none. For those who only look at headers: the unit's end is not searched for. */
size_t sl_nal_find_annexb(const uint8_t *data, size_t size, size_t pos);

/* Walks length-prefixed units (prefix of 1, 2 or 4 bytes). SL_EOF at the end; SL_EDATA for a
 * length that runs past it. Units of no bytes are passed over. */
SL_NODISCARD enum sl_status sl_nal_next_length(struct sl_nal_walker *w, unsigned prefix,
                                               struct sl_nal *nal, struct sl_error *err);

/* Reframing a whole access unit. Lengths are written as 4 bytes, start codes as 00 00 00 01. */
void sl_nal_annexb_to_length(const uint8_t *data, size_t size, struct sl_writer *out);
SL_NODISCARD enum sl_status sl_nal_length_to_annexb(const uint8_t *data, size_t size,
                                                    unsigned prefix, struct sl_writer *out,
                                                    struct sl_error *err);

/* Emulation prevention (7.4.1.1): payload with escapes to RBSP, and back. unescape(escape(x)) == x
 * for every x. */
void sl_nal_unescape(const uint8_t *data, size_t size, struct sl_writer *out);
void sl_nal_escape(const uint8_t *rbsp, size_t size, struct sl_writer *out);

#endif
