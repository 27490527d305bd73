/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our parameters as x264's. */
#ifndef SL_ENCODE_X264_PARAMS_H
#define SL_ENCODE_X264_PARAMS_H

#include <stdint.h>
#include <x264.h>

#include "media/stage.h"

/* Fills *x, log callback excepted. SL_EINVAL where a value is out of range or a name not known. */
SL_NODISCARD enum sl_status sl_x264_params(x264_param_t *x, const struct sl_encode_params *p,
                                           struct sl_error *err);

/* What is coded, by the profile: yuv420p, yuv420p10 or yuv444p. */
enum sl_pixel_format sl_x264_format(const struct sl_encode_params *p);
/* i_csp of a picture. */
int sl_x264_csp(enum sl_pixel_format format);

#endif
