/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "encode/x264_log.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define NAME "x264"

/* X264_LOG_…; neither of the two headers of that name is needed for them. */
enum { LEVEL_ERROR = 0, LEVEL_WARNING = 1 };

void sl_x264_log(void *opaque, int level, const char *fmt, va_list args)
{
    struct sl_x264_log *l = opaque;
    char text[sizeof l->text];
    (void)vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\r\n")] = '\0';
    int empty = 0;
    if (level == LEVEL_ERROR && atomic_compare_exchange_strong(&l->state, &empty, 1)) {
        (void)snprintf(l->text, sizeof l->text, "%s", text);
        atomic_store(&l->state, 2);
    }
    /* What x264 calls info is its statistics, and of interest to few. */
    enum sl_log_level ours = level == LEVEL_ERROR     ? SL_LOG_ERROR
                             : level == LEVEL_WARNING ? SL_LOG_WARN
                                                      : SL_LOG_DEBUG;
    sl_log_write(l->log, ours, NAME, "%s", text);
}

enum sl_status sl_x264_refused(struct sl_x264_log *log, enum sl_status status, const char *what,
                               struct sl_error *err)
{
    /* It names a reason for everything but some allocations that failed. */
    if (atomic_load(&log->state) != 2 || strncmp(log->text, "malloc of size", 14) == 0) {
        return sl_fail_memory(err);
    }
    return sl_fail(err, status, NAME, "%s: %s", what, log->text);
}
