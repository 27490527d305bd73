/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw packed RGB on its way in: each band of rows becomes 4:2:0 while the read that brought it
 * still has it in the processor's cache. A picture of RGB is never whole in memory. */
#ifndef SL_PIPELINE_RAW_ROWS_H
#define SL_PIPELINE_RAW_ROWS_H

#include "filter/rgb.h"
#include "media/stage.h"

struct sl_raw_rows {
    bool used;
    struct sl_rgb rgb;
    struct sl_colour colour; /* of what comes out: what the ladder's base scaler is given */
    int32_t width, height;
    struct sl_buf_pool *pool;
    struct sl_frame *frame; /* being filled */
};

/* Where the raw format is one that this is for, sets used and demux->raw_bands. rows must stay
 * where it is while the demuxer lives. */
SL_NODISCARD enum sl_status sl_raw_rows_open(struct sl_raw_rows *rows,
                                             struct sl_demux_params *demux, struct sl_error *err);
/* The picture whose packet the demuxer gave. */
SL_NODISCARD struct sl_frame *sl_raw_rows_take(struct sl_raw_rows *rows,
                                               const struct sl_packet *packet);
void sl_raw_rows_close(struct sl_raw_rows *rows);

#endif
