/* SPDX-License-Identifier: BSD-2-Clause */
/* HEVC parameter sets: parsing, SPS writing, hvcC. ITU-T H.265 7.3.2, Annex E;
 * ISO/IEC 14496-15 8.3.3. */
#ifndef SL_MEDIA_HEVC_H
#define SL_MEDIA_HEVC_H

#include "media/h264.h"

/* nal_unit_type, table 7-1 */
enum {
    SL_HEVC_BLA_W_LP = 16,
    SL_HEVC_IDR_W_RADL = 19,
    SL_HEVC_IDR_N_LP = 20,
    SL_HEVC_CRA = 21,
    SL_HEVC_VPS = 32,
    SL_HEVC_SPS = 33,
    SL_HEVC_PPS = 34,
    SL_HEVC_AUD = 35,
    SL_HEVC_SEI_PREFIX = 39,
};

struct sl_hevc_ptl { /* 7.3.3, general part */
    uint8_t profile_space, tier, profile_idc, level_idc;
    uint32_t compatibility;    /* bit 31: flag[0] */
    uint64_t constraint_flags; /* 48 bits */
};

struct sl_hevc_sps {
    uint8_t vps_id, max_sub_layers, temporal_id_nesting, id;
    struct sl_hevc_ptl ptl;
    uint8_t chroma_format_idc;
    bool separate_colour_plane;
    uint32_t coded_width, coded_height;
    uint32_t crop_left, crop_right, crop_top, crop_bottom; /* chroma units */
    int32_t width, height;
    uint8_t bit_depth_luma, bit_depth_chroma;
    uint8_t log2_max_poc_lsb;
    uint32_t max_dec_pic_buffering, max_num_reorder, max_latency; /* of the highest sub-layer */
    bool vui_present;
    struct sl_rational sample_aspect;
    uint8_t video_format;
    struct sl_colour colour;
    bool timing_present;
    uint32_t num_units_in_tick, time_scale;
    uint16_t min_spatial_segmentation; /* hvcC repeats it; 0: not stated */
    /* where the VUI's video signal and aspect fields stand, so that they can be rewritten */
    size_t vui_bit;        /* position of vui_parameters_present_flag, bits after the NAL header */
    size_t vui_signal_bit; /* position of video_signal_type_present_flag, 0 where there is no VUI */
    size_t vui_signal_end; /* first bit after the video signal fields */
    size_t end_bit;        /* first bit after what was read: extensions or the stop bit */
};

SL_NODISCARD enum sl_status sl_hevc_parse_sps(const struct sl_nal *nal, struct sl_hevc_sps *out,
                                              struct sl_error *err);
/* The same SPS with the video signal fields (range, colour description) as given: every other bit
 * is kept. */
SL_NODISCARD enum sl_status sl_hevc_rewrite_colour(const struct sl_nal *nal,
                                                   const struct sl_colour *colour,
                                                   struct sl_writer *out, struct sl_error *err);
/* hvcC from the VPS, SPS and PPS units found in Annex B data (others are passed over), with its
 * arrays marked complete ("hvc1"). SL_EDATA where one of them is missing. */
SL_NODISCARD enum sl_status sl_hvcc_from_annexb(const uint8_t *data, size_t size,
                                                struct sl_writer *out, struct sl_error *err);
/* sets: VPS, SPS and PPS in that order, whatever the order of the arrays; SEI is left out. profile
 * and level are the general ones, compatibility is the first byte of its flags. */
SL_NODISCARD enum sl_status sl_hvcc_parse(const uint8_t *data, size_t size,
                                          struct sl_nal_config *out, struct sl_error *err);
/* As sl_h264_describe, from hvcC. */
SL_NODISCARD enum sl_status sl_hevc_describe(struct sl_track *track, struct sl_error *err);
/* True where the access unit (Annex B if prefix == 0) holds an IRAP picture. */
bool sl_hevc_is_irap(const uint8_t *data, size_t size, unsigned prefix);

#endif
