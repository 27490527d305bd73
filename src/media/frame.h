/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures and sound, uncompressed. */
#ifndef SL_MEDIA_FRAME_H
#define SL_MEDIA_FRAME_H

#include <sluice/encode.h>
#include <sluice/media.h>

#include "base/buf.h"
#include "media/pixel.h"

#define SL_FRAME_PLANES 8 /* more audio channels than this are folded by the decoder */

enum {
    SL_FRAME_KEY = 1u << 0, /* to an encoder: code this one as IDR; a segment starts here */
    SL_FRAME_CUT = 1u << 1, /* from the pipeline: first frame of a segment (implies KEY) */
};

/* Reference-counted and immutable once shared. */
struct sl_frame {
    atomic_uint refs;
    enum sl_media_kind kind;
    uint32_t flags;
    int64_t pts;      /* ticks of the timebase that travels beside the frame */
    int64_t duration; /* ticks, or SL_NO_TIME */

    /* video */
    enum sl_pixel_format format;
    int32_t width, height;
    struct sl_rational sample_aspect; /* 0/1: not stated */
    struct sl_colour colour;
    /* Where the planes are. Only encoders whose caps say so read what is not in the host's memory,
     * and nobody else is given it. CUDA: planes are device pointers. */
    enum sl_picture_memory memory;
    void *stream; /* CUDA: the picture is there once what is in this stream now is done */

    /* audio */
    enum sl_sample_format sample_format;
    int32_t sample_rate, channels, samples;
    uint64_t channel_layout;

    uint8_t *plane[SL_FRAME_PLANES];
    ptrdiff_t stride[SL_FRAME_PLANES];   /* bytes; video only; may be negative */
    struct sl_buf *buf[SL_FRAME_PLANES]; /* what keeps the planes alive; NULLs allowed */
};

SL_NODISCARD enum sl_status sl_frame_create(struct sl_frame **out, enum sl_media_kind kind,
                                            struct sl_error *err);
/* A picture with planes of its own, each row aligned to SL_BUF_ALIGN, in one block (from pool
 * where it is not NULL; the pool's blocks must have sl_frame_video_size bytes). */
SL_NODISCARD enum sl_status sl_frame_create_video(struct sl_frame **out,
                                                  enum sl_pixel_format format, int32_t width,
                                                  int32_t height, struct sl_buf_pool *pool,
                                                  struct sl_error *err);
/* Bytes of such a block; false where the size overflows or is not allowed (1 to 16384 a side). */
SL_NODISCARD bool sl_frame_video_size(enum sl_pixel_format format, int32_t width, int32_t height,
                                      size_t *size);
/* SL_SAMPLE_F32P sound, zeroed. */
SL_NODISCARD enum sl_status sl_frame_create_audio(struct sl_frame **out, int32_t channels,
                                                  uint64_t layout, int32_t rate, int32_t samples,
                                                  struct sl_error *err);
/* A new frame struct on the same planes, whose own fields (times, flags) may then be changed. */
SL_NODISCARD enum sl_status sl_frame_share(struct sl_frame **out, struct sl_frame *frame,
                                           struct sl_error *err);
struct sl_frame *sl_frame_ref(struct sl_frame *f);
void sl_frame_unref(struct sl_frame **f);

#endif
