/* SPDX-License-Identifier: BSD-2-Clause */
/* How errors are made. See include/sluice/error.h for the rules. */
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#include <sluice/error.h>

/* Fills err unless it is NULL or already holds an error. Returns status, so that
 * "return sl_fail(err, SL_EDATA, name, ...)" reads as one thing. where may be NULL. */
enum sl_status sl_fail(struct sl_error *err, enum sl_status status, const char *where,
                       const char *fmt, ...) SL_PRINTF(4, 5);
/* The same with a byte offset. */
enum sl_status sl_fail_at(struct sl_error *err, enum sl_status status, const char *where,
                          int64_t offset, const char *fmt, ...) SL_PRINTF(5, 6);
/* From errno: ENOMEM becomes SL_ENOMEM, ENOENT SL_ENOTFOUND, EEXIST SL_EEXIST, others SL_EIO.
 * The message is "what: system text". */
enum sl_status sl_fail_errno(struct sl_error *err, int errnum, const char *where,
                             const char *what);
/* SL_ENOMEM with the usual words. */
enum sl_status sl_fail_memory(struct sl_error *err);

#endif
