/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): pictures in, units out.
 *
 * With B pictures and look-ahead x264 gives its units some pictures later than they are promised by
 * NV_ENC_SUCCESS. Clients that lag as far behind as NVIDIA's own samples do (frameIntervalP +
 * lookaheadDepth pictures), as FFmpeg and Sluice do, never meet that; others are told. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define SETS_MAX 4096

static struct input *find_input(const char *call, struct session *s, const void *pointer)
{
    for (struct input *i = s->inputs; i; i = i->next) {
        if (i == pointer) {
            return i;
        }
    }
    standin_violation(call, "%p is no input buffer and no mapped resource of this session",
                      pointer);
}

static struct output *find_output(const char *call, struct session *s, const void *pointer)
{
    for (struct output *o = s->outputs; o; o = o->next) {
        if (o == pointer) {
            return o;
        }
    }
    standin_violation(call, "%p is no bitstream buffer of this session", pointer);
}

static const uint8_t *bytes_of(const char *call, const struct input *i, size_t *size)
{
    *size = standin_bytes(i->pitch, i->height, i->format);
    if (!i->resource) {
        return i->data;
    }
    const uint8_t *data = standin_memory(i->resource->pointer, *size);
    if (!data) {
        standin_violation(call, "the registered memory is gone, or smaller than the picture");
    }
    return data;
}

/* FNV-1a, of a sample of the bytes that count. */
static uint64_t hash(const uint8_t *data, size_t size)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < size; i += 7) {
        h = (h ^ data[i]) * 1099511628211u;
    }
    return h;
}

static bool is_444(const struct session *s)
{
    return !standin_is_hevc(&s->init.encodeGUID) &&
           s->config.encodeCodecConfig.h264Config.chromaFormatIDC == 3;
}

static void check_picture(const struct session *s, const NV_ENC_PIC_PARAMS *pic,
                          const struct input *i, const struct output *o)
{
    const char *call = "nvEncEncodePicture";
    if (i->locked) {
        standin_violation(call, "the input buffer is locked");
    }
    if (o->state != FREE) {
        standin_violation(call, "the bitstream buffer is in use");
    }
    if (pic->bufferFmt != i->format) {
        standin_violation(call, "bufferFmt %#x, the input is %#x", pic->bufferFmt, i->format);
    }
    if (pic->inputWidth != s->init.encodeWidth || pic->inputHeight != s->init.encodeHeight ||
        i->width != pic->inputWidth || i->height != pic->inputHeight) {
        standin_violation(call, "picture of %ux%u in an input of %ux%u, the session has %ux%u",
                          pic->inputWidth, pic->inputHeight, i->width, i->height,
                          s->init.encodeWidth, s->init.encodeHeight);
    }
    if (pic->pictureStruct != NV_ENC_PIC_STRUCT_FRAME) {
        standin_violation(call, "pictureStruct %d", pic->pictureStruct);
    }
    if ((i->format == NV_ENC_BUFFER_FORMAT_YUV444) && !is_444(s)) {
        standin_violation(call, "4:4:4 for a stream of 4:2:0");
    }
    if (s->submitted - s->fetched >= STANDIN_JOBS) {
        standin_violation(call, "more than %d pictures on their way", STANDIN_JOBS);
    }
}

static void keep_unit(struct session *s, const struct standin_unit *unit)
{
    if (s->made - s->taken >= STANDIN_UNITS) {
        standin_violation("nvEncEncodePicture", "more than %d units wait", STANDIN_UNITS);
    }
    s->units[s->made++ % STANDIN_UNITS] = *unit;
}

static void encode(struct session *s, const NV_ENC_PIC_PARAMS *pic, const struct input *i, bool idr)
{
    size_t size;
    struct standin_picture picture;
    struct standin_unit unit;
    const NV_ENC_CONFIG *c = &s->config;
    bool hevc = standin_is_hevc(&s->init.encodeGUID);
    const NV_ENC_CONFIG_H264_VUI_PARAMETERS *vui =
        hevc ? &c->encodeCodecConfig.hevcConfig.hevcVUIParameters
             : &c->encodeCodecConfig.h264Config.h264VUIParameters;
    uint32_t refresh = hevc ? pic->codecPicParams.hevcPicParams.forceIntraRefreshWithFrameCnt
                            : pic->codecPicParams.h264PicParams.forceIntraRefreshWithFrameCnt;
    const uint8_t *data = bytes_of("nvEncEncodePicture", i, &size);
    standin_picture_read(&picture, data, i->pitch, i->width, i->height, i->format, is_444(s),
                         vui->colourMatrix, vui->videoFullRangeFlag);
    if (standin_coder_encode(s->coder, &picture, pic->inputTimeStamp, idr, refresh > 0, &unit)) {
        keep_unit(s, &unit);
    }
    standin_picture_clear(&picture);
}

static NVENCSTATUS end(struct session *s)
{
    struct standin_unit unit;
    if (!s->ended) {
        while (standin_coder_encode(s->coder, NULL, 0, false, false, &unit)) {
            keep_unit(s, &unit);
        }
    }
    s->ended = true;
    s->covered = s->submitted;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS submit(struct session *s, const NV_ENC_PIC_PARAMS *pic)
{
    const char *call = "nvEncEncodePicture";
    size_t size;
    if (s->ended) {
        standin_violation(call, "a picture after the end of the stream");
    }
    struct input *i = find_input(call, s, pic->inputBuffer);
    struct output *o = find_output(call, s, pic->outputBitstream);
    check_picture(s, pic, i, o);
    bool idr = (pic->encodePicFlags & NV_ENC_PIC_FLAG_FORCEIDR) != 0 || s->force_idr;
    s->force_idr = false;
    struct job *job = &s->jobs[s->submitted % STANDIN_JOBS];
    const uint8_t *data = bytes_of(call, i, &size);
    *job = (struct job){.input = i, .output = o, .hash = hash(data, size)};
    i->busy++;
    o->state = SUBMITTED;
    encode(s, pic, i, idr);
    s->submitted++;
    s->since_idr = idr || s->submitted == 1 ? 0 : s->since_idr + 1;
    /* Pictures between two P pictures wait for the second; all wait for the look-ahead. */
    uint32_t interval = s->config.frameIntervalP > 0 ? (uint32_t)s->config.frameIntervalP : 1;
    uint32_t ahead = s->config.rcParams.enableLookahead ? s->config.rcParams.lookaheadDepth : 0;
    if (s->since_idr % interval != 0 || s->submitted <= ahead) {
        return NV_ENC_ERR_NEED_MORE_INPUT;
    }
    s->covered = s->submitted;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS standin_encode_picture(void *encoder, NV_ENC_PIC_PARAMS *pic)
{
    struct session *s = standin_session("nvEncEncodePicture", encoder, true);
    int status;
    standin_version("nvEncEncodePicture", "NV_ENC_PIC_PARAMS", pic->version, NV_ENC_PIC_PARAMS_VER,
                    s);
    bool eos = (pic->encodePicFlags & NV_ENC_PIC_FLAG_EOS) != 0;
    if (standin_call("nvEncEncodePicture", &status)) {
        s->ended = s->ended || eos; /* tried at least: what is on its way may be taken apart */
        return (NVENCSTATUS)status;
    }
    standin_lock();
    NVENCSTATUS answer = eos ? end(s) : submit(s, pic);
    standin_unlock();
    return answer;
}

/* Parameter sets, where the configuration wants them in front of this picture. */
static void fill_output(struct session *s, struct output *o, const struct standin_unit *unit,
                        NV_ENC_LOCK_BITSTREAM *lock)
{
    bool hevc = standin_is_hevc(&s->init.encodeGUID);
    bool never = hevc ? s->config.encodeCodecConfig.hevcConfig.disableSPSPPS
                      : s->config.encodeCodecConfig.h264Config.disableSPSPPS;
    bool repeat = hevc ? s->config.encodeCodecConfig.hevcConfig.repeatSPSPPS
                       : s->config.encodeCodecConfig.h264Config.repeatSPSPPS;
    bool idr = unit->type == NV_ENC_PIC_TYPE_IDR;
    size_t used = 0;
    o->data = malloc(unit->size + SETS_MAX);
    if (idr && !never && (repeat || s->sets_written == 0)) {
        used = standin_coder_sets(s->coder, o->data, SETS_MAX);
        s->sets_written++;
    }
    memcpy(o->data + used, unit->data, unit->size);
    lock->bitstreamBufferPtr = o->data;
    lock->bitstreamSizeInBytes = (uint32_t)(used + unit->size);
    lock->outputTimeStamp = unit->timestamp;
    lock->pictureType = unit->type;
    lock->pictureStruct = NV_ENC_PIC_STRUCT_FRAME;
    lock->frameAvgQP = unit->qp;
    lock->frameIdx = (uint32_t)s->fetched;
}

NVENCSTATUS standin_lock_bitstream(void *encoder, NV_ENC_LOCK_BITSTREAM *lock)
{
    const char *call = "nvEncLockBitstream";
    STANDIN_CALL(NVENCSTATUS, nvEncLockBitstream);
    struct session *s = standin_session(call, encoder, true);
    size_t size;
    standin_version(call, "NV_ENC_LOCK_BITSTREAM", lock->version, NV_ENC_LOCK_BITSTREAM_VER, s);
    standin_lock();
    struct output *o = find_output(call, s, lock->outputBitstream);
    if (o->state != SUBMITTED) {
        standin_violation(call, "the buffer is %s",
                          o->state == LOCKED ? "locked already" : "not submitted");
    }
    struct job *job = &s->jobs[s->fetched % STANDIN_JOBS];
    if (job->output != o) {
        standin_violation(call, "buffers are to be locked in the order of their submission");
    }
    if (s->fetched >= s->covered) {
        standin_violation(call, "after NV_ENC_ERR_NEED_MORE_INPUT, without NV_ENC_SUCCESS since");
    }
    if (s->taken == s->made) {
        standin_violation(call, "x264 has it not yet: the stand-in wants a client that lags "
                                "frameIntervalP + lookaheadDepth pictures behind");
    }
    const uint8_t *data = bytes_of(call, job->input, &size);
    if (hash(data, size) != job->hash) {
        standin_violation(call, "the picture was changed while it was on its way");
    }
    job->input->busy--;
    struct standin_unit *unit = &s->units[s->taken++ % STANDIN_UNITS];
    fill_output(s, o, unit, lock);
    free(unit->data);
    unit->data = NULL;
    o->state = LOCKED;
    s->fetched++;
    standin_unlock();
    return NV_ENC_SUCCESS;
}

NVENCSTATUS standin_unlock_bitstream(void *encoder, NV_ENC_OUTPUT_PTR bitstream)
{
    const char *call = "nvEncUnlockBitstream";
    struct session *s = standin_session(call, encoder, true);
    standin_lock();
    struct output *o = find_output(call, s, bitstream);
    if (o->state != LOCKED) {
        standin_violation(call, "the buffer is not locked");
    }
    free(o->data); /* nothing may be read there any more */
    o->data = NULL;
    o->state = FREE;
    standin_unlock();
    STANDIN_CALL(NVENCSTATUS, nvEncUnlockBitstream);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS standin_invalidate(void *encoder, uint64_t timestamp)
{
    const char *call = "nvEncInvalidateRefFrames";
    STANDIN_CALL(NVENCSTATUS, nvEncInvalidateRefFrames);
    struct session *s = standin_session(call, encoder, true);
    if (s->config.frameIntervalP > 1) {
        standin_violation(call, "with B pictures");
    }
    return standin_coder_invalidate(s->coder, timestamp) ? NV_ENC_SUCCESS
                                                         : NV_ENC_ERR_INVALID_PARAM;
}
