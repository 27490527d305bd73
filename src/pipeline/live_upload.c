/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run has an IPFS node told: queued in the transactions that announce it, and sent by an
 * uploader that nobody waits for. docs/ipfs.md. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "ipfs/ipfs.h"
#include "pipeline/live_run.h"

void sl_live_upload(struct sl_live *l, struct sl_registry_upload *list, size_t *count,
                    enum sl_upload_what what, const struct sl_cid *cid)
{
    struct sl_registry_upload *u = &list[*count];
    if (!l->node[0]) {
        return;
    }
    memset(u, 0, sizeof *u);
    u->what = what;
    memcpy(u->node, l->node, strlen(l->node) + 1);
    memcpy(u->run, l->run, strlen(l->run) + 1);
    (void)sl_cid_text(cid, u->cid);
    (*count)++;
}

/* ---- a node that has not been told of this run ------------------------------------------------
 */

struct batch {
    struct sl_live *l;
    struct sl_registry_upload *items; /* SL_REGISTRY_UPLOADS_MAX */
    size_t count;
};

static enum sl_status queue(void *arg, struct sl_error *err)
{
    struct batch *b = arg;
    return sl_registry_queue_uploads(b->l->registry, b->items, b->count, err);
}

static enum sl_status flush(struct batch *b, struct sl_error *err)
{
    enum sl_status status =
        b->count ? sl_live_persist(b->l, SL_LIVE_REGISTRY, queue, b, err) : SL_OK;
    b->count = 0;
    return status;
}

static enum sl_status put(struct batch *b, const struct sl_cid *cid, struct sl_error *err)
{
    sl_live_upload(b->l, b->items, &b->count, SL_UPLOAD_ADD, cid);
    return b->count == SL_REGISTRY_UPLOADS_MAX ? flush(b, err) : SL_OK;
}

static enum sl_status put_rendition(struct batch *b, const struct sl_live_rendition *r,
                                    struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < r->init_count && !status; i++) {
        status = put(b, &r->inits[i].cid, err);
    }
    for (size_t i = 0; i < r->playlist.count && !status; i++) {
        if (!r->playlist.segments[i].gap) {
            status = put(b, &r->segments[i].cid, err);
        }
    }
    return !status && r->has_text ? put(b, &r->playlist_cid, err) : status;
}

/* What was published before there was a node, or for another one. Done again where it was cut off:
 * the node is noted with the next announcement. */
static enum sl_status catch_up(struct sl_live *l, struct sl_error *err)
{
    struct batch b = {.l = l};
    enum sl_status status = SL_OK;
    b.items = sl_alloc_array(SL_REGISTRY_UPLOADS_MAX, sizeof *b.items);
    if (!b.items) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < l->count && !status; i++) {
        status = put_rendition(&b, &l->renditions[i], err);
    }
    if (!status && l->has_master) {
        status = put(&b, &l->master_cid, err);
    }
    if (!status) {
        status = flush(&b, err);
    }
    sl_free(b.items);
    return status;
}

/* ---- the uploader's life -------------------------------------------------------------------- */

enum sl_status sl_live_uploads_begin(struct sl_live *l, const struct sl_live_params *params,
                                     struct sl_error *err)
{
    const struct sl_uploader_params uploader = {.url = params->ipfs,
                                                .store = l->store,
                                                .registry = l->registry_name,
                                                .run = l->run,
                                                .timeout_ms = params->ipfs_timeout_s * 1000,
                                                .log = l->log};
    enum sl_status status;
    if (!params->ipfs || !params->ipfs[0]) {
        return SL_OK;
    }
    l->upload_wait_ms = params->ipfs_wait_s * 1000;
    status = sl_ipfs_name_of(params->ipfs, l->node, err);
    if (!status && strcmp(l->node, l->node_before) != 0) {
        status = catch_up(l, err);
    }
    return status ? status : sl_uploader_open(&l->uploader, &uploader, err);
}

static void say_left(const char *run, const char *node, const struct sl_registry_upload_summary *s,
                     const struct sl_log *log)
{
    sl_log_write(log, SL_LOG_WARN, "run",
                 "%s: %lld object%s still queued for %s%s%s; \"sluice runs upload\" sends them",
                 run, (long long)s->count, s->count == 1 ? " is" : "s are", node,
                 s->error[0] ? ": " : "", s->error);
}

void sl_live_uploads_end(struct sl_live *l)
{
    struct sl_registry_upload_summary left;
    if (!l->uploader || sl_uploader_drain(l->uploader, l->upload_wait_ms, l->stop)) {
        return;
    }
    if (sl_registry_upload_summary(l->registry, l->node, l->run, &left, NULL) == SL_OK &&
        left.count) {
        say_left(l->run, l->node, &left, l->log);
    }
}

/* ---- the queue alone ------------------------------------------------------------------------- */

#define NODES_MAX 16

struct nodes {
    char names[NODES_MAX][SL_IPFS_NAME_MAX];
    size_t count;
};

/* Those that anything is queued for. */
static enum sl_status find_nodes(struct sl_registry *r, const char *run, struct nodes *out,
                                 struct sl_error *err)
{
    size_t count = SL_REGISTRY_PAGE_MAX;
    int64_t after = 0;
    enum sl_status status = SL_OK;
    while (!status && count == SL_REGISTRY_PAGE_MAX) {
        struct sl_registry_upload *page = NULL;
        status = sl_registry_uploads(r, run, after, SL_REGISTRY_PAGE_MAX, &page, &count, err);
        for (size_t i = 0; i < count && !status; i++) {
            size_t k = 0;
            after = page[i].id;
            while (k < out->count && strcmp(out->names[k], page[i].node) != 0) {
                k++;
            }
            if (k == NODES_MAX) {
                status = sl_fail(err, SL_EUNSUPPORTED, "ipfs",
                                 "more than %d nodes are queued for: name one (--ipfs)", NODES_MAX);
            } else if (k == out->count) {
                memcpy(out->names[out->count++], page[i].node, sizeof page[i].node);
            }
        }
        sl_free(page);
    }
    return status;
}

static enum sl_status drain(const struct sl_ladder_params *p, const char *url, const char *registry,
                            const char *run, const struct sl_log *log, struct sl_error *err)
{
    const struct sl_uploader_params params = {.url = url,
                                              .store = p->store,
                                              .registry = registry,
                                              .run = run,
                                              .timeout_ms = p->ipfs_timeout * 1000,
                                              .log = log};
    struct sl_uploader *u = NULL;
    enum sl_status status = sl_uploader_open(&u, &params, err);
    if (!status) {
        (void)sl_uploader_drain(u, p->ipfs_wait * 1000, NULL);
    }
    sl_uploader_close(&u);
    return status;
}

static enum sl_status upload(const struct sl_ladder_params *p, struct sl_registry *r,
                             const char *registry, struct nodes *nodes, const struct sl_log *log,
                             struct sl_error *err)
{
    const char *run = p->run[0] ? p->run : NULL;
    const char *node = NULL;
    struct sl_registry_upload_summary left;
    enum sl_status status = SL_OK;
    if (p->ipfs[0]) {
        status = sl_ipfs_name_of(p->ipfs, nodes->names[0], err);
        nodes->count = 1;
        node = nodes->names[0];
    } else {
        status = find_nodes(r, run, nodes, err);
    }
    for (size_t i = 0; i < nodes->count && !status; i++) {
        status = sl_registry_hasten_uploads(r, nodes->names[i], run, err);
        if (!status) {
            status = drain(p, p->ipfs[0] ? p->ipfs : nodes->names[i], registry, run, log, err);
        }
    }
    if (!status) {
        status = sl_registry_upload_summary(r, node, run, &left, err);
    }
    return status || left.count == 0
               ? status
               : sl_fail(err, SL_EBUSY, run ? run : "ipfs", "%lld object%s still queued%s%s",
                         (long long)left.count, left.count == 1 ? " is" : "s are",
                         left.error[0] ? ": " : "", left.error);
}

enum sl_status sl_live_upload_run(const struct sl_ladder_params *params, const struct sl_log *log,
                                  struct sl_error *err)
{
    const struct sl_registry_params registry_params = {.log = log, .wait_ms = SL_REGISTRY_WAIT_MS};
    char *where = sl_registry_of_store(params->store, params->registry);
    struct nodes *nodes = sl_alloc_zero(sizeof *nodes);
    struct sl_registry *registry = NULL;
    enum sl_status status = where && nodes ? SL_OK : sl_fail_memory(err);
    if (!status) {
        status = sl_registry_open(&registry, where, &registry_params, err);
    }
    if (!status && params->run[0]) { /* a name that is mistyped has nothing queued */
        struct sl_registry_upload_summary summary;
        struct sl_registry_run run;
        status = sl_registry_upload_summary(registry, NULL, params->run, &summary, err);
        if (!status && summary.count == 0) {
            status = sl_registry_run(registry, params->run, false, &run, err);
            if (!status) {
                sl_registry_run_clear(&run);
            }
        }
    }
    if (!status) {
        status = upload(params, registry, where, nodes, log, err);
    }
    sl_registry_close(&registry);
    sl_free(nodes);
    sl_free(where);
    return status;
}
