/* SPDX-License-Identifier: BSD-2-Clause */
/* MP4 and QuickTime. The first byte says how the bytes come (pushed in pieces, from a pipe, or from
 * a file that can seek), the second one where to seek after some packets. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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
    size_t left = (uint64_t)offset < in->size ? in->size - (size_t)offset : 0;
    (void)err;
    *got = size < left ? size : left;
    if (*got > 0) {
        memcpy(dst, in->data + offset, *got);
    }
    return SL_OK;
}

/* What every reader may count on. */
static void check(const struct sl_demuxer *d, const struct sl_packet *p)
{
    if (p->track >= d->track_count || p->payload.size <= 0 ||
        (p->pts != SL_NO_TIME && p->dts > p->pts) || p->trim_start < 0 || p->trim_end < 0) {
        abort();
    }
}

static void read_all(const uint8_t *data, size_t size, bool seekable, unsigned seek)
{
    static const struct sl_demux_params params;
    struct input in = {data, size};
    const struct sl_window_source source = {.fill = fill,
                                            .opaque = &in,
                                            .name = "fuzz",
                                            .size = seekable ? (int64_t)size : -1,
                                            .seekable = seekable};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    struct sl_packet *p = NULL;
    unsigned count = 0;

    if (sl_window_create(&w, &source, NULL) != SL_OK) {
        return;
    }
    if (sl_demux_mp4.open(&d, w, &params, NULL) == SL_OK) {
        while (d->ops->read(d, &p, NULL) == SL_OK) {
            check(d, p);
            sl_packet_unref(&p);
            if (seekable && ++count == seek % 16) {
                size_t track = seek % d->track_count;
                int64_t time = (int64_t)(seek / 16) * d->tracks[track].timebase.den / 16;
                if (d->ops->seek(d, track, time, NULL) != SL_OK) {
                    break;
                }
            }
        }
        d->ops->destroy(d);
    }
    sl_window_destroy(&w);
}

static void push_all(const uint8_t *data, size_t size, size_t piece)
{
    static const struct sl_demux_params params = {.strict = true};
    const struct sl_window_source source = {.name = "fuzz", .size = -1};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    enum sl_status status = SL_EAGAIN;
    size_t at = 0;

    if (sl_window_create(&w, &source, NULL) != SL_OK) {
        return;
    }
    while (status == SL_OK || status == SL_EAGAIN) {
        struct sl_packet *p = NULL;
        if (d) {
            status = d->ops->read(d, &p, NULL);
            if (p) {
                check(d, p);
            }
            sl_packet_unref(&p);
        } else {
            status = sl_demux_mp4.open(&d, w, &params, NULL);
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (data[0] >= 128) {
        push_all(data + 2, size - 2, ((size_t)data[0] - 127) * 32);
    } else {
        read_all(data + 2, size - 2, (data[0] & 1) == 0, data[1]);
    }
    return 0;
}
