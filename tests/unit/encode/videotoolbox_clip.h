/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the VideoToolbox backend encode, and how they judge it. They run against a test
 * double of Apple's frameworks (tests/standin/videotoolbox): no machine of ours has the hardware.
 */
#ifndef SL_TEST_VIDEOTOOLBOX_CLIP_H
#define SL_TEST_VIDEOTOOLBOX_CLIP_H

#include "encode/backends.h"
#include "judge.h"
#include "standin.h"

/* Not a multiple of 16: the SPS has to crop. */
#define WIDTH  190
#define HEIGHT 106
#define LUMA   (WIDTH * HEIGHT)
#define FRAME  (LUMA * 3 / 2)
#define PTS    700 /* of the first frame: need not start at 0 */

extern const struct sl_coder_ops *const vt_both[2]; /* H.264, HEVC */

/* Sample x, y of plane p in frame i, 8 bits: smooth waves that drift, and grain. */
uint8_t vt_sample(int i, int p, int x, int y);
struct sl_frame *vt_make_as(enum sl_pixel_format format, int i);
/* NV12; arg: frames that are to be IDR, ended by -1, or NULL. */
struct sl_frame *vt_make(void *arg, int i);
struct sl_encode_params vt_defaults(void); /* sync, 1.5 Mbit/s */
/* These fail the test unless they succeed; vt_send drops the frame. */
struct sl_coder *vt_open(const struct sl_coder_ops *ops, const struct sl_encode_params *p);
void vt_send(struct sl_coder *e, struct sl_frame *f);
struct sl_packet *vt_receive(struct sl_coder *e);
/* Bytes of the next count units, one for one; *i is the number of the next frame. */
size_t vt_run_on(struct sl_coder *e, int *i, int count);

/* Around each test: whatever it did, every object is released and no call was wrong. */
int vt_begin(void **state);
int vt_end(void **state);
extern long vt_live_before; /* what a test that failed left behind is not the next one's */

/* Parameter sets stand in front of IDR pictures, all of them, and nowhere else, and are those of
 * the track's config. */
void vt_check_sets(const struct sl_coder *e, const struct judge_packets *packets);
/* ffmpeg decodes without a word as many pictures as there are packets, the last of which is frame
 * number last, at a PSNR of at least min dB. */
void vt_check_pictures(const struct sl_coder *e, const struct judge_packets *packets, int last,
                       double min);
const char *vt_extension(const struct sl_coder *e); /* "a.h264" */
void vt_near(double is, double want);

#endif
