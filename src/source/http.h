/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes over HTTP (RFC 9110): by ranges where the server has them, so that any offset can be asked
 * for, else in sequence. Needs libcurl, and is therefore module source-http: see base/module.h. */
#ifndef SL_SOURCE_HTTP_H
#define SL_SOURCE_HTTP_H

#include "media/stage.h"

#define SL_SOURCE_HTTP_MODULE "source-http"
#define SL_SOURCE_HTTP_SYMBOL "sl_source_http"

/* What the module exports. */
struct sl_source_http_ops {
    /* Asks for the first bytes; the answer decides what the source can do. SL_ENOTFOUND (404, 410),
     * SL_EIO with the server's or libcurl's reason. */
    enum sl_status (*open)(struct sl_source **out, const char *url, struct sl_error *err);
};
extern SL_API const struct sl_source_http_ops sl_source_http;

bool sl_source_is_url(const char *where); /* http or https */
/* Opens the module at first need. */
SL_NODISCARD enum sl_status sl_source_http_open(struct sl_source **out, const char *url,
                                                struct sl_error *err);

#endif
