/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/mpeg_audio.h"

#include "base/bits.h"
#include "base/error.h"

/* kbit/s by bitrate_index 1 to 14: layers I, II, III of MPEG-1, then I and II + III of MPEG-2 */
static const uint16_t bit_rates[5][14] = {
    {32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
    {32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
    {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
    {32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
    {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
};
static const uint16_t rates[3] = {44100, 48000, 32000};

enum sl_status sl_mpeg_audio_parse(const uint8_t *data, size_t size, struct sl_mpeg_audio *out,
                                   struct sl_error *err)
{
    static const uint8_t versions[4] = {3, 0, 2, 1}; /* 01 is reserved */
    struct sl_bit_reader b;

    *out = (struct sl_mpeg_audio){0};
    if (size < SL_MPEG_AUDIO_HEADER) {
        return sl_fail(err, SL_EDATA, NULL, "MPEG audio header of %zu bytes (4)", size);
    }
    sl_bits_init(&b, data, size);
    const unsigned sync = sl_bits_read(&b, 11);
    out->version = versions[sl_bits_read(&b, 2)];
    out->layer = (uint8_t)(4 - sl_bits_read(&b, 2));
    sl_bits_skip(&b, 1); /* protection_bit */
    const unsigned rate_index = sl_bits_read(&b, 4);
    const unsigned frequency = sl_bits_read(&b, 2);
    const bool padding = sl_bits_flag(&b);
    sl_bits_skip(&b, 1); /* private_bit */
    const unsigned mode = sl_bits_read(&b, 2);
    if (sync != 0x7ff || out->version == 0 || out->layer == 4 || rate_index == 15 ||
        frequency == 3) {
        return sl_fail(err, SL_EDATA, NULL, "%02x %02x %02x %02x is no MPEG audio header", data[0],
                       data[1], data[2], data[3]);
    }
    const bool first = out->version == 1;
    const unsigned table = first ? out->layer - 1u : out->layer == 1 ? 3 : 4;
    out->sample_rate = (uint32_t)rates[frequency] >> (out->version - 1);
    out->channels = mode == 3 ? 1 : 2;
    out->samples = out->layer == 1 ? 384 : out->layer == 2 || first ? 1152 : 576;
    if (rate_index == 0) {
        return SL_OK; /* free format */
    }
    out->bit_rate = bit_rates[table][rate_index - 1] * 1000u;
    /* 2.4.3.1: slots of one byte, in layer I of four */
    if (out->layer == 1) {
        out->frame_size = (12 * out->bit_rate / out->sample_rate + padding) * 4;
    } else {
        out->frame_size = out->samples / 8u * out->bit_rate / out->sample_rate + padding;
    }
    return SL_OK;
}
