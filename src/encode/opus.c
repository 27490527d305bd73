/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for the Opus encoder in module encode-libav, so that only who encodes sound pays for
 * loading libavcodec. An opened encoder carries the module's own vtable; nothing passes through
 * here afterwards. */
#include "base/module.h"
#include "encode/backends.h"

static enum sl_status load(const struct sl_encoder_ops **out, struct sl_error *err)
{
    const void *symbol;
    enum sl_status status =
        sl_module_symbol(SL_ENCODE_LIBAV_MODULE, SL_ENCODE_OPUS_SYMBOL, &symbol, err);
    *out = status == SL_OK ? symbol : NULL;
    return status;
}

static enum sl_status opus_probe(struct sl_error *err)
{
    const struct sl_encoder_ops *ops;
    enum sl_status status = load(&ops, err);
    return status == SL_OK && ops->probe ? ops->probe(err) : status;
}

static enum sl_status opus_open(struct sl_encoder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    *out = NULL;
    const struct sl_encoder_ops *ops;
    enum sl_status status = load(&ops, err);
    return status == SL_OK ? ops->open(out, params, err) : status;
}

/* No send, receive and destroy: what opus_open() returns has the module's own. */
const struct sl_encoder_ops sl_encode_opus = {
    .name = "opus",
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_OPUS,
    .probe = opus_probe,
    .open = opus_open,
};
