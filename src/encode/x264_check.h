/* SPDX-License-Identifier: BSD-2-Clause */
/* What both builds of x264 are asked for, checked. Without x264's header: there are two. */
#ifndef SL_ENCODE_X264_CHECK_H
#define SL_ENCODE_X264_CHECK_H

#include "media/stage.h"

/* SL_EINVAL where size, timebase, threads, colour, preset, tune or profile are not allowed. */
SL_NODISCARD enum sl_status sl_x264_check(const struct sl_encode_params *p, struct sl_error *err);

#endif
