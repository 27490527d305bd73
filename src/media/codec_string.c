/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/codec_string.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "media/aac.h"
#include "media/av1.h"
#include "media/h264.h"
#include "media/hevc.h"
#include "media/parameter_set.h"
#include "media/pixel.h"
#include "media/vp9.h"

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

/* The object type indication of MPEG-1 or MPEG-2 audio (ISO/IEC 14496-1 table 5), which esds has.
 */
static enum sl_status mp3_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    (void)err;
    ADD(s, "mp4a.%s", t->sample_rate > 0 && t->sample_rate < 32000 ? "69" : "6B");
    return SL_OK;
}

/* The optional parts go with all or nothing, and nothing stands for BT.709 in limited range. */
static bool is_usual(const struct sl_colour *c)
{
    return c->range != SL_RANGE_FULL && (c->primaries == 1 || c->primaries == 2) &&
           (c->transfer == 1 || c->transfer == 2) && (c->matrix == 1 || c->matrix == 2);
}

/* AV1 Codec ISO Media File Format Binding, section 5, from av1C (2.3.3) */
static enum sl_status av1_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct sl_av1_sequence sequence;
    struct sl_colour colour = t->colour;
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
    if (sl_av1_parse_config(t->config, t->config_size, &sequence, NULL) == SL_OK) {
        const struct sl_colour stated = sequence.colour;
        sl_ps_merge_colour(&colour, &stated);
    }
    const unsigned chroma = flags >> 2 & 3; /* chroma_subsampling_x and _y */
    if (!is_usual(&colour) || (flags & 0x10) || chroma != 3) {
        ADD(s, ".%u.%u%u%u.%02u.%02u.%02u.%u", flags >> 4 & 1, chroma >> 1, chroma & 1,
            chroma == 3 ? flags & 3 : 0, colour.primaries, colour.transfer, colour.matrix,
            colour.range == SL_RANGE_FULL ? 1u : 0u);
    }
    return SL_OK;
}

/* Without vpcC (WebM): what the demuxer and decoder know. */
static bool vp_from_fields(const struct sl_track *t, struct sl_vpcc *vp)
{
    const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)t->pixel_format);

    if (t->width <= 0 || t->height <= 0) {
        return false;
    }
    *vp = (struct sl_vpcc){.chroma = 1, .colour = t->colour};
    if (t->codec == SL_CODEC_VP8) {
        vp->bit_depth = 8; /* and nothing else exists; its profiles differ in filters only */
        vp->profile = t->profile > 0 ? (uint8_t)t->profile : 0;
    } else if (t->profile >= 0 && t->bit_depth > 0) {
        vp->profile = (uint8_t)t->profile;
        vp->bit_depth = (uint8_t)t->bit_depth;
    } else {
        return false;
    }
    if (info) { /* chroma_subsampling: 0, 1 4:2:0 (1: with luma), 2 4:2:2, 3 4:4:4 */
        vp->chroma = info->chroma_h ? 1 : info->chroma_w ? 2 : 3;
    }
    vp->level = (uint8_t)(t->level > 0 ? (unsigned)t->level : sl_vp9_level(t));
    return vp->level != 0;
}

/* VP Codec ISO Media File Format Binding, "Codecs Parameter String" */
static enum sl_status vp_string(const struct sl_track *t, struct text *s, struct sl_error *err)
{
    struct sl_vpcc vp;

    if (!sl_vpcc_parse(t->config, t->config_size, &vp) && !vp_from_fields(t, &vp)) {
        return lacks(t, "profile, bit depth or size are not known", err);
    }
    ADD(s, "%s.%02u.%02u.%02u", t->codec == SL_CODEC_VP8 ? "vp08" : "vp09", vp.profile, vp.level,
        vp.bit_depth);
    const struct sl_colour *c = &vp.colour;
    if (vp.chroma > 1 || !is_usual(c)) {
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
        {SL_CODEC_MP3, NULL, mp3_string},
        {SL_CODEC_AC3, "ac-3", NULL}, /* ETSI TS 102 366 annex F */
        {SL_CODEC_EAC3, "ec-3", NULL},
        {SL_CODEC_OPUS, "Opus", NULL},
        {SL_CODEC_FLAC, "fLaC", NULL},
        {SL_CODEC_ALAC, "alac", NULL},
        {SL_CODEC_WEBVTT, "wvtt", NULL}, /* ISO/IEC 14496-30 */
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

void sl_codec_string_in_band(char *text)
{
    if (!strncmp(text, "avc1", 4)) {
        text[3] = '3';
    } else if (!strncmp(text, "hvc1", 4)) {
        text[1] = 'e'; /* hev1 */
        text[2] = 'v';
    }
}
