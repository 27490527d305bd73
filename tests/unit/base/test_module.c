/* SPDX-License-Identifier: BSD-2-Clause */
/* argv[1]: a directory with the module "test-part" (module_part.c). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/module.h"
#include "scratch.h"
#include "unit.h"

static const char *modules;

static void test_found(void **state)
{
    const void *symbol, *again;
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(setenv("SLUICE_MODULES", modules, 1), 0);
    assert_int_equal(sl_module_symbol("test-part", "test_part", &symbol, &err), SL_OK);
    assert_int_equal(*(const int *)symbol, 4711);
    assert_int_equal(sl_module_symbol("test-part", "test_part", &again, &err), SL_OK);
    assert_ptr_equal(symbol, again);
    assert_int_equal(sl_module_symbol("test-part", "something_else", &symbol, &err),
                     SL_EUNSUPPORTED);
    assert_null(symbol);
    assert_string_equal(err.where, "test-part");
    assert_non_null(strstr(err.msg, "something_else"));
}

/* Beside the program: the build puts modules/ there for this test. */
static void test_beside(void **state)
{
    const void *symbol;

    (void)state;
    assert_int_equal(unsetenv("SLUICE_MODULES"), 0);
    assert_int_equal(sl_module_symbol("test-part", "test_part", &symbol, NULL), SL_OK);
    assert_int_equal(setenv("SLUICE_MODULES", "", 1), 0);
    assert_int_equal(sl_module_symbol("test-part", "test_part", &symbol, NULL), SL_OK);
}

static void test_missing(void **state)
{
    const void *symbol;
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(setenv("SLUICE_MODULES", "/nowhere", 1), 0);
    assert_int_equal(sl_module_symbol("no-such-part", "x", &symbol, &err), SL_EUNSUPPORTED);
    assert_null(symbol);
    assert_non_null(strstr(err.msg, "not in /nowhere"));
}

/* A module that is there and cannot be loaded: the loader's own words. */
static void test_damaged(void **state)
{
    struct scratch scratch;
    const void *symbol;
    struct sl_error err = {0};

    (void)state;
    scratch_make(&scratch);
    scratch_write(scratch_name(&scratch, "damaged.so"), "not ELF", 7);
    assert_int_equal(setenv("SLUICE_MODULES", scratch.path, 1), 0);
    assert_int_equal(sl_module_symbol("damaged", "x", &symbol, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "damaged.so: "));
    scratch_remove(&scratch);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "../x", "a/b", "A", "a.so", "a b"};
    const void *symbol;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sl_module_symbol(bad[i], "x", &symbol, NULL), SL_EINVAL);
}

static void *open_often(void *arg)
{
    const void *symbol = NULL;

    (void)arg;
    for (int i = 0; i < 100; i++) {
        struct sl_error err = {0};

        if (sl_module_symbol("test-part", "test_part", &symbol, NULL) != SL_OK ||
            sl_module_symbol("missing", "x", &(const void *){NULL}, &err) != SL_EUNSUPPORTED)
            return NULL;
    }
    return (void *)(uintptr_t)symbol;
}

static void test_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    assert_int_equal(setenv("SLUICE_MODULES", modules, 1), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *symbol;

        assert_int_equal(pthread_join(threads[i], &symbol), 0);
        assert_non_null(symbol);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),   cmocka_unit_test(test_beside),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_threads),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    modules = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
