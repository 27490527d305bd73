/* SPDX-License-Identifier: BSD-2-Clause */
/* A ladder whose pictures are the caller's: what takes the place of input and decoder. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/pixel.h"
#include "media/track.h"
#include "pipeline/ladder.h"
#include "pipeline/ladder_run.h"

/* Copies that wait for the encoders: those of the queue, and one each with clock and scaler. */
#define PICTURES_IDLE (SL_LADDER_FRAME_QUEUE + 2)

static const enum sl_pixel_format formats[] = {
    [SL_PICTURE_NV12] = SL_PIX_NV12,    [SL_PICTURE_I420] = SL_PIX_YUV420P,
    [SL_PICTURE_I444] = SL_PIX_YUV444P, [SL_PICTURE_P010] = SL_PIX_P010,
    [SL_PICTURE_RGB24] = SL_PIX_RGB24,  [SL_PICTURE_BGR24] = SL_PIX_BGR24,
    [SL_PICTURE_RGBA] = SL_PIX_RGBA,    [SL_PICTURE_BGRA] = SL_PIX_BGRA,
};

enum sl_status sl_ladder_push_open(struct sl_ladder *l, struct sl_error *err)
{
    const struct sl_ladder_params *p = &l->params;
    if (p->raw[0]) {
        return sl_fail(err, SL_EINVAL, "raw", "each picture says of which format it is");
    }
    if (p->size[0] <= 0 || p->size[1] <= 0 || !sl_rational_valid(p->rate)) {
        return sl_fail(err, SL_EINVAL, "size",
                       "without an input, size and rate of the pictures have to be set");
    }
    struct sl_track *t = &l->pushed;
    sl_track_init(t);
    t->kind = SL_KIND_VIDEO;
    t->width = p->size[0];
    t->height = p->size[1];
    t->frame_rate = sl_rational_reduce(p->rate);
    t->frame_rate_exact = true;
    t->timebase = sl_rational_valid(p->timebase)
                      ? sl_rational_reduce(p->timebase)
                      : sl_rational(t->frame_rate.den, t->frame_rate.num);
    l->video = t;
    l->sound.ladder = l;
    return p->audio[0] ? sl_ladder_sound_prepare(l, err) : SL_OK;
}

static enum sl_status check(const struct sl_ladder *l, const struct sl_picture *p,
                            struct sl_error *err)
{
    if (p->struct_size != sizeof *p) {
        return sl_fail(err, SL_EINVAL, "struct_size",
                       "%u is not a size of struct sl_picture that this library knows (%zu)",
                       p->struct_size, sizeof *p);
    }
    if (p->memory != SL_MEMORY_HOST) {
        return sl_fail(err, SL_EUNSUPPORTED, "picture",
                       "a ladder takes pictures from the host's memory alone");
    }
    if (p->format < 0 || p->format > SL_PICTURE_BGRA) {
        return sl_fail(err, SL_EINVAL, "picture", "format %d is not known", p->format);
    }
    if (p->width != l->pushed.width || p->height != l->pushed.height) {
        return sl_fail(err, SL_EINVAL, "picture", "%dx%d, the ladder is open for %dx%d", p->width,
                       p->height, l->pushed.width, l->pushed.height);
    }
    if (p->pts != SL_NO_TIME && l->pushed_pts != SL_NO_TIME && p->pts <= l->pushed_pts) {
        return sl_fail(err, SL_EINVAL, "pts", "%" PRId64 " after %" PRId64 ", expected to rise",
                       p->pts, l->pushed_pts);
    }
    const struct sl_pixel_info *info = sl_pixel_info(formats[p->format]);
    if (p->width % (1 << info->chroma_w) != 0 || p->height % (1 << info->chroma_h) != 0) {
        return sl_fail(err, SL_EINVAL, "picture", "%dx%d is no size of %s", p->width, p->height,
                       info->name);
    }
    for (int i = 0; i < info->planes; i++) {
        int64_t bytes = sl_plane_bytes(formats[p->format], i, p->width);
        int64_t stride = p->stride[i] < 0 ? -(p->stride[i] + 1) + 1 : p->stride[i];
        if (!p->plane[i] || stride < bytes || stride > INT32_MAX) {
            return sl_fail(err, SL_EINVAL, "picture",
                           "plane %d is NULL, or its stride of %" PRId64 " is not %" PRId64
                           " or more",
                           i, p->stride[i], bytes);
        }
    }
    return SL_OK;
}

static enum sl_status copy(struct sl_ladder *l, const struct sl_picture *p, struct sl_frame **out,
                           struct sl_error *err)
{
    enum sl_pixel_format format = formats[p->format];
    const struct sl_pixel_info *info = sl_pixel_info(format);
    size_t size = 0;
    enum sl_status st = SL_OK;
    if (!sl_frame_video_size(format, p->width, p->height, &size)) {
        return sl_fail(err, SL_EINVAL, "picture", "%dx%d is too large", p->width, p->height);
    }
    if (l->pictures && l->picture_bytes != size) { /* another format than before */
        sl_buf_pool_destroy(&l->pictures);
    }
    if (!l->pictures) {
        st = sl_buf_pool_create(&l->pictures, size, PICTURES_IDLE, err);
        l->picture_bytes = size;
    }
    if (st == SL_OK) {
        st = sl_frame_create_video(out, format, p->width, p->height, l->pictures, err);
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_frame *f = *out;
    for (int i = 0; i < info->planes; i++) {
        size_t bytes = (size_t)sl_plane_bytes(format, i, p->width);
        const uint8_t *from = p->plane[i];
        for (int32_t y = 0; y < sl_plane_rows(format, i, p->height); y++) {
            memcpy(f->plane[i] + y * f->stride[i], from + y * p->stride[i], bytes);
        }
    }
    f->colour = l->pushed.colour;
    if (info->rgb) {
        f->colour.matrix = 0; /* H.273: RGB */
        f->colour.range = SL_RANGE_FULL;
    }
    return SL_OK;
}

/* A time of the caller's is an anchor; those that are left out follow it by the nominal rate. */
static int64_t time_of(const struct sl_ladder *l, int64_t pts)
{
    struct sl_rational frame = sl_rational(l->pushed.frame_rate.den, l->pushed.frame_rate.num);
    if (pts != SL_NO_TIME || l->pushed_pts == SL_NO_TIME) {
        return pts != SL_NO_TIME ? pts : 0;
    }
    int64_t at =
        l->push_anchor + sl_rescale(l->push_count, frame, l->pushed.timebase, SL_ROUND_NEAREST);
    return at > l->pushed_pts ? at : l->pushed_pts + 1;
}

enum sl_status sl_ladder_push(struct sl_ladder *l, const struct sl_picture *picture,
                              struct sl_error *err)
{
    struct sl_frame *frame = NULL;
    if (!l->push || l->closed) {
        return sl_fail(err, SL_EINVAL, "ladder",
                       l->closed ? "it is closed" : "its pictures come from its input");
    }
    enum sl_status st = sl_ladder_failed(l, err);
    if (st == SL_OK && sl_cancelled(&l->stop)) {
        st = sl_fail(err, SL_ECANCELLED, "ladder", "stopped");
    }
    if (st == SL_OK && l->push_status != SL_OK) {
        st = sl_fail(err, l->push_status, "ladder", "no more pictures are taken");
    }
    if (st == SL_OK) {
        st = check(l, picture, err);
    }
    if (st == SL_OK) {
        st = copy(l, picture, &frame, err);
    }
    if (st != SL_OK) {
        return st;
    }
    frame->pts = time_of(l, picture->pts);
    if (picture->pts != SL_NO_TIME || l->pushed_pts == SL_NO_TIME) {
        l->push_anchor = frame->pts;
        l->push_count = 0;
    }
    l->push_count++;
    l->pushed_pts = frame->pts;
    frame->duration = SL_NO_TIME;
    st = sl_clock_put(&l->clock, frame, &l->push_error);
    sl_frame_unref(&frame);
    if (st != SL_OK) {
        l->push_status = st;
        /* A queue that was cancelled says no more than that; the reason is another thread's. */
        enum sl_status first = sl_ladder_failed(l, err);
        st = first != SL_OK ? first : st;
        (void)sl_fail(err, st, l->push_error.where, "%s", l->push_error.msg);
    } else if (picture->release) {
        picture->release(picture->opaque);
    }
    return st;
}

enum sl_status sl_ladder_push_close(struct sl_ladder *l, struct sl_error *err)
{
    static const struct sl_error none = {0};
    if (!l->push) {
        return sl_fail(err, SL_EINVAL, "ladder", "its pictures come from its input");
    }
    if (l->closed) {
        return SL_OK;
    }
    l->closed = true;
    return sl_ladder_conclude(l, l->push_status, &l->push_error, &none, err);
}
