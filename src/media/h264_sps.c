/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a sequence parameter set: ITU-T H.264 7.3.2.1.1, 7.4.2.1.1 and E.1, E.2. */
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/colour.h"
#include "media/h264.h"
#include "media/h264_tables.h"
#include "media/parameter_set.h"

/* 7.3.2.1.1.1: scaling_list() */
static void read_list(struct sl_ps_reader *p, uint8_t *list, unsigned size, bool *use_default)
{
    int last = 8;
    int next = 8;
    for (unsigned i = 0; i < size; i++) {
        if (next != 0) {
            next = (last + sl_ps_se(p, "delta_scale", -128, 127) + 256) % 256;
            *use_default = i == 0 && next == 0;
        }
        last = next == 0 ? last : next;
        list[i] = (uint8_t)last;
    }
}

static void read_scaling(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    const unsigned coded = s->chroma_format_idc == 3 ? 12 : 8;

    memset(s->scaling4, 16, sizeof s->scaling4); /* Flat_4x4_16 */
    memset(s->scaling8, 16, sizeof s->scaling8);
    s->scaling_present = sl_ps_flag(p);
    if (!s->scaling_present) {
        return;
    }
    for (unsigned i = 0; i < 12; i++) {
        uint8_t *list = i < 6 ? s->scaling4[i] : s->scaling8[i - 6];
        const unsigned size = i < 6 ? 16 : 64;
        bool use_default = false;

        s->scaling_list_present[i] = i < coded && sl_ps_flag(p);
        if (s->scaling_list_present[i]) {
            read_list(p, list, size, &use_default);
            s->scaling_default[i] = use_default;
        } else if (i == 0 || i == 3 || i == 6 || i == 7) {
            use_default = true; /* table 7-2, fall-back rule set A: the first of each kind … */
        } else {                /* … and for the others the one before of the same kind */
            memcpy(list, i < 6 ? s->scaling4[i - 1] : s->scaling8[i - 8], size);
        }
        if (use_default) {
            memcpy(list, sl_h264_default_list(i), size);
        }
    }
}

static void read_chroma(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    s->chroma_format_idc = (uint8_t)sl_ps_ue(p, "chroma_format_idc", 3);
    if (s->chroma_format_idc == 3) {
        s->separate_colour_plane = sl_ps_flag(p);
    }
    s->bit_depth_luma = (uint8_t)(8 + sl_ps_ue(p, "bit_depth_luma_minus8", 6));
    s->bit_depth_chroma = (uint8_t)(8 + sl_ps_ue(p, "bit_depth_chroma_minus8", 6));
    s->lossless_bypass = sl_ps_flag(p);
    read_scaling(p, s);
}

static void read_order_count(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    s->poc_type = (uint8_t)sl_ps_ue(p, "pic_order_cnt_type", 2);
    if (s->poc_type == 0) {
        s->log2_max_poc_lsb = (uint8_t)(4 + sl_ps_ue(p, "log2_max_pic_order_cnt_lsb_minus4", 12));
    } else if (s->poc_type == 1) {
        s->delta_pic_order_always_zero = sl_ps_flag(p);
        s->offset_for_non_ref_pic = sl_ps_se(p, "offset_for_non_ref_pic", -INT32_MAX, INT32_MAX);
        s->offset_for_top_to_bottom =
            sl_ps_se(p, "offset_for_top_to_bottom_field", -INT32_MAX, INT32_MAX);
        s->poc_cycle_count = (uint8_t)sl_ps_ue(p, "num_ref_frames_in_pic_order_cnt_cycle", 255);
        for (unsigned i = 0; i < s->poc_cycle_count; i++) {
            s->offset_for_ref_frame[i] = sl_ps_se(p, "offset_for_ref_frame", -INT32_MAX, INT32_MAX);
        }
    }
}

static void read_size(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    const uint32_t mbs_max = SL_CODED_SIDE_MAX / 16;

    s->width_mbs = 1 + sl_ps_ue(p, "pic_width_in_mbs_minus1", mbs_max - 1);
    s->height_map_units = 1 + sl_ps_ue(p, "pic_height_in_map_units_minus1", mbs_max - 1);
    s->frame_mbs_only = sl_ps_flag(p);
    if (!s->frame_mbs_only) {
        s->mb_adaptive_frame_field = sl_ps_flag(p);
    }
    s->direct_8x8_inference = sl_ps_flag(p);

    const uint32_t fields = s->frame_mbs_only ? 1 : 2;
    const uint32_t width = s->width_mbs * 16;
    const uint32_t height = s->height_map_units * fields * 16;
    if (height > SL_CODED_SIDE_MAX) {
        (void)sl_ps_refuse(p, "the height of a frame", height, 16, SL_CODED_SIDE_MAX);
        return;
    }
    /* CropUnitX and CropUnitY, (7-19) to (7-22) */
    const bool shared = s->chroma_format_idc != 0 && !s->separate_colour_plane;
    const uint32_t unit_x = shared && s->chroma_format_idc < 3 ? 2 : 1;
    const uint32_t unit_y = (shared && s->chroma_format_idc == 1 ? 2 : 1) * fields;
    if (sl_ps_flag(p)) {
        const uint32_t max_x = (width - 1) / unit_x;
        const uint32_t max_y = (height - 1) / unit_y;
        s->crop_left = sl_ps_ue(p, "frame_crop_left_offset", max_x);
        s->crop_right = sl_ps_ue(p, "frame_crop_right_offset", max_x - s->crop_left);
        s->crop_top = sl_ps_ue(p, "frame_crop_top_offset", max_y);
        s->crop_bottom = sl_ps_ue(p, "frame_crop_bottom_offset", max_y - s->crop_top);
    }
    s->width = (int32_t)(width - unit_x * (s->crop_left + s->crop_right));
    s->height = (int32_t)(height - unit_y * (s->crop_top + s->crop_bottom));
}

/* E.1.2: hrd_parameters() */
static void read_hrd(struct sl_ps_reader *p, struct sl_h264_hrd *h)
{
    h->cpb_count = (uint8_t)(1 + sl_ps_ue(p, "cpb_cnt_minus1", 31));
    h->bit_rate_scale = (uint8_t)sl_ps_bits(p, 4);
    h->cpb_size_scale = (uint8_t)sl_ps_bits(p, 4);
    for (unsigned i = 0; i < h->cpb_count; i++) {
        h->bit_rate_value[i] = 1 + sl_ps_ue(p, "bit_rate_value_minus1", UINT32_MAX - 1);
        h->cpb_size_value[i] = 1 + sl_ps_ue(p, "cpb_size_value_minus1", UINT32_MAX - 1);
        h->cbr[i] = sl_ps_flag(p);
    }
    h->initial_delay_length = (uint8_t)(1 + sl_ps_bits(p, 5));
    h->removal_delay_length = (uint8_t)(1 + sl_ps_bits(p, 5));
    h->output_delay_length = (uint8_t)(1 + sl_ps_bits(p, 5));
    h->time_offset_length = (uint8_t)sl_ps_bits(p, 5);
}

static void read_restriction(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    s->motion_vectors_over_boundaries = sl_ps_flag(p);
    s->max_bytes_per_pic_denom = sl_ps_ue(p, "max_bytes_per_pic_denom", 16);
    s->max_bits_per_mb_denom = sl_ps_ue(p, "max_bits_per_mb_denom", 16);
    s->log2_max_mv_h = sl_ps_ue(p, "log2_max_mv_length_horizontal", 16);
    s->log2_max_mv_v = sl_ps_ue(p, "log2_max_mv_length_vertical", 16);
    s->max_num_reorder_frames = sl_ps_ue(p, "max_num_reorder_frames", 16);
    s->max_dec_frame_buffering = sl_ps_ue(p, "max_dec_frame_buffering", 16);
    if (s->max_num_reorder_frames > s->max_dec_frame_buffering) {
        (void)sl_ps_refuse(p, "max_num_reorder_frames", s->max_num_reorder_frames, 0,
                           s->max_dec_frame_buffering);
    }
}

static void read_video_signal(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    s->video_format = (uint8_t)sl_ps_bits(p, 3);
    s->colour.range = sl_ps_flag(p) ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    s->colour_description_present = sl_ps_flag(p);
    if (s->colour_description_present) {
        s->colour.primaries = (uint8_t)sl_ps_bits(p, 8);
        s->colour.transfer = (uint8_t)sl_ps_bits(p, 8);
        s->colour.matrix = (uint8_t)sl_ps_bits(p, 8);
    }
}

/* E.1.1: vui_parameters() */
static void read_vui(struct sl_ps_reader *p, struct sl_h264_sps *s)
{
    if (sl_ps_flag(p)) {
        s->sample_aspect = sl_ps_read_aspect(p);
    }
    s->overscan_info = sl_ps_flag(p);
    if (s->overscan_info) {
        s->overscan_appropriate = sl_ps_flag(p);
    }
    s->video_signal_present = sl_ps_flag(p);
    if (s->video_signal_present) {
        read_video_signal(p, s);
    }
    s->chroma_loc_present = sl_ps_flag(p);
    if (s->chroma_loc_present) {
        s->chroma_loc_top = (uint8_t)sl_ps_ue(p, "chroma_sample_loc_type_top_field", 5);
        s->chroma_loc_bottom = (uint8_t)sl_ps_ue(p, "chroma_sample_loc_type_bottom_field", 5);
        s->colour.chroma_location = (uint8_t)(1 + s->chroma_loc_top);
    }
    s->timing_present = sl_ps_flag(p);
    if (s->timing_present) {
        s->num_units_in_tick = sl_ps_bits(p, 32);
        s->time_scale = sl_ps_bits(p, 32);
        s->fixed_frame_rate = sl_ps_flag(p);
        /* E.2.1 wants both above 0. Real encoders write 0 for "not known", and nothing else hangs
         * on it, so that is what it means here. */
        if (s->num_units_in_tick == 0 || s->time_scale == 0) {
            s->timing_present = false;
            s->num_units_in_tick = 0;
            s->time_scale = 0;
            s->fixed_frame_rate = false;
        }
    }
    s->nal_hrd_present = sl_ps_flag(p);
    if (s->nal_hrd_present) {
        read_hrd(p, &s->nal_hrd);
    }
    s->vcl_hrd_present = sl_ps_flag(p);
    if (s->vcl_hrd_present) {
        read_hrd(p, &s->vcl_hrd);
    }
    if (s->nal_hrd_present || s->vcl_hrd_present) {
        s->low_delay_hrd = sl_ps_flag(p);
    }
    s->pic_struct_present = sl_ps_flag(p);
    s->bitstream_restriction = sl_ps_flag(p);
    if (s->bitstream_restriction) {
        read_restriction(p, s);
    }
}

enum sl_status sl_h264_parse_sps(const struct sl_nal *nal, struct sl_h264_sps *out,
                                 struct sl_error *err)
{
    struct sl_ps_reader p;
    struct sl_h264_sps *s = out;

    /* memset, not assignment: padding too, so that two structs can be compared as bytes. */
    memset(s, 0, sizeof *s);
    s->chroma_format_idc = 1;
    s->bit_depth_luma = 8;
    s->bit_depth_chroma = 8;
    s->sample_aspect = sl_rational(0, 1);
    s->video_format = 5; /* E.2.1: unspecified */
    s->colour = sl_colour_unspecified();
    memset(s->scaling4, 16, sizeof s->scaling4);
    memset(s->scaling8, 16, sizeof s->scaling8);

    if (nal->size > 0 && (nal->data[0] & 0x9f) != SL_H264_SPS) {
        return sl_fail(err, SL_EDATA, NULL, "H.264 SPS with a NAL header of 0x%02x (type 7)",
                       nal->data[0]);
    }
    if (sl_ps_open(&p, nal, 1, "H.264 SPS", err) != SL_OK) {
        goto out;
    }
    s->profile_idc = (uint8_t)sl_ps_bits(&p, 8);
    s->constraints = (uint8_t)sl_ps_bits(&p, 8);
    s->level_idc = (uint8_t)sl_ps_bits(&p, 8);
    s->id = (uint8_t)sl_ps_ue(&p, "seq_parameter_set_id", 31);
    if (sl_h264_profile_has_chroma(s->profile_idc)) {
        read_chroma(&p, s);
    }
    s->log2_max_frame_num = (uint8_t)(4 + sl_ps_ue(&p, "log2_max_frame_num_minus4", 12));
    read_order_count(&p, s);
    s->max_num_ref_frames = sl_ps_ue(&p, "max_num_ref_frames", 16);
    s->gaps_in_frame_num_allowed = sl_ps_flag(&p);
    read_size(&p, s);
    s->vui_present = sl_ps_flag(&p);
    if (s->vui_present) {
        read_vui(&p, s);
    }
out:
    return sl_ps_close(&p);
}
