/* SPDX-License-Identifier: BSD-2-Clause */
#include "demux/mkv_tables.h"

#include <stddef.h>

#define UINT(id, type, member)                                                                     \
    {                                                                                              \
        id, SL_EBML_UINT, offsetof(struct type, member), 0, NULL                                   \
    }
#define FLOAT(id, type, member)                                                                    \
    {                                                                                              \
        id, SL_EBML_FLOAT, offsetof(struct type, member), 0, NULL                                  \
    }
#define TEXT(id, type, member)                                                                     \
    {                                                                                              \
        id, SL_EBML_STRING, offsetof(struct type, member), sizeof(((struct type *)0)->member),     \
            NULL                                                                                   \
    }
#define BYTES(id, type, member)                                                                    \
    {                                                                                              \
        id, SL_EBML_BYTES, offsetof(struct type, member), 0, NULL                                  \
    }
#define MASTER(id, type, member, table)                                                            \
    {                                                                                              \
        id, SL_EBML_MASTER, offsetof(struct type, member), 0, table                                \
    }
/* Children of a master that are kept in the parent's own struct. */
#define FLAT(id, table)                                                                            \
    {                                                                                              \
        id, SL_EBML_MASTER, 0, 0, table                                                            \
    }
#define LIST(id, type, member, most, table)                                                        \
    {                                                                                              \
        id, SL_EBML_LIST, offsetof(struct type, member), most, table                               \
    }
// NOLINTBEGIN(bugprone-macro-parentheses): names of members
#define TABLE(name, fields)                                                                        \
    {                                                                                              \
        name, SL_EBML_FIELDS(fields), 0, 0, NULL                                                   \
    }
#define ITEMS(name, fields, type, member, initial)                                                 \
    {                                                                                              \
        name, SL_EBML_FIELDS(fields), sizeof(((struct type *)0)->member.items[0]),                 \
            offsetof(struct type, member.items) - offsetof(struct type, member.list), initial      \
    }
// NOLINTEND(bugprone-macro-parentheses)

/* RFC 8794 11.2 */
static const struct sl_ebml_field head_fields[] = {
    UINT(0x42f7, sl_mkv_ebml_head, read_version),     UINT(0x42f2, sl_mkv_ebml_head, id_length),
    UINT(0x42f3, sl_mkv_ebml_head, size_length),      TEXT(0x4282, sl_mkv_ebml_head, doc_type),
    UINT(0x4285, sl_mkv_ebml_head, doc_read_version),
};
const struct sl_ebml_table sl_mkv_ebml_head_table = TABLE("the EBML header", head_fields);
const struct sl_mkv_ebml_head sl_mkv_ebml_head_default = {
    .read_version = 1, .id_length = 4, .size_length = 8, .doc_read_version = 1};

static const struct sl_ebml_field info_fields[] = {
    UINT(0x2ad7b1, sl_mkv_info, scale),
    FLOAT(0x4489, sl_mkv_info, duration),
};
const struct sl_ebml_table sl_mkv_info_table = TABLE("Info", info_fields);
const struct sl_mkv_info sl_mkv_info_default = {.scale = 1000000};

static const struct sl_ebml_field seek_fields[] = {
    BYTES(0x53ab, sl_mkv_seek, id),
    UINT(0x53ac, sl_mkv_seek, position),
};
const struct sl_ebml_table sl_mkv_seek_table = TABLE("Seek", seek_fields);

static const struct sl_ebml_field cue_position_fields[] = {
    UINT(0xf7, sl_mkv_cue_position, track),
    UINT(0xf1, sl_mkv_cue_position, cluster),
};
static const struct sl_ebml_table cue_position_table =
    ITEMS("CueTrackPositions", cue_position_fields, sl_mkv_cue_point, positions, NULL);
static const struct sl_ebml_field cue_fields[] = {
    UINT(0xb3, sl_mkv_cue_point, time),
    LIST(0xb7, sl_mkv_cue_point, positions, SL_MKV_CUE_POSITIONS, &cue_position_table),
};
const struct sl_ebml_table sl_mkv_cue_table = TABLE("CuePoint", cue_fields);

static const struct sl_ebml_field simple_tag_fields[] = {
    TEXT(0x45a3, sl_mkv_simple_tag, name),
    TEXT(0x4487, sl_mkv_simple_tag, text),
};
static const struct sl_ebml_table simple_tag_table =
    ITEMS("SimpleTag", simple_tag_fields, sl_mkv_tag, tags, NULL);
static const struct sl_ebml_field target_fields[] = {UINT(0x63c5, sl_mkv_tag, track_uid)};
static const struct sl_ebml_table target_table = TABLE("Targets", target_fields);
static const struct sl_ebml_field tag_fields[] = {
    FLAT(0x63c0, &target_table),
    LIST(0x67c8, sl_mkv_tag, tags, SL_MKV_SIMPLE_TAGS, &simple_tag_table),
};
const struct sl_ebml_table sl_mkv_tag_table = TABLE("Tag", tag_fields);

/* ---- TrackEntry (5.1.4.1) ----------------------------------------------------------------- */

static const struct sl_ebml_field mastering_fields[] = {
    FLOAT(0x55d1, sl_mkv_colour, red_x),         FLOAT(0x55d2, sl_mkv_colour, red_y),
    FLOAT(0x55d3, sl_mkv_colour, green_x),       FLOAT(0x55d4, sl_mkv_colour, green_y),
    FLOAT(0x55d5, sl_mkv_colour, blue_x),        FLOAT(0x55d6, sl_mkv_colour, blue_y),
    FLOAT(0x55d7, sl_mkv_colour, white_x),       FLOAT(0x55d8, sl_mkv_colour, white_y),
    FLOAT(0x55d9, sl_mkv_colour, luminance_max), FLOAT(0x55da, sl_mkv_colour, luminance_min),
};
static const struct sl_ebml_table mastering_table = TABLE("MasteringMetadata", mastering_fields);

static const struct sl_ebml_field colour_fields[] = {
    UINT(0x55b1, sl_mkv_colour, matrix),
    UINT(0x55b2, sl_mkv_colour, bits),
    UINT(0x55b7, sl_mkv_colour, siting_horizontal),
    UINT(0x55b8, sl_mkv_colour, siting_vertical),
    UINT(0x55b9, sl_mkv_colour, range),
    UINT(0x55ba, sl_mkv_colour, transfer),
    UINT(0x55bb, sl_mkv_colour, primaries),
    UINT(0x55bc, sl_mkv_colour, max_cll),
    UINT(0x55bd, sl_mkv_colour, max_fall),
    FLAT(0x55d0, &mastering_table),
};
static const struct sl_ebml_table colour_table = TABLE("Colour", colour_fields);

static const struct sl_ebml_field projection_fields[] = {
    UINT(0x7671, sl_mkv_video, projection),
    FLOAT(0x7673, sl_mkv_video, yaw),
    FLOAT(0x7674, sl_mkv_video, pitch),
    FLOAT(0x7675, sl_mkv_video, roll),
};
static const struct sl_ebml_table projection_table = TABLE("Projection", projection_fields);

static const struct sl_ebml_field video_fields[] = {
    UINT(0xb0, sl_mkv_video, width),
    UINT(0xba, sl_mkv_video, height),
    UINT(0x54aa, sl_mkv_video, crop_bottom),
    UINT(0x54bb, sl_mkv_video, crop_top),
    UINT(0x54cc, sl_mkv_video, crop_left),
    UINT(0x54dd, sl_mkv_video, crop_right),
    UINT(0x54b0, sl_mkv_video, display_width),
    UINT(0x54ba, sl_mkv_video, display_height),
    UINT(0x54b2, sl_mkv_video, display_unit),
    BYTES(0x2eb524, sl_mkv_video, fourcc),
    MASTER(0x55b0, sl_mkv_video, colour, &colour_table),
    FLAT(0x7670, &projection_table),
};
static const struct sl_ebml_table video_table = TABLE("Video", video_fields);

static const struct sl_ebml_field audio_fields[] = {
    FLOAT(0xb5, sl_mkv_audio, rate),
    FLOAT(0x78b5, sl_mkv_audio, output_rate),
    UINT(0x9f, sl_mkv_audio, channels),
    UINT(0x6264, sl_mkv_audio, bits),
};
static const struct sl_ebml_table audio_table = TABLE("Audio", audio_fields);

static const struct sl_ebml_field compression_fields[] = {
    UINT(0x4254, sl_mkv_encoding, algorithm),
    BYTES(0x4255, sl_mkv_encoding, settings),
};
static const struct sl_ebml_table compression_table =
    TABLE("ContentCompression", compression_fields);
static const struct sl_ebml_field encryption_fields[] = {UINT(0x47e1, sl_mkv_encoding, cipher)};
static const struct sl_ebml_table encryption_table = TABLE("ContentEncryption", encryption_fields);
static const struct sl_ebml_field encoding_fields[] = {
    UINT(0x5031, sl_mkv_encoding, order), UINT(0x5032, sl_mkv_encoding, scope),
    UINT(0x5033, sl_mkv_encoding, type),  FLAT(0x5034, &compression_table),
    FLAT(0x5035, &encryption_table),
};
static const struct sl_mkv_encoding encoding_default = {.scope = 1};
static const struct sl_ebml_table encoding_table =
    ITEMS("ContentEncoding", encoding_fields, sl_mkv_entry, encodings, &encoding_default);
static const struct sl_ebml_field encodings_fields[] = {
    LIST(0x6240, sl_mkv_entry, encodings, SL_MKV_ENCODINGS, &encoding_table),
};
static const struct sl_ebml_table encodings_table = TABLE("ContentEncodings", encodings_fields);

static const struct sl_ebml_field entry_fields[] = {
    UINT(0xd7, sl_mkv_entry, number),
    UINT(0x73c5, sl_mkv_entry, uid),
    UINT(0x83, sl_mkv_entry, type),
    UINT(0xb9, sl_mkv_entry, enabled),
    UINT(0x88, sl_mkv_entry, is_default),
    UINT(0x55aa, sl_mkv_entry, is_forced),
    UINT(0x23e383, sl_mkv_entry, default_duration),
    TEXT(0x536e, sl_mkv_entry, name),
    TEXT(0x22b59c, sl_mkv_entry, language),
    TEXT(0x22b59d, sl_mkv_entry, bcp47),
    TEXT(0x86, sl_mkv_entry, codec_id),
    BYTES(0x63a2, sl_mkv_entry, config),
    UINT(0x56aa, sl_mkv_entry, codec_delay),
    UINT(0x56bb, sl_mkv_entry, seek_preroll),
    MASTER(0xe0, sl_mkv_entry, video, &video_table),
    MASTER(0xe1, sl_mkv_entry, audio, &audio_table),
    FLAT(0x6d80, &encodings_table),
};
const struct sl_ebml_table sl_mkv_entry_table = TABLE("TrackEntry", entry_fields);
const struct sl_mkv_entry sl_mkv_entry_default = {
    .is_default = 1,
    .enabled = 1,
    .language = "eng",
    .video = {.colour = {.matrix = 2,
                         .transfer = 2,
                         .primaries = 2,
                         .red_x = -1,
                         .red_y = -1,
                         .green_x = -1,
                         .green_y = -1,
                         .blue_x = -1,
                         .blue_y = -1,
                         .white_x = -1,
                         .white_y = -1,
                         .luminance_max = -1,
                         .luminance_min = -1}},
    .audio = {.rate = 8000, .channels = 1},
};

bool sl_mkv_is_level1(uint32_t id)
{
    static const uint32_t ids[] = {SL_MKV_CLUSTER,  SL_MKV_CUES,       SL_MKV_TAGS,
                                   SL_MKV_INFO,     SL_MKV_TRACKS,     SL_MKV_SEEK_HEAD,
                                   SL_MKV_CHAPTERS, SL_MKV_ATTACHMENTS};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}
