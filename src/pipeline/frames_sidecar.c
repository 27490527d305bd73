/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON lines that sluice pack writes beside an MP4 (docs/layers.md): what a picture refers to,
 * and its id. Places and times are checked against the file's own. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/frames.h"
#include "schedule/json.h"

struct head_line {
    const char *type, *layout;
    int64_t version, width, height, fps_num, fps_den, layers, frames;
};

#define HEAD(field, low, high)                                                                     \
    {                                                                                              \
#field, SL_JSON_INTEGER, offsetof(struct head_line, field), true, low, high                \
    }
static const struct sl_json_field head_fields[] = {
    {"type", SL_JSON_STRING, offsetof(struct head_line, type), true, 0, 0},
    HEAD(version, 1, 1),
    HEAD(width, 1, 16384),
    HEAD(height, 1, 16384),
    HEAD(fps_num, 1, INT32_MAX),
    HEAD(fps_den, 1, INT32_MAX),
    HEAD(layers, 1, 8),
    {"layout", SL_JSON_STRING, offsetof(struct head_line, layout), true, 0, 0},
    HEAD(frames, 1, SL_FRAMES_SAMPLES_MAX),
    {0},
};

struct frame_line {
    const char *type;
    int64_t display_frame, frame_id, pts, duration, sample_index, byte_offset, byte_len,
        temporal_layer, pictures;
    const json_t *refs, *ranges;
};

#define FRAME(field, low, high)                                                                    \
    {                                                                                              \
#field, SL_JSON_INTEGER, offsetof(struct frame_line, field), true, low, high               \
    }
static const struct sl_json_field frame_fields[] = {
    {"type", SL_JSON_STRING, offsetof(struct frame_line, type), true, 0, 0},
    FRAME(display_frame, 0, INT64_MAX),
    FRAME(frame_id, 0, 0),
    FRAME(pts, 0, 0),
    FRAME(duration, 0, 0),
    FRAME(sample_index, 0, SL_FRAMES_SAMPLES_MAX),
    FRAME(byte_offset, 0, INT64_MAX),
    FRAME(byte_len, 1, INT32_MAX),
    FRAME(temporal_layer, 0, 7),
    {"refs", SL_JSON_ARRAY, offsetof(struct frame_line, refs), false, 0, 0},
    FRAME(pictures, 1, SL_FRAMES_SAMPLES_MAX),
    {"ranges", SL_JSON_ARRAY, offsetof(struct frame_line, ranges), true, 0, 0},
    {0},
};

static enum sl_status read_refs(struct sl_frames_index *x, const struct sl_json *j,
                                const struct frame_line *m, struct sl_error *err)
{
    struct sl_json_place list = {.key = "refs"};
    uint32_t refs[SL_FRAMES_REFS_MAX];
    size_t count = json_array_size(m->refs);
    struct sl_error why = {0};
    enum sl_status status;
    if (count > SL_FRAMES_REFS_MAX) {
        return sl_json_fail(j, &list, err, "%zu samples, at most %d are allowed", count,
                            SL_FRAMES_REFS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct sl_json_place place = {.parent = &list, .index = i};
        int64_t ref;
        status = sl_json_integer(j, &place, json_array_get(m->refs, i), 0, (int64_t)x->count - 1,
                                 &ref, err);
        if (status) {
            return status;
        }
        refs[i] = (uint32_t)ref;
    }
    status = sl_frames_set_refs(x, (size_t)m->sample_index, refs, count, &why);
    if (status == SL_EDATA) {
        return sl_json_fail(j, &list, err, "%s", why.msg);
    }
    return status ? sl_fail_memory(err) : SL_OK;
}

static enum sl_status read_frame(struct sl_frames_index *x, const struct sl_json *j, size_t number,
                                 struct sl_error *err)
{
    struct frame_line m = {0};
    struct sl_json_place place = {.key = "type"};
    struct sl_frames_sample *s;
    enum sl_status status = sl_json_object(j, NULL, j->root, frame_fields, &m, NULL, err);
    if (status) {
        return status;
    }
    if (strcmp(m.type, "frame") != 0) {
        return sl_json_fail(j, &place, err, "\"%.20s\", expected \"frame\"", m.type);
    }
    place.key = "sample_index";
    if (number >= x->shown_count || m.sample_index != x->shown[number]) {
        return sl_json_fail(j, &place, err, "%" PRId64 " is not what the file shows as picture %zu",
                            m.sample_index, number);
    }
    s = &x->samples[m.sample_index];
    place.key = "byte_offset";
    if (m.byte_offset != s->offset || m.byte_len != s->size || m.temporal_layer != s->layer) {
        return sl_json_fail(j, &place, err,
                            "%" PRId64 ", %" PRId64 " bytes of layer %" PRId64
                            ": the file has %" PRId64 ", %" PRIu32 " bytes of layer %u",
                            m.byte_offset, m.byte_len, m.temporal_layer, s->offset, s->size,
                            s->layer);
    }
    s->id = m.frame_id;
    return m.refs ? read_refs(x, j, &m, err) : SL_OK;
}

static enum sl_status read_head(const struct sl_frames_index *x, const struct sl_json *j,
                                struct sl_error *err)
{
    struct head_line m = {0};
    struct sl_json_place place = {.key = "type"};
    enum sl_status status = sl_json_object(j, NULL, j->root, head_fields, &m, NULL, err);
    if (!status && strcmp(m.type, "index") != 0) {
        status =
            sl_json_fail(j, &place, err, "\"%.20s\", expected \"index\" on the first line", m.type);
    }
    place.key = "frames";
    if (!status && m.frames != (int64_t)x->count) {
        status = sl_json_fail(j, &place, err, "%" PRId64 ", the file has %zu", m.frames, x->count);
    }
    return status;
}

enum sl_status sl_frames_read_sidecar(struct sl_frames_index *x, const char *name,
                                      const uint8_t *data, size_t size, struct sl_error *err)
{
    const char *at = (const char *)data, *end = at + size;
    enum sl_status status = SL_OK;
    size_t line = 0;
    for (; at < end && !status; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct sl_json j;
        stop = stop ? stop : end;
        status = sl_json_parse_line(&j, name, at, (size_t)(stop - at), line, err);
        if (!status) {
            status = line == 0 ? read_head(x, &j, err) : read_frame(x, &j, line - 1, err);
        }
        sl_json_clear(&j);
        at = stop + 1;
    }
    if (!status && line != x->shown_count + 1) {
        status =
            sl_fail(err, SL_EDATA, name, "%zu lines, %zu were expected", line, x->shown_count + 1);
    }
    x->has_ids = status == SL_OK;
    return status;
}
