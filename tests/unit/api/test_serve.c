/* SPDX-License-Identifier: BSD-2-Clause */
/* The public front of the server: what it checks before it calls inward. */
#include <string.h>

#include <sluice/serve.h>

#include "scratch.h"
#include "unit.h"

static void test_sizes(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL;
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(sl_serve_params_default(NULL, sizeof p, NULL), SL_EINVAL);
    assert_int_equal(sl_serve_params_default(&p, sizeof p - 1, &err), SL_EINVAL);
    assert_int_equal(sl_serve_params_default(&p, sizeof p, NULL), SL_OK);
    assert_int_equal(p.struct_size, sizeof p);
    p.struct_size = 0;
    assert_int_equal(sl_server_open(&s, &p, NULL, NULL), SL_EINVAL);
    assert_int_equal(sl_server_open(&s, NULL, NULL, NULL), SL_EINVAL);
    assert_int_equal(sl_server_open(NULL, &p, NULL, NULL), SL_EINVAL);
}

static void test_settings(void **state)
{
    static const char *const integers[] = {"port", "threads", "connections", "segment-age"};
    struct sl_serve_params good, p;
    struct sl_server *s = NULL;

    (void)state;
    assert_int_equal(sl_serve_params_default(&good, sizeof good, NULL), SL_OK);
    assert_int_equal(sl_server_open(&s, &good, NULL, NULL), SL_EINVAL); /* no directory */
    memcpy(good.root, "/", 2);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        const struct sl_option *o = sl_options_find(sl_serve_options(), integers[i]);
        const int64_t values[] = {o->min - 1, o->max + 1};

        for (size_t k = 0; k < 2; k++) {
            struct sl_error err = {0};

            p = good;
            memcpy((char *)&p + o->offset, &values[k], sizeof values[k]);
            assert_int_equal(sl_server_open(&s, &p, NULL, &err), SL_EINVAL);
            assert_string_equal(err.where, integers[i]);
            assert_null(s);
        }
    }
    p = good;
    memset(p.root, 'a', sizeof p.root); /* without an end */
    assert_int_equal(sl_server_open(&s, &p, NULL, NULL), SL_EINVAL);
    p = good;
    p.listen[0] = '\0';
    assert_int_equal(sl_server_open(&s, &p, NULL, NULL), SL_EINVAL);
}

static void test_life(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL;
    struct scratch scratch;

    (void)state;
    scratch_make(&scratch);
    assert_int_equal(sl_serve_params_default(&p, sizeof p, NULL), SL_OK);
    memcpy(p.root, scratch.path, strlen(scratch.path) + 1);
    p.port = 0;
    assert_int_equal(sl_server_open(&s, &p, NULL, NULL), SL_OK);
    assert_int_not_equal(sl_server_port(s), 0);
    sl_server_stop(s);
    assert_int_equal(sl_server_run(s, NULL), SL_OK);
    sl_server_destroy(&s);
    assert_null(s);
    scratch_remove(&scratch);
}

static void test_null(void **state)
{
    struct sl_server *s = NULL;

    (void)state;
    assert_int_equal(sl_server_port(NULL), 0);
    assert_int_equal(sl_server_run(NULL, NULL), SL_EINVAL);
    sl_server_stop(NULL);
    sl_server_destroy(&s);
    sl_server_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
