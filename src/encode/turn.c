/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/turn.h"

#include <inttypes.h>

#include "base/error.h"
#include "encode/h264_track.h"

void sl_turn_init(struct sl_turn *t, const char *name)
{
    *t = (struct sl_turn){.name = name, .last_pts = SL_NO_TIME};
}

void sl_turn_clear(struct sl_turn *t)
{
    sl_packet_unref(&t->pending);
}

enum sl_status sl_turn_check(const struct sl_turn *t, struct sl_error *err)
{
    return t->broken ? sl_fail(err, t->broken, t->name, "an earlier frame could not be encoded")
                     : SL_OK;
}

enum sl_status sl_turn_send(struct sl_turn *t, const struct sl_track *track,
                            const struct sl_frame *frame, const enum sl_pixel_format *formats,
                            bool *go, struct sl_error *err)
{
    *go = false;
    enum sl_status status = sl_turn_check(t, err);
    if (status != SL_OK) {
        return status;
    }
    if (t->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, t->name, "frame after the end") : SL_OK;
    }
    if (t->pending) {
        return SL_EAGAIN;
    }
    if (!frame) {
        t->flushing = true;
        return SL_OK;
    }
    status = sl_h264_track_check(track, frame, formats, t->name, err);
    if (status != SL_OK) {
        return status;
    }
    if (frame->pts == SL_NO_TIME || (t->last_pts != SL_NO_TIME && frame->pts <= t->last_pts)) {
        return sl_fail(err, SL_EINVAL, t->name,
                       "frame pts %" PRId64 " after %" PRId64 ", expected to rise", frame->pts,
                       t->last_pts);
    }
    *go = true;
    return SL_OK;
}

enum sl_status sl_turn_receive(struct sl_turn *t, struct sl_packet **out, struct sl_error *err)
{
    *out = NULL;
    enum sl_status status = sl_turn_check(t, err);
    if (status != SL_OK) {
        return status;
    }
    if (!t->pending) {
        return t->flushing ? SL_EOF : SL_EAGAIN;
    }
    *out = t->pending;
    t->pending = NULL;
    return SL_OK;
}

struct sl_slot *sl_turn_slot(struct sl_slot *flights, size_t count, size_t *next,
                             const struct sl_frame *frame)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = (*next + i) % count;
        if (!flights[at].used) {
            *next = (at + 1) % count;
            flights[at] = (struct sl_slot){.duration = frame->duration,
                                           .used = true,
                                           .cut = (frame->flags & SL_FRAME_CUT) != 0};
            return &flights[at];
        }
    }
    return NULL;
}
