/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of backends that serve live have in common: a clip, and what every stream of
 * theirs has to be (docs/encoder.md). */
#ifndef SL_TEST_ENCODE_LIVE_H
#define SL_TEST_ENCODE_LIVE_H

#include "judge.h"

/* A textured picture that drifts; another one from the scene on. */
struct live_clip {
    int width, height;
    bool deep;       /* 10 bits a sample */
    const int *keys; /* pictures that are forced, ended by -1; the first is one anyway */
    int scene;       /* 0: none */
    bool upside_down;
};

struct sl_frame *live_make(void *arg, int i);
bool live_is_key(const struct live_clip *c, int i);
/* What a coder is opened with for this clip: sync, 30 pictures a second, CQP 28, one thread. */
struct sl_encode_params live_params(const struct live_clip *c);
/* Opens, or fails the test with the reason. */
struct sl_coder *live_open(const struct sl_coder_ops *ops, const struct sl_encode_params *p);
/* Expects what opening says where it is refused. */
void live_refused(const struct sl_coder_ops *ops, const struct sl_encode_params *p,
                  enum sl_status status, const char *says);

/* Sends pictures first to first + count - 1 and appends exactly one packet for each, its own. */
void live_sync(struct sl_coder *e, struct live_clip *c, int first, int count,
               struct judge_packets *out);
/* Parameter sets in front of IDR pictures alone, and those of the track's config; neither
 * delimiters nor filler; keys where the clip has them, and every gop pictures (0: nowhere else). */
void live_check(const struct sl_coder *e, const struct live_clip *c, int64_t gop,
                const struct judge_packets *packets);
/* ffmpeg decodes them without a word, as many as there are; the lowest luma PSNR of a picture. */
double live_psnr(const struct live_clip *c, const struct sl_coder *e,
                 const struct judge_packets *packets);
size_t live_bytes(const struct judge_packets *packets, size_t first, size_t count);

#endif
