/* SPDX-License-Identifier: BSD-2-Clause */
/* rgb.c for processors with AVX-512 VBMI and VNNI (Ice Lake and Zen 4 on): sixteen pixels of a
 * register become words "R G" and words "B 0" by one byte permutation each, and are weighed by
 * multiply-adds that accumulate. 32-bit sums: nothing is rounded before the end. */
#include "filter/rgb.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vnni")))
#define INLINE static inline __attribute__((always_inline))
#define BLOCK  32 /* pixels of both rows at a time */

struct words512 {
    __m512i rg, b;
};

struct consts512 {
    __m512i take_rg, take_b;
    __m512i y_rg, y_b, u_rg, u_b, v_rg, v_b;
    __m512i y_add, c_add;
};

/* The weights of two components side by side, as a multiply-add wants them. */
AVX512 INLINE __m512i pair512(int16_t low, int16_t high)
{
    return _mm512_set1_epi32((int)((uint32_t)(uint16_t)high << 16 | (uint16_t)low));
}

/* Sixteen pixels, and nothing past them. */
AVX512 INLINE struct words512 load512(const uint8_t *p, ptrdiff_t bytes, const struct consts512 *k)
{
    __m512i x = bytes == 4 ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi8(0xffffffffffff, p);
    return (struct words512){_mm512_maskz_permutexvar_epi8(0x5555555555555555, k->take_rg, x),
                             _mm512_maskz_permutexvar_epi8(0x1111111111111111, k->take_b, x)};
}

AVX512 INLINE __m512i weigh512(struct words512 w, __m512i rg, __m512i b, __m512i add)
{
    return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(add, w.rg, rg), w.b, b);
}

AVX512 INLINE struct words512 sum512(struct words512 a, struct words512 b)
{
    return (struct words512){_mm512_add_epi16(a.rg, b.rg), _mm512_add_epi16(a.b, b.b)};
}

/* Both rows: packing leaves four pixels of each in turn. */
AVX512 INLINE void store_luma512(const struct sl_rgb_rows *r, int32_t x, __m512i y[2][2])
{
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i all = _mm512_packus_epi16(_mm512_packs_epi32(y[0][0], y[0][1]),
                                      _mm512_packs_epi32(y[1][0], y[1][1]));
    all = _mm512_permutexvar_epi32(order, all);
    _mm256_storeu_si256((__m256i *)(void *)(r->y[0] + x), _mm512_castsi512_si256(all));
    _mm256_storeu_si256((__m256i *)(void *)(r->y[1] + x), _mm512_extracti64x4_epi64(all, 1));
}

/* Adds columns up for the chroma sites of 32 pixels: [1 1], or [1 2 1] around the column that the
 * sites stand on. words: of both rows added up; aside: of the sixteen pixels that begin one column
 * to the left, or end one column to the right. Sites come out alternating: 0 8 1 9 2 10 … */
AVX512 INLINE __m512i sites512(const __m512i words[2], __m512i aside, ptrdiff_t siting)
{
    const __mmask16 upper = 0xaaaa;
    __m512i even = _mm512_mask_blend_epi32(upper, words[0], _mm512_slli_epi64(words[1], 32));
    __m512i odd = _mm512_mask_blend_epi32(upper, _mm512_srli_epi64(words[0], 32), words[1]);
    if (siting == SL_RGB_LEFT) { /* the odd columns before the even ones: -1 15 1 17 3 19 … */
        __m512i order = _mm512_setr_epi32(16, 14, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
        __m512i before = _mm512_permutex2var_epi32(odd, order, aside);
        return _mm512_add_epi16(_mm512_add_epi16(before, odd), _mm512_slli_epi16(even, 1));
    }
    if (siting == SL_RGB_RIGHT) { /* the even columns after the odd ones: 2 18 4 20 … 16 32 */
        __m512i order = _mm512_setr_epi32(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 31);
        __m512i after = _mm512_permutex2var_epi32(even, order, aside);
        return _mm512_add_epi16(_mm512_add_epi16(after, even), _mm512_slli_epi16(odd, 1));
    }
    return _mm512_add_epi16(even, odd);
}

AVX512 INLINE void store_chroma512(const struct sl_rgb_rows *r, int32_t x, __m512i u, __m512i v)
{
    /* Packing leaves four elements of u and four of v in each lane; sites alternate. */
    __m256i order = _mm256_setr_epi8(0, 2, 16, 18, 32, 34, 48, 50, 1, 3, 17, 19, 33, 35, 49, 51, 4,
                                     6, 20, 22, 36, 38, 52, 54, 5, 7, 21, 23, 37, 39, 53, 55);
    __m512i words = _mm512_packs_epi32(u, v);
    __m512i uv =
        _mm512_permutexvar_epi8(_mm512_castsi256_si512(order), _mm512_packus_epi16(words, words));
    _mm_storeu_si128((__m128i *)(void *)(r->u + x / 2), _mm512_castsi512_si128(uv));
    _mm_storeu_si128((__m128i *)(void *)(r->v + x / 2), _mm512_extracti32x4_epi32(uv, 1));
}

AVX512 INLINE void block512(const struct sl_rgb_rows *r, int32_t x, ptrdiff_t bytes,
                            ptrdiff_t siting, const struct consts512 *k)
{
    const uint8_t *top = r->src[0] + (ptrdiff_t)x * bytes;
    const uint8_t *low = r->src[1] + (ptrdiff_t)x * bytes;
    __m512i y[2][2], rg[2], b[2];
    struct words512 aside = {k->y_rg, k->y_rg}; /* not looked at where sites are between columns */

    for (ptrdiff_t i = 0; i < 2; i++) {
        struct words512 t = load512(top + 16 * i * bytes, bytes, k);
        struct words512 l = load512(low + 16 * i * bytes, bytes, k);
        struct words512 both = sum512(t, l);
        y[0][i] = _mm512_srai_epi32(weigh512(t, k->y_rg, k->y_b, k->y_add), 15);
        y[1][i] = _mm512_srai_epi32(weigh512(l, k->y_rg, k->y_b, k->y_add), 15);
        rg[i] = both.rg;
        b[i] = both.b;
    }
    store_luma512(r, x, y);
    if (siting != SL_RGB_CENTRE) {
        ptrdiff_t at = (siting == SL_RGB_LEFT ? -1 : BLOCK - 15) * bytes;
        aside = sum512(load512(top + at, bytes, k), load512(low + at, bytes, k));
    }
    unsigned shift = siting == SL_RGB_CENTRE ? 17 : 18;
    struct words512 sites = {sites512(rg, aside.rg, siting), sites512(b, aside.b, siting)};
    store_chroma512(r, x, _mm512_srai_epi32(weigh512(sites, k->u_rg, k->u_b, k->c_add), shift),
                    _mm512_srai_epi32(weigh512(sites, k->v_rg, k->v_b, k->c_add), shift));
}

AVX512 INLINE int32_t row512(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t x,
                             ptrdiff_t bytes, ptrdiff_t siting)
{
    const struct sl_rgb_coef *c = &rgb->coef;
    int shift = siting == SL_RGB_CENTRE ? 17 : 18;
    /* Byte "bytes * pixel + order" of the source into each pixel's words. */
    __m512i pixel =
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32((int)bytes * 0x010001));
    struct consts512 k = {
        .take_rg = _mm512_add_epi32(pixel, pair512(rgb->order[0], rgb->order[1])),
        .take_b = _mm512_add_epi32(pixel, pair512(rgb->order[2], 0)),
        .y_rg = pair512(c->y[0], c->y[1]),
        .y_b = pair512(c->y[2], 0),
        .u_rg = pair512(c->u[0], c->u[1]),
        .u_b = pair512(c->u[2], 0),
        .v_rg = pair512(c->v[0], c->v[1]),
        .v_b = pair512(c->v[2], 0),
        .y_add = _mm512_set1_epi32(c->y_add),
        .c_add = _mm512_set1_epi32((128 << shift) + (1 << (shift - 1))),
    };
    int32_t end = r->width - (siting > 0 ? 1 : 0); /* a block looks one pixel to its right */
    for (; x + BLOCK <= end; x += BLOCK) {
        block512(r, x, bytes, siting, &k);
    }
    return x;
}

AVX512 int32_t sl_rgb_blocks_avx512(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows,
                                    int32_t begin)
{
    switch (rgb->siting) {
    case SL_RGB_LEFT:
        return rgb->bytes == 3 ? row512(rgb, rows, begin, 3, -1) : row512(rgb, rows, begin, 4, -1);
    case SL_RGB_RIGHT:
        return rgb->bytes == 3 ? row512(rgb, rows, begin, 3, 1) : row512(rgb, rows, begin, 4, 1);
    case SL_RGB_CENTRE:
        break;
    }
    return rgb->bytes == 3 ? row512(rgb, rows, begin, 3, 0) : row512(rgb, rows, begin, 4, 0);
}

#endif
