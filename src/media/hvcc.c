/* SPDX-License-Identifier: BSD-2-Clause */
/* HEVCDecoderConfigurationRecord: ISO/IEC 14496-15 8.3.3.1. */
#include "base/error.h"
#include "media/hevc.h"
#include "media/nal_config.h"

#define HEADER_SIZE 23 /* up to and with numOfArrays */
#define EACH_MAX    (SL_PARAMETER_SETS_MAX / 3)

static const uint8_t set_types[] = {SL_HEVC_VPS, SL_HEVC_SPS, SL_HEVC_PPS};
#define SET_TYPES (sizeof set_types / sizeof *set_types)

static unsigned type_of(const struct sl_nal *nal)
{
    return nal->data[0] >> 1 & 0x3f;
}

static void write_header(const struct sl_hevc_sps *s, struct sl_writer *out)
{
    const struct sl_hevc_ptl *ptl = &s->ptl;

    sl_write_u8(out, 1); /* configurationVersion */
    sl_write_u8(out,
                (unsigned)ptl->profile_space << 6 | (unsigned)ptl->tier << 5 | ptl->profile_idc);
    sl_write_be32(out, ptl->compatibility);
    sl_write_be16(out, (unsigned)(ptl->constraint_flags >> 32));
    sl_write_be32(out, (uint32_t)ptl->constraint_flags);
    sl_write_u8(out, ptl->level_idc);
    sl_write_be16(out, 0xf000u | s->min_spatial_segmentation);
    sl_write_u8(out, 0xfc); /* parallelismType 0: not known */
    sl_write_u8(out, 0xfc | (unsigned)s->chroma_format_idc);
    sl_write_u8(out, 0xf8 | (s->bit_depth_luma - 8u));
    sl_write_u8(out, 0xf8 | (s->bit_depth_chroma - 8u));
    sl_write_be16(out, 0); /* avgFrameRate: not known */
    /* constantFrameRate 0, numTemporalLayers, temporalIdNested, lengthSizeMinusOne 3 */
    sl_write_u8(out, (unsigned)s->max_sub_layers << 3 | (unsigned)s->temporal_id_nesting << 2 | 3);
    sl_write_u8(out, SET_TYPES);
}

enum sl_status sl_hvcc_from_annexb(const uint8_t *data, size_t size, struct sl_writer *out,
                                   struct sl_error *err)
{
    struct sl_nal_set sets[SET_TYPES];
    struct sl_hevc_sps sps;
    enum sl_status status;

    for (size_t i = 0; i < SET_TYPES; i++) {
        status = sl_nal_collect(data, size, type_of, set_types[i], EACH_MAX, &sets[i], err);
        if (status != SL_OK) {
            return status;
        }
    }
    if (sets[0].count == 0 || sets[1].count == 0 || sets[2].count == 0) {
        return sl_fail(err, SL_EDATA, NULL,
                       "HEVC headers with %zu VPS, %zu SPS and %zu PPS (1 or more)", sets[0].count,
                       sets[1].count, sets[2].count);
    }
    status = sl_hevc_parse_sps(&sets[1].units[0], &sps, err);
    if (status != SL_OK) {
        return status;
    }
    if (sps.bit_depth_luma > 15 || sps.bit_depth_chroma > 15) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL,
                       "HEVC of 16 bits: hvcC has three bits for the depth less 8");
    }
    write_header(&sps, out);
    for (size_t i = 0; i < SET_TYPES; i++) {
        sl_write_u8(out, 0x80u | set_types[i]); /* array_completeness: none comes in band */
        sl_write_be16(out, (unsigned)sets[i].count);
        sl_nal_set_write(&sets[i], out);
    }
    return sl_writer_finish(out, err);
}

/* One array; its units are kept if they are of the wanted type. */
static enum sl_status read_array(struct sl_reader *r, unsigned wanted, struct sl_nal_config *out,
                                 struct sl_error *err)
{
    const unsigned type = sl_read_u8(r) & 0x3f;
    const unsigned count = sl_read_be16(r);

    for (unsigned i = 0; i < count && !r->overrun; i++) {
        const size_t at = r->pos;
        const size_t size = sl_read_be16(r);
        const struct sl_nal nal = {sl_read_bytes(r, size), size};
        if (r->overrun || size == 0 || type != wanted) {
            continue;
        }
        if (type_of(&nal) != type) {
            return sl_fail_at(err, SL_EDATA, "hvcC", (int64_t)at,
                              "NAL unit of type %u in the array of type %u", type_of(&nal), type);
        }
        if (out->count == SL_PARAMETER_SETS_MAX) {
            return sl_fail_at(err, SL_EDATA, "hvcC", (int64_t)at, "more than %d parameter sets",
                              SL_PARAMETER_SETS_MAX);
        }
        out->sets[out->count++] = nal;
    }
    return SL_OK;
}

enum sl_status sl_hvcc_parse(const uint8_t *data, size_t size, struct sl_nal_config *out,
                             struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, data, size);
    out->count = 0;
    if (size < HEADER_SIZE) {
        return sl_fail(err, SL_EDATA, "hvcC", "%zu bytes (%d or more)", size, HEADER_SIZE);
    }
    const unsigned version = sl_read_u8(&r);
    if (version > 1) { /* 0 was written while the standard was a draft, in the same layout */
        return sl_fail(err, SL_EDATA, "hvcC", "version %u (1)", version);
    }
    out->profile = sl_read_u8(&r) & 0x1f;
    out->compatibility = sl_read_u8(&r);
    sl_read_skip(&r, 3 + 6);
    out->level = sl_read_u8(&r);
    sl_read_skip(&r, 2 + 1 + 1 + 1 + 1 + 2);
    out->length_size = (uint8_t)(1 + (sl_read_u8(&r) & 3));
    if (out->length_size == 3) {
        return sl_fail(err, SL_EDATA, "hvcC", "NAL lengths of 3 bytes (1, 2 or 4)");
    }
    const unsigned arrays = sl_read_u8(&r);
    const size_t start = r.pos;
    for (size_t t = 0; t < SET_TYPES; t++) {
        r.pos = start;
        for (unsigned i = 0; i < arrays; i++) {
            enum sl_status status = read_array(&r, set_types[t], out, err);
            if (status != SL_OK) {
                return status;
            }
            if (r.overrun) {
                return sl_fail(err, SL_EDATA, "hvcC", "array %u of %u runs past the end at %zu", i,
                               arrays, size);
            }
        }
    }
    return SL_OK;
}
