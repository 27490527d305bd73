/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_GZIP_H
#define SL_SERVE_GZIP_H

#include "base/buf.h"
#include "serve/request.h"

#define SL_GZIP_LEAST 512       /* shorter texts gain nothing */
#define SL_GZIP_MOST  (1 << 20) /* longer ones would hold up the other clients of a loop */

/* Accept-Encoding, RFC 9110 12.5.3. */
bool sl_gzip_accepted(const struct sl_request *r);
/* One gzip member (RFC 1952) without a name or a time: the same bytes for the same input. */
SL_NODISCARD enum sl_status sl_gzip_make(struct sl_buf **out, const void *data, size_t size,
                                         struct sl_error *err);

#endif
