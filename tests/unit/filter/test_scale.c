/* SPDX-License-Identifier: BSD-2-Clause */
/* The scaler as its header promises it: what is passed on untouched, sizes, turns, labels. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "failing_alloc.h"
#include "filter/rotate.h"
#include "filter/scale.h"
#include "pictures.h"
#include "unit.h"

static struct sl_scaler *make(const struct sl_scale_params *params)
{
    struct sl_scaler *s = NULL;
    struct sl_error err = {0};
    if (sl_scaler_create(&s, params, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return s;
}

static struct sl_frame *run(struct sl_scaler *s, struct sl_frame *in)
{
    struct sl_frame *out = NULL;
    struct sl_error err = {0};
    if (sl_scaler_run(s, in, &out, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return out;
}

static struct sl_frame *run_once(struct sl_frame *in, const struct sl_scale_params *params)
{
    struct sl_scaler *s = make(params);
    struct sl_frame *out = run(s, in);
    sl_scaler_destroy(&s);
    assert_null(s);
    return out;
}

/* ---- parameters and labels ---------------------------------------------------------------- */

static void test_bad_params(void **state)
{
    (void)state;
    const struct sl_scale_params good = {
        .width = 64, .height = 36, .colour = picture_colour(1, SL_RANGE_LIMITED, 0)};
    struct sl_scale_params bad[9];
    for (int i = 0; i < 9; i++) {
        bad[i] = good;
    }
    bad[0].width = 63;
    bad[1].height = 0;
    bad[2].width = 16386;
    bad[3].rotation = 45;
    bad[4].colour.matrix = 2;
    bad[5].colour.matrix = 0;
    bad[6].colour.range = SL_RANGE_UNSPECIFIED;
    bad[7].rotation = -90;
    bad[8].colour.chroma_location = 7;
    for (int i = 0; i < 9; i++) {
        struct sl_scaler *s = NULL;
        struct sl_error err = {0};
        assert_int_equal(sl_scaler_create(&s, &bad[i], &err), SL_EINVAL);
        assert_null(s);
        assert_int_equal(err.status, SL_EINVAL);
    }
    struct sl_scaler *s = make(&good);
    struct sl_frame *sound = NULL, *out = NULL;
    assert_int_equal(sl_frame_create_audio(&sound, 1, 0, 48000, 10, NULL), SL_OK);
    assert_int_equal(sl_scaler_run(s, sound, &out, NULL), SL_EINVAL);
    assert_null(out);
    sl_frame_unref(&sound);
    sl_scaler_destroy(&s);
    sl_scaler_destroy(&s);
    sl_scaler_destroy(NULL);
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct sl_scale_params params = {
        .width = 64, .height = 36, .colour = picture_colour(6, SL_RANGE_LIMITED, 0)};
    struct sl_colour colour = params.colour;
    struct sl_frame *in = picture_make(SL_PIX_YUV420P, 64, 36, colour, picture_noise, 3);
    struct sl_frame *out = run_once(in, &params);
    assert_ptr_equal(in, out);
    sl_frame_unref(&out);

    /* The same pixels by another label: the planes are shared, the label is ours. */
    in->colour = (struct sl_colour){2, 2, 5, 0, 1};
    in->pts = 17;
    in->duration = 3;
    in->flags = SL_FRAME_KEY;
    params.colour.chroma_location = 1;
    out = run_once(in, &params);
    assert_ptr_not_equal(in, out);
    assert_ptr_equal(in->plane[0], out->plane[0]);
    assert_ptr_equal(in->buf[2], out->buf[2]);
    assert_int_equal(out->colour.matrix, 6);
    assert_int_equal(out->colour.chroma_location, 1);
    assert_int_equal(out->pts, 17);
    assert_int_equal(out->duration, 3);
    assert_int_equal(out->flags, SL_FRAME_KEY);
    sl_frame_unref(&out);
    sl_frame_unref(&in);
}

static void test_odd_sizes_are_cut(void **state)
{
    (void)state;
    struct sl_colour colour = picture_colour(1, SL_RANGE_LIMITED, 0);
    struct sl_scale_params params = {.width = 64, .height = 36, .colour = colour, .crop_odd = true};
    struct sl_frame *in = picture_make(SL_PIX_YUV420P, 65, 37, colour, picture_noise, 3);
    struct sl_frame *out = run_once(in, &params);
    assert_ptr_equal(in->plane[0], out->plane[0]);
    assert_int_equal(out->width, 64);
    assert_int_equal(out->height, 36);
    sl_frame_unref(&out);
    /* Not asked for: scaled, so the planes are others. */
    params.crop_odd = false;
    out = run_once(in, &params);
    assert_ptr_not_equal(in->plane[0], out->plane[0]);
    sl_frame_unref(&out);
    sl_frame_unref(&in);

    /* RGB: what is cut does not leak into the last column, and turns go before the cut. */
    in = picture_make(SL_PIX_RGB24, 37, 65, picture_colour(0, SL_RANGE_FULL, 0), picture_waves, 0);
    struct sl_frame *even =
        picture_make(SL_PIX_RGB24, 36, 64, picture_colour(0, SL_RANGE_FULL, 0), picture_waves, 0);
    params.crop_odd = true;
    params.rotation = 90;
    out = run_once(in, &params);
    struct sl_frame *want = run_once(even, &params);
    picture_assert_equal(out, want);
    sl_frame_unref(&in);
    sl_frame_unref(&even);
    sl_frame_unref(&out);
    sl_frame_unref(&want);
}

static void test_labels_of_what_is_converted(void **state)
{
    (void)state;
    struct sl_scale_params params = {
        .width = 36, .height = 64, .colour = {9, 16, 9, SL_RANGE_LIMITED, 2}, .rotation = 270};
    struct sl_frame *in =
        picture_make(SL_PIX_YUV444P10, 128, 72, picture_colour(9, 1, 0), picture_waves, 0);
    in->pts = -5;
    in->duration = 1001;
    in->flags = SL_FRAME_KEY | SL_FRAME_CUT;
    in->sample_aspect = (struct sl_rational){4, 3};
    struct sl_frame *out = run_once(in, &params);
    assert_int_equal(out->kind, SL_KIND_VIDEO);
    assert_int_equal(out->format, SL_PIX_YUV420P);
    assert_int_equal(out->width, 36);
    assert_int_equal(out->height, 64);
    assert_int_equal(out->pts, -5);
    assert_int_equal(out->duration, 1001);
    assert_int_equal(out->flags, SL_FRAME_KEY | SL_FRAME_CUT);
    assert_int_equal(out->sample_aspect.num, 3);
    assert_int_equal(out->sample_aspect.den, 4);
    assert_memory_equal(&out->colour, &params.colour, sizeof out->colour);
    sl_frame_unref(&out);
    in->sample_aspect = (struct sl_rational){0, 1};
    out = run_once(in, &params);
    assert_int_equal(out->sample_aspect.num, 0);
    assert_int_equal(out->sample_aspect.den, 1);
    sl_frame_unref(&out);
    sl_frame_unref(&in);
}

static void test_suggested_colour(void **state)
{
    (void)state;
    struct sl_colour none = picture_colour(2, 0, 0);
    none.primaries = none.transfer = 2;
    struct sl_colour c = sl_scale_colour(SL_PIX_RGBA, none, 1080, 0, 0);
    assert_int_equal(c.matrix, 1);
    assert_int_equal(c.range, SL_RANGE_LIMITED);
    assert_int_equal(c.chroma_location, 2); /* the mean of four: in the middle */
    c = sl_scale_colour(SL_PIX_RGB24, picture_colour(0, SL_RANGE_FULL, 0), 480, 0, 0);
    assert_int_equal(c.matrix, 6);
    c = sl_scale_colour(SL_PIX_YUV420P10, (struct sl_colour){9, 16, 9, 1, 1}, 720, 90, 0);
    assert_int_equal(c.matrix, 9);
    assert_int_equal(c.transfer, 16);
    assert_int_equal(c.chroma_location, 4); /* left, turned right: top */
    c = sl_scale_colour(SL_PIX_NV12, picture_colour(6, SL_RANGE_LIMITED, 0), 720, 0, 0);
    assert_int_equal(c.chroma_location, 0); /* not stated, and kept as it is */
    c = sl_scale_colour(SL_PIX_YUV420P, picture_colour(6, SL_RANGE_FULL, 1), 720, 180, 0);
    assert_int_equal(c.range, SL_RANGE_FULL);
    assert_int_equal(c.chroma_location, 0); /* right: there is no code for it */
}

static void test_matrices_that_cannot_be_had(void **state)
{
    (void)state;
    struct sl_scale_params params = {
        .width = 32, .height = 32, .colour = picture_colour(1, SL_RANGE_LIMITED, 0)};
    static const uint8_t matrices[] = {10, 14, 200};
    for (int i = 0; i < 3; i++) {
        struct sl_frame *in = picture_make(SL_PIX_YUV420P10, 64, 64,
                                           picture_colour(matrices[i], 1, 0), picture_waves, 0);
        struct sl_frame *out = NULL;
        struct sl_error err = {0};
        struct sl_scaler *s = make(&params);
        assert_int_equal(sl_scaler_run(s, in, &out, &err), SL_EUNSUPPORTED);
        assert_null(out);
        assert_non_null(strstr(err.msg, "matrix"));
        /* The next frame may be a better one. */
        in->colour.matrix = 1;
        out = run(s, in);
        sl_frame_unref(&out);
        sl_scaler_destroy(&s);
        /* To the same matrix only size and depth change: nothing needs to be known about it. */
        struct sl_scale_params same = params;
        same.colour.matrix = in->colour.matrix = matrices[i];
        out = run_once(in, &same);
        sl_frame_unref(&out);
        sl_frame_unref(&in);
    }
}

/* ---- geometry ----------------------------------------------------------------------------- */

static void test_turns_are_exact(void **state)
{
    (void)state;
    struct sl_colour colour = picture_colour(1, SL_RANGE_LIMITED, 0);
    for (int degrees = 0; degrees < 360; degrees += 90) {
        for (int flip = 0; flip < 2; flip++) {
            bool sideways = degrees % 180 != 0;
            struct sl_scale_params there = {.width = sideways ? 38 : 70,
                                            .height = sideways ? 70 : 38,
                                            .colour = colour,
                                            .rotation = degrees,
                                            .flip = flip};
            struct sl_scale_params back = {.width = 70,
                                           .height = 38,
                                           .colour = colour,
                                           .rotation = flip ? degrees : (360 - degrees) % 360,
                                           .flip = flip};
            struct sl_frame *in = picture_make(SL_PIX_YUV420P, 70, 38, colour, picture_noise, 1);
            struct sl_frame *out = run_once(in, &there);
            struct sl_frame *again = run_once(out, &back);
            picture_assert_equal(in, again);
            if (degrees == 90 && !flip) {
                assert_int_equal(picture_sample(out, 0, 37, 0), picture_sample(in, 0, 0, 0));
                assert_int_equal(picture_sample(out, 1, 0, 34), picture_sample(in, 1, 34, 18));
            }
            sl_frame_unref(&out);
            sl_frame_unref(&again);

            /* The turn of a converted picture is the conversion turned. */
            struct sl_frame *rgb = picture_make(
                SL_PIX_BGRA, 70, 38, picture_colour(0, SL_RANGE_FULL, 0), picture_noise, 0);
            struct sl_scale_params plain = {.width = 70, .height = 38, .colour = colour};
            struct sl_frame *flat = run_once(rgb, &plain);
            out = run_once(rgb, &there);
            again = run_once(out, &back);
            picture_assert_equal(flat, again);
            sl_frame_unref(&rgb);
            sl_frame_unref(&flat);
            sl_frame_unref(&out);
            sl_frame_unref(&again);
            sl_frame_unref(&in);
        }
    }
}

/* Position of the picture's sample in the source that was scaled to it. */
struct mapping {
    double scale_x, scale_y;
};
static struct mapping mapping;

static double fill_mapped(int c, double x, double y)
{
    return picture_waves(c, (x + 0.5) * mapping.scale_x - 0.5, (y + 0.5) * mapping.scale_y - 0.5);
}

static void test_odd_sizes_are_scaled_exactly(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {{127, 95, 128, 96},
                                       {129, 97, 128, 96},
                                       {129, 97, 86, 64},
                                       {97, 130, 194, 260},
                                       {255, 96, 128, 48}};
    for (int f = 1; f < SL_PIX_COUNT; f++) {
        const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)f);
        if (info->rgb || info->planes == 1) {
            continue; /* what they become is not simply what they were */
        }
        for (int i = 0; i < 5; i++) {
            const int32_t *d = sizes[i];
            struct sl_colour colour = picture_colour(1, SL_RANGE_LIMITED, 2);
            struct sl_scale_params params = {.width = d[2], .height = d[3], .colour = colour};
            struct sl_frame *in =
                picture_make((enum sl_pixel_format)f, d[0], d[1], colour, picture_waves, 0);
            struct sl_frame *out = run_once(in, &params);
            mapping = (struct mapping){(double)d[0] / d[2], (double)d[1] / d[3]};
            struct sl_frame *want =
                picture_make(SL_PIX_YUV420P, d[2], d[3], colour, fill_mapped, 0);
            double psnr = picture_psnr(out, want);
            if (psnr < 45) {
                fail_msg("%s %dx%d to %dx%d: %.2f dB", info->name, (int)d[0], (int)d[1], (int)d[2],
                         (int)d[3], psnr);
            }
            sl_frame_unref(&in);
            sl_frame_unref(&out);
            sl_frame_unref(&want);
        }
    }
}

static void test_tiny_pictures(void **state)
{
    (void)state;
    for (int f = 1; f < SL_PIX_COUNT; f++) {
        for (int32_t w = 1; w <= 9; w += 1 + w / 4) {
            for (int32_t h = 1; h <= 9; h += 1 + h / 3) {
                bool rgb = sl_pixel_info((enum sl_pixel_format)f)->rgb;
                struct sl_colour colour =
                    picture_colour(1, rgb ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
                struct sl_frame *in =
                    picture_make((enum sl_pixel_format)f, w, h, colour, picture_waves, 1);
                static const int32_t sizes[][2] = {{2, 2}, {8, 6}, {64, 48}};
                for (int i = 0; i < 3; i++) {
                    struct sl_scale_params params = {
                        .width = sizes[i][0],
                        .height = sizes[i][1],
                        .colour = picture_colour(1, SL_RANGE_LIMITED, (uint8_t)(i * 2)),
                        .rotation = i * 90};
                    struct sl_frame *out = run_once(in, &params);
                    assert_int_equal(out->width, sizes[i][0]);
                    sl_frame_unref(&out);
                }
                sl_frame_unref(&in);
            }
        }
    }
}

static void test_memory_layout_does_not_matter(void **state)
{
    (void)state;
    static const int32_t sizes[][2] = {{130, 70}, {131, 71}};
    for (int f = 1; f < SL_PIX_COUNT; f++) {
        for (int i = 0; i < 2; i++) {
            bool rgb = sl_pixel_info((enum sl_pixel_format)f)->rgb;
            struct sl_colour colour = picture_colour(1, rgb ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
            struct sl_scale_params params = {
                .width = 96, .height = 52, .colour = picture_colour(1, SL_RANGE_LIMITED, 0)};
            struct sl_frame *aligned = picture_make((enum sl_pixel_format)f, sizes[i][0],
                                                    sizes[i][1], colour, picture_waves, -1);
            struct sl_frame *skewed = picture_make((enum sl_pixel_format)f, sizes[i][0],
                                                   sizes[i][1], colour, picture_waves, 3);
            struct sl_frame *a = run_once(aligned, &params), *b = run_once(skewed, &params);
            picture_assert_equal(a, b);
            sl_frame_unref(&b);
            /* Upside down in memory: the rows of skewed from the last to the first. */
            for (int p = 0; p < sl_pixel_info((enum sl_pixel_format)f)->planes; p++) {
                int32_t rows = sl_plane_rows((enum sl_pixel_format)f, p, sizes[i][1]);
                for (int32_t y = 0; y < rows; y++) {
                    memcpy(skewed->plane[p] + (rows - 1 - y) * skewed->stride[p],
                           aligned->plane[p] + y * aligned->stride[p],
                           (size_t)sl_plane_bytes((enum sl_pixel_format)f, p, sizes[i][0]));
                }
                skewed->plane[p] += (rows - 1) * skewed->stride[p];
                skewed->stride[p] = -skewed->stride[p];
            }
            b = run_once(skewed, &params);
            picture_assert_equal(a, b);
            sl_frame_unref(&a);
            sl_frame_unref(&b);
            sl_frame_unref(&aligned);
            sl_frame_unref(&skewed);
        }
    }
}

static void test_input_may_change(void **state)
{
    (void)state;
    struct sl_scale_params params = {
        .width = 64, .height = 36, .colour = picture_colour(1, SL_RANGE_LIMITED, 0)};
    struct sl_scaler *s = make(&params);
    uint32_t seed = 11;
    for (int i = 0; i < 60; i++) {
        enum sl_pixel_format format =
            (enum sl_pixel_format)(1 + picture_random(&seed) % (SL_PIX_COUNT - 1));
        int32_t w = 30 + (int32_t)(picture_random(&seed) % 80), h = w * 9 / 16;
        if (i % 3 == 0) {
            w = 64;
            h = 36;
        }
        struct sl_frame *in =
            picture_make(format, w, h, picture_colour(i % 2 ? 1 : 9, 0, 0), picture_waves, 0);
        if (sl_pixel_info(format)->rgb) {
            in->colour.matrix = 0;
        }
        struct sl_frame *out = run(s, in), *fresh = run_once(in, &params);
        picture_assert_equal(out, fresh);
        sl_frame_unref(&in);
        sl_frame_unref(&out);
        sl_frame_unref(&fresh);
    }
    sl_scaler_destroy(&s);
}

/* ---- chroma siting ------------------------------------------------------------------------ */

#define RAMP_SIDE 64

/* Slopes across, so that a value tells a position; 1.5 codes are half a luma sample. */
static double fill_ramps(int c, double x, double y)
{
    return c == 0 ? 0.5 : 0.1 + 0.8 * (c == 1 ? x : y) / RAMP_SIDE;
}

/* Chroma of a turned picture against the ramps at the place where each sample should stand. */
static void check_sites(const struct sl_frame *out, int h, int v, int degrees, int flip,
                        double tolerance)
{
    for (int j = 6; j < RAMP_SIDE / 2 - 6; j++) {
        for (int i = 6; i < RAMP_SIDE / 2 - 6; i++) {
            double x = 2 * i + 0.5 + 0.5 * h, y = 2 * j + 0.5 + 0.5 * v;
            if (flip) {
                x = RAMP_SIDE - 1 - x;
            }
            for (int d = degrees; d > 0; d -= 90) { /* back to where it was */
                double t = x;
                x = y;
                y = RAMP_SIDE - 1 - t;
            }
            double want_u = 16 + 224 * fill_ramps(1, x, y), want_v = 16 + 224 * fill_ramps(2, x, y);
            if (fabs(picture_sample(out, 1, i, j) - want_u) > tolerance ||
                fabs(picture_sample(out, 2, i, j) - want_v) > tolerance) {
                fail_msg("turn %d flip %d siting %d %d at %d,%d: %d %d, not %.2f %.2f", degrees,
                         flip, h, v, i, j, picture_sample(out, 1, i, j),
                         picture_sample(out, 2, i, j), want_u, want_v);
            }
        }
    }
}

static void test_stated_siting_is_made_true(void **state)
{
    (void)state;
    static const int sites[6][2] = {{-1, 0}, {0, 0}, {-1, -1}, {0, -1}, {-1, 1}, {0, 1}};
    struct sl_frame *in =
        picture_make(SL_PIX_YUV444P, RAMP_SIDE, RAMP_SIDE, picture_colour(1, 1, 0), fill_ramps, 0);
    for (uint8_t location = 1; location <= 6; location++) {
        for (int degrees = 0; degrees < 360; degrees += 90) {
            for (int flip = 0; flip < 2; flip++) {
                struct sl_scale_params params = {.width = RAMP_SIDE,
                                                 .height = RAMP_SIDE,
                                                 .colour = picture_colour(1, 1, location),
                                                 .rotation = degrees,
                                                 .flip = flip};
                struct sl_frame *out = run_once(in, &params);
                /* Half a sample off at most where zimg has no name for what is needed. */
                bool inexact = sites[location - 1][0] || sites[location - 1][1];
                bool turned = degrees || flip;
                check_sites(out, sites[location - 1][0], sites[location - 1][1], degrees, flip,
                            inexact && turned ? 2.1 : 0.7);
                sl_frame_unref(&out);
            }
        }
    }
    /* A quarter turn has names for left. */
    for (int degrees = 90; degrees < 360; degrees += 180) {
        struct sl_scale_params params = {.width = RAMP_SIDE,
                                         .height = RAMP_SIDE,
                                         .colour = picture_colour(1, 1, 1),
                                         .rotation = degrees};
        struct sl_frame *out = run_once(in, &params);
        check_sites(out, -1, 0, degrees, 0, 0.7);
        sl_frame_unref(&out);
    }
    sl_frame_unref(&in);
}

static void test_siting_of_the_input_is_honoured(void **state)
{
    (void)state;
    /* The samples of this picture are those of the middle. Called so, they stay where they are;
     * called left, they are half a sample further left, so the middle is half a sample on. */
    struct sl_frame *in = picture_make(SL_PIX_YUV420P10, RAMP_SIDE, RAMP_SIDE,
                                       picture_colour(1, 1, 2), fill_ramps, 0);
    struct sl_scale_params params = {
        .width = RAMP_SIDE, .height = RAMP_SIDE, .colour = picture_colour(1, 1, 2)};
    struct sl_frame *out = run_once(in, &params);
    check_sites(out, 0, 0, 0, 0, 0.7);
    sl_frame_unref(&out);
    in->colour.chroma_location = 1;
    out = run_once(in, &params);
    check_sites(out, 1, 0, 0, 0, 0.7);
    sl_frame_unref(&out);
    /* An output that states nothing takes it as it is. */
    params.colour.chroma_location = 0;
    out = run_once(in, &params);
    check_sites(out, 0, 0, 0, 0, 0.7);
    sl_frame_unref(&out);
    params.rotation = 90;
    out = run_once(in, &params);
    check_sites(out, 0, 0, 90, 0, 0.7);
    sl_frame_unref(&out);
    sl_frame_unref(&in);
}

/* What one scaler puts in the middle the next one finds there, with nothing stated in between. */
static void test_nothing_stated_nothing_moves(void **state)
{
    (void)state;
    struct sl_frame *in = picture_make(SL_PIX_YUV444P, RAMP_SIDE * 2, RAMP_SIDE * 2,
                                       picture_colour(1, 1, 0), fill_ramps, 0);
    struct sl_scale_params same = {
        .width = RAMP_SIDE * 2, .height = RAMP_SIDE * 2, .colour = picture_colour(1, 1, 0)};
    struct sl_scale_params half = {
        .width = RAMP_SIDE, .height = RAMP_SIDE, .colour = picture_colour(1, 1, 0)};
    struct sl_frame *base = run_once(in, &same), *out = run_once(base, &half);
    for (int i = 4; i < RAMP_SIDE / 4; i++) {
        /* site i of the half picture covers four columns, 4i to 4i + 3, of the whole one */
        double want = 16 + 224 * fill_ramps(1, 4 * i + 1.5, 0);
        assert_true(fabs(picture_sample(out, 1, i, 9) - want) <= 1);
    }
    sl_frame_unref(&in);
    sl_frame_unref(&base);
    sl_frame_unref(&out);
}

/* ---- memory ------------------------------------------------------------------------------- */

static enum sl_status convert_some(void *arg)
{
    struct sl_frame *const *in = arg;
    struct sl_scale_params params = {.width = 34,
                                     .height = 48,
                                     .colour = picture_colour(1, SL_RANGE_LIMITED, 0),
                                     .rotation = 90};
    struct sl_scaler *s = NULL;
    enum sl_status status = sl_scaler_create(&s, &params, NULL);
    for (int i = 0; i < 4 && status == SL_OK; i++) {
        struct sl_frame *out = NULL;
        status = sl_scaler_run(s, in[i], &out, NULL);
        assert_true((status == SL_OK) == (out != NULL));
        sl_frame_unref(&out);
    }
    sl_scaler_destroy(&s);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    struct sl_colour rgb = picture_colour(0, SL_RANGE_FULL, 0), yuv = picture_colour(1, 1, 0);
    struct sl_frame *in[4] = {
        picture_make(SL_PIX_RGB24, 96, 68, rgb, picture_waves, 0),
        picture_make(SL_PIX_RGBA, 48, 34, rgb, picture_waves, 0),
        picture_make(SL_PIX_NV12, 95, 67, yuv, picture_waves, 0),
        picture_make(SL_PIX_YUV420P, 48, 34, yuv, picture_waves, 0),
    };
    failing_alloc_run(convert_some, in);
    for (int i = 0; i < 4; i++) {
        sl_frame_unref(&in[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_odd_sizes_are_cut),
        cmocka_unit_test(test_labels_of_what_is_converted),
        cmocka_unit_test(test_suggested_colour),
        cmocka_unit_test(test_matrices_that_cannot_be_had),
        cmocka_unit_test(test_turns_are_exact),
        cmocka_unit_test(test_odd_sizes_are_scaled_exactly),
        cmocka_unit_test(test_tiny_pictures),
        cmocka_unit_test(test_memory_layout_does_not_matter),
        cmocka_unit_test(test_input_may_change),
        cmocka_unit_test(test_stated_siting_is_made_true),
        cmocka_unit_test(test_siting_of_the_input_is_honoured),
        cmocka_unit_test(test_nothing_stated_nothing_moves),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
