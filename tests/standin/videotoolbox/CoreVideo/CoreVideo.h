/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double: no machine of ours has macOS or the hardware, so this stands in for the framework,
 * with the declarations that src/encode/videotoolbox*.c uses, written from the documented
 * interface. Binaries that people use never contain it. */
#ifndef STANDIN_CORE_VIDEO_H
#define STANDIN_CORE_VIDEO_H

#include <CoreFoundation/CoreFoundation.h>

typedef int32_t CVReturn;
enum {
    kCVReturnSuccess = 0,
    kCVReturnError = -6660,
    kCVReturnInvalidArgument = -6661,
    kCVReturnAllocationFailed = -6662,
    kCVReturnPoolAllocationFailed = -6690,
};
enum {
    kCVPixelFormatType_32BGRA = 0x42475241,                        /* BGRA */
    kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange = 0x34323076,  /* 420v */
    kCVPixelFormatType_420YpCbCr8BiPlanarFullRange = 0x34323066,   /* 420f */
    kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange = 0x78343230, /* x420 */
    kCVPixelFormatType_420YpCbCr10BiPlanarFullRange = 0x78663230,  /* xf20 */
};

typedef struct standin_pixel_buffer *CVImageBufferRef;
typedef CVImageBufferRef CVPixelBufferRef;
typedef struct standin_pool *CVPixelBufferPoolRef;
typedef uint64_t CVOptionFlags;
typedef CVOptionFlags CVPixelBufferLockFlags;

extern const CFStringRef kCVPixelBufferPixelFormatTypeKey, kCVPixelBufferWidthKey,
    kCVPixelBufferHeightKey, kCVPixelBufferIOSurfacePropertiesKey;

CVReturn CVPixelBufferCreate(CFAllocatorRef allocator, size_t width, size_t height, OSType type,
                             CFDictionaryRef attributes, CVPixelBufferRef *out);
CVReturn CVPixelBufferPoolCreatePixelBuffer(CFAllocatorRef allocator, CVPixelBufferPoolRef pool,
                                            CVPixelBufferRef *out);
CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef buffer, CVPixelBufferLockFlags flags);
CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef buffer, CVPixelBufferLockFlags flags);
size_t CVPixelBufferGetWidth(CVPixelBufferRef buffer);
size_t CVPixelBufferGetHeight(CVPixelBufferRef buffer);
OSType CVPixelBufferGetPixelFormatType(CVPixelBufferRef buffer);
size_t CVPixelBufferGetPlaneCount(CVPixelBufferRef buffer);
void *CVPixelBufferGetBaseAddressOfPlane(CVPixelBufferRef buffer, size_t plane);
size_t CVPixelBufferGetBytesPerRowOfPlane(CVPixelBufferRef buffer, size_t plane);
size_t CVPixelBufferGetHeightOfPlane(CVPixelBufferRef buffer, size_t plane);

/* H.273 code points by name; NULL for what has none. */
CFStringRef CVColorPrimariesGetStringForIntegerCodePoint(int code);
CFStringRef CVTransferFunctionGetStringForIntegerCodePoint(int code);
CFStringRef CVYCbCrMatrixGetStringForIntegerCodePoint(int code);

#endif
