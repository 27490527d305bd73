/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "encode/soft.h"

static const char *openh264_version(void)
{
    return SL_OPENH264_VERSION;
}

static const char *x265_version(void)
{
    return SL_X265_VERSION;
}

const struct sl_coder_caps sl_openh264_caps = {
    .flags = SL_BACKEND_RECONFIGURES | SL_BACKEND_RECOVERS,
    .presets = "low,medium,high",
    .tunes = "camera,screen",
    .profiles = "baseline,main,high",
    .licence = "BSD-2-Clause",
    .version = openh264_version,
};

static const enum sl_pixel_format x265_formats[] = {SL_PIX_YUV420P, SL_PIX_YUV420P10, SL_PIX_NONE};
const struct sl_coder_caps sl_x265_caps = {
    .flags = SL_BACKEND_LOOKAHEAD,
    .formats = x265_formats,
    .presets = "ultrafast,superfast,veryfast,faster,fast,medium,slow,slower,veryslow,placebo",
    .tunes = "psnr,ssim,grain,fastdecode,zerolatency,animation",
    .profiles = "main,main10",
    .licence = "GPL-2.0-or-later",
    .version = x265_version,
};
