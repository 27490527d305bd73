/* SPDX-License-Identifier: BSD-2-Clause */
/* NVENC's modes, settings and changes, on the stand-in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/h264.h"
#include "media/track.h"
#include "nvenc_clip.h"

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)
#define API      VALUE(NVENCAPI_MAJOR_VERSION) "." VALUE(NVENCAPI_MINOR_VERSION)

static const enum sl_codec codecs[] = {SL_CODEC_H264, SL_CODEC_HEVC};
static enum sl_pixel_format nv12 = SL_PIX_NV12;

static int setup(void **state)
{
    (void)state;
    clip_standin()->reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("SLUICE_STANDIN_API");
    unsetenv("SLUICE_STANDIN_CAPS");
    unsetenv("SLUICE_STANDIN_CODECS");
    unsetenv("SLUICE_STANDIN_DEVICES");
    clip_nothing_left();
    return 0;
}

/* ---- modes ----------------------------------------------------------------------------------- */

static void gives_one_for_one(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct sl_coder *e = clip_open(codecs[k], &p);
        struct judge_packets packets = {.count = 0};
        struct sl_error err = {0};
        assert_int_equal(e->track.reorder, 0);
        assert_int_equal(e->track.width, CLIP_WIDTH);
        assert_int_equal(e->track.colour.matrix, 6);
        for (int i = 0; i < 30; i++) {
            struct sl_frame *f = clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, i);
            f->flags = i == 10 ? SL_FRAME_CUT : i == 20 ? SL_FRAME_KEY : 0;
            assert_int_equal(e->ops->send(e, f, &err), SL_OK);
            /* One has to be received first; nothing is consumed. */
            struct sl_frame *next = clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, i + 1);
            assert_int_equal(e->ops->send(e, next, &err), SL_EAGAIN);
            sl_frame_unref(&next);
            assert_int_equal(atomic_load(&f->refs), 1); /* it was copied */
            sl_frame_unref(&f);
            struct sl_packet *packet = packets.packet[packets.count++] = clip_receive(e);
            assert_int_equal(packet->pts, i);
            assert_int_equal(packet->duration, 1);
            assert_true(packet->dts == SL_NO_TIME);
            assert_in_range(packet->qp, 1, 51);
            assert_int_equal((packet->flags & SL_PACKET_KEY) != 0, i % 10 == 0);
            assert_int_equal((packet->flags & SL_PACKET_CUT) != 0, i == 10);
            clip_receive_none(e);
        }
        assert_int_equal(e->ops->send(e, NULL, &err), SL_OK);
        struct sl_packet *none;
        assert_int_equal(e->ops->receive(e, &none, &err), SL_EOF);
        struct sl_frame *late = clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, 99);
        assert_int_equal(e->ops->send(e, late, &err), SL_EINVAL);
        sl_frame_unref(&late);
        clip_decodes(&packets, codecs[k], 30, 0, 36.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
    assert_int_equal(clip_standin()->count("nvEncCreateBitstreamBuffer"), 2); /* one each */
    assert_int_equal(clip_standin()->count("nvEncCreateInputBuffer"), 2);
}

static void keeps_as_many_on_their_way_as_it_is_told(void **state)
{
    (void)state;
    static const struct {
        enum sl_encoder_latency latency;
        int depth, extra, held;
    } cases[] = {{SL_LATENCY_PIPELINED, 4, 0, 4},
                 {SL_LATENCY_PIPELINED, 1, 2, 3},
                 {SL_LATENCY_PIPELINED, 16, 16, 32}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = clip_params(SL_CODEC_H264);
        p.latency = cases[k].latency;
        p.depth = cases[k].depth;
        p.extra_delay = cases[k].extra;
        clip_standin()->reset();
        struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
        struct judge_packets packets = {.count = 0};
        assert_int_equal(clip_standin()->count("nvEncCreateBitstreamBuffer"), cases[k].held + 1);
        for (int i = 0; i < 40; i++) {
            clip_send(e, clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, i));
            if (i >= cases[k].held) {
                packets.packet[packets.count++] = clip_receive(e);
                assert_int_equal(packets.packet[packets.count - 1]->pts, i - cases[k].held);
            }
            clip_receive_none(e);
        }
        struct sl_error err = {0};
        assert_int_equal(e->ops->send(e, NULL, &err), SL_OK);
        while (packets.count < 40) {
            packets.packet[packets.count++] = clip_receive(e);
        }
        clip_decodes(&packets, SL_CODEC_H264, 40, 0, 36.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void looks_ahead_and_reorders_where_the_device_can(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool reorders = codecs[k] == SL_CODEC_H264; /* the stand-in's device has no B in HEVC */
        struct sl_encode_params p = clip_params(codecs[k]);
        p.latency = SL_LATENCY_LOOKAHEAD;
        struct sl_coder *e = clip_open(codecs[k], &p);
        struct judge_packets packets;
        judge_encode(e, clip_make, &nv12, 60, &packets);
        assert_int_equal(packets.count, 60);
        assert_int_equal(e->track.reorder, reorders ? 1 : 0);
        bool turned = false;
        for (size_t i = 1; i < packets.count; i++) {
            turned = turned || packets.packet[i]->pts < packets.packet[i - 1]->pts;
        }
        assert_int_equal(turned, reorders);
        clip_decodes(&packets, codecs[k], 60, 0, 34.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
    struct sl_encode_params p = clip_params(SL_CODEC_HEVC);
    p.latency = SL_LATENCY_LOOKAHEAD;
    p.bframes = 2;
    clip_refused(SL_CODEC_HEVC, &p, SL_EUNSUPPORTED, "NV_ENC_CAPS_NUM_MAX_BFRAMES");
    p.bframes = 0;
    p.gop = 12;
    setenv("SLUICE_STANDIN_CAPS", "SUPPORT_LOOKAHEAD=0", 1);
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    struct judge_packets packets;
    judge_encode(e, clip_make, &nv12, 30, &packets);
    for (size_t i = 0; i < packets.count; i++) {
        assert_int_equal(packets.packet[i]->pts, i);
        assert_int_equal((packets.packet[i]->flags & SL_PACKET_KEY) != 0, i % 12 == 0);
    }
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void encode_some(enum sl_codec codec, const struct sl_encode_params *p,
                        enum sl_pixel_format format, int count, struct judge_packets *packets)
{
    struct sl_coder *e = clip_open(codec, p);
    judge_encode(e, clip_make, &format, count, packets);
    assert_int_equal(packets->count, count);
    sl_encode_destroy(&e);
}

static void takes_every_rate_control(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (int rate = SL_RATE_VBR; rate <= SL_RATE_CQP; rate++) {
            struct sl_encode_params p = clip_params(codecs[k]);
            struct judge_packets packets;
            p.rate = (enum sl_rate_control)rate;
            p.bitrate = rate == SL_RATE_VBR || rate == SL_RATE_CBR ? 400000 : 0;
            p.maxrate = rate == SL_RATE_VBR ? 600000 : 0;
            p.buffer = rate == SL_RATE_VBR ? 500000 : 0;
            p.crf = (struct sl_rational){rate == SL_RATE_CRF ? 41 : 0, 2};
            p.qp = 27;
            encode_some(codecs[k], &p, SL_PIX_NV12, 12, &packets);
            if (rate == SL_RATE_CQP) {
                assert_in_range(packets.packet[11]->qp, 25, 28);
            }
            clip_decodes(&packets, codecs[k], 12, 0, 28.0);
            judge_drop(&packets);
        }
    }
}

static void takes_every_preset_and_tune(void **state)
{
    (void)state;
    static const char *const presets[] = {"p1", "p2", "p3", "p4", "p5", "p6", "p7"};
    static const char *const tunes[] = {"ll", "ull", "hq", "lossless"};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 7; i += k ? 6 : 1) { /* x265 behind the stand-in is slow to open */
            for (size_t t = 0; t < 4; t++) {
                struct sl_encode_params p = clip_params(codecs[k]);
                p.preset = presets[i];
                p.tune = tunes[t];
                struct sl_coder *e = clip_open(codecs[k], &p);
                assert_int_equal(e->track.reorder, 0);
                sl_encode_destroy(&e);
            }
        }
    }
}

static void codes_without_loss(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct judge_packets packets;
        p.tune = "lossless";
        encode_some(codecs[k], &p, SL_PIX_NV12, 4, &packets);
        clip_decodes(&packets, codecs[k], 4, 0, 100.0);
        judge_drop(&packets);
        p.rate = SL_RATE_VBR;
        p.bitrate = 1000000;
        clip_refused(codecs[k], &p, SL_EINVAL, "bitrate 1000000 with tune lossless");
    }
}

static void reads_every_format(void **state)
{
    (void)state;
    static const struct {
        enum sl_codec codec;
        enum sl_pixel_format format;
        const char *profile, *decoded;
        int chroma; /* samples of a plane */
        int value;  /* scale of a sample */
        int profile_idc;
    } cases[] = {
        {SL_CODEC_H264, SL_PIX_NV12, "high", "yuv420p", 95 * 53, 1, 100},
        {SL_CODEC_H264, SL_PIX_YUV420P, "baseline", "yuv420p", 95 * 53, 1, 66},
        {SL_CODEC_H264, SL_PIX_YUV420P, "main", "yuv420p", 95 * 53, 1, 77},
        {SL_CODEC_H264, SL_PIX_YUV444P, "high444", "yuv444p", 190 * 106, 1, 244},
        {SL_CODEC_HEVC, SL_PIX_NV12, NULL, "yuv420p", 95 * 53, 1, 1},
        {SL_CODEC_HEVC, SL_PIX_YUV420P, "main", "yuv420p", 95 * 53, 1, 1},
        {SL_CODEC_HEVC, SL_PIX_P010, "main10", "yuv420p10le", 95 * 53, 4, 2},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = clip_params(cases[k].codec);
        struct judge_packets packets;
        p.profile = cases[k].profile;
        struct sl_coder *e = clip_open(cases[k].codec, &p);
        assert_int_equal(e->track.profile, cases[k].profile_idc);
        enum sl_pixel_format format = cases[k].format;
        judge_encode(e, clip_make, &format, 3, &packets);
        sl_encode_destroy(&e);
        size_t size, luma = CLIP_WIDTH * CLIP_HEIGHT, each = cases[k].value == 4 ? 2 : 1;
        size_t chroma = (size_t)cases[k].chroma, frame = luma + 2 * chroma;
        uint8_t *is = clip_decode(&packets, cases[k].codec, cases[k].decoded, &size);
        assert_int_equal(size, 3 * frame * each);
        int w = chroma == luma ? CLIP_WIDTH : CLIP_WIDTH / 2;
        for (int plane = 0; plane < 3; plane++) { /* one point of each plane of the last picture */
            int x = 30, y = 20;
            size_t at = 2 * frame + (plane == 0 ? 0 : luma + (size_t)(plane - 1) * chroma) +
                        (size_t)(y * (plane == 0 ? CLIP_WIDTH : w) + x);
            int got = is[at * each];
            if (each == 2) {
                uint16_t deep;
                memcpy(&deep, is + at * 2, 2);
                got = deep / 4;
            }
            int want = clip_sample(2, plane, x, y);
            if (abs(got - want) > 5) {
                fail_msg("case %zu, plane %d: %d, expected %d", k, plane, got, want);
            }
        }
        free(is);
        judge_drop(&packets);
    }
}

static void says_what_it_codes(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        p.colour = (struct sl_colour){9, 16, 9, SL_RANGE_FULL, 3};
        p.sample_aspect = (struct sl_rational){32, 27};
        p.level = 41;
        struct judge_packets packets;
        struct sl_coder *e = clip_open(codecs[k], &p);
        assert_int_equal(e->track.colour.transfer, 16);
        if (codecs[k] == SL_CODEC_H264) {
            assert_int_equal(e->track.level, 41);
        }
        judge_encode(e, clip_make, &nv12, 2, &packets);
        sl_encode_destroy(&e);
        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, k ? "a.hevc" : "a.h264");
        judge_write(&packets, path);
        char *probe = judge_run("ffprobe -v warning -show_streams %s", path);
        judge_has(probe, "color_space=bt2020nc");
        judge_has(probe, "color_primaries=bt2020");
        judge_has(probe, "color_transfer=smpte2084");
        judge_has(probe, "color_range=pc");
        judge_has(probe, "chroma_location=topleft");
        judge_has(probe, "has_b_frames=0");
        if (codecs[k] == SL_CODEC_H264) {
            judge_has(probe, "sample_aspect_ratio=32:27");
            judge_has(probe, "level=41");
        }
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
    }
}

static void begins_groups_where_it_is_told(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (int64_t gop = 0; gop <= 7; gop += 7) {
            struct sl_encode_params p = clip_params(codecs[k]);
            struct judge_packets packets;
            p.gop = gop;
            encode_some(codecs[k], &p, SL_PIX_NV12, 30, &packets);
            for (size_t i = 0; i < 30; i++) {
                assert_int_equal((packets.packet[i]->flags & SL_PACKET_KEY) != 0,
                                 gop ? i % (size_t)gop == 0 : i == 0);
            }
            judge_drop(&packets);
        }
    }
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void names_what_is_wrong(void **state)
{
    (void)state;
#define CASE(status, text, ...)                                                                    \
    {                                                                                              \
        struct sl_encode_params p = clip_params(SL_CODEC_H264);                                    \
        __VA_ARGS__;                                                                               \
        clip_refused(SL_CODEC_H264, &p, status, text);                                             \
    }
    CASE(SL_EINVAL, "preset \"fast\"", p.preset = "fast");
    CASE(SL_EINVAL, "preset \"p8\"", p.preset = "p8");
    CASE(SL_EINVAL, "tune \"film\"", p.tune = "film");
    CASE(SL_EINVAL, "profile \"main12\"", p.profile = "main12");
    CASE(SL_EUNSUPPORTED, "profile high10", p.profile = "high10");
    CASE(SL_EINVAL, "profile \"main\", expected high444", p.profile = "main", p.tune = "lossless");
    CASE(SL_EINVAL, "width 191", p.width = 191);
    CASE(SL_EINVAL, "height 0", p.height = 0);
    CASE(SL_EUNSUPPORTED, "NV_ENC_CAPS_WIDTH_MIN", p.width = 16);
    CASE(SL_EUNSUPPORTED, "NV_ENC_CAPS_HEIGHT_MIN, _MAX", p.height = 8000);
    CASE(SL_EINVAL, "gop -1", p.gop = -1);
    CASE(SL_EINVAL, "matrix 0", p.colour.matrix = 0);
    CASE(SL_EINVAL, "crf 52/1", p.crf.num = 52);
    CASE(SL_EINVAL, "crf -1/1", p.crf.num = -1);
    CASE(SL_EINVAL, "qp 52", p.rate = SL_RATE_CQP, p.qp = 52);
    CASE(SL_EINVAL, "bitrate 0", p.rate = SL_RATE_VBR);
    CASE(SL_EINVAL, "bitrate 5000000000", p.rate = SL_RATE_CBR, p.bitrate = 5000000000);
    CASE(SL_EINVAL, "maxrate -3", p.maxrate = -3);
    CASE(SL_EINVAL, "buffer -4", p.buffer = -4);
    CASE(SL_EINVAL, "rate control 0", p.rate = SL_RATE_AUTO);
    CASE(SL_EINVAL, "depth 0", p.latency = SL_LATENCY_PIPELINED);
    CASE(SL_EINVAL, "depth 17", p.latency = SL_LATENCY_PIPELINED, p.depth = 17);
    CASE(SL_EINVAL, "extra output delay 1 in sync mode", p.extra_delay = 1);
    CASE(SL_EINVAL, "extra output delay 17", p.extra_delay = 17);
    CASE(SL_EINVAL, "gpu 1, expected 0 to 0", p.gpu = 1);
    CASE(SL_EINVAL, "intra refresh with 2 B pictures", p.latency = SL_LATENCY_LOOKAHEAD,
         p.bframes = 2, p.intra_refresh = true);
#undef CASE
    struct sl_encode_params p = clip_params(SL_CODEC_HEVC);
    p.profile = "high";
    clip_refused(SL_CODEC_HEVC, &p, SL_EINVAL, "profile \"high\", expected main or main10");
}

static void names_the_capability_that_is_missing(void **state)
{
    (void)state;
#define CASE(codec, cap, ...)                                                                      \
    {                                                                                              \
        struct sl_encode_params p = clip_params(codec);                                            \
        __VA_ARGS__;                                                                               \
        setenv("SLUICE_STANDIN_CAPS", cap "=0", 1);                                                \
        clip_refused(codec, &p, SL_EUNSUPPORTED, "NV_ENC_CAPS_" cap);                              \
    }
    CASE(SL_CODEC_H264, "SUPPORT_YUV444_ENCODE", p.profile = "high444");
    CASE(SL_CODEC_HEVC, "SUPPORT_10BIT_ENCODE", p.profile = "main10");
    CASE(SL_CODEC_H264, "SUPPORT_LOSSLESS_ENCODE", p.tune = "lossless");
    CASE(SL_CODEC_H264, "SUPPORT_INTRA_REFRESH", p.intra_refresh = true);
    CASE(SL_CODEC_H264, "SUPPORT_CUSTOM_VBV_BUF_SIZE", p.rate = SL_RATE_VBR, p.bitrate = 100000,
         p.buffer = 100000);
    CASE(SL_CODEC_H264, "SUPPORTED_RATECONTROL_MODES", p.rate = SL_RATE_CBR, p.bitrate = 100000);
#undef CASE
}

static void refuses_frames_that_do_not_fit(void **state)
{
    (void)state;
    struct sl_encode_params p = clip_params(SL_CODEC_H264);
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    static const struct {
        enum sl_pixel_format format;
        int32_t width, height;
        int64_t pts;
        const char *says;
    } cases[] = {
        {SL_PIX_NV12, 192, 106, 0, "frame is nv12 192x106"},
        {SL_PIX_YUV444P, 190, 106, 0, "frame is yuv444p"},
        {SL_PIX_P010, 190, 106, 0, "frame is p010"},
        {SL_PIX_NV12, 190, 106, SL_NO_TIME, "expected to rise"},
        {SL_PIX_NV12, 190, 106, 4, "frame pts 4 after 5"},
    };
    struct sl_frame *f = clip_frame(SL_PIX_NV12, 190, 106, 5);
    clip_send(e, f);
    struct sl_packet *packet = clip_receive(e);
    sl_packet_unref(&packet);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_error err = {0};
        f = clip_frame(cases[i].format, cases[i].width, cases[i].height, 6);
        f->pts = cases[i].pts ? cases[i].pts : 6;
        assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
        if (!strstr(err.msg, cases[i].says)) {
            fail_msg("\"%s\", expected \"…%s…\"", err.msg, cases[i].says);
        }
        sl_frame_unref(&f);
    }
    clip_send(e, clip_frame(SL_PIX_YUV420P, 190, 106, 6)); /* and it goes on, in another format */
    packet = clip_receive(e);
    sl_packet_unref(&packet);
    sl_encode_destroy(&e);
}

/* ---- changes --------------------------------------------------------------------------------- */

static size_t encode_run(struct sl_coder *e, int first, int count, struct judge_packets *packets)
{
    size_t bytes = 0;
    for (int i = first; i < first + count; i++) {
        clip_send(e, clip_frame(SL_PIX_NV12, e->track.width, e->track.height, i));
        struct sl_packet *packet = packets->packet[packets->count++] = clip_receive(e);
        size_t size;
        (void)judge_payload(packet, &size);
        bytes += i > first ? size : 0;
        if (i > first) {
            assert_int_equal(packet->flags & SL_PACKET_KEY, 0);
        }
    }
    return bytes;
}

static void changes_its_rate_without_an_idr(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct judge_packets packets = {.count = 0};
        struct sl_error err = {0};
        p.rate = SL_RATE_CBR;
        p.bitrate = 100000;
        struct sl_coder *e = clip_open(codecs[k], &p);
        size_t little = encode_run(e, 0, 40, &packets);
        p.bitrate = 1200000;
        p.frame_rate = (struct sl_rational){25, 1};
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_OK);
        size_t much = encode_run(e, 40, 40, &packets);
        assert_int_equal(packets.packet[40]->flags & SL_PACKET_KEY, 0);
        assert_int_equal(e->track.bitrate, 1200000);
        if (codecs[k] == SL_CODEC_H264 && much < 2 * little) {
            fail_msg("%zu bytes, then %zu", little, much);
        }
        clip_decodes(&packets, codecs[k], 80, 0, 20.0);
        /* Another kind of rate control, another preset: not in place. */
        p.rate = SL_RATE_CQP;
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_EUNSUPPORTED);
        p.rate = SL_RATE_CBR;
        p.preset = "p7";
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_EUNSUPPORTED);
        p.preset = NULL;
        setenv("SLUICE_STANDIN_CAPS", "SUPPORT_DYN_BITRATE_CHANGE=0", 1);
        memset(&err, 0, sizeof err);
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_EUNSUPPORTED);
        assert_non_null(strstr(err.msg, "NV_ENC_CAPS_SUPPORT_DYN_BITRATE_CHANGE"));
        unsetenv("SLUICE_STANDIN_CAPS");
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void changes_its_size_with_an_idr(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct judge_packets before = {.count = 0}, packets = {.count = 0};
        struct sl_error err = {0};
        p.max_width = 320;
        p.max_height = 180;
        struct sl_coder *e = clip_open(codecs[k], &p);
        (void)encode_run(e, 0, 5, &before);
        p.width = 320;
        p.height = 180;
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_OK);
        assert_int_equal(e->track.width, 320);
        (void)encode_run(e, 5, 5, &packets);
        assert_true(packets.packet[0]->flags & SL_PACKET_KEY);
        p.width = CLIP_WIDTH;
        p.height = CLIP_HEIGHT;
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_OK);
        judge_drop(&packets);
        (void)encode_run(e, 10, 5, &packets);
        assert_true(packets.packet[0]->flags & SL_PACKET_KEY);
        clip_decodes(&packets, codecs[k], 5, 10, 34.0);
        p.width = 322;
        assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_EUNSUPPORTED);
        assert_non_null(strstr(err.msg, "at most 320x180"));
        judge_drop(&before);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void changes_with_pictures_on_their_way(void **state)
{
    (void)state;
    struct sl_encode_params p = clip_params(SL_CODEC_H264);
    struct judge_packets packets = {.count = 0};
    struct sl_error err = {0};
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 3;
    p.max_width = 320;
    p.max_height = 180;
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    for (int i = 0; i < 3; i++) {
        clip_send(e, clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, i));
    }
    p.width = 320;
    p.height = 180;
    assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_OK);
    clip_receive_none(e); /* the delay stays what it was */
    for (int i = 3; i < 10; i++) {
        clip_send(e, clip_frame(SL_PIX_NV12, 320, 180, i));
        struct sl_packet *packet = packets.packet[packets.count++] = clip_receive(e);
        assert_int_equal(packet->pts, i - 3);
        assert_int_equal((packet->flags & SL_PACKET_KEY) != 0, i == 3 || i == 6);
        clip_receive_none(e);
    }
    judge_drop(&packets);
    sl_encode_destroy(&e);

    p = clip_params(SL_CODEC_H264);
    p.latency = SL_LATENCY_LOOKAHEAD;
    e = clip_open(SL_CODEC_H264, &p);
    clip_send(e, clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, 0));
    assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_EUNSUPPORTED);
    sl_encode_destroy(&e);
}

static void recovers_from_losses(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct judge_packets packets = {.count = 0};
        struct sl_error err = {0};
        enum sl_encoder_recovery how = SL_RECOVERY_IDR;
        p.loss_recovery = true;
        clip_standin()->reset();
        struct sl_coder *e = clip_open(codecs[k], &p);
        (void)encode_run(e, 0, 12, &packets);
        assert_int_equal(e->ops->recover(e, 10, &how, &err), SL_OK);
        assert_int_equal(how, SL_RECOVERY_REFERENCE);
        assert_int_equal(clip_standin()->count("nvEncInvalidateRefFrames"), 2);
        (void)encode_run(e, 12, 8, &packets);
        assert_int_equal(packets.packet[12]->flags & SL_PACKET_KEY, 0);
        /* The two never arrive, and what comes after them is whole. */
        sl_packet_unref(&packets.packet[10]);
        sl_packet_unref(&packets.packet[11]);
        struct judge_packets rest = {.count = 8};
        memcpy(rest.packet, packets.packet + 12, 8 * sizeof(struct sl_packet *));
        struct judge_packets seen = {.count = 18};
        memcpy(seen.packet, packets.packet, 10 * sizeof(struct sl_packet *));
        memcpy(seen.packet + 10, rest.packet, 8 * sizeof(struct sl_packet *));
        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, k ? "a.hevc" : "a.h264");
        judge_write(&seen, path);
        char *out = judge_run("ffmpeg -v fatal -i %s -fps_mode passthrough -f rawvideo -y %s.yuv "
                              "&& stat -c %%s %s.yuv",
                              path, path, path);
        assert_true(strtol(out, NULL, 10) >= 18 * (CLIP_WIDTH * CLIP_HEIGHT * 3 / 2));
        free(out);
        scratch_remove(&dir);
        judge_drop(&seen);
        /* Nothing that is kept is older than this. */
        assert_int_equal(e->ops->recover(e, 11, &how, &err), SL_EUNSUPPORTED);
        sl_encode_destroy(&e);
    }
    struct sl_encode_params p = clip_params(SL_CODEC_H264);
    struct sl_error err = {0};
    enum sl_encoder_recovery how;
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    assert_int_equal(e->ops->recover(e, 0, &how, &err), SL_EUNSUPPORTED);
    sl_encode_destroy(&e);
}

static void refreshes_instead_of_idr_pictures(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sl_encode_params p = clip_params(codecs[k]);
        struct judge_packets packets = {.count = 0};
        struct sl_error err = {0};
        enum sl_encoder_recovery how = SL_RECOVERY_IDR;
        p.intra_refresh = true;
        p.gop = 10;
        struct sl_coder *e = clip_open(codecs[k], &p);
        (void)encode_run(e, 0, 15, &packets);
        assert_int_equal(e->ops->recover(e, 14, &how, &err), SL_OK);
        assert_int_equal(how, SL_RECOVERY_REFRESH);
        (void)encode_run(e, 15, 15, &packets);
        for (size_t i = 1; i < 30; i++) {
            assert_int_equal(packets.packet[i]->flags & SL_PACKET_KEY, 0);
        }
        clip_decodes(&packets, codecs[k], 30, 0, 34.0);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

/* ---- drivers and devices ----------------------------------------------------------------------
 */

static void probe_says(enum sl_codec codec, const char *says)
{
    struct sl_error err = {0};
    const struct sl_coder_ops *ops;
    enum sl_status status = sl_encode_find(codec, "nvenc", &ops, &err);
    if (!says) {
        assert_int_equal(status, SL_OK);
        assert_string_equal(ops->name, "nvenc");
        assert_int_equal(ops->codec, codec);
    } else if (status != SL_EUNSUPPORTED || !strstr(err.msg, says)) {
        fail_msg("status %d, \"%s\"; expected \"…%s…\"", (int)status, err.msg, says);
    }
    clip_nothing_left();
}

static void says_why_it_cannot_serve(void **state)
{
    (void)state;
    probe_says(SL_CODEC_H264, NULL);
    probe_says(SL_CODEC_HEVC, NULL);
    char says[128];
    (void)snprintf(says, sizeof says, "it offers API 9.1, this build needs %s",
                   NVENCAPI_MAJOR_VERSION == 11 ? "11.0" : API);
    setenv("SLUICE_STANDIN_API", "9.1", 1);
    probe_says(SL_CODEC_H264, says);
    memcpy(strstr(says, "9.1"), "9.0", 3);
    setenv("SLUICE_STANDIN_API", "9.0", 1);
    probe_says(SL_CODEC_HEVC, says);
    unsetenv("SLUICE_STANDIN_API");
    setenv("SLUICE_STANDIN_DEVICES", "0", 1);
    probe_says(SL_CODEC_H264, "no CUDA device");
    unsetenv("SLUICE_STANDIN_DEVICES");
    setenv("SLUICE_STANDIN_CODECS", "h264", 1);
    probe_says(SL_CODEC_H264, NULL);
    probe_says(SL_CODEC_HEVC, "this device does not encode HEVC");
}

/* Structure versions are checked by the stand-in against what the session was opened with. */
static void speaks_what_both_know(void **state)
{
    (void)state;
    static const char *const apis[] = {
#if NVENCAPI_MAJOR_VERSION == 11
        "11.0",
#endif
        API,
        "19.3"
    };
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        setenv("SLUICE_STANDIN_API", apis[i], 1);
        struct sl_encode_params p = clip_params(SL_CODEC_H264);
        struct judge_packets packets;
        encode_some(SL_CODEC_H264, &p, SL_PIX_NV12, 5, &packets);
        judge_drop(&packets);
    }
    unsetenv("SLUICE_STANDIN_API");
    const struct sl_coder_ops *ops;
    struct sl_error err = {0};
    assert_int_equal(sl_encode_find(SL_CODEC_HEVC, "nvenc", &ops, &err), SL_OK);
    assert_string_equal(ops->caps->version(), "API " API " (driver " API ")");
    assert_true(ops->caps->flags & SL_BACKEND_HARDWARE);
    assert_true(ops->caps->flags & SL_BACKEND_CUDA);
}

/* A ladder takes what it always took. */
static void is_taken_when_it_is_asked_for(void **state)
{
    (void)state;
    const struct sl_coder_ops *ops;
    struct sl_error err = {0};
    assert_int_equal(sl_encode_find(SL_CODEC_H264, NULL, &ops, &err), SL_OK);
    assert_string_equal(ops->name, "x264");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_one_for_one),
        TEST(keeps_as_many_on_their_way_as_it_is_told),
        TEST(looks_ahead_and_reorders_where_the_device_can),
        TEST(takes_every_rate_control),
        TEST(takes_every_preset_and_tune),
        TEST(codes_without_loss),
        TEST(reads_every_format),
        TEST(says_what_it_codes),
        TEST(begins_groups_where_it_is_told),
        TEST(names_what_is_wrong),
        TEST(names_the_capability_that_is_missing),
        TEST(refuses_frames_that_do_not_fit),
        TEST(changes_its_rate_without_an_idr),
        TEST(changes_its_size_with_an_idr),
        TEST(changes_with_pictures_on_their_way),
        TEST(recovers_from_losses),
        TEST(refreshes_instead_of_idr_pictures),
        TEST(says_why_it_cannot_serve),
        TEST(speaks_what_both_know),
        TEST(is_taken_when_it_is_asked_for),
    };
    return cmocka_run_group_tests_name("encode/nvenc", tests, NULL, NULL);
}
