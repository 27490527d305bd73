/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/profile.h"

static const struct sl_profile profiles[] = {
    [SL_STORE_UNIXFS_V1_2025] = {"unixfs-v1-2025", 1u << 20, 1024, 1, 1},
    [SL_STORE_UNIXFS_V1] = {"unixfs-v1", 256u << 10, 174, 1, 1},
    [SL_STORE_UNIXFS_V0] = {"unixfs-v0", 256u << 10, 174, 0, 0},
};

const struct sl_profile *sl_profile_get(enum sl_store_profile profile)
{
    return (unsigned)profile < sizeof profiles / sizeof *profiles ? &profiles[profile] : NULL;
}
