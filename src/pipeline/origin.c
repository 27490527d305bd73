/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/origin.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "source/remote.h"

struct sl_origins {
    struct sl_origins_params params;
    struct sl_blocks *blocks;
};

struct sl_origin {
    struct sl_remote *remote;
    char revision[384];
};

enum sl_status sl_origins_create(struct sl_origins **out, const struct sl_origins_params *params,
                                 struct sl_error *err)
{
    struct sl_origins *o = sl_alloc_zero(sizeof *o);
    enum sl_status status;

    *out = NULL;
    if (!o) {
        return sl_fail_memory(err);
    }
    o->params = *params;
    status = sl_blocks_create(&o->blocks, (size_t)params->memory, err);
    if (status != SL_OK) {
        sl_origins_destroy(&o);
    }
    *out = o;
    return status;
}

void sl_origins_destroy(struct sl_origins **origins)
{
    struct sl_origins *o = *origins;

    *origins = NULL;
    if (o) {
        sl_blocks_destroy(&o->blocks);
        sl_free(o);
    }
}

static int http_status_of(enum sl_http_fault fault)
{
    switch (fault) {
    case SL_HTTP_FINE:
        return 0;
    case SL_HTTP_REFUSED:
        return 403;
    case SL_HTTP_MISSING:
        return 404;
    case SL_HTTP_TIMEOUT:
        return 504;
    default:
        return 502;
    }
}

enum sl_status sl_origin_open(struct sl_origin **out, struct sl_origins *origins,
                              const struct sl_origin_params *p, int *fault, struct sl_error *err)
{
    struct sl_http_field fields[SL_ORIGIN_FIELDS_MAX];
    struct sl_origin *o = sl_alloc_zero(sizeof *o);
    const struct sl_http_facts *facts;
    atomic_int why = SL_HTTP_FINE;
    struct sl_http_params params = {
        .url = p->url,
        .name = p->name,
        .fields = fields,
        .field_count = p->field_count,
        .guarded = true,
        .private_too = origins->params.private_too,
        .allowed = p->allowed,
        .allowed_opaque = p->allowed_opaque,
        .timeout = origins->params.timeout,
        .cancel = p->cancel,
        .fault = &why,
    };
    enum sl_status status;

    *out = NULL;
    if (!o) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < p->field_count; i++) {
        fields[i] = (struct sl_http_field){p->field_names[i], p->field_values[i]};
    }
    status = sl_remote_open(&o->remote, &params, origins->blocks, err);
    if (status != SL_OK) {
        *fault = http_status_of((enum sl_http_fault)atomic_load(&why));
        sl_free(o);
        return status;
    }
    facts = sl_remote_facts(o->remote);
    (void)snprintf(o->revision, sizeof o->revision, "%" PRId64 "\n%s\n%s", facts->size, facts->tag,
                   facts->modified);
    *out = o;
    return SL_OK;
}

void sl_origin_destroy(struct sl_origin **origin)
{
    struct sl_origin *o = *origin;

    *origin = NULL;
    if (o) {
        sl_remote_destroy(&o->remote);
        sl_free(o);
    }
}

enum sl_status sl_origin_source(void *origin, struct sl_source **out, struct sl_error *err)
{
    return sl_remote_source(((const struct sl_origin *)origin)->remote, out, err);
}

const char *sl_origin_revision(const struct sl_origin *o)
{
    return o->revision;
}

int sl_origin_fault(const struct sl_origin *o)
{
    return http_status_of(sl_remote_fault(o->remote));
}
