/* SPDX-License-Identifier: BSD-2-Clause */
/* The VideoToolbox backend where something goes wrong, against a test double of Apple's frameworks
 * (tests/standin/videotoolbox): what passes here has not been seen on a Mac. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/track.h"
#include "videotoolbox_clip.h"

/* ---- what goes wrong --------------------------------------------------------------------- */

static void says_that_a_picture_was_dropped(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = vt_defaults();
        standin_reset(&(struct standin_options){.drop = 4});
        struct sl_coder *e = vt_open(vt_both[k], &p);
        struct sl_packet *packet;
        struct sl_error err = {0};
        int i = 0;
        (void)vt_run_on(e, &i, 3);
        struct sl_frame *f = vt_make(NULL, i++);
        f->flags = SL_FRAME_KEY;
        assert_int_equal(e->ops->send(e, f, &err), SL_EDATA);
        assert_string_equal(err.msg, "the encoder dropped the picture of pts 709");
        sl_frame_unref(&f);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
        /* Coding goes on, and the IDR comes with the next picture. */
        vt_send(e, vt_make(NULL, i++));
        packet = vt_receive(e);
        assert_true(packet->flags & SL_PACKET_KEY);
        sl_packet_unref(&packet);
        (void)vt_run_on(e, &i, 3);
        sl_encode_destroy(&e);

        standin_reset(&(struct standin_options){.drop = 2});
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = 2;
        e = vt_open(vt_both[k], &p);
        for (i = 0; i < 3; i++) {
            vt_send(e, vt_make(NULL, i));
        }
        packet = vt_receive(e);
        sl_packet_unref(&packet);
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EDATA);
        packet = vt_receive(e);
        assert_int_equal(packet->pts, PTS + 6);
        sl_packet_unref(&packet);
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
        sl_encode_destroy(&e);
    }
}

static void mends_what_was_lost(void **state)
{
    (void)state;
    struct sl_encode_params p = vt_defaults();
    enum sl_encoder_recovery how = SL_RECOVERY_IDR;
    struct sl_coder *e = vt_open(vt_both[0], &p);
    assert_int_equal(e->ops->recover(e, PTS, &how, NULL), SL_EUNSUPPORTED); /* not asked for */
    sl_encode_destroy(&e);
    p.loss_recovery = true;
    e = vt_open(vt_both[1], &p); /* this one has none */
    assert_int_equal(e->ops->recover(e, PTS, &how, NULL), SL_EUNSUPPORTED);
    sl_encode_destroy(&e);

    e = vt_open(vt_both[0], &p);
    vt_near(standin_number("EnableLTR", 0), 1);
    struct judge_packets packets = {.count = 0};
    for (int i = 0; i < 30; i++) {
        if (i == 13) { /* 11 and 12 did not arrive */
            assert_int_equal(e->ops->recover(e, PTS + 3 * 11, &how, NULL), SL_OK);
            assert_int_equal(how, SL_RECOVERY_REFERENCE);
        }
        vt_send(e, vt_make(NULL, i));
        struct sl_packet *packet = vt_receive(e);
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
            double d = (double)is[size - FRAME + (size_t)(y * WIDTH + x)] - vt_sample(29, 0, x, y);
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
    struct sl_encode_params p = vt_defaults();
    p.log = &log;
    struct sl_coder *e = vt_open(vt_both[0], &p);
    assert_string_equal(text, "");
    sl_encode_destroy(&e);
    standin_reset(&(struct standin_options){.unsupported = ",EnableLowLatencyRateControl,"});
    e = vt_open(vt_both[1], &p);
    assert_false(standin_low_latency());
    assert_true(standin_hardware_required());
    assert_string_equal(text, "");
    sl_encode_destroy(&e);
    standin_reset(
        &(struct standin_options){.no_hardware = true, .unsupported = ",DataRateLimits,"});
    p.maxrate = 3000000;
    e = vt_open(vt_both[0], &p);
    assert_false(standin_hardware_required());
    assert_string_equal(text, "coded by software: this machine's hardware cannot, or is taken\n"
                              "DataRateLimits: kVTPropertyNotSupportedErr (-12900)\n");
    sl_encode_destroy(&e);
    /* Without a list of what is supported each property is tried. */
    standin_reset(&(struct standin_options){.no_list = true});
    e = vt_open(vt_both[0], &p);
    vt_near(standin_number("AverageBitRate", 0), 1500000);
    int i = 0;
    (void)vt_run_on(e, &i, 2);
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
        struct sl_encode_params p = vt_defaults();
        struct sl_error err = {0};
        struct sl_coder *e;
        standin_reset(&(struct standin_options){.damage = cases[k / 2].damage,
                                                .damage_from = cases[k / 2].from});
        enum sl_status status = vt_both[k % 2]->open(&e, &p, &err);
        assert_int_equal(status == SL_OK, cases[k / 2].from == 2);
        for (int i = 0; e && i < 3 && status == SL_OK; i++) {
            struct sl_packet *packet;
            struct sl_frame *f = vt_make(NULL, i);
            f->flags = i == 2 ? SL_FRAME_KEY : 0;
            status = e->ops->send(e, f, &err);
            sl_frame_unref(&f);
            if (status == SL_OK) {
                packet = vt_receive(e);
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
        struct sl_encode_params p = vt_defaults();
        struct sl_coder *e = vt_open(vt_both[k], &p);
        struct judge_packets packets;
        judge_encode(e, vt_make, NULL, 5, &packets);
        vt_check_pictures(e, &packets, 4, 30.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
#define BAD(codec, want, ...)                                                                      \
    do {                                                                                           \
        struct sl_encode_params p = vt_defaults();                                                 \
        struct sl_error err = {0};                                                                 \
        struct sl_coder *e;                                                                        \
        __VA_ARGS__;                                                                               \
        assert_int_equal(vt_both[codec]->open(&e, &p, &err), want);                                \
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
    struct sl_encode_params p = vt_defaults();
    struct sl_coder *e = vt_open(vt_both[0], &p);
    struct sl_error err = {0};
    struct sl_packet *packet;
    struct sl_frame *f = vt_make(NULL, 0);
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
    vt_send(e, sl_frame_ref(f));
    assert_int_equal(e->ops->send(e, f, NULL), SL_EAGAIN);
    packet = vt_receive(e);
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
    struct sl_encode_params p = vt_defaults();
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
        r.frames[i] = vt_make(NULL, i);
        r.frames[i]->flags = i == 1 ? SL_FRAME_KEY : 0;
    }
    for (size_t k = 0; k < 2; k++) {
        r.ops = vt_both[k];
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
            if (standin_live() != vt_live_before) {
                fail_msg("%s, call %u: %ld objects are left", calls[k].function, n,
                         standin_live() - vt_live_before);
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
    struct sl_encode_params p = vt_defaults();
    struct sl_coder *e = vt_open(vt_both[0], &p);
    struct sl_error err = {0};
    int i = 0;
    (void)vt_run_on(e, &i, 2);
    standin_fail("output", 1, kVTVideoEncoderNotAvailableNowErr);
    struct sl_frame *f = vt_make(NULL, i);
    assert_int_equal(e->ops->send(e, f, &err), SL_EIO);
    assert_string_equal(err.msg, "encoding: kVTVideoEncoderNotAvailableNowErr (-12915)");
    assert_int_equal(e->ops->send(e, f, NULL), SL_EIO);
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
    e = vt_open(vt_both[0], &p);
    i = 0;
    (void)vt_run_on(e, &i, 1);
    standin_fail("VTCompressionSessionEncodeFrame", 1, -12345);
    f = vt_make(NULL, i);
    err = (struct sl_error){0};
    assert_int_equal(e->ops->send(e, f, &err), SL_EIO);
    assert_string_equal(err.msg, "encoding: status -12345");
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, vt_begin, vt_end)
    const struct CMUnitTest tests[] = {
        TEST(says_that_a_picture_was_dropped), TEST(mends_what_was_lost),
        TEST(says_when_it_is_software),        TEST(finds_broken_streams),
        TEST(refuses_bad_parameters),          TEST(refuses_bad_frames),
        TEST(survives_failing_calls),          TEST(survives_failing_allocations),
        TEST(repeats_that_the_device_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
