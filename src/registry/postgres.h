/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of module registry-postgres share. */
#ifndef SL_REGISTRY_POSTGRES_H
#define SL_REGISTRY_POSTGRES_H

#include <libpq-fe.h>

#include "registry/db.h"

/* The channel of NOTIFY: "revision run". */
#define SL_POSTGRES_CHANNEL "sluice_runs"

struct sl_postgres {
    struct sl_db db; /* first */
    PGconn *conn;
    const char *name; /* params': outlives this */
    int wait_ms;
    int64_t offset; /* of the server's clock from ours */
};

int64_t sl_postgres_monotonic_ms(void);
/* Begins to connect, without waiting but for the resolver; NULL: memory ran out. */
PGconn *sl_postgres_start(const struct sl_db_params *params);
/* Ours: SL_EBUSY where it can pass, by the server's SQLSTATE in libpq's text. */
enum sl_status sl_postgres_connect_failed(PGconn *conn, const char *name, struct sl_error *err);
/* The first line of a text of libpq's, for messages. */
void sl_postgres_line(char *out, size_t size, const char *text);

SL_NODISCARD enum sl_status
sl_postgres_connect(struct sl_db **out, const struct sl_db_params *params, struct sl_error *err);
void sl_postgres_close(struct sl_db *db);
SL_NODISCARD enum sl_status sl_postgres_query(struct sl_db *db, const struct sl_db_query *query,
                                              struct sl_error *err);
/* Statements without parameters, waited for. */
SL_NODISCARD enum sl_status sl_postgres_simple(struct sl_postgres *p, const char *sql,
                                               struct sl_error *err);

SL_NODISCARD enum sl_status sl_postgres_watch_open(struct sl_db_watch **out,
                                                   const struct sl_db_params *params,
                                                   struct sl_error *err);
int sl_postgres_watch_fd(const struct sl_db_watch *w);
SL_NODISCARD enum sl_status
sl_postgres_watch_read(struct sl_db_watch *w,
                       void (*tell)(void *opaque, const struct sl_registry_change *change),
                       void *opaque, struct sl_error *err);
void sl_postgres_watch_close(struct sl_db_watch *w);

#endif
