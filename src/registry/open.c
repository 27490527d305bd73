/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/module.h"
#include "registry/internal.h"

#define WHERE_MAX   4096
#define WAIT_MS_MAX 600000

struct sl_registry_watch {
    const struct sl_db_ops *ops;
    struct sl_db_watch *watch;
};

static bool is_url(const char *where)
{
    return strncasecmp(where, "postgres://", 11) == 0 ||
           strncasecmp(where, "postgresql://", 13) == 0;
}

enum sl_status sl_registry_engine(const char *where, const struct sl_db_ops **out,
                                  struct sl_error *err)
{
    const bool url = is_url(where);
    const void *symbol = NULL;
    enum sl_status status;

    *out = NULL;
    if (!url && strstr(where, "://")) {
        return sl_fail(err, SL_EINVAL, "registry",
                       "expected the path of a file or postgres://…, found another scheme");
    }
    status = sl_module_symbol(url ? SL_DB_POSTGRES_MODULE : SL_DB_SQLITE_MODULE,
                              url ? SL_DB_POSTGRES_SYMBOL : SL_DB_SQLITE_SYMBOL, &symbol, err);
    *out = symbol;
    return status;
}

char *sl_registry_of_store(const char *store, const char *registry)
{
    return registry && registry[0] ? sl_strdup(registry) : sl_format("%s/registry.sqlite", store);
}

char *sl_registry_safe_name(const char *where)
{
    char *name = sl_strdup(where);
    char *user, *at, *colon;

    if (!name || !is_url(name)) {
        return name;
    }
    name[strcspn(name, "?#")] = 0; /* ?password= */
    user = strstr(name, "://") + 3;
    at = strrchr(user, '@');
    colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (colon) {
        memmove(colon, at, strlen(at) + 1);
    }
    return name;
}

static enum sl_status check_where(const char *where, const struct sl_registry_params *params,
                                  struct sl_error *err)
{
    if (!where || !where[0] || strlen(where) >= WHERE_MAX) {
        return sl_fail(err, SL_EINVAL, "registry",
                       "expected the path of a file or postgres://… of up to %d bytes",
                       WHERE_MAX - 1);
    }
    if (params->wait_ms < 0 || params->wait_ms > WAIT_MS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "wait_ms is %d (0 to %d)", params->wait_ms,
                       WAIT_MS_MAX);
    }
    return SL_OK;
}

static const struct sl_registry_params defaults = {.wait_ms = SL_REGISTRY_WAIT_MS, .create = true};

static enum sl_status look(struct sl_registry *r, void *arg, struct sl_error *err)
{
    bool *stale = arg;
    enum sl_status status = sl_schema_check(r, err);

    *stale = status == SL_EAGAIN;
    return *stale ? SL_OK : status;
}

static enum sl_status migrate(struct sl_registry *r, void *arg, struct sl_error *err)
{
    return sl_schema_migrate(r, SL_SCHEMA_VERSION, arg, err);
}

enum sl_status sl_registry_open_with(struct sl_registry **out, const struct sl_db_ops *ops,
                                     const char *where, const struct sl_registry_params *params,
                                     struct sl_error *err)
{
    struct sl_registry *r;
    bool stale = false;
    enum sl_status status;

    *out = NULL;
    params = params ? params : &defaults;
    status = check_where(where, params, err);
    if (status != SL_OK) {
        return status;
    }
    r = sl_alloc_zero(sizeof(*r));
    if (r) {
        r->where = sl_strdup(where);
        r->name = sl_registry_safe_name(where);
    }
    if (!r || !r->where || !r->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    r->ops = ops;
    r->log = params->log;
    r->params = (struct sl_db_params){.where = r->where,
                                      .name = r->name,
                                      .wait_ms = params->wait_ms,
                                      .create = params->create && !params->read_only,
                                      .read_only = params->read_only};
    /* Looked at first: a registry that is as it should be is opened without a lock. */
    status = sl_registry_transact(r, SL_DB_READ, look, &stale, err);
    if (status == SL_OK && stale) {
        status = params->read_only
                     ? sl_fail(err, SL_EUNSUPPORTED, r->name,
                               "is empty or of an older Sluice, and cannot be brought up to date "
                               "when opened for reading alone")
                     : sl_registry_transact(r, SL_DB_MIGRATE, migrate, &stale, err);
    }
    if (status != SL_OK) {
        goto out;
    }
    *out = r;
    return SL_OK;
out:
    sl_registry_close(&r);
    return status;
}

enum sl_status sl_registry_open(struct sl_registry **out, const char *where,
                                const struct sl_registry_params *params, struct sl_error *err)
{
    const struct sl_db_ops *ops = NULL;
    enum sl_status status = check_where(where, params ? params : &defaults, err);

    *out = NULL;
    if (status == SL_OK) {
        status = sl_registry_engine(where, &ops, err);
    }
    return status == SL_OK ? sl_registry_open_with(out, ops, where, params, err) : status;
}

void sl_registry_close(struct sl_registry **r)
{
    if (!r || !*r) {
        return;
    }
    if ((*r)->db) {
        (*r)->ops->close((*r)->db);
    }
    sl_free((*r)->where);
    sl_free((*r)->name);
    sl_free(*r);
    *r = NULL;
}

const char *sl_registry_name(const struct sl_registry *r)
{
    return r->name;
}

/* ---- being told ------------------------------------------------------------------------- */

enum sl_status sl_registry_watch_open(struct sl_registry_watch **out, const char *where,
                                      const struct sl_registry_params *params, struct sl_error *err)
{
    struct sl_registry_watch *w = NULL;
    struct sl_db_params db = {.where = where, .read_only = true};
    const struct sl_db_ops *ops = NULL;
    char *name = NULL;
    enum sl_status status;

    *out = NULL;
    params = params ? params : &defaults;
    status = check_where(where, params, err);
    if (status == SL_OK) {
        status = sl_registry_engine(where, &ops, err);
    }
    if (status != SL_OK) {
        return status;
    }
    w = sl_alloc_zero(sizeof(*w));
    name = sl_registry_safe_name(where);
    if (!w || !name) {
        status = sl_fail_memory(err);
        goto out;
    }
    db.name = name;
    db.wait_ms = params->wait_ms;
    w->ops = ops;
    status = ops->watch_open(&w->watch, &db, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = w;
    w = NULL;
out:
    sl_free(name);
    sl_free(w);
    return status;
}

int sl_registry_watch_fd(const struct sl_registry_watch *w)
{
    return w->ops->watch_fd(w->watch);
}

enum sl_status sl_registry_watch_read(struct sl_registry_watch *w,
                                      void (*tell)(void *opaque,
                                                   const struct sl_registry_change *change),
                                      void *opaque, struct sl_error *err)
{
    return w->ops->watch_read(w->watch, tell, opaque, err);
}

void sl_registry_watch_close(struct sl_registry_watch **w)
{
    if (!w || !*w) {
        return;
    }
    (*w)->ops->watch_close((*w)->watch);
    sl_free(*w);
    *w = NULL;
}
