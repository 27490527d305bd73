/* SPDX-License-Identifier: BSD-2-Clause */
#include "schedule/schedule.h"

#include <stddef.h>
#include <string.h>

#include <sluice/schedule.h>

#include "api/params.h"
#include "base/alloc.h"
#include "base/error.h"
#include "media/h264.h"
#include "pipeline/whole.h"

#define OUTPUT_MAX ((size_t)1 << 30)

static const char *const orders[] = {"depth", "breadth", NULL};

#define AT(field) offsetof(struct sl_schedule_params, field)
#define NUMBER(name, field, low, high, value, unit, words)                                         \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_INT, .offset = AT(field), .min = (low), .max = (high),    \
        .value_default = (value), .metavar = (unit), .help = (words)                               \
    }

static const struct sl_option table[] = {
    {.key = "output",
     .type = SL_OPTION_STRING,
     .offset = AT(output),
     .capacity = SL_SCHEDULE_PATH_MAX,
     .value_default = "-",
     .metavar = "FILE",
     .help = "where to write; - for standard output (-o)"},
    NUMBER("frames", frames, 0, SL_SCHEDULE_FRAMES_MAX, "0", "N", "pictures in all (required)"),
    NUMBER("gop", gop, 1, SL_SCHEDULE_GOP_MAX, "16", "N",
           "pictures from one of layer 0 to the next, a power of two"),
    NUMBER("bframes", bframes, -1, SL_SCHEDULE_GOP_MAX, "-1", "N",
           "most B pictures between two others; -1: gop - 1"),
    NUMBER("keyint", keyint, 1, INT32_MAX, "120", "N", "pictures from IDR to IDR"),
    NUMBER("layers", layers, 0, 7, "0", "N",
           "temporal layers; 0: as many as gop has, log2(gop) + 1"),
    NUMBER("dpb", dpb, 0, SL_SCHEDULE_REFS_MAX, "0", "N",
           "frames that the decoder holds; 0: as few as will do"),
    NUMBER("past", past, 1, SL_SCHEDULE_REFS_MAX, "3", "N", "most references to earlier pictures"),
    NUMBER("future", future, 1, SL_SCHEDULE_REFS_MAX, "2", "N",
           "most references to later pictures"),
    {.key = "order",
     .type = SL_OPTION_ENUM,
     .offset = AT(order),
     .choices = orders,
     .value_default = "depth",
     .metavar = "depth|breadth",
     .help = "coded order inside a group"},
    {.key = "forget",
     .type = SL_OPTION_BOOL,
     .offset = AT(forget),
     .help = "P pictures empty the decoder's buffer of what is not needed"},
    {.key = "low-delay",
     .type = SL_OPTION_BOOL,
     .offset = AT(low_delay),
     .help = "P pictures alone, coded as they are shown"},
    {.key = "rate",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(rate),
     .min = 0,
     .max = 1000,
     .value_default = "0",
     .metavar = "N/D",
     .help = "pictures a second, stated in what is made; 0: not"},
    {.key = NULL},
};

struct sl_schedule_doc {
    struct sl_schedule s;
};

enum sl_status sl_schedule_params_default(struct sl_schedule_params *params, uint32_t size,
                                          struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

const struct sl_option *sl_schedule_options(void)
{
    return table;
}

static enum sl_status small(const char *name, int64_t value, int32_t *out, struct sl_error *err)
{
    if (value < INT32_MIN || value > INT32_MAX) {
        return sl_fail(err, SL_EINVAL, name, "%lld is out of range", (long long)value);
    }
    *out = (int32_t)value;
    return SL_OK;
}

static enum sl_status plan_of(const struct sl_schedule_params *p, struct sl_schedule_plan *plan,
                              struct sl_error *err)
{
    const struct {
        const char *name;
        int64_t value;
        int32_t *out;
    } numbers[] = {{"gop", p->gop, &plan->gop},          {"bframes", p->bframes, &plan->bframes},
                   {"keyint", p->keyint, &plan->keyint}, {"layers", p->layers, &plan->layers},
                   {"dpb", p->dpb, &plan->dpb},          {"past", p->past, &plan->past},
                   {"future", p->future, &plan->future}};
    enum sl_status status = SL_OK;
    sl_schedule_plan_default(plan);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !status; i++) {
        status = small(numbers[i].name, numbers[i].value, numbers[i].out, err);
    }
    if (p->low_delay && p->bframes > 0) {
        return sl_fail(err, SL_EINVAL, "bframes", "%lld with low-delay, which has none",
                       (long long)p->bframes);
    }
    plan->bframes = p->low_delay ? 0 : plan->bframes;
    plan->breadth = p->order == SL_SCHEDULE_BREADTH;
    plan->forget = p->forget != 0;
    plan->rate = p->rate.num > 0 && p->rate.den > 0 ? p->rate : (struct sl_rational){0, 1};
    return status;
}

enum sl_status sl_schedule_doc_make(struct sl_schedule_doc **out,
                                    const struct sl_schedule_params *params, struct sl_error *err)
{
    struct sl_schedule_plan plan;
    struct sl_schedule_doc *doc;
    enum sl_status status;
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    status = sl_params_check(params, sizeof *params, "sl_schedule_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    *out = NULL;
    status = plan_of(params, &plan, err);
    if (status) {
        return status;
    }
    doc = sl_alloc_zero(sizeof *doc);
    if (!doc) {
        return sl_fail_memory(err);
    }
    status = sl_schedule_make(&doc->s, &plan, params->frames, err);
    if (status) {
        sl_schedule_doc_destroy(&doc);
    }
    *out = doc;
    return status;
}

enum sl_status sl_schedule_doc_parse(struct sl_schedule_doc **out, const char *name,
                                     const char *text, size_t size, struct sl_error *err)
{
    struct sl_schedule_doc *doc;
    enum sl_status status;
    if (!out || !name || (!text && size)) {
        return sl_fail(err, SL_EINVAL, "schedule", "no text is given");
    }
    *out = NULL;
    doc = sl_alloc_zero(sizeof *doc);
    if (!doc) {
        return sl_fail_memory(err);
    }
    status = sl_schedule_parse(&doc->s, name, text ? text : "", size, err);
    if (status) {
        sl_schedule_doc_destroy(&doc);
    }
    *out = doc;
    return status;
}

enum sl_status sl_schedule_doc_open(struct sl_schedule_doc **out, const char *path,
                                    struct sl_error *err)
{
    struct sl_buf *text = NULL;
    enum sl_status status;
    if (!out || !path || !path[0]) {
        return sl_fail(err, SL_EINVAL, "schedule", "no file is named");
    }
    *out = NULL;
    status = sl_read_whole(path, SL_SCHEDULE_TEXT_MAX, &text, err);
    if (!status) {
        status = sl_schedule_doc_parse(out, strcmp(path, "-") ? path : "standard input",
                                       (const char *)text->data, text->size, err);
    }
    sl_buf_unref(&text);
    return status;
}

enum sl_status sl_schedule_doc_info(const struct sl_schedule_doc *doc,
                                    struct sl_schedule_info *info, struct sl_error *err)
{
    struct sl_schedule_needs needs;
    enum sl_status status;
    if (!doc || !info) {
        return sl_fail(err, SL_EINVAL, "schedule", "NULL");
    }
    status = sl_schedule_measure(&doc->s, &needs, err);
    if (!status) {
        *info = (struct sl_schedule_info){.frames = doc->s.count,
                                          .gop = doc->s.gop,
                                          .layers = doc->s.layers,
                                          .dpb = doc->s.dpb,
                                          .reorder = doc->s.reorder,
                                          .dpb_needed = needs.dpb,
                                          .reorder_needed = needs.reorder,
                                          .rate = doc->s.rate};
    }
    return status;
}

int sl_schedule_doc_level(const struct sl_schedule_doc *doc, int32_t width, int32_t height)
{
    return sl_h264_level(width, height, doc->s.rate, doc->s.dpb);
}

int32_t sl_schedule_level_frames(int level_idc, int32_t width, int32_t height)
{
    return sl_h264_level_dpb(level_idc, width, height);
}

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);
    return length > tail && strcmp(path + length - tail, suffix) == 0;
}

enum sl_status sl_schedule_doc_save(const struct sl_schedule_doc *doc,
                                    enum sl_schedule_format format, uint64_t first, uint64_t count,
                                    const char *path, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status;
    if (!doc || !path || !path[0]) {
        return sl_fail(err, SL_EINVAL, "output", "no file is named");
    }
    if (format == SL_SCHEDULE_AUTO) {
        format = ends_in(path, ".json")  ? SL_SCHEDULE_JSON
                 : ends_in(path, ".svg") ? SL_SCHEDULE_SVG
                                         : SL_SCHEDULE_TEXT;
    }
    first = first < doc->s.count ? first : doc->s.count;
    count = count < doc->s.count ? count : doc->s.count;
    sl_writer_init(&w, OUTPUT_MAX);
    switch (format) {
    case SL_SCHEDULE_JSON:
        sl_schedule_write(&doc->s, &w);
        break;
    case SL_SCHEDULE_TEXT:
        sl_schedule_draw_text(&doc->s, (size_t)first, (size_t)count, &w);
        break;
    case SL_SCHEDULE_SVG:
        sl_schedule_draw_svg(&doc->s, (size_t)first, (size_t)count, &w);
        break;
    default:
        return sl_fail(err, SL_EINVAL, "format", "%d is not known", (int)format);
    }
    status = sl_writer_finish(&w, err);
    if (!status) {
        status = sl_write_whole(path, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

void sl_schedule_doc_destroy(struct sl_schedule_doc **doc)
{
    if (doc && *doc) {
        sl_schedule_clear(&(*doc)->s);
        sl_free(*doc);
        *doc = NULL;
    }
}
