/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of docs/schedule.md, in its order. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "schedule/order.h"

struct check {
    const struct sl_schedule *s;
    const struct sl_schedule_shown *shown;
    const char *name;
    struct sl_error *err;
    size_t *bad;
};

/* A frame is named by its display number. */
static SL_PRINTF(3, 4) enum sl_status
    refuse(struct check *c, const struct sl_schedule_frame *f, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    *c->bad = (size_t)(f - c->s->frames);
    return sl_fail(c->err, SL_EDATA, c->name, "frame %" PRId64 ": %s", f->display, text);
}

static const char *type_name(const struct sl_schedule_frame *f)
{
    static const char *const names[] = {"?", "an IDR", "an I", "a P", "a B reference", "a B"};
    return names[f->type];
}

static bool is_b(const struct sl_schedule_frame *f)
{
    return f->type == SL_SCHEDULE_BREF || f->type == SL_SCHEDULE_B;
}

static enum sl_status permutations(struct check *c)
{
    for (size_t i = 0; i < c->s->count; i++) {
        const struct sl_schedule_frame *f = &c->s->frames[i];
        if (f->decode == (int64_t)i) {
            continue;
        }
        if (i > 0 && f->decode == f[-1].decode) {
            return refuse(c, f, "decode %" PRId64 " is that of frame %" PRId64 " too", f->decode,
                          f[-1].display);
        }
        return refuse(c, f, "decode %" PRId64 ", but no frame has decode %zu", f->decode, i);
    }
    for (size_t i = 1; i < c->s->count; i++) {
        if (c->shown[i].display == c->shown[i - 1].display) {
            const struct sl_schedule_frame *f = &c->s->frames[c->shown[i].coded];
            return refuse(c, f, "two frames have this display number (decode %zu and %zu)",
                          c->shown[i - 1].coded, c->shown[i].coded);
        }
    }
    return SL_OK;
}

static enum sl_status fields(struct check *c, const struct sl_schedule_frame *f)
{
    bool intra = f->type == SL_SCHEDULE_IDR || f->type == SL_SCHEDULE_I;
    if (f->type < SL_SCHEDULE_IDR || f->type > SL_SCHEDULE_B) {
        return refuse(c, f, "type %d is not known", (int)f->type);
    }
    if (f->display < 0 || f->display > INT32_MAX) {
        return refuse(c, f, "display is out of range (0 to 2147483647)");
    }
    if (f->layer >= SL_SCHEDULE_LAYERS_MAX) {
        return refuse(c, f, "layer %u is out of range (0 to %d)", f->layer,
                      SL_SCHEDULE_LAYERS_MAX - 1);
    }
    if (f->type == SL_SCHEDULE_IDR && f->layer > 0) {
        return refuse(c, f, "an IDR on layer %u, expected 0", f->layer);
    }
    if (f->max_ref_layer > f->layer) {
        return refuse(c, f, "max_ref_layer %u is above its layer %u", f->max_ref_layer, f->layer);
    }
    if (f->ref_count > SL_SCHEDULE_REFS_MAX || f->forget_count > SL_SCHEDULE_REFS_MAX) {
        return refuse(c, f, "more than %d references", SL_SCHEDULE_REFS_MAX);
    }
    if (intra && f->ref_count) {
        return refuse(c, f, "%s picture refers to nothing, but has refs", type_name(f));
    }
    if (f->forget_count && (f->type == SL_SCHEDULE_IDR || is_b(f))) {
        return refuse(c, f, "%s picture forgets, only a P or I can", type_name(f));
    }
    if ((f->qp_kind == SL_SCHEDULE_QP_ABSOLUTE && !(f->qp >= 0 && f->qp <= 51)) ||
        (f->qp_kind == SL_SCHEDULE_QP_OFFSET && !(f->qp >= -51 && f->qp <= 51))) {
        return refuse(c, f, "qp is out of range (0 to 51, offsets -51 to 51)");
    }
    return SL_OK;
}

/* Anchors are coded in display order; each B lies between the last two. */
static enum sl_status order(struct check *c)
{
    const struct sl_schedule_frame *anchor = NULL, *before = NULL, *last = NULL;
    if (c->s->frames[0].type != SL_SCHEDULE_IDR) {
        return refuse(c, &c->s->frames[0], "%s picture has decode 0, which must be an IDR",
                      type_name(&c->s->frames[0]));
    }
    for (size_t i = 0; i < c->s->count; i++) {
        const struct sl_schedule_frame *f = &c->s->frames[i];
        if (is_b(f)) {
            if (f->display > anchor->display) {
                return refuse(c, f, "no P that is coded before it closes its run of B");
            }
            if (anchor->type == SL_SCHEDULE_IDR) {
                return refuse(c, f, "is coded after the IDR %" PRId64 " and shown before it",
                              anchor->display);
            }
            if (f->display < before->display) {
                return refuse(c, f,
                              "is coded after frame %" PRId64 ", which closes the run of B "
                              "behind its own",
                              anchor->display);
            }
        } else {
            if (last && f->display < last->display) {
                return refuse(c, f,
                              "%s picture is coded after frame %" PRId64 " and shown before it",
                              type_name(f), last->display);
            }
            before = anchor;
            anchor = f;
            last = f;
        }
    }
    for (size_t i = 0, group; i < c->s->count; i += group) {
        group = sl_schedule_group(c->s, i);
        if (group > (size_t)c->s->gop) {
            return refuse(c, &c->s->frames[i], "closes a group of %zu pictures, gop is %d", group,
                          (int)c->s->gop);
        }
    }
    return SL_OK;
}

static enum sl_status reference(struct check *c, const struct sl_schedule_frame *f, int64_t number,
                                int64_t idr)
{
    const struct sl_schedule_frame *ref = sl_schedule_find(c->s, c->shown, number);
    if (!ref) {
        return refuse(c, f, "refers to frame %" PRId64 ", which is not in the schedule", number);
    }
    if (ref->decode >= f->decode) {
        return refuse(c, f, "refers to frame %" PRId64 ", which is not coded before it", number);
    }
    if (ref->decode < idr) {
        return refuse(c, f, "refers to frame %" PRId64 " across an IDR", number);
    }
    if (ref->disposable) {
        return refuse(c, f, "refers to frame %" PRId64 ", %s, which is no reference picture",
                      number, type_name(ref));
    }
    if (ref->layer > f->max_ref_layer) {
        return refuse(c, f, "refers to frame %" PRId64 " of layer %u, max_ref_layer is %u", number,
                      ref->layer, f->max_ref_layer);
    }
    return SL_OK;
}

static enum sl_status named(struct check *c, const struct sl_schedule_frame *f, int64_t idr)
{
    bool past = false, future = false;
    for (size_t i = 0; i < f->ref_count; i++) {
        enum sl_status status = reference(c, f, f->refs[i], idr);
        if (status) {
            return status;
        }
        for (size_t k = 0; k < i; k++) {
            if (f->refs[k] == f->refs[i]) {
                return refuse(c, f, "refers to frame %" PRId64 " twice", f->refs[i]);
            }
        }
        past |= f->refs[i] < f->display;
        future |= f->refs[i] > f->display;
    }
    if (f->ref_count && !past) {
        return refuse(c, f, "%s picture without a reference that is shown before it", type_name(f));
    }
    if (f->ref_count && is_b(f) && !future) {
        return refuse(c, f, "%s picture without a reference that is shown after it", type_name(f));
    }
    for (size_t i = 0; i < f->forget_count; i++) {
        bool used = false;
        for (size_t k = 0; k < f->ref_count; k++) {
            used |= f->refs[k] == f->forget[i];
        }
        for (size_t k = 0; k < i; k++) {
            used |= f->forget[k] == f->forget[i];
        }
        if (used) {
            return refuse(c, f, "forgets frame %" PRId64 ", which it refers to, or twice",
                          f->forget[i]);
        }
    }
    return SL_OK;
}

/* Who has dropped the picture that forgets still holds what it forgot: nothing of a lower layer may
 * follow, up to the next IDR. */
static enum sl_status forgetting(struct check *c)
{
    const struct sl_schedule_frame *lowest = NULL;
    for (size_t i = c->s->count; i-- > 0;) {
        const struct sl_schedule_frame *f = &c->s->frames[i];
        if (f->forget_count && f->disposable) {
            return refuse(c, f, "forgets, but is no reference picture");
        }
        if (f->forget_count && lowest && lowest->layer < f->layer) {
            return refuse(c, f, "forgets on layer %u, and frame %" PRId64 " of layer %u follows",
                          f->layer, lowest->display, lowest->layer);
        }
        lowest = !lowest || f->layer <= lowest->layer ? f : lowest;
        lowest = f->type == SL_SCHEDULE_IDR ? NULL : lowest;
    }
    return SL_OK;
}

static enum sl_status explain(struct check *c, const struct sl_schedule_fault *fault,
                              const struct sl_schedule_needs *needs)
{
    const struct sl_schedule_frame *f = &c->s->frames[fault->frame];
    char enough[48];
    (void)snprintf(enough, sizeof enough,
                   needs->dpb > SL_SCHEDULE_REFS_MAX ? "no %d would do" : "%d are needed",
                   needs->dpb > SL_SCHEDULE_REFS_MAX ? SL_SCHEDULE_REFS_MAX : (int)needs->dpb);
    switch (fault->kind) {
    case SL_SCHEDULE_LOST:
        return refuse(c, f, "frame %" PRId64 " has left the DPB of %d frames (%s)", fault->other,
                      (int)c->s->dpb, enough);
    case SL_SCHEDULE_LATE:
        return refuse(c, f,
                      "comes when frame %" PRId64 " has been put out: a DPB of %d frames (%s)",
                      fault->other, (int)c->s->dpb, enough);
    case SL_SCHEDULE_FULL:
        return refuse(c, f, "no room in the DPB of %d frames (%s)", (int)c->s->dpb, enough);
    default:
        return refuse(c, f, "%s picture finds no reference of layer %u or below %s", type_name(f),
                      f->max_ref_layer, is_b(f) ? "on each side" : "that is shown before it");
    }
}

static enum sl_status buffers(struct check *c)
{
    const struct sl_schedule *s = c->s;
    struct sl_schedule_needs needs;
    enum sl_status status = sl_schedule_measure(s, &needs, c->err);
    if (status) {
        return status;
    }
    for (int layer = s->layers - 1; layer >= 0; layer--) {
        struct sl_schedule_fault fault = sl_schedule_simulate(s, s->dpb, layer);
        if (fault.kind) {
            return explain(c, &fault, &needs);
        }
    }
    if (needs.reorder <= s->reorder) {
        return SL_OK;
    }
    for (size_t i = 0; i < s->count; i++) {
        int32_t later = sl_schedule_reordered(s, i);
        if (later > s->reorder) {
            return refuse(c, &s->frames[i],
                          "%d pictures coded before it are shown after it, reorder is %d",
                          (int)later, (int)s->reorder);
        }
    }
    return SL_OK;
}

/* What no single frame is to blame for. */
static enum sl_status head(const struct sl_schedule *s, const char *name, struct sl_error *err)
{
    if (s->count < 1 || s->count > SL_SCHEDULE_FRAMES_MAX) {
        return sl_fail(err, SL_EDATA, name, "%zu frames, expected 1 to %u", s->count,
                       SL_SCHEDULE_FRAMES_MAX);
    }
    if (s->gop < 1 || s->gop > SL_SCHEDULE_GROUP_MAX) {
        return sl_fail(err, SL_EDATA, name, "gop %d is out of range (1 to %d)", (int)s->gop,
                       SL_SCHEDULE_GROUP_MAX);
    }
    if (s->dpb < 1 || s->dpb > SL_SCHEDULE_REFS_MAX) {
        return sl_fail(err, SL_EDATA, name, "a DPB of %d frames, H.264 allows 1 to %d", (int)s->dpb,
                       SL_SCHEDULE_REFS_MAX);
    }
    if (s->reorder < 0 || s->reorder > s->dpb) { /* E.2.1, max_dec_frame_buffering */
        return sl_fail(err, SL_EDATA, name, "reorder %d is out of range (0 to the DPB's %d)",
                       (int)s->reorder, (int)s->dpb);
    }
    return SL_OK;
}

enum sl_status sl_schedule_inspect(const struct sl_schedule *s, const char *name, size_t *bad,
                                   struct sl_error *err)
{
    struct check c = {.s = s, .name = name, .err = err, .bad = bad};
    enum sl_status status = head(s, name, err);
    int64_t idr = 0;
    struct sl_schedule_shown *shown;
    *bad = SIZE_MAX;
    if (status) {
        return status;
    }
    c.shown = shown = sl_schedule_shown(s);
    if (!shown) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < s->count && !status; i++) {
        status = fields(&c, &s->frames[i]);
    }
    status = status ? status : permutations(&c);
    status = status ? status : order(&c);
    for (size_t i = 0; i < s->count && !status; i++) {
        idr = s->frames[i].type == SL_SCHEDULE_IDR ? s->frames[i].decode : idr;
        status = named(&c, &s->frames[i], idr);
    }
    status = status ? status : forgetting(&c);
    status = status ? status : buffers(&c);
    sl_free(shown);
    return status;
}

enum sl_status sl_schedule_check(const struct sl_schedule *s, const char *name,
                                 struct sl_error *err)
{
    size_t bad;
    return sl_schedule_inspect(s, name, &bad, err);
}
