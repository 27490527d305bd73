/* SPDX-License-Identifier: BSD-2-Clause */
/* VideoToolbox's, Core Media's and Core Video's numbers as our errors. */
#define SL_VT_FAIL_IS_DEFINED_HERE
#include "base/error.h"
#include "encode/videotoolbox.h"

static const struct {
    OSStatus code;
    const char *name;
    enum sl_status opening, running;
} codes[] = {
#define CODE(name, opening, running)                                                               \
    {                                                                                              \
        name, #name, opening, running                                                              \
    }
    CODE(kVTPropertyNotSupportedErr, SL_EUNSUPPORTED, SL_EUNSUPPORTED),
    CODE(kVTPropertyReadOnlyErr, SL_EUNSUPPORTED, SL_EUNSUPPORTED),
    CODE(kVTParameterErr, SL_EINVAL, SL_EINVAL),
    CODE(kVTInvalidSessionErr, SL_EIO, SL_EIO),
    CODE(kVTAllocationFailedErr, SL_ENOMEM, SL_ENOMEM),
    CODE(kVTPixelTransferNotSupportedErr, SL_EUNSUPPORTED, SL_EUNSUPPORTED),
    CODE(kVTCouldNotCreateInstanceErr, SL_EUNSUPPORTED, SL_EIO),
    CODE(kVTCouldNotFindVideoEncoderErr, SL_EUNSUPPORTED, SL_EIO),
    CODE(kVTVideoEncoderMalfunctionErr, SL_EIO, SL_EIO),
    CODE(kVTVideoEncoderNotAvailableNowErr, SL_EUNSUPPORTED, SL_EIO),
    CODE(kVTVideoEncoderAuthorizationErr, SL_EUNSUPPORTED, SL_EIO),
    CODE(kCVReturnAllocationFailed, SL_ENOMEM, SL_ENOMEM),
    CODE(kCVReturnPoolAllocationFailed, SL_ENOMEM, SL_ENOMEM),
    CODE(kCVReturnInvalidArgument, SL_EINVAL, SL_EINVAL),
    CODE(kCMBlockBufferBlockAllocationFailedErr, SL_ENOMEM, SL_ENOMEM),
    CODE(kCMFormatDescriptionError_AllocationFailed, SL_ENOMEM, SL_ENOMEM),
#undef CODE
};

enum sl_status sl_vt_fail(struct sl_error *err, OSStatus code, bool running, const char *what)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return sl_fail(err, running ? codes[i].running : codes[i].opening, SL_VT_NAME,
                           "%s: %s (%d)", what, codes[i].name, (int)code);
        }
    }
    return sl_fail(err, SL_EIO, SL_VT_NAME, "%s: status %d", what, (int)code);
}
