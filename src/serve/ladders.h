/* SPDX-License-Identifier: BSD-2-Clause */
/* The list that the page shows: directories below the root that hold a master.m3u8. */
#ifndef SL_SERVE_LADDERS_H
#define SL_SERVE_LADDERS_H

#include "base/bytes.h"
#include "serve/site.h"

#define SL_LADDERS_DEPTH    2
#define SL_LADDERS_MAX      1000      /* listed */
#define SL_LADDERS_OPEN_MAX 4000      /* directories looked into */
#define SL_LADDERS_TEXT_MAX (8 << 20) /* bytes of JSON */

/* {"ladders":[{"path":"a/b","url":"a/b/master.m3u8","modified":1700000000}],"truncated":false},
 * sorted by path; the address is relative to the page, which may stand behind a prefix. Names that
 * are not UTF-8 or are hidden are left out. */
SL_NODISCARD enum sl_status sl_ladders_render(const struct sl_site *site, struct sl_writer *out,
                                              struct sl_error *err);

#endif
