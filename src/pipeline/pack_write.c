/* SPDX-License-Identifier: BSD-2-Clause */
/* A classic MP4 whose samples lie in another order than they are decoded in: every run of samples
 * that follow each other in both orders is a chunk (ISO/IEC 14496-12 8.7.4). Layers are a tele
 * sample group (10.5): its description index is the layer + 1. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/publish.h"
#include "media/track.h"
#include "mux/mp4_tables.h"
#include "pipeline/pack.h"

#define NAME       "mp4"
#define MOOV_MAX   ((size_t)1 << 30)
#define MDAT_HEAD  16
#define SAMPLE_MAX ((size_t)1 << 30)

struct packing {
    struct sl_layered *l;
    struct sl_mp4_track track;
    struct sl_mp4_tables tables;
    struct sl_units units;
    struct sl_writer sample;
    uint32_t *order; /* samples as they lie in the file */
    int64_t payload;
    int64_t base; /* where the payload begins */
    bool wide;
};

/* ---- one sample -------------------------------------------------------------------------- */

/* Start codes become lengths; parameter sets stay out, since the sample entry has them. */
static enum sl_status convert(struct packing *p, const struct sl_layered_sample *s,
                              struct sl_error *err)
{
    struct sl_chain chain;
    enum sl_status status;
    p->sample.size = 0;
    sl_chain_init(&chain);
    status = sl_chain_add_file(&chain, p->l->file, s->offset, s->size, err);
    p->track.framing.known = true;
    p->track.framing.annexb = true;
    if (!status) {
        status = sl_units_split(&p->units, &p->track.framing, &chain, err);
    }
    sl_chain_clear(&chain);
    for (size_t i = 0; i < p->units.count && !status; i++) {
        const struct sl_nal *nal = &p->units.items[i];
        enum sl_unit_role role = sl_framing_role(&p->track.framing, nal);
        if (role == SL_UNIT_SETS && !sl_framing_set_known(&p->track.framing, nal)) {
            status = sl_fail_at(err, SL_EUNSUPPORTED, p->l->name, s->offset,
                                "a parameter set that is not the one in front");
        }
        if (role == SL_UNIT_SLICE || role == SL_UNIT_OTHER) {
            sl_write_be32(&p->sample, (uint32_t)nal->size);
            sl_write_bytes(&p->sample, nal->data, nal->size);
        }
    }
    sl_units_release(&p->units);
    if (!status) {
        status = sl_writer_finish(&p->sample, err);
    }
    if (!status && p->sample.size == 0) {
        status = sl_fail_at(err, SL_EDATA, p->l->name, s->offset,
                            "no picture where the index has one of %" PRIu32 " bytes", s->size);
    }
    return status;
}

static enum sl_status measure(struct packing *p, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < p->l->count && !status; i++) {
        struct sl_layered_sample *s = &p->l->samples[i];
        s->out_size = s->size;
        if (!p->l->lengths) {
            status = convert(p, s, err);
            s->out_size = (uint32_t)p->sample.size;
        }
    }
    return status;
}

/* ---- where samples lie ------------------------------------------------------------------- */

/* Counting sort: by layer within each period, or in the whole file; coded order within a layer. */
static void lay_out(struct packing *p, int layout)
{
    struct sl_layered *l = p->l;
    size_t at = 0;
    for (size_t first = 0, end; first < l->count; first = end) {
        end = layout == SL_PACK_GOP ? first + 1 : l->count;
        while (end < l->count && l->samples[end].group == l->samples[first].group) {
            end++;
        }
        for (int layer = 0; layer < (layout == SL_PACK_CODED ? 1 : l->layers); layer++) {
            for (size_t i = first; i < end; i++) {
                if (layout == SL_PACK_CODED || l->samples[i].layer == layer) {
                    p->order[at++] = (uint32_t)i;
                }
            }
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        struct sl_layered_sample *s = &l->samples[p->order[i]];
        s->out_offset = p->payload;
        p->payload += s->out_size;
    }
}

static enum sl_status describe(struct packing *p, struct sl_error *err)
{
    const struct sl_layered *l = p->l;
    int64_t factor = p->track.factor;
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < l->count && !status; i++) {
        const struct sl_layered_sample *s = &l->samples[i];
        bool last = i + 1 == l->count;
        /* Together as long as what is shown, so that the rate that players work out is true. */
        int64_t next = last ? l->end + l->samples[0].dts : s[1].dts;
        int64_t duration = last && next <= s->dts ? 1 : next - s->dts;
        int64_t offset = s->pts - s->dts;
        struct sl_mp4_sample sample = {.size = s->out_size, .sync = s->key};
        if (duration < 1 || duration > UINT32_MAX / factor || offset > UINT32_MAX / factor) {
            return sl_fail(err, SL_EDATA, l->name,
                           "sample %zu: dts %" PRId64 ", pts %" PRId64 " cannot be written", i,
                           s->dts, s->pts);
        }
        sample.duration = (uint32_t)(duration * factor);
        sample.offset = (uint32_t)(offset * factor);
        status = sl_mp4_tables_add(&p->tables, &sample, err);
        if (!status && (last || s->out_offset + s->out_size != s[1].out_offset)) {
            int64_t chunk = s->out_offset + s->out_size;
            for (size_t k = p->tables.in_chunk, n = i; k > 0; k--, n--) {
                chunk -= l->samples[n].out_size;
            }
            status = sl_mp4_tables_chunk(&p->tables, chunk, err);
        }
    }
    return status;
}

/* ---- the front --------------------------------------------------------------------------- */

static void write_layers(const struct sl_layered *l, struct sl_writer *w)
{
    size_t box = sl_box_begin_full(w, "sgpd", 1, 0), patch;
    uint32_t runs = 0;
    sl_write_text(w, "tele");
    sl_write_be32(w, 1); /* default_length */
    sl_write_be32(w, (uint32_t)l->layers);
    for (int layer = 0; layer < l->layers; layer++) {
        sl_write_u8(w, layer == 0 ? 0x80 : 0); /* level_independently_decodable */
    }
    sl_box_end(w, box);
    box = sl_box_begin_full(w, "sbgp", 0, 0);
    sl_write_text(w, "tele");
    patch = w->size;
    sl_write_be32(w, 0);
    for (size_t i = 0, n; i < l->count; i += n) {
        for (n = 1; i + n < l->count && l->samples[i + n].layer == l->samples[i].layer; n++) {
        }
        sl_write_be32(w, (uint32_t)n);
        sl_write_be32(w, (uint32_t)l->samples[i].layer + 1);
        runs++;
    }
    if (w->status == SL_OK) {
        sl_writer_patch_be32(w, patch, runs);
    }
    sl_box_end(w, box);
}

static void write_tables(const void *opaque, struct sl_writer *w)
{
    const struct packing *p = opaque;
    sl_mp4_tables_write(&p->tables, p->base, p->wide, true, w);
    write_layers(p->l, w);
}

static void write_front(const struct packing *p, struct sl_writer *w)
{
    uint64_t shown = (uint64_t)(p->l->end * p->track.factor);
    struct sl_mp4_times times = {.media = p->tables.duration, .shown = shown};
    size_t box = sl_box_begin(w, "ftyp");
    sl_write_text(w, "isom");
    sl_write_be32(w, 0x200);
    sl_write_text(w, "isomiso6avc1mp41");
    sl_box_end(w, box);
    box = sl_box_begin(w, "moov");
    sl_mp4_write_mvhd(1, p->track.timescale, shown, w);
    sl_mp4_write_trak(&p->track, 1, &times, write_tables, p, w);
    sl_box_end(w, box);
    sl_write_be32(w, 1);
    sl_write_text(w, "mdat");
    sl_write_be64(w, (uint64_t)p->payload + MDAT_HEAD);
}

/* Twice: the first time tells its size, which does not depend on the offsets in it. */
static enum sl_status front(struct packing *p, struct sl_writer *w, struct sl_error *err)
{
    p->wide = p->payload > (int64_t)UINT32_MAX - (int64_t)MOOV_MAX;
    write_front(p, w);
    p->base = (int64_t)w->size;
    w->size = 0;
    write_front(p, w);
    return sl_writer_finish(w, err);
}

/* ---- the file ---------------------------------------------------------------------------- */

/* Neighbours of the source that stay neighbours go in one piece. */
static enum sl_status copy_payload(struct packing *p, struct sl_publish *out, struct sl_error *err)
{
    struct sl_chain chain;
    enum sl_status status = SL_OK;
    sl_chain_init(&chain);
    for (size_t i = 0; i < p->l->count && !status; i++) {
        const struct sl_layered_sample *s = &p->l->samples[p->order[i]];
        status = sl_chain_add_file(&chain, p->l->file, s->offset, s->size, err);
        if (!status && chain.count >= 1024) {
            status = sl_publish_chain(out, &chain, err);
            sl_chain_clear(&chain);
            sl_chain_init(&chain);
        }
    }
    if (!status) {
        status = sl_publish_chain(out, &chain, err);
    }
    sl_chain_clear(&chain);
    return status;
}

static enum sl_status convert_payload(struct packing *p, struct sl_publish *out,
                                      struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < p->l->count && !status; i++) {
        const struct sl_layered_sample *s = &p->l->samples[p->order[i]];
        status = convert(p, s, err);
        if (!status && p->sample.size != s->out_size) {
            status = sl_fail(err, SL_EIO, p->l->name, "changed while it was read");
        }
        if (!status) {
            status = sl_publish_write(out, p->sample.data, p->sample.size, err);
        }
    }
    return status;
}

static enum sl_status write_file(struct packing *p, const struct sl_writer *w, const char *output,
                                 struct sl_error *err)
{
    struct sl_publish *out = NULL;
    enum sl_status status = sl_publish_open(&out, output, err);
    if (!status) {
        status = sl_publish_write(out, w->data, w->size, err);
    }
    if (!status) {
        status = p->l->lengths ? copy_payload(p, out, err) : convert_payload(p, out, err);
    }
    if (!status) {
        return sl_publish_commit(&out, err);
    }
    sl_publish_abort(&out);
    return status;
}

static enum sl_status open_track(struct packing *p, struct sl_error *err)
{
    const struct sl_mux_params params = {0};
    struct sl_layered *l = p->l;
    struct sl_track t;
    enum sl_status status;
    sl_track_init(&t);
    t.kind = SL_KIND_VIDEO;
    t.codec = SL_CODEC_H264;
    t.timebase = l->timebase;
    t.frame_rate = l->rate;
    t.decode_delay = l->samples[0].dts < 0 ? -l->samples[0].dts : 0;
    t.config = l->config; /* borrowed */
    t.config_size = l->config_size;
    status = sl_h264_describe(&t, err);
    if (!status) {
        l->width = t.width;
        l->height = t.height;
        status = sl_mp4_track_open(&p->track, &t, 0, &params, NAME, err);
    }
    t.config = NULL;
    t.config_size = 0;
    sl_track_clear(&t);
    return status;
}

enum sl_status sl_layered_write_mp4(struct sl_layered *l, int layout, const char *output,
                                    struct sl_error *err)
{
    struct packing p = {.l = l};
    struct sl_writer w;
    enum sl_status status;
    sl_track_init(&p.track.info);
    sl_mp4_tables_init(&p.tables);
    sl_writer_init(&p.sample, SAMPLE_MAX);
    sl_writer_init(&w, MOOV_MAX);
    p.order = sl_alloc_array(l->count, sizeof *p.order);
    status = p.order ? open_track(&p, err) : sl_fail_memory(err);
    status = status ? status : measure(&p, err);
    if (!status) {
        lay_out(&p, layout);
        status = describe(&p, err);
    }
    status = status ? status : front(&p, &w, err);
    status = status ? status : write_file(&p, &w, output, err);
    for (size_t i = 0; i < l->count; i++) {
        l->samples[i].out_offset += p.base;
    }
    sl_writer_clear(&w);
    sl_writer_clear(&p.sample);
    sl_units_clear(&p.units);
    sl_mp4_tables_clear(&p.tables);
    sl_mp4_track_clear(&p.track);
    sl_free(p.order);
    return status;
}
