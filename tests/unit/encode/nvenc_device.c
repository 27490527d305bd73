/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvenc_device.h"

#include <string.h>

void device_open(struct device *d)
{
    const struct {
        const char *name;
        void *to;
    } symbols[] = {{"cuInit", &d->init},
                   {"cuCtxCreate_v2", &d->ctx_create},
                   {"cuCtxDestroy_v2", &d->ctx_destroy},
                   {"cuCtxPushCurrent_v2", &d->push},
                   {"cuCtxPopCurrent_v2", &d->pop},
                   {"cuMemAlloc_v2", &d->alloc},
                   {"cuMemFree_v2", &d->mem_free},
                   {"cuMemsetD8Async", &d->set},
                   {"cuStreamCreate", &d->stream_create},
                   {"cuStreamDestroy_v2", &d->stream_destroy}};
    CUcontext popped;
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *symbol = clip_cuda(symbols[i].name);
        memcpy(symbols[i].to, &symbol, sizeof symbol);
    }
    assert_int_equal(d->init(0), CUDA_SUCCESS);
    assert_int_equal(d->ctx_create(&d->context, 0, 0), CUDA_SUCCESS);
    assert_int_equal(d->pop(&popped), CUDA_SUCCESS);
}

void device_close(struct device *d)
{
    assert_int_equal(d->ctx_destroy(d->context), CUDA_SUCCESS);
}

CUdeviceptr device_alloc(struct device *d, size_t size)
{
    CUdeviceptr p = 0;
    CUcontext popped;
    assert_int_equal(d->push(d->context), CUDA_SUCCESS);
    assert_int_equal(d->alloc(&p, size), CUDA_SUCCESS);
    assert_int_equal(d->pop(&popped), CUDA_SUCCESS);
    return p;
}

void device_free(struct device *d, CUdeviceptr p)
{
    CUcontext popped;
    assert_int_equal(d->push(d->context), CUDA_SUCCESS);
    assert_int_equal(d->mem_free(p), CUDA_SUCCESS);
    assert_int_equal(d->pop(&popped), CUDA_SUCCESS);
}

static size_t pitch_of(enum sl_pixel_format format, int plane, size_t pitch)
{
    return format == SL_PIX_YUV420P && plane > 0 ? pitch / 2 : pitch;
}

size_t device_size(size_t pitch, int gap, enum sl_pixel_format format, int32_t height)
{
    size_t size = 0;
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        size += pitch_of(format, i, pitch) * (size_t)(sl_plane_rows(format, i, height) + gap);
    }
    return size;
}

struct sl_frame *device_frame(CUdeviceptr p, size_t pitch, int gap, struct sl_frame *host)
{
    struct sl_error err = {0};
    struct sl_frame *f;
    assert_int_equal(sl_frame_create(&f, SL_KIND_VIDEO, &err), SL_OK);
    f->format = host->format;
    f->width = host->width;
    f->height = host->height;
    f->pts = host->pts;
    f->duration = host->duration;
    f->flags = host->flags;
    f->memory = SL_MEMORY_CUDA;
    uint8_t *at = (uint8_t *)(uintptr_t)p; /* the stand-in's device memory is the host's */
    for (int i = 0; i < sl_pixel_info(host->format)->planes; i++) {
        size_t stride = pitch_of(host->format, i, pitch);
        int32_t rows = sl_plane_rows(host->format, i, host->height);
        f->plane[i] = at;
        f->stride[i] = (ptrdiff_t)stride;
        for (int32_t y = 0; y < rows; y++) {
            memcpy(at + stride * (size_t)y, host->plane[i] + host->stride[i] * y,
                   (size_t)sl_plane_bytes(host->format, i, host->width));
        }
        at += stride * (size_t)(rows + gap);
    }
    sl_frame_unref(&host);
    return f;
}
