/* SPDX-License-Identifier: BSD-2-Clause */
/* The small SQL layer below the registry: what SQLite and PostgreSQL have to do for it, and all in
 * which they differ. Every statement is a constant text in the SQL that both know, with parameters
 * $1, $2, …; nothing from outside is ever part of a text. Integers are 64 bits, all else is text.
 * The engines are modules (modules/meson.build): libpq's and SQLite's libraries cost more at each
 * start than the command itself. */
#ifndef SL_REGISTRY_DB_H
#define SL_REGISTRY_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "registry/registry.h"

#define SL_DB_SQLITE_MODULE   "registry-sqlite"
#define SL_DB_SQLITE_SYMBOL   "sl_db_sqlite"
#define SL_DB_POSTGRES_MODULE "registry-postgres"
#define SL_DB_POSTGRES_SYMBOL "sl_db_postgres"

#define SL_DB_ARGS_MAX    24
#define SL_DB_COLUMNS_MAX 24

enum sl_db_type { SL_DB_NULL, SL_DB_INTEGER, SL_DB_TEXT };

/* A parameter, or a column of a row: text is terminated, and lives until the row function returns.
 */
struct sl_db_value {
    enum sl_db_type type;
    int64_t integer;
    const char *text;
    size_t size;
};

struct sl_db_query {
    const char *sql; /* static: statements may be kept by its address */
    const struct sl_db_value *args;
    size_t arg_count;
    /* For each row; anything but SL_OK ends the query with it. NULL: rows are not looked at. */
    enum sl_status (*row)(void *opaque, const struct sl_db_value *columns, struct sl_error *err);
    void *opaque;
    size_t columns; /* that row expects */
};

enum sl_db_mode {
    SL_DB_READ,    /* one snapshot */
    SL_DB_WRITE,   /* rows that were updated stay as they are until the end */
    SL_DB_MIGRATE, /* alone: no other migrates at the same time */
};

struct sl_db_params {
    const char *where;
    const char *name; /* for messages */
    int wait_ms;
    bool create, read_only;
    bool again; /* it was there before: what is missing now may come back (SL_EBUSY) */
};

/* A word of the schema's texts that is not the same for both. */
struct sl_db_word {
    const char *word; /* "@json" */
    const char *text;
};

struct sl_db {
    const struct sl_db_ops *ops;
    /* Set by the engine with SL_EBUSY: nothing more will come of this connection. Close it, and
     * connect again. */
    bool lost;
};

struct sl_db_watch;

/* Errors are those of registry.h, SL_EBUSY above all. Nothing waits longer than wait_ms, but for
 * what the disk or a server that has the statement takes. */
struct sl_db_ops {
    const char *name;
    const struct sl_db_word *words; /* ended by word NULL */
    const char *has_schema;         /* a statement: how many tables are called sluice_schema */
    enum sl_status (*connect)(struct sl_db **out, const struct sl_db_params *params,
                              struct sl_error *err);
    void (*close)(struct sl_db *db); /* rolls back */
    enum sl_status (*begin)(struct sl_db *db, enum sl_db_mode mode, struct sl_error *err);
    /* SL_EBUSY with lost: it may have come to pass. */
    enum sl_status (*commit)(struct sl_db *db, struct sl_error *err);
    void (*rollback)(struct sl_db *db);
    enum sl_status (*query)(struct sl_db *db, const struct sl_db_query *query,
                            struct sl_error *err);
    /* Several statements without parameters: the schema. */
    enum sl_status (*script)(struct sl_db *db, const char *sql, struct sl_error *err);
    /* Tells watches, once the transaction at hand is visible. */
    enum sl_status (*changed)(struct sl_db *db, const char *run, int64_t revision,
                              struct sl_error *err);
    int64_t (*now)(struct sl_db *db); /* the server's clock */

    enum sl_status (*watch_open)(struct sl_db_watch **out, const struct sl_db_params *params,
                                 struct sl_error *err);
    int (*watch_fd)(const struct sl_db_watch *w);
    enum sl_status (*watch_read)(struct sl_db_watch *w,
                                 void (*tell)(void *opaque,
                                              const struct sl_registry_change *change),
                                 void *opaque, struct sl_error *err);
    void (*watch_close)(struct sl_db_watch *w);
};

/* What the modules export. */
extern SL_API const struct sl_db_ops sl_db_sqlite;
extern SL_API const struct sl_db_ops sl_db_postgres;

/* What parameters are made with. */
static inline struct sl_db_value sl_db_integer(int64_t v)
{
    return (struct sl_db_value){.type = SL_DB_INTEGER, .integer = v};
}
struct sl_db_value sl_db_text(const char *text);     /* NULL: NULL */
struct sl_db_value sl_db_time(int64_t microseconds); /* SL_NO_TIME: NULL */

#endif
