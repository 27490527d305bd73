/* SPDX-License-Identifier: BSD-2-Clause */
/* State of the MPEG-TS muxer, shared by its files. ISO/IEC 13818-1; see docs/ts.md. */
#ifndef SL_MUX_TS_H
#define SL_MUX_TS_H

#include "media/aac.h"
#include "media/stage.h"
#include "mux/framing.h"
#include "mux/timeline.h"

#define SL_TS_NAME        "ts"
#define SL_TS_PACKET      188
#define SL_TS_PACKETS_MAX (1u << 20) /* coded units of one track in one segment */
#define SL_TS_PID_PMT     0x1000
#define SL_TS_PID_FIRST   0x100 /* track n has PID 0x100 + n */

#define SL_TS_CLOCK     90000
#define SL_TS_PCR_LEAD  63000           /* 0.7 s: how much earlier than its dts a unit arrives */
#define SL_TS_PCR_EVERY 9000            /* 2.7.2: at most 0.1 s apart */
#define SL_TS_OFFSET    INT64_C(900000) /* 10 s: of presentation time 0; see offset_for() */

/* ---- transport packets (ts_packet.c) --------------------------------------------------- */

/* Where packets go: blocks of memory that become slices of the segment. */
struct sl_ts_out {
    struct sl_chain chain;
    struct sl_buf *block;
    size_t used;
};

struct sl_ts_piece {
    const uint8_t *data;
    size_t size;
};

/* What the next packet of a PID carries besides payload. */
struct sl_ts_adaptation {
    int64_t pcr; /* 90 kHz, not wrapped; SL_NO_TIME: none */
    bool random_access;
};

#define SL_TS_NO_ADAPTATION ((struct sl_ts_adaptation){.pcr = SL_NO_TIME})

/* The pieces, end to end, as packets of one PID: the first one starts a unit and carries the
 * adaptation, the last one is stuffed exactly. No pieces: one packet of adaptation alone, which
 * does not count (2.4.3.3). */
SL_NODISCARD enum sl_status sl_ts_put(struct sl_ts_out *out, uint16_t pid, uint8_t *counter,
                                      struct sl_ts_adaptation adaptation,
                                      const struct sl_ts_piece *pieces, size_t count,
                                      struct sl_error *err);
/* Moves everything put so far to the end of chain. */
SL_NODISCARD enum sl_status sl_ts_out_finish(struct sl_ts_out *out, struct sl_chain *chain,
                                             struct sl_error *err);
void sl_ts_out_clear(struct sl_ts_out *out);

/* ---- the muxer ------------------------------------------------------------------------- */

struct sl_ts_codec {
    enum sl_codec codec;
    enum sl_media_kind kind;
    uint8_t stream_type; /* table 2-34 */
};

struct sl_ts_track {
    struct sl_track info;
    const struct sl_ts_codec *codec;
    uint16_t pid;
    uint8_t stream_id, counter;
    struct sl_framing framing;
    struct sl_aac_config aac;
    struct sl_timeline line;

    struct sl_packet **packets; /* of the segment in the making */
    size_t count, capacity;
    size_t next; /* during a flush */
};

struct sl_ts {
    struct sl_muxer base;
    struct sl_ts_track *tracks;
    size_t count;
    size_t pcr_track;
    uint8_t pat_counter, pmt_counter;
    int64_t offset; /* 90 kHz: of presentation time 0 */
    int64_t pcr;    /* the last one written, SL_NO_TIME before the first */
    struct sl_ts_out out;

    /* of the PES packet at hand, kept for their memory */
    struct sl_units units;
    struct sl_ts_piece *pieces;
    size_t piece_count, piece_capacity;
};

/* 90 kHz from ticks, rounded once, with the offset. */
int64_t sl_ts_time(const struct sl_ts *m, const struct sl_ts_track *t, int64_t ticks);
/* PAT and PMT, as every segment starts. */
SL_NODISCARD enum sl_status sl_ts_put_tables(struct sl_ts *m, struct sl_error *err);
/* One PES packet from the next packets of a track: one access unit of video, some of audio. */
SL_NODISCARD enum sl_status sl_ts_put_pes(struct sl_ts *m, struct sl_ts_track *t, bool pcr,
                                          struct sl_error *err);

#endif
