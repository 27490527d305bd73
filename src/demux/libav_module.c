/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/module.h"
#include "demux/demuxers.h"

/* FFmpeg's libraries know more formats than their first bytes tell, and cost 25 ms to load: asked
 * last, and only then is the module opened. */
static int probe(const uint8_t *head, size_t size)
{
    (void)head;
    return size > 0 ? 1 : 0;
}

static enum sl_status open_module(struct sl_demuxer **out, struct sl_window *w,
                                  const struct sl_demux_params *params, struct sl_error *err)
{
    const void *symbol = NULL;
    enum sl_status status = sl_module_symbol("demux-libav", "sl_demux_libav", &symbol, err);

    *out = NULL;
    if (status != SL_OK) {
        return status;
    }
    /* What comes out carries the module's own vtable: read and the rest are never called here. */
    return ((const struct sl_demuxer_ops *)symbol)->open(out, w, params, err);
}

const struct sl_demuxer_ops sl_demux_libav_module = {
    .name = "libav",
    .probe = probe,
    .open = open_module,
};
