/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <sluice/sluice.h>

const char *sl_version(void)
{
    return SL_VERSION;
}

const char *sl_licence(void)
{
    return SL_GPL ? "GPL-2.0-or-later" : "BSD-2-Clause";
}

const char *sl_build_features(void)
{
    return "x264: " SL_X264_TEXT "\n"
           "x264 with schedules (encode-y4m): " SL_X264_SCHED_TEXT "\n"
           "openh264: " SL_OPENH264_TEXT "\n"
           "x265: " SL_X265_TEXT "\n"
           "libav (containers, decoding, AAC): module, opened at first need\n"
           "zimg (colour, scaling): yes\n"
           "libevent (HTTP server): yes\n";
}
