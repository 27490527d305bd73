/* SPDX-License-Identifier: BSD-2-Clause */
/* A store as the public functions have it. */
#ifndef SL_API_STORE_H
#define SL_API_STORE_H

#include "store/store.h"

struct sl_store {
    struct sl_cas *cas;
    enum sl_store_profile profile;
    bool hidden;
};

void sl_store_describe(const struct sl_cas_info *from, struct sl_store_info *to);
/* A CID alone, for functions that take no path. */
SL_NODISCARD enum sl_status sl_store_parse(struct sl_cid *out, const char *cid,
                                           struct sl_error *err);

#endif
