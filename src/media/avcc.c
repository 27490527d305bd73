/* SPDX-License-Identifier: BSD-2-Clause */
/* AVCDecoderConfigurationRecord: ISO/IEC 14496-15 5.3.3.1. */
#include "base/error.h"
#include "media/h264.h"
#include "media/nal_config.h"

#define SPS_MAX     31 /* five bits */
#define SPS_EXT     13 /* nal_unit_type of a sequence parameter set extension */
#define HEADER_SIZE 6  /* up to and with the number of SPS */

static unsigned type_of(const struct sl_nal *nal)
{
    return nal->data[0] & 0x1f;
}

enum sl_status sl_avcc_from_annexb(const uint8_t *data, size_t size, struct sl_writer *out,
                                   struct sl_error *err)
{
    struct sl_nal_set sps;
    struct sl_nal_set pps;
    struct sl_nal_set ext;
    struct sl_h264_sps first;
    enum sl_status status;

    status = sl_nal_collect(data, size, type_of, SL_H264_SPS, SPS_MAX, &sps, err);
    if (status == SL_OK) {
        status = sl_nal_collect(data, size, type_of, SL_H264_PPS, SL_PARAMETER_SETS_MAX - SPS_MAX,
                                &pps, err);
    }
    if (status == SL_OK) {
        status = sl_nal_collect(data, size, type_of, SPS_EXT, SPS_MAX, &ext, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (sps.count == 0 || pps.count == 0) {
        return sl_fail(err, SL_EDATA, NULL, "H.264 headers with %zu SPS and %zu PPS (1 or more)",
                       sps.count, pps.count);
    }
    status = sl_h264_parse_sps(&sps.units[0], &first, err);
    if (status != SL_OK) {
        return status;
    }
    sl_write_u8(out, 1); /* configurationVersion */
    sl_write_u8(out, first.profile_idc);
    sl_write_u8(out, first.constraints);
    sl_write_u8(out, first.level_idc);
    sl_write_u8(out, 0xfc | (4 - 1)); /* lengthSizeMinusOne */
    sl_write_u8(out, 0xe0 | (unsigned)sps.count);
    sl_nal_set_write(&sps, out);
    sl_write_u8(out, (unsigned)pps.count);
    sl_nal_set_write(&pps, out);
    if (first.profile_idc != 66 && first.profile_idc != 77 && first.profile_idc != 88) {
        sl_write_u8(out, 0xfc | (unsigned)first.chroma_format_idc);
        sl_write_u8(out, 0xf8 | (first.bit_depth_luma - 8u));
        sl_write_u8(out, 0xf8 | (first.bit_depth_chroma - 8u));
        sl_write_u8(out, (unsigned)ext.count);
        sl_nal_set_write(&ext, out);
    }
    return sl_writer_finish(out, err);
}

/* count units of the given type, each with a 16-bit size. */
static enum sl_status read_sets(struct sl_reader *r, unsigned count, unsigned type,
                                struct sl_nal_config *out, struct sl_error *err)
{
    for (unsigned i = 0; i < count; i++) {
        const size_t at = r->pos;
        const size_t size = sl_read_be16(r);
        const uint8_t *data = sl_read_bytes(r, size);
        if (r->overrun) {
            return sl_fail_at(err, SL_EDATA, "avcC", (int64_t)at,
                              "parameter set of %zu bytes runs past the end at %zu", size, r->size);
        }
        if (size == 0) {
            continue;
        }
        const struct sl_nal nal = {data, size};
        if (type_of(&nal) != type) {
            return sl_fail_at(err, SL_EDATA, "avcC", (int64_t)at,
                              "NAL unit of type %u where type %u belongs", type_of(&nal), type);
        }
        if (out->count == SL_PARAMETER_SETS_MAX) {
            return sl_fail_at(err, SL_EDATA, "avcC", (int64_t)at, "more than %d parameter sets",
                              SL_PARAMETER_SETS_MAX);
        }
        out->sets[out->count++] = nal;
    }
    return SL_OK;
}

enum sl_status sl_avcc_parse(const uint8_t *data, size_t size, struct sl_nal_config *out,
                             struct sl_error *err)
{
    struct sl_reader r;
    enum sl_status status;

    sl_reader_init(&r, data, size);
    out->count = 0;
    if (size < HEADER_SIZE + 1) {
        return sl_fail(err, SL_EDATA, "avcC", "%zu bytes (%d or more)", size, HEADER_SIZE + 1);
    }
    const unsigned version = sl_read_u8(&r);
    if (version != 1) {
        return sl_fail(err, SL_EDATA, "avcC", "version %u (1)", version);
    }
    out->profile = sl_read_u8(&r);
    out->compatibility = sl_read_u8(&r);
    out->level = sl_read_u8(&r);
    out->length_size = (uint8_t)(1 + (sl_read_u8(&r) & 3));
    if (out->length_size == 3) {
        return sl_fail(err, SL_EDATA, "avcC", "NAL lengths of 3 bytes (1, 2 or 4)");
    }
    const unsigned sps_count = sl_read_u8(&r) & 0x1f;
    status = read_sets(&r, sps_count, SL_H264_SPS, out, err);
    if (status != SL_OK) {
        return status;
    }
    const unsigned pps_count = sl_read_u8(&r);
    if (r.overrun) {
        return sl_fail_at(err, SL_EDATA, "avcC", (int64_t)r.pos, "ends before the number of PPS");
    }
    /* What follows for the High profiles repeats the SPS, and writers leave it out or pad it, so
     * nobody here looks at it. */
    return read_sets(&r, pps_count, SL_H264_PPS, out, err);
}
