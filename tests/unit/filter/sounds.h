/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound for the tests of src/filter: sent in frames, received into one long line. */
#ifndef SL_TEST_SOUNDS_H
#define SL_TEST_SOUNDS_H

#include "filter/sound.h"

/* The value of channel c at sample index i of the source. */
typedef double sound_fill(int c, int64_t i);

struct line {
    struct sl_sound *s;
    float *sample[8];
    int64_t first;           /* sample that the line begins with */
    int64_t count, capacity; /* of samples received */
    int64_t meant;           /* of these, what durations say */
    int32_t channels, frame_samples;
};

struct sl_sound_params sound_params(struct sl_rational timebase, int32_t rate, int32_t channels);
void line_open(struct line *l, const struct sl_sound_params *params);
void line_close(struct line *l);
/* Receives what is ready; checks that pts and sizes are what they must be. */
void line_drain(struct line *l);
/* count samples of fill from index first on, with this timestamp. */
void line_send(struct line *l, int64_t pts, int32_t rate, int32_t channels, uint64_t layout,
               sound_fill *fill, int64_t first, int32_t count);
void line_finish(struct line *l, int64_t end);

#endif
