/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose turn it is between a backend of video and its caller: what send and receive answer before
 * and after the library that encodes is called. */
#ifndef SL_ENCODE_TURN_H
#define SL_ENCODE_TURN_H

#include "media/stage.h"

struct sl_turn {
    const char *name;          /* of the backend, for errors */
    struct sl_packet *pending; /* encoded, not yet received */
    int64_t last_pts;
    bool flushing;
    enum sl_status broken; /* a call failed half way: nothing more can come */
};

void sl_turn_init(struct sl_turn *t, const char *name);
void sl_turn_clear(struct sl_turn *t);
/* What send has to do with frame (NULL: the end). *go: the frame is in order, encode it; else what
 * is returned is the answer. formats: as sl_h264_track_check. */
SL_NODISCARD enum sl_status sl_turn_send(struct sl_turn *t, const struct sl_track *track,
                                         const struct sl_frame *frame,
                                         const enum sl_pixel_format *formats, bool *go,
                                         struct sl_error *err);
/* The answer of receive: what is pending, else whether more can come. */
SL_NODISCARD enum sl_status sl_turn_receive(struct sl_turn *t, struct sl_packet **out,
                                            struct sl_error *err);
/* SL_OK, or that an earlier frame has failed. */
SL_NODISCARD enum sl_status sl_turn_check(const struct sl_turn *t, struct sl_error *err);

/* Frames that the library has and that have not come out, where it hands a pointer through. */
struct sl_slot {
    int64_t duration;
    bool used, cut;
};
/* A ring of count slots; *next is where to look first. NULL: all are used. */
struct sl_slot *sl_turn_slot(struct sl_slot *flights, size_t count, size_t *next,
                             const struct sl_frame *frame);

#endif
