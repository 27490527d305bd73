/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/complete.h"

#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "media/ac3.h"
#include "media/adts.h"
#include "media/av1.h"
#include "media/flac.h"
#include "media/hevc.h"
#include "media/mpeg_audio.h"
#include "media/nal_form.h"
#include "media/opus.h"
#include "media/track.h"
#include "media/vp9.h"

#define CONFIG_MAX (1u << 20)

/* Sets the config from what was written, whatever status the writing came to so far. */
static enum sl_status take_config(struct sl_track *t, struct sl_writer *w, enum sl_status status,
                                  struct sl_error *err)
{
    if (status == SL_OK) {
        status = sl_writer_finish(w, err);
    }
    if (status == SL_OK) {
        status = sl_track_set_config(t, w->data, w->size, err);
    }
    sl_writer_clear(w);
    return status;
}

/* ---- H.264 and HEVC ---------------------------------------------------------------------- */

static enum sl_status record_of(enum sl_codec codec, const uint8_t *annexb, size_t size,
                                struct sl_writer *out, struct sl_error *err)
{
    return codec == SL_CODEC_H264 ? sl_avcc_from_annexb(annexb, size, out, err)
                                  : sl_hvcc_from_annexb(annexb, size, out, err);
}

/* The same of an access unit: one without parameter sets is not the first of a stream. */
static enum sl_status record_of_unit(enum sl_codec codec, const uint8_t *annexb, size_t size,
                                     struct sl_writer *out, struct sl_error *err)
{
    struct sl_error why = {0};
    const enum sl_status status = record_of(codec, annexb, size, out, &why);
    if (status == SL_EDATA) {
        return SL_EAGAIN;
    }
    return status == SL_OK ? SL_OK : sl_fail(err, status, why.where, "%s", why.msg);
}

static enum sl_status parse_record(const struct sl_track *t, struct sl_nal_config *config,
                                   struct sl_error *err)
{
    return t->codec == SL_CODEC_H264 ? sl_avcc_parse(t->config, t->config_size, config, err)
                                     : sl_hvcc_parse(t->config, t->config_size, config, err);
}

static bool is_parameter_set(enum sl_codec codec, const struct sl_nal *nal)
{
    if (codec == SL_CODEC_H264) {
        const unsigned type = nal->data[0] & 0x1f;
        return type == SL_H264_SPS || type == SL_H264_PPS;
    }
    const unsigned type = nal->data[0] >> 1 & 0x3f;
    return type >= SL_HEVC_VPS && type <= SL_HEVC_PPS;
}

static size_t without_zeros(const struct sl_nal *nal)
{
    size_t n = nal->size;
    while (n > 0 && nal->data[n - 1] == 0) {
        n--;
    }
    return n;
}

static bool holds(const struct sl_nal_config *config, const struct sl_nal *nal)
{
    const size_t size = without_zeros(nal);
    for (size_t i = 0; i < config->count; i++) {
        if (without_zeros(&config->sets[i]) == size &&
            !memcmp(config->sets[i].data, nal->data, size)) {
            return true;
        }
    }
    return false;
}

/* Any parameter set in the access unit that the configuration has not. */
static bool has_other_sets(enum sl_codec codec, const struct sl_nal_config *config,
                           const uint8_t *data, size_t size, bool annexb)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;

    while (annexb ? sl_nal_next_annexb(&w, &nal)
                  : sl_nal_next_length(&w, config->length_size, &nal, NULL) == SL_OK) {
        if (is_parameter_set(codec, &nal) && !holds(config, &nal)) {
            return true;
        }
    }
    return false;
}

/* A configuration without sets (avc3, hev1 as their makers intend): those of the first access unit
 * go into it, so that players which start there know what comes. */
static enum sl_status config_from_lengths(struct sl_track *t, unsigned prefix,
                                          const struct sl_buf *buf, struct sl_error *err)
{
    struct sl_writer annexb, record;
    enum sl_status status;

    sl_writer_init(&annexb, buf->size * 5 + 64);
    sl_writer_init(&record, CONFIG_MAX);
    status = sl_nal_length_to_annexb(buf->data, buf->size, prefix, &annexb, err);
    if (status == SL_OK) {
        status = sl_writer_finish(&annexb, err);
    }
    if (status == SL_OK) {
        status = record_of_unit(t->codec, annexb.data, annexb.size, &record, err);
    }
    if (status == SL_OK) {
        const size_t at = t->codec == SL_CODEC_H264 ? 4 : 21; /* lengthSizeMinusOne */
        record.data[at] = (uint8_t)((record.data[at] & ~3u) | (prefix - 1));
    }
    sl_writer_clear(&annexb);
    return take_config(t, &record, status, err);
}

static bool config_is_annexb(const struct sl_track *t)
{
    return t->config_size > 4 && t->config[0] == 0 && t->config[1] == 0 && t->config[2] <= 1;
}

/* Makes a record of what there is; *config is what is in it afterwards. */
static enum sl_status complete_record(struct sl_track *t, const struct sl_buf *buf,
                                      struct sl_payload_form *form, struct sl_nal_config *config,
                                      struct sl_error *err)
{
    struct sl_writer record;
    enum sl_status status = SL_OK;
    const bool stated = t->config_size > 0;

    if (!stated || config_is_annexb(t)) {
        form->annexb = sl_nal_form(buf->data, buf->size, 4) != SL_NAL_LENGTHS;
        if (!stated && !form->annexb) {
            return sl_fail(err, SL_EDATA, NULL,
                           "%s with neither a decoder configuration nor start codes",
                           sl_codec_name(t->codec));
        }
        sl_writer_init(&record, CONFIG_MAX);
        status = stated ? record_of(t->codec, t->config, t->config_size, &record, err)
                        : record_of_unit(t->codec, buf->data, buf->size, &record, err);
        status = take_config(t, &record, status, err);
        return status == SL_OK ? parse_record(t, config, err) : status;
    }
    status = parse_record(t, config, err);
    if (status != SL_OK) {
        return status;
    }
    form->annexb = sl_nal_form(buf->data, buf->size, config->length_size) == SL_NAL_ANNEXB;
    if (config->count > 0) {
        return SL_OK;
    }
    if (form->annexb) {
        sl_writer_init(&record, CONFIG_MAX);
        status = record_of_unit(t->codec, buf->data, buf->size, &record, err);
        status = take_config(t, &record, status, err);
    } else {
        status = config_from_lengths(t, config->length_size, buf, err);
    }
    form->in_band = true;
    return status == SL_OK ? parse_record(t, config, err) : status;
}

/* What a description found and the track does not state. */
static void fill(struct sl_track *t, const struct sl_track *found)
{
    if (t->width <= 0 || t->height <= 0) {
        t->width = found->width;
        t->height = found->height;
    }
    if (t->pixel_format == 0) {
        t->pixel_format = found->pixel_format;
    }
    if (t->bit_depth == 0) {
        t->bit_depth = found->bit_depth;
    }
    if (!sl_rational_valid(t->sample_aspect)) {
        t->sample_aspect = found->sample_aspect;
    }
    if (t->colour.primaries == 2) {
        t->colour.primaries = found->colour.primaries;
    }
    if (t->colour.transfer == 2) {
        t->colour.transfer = found->colour.transfer;
    }
    if (t->colour.matrix == 2) {
        t->colour.matrix = found->colour.matrix;
    }
    if (t->colour.range == SL_RANGE_UNSPECIFIED) {
        t->colour.range = found->colour.range;
    }
    if (t->colour.chroma_location == 0) {
        t->colour.chroma_location = found->colour.chroma_location;
    }
    if (t->reorder < 0) {
        t->reorder = found->reorder;
    }
    t->profile = found->profile;
    t->level = found->level;
}

static enum sl_status complete_nal(struct sl_track *t, const struct sl_buf *buf,
                                   struct sl_payload_form *form, struct sl_error *err)
{
    struct sl_nal_config config;
    enum sl_status status = complete_record(t, buf, form, &config, err);
    if (status != SL_OK) {
        return status;
    }
    if (!form->in_band) {
        form->in_band = has_other_sets(t->codec, &config, buf->data, buf->size, form->annexb);
    }
    struct sl_track found = *t; /* borrows the config */
    /* Where the size is known, a parameter set that we cannot read is the decoder's to judge. */
    const bool needed = t->width <= 0 || t->height <= 0;
    struct sl_error *why = needed ? err : NULL;
    status =
        t->codec == SL_CODEC_H264 ? sl_h264_describe(&found, why) : sl_hevc_describe(&found, why);
    if (status == SL_OK) {
        fill(t, &found);
    }
    return needed ? status : SL_OK;
}

/* ---- AV1, VP8, VP9 ----------------------------------------------------------------------- */

static enum sl_status complete_av1(struct sl_track *t, const struct sl_buf *buf,
                                   struct sl_error *err)
{
    struct sl_av1_sequence s;
    struct sl_writer w;
    const uint8_t *obu;
    size_t size;
    enum sl_status status = sl_av1_parse_config(t->config, t->config_size, &s, NULL);

    if (status != SL_OK) {
        if (!sl_av1_find_sequence(buf->data, buf->size, &obu, &size)) {
            return SL_EAGAIN;
        }
        status = sl_av1_parse_sequence(obu, size, &s, err);
        if (status != SL_OK) {
            return status;
        }
        sl_writer_init(&w, CONFIG_MAX);
        sl_av1_write_config(&s, obu, size, &w);
        status = take_config(t, &w, SL_OK, err);
    }
    return status == SL_OK ? sl_av1_describe(t, err) : status;
}

/* WebM's CodecPrivate for VP9: id, length and value of each feature; 2 is the level. */
static void take_features(struct sl_track *t)
{
    struct sl_reader r;

    sl_reader_init(&r, t->config, t->config_size);
    while (sl_reader_left(&r) >= 3) {
        const unsigned id = sl_read_u8(&r);
        const unsigned length = sl_read_u8(&r);
        const uint8_t *value = sl_read_bytes(&r, length);
        if (id == 2 && length == 1 && value && t->level < 0) {
            t->level = value[0];
        }
    }
}

static enum sl_status complete_vp(struct sl_track *t, const struct sl_buf *buf,
                                  struct sl_error *err)
{
    struct sl_vp_frame frame;
    struct sl_vpcc config;
    struct sl_writer w;
    enum sl_status status;

    if (sl_vpcc_parse(t->config, t->config_size, &config)) {
        return SL_OK;
    }
    status = t->codec == SL_CODEC_VP8 ? sl_vp8_parse(buf->data, buf->size, &frame, err)
                                      : sl_vp9_parse(buf->data, buf->size, &frame, err);
    if (status == SL_OK && !frame.key) {
        status = SL_EAGAIN;
    }
    if (status != SL_OK) {
        return status;
    }
    take_features(t);
    sl_vpcc_of(&frame, t, &config);
    sl_writer_init(&w, CONFIG_MAX);
    sl_vpcc_write(&config, &w);
    status = take_config(t, &w, SL_OK, err);
    if (status == SL_OK) {
        struct sl_track found = *t;
        found.width = (int32_t)frame.width;
        found.height = (int32_t)frame.height;
        found.bit_depth = frame.bit_depth;
        found.colour = config.colour;
        found.profile = frame.profile;
        found.level = config.level;
        fill(t, &found);
    }
    return status;
}

/* ---- sound ------------------------------------------------------------------------------- */

static void fill_sound(struct sl_track *t, uint32_t rate, unsigned channels)
{
    if (t->sample_rate <= 0) {
        t->sample_rate = rate <= INT32_MAX ? (int32_t)rate : 0;
    }
    if (t->channels <= 0) {
        t->channels = (int32_t)channels;
    }
}

static enum sl_status complete_aac(struct sl_track *t, const struct sl_buf *buf,
                                   struct sl_payload_form *form, struct sl_error *err)
{
    struct sl_aac_config config;
    struct sl_adts adts;
    struct sl_writer w;
    enum sl_status status;

    form->adts =
        sl_adts_parse(buf->data, buf->size, &adts, NULL) == SL_OK && adts.frame_size == buf->size;
    if (t->config_size == 0) {
        if (!form->adts) {
            return sl_fail(err, SL_EDATA, NULL,
                           "AAC with neither an AudioSpecificConfig nor ADTS headers");
        }
        sl_writer_init(&w, CONFIG_MAX);
        status = sl_adts_config(buf->data, buf->size, &w, err);
        status = take_config(t, &w, status, err);
        if (status != SL_OK) {
            return status;
        }
    }
    /* Object types that we cannot read further are none of our business here. */
    if (sl_aac_parse_config(t->config, t->config_size, &config, NULL) == SL_OK) {
        fill_sound(t, config.output_rate, config.channels);
        if (t->profile < 0) {
            t->profile = config.declared_type;
        }
    }
    return SL_OK;
}

static enum sl_status complete_ac3(struct sl_track *t, const struct sl_buf *buf,
                                   struct sl_error *err)
{
    struct sl_ac3_unit unit;
    struct sl_writer w;
    const bool enhanced = t->codec == SL_CODEC_EAC3;
    enum sl_status status;

    if (enhanced ? t->config_size >= 5 : t->config_size == 3) {
        return SL_OK; /* dec3, dac3 */
    }
    status = sl_ac3_parse_unit(buf->data, buf->size, &unit, err);
    if (status != SL_OK) {
        return status;
    }
    if (unit.first.enhanced != enhanced) {
        return sl_fail(err, SL_EDATA, NULL, "%s with a frame of bsid %u", sl_codec_name(t->codec),
                       unit.first.bsid);
    }
    sl_writer_init(&w, CONFIG_MAX);
    sl_ac3_write_config(&unit, &w);
    status = take_config(t, &w, SL_OK, err);
    if (status != SL_OK) {
        return status;
    }
    fill_sound(t, unit.first.sample_rate, unit.channels);
    if (t->channel_layout == 0 && t->channels == unit.channels) {
        t->channel_layout = unit.layout;
    }
    if (t->bitrate <= 0) {
        t->bitrate = unit.bit_rate;
    }
    return SL_OK;
}

static enum sl_status complete_mp3(struct sl_track *t, const struct sl_buf *buf,
                                   struct sl_error *err)
{
    struct sl_mpeg_audio frame;
    enum sl_status status = sl_mpeg_audio_parse(buf->data, buf->size, &frame, err);
    if (status == SL_OK) {
        fill_sound(t, frame.sample_rate, frame.channels);
    }
    return status;
}

/* Without a header only what RFC 7845 calls family 0 can be told: one stream, mono or stereo. */
static enum sl_status complete_opus(struct sl_track *t, const struct sl_buf *buf,
                                    struct sl_error *err)
{
    struct sl_opus_head head = {.input_rate = SL_OPUS_RATE, .streams = 1};
    struct sl_writer w;
    enum sl_status status = SL_OK;

    if (t->config_size == 0) {
        if (t->channels > 2 || buf->size == 0) {
            return sl_fail(err, SL_EDATA, NULL, "Opus of %d channels without its header",
                           t->channels);
        }
        head.channels = (uint8_t)(t->channels > 0 ? t->channels : buf->data[0] & 4 ? 2 : 1);
        head.coupled = head.channels == 2;
        head.pre_skip = t->delay > 0 && t->delay <= UINT16_MAX ? (uint16_t)t->delay : 0;
        sl_writer_init(&w, CONFIG_MAX);
        sl_opus_write_head(&head, &w);
        status = take_config(t, &w, SL_OK, err);
    }
    if (status == SL_OK) {
        status = sl_opus_parse(t->config, t->config_size, &head, err);
    }
    if (status == SL_OK) {
        fill_sound(t, SL_OPUS_RATE, head.channels);
    }
    return status;
}

static enum sl_status complete_flac(struct sl_track *t, struct sl_error *err)
{
    struct sl_flac_info info;
    enum sl_status status = sl_flac_parse(t->config, t->config_size, &info, err);
    if (status == SL_OK) {
        fill_sound(t, info.sample_rate, info.channels);
    }
    return status;
}

/* A muxer has to write both. */
static enum sl_status check_sound(const struct sl_track *t, struct sl_error *err)
{
    if (t->channels > 0 && t->sample_rate > 0) {
        return SL_OK;
    }
    return sl_fail(err, SL_EDATA, NULL, "%s of %d channels at %d Hz, expected 1 or more of each",
                   sl_codec_name(t->codec), t->channels, t->sample_rate);
}

enum sl_status sl_track_complete(struct sl_track *t, const struct sl_chain *payload,
                                 struct sl_payload_form *form, struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status status;

    *form = (struct sl_payload_form){0};
    status = sl_chain_load(payload, &buf, err);
    if (status != SL_OK) {
        return status;
    }
    switch (t->codec) {
    case SL_CODEC_H264:
    case SL_CODEC_HEVC:
        status = complete_nal(t, buf, form, err);
        break;
    case SL_CODEC_AV1:
        status = complete_av1(t, buf, err);
        break;
    case SL_CODEC_VP8:
    case SL_CODEC_VP9:
        status = complete_vp(t, buf, err);
        break;
    case SL_CODEC_AAC:
        status = complete_aac(t, buf, form, err);
        status = status == SL_OK ? check_sound(t, err) : status;
        break;
    case SL_CODEC_AC3:
    case SL_CODEC_EAC3:
        status = complete_ac3(t, buf, err);
        status = status == SL_OK ? check_sound(t, err) : status;
        break;
    case SL_CODEC_MP3:
        status = complete_mp3(t, buf, err);
        status = status == SL_OK ? check_sound(t, err) : status;
        break;
    case SL_CODEC_OPUS:
        status = complete_opus(t, buf, err);
        status = status == SL_OK ? check_sound(t, err) : status;
        break;
    case SL_CODEC_FLAC:
        status = complete_flac(t, err);
        status = status == SL_OK ? check_sound(t, err) : status;
        break;
    default:
        break;
    }
    sl_buf_unref(&buf);
    return status;
}
