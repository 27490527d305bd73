/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the stand-in (a test double, see standin.h) share. */
#ifndef STANDIN_OBJECT_H
#define STANDIN_OBJECT_H

#include <stdatomic.h>

#include "standin.h"

struct standin_class {
    const char *name;
    void (*finish)(void *object); /* releases what it holds; may be NULL */
};
/* At the start of every object. */
struct standin_object {
    const struct standin_class *class;
    atomic_long refs; /* 0: a constant */
};

/* Zeroed, one reference; NULL where there is no memory. */
void *standin_create(const struct standin_class *class, size_t size);
/* To be called at the start of every function: counts it, and gives what it is to fail with. */
OSStatus standin_enter(const char *function);
void standin_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const struct standin_options *standin_options(void);
bool standin_unsupported(const char *name);

const char *standin_string_text(CFStringRef text);
/* -1: no number */
double standin_number_value(CFTypeRef number);
bool standin_is_number(CFTypeRef object);
bool standin_is_string(CFTypeRef object);
bool standin_is_boolean(CFTypeRef object);
bool standin_is_array(CFTypeRef object);
bool standin_is_dictionary(CFTypeRef object);
/* A dictionary of the keys of a list, each with true. */
CFDictionaryRef standin_set(const char *const *names, CFIndex count);

struct standin_string {
    struct standin_object object;
    char text[64];
};

/* ---- cv.c -------------------------------------------------------------------------------- */

struct standin_pixel_buffer {
    struct standin_object object;
    OSType type;
    size_t width, height, stride[2];
    uint8_t *plane[2];
    uint8_t *block;
    atomic_int locks;
};
CVPixelBufferPoolRef standin_pool_create(size_t width, size_t height, OSType type);
int standin_code_point(int which, CFStringRef name); /* 0 primaries, 1 transfer, 2 matrix */

/* ---- cm.c -------------------------------------------------------------------------------- */

/* sets: length-prefixed, 4 bytes each. */
CMFormatDescriptionRef standin_format_create(CMVideoCodecType codec, const uint8_t *sets,
                                             size_t size, int length_size);
/* data: length-prefixed, 4 bytes each; reframed to length_size. */
CMSampleBufferRef standin_sample_create(CMFormatDescriptionRef format, const uint8_t *data,
                                        size_t size, bool sync, int64_t token, unsigned seed);

/* ---- properties.c ------------------------------------------------------------------------ */

#define STANDIN_PROPERTIES 24
struct standin_properties {
    CFTypeRef value[STANDIN_PROPERTIES];
};
/* What an encoder needs to know of them. */
struct standin_settings {
    CMVideoCodecType codec;
    int width, height, ten_bit, full_range;
    double rate, quality; /* quality < 0: not set */
    int64_t bitrate, maxrate, buffer;
    int qp; /* -1: not set */
    int interval, level, delay;
    char profile[16];
    bool cabac, reorder, refers;
    int primaries, transfer, matrix, sar_w, sar_h;
};
void standin_settings(const struct standin_properties *p, struct standin_settings *s);
void standin_properties_clear(struct standin_properties *p);
OSStatus standin_property_set(struct standin_properties *p, CMVideoCodecType codec,
                              bool low_latency, bool started, CFStringRef key, CFTypeRef value);
CFDictionaryRef standin_properties_list(CMVideoCodecType codec, bool low_latency);
void standin_properties_keep(const struct standin_properties *p);

/* ---- coder_….c --------------------------------------------------------------------------- */

struct standin_job {
    CVPixelBufferRef image;
    CMTime pts;
    void *refcon;
    int64_t number; /* from 0 */
    bool key, refresh, used;
    int64_t known; /* the latest picture that the decoder is known to have; -1 */
};
struct standin_unit {
    const uint8_t *data; /* length-prefixed, 4 bytes; until the next call */
    size_t size;
    struct standin_job *job;
    bool sync;
};
struct standin_coder {
    /* NULL where it refuses. */
    void *(*open)(const struct standin_settings *s);
    /* Parameter sets, length-prefixed; until the next call. */
    bool (*sets)(void *coder, const uint8_t **data, size_t *size);
    /* job NULL: what is held back. <0 failed, 0 nothing came, 1 *out. */
    int (*code)(void *coder, struct standin_job *job, struct standin_unit *out);
    void (*change)(void *coder, const struct standin_settings *s);
    void (*close)(void *coder);
};
extern const struct standin_coder standin_x264, standin_x265, standin_replay;

#endif
