/* SPDX-License-Identifier: BSD-2-Clause */
/* What the params structures of every public header have in common: struct_size in front, a table
 * of options, and a function that fills them. */
#ifndef SL_API_PARAMS_H
#define SL_API_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/options.h>

#include "base/error.h"

/* Zeroes params and sets the defaults. SL_EINVAL where the caller's size is not the one known. */
SL_NODISCARD enum sl_status sl_params_default(const struct sl_option *table, void *params,
                                              uint32_t size, size_t known, struct sl_error *err);
/* SL_EINVAL unless params was filled by the function called maker. */
SL_NODISCARD enum sl_status sl_params_check(const void *params, size_t known, const char *maker,
                                            struct sl_error *err);

#endif
