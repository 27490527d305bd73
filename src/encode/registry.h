/* SPDX-License-Identifier: BSD-2-Clause */
/* Which encoders there are, in order of preference. */
#ifndef SL_ENCODE_REGISTRY_H
#define SL_ENCODE_REGISTRY_H

#include "media/stage.h"

/* The first encoder for codec that can serve, or the one called name where name is not NULL.
 * Returns: SL_EUNSUPPORTED with every reason heard where there is none; SL_ENOMEM.
 * Lifetime: static. Thread-safety: any thread. */
SL_NODISCARD enum sl_status sl_encode_find(enum sl_codec codec, const char *name,
                                           const struct sl_coder_ops **out, struct sl_error *err);
/* Finds, for latency lookahead one that has it unless it is named, and opens. *out is owned by the
 * caller, NULL on failure. */
SL_NODISCARD enum sl_status sl_encode_open(struct sl_coder **out, enum sl_codec codec,
                                           const char *name, const struct sl_encode_params *params,
                                           struct sl_error *err);
/* NULL and *NULL are fine; the pointer is zeroed. */
void sl_encode_destroy(struct sl_coder **e);
/* NULL-terminated; what was not built in is not listed. */
const struct sl_coder_ops *const *sl_coders(void);

/* Entry index of those that a codec lacks in this build, and why: true where there is one. */
bool sl_encode_missing(enum sl_codec codec, size_t index, const char **name, const char **reason);

#endif
