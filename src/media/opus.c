/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/opus.h"

#include <string.h>

#include "base/error.h"

static const char magic[8] = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd'};

enum sl_status sl_opus_parse(const uint8_t *data, size_t size, struct sl_opus_head *out,
                             struct sl_error *err)
{
    struct sl_reader r;
    const bool named = size >= sizeof magic && !memcmp(data, magic, sizeof magic);

    *out = (struct sl_opus_head){0};
    sl_reader_init(&r, data, size);
    sl_read_skip(&r, named ? sizeof magic : 0);
    const unsigned version = sl_read_u8(&r);
    out->channels = sl_read_u8(&r);
    out->pre_skip = named ? sl_read_le16(&r) : sl_read_be16(&r);
    out->input_rate = named ? sl_read_le32(&r) : sl_read_be32(&r);
    out->gain = named ? sl_read_le16(&r) : sl_read_be16(&r);
    out->family = sl_read_u8(&r);
    if (r.overrun) {
        return sl_fail(err, SL_EDATA, NULL, "an Opus header of %zu bytes", size);
    }
    /* 5.1: the upper four bits of the version are incompatible changes; dOps has version 0 */
    if (named ? version > 15 : version != 0) {
        return sl_fail(err, SL_EDATA, NULL, "an Opus header of version %u", version);
    }
    if (out->channels == 0 || (out->family == 0 && out->channels > 2)) {
        return sl_fail(err, SL_EDATA, NULL, "an Opus header with %u channels in mapping family %u",
                       out->channels, out->family);
    }
    out->streams = 1;
    out->coupled = out->channels == 2;
    if (out->family > 0) {
        out->streams = sl_read_u8(&r);
        out->coupled = sl_read_u8(&r);
        for (unsigned i = 0; i < out->channels; i++) {
            out->mapping[i] = sl_read_u8(&r);
        }
        if (r.overrun || out->streams == 0 || out->coupled > out->streams) {
            return sl_fail(err, SL_EDATA, NULL, "an Opus header with %u streams, %u of them stereo",
                           out->streams, out->coupled);
        }
    }
    return SL_OK;
}

static void write_mapping(const struct sl_opus_head *h, struct sl_writer *out)
{
    sl_write_u8(out, h->family);
    if (h->family > 0) {
        sl_write_u8(out, h->streams);
        sl_write_u8(out, h->coupled);
        sl_write_bytes(out, h->mapping, h->channels);
    }
}

void sl_opus_write_dops(const struct sl_opus_head *h, struct sl_writer *out)
{
    sl_write_u8(out, 0);
    sl_write_u8(out, h->channels);
    sl_write_be16(out, h->pre_skip);
    sl_write_be32(out, h->input_rate);
    sl_write_be16(out, h->gain);
    write_mapping(h, out);
}

void sl_opus_write_head(const struct sl_opus_head *h, struct sl_writer *out)
{
    sl_write_bytes(out, magic, sizeof magic);
    sl_write_u8(out, 1);
    sl_write_u8(out, h->channels);
    sl_write_le16(out, h->pre_skip);
    sl_write_le32(out, h->input_rate);
    sl_write_le16(out, h->gain);
    write_mapping(h, out);
}

unsigned sl_opus_samples(const uint8_t *data, size_t size)
{
    unsigned frame, count;

    if (size == 0) {
        return 0;
    }
    const unsigned config = data[0] >> 3; /* table 2 */
    if (config < 12) {                    /* SILK: 10, 20, 40, 60 ms */
        static const uint16_t silk[4] = {480, 960, 1920, 2880};
        frame = silk[config & 3];
    } else if (config < 16) { /* hybrid: 10, 20 ms */
        frame = 480u << (config & 1);
    } else { /* CELT: 2.5, 5, 10, 20 ms */
        frame = 120u << (config & 3);
    }
    switch (data[0] & 3) { /* 3.2 */
    case 0:
        count = 1;
        break;
    case 1:
    case 2:
        count = 2;
        break;
    default:
        count = size > 1 ? data[1] & 63 : 0;
        break;
    }
    return frame * count <= SL_OPUS_SAMPLES_MAX ? frame * count : 0;
}
