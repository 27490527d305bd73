/* SPDX-License-Identifier: BSD-2-Clause */
/* Matroska. The first byte says how the bytes come (pushed, or fetched with seeking) and whether
 * reading is strict; seekable ones are sought through after they were read. Payloads are loaded. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "demux/demuxers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    const struct input *in = opaque;
    size_t left = offset < (int64_t)in->size ? in->size - (size_t)offset : 0;

    (void)err;
    *got = left < size ? left : size;
    if (*got > 0) {
        memcpy(dst, in->data + offset, *got);
    }
    return SL_OK;
}

/* Reads on; false at the end. */
static enum sl_status read_one(struct sl_demuxer *d)
{
    struct sl_packet *p = NULL;
    struct sl_buf *buf = NULL;
    struct sl_error err = {0};
    enum sl_status status = d->ops->read(d, &p, &err);

    if (status == SL_OK && p->payload.size < (1 << 20)) {
        (void)!sl_chain_load(&p->payload, &buf, NULL);
    }
    sl_buf_unref(&buf);
    sl_packet_unref(&p);
    return status;
}

static void run_pushed(const struct input *in, size_t piece, const struct sl_demux_params *params)
{
    const struct sl_window_source source = {.name = "fuzz", .size = -1};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    enum sl_status status = sl_window_create(&w, &source, NULL);
    size_t at = 0;
    bool ended = false;

    while (status == SL_OK || status == SL_EAGAIN) {
        struct sl_error err = {0};
        status = d ? read_one(d) : sl_demux_mkv.open(&d, w, params, &err);
        if (status == SL_EAGAIN && at == in->size && !ended) {
            sl_window_end(w);
            ended = true;
        } else if (status == SL_EAGAIN) {
            size_t n = in->size - at < piece ? in->size - at : piece;
            if (ended || sl_window_push(w, in->data + at, n, NULL) != SL_OK) {
                break;
            }
            at += n;
        }
    }
    if (d) {
        d->ops->destroy(d);
    }
    sl_window_destroy(&w);
}

static void run_fetched(struct input *in, bool seekable, const struct sl_demux_params *params)
{
    const struct sl_window_source source = {.fill = fill,
                                            .opaque = in,
                                            .name = "fuzz",
                                            .size = seekable ? (int64_t)in->size : -1,
                                            .seekable = seekable};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    enum sl_status status = sl_window_create(&w, &source, NULL);

    if (status == SL_OK) {
        status = sl_demux_mkv.open(&d, w, params, NULL);
    }
    while (status == SL_OK) {
        status = read_one(d);
    }
    for (int64_t i = 0; d && seekable && i < 4; i++) {
        size_t track = (size_t)i % d->track_count;
        if (d->ops->seek(d, track, i * i * 100, NULL) == SL_OK) {
            (void)read_one(d);
        }
    }
    if (d) {
        d->ops->destroy(d);
    }
    sl_window_destroy(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_demux_params params = {.strict = false};
    struct input in = {data + 1, size - 1};

    if (size < 1) {
        return 0;
    }
    params.strict = (data[0] & 0x80) != 0;
    switch (data[0] & 3) {
    case 0:
        run_pushed(&in, (size_t)(data[0] >> 2 & 31) * 64 + 33, &params);
        break;
    case 1:
        run_fetched(&in, false, &params);
        break;
    default:
        run_fetched(&in, true, &params);
        break;
    }
    return 0;
}
