/* SPDX-License-Identifier: BSD-2-Clause */
/* A fuzzer's input read as a script for a muxer: tracks, then packets and flushes. */
#ifndef SL_FUZZ_MUX_SCRIPT_H
#define SL_FUZZ_MUX_SCRIPT_H

#include <stdlib.h>

#include "base/bytes.h"
#include "media/track.h"
#include "mux/registry.h"

#define SCRIPT_TRACKS 2

struct script {
    struct sl_reader in;
    struct sl_track tracks[SCRIPT_TRACKS];
    const struct sl_track *list[SCRIPT_TRACKS];
    size_t count;
    int64_t next[SCRIPT_TRACKS]; /* the dts that the muxer wants */
};

static void must(bool truth)
{
    if (!truth)
        abort();
}

static enum sl_status script_track(struct script *s, struct sl_track *t)
{
    static const uint8_t avcc[] = {1,    0x64, 0,    0x0c, 0xff, 0xe1, 0,    4, 0x67,
                                   0x64, 0x00, 0x0c, 0x01, 0x00, 0x03, 0x68, 1, 2};
    static const uint8_t asc[] = {0x11, 0x90};
    unsigned bits = sl_read_u8(&s->in);
    size_t size = sl_read_u8(&s->in);
    const uint8_t *config = size ? sl_read_bytes(&s->in, size) : NULL;
    bool video = bits & 1;
    sl_track_init(t);
    t->kind = video ? SL_KIND_VIDEO : SL_KIND_AUDIO;
    t->codec = !video ? SL_CODEC_AAC : bits & 2 ? SL_CODEC_HEVC : SL_CODEC_H264;
    t->timebase.num = 1 + (int64_t)(sl_read_be16(&s->in) >> (bits >> 4 & 15));
    t->timebase.den = 1 + (int64_t)(sl_read_be32(&s->in) >> (bits >> 3 & 31));
    t->decode_delay = sl_read_u8(&s->in);
    t->width = t->channels = 1 + sl_read_u8(&s->in);
    t->height = t->sample_rate = 1 + sl_read_be16(&s->in);
    t->sample_aspect.num = sl_read_u8(&s->in);
    t->sample_aspect.den = 1 + sl_read_u8(&s->in);
    t->rotation = (bits >> 2 & 3) * 90;
    t->flip = bits >> 5 & 1;
    t->colour.primaries = sl_read_u8(&s->in);
    if (config)
        return sl_track_set_config(t, config, size, NULL);
    return video ? sl_track_set_config(t, avcc, sizeof avcc, NULL)
                 : sl_track_set_config(t, asc, sizeof asc, NULL);
}

static enum sl_status script_open(struct script *s, const uint8_t *data, size_t size,
                                  const struct sl_muxer_ops *ops, struct sl_muxer **m)
{
    const struct sl_mux_params params = {0};
    enum sl_status status = SL_OK;
    *m = NULL;
    sl_reader_init(&s->in, data, size);
    s->count = 1 + (sl_read_u8(&s->in) & 1);
    for (size_t i = 0; i < SCRIPT_TRACKS; i++) {
        sl_track_init(&s->tracks[i]);
        s->list[i] = &s->tracks[i];
    }
    for (size_t i = 0; i < s->count && !status; i++) {
        status = script_track(s, &s->tracks[i]);
        s->next[i] = -s->tracks[i].decode_delay;
    }
    return status ? status : sl_mux_open(m, ops, s->list, s->count, &params, NULL);
}

/* One packet: bit 0 track, 1 key, 2 a wrong dts, 3 a long duration, 4 many bytes. */
static enum sl_status script_packet(struct script *s, unsigned op, struct sl_muxer *m)
{
    struct sl_packet *p;
    uint8_t *to;
    unsigned track = op & 1;
    size_t size = op & 16 ? sl_read_be16(&s->in) : sl_read_u8(&s->in);
    int64_t duration = op & 8 ? sl_read_be32(&s->in) : sl_read_u8(&s->in);
    int64_t offset = sl_read_u8(&s->in);
    enum sl_status status;
    if (size > sl_reader_left(&s->in))
        size = sl_reader_left(&s->in);
    status = sl_packet_create_data(&p, size, &to, NULL);
    if (status)
        return status;
    for (size_t i = 0; i < size; i++)
        to[i] = sl_read_u8(&s->in);
    p->track = track;
    p->flags = op & 2 ? SL_PACKET_KEY : 0;
    p->dts = track < s->count ? s->next[track] : 0;
    if (op & 4)
        p->dts += offset - 100;
    p->pts = p->dts + offset - (op & 32 ? 3 : 0);
    p->duration = duration;
    status = m->ops->write(m, p, NULL);
    if (status)
        sl_packet_unref(&p);
    else
        s->next[track] += duration;
    return status;
}

static void script_close(struct script *s, struct sl_muxer **m)
{
    sl_mux_destroy(m);
    for (size_t i = 0; i < SCRIPT_TRACKS; i++)
        sl_track_clear(&s->tracks[i]);
}

#endif
