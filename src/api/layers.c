/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>

#include "api/params.h"
#include "base/error.h"
#include "pipeline/pack.h"

#define AT(field) offsetof(struct sl_layers_params, field)
#define TEXT(name, field, unit, words)                                                             \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING, .offset = AT(field),                              \
        .capacity = SL_LAYERS_PATH_MAX, .metavar = (unit), .help = (words)                         \
    }

static const struct sl_option table[] = {
    TEXT("output", output, "FILE", "where to write; of Annex B also - (required; -o)"),
    {.key = "max-layer",
     .type = SL_OPTION_INT,
     .offset = AT(max_layer),
     .min = 0,
     .max = 7,
     .value_default = "0",
     .metavar = "L",
     .help = "highest layer that stays"},
    TEXT("metadata", metadata, "FILE",
         "sample index of an Annex B input; empty: NAME.jsonl or samples.jsonl beside it"),
    {.key = NULL},
};

enum sl_status sl_layers_params_default(struct sl_layers_params *params, uint32_t size,
                                        struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

const struct sl_option *sl_layers_options(void)
{
    return table;
}

enum sl_status sl_layers_run(const struct sl_layers_params *params, const struct sl_log *log,
                             struct sl_error *err)
{
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_layers_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    if (!params->input[0] || !params->output[0]) {
        return sl_fail(err, SL_EINVAL, params->input[0] ? "output" : "input", "no file is named");
    }
    if (params->max_layer < 0 || params->max_layer >= SL_LAYERED_LAYERS_MAX) {
        return sl_fail(err, SL_EINVAL, "max-layer", "%lld is out of range (0 to %d)",
                       (long long)params->max_layer, SL_LAYERED_LAYERS_MAX - 1);
    }
    return sl_layers_execute(params, log, err);
}
