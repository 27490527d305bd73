/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_ENCODE_OPENH264_PARAMS_H
#define SL_ENCODE_OPENH264_PARAMS_H

#include <wels/codec_api.h>

#include "media/stage.h"

/* Fills x, which holds the library's defaults, from checked parameters. SL_EINVAL for what nobody
 * could do, SL_EUNSUPPORTED for what this encoder cannot. */
SL_NODISCARD enum sl_status sl_openh264_params(SEncParamExt *x, const struct sl_encode_params *p,
                                               struct sl_error *err);

#endif
