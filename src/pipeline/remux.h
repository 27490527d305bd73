/* SPDX-License-Identifier: BSD-2-Clause */
/* The remux pipeline, for src/api and for whoever serves fragments. See docs/remux.md. */
#ifndef SL_PIPELINE_REMUX_H
#define SL_PIPELINE_REMUX_H

#include <sluice/remux.h>

#include "base/slice.h"

/* Settings are taken as checked. source: NULL for params->input, or for bytes that are pushed. */
SL_NODISCARD enum sl_status sl_remux_create(struct sl_remux **out,
                                            const struct sl_remux_params *params,
                                            const struct sl_remux_source *source,
                                            const struct sl_remux_events *events,
                                            const struct sl_log *log, struct sl_error *err);
/* Appends the next piece (init segment, fragment) to out: as sl_remux_read, without loading it. */
SL_NODISCARD enum sl_status sl_remux_next(struct sl_remux *r, struct sl_chain *out,
                                          struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_feed(struct sl_remux *r, const void *data, size_t size,
                                          struct sl_error *err);
void sl_remux_feed_end(struct sl_remux *r);
/* Everything, to where params.output says (fd < 0) or to fd. */
SL_NODISCARD enum sl_status sl_remux_execute(struct sl_remux *r, int fd, struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_load(struct sl_remux *r, const uint8_t **data, size_t *size,
                                          struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_copy(struct sl_remux *r, void *dst, size_t size, size_t *got,
                                          struct sl_error *err);
const char *sl_remux_codec_list(const struct sl_remux *r);
bool sl_remux_is_classic(const struct sl_remux *r); /* not made from front to end */
void sl_remux_request_cancel(struct sl_remux *r);
void sl_remux_free(struct sl_remux **remux);

#endif
