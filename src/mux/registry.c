/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/registry.h"

#include <string.h>

#include "base/error.h"

static const struct sl_muxer_ops *const muxers[] = {&sl_mux_fmp4, &sl_mux_mp4, &sl_mux_ts};

const struct sl_muxer_ops *sl_mux_find(const char *name)
{
    for (size_t i = 0; i < sizeof muxers / sizeof *muxers; i++) {
        if (!strcmp(muxers[i]->name, name)) {
            return muxers[i];
        }
    }
    return NULL;
}

enum sl_status sl_mux_open(struct sl_muxer **out, const struct sl_muxer_ops *ops,
                           const struct sl_track *const *tracks, size_t count,
                           const struct sl_mux_params *params, struct sl_error *err)
{
    *out = NULL;
    if (count == 0 || count > SL_MUX_TRACKS_MAX) {
        return sl_fail(err, SL_EINVAL, ops->name, "%zu tracks, expected 1 to %d", count,
                       SL_MUX_TRACKS_MAX);
    }
    return ops->open(out, tracks, count, params, err);
}

void sl_mux_destroy(struct sl_muxer **m)
{
    if (!m || !*m) {
        return;
    }
    (*m)->ops->destroy(*m);
    *m = NULL;
}
