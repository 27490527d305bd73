/* SPDX-License-Identifier: BSD-2-Clause */
/* encode-y4m as the public API sees it: include/sluice/encode_y4m.h says what each call promises.
 */
#ifndef SL_PIPELINE_ENCODE_Y4M_H
#define SL_PIPELINE_ENCODE_Y4M_H

#include <sluice/encode_y4m.h>

SL_NODISCARD enum sl_status sl_encode_y4m_create(struct sl_encode_y4m **out,
                                                 const struct sl_encode_y4m_params *params,
                                                 const struct sl_encode_y4m_events *events,
                                                 const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_y4m_execute(struct sl_encode_y4m *e, struct sl_error *err);
void sl_encode_y4m_request_stop(struct sl_encode_y4m *e);
void sl_encode_y4m_free(struct sl_encode_y4m **e);

#endif
