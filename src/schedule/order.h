/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of this folder share. Private to it. */
#ifndef SL_SCHEDULE_ORDER_H
#define SL_SCHEDULE_ORDER_H

#include "schedule/schedule.h"

#define SL_SCHEDULE_GROUP_MAX 256 /* pictures between two anchors, the later one included */

/* A schedule in display order. */
struct sl_schedule_shown {
    int64_t display;
    size_t coded;
};

const char *sl_schedule_type_name(enum sl_schedule_type type); /* as JSON has it */

/* Owned by the caller (sl_free); NULL: no memory. Equal display numbers stay in coded order. */
struct sl_schedule_shown *sl_schedule_shown(const struct sl_schedule *s);
/* The frame of this display number, or NULL. */
const struct sl_schedule_frame *sl_schedule_find(const struct sl_schedule *s,
                                                 const struct sl_schedule_shown *shown,
                                                 int64_t display);
/* Fills in disposable, layers and, where it is 0, gop. */
SL_NODISCARD enum sl_status sl_schedule_mark(struct sl_schedule *s, struct sl_error *err);

/* As sl_schedule_check; *bad is the frame that an SL_EDATA is about, in coded order. */
SL_NODISCARD enum sl_status sl_schedule_inspect(const struct sl_schedule *s, const char *name,
                                                size_t *bad, struct sl_error *err);

/* Pictures of its group that are coded before this one and shown after it. */
int32_t sl_schedule_reordered(const struct sl_schedule *s, size_t frame);

/* Runs a decoder's DPB of this many frames over the pictures of layers up to max_layer. */
struct sl_schedule_fault {
    enum {
        SL_SCHEDULE_HOLDS = 0,
        SL_SCHEDULE_LOST,   /* other has left before frame needs it */
        SL_SCHEDULE_LATE,   /* other, shown later, had to be put out before frame came */
        SL_SCHEDULE_FULL,   /* no room for frame */
        SL_SCHEDULE_NOTHING /* frame has none to refer to on a side that it needs one on */
    } kind;
    size_t frame;
    int64_t other; /* display number */
};
struct sl_schedule_fault sl_schedule_simulate(const struct sl_schedule *s, int32_t dpb,
                                              int max_layer);

#endif
