/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of module decode-libav. */
#ifndef SL_DECODE_LIBAV_H
#define SL_DECODE_LIBAV_H

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>

#include "media/stage.h"

struct sl_libav_decoder {
    struct sl_decoder decoder; /* first: handed out as this */
    enum sl_media_kind kind;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    const struct sl_log *log;
    char codec_name[32];
    bool damage_told, fold_told;

    /* Times where the container has none: units (pictures, samples) since the last one it had. */
    struct sl_rational timebase;
    struct sl_rational frame_rate;
    int64_t anchor, count, last_end;

    struct sl_rational sample_aspect;       /* the track's */
    struct sl_rational first_sample_aspect; /* what the bitstream said at first; 0/0: not yet */

    /* Pictures in a layout that the rest of Sluice does not have. */
    struct sl_libav_convert {
        struct SwsContext *sws;
        struct sl_buf_pool *pool;
        enum AVPixelFormat from;
        enum sl_pixel_format to;
        int width, height;
        bool full_range;
    } convert;
};

/* Makes a frame of d->frame, which is empty afterwards. Times are the caller's to set. */
SL_NODISCARD enum sl_status sl_libav_picture(struct sl_libav_decoder *d, struct sl_frame **out,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_libav_sound(struct sl_libav_decoder *d, struct sl_frame **out,
                                           struct sl_error *err);
void sl_libav_convert_clear(struct sl_libav_convert *c);
/* *in moves into a buffer that frees it with its last reference. */
SL_NODISCARD enum sl_status sl_libav_keep(AVFrame *in, struct sl_buf **out, struct sl_error *err);

#endif
