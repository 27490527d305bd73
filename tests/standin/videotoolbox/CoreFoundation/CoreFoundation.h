/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double: no machine of ours has macOS or the hardware, so this stands in for the framework,
 * with the declarations that src/encode/videotoolbox*.c uses, written from the documented
 * interface. Binaries that people use never contain it. */
#ifndef STANDIN_CORE_FOUNDATION_H
#define STANDIN_CORE_FOUNDATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t OSStatus;
typedef uint32_t OSType;
typedef unsigned char Boolean;
typedef long CFIndex;
enum { noErr = 0 };

/* To the analyzer: this argument is released by whom it is given to. */
#if defined(__clang__)
#define CF_CONSUMED __attribute__((cf_consumed))
#else
#define CF_CONSUMED
#endif

typedef const void *CFTypeRef;
typedef const struct standin_allocator *CFAllocatorRef;
typedef const struct standin_string *CFStringRef;
typedef const struct standin_number *CFNumberRef;
typedef const struct standin_boolean *CFBooleanRef;
typedef const struct standin_array *CFArrayRef;
typedef const struct standin_dictionary *CFDictionaryRef;

CFTypeRef CFRetain(CFTypeRef object);
void CFRelease(CFTypeRef object);
Boolean CFEqual(CFTypeRef a, CFTypeRef b);

extern const CFBooleanRef kCFBooleanTrue, kCFBooleanFalse;
Boolean CFBooleanGetValue(CFBooleanRef boolean);

typedef enum {
    kCFNumberSInt32Type = 3,
    kCFNumberSInt64Type = 4,
    kCFNumberFloat64Type = 6,
} CFNumberType;
CFNumberRef CFNumberCreate(CFAllocatorRef allocator, CFNumberType type, const void *value);
Boolean CFNumberGetValue(CFNumberRef number, CFNumberType type, void *value);

enum { kCFStringEncodingASCII = 0x0600 };
CFStringRef CFStringCreateWithCString(CFAllocatorRef allocator, const char *text,
                                      uint32_t encoding);
/* Constant: never freed, the same object for the same text. */
CFStringRef standin_constant_string(const char *text);
#define CFSTR(text) standin_constant_string("" text "")

typedef struct {
    int retains;
} CFArrayCallBacks, CFDictionaryKeyCallBacks, CFDictionaryValueCallBacks;
extern const CFArrayCallBacks kCFTypeArrayCallBacks;
extern const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks;
extern const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks;

CFArrayRef CFArrayCreate(CFAllocatorRef allocator, const void **values, CFIndex count,
                         const CFArrayCallBacks *callbacks);
CFIndex CFArrayGetCount(CFArrayRef array);
const void *CFArrayGetValueAtIndex(CFArrayRef array, CFIndex at);

CFDictionaryRef CFDictionaryCreate(CFAllocatorRef allocator, const void **keys, const void **values,
                                   CFIndex count, const CFDictionaryKeyCallBacks *key_callbacks,
                                   const CFDictionaryValueCallBacks *value_callbacks);
const void *CFDictionaryGetValue(CFDictionaryRef dictionary, const void *key);
Boolean CFDictionaryContainsKey(CFDictionaryRef dictionary, const void *key);

#endif
