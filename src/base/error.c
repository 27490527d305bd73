/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SL_FAIL_IS_DEFINED_HERE
#define SL_FAIL_IS_DEFINED_HERE
#include "base/error.h"

const char *sl_status_name(enum sl_status status)
{
    static const char *const names[] = {
        [SL_OK] = "ok",
        [SL_EINVAL] = "invalid argument",
        [SL_ENOMEM] = "out of memory",
        [SL_EIO] = "input/output error",
        [SL_EDATA] = "invalid data",
        [SL_EUNSUPPORTED] = "not supported",
        [SL_EAGAIN] = "more input is needed",
        [SL_EOF] = "end of stream",
        [SL_ECANCELLED] = "cancelled",
        [SL_ENOTFOUND] = "not found",
        [SL_EEXIST] = "exists already",
        [SL_EBUSY] = "busy, try again",
    };

    if ((unsigned)status >= sizeof(names) / sizeof(names[0])) {
        return "unknown status";
    }
    return names[status];
}

char *sl_error_format(const struct sl_error *err, char *buf, uint32_t size)
{
    char offset[40] = "";

    if (size == 0) {
        return buf;
    }
    if (err->has_offset) {
        (void)snprintf(offset, sizeof(offset), "offset %" PRId64 ": ", err->offset);
    }
    (void)snprintf(buf, size, "%s%s%s%s", err->where, err->where[0] ? ": " : "", offset,
                   err->msg[0] ? err->msg : sl_status_name(err->status));
    return buf;
}

/* The end of a long path says more than its beginning. */
static void set_where(struct sl_error *err, const char *where)
{
    size_t length, room = sizeof(err->where) - 1;

    err->where[0] = 0;
    if (!where) {
        return;
    }
    length = strlen(where);
    if (length <= room) {
        memcpy(err->where, where, length + 1);
    } else {
        (void)snprintf(err->where, sizeof(err->where), "...%s", where + length - (room - 3));
    }
}

static SL_PRINTF(5, 0) enum sl_status
    fail(struct sl_error *err, enum sl_status status, const char *where, const int64_t *offset,
         const char *fmt, va_list args)
{
    if (!err || err->status != SL_OK) {
        return status;
    }
    err->status = status;
    err->has_offset = offset != NULL;
    err->offset = offset ? *offset : 0;
    set_where(err, where);
    if (vsnprintf(err->msg, sizeof(err->msg), fmt, args) < 0) {
        err->msg[0] = 0;
    }
    return status;
}

enum sl_status sl_fail(struct sl_error *err, enum sl_status status, const char *where,
                       const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status = fail(err, status, where, NULL, fmt, args);
    va_end(args);
    return status;
}

enum sl_status sl_fail_at(struct sl_error *err, enum sl_status status, const char *where,
                          int64_t offset, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status = fail(err, status, where, &offset, fmt, args);
    va_end(args);
    return status;
}

static enum sl_status status_of(int errnum)
{
    switch (errnum) {
    case ENOMEM:
        return SL_ENOMEM;
    case ENOENT:
        return SL_ENOTFOUND;
    case EEXIST:
        return SL_EEXIST;
    default:
        return SL_EIO;
    }
}

enum sl_status sl_fail_errno(struct sl_error *err, int errnum, const char *where, const char *what)
{
    char buf[128];
    const char *text;

#if defined(__GLIBC__)
    text = strerror_r(errnum, buf, sizeof(buf)); /* GNU: may answer with static storage */
#else
    text = strerror_r(errnum, buf, sizeof(buf)) == 0 ? buf : "unknown error";
#endif
    return sl_fail(err, status_of(errnum), where, "%s: %s", what, text);
}

enum sl_status sl_fail_memory(struct sl_error *err)
{
    return sl_fail(err, SL_ENOMEM, NULL, "out of memory");
}
