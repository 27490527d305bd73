/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw RGB converted band by band is, byte for byte, what a scaler makes of the whole picture. */
#include <string.h>

#include "demux/registry.h"
#include "failing_alloc.h"
#include "filter/scale.h"
#include "pipeline/raw_rows.h"
#include "scratch.h"
#include "unit.h"

#define WIDTH    2048 /* 21 rows of rgb24 in 128 KiB: bands that do not divide the height */
#define HEIGHT   50
#define PICTURES 3
#define PICTURE  (WIDTH * HEIGHT * 4)

static uint8_t bytes[PICTURES * PICTURE];

struct input {
    struct sl_raw_rows rows;
    struct sl_window *window;
    struct sl_demuxer *demuxer;
    size_t size, pushed;
};

static enum sl_status input_open(struct input *in, enum sl_pixel_format format, size_t size,
                                 struct sl_error *err)
{
    struct sl_window_source source = {.name = "pushed", .size = -1};
    struct sl_demux_params params = {
        .raw_format = format, .raw_width = WIDTH, .raw_height = HEIGHT, .raw_rate = {25, 1}};
    *in = (struct input){.size = size};
    enum sl_status st = sl_raw_rows_open(&in->rows, &params, err);
    if (st == SL_OK) {
        st = sl_window_create(&in->window, &source, err);
    }
    if (st == SL_OK) {
        st = sl_demux_open(&in->demuxer, in->window, &params, err);
    }
    return st;
}

static void input_close(struct input *in)
{
    sl_demux_destroy(&in->demuxer);
    sl_window_destroy(&in->window);
    sl_raw_rows_close(&in->rows);
}

/* The next picture, pushing pieces of an odd size where more is asked for. */
static enum sl_status input_next(struct input *in, struct sl_frame **out, struct sl_error *err)
{
    struct sl_packet *packet = NULL;
    enum sl_status st;
    *out = NULL;
    while ((st = in->demuxer->ops->read(in->demuxer, &packet, err)) == SL_EAGAIN) {
        size_t left = in->size - in->pushed, n = left < 9973 ? left : 9973;
        if (n == 0) {
            sl_window_end(in->window);
            continue;
        }
        st = sl_window_push(in->window, bytes + in->pushed, n, err);
        if (st != SL_OK) {
            return st;
        }
        in->pushed += n;
    }
    if (st == SL_OK) {
        assert_int_equal(packet->payload.size, 0);
        *out = sl_raw_rows_take(&in->rows, packet);
    }
    sl_packet_unref(&packet);
    return st;
}

static void assert_same_picture(const struct sl_frame *a, const struct sl_frame *b)
{
    assert_int_equal(a->format, b->format);
    assert_int_equal(a->pts, b->pts);
    assert_int_equal(a->duration, b->duration);
    assert_memory_equal(&a->colour, &b->colour, sizeof a->colour);
    for (int i = 0; i < 3; i++) {
        int log = i > 0;
        for (int32_t y = 0; y < HEIGHT >> log; y++) {
            assert_memory_equal(a->plane[i] + y * a->stride[i], b->plane[i] + y * b->stride[i],
                                WIDTH >> log);
        }
    }
}

static void same_as_a_scaler(void **state)
{
    (void)state;
    static const enum sl_pixel_format formats[] = {SL_PIX_RGB24, SL_PIX_BGR24, SL_PIX_RGBA,
                                                   SL_PIX_BGRA};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct input in;
        size_t row = (size_t)sl_plane_bytes(formats[i], 0, WIDTH), each = row * HEIGHT;
        struct sl_scaler *scaler = NULL;
        assert_int_equal(input_open(&in, formats[i], PICTURES * each, NULL), SL_OK);
        assert_true(in.rows.used);
        struct sl_scale_params params = {
            .width = WIDTH, .height = HEIGHT, .colour = in.rows.colour};
        assert_int_equal(sl_scaler_create(&scaler, &params, NULL), SL_OK);
        for (int64_t n = 0; n < PICTURES; n++) {
            struct sl_frame *got = NULL, *whole = NULL, *wanted = NULL;
            assert_int_equal(sl_frame_create_video(&whole, formats[i], WIDTH, HEIGHT, NULL, NULL),
                             SL_OK);
            for (int32_t y = 0; y < HEIGHT; y++) {
                memcpy(whole->plane[0] + y * whole->stride[0],
                       bytes + (size_t)n * each + (size_t)y * row, row);
            }
            whole->pts = n;
            whole->duration = 1;
            assert_int_equal(sl_scaler_run(scaler, whole, &wanted, NULL), SL_OK);
            assert_int_equal(input_next(&in, &got, NULL), SL_OK);
            assert_same_picture(got, wanted);
            /* What the ladder's base scaler then does with it: nothing. */
            struct sl_frame *passed = NULL;
            assert_int_equal(sl_scaler_run(scaler, got, &passed, NULL), SL_OK);
            assert_ptr_equal(passed, got);
            sl_frame_unref(&passed);
            sl_frame_unref(&got);
            sl_frame_unref(&wanted);
            sl_frame_unref(&whole);
        }
        struct sl_frame *none = NULL;
        assert_int_equal(input_next(&in, &none, NULL), SL_EOF);
        sl_scaler_destroy(&scaler);
        input_close(&in);
    }
}

static void cut_short(void **state)
{
    (void)state;
    struct input in;
    struct sl_error err = {0};
    struct sl_frame *got = NULL;
    size_t each = (size_t)WIDTH * HEIGHT * 3;
    assert_int_equal(input_open(&in, SL_PIX_RGB24, each + each / 2 + 1, NULL), SL_OK);
    assert_int_equal(input_next(&in, &got, &err), SL_OK);
    sl_frame_unref(&got);
    assert_int_equal(input_next(&in, &got, &err), SL_EDATA);
    assert_null(got);
    assert_int_equal(err.offset, each);
    assert_string_equal(err.msg, "frame 1 is cut short: 153601 bytes, 307200 were expected");
    input_close(&in);
}

/* Other formats and odd sizes go the usual way. */
static void left_alone(void **state)
{
    (void)state;
    static const struct sl_demux_params cases[] = {
        {.raw_format = SL_PIX_NONE},
        {.raw_format = SL_PIX_NV12, .raw_width = 16, .raw_height = 16},
        {.raw_format = SL_PIX_YUV444P, .raw_width = 16, .raw_height = 16},
        {.raw_format = SL_PIX_RGB24, .raw_width = 17, .raw_height = 16},
        {.raw_format = SL_PIX_RGB24, .raw_width = 16, .raw_height = 15},
        {.raw_format = SL_PIX_RGB24, .raw_width = 16386, .raw_height = 16},
        {.raw_format = SL_PIX_RGB24, .raw_width = -2, .raw_height = 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_raw_rows rows;
        struct sl_demux_params params = cases[i];
        assert_int_equal(sl_raw_rows_open(&rows, &params, NULL), SL_OK);
        assert_false(rows.used);
        assert_null(params.raw_bands.take);
        sl_raw_rows_close(&rows);
    }
}

static enum sl_status read_all(void *arg)
{
    struct input in;
    (void)arg;
    enum sl_status st = input_open(&in, SL_PIX_RGB24, (size_t)2 * WIDTH * HEIGHT * 3, NULL);
    while (st == SL_OK) {
        struct sl_frame *frame = NULL;
        st = input_next(&in, &frame, NULL);
        sl_frame_unref(&frame);
    }
    input_close(&in);
    return st == SL_EOF ? SL_OK : st;
}

static void memory_runs_out(void **state)
{
    (void)state;
    failing_alloc_run(read_all, NULL);
}

static int set_up(void **state)
{
    (void)state;
    scratch_noise(bytes, sizeof bytes, 5);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_a_scaler),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(left_alone),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
