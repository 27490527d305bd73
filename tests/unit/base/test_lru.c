/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "base/lru.h"
#include "unit.h"

struct thing {
    struct sl_lru_node node; /* first */
    char name[8];
};

static void test_all(void **state)
{
    static struct thing things[100];
    struct sl_lru t = {0};

    (void)state;
    assert_null(sl_lru_find(&t, "0"));
    assert_int_equal(sl_lru_init(&t, 1, NULL), SL_OK); /* few buckets: they are shared */
    for (int i = 0; i < 100; i++) {
        (void)snprintf(things[i].name, sizeof things[i].name, "%d", i);
        things[i].node.key = things[i].name;
        sl_lru_insert(&t, &things[i].node);
    }
    assert_true(t.count == 100);
    assert_ptr_equal(t.oldest, &things[0].node);
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(sl_lru_find(&t, things[i].name), &things[i].node);
    }
    assert_null(sl_lru_find(&t, "100"));
    sl_lru_touch(&t, &things[0].node);
    sl_lru_touch(&t, &things[50].node);
    sl_lru_touch(&t, &things[50].node);
    assert_ptr_equal(t.oldest, &things[1].node);
    assert_ptr_equal(t.newest, &things[50].node);
    sl_lru_remove(&t, &things[50].node);
    assert_ptr_equal(t.newest, &things[0].node);
    assert_null(sl_lru_find(&t, "50"));
    for (int left = 99; left > 0; left--) {
        assert_true(t.count == (size_t)left);
        sl_lru_remove(&t, t.oldest);
    }
    assert_null(t.oldest);
    assert_null(t.newest);
    sl_lru_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
