/* SPDX-License-Identifier: BSD-2-Clause */
/* A checker of transport streams, ISO/IEC 13818-1, written from the standard and not from our
 * muxer. It fails the test at the first thing that is wrong. */
#ifndef SL_TEST_TS_CHECK_H
#define SL_TEST_TS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TS_NO_TIME INT64_MIN

struct ts_pes {
    uint16_t pid;
    uint8_t stream_id;
    int64_t pts, dts; /* 90 kHz, unwrapped; dts == pts where there is none */
    bool random_access, has_pcr;
    bool clocked;
    int64_t clock; /* the last PCR when it started */
    uint8_t *data; /* after the PES header */
    size_t size;
};

struct ts_stream {
    uint16_t pid;
    uint8_t type;
    char language[4];
};

/* Zero-initialise; state goes on from one segment to the next. */
struct ts_check {
    uint8_t counter[8192];
    bool seen[8192];
    uint16_t pcr_pid;
    struct ts_stream streams[16];
    size_t stream_count;
    bool clocked;
    int64_t pcr;          /* last, 90 kHz, unwrapped */
    int64_t pcr_interval; /* longest so far */
    bool timed[8192];
    int64_t dts[8192]; /* last of each PID */

    struct ts_pes *pes; /* of the segment fed last */
    size_t pes_count;
};

/* One segment: PAT and PMT must come first, and no PES packet may run over its end. */
void ts_check_segment(struct ts_check *c, const uint8_t *data, size_t size);
void ts_check_clear(struct ts_check *c);

#endif
