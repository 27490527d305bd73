/* SPDX-License-Identifier: BSD-2-Clause */
/* Passed-through pictures of one segment. Which ones: in coded order, from the first one that is
 * shown at or after the cut on, which is the key frame that the cut was made from. Their decoding
 * times are dealt as sl_remux deals them, and the last one ends where the next segment begins,
 * which is worked out from that segment's pictures in the very way in which that segment does. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "pipeline/vod_run.h"

#define NALS_MAX 64 /* of a key frame, to look at for its kind */

struct pictures {
    struct vod_job *job;
    size_t track;
    struct sl_remux_track *t; /* what is known, with clocks of its own; no packets but dts' */
    struct sl_packet *look[SL_REMUX_DEPTH_MAX + 2]; /* of the next segment: times alone */
    size_t look_count;
    int64_t from, to; /* source ticks */
    bool inside, beyond, ended;
    size_t ours, popped;
};

static enum sl_status init(struct pictures *p, struct vod_job *j, int64_t from, int64_t to,
                           struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    const struct sl_remux_track *facts = &v->known[v->picture].facts;
    *p = (struct pictures){.job = j, .track = v->picture};
    p->from = from == VOD_FIRST ? from : from + v->zero;
    p->to = to == VOD_LAST ? to : to + v->zero;
    p->t = sl_alloc(sizeof *p->t);
    if (!p->t) {
        return sl_fail_memory(err);
    }
    *p->t = *facts;
    sl_remux_dts_resume(&p->t->dts, &facts->dts);
    return sl_vod_seek(j, v->picture, p->from, UINT64_C(1) << v->picture, err);
}

static void clear(struct pictures *p)
{
    for (size_t i = 0; i < p->look_count; i++) {
        sl_packet_unref(&p->look[i]);
    }
    if (p->t) {
        sl_remux_dts_clear(&p->t->dts);
        sl_free(p->t);
    }
}

/* The next picture of this segment or after it; NULL: the source has ended. */
static enum sl_status next(struct pictures *p, struct sl_packet **out, struct sl_error *err)
{
    for (;;) {
        struct sl_packet *q = NULL;
        enum sl_status st = sl_vod_read(p->job, &q, err);
        *out = NULL;
        if (st == SL_EOF) {
            p->ended = true;
            return SL_OK;
        }
        if (st != SL_OK) {
            return st;
        }
        int64_t time = sl_vod_time(q);
        bool wanted = q->track == p->track && sl_remux_has_picture(p->t, q);
        if (wanted && !p->inside) {
            /* The very first one must be one that decoding can start at. */
            wanted = p->from == VOD_FIRST ? (q->flags & SL_PACKET_KEY) != 0
                                          : time != SL_NO_TIME && time >= p->from;
            p->inside = wanted;
        }
        if (!wanted) {
            sl_packet_unref(&q);
            continue;
        }
        p->beyond = p->beyond || (time != SL_NO_TIME && time >= p->to);
        *out = q;
        return SL_OK;
    }
}

/* Remembers the times of a picture of the next segment. */
static enum sl_status remember(struct pictures *p, const struct sl_packet *q, struct sl_error *err)
{
    struct sl_packet *shadow = NULL;
    if (p->look_count == sizeof p->look / sizeof *p->look) {
        return SL_OK;
    }
    enum sl_status st = sl_packet_create(&shadow, err);
    if (st == SL_OK) {
        shadow->pts = q->pts;
        shadow->dts = q->dts;
        shadow->duration = q->duration;
        p->look[p->look_count++] = shadow;
    }
    return st;
}

/* The decoding time of the first of the pictures looked at. They go. */
static int64_t first_dts(struct pictures *p)
{
    struct sl_remux_dts dts;
    struct sl_packet *q;
    int64_t at = SL_NO_TIME;
    sl_remux_dts_resume(&dts, &p->t->dts);
    for (size_t i = 0; i < p->look_count; i++) {
        sl_remux_dts_push(&dts, p->look[i]);
        p->look[i] = NULL;
    }
    p->look_count = 0;
    sl_remux_dts_end(&dts);
    while ((q = sl_remux_dts_pop(&dts)) != NULL) {
        at = at == SL_NO_TIME ? q->dts : at;
        sl_packet_unref(&q);
    }
    sl_remux_dts_clear(&dts);
    return at;
}

/* How many of the next segment have to be seen for its first decoding time to be known. */
static size_t ahead(const struct pictures *p)
{
    return p->t->dts.depth + 1;
}

static enum sl_status pop(struct pictures *p, struct vod_run *run, struct sl_error *err)
{
    struct sl_packet *q;
    enum sl_status st = SL_OK;
    while (st == SL_OK && (q = sl_remux_dts_pop(&p->t->dts)) != NULL) {
        if (p->popped++ < p->ours) {
            q->pts -= p->t->zero;
            q->dts -= p->t->zero;
            q->track = 0;
            st = sl_vod_run_add(run, q, err);
        } else {
            sl_packet_unref(&q);
        }
    }
    return st;
}

/* The last picture ends where the next segment begins; in a stream that does not keep its own rules
 * earlier ones have to make room. */
static enum sl_status end_at(struct vod_run *run, int64_t end, struct sl_error *err)
{
    int64_t next = end;
    if (run->count == 0) {
        return SL_OK;
    }
    if (end - run->items[0]->dts < (int64_t)run->count) {
        return sl_fail(err, SL_EDATA, NULL,
                       "%zu pictures lie between %lld and %lld ticks, where there is not room",
                       run->count, (long long)run->items[0]->dts, (long long)end);
    }
    for (size_t i = run->count; i-- > 0;) {
        struct sl_packet *q = run->items[i];
        if (i > 0 && q->dts >= next) {
            q->dts = next - 1;
        } else if (next - q->dts == q->duration && i + 1 < run->count) {
            break; /* what is before has not moved */
        }
        q->duration = next - q->dts;
        next = q->dts;
    }
    run->end = end;
    return SL_OK;
}

static enum sl_status collect(struct pictures *p, struct vod_run *run, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    while (st == SL_OK && !p->ended && !(p->beyond && p->look_count >= ahead(p))) {
        struct sl_packet *q = NULL;
        st = next(p, &q, err);
        if (st != SL_OK || !q) {
            break;
        }
        sl_remux_place_picture(p->t, q);
        if (p->beyond) {
            st = remember(p, q, err);
        } else {
            p->ours++;
        }
        /* of the next segment too: they decide how the last ones of this are dealt */
        sl_remux_dts_push(&p->t->dts, q);
        st = st == SL_OK ? pop(p, run, err) : st;
    }
    if (st == SL_OK) {
        sl_remux_dts_end(&p->t->dts);
        st = pop(p, run, err);
    }
    if (st == SL_OK && run->count > 0) {
        const struct sl_packet *last = run->items[run->count - 1];
        run->start = run->items[0]->dts;
        run->end = last->dts + last->duration;
        if (p->look_count > 0) {
            st = end_at(run, first_dts(p) - p->t->zero, err);
        }
    }
    return st;
}

enum sl_status sl_vod_pictures(struct vod_job *j, int64_t from, int64_t to, struct vod_run *run,
                               struct sl_error *err)
{
    struct pictures p;
    enum sl_status st = init(&p, j, from, to, err);
    if (st == SL_OK) {
        st = collect(&p, run, err);
    }
    clear(&p);
    if (st == SL_OK && run->count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, j->vod->where, "has no pictures from there on");
    }
    return st;
}

/* ---- edges --------------------------------------------------------------------------------- */

/* H.264 and HEVC: an IDR, and nothing less. */
static bool is_idr(const struct pictures *p, const struct sl_packet *q)
{
    const struct sl_remux_track *t = p->t;
    bool hevc = t->out.codec == SL_CODEC_HEVC;
    int64_t at = 0;
    if (t->out.codec != SL_CODEC_H264 && !hevc) {
        return true; /* key frames of others need nothing */
    }
    if (t->form.annexb) {
        struct sl_buf *buf = NULL;
        bool idr = false;
        if (sl_chain_load(&q->payload, &buf, NULL) == SL_OK) {
            struct sl_nal_walker w = {.data = buf->data, .size = buf->size};
            struct sl_nal nal;
            while (!idr && sl_nal_next_annexb(&w, &nal)) {
                unsigned type = hevc ? nal.data[0] >> 1 & 63u : nal.data[0] & 31u;
                idr = hevc ? type == 19 || type == 20 : type == 5;
            }
        }
        sl_buf_unref(&buf);
        return idr;
    }
    for (int i = 0; i < NALS_MAX; i++) {
        uint8_t head[5] = {0};
        int64_t length = 0;
        if (at + t->prefix + 1 > q->payload.size ||
            sl_chain_read(&q->payload, at, head, t->prefix + 1, NULL) != SL_OK) {
            return false;
        }
        for (unsigned k = 0; k < t->prefix; k++) {
            length = length << 8 | head[k];
        }
        unsigned type = hevc ? head[t->prefix] >> 1 & 63u : head[t->prefix] & 31u;
        bool slice = hevc ? type < 32 : type >= 1 && type <= 5;
        if (slice) {
            /* ISO/IEC 23008-2 table 7-1: IDR_W_RADL, IDR_N_LP; 14496-10 table 7-1 */
            return hevc ? type == 19 || type == 20 : type == 5;
        }
        at += t->prefix + length;
    }
    return false;
}

enum sl_status sl_vod_edge_at(struct vod_job *j, int64_t from, struct vod_edge *out,
                              struct sl_error *err)
{
    struct pictures p;
    struct sl_packet *q = NULL;
    int64_t key = 0;
    enum sl_status st = init(&p, j, from, VOD_LAST, err);
    *out = (struct vod_edge){.closed = true};
    while (st == SL_OK && !p.ended && p.look_count < ahead(&p)) {
        st = next(&p, &q, err);
        if (st != SL_OK || !q) {
            break;
        }
        bool first = p.look_count == 0, sync = (q->flags & SL_PACKET_KEY) != 0;
        sl_remux_place_picture(p.t, q);
        key = first ? q->pts : key;
        out->earliest = first || q->pts < out->earliest ? q->pts : out->earliest;
        out->closed = out->closed && q->pts >= key && (!first || (sync && is_idr(&p, q)));
        st = remember(&p, q, err);
        sl_packet_unref(&q);
    }
    sl_packet_unref(&q);
    if (st == SL_OK && p.look_count == 0) {
        st = sl_fail(err, SL_ENOTFOUND, j->vod->where, "has no pictures from there on");
    }
    if (st == SL_OK) {
        out->dts = first_dts(&p) - p.t->zero;
        out->earliest -= p.t->zero;
    }
    clear(&p);
    return st;
}
