/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/weave.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum sl_pixel_format sl_weave_planar(enum sl_pixel_format format)
{
    switch (format) {
    case SL_PIX_NV12:
        return SL_PIX_YUV420P;
    case SL_PIX_P010:
        return SL_PIX_YUV420P10;
    default:
        return format;
    }
}

bool sl_weave_handles(enum sl_pixel_format in, enum sl_pixel_format out)
{
    return sl_weave_planar(in) == sl_weave_planar(out);
}

/* ---- rows of bytes ------------------------------------------------------------------------ */

#if defined(__SSE2__)
/* Every x86-64 has these, and memory is slower than they are. */

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

/* Each returns how many of n it did. */
static size_t weave_blocks(uint8_t *uv, const uint8_t *u, const uint8_t *v, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i a = load(u + i), b = load(v + i);
        store(uv + 2 * i, _mm_unpacklo_epi8(a, b));
        store(uv + 2 * i + 16, _mm_unpackhi_epi8(a, b));
    }
    return i;
}

static size_t split_blocks(uint8_t *u, uint8_t *v, const uint8_t *uv, size_t n)
{
    const __m128i low = _mm_set1_epi16(0xff);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i a = load(uv + 2 * i), b = load(uv + 2 * i + 16);
        store(u + i, _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low)));
        store(v + i, _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8)));
    }
    return i;
}

static size_t weave_word_blocks(uint8_t *uv, const uint8_t *u, const uint8_t *v, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i a = _mm_slli_epi16(load(u + 2 * i), 6), b = _mm_slli_epi16(load(v + 2 * i), 6);
        store(uv + 4 * i, _mm_unpacklo_epi16(a, b));
        store(uv + 4 * i + 16, _mm_unpackhi_epi16(a, b));
    }
    return i;
}

static size_t split_word_blocks(uint8_t *u, uint8_t *v, const uint8_t *uv, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i a = _mm_srli_epi16(load(uv + 4 * i), 6),
                b = _mm_srli_epi16(load(uv + 4 * i + 16), 6);
        /* Ten bits are positive as 16: packing 32-bit halves saturates nothing. */
        __m128i au = _mm_srai_epi32(_mm_slli_epi32(a, 16), 16), av = _mm_srli_epi32(a, 16);
        __m128i bu = _mm_srai_epi32(_mm_slli_epi32(b, 16), 16), bv = _mm_srli_epi32(b, 16);
        store(u + 2 * i, _mm_packs_epi32(au, bu));
        store(v + 2 * i, _mm_packs_epi32(av, bv));
    }
    return i;
}

static size_t shift_blocks(uint8_t *out, const uint8_t *in, size_t n, int left)
{
    const __m128i count = _mm_cvtsi32_si128(left > 0 ? left : -left);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i v = load(in + 2 * i);
        store(out + 2 * i, left > 0 ? _mm_sll_epi16(v, count) : _mm_srl_epi16(v, count));
    }
    return i;
}
#else
static size_t weave_blocks(uint8_t *uv, const uint8_t *u, const uint8_t *v, size_t n)
{
    (void)uv, (void)u, (void)v, (void)n;
    return 0;
}
#define split_blocks(u, v, uv, n)      weave_blocks(u, v, uv, n)
#define weave_word_blocks(uv, u, v, n) weave_blocks(uv, u, v, n)
#define split_word_blocks(u, v, uv, n) weave_blocks(u, v, uv, n)
#define shift_blocks(out, in, n, left) weave_blocks(out, in, in, n)
#endif

static void weave_bytes(uint8_t *uv, const uint8_t *u, const uint8_t *v, size_t n)
{
    for (size_t i = weave_blocks(uv, u, v, n); i < n; i++) {
        uv[2 * i] = u[i];
        uv[2 * i + 1] = v[i];
    }
}

static void split_bytes(uint8_t *u, uint8_t *v, const uint8_t *uv, size_t n)
{
    for (size_t i = split_blocks(u, v, uv, n); i < n; i++) {
        u[i] = uv[2 * i];
        v[i] = uv[2 * i + 1];
    }
}

/* ---- rows of words, ten bits of which count ----------------------------------------------- */

static inline void move_word(uint8_t *out, const uint8_t *in, int left)
{
    uint16_t v;
    memcpy(&v, in, 2);
    v = (uint16_t)(left > 0 ? v << left : v >> -left);
    memcpy(out, &v, 2);
}

/* out and in may be the same. */
static void shift_words(uint8_t *out, const uint8_t *in, size_t n, int left)
{
    for (size_t i = shift_blocks(out, in, n, left); i < n; i++) {
        move_word(out + 2 * i, in + 2 * i, left);
    }
}

static void weave_words(uint8_t *uv, const uint8_t *u, const uint8_t *v, size_t n)
{
    for (size_t i = weave_word_blocks(uv, u, v, n); i < n; i++) {
        move_word(uv + 4 * i, u + 2 * i, 6);
        move_word(uv + 4 * i + 2, v + 2 * i, 6);
    }
}

static void split_words(uint8_t *u, uint8_t *v, const uint8_t *uv, size_t n)
{
    for (size_t i = split_word_blocks(u, v, uv, n); i < n; i++) {
        move_word(u + 2 * i, uv + 4 * i, -6);
        move_word(v + 2 * i, uv + 4 * i + 2, -6);
    }
}

/* ---- planes ------------------------------------------------------------------------------- */

struct plane {
    const uint8_t *from;
    uint8_t *to;
    ptrdiff_t from_stride, to_stride;
};

static struct plane plane_of(const struct sl_frame *in, const struct sl_frame *out, int p)
{
    return (struct plane){in->plane[p], out->plane[p], in->stride[p], out->stride[p]};
}

/* left: how far samples move up inside their words. */
static void copy_plane(struct plane p, size_t bytes, int32_t rows, int left)
{
    if (p.from == p.to && left == 0) {
        return;
    }
    for (int32_t y = 0; y < rows; y++, p.from += p.from_stride, p.to += p.to_stride) {
        if (left == 0) {
            memcpy(p.to, p.from, bytes);
        } else {
            shift_words(p.to, p.from, bytes / 2, left);
        }
    }
}

static void weave_chroma(const struct sl_frame *in, struct sl_frame *out)
{
    size_t sites = (size_t)(in->width + 1) / 2;
    bool words = out->format == SL_PIX_P010;
    for (int32_t y = 0; y < (in->height + 1) / 2; y++) {
        uint8_t *uv = out->plane[1] + y * out->stride[1];
        const uint8_t *u = in->plane[1] + y * in->stride[1], *v = in->plane[2] + y * in->stride[2];
        if (words) {
            weave_words(uv, u, v, sites);
        } else {
            weave_bytes(uv, u, v, sites);
        }
    }
}

static void split_chroma(const struct sl_frame *in, struct sl_frame *out)
{
    size_t sites = (size_t)(in->width + 1) / 2;
    bool words = in->format == SL_PIX_P010;
    for (int32_t y = 0; y < (in->height + 1) / 2; y++) {
        const uint8_t *uv = in->plane[1] + y * in->stride[1];
        uint8_t *u = out->plane[1] + y * out->stride[1], *v = out->plane[2] + y * out->stride[2];
        if (words) {
            split_words(u, v, uv, sites);
        } else {
            split_bytes(u, v, uv, sites);
        }
    }
}

void sl_weave(const struct sl_frame *in, struct sl_frame *out)
{
    const struct sl_pixel_info *from = sl_pixel_info(in->format), *to = sl_pixel_info(out->format);
    int left = to->shift - from->shift, same = from->planes == to->planes ? from->planes : 1;
    for (int p = 0; p < same; p++) {
        copy_plane(plane_of(in, out, p), (size_t)sl_plane_bytes(in->format, p, in->width),
                   sl_plane_rows(in->format, p, in->height), left);
    }
    if (from->planes > to->planes) {
        weave_chroma(in, out);
    } else if (from->planes < to->planes) {
        split_chroma(in, out);
    }
}
