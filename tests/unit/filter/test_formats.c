/* SPDX-License-Identifier: BSD-2-Clause */
/* Every pixel format against two judges: the formulas of H.273 for flat patches, libswscale at its
 * most careful for everything else. */
#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "filter/rgb.h"
#include "filter/scale.h"
#include "pictures.h"
#include "unit.h"

static const uint8_t matrices[] = {1, 6, 9};
#define MATRICES 3

static struct sl_frame *scale(struct sl_frame *in, int32_t width, int32_t height,
                              struct sl_colour colour)
{
    struct sl_scale_params params = {.width = width, .height = height, .colour = colour};
    struct sl_error err = {0};
    struct sl_scaler *s = NULL;
    struct sl_frame *out = NULL;
    assert_int_equal(sl_scaler_create(&s, &params, &err), SL_OK);
    enum sl_status status = sl_scaler_run(s, in, &out, &err);
    if (status != SL_OK) {
        fail_msg("%s", err.msg);
    }
    sl_scaler_destroy(&s);
    return out;
}

/* ---- libswscale --------------------------------------------------------------------------- */

static const int *sws_matrix(uint8_t matrix)
{
    return sws_getCoefficients(matrix == 1   ? SWS_CS_ITU709
                               : matrix == 9 ? SWS_CS_BT2020
                                             : SWS_CS_ITU601);
}

static struct sl_frame *judge(const struct sl_frame *in, int32_t width, int32_t height,
                              struct sl_colour colour)
{
    const struct sl_pixel_info *info = sl_pixel_info(in->format);
    enum AVPixelFormat format = av_get_pix_fmt(info->name);
    struct sl_frame *out = NULL;
    assert_int_not_equal(format, AV_PIX_FMT_NONE);
    assert_int_equal(sl_frame_create_video(&out, SL_PIX_YUV420P, width, height, NULL, NULL), SL_OK);
    struct SwsContext *sws =
        sws_getContext(in->width, in->height, format, width, height, AV_PIX_FMT_YUV420P,
                       SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT,
                       NULL, NULL, (const double[]){0, 0.5});
    assert_non_null(sws);
    int ok = sws_setColorspaceDetails(sws, sws_matrix(in->colour.matrix),
                                      in->colour.range == SL_RANGE_FULL, sws_matrix(colour.matrix),
                                      colour.range == SL_RANGE_FULL, 0, 1 << 16, 1 << 16);
    assert_true(ok >= 0 || info->planes == 1);
    const uint8_t *src[4] = {in->plane[0], in->plane[1], in->plane[2]};
    int src_stride[4] = {(int)in->stride[0], (int)in->stride[1], (int)in->stride[2]};
    uint8_t *dst[4] = {out->plane[0], out->plane[1], out->plane[2]};
    int dst_stride[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2]};
    assert_int_equal(sws_scale(sws, src, src_stride, 0, in->height, dst, dst_stride), height);
    sws_freeContext(sws);
    return out;
}

static double against_judge(enum sl_pixel_format format, struct sl_colour from, int32_t width,
                            int32_t height, struct sl_colour to, picture_fill *fill)
{
    /* pad -1: aligned, with padding, as swscale prefers it too */
    struct sl_frame *in = picture_make(format, 192, 128, from, fill, -1);
    struct sl_frame *ours = scale(in, width, height, to);
    struct sl_frame *theirs = judge(in, width, height, to);
    double psnr = picture_psnr(ours, theirs);
    sl_frame_unref(&in);
    sl_frame_unref(&ours);
    sl_frame_unref(&theirs);
    return psnr;
}

static void test_against_swscale(void **state)
{
    (void)state;
    /* Chroma in the middle: the only siting that libswscale computes with. */
    static const int32_t sizes[][2] = {{192, 128}, {128, 84}, {96, 64}, {260, 170}};
    struct sl_colour to = picture_colour(1, SL_RANGE_LIMITED, 2);
    for (int f = 1; f < SL_PIX_COUNT; f++) {
        const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)f);
        struct sl_colour from = picture_colour(1, info->rgb ? SL_RANGE_FULL : SL_RANGE_LIMITED, 2);
        for (int i = 0; i < 4; i++) {
            double psnr = against_judge((enum sl_pixel_format)f, from, sizes[i][0], sizes[i][1], to,
                                        picture_waves);
            if (psnr < 45) {
                fail_msg("%s to %dx%d: %.2f dB", info->name, (int)sizes[i][0], (int)sizes[i][1],
                         psnr);
            }
        }
    }
}

static void test_other_colours_against_swscale(void **state)
{
    (void)state;
    /* Pale ones: libswscale goes through R'G'B' of 8 bits and clips, zimg does not. */
    static const enum sl_pixel_format formats[] = {SL_PIX_YUV420P, SL_PIX_YUV444P10, SL_PIX_RGB24,
                                                   SL_PIX_NV12};
    for (int f = 0; f < 4; f++) {
        for (int a = 0; a < MATRICES; a++) {
            for (int b = 0; b < MATRICES; b++) {
                bool rgb = sl_pixel_info(formats[f])->rgb;
                struct sl_colour from =
                    picture_colour(matrices[a], rgb ? SL_RANGE_FULL : SL_RANGE_LIMITED, 2);
                struct sl_colour to = picture_colour(matrices[b], SL_RANGE_LIMITED, 2);
                double psnr = against_judge(formats[f], from, 192, 128, to, picture_pale);
                if (psnr < 45) {
                    fail_msg("%s, matrix %d to %d: %.2f dB", sl_pixel_info(formats[f])->name,
                             from.matrix, to.matrix, psnr);
                }
            }
        }
    }
}

/* ---- flat patches ------------------------------------------------------------------------- */

static double flat[3];

static double fill_flat(int c, double x, double y)
{
    (void)x;
    (void)y;
    return flat[c];
}

static double clip255(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Code values of a colour given as R'G'B' from 0 to 1. */
static void codes(const double rgb[3], struct sl_colour c, double out[3])
{
    double kr = 0, kb = 0;
    assert_true(sl_rgb_luma(c.matrix, &kr, &kb));
    double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
    bool full = c.range == SL_RANGE_FULL;
    out[0] = full ? y * 255 : 16 + y * 219;
    out[1] = clip255(128 + (rgb[2] - y) / (2 * (1 - kb)) * (full ? 255 : 224));
    out[2] = clip255(128 + (rgb[0] - y) / (2 * (1 - kr)) * (full ? 255 : 224));
}

static void check_flat(const struct sl_frame *out, const double want[3], double tolerance,
                       const char *what)
{
    for (int p = 0; p < 3; p++) {
        for (int32_t y = 0; y < sl_plane_rows(SL_PIX_YUV420P, p, out->height); y++) {
            for (int32_t x = 0; x < sl_plane_bytes(SL_PIX_YUV420P, p, out->width); x++) {
                int v = picture_sample(out, p, x, y);
                if (fabs(v - want[p]) > tolerance) {
                    fail_msg("%s: plane %d at %d,%d is %d, not %.2f", what, p, (int)x, (int)y, v,
                             want[p]);
                }
            }
        }
    }
}

static const double patches[][3] = {{0, 0, 0}, {1, 1, 1}, {1, 0, 0},       {0, 1, 0},
                                    {0, 0, 1}, {1, 1, 0}, {0.2, 0.5, 0.8}, {0.9, 0.35, 0.4}};

static void test_flat_rgb(void **state)
{
    (void)state;
    static const enum sl_pixel_format formats[] = {SL_PIX_RGB24, SL_PIX_BGR24, SL_PIX_RGBA,
                                                   SL_PIX_BGRA,  SL_PIX_GBRP,  SL_PIX_GBRP10,
                                                   SL_PIX_GBRP12};
    for (int f = 0; f < 7; f++) {
        for (int m = 0; m < 2 * MATRICES; m++) {
            for (int i = 0; i < 8; i++) {
                for (int size = 0; size < 3; size++) { /* the same, smaller, larger */
                    static const int32_t sides[3] = {48, 30, 62};
                    struct sl_colour to = picture_colour(
                        matrices[m / 2], m % 2 ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
                    double want[3], coded[3];
                    double max = (1 << sl_pixel_info(formats[f])->depth) - 1;
                    memcpy(flat, patches[i], sizeof flat);
                    for (int k = 0; k < 3; k++) {
                        coded[k] = floor(flat[k] * max + 0.5) / max;
                    }
                    struct sl_frame *in = picture_make(
                        formats[f], 48, 48, picture_colour(0, SL_RANGE_FULL, 0), fill_flat, 5);
                    struct sl_frame *out = scale(in, sides[size], sides[size], to);
                    codes(coded, to, want);
                    check_flat(out, want, 1.0, sl_pixel_info(formats[f])->name);
                    sl_frame_unref(&in);
                    sl_frame_unref(&out);
                }
            }
        }
    }
}

static void test_flat_yuv(void **state)
{
    (void)state;
    for (int f = 1; f < SL_PIX_COUNT; f++) {
        const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)f);
        if (info->rgb) {
            continue;
        }
        for (int m = 0; m < 4 * MATRICES * MATRICES; m++) {
            struct sl_colour from = picture_colour(matrices[m / 4 % MATRICES],
                                                   m & 1 ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
            struct sl_colour to = picture_colour(matrices[m / 4 / MATRICES],
                                                 m & 2 ? SL_RANGE_FULL : SL_RANGE_LIMITED, 0);
            for (int i = 0; i < 8; i++) {
                double rgb[3], code[3], want[3];
                memcpy(rgb, patches[i], sizeof rgb);
                if (info->planes == 1) { /* grey has no colour to convert */
                    rgb[0] = rgb[2] = rgb[1];
                }
                codes(rgb, from, code);
                bool full = from.range == SL_RANGE_FULL;
                for (int c = 0; c < 3; c++) {
                    flat[c] = full ? code[c] / 255 : (code[c] - 16) / (c > 0 ? 224 : 219);
                }
                struct sl_frame *in =
                    picture_make((enum sl_pixel_format)f, 48, 34, from, fill_flat, 0);
                struct sl_frame *out = scale(in, 48, 34, to);
                codes(rgb, to, want);
                /* Rounding of the source's codes, as the matrices amplify it, and of ours. */
                check_flat(out, want, from.matrix == to.matrix ? 1.05 : 1.7, info->name);
                sl_frame_unref(&in);
                sl_frame_unref(&out);
            }
        }
    }
}

static void test_grey_has_no_chroma(void **state)
{
    (void)state;
    struct sl_frame *in =
        picture_make(SL_PIX_GRAY10, 50, 30, picture_colour(2, 0, 0), picture_waves, 2);
    struct sl_frame *out = scale(in, 40, 24, picture_colour(9, SL_RANGE_LIMITED, 0));
    for (int p = 1; p < 3; p++) {
        for (int32_t y = 0; y < 12; y++) {
            for (int32_t x = 0; x < 20; x++) {
                assert_int_equal(picture_sample(out, p, x, y), 128);
            }
        }
    }
    sl_frame_unref(&in);
    sl_frame_unref(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_swscale),
        cmocka_unit_test(test_other_colours_against_swscale),
        cmocka_unit_test(test_flat_rgb),
        cmocka_unit_test(test_flat_yuv),
        cmocka_unit_test(test_grey_has_no_chroma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
