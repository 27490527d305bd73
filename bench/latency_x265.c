/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x265's own API, with the settings that sl_encoder gives it in sync mode
 * (src/encode/x265_params.c).
 */
#include <stdint.h>
#include <x265.h>

#include "latency.h"

static void settings(x265_param *x, const struct job *j)
{
    if (x265_param_default_preset(x, j->preset, NULL) != 0) {
        die("no such preset");
    }
    x->logLevel = X265_LOG_NONE;
    x->sourceWidth = j->width;
    x->sourceHeight = j->height;
    x->internalCsp = X265_CSP_I420;
    x->fpsNum = (uint32_t)j->rate;
    x->fpsDenom = 1;
    x->vui.bEnableVideoSignalTypePresentFlag = 1;
    x->vui.videoFormat = 5;
    x->vui.bEnableColorDescriptionPresentFlag = 1;
    x->vui.colorPrimaries = x->vui.transferCharacteristics = x->vui.matrixCoeffs =
        j->height >= 720 ? 1 : 6;
    x->keyframeMax = -1;
    x->keyframeMin = 0;
    x->bOpenGOP = 0;
    x->radl = 0;
    x->bframes = 0;
    x->bFrameAdaptive = 0;
    x->bBPyramid = 0;
    x->lookaheadDepth = 0;
    x->lookaheadSlices = 0;
    x->scenecutThreshold = 0;
    x->bHistBasedSceneCut = 0;
    x->rc.cuTree = 0;
    x->maxSlices = 1;
    x->frameNumThreads = 1;
    if (j->threads == 1) {
        x->bEnableWavefront = 0;
    }
    x->bAnnexB = 1;
    x->bRepeatHeaders = 1;
    x->bEmitInfoSEI = 0;
    x->bEmitHRDSEI = 0;
    x->rc.rateControlMode = X265_RC_ABR;
    x->rc.bitrate = j->bitrate / 1000;
    if (x265_param_apply_profile(x, "main") != 0) {
        die("no Main profile");
    }
}

int main(int argc, char **argv)
{
    struct job j = job_open(argc, argv);
    x265_param *x = x265_param_alloc();
    if (!x) {
        die("out of memory");
    }
    settings(x, &j);
    x265_encoder *e = x265_encoder_open(x);
    if (!e) {
        die("x265 cannot be opened");
    }
    job_begin(&j);
    for (int i = 0; i < j.frames; i++) {
        x265_picture in;
        x265_nal *nals;
        uint32_t count = 0;
        picture_begin(&j);
        x265_picture_init(x, &in);
        in.pts = i;
        in.sliceType = i == 0 ? X265_TYPE_IDR : X265_TYPE_AUTO;
        for (int k = 0; k < 3; k++) {
            in.planes[k] = (uint8_t *)(uintptr_t)plane(&j, i, k);
            in.stride[k] = k == 0 ? j.width : j.width / 2;
        }
        if (x265_encoder_encode(e, &nals, &count, &in, NULL) != 1) {
            die("x265 gave nothing");
        }
        for (uint32_t k = 0; k < count; k++) {
            take(&j, nals[k].payload, nals[k].sizeBytes);
        }
        picture_end(&j);
    }
    job_end(&j);
    x265_encoder_close(e);
    x265_param_free(x);
    return 0;
}
