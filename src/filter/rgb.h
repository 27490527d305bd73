/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed RGB to 8-bit 4:2:0 of the same size, planar or NV12: the hot path of every renderer that
 * feeds us. Integer throughout, so that each instruction set gives the same bytes. */
#ifndef SL_FILTER_RGB_H
#define SL_FILTER_RGB_H

#include "media/frame.h"

/* 15-bit fixed point, in the order R, G, B. */
struct sl_rgb_coef {
    int16_t y[3], u[3], v[3];
    int32_t y_add; /* offset and half a step, times 1 << 15 */
};

/* Where chroma stands between the two luma columns that share it. */
enum sl_rgb_siting {
    SL_RGB_LEFT = -1,  /* on the left one: [1 2 1] around it */
    SL_RGB_CENTRE = 0, /* between them: their mean */
    SL_RGB_RIGHT = 1,
};

enum sl_rgb_cpu {
    SL_RGB_CPU_C = 0, /* the reference */
    SL_RGB_CPU_SSSE3,
    SL_RGB_CPU_AVX2,
    SL_RGB_CPU_AVX512, /* with VBMI and VNNI */
    SL_RGB_CPU_COUNT
};

/* Two source rows and what becomes of them. width is even. */
struct sl_rgb_rows {
    const uint8_t *src[2];
    const uint8_t *next[2]; /* what will be read after them */
    uint8_t *y[2], *u, *v;
    ptrdiff_t step; /* from a chroma sample to the next; 2: u and v in turn, v is u + 1 */
    int32_t width;
};

struct sl_rgb {
    struct sl_rgb_coef coef;
    uint8_t bytes;           /* of a pixel: 3 or 4 */
    uint8_t order[3];        /* byte of R, G and B in a pixel */
    uint8_t masks[2][2][16]; /* pshufb: [RG or B][data at byte 0 or 4 of the register] */
    /* vpermb: of 16 pixels R G B -; of 8 pairs of columns R R G G B B - -; chroma as it is stored,
     * planar and interleaved */
    uint8_t pixels[64], sites[64], chroma[2][64];
    enum sl_rgb_siting siting;
    /* Converts pixels from begin to end in blocks, the last of which overlaps the one before where
     * it must. Reads one pixel more on the side that chroma stands on. False: not even one block,
     * nothing was done. NULL: the reference does everything. */
    bool (*blocks)(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows, int32_t begin,
                   int32_t end);
};

/* True for the formats that this path reads. */
bool sl_rgb_handles(enum sl_pixel_format format);
/* The weights of R and B in luma for an H.273 8.3 matrix; false for those that are not of that
 * kind. */
bool sl_rgb_luma(uint8_t matrix, double *kr, double *kb);
enum sl_rgb_cpu sl_rgb_best_cpu(void);
/* False where format or matrix is not handled. */
SL_NODISCARD bool sl_rgb_init(struct sl_rgb *rgb, enum sl_pixel_format format, uint8_t in_range,
                              const struct sl_colour *out, enum sl_rgb_siting siting,
                              enum sl_rgb_cpu cpu);
/* The whole picture; out is yuv420p or nv12, of even size, and in at least as large. Alignment and
 * direction of rows are free on both sides; nothing outside of the pixels is read or written. */
void sl_rgb_run(const struct sl_rgb *rgb, const struct sl_frame *in, struct sl_frame *out);

/* Rows from first on, an even number of them; src is the first of them. */
void sl_rgb_run_rows(const struct sl_rgb *rgb, const uint8_t *src, ptrdiff_t stride,
                     struct sl_frame *out, int32_t first, int32_t rows);

/* The block after the one at x: at a multiple of block, or the last one that fits. */
static inline int32_t sl_rgb_next(int32_t x, int32_t block, int32_t end)
{
    int32_t next = x / block * block + block;
    if (next + block <= end) {
        return next;
    }
    return next < end && x != end - block ? end - block : end;
}

/* Rows are a page or more apart, where a processor's own prefetching stops: from memory this is
 * worth a third of the time. Nothing faults. */
static inline void sl_rgb_prefetch(const struct sl_rgb_rows *r, int32_t x, ptrdiff_t pixels,
                                   ptrdiff_t bytes)
{
    for (ptrdiff_t i = 0; i < pixels * bytes; i += 64) {
        __builtin_prefetch(r->next[0] + x * bytes + i);
        __builtin_prefetch(r->next[1] + x * bytes + i);
    }
}

#if defined(__x86_64__) || defined(__i386__)
bool sl_rgb_blocks_ssse3(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows, int32_t begin,
                         int32_t end);
bool sl_rgb_blocks_avx2(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows, int32_t begin,
                        int32_t end);
void sl_rgb_prepare_avx512(struct sl_rgb *rgb);
bool sl_rgb_blocks_avx512(const struct sl_rgb *rgb, const struct sl_rgb_rows *rows, int32_t begin,
                          int32_t end);
#endif

#endif
