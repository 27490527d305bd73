/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bits.h"

void sl_bits_init(struct sl_bit_reader *b, const void *data, size_t size)
{
    if (size > SIZE_MAX / 8) {
        size = SIZE_MAX / 8;
    }
    *b = (struct sl_bit_reader){.data = data, .size = size};
}

size_t sl_bits_left(const struct sl_bit_reader *b)
{
    return b->size * 8 - b->pos;
}

static bool take(struct sl_bit_reader *b, size_t n)
{
    if (n <= sl_bits_left(b)) {
        return true;
    }
    b->pos = b->size * 8;
    b->overrun = true;
    return false;
}

uint32_t sl_bits_read(struct sl_bit_reader *b, unsigned n)
{
    size_t first, last;
    uint64_t v = 0;

    if (n == 0 || n > 32 || !take(b, n)) {
        return 0;
    }
    first = b->pos / 8;
    last = (b->pos + n - 1) / 8; /* at most four bytes further */
    for (size_t i = first; i <= last; i++) {
        v = v << 8 | b->data[i];
    }
    b->pos += n;
    v >>= (last + 1) * 8 - b->pos;
    return (uint32_t)(v & ((UINT64_C(1) << n) - 1));
}

bool sl_bits_flag(struct sl_bit_reader *b)
{
    return sl_bits_read(b, 1) != 0;
}

void sl_bits_skip(struct sl_bit_reader *b, size_t n)
{
    if (take(b, n)) {
        b->pos += n;
    }
}

static void refuse(struct sl_bit_reader *b)
{
    b->pos = b->size * 8;
    b->overrun = true;
}

/* ITU-T H.264 9.1: codeNum = 2^zeros - 1 + the following "zeros" bits. */
uint32_t sl_bits_ue(struct sl_bit_reader *b)
{
    unsigned zeros = 0;
    uint64_t v;

    while (!sl_bits_flag(b)) {
        if (b->overrun || ++zeros > 32) {
            refuse(b);
            return 0;
        }
    }
    v = (UINT64_C(1) << zeros) - 1 + sl_bits_read(b, zeros);
    if (v > UINT32_MAX) {
        refuse(b);
        return 0;
    }
    return b->overrun ? 0 : (uint32_t)v;
}

/* ITU-T H.264 9.1.1: 1, -1, 2, -2 … for codeNum 1, 2, 3, 4 … */
int32_t sl_bits_se(struct sl_bit_reader *b)
{
    uint32_t k = sl_bits_ue(b);

    if (k == UINT32_MAX) { /* 2^31 has no int32_t */
        refuse(b);
        return 0;
    }
    return k & 1 ? (int32_t)(k / 2 + 1) : -(int32_t)(k / 2);
}

bool sl_bits_more_rbsp(const struct sl_bit_reader *b)
{
    size_t size = b->size, last;

    if (b->overrun) {
        return false;
    }
    while (size > 0 && b->data[size - 1] == 0) { /* cabac_zero_words and padding */
        size--;
    }
    if (size == 0) {
        return false;
    }
    last = size * 8 - 1;
    for (unsigned v = b->data[size - 1]; !(v & 1); v >>= 1) {
        last--;
    }
    return b->pos < last; /* last is rbsp_stop_one_bit */
}

void sl_bit_writer_init(struct sl_bit_writer *b, struct sl_writer *out)
{
    *b = (struct sl_bit_writer){.out = out};
}

void sl_put_bits(struct sl_bit_writer *b, unsigned n, uint32_t v)
{
    while (n > 0) {
        unsigned room = 8 - b->used, part = n < room ? n : room;
        unsigned bits = (v >> (n - part)) & ((1u << part) - 1);

        b->byte = (uint8_t)(b->byte | bits << (room - part));
        b->used += part;
        n -= part;
        if (b->used == 8) {
            sl_write_u8(b->out, b->byte);
            b->byte = 0;
            b->used = 0;
        }
    }
}

void sl_put_ue(struct sl_bit_writer *b, uint32_t v)
{
    uint64_t code = (uint64_t)v + 1;
    unsigned length = 0;

    while (code >> length > 1) {
        length++;
    }
    sl_put_bits(b, length, 0);
    if (length == 32) { /* UINT32_MAX: 33 bits */
        sl_put_bits(b, 1, 1);
        sl_put_bits(b, 32, 0);
    } else {
        sl_put_bits(b, length + 1, (uint32_t)code);
    }
}

void sl_put_se(struct sl_bit_writer *b, int32_t v)
{
    if (v == INT32_MIN) { /* codeNum 2^32 has no uint32_t, and no syntax element needs it */
        if (b->out->status == SL_OK) {
            b->out->status = SL_EINVAL;
        }
        return;
    }
    sl_put_ue(b, v > 0 ? (uint32_t)v * 2 - 1 : (uint32_t)-v * 2);
}

void sl_put_trailing(struct sl_bit_writer *b)
{
    sl_put_bits(b, 1, 1);
    sl_put_align(b);
}

void sl_put_align(struct sl_bit_writer *b)
{
    if (b->used > 0) {
        sl_put_bits(b, 8 - b->used, 0);
    }
}
