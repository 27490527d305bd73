/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPFS node, spoken to by Kubo's RPC (https://docs.ipfs.tech/reference/kubo/rpc/), and the queue
 * of what it still has to get. docs/ipfs.md.
 *
 * What calls come to: SL_EBUSY, the node cannot be had right now (down, cut off, too slow); SL_EIO,
 * SL_EDATA, it refuses, or has made something else; SL_ENOTFOUND, SL_EDATA of the store where an
 * object is not there or damaged. */
#ifndef SL_IPFS_IPFS_H
#define SL_IPFS_IPFS_H

#include <sluice/log.h>

#include "base/pool.h"
#include "store/set.h"
#include "store/store.h"

#define SL_IPFS_NAME_MAX 256

struct sl_ipfs_params {
    const char *url;                /* "http://127.0.0.1:5001" */
    int64_t timeout_ms;             /* without a byte in either direction */
    const struct sl_cancel *cancel; /* may be NULL */
    /* At the begin of each call, and about ten times a second while one goes on. May be NULL. */
    void (*tick)(void *opaque);
    void *tick_opaque;
    const struct sl_log *log;
};

struct sl_ipfs;

/* What a node is called in messages and in the registry: its address without user, password and a
 * "/" at its end. SL_EINVAL where it is no address of http or https. */
SL_NODISCARD enum sl_status sl_ipfs_name_of(const char *url, char name[SL_IPFS_NAME_MAX],
                                            struct sl_error *err);
/* Opens the module; nothing is asked of the node yet. SL_EUNSUPPORTED: there is no module. */
SL_NODISCARD enum sl_status sl_ipfs_open(struct sl_ipfs **out, const struct sl_ipfs_params *params,
                                         struct sl_error *err);
void sl_ipfs_close(struct sl_ipfs **out);
const char *sl_ipfs_name(const struct sl_ipfs *n);

/* The object and all below it goes to the node under its own CID, and is pinned there. A file is
 * one request, and so is the node of each directory. Of its files those are not sent that the node
 * has pinned for themselves, or that are in there (may be NULL) unless it turns out to be without
 * them. profile: how a node that cannot import CARs is to make a file. */
SL_NODISCARD enum sl_status sl_ipfs_put(struct sl_ipfs *n, struct sl_cas *cas,
                                        const struct sl_cid *cid, enum sl_store_profile profile,
                                        const struct sl_cid_set *there, struct sl_error *err);
SL_NODISCARD enum sl_status sl_ipfs_pin(struct sl_ipfs *n, const struct sl_cid *cid,
                                        struct sl_error *err);
/* One that is not pinned is fine. */
SL_NODISCARD enum sl_status sl_ipfs_unpin(struct sl_ipfs *n, const struct sl_cid *cid,
                                          struct sl_error *err);
/* Whether it is pinned itself (not by what holds it). */
SL_NODISCARD enum sl_status sl_ipfs_pinned(struct sl_ipfs *n, const struct sl_cid *cid,
                                           bool *pinned, struct sl_error *err);

#endif
