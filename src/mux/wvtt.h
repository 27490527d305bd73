/* SPDX-License-Identifier: BSD-2-Clause */
/* Text cues to the samples of a "wvtt" track, ISO/IEC 14496-30 7.4: samples follow each other
 * without a gap, each holds all cues that are shown during it, and one empty cue where there are
 * none. Cues may overlap and come a little out of order. */
#ifndef SL_MUX_WVTT_H
#define SL_MUX_WVTT_H

#include "media/packet.h"

#define SL_WVTT_CUES_MAX 4096       /* that are not over yet */
#define SL_WVTT_TEXT_MAX (1u << 20) /* bytes of one cue */

struct sl_wvtt_cue {
    int64_t start, end;               /* ticks */
    const char *id, *settings, *text; /* UTF-8, WebVTT; id and settings may be NULL */
};

struct sl_wvtt;
/* Samples begin at start. */
SL_NODISCARD enum sl_status sl_wvtt_create(struct sl_wvtt **out, int64_t start,
                                           struct sl_error *err);
void sl_wvtt_destroy(struct sl_wvtt **w);
/* Copies the cue. What is before the end of the last sample taken is cut off; what is nothing then
 * is passed over. */
SL_NODISCARD enum sl_status sl_wvtt_add(struct sl_wvtt *w, const struct sl_wvtt_cue *cue,
                                        struct sl_error *err);
/* The next sample as a packet: pts, dts, duration, SL_PACKET_KEY. The caller knows all cues that
 * start before until. SL_EAGAIN: the next sample ends later; with cut set it is ended at until
 * (a fragment ends there), and SL_EAGAIN means that all up to there has been taken. */
SL_NODISCARD enum sl_status sl_wvtt_take(struct sl_wvtt *w, int64_t until, bool cut,
                                         struct sl_packet **out, struct sl_error *err);

#endif
