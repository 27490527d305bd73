/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <sluice/serve.h>

#include "api/params.h"
#include "api/serve_media.h"
#include "base/error.h"
#include "base/rational.h"
#include "serve/server.h"

const struct sl_option *sl_serve_options(void)
{
    return sl_serve_table();
}

enum sl_status sl_serve_params_default(struct sl_serve_params *params, uint32_t size,
                                       struct sl_error *err)
{
    return sl_params_default(sl_serve_table(), params, size, sizeof *params, err);
}

/* Fields can be set without sl_options_set, which checks them by the same table. */
static enum sl_status check_numbers(const struct sl_serve_params *params, struct sl_error *err)
{
    for (const struct sl_option *o = sl_serve_table(); o->key; o++) {
        int64_t value;

        if (o->type != SL_OPTION_INT) {
            continue;
        }
        memcpy(&value, (const char *)params + o->offset, sizeof value);
        if (value < o->min || value > o->max) {
            return sl_fail(err, SL_EINVAL, o->key, "%lld is not within %lld to %lld",
                           (long long)value, (long long)o->min, (long long)o->max);
        }
    }
    return SL_OK;
}

static bool is_text(const char *field, size_t size)
{
    return field[0] != '\0' && memchr(field, '\0', size) != NULL;
}

static bool is_terminated(const struct sl_serve_params *p)
{
    if (!memchr(p->root, '\0', sizeof p->root)) { /* the one text that has no option */
        return false;
    }
    for (const struct sl_option *o = sl_serve_table(); o->key; o++) {
        if (o->type == SL_OPTION_STRING &&
            !memchr((const char *)p + o->offset, '\0', o->capacity)) {
            return false;
        }
    }
    return true;
}

enum sl_status sl_server_open(struct sl_server **out, const struct sl_serve_params *params,
                              const struct sl_log *log, struct sl_error *err)
{
    struct sl_media_engine engine;
    enum sl_status status;

    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    status = sl_params_check(params, sizeof *params, "sl_serve_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    *out = NULL;
    if (!is_terminated(params)) {
        return sl_fail(err, SL_EINVAL, NULL, "a text in the settings has no end");
    }
    if (!params->root[0] && !params->media[0] && !params->store[0] &&
        params->allow_source_count == 0) {
        return sl_fail(err, SL_EINVAL, "root", "a directory is expected");
    }
    if (!is_text(params->listen, sizeof params->listen)) {
        return sl_fail(err, SL_EINVAL, "listen", "an address is expected");
    }
    status = check_numbers(params, err);
    if (status == SL_OK && !sl_rational_valid(params->source_timeout)) {
        status = sl_fail(err, SL_EINVAL, "source-timeout", "a time above 0 seconds is expected");
    }
    if (status == SL_OK) {
        const struct sl_origins_params origins = {
            .memory = params->allow_source_count > 0 ? params->source_memory << 20 : 0,
            .timeout = sl_muldiv(params->source_timeout.num, 1000, params->source_timeout.den,
                                 SL_ROUND_UP),
            .private_too = params->allow_source_private != 0,
        };

        status = sl_serve_media_engine(&engine, &origins, log, err);
    }
    return status == SL_OK ? sl_serve_open(out, params, &engine, log, err) : status;
}

uint16_t sl_server_port(const struct sl_server *server)
{
    return server ? server->port : 0;
}

enum sl_status sl_server_run(struct sl_server *server, struct sl_error *err)
{
    if (!server) {
        return sl_fail(err, SL_EINVAL, NULL, "sl_server_run needs a server");
    }
    return sl_serve_run(server, err);
}

void sl_server_stop(struct sl_server *server)
{
    if (server) {
        sl_serve_stop(server);
    }
}

void sl_server_destroy(struct sl_server **server)
{
    if (server) {
        sl_serve_destroy(server);
    }
}
