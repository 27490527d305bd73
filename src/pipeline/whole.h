/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files whole: configurations, schedules, indexes. */
#ifndef SL_PIPELINE_WHOLE_H
#define SL_PIPELINE_WHOLE_H

#include "base/buf.h"

/* A path, a URL, or "-" for standard input. More than max bytes: SL_EDATA. */
SL_NODISCARD enum sl_status sl_read_whole(const char *where, size_t max, struct sl_buf **out,
                                          struct sl_error *err);
/* A path, written whole or not at all, or "-" for standard output. */
SL_NODISCARD enum sl_status sl_write_whole(const char *path, const void *data, size_t size,
                                           struct sl_error *err);

#endif
