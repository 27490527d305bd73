/* SPDX-License-Identifier: BSD-2-Clause */
#include "videotoolbox_clip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/h264.h"
#include "media/hevc.h"
#include "media/track.h"

const struct sl_coder_ops *const vt_both[2] = {&sl_encode_videotoolbox_h264,
                                               &sl_encode_videotoolbox_hevc};

/* ---- what is encoded --------------------------------------------------------------------- */

static uint32_t hash(uint32_t x)
{
    x = (x ^ 61u) ^ (x >> 16);
    x *= 9u;
    x ^= x >> 4;
    x *= 0x27d4eb2du;
    return x ^ (x >> 15);
}

/* Sample x, y of plane p in frame i, 8 bits: smooth waves that drift, and grain that does not. */
uint8_t vt_sample(int i, int p, int x, int y)
{
    double wave = sin((double)(x + 2 * i) / 9.0) + cos((double)y / 7.0 + (double)p);
    return (uint8_t)(112.0 + 38.0 * wave +
                     hash((uint32_t)(x * 409 + y * 7 + i * 31 * (p == 0))) % 12);
}

static void put(struct sl_frame *f, int plane, int x, int y, int value)
{
    const struct sl_pixel_info *info = sl_pixel_info(f->format);
    uint8_t *at = f->plane[plane] + y * f->stride[plane] + (ptrdiff_t)x * info->sample_bytes;
    if (info->sample_bytes == 2) {
        uint16_t wide = (uint16_t)(value << 2 << info->shift);
        memcpy(at, &wide, 2);
    } else {
        *at = (uint8_t)value;
    }
}

struct sl_frame *vt_make_as(enum sl_pixel_format format, int i)
{
    struct sl_error err = {0};
    struct sl_frame *f;
    assert_int_equal(sl_frame_create_video(&f, format, WIDTH, HEIGHT, NULL, &err), SL_OK);
    bool planar = sl_pixel_info(format)->planes == 3;
    for (int p = 0; p < 3; p++) {
        int w = p ? WIDTH / 2 : WIDTH, h = p ? HEIGHT / 2 : HEIGHT;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                put(f, planar || p == 0 ? p : 1, planar || p == 0 ? x : 2 * x + p - 1, y,
                    vt_sample(i, p, x, y));
            }
        }
    }
    f->pts = PTS + 3 * i;
    f->duration = 3;
    return f;
}

struct sl_frame *vt_make(void *arg, int i)
{
    const int *keys = arg;
    struct sl_frame *f = vt_make_as(SL_PIX_NV12, i);
    for (; keys && *keys >= 0; keys++) {
        if (*keys == i) {
            f->flags = SL_FRAME_KEY;
        }
    }
    return f;
}

struct sl_encode_params vt_defaults(void)
{
    return (struct sl_encode_params){
        .timebase = {1, 90},
        .width = WIDTH,
        .height = HEIGHT,
        .frame_rate = {30, 1},
        .sample_aspect = {1, 1},
        .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
        .rate = SL_RATE_VBR,
        .bitrate = 1500000,
        .latency = SL_LATENCY_SYNC,
        .bframes = -1,
    };
}

struct sl_coder *vt_open(const struct sl_coder_ops *ops, const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (ops->open(&e, p, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

void vt_send(struct sl_coder *e, struct sl_frame *f)
{
    struct sl_error err = {0};
    if (e->ops->send(e, f, &err) != SL_OK) {
        fail_msg("send: %s", err.msg);
    }
    sl_frame_unref(&f);
}

struct sl_packet *vt_receive(struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_packet *packet;
    if (e->ops->receive(e, &packet, &err) != SL_OK) {
        fail_msg("receive: %s", err.msg);
    }
    return packet;
}

long vt_live_before; /* what a test that failed left behind is not the next one's */

int vt_begin(void **state)
{
    (void)state;
    standin_reset(NULL);
    vt_live_before = standin_live();
    return 0;
}

/* Whatever a test did, every object is released and no call was wrong. */
int vt_end(void **state)
{
    (void)state;
    const char *complaint = standin_complaint();
    if (complaint) {
        print_error("stand-in: %s\n", complaint);
    }
    long left = standin_live() - vt_live_before;
    if (left != 0) {
        print_error("stand-in: %ld objects are left\n", left);
    }
    return complaint || left != 0 ? -1 : 0;
}

/* ---- judging ----------------------------------------------------------------------------- */

static unsigned type_of(const struct sl_coder *e, const struct sl_nal *nal)
{
    return e->ops->codec == SL_CODEC_HEVC ? nal->data[0] >> 1 & 0x3fu : nal->data[0] & 0x1fu;
}

static bool is_set(const struct sl_coder *e, unsigned type)
{
    return e->ops->codec == SL_CODEC_HEVC ? type >= SL_HEVC_VPS && type <= SL_HEVC_PPS
                                          : type == SL_H264_SPS || type == SL_H264_PPS;
}

/* Parameter sets stand in front of IDR pictures, all of them, and nowhere else, and are those of
 * the track's config. */
void vt_check_sets(const struct sl_coder *e, const struct judge_packets *packets)
{
    const struct sl_track *t = &e->track;
    bool hevc = e->ops->codec == SL_CODEC_HEVC;
    struct sl_nal_config config;
    struct sl_error err = {0};
    assert_int_equal(hevc ? sl_hvcc_parse(t->config, t->config_size, &config, &err)
                          : sl_avcc_parse(t->config, t->config_size, &config, &err),
                     SL_OK);
    assert_int_equal(config.count, hevc ? 3 : 2);
    for (size_t i = 0; i < packets->count; i++) {
        bool key = (packets->packet[i]->flags & SL_PACKET_KEY) != 0;
        struct sl_nal_walker w = {0};
        struct sl_nal nal;
        size_t found = 0;
        w.data = judge_payload(packets->packet[i], &w.size);
        assert_int_equal(key, hevc ? sl_hevc_is_irap(w.data, w.size, 0)
                                   : sl_h264_is_idr(w.data, w.size, 0));
        while (sl_nal_next_annexb(&w, &nal)) {
            if (is_set(e, type_of(e, &nal))) {
                assert_true(key && found < config.count);
                assert_int_equal(nal.size, config.sets[found].size);
                assert_memory_equal(nal.data, config.sets[found].data, nal.size);
                found++;
            }
        }
        assert_int_equal(found, key ? config.count : 0);
    }
}

const char *vt_extension(const struct sl_coder *e)
{
    return e->ops->codec == SL_CODEC_HEVC ? "a.hevc" : "a.h264";
}

/* ffmpeg decodes without a word as many pictures as there are packets, the last of which is frame
 * number last, at a luma PSNR of at least min dB. */
void vt_check_pictures(const struct sl_coder *e, const struct judge_packets *packets, int last,
                       double min)
{
    struct scratch dir;
    scratch_make(&dir);
    const char *path = scratch_name(&dir, vt_extension(e));
    judge_write(packets, path);
    free(judge_run("ffmpeg -v warning -i %s -fps_mode passthrough -pix_fmt yuv420p -f rawvideo -y "
                   "%s.yuv",
                   path, path));
    char decoded[600];
    (void)snprintf(decoded, sizeof decoded, "%s.yuv", path);
    size_t size;
    uint8_t *is = scratch_read(decoded, &size);
    assert_int_equal(size, packets->count * FRAME);
    double error = 0;
    const uint8_t *picture = is + size - FRAME;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double d = (double)picture[y * WIDTH + x] - vt_sample(last, 0, x, y);
            error += d * d;
        }
    }
    for (int k = 0; k < LUMA / 2; k++) { /* chroma in its place */
        int p = 1 + k / (LUMA / 4), at = k % (LUMA / 4);
        double d =
            (double)picture[LUMA + k] - vt_sample(last, p, at % (WIDTH / 2), at / (WIDTH / 2));
        error += d * d;
    }
    double psnr = 10 * log10(255.0 * 255.0 / (error / FRAME));
    free(is);
    scratch_remove(&dir);
    if (!(psnr >= min)) {
        fail_msg("PSNR %.2f dB, expected %.2f", psnr, min);
    }
}

void vt_near(double is, double want)
{
    if (!(fabs(is - want) <= 1e-9 * fabs(want))) {
        fail_msg("%.12g, expected %.12g", is, want);
    }
}

/* Bytes of the next count units, one for one. */
size_t vt_run_on(struct sl_coder *e, int *i, int count)
{
    size_t bytes = 0;
    for (int n = 0; n < count; n++) {
        vt_send(e, vt_make(NULL, (*i)++));
        struct sl_packet *packet = vt_receive(e);
        bytes += (size_t)packet->payload.size;
        sl_packet_unref(&packet);
    }
    return bytes;
}
