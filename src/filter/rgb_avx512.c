/* SPDX-License-Identifier: BSD-2-Clause */
/* rgb.c for processors with AVX-512 VBMI and VNNI (Ice Lake and Zen 4 on). Luma: a pixel is four
 * bytes, which one instruction weighs and adds up; that takes weights of 8 bits, so each of ours is
 * split in two. Chroma: the two columns of a site lie side by side, are added up to words "R G" and
 * "B -", and weighed as those. No sum is rounded before the end. */
#include "filter/rgb.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vnni")))
#define INLINE static inline __attribute__((always_inline))
#define BLOCK  64 /* pixels of both rows at a time */
#define GROUP  16 /* pixels of a register */
#define GROUPS 4

struct consts512 {
    __m512i pixels[2], sites[2]; /* which bytes; second: in the last group of three-byte pixels */
    __m512i y_high, y_low, y_add;
    __m512i u_rg, u_b, v_rg, v_b, c_add;
    __m512i chroma; /* order of u and v as they are stored */
};

AVX512 INLINE __m512i pair512(int16_t low, int16_t high)
{
    return _mm512_set1_epi32((int)((uint32_t)(uint16_t)high << 16 | (uint16_t)low));
}

/* Sixteen pixels somewhere in a register: the last group of a block of three-byte ones is loaded
 * from 16 bytes before it, so that nothing past the block is read. */
AVX512 INLINE __m512i load512(const uint8_t *p, ptrdiff_t bytes, ptrdiff_t group)
{
    ptrdiff_t at = group * GROUP * bytes;
    return _mm512_loadu_si512(p + (bytes == 3 && group == GROUPS - 1 ? at - 16 : at));
}

AVX512 INLINE __m512i take512(__m512i x, const __m512i which[2], ptrdiff_t bytes, ptrdiff_t group)
{
    return _mm512_permutexvar_epi8(which[bytes == 3 && group == GROUPS - 1], x);
}

/* The luma of sixteen pixels, times 128. (256 * high + low) >> 15 is (high + (low >> 8)) >> 7. */
AVX512 INLINE __m512i luma512(__m512i x, ptrdiff_t bytes, ptrdiff_t group,
                              const struct consts512 *k)
{
    __m512i px = bytes == 4 ? x : take512(x, k->pixels, bytes, group);
    __m512i low = _mm512_dpbusd_epi32(k->y_add, px, k->y_low);
    return _mm512_dpbusd_epi32(_mm512_srai_epi32(low, 8), px, k->y_high);
}

/* Packing leaves four pixels of each group in turn. */
AVX512 INLINE void store_luma512(uint8_t *out, const __m512i y[GROUPS])
{
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i lo = _mm512_srai_epi16(_mm512_packs_epi32(y[0], y[1]), 7);
    __m512i hi = _mm512_srai_epi16(_mm512_packs_epi32(y[2], y[3]), 7);
    _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(lo, hi)));
}

/* Words R G B and one that does not count, of eight pairs of columns. */
AVX512 INLINE __m512i pairs512(__m512i x, ptrdiff_t bytes, ptrdiff_t group,
                               const struct consts512 *k)
{
    return _mm512_maddubs_epi16(take512(x, k->sites, bytes, group), _mm512_set1_epi8(1));
}

AVX512 INLINE __m512i weigh512(__m512i rg, __m512i b, __m512i w_rg, __m512i w_b,
                               const struct consts512 *k, unsigned shift)
{
    return _mm512_srai_epi32(_mm512_dpwssd_epi32(_mm512_dpwssd_epi32(k->c_add, rg, w_rg), b, w_b),
                             shift);
}

AVX512 INLINE void store_chroma512(const struct sl_rgb_rows *r, int32_t x, const __m512i u[2],
                                   const __m512i v[2], const struct consts512 *k)
{
    __m512i uv =
        _mm512_packus_epi16(_mm512_packs_epi32(u[0], u[1]), _mm512_packs_epi32(v[0], v[1]));
    uv = _mm512_permutexvar_epi8(k->chroma, uv);
    if (r->step == 2) {
        _mm512_storeu_si512(r->u + x, uv);
    } else {
        _mm256_storeu_si256((__m256i *)(void *)(r->u + x / 2), _mm512_castsi512_si256(uv));
        _mm256_storeu_si256((__m256i *)(void *)(r->v + x / 2), _mm512_extracti64x4_epi64(uv, 1));
    }
}

AVX512 INLINE void block512(const struct sl_rgb_rows *r, int32_t x, ptrdiff_t bytes,
                            ptrdiff_t siting, const struct consts512 *k)
{
    const uint8_t *top = r->src[0] + (ptrdiff_t)x * bytes;
    const uint8_t *low = r->src[1] + (ptrdiff_t)x * bytes;
    unsigned shift = siting == SL_RGB_CENTRE ? 17 : 18;
    __m512i y[2][GROUPS], sum[GROUPS], u[2], v[2];

    sl_rgb_prefetch(r, x, BLOCK, bytes);
    for (ptrdiff_t i = 0; i < GROUPS; i++) {
        __m512i t = load512(top, bytes, i), l = load512(low, bytes, i);
        y[0][i] = luma512(t, bytes, i, k);
        y[1][i] = luma512(l, bytes, i, k);
        sum[i] = _mm512_add_epi16(pairs512(t, bytes, i, k), pairs512(l, bytes, i, k));
        if (siting != SL_RGB_CENTRE) { /* [1 2 1] is [1 1] twice, one column apart */
            t = load512(top + siting * bytes, bytes, i);
            l = load512(low + siting * bytes, bytes, i);
            sum[i] = _mm512_add_epi16(
                sum[i], _mm512_add_epi16(pairs512(t, bytes, i, k), pairs512(l, bytes, i, k)));
        }
    }
    store_luma512(r->y[0] + x, y[0]);
    store_luma512(r->y[1] + x, y[1]);
    for (ptrdiff_t i = 0; i < 2; i++) { /* sites alternate: 0 8 1 9 2 10 … */
        __m512i a = sum[2 * i], b = sum[2 * i + 1];
        __m512i rg = _mm512_mask_shuffle_epi32(a, 0xaaaa, b, _MM_PERM_CCAA);
        __m512i bx = _mm512_mask_shuffle_epi32(b, 0x5555, a, _MM_PERM_DDBB);
        u[i] = weigh512(rg, bx, k->u_rg, k->u_b, k, shift);
        v[i] = weigh512(rg, bx, k->v_rg, k->v_b, k, shift);
    }
    store_chroma512(r, x, u, v, k);
}

/* The weights of a pixel's bytes: w is 256 times the high one and the low one. */
static void split(const struct sl_rgb *rgb, const int16_t w[3], int32_t *high, int32_t *low)
{
    uint32_t h = 0, l = 0;
    for (int i = 0; i < 3; i++) {
        int at = 8 * (rgb->bytes == 4 ? rgb->order[i] : i), top = (w[i] + 128) >> 8;
        h |= (uint32_t)(uint8_t)top << at;
        l |= (uint32_t)(uint8_t)(w[i] - 256 * top) << at;
    }
    *high = (int32_t)h;
    *low = (int32_t)l;
}

AVX512 INLINE bool row512(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t begin,
                          int32_t end, ptrdiff_t bytes, ptrdiff_t siting)
{
    const struct sl_rgb_coef *c = &rgb->coef;
    int shift = siting == SL_RGB_CENTRE ? 17 : 18;
    int32_t high, low;
    __m512i back = _mm512_set1_epi8(16);
    split(rgb, c->y, &high, &low);
    struct consts512 k = {
        .pixels = {_mm512_loadu_si512(rgb->pixels)},
        .sites = {_mm512_loadu_si512(rgb->sites)},
        .y_high = _mm512_set1_epi32(high),
        .y_low = _mm512_set1_epi32(low),
        .y_add = _mm512_set1_epi32(c->y_add),
        .u_rg = pair512(c->u[0], c->u[1]),
        .u_b = pair512(c->u[2], 0),
        .v_rg = pair512(c->v[0], c->v[1]),
        .v_b = pair512(c->v[2], 0),
        .c_add = _mm512_set1_epi32((128 << shift) + (1 << (shift - 1))),
        .chroma = _mm512_loadu_si512(rgb->chroma[r->step - 1]),
    };
    k.pixels[1] = _mm512_add_epi8(k.pixels[0], back);
    k.sites[1] = _mm512_add_epi8(k.sites[0], back);
    if (end - begin < BLOCK) {
        return false;
    }
    for (int32_t x = begin; x < end; x = sl_rgb_next(x, BLOCK, end)) {
        block512(r, x, bytes, siting, &k);
    }
    return true;
}

void sl_rgb_prepare_avx512(struct sl_rgb *rgb)
{
    for (size_t i = 0; i < 64; i++) {
        size_t component = i % 8 / 2;
        if (i % 4 < 3) {
            rgb->pixels[i] = (uint8_t)(i / 4 * rgb->bytes + rgb->order[i % 4]);
        }
        if (component < 3) {
            rgb->sites[i] = (uint8_t)((i / 8 * 2 + i % 2) * rgb->bytes + rgb->order[component]);
        }
    }
    for (size_t site = 0; site < 32; site++) {
        /* 0 8 1 9 … in each half of them; packing puts four of either half and of v in a lane. */
        size_t element = site % 8 * 2 + site / 8 % 2;
        uint8_t u = (uint8_t)(element / 4 * 16 + site / 16 * 4 + element % 4), v = u + 8;
        rgb->chroma[0][site] = rgb->chroma[1][2 * site] = u;
        rgb->chroma[0][32 + site] = rgb->chroma[1][2 * site + 1] = v;
    }
}

AVX512 bool sl_rgb_blocks_avx512(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows,
                                 int32_t begin, int32_t end)
{
    bool three = rgb->bytes == 3;
    switch (rgb->siting) {
    case SL_RGB_LEFT:
        return three ? row512(rgb, rows, begin, end, 3, -1) : row512(rgb, rows, begin, end, 4, -1);
    case SL_RGB_RIGHT:
        return three ? row512(rgb, rows, begin, end, 3, 1) : row512(rgb, rows, begin, end, 4, 1);
    case SL_RGB_CENTRE:
        break;
    }
    return three ? row512(rgb, rows, begin, end, 3, 0) : row512(rgb, rows, begin, end, 4, 0);
}

#endif
