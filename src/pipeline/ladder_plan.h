/* SPDX-License-Identifier: BSD-2-Clause */
/* Which renditions a source gets. */
#ifndef SL_PIPELINE_LADDER_PLAN_H
#define SL_PIPELINE_LADDER_PLAN_H

#include <sluice/ladder.h>

/* Bitrate in kbit/s for a picture of this many pixels: that of the largest class it reaches. */
int64_t sl_ladder_bitrate(int32_t width, int32_t height);

/* Resolves params' rungs (or the default ladder) for a source of width x height as displayed (after
 * rotation): every field of out[0 … *count - 1] is set, largest picture first. SL_EINVAL where a
 * rung is larger than the source or a name is used twice. */
SL_NODISCARD enum sl_status sl_ladder_plan(const struct sl_ladder_params *params, int32_t width,
                                           int32_t height,
                                           struct sl_ladder_rung out[SL_LADDER_RUNGS_MAX],
                                           size_t *count, struct sl_error *err);

/* "name=720p,height=720,bitrate=2500,preset=fast": the value of --rung. */
SL_NODISCARD enum sl_status sl_ladder_rung_parse(const char *text, struct sl_ladder_rung *out,
                                                 struct sl_error *err);

#endif
