/* SPDX-License-Identifier: BSD-2-Clause */
/* Timestamps that start anew in mid-stream, as joined transport streams have them, made one line.
 *
 * A packet whose DTS does not follow its track's last one opens a new epoch: from then on all
 * tracks are shifted so that it follows. Tracks do not change epoch in the same packet, so one that
 * still fits the epoch before keeps that one's shift. */
#ifndef SL_PIPELINE_JUMPS_H
#define SL_PIPELINE_JUMPS_H

#include "media/packet.h"

struct sl_jumps {
    struct sl_jump_track {
        int64_t next; /* where the track's next DTS is expected, shifted; or SL_NO_TIME */
        struct sl_rational timebase;
    } * tracks;
    size_t count;
    int64_t shift, shift_before; /* ticks of 1/90000 */
    int64_t epochs;              /* opened so far */
};

SL_NODISCARD enum sl_status sl_jumps_init(struct sl_jumps *j, const struct sl_track *tracks,
                                          size_t count, struct sl_error *err);
/* Shifts pts and dts of a packet that nobody else holds. */
void sl_jumps_apply(struct sl_jumps *j, struct sl_packet *packet);
void sl_jumps_clear(struct sl_jumps *j);

#endif
