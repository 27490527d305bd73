/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * What a track is: codec, timing, geometry, colour, sound. Shared by every part of the API.
 */
#ifndef SLUICE_MEDIA_H
#define SLUICE_MEDIA_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/** "No timestamp". Any other int64_t is a count of ticks of the timebase at hand. */
#define SL_NO_TIME INT64_MIN

enum sl_media_kind {
    SL_KIND_UNKNOWN = 0,
    SL_KIND_VIDEO = 1,
    SL_KIND_AUDIO = 2,
    SL_KIND_SUBTITLE = 3,
    SL_KIND_DATA = 4,
};

/** Codecs that Sluice knows by name. SL_CODEC_OTHER: only the demuxer's own name is known. */
enum sl_codec {
    SL_CODEC_UNKNOWN = 0,
    SL_CODEC_OTHER = 1,
    SL_CODEC_RAWVIDEO,
    SL_CODEC_H264,
    SL_CODEC_HEVC,
    SL_CODEC_AV1,
    SL_CODEC_VP8,
    SL_CODEC_VP9,
    SL_CODEC_MPEG2,
    SL_CODEC_MPEG4,
    SL_CODEC_VC1,
    SL_CODEC_MJPEG,
    SL_CODEC_PCM,
    SL_CODEC_AAC,
    SL_CODEC_AC3,
    SL_CODEC_EAC3,
    SL_CODEC_DTS,
    SL_CODEC_TRUEHD,
    SL_CODEC_MP3,
    SL_CODEC_MP2,
    SL_CODEC_OPUS,
    SL_CODEC_VORBIS,
    SL_CODEC_FLAC,
    SL_CODEC_ALAC,
    SL_CODEC_SRT,
    SL_CODEC_ASS,
    SL_CODEC_WEBVTT,
    SL_CODEC_MOV_TEXT,
    SL_CODEC_PGS,
    SL_CODEC_VOBSUB,
    SL_CODEC_COUNT
};

enum sl_range {
    SL_RANGE_UNSPECIFIED = 0,
    SL_RANGE_LIMITED = 1,
    SL_RANGE_FULL = 2,
};

/** Colour description; the code points are those of ITU-T H.273 (2: unspecified). */
struct sl_colour {
    uint8_t primaries; /**< H.273 8.1: 1 BT.709, 5 BT.470BG, 6 SMPTE 170M, 9 BT.2020 */
    uint8_t transfer;  /**< H.273 8.2 */
    uint8_t matrix;    /**< H.273 8.3: 0 RGB, 1 BT.709, 5/6 BT.601, 9 BT.2020 ncl */
    uint8_t range;     /**< enum sl_range */
    /** H.264 E.2.1 chroma_sample_loc_type + 1; 0: unspecified (left is meant) */
    uint8_t chroma_location;
};

/** HDR static metadata, in the units of ISO/IEC 14496-12 12.1.5 to 12.1.7 and of the SEI messages
 * of ISO/IEC 14496-10 D.2.29 and D.2.35. */
struct sl_hdr {
    int has_mastering;      /**< 1: the mastering display is described */
    uint16_t primary[3][2]; /**< x and y of green, blue, red; units of 0.00002 */
    uint16_t white[2];      /**< x and y of the white point; units of 0.00002 */
    uint32_t luminance_max; /**< units of 0.0001 cd/m2 */
    uint32_t luminance_min; /**< units of 0.0001 cd/m2 */
    int has_light;          /**< 1: the content's light level is described */
    uint16_t max_cll;       /**< cd/m2 */
    uint16_t max_fall;      /**< cd/m2 */
};

/** One track of a source or an output. All pointers belong to whoever owns the struct. */
struct sl_track {
    enum sl_media_kind kind;
    enum sl_codec codec;
    char codec_name[32];         /**< "h264", "eac3": stable, lower case */
    int64_t id;                  /**< the container's own number */
    struct sl_rational timebase; /**< seconds per tick */
    int64_t start;               /**< first presentation time, ticks, or SL_NO_TIME */
    int64_t duration;            /**< ticks, or SL_NO_TIME */
    char language[16];           /**< BCP 47 or ISO 639-2; empty: not stated */
    char title[128];
    int is_default, is_forced, is_attached_picture;
    int64_t bitrate; /**< bit/s, 0: not stated */
    /** avcC, hvcC, AudioSpecificConfig, Opus head …; where the container has parameter sets in band
     * (MPEG-TS) those, as Annex B; may be NULL */
    uint8_t *config;
    size_t config_size;
    /** Outputs: the first packet's dts is -decode_delay ticks (reorder delay, encoder priming) so
     * that presentation starts at 0; fMP4 hides it with an edit list. */
    int64_t decode_delay;
    /** The container's own four-character code, first byte lowest; 0: none. Some codecs (raw
     * video, PCM and ADPCM in AVI and MOV) cannot be told apart without it. */
    uint32_t codec_tag;

    /* video */
    int32_t width, height;            /**< coded picture after cropping, luma samples */
    int32_t pixel_format;             /**< enum sl_pixel_format; 0: not known */
    int32_t bit_depth;                /**< 0: not known */
    struct sl_rational sample_aspect; /**< 0/1: not stated */
    struct sl_rational frame_rate;    /**< nominal; 0/1: not stated or variable */
    /** 1: frame_rate is proven exact by the container (Y4M, DefaultDuration, constant stts) */
    int frame_rate_exact;
    int32_t rotation; /**< clockwise degrees to turn the picture for display: 0 90 180 270 */
    int32_t flip;     /**< 1: mirror left-right after turning */
    int32_t reorder;  /**< pictures of reorder delay; -1: not known */
    struct sl_colour colour;
    struct sl_hdr hdr;
    int32_t profile, level; /**< as the codec numbers them; -1: not known */

    /* audio */
    int32_t sample_rate; /**< Hz */
    int32_t channels;
    uint64_t channel_layout; /**< WAVEFORMATEXTENSIBLE mask; 0: not stated */
    int32_t delay;           /**< samples of priming at the start that are not to be heard */
    int32_t block_align;     /**< bytes of one block of sound (ADPCM, WMA); 0: not stated */
    int32_t seek_preroll;    /**< samples to decode and drop before sound is right after a seek */
};

/** "h264", "eac3", … Static storage; "unknown" for what is out of range. */
SL_API const char *sl_codec_name(enum sl_codec codec);
/** "video", "audio", … Static storage. */
SL_API const char *sl_kind_name(enum sl_media_kind kind);

#ifdef __cplusplus
}
#endif
#endif
