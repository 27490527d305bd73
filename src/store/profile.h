/* SPDX-License-Identifier: BSD-2-Clause */
/* How files are cut into blocks. The profile decides the CID, so it is recorded with what is made,
 * and never taken from a node's defaults. */
#ifndef SL_STORE_PROFILE_H
#define SL_STORE_PROFILE_H

#include <stdint.h>

#include <sluice/store.h>

struct sl_profile {
    const char *name;
    uint32_t chunk; /* bytes in a leaf */
    uint32_t width; /* links in a node */
    uint8_t cid_version;
    uint8_t raw_leaves; /* 1: leaves are raw blocks; 0: dag-pb nodes */
};

#define SL_PROFILE_WIDTH_MAX 1024
#define SL_PROFILE_CHUNK_MAX (1u << 20)

const struct sl_profile *sl_profile_get(enum sl_store_profile profile);

#endif
