/* SPDX-License-Identifier: BSD-2-Clause */
/* Our parameters as a compression session and its properties. Those that came after macOS 11 go by
 * name, so that older systems load us, and each is asked for in the list of what the encoder at
 * hand supports: encoders differ by machine, codec and mode. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "encode/videotoolbox.h"

#define SIDE_MAX      16384
#define RATE_MAX      2000000000 /* bit/s: AverageBitRate is an SInt32 */
#define CRF_MIN       1
#define CRF_MAX       51
#define QP_MAX        51
#define FALLBACK_RATE 25 /* frames a second where no nominal rate is known */

/* ---- what can be asked for --------------------------------------------------------------- */

static enum sl_status check_picture(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->width < 2 || p->height < 2 || p->width > SIDE_MAX || p->height > SIDE_MAX ||
        p->width % 2 != 0 || p->height % 2 != 0) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "size %dx%d, expected even sides of 2 to %d",
                       p->width, p->height, SIDE_MAX);
    }
    struct sl_rational tb = sl_rational_reduce(p->timebase);
    if (!sl_rational_valid(tb) || tb.num > INT32_MAX || tb.den > INT32_MAX) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "timebase %lld/%lld, expected terms of 1 to %d",
                       (long long)p->timebase.num, (long long)p->timebase.den, INT32_MAX);
    }
    /* H.264 E.2.1: matrix_coefficients 0 only with 4:4:4. */
    if (p->colour.matrix == 0) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "colour matrix 0 (RGB), expected one of YUV");
    }
    return SL_OK;
}

static bool listed(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

static enum sl_status check_names(enum sl_codec codec, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    static const char *const h264[] = {"baseline", "main", "high", NULL};
    static const char *const h264_others[] = {"high10", "high444", NULL};
    static const char *const hevc[] = {"main", "main10", NULL};
    if (p->preset || p->tune) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "%s \"%s\", expected none: there are none here",
                       p->preset ? "preset" : "tune", p->preset ? p->preset : p->tune);
    }
    if (p->profile && codec == SL_CODEC_H264 && listed(p->profile, h264_others)) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_VT_NAME, "profile %s is not coded by VideoToolbox",
                       p->profile);
    }
    if (p->profile && !listed(p->profile, codec == SL_CODEC_HEVC ? hevc : h264)) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "profile \"%s\", expected %s", p->profile,
                       codec == SL_CODEC_HEVC ? "main or main10" : "baseline, main or high");
    }
    if (p->intra_refresh) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_VT_NAME, "VideoToolbox has no intra refresh");
    }
    return SL_OK;
}

static enum sl_status check_latency(const struct sl_encode_params *p, struct sl_error *err)
{
    if (p->gop < 0 || p->gop > INT32_MAX - 1) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "gop %lld, expected 0 to %d", (long long)p->gop,
                       INT32_MAX - 1);
    }
    if (p->latency == SL_LATENCY_PIPELINED && (p->depth < 1 || p->depth > SL_VT_DEPTH_MAX)) {
        return sl_fail(err, SL_EINVAL, SL_VT_NAME, "depth %d, expected 1 to %d", p->depth,
                       SL_VT_DEPTH_MAX);
    }
    return SL_OK;
}

static enum sl_status check_bits(int64_t bits, int64_t min, const char *what, struct sl_error *err)
{
    return bits >= min && bits <= RATE_MAX
               ? SL_OK
               : sl_fail(err, SL_EINVAL, SL_VT_NAME, "%s %lld, expected %lld to %d", what,
                         (long long)bits, (long long)min, RATE_MAX);
}

static bool has_crf(const struct sl_encode_params *p)
{
    return p->crf.num != 0; /* 0/0, 0/1: not set */
}

static enum sl_status check_rate(const struct sl_encode_params *p, struct sl_error *err)
{
    enum sl_status status = check_bits(p->maxrate, 0, "maxrate", err);
    if (status == SL_OK) {
        status = check_bits(p->buffer, 0, "buffer", err);
    }
    if (status != SL_OK) {
        return status;
    }
    switch (p->rate) {
    case SL_RATE_VBR:
    case SL_RATE_CBR:
        return check_bits(p->bitrate, 1000, "bitrate", err);
    case SL_RATE_CRF:
        if (has_crf(p) &&
            (p->crf.den <= 0 || sl_rational_compare(p->crf, sl_rational(CRF_MIN, 1)) < 0 ||
             sl_rational_compare(p->crf, sl_rational(CRF_MAX, 1)) > 0)) {
            return sl_fail(err, SL_EINVAL, SL_VT_NAME, "crf %lld/%lld, expected %d to %d",
                           (long long)p->crf.num, (long long)p->crf.den, CRF_MIN, CRF_MAX);
        }
        return SL_OK;
    case SL_RATE_CQP:
        return p->qp >= 0 && p->qp <= QP_MAX
                   ? SL_OK
                   : sl_fail(err, SL_EINVAL, SL_VT_NAME, "qp %d, expected 0 to %d", p->qp, QP_MAX);
    case SL_RATE_AUTO:
        break;
    }
    return sl_fail(err, SL_EINVAL, SL_VT_NAME, "rate control %d is not known", (int)p->rate);
}

enum sl_status sl_vt_check(enum sl_codec codec, const struct sl_encode_params *p,
                           struct sl_error *err)
{
    enum sl_status status = check_picture(p, err);
    if (status == SL_OK) {
        status = check_names(codec, p, err);
    }
    if (status == SL_OK) {
        status = check_latency(p, err);
    }
    return status == SL_OK ? check_rate(p, err) : status;
}

int sl_vt_depth(const struct sl_encode_params *p)
{
    return p->latency == SL_LATENCY_SYNC        ? 0
           : p->latency == SL_LATENCY_PIPELINED ? p->depth
                                                : SL_VT_DEPTH_MAX;
}

enum sl_pixel_format sl_vt_coded(const struct sl_encode_params *p)
{
    return p->profile && strcmp(p->profile, "main10") == 0 ? SL_PIX_YUV420P10 : SL_PIX_YUV420P;
}

OSType sl_vt_pixel_format(const struct sl_encode_params *p)
{
    bool full = p->colour.range == SL_RANGE_FULL;
    if (sl_vt_coded(p) == SL_PIX_YUV420P10) {
        return full ? kCVPixelFormatType_420YpCbCr10BiPlanarFullRange
                    : kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange;
    }
    return full ? kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
                : kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange;
}

/* ---- values ------------------------------------------------------------------------------ */

static CFNumberRef create_whole(int64_t value)
{
    return CFNumberCreate(NULL, kCFNumberSInt64Type, &value);
}

/* VideoToolbox takes rates and spans as numbers with a point. */
static CFNumberRef create_fraction(int64_t num, int64_t den)
{
    double value = (double)num / (double)den;
    return CFNumberCreate(NULL, kCFNumberFloat64Type, &value);
}

static void release(CFTypeRef object)
{
    if (object) {
        CFRelease(object);
    }
}

static CFDictionaryRef create_dictionary(const CFStringRef *keys, const CFTypeRef *values,
                                         CFIndex count)
{
    return CFDictionaryCreate(NULL, (const void **)(const void *)keys,
                              (const void **)(const void *)values, count,
                              &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
}

static bool is_supported(const struct sl_vt_session *s, CFStringRef key)
{
    return !s->supported || CFDictionaryContainsKey(s->supported, key);
}

/* Whether going on without a property is an answer. */
enum need {
    WISHED,   /* said in the log of debugging */
    MISSED,   /* said as a warning: something that was asked for is not kept */
    REQUIRED, /* not open without */
};

/* value is taken over; NULL: there was no memory for it. */
static enum sl_status set(const struct sl_vt_session *s, CFStringRef key, const char *name,
                          CFTypeRef CF_CONSUMED value, enum need need, struct sl_error *err)
{
    if (!value) {
        return sl_fail_memory(err);
    }
    OSStatus code =
        is_supported(s, key) ? VTSessionSetProperty(s->vt, key, value) : kVTPropertyNotSupportedErr;
    CFRelease(value);
    if (code == noErr) {
        return SL_OK;
    }
    struct sl_error why = {0};
    enum sl_status status = sl_vt_fail(&why, code, false, name);
    if (need == REQUIRED || status == SL_ENOMEM || status == SL_EIO) {
        return sl_fail(err, status, SL_VT_NAME, "%s", why.msg);
    }
    sl_log_write(s->log, need == MISSED ? SL_LOG_WARN : SL_LOG_DEBUG, SL_VT_NAME, "%s", why.msg);
    return SL_OK;
}

#define SET(s, name, value, need, err)                                                             \
    set(s, kVTCompressionPropertyKey_##name, #name, value, need, err)
#define SET_NAMED(s, name, value, need, err) set(s, CFSTR(name), name, value, need, err)

static CFTypeRef retain_truth(bool value)
{
    return CFRetain(value ? kCFBooleanTrue : kCFBooleanFalse);
}

/* ---- rate -------------------------------------------------------------------------------- */

/* [bytes, seconds]: what a buffer that fills at maxrate holds. */
static CFArrayRef create_limits(int64_t maxrate, int64_t buffer)
{
    if (buffer == 0) {
        buffer = maxrate; /* one second */
    }
    CFTypeRef pair[2] = {create_whole(buffer / 8), create_fraction(buffer, maxrate)};
    CFArrayRef array = NULL;
    if (pair[0] && pair[1]) {
        array = CFArrayCreate(NULL, (const void **)(const void *)pair, 2, &kCFTypeArrayCallBacks);
    }
    release(pair[0]);
    release(pair[1]);
    return array;
}

static enum sl_status set_limits(const struct sl_vt_session *s, int64_t maxrate, int64_t buffer,
                                 struct sl_error *err)
{
    if (maxrate > 0) {
        return SET(s, DataRateLimits, create_limits(maxrate, buffer), MISSED, err);
    }
    /* An empty list takes back those of an earlier call. */
    return is_supported(s, kVTCompressionPropertyKey_DataRateLimits)
               ? SET(s, DataRateLimits, CFArrayCreate(NULL, NULL, 0, &kCFTypeArrayCallBacks),
                     WISHED, err)
               : SL_OK;
}

static enum sl_status set_bitrate(const struct sl_vt_session *s, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    bool constant = p->rate == SL_RATE_CBR;
    /* Excludes the other two. macOS 13, and not in every encoder. Without a list of what is
     * supported it is not tried: a refusal half way would leave neither. */
    if (constant && s->supported && is_supported(s, CFSTR("ConstantBitRate"))) {
        return SET_NAMED(s, "ConstantBitRate", create_whole(p->bitrate), REQUIRED, err);
    }
    enum sl_status status = SET(s, AverageBitRate, create_whole(p->bitrate), REQUIRED, err);
    return status == SL_OK ? set_limits(s, constant ? p->bitrate : p->maxrate, p->buffer, err)
                           : status;
}

/* Quality is 0 to 1, 1 without loss; crf and the quantisers that it stands for are 0 to 51, 0
 * without loss. A straight line between; VideoToolbox's "normal", 0.5, is at 26. */
static CFNumberRef create_quality(const struct sl_encode_params *p, int64_t standard)
{
    struct sl_rational crf = has_crf(p) ? p->crf : sl_rational(standard, 1);
    return create_fraction(52 * crf.den - crf.num, 52 * crf.den);
}

static enum sl_status set_quantiser(const struct sl_vt_session *s, int qp, struct sl_error *err)
{
    enum sl_status status = SET_NAMED(s, "MaxAllowedFrameQP", create_whole(qp), REQUIRED, err);
    return status == SL_OK ? SET_NAMED(s, "MinAllowedFrameQP", create_whole(qp), REQUIRED, err)
                           : status;
}

enum sl_status sl_vt_session_rate(struct sl_vt_session *s, const struct sl_encode_params *p,
                                  struct sl_error *err)
{
    struct sl_rational rate =
        sl_rational_valid(p->frame_rate) ? p->frame_rate : sl_rational(FALLBACK_RATE, 1);
    enum sl_status status =
        SET(s, ExpectedFrameRate, create_fraction(rate.num, rate.den), WISHED, err);
    if (status != SL_OK) {
        return status;
    }
    switch (p->rate) {
    case SL_RATE_CRF:
        return SET(s, Quality, create_quality(p, s->standard_crf), REQUIRED, err);
    case SL_RATE_CQP:
        return set_quantiser(s, p->qp, err);
    default:
        return set_bitrate(s, p, err);
    }
}

/* ---- stream ------------------------------------------------------------------------------ */

/* Names of levels as VideoToolbox has them; another level is left to the encoder, and the contract
 * sees to it that the SPS says what was asked for. */
static CFStringRef create_profile_name(enum sl_codec codec, const struct sl_encode_params *p)
{
    static const int levels[] = {30, 31, 32, 40, 41, 42, 50, 51, 52};
    if (codec == SL_CODEC_HEVC) {
        return CFRetain(sl_vt_coded(p) == SL_PIX_YUV420P10 ? kVTProfileLevel_HEVC_Main10_AutoLevel
                                                           : kVTProfileLevel_HEVC_Main_AutoLevel);
    }
    const char *profile = !p->profile || strcmp(p->profile, "high") == 0 ? "High"
                          : strcmp(p->profile, "main") == 0              ? "Main"
                                                                         : "Baseline";
    char text[40];
    (void)snprintf(text, sizeof text, "H264_%s_AutoLevel", profile);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (levels[i] == p->level) {
            (void)snprintf(text, sizeof text, "H264_%s_%d_%d", profile, p->level / 10,
                           p->level % 10);
        }
    }
    return CFStringCreateWithCString(NULL, text, kCFStringEncodingASCII);
}

static enum sl_status set_profile(const struct sl_vt_session *s, enum sl_codec codec,
                                  const struct sl_encode_params *p, struct sl_error *err)
{
    enum sl_status status = SET(s, ProfileLevel, create_profile_name(codec, p), WISHED, err);
    /* Baseline has no CABAC (H.264 A.2.1), and the property is not for other codecs. */
    if (status == SL_OK && codec == SL_CODEC_H264 &&
        !(p->profile && strcmp(p->profile, "baseline") == 0)) {
        status = SET(s, H264EntropyMode, CFRetain(kVTH264EntropyMode_CABAC), WISHED, err);
    }
    return status;
}

/* Code points without a name in Core Video are left out; the contract writes them into the SPS. */
static enum sl_status set_colour(const struct sl_vt_session *s, const struct sl_colour *c,
                                 struct sl_error *err)
{
    CFStringRef primaries = CVColorPrimariesGetStringForIntegerCodePoint(c->primaries);
    CFStringRef transfer = CVTransferFunctionGetStringForIntegerCodePoint(c->transfer);
    CFStringRef matrix = CVYCbCrMatrixGetStringForIntegerCodePoint(c->matrix);
    enum sl_status status = SL_OK;
    if (primaries) {
        status = SET(s, ColorPrimaries, CFRetain(primaries), WISHED, err);
    }
    if (status == SL_OK && transfer) {
        status = SET(s, TransferFunction, CFRetain(transfer), WISHED, err);
    }
    if (status == SL_OK && matrix) {
        status = SET(s, YCbCrMatrix, CFRetain(matrix), WISHED, err);
    }
    return status;
}

static enum sl_status set_aspect(const struct sl_vt_session *s, struct sl_rational aspect,
                                 struct sl_error *err)
{
    if (!sl_rational_valid(aspect)) {
        return SL_OK;
    }
    struct sl_rational sar = sl_rational_limit(aspect, 65535); /* u(16) in the SPS (H.264 E.1.1) */
    const CFStringRef keys[2] = {kCMFormatDescriptionKey_PixelAspectRatioHorizontalSpacing,
                                 kCMFormatDescriptionKey_PixelAspectRatioVerticalSpacing};
    CFTypeRef values[2] = {create_whole(sar.num), create_whole(sar.den)};
    CFDictionaryRef ratio = NULL;
    if (values[0] && values[1]) {
        ratio = create_dictionary(keys, values, 2);
    }
    release(values[0]);
    release(values[1]);
    return SET(s, PixelAspectRatio, ratio, WISHED, err);
}

static enum sl_status set_order(struct sl_vt_session *s, const struct sl_encode_params *p,
                                struct sl_error *err)
{
    bool live = p->latency != SL_LATENCY_LOOKAHEAD;
    bool reorder = !live && p->bframes != 0;
    /* Without a gop groups begin where the caller says alone: never, as far as VideoToolbox is
     * concerned. 0 would be its own choice. */
    int64_t interval = p->gop > 0 ? p->gop : INT32_MAX;
    enum sl_status status = SET(s, RealTime, retain_truth(live), WISHED, err);
    if (status == SL_OK) {
        status = SET(s, AllowFrameReordering, retain_truth(reorder), WISHED, err);
    }
    if (status == SL_OK) { /* HEVC's sync samples would be CRA pictures otherwise */
        status = SET_NAMED(s, "AllowOpenGOP", retain_truth(false), WISHED, err);
    }
    if (status == SL_OK) {
        status = SET(s, MaxKeyFrameInterval, create_whole(interval), WISHED, err);
    }
    if (status == SL_OK) {
        status = SET(s, MaxFrameDelayCount, create_whole(sl_vt_depth(p)), WISHED, err);
    }
    if (status == SL_OK && p->loss_recovery) {
        s->refers = s->supported && is_supported(s, CFSTR("EnableLTR"));
        if (s->refers) {
            status = SET_NAMED(s, "EnableLTR", retain_truth(true), REQUIRED, err);
        } else {
            sl_log_write(s->log, SL_LOG_INFO, SL_VT_NAME,
                         "no long-term references here: what is "
                         "lost is mended by an IDR");
        }
    }
    return status;
}

/* ---- session ----------------------------------------------------------------------------- */

/* What the pixel buffers of the pool, and those of the caller, look like. */
static CFDictionaryRef buffer_attributes(const struct sl_encode_params *p)
{
    const CFStringRef keys[4] = {kCVPixelBufferPixelFormatTypeKey, kCVPixelBufferWidthKey,
                                 kCVPixelBufferHeightKey, kCVPixelBufferIOSurfacePropertiesKey};
    CFTypeRef values[4] = {create_whole(sl_vt_pixel_format(p)), create_whole(p->width),
                           create_whole(p->height), create_dictionary(NULL, NULL, 0)};
    CFDictionaryRef attributes = NULL;
    if (values[0] && values[1] && values[2] && values[3]) {
        attributes = create_dictionary(keys, values, 4);
    }
    for (int i = 0; i < 4; i++) {
        release(values[i]);
    }
    return attributes;
}

static OSStatus create(struct sl_vt_session *s, enum sl_codec codec,
                       const struct sl_encode_params *p, bool hardware, bool low_latency,
                       VTCompressionOutputCallback output, void *refcon)
{
    const CFStringRef keys[2] = {
        hardware ? kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder
                 : kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder,
        CFSTR("EnableLowLatencyRateControl"), /* macOS 11.3 */
    };
    const CFTypeRef values[2] = {kCFBooleanTrue, kCFBooleanTrue};
    CFDictionaryRef wanted = create_dictionary(keys, values, low_latency ? 2 : 1);
    CFDictionaryRef attributes = wanted ? buffer_attributes(p) : NULL;
    OSStatus code = kVTAllocationFailedErr;
    if (attributes) {
        code = VTCompressionSessionCreate(NULL, p->width, p->height,
                                          codec == SL_CODEC_HEVC ? kCMVideoCodecType_HEVC
                                                                 : kCMVideoCodecType_H264,
                                          wanted, attributes, NULL, output, refcon, &s->vt);
    }
    release(attributes);
    release(wanted);
    s->hardware = hardware;
    s->low_latency = low_latency;
    return code;
}

/* The best that there is: hardware for sure, and its rate control for live use. */
static enum sl_status create_any(struct sl_vt_session *s, enum sl_codec codec,
                                 const struct sl_encode_params *p,
                                 VTCompressionOutputCallback output, void *refcon,
                                 struct sl_error *err)
{
    static const struct {
        bool hardware, low_latency;
    } ways[] = {{true, true}, {true, false}, {false, false}};
    OSStatus code = noErr;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        /* That rate control has no constant quality. */
        if (ways[i].low_latency && (p->latency != SL_LATENCY_SYNC || p->rate == SL_RATE_CRF)) {
            continue;
        }
        code = create(s, codec, p, ways[i].hardware, ways[i].low_latency, output, refcon);
        if (code == noErr) {
            return SL_OK;
        }
        s->vt = NULL;
        if (code == kVTAllocationFailedErr) {
            break;
        }
        struct sl_error why = {0};
        (void)sl_vt_fail(&why, code, false, "session");
        sl_log_write(s->log, SL_LOG_DEBUG, SL_VT_NAME, "%s%s: %s",
                     ways[i].hardware ? "with hardware" : "with any encoder",
                     ways[i].low_latency ? " for low latency" : "", why.msg);
    }
    return sl_vt_fail(err, code, false,
                      codec == SL_CODEC_HEVC ? "no HEVC session" : "no H.264 session");
}

/* Where hardware could not be required, what is it that came? */
static void report_hardware(struct sl_vt_session *s)
{
    CFTypeRef value = NULL;
    if (!s->hardware &&
        VTSessionCopyProperty(s->vt, kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder,
                              NULL, &value) == noErr &&
        value) {
        s->hardware = CFBooleanGetValue((CFBooleanRef)value);
    }
    release(value);
    if (s->hardware) {
        sl_log_write(s->log, SL_LOG_DEBUG, SL_VT_NAME, "coded by hardware%s",
                     s->low_latency ? ", rate control for low latency" : "");
    } else {
        sl_log_write(s->log, SL_LOG_WARN, SL_VT_NAME,
                     "coded by software: this machine's hardware "
                     "cannot, or is taken");
    }
}

static enum sl_status set_all(struct sl_vt_session *s, enum sl_codec codec,
                              const struct sl_encode_params *p, struct sl_error *err)
{
    enum sl_status status = set_profile(s, codec, p, err);
    if (status == SL_OK) {
        status = set_order(s, p, err);
    }
    if (status == SL_OK) {
        status = sl_vt_session_rate(s, p, err);
    }
    if (status == SL_OK) {
        status = set_colour(s, &p->colour, err);
    }
    return status == SL_OK ? set_aspect(s, p->sample_aspect, err) : status;
}

enum sl_status sl_vt_session_open(struct sl_vt_session *s, enum sl_codec codec,
                                  const struct sl_encode_params *p,
                                  VTCompressionOutputCallback output, void *refcon,
                                  struct sl_error *err)
{
    *s = (struct sl_vt_session){.log = p->log, .standard_crf = codec == SL_CODEC_HEVC ? 28 : 23};
    enum sl_status status = create_any(s, codec, p, output, refcon, err);
    if (status != SL_OK) {
        return status;
    }
    report_hardware(s);
    OSStatus code = VTSessionCopySupportedPropertyDictionary(s->vt, &s->supported);
    if (code == kVTAllocationFailedErr) {
        return sl_fail_memory(err);
    }
    if (code != noErr) {
        s->supported = NULL; /* then each property is tried */
    }
    status = set_all(s, codec, p, err);
    if (status != SL_OK) {
        return status;
    }
    code = VTCompressionSessionPrepareToEncodeFrames(s->vt);
    return code == noErr ? SL_OK : sl_vt_fail(err, code, false, "preparing to encode");
}

void sl_vt_session_close(struct sl_vt_session *s)
{
    if (s->vt) {
        /* Not numeric: all. Where the session is broken this fails, and nothing comes either. */
        (void)VTCompressionSessionCompleteFrames(s->vt, kCMTimeInvalid);
        VTCompressionSessionInvalidate(s->vt);
        CFRelease(s->vt);
    }
    release(s->supported);
    *s = (struct sl_vt_session){.log = NULL};
}
