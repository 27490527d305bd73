/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for the sound encoders of module encode-libav, so that only who encodes sound pays for
 * loading libavcodec. An opened encoder carries the module's own vtable; nothing passes through
 * here afterwards. */
#include "base/module.h"
#include "encode/backends.h"

static enum sl_status probe(const char *symbol, struct sl_error *err)
{
    const void *ops;
    return sl_module_symbol(SL_ENCODE_LIBAV_MODULE, symbol, &ops, err);
}

static enum sl_status open_from(const char *symbol, struct sl_coder **out,
                                const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    const void *ops;
    enum sl_status status = sl_module_symbol(SL_ENCODE_LIBAV_MODULE, symbol, &ops, err);
    return status == SL_OK ? ((const struct sl_coder_ops *)ops)->open(out, params, err) : status;
}

static enum sl_status aac_probe(struct sl_error *err)
{
    return probe(SL_ENCODE_AAC_SYMBOL, err);
}

static enum sl_status aac_open(struct sl_coder **out, const struct sl_encode_params *params,
                               struct sl_error *err)
{
    return open_from(SL_ENCODE_AAC_SYMBOL, out, params, err);
}

static enum sl_status opus_probe(struct sl_error *err)
{
    return probe(SL_ENCODE_OPUS_SYMBOL, err);
}

static enum sl_status opus_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return open_from(SL_ENCODE_OPUS_SYMBOL, out, params, err);
}

/* No send, receive and destroy: what open() returns has the module's own. */
const struct sl_coder_ops sl_encode_aac = {
    .name = "aac",
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_AAC,
    .probe = aac_probe,
    .open = aac_open,
};

const struct sl_coder_ops sl_encode_opus = {
    .name = "opus",
    .kind = SL_KIND_AUDIO,
    .codec = SL_CODEC_OPUS,
    .probe = opus_probe,
    .open = opus_open,
};
