/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of one file that lie close together, read by one call of the system. The samples of a
 * track are such: between them lie a few bytes of framing and the samples of other tracks. */
#ifndef SL_BASE_GATHER_H
#define SL_BASE_GATHER_H

#include "base/slice.h"

/* Reads from slice *i, byte *inside on, as many of the file ranges that follow each other in s as
 * one call takes and size bytes at dst hold; *i and *inside are moved on, *got says how many bytes.
 * s[*i] is of a file, no slice is empty. What lies between two ranges is read too, and thrown away,
 * where it is less than another call costs. A file that has become shorter is SL_EIO. */
SL_NODISCARD enum sl_status sl_gather(const struct sl_slice *s, size_t count, size_t *i,
                                      size_t *inside, void *dst, size_t size, size_t *got,
                                      struct sl_error *err);

#endif
