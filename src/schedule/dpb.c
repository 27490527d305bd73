/* SPDX-License-Identifier: BSD-2-Clause */
/* The decoded picture buffer of a decoder that reads some of the layers: marking by sliding window
 * and by command (ISO/IEC 14496-10 8.2.5.3, 8.2.5.4), frames inferred for what was dropped
 * (8.2.5.2), and output only when room is needed (C.4.5). A decoder that puts out earlier, by
 * max_num_reorder_frames, has more room, not less.
 *
 * Frames inferred for gaps count as references like those that they stand for, so the window holds
 * the same pictures whatever layers were dropped; they only wait for no output. */
#include "base/alloc.h"
#include "base/error.h"
#include "schedule/order.h"

struct slot {
    int64_t display;
    uint8_t layer;
    bool ref, waiting, exists;
};

struct dpb {
    struct slot slots[SL_SCHEDULE_REFS_MAX]; /* in coded order */
    size_t count, size;
    int64_t last_out;
};

static void drop_unused(struct dpb *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->slots[i].ref || d->slots[i].waiting) {
            d->slots[kept++] = d->slots[i];
        }
    }
    d->count = kept;
}

/* Puts out the earliest that waits; false: none does. */
static bool put_out(struct dpb *d)
{
    struct slot *first = NULL;
    for (size_t i = 0; i < d->count; i++) {
        struct slot *s = &d->slots[i];
        if (s->waiting && (!first || s->display < first->display)) {
            first = s;
        }
    }
    if (!first) {
        return false;
    }
    d->last_out = first->display;
    first->waiting = false;
    drop_unused(d);
    return true;
}

static bool before_all_waiting(const struct dpb *d, int64_t display)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->slots[i].waiting && d->slots[i].display < display) {
            return false;
        }
    }
    return true;
}

/* Makes room and stores; false: there is none to be had. */
static bool store(struct dpb *d, const struct slot *s)
{
    drop_unused(d);
    while (d->count >= d->size) {
        if (!s->ref && before_all_waiting(d, s->display)) {
            d->last_out = s->display; /* C.4.5.2: put out at once */
            return true;
        }
        if (!put_out(d)) {
            return false;
        }
    }
    d->slots[d->count++] = *s;
    return true;
}

static void slide(struct dpb *d)
{
    size_t refs = 0;
    for (size_t i = 0; i < d->count; i++) {
        refs += d->slots[i].ref;
    }
    for (size_t i = 0; i < d->count && refs >= d->size; i++) {
        refs -= d->slots[i].ref;
        d->slots[i].ref = false;
    }
}

static struct slot *held(struct dpb *d, int64_t display)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->slots[i].ref && d->slots[i].display == display) {
            return &d->slots[i];
        }
    }
    return NULL;
}

/* A picture that names no references finds at least one on each side that it needs. */
static bool finds_some(const struct dpb *d, const struct sl_schedule_frame *f)
{
    bool past = false, future = f->type == SL_SCHEDULE_P;
    for (size_t i = 0; i < d->count; i++) {
        const struct slot *s = &d->slots[i];
        if (s->ref && s->exists && s->layer <= f->max_ref_layer) {
            past |= s->display < f->display;
            future |= s->display > f->display;
        }
    }
    return past && future;
}

static struct sl_schedule_fault references(struct dpb *d, const struct sl_schedule_frame *f,
                                           size_t frame)
{
    bool intra = f->type == SL_SCHEDULE_IDR || f->type == SL_SCHEDULE_I;
    for (size_t i = 0; i < f->ref_count; i++) {
        const struct slot *s = held(d, f->refs[i]);
        if (!s || !s->exists) {
            return (struct sl_schedule_fault){SL_SCHEDULE_LOST, frame, f->refs[i]};
        }
    }
    if (!intra && f->ref_count == 0 && !finds_some(d, f)) {
        return (struct sl_schedule_fault){SL_SCHEDULE_NOTHING, frame, 0};
    }
    return (struct sl_schedule_fault){0};
}

static struct sl_schedule_fault picture(struct dpb *d, const struct sl_schedule_frame *f,
                                        size_t frame, bool exists)
{
    struct slot s = {.display = f->display,
                     .layer = f->layer,
                     .ref = !f->disposable,
                     .waiting = exists,
                     .exists = exists};
    if (f->type == SL_SCHEDULE_IDR) { /* what waits is put out: all of it comes before (C.4.4) */
        d->count = 0;
        d->last_out = INT64_MIN;
    }
    if (exists) {
        struct sl_schedule_fault fault = references(d, f, frame);
        if (fault.kind) {
            return fault;
        }
        if (f->display < d->last_out) {
            return (struct sl_schedule_fault){SL_SCHEDULE_LATE, frame, d->last_out};
        }
    }
    size_t forgets = exists ? f->forget_count : 0;
    for (size_t i = 0; i < forgets; i++) {
        struct slot *gone = held(d, f->forget[i]);
        if (!gone) {
            return (struct sl_schedule_fault){SL_SCHEDULE_LOST, frame, f->forget[i]};
        }
        gone->ref = false;
    }
    if (s.ref && forgets == 0) { /* commands take the place of sliding (8.2.5.1) */
        slide(d);
    }
    if (!store(d, &s)) {
        return (struct sl_schedule_fault){SL_SCHEDULE_FULL, frame, 0};
    }
    return (struct sl_schedule_fault){0};
}

struct sl_schedule_fault sl_schedule_simulate(const struct sl_schedule *s, int32_t dpb,
                                              int max_layer)
{
    struct dpb d = {.size = (size_t)dpb, .last_out = INT64_MIN};
    for (size_t i = 0; i < s->count; i++) {
        const struct sl_schedule_frame *f = &s->frames[i];
        bool exists = f->layer <= max_layer;
        if (exists || !f->disposable) {
            struct sl_schedule_fault fault = picture(&d, f, i, exists);
            if (fault.kind) {
                return fault;
            }
        }
    }
    return (struct sl_schedule_fault){0};
}

int32_t sl_schedule_reordered(const struct sl_schedule *s, size_t frame)
{
    const struct sl_schedule_frame *f = &s->frames[frame];
    int32_t later = 0;
    for (const struct sl_schedule_frame *g = f;
         g > s->frames && (g->type == SL_SCHEDULE_BREF || g->type == SL_SCHEDULE_B); g--) {
        later += g[-1].display > f->display;
    }
    return later;
}

/* See struct sl_schedule_needs; rank: place in display order, by coded place. */
static void steps(const struct sl_schedule *s, const uint32_t *rank, int max_layer,
                  struct sl_schedule_needs *out)
{
    int64_t frame_num = 0, last = 0; /* last: rank of the last reference that was kept */
    for (size_t i = 0; i < s->count; i++) {
        const struct sl_schedule_frame *f = &s->frames[i];
        int64_t poc = (int64_t)rank[i] - last;
        if (f->type == SL_SCHEDULE_IDR) {
            frame_num = 0;
            last = rank[i];
            continue;
        }
        frame_num++; /* of a disposable one too, which the next does not count (7.4.3) */
        if (f->layer <= max_layer) {
            poc = poc < 0 ? -poc : poc;
            out->poc_step = poc > out->poc_step ? poc : out->poc_step;
            out->frame_num_step = frame_num > out->frame_num_step ? frame_num : out->frame_num_step;
        }
        if (f->disposable) {
            frame_num--;
        } else if (f->layer <= max_layer) {
            frame_num = 0;
            last = rank[i];
        }
    }
}

enum sl_status sl_schedule_measure(const struct sl_schedule *s, struct sl_schedule_needs *out,
                                   struct sl_error *err)
{
    struct sl_schedule_shown *shown = sl_schedule_shown(s);
    uint32_t *rank = sl_alloc_array(s->count, sizeof *rank);
    enum sl_status status = SL_OK;
    *out = (struct sl_schedule_needs){.dpb = 1, .layers = s->layers};
    if (!shown || !rank) {
        status = sl_fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < s->count; i++) {
        int32_t reorder = sl_schedule_reordered(s, i);
        rank[shown[i].coded] = (uint32_t)i;
        out->reorder = reorder > out->reorder ? reorder : out->reorder;
    }
    out->dpb = out->reorder > 1 ? out->reorder : 1;
    for (int layer = s->layers - 1; layer >= 0; layer--) {
        while (out->dpb <= SL_SCHEDULE_REFS_MAX &&
               sl_schedule_simulate(s, out->dpb, layer).kind != SL_SCHEDULE_HOLDS) {
            out->dpb++;
        }
        steps(s, rank, layer, out);
    }
out:
    sl_free(rank);
    sl_free(shown);
    return status;
}
