/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvenc_clip.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *cuda(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        fail_msg("%s", dlerror());
    }
    dlclose(library); /* it stays */
    return library;
}

void *clip_cuda(const char *name)
{
    void *symbol = dlsym(cuda(), name);
    if (!symbol) {
        fail_msg("no %s: is this the stand-in?", name);
    }
    return symbol;
}

const struct standin_control *clip_standin(void)
{
    standin_control_get *get;
    void *symbol = clip_cuda("standin_control");
    memcpy(&get, &symbol, sizeof get);
    return get();
}

void clip_nothing_left(void)
{
    char text[512];
    if (clip_standin()->live(text, sizeof text) != 0) {
        fail_msg("left behind: %s", text);
    }
}

struct sl_encode_params clip_params(enum sl_codec codec)
{
    return (struct sl_encode_params){
        .timebase = {1, 30},
        .width = CLIP_WIDTH,
        .height = CLIP_HEIGHT,
        .frame_rate = {30, 1},
        .colour = {6, 6, 6, SL_RANGE_LIMITED, 0},
        .rate = SL_RATE_CRF,
        .crf = {codec == SL_CODEC_HEVC ? 24 : 20, 1},
        .latency = SL_LATENCY_SYNC,
        .bframes = -1,
    };
}

struct sl_coder *clip_open(enum sl_codec codec, const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (sl_encode_open(&e, codec, "nvenc", p, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

void clip_refused(enum sl_codec codec, const struct sl_encode_params *p, enum sl_status status,
                  const char *says)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    enum sl_status is = sl_encode_open(&e, codec, "nvenc", p, &err);
    if (is != status || !strstr(err.msg, says)) {
        fail_msg("status %d, \"%s\"; expected %d, \"…%s…\"", (int)is, err.msg, (int)status, says);
    }
    assert_null(e);
    clip_nothing_left();
}

uint8_t clip_sample(int i, int p, int x, int y)
{
    static float wave[4096]; /* filled as it is needed: most of the time would go into sin() */
    size_t at = (size_t)(x + 2 * i) % 2048, down = 2048 + (size_t)(y + 100 * p) % 2048;
    wave[at] = wave[at] != 0 ? wave[at] : (float)(60.0 + 40.0 * sin((double)at / 11.0));
    wave[down] = wave[down] != 0 ? wave[down] : (float)(60.0 + 40.0 * cos((double)down / 9.0));
    return (uint8_t)(wave[at] + wave[down]);
}

static void put(uint8_t *at, int i, int p, int x, int y, bool deep)
{
    uint8_t v = clip_sample(i, p, x, y);
    if (deep) {
        uint16_t w = (uint16_t)(v << 8);
        memcpy(at, &w, sizeof w);
    } else {
        *at = v;
    }
}

struct sl_frame *clip_frame(enum sl_pixel_format format, int32_t width, int32_t height, int i)
{
    struct sl_error err = {0};
    struct sl_frame *f;
    bool deep = format == SL_PIX_P010;
    int step = deep ? 2 : 1;
    assert_int_equal(sl_frame_create_video(&f, format, width, height, NULL, &err), SL_OK);
    for (int p = 0; p < 3; p++) {
        int w = p && format != SL_PIX_YUV444P ? width / 2 : width;
        int h = p && format != SL_PIX_YUV444P ? height / 2 : height;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                uint8_t *at = sl_pixel_info(format)->planes == 3 || p == 0
                                  ? f->plane[p] + f->stride[p] * y + step * x
                                  : f->plane[1] + f->stride[1] * y + step * (2 * x + p - 1);
                put(at, i, p, x, y, deep);
            }
        }
    }
    f->pts = i;
    f->duration = 1;
    return f;
}

struct sl_frame *clip_make(void *arg, int i)
{
    return clip_frame(*(enum sl_pixel_format *)arg, CLIP_WIDTH, CLIP_HEIGHT, i);
}

struct sl_packet *clip_receive(struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_packet *packet;
    if (e->ops->receive(e, &packet, &err) != SL_OK) {
        fail_msg("receive: %s", err.msg);
    }
    return packet;
}

void clip_receive_none(struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_packet *packet;
    assert_int_equal(e->ops->receive(e, &packet, &err), SL_EAGAIN);
    assert_null(packet);
}

void clip_send(struct sl_coder *e, struct sl_frame *frame)
{
    struct sl_error err = {0};
    if (e->ops->send(e, frame, &err) != SL_OK) {
        fail_msg("send: %s", err.msg);
    }
    sl_frame_unref(&frame);
}

uint8_t *clip_decode(const struct judge_packets *packets, enum sl_codec codec, const char *format,
                     size_t *size)
{
    struct scratch dir;
    char path[600];
    scratch_make(&dir);
    const char *name = codec == SL_CODEC_HEVC ? "a.hevc" : "a.h264";
    (void)snprintf(path, sizeof path, "%s", scratch_name(&dir, name));
    judge_write(packets, path);
    free(judge_run("ffmpeg -v error -i %s -fps_mode passthrough -pix_fmt %s -f rawvideo -y %s.yuv",
                   path, format, path));
    (void)snprintf(path, sizeof path, "%s/%s.yuv", dir.path, name);
    uint8_t *data = scratch_read(path, size);
    scratch_remove(&dir);
    return data;
}

void clip_decodes(const struct judge_packets *packets, enum sl_codec codec, int count, int first,
                  double psnr)
{
    const size_t frame = CLIP_WIDTH * CLIP_HEIGHT * 3 / 2;
    size_t size;
    uint8_t *is = clip_decode(packets, codec, "yuv420p", &size);
    assert_int_equal(size, (size_t)count * frame);
    for (int i = 0; i < count; i++) {
        double error = 0;
        for (int y = 0; y < CLIP_HEIGHT; y++) {
            for (int x = 0; x < CLIP_WIDTH; x++) {
                double d = (double)is[(size_t)i * frame + (size_t)(y * CLIP_WIDTH + x)] -
                           clip_sample(first + i, 0, x, y);
                error += d * d;
            }
        }
        double got = 10 * log10(255.0 * 255.0 / (error / (CLIP_WIDTH * CLIP_HEIGHT) + 1e-9));
        if (!(got >= psnr)) {
            fail_msg("picture %d: PSNR %.2f dB, expected %.2f", first + i, got, psnr);
        }
    }
    free(is);
}
