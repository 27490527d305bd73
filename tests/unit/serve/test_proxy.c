/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about sources on the web, in the clear and sealed. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "serve/proxy.h"
#include "unit.h"

#define KEY     "0123456789abcdef"
#define NOW     INT64_C(1795000000)
#define VERSION "test"

static struct sl_text text_of(const char *text)
{
    return (struct sl_text){text, strlen(text)};
}

/* ---- names --------------------------------------------------------------------------------- */

static void test_opaque_keys(void **state)
{
    static const struct {
        const char *id, *chat, *message, *key;
    } cases[] = {
        {"AgAD", NULL, NULL, "8aebb255bc755ead"},
        {"BQACAgIAAxkBAAIB", NULL, NULL, "5c86c4fbe427ca89"},
        {NULL, "-1001234567890", "42", "4482e73bda07d2a5"},
        {NULL, "777", "1", "d92f4d29845f0a65"},
    };
    char key[17];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_proxy_opaque_key(cases[i].id, cases[i].chat, cases[i].message, key);
        assert_string_equal(key, cases[i].key);
    }
}

static struct sl_media_want *read_source(const char *query, int expected)
{
    struct sl_media_want *w = sl_alloc_zero(sizeof *w);
    const char *detail = NULL;

    assert_non_null(w);
    assert_int_equal(sl_proxy_read_source(text_of(query), VERSION, w, &detail), expected);
    assert_true((expected != 0) == (detail != NULL));
    return w;
}

static void test_identity(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"src=http://h/a", "x=y&src=http%3a%2F%2Fh/a&start=5", true},
        {"src=http://h/a", "src=http://h/b", false},
        {"src=http://h/a", "src=http://u:p@h/a", false},
        {"src=http://h/a", "src=http://h/a&h_A=b", false},
        {"src=http://h/a&h_A=b", "src=http://h/a&h_A=c", false},
        {"src=http://h/a&h_A=bc", "src=http://h/a&h_Ab=c", false},
        {"src=http://h/a&file_id=x", "src=http://g/b&h_A=b&file_id=x", true},
        {"src=http://h/a&file_id=x", "src=http://h/a&file_id=y", false},
        {"src=http://h/a&chat=-1&msg=2", "src=http://g/b&msg=2&chat=-1", true},
        {"src=http://h/a&chat=-1&msg=2", "src=http://h/a&chat=1&msg=2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_media_want *a = read_source(cases[i].a, 0), *b = read_source(cases[i].b, 0);

        if ((strcmp(a->id, b->id) == 0) != cases[i].same) {
            fail_msg("%s, %s", cases[i].a, cases[i].b);
        }
        assert_int_equal(strlen(a->id), 16);
        assert_int_equal(a->opaque, strcmp(a->id, a->address) != 0);
        sl_media_want_destroy(&a);
        sl_media_want_destroy(&b);
    }
}

static void test_secrets_are_no_names(void **state)
{
    struct sl_media_want *w =
        read_source("src=http://user:secret@h:81/f.mkv?token=secret&h_X-Y=a%20secret", 0);

    (void)state;
    assert_string_equal(w->name, "http://h:81/f.mkv");
    assert_string_equal(w->url, "http://user:secret@h:81/f.mkv?token=secret");
    assert_int_equal(w->header_count, 1);
    assert_string_equal(w->headers[0].name, "X-Y");
    assert_string_equal(w->headers[0].value, "a secret");
    sl_media_want_destroy(&w);
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "src=",
        "src=h",
        "src=http://h/&src=http://h/",
        "src=http://h/%00",
        "src=http://h/&file_id=",
        "src=http://h/&chat=1",
        "src=http://h/&msg=1",
        "src=http://h/&chat=1&msg=",
        "src=http://h/&chat=&msg=1",
        "src=http://h/&chat=-&msg=1",
        "src=http://h/&chat=a:b&msg=1",
        "src=http://h/&chat=1&msg=-1",
        "src=http://h/&chat=1&msg=1&file_id=a",
        "src=http://h/&file_id=a&file_id=a",
        "src=http://h/&h_A=",
        "src=http://h/&h_A%20=b",
        "src=http://h/&h_A:b=c",
        "src=http://h/&h_A=b&h_a=c",
        "src=http://h/&h_A=b%0d%0aC:d",
        "src=http://h/&h_A=%00",
        "src=http://h/&h_A=%7f",
        "src=http://h/&h_A=%e9",
        "src=http://h/&h_A=+b",
    };
    static const char *const ours[] = {
        "Host",
        "host",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "proxy-authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
        "Range",
        "If-Range",
        "if-none-match",
        "Accept-Encoding",
        "Expect",
        "Via",
        "HTTP2-Settings",
    };
    const char *detail = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_media_want *w = read_source(cases[i], 400);

        sl_media_want_destroy(&w);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        assert_int_equal(sl_proxy_check_field(ours[i], "x", &detail), 400);
    }
    assert_int_equal(sl_proxy_check_field("Authorization", "Bearer x==", &detail), 0);
    assert_int_equal(sl_proxy_check_field("Hosts", "x", &detail), 0);
}

/* ---- routes -------------------------------------------------------------------------------- */

static const struct sl_proxy_visit visit = {.address = "192.0.2.1", .now = NOW};

static int route(const struct sl_proxy *proxy, const char *path, const char *query)
{
    struct sl_media_want *w = NULL;
    const char *detail = NULL;
    int status = sl_proxy_route(proxy, VERSION, path, text_of(query), &visit, &w, &detail);

    assert_true((status == 0) == (w != NULL));
    sl_media_want_destroy(&w);
    return status;
}

static void allow(struct sl_proxy *proxy)
{
    memset(proxy, 0, sizeof *proxy);
    assert_int_equal(sl_allow_parse(&proxy->allow.patterns[0], "http://h/", NULL), SL_OK);
    assert_int_equal(sl_allow_parse(&proxy->allow.patterns[1], "http://h/f*", NULL), SL_OK);
    proxy->allow.count = 2;
}

static void test_routes(void **state)
{
    struct sl_proxy proxy;
    char query[SL_PROXY_QUERY_MAX + 64];
    struct sl_media_want *w = NULL;
    const char *detail = NULL;
    struct sl_writer out;

    (void)state;
    allow(&proxy);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", "src=http://h/f"), 0);
    assert_int_equal(route(&proxy, "proxy/720p/3.m4s", "src=http://h/f&v=0123456789abcdef123456"),
                     0);
    assert_int_equal(route(&proxy, "proxy/720p/3.m4s", "src=http://h/f&v=0123"), 400);
    assert_int_equal(route(&proxy, "proxy/thumb.jpg", "src=http://h/f&t=x"), 400);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", "src=http://h/g"), 403);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", "s=x"), 400);
    assert_int_equal(route(&proxy, "proxy/a/b/master.m3u8", "src=http://h/f"), 404);
    assert_int_equal(route(&proxy, "proxy/x", "src=http://h/f"), 404);
    assert_int_equal(route(&proxy, "proxy/", "src=http://h/f"), 404);
    memset(query, 'a', sizeof query);
    memcpy(query, "src=http://h/f&h_A=", 19);
    memcpy(query + 2000, "&h_B=", 5);
    query[sizeof query - 1] = '\0';
    assert_int_equal(route(&proxy, "proxy/master.m3u8", query), 400);

    /* What a playlist's links say is read as the same source again, and nothing else. */
    assert_int_equal(
        sl_proxy_route(&proxy, VERSION, "proxy/a/init.mp4",
                       text_of("t=1&src=http://u:p@h/f%22%3Fa&h_X=%22%25+c&file_id=a/%20b"), &visit,
                       &w, &detail),
        400); /* a quote belongs in an escape, in an address */
    assert_int_equal(
        sl_proxy_route(&proxy, VERSION, "proxy/a/init.mp4",
                       text_of("t=1&src=http://u:p@h/f%3Fa&h_X=%22%25+c&file_id=a/%20b"), &visit,
                       &w, &detail),
        0);
    sl_writer_init(&out, 1024);
    sl_proxy_carry(&proxy, text_of("t=1&src=http://u:p@h/f%3Fa&h_X=%22%25+c&file_id=a/%20b"), &out);
    sl_write_u8(&out, 0);
    assert_string_equal(out.data, "src=http%3A//u%3Ap%40h/f%3Fa&h_X=%22%25%20c&file_id=a/%20b");
    sl_writer_clear(&out);
    sl_media_want_destroy(&w);
}

/* ---- sealed -------------------------------------------------------------------------------- */

static void seal(struct sl_proxy *proxy)
{
    struct sl_sign_key key = {.size = strlen(KEY)};

    allow(proxy);
    memcpy(key.bytes, KEY, key.size);
    assert_int_equal(sl_seal_init(&proxy->seal, &key, NULL), SL_OK);
}

/* Made by another implementation: python3-cryptography. */
static const char token[] =
    "AQABAgMEBQYHCAkKCwQ2ZVgykhnvJX-5_o8U4jz-OoeUY4GQvCw53wEohmpRwsrgl38dvLTGtvsz9wYOQubfxM8_SK7jz_"
    "7vlUnWDGs7RSoejQ_QvMsaBDLZwSxK";

static void test_seal(void **state)
{
    struct sl_proxy proxy;
    char text[SL_SEAL_TEXT_MAX + 1], changed[sizeof token], long_text[SL_SEAL_TEXT_MAX + 2];
    struct sl_writer out;

    (void)state;
    seal(&proxy);
    assert_true(sl_seal_open(&proxy.seal, token, text));
    assert_memory_equal(text, "exp=1795000000&src=http%3A//h/f.mkv&", 36);
    assert_int_equal(strlen(text), 64);
    for (size_t i = 0; i < sizeof token - 1; i++) {
        memcpy(changed, token, sizeof token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(sl_seal_open(&proxy.seal, changed, text));
        changed[i] = '+';
        assert_false(sl_seal_open(&proxy.seal, changed, text));
        changed[i] = '\0';
        assert_false(sl_seal_open(&proxy.seal, changed, text));
    }
    sl_writer_init(&out, 8192);
    for (size_t size = 1; size <= SL_SEAL_TEXT_MAX; size += size < 130 ? 1 : 1061) {
        memset(long_text, 'x', size);
        long_text[size] = '\0';
        sl_writer_clear(&out);
        assert_int_equal(sl_seal_text(&proxy.seal, long_text, &out, NULL), SL_OK);
        sl_write_u8(&out, 0);
        assert_true(out.size <= SL_SEAL_TOKEN_MAX + 1);
        assert_true(sl_seal_open(&proxy.seal, (char *)out.data, text));
        assert_memory_equal(text, long_text, size);
        assert_int_equal(strlen(text) % 64, 0);
        assert_int_equal(strspn(text + size, "&"), strlen(text) - size);
    }
    sl_writer_clear(&out);
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(sl_seal_text(&proxy.seal, long_text, &out, NULL), SL_EINVAL);
    assert_int_equal(sl_seal_text(&proxy.seal, "", &out, NULL), SL_EINVAL);
    sl_writer_clear(&out);
}

static int sealed_route(const struct sl_proxy *proxy, const char *source, int64_t expires,
                        const char *address, const char *more)
{
    struct sl_writer out;
    int status;

    sl_writer_init(&out, 8192);
    assert_int_equal(sl_proxy_sign(&proxy->seal, text_of(source), expires, address, &out, NULL),
                     SL_OK);
    assert_null(memmem(out.data, out.size, "http", 4));
    sl_write_text(&out, more);
    sl_write_u8(&out, 0);
    status = route(proxy, "proxy/master.m3u8", (char *)out.data);
    sl_writer_clear(&out);
    return status;
}

static void test_sealed_routes(void **state)
{
    struct sl_proxy proxy, other;
    char query[256];

    (void)state;
    seal(&proxy);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f&h_A=b", NOW, NULL, ""), 0);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f&format=ts", NOW, NULL, ""), 0);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f&format=x", NOW, NULL, ""), 400);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW - 1, NULL, ""), 410);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW, "192.0.2.1", ""), 0);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW, "192.0.2.2", ""), 403);
    assert_int_equal(sealed_route(&proxy, "src=http://h/g", NOW, NULL, ""), 403);
    /* What stands beside it changes nothing. */
    assert_int_equal(sealed_route(&proxy, "src=http://h/f&exp=9&ip=x&s=y&sig=z", NOW - 1, NULL, ""),
                     410);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW - 1, NULL, "&exp=9999999999"), 410);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW, NULL, "&src=http://h/"), 400);
    assert_int_equal(sealed_route(&proxy, "src=http://h/f", NOW, NULL, "&h_A=b"), 400);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", "src=http://h/f"), 403);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", ""), 403);
    (void)snprintf(query, sizeof query, "s=%s", token);
    assert_int_equal(route(&proxy, "proxy/master.m3u8", query), 0);
    other = proxy;
    other.seal.key[0] ^= 1;
    assert_int_equal(route(&other, "proxy/master.m3u8", query), 403);
}

static void test_aliases(void **state)
{
    struct sl_proxy proxy;
    char a[17], b[17];

    (void)state;
    seal(&proxy);
    sl_seal_alias(proxy.seal.key, "8aebb255bc755ead", a);
    sl_seal_alias(proxy.seal.key, "8aebb255bc755ead", b);
    assert_string_equal(a, b);
    assert_string_not_equal(a, "8aebb255bc755ead");
    proxy.seal.key[31] ^= 1;
    sl_seal_alias(proxy.seal.key, "8aebb255bc755ead", b);
    assert_string_not_equal(a, b);
}

static enum sl_status body(void *arg)
{
    struct sl_media_want *w = NULL;
    const char *detail = NULL;
    int status = sl_proxy_route(arg, VERSION, "proxy/master.m3u8",
                                text_of("src=http://h/f&h_A=b&h_C=d"), &visit, &w, &detail);

    assert_true(status == 0 || status == 503 || status == 400);
    sl_media_want_destroy(&w);
    return status == 0 ? SL_OK : SL_ENOMEM;
}

static void test_memory(void **state)
{
    struct sl_proxy proxy;

    (void)state;
    allow(&proxy);
    failing_alloc_run(body, &proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opaque_keys),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_secrets_are_no_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_sealed_routes),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
