/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/nvenc_surfaces.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "encode/nvenc_params.h"

#define NAME         SL_NVENC_NAME
#define BUFFER_ID    7  /* CU_POINTER_ATTRIBUTE_BUFFER_ID */
#define COPY_ELEMENT 16 /* bytes that are accessed at once, the most that cuMemAllocPitch takes */

/* Where a plane lies in a buffer of NVENC's: they follow each other without a gap, and planes of
 * half the width have half the pitch. */
static size_t plane_offset(enum sl_pixel_format format, int plane, int32_t height, size_t pitch)
{
    size_t rows = (size_t)height;
    if (format == SL_PIX_YUV420P && plane == 2) {
        return pitch * rows + pitch / 2 * (rows / 2);
    }
    return (size_t)plane * pitch * rows;
}

static size_t plane_pitch(enum sl_pixel_format format, int plane, size_t pitch)
{
    return format == SL_PIX_YUV420P && plane > 0 ? pitch / 2 : pitch;
}

/* Rows of the first plane's pitch that all planes take. */
static size_t total_rows(enum sl_pixel_format format, int32_t height)
{
    size_t rows = (size_t)height;
    switch (format) {
    case SL_PIX_YUV444P:
        return 3 * rows;
    case SL_PIX_RGBA:
    case SL_PIX_BGRA:
        return rows;
    default:
        return rows + rows / 2;
    }
}

/* ---- open, close --------------------------------------------------------------------------- */

enum sl_status sl_nvenc_surfaces_open(struct sl_nvenc_surfaces *s, struct sl_nvenc_session *session,
                                      const struct sl_nvtx *nvtx, size_t count,
                                      struct sl_error *err)
{
    *s = (struct sl_nvenc_surfaces){.session = session, .nvtx = nvtx, .count = count};
    s->resource_count = count > SL_NVENC_RESOURCES ? count : SL_NVENC_RESOURCES;
    s->surface = sl_alloc_array(count, sizeof *s->surface);
    s->resource = sl_alloc_array(s->resource_count, sizeof *s->resource);
    if (!s->surface || !s->resource) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        NV_ENC_CREATE_BITSTREAM_BUFFER create = {
            .version = sl_nvenc_version(session, NV_ENC_CREATE_BITSTREAM_BUFFER_VER)};
        NVENCSTATUS status =
            session->driver.nvenc.nvEncCreateBitstreamBuffer(session->encoder, &create);
        if (status != NV_ENC_SUCCESS) {
            return sl_nvenc_fail(session, "nvEncCreateBitstreamBuffer", status, err);
        }
        s->surface[i].output = create.bitstreamBuffer;
    }
    return SL_OK;
}

static void unregister(struct sl_nvenc_surfaces *s, struct sl_nvenc_resource *r)
{
    if (r->registered) {
        (void)s->session->driver.nvenc.nvEncUnregisterResource(s->session->encoder, r->registered);
    }
    *r = (struct sl_nvenc_resource){.registered = NULL};
}

static void drop_host(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *from)
{
    if (from->host) {
        (void)s->session->driver.nvenc.nvEncDestroyInputBuffer(s->session->encoder, from->host);
        from->host = NULL;
    }
}

static void drop_copy(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *from)
{
    if (!from->copy) {
        return;
    }
    for (size_t i = 0; i < s->resource_count; i++) {
        if (s->resource[i].registered && s->resource[i].pointer == from->copy) {
            unregister(s, &s->resource[i]);
        }
    }
    (void)s->session->driver.cuda.mem_free(from->copy);
    from->copy = 0;
}

void sl_nvenc_surfaces_close(struct sl_nvenc_surfaces *s)
{
    for (size_t i = 0; s->surface && i < s->count; i++) {
        sl_nvenc_unload(s, &s->surface[i]);
    }
    for (size_t i = 0; s->resource && i < s->resource_count; i++) {
        unregister(s, &s->resource[i]);
    }
    for (size_t i = 0; s->surface && s->resource && i < s->count; i++) {
        struct sl_nvenc_surface *surface = &s->surface[i];
        drop_host(s, surface);
        drop_copy(s, surface);
        if (surface->output) {
            (void)s->session->driver.nvenc.nvEncDestroyBitstreamBuffer(s->session->encoder,
                                                                       surface->output);
        }
    }
    sl_free(s->surface);
    sl_free(s->resource);
    *s = (struct sl_nvenc_surfaces){.count = 0};
}

/* ---- pictures in the host's memory --------------------------------------------------------- */

static enum sl_status make_host(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                const struct sl_frame *f, struct sl_error *err)
{
    NV_ENC_BUFFER_FORMAT format = sl_nvenc_format(f->format);
    if (to->host && to->host_format == format && to->host_width == (uint32_t)f->width &&
        to->host_height == (uint32_t)f->height) {
        return SL_OK;
    }
    drop_host(s, to);
    NV_ENC_CREATE_INPUT_BUFFER create = {
        .version = sl_nvenc_version(s->session, NV_ENC_CREATE_INPUT_BUFFER_VER),
        .width = (uint32_t)f->width,
        .height = (uint32_t)f->height,
        .bufferFmt = format,
    };
    NVENCSTATUS status =
        s->session->driver.nvenc.nvEncCreateInputBuffer(s->session->encoder, &create);
    if (status != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s->session, "nvEncCreateInputBuffer", status, err);
    }
    to->host = create.inputBuffer;
    to->host_format = format;
    to->host_width = create.width;
    to->host_height = create.height;
    return SL_OK;
}

static void copy_rows(uint8_t *to, size_t pitch, const uint8_t *from, ptrdiff_t stride,
                      size_t bytes, int32_t rows)
{
    if (stride > 0 && (size_t)stride == pitch) {
        memcpy(to, from, pitch * (size_t)(rows - 1) + bytes);
        return;
    }
    for (int32_t y = 0; y < rows; y++, to += pitch, from += stride) {
        memcpy(to, from, bytes);
    }
}

static enum sl_status load_host(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                const struct sl_frame *f, struct sl_error *err)
{
    const NV_ENCODE_API_FUNCTION_LIST *n = &s->session->driver.nvenc;
    enum sl_status status = make_host(s, to, f, err);
    if (status != SL_OK) {
        return status;
    }
    NV_ENC_LOCK_INPUT_BUFFER lock = {
        .version = sl_nvenc_version(s->session, NV_ENC_LOCK_INPUT_BUFFER_VER),
        .inputBuffer = to->host,
    };
    NVENCSTATUS answer = n->nvEncLockInputBuffer(s->session->encoder, &lock);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s->session, "nvEncLockInputBuffer", answer, err);
    }
    const struct sl_pixel_info *info = sl_pixel_info(f->format);
    for (int i = 0; i < info->planes; i++) {
        copy_rows((uint8_t *)lock.bufferDataPtr + plane_offset(f->format, i, f->height, lock.pitch),
                  plane_pitch(f->format, i, lock.pitch), f->plane[i], f->stride[i],
                  (size_t)sl_plane_bytes(f->format, i, f->width),
                  sl_plane_rows(f->format, i, f->height));
    }
    answer = n->nvEncUnlockInputBuffer(s->session->encoder, to->host);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s->session, "nvEncUnlockInputBuffer", answer, err);
    }
    to->input = to->host;
    to->format = to->host_format;
    to->pitch = lock.pitch;
    return SL_OK;
}

/* ---- pictures in the device's memory ------------------------------------------------------- */

static CUdeviceptr device_pointer(const uint8_t *plane)
{
    return (CUdeviceptr)(uintptr_t)plane;
}

/* NVENC reads this as it lies: one pitch, plane after plane. */
static bool in_place(const struct sl_frame *f)
{
    size_t pitch = (size_t)f->stride[0];
    if (pitch % 4 != 0) { /* NV_ENC_REGISTER_RESOURCE.pitch */
        return false;
    }
    for (int i = 0; i < sl_pixel_info(f->format)->planes; i++) {
        if (device_pointer(f->plane[i]) !=
                device_pointer(f->plane[0]) + plane_offset(f->format, i, f->height, pitch) ||
            (size_t)f->stride[i] != plane_pitch(f->format, i, pitch)) {
            return false;
        }
    }
    return true;
}

static enum sl_status check_device(const struct sl_frame *f, struct sl_error *err)
{
    for (int i = 0; i < sl_pixel_info(f->format)->planes; i++) {
        if (f->stride[i] < 0) {
            return sl_fail(err, SL_EUNSUPPORTED, NAME,
                           "a picture in device memory that is stored bottom up");
        }
        if (f->stride[i] < sl_plane_bytes(f->format, i, f->width) || f->stride[i] > INT32_MAX) {
            return sl_fail(err, SL_EINVAL, NAME, "pitch %lld of plane %d, expected %lld or more",
                           (long long)f->stride[i], i,
                           (long long)sl_plane_bytes(f->format, i, f->width));
        }
    }
    return SL_OK;
}

static enum sl_status make_copy(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                const struct sl_frame *f, struct sl_error *err)
{
    size_t bytes = (size_t)sl_plane_bytes(f->format, 0, f->width);
    size_t rows = total_rows(f->format, f->height);
    if (to->copy && to->copy_bytes == bytes && to->copy_rows == rows) {
        return SL_OK;
    }
    drop_copy(s, to);
    CUdeviceptr copy = 0;
    CUresult code =
        s->session->driver.cuda.alloc_pitch(&copy, &to->copy_pitch, bytes, rows, COPY_ELEMENT);
    if (code != CUDA_SUCCESS) {
        return sl_nvenc_cuda_fail(&s->session->driver, "cuMemAllocPitch", code, err);
    }
    to->copy = copy;
    to->copy_bytes = bytes;
    to->copy_rows = rows;
    return SL_OK;
}

/* In the picture's own stream, so behind what makes it. */
static enum sl_status copy_device(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                  const struct sl_frame *f, struct sl_error *err)
{
    enum sl_status status = make_copy(s, to, f, err);
    for (int i = 0; status == SL_OK && i < sl_pixel_info(f->format)->planes; i++) {
        CUDA_MEMCPY2D copy = {
            .srcMemoryType = CU_MEMORYTYPE_DEVICE,
            .srcDevice = device_pointer(f->plane[i]),
            .srcPitch = (size_t)f->stride[i],
            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
            .dstDevice = to->copy + plane_offset(f->format, i, f->height, to->copy_pitch),
            .dstPitch = plane_pitch(f->format, i, to->copy_pitch),
            .WidthInBytes = (size_t)sl_plane_bytes(f->format, i, f->width),
            .Height = (size_t)sl_plane_rows(f->format, i, f->height),
        };
        CUresult code = s->session->driver.cuda.copy_2d(&copy, f->stream);
        if (code != CUDA_SUCCESS) {
            status = sl_nvenc_cuda_fail(&s->session->driver, "cuMemcpy2DAsync", code, err);
        }
    }
    return status;
}

/* An address alone is not enough: memory that was freed and allocated anew may have the same one,
 * and what was registered is then the old one. */
static unsigned long long allocation_of(const struct sl_nvenc_surfaces *s, CUdeviceptr pointer)
{
    unsigned long long id = 0;
    if (!s->session->driver.cuda.pointer_attribute ||
        s->session->driver.cuda.pointer_attribute(&id, BUFFER_ID, pointer) != CUDA_SUCCESS) {
        return 0;
    }
    return id;
}

static bool same(const struct sl_nvenc_resource *a, const struct sl_nvenc_resource *b)
{
    return a->pointer == b->pointer && a->allocation == b->allocation && a->pitch == b->pitch &&
           a->width == b->width && a->height == b->height && a->format == b->format;
}

/* The entry of just this memory, else the one to use for it: free, or the least recently used. */
static struct sl_nvenc_resource *find_resource(struct sl_nvenc_surfaces *s,
                                               const struct sl_nvenc_resource *key)
{
    struct sl_nvenc_resource *best = NULL;
    for (size_t i = 0; i < s->resource_count; i++) {
        struct sl_nvenc_resource *r = &s->resource[i];
        if (r->registered && same(r, key)) {
            return r;
        }
        if (r->users == 0 && (!best || r->used < best->used)) {
            best = r; /* free ones have been used at 0 */
        }
    }
    return best;
}

static enum sl_status register_resource(struct sl_nvenc_surfaces *s,
                                        const struct sl_nvenc_resource *key,
                                        struct sl_nvenc_resource **out, struct sl_error *err)
{
    struct sl_nvenc_resource *r = find_resource(s, key);
    *out = r;
    if (!r) { /* there are as many entries as surfaces, and this one reads none yet */
        return sl_fail(err, SL_EIO, NAME, "every registered resource is in use");
    }
    if (r->registered && same(r, key)) {
        return SL_OK;
    }
    unregister(s, r);
    NV_ENC_REGISTER_RESOURCE reg = {
        .version = sl_nvenc_version(s->session, NV_ENC_REGISTER_RESOURCE_VER),
        .resourceType = NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
        .width = key->width,
        .height = key->height,
        .pitch = key->pitch,
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): a CUdeviceptr goes in as a pointer */
        .resourceToRegister = (void *)(uintptr_t)key->pointer,
        .bufferFormat = key->format,
        .bufferUsage = NV_ENC_INPUT_IMAGE,
    };
    NVENCSTATUS status = s->session->driver.nvenc.nvEncRegisterResource(s->session->encoder, &reg);
    if (status != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s->session, "nvEncRegisterResource", status, err);
    }
    *r = *key;
    r->registered = reg.registeredResource;
    return SL_OK;
}

/* The same memory may be on its way twice: it is mapped once. */
static enum sl_status map_resource(struct sl_nvenc_surfaces *s, struct sl_nvenc_resource *r,
                                   struct sl_nvenc_surface *to, struct sl_error *err)
{
    if (r->users == 0) {
        NV_ENC_MAP_INPUT_RESOURCE map = {
            .version = sl_nvenc_version(s->session, NV_ENC_MAP_INPUT_RESOURCE_VER),
            .registeredResource = r->registered,
        };
        NVENCSTATUS status =
            s->session->driver.nvenc.nvEncMapInputResource(s->session->encoder, &map);
        if (status != NV_ENC_SUCCESS) {
            return sl_nvenc_fail(s->session, "nvEncMapInputResource", status, err);
        }
        r->mapped = map.mappedResource;
    }
    r->users++;
    r->used = ++s->clock;
    to->resource = r;
    to->input = r->mapped;
    to->format = r->format;
    to->pitch = r->pitch;
    return SL_OK;
}

static enum sl_status load_device(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                  struct sl_frame *f, struct sl_error *err)
{
    struct sl_nvenc_resource key = {
        .pointer = device_pointer(f->plane[0]),
        .width = (uint32_t)f->width,
        .height = (uint32_t)f->height,
        .format = sl_nvenc_format(f->format),
    };
    struct sl_nvenc_resource *resource;
    enum sl_status status = check_device(f, err);
    if (status != SL_OK) {
        return status;
    }
    bool copies = !in_place(f);
    key.pitch = (uint32_t)f->stride[0];
    if (copies) {
        status = copy_device(s, to, f, err);
        key.pointer = to->copy;
        key.pitch = (uint32_t)to->copy_pitch;
    }
    /* NULL is the legacy default stream, which is waited for as any other; after a copy that failed
     * half way too, since the caller may take his memory away then. */
    CUresult code = s->session->driver.cuda.stream_synchronize(f->stream);
    if (status == SL_OK && code != CUDA_SUCCESS) {
        status = sl_nvenc_cuda_fail(&s->session->driver, "cuStreamSynchronize", code, err);
    }
    if (status != SL_OK) {
        return status;
    }
    key.allocation = allocation_of(s, key.pointer);
    status = register_resource(s, &key, &resource, err);
    if (status == SL_OK) {
        status = map_resource(s, resource, to, err);
    }
    if (status == SL_OK && !copies) {
        to->frame = sl_frame_ref(f);
    }
    return status;
}

/* ---- both ---------------------------------------------------------------------------------- */

enum sl_status sl_nvenc_load(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                             struct sl_frame *frame, struct sl_error *err)
{
    sl_nvtx_push(s->nvtx, SL_NVTX_COPY_TO_NVENC);
    enum sl_status status = frame->memory == SL_MEMORY_CUDA ? load_device(s, to, frame, err)
                                                            : load_host(s, to, frame, err);
    sl_nvtx_pop(s->nvtx);
    return status;
}

void sl_nvenc_unload(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *from)
{
    struct sl_nvenc_resource *r = from->resource;
    if (r && --r->users == 0) {
        (void)s->session->driver.nvenc.nvEncUnmapInputResource(s->session->encoder, r->mapped);
        r->mapped = NULL;
    }
    from->resource = NULL;
    from->input = NULL;
    sl_frame_unref(&from->frame);
}
