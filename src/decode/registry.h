/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_DECODE_REGISTRY_H
#define SL_DECODE_REGISTRY_H

#include "media/stage.h"

/* SL_EUNSUPPORTED, naming the codec, where nobody can decode it. */
SL_NODISCARD enum sl_status sl_decode_open(struct sl_decoder **out, const struct sl_track *track,
                                           const struct sl_decode_params *params,
                                           struct sl_error *err);
void sl_decode_destroy(struct sl_decoder **d);

#endif
