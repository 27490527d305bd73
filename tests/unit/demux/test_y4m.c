/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "pictures.h"
#include "scratch.h"
#include "unit.h"

#define FRAMES 5
#define MAX    (64 << 10)

/* A file of FRAMES pictures: header, then noise, with `frame` before each. */
struct clip {
    uint8_t data[MAX];
    size_t size;
    size_t header_size;
    uint8_t payloads[MAX];
    size_t payload_size;
};

static struct clip clip;

static void make(const char *header, const char *frame, size_t payload_size)
{
    size_t line = strlen(frame);
    clip.header_size = strlen(header);
    clip.payload_size = payload_size;
    clip.size = clip.header_size + FRAMES * (line + payload_size);
    assert_true(clip.size <= MAX);
    memcpy(clip.data, header, clip.header_size);
    scratch_noise(clip.payloads, FRAMES * payload_size, 3);
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t *at = clip.data + clip.header_size + i * (line + payload_size);
        memcpy(at, frame, line);
        memcpy(at + line, clip.payloads + i * payload_size, payload_size);
    }
}

static void read_clip(struct reading *r, enum way way, const struct sl_demux_params *params)
{
    read_pictures(r, way, clip.data, clip.size, params, clip.payloads, clip.payload_size);
}

static void every_way(void **state)
{
    (void)state;
    make("YUV4MPEG2 W12 H10 F30000:1001 Ip A4:3 C420mpeg2 XCOLORRANGE=FULL\n", "FRAME\n",
         12 * 10 * 3 / 2);
    for (int way = 0; way < WAY_COUNT; way++) {
        struct reading r;
        read_clip(&r, (enum way)way, NULL);
        assert_int_equal(r.status, SL_EOF);
        assert_int_equal(r.count, FRAMES);
        assert_int_equal(r.track.kind, SL_KIND_VIDEO);
        assert_int_equal(r.track.codec, SL_CODEC_RAWVIDEO);
        assert_string_equal(r.track.codec_name, "rawvideo");
        assert_int_equal(r.track.pixel_format, SL_PIX_YUV420P);
        assert_int_equal(r.track.bit_depth, 8);
        assert_int_equal(r.track.width, 12);
        assert_int_equal(r.track.height, 10);
        assert_int_equal(r.track.timebase.num, 1001);
        assert_int_equal(r.track.timebase.den, 30000);
        assert_int_equal(r.track.frame_rate.num, 30000);
        assert_int_equal(r.track.frame_rate.den, 1001);
        assert_int_equal(r.track.frame_rate_exact, 1);
        assert_int_equal(r.track.sample_aspect.num, 4);
        assert_int_equal(r.track.sample_aspect.den, 3);
        assert_int_equal(r.track.colour.range, SL_RANGE_FULL);
        assert_int_equal(r.track.colour.chroma_location, 1);
        assert_int_equal(r.track.colour.matrix, 2);
        assert_true(r.duration == 166833 || (way != WAY_SEEKABLE && r.duration == -1));
    }
}

static void layouts(void **state)
{
    (void)state;
    /* 5x3: each odd size rounds up where chroma is halved. */
    static const struct {
        const char *chroma;
        enum sl_pixel_format format;
        size_t size;
        int location;
    } cases[] = {
        {" C420jpeg", SL_PIX_YUV420P, 15 + 2 * 6, 2},
        {" C420mpeg2", SL_PIX_YUV420P, 15 + 2 * 6, 1},
        {" C420paldv", SL_PIX_YUV420P, 15 + 2 * 6, 3},
        {" C420", SL_PIX_YUV420P, 15 + 2 * 6, 0},
        {"", SL_PIX_YUV420P, 15 + 2 * 6, 2},
        {" XYSCSS=411", SL_PIX_YUV411P, 15 + 2 * 6, 0},
        {" XYSCSS=420MPEG2", SL_PIX_YUV420P, 15 + 2 * 6, 1},
        {" C422", SL_PIX_YUV422P, 15 + 2 * 9, 0},
        {" C444 XYSCSS=420JPEG", SL_PIX_YUV444P, 15 * 3, 0},
        {" C411", SL_PIX_YUV411P, 15 + 2 * 6, 0},
        {" Cmono", SL_PIX_GRAY, 15, 0},
        {" C420p10", SL_PIX_YUV420P10, 2 * (15 + 2 * 6), 0},
        {" C422p10", SL_PIX_YUV422P10, 2 * (15 + 2 * 9), 0},
        {" C444p10", SL_PIX_YUV444P10, 2 * 15 * 3, 0},
        {" C420p12", SL_PIX_YUV420P12, 2 * (15 + 2 * 6), 0},
        {" C422p12", SL_PIX_YUV422P12, 2 * (15 + 2 * 9), 0},
        {" C444p12", SL_PIX_YUV444P12, 2 * 15 * 3, 0},
        {" Cmono10", SL_PIX_GRAY10, 2 * 15, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        struct reading r;
        (void)snprintf(header, sizeof header, "YUV4MPEG2 W5 H3 F50:2%s\n", cases[i].chroma);
        make(header, "FRAME Ip XANY=thing\n", cases[i].size);
        read_clip(&r, WAY_PIPE, NULL);
        assert_int_equal(r.status, SL_EOF);
        assert_int_equal(r.count, FRAMES);
        assert_int_equal(r.track.pixel_format, cases[i].format);
        assert_int_equal(r.track.colour.chroma_location, cases[i].location);
        assert_int_equal(r.track.frame_rate.num, 25);
        assert_int_equal(r.track.sample_aspect.num, 0);
    }
}

static char logged[256];

static void keep_log(void *opaque, enum sl_log_level level, const char *component, const char *text)
{
    (void)opaque;
    assert_int_equal(level, SL_LOG_WARN);
    assert_string_equal(component, "demux");
    (void)snprintf(logged, sizeof logged, "%s", text);
}

static void interlaced_is_told(void **state)
{
    (void)state;
    const struct sl_log log = {.level = SL_LOG_WARN, .write = keep_log};
    const struct sl_demux_params params = {.log = &log};
    static const char kinds[] = "tbmp?";
    for (size_t i = 0; kinds[i]; i++) {
        char header[64];
        struct reading r;
        (void)snprintf(header, sizeof header, "YUV4MPEG2 W2 H2 F25:1 I%c\n", kinds[i]);
        make(header, "FRAME\n", 6);
        logged[0] = '\0';
        read_clip(&r, WAY_PIPE, &params);
        assert_int_equal(r.status, SL_EOF);
        assert_true((strstr(logged, "interlaced") != NULL) == (i < 3));
    }
}

static void rate_is_asked_for(void **state)
{
    (void)state;
    const struct sl_demux_params params = {.raw_rate = {24, 1}};
    static const char *const headers[] = {"YUV4MPEG2 W2 H2 F0:0\n", "YUV4MPEG2 W2 H2 F25:0\n",
                                          "YUV4MPEG2 W2 H2 F0:1\n", "YUV4MPEG2 W2 H2\n"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct reading r;
        make(headers[i], "FRAME\n", 6);
        read_clip(&r, WAY_SEEKABLE, NULL);
        assert_int_equal(r.status, SL_EDATA);
        assert_non_null(strstr(r.err.msg, "no frame rate"));
        read_clip(&r, WAY_SEEKABLE, &params);
        assert_int_equal(r.status, SL_EOF);
        assert_int_equal(r.track.frame_rate.num, 24);
    }
}

static void check_header(const char *header, enum sl_status status, const char *part)
{
    for (int way = 0; way < WAY_COUNT; way++) {
        struct reading r;
        make(header, "FRAME\n", 6);
        read_clip(&r, (enum way)way, NULL);
        assert_int_equal(r.status, status);
        assert_int_equal(r.count, 0);
        assert_string_equal(r.err.where, "clip");
        if (!strstr(r.err.msg, part)) {
            fail_msg("\"%s\" does not hold \"%s\"", r.err.msg, part);
        }
    }
}

static void bad_headers(void **state)
{
    (void)state;
    static char endless[6000];
    check_header("YUV4MPEG2 W2 F25:1\n", SL_EDATA, "2x0");
    check_header("YUV4MPEG2 H2 F25:1\n", SL_EDATA, "0x2");
    check_header("YUV4MPEG2 \n", SL_EDATA, "0x0");
    check_header("YUV4MPEG2 W2x H2 F25:1\n", SL_EDATA, "\"W2x\"");
    check_header("YUV4MPEG2 W-2 H2 F25:1\n", SL_EDATA, "\"W-2\"");
    check_header("YUV4MPEG2 W H2 F25:1\n", SL_EDATA, "\"W\"");
    check_header("YUV4MPEG2 W2 H2 F25\n", SL_EDATA, "\"F25\"");
    check_header("YUV4MPEG2 W2 H2 F25:\n", SL_EDATA, "\"F25:\"");
    check_header("YUV4MPEG2 W2 H2 F25:1:1\n", SL_EDATA, "\"F25:1:1\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 Iz\n", SL_EDATA, "\"Iz\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 I\n", SL_EDATA, "\"I\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 A\x1b:1\n", SL_EDATA, "\"A?:1\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 C420p16\n", SL_EUNSUPPORTED, "\"C420p16\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 C444alpha\n", SL_EUNSUPPORTED, "\"C444alpha\"");
    check_header("YUV4MPEG2 W2 H2 F25:1 C\n", SL_EUNSUPPORTED, "\"C\"");
    check_header("YUV4MPEG2 W16385 H2 F25:1\n", SL_EDATA, "16385x2");
    check_header("YUV4MPEG2 W99999999999999999999 H2 F25:1\n", SL_EDATA, "\"W99999999");
    check_header("YUV4MPEG2 W2147483647 H2147483647 F25:1\n", SL_EDATA, "2147483647x2147483647");
    check_header("YUV4MPEG2 W2147483648 H2 F25:1\n", SL_EDATA, "\"W2147483648\"");
    check_header("YUV4MPEG2 W4294967298 H2 F25:1\n", SL_EDATA, "\"W4294967298\"");
    memset(endless, 'X', sizeof endless - 1);
    memcpy(endless, "YUV4MPEG2 ", 10);
    check_header(endless, SL_EDATA, "no end within 4096 bytes");
}

/* A picture of 400 MB is claimed, a few bytes are there: no memory is asked for where the size of
 * the source is known, and the message is the same everywhere. */
static void claims_too_much(void **state)
{
    (void)state;
    make("YUV4MPEG2 W16384 H16384 F25:1\n", "FRAME\n", 6);
    for (int way = 0; way < WAY_COUNT; way++) {
        struct reading r;
        read_clip(&r, (enum way)way, NULL);
        assert_int_equal(r.status, SL_EDATA);
        assert_non_null(strstr(r.err.msg, "402653184 were expected"));
    }
}

static void cut_short(void **state)
{
    (void)state;
    const char *header = "YUV4MPEG2 W4 H4 F25:1\n";
    size_t each = 6 + 24;
    make(header, "FRAME\n", 24);
    for (size_t size = 0; size < clip.size; size++) {
        for (int way = 0; way < WAY_COUNT; way++) {
            struct reading r;
            size_t body = size > clip.header_size ? size - clip.header_size : 0;
            /* Too short for the magic it is nothing, and FFmpeg is asked (test_libav.c). */
            if (size < 10) {
                continue;
            }
            read_pictures(&r, (enum way)way, clip.data, size, NULL, clip.payloads, 24);
            assert_int_equal(r.count, body / each);
            if (size >= clip.header_size && body % each == 0) {
                assert_int_equal(r.status, SL_EOF);
                continue;
            }
            assert_int_equal(r.status, SL_EDATA);
            assert_non_null(strstr(r.err.msg, "cut short"));
            assert_true(r.err.has_offset);
            if (body % each >= 6) {
                char expected[96];
                (void)snprintf(expected, sizeof expected,
                               "frame %zu is cut short: %zu bytes, 24 were expected", body / each,
                               body % each - 6);
                assert_string_equal(r.err.msg, expected);
                assert_int_equal(r.err.offset, clip.header_size + body / each * each + 6);
            } else if (body > 0) {
                assert_int_equal(r.err.offset, clip.header_size + body / each * each);
            }
        }
    }
}

static void bad_frame_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {"FRAMES\n", "frame\n", "\n", "FRAM\n", "\x80\xff\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (int way = 0; way < WAY_COUNT; way++) {
            struct reading r;
            make("YUV4MPEG2 W4 H4 F25:1\n", lines[i], 24);
            read_clip(&r, (enum way)way, NULL);
            assert_int_equal(r.status, SL_EDATA);
            assert_int_equal(r.count, 0);
            assert_non_null(strstr(r.err.msg, "\"FRAME\" was expected"));
            assert_int_equal(r.err.offset, clip.header_size);
        }
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    make("YUV4MPEG2 W4 H4 F25:1\n", "FRAME\n", 24);
    struct picture_case c = {clip.data, clip.size, NULL, FRAMES};
    failing_alloc_run(read_pictures_once, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way),          cmocka_unit_test(layouts),
        cmocka_unit_test(interlaced_is_told), cmocka_unit_test(rate_is_asked_for),
        cmocka_unit_test(bad_headers),        cmocka_unit_test(claims_too_much),
        cmocka_unit_test(cut_short),          cmocka_unit_test(bad_frame_lines),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
