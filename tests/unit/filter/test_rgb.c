/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed RGB to 4:2:0: the formula, and every instruction set the same bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter/rgb.h"
#include "pictures.h"
#include "unit.h"

static const enum sl_pixel_format formats[] = {SL_PIX_RGB24, SL_PIX_BGR24, SL_PIX_RGBA,
                                               SL_PIX_BGRA};
static const uint8_t matrices[] = {1, 4, 5, 6, 7, 9};

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* H.273 8.3 in floating point. */
static void exact(const double rgb[3], uint8_t matrix, bool full, double out[3])
{
    double kr = 0, kb = 0;
    assert_true(sl_rgb_luma(matrix, &kr, &kb));
    double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
    out[0] = full ? y * 255 : 16 + y * 219;
    out[1] = 128 + (rgb[2] - y) / (2 * (1 - kb)) * (full ? 255 : 224);
    out[2] = 128 + (rgb[0] - y) / (2 * (1 - kr)) * (full ? 255 : 224);
}

static double at_most_255(double v)
{
    return v > 255 ? 255 : v;
}

static void check_patch(const struct sl_rgb *rgb, enum sl_pixel_format format, const int px[3],
                        uint8_t matrix, bool in_full, bool full)
{
    bool reversed = format == SL_PIX_BGR24 || format == SL_PIX_BGRA;
    struct sl_frame *in =
        picture_make(format, 4, 2, picture_colour(0, SL_RANGE_FULL, 0), picture_waves, 0);
    struct sl_frame *out =
        picture_make(SL_PIX_YUV420P, 4, 2, picture_colour(1, 1, 0), picture_waves, 0);
    double want[3], value[3];
    for (int i = 0; i < 3; i++) {
        value[i] = in_full ? px[i] / 255.0 : (px[i] - 16) / 219.0;
        for (int y = 0; y < 2; y++) {
            for (int x = 0; x < 4; x++) {
                in->plane[0][y * in->stride[0] + x * rgb->bytes + (reversed ? 2 - i : i)] =
                    (uint8_t)px[i];
            }
        }
    }
    exact(value, matrix, full, want);
    sl_rgb_run(rgb, in, out);
    /* Half a step of rounding, and what 15 bits of weight can add. */
    assert_true(fabs(picture_sample(out, 0, 3, 1) - at_most_255(want[0])) < 0.52);
    assert_true(fabs(picture_sample(out, 1, 1, 0) - at_most_255(want[1])) < 0.52);
    assert_true(fabs(picture_sample(out, 2, 0, 0) - at_most_255(want[2])) < 0.52);
    sl_frame_unref(&in);
    sl_frame_unref(&out);
}

static void test_formula(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int m = 0; m < COUNT(matrices); m++) {
        for (int ranges = 0; ranges < 4; ranges++) {
            bool in_full = ranges & 1, full = ranges & 2;
            struct sl_colour out =
                picture_colour(matrices[m], full ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
            for (int i = 0; i < 64; i++) {
                enum sl_pixel_format format = formats[i % COUNT(formats)];
                int px[3];
                struct sl_rgb rgb;
                for (int k = 0; k < 3; k++) {
                    /* corners of the cube first, then anything */
                    px[k] = i < 8 ? (i >> k & 1 ? 255 : 0) : (int)(picture_random(&seed) % 256);
                    if (!in_full) {
                        px[k] = 16 + px[k] * 219 / 255;
                    }
                }
                assert_true(sl_rgb_init(&rgb, format, in_full ? SL_RANGE_FULL : SL_RANGE_LIMITED,
                                        &out, SL_RGB_CENTRE, SL_RGB_CPU_C));
                check_patch(&rgb, format, px, matrices[m], in_full, full);
            }
        }
    }
}

static void test_greys_are_exact(void **state)
{
    (void)state;
    for (int m = 0; m < COUNT(matrices); m++) {
        struct sl_colour out = picture_colour(matrices[m], SL_RANGE_FULL, 0);
        struct sl_rgb rgb;
        assert_true(
            sl_rgb_init(&rgb, SL_PIX_RGB24, SL_RANGE_FULL, &out, SL_RGB_LEFT, sl_rgb_best_cpu()));
        for (int v = 0; v < 256; v++) {
            uint8_t px[2 * 64 * 3], y[2 * 64], u[32], c[32];
            memset(px, v, sizeof px);
            struct sl_frame in = {.plane = {px}, .stride = {64 * 3}};
            struct sl_frame to = {
                .width = 64, .height = 2, .plane = {y, u, c}, .stride = {64, 32, 32}};
            sl_rgb_run(&rgb, &in, &to);
            for (int i = 0; i < 64; i++) {
                assert_int_equal(y[i], v);
                assert_int_equal(u[i / 2], 128);
                assert_int_equal(c[i / 2], 128);
            }
        }
    }
}

static bool has(enum sl_rgb_cpu cpu)
{
    return cpu <= sl_rgb_best_cpu();
}

/* Rows from the last to the first: what OpenGL calls a picture. Done twice it is as it was. */
static void turn_over(struct sl_frame *f, int32_t rows)
{
    for (int p = 0; p < sl_pixel_info(f->format)->planes; p++) {
        f->plane[p] += (sl_plane_rows(f->format, p, rows) - 1) * f->stride[p];
        f->stride[p] = -f->stride[p];
    }
}

static void assert_interleaved(const struct sl_frame *planar, const struct sl_frame *nv12)
{
    for (int32_t y = 0; y < planar->height; y++) {
        assert_memory_equal(planar->plane[0] + y * planar->stride[0],
                            nv12->plane[0] + y * nv12->stride[0], (size_t)planar->width);
    }
    for (int32_t y = 0; y < planar->height / 2; y++) {
        for (int32_t x = 0; x < planar->width; x++) {
            int p = 1 + x % 2;
            assert_int_equal(nv12->plane[1][y * nv12->stride[1] + x],
                             picture_sample(planar, p, x / 2, y));
        }
    }
}

/* Nothing is written between the rows. */
static void assert_gaps(const struct sl_frame *f)
{
    for (int p = 0; p < sl_pixel_info(f->format)->planes; p++) {
        for (int32_t y = 1; y < sl_plane_rows(f->format, p, f->height); y++) {
            assert_int_equal(f->plane[p][y * f->stride[p] - 1], 0xa5);
        }
    }
}

static struct sl_frame *run_on(enum sl_rgb_cpu cpu, const struct sl_frame *in,
                               const struct sl_colour *colour, enum sl_rgb_siting siting,
                               enum sl_pixel_format to, int skew, bool over)
{
    struct sl_rgb rgb;
    struct sl_frame *out =
        picture_make(to, in->width & ~1, in->height & ~1, *colour, picture_waves, skew);
    assert_true(sl_rgb_init(&rgb, in->format, SL_RANGE_FULL, colour, siting, cpu));
    if (over) {
        turn_over(out, out->height);
    }
    sl_rgb_run(&rgb, in, out);
    if (over) {
        turn_over(out, out->height);
    }
    if (skew > 0) {
        assert_gaps(out);
    }
    return out;
}

/* Random bytes at the very end of a block of memory, so that any overread is caught. */
static void check_same(enum sl_pixel_format format, enum sl_rgb_siting siting, int32_t width,
                       int32_t height, int skew, uint32_t *seed)
{
    struct sl_colour colour =
        picture_colour(matrices[picture_random(seed) % COUNT(matrices)],
                       picture_random(seed) % 2 ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
    struct sl_frame *in = picture_make(format, width, height, picture_colour(0, SL_RANGE_FULL, 0),
                                       picture_waves, skew);
    for (int32_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < sl_plane_bytes(format, 0, width); x++) {
            uint32_t r = picture_random(seed);
            in->plane[0][y * in->stride[0] + x] = (uint8_t)(r % 8 ? r >> 3 : r & 8 ? 255 : 0);
        }
    }
    struct sl_frame *want = run_on(SL_RGB_CPU_C, in, &colour, siting, SL_PIX_YUV420P, skew, false);
    for (int cpu = 0; cpu < SL_RGB_CPU_COUNT && has((enum sl_rgb_cpu)cpu); cpu++) {
        bool over = picture_random(seed) % 2; /* both sides: the picture stays as it is */
        if (over) {
            turn_over(in, height & ~1);
        }
        struct sl_frame *planar =
            run_on((enum sl_rgb_cpu)cpu, in, &colour, siting, SL_PIX_YUV420P, skew, over);
        struct sl_frame *nv12 =
            run_on((enum sl_rgb_cpu)cpu, in, &colour, siting, SL_PIX_NV12, skew, over);
        if (over) {
            turn_over(in, height & ~1);
        }
        picture_assert_equal(want, planar);
        assert_interleaved(want, nv12);
        sl_frame_unref(&planar);
        sl_frame_unref(&nv12);
    }
    sl_frame_unref(&want);
    sl_frame_unref(&in);
}

static void test_every_cpu_gives_the_same(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int f = 0; f < COUNT(formats); f++) {
        for (int siting = -1; siting <= 1; siting++) {
            for (int32_t width = 2; width <= 134; width++) { /* two blocks of the widest */
                check_same(formats[f], (enum sl_rgb_siting)siting, width,
                           2 + (int32_t)(picture_random(&seed) % 5),
                           (int)(picture_random(&seed) % 33), &seed);
            }
            check_same(formats[f], (enum sl_rgb_siting)siting, 1366, 4, 3, &seed);
        }
    }
}

/* Memory that faults right before the first pixel and right after the last one, for whatever
 * address checking does not look into. */
static void test_guard_pages(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const int32_t height = 4;
    uint8_t *map = mmap(NULL, 16 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + page, 14 * page, PROT_READ | PROT_WRITE), 0);
    for (int i = 0; i < COUNT(formats) * 3 * SL_RGB_CPU_COUNT; i++) {
        enum sl_pixel_format format = formats[i % COUNT(formats)];
        enum sl_rgb_siting siting = (enum sl_rgb_siting)(i / COUNT(formats) % 3 - 1);
        enum sl_rgb_cpu cpu = (enum sl_rgb_cpu)(i / COUNT(formats) / 3);
        struct sl_colour colour = picture_colour(1, SL_RANGE_LIMITED, 0);
        struct sl_rgb rgb;
        if (!has(cpu)) {
            continue;
        }
        assert_true(sl_rgb_init(&rgb, format, SL_RANGE_FULL, &colour, siting, cpu));
        for (int32_t width = 2; width <= 200; width += width < 140 ? 2 : 30) {
            struct sl_frame *out =
                picture_make(SL_PIX_NV12, width, height, colour, picture_waves, 0);
            ptrdiff_t row = (ptrdiff_t)sl_plane_bytes(format, 0, width);
            struct sl_frame in = {.stride = {row}};
            in.plane[0] = map + page;
            sl_rgb_run(&rgb, &in, out);
            in.plane[0] = map + 15 * page - height * row;
            sl_rgb_run(&rgb, &in, out);
            in.plane[0] = map + 15 * page - row;
            in.stride[0] = -row;
            sl_rgb_run(&rgb, &in, out);
            sl_frame_unref(&out);
        }
    }
    assert_int_equal(munmap(map, 16 * page), 0);
}

/* A red column among black ones shows what each siting gathers. */
static void test_siting(void **state)
{
    (void)state;
    static const int weights[3][5] = {{1, 2, 1, 0, 0}, {0, 2, 2, 0, 0}, {0, 1, 2, 1, 0}};
    struct sl_colour colour = picture_colour(1, SL_RANGE_FULL, 0);
    for (int siting = -1; siting <= 1; siting++) {
        struct sl_rgb rgb;
        assert_true(sl_rgb_init(&rgb, SL_PIX_RGB24, SL_RANGE_FULL, &colour,
                                (enum sl_rgb_siting)siting, SL_RGB_CPU_C));
        for (int column = 0; column < 5; column++) {
            uint8_t px[2][8 * 3] = {{0}}, y[2][8], u[4], v[4];
            px[0][(3 + column) * 3] = px[1][(3 + column) * 3] = 200;
            struct sl_frame in = {.plane = {px[0]}, .stride = {24}};
            struct sl_frame to = {
                .width = 8, .height = 2, .plane = {y[0], u, v}, .stride = {8, 4, 4}};
            sl_rgb_run(&rgb, &in, &to);
            /* the site of columns 4 and 5; V of full-range red is half of it */
            int want = 128 + (200 * weights[siting + 1][column] / 4 + 1) / 2;
            assert_true(abs(v[2] - want) <= 1);
        }
    }
}

static void test_what_is_not_handled(void **state)
{
    (void)state;
    struct sl_rgb rgb;
    struct sl_colour colour = picture_colour(8, SL_RANGE_LIMITED, 0); /* YCgCo */
    assert_false(sl_rgb_init(&rgb, SL_PIX_RGB24, 2, &colour, SL_RGB_CENTRE, SL_RGB_CPU_C));
    colour.matrix = 1;
    assert_false(sl_rgb_init(&rgb, SL_PIX_GBRP, 2, &colour, SL_RGB_CENTRE, SL_RGB_CPU_C));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_greys_are_exact),
        cmocka_unit_test(test_every_cpu_gives_the_same),
        cmocka_unit_test(test_guard_pages),
        cmocka_unit_test(test_siting),
        cmocka_unit_test(test_what_is_not_handled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
