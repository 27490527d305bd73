/* SPDX-License-Identifier: BSD-2-Clause */
/* What NAL units tell of a sample: whether it begins a period, whether anything refers to it, and,
 * of layered streams, what it refers to itself. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "media/h264.h"
#include "media/nal.h"
#include "pipeline/frames.h"
#include "pipeline/pack.h"

#define HEAD      24 /* bytes of a sample: what stands before its first slice is hopped over */
#define HOPS_MAX  8
#define LINK_READ 1024 /* what pack_refs.c reads of a sample */

/* Bytes of a NAL unit's length; 0: start codes, or not made of NAL units. */
static unsigned length_size(const struct sl_track *t)
{
    if (t->codec == SL_CODEC_H264 && t->config_size >= 7 && t->config[0] == 1) {
        return (t->config[4] & 3u) + 1; /* 14496-15 5.3.3.1.2 */
    }
    if (t->codec == SL_CODEC_HEVC && t->config_size >= 23 && t->config[0] <= 1) {
        return (t->config[21] & 3u) + 1; /* 8.3.3.1.2 */
    }
    return 0;
}

enum kind { NOT_A_SLICE, SLICE, IDR, DISPOSABLE };

static enum kind h264_kind(const uint8_t *unit)
{
    unsigned type = unit[0] & 31u; /* 14496-10 7.3.1 */
    if (type == SL_H264_IDR) {
        return IDR;
    }
    if (type < SL_H264_SLICE || type > SL_H264_IDR) {
        return NOT_A_SLICE;
    }
    return (unit[0] >> 5 & 3) == 0 ? DISPOSABLE : SLICE;
}

/* H.265 table 7-1: even types below 16 are not referred to within their sub-layer, and those of the
 * highest sub-layer not at all. */
static enum kind hevc_kind(const struct sl_track *t, const uint8_t *unit)
{
    unsigned type = unit[0] >> 1 & 63u, layer = (unit[1] & 7u); /* nuh_temporal_id_plus1 */
    unsigned layers = t->config_size >= 23 ? t->config[21] >> 3 & 7u : 0;
    if (type >= 32) {
        return NOT_A_SLICE;
    }
    if (type == 19 || type == 20) {
        return IDR;
    }
    return type < 16 && type % 2 == 0 && layers > 0 && layer == layers ? DISPOSABLE : SLICE;
}

static enum kind kind_of(const struct sl_track *t, const uint8_t *unit, size_t size)
{
    if (size < 2) {
        return NOT_A_SLICE;
    }
    return t->codec == SL_CODEC_H264 ? h264_kind(unit) : hevc_kind(t, unit);
}

/* Of the first slice. */
static enum kind look_through(const struct sl_frames *f, const uint8_t *data, size_t size)
{
    unsigned prefix = length_size(&f->track);
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    enum kind kind = NOT_A_SLICE;
    if (prefix != 1 && prefix != 2 && prefix != 4) {
        return NOT_A_SLICE;
    }
    while (kind == NOT_A_SLICE && sl_nal_next_length(&w, prefix, &nal, NULL) == SL_OK) {
        kind = kind_of(&f->track, nal.data, nal.size);
    }
    return kind;
}

bool sl_frames_is_idr(const struct sl_frames *f, const uint8_t *data, size_t size)
{
    return !f->prefix && look_through(f, data, size) == IDR;
}

bool sl_frames_is_disposable(const struct sl_frames *f, const uint8_t *data, size_t size)
{
    return !f->prefix && look_through(f, data, size) == DISPOSABLE;
}

/* ---- samples that were not fetched ------------------------------------------------------- */

/* A few bytes of each unit up to the first slice. Not over a network, where each look would be a
 * request. */
static enum sl_status look(void *opaque, size_t sample, struct sl_error *err)
{
    struct sl_frames *f = opaque;
    struct sl_frames_sample *s = &f->index.samples[sample];
    unsigned prefix = length_size(&f->track);
    int64_t at = s->offset, end = s->offset + s->size;
    if (!f->source->bytes.file || f->prefix || prefix == 0 || prefix == 3) {
        return SL_OK; /* asked again for the next request: it costs nothing */
    }
    for (unsigned hop = 0; hop < HOPS_MAX && end - at > (int64_t)prefix + 2; hop++) {
        uint8_t head[HEAD];
        size_t size = end - at < HEAD ? (size_t)(end - at) : HEAD;
        enum sl_status status = sl_frames_read(f, at, head, size, &f->stats.bytes_index, err);
        uint64_t unit = 0;
        enum kind kind;
        if (status) {
            return status;
        }
        for (unsigned i = 0; i < prefix; i++) {
            unit = unit << 8 | head[i];
        }
        kind = kind_of(&f->track, head + prefix, size - prefix);
        if (kind != NOT_A_SLICE) {
            s->flags |= kind == DISPOSABLE ? SL_FRAMES_DISPOSABLE : 0;
            break;
        }
        at += (int64_t)prefix + (int64_t)unit;
    }
    s->flags |= SL_FRAMES_LOOKED;
    return SL_OK;
}

static enum sl_status copy_links(struct sl_frames *f, const struct sl_layered *l, size_t first,
                                 struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < l->count && !status; i++) {
        const struct sl_layered_sample *s = &l->samples[i];
        uint32_t refs[SL_LAYERED_REFS_MAX];
        for (size_t k = 0; k < s->ref_count; k++) {
            refs[k] = (uint32_t)first + s->refs[k];
        }
        if (s->refs_known && !(f->index.samples[first + i].flags & SL_FRAMES_LINKED)) {
            status = sl_frames_set_refs(&f->index, first + i, refs, s->ref_count, err);
        }
    }
    return status;
}

static enum sl_status link_span(void *opaque, size_t first, size_t end, struct sl_error *err)
{
    struct sl_frames *f = opaque;
    struct sl_layered l = {.lengths = true, .count = end - first};
    struct sl_error why = {0};
    enum sl_status status;
    l.file = f->source->bytes.file;
    if (!l.file || f->prefix || f->config_count || length_size(&f->track) == 0) {
        return SL_OK;
    }
    l.name = f->where;
    l.config = f->track.config;
    l.config_size = f->track.config_size;
    l.samples = sl_alloc_array(l.count, sizeof *l.samples);
    if (!l.samples) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < l.count; i++) {
        const struct sl_frames_sample *s = &f->index.samples[first + i];
        l.samples[i].offset = s->offset;
        l.samples[i].size = s->size;
        l.samples[i].layer = s->layer;
        f->stats.bytes_index += s->size < LINK_READ ? s->size : LINK_READ;
    }
    status = sl_layered_find_refs(&l, &why);
    if (status == SL_EDATA) { /* then layers alone count */
        char text[512];
        sl_log_write(f->log, SL_LOG_WARN, "frames", "%s", sl_error_format(&why, text, sizeof text));
        status = SL_OK;
    } else if (status && err && err->status == SL_OK) {
        *err = why;
    } else if (!status) {
        status = copy_links(f, &l, first, err);
    }
    sl_free(l.samples);
    return status;
}

struct sl_frames_oracle sl_frames_oracle(struct sl_frames *f)
{
    return (struct sl_frames_oracle){.link = link_span, .look = look, .opaque = f};
}
