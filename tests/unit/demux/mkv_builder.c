/* SPDX-License-Identifier: BSD-2-Clause */
#include "mkv_builder.h"

#include <string.h>

#include "demux/registry.h"
#include "media/track.h"

void mkv_id(struct sl_writer *w, uint32_t id)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (id >> shift) {
            sl_write_u8(w, id >> shift & 255);
        }
    }
}

void mkv_size(struct sl_writer *w, uint64_t size)
{
    sl_write_be64(w, size | UINT64_C(1) << 56);
}

void mkv_uint(struct sl_writer *w, uint32_t id, uint64_t value)
{
    mkv_id(w, id);
    sl_write_u8(w, 0x88);
    sl_write_be64(w, value);
}

void mkv_float(struct sl_writer *w, uint32_t id, double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    mkv_uint(w, id, bits);
}

void mkv_text(struct sl_writer *w, uint32_t id, const char *text)
{
    mkv_bytes(w, id, text, strlen(text));
}

void mkv_bytes(struct sl_writer *w, uint32_t id, const void *data, size_t size)
{
    mkv_id(w, id);
    mkv_size(w, size);
    sl_write_bytes(w, data, size);
}

size_t mkv_begin(struct sl_writer *w, uint32_t id)
{
    mkv_id(w, id);
    mkv_size(w, (UINT64_C(1) << 56) - 1);
    return w->size;
}

void mkv_end(struct sl_writer *w, size_t begun)
{
    sl_writer_patch_be32(w, begun - 8, 0x01000000);
    sl_writer_patch_be32(w, begun - 4, (uint32_t)(w->size - begun));
}

size_t mkv_head(struct sl_writer *w)
{
    size_t head = mkv_begin(w, 0x1a45dfa3);
    mkv_text(w, 0x4282, "matroska");
    mkv_end(w, head);
    return mkv_begin(w, 0x18538067);
}

void mkv_info(struct sl_writer *w)
{
    size_t info = mkv_begin(w, 0x1549a966);
    mkv_uint(w, 0x2ad7b1, 1000000);
    mkv_float(w, 0x4489, 1500);
    mkv_end(w, info);
}

void mkv_track(struct sl_writer *w, unsigned type, const char *codec, const void *config,
               size_t size, void (*more)(struct sl_writer *w))
{
    size_t tracks = mkv_begin(w, 0x1654ae6b);
    size_t entry = mkv_begin(w, 0xae);
    size_t kind = 0;
    mkv_uint(w, 0xd7, 1);
    mkv_uint(w, 0x73c5, 77);
    mkv_uint(w, 0x83, type);
    mkv_text(w, 0x86, codec);
    if (size > 0) {
        mkv_bytes(w, 0x63a2, config, size);
    }
    if (type == 1) {
        kind = mkv_begin(w, 0xe0);
        mkv_uint(w, 0xb0, 64);
        mkv_uint(w, 0xba, 48);
        mkv_end(w, kind);
    } else if (type == 2) {
        kind = mkv_begin(w, 0xe1);
        mkv_float(w, 0xb5, 48000);
        mkv_uint(w, 0x9f, 2);
        mkv_uint(w, 0x6264, 16);
        mkv_end(w, kind);
    }
    if (more) {
        more(w);
    }
    mkv_end(w, entry);
    mkv_end(w, tracks);
}

size_t mkv_cluster(struct sl_writer *w, uint64_t time)
{
    size_t cluster = mkv_begin(w, 0x1f43b675);
    mkv_uint(w, 0xe7, time);
    return cluster;
}

void mkv_block(struct sl_writer *w, uint32_t id, int time, unsigned flags, const void *data,
               size_t size)
{
    mkv_id(w, id);
    mkv_size(w, size + 4);
    sl_write_u8(w, 0x81);
    sl_write_be16(w, (unsigned)time & 0xffff);
    sl_write_u8(w, flags);
    sl_write_bytes(w, data, size);
}

/* ---- reading ------------------------------------------------------------------------------ */

static enum sl_status read_packet(struct mkv_result *r, struct sl_demuxer *d)
{
    struct sl_packet *p = NULL;
    enum sl_status status = d->ops->read(d, &p, &r->err);
    struct mkv_packet *to = &r->packets[r->count < MKV_PACKETS ? r->count : MKV_PACKETS - 1];

    if (status != SL_OK) {
        return status;
    }
    *to = (struct mkv_packet){p->pts, p->duration, p->flags, p->trim_end, (size_t)p->payload.size,
                              {0}};
    status = sl_chain_read(&p->payload, 0, to->data,
                           to->size < sizeof to->data ? to->size : sizeof to->data, &r->err);
    r->count++;
    sl_packet_unref(&p);
    return status;
}

void mkv_read(struct mkv_result *r, enum mkv_way way, size_t piece, const uint8_t *data,
              size_t size, bool strict)
{
    const struct sl_demux_params params = {.strict = strict};
    struct feed feed;
    struct sl_demuxer *d = NULL;

    memset(r, 0, sizeof *r);
    sl_track_init(&r->track);
    r->status = way == MKV_PUSHED
                    ? feed_open_pushed(&feed, data, size, &r->err)
                    : feed_open(&feed, data, size, piece, way == MKV_SEEKABLE, &r->err);
    if (r->status != SL_OK) {
        return;
    }
    for (;;) {
        r->status = d ? read_packet(r, d) : sl_demux_open(&d, feed.window, &params, &r->err);
        if (r->status == SL_EAGAIN) {
            if (feed_push(&feed, piece)) {
                continue;
            }
            r->status = SL_ENOMEM;
        }
        if (r->status != SL_OK) {
            break;
        }
    }
    if (d) {
        r->tracks = d->track_count;
        if (sl_track_copy(&r->track, &d->tracks[0], NULL) != SL_OK) {
            r->status = SL_ENOMEM;
        }
    }
    sl_demux_destroy(&d);
    feed_close(&feed);
}
