/* SPDX-License-Identifier: BSD-2-Clause */
/* The VideoToolbox backend against a test double of Apple's frameworks
 * (tests/standin/videotoolbox): no machine of ours has macOS or the hardware, and what passes here
 * has not been seen on one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "encode/backends.h"
#include "failing_alloc.h"
#include "judge.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/track.h"
#include "standin.h"

/* Not a multiple of 16: the SPS has to crop. */
#define WIDTH  190
#define HEIGHT 106
#define LUMA   (WIDTH * HEIGHT)
#define FRAME  (LUMA * 3 / 2)
#define PTS    700 /* of the first frame: need not start at 0 */

static const struct sl_coder_ops *const both[] = {&sl_encode_videotoolbox_h264,
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
static uint8_t sample(int i, int p, int x, int y)
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

static struct sl_frame *make_as(enum sl_pixel_format format, int i)
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
                    sample(i, p, x, y));
            }
        }
    }
    f->pts = PTS + 3 * i;
    f->duration = 3;
    return f;
}

static struct sl_frame *make(void *arg, int i)
{
    const int *keys = arg;
    struct sl_frame *f = make_as(SL_PIX_NV12, i);
    for (; keys && *keys >= 0; keys++) {
        if (*keys == i) {
            f->flags = SL_FRAME_KEY;
        }
    }
    return f;
}

static struct sl_encode_params defaults(void)
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

static struct sl_coder *open_encoder(const struct sl_coder_ops *ops,
                                     const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (ops->open(&e, p, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

static void send(struct sl_coder *e, struct sl_frame *f)
{
    struct sl_error err = {0};
    if (e->ops->send(e, f, &err) != SL_OK) {
        fail_msg("send: %s", err.msg);
    }
    sl_frame_unref(&f);
}

static struct sl_packet *receive(struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_packet *packet;
    if (e->ops->receive(e, &packet, &err) != SL_OK) {
        fail_msg("receive: %s", err.msg);
    }
    return packet;
}

static long live_before; /* what a test that failed left behind is not the next one's */

static int begin(void **state)
{
    (void)state;
    standin_reset(NULL);
    live_before = standin_live();
    return 0;
}

/* Whatever a test did, every object is released and no call was wrong. */
static int end(void **state)
{
    (void)state;
    const char *complaint = standin_complaint();
    if (complaint) {
        print_error("stand-in: %s\n", complaint);
    }
    long left = standin_live() - live_before;
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
static void check_sets(const struct sl_coder *e, const struct judge_packets *packets)
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

static const char *extension(const struct sl_coder *e)
{
    return e->ops->codec == SL_CODEC_HEVC ? "a.hevc" : "a.h264";
}

/* ffmpeg decodes without a word as many pictures as there are packets, the last of which is frame
 * number last, at a luma PSNR of at least min dB. */
static void check_pictures(const struct sl_coder *e, const struct judge_packets *packets, int last,
                           double min)
{
    struct scratch dir;
    scratch_make(&dir);
    const char *path = scratch_name(&dir, extension(e));
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
            double d = (double)picture[y * WIDTH + x] - sample(last, 0, x, y);
            error += d * d;
        }
    }
    for (int k = 0; k < LUMA / 2; k++) { /* chroma in its place */
        int p = 1 + k / (LUMA / 4), at = k % (LUMA / 4);
        double d = (double)picture[LUMA + k] - sample(last, p, at % (WIDTH / 2), at / (WIDTH / 2));
        error += d * d;
    }
    double psnr = 10 * log10(255.0 * 255.0 / (error / FRAME));
    free(is);
    scratch_remove(&dir);
    if (!(psnr >= min)) {
        fail_msg("PSNR %.2f dB, expected %.2f", psnr, min);
    }
}

/* ---- modes ------------------------------------------------------------------------------- */

static void gives_one_for_one(void **state)
{
    (void)state;
    static const int keys[] = {12, -1};
    static const struct {
        enum sl_rate_control rate;
        int64_t maxrate, buffer;
        bool low_latency;
    } modes[] = {{SL_RATE_VBR, 0, 0, true},
                 {SL_RATE_VBR, 3000000, 1500000, true},
                 {SL_RATE_CBR, 0, 0, true},
                 {SL_RATE_CRF, 0, 0, false},
                 {SL_RATE_CQP, 0, 0, true}};
    for (size_t k = 0; k < 2 * sizeof modes / sizeof modes[0]; k++) {
        struct sl_encode_params p = defaults();
        p.rate = modes[k / 2].rate;
        p.maxrate = modes[k / 2].maxrate;
        p.buffer = modes[k / 2].buffer;
        p.crf = (struct sl_rational){20, 1};
        p.qp = 22;
        struct sl_coder *e = open_encoder(both[k % 2], &p);
        assert_int_equal(standin_low_latency(), modes[k / 2].low_latency);
        assert_true(standin_hardware_required());
        assert_int_equal(e->track.reorder, 0);
        assert_int_equal(e->track.pixel_format, SL_PIX_YUV420P);
        struct judge_packets packets = {.count = 0};
        struct sl_packet *none;
        for (int i = 0; i < 20; i++) {
            send(e, make((void *)(intptr_t)keys, i));
            struct sl_packet *packet = receive(e);
            assert_int_equal(packet->pts, PTS + 3 * i);
            assert_int_equal(packet->duration, 3);
            assert_int_equal((packet->flags & SL_PACKET_KEY) != 0, i == 0 || i == 12);
            packets.packet[packets.count++] = packet;
            assert_int_equal(e->ops->receive(e, &none, NULL), SL_EAGAIN);
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        assert_int_equal(e->ops->receive(e, &none, NULL), SL_EOF);
        check_sets(e, &packets);
        if (k < 2 || k / 2 == 3) {
            check_pictures(e, &packets, 19, 30.0);
        }
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void holds_as_many_as_the_depth(void **state)
{
    (void)state;
    /* With an encoder that waits until it is asked, and one that does not keep to the count. */
    static const struct standin_options ways[] = {
        {.drop = 0}, {.hold = true}, {.hold = true, .unsupported = ",MaxFrameDelayCount,"}};
    static const int depths[] = {4, 1, 16};
    for (size_t k = 0; k < 6; k++) {
        int depth = depths[k / 2];
        const struct standin_options *way = &ways[(k + k / 3) % 3];
        standin_reset(way);
        struct sl_encode_params p = defaults();
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = depth;
        struct sl_coder *e = open_encoder(both[k % 2], &p);
        assert_false(standin_low_latency());
        if (!way->unsupported) {
            assert_int_equal((int)standin_number("MaxFrameDelayCount", 0), depth);
        }
        struct judge_packets packets = {.count = 0};
        struct sl_packet *packet;
        for (int i = 0; i < 25; i++) {
            send(e, make(NULL, i));
            if (i < depth) {
                assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
                continue;
            }
            struct sl_frame *more = make(NULL, i + 1);
            assert_int_equal(e->ops->send(e, more, NULL), SL_EAGAIN);
            sl_frame_unref(&more);
            packet = receive(e);
            assert_int_equal(packet->pts, PTS + 3 * (i - depth));
            packets.packet[packets.count++] = packet;
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        while (packets.count < 25) {
            packets.packet[packets.count++] = receive(e);
            assert_int_equal(packets.packet[packets.count - 1]->pts,
                             PTS + 3 * (int)(packets.count - 1));
        }
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
        check_sets(e, &packets);
        if (depth == 4) {
            check_pictures(e, &packets, 24, 30.0);
        }
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void looks_ahead(void **state)
{
    (void)state;
    static const int keys[] = {0, 40, -1};
    for (size_t k = 0; k < 4; k++) {
        struct sl_encode_params p = defaults();
        p.latency = SL_LATENCY_LOOKAHEAD;
        p.bframes = k < 2 ? -1 : 0;
        struct sl_coder *e = open_encoder(both[k % 2], &p);
        assert_int_equal(standin_number("AllowFrameReordering", 0) != 0, k < 2);
        assert_int_equal((int)standin_number("RealTime", 0), 0);
        assert_int_equal(e->track.reorder > 0, k < 2);
        struct judge_packets packets;
        judge_encode(e, make, (void *)(intptr_t)keys, 60, &packets);
        assert_int_equal(packets.count, 60);
        size_t turned = 0;
        for (size_t i = 1; i < 60; i++) {
            turned += packets.packet[i]->pts < packets.packet[i - 1]->pts;
        }
        assert_int_equal(turned > 0, k < 2);
        check_sets(e, &packets);
        check_pictures(e, &packets, 59, 30.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void takes_each_format(void **state)
{
    (void)state;
    static const struct {
        int codec;
        const char *profile;
        enum sl_pixel_format format;
    } cases[] = {{0, "high", SL_PIX_NV12},     {0, "high", SL_PIX_YUV420P},
                 {1, "main", SL_PIX_NV12},     {1, "main", SL_PIX_YUV420P},
                 {1, "main10", SL_PIX_P010},   {1, "main10", SL_PIX_YUV420P10},
                 {0, "baseline", SL_PIX_NV12}, {0, "main", SL_PIX_NV12}};
    size_t first_size = 0;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = defaults();
        p.profile = cases[k].profile;
        struct sl_coder *e = open_encoder(both[cases[k].codec], &p);
        assert_int_equal(e->track.bit_depth,
                         cases[k].format == SL_PIX_P010 || cases[k].format == SL_PIX_YUV420P10 ? 10
                                                                                               : 8);
        struct judge_packets packets = {.count = 0};
        size_t size = 0;
        for (int i = 0; i < 4; i++) {
            struct sl_frame *f = make_as(cases[k].format, i);
            if (i % 2) { /* bottom up: the same picture */
                for (int n = 0; n < sl_pixel_info(f->format)->planes; n++) {
                    int h = n ? HEIGHT / 2 : HEIGHT;
                    uint8_t *rows = malloc((size_t)f->stride[n] * (size_t)h);
                    memcpy(rows, f->plane[n], (size_t)f->stride[n] * (size_t)h);
                    for (int y = 0; y < h; y++) {
                        memcpy(f->plane[n] + y * f->stride[n], rows + (h - 1 - y) * f->stride[n],
                               (size_t)f->stride[n]);
                    }
                    free(rows);
                    f->plane[n] += (h - 1) * f->stride[n];
                    f->stride[n] = -f->stride[n];
                }
            }
            send(e, f);
            packets.packet[packets.count++] = receive(e);
            size += (size_t)packets.packet[i]->payload.size;
        }
        check_pictures(e, &packets, 3, 30.0);
        /* The same samples in another order are the same stream. */
        if (k % 2 == 0) {
            first_size = size;
        } else if (k < 6) {
            assert_int_equal(size, first_size);
        }
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

/* ---- what is asked for ------------------------------------------------------------------- */

static void assert_near(double is, double want)
{
    if (!(fabs(is - want) <= 1e-9 * fabs(want))) {
        fail_msg("%.12g, expected %.12g", is, want);
    }
}

static void sets_what_is_asked_for(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    p.maxrate = 2000000;
    p.buffer = 500000;
    p.frame_rate = (struct sl_rational){30000, 1001};
    p.gop = 300;
    p.level = 41;
    p.profile = "main";
    p.sample_aspect = (struct sl_rational){32, 27};
    struct sl_coder *e = open_encoder(both[0], &p);
    assert_near(standin_number("AverageBitRate", 0), 1500000);
    assert_near(standin_number("DataRateLimits", 0), 62500);
    assert_near(standin_number("DataRateLimits", 1), 0.25);
    assert_near(standin_number("ExpectedFrameRate", 0), 30000.0 / 1001);
    assert_near(standin_number("MaxKeyFrameInterval", 0), 300);
    assert_near(standin_number("MaxFrameDelayCount", 0), 0);
    assert_near(standin_number("AllowFrameReordering", 0), 0);
    assert_near(standin_number("RealTime", 0), 1);
    assert_near(standin_number("PixelAspectRatio", 0), 32);
    assert_near(standin_number("PixelAspectRatio", 1), 27);
    assert_string_equal(standin_text("ProfileLevel"), "H264_Main_4_1");
    assert_string_equal(standin_text("H264EntropyMode"), "CABAC");
    assert_int_equal(e->track.level, 41);
    assert_int_equal(e->track.profile, 77);
    sl_encode_destroy(&e);

    p = defaults();
    p.rate = SL_RATE_CBR;
    p.level = 21; /* without a name of its own: the SPS says it all the same */
    e = open_encoder(both[0], &p);
    assert_near(standin_number("ConstantBitRate", 0), 1500000);
    assert_false(standin_was_set("AverageBitRate"));
    assert_false(standin_was_set("DataRateLimits"));
    assert_true(standin_number("MaxKeyFrameInterval", 0) >= 1e9);
    assert_string_equal(standin_text("ProfileLevel"), "H264_High_AutoLevel");
    assert_int_equal(e->track.level, 21);
    sl_encode_destroy(&e);

    standin_reset(&(struct standin_options){.unsupported = ",ConstantBitRate,"});
    p.level = 0;
    e = open_encoder(both[1], &p); /* held to one second's worth */
    assert_near(standin_number("AverageBitRate", 0), 1500000);
    assert_near(standin_number("DataRateLimits", 0), 187500);
    assert_near(standin_number("DataRateLimits", 1), 1);
    assert_string_equal(standin_text("ProfileLevel"), "HEVC_Main_AutoLevel");
    sl_encode_destroy(&e);

    p = defaults();
    p.rate = SL_RATE_CRF;
    p.crf = (struct sl_rational){26, 1};
    e = open_encoder(both[1], &p);
    assert_near(standin_number("Quality", 0), 0.5);
    sl_encode_destroy(&e);
    p.rate = SL_RATE_CQP;
    p.qp = 31;
    e = open_encoder(both[0], &p);
    assert_near(standin_number("MaxAllowedFrameQP", 0), 31);
    assert_near(standin_number("MinAllowedFrameQP", 0), 31);
    sl_encode_destroy(&e);
}

static void describes_colour(void **state)
{
    (void)state;
    static const struct {
        struct sl_colour colour;
        const char *says[5];
    } cases[] = {
        {{1, 1, 1, SL_RANGE_LIMITED, 0},
         {"color_space=bt709", "color_primaries=bt709", "color_transfer=bt709", "color_range=tv",
          "sample_aspect_ratio=1:1"}},
        {{6, 6, 6, SL_RANGE_LIMITED, 0}, /* Core Video's name for the curve is BT.709's */
         {"color_space=smpte170m", "color_primaries=smpte170m", "color_transfer=smpte170m",
          "color_range=tv", "sample_aspect_ratio=1:1"}},
        {{9, 14, 9, SL_RANGE_FULL, 0}, /* without a name */
         {"color_space=bt2020nc", "color_primaries=bt2020", "color_transfer=bt2020-10",
          "color_range=pc", "sample_aspect_ratio=1:1"}},
    };
    for (size_t k = 0; k < 6; k++) {
        struct sl_encode_params p = defaults();
        p.colour = cases[k / 2].colour;
        struct sl_coder *e = open_encoder(both[k % 2], &p);
        assert_int_equal(e->track.colour.matrix, p.colour.matrix);
        struct judge_packets packets;
        judge_encode(e, make, NULL, 3, &packets);
        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, extension(e));
        judge_write(&packets, path);
        char *probe = judge_run("ffprobe -v warning -show_streams %s", path);
        for (size_t i = 0; i < 5; i++) {
            judge_has(probe, cases[k / 2].says[i]);
        }
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

/* Bytes of the next count units, one for one. */
static size_t run_on(struct sl_coder *e, int *i, int count)
{
    size_t bytes = 0;
    for (int n = 0; n < count; n++) {
        send(e, make(NULL, (*i)++));
        struct sl_packet *packet = receive(e);
        bytes += (size_t)packet->payload.size;
        sl_packet_unref(&packet);
    }
    return bytes;
}

static void changes_in_mid_stream(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = defaults();
        p.bitrate = 100000;
        p.maxrate = 200000;
        p.buffer = 100000;
        struct sl_coder *e = open_encoder(both[k], &p);
        int i = 0;
        (void)run_on(e, &i, 15);
        size_t low = run_on(e, &i, 20);
        struct sl_encode_params to = p;
        to.bitrate = 4000000;
        to.maxrate = 6000000;
        to.buffer = 3000000;
        to.frame_rate = (struct sl_rational){60, 1};
        assert_int_equal(e->ops->reconfigure(e, &to, NULL), SL_OK);
        assert_near(standin_number("AverageBitRate", 0), 4000000);
        assert_near(standin_number("DataRateLimits", 0), 375000);
        assert_near(standin_number("DataRateLimits", 1), 0.5);
        assert_near(standin_number("ExpectedFrameRate", 0), 60);
        assert_int_equal(e->track.bitrate, 4000000);
        assert_int_equal(e->track.frame_rate.num, 60);
        (void)run_on(e, &i, 10);
        size_t high = run_on(e, &i, 20);
        if (k == 0) { /* x265 keeps to its old rate */
            assert_true(high > 3 * low);
        }
        /* An IDR may come with other parameter sets now, and they are announced. */
        struct sl_frame *f = make(NULL, i);
        f->flags = SL_FRAME_KEY;
        send(e, f);
        struct judge_packets packets = {.count = 1};
        packets.packet[0] = receive(e);
        check_sets(e, &packets);
        judge_drop(&packets);

        /* What cannot be changed leaves all as it was. */
        struct sl_error err = {0};
        struct sl_encode_params wrong = to;
        wrong.width += 2;
        assert_int_equal(e->ops->reconfigure(e, &wrong, &err), SL_EUNSUPPORTED);
        wrong = to;
        wrong.rate = SL_RATE_CQP;
        assert_int_equal(e->ops->reconfigure(e, &wrong, NULL), SL_EUNSUPPORTED);
        wrong = to;
        wrong.bitrate = 7000000;
        standin_fail("VTSessionSetProperty", 3, kVTParameterErr);      /* rate, bitrate, limits */
        assert_int_equal(e->ops->reconfigure(e, &wrong, NULL), SL_OK); /* limits are a wish */
        standin_fail("VTSessionSetProperty", 2, kVTParameterErr);
        wrong.bitrate = 8000000;
        assert_int_equal(e->ops->reconfigure(e, &wrong, NULL), SL_EUNSUPPORTED);
        assert_near(standin_number("AverageBitRate", 0), 7000000);
        sl_encode_destroy(&e);
    }
}

/* ---- pixel buffers ----------------------------------------------------------------------- */

static CVPixelBufferRef pixel_buffer(OSType type, int width, int height, int i)
{
    CVPixelBufferRef b;
    assert_int_equal(CVPixelBufferCreate(NULL, (size_t)width, (size_t)height, type, NULL, &b), 0);
    if (type != kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange) {
        return b;
    }
    assert_int_equal(CVPixelBufferLockBaseAddress(b, 0), 0);
    for (size_t p = 0; p < 2; p++) {
        uint8_t *rows = CVPixelBufferGetBaseAddressOfPlane(b, p);
        for (int y = 0; y < height >> p; y++, rows += CVPixelBufferGetBytesPerRowOfPlane(b, p)) {
            for (int x = 0; x < width; x++) {
                rows[x] = p ? sample(i, 1 + x % 2, x / 2, y) : sample(i, 0, x, y);
            }
        }
    }
    assert_int_equal(CVPixelBufferUnlockBaseAddress(b, 0), 0);
    return b;
}

static struct sl_frame *wrap(CVPixelBufferRef b, int i)
{
    struct sl_frame *f;
    assert_int_equal(sl_frame_create(&f, SL_KIND_VIDEO, NULL), SL_OK);
    f->memory = SL_MEMORY_CVPIXELBUFFER;
    f->width = WIDTH;
    f->height = HEIGHT;
    f->plane[0] = (uint8_t *)(void *)b;
    f->pts = PTS + 3 * i;
    f->duration = 3;
    return f;
}

static void reads_pixel_buffers_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = defaults();
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = 2;
        standin_reset(&(struct standin_options){.hold = true});
        struct sl_coder *e = open_encoder(both[k], &p);
        unsigned made = standin_calls("CVPixelBufferPoolCreatePixelBuffer");
        unsigned locked = standin_calls("CVPixelBufferLockBaseAddress");
        struct judge_packets packets = {.count = 0};
        CVPixelBufferRef buffer[6];
        struct sl_frame *frame[6];
        for (int i = 0; i < 6; i++) {
            buffer[i] =
                pixel_buffer(kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, WIDTH, HEIGHT, i);
            locked++; /* that was us */
            frame[i] = wrap(buffer[i], i);
            send(e, sl_frame_ref(frame[i]));
            assert_ptr_equal(standin_last_image(), buffer[i]);
            if (i < 2) { /* on its way: kept, and so is the frame that owns it */
                assert_true(standin_references(buffer[i]) > 1);
                assert_int_equal(atomic_load(&frame[i]->refs), 2);
            } else {
                packets.packet[packets.count++] = receive(e);
                assert_int_equal(standin_references(buffer[i - 2]), 1);
                assert_int_equal(atomic_load(&frame[i - 2]->refs), 1);
            }
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        packets.packet[packets.count++] = receive(e);
        packets.packet[packets.count++] = receive(e);
        assert_int_equal(standin_calls("CVPixelBufferPoolCreatePixelBuffer"), made);
        assert_int_equal(standin_calls("CVPixelBufferLockBaseAddress"), locked);
        check_pictures(e, &packets, 5, 30.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
        for (int i = 0; i < 6; i++) {
            sl_frame_unref(&frame[i]);
            CFRelease(buffer[i]);
        }
    }
}

/* Those that are not read any more go when the encoder does. */
static void lets_go_of_pixel_buffers(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 4;
    standin_reset(&(struct standin_options){.hold = true});
    struct sl_coder *e = open_encoder(both[0], &p);
    CVPixelBufferRef b =
        pixel_buffer(kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, WIDTH, HEIGHT, 0);
    for (int i = 0; i < 3; i++) {
        send(e, wrap(b, i));
    }
    sl_encode_destroy(&e);
    assert_int_equal(standin_references(b), 1);
    CFRelease(b);
}

static void refuses_pixel_buffers_of_other_kinds(void **state)
{
    (void)state;
    static const struct {
        OSType type;
        int width, height;
    } cases[] = {{kCVPixelFormatType_32BGRA, WIDTH, HEIGHT},
                 {kCVPixelFormatType_420YpCbCr8BiPlanarFullRange, WIDTH, HEIGHT},
                 {kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange, WIDTH, HEIGHT},
                 {kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, WIDTH, HEIGHT + 2},
                 {kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, WIDTH - 2, HEIGHT}};
    struct sl_encode_params p = defaults();
    struct sl_coder *e = open_encoder(both[0], &p);
    struct sl_error err = {0};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        CVPixelBufferRef b = pixel_buffer(cases[k].type, cases[k].width, cases[k].height, 0);
        struct sl_frame *f = wrap(b, 0);
        err = (struct sl_error){0};
        assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
        assert_non_null(strstr(err.msg, "expected '420v' 190x106"));
        sl_frame_unref(&f);
        CFRelease(b);
    }
    struct sl_frame *f = wrap(NULL, 0);
    assert_int_equal(e->ops->send(e, f, NULL), SL_EINVAL);
    sl_frame_unref(&f);
    int i = 0;
    (void)run_on(e, &i, 1);
    sl_encode_destroy(&e);
}

/* ---- what goes wrong --------------------------------------------------------------------- */

static void says_that_a_picture_was_dropped(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = defaults();
        standin_reset(&(struct standin_options){.drop = 4});
        struct sl_coder *e = open_encoder(both[k], &p);
        struct sl_packet *packet;
        struct sl_error err = {0};
        int i = 0;
        (void)run_on(e, &i, 3);
        struct sl_frame *f = make(NULL, i++);
        f->flags = SL_FRAME_KEY;
        assert_int_equal(e->ops->send(e, f, &err), SL_EDATA);
        assert_string_equal(err.msg, "the encoder dropped the picture of pts 709");
        sl_frame_unref(&f);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
        /* Coding goes on, and the IDR comes with the next picture. */
        send(e, make(NULL, i++));
        packet = receive(e);
        assert_true(packet->flags & SL_PACKET_KEY);
        sl_packet_unref(&packet);
        (void)run_on(e, &i, 3);
        sl_encode_destroy(&e);

        standin_reset(&(struct standin_options){.drop = 2});
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = 2;
        e = open_encoder(both[k], &p);
        for (i = 0; i < 3; i++) {
            send(e, make(NULL, i));
        }
        packet = receive(e);
        sl_packet_unref(&packet);
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EDATA);
        packet = receive(e);
        assert_int_equal(packet->pts, PTS + 6);
        sl_packet_unref(&packet);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
        sl_encode_destroy(&e);
    }
}

static void mends_what_was_lost(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    enum sl_encoder_recovery how = SL_RECOVERY_IDR;
    struct sl_coder *e = open_encoder(both[0], &p);
    assert_int_equal(e->ops->recover(e, PTS, &how, NULL), SL_EUNSUPPORTED); /* not asked for */
    sl_encode_destroy(&e);
    p.loss_recovery = true;
    e = open_encoder(both[1], &p); /* this one has none */
    assert_int_equal(e->ops->recover(e, PTS, &how, NULL), SL_EUNSUPPORTED);
    sl_encode_destroy(&e);

    e = open_encoder(both[0], &p);
    assert_near(standin_number("EnableLTR", 0), 1);
    struct judge_packets packets = {.count = 0};
    for (int i = 0; i < 30; i++) {
        if (i == 13) { /* 11 and 12 did not arrive */
            assert_int_equal(e->ops->recover(e, PTS + 3 * 11, &how, NULL), SL_OK);
            assert_int_equal(how, SL_RECOVERY_REFERENCE);
        }
        send(e, make(NULL, i));
        struct sl_packet *packet = receive(e);
        assert_int_equal((packet->flags & SL_PACKET_KEY) != 0, i == 0);
        if (i == 11 || i == 12) {
            sl_packet_unref(&packet);
        } else {
            packets.packet[packets.count++] = packet;
        }
    }
    /* What is left is coded upon what is there. (frame_num has a gap that ffmpeg fills by itself
     * and mentions, hence no check of its words.) */
    struct scratch dir;
    scratch_make(&dir);
    const char *path = scratch_name(&dir, "a.h264");
    judge_write(&packets, path);
    free(
        judge_run("ffmpeg -v fatal -i %s -fps_mode passthrough -f rawvideo -y %s.yuv", path, path));
    char decoded[600];
    (void)snprintf(decoded, sizeof decoded, "%s.yuv", path);
    size_t size;
    uint8_t *is = scratch_read(decoded, &size);
    double error = 0;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double d = (double)is[size - FRAME + (size_t)(y * WIDTH + x)] - sample(29, 0, x, y);
            error += d * d;
        }
    }
    assert_true(10 * log10(255.0 * 255.0 / (error / LUMA)) > 30.0);
    free(is);
    scratch_remove(&dir);
    judge_drop(&packets);
    /* Before the first picture that is kept there is nothing to go back to. */
    assert_int_equal(e->ops->recover(e, PTS, &how, NULL), SL_EUNSUPPORTED);
    sl_encode_destroy(&e);
}

static void note(void *opaque, enum sl_log_level level, const char *component, const char *text)
{
    char *out = opaque;
    assert_string_equal(component, "videotoolbox");
    if (level <= SL_LOG_WARN) {
        size_t used = strlen(out);
        (void)snprintf(out + used, 500 - used, "%s\n", text);
    }
}

static void says_when_it_is_software(void **state)
{
    (void)state;
    char text[500] = "";
    struct sl_log log = {.level = SL_LOG_DEBUG, .write = note, .opaque = text};
    struct sl_encode_params p = defaults();
    p.log = &log;
    struct sl_coder *e = open_encoder(both[0], &p);
    assert_string_equal(text, "");
    sl_encode_destroy(&e);
    standin_reset(&(struct standin_options){.unsupported = ",EnableLowLatencyRateControl,"});
    e = open_encoder(both[1], &p);
    assert_false(standin_low_latency());
    assert_true(standin_hardware_required());
    assert_string_equal(text, "");
    sl_encode_destroy(&e);
    standin_reset(
        &(struct standin_options){.no_hardware = true, .unsupported = ",DataRateLimits,"});
    p.maxrate = 3000000;
    e = open_encoder(both[0], &p);
    assert_false(standin_hardware_required());
    assert_string_equal(text, "coded by software: this machine's hardware cannot, or is taken\n"
                              "DataRateLimits: kVTPropertyNotSupportedErr (-12900)\n");
    sl_encode_destroy(&e);
    /* Without a list of what is supported each property is tried. */
    standin_reset(&(struct standin_options){.no_list = true});
    e = open_encoder(both[0], &p);
    assert_near(standin_number("AverageBitRate", 0), 1500000);
    int i = 0;
    (void)run_on(e, &i, 2);
    sl_encode_destroy(&e);
}

static void finds_broken_streams(void **state)
{
    (void)state;
    static const struct {
        enum standin_damage damage;
        int from;
        enum sl_status status;
        const char *says;
    } cases[] = {
        {STANDIN_LENGTH_TOO_LONG, 2, SL_EDATA, ""},
        {STANDIN_LENGTH_OF_3, 2, SL_EDATA, "lengths of 3 bytes, expected 1, 2 or 4"},
        {STANDIN_OTHER_SPS, 2, SL_EDATA, "in band differs from the one announced"},
        {STANDIN_NO_IDR, 2, SL_EDATA, "is no IDR as asked for"},
        {STANDIN_NOT_SAID, 2, SL_EDATA, "a picture is IDR and is not said to be"},
        {STANDIN_SILENT, 2, SL_EIO, "nothing came back within"},
        {STANDIN_SILENT, 1, SL_EIO, "nothing came back within"},
        {STANDIN_LENGTH_OF_3, 1, SL_EDATA, "lengths of 3 bytes"},
    };
    for (size_t k = 0; k < 2 * sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = defaults();
        struct sl_error err = {0};
        struct sl_coder *e;
        standin_reset(&(struct standin_options){.damage = cases[k / 2].damage,
                                                .damage_from = cases[k / 2].from});
        enum sl_status status = both[k % 2]->open(&e, &p, &err);
        assert_int_equal(status == SL_OK, cases[k / 2].from == 2);
        for (int i = 0; e && i < 3 && status == SL_OK; i++) {
            struct sl_packet *packet;
            struct sl_frame *f = make(NULL, i);
            f->flags = i == 2 ? SL_FRAME_KEY : 0;
            status = e->ops->send(e, f, &err);
            sl_frame_unref(&f);
            if (status == SL_OK) {
                packet = receive(e);
                sl_packet_unref(&packet);
            } else { /* dead, and says so */
                assert_int_equal(e->ops->receive(e, &packet, NULL), status);
                assert_int_equal(e->ops->send(e, NULL, NULL), status);
            }
        }
        assert_int_equal(status, cases[k / 2].status);
        if (!strstr(err.msg, cases[k / 2].says)) {
            fail_msg("\"%s\", expected \"%s\"", err.msg, cases[k / 2].says);
        }
        sl_encode_destroy(&e);
    }
    /* Two bytes of length are as good as four. */
    for (size_t k = 0; k < 2; k++) {
        standin_reset(&(struct standin_options){.length_size = 2});
        struct sl_encode_params p = defaults();
        struct sl_coder *e = open_encoder(both[k], &p);
        struct judge_packets packets;
        judge_encode(e, make, NULL, 5, &packets);
        check_pictures(e, &packets, 4, 30.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
#define BAD(codec, want, ...)                                                                      \
    do {                                                                                           \
        struct sl_encode_params p = defaults();                                                    \
        struct sl_error err = {0};                                                                 \
        struct sl_coder *e;                                                                        \
        __VA_ARGS__;                                                                               \
        assert_int_equal(both[codec]->open(&e, &p, &err), want);                                   \
        assert_int_equal(err.status, want);                                                        \
        assert_string_equal(err.where, "videotoolbox");                                            \
        assert_null(e);                                                                            \
    } while (0)
    BAD(0, SL_EINVAL, p.width = 191);
    BAD(0, SL_EINVAL, p.height = 0);
    BAD(0, SL_EINVAL, p.timebase.den = 0);
    BAD(0, SL_EINVAL, p.timebase.den = (int64_t)1 << 40);
    BAD(0, SL_EINVAL, p.colour.matrix = 0);
    BAD(0, SL_EINVAL, p.preset = "fast");
    BAD(0, SL_EINVAL, p.tune = "film");
    BAD(0, SL_EINVAL, p.profile = "main10");
    BAD(0, SL_EUNSUPPORTED, p.profile = "high10");
    BAD(1, SL_EINVAL, p.profile = "high");
    BAD(0, SL_EUNSUPPORTED, p.intra_refresh = true);
    BAD(0, SL_EINVAL, p.gop = -1);
    BAD(0, SL_EINVAL, p.bitrate = 999);
    BAD(0, SL_EINVAL, p.maxrate = -1);
    BAD(0, SL_EINVAL, p.buffer = (int64_t)1 << 40);
    BAD(0, SL_EINVAL, p.rate = SL_RATE_AUTO);
    BAD(0, SL_EINVAL, p.rate = SL_RATE_CQP, p.qp = 52);
    BAD(0, SL_EINVAL, p.rate = SL_RATE_CRF, p.crf = (struct sl_rational){52, 1});
    BAD(0, SL_EINVAL, p.latency = SL_LATENCY_PIPELINED, p.depth = 0);
    BAD(0, SL_EINVAL, p.latency = SL_LATENCY_PIPELINED, p.depth = 32);
    standin_reset(&(struct standin_options){.unsupported = ",Quality,MinAllowedFrameQP,"});
    BAD(0, SL_EUNSUPPORTED, p.rate = SL_RATE_CRF);
    BAD(0, SL_EUNSUPPORTED, p.rate = SL_RATE_CQP, p.qp = 30);
    standin_reset(NULL);
    standin_fail("VTCompressionSessionEncodeFrame", 1, kVTVideoEncoderNotAvailableNowErr);
    BAD(0, SL_EUNSUPPORTED, p.qp = 0);
#undef BAD
}

static void refuses_bad_frames(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_coder *e = open_encoder(both[0], &p);
    struct sl_error err = {0};
    struct sl_packet *packet;
    struct sl_frame *f = make(NULL, 0);
    struct sl_frame wrong = *f;
    wrong.width += 2;
    assert_int_equal(e->ops->send(e, &wrong, &err), SL_EINVAL);
    wrong = *f;
    wrong.format = SL_PIX_P010;
    assert_int_equal(e->ops->send(e, &wrong, NULL), SL_EINVAL);
    wrong = *f;
    wrong.memory = SL_MEMORY_CUDA;
    assert_int_equal(e->ops->send(e, &wrong, NULL), SL_EINVAL);
    wrong = *f;
    wrong.pts = SL_NO_TIME;
    assert_int_equal(e->ops->send(e, &wrong, NULL), SL_EINVAL);
    send(e, sl_frame_ref(f));
    assert_int_equal(e->ops->send(e, f, NULL), SL_EAGAIN);
    packet = receive(e);
    sl_packet_unref(&packet);
    assert_int_equal(e->ops->send(e, f, NULL), SL_EINVAL); /* the same time again */
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    f->pts++;
    assert_int_equal(e->ops->send(e, f, NULL), SL_EINVAL);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
}

/* ---- every call failing, every allocation failing ----------------------------------------- */

struct run {
    const struct sl_coder_ops *ops;
    struct sl_frame *frames[4];
    enum sl_encoder_latency latency;
};

/* Probes, opens, sends four frames with all that can be asked for, drains. */
static enum sl_status short_run(void *arg)
{
    struct run *r = arg;
    struct sl_encode_params p = defaults();
    struct sl_error err = {0};
    struct sl_coder *e = NULL;
    enum sl_encoder_recovery how;
    int packets = 0;
    p.latency = r->latency;
    p.depth = 2;
    p.maxrate = 2000000;
    p.loss_recovery = true;
    enum sl_status status = r->ops->probe(&err);
    if (status == SL_OK) {
        status = r->ops->open(&e, &p, &err);
        assert_int_equal(status == SL_OK, e != NULL);
    }
    for (int i = 0; i <= 4 && status == SL_OK; i++) {
        if (i == 3) {
            p.bitrate = 1000000;
            status = e->ops->reconfigure(e, &p, &err);
            if (e->ops->recover(e, r->frames[2]->pts, &how, NULL) == SL_OK) {
                assert_int_equal(how, SL_RECOVERY_REFERENCE);
            }
        }
        if (status == SL_OK) {
            status = e->ops->send(e, i < 4 ? r->frames[i] : NULL, &err);
        }
        while (status == SL_OK) {
            struct sl_packet *packet;
            status = e->ops->receive(e, &packet, &err);
            packets += status == SL_OK;
            sl_packet_unref(&packet);
        }
        status = status == SL_EAGAIN ? SL_OK : status;
    }
    sl_encode_destroy(&e);
    if (status == SL_EOF) {
        assert_int_equal(packets, 4);
        return SL_OK;
    }
    assert_int_equal(err.status, status);
    return status;
}

static const struct standin_options replay = {.replay = true};

static void each_run(void (*check)(struct run *r))
{
    struct run r;
    for (int i = 0; i < 4; i++) {
        r.frames[i] = make(NULL, i);
        r.frames[i]->flags = i == 1 ? SL_FRAME_KEY : 0;
    }
    for (size_t k = 0; k < 2; k++) {
        r.ops = both[k];
        r.latency = k == 0 ? SL_LATENCY_SYNC : SL_LATENCY_PIPELINED;
        standin_reset(&replay);
        assert_int_equal(short_run(&r), SL_OK); /* what is replayed is there */
        check(&r);
    }
    for (int i = 0; i < 4; i++) {
        sl_frame_unref(&r.frames[i]);
    }
}

static void fail_each_call(struct run *r)
{
    static const struct {
        const char *function;
        OSStatus code;
    } calls[] = {
        {"CFNumberCreate", 1},
        {"CFStringCreateWithCString", 1},
        {"CFArrayCreate", 1},
        {"CFDictionaryCreate", 1},
        {"VTCompressionSessionCreate", kVTCouldNotFindVideoEncoderErr},
        {"VTCompressionSessionCreate", kVTAllocationFailedErr},
        {"VTCompressionSessionPrepareToEncodeFrames", kVTVideoEncoderNotAvailableNowErr},
        {"VTCompressionSessionEncodeFrame", kVTInvalidSessionErr},
        {"VTCompressionSessionEncodeFrame", kVTVideoEncoderMalfunctionErr},
        {"VTCompressionSessionCompleteFrames", kVTVideoEncoderMalfunctionErr},
        {"VTCompressionSessionGetPixelBufferPool", 1},
        {"VTSessionSetProperty", kVTPropertyNotSupportedErr},
        {"VTSessionSetProperty", kVTInvalidSessionErr},
        {"VTSessionCopyProperty", kVTPropertyNotSupportedErr},
        {"VTSessionCopySupportedPropertyDictionary", kVTAllocationFailedErr},
        {"VTSessionCopySupportedPropertyDictionary", kVTPropertyNotSupportedErr},
        {"CVPixelBufferPoolCreatePixelBuffer", kCVReturnAllocationFailed},
        {"CVPixelBufferLockBaseAddress", kCVReturnError},
        {"CVPixelBufferGetBaseAddressOfPlane", 1},
        {"CMBlockBufferGetDataPointer", kCMBlockBufferBadOffsetParameterErr},
        {"CMBlockBufferCopyDataBytes", kCMBlockBufferBadOffsetParameterErr},
        {"CMSampleBufferGetDataBuffer", 1},
        {"CMSampleBufferGetFormatDescription", 1},
        {"CMVideoFormatDescriptionGetH264ParameterSetAtIndex",
         kCMFormatDescriptionError_InvalidParameter},
        {"CMVideoFormatDescriptionGetHEVCParameterSetAtIndex",
         kCMFormatDescriptionError_InvalidParameter},
        {"output", kVTVideoEncoderMalfunctionErr},
        {"output", kVTVideoEncoderNotAvailableNowErr},
    };
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
        bool refused = false;
        for (unsigned n = 1;; n++) {
            standin_reset(&replay);
            standin_fail(calls[k].function, n, calls[k].code);
            enum sl_status status = short_run(r);
            if (standin_live() != live_before) {
                fail_msg("%s, call %u: %ld objects are left", calls[k].function, n,
                         standin_live() - live_before);
            }
            if (standin_complaint()) {
                fail_msg("%s, call %u: %s", calls[k].function, n, standin_complaint());
            }
            if (!standin_failed()) {
                assert_int_equal(status, SL_OK);
                break;
            }
            refused = refused || status != SL_OK;
        }
        /* Some are wishes, and are only noted. */
        bool wish = strcmp(calls[k].function, "VTSessionCopyProperty") == 0 ||
                    calls[k].code == kVTPropertyNotSupportedErr ||
                    calls[k].code == kVTCouldNotFindVideoEncoderErr;
        if (!refused && !wish && standin_calls(calls[k].function) > 0) {
            fail_msg("%s may fail without being noticed", calls[k].function);
        }
    }
}

static void survives_failing_calls(void **state)
{
    (void)state;
    each_run(fail_each_call);
}

static void fail_each_allocation(struct run *r)
{
    failing_alloc_run(short_run, r);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    each_run(fail_each_allocation);
}

static void repeats_that_the_device_is_lost(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_coder *e = open_encoder(both[0], &p);
    struct sl_error err = {0};
    int i = 0;
    (void)run_on(e, &i, 2);
    standin_fail("output", 1, kVTVideoEncoderNotAvailableNowErr);
    struct sl_frame *f = make(NULL, i);
    assert_int_equal(e->ops->send(e, f, &err), SL_EIO);
    assert_string_equal(err.msg, "encoding: kVTVideoEncoderNotAvailableNowErr (-12915)");
    assert_int_equal(e->ops->send(e, f, NULL), SL_EIO);
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
    e = open_encoder(both[0], &p);
    i = 0;
    (void)run_on(e, &i, 1);
    standin_fail("VTCompressionSessionEncodeFrame", 1, -12345);
    f = make(NULL, i);
    err = (struct sl_error){0};
    assert_int_equal(e->ops->send(e, f, &err), SL_EIO);
    assert_string_equal(err.msg, "encoding: status -12345");
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(gives_one_for_one),
        TEST(holds_as_many_as_the_depth),
        TEST(looks_ahead),
        TEST(takes_each_format),
        TEST(sets_what_is_asked_for),
        TEST(describes_colour),
        TEST(changes_in_mid_stream),
        TEST(reads_pixel_buffers_in_place),
        TEST(lets_go_of_pixel_buffers),
        TEST(refuses_pixel_buffers_of_other_kinds),
        TEST(says_that_a_picture_was_dropped),
        TEST(mends_what_was_lost),
        TEST(says_when_it_is_software),
        TEST(finds_broken_streams),
        TEST(refuses_bad_parameters),
        TEST(refuses_bad_frames),
        TEST(survives_failing_calls),
        TEST(survives_failing_allocations),
        TEST(repeats_that_the_device_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
