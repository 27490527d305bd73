/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding times for a closed group of pictures, from presentation times and coded order.
 *
 * Times in pts order are shifted by one constant delay D and dealt out in coded order, so the
 * sample durations are those of display order, they sum to exactly the group's length, and the
 * first DTS of every group is its first PTS less D: variable frame rate needs no special case.
 * Where a gap in the middle would put a DTS after its PTS it is brought forward as little as
 * needed; the group's first DTS and end never move. */
#ifndef SL_MEDIA_DTS_H
#define SL_MEDIA_DTS_H

#include "media/packet.h"

/* Sets dts and duration (now: difference of DTS) of count packets in coded order. pts must be
 * distinct and none below the first packet's; end is the pts at which the next group starts;
 * delay >= the reorder depth in ticks. SL_EDATA where the order cannot be played with this delay
 * (the message names the packet). */
SL_NODISCARD enum sl_status sl_dts_assign(struct sl_packet *const *packets, size_t count,
                                          int64_t end, int64_t delay, struct sl_error *err);

#endif
