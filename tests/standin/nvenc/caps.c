/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): what the device that is not there
 * can do. The numbers are roughly those of a card of 2018. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

static const struct {
    NV_ENC_CAPS cap;
    const char *name;
    int h264, hevc;
} table[] = {
#define CAP(name, h264, hevc)                                                                      \
    {                                                                                              \
        NV_ENC_CAPS_##name, #name, h264, hevc                                                      \
    }
    CAP(NUM_MAX_BFRAMES, 4, 0),
    CAP(SUPPORTED_RATECONTROL_MODES, 63, 63),
    CAP(SUPPORT_QPELMV, 1, 1),
    CAP(SUPPORT_BDIRECT_MODE, 1, 0),
    CAP(SUPPORT_CABAC, 1, 1),
    CAP(SUPPORT_ADAPTIVE_TRANSFORM, 1, 0),
    CAP(LEVEL_MAX, 51, 183),
    CAP(LEVEL_MIN, 10, 30),
    CAP(WIDTH_MAX, 4096, 8192),
    CAP(HEIGHT_MAX, 4096, 8192),
    CAP(WIDTH_MIN, 32, 32),
    CAP(HEIGHT_MIN, 32, 32),
    CAP(SUPPORT_DYN_RES_CHANGE, 1, 1),
    CAP(SUPPORT_DYN_BITRATE_CHANGE, 1, 1),
    CAP(SUPPORT_INTRA_REFRESH, 1, 1),
    CAP(SUPPORT_CUSTOM_VBV_BUF_SIZE, 1, 1),
    CAP(SUPPORT_DYNAMIC_SLICE_MODE, 1, 1),
    CAP(SUPPORT_REF_PIC_INVALIDATION, 1, 1),
    CAP(MB_NUM_MAX, 65536, 262144),
    CAP(SUPPORT_YUV444_ENCODE, 1, 0),
    CAP(SUPPORT_LOSSLESS_ENCODE, 1, 1),
    CAP(SUPPORT_SAO, 0, 1),
    CAP(SUPPORT_LOOKAHEAD, 1, 1),
    CAP(SUPPORT_TEMPORAL_AQ, 1, 1),
    CAP(SUPPORT_10BIT_ENCODE, 0, 1),
    CAP(NUM_MAX_LTR_FRAMES, 8, 7),
    CAP(SUPPORT_WEIGHTED_PREDICTION, 1, 1),
    CAP(SUPPORT_BFRAME_REF_MODE, 2, 0),
    CAP(SUPPORT_MULTIPLE_REF_FRAMES, 1, 1),
    CAP(NUM_ENCODER_ENGINES, 1, 1),
    CAP(SINGLE_SLICE_INTRA_REFRESH, 1, 1),
#undef CAP
};

bool standin_is_hevc(const GUID *codec)
{
    return memcmp(codec, &NV_ENC_CODEC_HEVC_GUID, sizeof *codec) == 0;
}

int standin_cap(bool hevc, NV_ENC_CAPS cap)
{
    const char *setting = standin_setting("CAPS");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].cap != cap) {
            continue;
        }
        size_t n = strlen(table[i].name);
        for (const char *at = setting; at && *at; at += strcspn(at, ","), at += *at == ',') {
            if (strncmp(at, table[i].name, n) == 0 && at[n] == '=') {
                return atoi(at + n + 1);
            }
        }
        return hevc ? table[i].hevc : table[i].h264;
    }
    return 0;
}

NVENCSTATUS standin_caps(void *encoder, GUID codec, NV_ENC_CAPS_PARAM *param, int *value)
{
    STANDIN_CALL(NVENCSTATUS, nvEncGetEncodeCaps);
    struct session *s = standin_session("nvEncGetEncodeCaps", encoder, false);
    standin_version("nvEncGetEncodeCaps", "NV_ENC_CAPS_PARAM", param->version,
                    NV_ENC_CAPS_PARAM_VER, s);
    *value = standin_cap(standin_is_hevc(&codec), param->capsToQuery);
    return NV_ENC_SUCCESS;
}

static uint32_t list(GUID *guids)
{
    const char *codecs = standin_setting("CODECS");
    uint32_t n = 0;
    if (!codecs || strstr(codecs, "h264")) {
        guids[n++] = NV_ENC_CODEC_H264_GUID;
    }
    if (!codecs || strstr(codecs, "hevc")) {
        guids[n++] = NV_ENC_CODEC_HEVC_GUID;
    }
    return n;
}

NVENCSTATUS standin_guid_count(void *encoder, uint32_t *count)
{
    STANDIN_CALL(NVENCSTATUS, nvEncGetEncodeGUIDCount);
    GUID guids[2];
    (void)standin_session("nvEncGetEncodeGUIDCount", encoder, false);
    *count = list(guids);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS standin_guids(void *encoder, GUID *guids, uint32_t room, uint32_t *count)
{
    STANDIN_CALL(NVENCSTATUS, nvEncGetEncodeGUIDs);
    GUID all[2];
    (void)standin_session("nvEncGetEncodeGUIDs", encoder, false);
    *count = list(all);
    *count = *count < room ? *count : room;
    memcpy(guids, all, *count * sizeof *guids);
    return NV_ENC_SUCCESS;
}

static int preset_number(const GUID *preset)
{
    const GUID guids[] = {NV_ENC_PRESET_P1_GUID, NV_ENC_PRESET_P2_GUID, NV_ENC_PRESET_P3_GUID,
                          NV_ENC_PRESET_P4_GUID, NV_ENC_PRESET_P5_GUID, NV_ENC_PRESET_P6_GUID,
                          NV_ENC_PRESET_P7_GUID};
    for (int i = 0; i < 7; i++) {
        if (memcmp(&guids[i], preset, sizeof *preset) == 0) {
            return i + 1;
        }
    }
    return 0;
}

NVENCSTATUS standin_preset(void *encoder, GUID codec, GUID preset, NV_ENC_TUNING_INFO tuning,
                           NV_ENC_PRESET_CONFIG *out)
{
    STANDIN_CALL(NVENCSTATUS, nvEncGetEncodePresetConfigEx);
    const char *call = "nvEncGetEncodePresetConfigEx";
    struct session *s = standin_session(call, encoder, false);
    int number = preset_number(&preset);
    bool hevc = standin_is_hevc(&codec);
    standin_version(call, "NV_ENC_PRESET_CONFIG", out->version, NV_ENC_PRESET_CONFIG_VER, s);
    standin_version(call, "NV_ENC_CONFIG", out->presetCfg.version, NV_ENC_CONFIG_VER, s);
    if (number == 0 || tuning <= NV_ENC_TUNING_INFO_UNDEFINED ||
        tuning >= NV_ENC_TUNING_INFO_COUNT) {
        return NV_ENC_ERR_UNSUPPORTED_PARAM;
    }
    NV_ENC_CONFIG *c = &out->presetCfg;
    uint32_t version = c->version;
    memset(c, 0, sizeof *c);
    c->version = version;
    c->profileGUID = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
    c->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    c->mvPrecision = NV_ENC_MV_PRECISION_QUARTER_PEL;
    c->gopLength = tuning == NV_ENC_TUNING_INFO_HIGH_QUALITY ? 250 : NVENC_INFINITE_GOPLENGTH;
    /* nvEncodeAPI.h, at the presets: B frames for high quality from P3 on. */
    int b = standin_cap(hevc, NV_ENC_CAPS_NUM_MAX_BFRAMES);
    c->frameIntervalP = tuning == NV_ENC_TUNING_INFO_HIGH_QUALITY && number >= 3 && b >= 3 ? 4 : 1;
    c->rcParams.version = NV_ENC_RC_PARAMS_VER;
    c->rcParams.rateControlMode = NV_ENC_PARAMS_RC_VBR;
    c->rcParams.averageBitRate = 5000000;
    c->rcParams.constQP.qpInterP = 28;
    c->rcParams.constQP.qpInterB = 31;
    c->rcParams.constQP.qpIntra = 25;
    if (hevc) {
        c->encodeCodecConfig.hevcConfig.idrPeriod = c->gopLength;
        c->encodeCodecConfig.hevcConfig.chromaFormatIDC = 1;
    } else {
        c->encodeCodecConfig.h264Config.idrPeriod = c->gopLength;
        c->encodeCodecConfig.h264Config.chromaFormatIDC = 1;
    }
    return NV_ENC_SUCCESS;
}
