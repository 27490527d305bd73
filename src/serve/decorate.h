/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_DECORATE_H
#define SL_SERVE_DECORATE_H

#include "base/bytes.h"

/* Copies a playlist (RFC 8216bis 4.1) and gives every relative URI in it, on lines of their own and
 * in URI attributes, a query: "12.m4s" becomes "12.m4s?query", and "a?b" "a?b&query". */
void sl_decorate_playlist(const uint8_t *text, size_t size, const char *query,
                          struct sl_writer *out);

#endif
