/* SPDX-License-Identifier: BSD-2-Clause */
/* Places passed-through sound in time: on the grid of its own samples as long as the container's
 * times agree with that within their rounding, with gaps kept and overlaps trimmed.
 *
 * A container's time t of tick h says that the frame starts within half a tick of it. Frames follow
 * each other without a gap unless that would leave the interval; then they move to its nearest end.
 * So our times, rounded to the source's tick, are the source's, and nothing can add up. */
#ifndef SL_PIPELINE_REMUX_SOUND_H
#define SL_PIPELINE_REMUX_SOUND_H

#include "media/packet.h"

#define SL_REMUX_SOUND_AHEAD 24 /* frames looked at before the first one is placed */

struct sl_remux_sound {
    enum sl_codec codec;
    struct sl_rational in, out; /* timebases */
    int64_t frame;              /* samples of each frame; 0: told by each packet or by its times */
    int64_t slack;              /* samples by which a time may be off its true place */
    int64_t delay;              /* samples of priming before time 0; 0: none */
    bool stated;                /* the container's durations are as good as the codec's */
    int64_t next;               /* where the next frame is expected, or SL_NO_TIME */
    int64_t length;             /* of the frame before */
    struct sl_packet *held;     /* placed, its duration waits for the next one's time */
    struct sl_packet *ahead[SL_REMUX_SOUND_AHEAD];
    size_t ahead_first, ahead_count;
    bool ended;
    int64_t dropped; /* frames that lay wholly within the one before */
};

/* track->timebase is that of the packets. Chooses out. first: payload of the first packet. */
SL_NODISCARD enum sl_status sl_remux_sound_init(struct sl_remux_sound *s,
                                                const struct sl_track *track,
                                                const struct sl_chain *first, struct sl_error *err);
/* Takes over. Call sl_remux_sound_pop until it gives NULL after each. */
void sl_remux_sound_push(struct sl_remux_sound *s, struct sl_packet *packet);
void sl_remux_sound_end(struct sl_remux_sound *s);
/* The next packet, pts == dts and duration in ticks of out, now the caller's; NULL: none. */
struct sl_packet *sl_remux_sound_pop(struct sl_remux_sound *s);
void sl_remux_sound_clear(struct sl_remux_sound *s);
/* Samples of one frame of the codec, 0: they vary or are not known. */
int64_t sl_remux_frame_samples(const struct sl_track *track, const struct sl_chain *first);
/* Samples before a join that a decoder must see for the sound after it to be right. */
int64_t sl_remux_preroll(const struct sl_track *track);

#endif
