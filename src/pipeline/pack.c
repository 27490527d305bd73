/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/pack.h"

#include "base/alloc.h"
#include "base/error.h"

enum sl_status sl_pack_execute(const struct sl_pack_params *params, const struct sl_log *log,
                               struct sl_error *err)
{
    struct sl_layered l = {0};
    bool binary = params->index_format == SL_PACK_BINARY;
    char *index = params->index[0] ? sl_strdup(params->index)
                                   : sl_format("%s.%s", params->output, binary ? "idx" : "jsonl");
    enum sl_status status = SL_OK;
    (void)log;
    if (!index) {
        return sl_fail_memory(err);
    }
    status = sl_layered_open(&l, params->input, params->metadata, err);
    status = status ? status : sl_layered_find_refs(&l, err);
    status = status ? status : sl_layered_write_mp4(&l, params->layout, params->output, err);
    if (!status) {
        status = binary ? sl_layered_write_binary(&l, params->layout, index, err)
                        : sl_layered_write_ranges(&l, params->layout, index, err);
    }
    sl_layered_clear(&l);
    sl_free(index);
    return status;
}
