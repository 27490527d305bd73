/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/varint.h"

uint64_t sl_read_varint(struct sl_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = sl_read_u8(r);

        if (r->overrun) {
            return 0;
        }
        if (shift == 63 && byte > 1) {
            break; /* more than 64 bits */
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0) {
                break; /* written longer than it need be */
            }
            return v;
        }
    }
    r->overrun = true;
    return 0;
}

size_t sl_varint_put(uint64_t v, uint8_t out[SL_VARINT_MAX])
{
    size_t n = 0;

    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

void sl_write_varint(struct sl_writer *w, uint64_t v)
{
    uint8_t bytes[SL_VARINT_MAX];

    sl_write_bytes(w, bytes, sl_varint_put(v, bytes));
}

size_t sl_varint_size(uint64_t v)
{
    uint8_t bytes[SL_VARINT_MAX];

    return sl_varint_put(v, bytes);
}

bool sl_read_field(struct sl_reader *r, struct sl_field *out)
{
    uint64_t tag;

    if (r->overrun || sl_reader_left(r) == 0) {
        return false;
    }
    tag = sl_read_varint(r);
    out->number = (uint32_t)(tag >> 3);
    out->wire = (int)(tag & 7);
    out->data = NULL;
    if (r->overrun || tag >> 3 == 0 || tag >> 3 > 100 ||
        (out->wire != SL_WIRE_VARINT && out->wire != SL_WIRE_BYTES)) {
        r->overrun = true;
        return false;
    }
    out->value = sl_read_varint(r);
    if (!r->overrun && out->wire == SL_WIRE_BYTES) {
        if (out->value > sl_reader_left(r)) {
            r->overrun = true;
        } else {
            out->data = sl_read_bytes(r, (size_t)out->value);
        }
    }
    return !r->overrun;
}

void sl_write_field_varint(struct sl_writer *w, unsigned number, uint64_t v)
{
    sl_write_varint(w, (uint64_t)number << 3 | SL_WIRE_VARINT);
    sl_write_varint(w, v);
}

void sl_write_field_head(struct sl_writer *w, unsigned number, uint64_t size)
{
    sl_write_varint(w, (uint64_t)number << 3 | SL_WIRE_BYTES);
    sl_write_varint(w, size);
}
