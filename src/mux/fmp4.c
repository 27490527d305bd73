/* SPDX-License-Identifier: BSD-2-Clause */
/* The fMP4 muxer: opening, and taking packets. */
#include "mux/fmp4.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "mux/registry.h"

static void fmp4_destroy(struct sl_muxer *base)
{
    struct sl_fmp4 *m = (struct sl_fmp4 *)base;
    for (size_t i = 0; m->tracks && i < m->count; i++) {
        sl_mp4_track_clear(&m->tracks[i].t);
        sl_free(m->tracks[i].samples);
        sl_chain_clear(&m->tracks[i].data);
    }
    sl_units_clear(&m->units);
    sl_writer_clear(&m->out);
    sl_free(m->tracks);
    sl_free(m);
}

static enum sl_status take_brands(struct sl_fmp4 *m, const char *brands, struct sl_error *err)
{
    size_t size = brands ? strlen(brands) : 0;
    if (size % 4 || size > sizeof m->brands) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME,
                       "brands of %zu letters, expected four each and at most %zu", size,
                       sizeof m->brands);
    }
    if (size > 0) {
        memcpy(m->brands, brands, size);
    }
    m->brands_size = size;
    return SL_OK;
}

static enum sl_status fmp4_open(struct sl_muxer **out, const struct sl_track *const *tracks,
                                size_t count, const struct sl_mux_params *params,
                                struct sl_error *err)
{
    enum sl_status status;
    struct sl_fmp4 *m = sl_alloc_zero(sizeof *m);
    if (!m) {
        return sl_fail_memory(err);
    }
    m->base.ops = &sl_mux_fmp4;
    m->flags = params->flags;
    m->sequence = params->sequence;
    sl_writer_init(&m->out, SL_FMP4_MOOF_MAX);
    status = take_brands(m, params->brands, err);
    if (status) {
        goto out;
    }
    m->tracks = sl_alloc_array(count, sizeof *m->tracks);
    if (!m->tracks) {
        status = sl_fail_memory(err);
        goto out;
    }
    for (; m->count < count && !status; m->count++) {
        sl_chain_init(&m->tracks[m->count].data);
        status = sl_mp4_track_open(&m->tracks[m->count].t, tracks[m->count], m->count, params,
                                   SL_FMP4_NAME, err);
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

static enum sl_status find_track(const struct sl_fmp4 *m, const struct sl_packet *p,
                                 struct sl_error *err)
{
    if (p->track >= m->count) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME, "a packet of track %u, there are %zu",
                       p->track, m->count);
    }
    return SL_OK;
}

static enum sl_status fmp4_write(struct sl_muxer *base, struct sl_packet *p, struct sl_error *err)
{
    struct sl_fmp4 *m = (struct sl_fmp4 *)base;
    struct sl_fmp4_track *t;
    struct sl_mp4_sample sample;
    enum sl_status status = find_track(m, p, err);
    if (status) {
        return status;
    }
    t = &m->tracks[p->track];
    if (sl_grow(&t->samples, &t->capacity, t->count, sizeof *t->samples, SL_FMP4_SAMPLES_MAX)) {
        return sl_fail(err, SL_ENOMEM, SL_FMP4_NAME,
                       "track %u: no room for sample %zu of a fragment (at most %u)", p->track,
                       t->count, SL_FMP4_SAMPLES_MAX);
    }
    status = sl_mp4_track_write(&t->t, p, &m->units, &t->data, &sample, err);
    if (status) {
        return status;
    }
    if (!t->count) {
        t->base = p->dts;
    }
    t->samples[t->count++] = (struct sl_fmp4_sample){
        .duration = sample.duration,
        .size = sample.size,
        .flags = sample.sync ? SL_FMP4_SYNC : SL_FMP4_NON_SYNC,
        .offset = sample.offset,
    };
    sl_packet_unref(&p);
    return SL_OK;
}

static enum sl_status fmp4_flush(struct sl_muxer *base, struct sl_chain *out, struct sl_error *err)
{
    return sl_fmp4_fragment((struct sl_fmp4 *)base, out, err);
}

/* Samples of two configurations cannot share a fragment: there is one sample entry. */
static enum sl_status fmp4_reconfigure(struct sl_muxer *base, const struct sl_packet *p,
                                       struct sl_error *err)
{
    struct sl_fmp4 *m = (struct sl_fmp4 *)base;
    enum sl_status status = find_track(m, p, err);
    for (size_t i = 0; i < m->count && !status; i++) {
        if (m->tracks[i].count) {
            status = sl_fail(err, SL_EINVAL, SL_FMP4_NAME,
                             "a new configuration while %zu samples of track %zu wait",
                             m->tracks[i].count, i);
        }
    }
    return status ? status : sl_mp4_track_reconfigure(&m->tracks[p->track].t, p, err);
}

const struct sl_muxer_ops sl_mux_fmp4 = {
    .name = SL_FMP4_NAME,
    .open = fmp4_open,
    .header = fmp4_header,
    .write = fmp4_write,
    .flush = fmp4_flush,
    .destroy = fmp4_destroy,
    .reconfigure = fmp4_reconfigure,
};
