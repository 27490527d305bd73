/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/soft.h"
#include "failing_alloc.h"
#include "live.h"
#include "media/h264.h"
#include "media/track.h"

#define WIDTH  190 /* not a multiple of 16: the SPS has to crop */
#define HEIGHT 106

static const struct sl_coder_ops *const ops = &sl_encode_openh264_lib;

/* The SPS of a track. */
static struct sl_h264_sps sps_of(const struct sl_coder *e)
{
    struct sl_error err = {0};
    struct sl_nal_config config;
    struct sl_h264_sps sps;
    assert_int_equal(sl_avcc_parse(e->track.config, e->track.config_size, &config, &err), SL_OK);
    assert_int_equal(sl_h264_parse_sps(&config.sets[0], &sps, &err), SL_OK);
    return sps;
}

static void gives_each_picture_its_unit(void **state)
{
    (void)state;
    static const int keys[] = {0, 7, 8, 20, -1};
    static const char *const presets[] = {"low", "medium", "high"};
    static const struct {
        const char *profile;
        int idc;
        const char *says;
    } profiles[] = {{NULL, 100, "profile=High"},
                    {"baseline", 66, "profile=Constrained Baseline"},
                    {"main", 77, "profile=Main"},
                    {"high", 100, "profile=High"}};
    for (size_t k = 0; k < 4; k++) {
        struct live_clip clip = {.width = WIDTH, .height = HEIGHT, .keys = keys, .scene = 15};
        struct sl_encode_params p = live_params(&clip);
        p.preset = presets[k % 3];
        p.profile = profiles[k].profile;
        p.latency = k == 3 ? SL_LATENCY_PIPELINED : SL_LATENCY_SYNC;
        struct sl_coder *e = live_open(ops, &p);
        assert_int_equal(e->track.profile, profiles[k].idc);
        assert_int_equal(e->track.reorder, 0);
        assert_int_equal(e->track.width, WIDTH);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 30, &packets);
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
        struct sl_packet *none;
        assert_int_equal(e->ops->receive(e, &none, NULL), SL_EOF);
        live_check(e, &clip, 0, &packets);
        assert_int_equal(packets.packet[3]->qp, 28);
        assert_true(live_psnr(&clip, e, &packets) > 33);
        struct scratch dir;
        scratch_make(&dir);
        judge_write(&packets, scratch_name(&dir, "a.h264"));
        char *probe =
            judge_run("ffprobe -v warning -show_streams %s", scratch_name(&dir, "a.h264"));
        judge_has(probe, profiles[k].says);
        judge_has(probe, "has_b_frames=0");
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void keeps_to_the_gop(void **state)
{
    (void)state;
    static const int keys[] = {17, -1};
    struct live_clip clip = {.width = 64, .height = 64, .keys = keys};
    struct sl_encode_params p = live_params(&clip);
    p.gop = 10;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 50, &packets);
    live_check(e, &clip, 10, &packets); /* 0 10 17 27 37 47 */
    assert_true(packets.packet[27]->flags & SL_PACKET_KEY);
    judge_drop(&packets);
    sl_encode_destroy(&e);
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
        {{9, 18, 9, SL_RANGE_LIMITED, 0}, /* 18 is beyond what openh264 has a name for */
         {0, 1},
         {"color_space=bt2020nc", "color_primaries=bt2020", "color_transfer=arib-std-b67",
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
        struct sl_h264_sps sps = sps_of(e);
        assert_true(sps.bitstream_restriction);
        assert_int_equal(sps.max_num_reorder_frames, 0);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 3, &packets);
        live_check(e, &clip, 0, &packets);
        struct scratch dir;
        scratch_make(&dir);
        judge_write(&packets, scratch_name(&dir, "a.h264"));
        char *probe =
            judge_run("ffprobe -v warning -show_streams %s", scratch_name(&dir, "a.h264"));
        for (size_t i = 0; i < 5; i++) {
            judge_has(probe, cases[k].says[i]);
        }
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void states_the_level(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 1280, .height = 720};
    struct sl_encode_params p = live_params(&clip);
    struct sl_coder *e = live_open(ops, &p);
    assert_int_equal(e->track.level, 31);
    sl_encode_destroy(&e);
    p.level = 42;
    e = live_open(ops, &p);
    assert_int_equal(e->track.level, 42);
    sl_encode_destroy(&e);
    p.level = 30;
    live_refused(ops, &p, SL_EINVAL, "3.0 does not hold 1280x720");
    p.level = 0;
    p.frame_rate = (struct sl_rational){120, 1}; /* more than openh264 knows of */
    e = live_open(ops, &p);
    assert_int_equal(e->track.level, 42);
    sl_encode_destroy(&e);
    p.rate = SL_RATE_CBR;
    p.bitrate = 70000000; /* 4.2 has 62.5 Mbit/s in High */
    e = live_open(ops, &p);
    assert_int_equal(e->track.level, 50);
    sl_encode_destroy(&e);
}

/* Bytes of pictures 30 to 89 at a bitrate. */
static size_t bytes_at(int64_t bitrate, enum sl_rate_control rate, int64_t maxrate,
                       struct sl_rational fps)
{
    struct live_clip clip = {.width = 320, .height = 180};
    struct sl_encode_params p = live_params(&clip);
    p.rate = rate;
    p.bitrate = bitrate;
    p.maxrate = maxrate;
    p.frame_rate = fps;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 90, &packets);
    assert_int_equal(packets.packet[50]->qp, -1);
    size_t bytes = live_bytes(&packets, 30, 60);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return bytes;
}

static void keeps_to_the_bitrate(void **state)
{
    (void)state;
    /* 60 pictures are two seconds, one at 60 a second, half of one at 120. */
    struct sl_rational fps = {30, 1}, fast = {120, 1};
    assert_in_range(bytes_at(400000, SL_RATE_VBR, 0, fps), 85000, 115000);
    assert_in_range(bytes_at(400000, SL_RATE_CBR, 0, fps), 85000, 115000);
    assert_in_range(bytes_at(400000, SL_RATE_VBR, 600000, fps), 85000, 115000);
    assert_in_range(bytes_at(1600000, SL_RATE_VBR, 0, fast), 85000, 115000);
}

static void changes_bitrate_without_an_idr(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 320, .height = 180};
    struct sl_encode_params p = live_params(&clip);
    p.rate = SL_RATE_VBR;
    p.bitrate = 250000;
    p.maxrate = 300000;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 60, &packets);
    p.bitrate = 1000000;
    p.maxrate = 1200000;
    struct sl_error err = {0};
    if (e->ops->reconfigure(e, &p, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(e->track.bitrate, 1000000);
    live_sync(e, &clip, 60, 60, &packets);
    p.bitrate = 250000;
    p.maxrate = 0;
    p.frame_rate = (struct sl_rational){60, 1};
    assert_int_equal(e->ops->reconfigure(e, &p, &err), SL_OK);
    live_sync(e, &clip, 120, 60, &packets);
    live_check(e, &clip, 0, &packets); /* no IDR but the first, and the same parameter sets */
    size_t low = live_bytes(&packets, 30, 30), high = live_bytes(&packets, 90, 30),
           least = live_bytes(&packets, 150, 30);
    assert_true(high > 3 * low && high < 5 * low);
    assert_true(5 * least < 4 * low);
    assert_true(live_psnr(&clip, e, &packets) > 25);

    /* What it cannot. */
    struct sl_encode_params other = p;
    other.width = 318;
    assert_int_equal(e->ops->reconfigure(e, &other, NULL), SL_EUNSUPPORTED);
    other = p;
    other.rate = SL_RATE_CQP;
    assert_int_equal(e->ops->reconfigure(e, &other, NULL), SL_EUNSUPPORTED);
    other = p;
    other.bitrate = 10;
    assert_int_equal(e->ops->reconfigure(e, &other, NULL), SL_EINVAL);
    live_sync(e, &clip, 180, 2, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

/* Takes n packets from first on out of the list. */
static void lose(struct judge_packets *p, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        sl_packet_unref(&p->packet[i]);
    }
    memmove(&p->packet[first], &p->packet[first + n], (p->count - first - n) * sizeof p->packet[0]);
    p->count -= n;
}

/* Luma mean square error of the last picture where those in between are lost; ffmpeg may complain.
 */
static double mean_square(const struct live_clip *c, struct judge_packets *all)
{
    struct scratch dir;
    scratch_make(&dir);
    char coded[512], raw[512];
    (void)snprintf(coded, sizeof coded, "%s", scratch_name(&dir, "a.h264"));
    (void)snprintf(raw, sizeof raw, "%s", scratch_name(&dir, "a.yuv"));
    judge_write(all, coded);
    /* Without concealment, which would make up the missing pictures. */
    free(judge_run("ffmpeg -v quiet -ec 0 -i %s -fps_mode passthrough -f rawvideo -y %s", coded,
                   raw));
    size_t size, luma = (size_t)c->width * (size_t)c->height, frame = luma * 3 / 2;
    uint8_t *is = scratch_read(raw, &size);
    assert_true(size >= frame && size % frame == 0);
    struct sl_frame *was =
        live_make((void *)c, (int)((all->packet[all->count - 1]->pts - 77) / 3000));
    double error = 0;
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            int d = is[size - frame + (size_t)(y * c->width + x)] -
                    was->plane[0][was->stride[0] * y + x];
            error += (double)d * d;
        }
    }
    sl_frame_unref(&was);
    free(is);
    scratch_remove(&dir);
    return error / (double)luma;
}

/* Loses pictures at to at + 5, says so or not, and goes on. Returns: the mean square error of the
 * last picture. */
static double error_after_loss(int at, bool told)
{
    struct live_clip clip = {.width = 320, .height = 180, .scene = at + 2};
    struct sl_encode_params p = live_params(&clip);
    p.loss_recovery = true;
    p.threads = at % 2 ? 1 : 2;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    struct sl_error err = {0};
    enum sl_encoder_recovery how = SL_RECOVERY_IDR;
    live_sync(e, &clip, 0, at + 6, &packets);
    if (told) {
        if (e->ops->recover(e, packets.packet[at]->pts, &how, &err) != SL_OK) {
            fail_msg("at %d: %s", at, err.msg);
        }
        assert_int_equal(how, SL_RECOVERY_REFERENCE);
    }
    live_sync(e, &clip, at + 6, 40, &packets);
    live_check(e, &clip, 0, &packets);
    assert_true(live_psnr(&clip, e, &packets) > 32); /* who lost nothing sees no harm */
    lose(&packets, (size_t)at, 6);
    double error = mean_square(&clip, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return error;
}

static void recovers_without_an_idr(void **state)
{
    (void)state;
    for (int at = 5; at < 240; at += at < 100 ? 45 : 67) {
        double untold = error_after_loss(at, false), told = error_after_loss(at, true);
        if (untold < 60 || told > 30) {
            fail_msg("at %d: mean square error %.1f, told %.1f", at, untold, told);
        }
    }
}

static void recovers_from_what_it_can(void **state)
{
    (void)state;
    static const int keys[] = {60, -1};
    struct live_clip clip = {.width = 64, .height = 64, .keys = keys};
    struct sl_encode_params p = live_params(&clip);
    enum sl_encoder_recovery how;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 3, &packets);
    assert_int_equal(e->ops->recover(e, packets.packet[2]->pts, &how, NULL), SL_EUNSUPPORTED);
    judge_drop(&packets);
    sl_encode_destroy(&e);

    p.loss_recovery = true;
    e = live_open(ops, &p);
    assert_int_equal(e->ops->recover(e, 77, &how, NULL), SL_EUNSUPPORTED); /* none yet */
    live_sync(e, &clip, 0, 1, &packets);
    assert_int_equal(e->ops->recover(e, 77, &how, NULL), SL_EUNSUPPORTED); /* the IDR */
    live_sync(e, &clip, 1, 59, &packets);
    assert_int_equal(e->ops->recover(e, packets.packet[20]->pts, &how, NULL), SL_EUNSUPPORTED);
    assert_int_equal(e->ops->recover(e, packets.packet[50]->pts + 1, &how, NULL), SL_EUNSUPPORTED);
    assert_int_equal(e->ops->recover(e, packets.packet[59]->pts + 3000, &how, NULL),
                     SL_EUNSUPPORTED);
    assert_int_equal(e->ops->recover(e, packets.packet[40]->pts, &how, NULL), SL_OK);
    live_sync(e, &clip, 60, 3, &packets); /* 60 is an IDR again */
    assert_int_equal(e->ops->recover(e, packets.packet[60]->pts, &how, NULL), SL_EUNSUPPORTED);
    assert_int_equal(e->ops->recover(e, packets.packet[58]->pts, &how, NULL), SL_EUNSUPPORTED);
    assert_int_equal(e->ops->recover(e, packets.packet[61]->pts, &how, NULL), SL_OK);
    live_sync(e, &clip, 63, 40, &packets);
    live_check(e, &clip, 0, &packets);
    assert_true(live_psnr(&clip, e, &packets) > 32);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

static void shares_a_picture_among_threads(void **state)
{
    (void)state;
    struct live_clip clip = {.width = 640, .height = 360}, turned = clip;
    turned.upside_down = true;
    struct sl_encode_params p = live_params(&clip);
    p.threads = 3;
    size_t first_size = 0;
    uint8_t *first = NULL;
    for (int k = 0; k < 3; k++) {
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        live_sync(e, k == 2 ? &turned : &clip, 0, 8, &packets);
        live_check(e, &clip, 0, &packets);
        double psnr = live_psnr(&clip, e, &packets);
        if (psnr < 33) {
            fail_msg("PSNR %.2f dB", psnr);
        }
        size_t size;
        const uint8_t *data = judge_payload(packets.packet[7], &size);
        if (!first) {
            first = malloc(size);
            assert_non_null(first);
            memcpy(first, data, size);
            first_size = size;
        }
        assert_int_equal(size, first_size); /* the same bytes again, also from the bottom up */
        assert_memory_equal(data, first, size);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
    free(first);
    static const int sizes[][3] = {{16, 16, 4}, {64, 48, 0}, {1920, 64, 4}, {64, 1088, 64}};
    for (size_t k = 0; k < 4; k++) {
        clip.width = sizes[k][0], clip.height = sizes[k][1];
        p = live_params(&clip);
        p.threads = sizes[k][2];
        p.rate = SL_RATE_VBR;
        p.bitrate = 300000;
        struct sl_coder *e = live_open(ops, &p);
        struct judge_packets packets = {.count = 0};
        live_sync(e, &clip, 0, 4, &packets);
        live_check(e, &clip, 0, &packets);
        assert_true(live_psnr(&clip, e, &packets) > 15);
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
    c[n].preset = "veryfast", says[n++] = "preset \"veryfast\", expected low, medium or high";
    c[n].tune = "film", says[n++] = "tune \"film\", expected camera or screen";
    c[n].profile = "lofty", says[n++] = "profile \"lofty\", expected";
    c[n].qp = 0, says[n++] = "qp 0, expected 1 to 51";
    c[n].qp = 52, says[n++] = "qp 52, expected 1 to 51";
    c[n].rate = SL_RATE_VBR, says[n++] = "bitrate 0, expected 1000 to";
    c[n].rate = SL_RATE_CRF, c[n].crf = (struct sl_rational){52, 1}, says[n++] = "crf 52/1";
    c[n].rate = SL_RATE_AUTO, says[n++] = "rate control 0 is not known";
    c[n].rate = SL_RATE_VBR, c[n].bitrate = 5000, c[n].maxrate = 4000, says[n++] = "maxrate 4000";
    c[n].rate = SL_RATE_VBR, c[n].bitrate = 5000, c[n].buffer = -1, says[n++] = "buffer -1";
    c[n].colour.matrix = 0, says[n++] = "colour matrix 0 (RGB)";
    c[n].threads = -1, says[n++] = "-1 threads";
    c[n].gop = -1, says[n++] = "gop -1, expected 0 to";
    size_t bad = n;
    c[n].width = 8192, c[n].height = 4608, says[n++] = "macroblocks, and openh264 codes at most";
    c[n].profile = "high10", says[n++] = "profile high10, and openh264 codes 4:2:0 of 8 bits";
    c[n].latency = SL_LATENCY_LOOKAHEAD, says[n++] = "openh264 does not look ahead";
    c[n].intra_refresh = true, says[n++] = "openh264 has no intra refresh";
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
    bad->format = SL_PIX_NV12;
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

static void count_lines(void *opaque, enum sl_log_level level, const char *component,
                        const char *text)
{
    int *lines = opaque;
    assert_string_equal(component, "openh264");
    assert_null(strchr(text, '\n'));
    assert_null(strstr(text, "this = 0x"));
    lines[level]++;
}

static void speaks_through_the_log(void **state)
{
    (void)state;
    int lines[SL_LOG_DEBUG + 1] = {0};
    struct sl_log log = {.level = SL_LOG_DEBUG, .write = count_lines, .opaque = lines};
    struct live_clip clip = {.width = 64, .height = 64};
    struct sl_encode_params p = live_params(&clip);
    p.log = &log;
    struct sl_coder *e = live_open(ops, &p);
    struct judge_packets packets = {.count = 0};
    live_sync(e, &clip, 0, 3, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    assert_true(lines[SL_LOG_DEBUG] > 0);
    assert_int_equal(lines[SL_LOG_ERROR] + lines[SL_LOG_WARN] + lines[SL_LOG_INFO], 0);
}

/* The stand-in says what it is without its module, and opens it. */
static void is_a_module(void **state)
{
    (void)state;
    struct sl_error err = {0};
    const struct sl_coder_ops *found;
    if (sl_encode_find(SL_CODEC_H264, "openh264", &found, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_ptr_not_equal(found, ops);
    assert_string_equal(found->caps->licence, "BSD-2-Clause");
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
    p.loss_recovery = true;
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
        cmocka_unit_test(keeps_to_the_gop),
        cmocka_unit_test(describes_colour_and_shape),
        cmocka_unit_test(states_the_level),
        cmocka_unit_test(keeps_to_the_bitrate),
        cmocka_unit_test(changes_bitrate_without_an_idr),
        cmocka_unit_test(recovers_without_an_idr),
        cmocka_unit_test(recovers_from_what_it_can),
        cmocka_unit_test(shares_a_picture_among_threads),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(refuses_bad_frames),
        cmocka_unit_test(speaks_through_the_log),
        cmocka_unit_test(is_a_module),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
