/* SPDX-License-Identifier: BSD-2-Clause */
/* VideoToolbox's compression session, as a test double: codes on a thread of its own, late by a
 * little each time, and calls back from there. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "object.h"

#define JOBS_MAX 64

struct standin_session {
    struct standin_object object;
    CMVideoCodecType codec;
    int width, height;
    OSType pixel_format;
    bool low_latency, hardware, hardware_required, prepared, invalid;
    int number; /* of this session since the last reset */
    VTCompressionOutputCallback output;
    void *refcon;
    CVPixelBufferPoolRef pool;
    struct standin_properties properties;
    const struct standin_coder *ops;

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t thread;
    bool running, quit, flush, changed;
    struct standin_job jobs[JOBS_MAX]; /* used from submission until the callback has returned */
    struct standin_job *queue[JOBS_MAX];
    size_t queued, pending; /* not yet coded; not yet called back */
    int64_t submitted;
    bool has_pts;
    CMTime last_pts;

    /* the thread's own */
    void *coder;
    CMFormatDescriptionRef format;
    unsigned seed;
};

static struct {
    atomic_int sessions;
    atomic_bool low_latency, hardware_required;
    _Atomic(const void *) image;
} last;

bool standin_low_latency(void)
{
    return atomic_load(&last.low_latency);
}

bool standin_hardware_required(void)
{
    return atomic_load(&last.hardware_required);
}

const void *standin_last_image(void)
{
    return atomic_load(&last.image);
}

static double seconds(CMTime t)
{
    return (double)t.value / t.timescale;
}

/* ---- the thread -------------------------------------------------------------------------- */

static void settings_of(struct standin_session *s, struct standin_settings *to)
{
    *to = (struct standin_settings){.codec = s->codec, .width = s->width, .height = s->height};
    standin_settings(&s->properties, to);
    to->full_range = s->pixel_format == kCVPixelFormatType_420YpCbCr8BiPlanarFullRange ||
                     s->pixel_format == kCVPixelFormatType_420YpCbCr10BiPlanarFullRange;
}

static bool damaged(const struct standin_session *s, enum standin_damage how)
{
    const struct standin_options *o = standin_options();
    return o->damage == how && s->number >= o->damage_from;
}

static void end(struct standin_session *s)
{
    if (s->coder) {
        s->ops->close(s->coder);
        s->coder = NULL;
    }
}

/* Opens the encoder behind, and takes its parameter sets. */
static OSStatus begin(struct standin_session *s)
{
    struct standin_settings settings;
    const uint8_t *sets;
    size_t size;
    int length_size = standin_options()->length_size == 2 ? 2 : 4;
    pthread_mutex_lock(&s->lock);
    settings_of(s, &settings);
    s->changed = false;
    pthread_mutex_unlock(&s->lock);
    if (damaged(s, STANDIN_OTHER_SPS)) {
        settings.sar_w = 7, settings.sar_h = 5;
    }
    if (damaged(s, STANDIN_LENGTH_OF_3)) {
        length_size = 3;
    }
    s->coder = s->ops->open(&settings);
    if (!s->coder) {
        return kVTAllocationFailedErr;
    }
    if (!s->ops->sets(s->coder, &sets, &size)) {
        end(s);
        return kVTVideoEncoderMalfunctionErr;
    }
    if (s->format) {
        CFRelease(s->format);
    }
    s->format = standin_format_create(s->codec, sets, size, length_size);
    if (!s->format) {
        end(s);
        return kVTAllocationFailedErr;
    }
    return noErr;
}

static void call_back(struct standin_session *s, struct standin_job *job, OSStatus status,
                      VTEncodeInfoFlags flags, CMSampleBufferRef sample)
{
    OSStatus told = standin_enter("output");
    if (told != noErr) {
        status = told;
        sample = NULL;
    }
    if (!damaged(s, STANDIN_SILENT)) {
        s->output(s->refcon, job->refcon, status, flags, sample);
    }
    CFRelease(job->image);
    pthread_mutex_lock(&s->lock);
    job->used = false;
    s->pending--;
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
}

static void emit(struct standin_session *s, const struct standin_unit *unit)
{
    struct standin_settings settings;
    pthread_mutex_lock(&s->lock);
    settings_of(s, &settings);
    pthread_mutex_unlock(&s->lock);
    /* Every other picture is one to be acknowledged. */
    int64_t token = settings.refers && unit->job->number % 2 == 0 ? 1000 + unit->job->number : -1;
    unsigned seed = s->seed % 200;
    if (s->number >= standin_options()->damage_from) {
        seed |= 0x100u;
    }
    CMSampleBufferRef sample =
        standin_sample_create(s->format, unit->data, unit->size, unit->sync, token, seed);
    call_back(s, unit->job, sample ? noErr : kVTAllocationFailedErr, 0, sample);
    if (sample) {
        CFRelease(sample);
    }
}

static void code_job(struct standin_session *s, struct standin_job *job)
{
    struct standin_unit unit;
    OSStatus code = s->coder ? noErr : begin(s);
    if (job->number + 1 == standin_options()->drop && s->number >= 2) {
        call_back(s, job, noErr, kVTEncodeInfo_FrameDropped, NULL);
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct standin_settings settings;
    settings_of(s, &settings);
    bool changed = s->changed;
    s->changed = false;
    pthread_mutex_unlock(&s->lock);
    if (code == noErr && changed) {
        s->ops->change(s->coder, &settings);
    }
    if (job->key && damaged(s, STANDIN_NO_IDR)) {
        job->key = false;
    }
    int n = code == noErr ? s->ops->code(s->coder, job, &unit) : -1;
    if (n < 0) {
        call_back(s, job, code != noErr ? code : kVTVideoEncoderMalfunctionErr, 0, NULL);
    } else if (n > 0) {
        emit(s, &unit);
    }
}

static void drain(struct standin_session *s)
{
    struct standin_unit unit;
    while (s->coder && s->ops->code(s->coder, NULL, &unit) > 0) {
        emit(s, &unit);
    }
    end(s); /* begins anew with the next picture, with an IDR */
}

static void *work(void *arg)
{
    struct standin_session *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->quit) {
        if (s->queued > 0 && (!standin_options()->hold || s->flush)) {
            struct standin_job *job = s->queue[0];
            memmove(s->queue, s->queue + 1, --s->queued * sizeof s->queue[0]);
            s->seed = s->seed * 1664525u + 1013904223u;
            long late = (long)(s->seed >> 24) * 2000; /* up to half a millisecond */
            pthread_mutex_unlock(&s->lock);
            if (!standin_options()->replay) {
                nanosleep(&(struct timespec){0, late}, NULL);
            }
            code_job(s, job);
            pthread_mutex_lock(&s->lock);
        } else if (s->flush) {
            if (s->pending > 0) {
                pthread_mutex_unlock(&s->lock);
                drain(s);
                pthread_mutex_lock(&s->lock);
            }
            s->flush = false;
            pthread_cond_broadcast(&s->done);
        } else {
            pthread_cond_wait(&s->work, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- create and end ---------------------------------------------------------------------- */

static void stop(struct standin_session *s)
{
    if (s->running) {
        pthread_mutex_lock(&s->lock);
        s->quit = true;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
        s->running = false;
    }
    end(s);
    for (size_t i = 0; i < JOBS_MAX; i++) { /* lost */
        if (s->jobs[i].used) {
            CFRelease(s->jobs[i].image);
            s->jobs[i].used = false;
        }
    }
    s->queued = s->pending = 0;
    s->invalid = true;
}

static void session_finish(void *object)
{
    struct standin_session *s = object;
    stop(s);
    standin_properties_clear(&s->properties);
    if (s->pool) {
        CFRelease(s->pool);
    }
    if (s->format) {
        CFRelease(s->format);
    }
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
}
static const struct standin_class session_class = {"session", session_finish};

static bool wanted(CFDictionaryRef d, const char *name)
{
    return d && standin_number_value(CFDictionaryGetValue(d, standin_constant_string(name))) == 1;
}

static OSStatus check_specification(CFDictionaryRef specification)
{
    const struct standin_options *o = standin_options();
    if (wanted(specification, "RequireHardwareAcceleratedVideoEncoder") && o->no_hardware) {
        return kVTCouldNotFindVideoEncoderErr;
    }
    if (wanted(specification, "EnableLowLatencyRateControl") &&
        standin_unsupported("EnableLowLatencyRateControl")) {
        return kVTCouldNotFindVideoEncoderErr;
    }
    return noErr;
}

OSStatus VTCompressionSessionCreate(CFAllocatorRef allocator, int32_t width, int32_t height,
                                    CMVideoCodecType codec, CFDictionaryRef specification,
                                    CFDictionaryRef buffer_attributes,
                                    CFAllocatorRef data_allocator,
                                    VTCompressionOutputCallback output, void *refcon,
                                    VTCompressionSessionRef *out)
{
    (void)allocator, (void)data_allocator;
    /* A library that holds this double (-Dvideotoolbox_standin=true) must not take it by itself. */
    if (!getenv("SLUICE_STANDIN_VIDEOTOOLBOX")) {
        return kVTVideoEncoderNotAvailableNowErr;
    }
    OSStatus code = standin_enter(__func__);
    if (code == noErr) {
        code = check_specification(specification);
    }
    if (code != noErr) {
        return code;
    }
    if (!output || (codec != kCMVideoCodecType_H264 && codec != kCMVideoCodecType_HEVC)) {
        standin_complain("a session without callback or codec");
        return kVTParameterErr;
    }
    struct standin_session *s = standin_create(&session_class, sizeof *s);
    if (!s) {
        return kVTAllocationFailedErr;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->done, NULL);
    s->codec = codec;
    s->width = width;
    s->height = height;
    s->output = output;
    s->refcon = refcon;
    s->ops = standin_options()->replay         ? &standin_replay
             : codec == kCMVideoCodecType_HEVC ? &standin_x265
                                               : &standin_x264;
    s->hardware_required = wanted(specification, "RequireHardwareAcceleratedVideoEncoder");
    s->hardware = !standin_options()->no_hardware;
    s->low_latency = wanted(specification, "EnableLowLatencyRateControl");
    s->number = (int)standin_calls(__func__);
    s->pixel_format = (OSType)standin_number_value(
        CFDictionaryGetValue(buffer_attributes, kCVPixelBufferPixelFormatTypeKey));
    s->pool = standin_pool_create((size_t)width, (size_t)height, s->pixel_format);
    if (!s->pool) {
        CFRelease(s);
        return kVTAllocationFailedErr;
    }
    atomic_store(&last.low_latency, s->low_latency);
    atomic_store(&last.hardware_required, s->hardware_required);
    standin_properties_keep(NULL);
    *out = s;
    return noErr;
}

void VTCompressionSessionInvalidate(VTCompressionSessionRef s)
{
    (void)standin_enter(__func__);
    stop(s);
}

CVPixelBufferPoolRef VTCompressionSessionGetPixelBufferPool(VTCompressionSessionRef s)
{
    return standin_enter(__func__) == noErr ? s->pool : NULL;
}

/* ---- properties -------------------------------------------------------------------------- */

OSStatus VTSessionSetProperty(VTSessionRef s, CFStringRef key, CFTypeRef value)
{
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    if (s->invalid) {
        return kVTInvalidSessionErr;
    }
    pthread_mutex_lock(&s->lock);
    code = standin_property_set(&s->properties, s->codec, s->low_latency, s->has_pts, key, value);
    s->changed = s->changed || code == noErr;
    standin_properties_keep(&s->properties);
    pthread_mutex_unlock(&s->lock);
    return code;
}

OSStatus VTSessionCopyProperty(VTSessionRef s, CFStringRef key, CFAllocatorRef allocator,
                               void *value)
{
    (void)allocator;
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    if (!CFEqual(key, kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder)) {
        return kVTPropertyNotSupportedErr;
    }
    *(CFTypeRef *)value = CFRetain(s->hardware ? kCFBooleanTrue : kCFBooleanFalse);
    return noErr;
}

OSStatus VTSessionCopySupportedPropertyDictionary(VTSessionRef s, CFDictionaryRef *out)
{
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    if (standin_options()->no_list) {
        return kVTPropertyNotSupportedErr;
    }
    *out = standin_properties_list(s->codec, s->low_latency);
    return *out ? noErr : kVTAllocationFailedErr;
}

/* ---- pictures ---------------------------------------------------------------------------- */

OSStatus VTCompressionSessionPrepareToEncodeFrames(VTCompressionSessionRef s)
{
    OSStatus code = standin_enter(__func__);
    if (code == noErr) {
        s->prepared = true;
    }
    return code;
}

static void read_options(struct standin_job *job, CFDictionaryRef options)
{
    job->known = -1;
    job->key = wanted(options, "ForceKeyFrame");
    job->refresh = wanted(options, "ForceLTRRefresh");
    CFArrayRef tokens =
        options ? CFDictionaryGetValue(options, standin_constant_string("AcknowledgedLTRTokens"))
                : NULL;
    for (CFIndex i = 0; tokens && i < CFArrayGetCount(tokens); i++) {
        int64_t number = (int64_t)standin_number_value(CFArrayGetValueAtIndex(tokens, i)) - 1000;
        job->known = number > job->known ? number : job->known;
    }
    /* Encoders make an IDR where nothing is acknowledged. */
    job->key = job->key || (job->refresh && job->known < 0);
}

static OSStatus check_picture(struct standin_session *s, CVPixelBufferRef image, CMTime pts)
{
    if (s->invalid) {
        return kVTInvalidSessionErr;
    }
    if (atomic_load(&image->locks) != 0) {
        standin_complain("a pixel buffer is sent locked");
    }
    if (image->type != s->pixel_format || image->width != (size_t)s->width ||
        image->height != (size_t)s->height) {
        standin_complain("a pixel buffer of another size or format is sent");
        return kVTParameterErr;
    }
    if (!(pts.flags & kCMTimeFlags_Valid) || (s->has_pts && seconds(pts) <= seconds(s->last_pts))) {
        standin_complain("times do not rise");
        return kVTParameterErr;
    }
    return noErr;
}

OSStatus VTCompressionSessionEncodeFrame(VTCompressionSessionRef s, CVImageBufferRef image,
                                         CMTime pts, CMTime duration, CFDictionaryRef options,
                                         void *frame_refcon, VTEncodeInfoFlags *flags)
{
    (void)duration, (void)flags;
    OSStatus code = standin_enter(__func__);
    if (code == noErr) {
        code = check_picture(s, image, pts);
    }
    if (code != noErr) {
        return code;
    }
    atomic_store(&last.image, (const void *)image);
    pthread_mutex_lock(&s->lock);
    if (!s->running) {
        s->running = pthread_create(&s->thread, NULL, work, s) == 0;
    }
    size_t i = 0;
    while (i < JOBS_MAX && s->jobs[i].used) {
        i++;
    }
    if (i == JOBS_MAX || !s->running) {
        pthread_mutex_unlock(&s->lock);
        standin_complain("more pictures are on their way than anybody may have");
        return kVTVideoEncoderMalfunctionErr;
    }
    struct standin_job *job = &s->jobs[i];
    read_options(job, options);
    job->used = true;
    job->image = (CVPixelBufferRef)CFRetain(image);
    job->pts = pts;
    job->refcon = frame_refcon;
    job->number = s->submitted++;
    s->has_pts = true;
    s->last_pts = pts;
    s->queue[s->queued++] = job;
    s->pending++;
    pthread_cond_signal(&s->work);
    struct standin_settings settings;
    settings_of(s, &settings);
    /* Picture n - delay has come out before the call for n returns. */
    while (settings.delay > 0 && s->pending > (size_t)settings.delay) {
        if (s->queued == 0 || standin_options()->hold) {
            s->flush = true;
            pthread_cond_signal(&s->work);
        }
        pthread_cond_wait(&s->done, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return noErr;
}

static bool is_pending(struct standin_session *s, CMTime until)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (s->jobs[i].used &&
            (!(until.flags & kCMTimeFlags_Valid) || seconds(s->jobs[i].pts) <= seconds(until))) {
            return true;
        }
    }
    return false;
}

OSStatus VTCompressionSessionCompleteFrames(VTCompressionSessionRef s, CMTime until)
{
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    if (s->invalid) {
        return kVTInvalidSessionErr;
    }
    pthread_mutex_lock(&s->lock);
    while (is_pending(s, until)) {
        s->flush = true;
        pthread_cond_signal(&s->work);
        pthread_cond_wait(&s->done, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return noErr;
}
