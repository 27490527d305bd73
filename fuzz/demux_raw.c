/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw frames: four bytes of parameters, then what is read with them, in fills of odd sizes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "demux/demuxers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *data;
    size_t size;
    size_t piece;
};

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    const struct bytes *b = opaque;
    size_t left = (uint64_t)offset < b->size ? b->size - (size_t)offset : 0;
    (void)err;
    *got = size < left ? size : left;
    *got = *got < b->piece ? *got : b->piece;
    if (*got > 0) {
        memcpy(dst, b->data + offset, *got);
    }
    return SL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {0};
    struct sl_window_source source = {.fill = fill, .opaque = &bytes, .name = "fuzz", .size = -1};
    struct sl_demux_params params = {.raw_rate = {25, 1}};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    enum sl_status status = SL_OK;

    if (size < 4) {
        return 0;
    }
    params.raw_format = (enum sl_pixel_format)(data[0] & 0x3f);
    params.raw_width = data[1];
    params.raw_height = data[2];
    bytes = (struct bytes){data + 4, size - 4, (size_t)(data[3] & 0x7f) + 1};
    if (data[3] & 0x80) {
        source.seekable = true;
        source.size = (int64_t)bytes.size;
    }
    if (sl_window_create(&w, &source, NULL) != SL_OK) {
        return 0;
    }
    status = sl_demux_raw.open(&d, w, &params, NULL);
    while (status == SL_OK) {
        struct sl_packet *p = NULL;
        status = d->ops->read(d, &p, NULL);
        sl_packet_unref(&p);
    }
    if (d) {
        d->ops->destroy(d);
    }
    sl_window_destroy(&w);
    return 0;
}
