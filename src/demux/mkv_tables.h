/* SPDX-License-Identifier: BSD-2-Clause */
/* Matroska's elements, RFC 9559 5.1: IDs, and what the master elements are read into. */
#ifndef SL_DEMUX_MKV_TABLES_H
#define SL_DEMUX_MKV_TABLES_H

#include "demux/ebml.h"

enum {
    SL_MKV_SEGMENT = 0x18538067,
    /* level 1 */
    SL_MKV_SEEK_HEAD = 0x114d9b74,
    SL_MKV_INFO = 0x1549a966,
    SL_MKV_TRACKS = 0x1654ae6b,
    SL_MKV_CUES = 0x1c53bb6b,
    SL_MKV_CHAPTERS = 0x1043a770,
    SL_MKV_TAGS = 0x1254c367,
    SL_MKV_ATTACHMENTS = 0x1941a469,
    SL_MKV_CLUSTER = 0x1f43b675,
    /* below those */
    SL_MKV_SEEK = 0x4dbb,
    SL_MKV_TRACK_ENTRY = 0xae,
    SL_MKV_CUE_POINT = 0xbb,
    SL_MKV_TAG = 0x7373,
    SL_MKV_TIMESTAMP = 0xe7,
    SL_MKV_SIMPLE_BLOCK = 0xa3,
    SL_MKV_BLOCK_GROUP = 0xa0,
    SL_MKV_BLOCK = 0xa1,
    SL_MKV_BLOCK_DURATION = 0x9b,
    SL_MKV_REFERENCE_BLOCK = 0xfb,
    SL_MKV_DISCARD_PADDING = 0x75a2,
};

struct sl_mkv_ebml_head {
    uint64_t read_version, id_length, size_length, doc_read_version;
    char doc_type[32];
};

struct sl_mkv_info {
    uint64_t scale; /* nanoseconds */
    double duration;
};

struct sl_mkv_seek {
    struct sl_ebml_bytes id;
    uint64_t position;
};

#define SL_MKV_CUE_POSITIONS 32
struct sl_mkv_cue_position {
    uint64_t track, cluster;
};
struct sl_mkv_cue_point {
    uint64_t time;
    struct {
        struct sl_ebml_list list;
        struct sl_mkv_cue_position items[SL_MKV_CUE_POSITIONS];
    } positions;
};

#define SL_MKV_SIMPLE_TAGS 32
struct sl_mkv_simple_tag {
    char name[16], text[32];
};
struct sl_mkv_tag {
    uint64_t track_uid;
    struct {
        struct sl_ebml_list list;
        struct sl_mkv_simple_tag items[SL_MKV_SIMPLE_TAGS];
    } tags;
};

struct sl_mkv_colour {
    uint64_t matrix, bits, siting_horizontal, siting_vertical, range, transfer, primaries;
    uint64_t max_cll, max_fall;
    double red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y;
    double luminance_max, luminance_min; /* these ten: negative where they are not stated */
};

struct sl_mkv_video {
    uint64_t width, height, crop_top, crop_bottom, crop_left, crop_right;
    uint64_t display_width, display_height, display_unit;
    struct sl_ebml_bytes fourcc;
    struct sl_mkv_colour colour;
    uint64_t projection;
    double yaw, pitch, roll;
};

struct sl_mkv_audio {
    double rate, output_rate;
    uint64_t channels, bits;
};

#define SL_MKV_ENCODINGS 4
struct sl_mkv_encoding {
    uint64_t order, scope, type, algorithm;
    uint64_t cipher;
    struct sl_ebml_bytes settings;
};

struct sl_mkv_entry {
    uint64_t number, uid, type, is_default, is_forced, enabled, default_duration;
    uint64_t codec_delay, seek_preroll;
    char name[128], language[16], bcp47[16], codec_id[64];
    struct sl_ebml_bytes config;
    struct sl_mkv_video video;
    struct sl_mkv_audio audio;
    struct {
        struct sl_ebml_list list;
        struct sl_mkv_encoding items[SL_MKV_ENCODINGS];
    } encodings;
};

extern const struct sl_ebml_table sl_mkv_ebml_head_table, sl_mkv_info_table, sl_mkv_seek_table,
    sl_mkv_cue_table, sl_mkv_tag_table, sl_mkv_entry_table;
/* What the standard says of elements that are absent. */
extern const struct sl_mkv_ebml_head sl_mkv_ebml_head_default;
extern const struct sl_mkv_info sl_mkv_info_default;
extern const struct sl_mkv_entry sl_mkv_entry_default;

/* A child of the segment: one of these ends a cluster of unknown size, and a damaged one too. */
bool sl_mkv_is_level1(uint32_t id);

#endif
