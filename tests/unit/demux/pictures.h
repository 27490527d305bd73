/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: what the demuxers of uncompressed pictures have in common. */
#ifndef SL_TEST_PICTURES_H
#define SL_TEST_PICTURES_H

#include "feeding.h"
#include "media/stage.h"

/* How bytes come. Each test is run with all of them. */
enum way { WAY_SEEKABLE, WAY_PIPE, WAY_PIPE_BY_ONE, WAY_PUSHED_BY_ONE, WAY_COUNT };

/* Opens data and reads it to the end. Checks that packet n has the bytes payload(n) and its
 * times; *status and *err say how it ended, count how many packets there were. */
struct reading {
    enum sl_status status; /* of the last call; SL_EOF where all went well */
    struct sl_error err;
    size_t count;
    struct sl_track track; /* as of open; owns nothing */
    int64_t duration;
};

void read_pictures(struct reading *r, enum way way, const void *data, size_t size,
                   const struct sl_demux_params *params, const uint8_t *payloads,
                   size_t payload_size);

/* A body for failing_alloc_run: opens and reads all. */
struct picture_case {
    const void *data;
    size_t size;
    const struct sl_demux_params *params;
    size_t count; /* of pictures in it */
};
enum sl_status read_pictures_once(void *arg);

#endif
