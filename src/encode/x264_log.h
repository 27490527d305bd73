/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What x264 says. It gives reasons by its log alone, and its lookahead and frame threads may log
 * while the owner reads, hence the handshake. */
#ifndef SL_ENCODE_X264_LOG_H
#define SL_ENCODE_X264_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <sluice/log.h>

#include "base/error.h"

struct sl_x264_log {
    const struct sl_log *log;
    atomic_int state; /* 0: empty, 1: being written, 2: complete */
    char text[200];   /* the first complaint */
};

/* For param.pf_log; opaque is a struct sl_x264_log. */
void sl_x264_log(void *opaque, int level, const char *fmt, va_list args);
/* "what: the first complaint"; SL_ENOMEM where that was memory. */
enum sl_status sl_x264_refused(struct sl_x264_log *log, enum sl_status status, const char *what,
                               struct sl_error *err);

#endif
