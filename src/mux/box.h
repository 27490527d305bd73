/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes of ISO/IEC 14496-12 4.2, written into an sl_writer. Sizes are 32 bits: the writer's
 * maximum keeps them so (mdat, the one box that may be larger, is written by hand). */
#ifndef SL_MUX_BOX_H
#define SL_MUX_BOX_H

#include "base/bytes.h"

/* Size (filled in by sl_box_end) and type. Returns where the box starts. */
size_t sl_box_begin(struct sl_writer *w, const char *type);
/* The same with the version and 24 bits of flags of a FullBox. */
size_t sl_box_begin_full(struct sl_writer *w, const char *type, unsigned version, uint32_t flags);
void sl_box_end(struct sl_writer *w, size_t start);

#endif
