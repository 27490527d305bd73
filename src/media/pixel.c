/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/pixel.h"

#include <stddef.h>
#include <string.h>

/* FFmpeg names 16-bit formats after the byte order they are stored in; ours are native. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define NATIVE(name) name "be"
#else
#define NATIVE(name) name "le"
#endif

/* Three planes of one sample each, 8 bits deep. */
#define PLANAR8(text, cw, ch)                                                                      \
    {                                                                                              \
        .name = (text), .planes = 3, .depth = 8, .sample_bytes = 1, .chroma_w = (cw),              \
        .chroma_h = (ch), .interleave = {                                                          \
            1,                                                                                     \
            1,                                                                                     \
            1                                                                                      \
        }                                                                                          \
    }
/* The same in 16-bit words. */
#define PLANAR16(text, bits, cw, ch)                                                               \
    {                                                                                              \
        .name = NATIVE(text), .planes = 3, .depth = (bits), .sample_bytes = 2, .chroma_w = (cw),   \
        .chroma_h = (ch), .interleave = {                                                          \
            1,                                                                                     \
            1,                                                                                     \
            1                                                                                      \
        }                                                                                          \
    }
#define PLANAR_RGB(text, bits, bytes)                                                              \
    {                                                                                              \
        .name = (text), .planes = 3, .depth = (bits), .sample_bytes = (bytes),                     \
        .interleave = {1, 1, 1}, .rgb = true                                                       \
    }
#define PACKED_RGB(text, samples)                                                                  \
    {                                                                                              \
        .name = (text), .planes = 1, .depth = 8, .sample_bytes = 1, .interleave = {(samples)},     \
        .rgb = true                                                                                \
    }

static const struct sl_pixel_info formats[SL_PIX_COUNT] = {
    [SL_PIX_YUV420P] = PLANAR8("yuv420p", 1, 1),
    [SL_PIX_YUV422P] = PLANAR8("yuv422p", 1, 0),
    [SL_PIX_YUV444P] = PLANAR8("yuv444p", 0, 0),
    [SL_PIX_YUV440P] = PLANAR8("yuv440p", 0, 1),
    [SL_PIX_YUV411P] = PLANAR8("yuv411p", 2, 0),
    [SL_PIX_YUV410P] = PLANAR8("yuv410p", 2, 2),
    [SL_PIX_YUV420P10] = PLANAR16("yuv420p10", 10, 1, 1),
    [SL_PIX_YUV422P10] = PLANAR16("yuv422p10", 10, 1, 0),
    [SL_PIX_YUV444P10] = PLANAR16("yuv444p10", 10, 0, 0),
    [SL_PIX_YUV420P12] = PLANAR16("yuv420p12", 12, 1, 1),
    [SL_PIX_YUV422P12] = PLANAR16("yuv422p12", 12, 1, 0),
    [SL_PIX_YUV444P12] = PLANAR16("yuv444p12", 12, 0, 0),
    [SL_PIX_GRAY] = {.name = "gray", .planes = 1, .depth = 8, .sample_bytes = 1, .interleave = {1}},
    [SL_PIX_GRAY10] =
        {.name = NATIVE("gray10"), .planes = 1, .depth = 10, .sample_bytes = 2, .interleave = {1}},
    [SL_PIX_NV12] = {.name = "nv12",
                     .planes = 2,
                     .depth = 8,
                     .sample_bytes = 1,
                     .chroma_w = 1,
                     .chroma_h = 1,
                     .interleave = {1, 2}},
    [SL_PIX_P010] = {.name = NATIVE("p010"),
                     .planes = 2,
                     .depth = 10,
                     .sample_bytes = 2,
                     .shift = 6,
                     .chroma_w = 1,
                     .chroma_h = 1,
                     .interleave = {1, 2}},
    [SL_PIX_GBRP] = PLANAR_RGB("gbrp", 8, 1),
    [SL_PIX_GBRP10] = PLANAR_RGB(NATIVE("gbrp10"), 10, 2),
    [SL_PIX_GBRP12] = PLANAR_RGB(NATIVE("gbrp12"), 12, 2),
    [SL_PIX_RGB24] = PACKED_RGB("rgb24", 3),
    [SL_PIX_BGR24] = PACKED_RGB("bgr24", 3),
    [SL_PIX_RGBA] = PACKED_RGB("rgba", 4),
    [SL_PIX_BGRA] = PACKED_RGB("bgra", 4),
};

const struct sl_pixel_info *sl_pixel_info(enum sl_pixel_format format)
{
    if ((int)format <= SL_PIX_NONE || (int)format >= SL_PIX_COUNT) {
        return NULL;
    }
    return &formats[format];
}

enum sl_pixel_format sl_pixel_find(const char *name)
{
    for (int i = SL_PIX_NONE + 1; name && i < SL_PIX_COUNT; i++) {
        const struct sl_pixel_info *info = &formats[i];
        size_t length = strlen(info->name);
        if (strcmp(info->name, name) == 0) {
            return (enum sl_pixel_format)i;
        }
        /* "yuv420p10" without the byte order means the native one, as it does to FFmpeg. */
        if (info->sample_bytes == 2 && strlen(name) == length - 2 &&
            strncmp(info->name, name, length - 2) == 0) {
            return (enum sl_pixel_format)i;
        }
    }
    return SL_PIX_NONE;
}

/* ceil(size / 2^shift) without overflow. */
static int32_t subsample(int32_t size, unsigned shift)
{
    return (size >> shift) + ((size & ((1 << shift) - 1)) != 0);
}

int64_t sl_plane_bytes(enum sl_pixel_format format, int plane, int32_t width)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    if (!info || plane < 0 || plane >= info->planes || width <= 0) {
        return 0;
    }
    int64_t sites = plane > 0 ? subsample(width, info->chroma_w) : width;
    return sites * info->interleave[plane] * info->sample_bytes;
}

int32_t sl_plane_rows(enum sl_pixel_format format, int plane, int32_t height)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    if (!info || plane < 0 || plane >= info->planes || height <= 0) {
        return 0;
    }
    return plane > 0 ? subsample(height, info->chroma_h) : height;
}
