/* SPDX-License-Identifier: BSD-2-Clause */
/* The balanced tree of a file while its leaves come: memory is one row of links for each level. */
#ifndef SL_STORE_TREE_H
#define SL_STORE_TREE_H

#include "store/dag.h"
#include "store/hash.h"
#include "store/profile.h"

#define SL_TREE_LEVELS 8 /* 174 to the eighth leaves are more than SL_CAS_FILE_MAX has */

struct sl_tree {
    const struct sl_profile *profile;
    struct sl_hasher *hasher;
    /* Takes each inner node, children before parents: the root is the last. */
    enum sl_status (*node)(void *opaque, const struct sl_cid *cid, const uint8_t *block,
                           size_t size, struct sl_error *err);
    void *opaque;
    struct sl_writer block;
    struct {
        struct sl_dag_link *links; /* profile->width of them */
        size_t count;
        uint64_t made; /* of this level in all */
    } levels[SL_TREE_LEVELS];
};

/* profile, hasher, node and opaque are set by the owner, all else is zero. */
SL_NODISCARD enum sl_status sl_tree_leaf(struct sl_tree *t, const struct sl_dag_link *leaf,
                                         struct sl_error *err);
/* After the last leaf, of which there must be one at least: one leaf is its own root. */
SL_NODISCARD enum sl_status sl_tree_finish(struct sl_tree *t, struct sl_dag_link *root,
                                           struct sl_error *err);
void sl_tree_clear(struct sl_tree *t);

#endif
