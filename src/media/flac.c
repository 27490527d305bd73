/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/flac.h"

#include <string.h>

#include "base/bits.h"
#include "base/error.h"

static enum sl_status read_info(struct sl_flac_info *out, struct sl_error *err)
{
    struct sl_bit_reader b;

    sl_bits_init(&b, out->raw, SL_FLAC_STREAMINFO);
    out->block_min = (uint16_t)sl_bits_read(&b, 16);
    out->block_max = (uint16_t)sl_bits_read(&b, 16);
    sl_bits_skip(&b, 24 + 24); /* frame sizes */
    out->sample_rate = sl_bits_read(&b, 20);
    out->channels = (uint8_t)(1 + sl_bits_read(&b, 3));
    out->bit_depth = (uint8_t)(1 + sl_bits_read(&b, 5));
    out->samples = (uint64_t)sl_bits_read(&b, 4) << 32;
    out->samples |= sl_bits_read(&b, 32);
    if (out->sample_rate == 0 || out->block_max < 16 || out->block_min > out->block_max) {
        return sl_fail(err, SL_EDATA, NULL,
                       "a FLAC STREAMINFO of %u Hz with blocks of %u to %u samples",
                       (unsigned)out->sample_rate, out->block_min, out->block_max);
    }
    return SL_OK;
}

enum sl_status sl_flac_parse(const uint8_t *config, size_t size, struct sl_flac_info *out,
                             struct sl_error *err)
{
    struct sl_reader r;

    *out = (struct sl_flac_info){0};
    if (size == SL_FLAC_STREAMINFO && memcmp(config, "fLaC", 4) != 0) {
        out->raw = config;
        return read_info(out, err);
    }
    sl_reader_init(&r, config, size);
    if (size >= 4 && (!memcmp(config, "fLaC", 4) || !memcmp(config, "\0\0\0\0", 4))) {
        sl_read_skip(&r, 4);
    }
    /* 8.1: the first block is STREAMINFO */
    const unsigned type = sl_read_u8(&r) & 0x7f;
    const uint32_t length = sl_read_be24(&r);
    out->raw = sl_read_bytes(&r, SL_FLAC_STREAMINFO);
    if (r.overrun || type != 0 || length != SL_FLAC_STREAMINFO) {
        return sl_fail(err, SL_EDATA, NULL, "a FLAC configuration of %zu bytes without STREAMINFO",
                       size);
    }
    return read_info(out, err);
}

void sl_flac_write_dfla(const struct sl_flac_info *info, struct sl_writer *out)
{
    sl_write_be32(out, 0);  /* version, flags */
    sl_write_u8(out, 0x80); /* the last block, STREAMINFO */
    sl_write_be24(out, SL_FLAC_STREAMINFO);
    sl_write_bytes(out, info->raw, SL_FLAC_STREAMINFO);
}
