/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/registry.h"
#include "pipeline/remux_run.h"
#include "source/source.h"

enum sl_status sl_remux_create(struct sl_remux **out, const struct sl_remux_params *params,
                               const struct sl_remux_source *source,
                               const struct sl_remux_events *events, const struct sl_log *log,
                               struct sl_error *err)
{
    struct sl_remux *r = sl_alloc_zero(sizeof *r);
    enum sl_status st = SL_OK;
    *out = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    r->params = *params;
    r->events = events ? *events : (struct sl_remux_events){.progress = NULL};
    r->log = log;
    r->fragment_empty = true;
    r->pushed = !source && !params->input[0];
    r->progress.duration_us = -1;
    sl_chain_init(&r->ready);
    sl_chain_init(&r->front);
    sl_chain_init(&r->piece);
    if (!params->input[0]) {
        struct sl_window_source bytes = {.name = "input", .size = -1};
        if (source) {
            bytes = (struct sl_window_source){.fill = source->read,
                                              .opaque = source->opaque,
                                              .name = source->name,
                                              .size = source->size,
                                              .seekable = source->seekable != 0};
        }
        st = sl_window_create(&r->window, &bytes, err);
    }
    if (st != SL_OK) {
        sl_remux_free(&r);
    }
    *out = r;
    return st;
}

void sl_remux_free(struct sl_remux **remux)
{
    struct sl_remux *r;
    if (!remux || !*remux) {
        return;
    }
    r = *remux;
    *remux = NULL;
    for (size_t i = 0; i < r->track_count; i++) {
        sl_remux_track_clear(&r->tracks[i]);
    }
    sl_remux_fifo_clear(&r->backlog);
    sl_remux_fifo_clear(&r->held);
    sl_chain_clear(&r->ready);
    sl_chain_clear(&r->front);
    sl_chain_clear(&r->piece);
    sl_buf_unref(&r->loaded);
    sl_mux_destroy(&r->muxer);
    sl_jumps_clear(&r->jumps);
    sl_demux_destroy(&r->demuxer);
    sl_window_destroy(&r->window);
    sl_source_destroy(&r->source);
    sl_free(r);
}

bool sl_remux_is_classic(const struct sl_remux *r)
{
    return r->params.faststart != 0;
}

void sl_remux_request_cancel(struct sl_remux *r)
{
    sl_cancel_set(&r->cancel);
}

const char *sl_remux_codec_list(const struct sl_remux *r)
{
    return r->codecs;
}

static enum sl_status open_input(struct sl_remux *r, struct sl_error *err)
{
    struct sl_demux_params params = {.log = r->log, .strict = r->params.strict != 0};
    enum sl_status st = SL_OK;
    if (!r->window) {
        st = sl_source_open(&r->source, r->params.input, err);
        if (st == SL_OK) {
            st = sl_window_create(&r->window, &r->source->bytes, err);
        }
    }
    if (st == SL_OK && !r->demuxer) {
        st = sl_demux_open(&r->demuxer, r->window, &params, err);
    }
    if (st == SL_OK && r->demuxer->may_jump) {
        st = sl_jumps_init(&r->jumps, r->demuxer->tracks, r->demuxer->track_count, err);
    }
    if (st == SL_OK) {
        st = sl_remux_plan(r, err);
    }
    if (st != SL_OK) {
        return st;
    }
    struct sl_rational us = {1, 1000000}, start = r->params.start, length = r->params.duration;
    int64_t asked = sl_rescale(length.num, sl_rational(1, length.den), us, SL_ROUND_NEAREST);
    if (r->demuxer->duration >= 0) {
        int64_t left = r->demuxer->duration -
                       sl_rescale(start.num, sl_rational(1, start.den), us, SL_ROUND_NEAREST);
        r->progress.duration_us = length.num == 0 || left < asked ? left : asked;
    } else if (length.num > 0) {
        r->progress.duration_us = asked;
    }
    r->state = SL_REMUX_FIRST;
    return SL_OK;
}

/* All tracks have reached params.duration, or the picture has and the others are long behind. */
static bool is_over(const struct sl_remux *r)
{
    bool over = r->state == SL_REMUX_FLOW;
    for (size_t i = 0; i < r->track_count && over; i++) {
        over = r->tracks[i].over || r->tracks[i].way == SL_REMUX_TEXT;
    }
    return over || r->beyond;
}

/* Sound that has ended, or pauses, is not looked for in the rest of the film. */
static void look_beyond(struct sl_remux *r, const struct sl_packet *p)
{
    const struct sl_remux_track *t = r->picture;
    if (r->state != SL_REMUX_FLOW || !t || !t->over || p->track != t->source ||
        p->pts == SL_NO_TIME || r->params.duration.num == 0) {
        return;
    }
    struct sl_rational wait = {SL_REMUX_WAIT_SECONDS, 1}, length = r->params.duration,
                       start = r->params.start, base = r->zero_base;
    int64_t end = r->zero + sl_rescale(start.num, sl_rational(1, start.den), base, SL_ROUND_UP) +
                  sl_rescale(length.num, sl_rational(1, length.den), base, SL_ROUND_UP) +
                  sl_rescale(wait.num, sl_rational(1, 1), base, SL_ROUND_UP);
    r->beyond = p->pts > end;
}

/* Damage that the demuxer could not get over: what came before it is still a film. */
static enum sl_status after_damage(struct sl_remux *r, const struct sl_error *why,
                                   struct sl_error *err)
{
    char text[sizeof why->where + sizeof why->msg + 64];
    if (r->params.strict || r->state != SL_REMUX_FLOW) {
        if (err && err->status == SL_OK) {
            *err = *why;
        }
        return SL_EDATA;
    }
    sl_log_write(r->log, SL_LOG_WARN, "remux", "%s: the output ends here",
                 sl_error_format(why, text, sizeof text));
    return SL_EOF;
}

/* Reads one packet and sends it on its way. */
static enum sl_status step(struct sl_remux *r, struct sl_error *err)
{
    struct sl_packet *packet = NULL;
    struct sl_error why = {0};
    enum sl_status st = is_over(r) ? SL_EOF : r->demuxer->ops->read(r->demuxer, &packet, &why);
    if (st == SL_EDATA) {
        st = after_damage(r, &why, err);
    } else if (st != SL_OK && st != SL_EOF && st != SL_EAGAIN && err && err->status == SL_OK) {
        *err = why;
    }
    if (st == SL_EOF) {
        enum sl_remux_state before = r->state;
        bool sought = r->sought;
        st = sl_remux_begin(r, NULL, err);
        /* Looking for the first picture took all of the input; perhaps it could go back. */
        if (st == SL_OK && !(r->sought && !sought) && r->state == before) {
            r->state = SL_REMUX_DRAIN;
        }
        return st;
    }
    if (st != SL_OK) {
        return st;
    }
    if (r->demuxer->may_jump) {
        sl_jumps_apply(&r->jumps, packet);
    }
    look_beyond(r, packet);
    if (packet->track >= 64 || r->map[packet->track] < 0) {
        sl_packet_unref(&packet);
        return SL_OK;
    }
    return sl_remux_begin(r, packet, err);
}

static enum sl_status drain(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < r->track_count && st == SL_OK; i++) {
        st = sl_remux_put_end(r, &r->tracks[i], err);
    }
    r->state = SL_REMUX_DONE;
    return st == SL_OK ? sl_remux_join_end(r, err) : st;
}

enum sl_status sl_remux_take_source(struct sl_remux *r, struct sl_source *source,
                                    struct sl_error *err)
{
    sl_window_destroy(&r->window);
    sl_source_destroy(&r->source);
    r->source = source;
    return sl_window_create(&r->window, &source->bytes, err);
}

enum sl_status sl_remux_look(struct sl_remux *r, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    r->looking = true;
    while (st == SL_OK && r->state != SL_REMUX_DONE) {
        bool any = r->state != SL_REMUX_FLOW;
        for (size_t i = 0; i < r->track_count; i++) {
            any = any || !r->tracks[i].over;
        }
        if (sl_cancelled(&r->cancel)) {
            st = sl_fail(err, SL_ECANCELLED, NULL, "stopped on request");
        } else if (r->state == SL_REMUX_OPEN) {
            st = open_input(r, err);
        } else if (r->state == SL_REMUX_DRAIN) {
            st = drain(r, err);
        } else if (any) {
            st = step(r, err);
        } else {
            r->state = SL_REMUX_DONE;
        }
    }
    return st;
}

enum sl_status sl_remux_next(struct sl_remux *r, struct sl_chain *out, struct sl_error *err)
{
    enum sl_status st = r->failed;
    if (st != SL_OK) {
        return sl_fail(err, st, NULL, "an earlier call failed");
    }
    while (st == SL_OK && r->ready.size == 0) {
        if (sl_cancelled(&r->cancel)) {
            st = sl_fail(err, SL_ECANCELLED, NULL, "stopped on request");
        } else if (r->state == SL_REMUX_OPEN) {
            st = open_input(r, err);
        } else if (r->state == SL_REMUX_DRAIN) {
            st = drain(r, err);
        } else if (r->state == SL_REMUX_DONE) {
            return SL_EOF;
        } else {
            st = step(r, err);
        }
    }
    if (st == SL_OK) {
        r->progress.bytes += r->ready.size;
        st = sl_chain_move(out, &r->ready, err);
    }
    if (st != SL_OK && st != SL_EAGAIN) {
        r->failed = st;
    }
    return st;
}

enum sl_status sl_remux_load(struct sl_remux *r, const uint8_t **data, size_t *size,
                             struct sl_error *err)
{
    struct sl_chain piece;
    enum sl_status st;
    *data = NULL;
    *size = 0;
    sl_buf_unref(&r->loaded);
    sl_chain_init(&piece);
    if (r->piece.size > 0) {
        st = sl_chain_add_chain(&piece, &r->piece, r->piece_at, r->piece.size - r->piece_at, err);
        sl_chain_clear(&r->piece);
    } else {
        st = sl_remux_next(r, &piece, err);
    }
    if (st == SL_OK) {
        st = sl_chain_load(&piece, &r->loaded, err);
    }
    sl_chain_clear(&piece);
    if (st == SL_OK) {
        *data = r->loaded->data;
        *size = r->loaded->size;
    }
    return st;
}

enum sl_status sl_remux_copy(struct sl_remux *r, void *dst, size_t size, size_t *got,
                             struct sl_error *err)
{
    enum sl_status st = SL_OK;
    int64_t left;
    *got = 0;
    if (r->piece.size == 0) {
        r->piece_at = 0;
        st = sl_remux_next(r, &r->piece, err);
    } else if (sl_cancelled(&r->cancel)) {
        r->failed = SL_ECANCELLED;
        st = sl_fail(err, SL_ECANCELLED, NULL, "stopped on request");
    }
    if (st != SL_OK) {
        return st;
    }
    left = r->piece.size - r->piece_at;
    size = (uint64_t)left < size ? (size_t)left : size;
    st = sl_chain_read(&r->piece, r->piece_at, dst, size, err);
    if (st != SL_OK) {
        r->failed = st;
        return st;
    }
    r->piece_at += (int64_t)size;
    if (r->piece_at == r->piece.size) {
        sl_chain_clear(&r->piece);
    }
    *got = size;
    return SL_OK;
}

enum sl_status sl_remux_feed(struct sl_remux *r, const void *data, size_t size,
                             struct sl_error *err)
{
    if (!r->pushed) {
        return sl_fail(err, SL_EINVAL, "input", "is named, so that no bytes can be pushed");
    }
    return sl_window_push(r->window, data, size, err);
}

void sl_remux_feed_end(struct sl_remux *r)
{
    if (r->pushed) {
        sl_window_end(r->window);
    }
}
