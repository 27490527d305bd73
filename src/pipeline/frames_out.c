/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures as pixels and files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "base/publish.h"
#include "encode/png.h"
#include "filter/packed.h"
#include "pipeline/frames.h"

static enum sl_status need_packer(struct sl_frames *f, struct sl_error *err)
{
    enum sl_pixel_format format = f->format == SL_FRAMES_NV12 ? SL_PIX_NV12 : SL_PIX_RGB24;
    return f->packer ? SL_OK : sl_packer_create(&f->packer, format, err);
}

enum sl_status sl_frames_describe(struct sl_frames *f, struct sl_frames_picture *picture,
                                  struct sl_error *err)
{
    const struct sl_frames_sample *s = &f->index.samples[f->frame->pts];
    enum sl_status status = need_packer(f, err);
    if (status) {
        return status;
    }
    *picture = (struct sl_frames_picture){
        .index = s->shown,
        .id = s->id,
        .pts = s->pts,
        .duration = s->duration,
        .width = f->frame->width,
        .height = f->frame->height,
        .colour = sl_packer_colour(f->packer, f->frame),
    };
    return sl_packer_size(f->packer, picture->width, picture->height, &picture->size, err);
}

enum sl_status sl_frames_write(struct sl_frames *f, void *dst, size_t size, struct sl_error *err)
{
    size_t needed;
    enum sl_status status;
    if (!f->frame || !f->packer) {
        return sl_fail(err, SL_EINVAL, f->name, "no picture was taken");
    }
    status = sl_packer_size(f->packer, f->frame->width, f->frame->height, &needed, err);
    if (!status && size != needed) {
        status = sl_fail(err, SL_EINVAL, f->name, "room for %zu bytes, the picture has %zu", size,
                         needed);
    }
    return status ? status : sl_packer_run(f->packer, f->frame, dst, err);
}

enum sl_status sl_frames_write_png(struct sl_frames *f, const char *path, struct sl_error *err)
{
    struct sl_frames_picture picture;
    struct sl_writer w;
    uint8_t *pixels;
    enum sl_status status;
    if (f->format != SL_FRAMES_RGB24 || !f->frame) {
        return sl_fail(err, SL_EINVAL, f->name, "%s",
                       f->frame ? "only rgb24 can become PNG" : "no picture was taken");
    }
    status = sl_frames_describe(f, &picture, err);
    if (status) {
        return status;
    }
    pixels = sl_alloc(picture.size);
    if (!pixels) {
        return sl_fail_memory(err);
    }
    sl_writer_init(&w, picture.size + picture.size / 8 + 65536);
    status = sl_frames_write(f, pixels, picture.size, err);
    if (!status) {
        status = sl_png_write(&w, pixels, picture.width, picture.height, &picture.colour, err);
    }
    if (!status) {
        struct sl_publish *file = NULL;
        status = sl_publish_open(&file, path, err);
        status = status ? status : sl_publish_write(file, w.data, w.size, err);
        status = status ? status : sl_publish_commit_unsynced(&file, err);
        sl_publish_abort(&file);
    }
    sl_writer_clear(&w);
    sl_free(pixels);
    return status;
}

static enum sl_status dump_to(struct sl_frames *f, struct sl_publish *file, struct sl_error *err)
{
    uint8_t *pixels = NULL;
    size_t room = 0;
    enum sl_status status = SL_OK;
    while (!status) {
        struct sl_frames_picture picture;
        status = sl_frames_advance(f, err);
        status = status ? status : sl_frames_describe(f, &picture, err);
        if (status) {
            break;
        }
        if (picture.size > room) {
            uint8_t *grown = sl_realloc_array(pixels, picture.size, 1);
            if (!grown) {
                status = sl_fail_memory(err);
                break;
            }
            pixels = grown;
            room = picture.size;
        }
        status = sl_frames_write(f, pixels, picture.size, err);
        if (!status) {
            status = file
                         ? sl_publish_write(file, pixels, picture.size, err)
                         : sl_io_write(STDOUT_FILENO, pixels, picture.size, "standard output", err);
        }
    }
    sl_free(pixels);
    return status == SL_EOF ? SL_OK : status;
}

enum sl_status sl_frames_write_raw(struct sl_frames *f, const char *path, struct sl_error *err)
{
    struct sl_publish *file = NULL;
    bool standard_output = strcmp(path, "-") == 0;
    enum sl_status status = standard_output ? SL_OK : sl_publish_open(&file, path, err);
    if (!status) {
        status = dump_to(f, file, err);
    }
    if (!status && file) {
        status = sl_publish_commit_unsynced(&file, err);
    }
    sl_publish_abort(&file);
    return status;
}
