/* SPDX-License-Identifier: BSD-2-Clause */
/* One POST after another to one server, over libcurl: module ipfs-post, opened at first need
 * (base/module.h). It knows nothing of IPFS but the form of its requests: arguments in the query,
 * at most one file as multipart/form-data (RFC 7578). */
#ifndef SL_IPFS_POST_H
#define SL_IPFS_POST_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "base/bytes.h"
#include "base/pool.h"

#define SL_IPFS_MODULE "ipfs-post"
#define SL_IPFS_SYMBOL "sl_ipfs_post"

struct sl_ipfs_post_params {
    const char *url;  /* with user and password, where there are any; http or https */
    const char *name; /* for messages */
    int64_t connect_ms;
    int64_t stall_ms;               /* without a byte in either direction */
    const struct sl_cancel *cancel; /* looked at ten times a second; may be NULL */
    /* Called about as often, while a call goes on. May be NULL. */
    void (*tick)(void *opaque);
    void *tick_opaque;
};

struct sl_ipfs_post_call {
    const char *path; /* "/api/v0/pin/ls?arg=…" */
    /* The file, pulled: *got 0 at its end. NULL: the request has no body. */
    enum sl_status (*read)(void *opaque, void *dst, size_t size, size_t *got, struct sl_error *err);
    void *opaque;
    int64_t whole_ms; /* for all of it */
    /* Where the answer goes: more than its maximum is SL_EDATA. */
    struct sl_writer *answer;
    long code; /* set: the status of the answer */
    /* Set: the field X-Stream-Error, which comes behind an answer whose status was good before it
     * failed. "": there is none. */
    char stream_error[200];
};

struct sl_ipfs_post;

struct sl_ipfs_post_ops {
    enum sl_status (*open)(struct sl_ipfs_post **out, const struct sl_ipfs_post_params *params,
                           struct sl_error *err);
    /* SL_OK: there is an answer, whatever its status. SL_EBUSY: there is none (no connection, cut,
     * too slow), which may pass. SL_ECANCELLED. What read came to. */
    enum sl_status (*call)(struct sl_ipfs_post *p, struct sl_ipfs_post_call *call,
                           struct sl_error *err);
    void (*close)(struct sl_ipfs_post **p);
};
extern SL_API const struct sl_ipfs_post_ops sl_ipfs_post;

#endif
