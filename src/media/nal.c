/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/nal.h"

#include <string.h>

#include "base/error.h"

/* Position of the next 00 00 01 at or after pos, or size. Looking for its 01 by memchr is several
 * times faster than looking for zeros: coded data holds one in 256 bytes. */
static size_t find_start_code(const uint8_t *data, size_t size, size_t pos)
{
    while (size >= 3 && pos <= size - 3) {
        const uint8_t *one = memchr(data + pos + 2, 1, size - pos - 2);
        if (!one) {
            break;
        }
        pos = (size_t)(one - data) - 2;
        if (data[pos] == 0 && data[pos + 1] == 0) {
            return pos;
        }
        pos++;
    }
    return size;
}

size_t sl_nal_find_annexb(const uint8_t *data, size_t size, size_t pos)
{
    size_t start = find_start_code(data, size, pos);
    while (start < size) {
        start += 3;
        size_t i = start;
        while (i < size && data[i] == 0) {
            i++;
        }
        if (i == size) {
            return size; /* nothing but trailing zeros */
        }
        if (data[i] != 1 || i < start + 2) {
            return start;
        }
        start = i - 2; /* a unit of no bytes: here is the next start code */
    }
    return size;
}

bool sl_nal_next_annexb(struct sl_nal_walker *w, struct sl_nal *nal)
{
    for (;;) {
        const size_t start = sl_nal_find_annexb(w->data, w->size, w->pos);
        if (start == w->size) {
            w->pos = w->size;
            return false;
        }
        size_t end = find_start_code(w->data, w->size, start);
        w->pos = end;
        /* trailing_zero_8bits and the zero_byte of the next start code: a unit never ends in 00
         * (7.4.1). */
        while (end > start && w->data[end - 1] == 0) {
            end--;
        }
        if (end > start) {
            *nal = (struct sl_nal){w->data + start, end - start};
            return true;
        }
    }
}

enum sl_status sl_nal_next_length(struct sl_nal_walker *w, unsigned prefix, struct sl_nal *nal,
                                  struct sl_error *err)
{
    if (prefix != 1 && prefix != 2 && prefix != 4) {
        return sl_fail(err, SL_EINVAL, NULL, "NAL length prefix of %u bytes (1, 2 or 4)", prefix);
    }
    struct sl_reader r;
    sl_reader_init(&r, w->data, w->size);
    r.pos = w->pos;
    while (sl_reader_left(&r) > 0) {
        const size_t at = r.pos;
        const uint32_t size = prefix == 4   ? sl_read_be32(&r)
                              : prefix == 2 ? sl_read_be16(&r)
                                            : sl_read_u8(&r);
        const size_t left = sl_reader_left(&r);
        const uint8_t *data = sl_read_bytes(&r, size);
        if (r.overrun) {
            return sl_fail(err, SL_EDATA, NULL,
                           "NAL unit of %u bytes at byte %zu of an access unit with %zu left",
                           (unsigned)size, at, left);
        }
        w->pos = r.pos;
        if (size > 0) {
            *nal = (struct sl_nal){data, size};
            return SL_OK;
        }
    }
    return SL_EOF;
}

void sl_nal_annexb_to_length(const uint8_t *data, size_t size, struct sl_writer *out)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;

    while (sl_nal_next_annexb(&w, &nal)) {
        if (nal.size > UINT32_MAX) {
            out->status = SL_ENOMEM;
            return;
        }
        sl_write_be32(out, (uint32_t)nal.size);
        sl_write_bytes(out, nal.data, nal.size);
    }
}

enum sl_status sl_nal_length_to_annexb(const uint8_t *data, size_t size, unsigned prefix,
                                       struct sl_writer *out, struct sl_error *err)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    enum sl_status status;

    while ((status = sl_nal_next_length(&w, prefix, &nal, err)) == SL_OK) {
        sl_write_be32(out, 1);
        sl_write_bytes(out, nal.data, nal.size);
    }
    return status == SL_EOF ? SL_OK : status;
}

void sl_nal_unescape(const uint8_t *data, size_t size, struct sl_writer *out)
{
    unsigned zeros = 0;
    size_t start = 0; /* of the run not yet written */

    for (size_t i = 0; i < size; i++) {
        if (zeros >= 2 && data[i] == 3) {
            sl_write_bytes(out, data + start, i - start);
            start = i + 1;
            zeros = 0;
        } else {
            zeros = data[i] == 0 ? zeros + 1 : 0;
        }
    }
    if (start < size) {
        sl_write_bytes(out, data + start, size - start);
    }
}

void sl_nal_escape(const uint8_t *rbsp, size_t size, struct sl_writer *out)
{
    unsigned zeros = 0;
    size_t start = 0;

    for (size_t i = 0; i < size; i++) {
        if (zeros == 2 && rbsp[i] <= 3) {
            sl_write_bytes(out, rbsp + start, i - start);
            sl_write_u8(out, 3);
            start = i;
            zeros = 0;
        }
        zeros = rbsp[i] == 0 ? zeros + 1 : 0;
    }
    if (start < size) {
        sl_write_bytes(out, rbsp + start, size - start);
    }
    /* 7.4.1: an RBSP that ends in a cabac_zero_word is closed by one more 03. */
    if (zeros == 2) {
        sl_write_u8(out, 3);
    }
}
