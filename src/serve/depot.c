/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/depot.h"

#include "base/alloc.h"
#include "base/error.h"
#include "serve/metrics.h"
#include "serve/runs.h"

#define READERS 2 /* workers that read the store for streams */

/* To read takes no right to write, and neither locks nor sweeps; but a server may be there before
 * the first run is. */
static enum sl_status open_store(struct sl_depot *d, const char *directory, struct sl_error *err)
{
    struct sl_error first = {0};
    enum sl_status status = sl_cas_open(&d->cas, directory, SL_CAS_READ_ONLY, d->log, &first);

    if (status == SL_ENOTFOUND) {
        return sl_cas_open(&d->cas, directory, SL_CAS_CREATE, d->log, err);
    }
    if (status != SL_OK && err) {
        *err = first;
    }
    return status;
}

enum sl_status sl_depot_open(struct sl_depot **out, const struct sl_depot_params *params,
                             const struct sl_log *log, struct sl_error *err)
{
    struct sl_depot *d = sl_alloc_zero(sizeof *d);
    enum sl_status status;

    *out = NULL;
    if (!d) {
        return sl_fail_memory(err);
    }
    sl_later_init(&d->later);
    d->log = log;
    status = open_store(d, params->store, err);
    if (status == SL_OK) {
        status = sl_later_pool_create(&d->readers, READERS, 0, err);
    }
    if (status == SL_OK && params->registry[0]) {
        status = sl_playout_open(&d->runs, &d->later, params->registry, log, err);
    }
    if (status != SL_OK) {
        sl_depot_close(&d);
    }
    *out = d;
    return status;
}

enum sl_status sl_depot_attach(struct sl_depot *d, struct event_base *base, struct sl_error *err)
{
    return d->runs ? sl_playout_attach(d->runs, base, err) : SL_OK;
}

void sl_depot_detach(struct sl_depot *d, const struct event_base *base)
{
    if (d) {
        sl_playout_detach(d->runs, base);
    }
}

void sl_depot_close(struct sl_depot **out)
{
    struct sl_depot *d = *out;

    *out = NULL;
    if (!d) {
        return;
    }
    sl_later_close(&d->later);
    sl_later_pool_destroy(&d->readers);
    sl_playout_close(&d->runs);
    sl_cas_close(&d->cas);
    sl_later_clear(&d->later);
    sl_free(d);
}

void sl_depot_write_metrics(struct sl_depot *d, struct sl_writer *out)
{
    if (d->runs) {
        sl_playout_write_metrics(d->runs, out);
    }
}
