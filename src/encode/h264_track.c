/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/h264_track.h"

#include <stdio.h>

#include "base/error.h"
#include "media/track.h"

#define CONFIG_MAX 4096 /* bytes of an avcC; x264's take some 50 */

enum sl_status sl_h264_track_fill(struct sl_track *t, const struct sl_encode_params *p,
                                  const uint8_t *annexb, size_t size, struct sl_nal_config *sets,
                                  struct sl_error *err)
{
    t->kind = SL_KIND_VIDEO;
    t->codec = SL_CODEC_H264;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", sl_codec_name(SL_CODEC_H264));
    t->timebase = p->timebase;
    t->frame_rate = p->frame_rate;

    struct sl_writer config;
    sl_writer_init(&config, CONFIG_MAX);
    enum sl_status status = sl_avcc_from_annexb(annexb, size, &config, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&config, err);
    }
    if (status == SL_OK) {
        status = sl_track_set_config(t, config.data, config.size, err);
    }
    sl_writer_clear(&config);
    return status == SL_OK ? sl_avcc_parse(t->config, t->config_size, sets, err) : status;
}

/* Whether a picture of one format holds the samples of the other, whatever their order. */
static bool same_samples(const struct sl_pixel_info *a, const struct sl_pixel_info *b)
{
    return a && b && a->depth == b->depth && a->rgb == b->rgb && a->chroma_w == b->chroma_w &&
           a->chroma_h == b->chroma_h && (a->planes > 1) == (b->planes > 1);
}

static bool is_taken(enum sl_pixel_format format, const enum sl_pixel_format *formats)
{
    static const enum sl_pixel_format plain[] = {SL_PIX_YUV420P, SL_PIX_NONE};
    for (formats = formats ? formats : plain; *formats != SL_PIX_NONE; formats++) {
        if (*formats == format) {
            return true;
        }
    }
    return false;
}

enum sl_status sl_h264_track_check(const struct sl_track *t, const struct sl_frame *f,
                                   const enum sl_pixel_format *formats, const char *encoder,
                                   struct sl_error *err)
{
    const struct sl_pixel_info *is = sl_pixel_info(f->format);
    const struct sl_pixel_info *coded = sl_pixel_info((enum sl_pixel_format)t->pixel_format);
    if (f->kind != SL_KIND_VIDEO || f->memory != SL_MEMORY_HOST || f->width != t->width ||
        f->height != t->height || !is_taken(f->format, formats) || !same_samples(is, coded)) {
        return sl_fail(err, SL_EINVAL, encoder, "frame is %s %dx%d, expected %s %dx%d",
                       is ? is->name : "no picture", f->width, f->height,
                       coded ? coded->name : "yuv420p", t->width, t->height);
    }
    for (int i = 0; i < is->planes; i++) {
        if (f->stride[i] > INT32_MAX || f->stride[i] < INT32_MIN) {
            return sl_fail(err, SL_EINVAL, encoder, "stride %lld is too large",
                           (long long)f->stride[i]);
        }
    }
    return SL_OK;
}
