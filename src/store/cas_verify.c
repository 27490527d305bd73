/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

struct verify {
    struct sl_cas *cas;
    struct sl_cas_checker checker;
    struct sl_cas_totals *totals;
    void (*each)(void *opaque, const struct sl_cid *cid, const struct sl_error *why);
    void *opaque;
    struct sl_cas_mark mark;
    struct sl_cid_set told; /* what was put aside is not told again as missing */
    enum sl_status status;
    struct sl_error *err;
};

/* ---- one object ---------------------------------------------------------------------------- */

static enum sl_status check_object(struct verify *v, struct sl_cas_object *object,
                                   struct sl_error *err)
{
    struct sl_cas_place place = {.object = object, .cid = object->cid, .size = object->size};
    struct sl_cas_walk *walk = NULL;
    enum sl_status status = sl_cas_walk_open(&walk, v->cas, &place, 0, err);

    while (status == SL_OK) {
        struct sl_cas_piece piece;

        status = sl_cas_walk_next(walk, &piece, err);
        if (status == SL_OK) {
            status = sl_cas_check_piece(&v->checker, &piece, NULL, err);
        }
    }
    sl_cas_walk_close(&walk);
    return status == SL_EOF ? SL_OK : status;
}

/* Into damaged/, where nobody looks but the owner of the store. The content goes first. */
static enum sl_status put_aside(struct verify *v, const struct sl_cid *cid, struct sl_error *err)
{
    static const enum sl_cas_part parts[] = {SL_CAS_FLAT, SL_CAS_DAG, SL_CAS_NODE};
    enum sl_status status;
    int lock;

    if ((v->cas->flags & SL_CAS_READ_ONLY) != 0) {
        return SL_OK;
    }
    status = sl_cas_lock(v->cas, true, &lock, err);
    if (status != SL_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == SL_OK; i++) {
        char name[SL_CAS_NAME_SIZE];

        sl_cas_part_name(cid, parts[i], name);
        if (renameat(v->cas->objects, name, v->cas->damaged, name + 3) != 0 && errno != ENOENT) {
            status = sl_fail_errno(err, errno, name, "put the damaged object aside");
        }
    }
    sl_cas_unlock(&lock);
    return status;
}

static void tell(struct verify *v, const struct sl_cid *cid, const struct sl_error *why)
{
    struct sl_cid_entry *entry;
    bool added = true;

    (void)!sl_cid_set_add(&v->told, cid, &entry, &added, NULL);
    if (!added) {
        return;
    }
    v->totals->damaged++;
    if (v->each) {
        v->each(v->opaque, cid, why);
    }
}

static enum sl_status verify_one(struct verify *v, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_cas_object *object = NULL;
    struct sl_error why = {0};
    enum sl_status status = sl_cas_object_open(&object, v->cas, cid, &why);

    if (status == SL_OK) {
        v->totals->objects++;
        v->totals->bytes += object->size;
        status = check_object(v, object, &why);
    }
    if (status == SL_OK && object->dag && !object->is_node &&
        (v->cas->flags & SL_CAS_READ_ONLY) == 0) {
        sl_cas_index_mend(v->cas, cid, object->dag);
    }
    sl_cas_object_unref(&object);
    if (status == SL_EDATA) {
        tell(v, cid, &why);
        return put_aside(v, cid, err);
    }
    if (status == SL_EIO) { /* the disk may be at fault, or a limit: it stays where it is */
        tell(v, cid, &why);
        return SL_OK;
    }
    return status == SL_OK || status == SL_ENOTFOUND
               ? SL_OK
               : sl_fail(err, status, why.where, "%s", why.msg);
}

/* ---- all of them --------------------------------------------------------------------------- */

static enum sl_status verify_part(void *opaque, const struct sl_cid *cid, enum sl_cas_part part,
                                  struct sl_error *err)
{
    return part == SL_CAS_DAG ? SL_OK : verify_one(opaque, cid, err);
}

static enum sl_status missing(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_error why = {0};
    char text[SL_CID_TEXT_SIZE];

    (void)err;
    (void)sl_fail(&why, SL_ENOTFOUND, sl_cid_text(cid, text), "is needed and not there");
    tell(opaque, cid, &why);
    return SL_OK;
}

static void mark_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    struct verify *v = opaque;

    (void)name;
    if (v->status == SL_OK) {
        v->status = sl_cas_mark_add(&v->mark, cid, v->err);
    }
}

static enum sl_status verify_all(struct verify *v)
{
    enum sl_status status = sl_cas_scan(v->cas, verify_part, v, v->err);

    if (status == SL_OK) {
        status = sl_cas_pins(v->cas, mark_pin, v, v->err);
        status = status == SL_OK ? v->status : status;
    }
    return status == SL_OK ? sl_cas_mark_run(&v->mark, v->cas, v->err) : status;
}

/* The root, then what is below it, each directory before its entries: one that is damaged cannot
 * be followed. */
static enum sl_status verify_below(struct verify *v, const struct sl_cid *cid)
{
    enum sl_status status = SL_OK;

    if (!sl_cas_has(v->cas, cid)) {
        char text[SL_CID_TEXT_SIZE];

        return sl_fail(v->err, SL_ENOTFOUND, sl_cid_text(cid, text), "is not in the store %s",
                       v->cas->directory);
    }
    status = sl_cas_mark_add(&v->mark, cid, v->err);
    while (v->mark.todo_count > 0 && status == SL_OK) {
        struct sl_cid next = v->mark.todo[--v->mark.todo_count];

        if (!sl_cas_has(v->cas, &next)) {
            status = missing(v, &next, v->err);
            continue;
        }
        status = verify_one(v, &next, v->err);
        if (status == SL_OK && sl_cas_part_exists(v->cas, &next, SL_CAS_NODE, NULL)) {
            v->mark.todo[v->mark.todo_count++] = next; /* there was room for it just now */
            status = sl_cas_mark_step(&v->mark, v->cas, v->err);
        }
    }
    return status;
}

enum sl_status sl_cas_verify(struct sl_cas *cas, const struct sl_cid *cid,
                             void (*each)(void *opaque, const struct sl_cid *cid,
                                          const struct sl_error *why),
                             void *opaque, struct sl_cas_totals *totals, struct sl_error *err)
{
    struct verify v = {.cas = cas, .totals = totals, .each = each, .opaque = opaque, .err = err};
    enum sl_status status;

    *totals = (struct sl_cas_totals){0};
    v.mark.set.max = v.told.max = SL_CAS_SET_MAX;
    v.mark.missing = missing;
    v.mark.opaque = &v;
    sl_cas_checker_init(&v.checker);
    status = cid ? verify_below(&v, cid) : verify_all(&v);
    sl_cas_checker_clear(&v.checker);
    sl_cas_mark_clear(&v.mark);
    sl_cid_set_clear(&v.told);
    if (status == SL_OK && totals->damaged > 0) {
        status = sl_fail(err, SL_EDATA, cas->directory, "%lld objects are damaged or missing",
                         (long long)totals->damaged);
    }
    return status;
}
