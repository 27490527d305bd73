/* SPDX-License-Identifier: BSD-2-Clause */
/* The fMP4 muxer: opening, taking packets, and the framing of their payloads. */
#include "mux/fmp4.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/track.h"
#include "mux/registry.h"

static void fmp4_destroy(struct sl_muxer *base)
{
    struct sl_fmp4 *m = (struct sl_fmp4 *)base;
    for (size_t i = 0; m->tracks && i < m->count; i++) {
        sl_track_clear(&m->tracks[i].info);
        sl_free(m->tracks[i].samples);
        sl_chain_clear(&m->tracks[i].data);
    }
    sl_units_clear(&m->units);
    sl_free(m->tracks);
    sl_free(m);
}

static enum sl_status open_track(struct sl_fmp4_track *t, const struct sl_track *from, size_t index,
                                 int64_t start, struct sl_error *err)
{
    struct sl_rational tb;
    enum sl_status status = sl_timeline_init(&t->line, from, start, SL_FMP4_NAME, index, err);
    if (!status) {
        status = sl_fmp4_entry_check(from, index, err);
    }
    if (!status) {
        status = sl_track_copy(&t->info, from, err);
    }
    if (!status && sl_framing_wanted(from->codec)) {
        status = sl_framing_init(&t->framing, &t->info, SL_FMP4_NAME, index, err);
    }
    if (status) {
        return status;
    }
    /* A timescale is a whole number of ticks a second, so 1001/30000 s becomes 1001 ticks of
     * 1/30000 s: exact, no time is ever rounded here. */
    tb = sl_rational_reduce(from->timebase);
    if (tb.den > UINT32_MAX || tb.num > INT32_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                       "track %zu: timebase %" PRId64 "/%" PRId64
                       " does not fit a 32-bit timescale",
                       index, tb.num, tb.den);
    }
    t->timescale = (uint32_t)tb.den;
    t->factor = tb.num;
    if (from->decode_delay > SL_TIMELINE_MAX / t->factor) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME, "track %zu: decode delay %" PRId64 " ticks",
                       index, from->decode_delay);
    }
    return SL_OK;
}

static enum sl_status fmp4_open(struct sl_muxer **out, const struct sl_track *const *tracks,
                                size_t count, const struct sl_mux_params *params,
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct sl_fmp4 *m = sl_alloc_zero(sizeof *m);
    if (!m) {
        return sl_fail_memory(err);
    }
    m->base.ops = &sl_mux_fmp4;
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
        status = open_track(&m->tracks[i], tracks[i], i,
                            params->tracks ? params->tracks[i].start : 0, err);
    }
out:
    if (status) {
        fmp4_destroy(&m->base);
    } else {
        *out = &m->base;
    }
    return status;
}

static enum sl_status fmp4_header(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status;
    sl_writer_init(&w, SL_FMP4_INIT_MAX);
    sl_fmp4_init_write((const struct sl_fmp4 *)base, &w);
    status = sl_writer_finish(&w, err);
    if (!status) {
        status = sl_chain_add_copy(out, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

/* avc1 and hvc1 keep parameter sets out of band (ISO/IEC 14496-15 5.4.2.1, 8.4.1.1), and samples
 * carry neither delimiters' nor fillers' weight. */
static enum sl_status keep_unit(const struct sl_fmp4_track *t, const struct sl_packet *p,
                                const struct sl_nal *nal, bool *keep, struct sl_error *err)
{
    enum sl_unit_role role = sl_framing_role(&t->framing, nal);
    *keep = role == SL_UNIT_SLICE || role == SL_UNIT_OTHER;
    if (role == SL_UNIT_SETS && !sl_framing_set_known(&t->framing, nal)) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                       "track %u: at dts %" PRId64
                       " a parameter set (NAL type %d) that is not in the decoder configuration",
                       p->track, p->dts,
                       t->framing.codec == SL_CODEC_H264 ? nal->data[0] & 31
                                                         : nal->data[0] >> 1 & 63);
    }
    return SL_OK;
}

/* Start codes to lengths without touching the payload: the lengths go into one small block, and
 * the sample becomes length, unit, length, unit … as a chain of slices. */
static enum sl_status reframe(struct sl_fmp4 *m, const struct sl_fmp4_track *t,
                              const struct sl_packet *p, struct sl_chain *sample,
                              struct sl_error *err)
{
    struct sl_units *units = &m->units;
    struct sl_buf *lengths = NULL;
    size_t slices = 0, at = 0;
    enum sl_status status = sl_buf_alloc(&lengths, units->count * 4, err);

    for (size_t i = 0; i < units->count && !status; i++) {
        const struct sl_nal *nal = &units->items[i];
        bool keep;
        status = keep_unit(t, p, nal, &keep, err);
        if (status || !keep) {
            continue;
        }
        if (nal->size > UINT32_MAX) {
            status =
                sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME, "a NAL unit of %zu bytes", nal->size);
            continue;
        }
        slices += sl_framing_role(&t->framing, nal) == SL_UNIT_SLICE;
        for (unsigned b = 0; b < 4; b++) {
            lengths->data[at + b] = (uint8_t)(nal->size >> (24 - 8 * b));
        }
        status = sl_chain_add_buf(sample, lengths, at, 4, err);
        if (!status) {
            status = sl_chain_add_buf(sample, units->buf, (size_t)(nal->data - units->buf->data),
                                      nal->size, err);
        }
        at += 4;
    }
    sl_buf_unref(&lengths);
    if (!status && !slices) {
        status =
            sl_fail(err, SL_EDATA, SL_FMP4_NAME,
                    "track %u: the access unit at dts %" PRId64 " has no slice", p->track, p->dts);
    }
    return status;
}

static enum sl_status make_sample(struct sl_fmp4 *m, struct sl_fmp4_track *t,
                                  const struct sl_packet *p, struct sl_chain *sample,
                                  struct sl_error *err)
{
    bool annexb = false;
    enum sl_status status = SL_OK;
    if (sl_framing_wanted(t->info.codec)) {
        status = sl_framing_is_annexb(&t->framing, &p->payload, &annexb, err);
    }
    if (status) {
        return status;
    }
    if (!annexb) {
        return sl_chain_add_chain(sample, &p->payload, 0, p->payload.size, err);
    }
    if (t->framing.config.length_size != 4) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                       "track %u: Annex B packets with a configuration of %u-byte lengths, "
                       "expected 4",
                       p->track, t->framing.config.length_size);
    }
    status = sl_units_split(&m->units, &t->framing, &p->payload, err);
    if (!status) {
        status = reframe(m, t, p, sample, err);
    }
    sl_units_release(&m->units);
    return status;
}

static enum sl_status check_packet(const struct sl_fmp4 *m, const struct sl_packet *p,
                                   struct sl_error *err)
{
    const struct sl_fmp4_track *t;
    enum sl_status status;
    if (p->track >= m->count) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME, "a packet of track %u, there are %zu",
                       p->track, m->count);
    }
    t = &m->tracks[p->track];
    status = sl_timeline_check(&t->line, p, SL_FMP4_NAME, err);
    if (status) {
        return status;
    }
    if (p->duration > UINT32_MAX / t->factor || p->pts - p->dts > UINT32_MAX / t->factor ||
        p->payload.size > UINT32_MAX || p->pts > SL_TIMELINE_MAX / t->factor) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                       "track %u: at dts %" PRId64 ": duration %" PRId64 ", pts %" PRId64
                       " or %" PRId64 " bytes are beyond 32 bits",
                       p->track, p->dts, p->duration, p->pts, p->payload.size);
    }
    if (p->config && (p->config_size != t->info.config_size ||
                      memcmp(p->config, t->info.config, p->config_size) != 0)) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                       "track %u: the decoder configuration changes at dts %" PRId64, p->track,
                       p->dts);
    }
    return SL_OK;
}

static enum sl_status fmp4_write(struct sl_muxer *base, struct sl_packet *p, struct sl_error *err)
{
    struct sl_fmp4 *m = (struct sl_fmp4 *)base;
    struct sl_fmp4_track *t;
    struct sl_fmp4_sample *s;
    struct sl_chain sample;
    bool sync;
    int64_t size;
    enum sl_status status = check_packet(m, p, err);
    if (status) {
        return status;
    }
    t = &m->tracks[p->track];
    if (sl_grow(&t->samples, &t->capacity, t->count, sizeof *t->samples, SL_FMP4_SAMPLES_MAX)) {
        return sl_fail(err, SL_ENOMEM, SL_FMP4_NAME,
                       "track %u: no room for sample %zu of a fragment (at most %u)", p->track,
                       t->count, SL_FMP4_SAMPLES_MAX);
    }
    sl_chain_init(&sample);
    status = make_sample(m, t, p, &sample, err);
    size = sample.size;
    if (!status && size > UINT32_MAX) {
        status = sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME, "a sample of %" PRId64 " bytes", size);
    }
    if (!status) {
        status = sl_chain_move(&t->data, &sample, err);
    }
    sl_chain_clear(&sample);
    if (status) {
        return status;
    }
    if (!t->count) {
        t->base = p->dts;
    }
    sync = t->info.kind != SL_KIND_VIDEO || (p->flags & SL_PACKET_KEY);
    s = &t->samples[t->count++];
    *s = (struct sl_fmp4_sample){
        .duration = (uint32_t)(p->duration * t->factor),
        .size = (uint32_t)size,
        .flags = sync ? SL_FMP4_SYNC : SL_FMP4_NON_SYNC,
        .offset = (uint32_t)((p->pts - p->dts) * t->factor),
    };
    sl_timeline_advance(&t->line, p);
    sl_packet_unref(&p);
    return SL_OK;
}

static enum sl_status fmp4_flush(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    return sl_fmp4_fragment((struct sl_fmp4 *)base, out, err);
}

const struct sl_muxer_ops sl_mux_fmp4 = {
    .name = SL_FMP4_NAME,
    .open = fmp4_open,
    .header = fmp4_header,
    .write = fmp4_write,
    .flush = fmp4_flush,
    .destroy = fmp4_destroy,
};
