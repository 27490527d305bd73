/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 and HEVC by VideoToolbox (docs/videotoolbox.md). VideoToolbox calls back on a thread of its
 * own: all that the callback does is to note what came and to put the picture's slot into a queue,
 * which is the one thing here that threads share. The rest is the owner's. */
#include "encode/videotoolbox.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/rational.h"
#include "encode/backends.h"
#include "encode/contract.h"
#include "encode/h264_track.h"
#include "media/track.h"

#define NAME       SL_VT_NAME
#define UNIT_MAX   ((size_t)256 << 20) /* bytes of an access unit */
#define WAIT_MS    1000                /* for a callback on its way, after completion was told */
#define TOKENS_MAX 32                  /* long-term references remembered; encoders keep fewer */

static const struct sl_coder_caps h264_caps, hevc_caps;

/* A picture on its way. The callback writes the last three before it queues the slot. */
struct in_flight {
    bool used, cut, key, refresh;
    int64_t pts, duration;
    struct sl_frame *frame; /* kept where its pixel buffer is read in place */
    CVPixelBufferRef image;
    OSStatus status;
    VTEncodeInfoFlags flags;
    CMSampleBufferRef sample;
};

/* A picture that the encoder keeps until told otherwise. */
struct reference {
    int64_t pts, token;
};

struct encoder {
    struct sl_coder base;
    const struct sl_log *log;
    struct sl_vt_session session;
    struct sl_queue *done; /* slots that came back, in coded order */
    struct in_flight slots[SL_VT_DEPTH_MAX + 1];
    size_t slot_count, in_flight;
    struct sl_contract contract;
    struct sl_writer unit;     /* the access unit at hand, as Annex B */
    struct sl_packet *pending; /* sync mode: encoded, not yet received */
    struct sl_encode_params params;
    struct sl_rational timebase; /* of pts, reduced */
    OSType pixel_format;
    int64_t last_pts;
    bool key_next; /* a picture that was to be IDR was dropped */
    bool changed;  /* reconfigured: an IDR may bring other parameter sets */
    struct reference references[TOKENS_MAX];
    size_t reference_count;
    int64_t lost_from, lost_to; /* pictures that the decoder does not have, or not whole */
    bool refresh;               /* the next picture is to refer to what the decoder has */
    bool flushing;
    enum sl_status broken; /* nothing more can come */
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

/* ---- what comes back --------------------------------------------------------------------- */

/* On a thread of VideoToolbox's. The queue has room for every slot, so it never waits. */
static void output(void *refcon, void *frame_refcon, OSStatus status, VTEncodeInfoFlags flags,
                   CMSampleBufferRef sample)
{
    struct in_flight *slot = frame_refcon;
    slot->status = status;
    slot->flags = flags;
    slot->sample = sample ? (CMSampleBufferRef)CFRetain(sample) : NULL;
    if (sl_queue_push(refcon, slot) != SL_OK && sample) { /* closed: never before the session is */
        CFRelease(sample);
        slot->sample = NULL;
    }
}

static void clear_slot(struct in_flight *slot)
{
    if (slot->sample) {
        CFRelease(slot->sample);
    }
    if (slot->image) {
        CFRelease(slot->image);
    }
    sl_frame_unref(&slot->frame);
    *slot = (struct in_flight){.used = false};
}

/* The next slot to come back, all up to until being asked for. */
static enum sl_status wait_for(VTCompressionSessionRef session, struct sl_queue *done, CMTime until,
                               struct in_flight **slot, struct sl_error *err)
{
    void *item;
    *slot = NULL;
    if (sl_queue_length(done) == 0) {
        OSStatus code = VTCompressionSessionCompleteFrames(session, until);
        if (code != noErr) {
            return sl_vt_fail(err, code, true, "completing pictures");
        }
    }
    enum sl_status status = sl_queue_pop_within(done, WAIT_MS, &item);
    if (status != SL_OK) {
        return sl_fail(err, SL_EIO, NAME, "nothing came back within %d ms", WAIT_MS);
    }
    *slot = item;
    return SL_OK;
}

/* ---- parameter sets ---------------------------------------------------------------------- */

/* The access unit of a slot into w. SL_EDATA where there is none. */
static enum sl_status take_unit(const struct in_flight *slot, enum sl_codec codec,
                                struct sl_writer *w, struct sl_error *err)
{
    w->size = 0;
    w->status = SL_OK;
    if (slot->status != noErr) {
        return sl_vt_fail(err, slot->status, true, "encoding");
    }
    if (!slot->sample) {
        return sl_fail(err, SL_EDATA, NAME, "the encoder dropped the picture of pts %lld",
                       (long long)slot->pts);
    }
    return sl_vt_sample_annexb(slot->sample, codec, sl_vt_sample_sync(slot->sample), w, err);
}

/* VideoToolbox tells parameter sets with the first sample and not before. So a black picture goes
 * through a session of its own, set up as the real one will be: it costs a session and a picture at
 * open, and what the real one writes is compared. */
static enum sl_status learn_sets(struct encoder *e, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    struct sl_vt_session session = {.log = NULL};
    struct sl_queue *done;
    struct in_flight slot = {.used = true}, *back;
    struct sl_encode_params quiet = *p;
    enum sl_codec codec = e->base.ops->codec;
    quiet.log = NULL; /* all is said once, by the real one */
    enum sl_status status = sl_queue_create(&done, 1, NULL, err);
    if (status != SL_OK) {
        return status;
    }
    status = sl_vt_session_open(&session, codec, &quiet, output, done, err);
    if (status == SL_OK) {
        status = sl_vt_frame_black(&session, p->colour.range == SL_RANGE_FULL, &slot.image, err);
    }
    if (status == SL_OK) {
        OSStatus code = VTCompressionSessionEncodeFrame(session.vt, slot.image, CMTimeMake(0, 1),
                                                        kCMTimeInvalid, NULL, &slot, NULL);
        status = code == noErr ? wait_for(session.vt, done, kCMTimeInvalid, &back, err)
                               : sl_vt_fail(err, code, false, "a test picture");
    }
    if (status == SL_OK) {
        status = take_unit(&slot, codec, &e->unit, err);
    }
    sl_vt_session_close(&session);
    clear_slot(&slot);
    sl_queue_destroy(&done);
    if (status == SL_OK) {
        /* Whether B pictures are coded is for the encoder to say. */
        bool reorders = p->latency == SL_LATENCY_LOOKAHEAD && p->bframes != 0;
        status = sl_contract_open(&e->contract, NAME, codec, p, reorders ? -1 : 0, e->unit.data,
                                  e->unit.size, &e->base.track, err);
    }
    return status;
}

/* After a reconfiguration other parameter sets may come with an IDR: they are announced anew. */
static enum sl_status learn_again(struct encoder *e, struct sl_error *err)
{
    struct sl_contract contract;
    struct sl_track track;
    bool reorders = e->params.latency == SL_LATENCY_LOOKAHEAD && e->params.bframes != 0;
    sl_track_init(&track);
    enum sl_status status =
        sl_contract_open(&contract, NAME, e->base.ops->codec, &e->params, reorders ? -1 : 0,
                         e->unit.data, e->unit.size, &track, err);
    if (status == SL_OK) {
        track.pixel_format = e->base.track.pixel_format;
        sl_contract_clear(&e->contract);
        sl_track_clear(&e->base.track);
        e->contract = contract;
        e->base.track = track;
        return SL_OK;
    }
    sl_track_clear(&track);
    return status;
}

/* ---- open -------------------------------------------------------------------------------- */

static void vt_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (!e) {
        return;
    }
    sl_vt_session_close(&e->session);
    for (size_t i = 0; i < e->slot_count; i++) {
        clear_slot(&e->slots[i]);
    }
    sl_queue_destroy(&e->done);
    sl_packet_unref(&e->pending);
    sl_contract_clear(&e->contract);
    sl_writer_clear(&e->unit);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

/* The names that params points at are the caller's; profile is looked at again later. */
static const char *lasting_name(const char *profile)
{
    static const char *const names[] = {"baseline", "main", "high", "main10"};
    for (size_t i = 0; profile && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], profile) == 0) {
            return names[i];
        }
    }
    return NULL;
}

static enum sl_status vt_open(const struct sl_coder_ops *ops, struct sl_coder **out,
                              const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    enum sl_status status = sl_vt_check(ops->codec, params, err);
    if (status != SL_OK) {
        return status;
    }
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    e->base.ops = ops;
    sl_track_init(&e->base.track);
    sl_writer_init(&e->unit, UNIT_MAX);
    e->log = params->log;
    e->params = *params;
    e->params.profile = lasting_name(params->profile);
    e->timebase = sl_rational_reduce(params->timebase);
    e->pixel_format = sl_vt_pixel_format(params);
    e->last_pts = e->lost_from = e->lost_to = SL_NO_TIME;
    e->slot_count = (size_t)sl_vt_depth(params) + 1;
    status = learn_sets(e, params, err);
    if (status == SL_OK) {
        e->base.track.pixel_format = (int32_t)sl_vt_coded(params);
        status = sl_queue_create(&e->done, e->slot_count, NULL, err);
    }
    if (status == SL_OK) {
        status = sl_vt_session_open(&e->session, ops->codec, params, output, e->done, err);
    }
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        vt_destroy(&e->base);
    }
    return status;
}

static enum sl_status h264_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return vt_open(&sl_encode_videotoolbox_h264, out, params, err);
}

static enum sl_status hevc_open(struct sl_coder **out, const struct sl_encode_params *params,
                                struct sl_error *err)
{
    return vt_open(&sl_encode_videotoolbox_hevc, out, params, err);
}

/* A session of the codec, in hardware or not, and away with it. */
static enum sl_status probe(enum sl_codec codec, struct sl_error *err)
{
    const struct sl_encode_params small = {
        .width = 640,
        .height = 360,
        .frame_rate = {30, 1},
        .timebase = {1, 30},
        .rate = SL_RATE_VBR,
        .bitrate = 1000000,
        .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
    };
    struct sl_vt_session session;
    struct sl_error why = {0};
    enum sl_status status = sl_vt_session_open(&session, codec, &small, output, NULL, &why);
    sl_vt_session_close(&session);
    if (status == SL_OK) {
        return SL_OK;
    }
    return sl_fail(err, status == SL_ENOMEM ? status : SL_EUNSUPPORTED, NAME, "%s", why.msg);
}

static enum sl_status h264_probe(struct sl_error *err)
{
    return probe(SL_CODEC_H264, err);
}

static enum sl_status hevc_probe(struct sl_error *err)
{
    return probe(SL_CODEC_HEVC, err);
}

/* ---- receive ----------------------------------------------------------------------------- */

/* Long-term pictures that the decoder has, for recover. */
static void note_reference(struct encoder *e, const struct sl_packet *p, int64_t token, bool found)
{
    if (p->flags & SL_PACKET_KEY) {
        e->reference_count = 0; /* H.264 8.2.5.1: an IDR picture ends all others */
    }
    if (!found || (e->lost_from != SL_NO_TIME && p->pts >= e->lost_from && p->pts <= e->lost_to)) {
        return;
    }
    if (e->reference_count == TOKENS_MAX) {
        memmove(e->references, e->references + 1, (TOKENS_MAX - 1) * sizeof e->references[0]);
        e->reference_count--;
    }
    e->references[e->reference_count++] = (struct reference){.pts = p->pts, .token = token};
}

/* What a slot brought, as a packet. A picture that was dropped is SL_EDATA, and coding goes on. */
static enum sl_status finish(struct encoder *e, struct in_flight *slot, struct sl_packet **out,
                             struct sl_error *err)
{
    struct sl_packet *p = NULL;
    *out = NULL;
    bool dropped = slot->status == noErr && !slot->sample;
    bool sync = slot->sample && sl_vt_sample_sync(slot->sample);
    int64_t token = 0;
    bool refers = slot->sample && e->session.refers && sl_vt_sample_token(slot->sample, &token);
    enum sl_status status = take_unit(slot, e->base.ops->codec, &e->unit, err);
    if (dropped) {
        e->key_next = e->key_next || slot->key;
        e->refresh = e->refresh || slot->refresh;
        goto out;
    }
    if (status == SL_OK && sync && e->changed) {
        status = learn_again(e, err);
    }
    if (status == SL_OK) {
        status = sl_contract_packet(&e->contract, e->unit.data, e->unit.size, &p, err);
    }
    if (status == SL_OK) {
        bool key = (p->flags & SL_PACKET_KEY) != 0;
        p->pts = slot->pts;
        p->duration = slot->duration;
        p->flags |= slot->cut ? SL_PACKET_CUT : 0u;
        note_reference(e, p, token, refers);
        if (key && !sync) {
            status = sl_fail(err, SL_EDATA, NAME, "a picture is IDR and is not said to be");
        } else if (slot->key && !key) {
            status = sl_fail(err, SL_EDATA, NAME, "the picture of pts %lld is no IDR as asked for",
                             (long long)p->pts);
        }
    }
    if (status == SL_OK) {
        *out = p;
    } else {
        sl_packet_unref(&p);
        e->broken = status;
    }
out:
    clear_slot(slot);
    e->in_flight--;
    return status;
}

static CMTime time_of(const struct encoder *e, int64_t ticks)
{
    return CMTimeMake(ticks * e->timebase.num, (int32_t)e->timebase.den);
}

/* In coded order the first to come back is the first sent, where nothing is reordered. */
static CMTime oldest(const struct encoder *e)
{
    int64_t pts = INT64_MAX;
    for (size_t i = 0; i < e->slot_count; i++) {
        if (e->slots[i].used && e->slots[i].pts < pts) {
            pts = e->slots[i].pts;
        }
    }
    return time_of(e, pts);
}

/* Waits for one more, and makes it *out. */
static enum sl_status bring(struct encoder *e, CMTime until, struct sl_packet **out,
                            struct sl_error *err)
{
    struct in_flight *slot;
    *out = NULL;
    enum sl_status status = wait_for(e->session.vt, e->done, until, &slot, err);
    if (status != SL_OK) {
        e->broken = status;
        return status;
    }
    return finish(e, slot, out, err);
}

static enum sl_status fail_broken(const struct encoder *e, struct sl_error *err)
{
    return sl_fail(err, e->broken, NAME, "an earlier frame could not be encoded");
}

static enum sl_status vt_receive(struct sl_coder *base, struct sl_packet **out,
                                 struct sl_error *err)
{
    struct encoder *e = cast(base);
    *out = NULL;
    if (e->broken) {
        return fail_broken(e, err);
    }
    if (e->pending) {
        *out = e->pending;
        e->pending = NULL;
        return SL_OK;
    }
    if (e->in_flight == 0) {
        return e->flushing ? SL_EOF : SL_EAGAIN;
    }
    if (e->flushing) {
        return bring(e, kCMTimeInvalid, out, err);
    }
    /* Pipelined: as many as may be are on their way, so that the delay is always the same. With
     * look-ahead packets come when they come. */
    if (e->in_flight == e->slot_count ||
        (e->params.latency == SL_LATENCY_LOOKAHEAD && sl_queue_length(e->done) > 0)) {
        return bring(e, oldest(e), out, err);
    }
    return SL_EAGAIN;
}

/* ---- send -------------------------------------------------------------------------------- */

static enum sl_status check_frame(const struct encoder *e, const struct sl_frame *f,
                                  struct sl_error *err)
{
    const struct sl_track *t = &e->base.track;
    enum sl_status status = SL_OK;
    if (f->kind == SL_KIND_VIDEO && f->memory == SL_MEMORY_CVPIXELBUFFER) {
        status = sl_vt_frame_check(f, t->width, t->height, e->pixel_format, err);
    } else {
        status = sl_h264_track_check(t, f, e->base.ops->caps->formats, NAME, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (f->pts == SL_NO_TIME || (e->last_pts != SL_NO_TIME && f->pts <= e->last_pts)) {
        return sl_fail(err, SL_EINVAL, NAME, "frame pts %lld after %lld, expected to rise",
                       (long long)f->pts, (long long)e->last_pts);
    }
    int64_t max = INT64_MAX / e->timebase.num; /* CMTime counts the denominator's ticks */
    if (f->pts > max || f->pts < -max) {
        return sl_fail(err, SL_EINVAL, NAME, "frame pts %lld, expected at most %lld",
                       (long long)f->pts, (long long)max);
    }
    return SL_OK;
}

/* The tokens of what the decoder has. */
static CFArrayRef create_tokens(const struct encoder *e)
{
    CFTypeRef numbers[TOKENS_MAX];
    CFArrayRef array = NULL;
    size_t count = 0;
    while (count < e->reference_count) {
        numbers[count] = CFNumberCreate(NULL, kCFNumberSInt64Type, &e->references[count].token);
        if (!numbers[count]) {
            break;
        }
        count++;
    }
    if (count == e->reference_count) {
        array = CFArrayCreate(NULL, (const void **)(const void *)numbers, (CFIndex)count,
                              &kCFTypeArrayCallBacks);
    }
    while (count > 0) {
        CFRelease(numbers[--count]);
    }
    return array;
}

/* What is asked for with one picture; NULL where that is nothing. */
static enum sl_status create_options(const struct encoder *e, bool key, CFDictionaryRef *out,
                                     struct sl_error *err)
{
    *out = NULL;
    CFTypeRef keys[2], values[2];
    CFIndex count = 0;
    CFArrayRef known = NULL;
    if (key) {
        keys[count] = kVTEncodeFrameOptionKey_ForceKeyFrame;
        values[count++] = kCFBooleanTrue;
    } else if (e->refresh) { /* macOS 12: by name */
        known = create_tokens(e);
        if (!known) {
            return sl_fail_memory(err);
        }
        keys[count] = CFSTR("AcknowledgedLTRTokens");
        values[count++] = known;
        keys[count] = CFSTR("ForceLTRRefresh");
        values[count++] = kCFBooleanTrue;
    }
    if (count > 0) {
        *out = CFDictionaryCreate(NULL, (const void **)keys, (const void **)values, count,
                                  &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    }
    if (known) {
        CFRelease(known);
    }
    return count > 0 && !*out ? sl_fail_memory(err) : SL_OK;
}

static struct in_flight *free_slot(struct encoder *e)
{
    size_t i = 0;
    while (e->slots[i].used) {
        i++;
    }
    return &e->slots[i];
}

/* Hands a checked frame to VideoToolbox. Nothing has changed where this fails before that. */
static enum sl_status submit(struct encoder *e, struct sl_frame *f, struct sl_error *err)
{
    /* CUT implies KEY (media/frame.h). */
    bool key = e->key_next || (f->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
    CFDictionaryRef options;
    CVPixelBufferRef image;
    enum sl_status status = create_options(e, key, &options, err);
    if (status != SL_OK) {
        return status;
    }
    status = sl_vt_frame_image(&e->session, f, e->pixel_format, &image, err);
    if (status != SL_OK) {
        goto out;
    }
    struct in_flight *slot = free_slot(e);
    *slot = (struct in_flight){
        .used = true,
        .cut = (f->flags & SL_FRAME_CUT) != 0,
        .key = key,
        .refresh = e->refresh,
        .pts = f->pts,
        .duration = f->duration,
        .image = image,
        .frame = f->memory == SL_MEMORY_CVPIXELBUFFER ? sl_frame_ref(f) : NULL,
    };
    int64_t max = INT64_MAX / e->timebase.num;
    CMTime duration =
        f->duration > 0 && f->duration <= max ? time_of(e, f->duration) : kCMTimeInvalid;
    /* From here on the slot is the callback's, so that nothing is undone where this fails. */
    OSStatus code = VTCompressionSessionEncodeFrame(e->session.vt, image, time_of(e, f->pts),
                                                    duration, options, slot, NULL);
    if (code != noErr) {
        status = e->broken = sl_vt_fail(err, code, true, "encoding");
        goto out;
    }
    e->in_flight++;
    e->last_pts = f->pts;
    e->key_next = false;
    e->refresh = false; /* an IDR does as well */
out:
    if (options) {
        CFRelease(options);
    }
    return status;
}

static enum sl_status vt_send(struct sl_coder *base, struct sl_frame *frame, struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->broken) {
        return fail_broken(e, err);
    }
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, NAME, "frame after the end") : SL_OK;
    }
    if (frame && (e->pending || e->in_flight == e->slot_count)) {
        return SL_EAGAIN;
    }
    if (!frame) {
        if (e->pending) {
            return SL_EAGAIN;
        }
        e->flushing = true;
        return SL_OK;
    }
    enum sl_status status = check_frame(e, frame, err);
    if (status == SL_OK) {
        status = submit(e, frame, err);
    }
    if (status == SL_OK && e->params.latency == SL_LATENCY_SYNC) {
        status = bring(e, time_of(e, frame->pts), &e->pending, err);
    }
    return status;
}

/* ---- changes ----------------------------------------------------------------------------- */

static enum sl_status vt_reconfigure(struct sl_coder *base, const struct sl_encode_params *params,
                                     struct sl_error *err)
{
    struct encoder *e = cast(base);
    enum sl_status status = sl_vt_check(e->base.ops->codec, params, err);
    if (status != SL_OK) {
        return status;
    }
    if (e->broken) {
        return fail_broken(e, err);
    }
    if (params->width != e->params.width || params->height != e->params.height ||
        params->rate != e->params.rate) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this cannot be changed in mid-stream");
    }
    struct sl_error why = {0};
    status = sl_vt_session_rate(&e->session, params, &why);
    if (status != SL_OK) {
        /* Half of it may have been taken. What it was before was taken once, too. */
        if (sl_vt_session_rate(&e->session, &e->params, NULL) != SL_OK) {
            e->broken = status;
        }
        return sl_fail(err, status == SL_EINVAL ? SL_EUNSUPPORTED : status, NAME, "%s", why.msg);
    }
    e->params.bitrate = params->bitrate;
    e->params.maxrate = params->maxrate;
    e->params.buffer = params->buffer;
    e->params.crf = params->crf;
    e->params.qp = params->qp;
    e->params.frame_rate = params->frame_rate;
    e->base.track.frame_rate = params->frame_rate;
    if (params->rate == SL_RATE_VBR || params->rate == SL_RATE_CBR) {
        e->base.track.bitrate = params->bitrate;
    }
    e->changed = true;
    return SL_OK;
}

static enum sl_status vt_recover(struct sl_coder *base, int64_t pts, enum sl_encoder_recovery *how,
                                 struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (!e->session.refers) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "opened without loss recovery, or this encoder "
                       "has no long-term references");
    }
    /* What was sent since refers to what is lost, so none of it is there to be referred to. */
    e->lost_from = pts;
    e->lost_to = e->last_pts;
    while (e->reference_count > 0 && e->references[e->reference_count - 1].pts >= pts) {
        e->reference_count--;
    }
    if (e->reference_count == 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "the decoder has no long-term reference");
    }
    e->refresh = true;
    *how = SL_RECOVERY_REFERENCE;
    return SL_OK;
}

static const enum sl_pixel_format h264_formats[] = {SL_PIX_NV12, SL_PIX_YUV420P, SL_PIX_NONE};
static const enum sl_pixel_format hevc_formats[] = {SL_PIX_NV12, SL_PIX_P010, SL_PIX_YUV420P,
                                                    SL_PIX_YUV420P10, SL_PIX_NONE};

#define FLAGS                                                                                      \
    (SL_BACKEND_HARDWARE | SL_BACKEND_RECONFIGURES | SL_BACKEND_RECOVERS |                         \
     SL_BACKEND_CVPIXELBUFFER | SL_BACKEND_LOOKAHEAD)
#define LICENCE "LicenseRef-Apple-SDK"

static const struct sl_coder_caps h264_caps = {
    .flags = FLAGS,
    .formats = h264_formats,
    .profiles = "baseline,main,high",
    .licence = LICENCE,
};
static const struct sl_coder_caps hevc_caps = {
    .flags = FLAGS,
    .formats = hevc_formats,
    .profiles = "main,main10",
    .licence = LICENCE,
};

const struct sl_coder_ops sl_encode_videotoolbox_h264 = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .probe = h264_probe,
    .open = h264_open,
    .send = vt_send,
    .receive = vt_receive,
    .destroy = vt_destroy,
    .reconfigure = vt_reconfigure,
    .recover = vt_recover,
    .caps = &h264_caps,
};

const struct sl_coder_ops sl_encode_videotoolbox_hevc = {
    .name = NAME,
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_HEVC,
    .probe = hevc_probe,
    .open = hevc_open,
    .send = vt_send,
    .receive = vt_receive,
    .destroy = vt_destroy,
    .reconfigure = vt_reconfigure,
    .recover = vt_recover,
    .caps = &hevc_caps,
};
