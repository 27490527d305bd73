/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "unit.h"

static void test_sizes(void **state)
{
    size_t out = 77;

    (void)state;
    assert_true(sl_size_mul(SIZE_MAX / 3, 3, &out));
    assert_int_equal(out, SIZE_MAX / 3 * 3);
    out = 77;
    assert_false(sl_size_mul(SIZE_MAX / 3 + 1, 3, &out));
    assert_false(sl_size_add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 77);
    assert_true(sl_size_add(SIZE_MAX, 0, &out));
    assert_int_equal(out, SIZE_MAX);
    assert_true(sl_size_mul(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
}

static void test_overflow_is_null(void **state)
{
    char *p;

    (void)state;
    assert_null(sl_alloc_array(SIZE_MAX / 2, 3));
    assert_null(sl_alloc_aligned(64, SIZE_MAX - 10));
    assert_null(sl_alloc_aligned(0, 10));
    p = sl_strdup("still here");
    assert_non_null(p);
    assert_null(sl_realloc_array(p, SIZE_MAX / 2, 3));
    assert_string_equal(p, "still here");
    sl_free(p);
}

static void test_blocks(void **state)
{
    uint8_t *p;

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        p = sl_alloc_aligned(64, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, size);
        sl_free(p);
    }
    p = sl_alloc(0);
    assert_non_null(p);
    sl_free(p);
    p = sl_alloc_zero(0);
    assert_non_null(p);
    p = sl_realloc_array(p, 0, 8);
    assert_non_null(p);
    sl_free(p);
    p = sl_alloc_array(100, 8);
    assert_non_null(p);
    for (size_t i = 0; i < 800; i++)
        assert_int_equal(p[i], 0);
    sl_free(p);
    sl_free(NULL);
}

static void test_text(void **state)
{
    char *text;

    (void)state;
    text = sl_strdup("");
    assert_string_equal(text, "");
    sl_free(text);
    text = sl_format("%s-%05d", "a", 42);
    assert_string_equal(text, "a-00042");
    sl_free(text);
    text = sl_format("%0100000d", 1);
    assert_int_equal(strlen(text), 100000);
    sl_free(text);
}

static void test_grow(void **state)
{
    uint64_t *items = NULL;
    size_t capacity = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(sl_grow(&items, &capacity, i, sizeof(*items), 100), SL_OK);
        assert_true(capacity > i && capacity <= 100);
        items[i] = i;
    }
    assert_int_equal(sl_grow(&items, &capacity, 100, sizeof(*items), 100), SL_ENOMEM);
    assert_int_equal(capacity, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    sl_free(items);

    items = NULL;
    capacity = 0;
    assert_int_equal(sl_grow(&items, &capacity, 0, sizeof(*items), 1), SL_OK);
    assert_int_equal(capacity, 1);
    assert_int_equal(sl_grow(&items, &capacity, 1, SIZE_MAX / 4, 1000), SL_ENOMEM);
    assert_int_equal(capacity, 1);
    sl_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),  cmocka_unit_test(test_overflow_is_null),
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_text),
        cmocka_unit_test(test_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
