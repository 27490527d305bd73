/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our parameters as those of the patched x264. Not to be included beside x264_params.h: the two
 * headers of x264 differ, and each refuses to follow the other. */
#ifndef SL_ENCODE_X264_SCHEDULED_PARAMS_H
#define SL_ENCODE_X264_SCHEDULED_PARAMS_H

#include <stdint.h>
#include <x264_scheduled_lib.h>

#include "encode/x264_scheduled.h"

/* Fills *x, log callback excepted; to be given to x264_param_cleanup whatever came of it. SL_EINVAL
 * where a value is out of range or a name not known. */
SL_NODISCARD enum sl_status sl_x264_scheduled_fill(x264_param_t *x,
                                                   const struct sl_x264_scheduled_params *p,
                                                   struct sl_error *err);

#endif
