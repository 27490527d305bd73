/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 and HEVC by NVENC. A picture is submitted by send; its unit is waited for and fetched by
 * receive, as many pictures later as the mode says. docs/nvenc.md. */
#include "encode/nvenc.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "encode/backends.h"
#include "encode/h264_track.h"
#include "media/track.h"

#define NAME        SL_NVENC_NAME
#define BUSY_TRIES  1000 /* of a millisecond each: NV_ENC_ERR_ENCODER_BUSY is not an error */
#define BT709       1    /* H.273 8.3 */
#define UNSPECIFIED 2
#define BT470BG     5
#define SMPTE170M   6

static const struct sl_coder_caps caps_h264, caps_hevc;

static struct sl_nvenc *cast(struct sl_coder *e)
{
    return (struct sl_nvenc *)e;
}

static bool is_hevc(const struct sl_nvenc *e)
{
    return e->base.ops->codec == SL_CODEC_HEVC;
}

/* ---- probe --------------------------------------------------------------------------------- */

static enum sl_status probe(GUID codec, struct sl_error *err)
{
    struct sl_nvenc_session session;
    struct sl_error why = {0};
    enum sl_status status = sl_nvenc_session_open(&session, codec, 0, NULL, &why);
    sl_nvenc_session_close(&session);
    return status == SL_OK ? SL_OK : sl_fail(err, SL_EUNSUPPORTED, why.where, "%s", why.msg);
}

static enum sl_status probe_h264(struct sl_error *err)
{
    return probe(NV_ENC_CODEC_H264_GUID, err);
}

static enum sl_status probe_hevc(struct sl_error *err)
{
    return probe(NV_ENC_CODEC_HEVC_GUID, err);
}

/* ---- open ---------------------------------------------------------------------------------- */

enum sl_status sl_nvenc_sets(struct sl_nvenc *e, const struct sl_encode_params *p,
                             struct sl_contract *contract, struct sl_track *track,
                             struct sl_error *err)
{
    uint8_t sets[SL_CONTRACT_SETS_MAX];
    uint32_t size = 0;
    NV_ENC_SEQUENCE_PARAM_PAYLOAD payload = {
        .version = sl_nvenc_version(&e->session, NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER),
        .inBufferSize = sizeof sets,
        .spsppsBuffer = sets,
        .outSPSPPSPayloadSize = &size,
    };
    NVENCSTATUS answer =
        e->session.driver.nvenc.nvEncGetSequenceParams(e->session.encoder, &payload);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(&e->session, "nvEncGetSequenceParams", answer, err);
    }
    if (size > sizeof sets) {
        return sl_fail(err, SL_EDATA, NAME, "parameter sets of %u bytes, expected at most %zu",
                       size, sizeof sets);
    }
    enum sl_status status = sl_contract_open(contract, NAME, e->base.ops->codec, p,
                                             e->config.reorder, sets, size, track, err);
    track->pixel_format = (int32_t)e->config.coded;
    return status;
}

static enum sl_status initialise(struct sl_nvenc *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    enum sl_status status = sl_nvenc_params(&e->config, &e->session, e->base.ops->codec, p, err);
    if (status != SL_OK) {
        return status;
    }
    e->config.init.encodeConfig = &e->config.config;
    NVENCSTATUS answer =
        e->session.driver.nvenc.nvEncInitializeEncoder(e->session.encoder, &e->config.init);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(&e->session, "nvEncInitializeEncoder", answer, err);
    }
    status = sl_nvenc_sets(e, p, &e->contract, &e->base.track, err);
    if (status != SL_OK) {
        return status;
    }
    /* One for the picture at hand; and where pictures are reordered, the unit of an output buffer
     * is not that of the picture beside it, which may be read for one longer. */
    size_t count = (size_t)e->config.delay + 1 + (e->config.config.frameIntervalP > 1);
    e->pictures = sl_alloc_array(count, sizeof *e->pictures);
    e->ready = sl_alloc_array(count, sizeof(struct sl_packet *));
    if (!e->pictures || !e->ready) {
        return sl_fail_memory(err);
    }
    return sl_nvenc_surfaces_open(&e->surfaces, &e->session, &e->nvtx, count, err);
}

/* What was submitted has to have an end before anything that it reads or writes is taken away. */
static void end_of_stream(struct sl_nvenc *e)
{
    NV_ENC_PIC_PARAMS pic = {.version = sl_nvenc_version(&e->session, NV_ENC_PIC_PARAMS_VER),
                             .encodePicFlags = NV_ENC_PIC_FLAG_EOS};
    (void)e->session.driver.nvenc.nvEncEncodePicture(e->session.encoder, &pic);
}

static void nvenc_destroy(struct sl_coder *base)
{
    struct sl_nvenc *e = cast(base);
    if (!e) {
        return;
    }
    /* On a device that is lost these calls fail, and there is nothing left to free on it. */
    bool here = e->session.context && sl_nvenc_enter(&e->session, NULL) == SL_OK;
    if (e->sent > 0 && !e->flushing) {
        end_of_stream(e);
    }
    sl_nvenc_surfaces_close(&e->surfaces);
    if (here) {
        sl_nvenc_leave(&e->session);
    }
    sl_nvenc_session_close(&e->session);
    for (size_t i = 0; i < e->ready_count; i++) {
        sl_packet_unref(&e->ready[i]);
    }
    sl_nvtx_close(&e->nvtx);
    sl_contract_clear(&e->contract);
    sl_free(e->ready);
    sl_free(e->pictures);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

static enum sl_status nvenc_open(const struct sl_coder_ops *ops, GUID codec, struct sl_coder **out,
                                 const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    struct sl_nvenc *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = ops;
    sl_track_init(&e->base.track);
    e->last_pts = SL_NO_TIME;
    e->lookahead = params->latency == SL_LATENCY_LOOKAHEAD;
    if (params->nvtx) {
        (void)sl_nvtx_open(&e->nvtx);
    }
    enum sl_status status =
        sl_nvenc_session_open(&e->session, codec, params->gpu, params->cuda_context, err);
    if (status == SL_OK) {
        status = sl_nvenc_enter(&e->session, err);
    }
    if (status == SL_OK) {
        status = initialise(e, params, err);
        sl_nvenc_leave(&e->session);
    }
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        nvenc_destroy(&e->base);
    }
    return status;
}

static enum sl_status open_h264(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return nvenc_open(&sl_encode_nvenc_h264, NV_ENC_CODEC_H264_GUID, out, params, err);
}

static enum sl_status open_hevc(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return nvenc_open(&sl_encode_nvenc_hevc, NV_ENC_CODEC_HEVC_GUID, out, params, err);
}

/* ---- send ---------------------------------------------------------------------------------- */

static enum sl_status check_rgb(const struct sl_nvenc *e, const struct sl_frame *f,
                                struct sl_error *err)
{
    uint8_t matrix = e->base.track.colour.matrix;
    if (e->base.track.pixel_format == SL_PIX_P010) {
        return sl_fail(err, SL_EINVAL, NAME, "frame is %s, expected p010",
                       sl_pixel_info(f->format)->name);
    }
    if (matrix != BT709 && matrix != BT470BG && matrix != SMPTE170M && matrix != UNSPECIFIED) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "NVENC converts RGB by BT.601 or BT.709, asked for matrix %u", matrix);
    }
    return SL_OK;
}

static enum sl_status check_cuda(const struct sl_nvenc *e, const struct sl_frame *f,
                                 struct sl_error *err)
{
    const struct sl_pixel_info *is = sl_pixel_info(f->format);
    if (is && is->rgb && sl_nvenc_format(f->format) != NV_ENC_BUFFER_FORMAT_UNDEFINED &&
        f->width == e->base.track.width && f->height == e->base.track.height) {
        return check_rgb(e, f, err);
    }
    struct sl_frame host = {.kind = f->kind,
                            .format = f->format,
                            .width = f->width,
                            .height = f->height,
                            .memory = SL_MEMORY_HOST};
    return sl_h264_track_check(&e->base.track, &host, e->base.ops->caps->formats, NAME, err);
}

static enum sl_status check_frame(const struct sl_nvenc *e, const struct sl_frame *f,
                                  struct sl_error *err)
{
    enum sl_status status =
        f->memory == SL_MEMORY_CUDA
            ? check_cuda(e, f, err)
            : sl_h264_track_check(&e->base.track, f, e->base.ops->caps->formats, NAME, err);
    if (status != SL_OK) {
        return status;
    }
    if (f->pts == SL_NO_TIME || (e->last_pts != SL_NO_TIME && f->pts <= e->last_pts)) {
        return sl_fail(err, SL_EINVAL, NAME, "frame pts %lld after %lld, expected to rise",
                       (long long)f->pts, (long long)e->last_pts);
    }
    return SL_OK;
}

static void fill_codec(const struct sl_nvenc *e, NV_ENC_PIC_PARAMS *pic)
{
    uint32_t refresh = e->refresh_now ? e->config.refresh : 0;
    if (is_hevc(e)) {
        const NV_ENC_CONFIG_HEVC *h = &e->config.config.encodeCodecConfig.hevcConfig;
        pic->codecPicParams.hevcPicParams.sliceMode = h->sliceMode;
        pic->codecPicParams.hevcPicParams.sliceModeData = h->sliceModeData;
        pic->codecPicParams.hevcPicParams.forceIntraRefreshWithFrameCnt = refresh;
    } else {
        const NV_ENC_CONFIG_H264 *h = &e->config.config.encodeCodecConfig.h264Config;
        pic->codecPicParams.h264PicParams.sliceMode = h->sliceMode;
        pic->codecPicParams.h264PicParams.sliceModeData = h->sliceModeData;
        pic->codecPicParams.h264PicParams.forceIntraRefreshWithFrameCnt = refresh;
    }
}

static NVENCSTATUS encode(struct sl_nvenc *e, NV_ENC_PIC_PARAMS *pic)
{
    NVENCSTATUS answer;
    int tries = 0;
    while ((answer = e->session.driver.nvenc.nvEncEncodePicture(e->session.encoder, pic)) ==
               NV_ENC_ERR_ENCODER_BUSY &&
           ++tries < BUSY_TRIES) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return answer;
}

static enum sl_status submit(struct sl_nvenc *e, struct sl_frame *frame, size_t slot,
                             struct sl_error *err)
{
    struct sl_nvenc_surface *surface = &e->surfaces.surface[slot];
    /* CUT implies KEY (media/frame.h). */
    bool key = (frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
    NV_ENC_PIC_PARAMS pic = {
        .version = sl_nvenc_version(&e->session, NV_ENC_PIC_PARAMS_VER),
        .inputWidth = (uint32_t)frame->width,
        .inputHeight = (uint32_t)frame->height,
        .inputPitch = surface->pitch,
        .encodePicFlags = key ? NV_ENC_PIC_FLAG_FORCEIDR | NV_ENC_PIC_FLAG_OUTPUT_SPSPPS : 0,
        .frameIdx = (uint32_t)e->sent,
        .inputTimeStamp = (uint64_t)frame->pts,
        .inputDuration = frame->duration > 0 ? (uint64_t)frame->duration : 0,
        .inputBuffer = surface->input,
        .outputBitstream = surface->output,
        .bufferFmt = surface->format,
        .pictureStruct = NV_ENC_PIC_STRUCT_FRAME,
    };
    fill_codec(e, &pic);
    sl_nvtx_push(&e->nvtx, SL_NVTX_SUBMIT);
    NVENCSTATUS answer = encode(e, &pic);
    sl_nvtx_pop(&e->nvtx);
    if (answer != NV_ENC_SUCCESS && answer != NV_ENC_ERR_NEED_MORE_INPUT) {
        (void)sl_nvenc_fail(&e->session, "nvEncEncodePicture", answer, err);
        return SL_EIO;
    }
    e->refresh_now = false;
    e->pictures[slot] = (struct sl_nvenc_picture){.pts = frame->pts,
                                                  .duration = frame->duration,
                                                  .cut = (frame->flags & SL_FRAME_CUT) != 0,
                                                  .reading = true};
    e->history[e->sent % SL_NVENC_HISTORY] = frame->pts;
    e->sent++;
    e->covered = answer == NV_ENC_SUCCESS ? e->sent : e->covered;
    e->last_pts = frame->pts;
    return SL_OK;
}

static enum sl_status flush(struct sl_nvenc *e, struct sl_error *err)
{
    e->flushing = true;
    if (e->sent == 0) {
        return SL_OK;
    }
    NV_ENC_PIC_PARAMS pic = {.version = sl_nvenc_version(&e->session, NV_ENC_PIC_PARAMS_VER),
                             .encodePicFlags = NV_ENC_PIC_FLAG_EOS};
    NVENCSTATUS answer = encode(e, &pic);
    if (answer != NV_ENC_SUCCESS) {
        (void)sl_nvenc_fail(&e->session, "nvEncEncodePicture", answer, err);
        return SL_EIO;
    }
    e->covered = e->sent;
    return SL_OK;
}

static enum sl_status send_frame(struct sl_nvenc *e, struct sl_frame *frame, size_t slot,
                                 struct sl_error *err)
{
    enum sl_status status = sl_nvenc_enter(&e->session, err);
    if (status != SL_OK) {
        e->broken = status;
        return status;
    }
    status = sl_nvenc_load(&e->surfaces, &e->surfaces.surface[slot], frame, err);
    if (status == SL_OK) {
        status = submit(e, frame, slot, err);
    }
    if (status != SL_OK) {
        sl_nvenc_unload(&e->surfaces, &e->surfaces.surface[slot]);
    }
    sl_nvenc_leave(&e->session);
    /* A picture that cannot be read is the caller's affair; all else is the device's. */
    e->broken = status == SL_EIO ? status : SL_OK;
    return status;
}

static uint64_t held(const struct sl_nvenc *e)
{
    return e->ready_count + e->sent - e->got;
}

static enum sl_status nvenc_send(struct sl_coder *base, struct sl_frame *frame,
                                 struct sl_error *err)
{
    struct sl_nvenc *e = cast(base);
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier picture could not be encoded");
    }
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, NAME, "frame after the end") : SL_OK;
    }
    if (!frame) {
        enum sl_status status = sl_nvenc_enter(&e->session, err);
        if (status == SL_OK) {
            status = flush(e, err);
            sl_nvenc_leave(&e->session);
        }
        e->broken = status;
        return status;
    }
    size_t slot = (size_t)(e->sent % e->surfaces.count);
    if (held(e) >= e->surfaces.count || e->pictures[slot].reading) {
        return SL_EAGAIN;
    }
    enum sl_status status = check_frame(e, frame, err);
    if (status != SL_OK) {
        return status;
    }
    sl_nvtx_push(&e->nvtx, SL_NVTX_ENCODE);
    status = send_frame(e, frame, slot, err);
    sl_nvtx_pop(&e->nvtx);
    return status;
}

/* ---- receive ------------------------------------------------------------------------------- */

static enum sl_status make_packet(struct sl_nvenc *e, const NV_ENC_LOCK_BITSTREAM *lock,
                                  struct sl_packet **out, struct sl_error *err)
{
    struct sl_nvenc_picture *picture = NULL;
    size_t slot = 0;
    for (; slot < e->surfaces.count; slot++) {
        if (e->pictures[slot].reading && e->pictures[slot].pts == (int64_t)lock->outputTimeStamp) {
            picture = &e->pictures[slot];
            break;
        }
    }
    if (!picture) {
        return sl_fail(err, SL_EDATA, NAME, "a unit of time %lld, which was not sent",
                       (long long)lock->outputTimeStamp);
    }
    enum sl_status status = sl_contract_packet(&e->contract, lock->bitstreamBufferPtr,
                                               lock->bitstreamSizeInBytes, out, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_packet *p = *out;
    p->pts = picture->pts;
    p->duration = picture->duration;
    p->qp = (int32_t)lock->frameAvgQP;
    p->flags |= picture->cut ? SL_PACKET_CUT : 0u;
    picture->reading = false;
    sl_nvenc_unload(&e->surfaces, &e->surfaces.surface[slot]);
    if (((p->flags & SL_PACKET_KEY) != 0) != (lock->pictureType == NV_ENC_PIC_TYPE_IDR)) {
        sl_packet_unref(out);
        return sl_fail(err, SL_EDATA, NAME, "a picture is IDR and is not said to be, or the like");
    }
    return SL_OK;
}

enum sl_status sl_nvenc_collect(struct sl_nvenc *e, struct sl_packet **out, struct sl_error *err)
{
    const NV_ENCODE_API_FUNCTION_LIST *n = &e->session.driver.nvenc;
    NV_ENC_LOCK_BITSTREAM lock = {
        .version = sl_nvenc_version(&e->session, NV_ENC_LOCK_BITSTREAM_VER),
        .outputBitstream = e->surfaces.surface[e->got % e->surfaces.count].output,
    };
    *out = NULL;
    NVENCSTATUS answer = n->nvEncLockBitstream(e->session.encoder, &lock);
    if (answer != NV_ENC_SUCCESS) {
        (void)sl_nvenc_fail(&e->session, "nvEncLockBitstream", answer, err);
        return SL_EIO;
    }
    enum sl_status status = make_packet(e, &lock, out, err);
    answer = n->nvEncUnlockBitstream(e->session.encoder, lock.outputBitstream);
    if (status == SL_OK && answer != NV_ENC_SUCCESS) {
        sl_packet_unref(out);
        (void)sl_nvenc_fail(&e->session, "nvEncUnlockBitstream", answer, err);
        return SL_EIO;
    }
    e->got++;
    return status;
}

/* Whether the next unit is to be waited for now. nvEncodeAPI.h promises it once NV_ENC_SUCCESS has
 * come; NVIDIA's samples wait as soon as they are a fixed number of pictures ahead, whatever came.
 * So do we where there is no room for another picture that could bring it. */
static bool is_due(const struct sl_nvenc *e)
{
    if (e->flushing) {
        return true;
    }
    return held(e) > (uint64_t)e->config.delay &&
           (e->ready_count > 0 || e->got < e->covered || held(e) == e->surfaces.count);
}

static enum sl_status fetch(struct sl_nvenc *e, struct sl_packet **out, struct sl_error *err)
{
    enum sl_status status = sl_nvenc_enter(&e->session, err);
    if (status != SL_OK) {
        return status;
    }
    sl_nvtx_push(&e->nvtx, SL_NVTX_COLLECT_OUTPUT);
    status = sl_nvenc_collect(e, out, err);
    sl_nvtx_pop(&e->nvtx);
    sl_nvenc_leave(&e->session);
    return status;
}

static enum sl_status nvenc_receive(struct sl_coder *base, struct sl_packet **out,
                                    struct sl_error *err)
{
    struct sl_nvenc *e = cast(base);
    *out = NULL;
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier picture could not be encoded");
    }
    if (held(e) == 0) {
        return e->flushing ? SL_EOF : SL_EAGAIN;
    }
    if (!is_due(e)) {
        return SL_EAGAIN;
    }
    if (e->ready_count > 0) {
        *out = e->ready[0];
        e->ready_count--;
        memmove(e->ready, e->ready + 1, e->ready_count * sizeof *e->ready);
        return SL_OK;
    }
    e->broken = fetch(e, out, err);
    return e->broken;
}

/* ---- what it is ------------------------------------------------------------------------------ */

/* In the host's memory. In the device's, RGBA and BGRA too, which NVENC converts itself. */
static const enum sl_pixel_format formats_h264[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_YUV444P,
                                                    SL_PIX_NONE};
static const enum sl_pixel_format formats_hevc[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_P010,
                                                    SL_PIX_NONE};

#define FLAGS                                                                                      \
    (SL_BACKEND_HARDWARE | SL_BACKEND_RECONFIGURES | SL_BACKEND_RECOVERS | SL_BACKEND_REFRESHES |  \
     SL_BACKEND_CUDA | SL_BACKEND_LOOKAHEAD)

static const struct sl_coder_caps caps_h264 = {
    .flags = FLAGS,
    .formats = formats_h264,
    .presets = "p1,p2,p3,p4,p5,p6,p7",
    .tunes = "ll,ull,hq,lossless",
    .profiles = "baseline,main,high,high444",
    .licence = "BSD-2-Clause", /* ours; the driver is the machine's */
    .version = sl_nvenc_api_text,
};
static const struct sl_coder_caps caps_hevc = {
    .flags = FLAGS,
    .formats = formats_hevc,
    .presets = "p1,p2,p3,p4,p5,p6,p7",
    .tunes = "ll,ull,hq,lossless",
    .profiles = "main,main10",
    .licence = "BSD-2-Clause",
    .version = sl_nvenc_api_text,
};

const struct sl_coder_ops sl_encode_nvenc_h264 = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .probe = probe_h264,
    .open = open_h264,
    .send = nvenc_send,
    .receive = nvenc_receive,
    .destroy = nvenc_destroy,
    .reconfigure = sl_nvenc_reconfigure,
    .recover = sl_nvenc_recover,
    .caps = &caps_h264,
};

const struct sl_coder_ops sl_encode_nvenc_hevc = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_HEVC,
    .probe = probe_hevc,
    .open = open_hevc,
    .send = nvenc_send,
    .receive = nvenc_receive,
    .destroy = nvenc_destroy,
    .reconfigure = sl_nvenc_reconfigure,
    .recover = sl_nvenc_recover,
    .caps = &caps_hevc,
};
