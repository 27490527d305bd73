/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/pack.h"

#include <stddef.h>

#include "api/params.h"
#include "base/error.h"

#define AT(field) offsetof(struct sl_pack_params, field)
#define TEXT(name, field, unit, words)                                                             \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING, .offset = AT(field),                              \
        .capacity = SL_LAYERS_PATH_MAX, .metavar = (unit), .help = (words)                         \
    }
static const char *const layouts[] = {"gop", "file", "coded", NULL};
static const char *const index_formats[] = {"jsonl", "binary", NULL};

static const struct sl_option table[] = {
    TEXT("output", output, "FILE", "MP4 to write (required; -o)"),
    TEXT("metadata", metadata, "FILE",
         "sample index of the input; empty: NAME.jsonl or samples.jsonl beside it"),
    TEXT("index", index, "FILE",
         "which bytes each picture needs; empty: the output's name + .jsonl or .idx"),
    {.key = "index-format",
     .type = SL_OPTION_ENUM,
     .offset = AT(index_format),
     .choices = index_formats,
     .value_default = "jsonl",
     .metavar = "jsonl|binary",
     .help = "JSON lines with all byte ranges, or compact: places and references"},
    {.key = "layout",
     .type = SL_OPTION_ENUM,
     .offset = AT(layout),
     .choices = layouts,
     .value_default = "gop",
     .metavar = "gop|file|coded",
     .help = "layer after layer from IDR to IDR, or in the whole file; coded: not by layer"},
    {.key = NULL},
};

enum sl_status sl_pack_params_default(struct sl_pack_params *params, uint32_t size,
                                      struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

const struct sl_option *sl_pack_options(void)
{
    return table;
}

enum sl_status sl_pack_run(const struct sl_pack_params *params, const struct sl_log *log,
                           struct sl_error *err)
{
    enum sl_status status = sl_params_check(params, sizeof *params, "sl_pack_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    if (!params->input[0] || !params->output[0]) {
        return sl_fail(err, SL_EINVAL, params->input[0] ? "output" : "input", "no file is named");
    }
    if (params->layout < SL_PACK_GOP || params->layout > SL_PACK_CODED) {
        return sl_fail(err, SL_EINVAL, "layout", "%d is not known", params->layout);
    }
    if (params->index_format < SL_PACK_JSONL || params->index_format > SL_PACK_BINARY) {
        return sl_fail(err, SL_EINVAL, "index-format", "%d is not known", params->index_format);
    }
    return sl_pack_execute(params, log, err);
}
