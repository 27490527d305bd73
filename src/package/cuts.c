/* SPDX-License-Identifier: BSD-2-Clause */
#include "package/cuts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"

#define WHERE "cut table"
/* Ticks beyond this are refused, so that sums of two need no further check. */
#define TIME_MAX (INT64_MAX / 8)

static bool in_range(int64_t t)
{
    return t >= -TIME_MAX && t <= TIME_MAX;
}

static enum sl_status check(struct sl_rational timebase, struct sl_rational target, int64_t start,
                            int64_t end, struct sl_error *err)
{
    /* so that a multiple of the target can be counted exactly */
    if (!sl_rational_valid(timebase) || !sl_rational_valid(target) || target.num > INT32_MAX ||
        target.den > INT32_MAX) {
        return sl_fail(err, SL_EINVAL, WHERE,
                       "timebase %" PRId64 "/%" PRId64 " and target %" PRId64 "/%" PRId64
                       " s, expected positive fractions",
                       timebase.num, timebase.den, target.num, target.den);
    }
    if (!in_range(start) || (end != SL_NO_TIME && (!in_range(end) || end <= start))) {
        return sl_fail(err, SL_EINVAL, WHERE,
                       "it begins at %" PRId64 " and ends at %" PRId64
                       ", expected an end after the beginning",
                       start, end);
    }
    return SL_OK;
}

/* Ticks of a target; at least one, or a table would not come to an end. */
static int64_t ticks_of(struct sl_rational target, struct sl_rational timebase)
{
    int64_t t = sl_rescale(target.num, sl_rational(1, target.den), timebase, SL_ROUND_UP);
    return t < 1 ? 1 : t > TIME_MAX ? TIME_MAX : t;
}

static enum sl_status add(struct sl_cuts *c, int64_t at, struct sl_error *err)
{
    enum sl_status st = sl_grow((void *)&c->at, &c->capacity, c->count, sizeof *c->at, SL_CUTS_MAX);
    if (st != SL_OK) {
        return sl_fail(err, SL_ENOMEM, WHERE, "no room for cut %zu (at most %u)", c->count,
                       SL_CUTS_MAX);
    }
    c->at[c->count++] = at;
    return SL_OK;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Those that count, in order. Most indexes are in order already. */
static enum sl_status sorted(int64_t **out, size_t *kept, const struct sl_cuts_params *p,
                             const int64_t *keys, size_t count, struct sl_error *err)
{
    bool rises = true;
    int64_t *list = sl_alloc_array(count > 0 ? count : 1, sizeof *list);
    *kept = 0;
    *out = list;
    if (!list) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (keys[i] == SL_NO_TIME || keys[i] <= p->start || keys[i] > TIME_MAX ||
            (p->end != SL_NO_TIME && keys[i] >= p->end)) {
            continue;
        }
        rises = rises && (*kept == 0 || list[*kept - 1] <= keys[i]);
        list[(*kept)++] = keys[i];
    }
    if (!rises) {
        qsort(list, *kept, sizeof *list, by_time);
    }
    return SL_OK;
}

enum sl_status sl_cuts_make(struct sl_cuts *out, const struct sl_cuts_params *p,
                            const int64_t *keys, size_t count, struct sl_error *err)
{
    int64_t *list = NULL;
    size_t kept = 0;
    *out = (struct sl_cuts){.timebase = p->timebase, .end = p->end};
    enum sl_status st = check(p->timebase, p->target, p->start, p->end, err);
    if (st == SL_OK) {
        st = sorted(&list, &kept, p, keys, count, err);
    }
    if (st == SL_OK) {
        st = add(out, p->start, err);
    }
    int64_t target = st == SL_OK ? ticks_of(p->target, p->timebase) : 1;
    for (size_t i = 0; i < kept && st == SL_OK; i++) {
        if (list[i] - out->at[out->count - 1] >= target) {
            st = add(out, list[i], err);
        }
    }
    sl_free(list);
    if (st != SL_OK) {
        sl_cuts_clear(out);
    }
    return st;
}

enum sl_status sl_cuts_split(struct sl_cuts *out, const struct sl_cuts *from,
                             struct sl_rational target, int64_t step, struct sl_error *err)
{
    *out = (struct sl_cuts){.timebase = from->timebase, .end = from->end};
    enum sl_status st = from->count < 1 || from->end == SL_NO_TIME
                            ? sl_fail(err, SL_EINVAL, WHERE, "its end is not known")
                            : check(from->timebase, target, from->at[0], from->end, err);
    int64_t length = st == SL_OK ? ticks_of(target, from->timebase) : 1;
    if (step > 0) {
        length = sl_muldiv(length, 1, step, SL_ROUND_UP);
        length = length > TIME_MAX / step ? TIME_MAX : length * step;
    }
    for (size_t i = 0; i < from->count && st == SL_OK; i++) {
        int64_t at = from->at[i], end = sl_cuts_end(from, i);
        st = add(out, at, err);
        if (end - at <= 2 * length) {
            continue;
        }
        for (at += length; st == SL_OK && end - at >= length - length / 2; at += length) {
            st = add(out, at, err);
        }
    }
    if (st != SL_OK) {
        sl_cuts_clear(out);
    }
    return st;
}

/* ---- other tracks ------------------------------------------------------------------------ */

/* The first point of the grid at or after a time of another clock. */
static int64_t on_grid(const struct sl_cuts_grid *g, int64_t time, struct sl_rational timebase)
{
    int64_t t = sl_rescale(time, timebase, g->timebase, SL_ROUND_UP);
    t = t > TIME_MAX ? TIME_MAX : t < -TIME_MAX ? -TIME_MAX : t;
    int64_t n = sl_muldiv(t - g->origin, 1, g->step, SL_ROUND_UP);
    return g->origin + n * g->step;
}

static enum sl_status begin(struct sl_cuts *out, const struct sl_cuts_grid *g,
                            struct sl_rational target, struct sl_error *err)
{
    *out = (struct sl_cuts){.timebase = g->timebase, .end = g->end};
    enum sl_status st = check(g->timebase, target, g->start, g->end, err);
    if (st == SL_OK && (g->step < 1 || g->step > TIME_MAX / 2 || !in_range(g->origin))) {
        st = sl_fail(err, SL_EINVAL, WHERE, "a grid of %" PRId64 " ticks from %" PRId64, g->step,
                     g->origin);
    }
    if (st == SL_OK && g->end == SL_NO_TIME) {
        st = sl_fail(err, SL_EINVAL, WHERE, "the end of a track is not known");
    }
    return st == SL_OK ? add(out, g->start, err) : st;
}

/* A cut, where it leaves something on both sides. */
static enum sl_status put(struct sl_cuts *out, const struct sl_cuts_grid *g, int64_t at,
                          struct sl_error *err)
{
    bool fits = at > out->at[out->count - 1] && at < g->end;
    return fits ? add(out, at, err) : SL_OK;
}

/* Every target from one time on, up to the end of the track. */
static enum sl_status go_on(struct sl_cuts *out, const struct sl_cuts_grid *g, int64_t from,
                            struct sl_rational timebase, struct sl_rational target,
                            struct sl_error *err)
{
    enum sl_status st = SL_OK;
    int64_t origin = sl_rescale(from, timebase, g->timebase, SL_ROUND_UP);
    for (int64_t k = 1; st == SL_OK && k <= SL_CUTS_MAX; k++) {
        /* k targets, rounded once */
        int64_t gone =
            sl_rescale(k * target.num, sl_rational(1, target.den), g->timebase, SL_ROUND_UP);
        int64_t at = gone > TIME_MAX || origin > TIME_MAX ? g->end : origin + gone;
        if (at >= g->end) {
            break;
        }
        st = put(out, g, on_grid(g, at, g->timebase), err);
    }
    return st;
}

static enum sl_status finish(struct sl_cuts *out, const struct sl_cuts_grid *g, enum sl_status st)
{
    if (st == SL_OK && out->count > 1 && g->end - out->at[out->count - 1] < g->shortest) {
        out->count--;
    }
    if (st != SL_OK) {
        sl_cuts_clear(out);
    }
    return st;
}

enum sl_status sl_cuts_on_grid(struct sl_cuts *out, const struct sl_cuts *from,
                               const struct sl_cuts_grid *g, struct sl_rational target,
                               struct sl_error *err)
{
    enum sl_status st = begin(out, g, target, err);
    for (size_t i = 1; i < from->count && st == SL_OK; i++) {
        st = put(out, g, on_grid(g, from->at[i], from->timebase), err);
    }
    if (st == SL_OK && from->end != SL_NO_TIME) {
        st = go_on(out, g, from->end, from->timebase, target, err);
    }
    return finish(out, g, st);
}

enum sl_status sl_cuts_even(struct sl_cuts *out, const struct sl_cuts_grid *g,
                            struct sl_rational target, struct sl_error *err)
{
    enum sl_status st = begin(out, g, target, err);
    /* Counted from time 0, so that a track that begins late is cut where the others are. */
    if (st == SL_OK) {
        st = go_on(out, g, 0, g->timebase, target, err);
    }
    return finish(out, g, st);
}

/* ---- looking ------------------------------------------------------------------------------ */

int64_t sl_cuts_end(const struct sl_cuts *c, size_t n)
{
    return n + 1 < c->count ? c->at[n + 1] : c->end;
}

size_t sl_cuts_find(const struct sl_cuts *c, int64_t time)
{
    size_t low = 0, high = c->count; /* at[low] <= time, or low is 0; at[high] > time */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (c->at[middle] <= time) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t sl_cuts_target(const struct sl_cuts *c)
{
    const struct sl_rational us = {1, 1000000};
    int64_t most = 1, before = 0;
    for (size_t i = 0; i < c->count && sl_cuts_end(c, i) != SL_NO_TIME; i++) {
        /* as sl_playlist_render prints them: differences of the running total */
        int64_t end = sl_rescale(sl_cuts_end(c, i) - c->at[0], c->timebase, us, SL_ROUND_NEAREST);
        int64_t seconds = (end - before + 500000) / 1000000;
        most = seconds > most ? seconds : most;
        before = end;
    }
    return most;
}

void sl_cuts_clear(struct sl_cuts *c)
{
    sl_free(c->at);
    c->at = NULL;
    c->count = c->capacity = 0;
}
