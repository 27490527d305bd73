/* SPDX-License-Identifier: BSD-2-Clause */
/* What nodes still have to be told: a queue of which each row is about one object on one node. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/internal.h"

#define LEASE_MS_MAX 86400000

static const char *action_name(enum sl_upload_what what)
{
    return what == SL_UPLOAD_UNPIN ? "unpin" : "add";
}

/* ---- into the queue ---------------------------------------------------------------------- */

enum sl_status sl_uploads_check(const struct sl_registry_upload *uploads, size_t count,
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (count > SL_REGISTRY_UPLOADS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "%zu uploads at once (up to %d)", count,
                       SL_REGISTRY_UPLOADS_MAX);
    }
    for (size_t i = 0; status == SL_OK && i < count; i++) {
        const struct sl_registry_upload *u = &uploads[i];

        status = sl_registry_check_cid(u->cid, err);
        if (status == SL_OK) {
            status = sl_registry_check_word("node", u->node, sizeof(u->node), err);
        }
        if (status == SL_OK && !u->node[0]) {
            status = sl_fail(err, SL_EINVAL, "registry", "an upload to no node");
        }
        if (status == SL_OK && u->what != SL_UPLOAD_ADD && u->what != SL_UPLOAD_UNPIN) {
            status =
                sl_fail(err, SL_EINVAL, "registry", "an upload of unknown kind %d", (int)u->what);
        }
        if (status == SL_OK && u->run[0]) {
            status = sl_registry_check_id(u->run, err);
        }
    }
    return status;
}

enum sl_status sl_uploads_insert(struct sl_registry *r, const struct sl_registry_upload *uploads,
                                 size_t count, const char *run, struct sl_error *err)
{
    const int64_t now = r->ops->now(r->db);
    enum sl_status status = SL_OK;

    /* What is queued with the same action stays as it is: its attempts, and whoever has taken it;
     * but it is the newest run's, whose uploader may be the only one that is at work. With another
     * action it is another thing, which waits for what is under way. */
    for (size_t i = 0; status == SL_OK && i < count; i++) {
        status = sl_registry_exec(
            r,
            "INSERT INTO uploads (node, cid, run, action, attempts, next_time, queued, error) "
            "VALUES ($1, $2, $3, $4, 0, $5, $5, '') ON CONFLICT (node, cid) DO UPDATE SET "
            "run = excluded.run, action = excluded.action, "
            "attempts = CASE WHEN uploads.action = excluded.action THEN uploads.attempts ELSE 0 "
            "END, "
            "queued = CASE WHEN uploads.action = excluded.action THEN uploads.queued ELSE "
            "excluded.queued END, "
            "error = CASE WHEN uploads.action = excluded.action THEN uploads.error ELSE '' END "
            "WHERE uploads.action <> excluded.action OR uploads.run <> excluded.run",
            SL_ARGS(sl_db_text(uploads[i].node), sl_db_text(uploads[i].cid),
                    sl_db_text(run[0] ? run : uploads[i].run),
                    sl_db_text(action_name(uploads[i].what)), sl_db_integer(now)),
            err);
    }
    return status;
}

struct queueing {
    const struct sl_registry_upload *uploads;
    size_t count;
};

static enum sl_status queue_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct queueing *q = arg;

    return sl_uploads_insert(r, q->uploads, q->count, "", err);
}

enum sl_status sl_registry_queue_uploads(struct sl_registry *r,
                                         const struct sl_registry_upload *uploads, size_t count,
                                         struct sl_error *err)
{
    struct queueing q = {.uploads = uploads, .count = count};
    enum sl_status status = sl_uploads_check(uploads, count, err);

    return status == SL_OK ? sl_registry_transact(r, SL_DB_WRITE, queue_body, &q, err) : status;
}

/* ---- out of it --------------------------------------------------------------------------- */

#define UPLOAD_COLUMNS      "id, node, cid, run, action, attempts, next_time, queued, error"
#define UPLOAD_COLUMN_COUNT 9

struct taking {
    const char *node, *run;
    int64_t now, until, after;
    size_t limit;
    struct sl_registry_upload *items;
    size_t count, capacity;
    int64_t next;
};

static enum sl_status take_upload(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct taking *t = opaque;
    struct sl_registry_upload *u;

    if (sl_grow(&t->items, &t->capacity, t->count, sizeof(*t->items), t->limit) != SL_OK) {
        return sl_fail_memory(err);
    }
    u = &t->items[t->count++];
    *u = (struct sl_registry_upload){
        .id = c[0].integer,
        .what = c[4].text && !strcmp(c[4].text, "unpin") ? SL_UPLOAD_UNPIN : SL_UPLOAD_ADD,
        .attempts = (int32_t)c[5].integer,
        .next = c[6].integer,
        .queued = c[7].integer};
    return SL_TAKE_TEXT(u->node, &c[1], err) == SL_OK &&
                   SL_TAKE_TEXT(u->cid, &c[2], err) == SL_OK &&
                   SL_TAKE_TEXT(u->run, &c[3], err) == SL_OK &&
                   SL_TAKE_TEXT(u->error, &c[8], err) == SL_OK
               ? SL_OK
               : SL_EDATA;
}

static enum sl_status take_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct taking *t = arg;
    const struct sl_db_query q = {
        .sql = "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE next_time <= $1 AND "
               "($2 = '' OR node = $2) AND ($3 = '' OR run = $3) ORDER BY next_time, id LIMIT $4",
        .args = (const struct sl_db_value[]){sl_db_integer(r->ops->now(r->db)), sl_db_text(t->node),
                                             sl_db_text(t->run), sl_db_integer((int64_t)t->limit)},
        .arg_count = 4,
        .row = take_upload,
        .opaque = t,
        .columns = UPLOAD_COLUMN_COUNT};
    const int64_t until = r->ops->now(r->db) + t->until;
    size_t kept = 0;
    enum sl_status status;

    t->count = 0;
    t->next = SL_NO_TIME;
    status = r->ops->query(r->db, &q, err);
    for (size_t i = 0; status == SL_OK && i < t->count; i++) {
        int64_t id;
        bool mine = false;

        /* Another may have taken it since. */
        status =
            sl_registry_integers(r,
                                 "UPDATE uploads SET next_time = $3 WHERE id = $1 AND "
                                 "next_time = $2 RETURNING id",
                                 SL_ARGS(sl_db_integer(t->items[i].id),
                                         sl_db_integer(t->items[i].next), sl_db_integer(until)),
                                 &id, 1, &mine, err);
        if (mine) {
            t->items[i].next = until;
            t->items[kept++] = t->items[i];
        }
    }
    t->count = kept;
    if (status == SL_OK && kept == 0) {
        status = sl_registry_integers(
            r,
            "SELECT min(next_time) FROM uploads WHERE ($1 = '' OR node = $1) "
            "AND ($2 = '' OR run = $2)",
            SL_ARGS(sl_db_text(t->node), sl_db_text(t->run)), &t->next, 1, NULL, err);
    }
    return status;
}

enum sl_status sl_registry_take_uploads(struct sl_registry *r, struct sl_registry_take *take,
                                        struct sl_registry_upload **out, size_t *count,
                                        struct sl_error *err)
{
    struct taking t = {.node = take->node ? take->node : "",
                       .run = take->run ? take->run : "",
                       .until = (int64_t)take->lease_ms * 1000,
                       .limit = take->limit && take->limit < SL_REGISTRY_UPLOADS_MAX
                                    ? take->limit
                                    : SL_REGISTRY_UPLOADS_MAX};
    enum sl_status status = SL_OK;

    *out = NULL;
    *count = 0;
    take->next = SL_NO_TIME;
    if (take->lease_ms <= 0 || take->lease_ms > LEASE_MS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "lease_ms is %d (1 to %d)", take->lease_ms,
                       LEASE_MS_MAX);
    }
    status = sl_registry_transact(r, SL_DB_WRITE, take_body, &t, err);
    if (status != SL_OK || t.count == 0) {
        sl_free(t.items);
        take->next = status == SL_OK ? t.next : SL_NO_TIME;
        return status;
    }
    *out = t.items;
    *count = t.count;
    return SL_OK;
}

struct holding {
    const struct sl_registry_upload *upload;
    int64_t lease, until;
};

static enum sl_status hold_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct holding *h = arg;

    h->until = r->ops->now(r->db) + h->lease;
    return sl_registry_exec(r, "UPDATE uploads SET next_time = $3 WHERE id = $1 AND action = $2",
                            SL_ARGS(sl_db_integer(h->upload->id),
                                    sl_db_text(action_name(h->upload->what)),
                                    sl_db_integer(h->until)),
                            err);
}

enum sl_status sl_registry_upload_hold(struct sl_registry *r, struct sl_registry_upload *upload,
                                       int lease_ms, struct sl_error *err)
{
    struct holding h = {.upload = upload, .lease = (int64_t)lease_ms * 1000};
    enum sl_status status;

    if (lease_ms <= 0 || lease_ms > LEASE_MS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "lease_ms is %d (1 to %d)", lease_ms,
                       LEASE_MS_MAX);
    }
    status = sl_registry_transact(r, SL_DB_WRITE, hold_body, &h, err);
    if (status == SL_OK) {
        upload->next = h.until;
    }
    return status;
}

static enum sl_status done_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct sl_registry_upload *u = arg;
    enum sl_status status =
        sl_registry_exec(r, "DELETE FROM uploads WHERE id = $1 AND action = $2",
                         SL_ARGS(sl_db_integer(u->id), sl_db_text(action_name(u->what))), err);

    /* Still there: queued with another action meanwhile, which waited for this. */
    return status == SL_OK
               ? sl_registry_exec(r, "UPDATE uploads SET next_time = $2 WHERE id = $1",
                                  SL_ARGS(sl_db_integer(u->id), sl_db_integer(r->ops->now(r->db))),
                                  err)
               : status;
}

enum sl_status sl_registry_upload_done(struct sl_registry *r,
                                       const struct sl_registry_upload *upload,
                                       struct sl_error *err)
{
    struct sl_registry_upload copy = *upload;

    return sl_registry_transact(r, SL_DB_WRITE, done_body, &copy, err);
}

struct failing {
    const struct sl_registry_upload *upload;
    int64_t next;
    char error[SL_REGISTRY_ERROR_MAX];
};

static enum sl_status failed_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct failing *f = arg;

    return sl_registry_exec(r,
                            "UPDATE uploads SET attempts = $3, next_time = $4, error = $5 "
                            "WHERE id = $1 AND action = $2",
                            SL_ARGS(sl_db_integer(f->upload->id),
                                    sl_db_text(action_name(f->upload->what)),
                                    sl_db_integer((int64_t)f->upload->attempts + 1),
                                    sl_db_integer(f->next), sl_db_text(f->error)),
                            err);
}

enum sl_status sl_registry_upload_failed(struct sl_registry *r,
                                         const struct sl_registry_upload *upload, int64_t next,
                                         const char *error, struct sl_error *err)
{
    struct failing f = {.upload = upload, .next = next};

    sl_registry_clean(f.error, sizeof(f.error), error);
    return sl_registry_transact(r, SL_DB_WRITE, failed_body, &f, err);
}

/* ---- looking at it ----------------------------------------------------------------------- */

static enum sl_status list_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct taking *t = arg;
    const struct sl_db_query q = {
        .sql = "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE ($1 = '' OR run = $1) AND id > $2 "
               "ORDER BY id LIMIT $3",
        .args = (const struct sl_db_value[]){sl_db_text(t->run), sl_db_integer(t->after),
                                             sl_db_integer((int64_t)t->limit)},
        .arg_count = 3,
        .row = take_upload,
        .opaque = t,
        .columns = UPLOAD_COLUMN_COUNT};

    t->count = 0;
    return r->ops->query(r->db, &q, err);
}

enum sl_status sl_registry_uploads(struct sl_registry *r, const char *run, int64_t after_id,
                                   size_t limit, struct sl_registry_upload **out, size_t *count,
                                   struct sl_error *err)
{
    struct taking t = {.run = run ? run : "",
                       .after = after_id,
                       .limit =
                           limit && limit < SL_REGISTRY_PAGE_MAX ? limit : SL_REGISTRY_PAGE_MAX};
    enum sl_status status = run ? sl_registry_check_id(run, err) : SL_OK;

    *out = NULL;
    *count = 0;
    if (status == SL_OK) {
        status = sl_registry_transact(r, SL_DB_READ, list_body, &t, err);
    }
    if (status != SL_OK) {
        sl_free(t.items);
        return status;
    }
    *out = t.items;
    *count = t.count;
    return SL_OK;
}

struct asking {
    const char *node, *run;
    struct sl_registry_upload_summary *out;
};

static enum sl_status hasten_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct asking *a = arg;

    return sl_registry_exec(
        r,
        "UPDATE uploads SET next_time = $3 WHERE attempts > 0 AND "
        "next_time > $3 AND ($1 = '' OR node = $1) AND ($2 = '' OR run = $2)",
        SL_ARGS(sl_db_text(a->node), sl_db_text(a->run), sl_db_integer(r->ops->now(r->db))), err);
}

enum sl_status sl_registry_hasten_uploads(struct sl_registry *r, const char *node, const char *run,
                                          struct sl_error *err)
{
    struct asking a = {.node = node ? node : "", .run = run ? run : ""};

    return sl_registry_transact(r, SL_DB_WRITE, hasten_body, &a, err);
}

static enum sl_status take_reason(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct sl_registry_upload_summary *s = opaque;

    s->attempts = c[0].integer;
    return SL_TAKE_TEXT(s->node, &c[1], err) == SL_OK && SL_TAKE_TEXT(s->error, &c[2], err) == SL_OK
               ? SL_OK
               : SL_EDATA;
}

static enum sl_status summary_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct asking *a = arg;
    const struct sl_db_query q = {
        .sql = "SELECT attempts, node, error FROM uploads WHERE ($1 = '' OR node = $1) AND "
               "($2 = '' OR run = $2) AND attempts > 0 ORDER BY attempts DESC, id LIMIT 1",
        .args = (const struct sl_db_value[]){sl_db_text(a->node), sl_db_text(a->run)},
        .arg_count = 2,
        .row = take_reason,
        .opaque = a->out,
        .columns = 3};
    int64_t numbers[2] = {0, SL_NO_TIME};
    enum sl_status status;

    *a->out = (struct sl_registry_upload_summary){.next = SL_NO_TIME};
    status = sl_registry_integers(r,
                                  "SELECT count(*), min(next_time) FROM uploads WHERE "
                                  "($1 = '' OR node = $1) AND ($2 = '' OR run = $2)",
                                  SL_ARGS(sl_db_text(a->node), sl_db_text(a->run)), numbers, 2,
                                  NULL, err);
    a->out->count = numbers[0];
    a->out->next = numbers[0] ? numbers[1] : SL_NO_TIME;
    return status == SL_OK ? r->ops->query(r->db, &q, err) : status;
}

enum sl_status sl_registry_upload_summary(struct sl_registry *r, const char *node, const char *run,
                                          struct sl_registry_upload_summary *out,
                                          struct sl_error *err)
{
    struct asking a = {.node = node ? node : "", .run = run ? run : "", .out = out};
    enum sl_status status = run ? sl_registry_check_id(run, err) : SL_OK;

    *out = (struct sl_registry_upload_summary){.next = SL_NO_TIME};
    return status == SL_OK ? sl_registry_transact(r, SL_DB_READ, summary_body, &a, err) : status;
}
