/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "registry/internal.h"

#define PAUSE_FIRST_MS 5
#define PAUSE_MAX_MS   200

static int64_t monotonic_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL); /* woken early: tried early */
}

static enum sl_status connect_again(struct sl_registry *r, struct sl_error *err)
{
    enum sl_status status;

    if (r->db) {
        return SL_OK;
    }
    status = r->ops->connect(&r->db, &r->params, err);
    if (status == SL_OK) { /* a file that is gone later is not made anew */
        r->params.again = true;
        r->params.create = false;
    }
    return status;
}

static enum sl_status attempt(struct sl_registry *r, enum sl_db_mode mode,
                              enum sl_status (*body)(struct sl_registry *r, void *arg,
                                                     struct sl_error *err),
                              void *arg, struct sl_error *err)
{
    enum sl_status status = connect_again(r, err);

    if (status != SL_OK) {
        return status;
    }
    status = r->ops->begin(r->db, mode, err);
    if (status == SL_OK) {
        status = body(r, arg, err);
        if (status == SL_OK) {
            status = r->ops->commit(r->db, err);
        }
    }
    if (status != SL_OK && !r->db->lost) {
        r->ops->rollback(r->db);
    }
    if (r->db->lost) {
        r->ops->close(r->db);
        r->db = NULL;
    }
    return status;
}

enum sl_status sl_registry_transact(struct sl_registry *r, enum sl_db_mode mode,
                                    enum sl_status (*body)(struct sl_registry *r, void *arg,
                                                           struct sl_error *err),
                                    void *arg, struct sl_error *err)
{
    const int64_t deadline = monotonic_ms() + r->params.wait_ms;
    struct sl_error now = {.status = SL_OK};
    enum sl_status status;

    if (mode != SL_DB_READ && r->params.read_only) {
        return sl_fail(err, SL_EINVAL, r->name, "was opened for reading alone");
    }
    for (int pause = PAUSE_FIRST_MS;; pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS) {
        now = (struct sl_error){.status = SL_OK};
        status = attempt(r, mode, body, arg, &now);
        if (status != SL_EBUSY || monotonic_ms() + pause > deadline) {
            break;
        }
        sl_log_write(r->log, SL_LOG_DEBUG, "registry", "%s: %s; again", r->name, now.msg);
        pause_ms(pause);
    }
    if (status != SL_OK && err && err->status == SL_OK) {
        *err = now;
    }
    return status;
}

enum sl_status sl_registry_exec(struct sl_registry *r, const char *sql, struct sl_db_args args,
                                struct sl_error *err)
{
    const struct sl_db_query q = {.sql = sql, .args = args.values, .arg_count = args.count};

    return r->ops->query(r->db, &q, err);
}

struct integers {
    int64_t *out;
    size_t columns;
    bool found;
};

static enum sl_status take_integers(void *opaque, const struct sl_db_value *columns,
                                    struct sl_error *err)
{
    struct integers *n = opaque;

    for (size_t i = 0; i < n->columns; i++) {
        if (columns[i].type == SL_DB_TEXT) {
            return sl_fail(err, SL_EDATA, NULL, "the registry holds \"%.40s\" for a number",
                           columns[i].text);
        }
        n->out[i] = columns[i].type == SL_DB_NULL ? SL_NO_TIME : columns[i].integer;
    }
    n->found = true;
    return SL_OK;
}

enum sl_status sl_registry_integers(struct sl_registry *r, const char *sql, struct sl_db_args args,
                                    int64_t *out, size_t columns, bool *found, struct sl_error *err)
{
    struct integers n = {.out = out, .columns = columns};
    const struct sl_db_query q = {.sql = sql,
                                  .args = args.values,
                                  .arg_count = args.count,
                                  .row = take_integers,
                                  .opaque = &n,
                                  .columns = columns};
    enum sl_status status = r->ops->query(r->db, &q, err);

    if (found) {
        *found = n.found;
    } else if (status == SL_OK && !n.found) {
        return sl_fail(err, SL_EDATA, r->name, "a row that must be there is missing");
    }
    return status;
}

enum sl_status sl_registry_not_found(struct sl_registry *r, const char *run, struct sl_error *err)
{
    return sl_fail(err, SL_ENOTFOUND, r->name, "there is no run \"%s\"", run);
}
