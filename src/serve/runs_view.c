/* SPDX-License-Identifier: BSD-2-Clause */
/* From the registry to what is handed out: on workers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "serve/gzip.h"
#include "serve/runs_core.h"

struct sl_run_view *sl_run_view_ref(struct sl_run_view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void sl_run_view_unref(struct sl_run_view **out)
{
    struct sl_run_view *v = *out;

    *out = NULL;
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        sl_answer_unref(&v->renditions[i].playlist.answer);
    }
    sl_answer_unref(&v->master.answer);
    sl_answer_unref(&v->event);
    sl_free(v);
}

static void clear_track(struct sl_run_track *t)
{
    sl_writer_clear(&t->body);
    sl_free(t->shown);
}

void sl_run_tracks_clear(struct sl_run_mirror *m)
{
    for (size_t i = 0; i < m->track_count; i++) {
        clear_track(&m->tracks[i]);
    }
    sl_free(m->tracks);
    m->tracks = NULL;
    m->track_count = 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static enum sl_status set_answer(struct sl_answer **out, struct sl_writer *text,
                                 struct sl_error *err)
{
    enum sl_status status = sl_writer_finish(text, err);

    if (status == SL_OK) {
        status = sl_answer_create(out, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(&(*out)->chain, text->data, text->size, err);
    }
    return status;
}

static enum sl_status set_text(struct sl_run_text *t, struct sl_writer *text, struct sl_error *err)
{
    uint8_t digest[SL_SHA256_SIZE];
    enum sl_status status = set_answer(&t->answer, text, err);

    if (status != SL_OK) {
        return status;
    }
    if (text->size >= SL_GZIP_LEAST && text->size <= SL_GZIP_MOST) {
        (void)!sl_gzip_make(&t->answer->gzip, text->data, text->size, NULL);
    }
    sl_sha256(text->data, text->size, digest);
    t->etag[0] = '"';
    sl_sha256_hex(digest, 8, t->etag + 1);
    (void)snprintf(t->etag + 17, 2, "\"");
    return SL_OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

static struct sl_run_track *find_track(struct sl_run_mirror *m,
                                       const struct sl_registry_rendition *r)
{
    struct sl_run_track *t, *all;

    for (size_t i = 0; i < m->track_count; i++) {
        if (strcmp(m->tracks[i].name, r->name) == 0) {
            return &m->tracks[i];
        }
    }
    all = sl_realloc_array(m->tracks, m->track_count + 1, sizeof *all);
    if (!all) {
        return NULL;
    }
    m->tracks = all;
    t = &all[m->track_count++];
    memset(t, 0, sizeof *t);
    (void)snprintf(t->name, sizeof t->name, "%s", r->name);
    sl_writer_init(&t->body, SL_PLAYOUT_TEXT_MAX);
    t->first = t->next = r->first;
    t->clock = SL_NO_TIME;
    return t;
}

/* What was published since it was looked at last. */
static enum sl_status read_segments(struct sl_run_mirror *m, struct sl_run_track *t,
                                    const struct sl_registry_rendition *r, struct sl_registry *reg,
                                    struct sl_error *err)
{
    enum sl_status status = SL_OK;
    size_t count = SL_REGISTRY_PAGE_MAX;

    if (t->next == t->first) {
        t->first = t->next = r->first;
    }
    while (status == SL_OK && t->next < r->next && count > 0) {
        const struct sl_registry_segments_query query = {
            .run = m->id, .rendition = r->name, .first = t->next};
        struct sl_registry_segment *segments = NULL;

        status = sl_registry_segments(reg, &query, &segments, &count, err);
        if (status == SL_OK) {
            status = sl_run_track_add(t, r, segments, count, err);
        }
        sl_free(segments);
    }
    return status;
}

static enum sl_status make_rendition(struct sl_rendition_view *v, struct sl_run_mirror *m,
                                     const struct sl_registry_rendition *r, enum sl_run_state state,
                                     struct sl_registry *reg, struct sl_error *err)
{
    struct sl_run_track *t = find_track(m, r);
    struct sl_writer text;
    enum sl_status status;

    if (!t) {
        return sl_fail_memory(err);
    }
    status = read_segments(m, t, r, reg, err);
    if (status != SL_OK) {
        return status;
    }
    (void)snprintf(v->name, sizeof v->name, "%s", r->name);
    v->first = t->first;
    v->next = t->next;
    v->target = r->target_duration;
    if (t->next == t->first) {
        return SL_OK;
    }
    sl_writer_init(&text, SL_PLAYOUT_TEXT_MAX);
    sl_run_track_write(t, r, state, &text);
    status = set_text(&v->playlist, &text, err);
    sl_writer_clear(&text);
    return status;
}

static enum sl_status make_master(struct sl_run_view *v, const struct sl_registry_rendition *all,
                                  struct sl_error *err)
{
    bool has[SL_REGISTRY_RENDITIONS_MAX] = {false};
    struct sl_error none = {0};
    struct sl_writer text;
    enum sl_status status;

    v->master_whole = v->count > 0;
    for (size_t i = 0; i < v->count; i++) {
        has[i] = v->renditions[i].playlist.answer != NULL;
        v->master_whole = v->master_whole && has[i];
    }
    sl_writer_init(&text, SL_PLAYOUT_TEXT_MAX);
    status = sl_run_master_write(all, has, v->count, &text, &none);
    if (status == SL_OK) {
        status = set_text(&v->master, &text, err);
    } else if (status == SL_ENOTFOUND) { /* not yet */
        status = SL_OK;
    } else if (err) {
        *err = none;
    }
    sl_writer_clear(&text);
    return status;
}

/* https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
static enum sl_status make_event(struct sl_run_view *v, const char *json, struct sl_error *err)
{
    struct sl_writer text;
    enum sl_status status;

    sl_writer_init(&text, 1 << 20);
    sl_write_format(&text, "id: %" PRId64 "\nevent: run\ndata: ", v->revision);
    for (const char *p = json; *p;) { /* a line of its own for each line */
        size_t line = strcspn(p, "\r\n");

        sl_write_bytes(&text, p, line);
        p += line;
        if (*p) {
            p++;
            sl_write_text(&text, *p ? "\ndata: " : "");
        }
    }
    sl_write_text(&text, "\n\n");
    status = set_answer(&v->event, &text, err);
    sl_writer_clear(&text);
    return status;
}

static enum sl_status make_all(struct sl_run_view *v, struct sl_run_mirror *m,
                               const struct sl_registry_rendition *all, struct sl_registry *reg,
                               struct sl_error *err)
{
    enum sl_status status = SL_OK;
    char *json = NULL;
    int64_t target = 0;

    for (size_t i = 0; status == SL_OK && i < v->count; i++) {
        status = make_rendition(&v->renditions[i], m, &all[i], v->state, reg, err);
        target = all[i].target_duration > target ? all[i].target_duration : target;
    }
    if (target > 0) { /* 6.2.5.2: a server may give up after three */
        v->hold = target * 3000000 < SL_PLAYOUT_HOLD_MAX ? target * 3000000 : SL_PLAYOUT_HOLD_MAX;
    }
    if (status == SL_OK) {
        status = make_master(v, all, err);
    }
    if (status == SL_OK) {
        status = sl_registry_run_json(reg, m->id, &json, err);
    }
    if (status == SL_OK) {
        status = make_event(v, json, err);
    }
    sl_free(json);
    return status;
}

enum sl_status sl_run_view_make(struct sl_run_view **out, struct sl_run_mirror *m,
                                struct sl_registry *reg, struct sl_error *err)
{
    struct sl_registry_rendition *all = NULL;
    struct sl_registry_run run = {0};
    struct sl_error gone = {0};
    struct sl_run_view *v = NULL;
    size_t count = 0;
    /* The run first: what it says is then never newer than what is read after it. */
    enum sl_status status = sl_registry_run(reg, m->id, false, &run, &gone);

    *out = NULL;
    if (status == SL_OK) {
        status = sl_registry_renditions(reg, m->id, &all, &count, &gone);
    }
    if (status != SL_OK && status != SL_ENOTFOUND) {
        if (err) {
            *err = gone;
        }
        goto out;
    }
    count = count < SL_REGISTRY_RENDITIONS_MAX ? count : SL_REGISTRY_RENDITIONS_MAX;
    v = sl_alloc_zero(sizeof *v + count * sizeof *v->renditions);
    if (!v) {
        status = sl_fail_memory(err);
        goto out;
    }
    atomic_init(&v->refs, 1);
    v->gone = status == SL_ENOTFOUND;
    v->hold = SL_PLAYOUT_HOLD;
    if (v->gone || run.created != m->created) { /* another run of the same name */
        sl_run_tracks_clear(m);
        m->created = run.created;
    }
    if (v->gone) {
        status = SL_OK;
        goto out;
    }
    v->count = count;
    v->state = run.state;
    v->revision = run.revision;
    status = make_all(v, m, all, reg, err);
    if (status == SL_ENOTFOUND) { /* deleted meanwhile: the next look will say so */
        status = SL_EBUSY;
    } else if (status != SL_OK && status != SL_EBUSY) { /* not to be gone on with */
        sl_run_tracks_clear(m);
    }
out:
    if (status != SL_OK) {
        sl_run_view_unref(&v);
    }
    *out = v;
    sl_free(all);
    sl_registry_run_clear(&run);
    return status;
}
