/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 by openh264 (docs/encoders-software.md): one picture in, its access unit out, in the same
 * call. Nothing is held back, so pipelined mode is the same as sync. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "encode/contract.h"
#include "encode/openh264_params.h"
#include "encode/soft.h"
#include "encode/turn.h"
#include "media/track.h"

#define NAME "openh264"
/* Pictures that a report of loss may be late by, and that a long-term picture waits for it. */
#define RECENT 32

/* What openh264 says; its threads may speak while the owner reads, hence the handshake. */
struct said {
    const struct sl_log *log;
    atomic_int state; /* 0: empty, 1: being written, 2: complete */
    char text[160];   /* the first complaint */
};

/* A picture that was coded, for what is said about its loss later on. */
struct recent {
    int64_t pts;
    int frame_num;
    bool lost;
};

struct encoder {
    struct sl_coder base;
    ISVCEncoder *lib;
    bool ready; /* initialised */
    struct said said;
    SEncParamExt x; /* as opened, for what is changed later */
    struct sl_contract contract;
    struct sl_frame *upright;  /* a copy of a picture that lies the other way round in memory */
    struct sl_writer gathered; /* an access unit that the library keeps in pieces */
    struct sl_turn turn;
    int64_t first_pts;

    /* loss recovery: pictures since the last IDR */
    uint8_t log2_max_frame_num;
    unsigned idr_pic_id;
    int64_t since_idr;
    struct recent recent[RECENT]; /* picture n since the IDR is at n % RECENT */
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

/* ---- log --------------------------------------------------------------------------------- */

static void trace(void *opaque, int level, const char *text)
{
    struct said *s = opaque;
    /* "[OpenH264] this = 0x0x…, Error:what it has to say" */
    const char *tag = strstr(text, level == WELS_LOG_ERROR     ? "Error:"
                                   : level == WELS_LOG_WARNING ? "Warning:"
                                                               : "Info:");
    char line[sizeof s->text];
    (void)snprintf(line, sizeof line, "%s", tag ? strchr(tag, ':') + 1 : text);
    line[strcspn(line, "\r\n")] = '\0';
    int empty = 0;
    if (level == WELS_LOG_ERROR && atomic_compare_exchange_strong(&s->state, &empty, 1)) {
        (void)snprintf(s->text, sizeof s->text, "%s", line);
        atomic_store(&s->state, 2);
    }
    /* It warns of settings that are meant just so. */
    sl_log_write(s->log, level == WELS_LOG_ERROR ? SL_LOG_ERROR : SL_LOG_DEBUG, NAME, "%s", line);
}

static enum sl_status refused(struct encoder *e, enum sl_status status, const char *what, int code,
                              struct sl_error *err)
{
    if (code == cmMallocMemeError) {
        return sl_fail_memory(err);
    }
    if (atomic_load(&e->said.state) != 2) {
        return sl_fail(err, status, NAME, "%s: openh264 returned %d", what, code);
    }
    return sl_fail(err, status, NAME, "%s: %s", what, e->said.text);
}

/* ---- open -------------------------------------------------------------------------------- */

/* The access unit or the parameter sets as one piece: as they lie where the layers follow each
 * other in memory, else copied. */
static enum sl_status gather(struct encoder *e, const SFrameBSInfo *info, const uint8_t **data,
                             size_t *size, struct sl_error *err)
{
    const uint8_t *first = NULL;
    bool whole = true;
    *size = 0;
    for (int i = 0; i < info->iLayerNum; i++) {
        const SLayerBSInfo *layer = &info->sLayerInfo[i];
        whole = whole && (!first || layer->pBsBuf == first + *size);
        first = first ? first : layer->pBsBuf;
        for (int k = 0; k < layer->iNalCount; k++) {
            *size += (size_t)layer->pNalLengthInByte[k];
        }
    }
    *data = first;
    if (whole) {
        return first ? SL_OK : sl_fail(err, SL_EDATA, NAME, "nothing came out");
    }
    sl_writer_clear(&e->gathered);
    sl_writer_init(&e->gathered, *size);
    for (int i = 0; i < info->iLayerNum; i++) {
        const SLayerBSInfo *layer = &info->sLayerInfo[i];
        size_t bytes = 0;
        for (int k = 0; k < layer->iNalCount; k++) {
            bytes += (size_t)layer->pNalLengthInByte[k];
        }
        sl_write_bytes(&e->gathered, layer->pBsBuf, bytes);
    }
    *data = e->gathered.data;
    return sl_writer_finish(&e->gathered, err);
}

static enum sl_status read_sps(struct encoder *e, const uint8_t *data, size_t size,
                               struct sl_error *err)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    while (sl_nal_next_annexb(&w, &nal)) {
        if ((nal.data[0] & 0x1f) == SL_H264_SPS) {
            struct sl_h264_sps sps;
            enum sl_status status = sl_h264_parse_sps(&nal, &sps, err);
            e->log2_max_frame_num = sps.log2_max_frame_num;
            return status;
        }
    }
    return sl_fail(err, SL_EDATA, NAME, "no SPS announced");
}

static enum sl_status fill_track(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    SFrameBSInfo info = {.iLayerNum = 0};
    const uint8_t *data;
    size_t size;
    int code = (*e->lib)->EncodeParameterSets(e->lib, &info);
    if (code != 0) {
        return refused(e, SL_EDATA, "no parameter sets", code, err);
    }
    enum sl_status status = gather(e, &info, &data, &size, err);
    if (status == SL_OK) {
        status = read_sps(e, data, size, err);
    }
    if (status == SL_OK) {
        status = sl_contract_open(&e->contract, NAME, SL_CODEC_H264, p, 0, data, size,
                                  &e->base.track, err);
    }
    e->base.track.pixel_format = SL_PIX_YUV420P;
    return status;
}

static void openh264_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    if (e->lib) {
        if (e->ready) {
            (*e->lib)->Uninitialize(e->lib);
        }
        WelsDestroySVCEncoder(e->lib);
    }
    sl_turn_clear(&e->turn);
    sl_frame_unref(&e->upright);
    sl_contract_clear(&e->contract);
    sl_writer_clear(&e->gathered);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

/* Without this it writes to standard error. */
static void hear(struct encoder *e)
{
    int level = e->said.log && e->said.log->level >= SL_LOG_DEBUG ? WELS_LOG_INFO : WELS_LOG_ERROR;
    WelsTraceCallback callback = trace;
    void *context = &e->said;
    (*e->lib)->SetOption(e->lib, ENCODER_OPTION_TRACE_CALLBACK, &callback);
    (*e->lib)->SetOption(e->lib, ENCODER_OPTION_TRACE_CALLBACK_CONTEXT, &context);
    (*e->lib)->SetOption(e->lib, ENCODER_OPTION_TRACE_LEVEL, &level);
}

static enum sl_status start(struct encoder *e, const struct sl_encode_params *params,
                            struct sl_error *err)
{
    if (WelsCreateSVCEncoder(&e->lib) != 0 || !e->lib) {
        e->lib = NULL;
        return sl_fail_memory(err);
    }
    hear(e);
    int code = (*e->lib)->GetDefaultParams(e->lib, &e->x);
    if (code != 0) {
        return refused(e, SL_EUNSUPPORTED, "no default parameters", code, err);
    }
    enum sl_status status = sl_openh264_params(&e->x, params, err);
    if (status != SL_OK) {
        return status;
    }
    code = (*e->lib)->InitializeExt(e->lib, &e->x);
    if (code != 0) {
        return refused(e, SL_EINVAL, "cannot be opened", code, err);
    }
    e->ready = true;
    return fill_track(e, params, err);
}

static enum sl_status openh264_open(struct sl_coder **out, const struct sl_encode_params *params,
                                    struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = &sl_encode_openh264_lib;
    sl_track_init(&e->base.track);
    sl_writer_init(&e->gathered, 0);
    e->said.log = params->log;
    e->first_pts = SL_NO_TIME;
    sl_turn_init(&e->turn, NAME);
    enum sl_status status = start(e, params, err);
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        openh264_destroy(&e->base);
    }
    return status;
}

/* ---- loss recovery ----------------------------------------------------------------------- */

/* idr_pic_id tells an IDR from the one before, and what is said about losses has to name it. All
 * pictures are frames (7.3.3). */
static enum sl_status read_idr_pic_id(struct encoder *e, const uint8_t *data, size_t size,
                                      struct sl_error *err)
{
    enum { HEAD = 24 }; /* bytes that hold what is read here */
    size_t at = 0;
    while ((at = sl_nal_find_annexb(data, size, at)) < size && (data[at] & 0x1f) != SL_H264_IDR) {
    }
    struct sl_writer header;
    sl_writer_init(&header, HEAD);
    sl_nal_unescape(data + at, size - at < HEAD ? size - at : HEAD, &header);
    enum sl_status status = sl_writer_finish(&header, err);
    if (status == SL_OK) {
        struct sl_bit_reader b;
        sl_bits_init(&b, header.data, header.size);
        sl_bits_skip(&b, 8);
        (void)sl_bits_ue(&b); /* first_mb_in_slice */
        (void)sl_bits_ue(&b); /* slice_type */
        (void)sl_bits_ue(&b); /* pic_parameter_set_id */
        sl_bits_skip(&b, e->log2_max_frame_num);
        e->idr_pic_id = sl_bits_ue(&b);
    }
    sl_writer_clear(&header);
    return status;
}

static struct recent *recent_at(struct encoder *e, int64_t n)
{
    return &e->recent[n % RECENT];
}

/* Nobody acknowledges pictures here, so a long-term picture counts as received once it is RECENT
 * pictures old and was not said to be lost. Told for every picture, heard for those that are
 * long-term ones: which they are stands nowhere. Before the picture after the last one in recent.
 */
static void confirm(struct encoder *e)
{
    if (e->since_idr < RECENT || recent_at(e, e->since_idr)->lost) {
        return;
    }
    SLTRMarkingFeedback feedback = {
        .uiFeedbackType = LTR_MARKING_SUCCESS,
        .uiIDRPicId = e->idr_pic_id,
        .iLTRFrameNum = recent_at(e, e->since_idr)->frame_num, /* the oldest */
        .iLayerId = 0,
    };
    (*e->lib)->SetOption(e->lib, ENCODER_LTR_MARKING_FEEDBACK, &feedback);
}

static enum sl_status remember(struct encoder *e, int64_t pts, bool idr, const uint8_t *data,
                               size_t size, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (idr) {
        e->since_idr = 0;
        status = read_idr_pic_id(e, data, size, err);
    }
    /* Each picture is a reference, so that frame_num counts them (7.4.3). */
    int64_t mask = ((int64_t)1 << e->log2_max_frame_num) - 1;
    *recent_at(e, e->since_idr) =
        (struct recent){.pts = pts, .frame_num = (int)(e->since_idr & mask)};
    e->since_idr++;
    return status;
}

static enum sl_status openh264_recover(struct sl_coder *base, int64_t pts,
                                       enum sl_encoder_recovery *how, struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (!e->x.bEnableLongTermReference) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "opened without loss recovery");
    }
    /* A picture that may have been taken for received by now, with the one that marks it, or the
     * IDR itself, or one so early that there is no long-term picture yet. */
    int64_t oldest = e->since_idr > RECENT - 2 ? e->since_idr - (RECENT - 2) : 1;
    int64_t lost = e->since_idr;
    while (lost > oldest && recent_at(e, lost - 1)->pts >= pts) {
        lost--;
    }
    if (e->since_idr < 2 || lost == e->since_idr || recent_at(e, lost)->pts != pts ||
        recent_at(e, lost - 1)->pts >= pts) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "the lost picture is an IDR or too old to be known");
    }
    SLTRRecoverRequest request = {
        .uiFeedbackType = LTR_RECOVERY_REQUEST,
        .uiIDRPicId = e->idr_pic_id,
        .iLastCorrectFrameNum = recent_at(e, lost - 1)->frame_num,
        .iCurrentFrameNum = recent_at(e, e->since_idr - 1)->frame_num,
        .iLayerId = 0,
    };
    if ((*e->lib)->SetOption(e->lib, ENCODER_LTR_RECOVERY_REQUEST, &request) != 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "openh264 does not recover from this");
    }
    for (int64_t n = lost; n < e->since_idr; n++) {
        recent_at(e, n)->lost = true;
    }
    *how = SL_RECOVERY_REFERENCE;
    return SL_OK;
}

/* ---- encode ------------------------------------------------------------------------------ */

/* openh264 takes rows from the top down alone. */
static enum sl_status set_planes(struct encoder *e, SSourcePicture *picture,
                                 const struct sl_frame *frame, struct sl_error *err)
{
    bool turned = false;
    for (int i = 0; i < 3; i++) {
        turned = turned || frame->stride[i] < 0;
    }
    if (turned && !e->upright) {
        enum sl_status status = sl_frame_create_video(&e->upright, SL_PIX_YUV420P, frame->width,
                                                      frame->height, NULL, err);
        if (status != SL_OK) {
            return status;
        }
    }
    for (int i = 0; i < 3; i++) {
        int32_t rows = i ? frame->height / 2 : frame->height;
        size_t bytes = (size_t)(i ? frame->width / 2 : frame->width);
        for (int32_t y = 0; turned && y < rows; y++) {
            memcpy(e->upright->plane[i] + e->upright->stride[i] * y,
                   frame->plane[i] + frame->stride[i] * y, bytes);
        }
        const struct sl_frame *from = turned ? e->upright : frame;
        picture->iStride[i] = (int)from->stride[i];
        picture->pData[i] = from->plane[i];
    }
    return SL_OK;
}

static enum sl_status encode(struct encoder *e, const struct sl_frame *frame, struct sl_error *err)
{
    SFrameBSInfo info = {.iLayerNum = 0};
    SSourcePicture picture = {
        .iColorFormat = videoFormatI420,
        .iPicWidth = frame->width,
        .iPicHeight = frame->height,
        .uiTimeStamp = sl_rescale(frame->pts - e->first_pts, e->base.track.timebase,
                                  sl_rational(1, 1000), SL_ROUND_NEAREST),
    };
    enum sl_status status = set_planes(e, &picture, frame, err);
    if (status != SL_OK) {
        return status;
    }
    if (e->x.bEnableLongTermReference) {
        confirm(e);
    }
    /* CUT implies KEY (media/frame.h). */
    if ((frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0) {
        (*e->lib)->ForceIntraFrame(e->lib, true);
    }
    int code = (*e->lib)->EncodeFrame(e->lib, &picture, &info);
    if (code != 0) {
        return refused(e, SL_EDATA, "encoding failed", code, err);
    }
    if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid) {
        return sl_fail(err, SL_EDATA, NAME, "a picture was left out");
    }
    const uint8_t *data;
    size_t size;
    struct sl_packet *p = NULL;
    status = gather(e, &info, &data, &size, err);
    if (status == SL_OK) {
        status = sl_contract_packet(&e->contract, data, size, &p, err);
    }
    if (status != SL_OK) {
        return status;
    }
    e->turn.pending = p;
    p->pts = frame->pts;
    p->duration = frame->duration;
    p->qp = e->x.iRCMode == RC_OFF_MODE ? e->x.sSpatialLayers[0].iDLayerQp : -1;
    p->flags |= (frame->flags & SL_FRAME_CUT) != 0 ? SL_PACKET_CUT : 0u;
    return e->x.bEnableLongTermReference
               ? remember(e, frame->pts, (p->flags & SL_PACKET_KEY) != 0, data, size, err)
               : SL_OK;
}

static enum sl_status openh264_send(struct sl_coder *base, struct sl_frame *frame,
                                    struct sl_error *err)
{
    struct encoder *e = cast(base);
    bool go;
    enum sl_status status =
        sl_turn_send(&e->turn, &base->track, frame, sl_openh264_caps.formats, &go, err);
    if (!go) {
        return status;
    }
    e->first_pts = e->first_pts == SL_NO_TIME ? frame->pts : e->first_pts;
    e->turn.last_pts = frame->pts;
    status = encode(e, frame, err);
    e->turn.broken = status;
    return status;
}

static enum sl_status openh264_receive(struct sl_coder *base, struct sl_packet **out,
                                       struct sl_error *err)
{
    return sl_turn_receive(&cast(base)->turn, out, err);
}

/* ---- changes ----------------------------------------------------------------------------- */

static enum sl_status openh264_reconfigure(struct sl_coder *base,
                                           const struct sl_encode_params *params,
                                           struct sl_error *err)
{
    struct encoder *e = cast(base);
    SEncParamExt to = e->x;
    enum sl_status status = sl_openh264_params(&to, params, err);
    if (status != SL_OK) {
        return status;
    }
    /* Its quantiser cannot be changed without an IDR. */
    if (to.iPicWidth != e->x.iPicWidth || to.iPicHeight != e->x.iPicHeight ||
        to.iRCMode != e->x.iRCMode || to.iRCMode == RC_OFF_MODE) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this cannot be changed in mid-stream");
    }
    SBitrateInfo rate = {.iLayer = SPATIAL_LAYER_ALL, .iBitrate = to.iTargetBitrate};
    int code = (*e->lib)->SetOption(e->lib, ENCODER_OPTION_FRAME_RATE, &to.fMaxFrameRate);
    if (code == 0) {
        code = (*e->lib)->SetOption(e->lib, ENCODER_OPTION_BITRATE, &rate);
    }
    if (code != 0) {
        return refused(e, SL_EUNSUPPORTED, "this cannot be changed in mid-stream", code, err);
    }
    e->x = to;
    e->base.track.frame_rate = params->frame_rate;
    e->base.track.bitrate = params->bitrate;
    return SL_OK;
}

const struct sl_coder_ops sl_encode_openh264_lib = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .open = openh264_open,
    .send = openh264_send,
    .receive = openh264_receive,
    .destroy = openh264_destroy,
    .reconfigure = openh264_reconfigure,
    .recover = openh264_recover,
    .caps = &sl_openh264_caps,
};
