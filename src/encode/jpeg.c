/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/jpeg.h"

#include "base/error.h"
#include "base/module.h"
#include "encode/backends.h"

enum sl_status sl_jpeg_write(struct sl_buf **out, const struct sl_frame *frame, int quality,
                             struct sl_error *err)
{
    const void *ops;
    *out = NULL;
    if (frame->kind != SL_KIND_VIDEO || frame->format != SL_PIX_YUV420P || quality < 2 ||
        quality > 31) {
        return sl_fail(err, SL_EINVAL, "jpeg",
                       "picture format %d and quality %d, expected yuv420p "
                       "and 2 to 31",
                       (int)frame->format, quality);
    }
    enum sl_status st = sl_module_symbol(SL_ENCODE_LIBAV_MODULE, SL_JPEG_SYMBOL, &ops, err);
    return st == SL_OK ? ((const struct sl_jpeg_ops *)ops)->write(out, frame, quality, err) : st;
}
