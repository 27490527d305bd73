/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Logging by callback. The library never writes to standard output or standard error.
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <sluice/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_log_level {
    SL_LOG_ERROR = 0,
    SL_LOG_WARN = 1,
    SL_LOG_INFO = 2,
    SL_LOG_DEBUG = 3,
};

/**
 * Where messages go. A NULL struct sl_log * (or a NULL write) is valid everywhere: silence.
 * Lifetime: must outlive every object it was given to.
 * Thread-safety: write may be called from several threads at once.
 */
struct sl_log {
    enum sl_log_level level; /**< messages above this level are not formatted */
    /** @p component names the part that speaks ("demux", "ladder"); @p text has no newline. */
    void (*write)(void *opaque, enum sl_log_level level, const char *component, const char *text);
    void *opaque;
};

#ifdef __cplusplus
}
#endif
#endif
