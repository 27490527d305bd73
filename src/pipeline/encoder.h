/* SPDX-License-Identifier: BSD-2-Clause */
/* One encoder for whoever has pictures, behind include/sluice/encode.h. See docs/encoder.md. */
#ifndef SL_PIPELINE_ENCODER_H
#define SL_PIPELINE_ENCODER_H

#include <stdbool.h>

#include <sluice/encode.h>

/* As the public functions of the same names; pointers are not NULL. */
SL_NODISCARD enum sl_status sl_encoder_create(struct sl_encoder **out,
                                              const struct sl_encoder_params *params,
                                              const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_push(struct sl_encoder *e, const struct sl_picture *picture,
                                            struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_pull(struct sl_encoder *e, struct sl_access_unit *unit,
                                            struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_finish(struct sl_encoder *e, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_change(struct sl_encoder *e,
                                              const struct sl_encoder_params *params, int *idr,
                                              struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_lost(struct sl_encoder *e, uint64_t token,
                                            enum sl_encoder_recovery *how, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encoder_look(const struct sl_encoder *e,
                                            struct sl_encoder_info *info, struct sl_error *err);
bool sl_encoder_is_sync(const struct sl_encoder *e);
const char *sl_encoder_codecs(const struct sl_encoder *e);
void sl_encoder_count(const struct sl_encoder *e, struct sl_encoder_stats *stats);
void sl_encoder_shut(struct sl_encoder *e);
void sl_encoder_free(struct sl_encoder **e);
/* One entry of the list of backends. SL_EOF past the last one. */
SL_NODISCARD enum sl_status sl_encoder_list(size_t index, struct sl_encoder_backend_info *info,
                                            struct sl_error *err);

#endif
