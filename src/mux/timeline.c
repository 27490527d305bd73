/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/timeline.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/rational.h"

enum sl_status sl_timeline_init(struct sl_timeline *line, const struct sl_track *track,
                                int64_t start, const char *where, size_t index,
                                struct sl_error *err)
{
    if (!sl_rational_valid(track->timebase)) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %zu: timebase %" PRId64 "/%" PRId64 ", expected a positive fraction",
                       index, track->timebase.num, track->timebase.den);
    }
    if (track->decode_delay < 0 || track->decode_delay > SL_TIMELINE_MAX) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %zu: decode delay %" PRId64 " ticks, expected 0 or more", index,
                       track->decode_delay);
    }
    if (start < 0 || start > SL_TIMELINE_MAX) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %zu: start at %" PRId64 " ticks, expected 0 or more", index, start);
    }
    line->origin = -track->decode_delay;
    line->next = start - track->decode_delay;
    return SL_OK;
}

enum sl_status sl_timeline_check(const struct sl_timeline *line, const struct sl_packet *p,
                                 const char *where, struct sl_error *err)
{
    if (p->pts == SL_NO_TIME || p->dts == SL_NO_TIME || p->duration == SL_NO_TIME) {
        return sl_fail(err, SL_EINVAL, where, "track %u: a packet without pts, dts or duration",
                       p->track);
    }
    if (p->duration <= 0 || p->duration > SL_TIMELINE_MAX) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %u: duration %" PRId64 " ticks, expected 1 or more", p->track,
                       p->duration);
    }
    if (p->dts != line->next) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %u: dts %" PRId64
                       " ticks, but the durations before it end at %" PRId64,
                       p->track, p->dts, line->next);
    }
    if (p->pts < p->dts || p->pts > SL_TIMELINE_MAX) {
        return sl_fail(err, SL_EINVAL, where,
                       "track %u: pts %" PRId64 " ticks, expected the dts %" PRId64 " or later",
                       p->track, p->pts, p->dts);
    }
    return SL_OK;
}

void sl_timeline_advance(struct sl_timeline *line, const struct sl_packet *p)
{
    line->next += p->duration; /* dts <= pts <= MAX, so this cannot overflow */
}
