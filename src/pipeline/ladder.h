/* SPDX-License-Identifier: BSD-2-Clause */
/* The ladder as the public API sees it: include/sluice/ladder.h says what each call promises. */
#ifndef SL_PIPELINE_LADDER_H
#define SL_PIPELINE_LADDER_H

#include <sluice/ladder.h>

SL_NODISCARD enum sl_status sl_ladder_create(struct sl_ladder **out,
                                             const struct sl_ladder_params *params,
                                             const struct sl_ladder_events *events,
                                             const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_ladder_execute(struct sl_ladder *l, struct sl_error *err);
SL_NODISCARD enum sl_status sl_ladder_push(struct sl_ladder *l, const struct sl_picture *picture,
                                           struct sl_error *err);
SL_NODISCARD enum sl_status sl_ladder_push_close(struct sl_ladder *l, struct sl_error *err);
void sl_ladder_tell(struct sl_ladder *l, sl_ladder_update_fn *update, void *opaque);
void sl_ladder_result_of(struct sl_ladder *l, struct sl_ladder_result *result);
void sl_ladder_request_stop(struct sl_ladder *l);
void sl_ladder_free(struct sl_ladder **l);

#endif
