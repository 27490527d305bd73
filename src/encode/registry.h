/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_ENCODE_REGISTRY_H
#define SL_ENCODE_REGISTRY_H

#include "media/stage.h"

/* The first encoder for codec that can serve, or the one called name where name is not NULL.
 * SL_EUNSUPPORTED with every reason heard where there is none. */
SL_NODISCARD enum sl_status sl_encode_find(enum sl_codec codec, const char *name,
                                           const struct sl_encoder_ops **out,
                                           struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_open(struct sl_encoder **out, enum sl_codec codec,
                                           const char *name,
                                           const struct sl_encode_params *params,
                                           struct sl_error *err);
void sl_encode_destroy(struct sl_encoder **e);
/* NULL-terminated; what was not built in is not listed. */
const struct sl_encoder_ops *const *sl_encoders(void);

#endif
