/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as JPEG (ISO/IEC 10918-1, JFIF), by libavcodec in module encode-libav. */
#ifndef SL_ENCODE_JPEG_H
#define SL_ENCODE_JPEG_H

#include "base/buf.h"
#include "media/frame.h"

#define SL_JPEG_SYMBOL "sl_jpeg_libav"

struct sl_jpeg_ops {
    /* quality: 2 (best) to 31, a quantiser scale. */
    enum sl_status (*write)(struct sl_buf **out, const struct sl_frame *frame, int quality,
                            struct sl_error *err);
};

/* A yuv420p picture of full range (JFIF: BT.601). SL_EINVAL for others; SL_EUNSUPPORTED where the
 * module is not there. */
SL_NODISCARD enum sl_status sl_jpeg_write(struct sl_buf **out, const struct sl_frame *frame,
                                          int quality, struct sl_error *err);

#endif
