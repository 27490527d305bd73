/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): NVENC's input formats. */
#include <stdlib.h>
#include <string.h>

#include "coder.h"

size_t standin_row(uint32_t width, NV_ENC_BUFFER_FORMAT format)
{
    switch (format) {
    case NV_ENC_BUFFER_FORMAT_YUV420_10BIT:
        return (size_t)width * 2;
    case NV_ENC_BUFFER_FORMAT_ARGB:
    case NV_ENC_BUFFER_FORMAT_ABGR:
        return (size_t)width * 4;
    default:
        return width;
    }
}

size_t standin_bytes(uint32_t pitch, uint32_t height, NV_ENC_BUFFER_FORMAT format)
{
    size_t plane = (size_t)pitch * height;
    switch (format) {
    case NV_ENC_BUFFER_FORMAT_NV12:
    case NV_ENC_BUFFER_FORMAT_YV12:
    case NV_ENC_BUFFER_FORMAT_IYUV:
    case NV_ENC_BUFFER_FORMAT_YUV420_10BIT:
        return plane * 3 / 2;
    case NV_ENC_BUFFER_FORMAT_YUV444:
        return plane * 3;
    case NV_ENC_BUFFER_FORMAT_ARGB:
    case NV_ENC_BUFFER_FORMAT_ABGR:
        return plane;
    default:
        return 0;
    }
}

static uint8_t clip(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* H.273 8.3: E'Y = KR R + KG G + KB B; BT.709 for matrix 1, else BT.601. */
static void from_rgb(struct standin_picture *out, const uint8_t *data, uint32_t pitch,
                     uint32_t width, uint32_t height, bool blue_first, bool is_444, uint32_t matrix,
                     bool full)
{
    double kr = matrix == 1 ? 0.2126 : 0.299, kb = matrix == 1 ? 0.0722 : 0.114;
    double ys = full ? 1 : 219.0 / 255, cs = full ? 1 : 224.0 / 255, yo = full ? 0 : 16;
    uint32_t step = is_444 ? 1 : 2;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *p = data + (size_t)y * pitch;
        for (uint32_t x = 0; x < width; x++, p += 4) {
            double r = p[blue_first ? 2 : 0], g = p[1], b = p[blue_first ? 0 : 2];
            double luma = kr * r + (1 - kr - kb) * g + kb * b;
            out->plane[0][y * out->stride[0] + x] = clip(yo + ys * luma);
            if (y % step == 0 && x % step == 0) {
                size_t at = y / step * out->stride[1] + x / step;
                out->plane[1][at] = clip(128 + cs * (b - luma) / (2 * (1 - kb)));
                out->plane[2][at] = clip(128 + cs * (r - luma) / (2 * (1 - kr)));
            }
        }
    }
}

static void copy_plane(struct standin_picture *out, int plane, const uint8_t *data, size_t pitch,
                       size_t bytes, size_t rows)
{
    for (size_t y = 0; y < rows; y++) {
        memcpy(out->plane[plane] + y * out->stride[plane], data + y * pitch, bytes);
    }
}

static void split_chroma(struct standin_picture *out, const uint8_t *data, size_t pitch,
                         size_t width, size_t rows, size_t bytes)
{
    for (size_t y = 0; y < rows; y++) {
        for (size_t x = 0; x < width; x++) {
            const uint8_t *from = data + y * pitch + 2 * bytes * x;
            memcpy(out->plane[1] + y * out->stride[1] + x * bytes, from, bytes);
            memcpy(out->plane[2] + y * out->stride[2] + x * bytes, from + bytes, bytes);
        }
    }
}

/* P010 has its 10 bits on top (NV_ENC_BUFFER_FORMAT_YUV420_10BIT). */
static void shift_down(uint8_t *plane, size_t bytes)
{
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        uint16_t v;
        memcpy(&v, plane + i, 2);
        v >>= 6;
        memcpy(plane + i, &v, 2);
    }
}

void standin_picture_read(struct standin_picture *out, const uint8_t *data, uint32_t pitch,
                          uint32_t width, uint32_t height, NV_ENC_BUFFER_FORMAT format, bool is_444,
                          uint32_t matrix, bool full_range)
{
    size_t deep = format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT ? 2 : 1;
    size_t cw = is_444 ? width : (width + 1) / 2, ch = is_444 ? height : (height + 1) / 2;
    size_t luma = (size_t)width * height * deep, chroma = cw * ch * deep;
    out->data = calloc(1, luma + 2 * chroma);
    out->plane[0] = out->data;
    out->plane[1] = out->data + luma;
    out->plane[2] = out->data + luma + chroma;
    out->stride[0] = width * deep;
    out->stride[1] = out->stride[2] = cw * deep;
    const uint8_t *second = data + (size_t)pitch * height;
    const uint8_t *third = second + pitch / 2 * ch;
    switch (format) {
    case NV_ENC_BUFFER_FORMAT_ARGB:
    case NV_ENC_BUFFER_FORMAT_ABGR:
        from_rgb(out, data, pitch, width, height, format == NV_ENC_BUFFER_FORMAT_ARGB, is_444,
                 matrix, full_range);
        return;
    case NV_ENC_BUFFER_FORMAT_YUV444:
        copy_plane(out, 1, second, pitch, cw, ch);
        copy_plane(out, 2, second + (size_t)pitch * height, pitch, cw, ch);
        break;
    case NV_ENC_BUFFER_FORMAT_IYUV:
        copy_plane(out, 1, second, pitch / 2, cw, ch);
        copy_plane(out, 2, third, pitch / 2, cw, ch);
        break;
    case NV_ENC_BUFFER_FORMAT_YV12:
        copy_plane(out, 2, second, pitch / 2, cw, ch);
        copy_plane(out, 1, third, pitch / 2, cw, ch);
        break;
    default:
        split_chroma(out, second, pitch, cw, ch, deep);
    }
    copy_plane(out, 0, data, pitch, width * deep, height);
    if (deep == 2) {
        shift_down(out->data, luma + 2 * chroma);
    }
}

void standin_picture_clear(struct standin_picture *p)
{
    free(p->data);
    p->data = NULL;
}
