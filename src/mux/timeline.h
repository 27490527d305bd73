/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract on the times of one track (media/stage.h), checked packet by packet: every time is
 * set, pts >= dts, and each dts is the sum of all durations before it. */
#ifndef SL_MUX_TIMELINE_H
#define SL_MUX_TIMELINE_H

#include <sluice/media.h>

#include "media/packet.h"

/* Ticks beyond this are refused, so that sums and differences of two need no further check. */
#define SL_TIMELINE_MAX (INT64_MAX / 4)

struct sl_timeline {
    int64_t origin; /* -decode_delay: dts of media time 0 */
    int64_t next;   /* the dts that the next packet must have */
};

/* start: of struct sl_mux_track. SL_EINVAL: it, the track's timebase or decode_delay is out of
 * range.
 */
SL_NODISCARD enum sl_status sl_timeline_init(struct sl_timeline *line, const struct sl_track *track,
                                             int64_t start, const char *where, size_t index,
                                             struct sl_error *err);
/* SL_EINVAL naming the track and both numbers. Changes nothing. */
SL_NODISCARD enum sl_status sl_timeline_check(const struct sl_timeline *line,
                                              const struct sl_packet *packet, const char *where,
                                              struct sl_error *err);
void sl_timeline_advance(struct sl_timeline *line, const struct sl_packet *packet);

#endif
