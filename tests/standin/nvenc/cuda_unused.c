/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of the test double of libcuda.so.1 (standin.h): functions that FFmpeg's loader wants to
 * find and that nobody here has a reason to call. */
#include "standin.h"

#define UNUSED(name)                                                                               \
    STANDIN_API int name(void);                                                                    \
    int name(void)                                                                                 \
    {                                                                                              \
        standin_violation(#name, "the stand-in does not have it");                                 \
    }

UNUSED(cuDeviceGetAttribute)
UNUSED(cuCtxSetLimit)
UNUSED(cuMemAllocManaged)
UNUSED(cuMemcpy)
UNUSED(cuMemcpyAsync)
UNUSED(cuMemcpyHtoD_v2)
UNUSED(cuMemcpyHtoDAsync_v2)
UNUSED(cuMemcpyDtoH_v2)
UNUSED(cuMemcpyDtoHAsync_v2)
UNUSED(cuMemcpyDtoD_v2)
UNUSED(cuMemcpyDtoDAsync_v2)
UNUSED(cuDevicePrimaryCtxSetFlags)
UNUSED(cuDevicePrimaryCtxGetState)
UNUSED(cuDevicePrimaryCtxReset)
UNUSED(cuEventCreate)
UNUSED(cuEventDestroy_v2)
UNUSED(cuEventSynchronize)
UNUSED(cuEventQuery)
UNUSED(cuEventRecord)
UNUSED(cuLaunchKernel)
UNUSED(cuLinkCreate)
UNUSED(cuLinkAddData)
UNUSED(cuLinkComplete)
UNUSED(cuLinkDestroy)
UNUSED(cuModuleLoadData)
UNUSED(cuModuleUnload)
UNUSED(cuModuleGetFunction)
UNUSED(cuModuleGetGlobal)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
UNUSED(cuGLGetDevices_v2)
UNUSED(cuGraphicsGLRegisterImage)
UNUSED(cuGraphicsUnregisterResource)
UNUSED(cuGraphicsMapResources)
UNUSED(cuGraphicsUnmapResources)
UNUSED(cuGraphicsSubResourceGetMappedArray)
UNUSED(cuGraphicsResourceGetMappedPointer_v2)
UNUSED(cuArray3DCreate_v2)
UNUSED(cuArrayDestroy)
