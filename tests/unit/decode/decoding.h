/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: all frames of a track, ours and ffmpeg's. */
#ifndef SL_TEST_DECODING_H
#define SL_TEST_DECODING_H

#include <stdbool.h>

#include "media/stage.h"

struct listed {
    int64_t pts;
    size_t size;
    char md5[33]; /* of the picture as ffmpeg's rawvideo stores it, or of interleaved floats */
};

struct listing {
    struct listed *frames;
    size_t count, capacity;
    struct sl_rational timebase;
    size_t damaged; /* packets that the decoder refused */
    size_t threads; /* for listing_ours: 0 as many as are useful */
    size_t limit;   /* for listing_ours: frames after which to stop, 0: none */
};

/* Decodes one track. The listing must be zero but for threads and limit. inspect may be NULL. */
void listing_ours(struct listing *l, const char *path, size_t track,
                  void (*inspect)(const struct sl_frame *f));
/* options go before the input, output_options after it. */
void listing_ffmpeg(struct listing *l, const char *path, size_t track, const char *options,
                    const char *output_options);
void listing_free(struct listing *l);

/* Takes frames until none is left for now; true at the end of all. */
bool receive_all(struct listing *l, struct sl_decoder *d,
                 void (*inspect)(const struct sl_frame *f));

/* Every frame the same, to the bit and to the tick. Sound: ffmpeg counts its times from sample to
 * sample, so that they may stand one tick beside the container's. limit: pictures to compare, 0:
 * all. */
void compare_pictures(const char *path, size_t track, const char *output_options, size_t limit);
void compare_sound(const char *path, size_t track);

#endif
