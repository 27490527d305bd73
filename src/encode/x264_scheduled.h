/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 by our patched x264 (docs/x264-patch.md): coded order, layers, references and QP of every
 * picture as a schedule says; or, without a schedule, as stock x264 does it, byte for byte.
 * Only where SL_HAVE_X264_SCHED. */
#ifndef SL_ENCODE_X264_SCHEDULED_H
#define SL_ENCODE_X264_SCHEDULED_H

#include "media/schedule.h"
#include "media/stage.h"

#define SL_X264_BFRAMES_MAX       31 /* with a schedule */
#define SL_X264_BFRAMES_PLAIN_MAX 16
#define SL_X264_STEP_MAX          16383

/* One of x264's own options ("rc-lookahead", "40"). */
struct sl_x264_option {
    const char *key, *value;
};

struct sl_x264_scheduled_params {
    /* Rate control, threads, VUI; preset, tune and profile as x264's command takes them. bitrate,
     * maxrate and buffer are not looked at: options say it. timebase is 1/frame_rate. */
    struct sl_encode_params encode;
    const struct sl_x264_option *options; /* applied in this order; copied */
    size_t option_count;
    /* Its dpb and reorder; frames are not looked at. NULL: no schedule. */
    const struct sl_schedule *schedule;
    /* With a schedule: */
    int32_t bframes; /* longest run of B pictures, up to SL_X264_BFRAMES_MAX */
    int64_t step;    /* as struct sl_schedule_needs has it, the greater of both; 0: up to 127 */
    bool gaps;       /* display numbers may have gaps */
};

/* SL_EINVAL where x264 has no such option or does not take that value, or where it would break what
 * we promise of the stream (docs/scheduled-encode.md). scheduled: what a schedule decides is
 * refused too. */
SL_NODISCARD enum sl_status sl_x264_scheduled_option(const char *key, const char *value,
                                                     bool scheduled, struct sl_error *err);

/* Frames: 4:2:0 of 8 bits; pts is the display number, rising, without a schedule from 0 and without
 * gaps. Packets as stage.h says, with dts: pts less the schedule's reorder in the beginning. */
SL_NODISCARD enum sl_status sl_x264_scheduled_open(struct sl_coder **out,
                                                   const struct sl_x264_scheduled_params *params,
                                                   struct sl_error *err);

/* Says what the next count frames sent will be: one group, in coded order (an anchor and the B
 * pictures shown before it). They are then sent in display order, all of them, before the next
 * group is announced. SL_EINVAL where the group is not of that form, or refers to what is not
 * there. Copied. */
SL_NODISCARD enum sl_status sl_x264_scheduled_announce(struct sl_coder *e,
                                                       const struct sl_schedule_frame *frames,
                                                       size_t count, struct sl_error *err);

/* What became of the picture that came out last. */
struct sl_coded_picture {
    /* As announced; without a schedule display, decode and type are filled in. type and refs are
     * the ones really used; without a schedule refs too are display numbers. */
    struct sl_schedule_frame frame;
    int qp;             /* of the picture, before adaptive quantisation */
    size_t header_size; /* bytes in front that are parameter sets and SEI; on the first picture */
};
/* Valid until the next call on the encoder. NULL before the first packet. */
const struct sl_coded_picture *sl_x264_scheduled_last(const struct sl_coder *e);

#endif
