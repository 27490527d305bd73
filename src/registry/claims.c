/* SPDX-License-Identifier: BSD-2-Clause */
/* The right to write a run. The epoch in its row is the fence: every change of a run begins with an
 * UPDATE that names the epoch, which also holds the row until the transaction ends. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "registry/internal.h"

#define LEASE_MS_MAX 86400000

static const char *const states[] = {
    [SL_RUN_ANY] = "any",         [SL_RUN_RUNNING] = "running", [SL_RUN_FINISHED] = "finished",
    [SL_RUN_STOPPED] = "stopped", [SL_RUN_FAILED] = "failed",
};

const char *sl_run_state_name(enum sl_run_state state)
{
    return (unsigned)state < sizeof(states) / sizeof(states[0]) ? states[state] : "unknown";
}

bool sl_run_state_parse(const char *name, enum sl_run_state *out_state)
{
    for (size_t i = SL_RUN_RUNNING; i < sizeof(states) / sizeof(states[0]); i++) {
        if (!strcmp(name, states[i])) {
            *out_state = (enum sl_run_state)i;
            return true;
        }
    }
    return false;
}

/* ---- claiming ---------------------------------------------------------------------------- */

struct claiming {
    const struct sl_registry_claim_params *p;
    struct sl_registry_claim *out;
    char self[SL_WRITER_MAX];
    bool alive; /* another writer is; nothing was done */
};

struct holder {
    bool found;
    enum sl_run_state state;
    int64_t epoch, heard, lease;
    char writer[SL_WRITER_MAX];
};

static enum sl_status take_holder(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct holder *h = opaque;

    h->found = c[0].type == SL_DB_TEXT && sl_run_state_parse(c[0].text, &h->state);
    h->epoch = c[1].integer;
    h->heard = c[2].integer;
    h->lease = c[3].integer;
    return SL_TAKE_TEXT(h->writer, &c[4], err);
}

static enum sl_status read_holder(struct sl_registry *r, const char *run, struct holder *h,
                                  struct sl_error *err)
{
    const struct sl_db_query q = {
        .sql = "SELECT state, epoch, heard, lease, writer FROM runs WHERE id = $1",
        .args = (const struct sl_db_value[]){sl_db_text(run)},
        .arg_count = 1,
        .row = take_holder,
        .opaque = h,
        .columns = 5};

    *h = (struct holder){.found = false};
    return r->ops->query(r->db, &q, err);
}

static bool holder_lives(struct sl_registry *r, const struct holder *h)
{
    return h->state == SL_RUN_RUNNING && !sl_writer_is_dead(h->writer) &&
           r->ops->now(r->db) - h->heard < h->lease;
}

static enum sl_status create(struct sl_registry *r, struct claiming *c, struct sl_error *err)
{
    const struct sl_registry_claim_params *p = c->p;
    bool created = false;
    enum sl_status status = sl_registry_integers(
        r,
        "INSERT INTO runs (id, state, created, updated, revision, profile, options, error, "
        "master_cid, root_cid, quality_playlists, epoch, writer, heard, lease) VALUES ($1, "
        "'running', $2, $2, 0, $3, $4, '', '', '', '{}', 1, $5, $2, $6) "
        "ON CONFLICT (id) DO NOTHING RETURNING epoch",
        SL_ARGS(sl_db_text(p->run), sl_db_integer(r->ops->now(r->db)),
                sl_db_text(p->profile ? p->profile : ""),
                sl_db_text(p->options ? p->options : "{}"), sl_db_text(c->self),
                sl_db_integer(c->out->lease)),
        &c->out->epoch, 1, &created, err);

    c->out->created = true;
    if (status == SL_OK && !created) {
        return sl_fail(err, SL_EBUSY, r->name, "run \"%s\" was created by another", p->run);
    }
    return status == SL_OK ? r->ops->changed(r->db, p->run, 0, err) : status;
}

static enum sl_status take_over(struct sl_registry *r, struct claiming *c, const struct holder *h,
                                struct sl_error *err)
{
    int64_t revision = 0;
    bool found = false;
    /* One that claims at the same time has changed the epoch by then. */
    enum sl_status status = sl_registry_integers(
        r,
        "UPDATE runs SET epoch = epoch + 1, state = 'running', error = '', ended = NULL, "
        "writer = $3, heard = $4, lease = $5, updated = $4, revision = revision + 1 "
        "WHERE id = $1 AND epoch = $2 RETURNING revision",
        SL_ARGS(sl_db_text(c->p->run), sl_db_integer(h->epoch), sl_db_text(c->self),
                sl_db_integer(r->ops->now(r->db)), sl_db_integer(c->out->lease)),
        &revision, 1, &found, err);

    c->out->epoch = h->epoch + 1;
    c->out->created = false;
    if (status == SL_OK && !found) {
        return sl_fail(err, SL_EBUSY, r->name, "run \"%s\" was claimed by another", c->p->run);
    }
    return status == SL_OK ? r->ops->changed(r->db, c->p->run, revision, err) : status;
}

static enum sl_status claim_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct claiming *c = arg;
    struct holder h;
    enum sl_status status = read_holder(r, c->p->run, &h, err);

    c->alive = false;
    if (status != SL_OK) {
        return status;
    }
    if (!h.found) {
        return create(r, c, err);
    }
    if (!strcmp(h.writer, c->self)) { /* the commit before the connection broke did come to pass */
        c->out->epoch = h.epoch;
        return SL_OK;
    }
    if (!c->p->may_exist) {
        return sl_fail(err, SL_EEXIST, r->name, "there is a run \"%s\" already (%s)", c->p->run,
                       sl_run_state_name(h.state));
    }
    if (h.state == SL_RUN_FINISHED) {
        return sl_fail(err, SL_EINVAL, r->name, "run \"%s\" is finished: nothing can follow",
                       c->p->run);
    }
    c->alive = !c->p->force && holder_lives(r, &h);
    return c->alive ? SL_OK : take_over(r, c, &h, err);
}

enum sl_status sl_registry_claim(struct sl_registry *r,
                                 const struct sl_registry_claim_params *params,
                                 struct sl_registry_claim *out, struct sl_error *err)
{
    struct claiming c = {.p = params, .out = out};
    enum sl_status status = sl_registry_check_id(params->run, err);

    *out = (struct sl_registry_claim){.epoch = 0};
    if (status == SL_OK && (params->lease_ms < 0 || params->lease_ms > LEASE_MS_MAX)) {
        status = sl_fail(err, SL_EINVAL, "registry", "lease_ms is %d (0 to %d)", params->lease_ms,
                         LEASE_MS_MAX);
    }
    if (status == SL_OK && params->profile) {
        status = sl_registry_check_word("profile", params->profile, SL_REGISTRY_WORD_MAX, err);
    }
    if (status == SL_OK && params->options) {
        status = sl_registry_check_json("options", params->options, SL_REGISTRY_OPTIONS_MAX, err);
    }
    if (status == SL_OK) {
        status = sl_writer_self(c.self, err);
    }
    if (status != SL_OK) {
        return status;
    }
    memcpy(out->run, params->run, strlen(params->run) + 1);
    out->lease = (int64_t)(params->lease_ms ? params->lease_ms : SL_REGISTRY_LEASE_MS) * 1000;
    status = sl_registry_transact(r, SL_DB_WRITE, claim_body, &c, err);
    if (status == SL_OK && c.alive) {
        status = sl_fail(err, SL_EBUSY, r->name, "another process writes run \"%s\"", params->run);
    }
    return status;
}

/* ---- what a claim gives ------------------------------------------------------------------ */

enum sl_status sl_claim_hold(struct sl_registry *r, const struct sl_registry_claim *claim,
                             int64_t *revision, struct sl_error *err)
{
    struct holder h;
    bool found = false;
    enum sl_status status = sl_registry_integers(
        r,
        "UPDATE runs SET heard = $3 WHERE id = $1 AND epoch = $2 AND state = 'running' "
        "RETURNING revision",
        SL_ARGS(sl_db_text(claim->run), sl_db_integer(claim->epoch),
                sl_db_integer(r->ops->now(r->db))),
        revision, 1, &found, err);

    if (status != SL_OK || found) {
        return status;
    }
    status = read_holder(r, claim->run, &h, err);
    if (status != SL_OK) {
        return status;
    }
    if (!h.found) {
        return sl_registry_not_found(r, claim->run, err);
    }
    return sl_fail(err, SL_ECANCELLED, r->name,
                   h.epoch != claim->epoch ? "run \"%s\" was taken over by another writer"
                                           : "the writing of run \"%s\" has ended",
                   claim->run);
}

static enum sl_status touch_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    int64_t revision;

    return sl_claim_hold(r, arg, &revision, err);
}

enum sl_status sl_registry_touch(struct sl_registry *r, const struct sl_registry_claim *claim,
                                 struct sl_error *err)
{
    struct sl_registry_claim copy = *claim;
    enum sl_status status = sl_registry_check_id(claim->run, err);

    return status == SL_OK ? sl_registry_transact(r, SL_DB_WRITE, touch_body, &copy, err) : status;
}

/* ---- the end ----------------------------------------------------------------------------- */

struct ending {
    const struct sl_registry_claim *claim;
    const struct sl_registry_end *end;
    char error[SL_REGISTRY_ERROR_MAX];
};

static enum sl_status end_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct ending *e = arg;
    const struct sl_registry_end *end = e->end;
    const bool finished = end->state == SL_RUN_FINISHED;
    struct holder h;
    int64_t revision = 0;
    enum sl_status status = read_holder(r, e->claim->run, &h, err);

    if (status == SL_OK && h.found && h.epoch == e->claim->epoch && h.state == end->state) {
        return SL_OK; /* done before */
    }
    if (status == SL_OK) {
        status = sl_claim_hold(r, e->claim, &revision, err);
    }
    if (status == SL_OK && end->upload_count) {
        status = sl_uploads_insert(r, end->uploads, end->upload_count, e->claim->run, err);
    }
    if (status == SL_OK) {
        status = sl_registry_integers(
            r,
            "UPDATE runs SET state = $2, ended = $3, updated = $3, error = $4, "
            "root_cid = coalesce($5, root_cid), master_cid = coalesce($6, master_cid), "
            "resume = CASE WHEN $7 = 1 THEN NULL ELSE coalesce($8, resume) END, "
            "revision = revision + 1 WHERE id = $1 RETURNING revision",
            SL_ARGS(sl_db_text(e->claim->run), sl_db_text(sl_run_state_name(end->state)),
                    sl_db_integer(r->ops->now(r->db)), sl_db_text(e->error),
                    sl_db_text(end->root_cid), sl_db_text(end->master_cid), sl_db_integer(finished),
                    sl_db_text(end->resume)),
            &revision, 1, NULL, err);
    }
    return status == SL_OK ? r->ops->changed(r->db, e->claim->run, revision, err) : status;
}

enum sl_status sl_registry_end_run(struct sl_registry *r, const struct sl_registry_claim *claim,
                                   const struct sl_registry_end *end, struct sl_error *err)
{
    struct ending e = {.claim = claim, .end = end};
    enum sl_status status = sl_registry_check_id(claim->run, err);

    if (status == SL_OK && end->state != SL_RUN_FINISHED && end->state != SL_RUN_STOPPED &&
        end->state != SL_RUN_FAILED) {
        status = sl_fail(err, SL_EINVAL, "registry", "a run cannot end as \"%s\"",
                         sl_run_state_name(end->state));
    }
    if (status == SL_OK && end->root_cid) {
        status = sl_registry_check_cid(end->root_cid, err);
    }
    if (status == SL_OK && end->master_cid) {
        status = sl_registry_check_cid(end->master_cid, err);
    }
    if (status == SL_OK && end->resume) {
        status = sl_registry_check_json("resume", end->resume, SL_REGISTRY_RESUME_MAX, err);
    }
    if (status == SL_OK) {
        status = sl_uploads_check(end->uploads, end->upload_count, err);
    }
    sl_registry_clean(e.error, sizeof(e.error), end->error);
    return status == SL_OK ? sl_registry_transact(r, SL_DB_WRITE, end_body, &e, err) : status;
}
