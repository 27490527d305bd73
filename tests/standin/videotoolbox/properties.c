/* SPDX-License-Identifier: BSD-2-Clause */
/* Properties of a compression session, as a test double: which there are, of what type, for which
 * codec, and when they may be set. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

enum kind { TRUTH, NUMBER, TEXT, ARRAY, DICTIONARY };
enum { H264 = 1, HEVC = 2, BOTH = 3 };

static const struct {
    const char *name;
    enum kind kind;
    int codecs;
    bool live;        /* may be changed in mid-stream */
    bool low_latency; /* in its rate control, too */
    bool read_only;
} table[] = {
    {"AllowFrameReordering", TRUTH, BOTH, false, true, false},
    {"AllowOpenGOP", TRUTH, HEVC, false, true, false},
    {"RealTime", TRUTH, BOTH, false, true, false},
    {"MaxKeyFrameInterval", NUMBER, BOTH, false, true, false},
    {"ExpectedFrameRate", NUMBER, BOTH, true, true, false},
    {"ProfileLevel", TEXT, BOTH, false, true, false},
    {"H264EntropyMode", TEXT, H264, false, true, false},
    {"AverageBitRate", NUMBER, BOTH, true, true, false},
    {"ConstantBitRate", NUMBER, BOTH, true, true, false},
    {"DataRateLimits", ARRAY, BOTH, true, true, false},
    {"Quality", NUMBER, BOTH, true, false, false},
    {"MaxAllowedFrameQP", NUMBER, BOTH, true, true, false},
    {"MinAllowedFrameQP", NUMBER, BOTH, true, true, false},
    {"ColorPrimaries", TEXT, BOTH, false, true, false},
    {"TransferFunction", TEXT, BOTH, false, true, false},
    {"YCbCrMatrix", TEXT, BOTH, false, true, false},
    {"PixelAspectRatio", DICTIONARY, BOTH, false, true, false},
    {"MaxFrameDelayCount", NUMBER, BOTH, false, true, false},
    {"EnableLTR", TRUTH, H264, false, true, false},
    {"UsingHardwareAcceleratedVideoEncoder", TRUTH, BOTH, false, true, true},
};
#define COUNT (sizeof table / sizeof table[0])
_Static_assert(COUNT <= STANDIN_PROPERTIES, "room for all");

static bool there_is(size_t i, CMVideoCodecType codec, bool low_latency)
{
    return (table[i].codecs & (codec == kCMVideoCodecType_HEVC ? HEVC : H264)) &&
           (table[i].low_latency || !low_latency) && !standin_unsupported(table[i].name);
}

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < COUNT && strcmp(table[i].name, name) != 0) {
        i++;
    }
    return i;
}

static bool has_kind(CFTypeRef value, enum kind kind)
{
    switch (kind) {
    case TRUTH:
        return standin_is_boolean(value);
    case NUMBER:
        return standin_is_number(value);
    case TEXT:
        return standin_is_string(value);
    case ARRAY:
        return standin_is_array(value);
    case DICTIONARY:
        return standin_is_dictionary(value);
    }
    return false;
}

static bool is_profile(const char *name, CMVideoCodecType codec)
{
    int major, minor;
    char profile[20];
    if (codec == kCMVideoCodecType_HEVC) {
        return strcmp(name, "HEVC_Main_AutoLevel") == 0 ||
               strcmp(name, "HEVC_Main10_AutoLevel") == 0;
    }
    if (sscanf(name, "H264_%19[A-Za-z]_%d_%d", profile, &major, &minor) == 3) {
        return major >= 3 && major <= 5 && minor >= 0 && minor <= 2;
    }
    return strcmp(name, "H264_Baseline_AutoLevel") == 0 ||
           strcmp(name, "H264_Main_AutoLevel") == 0 || strcmp(name, "H264_High_AutoLevel") == 0;
}

/* What would be a mistake of the caller's on any encoder. */
static bool is_sound(const struct standin_properties *p, size_t i, CMVideoCodecType codec,
                     CFTypeRef value)
{
    const char *name = table[i].name;
    double n = standin_number_value(value);
    if (strcmp(name, "ProfileLevel") == 0) {
        return is_profile(standin_string_text(value), codec);
    }
    if (strcmp(name, "Quality") == 0) {
        return n > 0 && n < 1;
    }
    if (strcmp(name, "DataRateLimits") == 0) {
        for (CFIndex k = 0; k < CFArrayGetCount(value); k++) {
            if (standin_number_value(CFArrayGetValueAtIndex(value, k)) <= 0) {
                return false;
            }
        }
        return CFArrayGetCount(value) % 2 == 0 && !p->value[find("ConstantBitRate")];
    }
    if (strcmp(name, "ConstantBitRate") == 0) {
        return n >= 1000 && !p->value[find("AverageBitRate")] && !p->value[find("DataRateLimits")];
    }
    if (strcmp(name, "AverageBitRate") == 0) {
        return n >= 1000 && n <= INT32_MAX && !p->value[find("ConstantBitRate")];
    }
    return n < 0 || n <= INT32_MAX;
}

OSStatus standin_property_set(struct standin_properties *p, CMVideoCodecType codec,
                              bool low_latency, bool started, CFStringRef key, CFTypeRef value)
{
    const char *name = standin_string_text(key);
    size_t i = find(name);
    if (i == COUNT) {
        standin_complain("no property is called %s", name);
        return kVTPropertyNotSupportedErr;
    }
    if (!there_is(i, codec, low_latency)) {
        return kVTPropertyNotSupportedErr;
    }
    if (table[i].read_only) {
        return kVTPropertyReadOnlyErr;
    }
    if (!has_kind(value, table[i].kind) || !is_sound(p, i, codec, value)) {
        standin_complain("property %s has a value that it cannot have", name);
        return kVTParameterErr;
    }
    if (started && !table[i].live) {
        standin_complain("property %s is set in mid-stream", name);
        return kVTParameterErr;
    }
    if (p->value[i]) {
        CFRelease(p->value[i]);
    }
    p->value[i] = CFRetain(value);
    return noErr;
}

CFDictionaryRef standin_properties_list(CMVideoCodecType codec, bool low_latency)
{
    const char *names[COUNT];
    CFIndex count = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (there_is(i, codec, low_latency)) {
            names[count++] = table[i].name;
        }
    }
    return standin_set(names, count);
}

void standin_properties_clear(struct standin_properties *p)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (p->value[i]) {
            CFRelease(p->value[i]);
            p->value[i] = NULL;
        }
    }
}

/* ---- for the encoders behind ------------------------------------------------------------- */

static double number(const struct standin_properties *p, const char *name, double otherwise)
{
    CFTypeRef value = p->value[find(name)];
    return value ? standin_number_value(value) : otherwise;
}

static int point(const struct standin_properties *p, int which, const char *name)
{
    CFTypeRef value = p->value[find(name)];
    return value ? standin_code_point(which, value) : 2;
}

void standin_settings(const struct standin_properties *p, struct standin_settings *s)
{
    CFTypeRef value = p->value[find("ProfileLevel")];
    int major, minor;
    (void)snprintf(s->profile, sizeof s->profile, "high");
    if (value) {
        const char *text = standin_string_text(value);
        char name[20];
        s->ten_bit = strstr(text, "Main10") != NULL;
        if (sscanf(text, "H264_%19[A-Za-z]_%d_%d", name, &major, &minor) == 3) {
            s->level = 10 * major + minor;
        }
        (void)snprintf(s->profile, sizeof s->profile, "%s",
                       strstr(text, "Baseline")    ? "baseline"
                       : strstr(text, "H264_Main") ? "main"
                                                   : "high");
    }
    value = p->value[find("H264EntropyMode")];
    s->cabac = !value || strcmp(standin_string_text(value), "CABAC") == 0;
    s->reorder = number(p, "AllowFrameReordering", 1) != 0;
    s->refers = number(p, "EnableLTR", 0) != 0;
    s->rate = number(p, "ExpectedFrameRate", 30);
    s->quality = number(p, "Quality", -1);
    s->qp = (int)number(p, "MaxAllowedFrameQP", -1);
    s->interval = (int)number(p, "MaxKeyFrameInterval", 0);
    s->delay = (int)number(p, "MaxFrameDelayCount", -1);
    s->bitrate = (int64_t)number(p, "AverageBitRate", number(p, "ConstantBitRate", 0));
    s->maxrate = s->buffer = 0;
    value = p->value[find("DataRateLimits")];
    if (value && CFArrayGetCount(value) == 2) {
        double bytes = standin_number_value(CFArrayGetValueAtIndex(value, 0));
        double seconds = standin_number_value(CFArrayGetValueAtIndex(value, 1));
        s->buffer = (int64_t)(8 * bytes);
        s->maxrate = (int64_t)(8 * bytes / seconds);
    }
    s->primaries = point(p, 0, "ColorPrimaries");
    s->transfer = point(p, 1, "TransferFunction");
    s->matrix = point(p, 2, "YCbCrMatrix");
    value = p->value[find("PixelAspectRatio")];
    s->sar_w = s->sar_h = 0;
    if (value) {
        s->sar_w = (int)standin_number_value(
            CFDictionaryGetValue(value, kCMFormatDescriptionKey_PixelAspectRatioHorizontalSpacing));
        s->sar_h = (int)standin_number_value(
            CFDictionaryGetValue(value, kCMFormatDescriptionKey_PixelAspectRatioVerticalSpacing));
    }
}

/* ---- for tests --------------------------------------------------------------------------- */

/* Copies, so that no object outlives its session. */
static struct {
    bool set;
    double number[2];
    char text[64];
} kept[COUNT];

void standin_properties_keep(const struct standin_properties *p)
{
    memset(kept, 0, sizeof kept);
    for (size_t i = 0; p && i < COUNT; i++) {
        CFTypeRef value = p->value[i];
        kept[i].set = value != NULL;
        if (standin_is_string(value)) {
            (void)snprintf(kept[i].text, sizeof kept[i].text, "%s", standin_string_text(value));
        } else if (standin_is_array(value)) {
            for (CFIndex k = 0; k < 2 && k < CFArrayGetCount(value); k++) {
                kept[i].number[k] = standin_number_value(CFArrayGetValueAtIndex(value, k));
            }
        } else if (standin_is_dictionary(value)) {
            kept[i].number[0] = standin_number_value(CFDictionaryGetValue(
                value, kCMFormatDescriptionKey_PixelAspectRatioHorizontalSpacing));
            kept[i].number[1] = standin_number_value(CFDictionaryGetValue(
                value, kCMFormatDescriptionKey_PixelAspectRatioVerticalSpacing));
        } else if (value) {
            kept[i].number[0] = standin_number_value(value);
        }
    }
}

bool standin_was_set(const char *property)
{
    size_t i = find(property);
    return i < COUNT && kept[i].set;
}

double standin_number(const char *property, int at)
{
    return standin_was_set(property) ? kept[find(property)].number[at] : -1;
}

const char *standin_text(const char *property)
{
    return standin_was_set(property) ? kept[find(property)].text : "";
}
