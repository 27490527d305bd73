/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/adts.h"

#include <inttypes.h>

#include "base/bits.h"
#include "base/error.h"

#define PCE_MAX 512 /* bytes of a program config element and what is before it */

/* 4.4.1.1: copies a program_config_element() bit by bit; alignment is counted from the start of
 * the raw data block on one side, from that of the AudioSpecificConfig on the other. */
static void copy_program(struct sl_bit_reader *from, struct sl_bit_writer *to)
{
    unsigned counts[6];
    static const uint8_t widths[6] = {4, 4, 4, 2, 3, 4};
    static const uint8_t each[6] = {5, 5, 5, 4, 4, 5};

    sl_put_bits(to, 10, sl_bits_read(from, 10)); /* tag, object type, sampling frequency */
    for (unsigned i = 0; i < 6; i++) {           /* front, side, back, LFE, data, coupling */
        counts[i] = sl_bits_read(from, widths[i]);
        sl_put_bits(to, widths[i], counts[i]);
    }
    for (unsigned i = 0; i < 3; i++) { /* mono, stereo and matrix mixdown */
        const bool present = sl_bits_flag(from);
        sl_put_bits(to, 1, present);
        if (present) {
            const unsigned n = i == 2 ? 3 : 4;
            sl_put_bits(to, n, sl_bits_read(from, n));
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned k = 0; k < counts[i]; k++) {
            sl_put_bits(to, each[i], sl_bits_read(from, each[i]));
        }
    }
    sl_bits_skip(from, (8 - from->pos % 8) % 8);
    sl_put_align(to);
    const unsigned comment = sl_bits_read(from, 8);
    sl_put_bits(to, 8, comment);
    for (unsigned i = 0; i < comment; i++) {
        sl_put_bits(to, 8, sl_bits_read(from, 8));
    }
}

/* channel_configuration 0: the channels are told by a program config element, which then is the
 * first element of the first raw data block (1.6.3.4). */
static enum sl_status config_with_program(const struct sl_aac_config *config, const uint8_t *block,
                                          size_t size, struct sl_writer *out, struct sl_error *err)
{
    struct sl_bit_reader from;
    struct sl_bit_writer to;
    struct sl_writer core;
    enum sl_status status;

    sl_bits_init(&from, block, size);
    if (sl_bits_read(&from, 3) != 5 || from.overrun) { /* ID_PCE, table 4.85 */
        return SL_EAGAIN;
    }
    sl_writer_init(&core, 16);
    sl_aac_write_config(config, &core);
    status = sl_writer_finish(&core, err);
    if (status == SL_OK && core.size >= 2) {
        sl_write_u8(out, core.data[0]);
        sl_write_u8(out, core.data[1] & 0x80u); /* and a channelConfiguration of 0 */
        sl_bit_writer_init(&to, out);
        copy_program(&from, &to);
        status = from.overrun ? sl_fail(err, SL_EDATA, NULL,
                                        "the program config element of an ADTS frame is cut short")
                              : sl_writer_finish(out, err);
    }
    sl_writer_clear(&core);
    return status;
}

enum sl_status sl_adts_config(const uint8_t *data, size_t size, struct sl_writer *out,
                              struct sl_error *err)
{
    struct sl_adts adts;
    enum sl_status status = sl_adts_parse(data, size, &adts, err);
    if (status != SL_OK) {
        return status;
    }
    const struct sl_aac_config config = {.object_type = adts.object_type,
                                         .sample_rate = adts.sample_rate,
                                         .channel_config = adts.channel_config};
    if (adts.channel_config == 0) {
        const size_t head = adts.header_size < size ? adts.header_size : size;
        const size_t left = size - head < PCE_MAX ? size - head : PCE_MAX;
        return config_with_program(&config, data + head, left, out, err);
    }
    sl_aac_write_config(&config, out);
    return sl_writer_finish(out, err);
}

enum sl_status sl_adts_unwrap(struct sl_packet *p, struct sl_error *err)
{
    uint8_t head[SL_ADTS_HEADER];
    struct sl_adts adts;
    struct sl_chain rest;
    enum sl_status status;

    if (p->payload.size < SL_ADTS_HEADER) {
        return SL_OK;
    }
    status = sl_chain_read(&p->payload, 0, head, sizeof head, err);
    if (status != SL_OK || sl_adts_parse(head, sizeof head, &adts, NULL) != SL_OK) {
        return status;
    }
    if (adts.frame_size != p->payload.size) {
        return sl_fail(err, SL_EDATA, NULL,
                       "an ADTS frame of %u bytes in a packet of %" PRId64 " at dts %" PRId64,
                       adts.frame_size, p->payload.size, p->dts);
    }
    if (adts.blocks > 1) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL,
                       "an ADTS frame of %u raw data blocks, expected 1", adts.blocks);
    }
    sl_chain_init(&rest);
    status = sl_chain_add_chain(&rest, &p->payload, adts.header_size,
                                p->payload.size - adts.header_size, err);
    if (status == SL_OK) {
        sl_chain_clear(&p->payload);
        status = sl_chain_move(&p->payload, &rest, err);
    }
    sl_chain_clear(&rest);
    return status;
}
