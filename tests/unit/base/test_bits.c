/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/bits.h"
#include "unit.h"

static void test_read(void **state)
{
    static const uint8_t data[] = {0xA5, 0x0F, 0xFF, 0x00, 0x12, 0x34, 0x56, 0x78, 0x9A};
    struct sl_bit_reader b;

    (void)state;
    sl_bits_init(&b, data, sizeof(data));
    assert_int_equal(sl_bits_read(&b, 0), 0);
    assert_true(sl_bits_flag(&b));
    assert_false(sl_bits_flag(&b));
    assert_int_equal(sl_bits_read(&b, 6), 0x25);
    assert_int_equal(sl_bits_read(&b, 4), 0);
    assert_int_equal(sl_bits_read(&b, 32), 0xFFF00123); /* over five bytes */
    assert_int_equal(sl_bits_left(&b), 9 * 8 - 44);
    sl_bits_skip(&b, 4);
    assert_int_equal(sl_bits_read(&b, 24), 0x56789A);
    assert_int_equal(sl_bits_left(&b), 0);
    assert_false(b.overrun);
    assert_int_equal(sl_bits_read(&b, 1), 0);
    assert_true(b.overrun);
    sl_bits_init(&b, data, 4);
    assert_int_equal(sl_bits_read(&b, 32), 0xA50FFF00);
    sl_bits_init(&b, data, 1);
    sl_bits_skip(&b, SIZE_MAX);
    assert_true(b.overrun);
    assert_int_equal(b.pos, 8);
    sl_bits_init(&b, NULL, 0);
    assert_false(sl_bits_flag(&b));
    assert_true(b.overrun);
}

static void test_golomb(void **state)
{
    static const uint32_t unsigned_values[] = {
        0,     1,     2,     3,          7,          8,          254,       255,
        65534, 65535, 99999, 0x7FFFFFFE, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF};
    static const int32_t signed_values[] = {0,   1,    -1,    2,         -2,        17,
                                            -17, 1000, -1000, INT32_MAX, -INT32_MAX};
    struct sl_writer w;
    struct sl_bit_writer out;
    struct sl_bit_reader b;

    (void)state;
    sl_writer_init(&w, 1000);
    sl_bit_writer_init(&out, &w);
    for (size_t i = 0; i < sizeof(unsigned_values) / sizeof(unsigned_values[0]); i++)
        sl_put_ue(&out, unsigned_values[i]);
    for (size_t i = 0; i < sizeof(signed_values) / sizeof(signed_values[0]); i++)
        sl_put_se(&out, signed_values[i]);
    sl_put_trailing(&out);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    sl_bits_init(&b, w.data, w.size);
    for (size_t i = 0; i < sizeof(unsigned_values) / sizeof(unsigned_values[0]); i++) {
        assert_true(sl_bits_more_rbsp(&b));
        assert_int_equal(sl_bits_ue(&b), unsigned_values[i]);
    }
    for (size_t i = 0; i < sizeof(signed_values) / sizeof(signed_values[0]); i++) {
        assert_true(sl_bits_more_rbsp(&b));
        assert_int_equal(sl_bits_se(&b), signed_values[i]);
    }
    assert_false(sl_bits_more_rbsp(&b));
    assert_false(b.overrun);

    sl_put_se(&out, INT32_MIN);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_EINVAL);
    sl_writer_clear(&w);
}

/* Table 9-2 of ITU-T H.264 */
static void test_golomb_table(void **state)
{
    static const uint8_t bits[] = {0xA6, 0x42, 0x98, 0xE2, 0x04, 0x8A};
    struct sl_bit_reader b;

    (void)state;
    /* 1 010 011 00100 00101 00110 00111 0001000 0001001 0001010 */
    sl_bits_init(&b, bits, sizeof(bits));
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(sl_bits_ue(&b), i);
    assert_false(b.overrun);
}

static void test_golomb_damaged(void **state)
{
    static const uint8_t zeros[20] = {0};
    static const uint8_t cut[] = {0x00, 0x01};                       /* 15 zeros, 1, nothing */
    static const uint8_t huge[] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0x80}; /* 2^32 */
    static const uint8_t largest[] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0}; /* 2^32 - 1 */
    struct sl_bit_reader b;

    (void)state;
    sl_bits_init(&b, zeros, sizeof(zeros));
    assert_int_equal(sl_bits_ue(&b), 0);
    assert_true(b.overrun);
    sl_bits_init(&b, zeros, 2);
    assert_int_equal(sl_bits_ue(&b), 0);
    assert_true(b.overrun);
    sl_bits_init(&b, cut, sizeof(cut));
    assert_int_equal(sl_bits_ue(&b), 0);
    assert_true(b.overrun);
    sl_bits_init(&b, huge, sizeof(huge));
    assert_int_equal(sl_bits_ue(&b), 0);
    assert_true(b.overrun);
    sl_bits_init(&b, largest, sizeof(largest));
    assert_int_equal(sl_bits_ue(&b), UINT32_MAX);
    assert_false(b.overrun);
    sl_bits_init(&b, largest, sizeof(largest));
    assert_int_equal(sl_bits_se(&b), 0);
    assert_true(b.overrun);
}

static void test_more_rbsp(void **state)
{
    static const uint8_t stop[] = {0xC0, 0x80, 0x00, 0x00};
    struct sl_bit_reader b;

    (void)state;
    sl_bits_init(&b, stop, sizeof(stop)); /* cabac_zero_words do not count */
    sl_bits_skip(&b, 7);
    assert_true(sl_bits_more_rbsp(&b));
    sl_bits_skip(&b, 1);
    assert_false(sl_bits_more_rbsp(&b));
    sl_bits_init(&b, stop, 1);
    assert_true(sl_bits_more_rbsp(&b));
    sl_bits_skip(&b, 1);
    assert_false(sl_bits_more_rbsp(&b));
    sl_bits_init(&b, stop + 2, 2);
    assert_false(sl_bits_more_rbsp(&b));
    sl_bits_init(&b, NULL, 0);
    assert_false(sl_bits_more_rbsp(&b));
    sl_bits_init(&b, stop, 1);
    sl_bits_skip(&b, 9);
    assert_false(sl_bits_more_rbsp(&b));
}

/* Every width at every bit position. */
static void test_round_trip(void **state)
{
    struct sl_writer w;
    struct sl_bit_writer out;
    struct sl_bit_reader b;

    (void)state;
    sl_writer_init(&w, 10000);
    sl_bit_writer_init(&out, &w);
    for (unsigned n = 0; n <= 32; n++) {
        for (unsigned shift = 0; shift < 8; shift++) {
            sl_put_bits(&out, shift, 0xFF);
            sl_put_bits(&out, n, 0x9ABCDEF5u); /* bits above n must not leak in */
        }
    }
    sl_put_align(&out);
    sl_put_align(&out);
    assert_int_equal(out.used, 0);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    sl_bits_init(&b, w.data, w.size);
    for (unsigned n = 0; n <= 32; n++) {
        for (unsigned shift = 0; shift < 8; shift++) {
            uint32_t mask = n == 32 ? UINT32_MAX : (1u << n) - 1;

            assert_int_equal(sl_bits_read(&b, shift), (1u << shift) - 1);
            assert_int_equal(sl_bits_read(&b, n), 0x9ABCDEF5u & mask);
        }
    }
    assert_true(sl_bits_left(&b) < 8);
    assert_false(b.overrun);
    sl_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),         cmocka_unit_test(test_golomb),
        cmocka_unit_test(test_golomb_table), cmocka_unit_test(test_golomb_damaged),
        cmocka_unit_test(test_more_rbsp),    cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
