/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound of one segment as AAC: decoded from some time before, laid on the line of samples that
 * begins at time zero (filter/sound.h), encoded from some frames before. What the run-in gives is
 * thrown away, so that decoder, resampler and encoder have forgotten where they began. */
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "filter/sound.h"
#include "pipeline/vod_run.h"

#define AAC_FRAME 1024
#define RUN_IN    32 /* frames encoded and dropped: until the coder has found its step */
#define FINE      64 /* of a sample: what times are counted in where frames have no fixed length */

struct convert {
    struct vod_job *job;
    const struct vod_decoded *d;
    size_t track;
    struct sl_decoder *decoder;
    struct sl_sound *line;
    struct sl_coder *encoder;
    struct vod_run *run;
    int64_t from, to; /* pts of packets that count */
    struct vod_chain chain;
    int64_t begin; /* source time of the first packet that counts */
    bool warming;  /* times alone are looked at, up to warm_until (source time) */
    int64_t warm_until;
    /* Frames of no fixed length: some are decoded to know where they lie, see settle_frame(). */
    bool settling;
    int64_t early;           /* place from which on they count */
    int64_t low, high, gone; /* what the first of them allows for its place; samples since */
    bool full;               /* all up to `to` have come */
    int64_t damaged;
};

enum sl_status sl_vod_open_aac(const struct sl_vod *v, const struct vod_decoded *d,
                               struct sl_coder **out, struct sl_error *err)
{
    struct sl_encode_params p = {
        .log = v->log,
        .timebase = {1, d->out_rate},
        .threads = 1,
        .bitrate = v->audio_bitrate,
        .sample_rate = d->out_rate,
        .channels = d->out_channels,
        .channel_layout = d->out_channels == 1 ? 0x4 : 0x3,
        .joins = true,
    };
    return sl_encode_open(out, SL_CODEC_AAC, NULL, &p, err);
}

/* ---- one segment ---------------------------------------------------------------------------- */

static enum sl_status take_packet(struct convert *c, struct sl_packet *p, struct sl_error *err)
{
    if (p->pts < c->from || p->pts >= c->to) {
        c->full = c->full || p->pts >= c->to;
        sl_packet_unref(&p);
        return SL_OK;
    }
    p->track = 0;
    c->full = p->pts + AAC_FRAME >= c->to;
    return sl_vod_run_add(c->run, p, err);
}

static enum sl_status encode(struct convert *c, struct sl_frame *frame, struct sl_error *err)
{
    const struct sl_coder_ops *ops = c->encoder->ops;
    for (;;) {
        enum sl_status st = ops->send(c->encoder, frame, err);
        bool sent = st == SL_OK;
        struct sl_packet *p = NULL;
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        while ((st = ops->receive(c->encoder, &p, err)) == SL_OK) {
            st = take_packet(c, p, err);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

static enum sl_status drain_line(struct convert *c, struct sl_error *err)
{
    while (!c->full) {
        struct sl_frame *f = NULL;
        enum sl_status st = sl_sound_receive(c->line, &f, err);
        if (st != SL_OK) {
            return st == SL_EAGAIN || st == SL_EOF ? SL_OK : st;
        }
        st = encode(c, f, err);
        sl_frame_unref(&f);
        if (st != SL_OK) {
            return st;
        }
    }
    return SL_OK;
}

/* The timebase of what is decoded. */
static struct sl_rational fine(const struct vod_decoded *d)
{
    return sl_rational(1, d->grid.frame > 0 || d->counted ? d->rate : (int64_t)d->rate * FINE);
}

/* A time says within half a tick where its frame begins, and how many samples lie between frames is
 * known exactly: so each narrows down where the first one began, to a sample or two where lengths
 * differ. False: it lies before what counts. */
static bool settle_frame(struct convert *c, struct sl_frame *f)
{
    const struct vod_grid *g = &c->d->grid;
    int64_t slack = sl_rescale(1, g->in, fine(c->d), SL_ROUND_UP) / 2 + 1;
    int64_t samples = (int64_t)f->samples * FINE;
    if (f->pts == SL_NO_TIME) {
        c->gone += samples;
        return false;
    }
    int64_t low = f->pts - c->gone - slack, high = f->pts - c->gone + slack;
    if (c->gone < 0 || low > c->high ||
        high < c->low) { /* the first one, or the first after a gap */
        c->gone = 0;
        c->low = f->pts - slack;
        c->high = f->pts + slack;
    } else {
        c->low = low > c->low ? low : c->low;
        c->high = high < c->high ? high : c->high;
    }
    if (f->pts < c->early * FINE) {
        c->gone += samples;
        return false;
    }
    if (c->gone > 0) {
        int64_t first = sl_muldiv(c->low + c->high, 1, INT64_C(2) * FINE, SL_ROUND_NEAREST);
        f->pts = first * FINE + c->gone;
    }
    c->settling = false;
    return true;
}

static enum sl_status take_frame(struct convert *c, struct sl_frame *f, struct sl_error *err)
{
    enum sl_status st;
    if (c->settling && !settle_frame(c, f)) {
        return SL_OK;
    }
    while ((st = sl_sound_send(c->line, f, err)) == SL_EAGAIN) {
        st = drain_line(c, err);
        if (st != SL_OK || c->full) {
            return st;
        }
    }
    return st == SL_OK ? drain_line(c, err) : st;
}

static enum sl_status hand_on(void *opaque, struct sl_frame *f, struct sl_error *err)
{
    return take_frame(opaque, f, err);
}

/* Decodes one packet (NULL: drains). */
static enum sl_status decode(struct convert *c, struct sl_packet *p, struct sl_error *err)
{
    struct vod_decoding d = {.vod = c->job->vod,
                             .what = "sound",
                             .decoder = c->decoder,
                             .full = &c->full,
                             .damaged = &c->damaged,
                             .take = hand_on,
                             .opaque = c};
    return sl_vod_decode(&d, p, err);
}

/* The decoder gets times in samples, which are exact; those of the container may be rounded. */
static enum sl_status feed_packet(struct convert *c, struct sl_packet *p, int64_t early,
                                  struct sl_error *err)
{
    int64_t time = sl_vod_time(p);
    if (p->track != c->track || time == SL_NO_TIME || p->payload.size == 0 || time < c->begin) {
        return SL_OK;
    }
    if (c->warming) {
        if (time < c->warm_until) {
            sl_vod_chain_warm(&c->chain, p, time);
            return SL_OK;
        }
        enum sl_status st = sl_vod_chain_settle(&c->chain, time);
        c->warming = false;
        if (st != SL_OK) {
            return st;
        }
    }
    p->pts = sl_vod_chain_place(&c->chain, p, time);
    p->duration = c->d->grid.frame > 0 ? c->d->grid.frame : SL_NO_TIME;
    bool counts = p->pts >= early || c->settling;
    if (c->d->grid.frame <= 0 && !c->d->counted) {
        p->pts = sl_rescale(time - c->d->grid.zero, c->d->grid.in, fine(c->d), SL_ROUND_NEAREST);
    }
    p->dts = p->pts;
    return counts ? decode(c, p, err) : SL_OK;
}

static enum sl_status feed(struct convert *c, int64_t early, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    while (st == SL_OK && !c->full) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(c->job, &p, err);
        if (st == SL_EOF) {
            st = decode(c, NULL, err);
            break;
        }
        if (st == SL_OK) {
            st = feed_packet(c, p, early, err);
        }
        sl_packet_unref(&p);
    }
    /* The line ends where the table says, whatever came. */
    if (st == SL_OK && !c->full) {
        st = sl_sound_finish(c->line, c->d->end, err);
        st = st == SL_OK ? drain_line(c, err) : st;
        st = st == SL_OK && !c->full ? encode(c, NULL, err) : st;
    }
    return st;
}

static enum sl_status open_all(struct convert *c, int64_t first, struct sl_error *err)
{
    struct sl_vod *v = c->job->vod;
    struct sl_decode_params params = {.log = v->log, .threads = 1};
    struct sl_sound_params line = {
        .timebase = fine(c->d),
        .sample_rate = c->d->out_rate,
        .channels = c->d->out_channels,
        .frame_samples = AAC_FRAME,
        .first = first,
    };
    struct sl_track as = v->tracks[c->track]; /* shares its memory */
    as.timebase = fine(c->d);
    enum sl_status st = sl_decode_open(&c->decoder, &as, &params, err);
    if (st == SL_OK) {
        st = sl_sound_create(&c->line, &line, err);
    }
    return st == SL_OK ? sl_vod_open_aac(v, c->d, &c->encoder, err) : st;
}

static bool marks_known(struct sl_vod *v, const struct vod_decoded *d)
{
    (void)pthread_mutex_lock(&v->lock);
    bool known = d->marking.state == VOD_KNOWN;
    (void)pthread_mutex_unlock(&v->lock);
    return known;
}

/* Where to begin to read so that places are known. */
static int64_t begin_at(struct convert *c, int64_t early, int64_t warm)
{
    const struct vod_grid *g = &c->d->grid;
    int64_t time = g->zero + sl_rescale(early, g->out, g->in, SL_ROUND_DOWN);
    int64_t start = g->zero - sl_rescale(VOD_DECODE_MS, sl_rational(1, 1000), g->in, SL_ROUND_UP);
    int64_t from = time - sl_rescale(warm, sl_rational(1, 1), g->in, SL_ROUND_UP);
    const struct vod_mark *mark =
        marks_known(c->job->vod, c->d) ? sl_vod_mark_before(c->d, early) : NULL;
    c->chain = (struct vod_chain){.d = c->d, .next = SL_NO_TIME};
    c->warming = false;
    if (mark) {
        c->chain.next = mark->next;
        c->chain.before = mark->before;
        c->begin = mark->time;
    } else if (from <= start) { /* the beginning is near enough to begin there */
        c->begin = start;
    } else {
        c->warming = g->frame > 0;
        c->settling = !c->warming;
        c->early = early;
        c->gone = -1;
        c->warm_until = time;
        c->begin = from;
    }
    return c->begin;
}

enum sl_status sl_vod_convert(struct vod_job *j, size_t track, int64_t from, int64_t to,
                              struct vod_run *run, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct convert c = {.job = j,
                        .d = &v->known[track].decoded,
                        .track = track,
                        .run = run,
                        .from = from,
                        .to = to};
    int64_t first = from - (int64_t)RUN_IN * AAC_FRAME;
    first = first < 0 ? 0 : first;
    /* in samples of the source */
    int64_t early = sl_muldiv(first, c.d->rate, c.d->out_rate, SL_ROUND_DOWN) -
                    sl_muldiv(c.d->rate, VOD_DECODE_MS, 1000, SL_ROUND_UP);
    enum sl_status st = open_all(&c, first, err);
    bool tried = false;
    for (int64_t warm = VOD_WARM; warm <= VOD_WARM_MOST && (!tried || st == SL_EAGAIN);
         warm *= 10) {
        if (tried || st == SL_OK) {
            st = sl_vod_seek(j, track, begin_at(&c, early, warm), UINT64_C(1) << track, err);
        }
        if (st == SL_OK) {
            st = feed(&c, early, err);
        }
        tried = true;
    }
    sl_decode_destroy(&c.decoder);
    sl_sound_destroy(&c.line);
    sl_encode_destroy(&c.encoder);
    if (st == SL_OK && run->count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, v->where, "track %zu has no sound from there on", track);
    }
    if (st == SL_OK) {
        const struct sl_packet *last = run->items[run->count - 1];
        run->start = run->items[0]->pts;
        run->end = last->pts + last->duration;
    }
    return st;
}
