/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the registry share. */
#ifndef SL_REGISTRY_INTERNAL_H
#define SL_REGISTRY_INTERNAL_H

#include "registry/db.h"

struct sl_registry {
    const struct sl_db_ops *ops;
    struct sl_db *db; /* NULL: not connected, or no longer */
    struct sl_db_params params;
    const struct sl_log *log;
    char *where, *name; /* owned; params points to them */
};

/* ---- open.c ------------------------------------------------------------------------------ */

/* As sl_registry_open, with the engine in hand (tests link it). */
SL_NODISCARD enum sl_status sl_registry_open_with(struct sl_registry **out,
                                                  const struct sl_db_ops *ops, const char *where,
                                                  const struct sl_registry_params *params,
                                                  struct sl_error *err);
SL_NODISCARD enum sl_status sl_registry_engine(const char *where, const struct sl_db_ops **out,
                                               struct sl_error *err);
/* The URL without its password and query, or the path; sl_free it. */
char *sl_registry_safe_name(const char *where);

/* ---- schema.c ---------------------------------------------------------------------------- */

#define SL_SCHEMA_VERSION 2
/* Brings the schema to version (SL_SCHEMA_VERSION; less in tests) inside the transaction at hand.
 * *done: something was changed. */
SL_NODISCARD enum sl_status sl_schema_migrate(struct sl_registry *r, int version, bool *done,
                                              struct sl_error *err);
/* SL_EUNSUPPORTED where it is newer, SL_EAGAIN where migrations are missing. */
SL_NODISCARD enum sl_status sl_schema_check(struct sl_registry *r, struct sl_error *err);

/* ---- transaction.c ----------------------------------------------------------------------- */

/* Runs body in a transaction: connects where that is needed, commits where body returns SL_OK, and
 * runs it again, within wait_ms, where that failed for a reason that can pass. So body must start
 * from nothing each time, and do nothing a second time that has come to pass before. */
SL_NODISCARD enum sl_status
sl_registry_transact(struct sl_registry *r, enum sl_db_mode mode,
                     enum sl_status (*body)(struct sl_registry *r, void *arg, struct sl_error *err),
                     void *arg, struct sl_error *err);

struct sl_db_args {
    const struct sl_db_value *values;
    size_t count;
};
#define SL_ARGS(...)                                                                               \
    (struct sl_db_args)                                                                            \
    {                                                                                              \
        (const struct sl_db_value[]){__VA_ARGS__},                                                 \
            sizeof((const struct sl_db_value[]){__VA_ARGS__}) / sizeof(struct sl_db_value)         \
    }
#define SL_NO_ARGS                                                                                 \
    (struct sl_db_args)                                                                            \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

/* One statement whose rows, if any, are not looked at. */
SL_NODISCARD enum sl_status sl_registry_exec(struct sl_registry *r, const char *sql,
                                             struct sl_db_args args, struct sl_error *err);
/* Up to one row of integers: out[i] of those that are NULL is SL_NO_TIME. *found may be NULL:
 * SL_EDATA where there is no row. */
SL_NODISCARD enum sl_status sl_registry_integers(struct sl_registry *r, const char *sql,
                                                 struct sl_db_args args, int64_t *out,
                                                 size_t columns, bool *found, struct sl_error *err);
enum sl_status sl_registry_not_found(struct sl_registry *r, const char *run, struct sl_error *err);

/* ---- text.c ------------------------------------------------------------------------------ */

SL_NODISCARD enum sl_status sl_registry_check_id(const char *id, struct sl_error *err);
SL_NODISCARD enum sl_status sl_registry_check_name(const char *name, struct sl_error *err);
SL_NODISCARD enum sl_status sl_registry_check_cid(const char *cid, struct sl_error *err);
/* Printable ASCII, up to size bytes with the terminator. */
SL_NODISCARD enum sl_status sl_registry_check_word(const char *what, const char *word, size_t size,
                                                   struct sl_error *err);
/* One JSON object of up to max bytes. */
SL_NODISCARD enum sl_status sl_registry_check_json(const char *what, const char *json, size_t max,
                                                   struct sl_error *err);
/* Valid UTF-8 of printable characters and no more than fits, whatever text is. */
void sl_registry_clean(char *out, size_t size, const char *text);
/* A column into an array of this size; SL_EDATA where it does not fit. */
SL_NODISCARD enum sl_status sl_registry_take_text(char *out, size_t size,
                                                  const struct sl_db_value *column,
                                                  struct sl_error *err);
#define SL_TAKE_TEXT(array, column, err)                                                           \
    sl_registry_take_text((array), sizeof(array), (column), (err))

/* ---- writer.c: who writes ---------------------------------------------------------------- */

#define SL_WRITER_MAX 160
/* This process, with a random part that no other claim has. */
SL_NODISCARD enum sl_status sl_writer_self(char out[SL_WRITER_MAX], struct sl_error *err);
/* It is certain that the process has ended: of this boot of this machine, and not there. */
bool sl_writer_is_dead(const char *writer);

/* ---- claims.c ---------------------------------------------------------------------------- */

/* Holds the run's row for the rest of the transaction and extends the lease. SL_ECANCELLED: the
 * claim is not (or no longer) this one's. */
SL_NODISCARD enum sl_status sl_claim_hold(struct sl_registry *r,
                                          const struct sl_registry_claim *claim, int64_t *revision,
                                          struct sl_error *err);

/* ---- uploads.c --------------------------------------------------------------------------- */

SL_NODISCARD enum sl_status sl_uploads_check(const struct sl_registry_upload *uploads, size_t count,
                                             struct sl_error *err);
/* Inside of a transaction. run: "" for each upload's own. */
SL_NODISCARD enum sl_status sl_uploads_insert(struct sl_registry *r,
                                              const struct sl_registry_upload *uploads,
                                              size_t count, const char *run, struct sl_error *err);

#endif
