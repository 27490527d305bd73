/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/encode_y4m_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "base/rational.h"
#include "base/slice.h"
#include "encode/x264_check.h"
#include "media/colour.h"

#define QP_MAX        51
#define BFRAMES_USUAL 15 /* where gop is larger and bframes is not said */

/* The members as they stand in the text. */
struct raw {
    const char *frame_ir, *preset, *tune, *profile, *b_pyramid;
    const char *extra, *layer_qps, *layer_offsets;
    int64_t keyint, keyint_min, bframes, scenecut, b_adapt, rc_lookahead, threads, gop;
    double crf;
    bool open_gop, low_delay;
};

enum key {
    FRAME_IR,
    KEYINT,
    KEYINT_MIN,
    BFRAMES,
    CRF,
    PRESET,
    TUNE,
    PROFILE,
    SCENECUT,
    B_ADAPT,
    B_PYRAMID,
    OPEN_GOP,
    RC_LOOKAHEAD,
    THREADS,
    EXTRA_PARAMS,
    LAYER_QPS,
    LAYER_OFFSETS,
    GOP,
    LOW_DELAY,
};

#define AT(member) offsetof(struct raw, member)
static const struct sl_json_field fields[] = {
    [FRAME_IR] = {"frame_ir", SL_JSON_STRING, AT(frame_ir), false, 0, 0},
    [KEYINT] = {"keyint", SL_JSON_INTEGER, AT(keyint), false, 1, SL_SCHEDULE_FRAMES_MAX},
    [KEYINT_MIN] = {"keyint_min", SL_JSON_INTEGER, AT(keyint_min), false, 0,
                    SL_SCHEDULE_FRAMES_MAX},
    [BFRAMES] = {"bframes", SL_JSON_INTEGER, AT(bframes), false, 0, SL_X264_BFRAMES_MAX},
    /* Below 1, x264 codes without loss: not in High (A.2.4). */
    [CRF] = {"crf", SL_JSON_NUMBER, AT(crf), false, 1, QP_MAX},
    [PRESET] = {"preset", SL_JSON_STRING, AT(preset), false, 0, 0},
    [TUNE] = {"tune", SL_JSON_STRING, AT(tune), false, 0, 0},
    [PROFILE] = {"profile", SL_JSON_STRING, AT(profile), false, 0, 0},
    [SCENECUT] = {"scenecut", SL_JSON_INTEGER, AT(scenecut), false, 0, 1000},
    [B_ADAPT] = {"b_adapt", SL_JSON_INTEGER, AT(b_adapt), false, 0, 2},
    [B_PYRAMID] = {"b_pyramid", SL_JSON_STRING, AT(b_pyramid), false, 0, 0},
    [OPEN_GOP] = {"open_gop", SL_JSON_BOOL, AT(open_gop), false, 0, 0},
    [RC_LOOKAHEAD] = {"rc_lookahead", SL_JSON_INTEGER, AT(rc_lookahead), false, 0, 250},
    [THREADS] = {"threads", SL_JSON_INTEGER, AT(threads), false, 0, 128},
    [EXTRA_PARAMS] = {"x264_extra_params", SL_JSON_STRING, AT(extra), false, 0, 0},
    [LAYER_QPS] = {"x264_layer_qps", SL_JSON_STRING, AT(layer_qps), false, 0, 0},
    [LAYER_OFFSETS] = {"layer_qp_offsets", SL_JSON_STRING, AT(layer_offsets), false, 0, 0},
    [GOP] = {"gop", SL_JSON_INTEGER, AT(gop), false, 0, SL_SCHEDULE_GOP_MAX},
    [LOW_DELAY] = {"low_delay", SL_JSON_BOOL, AT(low_delay), false, 0, 0},
    {NULL, SL_JSON_INTEGER, 0, false, 0, 0},
};

/* While the text is being read. */
struct reading {
    struct sl_encode_y4m_config *c;
    const char *path;
    struct raw raw;
    uint64_t present;
    struct sl_error *err;
};

static bool has(const struct reading *r, enum key key)
{
    return (r->present >> key & 1u) != 0;
}

static enum sl_status refuse(const struct reading *r, enum key key, const char *text)
{
    struct sl_json_place place = {.key = fields[key].key};
    return sl_json_fail(&r->c->json, &place, r->err, "%s", text);
}

/* ---- text files --------------------------------------------------------------------------- */

static enum sl_status read_text(const char *path, size_t max, char **text, size_t *size,
                                struct sl_error *err)
{
    struct sl_file *file = NULL;
    enum sl_status status = sl_file_open(&file, path, err);
    *text = NULL;
    *size = 0;
    if (status != SL_OK) {
        return status;
    }
    if (file->size < 0 || (uint64_t)file->size > max) {
        status = sl_fail(err, SL_EDATA, path, "%" PRId64 " bytes, at most %zu are read", file->size,
                         max);
        goto out;
    }
    *text = sl_alloc((size_t)file->size + 1);
    status = *text ? sl_io_pread(file->fd, 0, *text, (size_t)file->size, size, path, err)
                   : sl_fail_memory(err);
out:
    sl_file_unref(&file);
    return status;
}

/* A path in the configuration is relative to it. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return name[0] == '/' || !slash ? sl_strdup(name)
                                    : sl_format("%.*s/%s", (int)(slash - path), path, name);
}

/* ---- options of x264 ---------------------------------------------------------------------- */

static enum sl_status add_option(struct reading *r, enum key from, const char *key,
                                 const char *value)
{
    struct sl_encode_y4m_config *c = r->c;
    struct sl_error why = {0};
    if (c->option_count == SL_ENCODE_Y4M_OPTIONS_MAX) {
        return refuse(r, from, "too many options");
    }
    enum sl_status status = sl_x264_scheduled_option(key, value, c->scheduled, &why);
    if (status == SL_EINVAL) {
        return refuse(r, from, why.msg);
    }
    if (status != SL_OK) {
        return sl_fail(r->err, status, why.where, "%s", why.msg);
    }
    c->options[c->option_count++] = (struct sl_x264_option){key, value};
    return SL_OK;
}

static const char *number(struct sl_encode_y4m_config *c, double value)
{
    char *text = c->values[c->value_count++];
    (void)snprintf(text, sizeof c->values[0], "%.9g", value);
    return text;
}

/* "k=v:k=v", as x264's users write it. */
static enum sl_status add_extra(struct reading *r)
{
    if (!has(r, EXTRA_PARAMS)) {
        return SL_OK;
    }
    r->c->extra = sl_strdup(r->raw.extra);
    if (!r->c->extra) {
        return sl_fail_memory(r->err);
    }
    enum sl_status status = SL_OK;
    for (char *at = r->c->extra; status == SL_OK && *at;) {
        size_t n = strcspn(at, ":");
        bool more = at[n] == ':';
        at[n] = '\0';
        char *value = strchr(at, '=');
        if (value) {
            *value++ = '\0';
        }
        status = add_option(r, EXTRA_PARAMS, at, value);
        at += n + more;
    }
    return status;
}

static bool extra_names(const struct sl_encode_y4m_config *c, const char *key)
{
    for (size_t i = 0; i < c->option_count; i++) {
        const char *name = c->options[i].key;
        name += strncmp(name, "no-", 3) == 0 ? 3 : 0;
        if (strcmp(name, key) == 0) {
            return true;
        }
    }
    return false;
}

static enum sl_status add_options(struct reading *r)
{
    const struct {
        const char *key;
        double value;
        enum key from;
        bool scheduled; /* stands beside a schedule */
    } numbers[] = {
        {"keyint", (double)r->raw.keyint, KEYINT, false},
        {"min-keyint", (double)r->raw.keyint_min, KEYINT_MIN, false},
        {"bframes", (double)r->raw.bframes, BFRAMES, false},
        {"crf", r->raw.crf, CRF, true},
        {"scenecut", (double)r->raw.scenecut, SCENECUT, false},
        {"b-adapt", (double)r->raw.b_adapt, B_ADAPT, false},
        {"open-gop", r->raw.open_gop, OPEN_GOP, false},
        {"rc-lookahead", (double)r->raw.rc_lookahead, RC_LOOKAHEAD, true},
    };
    struct sl_encode_y4m_config *c = r->c;
    enum sl_status status = SL_OK;
    for (size_t i = 0; status == SL_OK && i < sizeof numbers / sizeof numbers[0]; i++) {
        if (has(r, numbers[i].from) && (!c->scheduled || numbers[i].scheduled)) {
            status = add_option(r, numbers[i].from, numbers[i].key, number(c, numbers[i].value));
        }
    }
    if (status == SL_OK && has(r, B_PYRAMID) && !c->scheduled) {
        status = add_option(r, B_PYRAMID, "b-pyramid", r->raw.b_pyramid);
    }
    if (status == SL_OK) {
        status = add_extra(r);
    }
    /* x264's tree follows a chain from picture to picture, which layers of P pictures are not. */
    if (status == SL_OK && c->scheduled && c->bframes == 0 && !extra_names(c, "mbtree")) {
        status = add_option(r, LOW_DELAY, "mbtree", "0");
    }
    return status;
}

/* Names that x264 would only look at when the input is known. */
static enum sl_status check_names(const struct reading *r)
{
    const struct {
        enum key key;
        const char *preset, *tune, *profile;
    } names[] = {
        {PRESET, r->raw.preset, NULL, NULL},
        {TUNE, NULL, r->raw.tune, NULL},
        {PROFILE, NULL, NULL, r->raw.profile},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sl_error why = {0};
        struct sl_encode_params params = {
            .width = 16,
            .height = 16,
            .timebase = {1, 25},
            .colour = sl_colour_unspecified(),
            .preset = names[i].preset,
            .tune = names[i].tune,
            .profile = names[i].profile,
        };
        if (sl_x264_check(&params, &why) != SL_OK) {
            return refuse(r, names[i].key, why.msg);
        }
    }
    if (r->raw.profile && strncmp(r->raw.profile, "high", 4) == 0 && r->raw.profile[4]) {
        return refuse(r, PROFILE, "8 bits and 4:2:0 alone: baseline, main or high");
    }
    if (r->raw.profile && strcmp(r->raw.profile, "baseline") == 0 && r->c->bframes > 0) {
        return refuse(r, PROFILE, "baseline has no B pictures, the schedule has");
    }
    return SL_OK;
}

/* ---- QP of layers ------------------------------------------------------------------------- */

/* "1.5", "-2" */
static bool read_qp(const char *text, size_t size, double *out)
{
    char copy[32];
    struct sl_rational value;
    bool minus = size > 0 && text[0] == '-';
    if (size == 0 || size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text + minus, size - minus);
    copy[size - minus] = '\0';
    if (!sl_rational_parse(copy, &value) || value.den <= 0 || value.num < 0 ||
        value.num / value.den > QP_MAX) {
        return false;
    }
    *out = (double)value.num / (double)value.den * (minus ? -1 : 1);
    return true;
}

/* "0=22,1=23" */
static enum sl_status read_layers(struct reading *r, enum key key, const char *text,
                                  enum sl_schedule_qp kind)
{
    static const char *const expected =
        "expected LAYER=QP,… with layers 0 to 7, each once, and QPs "
        "up to 51";
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        double qp;
        if (n < 3 || at[0] < '0' || at[0] >= '0' + SL_SCHEDULE_LAYERS_MAX || at[1] != '=' ||
            !read_qp(at + 2, n - 2, &qp) || (kind == SL_SCHEDULE_QP_ABSOLUTE && qp < 0)) {
            return refuse(r, key, expected);
        }
        size_t layer = (size_t)(at[0] - '0');
        if (r->c->layers[layer].kind == kind) {
            return refuse(r, key, expected);
        }
        if (r->c->layers[layer].kind != SL_SCHEDULE_QP_NONE) {
            return refuse(r, key, "a layer has an absolute QP in x264_layer_qps as well");
        }
        r->c->layers[layer].kind = kind;
        r->c->layers[layer].qp = qp;
        at += n;
        if (!*at) {
            return SL_OK;
        }
    }
}

void sl_encode_y4m_config_qp(const struct sl_encode_y4m_config *c, struct sl_schedule_frame *f)
{
    if (f->qp_kind == SL_SCHEDULE_QP_NONE && f->layer < SL_SCHEDULE_LAYERS_MAX) {
        f->qp_kind = c->layers[f->layer].kind;
        f->qp = c->layers[f->layer].qp;
    }
}

/* ---- the schedule ------------------------------------------------------------------------- */

static enum sl_status check_without(const struct reading *r)
{
    static const enum key only[] = {FRAME_IR, LAYER_QPS, LAYER_OFFSETS};
    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        if (has(r, only[i])) {
            return refuse(r, only[i], "goes with a schedule, and gop is 0: there is none");
        }
    }
    if (r->raw.low_delay) {
        return refuse(r, LOW_DELAY, "goes with a schedule, and gop is 0: there is none");
    }
    if (r->raw.bframes > SL_X264_BFRAMES_PLAIN_MAX) {
        return refuse(r, BFRAMES, "more than 16 go with a schedule, and gop is 0: there is none");
    }
    return SL_OK;
}

static enum sl_status check_with(const struct reading *r)
{
    if (r->raw.scenecut > 0) {
        return refuse(r, SCENECUT, "contradicts a schedule, expected 0 (or \"gop\": 0: none)");
    }
    if (r->raw.b_adapt > 0) {
        return refuse(r, B_ADAPT, "contradicts a schedule, expected 0 (or \"gop\": 0: none)");
    }
    if (r->raw.open_gop) {
        return refuse(r, OPEN_GOP, "contradicts a schedule, expected false (or \"gop\": 0: none)");
    }
    if (has(r, FRAME_IR) && r->raw.low_delay) {
        return refuse(r, LOW_DELAY, "is for a schedule that is made, and frame_ir names one");
    }
    if (r->raw.low_delay && r->raw.bframes > 0) {
        return refuse(r, BFRAMES, "contradicts low_delay, expected 0");
    }
    if (has(r, B_PYRAMID) && r->c->bframes > 1 && strcmp(r->raw.b_pyramid, "normal") != 0) {
        return refuse(r, B_PYRAMID, "contradicts the layers of the schedule, expected normal");
    }
    return SL_OK;
}

/* What the schedule has, against what the configuration says of it. */
static enum sl_status check_read(struct reading *r)
{
    const struct sl_schedule *s = &r->c->schedule;
    int64_t period = 0;
    for (size_t i = 0; i < s->count; i++) {
        period = s->frames[i].type == SL_SCHEDULE_IDR ? 1 : period + 1;
        if (has(r, KEYINT) && period > r->raw.keyint) {
            return refuse(r, KEYINT, "the schedule has more pictures from one IDR to the next");
        }
        r->c->gaps |= s->frames[i].display >= (int64_t)s->count;
    }
    for (size_t i = 0; i < s->count;) {
        size_t n = sl_schedule_group(s, i);
        int32_t run = n > 0 && n <= SL_SCHEDULE_FRAMES_MAX ? (int32_t)n - 1 : 0;
        r->c->bframes = run > r->c->bframes ? run : r->c->bframes;
        i += n > 0 ? n : 1;
    }
    if (has(r, BFRAMES) && r->c->bframes > r->raw.bframes) {
        return refuse(r, BFRAMES, "the schedule has more B pictures in a row");
    }
    if (has(r, GOP) && r->raw.gop != s->gop) {
        return refuse(r, GOP, "is not what the schedule says");
    }
    struct sl_schedule_needs needs;
    enum sl_status status = sl_schedule_measure(s, &needs, r->err);
    if (status == SL_OK) {
        r->c->step = needs.frame_num_step > needs.poc_step ? needs.frame_num_step : needs.poc_step;
    }
    return status;
}

static enum sl_status read_schedule(struct reading *r)
{
    char *text = NULL;
    size_t size;
    char *path = beside(r->path, r->raw.frame_ir);
    if (!path) {
        return sl_fail_memory(r->err);
    }
    enum sl_status status = read_text(path, SL_SCHEDULE_TEXT_MAX, &text, &size, r->err);
    if (status == SL_OK) {
        status = sl_schedule_parse(&r->c->schedule, path, text, size, r->err);
    }
    if (status == SL_OK) {
        status = check_read(r);
    }
    sl_free(text);
    sl_free(path);
    return status;
}

static enum sl_status plan_schedule(struct reading *r)
{
    struct sl_schedule_plan *plan = &r->c->plan;
    sl_schedule_plan_default(plan);
    if (has(r, GOP)) {
        plan->gop = (int32_t)r->raw.gop;
    }
    if ((plan->gop & (plan->gop - 1)) != 0) {
        return refuse(r, GOP, "expected a power of two");
    }
    if (has(r, KEYINT)) {
        plan->keyint = (int32_t)r->raw.keyint;
    }
    int32_t most = has(r, BFRAMES) ? (int32_t)r->raw.bframes : BFRAMES_USUAL;
    plan->bframes = plan->gop - 1 < most ? plan->gop - 1 : most;
    /* Larger groups fit into no DPB otherwise. */
    plan->forget = plan->bframes > BFRAMES_USUAL;
    if (r->raw.low_delay) {
        plan->bframes = 0;
    }
    r->c->bframes = plan->bframes;
    /* Whether there is such a schedule. The one that is used knows the input's rate. */
    struct sl_schedule_maker *maker;
    struct sl_error why = {0};
    enum sl_status status = sl_schedule_maker_create(&maker, plan, &why);
    sl_schedule_maker_destroy(&maker);
    if (status == SL_EINVAL) {
        return refuse(r, GOP, why.msg);
    }
    return status == SL_OK ? SL_OK : sl_fail(r->err, status, why.where, "%s", why.msg);
}

static enum sl_status read_all(struct reading *r)
{
    struct sl_encode_y4m_config *c = r->c;
    enum sl_status status =
        sl_json_object(&c->json, NULL, c->json.root, fields, &r->raw, &r->present, r->err);
    if (status != SL_OK) {
        return status;
    }
    c->scheduled = !has(r, GOP) || r->raw.gop > 0;
    c->preset = r->raw.preset;
    c->tune = r->raw.tune;
    c->profile = r->raw.profile;
    c->threads = (int32_t)r->raw.threads;
    if (has(r, KEYINT) && has(r, KEYINT_MIN) && r->raw.keyint_min > r->raw.keyint) {
        return refuse(r, KEYINT_MIN, "is more than keyint");
    }
    if (has(r, B_PYRAMID) && strcmp(r->raw.b_pyramid, "none") != 0 &&
        strcmp(r->raw.b_pyramid, "strict") != 0 && strcmp(r->raw.b_pyramid, "normal") != 0) {
        return refuse(r, B_PYRAMID, "expected none, strict or normal");
    }
    if (c->scheduled) {
        status = has(r, FRAME_IR) ? read_schedule(r) : plan_schedule(r);
    }
    if (status == SL_OK) {
        status = c->scheduled ? check_with(r) : check_without(r);
    }
    if (status == SL_OK && has(r, LAYER_QPS)) {
        status = read_layers(r, LAYER_QPS, r->raw.layer_qps, SL_SCHEDULE_QP_ABSOLUTE);
    }
    if (status == SL_OK && has(r, LAYER_OFFSETS)) {
        status = read_layers(r, LAYER_OFFSETS, r->raw.layer_offsets, SL_SCHEDULE_QP_OFFSET);
    }
    if (status == SL_OK) {
        status = check_names(r);
    }
    return status == SL_OK ? add_options(r) : status;
}

enum sl_status sl_encode_y4m_config_parse(struct sl_encode_y4m_config *c, const char *path,
                                          const char *text, size_t size, struct sl_error *err)
{
    struct reading r = {.c = c, .path = path, .err = err};
    *c = (struct sl_encode_y4m_config){0};
    enum sl_status status = sl_json_parse(&c->json, path, text, size, err);
    return status == SL_OK ? read_all(&r) : status;
}

enum sl_status sl_encode_y4m_config_read(struct sl_encode_y4m_config *c, const char *path,
                                         struct sl_error *err)
{
    char *text;
    size_t size;
    *c = (struct sl_encode_y4m_config){0};
    enum sl_status status = read_text(path, SL_ENCODE_Y4M_CONFIG_MAX, &text, &size, err);
    if (status != SL_OK) {
        sl_free(text);
        return status;
    }
    status = sl_encode_y4m_config_parse(c, path, text, size, err);
    c->text = text;
    return status;
}

void sl_encode_y4m_config_clear(struct sl_encode_y4m_config *c)
{
    sl_json_clear(&c->json);
    sl_schedule_clear(&c->schedule);
    sl_free(c->extra);
    sl_free(c->text);
    *c = (struct sl_encode_y4m_config){0};
}
