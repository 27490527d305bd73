/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures that were never coded: the frame's planes point into the packet's payload. */
#include "base/alloc.h"
#include "base/error.h"
#include "decode/decoders.h"
#include "media/track.h"

struct raw {
    struct sl_decoder decoder; /* first: handed out as this */
    struct sl_track track;
    size_t size;            /* of each payload, bytes */
    struct sl_frame *frame; /* sent, not yet received */
    bool drained;
};

static int raw_probe(const struct sl_track *track)
{
    return track->kind == SL_KIND_VIDEO && track->codec == SL_CODEC_RAWVIDEO &&
                   sl_pixel_info((enum sl_pixel_format)track->pixel_format)
               ? 100
               : 0;
}

static void raw_destroy(struct sl_decoder *decoder)
{
    struct raw *d = (struct raw *)decoder;
    sl_frame_unref(&d->frame);
    sl_track_clear(&d->track);
    sl_free(d);
}

static enum sl_status payload_size(const struct sl_track *t, size_t *out, struct sl_error *err)
{
    enum sl_pixel_format format = (enum sl_pixel_format)t->pixel_format;
    size_t unused = 0;
    *out = 0;
    /* The limits of a frame bound the products below. */
    if (!sl_frame_video_size(format, t->width, t->height, &unused)) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "raw pictures of %dx%d", (int)t->width,
                       (int)t->height);
    }
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        *out += (size_t)sl_plane_bytes(format, i, t->width) *
                (size_t)sl_plane_rows(format, i, t->height);
    }
    return SL_OK;
}

static enum sl_status raw_open(struct sl_decoder **out, const struct sl_track *track,
                               const struct sl_decode_params *params, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct raw *d = sl_alloc_zero(sizeof *d);

    (void)params;
    *out = NULL;
    if (!d) {
        return sl_fail_memory(err);
    }
    sl_track_init(&d->track);
    d->decoder.ops = &sl_decode_raw;
    status = sl_track_copy(&d->track, track, err);
    if (status != SL_OK) {
        goto out;
    }
    status = payload_size(track, &d->size, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = &d->decoder;
    d = NULL;
out:
    if (d) {
        raw_destroy(&d->decoder);
    }
    return status;
}

static enum sl_status make_frame(const struct raw *d, struct sl_packet *packet,
                                 struct sl_frame **out, struct sl_error *err)
{
    enum sl_pixel_format format = (enum sl_pixel_format)d->track.pixel_format;
    size_t at = 0;
    struct sl_frame *f = NULL;
    enum sl_status status = sl_frame_create(&f, SL_KIND_VIDEO, err);

    if (status != SL_OK) {
        goto out;
    }
    status = sl_chain_load(&packet->payload, &f->buf[0], err);
    if (status != SL_OK) {
        goto out;
    }
    f->pts = packet->pts;
    f->duration = packet->duration;
    f->format = format;
    f->width = d->track.width;
    f->height = d->track.height;
    f->sample_aspect = d->track.sample_aspect;
    f->colour = d->track.colour;
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        f->plane[i] = f->buf[0]->data + at;
        f->stride[i] = (ptrdiff_t)sl_plane_bytes(format, i, f->width);
        at += (size_t)f->stride[i] * (size_t)sl_plane_rows(format, i, f->height);
    }
    *out = f;
    f = NULL;
out:
    sl_frame_unref(&f);
    return status;
}

static enum sl_status raw_send(struct sl_decoder *decoder, struct sl_packet *packet,
                               struct sl_error *err)
{
    struct raw *d = (struct raw *)decoder;
    enum sl_status status = SL_OK;

    if (!packet) {
        d->drained = true;
        return SL_OK;
    }
    if (d->frame) {
        return SL_EAGAIN;
    }
    if ((uint64_t)packet->payload.size != d->size) {
        status = sl_fail(err, SL_EDATA, NULL, "raw picture of %lld bytes, %zu were expected",
                         (long long)packet->payload.size, d->size);
    } else if (!(packet->flags & SL_PACKET_HIDDEN)) {
        status = make_frame(d, packet, &d->frame, err);
    }
    return status;
}

static enum sl_status raw_receive(struct sl_decoder *decoder, struct sl_frame **out,
                                  struct sl_error *err)
{
    struct raw *d = (struct raw *)decoder;
    (void)err;
    *out = d->frame;
    if (d->frame) {
        d->frame = NULL;
        return SL_OK;
    }
    return d->drained ? SL_EOF : SL_EAGAIN;
}

const struct sl_decoder_ops sl_decode_raw = {
    .name = "raw",
    .probe = raw_probe,
    .open = raw_open,
    .send = raw_send,
    .receive = raw_receive,
    .destroy = raw_destroy,
};
