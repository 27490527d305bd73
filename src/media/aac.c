/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/aac.h"

#include "base/bits.h"
#include "base/error.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Audio object types, ISO/IEC 14496-3 table 1.17. */
enum {
    AOT_LC = 2,
    AOT_LTP = 4,
    AOT_SBR = 5,
    AOT_SCALABLE = 6,
    AOT_TWINVQ = 7,
    AOT_ER_LC = 17,
    AOT_ER_LTP = 19,
    AOT_ER_SCAL = 20,
    AOT_ER_TWINVQ = 21,
    AOT_ER_BSAC = 22,
    AOT_ER_LD = 23,
    AOT_PS = 29,
    AOT_ESCAPE = 31,
    AOT_ER_ELD = 39,
};

/* Table 1.18; 13 and 14 are reserved, 15 is an escape. */
static const uint32_t rates[13] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                   22050, 16000, 12000, 11025, 8000,  7350};
#define RATE_ESCAPE 15

/* Table 1.19: channels of channelConfiguration; 0 where it is reserved (or a program config
 * element tells). */
static const uint8_t channel_counts[16] = {0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0};

static unsigned read_object_type(struct sl_bit_reader *b)
{
    const unsigned type = sl_bits_read(b, 5);
    return type == AOT_ESCAPE ? 32 + sl_bits_read(b, 6) : type;
}

/* 0: reserved */
static uint32_t read_rate(struct sl_bit_reader *b)
{
    const unsigned index = sl_bits_read(b, 4);
    if (index == RATE_ESCAPE) {
        return sl_bits_read(b, 24);
    }
    return index < COUNT(rates) ? rates[index] : 0;
}

/* 4.4.1.1: program_config_element(). Returns the number of channels. */
static unsigned read_program(struct sl_bit_reader *b)
{
    unsigned channels = 0;

    sl_bits_skip(b, 4 + 2 + 4); /* element_instance_tag, object_type, sampling_frequency_index */
    const unsigned front = sl_bits_read(b, 4);
    const unsigned side = sl_bits_read(b, 4);
    const unsigned back = sl_bits_read(b, 4);
    const unsigned lfe = sl_bits_read(b, 2);
    const unsigned data = sl_bits_read(b, 3);
    const unsigned coupling = sl_bits_read(b, 4);
    if (sl_bits_flag(b)) { /* mono_mixdown_present */
        sl_bits_skip(b, 4);
    }
    if (sl_bits_flag(b)) { /* stereo_mixdown_present */
        sl_bits_skip(b, 4);
    }
    if (sl_bits_flag(b)) { /* matrix_mixdown_idx_present */
        sl_bits_skip(b, 3);
    }
    for (unsigned i = 0; i < front + side + back; i++) {
        channels += sl_bits_flag(b) ? 2 : 1; /* element_is_cpe */
        sl_bits_skip(b, 4);
    }
    channels += lfe;
    sl_bits_skip(b, 4 * (size_t)lfe + 4 * (size_t)data + 5 * (size_t)coupling);
    sl_bits_skip(b, (8 - b->pos % 8) % 8); /* byte_alignment() from the start of the config */
    const unsigned comment = sl_bits_read(b, 8);
    sl_bits_skip(b, 8 * (size_t)comment); /* comment_field_data */
    return channels;
}

static bool is_resilient(unsigned type)
{
    return type == AOT_ER_LC || (type >= AOT_ER_LTP && type <= AOT_ER_LD);
}

static bool is_general_audio(unsigned type)
{
    return (type >= 1 && type <= AOT_LTP) || type == AOT_SCALABLE || type == AOT_TWINVQ ||
           is_resilient(type);
}

/* 4.4.1: GASpecificConfig(), and epConfig, which follows it for the error resilient types */
static enum sl_status read_general(struct sl_bit_reader *b, struct sl_aac_config *c,
                                   struct sl_error *err)
{
    const unsigned type = c->object_type;

    const bool short_frame = sl_bits_flag(b); /* frameLengthFlag */
    if (type == AOT_ER_LD) {
        c->frame_samples = short_frame ? 480 : 512;
    } else {
        c->frame_samples = short_frame ? 960 : 1024;
    }
    if (sl_bits_flag(b)) { /* dependsOnCoreCoder */
        sl_bits_skip(b, 14);
    }
    const bool extension = sl_bits_flag(b);
    if (c->channel_config == 0) {
        const unsigned channels = read_program(b);
        if (channels > UINT8_MAX) {
            return sl_fail(err, SL_EDATA, NULL, "AudioSpecificConfig with %u channels", channels);
        }
        c->channels = (uint8_t)channels;
    }
    if (type == AOT_SCALABLE || type == AOT_ER_SCAL) {
        sl_bits_skip(b, 3); /* layerNr */
    }
    if (extension) {
        if (type == AOT_ER_BSAC) {
            sl_bits_skip(b, 5 + 11); /* numOfSubFrame, layer_length */
        }
        if (type == AOT_ER_LC || type == AOT_ER_LTP || type == AOT_ER_SCAL || type == AOT_ER_LD) {
            sl_bits_skip(b, 3); /* resilience flags */
        }
        sl_bits_skip(b, 1); /* extensionFlag3 */
    }
    if (is_resilient(type)) {
        sl_bits_skip(b, 2); /* epConfig */
    }
    return SL_OK;
}

/* 1.6.2.1, the end: SBR and PS signalled so that decoders which know neither can pass over it. */
static void read_sync_extension(struct sl_bit_reader *b, struct sl_aac_config *c)
{
    if (sl_bits_left(b) < 16 || sl_bits_read(b, 11) != 0x2b7) {
        return;
    }
    if (read_object_type(b) != AOT_SBR || !sl_bits_flag(b)) {
        return;
    }
    const uint32_t rate = read_rate(b);
    if (b->overrun || rate == 0) {
        return; /* cut short: what came before is whole */
    }
    c->sbr = true;
    c->output_rate = rate;
    if (sl_bits_left(b) >= 12 && sl_bits_read(b, 11) == 0x548) {
        c->ps = sl_bits_flag(b);
    }
}

static enum sl_status check_rate(uint32_t rate, const struct sl_bit_reader *b, struct sl_error *err)
{
    if (rate == 0 && !b->overrun) {
        return sl_fail(err, SL_EDATA, NULL, "AudioSpecificConfig without a valid sampling rate");
    }
    return SL_OK;
}

enum sl_status sl_aac_parse_config(const uint8_t *data, size_t size, struct sl_aac_config *out,
                                   struct sl_error *err)
{
    struct sl_bit_reader b;
    struct sl_aac_config *c = out;
    enum sl_status status;

    *c = (struct sl_aac_config){0};
    sl_bits_init(&b, data, size);
    c->declared_type = (uint8_t)read_object_type(&b);
    c->object_type = c->declared_type;
    c->sample_rate = read_rate(&b);
    c->output_rate = c->sample_rate;
    c->channel_config = (uint8_t)sl_bits_read(&b, 4);
    c->channels = channel_counts[c->channel_config];
    status = check_rate(c->sample_rate, &b, err);
    if (status != SL_OK) {
        return status;
    }
    if (c->object_type == AOT_SBR || c->object_type == AOT_PS) {
        c->sbr = true;
        c->ps = c->object_type == AOT_PS;
        c->output_rate = read_rate(&b);
        status = check_rate(c->output_rate, &b, err);
        if (status != SL_OK) {
            return status;
        }
        c->object_type = (uint8_t)read_object_type(&b);
        if (c->object_type == AOT_ER_BSAC) {
            sl_bits_skip(&b, 4); /* extensionChannelConfiguration */
        }
    }
    if (b.overrun) {
        return sl_fail(err, SL_EDATA, NULL, "AudioSpecificConfig of %zu bytes is cut short", size);
    }
    if (c->object_type == AOT_ER_ELD) {
        c->frame_samples = sl_bits_flag(&b) ? 480 : 512; /* ELDSpecificConfig() */
    } else if (is_general_audio(c->object_type)) {
        status = read_general(&b, c, err);
        if (status != SL_OK) {
            return status;
        }
    } else {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "audio object type %u in an AudioSpecificConfig",
                       c->object_type);
    }
    if (b.overrun) {
        return sl_fail(err, SL_EDATA, NULL, "AudioSpecificConfig of %zu bytes is cut short", size);
    }
    if (!c->sbr && c->object_type != AOT_ER_ELD) {
        read_sync_extension(&b, c);
    }
    return SL_OK;
}

/* Index into rates, or RATE_ESCAPE. */
static unsigned rate_index(uint32_t rate)
{
    unsigned i = 0;
    while (i < COUNT(rates) && rates[i] != rate) {
        i++;
    }
    return i < COUNT(rates) ? i : RATE_ESCAPE;
}

/* Where only the number of channels is known: the layout of table 1.19 that has as many. */
static unsigned channel_config_of(const struct sl_aac_config *c)
{
    if (c->channel_config != 0) {
        return c->channel_config;
    }
    return c->channels == 8 ? 7 : c->channels <= 6 ? c->channels : 0;
}

void sl_aac_write_config(const struct sl_aac_config *config, struct sl_writer *out)
{
    struct sl_bit_writer b;
    const unsigned index = rate_index(config->sample_rate);

    sl_bit_writer_init(&b, out);
    sl_put_bits(&b, 5, config->object_type);
    sl_put_bits(&b, 4, index);
    if (index == RATE_ESCAPE) {
        sl_put_bits(&b, 24, config->sample_rate);
    }
    sl_put_bits(&b, 4, channel_config_of(config));
    sl_put_bits(&b, 1, config->frame_samples == 960);
    sl_put_bits(&b, 2, 0); /* dependsOnCoreCoder, extensionFlag */
    sl_put_align(&b);
}

enum sl_status sl_adts_parse(const uint8_t *data, size_t size, struct sl_adts *out,
                             struct sl_error *err)
{
    struct sl_bit_reader b;

    *out = (struct sl_adts){0};
    sl_bits_init(&b, data, size);
    if (size < SL_ADTS_HEADER) {
        return sl_fail(err, SL_EDATA, NULL, "ADTS header of %zu bytes (7)", size);
    }
    const unsigned sync = sl_bits_read(&b, 12);
    sl_bits_skip(&b, 1); /* ID: MPEG-2 or MPEG-4, the same otherwise */
    const unsigned layer = sl_bits_read(&b, 2);
    if (sync != 0xfff || layer != 0) {
        return sl_fail(err, SL_EDATA, NULL,
                       "ADTS header begins with %02x %02x (ff f0, f1, f8 or f9)", data[0], data[1]);
    }
    const bool crc = !sl_bits_flag(&b);
    out->object_type = (uint8_t)(1 + sl_bits_read(&b, 2));
    const unsigned index = sl_bits_read(&b, 4);
    if (index >= COUNT(rates)) {
        return sl_fail(err, SL_EDATA, NULL, "ADTS sampling_frequency_index %u (0 to 12)", index);
    }
    out->sample_rate = rates[index];
    sl_bits_skip(&b, 1); /* private_bit */
    out->channel_config = (uint8_t)sl_bits_read(&b, 3);
    sl_bits_skip(&b, 4); /* original, home, copyright */
    out->frame_size = (uint16_t)sl_bits_read(&b, 13);
    sl_bits_skip(&b, 11); /* buffer fullness */
    out->blocks = (uint8_t)(1 + sl_bits_read(&b, 2));
    /* With CRC: the positions of all blocks but the first, then the check itself. */
    out->header_size = (uint8_t)(SL_ADTS_HEADER + (crc ? 2 * out->blocks : 0));
    if (out->frame_size < out->header_size) {
        return sl_fail(err, SL_EDATA, NULL, "ADTS frame of %u bytes with a header of %u",
                       out->frame_size, out->header_size);
    }
    return SL_OK;
}

enum sl_status sl_adts_write(const struct sl_aac_config *config, size_t payload,
                             uint8_t out[SL_ADTS_HEADER], struct sl_error *err)
{
    const unsigned index = rate_index(config->sample_rate);
    const unsigned channels = config->channel_config;

    if (index == RATE_ESCAPE) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "ADTS has no number for %u Hz",
                       (unsigned)config->sample_rate);
    }
    if (config->object_type < 1 || config->object_type > AOT_LTP) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "ADTS with audio object type %u (1 to 4)",
                       config->object_type);
    }
    if (channels < 1 || channels > 7) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "ADTS with channel configuration %u (1 to 7)",
                       channels);
    }
    if (config->frame_samples == 960) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "ADTS with frames of 960 samples (1024)");
    }
    if (payload > 0x1fff - SL_ADTS_HEADER) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "ADTS frame of %zu bytes (at most %d)", payload,
                       0x1fff - SL_ADTS_HEADER);
    }
    const unsigned size = (unsigned)payload + SL_ADTS_HEADER;
    out[0] = 0xff;
    out[1] = 0xf1; /* MPEG-4, layer 0, no CRC */
    out[2] = (uint8_t)((config->object_type - 1u) << 6 | index << 2 | channels >> 2);
    out[3] = (uint8_t)((channels & 3) << 6 | size >> 11);
    out[4] = (uint8_t)(size >> 3);
    out[5] = (uint8_t)((size & 7) << 5 | 0x1f); /* adts_buffer_fullness 0x7ff: variable rate */
    out[6] = 0xfc;                              /* … and one raw data block */
    return SL_OK;
}
