/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of pictures through the encoder, behind include/sluice/encode_file.h. See docs/encoder.md.
 */
#ifndef SL_PIPELINE_ENCODE_FILE_H
#define SL_PIPELINE_ENCODE_FILE_H

#include <sluice/encode_file.h>

/* As the public functions; pointers other than events and log are not NULL. */
SL_NODISCARD enum sl_status sl_encode_file_create(struct sl_encode_file **out,
                                                  const struct sl_encode_file_params *params,
                                                  const struct sl_encoder_params *encoder,
                                                  const struct sl_encode_file_events *events,
                                                  const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_file_execute(struct sl_encode_file *f, struct sl_error *err);
void sl_encode_file_request_stop(struct sl_encode_file *f);
void sl_encode_file_free(struct sl_encode_file **encode);

#endif
