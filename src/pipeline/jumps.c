/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/jumps.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"

/* ISO/IEC 13818-1 2.4.2.2: the clock of transport stream timestamps. */
static const struct sl_rational clock_90k = {1, 90000};

/* Coded order never goes back; a player's buffer is a few seconds, so a hole of more is no hole. */
#define FORWARD_MAX  (INT64_C(10) * 90000)
#define BACKWARD_MAX (90000 / 10)

enum sl_status sl_jumps_init(struct sl_jumps *j, const struct sl_track *tracks, size_t count,
                             struct sl_error *err)
{
    *j = (struct sl_jumps){.count = count};
    j->tracks = sl_alloc_array(count ? count : 1, sizeof *j->tracks);
    if (!j->tracks) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        j->tracks[i].next = SL_NO_TIME;
        j->tracks[i].timebase = tracks[i].timebase;
    }
    return SL_OK;
}

static bool follows(int64_t difference)
{
    return difference >= -BACKWARD_MAX && difference <= FORWARD_MAX;
}

void sl_jumps_apply(struct sl_jumps *j, struct sl_packet *packet)
{
    int64_t at = packet->dts != SL_NO_TIME ? packet->dts : packet->pts;
    if (packet->track >= j->count || at == SL_NO_TIME) {
        return;
    }
    struct sl_jump_track *t = &j->tracks[packet->track];
    int64_t time = sl_rescale(at, t->timebase, clock_90k, SL_ROUND_NEAREST);
    int64_t shift = j->shift;
    if (t->next != SL_NO_TIME && !follows(time + shift - t->next)) {
        if (j->epochs > 0 && follows(time + j->shift_before - t->next)) {
            shift = j->shift_before;
        } else {
            j->shift_before = j->shift;
            j->shift = shift = t->next - time;
            j->epochs++;
        }
    }
    int64_t duration =
        packet->duration != SL_NO_TIME && packet->duration > 0 ? packet->duration : 0;
    t->next = time + shift + sl_rescale(duration, t->timebase, clock_90k, SL_ROUND_NEAREST);
    int64_t ticks = sl_rescale(shift, clock_90k, t->timebase, SL_ROUND_NEAREST);
    if (packet->pts != SL_NO_TIME) {
        packet->pts += ticks;
    }
    if (packet->dts != SL_NO_TIME) {
        packet->dts += ticks;
    }
}

void sl_jumps_clear(struct sl_jumps *j)
{
    sl_free(j->tracks);
    j->tracks = NULL;
    j->count = 0;
}
