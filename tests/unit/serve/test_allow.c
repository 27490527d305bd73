/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "serve/allow.h"
#include "unit.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *url;
        bool allowed;
    } cases[] = {
        /* scheme */
        {"https://h", "https://h/a", true},
        {"https://h", "http://h/a", false},
        {"http://h", "https://h/a", false},
        {"HTTPS://H", "https://h/a", true},
        {"*://h", "https://h/a", true},
        {"*://h", "http://h/a", true},
        /* host */
        {"http://h", "http://H/", true},
        {"http://h", "http://hh/", false},
        {"http://h", "http://h.h/", false},
        {"http://h", "http://h@evil/", false},
        {"http://h", "http://u:p@h/", true},
        {"http://*.e.org", "http://a.e.org/", true},
        {"http://*.e.org", "http://a.b.E.org/", true},
        {"http://*.e.org", "http://e.org/", false},
        {"http://*.e.org", "http://ee.org/", false},
        {"http://*.e.org", "http://a.e.org.evil/", false},
        {"http://[2001:DB8::1]", "http://[2001:db8::1]/", true},
        {"http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080/", true},
        {"http://[2001:db8::1]", "http://[2001:db8::2]/", false},
        {"http://1.2.3.4:*", "http://1.2.3.4:9/", true},
        /* port */
        {"http://h", "http://h:80/", true},
        {"http://h", "http://h:81/", false},
        {"http://h:81", "http://h:81/", true},
        {"http://h:81", "http://h/", false},
        {"*://h", "https://h:443/", true},
        {"*://h", "https://h:80/", false},
        {"*://h:*", "https://h:80/", true},
        /* path */
        {"http://h/", "http://h", true},
        {"http://h/", "http://h/?x", true},
        {"http://h/", "http://h/a", false},
        {"http://h/*", "http://h/a/b?c", true},
        {"http://h/*", "http://h", true},
        {"http://h/a", "http://h/a?b", true},
        {"http://h/a", "http://h/ab", false},
        {"http://h/a", "http://h/a/", false},
        {"http://h/a*", "http://h/ab", true},
        {"http://h/a/*", "http://h/a/b", true},
        {"http://h/a/*", "http://h/ab", false},
        {"http://h/a/*", "http://h/A/b", false},
        {"http://h/a/*", "http://h/%61/b", false},
        {"http://h/a/*", "http://h/a/../b", false},
        {"http://h/a/*", "http://h/a/%2e%2e/b", false},
        {"http://h/a/*", "http://h/?/a/b", false},
        /* everything */
        {"*://*:*/*", "https://u:p@any.host:1/x?y", true},
        {"*://*:*/*", "ftp://h/", false},
        {"https://*:443/*", "https://h/", true},
        {"https://*:443/*", "https://h:444/", false},
        {"https://*:*/a/*", "https://h:444/a/b", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_allow allow = {.count = 1};
        struct sl_error err = {0};

        if (sl_allow_parse(&allow.patterns[0], cases[i].pattern, &err) != SL_OK) {
            fail_msg("%s: %s", cases[i].pattern, err.msg);
        }
        if (sl_allow_url(&allow, cases[i].url) != cases[i].allowed) {
            fail_msg("%s and %s", cases[i].pattern, cases[i].url);
        }
    }
}

static void test_no_patterns(void **state)
{
    static const char *const cases[] = {
        "",
        "*",
        "h",
        "http://",
        "http:///x",
        "ftp://h/",
        "file://h/",
        "*://*",
        "https://*",
        "https://*/",
        "https://*/*",
        "*://*:*",
        "https://*:443",
        "*://*.org:",
        "http://h:0/",
        "http://h:x/",
        "http://h:*1/",
        "http://h:99999/",
        "http://a*/",
        "http://a.*/",
        "http://*a/",
        "http://*.*.a/",
        "http://*./",
        "http://**/",
        "http://u@h/",
        "http://h/?a",
        "http://h/#a",
        "http://h/a*b",
        "http://h/**",
        "http://h/a b",
        "http://h./",
        "http://127.1/",
        "h*://h/",
    };
    char text[SL_ALLOW_TEXT + 1];
    struct sl_allow_pattern p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_error err = {0};

        if (sl_allow_parse(&p, cases[i], &err) != SL_EINVAL) {
            fail_msg("%s", cases[i]);
        }
        assert_string_equal(err.where, "allow-source");
        assert_true(err.msg[0]);
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "http://h/", 9);
    text[SL_ALLOW_TEXT] = '\0';
    assert_int_equal(sl_allow_parse(&p, text, NULL), SL_EINVAL);
    text[SL_ALLOW_TEXT - 1] = '\0';
    assert_int_equal(sl_allow_parse(&p, text, NULL), SL_OK);
}

static void test_several(void **state)
{
    struct sl_allow allow = {.count = 0};

    (void)state;
    assert_false(sl_allow_url(&allow, "http://h/")); /* none: nothing */
    assert_int_equal(sl_allow_parse(&allow.patterns[0], "http://a", NULL), SL_OK);
    assert_int_equal(sl_allow_parse(&allow.patterns[1], "http://b", NULL), SL_OK);
    allow.count = 2;
    assert_true(sl_allow_url(&allow, "http://a/"));
    assert_true(sl_allow_url(&allow, "http://b/"));
    assert_false(sl_allow_url(&allow, "http://c/"));
    assert_false(sl_allow_url(&allow, "nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_no_patterns),
        cmocka_unit_test(test_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
