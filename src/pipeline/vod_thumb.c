/* SPDX-License-Identifier: BSD-2-Clause */
/* One picture of a source, small: the key frame at or before a time. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/jpeg.h"
#include "encode/png.h"
#include "filter/packed.h"
#include "filter/scale.h"
#include "pipeline/vod_run.h"

#define JPEG_QUALITY 4
#define TRIES        64 /* packets handed to the decoder until it gives a picture */
#define SIDE_MAX     4096

/* The track that pictures are taken from: a cover where there is nothing that moves. */
static size_t picture_track(const struct sl_vod *v)
{
    size_t found = v->picture;
    for (size_t i = 0; i < v->info.track_count && found == v->info.track_count; i++) {
        if (v->tracks[i].kind == SL_KIND_VIDEO) {
            found = i;
        }
    }
    return found;
}

static enum sl_status go_to(struct vod_job *j, size_t track, struct sl_rational time,
                            struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    int64_t at = VOD_FIRST;
    if (track == v->picture) {
        at = v->zero +
             sl_rescale(time.num, sl_rational(1, time.den), v->zero_base, SL_ROUND_NEAREST);
        return sl_vod_seek(j, track, at, UINT64_C(1) << track, err);
    }
    /* A cover has no times to go to; where it cannot be sought it comes first anyway. */
    enum sl_status st = sl_vod_seek(j, track, VOD_FIRST, UINT64_C(1) << track, NULL);
    return st == SL_EINVAL || st == SL_EUNSUPPORTED ? SL_OK : st;
}

/* The first picture from there on that can be decoded by itself. Reading stops with its packet. */
static enum sl_status decode(struct vod_job *j, size_t track, struct sl_frame **out,
                             struct sl_error *err)
{
    struct sl_decode_params params = {.log = j->vod->log, .threads = 1};
    struct sl_decoder *d = NULL;
    enum sl_status st = sl_decode_open(&d, &j->vod->tracks[track], &params, err);
    for (int i = 0; i < TRIES && st == SL_OK && !*out; i++) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        if (st == SL_OK && p->track != track) {
            sl_packet_unref(&p);
            continue;
        }
        if (st == SL_OK) {
            p->flags &= ~(uint32_t)SL_PACKET_HIDDEN;
            st = d->ops->send(d, p, err);
        }
        /* The end is stated after each, so that nothing waits for pictures that are not needed. */
        if (st == SL_OK && d->ops->flush) {
            st = d->ops->send(d, NULL, err);
        }
        if (st == SL_OK) {
            st = d->ops->receive(d, out, err);
        }
        if (st == SL_EOF && !*out && p && d->ops->flush) {
            d->ops->flush(d);
            st = SL_OK;
        }
        st = st == SL_EAGAIN || st == SL_EDATA ? SL_OK : st;
        sl_packet_unref(&p);
    }
    sl_decode_destroy(&d);
    return *out ? SL_OK
           : st == SL_OK || st == SL_EOF
               ? sl_fail(err, SL_EDATA, j->vod->where, "no picture could be decoded there")
               : st;
}

/* Even sides within width x height, in the shape in which the picture is shown. */
static void fit(const struct sl_track *t, const struct sl_frame *f, int32_t width, int32_t height,
                struct sl_scale_params *scale)
{
    struct sl_rational aspect =
        sl_rational_valid(f->sample_aspect) ? f->sample_aspect : t->sample_aspect;
    int64_t w = f->width, h = f->height;
    if (sl_rational_valid(aspect)) {
        w = sl_muldiv(w, aspect.num, aspect.den, SL_ROUND_NEAREST);
    }
    if (t->rotation == 90 || t->rotation == 270) {
        int64_t was = w;
        w = h;
        h = was;
    }
    w = w < 1 ? 1 : w;
    if (w > width) {
        h = sl_muldiv(h, width, w, SL_ROUND_NEAREST);
        w = width;
    }
    if (h > height) {
        w = sl_muldiv(w, height, h, SL_ROUND_NEAREST);
        h = height;
    }
    scale->width = (int32_t)(w < 2 ? 2 : w & ~INT64_C(1));
    scale->height = (int32_t)(h < 2 ? 2 : h & ~INT64_C(1));
}

static enum sl_status shape(const struct sl_track *t, struct sl_frame *frame, int32_t width,
                            int32_t height, enum sl_vod_picture form, struct sl_frame **out,
                            struct sl_error *err)
{
    struct sl_scaler *scaler = NULL;
    struct sl_scale_params scale = {
        .rotation = t->rotation,
        .flip = t->flip,
        .colour =
            sl_scale_colour(frame->format, frame->colour, frame->height, t->rotation, t->flip),
    };
    fit(t, frame, width, height, &scale);
    if (form == SL_VOD_JPEG) { /* JFIF 1.02: BT.601, all 256 levels, chroma in the middle */
        scale.colour.matrix = 6;
        scale.colour.range = SL_RANGE_FULL;
        scale.colour.chroma_location = 2;
    }
    enum sl_status st = sl_scaler_create(&scaler, &scale, err);
    if (st == SL_OK) {
        st = sl_scaler_run(scaler, frame, out, err);
    }
    sl_scaler_destroy(&scaler);
    return st;
}

static enum sl_status write_png(const struct sl_frame *f, struct sl_chain *out,
                                struct sl_error *err)
{
    struct sl_packer *packer = NULL;
    struct sl_writer w = {.data = NULL};
    uint8_t *pixels = NULL;
    size_t size = 0;
    enum sl_status st = sl_packer_create(&packer, SL_PIX_RGB24, err);
    if (st == SL_OK) {
        st = sl_packer_size(packer, f->width, f->height, &size, err);
    }
    if (st == SL_OK) {
        pixels = sl_alloc(size);
        st = pixels ? sl_packer_run(packer, f, pixels, err) : sl_fail_memory(err);
    }
    if (st == SL_OK) {
        struct sl_colour colour = sl_packer_colour(packer, f);
        sl_writer_init(&w, size + size / 8 + 65536);
        st = sl_png_write(&w, pixels, f->width, f->height, &colour, err);
    }
    if (st == SL_OK) {
        st = sl_chain_add_copy(out, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    sl_free(pixels);
    sl_packer_destroy(&packer);
    return st;
}

static enum sl_status write_jpeg(const struct sl_frame *f, struct sl_chain *out,
                                 struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status st = sl_jpeg_write(&buf, f, JPEG_QUALITY, err);
    if (st == SL_OK) {
        st = sl_chain_add_buf(out, buf, 0, buf->size, err);
    }
    sl_buf_unref(&buf);
    return st;
}

static enum sl_status take(struct sl_vod *v, size_t track, struct sl_rational time,
                           struct sl_frame **out, const struct sl_cancel *cancel,
                           struct sl_error *err)
{
    struct vod_job j = {.vod = NULL};
    enum sl_status st = sl_vod_begin(&j, v, cancel, err);
    if (st == SL_OK) {
        st = go_to(&j, track, time, err);
    }
    if (st == SL_OK) {
        st = decode(&j, track, out, err);
    }
    sl_vod_end(&j);
    return st;
}

// NOLINTNEXTLINE(readability-function-size): each argument is one thing that may be asked for
enum sl_status sl_vod_thumbnail(struct sl_vod *v, struct sl_rational time, int32_t width,
                                int32_t height, enum sl_vod_picture form, struct sl_chain *out,
                                const struct sl_cancel *cancel, struct sl_error *err)
{
    struct sl_frame *frame = NULL, *shaped = NULL;
    size_t track = picture_track(v);
    if (time.den <= 0 || time.num < 0 || width < 2 || height < 2 || width > SIDE_MAX ||
        height > SIDE_MAX) {
        return sl_fail(err, SL_EINVAL, "thumbnail",
                       "time %lld/%lld in %dx%d, expected 0 or later and 2 to %d a side",
                       (long long)time.num, (long long)time.den, (int)width, (int)height, SIDE_MAX);
    }
    if (track == v->info.track_count) {
        return sl_fail(err, SL_ENOTFOUND, v->where, "has no pictures");
    }
    enum sl_status st = take(v, track, time, &frame, cancel, err);
    if (st == SL_OK) {
        st = shape(&v->tracks[track], frame, width, height, form, &shaped, err);
    }
    if (st == SL_OK) {
        st = form == SL_VOD_JPEG ? write_jpeg(shaped, out, err) : write_png(shaped, out, err);
    }
    sl_frame_unref(&frame);
    sl_frame_unref(&shaped);
    return st;
}
