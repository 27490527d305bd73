/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a sequence parameter set: ITU-T H.265 7.3.2.2 and what it includes, Annex E in
 * hevc_vui.c. */
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/colour.h"
#include "media/hevc.h"
#include "media/hevc_vui.h"
#include "media/parameter_set.h"

#define NAL_HEADER    2
#define SUB_LAYERS    7
#define RPS_SETS_MAX  64
#define RPS_DELTA_MAX 16 /* pictures in one set: sps_max_dec_pic_buffering_minus1 is at most 15 */

static void skip(struct sl_ps_reader *p, size_t bits)
{
    if (sl_ps_ok(p)) {
        sl_bits_skip(&p->bits, bits);
    }
}

/* 7.3.3: profile_tier_level(1, max_sub_layers - 1) */
static void read_ptl(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    bool profile[SUB_LAYERS] = {false};
    bool level[SUB_LAYERS] = {false};
    const unsigned sub_layers = s->max_sub_layers - 1u;

    s->ptl.profile_space = (uint8_t)sl_ps_bits(p, 2);
    s->ptl.tier = (uint8_t)sl_ps_bits(p, 1);
    s->ptl.profile_idc = (uint8_t)sl_ps_bits(p, 5);
    s->ptl.compatibility = sl_ps_bits(p, 32);
    s->ptl.constraint_flags = (uint64_t)sl_ps_bits(p, 16) << 32;
    s->ptl.constraint_flags |= sl_ps_bits(p, 32);
    s->ptl.level_idc = (uint8_t)sl_ps_bits(p, 8);
    for (unsigned i = 0; i < sub_layers; i++) {
        profile[i] = sl_ps_flag(p);
        level[i] = sl_ps_flag(p);
    }
    if (sub_layers > 0) {
        skip(p, 2 * (8 - (size_t)sub_layers)); /* reserved_zero_2bits */
    }
    for (unsigned i = 0; i < sub_layers; i++) {
        skip(p, (profile[i] ? 88u : 0u) + (level[i] ? 8u : 0u));
    }
}

/* 7.3.4 */
static void read_scaling_lists(struct sl_ps_reader *p)
{
    for (unsigned size = 0; size < 4; size++) {
        const unsigned step = size == 3 ? 3 : 1;
        const unsigned coefficients = size == 0 ? 16 : 64;
        for (unsigned matrix = 0; matrix < 6 && sl_ps_ok(p); matrix += step) {
            if (!sl_ps_flag(p)) {
                (void)sl_ps_ue(p, "scaling_list_pred_matrix_id_delta", matrix / step);
                continue;
            }
            if (size > 1) {
                (void)sl_ps_se(p, "scaling_list_dc_coef_minus8", -7, 247);
            }
            for (unsigned i = 0; i < coefficients; i++) {
                (void)sl_ps_se(p, "scaling_list_delta_coef", -128, 127);
            }
        }
    }
}

/* One short-term reference picture set: differences of picture order count, those before the
 * picture first (falling), then those after it (rising). */
struct rps {
    unsigned negative, positive;
    int32_t delta[RPS_DELTA_MAX];
};

static void add_delta(struct sl_ps_reader *p, struct rps *set, int32_t delta)
{
    const unsigned count = set->negative + set->positive;
    if (count == RPS_DELTA_MAX) {
        (void)sl_ps_refuse(p, "number of pictures in a short-term RPS", count + 1, 0,
                           RPS_DELTA_MAX);
        return;
    }
    set->delta[count] = delta;
    if (delta < 0) {
        set->negative++;
    } else {
        set->positive++;
    }
}

/* (7-61) and (7-62): the set before, moved by one difference. Only the number of its members
 * matters for what follows, but that depends on which of them come to 0. */
static void predict_rps(struct sl_ps_reader *p, const struct rps *ref, struct rps *set)
{
    const unsigned count = ref->negative + ref->positive;
    bool use[RPS_DELTA_MAX + 1] = {false};

    const bool minus = sl_ps_flag(p);
    const int32_t size = 1 + (int32_t)sl_ps_ue(p, "abs_delta_rps_minus1", 0x7fff);
    const int32_t move = minus ? -size : size;
    for (unsigned i = 0; i <= count; i++) {
        const bool used_by_current = sl_ps_flag(p);
        use[i] = used_by_current || sl_ps_flag(p); /* use_delta_flag is inferred to be 1 */
    }
    for (unsigned i = count; i-- > ref->negative;) {
        if (use[i] && ref->delta[i] + move < 0) {
            add_delta(p, set, ref->delta[i] + move);
        }
    }
    if (use[count] && move < 0) {
        add_delta(p, set, move);
    }
    for (unsigned i = 0; i < ref->negative; i++) {
        if (use[i] && ref->delta[i] + move < 0) {
            add_delta(p, set, ref->delta[i] + move);
        }
    }
    for (unsigned i = ref->negative; i-- > 0;) {
        if (use[i] && ref->delta[i] + move > 0) {
            add_delta(p, set, ref->delta[i] + move);
        }
    }
    if (use[count] && move > 0) {
        add_delta(p, set, move);
    }
    for (unsigned i = ref->negative; i < count; i++) {
        if (use[i] && ref->delta[i] + move > 0) {
            add_delta(p, set, ref->delta[i] + move);
        }
    }
}

/* 7.3.7: st_ref_pic_set(index) as it stands in an SPS */
static void read_rps(struct sl_ps_reader *p, unsigned index, const struct rps *ref, struct rps *set)
{
    *set = (struct rps){0};
    if (index > 0 && sl_ps_flag(p)) {
        predict_rps(p, ref, set);
        return;
    }
    const unsigned negative = sl_ps_ue(p, "num_negative_pics", RPS_DELTA_MAX);
    const unsigned positive = sl_ps_ue(p, "num_positive_pics", RPS_DELTA_MAX - negative);
    int32_t delta = 0;
    for (unsigned i = 0; i < negative; i++) {
        delta -= 1 + (int32_t)sl_ps_ue(p, "delta_poc_s0_minus1", 0x7fff);
        (void)sl_ps_flag(p); /* used_by_curr_pic_s0_flag */
        add_delta(p, set, delta);
    }
    delta = 0;
    for (unsigned i = 0; i < positive; i++) {
        delta += 1 + (int32_t)sl_ps_ue(p, "delta_poc_s1_minus1", 0x7fff);
        (void)sl_ps_flag(p);
        add_delta(p, set, delta);
    }
}

static void read_reference_sets(struct sl_ps_reader *p, const struct sl_hevc_sps *s)
{
    struct rps sets[2]; /* a set is predicted from the one before only */

    const unsigned count = sl_ps_ue(p, "num_short_term_ref_pic_sets", RPS_SETS_MAX);
    for (unsigned i = 0; i < count && sl_ps_ok(p); i++) {
        read_rps(p, i, &sets[(i + 1) % 2], &sets[i % 2]);
    }
    if (sl_ps_flag(p)) { /* long_term_ref_pics_present_flag */
        const unsigned long_term = sl_ps_ue(p, "num_long_term_ref_pics_sps", 32);
        skip(p, (size_t)long_term * (s->log2_max_poc_lsb + 1u));
    }
}

static void read_size(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    s->chroma_format_idc = (uint8_t)sl_ps_ue(p, "chroma_format_idc", 3);
    if (s->chroma_format_idc == 3) {
        s->separate_colour_plane = sl_ps_flag(p);
    }
    s->coded_width = sl_ps_ue(p, "pic_width_in_luma_samples", SL_CODED_SIDE_MAX);
    s->coded_height = sl_ps_ue(p, "pic_height_in_luma_samples", SL_CODED_SIDE_MAX);
    if (sl_ps_ok(p) && (s->coded_width == 0 || s->coded_height == 0)) {
        (void)sl_ps_refuse(p, "a side of the picture", 0, 1, SL_CODED_SIDE_MAX);
    }
    if (!sl_ps_ok(p)) {
        return;
    }
    /* SubWidthC and SubHeightC, table 6-1. separate_colour_plane makes no difference: 4:4:4. */
    const uint32_t unit_x = s->chroma_format_idc == 1 || s->chroma_format_idc == 2 ? 2 : 1;
    const uint32_t unit_y = s->chroma_format_idc == 1 ? 2 : 1;
    if (sl_ps_flag(p)) { /* conformance_window_flag */
        const uint32_t max_x = (s->coded_width - 1) / unit_x;
        const uint32_t max_y = (s->coded_height - 1) / unit_y;
        s->crop_left = sl_ps_ue(p, "conf_win_left_offset", max_x);
        s->crop_right = sl_ps_ue(p, "conf_win_right_offset", max_x - s->crop_left);
        s->crop_top = sl_ps_ue(p, "conf_win_top_offset", max_y);
        s->crop_bottom = sl_ps_ue(p, "conf_win_bottom_offset", max_y - s->crop_top);
    }
    s->width = (int32_t)(s->coded_width - unit_x * (s->crop_left + s->crop_right));
    s->height = (int32_t)(s->coded_height - unit_y * (s->crop_top + s->crop_bottom));
}

static void read_coding_tools(struct sl_ps_reader *p)
{
    (void)sl_ps_ue(p, "log2_min_luma_coding_block_size_minus3", 3);
    (void)sl_ps_ue(p, "log2_diff_max_min_luma_coding_block_size", 3);
    (void)sl_ps_ue(p, "log2_min_luma_transform_block_size_minus2", 3);
    (void)sl_ps_ue(p, "log2_diff_max_min_luma_transform_block_size", 3);
    (void)sl_ps_ue(p, "max_transform_hierarchy_depth_inter", 4);
    (void)sl_ps_ue(p, "max_transform_hierarchy_depth_intra", 4);
    const bool scaling = sl_ps_flag(p); /* scaling_list_enabled_flag */
    if (scaling && sl_ps_flag(p)) {     /* sps_scaling_list_data_present_flag */
        read_scaling_lists(p);
    }
    skip(p, 2);          /* amp_enabled_flag, sample_adaptive_offset_enabled_flag */
    if (sl_ps_flag(p)) { /* pcm_enabled_flag */
        skip(p, 4 + 4);  /* pcm_sample_bit_depth_luma_minus1, …chroma_minus1 */
        (void)sl_ps_ue(p, "log2_min_pcm_luma_coding_block_size_minus3", 2);
        (void)sl_ps_ue(p, "log2_diff_max_min_pcm_luma_coding_block_size", 2);
        skip(p, 1); /* pcm_loop_filter_disabled_flag */
    }
}

static void read_sub_layer_ordering(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    /* The values of the highest sub-layer come last, and alone where the flag is 0. */
    const unsigned count = sl_ps_flag(p) ? s->max_sub_layers : 1;
    for (unsigned i = 0; i < count; i++) {
        s->max_dec_pic_buffering = 1 + sl_ps_ue(p, "sps_max_dec_pic_buffering_minus1", 15);
        s->max_num_reorder = sl_ps_ue(p, "sps_max_num_reorder_pics", s->max_dec_pic_buffering - 1);
        s->max_latency = sl_ps_ue(p, "sps_max_latency_increase_plus1", UINT32_MAX - 1);
    }
}

static void read_sps(struct sl_ps_reader *p, struct sl_hevc_sps *s)
{
    s->vps_id = (uint8_t)sl_ps_bits(p, 4);
    s->max_sub_layers = (uint8_t)(1 + sl_ps_bits(p, 3));
    if (s->max_sub_layers > SUB_LAYERS) {
        (void)sl_ps_refuse(p, "sps_max_sub_layers_minus1", s->max_sub_layers - 1, 0,
                           SUB_LAYERS - 1);
        return;
    }
    s->temporal_id_nesting = (uint8_t)sl_ps_bits(p, 1);
    read_ptl(p, s);
    s->id = (uint8_t)sl_ps_ue(p, "sps_seq_parameter_set_id", 15);
    read_size(p, s);
    s->bit_depth_luma = (uint8_t)(8 + sl_ps_ue(p, "bit_depth_luma_minus8", 8));
    s->bit_depth_chroma = (uint8_t)(8 + sl_ps_ue(p, "bit_depth_chroma_minus8", 8));
    s->log2_max_poc_lsb = (uint8_t)(4 + sl_ps_ue(p, "log2_max_pic_order_cnt_lsb_minus4", 12));
    read_sub_layer_ordering(p, s);
    read_coding_tools(p);
    read_reference_sets(p, s);
    skip(p, 2); /* sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag */
    s->vui_bit = p->bits.pos;
    s->vui_present = sl_ps_flag(p);
    if (s->vui_present) {
        sl_hevc_read_vui(p, s);
    }
    s->end_bit = p->bits.pos; /* extensions follow; nothing here depends on them */
}

enum sl_status sl_hevc_parse_sps(const struct sl_nal *nal, struct sl_hevc_sps *out,
                                 struct sl_error *err)
{
    struct sl_ps_reader p;

    memset(out, 0, sizeof *out);
    out->sample_aspect = sl_rational(0, 1);
    out->video_format = 5; /* E.3.1: unspecified */
    out->colour = sl_colour_unspecified();
    if (nal->size >= NAL_HEADER) {
        const unsigned type = nal->data[0] >> 1 & 0x3f;
        const unsigned layer = (nal->data[0] & 1u) << 5 | nal->data[1] >> 3;
        if (nal->data[0] & 0x80 || type != SL_HEVC_SPS) {
            return sl_fail(err, SL_EDATA, NULL, "HEVC SPS with a NAL header of 0x%02x (type 33)",
                           nal->data[0]);
        }
        if (layer != 0) { /* Annex F gives these another syntax */
            return sl_fail(err, SL_EUNSUPPORTED, NULL, "HEVC SPS of layer %u (0)", layer);
        }
    }
    if (sl_ps_open(&p, nal, NAL_HEADER, "HEVC SPS", err) == SL_OK) {
        read_sps(&p, out);
    }
    return sl_ps_close(&p);
}
