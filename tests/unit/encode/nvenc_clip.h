/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of NVENC share. All of them run on the stand-in (tests/standin/nvenc): no machine
 * of ours has the hardware. */
#ifndef SL_TEST_ENCODE_NVENC_CLIP_H
#define SL_TEST_ENCODE_NVENC_CLIP_H

#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

#include "../../standin/nvenc/standin.h"
#include "judge.h"

#define CLIP_WIDTH  190
#define CLIP_HEIGHT 106

/* The stand-in's control; it is loaded with this. */
const struct standin_control *clip_standin(void);
/* A symbol of libcuda.so.1, as tests allocate with. */
void *clip_cuda(const char *name);
/* Fails the test where the stand-in knows of anything that is left. */
void clip_nothing_left(void);

struct sl_encode_params clip_params(enum sl_codec codec); /* sync, constant quality */
struct sl_coder *clip_open(enum sl_codec codec, const struct sl_encode_params *p);
/* Opens in vain: this status, and a message that holds this text. */
void clip_refused(enum sl_codec codec, const struct sl_encode_params *p, enum sl_status status,
                  const char *says);

/* Sample x, y of plane p (Y, Cb, Cr) of picture i: waves that drift. */
uint8_t clip_sample(int i, int p, int x, int y);
/* Picture i in the host's memory, of the size that params say, pts i. */
struct sl_frame *clip_frame(enum sl_pixel_format format, int32_t width, int32_t height, int i);
/* For judge_encode: arg is an enum sl_pixel_format. */
struct sl_frame *clip_make(void *arg, int i);

struct sl_packet *clip_receive(struct sl_coder *e);         /* must be there */
void clip_receive_none(struct sl_coder *e);                 /* SL_EAGAIN */
void clip_send(struct sl_coder *e, struct sl_frame *frame); /* and drops it */

/* Decodes with ffmpeg; count pictures, each as near to the clip's from first on as this PSNR of
 * luma says. */
void clip_decodes(const struct judge_packets *packets, enum sl_codec codec, int count, int first,
                  double psnr);
/* Decodes to pictures of yuv420p or yuv444p (yuv420p10le for deep ones); free() it. */
uint8_t *clip_decode(const struct judge_packets *packets, enum sl_codec codec, const char *format,
                     size_t *size);

#endif
