/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/nal_form.h"

#include "base/bytes.h"

#define HEAD 64 /* a start code behind more zeros than this is taken for lengths of 0 */

/* Any number of zeros above one, then a one (B.1.1 allows leading_zero_8bits). */
static bool begins_with_start_code(const uint8_t *data, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && data[zeros] == 0) {
        zeros++;
    }
    return zeros >= 2 && zeros < size && data[zeros] == 1;
}

static uint32_t length_at(const uint8_t *data, unsigned prefix)
{
    uint32_t length = 0;
    for (unsigned i = 0; i < prefix; i++) {
        length = length << 8 | data[i];
    }
    return length;
}

static bool lengths_fit(const uint8_t *data, size_t size, unsigned prefix)
{
    struct sl_reader r;
    sl_reader_init(&r, data, size);
    while (sl_reader_left(&r)) {
        const uint8_t *at = sl_read_bytes(&r, prefix);
        if (!at) {
            return false;
        }
        sl_read_skip(&r, length_at(at, prefix));
        if (r.overrun) {
            return false;
        }
    }
    return true;
}

enum sl_nal_form sl_nal_form(const uint8_t *data, size_t size, unsigned prefix)
{
    if (size < 3) {
        return SL_NAL_UNCLEAR;
    }
    if (!sl_nal_may_be_annexb(data) || !begins_with_start_code(data, size)) {
        return SL_NAL_LENGTHS;
    }
    return lengths_fit(data, size, prefix) ? SL_NAL_UNCLEAR : SL_NAL_ANNEXB;
}

enum sl_status sl_nal_form_chain(const struct sl_chain *payload, unsigned prefix,
                                 enum sl_nal_form *form, struct sl_error *err)
{
    uint8_t head[HEAD];
    size_t n = payload->size < HEAD ? (size_t)payload->size : HEAD;
    int64_t at = 0;
    enum sl_status status;

    if (payload->count == 1 && payload->slices[0].buf) {
        const struct sl_slice *s = &payload->slices[0];
        *form = sl_nal_form(s->buf->data + s->offset, s->size, prefix);
        return SL_OK;
    }
    *form = SL_NAL_UNCLEAR;
    if (n < 3) {
        return SL_OK;
    }
    status = sl_chain_read(payload, 0, head, n, err);
    if (status != SL_OK) {
        return status;
    }
    if (!begins_with_start_code(head, n)) {
        *form = SL_NAL_LENGTHS;
        return SL_OK;
    }
    while (at < payload->size) {
        if (payload->size - at < prefix) {
            *form = SL_NAL_ANNEXB;
            return SL_OK;
        }
        status = sl_chain_read(payload, at, head, prefix, err);
        if (status != SL_OK) {
            return status;
        }
        at += (int64_t)prefix + length_at(head, prefix);
    }
    if (at != payload->size) {
        *form = SL_NAL_ANNEXB;
    }
    return SL_OK;
}
