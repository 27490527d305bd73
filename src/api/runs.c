/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sluice/runs.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/registry.h"

#define LIMIT_DEFAULT 100

struct sl_runs {
    struct sl_registry *registry;
    struct sl_registry_run *runs; /* the page; infos points into it */
    struct sl_run_info *infos;
    size_t count;
    struct sl_registry_rendition *renditions;
    struct sl_run_rendition *rendition_infos;
    size_t rendition_count;
    struct sl_registry_upload_summary uploads;
    char *json;
    char next[SL_REGISTRY_CURSOR_MAX]; /* "": none */
};

static void forget(struct sl_runs *r)
{
    sl_registry_runs_free(&r->runs, r->count);
    sl_free(r->infos);
    sl_free(r->renditions);
    sl_free(r->rendition_infos);
    sl_free(r->json);
    r->infos = NULL;
    r->renditions = NULL;
    r->rendition_infos = NULL;
    r->json = NULL;
    r->count = r->rendition_count = 0;
    r->next[0] = 0;
    r->uploads = (struct sl_registry_upload_summary){.next = SL_NO_TIME};
}

enum sl_status sl_runs_open(struct sl_runs **out, const char *where, const struct sl_log *log,
                            struct sl_error *err)
{
    const struct sl_registry_params params = {.log = log, .wait_ms = SL_REGISTRY_WAIT_MS};
    enum sl_status status = SL_OK;
    struct sl_runs *r;
    struct stat st;
    char *inside = NULL;

    if (!out || !where || !where[0]) {
        return sl_fail(err, SL_EINVAL, "registry", "no registry is named");
    }
    *out = NULL;
    r = sl_alloc_zero(sizeof(*r));
    if (!r) {
        return sl_fail_memory(err);
    }
    if (stat(where, &st) == 0 && S_ISDIR(st.st_mode)) {
        inside = sl_registry_of_store(where, NULL);
        status = inside ? SL_OK : sl_fail_memory(err);
    }
    if (status == SL_OK) {
        status = sl_registry_open(&r->registry, inside ? inside : where, &params, err);
    }
    sl_free(inside);
    if (status != SL_OK) {
        sl_free(r);
        return status;
    }
    *out = r;
    return SL_OK;
}

void sl_runs_close(struct sl_runs **runs)
{
    if (!runs || !*runs) {
        return;
    }
    forget(*runs);
    sl_registry_close(&(*runs)->registry);
    sl_free(*runs);
    *runs = NULL;
}

/* ---- what is asked ----------------------------------------------------------------------- */

static enum sl_status take_query(const struct sl_runs_query *query,
                                 struct sl_registry_runs_query *out, struct sl_error *err)
{
    *out = (struct sl_registry_runs_query){.limit = LIMIT_DEFAULT};
    if (!query) {
        return SL_OK;
    }
    if (query->struct_size != sizeof(*query)) {
        return sl_fail(err, SL_EINVAL, "query", "struct_size is %" PRIu32 ", expected %zu",
                       query->struct_size, sizeof(*query));
    }
    if (query->limit > SL_REGISTRY_PAGE_MAX) {
        return sl_fail(err, SL_EINVAL, "limit", "%" PRIu32 " is out of range (1 to %d)",
                       query->limit, SL_REGISTRY_PAGE_MAX);
    }
    if (query->state && !sl_run_state_parse(query->state, &out->state)) {
        return sl_fail(err, SL_EINVAL, "state",
                       "\"%.40s\" is not allowed (running, finished, stopped, failed)",
                       query->state);
    }
    if (query->limit) {
        out->limit = query->limit;
    }
    return query->after ? sl_registry_cursor_read(query->after, out, err) : SL_OK;
}

/* ---- what is answered -------------------------------------------------------------------- */

static enum sl_status fill_runs(struct sl_runs *r, struct sl_error *err)
{
    r->infos = sl_alloc_array(r->count + 1, sizeof(*r->infos));
    if (!r->infos) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct sl_registry_run *run = &r->runs[i];

        r->infos[i] = (struct sl_run_info){.id = run->id,
                                           .state = sl_run_state_name(run->state),
                                           .alive = run->alive,
                                           .created = run->created,
                                           .updated = run->updated,
                                           .ended = run->ended,
                                           .revision = run->revision,
                                           .profile = run->profile,
                                           .master_cid = run->master_cid,
                                           .root_cid = run->root_cid,
                                           .error = run->error,
                                           .options = run->options,
                                           .uploads = r->uploads.count,
                                           .upload_attempts = r->uploads.attempts,
                                           .upload_node = r->uploads.node,
                                           .upload_error = r->uploads.error};
    }
    return SL_OK;
}

static enum sl_status fill_renditions(struct sl_runs *r, struct sl_error *err)
{
    r->rendition_infos = sl_alloc_array(r->rendition_count + 1, sizeof(*r->rendition_infos));
    if (!r->rendition_infos) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < r->rendition_count; i++) {
        const struct sl_registry_rendition *n = &r->renditions[i];

        r->rendition_infos[i] = (struct sl_run_rendition){.name = n->name,
                                                          .kind = n->kind,
                                                          .codecs = n->codecs,
                                                          .width = n->width,
                                                          .height = n->height,
                                                          .bitrate = n->bitrate,
                                                          .first = n->first,
                                                          .segments = n->next - n->first,
                                                          .bytes = n->bytes,
                                                          .end = n->end,
                                                          .timebase = n->timebase,
                                                          .playlist_cid = n->playlist_cid};
    }
    return SL_OK;
}

enum sl_status sl_runs_list(struct sl_runs *runs, const struct sl_runs_query *query,
                            struct sl_error *err)
{
    struct sl_registry_runs_query q;
    enum sl_status status = take_query(query, &q, err);

    forget(runs);
    if (status == SL_OK) {
        status = sl_registry_runs(runs->registry, &q, &runs->runs, &runs->count, err);
    }
    if (status == SL_OK) {
        status = fill_runs(runs, err);
    }
    if (status != SL_OK) {
        forget(runs);
    } else if (runs->count == q.limit) {
        sl_registry_cursor_write(runs->next, &runs->runs[runs->count - 1]);
    }
    return status;
}

enum sl_status sl_runs_show(struct sl_runs *runs, const char *id, struct sl_error *err)
{
    enum sl_status status;

    forget(runs);
    runs->runs = sl_alloc_array(1, sizeof(*runs->runs));
    if (!runs->runs) {
        return sl_fail_memory(err);
    }
    status = sl_registry_run(runs->registry, id, false, &runs->runs[0], err);
    runs->count = status == SL_OK;
    if (status == SL_OK) {
        status = sl_registry_renditions(runs->registry, id, &runs->renditions,
                                        &runs->rendition_count, err);
    }
    if (status == SL_OK) {
        status = sl_registry_upload_summary(runs->registry, NULL, id, &runs->uploads, err);
    }
    if (status == SL_OK) {
        status = fill_runs(runs, err);
    }
    if (status == SL_OK) {
        status = fill_renditions(runs, err);
    }
    if (status != SL_OK) {
        forget(runs);
    }
    return status;
}

size_t sl_runs_count(const struct sl_runs *runs)
{
    return runs->count;
}

const struct sl_run_info *sl_runs_at(const struct sl_runs *runs, size_t index)
{
    return index < runs->count ? &runs->infos[index] : NULL;
}

const char *sl_runs_next(const struct sl_runs *runs)
{
    return runs->next[0] ? runs->next : NULL;
}

size_t sl_runs_rendition_count(const struct sl_runs *runs)
{
    return runs->rendition_count;
}

const struct sl_run_rendition *sl_runs_rendition(const struct sl_runs *runs, size_t index)
{
    return index < runs->rendition_count ? &runs->rendition_infos[index] : NULL;
}

enum sl_status sl_runs_list_json(struct sl_runs *runs, const struct sl_runs_query *query,
                                 const char **out, struct sl_error *err)
{
    struct sl_registry_runs_query q;
    enum sl_status status = take_query(query, &q, err);

    forget(runs);
    if (status == SL_OK) {
        status = sl_registry_runs_json(runs->registry, q.state, query ? query->after : NULL,
                                       q.limit, &runs->json, err);
    }
    *out = runs->json;
    return status;
}

enum sl_status sl_runs_show_json(struct sl_runs *runs, const char *id, const char **out,
                                 struct sl_error *err)
{
    enum sl_status status;

    forget(runs);
    status = sl_registry_run_json(runs->registry, id, &runs->json, err);
    *out = runs->json;
    return status;
}

enum sl_status sl_runs_delete(struct sl_runs *runs, const char *id, int force, struct sl_error *err)
{
    forget(runs);
    return sl_registry_delete_run(runs->registry, id, force != 0, err);
}
