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
enum sl_status sl_fail_errno(struct sl_error *err, int errnum, const char *where, const char *what);
/* SL_ENOMEM with the usual words. */
enum sl_status sl_fail_memory(struct sl_error *err);

/* The analyzer sees one file at a time and would follow paths on which these return SL_OK. */
#if defined(__clang_analyzer__) && !defined(SL_FAIL_IS_DEFINED_HERE)
// NOLINTBEGIN(readability-identifier-naming): they stand for the functions of these names
#define sl_fail(err, status, ...)    ((void)sl_fail(err, status, __VA_ARGS__), (status))
#define sl_fail_at(err, status, ...) ((void)sl_fail_at(err, status, __VA_ARGS__), (status))
#define sl_fail_errno(...)           ((void)sl_fail_errno(__VA_ARGS__), SL_EIO)
#define sl_fail_memory(err)          ((void)sl_fail_memory(err), SL_ENOMEM)
// NOLINTEND(readability-identifier-naming)
#endif

#endif
