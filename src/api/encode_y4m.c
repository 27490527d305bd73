/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/encode_y4m.h"

#include <stddef.h>
#include <string.h>

#include "api/params.h"
#include "base/error.h"

#define PATH(name, field, words)                                                                   \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING,                                                   \
        .offset = offsetof(struct sl_encode_y4m_params, field),                                    \
        .capacity = sizeof(((struct sl_encode_y4m_params *)0)->field), .metavar = "FILE",          \
        .help = (words)                                                                            \
    }

static const struct sl_option table[] = {
    PATH("config", config, "JSON that says how to encode (docs/scheduled-encode.md)"),
    PATH("annex-b", annex_b, "the stream to write"),
    PATH("metadata", metadata, "the index to write: one line of JSON for each sample"),
    {.key = "input-y4m",
     .type = SL_OPTION_STRING,
     .offset = offsetof(struct sl_encode_y4m_params, input_y4m),
     .capacity = sizeof(((struct sl_encode_y4m_params *)0)->input_y4m),
     .value_default = "-",
     .metavar = "FILE",
     .help = "Y4M to encode, \"-\": standard input"},
    {.key = "extended",
     .type = SL_OPTION_BOOL,
     .offset = offsetof(struct sl_encode_y4m_params, extended),
     .help = "more fields in the index: references, QP, CRC-32"},
    {.key = NULL},
};

const struct sl_option *sl_encode_y4m_options(void)
{
    return table;
}

enum sl_status sl_encode_y4m_params_default(struct sl_encode_y4m_params *params, uint32_t size,
                                            struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

enum sl_status sl_encode_y4m_open(struct sl_encode_y4m **out,
                                  const struct sl_encode_y4m_params *params,
                                  const struct sl_encode_y4m_events *events,
                                  const struct sl_log *log, struct sl_error *err)
{
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_encode_y4m_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    *out = NULL;
    const struct {
        const char *key, *value;
    } paths[] = {
        {"config", params->config},
        {"annex-b", params->annex_b},
        {"metadata", params->metadata},
        {"input-y4m", params->input_y4m},
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (!paths[i].value[0]) {
            return sl_fail(err, SL_EINVAL, paths[i].key, "no file is named");
        }
    }
    if (strcmp(params->annex_b, params->metadata) == 0) {
        return sl_fail(err, SL_EINVAL, "metadata", "is the same file as --annex-b");
    }
    return sl_encode_y4m_create(out, params, events, log, err);
}

enum sl_status sl_encode_y4m_run(struct sl_encode_y4m *encode, struct sl_error *err)
{
    if (!encode) {
        return sl_fail(err, SL_EINVAL, "encode", "NULL");
    }
    return sl_encode_y4m_execute(encode, err);
}

void sl_encode_y4m_stop(struct sl_encode_y4m *encode)
{
    if (encode) {
        sl_encode_y4m_request_stop(encode);
    }
}

void sl_encode_y4m_destroy(struct sl_encode_y4m **encode)
{
    sl_encode_y4m_free(encode);
}
