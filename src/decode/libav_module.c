/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/module.h"
#include "decode/decoders.h"

/* Whether libavcodec knows the codec is found out on opening: asking would mean loading it. */
static int probe(const struct sl_track *track)
{
    return track->kind == SL_KIND_VIDEO || track->kind == SL_KIND_AUDIO ? 1 : 0;
}

static enum sl_status open_module(struct sl_decoder **out, const struct sl_track *track,
                                  const struct sl_decode_params *params, struct sl_error *err)
{
    const void *symbol = NULL;
    enum sl_status status = sl_module_symbol("decode-libav", "sl_decode_libav", &symbol, err);

    *out = NULL;
    if (status != SL_OK) {
        return status;
    }
    /* What comes out carries the module's own vtable: send and the rest are never called here. */
    return ((const struct sl_decoder_ops *)symbol)->open(out, track, params, err);
}

const struct sl_decoder_ops sl_decode_libav_module = {
    .name = "libav",
    .probe = probe,
    .open = open_module,
};
