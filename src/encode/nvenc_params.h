/* SPDX-License-Identifier: BSD-2-Clause */
/* What we are asked for, in NVENC's words. */
#ifndef SL_ENCODE_NVENC_PARAMS_H
#define SL_ENCODE_NVENC_PARAMS_H

#include "encode/nvenc_driver.h"
#include "media/stage.h"

struct sl_nvenc_config {
    NV_ENC_INITIALIZE_PARAMS init; /* encodeConfig is left to the caller: structs are copied */
    NV_ENC_CONFIG config;
    enum sl_pixel_format coded; /* depth and chroma of the stream */
    int32_t reorder;            /* as sl_contract_open takes it */
    int delay;                  /* pictures that are sent before the first unit is waited for */
    int references;             /* loss recovery: pictures that are kept; 0: without */
    uint32_t refresh;           /* intra refresh: pictures of a cycle; 0: without */
};

/* SL_EINVAL names the value, SL_EUNSUPPORTED the capability that the device lacks. */
SL_NODISCARD enum sl_status sl_nvenc_params(struct sl_nvenc_config *c, struct sl_nvenc_session *s,
                                            enum sl_codec codec, const struct sl_encode_params *p,
                                            struct sl_error *err);

/* SL_PIX_… as a buffer format, NV_ENC_BUFFER_FORMAT_UNDEFINED where there is none. */
NV_ENC_BUFFER_FORMAT sl_nvenc_format(enum sl_pixel_format format);

#endif
