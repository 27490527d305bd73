/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/box.h"

size_t sl_box_begin(struct sl_writer *w, const char *type)
{
    size_t start = w->size;
    sl_write_be32(w, 0);
    sl_write_bytes(w, type, 4);
    return start;
}

size_t sl_box_begin_full(struct sl_writer *w, const char *type, unsigned version, uint32_t flags)
{
    size_t start = sl_box_begin(w, type);
    sl_write_u8(w, version);
    sl_write_be24(w, flags);
    return start;
}

void sl_box_end(struct sl_writer *w, size_t start)
{
    if (w->status == SL_OK) {
        sl_writer_patch_be32(w, start, (uint32_t)(w->size - start));
    }
}
