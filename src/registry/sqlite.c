/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry in a file. WAL, so that readers and the one writer do not wait for each other;
 * synchronous FULL, so that what was committed is on the disk. */
#include "registry/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

#define OPEN_RETRIES 20 /* of 25 ms: WAL is switched on without waiting for locks */

static const struct sl_db_word words[] = {
    {"@int", "INTEGER"},
    {"@key", "TEXT"},
    {"@json", "TEXT"},
    {"@identity", "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"},
    {"@strict", " STRICT"},
    {"@rows", " STRICT, WITHOUT ROWID"},
    /* What NOTIFY is on PostgreSQL: the watch reads from behind the last row that it has seen. */
    {"@changes", "CREATE TABLE changes (sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
                 "run TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"},
    {NULL, NULL},
};

static struct sl_sqlite *of(struct sl_db *db)
{
    return (struct sl_sqlite *)db;
}

bool sl_sqlite_has_moved(const struct sl_sqlite *s)
{
    int moved = 0;

    return sqlite3_file_control(s->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

static enum sl_status gone(struct sl_sqlite *s, struct sl_error *err)
{
    s->db.lost = true;
    return sl_fail(err, SL_EBUSY, s->name, "the database file is gone, or another took its place");
}

/* ---- errors ------------------------------------------------------------------------------ */

static enum sl_status failed(struct sl_sqlite *s, int code, struct sl_error *err)
{
    const char *text = s->handle ? sqlite3_errmsg(s->handle) : sqlite3_errstr(code);
    const int system = s->handle ? sqlite3_system_errno(s->handle) : 0;

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return sl_fail_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* the locks of WAL were not had in time */
        return sl_fail(err, SL_EBUSY, s->name, "the database is locked by another (waited %d ms)",
                       s->wait_ms);
    case SQLITE_FULL:
        return sl_fail(err, SL_EBUSY, s->name, "the disk is full");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return sl_fail(err, SL_EDATA, s->name, "is damaged, or no registry: %s", text);
    case SQLITE_READONLY:
        if (code == SQLITE_READONLY_DBMOVED) {
            return gone(s, err);
        }
        return sl_fail(err, SL_EIO, s->name, "cannot be written: %s", text);
    case SQLITE_IOERR:
        s->db.lost = true; /* whatever it was: another descriptor may fare better */
        if (system == ENOSPC || system == EDQUOT) {
            return sl_fail(err, SL_EBUSY, s->name, "the disk is full");
        }
        return sl_fail(err, SL_EIO, s->name, "%s (%s, error %d)", text, sqlite3_errstr(code),
                       system);
    case SQLITE_CONSTRAINT:
        return sl_fail(err, SL_EDATA, s->name, "%s", text);
    case SQLITE_TOOBIG:
        return sl_fail(err, SL_EINVAL, s->name, "%s", text);
    default:
        return sl_fail(err, SL_EIO, s->name, "%s", text);
    }
}

/* ---- statements -------------------------------------------------------------------------- */

static enum sl_status prepared(struct sl_sqlite *s, const char *sql, sqlite3_stmt **out, bool *kept,
                               struct sl_error *err)
{
    int code;

    *out = NULL;
    for (size_t i = 0; i < s->statement_count; i++) {
        if (s->statements[i].sql == sql) {
            *out = s->statements[i].statement;
            *kept = true;
            return SL_OK;
        }
    }
    *kept = s->statement_count < SL_SQLITE_STATEMENTS_MAX;
    code = sqlite3_prepare_v3(s->handle, sql, -1, *kept ? SQLITE_PREPARE_PERSISTENT : 0, out, NULL);
    if (code != SQLITE_OK) {
        return failed(s, code, err);
    }
    if (*kept) {
        s->statements[s->statement_count++] = (struct sl_sqlite_statement){sql, *out};
    }
    return SL_OK;
}

static int bind(sqlite3_stmt *statement, const struct sl_db_query *q)
{
    int code = SQLITE_OK;

    for (size_t i = 0; code == SQLITE_OK && i < q->arg_count; i++) {
        const struct sl_db_value *v = &q->args[i];
        char name[24];
        int index;

        (void)snprintf(name, sizeof(name), "$%zu", i + 1);
        index = sqlite3_bind_parameter_index(statement, name);
        if (index == 0) {
            return SQLITE_MISUSE;
        }
        if (v->type == SL_DB_INTEGER) {
            code = sqlite3_bind_int64(statement, index, v->integer);
        } else if (v->type == SL_DB_TEXT) {
            code =
                sqlite3_bind_text64(statement, index, v->text, v->size, SQLITE_STATIC, SQLITE_UTF8);
        } else {
            code = sqlite3_bind_null(statement, index);
        }
    }
    return code;
}

/* SL_ENOMEM where a column cannot be had. */
static enum sl_status hand_over(sqlite3_stmt *statement, const struct sl_db_query *q,
                                struct sl_error *err)
{
    struct sl_db_value columns[SL_DB_COLUMNS_MAX];
    const int count = sqlite3_column_count(statement);

    if ((size_t)count != q->columns || count > SL_DB_COLUMNS_MAX) {
        return sl_fail(err, SL_EDATA, "registry", "%d columns, expected %zu", count, q->columns);
    }
    for (int i = 0; i < count; i++) {
        const int type = sqlite3_column_type(statement, i);

        columns[i] = (struct sl_db_value){.type = SL_DB_NULL};
        if (type == SQLITE_INTEGER) {
            columns[i].type = SL_DB_INTEGER;
            columns[i].integer = sqlite3_column_int64(statement, i);
        } else if (type != SQLITE_NULL) {
            columns[i].type = SL_DB_TEXT;
            columns[i].text = (const char *)sqlite3_column_text(statement, i);
            columns[i].size = (size_t)sqlite3_column_bytes(statement, i);
            if (!columns[i].text) {
                return sl_fail_memory(err);
            }
        }
    }
    return q->row(q->opaque, columns, err);
}

enum sl_status sl_sqlite_query(struct sl_db *db, const struct sl_db_query *query,
                               struct sl_error *err)
{
    struct sl_sqlite *s = of(db);
    sqlite3_stmt *statement;
    bool kept = false;
    enum sl_status status = prepared(s, query->sql, &statement, &kept, err);
    int code;

    if (status != SL_OK) {
        return status;
    }
    code = bind(statement, query);
    if (code == SQLITE_OK) {
        while (status == SL_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
            status = query->row ? hand_over(statement, query, err) : SL_OK;
        }
    }
    if (status == SL_OK && code != SQLITE_DONE) {
        status = failed(s, code, err);
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement); /* they point to the caller's */
    if (!kept) {
        (void)sqlite3_finalize(statement);
    }
    return status;
}

static enum sl_status simple(struct sl_sqlite *s, const char *sql, struct sl_error *err)
{
    const struct sl_db_query q = {.sql = sql};

    return sl_sqlite_query(&s->db, &q, err);
}

static enum sl_status sqlite_script(struct sl_db *db, const char *sql, struct sl_error *err)
{
    int code = sqlite3_exec(of(db)->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? SL_OK : failed(of(db), code, err);
}

/* ---- the connection ---------------------------------------------------------------------- */

void sl_sqlite_close(struct sl_db *db)
{
    struct sl_sqlite *s = of(db);

    for (size_t i = 0; i < s->statement_count; i++) {
        (void)sqlite3_finalize(s->statements[i].statement);
    }
    (void)sqlite3_close_v2(s->handle);
    sl_free(s);
}

static enum sl_status take_mode(void *opaque, const struct sl_db_value *columns,
                                struct sl_error *err)
{
    bool *wal = opaque;

    (void)err;
    *wal = columns[0].type == SL_DB_TEXT && !strcmp(columns[0].text, "wal");
    return SL_OK;
}

static enum sl_status switch_to_wal(struct sl_sqlite *s, struct sl_error *err)
{
    const struct timespec pause = {0, 25000000};
    bool wal = false;
    const struct sl_db_query q = {
        .sql = "PRAGMA journal_mode = WAL", .row = take_mode, .opaque = &wal, .columns = 1};
    struct sl_error now;
    enum sl_status status = SL_EBUSY;

    for (int i = 0; status == SL_EBUSY && !s->db.lost && i < OPEN_RETRIES; i++) {
        now = (struct sl_error){.status = SL_OK};
        status = sl_sqlite_query(&s->db, &q, &now);
        if (status == SL_EBUSY && i + 1 < OPEN_RETRIES && i * 25 < s->wait_ms) {
            (void)nanosleep(&pause, NULL);
        } else {
            break;
        }
    }
    if (status != SL_OK) {
        if (err && err->status == SL_OK) {
            *err = now;
        }
        return status;
    }
    return wal ? SL_OK
               : sl_fail(err, SL_EUNSUPPORTED, s->name,
                         "SQLite cannot use WAL there (is it a network file system?)");
}

static enum sl_status set_up(struct sl_sqlite *s, const struct sl_db_params *params,
                             struct sl_error *err)
{
    enum sl_status status;

    (void)sqlite3_busy_timeout(s->handle, params->wait_ms);
    (void)sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    (void)sqlite3_db_config(s->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    (void)sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    (void)sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    status = params->read_only ? SL_OK : switch_to_wal(s, err);
    if (status == SL_OK) {
        status = simple(s, "PRAGMA synchronous = FULL", err);
    }
    return status == SL_OK ? simple(s, "PRAGMA foreign_keys = ON", err) : status;
}

/* What sqlite3_open would make of a missing file or a directory is told in its own words. */
static enum sl_status look_at_file(const struct sl_db_params *params, struct sl_error *err)
{
    struct stat st;

    if (stat(params->where, &st) == 0) {
        return S_ISREG(st.st_mode) ? SL_OK
                                   : sl_fail(err, SL_EINVAL, params->name,
                                             "is not a file, which a registry has to be");
    }
    if (errno == ENOENT && params->again) {
        return sl_fail(err, SL_EBUSY, params->name, "the database file is gone");
    }
    if (errno == ENOENT && params->create) {
        return SL_OK;
    }
    return errno == ENOENT ? sl_fail(err, SL_ENOTFOUND, params->name, "there is no registry")
                           : sl_fail_errno(err, errno, params->name, "open");
}

enum sl_status sl_sqlite_connect(struct sl_db **out, const struct sl_db_params *params,
                                 struct sl_error *err)
{
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (params->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                      (params->create ? SQLITE_OPEN_CREATE : 0);
    struct sl_sqlite *s = NULL;
    char *path = NULL;
    int code;
    enum sl_status status = look_at_file(params, err);

    *out = NULL;
    if (status != SL_OK) {
        return status;
    }
    s = sl_alloc_zero(sizeof(*s));
    /* So that no name is taken for an address ("file:") or for memory (":memory:"). */
    path = sl_format("%s%s", params->where[0] == '/' ? "" : "./", params->where);
    if (!s || !path) {
        status = sl_fail_memory(err);
        goto out;
    }
    s->db.ops = &sl_db_sqlite;
    s->name = params->name;
    s->wait_ms = params->wait_ms;
    code = sqlite3_open_v2(path, &s->handle, flags, NULL);
    if (code != SQLITE_OK) {
        status = failed(s, code, err);
        goto out;
    }
    status = set_up(s, params, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = &s->db;
    s = NULL;
out:
    if (s) {
        sl_sqlite_close(&s->db);
    }
    sl_free(path);
    return status;
}

static enum sl_status sqlite_begin(struct sl_db *db, enum sl_db_mode mode, struct sl_error *err)
{
    if (sl_sqlite_has_moved(of(db))) {
        return gone(of(db), err);
    }
    /* A writer takes its lock first: one that reads and then cannot write would have read in vain.
     */
    return simple(of(db), mode == SL_DB_READ ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static enum sl_status sqlite_commit(struct sl_db *db, struct sl_error *err)
{
    enum sl_status status = simple(of(db), "COMMIT", err);

    /* Into a file that nobody finds: it counts for nothing. */
    return status == SL_OK && sl_sqlite_has_moved(of(db)) ? gone(of(db), err) : status;
}

static void sqlite_rollback(struct sl_db *db)
{
    /* An error may have done it. */
    if (!sqlite3_get_autocommit(of(db)->handle) && simple(of(db), "ROLLBACK", NULL) != SL_OK) {
        db->lost = true;
    }
}

static enum sl_status sqlite_changed(struct sl_db *db, const char *run, int64_t revision,
                                     struct sl_error *err)
{
    const struct sl_db_value args[] = {sl_db_text(run), sl_db_integer(revision)};
    const struct sl_db_query insert = {
        .sql = "INSERT INTO changes (run, revision) VALUES ($1, $2)", .args = args, .arg_count = 2};
    enum sl_status status = sl_sqlite_query(db, &insert, err);
    struct sl_db_value last;

    if (status != SL_OK) {
        return status;
    }
    last = sl_db_integer(sqlite3_last_insert_rowid(of(db)->handle) - SL_SQLITE_CHANGES_MAX);
    return sl_sqlite_query(
        db,
        &(const struct sl_db_query){
            .sql = "DELETE FROM changes WHERE sequence <= $1", .args = &last, .arg_count = 1},
        err);
}

static int64_t sqlite_now(struct sl_db *db)
{
    struct timespec t;

    (void)db;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct sl_db_ops sl_db_sqlite = {
    .name = "sqlite",
    .words = words,
    .has_schema =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sluice_schema'",
    .connect = sl_sqlite_connect,
    .close = sl_sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .query = sl_sqlite_query,
    .script = sqlite_script,
    .changed = sqlite_changed,
    .now = sqlite_now,
    .watch_open = sl_sqlite_watch_open,
    .watch_fd = sl_sqlite_watch_fd,
    .watch_read = sl_sqlite_watch_read,
    .watch_close = sl_sqlite_watch_close,
};
