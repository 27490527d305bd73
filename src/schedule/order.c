/* SPDX-License-Identifier: BSD-2-Clause */
#include "schedule/order.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

static int compare(const void *a, const void *b)
{
    const struct sl_schedule_shown *x = a, *y = b;
    if (x->display != y->display) {
        return x->display < y->display ? -1 : 1;
    }
    return x->coded < y->coded ? -1 : x->coded > y->coded;
}

struct sl_schedule_shown *sl_schedule_shown(const struct sl_schedule *s)
{
    struct sl_schedule_shown *shown = sl_alloc_array(s->count, sizeof *shown);
    if (shown) {
        for (size_t i = 0; i < s->count; i++) {
            shown[i] = (struct sl_schedule_shown){s->frames[i].display, i};
        }
        qsort(shown, s->count, sizeof *shown, compare);
    }
    return shown;
}

const struct sl_schedule_frame *sl_schedule_find(const struct sl_schedule *s,
                                                 const struct sl_schedule_shown *shown,
                                                 int64_t display)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shown[middle].display < display) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->count && shown[low].display == display ? &s->frames[shown[low].coded] : NULL;
}

size_t sl_schedule_group(const struct sl_schedule *s, size_t first)
{
    size_t end = first < s->count ? first + 1 : first;
    while (end < s->count &&
           (s->frames[end].type == SL_SCHEDULE_BREF || s->frames[end].type == SL_SCHEDULE_B)) {
        end++;
    }
    return end - first;
}

/* A P above layer 0 is disposable unless a later picture of its period names it or, naming none,
 * may take any of its layer. */
enum sl_status sl_schedule_mark(struct sl_schedule *s, struct sl_error *err)
{
    struct sl_schedule_shown *shown = sl_schedule_shown(s);
    size_t largest = 1;
    int open = -1; /* highest layer that a later picture without names may refer to */
    if (!shown) {
        return sl_fail_memory(err);
    }
    s->layers = 0;
    for (size_t i = s->count; i-- > 0;) {
        struct sl_schedule_frame *f = &s->frames[i];
        f->disposable =
            f->type == SL_SCHEDULE_B || (f->type == SL_SCHEDULE_P && f->layer > open && f->layer);
        if (f->type == SL_SCHEDULE_IDR) {
            open = -1;
        } else if (f->type != SL_SCHEDULE_I && f->ref_count == 0 && f->max_ref_layer > open) {
            open = f->max_ref_layer;
        }
        s->layers = f->layer >= s->layers ? f->layer + 1 : s->layers;
    }
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < s->frames[i].ref_count; k++) {
            const struct sl_schedule_frame *ref = sl_schedule_find(s, shown, s->frames[i].refs[k]);
            if (ref && ref->type == SL_SCHEDULE_P) {
                s->frames[ref - s->frames].disposable = false;
            }
        }
    }
    for (size_t i = 0; i < s->count;) {
        size_t group = sl_schedule_group(s, i);
        largest = group > largest ? group : largest;
        i += group;
    }
    s->gop = s->gop ? s->gop : (int32_t)largest;
    sl_free(shown);
    return SL_OK;
}

void sl_schedule_clear(struct sl_schedule *s)
{
    sl_free(s->frames);
    *s = (struct sl_schedule){0};
}
