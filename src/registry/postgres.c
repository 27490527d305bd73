/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry in PostgreSQL. Rows are held by the UPDATE that each change of a run begins with, so
 * READ COMMITTED is enough for writers; readers take one snapshot. */
#include "registry/postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

#define ANSWER_MS 10000 /* beyond wait_ms: then the server counts as gone */

/* pg_type.dat */
enum { OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23 };

static const struct sl_db_word words[] = {
    {"@int", "BIGINT"}, {"@key", "TEXT COLLATE \"C\""}, /* the order of bytes, as in SQLite */
    {"@json", "JSONB"}, {"@identity", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"},
    {"@strict", ""},    {"@rows", ""},
    {"@changes", ""}, /* NOTIFY */
    {NULL, NULL},
};

static struct sl_postgres *of(struct sl_db *db)
{
    return (struct sl_postgres *)db;
}

/* ---- errors ------------------------------------------------------------------------------ */

static enum sl_status lost(struct sl_postgres *p, const char *text, struct sl_error *err)
{
    char line[160];

    p->db.lost = true;
    sl_postgres_line(line, sizeof(line), text && text[0] ? text : "no answer");
    return sl_fail(err, SL_EBUSY, p->name, "the connection to PostgreSQL is lost: %s", line);
}

/* The SQLSTATE decides (PostgreSQL appendix A). */
static enum sl_status failed(struct sl_postgres *p, const PGresult *result, struct sl_error *err)
{
    static const struct {
        const char *state; /* the beginning of it */
        enum sl_status status;
        bool lost;
    } kinds[] = {
        {"08", SL_EBUSY, true},     /* the connection */
        {"57P", SL_EBUSY, true},    /* the server goes down, or comes up */
        {"25006", SL_EBUSY, true},  /* a standby: after a failover the primary is elsewhere */
        {"57014", SL_EBUSY, false}, /* a time-out of the server's */
        {"40", SL_EBUSY, false},    /* serialization, deadlock */
        {"55P03", SL_EBUSY, false}, /* locked */
        {"53", SL_EBUSY, false},    /* no room: memory, disk, connections */
        {"22", SL_EDATA, false},    {"23", SL_EDATA, false},
        {"XX001", SL_EDATA, false}, {"XX002", SL_EDATA, false}, /* damaged */
    };
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    char line[160];

    if (PQstatus(p->conn) == CONNECTION_BAD || !state) {
        return lost(p, PQerrorMessage(p->conn), err);
    }
    sl_postgres_line(line, sizeof(line), PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strncmp(state, kinds[i].state, strlen(kinds[i].state))) {
            p->db.lost = p->db.lost || kinds[i].lost;
            return sl_fail(err, kinds[i].status, p->name, "PostgreSQL: %s (%s)", line, state);
        }
    }
    return sl_fail(err, SL_EIO, p->name, "PostgreSQL: %s (%s)", line, state);
}

/* ---- statements -------------------------------------------------------------------------- */

/* Waits until libpq has a result, or nothing more is to be sent. */
static enum sl_status await(struct sl_postgres *p, int64_t deadline, struct sl_error *err)
{
    for (;;) {
        const int unsent = PQflush(p->conn);
        const int64_t left = deadline - sl_postgres_monotonic_ms();
        struct pollfd fd = {.fd = PQsocket(p->conn),
                            .events = (short)(unsent == 1 ? POLLIN | POLLOUT : POLLIN)};

        if (unsent < 0) {
            return lost(p, PQerrorMessage(p->conn), err);
        }
        if (unsent == 0 && !PQisBusy(p->conn)) {
            return SL_OK;
        }
        if (left <= 0 || poll(&fd, 1, (int)left) == 0) {
            return lost(p, "no answer in time", err);
        }
        if (fd.revents & (POLLIN | POLLERR | POLLHUP) && !PQconsumeInput(p->conn)) {
            return lost(p, PQerrorMessage(p->conn), err);
        }
    }
}

/* The last result of what was sent, or an error. */
static enum sl_status receive(struct sl_postgres *p, PGresult **out, struct sl_error *err)
{
    const int64_t deadline = sl_postgres_monotonic_ms() + p->wait_ms + ANSWER_MS;
    enum sl_status status = SL_OK;

    *out = NULL;
    for (;;) {
        enum sl_status waited = await(p, deadline, status == SL_OK ? err : NULL);
        PGresult *result = waited == SL_OK ? PQgetResult(p->conn) : NULL;
        ExecStatusType kind = PQresultStatus(result);

        if (!result) {
            return status == SL_OK ? waited : status;
        }
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && kind != PGRES_EMPTY_QUERY &&
            status == SL_OK) {
            status = failed(p, result, err);
        }
        PQclear(*out);
        *out = result;
    }
}

/* Rows to values: integers by their type, all else as text. */
static enum sl_status hand_over(const PGresult *result, int row, const struct sl_db_query *q,
                                struct sl_error *err)
{
    struct sl_db_value columns[SL_DB_COLUMNS_MAX];
    const int count = PQnfields(result);

    if ((size_t)count != q->columns || count > SL_DB_COLUMNS_MAX) {
        return sl_fail(err, SL_EDATA, "registry", "%d columns, expected %zu", count, q->columns);
    }
    for (int i = 0; i < count; i++) {
        const Oid type = PQftype(result, i);

        columns[i] = (struct sl_db_value){.type = SL_DB_NULL};
        if (PQgetisnull(result, row, i)) {
            continue;
        }
        columns[i].text = PQgetvalue(result, row, i);
        columns[i].size = (size_t)PQgetlength(result, row, i);
        columns[i].type = SL_DB_TEXT;
        if (type == OID_INT8 || type == OID_INT4 || type == OID_INT2) {
            columns[i].type = SL_DB_INTEGER;
            columns[i].integer = strtoll(columns[i].text, NULL, 10);
        }
    }
    return q->row(q->opaque, columns, err);
}

enum sl_status sl_postgres_query(struct sl_db *db, const struct sl_db_query *query,
                                 struct sl_error *err)
{
    struct sl_postgres *p = of(db);
    const char *values[SL_DB_ARGS_MAX];
    char numbers[SL_DB_ARGS_MAX][24];
    PGresult *result = NULL;
    enum sl_status status;

    if (query->arg_count > SL_DB_ARGS_MAX) {
        return sl_fail(err, SL_EINVAL, p->name, "too many parameters");
    }
    for (size_t i = 0; i < query->arg_count; i++) {
        const struct sl_db_value *v = &query->args[i];

        values[i] = v->type == SL_DB_TEXT ? v->text : NULL;
        if (v->type == SL_DB_INTEGER) {
            (void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, v->integer);
            values[i] = numbers[i];
        }
    }
    /* Parsed each time: named statements are not for all that may stand in between (poolers). */
    if (!PQsendQueryParams(p->conn, query->sql, (int)query->arg_count, NULL, values, NULL, NULL,
                           0)) {
        return lost(p, PQerrorMessage(p->conn), err);
    }
    status = receive(p, &result, err);
    for (int i = 0; status == SL_OK && query->row && i < PQntuples(result); i++) {
        status = hand_over(result, i, query, err);
    }
    PQclear(result);
    return status;
}

enum sl_status sl_postgres_simple(struct sl_postgres *p, const char *sql, struct sl_error *err)
{
    PGresult *result = NULL;
    enum sl_status status;

    if (!PQsendQuery(p->conn, sql)) {
        return lost(p, PQerrorMessage(p->conn), err);
    }
    status = receive(p, &result, err);
    PQclear(result);
    return status;
}

static enum sl_status postgres_script(struct sl_db *db, const char *sql, struct sl_error *err)
{
    return sl_postgres_simple(of(db), sql, err);
}

/* ---- transactions ------------------------------------------------------------------------ */

static enum sl_status postgres_begin(struct sl_db *db, enum sl_db_mode mode, struct sl_error *err)
{
    switch (mode) {
    case SL_DB_READ:
        return sl_postgres_simple(of(db), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    case SL_DB_WRITE:
        return sl_postgres_simple(of(db), "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err);
    case SL_DB_MIGRATE:
        break;
    }
    /* "sluice", as a number. */
    return sl_postgres_simple(of(db),
                              "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
                              "SELECT pg_advisory_xact_lock(126926666523493)",
                              err);
}

static enum sl_status postgres_commit(struct sl_db *db, struct sl_error *err)
{
    return sl_postgres_simple(of(db), "COMMIT", err);
}

static void postgres_rollback(struct sl_db *db)
{
    if (sl_postgres_simple(of(db), "ROLLBACK", NULL) != SL_OK) {
        db->lost = true; /* in whatever state it is */
    }
}

static enum sl_status postgres_changed(struct sl_db *db, const char *run, int64_t revision,
                                       struct sl_error *err)
{
    char payload[SL_REGISTRY_ID_MAX + 24];
    const struct sl_db_value args[] = {
        {.type = SL_DB_TEXT, .text = payload, .size = sizeof(payload)}};
    const struct sl_db_query q = {
        .sql = "SELECT pg_notify('" SL_POSTGRES_CHANNEL "', $1)", .args = args, .arg_count = 1};

    (void)snprintf(payload, sizeof(payload), "%" PRId64 " %s", revision, run);
    return sl_postgres_query(db, &q, err);
}

static int64_t postgres_now(struct sl_db *db)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + of(db)->offset;
}

const struct sl_db_ops sl_db_postgres = {
    .name = "postgres",
    .words = words,
    .has_schema = "SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = 'sluice_schema' AND "
                  "schemaname = ANY (current_schemas(false))",
    .connect = sl_postgres_connect,
    .close = sl_postgres_close,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .query = sl_postgres_query,
    .script = postgres_script,
    .changed = postgres_changed,
    .now = postgres_now,
    .watch_open = sl_postgres_watch_open,
    .watch_fd = sl_postgres_watch_fd,
    .watch_read = sl_postgres_watch_read,
    .watch_close = sl_postgres_watch_close,
};
