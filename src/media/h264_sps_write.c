/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a sequence parameter set: the inverse of h264_sps.c, field by field. */
#include "media/h264.h"
#include "media/h264_tables.h"
#include "media/parameter_set.h"

static void write_list(struct sl_bit_writer *b, const uint8_t *list, unsigned size)
{
    int last = 8;
    for (unsigned i = 0; i < size; i++) {
        sl_put_se(b, (int8_t)(list[i] - last)); /* modulo 256 */
        last = list[i];
    }
}

static void write_chroma(struct sl_bit_writer *b, const struct sl_h264_sps *s)
{
    sl_put_ue(b, s->chroma_format_idc);
    if (s->chroma_format_idc == 3) {
        sl_put_bits(b, 1, s->separate_colour_plane);
    }
    sl_put_ue(b, s->bit_depth_luma - 8u);
    sl_put_ue(b, s->bit_depth_chroma - 8u);
    sl_put_bits(b, 1, s->lossless_bypass);
    sl_put_bits(b, 1, s->scaling_present);
    const unsigned coded = s->chroma_format_idc == 3 ? 12 : 8;
    for (unsigned i = 0; s->scaling_present && i < coded; i++) {
        sl_put_bits(b, 1, s->scaling_list_present[i] != 0);
        if (!s->scaling_list_present[i]) {
            continue;
        }
        if (s->scaling_default[i]) {
            sl_put_se(b, -8); /* nextScale 0 at the first place: use the default list */
        } else if (i < 6) {
            write_list(b, s->scaling4[i], 16);
        } else {
            write_list(b, s->scaling8[i - 6], 64);
        }
    }
}

static void write_order_count(struct sl_bit_writer *b, const struct sl_h264_sps *s)
{
    sl_put_ue(b, s->poc_type);
    if (s->poc_type == 0) {
        sl_put_ue(b, s->log2_max_poc_lsb - 4u);
    } else if (s->poc_type == 1) {
        sl_put_bits(b, 1, s->delta_pic_order_always_zero);
        sl_put_se(b, s->offset_for_non_ref_pic);
        sl_put_se(b, s->offset_for_top_to_bottom);
        sl_put_ue(b, s->poc_cycle_count);
        for (unsigned i = 0; i < s->poc_cycle_count; i++) {
            sl_put_se(b, s->offset_for_ref_frame[i]);
        }
    }
}

static void write_size(struct sl_bit_writer *b, const struct sl_h264_sps *s)
{
    sl_put_ue(b, s->width_mbs - 1);
    sl_put_ue(b, s->height_map_units - 1);
    sl_put_bits(b, 1, s->frame_mbs_only);
    if (!s->frame_mbs_only) {
        sl_put_bits(b, 1, s->mb_adaptive_frame_field);
    }
    sl_put_bits(b, 1, s->direct_8x8_inference);
    const bool crop = s->crop_left || s->crop_right || s->crop_top || s->crop_bottom;
    sl_put_bits(b, 1, crop);
    if (crop) {
        sl_put_ue(b, s->crop_left);
        sl_put_ue(b, s->crop_right);
        sl_put_ue(b, s->crop_top);
        sl_put_ue(b, s->crop_bottom);
    }
}

static void write_hrd(struct sl_bit_writer *b, const struct sl_h264_hrd *h)
{
    sl_put_ue(b, h->cpb_count - 1u);
    sl_put_bits(b, 4, h->bit_rate_scale);
    sl_put_bits(b, 4, h->cpb_size_scale);
    for (unsigned i = 0; i < h->cpb_count && i < 32; i++) {
        sl_put_ue(b, h->bit_rate_value[i] - 1);
        sl_put_ue(b, h->cpb_size_value[i] - 1);
        sl_put_bits(b, 1, h->cbr[i]);
    }
    sl_put_bits(b, 5, h->initial_delay_length - 1u);
    sl_put_bits(b, 5, h->removal_delay_length - 1u);
    sl_put_bits(b, 5, h->output_delay_length - 1u);
    sl_put_bits(b, 5, h->time_offset_length);
}

static void write_restriction(struct sl_bit_writer *b, const struct sl_h264_sps *s)
{
    sl_put_bits(b, 1, s->motion_vectors_over_boundaries);
    sl_put_ue(b, s->max_bytes_per_pic_denom);
    sl_put_ue(b, s->max_bits_per_mb_denom);
    sl_put_ue(b, s->log2_max_mv_h);
    sl_put_ue(b, s->log2_max_mv_v);
    sl_put_ue(b, s->max_num_reorder_frames);
    sl_put_ue(b, s->max_dec_frame_buffering);
}

static void write_vui(struct sl_bit_writer *b, const struct sl_h264_sps *s)
{
    const bool aspect = s->sample_aspect.num > 0 && s->sample_aspect.den > 0;
    sl_put_bits(b, 1, aspect);
    if (aspect) {
        sl_ps_write_aspect(b, s->sample_aspect);
    }
    sl_put_bits(b, 1, s->overscan_info);
    if (s->overscan_info) {
        sl_put_bits(b, 1, s->overscan_appropriate);
    }
    sl_put_bits(b, 1, s->video_signal_present);
    if (s->video_signal_present) {
        sl_put_bits(b, 3, s->video_format);
        sl_put_bits(b, 1, s->colour.range == SL_RANGE_FULL);
        sl_put_bits(b, 1, s->colour_description_present);
        if (s->colour_description_present) {
            sl_put_bits(b, 8, s->colour.primaries);
            sl_put_bits(b, 8, s->colour.transfer);
            sl_put_bits(b, 8, s->colour.matrix);
        }
    }
    sl_put_bits(b, 1, s->chroma_loc_present);
    if (s->chroma_loc_present) {
        sl_put_ue(b, s->chroma_loc_top);
        sl_put_ue(b, s->chroma_loc_bottom);
    }
    sl_put_bits(b, 1, s->timing_present);
    if (s->timing_present) {
        sl_put_bits(b, 32, s->num_units_in_tick);
        sl_put_bits(b, 32, s->time_scale);
        sl_put_bits(b, 1, s->fixed_frame_rate);
    }
    sl_put_bits(b, 1, s->nal_hrd_present);
    if (s->nal_hrd_present) {
        write_hrd(b, &s->nal_hrd);
    }
    sl_put_bits(b, 1, s->vcl_hrd_present);
    if (s->vcl_hrd_present) {
        write_hrd(b, &s->vcl_hrd);
    }
    if (s->nal_hrd_present || s->vcl_hrd_present) {
        sl_put_bits(b, 1, s->low_delay_hrd);
    }
    sl_put_bits(b, 1, s->pic_struct_present);
    sl_put_bits(b, 1, s->bitstream_restriction);
    if (s->bitstream_restriction) {
        write_restriction(b, s);
    }
}

void sl_h264_write_sps(const struct sl_h264_sps *s, struct sl_writer *out)
{
    struct sl_writer rbsp;
    struct sl_bit_writer b;

    sl_writer_init(&rbsp, SL_PARAMETER_SET_BYTES);
    sl_bit_writer_init(&b, &rbsp);
    sl_put_bits(&b, 8, s->profile_idc);
    sl_put_bits(&b, 8, s->constraints);
    sl_put_bits(&b, 8, s->level_idc);
    sl_put_ue(&b, s->id);
    if (sl_h264_profile_has_chroma(s->profile_idc)) {
        write_chroma(&b, s);
    }
    sl_put_ue(&b, s->log2_max_frame_num - 4u);
    write_order_count(&b, s);
    sl_put_ue(&b, s->max_num_ref_frames);
    sl_put_bits(&b, 1, s->gaps_in_frame_num_allowed);
    write_size(&b, s);
    sl_put_bits(&b, 1, s->vui_present);
    if (s->vui_present) {
        write_vui(&b, s);
    }
    sl_put_trailing(&b);

    if (sl_writer_finish(&rbsp, NULL) == SL_OK) {
        sl_write_u8(out, 0x60 | SL_H264_SPS); /* nal_ref_idc 3 */
        sl_nal_escape(rbsp.data, rbsp.size, out);
    } else if (out->status == SL_OK) {
        out->status = rbsp.status;
    }
    sl_writer_clear(&rbsp);
}
