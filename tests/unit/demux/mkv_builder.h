/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: Matroska files, element by element, and what is read from them. */
#ifndef SL_TEST_MKV_BUILDER_H
#define SL_TEST_MKV_BUILDER_H

#include "base/bytes.h"
#include "feeding.h"
#include "media/stage.h"

#define UNKNOWN_SIZE ((size_t)-1)

void mkv_id(struct sl_writer *w, uint32_t id);
void mkv_size(struct sl_writer *w, uint64_t size); /* in eight bytes */
void mkv_uint(struct sl_writer *w, uint32_t id, uint64_t value);
void mkv_float(struct sl_writer *w, uint32_t id, double value);
void mkv_text(struct sl_writer *w, uint32_t id, const char *text);
void mkv_bytes(struct sl_writer *w, uint32_t id, const void *data, size_t size);
/* A master: its size is filled in by mkv_end, or stays unknown without it. */
size_t mkv_begin(struct sl_writer *w, uint32_t id);
void mkv_end(struct sl_writer *w, size_t begun);

/* EBML header and the beginning of a Segment, which mkv_end closes. */
size_t mkv_head(struct sl_writer *w);
void mkv_info(struct sl_writer *w);
/* A Tracks with one track of this codec; more(w) adds to its entry, or is NULL. */
void mkv_track(struct sl_writer *w, unsigned type, const char *codec, const void *config,
               size_t size, void (*more)(struct sl_writer *w));
/* A cluster with its Timestamp, which mkv_end closes. */
size_t mkv_cluster(struct sl_writer *w, uint64_t time);
/* Head of a block of track 1 (flags 0x80: key, 2 4 6: laces), with data behind it. */
void mkv_block(struct sl_writer *w, uint32_t id, int time, unsigned flags, const void *data,
               size_t size);

#define MKV_PACKETS 64
struct mkv_packet {
    int64_t pts, duration;
    uint32_t flags;
    int32_t trim_end;
    size_t size;
    uint8_t data[64]; /* its beginning */
};
struct mkv_result {
    enum sl_status status; /* of the last call */
    struct sl_error err;
    struct sl_track track; /* a copy of the first; the test clears it */
    size_t tracks;
    size_t count;
    struct mkv_packet packets[MKV_PACKETS];
};
/* Ways to give out bytes: seekable, as a pipe, pushed in pieces. */
enum mkv_way { MKV_SEEKABLE, MKV_PIPE, MKV_PUSHED, MKV_WAYS };
void mkv_read(struct mkv_result *r, enum mkv_way way, size_t piece, const uint8_t *data,
              size_t size, bool strict);

#endif
