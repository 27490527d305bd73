/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86 forms of rgb.c. Four pixels of a register become words "R G" and words "B 0"; a
 * multiply-add by the weights then gives 32-bit sums, so nothing is rounded before the end. */
#include "filter/rgb.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The weights of R and G side by side, as a multiply-add wants them. */
INLINE int pair(int16_t low, int16_t high)
{
    return (int)((uint32_t)(uint16_t)high << 16 | (uint16_t)low);
}

INLINE void store128(uint8_t *out, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)out, v);
}

/* ---- AVX2: 32 pixels of both rows at a time ----------------------------------------------- */

#define AVX2 __attribute__((target("avx2")))

struct words256 {
    __m256i rg, b;
};

struct consts256 {
    __m256i mask_rg, mask_b;
    __m256i y_rg, y_b, u_rg, u_b, v_rg, v_b;
};

/* Eight pixels. The upper lane of three-byte pixels is loaded from eight bytes on, so that nothing
 * past the eighth pixel is read; its mask starts at byte 4. */
AVX2 INLINE struct words256 load256(const uint8_t *p, ptrdiff_t bytes, const struct consts256 *k)
{
    __m256i x;
    if (bytes == 4) {
        x = _mm256_loadu_si256((const __m256i *)(const void *)p);
    } else {
        x = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)),
            _mm_loadu_si128((const __m128i *)(const void *)(p + 8)), 1);
    }
    return (struct words256){_mm256_shuffle_epi8(x, k->mask_rg), _mm256_shuffle_epi8(x, k->mask_b)};
}

AVX2 INLINE __m256i weigh256(struct words256 w, __m256i rg, __m256i b)
{
    return _mm256_add_epi32(_mm256_madd_epi16(w.rg, rg), _mm256_madd_epi16(w.b, b));
}

AVX2 INLINE void store_luma256(uint8_t *out, const __m256i y[4])
{
    __m256i lo = _mm256_packs_epi32(y[0], y[1]), hi = _mm256_packs_epi32(y[2], y[3]);
    __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i all = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(lo, hi), order);
    _mm256_storeu_si256((__m256i *)(void *)out, all);
}

/* Sixteen pixels, one in each 32 bits: those of even columns, and those of odd ones. Of the two
 * registers that they come from pixels alternate, which costs no shuffle: 0 8 2 10, 4 12 6 14. */
struct columns256 {
    __m256i even, odd;
};

AVX2 INLINE struct columns256 columns256(__m256i a, __m256i b)
{
    return (struct columns256){_mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa),
                               _mm256_blend_epi32(_mm256_srli_epi64(a, 32), b, 0xaa)};
}

/* Weighs columns for the chroma sites of 32 pixels: [1 1], or [1 2 1] around the column that the
 * sites stand on. words: R and G, or B, of both rows added up; aside: of the eight pixels that
 * begin one column to the left, or end one column to the right. */
AVX2 INLINE void sites256(const __m256i words[4], __m256i aside, ptrdiff_t siting, __m256i out[2])
{
    struct columns256 c[2] = {columns256(words[0], words[1]), columns256(words[2], words[3])};
    if (siting == SL_RGB_LEFT) {
        /* The odd column before each even one; that before the first comes from elsewhere. */
        __m256i order = _mm256_setr_epi32(7, 6, 0, 1, 2, 3, 4, 5);
        __m256i p0 = _mm256_permutevar8x32_epi32(c[0].odd, order);
        __m256i p1 = _mm256_permutevar8x32_epi32(c[1].odd, order);
        c[0].odd = _mm256_add_epi16(c[0].odd, _mm256_blend_epi32(p0, aside, 0x01));
        c[1].odd = _mm256_add_epi16(c[1].odd, _mm256_blend_epi32(p1, p0, 0x01));
        c[0].even = _mm256_slli_epi16(c[0].even, 1);
        c[1].even = _mm256_slli_epi16(c[1].even, 1);
    } else if (siting == SL_RGB_RIGHT) {
        __m256i order = _mm256_setr_epi32(2, 3, 4, 5, 6, 7, 1, 0);
        __m256i n0 = _mm256_permutevar8x32_epi32(c[0].even, order);
        __m256i n1 = _mm256_permutevar8x32_epi32(c[1].even, order);
        c[0].even = _mm256_add_epi16(c[0].even, _mm256_blend_epi32(n0, n1, 0x80));
        c[1].even = _mm256_add_epi16(c[1].even, _mm256_blend_epi32(n1, aside, 0x80));
        c[0].odd = _mm256_slli_epi16(c[0].odd, 1);
        c[1].odd = _mm256_slli_epi16(c[1].odd, 1);
    }
    out[0] = _mm256_add_epi16(c[0].even, c[0].odd);
    out[1] = _mm256_add_epi16(c[1].even, c[1].odd);
}

AVX2 INLINE void chroma256(const struct sl_rgb_rows *r, int32_t x, const __m256i rg[2],
                           const __m256i b[2], ptrdiff_t siting, const struct consts256 *k)
{
    int shift = siting == SL_RGB_CENTRE ? 17 : 18;
    __m256i add = _mm256_set1_epi32((128 << shift) + (1 << (shift - 1)));
    __m256i u[2], v[2];
    for (ptrdiff_t i = 0; i < 2; i++) {
        struct words256 w = {rg[i], b[i]};
        u[i] = _mm256_srai_epi32(_mm256_add_epi32(weigh256(w, k->u_rg, k->u_b), add), shift);
        v[i] = _mm256_srai_epi32(_mm256_add_epi32(weigh256(w, k->v_rg, k->v_b), add), shift);
    }
    /* Sites of a lane: 0 4 1 5, 8 12 9 13; of the other 2 6 3 7, 10 14 11 15. */
    __m256i uv =
        _mm256_packus_epi16(_mm256_packs_epi32(u[0], u[1]), _mm256_packs_epi32(v[0], v[1]));
    __m128i lo = _mm256_castsi256_si128(uv), hi = _mm256_extracti128_si256(uv, 1);
    __m128i order = _mm_setr_epi8(0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15);
    __m128i all_u = _mm_shuffle_epi8(_mm_unpacklo_epi16(lo, hi), order);
    __m128i all_v = _mm_shuffle_epi8(_mm_unpackhi_epi16(lo, hi), order);
    if (r->step == 2) {
        store128(r->u + x, _mm_unpacklo_epi8(all_u, all_v));
        store128(r->u + x + 16, _mm_unpackhi_epi8(all_u, all_v));
    } else {
        store128(r->u + x / 2, all_u);
        store128(r->v + x / 2, all_v);
    }
}

AVX2 INLINE void block256(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t x,
                          ptrdiff_t bytes, ptrdiff_t siting, const struct consts256 *k)
{
    const uint8_t *top = r->src[0] + (ptrdiff_t)x * bytes;
    const uint8_t *low = r->src[1] + (ptrdiff_t)x * bytes;
    __m256i y0[4], y1[4], rg[4], b[4], rg_sites[2], b_sites[2];
    __m256i y_add = _mm256_set1_epi32(rgb->coef.y_add);

    sl_rgb_prefetch(r, x, 32, bytes);
    for (ptrdiff_t i = 0; i < 4; i++) {
        struct words256 t = load256(top + 8 * i * bytes, bytes, k);
        struct words256 l = load256(low + 8 * i * bytes, bytes, k);
        y0[i] = _mm256_srai_epi32(_mm256_add_epi32(weigh256(t, k->y_rg, k->y_b), y_add), 15);
        y1[i] = _mm256_srai_epi32(_mm256_add_epi32(weigh256(l, k->y_rg, k->y_b), y_add), 15);
        rg[i] = _mm256_add_epi16(t.rg, l.rg);
        b[i] = _mm256_add_epi16(t.b, l.b);
    }
    store_luma256(r->y[0] + x, y0);
    store_luma256(r->y[1] + x, y1);

    struct words256 aside = {y_add, y_add}; /* not looked at where sites stand between columns */
    if (siting != SL_RGB_CENTRE) {
        ptrdiff_t at = (siting == SL_RGB_LEFT ? -1 : 25) * bytes;
        struct words256 t = load256(top + at, bytes, k), l = load256(low + at, bytes, k);
        aside.rg = _mm256_add_epi16(t.rg, l.rg);
        aside.b = _mm256_add_epi16(t.b, l.b);
    }
    sites256(rg, aside.rg, siting, rg_sites);
    sites256(b, aside.b, siting, b_sites);
    chroma256(r, x, rg_sites, b_sites, siting, k);
}

AVX2 INLINE __m256i mask256(const uint8_t masks[2][16], ptrdiff_t bytes)
{
    __m128i lo = _mm_loadu_si128((const __m128i *)(const void *)masks[0]);
    __m128i hi = _mm_loadu_si128((const __m128i *)(const void *)masks[1]);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), bytes == 4 ? lo : hi, 1);
}

AVX2 INLINE bool row256(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t begin,
                        int32_t end, ptrdiff_t bytes, ptrdiff_t siting)
{
    const struct sl_rgb_coef *c = &rgb->coef;
    struct consts256 k = {
        .mask_rg = mask256(rgb->masks[0], bytes),
        .mask_b = mask256(rgb->masks[1], bytes),
        .y_rg = _mm256_set1_epi32(pair(c->y[0], c->y[1])),
        .y_b = _mm256_set1_epi32(pair(c->y[2], 0)),
        .u_rg = _mm256_set1_epi32(pair(c->u[0], c->u[1])),
        .u_b = _mm256_set1_epi32(pair(c->u[2], 0)),
        .v_rg = _mm256_set1_epi32(pair(c->v[0], c->v[1])),
        .v_b = _mm256_set1_epi32(pair(c->v[2], 0)),
    };
    if (end - begin < 32) {
        return false;
    }
    for (int32_t x = begin; x < end; x = sl_rgb_next(x, 32, end)) {
        block256(rgb, r, x, bytes, siting, &k);
    }
    return true;
}

AVX2 bool sl_rgb_blocks_avx2(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows,
                             int32_t begin, int32_t end)
{
    bool three = rgb->bytes == 3;
    switch (rgb->siting) {
    case SL_RGB_LEFT:
        return three ? row256(rgb, rows, begin, end, 3, -1) : row256(rgb, rows, begin, end, 4, -1);
    case SL_RGB_RIGHT:
        return three ? row256(rgb, rows, begin, end, 3, 1) : row256(rgb, rows, begin, end, 4, 1);
    case SL_RGB_CENTRE:
        break;
    }
    return three ? row256(rgb, rows, begin, end, 3, 0) : row256(rgb, rows, begin, end, 4, 0);
}

/* ---- SSSE3: 16 pixels of both rows at a time ---------------------------------------------- */

#define SSSE3 __attribute__((target("ssse3")))

struct words128 {
    __m128i rg, b;
};

struct consts128 {
    __m128i mask_rg[2], mask_b[2];
    __m128i y_rg, y_b, u_rg, u_b, v_rg, v_b;
};

/* Four pixels; the last four of a block of three-byte pixels are loaded from four bytes before
 * them, so that nothing past the block is read. */
SSSE3 INLINE struct words128 load128(const uint8_t *p, ptrdiff_t bytes, int back,
                                     const struct consts128 *k)
{
    int at = bytes == 3 ? back : 0;
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p - (ptrdiff_t)4 * at));
    return (struct words128){_mm_shuffle_epi8(x, k->mask_rg[at]),
                             _mm_shuffle_epi8(x, k->mask_b[at])};
}

SSSE3 INLINE __m128i weigh128(struct words128 w, __m128i rg, __m128i b)
{
    return _mm_add_epi32(_mm_madd_epi16(w.rg, rg), _mm_madd_epi16(w.b, b));
}

SSSE3 INLINE struct words128 sum128(struct words128 a, struct words128 b)
{
    return (struct words128){_mm_add_epi16(a.rg, b.rg), _mm_add_epi16(a.b, b.b)};
}

SSSE3 INLINE void store_luma128(uint8_t *out, const __m128i y[4])
{
    __m128i all = _mm_packus_epi16(_mm_packs_epi32(y[0], y[1]), _mm_packs_epi32(y[2], y[3]));
    store128(out, all);
}

SSSE3 INLINE void pair_sums128(const struct words128 w[4], const struct consts128 *k, __m128i u[2],
                               __m128i v[2])
{
    for (ptrdiff_t i = 0; i < 2; i++) {
        const struct words128 *a = &w[2 * i], *b = &w[2 * i + 1];
        u[i] = _mm_hadd_epi32(weigh128(*a, k->u_rg, k->u_b), weigh128(*b, k->u_rg, k->u_b));
        v[i] = _mm_hadd_epi32(weigh128(*a, k->v_rg, k->v_b), weigh128(*b, k->v_rg, k->v_b));
    }
}

SSSE3 INLINE void block128(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t x,
                           ptrdiff_t bytes, ptrdiff_t siting, const struct consts128 *k)
{
    const uint8_t *top = r->src[0] + (ptrdiff_t)x * bytes;
    const uint8_t *low = r->src[1] + (ptrdiff_t)x * bytes;
    struct words128 sums[4];
    __m128i y0[4], y1[4], u[2], v[2];
    __m128i y_add = _mm_set1_epi32(rgb->coef.y_add);

    sl_rgb_prefetch(r, x, 16, bytes);
    for (ptrdiff_t i = 0; i < 4; i++) {
        struct words128 a = load128(top + 4 * i * bytes, bytes, i == 3, k);
        struct words128 b = load128(low + 4 * i * bytes, bytes, i == 3, k);
        y0[i] = _mm_srai_epi32(_mm_add_epi32(weigh128(a, k->y_rg, k->y_b), y_add), 15);
        y1[i] = _mm_srai_epi32(_mm_add_epi32(weigh128(b, k->y_rg, k->y_b), y_add), 15);
        sums[i] = sum128(a, b);
    }
    store_luma128(r->y[0] + x, y0);
    store_luma128(r->y[1] + x, y1);
    pair_sums128(sums, k, u, v);

    int shift = 17;
    if (siting != SL_RGB_CENTRE) {
        __m128i u_aside[2], v_aside[2];
        shift = 18;
        for (ptrdiff_t i = 0; i < 4; i++) {
            sums[i] = sum128(load128(top + (4 * i + siting) * bytes, bytes, i == 3, k),
                             load128(low + (4 * i + siting) * bytes, bytes, i == 3, k));
        }
        pair_sums128(sums, k, u_aside, v_aside);
        for (ptrdiff_t i = 0; i < 2; i++) {
            u[i] = _mm_add_epi32(u[i], u_aside[i]);
            v[i] = _mm_add_epi32(v[i], v_aside[i]);
        }
    }
    __m128i add = _mm_set1_epi32((128 << shift) + (1 << (shift - 1)));
    for (ptrdiff_t i = 0; i < 2; i++) {
        u[i] = _mm_srai_epi32(_mm_add_epi32(u[i], add), shift);
        v[i] = _mm_srai_epi32(_mm_add_epi32(v[i], add), shift);
    }
    __m128i uv = _mm_packus_epi16(_mm_packs_epi32(u[0], u[1]), _mm_packs_epi32(v[0], v[1]));
    __m128i all_v = _mm_unpackhi_epi64(uv, uv);
    if (r->step == 2) {
        store128(r->u + x, _mm_unpacklo_epi8(uv, all_v));
    } else {
        _mm_storel_epi64((__m128i *)(void *)(r->u + x / 2), uv);
        _mm_storel_epi64((__m128i *)(void *)(r->v + x / 2), all_v);
    }
}

SSSE3 INLINE bool row128(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t begin,
                         int32_t end, ptrdiff_t bytes, ptrdiff_t siting)
{
    const struct sl_rgb_coef *c = &rgb->coef;
    struct consts128 k = {
        .y_rg = _mm_set1_epi32(pair(c->y[0], c->y[1])),
        .y_b = _mm_set1_epi32(pair(c->y[2], 0)),
        .u_rg = _mm_set1_epi32(pair(c->u[0], c->u[1])),
        .u_b = _mm_set1_epi32(pair(c->u[2], 0)),
        .v_rg = _mm_set1_epi32(pair(c->v[0], c->v[1])),
        .v_b = _mm_set1_epi32(pair(c->v[2], 0)),
    };
    for (int at = 0; at < 2; at++) {
        k.mask_rg[at] = _mm_loadu_si128((const __m128i *)(const void *)rgb->masks[0][at]);
        k.mask_b[at] = _mm_loadu_si128((const __m128i *)(const void *)rgb->masks[1][at]);
    }
    if (end - begin < 16) {
        return false;
    }
    for (int32_t x = begin; x < end; x = sl_rgb_next(x, 16, end)) {
        block128(rgb, r, x, bytes, siting, &k);
    }
    return true;
}

SSSE3 bool sl_rgb_blocks_ssse3(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows,
                               int32_t begin, int32_t end)
{
    bool three = rgb->bytes == 3;
    switch (rgb->siting) {
    case SL_RGB_LEFT:
        return three ? row128(rgb, rows, begin, end, 3, -1) : row128(rgb, rows, begin, end, 4, -1);
    case SL_RGB_RIGHT:
        return three ? row128(rgb, rows, begin, end, 3, 1) : row128(rgb, rows, begin, end, 4, 1);
    case SL_RGB_CENTRE:
        break;
    }
    return three ? row128(rgb, rows, begin, end, 3, 0) : row128(rgb, rows, begin, end, 4, 0);
}

#endif
