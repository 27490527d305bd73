/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for the encoders of soft.h, so that only who uses one pays for loading it. What they
 * are called and can do is known here; an opened encoder carries the module's own vtable, and
 * nothing passes through here afterwards. */
#include "config.h"

#include "base/module.h"
#include "encode/backends.h"
#include "encode/soft.h"

static enum sl_status find(const char *module, const char *symbol, const struct sl_coder_ops **ops,
                           struct sl_error *err)
{
    const void *found;
    enum sl_status status = sl_module_symbol(module, symbol, &found, err);
    *ops = found;
    return status;
}

static enum sl_status probe(const char *module, const char *symbol, struct sl_error *err)
{
    const struct sl_coder_ops *ops;
    enum sl_status status = find(module, symbol, &ops, err);
    return status == SL_OK && ops->probe ? ops->probe(err) : status;
}

static enum sl_status open_from(const char *module, const char *symbol, struct sl_coder **out,
                                const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    const struct sl_coder_ops *ops;
    enum sl_status status = find(module, symbol, &ops, err);
    return status == SL_OK ? ops->open(out, params, err) : status;
}

#if SL_HAVE_OPENH264
static enum sl_status openh264_probe(struct sl_error *err)
{
    return probe(SL_OPENH264_MODULE, SL_OPENH264_SYMBOL, err);
}

static enum sl_status openh264_open(struct sl_coder **out, const struct sl_encode_params *params,
                                    struct sl_error *err)
{
    return open_from(SL_OPENH264_MODULE, SL_OPENH264_SYMBOL, out, params, err);
}

/* No send, receive and destroy: what open() returns has the module's own. */
const struct sl_coder_ops sl_encode_openh264 = {
    .name = "openh264",
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .probe = openh264_probe,
    .open = openh264_open,
    .caps = &sl_openh264_caps,
};
#endif

#if SL_HAVE_X265
static enum sl_status x265_probe(struct sl_error *err)
{
    return probe(SL_X265_MODULE, SL_X265_SYMBOL, err);
}

static enum sl_status x265_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return open_from(SL_X265_MODULE, SL_X265_SYMBOL, out, params, err);
}

const struct sl_coder_ops sl_encode_x265 = {
    .name = "x265",
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_HEVC,
    .probe = x265_probe,
    .open = x265_open,
    .caps = &sl_x265_caps,
};
#endif
