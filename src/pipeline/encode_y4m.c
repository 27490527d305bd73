/* SPDX-License-Identifier: BSD-2-Clause */
/* Y4M in, scheduled H.264 and its index out. One thread; x264 has its own. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "media/colour.h"
#include "pipeline/encode_y4m_run.h"

/* ---- the source --------------------------------------------------------------------------- */

static enum sl_status open_input(struct sl_encode_y4m *e, struct sl_error *err)
{
    /* Pictures lost in a damaged file would shift all that follow it. */
    struct sl_demux_params demux = {.log = e->log, .strict = true};
    struct sl_decode_params decode = {.log = e->log};
    enum sl_status status = sl_input_open(&e->input, e->params.input_y4m, &demux, err);
    if (status != SL_OK) {
        return status;
    }
    const char *name = sl_window_name(e->input.window);
    const struct sl_demuxer *d = e->input.demuxer;
    if (strcmp(d->format, "y4m") != 0) {
        return sl_fail(err, SL_EDATA, name, "is %s, expected YUV4MPEG2", d->format);
    }
    e->track = &d->tracks[0];
    const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)e->track->pixel_format);
    if (e->track->pixel_format != SL_PIX_YUV420P) {
        return sl_fail(err, SL_EUNSUPPORTED, name, "samples are %s, only 4:2:0 of 8 bits is coded",
                       info ? info->name : "of no known format");
    }
    if (!sl_rational_valid(e->track->frame_rate)) {
        return sl_fail(err, SL_EDATA, name, "the header states no frame rate");
    }
    return sl_decode_open(&e->decoder, e->track, &decode, err);
}

/* The next picture of the source; *out NULL at its end. */
static enum sl_status read_picture(struct sl_encode_y4m *e, struct sl_frame **out,
                                   struct sl_error *err)
{
    *out = NULL;
    struct sl_packet *packet = NULL;
    enum sl_status status = sl_input_read(&e->input, &packet, err);
    if (status == SL_EOF) {
        e->ended = true;
        return SL_OK;
    }
    if (status == SL_OK) {
        status = e->decoder->ops->send(e->decoder, packet, err);
    }
    if (status == SL_OK) {
        status = e->decoder->ops->receive(e->decoder, out, err);
    }
    sl_packet_unref(&packet);
    if (status != SL_OK) {
        return sl_fail(err, status, e->params.input_y4m, "picture %lld cannot be read",
                       (long long)e->read);
    }
    (*out)->pts = e->read++;
    (*out)->duration = 1;
    return SL_OK;
}

/* Picture number display; those before it are passed over. */
static enum sl_status take_picture(struct sl_encode_y4m *e, int64_t display, struct sl_frame **out,
                                   struct sl_error *err)
{
    if (e->held_count > 0) {
        *out = e->held[0];
        memmove(&e->held[0], &e->held[1], --e->held_count * sizeof e->held[0]);
        return SL_OK;
    }
    for (;;) {
        enum sl_status status = read_picture(e, out, err);
        if (status != SL_OK) {
            return status;
        }
        if (!*out) {
            return sl_fail(err, SL_EDATA, e->params.input_y4m,
                           "the schedule names picture %lld, the input ends after %lld",
                           (long long)display, (long long)e->read);
        }
        if ((*out)->pts == display) {
            return SL_OK;
        }
        sl_frame_unref(out);
        if (sl_cancelled(&e->stop)) {
            return SL_ECANCELLED;
        }
    }
}

/* ---- groups ------------------------------------------------------------------------------- */

static enum sl_status next_made(struct sl_encode_y4m *e, struct sl_error *err)
{
    for (;;) {
        enum sl_status status = sl_schedule_maker_next(e->maker, (int64_t)e->held_count, e->ended,
                                                       e->group, &e->group_count);
        if (status != SL_EAGAIN) {
            return status;
        }
        if (e->held_count == SL_SCHEDULE_GOP_MAX) {
            return sl_fail(err, SL_EDATA, "schedule", "%d pictures are not enough for a group",
                           SL_SCHEDULE_GOP_MAX);
        }
        struct sl_frame *frame;
        status = read_picture(e, &frame, err);
        if (status != SL_OK) {
            return status;
        }
        if (frame) {
            e->held[e->held_count++] = frame;
        }
    }
}

static enum sl_status next_read(struct sl_encode_y4m *e, struct sl_error *err)
{
    const struct sl_schedule *s = &e->config.schedule;
    if (e->next_frame == s->count) {
        return SL_EOF;
    }
    e->group_count = sl_schedule_group(s, e->next_frame);
    if (e->group_count == 0 || e->group_count > SL_SCHEDULE_GOP_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, "schedule", "group of %zu pictures", e->group_count);
    }
    memcpy(e->group, s->frames + e->next_frame, e->group_count * sizeof e->group[0]);
    e->next_frame += e->group_count;
    return SL_OK;
}

/* How long a picture is shown: to the next one that is coded, in display order. The anchor is the
 * last one of its group; after it comes the first one of the next. */
static int64_t duration_of(const struct sl_encode_y4m *e, const struct sl_schedule_frame *f)
{
    const struct sl_schedule *s = &e->config.schedule;
    const struct sl_schedule_frame *in = e->group;
    size_t count = e->group_count;
    if (e->maker) {
        return 1;
    }
    if (f->display == e->group[0].display) {
        in = s->frames + e->next_frame;
        count = e->next_frame < s->count ? sl_schedule_group(s, e->next_frame) : 0;
    }
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (in[i].display > f->display && in[i].display < next) {
            next = in[i].display;
        }
    }
    return next == INT64_MAX ? 1 : next - f->display;
}

/* ---- encoding ----------------------------------------------------------------------------- */

static void report(struct sl_encode_y4m *e, bool finished)
{
    e->progress.pictures = e->files.samples;
    e->progress.bytes = e->files.offset;
    e->progress.position_us = sl_rescale(
        e->files.samples, sl_rational(e->track->frame_rate.den, e->track->frame_rate.num),
        sl_rational(1, 1000000), SL_ROUND_NEAREST);
    e->progress.finished = finished;
    if (e->events.progress) {
        e->events.progress(e->events.opaque, &e->progress);
    }
}

/* Takes the frame over; NULL drains. */
static enum sl_status code(struct sl_encode_y4m *e, struct sl_frame *frame, struct sl_error *err)
{
    enum sl_status status = e->encoder->ops->send(e->encoder, frame, err);
    sl_frame_unref(&frame);
    while (status == SL_OK) {
        struct sl_packet *packet;
        status = e->encoder->ops->receive(e->encoder, &packet, err);
        if (status != SL_OK) {
            break;
        }
        status = sl_sample_files_add(&e->files, packet, sl_x264_scheduled_last(e->encoder), err);
        sl_packet_unref(&packet);
        if (status == SL_OK) {
            report(e, false);
            status = sl_cancelled(&e->stop) ? SL_ECANCELLED : SL_OK;
        }
    }
    return status == SL_EAGAIN || status == SL_EOF ? SL_OK : status;
}

static enum sl_status code_group(struct sl_encode_y4m *e, struct sl_error *err)
{
    int64_t shown = -1;
    for (size_t i = 0; i < e->group_count; i++) {
        sl_encode_y4m_config_qp(&e->config, &e->group[i]);
    }
    enum sl_status status = sl_x264_scheduled_announce(e->encoder, e->group, e->group_count, err);
    for (size_t n = 0; n < e->group_count && status == SL_OK; n++) {
        const struct sl_schedule_frame *next = NULL;
        for (size_t i = 0; i < e->group_count; i++) {
            const struct sl_schedule_frame *f = &e->group[i];
            next = f->display > shown && (!next || f->display < next->display) ? f : next;
        }
        if (!next) {
            break;
        }
        struct sl_frame *frame = NULL;
        shown = next->display;
        status = take_picture(e, shown, &frame, err);
        if (status == SL_OK) {
            frame->duration = duration_of(e, next);
            status = code(e, frame, err);
        }
    }
    return status;
}

static enum sl_status code_scheduled(struct sl_encode_y4m *e, struct sl_error *err)
{
    for (;;) {
        enum sl_status status = e->maker ? next_made(e, err) : next_read(e, err);
        if (status == SL_EOF) {
            return SL_OK;
        }
        if (status == SL_OK) {
            status = code_group(e, err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
}

static enum sl_status code_plain(struct sl_encode_y4m *e, struct sl_error *err)
{
    for (;;) {
        struct sl_frame *frame;
        enum sl_status status = read_picture(e, &frame, err);
        if (status != SL_OK || !frame) {
            return status;
        }
        status = code(e, frame, err);
        if (status != SL_OK) {
            return status;
        }
    }
}

/* ---- open --------------------------------------------------------------------------------- */

static enum sl_status open_encoder(struct sl_encode_y4m *e, struct sl_error *err)
{
    const struct sl_encode_y4m_config *c = &e->config;
    const struct sl_schedule *schedule = NULL;
    enum sl_status status = SL_OK;
    if (c->scheduled && c->schedule.count > 0) {
        schedule = &c->schedule;
        if (schedule->rate.num > 0 &&
            sl_rational_compare(schedule->rate, e->track->frame_rate) != 0) {
            sl_log_write(e->log, SL_LOG_WARN, "encode-y4m",
                         "the schedule is for %lld/%lld pictures a second, the input has %lld/%lld",
                         (long long)schedule->rate.num, (long long)schedule->rate.den,
                         (long long)e->track->frame_rate.num, (long long)e->track->frame_rate.den);
        }
    } else if (c->scheduled) {
        struct sl_schedule_plan plan = c->plan;
        plan.rate = e->track->frame_rate;
        status = sl_schedule_maker_create(&e->maker, &plan, err);
        if (status != SL_OK) {
            return status;
        }
        schedule = sl_schedule_maker_head(e->maker);
    }
    struct sl_x264_scheduled_params params = {
        .encode =
            {
                .log = e->log,
                .timebase = {e->track->frame_rate.den, e->track->frame_rate.num},
                .threads = c->threads,
                .width = e->track->width,
                .height = e->track->height,
                .frame_rate = e->track->frame_rate,
                .sample_aspect = e->track->sample_aspect,
                .colour = e->track->colour,
                .preset = c->preset,
                .tune = c->tune,
                .profile = c->profile,
            },
        .options = c->options,
        .option_count = c->option_count,
        .schedule = schedule,
        .bframes = c->bframes,
        .step = c->step,
        .gaps = c->gaps,
    };
    status = sl_x264_scheduled_open(&e->encoder, &params, err);
    if (status == SL_OK) {
        status = sl_sample_files_open(&e->files, &e->params, e->track, schedule, err);
    }
    return status;
}

enum sl_status sl_encode_y4m_create(struct sl_encode_y4m **out,
                                    const struct sl_encode_y4m_params *params,
                                    const struct sl_encode_y4m_events *events,
                                    const struct sl_log *log, struct sl_error *err)
{
    *out = NULL;
    struct sl_encode_y4m *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->params = *params;
    e->log = log;
    if (events) {
        e->events = *events;
    }
    enum sl_status status = sl_encode_y4m_config_read(&e->config, params->config, err);
    if (status == SL_OK) {
        status = open_input(e, err);
    }
    if (status == SL_OK) {
        e->progress.duration_us = e->input.demuxer->duration;
        status = open_encoder(e, err);
    }
    if (status != SL_OK) {
        sl_encode_y4m_free(&e);
        return status;
    }
    *out = e;
    return SL_OK;
}

enum sl_status sl_encode_y4m_execute(struct sl_encode_y4m *e, struct sl_error *err)
{
    if (!e->encoder) {
        return sl_fail(err, SL_EINVAL, e->params.input_y4m, "has been encoded already");
    }
    enum sl_status status = e->config.scheduled ? code_scheduled(e, err) : code_plain(e, err);
    if (status == SL_OK) {
        status = code(e, NULL, err);
    }
    if (status == SL_OK && e->files.samples == 0) {
        status = sl_fail(err, SL_EDATA, e->params.input_y4m, "has no picture");
    }
    if (status == SL_OK && sl_cancelled(&e->stop)) {
        status = SL_ECANCELLED;
    }
    if (status == SL_ECANCELLED) {
        (void)sl_fail(err, status, e->params.input_y4m, "stopped after %lld pictures",
                      (long long)e->files.samples);
    }
    if (status == SL_OK) {
        status = sl_sample_files_commit(&e->files, &e->params, err);
    }
    if (status == SL_OK) {
        report(e, true);
    }
    sl_sample_files_abort(&e->files);
    sl_encode_destroy(&e->encoder);
    return status;
}

void sl_encode_y4m_request_stop(struct sl_encode_y4m *e)
{
    sl_cancel_set(&e->stop);
}

void sl_encode_y4m_free(struct sl_encode_y4m **encode)
{
    struct sl_encode_y4m *e = encode ? *encode : NULL;
    if (!e) {
        return;
    }
    sl_encode_destroy(&e->encoder);
    sl_sample_files_abort(&e->files);
    sl_schedule_maker_destroy(&e->maker);
    for (size_t i = 0; i < e->held_count; i++) {
        sl_frame_unref(&e->held[i]);
    }
    sl_decode_destroy(&e->decoder);
    sl_input_close(&e->input);
    sl_encode_y4m_config_clear(&e->config);
    sl_free(e);
    *encode = NULL;
}
