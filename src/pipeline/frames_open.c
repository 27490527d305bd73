/* SPDX-License-Identifier: BSD-2-Clause */
/* From a path or URL to an index of its pictures. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "demux/registry.h"
#include "media/track.h"
#include "pipeline/frames.h"
#include "pipeline/ladder_run.h"
#include "pipeline/whole.h"
#include "source/http.h"
#include "source/source.h"

#define CONFIGS_MAX 4096

/* What the window reads counts as the index's. */
static enum sl_status fill_counted(void *opaque, int64_t offset, void *dst, size_t size,
                                   size_t *got, struct sl_error *err)
{
    struct sl_frames *f = opaque;
    const struct sl_window_source *bytes = &f->source->bytes;
    enum sl_status status = bytes->fill(bytes->opaque, offset, dst, size, got, err);
    f->stats.bytes_index += status == SL_OK ? (int64_t)*got : 0;
    return status;
}

enum sl_status sl_frames_read(struct sl_frames *f, int64_t offset, void *dst, size_t size,
                              int64_t *count, struct sl_error *err)
{
    const struct sl_window_source *bytes = &f->source->bytes;
    uint8_t *to = dst;
    if (f->source->expect) {
        f->source->expect(f->source, offset, (int64_t)size);
    }
    while (size > 0) {
        size_t got = 0;
        enum sl_status status = bytes->fill(bytes->opaque, offset, to, size, &got, err);
        if (status) {
            return status;
        }
        if (got == 0) {
            return sl_fail_at(err, SL_EIO, f->name, offset,
                              "ends here: it has become shorter since it was opened");
        }
        *count += (int64_t)got;
        offset += (int64_t)got;
        to += got;
        size -= got;
    }
    return SL_OK;
}

/* ---- samples ----------------------------------------------------------------------------- */

static enum sl_status keep_config(struct sl_frames *f, const struct sl_packet *p,
                                  struct sl_error *err)
{
    struct sl_frames_config *c;
    if (p->config_size == 0) {
        return SL_OK;
    }
    if (sl_grow(&f->configs, &f->config_capacity, f->config_count, sizeof *f->configs,
                CONFIGS_MAX)) {
        return sl_fail_memory(err);
    }
    c = &f->configs[f->config_count];
    c->sample = f->index.count;
    c->size = p->config_size;
    c->data = sl_alloc(p->config_size);
    if (!c->data) {
        return sl_fail_memory(err);
    }
    memcpy(c->data, p->config, p->config_size);
    f->config_count++;
    return SL_OK;
}

static enum sl_status add_packet(struct sl_frames *f, const struct sl_packet *p,
                                 struct sl_error *err)
{
    unsigned layer = p->layer > 0 ? p->layer - 1 : 0;
    struct sl_frames_sample s = {
        .offset = p->position,
        .pts = p->pts,
        .duration = p->duration == SL_NO_TIME ? 0 : p->duration,
        .size = (uint32_t)p->stored,
        .layer = (uint8_t)(layer < UINT8_MAX ? layer : UINT8_MAX - 1),
    };
    enum sl_status status;
    if (s.pts == SL_NO_TIME && p->flags & SL_PACKET_KEY) {
        s.pts = p->dts; /* VFW in Matroska: without references there is no other order */
    }
    if (s.pts == SL_NO_TIME) {
        return sl_fail_at(err, SL_EUNSUPPORTED, f->name, p->position,
                          "sample %zu has no presentation time", f->index.count);
    }
    if (p->position < 0 || p->stored < 1 || p->stored > INT32_MAX) {
        return sl_fail_at(err, SL_EDATA, f->name, p->position, "sample %zu is of %zu bytes",
                          f->index.count, p->stored);
    }
    s.flags = (uint8_t)((p->flags & SL_PACKET_KEY ? SL_FRAMES_KEY : 0) |
                        (p->flags & SL_PACKET_HIDDEN ? SL_FRAMES_HIDDEN : 0));
    if (!f->prefix && p->payload.size > 0) {
        status = sl_chain_load(&p->payload, &f->prefix, err);
        if (status) {
            return status;
        }
    }
    status = keep_config(f, p, err);
    return status ? status : sl_frames_index_add(&f->index, &s, err);
}

static enum sl_status read_samples(struct sl_frames *f, struct sl_input *in, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    int index = -1;
    status = sl_input_pick(in, SL_KIND_VIDEO, -1, &index, err);
    if (!status && index < 0) {
        status = sl_fail(err, SL_EDATA, f->name, "no pictures in it");
    }
    if (!status && index >= 64) {
        status =
            sl_fail(err, SL_EUNSUPPORTED, f->name, "%d tracks before the first of pictures", index);
    }
    if (!status) {
        status = sl_track_copy(&f->track, &in->demuxer->tracks[index], err);
    }
    if (status) {
        return status;
    }
    if (in->demuxer->ops->select) {
        in->demuxer->ops->select(in->demuxer, UINT64_C(1) << index);
    }
    while (!status) {
        struct sl_packet *p = NULL;
        status = atomic_load(&f->stop) ? sl_fail(err, SL_ECANCELLED, f->name, "stopped on request")
                                       : in->demuxer->ops->read(in->demuxer, &p, err);
        if (!status && p->track == (uint32_t)index) {
            status = add_packet(f, p, err);
        }
        sl_packet_unref(&p);
    }
    return status == SL_EOF ? sl_frames_index_finish(&f->index, f->name, err) : status;
}

static enum sl_status read_index(struct sl_frames *f, struct sl_error *err)
{
    struct sl_demux_params params = {.log = f->log, .places_only = true};
    struct sl_window_source bytes = f->source->bytes;
    struct sl_input in = {0};
    enum sl_status status = SL_OK;
    if (!bytes.seekable || bytes.size < 0) {
        return sl_fail(err, SL_EUNSUPPORTED, f->name,
                       "cannot be read out of order: a file is needed, or a server that answers "
                       "for ranges");
    }
    bytes.fill = fill_counted;
    bytes.opaque = f;
    status = sl_window_create(&in.window, &bytes, err);
    if (!status) {
        status = sl_demux_open(&in.demuxer, in.window, &params, err);
    }
    if (!status && !in.demuxer->places_only) {
        status = sl_fail(err, SL_EUNSUPPORTED, f->name,
                         "is of format %s: pictures are read out of MP4 and Matroska (sluice remux "
                         "makes an MP4 of it)",
                         in.demuxer->format);
    }
    if (!status) {
        status = read_samples(f, &in, err);
    }
    sl_input_close(&in);
    return status;
}

/* ---- the sidecar ------------------------------------------------------------------------- */

static enum sl_status load_sidecar(struct sl_frames *f, const char *name, struct sl_error *err)
{
    struct sl_buf *text = NULL;
    enum sl_status status = sl_read_whole(name, SL_FRAMES_INDEX_MAX, &text, err);
    if (!status) {
        f->stats.bytes_index += (int64_t)text->size;
        status = sl_frames_is_binary(text->data, text->size)
                     ? sl_frames_read_binary(&f->index, name, text->data, text->size, err)
                     : sl_frames_read_sidecar(&f->index, name, text->data, text->size, err);
    }
    sl_buf_unref(&text);
    return status ? status : sl_frames_index_ids(&f->index, err);
}

/* Forgets what a sidecar said before it turned out not to fit. */
static void forget_sidecar(struct sl_frames_index *x)
{
    for (size_t i = 0; i < x->count; i++) {
        x->samples[i].flags &= (uint8_t)~SL_FRAMES_LINKED;
        x->samples[i].ref_count = 0;
        x->samples[i].id = x->samples[i].shown;
    }
    x->ref_count = 0;
    x->has_ids = false;
}

/* The one that is named must be there and fit. One beside the file helps if it does. */
static enum sl_status find_sidecar(struct sl_frames *f, const char *named, struct sl_error *err)
{
    static const char *const suffixes[] = {".idx", ".jsonl"};
    bool url = sl_source_is_url(f->where);
    if (named[0]) {
        return load_sidecar(f, named, err);
    }
    if (!f->index.layered || (url && strpbrk(f->where, "?#"))) {
        return SL_OK;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *name = sl_format("%s%s", f->where, suffixes[i]);
        struct sl_error why = {0};
        enum sl_status status = SL_ENOTFOUND;
        if (!name) {
            return sl_fail_memory(err);
        }
        if (url || access(name, F_OK) == 0) {
            status = load_sidecar(f, name, &why);
        }
        sl_free(name);
        if (status == SL_OK) {
            return SL_OK;
        }
        forget_sidecar(&f->index);
        if (status == SL_ENOMEM) {
            return sl_fail_memory(err);
        }
        if (status != SL_ENOTFOUND) {
            char text[512];
            sl_log_write(f->log, SL_LOG_WARN, "frames", "%s: it is not used",
                         sl_error_format(&why, text, sizeof text));
        }
    }
    return SL_OK;
}

enum sl_status sl_frames_begin(struct sl_frames **out, const char *input,
                               const struct sl_frames_params *params, const struct sl_log *log,
                               struct sl_error *err)
{
    struct sl_frames *f = sl_alloc_zero(sizeof *f);
    enum sl_status status;
    *out = NULL;
    if (!f) {
        return sl_fail_memory(err);
    }
    sl_track_init(&f->track);
    atomic_init(&f->stop, false);
    f->log = log;
    f->format = params->format;
    f->threads = (int)params->threads;
    f->where = sl_strdup(input);
    status = f->where ? sl_source_open(&f->source, input, err) : sl_fail_memory(err);
    if (!status) {
        f->name = f->source->bytes.name;
        status = read_index(f, err);
    }
    if (!status) {
        f->index.layered = f->index.layers > 1 && f->track.codec == SL_CODEC_H264;
        status = find_sidecar(f, params->index, err);
    }
    if (status) {
        sl_frames_free(&f);
        return status;
    }
    *out = f;
    return SL_OK;
}
