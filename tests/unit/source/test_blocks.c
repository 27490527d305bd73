/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "failing_alloc.h"
#include "source/blocks.h"
#include "unit.h"

#define LIMIT ((size_t)4 * (SL_BLOCK_SIZE + 256))

static const char name[] = "0123456789abcdef", other[] = "fedcba9876543210";

static void put(struct sl_blocks *b, const char *of, int64_t index, uint8_t value, size_t size)
{
    static uint8_t data[SL_BLOCK_SIZE];

    memset(data, value, sizeof data);
    sl_blocks_put(b, of, index, data, size);
}

static bool has(struct sl_blocks *b, const char *of, int64_t index, uint8_t value)
{
    uint8_t byte = 0;
    size_t got = 0;

    return sl_blocks_get(b, of, index, 0, &byte, 1, &got) && got == 1 && byte == value;
}

static void test_kept(void **state)
{
    struct sl_blocks *b = NULL;
    uint8_t data[100];
    size_t got = 1;

    (void)state;
    assert_int_equal(sl_blocks_create(&b, LIMIT, NULL), SL_OK);
    assert_false(sl_blocks_get(b, name, 0, 0, data, sizeof data, &got));
    assert_int_equal(got, 0);
    put(b, name, 0, 1, SL_BLOCK_SIZE);
    put(b, name, INT64_C(1) << 46, 2, 1000);
    put(b, other, 0, 3, 1);
    assert_true(has(b, name, 0, 1));
    assert_true(has(b, other, 0, 3));
    assert_false(has(b, other, 1, 3));
    assert_true(sl_blocks_get(b, name, INT64_C(1) << 46, 950, data, sizeof data, &got));
    assert_int_equal(got, 50);
    assert_int_equal(data[49], 2);
    assert_true(sl_blocks_get(b, name, INT64_C(1) << 46, 1000, data, sizeof data, &got));
    assert_int_equal(got, 0);
    put(b, name, 0, 4, SL_BLOCK_SIZE); /* in the place of what was there */
    assert_true(has(b, name, 0, 4));
    assert_true(sl_blocks_serial(b) != sl_blocks_serial(b));
    sl_blocks_destroy(&b);
    assert_null(b);
    sl_blocks_destroy(&b);
}

static void test_bounded(void **state)
{
    struct sl_blocks *b = NULL;

    (void)state;
    assert_int_equal(sl_blocks_create(&b, LIMIT, NULL), SL_OK);
    for (int i = 0; i < 4; i++) {
        put(b, name, i, (uint8_t)i, SL_BLOCK_SIZE);
    }
    assert_true(has(b, name, 0, 0)); /* used: 1 is the oldest now */
    put(b, other, 9, 9, SL_BLOCK_SIZE);
    assert_false(has(b, name, 1, 1));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(has(b, name, i, (uint8_t)i), i != 1);
    }
    assert_true(has(b, other, 9, 9));
    sl_blocks_destroy(&b);
    assert_int_equal(sl_blocks_create(&b, 1, NULL), SL_OK); /* room for nothing */
    put(b, name, 0, 1, SL_BLOCK_SIZE);
    assert_false(has(b, name, 0, 1));
    sl_blocks_destroy(&b);
}

static enum sl_status body(void *arg)
{
    struct sl_blocks *b = NULL;
    enum sl_status status = sl_blocks_create(&b, LIMIT, NULL);

    (void)arg;
    if (status == SL_OK) {
        put(b, name, 0, 1, 10);
        (void)has(b, name, 0, 1);
    }
    sl_blocks_destroy(&b);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run_lenient(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
