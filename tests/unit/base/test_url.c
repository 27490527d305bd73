/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/alloc.h"
#include "base/url.h"
#include "unit.h"

static void test_accepted(void **state)
{
    static const struct {
        const char *text, *host, *user, *path, *name;
        bool tls;
        unsigned port;
    } cases[] = {
        {"http://h", "h", "", "", "http://h", false, 80},
        {"https://h/", "h", "", "/", "https://h/", true, 443},
        {"HTTPS://Example.ORG/A?b=/../", "example.org", "", "/A", "https://example.org/A", true,
         443},
        {"http://h:8080?x@y", "h", "", "", "http://h:8080", false, 8080},
        {"http://h:80/x", "h", "", "/x", "http://h/x", false, 80},
        {"http://user:pa%40ss@h/x", "h", "user:pa%40ss", "/x", "http://h/x", false, 80},
        {"http://1.2.3.4:1/x", "1.2.3.4", "", "/x", "http://1.2.3.4:1/x", false, 1},
        {"http://[2001:DB8::1]/x", "[2001:db8::1]", "", "/x", "http://[2001:db8::1]/x", false, 80},
        {"http://[::ffff:1.2.3.4]:81/", "[::ffff:1.2.3.4]", "", "/", "http://[::ffff:1.2.3.4]:81/",
         false, 81},
        {"http://a-b_c.3com/", "a-b_c.3com", "", "/", "http://a-b_c.3com/", false, 80},
        {"http://h/a/.../b..c/%2ex/", "h", "", "/a/.../b..c/%2ex/", "http://h/a/.../b..c/%2ex/",
         false, 80},
        {"http://h/%C3%A9;v=1,2", "h", "", "/%C3%A9;v=1,2", "http://h/%C3%A9;v=1,2", false, 80},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_url url;
        const char *why = NULL;
        char *name;

        if (!sl_url_parse(cases[i].text, &url, &why)) {
            fail_msg("%s: %s", cases[i].text, why);
        }
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.user_size, strlen(cases[i].user));
        assert_memory_equal(url.user ? url.user : "", cases[i].user, url.user_size);
        assert_int_equal(url.path_size, strlen(cases[i].path));
        assert_memory_equal(url.path, cases[i].path, url.path_size);
        name = sl_url_name(&url);
        assert_string_equal(name, cases[i].name);
        sl_free(name);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "h",
        "//h/",
        "/x",
        "http:/h",
        "http://",
        "http:///x",
        "ftp://h/",
        "file:///x",
        "httpx://h/",
        " http://h/",
        "http://h/ x",
        "http://h/\tx",
        "http://h/\r\nx",
        "http://h/\\x",
        "http://h/%5Cx",
        "http://h/%0d%0a",
        "http://h/%00",
        "http://h/%4",
        "http://h/%zz",
        "http://h/\xc3\xa9",
        "http://h/\"x\"",
        "http://h/<x>",
        "http://h/#x",
        "http://\xc3\xa9/",
        "http://h%2e/",
        "http://h./",
        "http://.h/",
        "http://a..b/",
        "http://*/",
        "http://a,b/",
        "http://u@/",
        "http://@h/",
        "http://a@b@h/",
        "http://a\\@h/",
        "http://h:/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:080000/",
        "http://h:8x/",
        "http://h:8:8/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.0x1/",
        "http://1.2.3.4.5/",
        "http://1.2.3.256/",
        "http://h.1/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1%25eth0]/",
        "http://[1.2.3.4]/",
        "http://[]/",
        "http://h/..",
        "http://h/.",
        "http://h/a/../b",
        "http://h/a/%2e%2E/b",
        "http://h/a/.%2e/b",
        "http://h/a%2f..%2Fb",
        "http://h/a/..;x/b",
        "http://h/..?x",
    };
    char text[SL_URL_MAX + 16];
    struct sl_url url;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = NULL;

        if (sl_url_parse(cases[i], &url, &why)) {
            fail_msg("%s", cases[i]);
        }
        assert_non_null(why);
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "http://h/", 9);
    text[SL_URL_MAX] = '\0';
    assert_true(sl_url_parse(text, &url, &(const char *){NULL}));
    text[SL_URL_MAX] = 'a';
    text[SL_URL_MAX + 1] = '\0';
    assert_false(sl_url_parse(text, &url, &(const char *){NULL}));
    memset(text, 'a', 64); /* a label of 64 */
    memcpy(text, "http://", 7);
    memcpy(text + 7 + 64, "/", 2);
    text[7 + 63] = 'a';
    assert_false(sl_url_parse(text, &url, &(const char *){NULL}));
}

static void test_origins(void **state)
{
    struct sl_url a, b;
    const char *why = NULL;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://h/a", "http://u:p@H:80/b?c", true}, {"https://h/", "https://h:443/", true},
        {"http://h/", "https://h/", false},          {"http://h:443/", "https://h/", false},
        {"http://h/", "http://h:81/", false},        {"http://h/", "http://h.h/", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(sl_url_parse(cases[i].a, &a, &why));
        assert_true(sl_url_parse(cases[i].b, &b, &why));
        assert_int_equal(sl_url_same_origin(&a, &b), cases[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
