/* SPDX-License-Identifier: BSD-2-Clause */
/* ADTS to raw AAC: ISO/IEC 14496-3 1.A.3. The header itself is parsed in aac.h. */
#ifndef SL_MEDIA_ADTS_H
#define SL_MEDIA_ADTS_H

#include "media/aac.h"
#include "media/packet.h"

/* AudioSpecificConfig (two bytes, or as many as a program config element takes) of the ADTS frame
 * at the start of data. SL_EAGAIN: this one does not tell the channels, another will. */
SL_NODISCARD enum sl_status sl_adts_config(const uint8_t *data, size_t size, struct sl_writer *out,
                                           struct sl_error *err);
/* Takes the ADTS header off the packet's payload; the rest is not touched. What does not begin with
 * a header is left as it is. The packet must have one reference. SL_EDATA where the header's frame
 * size is not the payload's; SL_EUNSUPPORTED: several raw data blocks in one frame. */
SL_NODISCARD enum sl_status sl_adts_unwrap(struct sl_packet *packet, struct sl_error *err);

#endif
