/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HEVC behind the stand-in (a test double): x265, with lengths instead of start codes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <x265.h>

#include "object.h"

struct coder {
    const x265_api *api;
    x265_encoder *x265;
    x265_param *param;
    x265_nal *nals;
    int depth;
    size_t width, height;
    uint8_t *planes[3]; /* x265 takes no chroma samples in turn */
};

static void set_rate(x265_param *x, const struct standin_settings *s)
{
    if (s->quality >= 0) {
        x->rc.rateControlMode = X265_RC_CRF;
        x->rc.rfConstant = 52 * (1 - s->quality);
    } else if (s->qp >= 0) {
        x->rc.rateControlMode = X265_RC_CQP;
        x->rc.qp = s->qp;
    } else {
        int64_t max = s->maxrate > 0 ? s->maxrate : 2 * s->bitrate;
        x->rc.rateControlMode = X265_RC_ABR;
        x->rc.bitrate = (int)(s->bitrate / 1000);
        x->rc.vbvMaxBitrate = (int)(max / 1000);
        x->rc.vbvBufferSize = (int)((s->buffer > 0 ? s->buffer : max) / 1000);
    }
}

static void set_stream(x265_param *x, const struct standin_settings *s)
{
    x->logLevel = X265_LOG_NONE;
    x->sourceWidth = s->width;
    x->sourceHeight = s->height;
    x->fpsNum = (uint32_t)(s->rate * 1000 + 0.5);
    x->fpsDenom = 1000;
    x->internalCsp = X265_CSP_I420;
    x->frameNumThreads = 1;
    x->bEnableWavefront = 0;
    x->keyframeMax = s->interval > 0 ? s->interval : 250;
    x->scenecutThreshold = 0;
    x->bOpenGOP = 0;
    x->bframes = s->reorder ? 2 : 0;
    x->lookaheadDepth = s->reorder ? 6 : 0;
    x->bAnnexB = 0;
    x->bRepeatHeaders = 0;
    x->bEmitInfoSEI = 0;
    x->vui.bEnableVideoSignalTypePresentFlag = 1;
    x->vui.videoFormat = 5;
    x->vui.bEnableVideoFullRangeFlag = s->full_range;
    x->vui.bEnableColorDescriptionPresentFlag = 1;
    x->vui.colorPrimaries = s->primaries;
    x->vui.transferCharacteristics = s->transfer;
    x->vui.matrixCoeffs = s->matrix;
    if (s->sar_w > 0) {
        x->vui.aspectRatioIdc = X265_EXTENDED_SAR;
        x->vui.sarWidth = s->sar_w;
        x->vui.sarHeight = s->sar_h;
    }
}

static void close_coder(void *coder)
{
    struct coder *c = coder;
    if (c->x265) {
        c->api->encoder_close(c->x265);
    }
    if (c->param) {
        c->api->param_free(c->param);
    }
    for (int i = 0; i < 3; i++) {
        free(c->planes[i]);
    }
    free(c);
}

static void *open_coder(const struct standin_settings *s)
{
    struct coder *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    c->depth = s->ten_bit ? 10 : 8;
    c->width = (size_t)s->width;
    c->height = (size_t)s->height;
    c->api = x265_api_get(c->depth);
    c->param = c->api ? c->api->param_alloc() : NULL;
    if (!c->param) {
        goto fail;
    }
    c->api->param_default_preset(c->param, "ultrafast", s->reorder ? NULL : "zerolatency");
    set_stream(c->param, s);
    set_rate(c->param, s);
    for (int i = 0; i < 3; i++) {
        c->planes[i] = malloc(c->width * c->height * 2);
        if (!c->planes[i]) {
            goto fail;
        }
    }
    if (c->api->param_apply_profile(c->param, s->ten_bit ? "main10" : "main") != 0) {
        goto fail;
    }
    c->x265 = c->api->encoder_open(c->param);
    if (c->x265) {
        return c;
    }
fail:
    close_coder(c);
    return NULL;
}

static size_t all(const x265_nal *nals, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += nals[i].sizeBytes; /* one after the other in memory */
    }
    return size;
}

static bool sets(void *coder, const uint8_t **data, size_t *size)
{
    struct coder *c = coder;
    uint32_t count;
    if (c->api->encoder_headers(c->x265, &c->nals, &count) <= 0) {
        return false;
    }
    *data = c->nals[0].payload;
    *size = all(c->nals, count);
    return true;
}

/* Samples of the high bits of 16, or of 8, into planes of low bits. */
static void spread(const struct coder *c, const struct standin_pixel_buffer *b)
{
    for (size_t y = 0; y < c->height; y++) {
        const uint8_t *luma = b->plane[0] + y * b->stride[0];
        const uint8_t *chroma = b->plane[1] + y / 2 * b->stride[1];
        for (size_t x = 0; x < c->width; x++) {
            size_t to = y * c->width + x, half = y / 2 * (c->width / 2) + x / 2;
            uint8_t *target = c->planes[1 + (x & 1)];
            if (c->depth == 8) {
                c->planes[0][to] = luma[x];
                target[half] = chroma[x];
            } else {
                uint16_t l, k;
                memcpy(&l, luma + 2 * x, 2);
                memcpy(&k, chroma + 2 * x, 2);
                l >>= 6, k >>= 6;
                memcpy(c->planes[0] + 2 * to, &l, 2);
                memcpy(target + 2 * half, &k, 2);
            }
        }
    }
}

static int code(void *coder, struct standin_job *job, struct standin_unit *out)
{
    struct coder *c = coder;
    x265_picture in, coded, *pictures = &coded;
    uint32_t count;
    memset(&coded, 0, sizeof coded);
    if (job) {
        int bytes = c->depth == 8 ? 1 : 2;
        spread(c, job->image);
        c->api->picture_init(c->param, &in);
        in.sliceType = job->key ? X265_TYPE_IDR : X265_TYPE_AUTO;
        in.pts = job->number;
        in.userData = job;
        in.bitDepth = c->depth;
        for (int i = 0; i < 3; i++) {
            in.planes[i] = c->planes[i];
            in.stride[i] = (int)(i == 0 ? c->width : c->width / 2) * bytes;
        }
    }
    int n = c->api->encoder_encode(c->x265, &c->nals, &count, job ? &in : NULL, pictures);
    if (n < 0 || count == 0) {
        return n < 0 ? n : 0;
    }
    *out = (struct standin_unit){.data = c->nals[0].payload,
                                 .size = all(c->nals, count),
                                 .job = coded.userData,
                                 .sync = coded.sliceType == X265_TYPE_IDR};
    return 1;
}

static void change(void *coder, const struct standin_settings *s)
{
    struct coder *c = coder;
    set_rate(c->param, s);
    (void)c->api->encoder_reconfig(c->x265, c->param); /* takes what it can */
}

const struct standin_coder standin_x265 = {open_coder, sets, code, change, close_coder};
