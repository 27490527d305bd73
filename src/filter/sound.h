/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound on one straight line: decoded frames with timestamps in, frames of equal length without
 * gap or overlap out. Sample 0 of the line is a time that the caller names; what lies before it is
 * cut, gaps are filled with silence, overlaps are trimmed, another rate or layout is converted
 * (the resampler's phase follows from the absolute sample index). */
#ifndef SL_FILTER_SOUND_H
#define SL_FILTER_SOUND_H

#include "media/frame.h"

/* 25 ms of samples. Less than a frame of AC-3, so that one that is missing is heard as silence and
 * does not move what follows; less than anybody sees of lips (ITU-R BT.1359); and more than what
 * muxers are off by that give Vorbis packets the times of their ends (21 ms), which would otherwise
 * be a click at each change of the window's length. */
#define SL_SOUND_JITTER(rate) ((rate) / 40)

/* Where a frame lies on a line: sample index of the grid of its own rate, from zero on. */
struct sl_sound_anchor {
    int64_t pts;
    int64_t index;
    int32_t rate; /* 0: none */
};

struct sl_sound_params {
    struct sl_rational timebase; /* of the incoming pts */
    int64_t zero;                /* time of output sample 0, in ticks of timebase */
    int32_t sample_rate;         /* output, Hz */
    int32_t channels;            /* output, 1 to 8; a wider source is mixed down (ITU-R BS.775) */
    int32_t frame_samples;       /* samples per output frame: 1024 */
    /* Timestamps this close to the expected sample are jitter and are not acted on (samples of the
     * output, 0: SL_SOUND_JITTER). The difference is never allowed to add up. */
    int32_t tolerance;
    /* Index of the first sample that is received, a multiple of frame_samples: a line from the
     * middle. What lies before is cut, and the rest is what a line from 0 on would give. */
    int64_t first;
    /* What an earlier line said (sl_sound_anchor) of a frame before first: it lies there again, so
     * that this line and that one are one, where timestamps by themselves are coarser than samples.
     * Frames before it are left out. Of no use where that frame has another rate. */
    struct sl_sound_anchor anchor;
};

struct sl_sound;

SL_NODISCARD enum sl_status
sl_sound_create(struct sl_sound **out, const struct sl_sound_params *params, struct sl_error *err);
/* A frame of SL_SAMPLE_F32P in any rate and layout, which may change from frame to frame; without a
 * pts it follows the one before. Does not take ownership. SL_EAGAIN: receive first (a whole frame
 * is ready; this bounds the memory). After any other error the line can only be destroyed. */
SL_NODISCARD enum sl_status sl_sound_send(struct sl_sound *s, const struct sl_frame *frame,
                                          struct sl_error *err);
/* No more will come: the line ends at sample end (padded with silence or cut), or where the sound
 * ends if end < 0. */
SL_NODISCARD enum sl_status sl_sound_finish(struct sl_sound *s, int64_t end, struct sl_error *err);
/* Frames of exactly frame_samples, pts = absolute sample index. The last is padded with silence;
 * its duration says how much of it is meant. SL_EAGAIN, SL_EOF. */
SL_NODISCARD enum sl_status sl_sound_receive(struct sl_sound *s, struct sl_frame **out,
                                             struct sl_error *err);
/* Of the last frame with a pts that was placed whole; false: there was none. */
bool sl_sound_anchor(const struct sl_sound *s, struct sl_sound_anchor *out);
/* Output samples known so far (sent, or silence already decided). */
int64_t sl_sound_length(const struct sl_sound *s);
void sl_sound_destroy(struct sl_sound **s);

#endif
