/* SPDX-License-Identifier: BSD-2-Clause */
/* The encoders of this folder, one file each. */
#ifndef SL_ENCODE_BACKENDS_H
#define SL_ENCODE_BACKENDS_H

#include "media/stage.h"

extern const struct sl_coder_ops sl_encode_x264; /* only where SL_HAVE_X264 */
/* Only where SL_HAVE_X264_SCHED. Schedules are given by x264_scheduled.h. */
extern const struct sl_coder_ops sl_encode_x264_scheduled;
/* Open their modules at first need (soft.h); only where SL_HAVE_OPENH264, SL_HAVE_X265. */
extern const struct sl_coder_ops sl_encode_openh264;
extern const struct sl_coder_ops sl_encode_x265;
/* Only where SL_HAVE_VIDEOTOOLBOX: macOS, and builds for tests with a stand-in. */
extern const struct sl_coder_ops sl_encode_videotoolbox_h264, sl_encode_videotoolbox_hevc;
extern const struct sl_coder_ops sl_encode_nvenc_h264; /* serve only where NVIDIA's driver is */
extern const struct sl_coder_ops sl_encode_nvenc_hevc;
/* Opens module encode-libav at first need and hands over to sl_encode_aac_libav. */
extern const struct sl_coder_ops sl_encode_aac;
extern const struct sl_coder_ops sl_encode_opus; /* the same, sl_encode_opus_libav */

/* What module encode-libav exports. */
#define SL_ENCODE_LIBAV_MODULE "encode-libav"
#define SL_ENCODE_AAC_SYMBOL   "sl_encode_aac_libav"
#define SL_ENCODE_OPUS_SYMBOL  "sl_encode_opus_libav"
extern SL_API const struct sl_coder_ops sl_encode_aac_libav;
extern SL_API const struct sl_coder_ops sl_encode_opus_libav;

#endif
