/* SPDX-License-Identifier: BSD-2-Clause */
/* NVIDIA's driver, opened at run time: libcuda.so.1 and libnvidia-encode.so.1, never linked. One
 * session is one encoder on one device; docs/nvenc.md. */
#ifndef SL_ENCODE_NVENC_DRIVER_H
#define SL_ENCODE_NVENC_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

#include <sluice/error.h>

#define SL_NVENC_NAME "nvenc"

/* What of CUDA's driver API is called. */
struct sl_nvenc_cuda {
    tcuInit *init;
    tcuDeviceGetCount *device_get_count;
    tcuDeviceGet *device_get;
    tcuDevicePrimaryCtxRetain *primary_retain;
    tcuDevicePrimaryCtxRelease *primary_release;
    tcuCtxPushCurrent_v2 *push;
    tcuCtxPopCurrent_v2 *pop;
    tcuStreamSynchronize *stream_synchronize;
    tcuMemAllocPitch_v2 *alloc_pitch;
    tcuMemFree_v2 *mem_free;
    tcuMemcpy2DAsync_v2 *copy_2d;
    tcuGetErrorName *error_name;
    /* May be missing: the number of an allocation, which an address alone is not. */
    CUresult CUDAAPI (*pointer_attribute)(void *data, int attribute, CUdeviceptr pointer);
};

struct sl_nvenc_driver {
    void *cuda_library, *nvenc_library;
    struct sl_nvenc_cuda cuda;
    NV_ENCODE_API_FUNCTION_LIST nvenc;
    uint32_t offered; /* newest API of the driver, in the form of NVENCAPI_VERSION */
    uint32_t api;     /* spoken: the newest that the headers and the driver both have */
};

struct sl_nvenc_session {
    struct sl_nvenc_driver driver;
    CUcontext context;
    CUdevice device;
    bool retained; /* context is the device's primary one, held by us */
    bool entered;  /* context is current in this thread by our doing */
    void *encoder;
    GUID codec;
};

/* Loads the libraries, and an encoder on device gpu or in context (if not NULL). Silent. Zeroes s
 * first; whatever comes back, sl_nvenc_session_close is to follow. SL_EUNSUPPORTED with the reason:
 * no library, no device, a driver too old, a codec that this device does not offer. SL_EINVAL where
 * there is no such device. SL_EIO otherwise. */
SL_NODISCARD enum sl_status sl_nvenc_session_open(struct sl_nvenc_session *s, GUID codec, int gpu,
                                                  void *context, struct sl_error *err);
void sl_nvenc_session_close(struct sl_nvenc_session *s);

/* The context is made current for what follows; every call on the encoder stands between these. */
SL_NODISCARD enum sl_status sl_nvenc_enter(struct sl_nvenc_session *s, struct sl_error *err);
void sl_nvenc_leave(struct sl_nvenc_session *s);

/* A capability (NV_ENC_CAPS_…) of the codec on this device; 0 where the driver does not know it. */
int sl_nvenc_cap(struct sl_nvenc_session *s, NV_ENC_CAPS cap);

/* The version field of a structure (NV_ENC_…_VER) for the API that is spoken. */
uint32_t sl_nvenc_version(const struct sl_nvenc_session *s, uint32_t structure);

/* Fills err: "nvEncX: NV_ENC_ERR_…: what the driver says". SL_EIO, or SL_EUNSUPPORTED where the
 * driver turned a setting down. */
enum sl_status sl_nvenc_fail(struct sl_nvenc_session *s, const char *call, NVENCSTATUS status,
                             struct sl_error *err);
/* The same for CUDA: always SL_EIO. */
enum sl_status sl_nvenc_cuda_fail(const struct sl_nvenc_driver *d, const char *call, CUresult code,
                                  struct sl_error *err);

/* "API 11.1", and what the driver offers where there is one: "API 11.1 (driver 12.2)". Static. */
const char *sl_nvenc_api_text(void);

#endif
