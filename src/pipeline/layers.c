/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/publish.h"
#include "pipeline/pack.h"

/* What stands before the first sample, then what stays, as ranges of the source. */
static enum sl_status write_annexb(const struct sl_layered *l, int64_t head, const char *output,
                                   struct sl_error *err)
{
    struct sl_chain chain;
    enum sl_status status = SL_OK;
    sl_chain_init(&chain);
    if (head > 0) {
        status = sl_chain_add_file(&chain, l->file, 0, (size_t)head, err);
    }
    for (size_t i = 0; i < l->count && !status; i++) {
        status = sl_chain_add_file(&chain, l->file, l->samples[i].offset, l->samples[i].size, err);
    }
    if (!status) {
        status = strcmp(output, "-") == 0
                     ? sl_chain_write(&chain, STDOUT_FILENO, "standard output", err)
                     : sl_publish_whole(output, &chain, err);
    }
    sl_chain_clear(&chain);
    return status;
}

enum sl_status sl_layers_execute(const struct sl_layers_params *params, const struct sl_log *log,
                                 struct sl_error *err)
{
    struct sl_layered l = {0};
    struct sl_file *file = NULL;
    int64_t head = 0;
    bool mp4;
    enum sl_status status = sl_file_open(&file, params->input, err);
    if (status) {
        return status;
    }
    mp4 = sl_layered_is_mp4(file);
    sl_file_unref(&file);
    if (mp4 && params->metadata[0]) {
        return sl_fail(err, SL_EINVAL, "metadata", "an MP4 says itself what is on which layer");
    }
    status = mp4 ? sl_layered_open_mp4(&l, params->input, log, err)
                 : sl_layered_open(&l, params->input, params->metadata, err);
    if (status) {
        return status;
    }
    head = l.samples[0].offset;
    sl_layered_drop(&l, (int)params->max_layer);
    status = mp4 ? sl_layered_write_mp4(&l, SL_PACK_GOP, params->output, err)
                 : write_annexb(&l, head, params->output, err);
    sl_layered_clear(&l);
    return status;
}
