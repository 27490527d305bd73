/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures into CVPixelBuffers. What is one already is passed on as it is. */
#include <string.h>

#include "base/error.h"
#include "encode/videotoolbox.h"
#include "media/pixel.h"

#define P010_SHIFT 6 /* value in the high bits of 16 */

/* One plane of a locked pixel buffer. */
struct target {
    uint8_t *data;
    size_t stride;
};

static void copy_rows(const struct target *to, const struct sl_frame *f, int plane)
{
    size_t bytes = (size_t)sl_plane_bytes(f->format, plane, f->width);
    int32_t rows = sl_plane_rows(f->format, plane, f->height);
    for (int32_t y = 0; y < rows; y++) {
        memcpy(to->data + (size_t)y * to->stride, f->plane[plane] + y * f->stride[plane], bytes);
    }
}

static void interleave_8(const struct target *to, const struct sl_frame *f)
{
    int32_t width = f->width / 2, rows = f->height / 2;
    for (int32_t y = 0; y < rows; y++) {
        const uint8_t *u = f->plane[1] + y * f->stride[1], *v = f->plane[2] + y * f->stride[2];
        uint8_t *row = to->data + (size_t)y * to->stride;
        for (int32_t x = 0; x < width; x++) {
            row[2 * (size_t)x] = u[x];
            row[2 * (size_t)x + 1] = v[x];
        }
    }
}

/* From one or two planes of low bits to one of high bits. */
static void raise_10(const struct target *to, const struct sl_frame *f, int first, int count)
{
    int32_t width = sl_plane_rows(f->format, first, f->width); /* halved as the height is */
    int32_t rows = sl_plane_rows(f->format, first, f->height);
    for (int32_t y = 0; y < rows; y++) {
        uint16_t *row = (uint16_t *)(void *)(to->data + (size_t)y * to->stride);
        for (int k = 0; k < count; k++) {
            const uint8_t *from = f->plane[first + k] + y * f->stride[first + k];
            for (int32_t x = 0; x < width; x++) {
                uint16_t value;
                memcpy(&value, from + 2 * (size_t)x, sizeof value);
                row[x * count + k] = (uint16_t)(value << P010_SHIFT);
            }
        }
    }
}

static void copy_picture(const struct target to[2], const struct sl_frame *f)
{
    switch (f->format) {
    case SL_PIX_YUV420P:
        copy_rows(&to[0], f, 0);
        interleave_8(&to[1], f);
        break;
    case SL_PIX_YUV420P10:
        raise_10(&to[0], f, 0, 1);
        raise_10(&to[1], f, 1, 2);
        break;
    default: /* NV12, P010: the same layout */
        copy_rows(&to[0], f, 0);
        copy_rows(&to[1], f, 1);
        break;
    }
}

static enum sl_status from_pool(const struct sl_vt_session *s, CVPixelBufferRef *out,
                                struct sl_error *err)
{
    CVPixelBufferPoolRef pool = VTCompressionSessionGetPixelBufferPool(s->vt); /* the session's */
    if (!pool) {
        return sl_fail(err, SL_EIO, SL_VT_NAME, "the session has no pixel buffers");
    }
    CVReturn code = CVPixelBufferPoolCreatePixelBuffer(NULL, pool, out);
    return code == kCVReturnSuccess ? SL_OK : sl_vt_fail(err, code, true, "pixel buffer");
}

/* Locked on SL_OK. The pool was asked for these sizes; it may have rounded strides up. */
static enum sl_status lock(CVPixelBufferRef image, size_t row_bytes, size_t rows,
                           struct target to[2], struct sl_error *err)
{
    CVReturn code = CVPixelBufferLockBaseAddress(image, 0);
    if (code != kCVReturnSuccess) {
        return sl_vt_fail(err, code, true, "pixel buffer");
    }
    bool fits = CVPixelBufferGetPlaneCount(image) == 2;
    for (size_t i = 0; i < 2 && fits; i++) {
        to[i].data = CVPixelBufferGetBaseAddressOfPlane(image, i);
        to[i].stride = CVPixelBufferGetBytesPerRowOfPlane(image, i);
        fits = to[i].data && to[i].stride >= row_bytes &&
               CVPixelBufferGetHeightOfPlane(image, i) >= rows >> i;
    }
    if (fits) {
        return SL_OK;
    }
    CVPixelBufferUnlockBaseAddress(image, 0);
    return sl_fail(err, SL_EIO, SL_VT_NAME, "pixel buffers of the session are too small");
}

enum sl_status sl_vt_frame_image(const struct sl_vt_session *s, const struct sl_frame *f,
                                 OSType pixel_format, CVPixelBufferRef *out, struct sl_error *err)
{
    *out = NULL;
    if (f->memory == SL_MEMORY_CVPIXELBUFFER) {
        enum sl_status status = sl_vt_frame_check(f, f->width, f->height, pixel_format, err);
        if (status == SL_OK) {
            *out = (CVPixelBufferRef)(void *)f->plane[0];
            CFRetain(*out);
        }
        return status;
    }
    CVPixelBufferRef image = NULL;
    enum sl_status status = from_pool(s, &image, err);
    if (status != SL_OK) {
        return status;
    }
    struct target to[2];
    size_t sample = sl_pixel_info(f->format)->sample_bytes;
    status = lock(image, (size_t)f->width * sample, (size_t)f->height, to, err);
    if (status != SL_OK) {
        CFRelease(image);
        return status;
    }
    copy_picture(to, f);
    CVPixelBufferUnlockBaseAddress(image, 0);
    *out = image;
    return SL_OK;
}

/* rows of count samples each */
static void fill(const struct target *to, size_t rows, size_t count, uint8_t value, bool high)
{
    for (size_t y = 0; y < rows; y++) {
        uint8_t *row = to->data + y * to->stride;
        if (!high) {
            memset(row, value, count);
            continue;
        }
        for (size_t x = 0; x < count; x++) {
            uint16_t wide = (uint16_t)(value << 8); /* 10 bits: value << 2 << P010_SHIFT */
            memcpy(row + 2 * x, &wide, sizeof wide);
        }
    }
}

enum sl_status sl_vt_frame_black(const struct sl_vt_session *s, bool full_range,
                                 CVPixelBufferRef *out, struct sl_error *err)
{
    CVPixelBufferRef image = NULL;
    *out = NULL;
    enum sl_status status = from_pool(s, &image, err);
    if (status != SL_OK) {
        return status;
    }
    OSType type = CVPixelBufferGetPixelFormatType(image);
    bool high = type == kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange ||
                type == kCVPixelFormatType_420YpCbCr10BiPlanarFullRange;
    size_t width = CVPixelBufferGetWidth(image), height = CVPixelBufferGetHeight(image);
    struct target to[2];
    status = lock(image, high ? 2 * width : width, height, to, err);
    if (status != SL_OK) {
        CFRelease(image);
        return status;
    }
    fill(&to[0], height, width, full_range ? 0 : 16, high);
    fill(&to[1], height / 2, width, 128, high);
    CVPixelBufferUnlockBaseAddress(image, 0);
    *out = image;
    return SL_OK;
}

static void four_letters(OSType type, char out[5])
{
    for (int i = 0; i < 4; i++) {
        char c = (char)(type >> (24 - 8 * i) & 0xff);
        out[i] = c;
        if (c < ' ' || c > '~') {
            out[i] = '?';
        }
    }
    out[4] = '\0';
}

enum sl_status sl_vt_frame_check(const struct sl_frame *f, int32_t width, int32_t height,
                                 OSType pixel_format, struct sl_error *err)
{
    CVPixelBufferRef image = (CVPixelBufferRef)(void *)f->plane[0];
    if (!image) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "no pixel buffer");
    }
    OSType type = CVPixelBufferGetPixelFormatType(image);
    size_t w = CVPixelBufferGetWidth(image), h = CVPixelBufferGetHeight(image);
    /* Of another format, VideoToolbox would convert it with a matrix that nobody knows. */
    if (type != pixel_format || w != (size_t)width || h != (size_t)height) {
        char is[5], want[5];
        four_letters(type, is);
        four_letters(pixel_format, want);
        return sl_fail(err, SL_EINVAL, SL_VT_NAME,
                       "pixel buffer is '%s' %zux%zu, expected '%s' %dx%d", is, w, h, want, width,
                       height);
    }
    return SL_OK;
}
