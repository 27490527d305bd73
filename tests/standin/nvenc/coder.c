/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): x264 and x265 told what NVENC was
 * told. */
#include "coder.h"

#include <stdlib.h>
#include <string.h>
#include <x264.h>
#include <x265.h>

#define SETS_MAX 4096

struct standin_coder {
    bool hevc, deep, is_444;
    NV_ENC_INITIALIZE_PARAMS init;
    NV_ENC_CONFIG config;
    /* x264 */
    x264_t *h264;
    x264_param_t h264_param;
    /* x265 */
    const x265_api *api;
    x265_encoder *h265;
    x265_param *h265_param;
    bool intra; /* the next picture is intra coded: what it could refer to is invalid */
    uint8_t sets[SETS_MAX];
    size_t sets_size;
};

static bool same(const GUID *a, const GUID *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint32_t hevc_depth(const NV_ENC_CONFIG_HEVC *h)
{
#if NVENCAPI_MAJOR_VERSION > 12 || (NVENCAPI_MAJOR_VERSION == 12 && NVENCAPI_MINOR_VERSION >= 2)
    return h->inputBitDepth == NV_ENC_BIT_DEPTH_10 ? 10 : 8;
#else
    return h->pixelBitDepthMinus8 + 8;
#endif
}

static bool finite(uint32_t gop)
{
    return gop != NVENC_INFINITE_GOPLENGTH && gop != 0;
}

/* Rates are for the frame rate that the coder was opened with: more pictures a second are fewer
 * bits for each. */
static int kbit(const struct standin_coder *c, uint32_t bits)
{
    double scale = 1;
    if (c->h264 || c->h265) {
        double was = (double)c->init.frameRateNum / c->init.frameRateDen;
        double fps = c->hevc ? (double)c->h265_param->fpsNum / c->h265_param->fpsDenom
                             : (double)c->h264_param.i_fps_num / c->h264_param.i_fps_den;
        scale = fps / was;
    }
    return (int)(bits / 1000.0 * scale);
}

/* ---- x264 ----------------------------------------------------------------------------------- */

static void set_rate_h264(const struct standin_coder *c, x264_param_t *x)
{
    const NV_ENC_RC_PARAMS *rc = &c->config.rcParams;
    x->rc.i_vbv_max_bitrate = kbit(c, rc->maxBitRate);
    x->rc.i_vbv_buffer_size = kbit(c, rc->vbvBufferSize);
    if (rc->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP) {
        x->rc.i_rc_method = X264_RC_CQP;
        x->rc.i_qp_constant = (int)rc->constQP.qpInterP;
    } else if (rc->averageBitRate == 0) {
        x->rc.i_rc_method = X264_RC_CRF;
        x->rc.f_rf_constant = (float)rc->targetQuality + (float)rc->targetQualityLSB / 256;
        if (rc->targetQuality == 0) {
            x->rc.f_rf_constant = 23;
        }
    } else {
        x->rc.i_rc_method = X264_RC_ABR;
        x->rc.i_bitrate = kbit(c, rc->averageBitRate);
        if (rc->rateControlMode == NV_ENC_PARAMS_RC_CBR) {
            x->rc.i_vbv_max_bitrate = x->rc.i_bitrate;
        }
    }
    if (x->rc.i_vbv_max_bitrate && !x->rc.i_vbv_buffer_size) {
        x->rc.i_vbv_buffer_size = x->rc.i_vbv_max_bitrate;
    } else if (!x->rc.i_vbv_max_bitrate) {
        x->rc.i_vbv_buffer_size = 0;
    }
}

static void set_vui_h264(x264_param_t *x, const NV_ENC_CONFIG_H264_VUI_PARAMETERS *v)
{
    if (v->videoSignalTypePresentFlag) {
        x->vui.i_vidformat = (int)v->videoFormat;
        x->vui.b_fullrange = (int)v->videoFullRangeFlag;
    }
    if (v->colourDescriptionPresentFlag) {
        x->vui.i_colorprim = (int)v->colourPrimaries;
        x->vui.i_transfer = (int)v->transferCharacteristics;
        x->vui.i_colmatrix = (int)v->colourMatrix;
    }
    if (v->chromaSampleLocationFlag) {
        x->vui.i_chroma_loc = (int)v->chromaSampleLocationTop;
    }
}

static bool open_h264(struct standin_coder *c)
{
    const NV_ENC_CONFIG_H264 *h = &c->config.encodeCodecConfig.h264Config;
    x264_param_t *x = &c->h264_param;
    int b = c->config.frameIntervalP > 1 ? c->config.frameIntervalP - 1 : 0;
    x264_param_default_preset(x, "superfast", NULL);
    x->i_log_level = X264_LOG_NONE;
    x->i_threads = 1;
    x->i_width = (int)c->init.encodeWidth;
    x->i_height = (int)c->init.encodeHeight;
    x->i_csp = c->is_444 ? X264_CSP_I444 : X264_CSP_I420;
    x->i_fps_num = c->init.frameRateNum;
    x->i_fps_den = c->init.frameRateDen;
    x->b_vfr_input = 0;
    x->i_bframe = b;
    x->i_bframe_adaptive = X264_B_ADAPT_NONE;
    x->i_bframe_pyramid = X264_B_PYRAMID_NONE;
    x->i_scenecut_threshold = 0;
    x->i_sync_lookahead = 0;
    x->rc.i_lookahead = c->config.rcParams.enableLookahead ? c->config.rcParams.lookaheadDepth : 0;
    x->rc.b_mb_tree = x->rc.i_lookahead > 0;
    x->i_keyint_max =
        finite(c->config.gopLength) ? (int)c->config.gopLength : X264_KEYINT_MAX_INFINITE;
    if (h->enableIntraRefresh) {
        x->b_intra_refresh = 1;
        x->i_keyint_max = (int)h->intraRefreshPeriod;
    }
    if (h->maxNumRefFrames > 0) {
        x->i_frame_reference = x->i_dpb_size = (int)h->maxNumRefFrames;
    }
    x->i_level_idc = h->level ? (int)h->level : -1;
    x->b_annexb = 1;
    x->b_repeat_headers = 0;
    uint64_t dar = (uint64_t)c->init.darWidth * c->init.encodeHeight;
    uint64_t size = (uint64_t)c->init.darHeight * c->init.encodeWidth;
    if (dar != size && dar < UINT32_MAX && size < UINT32_MAX) {
        uint64_t divisor = dar, other = size;
        while (other) {
            uint64_t rest = divisor % other;
            divisor = other;
            other = rest;
        }
        x->vui.i_sar_width = (int)(dar / divisor);
        x->vui.i_sar_height = (int)(size / divisor);
    }
    set_vui_h264(x, &h->h264VUIParameters);
    set_rate_h264(c, x);
    const GUID *profile = &c->config.profileGUID;
    const char *name = same(profile, &NV_ENC_H264_PROFILE_BASELINE_GUID)   ? "baseline"
                       : same(profile, &NV_ENC_H264_PROFILE_MAIN_GUID)     ? "main"
                       : same(profile, &NV_ENC_H264_PROFILE_HIGH_444_GUID) ? "high444"
                                                                           : "high";
    if (x264_param_apply_profile(x, name) != 0) {
        return false;
    }
    c->h264 = x264_encoder_open(x);
    return c->h264 != NULL;
}

static bool encode_h264(struct standin_coder *c, const struct standin_picture *picture,
                        uint64_t timestamp, bool idr, bool refresh, struct standin_unit *out)
{
    x264_picture_t in, made;
    x264_nal_t *nals;
    int count, size;
    if (picture) {
        x264_picture_init(&in);
        in.img.i_csp = c->h264_param.i_csp;
        in.img.i_plane = 3;
        for (int i = 0; i < 3; i++) {
            in.img.plane[i] = picture->plane[i];
            in.img.i_stride[i] = (int)picture->stride[i];
        }
        in.i_pts = (int64_t)timestamp;
        in.i_type = idr ? X264_TYPE_IDR : X264_TYPE_AUTO;
        if (refresh) {
            x264_encoder_intra_refresh(c->h264);
        }
    }
    do {
        size = x264_encoder_encode(c->h264, &nals, &count, picture ? &in : NULL, &made);
    } while (size == 0 && !picture && x264_encoder_delayed_frames(c->h264) > 0);
    if (size < 0) {
        standin_violation("x264", "a picture could not be encoded");
    }
    if (size == 0) {
        return false;
    }
    out->data = malloc((size_t)size);
    memcpy(out->data, nals[0].p_payload, (size_t)size);
    out->size = (size_t)size;
    out->timestamp = (uint64_t)made.i_pts;
    out->qp = (uint32_t)(made.i_qpplus1 - 1);
    out->type = made.i_type == X264_TYPE_IDR ? NV_ENC_PIC_TYPE_IDR
                : made.i_type == X264_TYPE_I || made.i_type == X264_TYPE_KEYFRAME
                    ? NV_ENC_PIC_TYPE_I
                : made.i_type == X264_TYPE_P ? NV_ENC_PIC_TYPE_P
                                             : NV_ENC_PIC_TYPE_B;
    return true;
}

/* ---- x265 ----------------------------------------------------------------------------------- */

static void set_rate_hevc(const struct standin_coder *c, x265_param *x)
{
    const NV_ENC_RC_PARAMS *rc = &c->config.rcParams;
    x->rc.vbvMaxBitrate = kbit(c, rc->maxBitRate);
    x->rc.vbvBufferSize = kbit(c, rc->vbvBufferSize);
    if (rc->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP) {
        x->rc.rateControlMode = X265_RC_CQP;
        x->rc.qp = (int)rc->constQP.qpInterP;
        x->bLossless = c->init.tuningInfo == NV_ENC_TUNING_INFO_LOSSLESS;
    } else if (rc->averageBitRate == 0) {
        x->rc.rateControlMode = X265_RC_CRF;
        x->rc.rfConstant =
            rc->targetQuality ? rc->targetQuality + rc->targetQualityLSB / 256.0 : 28;
    } else {
        x->rc.rateControlMode = X265_RC_ABR;
        x->rc.bitrate = kbit(c, rc->averageBitRate);
        if (rc->rateControlMode == NV_ENC_PARAMS_RC_CBR) {
            x->rc.vbvMaxBitrate = x->rc.bitrate;
        }
    }
    if (x->rc.vbvMaxBitrate && !x->rc.vbvBufferSize) {
        x->rc.vbvBufferSize = x->rc.vbvMaxBitrate;
    } else if (!x->rc.vbvMaxBitrate) {
        x->rc.vbvBufferSize = 0;
    }
}

static void set_vui_hevc(x265_param *x, const NV_ENC_CONFIG_HEVC_VUI_PARAMETERS *v)
{
    x->vui.bEnableVideoSignalTypePresentFlag = (int)v->videoSignalTypePresentFlag;
    x->vui.videoFormat = (int)v->videoFormat;
    x->vui.bEnableVideoFullRangeFlag = (int)v->videoFullRangeFlag;
    x->vui.bEnableColorDescriptionPresentFlag = (int)v->colourDescriptionPresentFlag;
    x->vui.colorPrimaries = (int)v->colourPrimaries;
    x->vui.transferCharacteristics = (int)v->transferCharacteristics;
    x->vui.matrixCoeffs = (int)v->colourMatrix;
    x->vui.bEnableChromaLocInfoPresentFlag = (int)v->chromaSampleLocationFlag;
    x->vui.chromaSampleLocTypeTopField = (int)v->chromaSampleLocationTop;
    x->vui.chromaSampleLocTypeBottomField = (int)v->chromaSampleLocationBot;
}

static bool open_hevc(struct standin_coder *c)
{
    const NV_ENC_CONFIG_HEVC *h = &c->config.encodeCodecConfig.hevcConfig;
    c->api = x265_api_get((int)hevc_depth(h));
    if (!c->api) {
        standin_violation("x265", "no build for %u bits", hevc_depth(h));
    }
    x265_param *x = c->h265_param = c->api->param_alloc();
    c->api->param_default_preset(x, "ultrafast", "zerolatency");
    x->logLevel = X265_LOG_NONE;
    x->numaPools = NULL;
    x->bEnableWavefront = 0;
    x->frameNumThreads = 1;
    x->lookaheadThreads = 0;
    x->sourceWidth = (int)c->init.encodeWidth;
    x->sourceHeight = (int)c->init.encodeHeight;
    x->fpsNum = c->init.frameRateNum;
    x->fpsDenom = c->init.frameRateDen;
    x->internalCsp = X265_CSP_I420;
    x->internalBitDepth = (int)hevc_depth(h);
    x->keyframeMax = finite(c->config.gopLength) ? (int)c->config.gopLength : -1;
    x->bIntraRefresh = (int)h->enableIntraRefresh;
    if (h->enableIntraRefresh) {
        x->keyframeMax = (int)h->intraRefreshPeriod;
    }
    x->bOpenGOP = 0;
    x->scenecutThreshold = 0;
    x->maxNumReferences = 1;
    x->levelIdc = (int)h->level / 3;
    x->bRepeatHeaders = 0;
    x->bAnnexB = 1;
    x->bEmitInfoSEI = 0;
    set_vui_hevc(x, &h->hevcVUIParameters);
    set_rate_hevc(c, x);
    c->h265 = c->api->encoder_open(x);
    return c->h265 != NULL;
}

static bool encode_hevc(struct standin_coder *c, const struct standin_picture *picture,
                        uint64_t timestamp, bool idr, bool refresh, struct standin_unit *out)
{
    x265_picture in, made;
    x265_nal *nals;
    uint32_t count;
    c->api->picture_init(c->h265_param, &in);
    c->api->picture_init(c->h265_param, &made);
    for (int i = 0; picture && i < 3; i++) {
        in.planes[i] = picture->plane[i];
        in.stride[i] = (int)picture->stride[i];
    }
    in.bitDepth = c->deep ? 10 : 8;
    in.pts = (int64_t)timestamp;
    in.sliceType = idr ? X265_TYPE_IDR : c->intra ? X265_TYPE_I : X265_TYPE_AUTO;
    c->intra = picture ? false : c->intra;
    if (refresh) {
        (void)c->api->encoder_intra_refresh(c->h265);
    }
    int got = c->api->encoder_encode(c->h265, &nals, &count, picture ? &in : NULL, &made);
    if (got < 0) {
        standin_violation("x265", "a picture could not be encoded");
    }
    if (got == 0) {
        return false;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += nals[i].sizeBytes;
    }
    out->data = malloc(size);
    out->size = size;
    memcpy(out->data, nals[0].payload, size); /* they lie one after the other */
    out->timestamp = (uint64_t)made.pts;
    out->qp = (uint32_t)(made.frameData.qp + 0.5);
    out->type = made.sliceType == X265_TYPE_IDR ? NV_ENC_PIC_TYPE_IDR
                : made.sliceType == X265_TYPE_I ? NV_ENC_PIC_TYPE_I
                : made.sliceType == X265_TYPE_P ? NV_ENC_PIC_TYPE_P
                                                : NV_ENC_PIC_TYPE_B;
    return true;
}

/* ---- both ----------------------------------------------------------------------------------- */

static void close_coder(struct standin_coder *c)
{
    if (c->h264) {
        x264_encoder_close(c->h264);
    }
    if (c->h265) {
        c->api->encoder_close(c->h265);
    }
    if (c->h265_param) {
        c->api->param_free(c->h265_param);
    }
    c->h264 = NULL;
    c->h265 = NULL;
    c->h265_param = NULL;
}

static void add_set(struct standin_coder *c, const uint8_t *data, size_t size)
{
    if (size > SETS_MAX - c->sets_size) {
        standin_violation("x264", "parameter sets of more than %d bytes", SETS_MAX);
    }
    memcpy(c->sets + c->sets_size, data, size);
    c->sets_size += size;
}

/* Once: x265 appends them to what it gave last. */
static void read_sets(struct standin_coder *c)
{
    c->sets_size = 0;
    if (c->hevc) {
        x265_nal *nals;
        uint32_t count;
        (void)c->api->encoder_headers(c->h265, &nals, &count);
        for (uint32_t i = 0; i < count; i++) {
            add_set(c, nals[i].payload, nals[i].sizeBytes);
        }
        return;
    }
    x264_nal_t *nals;
    int count;
    (void)x264_encoder_headers(c->h264, &nals, &count);
    for (int i = 0; i < count; i++) {
        if (nals[i].i_type != NAL_SEI) {
            add_set(c, nals[i].p_payload, (size_t)nals[i].i_payload);
        }
    }
}

static bool open_coder(struct standin_coder *c)
{
    bool is_open = c->hevc ? open_hevc(c) : open_h264(c);
    if (is_open) {
        read_sets(c);
    }
    return is_open;
}

struct standin_coder *standin_coder_open(const NV_ENC_INITIALIZE_PARAMS *init,
                                         const NV_ENC_CONFIG *config)
{
    struct standin_coder *c = calloc(1, sizeof *c);
    c->init = *init;
    c->config = *config;
    c->hevc = same(&init->encodeGUID, &NV_ENC_CODEC_HEVC_GUID);
    c->deep = c->hevc && hevc_depth(&config->encodeCodecConfig.hevcConfig) > 8;
    c->is_444 = !c->hevc && config->encodeCodecConfig.h264Config.chromaFormatIDC == 3;
    if (open_coder(c)) {
        return c;
    }
    standin_coder_close(c);
    return NULL;
}

void standin_coder_close(struct standin_coder *c)
{
    if (c) {
        close_coder(c);
        free(c);
    }
}

bool standin_coder_change(struct standin_coder *c, const NV_ENC_INITIALIZE_PARAMS *init,
                          const NV_ENC_CONFIG *config)
{
    bool resize =
        init->encodeWidth != c->init.encodeWidth || init->encodeHeight != c->init.encodeHeight;
    c->init = *init;
    c->config = *config;
    if (resize) {
        close_coder(c);
        return open_coder(c);
    }
    if (c->hevc) { /* x265 changes its rate only where it has a buffer; the test double lets it be
                    */
        set_rate_hevc(c, c->h265_param);
        (void)c->api->encoder_reconfig(c->h265, c->h265_param);
        return true;
    }
    set_rate_h264(c, &c->h264_param);
    return x264_encoder_reconfig(c->h264, &c->h264_param) == 0;
}

size_t standin_coder_sets(struct standin_coder *c, uint8_t *out, size_t room)
{
    size_t size = c->sets_size < room ? c->sets_size : room;
    memcpy(out, c->sets, size);
    return size;
}

bool standin_coder_encode(struct standin_coder *c, const struct standin_picture *picture,
                          uint64_t timestamp, bool idr, bool refresh, struct standin_unit *out)
{
    return c->hevc ? encode_hevc(c, picture, timestamp, idr, refresh, out)
                   : encode_h264(c, picture, timestamp, idr, refresh, out);
}

/* x265 has nothing like it; an intra picture refers to nothing either. */
bool standin_coder_invalidate(struct standin_coder *c, uint64_t timestamp)
{
    if (c->hevc) {
        c->intra = true;
        return true;
    }
    return x264_encoder_invalidate_reference(c->h264, (int64_t)timestamp) == 0;
}
