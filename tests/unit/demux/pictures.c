/* SPDX-License-Identifier: BSD-2-Clause */
#include "pictures.h"

#include <string.h>

#include "demux/registry.h"
#include "unit.h"

static enum sl_status open_way(struct feed *f, enum way way, const void *data, size_t size,
                               struct sl_error *err)
{
    if (way == WAY_PUSHED_BY_ONE) {
        return feed_open_pushed(f, data, size, err);
    }
    return feed_open(f, data, size, way == WAY_PIPE_BY_ONE ? 1 : SIZE_MAX, way == WAY_SEEKABLE,
                     err);
}

static void check_packet(const struct sl_packet *p, size_t n, const uint8_t *payload, size_t size)
{
    assert_int_equal(p->track, 0);
    assert_int_equal(p->flags, SL_PACKET_KEY);
    assert_int_equal(p->pts, n);
    assert_int_equal(p->dts, n);
    assert_int_equal(p->duration, 1);
    assert_int_equal(p->payload.size, size);
    assert_int_equal(p->payload.count, 1);
    assert_non_null(p->payload.slices[0].buf);
    assert_memory_equal(p->payload.slices[0].buf->data, payload, size);
}

void read_pictures(struct reading *r, enum way way, const void *data, size_t size,
                   const struct sl_demux_params *params, const uint8_t *payloads,
                   size_t payload_size)
{
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_packet *held[2] = {NULL, NULL}; /* so that the pool cannot just hand out one block */

    memset(r, 0, sizeof *r);
    assert_int_equal(open_way(&feed, way, data, size, NULL), SL_OK);
    while ((r->status = sl_demux_open(&d, feed.window, params, &r->err)) == SL_EAGAIN) {
        assert_int_equal(r->err.status, SL_OK);
        assert_true(feed_push(&feed, 1));
    }
    if (r->status == SL_OK) {
        assert_int_equal(d->track_count, 1);
        r->track = d->tracks[0];
        r->duration = d->duration;
    }
    while (r->status == SL_OK) {
        struct sl_packet *p = NULL;
        while ((r->status = d->ops->read(d, &p, &r->err)) == SL_EAGAIN) {
            assert_int_equal(r->err.status, SL_OK);
            assert_true(feed_push(&feed, 1));
        }
        assert_true((r->status == SL_OK) == (p != NULL));
        if (p) {
            check_packet(p, r->count, payloads + r->count * payload_size, payload_size);
            sl_packet_unref(&held[r->count & 1]);
            held[r->count & 1] = p;
            r->count++;
        } else {
            /* Once more says the same. */
            struct sl_error again = {0};
            assert_int_equal(d->ops->read(d, &p, &again), r->status);
            assert_null(p);
        }
    }
    sl_demux_destroy(&d);
    feed_close(&feed);
    sl_packet_unref(&held[0]);
    sl_packet_unref(&held[1]);
}

enum sl_status read_pictures_once(void *arg)
{
    const struct picture_case *c = arg;
    struct feed feed = {0};
    struct sl_demuxer *d = NULL;
    struct sl_packet *p = NULL;
    size_t count = 0;
    enum sl_status status = feed_open(&feed, c->data, c->size, SIZE_MAX, false, NULL);

    if (status == SL_OK) {
        status = sl_demux_open(&d, feed.window, c->params, NULL);
    }
    while (status == SL_OK) {
        status = d->ops->read(d, &p, NULL);
        count += status == SL_OK;
        sl_packet_unref(&p);
    }
    sl_demux_destroy(&d);
    feed_close(&feed);
    if (status == SL_EOF) {
        assert_int_equal(count, c->count);
        status = SL_OK;
    }
    return status;
}
