/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of files in lists. */
#ifndef SL_SERVE_NAMES_H
#define SL_SERVE_NAMES_H

#include "base/bytes.h"
#include "serve/path.h"

/* Whether a name can be shown and asked for: well-formed UTF-8 without overlong forms and
 * surrogates (RFC 3629 4), and nothing that sl_path_decode refuses. */
bool sl_name_presentable(const char *text);
/* path + "/" + name (path may be ""), or false where that is too long. */
bool sl_name_join(char out[SL_SERVE_PATH_MAX], const char *path, const char *name);
/* The inside of a JSON string, for a presentable name. */
void sl_name_write_json(struct sl_writer *out, const char *text);

#endif
