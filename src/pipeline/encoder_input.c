/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of a caller's own: checked, wrapped without a copy, converted where the backend reads
 * something else. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/nal.h"
#include "pipeline/encoder_run.h"

#define UUID_BYTES 16

int64_t sl_encoder_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const enum sl_pixel_format formats[] = {
    [SL_PICTURE_NV12] = SL_PIX_NV12,    [SL_PICTURE_I420] = SL_PIX_YUV420P,
    [SL_PICTURE_I444] = SL_PIX_YUV444P, [SL_PICTURE_P010] = SL_PIX_P010,
    [SL_PICTURE_RGB24] = SL_PIX_RGB24,  [SL_PICTURE_BGR24] = SL_PIX_BGR24,
    [SL_PICTURE_RGBA] = SL_PIX_RGBA,    [SL_PICTURE_BGRA] = SL_PIX_BGRA,
};

/* ---- checks ------------------------------------------------------------------------------- */

static enum sl_status check_planes(const struct sl_picture *p, enum sl_pixel_format format,
                                   struct sl_error *err)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    for (int i = 0; i < info->planes; i++) {
        int64_t bytes = sl_plane_bytes(format, i, p->width);
        int64_t stride = p->stride[i] < 0 ? -(p->stride[i] + 1) + 1 : p->stride[i];
        if (!p->plane[i]) {
            return sl_fail(err, SL_EINVAL, "picture", "plane %d of %d is NULL", i, info->planes);
        }
        if (stride < bytes || stride > INT32_MAX) {
            return sl_fail(err, SL_EINVAL, "picture",
                           "stride %" PRId64 " of plane %d, expected %" PRId64
                           " or more for %s of width %d",
                           p->stride[i], i, bytes, info->name, p->width);
        }
        if (info->sample_bytes == 2 && ((uintptr_t)p->plane[i] % 2 != 0 || stride % 2 != 0)) {
            return sl_fail(err, SL_EINVAL, "picture",
                           "plane %d of 16-bit samples is at an odd place", i);
        }
    }
    return SL_OK;
}

static enum sl_status check_picture(const struct sl_encoder *e, const struct sl_picture *p,
                                    struct sl_error *err)
{
    if (p->struct_size != sizeof *p) {
        return sl_fail(err, SL_EINVAL, "struct_size",
                       "%u is not a size of struct sl_picture that this library knows (%zu)",
                       p->struct_size, sizeof *p);
    }
    if (p->format < 0 || p->format > SL_PICTURE_BGRA || p->memory < SL_MEMORY_HOST ||
        p->memory > SL_MEMORY_CVPIXELBUFFER || (p->flags & ~(uint32_t)SL_PICTURE_IDR) != 0) {
        return sl_fail(err, SL_EINVAL, "picture",
                       "format %d, memory %d, flags %u are not all known", p->format, p->memory,
                       p->flags);
    }
    if (p->width != e->encode.width || p->height != e->encode.height) {
        return sl_fail(err, SL_EINVAL, "picture", "%dx%d, the encoder is open for %dx%d", p->width,
                       p->height, e->encode.width, e->encode.height);
    }
    if (p->pts != SL_NO_TIME && e->last_pts != SL_NO_TIME && p->pts <= e->last_pts) {
        return sl_fail(err, SL_EINVAL, "pts", "%" PRId64 " after %" PRId64 ", expected to rise",
                       p->pts, e->last_pts);
    }
    if (p->sei ? p->sei_size < UUID_BYTES || p->sei_size > SL_PICTURE_SEI_MAX : p->sei_size != 0) {
        return sl_fail(err, SL_EINVAL, "sei", "%zu bytes, expected %d to %d with a UUID in front",
                       p->sei_size, UUID_BYTES, SL_PICTURE_SEI_MAX);
    }
    uint32_t needs = p->memory == SL_MEMORY_CUDA            ? SL_BACKEND_CUDA
                     : p->memory == SL_MEMORY_CVPIXELBUFFER ? SL_BACKEND_CVPIXELBUFFER
                                                            : 0;
    if ((e->ops->caps->flags & needs) != needs) {
        return sl_fail(err, SL_EUNSUPPORTED, "picture", "%s does not read %s", e->ops->name,
                       p->memory == SL_MEMORY_CUDA ? "CUDA memory" : "CVPixelBuffers");
    }
    if (needs && !p->release && e->encode.latency != SL_LATENCY_SYNC) {
        return sl_fail(err, SL_EINVAL, "picture",
                       "device memory needs a release callback where pictures are on their way");
    }
    if (p->memory == SL_MEMORY_CVPIXELBUFFER) {
        return p->plane[0] ? SL_OK : sl_fail(err, SL_EINVAL, "picture", "plane 0 is NULL");
    }
    return check_planes(p, formats[p->format], err);
}

/* ---- wrapping ----------------------------------------------------------------------------- */

/* The caller's own release, called only once the picture was taken. */
struct release {
    void (*call)(void *opaque);
    void *opaque;
    bool armed;
};

static void let_go(void *opaque, uint8_t *data)
{
    struct release *r = opaque;
    (void)data;
    if (r->armed && r->call) {
        r->call(r->opaque);
    }
    sl_free(r);
}

void sl_encoder_release(struct sl_buf **hold, bool taken)
{
    if (*hold) {
        struct release *r = (*hold)->opaque;
        r->armed = taken;
        sl_buf_unref(hold);
    }
}

static enum sl_status wrap(const struct sl_encoder *e, const struct sl_picture *p,
                           struct sl_frame **out, struct sl_error *err)
{
    struct release *r = sl_alloc_zero(sizeof *r);
    struct sl_frame *f = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    r->call = p->release;
    r->opaque = p->opaque;
    enum sl_status status = sl_frame_create(&f, SL_KIND_VIDEO, err);
    if (status == SL_OK) {
        status = sl_buf_wrap(&f->buf[0], (uint8_t *)p->plane[0], 0, let_go, r, err);
    }
    if (status != SL_OK) {
        sl_free(r);
        sl_frame_unref(&f);
        return status;
    }
    f->format = formats[p->format];
    f->width = p->width;
    f->height = p->height;
    f->memory = (enum sl_picture_memory)p->memory;
    f->stream = p->stream;
    f->colour = e->encode.colour;
    const struct sl_pixel_info *info = sl_pixel_info(f->format);
    if (info->rgb) {
        f->colour.matrix = 0;
        f->colour.range = SL_RANGE_FULL;
        f->colour.chroma_location = 0;
    }
    for (int i = 0; i < info->planes; i++) {
        f->plane[i] = (uint8_t *)p->plane[i];
        f->stride[i] = (ptrdiff_t)p->stride[i];
    }
    *out = f;
    return SL_OK;
}

/* For pictures that must outlive the call and whose memory does not. */
static enum sl_status copy(struct sl_frame **frame, struct sl_error *err)
{
    struct sl_frame *from = *frame, *to = NULL;
    enum sl_status status =
        sl_frame_create_video(&to, from->format, from->width, from->height, NULL, err);
    if (status != SL_OK) {
        return status;
    }
    const struct sl_pixel_info *info = sl_pixel_info(from->format);
    for (int i = 0; i < info->planes; i++) {
        size_t bytes = (size_t)sl_plane_bytes(from->format, i, from->width);
        for (int32_t y = 0; y < sl_plane_rows(from->format, i, from->height); y++) {
            memcpy(to->plane[i] + y * to->stride[i], from->plane[i] + y * from->stride[i], bytes);
        }
    }
    to->colour = from->colour;
    sl_frame_unref(frame);
    *frame = to;
    return SL_OK;
}

/* ---- conversion --------------------------------------------------------------------------- */

/* Whether pictures of a format hold the samples that are coded, however they lie in memory. */
static bool holds_coded(const struct sl_encoder *e, enum sl_pixel_format format)
{
    const struct sl_pixel_info *is = sl_pixel_info(format);
    const struct sl_pixel_info *coded =
        sl_pixel_info((enum sl_pixel_format)e->coder->track.pixel_format);
    return is->depth == coded->depth && is->rgb == coded->rgb && is->chroma_w == coded->chroma_w &&
           is->chroma_h == coded->chroma_h;
}

/* What a picture has to become: itself, or what the backend likes best. */
static enum sl_pixel_format read_as(const struct sl_encoder *e, enum sl_pixel_format format)
{
    const enum sl_pixel_format *f = e->ops->caps->formats;
    enum sl_pixel_format best = SL_PIX_NONE;
    for (; f && *f != SL_PIX_NONE; f++) {
        if (holds_coded(e, *f)) {
            best = best == SL_PIX_NONE || *f == format ? *f : best;
        }
    }
    return best != SL_PIX_NONE ? best : (enum sl_pixel_format)e->coder->track.pixel_format;
}

static enum sl_status convert(struct sl_encoder *e, struct sl_frame **frame, struct sl_error *err)
{
    struct sl_frame *in = *frame, *out = NULL;
    enum sl_pixel_format to = read_as(e, in->format);
    enum sl_status status = SL_OK;
    if (in->memory != SL_MEMORY_HOST || to == in->format) {
        return SL_OK; /* device memory in a format that is not read is refused by the backend */
    }
    if (!e->converter || e->converts_from != in->format || e->converts_to != to) {
        struct sl_convert_params p = {.in_format = in->format,
                                      .out_format = to,
                                      .width = e->encode.width,
                                      .height = e->encode.height,
                                      .in = in->colour,
                                      .out = e->encode.colour};
        sl_converter_destroy(&e->converter);
        status = sl_converter_create(&e->converter, &p, err);
        e->converts_from = in->format;
        e->converts_to = to;
    }
    if (status == SL_OK) {
        status = sl_converter_run(e->converter, in, &out, err);
    }
    if (status == SL_OK) {
        sl_frame_unref(frame);
        *frame = out;
    }
    return status;
}

/* ---- SEI ---------------------------------------------------------------------------------- */

/* H.264 7.3.2.3, D.1.7; H.265 7.3.2.4, D.2.7: payloadType 5, size in bytes of 255 and a rest. */
enum sl_status sl_encoder_sei(enum sl_codec codec, const void *data, size_t size, uint8_t **out,
                              size_t *out_size, struct sl_error *err)
{
    static const uint8_t h264[] = {0, 0, 0, 1, 6}, hevc[] = {0, 0, 0, 1, 39 << 1, 1};
    struct sl_writer body, unit;
    sl_writer_init(&body, SL_PICTURE_SEI_MAX + 1024);
    sl_writer_init(&unit, (size_t)2 * SL_PICTURE_SEI_MAX);
    sl_write_u8(&body, 5);
    for (size_t left = size;; left -= 255) {
        sl_write_u8(&body, left < 255 ? (unsigned)left : 255);
        if (left < 255) {
            break;
        }
    }
    sl_write_bytes(&body, data, size);
    sl_write_u8(&body, 0x80); /* rbsp_trailing_bits */
    enum sl_status status = sl_writer_finish(&body, err);
    if (status == SL_OK) {
        if (codec == SL_CODEC_HEVC) {
            sl_write_bytes(&unit, hevc, sizeof hevc);
        } else {
            sl_write_bytes(&unit, h264, sizeof h264);
        }
        sl_nal_escape(body.data, body.size, &unit);
        status = sl_writer_finish(&unit, err);
    }
    sl_writer_clear(&body);
    if (status == SL_OK) {
        *out = unit.data;
        *out_size = unit.size;
        return SL_OK;
    }
    sl_writer_clear(&unit);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* A pts of the caller's is an anchor; those he leaves out follow it by the nominal rate, each
 * rounded once. */
static int64_t time_of(const struct sl_encoder *e, int64_t pts)
{
    if (pts != SL_NO_TIME || e->last_pts == SL_NO_TIME) {
        return pts != SL_NO_TIME ? pts : 0;
    }
    struct sl_rational frame = sl_rational(e->encode.frame_rate.den, e->encode.frame_rate.num);
    int64_t at =
        e->anchor + sl_rescale(e->anchored + 1, frame, e->encode.timebase, SL_ROUND_NEAREST);
    return at <= e->last_pts ? e->last_pts + 1 : at;
}

enum sl_status sl_encoder_frame(struct sl_encoder *e, const struct sl_picture *picture,
                                struct sl_encoder_flight *flight, struct sl_frame **out,
                                struct sl_buf **hold, struct sl_error *err)
{
    *out = NULL;
    *hold = NULL;
    enum sl_status status = check_picture(e, picture, err);
    if (status != SL_OK) {
        return status;
    }
    *flight = (struct sl_encoder_flight){.token = picture->token};
    if (picture->sei) {
        status = sl_encoder_sei(e->codec, picture->sei, picture->sei_size, &flight->sei,
                                &flight->sei_size, err);
    }
    int64_t start = sl_encoder_now();
    if (status == SL_OK) {
        status = wrap(e, picture, out, err);
    }
    if (status == SL_OK) {
        *hold = sl_buf_ref((*out)->buf[0]);
    }
    if (status == SL_OK && !picture->release && sl_encoder_keeps(e) &&
        picture->memory == SL_MEMORY_HOST) {
        status = copy(out, err);
    }
    int64_t copied = sl_encoder_now();
    if (status == SL_OK) {
        status = convert(e, out, err);
    }
    flight->copy_ns = copied - start;
    flight->convert_ns = sl_encoder_now() - copied;
    if (status != SL_OK) {
        sl_free(flight->sei);
        flight->sei = NULL;
        sl_frame_unref(out);
        sl_encoder_release(hold, false);
        return status;
    }
    flight->pts = time_of(e, picture->pts);
    (*out)->pts = flight->pts;
    (*out)->duration = e->frame_ticks;
    (*out)->flags = (picture->flags & SL_PICTURE_IDR) != 0 || e->idr ? SL_FRAME_KEY : 0;
    return SL_OK;
}
