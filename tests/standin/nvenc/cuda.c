/* SPDX-License-Identifier: BSD-2-Clause */
/* Test double of libcuda.so.1 (standin.h): contexts, memory and streams. Device memory is the
 * host's; what is put into a stream is not done before the stream is waited for, so that who does
 * not wait works on what was there before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h>

#include "standin.h"

#define STACK_MAX      64
#define ALLOCATION_MAX 4096
#define OPERATIONS_MAX 4096
#define PITCH_ALIGN    512
#define MAGIC_CONTEXT  0x63745843u
#define MAGIC_STREAM   0x5374726du

enum { NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_VALUE = 1, OOM = 2 };

struct CUctx_st {
    unsigned magic;
    bool primary;
    unsigned retained;
    struct CUctx_st *next;
};

struct operation {
    enum { FILL, COPY, CALL_BACK } kind;
    CUDA_MEMCPY2D copy;
    CUdeviceptr pointer;
    unsigned char value;
    size_t size;
    CUstreamCallback *callback;
    void *opaque;
};

struct CUstream_st {
    unsigned magic;
    struct operation *operation;
    size_t count;
    struct CUstream_st *next;
};

static struct CUctx_st *contexts;
static struct CUctx_st primary = {.magic = MAGIC_CONTEXT, .primary = true};
static _Thread_local CUcontext stack[STACK_MAX];
static _Thread_local size_t depth;
static struct {
    uint64_t base;
    size_t size;
    unsigned long long id;
} allocations[ALLOCATION_MAX];
static unsigned long long last_id;
/* The block freed last: another of its size gets the same address, as happens on a device. */
static struct {
    void *memory;
    size_t size;
} spare;
static struct CUstream_st null_stream = {.magic = MAGIC_STREAM}; /* and the others behind it */

static void run(CUstream stream);

/* ---- devices and contexts ------------------------------------------------------------------- */

static int devices(void)
{
    const char *setting = standin_setting("DEVICES");
    return setting ? atoi(setting) : 1;
}

STANDIN_API tcuInit cuInit;
CUresult cuInit(unsigned int flags)
{
    STANDIN_CALL(CUresult, cuInit);
    return flags != 0      ? (CUresult)INVALID_VALUE
           : devices() > 0 ? CUDA_SUCCESS
                           : (CUresult)NO_DEVICE;
}

STANDIN_API tcuDeviceGetCount cuDeviceGetCount;
CUresult cuDeviceGetCount(int *count)
{
    STANDIN_CALL(CUresult, cuDeviceGetCount);
    *count = devices();
    return CUDA_SUCCESS;
}

STANDIN_API tcuDeviceGet cuDeviceGet;
CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    STANDIN_CALL(CUresult, cuDeviceGet);
    *device = ordinal;
    return ordinal >= 0 && ordinal < devices() ? CUDA_SUCCESS : (CUresult)INVALID_DEVICE;
}

STANDIN_API tcuDeviceGetName cuDeviceGetName;
CUresult cuDeviceGetName(char *name, int len, CUdevice dev)
{
    STANDIN_CALL(CUresult, cuDeviceGetName);
    (void)snprintf(name, (size_t)len, "stand-in %d (no GPU)", dev);
    return CUDA_SUCCESS;
}

STANDIN_API tcuDeviceComputeCapability cuDeviceComputeCapability;
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)
{
    STANDIN_CALL(CUresult, cuDeviceComputeCapability);
    (void)dev;
    *major = 7;
    *minor = 5;
    return CUDA_SUCCESS;
}

static bool exists(const struct CUctx_st *context)
{
    if (context == &primary) {
        return primary.retained > 0;
    }
    for (struct CUctx_st *c = contexts; c; c = c->next) {
        if (c == context) {
            return true;
        }
    }
    return false;
}

bool standin_context_exists(const void *context)
{
    standin_lock();
    bool is = exists(context);
    standin_unlock();
    return is;
}

bool standin_context_is_current(const void *context)
{
    return depth > 0 && stack[depth - 1] == context;
}

static void need_context(const char *call)
{
    if (depth == 0 || !exists(stack[depth - 1])) {
        if (!standin_has_failed()) {
            standin_violation(call, "no context is current");
        }
    }
}

static CUresult push(const char *call, CUcontext context)
{
    if (!exists(context)) {
        standin_violation(call, "%p is no context", (void *)context);
    }
    if (depth == STACK_MAX) {
        standin_violation(call, "%d contexts were pushed and not popped", STACK_MAX);
    }
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

STANDIN_API tcuCtxCreate_v2 cuCtxCreate_v2;
CUresult cuCtxCreate_v2(CUcontext *out, unsigned int flags, CUdevice dev)
{
    STANDIN_CALL(CUresult, cuCtxCreate_v2);
    (void)flags;
    (void)dev;
    struct CUctx_st *c = calloc(1, sizeof *c);
    c->magic = MAGIC_CONTEXT;
    standin_lock();
    c->next = contexts;
    contexts = c;
    standin_object("context", 1);
    standin_unlock();
    *out = c;
    return push("cuCtxCreate_v2", c);
}

STANDIN_API tcuCtxDestroy_v2 cuCtxDestroy_v2;
CUresult cuCtxDestroy_v2(CUcontext context)
{
    STANDIN_CALL(CUresult, cuCtxDestroy_v2);
    standin_lock();
    struct CUctx_st **at = &contexts;
    while (*at && *at != context) {
        at = &(*at)->next;
    }
    if (!*at) {
        standin_violation("cuCtxDestroy_v2", "%p is no context", (void *)context);
    }
    *at = context->next;
    standin_object("context", -1);
    standin_unlock();
    if (depth > 0 && stack[depth - 1] == context) {
        depth--; /* it is popped where it is current */
    }
    free(context);
    return CUDA_SUCCESS;
}

STANDIN_API tcuCtxPushCurrent_v2 cuCtxPushCurrent_v2;
CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    STANDIN_CALL(CUresult, cuCtxPushCurrent_v2);
    return push("cuCtxPushCurrent_v2", context);
}

STANDIN_API tcuCtxPopCurrent_v2 cuCtxPopCurrent_v2;
CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    if (depth == 0) {
        standin_violation("cuCtxPopCurrent_v2", "nothing was pushed");
    }
    depth--;
    if (context) {
        *context = stack[depth];
    }
    STANDIN_CALL(CUresult, cuCtxPopCurrent_v2);
    return CUDA_SUCCESS;
}

STANDIN_API tcuCtxGetDevice cuCtxGetDevice;
CUresult cuCtxGetDevice(CUdevice *device)
{
    STANDIN_CALL(CUresult, cuCtxGetDevice);
    need_context("cuCtxGetDevice");
    *device = 0;
    return CUDA_SUCCESS;
}

STANDIN_API tcuDevicePrimaryCtxRetain cuDevicePrimaryCtxRetain;
CUresult cuDevicePrimaryCtxRetain(CUcontext *out, CUdevice dev)
{
    STANDIN_CALL(CUresult, cuDevicePrimaryCtxRetain);
    (void)dev;
    standin_lock();
    primary.retained++;
    standin_object("primary context retained", 1);
    standin_unlock();
    *out = &primary;
    return CUDA_SUCCESS;
}

STANDIN_API tcuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease;
CUresult cuDevicePrimaryCtxRelease(CUdevice dev)
{
    (void)dev;
    standin_lock();
    if (primary.retained == 0) {
        standin_violation("cuDevicePrimaryCtxRelease", "released more often than retained");
    }
    primary.retained--;
    standin_object("primary context retained", -1);
    standin_unlock();
    STANDIN_CALL(CUresult, cuDevicePrimaryCtxRelease); /* what is given back is gone in any case */
    return CUDA_SUCCESS;
}

/* ---- memory --------------------------------------------------------------------------------- */

static CUresult allocate(CUdeviceptr *out, size_t size)
{
    for (size_t i = 0; i < ALLOCATION_MAX; i++) {
        if (allocations[i].base == 0) {
            void *memory = spare.memory;
            if (memory && spare.size == size) {
                spare.memory = NULL;
            } else {
                memory = aligned_alloc(PITCH_ALIGN,
                                       (size + PITCH_ALIGN - 1) / PITCH_ALIGN * PITCH_ALIGN);
            }
            if (!memory) {
                return (CUresult)OOM;
            }
            memset(memory, 0xcd, size);
            allocations[i].base = (uintptr_t)memory;
            allocations[i].size = size;
            allocations[i].id = ++last_id;
            standin_object("device memory", 1);
            *out = (CUdeviceptr)(uintptr_t)memory;
            return CUDA_SUCCESS;
        }
    }
    return (CUresult)OOM;
}

STANDIN_API tcuMemAlloc_v2 cuMemAlloc_v2;
CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t size)
{
    STANDIN_CALL(CUresult, cuMemAlloc_v2);
    need_context("cuMemAlloc_v2");
    standin_lock();
    CUresult code = allocate(out, size);
    standin_unlock();
    return code;
}

STANDIN_API tcuMemAllocPitch_v2 cuMemAllocPitch_v2;
CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width, size_t height,
                            unsigned int element)
{
    STANDIN_CALL(CUresult, cuMemAllocPitch_v2);
    need_context("cuMemAllocPitch_v2");
    if (element != 4 && element != 8 && element != 16) {
        return (CUresult)INVALID_VALUE;
    }
    *pitch = (width + PITCH_ALIGN - 1) / PITCH_ALIGN * PITCH_ALIGN;
    standin_lock();
    CUresult code = allocate(out, *pitch * height);
    standin_unlock();
    return code;
}

STANDIN_API tcuMemFree_v2 cuMemFree_v2;
CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    need_context("cuMemFree_v2");
    standin_lock();
    for (struct CUstream_st *s = &null_stream; s; s = s->next) {
        run(s); /* it waits for what may still be using the memory */
    }
    for (size_t i = 0; i < ALLOCATION_MAX; i++) {
        if (allocations[i].base == pointer && pointer != 0) {
            free(spare.memory);
            spare.memory = (void *)(uintptr_t)pointer;
            spare.size = allocations[i].size;
            allocations[i].base = 0;
            standin_object("device memory", -1);
            standin_unlock();
            STANDIN_CALL(CUresult, cuMemFree_v2);
            return CUDA_SUCCESS;
        }
    }
    standin_violation("cuMemFree_v2", "%#llx was not allocated", pointer);
}

void *standin_memory(uint64_t pointer, size_t size)
{
    void *found = NULL;
    standin_lock();
    for (size_t i = 0; !found && i < ALLOCATION_MAX; i++) {
        if (allocations[i].base && pointer >= allocations[i].base && size <= allocations[i].size &&
            pointer - allocations[i].base <= allocations[i].size - size) {
            found = (void *)(uintptr_t)pointer;
        }
    }
    standin_unlock();
    return found;
}

STANDIN_API CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr pointer);
CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr pointer)
{
    STANDIN_CALL(CUresult, cuPointerGetAttribute);
    enum { BUFFER_ID = 7 };
    CUresult code = (CUresult)INVALID_VALUE;
    standin_lock();
    for (size_t i = 0; attribute == BUFFER_ID && i < ALLOCATION_MAX; i++) {
        if (allocations[i].base && pointer >= allocations[i].base &&
            pointer - allocations[i].base < allocations[i].size) {
            memcpy(data, &allocations[i].id, sizeof allocations[i].id);
            code = CUDA_SUCCESS;
        }
    }
    standin_unlock();
    return code;
}

static void *side(const char *call, CUmemorytype type, const void *host, CUdeviceptr device,
                  size_t offset, size_t size)
{
    if (type == CU_MEMORYTYPE_HOST) {
        return (uint8_t *)(uintptr_t)host + offset;
    }
    void *memory = type == CU_MEMORYTYPE_DEVICE ? standin_memory(device + offset, size) : NULL;
    if (!memory) {
        standin_violation(call, "%zu bytes at %#llx + %zu are not in an allocation", size, device,
                          offset);
    }
    return memory;
}

static CUresult copy_now(const char *call, const CUDA_MEMCPY2D *c)
{
    if (c->WidthInBytes > c->srcPitch || c->WidthInBytes > c->dstPitch) {
        return (CUresult)INVALID_VALUE;
    }
    for (size_t y = 0; y < c->Height; y++) {
        const void *from = side(call, c->srcMemoryType, c->srcHost, c->srcDevice,
                                (c->srcY + y) * c->srcPitch + c->srcXInBytes, c->WidthInBytes);
        void *to = side(call, c->dstMemoryType, c->dstHost, c->dstDevice,
                        (c->dstY + y) * c->dstPitch + c->dstXInBytes, c->WidthInBytes);
        memcpy(to, from, c->WidthInBytes);
    }
    return CUDA_SUCCESS;
}

/* ---- streams -------------------------------------------------------------------------------- */

static struct CUstream_st *stream_of(const char *call, CUstream stream)
{
    struct CUstream_st *s = stream ? stream : &null_stream;
    if (s->magic != MAGIC_STREAM) {
        standin_violation(call, "%p is no stream", (void *)stream);
    }
    return s;
}

static void put(const char *call, CUstream stream, const struct operation *operation)
{
    struct CUstream_st *s = stream_of(call, stream);
    standin_lock();
    if (!s->operation) {
        s->operation = calloc(OPERATIONS_MAX, sizeof *s->operation);
    }
    if (s->count == OPERATIONS_MAX) {
        standin_violation(call, "more than %d operations in a stream", OPERATIONS_MAX);
    }
    s->operation[s->count++] = *operation;
    standin_unlock();
}

static void run(CUstream stream)
{
    struct CUstream_st *s = stream_of("stream", stream);
    standin_lock();
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *o = &s->operation[i];
        if (o->kind == FILL) {
            memset(side("cuMemsetD8Async", CU_MEMORYTYPE_DEVICE, NULL, o->pointer, 0, o->size),
                   o->value, o->size);
        } else if (o->kind == COPY) {
            (void)copy_now("cuMemcpy2DAsync_v2", &o->copy);
        } else {
            o->callback(stream, CUDA_SUCCESS, o->opaque);
        }
    }
    s->count = 0;
    free(s->operation);
    s->operation = NULL;
    standin_unlock();
}

STANDIN_API tcuMemcpy2D_v2 cuMemcpy2D_v2;
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy)
{
    STANDIN_CALL(CUresult, cuMemcpy2D_v2);
    need_context("cuMemcpy2D_v2");
    run(NULL);
    return copy_now("cuMemcpy2D_v2", copy);
}

STANDIN_API tcuMemcpy2DAsync_v2 cuMemcpy2DAsync_v2;
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    STANDIN_CALL(CUresult, cuMemcpy2DAsync_v2);
    need_context("cuMemcpy2DAsync_v2");
    put("cuMemcpy2DAsync_v2", stream, &(struct operation){.kind = COPY, .copy = *copy});
    return CUDA_SUCCESS;
}

STANDIN_API tcuMemsetD8Async cuMemsetD8Async;
CUresult cuMemsetD8Async(CUdeviceptr pointer, unsigned char value, size_t size, CUstream stream)
{
    STANDIN_CALL(CUresult, cuMemsetD8Async);
    need_context("cuMemsetD8Async");
    put("cuMemsetD8Async", stream,
        &(struct operation){.kind = FILL, .pointer = pointer, .value = value, .size = size});
    return CUDA_SUCCESS;
}

STANDIN_API tcuStreamAddCallback cuStreamAddCallback;
CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback *callback, void *opaque,
                             unsigned int flags)
{
    STANDIN_CALL(CUresult, cuStreamAddCallback);
    (void)flags;
    put("cuStreamAddCallback", stream,
        &(struct operation){.kind = CALL_BACK, .callback = callback, .opaque = opaque});
    return CUDA_SUCCESS;
}

STANDIN_API tcuStreamCreate cuStreamCreate;
CUresult cuStreamCreate(CUstream *out, unsigned int flags)
{
    STANDIN_CALL(CUresult, cuStreamCreate);
    (void)flags;
    need_context("cuStreamCreate");
    struct CUstream_st *s = calloc(1, sizeof *s);
    s->magic = MAGIC_STREAM;
    standin_lock();
    s->next = null_stream.next;
    null_stream.next = s;
    standin_object("stream", 1);
    standin_unlock();
    *out = s;
    return CUDA_SUCCESS;
}

STANDIN_API tcuStreamSynchronize cuStreamSynchronize;
CUresult cuStreamSynchronize(CUstream stream)
{
    STANDIN_CALL(CUresult, cuStreamSynchronize);
    need_context("cuStreamSynchronize");
    run(stream);
    return CUDA_SUCCESS;
}

STANDIN_API tcuStreamQuery cuStreamQuery;
CUresult cuStreamQuery(CUstream stream)
{
    STANDIN_CALL(CUresult, cuStreamQuery);
    return stream_of("cuStreamQuery", stream)->count > 0 ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

STANDIN_API tcuStreamDestroy_v2 cuStreamDestroy_v2;
CUresult cuStreamDestroy_v2(CUstream stream)
{
    STANDIN_CALL(CUresult, cuStreamDestroy_v2);
    run(stream);
    standin_lock();
    struct CUstream_st *before = &null_stream;
    while (before->next != stream) {
        before = before->next;
    }
    before->next = stream->next;
    standin_object("stream", -1);
    standin_unlock();
    stream->magic = 0;
    free(stream);
    return CUDA_SUCCESS;
}

/* ---- words ---------------------------------------------------------------------------------- */

STANDIN_API tcuGetErrorName cuGetErrorName;
CUresult cuGetErrorName(CUresult error, const char **text)
{
    STANDIN_CALL(CUresult, cuGetErrorName);
    static const struct {
        int code;
        const char *name;
    } names[] = {{1, "CUDA_ERROR_INVALID_VALUE"},
                 {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                 {100, "CUDA_ERROR_NO_DEVICE"},
                 {101, "CUDA_ERROR_INVALID_DEVICE"},
                 {214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
                 {719, "CUDA_ERROR_LAUNCH_FAILED"},
                 {999, "CUDA_ERROR_UNKNOWN"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].code == (int)error) {
            *text = names[i].name;
            return CUDA_SUCCESS;
        }
    }
    return (CUresult)INVALID_VALUE;
}

STANDIN_API tcuGetErrorString cuGetErrorString;
CUresult cuGetErrorString(CUresult error, const char **text)
{
    return cuGetErrorName(error, text);
}
