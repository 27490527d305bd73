/* SPDX-License-Identifier: BSD-2-Clause */
/* Core Video's pixel buffers, as a test double. Rows are wider than they have to be, and nobody may
 * look into a buffer that is not locked. */
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define ALIGN 64

static void buffer_finish(void *object)
{
    struct standin_pixel_buffer *b = object;
    if (atomic_load(&b->locks) != 0) {
        standin_complain("a pixel buffer ends locked");
    }
    free(b->block);
}
static const struct standin_class buffer_class = {"pixel buffer", buffer_finish};

static size_t sample_bytes(OSType type)
{
    return type == kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange ||
                   type == kCVPixelFormatType_420YpCbCr10BiPlanarFullRange
               ? 2
               : 1;
}

static CVPixelBufferRef create(size_t width, size_t height, OSType type)
{
    struct standin_pixel_buffer *b = standin_create(&buffer_class, sizeof *b);
    if (!b) {
        return NULL;
    }
    b->type = type;
    b->width = width;
    b->height = height;
    size_t row = type == kCVPixelFormatType_32BGRA ? 4 * width : width * sample_bytes(type);
    b->stride[0] = (row + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
    b->stride[1] = b->stride[0] + ALIGN; /* each plane has its own */
    size_t luma = b->stride[0] * height, chroma = b->stride[1] * (height / 2);
    b->block = malloc(luma + chroma);
    if (!b->block) {
        CFRelease(b);
        return NULL;
    }
    memset(b->block, 0xcc, luma + chroma);
    b->plane[0] = b->block;
    b->plane[1] = b->block + luma;
    return b;
}

CVReturn CVPixelBufferCreate(CFAllocatorRef allocator, size_t width, size_t height, OSType type,
                             CFDictionaryRef attributes, CVPixelBufferRef *out)
{
    (void)allocator, (void)attributes;
    *out = create(width, height, type);
    return *out ? kCVReturnSuccess : kCVReturnAllocationFailed;
}

struct standin_pool {
    struct standin_object object;
    size_t width, height;
    OSType type;
};
static const struct standin_class pool_class = {.name = "pool"};

CVPixelBufferPoolRef standin_pool_create(size_t width, size_t height, OSType type)
{
    struct standin_pool *p = standin_create(&pool_class, sizeof *p);
    if (p) {
        p->width = width;
        p->height = height;
        p->type = type;
    }
    return p;
}

CVReturn CVPixelBufferPoolCreatePixelBuffer(CFAllocatorRef allocator, CVPixelBufferPoolRef pool,
                                            CVPixelBufferRef *out)
{
    (void)allocator;
    CVReturn code = standin_enter(__func__);
    if (code == kCVReturnSuccess) {
        *out = create(pool->width, pool->height, pool->type);
        code = *out ? kCVReturnSuccess : kCVReturnAllocationFailed;
    }
    return code;
}

CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef b, CVPixelBufferLockFlags flags)
{
    (void)flags;
    CVReturn code = standin_enter(__func__);
    if (code == kCVReturnSuccess) {
        atomic_fetch_add(&b->locks, 1);
    }
    return code;
}

CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef b, CVPixelBufferLockFlags flags)
{
    (void)flags;
    if (atomic_fetch_sub(&b->locks, 1) < 1) {
        standin_complain("a pixel buffer is unlocked too often");
    }
    return kCVReturnSuccess;
}

size_t CVPixelBufferGetWidth(CVPixelBufferRef b)
{
    return b->width;
}

size_t CVPixelBufferGetHeight(CVPixelBufferRef b)
{
    return b->height;
}

OSType CVPixelBufferGetPixelFormatType(CVPixelBufferRef b)
{
    return b->type;
}

size_t CVPixelBufferGetPlaneCount(CVPixelBufferRef b)
{
    return b->type == kCVPixelFormatType_32BGRA ? 0 : 2;
}

void *CVPixelBufferGetBaseAddressOfPlane(CVPixelBufferRef b, size_t plane)
{
    if (atomic_load(&b->locks) < 1) {
        standin_complain("the address of a pixel buffer that is not locked");
    }
    return standin_enter(__func__) == noErr ? b->plane[plane] : NULL;
}

size_t CVPixelBufferGetBytesPerRowOfPlane(CVPixelBufferRef b, size_t plane)
{
    return b->stride[plane];
}

size_t CVPixelBufferGetHeightOfPlane(CVPixelBufferRef b, size_t plane)
{
    return b->height >> plane;
}

/* Those that Core Video has names for, of H.273's. */
static const struct {
    int which, code;
    const char *name;
} points[] = {
    {0, 1, "ITU_R_709_2"}, {0, 5, "EBU_3213"},          {0, 6, "SMPTE_C"},
    {0, 9, "ITU_R_2020"},  {0, 12, "P3_D65"},           {1, 1, "ITU_R_709_2"},
    {1, 13, "IEC_sRGB"},   {1, 16, "SMPTE_ST_2084_PQ"}, {1, 18, "ITU_R_2100_HLG"},
    {2, 1, "ITU_R_709_2"}, {2, 6, "ITU_R_601_4"},       {2, 9, "ITU_R_2020"},
};

static CFStringRef point_name(int which, int code)
{
    /* SMPTE 170M's curve is BT.709's (H.273 table 3). */
    code = which == 1 && code == 6 ? 1 : which == 2 && code == 5 ? 6 : code;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (points[i].which == which && points[i].code == code) {
            return standin_constant_string(points[i].name);
        }
    }
    return NULL;
}

int standin_code_point(int which, CFStringRef name)
{
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (points[i].which == which && strcmp(points[i].name, standin_string_text(name)) == 0) {
            return points[i].code;
        }
    }
    standin_complain("no code point is called %s", standin_string_text(name));
    return 2;
}

CFStringRef CVColorPrimariesGetStringForIntegerCodePoint(int code)
{
    return point_name(0, code);
}

CFStringRef CVTransferFunctionGetStringForIntegerCodePoint(int code)
{
    return point_name(1, code);
}

CFStringRef CVYCbCrMatrixGetStringForIntegerCodePoint(int code)
{
    return point_name(2, code);
}
