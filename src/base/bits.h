/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits, most significant first, with the Exp-Golomb codes of ITU-T H.264 9.1. */
#ifndef SL_BASE_BITS_H
#define SL_BASE_BITS_H

#include "base/bytes.h"

struct sl_bit_reader {
    const uint8_t *data;
    size_t size; /* bytes */
    size_t pos;  /* bits */
    bool overrun;
};

void sl_bits_init(struct sl_bit_reader *b, const void *data, size_t size);
size_t sl_bits_left(const struct sl_bit_reader *b);
uint32_t sl_bits_read(struct sl_bit_reader *b, unsigned n); /* n: 0 to 32 */
bool sl_bits_flag(struct sl_bit_reader *b);
void sl_bits_skip(struct sl_bit_reader *b, size_t n);
/* ue(v) and se(v). A code longer than 32 leading zeros sets overrun. */
uint32_t sl_bits_ue(struct sl_bit_reader *b);
int32_t sl_bits_se(struct sl_bit_reader *b);
/* more_rbsp_data() of H.264 7.2 */
bool sl_bits_more_rbsp(const struct sl_bit_reader *b);

/* Writes into an sl_writer; the last byte is kept here until it is whole. */
struct sl_bit_writer {
    struct sl_writer *out;
    uint8_t byte;
    unsigned used; /* bits in byte, 0 to 7 */
};

void sl_bit_writer_init(struct sl_bit_writer *b, struct sl_writer *out);
void sl_put_bits(struct sl_bit_writer *b, unsigned n, uint32_t v); /* n: 0 to 32 */
void sl_put_ue(struct sl_bit_writer *b, uint32_t v);
void sl_put_se(struct sl_bit_writer *b, int32_t v);
/* rbsp_trailing_bits(): a one, then zeros to the next byte. */
void sl_put_trailing(struct sl_bit_writer *b);
/* Zeros to the next byte; nothing if already there. */
void sl_put_align(struct sl_bit_writer *b);

#endif
