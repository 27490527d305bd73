/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024

void sl_log_write(const struct sl_log *log, enum sl_log_level level, const char *component,
                  const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    int length;

    if (!log || !log->write || level > log->level) {
        return;
    }
    va_start(args, fmt);
    length = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (length < 0) {
        return;
    }
    if ((size_t)length >= sizeof(text)) {
        memcpy(text + sizeof(text) - 4, "...", 4);
    }
    /* Names and titles come from outside: no message may forge a second line or drive a
     * terminal. */
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = c[1] || *c != '\n' ? ' ' : 0;
        }
    }
    log->write(log->opaque, level, component, text);
}
