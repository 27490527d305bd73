/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double: no machine of ours has macOS or the hardware, so this stands in for the framework,
 * with the declarations that src/encode/videotoolbox*.c uses, written from the documented
 * interface. Binaries that people use never contain it. */
#ifndef STANDIN_VIDEO_TOOLBOX_H
#define STANDIN_VIDEO_TOOLBOX_H

#include <CoreFoundation/CoreFoundation.h>
#include <CoreMedia/CoreMedia.h>
#include <CoreVideo/CoreVideo.h>

enum {
    kVTPropertyNotSupportedErr = -12900,
    kVTPropertyReadOnlyErr = -12901,
    kVTParameterErr = -12902,
    kVTInvalidSessionErr = -12903,
    kVTAllocationFailedErr = -12904,
    kVTPixelTransferNotSupportedErr = -12905,
    kVTCouldNotCreateInstanceErr = -12907,
    kVTCouldNotFindVideoEncoderErr = -12908,
    kVTVideoEncoderMalfunctionErr = -12912,
    kVTVideoEncoderNotAvailableNowErr = -12915,
    kVTVideoEncoderAuthorizationErr = -12211,
};

typedef struct standin_session *VTCompressionSessionRef;
typedef VTCompressionSessionRef VTSessionRef;
typedef uint32_t VTEncodeInfoFlags;
enum { kVTEncodeInfo_Asynchronous = 1u << 0, kVTEncodeInfo_FrameDropped = 1u << 1 };

typedef void (*VTCompressionOutputCallback)(void *refcon, void *frame_refcon, OSStatus status,
                                            VTEncodeInfoFlags flags, CMSampleBufferRef sample);

extern const CFStringRef kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder,
    kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder,
    kVTEncodeFrameOptionKey_ForceKeyFrame, kVTH264EntropyMode_CABAC, kVTH264EntropyMode_CAVLC,
    kVTProfileLevel_HEVC_Main_AutoLevel, kVTProfileLevel_HEVC_Main10_AutoLevel;
extern const CFStringRef kVTCompressionPropertyKey_AllowFrameReordering,
    kVTCompressionPropertyKey_AverageBitRate, kVTCompressionPropertyKey_ColorPrimaries,
    kVTCompressionPropertyKey_DataRateLimits, kVTCompressionPropertyKey_ExpectedFrameRate,
    kVTCompressionPropertyKey_H264EntropyMode, kVTCompressionPropertyKey_MaxFrameDelayCount,
    kVTCompressionPropertyKey_MaxKeyFrameInterval, kVTCompressionPropertyKey_PixelAspectRatio,
    kVTCompressionPropertyKey_ProfileLevel, kVTCompressionPropertyKey_Quality,
    kVTCompressionPropertyKey_RealTime, kVTCompressionPropertyKey_TransferFunction,
    kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder,
    kVTCompressionPropertyKey_YCbCrMatrix;

OSStatus VTCompressionSessionCreate(CFAllocatorRef allocator, int32_t width, int32_t height,
                                    CMVideoCodecType codec, CFDictionaryRef specification,
                                    CFDictionaryRef buffer_attributes,
                                    CFAllocatorRef data_allocator,
                                    VTCompressionOutputCallback output, void *refcon,
                                    VTCompressionSessionRef *out);
OSStatus VTCompressionSessionPrepareToEncodeFrames(VTCompressionSessionRef session);
OSStatus VTCompressionSessionEncodeFrame(VTCompressionSessionRef session, CVImageBufferRef image,
                                         CMTime pts, CMTime duration, CFDictionaryRef options,
                                         void *frame_refcon, VTEncodeInfoFlags *flags);
OSStatus VTCompressionSessionCompleteFrames(VTCompressionSessionRef session, CMTime until);
void VTCompressionSessionInvalidate(VTCompressionSessionRef session);
CVPixelBufferPoolRef VTCompressionSessionGetPixelBufferPool(VTCompressionSessionRef session);
OSStatus VTSessionSetProperty(VTSessionRef session, CFStringRef key, CFTypeRef value);
OSStatus VTSessionCopyProperty(VTSessionRef session, CFStringRef key, CFAllocatorRef allocator,
                               void *value);
OSStatus VTSessionCopySupportedPropertyDictionary(VTSessionRef session, CFDictionaryRef *out);

#endif
