/* SPDX-License-Identifier: BSD-2-Clause */
/* Dyadic schedules. A period (from one IDR to the next) is a grid; the level of a picture is how
 * often its distance from the IDR can be halved within a gop: 0 where it is a multiple of gop. An
 * anchor of level n refers to the last anchor of a lower level (of level 0 to the last one of level
 * 0), a B to the two pictures whose middle it is. All that a picture refers to is of a lower level,
 * so every prefix of layers stands alone, and is evenly sampled whatever the tail looks like. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "schedule/order.h"

#define LEVELS 7 /* of SL_SCHEDULE_GOP_MAX: 64 is 2 to the 6th */

/* A reference picture that the decoder holds; depends: slots that it was made from. */
struct slot {
    int64_t display;
    uint32_t depends;
    uint32_t age; /* smaller is older */
    bool used;
};

struct sl_schedule_maker {
    struct sl_schedule_plan plan;
    struct sl_schedule head;
    int32_t levels; /* log2(gop) */
    int32_t group;  /* pictures of one group at most */
    int32_t at;     /* place in the period of the next picture to give out */
    int64_t display, decode;
    int64_t anchors[LEVELS]; /* the last one of each level, -1: none yet */
    struct slot slots[SL_SCHEDULE_REFS_MAX];
    size_t slot_count; /* that the DPB has */
    uint32_t age;
};

void sl_schedule_plan_default(struct sl_schedule_plan *plan)
{
    *plan = (struct sl_schedule_plan){
        .gop = 16, .bframes = -1, .keyint = 120, .past = 3, .future = 2, .rate = {0, 1}};
}

/* The largest power of two that is no larger; v > 0. */
static int32_t power_below(int64_t v)
{
    int32_t p = 1;
    while (p <= v / 2) {
        p *= 2;
    }
    return p;
}

static int level_of(const struct sl_schedule_maker *m, int32_t place)
{
    int level = 0;
    for (int32_t step = m->plan.gop; place % step; step /= 2) {
        level++;
    }
    return level;
}

/* ---- what the decoder holds -------------------------------------------------------------- */

static struct slot *find_slot(struct sl_schedule_maker *m, int64_t display)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].used && m->slots[i].display == display) {
            return &m->slots[i];
        }
    }
    return NULL;
}

static void release(struct sl_schedule_maker *m, struct slot *s)
{
    uint32_t bit = UINT32_C(1) << (s - m->slots);
    s->used = false;
    for (size_t i = 0; i < m->slot_count; i++) {
        m->slots[i].depends &= ~bit;
    }
}

static void hold(struct sl_schedule_maker *m, int64_t display, uint32_t depends)
{
    struct slot *to = NULL;
    for (size_t i = 0; i < m->slot_count; i++) {
        struct slot *s = &m->slots[i];
        if (!s->used) {
            to = s;
            break;
        }
        to = !to || s->age < to->age ? s : to;
    }
    if (!to) {
        return; /* a DPB of no slots is never made */
    }
    release(m, to);
    depends &= ~(UINT32_C(1) << (to - m->slots));
    *to = (struct slot){display, depends, m->age++, true};
}

/* ---- one picture ------------------------------------------------------------------------- */

static bool listed(const struct sl_schedule_frame *f, int64_t display)
{
    for (size_t i = 0; i < f->ref_count; i++) {
        if (f->refs[i] == display) {
            return true;
        }
    }
    return false;
}

/* More references out of what the picture needs to be decoded anyway: a reader who wants this
 * picture alone fetches nothing for them. */
static void add_references(struct sl_schedule_maker *m, struct sl_schedule_frame *f,
                           uint32_t depends, bool future, int32_t most)
{
    for (;;) {
        const struct slot *best = NULL;
        int32_t have = 0;
        for (size_t i = 0; i < f->ref_count; i++) {
            have += (f->refs[i] > f->display) == future;
        }
        if (have >= most || f->ref_count == SL_SCHEDULE_REFS_MAX) {
            return;
        }
        for (size_t i = 0; i < m->slot_count; i++) {
            const struct slot *s = &m->slots[i];
            if (s->used && (depends >> i & 1) && (s->display > f->display) == future &&
                !listed(f, s->display) && (!best || (s->display < best->display) == future)) {
                best = s;
            }
        }
        if (!best) {
            return;
        }
        f->refs[f->ref_count++] = best->display;
    }
}

/* All but what the picture refers to goes, and the anchor before it where B pictures follow. */
static void forget(struct sl_schedule_maker *m, struct sl_schedule_frame *f, bool with_b)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        struct slot *s = &m->slots[i];
        if (s->used && !listed(f, s->display) && !(with_b && s->display == m->display - 1)) {
            f->forget[f->forget_count++] = s->display;
            release(m, s);
        }
    }
}

/* Layer and references of a picture that stands at this place of the period; low and high: what it
 * refers to, -1: nothing. forgets: nothing of a lower layer follows in this period. */
static void place_picture(struct sl_schedule_maker *m, struct sl_schedule_frame *f, int32_t place,
                          int64_t low, int64_t high, bool forgets)
{
    const int64_t needed[2] = {low, high};
    int level = level_of(m, place), top = m->head.layers - 1;
    uint32_t depends = 0;
    f->display = m->display + place - m->at;
    f->id = f->display;
    f->decode = m->decode++;
    f->layer = (uint8_t)(level < top ? level : top);
    f->max_ref_layer = (uint8_t)(level > top || level == 0 ? f->layer : level - 1);
    for (size_t i = 0; i < 2; i++) {
        const struct slot *s = needed[i] < 0 ? NULL : find_slot(m, needed[i]);
        if (needed[i] >= 0) {
            f->refs[f->ref_count++] = needed[i];
        }
        if (s) {
            depends |= s->depends | UINT32_C(1) << (s - m->slots);
        }
    }
    add_references(m, f, depends, false, m->plan.past);
    add_references(m, f, depends, true, m->plan.future);
    if (forgets) {
        forget(m, f, place > m->at);
    }
    if (!f->disposable) {
        hold(m, f->display, depends);
    }
}

/* ---- groups ------------------------------------------------------------------------------ */

/* The place after a group of so many whose level is lower than its anchor's, counted from the next
 * one to give out; INT64_MAX: there is none. At most gop. */
static int64_t lower_in(const struct sl_schedule_maker *m, int32_t size)
{
    int level = level_of(m, m->at + size - 1);
    return level == 0 ? INT64_MAX : (int64_t)size + (m->plan.gop >> level);
}

struct group {
    struct sl_schedule_maker *m;
    struct sl_schedule_frame *frames;
    size_t count;
    int64_t origin; /* display number of the period's place 0 */
};

static void add_middle(struct group *g, int32_t low, int32_t high)
{
    struct sl_schedule_frame *f = &g->frames[g->count++];
    *f = (struct sl_schedule_frame){.type = high - low > 2 ? SL_SCHEDULE_BREF : SL_SCHEDULE_B,
                                    .disposable = high - low == 2};
    place_picture(g->m, f, low + (high - low) / 2, g->origin + low, g->origin + high, false);
}

/* The B pictures of a group of 2 to the n places, whose anchor was coded. */
static void add_middles(struct group *g, int32_t low, int32_t high)
{
    int32_t step = high - low;
    if (g->m->plan.breadth) {
        for (; step > 1; step /= 2) {
            for (int32_t at = low; at < high; at += step) {
                add_middle(g, at, at + step);
            }
        }
        return;
    }
    /* Depth first without recursion: the places that halve an interval, then its first half. */
    for (int32_t at = low; at < high && step > 1;) {
        int32_t largest = step;
        while (at % largest || at + largest > high) {
            largest /= 2;
        }
        /* at begins intervals of largest down to 2 places, none of which is halved yet */
        for (; largest > 1; largest /= 2) {
            add_middle(g, at, at + largest);
        }
        at += 2;
    }
}

/* The anchor at this place, and the B pictures that it closes: size places in all. left: places of
 * this period that are known to come, at least lower_in() if there are so many. */
static size_t add_group(struct sl_schedule_maker *m, int32_t size, int64_t left,
                        struct sl_schedule_frame *frames)
{
    struct group g = {.m = m, .frames = frames, .origin = m->display - m->at};
    int32_t anchor = m->at + size - 1;
    int level = level_of(m, anchor);
    bool last = left == size, forgets;
    struct sl_schedule_frame *f = &frames[g.count++];
    int64_t below = -1;
    *f = (struct sl_schedule_frame){.type = SL_SCHEDULE_P};
    if (m->at == 0) {
        f->type = SL_SCHEDULE_IDR;
        for (size_t i = 0; i < LEVELS; i++) {
            m->anchors[i] = -1;
        }
        for (size_t i = 0; i < m->slot_count; i++) {
            m->slots[i].used = false;
            m->slots[i].depends = 0;
        }
    }
    for (int i = 0; i < (level ? level : 1); i++) {
        below = m->anchors[i] > below ? m->anchors[i] : below;
    }
    f->disposable = m->head.layers > 1 && size == 1 && level > 0 && (last || level == m->levels);
    /* Commands are in reference pictures alone (7.3.3). */
    forgets = m->plan.forget && m->at > 0 && !f->disposable && left < lower_in(m, size);
    place_picture(m, f, anchor, below, -1, forgets);
    m->anchors[level] = f->display;
    if (size > 1) {
        add_middles(&g, m->at - 1, anchor);
    }
    m->display += size;
    m->at = anchor + 1 == m->plan.keyint ? 0 : anchor + 1;
    return g.count;
}

enum sl_status sl_schedule_maker_next(struct sl_schedule_maker *m, int64_t available, bool ended,
                                      struct sl_schedule_frame *frames, size_t *count)
{
    int64_t left = m->plan.keyint - m->at;
    int32_t size = m->at == 0 ? 1 : power_below(left < m->group ? left : m->group);
    *count = 0;
    if (available < size && !ended) {
        return SL_EAGAIN;
    }
    if (available <= 0) {
        return SL_EOF;
    }
    size = available < size ? power_below(available) : size;
    if (m->plan.forget && m->at > 0 && !ended) {
        int64_t lower = lower_in(m, size);
        if (lower <= left && available < lower) {
            return SL_EAGAIN; /* whether the anchor may forget */
        }
    }
    left = ended && available < left ? available : left;
    *count = add_group(m, size, left, frames);
    return SL_OK;
}

void sl_schedule_maker_restart(struct sl_schedule_maker *m)
{
    m->at = 0;
}

const struct sl_schedule *sl_schedule_maker_head(const struct sl_schedule_maker *m)
{
    return &m->head;
}

void sl_schedule_maker_destroy(struct sl_schedule_maker **m)
{
    sl_free(*m);
    *m = NULL;
}

/* ---- how large the DPB must be ----------------------------------------------------------- */

static enum sl_status check_plan(const struct sl_schedule_plan *p, struct sl_error *err)
{
    if (p->gop < 1 || p->gop > SL_SCHEDULE_GOP_MAX || (p->gop & (p->gop - 1))) {
        return sl_fail(err, SL_EINVAL, "gop", "%d is not allowed (1, 2, 4 to %d)", (int)p->gop,
                       SL_SCHEDULE_GOP_MAX);
    }
    if (p->bframes < -1) {
        return sl_fail(err, SL_EINVAL, "bframes", "%d is not allowed (0 or more)", (int)p->bframes);
    }
    if (p->keyint < 1) {
        return sl_fail(err, SL_EINVAL, "keyint", "%d is not allowed (1 or more)", (int)p->keyint);
    }
    if (p->layers < 0 || p->layers > LEVELS || (p->layers && p->gop >> (p->layers - 1) == 0)) {
        return sl_fail(err, SL_EINVAL, "layers", "%d layers need a gop of %d or more, it is %d",
                       (int)p->layers, p->layers > 0 && p->layers < 31 ? 1 << (p->layers - 1) : 1,
                       (int)p->gop);
    }
    if (p->dpb < 0 || p->dpb > SL_SCHEDULE_REFS_MAX) {
        return sl_fail(err, SL_EINVAL, "dpb", "%d is out of range (1 to %d)", (int)p->dpb,
                       SL_SCHEDULE_REFS_MAX);
    }
    if (p->past < 1 || p->future < 1 || p->past > SL_SCHEDULE_REFS_MAX ||
        p->future > SL_SCHEDULE_REFS_MAX || p->past + p->future > SL_SCHEDULE_REFS_MAX) {
        return sl_fail(err, SL_EINVAL, "refs", "%d past and %d future ones are not allowed",
                       (int)p->past, (int)p->future);
    }
    return SL_OK;
}

/* A maker that stands before the first picture, for a DPB of this many frames. */
static void start(struct sl_schedule_maker *m, const struct sl_schedule_plan *plan, int32_t dpb)
{
    int64_t bframes = plan->bframes < 0 ? plan->gop - 1 : plan->bframes;
    *m = (struct sl_schedule_maker){.plan = *plan, .slot_count = (size_t)dpb};
    while (plan->gop >> m->levels > 1) {
        m->levels++;
    }
    m->group = power_below(bframes + 1 < plan->gop ? bframes + 1 : plan->gop);
    m->head.rate = plan->rate;
    m->head.gop = m->group;
    m->head.dpb = dpb;
    m->head.layers = plan->layers ? plan->layers : m->levels + 1;
}

/* Whether a period of this many pictures works with this DPB; out holds it afterwards. */
static bool period_fits(const struct sl_schedule_plan *plan, int32_t dpb, int32_t pictures,
                        struct sl_schedule *out, int32_t *reorder)
{
    struct sl_schedule_maker m;
    size_t count;
    start(&m, plan, dpb);
    out->count = 0;
    while (out->count < (size_t)pictures &&
           sl_schedule_maker_next(&m, pictures - (int64_t)out->count, true,
                                  out->frames + out->count, &count) == SL_OK) {
        out->count += count;
    }
    for (size_t i = 0; i < out->count; i++) {
        int32_t n = sl_schedule_reordered(out, i);
        *reorder = n > *reorder ? n : *reorder;
    }
    for (int layer = m.head.layers - 1; layer >= 0; layer--) {
        if (sl_schedule_simulate(out, dpb, layer).kind != SL_SCHEDULE_HOLDS) {
            return false;
        }
    }
    return *reorder <= dpb;
}

/* Lengths that the periods may have; every one from first on where all is set. Two gops in front of
 * the last are as good as any number. */
struct lengths {
    int32_t some[2];
    bool all;
};

static bool all_fit(const struct sl_schedule_plan *plan, int32_t dpb, const struct lengths *lengths,
                    struct sl_schedule *scratch, int32_t *reorder)
{
    int32_t most = 3 * plan->gop;
    *reorder = 0;
    if (lengths->all) {
        for (int32_t n = plan->keyint < most ? plan->keyint : most; n > 0; n--) {
            if (!period_fits(plan, dpb, n, scratch, reorder)) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        int32_t n = lengths->some[i];
        n = n > most ? 2 * plan->gop + 1 + (n - 1) % plan->gop : n;
        if (n > 0 && !period_fits(plan, dpb, n, scratch, reorder)) {
            return false;
        }
    }
    return true;
}

static bool forgetting_helps(const struct sl_schedule_plan *plan, const struct lengths *lengths,
                             struct sl_schedule *scratch)
{
    struct sl_schedule_plan other = *plan;
    int32_t reorder;
    other.forget = true;
    return !plan->forget && all_fit(&other, SL_SCHEDULE_REFS_MAX, lengths, scratch, &reorder);
}

static enum sl_status open_maker(struct sl_schedule_maker *m, const struct sl_schedule_plan *plan,
                                 const struct lengths *lengths, struct sl_error *err)
{
    struct sl_schedule scratch = {0};
    int32_t needed, reorder = 0, dpb;
    enum sl_status status = check_plan(plan, err);
    if (status) {
        return status;
    }
    scratch.frames = sl_alloc_array((size_t)plan->gop * 3 + 1, sizeof *scratch.frames);
    if (!scratch.frames) {
        return sl_fail_memory(err);
    }
    dpb = plan->dpb;
    if (dpb == 0 || !all_fit(plan, dpb, lengths, &scratch, &reorder)) {
        for (needed = dpb + 1; needed <= SL_SCHEDULE_REFS_MAX; needed++) {
            if (all_fit(plan, needed, lengths, &scratch, &reorder)) {
                break;
            }
        }
        if (needed > SL_SCHEDULE_REFS_MAX) {
            status = sl_fail(
                err, SL_EINVAL, "gop",
                "%d pictures coded this way need more than the %d frames of a DPB that "
                "H.264 allows%s",
                (int)plan->gop, SL_SCHEDULE_REFS_MAX,
                forgetting_helps(plan, lengths, &scratch) ? " (forgetting needs fewer)" : "");
        } else if (dpb) {
            status = sl_fail(err, SL_EINVAL, "dpb", "%d frames are too few, %d are needed",
                             (int)dpb, (int)needed);
        }
        dpb = needed;
    }
    sl_free(scratch.frames);
    if (!status) {
        start(m, plan, dpb);
        m->head.reorder = reorder;
    }
    return status;
}

enum sl_status sl_schedule_maker_create(struct sl_schedule_maker **out,
                                        const struct sl_schedule_plan *plan, struct sl_error *err)
{
    const struct lengths lengths = {.all = true};
    struct sl_schedule_maker *m = sl_alloc_zero(sizeof *m);
    enum sl_status status = m ? open_maker(m, plan, &lengths, err) : sl_fail_memory(err);
    if (status) {
        sl_schedule_maker_destroy(&m);
    }
    *out = m;
    return status;
}

enum sl_status sl_schedule_make(struct sl_schedule *out, const struct sl_schedule_plan *plan,
                                int64_t count, struct sl_error *err)
{
    struct sl_schedule_maker m;
    struct lengths lengths = {.all = false};
    enum sl_status status;
    *out = (struct sl_schedule){0};
    if (count < 1 || count > SL_SCHEDULE_FRAMES_MAX) {
        return sl_fail(err, SL_EINVAL, "frames", "%" PRId64 " is out of range (1 to %u)", count,
                       SL_SCHEDULE_FRAMES_MAX);
    }
    if (plan->keyint > 0) {
        lengths.some[0] = count >= plan->keyint ? plan->keyint : 0;
        lengths.some[1] = (int32_t)(count % plan->keyint);
    }
    status = open_maker(&m, plan, &lengths, err);
    if (status) {
        return status;
    }
    *out = m.head;
    out->frames = sl_alloc_array((size_t)count, sizeof *out->frames);
    if (!out->frames) {
        status = sl_fail_memory(err);
        sl_schedule_clear(out);
        return status;
    }
    for (size_t group; sl_schedule_maker_next(&m, count - (int64_t)out->count, true,
                                              out->frames + out->count, &group) == SL_OK;) {
        out->count += group;
    }
    out->layers = 1; /* a short source does not reach all of them */
    for (size_t i = 0; i < out->count; i++) {
        int32_t layer = out->frames[i].layer;
        out->layers = layer >= out->layers ? layer + 1 : out->layers;
    }
    return SL_OK;
}
