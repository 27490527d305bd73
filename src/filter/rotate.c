/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/rotate.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK 8

static void transpose_pixels(struct sl_plane_view out, struct sl_plane_view in, int32_t width,
                             int32_t height)
{
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            out.data[x * out.stride + y] = in.data[y * in.stride + x];
        }
    }
}

#if defined(__SSE2__)
static __m128i load8(const uint8_t *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

static void store_two(struct sl_plane_view out, int row, __m128i v)
{
    _mm_storel_epi64((__m128i *)(void *)(out.data + row * out.stride), v);
    _mm_storel_epi64((__m128i *)(void *)(out.data + (row + 1) * out.stride),
                     _mm_unpackhi_epi64(v, v));
}

static void transpose_block(struct sl_plane_view out, struct sl_plane_view in)
{
    __m128i pairs[4], quads[4];
    for (ptrdiff_t i = 0; i < 4; i++) {
        pairs[i] = _mm_unpacklo_epi8(load8(in.data + 2 * i * in.stride),
                                     load8(in.data + (2 * i + 1) * in.stride));
    }
    quads[0] = _mm_unpacklo_epi16(pairs[0], pairs[1]); /* columns 0 to 3, rows 0 to 3 */
    quads[1] = _mm_unpackhi_epi16(pairs[0], pairs[1]);
    quads[2] = _mm_unpacklo_epi16(pairs[2], pairs[3]); /* rows 4 to 7 */
    quads[3] = _mm_unpackhi_epi16(pairs[2], pairs[3]);
    store_two(out, 0, _mm_unpacklo_epi32(quads[0], quads[2]));
    store_two(out, 2, _mm_unpackhi_epi32(quads[0], quads[2]));
    store_two(out, 4, _mm_unpacklo_epi32(quads[1], quads[3]));
    store_two(out, 6, _mm_unpackhi_epi32(quads[1], quads[3]));
}
#else
static void transpose_block(struct sl_plane_view out, struct sl_plane_view in)
{
    transpose_pixels(out, in, BLOCK, BLOCK);
}
#endif

static struct sl_plane_view view_at(struct sl_plane_view v, int32_t x, int32_t y)
{
    return (struct sl_plane_view){v.data + y * v.stride + x, v.stride};
}

/* In blocks of eight by eight: one side of a transposition always strides through memory, and a
 * block uses what each cache line brings. */
static void transpose(struct sl_plane_view out, struct sl_plane_view in, int32_t width,
                      int32_t height)
{
    int32_t w = width / BLOCK * BLOCK, h = height / BLOCK * BLOCK;
    for (int32_t x = 0; x < w; x += BLOCK) {
        for (int32_t y = 0; y < h; y += BLOCK) {
            transpose_block(view_at(out, y, x), view_at(in, x, y));
        }
    }
    transpose_pixels(view_at(out, 0, w), view_at(in, w, 0), width - w, h);
    transpose_pixels(view_at(out, h, 0), view_at(in, 0, h), width, height - h);
}

/* Byte order of eight bytes turned round; compilers know this as one instruction. */
static uint64_t reverse8(uint64_t v)
{
    v = (v & 0x00ff00ff00ff00ffu) << 8 | (v >> 8 & 0x00ff00ff00ff00ffu);
    v = (v & 0x0000ffff0000ffffu) << 16 | (v >> 16 & 0x0000ffff0000ffffu);
    return v << 32 | v >> 32;
}

static void mirror_row(uint8_t *out, const uint8_t *in, int32_t width)
{
    int32_t x = 0;
    for (; x + 8 <= width; x += 8) {
        uint64_t v;
        memcpy(&v, in + width - 8 - x, 8);
        v = reverse8(v);
        memcpy(out + x, &v, 8);
    }
    for (; x < width; x++) {
        out[x] = in[width - 1 - x];
    }
}

static struct sl_plane_view upside_down(struct sl_plane_view v, int32_t rows)
{
    return (struct sl_plane_view){v.data + (rows - 1) * v.stride, -v.stride};
}

void sl_rotate_plane(struct sl_plane_view out, struct sl_plane_view in, int32_t width,
                     int32_t height, int32_t degrees, bool flip)
{
    if (degrees == 90 || degrees == 270) {
        /* A quarter to the right is a transposition of the picture upside down; to the left, a
         * transposition put upside down. Mirroring what came out undoes or adds the other. */
        if ((degrees == 90) != flip) {
            in = upside_down(in, height);
        }
        if (degrees == 270) {
            out = upside_down(out, width);
        }
        transpose(out, in, width, height);
        return;
    }
    if (degrees == 180) {
        in = upside_down(in, height);
    }
    for (int32_t y = 0; y < height; y++) {
        uint8_t *to = out.data + y * out.stride;
        const uint8_t *from = in.data + y * in.stride;
        if ((degrees == 180) != flip) {
            mirror_row(to, from, width);
        } else {
            memcpy(to, from, (size_t)width);
        }
    }
}
