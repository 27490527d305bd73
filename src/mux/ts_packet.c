/* SPDX-License-Identifier: BSD-2-Clause */
/* Transport packets: ISO/IEC 13818-1 2.4.3.2 and 2.4.3.4. This is the one place that copies
 * payload bytes. */
#include <string.h>

#include "base/error.h"
#include "mux/ts.h"

/* 96 kB: small enough that malloc does not map fresh pages for each block. */
#define BLOCK_PACKETS 512
#define BODY          (SL_TS_PACKET - 4)

static enum sl_status close_block(struct sl_ts_out *out, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (out->used) {
        status = sl_chain_add_buf(&out->chain, out->block, 0, out->used, err);
    }
    if (!status) {
        sl_buf_unref(&out->block);
        out->used = 0;
    }
    return status;
}

static enum sl_status new_packet(struct sl_ts_out *out, uint8_t **packet, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (out->used == (size_t)BLOCK_PACKETS * SL_TS_PACKET) {
        status = close_block(out, err);
    }
    if (!status && !out->block) {
        status = sl_buf_alloc(&out->block, (size_t)BLOCK_PACKETS * SL_TS_PACKET, err);
    }
    if (status) {
        return status;
    }
    *packet = out->block->data + out->used;
    out->used += SL_TS_PACKET;
    return SL_OK;
}

/* 2.4.3.5: 33 bits at 90 kHz, six reserved ones, nine bits of extension (always 0 here). */
static void write_pcr(uint8_t *p, int64_t pcr)
{
    uint64_t base = (uint64_t)pcr & 0x1ffffffff;
    p[0] = (uint8_t)(base >> 25);
    p[1] = (uint8_t)(base >> 17);
    p[2] = (uint8_t)(base >> 9);
    p[3] = (uint8_t)(base >> 1);
    p[4] = (uint8_t)((base & 1) << 7 | 0x7e);
    p[5] = 0;
}

/* Writes the header and, where payload does not fill the packet or there is something to say, an
 * adaptation field. Returns where payload goes; *room is how much of it. */
static uint8_t *write_header(uint8_t *p, uint16_t pid, uint8_t counter, bool start,
                             struct sl_ts_adaptation a, size_t left, size_t *room)
{
    size_t field = 0; /* bytes of the adaptation field, its length byte included */
    uint8_t *body = p + 4;
    if (a.pcr != SL_NO_TIME) {
        field = 8;
    } else if (a.random_access) {
        field = 2;
    }
    if (left < BODY - field) {
        field = BODY - left; /* grown by stuffing: one byte is a length of 0 */
    }
    *room = BODY - field;

    p[0] = 0x47;
    p[1] = (uint8_t)((start ? 0x40 : 0) | pid >> 8);
    p[2] = (uint8_t)pid;
    p[3] = (uint8_t)((field ? 0x20 : 0) | (*room ? 0x10 : 0) | counter);
    if (field) {
        body[0] = (uint8_t)(field - 1);
        if (field > 1) {
            memset(body + 1, 0xff, field - 1);
            body[1] = (uint8_t)((a.random_access ? 0x40 : 0) | (a.pcr != SL_NO_TIME ? 0x10 : 0));
            if (a.pcr != SL_NO_TIME) {
                write_pcr(body + 2, a.pcr);
            }
        }
    }
    return body + field;
}

enum sl_status sl_ts_put(struct sl_ts_out *out, uint16_t pid, uint8_t *counter,
                         struct sl_ts_adaptation adaptation, const struct sl_ts_piece *pieces,
                         size_t count, struct sl_error *err)
{
    size_t left = 0, at = 0; /* at: inside pieces[0] */
    bool start = true;
    for (size_t i = 0; i < count; i++) {
        left += pieces[i].size;
    }
    if (!left) {
        uint8_t *packet;
        enum sl_status status = new_packet(out, &packet, err);
        if (!status) { /* the counter repeats that of the last packet with payload */
            write_header(packet, pid, (*counter + 15) & 15, false, adaptation, 0, &left);
        }
        return status;
    }
    while (left) {
        uint8_t *packet, *dst;
        size_t room;
        enum sl_status status = new_packet(out, &packet, err);
        if (status) {
            return status;
        }
        dst = write_header(packet, pid, *counter, start, adaptation, left, &room);
        *counter = (*counter + 1) & 15;
        adaptation = SL_TS_NO_ADAPTATION;
        start = false;
        left -= room;
        while (room) {
            size_t n = pieces->size - at < room ? pieces->size - at : room;
            memcpy(dst, pieces->data + at, n);
            dst += n;
            room -= n;
            at += n;
            if (at == pieces->size) {
                pieces++;
                at = 0;
            }
        }
    }
    return SL_OK;
}

enum sl_status sl_ts_out_finish(struct sl_ts_out *out, struct sl_chain *chain, struct sl_error *err)
{
    enum sl_status status = close_block(out, err);
    return status ? status : sl_chain_move(chain, &out->chain, err);
}

void sl_ts_out_clear(struct sl_ts_out *out)
{
    sl_chain_clear(&out->chain);
    sl_buf_unref(&out->block);
    out->used = 0;
}
