/* SPDX-License-Identifier: BSD-2-Clause */
/* Real streams for muxers, made by the ffmpeg command when the test runs, and ffmpeg and ffprobe
 * as judges of what comes out. */
#ifndef SL_TEST_CLIP_H
#define SL_TEST_CLIP_H

#include <sluice/media.h>

#include "media/packet.h"
#include "scratch.h"

struct clip {
    struct sl_track track;
    struct sl_packet **packets; /* coded order; video: Annex B, no dts */
    size_t count;
    int64_t end;      /* ticks */
    char source[256]; /* the file that ffmpeg made */
};

/* Runs a command and returns what it printed, errors included; free() it. Fails the test unless it
 * exits with 0. */
char *run_command(const char *fmt, ...) SL_PRINTF(1, 2);

/* codec: "h264" or "hevc". options: everything between "ffmpeg" and the output file. timescale:
 * ticks a second. delay: frames of it, at the longest distance of two frames. */
void clip_video(struct clip *c, struct scratch *dir, const char *codec, int timescale, int delay,
                const char *options);
/* AAC-LC; ticks are samples, the first packet is 1024 samples of priming before 0. */
void clip_aac(struct clip *c, struct scratch *dir, int rate, int channels, const char *options);
void clip_free(struct clip *c);
/* dts and duration of every packet, group by group (media/dts.h). */
void clip_assign(struct clip *c);
/* A packet that shares the payload, with times of its own. */
struct sl_packet *clip_copy(const struct clip *c, size_t index);

void chain_append_file(const struct sl_chain *chain, const char *path);

/* Fails the test unless ffmpeg decodes path to the end without a word at -v warning, and ffprobe
 * has nothing to say about it either. */
void judge_silent(const char *path);
/* Fails the test unless both files decode to the same pictures (stream "v") or hold the same
 * packets (stream "a") at the same times, shifted by shift ticks of b's timebase. */
void judge_same(const char *a, const char *b, const char *stream, int64_t shift);

#endif
