/* SPDX-License-Identifier: BSD-2-Clause */
/* CIDs with a number each. v0 and v1 of one node are one entry. Single owner. */
#ifndef SL_STORE_SET_H
#define SL_STORE_SET_H

#include "store/cid.h"

struct sl_cid_entry {
    struct sl_cid cid;
    bool used;
    int64_t value, extra;
};

/* Zeroed is empty; max must be set before the first entry. */
struct sl_cid_set {
    struct sl_cid_entry *slots;
    size_t capacity, count; /* capacity is a power of two, or 0 */
    size_t max;
};

/* *out is the entry, valid until the next add; *added says whether it is new (its numbers 0).
 * SL_ENOMEM: for memory or the maximum. */
SL_NODISCARD enum sl_status sl_cid_set_add(struct sl_cid_set *s, const struct sl_cid *cid,
                                           struct sl_cid_entry **out, bool *added,
                                           struct sl_error *err);
struct sl_cid_entry *sl_cid_set_find(const struct sl_cid_set *s, const struct sl_cid *cid);
void sl_cid_set_clear(struct sl_cid_set *s);

#endif
