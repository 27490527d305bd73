/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources: where bytes come from. */
#ifndef SL_SOURCE_SOURCE_H
#define SL_SOURCE_SOURCE_H

#include "media/stage.h"

/* A path, an http(s) URL (source/http.h), or "-" for standard input (sequential unless it is a
 * regular file). Directories and what cannot be read are refused at once. */
SL_NODISCARD enum sl_status sl_source_open(struct sl_source **out, const char *where,
                                           struct sl_error *err);
void sl_source_destroy(struct sl_source **s);

#endif
