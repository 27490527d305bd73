/* SPDX-License-Identifier: BSD-2-Clause */
/* Software encoders whose libraries are large or drag a run time along: each is a module of its own
 * (modules/meson.build), opened at first need. */
#ifndef SL_ENCODE_SOFT_H
#define SL_ENCODE_SOFT_H

#include "media/stage.h"

/* What can be said of them without opening them; both the stand-in and what it opens point here. */
extern const struct sl_coder_caps sl_openh264_caps;
extern const struct sl_coder_caps sl_x265_caps;

#define SL_OPENH264_MODULE "encode-openh264"
#define SL_OPENH264_SYMBOL "sl_encode_openh264_lib"
#define SL_X265_MODULE     "encode-x265"
#define SL_X265_SYMBOL     "sl_encode_x265_lib"
extern SL_API const struct sl_coder_ops sl_encode_openh264_lib;
extern SL_API const struct sl_coder_ops sl_encode_x265_lib;

#endif
