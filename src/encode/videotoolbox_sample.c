/* SPDX-License-Identifier: BSD-2-Clause */
/* CMSampleBuffer to Annex B: units with lengths in front, in memory of several pieces, and their
 * parameter sets apart. ISO/IEC 14496-15 5.3.3. */
#include "base/alloc.h"
#include "base/error.h"
#include "encode/videotoolbox.h"
#include "media/nal.h"

static OSStatus set_at(CMFormatDescriptionRef format, enum sl_codec codec, size_t at,
                       struct sl_nal *set, size_t *count, int *prefix)
{
    return codec == SL_CODEC_HEVC
               ? CMVideoFormatDescriptionGetHEVCParameterSetAtIndex(format, at, &set->data,
                                                                    &set->size, count, prefix)
               : CMVideoFormatDescriptionGetH264ParameterSetAtIndex(format, at, &set->data,
                                                                    &set->size, count, prefix);
}

static enum sl_status write_sets(CMFormatDescriptionRef format, enum sl_codec codec,
                                 struct sl_writer *out, struct sl_error *err)
{
    static const uint8_t start_code[] = {0, 0, 0, 1};
    size_t count = 1;
    int prefix = 0;
    for (size_t i = 0; i < count; i++) {
        struct sl_nal set = {NULL, 0};
        OSStatus code = set_at(format, codec, i, &set, &count, &prefix);
        if (code != noErr) {
            return sl_vt_fail(err, code, true, "parameter sets");
        }
        sl_write_bytes(out, start_code, sizeof start_code);
        sl_write_bytes(out, set.data, set.size);
    }
    return SL_OK;
}

static enum sl_status write_units(CMBlockBufferRef block, size_t size, unsigned prefix,
                                  struct sl_writer *out, struct sl_error *err)
{
    size_t piece = 0, all = 0;
    char *data = NULL;
    OSStatus code = CMBlockBufferGetDataPointer(block, 0, &piece, &all, &data);
    if (code != noErr) {
        return sl_vt_fail(err, code, true, "coded data");
    }
    if (piece == size) {
        return sl_nal_length_to_annexb((const uint8_t *)data, size, prefix, out, err);
    }
    uint8_t *whole = sl_alloc(size);
    if (!whole) {
        return sl_fail_memory(err);
    }
    enum sl_status status;
    code = CMBlockBufferCopyDataBytes(block, 0, size, whole);
    if (code == noErr) {
        status = sl_nal_length_to_annexb(whole, size, prefix, out, err);
    } else {
        status = sl_vt_fail(err, code, true, "coded data");
    }
    sl_free(whole);
    return status;
}

enum sl_status sl_vt_sample_annexb(CMSampleBufferRef sample, enum sl_codec codec, bool sets,
                                   struct sl_writer *out, struct sl_error *err)
{
    CMFormatDescriptionRef format = CMSampleBufferGetFormatDescription(sample);
    CMBlockBufferRef block = CMSampleBufferGetDataBuffer(sample);
    if (!format || !block) {
        return sl_fail(err, SL_EDATA, SL_VT_NAME, "a picture came without %s",
                       format ? "data" : "a description");
    }
    struct sl_nal first;
    size_t count = 0, size = CMBlockBufferGetDataLength(block);
    int prefix = 0;
    OSStatus code = set_at(format, codec, 0, &first, &count, &prefix);
    if (code != noErr) {
        return sl_vt_fail(err, code, true, "parameter sets");
    }
    if (prefix != 1 && prefix != 2 && prefix != 4) {
        return sl_fail(err, SL_EDATA, SL_VT_NAME, "lengths of %d bytes, expected 1, 2 or 4",
                       prefix);
    }
    /* The smallest unit (a length of one byte) becomes its start code of four: 4 for 1. */
    if (size == 0 || size > out->max / 4) {
        return sl_fail(err, SL_EDATA, SL_VT_NAME, "a picture of %zu bytes, expected 1 to %zu", size,
                       out->max / 4);
    }
    enum sl_status status = sets ? write_sets(format, codec, out, err) : SL_OK;
    if (status == SL_OK) {
        status = write_units(block, size, (unsigned)prefix, out, err);
    }
    return status == SL_OK ? sl_writer_finish(out, err) : status;
}

/* The attachment of the one sample that a buffer of video holds, or NULL. */
static CFTypeRef attachment(CMSampleBufferRef sample, CFStringRef key)
{
    CFArrayRef all = CMSampleBufferGetSampleAttachmentsArray(sample, false);
    if (!all || CFArrayGetCount(all) == 0) {
        return NULL;
    }
    return CFDictionaryGetValue((CFDictionaryRef)CFArrayGetValueAtIndex(all, 0), key);
}

bool sl_vt_sample_sync(CMSampleBufferRef sample)
{
    CFTypeRef not_sync = attachment(sample, kCMSampleAttachmentKey_NotSync);
    return !not_sync || !CFBooleanGetValue((CFBooleanRef)not_sync);
}

bool sl_vt_sample_token(CMSampleBufferRef sample, int64_t *token)
{
    /* kVTSampleAttachmentKey_RequireLTRAcknowledgementToken, macOS 12: by name, so that older
     * systems load us. */
    CFTypeRef value = attachment(sample, CFSTR("RequireLTRAcknowledgementToken"));
    return value && CFNumberGetValue((CFNumberRef)value, kCFNumberSInt64Type, token);
}
