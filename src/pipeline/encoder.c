/* SPDX-License-Identifier: BSD-2-Clause */
/* An encoder's life: pictures go in, units come out with what went in with their pictures. */
#include "pipeline/encoder.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/nal.h"
#include "pipeline/encoder_run.h"

static enum sl_status usable(const struct sl_encoder *e, struct sl_error *err)
{
    if (e->closed) {
        return sl_fail(err, SL_EINVAL, "encoder", "is closed");
    }
    return e->broken ? sl_fail(err, e->broken, "encoder", "has failed before") : SL_OK;
}

enum sl_status sl_encoder_create(struct sl_encoder **out, const struct sl_encoder_params *params,
                                 const struct sl_log *log, struct sl_error *err)
{
    *out = NULL;
    struct sl_encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->log = log;
    e->last_pts = SL_NO_TIME;
    e->fresh = true;
    enum sl_status status = sl_encoder_take_params(e, params, err);
    if (status == SL_OK) {
        status = sl_encoder_choose(e, err);
    }
    if (status != SL_OK) {
        sl_encoder_free(&e);
        return status;
    }
    *out = e;
    return SL_OK;
}

/* ---- rings -------------------------------------------------------------------------------- */

static struct sl_encoder_flight *flight_at(struct sl_encoder *e, size_t i)
{
    return &e->flights[(e->first_flight + i) % SL_ENCODER_FLIGHTS];
}

static void clear_flight(struct sl_encoder_flight *f)
{
    sl_frame_unref(&f->frame);
    sl_free(f->sei);
    *f = (struct sl_encoder_flight){.pts = SL_NO_TIME};
}

/* Takes out the flight of this pts: the first one, unless the backend reorders. */
static bool land(struct sl_encoder *e, int64_t pts, struct sl_encoder_flight *out)
{
    for (size_t i = 0; i < e->flight_count; i++) {
        if (flight_at(e, i)->pts != pts) {
            continue;
        }
        *out = *flight_at(e, i);
        for (; i > 0; i--) { /* few are before it: those of one group of B pictures */
            *flight_at(e, i) = *flight_at(e, i - 1);
        }
        e->first_flight = (e->first_flight + 1) % SL_ENCODER_FLIGHTS;
        e->flight_count--;
        return true;
    }
    return false;
}

/* ---- decoding times ----------------------------------------------------------------------- */

/* Presentation times in order, later by the reorder depth: unit n is decoded when picture
 * n - depth is shown, the first ones that many frames earlier. */
static int64_t next_dts(struct sl_encoder *e, const struct sl_packet *packet)
{
    if (e->lead > 0) {
        return e->first - e->lead-- * e->frame_ticks;
    }
    if (e->order_count == 0) {
        return packet->pts; /* land() is going to refuse it */
    }
    int64_t dts = e->order[e->first_order];
    e->first_order = (e->first_order + 1) % SL_ENCODER_FLIGHTS;
    e->order_count--;
    return dts;
}

static void note_time(struct sl_encoder *e, int64_t pts)
{
    if (e->fresh) {
        int32_t reorder = e->coder->track.reorder;
        e->lead = reorder > 0 ? reorder : 0;
        e->first = pts;
        e->first_order = e->order_count = 0;
        e->fresh = false;
    }
    e->order[(e->first_order + e->order_count++) % SL_ENCODER_FLIGHTS] = pts;
}

/* ---- the coder ---------------------------------------------------------------------------- */

/* Takes what is there. SL_OK: no more for now, or drained (then *drained). */
static enum sl_status collect(struct sl_encoder *e, bool *drained, struct sl_error *err)
{
    for (;;) {
        struct sl_packet *packet = NULL;
        if (e->ready_count == SL_ENCODER_FLIGHTS) {
            return sl_fail(err, SL_EDATA, e->ops->name,
                           "gives more units than it was given pictures");
        }
        enum sl_status status = e->coder->ops->receive(e->coder, &packet, err);
        if (status == SL_EAGAIN || status == SL_EOF) {
            *drained = status == SL_EOF;
            return SL_OK;
        }
        if (status != SL_OK) {
            return status;
        }
        packet->dts = next_dts(e, packet);
        e->ready[(e->first_ready + e->ready_count++) % SL_ENCODER_FLIGHTS] = packet;
    }
}

static enum sl_status send(struct sl_encoder *e, struct sl_frame *frame, struct sl_error *err)
{
    bool drained = false;
    note_time(e, frame->pts);
    enum sl_status status = e->coder->ops->send(e->coder, frame, err);
    while (status == SL_EAGAIN) {
        size_t before = e->ready_count;
        status = collect(e, &drained, err);
        if (status == SL_OK) {
            status = e->ready_count == before
                         ? sl_fail(err, SL_EDATA, e->ops->name, "takes nothing and gives nothing")
                         : e->coder->ops->send(e->coder, frame, err);
        }
    }
    return status == SL_OK ? collect(e, &drained, err) : status;
}

/* Another backend takes over: it is given again what the lost one still had. */
static enum sl_status replace(struct sl_encoder *e, struct sl_frame *frame, enum sl_status status,
                              struct sl_error *err)
{
    while (status == SL_EIO) {
        status = sl_encoder_replace(e, status, err);
        if (status != SL_OK) {
            return status;
        }
        /* Units that are ready came out before the loss; flights without a unit did not. */
        bool first = true;
        e->fresh = true;
        size_t landed = e->ready_count;
        for (size_t i = landed; i < e->flight_count && status == SL_OK; i++) {
            struct sl_encoder_flight *f = flight_at(e, i);
            struct sl_frame *again = NULL;
            struct sl_frame *from = f->frame ? f->frame : f->pts == frame->pts ? frame : NULL;
            if (!from) {
                continue; /* lost: its memory was the device's */
            }
            status = sl_frame_share(&again, from, err);
            if (status == SL_OK) {
                again->pts = f->pts;
                again->duration = e->frame_ticks;
                again->flags = first ? SL_FRAME_KEY : from->flags;
                first = false;
                status = send(e, again, err);
            }
            sl_frame_unref(&again);
        }
    }
    return status;
}

/* Gets the last units out of the coder, which can take no more pictures then. */
static enum sl_status empty(struct sl_encoder *e, struct sl_error *err)
{
    bool drained = false;
    enum sl_status status = e->coder->ops->send(e->coder, NULL, err);
    while (status == SL_EAGAIN) {
        status = collect(e, &drained, err);
        if (status == SL_OK) {
            status = e->coder->ops->send(e->coder, NULL, err);
        }
    }
    if (status == SL_OK) {
        status = collect(e, &drained, err);
    }
    if (status == SL_OK && !drained) {
        status = sl_fail(err, SL_EDATA, e->ops->name, "cannot be drained");
    }
    return status;
}

/* ---- pictures in -------------------------------------------------------------------------- */

static bool is_full(const struct sl_encoder *e)
{
    switch (e->encode.latency) {
    case SL_LATENCY_SYNC:
        return e->flight_count > 0;
    case SL_LATENCY_PIPELINED:
        return e->flight_count > (size_t)e->encode.depth + (size_t)e->encode.extra_delay;
    default:
        return e->ready_count >= SL_ENCODER_READY || e->flight_count == SL_ENCODER_FLIGHTS;
    }
}

enum sl_status sl_encoder_push(struct sl_encoder *e, const struct sl_picture *picture,
                               struct sl_error *err)
{
    enum sl_status status = usable(e, err);
    if (status != SL_OK) {
        return status;
    }
    if (is_full(e) || (e->draining && e->flight_count > 0)) {
        return SL_EAGAIN;
    }
    if (e->draining) { /* drained: begin anew */
        status = sl_encoder_reopen(e, err);
        if (status != SL_OK) {
            return status;
        }
        e->draining = false;
        e->idr = e->fresh = true;
    }
    struct sl_encoder_flight flight;
    struct sl_frame *frame;
    struct sl_buf *hold;
    status = sl_encoder_frame(e, picture, &flight, &frame, &hold, err);
    if (status != SL_OK) {
        return status;
    }
    bool fresh = e->fresh;
    size_t timed = e->order_count;
    flight.started = sl_encoder_now();
    flight.frame = sl_encoder_keeps(e) ? sl_frame_ref(frame) : NULL;
    *flight_at(e, e->flight_count++) = flight;
    status = send(e, frame, err);
    if (status == SL_EIO) {
        status = replace(e, frame, status, err);
    }
    if (status == SL_OK && e->encode.latency == SL_LATENCY_SYNC && e->ready_count != 1) {
        status = sl_fail(err, SL_EDATA, e->ops->name, "holds a picture back in sync mode");
    }
    flight_at(e, e->flight_count - 1)->encode_ns = sl_encoder_now() - flight.started;
    sl_frame_unref(&frame);
    sl_encoder_release(&hold, status == SL_OK);
    if (status != SL_OK) {
        clear_flight(flight_at(e, --e->flight_count));
        if (status != SL_EINVAL && status != SL_ENOMEM && status != SL_EUNSUPPORTED) {
            e->broken = status;
        } else if (e->order_count > timed) { /* as if it had not been sent */
            e->order_count = timed;
            e->fresh = fresh;
        }
        return status;
    }
    e->history[e->history_count % SL_ENCODER_HISTORY].token = flight.token;
    e->history[e->history_count++ % SL_ENCODER_HISTORY].pts = flight.pts;
    if (picture->pts != SL_NO_TIME) {
        e->anchor = flight.pts;
        e->anchored = 0;
    } else {
        e->anchored += e->last_pts != SL_NO_TIME;
    }
    e->last_pts = flight.pts;
    e->idr = false;
    e->stats.pictures++;
    return SL_OK;
}

/* ---- units out ---------------------------------------------------------------------------- */

/* Bytes in front of the first slice. */
static size_t header_size(enum sl_codec codec, const uint8_t *data, size_t size)
{
    for (size_t at = sl_nal_find_annexb(data, size, 0); at < size;
         at = sl_nal_find_annexb(data, size, at)) {
        bool slice = codec == SL_CODEC_HEVC ? data[at] >> 1 < 32
                                            : (data[at] & 0x1f) >= 1 && (data[at] & 0x1f) <= 5;
        if (slice) {
            return at - (at > 3 && data[at - 4] == 0 ? 4 : 3);
        }
    }
    return size;
}

/* The packet's bytes, with the SEI in front of the first slice if there is one. */
static enum sl_status bytes_of(const struct sl_encoder *e, const struct sl_packet *packet,
                               const struct sl_encoder_flight *flight, struct sl_access_unit *unit,
                               struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_chain_load(&packet->payload, &buf, err);
    if (status != SL_OK) {
        return status;
    }
    unit->header_size = header_size(e->codec, buf->data, buf->size);
    if (flight->sei) {
        struct sl_buf *with = NULL;
        size_t head = unit->header_size;
        status = sl_buf_alloc(&with, buf->size + flight->sei_size, err);
        if (status == SL_OK) {
            memcpy(with->data, buf->data, head);
            memcpy(with->data + head, flight->sei, flight->sei_size);
            memcpy(with->data + head + flight->sei_size, buf->data + head, buf->size - head);
            unit->header_size += flight->sei_size;
        }
        sl_buf_unref(&buf);
        buf = with;
    }
    if (status == SL_OK) {
        unit->owner = buf;
        unit->data = buf->data;
        unit->size = buf->size;
    }
    return status;
}

enum sl_status sl_encoder_pull(struct sl_encoder *e, struct sl_access_unit *unit,
                               struct sl_error *err)
{
    *unit = (struct sl_access_unit){.qp = -1};
    if (e->ready_count == 0 || e->closed) {
        enum sl_status status = usable(e, err);
        return status != SL_OK ? status : e->draining ? SL_EOF : SL_EAGAIN;
    }
    struct sl_packet *packet = e->ready[e->first_ready];
    struct sl_encoder_flight flight = {0};
    int64_t start = sl_encoder_now();
    if (!land(e, packet->pts, &flight)) {
        e->broken = SL_EDATA;
        return sl_fail(err, SL_EDATA, e->ops->name, "a unit of pts %" PRId64 " that no picture had",
                       packet->pts);
    }
    enum sl_status status = bytes_of(e, packet, &flight, unit, err);
    if (status == SL_OK) {
        unit->token = flight.token;
        unit->pts = packet->pts;
        unit->dts = packet->dts;
        unit->duration = e->frame_ticks;
        unit->key = (packet->flags & SL_PACKET_KEY) != 0;
        unit->layer = packet->layer > 0 ? (int32_t)packet->layer - 1 : 0;
        unit->qp = packet->qp;
        unit->copy_ns = flight.copy_ns;
        unit->convert_ns = flight.convert_ns;
        unit->encode_ns = e->encode.latency == SL_LATENCY_SYNC
                              ? flight.encode_ns + (sl_encoder_now() - start)
                              : sl_encoder_now() - flight.started;
        e->stats.units++;
        e->stats.keys += unit->key;
        e->stats.bytes += (int64_t)unit->size;
        e->stats.copy_ns += unit->copy_ns;
        e->stats.convert_ns += unit->convert_ns;
        e->stats.encode_ns += unit->encode_ns;
    } else {
        e->broken = status; /* its place in the order of times is gone */
    }
    clear_flight(&flight);
    sl_packet_unref(&packet);
    e->ready[e->first_ready] = NULL;
    e->first_ready = (e->first_ready + 1) % SL_ENCODER_FLIGHTS;
    e->ready_count--;
    return status;
}

enum sl_status sl_encoder_finish(struct sl_encoder *e, struct sl_error *err)
{
    enum sl_status status = usable(e, err);
    if (status != SL_OK || e->draining) {
        return status;
    }
    status = empty(e, err);
    if (status == SL_EIO && e->flight_count > e->ready_count) {
        struct sl_frame none = {.pts = SL_NO_TIME};
        status = replace(e, &none, status, err);
        if (status == SL_OK) {
            status = empty(e, err);
        }
    }
    e->draining = status == SL_OK;
    e->broken = status;
    return status;
}

/* ---- changes ------------------------------------------------------------------------------ */

static bool same_value(const struct sl_option *o, const void *a, const void *b)
{
    const char *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;
    switch (o->type) {
    case SL_OPTION_STRING:
        return strcmp(x, y) == 0;
    case SL_OPTION_INT:
        return memcmp(x, y, sizeof(int64_t)) == 0;
    case SL_OPTION_RATIONAL:
        return memcmp(x, y, sizeof(struct sl_rational)) == 0;
    case SL_OPTION_SIZE:
        return memcmp(x, y, 2 * sizeof(int32_t)) == 0;
    default:
        return memcmp(x, y, sizeof(int)) == 0;
    }
}

static bool may_change(const char *key)
{
    static const char *const keys[] = {"bitrate", "maxrate", "buffer", "crf", "qp", "rate", "size"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether all that may not change is as it was. */
static enum sl_status check_change(const struct sl_encoder_params *was,
                                   const struct sl_encoder_params *is, struct sl_error *err)
{
    for (const struct sl_option *o = sl_encoder_options(); o->key; o++) {
        if (!may_change(o->key) && !same_value(o, was, is)) {
            return sl_fail(err, SL_EINVAL, o->key, "cannot be changed while the encoder is open");
        }
    }
    if (was->cuda_context != is->cuda_context) {
        return sl_fail(err, SL_EINVAL, "cuda-context",
                       "cannot be changed while the encoder is open");
    }
    for (int i = 0; i < 2; i++) {
        if (is->size[i] > (was->max_size[i] ? was->max_size[i] : was->size[i])) {
            return sl_fail(err, SL_EINVAL, "size", "%dx%d is above max-size", is->size[0],
                           is->size[1]);
        }
    }
    return SL_OK;
}

static void keep_settings(struct sl_encoder *to, const struct sl_encoder *from)
{
    to->params = from->params;
    to->encode = from->encode;
    to->encode.preset = to->params.preset[0] ? to->params.preset : NULL;
    to->encode.tune = to->params.tune[0] ? to->params.tune : NULL;
    to->encode.profile = to->params.profile[0] ? to->params.profile : NULL;
    to->frame_ticks = from->frame_ticks;
}

/* Another coder of the same backend for what comes from now on; the units of the old one are kept.
 * The new one is opened first: where that fails, nothing has changed. */
static enum sl_status change_coder(struct sl_encoder *e, struct sl_error *err)
{
    struct sl_coder *old = e->coder;
    e->coder = NULL;
    enum sl_status status = sl_encoder_reopen(e, err);
    if (status != SL_OK) {
        e->coder = old;
        return status;
    }
    struct sl_coder *fresh = e->coder;
    e->coder = old;
    status = empty(e, err);
    e->coder = fresh;
    sl_encode_destroy(&old);
    e->broken = status;
    e->idr = e->fresh = true;
    return status;
}

static enum sl_status change(struct sl_encoder *e, struct sl_error *err)
{
    struct sl_error why = {0};
    if (e->draining) {
        return SL_OK; /* the next picture opens a new one */
    }
    enum sl_status status = e->coder->ops->reconfigure
                                ? e->coder->ops->reconfigure(e->coder, &e->encode, &why)
                                : SL_EUNSUPPORTED;
    if (status == SL_EUNSUPPORTED) {
        return change_coder(e, err);
    }
    return status == SL_OK ? sl_encoder_describe(e, err)
                           : sl_fail(err, status, why.where, "%s", why.msg);
}

enum sl_status sl_encoder_change(struct sl_encoder *e, const struct sl_encoder_params *params,
                                 int *idr, struct sl_error *err)
{
    enum sl_status status = usable(e, err);
    if (status == SL_OK) {
        status = check_change(&e->params, params, err);
    }
    if (status != SL_OK) {
        return status;
    }
    struct sl_encoder *was = sl_alloc_zero(sizeof *was); /* too large for the stack */
    if (!was) {
        return sl_fail_memory(err);
    }
    struct sl_rational tick = e->encode.timebase;
    bool resized = memcmp(e->params.size, params->size, sizeof params->size) != 0;
    keep_settings(was, e);
    status = sl_encoder_take_params(e, params, err);
    if (status == SL_OK) {
        e->encode.timebase = tick; /* times go on as they were counted */
        e->frame_ticks =
            sl_rescale(1, sl_rational(params->rate.den, params->rate.num), tick, SL_ROUND_NEAREST);
        e->frame_ticks = e->frame_ticks < 1 ? 1 : e->frame_ticks;
        status = change(e, err);
    }
    if (status != SL_OK) {
        keep_settings(e, was);
    } else {
        e->anchor = e->last_pts == SL_NO_TIME ? 0 : e->last_pts;
        e->anchored = 0;
        if (resized) {
            sl_converter_destroy(&e->converter);
            e->idr = true;
        }
    }
    if (idr) {
        *idr = e->idr;
    }
    sl_free(was);
    return status;
}

enum sl_status sl_encoder_lost(struct sl_encoder *e, uint64_t token, enum sl_encoder_recovery *how,
                               struct sl_error *err)
{
    enum sl_encoder_recovery found = SL_RECOVERY_IDR;
    enum sl_status status = usable(e, err);
    if (status != SL_OK) {
        return status;
    }
    size_t known = e->history_count < SL_ENCODER_HISTORY ? e->history_count : SL_ENCODER_HISTORY;
    size_t back = 1;
    while (back <= known &&
           e->history[(e->history_count - back) % SL_ENCODER_HISTORY].token != token) {
        back++;
    }
    if (back > known) {
        e->idr = true;
        status = sl_fail(err, SL_ENOTFOUND, "token", "%" PRIu64 " is not one of the last %d", token,
                         SL_ENCODER_HISTORY);
    } else if (e->idr || e->draining || !e->coder->ops->recover ||
               e->coder->ops->recover(
                   e->coder, e->history[(e->history_count - back) % SL_ENCODER_HISTORY].pts, &found,
                   NULL) != SL_OK) {
        found = SL_RECOVERY_IDR;
        e->idr = true;
    }
    if (how) {
        *how = found;
    }
    return status;
}

/* ---- questions, and the end --------------------------------------------------------------- */

enum sl_status sl_encoder_look(const struct sl_encoder *e, struct sl_encoder_info *info,
                               struct sl_error *err)
{
    *info = (struct sl_encoder_info){0};
    enum sl_status status = usable(e, err);
    if (status != SL_OK) {
        return status;
    }
    *info = (struct sl_encoder_info){
        .backend = e->ops->name,
        .reason = e->reason,
        .track = &e->coder->track,
        .width = e->encode.width,
        .height = e->encode.height,
        .delay = e->encode.latency == SL_LATENCY_SYNC ? 0
                 : e->encode.latency == SL_LATENCY_PIPELINED
                     ? e->encode.depth + e->encode.extra_delay
                     : -1,
    };
    return SL_OK;
}

bool sl_encoder_is_sync(const struct sl_encoder *e)
{
    return e->encode.latency == SL_LATENCY_SYNC;
}

const char *sl_encoder_codecs(const struct sl_encoder *e)
{
    return e->closed ? "" : e->codecs;
}

void sl_encoder_count(const struct sl_encoder *e, struct sl_encoder_stats *stats)
{
    *stats = e->stats;
}

void sl_encoder_shut(struct sl_encoder *e)
{
    sl_encode_destroy(&e->coder);
    sl_converter_destroy(&e->converter);
    for (; e->ready_count > 0; e->ready_count--) {
        sl_packet_unref(&e->ready[e->first_ready]);
        e->first_ready = (e->first_ready + 1) % SL_ENCODER_FLIGHTS;
    }
    while (e->flight_count > 0) {
        clear_flight(flight_at(e, --e->flight_count));
    }
    e->closed = true;
}

void sl_encoder_free(struct sl_encoder **e)
{
    if (*e) {
        sl_encoder_shut(*e);
        sl_free(*e);
        *e = NULL;
    }
}
