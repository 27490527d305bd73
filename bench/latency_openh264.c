/* SPDX-License-Identifier: BSD-2-Clause */
/* openh264's own API, with the settings that sl_encoder gives it in sync mode
 * (src/encode/openh264_params.c). */
#include <stdbool.h>
#include <unistd.h>

#include <wels/codec_api.h>

#include "latency.h"

static void settings(SEncParamExt *x, const struct job *j)
{
    static const char *const presets[] = {"low", "medium", "high"};
    SSpatialLayerConfig *layer = &x->sSpatialLayers[0];
    int preset = 0;
    while (preset < 3 && strcmp(presets[preset], j->preset) != 0) {
        preset++;
    }
    long threads = j->threads > 0 ? j->threads : sysconf(_SC_NPROCESSORS_ONLN);
    threads = threads > 4 ? 4 : threads;
    if (preset == 3) {
        die("no such preset");
    }
    x->iUsageType = CAMERA_VIDEO_REAL_TIME;
    x->iComplexityMode = (ECOMPLEXITY_MODE)preset;
    x->iPicWidth = layer->iVideoWidth = j->width;
    x->iPicHeight = layer->iVideoHeight = j->height;
    x->fMaxFrameRate = layer->fFrameRate = (float)j->rate;
    x->iRCMode = RC_BITRATE_MODE;
    x->iTargetBitrate = layer->iSpatialBitrate = j->bitrate;
    x->iMaxBitrate = layer->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
    x->iMinQp = 1;
    x->iMaxQp = 51;
    x->iTemporalLayerNum = x->iSpatialLayerNum = 1;
    x->iEntropyCodingModeFlag = 1;
    layer->uiProfileIdc = PRO_HIGH;
    layer->uiLevelIdc = LEVEL_UNKNOWN;
    layer->bVideoSignalTypePresent = true;
    layer->uiVideoFormat = VF_UNDEF;
    layer->bColorDescriptionPresent = true;
    layer->uiColorPrimaries = layer->uiTransferCharacteristics = layer->uiColorMatrix =
        j->height >= 720 ? 1 : 6;
    x->iMultipleThreadIdc = (unsigned short)threads;
    layer->sSliceArgument.uiSliceMode = threads > 1 ? SM_FIXEDSLCNUM_SLICE : SM_SINGLE_SLICE;
    layer->sSliceArgument.uiSliceNum = (unsigned)threads;
    x->bUseLoadBalancing = false;
    x->uiIntraPeriod = 0;
    x->eSpsPpsIdStrategy = CONSTANT_ID;
    x->bPrefixNalAddingCtrl = false;
    x->bEnableFrameSkip = false;
    x->bEnableSceneChangeDetect = false;
    x->bEnableLongTermReference = false;
    x->iLTRRefNum = 0;
}

static void take_layers(struct job *j, const SFrameBSInfo *info)
{
    for (int i = 0; i < info->iLayerNum; i++) {
        const SLayerBSInfo *layer = &info->sLayerInfo[i];
        size_t size = 0;
        for (int k = 0; k < layer->iNalCount; k++) {
            size += (size_t)layer->pNalLengthInByte[k];
        }
        take(j, layer->pBsBuf, size);
    }
}

int main(int argc, char **argv)
{
    struct job j = job_open(argc, argv);
    ISVCEncoder *e = NULL;
    SEncParamExt x;
    int quiet = WELS_LOG_QUIET;
    if (WelsCreateSVCEncoder(&e) != 0 || (*e)->GetDefaultParams(e, &x) != 0) {
        die("openh264 cannot be opened");
    }
    (*e)->SetOption(e, ENCODER_OPTION_TRACE_LEVEL, &quiet);
    settings(&x, &j);
    if ((*e)->InitializeExt(e, &x) != 0) {
        die("openh264 refuses the settings");
    }
    job_begin(&j);
    for (int i = 0; i < j.frames; i++) {
        SFrameBSInfo info = {.iLayerNum = 0};
        picture_begin(&j);
        SSourcePicture in = {.iColorFormat = videoFormatI420,
                             .iPicWidth = j.width,
                             .iPicHeight = j.height,
                             .iStride = {j.width, j.width / 2, j.width / 2},
                             .uiTimeStamp = (long long)i * 1000 / j.rate};
        for (int k = 0; k < 3; k++) {
            in.pData[k] = (unsigned char *)(uintptr_t)plane(&j, i, k);
        }
        if ((*e)->EncodeFrame(e, &in, &info) != 0 || info.iLayerNum == 0) {
            die("openh264 gave nothing");
        }
        take_layers(&j, &info);
        picture_end(&j);
    }
    job_end(&j);
    (*e)->Uninitialize(e);
    WelsDestroySVCEncoder(e);
    return 0;
}
