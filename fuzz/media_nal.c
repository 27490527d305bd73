/* SPDX-License-Identifier: BSD-2-Clause */
/* Framing of NAL units: both walkers on any bytes, reframing there and back, escapes there and
 * back. The first byte chooses the length prefix. */
#include <stdlib.h>
#include <string.h>

#include "media/hevc.h"
#include "media/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES (1u << 24)

static void require(int truth)
{
    if (!truth) {
        abort();
    }
}

static void same(const struct sl_writer *a, const struct sl_writer *b)
{
    require(a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0));
}

static void escapes(const uint8_t *data, size_t size)
{
    struct sl_writer escaped;
    struct sl_writer back;

    sl_writer_init(&escaped, MAX_BYTES);
    sl_writer_init(&back, MAX_BYTES);
    sl_nal_escape(data, size, &escaped);
    for (size_t i = 2; i < escaped.size; i++) {
        require(escaped.data[i - 2] || escaped.data[i - 1] || escaped.data[i] > 2);
    }
    sl_nal_unescape(escaped.data, escaped.size, &back);
    require(back.size == size && (size == 0 || memcmp(back.data, data, size) == 0));
    sl_writer_clear(&escaped);
    sl_writer_clear(&back);
}

static void annexb(const uint8_t *data, size_t size)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    struct sl_writer lengths;
    struct sl_writer again;
    struct sl_writer lengths_again;
    const uint8_t *end = data;

    while (sl_nal_next_annexb(&w, &nal)) {
        require(nal.size > 0 && nal.data >= end + 3 && nal.data + nal.size <= data + size);
        require(nal.data[nal.size - 1] != 0);
        require(sl_nal_find_annexb(data, size, (size_t)(end - data)) <= (size_t)(nal.data - data));
        end = nal.data + nal.size;
    }
    sl_writer_init(&lengths, MAX_BYTES);
    sl_writer_init(&again, MAX_BYTES);
    sl_writer_init(&lengths_again, MAX_BYTES);
    sl_nal_annexb_to_length(data, size, &lengths);
    require(sl_nal_length_to_annexb(lengths.data, lengths.size, 4, &again, NULL) == SL_OK);
    sl_nal_annexb_to_length(again.data, again.size, &lengths_again);
    same(&lengths, &lengths_again);
    require(sl_h264_is_idr(data, size, 0) == sl_h264_is_idr(lengths.data, lengths.size, 4));
    require(sl_hevc_is_irap(data, size, 0) == sl_hevc_is_irap(lengths.data, lengths.size, 4));
    sl_writer_clear(&lengths);
    sl_writer_clear(&again);
    sl_writer_clear(&lengths_again);
}

static void length_prefixed(const uint8_t *data, size_t size, unsigned prefix)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    struct sl_writer out;
    struct sl_error err = {0};
    enum sl_status status;
    size_t bytes = 0;

    while ((status = sl_nal_next_length(&w, prefix, &nal, &err)) == SL_OK) {
        require(nal.size > 0 && nal.data >= data && nal.data + nal.size <= data + size);
        bytes += 4 + nal.size;
    }
    require(status == SL_EOF || (status == SL_EDATA && err.status == SL_EDATA));
    sl_writer_init(&out, MAX_BYTES);
    const enum sl_status whole = sl_nal_length_to_annexb(data, size, prefix, &out, NULL);
    require(status == SL_EOF ? whole == SL_OK && out.size == bytes : whole == SL_EDATA);
    (void)sl_h264_is_idr(data, size, prefix);
    (void)sl_hevc_is_irap(data, size, prefix);
    sl_writer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const unsigned prefix = 1u << data[0] % 3;
    escapes(data + 1, size - 1);
    annexb(data + 1, size - 1);
    length_prefixed(data + 1, size - 1, prefix);
    return 0;
}
