/* SPDX-License-Identifier: BSD-2-Clause */
/* The VideoToolbox backend against a test double of Apple's frameworks
 * (tests/standin/videotoolbox): no machine of ours has macOS or the hardware, and what passes here
 * has not been seen on one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/h264.h"
#include "media/hevc.h"
#include "media/track.h"
#include "videotoolbox_clip.h"

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
        struct sl_encode_params p = vt_defaults();
        p.rate = modes[k / 2].rate;
        p.maxrate = modes[k / 2].maxrate;
        p.buffer = modes[k / 2].buffer;
        p.crf = (struct sl_rational){20, 1};
        p.qp = 22;
        struct sl_coder *e = vt_open(vt_both[k % 2], &p);
        assert_int_equal(standin_low_latency(), modes[k / 2].low_latency);
        assert_true(standin_hardware_required());
        assert_int_equal(e->track.reorder, 0);
        assert_int_equal(e->track.pixel_format, SL_PIX_YUV420P);
        struct judge_packets packets = {.count = 0};
        struct sl_packet *none;
        for (int i = 0; i < 20; i++) {
            vt_send(e, vt_make((void *)(intptr_t)keys, i));
            struct sl_packet *packet = vt_receive(e);
            assert_int_equal(packet->pts, PTS + 3 * i);
            assert_int_equal(packet->duration, 3);
            assert_int_equal((packet->flags & SL_PACKET_KEY) != 0, i == 0 || i == 12);
            packets.packet[packets.count++] = packet;
            assert_int_equal(e->ops->receive(e, &none, NULL), SL_EAGAIN);
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        assert_int_equal(e->ops->receive(e, &none, NULL), SL_EOF);
        vt_check_sets(e, &packets);
        if (k < 2 || k / 2 == 3) {
            vt_check_pictures(e, &packets, 19, 30.0);
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
        struct sl_encode_params p = vt_defaults();
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = depth;
        struct sl_coder *e = vt_open(vt_both[k % 2], &p);
        assert_false(standin_low_latency());
        if (!way->unsupported) {
            assert_int_equal((int)standin_number("MaxFrameDelayCount", 0), depth);
        }
        struct judge_packets packets = {.count = 0};
        struct sl_packet *packet;
        for (int i = 0; i < 25; i++) {
            vt_send(e, vt_make(NULL, i));
            if (i < depth) {
                assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
                continue;
            }
            struct sl_frame *more = vt_make(NULL, i + 1);
            assert_int_equal(e->ops->send(e, more, NULL), SL_EAGAIN);
            sl_frame_unref(&more);
            packet = vt_receive(e);
            assert_int_equal(packet->pts, PTS + 3 * (i - depth));
            packets.packet[packets.count++] = packet;
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        while (packets.count < 25) {
            packets.packet[packets.count++] = vt_receive(e);
            assert_int_equal(packets.packet[packets.count - 1]->pts,
                             PTS + 3 * (int)(packets.count - 1));
        }
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
        vt_check_sets(e, &packets);
        if (depth == 4) {
            vt_check_pictures(e, &packets, 24, 30.0);
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
        struct sl_encode_params p = vt_defaults();
        p.latency = SL_LATENCY_LOOKAHEAD;
        p.bframes = k < 2 ? -1 : 0;
        struct sl_coder *e = vt_open(vt_both[k % 2], &p);
        assert_int_equal(standin_number("AllowFrameReordering", 0) != 0, k < 2);
        assert_int_equal((int)standin_number("RealTime", 0), 0);
        assert_int_equal(e->track.reorder > 0, k < 2);
        struct judge_packets packets;
        judge_encode(e, vt_make, (void *)(intptr_t)keys, 60, &packets);
        assert_int_equal(packets.count, 60);
        size_t turned = 0;
        for (size_t i = 1; i < 60; i++) {
            turned += packets.packet[i]->pts < packets.packet[i - 1]->pts;
        }
        assert_int_equal(turned > 0, k < 2);
        vt_check_sets(e, &packets);
        vt_check_pictures(e, &packets, 59, 30.0);
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
        struct sl_encode_params p = vt_defaults();
        p.profile = cases[k].profile;
        struct sl_coder *e = vt_open(vt_both[cases[k].codec], &p);
        assert_int_equal(e->track.bit_depth,
                         cases[k].format == SL_PIX_P010 || cases[k].format == SL_PIX_YUV420P10 ? 10
                                                                                               : 8);
        struct judge_packets packets = {.count = 0};
        size_t size = 0;
        for (int i = 0; i < 4; i++) {
            struct sl_frame *f = vt_make_as(cases[k].format, i);
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
            vt_send(e, f);
            packets.packet[packets.count++] = vt_receive(e);
            size += (size_t)packets.packet[i]->payload.size;
        }
        vt_check_pictures(e, &packets, 3, 30.0);
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

static void sets_what_is_asked_for(void **state)
{
    (void)state;
    struct sl_encode_params p = vt_defaults();
    p.maxrate = 2000000;
    p.buffer = 500000;
    p.frame_rate = (struct sl_rational){30000, 1001};
    p.gop = 300;
    p.level = 41;
    p.profile = "main";
    p.sample_aspect = (struct sl_rational){32, 27};
    struct sl_coder *e = vt_open(vt_both[0], &p);
    vt_near(standin_number("AverageBitRate", 0), 1500000);
    vt_near(standin_number("DataRateLimits", 0), 62500);
    vt_near(standin_number("DataRateLimits", 1), 0.25);
    vt_near(standin_number("ExpectedFrameRate", 0), 30000.0 / 1001);
    vt_near(standin_number("MaxKeyFrameInterval", 0), 300);
    vt_near(standin_number("MaxFrameDelayCount", 0), 0);
    vt_near(standin_number("AllowFrameReordering", 0), 0);
    vt_near(standin_number("RealTime", 0), 1);
    vt_near(standin_number("PixelAspectRatio", 0), 32);
    vt_near(standin_number("PixelAspectRatio", 1), 27);
    assert_string_equal(standin_text("ProfileLevel"), "H264_Main_4_1");
    assert_string_equal(standin_text("H264EntropyMode"), "CABAC");
    assert_int_equal(e->track.level, 41);
    assert_int_equal(e->track.profile, 77);
    sl_encode_destroy(&e);

    p = vt_defaults();
    p.rate = SL_RATE_CBR;
    p.level = 21; /* without a name of its own: the SPS says it all the same */
    e = vt_open(vt_both[0], &p);
    vt_near(standin_number("ConstantBitRate", 0), 1500000);
    assert_false(standin_was_set("AverageBitRate"));
    assert_false(standin_was_set("DataRateLimits"));
    assert_true(standin_number("MaxKeyFrameInterval", 0) >= 1e9);
    assert_string_equal(standin_text("ProfileLevel"), "H264_High_AutoLevel");
    assert_int_equal(e->track.level, 21);
    sl_encode_destroy(&e);

    standin_reset(&(struct standin_options){.unsupported = ",ConstantBitRate,"});
    p.level = 0;
    e = vt_open(vt_both[1], &p); /* held to one second's worth */
    vt_near(standin_number("AverageBitRate", 0), 1500000);
    vt_near(standin_number("DataRateLimits", 0), 187500);
    vt_near(standin_number("DataRateLimits", 1), 1);
    assert_string_equal(standin_text("ProfileLevel"), "HEVC_Main_AutoLevel");
    sl_encode_destroy(&e);

    p = vt_defaults();
    p.rate = SL_RATE_CRF;
    p.crf = (struct sl_rational){26, 1};
    e = vt_open(vt_both[1], &p);
    vt_near(standin_number("Quality", 0), 0.5);
    sl_encode_destroy(&e);
    p.rate = SL_RATE_CQP;
    p.qp = 31;
    e = vt_open(vt_both[0], &p);
    vt_near(standin_number("MaxAllowedFrameQP", 0), 31);
    vt_near(standin_number("MinAllowedFrameQP", 0), 31);
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
        struct sl_encode_params p = vt_defaults();
        p.colour = cases[k / 2].colour;
        struct sl_coder *e = vt_open(vt_both[k % 2], &p);
        assert_int_equal(e->track.colour.matrix, p.colour.matrix);
        struct judge_packets packets;
        judge_encode(e, vt_make, NULL, 3, &packets);
        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, vt_extension(e));
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

static void changes_in_mid_stream(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = vt_defaults();
        p.bitrate = 100000;
        p.maxrate = 200000;
        p.buffer = 100000;
        struct sl_coder *e = vt_open(vt_both[k], &p);
        int i = 0;
        (void)vt_run_on(e, &i, 15);
        size_t low = vt_run_on(e, &i, 20);
        struct sl_encode_params to = p;
        to.bitrate = 4000000;
        to.maxrate = 6000000;
        to.buffer = 3000000;
        to.frame_rate = (struct sl_rational){60, 1};
        assert_int_equal(e->ops->reconfigure(e, &to, NULL), SL_OK);
        vt_near(standin_number("AverageBitRate", 0), 4000000);
        vt_near(standin_number("DataRateLimits", 0), 375000);
        vt_near(standin_number("DataRateLimits", 1), 0.5);
        vt_near(standin_number("ExpectedFrameRate", 0), 60);
        assert_int_equal(e->track.bitrate, 4000000);
        assert_int_equal(e->track.frame_rate.num, 60);
        (void)vt_run_on(e, &i, 10);
        size_t high = vt_run_on(e, &i, 20);
        if (k == 0) { /* x265 keeps to its old rate */
            assert_true(high > 3 * low);
        }
        /* An IDR may come with other parameter sets now, and they are announced. */
        struct sl_frame *f = vt_make(NULL, i);
        f->flags = SL_FRAME_KEY;
        vt_send(e, f);
        struct judge_packets packets = {.count = 1};
        packets.packet[0] = vt_receive(e);
        vt_check_sets(e, &packets);
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
        vt_near(standin_number("AverageBitRate", 0), 7000000);
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
                rows[x] = p ? vt_sample(i, 1 + x % 2, x / 2, y) : vt_sample(i, 0, x, y);
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
        struct sl_encode_params p = vt_defaults();
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = 2;
        standin_reset(&(struct standin_options){.hold = true});
        struct sl_coder *e = vt_open(vt_both[k], &p);
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
            vt_send(e, sl_frame_ref(frame[i]));
            assert_ptr_equal(standin_last_image(), buffer[i]);
            if (i < 2) { /* on its way: kept, and so is the frame that owns it */
                assert_true(standin_references(buffer[i]) > 1);
                assert_int_equal(atomic_load(&frame[i]->refs), 2);
            } else {
                packets.packet[packets.count++] = vt_receive(e);
                assert_int_equal(standin_references(buffer[i - 2]), 1);
                assert_int_equal(atomic_load(&frame[i - 2]->refs), 1);
            }
        }
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        packets.packet[packets.count++] = vt_receive(e);
        packets.packet[packets.count++] = vt_receive(e);
        assert_int_equal(standin_calls("CVPixelBufferPoolCreatePixelBuffer"), made);
        assert_int_equal(standin_calls("CVPixelBufferLockBaseAddress"), locked);
        vt_check_pictures(e, &packets, 5, 30.0);
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
    struct sl_encode_params p = vt_defaults();
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 4;
    standin_reset(&(struct standin_options){.hold = true});
    struct sl_coder *e = vt_open(vt_both[0], &p);
    CVPixelBufferRef b =
        pixel_buffer(kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, WIDTH, HEIGHT, 0);
    for (int i = 0; i < 3; i++) {
        vt_send(e, wrap(b, i));
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
    struct sl_encode_params p = vt_defaults();
    struct sl_coder *e = vt_open(vt_both[0], &p);
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
    (void)vt_run_on(e, &i, 1);
    sl_encode_destroy(&e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, vt_begin, vt_end)
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
