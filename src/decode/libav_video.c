/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "base/error.h"
#include "base/rational.h"
#include "decode/libav.h"

static void release_frame(void *opaque, uint8_t *data)
{
    AVFrame *frame = opaque;
    (void)data;
    av_frame_free(&frame);
}

enum sl_status sl_libav_keep(AVFrame *in, struct sl_buf **out, struct sl_error *err)
{
    AVFrame *kept = av_frame_alloc();
    enum sl_status status = SL_OK;

    if (!kept) {
        return sl_fail_memory(err);
    }
    av_frame_move_ref(kept, in);
    status = sl_buf_wrap(out, kept->buf[0]->data, kept->buf[0]->size, release_frame, kept, err);
    if (status != SL_OK) {
        av_frame_free(&kept);
    }
    return status;
}

/* The format whose planes are the first planes of this one: itself, or without its alpha. */
static enum sl_pixel_format same_planes(const char *name)
{
    static const struct {
        const char *prefix;
        size_t drop; /* index of the letter that is left out */
    } variants[] = {
        {"yuvj", 3}, /* yuv of full range */
        {"yuva", 3}, /* alpha is the fourth plane */
        {"gbrap", 3},
    };
    char plain[32];
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        size_t drop = variants[i].drop;
        if (strncmp(name, variants[i].prefix, strlen(variants[i].prefix)) == 0) {
            (void)snprintf(plain, sizeof plain, "%.*s%s", (int)drop, name, name + drop + 1);
            return sl_pixel_find(plain);
        }
    }
    return sl_pixel_find(name);
}

static enum sl_pixel_format nearest_rgb(const AVPixFmtDescriptor *desc)
{
    bool alpha = (desc->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL)) != 0;
    if (desc->comp[0].depth > 10) {
        return SL_PIX_GBRP12;
    }
    if (desc->comp[0].depth > 8) {
        return SL_PIX_GBRP10;
    }
    return alpha ? SL_PIX_RGBA : SL_PIX_RGB24;
}

static enum sl_pixel_format nearest_yuv(const AVPixFmtDescriptor *desc)
{
    static const struct {
        int w, h;
        enum sl_pixel_format formats[3]; /* 8, 10, 12 bits */
    } chroma[] = {
        {1, 1, {SL_PIX_YUV420P, SL_PIX_YUV420P10, SL_PIX_YUV420P12}},
        {1, 0, {SL_PIX_YUV422P, SL_PIX_YUV422P10, SL_PIX_YUV422P12}},
        {0, 1, {SL_PIX_YUV440P, SL_PIX_YUV444P10, SL_PIX_YUV444P12}},
        {2, 0, {SL_PIX_YUV411P, SL_PIX_YUV422P10, SL_PIX_YUV422P12}},
        {2, 2, {SL_PIX_YUV410P, SL_PIX_YUV420P10, SL_PIX_YUV420P12}},
        {0, 0, {SL_PIX_YUV444P, SL_PIX_YUV444P10, SL_PIX_YUV444P12}},
    };
    size_t last = sizeof chroma / sizeof *chroma - 1;
    size_t i = 0;
    while (i < last && (chroma[i].w != desc->log2_chroma_w || chroma[i].h != desc->log2_chroma_h)) {
        i++;
    }
    int depth = desc->comp[0].depth;
    return chroma[i].formats[depth > 10 ? 2 : depth > 8 ? 1 : 0];
}

static enum sl_pixel_format nearest(enum AVPixelFormat format, const AVPixFmtDescriptor *desc)
{
    if (desc->flags & AV_PIX_FMT_FLAG_BAYER) {
        return SL_PIX_RGB24;
    }
    if (format == AV_PIX_FMT_XYZ12LE || format == AV_PIX_FMT_XYZ12BE) {
        return SL_PIX_GBRP12;
    }
    if (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) {
        return nearest_rgb(desc);
    }
    if (desc->nb_components < 3) {
        return desc->comp[0].depth > 8 ? SL_PIX_GRAY10 : SL_PIX_GRAY;
    }
    return nearest_yuv(desc);
}

void sl_libav_convert_clear(struct sl_libav_convert *c)
{
    sws_freeContext(c->sws);
    sl_buf_pool_destroy(&c->pool);
    *c = (struct sl_libav_convert){.from = AV_PIX_FMT_NONE};
}

/* Sets up for pictures like in. Size, matrix and range stay: only the layout changes. */
static enum sl_status set_up(struct sl_libav_convert *c, const AVFrame *in, struct sl_error *err)
{
    enum AVPixelFormat from = (enum AVPixelFormat)in->format;
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(from);
    bool full = in->color_range == AVCOL_RANGE_JPEG;
    const int *matrix = sws_getCoefficients(SWS_CS_DEFAULT);
    size_t size = 0;

    if (c->sws && c->from == from && c->width == in->width && c->height == in->height &&
        c->full_range == full) {
        return SL_OK;
    }
    sl_libav_convert_clear(c);
    if (!desc || (desc->flags & AV_PIX_FMT_FLAG_HWACCEL) || !sws_isSupportedInput(from)) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "pictures in format %s",
                       desc ? desc->name : "unknown");
    }
    c->to = nearest(from, desc);
    if (!sl_frame_video_size(c->to, in->width, in->height, &size)) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "pictures of %dx%d", in->width, in->height);
    }
    c->sws = sws_getContext(in->width, in->height, from, in->width, in->height,
                            av_get_pix_fmt(sl_pixel_info(c->to)->name),
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!c->sws) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "pictures in format %s as %s", desc->name,
                       sl_pixel_info(c->to)->name);
    }
    /* Refused for what has no range (RGB), where there is nothing to keep. */
    (void)sws_setColorspaceDetails(c->sws, matrix, full, matrix, full, 0, 1 << 16, 1 << 16);
    c->from = from;
    c->width = in->width;
    c->height = in->height;
    c->full_range = full;
    return sl_buf_pool_create(&c->pool, size, 4, err);
}

static enum sl_status converted(struct sl_libav_decoder *d, struct sl_frame **out,
                                struct sl_error *err)
{
    struct sl_libav_convert *c = &d->convert;
    const AVFrame *in = d->frame;
    uint8_t *plane[4] = {NULL};
    int stride[4] = {0};
    enum sl_status status = set_up(c, in, err);

    if (status == SL_OK) {
        status = sl_frame_create_video(out, c->to, in->width, in->height, c->pool, err);
    }
    if (status != SL_OK) {
        return status;
    }
    for (int i = 0; i < 3; i++) {
        plane[i] = (*out)->plane[i];
        stride[i] = (int)(*out)->stride[i];
    }
    if (sws_scale(c->sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, plane,
                  stride) != in->height) {
        sl_frame_unref(out);
        return sl_fail(err, SL_EDATA, NULL, "a picture could not be converted");
    }
    return SL_OK;
}

static enum sl_status shared(struct sl_libav_decoder *d, enum sl_pixel_format format,
                             struct sl_frame **out, struct sl_error *err)
{
    const AVFrame *in = d->frame;
    struct sl_frame *f = NULL;
    enum sl_status status = sl_frame_create(&f, SL_KIND_VIDEO, err);

    if (status != SL_OK) {
        return status;
    }
    f->format = format;
    f->width = in->width;
    f->height = in->height;
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        f->plane[i] = in->data[i];
        f->stride[i] = in->linesize[i];
    }
    status = sl_libav_keep(d->frame, &f->buf[0], err);
    if (status != SL_OK) {
        sl_frame_unref(&f);
        return status;
    }
    *out = f;
    return SL_OK;
}

/* The track's word counts (the container may overrule the bitstream) until the bitstream changes
 * its own: broadcasts switch between 4:3 and 16:9. */
static struct sl_rational sample_aspect(struct sl_libav_decoder *d, const AVFrame *in)
{
    struct sl_rational own = {in->sample_aspect_ratio.num, in->sample_aspect_ratio.den};
    if (!sl_rational_valid(own)) {
        own = sl_rational(0, 1);
    }
    if (d->first_sample_aspect.den == 0) {
        d->first_sample_aspect = own;
    }
    bool changed = own.num != d->first_sample_aspect.num || own.den != d->first_sample_aspect.den;
    return changed || !sl_rational_valid(d->sample_aspect) ? own : d->sample_aspect;
}

enum sl_status sl_libav_picture(struct sl_libav_decoder *d, struct sl_frame **out,
                                struct sl_error *err)
{
    const AVFrame *in = d->frame;
    const char *name = av_get_pix_fmt_name((enum AVPixelFormat)in->format);
    enum sl_pixel_format format = name ? same_planes(name) : SL_PIX_NONE;
    struct sl_rational aspect = sample_aspect(d, in);
    /* The numbers are H.273's on both sides, and those of enum sl_range. */
    struct sl_colour colour = {.primaries = (uint8_t)in->color_primaries,
                               .transfer = (uint8_t)in->color_trc,
                               .matrix = (uint8_t)in->colorspace,
                               .range = (uint8_t)in->color_range,
                               .chroma_location = (uint8_t)in->chroma_location};
    enum sl_status status = SL_OK;

    if (name && strncmp(name, "yuvj", 4) == 0) {
        colour.range = SL_RANGE_FULL;
    }
    *out = NULL;
    status = format != SL_PIX_NONE ? shared(d, format, out, err) : converted(d, out, err);
    if (status == SL_OK) {
        (*out)->sample_aspect = aspect;
        (*out)->colour = colour;
    }
    av_frame_unref(d->frame);
    return status;
}
