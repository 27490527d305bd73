/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs as readers see them, and their deletion. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/internal.h"

#define RUN_COLUMNS                                                                                \
    "id, state, created, updated, ended, revision, profile, master_cid, root_cid, error, heard, "  \
    "lease, writer, options"
#define RUN_COLUMN_COUNT 14

void sl_registry_run_clear(struct sl_registry_run *run)
{
    sl_free(run->options);
    sl_free(run->resume);
    run->options = NULL;
    run->resume = NULL;
}

void sl_registry_runs_free(struct sl_registry_run **runs, size_t count)
{
    for (size_t i = 0; *runs && i < count; i++) {
        sl_registry_run_clear(&(*runs)[i]);
    }
    sl_free(*runs);
    *runs = NULL;
}

static enum sl_status take_run(struct sl_registry *r, struct sl_registry_run *run,
                               const struct sl_db_value *c, struct sl_error *err)
{
    char writer[SL_WRITER_MAX];

    if (SL_TAKE_TEXT(run->id, &c[0], err) != SL_OK || !c[1].text ||
        SL_TAKE_TEXT(run->profile, &c[6], err) != SL_OK ||
        SL_TAKE_TEXT(run->master_cid, &c[7], err) != SL_OK ||
        SL_TAKE_TEXT(run->root_cid, &c[8], err) != SL_OK ||
        SL_TAKE_TEXT(run->error, &c[9], err) != SL_OK ||
        SL_TAKE_TEXT(writer, &c[12], err) != SL_OK || !c[13].text) {
        return SL_EDATA;
    }
    if (!sl_run_state_parse(c[1].text, &run->state)) {
        return sl_fail(err, SL_EDATA, r->name, "run \"%s\" is in a state that is not known",
                       run->id);
    }
    run->created = c[2].integer;
    run->updated = c[3].integer;
    run->ended = c[4].type == SL_DB_NULL ? SL_NO_TIME : c[4].integer;
    run->revision = c[5].integer;
    run->alive = run->state == SL_RUN_RUNNING && !sl_writer_is_dead(writer) &&
                 r->ops->now(r->db) - c[10].integer < c[11].integer;
    run->options = sl_strdup(c[13].text);
    return run->options ? SL_OK : sl_fail_memory(err);
}

/* ---- one --------------------------------------------------------------------------------- */

struct one {
    struct sl_registry *r;
    const char *id;
    bool with_resume, found;
    struct sl_registry_run *out;
};

static enum sl_status take_one(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct one *o = opaque;
    enum sl_status status = take_run(o->r, o->out, c, err);

    o->found = true;
    if (status == SL_OK && c[RUN_COLUMN_COUNT].type == SL_DB_TEXT) {
        o->out->resume = sl_strdup(c[RUN_COLUMN_COUNT].text);
        if (!o->out->resume) {
            status = sl_fail_memory(err);
        }
    }
    return status;
}

static enum sl_status one_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct one *o = arg;
    const struct sl_db_query q = {
        .sql = "SELECT " RUN_COLUMNS ", CASE WHEN $2 = 1 THEN resume END FROM runs WHERE id = $1",
        .args = (const struct sl_db_value[]){sl_db_text(o->id), sl_db_integer(o->with_resume)},
        .arg_count = 2,
        .row = take_one,
        .opaque = o,
        .columns = RUN_COLUMN_COUNT + 1};
    enum sl_status status;

    sl_registry_run_clear(o->out); /* of the attempt before */
    o->found = false;
    status = r->ops->query(r->db, &q, err);
    return status == SL_OK && !o->found ? sl_registry_not_found(r, o->id, err) : status;
}

enum sl_status sl_registry_run(struct sl_registry *r, const char *id, bool with_resume,
                               struct sl_registry_run *out, struct sl_error *err)
{
    struct one o = {.r = r, .id = id, .with_resume = with_resume, .out = out};
    enum sl_status status = sl_registry_check_id(id, err);

    *out = (struct sl_registry_run){.ended = SL_NO_TIME};
    if (status == SL_OK) {
        status = sl_registry_transact(r, SL_DB_READ, one_body, &o, err);
    }
    if (status != SL_OK) {
        sl_registry_run_clear(out);
    }
    return status;
}

/* ---- pages ------------------------------------------------------------------------------- */

struct many {
    struct sl_registry *r;
    const struct sl_registry_runs_query *query;
    size_t limit;
    struct sl_registry_run *runs;
    size_t count, capacity;
};

static enum sl_status take_many(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct many *m = opaque;
    enum sl_status status = sl_grow(&m->runs, &m->capacity, m->count, sizeof(*m->runs), m->limit);

    if (status != SL_OK) {
        return sl_fail_memory(err);
    }
    m->runs[m->count] = (struct sl_registry_run){.ended = SL_NO_TIME};
    status = take_run(m->r, &m->runs[m->count], c, err);
    m->count++;
    return status;
}

static enum sl_status many_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct many *m = arg;
    const struct sl_registry_runs_query *n = m->query;
    const struct sl_db_query q = {
        .sql = "SELECT " RUN_COLUMNS " FROM runs WHERE ($1 = 'any' OR state = $1) AND "
               "($2 = 0 OR created < $3 OR (created = $3 AND id < $4)) "
               "ORDER BY created DESC, id DESC LIMIT $5",
        .args =
            (const struct sl_db_value[]){sl_db_text(sl_run_state_name(n->state)),
                                         sl_db_integer(n->after), sl_db_integer(n->after_created),
                                         sl_db_text(n->after_id), sl_db_integer((int64_t)m->limit)},
        .arg_count = 5,
        .row = take_many,
        .opaque = m,
        .columns = RUN_COLUMN_COUNT};

    sl_registry_runs_free(&m->runs, m->count);
    m->count = m->capacity = 0;
    return r->ops->query(r->db, &q, err);
}

enum sl_status sl_registry_runs(struct sl_registry *r, const struct sl_registry_runs_query *query,
                                struct sl_registry_run **out, size_t *count, struct sl_error *err)
{
    struct many m = {.r = r, .query = query, .limit = query->limit};
    enum sl_status status;

    *out = NULL;
    *count = 0;
    if (m.limit == 0 || m.limit > SL_REGISTRY_PAGE_MAX) {
        m.limit = SL_REGISTRY_PAGE_MAX;
    }
    status = sl_registry_transact(r, SL_DB_READ, many_body, &m, err);
    if (status != SL_OK) {
        sl_registry_runs_free(&m.runs, m.count);
        return status;
    }
    *out = m.runs;
    *count = m.count;
    return SL_OK;
}

/* ---- deletion ---------------------------------------------------------------------------- */

struct deletion {
    const char *id;
    bool force, alive;
    bool tried; /* in a transaction whose end was not seen */
};

static enum sl_status delete_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct deletion *d = arg;
    struct sl_registry_run run = {.ended = SL_NO_TIME};
    struct one o = {.r = r, .id = d->id, .out = &run};
    enum sl_status status;
    int64_t held;
    bool found = false;

    /* Held from here on: a writer that announces meanwhile waits, and then finds no run. */
    status = sl_registry_integers(r, "UPDATE runs SET updated = updated WHERE id = $1 RETURNING 1",
                                  SL_ARGS(sl_db_text(d->id)), &held, 1, &found, err);
    if (status == SL_OK && !found && d->tried) {
        return SL_OK;
    }
    if (status == SL_OK) {
        status = one_body(r, &o, err);
    }
    d->alive = status == SL_OK && run.alive && !d->force;
    sl_registry_run_clear(&run);
    if (status != SL_OK || d->alive) {
        return status;
    }
    d->tried = true;
    status = sl_registry_exec(r, "DELETE FROM runs WHERE id = $1", SL_ARGS(sl_db_text(d->id)), err);
    return status == SL_OK ? r->ops->changed(r->db, d->id, -1, err) : status;
}

enum sl_status sl_registry_delete_run(struct sl_registry *r, const char *id, bool force,
                                      struct sl_error *err)
{
    struct deletion d = {.id = id, .force = force};
    enum sl_status status = sl_registry_check_id(id, err);

    if (status == SL_OK) {
        status = sl_registry_transact(r, SL_DB_WRITE, delete_body, &d, err);
    }
    if (status == SL_OK && d.alive) {
        status = sl_fail(err, SL_EBUSY, r->name, "a process writes run \"%s\"", id);
    }
    return status;
}

int64_t sl_registry_now(const struct sl_registry *r)
{
    struct timespec t;

    if (r->db) {
        return r->ops->now(r->db);
    }
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
