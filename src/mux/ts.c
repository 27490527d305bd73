/* SPDX-License-Identifier: BSD-2-Clause */
/* The MPEG-TS muxer: tracks, the order of PES packets, and the program clock. */
#include "mux/ts.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"
#include "mux/registry.h"

static const struct sl_rational clock_90k = {1, SL_TS_CLOCK};

static const struct sl_ts_codec codecs[] = {
    {SL_CODEC_H264, SL_KIND_VIDEO, 0x1b},
    {SL_CODEC_HEVC, SL_KIND_VIDEO, 0x24},
    {SL_CODEC_AAC, SL_KIND_AUDIO, 0x0f},
};

int64_t sl_ts_time(const struct sl_ts *m, const struct sl_ts_track *t, int64_t ticks)
{
    return m->offset + sl_rescale(ticks, t->info.timebase, clock_90k, SL_ROUND_NEAREST);
}

static void drop_packets(struct sl_ts_track *t)
{
    for (size_t i = 0; i < t->count; i++) {
        sl_packet_unref(&t->packets[i]);
    }
    t->count = t->next = 0;
}

static void ts_destroy(struct sl_muxer *base)
{
    struct sl_ts *m = (struct sl_ts *)base;
    for (size_t i = 0; m->tracks && i < m->count; i++) {
        drop_packets(&m->tracks[i]);
        sl_free(m->tracks[i].packets);
        sl_track_clear(&m->tracks[i].info);
    }
    sl_ts_out_clear(&m->out);
    sl_units_clear(&m->units);
    sl_free(m->pieces);
    sl_free(m->tracks);
    sl_free(m);
}

/* Presentation starts at 10 s, so that no time is negative and renditions of one presentation
 * share the offset whatever their reorder delay is. Only where that delay itself is longer (a
 * time lapse of seconds a frame) it grows, by steps of 10 s. */
static int64_t offset_for(const struct sl_ts *m)
{
    int64_t offset = SL_TS_OFFSET;
    for (size_t i = 0; i < m->count; i++) {
        const struct sl_track *t = &m->tracks[i].info;
        int64_t lead =
            SL_TS_PCR_LEAD + sl_rescale(t->decode_delay, t->timebase, clock_90k, SL_ROUND_UP);
        if (lead > offset) {
            offset = (lead + SL_TS_OFFSET - 1) / SL_TS_OFFSET * SL_TS_OFFSET;
        }
    }
    return offset;
}

static enum sl_status open_track(struct sl_ts_track *t, const struct sl_track *from, size_t index,
                                 int64_t start, struct sl_error *err)
{
    enum sl_status status = sl_timeline_init(&t->line, from, start, SL_TS_NAME, index, err);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        if (codecs[i].codec == from->codec && codecs[i].kind == from->kind) {
            t->codec = &codecs[i];
        }
    }
    if (!t->codec) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_TS_NAME, "track %zu: no stream type for %s", index,
                       from->codec_name[0] ? from->codec_name : sl_codec_name(from->codec));
    }
    if (sl_rescale(from->decode_delay, from->timebase, clock_90k, SL_ROUND_UP) > SL_TIMELINE_MAX) {
        return sl_fail(err, SL_EINVAL, SL_TS_NAME, "track %zu: decode delay %" PRId64 " ticks",
                       index, from->decode_delay);
    }
    status = sl_track_copy(&t->info, from, err);
    if (status) {
        return status;
    }
    if (sl_framing_wanted(from->codec)) {
        return sl_framing_init(&t->framing, &t->info, SL_TS_NAME, index, err);
    }
    if (!from->config_size) {
        return sl_fail(err, SL_EINVAL, SL_TS_NAME,
                       "track %zu: %s without its decoder configuration", index,
                       sl_codec_name(from->codec));
    }
    return sl_aac_parse_config(t->info.config, t->info.config_size, &t->aac, err);
}

/* 2.4.3.3: the counter of each PID goes on from the last packet that had it. */
static enum sl_status continue_counters(struct sl_ts *m, const struct sl_chain *before,
                                        struct sl_error *err)
{
    struct sl_buf *bytes = NULL;
    enum sl_status status = sl_chain_load(before, &bytes, err);
    for (size_t at = 0; !status && at + SL_TS_PACKET <= bytes->size; at += SL_TS_PACKET) {
        const uint8_t *p = bytes->data + at;
        unsigned pid = (unsigned)(p[1] & 0x1f) << 8 | p[2];
        uint8_t next = (uint8_t)((p[3] + 1) & 15);
        if (p[0] != 0x47) {
            status = sl_fail_at(err, SL_EDATA, SL_TS_NAME, (int64_t)at,
                                "no transport packet in what is to be gone on with");
        } else if (pid == 0) {
            m->pat_counter = next;
        } else if (pid == SL_TS_PID_PMT) {
            m->pmt_counter = next;
        }
        for (size_t i = 0; i < m->count; i++) {
            m->tracks[i].counter = m->tracks[i].pid == pid ? next : m->tracks[i].counter;
        }
    }
    sl_buf_unref(&bytes);
    return status;
}

static enum sl_status ts_open(struct sl_muxer **out, const struct sl_track *const *tracks,
                              size_t count, const struct sl_mux_params *params,
                              struct sl_error *err)
{
    enum sl_status status = SL_OK;
    uint8_t video_id = 0xe0, audio_id = 0xc0; /* table 2-22 */
    bool has_video = false;
    struct sl_ts *m = sl_alloc_zero(sizeof *m);
    if (!m) {
        return sl_fail_memory(err);
    }
    m->base.ops = &sl_mux_ts;
    m->pcr = SL_NO_TIME;
    m->tracks = sl_alloc_array(count, sizeof *m->tracks);
    if (!m->tracks) {
        status = sl_fail_memory(err);
        goto out;
    }
    m->count = count;
    for (size_t i = 0; i < count; i++) {
        sl_track_init(&m->tracks[i].info);
    }
    for (size_t i = 0; i < count && !status; i++) {
        bool video = tracks[i]->kind == SL_KIND_VIDEO;
        status = open_track(&m->tracks[i], tracks[i], i,
                            params->tracks ? params->tracks[i].start : 0, err);
        m->tracks[i].pid = (uint16_t)(SL_TS_PID_FIRST + i);
        m->tracks[i].stream_id = video ? video_id++ : audio_id++;
        if (video && !has_video) {
            m->pcr_track = i;
        }
        has_video |= video;
    }
    m->offset = offset_for(m);
    if (!status && params->before) {
        status = continue_counters(m, params->before, err);
    }
out:
    if (status) {
        ts_destroy(&m->base);
    } else {
        *out = &m->base;
    }
    return status;
}

static enum sl_status ts_header(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    (void)base;
    (void)out;
    (void)err;
    return SL_OK; /* every segment carries its own tables */
}

static enum sl_status ts_write(struct sl_muxer *base, struct sl_packet *p, struct sl_error *err)
{
    struct sl_ts *m = (struct sl_ts *)base;
    struct sl_ts_track *t;
    int64_t length;
    enum sl_status status;
    if (p->track >= m->count) {
        return sl_fail(err, SL_EINVAL, SL_TS_NAME, "a packet of track %u, there are %zu", p->track,
                       m->count);
    }
    t = &m->tracks[p->track];
    status = sl_timeline_check(&t->line, p, SL_TS_NAME, err);
    if (status) {
        return status;
    }
    /* Each tenth of a second needs a clock reference, so an hour of standstill is 6 MB of them. */
    length = sl_rescale(p->duration, t->info.timebase, clock_90k, SL_ROUND_UP);
    if (length > INT64_C(3600) * SL_TS_CLOCK) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_TS_NAME,
                       "track %u: a duration of %" PRId64 " ticks at dts %" PRId64
                       " is over an hour",
                       p->track, p->duration, p->dts);
    }
    if (sl_rescale(p->pts, t->info.timebase, clock_90k, SL_ROUND_UP) > SL_TIMELINE_MAX ||
        p->payload.size == 0) {
        return sl_fail(err, SL_EINVAL, SL_TS_NAME,
                       "track %u: a packet of %" PRId64 " bytes at pts %" PRId64, p->track,
                       p->payload.size, p->pts);
    }
    if (p->config && (p->config_size != t->info.config_size ||
                      memcmp(p->config, t->info.config, p->config_size) != 0)) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_TS_NAME,
                       "track %u: the decoder configuration changes at dts %" PRId64, p->track,
                       p->dts);
    }
    if (sl_grow(&t->packets, &t->capacity, t->count, sizeof *t->packets, SL_TS_PACKETS_MAX)) {
        return sl_fail(err, SL_ENOMEM, SL_TS_NAME,
                       "track %u: no room for packet %zu of a segment (at most %u)", p->track,
                       t->count, SL_TS_PACKETS_MAX);
    }
    t->packets[t->count++] = p;
    sl_timeline_advance(&t->line, p);
    return SL_OK;
}

/* The next PES packet by dts; the clock's track first where two are equal. NULL: none is left. */
static struct sl_ts_track *pick(struct sl_ts *m, int64_t *dts)
{
    struct sl_ts_track *best = NULL;
    *dts = INT64_MAX; /* later than any */
    for (size_t i = 0; i < m->count; i++) {
        struct sl_ts_track *t = &m->tracks[i];
        int64_t time;
        if (t->next == t->count) {
            continue;
        }
        time = sl_ts_time(m, t, t->packets[t->next]->dts);
        if (time < *dts || (time == *dts && i == m->pcr_track)) {
            best = t;
            *dts = time;
        }
    }
    return best;
}

/* Clock references by themselves, until the one due at limit is no more than 0.1 s away. */
static enum sl_status fill_clock(struct sl_ts *m, int64_t limit, struct sl_error *err)
{
    struct sl_ts_track *t = &m->tracks[m->pcr_track];
    enum sl_status status = SL_OK;
    while (!status && m->pcr != SL_NO_TIME && limit - m->pcr > SL_TS_PCR_EVERY) {
        m->pcr += SL_TS_PCR_EVERY;
        status = sl_ts_put(&m->out, t->pid, &t->counter, (struct sl_ts_adaptation){.pcr = m->pcr},
                           NULL, 0, err);
    }
    return status;
}

static enum sl_status ts_flush(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    struct sl_ts *m = (struct sl_ts *)base;
    struct sl_ts_track *clock = &m->tracks[m->pcr_track], *t;
    int64_t dts, end = INT64_MAX;
    size_t packets = 0;
    enum sl_status status;
    for (size_t i = 0; i < m->count; i++) {
        packets += m->tracks[i].count;
    }
    if (!packets) {
        return SL_OK;
    }
    /* Sound reaches further than the pictures' dts: the next segment's first clock reference
     * starts where this one's pictures end, so the clock must not run ahead of that. */
    if (clock->count) {
        end = sl_ts_time(m, clock, clock->line.next) - SL_TS_PCR_LEAD;
    }
    status = sl_ts_put_tables(m, err);
    while (!status && (t = pick(m, &dts))) {
        int64_t due = dts - SL_TS_PCR_LEAD;
        if (!clock->count && m->pcr == SL_NO_TIME) {
            m->pcr = due - SL_TS_PCR_EVERY - 1; /* no pictures yet: start the clock without them */
        }
        status = fill_clock(m, due < end ? due : end, err);
        if (!status) {
            status = sl_ts_put_pes(m, t, t == clock, err);
        }
    }
    if (!status && clock->count) {
        status = fill_clock(m, end, err);
    }
    if (!status) {
        status = sl_ts_out_finish(&m->out, out, err);
    }
    for (size_t i = 0; i < m->count; i++) {
        drop_packets(&m->tracks[i]);
    }
    return status;
}

const struct sl_muxer_ops sl_mux_ts = {
    .name = SL_TS_NAME,
    .open = ts_open,
    .header = ts_header,
    .write = ts_write,
    .flush = ts_flush,
    .destroy = ts_destroy,
};
