/* SPDX-License-Identifier: BSD-2-Clause */
/* PES packets and what HLS asks of the elementary streams in them: delimiters and parameter sets
 * in band for video, ADTS for AAC. ISO/IEC 13818-1 2.4.3.6, 2.14, 2.17; RFC 8216bis 3.1.1. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/hevc.h"
#include "mux/ts.h"

#define PIECES_MAX       ((size_t)3 * SL_UNITS_MAX)
#define AUDIO_FRAMES_MAX 8
#define AUDIO_BYTES      2928 /* 16 transport packets, less the header */
#define AUDIO_TICKS      8100 /* a PES packet of sound spans at most 90 ms */

static enum sl_status add_piece(struct sl_ts *m, const void *data, size_t size,
                                struct sl_error *err)
{
    if (sl_grow(&m->pieces, &m->piece_capacity, m->piece_count, sizeof *m->pieces, PIECES_MAX)) {
        return sl_fail_memory(err);
    }
    m->pieces[m->piece_count++] = (struct sl_ts_piece){data, size};
    return SL_OK;
}

static uint8_t *write_stamp(uint8_t *p, unsigned prefix, int64_t time)
{
    uint64_t t = (uint64_t)time & 0x1ffffffff;
    *p++ = (uint8_t)(prefix << 4 | (t >> 30) << 1 | 1);
    *p++ = (uint8_t)(t >> 22);
    *p++ = (uint8_t)((t >> 15) << 1 | 1);
    *p++ = (uint8_t)(t >> 7);
    *p++ = (uint8_t)(t << 1 | 1);
    return p;
}

/* payload: bytes after the header; 0: video, of unstated length. Returns the header's size. */
static size_t write_pes_header(uint8_t out[19], uint8_t stream_id, int64_t pts, int64_t dts,
                               size_t payload)
{
    bool both = dts != pts;
    size_t stamps = both ? 10 : 5;
    size_t length = payload ? 3 + stamps + payload : 0;
    uint8_t *p = out;
    *p++ = 0;
    *p++ = 0;
    *p++ = 1;
    *p++ = stream_id;
    *p++ = (uint8_t)(length >> 8);
    *p++ = (uint8_t)length;
    *p++ = 0x84; /* '10', data_alignment_indicator */
    *p++ = both ? 0xc0 : 0x80;
    *p++ = (uint8_t)stamps;
    p = write_stamp(p, both ? 3 : 2, pts);
    if (both) {
        p = write_stamp(p, 1, dts);
    }
    return (size_t)(p - out);
}

/* An access unit delimiter for any picture type. H.265 7.4.2.2 wants the TemporalId of the
 * picture in it. Returns its size, start code included. */
static size_t make_delimiter(const struct sl_ts *m, const struct sl_ts_track *t, uint8_t out[7])
{
    static const uint8_t h264[6] = {0, 0, 0, 1, SL_H264_AUD, 0xf0};
    static const uint8_t hevc[7] = {0, 0, 0, 1, SL_HEVC_AUD << 1, 1, 0x50};
    if (t->framing.codec == SL_CODEC_H264) {
        memcpy(out, h264, sizeof h264);
        return sizeof h264;
    }
    memcpy(out, hevc, sizeof hevc);
    for (size_t i = 0; i < m->units.count; i++) {
        const struct sl_nal *nal = &m->units.items[i];
        if (sl_framing_role(&t->framing, nal) == SL_UNIT_SLICE && nal->size > 1) {
            out[5] = nal->data[1] & 7;
            break;
        }
    }
    return sizeof hevc;
}

/* Whether every set of the configuration is somewhere in the access unit: an encoder that repeats
 * its headers needs no help. */
static bool has_sets(const struct sl_ts *m, const struct sl_ts_track *t)
{
    unsigned types[64] = {0};
    unsigned shift = t->framing.codec == SL_CODEC_H264 ? 0 : 1;
    for (size_t i = 0; i < m->units.count; i++) {
        types[m->units.items[i].data[0] >> shift & (shift ? 63 : 31)] = 1;
    }
    for (size_t i = 0; i < t->framing.config.count; i++) {
        if (!types[t->framing.config.sets[i].data[0] >> shift & (shift ? 63 : 31)]) {
            return false;
        }
    }
    return true;
}

static enum sl_status add_video(struct sl_ts *m, struct sl_ts_track *t, const struct sl_packet *p,
                                uint8_t delimiter[7], struct sl_error *err)
{
    /* B.1.2: the zero_byte goes before parameter sets (and the first unit, the delimiter). */
    static const uint8_t start_code[4] = {0, 0, 0, 1};
    size_t slices = 0;
    enum sl_status status = sl_units_split(&m->units, &t->framing, &p->payload, err);
    if (!status) {
        status = add_piece(m, delimiter, make_delimiter(m, t, delimiter), err);
    }
    if (!status && (p->flags & SL_PACKET_KEY) && !has_sets(m, t)) {
        for (size_t i = 0; i < t->framing.config.count && !status; i++) {
            const struct sl_nal *set = &t->framing.config.sets[i];
            status = add_piece(m, start_code, 4, err);
            if (!status) {
                status = add_piece(m, set->data, set->size, err);
            }
        }
    }
    for (size_t i = 0; i < m->units.count && !status; i++) {
        const struct sl_nal *nal = &m->units.items[i];
        enum sl_unit_role role = sl_framing_role(&t->framing, nal);
        bool set = role == SL_UNIT_SETS;
        if (role == SL_UNIT_DELIMITER) {
            continue;
        }
        slices += role == SL_UNIT_SLICE;
        status = add_piece(m, start_code + !set, set ? 4 : 3, err);
        if (!status) {
            status = add_piece(m, nal->data, nal->size, err);
        }
    }
    if (!status && !slices) {
        status =
            sl_fail(err, SL_EDATA, SL_TS_NAME,
                    "track %u: the access unit at dts %" PRId64 " has no slice", p->track, p->dts);
    }
    return status;
}

/* How many of the next frames go into one PES packet. */
static size_t group_audio(const struct sl_ts *m, const struct sl_ts_track *t)
{
    size_t n = 0;
    int64_t bytes = 0, first = sl_ts_time(m, t, t->packets[t->next]->pts);
    while (n < AUDIO_FRAMES_MAX && t->next + n < t->count) {
        const struct sl_packet *p = t->packets[t->next + n];
        bytes += SL_ADTS_HEADER + p->payload.size;
        if (n &&
            (bytes > AUDIO_BYTES || sl_ts_time(m, t, p->pts + p->duration) - first > AUDIO_TICKS)) {
            break;
        }
        n++;
    }
    return n;
}

struct audio_frames {
    uint8_t headers[AUDIO_FRAMES_MAX][SL_ADTS_HEADER];
    struct sl_buf *bufs[AUDIO_FRAMES_MAX];
};

static enum sl_status add_audio(struct sl_ts *m, const struct sl_ts_track *t, size_t n,
                                struct audio_frames *frames, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < n && !status; i++) {
        const struct sl_packet *p = t->packets[t->next + i];
        status = sl_chain_load(&p->payload, &frames->bufs[i], err);
        if (!status) {
            status = sl_adts_write(&t->aac, frames->bufs[i]->size, frames->headers[i], err);
        }
        if (!status) {
            status = add_piece(m, frames->headers[i], SL_ADTS_HEADER, err);
        }
        if (!status) {
            status = add_piece(m, frames->bufs[i]->data, frames->bufs[i]->size, err);
        }
    }
    return status;
}

enum sl_status sl_ts_put_pes(struct sl_ts *m, struct sl_ts_track *t, bool pcr, struct sl_error *err)
{
    const struct sl_packet *p = t->packets[t->next];
    bool video = t->info.kind == SL_KIND_VIDEO;
    int64_t pts = sl_ts_time(m, t, p->pts), dts = sl_ts_time(m, t, p->dts);
    struct sl_ts_adaptation a = SL_TS_NO_ADAPTATION;
    struct audio_frames frames = {0};
    uint8_t header[19], delimiter[7];
    size_t n = video ? 1 : group_audio(m, t), payload = 0;
    enum sl_status status;

    m->piece_count = 0;
    status = add_piece(m, header, 0, err);
    if (!status) {
        status = video ? add_video(m, t, p, delimiter, err) : add_audio(m, t, n, &frames, err);
    }
    if (status) {
        goto out;
    }
    for (size_t i = 0; !video && i < m->piece_count; i++) {
        payload += m->pieces[i].size;
    }
    m->pieces[0].size = write_pes_header(header, t->stream_id, pts, dts, payload);
    /* Sound can be entered anywhere; saying so once a segment is enough. */
    a.random_access = video ? (p->flags & SL_PACKET_KEY) != 0 : t->next == 0;
    if (pcr) {
        a.pcr = m->pcr = dts - SL_TS_PCR_LEAD;
    }
    status = sl_ts_put(&m->out, t->pid, &t->counter, a, m->pieces, m->piece_count, err);
    t->next += n;
out:
    for (size_t i = 0; i < AUDIO_FRAMES_MAX; i++) {
        sl_buf_unref(&frames.bufs[i]);
    }
    sl_units_release(&m->units);
    return status;
}
