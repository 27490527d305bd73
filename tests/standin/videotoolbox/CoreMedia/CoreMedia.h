/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double: no machine of ours has macOS or the hardware, so this stands in for the framework,
 * with the declarations that src/encode/videotoolbox*.c uses, written from the documented
 * interface. Binaries that people use never contain it. */
#ifndef STANDIN_CORE_MEDIA_H
#define STANDIN_CORE_MEDIA_H

#include <CoreFoundation/CoreFoundation.h>

typedef int64_t CMTimeValue;
typedef int32_t CMTimeScale;
typedef uint32_t CMTimeFlags;
enum { kCMTimeFlags_Valid = 1 };
typedef struct {
    CMTimeValue value;
    CMTimeScale timescale;
    CMTimeFlags flags;
    int64_t epoch;
} CMTime;
extern const CMTime kCMTimeInvalid;
CMTime CMTimeMake(int64_t value, int32_t timescale);

typedef OSType CMVideoCodecType;
enum {
    kCMVideoCodecType_H264 = 0x61766331, /* avc1 */
    kCMVideoCodecType_HEVC = 0x68766331, /* hvc1 */
};
enum {
    kCMBlockBufferBlockAllocationFailedErr = -12701,
    kCMBlockBufferBadOffsetParameterErr = -12703,
    kCMFormatDescriptionError_InvalidParameter = -12710,
    kCMFormatDescriptionError_AllocationFailed = -12711,
};

typedef struct standin_block *CMBlockBufferRef;
typedef const struct standin_format *CMFormatDescriptionRef;
typedef CMFormatDescriptionRef CMVideoFormatDescriptionRef;
typedef struct standin_sample *CMSampleBufferRef;

extern const CFStringRef kCMSampleAttachmentKey_NotSync,
    kCMFormatDescriptionKey_PixelAspectRatioHorizontalSpacing,
    kCMFormatDescriptionKey_PixelAspectRatioVerticalSpacing;

size_t CMBlockBufferGetDataLength(CMBlockBufferRef block);
OSStatus CMBlockBufferGetDataPointer(CMBlockBufferRef block, size_t offset,
                                     size_t *length_at_offset, size_t *total, char **data);
OSStatus CMBlockBufferCopyDataBytes(CMBlockBufferRef block, size_t offset, size_t size, void *to);

CMBlockBufferRef CMSampleBufferGetDataBuffer(CMSampleBufferRef sample);
CMFormatDescriptionRef CMSampleBufferGetFormatDescription(CMSampleBufferRef sample);
CFArrayRef CMSampleBufferGetSampleAttachmentsArray(CMSampleBufferRef sample, Boolean create);

OSStatus CMVideoFormatDescriptionGetH264ParameterSetAtIndex(CMFormatDescriptionRef format,
                                                            size_t at, const uint8_t **data,
                                                            size_t *size, size_t *count,
                                                            int *length_size);
OSStatus CMVideoFormatDescriptionGetHEVCParameterSetAtIndex(CMFormatDescriptionRef format,
                                                            size_t at, const uint8_t **data,
                                                            size_t *size, size_t *count,
                                                            int *length_size);

#endif
