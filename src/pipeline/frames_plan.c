/* SPDX-License-Identifier: BSD-2-Clause */
/* Which samples a request takes, span by span: a span reaches from a key to the next one.
 *
 * Where nothing else is known, a picture takes all before it in its span but those that nothing
 * refers to, as their own bytes say (flags of containers are often wrong there). A picture that is
 * shown before the key that it follows in coded order (open GOP) takes the span before too, all of
 * it. Where references are known, what they lead to is enough; where layers alone are, all up to
 * the picture's own. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/frames.h"

#define BACK_MAX 4 /* spans to go back for a picture that did not come (gradual refresh) */

size_t sl_frames_key_before(const struct sl_frames_index *x, size_t sample)
{
    while (sample > 0 && !(x->samples[sample].flags & SL_FRAMES_KEY)) {
        sample--;
    }
    return sample;
}

size_t sl_frames_key_after(const struct sl_frames_index *x, size_t sample)
{
    do {
        sample++;
    } while (sample < x->count && !(x->samples[sample].flags & SL_FRAMES_KEY));
    return sample;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void sl_frames_plan_begin(struct sl_frames_plan *p, struct sl_frames_index *index,
                          const struct sl_frames_oracle *oracle, uint32_t *wanted, size_t count)
{
    bool *needed = p->needed;
    size_t capacity = p->capacity;
    sl_free(p->wanted);
    *p = (struct sl_frames_plan){.index = index,
                                 .oracle = *oracle,
                                 .wanted = wanted,
                                 .wanted_count = count,
                                 .needed = needed,
                                 .capacity = capacity};
    if (count) {
        qsort(wanted, count, sizeof *wanted, by_number);
    }
}

void sl_frames_plan_clear(struct sl_frames_plan *p)
{
    sl_free(p->wanted);
    sl_free(p->needed);
    *p = (struct sl_frames_plan){0};
}

/* Where decoding has to begin for what is wanted from number i on. */
static size_t start_of(const struct sl_frames_plan *p, size_t i)
{
    const struct sl_frames_index *x = p->index;
    size_t start = sl_frames_key_before(x, p->wanted[i]);
    size_t end = sl_frames_key_after(x, p->wanted[i]);
    size_t back = p->back;
    if (x->layered) {
        return start;
    }
    for (size_t k = i; k < p->wanted_count && p->wanted[k] < end; k++) {
        if (x->samples[p->wanted[k]].pts < x->samples[start].pts) {
            back++;
            break;
        }
    }
    for (; back > 0 && start > 0; back--) {
        start = sl_frames_key_before(x, start - 1);
    }
    return start;
}

static enum sl_status make_room(struct sl_frames_plan *p, size_t count, struct sl_error *err)
{
    if (count > p->capacity) {
        bool *grown = sl_realloc_array(p->needed, count, sizeof *grown);
        if (!grown) {
            return sl_fail_memory(err);
        }
        p->needed = grown;
        p->capacity = count;
    }
    memset(p->needed, 0, count * sizeof *p->needed);
    return SL_OK;
}

/* A sample that nobody asked for, on a layer that others may refer to. */
static enum sl_status is_disposable(struct sl_frames_plan *p, size_t sample, bool *yes,
                                    struct sl_error *err)
{
    struct sl_frames_sample *s = &p->index->samples[sample];
    enum sl_status status = SL_OK;
    if (!(s->flags & SL_FRAMES_LOOKED) && p->oracle.look) {
        status = p->oracle.look(p->oracle.opaque, sample, err);
    }
    *yes = (s->flags & SL_FRAMES_DISPOSABLE) != 0;
    return status;
}

/* From the last wanted sample back to the first of the span; through: from the span's end. */
static enum sl_status mark(struct sl_frames_plan *p, bool through, struct sl_error *err)
{
    const struct sl_frames_index *x = p->index;
    int open = through ? UINT8_MAX : -1; /* layers of which all may be referred to */
    enum sl_status status = SL_OK;
    for (size_t i = p->end; i-- > p->first && !status;) {
        const struct sl_frames_sample *s = &x->samples[i];
        bool *needed = &p->needed[i - p->first];
        bool disposable = false;
        if (!*needed && s->layer <= open) {
            status = is_disposable(p, i, &disposable, err);
            *needed = !disposable;
        }
        if (!*needed) {
            continue;
        }
        if (!(s->flags & SL_FRAMES_LINKED)) {
            open = s->layer > open ? s->layer : open;
        }
        for (size_t k = 0; k < s->ref_count; k++) {
            p->needed[x->refs[s->refs + k] - p->first] = true; /* checked when it was set */
        }
    }
    return status;
}

enum sl_status sl_frames_plan_span(struct sl_frames_plan *p, struct sl_error *err)
{
    const struct sl_frames_index *x = p->index;
    size_t start, linked = 0, wanted = 0;
    bool through;
    enum sl_status status;
    if (p->next == p->wanted_count) {
        return SL_EOF;
    }
    start = start_of(p, p->next);
    if (p->running && start < p->position) {
        start = p->position;
    }
    p->fresh = !p->running || start != p->position;
    p->first = start;
    p->end = sl_frames_key_after(x, start);
    status = make_room(p, p->end - p->first, err);
    if (status) {
        return status;
    }
    for (; p->next < p->wanted_count && p->wanted[p->next] < p->end; p->next++) {
        const struct sl_frames_sample *s = &x->samples[p->wanted[p->next]];
        p->needed[p->wanted[p->next] - p->first] = true;
        linked += (s->flags & SL_FRAMES_LINKED) != 0;
        wanted++;
    }
    through = p->next < p->wanted_count && start_of(p, p->next) < p->end;
    if (x->layered && linked < wanted && p->oracle.link) {
        status = p->oracle.link(p->oracle.opaque, p->first, p->end, err);
    }
    if (!status) {
        status = mark(p, through, err);
    }
    p->position = p->end;
    p->running = through || (!x->layered && p->needed[p->end - 1 - p->first]);
    return status;
}

bool sl_frames_plan_retry(struct sl_frames_plan *p, size_t sample)
{
    size_t key = sl_frames_key_before(p->index, sample), before, next = 0;
    while (next < p->wanted_count && p->wanted[next] < key) {
        next++;
    }
    if (p->index->layered || next == p->wanted_count || p->back == BACK_MAX) {
        return false;
    }
    before = start_of(p, next);
    if (before == 0) {
        return false;
    }
    p->back++;
    p->next = next;
    p->position = 0;
    p->running = false;
    return true;
}
