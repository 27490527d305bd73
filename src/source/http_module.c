/* SPDX-License-Identifier: BSD-2-Clause */
#include <strings.h>

#include "base/module.h"
#include "source/http.h"

bool sl_source_is_url(const char *where)
{
    return strncasecmp(where, "http://", 7) == 0 || strncasecmp(where, "https://", 8) == 0;
}

enum sl_status sl_source_http_open(struct sl_source **out, const struct sl_http_params *params,
                                   struct sl_error *err)
{
    const void *symbol = NULL;
    enum sl_status status =
        sl_module_symbol(SL_SOURCE_HTTP_MODULE, SL_SOURCE_HTTP_SYMBOL, &symbol, err);

    *out = NULL;
    return status == SL_OK ? ((const struct sl_source_http_ops *)symbol)->open(out, params, err)
                           : status;
}
