/* SPDX-License-Identifier: BSD-2-Clause */
/* What an encoder session makes of pictures: every way to the same samples as the scaler, whatever
 * the memory that they come in. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "filter/convert.h"
#include "filter/scale.h"
#include "pictures.h"
#include "unit.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* What sl_picture_format names, and x264's ten bits. */
static const enum sl_pixel_format inputs[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_YUV444P,
                                              SL_PIX_P010, SL_PIX_RGB24,   SL_PIX_BGR24,
                                              SL_PIX_RGBA, SL_PIX_BGRA,    SL_PIX_YUV420P10};
static const enum sl_pixel_format outputs[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_YUV444P,
                                               SL_PIX_P010, SL_PIX_YUV420P10};

static struct sl_colour yuv(void)
{
    return picture_colour(1, SL_RANGE_LIMITED, 0);
}

static struct sl_colour colour_of(enum sl_pixel_format format)
{
    return sl_pixel_info(format)->rgb ? picture_colour(0, SL_RANGE_FULL, 0) : yuv();
}

static struct sl_converter *make(struct sl_convert_params p)
{
    struct sl_converter *c = NULL;
    struct sl_error err = {0};
    if (sl_converter_create(&c, &p, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return c;
}

/* By a converter made for it and gone when it returns. */
static struct sl_frame *convert(struct sl_convert_params p, struct sl_frame *in)
{
    struct sl_converter *c = make(p);
    struct sl_frame *out = NULL;
    struct sl_error err = {0};
    if (sl_converter_run(c, in, &out, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(out->format, p.out_format);
    assert_int_equal(out->width, p.width);
    assert_int_equal(out->height, p.height);
    sl_converter_destroy(&c);
    return out;
}

static struct sl_frame *scaled(const struct sl_colour *out, struct sl_frame *in)
{
    struct sl_scale_params p = {.width = in->width, .height = in->height, .colour = *out};
    struct sl_scaler *s = NULL;
    struct sl_frame *f = NULL;
    assert_int_equal(sl_scaler_create(&s, &p, NULL), SL_OK);
    assert_int_equal(sl_scaler_run(s, in, &f, NULL), SL_OK);
    sl_scaler_destroy(&s);
    return f;
}

static unsigned sample(const struct sl_frame *f, int c, int32_t x, int32_t y)
{
    const struct sl_pixel_info *info = sl_pixel_info(f->format);
    bool woven = info->planes == 2 && c > 0;
    int p = woven ? 1 : c;
    ptrdiff_t at = (woven ? 2 * x + c - 1 : x) * (ptrdiff_t)info->sample_bytes;
    const uint8_t *from = f->plane[p] + y * f->stride[p] + at;
    uint16_t word;
    if (info->sample_bytes == 1) {
        return *from;
    }
    memcpy(&word, from, 2);
    assert_int_equal(word & ((1 << info->shift) - 1), 0);
    return (unsigned)word >> info->shift;
}

/* Two layouts of the same samples. */
static void assert_same(const struct sl_frame *a, const struct sl_frame *b)
{
    const struct sl_pixel_info *info = sl_pixel_info(a->format);
    for (int c = 0; c < 3; c++) {
        int log_w = c > 0 ? info->chroma_w : 0, log_h = c > 0 ? info->chroma_h : 0;
        for (int32_t y = 0; y < a->height >> log_h; y++) {
            for (int32_t x = 0; x < a->width >> log_w; x++) {
                assert_int_equal(sample(a, c, x, y), sample(b, c, x, y));
            }
        }
    }
}

static void test_bad_params(void **state)
{
    (void)state;
    const struct sl_convert_params good = {
        SL_PIX_RGB24, SL_PIX_NV12, 64, 32, colour_of(SL_PIX_RGB24), yuv(), false, 0};
    struct sl_convert_params bad[6];
    for (int i = 0; i < COUNT(bad); i++) {
        bad[i] = good;
    }
    bad[0].in_format = SL_PIX_NONE;
    bad[1].width = 63;
    bad[2].height = 0;
    bad[3].out.matrix = 2;
    bad[4].out.range = SL_RANGE_UNSPECIFIED;
    bad[5].out.chroma_location = 7;
    for (int i = 0; i < COUNT(bad); i++) {
        struct sl_converter *c = NULL;
        struct sl_error err = {0};
        assert_int_equal(sl_converter_create(&c, &bad[i], &err), SL_EINVAL);
        assert_null(c);
        assert_true(err.msg[0] != '\0');
    }
}

static void refuse(struct sl_convert_params p, const char *from, const char *to)
{
    struct sl_converter *c = NULL;
    struct sl_error err = {0};
    assert_int_equal(sl_converter_create(&c, &p, &err), SL_EUNSUPPORTED);
    assert_null(c);
    assert_non_null(strstr(err.msg, from));
    assert_non_null(strstr(err.msg, to));
}

static void test_unsupported(void **state)
{
    (void)state;
    struct sl_convert_params p = {SL_PIX_NV12, SL_PIX_RGBA, 64, 32, yuv(), yuv(), false, 0};
    refuse(p, "nv12", "rgba");
    p.in_format = SL_PIX_BGRA;
    refuse(p, "bgra", "rgba");
    p.in_format = SL_PIX_P010;
    p.out_format = SL_PIX_NV12;
    p.in.matrix = 10; /* constant luminance */
    refuse(p, "p010", "nv12");
    p.out_format = SL_PIX_GRAY;
    refuse(p, "p010", "gray");
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct sl_frame *in = picture_make(SL_PIX_NV12, 34, 18, yuv(), picture_waves, 5), *out = NULL;
    struct sl_convert_params p = {SL_PIX_NV12, SL_PIX_NV12, 34, 18, yuv(), yuv(), false, 0};
    struct sl_converter *c = make(p);
    assert_true(sl_converter_is_idle(c));
    assert_int_equal(sl_converter_run(c, in, &out, NULL), SL_OK);
    assert_ptr_equal(in, out);
    sl_frame_unref(&out);
    in->colour = picture_colour(2, 0, 0); /* the same planes under the right labels */
    assert_int_equal(sl_converter_run(c, in, &out, NULL), SL_OK);
    assert_ptr_equal(in->plane[1], out->plane[1]);
    assert_int_equal(out->colour.matrix, 1);
    sl_frame_unref(&out);
    sl_converter_destroy(&c);

    p.copy = true;
    c = make(p);
    assert_false(sl_converter_is_idle(c));
    assert_int_equal(sl_converter_run(c, in, &out, NULL), SL_OK);
    assert_ptr_not_equal(in->plane[0], out->plane[0]);
    assert_same(in, out);
    sl_converter_destroy(&c);
    sl_frame_unref(&in);
    sl_frame_unref(&out);
}

static void test_wrong_pictures(void **state)
{
    (void)state;
    struct sl_convert_params p = {SL_PIX_YUV420P, SL_PIX_NV12, 34, 18, yuv(), yuv(), false, 0};
    struct sl_converter *c = make(p);
    for (int i = 0; i < 6; i++) {
        struct sl_frame *in = picture_make(i == 0 ? SL_PIX_NV12 : SL_PIX_YUV420P, i == 1 ? 36 : 34,
                                           18, yuv(), picture_waves, 0);
        struct sl_frame *out = NULL;
        struct sl_error err = {0};
        if (i == 2) {
            in->plane[2] = NULL;
        } else if (i == 3) {
            in->stride[1] = 16;
        } else if (i == 4) {
            in->stride[0] = -33;
        } else if (i == 5) {
            in->memory = SL_MEMORY_CUDA;
        }
        assert_int_equal(sl_converter_run(c, in, &out, &err), SL_EINVAL);
        assert_null(out);
        sl_frame_unref(&in);
    }
    sl_converter_destroy(&c);
}

/* Packed RGB takes the path that the scaler takes, at every siting; NV12 is the same woven. */
static void test_rgb(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(inputs); i++) {
        if (!sl_pixel_info(inputs[i])->rgb) {
            continue;
        }
        struct sl_colour from = colour_of(inputs[i]);
        struct sl_frame *in = picture_make(inputs[i], 130, 20, from, picture_noise, 1);
        for (uint8_t location = 0; location <= 6; location++) {
            struct sl_colour to = picture_colour(
                location % 2 ? 6 : 1, location > 3 ? SL_RANGE_FULL : SL_RANGE_LIMITED, location);
            struct sl_convert_params p = {inputs[i], SL_PIX_YUV420P, 130, 20, from, to, false, 0};
            struct sl_frame *want = scaled(&to, in), *planar = convert(p, in), *nv12;
            p.out_format = SL_PIX_NV12;
            nv12 = convert(p, in);
            picture_assert_equal(want, planar);
            assert_same(want, nv12);
            assert_int_equal(nv12->colour.chroma_location, location);
            sl_frame_unref(&want);
            sl_frame_unref(&planar);
            sl_frame_unref(&nv12);
        }
        sl_frame_unref(&in);
    }
}

/* 8-bit 4:2:0 out of everything is what the scaler makes of it. */
static void test_as_the_scaler(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(inputs); i++) {
        for (uint8_t matrix = 1; matrix <= 6; matrix += 5) {
            struct sl_colour from = colour_of(inputs[i]);
            struct sl_colour to = picture_colour(matrix, SL_RANGE_LIMITED, 0);
            struct sl_frame *in = picture_make(inputs[i], 66, 34, from, picture_noise, -1);
            struct sl_convert_params p = {inputs[i], SL_PIX_YUV420P, 66, 34, from, to, false, 0};
            struct sl_frame *want = scaled(&to, in), *planar = convert(p, in), *nv12;
            p.out_format = SL_PIX_NV12;
            nv12 = convert(p, in);
            picture_assert_equal(want, planar);
            assert_same(want, nv12);
            sl_frame_unref(&want);
            sl_frame_unref(&planar);
            sl_frame_unref(&nv12);
            sl_frame_unref(&in);
        }
    }
}

/* Other layouts and back, at sizes with every kind of remainder. */
static void test_round_trips(void **state)
{
    (void)state;
    static const enum sl_pixel_format pairs[][2] = {{SL_PIX_YUV420P, SL_PIX_NV12},
                                                    {SL_PIX_YUV420P10, SL_PIX_P010}};
    for (int i = 0; i < COUNT(pairs); i++) {
        for (int32_t width = 2; width <= 70; width += 2) {
            struct sl_convert_params there = {pairs[i][0], pairs[i][1], width, 6,
                                              yuv(),       yuv(),       false, 0};
            struct sl_convert_params back = {pairs[i][1], pairs[i][0], width, 6,
                                             yuv(),       yuv(),       false, 0};
            struct sl_frame *in =
                picture_make(pairs[i][0], width, 6, yuv(), picture_noise, width % 7);
            struct sl_frame *woven = convert(there, in), *split = convert(back, woven);
            assert_same(in, woven);
            assert_same(in, split);
            sl_frame_unref(&in);
            sl_frame_unref(&woven);
            sl_frame_unref(&split);
        }
    }
}

/* Away from the edges, where filters look past the picture. */
static void assert_close(const struct sl_frame *a, const struct sl_frame *b, int most)
{
    const struct sl_pixel_info *info = sl_pixel_info(a->format);
    for (int c = 0; c < 3; c++) {
        int log_w = c > 0 ? info->chroma_w : 0, log_h = c > 0 ? info->chroma_h : 0;
        for (int32_t y = 2; y < (a->height >> log_h) - 2; y++) {
            for (int32_t x = 2; x < (a->width >> log_w) - 2; x++) {
                assert_in_range((int)sample(a, c, x, y) - (int)sample(b, c, x, y) + most, 0,
                                2 * most);
            }
        }
    }
}

/* Depth and resolution of chroma that the encoder codes: smooth pictures come out as they were. */
static void test_deeper_and_wider(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(inputs); i++) {
        for (int o = 0; o < COUNT(outputs); o++) {
            if (sl_pixel_info(inputs[i])->rgb) {
                continue;
            }
            struct sl_frame *in = picture_make(inputs[i], 66, 34, yuv(), picture_waves, -1);
            struct sl_frame *want = picture_make(outputs[o], 66, 34, yuv(), picture_waves, -1);
            struct sl_convert_params p = {inputs[i], outputs[o], 66, 34, yuv(), yuv(), false, 0};
            struct sl_frame *out = convert(p, in);
            assert_close(out, want, sl_pixel_info(outputs[o])->depth > 8 ? 4 : 1);
            sl_frame_unref(&in);
            sl_frame_unref(&want);
            sl_frame_unref(&out);
        }
    }
}

/* ---- memory of strangers ------------------------------------------------------------------ */

struct guarded { /* planes between pages that fault */
    uint8_t *map[3];
    size_t size[3];
};

/* f's picture again, as close to the fault as it goes, in front or behind; rows bottom up or top
 * down; gap: bytes between rows. */
static struct sl_frame guard(struct guarded *g, const struct sl_frame *f, bool behind, bool over,
                             size_t gap)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct sl_frame out = {.kind = SL_KIND_VIDEO,
                           .format = f->format,
                           .width = f->width,
                           .height = f->height,
                           .pts = 1};
    *g = (struct guarded){0};
    atomic_init(&out.refs, 1);
    for (int p = 0; p < sl_pixel_info(f->format)->planes; p++) {
        size_t row = (size_t)sl_plane_bytes(f->format, p, f->width), stride = row + gap;
        int32_t rows = sl_plane_rows(f->format, p, f->height);
        size_t bytes = stride * (size_t)(rows - 1) + row;
        size_t inside = (bytes + page - 1) / page * page;
        g->size[p] = inside + 2 * page;
        g->map[p] = mmap(NULL, g->size[p], PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(g->map[p], MAP_FAILED);
        assert_int_equal(mprotect(g->map[p] + page, inside, PROT_READ | PROT_WRITE), 0);
        uint8_t *first = g->map[p] + page + (behind ? inside - bytes : 0);
        out.plane[p] = over ? first + (size_t)(rows - 1) * stride : first;
        out.stride[p] = over ? -(ptrdiff_t)stride : (ptrdiff_t)stride;
        for (int32_t y = 0; y < rows; y++) {
            memcpy(out.plane[p] + y * out.stride[p], f->plane[p] + y * f->stride[p], row);
        }
        assert_int_equal(mprotect(g->map[p] + page, inside, PROT_READ), 0);
    }
    return out;
}

static void test_memory_of_strangers(void **state)
{
    (void)state;
    static const int32_t widths[] = {2, 32, 62, 128, 130, 194};
    for (int i = 0; i < COUNT(inputs) * COUNT(outputs) * COUNT(widths); i++) {
        enum sl_pixel_format from = inputs[i % COUNT(inputs)];
        enum sl_pixel_format to = outputs[i / COUNT(inputs) % COUNT(outputs)];
        int32_t width = widths[i / COUNT(inputs) / COUNT(outputs)];
        struct sl_convert_params p = {from, to, width, 6, colour_of(from), yuv(), true, 0};
        struct sl_frame *in = picture_make(from, width, 6, p.in, picture_noise, -1);
        struct sl_frame *want = convert(p, in);
        for (unsigned how = 0; how < 8; how++) {
            struct guarded g;
            struct sl_frame strange = guard(&g, in, how & 1, how & 2, how & 4 ? 1 + how : 0);
            struct sl_frame *out = convert(p, &strange);
            assert_same(want, out);
            assert_int_equal(out->pts, 1);
            sl_frame_unref(&out);
            for (int k = 0; k < 3; k++) {
                assert_true(!g.map[k] || munmap(g.map[k], g.size[k]) == 0);
            }
        }
        sl_frame_unref(&in);
        sl_frame_unref(&want);
    }
}

/* ---- colour ------------------------------------------------------------------------------- */

static void test_stated_siting(void **state)
{
    (void)state;
    struct sl_frame *in = picture_make(SL_PIX_NV12, 66, 34, yuv(), picture_noise, 0), *out;
    struct sl_convert_params p = {SL_PIX_NV12, SL_PIX_YUV420P, 66, 34, yuv(), yuv(), false, 0};
    p.out.chroma_location = 1; /* the input does not say: it is taken to be that */
    out = convert(p, in);
    assert_same(in, out);
    assert_int_equal(out->colour.chroma_location, 1);
    sl_frame_unref(&out);
    p.in.chroma_location = 2; /* it does: made true as the scaler does */
    out = convert(p, in);
    in->colour.chroma_location = 2;
    struct sl_frame *want = scaled(&p.out, in);
    picture_assert_equal(want, out);
    sl_frame_unref(&want);
    sl_frame_unref(&out);
    p.out.chroma_location = 0; /* wherever it is */
    out = convert(p, in);
    assert_same(in, out);
    sl_frame_unref(&out);
    sl_frame_unref(&in);
}

/* A patch of one colour, by H.273 8.3, through full resolution and ten bits. */
static double flat_red(int c, double x, double y)
{
    (void)x, (void)y;
    return c == 0 ? 1 : 0;
}

static void test_formula(void **state)
{
    (void)state;
    struct sl_frame *in = picture_make(SL_PIX_BGRA, 16, 16, colour_of(SL_PIX_BGRA), flat_red, 3);
    for (int o = 0; o < COUNT(outputs); o++) {
        struct sl_convert_params p = {SL_PIX_BGRA, outputs[o], 16, 16, in->colour, yuv(), false, 0};
        struct sl_frame *out = convert(p, in);
        int unit = 1 << (sl_pixel_info(outputs[o])->depth - 8);
        double want[3] = {16 + 219 * 0.2126, 128 - 224 * 0.2126 / 1.8556, 128 + 112};
        for (int c = 0; c < 3; c++) {
            double d = sample(out, c, 3, 3) - want[c] * unit;
            assert_true(d * d <= 1.01);
        }
        sl_frame_unref(&out);
    }
    sl_frame_unref(&in);
}

/* ---- running out of memory ---------------------------------------------------------------- */

static enum sl_status convert_some(void *arg)
{
    struct sl_frame **in = arg;
    enum sl_status status = SL_OK;
    for (int i = 0; i < 4 && status == SL_OK; i++) {
        struct sl_convert_params p = {in[i]->format, SL_PIX_NV12, in[i]->width, in[i]->height,
                                      in[i]->colour, yuv(),       false,        0};
        struct sl_converter *c = NULL;
        struct sl_frame *out = NULL;
        struct sl_error err = {0};
        status = sl_converter_create(&c, &p, &err);
        if (status == SL_OK) {
            status = sl_converter_run(c, in[i], &out, &err);
        }
        assert_true(status == SL_OK || err.msg[0] != '\0');
        sl_frame_unref(&out);
        sl_converter_destroy(&c);
    }
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static const enum sl_pixel_format formats[4] = {SL_PIX_RGB24, SL_PIX_YUV444P, SL_PIX_YUV420P,
                                                    SL_PIX_NV12};
    struct sl_frame *in[4];
    for (int i = 0; i < 4; i++) {
        in[i] = picture_make(formats[i], 48, 34, colour_of(formats[i]), picture_waves, 0);
    }
    in[3]->colour.primaries = 6; /* nothing is to be done but for the label */
    failing_alloc_run(convert_some, in);
    for (int i = 0; i < 4; i++) {
        sl_frame_unref(&in[i]);
    }
}

/* From the second picture on memory comes from the pool: all but the frame's own struct. */
static void test_frames_are_used_again(void **state)
{
    (void)state;
    struct sl_convert_params p = {SL_PIX_RGB24, SL_PIX_NV12, 64, 32, colour_of(SL_PIX_RGB24),
                                  yuv(),        false,       2};
    struct sl_frame *in = picture_make(SL_PIX_RGB24, 64, 32, p.in, picture_waves, 0), *out = NULL;
    struct sl_converter *c = make(p);
    assert_int_equal(sl_converter_run(c, in, &out, NULL), SL_OK);
    uint8_t *first = out->plane[0];
    for (int i = 0; i < 10; i++) {
        sl_frame_unref(&out);
        assert_int_equal(sl_converter_run(c, in, &out, NULL), SL_OK);
        assert_ptr_equal(out->plane[0], first);
    }
    sl_frame_unref(&out);
    sl_frame_unref(&in);
    sl_converter_destroy(&c);
    sl_converter_destroy(&c);
    sl_converter_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_wrong_pictures),
        cmocka_unit_test(test_rgb),
        cmocka_unit_test(test_as_the_scaler),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_deeper_and_wider),
        cmocka_unit_test(test_memory_of_strangers),
        cmocka_unit_test(test_stated_siting),
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_frames_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
