/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_DEMUX_REGISTRY_H
#define SL_DEMUX_REGISTRY_H

#include "media/stage.h"

/* Looks at the first bytes and opens the demuxer that claims them most; "raw" when
 * params->raw_format is set. SL_EDATA, naming the source, where nobody knows the format. */
SL_NODISCARD enum sl_status sl_demux_open(struct sl_demuxer **out, struct sl_window *w,
                                          const struct sl_demux_params *params,
                                          struct sl_error *err);
void sl_demux_destroy(struct sl_demuxer **d);
/* NULL-terminated, in order of preference. Entries of modules are stand-ins that load on open. */
const struct sl_demuxer_ops *const *sl_demuxers(void);

#endif
