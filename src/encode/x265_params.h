/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SL_ENCODE_X265_PARAMS_H
#define SL_ENCODE_X265_PARAMS_H

#include <x265.h>

#include "media/stage.h"

/* What x265 has to be built for: 8 or 10 bits a sample. */
int sl_x265_depth(const struct sl_encode_params *p);
/* Fills x, which holds x265's defaults, from checked parameters. pools is what x->numaPools
 * points at where threads are given, and has to live as long. SL_EINVAL for what nobody could do,
 * SL_EUNSUPPORTED for what x265 cannot. */
SL_NODISCARD enum sl_status sl_x265_params(const struct x265_api *api, x265_param *x,
                                           const struct sl_encode_params *p, char pools[static 16],
                                           struct sl_error *err);

#endif
