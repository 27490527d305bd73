/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic MP4 with its index in front, for files: ISO/IEC 14496-12 without fragments.
 *
 * header() gives ftyp, a free box and the head of mdat, of a size that is likely to hold the index;
 * payload follows as it comes; finish() gives the same bytes again with moov in the place of the
 * free box. See docs/fmp4.md. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "mux/mp4_tables.h"
#include "mux/registry.h"

#define MP4_NAME    "mp4"
#define FRONT_MAX   ((size_t)1 << 30)
#define MDAT_HEAD   16 /* with 64 bits for the size, whatever it comes to */
#define FREE_HEAD   8
#define BRANDS_MAX  64
#define CHUNKS_EACH 2 /* chunks a second that the estimate allows for */

struct track {
    struct sl_mp4_track t;
    struct sl_mp4_tables tables;
    struct sl_chain data;
    int64_t end;      /* of what is shown: the latest pts and its duration, ticks */
    int32_t trim_end; /* of the last packet */
};

struct mp4 {
    struct sl_muxer base;
    struct track *tracks;
    size_t count;
    char brands[BRANDS_MAX];
    size_t brands_size;
    int64_t front;   /* bytes that header() gives */
    int64_t payload; /* bytes that flush has given */
    struct sl_units units;
};

static void mp4_destroy(struct sl_muxer *base)
{
    struct mp4 *m = (struct mp4 *)base;
    for (size_t i = 0; m->tracks && i < m->count; i++) {
        sl_mp4_track_clear(&m->tracks[i].t);
        sl_mp4_tables_clear(&m->tracks[i].tables);
        sl_chain_clear(&m->tracks[i].data);
    }
    sl_units_clear(&m->units);
    sl_free(m->tracks);
    sl_free(m);
}

/* Samples a second; where it is not known, more than usual. */
static int64_t rate_of(const struct sl_track *t)
{
    switch (t->kind) {
    case SL_KIND_VIDEO:
        if (sl_rational_valid(t->frame_rate)) {
            int64_t rate = sl_muldiv(1, t->frame_rate.num, t->frame_rate.den, SL_ROUND_UP);
            return rate < 1000 ? rate : 1000;
        }
        return 60;
    case SL_KIND_AUDIO: /* 1024 samples, or Opus in 20 ms */
        return t->codec == SL_CODEC_OPUS ? 50 : t->sample_rate / 1024 + 1;
    default:
        return 2;
    }
}

/* What moov will come to, generously. */
static int64_t estimate(const struct mp4 *m, int64_t duration)
{
    int64_t seconds = duration / 1000000 + 1;
    int64_t bytes = 1024;
    for (size_t i = 0; i < m->count; i++) {
        const struct sl_track *t = &m->tracks[i].t.info;
        /* sizes; pictures: durations (where they vary), composition offsets, sync samples */
        int64_t each = t->kind == SL_KIND_AUDIO ? 4 : t->frame_rate_exact ? 13 : 21;
        int64_t a_second = rate_of(t) * each + (int64_t)CHUNKS_EACH * (8 + 12);
        bytes += 1024 + (int64_t)t->config_size;
        if (a_second > (int64_t)(FRONT_MAX / 2) / seconds) {
            return FRONT_MAX / 2;
        }
        bytes += a_second * seconds;
    }
    return bytes < (int64_t)(FRONT_MAX / 2) ? bytes : (int64_t)(FRONT_MAX / 2);
}

static int64_t round_up(int64_t size)
{
    return (size + SL_MUX_FRONT_STEP - 1) / SL_MUX_FRONT_STEP * SL_MUX_FRONT_STEP;
}

static enum sl_status mp4_open(struct sl_muxer **out, const struct sl_track *const *tracks,
                               size_t count, const struct sl_mux_params *params,
                               struct sl_error *err)
{
    struct sl_mux_params plain = *params;
    size_t brands = params->brands ? strlen(params->brands) : 0;
    enum sl_status status = SL_OK;
    struct mp4 *m = sl_alloc_zero(sizeof *m);
    if (!m) {
        return sl_fail_memory(err);
    }
    m->base.ops = &sl_mux_mp4;
    plain.flags &= ~(uint32_t)SL_MUX_SWITCH; /* there is one header */
    if (brands % 4 || brands > sizeof m->brands) {
        status =
            sl_fail(err, SL_EINVAL, MP4_NAME, "brands of %zu letters, expected four each", brands);
        goto out;
    }
    if (brands > 0) {
        memcpy(m->brands, params->brands, brands);
    }
    m->brands_size = brands;
    m->tracks = sl_alloc_array(count, sizeof *m->tracks);
    if (!m->tracks) {
        status = sl_fail_memory(err);
        goto out;
    }
    for (; m->count < count && !status; m->count++) {
        struct track *t = &m->tracks[m->count];
        sl_chain_init(&t->data);
        sl_mp4_tables_init(&t->tables);
        status = sl_mp4_track_open(&t->t, tracks[m->count], m->count, &plain, MP4_NAME, err);
    }
    if (!status) {
        m->front = round_up(estimate(m, params->duration > 0 ? params->duration : 0));
    }
out:
    if (status) {
        mp4_destroy(&m->base);
    } else {
        *out = &m->base;
    }
    return status;
}

static void write_ftyp(const struct mp4 *m, struct sl_writer *w)
{
    size_t box = sl_box_begin(w, "ftyp");
    sl_write_text(w, "isom");
    sl_write_be32(w, 0x200);
    sl_write_text(w, "isomiso6mp41");
    sl_write_bytes(w, m->brands, m->brands_size);
    sl_box_end(w, box);
}

/* A free box to the end of the front, and the head of mdat. */
static void write_rest(const struct mp4 *m, size_t front, struct sl_writer *w)
{
    if (w->size + MDAT_HEAD < front) {
        size_t box = sl_box_begin(w, "free");
        sl_write_zeros(w, front - MDAT_HEAD - w->size);
        sl_box_end(w, box);
    }
    sl_write_be32(w, 1);
    sl_write_text(w, "mdat");
    sl_write_be64(w, (uint64_t)m->payload + MDAT_HEAD);
}

static void release(void *opaque, uint8_t *data)
{
    (void)opaque;
    sl_free(data);
}

/* Hands the writer's memory to the chain as it is: an index can be large. */
static enum sl_status give(struct sl_writer *w, struct sl_chain *out, struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_writer_finish(w, err);
    if (!status) {
        status = sl_buf_wrap(&buf, w->data, w->size, release, NULL, err);
    }
    if (status) {
        sl_writer_clear(w);
        return status;
    }
    status = sl_chain_add_buf(out, buf, 0, w->size, err);
    sl_buf_unref(&buf);
    return status;
}

static enum sl_status mp4_header(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    const struct mp4 *m = (const struct mp4 *)base;
    struct sl_writer w;
    sl_writer_init(&w, FRONT_MAX);
    write_ftyp(m, &w);
    write_rest(m, (size_t)m->front, &w);
    return give(&w, out, err);
}

static enum sl_status mp4_write(struct sl_muxer *base, struct sl_packet *p, struct sl_error *err)
{
    struct mp4 *m = (struct mp4 *)base;
    struct sl_mp4_sample sample;
    struct track *t;
    int64_t end;
    enum sl_status status;
    if (p->track >= m->count) {
        return sl_fail(err, SL_EINVAL, MP4_NAME, "a packet of track %u, there are %zu", p->track,
                       m->count);
    }
    t = &m->tracks[p->track];
    if (t->tables.samples == SL_MP4_SAMPLES_MAX) {
        return sl_fail(err, SL_ENOMEM, MP4_NAME, "track %u: more than %u samples", p->track,
                       SL_MP4_SAMPLES_MAX);
    }
    status = sl_mp4_track_write(&t->t, p, &m->units, &t->data, &sample, err);
    if (!status) {
        end = p->pts + p->duration;
        t->end = end > t->end ? end : t->end;
        t->trim_end = p->trim_end;
        status = sl_mp4_tables_add(&t->tables, &sample, err);
    }
    if (!status) {
        sl_packet_unref(&p);
    }
    return status;
}

/* One chunk for each track that has samples. */
static enum sl_status mp4_flush(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    struct mp4 *m = (struct mp4 *)base;
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < m->count && !status; i++) {
        struct track *t = &m->tracks[i];
        int64_t size = t->data.size;
        status = sl_mp4_tables_chunk(&t->tables, m->payload, err);
        if (!status) {
            status = sl_chain_move(out, &t->data, err);
        }
        m->payload += size;
    }
    return status;
}

/* ---- the index --------------------------------------------------------------------------- */

/* The least common multiple of all timescales, so that every edit is exact; 90000 where it is out
 * of reason. */
static uint32_t movie_timescale(const struct mp4 *m)
{
    uint64_t common = 1;
    for (size_t i = 0; i < m->count; i++) {
        uint64_t a = common, b = m->tracks[i].t.timescale;
        if (b == 0) {
            continue; /* none is: every track was opened */
        }
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        common = common / a * m->tracks[i].t.timescale;
        if (common > INT32_MAX) {
            return 90000;
        }
    }
    return (uint32_t)common;
}

static struct sl_mp4_times times_of(const struct track *t, uint32_t timescale)
{
    struct sl_mp4_times times = {.media = t->tables.duration};
    int64_t shown = (t->end - t->t.start) * t->t.factor;
    if (t->trim_end > 0 && t->t.info.sample_rate > 0) {
        shown -= sl_muldiv(t->trim_end, t->t.timescale, t->t.info.sample_rate, SL_ROUND_NEAREST);
        times.cut = true;
    }
    shown = shown > 0 ? shown : 0;
    times.shown = (uint64_t)sl_muldiv(shown, timescale, t->t.timescale, SL_ROUND_NEAREST);
    times.empty =
        (uint64_t)sl_muldiv(t->t.start * t->t.factor, timescale, t->t.timescale, SL_ROUND_NEAREST);
    return times;
}

struct stbl {
    const struct track *track;
    int64_t base;
    bool wide;
};

static void write_tables(const void *opaque, struct sl_writer *w)
{
    const struct stbl *s = opaque;
    sl_mp4_tables_write(&s->track->tables, s->base, s->wide, s->track->t.info.kind == SL_KIND_VIDEO,
                        w);
    sl_mp4_write_roll(&s->track->t, w);
    sl_mp4_write_roll_all(&s->track->t, s->track->tables.samples, w);
}

static void write_moov(const struct mp4 *m, int64_t base, struct sl_writer *w)
{
    uint32_t timescale = movie_timescale(m);
    uint64_t duration = 0;
    /* The front is no larger than its maximum, so this holds whatever base comes to be. */
    bool wide = m->payload > (int64_t)UINT32_MAX - (int64_t)FRONT_MAX;
    size_t moov = sl_box_begin(w, "moov");
    for (size_t i = 0; i < m->count; i++) {
        struct sl_mp4_times times = times_of(&m->tracks[i], timescale);
        duration = times.empty + times.shown > duration ? times.empty + times.shown : duration;
    }
    sl_mp4_write_mvhd(m->count, timescale, duration, w);
    for (size_t i = 0; i < m->count; i++) {
        struct stbl stbl = {&m->tracks[i], base, wide};
        struct sl_mp4_times times = times_of(&m->tracks[i], timescale);
        sl_mp4_write_trak(&m->tracks[i].t, (uint32_t)i + 1, &times, write_tables, &stbl, w);
    }
    sl_box_end(w, moov);
}

static enum sl_status mp4_finish(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    const struct mp4 *m = (const struct mp4 *)base;
    struct sl_writer w;
    int64_t front = m->front, needed;
    size_t start;
    enum sl_status status;

    for (size_t i = 0; i < m->count; i++) {
        if (m->tracks[i].tables.in_chunk) {
            return sl_fail(err, SL_EINVAL, MP4_NAME,
                           "the index while %u samples of track %zu wait for a flush",
                           m->tracks[i].tables.in_chunk, i);
        }
    }
    sl_writer_init(&w, FRONT_MAX);
    write_ftyp(m, &w);
    start = w.size;
    write_moov(m, front, &w);
    status = sl_writer_finish(&w, err);
    if (status) {
        sl_writer_clear(&w);
        return status;
    }
    needed = (int64_t)w.size + MDAT_HEAD;
    if (needed != front && needed + FREE_HEAD > front) {
        front += round_up(needed + FREE_HEAD - front);
        w.size = start; /* the same once more: only the offsets differ */
        write_moov(m, front, &w);
    }
    write_rest(m, (size_t)front, &w);
    return give(&w, out, err);
}

const struct sl_muxer_ops sl_mux_mp4 = {
    .name = MP4_NAME,
    .open = mp4_open,
    .header = mp4_header,
    .write = mp4_write,
    .flush = mp4_flush,
    .destroy = mp4_destroy,
    .finish = mp4_finish,
};
