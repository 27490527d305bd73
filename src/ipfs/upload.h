/* SPDX-License-Identifier: BSD-2-Clause */
/* One upload of the queue: what it comes to is the uploader's to note. */
#ifndef SL_IPFS_UPLOAD_H
#define SL_IPFS_UPLOAD_H

#include "ipfs/ipfs.h"
#include "registry/registry.h"

#define SL_UPLOAD_LEASE_MS                                                                         \
    30000                      /* renewed while it goes on; what a killed one had comes back then */
#define SL_UPLOAD_LATER_MS 500 /* of a directory whose files are still queued */

struct sl_upload {
    const char *store_name, *registry_name;
    int wait_ms; /* for the registry */
    const struct sl_log *log;
    struct sl_ipfs *node;
    struct sl_cas *cas;           /* NULL: not open yet */
    struct sl_registry *registry; /* the same */
    struct sl_registry_upload *current;
    int64_t renewed; /* monotonic ms */
};

/* Store and registry, where they are not open. */
SL_NODISCARD enum sl_status sl_upload_open(struct sl_upload *u, struct sl_error *err);
void sl_upload_close(struct sl_upload *u); /* but not the node */
/* SL_EAGAIN: it is the directory of a run that has other things queued, which go first. */
SL_NODISCARD enum sl_status
sl_upload_perform(struct sl_upload *u, struct sl_registry_upload *upload, struct sl_error *err);
/* Renews the lease of the one that is being performed. For struct sl_ipfs_params. */
void sl_upload_tick(void *upload);

#endif
