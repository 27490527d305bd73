/* SPDX-License-Identifier: BSD-2-Clause */
#include "pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "unit.h"

uint32_t picture_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

double picture_waves(int c, double x, double y)
{
    return 0.5 + 0.22 * sin(x / (23.0 + 4 * c) + c) + 0.22 * cos(y / (19.0 + 3 * c) - c);
}

double picture_pale(int c, double x, double y)
{
    return 0.5 + (picture_waves(c, x, y) - 0.5) * (c > 0 ? 0.3 : 0.6);
}

double picture_noise(int c, double x, double y)
{
    uint32_t seed = (uint32_t)((int)(x * 4) * 7919 + (int)(y * 4) * 104729 + c * 31);
    for (int i = 0; i < 3; i++) {
        picture_random(&seed);
    }
    return picture_random(&seed) % 1000 / 999.0;
}

struct sl_colour picture_colour(uint8_t matrix, uint8_t range, uint8_t location)
{
    return (struct sl_colour){1, 1, matrix, range, location};
}

static unsigned code_of(const struct sl_pixel_info *info, bool chroma, uint8_t range, double v)
{
    double max = (1 << info->depth) - 1, unit = 1 << (info->depth - 8);
    double code = v * max;
    if (range == SL_RANGE_LIMITED) {
        code = (16 + v * (chroma ? 224 : 219)) * unit;
    }
    return (unsigned)lrint(code) << info->shift;
}

/* Where component c stands: its plane, its place in an interleaved pixel. */
static void place_of(enum sl_pixel_format format, int c, int *plane, int *offset)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    static const int gbr[3] = {2, 0, 1};
    bool reversed = format == SL_PIX_BGR24 || format == SL_PIX_BGRA;
    *offset = 0;
    *plane = c;
    if (info->rgb && info->planes == 1) {
        *plane = 0;
        *offset = reversed && c < 3 ? 2 - c : c;
    } else if (info->rgb) {
        *plane = gbr[c];
    } else if (info->planes == 2 && c > 0) {
        *plane = 1;
        *offset = c - 1;
    }
}

static void release(void *opaque, uint8_t *data)
{
    (void)data;
    free(opaque);
}

/* Rows end where the block of memory ends, so that address checking sees a read past them. */
static void make_planes(struct sl_frame *f, int pad)
{
    for (int p = 0; p < sl_pixel_info(f->format)->planes; p++) {
        size_t bytes = (size_t)sl_plane_bytes(f->format, p, f->width) + (size_t)pad;
        size_t rows = (size_t)sl_plane_rows(f->format, p, f->height);
        uint8_t *block = malloc(bytes * rows);
        assert_non_null(block);
        memset(block, 0xa5, bytes * rows);
        assert_int_equal(
            sl_buf_wrap(&f->buf[p], block + pad, bytes * rows - (size_t)pad, release, block, NULL),
            SL_OK);
        f->plane[p] = block + pad;
        f->stride[p] = (ptrdiff_t)bytes;
    }
}

struct sl_frame *picture_make(enum sl_pixel_format format, int32_t width, int32_t height,
                              struct sl_colour colour, picture_fill *fill, int pad)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    struct sl_frame *f = NULL;
    if (pad < 0) {
        assert_int_equal(sl_frame_create_video(&f, format, width, height, NULL, NULL), SL_OK);
    } else {
        assert_int_equal(sl_frame_create(&f, SL_KIND_VIDEO, NULL), SL_OK);
        f->format = format;
        f->width = width;
        f->height = height;
        make_planes(f, pad);
    }
    f->colour = colour;
    bool gray = !info->rgb && info->planes == 1;
    for (int c = 0; c < (gray ? 1 : 3); c++) {
        int plane, offset;
        place_of(format, c, &plane, &offset);
        bool chroma = c > 0 && !info->rgb;
        int log_w = chroma ? info->chroma_w : 0, log_h = chroma ? info->chroma_h : 0;
        int step = info->interleave[plane];
        for (int32_t y = 0; y < sl_plane_rows(format, plane, height); y++) {
            int32_t across = (width + (1 << log_w) - 1) >> log_w;
            for (int32_t x = 0; x < across; x++) {
                /* chroma in the middle of its luma samples, both ways */
                double at_x = ((x << log_w) + ((1 << log_w) - 1) / 2.0);
                double at_y = ((y << log_h) + ((1 << log_h) - 1) / 2.0);
                unsigned v = code_of(info, chroma, colour.range, fill(c, at_x, at_y));
                uint8_t *to = f->plane[plane] + y * f->stride[plane] +
                              (size_t)(x * step + offset) * info->sample_bytes;
                uint16_t word = (uint16_t)v;
                if (info->sample_bytes == 2) {
                    memcpy(to, &word, 2);
                } else {
                    *to = (uint8_t)v;
                }
            }
        }
    }
    return f;
}

int picture_sample(const struct sl_frame *f, int plane, int32_t x, int32_t y)
{
    return f->plane[plane][y * f->stride[plane] + x];
}

double picture_psnr(const struct sl_frame *a, const struct sl_frame *b)
{
    double sum = 0, count = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int p = 0; p < 3; p++) {
        for (int32_t y = 0; y < sl_plane_rows(SL_PIX_YUV420P, p, a->height); y++) {
            for (int32_t x = 0; x < sl_plane_bytes(SL_PIX_YUV420P, p, a->width); x++) {
                double d = picture_sample(a, p, x, y) - picture_sample(b, p, x, y);
                sum += d * d;
                count++;
            }
        }
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * count / sum) : 100;
}

void picture_assert_equal(const struct sl_frame *a, const struct sl_frame *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int p = 0; p < 3; p++) {
        for (int32_t y = 0; y < sl_plane_rows(SL_PIX_YUV420P, p, a->height); y++) {
            assert_memory_equal(a->plane[p] + y * a->stride[p], b->plane[p] + y * b->stride[p],
                                (size_t)sl_plane_bytes(SL_PIX_YUV420P, p, a->width));
        }
    }
}
