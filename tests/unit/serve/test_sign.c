/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "serve/sign.h"
#include "unit.h"

#define NOW INT64_C(1795000000)

static struct sl_sign_key key = {.size = 20, .bytes = "0123456789abcdefghij"};

static void make(char out[512], const char *path, const char *scope, int64_t expires,
                 const char *address)
{
    struct sl_writer w;

    sl_writer_init(&w, 511);
    sl_sign_query(&key, path, scope, expires, address, &w);
    assert_int_equal(w.status, SL_OK);
    memcpy(out, w.data, w.size);
    out[w.size] = '\0';
    sl_writer_clear(&w);
}

static int check(const char *path, const char *query, const char *address)
{
    return sl_sign_check(&key, path, (struct sl_text){query, strlen(query)}, address, NOW);
}

static void test_one_path(void **state)
{
    char q[512], other[512];

    (void)state;
    make(q, "/a/b.mp4", NULL, NOW + 10, NULL);
    assert_int_equal(check("/a/b.mp4", q, "192.0.2.1"), 0);
    assert_int_equal(check("/a/b.mp4x", q, "192.0.2.1"), 403);
    assert_int_equal(check("/a/b.mp", q, "192.0.2.1"), 403);
    assert_int_equal(check("/a/", q, "192.0.2.1"), 403);
    assert_int_equal(check("/a/b.mp4", "", "192.0.2.1"), 403);
    /* Each character of it counts. */
    for (size_t i = 0; q[i]; i++) {
        memcpy(other, q, sizeof other);
        other[i] = other[i] == '1' ? '2' : '1';
        assert_int_equal(check("/a/b.mp4", other, "192.0.2.1"), 403);
        other[i] = '\0';
        assert_int_equal(check("/a/b.mp4", other, "192.0.2.1"), 403);
    }
    (void)snprintf(other, sizeof other, "%s&%s", q, q); /* twice: which one is meant? */
    assert_int_equal(check("/a/b.mp4", other, "192.0.2.1"), 403);
    (void)snprintf(other, sizeof other, "%s&ip=1", q);
    assert_int_equal(check("/a/b.mp4", other, ""), 403);
    (void)snprintf(other, sizeof other, "t=5&%s&x=y", q); /* others have their say elsewhere */
    assert_int_equal(check("/a/b.mp4", other, "192.0.2.1"), 0);
}

static void test_expiry(void **state)
{
    char q[512];

    (void)state;
    make(q, "/x", NULL, NOW, NULL);
    assert_int_equal(check("/x", q, ""), 0);
    make(q, "/x", NULL, NOW - 1, NULL);
    assert_int_equal(check("/x", q, ""), 410);
    assert_int_equal(check("/y", q, ""), 403); /* who has no true link learns nothing */
}

static void test_scope(void **state)
{
    struct sl_writer w;
    char q[512];

    (void)state;
    make(q, "/media/a b/f.mkv/master.m3u8", "/media/a b/f.mkv/", NOW, NULL);
    assert_non_null(strstr(q, "in=/media/a%20b/f.mkv/&"));
    assert_int_equal(check("/media/a b/f.mkv/master.m3u8", q, ""), 0);
    assert_int_equal(check("/media/a b/f.mkv/source/1.m4s", q, ""), 0);
    assert_int_equal(check("/media/a b/f.mkv", q, ""), 403);
    assert_int_equal(check("/media/a b/f.mkv2/master.m3u8", q, ""), 403);
    assert_int_equal(check("/media/", q, ""), 403);
    sl_writer_init(&w, 1000);
    sl_sign_carry((struct sl_text){q, strlen(q)}, &w);
    sl_write_u8(&w, 0);
    assert_string_equal(w.data, q);
    sl_writer_clear(&w);
    /* A link for one path allows no others, not even those that it could name. */
    make(q, "/x", NULL, NOW, NULL);
    sl_sign_carry((struct sl_text){q, strlen(q)}, &w);
    assert_true(w.size == 0);
    /* A scope that is no directory would reach into its neighbours. */
    make(q, "/media/f", "/media/f", NOW, NULL);
    assert_int_equal(check("/media/f", q, ""), 403);
    assert_int_equal(check("/media/far", q, ""), 403);
}

static void test_address(void **state)
{
    char q[512];

    (void)state;
    make(q, "/x", NULL, NOW, "192.0.2.1");
    assert_int_equal(check("/x", q, "192.0.2.1"), 0);
    assert_int_equal(check("/x", q, "192.0.2.2"), 403);
    *strstr(q, "ip=1") = 'x';
    assert_int_equal(check("/x", q, "192.0.2.1"), 403);
}

static void test_key(void **state)
{
    struct scratch scratch;
    struct sl_sign_key k;

    (void)state;
    scratch_make(&scratch);
    scratch_write(scratch_name(&scratch, "k"), "0123456789abcdef \r\n\n", 20);
    assert_int_equal(sl_sign_key_read(&k, scratch_name(&scratch, "k"), NULL), SL_OK);
    assert_true(k.size == 16);
    scratch_write(scratch_name(&scratch, "k"), "0123456789abcde\n", 16);
    assert_int_equal(sl_sign_key_read(&k, scratch_name(&scratch, "k"), NULL), SL_EINVAL);
    assert_int_equal(sl_sign_key_read(&k, scratch_name(&scratch, "none"), NULL), SL_ENOTFOUND);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_path), cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_scope),    cmocka_unit_test(test_address),
        cmocka_unit_test(test_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
