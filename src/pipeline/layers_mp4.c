/* SPDX-License-Identifier: BSD-2-Clause */
/* An MP4 of temporal layers: samples by the demuxer, layers by its tele sample group. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/ladder_run.h"
#include "pipeline/pack.h"

#define MOOV_MAX ((size_t)1 << 30)

bool sl_layered_is_mp4(struct sl_file *file)
{
    struct sl_slice slice = {.file = file, .size = 8};
    uint8_t head[8];
    return file->size >= 8 && sl_slice_read(&slice, 0, head, sizeof head, NULL) == SL_OK &&
           memcmp(head + 4, "ftyp", 4) == 0;
}

/* ---- boxes ------------------------------------------------------------------------------- */

/* The next box's payload; false at the end, or where a box runs past it. */
static bool next_box(struct sl_reader *r, char type[4], struct sl_reader *inside)
{
    uint64_t size;
    size_t head = 8;
    const uint8_t *name, *payload;
    if (sl_reader_left(r) < 8) {
        return false;
    }
    size = sl_read_be32(r);
    name = sl_read_bytes(r, 4);
    memcpy(type, name, 4);
    if (size == 1) {
        size = sl_read_be64(r);
        head = 16;
    }
    if (r->overrun || size < head || size - head > sl_reader_left(r)) {
        return false;
    }
    payload = sl_read_bytes(r, (size_t)(size - head));
    sl_reader_init(inside, payload, (size_t)(size - head));
    return payload != NULL;
}

/* The first box of this type behind pos; r goes on behind it. */
static bool find_box(struct sl_reader *r, const char *type, struct sl_reader *inside)
{
    char found[4];
    while (next_box(r, found, inside)) {
        if (memcmp(found, type, 4) == 0) {
            return true;
        }
    }
    return false;
}

static bool enter(struct sl_reader *r, const char *const *path, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sl_reader inside;
        if (!find_box(r, path[i], &inside)) {
            return false;
        }
        *r = inside;
    }
    return true;
}

/* moov lies in front of what it describes, or behind: only box heads are read on the way. */
static enum sl_status load_moov(struct sl_file *file, uint8_t **data, size_t *size,
                                struct sl_error *err)
{
    for (int64_t at = 0; at + 16 <= file->size;) {
        struct sl_slice slice = {.file = file, .offset = at, .size = 16};
        uint8_t head[16];
        struct sl_reader r;
        uint64_t box;
        enum sl_status status = sl_slice_read(&slice, 0, head, sizeof head, err);
        if (status) {
            return status;
        }
        sl_reader_init(&r, head, sizeof head);
        box = sl_read_be32(&r);
        sl_read_skip(&r, 4);
        box = box == 1 ? sl_read_be64(&r) : box;
        if (box < 8 || box > (uint64_t)(file->size - at)) {
            break;
        }
        if (memcmp(head + 4, "moov", 4) == 0 && box <= MOOV_MAX) {
            slice.size = *size = (size_t)box;
            *data = sl_alloc(*size);
            return *data ? sl_slice_read(&slice, 0, *data, *size, err) : sl_fail_memory(err);
        }
        at += (int64_t)box;
    }
    return sl_fail(err, SL_EDATA, file->name, "no moov box");
}

/* ---- layers ------------------------------------------------------------------------------ */

/* sbgp of grouping_type tele: runs of samples, description index = layer + 1 (14496-12 8.9.2). */
static bool apply_groups(struct sl_layered *l, struct sl_reader *box)
{
    unsigned version = sl_read_be32(box) >> 24;
    size_t at = 0;
    const uint8_t *type = sl_read_bytes(box, 4);
    if (!type || memcmp(type, "tele", 4) != 0) {
        return false;
    }
    if (version == 1) {
        sl_read_skip(box, 4);
    }
    for (uint32_t runs = sl_read_be32(box); runs > 0 && !box->overrun; runs--) {
        uint32_t samples = sl_read_be32(box), group = sl_read_be32(box);
        if (box->overrun || group < 1 || group > SL_LAYERED_LAYERS_MAX || samples > l->count - at) {
            return false;
        }
        for (; samples > 0; samples--) {
            l->samples[at++].layer = (uint8_t)(group - 1);
        }
        l->layers = (int)group > l->layers ? (int)group : l->layers;
    }
    return at == l->count;
}

static enum sl_status read_layers(struct sl_layered *l, struct sl_error *err)
{
    static const char *const path[] = {"moov", "trak", "mdia", "minf", "stbl"};
    struct sl_reader r, box;
    uint8_t *moov = NULL;
    size_t size = 0;
    bool found = false;
    enum sl_status status = load_moov(l->file, &moov, &size, err);
    if (!status) {
        sl_reader_init(&r, moov, size);
        if (enter(&r, path, sizeof path / sizeof path[0])) {
            while (!found && find_box(&r, "sbgp", &box)) {
                found = apply_groups(l, &box);
            }
        }
        if (!found) {
            status = sl_fail(err, SL_EUNSUPPORTED, l->name,
                             "no temporal layers (tele sample groups) in it");
        }
    }
    sl_free(moov);
    return status;
}

/* ---- samples ----------------------------------------------------------------------------- */

static enum sl_status add_packet(struct sl_layered *l, const struct sl_packet *p,
                                 struct sl_error *err)
{
    bool key = p->flags & SL_PACKET_KEY;
    struct sl_layered_sample *s;
    if (p->position < 0 || p->payload.size < 1 || p->payload.size > INT32_MAX ||
        p->pts == SL_NO_TIME || p->dts == SL_NO_TIME || p->duration == SL_NO_TIME ||
        (l->count && p->dts <= l->samples[l->count - 1].dts) || p->pts < p->dts) {
        return sl_fail_at(err, SL_EDATA, l->name, p->position,
                          "sample %zu cannot be used: times or place are missing", l->count);
    }
    if (sl_grow(&l->samples, &l->capacity, l->count, sizeof *l->samples, SL_LAYERED_SAMPLES_MAX)) {
        return sl_fail_memory(err);
    }
    s = &l->samples[l->count];
    *s = (struct sl_layered_sample){
        .offset = p->position,
        .size = (uint32_t)p->payload.size,
        .pts = p->pts,
        .dts = p->dts,
        .duration = p->duration,
        .group = l->count ? l->samples[l->count - 1].group + key : 0,
        .key = key,
    };
    l->end = p->pts + p->duration > l->end ? p->pts + p->duration : l->end;
    l->count++;
    return SL_OK;
}

static enum sl_status read_samples(struct sl_layered *l, const struct sl_log *log,
                                   struct sl_error *err)
{
    struct sl_demux_params params = {.log = log, .strict = true};
    struct sl_input in = {0};
    const struct sl_track *t;
    enum sl_status status = sl_input_open(&in, l->name, &params, err);
    if (status) {
        return status;
    }
    t = in.demuxer->tracks;
    if (in.demuxer->track_count != 1 || t->codec != SL_CODEC_H264 || !t->config_size) {
        status = sl_fail(err, SL_EUNSUPPORTED, l->name, "%zu tracks, expected one of H.264 alone",
                         in.demuxer->track_count);
        goto out;
    }
    l->timebase = t->timebase;
    l->rate = t->frame_rate;
    l->config = sl_alloc(t->config_size);
    if (!l->config) {
        status = sl_fail_memory(err);
        goto out;
    }
    memcpy(l->config, t->config, t->config_size);
    l->config_size = t->config_size;
    while (!status) {
        struct sl_packet *p = NULL;
        status = sl_input_read(&in, &p, err);
        if (!status) {
            status = add_packet(l, p, err);
        }
        sl_packet_unref(&p);
    }
    status = status == SL_EOF ? SL_OK : status;
    if (!status && t->duration != SL_NO_TIME && t->duration > 0) {
        l->end = t->duration; /* what was dropped before may have ended later */
    }
    if (!status && l->count == 0) {
        status = sl_fail(err, SL_EDATA, l->name, "no samples");
    }
out:
    sl_input_close(&in);
    return status;
}

enum sl_status sl_layered_open_mp4(struct sl_layered *l, const char *input,
                                   const struct sl_log *log, struct sl_error *err)
{
    enum sl_status status;
    *l = (struct sl_layered){.layers = 1, .lengths = true, .name = sl_strdup(input)};
    status = l->name ? sl_file_open(&l->file, input, err) : sl_fail_memory(err);
    status = status ? status : read_samples(l, log, err);
    status = status ? status : read_layers(l, err);
    if (status) {
        sl_layered_clear(l);
    }
    return status;
}
