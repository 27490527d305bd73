/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/frames.h"

#include <inttypes.h>
#include <stdlib.h>

#include "api/params.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"

#define AT(field) offsetof(struct sl_frames_params, field)
static const char *const formats[] = {"rgb24", "nv12", NULL};

static const struct sl_option table[] = {
    {.key = "format",
     .type = SL_OPTION_ENUM,
     .offset = AT(format),
     .choices = formats,
     .value_default = "rgb24",
     .metavar = "rgb24|nv12",
     .help = "pixels: packed RGB, or 8-bit 4:2:0 as the decoder has it"},
    {.key = "threads",
     .type = SL_OPTION_INT,
     .offset = AT(threads),
     .min = 0,
     .max = 64,
     .value_default = "0",
     .metavar = "N",
     .help = "of the decoder; 0: as many as are useful"},
    {.key = "index",
     .type = SL_OPTION_STRING,
     .offset = AT(index),
     .capacity = SL_FRAMES_PATH_MAX,
     .metavar = "FILE",
     .help = "index that sluice pack wrote; empty: the input's name + .idx or .jsonl, if it is "
             "there"},
    {.key = NULL},
};

enum sl_status sl_frames_params_default(struct sl_frames_params *params, uint32_t size,
                                        struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

const struct sl_option *sl_frames_options(void)
{
    return table;
}

enum sl_status sl_frames_open(struct sl_frames **out, const char *input,
                              const struct sl_frames_params *params, const struct sl_log *log,
                              struct sl_error *err)
{
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_frames_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    if (!out || !input || !input[0]) {
        return sl_fail(err, SL_EINVAL, "input", "no file is named");
    }
    if (params->format < SL_FRAMES_RGB24 || params->format > SL_FRAMES_NV12 ||
        params->threads < 0 || params->threads > 64) {
        return sl_fail(err, SL_EINVAL, "params", "format %d with %" PRId64 " threads is not known",
                       params->format, params->threads);
    }
    return sl_frames_begin(out, input, params, log, err);
}

void sl_frames_get_info(const struct sl_frames *f, struct sl_frames_info *info)
{
    const struct sl_frames_index *x = &f->index;
    const struct sl_frames_sample *first = &x->samples[x->shown[0]];
    const struct sl_frames_sample *last = &x->samples[x->shown[x->shown_count - 1]];
    *info = (struct sl_frames_info){
        .count = x->shown_count,
        .track = &f->track,
        .start = first->pts,
        .end = last->pts + last->duration,
        .layers = x->layers,
        .indexed = x->layered,
        .has_ids = x->has_ids,
    };
}

enum sl_status sl_frames_get_place(const struct sl_frames *f, uint64_t index,
                                   struct sl_frames_place *place, struct sl_error *err)
{
    const struct sl_frames_index *x = &f->index;
    const struct sl_frames_sample *s;
    if (index >= x->shown_count) {
        return sl_fail(err, SL_EINVAL, f->name, "picture %" PRIu64 " of %zu (from 0)", index,
                       x->shown_count);
    }
    s = &x->samples[x->shown[index]];
    *place = (struct sl_frames_place){
        .pts = s->pts, .duration = s->duration, .id = s->id, .layer = s->layer};
    return SL_OK;
}

enum sl_status sl_frames_find_time(const struct sl_frames *f, struct sl_rational seconds,
                                   uint64_t *index, struct sl_error *err)
{
    const struct sl_frames_index *x = &f->index;
    struct sl_rational tick = f->track.timebase, one = {1, seconds.den};
    const struct sl_frames_sample *last = &x->samples[x->shown[x->shown_count - 1]];
    int64_t end = last->pts + (last->duration > 0 ? last->duration : 1);
    size_t low = 0, high = x->shown_count;
    if (seconds.den <= 0) {
        return sl_fail(err, SL_EINVAL, "time", "%" PRId64 "/%" PRId64 " s is not a time",
                       seconds.num, seconds.den);
    }
    if (seconds.num < 0 || sl_time_compare(seconds.num, one, end, tick) >= 0) {
        struct sl_rational ms = {1, 1000};
        return sl_fail(err, SL_ENOTFOUND, f->name,
                       "nothing is shown at %" PRId64 " ms: it ends at %" PRId64 " ms",
                       sl_rescale(seconds.num, one, ms, SL_ROUND_DOWN),
                       sl_rescale(end, tick, ms, SL_ROUND_NEAREST));
    }
    while (low + 1 < high) { /* the last one that begins at or before */
        size_t middle = low + (high - low) / 2;
        if (sl_time_compare(x->samples[x->shown[middle]].pts, tick, seconds.num, one) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *index = low;
    return SL_OK;
}

enum sl_status sl_frames_find_id(const struct sl_frames *f, int64_t id, uint64_t *index,
                                 struct sl_error *err)
{
    const struct sl_frames_index *x = &f->index;
    if (!x->has_ids && id >= 0 && (uint64_t)id < x->shown_count) {
        *index = (uint64_t)id;
        return SL_OK;
    }
    for (size_t low = 0, high = x->has_ids ? x->shown_count : 0; low < high;) {
        size_t middle = low + (high - low) / 2;
        int64_t found = x->samples[x->shown[x->by_id[middle]]].id;
        if (found < id) {
            low = middle + 1;
        } else if (found > id ||
                   (middle > low && x->samples[x->shown[x->by_id[middle - 1]]].id == id)) {
            high = middle;
        } else {
            *index = x->by_id[middle];
            return SL_OK;
        }
    }
    return sl_fail(err, SL_ENOTFOUND, f->name, "no picture has id %" PRId64, id);
}

enum sl_status sl_frames_request(struct sl_frames *f, const uint64_t *indexes, size_t count,
                                 struct sl_error *err)
{
    return sl_frames_ask(f, indexes, count, err);
}

/* Where a step falls between the beginning of a picture and that of the next one. */
enum sl_status sl_frames_request_every(struct sl_frames *f, struct sl_rational step,
                                       struct sl_error *err)
{
    const struct sl_frames_index *x = &f->index;
    struct sl_rational tick = f->track.timebase;
    int64_t start = x->samples[x->shown[0]].pts;
    uint64_t *indexes;
    size_t count = 0;
    enum sl_status status;
    if (!sl_rational_valid(step)) {
        return sl_fail(err, SL_EINVAL, "every", "%" PRId64 "/%" PRId64 " s is not a step", step.num,
                       step.den);
    }
    indexes = sl_alloc_array(x->shown_count, sizeof *indexes);
    if (!indexes) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < x->shown_count; i++) {
        const struct sl_frames_sample *s = &x->samples[x->shown[i]];
        int64_t steps = sl_rescale(s->pts - start, tick, step, SL_ROUND_UP);
        int64_t end = s->pts - start + s->duration;
        if (i == 0 || sl_time_compare(steps, step, end, tick) < 0) {
            indexes[count++] = i;
        }
    }
    status = sl_frames_ask(f, indexes, count, err);
    sl_free(indexes);
    return status;
}

enum sl_status sl_frames_next(struct sl_frames *f, struct sl_frames_picture *picture,
                              struct sl_error *err)
{
    enum sl_status status = sl_frames_advance(f, err);
    return status ? status : sl_frames_describe(f, picture, err);
}

enum sl_status sl_frames_pixels(struct sl_frames *f, void *dst, size_t size, struct sl_error *err)
{
    return sl_frames_write(f, dst, size, err);
}

enum sl_status sl_frames_save(struct sl_frames *f, const char *path, struct sl_error *err)
{
    return sl_frames_write_png(f, path, err);
}

enum sl_status sl_frames_dump(struct sl_frames *f, const char *path, struct sl_error *err)
{
    return sl_frames_write_raw(f, path, err);
}

void sl_frames_stop(struct sl_frames *f)
{
    atomic_store(&f->stop, true);
}

void sl_frames_get_stats(const struct sl_frames *f, struct sl_frames_stats *stats)
{
    *stats = f->stats;
}

void sl_frames_destroy(struct sl_frames **f)
{
    sl_frames_free(f);
}
