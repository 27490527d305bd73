/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the on-demand engine share: generated media, answers as memory, packets of
 * files. */
#ifndef SL_TEST_VOD_MEDIA_H
#define SL_TEST_VOD_MEDIA_H

#include "pipeline/vod.h"
#include "scratch.h"

#define PICTURES "-f lavfi -i testsrc2=size=64x48:rate=10:duration=13 "
#define TONE     "-f lavfi -i sine=frequency=997:sample_rate=48000:duration=13 "
#define CODED    "-c:v libx264 -preset veryfast -g 20 -pix_fmt yuv420p "

/* ffmpeg with these arguments; the name of what it made is *path. */
void vod_media(struct scratch *home, const char *arguments, const char *name, char path[600]);
struct sl_vod *vod_media_open(const char *path);

/* The whole of an answer, the caller's to free; NULL, and *status, where there is none. */
uint8_t *vod_media_segment(struct sl_vod *v, const char *rendition, enum sl_vod_format format,
                           size_t n, size_t *size, enum sl_status *status);
/* Init segment (of fMP4) and all segments into one file; how many there were. */
size_t vod_media_join(struct sl_vod *v, const char *rendition, enum sl_vod_format format,
                      const char *path);
char *vod_media_playlist(struct sl_vod *v, const char *rendition, enum sl_vod_format format);

/* All packets of one kind in two files are the same: times, sizes, bytes. bytes false: times alone.
 * slack: ticks that times may be apart. How many there were. */
size_t vod_media_compare(const char *path, const char *other, enum sl_media_kind kind, bool bytes,
                         int64_t slack);
/* Remuxes the pictures, or the sound too (enum sl_remux_audio). */
void vod_media_remux(const char *in, const char *out, int audio);

/* The first moof of a segment. */
struct vod_fragment {
    int64_t start, duration; /* tfdt, sum of durations */
    size_t samples;
};
void vod_media_fragment(const uint8_t *data, size_t size, struct vod_fragment *out);

#endif
