/* SPDX-License-Identifier: BSD-2-Clause */
/* Long files, written past the page cache: the kernel then copies nothing, which is most of what
 * writing a file costs. Only where it is known to pay: a plain file on ext4 or XFS (elsewhere a
 * file system may give up compression or sharing for it), more bytes than the stage holds, and a
 * disk that keeps up; a slow one is noticed, and from then on bytes go through the page cache as
 * ever. */
#ifndef SL_BASE_DIRECT_H
#define SL_BASE_DIRECT_H

#include "base/slice.h"

#define SL_DIRECT_STAGE ((size_t)4 << 20) /* bytes held */

/* Single owner. */
struct sl_direct;

/* fd stands at its end, stays the caller's, and is to be written to by nobody else meanwhile. *out
 * is NULL with SL_OK where nothing is to be gained; anywhere: stage the bytes there too, past the
 * page cache or not (for tests). name outlives it. */
SL_NODISCARD enum sl_status sl_direct_open(struct sl_direct **out, int fd, const char *name,
                                           bool anywhere, struct sl_error *err);
SL_NODISCARD enum sl_status sl_direct_chain(struct sl_direct *d, const struct sl_chain *chain,
                                            struct sl_error *err);
/* Writes what is held; fd is then an ordinary descriptor that stands at its end. Destroys *d
 * whatever it returns. */
SL_NODISCARD enum sl_status sl_direct_close(struct sl_direct **d, struct sl_error *err);
void sl_direct_abort(struct sl_direct **d); /* NULL is fine */

#endif
