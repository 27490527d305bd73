/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of module registry-sqlite share. */
#ifndef SL_REGISTRY_SQLITE_H
#define SL_REGISTRY_SQLITE_H

#include <sqlite3.h>

#include "registry/db.h"

#define SL_SQLITE_STATEMENTS_MAX 64

struct sl_sqlite {
    struct sl_db db; /* first */
    sqlite3 *handle;
    const char *name; /* params': outlives this */
    int wait_ms;
    struct sl_sqlite_statement {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[SL_SQLITE_STATEMENTS_MAX];
    size_t statement_count;
};

SL_NODISCARD enum sl_status sl_sqlite_connect(struct sl_db **out, const struct sl_db_params *params,
                                              struct sl_error *err);
void sl_sqlite_close(struct sl_db *db);
SL_NODISCARD enum sl_status sl_sqlite_query(struct sl_db *db, const struct sl_db_query *query,
                                            struct sl_error *err);
/* The file is not (any more) where it was opened. */
bool sl_sqlite_has_moved(const struct sl_sqlite *s);

/* The watch's table, and how many changes of late it holds. */
#define SL_SQLITE_CHANGES_MAX 1000

SL_NODISCARD enum sl_status sl_sqlite_watch_open(struct sl_db_watch **out,
                                                 const struct sl_db_params *params,
                                                 struct sl_error *err);
int sl_sqlite_watch_fd(const struct sl_db_watch *w);
SL_NODISCARD enum sl_status
sl_sqlite_watch_read(struct sl_db_watch *w,
                     void (*tell)(void *opaque, const struct sl_registry_change *change),
                     void *opaque, struct sl_error *err);
void sl_sqlite_watch_close(struct sl_db_watch *w);

#endif
