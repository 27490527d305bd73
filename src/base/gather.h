/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of one file that lie close together, read by one call of the system. The samples of a
 * track are such: between them lie a few bytes of framing and the samples of other tracks. */
#ifndef SL_BASE_GATHER_H
#define SL_BASE_GATHER_H

#include "base/slice.h"

/* A place in a sequence of slices, none of which is empty. */
struct sl_gather {
    const struct sl_slice *slices;
    size_t count;
    size_t i, inside; /* byte inside of slices[i] */
};

/* Reads from there on as many of the file ranges that follow each other as one call takes and size
 * bytes at dst hold, and moves on; *got says how many bytes. slices[i] is of a file. What lies
 * between two ranges is read too, and thrown away, where it is less than another call costs. A file
 * that has become shorter is SL_EIO. */
SL_NODISCARD enum sl_status sl_gather_read(struct sl_gather *g, void *dst, size_t size, size_t *got,
                                           struct sl_error *err);

#endif
