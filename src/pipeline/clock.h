/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of a run: decoded pictures with their source's timestamps in, pictures on an exact
 * timeline that starts at 0 out, each with its true duration and with the segment cuts marked. */
#ifndef SL_PIPELINE_CLOCK_H
#define SL_PIPELINE_CLOCK_H

#include <sluice/log.h>

#include "media/frame.h"

struct sl_clock_params {
    struct sl_rational source;  /* timebase of incoming pts */
    struct sl_rational rate;    /* nominal frame rate, 0/1: not known */
    bool rate_exact;            /* the container proves it */
    struct sl_rational segment; /* seconds: cut k is at the first picture at or after k * segment */
    int64_t target;             /* seconds; no segment may last target + 0.5 or more */
    int64_t origin;             /* ticks of out: time of the first picture */
    const struct sl_log *log;
    /* Takes over the frame. SL_FRAME_CUT | SL_FRAME_KEY where a segment starts. */
    enum sl_status (*emit)(void *opaque, struct sl_frame *frame, struct sl_error *err);
    void *opaque;
};

/* One picture of look-ahead: a picture's duration is the next one's time less its own. */
struct sl_clock {
    struct sl_clock_params params;
    struct sl_rational out; /* timebase of what comes out; valid from sl_clock_init on */
    int64_t nominal;        /* ticks of out a picture lasts by the nominal rate; 0: not known */
    int64_t zero;           /* source time of the first picture, or SL_NO_TIME before it */
    int64_t grid_low, grid_high; /* where the exact grid's origin can lie; see clock.c */
    int64_t next_cut;            /* index of the next cut */
    int64_t cut_at;              /* time of the last one */
    int64_t last;                /* source pts of the last picture */
    int64_t last_duration;
    struct sl_frame *pending;
    int64_t pending_source; /* its source pts */
    int64_t emitting;       /* source pts of what is being emitted; SL_NO_TIME: not known, or shown
                               again */
    int64_t emitted, dropped;
};

SL_NODISCARD enum sl_status sl_clock_init(struct sl_clock *c, const struct sl_clock_params *params,
                                          struct sl_error *err);
/* As the clock was when the picture of that source pts was emitted with SL_FRAME_CUT: the next one
 * put is that picture. Before the first. */
void sl_clock_restore(struct sl_clock *c, int64_t zero, int64_t grid_low, int64_t grid_high);
/* Does not take ownership. A picture that is not later than the one before is dropped. */
SL_NODISCARD enum sl_status sl_clock_put(struct sl_clock *c, struct sl_frame *frame,
                                         struct sl_error *err);
/* Where the last picture ends by itself, ticks of out; 0 before the first. */
int64_t sl_clock_end(const struct sl_clock *c);
/* Emits the last picture; it is shown until end (ticks of out). */
SL_NODISCARD enum sl_status sl_clock_finish(struct sl_clock *c, int64_t end, struct sl_error *err);
void sl_clock_clear(struct sl_clock *c);

#endif
