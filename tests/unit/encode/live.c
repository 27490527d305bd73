/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/hevc.h"

bool live_is_key(const struct live_clip *c, int i)
{
    for (const int *k = c->keys; k && *k >= 0; k++) {
        if (*k == i) {
            return true;
        }
    }
    return i == 0;
}

static int wave(int at) /* a triangle of 64 steps, 0 to 63 */
{
    at &= 127;
    return at < 64 ? at : 127 - at;
}

static unsigned grain(unsigned x)
{
    x = (x ^ 61u) ^ (x >> 16);
    x *= 9u;
    x ^= x >> 4;
    x *= 0x27d4eb2du;
    return (x ^ (x >> 15)) & 15u;
}

/* Sample of 8 bits: waves with a little fixed grain, drifting by a sample a picture. */
static int sample(const struct live_clip *c, int i, int p, int x, int y)
{
    int scene = c->scene && i >= c->scene ? 3 : 1, at = p ? 2 * x + i : x + i;
    return 48 + wave(at * scene / 2 + 31 * p) + wave((y << (p > 0)) * scene + 17 * scene) +
           (int)grain((unsigned)(at * 7919 + y * 31 + scene));
}

struct sl_frame *live_make(void *arg, int i)
{
    const struct live_clip *c = arg;
    struct sl_error err = {0};
    struct sl_frame *f;
    assert_int_equal(sl_frame_create_video(&f, c->deep ? SL_PIX_YUV420P10 : SL_PIX_YUV420P,
                                           c->width, c->height, NULL, &err),
                     SL_OK);
    for (int p = 0; p < 3; p++) {
        int w = p ? c->width / 2 : c->width, h = p ? c->height / 2 : c->height;
        if (c->upside_down) {
            f->plane[p] += f->stride[p] * (h - 1);
            f->stride[p] = -f->stride[p];
        }
        for (int y = 0; y < h; y++) {
            uint8_t *row = f->plane[p] + f->stride[p] * y;
            for (int x = 0; x < w; x++) {
                int v = sample(c, i, p, x, y);
                if (c->deep) {
                    uint16_t deep = (uint16_t)(4 * v + (x & 3));
                    memcpy(row + (ptrdiff_t)2 * x, &deep, 2);
                } else {
                    row[x] = (uint8_t)v;
                }
            }
        }
    }
    f->pts = 3000 * (int64_t)i + 77;
    f->duration = 3000;
    f->flags = live_is_key(c, i) && i > 0 ? SL_FRAME_KEY : 0;
    return f;
}

struct sl_encode_params live_params(const struct live_clip *c)
{
    return (struct sl_encode_params){
        .timebase = {1, 90000},
        .threads = 1,
        .width = c->width,
        .height = c->height,
        .frame_rate = {30, 1},
        .sample_aspect = {1, 1},
        .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
        .rate = SL_RATE_CQP,
        .qp = 28,
        .latency = SL_LATENCY_SYNC,
        .bframes = -1,
    };
}

struct sl_coder *live_open(const struct sl_coder_ops *ops, const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (ops->open(&e, p, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

void live_refused(const struct sl_coder_ops *ops, const struct sl_encode_params *p,
                  enum sl_status status, const char *says)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    enum sl_status is = ops->open(&e, p, &err);
    if (is != status || e || !strstr(err.msg, says)) {
        fail_msg("status %d, expected %d; \"%s\" in \"%s\"", (int)is, (int)status, says, err.msg);
    }
}

void live_sync(struct sl_coder *e, struct live_clip *c, int first, int count,
               struct judge_packets *out)
{
    for (int i = first; i < first + count; i++) {
        struct sl_error err = {0};
        struct sl_frame *frame = live_make(c, i);
        struct sl_packet *packet, *none;
        if (e->ops->send(e, frame, &err) != SL_OK) {
            fail_msg("picture %d: %s", i, err.msg);
        }
        assert_int_equal(e->ops->send(e, frame, NULL), SL_EAGAIN);
        assert_int_equal(e->ops->receive(e, &packet, &err), SL_OK);
        assert_int_equal(packet->pts, frame->pts);
        assert_int_equal(packet->duration, frame->duration);
        assert_true(packet->dts == SL_NO_TIME);
        assert_int_equal(e->ops->receive(e, &none, &err), SL_EAGAIN);
        assert_null(none);
        sl_frame_unref(&frame);
        assert_in_range(out->count, 0, JUDGE_PACKETS_MAX - 1);
        out->packet[out->count++] = packet;
    }
}

static bool is_hevc(const struct sl_coder *e)
{
    return e->track.codec == SL_CODEC_HEVC;
}

static unsigned type_of(const struct sl_coder *e, const struct sl_nal *nal)
{
    return is_hevc(e) ? nal->data[0] >> 1 & 0x3f : nal->data[0] & 0x1f;
}

/* Number of units of parameter sets, each announced in config; fails on what must not be there. */
static size_t check_unit(const struct sl_coder *e, const struct sl_nal_config *config,
                         const struct sl_packet *packet, bool *idr)
{
    struct sl_nal_walker w = {0};
    struct sl_nal nal;
    size_t sets = 0, slices = 0;
    *idr = false;
    w.data = judge_payload(packet, &w.size);
    while (sl_nal_next_annexb(&w, &nal)) {
        unsigned t = type_of(e, &nal);
        if (is_hevc(e)) {
            assert_true(t != SL_HEVC_AUD && t != 38 && t != SL_HEVC_CRA);
            *idr = *idr || t == SL_HEVC_IDR_W_RADL || t == SL_HEVC_IDR_N_LP;
            slices += t < SL_HEVC_VPS;
        } else {
            assert_true(t != SL_H264_AUD && t != 12);
            *idr = *idr || t == SL_H264_IDR;
            slices += t >= SL_H264_SLICE && t <= SL_H264_IDR;
        }
        bool set = is_hevc(e) ? t >= SL_HEVC_VPS && t <= SL_HEVC_PPS
                              : t == SL_H264_SPS || t == SL_H264_PPS;
        if (set) {
            assert_int_equal(slices, 0);
            assert_in_range(sets, 0, config->count - 1);
            assert_int_equal(nal.size, config->sets[sets].size);
            assert_memory_equal(nal.data, config->sets[sets].data, nal.size);
            sets++;
        }
    }
    assert_in_range(slices, 1, 100);
    return sets;
}

void live_check(const struct sl_coder *e, const struct live_clip *c, int64_t gop,
                const struct judge_packets *packets)
{
    struct sl_error err = {0};
    struct sl_nal_config config;
    enum sl_status status =
        is_hevc(e) ? sl_hvcc_parse(e->track.config, e->track.config_size, &config, &err)
                   : sl_avcc_parse(e->track.config, e->track.config_size, &config, &err);
    assert_int_equal(status, SL_OK);
    assert_int_equal(config.count, is_hevc(e) ? 3 : 2);
    int64_t since = 0;
    for (size_t i = 0; i < packets->count; i++) {
        bool idr, key = (packets->packet[i]->flags & SL_PACKET_KEY) != 0;
        size_t sets = check_unit(e, &config, packets->packet[i], &idr);
        bool expected = live_is_key(c, (int)i) || (gop > 0 && since == gop);
        if (key != expected || idr != key || sets != (key ? config.count : 0)) {
            fail_msg("unit %zu: key %d, expected %d; IDR %d; %zu parameter sets", i, key, expected,
                     idr, sets);
        }
        since = key ? 1 : since + 1;
    }
}

static int read_sample(const struct live_clip *c, const uint8_t *plane, size_t at)
{
    uint16_t deep;
    if (!c->deep) {
        return plane[at];
    }
    memcpy(&deep, plane + 2 * at, 2);
    return deep;
}

double live_psnr(const struct live_clip *c, const struct sl_coder *e,
                 const struct judge_packets *packets)
{
    struct scratch dir;
    scratch_make(&dir);
    char coded[512], raw[512];
    (void)snprintf(coded, sizeof coded, "%s", scratch_name(&dir, is_hevc(e) ? "a.hevc" : "a.h264"));
    (void)snprintf(raw, sizeof raw, "%s", scratch_name(&dir, "a.yuv"));
    judge_write(packets, coded);
    free(judge_run("ffmpeg -v warning -f %s -i %s -fps_mode passthrough -f rawvideo -y %s",
                   is_hevc(e) ? "hevc" : "h264", coded, raw));
    size_t size, bytes = c->deep ? 2 : 1, luma = (size_t)c->width * (size_t)c->height;
    uint8_t *is = scratch_read(raw, &size);
    assert_int_equal(size, packets->count * luma * 3 / 2 * bytes);
    double worst = 100;
    for (size_t i = 0; i < packets->count; i++) {
        int n = (int)((packets->packet[i]->pts - 77) / 3000);
        double error = 0;
        for (int y = 0; y < c->height; y++) {
            for (int x = 0; x < c->width; x++) {
                int was = sample(c, n, 0, x, y);
                was = c->deep ? 4 * was + (x & 3) : was;
                size_t at = (size_t)y * (size_t)c->width + (size_t)x;
                int d = read_sample(c, is + i * luma * 3 / 2 * bytes, at) - was;
                error += (double)d * d;
            }
        }
        double peak = c->deep ? 1023 : 255;
        double psnr = error > 0 ? 10 * log10(peak * peak / (error / (double)luma)) : 100;
        worst = psnr < worst ? psnr : worst;
    }
    free(is);
    scratch_remove(&dir);
    return worst;
}

size_t live_bytes(const struct judge_packets *packets, size_t first, size_t count)
{
    size_t bytes = 0;
    for (size_t i = first; i < first + count; i++) {
        size_t size;
        assert_in_range(i, 0, packets->count - 1);
        (void)judge_payload(packets->packet[i], &size);
        bytes += size;
    }
    return bytes;
}
