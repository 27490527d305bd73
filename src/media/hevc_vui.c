/* SPDX-License-Identifier: BSD-2-Clause */
/* Video usability information: ITU-T H.265 Annex E. */
#include "media/hevc_vui.h"

/* E.2.3: sub_layer_hrd_parameters() */
static void read_sub_layer_hrd(struct sl_ps_reader *p, unsigned cpb_count, bool sub_pic)
{
    for (unsigned i = 0; i < cpb_count && sl_ps_ok(p); i++) {
        (void)sl_ps_ue(p, "bit_rate_value_minus1", UINT32_MAX - 1);
        (void)sl_ps_ue(p, "cpb_size_value_minus1", UINT32_MAX - 1);
        if (sub_pic) {
            (void)sl_ps_ue(p, "cpb_size_du_value_minus1", UINT32_MAX - 1);
            (void)sl_ps_ue(p, "bit_rate_du_value_minus1", UINT32_MAX - 1);
        }
        (void)sl_ps_flag(p); /* cbr_flag */
    }
}

/* E.2.2: hrd_parameters(1, sub_layers - 1) */
static void read_hrd(struct sl_ps_reader *p, unsigned sub_layers)
{
    const bool nal = sl_ps_flag(p);
    const bool vcl = sl_ps_flag(p);
    bool sub_pic = false;

    if (nal || vcl) {
        sub_pic = sl_ps_flag(p);
        if (sub_pic) {
            /* tick_divisor_minus2, du_cpb_removal_delay_increment_length_minus1,
             * sub_pic_cpb_params_in_pic_timing_sei_flag, dpb_output_delay_du_length_minus1 */
            (void)sl_ps_bits(p, 8 + 5 + 1 + 5);
        }
        (void)sl_ps_bits(p, 4 + 4); /* bit_rate_scale, cpb_size_scale */
        if (sub_pic) {
            (void)sl_ps_bits(p, 4); /* cpb_size_du_scale */
        }
        (void)sl_ps_bits(p, 5 + 5 + 5); /* lengths of the delays */
    }
    for (unsigned i = 0; i < sub_layers && sl_ps_ok(p); i++) {
        const bool fixed_general = sl_ps_flag(p);
        /* E.3.2: inferred to be 1 where the general flag is 1 */
        const bool fixed_within_cvs = fixed_general || sl_ps_flag(p);
        bool low_delay = false;
        unsigned cpb_count = 1;

        if (fixed_within_cvs) {
            (void)sl_ps_ue(p, "elemental_duration_in_tc_minus1", 2047);
        } else {
            low_delay = sl_ps_flag(p);
        }
        if (!low_delay) {
            cpb_count = 1 + sl_ps_ue(p, "cpb_cnt_minus1", 31);
        }
        if (nal) {
            read_sub_layer_hrd(p, cpb_count, sub_pic);
        }
        if (vcl) {
            read_sub_layer_hrd(p, cpb_count, sub_pic);
        }
    }
}

static void read_timing(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    s->num_units_in_tick = sl_ps_bits(p, 32);
    s->time_scale = sl_ps_bits(p, 32);
    /* As in H.264: zeros are written for "not known". */
    s->timing_present = s->num_units_in_tick != 0 && s->time_scale != 0;
    if (sl_ps_flag(p)) { /* vui_poc_proportional_to_timing_flag */
        (void)sl_ps_ue(p, "vui_num_ticks_poc_diff_one_minus1", UINT32_MAX - 1);
    }
    if (sl_ps_flag(p)) { /* vui_hrd_parameters_present_flag */
        read_hrd(p, s->max_sub_layers);
    }
}

static void read_restriction(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    /* tiles_fixed_structure_flag, motion_vectors_over_pic_boundaries_flag,
     * restricted_ref_pic_lists_flag */
    (void)sl_ps_bits(p, 3);
    s->min_spatial_segmentation = (uint16_t)sl_ps_ue(p, "min_spatial_segmentation_idc", 4095);
    (void)sl_ps_ue(p, "max_bytes_per_pic_denom", 16);
    (void)sl_ps_ue(p, "max_bits_per_min_cu_denom", 16);
    (void)sl_ps_ue(p, "log2_max_mv_length_horizontal", 16);
    (void)sl_ps_ue(p, "log2_max_mv_length_vertical", 16);
}

void sl_hevc_read_vui(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    if (sl_ps_flag(p)) { /* aspect_ratio_info_present_flag */
        s->sample_aspect = sl_ps_read_aspect(p);
    }
    if (sl_ps_flag(p)) {     /* overscan_info_present_flag */
        (void)sl_ps_flag(p); /* overscan_appropriate_flag */
    }
    s->vui_signal_bit = p->bits.pos;
    if (sl_ps_flag(p)) { /* video_signal_type_present_flag */
        s->video_format = (uint8_t)sl_ps_bits(p, 3);
        s->colour.range = sl_ps_flag(p) ? SL_RANGE_FULL : SL_RANGE_LIMITED;
        if (sl_ps_flag(p)) { /* colour_description_present_flag */
            s->colour.primaries = (uint8_t)sl_ps_bits(p, 8);
            s->colour.transfer = (uint8_t)sl_ps_bits(p, 8);
            s->colour.matrix = (uint8_t)sl_ps_bits(p, 8);
        }
    }
    s->vui_signal_end = p->bits.pos;
    if (sl_ps_flag(p)) { /* chroma_loc_info_present_flag */
        s->colour.chroma_location =
            (uint8_t)(1 + sl_ps_ue(p, "chroma_sample_loc_type_top_field", 5));
        (void)sl_ps_ue(p, "chroma_sample_loc_type_bottom_field", 5);
    }
    /* neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag */
    (void)sl_ps_bits(p, 3);
    if (sl_ps_flag(p)) { /* default_display_window_flag: advice for display, not cropping */
        (void)sl_ps_ue(p, "def_disp_win_left_offset", SL_CODED_SIDE_MAX);
        (void)sl_ps_ue(p, "def_disp_win_right_offset", SL_CODED_SIDE_MAX);
        (void)sl_ps_ue(p, "def_disp_win_top_offset", SL_CODED_SIDE_MAX);
        (void)sl_ps_ue(p, "def_disp_win_bottom_offset", SL_CODED_SIDE_MAX);
    }
    if (sl_ps_flag(p)) { /* vui_timing_info_present_flag */
        read_timing(p, s);
    }
    if (sl_ps_flag(p)) { /* bitstream_restriction_flag */
        read_restriction(p, s);
    }
}
