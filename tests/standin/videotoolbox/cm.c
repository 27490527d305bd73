/* SPDX-License-Identifier: BSD-2-Clause */
/* Core Media's samples, as a test double: their bytes lie in several pieces, cut anywhere. */
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define PIECES_MAX 4
#define SETS_MAX   4

const CMTime kCMTimeInvalid = {0, 0, 0, 0};

CMTime CMTimeMake(int64_t value, int32_t timescale)
{
    return (CMTime){value, timescale, kCMTimeFlags_Valid, 0};
}

static size_t length_of(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* ---- format descriptions ----------------------------------------------------------------- */

struct standin_format {
    struct standin_object object;
    CMVideoCodecType codec;
    int length_size;
    size_t count;
    struct {
        const uint8_t *data;
        size_t size;
    } sets[SETS_MAX];
    uint8_t *bytes;
};

static void format_finish(void *object)
{
    free(((struct standin_format *)object)->bytes);
}
static const struct standin_class format_class = {"format description", format_finish};

CMFormatDescriptionRef standin_format_create(CMVideoCodecType codec, const uint8_t *sets,
                                             size_t size, int length_size)
{
    struct standin_format *f = standin_create(&format_class, sizeof *f);
    if (!f) {
        return NULL;
    }
    f->bytes = malloc(size);
    if (!f->bytes) {
        CFRelease(f);
        return NULL;
    }
    memcpy(f->bytes, sets, size);
    f->codec = codec;
    f->length_size = length_size;
    for (size_t at = 0; at + 4 <= size; at += 4 + length_of(f->bytes + at)) {
        const uint8_t *unit = f->bytes + at + 4;
        bool is_set = codec == kCMVideoCodecType_HEVC
                          ? (unit[0] >> 1 & 0x3f) >= 32 && (unit[0] >> 1 & 0x3f) <= 34
                          : (unit[0] & 0x1f) >= 7 && (unit[0] & 0x1f) <= 8;
        if (is_set && f->count < SETS_MAX) {
            f->sets[f->count].data = unit;
            f->sets[f->count++].size = length_of(f->bytes + at);
        }
    }
    return f;
}

static OSStatus set_at(CMFormatDescriptionRef f, CMVideoCodecType codec, size_t at,
                       const uint8_t **data, size_t *size, size_t *count, int *length_size)
{
    if (f->codec != codec) {
        standin_complain("parameter sets of the wrong codec are asked for");
        return kCMFormatDescriptionError_InvalidParameter;
    }
    if (at >= f->count) {
        return kCMFormatDescriptionError_InvalidParameter;
    }
    *data = f->sets[at].data;
    *size = f->sets[at].size;
    *count = f->count;
    *length_size = f->length_size;
    return noErr;
}

OSStatus CMVideoFormatDescriptionGetH264ParameterSetAtIndex(CMFormatDescriptionRef format,
                                                            size_t at, const uint8_t **data,
                                                            size_t *size, size_t *count,
                                                            int *length_size)
{
    OSStatus code = standin_enter(__func__);
    return code == noErr
               ? set_at(format, kCMVideoCodecType_H264, at, data, size, count, length_size)
               : code;
}

OSStatus CMVideoFormatDescriptionGetHEVCParameterSetAtIndex(CMFormatDescriptionRef format,
                                                            size_t at, const uint8_t **data,
                                                            size_t *size, size_t *count,
                                                            int *length_size)
{
    OSStatus code = standin_enter(__func__);
    return code == noErr
               ? set_at(format, kCMVideoCodecType_HEVC, at, data, size, count, length_size)
               : code;
}

/* ---- block buffers ----------------------------------------------------------------------- */

struct standin_block {
    struct standin_object object;
    size_t size, count;
    struct {
        char *data;
        size_t size;
    } pieces[PIECES_MAX];
};

static void block_finish(void *object)
{
    struct standin_block *b = object;
    for (size_t i = 0; i < b->count; i++) {
        free(b->pieces[i].data);
    }
}
static const struct standin_class block_class = {"block buffer", block_finish};

static CMBlockBufferRef block_create(const uint8_t *data, size_t size, unsigned seed)
{
    struct standin_block *b = standin_create(&block_class, sizeof *b);
    if (!b) {
        return NULL;
    }
    size_t want = 1 + seed % PIECES_MAX; /* one in four is in one piece */
    b->size = size;
    for (size_t i = 0; i < want && size > 0; i++) {
        /* The first cut is inside a length. */
        size_t n = i + 1 == want || size < 4 ? size : i == 0 ? 1 + seed % 3 : 1 + size / 3;
        b->pieces[i].data = malloc(n);
        if (!b->pieces[i].data) {
            CFRelease(b);
            return NULL;
        }
        memcpy(b->pieces[i].data, data, n);
        b->pieces[i].size = n;
        b->count++;
        data += n;
        size -= n;
    }
    return b;
}

size_t CMBlockBufferGetDataLength(CMBlockBufferRef block)
{
    return block->size;
}

OSStatus CMBlockBufferGetDataPointer(CMBlockBufferRef block, size_t offset,
                                     size_t *length_at_offset, size_t *total, char **data)
{
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    for (size_t i = 0; i < block->count; i++) {
        if (offset < block->pieces[i].size) {
            *length_at_offset = block->pieces[i].size - offset;
            *total = block->size;
            *data = block->pieces[i].data + offset;
            return noErr;
        }
        offset -= block->pieces[i].size;
    }
    return kCMBlockBufferBadOffsetParameterErr;
}

OSStatus CMBlockBufferCopyDataBytes(CMBlockBufferRef block, size_t offset, size_t size, void *to)
{
    OSStatus code = standin_enter(__func__);
    if (code != noErr) {
        return code;
    }
    if (offset != 0 || size != block->size) {
        standin_complain("CMBlockBufferCopyDataBytes of a part is not prepared");
        return kCMBlockBufferBadOffsetParameterErr;
    }
    char *at = to;
    for (size_t i = 0; i < block->count; i++) {
        memcpy(at, block->pieces[i].data, block->pieces[i].size);
        at += block->pieces[i].size;
    }
    return noErr;
}

/* ---- samples ----------------------------------------------------------------------------- */

struct standin_sample {
    struct standin_object object;
    CMFormatDescriptionRef format;
    CMBlockBufferRef block;
    CFArrayRef attachments;
};

static void sample_finish(void *object)
{
    struct standin_sample *s = object;
    if (s->format) {
        CFRelease(s->format);
    }
    if (s->block) {
        CFRelease(s->block);
    }
    if (s->attachments) {
        CFRelease(s->attachments);
    }
}
static const struct standin_class sample_class = {"sample buffer", sample_finish};

/* Four bytes of length become two, in place. Returns: the size then, 0 where a unit is too long. */
static size_t shorten(uint8_t *data, size_t size)
{
    size_t to = 0;
    for (size_t at = 0; at + 4 <= size;) {
        size_t n = length_of(data + at);
        if (n > 0xffff) {
            return 0;
        }
        data[to] = (uint8_t)(n >> 8);
        data[to + 1] = (uint8_t)n;
        memmove(data + to + 2, data + at + 4, n);
        to += 2 + n;
        at += 4 + n;
    }
    return to;
}

static CFArrayRef attach(bool sync, int64_t token)
{
    const void *keys[2], *values[2];
    CFIndex count = 0;
    CFNumberRef number = NULL;
    if (!sync) { /* absent means false */
        keys[count] = kCMSampleAttachmentKey_NotSync;
        values[count++] = kCFBooleanTrue;
    }
    if (token >= 0) {
        number = CFNumberCreate(NULL, kCFNumberSInt64Type, &token);
        if (!number) {
            return NULL;
        }
        keys[count] = standin_constant_string("RequireLTRAcknowledgementToken");
        values[count++] = number;
    }
    CFDictionaryRef one =
        CFDictionaryCreate(NULL, keys, values, count, &kCFTypeDictionaryKeyCallBacks,
                           &kCFTypeDictionaryValueCallBacks);
    if (number) {
        CFRelease(number);
    }
    if (!one) {
        return NULL;
    }
    const void *items[1] = {one};
    CFArrayRef array = CFArrayCreate(NULL, items, 1, &kCFTypeArrayCallBacks);
    CFRelease(one);
    return array;
}

CMSampleBufferRef standin_sample_create(CMFormatDescriptionRef format, const uint8_t *data,
                                        size_t size, bool sync, int64_t token, unsigned seed)
{
    const struct standin_options *o = standin_options();
    struct standin_sample *s = standin_create(&sample_class, sizeof *s);
    uint8_t *copy = s ? malloc(size) : NULL;
    if (!copy) {
        goto fail;
    }
    memcpy(copy, data, size);
    if (seed & 0x100u) { /* to be damaged */
        if (o->damage == STANDIN_LENGTH_TOO_LONG) {
            copy[0] = 0x7f;
        }
        sync = sync && o->damage != STANDIN_NOT_SAID;
    }
    if (o->length_size == 2) {
        size = shorten(copy, size);
    }
    s->format = CFRetain(format);
    s->block = block_create(copy, size, seed & 0xffu);
    s->attachments = s->block ? attach(sync, token) : NULL;
    free(copy);
    if (s->attachments) {
        return s;
    }
fail:
    if (s) {
        CFRelease(s);
    }
    return NULL;
}

CMBlockBufferRef CMSampleBufferGetDataBuffer(CMSampleBufferRef sample)
{
    return standin_enter(__func__) == noErr ? sample->block : NULL;
}

CMFormatDescriptionRef CMSampleBufferGetFormatDescription(CMSampleBufferRef sample)
{
    return standin_enter(__func__) == noErr ? sample->format : NULL;
}

CFArrayRef CMSampleBufferGetSampleAttachmentsArray(CMSampleBufferRef sample, Boolean create)
{
    (void)create;
    return sample->attachments;
}
