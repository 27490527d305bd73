/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_AUTHORITY_H
#define SL_SERVE_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is uri-host [ ":" port ] with a host that is not empty: RFC 9110 4.2.1 and 7.2,
 * RFC 3986 3.2.2. User information is refused (RFC 9110 4.2.4). */
bool sl_authority_valid(const char *text, size_t size);

#endif
