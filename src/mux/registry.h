/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_MUX_REGISTRY_H
#define SL_MUX_REGISTRY_H

/* The muxers. All of them: single owner; after a failed flush only destroy is useful; the first
 * packet of a track has dts == start - decode_delay and every later one the end of the one before
 * it (SL_EINVAL, naming the track and both numbers). See docs/fmp4.md and docs/ts.md. */
#include "media/stage.h"

extern const struct sl_muxer_ops sl_mux_fmp4; /* ISO/IEC 14496-12 fragments, CMAF tracks */
extern const struct sl_muxer_ops sl_mux_mp4;  /* ISO/IEC 14496-12 tables, the index in front */
extern const struct sl_muxer_ops sl_mux_ts;   /* ISO/IEC 13818-1, for HLS segments */

#define SL_MUX_TRACKS_MAX 16

const struct sl_muxer_ops *sl_mux_find(const char *name); /* NULL: not known */
SL_NODISCARD enum sl_status sl_mux_open(struct sl_muxer **out, const struct sl_muxer_ops *ops,
                                        const struct sl_track *const *tracks, size_t count,
                                        const struct sl_mux_params *params, struct sl_error *err);
void sl_mux_destroy(struct sl_muxer **m);

#endif
