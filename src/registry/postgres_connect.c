/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections to PostgreSQL that never wait longer than they were told, and what their failures
 * mean. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/postgres.h"

#define CONNECT_MS_MIN 1000 /* for one attempt, however short the waiting for locks is */

int64_t sl_postgres_monotonic_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void silent(void *opaque, const char *message)
{
    (void)opaque;
    (void)message; /* else libpq writes them to standard error */
}

PGconn *sl_postgres_start(const struct sl_db_params *params)
{
    /* In front of dbname: the URL may say otherwise. Behind it: it may not. */
    static const char *const keys[] = {
        "fallback_application_name", "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
        "keepalives_count",          "dbname",           "client_encoding", NULL};
    const char *const values[] = {"sluice", "15000", "10", "5", "3", params->where, "UTF8", NULL};
    PGconn *conn = PQconnectStartParams(keys, values, 1);

    if (conn) {
        (void)PQsetNoticeProcessor(conn, silent, NULL);
        (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* SQLSTATE in the text */
    }
    return conn;
}

void sl_postgres_line(char *out, size_t size, const char *text)
{
    size_t n = strcspn(text ? text : "", "\n");

    if (n >= size) {
        n = size - 1;
    }
    memcpy(out, text ? text : "", n);
    out[n] = 0;
}

/* "FATAL:  28P01: password …": five digits and capital letters between colons, and not letters
 * alone. */
static const char *state_in(const char *text)
{
    for (const char *p = strchr(text, ':'); p; p = strchr(p + 1, ':')) {
        const char *state = p + 1 + strspn(p + 1, " ");

        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && state[5] == ':' &&
            strcspn(state, "0123456789") < 5) {
            return state;
        }
    }
    return NULL;
}

enum sl_status sl_postgres_connect_failed(PGconn *conn, const char *name, struct sl_error *err)
{
    char line[160];
    const char *text = PQerrorMessage(conn), *state = state_in(text);

    sl_postgres_line(line, sizeof(line), text);
    if (!state) { /* no server answered, or the URL is none */
        return strstr(text, "invalid") && PQsocket(conn) < 0
                   ? sl_fail(err, SL_EINVAL, name, "%s", line)
                   : sl_fail(err, SL_EBUSY, name, "PostgreSQL cannot be reached: %s", line);
    }
    /* 08 connection, 53 too many, 57 starting or going down (PostgreSQL appendix A). */
    if (!strncmp(state, "08", 2) || !strncmp(state, "53", 2) || !strncmp(state, "57", 2)) {
        return sl_fail(err, SL_EBUSY, name, "PostgreSQL: %s", line);
    }
    return sl_fail(err, !strncmp(state, "3D000", 5) ? SL_ENOTFOUND : SL_EIO, name, "PostgreSQL: %s",
                   line);
}

static enum sl_status wait_connected(PGconn *conn, const struct sl_db_params *params,
                                     struct sl_error *err)
{
    const int patience = params->wait_ms > CONNECT_MS_MIN ? params->wait_ms : CONNECT_MS_MIN;
    const int64_t deadline = sl_postgres_monotonic_ms() + patience;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    if (PQstatus(conn) == CONNECTION_BAD) {
        return sl_postgres_connect_failed(conn, params->name, err);
    }
    while (state != PGRES_POLLING_OK) {
        const int64_t left = deadline - sl_postgres_monotonic_ms();
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};

        if (left <= 0 || (poll(&fd, 1, (int)left) == 0)) {
            return sl_fail(err, SL_EBUSY, params->name,
                           "PostgreSQL cannot be reached: no answer within %d ms", patience);
        }
        state = PQconnectPoll(conn);
        if (state == PGRES_POLLING_FAILED) {
            return sl_postgres_connect_failed(conn, params->name, err);
        }
    }
    return SL_OK;
}

/* ---- set-up ------------------------------------------------------------------------------ */

static enum sl_status take_integer(void *opaque, const struct sl_db_value *columns,
                                   struct sl_error *err)
{
    int64_t *out = opaque;

    (void)err;
    *out = columns[0].integer;
    return SL_OK;
}

static int64_t ours(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static enum sl_status set_up(struct sl_postgres *p, const struct sl_db_params *params,
                             struct sl_error *err)
{
    int64_t theirs = 0, before = ours();
    char wait[16];
    const struct sl_db_query clock = {
        .sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        .row = take_integer,
        .opaque = &theirs,
        .columns = 1};
    /* What is announced is on the disk, whatever the server's default is; a stronger one stays. */
    const struct sl_db_query durable = {.sql =
                                            "SELECT set_config('synchronous_commit', 'on', false) "
                                            "WHERE current_setting('synchronous_commit') = 'off'"};
    enum sl_status status = sl_postgres_query(&p->db, &clock, err);

    p->offset = theirs - (before + (ours() - before) / 2);
    if (status == SL_OK) {
        status = sl_postgres_query(&p->db, &durable, err);
    }
    /* 0 would be: for ever. */
    (void)snprintf(wait, sizeof(wait), "%d", params->wait_ms > 0 ? params->wait_ms : 1);
    if (status == SL_OK) {
        status = sl_postgres_query(
            &p->db,
            &(const struct sl_db_query){.sql = "SELECT set_config('lock_timeout', $1, false)",
                                        .args = (const struct sl_db_value[]){sl_db_text(wait)},
                                        .arg_count = 1},
            err);
    }
    if (status == SL_OK && params->read_only) {
        status = sl_postgres_simple(p, "SET default_transaction_read_only = on", err);
    }
    return status;
}

enum sl_status sl_postgres_connect(struct sl_db **out, const struct sl_db_params *params,
                                   struct sl_error *err)
{
    struct sl_postgres *p = sl_alloc_zero(sizeof(*p));
    enum sl_status status;

    *out = NULL;
    if (!p) {
        return sl_fail_memory(err);
    }
    p->db.ops = &sl_db_postgres;
    p->name = params->name;
    p->wait_ms = params->wait_ms;
    p->conn = sl_postgres_start(params);
    status = p->conn ? wait_connected(p->conn, params, err) : sl_fail_memory(err);
    if (status == SL_OK && PQsetnonblocking(p->conn, 1) < 0) {
        status = sl_postgres_connect_failed(p->conn, params->name, err);
    }
    if (status == SL_OK) {
        (void)PQsetErrorVerbosity(p->conn, PQERRORS_TERSE);
        status = set_up(p, params, err);
    }
    if (status != SL_OK) {
        sl_postgres_close(&p->db);
        return status;
    }
    *out = &p->db;
    return SL_OK;
}

void sl_postgres_close(struct sl_db *db)
{
    struct sl_postgres *p = (struct sl_postgres *)db;

    PQfinish(p->conn);
    sl_free(p);
}
