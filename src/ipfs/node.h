/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share. */
#ifndef SL_IPFS_NODE_H
#define SL_IPFS_NODE_H

#include "ipfs/answer.h"
#include "ipfs/ipfs.h"
#include "ipfs/post.h"

enum sl_ipfs_imports { SL_IPFS_UNKNOWN, SL_IPFS_IMPORTS, SL_IPFS_ADDS };

struct sl_ipfs {
    char name[SL_IPFS_NAME_MAX];
    const struct sl_ipfs_post_ops *ops;
    struct sl_ipfs_post *post;
    int64_t timeout_ms;
    const struct sl_log *log;
    void (*tick)(void *opaque);
    void *tick_opaque;
    enum sl_ipfs_imports imports; /* whether it knows dag/import */
    struct sl_writer answer;      /* of the last call */
};

/* A file to be sent. */
struct sl_ipfs_body {
    enum sl_status (*read)(void *opaque, void *dst, size_t size, size_t *got, struct sl_error *err);
    void *opaque;
};

/* The call (without "/api/v0/"), with its time limit added to the query, here and for the node. */
SL_NODISCARD enum sl_status sl_ipfs_call(struct sl_ipfs *n, const char *call,
                                         const struct sl_ipfs_body *body, int64_t whole_ms,
                                         struct sl_ipfs_answer *out, struct sl_error *err);
/* Asks once for each connection to a node. */
SL_NODISCARD enum sl_status sl_ipfs_learn(struct sl_ipfs *n, struct sl_error *err);

#endif
