/* SPDX-License-Identifier: BSD-2-Clause */
/* Edit lists: ISO/IEC 14496-12 8.6.6. What they say comes down to one shift from media time to
 * presentation time and to a span of media that is shown: empty edits first, then edits that play
 * on where the one before ended. Anything else is said and not honoured. */
#include <inttypes.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/mp4.h"

#define SCAN_MAX 4096 /* samples to look at for the first one that is shown */

struct edit {
    int64_t duration; /* movie ticks */
    int64_t time;     /* media ticks; -1: empty */
    int32_t rate;     /* 16.16 */
};

static struct edit read_edit(struct sl_reader *r, unsigned version)
{
    struct edit e;
    if (version == 1) {
        e.duration = (int64_t)sl_read_be64(r);
        e.time = (int64_t)sl_read_be64(r);
    } else {
        e.duration = sl_read_be32(r);
        e.time = (int32_t)sl_read_be32(r);
    }
    e.rate = (int32_t)sl_read_be32(r);
    return e;
}

static int64_t to_media(const struct sl_mp4 *d, const struct sl_mp4_track *t, int64_t movie_ticks)
{
    return sl_rescale(movie_ticks, sl_rational(1, d->movie_timescale), sl_rational(1, t->timescale),
                      SL_ROUND_NEAREST);
}

static bool in_range(int64_t v)
{
    return v >= 0 && v < SL_MP4_TIME_MAX;
}

/* The edits after the empty ones; false where they do not play on without a jump. */
static bool follow_edits(struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_reader *r,
                         unsigned version, struct edit first, uint32_t left)
{
    int64_t played = first.duration;
    bool plain = first.rate == 0x10000;

    t->edit_start = first.time;
    for (uint32_t i = 0; i < left && plain; i++) {
        struct edit e = read_edit(r, version);
        int64_t gone = to_media(d, t, played); /* may be anything: the two timescales are */
        plain = e.rate == 0x10000 && in_range(e.time) && in_range(e.duration) && played > 0 &&
                in_range(gone) && in_range(played + e.duration);
        if (plain) {
            int64_t off = e.time - (first.time + gone);
            plain = (off < 0 ? -off : off) <= t->edit_slack;
            played += e.duration;
        }
    }
    /* 8.6.6.1: a duration of 0 in a fragmented movie means all there will be. */
    if (plain && played > 0 && !d->fragmented && in_range(to_media(d, t, played))) {
        t->edit_end = first.time + to_media(d, t, played);
    }
    return plain;
}

enum sl_status sl_mp4_read_edits(struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_error *err)
{
    const struct sl_mp4_box *box = &t->edits;
    struct sl_reader r;
    int64_t empty = 0;
    uint32_t i = 0;
    bool good = true;

    t->edit_start = INT64_MIN;
    t->edit_end = INT64_MAX;
    if (box->size == 0 || d->movie_timescale == 0) {
        return SL_OK;
    }
    t->edit_slack = to_media(d, t, 1) + 1;
    sl_reader_init(&r, box->data, box->size);
    unsigned version = sl_read_u8(&r);
    sl_read_skip(&r, 3);
    uint32_t count = sl_read_be32(&r);
    size_t each = version == 1 ? 20 : 12;
    if (r.overrun || count > sl_reader_left(&r) / each) {
        return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                          "box 'elst' states %" PRIu32
                          " entries of %zu bytes, %zu are allowed by its size",
                          count, each, r.overrun ? 0 : sl_reader_left(&r) / each);
    }
    while (i < count) {
        struct edit e = read_edit(&r, version);
        i++;
        if (!in_range(e.duration) || e.time < -1 || e.time >= SL_MP4_TIME_MAX) {
            return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                              "box 'elst': edit %" PRIu32 " is of duration %" PRId64
                              " at media time %" PRId64,
                              i - 1, e.duration, e.time);
        }
        if (e.time >= 0) {
            t->has_edits = true;
            good = follow_edits(d, t, &r, version, e, count - i);
            break;
        }
        empty += e.duration;
        if (!in_range(empty) || !in_range(to_media(d, t, empty))) {
            return sl_fail_at(err, SL_EDATA, d->name, box->offset,
                              "box 'elst': empty edits of %" PRId64 " ticks", empty);
        }
    }
    t->shift = to_media(d, t, empty) - (t->has_edits ? t->edit_start : 0);
    if (!good && d->strict) {
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, box->offset,
                          "track %" PRIu32 ": its %" PRIu32
                          " edits do not play its media once, in order and at its own speed",
                          t->id, count);
    }
    if (!good) {
        sl_log_write(d->log, SL_LOG_WARN, "demux",
                     "%s: track %" PRIu32 ": of its %" PRIu32
                     " edits only the first is honoured, without its end: they do not play the "
                     "media once, in order and at its own speed",
                     d->name, t->id, count);
    }
    return SL_OK;
}

/* ---- the first sample that is shown ------------------------------------------------------- */

static bool peek(const struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_mp4_sample *s)
{
    return d->in_tables ? sl_mp4_cursor_peek(t, &t->cursor, s) : sl_mp4_run_peek(t, s);
}

void sl_mp4_find_first(const struct sl_mp4 *d, struct sl_mp4_track *t)
{
    struct sl_mp4_track ahead = *t; /* walks on its own; what it points at stays */
    struct sl_mp4_sample s;

    t->before = INT64_MIN;
    t->first = INT64_MAX;
    for (unsigned i = 0; i < SCAN_MAX && peek(d, &ahead, &s); i++) {
        /* No later sample is shown earlier than this. */
        if (t->first != INT64_MAX && s.dts - t->dts_shift > t->first) {
            break;
        }
        if (s.size > 0 && s.cts < t->edit_start && s.cts > t->before) {
            t->before = s.cts;
        }
        if (s.size > 0 && s.cts >= t->edit_start && s.cts < t->first) {
            t->first = s.cts;
        }
        if (d->in_tables) {
            sl_mp4_cursor_pass(&ahead, &ahead.cursor, &s);
        } else {
            sl_mp4_run_pass(&ahead, &s);
        }
    }
    /* What is left of a picture for less than a millisecond is a writer's rounding. */
    if (t->before != INT64_MIN &&
        (t->first == INT64_MAX || t->first - t->edit_start <= t->timescale / 1000)) {
        t->before = INT64_MIN;
    }
}

/* ---- placing ------------------------------------------------------------------------------ */

static int32_t to_samples(const struct sl_mp4_track *t, const struct sl_track *track, int64_t ticks)
{
    int32_t rate = track->sample_rate > 0 ? track->sample_rate : 1;
    int64_t n =
        sl_rescale(ticks, sl_rational(1, t->timescale), sl_rational(1, rate), SL_ROUND_NEAREST);
    return n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

void sl_mp4_place(struct sl_mp4_track *t, const struct sl_track *track,
                  const struct sl_mp4_sample *s, struct sl_packet *p)
{
    int64_t end = s->cts + s->duration;
    bool sound = track->kind == SL_KIND_AUDIO;

    p->flags = s->key ? SL_PACKET_KEY : 0;
    p->layer = s->layer;
    p->pts = s->cts + t->shift;
    p->dts = s->dts - t->dts_shift + t->shift;
    p->duration = s->duration > 0 ? s->duration : SL_NO_TIME;
    if (p->dts > p->pts) { /* a fragment whose offsets are lower than any before */
        p->dts = p->pts;
    }
    if (s->cts < t->edit_start) {
        if (sound && end > t->edit_start) {
            p->trim_start = to_samples(t, track, t->edit_start - s->cts);
        } else if (!sound && s->cts == t->before && t->first > t->edit_start) {
            /* It is on when the edit begins: shown from there. */
            p->pts = t->edit_start + t->shift;
            p->duration = t->first - t->edit_start;
        } else {
            p->flags |= SL_PACKET_HIDDEN;
        }
    }
    if (t->edit_end == INT64_MAX) {
        return;
    }
    if (s->cts >= t->edit_end || t->edit_end - s->cts < t->timescale / 1000) {
        p->flags |= SL_PACKET_HIDDEN;
    } else if (sound && end > t->edit_end + t->edit_slack) {
        p->trim_end = to_samples(t, track, end - t->edit_end);
    }
}

bool sl_mp4_after_edit(struct sl_mp4_track *t, const struct sl_track *track,
                       const struct sl_mp4_sample *s)
{
    bool sound = track->kind == SL_KIND_AUDIO;

    if (t->ended || t->edit_end == INT64_MAX) {
        return t->ended;
    }
    if (s->cts + s->duration >= t->edit_end && (s->key || sound)) {
        /* Pictures that belong to the edit may follow the first sync sample behind it. */
        t->ended = sound || t->ctts.count == 0 || t->keys_after_end > 0;
        t->keys_after_end++;
    }
    return false;
}
