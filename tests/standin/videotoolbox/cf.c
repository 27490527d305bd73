/* SPDX-License-Identifier: BSD-2-Clause */
/* Core Foundation as far as it is used, and the control of the stand-in (a test double). */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define FUNCTIONS_MAX 64
#define CONSTANTS_MAX 96

/* Test code, so globals are fine: the frameworks have no handle that this could hang from. */
static struct {
    pthread_mutex_t lock;
    atomic_long live;
    struct {
        const char *name;
        unsigned calls;
    } functions[FUNCTIONS_MAX];
    size_t function_count;
    char fail_function[64];
    unsigned fail_in;
    OSStatus fail_code;
    bool failed;
    char complaint[200];
    struct standin_options options;
    struct standin_string constants[CONSTANTS_MAX];
    size_t constant_count;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- control ----------------------------------------------------------------------------- */

void standin_reset(const struct standin_options *options)
{
    pthread_mutex_lock(&state.lock);
    state.function_count = 0;
    state.fail_in = 0;
    state.failed = false;
    state.complaint[0] = '\0';
    state.options = options ? *options : (struct standin_options){.drop = 0};
    pthread_mutex_unlock(&state.lock);
    standin_properties_keep(NULL);
}

void standin_fail(const char *function, unsigned nth, OSStatus code)
{
    pthread_mutex_lock(&state.lock);
    (void)snprintf(state.fail_function, sizeof state.fail_function, "%s", function);
    state.fail_in = nth;
    state.fail_code = code;
    state.failed = false;
    pthread_mutex_unlock(&state.lock);
}

bool standin_failed(void)
{
    pthread_mutex_lock(&state.lock);
    bool failed = state.failed;
    pthread_mutex_unlock(&state.lock);
    return failed;
}

static unsigned *counter(const char *function)
{
    for (size_t i = 0; i < state.function_count; i++) {
        if (strcmp(state.functions[i].name, function) == 0) {
            return &state.functions[i].calls;
        }
    }
    if (state.function_count == FUNCTIONS_MAX) {
        abort();
    }
    state.functions[state.function_count].name = function;
    state.functions[state.function_count].calls = 0;
    return &state.functions[state.function_count++].calls;
}

OSStatus standin_enter(const char *function)
{
    OSStatus code = noErr;
    pthread_mutex_lock(&state.lock);
    ++*counter(function);
    if (state.fail_in > 0 && strcmp(function, state.fail_function) == 0 && --state.fail_in == 0) {
        state.failed = true;
        code = state.fail_code;
    }
    pthread_mutex_unlock(&state.lock);
    return code;
}

unsigned standin_calls(const char *function)
{
    unsigned calls = 0;
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.function_count; i++) {
        if (strcmp(state.functions[i].name, function) == 0) {
            calls = state.functions[i].calls;
        }
    }
    pthread_mutex_unlock(&state.lock);
    return calls;
}

long standin_live(void)
{
    return atomic_load(&state.live);
}

void standin_complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&state.lock);
    if (!state.complaint[0]) {
        (void)vsnprintf(state.complaint, sizeof state.complaint, fmt, args);
    }
    pthread_mutex_unlock(&state.lock);
    va_end(args);
}

const char *standin_complaint(void)
{
    return state.complaint[0] ? state.complaint : NULL;
}

const struct standin_options *standin_options(void)
{
    return &state.options;
}

bool standin_unsupported(const char *name)
{
    char between[80];
    (void)snprintf(between, sizeof between, ",%s,", name);
    return state.options.unsupported && strstr(state.options.unsupported, between);
}

/* ---- objects ----------------------------------------------------------------------------- */

void *standin_create(const struct standin_class *class, size_t size)
{
    struct standin_object *o = calloc(1, size);
    if (o) {
        o->class = class;
        atomic_init(&o->refs, 1);
        atomic_fetch_add(&state.live, 1);
    }
    return o;
}

CFTypeRef CFRetain(CFTypeRef object)
{
    struct standin_object *o = (struct standin_object *)object;
    if (!o) {
        standin_complain("CFRetain of NULL");
        return NULL;
    }
    if (atomic_load(&o->refs) != 0) {
        atomic_fetch_add(&o->refs, 1);
    }
    return object;
}

void CFRelease(CFTypeRef object)
{
    struct standin_object *o = (struct standin_object *)object;
    if (!o) {
        standin_complain("CFRelease of NULL");
        return;
    }
    if (atomic_load(&o->refs) == 0 || atomic_fetch_sub(&o->refs, 1) != 1) {
        return;
    }
    if (o->class->finish) {
        o->class->finish(o);
    }
    atomic_fetch_sub(&state.live, 1);
    free(o);
}

long standin_references(const void *object)
{
    return atomic_load(&((struct standin_object *)object)->refs);
}

/* ---- values ------------------------------------------------------------------------------ */

struct standin_boolean {
    struct standin_object object;
    bool value;
};
static const struct standin_class boolean_class = {.name = "boolean"};
static struct standin_boolean yes = {{&boolean_class, 0}, true};
static struct standin_boolean no = {{&boolean_class, 0}, false};
const CFBooleanRef kCFBooleanTrue = &yes, kCFBooleanFalse = &no;

Boolean CFBooleanGetValue(CFBooleanRef boolean)
{
    return boolean->value;
}

struct standin_number {
    struct standin_object object;
    bool is_whole;
    int64_t whole;
    double value;
};
static const struct standin_class number_class = {.name = "number"};

CFNumberRef CFNumberCreate(CFAllocatorRef allocator, CFNumberType type, const void *value)
{
    (void)allocator;
    struct standin_number *n =
        standin_enter(__func__) == noErr ? standin_create(&number_class, sizeof *n) : NULL;
    if (!n) {
        return NULL;
    }
    n->is_whole = type != kCFNumberFloat64Type;
    if (type == kCFNumberFloat64Type) {
        n->value = *(const double *)value;
    } else {
        n->whole = type == kCFNumberSInt32Type ? *(const int32_t *)value : *(const int64_t *)value;
        n->value = (double)n->whole;
    }
    return n;
}

Boolean CFNumberGetValue(CFNumberRef number, CFNumberType type, void *value)
{
    if (type != kCFNumberSInt64Type) {
        standin_complain("CFNumberGetValue of a type that is not prepared");
        return false;
    }
    *(int64_t *)value = number->is_whole ? number->whole : (int64_t)number->value;
    return true;
}

static const struct standin_class string_class = {.name = "string"};

CFStringRef standin_constant_string(const char *text)
{
    struct standin_string *s = NULL;
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.constant_count && !s; i++) {
        if (strcmp(state.constants[i].text, text) == 0) {
            s = &state.constants[i];
        }
    }
    if (!s) {
        if (state.constant_count == CONSTANTS_MAX) {
            abort();
        }
        s = &state.constants[state.constant_count++];
        s->object.class = &string_class;
        (void)snprintf(s->text, sizeof s->text, "%s", text);
    }
    pthread_mutex_unlock(&state.lock);
    return s;
}

CFStringRef CFStringCreateWithCString(CFAllocatorRef allocator, const char *text, uint32_t encoding)
{
    (void)allocator, (void)encoding;
    struct standin_string *s =
        standin_enter(__func__) == noErr ? standin_create(&string_class, sizeof *s) : NULL;
    if (s) {
        (void)snprintf(s->text, sizeof s->text, "%s", text);
    }
    return s;
}

/* Constants of the frameworks, as the frameworks name them. */
#define CONSTANT(symbol, name)                                                                     \
    static struct standin_string symbol##_string = {{&string_class, 0}, name};                     \
    const CFStringRef symbol = &symbol##_string
#define PROPERTY(name) CONSTANT(kVTCompressionPropertyKey_##name, #name)
CONSTANT(kCVPixelBufferPixelFormatTypeKey, "PixelFormatType");
CONSTANT(kCVPixelBufferWidthKey, "Width");
CONSTANT(kCVPixelBufferHeightKey, "Height");
CONSTANT(kCVPixelBufferIOSurfacePropertiesKey, "IOSurfaceProperties");
CONSTANT(kCMSampleAttachmentKey_NotSync, "NotSync");
CONSTANT(kCMFormatDescriptionKey_PixelAspectRatioHorizontalSpacing, "HorizontalSpacing");
CONSTANT(kCMFormatDescriptionKey_PixelAspectRatioVerticalSpacing, "VerticalSpacing");
CONSTANT(kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder,
         "EnableHardwareAcceleratedVideoEncoder");
CONSTANT(kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder,
         "RequireHardwareAcceleratedVideoEncoder");
CONSTANT(kVTEncodeFrameOptionKey_ForceKeyFrame, "ForceKeyFrame");
CONSTANT(kVTH264EntropyMode_CABAC, "CABAC");
CONSTANT(kVTH264EntropyMode_CAVLC, "CAVLC");
CONSTANT(kVTProfileLevel_HEVC_Main_AutoLevel, "HEVC_Main_AutoLevel");
CONSTANT(kVTProfileLevel_HEVC_Main10_AutoLevel, "HEVC_Main10_AutoLevel");
PROPERTY(AllowFrameReordering);
PROPERTY(AverageBitRate);
PROPERTY(ColorPrimaries);
PROPERTY(DataRateLimits);
PROPERTY(ExpectedFrameRate);
PROPERTY(H264EntropyMode);
PROPERTY(MaxFrameDelayCount);
PROPERTY(MaxKeyFrameInterval);
PROPERTY(PixelAspectRatio);
PROPERTY(ProfileLevel);
PROPERTY(Quality);
PROPERTY(RealTime);
PROPERTY(TransferFunction);
PROPERTY(UsingHardwareAcceleratedVideoEncoder);
PROPERTY(YCbCrMatrix);

const char *standin_string_text(CFStringRef text)
{
    return text->text;
}

static bool is(CFTypeRef object, const struct standin_class *class)
{
    return object && ((const struct standin_object *)object)->class == class;
}

bool standin_is_number(CFTypeRef object)
{
    return is(object, &number_class);
}

bool standin_is_string(CFTypeRef object)
{
    return is(object, &string_class);
}

bool standin_is_boolean(CFTypeRef object)
{
    return is(object, &boolean_class);
}

double standin_number_value(CFTypeRef number)
{
    return standin_is_number(number)    ? ((CFNumberRef)number)->value
           : standin_is_boolean(number) ? ((CFBooleanRef)number)->value
                                        : -1;
}

Boolean CFEqual(CFTypeRef a, CFTypeRef b)
{
    if (standin_is_string(a) && standin_is_string(b)) {
        return strcmp(((CFStringRef)a)->text, ((CFStringRef)b)->text) == 0;
    }
    return a == b;
}

/* ---- collections ------------------------------------------------------------------------- */

const CFArrayCallBacks kCFTypeArrayCallBacks = {1};
const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks = {1};
const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks = {1};

struct standin_array {
    struct standin_object object;
    CFIndex count;
    CFTypeRef *items;
};

static void array_finish(void *object)
{
    struct standin_array *a = object;
    for (CFIndex i = 0; i < a->count; i++) {
        CFRelease(a->items[i]);
    }
    free(a->items);
}
static const struct standin_class array_class = {"array", array_finish};

bool standin_is_array(CFTypeRef object)
{
    return is(object, &array_class);
}

static bool fill(CFTypeRef **to, const void **from, CFIndex count)
{
    *to = calloc((size_t)count + 1, sizeof **to);
    for (CFIndex i = 0; *to && i < count; i++) {
        (*to)[i] = CFRetain(from[i]);
    }
    return *to != NULL;
}

CFArrayRef CFArrayCreate(CFAllocatorRef allocator, const void **values, CFIndex count,
                         const CFArrayCallBacks *callbacks)
{
    (void)allocator;
    if (callbacks != &kCFTypeArrayCallBacks) {
        standin_complain("CFArrayCreate without the callbacks that retain");
    }
    struct standin_array *a =
        standin_enter(__func__) == noErr ? standin_create(&array_class, sizeof *a) : NULL;
    if (a && !fill(&a->items, values, count)) {
        CFRelease(a);
        return NULL;
    }
    if (a) {
        a->count = count;
    }
    return a;
}

CFIndex CFArrayGetCount(CFArrayRef array)
{
    return array->count;
}

const void *CFArrayGetValueAtIndex(CFArrayRef array, CFIndex at)
{
    if (at < 0 || at >= array->count) {
        standin_complain("CFArrayGetValueAtIndex out of range");
        return NULL;
    }
    return array->items[at];
}

struct standin_dictionary {
    struct standin_object object;
    CFIndex count;
    CFTypeRef *keys, *values;
};

static void dictionary_finish(void *object)
{
    struct standin_dictionary *d = object;
    for (CFIndex i = 0; i < d->count; i++) {
        CFRelease(d->keys[i]);
        CFRelease(d->values[i]);
    }
    free(d->keys);
    free(d->values);
}
static const struct standin_class dictionary_class = {"dictionary", dictionary_finish};

bool standin_is_dictionary(CFTypeRef object)
{
    return is(object, &dictionary_class);
}

static CFDictionaryRef dictionary(const void **keys, const void **values, CFIndex count)
{
    struct standin_dictionary *d = standin_create(&dictionary_class, sizeof *d);
    if (!d) {
        return NULL;
    }
    if (!fill(&d->keys, keys, count)) {
        CFRelease(d);
        return NULL;
    }
    if (!fill(&d->values, values, count)) {
        for (CFIndex i = 0; i < count; i++) {
            CFRelease(d->keys[i]);
        }
        CFRelease(d);
        return NULL;
    }
    d->count = count;
    return d;
}

CFDictionaryRef CFDictionaryCreate(CFAllocatorRef allocator, const void **keys, const void **values,
                                   CFIndex count, const CFDictionaryKeyCallBacks *key_callbacks,
                                   const CFDictionaryValueCallBacks *value_callbacks)
{
    (void)allocator;
    if (key_callbacks != &kCFTypeDictionaryKeyCallBacks ||
        value_callbacks != &kCFTypeDictionaryValueCallBacks) {
        standin_complain("CFDictionaryCreate without the callbacks that retain");
    }
    return standin_enter(__func__) == noErr ? dictionary(keys, values, count) : NULL;
}

const void *CFDictionaryGetValue(CFDictionaryRef d, const void *key)
{
    for (CFIndex i = 0; i < d->count; i++) {
        if (CFEqual(d->keys[i], key)) {
            return d->values[i];
        }
    }
    return NULL;
}

Boolean CFDictionaryContainsKey(CFDictionaryRef d, const void *key)
{
    return CFDictionaryGetValue(d, key) != NULL;
}

CFDictionaryRef standin_set(const char *const *names, CFIndex count)
{
    const void *keys[STANDIN_PROPERTIES], *values[STANDIN_PROPERTIES];
    for (CFIndex i = 0; i < count; i++) {
        keys[i] = standin_constant_string(names[i]);
        values[i] = kCFBooleanTrue;
    }
    return dictionary(keys, values, count);
}
