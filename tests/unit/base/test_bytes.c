/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/bytes.h"
#include "unit.h"

static const uint8_t sample[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF};

static void test_read(void **state)
{
    struct sl_reader r;

    (void)state;
    sl_reader_init(&r, sample, sizeof(sample));
    assert_int_equal(sl_read_be64(&r), 0x0123456789ABCDEF);
    assert_int_equal(sl_reader_left(&r), 0);
    assert_false(r.overrun);
    sl_reader_init(&r, sample, sizeof(sample));
    assert_int_equal(sl_read_le64(&r), 0xEFCDAB8967452301);
    sl_reader_init(&r, sample, sizeof(sample));
    assert_int_equal(sl_read_u8(&r), 0x01);
    assert_int_equal(sl_read_be16(&r), 0x2345);
    assert_int_equal(sl_read_be24(&r), 0x6789AB);
    assert_int_equal(sl_read_le16(&r), 0xEFCD);
    assert_false(r.overrun);
    sl_reader_init(&r, sample, sizeof(sample));
    assert_int_equal(sl_read_be32(&r), 0x01234567);
    assert_int_equal(sl_read_le32(&r), 0xEFCDAB89);
    sl_reader_init(&r, sample, sizeof(sample));
    assert_ptr_equal(sl_read_bytes(&r, 3), sample);
    sl_read_skip(&r, 4);
    assert_int_equal(sl_read_u8(&r), 0xEF);
    assert_false(r.overrun);
}

static void test_overrun(void **state)
{
    struct sl_reader r;

    (void)state;
    sl_reader_init(&r, sample, 3);
    assert_int_equal(sl_read_be32(&r), 0);
    assert_true(r.overrun);
    assert_int_equal(r.pos, 3);
    assert_int_equal(sl_read_u8(&r), 0);
    assert_int_equal(sl_reader_left(&r), 0);

    sl_reader_init(&r, sample, 3);
    assert_null(sl_read_bytes(&r, SIZE_MAX));
    assert_true(r.overrun);
    sl_reader_init(&r, sample, 3);
    sl_read_skip(&r, 4);
    assert_true(r.overrun);

    sl_reader_init(&r, NULL, 0);
    assert_non_null(sl_read_bytes(&r, 0));
    assert_false(r.overrun);
    assert_int_equal(sl_read_be64(&r), 0);
    assert_true(r.overrun);
    assert_null(sl_read_bytes(&r, 1));
}

static void test_write(void **state)
{
    static const uint8_t expected[] = {
        0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0x01, 0x23, 0x45, 0x67, 0x01, 0x23, 0x45, 0x67, 0x89,
        0xAB, 0xCD, 0xEF, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45,
        0x23, 0x01, 'x',  'y',  0,    0,    0,    't',  'e',  'x',  't',  '0',  '7',
    };
    struct sl_writer w;
    struct sl_error err = {0};

    (void)state;
    sl_writer_init(&w, sizeof(expected));
    assert_int_equal(sl_writer_finish(&w, &err), SL_OK);
    sl_write_u8(&w, 0x01);
    sl_write_be16(&w, 0x2345);
    sl_write_be24(&w, 0x6789AB);
    sl_write_be32(&w, 0xFFFFFFFF);
    sl_write_be64(&w, 0x0123456789ABCDEF);
    sl_write_le16(&w, 0x1234);
    sl_write_le32(&w, 0x12345678);
    sl_write_le64(&w, 0x0123456789ABCDEF);
    sl_write_bytes(&w, "xy", 2);
    sl_write_bytes(&w, NULL, 0);
    sl_write_zeros(&w, 3);
    sl_write_text(&w, "text");
    sl_write_format(&w, "%02d", 7); /* ends exactly at the maximum */
    sl_writer_patch_be32(&w, 6, 0x01234567);
    assert_int_equal(sl_writer_finish(&w, &err), SL_OK);
    assert_int_equal(w.size, sizeof(expected));
    assert_memory_equal(w.data, expected, sizeof(expected));

    sl_write_u8(&w, 1);
    assert_int_equal(sl_writer_finish(&w, &err), SL_ENOMEM);
    assert_int_equal(err.status, SL_ENOMEM);
    assert_int_equal(w.size, sizeof(expected));
    sl_writer_clear(&w);
    sl_write_u8(&w, 1);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    assert_int_equal(w.size, 1);
    sl_writer_clear(&w);
}

static void test_failed_writer_stays_failed(void **state)
{
    struct sl_writer w;

    (void)state;
    sl_writer_init(&w, 10);
    sl_write_be64(&w, 1);
    sl_write_be32(&w, 2);
    sl_write_u8(&w, 3); /* would fit, but what came before it is missing */
    sl_write_format(&w, "x");
    sl_write_zeros(&w, 0);
    sl_writer_patch_be32(&w, 0, 9);
    assert_int_equal(w.size, 8);
    assert_int_equal(w.data[3], 0);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_ENOMEM);
    sl_writer_clear(&w);

    sl_writer_init(&w, 100);
    sl_write_be32(&w, 1);
    sl_writer_patch_be32(&w, 1, 2);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_EINVAL);
    sl_writer_clear(&w);
    sl_writer_patch_be32(&w, 0, 2);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_EINVAL);
    sl_writer_clear(&w);

    sl_writer_init(&w, SIZE_MAX);
    sl_write_u8(&w, 1);
    sl_write_zeros(&w, SIZE_MAX);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_ENOMEM);
    sl_writer_clear(&w);

    sl_writer_init(&w, 0);
    sl_write_text(&w, "");
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    sl_write_u8(&w, 1);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_ENOMEM);
    sl_writer_clear(&w);
}

static void test_growth(void **state)
{
    struct sl_writer w;

    (void)state;
    sl_writer_init(&w, 1000000);
    for (uint32_t i = 0; i < 250000; i++)
        sl_write_be32(&w, i);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    assert_int_equal(w.size, 1000000);
    assert_true(w.capacity <= w.max);
    for (uint32_t i = 0; i < 250000; i++) {
        struct sl_reader r;

        sl_reader_init(&r, w.data + (size_t)4 * i, 4);
        assert_int_equal(sl_read_be32(&r), i);
    }
    sl_writer_clear(&w);

    sl_writer_init(&w, 100000);
    sl_write_format(&w, "%01000d", 1);
    sl_write_format(&w, "%050000d", 1);
    sl_write_format(&w, "%050000d", 1);
    assert_int_equal(w.size, 51000);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_ENOMEM);
    sl_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),   cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_write),  cmocka_unit_test(test_failed_writer_stays_failed),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
