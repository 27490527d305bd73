/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of H.264 streams beside the SPS itself. */
#include "media/h264.h"

#include "base/error.h"
#include "media/h264_tables.h"
#include "media/parameter_set.h"

#define CONSTRAINT_SET3 0x10

int32_t sl_h264_reorder(const struct sl_h264_sps *s)
{
    if (s->vui_present && s->bitstream_restriction) {
        return (int32_t)s->max_num_reorder_frames;
    }
    /* 8.2.1.3: with pic_order_cnt_type 2 output order is decoding order. */
    if (s->poc_type == 2) {
        return 0;
    }
    /* E.2.1, max_num_reorder_frames: 0 in the intra profiles, else MaxDpbFrames. */
    switch (s->profile_idc) {
    case 44:
    case 86:
    case 100:
    case 110:
    case 122:
    case 244:
        if (s->constraints & CONSTRAINT_SET3) {
            return 0;
        }
        break;
    default:
        break;
    }
    /* A.3.1, A.3.2: MaxDpbFrames = Min(MaxDpbMbs / (PicWidthInMbs * FrameHeightInMbs), 16) */
    uint32_t mbs = sl_h264_max_dpb_mbs(s->level_idc);
    if (s->level_idc == 11 && (s->constraints & CONSTRAINT_SET3) &&
        !sl_h264_profile_has_chroma(s->profile_idc)) {
        mbs = sl_h264_max_dpb_mbs(9); /* level 1b */
    }
    const uint32_t frame = s->width_mbs * s->height_map_units * (s->frame_mbs_only ? 1 : 2);
    if (mbs == 0 || frame == 0 || mbs / frame > 16) {
        return 16;
    }
    return (int32_t)(mbs / frame);
}

enum sl_status sl_h264_parse_pps(const struct sl_nal *nal, struct sl_h264_pps *out,
                                 struct sl_error *err)
{
    struct sl_ps_reader p;

    *out = (struct sl_h264_pps){0};
    if (nal->size > 0 && (nal->data[0] & 0x9f) != SL_H264_PPS) {
        return sl_fail(err, SL_EDATA, NULL, "H.264 PPS with a NAL header of 0x%02x (type 8)",
                       nal->data[0]);
    }
    if (sl_ps_open(&p, nal, 1, "H.264 PPS", err) != SL_OK) {
        goto out;
    }
    out->id = (uint8_t)sl_ps_ue(&p, "pic_parameter_set_id", 255);
    out->sps_id = (uint8_t)sl_ps_ue(&p, "seq_parameter_set_id", 31);
    out->cabac = sl_ps_flag(&p);
out:
    return sl_ps_close(&p);
}

enum sl_status sl_h264_describe(struct sl_track *track, struct sl_error *err)
{
    struct sl_nal_config config;
    struct sl_h264_sps sps;

    enum sl_status status = sl_avcc_parse(track->config, track->config_size, &config, err);
    if (status != SL_OK) {
        return status;
    }
    /* No SPS at all is allowed where they come in band (sample entry "avc3"). */
    if (config.count == 0 || (config.sets[0].data[0] & 0x1f) != SL_H264_SPS) {
        track->profile = config.profile;
        track->level = config.level;
        return SL_OK;
    }
    status = sl_h264_parse_sps(&config.sets[0], &sps, err);
    if (status != SL_OK) {
        return status;
    }
    track->width = sps.width;
    track->height = sps.height;
    if (sps.sample_aspect.num > 0) {
        track->sample_aspect = sps.sample_aspect;
    }
    sl_ps_merge_colour(&track->colour, &sps.colour);
    track->bit_depth = sps.bit_depth_luma;
    const enum sl_pixel_format format = sl_ps_pixel_format(
        sps.chroma_format_idc, sps.bit_depth_luma, sps.bit_depth_chroma, sps.colour.matrix == 0);
    if (format != SL_PIX_NONE) {
        track->pixel_format = (int32_t)format;
    }
    track->profile = sps.profile_idc;
    track->level = sps.level_idc;
    track->reorder = sl_h264_reorder(&sps);
    return SL_OK;
}

/* True for the slices of the primary coded picture; *idr tells which kind. They all agree
 * (7.4.1.2.4), so the first one decides. */
static bool is_slice(uint8_t header, bool *idr)
{
    const unsigned type = header & 0x1f;
    *idr = type == SL_H264_IDR;
    return type >= SL_H264_SLICE && type <= SL_H264_IDR;
}

bool sl_h264_is_idr(const uint8_t *data, size_t size, unsigned prefix)
{
    bool idr = false;
    if (prefix == 0) {
        for (size_t at = 0; (at = sl_nal_find_annexb(data, size, at)) < size;) {
            if (is_slice(data[at], &idr)) {
                return idr;
            }
        }
        return false;
    }
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    while (sl_nal_next_length(&w, prefix, &nal, NULL) == SL_OK) {
        if (is_slice(nal.data[0], &idr)) {
            return idr;
        }
    }
    return false;
}
