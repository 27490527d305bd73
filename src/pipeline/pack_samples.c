/* SPDX-License-Identifier: BSD-2-Clause */
/* samples.jsonl: what it says, and that it fits the stream. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/h264.h"
#include "pipeline/pack.h"
#include "pipeline/whole.h"
#include "schedule/json.h"

#define CONFIG_MAX (1u << 20) /* of avcC, and of what stands before the first sample */

struct stream_line {
    const char *type;
    int64_t width, height, fps_num, fps_den, gop, dpb, reorder, layers;
};

#define HEAD(field, need, low, high)                                                               \
    {                                                                                              \
#field, SL_JSON_INTEGER, offsetof(struct stream_line, field), need, low, high              \
    }
static const struct sl_json_field stream_fields[] = {
    {"type", SL_JSON_STRING, offsetof(struct stream_line, type), true, 0, 0},
    HEAD(width, true, 1, 16384),
    HEAD(height, true, 1, 16384),
    HEAD(fps_num, true, 1, INT32_MAX),
    HEAD(fps_den, true, 1, INT32_MAX),
    HEAD(gop, false, 1, INT32_MAX),
    HEAD(dpb, false, 0, 16),
    HEAD(reorder, false, 0, 16),
    HEAD(layers, false, 1, SL_LAYERED_LAYERS_MAX),
    {0},
};

struct sample_line {
    const char *type;
    int64_t sample_index, byte_offset, byte_len, pts, dts, duration;
    bool is_keyframe;
    int64_t picture_type, display_frame, decode_order, temporal_layer, max_ref_layer, frame_id, qp,
        crc32;
    const json_t *refs;
};

#define TIME_MAX (INT64_C(1) << 40)
#define SAMPLE(field, low, high)                                                                   \
    {                                                                                              \
#field, SL_JSON_INTEGER, offsetof(struct sample_line, field), true, low, high              \
    }
static const struct sl_json_field sample_fields[] = {
    {"type", SL_JSON_STRING, offsetof(struct sample_line, type), true, 0, 0},
    SAMPLE(sample_index, 0, SL_LAYERED_SAMPLES_MAX),
    SAMPLE(byte_offset, 0, INT64_MAX),
    SAMPLE(byte_len, 1, INT32_MAX),
    SAMPLE(pts, -TIME_MAX, TIME_MAX),
    SAMPLE(dts, -TIME_MAX, TIME_MAX),
    SAMPLE(duration, 0, INT32_MAX),
    {"is_keyframe", SL_JSON_BOOL, offsetof(struct sample_line, is_keyframe), true, 0, 0},
    SAMPLE(picture_type, 1, 5),
    SAMPLE(display_frame, 0, INT64_MAX),
    SAMPLE(decode_order, 0, INT64_MAX),
    SAMPLE(temporal_layer, 0, SL_LAYERED_LAYERS_MAX - 1),
    SAMPLE(max_ref_layer, 0, SL_LAYERED_LAYERS_MAX - 1),
    SAMPLE(frame_id, 0, 0),
    {"qp", SL_JSON_INTEGER, offsetof(struct sample_line, qp), false, 0, 0},
    {"crc32", SL_JSON_INTEGER, offsetof(struct sample_line, crc32), false, 0, 0},
    {"refs", SL_JSON_ARRAY, offsetof(struct sample_line, refs), false, 0, 0},
    {0},
};

void sl_layered_clear(struct sl_layered *l)
{
    sl_file_unref(&l->file);
    sl_free(l->samples);
    sl_free(l->config);
    sl_free(l->name);
    *l = (struct sl_layered){0};
}

/* Display numbers, of samples of the same period before this one. */
static enum sl_status read_refs(const struct sl_layered *l, const struct sl_json *j,
                                const json_t *refs, struct sl_layered_sample *s,
                                struct sl_error *err)
{
    struct sl_json_place list = {.key = "refs"};
    size_t count = json_array_size(refs);
    if (count > SL_LAYERED_REFS_MAX) {
        return sl_json_fail(j, &list, err, "%zu pictures, at most %d are allowed", count,
                            SL_LAYERED_REFS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct sl_json_place place = {.parent = &list, .index = i};
        int64_t display;
        size_t at = l->count;
        enum sl_status status =
            sl_json_integer(j, &place, json_array_get(refs, i), 0, INT64_MAX, &display, err);
        if (status) {
            return status;
        }
        while (at > 0 && l->samples[at - 1].group == s->group &&
               l->samples[at - 1].display != display) {
            at--;
        }
        if (at == 0 || l->samples[at - 1].group != s->group) {
            return sl_json_fail(j, &place, err,
                                "frame %" PRId64 " is not one that was coded since the last IDR",
                                display);
        }
        if (l->samples[at - 1].layer > s->max_ref_layer) {
            return sl_json_fail(j, &place, err,
                                "frame %" PRId64 " is of layer %u, max_ref_layer is %u", display,
                                l->samples[at - 1].layer, s->max_ref_layer);
        }
        s->refs[s->ref_count++] = (uint32_t)(at - 1);
    }
    s->refs_known = true;
    return SL_OK;
}

static enum sl_status refuse(const struct sl_json *j, const char *key, struct sl_error *err,
                             const char *what, int64_t found, int64_t expected)
{
    struct sl_json_place place = {.key = key};
    return sl_json_fail(j, &place, err, "%" PRId64 ", expected %s%" PRId64, found, what, expected);
}

static enum sl_status check_sample(const struct sl_layered *l, const struct sl_json *j,
                                   const struct sample_line *m, struct sl_error *err)
{
    const struct sl_layered_sample *before = l->count ? &l->samples[l->count - 1] : NULL;
    int64_t end = before ? before->offset + before->size : 0;
    struct sl_json_place place = {.key = "is_keyframe"};
    if (m->sample_index != (int64_t)l->count) {
        return refuse(j, "sample_index", err, "", m->sample_index, (int64_t)l->count);
    }
    if (m->byte_offset < end) {
        return refuse(j, "byte_offset", err, "at least ", m->byte_offset, end);
    }
    if (m->byte_len > l->file->size - m->byte_offset) {
        return refuse(j, "byte_len", err, "at most what the stream has left: ", m->byte_len,
                      l->file->size > m->byte_offset ? l->file->size - m->byte_offset : 0);
    }
    if (before && m->dts <= before->dts) {
        return refuse(j, "dts", err, "more than ", m->dts, before->dts);
    }
    if (m->pts < m->dts) {
        return refuse(j, "pts", err, "dts or more: ", m->pts, m->dts);
    }
    if (m->max_ref_layer > m->temporal_layer) {
        return refuse(j, "max_ref_layer", err, "at most ", m->max_ref_layer, m->temporal_layer);
    }
    if (m->is_keyframe != (m->picture_type == 1)) {
        return sl_json_fail(j, &place, err, "does not go with picture_type %" PRId64,
                            m->picture_type);
    }
    if (!before && !m->is_keyframe) {
        return sl_json_fail(j, &place, err, "the first sample must be an IDR");
    }
    return SL_OK;
}

static enum sl_status read_sample(struct sl_layered *l, const struct sl_json *j,
                                  struct sl_error *err)
{
    struct sample_line m = {0};
    struct sl_json_place type = {.key = "type"};
    struct sl_layered_sample *s;
    enum sl_status status = sl_json_object(j, NULL, j->root, sample_fields, &m, NULL, err);
    if (status) {
        return status;
    }
    if (strcmp(m.type, "sample") != 0) {
        return sl_json_fail(j, &type, err, "\"%.20s\", expected \"sample\"", m.type);
    }
    status = check_sample(l, j, &m, err);
    if (status) {
        return status;
    }
    if (sl_grow(&l->samples, &l->capacity, l->count, sizeof *l->samples, SL_LAYERED_SAMPLES_MAX)) {
        return sl_fail(err, SL_ENOMEM, j->name, "no room for sample %zu (at most %u)", l->count,
                       SL_LAYERED_SAMPLES_MAX);
    }
    s = &l->samples[l->count];
    *s = (struct sl_layered_sample){
        .offset = m.byte_offset,
        .size = (uint32_t)m.byte_len,
        .pts = m.pts,
        .dts = m.dts,
        .duration = m.duration,
        .display = m.display_frame,
        .id = m.frame_id,
        .group = l->count ? l->samples[l->count - 1].group + m.is_keyframe : 0,
        .layer = (uint8_t)m.temporal_layer,
        .max_ref_layer = (uint8_t)m.max_ref_layer,
        .type = (uint8_t)m.picture_type,
        .key = m.is_keyframe,
    };
    if (m.refs || m.is_keyframe) {
        status = read_refs(l, j, m.refs, s, err);
    }
    l->end = s->pts + s->duration > l->end ? s->pts + s->duration : l->end;
    l->layers = s->layer >= l->layers ? s->layer + 1 : l->layers;
    l->count++;
    return status;
}

static enum sl_status read_stream(struct sl_layered *l, const struct sl_json *j,
                                  struct sl_error *err)
{
    struct stream_line m = {0};
    struct sl_json_place type = {.key = "type"};
    enum sl_status status = sl_json_object(j, NULL, j->root, stream_fields, &m, NULL, err);
    if (status) {
        return status;
    }
    if (strcmp(m.type, "stream") != 0) {
        return sl_json_fail(j, &type, err, "\"%.20s\", expected \"stream\" on the first line",
                            m.type);
    }
    l->width = (int32_t)m.width;
    l->height = (int32_t)m.height;
    l->rate = (struct sl_rational){m.fps_num, m.fps_den};
    l->timebase = (struct sl_rational){m.fps_den, m.fps_num};
    return SL_OK;
}

static enum sl_status read_lines(struct sl_layered *l, const char *name, const struct sl_buf *text,
                                 struct sl_error *err)
{
    const char *at = (const char *)text->data, *end = at + text->size;
    enum sl_status status = SL_OK;
    for (size_t line = 0; at < end && !status; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct sl_json j;
        stop = stop ? stop : end;
        status = sl_json_parse_line(&j, name, at, (size_t)(stop - at), line, err);
        if (!status) {
            status = line == 0 ? read_stream(l, &j, err) : read_sample(l, &j, err);
        }
        sl_json_clear(&j);
        at = stop + 1;
    }
    if (!status && l->count == 0) {
        status = sl_fail(err, SL_EDATA, name, "no samples");
    }
    return status;
}

/* The stream's headers stand before the first sample. */
static enum sl_status read_config(struct sl_layered *l, struct sl_error *err)
{
    int64_t size = l->samples[0].offset + l->samples[0].size; /* or within it */
    struct sl_slice slice = {.file = l->file, .offset = 0, .size = (size_t)size};
    struct sl_writer w;
    uint8_t *head;
    enum sl_status status;
    if (size > (64 << 20)) {
        return sl_fail(err, SL_EDATA, l->name, "the first sample ends at byte %" PRId64, size);
    }
    head = sl_alloc((size_t)size);
    if (!head) {
        return sl_fail_memory(err);
    }
    sl_writer_init(&w, CONFIG_MAX);
    status = sl_slice_read(&slice, 0, head, (size_t)size, err);
    if (!status) {
        status = sl_avcc_from_annexb(head, (size_t)size, &w, err);
    }
    if (!status) {
        status = sl_writer_finish(&w, err);
    }
    sl_free(head);
    if (status) {
        sl_writer_clear(&w);
        return status;
    }
    l->config = w.data;
    l->config_size = w.size;
    return SL_OK;
}

/* NAME.jsonl for NAME.h264, else samples.jsonl in the same folder. */
static char *beside(const char *input)
{
    const char *slash = strrchr(input, '/');
    int folder = slash ? (int)(slash - input) + 1 : 0;
    const char *dot = strrchr(input + folder, '.');
    int stem = dot ? (int)(dot - input) : (int)strlen(input);
    char *name = sl_format("%.*s.jsonl", stem, input);
    if (name && access(name, F_OK) != 0) {
        sl_free(name);
        name = sl_format("%.*ssamples.jsonl", folder, input);
    }
    return name;
}

enum sl_status sl_layered_open(struct sl_layered *l, const char *input, const char *metadata,
                               struct sl_error *err)
{
    struct sl_buf *text = NULL;
    char *name = metadata[0] ? sl_strdup(metadata) : beside(input);
    enum sl_status status;
    *l = (struct sl_layered){.layers = 1, .name = sl_strdup(input)};
    if (!name || !l->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = sl_file_open(&l->file, input, err);
    if (!status) {
        status = sl_read_whole(name, SL_LAYERED_INDEX_MAX, &text, err);
    }
    if (!status) {
        status = read_lines(l, name, text, err);
    }
    if (!status) {
        status = read_config(l, err);
    }
out:
    sl_buf_unref(&text);
    sl_free(name);
    if (status) {
        sl_layered_clear(l);
    }
    return status;
}

void sl_layered_drop(struct sl_layered *l, int max_layer)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (l->samples[i].layer <= max_layer) {
            l->samples[kept++] = l->samples[i];
        }
    }
    l->count = kept;
    l->layers = l->layers > max_layer + 1 ? max_layer + 1 : l->layers;
}
