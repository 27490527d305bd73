/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the store, over HTTP: https://specs.ipfs.tech/http-gateways/path-gateway/ */
#ifndef SL_SERVE_GATEWAY_H
#define SL_SERVE_GATEWAY_H

#include "serve/depot.h"
#include "serve/gateway_path.h"
#include "serve/site.h"

#define SL_GATEWAY_DEPTH SL_CAS_DEPTH_MAX

/* What a path leads to. */
struct sl_gateway_target {
    struct sl_cid cid;
    struct sl_cid roots[SL_GATEWAY_DEPTH]; /* of each component, the CID itself first */
    size_t root_count;
};

/* Follows path through directories; what it ends at need not be there. SL_ENOTFOUND where there is
 * no such entry, SL_EUNSUPPORTED where it leads into what is no plain directory. */
SL_NODISCARD enum sl_status sl_gateway_resolve(struct sl_cas *cas, const struct sl_gateway_ask *ask,
                                               struct sl_gateway_target *out, struct sl_error *err);
/* Fills reply; what has to be streamed is a job. ask is complete. */
void sl_gateway_answer(const struct sl_site *site, const struct sl_visit *visit,
                       const struct sl_gateway_ask *ask, struct sl_reply *reply);
/* 404, 400, 412, 500 or 503, with its reason. */
void sl_gateway_fail(const struct sl_site *site, const struct sl_request *r,
                     const struct sl_gateway_ask *ask, enum sl_status status,
                     const struct sl_error *err, struct sl_reply *reply);

/* ---- gateway_page.c ------------------------------------------------------------------------- */

/* The media type of bytes without a name, by their beginning; never one that a browser would run.
 */
const char *sl_gateway_sniff(const uint8_t *data, size_t size);
/* A directory as a page. path: decoded, for people; carry: a query for its links, or "". */
void sl_gateway_page(const struct sl_cas_list *list, const struct sl_gateway_ask *ask,
                     const char *carry, struct sl_writer *out);
/* "Content-Disposition: …\r\n", RFC 6266; name "": none. */
void sl_gateway_disposition(struct sl_writer *out, bool attachment, const char *name);

/* ---- gateway_car.c -------------------------------------------------------------------------- */

/* The blocks of a target, and of what leads to it, as a stream. */
SL_NODISCARD enum sl_status sl_gateway_car(struct sl_job **out, struct sl_depot *d,
                                           const struct sl_gateway_ask *ask,
                                           const struct sl_gateway_target *target,
                                           struct sl_error *err);

#endif
