/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/soft.h"
#include "failing_alloc.h"
#include "live.h"
#include "media/hevc.h"
#include "media/track.h"

#define WIDTH  190 /* not a multiple of 8: the SPS has to crop */
#define HEIGHT 106

static const struct sl_coder_ops *const ops = &sl_encode_x265_lib;

static struct sl_hevc_sps sps_of(const struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_nal_config config;
    struct sl_hevc_sps sps;
    assert_int_equal(sl_hvcc_parse(e->track.config, e->track.config_size, &config, &err), SL_OK);
    assert_int_equal(sl_hevc_parse_sps(&config.sets[1], &sps, &err), SL_OK);
    return sps;
}

static void gives_each_picture_its_unit(void **state)
{
    (void)state;
    static const int keys[] = {0, 7, 8, 20, -1};
    static const char *const presets[] = {NULL, "superfast", "medium"};
    for (int k = 0; k < 3; k++) {
        struct live_clip clip = {
            .width = WIDTH, .height = HEIGHT, .keys = keys, .scene = 15, .deep = k == 1};
        struct sl_encode_params p = live_params(&clip);
        p.preset = presets[k];
        p.profile = k == 1 ? "main10" : k == 2 ? "main" : NULL;
        p.threads = k;
        struct sl_coder *e = live_open(ops, &p);
        assert_int_equal(e->track.codec, SL_CODEC_HEVC);
        assert_int_equal(e->track.profile, k == 1 ? 2 : 1);
        assert_int_equal(e->track.pixel_format, k == 1 ? SL_PIX_YUV420P10 : SL_PIX_YUV420P);
        assert_int_equal(e->track.bit_depth, k == 1 ? 10 : 8);
        assert_int_equal(e->track.reorder, 0);
        assert_int_equal(e->track.width, WIDTH);
        assert_int_equal(e->track.height, HEIGHT);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 30, &packets);
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        struct sl_packet *none;
        assert_int_equal(e->ops->receive(e, &none, NULL), SL_EOF);
        live_check(e, &clip, 0, &packets);
        assert_in_range(packets.packet[3]->qp, 26, 30);
        double psnr = live_psnr(&clip, e, &packets);
        if (psnr < 33) {
            fail_msg("PSNR %.2f dB", psnr);
        }
        struct scratch dir;
        scratch_make(&dir);
        judge_write(&packets, scratch_name(&dir, "a.hevc"));
        char *probe =
            judge_run("ffprobe -v warning -show_streams %s", scratch_name(&dir, "a.hevc"));
        judge_has(probe, k == 1 ? "profile=Main 10" : "profile=Main");
        judge_has(probe, "has_b_frames=0");
        judge_has(probe, "width=190");
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void holds_back_what_it_may(void **state)
{
    (void)state;
    static const int keys[] = {9, -1};
    for (int depth = 1; depth <= 4; depth++) {
        struct live_clip clip = {.width = WIDTH, .height = HEIGHT, .keys = keys};
        struct sl_encode_params p = live_params(&clip);
        p.latency = SL_LATENCY_PIPELINED;
        p.depth = depth;
        p.threads = 2;
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        struct sl_packet *packet;
        struct sl_error err = {0};
        for (int i = 0; i < 20; i++) {
            struct sl_frame *frame = live_make(&clip, i);
            assert_int_equal(e->ops->send(e, frame, &err), SL_OK);
            sl_frame_unref(&frame);
            while (e->ops->receive(e, &packet, &err) == SL_OK) {
                packets.packet[packets.count++] = packet;
            }
            if (i + 1 - (int)packets.count > depth) {
                fail_msg("%d pictures on their way at depth %d", i + 1 - (int)packets.count, depth);
            }
        }
        assert_int_equal(e->ops->send(e, NULL, &err), SL_OK);
        while (e->ops->receive(e, &packet, &err) == SL_OK) {
            packets.packet[packets.count++] = packet;
        }
        assert_int_equal(packets.count, 20);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(packets.packet[i]->pts, 3000 * i + 77);
        }
        live_check(e, &clip, 0, &packets);
        assert_true(live_psnr(&clip, e, &packets) > 33);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static int by_pts(const void *a, const void *b)
{
    const struct sl_packet *const *x = a, *const *y = b;
    return (*x)->pts < (*y)->pts ? -1 : (*x)->pts > (*y)->pts;
}

/* With B pictures; groups are closed and begin where they are told to. */
static void looks_ahead(void **state)
{
    (void)state;
    static const int keys[] = {0, 30, 31, 47, -1};
    static const char *const presets[] = {"ultrafast", "veryfast", NULL};
    for (int k = 0; k < 3; k++) {
        struct live_clip clip = {.width = WIDTH, .height = HEIGHT, .keys = keys};
        struct sl_encode_params p = live_params(&clip);
        p.latency = SL_LATENCY_LOOKAHEAD;
        p.preset = presets[k];
        p.rate = SL_RATE_CRF;
        p.crf = (struct sl_rational){24, 1};
        p.threads = k;
        struct sl_coder *e = live_open(ops, &p);
        assert_int_equal(e->track.reorder, sps_of(e).max_num_reorder);
        assert_in_range(e->track.reorder, 1, 4);
        struct judge_packets packets, shown;
        judge_encode(e, live_make, &clip, 60, &packets);
        assert_int_equal(packets.count, 60);
        shown = packets;
        qsort(shown.packet, shown.count, sizeof(struct sl_packet *), by_pts);
        live_check(e, &clip, 0, &shown);
        int64_t latest = INT64_MIN, key = INT64_MIN;
        bool reordered = false;
        for (size_t i = 0; i < packets.count; i++) {
            const struct sl_packet *packet = packets.packet[i];
            assert_int_equal(shown.packet[i]->pts, 3000 * (int64_t)i + 77);
            if (packet->flags & SL_PACKET_KEY) {
                assert_true(packet->pts > latest);
                key = packet->pts;
            }
            assert_true(packet->pts >= key);
            reordered = reordered || packet->pts < latest;
            latest = packet->pts > latest ? packet->pts : latest;
            assert_int_equal(packet->duration, 3000);
        }
        assert_true(reordered);
        struct scratch dir;
        scratch_make(&dir);
        judge_write(&packets, scratch_name(&dir, "a.hevc"));
        char *probe = judge_run("ffprobe -v warning -show_streams -count_frames %s",
                                scratch_name(&dir, "a.hevc"));
        assert_int_equal(judge_number(probe, "has_b_frames"), e->track.reorder);
        judge_has(probe, "nb_read_frames=60");
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params p = live_params(&clip);
    p.latency = SL_LATENCY_LOOKAHEAD;
    p.bframes = 0;
    struct sl_coder *e = live_open(ops, &p);
    assert_int_equal(e->track.reorder, 0);
    sl_encode_destroy(&e);
}

static void keeps_to_the_gop(void **state)
{
    (void)state;
    static const int keys[] = {17, -1};
    for (int k = 0; k < 2; k++) {
        struct live_clip clip = {.width = 64, .height = 64, .keys = k ? NULL : keys};
        struct sl_encode_params p = live_params(&clip);
        p.gop = k ? 1 : 10;
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 50, &packets);
        live_check(e, &clip, p.gop, &packets); /* 0 10 17 27 37 47 */
        assert_true(packets.packet[27]->flags & SL_PACKET_KEY);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void describes_colour_and_shape(void **state)
{
    (void)state;
    static const struct {
        struct sl_colour colour;
        struct sl_rational sar;
        const char *says[5];
    } cases[] = {
        {{6, 6, 6, SL_RANGE_LIMITED, 1},
         {32, 27},
         {"color_space=smpte170m", "color_primaries=smpte170m", "color_transfer=smpte170m",
          "color_range=tv", "sample_aspect_ratio=32:27"}},
        {{1, 1, 1, SL_RANGE_FULL, 3},
         {1, 1},
         {"color_space=bt709", "chroma_location=topleft", "color_transfer=bt709", "color_range=pc",
          "sample_aspect_ratio=1:1"}},
        {{9, 16, 9, SL_RANGE_LIMITED, 0},
         {0, 1},
         {"color_space=bt2020nc", "color_primaries=bt2020", "color_transfer=smpte2084",
          "color_range=tv", "sample_aspect_ratio=N/A"}},
        {{2, 2, 2, SL_RANGE_LIMITED, 0},
         {0, 1},
         {"color_space=unknown", "color_primaries=unknown", "color_transfer=unknown", "width=64",
          "sample_aspect_ratio=N/A"}},
    };
    struct live_clip clip = {.width = 64, .height = 64};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sl_encode_params p = live_params(&clip);
        p.colour = cases[k].colour;
        p.sample_aspect = cases[k].sar;
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 3, &packets);
        live_check(e, &clip, 0, &packets);
        struct scratch dir;
        scratch_make(&dir);
        judge_write(&packets, scratch_name(&dir, "a.hevc"));
        char *probe =
            judge_run("ffprobe -v warning -show_streams %s", scratch_name(&dir, "a.hevc"));
        for (size_t i = 0; i < 5; i++) {
            judge_has(probe, cases[k].says[i]);
        }
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
    /* A code point that x265 does not know is written by us. */
    struct sl_encode_params p = live_params(&clip);
    p.colour.primaries = 22; /* H.273: EBU Tech. 3213-E */
    struct sl_coder *e = live_open(ops, &p);
    struct sl_hevc_sps sps = sps_of(e);
    assert_int_equal(sps.colour.primaries, 22);
    assert_int_equal(sps.colour.matrix, 1);
    sl_encode_destroy(&e);
}

static void states_the_level(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 640, .height = 360};
    struct sl_encode_params p = live_params(&clip);
    struct sl_coder *e = live_open(ops, &p);
    assert_in_range(e->track.level, 63, 93); /* 2.1 to 3.1, in 30ths */
    sl_encode_destroy(&e);
    p.level = 41;
    e = live_open(ops, &p);
    assert_int_equal(e->track.level, 123);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 3, &packets);
    live_check(e, &clip, 0, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    p.level = 10;
    live_refused(ops, &p, SL_EINVAL, "1.0 does not hold 640x360");
}

/* Bytes of pictures 30 to 89. */
static size_t bytes_at(int64_t bitrate, enum sl_rate_control rate, int64_t maxrate)
{
    struct live_clip clip = {.width = 320, .height = 180};
    struct sl_encode_params p = live_params(&clip);
    p.rate = rate;
    p.bitrate = bitrate;
    p.maxrate = maxrate;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 90, &packets);
    size_t bytes = live_bytes(&packets, 30, 60);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return bytes;
}

static void keeps_to_the_bitrate(void **state)
{
    (void)state;
    assert_in_range(bytes_at(400000, SL_RATE_VBR, 0), 75000, 125000);
    assert_in_range(bytes_at(400000, SL_RATE_CBR, 0), 75000, 125000);
    assert_in_range(bytes_at(400000, SL_RATE_VBR, 600000), 75000, 125000);
}

static uint64_t fingerprint(const struct sl_encode_params *p, struct live_clip *clip)
{
    struct sl_coder *e = live_open(ops, p);
    struct judge_packets packets;
    judge_encode(e, live_make, clip, 40, &packets);
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < packets.count; i++) {
        size_t size;
        const uint8_t *data = judge_payload(packets.packet[i], &size);
        for (size_t k = 0; k < size; k++) {
            h = (h ^ data[k]) * 0x100000001b3u;
        }
    }
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return h;
}

static void gives_the_same_bytes_again(void **state)
{
    (void)state;
    struct live_clip clip = {.width = WIDTH, .height = HEIGHT, .scene = 17};
    for (int k = 0; k < 3; k++) {
        struct sl_encode_params p = live_params(&clip);
        p.latency = k < 2 ? SL_LATENCY_LOOKAHEAD : SL_LATENCY_SYNC;
        p.preset = "veryfast";
        p.rate = k ? SL_RATE_VBR : SL_RATE_CRF;
        p.bitrate = 300000;
        p.threads = k == 0 ? 3 : 1;
        clip.upside_down = false;
        uint64_t first = fingerprint(&p, &clip);
        assert_true(fingerprint(&p, &clip) == first);
        clip.upside_down = true; /* the same picture */
        assert_true(fingerprint(&p, &clip) == first);
    }
}

static void takes_any_even_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{16, 16}, {64, 18}, {18, 200}, {1930, 34}};
    for (size_t k = 0; k < 4; k++) {
        struct live_clip clip = {.width = sizes[k][0], .height = sizes[k][1]};
        struct sl_encode_params p = live_params(&clip);
        p.threads = 0;
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 4, &packets);
        live_check(e, &clip, 0, &packets);
        assert_true(live_psnr(&clip, e, &packets) > 30);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params c[22];
    const char *says[22];
    for (size_t i = 0; i < 22; i++) {
        c[i] = live_params(&clip);
    }
    size_t n = 0;
    c[n].width = 65, says[n++] = "size 65x64, expected even sides of 16 to 16384";
    c[n].height = 14, says[n++] = "size 64x14, expected even sides";
    c[n].timebase.num = 0, says[n++] = "timebase 0/90000";
    c[n].preset = "sluggish", says[n++] = "preset \"sluggish\", expected ultrafast to placebo";
    c[n].preset = "1", says[n++] = "preset \"1\", expected ultrafast to placebo";
    c[n].tune = "film", says[n++] = "tune \"film\" is not known";
    c[n].profile = "high", says[n++] = "profile \"high\", expected main or main10";
    c[n].qp = 0, says[n++] = "qp 0, expected 1 to 51";
    c[n].qp = 52, says[n++] = "qp 52, expected 1 to 51";
    c[n].rate = SL_RATE_VBR, says[n++] = "bitrate 0, expected 1000 or more";
    c[n].rate = SL_RATE_CRF, c[n].crf = (struct sl_rational){52, 1}, says[n++] = "crf 52/1";
    c[n].rate = SL_RATE_AUTO, says[n++] = "rate control 0 is not known";
    c[n].maxrate = -4, says[n++] = "maxrate -4";
    c[n].buffer = 3000000000000, says[n++] = "buffer 3000000000000, expected 0 to";
    c[n].colour.matrix = 0, says[n++] = "colour matrix 0 (RGB)";
    c[n].threads = -1, says[n++] = "-1 threads";
    c[n].gop = -1, says[n++] = "gop -1, expected 0 to";
    c[n].latency = SL_LATENCY_LOOKAHEAD, c[n].bframes = 17, says[n++] = "17 B pictures in a row";
    size_t bad = n;
    c[n].intra_refresh = true, says[n++] = "intra refresh is not to be had";
    c[n].colour.chroma_location = 9, says[n++] = "chroma location 9";
    assert_in_range(n, 1, 22);
    for (size_t i = 0; i < n; i++) {
        live_refused(ops, &c[i], i < bad ? SL_EINVAL : SL_EUNSUPPORTED, says[i]);
    }
}

static void refuses_bad_frames(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params p = live_params(&clip);
    struct sl_coder *e = live_open(ops, &p);
    struct sl_packet *packet;
    struct sl_frame *bad;
    struct sl_error err = {0};
    struct judge_packets packets = {.count = 0};
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
    live_sync(e, &clip, 0, 1, &packets);
    bad = live_make(&clip, 0);
    assert_int_equal(e->ops->send(e, bad, &err), SL_EINVAL);
    assert_string_equal(err.msg, "frame pts 77 after 77, expected to rise");
    bad->pts = SL_NO_TIME;
    assert_int_equal(e->ops->send(e, bad, NULL), SL_EINVAL);
    bad->pts = 3077;
    bad->format = SL_PIX_YUV420P10; /* of main10, and this is main */
    assert_int_equal(e->ops->send(e, bad, NULL), SL_EINVAL);
    bad->format = SL_PIX_YUV420P;
    bad->width = 62;
    assert_int_equal(e->ops->send(e, bad, NULL), SL_EINVAL);
    sl_frame_unref(&bad);
    live_sync(e, &clip, 1, 2, &packets); /* none of that did harm */
    live_check(e, &clip, 0, &packets);
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    bad = live_make(&clip, 9);
    assert_int_equal(e->ops->send(e, bad, NULL), SL_EINVAL);
    sl_frame_unref(&bad);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

/* The stand-in says what it is without its module, and opens it. */
static void is_a_module(void **state)
{
    (void)state;
    struct sl_error err = {0};
    const struct sl_coder_ops *found;
    if (sl_encode_find(SL_CODEC_HEVC, NULL, &found, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_string_equal(found->name, "x265");
    assert_string_equal(found->caps->licence, "GPL-2.0-or-later");
    assert_non_null(found->caps->version());
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params p = live_params(&clip);
    struct sl_coder *e = live_open(found, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 5, &packets);
    live_check(e, &clip, 0, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

/* Opens, sends three pictures, drains. */
static enum sl_status short_run(void *arg)
{
    struct sl_frame *const *frames = arg;
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params p = live_params(&clip);
    struct sl_error err = {0};
    struct sl_coder *e;
    size_t packets = 0;
    enum sl_status status = ops->open(&e, &p, &err);
    for (int i = 0; i <= 3 && status == SL_OK; i++) {
        status = e->ops->send(e, i < 3 ? frames[i] : NULL, &err);
        while (status == SL_OK) {
            struct sl_packet *packet;
            status = e->ops->receive(e, &packet, &err);
            packets += status == SL_OK;
            sl_packet_unref(&packet);
        }
        status = status == SL_EAGAIN ? SL_OK : status;
    }
    sl_encode_destroy(&e);
    if (status != SL_EOF) {
        assert_int_equal(err.status, status);
        return status;
    }
    assert_int_equal(packets, 3);
    return SL_OK;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_frame *frames[3];
    for (int i = 0; i < 3; i++) {
        frames[i] = live_make(&clip, i);
    }
    failing_alloc_run(short_run, frames);
    for (int i = 0; i < 3; i++) {
        sl_frame_unref(&frames[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_picture_its_unit),
        cmocka_unit_test(holds_back_what_it_may),
        cmocka_unit_test(looks_ahead),
        cmocka_unit_test(keeps_to_the_gop),
        cmocka_unit_test(describes_colour_and_shape),
        cmocka_unit_test(states_the_level),
        cmocka_unit_test(keeps_to_the_bitrate),
        cmocka_unit_test(gives_the_same_bytes_again),
        cmocka_unit_test(takes_any_even_size),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(refuses_bad_frames),
        cmocka_unit_test(is_a_module),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
