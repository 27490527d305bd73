/* SPDX-License-Identifier: BSD-2-Clause */
/* What is behind /ipfs/ and /runs: the content store, the registry, and the workers that ask them.
 * docs/gateway.md, docs/runs-http.md */
#ifndef SL_SERVE_DEPOT_H
#define SL_SERVE_DEPOT_H

#include <sluice/log.h>

#include "base/bytes.h"
#include "serve/later.h"
#include "store/store.h"

struct sl_playout;

struct sl_depot {
    struct sl_later later;
    struct sl_cas *cas;
    struct sl_later_pool readers; /* of the store */
    struct sl_playout *runs;      /* NULL: none */
    const struct sl_log *log;
};

struct sl_depot_params {
    const char *store;    /* directory */
    const char *registry; /* file or address; "": none */
};

SL_NODISCARD enum sl_status sl_depot_open(struct sl_depot **out,
                                          const struct sl_depot_params *params,
                                          const struct sl_log *log, struct sl_error *err);
/* Begins and ends to watch the registry, in one loop for all of them. */
struct event_base;
SL_NODISCARD enum sl_status sl_depot_attach(struct sl_depot *d, struct event_base *base,
                                            struct sl_error *err);
void sl_depot_detach(struct sl_depot *d, const struct event_base *base); /* NULL is fine */
/* No port may be open. NULL and *NULL are fine. */
void sl_depot_close(struct sl_depot **out);
void sl_depot_write_metrics(struct sl_depot *d, struct sl_writer *out);

#endif
