/* SPDX-License-Identifier: BSD-2-Clause */
/* One packet of the source on its way through its track's stage. */
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "media/adts.h"
#include "media/hevc.h"
#include "pipeline/remux_run.h"

#define JITTER 12000 /* of a second: 7.5 ticks of a transport stream, to either side */

int64_t sl_remux_ticks(struct sl_rational seconds, struct sl_rational timebase)
{
    return sl_rescale(seconds.num, sl_rational(1, seconds.den), timebase, SL_ROUND_NEAREST);
}

/* Sound that leads the picture is kept, hidden, where it is little: then all of the source's
 * packets are in the output. Otherwise only what the decoder needs to be right at zero. */
static int64_t lead_of(const struct sl_remux *r, const struct sl_remux_track *t, int64_t zero)
{
    int64_t preroll = sl_remux_preroll(&r->demuxer->tracks[t->source]);
    int64_t all = t->out.timebase.den * SL_REMUX_LEAD_SECONDS;
    if (r->params.start.num > 0) {
        return preroll;
    }
    for (size_t i = 0; i < r->backlog.count; i++) {
        const struct sl_packet *p = sl_remux_fifo_at(&r->backlog, i);
        if (p->track == t->source && p->pts != SL_NO_TIME) {
            int64_t at = sl_rescale(p->pts, r->demuxer->tracks[t->source].timebase, t->out.timebase,
                                    SL_ROUND_NEAREST);
            return zero - at <= all ? all : preroll;
        }
    }
    return all;
}

void sl_remux_track_zero(struct sl_remux *r, struct sl_remux_track *t)
{
    struct sl_rational tb = t->out.timebase;
    if (r->looking && t->way != SL_REMUX_PICTURES && t->way != SL_REMUX_SOUND) {
        t->over = true; /* nothing is converted */
    }
    int64_t start = sl_remux_ticks(r->params.start, tb);
    switch (t->way) {
    case SL_REMUX_PICTURES:
        t->zero = sl_remux_grid_place(&t->grid, r->zero) + start;
        break;
    case SL_REMUX_SOUND:
        t->zero = sl_rescale(r->zero, r->zero_base, tb, SL_ROUND_NEAREST) + start;
        t->lead = lead_of(r, t, t->zero);
        break;
    default:
        t->zero = 0;
        break;
    }
    /* Conversions know theirs when the first frame has been decoded. */
    if (t->way == SL_REMUX_PICTURES || t->way == SL_REMUX_SOUND) {
        t->base = sl_remux_ticks(r->params.decode_time, tb);
        t->end = r->params.duration.num > 0 ? t->zero + sl_remux_ticks(r->params.duration, tb)
                                            : INT64_MAX;
    }
}

/* ---- pictures ------------------------------------------------------------------------------ */

/* Some muxers write samples that hold delimiters or messages alone. They are short, so only what
 * is in memory anyway is looked at. */
bool sl_remux_has_picture(const struct sl_remux_track *t, const struct sl_packet *p)
{
    const struct sl_slice *s = &p->payload.slices[0];
    struct sl_nal_walker w;
    struct sl_nal nal;
    if (p->payload.size == 0) {
        return false;
    }
    bool hevc = t->out.codec == SL_CODEC_HEVC;
    if ((t->out.codec != SL_CODEC_H264 && !hevc) || p->payload.count != 1 || !s->buf ||
        s->size > 512 || s->size < 5) {
        return true;
    }
    w = (struct sl_nal_walker){.data = s->buf->data + s->offset, .size = s->size};
    while (true) {
        bool more = t->form.annexb ? sl_nal_next_annexb(&w, &nal)
                                   : sl_nal_next_length(&w, t->prefix, &nal, NULL) == SL_OK;
        if (!more) {
            return w.pos == 0; /* not what it was taken for: the muxer will say */
        }
        unsigned type = hevc ? nal.data[0] >> 1 & 63u : nal.data[0] & 31u;
        if (hevc ? type < 32 : type >= 1 && type <= 5) {
            return true;
        }
    }
}

static enum sl_status pop_pictures(struct sl_remux *r, struct sl_remux_track *t,
                                   struct sl_error *err)
{
    struct sl_packet *p;
    enum sl_status st = SL_OK;
    while (st == SL_OK && (p = sl_remux_dts_pop(&t->dts)) != NULL) {
        st = sl_remux_deliver(r, t, p, err);
    }
    return st;
}

static enum sl_status push_picture(struct sl_remux *r, struct sl_remux_track *t,
                                   struct sl_packet *p, struct sl_error *err)
{
    sl_remux_dts_push(&t->dts, p);
    return pop_pictures(r, t, err);
}

/* Pictures shown after the end stay in only where earlier ones that are coded later need them. */
static enum sl_status put_tail(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                               struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (p->pts >= t->end) {
        st = sl_remux_fifo_put(&t->tail, p, err);
        if (t->tail.count > t->dts.depth) {
            sl_remux_fifo_clear(&t->tail);
            return st == SL_OK ? sl_remux_put_end(r, t, err) : st;
        }
        return st;
    }
    while (st == SL_OK && t->tail.count > 0) {
        st = push_picture(r, t, sl_remux_fifo_take(&t->tail), err);
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st;
    }
    return push_picture(r, t, p, err);
}

void sl_remux_place_picture(struct sl_remux_track *t, struct sl_packet *p)
{
    if (t->grid.exact || !t->dts.stated || p->dts == SL_NO_TIME) {
        p->dts = SL_NO_TIME;
    } else {
        p->dts = sl_rescale(p->dts - t->grid.origin, t->grid.in, t->grid.out, SL_ROUND_NEAREST);
    }
    if (p->pts == SL_NO_TIME && p->dts == SL_NO_TIME) {
        p->pts = t->last + (t->dts.nominal > 0 ? t->dts.nominal : 1);
    } else {
        p->pts = p->pts == SL_NO_TIME ? p->dts : sl_remux_grid_place(&t->grid, p->pts);
    }
    t->last = p->pts;
    p->duration = p->duration == SL_NO_TIME
                      ? SL_NO_TIME
                      : sl_rescale(p->duration, t->grid.in, t->grid.out, SL_ROUND_NEAREST);
}

static enum sl_status put_picture(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                                  struct sl_error *err)
{
    if (!sl_remux_has_picture(t, p)) {
        sl_packet_unref(&p);
        return SL_OK;
    }
    sl_remux_place_picture(t, p);
    return put_tail(r, t, p, err);
}

/* ---- sound --------------------------------------------------------------------------------- */

static enum sl_status pop_sound(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    struct sl_packet *p;
    enum sl_status st = SL_OK;
    while (st == SL_OK && (p = sl_remux_sound_pop(&t->sound)) != NULL) {
        st = sl_remux_deliver(r, t, p, err);
    }
    return st;
}

static enum sl_status put_sound(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                                struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (p->payload.size == 0) {
        sl_packet_unref(&p);
        return SL_OK;
    }
    if (!t->sound_ready) {
        struct sl_track as = r->demuxer->tracks[t->source];
        as.sample_rate = t->out.sample_rate;
        as.config = t->out.config;
        as.config_size = t->out.config_size;
        st = sl_remux_sound_init(&t->sound, &as, &p->payload, err);
        t->sound_ready = st == SL_OK;
        /* A transport stream times packets of several frames; libavformat counts the rest itself,
         * in durations that it has cut to whole ticks. */
        if (r->demuxer->may_jump && t->sound.slack < t->sound.out.den / JITTER) {
            t->sound.slack = t->sound.out.den / JITTER;
        }
    }
    if (st == SL_OK && p->pts != SL_NO_TIME) {
        int64_t at = sl_rescale(p->pts, t->sound.in, t->sound.out, SL_ROUND_NEAREST);
        if (at >= t->end) {
            sl_packet_unref(&p);
            return sl_remux_put_end(r, t, err);
        }
        if (at + t->sound.frame + t->lead <= t->zero) {
            sl_packet_unref(&p);
            return SL_OK;
        }
    }
    if (st == SL_OK && t->form.adts) {
        st = sl_adts_unwrap(p, err);
    }
    if (st != SL_OK) {
        sl_packet_unref(&p);
        return st;
    }
    sl_remux_sound_push(&t->sound, p);
    return pop_sound(r, t, err);
}

/* ---- all ----------------------------------------------------------------------------------- */

/* The configuration may have come with this very packet. */
static void describe(const struct sl_remux *r, struct sl_remux_track *t)
{
    int64_t origin = t->grid.origin;
    if (t->out.reorder < 0 && t->out.codec == SL_CODEC_H264) {
        (void)!sl_h264_describe(&t->out, NULL);
    } else if (t->out.reorder < 0 && t->out.codec == SL_CODEC_HEVC) {
        (void)!sl_hevc_describe(&t->out, NULL);
    }
    sl_remux_plan_picture(r, t, &r->demuxer->tracks[t->source]);
    t->grid.origin = origin;
}

/* The source leaves much of what a muxer must know to the first access units. */
static enum sl_status complete(struct sl_remux *r, struct sl_remux_track *t,
                               const struct sl_packet *p, struct sl_error *err)
{
    struct sl_error why = {0};
    enum sl_status st;
    if (p->payload.size == 0) {
        return SL_OK;
    }
    st = sl_track_complete(&t->out, &p->payload, &t->form, &why);
    if (st == SL_EAGAIN) {
        return SL_OK;
    }
    if (st != SL_OK) {
        return sl_fail_at(err, st, sl_window_name(r->window), p->position, "track %zu (%s): %s",
                          t->source, t->out.codec_name, why.msg);
    }
    t->complete = true;
    if (t->way == SL_REMUX_PICTURES && t->dts.last == SL_NO_TIME && t->dts.count == 0) {
        describe(r, t);
    }
    return SL_OK;
}

enum sl_status sl_remux_put(struct sl_remux *r, struct sl_packet *packet, struct sl_error *err)
{
    int index = packet->track < 64 ? r->map[packet->track] : -1;
    enum sl_status st = SL_OK;
    if (index < 0 || r->tracks[index].over) {
        sl_packet_unref(&packet);
        return SL_OK;
    }
    struct sl_remux_track *t = &r->tracks[index];
    if (!t->complete && (t->way == SL_REMUX_PICTURES || t->way == SL_REMUX_SOUND)) {
        st = complete(r, t, packet, err);
        if (st != SL_OK) {
            sl_packet_unref(&packet);
            return st;
        }
    }
    switch (t->way) {
    case SL_REMUX_PICTURES:
        return put_picture(r, t, packet, err);
    case SL_REMUX_SOUND:
        return put_sound(r, t, packet, err);
    case SL_REMUX_CONVERT:
        return sl_remux_convert_put(r, t, packet, err);
    case SL_REMUX_ENCODE:
        return sl_remux_encode_put(r, t, packet, err);
    case SL_REMUX_TEXT:
        return sl_remux_text_put(r, t, packet, err);
    }
    sl_packet_unref(&packet);
    return SL_OK;
}

enum sl_status sl_remux_put_end(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (t->over) {
        return SL_OK;
    }
    switch (t->way) {
    case SL_REMUX_PICTURES:
        sl_remux_fifo_clear(&t->tail); /* nothing earlier will come that needs them */
        sl_remux_dts_end(&t->dts);
        st = pop_pictures(r, t, err);
        break;
    case SL_REMUX_SOUND:
        if (t->sound_ready) {
            sl_remux_sound_end(&t->sound);
            st = pop_sound(r, t, err);
        }
        break;
    case SL_REMUX_CONVERT:
        st = sl_remux_convert_put(r, t, NULL, err);
        break;
    case SL_REMUX_ENCODE:
        st = sl_remux_encode_put(r, t, NULL, err);
        break;
    default:
        break;
    }
    t->over = true;
    return st == SL_OK ? sl_remux_join_check(r, err) : st;
}

enum sl_status sl_remux_deliver(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                                struct sl_error *err)
{
    p->pts -= t->zero;
    p->dts -= t->zero;
    if (!t->begun) {
        t->first = p->pts + t->zero;
        /* What lies before zero is decoded and not shown; a track that begins later says so. */
        bool late = p->dts > 0;
        t->out.decode_delay = late ? p->pts - p->dts : -p->dts;
        t->start = t->base + (late ? p->pts : 0);
        t->begun = true;
    }
    p->pts += t->base;
    p->dts += t->base;
    p->track = t->index;
    t->reach = p->pts;
    return sl_remux_join(r, t, p, err);
}
