/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 parameter sets: parsing, writing, avcC.
 * ITU-T H.264 7.3.2.1, Annex E; ISO/IEC 14496-15 5.3. */
#ifndef SL_MEDIA_H264_H
#define SL_MEDIA_H264_H

#include <sluice/media.h>

#include "media/nal.h"

/* nal_unit_type, table 7-1 */
enum {
    SL_H264_SLICE = 1,
    SL_H264_IDR = 5,
    SL_H264_SEI = 6,
    SL_H264_SPS = 7,
    SL_H264_PPS = 8,
    SL_H264_AUD = 9,
};

/* As parsed: members that are not coded for want of a flag hold what the standard infers, so that
 * two equal SPS are equal structs. Who changes one keeps its flags true (video_signal_present for
 * colour.range, colour_description_present for the rest of colour, and so on). */
struct sl_h264_sps {
    uint8_t profile_idc, constraints, level_idc, id;
    uint8_t chroma_format_idc;
    bool separate_colour_plane;
    uint8_t bit_depth_luma, bit_depth_chroma;
    bool lossless_bypass; /* qpprime_y_zero_transform_bypass_flag */
    bool scaling_present;
    uint8_t scaling_list_present[12];
    uint8_t scaling_default[12];
    uint8_t scaling4[6][16], scaling8[6][64];
    uint8_t log2_max_frame_num, poc_type, log2_max_poc_lsb;
    bool delta_pic_order_always_zero;
    int32_t offset_for_non_ref_pic, offset_for_top_to_bottom;
    uint8_t poc_cycle_count;
    int32_t offset_for_ref_frame[255];
    uint32_t max_num_ref_frames;
    bool gaps_in_frame_num_allowed;
    uint32_t width_mbs, height_map_units;
    bool frame_mbs_only, mb_adaptive_frame_field, direct_8x8_inference;
    uint32_t crop_left, crop_right, crop_top, crop_bottom; /* crop units */
    int32_t width, height;                                 /* luma samples after cropping */

    bool vui_present;
    struct sl_rational sample_aspect; /* 0/1: not stated */
    bool overscan_info, overscan_appropriate;
    bool video_signal_present;
    uint8_t video_format;
    bool colour_description_present;
    struct sl_colour colour;
    bool chroma_loc_present;
    uint8_t chroma_loc_top, chroma_loc_bottom;
    bool timing_present;
    uint32_t num_units_in_tick, time_scale;
    bool fixed_frame_rate;
    bool nal_hrd_present, vcl_hrd_present;
    struct sl_h264_hrd {
        uint8_t cpb_count, bit_rate_scale, cpb_size_scale;
        uint32_t bit_rate_value[32], cpb_size_value[32];
        bool cbr[32];
        uint8_t initial_delay_length, removal_delay_length, output_delay_length, time_offset_length;
    } nal_hrd, vcl_hrd;
    bool low_delay_hrd, pic_struct_present;
    bool bitstream_restriction;
    bool motion_vectors_over_boundaries;
    uint32_t max_bytes_per_pic_denom, max_bits_per_mb_denom;
    uint32_t log2_max_mv_h, log2_max_mv_v;
    uint32_t max_num_reorder_frames, max_dec_frame_buffering;
};

/* nal: the whole unit with its header byte. */
SL_NODISCARD enum sl_status sl_h264_parse_sps(const struct sl_nal *nal, struct sl_h264_sps *out,
                                              struct sl_error *err);
/* The whole unit, header byte and escapes included, no start code. parse(write(x)) == x. */
void sl_h264_write_sps(const struct sl_h264_sps *sps, struct sl_writer *out);
/* Pictures of reorder delay: the VUI's where it is stated, else what profile and level allow
 * (H.264 E.2.1, max_num_reorder_frames inferred). */
int32_t sl_h264_reorder(const struct sl_h264_sps *sps);

struct sl_h264_pps {
    uint8_t id, sps_id;
    bool cabac;
};
SL_NODISCARD enum sl_status sl_h264_parse_pps(const struct sl_nal *nal, struct sl_h264_pps *out,
                                              struct sl_error *err);

/* avcC from the SPS and PPS units found in Annex B data (others are passed over). SL_EDATA where
 * one of them is missing. High profiles get the chroma and depth fields. */
SL_NODISCARD enum sl_status sl_avcc_from_annexb(const uint8_t *data, size_t size,
                                                struct sl_writer *out, struct sl_error *err);

#define SL_PARAMETER_SETS_MAX 64
/* A parsed avcC or hvcC. Units point into the config. */
struct sl_nal_config {
    uint8_t length_size; /* 1, 2 or 4 */
    uint8_t profile, compatibility, level;
    struct sl_nal sets[SL_PARAMETER_SETS_MAX]; /* (VPS,) SPS, PPS, in order */
    size_t count;
};
SL_NODISCARD enum sl_status sl_avcc_parse(const uint8_t *data, size_t size,
                                          struct sl_nal_config *out, struct sl_error *err);

/* Fills width, height, sample_aspect, colour, profile, level, reorder, bit depth and pixel format
 * of a track from its avcC; what the SPS does not state stays as it was, and everything does where
 * this fails. */
SL_NODISCARD enum sl_status sl_h264_describe(struct sl_track *track, struct sl_error *err);

/* True where the access unit (Annex B if prefix == 0) holds an IDR slice. */
bool sl_h264_is_idr(const uint8_t *data, size_t size, unsigned prefix);

/* The lowest level_idc (ISO/IEC 14496-10 table A-1; 9 for 1b is never given) of this size, rate
 * (0/1: not considered) and DPB; 0: none. */
int sl_h264_level(int32_t width, int32_t height, struct sl_rational rate, int32_t dpb);
/* The same for a bitrate too (bit/s, Baseline and Main; 0: not considered). */
int sl_h264_level_of(int32_t width, int32_t height, struct sl_rational rate, int32_t dpb,
                     int64_t bitrate);
/* MaxDpbFrames of a level and size (A.3.1), 0: the level does not exist or the picture is too
 * large for it. */
int32_t sl_h264_level_dpb(int level_idc, int32_t width, int32_t height);

#endif
