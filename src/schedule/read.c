/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "schedule/json.h"
#include "schedule/order.h"

static const char *const types[] = {[SL_SCHEDULE_IDR] = "idr",
                                    [SL_SCHEDULE_I] = "i",
                                    [SL_SCHEDULE_P] = "p",
                                    [SL_SCHEDULE_BREF] = "bref",
                                    [SL_SCHEDULE_B] = "b"};

const char *sl_schedule_type_name(enum sl_schedule_type type)
{
    return types[type];
}

struct head {
    int64_t version, gop, dpb, reorder;
    const json_t *fps, *frames;
};

static const struct sl_json_field head_fields[] = {
    {"version", SL_JSON_INTEGER, offsetof(struct head, version), true, 0, 0},
    {"fps", SL_JSON_ARRAY, offsetof(struct head, fps), false, 0, 0},
    {"gop", SL_JSON_INTEGER, offsetof(struct head, gop), false, 1, SL_SCHEDULE_GROUP_MAX},
    {"dpb", SL_JSON_INTEGER, offsetof(struct head, dpb), false, 1, SL_SCHEDULE_REFS_MAX},
    {"reorder", SL_JSON_INTEGER, offsetof(struct head, reorder), false, 0, SL_SCHEDULE_REFS_MAX},
    {"frames", SL_JSON_ARRAY, offsetof(struct head, frames), true, 0, 0},
    {0},
};

struct member {
    int64_t display, decode, layer, max_ref_layer, id;
    const char *type;
    const json_t *refs, *forget;
    double qp, qp_offset;
};

enum { HAS_MAX_REF_LAYER = 1 << 4, HAS_ID = 1 << 6, HAS_QP = 1 << 7, HAS_QP_OFFSET = 1 << 8 };
static const struct sl_json_field frame_fields[] = {
    {"display", SL_JSON_INTEGER, offsetof(struct member, display), true, 0, INT32_MAX},
    {"decode", SL_JSON_INTEGER, offsetof(struct member, decode), true, 0,
     SL_SCHEDULE_FRAMES_MAX - 1},
    {"type", SL_JSON_STRING, offsetof(struct member, type), true, 0, 0},
    {"layer", SL_JSON_INTEGER, offsetof(struct member, layer), true, 0, SL_SCHEDULE_LAYERS_MAX - 1},
    {"max_ref_layer", SL_JSON_INTEGER, offsetof(struct member, max_ref_layer), false, 0,
     SL_SCHEDULE_LAYERS_MAX - 1},
    {"refs", SL_JSON_ARRAY, offsetof(struct member, refs), false, 0, 0},
    {"frame_id", SL_JSON_INTEGER, offsetof(struct member, id), false, 0, 0},
    {"qp", SL_JSON_NUMBER, offsetof(struct member, qp), false, 0, 51},
    {"qp_offset", SL_JSON_NUMBER, offsetof(struct member, qp_offset), false, -51, 51},
    {"forget", SL_JSON_ARRAY, offsetof(struct member, forget), false, 0, 0},
    {0},
};

struct reading {
    struct sl_json json;
    struct sl_schedule *s;
    size_t *origin; /* place in the text's array, by coded place */
};

/* What is wrong with frames[index], where its display number is known. */
#define IN_FRAME "frame %" PRId64 ": "

static enum sl_status read_numbers(const struct reading *r, const struct sl_json_place *frame,
                                   const char *key, const json_t *array, int64_t *out,
                                   uint8_t *count, struct sl_error *err)
{
    struct sl_json_place list = {.parent = frame, .key = key};
    size_t size = json_array_size(array);
    if (size > SL_SCHEDULE_REFS_MAX) {
        return sl_json_fail(&r->json, &list, err, "%zu numbers, at most %d are allowed", size,
                            SL_SCHEDULE_REFS_MAX);
    }
    for (size_t i = 0; i < size; i++) {
        struct sl_json_place element = {.parent = &list, .index = i};
        enum sl_status status = sl_json_integer(&r->json, &element, json_array_get(array, i), 0,
                                                INT32_MAX, &out[i], err);
        if (status) {
            return status;
        }
    }
    *count = (uint8_t)size;
    return SL_OK;
}

static enum sl_status read_type(const struct reading *r, const struct sl_json_place *frame,
                                const struct member *m, enum sl_schedule_type *type,
                                struct sl_error *err)
{
    struct sl_json_place place = {.parent = frame, .key = "type"};
    for (size_t i = SL_SCHEDULE_IDR; i < sizeof types / sizeof types[0]; i++) {
        if (!strcmp(m->type, types[i])) {
            *type = (enum sl_schedule_type)i;
            return SL_OK;
        }
    }
    return sl_json_fail(&r->json, &place, err,
                        IN_FRAME "\"%.20s\" is not allowed (idr, i, p, bref, b)", m->display,
                        m->type);
}

static enum sl_status read_frame(const struct reading *r, const struct sl_json_place *place,
                                 json_t *object, struct sl_schedule_frame *f, struct sl_error *err)
{
    struct member m = {0};
    uint64_t present;
    enum sl_status status =
        sl_json_object(&r->json, place, object, frame_fields, &m, &present, err);
    if (status) {
        return status;
    }
    f->display = m.display;
    f->decode = m.decode;
    f->layer = (uint8_t)m.layer;
    f->max_ref_layer = (uint8_t)(present & HAS_MAX_REF_LAYER ? m.max_ref_layer : m.layer);
    f->id = present & HAS_ID ? m.id : m.display;
    if ((present & HAS_QP) && (present & HAS_QP_OFFSET)) {
        struct sl_json_place key = {.parent = place, .key = "qp_offset"};
        return sl_json_fail(&r->json, &key, err, IN_FRAME "qp and qp_offset exclude each other",
                            m.display);
    }
    f->qp_kind = present & HAS_QP          ? SL_SCHEDULE_QP_ABSOLUTE
                 : present & HAS_QP_OFFSET ? SL_SCHEDULE_QP_OFFSET
                                           : SL_SCHEDULE_QP_NONE;
    f->qp = present & HAS_QP ? m.qp : m.qp_offset;
    status = read_type(r, place, &m, &f->type, err);
    if (!status) {
        status = read_numbers(r, place, "refs", m.refs, f->refs, &f->ref_count, err);
    }
    if (!status) {
        status = read_numbers(r, place, "forget", m.forget, f->forget, &f->forget_count, err);
    }
    return status;
}

struct place {
    int64_t decode;
    size_t origin;
};

static int compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->decode != y->decode) {
        return x->decode < y->decode ? -1 : 1;
    }
    return x->origin < y->origin ? -1 : x->origin > y->origin;
}

/* The text may list the frames in any order; the model has them in coded order. */
static enum sl_status read_frames(struct reading *r, const json_t *array, struct sl_error *err)
{
    const struct sl_json_place list = {.key = "frames"};
    struct sl_schedule *s = r->s;
    size_t count = json_array_size(array);
    enum sl_status status = SL_OK;
    struct place *places;
    if (count < 1 || count > SL_SCHEDULE_FRAMES_MAX) {
        return sl_json_fail(&r->json, &list, err, "%zu frames, expected 1 to %u", count,
                            SL_SCHEDULE_FRAMES_MAX);
    }
    places = sl_alloc_array(count, sizeof *places);
    r->origin = sl_alloc_array(count, sizeof *r->origin);
    s->frames = sl_alloc_array(count, sizeof *s->frames);
    if (!places || !r->origin || !s->frames) {
        status = sl_fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        places[i].origin = i;
        places[i].decode = json_integer_value(json_object_get(json_array_get(array, i), "decode"));
    }
    qsort(places, count, sizeof *places, compare);
    s->count = count;
    for (size_t i = 0; i < count && !status; i++) {
        struct sl_json_place place = {.parent = &list, .index = places[i].origin};
        r->origin[i] = place.index;
        status = read_frame(r, &place, json_array_get(array, place.index), &s->frames[i], err);
    }
out:
    sl_free(places);
    return status;
}

static enum sl_status read_rate(const struct reading *r, const json_t *array,
                                struct sl_rational *rate, struct sl_error *err)
{
    const struct sl_json_place list = {.key = "fps"};
    int64_t terms[2];
    if (json_array_size(array) != 2) {
        return sl_json_fail(&r->json, &list, err, "%zu numbers, expected [numerator, denominator]",
                            json_array_size(array));
    }
    for (size_t i = 0; i < 2; i++) {
        struct sl_json_place place = {.parent = &list, .index = i};
        enum sl_status status = sl_json_integer(&r->json, &place, json_array_get(array, i), 1,
                                                INT32_MAX, &terms[i], err);
        if (status) {
            return status;
        }
    }
    *rate = (struct sl_rational){terms[0], terms[1]};
    return SL_OK;
}

/* What the text leaves out, then all rules; their errors get the place of the frame. */
static enum sl_status complete(struct reading *r, bool dpb, bool reorder, struct sl_error *err)
{
    struct sl_schedule *s = r->s;
    struct sl_schedule_needs needs;
    struct sl_error fault = {0};
    size_t bad;
    enum sl_status status = sl_schedule_mark(s, err);
    if (!status && (!dpb || !reorder)) {
        status = sl_schedule_measure(s, &needs, err);
    }
    if (status) {
        return status;
    }
    if (!reorder) {
        s->reorder = needs.reorder < SL_SCHEDULE_REFS_MAX ? needs.reorder : SL_SCHEDULE_REFS_MAX;
    }
    if (!dpb) {
        s->dpb = needs.dpb < SL_SCHEDULE_REFS_MAX ? needs.dpb : SL_SCHEDULE_REFS_MAX;
        s->dpb = s->dpb < s->reorder ? s->reorder : s->dpb;
    }
    status = sl_schedule_inspect(s, r->json.name, &bad, &fault);
    if (status == SL_EDATA && bad < s->count) {
        struct sl_json_place list = {.key = "frames"};
        struct sl_json_place place = {.parent = &list, .index = r->origin[bad]};
        return sl_json_fail(&r->json, &place, err, "%s", fault.msg);
    }
    return status ? sl_fail(err, status, r->json.name, "%s", fault.msg) : SL_OK;
}

enum sl_status sl_schedule_parse(struct sl_schedule *out, const char *name, const char *text,
                                 size_t size, struct sl_error *err)
{
    struct reading r = {.s = out};
    struct head head = {0};
    uint64_t present = 0;
    enum sl_status status;
    *out = (struct sl_schedule){.rate = {0, 1}};
    if (size > SL_SCHEDULE_TEXT_MAX) {
        status = sl_fail(err, SL_EDATA, name, "%zu bytes, at most %zu are read", size,
                         SL_SCHEDULE_TEXT_MAX);
        goto out;
    }
    status = sl_json_parse(&r.json, name, text, size, err);
    if (!status) {
        status = sl_json_object(&r.json, NULL, r.json.root, head_fields, &head, &present, err);
    }
    if (!status && head.version != 1) {
        struct sl_json_place place = {.key = "version"};
        status = sl_json_fail(&r.json, &place, err, "%" PRId64 " is not known, expected 1",
                              head.version);
    }
    if (!status && head.fps) {
        status = read_rate(&r, head.fps, &out->rate, err);
    }
    if (!status) {
        out->gop = (int32_t)head.gop;
        out->dpb = (int32_t)head.dpb;
        out->reorder = (int32_t)head.reorder;
        status = read_frames(&r, head.frames, err);
    }
    if (!status) {
        status = complete(&r, present >> 3 & 1, present >> 4 & 1, err);
    }
out:
    sl_json_clear(&r.json);
    sl_free(r.origin);
    if (status) {
        sl_schedule_clear(out);
    }
    return status;
}
