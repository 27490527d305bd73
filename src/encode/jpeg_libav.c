/* SPDX-License-Identifier: BSD-2-Clause */
/* One picture as JPEG by libavcodec. Part of module encode-libav. */
#include <string.h>

#include <libavcodec/avcodec.h>

#include "base/error.h"
#include "encode/jpeg.h"
#include "encode/sound_libav.h"

#define NAME "jpeg"

static int fill(AVFrame *f, const struct sl_frame *frame)
{
    f->format = AV_PIX_FMT_YUVJ420P;
    f->width = frame->width;
    f->height = frame->height;
    f->color_range = AVCOL_RANGE_JPEG;
    int code = av_frame_get_buffer(f, 0);
    for (int i = 0; i < 3 && code >= 0; i++) {
        int width = i == 0 ? frame->width : (frame->width + 1) / 2;
        int height = i == 0 ? frame->height : (frame->height + 1) / 2;
        for (int y = 0; y < height; y++) {
            memcpy(f->data[i] + (ptrdiff_t)y * f->linesize[i],
                   frame->plane[i] + (ptrdiff_t)y * frame->stride[i], (size_t)width);
        }
    }
    return code;
}

static int encode(AVCodecContext *c, AVFrame *f, int quality, AVPacket *packet)
{
    c->width = f->width;
    c->height = f->height;
    c->pix_fmt = AV_PIX_FMT_YUVJ420P;
    c->color_range = AVCOL_RANGE_JPEG;
    c->time_base = (AVRational){1, 25};
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    c->global_quality = quality * FF_QP2LAMBDA;
    f->quality = c->global_quality;
    f->pts = 0;
    int code = avcodec_open2(c, c->codec, NULL);
    if (code >= 0) {
        code = avcodec_send_frame(c, f);
    }
    if (code >= 0) {
        code = avcodec_send_frame(c, NULL);
    }
    return code >= 0 ? avcodec_receive_packet(c, packet) : code;
}

static enum sl_status write(struct sl_buf **out, const struct sl_frame *frame, int quality,
                            struct sl_error *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *c = NULL;
    AVFrame *f = NULL;
    AVPacket *packet = NULL;
    enum sl_status st = SL_OK;
    if (!codec) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "libavcodec has no encoder of JPEG");
    }
    av_log_set_level(AV_LOG_QUIET);
    c = avcodec_alloc_context3(codec);
    f = av_frame_alloc();
    packet = av_packet_alloc();
    if (!c || !f || !packet) {
        st = sl_fail_memory(err);
        goto out;
    }
    int code = fill(f, frame);
    if (code >= 0) {
        code = encode(c, f, quality, packet);
    }
    if (code < 0) {
        st = sl_sound_libav_fail(err, NAME, code, "the picture was not encoded");
        goto out;
    }
    st = sl_buf_alloc(out, (size_t)packet->size, err);
    if (st == SL_OK) {
        memcpy((*out)->data, packet->data, (size_t)packet->size);
    }
out:
    av_packet_free(&packet);
    av_frame_free(&f);
    avcodec_free_context(&c);
    return st;
}

/* Found by dlsym (base/module.h). */
extern const struct sl_jpeg_ops sl_jpeg_libav;

SL_API const struct sl_jpeg_ops sl_jpeg_libav = {.write = write};
