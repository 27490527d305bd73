/* SPDX-License-Identifier: BSD-2-Clause */
/* Unsigned varints (https://github.com/multiformats/unsigned-varint) and the fields of protocol
 * buffers, which use the same. */
#ifndef SL_STORE_VARINT_H
#define SL_STORE_VARINT_H

#include "base/bytes.h"

#define SL_VARINT_MAX 10 /* bytes of 64 bits */

/* 0 and r->overrun where it is cut short, has more than 64 bits, or is longer than it need be. */
uint64_t sl_read_varint(struct sl_reader *r);
void sl_write_varint(struct sl_writer *w, uint64_t v);
size_t sl_varint_size(uint64_t v);
/* Returns the size. */
size_t sl_varint_put(uint64_t v, uint8_t out[SL_VARINT_MAX]);

enum { SL_WIRE_VARINT = 0, SL_WIRE_BYTES = 2 };

/* One field: its number, and a number or bytes. */
struct sl_field {
    uint32_t number;
    int wire;
    uint64_t value;      /* SL_WIRE_VARINT; else the size */
    const uint8_t *data; /* SL_WIRE_BYTES */
};
/* False where no further field can be read: the end, or (r->overrun) damage. */
bool sl_read_field(struct sl_reader *r, struct sl_field *out);
void sl_write_field_varint(struct sl_writer *w, unsigned number, uint64_t v);
/* The tag and the size: the bytes follow. */
void sl_write_field_head(struct sl_writer *w, unsigned number, uint64_t size);

#endif
