/* SPDX-License-Identifier: BSD-2-Clause */
/* Under the exclusive lock, which waits until nobody is publishing: what no pin and no living
 * session reaches goes. An adder that comes later finds it gone and publishes its own. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "store/cas.h"

struct gc {
    struct sl_cas *cas;
    struct sl_cas_mark mark;
    struct sl_cas_totals *totals;
    bool dry_run;
    enum sl_status status;
    struct sl_error *err;
};

static void mark_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    struct gc *g = opaque;

    (void)name;
    if (g->status == SL_OK) {
        g->status = sl_cas_mark_add(&g->mark, cid, g->err);
    }
}

static enum sl_status mark_lease(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    struct gc *g = opaque;

    return sl_cas_mark_add(&g->mark, cid, err);
}

static enum sl_status missing(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    struct gc *g = opaque;
    char text[SL_CID_TEXT_SIZE];

    (void)err;
    sl_log_write(g->cas->log, SL_LOG_WARN, "store", "%s is needed and not there",
                 sl_cid_text(cid, text));
    return SL_OK;
}

static enum sl_status remove_part(struct gc *g, const struct sl_cid *cid, enum sl_cas_part part,
                                  struct sl_error *err)
{
    char name[SL_CAS_NAME_SIZE];
    int64_t size = 0;

    if (!sl_cas_part_exists(g->cas, cid, part, &size)) {
        return SL_OK;
    }
    if (!g->dry_run && unlinkat(g->cas->objects, sl_cas_part_name(cid, part, name), 0) != 0 &&
        errno != ENOENT) {
        return sl_fail_errno(err, errno, name, "remove");
    }
    g->totals->removed += part != SL_CAS_DAG;
    g->totals->removed_bytes += size;
    return SL_OK;
}

static enum sl_status sweep_part(void *opaque, const struct sl_cid *cid, enum sl_cas_part part,
                                 struct sl_error *err)
{
    struct gc *g = opaque;
    enum sl_status status;
    int64_t size = 0;

    if (sl_cid_set_find(&g->mark.set, cid)) {
        (void)sl_cas_part_exists(g->cas, cid, part, &size);
        g->totals->objects += part != SL_CAS_DAG;
        g->totals->bytes += size;
        return SL_OK;
    }
    /* The content first: without its inner nodes it would pass for one leaf. */
    if (part == SL_CAS_DAG && !g->dry_run) {
        status = remove_part(g, cid, SL_CAS_FLAT, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return remove_part(g, cid, part, err);
}

enum sl_status sl_cas_gc(struct sl_cas *cas, bool dry_run, struct sl_cas_totals *totals,
                         struct sl_error *err)
{
    struct gc g = {.cas = cas, .totals = totals, .dry_run = dry_run, .err = err};
    enum sl_status status;
    int lock = -1;

    *totals = (struct sl_cas_totals){0};
    g.mark.set.max = SL_CAS_SET_MAX;
    g.mark.missing = missing;
    g.mark.opaque = &g;
    status = sl_cas_lock(cas, true, &lock, err);
    if (status == SL_OK) {
        status = sl_cas_sweep(cas, mark_lease, &g, err);
    }
    if (status == SL_OK) {
        status = sl_cas_pins(cas, mark_pin, &g, err);
        status = status == SL_OK ? g.status : status;
    }
    if (status == SL_OK) {
        status = sl_cas_mark_run(&g.mark, cas, err);
    }
    if (status == SL_OK) {
        status = sl_cas_scan(cas, sweep_part, &g, err);
    }
    if (status == SL_OK && totals->removed > 0 && !dry_run) {
        status = sl_cas_index_compact(cas, &g.mark.set, err);
    }
    sl_cas_unlock(&lock);
    sl_cas_mark_clear(&g.mark);
    return status;
}
