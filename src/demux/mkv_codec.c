/* SPDX-License-Identifier: BSD-2-Clause */
/* From CodecID and CodecPrivate to codec and configuration (the Matroska codec registry). Codecs
 * without a number here keep FFmpeg's name, by which its decoders are found. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "demux/mkv.h"
#include "media/aac.h"
#include "media/hevc.h"
#include "media/nal.h"
#include "media/track.h"

#define SETS_MAX (64u << 10) /* bytes of parameter sets */

typedef enum sl_status config_fn(struct sl_track *t, struct sl_mkv_track *mt,
                                 const struct sl_mkv_entry *entry, struct sl_error *err);

static void set_name(struct sl_track *t, enum sl_codec codec, const char *name)
{
    t->codec = codec;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", name ? name : sl_codec_name(codec));
}

static enum sl_status as_it_is(struct sl_track *t, struct sl_mkv_track *mt,
                               const struct sl_mkv_entry *entry, struct sl_error *err)
{
    (void)mt;
    return sl_track_set_config(t, entry->config.data, entry->config.size, err);
}

/* ---- video -------------------------------------------------------------------------------- */

/* A record from the parameter sets in Annex B data. SL_EDATA where one of them is missing. */
static enum sl_status make_record(const uint8_t *data, size_t size, enum sl_codec codec,
                                  struct sl_writer *record)
{
    enum sl_status status = SL_OK;

    sl_writer_clear(record);
    status = codec == SL_CODEC_H264 ? sl_avcc_from_annexb(data, size, record, NULL)
                                    : sl_hvcc_from_annexb(data, size, record, NULL);
    return status == SL_OK ? sl_writer_finish(record, NULL) : status;
}

/* A parameter set that cannot be read leaves the track as the container describes it. */
static enum sl_status describe(struct sl_track *t, struct sl_error *err)
{
    struct sl_rational aspect = t->sample_aspect;
    enum sl_status status =
        t->codec == SL_CODEC_H264 ? sl_h264_describe(t, NULL) : sl_hevc_describe(t, NULL);

    /* The container's word on how it is to be shown stands above the codec's. */
    if (aspect.num > 0) {
        t->sample_aspect = aspect;
    }
    return status == SL_ENOMEM ? sl_fail_memory(err) : SL_OK;
}

/* Parameter sets with start codes stay as they are, as in MPEG-TS, so that decoders know that the
 * pictures have them too; what they say is read by way of a record, which is thrown away. */
static enum sl_status describe_annexb(struct sl_track *t, struct sl_error *err)
{
    uint8_t *config = t->config;
    size_t size = t->config_size;
    struct sl_writer record;
    enum sl_status status = SL_OK;

    sl_writer_init(&record, SETS_MAX);
    status = make_record(config, size, t->codec, &record);
    if (status == SL_OK) {
        t->config = record.data;
        t->config_size = record.size;
        status = describe(t, err);
        t->config = config;
        t->config_size = size;
    } else {
        status = status == SL_ENOMEM ? sl_fail_memory(err) : SL_OK;
    }
    sl_writer_clear(&record);
    return status;
}

/* avcC or hvcC; missing, or Annex B, in some files. */
static enum sl_status nal_units(struct sl_track *t, struct sl_mkv_track *mt,
                                const struct sl_mkv_entry *entry, struct sl_error *err)
{
    enum sl_status status = as_it_is(t, mt, entry, err);

    if (status != SL_OK) {
        return status;
    }
    if (t->config_size > 6 && t->config[0] == 1) {
        return describe(t, err);
    }
    mt->needs_config = true;
    return t->config_size > 0 ? describe_annexb(t, err) : SL_OK;
}

static bool is_set(enum sl_codec codec, uint8_t first)
{
    unsigned h264 = first & 31;
    unsigned hevc = first >> 1 & 63;
    return codec == SL_CODEC_H264 ? h264 == SL_H264_SPS || h264 == SL_H264_PPS
                                  : hevc >= SL_HEVC_VPS && hevc <= SL_HEVC_PPS;
}

/* The parameter sets among Annex B units, with their start codes. */
static void copy_sets(enum sl_codec codec, const uint8_t *data, size_t size, struct sl_writer *out)
{
    struct sl_nal_walker walk = {.data = data, .size = size};
    struct sl_nal nal;

    while (sl_nal_next_annexb(&walk, &nal)) {
        if (is_set(codec, nal.data[0])) {
            sl_write_be32(out, 1);
            sl_write_bytes(out, nal.data, nal.size);
        }
    }
}

enum sl_status sl_mkv_config_from_frame(struct sl_track *t, const uint8_t *data, size_t size,
                                        struct sl_error *err)
{
    struct sl_writer units;
    struct sl_writer sets;
    struct sl_writer record;
    bool annexb = false;
    enum sl_status status = SL_OK;

    sl_writer_init(&units, 4 * (size_t)SL_MKV_PAYLOAD_MAX);
    sl_writer_init(&sets, SETS_MAX);
    sl_writer_init(&record, SETS_MAX);
    /* Without a record lengths are of four bytes: what everybody writes. */
    annexb = sl_nal_length_to_annexb(data, size, 4, &units, NULL) != SL_OK;
    if (annexb) {
        copy_sets(t->codec, data, size, &sets);
    } else {
        copy_sets(t->codec, units.data, units.size, &sets);
    }
    if (units.status == SL_OK) {
        status = sl_writer_finish(&sets, NULL);
    } else {
        status = units.status;
    }
    if (status == SL_OK) {
        status = make_record(sets.data, sets.size, t->codec, &record);
    }
    if (status == SL_EDATA && t->config_size > 0) {
        status = make_record(t->config, t->config_size, t->codec, &record); /* Annex B beside it */
    }
    if (status == SL_OK && !annexb) {
        status = sl_track_set_config(t, record.data, record.size, err);
        status = status == SL_OK ? describe(t, err) : status;
    } else if (status == SL_OK && t->config_size == 0) {
        status = sl_track_set_config(t, sets.data, sets.size, err);
        status = status == SL_OK ? describe_annexb(t, err) : status;
    }
    sl_writer_clear(&units);
    sl_writer_clear(&sets);
    sl_writer_clear(&record);
    if (status == SL_ENOMEM) {
        return sl_fail_memory(err);
    }
    return status == SL_EDATA ? SL_EAGAIN : status;
}

/* VP9's CodecPrivate: features as ID, length, value (WebM codec registry). */
static enum sl_status vp9(struct sl_track *t, struct sl_mkv_track *mt,
                          const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, entry->config.data, entry->config.size);
    while (sl_reader_left(&r) >= 3) {
        uint8_t id = sl_read_u8(&r);
        const uint8_t *value = sl_read_bytes(&r, sl_read_u8(&r));
        if (value && id == 1) {
            t->profile = value[0];
        } else if (value && id == 2) {
            t->level = value[0];
        } else if (value && id == 3) {
            t->bit_depth = value[0];
        }
    }
    return as_it_is(t, mt, entry, err);
}

static enum sl_status prores(struct sl_track *t, struct sl_mkv_track *mt,
                             const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, entry->config.data, entry->config.size);
    t->codec_tag = sl_read_le32(&r);
    mt->repair = SL_MKV_PRORES;
    (void)err;
    return SL_OK;
}

static enum sl_status raw_video(struct sl_track *t, struct sl_mkv_track *mt,
                                const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, entry->video.fourcc.data, entry->video.fourcc.size);
    t->codec_tag = sl_read_le32(&r);
    return as_it_is(t, mt, entry, err);
}

static const struct {
    char fourcc[5];
    enum sl_codec codec;
    const char *name;
} fourccs[] = {
    {"H264", SL_CODEC_H264, NULL},         {"X264", SL_CODEC_H264, NULL},
    {"AVC1", SL_CODEC_H264, NULL},         {"HEVC", SL_CODEC_HEVC, NULL},
    {"H265", SL_CODEC_HEVC, NULL},         {"XVID", SL_CODEC_MPEG4, NULL},
    {"DIVX", SL_CODEC_MPEG4, NULL},        {"DX50", SL_CODEC_MPEG4, NULL},
    {"FMP4", SL_CODEC_MPEG4, NULL},        {"MP4V", SL_CODEC_MPEG4, NULL},
    {"3IV2", SL_CODEC_MPEG4, NULL},        {"MPG1", SL_CODEC_OTHER, "mpeg1video"},
    {"MPG2", SL_CODEC_MPEG2, NULL},        {"MPEG", SL_CODEC_MPEG2, NULL},
    {"MP42", SL_CODEC_OTHER, "msmpeg4v2"}, {"DIV2", SL_CODEC_OTHER, "msmpeg4v2"},
    {"MP43", SL_CODEC_OTHER, "msmpeg4v3"}, {"DIV3", SL_CODEC_OTHER, "msmpeg4v3"},
    {"DIV4", SL_CODEC_OTHER, "msmpeg4v3"}, {"WMV1", SL_CODEC_OTHER, "wmv1"},
    {"WMV2", SL_CODEC_OTHER, "wmv2"},      {"WMV3", SL_CODEC_OTHER, "wmv3"},
    {"WVC1", SL_CODEC_VC1, NULL},          {"MJPG", SL_CODEC_MJPEG, NULL},
    {"VP80", SL_CODEC_VP8, NULL},          {"VP90", SL_CODEC_VP9, NULL},
    {"AV01", SL_CODEC_AV1, NULL},          {"FFV1", SL_CODEC_OTHER, "ffv1"},
    {"HFYU", SL_CODEC_OTHER, "huffyuv"},   {"FFVH", SL_CODEC_OTHER, "ffvhuff"},
    {"ULY0", SL_CODEC_OTHER, "utvideo"},   {"ULY2", SL_CODEC_OTHER, "utvideo"},
    {"ULRG", SL_CODEC_OTHER, "utvideo"},   {"ULRA", SL_CODEC_OTHER, "utvideo"},
    {"LAGS", SL_CODEC_OTHER, "lagarith"},  {"DVSD", SL_CODEC_OTHER, "dvvideo"},
    {"H263", SL_CODEC_OTHER, "h263"},      {"FLV1", SL_CODEC_OTHER, "flv1"},
    {"VP60", SL_CODEC_OTHER, "vp6"},       {"VP61", SL_CODEC_OTHER, "vp6"},
    {"VP62", SL_CODEC_OTHER, "vp6"},       {"VP6F", SL_CODEC_OTHER, "vp6f"},
    {"THEO", SL_CODEC_OTHER, "theora"},    {"SNOW", SL_CODEC_OTHER, "snow"},
    {"CSCD", SL_CODEC_OTHER, "camstudio"}, {"ZLIB", SL_CODEC_OTHER, "zlib"},
    {"MSVC", SL_CODEC_OTHER, "msvideo1"},  {"CVID", SL_CODEC_OTHER, "cinepak"},
    {"I420", SL_CODEC_RAWVIDEO, NULL},     {"YV12", SL_CODEC_RAWVIDEO, NULL},
    {"YUY2", SL_CODEC_RAWVIDEO, NULL},     {"UYVY", SL_CODEC_RAWVIDEO, NULL},
};

static char upper(uint8_t c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static void name_by_fourcc(struct sl_track *t, const uint8_t *p)
{
    set_name(t, SL_CODEC_UNKNOWN, NULL);
    for (size_t i = 0; i < sizeof fourccs / sizeof *fourccs; i++) {
        const char *f = fourccs[i].fourcc;
        if (upper(p[0]) == f[0] && upper(p[1]) == f[1] && upper(p[2]) == f[2] &&
            upper(p[3]) == f[3]) {
            set_name(t, fourccs[i].codec, fourccs[i].name);
        }
    }
}

#define BITMAP_SIZE 40 /* BITMAPINFOHEADER */

static enum sl_status vfw(struct sl_track *t, struct sl_mkv_track *mt,
                          const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_mkv_entry inner = *entry;
    struct sl_reader r;

    mt->times_are_dts = true;
    if (entry->config.size < BITMAP_SIZE) {
        return SL_OK; /* the codec stays unknown */
    }
    sl_reader_init(&r, entry->config.data + 14, 6);
    t->bit_depth = sl_read_le16(&r);
    name_by_fourcc(t, entry->config.data + 16);
    t->codec_tag = sl_read_le32(&r);
    inner.config.data += BITMAP_SIZE;
    inner.config.size -= BITMAP_SIZE;
    if (t->codec == SL_CODEC_H264 || t->codec == SL_CODEC_HEVC) {
        return nal_units(t, mt, &inner, err);
    }
    return as_it_is(t, mt, &inner, err);
}

/* A sample description of QuickTime; its type stands behind the size. */
static enum sl_status quicktime(struct sl_track *t, struct sl_mkv_track *mt,
                                const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_reader r;

    if (entry->config.size < 8) {
        return SL_OK;
    }
    sl_reader_init(&r, entry->config.data + 4, 4);
    name_by_fourcc(t, entry->config.data + 4);
    t->codec_tag = sl_read_le32(&r);
    return as_it_is(t, mt, entry, err);
}

/* ---- sound -------------------------------------------------------------------------------- */

static void set_aac_facts(struct sl_track *t)
{
    struct sl_aac_config c;

    if (sl_aac_parse_config(t->config, t->config_size, &c, NULL) != SL_OK) {
        return;
    }
    t->profile = c.declared_type;
    if (c.sample_rate > 0) {
        t->sample_rate = (int32_t)(c.sbr ? c.output_rate : c.sample_rate);
    }
    if (c.channels > 0) {
        t->channels = c.ps && c.channels == 1 ? 2 : c.channels;
    }
}

/* The older CodecIDs name the profile and have no CodecPrivate: "A_AAC/MPEG2/LC/SBR". */
static enum sl_status aac(struct sl_track *t, struct sl_mkv_track *mt,
                          const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_aac_config c = {.object_type = 2};
    struct sl_writer w;
    enum sl_status status = SL_OK;

    if (entry->config.size >= 2) {
        status = as_it_is(t, mt, entry, err);
        set_aac_facts(t);
        return status;
    }
    if (strstr(entry->codec_id, "/MAIN")) {
        c.object_type = 1;
    } else if (strstr(entry->codec_id, "/SSR")) {
        c.object_type = 3;
    } else if (strstr(entry->codec_id, "/LTP")) {
        c.object_type = 4;
    }
    if (!(entry->audio.rate >= 1 && entry->audio.rate <= 96000) || entry->audio.channels < 1 ||
        entry->audio.channels > 8) {
        return SL_OK;
    }
    c.declared_type = c.object_type;
    c.sample_rate = (uint32_t)entry->audio.rate;
    /* ISO/IEC 14496-3 table 1.19: eight channels are number 7 */
    c.channel_config = (uint8_t)(entry->audio.channels == 8 ? 7 : entry->audio.channels);
    c.frame_samples = 1024;
    sl_writer_init(&w, 64);
    sl_aac_write_config(&c, &w);
    status = sl_writer_finish(&w, err);
    if (status == SL_OK) {
        status = sl_track_set_config(t, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    t->profile = c.object_type;
    return status;
}

/* STREAMINFO alone, behind "fLaC" and the block's header (RFC 9639 8). */
static enum sl_status flac(struct sl_track *t, struct sl_mkv_track *mt,
                           const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_mkv_entry inner = *entry;

    if (entry->config.size >= 42 && memcmp(entry->config.data, "fLaC", 4) == 0) {
        inner.config.data += 8;
        inner.config.size = 34;
    }
    if (inner.config.size == 34) {
        /* 20 bits rate, 3 channels less one, 5 bits less one */
        const uint8_t *p = inner.config.data + 10;
        t->sample_rate = p[0] << 12 | p[1] << 4 | p[2] >> 4;
        t->channels = (p[2] >> 1 & 7) + 1;
        t->bit_depth = ((p[2] & 1) << 4 | p[3] >> 4) + 1;
    }
    return as_it_is(t, mt, &inner, err);
}

static enum sl_status opus(struct sl_track *t, struct sl_mkv_track *mt,
                           const struct sl_mkv_entry *entry, struct sl_error *err)
{
    /* RFC 7845 5.1.1.2, as masks of WAVEFORMATEXTENSIBLE */
    static const uint64_t layouts[9] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};

    t->sample_rate = 48000; /* what it is decoded to, whatever it was made from */
    if (entry->config.size >= 19 && memcmp(entry->config.data, "OpusHead", 8) == 0) {
        t->channels = entry->config.data[9];
        if (t->channels <= 8 && entry->config.data[18] <= 1) {
            t->channel_layout = layouts[t->channels];
        }
    }
    return as_it_is(t, mt, entry, err);
}

/* FFmpeg's decoder takes the whole atom of an MP4 file. */
static enum sl_status alac(struct sl_track *t, struct sl_mkv_track *mt,
                           const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status = SL_OK;

    (void)mt;
    sl_writer_init(&w, SL_MKV_ENTRY_MAX);
    sl_write_be32(&w, (uint32_t)entry->config.size + 12);
    sl_write_text(&w, "alac");
    sl_write_be32(&w, 0);
    sl_write_bytes(&w, entry->config.data, entry->config.size);
    status = sl_writer_finish(&w, err);
    if (status == SL_OK) {
        status = sl_track_set_config(t, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

static enum sl_status tta(struct sl_track *t, struct sl_mkv_track *mt,
                          const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status = SL_OK;

    (void)mt;
    (void)entry;
    sl_writer_init(&w, 64); /* the header of a TTA file, as far as it can be known */
    sl_write_text(&w, "TTA1");
    sl_write_le16(&w, 1);
    sl_write_le16(&w, (unsigned)t->channels);
    sl_write_le16(&w, (unsigned)t->bit_depth);
    sl_write_le32(&w, (uint32_t)t->sample_rate);
    sl_write_le32(&w, UINT32_MAX / 2);
    sl_write_le32(&w, 0);
    status = sl_writer_finish(&w, err);
    if (status == SL_OK) {
        status = sl_track_set_config(t, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

static enum sl_status wavpack(struct sl_track *t, struct sl_mkv_track *mt,
                              const struct sl_mkv_entry *entry, struct sl_error *err)
{
    mt->repair = SL_MKV_WAVPACK;
    mt->wavpack_version[0] = 0x10; /* 4.16 */
    mt->wavpack_version[1] = 0x04;
    if (entry->config.size >= 2) {
        memcpy(mt->wavpack_version, entry->config.data, 2);
    }
    return as_it_is(t, mt, entry, err);
}

static void set_pcm(struct sl_track *t, const char *kind, bool big_endian)
{
    int bits = t->bit_depth;

    if (bits == 8 && kind[0] == 's') {
        kind = "u"; /* Matroska's and WAVE's samples of 8 bits have no sign */
    }
    t->codec = SL_CODEC_PCM;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "pcm_%s%d%s", kind, bits,
                   bits == 8    ? ""
                   : big_endian ? "be"
                                : "le");
    if (t->channels > 0 && t->channels <= 64 && bits > 0) {
        t->block_align = t->channels * ((bits + 7) / 8);
    }
}

static enum sl_status pcm_little(struct sl_track *t, struct sl_mkv_track *mt,
                                 const struct sl_mkv_entry *entry, struct sl_error *err)
{
    (void)mt;
    (void)entry;
    (void)err;
    set_pcm(t, "s", false);
    return SL_OK;
}

static enum sl_status pcm_big(struct sl_track *t, struct sl_mkv_track *mt,
                              const struct sl_mkv_entry *entry, struct sl_error *err)
{
    (void)mt;
    (void)entry;
    (void)err;
    set_pcm(t, "s", true);
    return SL_OK;
}

static enum sl_status pcm_float(struct sl_track *t, struct sl_mkv_track *mt,
                                const struct sl_mkv_entry *entry, struct sl_error *err)
{
    (void)mt;
    (void)entry;
    (void)err;
    set_pcm(t, "f", false);
    return SL_OK;
}

/* wFormatTag of WAVEFORMATEX */
static const struct {
    uint16_t tag;
    enum sl_codec codec;
    const char *name;
} wave_formats[] = {
    {0x0002, SL_CODEC_OTHER, "adpcm_ms"}, {0x0006, SL_CODEC_PCM, "pcm_alaw"},
    {0x0007, SL_CODEC_PCM, "pcm_mulaw"},  {0x0011, SL_CODEC_OTHER, "adpcm_ima_wav"},
    {0x0031, SL_CODEC_OTHER, "gsm_ms"},   {0x0050, SL_CODEC_MP2, NULL},
    {0x0055, SL_CODEC_MP3, NULL},         {0x00ff, SL_CODEC_AAC, NULL},
    {0x0160, SL_CODEC_OTHER, "wmav1"},    {0x0161, SL_CODEC_OTHER, "wmav2"},
    {0x0162, SL_CODEC_OTHER, "wmapro"},   {0x0163, SL_CODEC_OTHER, "wmalossless"},
    {0x1610, SL_CODEC_AAC, NULL},         {0x2000, SL_CODEC_AC3, NULL},
    {0x2001, SL_CODEC_DTS, NULL},         {0xf1ac, SL_CODEC_FLAC, NULL},
};

static enum sl_status acm(struct sl_track *t, struct sl_mkv_track *mt,
                          const struct sl_mkv_entry *entry, struct sl_error *err)
{
    struct sl_mkv_entry inner = *entry;
    struct sl_reader r;
    uint16_t tag = 0;
    size_t extra = 0;

    if (entry->config.size < 16) {
        return SL_OK;
    }
    sl_reader_init(&r, entry->config.data, entry->config.size);
    tag = sl_read_le16(&r);
    t->channels = sl_read_le16(&r);
    t->sample_rate = (int32_t)(sl_read_le32(&r) & INT32_MAX);
    t->bitrate = (int64_t)sl_read_le32(&r) * 8;
    t->block_align = sl_read_le16(&r);
    t->bit_depth = sl_read_le16(&r);
    extra = sl_read_le16(&r);
    if (tag == 0xfffe && extra >= 22) { /* WAVEFORMATEXTENSIBLE: bits, mask, GUID */
        sl_read_skip(&r, 2);
        t->channel_layout = sl_read_le32(&r);
        tag = sl_read_le16(&r);
        sl_read_skip(&r, 14);
    }
    t->codec_tag = tag;
    inner.config.data = entry->config.data + r.pos;
    inner.config.size = sl_reader_left(&r);
    if (tag == 1 || tag == 3) {
        set_pcm(t, tag == 1 ? "s" : "f", false);
        return SL_OK;
    }
    set_name(t, SL_CODEC_UNKNOWN, NULL);
    for (size_t i = 0; i < sizeof wave_formats / sizeof *wave_formats; i++) {
        if (wave_formats[i].tag == tag) {
            set_name(t, wave_formats[i].codec, wave_formats[i].name);
        }
    }
    if (t->codec == SL_CODEC_AAC) {
        return aac(t, mt, &inner, err);
    }
    return t->codec == SL_CODEC_FLAC ? flac(t, mt, &inner, err) : as_it_is(t, mt, &inner, err);
}

/* ---- subtitles ---------------------------------------------------------------------------- */

static enum sl_status webm_vtt(struct sl_track *t, struct sl_mkv_track *mt,
                               const struct sl_mkv_entry *entry, struct sl_error *err)
{
    mt->repair = SL_MKV_WEBVTT;
    return as_it_is(t, mt, entry, err);
}

/* An ID that ends in '*' stands for all that begin so. The first that fits counts. */
static const struct {
    const char *id;
    enum sl_codec codec;
    const char *name;
    config_fn *configure;
} codecs[] = {
    {"V_MPEG4/ISO/AVC", SL_CODEC_H264, NULL, nal_units},
    {"V_MPEGH/ISO/HEVC", SL_CODEC_HEVC, NULL, nal_units},
    {"V_AV1", SL_CODEC_AV1, NULL, as_it_is},
    {"V_VP8", SL_CODEC_VP8, NULL, as_it_is},
    {"V_VP9", SL_CODEC_VP9, NULL, vp9},
    {"V_MPEG1", SL_CODEC_OTHER, "mpeg1video", as_it_is},
    {"V_MPEG2", SL_CODEC_MPEG2, NULL, as_it_is},
    {"V_MPEG4/ISO/*", SL_CODEC_MPEG4, NULL, as_it_is},
    {"V_MPEG4/MS/V3", SL_CODEC_OTHER, "msmpeg4v3", as_it_is},
    {"V_MJPEG", SL_CODEC_MJPEG, NULL, as_it_is},
    {"V_THEORA", SL_CODEC_OTHER, "theora", as_it_is},
    {"V_FFV1", SL_CODEC_OTHER, "ffv1", as_it_is},
    {"V_PRORES", SL_CODEC_OTHER, "prores", prores},
    {"V_DIRAC", SL_CODEC_OTHER, "dirac", as_it_is},
    {"V_SNOW", SL_CODEC_OTHER, "snow", as_it_is},
    {"V_AVS2", SL_CODEC_OTHER, "avs2", as_it_is},
    {"V_UNCOMPRESSED", SL_CODEC_RAWVIDEO, NULL, raw_video},
    {"V_MS/VFW/FOURCC", SL_CODEC_UNKNOWN, NULL, vfw},
    {"V_QUICKTIME", SL_CODEC_UNKNOWN, NULL, quicktime},
    {"A_AAC*", SL_CODEC_AAC, NULL, aac},
    {"A_AC3*", SL_CODEC_AC3, NULL, as_it_is},
    {"A_EAC3*", SL_CODEC_EAC3, NULL, as_it_is},
    {"A_DTS*", SL_CODEC_DTS, NULL, as_it_is},
    {"A_TRUEHD", SL_CODEC_TRUEHD, NULL, as_it_is},
    {"A_MLP", SL_CODEC_OTHER, "mlp", as_it_is},
    {"A_MPEG/L1", SL_CODEC_OTHER, "mp1", as_it_is},
    {"A_MPEG/L2", SL_CODEC_MP2, NULL, as_it_is},
    {"A_MPEG/L3", SL_CODEC_MP3, NULL, as_it_is},
    {"A_OPUS*", SL_CODEC_OPUS, NULL, opus},
    {"A_VORBIS", SL_CODEC_VORBIS, NULL, as_it_is},
    {"A_FLAC", SL_CODEC_FLAC, NULL, flac},
    {"A_ALAC", SL_CODEC_ALAC, NULL, alac},
    {"A_TTA1", SL_CODEC_OTHER, "tta", tta},
    {"A_WAVPACK4", SL_CODEC_OTHER, "wavpack", wavpack},
    {"A_PCM/INT/LIT", SL_CODEC_PCM, "pcm", pcm_little},
    {"A_PCM/INT/BIG", SL_CODEC_PCM, "pcm", pcm_big},
    {"A_PCM/FLOAT/IEEE", SL_CODEC_PCM, "pcm", pcm_float},
    {"A_MS/ACM", SL_CODEC_UNKNOWN, NULL, acm},
    {"S_TEXT/UTF8", SL_CODEC_SRT, NULL, as_it_is},
    {"S_TEXT/ASCII", SL_CODEC_SRT, NULL, as_it_is},
    {"S_TEXT/ASS", SL_CODEC_ASS, NULL, as_it_is},
    {"S_TEXT/SSA", SL_CODEC_ASS, NULL, as_it_is},
    {"S_ASS", SL_CODEC_ASS, NULL, as_it_is},
    {"S_SSA", SL_CODEC_ASS, NULL, as_it_is},
    {"S_TEXT/WEBVTT", SL_CODEC_WEBVTT, NULL, as_it_is},
    {"D_WEBVTT/*", SL_CODEC_WEBVTT, NULL, webm_vtt},
    {"S_HDMV/PGS", SL_CODEC_PGS, NULL, as_it_is},
    {"S_HDMV/TEXTST", SL_CODEC_OTHER, "hdmv_text_subtitle", as_it_is},
    {"S_VOBSUB", SL_CODEC_VOBSUB, NULL, as_it_is},
    {"S_DVBSUB", SL_CODEC_OTHER, "dvb_subtitle", as_it_is},
};

static bool id_fits(const char *pattern, const char *id)
{
    size_t n = strlen(pattern);
    return pattern[n - 1] == '*' ? strncmp(pattern, id, n - 1) == 0 : strcmp(pattern, id) == 0;
}

enum sl_status sl_mkv_set_codec(struct sl_track *t, struct sl_mkv_track *mt,
                                const struct sl_mkv_entry *entry, struct sl_error *err)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        if (id_fits(codecs[i].id, entry->codec_id)) {
            set_name(t, codecs[i].codec, codecs[i].name);
            return codecs[i].configure(t, mt, entry, err);
        }
    }
    set_name(t, SL_CODEC_UNKNOWN, NULL);
    return as_it_is(t, mt, entry, err);
}
