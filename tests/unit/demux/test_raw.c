/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "demux/registry.h"
#include "failing_alloc.h"
#include "pictures.h"
#include "scratch.h"
#include "unit.h"

#define FRAMES 4
#define WIDTH  7
#define HEIGHT 5

static uint8_t bytes[FRAMES * WIDTH * HEIGHT * 8];

static const struct {
    const char *name;
    size_t size; /* of one picture */
} formats[] = {
    {"rgb24", 7 * 5 * 3},
    {"rgba", 7 * 5 * 4},
    {"bgra", 7 * 5 * 4},
    {"bgr24", 7 * 5 * 3},
    {"nv12", 7 * 5 + 8 * 3},
    {"yuv420p", 7 * 5 + 2 * 4 * 3},
    {"yuv444p", 7 * 5 * 3},
    {"yuv422p", 7 * 5 + 2 * 4 * 5},
    {"gray", 7 * 5},
    {"yuv420p10", 2 * (7 * 5 + 2 * 4 * 3)},
    {"p010", 2 * (7 * 5 + 8 * 3)},
    {"gbrp", 7 * 5 * 3},
    {"gbrp12", 2 * 7 * 5 * 3},
};

static struct sl_demux_params params_for(const char *name)
{
    return (struct sl_demux_params){.raw_format = sl_pixel_find(name),
                                    .raw_width = WIDTH,
                                    .raw_height = HEIGHT,
                                    .raw_rate = {60000, 2002}};
}

static int set_up(void **state)
{
    (void)state;
    scratch_noise(bytes, sizeof bytes, 11);
    return 0;
}

static void every_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct sl_demux_params params = params_for(formats[i].name);
        assert_int_not_equal(params.raw_format, SL_PIX_NONE);
        for (int way = 0; way < WAY_COUNT; way++) {
            struct reading r;
            read_pictures(&r, (enum way)way, bytes, FRAMES * formats[i].size, &params, bytes,
                          formats[i].size);
            assert_int_equal(r.status, SL_EOF);
            assert_int_equal(r.count, FRAMES);
            assert_int_equal(r.track.codec, SL_CODEC_RAWVIDEO);
            assert_int_equal(r.track.pixel_format, params.raw_format);
            assert_int_equal(r.track.width, WIDTH);
            assert_int_equal(r.track.height, HEIGHT);
            assert_int_equal(r.track.timebase.num, 1001);
            assert_int_equal(r.track.timebase.den, 30000);
            assert_int_equal(r.track.frame_rate_exact, 1);
            assert_true(r.duration == 133467 || (way != WAY_SEEKABLE && r.duration == -1));
        }
    }
}

static void cut_short(void **state)
{
    (void)state;
    struct sl_demux_params params = params_for("yuv420p");
    size_t each = 7 * 5 + 2 * 4 * 3;
    for (size_t size = 0; size < 2 * each + 1; size++) {
        for (int way = 0; way < WAY_COUNT; way++) {
            struct reading r;
            char expected[96];
            read_pictures(&r, (enum way)way, bytes, size, &params, bytes, each);
            assert_int_equal(r.count, size / each);
            if (size % each == 0) {
                assert_int_equal(r.status, SL_EOF);
                continue;
            }
            assert_int_equal(r.status, SL_EDATA);
            (void)snprintf(expected, sizeof expected,
                           "frame %zu is cut short: %zu bytes, %zu were expected", size / each,
                           size % each, each);
            assert_string_equal(r.err.msg, expected);
            assert_int_equal(r.err.offset, size / each * each);
        }
    }
}

static void bad_params(void **state)
{
    (void)state;
    static const struct {
        struct sl_demux_params params;
        enum sl_status status;
    } cases[] = {
        {{.raw_format = SL_PIX_RGB24, .raw_width = 4, .raw_height = 4}, SL_EINVAL},
        {{.raw_format = SL_PIX_RGB24, .raw_rate = {25, 1}}, SL_EINVAL},
        {{.raw_format = SL_PIX_RGB24, .raw_width = 4, .raw_height = -4, .raw_rate = {25, 1}},
         SL_EINVAL},
        {{.raw_format = SL_PIX_RGB24, .raw_width = 4, .raw_height = 4, .raw_rate = {25, 0}},
         SL_EINVAL},
        {{.raw_format = SL_PIX_COUNT, .raw_width = 4, .raw_height = 4, .raw_rate = {25, 1}},
         SL_EINVAL},
        {{.raw_format = SL_PIX_RGBA, .raw_width = 16385, .raw_height = 4, .raw_rate = {25, 1}},
         SL_EDATA},
        {{.raw_format = SL_PIX_RGBA,
          .raw_width = INT32_MAX,
          .raw_height = INT32_MAX,
          .raw_rate = {25, 1}},
         SL_EDATA},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading r;
        read_pictures(&r, WAY_PIPE, bytes, sizeof bytes, &cases[i].params, bytes, 0);
        assert_int_equal(r.status, cases[i].status);
        assert_string_equal(r.err.where, "clip");
    }
}

/* Bytes that no demuxer of ours claims are not taken for raw frames. */
static void not_by_looking(void **state)
{
    (void)state;
    for (const struct sl_demuxer_ops *const *ops = sl_demuxers(); *ops; ops++) {
        if (strcmp((*ops)->name, "raw") == 0) {
            assert_int_equal((*ops)->probe(bytes, 4096), 0);
        }
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct sl_demux_params params = params_for("rgb24");
    struct picture_case c = {bytes, (size_t)FRAMES * WIDTH * HEIGHT * 3, &params, FRAMES};
    failing_alloc_run(read_pictures_once, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format),    cmocka_unit_test(cut_short),
        cmocka_unit_test(bad_params),      cmocka_unit_test(not_by_looking),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
