/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples in coded order, pictures in display order. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/frames.h"

void sl_frames_index_clear(struct sl_frames_index *x)
{
    sl_free(x->samples);
    sl_free(x->shown);
    sl_free(x->refs);
    sl_free(x->by_id);
    *x = (struct sl_frames_index){0};
}

enum sl_status sl_frames_index_add(struct sl_frames_index *x, const struct sl_frames_sample *s,
                                   struct sl_error *err)
{
    if (sl_grow(&x->samples, &x->capacity, x->count, sizeof *x->samples, SL_FRAMES_SAMPLES_MAX)) {
        return sl_fail_memory(err);
    }
    x->samples[x->count] = *s;
    x->layers = s->layer >= x->layers ? s->layer + 1 : x->layers;
    x->count++;
    return SL_OK;
}

enum sl_status sl_frames_set_refs(struct sl_frames_index *x, size_t sample, const uint32_t *refs,
                                  size_t count, struct sl_error *err)
{
    struct sl_frames_sample *s = &x->samples[sample];
    size_t first = sl_frames_key_before(x, sample);
    if (count > SL_FRAMES_REFS_MAX) {
        return sl_fail(err, SL_EDATA, NULL, "sample %zu has %zu references, at most %d are allowed",
                       sample, count, SL_FRAMES_REFS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (refs[i] < first || refs[i] >= sample) {
            return sl_fail(err, SL_EDATA, NULL,
                           "sample %zu refers to sample %u, one from %zu on and before it was "
                           "expected",
                           sample, refs[i], first);
        }
    }
    s->refs = (uint32_t)x->ref_count;
    for (size_t i = 0; i < count; i++) {
        if (sl_grow(&x->refs, &x->ref_capacity, x->ref_count, sizeof *x->refs, UINT32_MAX / 2)) {
            return sl_fail_memory(err);
        }
        x->refs[x->ref_count++] = refs[i];
    }
    s->ref_count = (uint8_t)count;
    s->flags |= SL_FRAMES_LINKED;
    return SL_OK;
}

struct when {
    int64_t pts;
    uint32_t sample;
};

static int by_time(const void *a, const void *b)
{
    const struct when *x = a, *y = b;
    if (x->pts != y->pts) {
        return x->pts < y->pts ? -1 : 1;
    }
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

enum sl_status sl_frames_index_finish(struct sl_frames_index *x, const char *name,
                                      struct sl_error *err)
{
    struct when *order;
    size_t n = 0;
    if (x->count == 0) {
        return sl_fail(err, SL_EDATA, name, "no pictures");
    }
    order = sl_alloc_array(x->count, sizeof *order);
    x->shown = sl_alloc_array(x->count, sizeof *x->shown);
    if (!order || !x->shown) {
        sl_free(order);
        return sl_fail_memory(err);
    }
    x->samples[0].flags |= SL_FRAMES_KEY; /* decoding has to begin somewhere */
    for (size_t i = 0; i < x->count; i++) {
        if (!(x->samples[i].flags & SL_FRAMES_HIDDEN)) {
            order[n++] = (struct when){x->samples[i].pts, (uint32_t)i};
        }
    }
    qsort(order, n, sizeof *order, by_time);
    for (size_t i = 0; i < n; i++) {
        struct sl_frames_sample *s = &x->samples[order[i].sample];
        s->shown = (uint32_t)i;
        s->id = (int64_t)i;
        x->shown[i] = order[i].sample;
        if (i + 1 < n) {
            s->duration = order[i + 1].pts - s->pts;
        } else if (s->duration <= 0) { /* nobody knows: as long as the one before */
            s->duration = i > 0 ? s->pts - order[i - 1].pts : 0;
        }
    }
    x->shown_count = n;
    sl_free(order);
    return n > 0 ? SL_OK : sl_fail(err, SL_EDATA, name, "no picture is shown");
}

struct named {
    int64_t id;
    uint32_t number;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

enum sl_status sl_frames_index_ids(struct sl_frames_index *x, struct sl_error *err)
{
    struct named *order = sl_alloc_array(x->shown_count, sizeof *order);
    x->by_id = sl_alloc_array(x->shown_count, sizeof *x->by_id);
    if (!order || !x->by_id) {
        sl_free(order);
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < x->shown_count; i++) {
        order[i] = (struct named){x->samples[x->shown[i]].id, (uint32_t)i};
    }
    qsort(order, x->shown_count, sizeof *order, by_id);
    for (size_t i = 0; i < x->shown_count; i++) {
        x->by_id[i] = order[i].number;
    }
    sl_free(order);
    return SL_OK;
}
