/* SPDX-License-Identifier: BSD-2-Clause */
/* One resource on the web that is read in several places at once, in one version: whatever shows
 * that it is another one by now is a failure, so that no reader ever mixes two. */
#ifndef SL_SOURCE_REMOTE_H
#define SL_SOURCE_REMOTE_H

#include "source/blocks.h"
#include "source/http.h"

struct sl_remote;

/* Asks for the first bytes (see sl_source_http_ops.open). params: copied with what it points to,
 * but for allowed_opaque and cancel; known, facts and fault are not looked at, but that *fault is
 * set where opening fails. guarded is taken for granted. blocks must outlive the remote. */
SL_NODISCARD enum sl_status sl_remote_open(struct sl_remote **out,
                                           const struct sl_http_params *params,
                                           struct sl_blocks *blocks, struct sl_error *err);
/* No source of it may be left. NULL is fine. */
void sl_remote_destroy(struct sl_remote **remote);
/* One more place to read it in; asks for nothing until it is read. Thread-safe. */
SL_NODISCARD enum sl_status sl_remote_source(struct sl_remote *r, struct sl_source **out,
                                             struct sl_error *err);
const struct sl_http_facts *sl_remote_facts(const struct sl_remote *r);
/* The first thing that went wrong with it, for good: it is to be opened anew. Thread-safe. */
enum sl_http_fault sl_remote_fault(const struct sl_remote *r);

#endif
