/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/frame.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/colour.h"

#define SIDE_MAX 16384

/* Where the planes of a picture stand inside one block. */
struct layout {
    size_t offset[3];
    size_t stride[3];
    size_t size;
};

static bool align_up(size_t size, size_t *out)
{
    if (!sl_size_add(size, SL_BUF_ALIGN - 1, out)) {
        return false;
    }
    *out &= ~(size_t)(SL_BUF_ALIGN - 1);
    return true;
}

static bool video_layout(enum sl_pixel_format format, int32_t width, int32_t height,
                         struct layout *out)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    size_t at = 0;

    if (!info || width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX) {
        return false;
    }
    for (int i = 0; i < info->planes; i++) {
        size_t bytes = 0;
        out->offset[i] = at;
        /* Each plane ends with padding, so that vector code may read past its last row. */
        if (!align_up((size_t)sl_plane_bytes(format, i, width), &out->stride[i]) ||
            !sl_size_mul(out->stride[i], (size_t)sl_plane_rows(format, i, height), &bytes) ||
            !sl_size_add(at, bytes, &at) || !sl_size_add(at, SL_BUF_PADDING, &at)) {
            return false;
        }
    }
    out->size = at;
    return true;
}

bool sl_frame_video_size(enum sl_pixel_format format, int32_t width, int32_t height, size_t *size)
{
    struct layout layout;
    if (!video_layout(format, width, height, &layout)) {
        return false;
    }
    *size = layout.size;
    return true;
}

enum sl_status sl_frame_create(struct sl_frame **out, enum sl_media_kind kind, struct sl_error *err)
{
    *out = NULL;
    struct sl_frame *f = sl_alloc_zero(sizeof *f);
    if (!f) {
        return sl_fail_memory(err);
    }
    atomic_init(&f->refs, 1);
    f->kind = kind;
    f->pts = SL_NO_TIME;
    f->duration = SL_NO_TIME;
    f->sample_aspect = (struct sl_rational){0, 1};
    f->colour = sl_colour_unspecified();
    *out = f;
    return SL_OK;
}

enum sl_status sl_frame_create_video(struct sl_frame **out, enum sl_pixel_format format,
                                     int32_t width, int32_t height, struct sl_buf_pool *pool,
                                     struct sl_error *err)
{
    struct sl_frame *f = NULL;
    struct layout layout = {0};
    enum sl_status status = SL_OK;

    *out = NULL;
    if (!video_layout(format, width, height, &layout)) {
        return sl_fail(err, SL_EINVAL, NULL, "picture of %dx%d in format %d (1 to %d a side)",
                       (int)width, (int)height, (int)format, SIDE_MAX);
    }
    status = sl_frame_create(&f, SL_KIND_VIDEO, err);
    if (status != SL_OK) {
        goto out;
    }
    status =
        pool ? sl_buf_pool_get(pool, &f->buf[0], err) : sl_buf_alloc(&f->buf[0], layout.size, err);
    if (status != SL_OK) {
        goto out;
    }
    if (f->buf[0]->size < layout.size) {
        status = sl_fail(err, SL_EINVAL, NULL, "pool of %zu byte blocks for a picture of %zu bytes",
                         f->buf[0]->size, layout.size);
        goto out;
    }
    f->format = format;
    f->width = width;
    f->height = height;
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        f->plane[i] = f->buf[0]->data + layout.offset[i];
        f->stride[i] = (ptrdiff_t)layout.stride[i];
    }
    *out = f;
    f = NULL;
out:
    sl_frame_unref(&f);
    return status;
}

enum sl_status sl_frame_create_audio(struct sl_frame **out, int32_t channels, uint64_t layout,
                                     int32_t rate, int32_t samples, struct sl_error *err)
{
    struct sl_frame *f = NULL;
    size_t each = 0;
    size_t size = 0;
    enum sl_status status = SL_OK;

    *out = NULL;
    if (channels < 1 || channels > SL_FRAME_PLANES || rate < 1 || samples < 1) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "sound of %d samples in %d channels at %d Hz (1 to %d channels)",
                       (int)samples, (int)channels, (int)rate, SL_FRAME_PLANES);
    }
    if (!sl_size_mul((size_t)samples, sizeof(float), &each) || !align_up(each, &each) ||
        !sl_size_add(each, SL_BUF_PADDING, &each) || !sl_size_mul(each, (size_t)channels, &size)) {
        return sl_fail_memory(err);
    }
    status = sl_frame_create(&f, SL_KIND_AUDIO, err);
    if (status != SL_OK) {
        goto out;
    }
    status = sl_buf_alloc(&f->buf[0], size, err);
    if (status != SL_OK) {
        goto out;
    }
    memset(f->buf[0]->data, 0, size);
    f->sample_format = SL_SAMPLE_F32P;
    f->sample_rate = rate;
    f->channels = channels;
    f->samples = samples;
    f->channel_layout = layout;
    for (int i = 0; i < channels; i++) {
        f->plane[i] = f->buf[0]->data + each * (size_t)i;
    }
    *out = f;
    f = NULL;
out:
    sl_frame_unref(&f);
    return status;
}

enum sl_status sl_frame_share(struct sl_frame **out, struct sl_frame *frame, struct sl_error *err)
{
    enum sl_status status = sl_frame_create(out, frame->kind, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_frame *f = *out;
    f->flags = frame->flags;
    f->pts = frame->pts;
    f->duration = frame->duration;
    f->format = frame->format;
    f->width = frame->width;
    f->height = frame->height;
    f->sample_aspect = frame->sample_aspect;
    f->colour = frame->colour;
    f->sample_format = frame->sample_format;
    f->sample_rate = frame->sample_rate;
    f->channels = frame->channels;
    f->samples = frame->samples;
    f->channel_layout = frame->channel_layout;
    for (int i = 0; i < SL_FRAME_PLANES; i++) {
        f->plane[i] = frame->plane[i];
        f->stride[i] = frame->stride[i];
        f->buf[i] = frame->buf[i] ? sl_buf_ref(frame->buf[i]) : NULL;
    }
    return SL_OK;
}

struct sl_frame *sl_frame_ref(struct sl_frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void sl_frame_unref(struct sl_frame **frame)
{
    struct sl_frame *f = frame ? *frame : NULL;
    if (!f) {
        return;
    }
    *frame = NULL;
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) {
        for (int i = 0; i < SL_FRAME_PLANES; i++) {
            sl_buf_unref(&f->buf[i]);
        }
        sl_free(f);
    }
}
