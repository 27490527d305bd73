/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures in the memory of the stand-in's device. */
#ifndef SL_TEST_ENCODE_NVENC_DEVICE_H
#define SL_TEST_ENCODE_NVENC_DEVICE_H

#include "nvenc_clip.h"

/* CUDA as a user of ours would have it. */
struct device {
    tcuInit *init;
    tcuCtxCreate_v2 *ctx_create;
    tcuCtxDestroy_v2 *ctx_destroy;
    tcuCtxPushCurrent_v2 *push;
    tcuCtxPopCurrent_v2 *pop;
    tcuMemAlloc_v2 *alloc;
    tcuMemFree_v2 *mem_free;
    tcuMemsetD8Async *set;
    tcuStreamCreate *stream_create;
    tcuStreamDestroy_v2 *stream_destroy;
    CUcontext context; /* made by device_open, not left current */
};

void device_open(struct device *d);
void device_close(struct device *d);
CUdeviceptr device_alloc(struct device *d, size_t size);
void device_free(struct device *d, CUdeviceptr p);
/* Puts a host picture's planes at p, one after the other with this pitch: as NVENC reads it. gap
 * more rows lie between planes. */
struct sl_frame *device_frame(CUdeviceptr p, size_t pitch, int gap, struct sl_frame *host);
/* Bytes that this takes. */
size_t device_size(size_t pitch, int gap, enum sl_pixel_format format, int32_t height);

#endif
