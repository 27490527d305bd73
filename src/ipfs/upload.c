/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipfs/upload.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "store/set.h"

#define RENEW_MS    (SL_UPLOAD_LEASE_MS / 3)
#define PINNED_MAX  (1u << 20) /* CIDs that other runs or persons have pinned */
#define RUN_PIN_MAX (SL_REGISTRY_ID_MAX + 8)

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum sl_status sl_upload_open(struct sl_upload *u, struct sl_error *err)
{
    const struct sl_registry_params params = {.log = u->log, .wait_ms = u->wait_ms};
    enum sl_status status = SL_OK;

    if (!u->cas) {
        status = sl_cas_open(&u->cas, u->store_name, SL_CAS_READ_ONLY, u->log, err);
    }
    if (status == SL_OK && !u->registry) {
        status = sl_registry_open(&u->registry, u->registry_name, &params, err);
    }
    return status;
}

void sl_upload_close(struct sl_upload *u)
{
    sl_registry_close(&u->registry);
    sl_cas_close(&u->cas);
}

void sl_upload_tick(void *upload)
{
    struct sl_upload *u = upload;
    int64_t now = now_ms();

    if (u->current && now - u->renewed >= RENEW_MS) {
        u->renewed = now; /* where it fails, another may begin it too, which does no harm */
        (void)!sl_registry_upload_hold(u->registry, u->current, SL_UPLOAD_LEASE_MS, NULL);
    }
}

/* ---- what the store still wants pinned ----------------------------------------------------- */

/* A node does not count its pins; the store does. What anybody but this run has pinned in the store
 * stays pinned at the node too. */
struct pinned {
    const char *but;
    struct sl_cid_set set;
    enum sl_status status;
};

static void take_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    struct pinned *p = opaque;
    struct sl_cid_entry *entry;
    bool added;

    if (p->status == SL_OK && strcmp(name, p->but) != 0) {
        p->status = sl_cid_set_add(&p->set, cid, &entry, &added, NULL);
    }
}

static enum sl_status read_pins(struct sl_upload *u, const char *but, struct pinned *out,
                                struct sl_error *err)
{
    enum sl_status status;

    *out = (struct pinned){.but = but, .set = {.max = PINNED_MAX}};
    status = sl_cas_pins(u->cas, take_pin, out, err);
    return status == SL_OK && out->status != SL_OK ? sl_fail_memory(err) : status;
}

/* ---- the parts of a run -------------------------------------------------------------------- */

/* Segments and init segments, which were sent and pinned one by one. */
static enum sl_status each_part(struct sl_upload *u, const char *run, const char *rendition,
                                enum sl_status (*take)(void *opaque, const struct sl_cid *cid,
                                                       struct sl_error *err),
                                void *opaque, struct sl_error *err)
{
    struct sl_registry_segments_query query = {.run = run, .rendition = rendition};
    size_t count = SL_REGISTRY_PAGE_MAX;
    enum sl_status status = SL_OK;

    while (status == SL_OK && count == SL_REGISTRY_PAGE_MAX) {
        struct sl_registry_segment *page = NULL;

        status = sl_registry_segments(u->registry, &query, &page, &count, err);
        for (size_t i = 0; status == SL_OK && i < count; i++) {
            const char *texts[] = {page[i].cid, page[i].init_cid};

            query.first = page[i].number + 1;
            for (size_t k = 0; status == SL_OK && k < 2; k++) {
                struct sl_cid cid;

                if (!texts[k][0] || (k == 1 && i > 0 && !strcmp(texts[1], page[i - 1].init_cid))) {
                    continue;
                }
                status = sl_cid_parse(&cid, texts[k], strlen(texts[k]), err);
                status = status == SL_OK ? take(opaque, &cid, err) : status;
            }
        }
        sl_free(page);
    }
    return status;
}

static enum sl_status each_part_of_run(struct sl_upload *u, const char *run,
                                       enum sl_status (*take)(void *opaque,
                                                              const struct sl_cid *cid,
                                                              struct sl_error *err),
                                       void *opaque, struct sl_error *err)
{
    struct sl_registry_rendition *all = NULL;
    size_t count = 0;
    enum sl_status status = sl_registry_renditions(u->registry, run, &all, &count, err);

    for (size_t i = 0; status == SL_OK && i < count; i++) {
        status = each_part(u, run, all[i].name, take, opaque, err);
    }
    sl_free(all);
    return status;
}

static enum sl_status note_part(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_cid_set *set = opaque;
    struct sl_cid_entry *entry;
    bool added;

    return set->count < set->max ? sl_cid_set_add(set, cid, &entry, &added, err) : SL_OK;
}

struct unpinning {
    struct sl_upload *u;
    struct pinned pinned;
};

static enum sl_status unpin_part(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    struct unpinning *n = opaque;

    return sl_cid_set_find(&n->pinned.set, cid) ? SL_OK : sl_ipfs_unpin(n->u->node, cid, err);
}

static void pin_name(char out[RUN_PIN_MAX], const char *run)
{
    (void)snprintf(out, RUN_PIN_MAX, "run:%s", run);
}

/* The directory of a finished run. It holds what was pinned one by one, there as in the store. */
static enum sl_status add_root(struct sl_upload *u, const char *run, const struct sl_cid *root,
                               enum sl_store_profile profile, struct sl_error *err)
{
    struct unpinning n = {.u = u};
    struct sl_cid_set parts = {.max = PINNED_MAX};
    char but[RUN_PIN_MAX];
    enum sl_status status = each_part_of_run(u, run, note_part, &parts, err);

    if (status == SL_OK) {
        status = sl_ipfs_put(u->node, u->cas, root, profile, &parts, err);
    }
    sl_cid_set_clear(&parts);
    if (status != SL_OK) {
        return status;
    }
    pin_name(but, run);
    status = read_pins(u, but, &n.pinned, err);
    if (status == SL_OK) {
        status = each_part_of_run(u, run, unpin_part, &n, err);
    }
    sl_cid_set_clear(&n.pinned.set);
    return status;
}

/* ---- one upload ---------------------------------------------------------------------------- */

static enum sl_store_profile profile_of(const char *name)
{
    for (int p = SL_STORE_UNIXFS_V1_2025; p <= SL_STORE_UNIXFS_V0; p++) {
        if (!strcmp(sl_profile_get((enum sl_store_profile)p)->name, name)) {
            return (enum sl_store_profile)p;
        }
    }
    return SL_STORE_UNIXFS_V1_2025;
}

/* What the registry says of the run, as far as it says anything. */
struct about {
    bool known, is_root;
    int64_t queued;
    enum sl_store_profile profile;
};

static enum sl_status look_at_run(struct sl_upload *u, const struct sl_registry_upload *upload,
                                  const struct sl_cid *cid, struct about *out, struct sl_error *err)
{
    struct sl_registry_upload_summary summary;
    struct sl_registry_run run;
    struct sl_error why = {0};
    struct sl_cid root;
    enum sl_status status;

    *out = (struct about){.profile = SL_STORE_UNIXFS_V1_2025};
    status = upload->run[0] ? sl_registry_run(u->registry, upload->run, false, &run, &why)
                            : SL_ENOTFOUND;
    if (status == SL_ENOTFOUND) {
        return SL_OK;
    }
    if (status != SL_OK) {
        return sl_fail(err, status, why.where, "%s", why.msg);
    }
    out->known = true;
    out->profile = profile_of(run.profile);
    out->is_root = run.root_cid[0] &&
                   sl_cid_parse(&root, run.root_cid, strlen(run.root_cid), NULL) == SL_OK &&
                   sl_cid_same(&root, cid);
    sl_registry_run_clear(&run);
    status = sl_registry_upload_summary(u->registry, upload->node, upload->run, &summary, err);
    out->queued = summary.count;
    return status;
}

static enum sl_status add(struct sl_upload *u, const struct sl_registry_upload *upload,
                          const struct sl_cid *cid, struct sl_error *err)
{
    struct about run;
    struct sl_error why = {0};
    enum sl_status status = look_at_run(u, upload, cid, &run, err);

    if (status != SL_OK) {
        return status;
    }
    /* Its files are requests of their own: what is done of them stays done. */
    if (run.is_root && run.queued > 1) {
        return SL_EAGAIN;
    }
    status = run.is_root ? add_root(u, upload->run, cid, run.profile, &why)
                         : sl_ipfs_put(u->node, u->cas, cid, run.profile, NULL, &why);
    if (status == SL_ENOTFOUND && !run.known && !sl_cas_has(u->cas, cid)) {
        sl_log_write(u->log, SL_LOG_INFO, "ipfs", "%s is not in the store any more, nor its run",
                     upload->cid);
        return SL_OK;
    }
    return status == SL_OK ? SL_OK : sl_fail(err, status, why.where, "%s", why.msg);
}

static enum sl_status unpin(struct sl_upload *u, const struct sl_registry_upload *upload,
                            const struct sl_cid *cid, struct sl_error *err)
{
    struct pinned pinned;
    char but[RUN_PIN_MAX];
    bool wanted;
    enum sl_status status;

    pin_name(but, upload->run);
    status = read_pins(u, but, &pinned, err);
    wanted = status == SL_OK && sl_cid_set_find(&pinned.set, cid) != NULL;
    sl_cid_set_clear(&pinned.set);
    if (status != SL_OK) {
        return status;
    }
    /* Another one's upload may have been taken over by this. */
    return wanted ? add(u, upload, cid, err) : sl_ipfs_unpin(u->node, cid, err);
}

enum sl_status sl_upload_perform(struct sl_upload *u, struct sl_registry_upload *upload,
                                 struct sl_error *err)
{
    struct sl_cid cid;
    enum sl_status status = sl_cid_parse(&cid, upload->cid, strlen(upload->cid), err);

    if (status != SL_OK) {
        return status;
    }
    u->current = upload;
    u->renewed = now_ms();
    status =
        upload->what == SL_UPLOAD_UNPIN ? unpin(u, upload, &cid, err) : add(u, upload, &cid, err);
    u->current = NULL;
    return status;
}
