/* SPDX-License-Identifier: BSD-2-Clause */
/* YUV4MPEG2 from a pushed window: the first byte says how the rest is cut into pieces. */
#include <stddef.h>
#include <stdint.h>

#include "demux/demuxers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A short file may claim pictures of a gigabyte, which is right to ask for on a pipe and slow to
 * do a million times over. */
#define PICTURE_MAX (1 << 20)

static int64_t picture_bytes(const struct sl_track *t)
{
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        sum += sl_plane_bytes((enum sl_pixel_format)t->pixel_format, i, t->width) *
               sl_plane_rows((enum sl_pixel_format)t->pixel_format, i, t->height);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sl_demux_params params;
    const struct sl_window_source source = {.name = "fuzz", .size = -1};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    enum sl_status status = SL_OK;
    size_t piece = 0;
    size_t at = 1;

    if (size < 1 || sl_window_create(&w, &source, NULL) != SL_OK) {
        return 0;
    }
    piece = (size_t)data[0] + 1;
    while (status == SL_OK || status == SL_EAGAIN) {
        struct sl_packet *p = NULL;
        struct sl_error err = {0};
        if (d) {
            status = d->ops->read(d, &p, &err);
            sl_packet_unref(&p);
        } else {
            status = sl_demux_y4m.open(&d, w, &params, &err);
            if (d && picture_bytes(d->tracks) > PICTURE_MAX) {
                break;
            }
        }
        if (status == SL_EAGAIN && at == size) {
            sl_window_end(w);
            at++;
        } else if (status == SL_EAGAIN) {
            size_t n = size - at < piece ? size - at : piece;
            if (at > size || sl_window_push(w, data + at, n, NULL) != SL_OK) {
                break;
            }
            at += n;
        }
    }
    if (d) {
        d->ops->destroy(d);
    }
    sl_window_destroy(&w);
    return 0;
}
