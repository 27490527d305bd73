/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/contract_sets.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/hevc.h"
#include "media/track.h"

#define BASELINE   66
#define MAIN       77
#define HIGH       100
#define CONFIG_MAX (SL_CONTRACT_SETS_MAX + 256)

int sl_contract_profile(enum sl_codec codec, const char *profile)
{
    static const struct {
        const char *name;
        enum sl_codec codec;
        int idc;
    } names[] = {
        {"baseline", SL_CODEC_H264, BASELINE}, {"main", SL_CODEC_H264, MAIN},
        {"high", SL_CODEC_H264, HIGH},         {"high10", SL_CODEC_H264, 110},
        {"high444", SL_CODEC_H264, 244},       {"main", SL_CODEC_HEVC, 1},
        {"main10", SL_CODEC_HEVC, 2},
    };
    for (size_t i = 0; profile && i < sizeof names / sizeof names[0]; i++) {
        if (names[i].codec == codec && strcmp(names[i].name, profile) == 0) {
            return names[i].idc;
        }
    }
    return 0;
}

static bool same_colour(const struct sl_colour *a, const struct sl_colour *b)
{
    return a->primaries == b->primaries && a->transfer == b->transfer && a->matrix == b->matrix &&
           (a->range == SL_RANGE_FULL) == (b->range == SL_RANGE_FULL);
}

static enum sl_status check_size(const char *name, const struct sl_encode_params *p, int32_t width,
                                 int32_t height, struct sl_error *err)
{
    return width == p->width && height == p->height
               ? SL_OK
               : sl_fail(err, SL_EDATA, name, "SPS says %dx%d, asked for %dx%d", width, height,
                         p->width, p->height);
}

/* ---- H.264 ------------------------------------------------------------------------------- */

/* H.264 E.2.1: what is not stated is unspecified, limited, and left. */
static enum sl_status mend_colour(const char *name, struct sl_h264_sps *s,
                                  const struct sl_encode_params *p, struct sl_error *err)
{
    struct sl_colour is = {2, 2, 2, SL_RANGE_LIMITED, 0};
    uint8_t location = p->colour.chroma_location > 0 ? p->colour.chroma_location : 1;
    if (s->vui_present && s->video_signal_present) {
        is.range = s->colour.range == SL_RANGE_FULL ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    }
    if (s->vui_present && s->colour_description_present) {
        is.primaries = s->colour.primaries;
        is.transfer = s->colour.transfer;
        is.matrix = s->colour.matrix;
    }
    if (!same_colour(&is, &p->colour)) {
        if (!s->video_signal_present) {
            s->video_format = 5; /* unspecified */
        }
        s->vui_present = s->video_signal_present = s->colour_description_present = true;
        s->colour.primaries = p->colour.primaries;
        s->colour.transfer = p->colour.transfer;
        s->colour.matrix = p->colour.matrix;
        s->colour.range = p->colour.range == SL_RANGE_FULL ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    }
    if (location > 6) { /* chroma_sample_loc_type has 0 to 5 */
        return sl_fail(err, SL_EUNSUPPORTED, name, "chroma location %u cannot be described",
                       location);
    }
    if ((s->chroma_loc_present ? s->chroma_loc_top + 1 : 1) != location &&
        s->chroma_format_idc == 1) {
        s->vui_present = s->chroma_loc_present = true;
        s->chroma_loc_top = s->chroma_loc_bottom = (uint8_t)(location - 1);
        s->colour.chroma_location = location;
    }
    return SL_OK;
}

static void mend_aspect(struct sl_h264_sps *s, const struct sl_encode_params *p)
{
    if (!sl_rational_valid(p->sample_aspect)) {
        return;
    }
    struct sl_rational want = sl_rational_limit(p->sample_aspect, 65535); /* u(16) */
    if (!s->vui_present || !sl_rational_valid(s->sample_aspect) ||
        sl_rational_compare(s->sample_aspect, want) != 0) {
        s->vui_present = true;
        s->sample_aspect = want;
    }
}

/* E.2.1: without bitstream_restriction a decoder has to wait for as many pictures as its buffer
 * holds. */
static enum sl_status mend_reorder(const char *name, struct sl_h264_sps *s,
                                   const struct sl_encode_params *p, int32_t reorder,
                                   struct sl_error *err)
{
    bool live = p->latency != SL_LATENCY_LOOKAHEAD;
    if (live) {
        reorder = 0;
    }
    if (s->vui_present && s->bitstream_restriction) {
        if (reorder < 0 || s->max_num_reorder_frames == (uint32_t)reorder) {
            return SL_OK;
        }
    } else if (reorder < 0) {
        return sl_fail(err, SL_EDATA, name, "SPS has no bitstream_restriction");
    } else {
        s->vui_present = s->bitstream_restriction = true;
        s->motion_vectors_over_boundaries = true; /* what is inferred without them */
        s->max_bytes_per_pic_denom = 2;
        s->max_bits_per_mb_denom = 1;
        s->log2_max_mv_h = s->log2_max_mv_v = 15;
        s->max_dec_frame_buffering = s->max_num_ref_frames;
    }
    s->max_num_reorder_frames = (uint32_t)reorder;
    if (s->max_dec_frame_buffering < (uint32_t)reorder) {
        s->max_dec_frame_buffering = (uint32_t)reorder;
    }
    return SL_OK;
}

static enum sl_status mend_profile(const char *name, struct sl_h264_sps *s,
                                   const struct sl_encode_params *p, struct sl_error *err)
{
    int want = sl_contract_profile(SL_CODEC_H264, p->profile);
    if (!want || want == s->profile_idc) {
        return SL_OK;
    }
    /* A.2.1.1: Constrained Baseline is part of Main, and Main of High (A.2.4). */
    bool part = (s->profile_idc == BASELINE && (s->constraints & 0x40)) || s->profile_idc == MAIN;
    if (!part || (want != MAIN && want != HIGH) || want < s->profile_idc) {
        return sl_fail(err, SL_EUNSUPPORTED, name, "asked for profile %s, SPS says profile_idc %u",
                       p->profile, s->profile_idc);
    }
    s->profile_idc = (uint8_t)want;
    s->constraints = 0;
    return SL_OK;
}

static enum sl_status mend_level(struct sl_h264_sps *s, const struct sl_encode_params *p,
                                 struct sl_error *err)
{
    int32_t dpb = (int32_t)(s->vui_present && s->bitstream_restriction ? s->max_dec_frame_buffering
                                                                       : s->max_num_ref_frames);
    int64_t bits = p->maxrate > 0 ? p->maxrate : p->rate == SL_RATE_CBR ? p->bitrate : 0;
    if (s->profile_idc >= HIGH) {
        bits = sl_muldiv(bits, 4, 5, SL_ROUND_UP); /* A.3.3: cpbBrVclFactor 1250 against 1000 */
    }
    int need = sl_h264_level_of(p->width, p->height, p->frame_rate, dpb, bits);
    bool is_1b = s->level_idc == 9 ||
                 (s->level_idc == 11 && (s->constraints & 0x10) && s->profile_idc < HIGH);
    int is = is_1b ? 10 : s->level_idc;
    if (p->level && (need == 0 || p->level < need)) {
        return sl_fail(err, SL_EINVAL, "level",
                       "%d.%d does not hold %dx%d at this rate, %d.%d would", p->level / 10,
                       p->level % 10, p->width, p->height, need / 10, need % 10);
    }
    if (p->level && is != p->level) {
        s->level_idc = (uint8_t)p->level;
    } else if (!p->level && need > is) {
        s->level_idc = (uint8_t)need;
    }
    return SL_OK;
}

/* Appends s, or the unit as it was where that says the same. */
static enum sl_status write_h264(const struct sl_nal *nal, const struct sl_h264_sps *was,
                                 const struct sl_h264_sps *s, struct sl_writer *out,
                                 struct sl_error *err)
{
    struct sl_writer before, after;
    sl_writer_init(&before, SL_CONTRACT_SETS_MAX);
    sl_writer_init(&after, SL_CONTRACT_SETS_MAX);
    sl_h264_write_sps(was, &before);
    sl_h264_write_sps(s, &after);
    enum sl_status status = sl_writer_finish(&before, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&after, err);
    }
    if (status == SL_OK) {
        bool same = before.size == after.size && memcmp(before.data, after.data, after.size) == 0;
        sl_write_bytes(out, same ? nal->data : after.data, same ? nal->size : after.size);
    }
    sl_writer_clear(&before);
    sl_writer_clear(&after);
    return status;
}

static enum sl_status mend_h264(const struct sl_contract_asked *asked, const struct sl_nal *nal,
                                struct sl_writer *out, struct sl_error *err)
{
    const struct sl_encode_params *p = asked->p;
    struct sl_h264_sps was, s;
    enum sl_status status = sl_h264_parse_sps(nal, &was, err);
    if (status != SL_OK) {
        return status;
    }
    s = was;
    mend_aspect(&s, p);
    status = check_size(asked->name, p, s.width, s.height, err);
    if (status == SL_OK) {
        status = mend_colour(asked->name, &s, p, err);
    }
    if (status == SL_OK) {
        status = mend_reorder(asked->name, &s, p, asked->reorder, err);
    }
    if (status == SL_OK) {
        status = mend_profile(asked->name, &s, p, err);
    }
    if (status == SL_OK) {
        status = mend_level(&s, p, err);
    }
    return status == SL_OK ? write_h264(nal, &was, &s, out, err) : status;
}

/* ---- HEVC -------------------------------------------------------------------------------- */

/* Where general_level_idc stands in a unit without escapes: behind the header of two bytes, what
 * comes before profile_tier_level() (7.3.2.1: 32 bits; 7.3.2.2: 8) and 11 bytes of that (7.3.3). */
enum { VPS_LEVEL = 2 + 4 + 11, SPS_LEVEL = 2 + 1 + 11 };

/* Appends the unit with a level of at least what was asked for: a decoder of a higher level decodes
 * it as well (A.4.1), so that this is always true. */
static enum sl_status raise_level(const char *name, const struct sl_encode_params *p,
                                  const struct sl_nal *nal, size_t at, struct sl_writer *out,
                                  struct sl_error *err)
{
    struct sl_writer plain;
    sl_writer_init(&plain, SL_CONTRACT_SETS_MAX);
    sl_nal_unescape(nal->data, nal->size, &plain);
    enum sl_status status = sl_writer_finish(&plain, err);
    if (status == SL_OK && plain.size <= at) {
        status = sl_fail(err, SL_EDATA, name, "parameter set of %zu bytes", nal->size);
    }
    if (status == SL_OK && p->level && plain.data[at] != 3 * p->level) { /* A.4.1 */
        if (plain.data[at] > 3 * p->level) {
            status = sl_fail(err, SL_EINVAL, "level",
                             "%d.%d does not hold %dx%d at these settings, %u.%u would",
                             p->level / 10, p->level % 10, p->width, p->height,
                             plain.data[at] / 30u, plain.data[at] % 30u / 3u);
        } else {
            plain.data[at] = (uint8_t)(3 * p->level);
        }
    }
    if (status == SL_OK) {
        sl_nal_escape(plain.data, plain.size, out);
    }
    sl_writer_clear(&plain);
    return status;
}

static enum sl_status mend_sps_colour(const char *name, const struct sl_hevc_sps *s,
                                      const struct sl_encode_params *p, const struct sl_nal *nal,
                                      struct sl_writer *out, struct sl_error *err)
{
    struct sl_colour is = s->colour;
    if (!s->vui_present) {
        is = (struct sl_colour){2, 2, 2, SL_RANGE_LIMITED, 0};
    }
    /* E.3.1: what is not stated is left. */
    unsigned asked = p->colour.chroma_location > 0 ? p->colour.chroma_location : 1;
    unsigned location = is.chroma_location > 0 ? is.chroma_location : 1;
    if (s->chroma_format_idc == 1 && asked != location) {
        return sl_fail(err, SL_EUNSUPPORTED, name, "chroma location %u, SPS says %u", asked,
                       location);
    }
    if (same_colour(&is, &p->colour)) {
        sl_write_bytes(out, nal->data, nal->size);
        return SL_OK;
    }
    return sl_hevc_rewrite_colour(nal, &p->colour, out, err);
}

static enum sl_status mend_hevc(const struct sl_contract_asked *asked, const struct sl_nal *nal,
                                struct sl_writer *out, struct sl_error *err)
{
    const struct sl_encode_params *p = asked->p;
    const char *name = asked->name;
    int32_t reorder = p->latency == SL_LATENCY_LOOKAHEAD ? asked->reorder : 0;
    struct sl_hevc_sps s;
    enum sl_status status = sl_hevc_parse_sps(nal, &s, err);
    if (status == SL_OK) {
        status = check_size(name, p, s.width, s.height, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (reorder >= 0 && s.max_num_reorder != (uint32_t)reorder) {
        return sl_fail(err, SL_EDATA, name, "SPS says a reorder depth of %u, expected %d",
                       s.max_num_reorder, reorder);
    }
    int want = sl_contract_profile(SL_CODEC_HEVC, p->profile);
    if (want && want != s.ptl.profile_idc) {
        return sl_fail(err, SL_EUNSUPPORTED, name,
                       "asked for profile %s, SPS says general_profile_idc %u", p->profile,
                       s.ptl.profile_idc);
    }
    struct sl_writer coloured;
    sl_writer_init(&coloured, SL_CONTRACT_SETS_MAX);
    status = mend_sps_colour(name, &s, p, nal, &coloured, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&coloured, err);
    }
    if (status == SL_OK) {
        struct sl_nal mended = {.data = coloured.data, .size = coloured.size};
        status = raise_level(name, p, &mended, SPS_LEVEL, out, err);
    }
    sl_writer_clear(&coloured);
    return status;
}

enum sl_status sl_contract_mend(const struct sl_contract_asked *asked, const struct sl_nal *nal,
                                unsigned type, struct sl_writer *out, struct sl_error *err)
{
    if (asked->codec == SL_CODEC_HEVC && type == SL_HEVC_SPS) {
        return mend_hevc(asked, nal, out, err);
    }
    if (asked->codec == SL_CODEC_HEVC && type == SL_HEVC_VPS) {
        return raise_level(asked->name, asked->p, nal, VPS_LEVEL, out, err);
    }
    if (asked->codec == SL_CODEC_H264 && type == SL_H264_SPS) {
        return mend_h264(asked, nal, out, err);
    }
    sl_write_bytes(out, nal->data, nal->size);
    return SL_OK;
}

/* ---- track ------------------------------------------------------------------------------- */

enum sl_status sl_contract_describe(const char *name, enum sl_codec codec,
                                    const struct sl_encode_params *p, const uint8_t *annexb,
                                    size_t size, struct sl_track *t, struct sl_error *err)
{
    bool hevc = codec == SL_CODEC_HEVC;
    struct sl_writer config;
    sl_writer_init(&config, CONFIG_MAX);
    enum sl_status status = hevc ? sl_hvcc_from_annexb(annexb, size, &config, err)
                                 : sl_avcc_from_annexb(annexb, size, &config, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&config, err);
    }
    t->kind = SL_KIND_VIDEO;
    t->codec = codec;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s", sl_codec_name(codec));
    t->timebase = p->timebase;
    t->frame_rate = p->frame_rate;
    t->sample_aspect = p->sample_aspect;
    t->colour = p->colour;
    t->bitrate = p->rate == SL_RATE_VBR || p->rate == SL_RATE_CBR ? p->bitrate : 0;
    if (status == SL_OK) {
        status = sl_track_set_config(t, config.data, config.size, err);
    }
    sl_writer_clear(&config);
    if (status == SL_OK) {
        status = hevc ? sl_hevc_describe(t, err) : sl_h264_describe(t, err);
    }
    if (status == SL_OK && p->latency != SL_LATENCY_LOOKAHEAD && t->reorder != 0) {
        return sl_fail(err, SL_EDATA, name, "a reorder depth of %d, expected 0", t->reorder);
    }
    return status;
}
