/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixel and sample formats, described by data instead of switch ladders. */
#ifndef SL_MEDIA_PIXEL_H
#define SL_MEDIA_PIXEL_H

#include <stdbool.h>
#include <stdint.h>

/* Samples deeper than 8 bits are 16-bit words in native order, value in the low bits (P010 keeps
 * it in the high ones). Planar RGB is stored G, B, R as decoders do. Numbers are internal. */
enum sl_pixel_format {
    SL_PIX_NONE = 0,
    SL_PIX_YUV420P,
    SL_PIX_YUV422P,
    SL_PIX_YUV444P,
    SL_PIX_YUV440P,
    SL_PIX_YUV411P,
    SL_PIX_YUV410P,
    SL_PIX_YUV420P10,
    SL_PIX_YUV422P10,
    SL_PIX_YUV444P10,
    SL_PIX_YUV420P12,
    SL_PIX_YUV422P12,
    SL_PIX_YUV444P12,
    SL_PIX_GRAY,
    SL_PIX_GRAY10,
    SL_PIX_NV12,
    SL_PIX_P010,
    SL_PIX_GBRP,
    SL_PIX_GBRP10,
    SL_PIX_GBRP12,
    SL_PIX_RGB24,
    SL_PIX_BGR24,
    SL_PIX_RGBA,
    SL_PIX_BGRA,
    SL_PIX_COUNT
};

struct sl_pixel_info {
    const char *name;           /* "yuv420p": FFmpeg's names */
    uint8_t planes;             /* 1 to 3 */
    uint8_t depth;              /* bits of a sample that count */
    uint8_t sample_bytes;       /* 1 or 2 */
    uint8_t shift;              /* left shift of the value inside the word (P010: 6) */
    uint8_t chroma_w, chroma_h; /* log2 of chroma subsampling */
    uint8_t
        interleave[3]; /* samples per pixel (or chroma site) in each plane: RGB24 {3} NV12 {1, 2} */
    bool rgb;
};

/* NULL for SL_PIX_NONE and what is out of range. */
const struct sl_pixel_info *sl_pixel_info(enum sl_pixel_format format);
enum sl_pixel_format sl_pixel_find(const char *name); /* SL_PIX_NONE: not known */
/* Width in bytes and rows of one plane of a picture. Chroma sizes round up. */
int64_t sl_plane_bytes(enum sl_pixel_format format, int plane, int32_t width);
int32_t sl_plane_rows(enum sl_pixel_format format, int plane, int32_t height);

enum sl_sample_format {
    SL_SAMPLE_NONE = 0,
    SL_SAMPLE_S16,  /* interleaved */
    SL_SAMPLE_F32,  /* interleaved */
    SL_SAMPLE_F32P, /* one plane per channel: what Sluice works in */
};

#endif
