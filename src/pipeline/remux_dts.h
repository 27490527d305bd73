/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding times of a passed-through video track, on the muxer's terms (mux/registry.h): each dts
 * is the end of the one before, and no picture is shown before it is decoded.
 *
 * Where the container states decoding times they are kept, and with them the source's own sample
 * durations. Where it does not (Matroska), the pictures' times in rising order, shifted by the
 * reorder depth, are dealt out in coded order. The i-th smallest time is known once depth more
 * pictures have come, so open groups need nothing special and memory is bounded by the depth. */
#ifndef SL_PIPELINE_REMUX_DTS_H
#define SL_PIPELINE_REMUX_DTS_H

#include "media/packet.h"

#define SL_REMUX_DEPTH_MAX 32 /* H.264 and HEVC allow 16 pictures; fields may come singly */

struct sl_remux_dts {
    size_t depth;    /* pictures of reorder delay */
    bool stated;     /* the container's dts are used */
    bool started;    /* delay and shift are decided */
    int64_t delay;   /* ticks that decoding runs ahead of presentation (derived) */
    int64_t shift;   /* ticks taken from every stated dts */
    int64_t nominal; /* ticks of a picture; 0: not known */
    int64_t last;    /* dts dealt last, or SL_NO_TIME */
    int64_t length;  /* duration given last */
    int64_t moved;   /* pictures whose pts had to give way */

    /* Coded order. Those before dealt have a dts but, the last of them, no duration yet. */
    struct sl_packet *ring[SL_REMUX_DEPTH_MAX * 2 + 4];
    size_t first, count, dealt;
    int64_t sorted[SL_REMUX_DEPTH_MAX * 2 + 4]; /* pts of those not dealt, rising */
    bool ended;
};

/* depth: pictures of reorder; nominal: ticks of a picture, or 0; stated: the container's decoding
 * times are to be used where all of the first ones are usable. */
void sl_remux_dts_init(struct sl_remux_dts *d, int depth, int64_t nominal, bool stated);
/* Takes over a packet whose pts is set. Call sl_remux_dts_pop until it gives NULL after each. */
void sl_remux_dts_push(struct sl_remux_dts *d, struct sl_packet *packet);
void sl_remux_dts_end(struct sl_remux_dts *d);
/* The next packet with dts and duration, now the caller's; NULL: none is ready. */
struct sl_packet *sl_remux_dts_pop(struct sl_remux_dts *d);
void sl_remux_dts_clear(struct sl_remux_dts *d);
/* An empty one that goes on as from does, at any key frame after those that from has seen. */
void sl_remux_dts_resume(struct sl_remux_dts *d, const struct sl_remux_dts *from);

#endif
