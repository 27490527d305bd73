/* SPDX-License-Identifier: BSD-2-Clause */
/* encode-y4m in a build without the patched x264. */
#include "config.h"

#include "base/error.h"
#include "pipeline/encode_y4m.h"

enum sl_status sl_encode_y4m_create(struct sl_encode_y4m **out,
                                    const struct sl_encode_y4m_params *params,
                                    const struct sl_encode_y4m_events *events,
                                    const struct sl_log *log, struct sl_error *err)
{
    (void)params;
    (void)events;
    (void)log;
    *out = NULL;
    return sl_fail(
        err, SL_EUNSUPPORTED, "encode-y4m",
        "x264 with Sluice's patch is missing (docs/x264-patch.md says how to get it): %s",
        SL_X264_SCHED_MISSING);
}

enum sl_status sl_encode_y4m_execute(struct sl_encode_y4m *e, struct sl_error *err)
{
    (void)e;
    return sl_fail(err, SL_EUNSUPPORTED, "encode-y4m", "x264 with Sluice's patch is missing");
}

void sl_encode_y4m_request_stop(struct sl_encode_y4m *e)
{
    (void)e;
}

void sl_encode_y4m_free(struct sl_encode_y4m **e)
{
    (void)e;
}
