/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses on the web that somebody else named, as sources for segments on demand (vod.h). See
 * docs/proxy.md. */
#ifndef SL_PIPELINE_ORIGIN_H
#define SL_PIPELINE_ORIGIN_H

#include "base/pool.h"
#include "media/stage.h"

#define SL_ORIGIN_FIELDS_MAX 16

/* What all addresses share. */
struct sl_origins;
struct sl_origins_params {
    int64_t memory;   /* bytes of what origins sent that are kept */
    int64_t timeout;  /* milliseconds without a byte */
    bool private_too; /* what is connected to need not be public */
};
SL_NODISCARD enum sl_status sl_origins_create(struct sl_origins **out,
                                              const struct sl_origins_params *params,
                                              struct sl_error *err);
void sl_origins_destroy(struct sl_origins **origins); /* no address may be open; NULL is fine */

/* One address, in the version that was there when it was opened. */
struct sl_origin;
struct sl_origin_params {
    const char *url;
    const char *name; /* for messages: no secrets */
    const char *field_names[SL_ORIGIN_FIELDS_MAX], *field_values[SL_ORIGIN_FIELDS_MAX];
    size_t field_count;
    bool (*allowed)(const void *opaque, const char *url); /* redirects; outlives the origin */
    const void *allowed_opaque;
    const struct sl_cancel *cancel; /* outlives the origin */
};
/* *fault: as sl_origin_fault, set where this fails. */
SL_NODISCARD enum sl_status sl_origin_open(struct sl_origin **out, struct sl_origins *origins,
                                           const struct sl_origin_params *params, int *fault,
                                           struct sl_error *err);
void sl_origin_destroy(struct sl_origin **origin); /* no source of it may be left; NULL is fine */
/* sl_vod_params.open, with the origin as its opaque. Thread-safe. */
SL_NODISCARD enum sl_status sl_origin_source(void *origin, struct sl_source **out,
                                             struct sl_error *err);
/* Differs from version to version, as far as the server tells them apart. */
const char *sl_origin_revision(const struct sl_origin *origin);
/* 0, or the status of HTTP that tells others what went wrong first: 403 not allowed, 404, 502, 504.
 * From then on it is of no more use. Thread-safe. */
int sl_origin_fault(const struct sl_origin *origin);

#endif
