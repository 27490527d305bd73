/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_PIPELINE_PROBE_H
#define SL_PIPELINE_PROBE_H

#include <sluice/probe.h>

#include "media/codec_string.h"

struct sl_probe {
    char format[32];
    int64_t duration; /* microseconds, -1: not known */
    struct sl_track *tracks;
    char (*codecs)[SL_CODEC_STRING_MAX];
    size_t count;
};

SL_NODISCARD enum sl_status sl_probe_run(struct sl_probe **out, const char *input,
                                         const struct sl_log *log, struct sl_error *err);
void sl_probe_free(struct sl_probe **probe);

#endif
