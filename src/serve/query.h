/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of a target after "?": name=value pairs joined by "&" (WHATWG URL 5.1). */
#ifndef SL_SERVE_QUERY_H
#define SL_SERVE_QUERY_H

#include "base/bytes.h"
#include "serve/request.h"

/* The value of name, decoded ("+" is a space), into out of room bytes, terminated. 1: there is one;
 * 0: there is none; -1: it stands twice, does not decode, holds a control character, or is too
 * long. */
int sl_query_get(struct sl_text query, const char *name, char *out, size_t room);
/* A decimal number of up to 18 digits; the same results. */
int sl_query_number(struct sl_text query, const char *name, int64_t *value);
/* The next pair, encoded as it stands; moves *query behind it. false at the end. */
bool sl_query_next(struct sl_text *query, struct sl_text *name, struct sl_text *value);
/* Decodes one part; -1 as above, else the length. */
int sl_query_decode(struct sl_text part, char *out, size_t room);
/* Encodes all but unreserved characters (RFC 3986 2.3) and "/". */
void sl_query_encode(struct sl_writer *w, const char *text);

#endif
