/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/rgb.h"

#include <math.h>
#include <string.h>

#define COEF_BITS 15

bool sl_rgb_handles(enum sl_pixel_format format)
{
    return format == SL_PIX_RGB24 || format == SL_PIX_BGR24 || format == SL_PIX_RGBA ||
           format == SL_PIX_BGRA;
}

bool sl_rgb_luma(uint8_t matrix, double *kr, double *kb)
{
    /* ITU-T H.273 table 4 */
    static const struct {
        uint8_t matrix;
        double kr, kb;
    } table[] = {
        {1, 0.2126, 0.0722}, {4, 0.30, 0.11},   {5, 0.299, 0.114},
        {6, 0.299, 0.114},   {7, 0.212, 0.087}, {9, 0.2627, 0.0593},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].matrix == matrix) {
            *kr = table[i].kr;
            *kb = table[i].kb;
            return true;
        }
    }
    return false;
}

enum sl_rgb_cpu sl_rgb_best_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vnni")) {
        return SL_RGB_CPU_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return SL_RGB_CPU_AVX2;
    }
    if (__builtin_cpu_supports("ssse3")) {
        return SL_RGB_CPU_SSSE3;
    }
#endif
    return SL_RGB_CPU_C;
}

/* Rounds three weights so that their sum is right to the last bit: greys come out exact, and their
 * chroma is 128. The largest weight takes the difference. */
static void quantise(const double w[3], int16_t out[3])
{
    int largest = 0;
    long sum = lrint((w[0] + w[1] + w[2]) * (1 << COEF_BITS));
    for (int i = 0; i < 3; i++) {
        out[i] = (int16_t)lrint(w[i] * (1 << COEF_BITS));
        sum -= out[i];
        if (fabs(w[i]) > fabs(w[largest])) {
            largest = i;
        }
    }
    out[largest] = (int16_t)(out[largest] + sum);
}

/* H.273 8.3, equations 38 to 46 with the ranges of 8 bits. */
static void make_coef(struct sl_rgb_coef *c, double kr, double kb, bool in_full, bool out_full)
{
    double kg = 1 - kr - kb;
    double in_scale = in_full ? 255 : 219;
    double luma = (out_full ? 255 : 219) / in_scale;
    double chroma = (out_full ? 255 : 224) / in_scale;
    double u = chroma / (2 * (1 - kb)), v = chroma / (2 * (1 - kr));
    quantise((const double[]){kr * luma, kg * luma, kb * luma}, c->y);
    quantise((const double[]){-kr * u, -kg * u, (1 - kb) * u}, c->u);
    quantise((const double[]){(1 - kr) * v, -kg * v, -kb * v}, c->v);
    c->y_add = ((out_full ? 0 : 16) << COEF_BITS) + (1 << (COEF_BITS - 1));
    if (!in_full) {
        c->y_add -= 16 * (c->y[0] + c->y[1] + c->y[2]);
    }
}

/* pshufb masks for four pixels: 16-bit words R G for each, and words B 0 for each. */
static void make_masks(struct sl_rgb *rgb)
{
    memset(rgb->masks, 0x80, sizeof rgb->masks);
    for (size_t at = 0; at < 2; at++) {
        for (size_t i = 0; i < 4; i++) {
            size_t pixel = i * rgb->bytes + at * 4;
            if (pixel + rgb->bytes > 16) {
                continue; /* four-byte pixels fill the register: only "at 0" is used */
            }
            rgb->masks[0][at][4 * i] = (uint8_t)(pixel + rgb->order[0]);
            rgb->masks[0][at][4 * i + 2] = (uint8_t)(pixel + rgb->order[1]);
            rgb->masks[1][at][4 * i] = (uint8_t)(pixel + rgb->order[2]);
        }
    }
}

bool sl_rgb_init(struct sl_rgb *rgb, enum sl_pixel_format format, uint8_t in_range,
                 const struct sl_colour *out, enum sl_rgb_siting siting, enum sl_rgb_cpu cpu)
{
    double kr, kb;
    *rgb = (struct sl_rgb){.siting = siting};
    if (!sl_rgb_handles(format) || !sl_rgb_luma(out->matrix, &kr, &kb)) {
        return false;
    }
    make_coef(&rgb->coef, kr, kb, in_range == SL_RANGE_FULL, out->range == SL_RANGE_FULL);
    rgb->bytes = format == SL_PIX_RGB24 || format == SL_PIX_BGR24 ? 3 : 4;
    bool reversed = format == SL_PIX_BGR24 || format == SL_PIX_BGRA;
    rgb->order[0] = reversed ? 2 : 0;
    rgb->order[1] = 1;
    rgb->order[2] = reversed ? 0 : 2;
    make_masks(rgb);
#if defined(__x86_64__) || defined(__i386__)
    if (cpu == SL_RGB_CPU_AVX512) {
        sl_rgb_prepare_avx512(rgb);
        rgb->blocks = sl_rgb_blocks_avx512;
    } else if (cpu == SL_RGB_CPU_AVX2) {
        rgb->blocks = sl_rgb_blocks_avx2;
    } else if (cpu == SL_RGB_CPU_SSSE3) {
        rgb->blocks = sl_rgb_blocks_ssse3;
    }
#else
    (void)cpu;
#endif
    return true;
}

static uint8_t clip(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static int32_t weigh(const int16_t w[3], const int32_t p[3])
{
    return w[0] * p[0] + w[1] * p[1] + w[2] * p[2];
}

/* Adds one column of both rows; beyond the edges the outermost column is repeated. */
static void add_column(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t x,
                       int32_t sum[3])
{
    x = x < 0 ? 0 : x >= r->width ? r->width - 1 : x;
    for (int row = 0; row < 2; row++) {
        const uint8_t *p = r->src[row] + (size_t)x * rgb->bytes;
        for (int i = 0; i < 3; i++) {
            sum[i] += p[rgb->order[i]];
        }
    }
}

/* The reference. begin and end are even. */
static void convert_pixels(const struct sl_rgb *rgb, const struct sl_rgb_rows *r, int32_t begin,
                           int32_t end)
{
    const struct sl_rgb_coef *c = &rgb->coef;
    for (int row = 0; row < 2; row++) {
        for (int32_t x = begin; x < end; x++) {
            const uint8_t *p = r->src[row] + (size_t)x * rgb->bytes;
            int32_t px[3] = {p[rgb->order[0]], p[rgb->order[1]], p[rgb->order[2]]};
            r->y[row][x] = clip((weigh(c->y, px) + c->y_add) >> COEF_BITS);
        }
    }
    int shift = COEF_BITS + (rgb->siting == SL_RGB_CENTRE ? 2 : 3);
    int32_t add = (128 << shift) + (1 << (shift - 1));
    for (int32_t x = begin; x < end; x += 2) {
        int32_t sum[3] = {0};
        add_column(rgb, r, x, sum);
        add_column(rgb, r, x + 1, sum);
        if (rgb->siting != SL_RGB_CENTRE) {
            add_column(rgb, r, x + rgb->siting, sum);
            add_column(rgb, r, x + 1 + rgb->siting, sum);
        }
        r->u[x / 2 * r->step] = clip((weigh(c->u, sum) + add) >> shift);
        r->v[x / 2 * r->step] = clip((weigh(c->v, sum) + add) >> shift);
    }
}

/* All but the pixels whose chroma looks past an edge is done in blocks, where there are any. */
static void convert_rows(const struct sl_rgb *rgb, const struct sl_rgb_rows *r)
{
    int32_t begin = rgb->siting == SL_RGB_LEFT ? 2 : 0;
    int32_t end = r->width - (rgb->siting == SL_RGB_RIGHT ? 2 : 0);
    if (!rgb->blocks || !rgb->blocks(rgb, r, begin, end)) {
        end = begin;
    }
    convert_pixels(rgb, r, 0, begin);
    convert_pixels(rgb, r, end, r->width);
}

void sl_rgb_run_rows(const struct sl_rgb *rgb, const uint8_t *src, ptrdiff_t stride,
                     struct sl_frame *out, int32_t first, int32_t rows)
{
    bool nv12 = out->format == SL_PIX_NV12;
    for (int32_t y = first; y < first + rows; y += 2, src += 2 * stride) {
        uint8_t *luma = out->plane[0] + y * out->stride[0];
        uint8_t *chroma = out->plane[1] + y / 2 * out->stride[1];
        const uint8_t *next = y + 2 < first + rows ? src + 2 * stride : src;
        struct sl_rgb_rows pair = {
            .src = {src, src + stride},
            .next = {next, next + stride},
            .y = {luma, luma + out->stride[0]},
            .u = chroma,
            .v = nv12 ? chroma + 1 : out->plane[2] + y / 2 * out->stride[2],
            .step = nv12 ? 2 : 1,
            .width = out->width,
        };
        convert_rows(rgb, &pair);
    }
}

void sl_rgb_run(const struct sl_rgb *rgb, const struct sl_frame *in, struct sl_frame *out)
{
    sl_rgb_run_rows(rgb, in->plane[0], in->stride[0], out, 0, out->height);
}
