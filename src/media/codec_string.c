/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/codec_string.h"

#include <stdio.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/aac.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/pixel.h"

struct text {
    char *out;
    size_t size;
};

static void advance(struct text *t, int added)
{
    const size_t left = SL_CODEC_STRING_MAX - 1 - t->size;
    if (added > 0) { /* no string comes near the end, whatever the config says */
        t->size += (size_t)added < left ? (size_t)added : left;
    }
}

#define ADD(t, ...)                                                                                \
    advance((t), snprintf((t)->out + (t)->size, SL_CODEC_STRING_MAX - (t)->size, __VA_ARGS__))

static enum sl_status lacks(const struct sl_track *t, const char *what, struct sl_error *err)
{
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "no codec string for %s: %s",
                   sl_codec_name(t->codec), what);
}

/* RFC 6381 3.3: avc1.PPCCLL, the three bytes after the version in avcC */
static enum sl_status h264_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct sl_nal_config config;

    if (t->config_size == 0) {
        return lacks(t, "its avcC is not known", err);
    }
    enum sl_status status = sl_avcc_parse(t->config, t->config_size, &config, err);
    if (status == SL_OK) {
        ADD(s, "avc1.%02x%02x%02x", config.profile, config.compatibility, config.level);
    }
    return status;
}

static uint32_t reverse_bits(uint32_t v)
{
    uint32_t r = 0;
    for (unsigned i = 0; i < 32; i++) {
        r = r << 1 | (v >> i & 1);
    }
    return r;
}

/* ISO/IEC 14496-15 E.3 */
static enum sl_status hevc_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    static const char *const spaces[] = {"", "A", "B", "C"};
    struct sl_reader r;
    uint8_t constraints[6];
    size_t used = 0;

    if (t->config_size == 0) {
        return lacks(t, "its hvcC is not known", err);
    }
    sl_reader_init(&r, t->config, t->config_size);
    sl_read_skip(&r, 1);
    const unsigned first = sl_read_u8(&r);
    const uint32_t compatibility = sl_read_be32(&r);
    for (size_t i = 0; i < sizeof constraints; i++) {
        constraints[i] = sl_read_u8(&r);
        if (constraints[i] != 0) {
            used = i + 1; /* trailing bytes that are 0 are left out */
        }
    }
    const unsigned level = sl_read_u8(&r);
    if (r.overrun || t->config[0] > 1) {
        return sl_fail(err, SL_EDATA, "hvcC", "damaged or cut short (%zu bytes)", t->config_size);
    }
    ADD(s, "hvc1.%s%u.%x.%c%u", spaces[first >> 6], first & 0x1f,
        (unsigned)reverse_bits(compatibility), first & 0x20 ? 'H' : 'L', level);
    for (size_t i = 0; i < used; i++) {
        ADD(s, ".%X", constraints[i]);
    }
    return SL_OK;
}

/* RFC 6381 3.3: the object type indication 40 (MPEG-4 audio), then the audio object type */
static enum sl_status aac_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct sl_aac_config config;

    if (t->config_size == 0 && t->profile >= 0) {
        ADD(s, "mp4a.40.%d", t->profile); /* the audio object type, as ADTS states it */
        return SL_OK;
    }
    if (t->config_size == 0) {
        return lacks(t, "its AudioSpecificConfig is not known", err);
    }
    enum sl_status status = sl_aac_parse_config(t->config, t->config_size, &config, NULL);
    if (status == SL_EDATA) {
        return sl_aac_parse_config(t->config, t->config_size, &config, err);
    }
    ADD(s, "mp4a.40.%u", config.declared_type);
    return SL_OK;
}

/* AV1 Codec ISO Media File Format Binding, section 5, from av1C (2.3.3) */
static enum sl_status av1_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct sl_reader r;

    sl_reader_init(&r, t->config, t->config_size);
    const unsigned version = sl_read_u8(&r);
    const unsigned profile_level = sl_read_u8(&r);
    const unsigned flags = sl_read_u8(&r);
    if (r.overrun || version != 0x81) {
        return lacks(t, "its av1C is not known", err);
    }
    const bool high = flags & 0x40;   /* high_bitdepth */
    const bool twelve = flags & 0x20; /* twelve_bit */
    ADD(s, "av01.%u.%02u%c.%02u", profile_level >> 5, profile_level & 0x1f,
        flags & 0x80 ? 'H' : 'M', high ? (twelve ? 12u : 10u) : 8u);
    return SL_OK;
}

struct vp {
    unsigned profile, level, depth, chroma;
    struct sl_colour colour;
};

/* The least level whose limits hold the picture and its rate: VP9 levels, annex A of the
 * bitstream specification. 0: above all. */
static unsigned vp9_level(const struct sl_track *t)
{
    static const struct {
        uint8_t level;
        uint16_t side;
        int32_t picture; /* luma samples */
        int64_t rate;    /* luma samples a second */
    } levels[] = {
        {10, 512, 36864, 829440},          {11, 768, 73728, 2764800},
        {20, 960, 122880, 4608000},        {21, 1344, 245760, 9216000},
        {30, 2048, 552960, 20736000},      {31, 2752, 983040, 36864000},
        {40, 4160, 2228224, 83558400},     {41, 4160, 2228224, 160432128},
        {50, 8384, 8912896, 311951360},    {51, 8384, 8912896, 588251136},
        {52, 8384, 8912896, 1176502272},   {60, 16832, 35651584, 1176502272},
        {61, 16832, 35651584, 2353004544}, {62, 16832, 35651584, 4706009088},
    };
    const int64_t picture = (int64_t)t->width * t->height;
    const int32_t side = t->width > t->height ? t->width : t->height;
    const int64_t rate = sl_rational_valid(t->frame_rate)
                             ? sl_muldiv(picture, t->frame_rate.num, t->frame_rate.den, SL_ROUND_UP)
                             : picture;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (picture <= levels[i].picture && side <= levels[i].side && rate <= levels[i].rate) {
            return levels[i].level;
        }
    }
    return 0;
}

/* VPCodecConfigurationRecord, as the payload of its FullBox. */
static bool read_vpcc(const struct sl_track *t, struct vp *vp)
{
    struct sl_reader r;

    sl_reader_init(&r, t->config, t->config_size);
    const uint32_t version = sl_read_be32(&r);
    vp->profile = sl_read_u8(&r);
    vp->level = sl_read_u8(&r);
    const unsigned bits = sl_read_u8(&r);
    vp->depth = bits >> 4;
    vp->chroma = bits >> 1 & 7;
    vp->colour.range = bits & 1 ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    vp->colour.primaries = sl_read_u8(&r);
    vp->colour.transfer = sl_read_u8(&r);
    vp->colour.matrix = sl_read_u8(&r);
    return !r.overrun && version == 0x01000000;
}

/* Without vpcC (WebM): what the demuxer and decoder know. */
static bool vp_from_fields(const struct sl_track *t, struct vp *vp)
{
    const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)t->pixel_format);

    if (t->width <= 0 || t->height <= 0) {
        return false;
    }
    *vp = (struct vp){.chroma = 1, .colour = t->colour};
    if (t->codec == SL_CODEC_VP8) {
        vp->depth = 8; /* and nothing else exists; its profiles differ in filters only */
        vp->profile = t->profile > 0 ? (unsigned)t->profile : 0;
    } else if (t->profile >= 0 && t->bit_depth > 0) {
        vp->profile = (unsigned)t->profile;
        vp->depth = (unsigned)t->bit_depth;
    } else {
        return false;
    }
    if (info) { /* chroma_subsampling: 0, 1 4:2:0 (1: with luma), 2 4:2:2, 3 4:4:4 */
        vp->chroma = info->chroma_h ? 1 : info->chroma_w ? 2 : 3;
    }
    vp->level = t->level > 0 ? (unsigned)t->level : vp9_level(t);
    return vp->level != 0;
}

/* VP Codec ISO Media File Format Binding, "Codecs Parameter String" */
static enum sl_status vp_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct vp vp;

    if (!read_vpcc(t, &vp) && !vp_from_fields(t, &vp)) {
        return lacks(t, "profile, bit depth or size are not known", err);
    }
    ADD(s, "%s.%02u.%02u.%02u", t->codec == SL_CODEC_VP8 ? "vp08" : "vp09", vp.profile, vp.level,
        vp.depth);
    /* The rest goes with all or nothing, and nothing stands for 4:2:0 BT.709 in limited range. */
    const struct sl_colour *c = &vp.colour;
    const bool usual = vp.chroma <= 1 && c->range != SL_RANGE_FULL &&
                       (c->primaries == 1 || c->primaries == 2) &&
                       (c->transfer == 1 || c->transfer == 2) && (c->matrix == 1 || c->matrix == 2);
    if (!usual) {
        ADD(s, ".%02u.%02u.%02u.%02u.%02u", vp.chroma, c->primaries, c->transfer, c->matrix,
            c->range == SL_RANGE_FULL ? 1u : 0u);
    }
    return SL_OK;
}

#define RECORD_MAX (1u << 16)

/* Transport streams state parameter sets as Annex B: the record that the string is read from is
 * made of them first. */
static enum sl_status string_of_annexb(const struct sl_track *t, char out[SL_CODEC_STRING_MAX],
                                       struct sl_error *err)
{
    struct sl_track with_record = *t;
    struct sl_writer record;
    sl_writer_init(&record, RECORD_MAX);
    enum sl_status status = t->codec == SL_CODEC_H264
                                ? sl_avcc_from_annexb(t->config, t->config_size, &record, err)
                                : sl_hvcc_from_annexb(t->config, t->config_size, &record, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&record, err);
    }
    if (status == SL_OK) {
        with_record.config = record.data;
        with_record.config_size = record.size;
        status = sl_codec_string(&with_record, out, err);
    }
    sl_writer_clear(&record);
    return status;
}

static bool is_annexb(const struct sl_track *t)
{
    return (t->codec == SL_CODEC_H264 || t->codec == SL_CODEC_HEVC) && t->config_size > 4 &&
           t->config[0] == 0 && t->config[1] == 0 && t->config[2] <= 1;
}

enum sl_status sl_codec_string(const struct sl_track *track, char out[SL_CODEC_STRING_MAX],
                               struct sl_error *err)
{
    static const struct {
        enum sl_codec codec;
        const char *text; /* or */
        enum sl_status (*make)(const struct sl_track *t, struct text *s, struct sl_error *err);
    } codecs[] = {
        {SL_CODEC_H264, NULL, h264_string},
        {SL_CODEC_HEVC, NULL, hevc_string},
        {SL_CODEC_AV1, NULL, av1_string},
        {SL_CODEC_VP8, NULL, vp_string},
        {SL_CODEC_VP9, NULL, vp_string},
        {SL_CODEC_AAC, NULL, aac_string},
        {SL_CODEC_MP3, "mp4a.40.34", NULL}, /* MPEG-4 audio object type "Layer-3" */
        {SL_CODEC_AC3, "ac-3", NULL},       /* ETSI TS 102 366 annex F */
        {SL_CODEC_EAC3, "ec-3", NULL},
        {SL_CODEC_OPUS, "opus", NULL}, /* what browsers know; the sample entry is "Opus" */
        {SL_CODEC_FLAC, "fLaC", NULL},
        {SL_CODEC_ALAC, "alac", NULL},
    };
    struct text text = {.out = out};

    out[0] = '\0';
    if (is_annexb(track)) {
        return string_of_annexb(track, out, err);
    }
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        if (codecs[i].codec != track->codec) {
            continue;
        }
        if (codecs[i].text) {
            ADD(&text, "%s", codecs[i].text);
            return SL_OK;
        }
        enum sl_status status = codecs[i].make(track, &text, err);
        if (status != SL_OK) {
            out[0] = '\0';
        }
        return status;
    }
    return lacks(track, "none is defined", err);
}
