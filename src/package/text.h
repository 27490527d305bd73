/* SPDX-License-Identifier: BSD-2-Clause */
/* What may stand in a playlist: RFC 8216bis 4.1 and 4.2. */
#ifndef SL_PACKAGE_TEXT_H
#define SL_PACKAGE_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"

/* Not empty, and without quotes, line ends and other control characters. */
bool sl_text_quotable(const char *text);
/* A line of its own: a URI that is not taken for a tag or a comment. */
bool sl_text_uri(const char *text);
/* For people to read: quotes become apostrophes, control characters spaces. */
void sl_text_write_name(struct sl_writer *w, const char *text);

#endif
