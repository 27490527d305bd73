/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the output begins: the first shown picture, or params.start after it. Until that is known
 * everything that was read waits in the backlog. */
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "pipeline/remux_run.h"

static const char *name_of(const struct sl_remux *r)
{
    return sl_window_name(r->window);
}

static bool has_start(const struct sl_remux *r)
{
    return r->params.start.num > 0;
}

/* The track that time is counted from: the picture, or else the first of all. */
static struct sl_remux_track *leader(struct sl_remux *r)
{
    return r->picture ? r->picture : &r->tracks[0];
}

/* Drops the oldest sound: the picture has been waited for too long. */
static void trim_backlog(struct sl_remux *r)
{
    while (r->backlog.count >= SL_REMUX_WAIT_PACKETS || r->backlog.memory > SL_REMUX_WAIT_BYTES) {
        struct sl_packet *p = sl_remux_fifo_take(&r->backlog);
        sl_packet_unref(&p);
    }
}

static enum sl_status replay(struct sl_remux *r, struct sl_error *err)
{
    struct sl_packet *p;
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < r->track_count; i++) {
        sl_remux_track_zero(r, &r->tracks[i]);
    }
    r->state = SL_REMUX_FLOW;
    while (st == SL_OK && (p = sl_remux_fifo_take(&r->backlog)) != NULL) {
        st = sl_remux_put(r, p, err);
    }
    sl_remux_fifo_clear(&r->backlog);
    return st;
}

/* Ticks of the leader's source timebase at which the output begins. */
static int64_t target(const struct sl_remux *r)
{
    struct sl_rational start = r->params.start;
    return r->zero +
           sl_rescale(start.num, sl_rational(1, start.den), r->zero_base, SL_ROUND_NEAREST);
}

/* To the key frame at or before params.start. Where the input cannot seek, what lies before is
 * read and dropped. */
static enum sl_status seek(struct sl_remux *r, struct sl_error *err)
{
    struct sl_error why = {0};
    enum sl_status st = SL_EUNSUPPORTED;
    struct sl_rational start = r->params.start;
    int64_t us =
        sl_rescale(start.num, sl_rational(1, start.den), sl_rational(1, 1000000), SL_ROUND_NEAREST);
    if (r->demuxer->duration >= 0 && us >= r->demuxer->duration) {
        return sl_fail(err, SL_EINVAL, "start",
                       "%lld.%03lld s is not before the end at %lld.%03lld",
                       (long long)(us / 1000000), (long long)(us / 1000 % 1000),
                       (long long)(r->demuxer->duration / 1000000),
                       (long long)(r->demuxer->duration / 1000 % 1000));
    }
    r->state = SL_REMUX_SOUGHT;
    if (r->demuxer->ops->seek && sl_window_seekable(r->window)) {
        st = r->demuxer->ops->seek(r->demuxer, leader(r)->source, target(r), &why);
    }
    if (st == SL_OK) {
        r->sought = true;
        sl_remux_fifo_clear(&r->backlog);
        if (r->demuxer->may_jump) {
            sl_jumps_clear(&r->jumps);
            return sl_jumps_init(&r->jumps, r->demuxer->tracks, r->demuxer->track_count, err);
        }
        return SL_OK;
    }
    if (st != SL_EUNSUPPORTED) {
        return sl_fail(err, st, why.where, "%s", why.msg);
    }
    return SL_OK;
}

static enum sl_status found_first(struct sl_remux *r, int64_t zero, struct sl_error *err)
{
    r->zero = zero;
    r->zero_base = r->demuxer->tracks[leader(r)->source].timebase;
    if (r->picture) {
        r->picture->grid.origin = zero;
    }
    if (!has_start(r)) {
        return replay(r, err);
    }
    enum sl_status st = seek(r, err);
    /* Without a seek, the backlog is gone through again, now with the start in mind. */
    struct sl_remux_fifo again = r->backlog;
    r->backlog = (struct sl_remux_fifo){.items = NULL};
    r->backlog_pictures = 0;
    while (st == SL_OK && again.count > 0) {
        struct sl_packet *p = sl_remux_fifo_take(&again);
        st = sl_remux_begin(r, p, err);
    }
    sl_remux_fifo_clear(&again);
    return st;
}

/* The first shown picture among what waits, by time; the key frame comes first. */
static int64_t earliest(const struct sl_remux *r)
{
    int64_t best = SL_NO_TIME, key = SL_NO_TIME;
    for (size_t i = 0; i < r->backlog.count; i++) {
        const struct sl_packet *p = sl_remux_fifo_at(&r->backlog, i);
        if (p->track != r->picture->source) {
            continue;
        }
        if (key == SL_NO_TIME) {
            key = p->pts;
        }
        if (!(p->flags & SL_PACKET_HIDDEN) && p->pts >= key &&
            (best == SL_NO_TIME || p->pts < best)) {
            best = p->pts;
        }
    }
    return best != SL_NO_TIME ? best : key;
}

static enum sl_status begin_first(struct sl_remux *r, struct sl_packet *packet,
                                  struct sl_error *err)
{
    struct sl_remux_track *lead = leader(r);
    bool leads = packet && packet->track == lead->source;
    bool hidden = packet && (packet->flags & SL_PACKET_HIDDEN);
    bool seen = r->backlog_pictures > 0; /* counts hidden ones too */
    enum sl_status st;

    if (!packet) {
        if (r->picture && !seen) {
            return sl_fail(err, SL_EDATA, name_of(r), "holds no key frame in video track %zu",
                           r->picture->source);
        }
        if (r->backlog.count == 0) {
            return sl_fail(err, SL_EDATA, name_of(r), "holds no media");
        }
        return found_first(r, r->picture ? earliest(r) : sl_remux_fifo_at(&r->backlog, 0)->pts,
                           err);
    }
    if (leads &&
        (packet->pts == SL_NO_TIME || (r->picture && !seen && !(packet->flags & SL_PACKET_KEY)))) {
        sl_packet_unref(&packet);
        return SL_OK;
    }
    st = sl_remux_fifo_put(&r->backlog, packet, err);
    if (st != SL_OK || !leads) {
        if (!seen) {
            trim_backlog(r);
        } else if (r->backlog.memory > SL_REMUX_WAIT_BYTES && r->picture) {
            return found_first(r, earliest(r), err);
        }
        return st;
    }
    r->backlog_pictures++;
    if (!r->picture) {
        /* Sound alone: priming that the container hides lies before zero. */
        return hidden && r->backlog_pictures < 64 ? SL_OK : found_first(r, packet->pts, err);
    }
    if (!seen && !hidden) {
        return found_first(r, packet->pts, err);
    }
    /* An edit list begins behind its key frame: the first shown one is known once as many more
     * have come as can overtake it. */
    size_t shown = 0;
    for (size_t i = 0; i < r->backlog.count; i++) {
        const struct sl_packet *p = sl_remux_fifo_at(&r->backlog, i);
        shown += p->track == lead->source && !(p->flags & SL_PACKET_HIDDEN);
    }
    if (shown > (size_t)lead->dts.depth || r->backlog.memory > SL_REMUX_WAIT_BYTES) {
        return found_first(r, earliest(r), err);
    }
    return SL_OK;
}

/* Forgets pictures, and sound that no decoder will want. */
static void forget_before(struct sl_remux *r, int64_t time)
{
    size_t n = r->backlog.count;
    const struct sl_remux_track *lead = leader(r);
    while (n-- > 0) {
        struct sl_packet *p = sl_remux_fifo_take(&r->backlog);
        struct sl_rational base = r->demuxer->tracks[p->track].timebase;
        bool keep = p->track != lead->source && p->pts != SL_NO_TIME &&
                    sl_time_compare(p->pts, base, time, r->zero_base) >= 0;
        if (keep) {
            (void)!sl_remux_fifo_put(&r->backlog, p, NULL); /* there is room: it came from there */
        } else {
            sl_packet_unref(&p);
        }
    }
}

static enum sl_status begin_at(struct sl_remux *r, struct sl_packet *packet, struct sl_error *err)
{
    const struct sl_remux_track *lead = leader(r);
    bool leads = packet && packet->track == lead->source;
    bool key = leads && (!r->picture || (packet->flags & SL_PACKET_KEY));
    int64_t to = target(r);

    if (!packet) {
        if (r->backlog_pictures == 0) {
            return sl_fail(err, SL_EINVAL, "start",
                           "lies behind the last key frame that was found");
        }
        return replay(r, err);
    }
    if (leads && packet->pts == SL_NO_TIME) {
        sl_packet_unref(&packet);
        return SL_OK;
    }
    if (!leads) {
        enum sl_status st = sl_remux_fifo_put(&r->backlog, packet, err);
        if (st == SL_OK && r->backlog_pictures == 0) {
            trim_backlog(r);
        }
        return st;
    }
    if (!key && r->backlog_pictures == 0) {
        sl_packet_unref(&packet);
        return SL_OK;
    }
    bool done = packet->pts >= to || (r->sought && key);
    if (key && packet->pts <= to && r->backlog_pictures > 0) {
        int64_t second = sl_rescale(1, sl_rational(1, 1), r->zero_base, SL_ROUND_UP);
        forget_before(r, packet->pts - second);
    }
    enum sl_status st = sl_remux_fifo_put(&r->backlog, packet, err);
    r->backlog_pictures++;
    return st == SL_OK && done ? replay(r, err) : st;
}

enum sl_status sl_remux_begin(struct sl_remux *r, struct sl_packet *packet, struct sl_error *err)
{
    switch (r->state) {
    case SL_REMUX_FIRST:
        return begin_first(r, packet, err);
    case SL_REMUX_SOUGHT:
        return begin_at(r, packet, err);
    default:
        return packet ? sl_remux_put(r, packet, err) : SL_OK;
    }
}
