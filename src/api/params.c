/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/params.h"

#include <string.h>

enum sl_status sl_params_default(const struct sl_option *table, void *params, uint32_t size,
                                 size_t known, struct sl_error *err)
{
    if (!params || size != known) {
        return sl_fail(err, SL_EINVAL, "struct_size",
                       "%u is not a size that this library knows (%zu)", size, known);
    }
    memset(params, 0, known);
    memcpy(params, &size, sizeof size);
    return sl_options_default(table, params, err);
}

enum sl_status sl_params_check(const void *params, size_t known, const char *maker,
                               struct sl_error *err)
{
    uint32_t size = 0;
    if (params) {
        memcpy(&size, params, sizeof size);
    }
    return size == known
               ? SL_OK
               : sl_fail(err, SL_EINVAL, "struct_size", "params were not filled by %s()", maker);
}
