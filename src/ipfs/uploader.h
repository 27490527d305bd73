/* SPDX-License-Identifier: BSD-2-Clause */
/* Works off the queue of uploads that stands in a registry (registry/registry.h): one thread, with
 * a connection to the registry, a handle of the store and one to the node of its own, that holds
 * one object at a time. Nobody ever waits for it who does not ask to. docs/ipfs.md. */
#ifndef SL_IPFS_UPLOADER_H
#define SL_IPFS_UPLOADER_H

#include <sluice/log.h>

#include "base/pool.h"

struct sl_uploader_params {
    const char *url;      /* of the node; the queue knows it by sl_ipfs_name_of */
    const char *store;    /* directory */
    const char *registry; /* as for sl_registry_open */
    const char *run;      /* whose uploads; NULL: of all runs */
    int64_t timeout_ms;   /* of the node, without a byte */
    const struct sl_log *log;
};

struct sl_uploader;

/* Starts it. Store, registry and node need not be in reach. SL_EINVAL: no address of a node;
 * SL_EUNSUPPORTED: there is no module for it. */
SL_NODISCARD enum sl_status sl_uploader_open(struct sl_uploader **out,
                                             const struct sl_uploader_params *params,
                                             struct sl_error *err);
/* Something was queued. Any thread. */
void sl_uploader_wake(struct sl_uploader *u);
/* Tries at once what was put off, and waits until nothing is queued any more (true), or for
 * wait_ms, or until stop is set. Any thread. */
bool sl_uploader_drain(struct sl_uploader *u, int64_t wait_ms, const struct sl_cancel *stop);
/* Cuts off what is on its way, which the next one begins again. */
void sl_uploader_close(struct sl_uploader **out);

#endif
