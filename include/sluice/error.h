/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Status codes and the diagnostics that go with them.
 *
 * Every fallible function returns an enum sl_status and takes a struct sl_error * as its last
 * argument. NULL is always allowed there. The first error wins: a function never overwrites a
 * struct whose status is not SL_OK, so one struct can be handed to a whole sequence of calls.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SL_NODISCARD      __attribute__((warn_unused_result))
#define SL_PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))
#define SL_API            __attribute__((visibility("default")))
#else
#define SL_NODISCARD
#define SL_PRINTF(fmt, a)
#define SL_API
#endif

/** What a call came to. Numbers are part of the ABI and are never reused. */
enum sl_status {
    SL_OK = 0,
    SL_EINVAL = 1,       /**< the caller broke the contract: an argument is out of range */
    SL_ENOMEM = 2,       /**< an allocation failed, or a named maximum was reached */
    SL_EIO = 3,          /**< the system refused: open, read, write, fsync, bind … */
    SL_EDATA = 4,        /**< the input is damaged or is not what it claims to be */
    SL_EUNSUPPORTED = 5, /**< valid, but not something this build can do */
    SL_EAGAIN = 6,       /**< not an error: more input (or more room) is needed first */
    SL_EOF = 7,          /**< not an error: nothing is left */
    SL_ECANCELLED = 8,   /**< stopped on request */
    SL_ENOTFOUND = 9,    /**< the named thing does not exist */
    SL_EEXIST = 10,      /**< the named thing exists and would be overwritten */
    SL_EBUSY = 11, /**< not now, for a reason that can pass: the same call may be tried again */
};

/** One error, as it is shown to a person. Zero-initialise before use. */
struct sl_error {
    enum sl_status status; /**< SL_OK while nothing has gone wrong */
    int64_t offset;        /**< byte offset in @c where; meaningful only if has_offset */
    int has_offset;
    char where[192]; /**< file, URL or key that the error is about; may be empty */
    char msg[256];   /**< what was found and what was expected; no trailing newline */
};

/** A short English name for a status ("out of memory"). Static storage; never NULL. */
SL_API const char *sl_status_name(enum sl_status status);

/**
 * Writes "where: offset N: msg" into @p buf, always terminated, truncated if it must be.
 * Returns: @p buf. Thread-safety: reentrant.
 */
SL_API char *sl_error_format(const struct sl_error *err, char *buf, uint32_t size);

#ifdef __cplusplus
}
#endif
#endif
