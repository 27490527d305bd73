/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_BASE_LOG_H
#define SL_BASE_LOG_H

#include <sluice/log.h>

/* Formats and hands on one message if log wants its level. log may be NULL. */
void sl_log_write(const struct sl_log *log, enum sl_log_level level, const char *component,
                  const char *fmt, ...) SL_PRINTF(4, 5);

#endif
