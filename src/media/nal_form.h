/* SPDX-License-Identifier: BSD-2-Clause */
/* Which way the NAL units of a payload are framed: start codes (ISO/IEC 14496-10 Annex B, what
 * encoders and transport streams give) or lengths (ISO/IEC 14496-15, what containers hold).
 *
 * It cannot be read off the first bytes alone: 00 00 01 67 is a start code and an SPS, and also
 * the length of a unit of 359 bytes. A payload is Annex B if it begins with a start code AND the
 * chain of lengths does not end exactly where the payload ends. */
#ifndef SL_MEDIA_NAL_FORM_H
#define SL_MEDIA_NAL_FORM_H

#include <stdbool.h>

#include "base/slice.h"

enum sl_nal_form {
    SL_NAL_UNCLEAR, /* could be either, or is too short to tell */
    SL_NAL_ANNEXB,
    SL_NAL_LENGTHS,
};

/* The first three bytes look like a start code or the zeros before one: anything else has lengths.
 */
static inline bool sl_nal_may_be_annexb(const uint8_t head[3])
{
    return head[0] == 0 && head[1] == 0 && head[2] <= 1;
}

/* prefix: bytes of a length, 1, 2 or 4. */
enum sl_nal_form sl_nal_form(const uint8_t *data, size_t size, unsigned prefix);
/* The same of a chain: what is in memory is looked at in place; of ranges of files no more is read
 * than the lengths themselves. */
SL_NODISCARD enum sl_status sl_nal_form_chain(const struct sl_chain *payload, unsigned prefix,
                                              enum sl_nal_form *form, struct sl_error *err);

#endif
