/* SPDX-License-Identifier: BSD-2-Clause */
/* Y4M or raw frames in, a stream and a line about each of its units out. One thread; backends have
 * their own. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "demux/demuxers.h"
#include "pipeline/encode_file_run.h"
#include "source/source.h"

static const enum sl_pixel_format formats[] = {
    [SL_PICTURE_NV12] = SL_PIX_NV12,    [SL_PICTURE_I420] = SL_PIX_YUV420P,
    [SL_PICTURE_I444] = SL_PIX_YUV444P, [SL_PICTURE_P010] = SL_PIX_P010,
    [SL_PICTURE_RGB24] = SL_PIX_RGB24,  [SL_PICTURE_BGR24] = SL_PIX_BGR24,
    [SL_PICTURE_RGBA] = SL_PIX_RGBA,    [SL_PICTURE_BGRA] = SL_PIX_BGRA,
};

/* ---- the input ---------------------------------------------------------------------------- */

static enum sl_status describe_raw(const struct sl_encode_file *f, struct sl_demux_params *demux,
                                   struct sl_error *err)
{
    const struct sl_encoder_params *p = &f->settings;
    if (p->size[0] == 0 || p->size[1] == 0 || !sl_rational_valid(p->rate)) {
        return sl_fail(err, SL_EINVAL, "raw",
                       "raw frames need --size WIDTHxHEIGHT and --rate N/D as well");
    }
    demux->raw_format = formats[f->params.raw - 1];
    demux->raw_width = p->size[0];
    demux->raw_height = p->size[1];
    return SL_OK;
}

/* What the header of a Y4M says, where the caller has not said it. */
static enum sl_status take_header(struct sl_encode_file *f, struct sl_error *err)
{
    const struct sl_track *t = f->track;
    struct sl_encoder_params *p = &f->settings;
    if (p->size[0] == 0 && p->size[1] == 0) {
        p->size[0] = t->width;
        p->size[1] = t->height;
    }
    if (p->size[0] != t->width || p->size[1] != t->height) {
        return sl_fail(err, SL_EINVAL, "size", "%dx%d, the pictures are %dx%d", p->size[0],
                       p->size[1], t->width, t->height);
    }
    if (p->rate.num == 0) {
        p->rate = t->frame_rate;
    }
    if (p->sample_aspect.num == 0 && sl_rational_valid(t->sample_aspect)) {
        p->sample_aspect = t->sample_aspect;
    }
    if (p->range == SL_RANGE_UNSPECIFIED) {
        p->range = t->colour.range;
    }
    if (p->chroma_location == 0 && t->pixel_format == SL_PIX_YUV420P) {
        p->chroma_location = t->colour.chroma_location;
    }
    return SL_OK;
}

static enum sl_status check_format(struct sl_encode_file *f, const char *name, struct sl_error *err)
{
    enum sl_pixel_format is = (enum sl_pixel_format)f->track->pixel_format;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i] == is) {
            f->format = (int)i;
            return SL_OK;
        }
    }
    const struct sl_pixel_info *info = sl_pixel_info(is);
    return sl_fail(err, SL_EUNSUPPORTED, name,
                   "samples are %s, expected 4:2:0 or 4:4:4 of 8 bits (C420…, C444)",
                   info ? info->name : "of no known format");
}

static enum sl_status open_input(struct sl_encode_file *f, struct sl_error *err)
{
    /* Pictures lost in a damaged file would shift all that follow it. */
    struct sl_demux_params demux = {.log = f->log, .strict = true, .raw_rate = f->settings.rate};
    struct sl_decode_params decode = {.log = f->log};
    enum sl_status status = f->params.raw ? describe_raw(f, &demux, err) : SL_OK;
    if (status == SL_OK) {
        status = sl_source_open(&f->input.source, f->params.input, err);
    }
    if (status == SL_OK) {
        status = sl_window_create(&f->input.window, &f->input.source->bytes, err);
    }
    if (status == SL_OK) { /* these two alone: whatever else it is, it would have to be decoded */
        const struct sl_demuxer_ops *ops = f->params.raw ? &sl_demux_raw : &sl_demux_y4m;
        status = ops->open(&f->input.demuxer, f->input.window, &demux, err);
    }
    if (status != SL_OK) {
        return status;
    }
    f->track = &f->input.demuxer->tracks[0];
    status = check_format(f, sl_window_name(f->input.window), err);
    if (status == SL_OK) {
        status = take_header(f, err);
    }
    return status == SL_OK ? sl_decode_open(&f->decoder, f->track, &decode, err) : status;
}

/* The next picture of the input. SL_EOF at its end. */
static enum sl_status read_picture(struct sl_encode_file *f, struct sl_frame **out,
                                   struct sl_error *err)
{
    struct sl_packet *packet = NULL;
    enum sl_status status = sl_input_read(&f->input, &packet, err);
    if (status == SL_EOF) {
        return status;
    }
    if (status == SL_OK) {
        status = f->decoder->ops->send(f->decoder, packet, err);
    }
    if (status == SL_OK) {
        status = f->decoder->ops->receive(f->decoder, out, err);
    }
    sl_packet_unref(&packet);
    if (status != SL_OK) {
        return sl_fail(err, status, f->params.input, "picture %" PRId64 " cannot be read", f->read);
    }
    f->read++;
    return SL_OK;
}

/* ---- encoding ----------------------------------------------------------------------------- */

static struct sl_rational frame_time(const struct sl_encode_file *f)
{
    return sl_rational(f->settings.rate.den, f->settings.rate.num);
}

static void report(struct sl_encode_file *f, bool finished)
{
    f->progress.finished = finished;
    f->progress.position_us =
        sl_rescale(f->progress.pictures, frame_time(f), sl_rational(1, 1000000), SL_ROUND_NEAREST);
    if (f->events.progress) {
        f->events.progress(f->events.opaque, &f->progress);
    }
}

/* Units that are ready, to both outputs. SL_EAGAIN or SL_EOF where there are no more. */
static enum sl_status take_units(struct sl_encode_file *f, struct sl_error *err)
{
    for (;;) {
        struct sl_access_unit unit;
        enum sl_status status = sl_encoder_pull(f->encoder, &unit, err);
        if (status != SL_OK) {
            return status;
        }
        f->progress.pictures++;
        f->progress.bytes += (int64_t)unit.size;
        status = sl_encode_sink_write(&f->stream, unit.data, unit.size, err);
        if (status == SL_OK) {
            status = sl_encode_lines_stream(&f->lines, f->encoder, &f->settings, err);
        }
        if (status == SL_OK) {
            status = sl_encode_lines_unit(&f->lines, &unit, err);
        }
        struct sl_buf *owner = unit.owner;
        sl_buf_unref(&owner);
        if (status != SL_OK) {
            return status;
        }
        report(f, false);
    }
}

static void let_go(void *opaque)
{
    struct sl_frame *frame = opaque;
    sl_frame_unref(&frame);
}

/* Takes the frame over. */
static enum sl_status code(struct sl_encode_file *f, struct sl_frame *frame, int64_t number,
                           bool idr, struct sl_error *err)
{
    struct sl_picture picture = {
        .struct_size = sizeof picture,
        .format = f->format,
        .flags = idr ? SL_PICTURE_IDR : 0,
        .width = frame->width,
        .height = frame->height,
        .token = (uint64_t)number,
        .pts = f->settings.timebase.num
                   ? sl_rescale(number, frame_time(f), f->settings.timebase, SL_ROUND_NEAREST)
                   : number,
        .release = let_go,
        .opaque = frame,
    };
    for (int i = 0; i < sl_pixel_info(frame->format)->planes; i++) {
        picture.plane[i] = frame->plane[i];
        picture.stride[i] = frame->stride[i];
    }
    enum sl_status status = sl_encoder_push(f->encoder, &picture, err);
    if (status != SL_OK) { /* not taken: release is not called */
        sl_frame_unref(&frame);
        return status == SL_EAGAIN ? sl_fail(err, SL_EDATA, "encoder", "units cannot be taken out")
                                   : status;
    }
    status = take_units(f, err);
    return status == SL_EAGAIN ? SL_OK : status;
}

static enum sl_status code_all(struct sl_encode_file *f, struct sl_error *err)
{
    for (;;) {
        struct sl_frame *frame = NULL;
        bool idr = false;
        int64_t number = f->read;
        enum sl_status status = read_picture(f, &frame, err);
        if (status == SL_EOF) {
            return SL_OK;
        }
        if (status != SL_OK) {
            return status;
        }
        status = sl_encode_changes_apply(&f->changes, number, f->encoder, &f->settings, &idr, err);
        if (status != SL_OK) {
            sl_frame_unref(&frame);
            return status;
        }
        status = code(f, frame, number, idr, err);
        if (status == SL_OK && sl_cancelled(&f->stop)) {
            status = SL_ECANCELLED;
        }
        if (status != SL_OK) {
            return status;
        }
    }
}

static void summarise(const struct sl_encode_file *f)
{
    struct sl_encoder_stats s;
    struct sl_encoder_info info;
    sl_encoder_count(f->encoder, &s);
    if (sl_encoder_look(f->encoder, &info, NULL) != SL_OK) {
        return;
    }
    int64_t us = f->progress.position_us > 0 ? f->progress.position_us : 1;
    sl_log_write(f->log, SL_LOG_INFO, "encode",
                 "%s, %s: %" PRId64 " pictures, %" PRId64 " IDR, %" PRId64 " bytes, %" PRId64
                 " kbit/s; for each %" PRId64 " us to copy, %" PRId64 " to convert, %" PRId64
                 " to encode",
                 info.backend, sl_encoder_codecs(f->encoder), s.units, s.keys, s.bytes,
                 sl_muldiv(s.bytes, 8000, us, SL_ROUND_NEAREST), s.copy_ns / s.units / 1000,
                 s.convert_ns / s.units / 1000, s.encode_ns / s.units / 1000);
    if (f->changes.next < f->changes.count) {
        sl_log_write(f->log, SL_LOG_WARN, "encode",
                     "the input ended before picture %" PRId64 ", where something was to change",
                     f->changes.items[f->changes.next].picture);
    }
}

/* Both files or none. */
static enum sl_status commit(struct sl_encode_file *f, struct sl_error *err)
{
    bool plain = f->stream.file && !sl_publish_is_special(f->stream.file);
    enum sl_status status = sl_encode_lines_flush(&f->lines, err);
    if (status == SL_OK) {
        status = sl_encode_sink_commit(&f->stream, err);
    }
    if (status == SL_OK) {
        status = sl_encode_sink_commit(&f->lines.sink, err);
        if (status != SL_OK && plain) {
            (void)unlink(f->params.output);
        }
    }
    return status;
}

/* ---- open --------------------------------------------------------------------------------- */

static enum sl_status open_all(struct sl_encode_file *f, struct sl_error *err)
{
    enum sl_status status = open_input(f, err);
    if (status != SL_OK) {
        return status;
    }
    f->progress.duration_us = f->input.demuxer->duration;
    status = sl_encoder_create(&f->encoder, &f->settings, f->log, err);
    if (status == SL_OK) {
        status = sl_encode_changes_open(&f->changes, &f->params, &f->settings, err);
    }
    if (status == SL_OK) {
        status = sl_encode_sink_open(&f->stream, f->params.output, err);
    }
    if (status == SL_OK) {
        status = sl_encode_lines_open(&f->lines, f->params.stats, err);
    }
    if (status == SL_OK) {
        status = sl_encode_lines_stream(&f->lines, f->encoder, &f->settings, err);
    }
    return status;
}

enum sl_status sl_encode_file_create(struct sl_encode_file **out,
                                     const struct sl_encode_file_params *params,
                                     const struct sl_encoder_params *encoder,
                                     const struct sl_encode_file_events *events,
                                     const struct sl_log *log, struct sl_error *err)
{
    *out = NULL;
    struct sl_encode_file *f = sl_alloc_zero(sizeof *f);
    if (!f) {
        return sl_fail_memory(err);
    }
    f->params = *params;
    f->settings = *encoder;
    f->log = log;
    if (events) {
        f->events = *events;
    }
    enum sl_status status = open_all(f, err);
    if (status != SL_OK) {
        sl_encode_file_free(&f);
        return status;
    }
    f->params.changes = NULL; /* the caller's */
    *out = f;
    return SL_OK;
}

enum sl_status sl_encode_file_execute(struct sl_encode_file *f, struct sl_error *err)
{
    if (f->done) {
        return sl_fail(err, SL_EINVAL, f->params.input, "has been encoded already");
    }
    f->done = true;
    enum sl_status status = code_all(f, err);
    if (status == SL_OK && f->read == 0) {
        status = sl_fail(err, SL_EDATA, f->params.input, "has no picture");
    }
    if (status == SL_OK) {
        status = sl_encoder_finish(f->encoder, err);
    }
    if (status == SL_OK) {
        status = take_units(f, err);
        status = status == SL_EOF ? SL_OK : status;
    }
    if (status == SL_OK && sl_cancelled(&f->stop)) {
        status = SL_ECANCELLED;
    }
    if (status == SL_ECANCELLED) {
        (void)sl_fail(err, status, f->params.input, "stopped after %" PRId64 " pictures",
                      f->progress.pictures);
    }
    if (status == SL_OK) {
        status = commit(f, err);
    }
    if (status == SL_OK) {
        report(f, true);
        summarise(f);
    }
    sl_encode_sink_abort(&f->stream);
    sl_encode_lines_abort(&f->lines);
    return status;
}

void sl_encode_file_request_stop(struct sl_encode_file *f)
{
    sl_cancel_set(&f->stop);
}

void sl_encode_file_free(struct sl_encode_file **encode)
{
    struct sl_encode_file *f = encode ? *encode : NULL;
    if (!f) {
        return;
    }
    sl_encoder_free(&f->encoder);
    sl_encode_sink_abort(&f->stream);
    sl_encode_lines_abort(&f->lines);
    sl_encode_changes_clear(&f->changes);
    sl_decode_destroy(&f->decoder);
    sl_input_close(&f->input);
    sl_free(f);
    *encode = NULL;
}
