/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request asks of the store, and what the gateway writes itself. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "serve/gateway.h"
#include "unit.h"

#define CID "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
#define V0  "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"

static struct sl_text text_of(const char *t)
{
    return (struct sl_text){t, strlen(t)};
}

static void test_paths(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *path, *below;
        bool slash, ts;
    } cases[] = {
        {"/ipfs/" CID, 0, "ipfs/" CID, "", false, false},
        {"/ipfs/" CID "/", 0, "ipfs/" CID, "", true, false},
        {"/ipfs-ts/" CID, 0, "ipfs-ts/" CID, "", false, true},
        {"/ipfs/" V0 "/a", 0, "ipfs/" V0 "/a", "a", false, false},
        {"/ipfs/" V0 "/a/b%20c/", 0, "ipfs/" V0 "/a/b c", "a/b c", true, false},
        {"/ipfs/" V0 "/.hidden", 0, "ipfs/" V0 "/.hidden", ".hidden", false, false},
        {"/ipfs/" V0 "/...", 0, "ipfs/" V0 "/...", "...", false, false},
        {"/ipfs/" V0 "/%41%0A", 0, "ipfs/" V0 "/A\n", "A\n", false, false},
        {"/ipfs/" V0 "/a%2Fb", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/a%00", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/%", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/%4", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/a/../b", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/%2e%2E", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "/./b", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "//", 400, NULL, NULL, false, false},
        {"/ipfs/" V0 "//a", 400, NULL, NULL, false, false},
        {"/ipfs/", 400, NULL, NULL, false, false},
        {"/ipfs//", 400, NULL, NULL, false, false},
        {"/ipfs/x", 400, NULL, NULL, false, false},
        {"/ipfs/bafy", 400, NULL, NULL, false, false},
        {"/ipfs/%2e%2e/secret", 400, NULL, NULL, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_gateway_ask ask;
        const char *detail;

        assert_true(sl_gateway_is(text_of(cases[i].target)));
        assert_int_equal(sl_gateway_parse_path(text_of(cases[i].target), &ask, &detail),
                         cases[i].status);
        if (cases[i].status == 0) {
            assert_string_equal(ask.path, cases[i].path);
            assert_string_equal(ask.path + ask.below, cases[i].below);
            assert_true(ask.slash == cases[i].slash && ask.ts == cases[i].ts);
        }
    }
    assert_false(sl_gateway_is(text_of("/ipfs")));
    assert_false(sl_gateway_is(text_of("/ipns/x")));
    assert_false(sl_gateway_is(text_of("/")));
}

static void test_long_paths(void **state)
{
    struct sl_gateway_ask ask;
    const char *detail;
    char target[2 * SL_SERVE_PATH_MAX];
    size_t at = (size_t)snprintf(target, sizeof target, "/ipfs/" CID "/");

    (void)state;
    memset(target + at, 'a', SL_SERVE_PATH_MAX);
    for (size_t size = SL_SERVE_PATH_MAX - 8; size < SL_SERVE_PATH_MAX + 8; size++) {
        int status = sl_gateway_parse_path((struct sl_text){target, size}, &ask, &detail);

        /* Without the first slash, with a terminator, and room for a slash at the end. */
        assert_int_equal(status, size > SL_SERVE_PATH_MAX - 1 ? 414 : 0);
        assert_true(status != 0 || strlen(ask.path) == size - 1);
    }
}

/* The request whose target and header fields are as given. */
static int parse(const char *target, const char *fields, struct sl_gateway_ask *ask)
{
    const char *detail = NULL;
    struct sl_request r;
    char head[1024];
    size_t used;
    int n = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, fields);
    int status;

    sl_request_init(&r);
    assert_int_equal(sl_request_feed(&r, head, (size_t)n, &used), SL_REQUEST_DONE);
    status = sl_gateway_parse_path(sl_request_text(&r, r.path), ask, &detail);
    if (status == 0) {
        status = sl_gateway_parse_request(&r, ask, &detail);
    }
    assert_true(status == 0 || detail != NULL);
    sl_request_clear(&r);
    return status;
}

static void test_forms(void **state)
{
    static const struct {
        const char *query, *fields;
        int status, form, scope;
        bool negotiated, download;
    } cases[] = {
        {"", "", 0, SL_GATEWAY_CONTENT, 0, false, false},
        {"?format=raw", "", 0, SL_GATEWAY_RAW, 0, false, false},
        {"?format=car", "", 0, SL_GATEWAY_CAR, 0, false, false},
        {"?format=tar", "", 400, 0, 0, false, false},
        {"?format=raw&format=car", "", 400, 0, 0, false, false},
        {"", "Accept: application/vnd.ipld.raw\r\n", 0, SL_GATEWAY_RAW, 0, true, false},
        {"", "Accept: text/html, Application/vnd.ipld.car;version=1; order=dfs\r\n", 0,
         SL_GATEWAY_CAR, 0, true, false},
        {"", "Accept: application/vnd.ipld.car; q=0.0, */*\r\n", 0, SL_GATEWAY_CONTENT, 0, false,
         false},
        {"", "Accept: application/vnd.ipld.car;q=0.001\r\n", 0, SL_GATEWAY_CAR, 0, true, false},
        {"", "Accept: */*\r\nAccept: application/vnd.ipld.raw\r\n", 0, SL_GATEWAY_RAW, 0, true,
         false},
        /* The query is what caches see. */
        {"?format=raw", "Accept: application/vnd.ipld.car\r\n", 0, SL_GATEWAY_RAW, 0, false, false},
        {"?format=car&dag-scope=block", "", 0, SL_GATEWAY_CAR, SL_GATEWAY_BLOCK, false, false},
        {"?format=car&dag-scope=entity", "", 0, SL_GATEWAY_CAR, SL_GATEWAY_ENTITY, false, false},
        {"?format=car&dag-scope=all&car-version=1", "", 0, SL_GATEWAY_CAR, SL_GATEWAY_ALL, false,
         false},
        {"?format=car&dag-scope=some", "", 400, 0, 0, false, false},
        {"?format=car&car-version=2", "", 400, 0, 0, false, false},
        {"?format=car&entity-bytes=0:1", "", 400, 0, 0, false, false},
        {"?download=true", "", 0, SL_GATEWAY_CONTENT, 0, false, true},
        {"?download=false", "", 0, SL_GATEWAY_CONTENT, 0, false, false},
        {"?download=1", "", 400, 0, 0, false, false},
        {"?filename=%00", "", 400, 0, 0, false, false},
        {"", "Service-Worker: script\r\n", 400, 0, 0, false, false},
        {"/", "Service-Worker: script\r\n", 0, SL_GATEWAY_CONTENT, 0, false, false},
        {"/sw.js", "Service-Worker: script\r\n", 0, SL_GATEWAY_CONTENT, 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_gateway_ask ask;
        char target[256];

        (void)snprintf(target, sizeof target, "/ipfs/" CID "%s", cases[i].query);
        assert_int_equal(parse(target, cases[i].fields, &ask), cases[i].status);
        if (cases[i].status == 0) {
            assert_int_equal(ask.form, cases[i].form);
            assert_int_equal(ask.scope, cases[i].scope);
            assert_true(ask.negotiated == cases[i].negotiated);
            assert_true(ask.download == cases[i].download);
        }
    }
}

static void test_cached_only(void **state)
{
    struct sl_gateway_ask ask;

    (void)state;
    assert_int_equal(parse("/ipfs/" CID, "Cache-Control: no-store, only-if-cached\r\n", &ask), 0);
    assert_true(ask.cached_only);
    assert_int_equal(parse("/ipfs/" CID "?filename=a+b.ts", "Cache-Control: no-cache\r\n", &ask),
                     0);
    assert_false(ask.cached_only);
    assert_string_equal(ask.filename, "a b.ts");
}

static void check_disposition(bool attachment, const char *name, const char *expected)
{
    struct sl_writer out;

    sl_writer_init(&out, 4096);
    sl_gateway_disposition(&out, attachment, name);
    sl_write_u8(&out, '\0');
    assert_string_equal((char *)out.data, expected);
    sl_writer_clear(&out);
}

static void test_disposition(void **state)
{
    (void)state;
    check_disposition(true, "", "Content-Disposition: attachment\r\n");
    check_disposition(false, "a b.mp4", "Content-Disposition: inline; filename=\"a b.mp4\"\r\n");
    check_disposition(true, "a\"\\\r\n.c",
                      "Content-Disposition: attachment; filename=\"a\\\"\\\\__.c\"\r\n");
    check_disposition(false, "test\xd1\x82\xd0\xb5.pdf",
                      "Content-Disposition: inline; filename=\"test__.pdf\"; "
                      "filename*=UTF-8''test%D1%82%D0%B5.pdf\r\n");
}

static void test_sniff(void **state)
{
    static const struct {
        const char *data;
        size_t size;
        const char *type;
    } cases[] = {
        {"#EXTM3U\n", 8, "application/vnd.apple.mpegurl"},
        {"\0\0\0\x18"
         "ftypiso5",
         12, "video/mp4"},
        {"\0\0\0\x18moof", 8, "video/iso.segment"},
        {"\x1a\x45\xdf\xa3xx", 6, "video/matroska"},
        {"\xff\xd8\xff\xe0", 4, "image/jpeg"},
        {"hello\n", 6, "text/plain; charset=utf-8"},
        {"gr\xc3\xbc\xc3", 5, "text/plain; charset=utf-8"}, /* cut within a letter */
        {"<html><script>", 14, "text/plain; charset=utf-8"},
        {"a\0b", 3, "application/octet-stream"},
        {"\xc3(", 2, "application/octet-stream"},
        {"\xed\xff", 2, "application/octet-stream"},
        {"G", 1, "text/plain; charset=utf-8"},
        {"", 0, "application/octet-stream"},
    };
    uint8_t ts[400] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(sl_gateway_sniff((const uint8_t *)cases[i].data, cases[i].size),
                            cases[i].type);
    }
    ts[0] = ts[188] = 0x47;
    assert_string_equal(sl_gateway_sniff(ts, sizeof ts), "video/mp2t");
}

static void test_page(void **state)
{
    struct sl_cas_entry entries[] = {
        {.tsize = 1536, .name = "<script>alert(1)</script>"},
        {.tsize = 5, .name = "a:b?c#d%e\"f"},
    };
    const struct sl_cas_list list = {.entries = entries, .count = 2};
    struct sl_gateway_ask ask = {.path = "ipfs/X/<b>", .below = 7};
    struct sl_writer out;
    const char *page;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        entries[i].cid = (struct sl_cid){.version = 1, .codec = SL_CODEC_RAW};
    }
    sl_writer_init(&out, 1 << 20);
    sl_gateway_page(&list, &ask, "a=1&b=2", &out);
    sl_write_u8(&out, '\0');
    assert_int_equal(out.status, SL_OK);
    page = (const char *)out.data;
    assert_null(strstr(page, "<script>"));
    assert_null(strstr(page, "<b>"));
    assert_non_null(strstr(page, "&#60;script&#62;alert(1)&#60;/script&#62;"));
    assert_non_null(strstr(page, "href=\"./a%3Ab%3Fc%23d%25e%22f?a=1&#38;b=2\""));
    assert_non_null(strstr(page, "<td>1.5 KiB"));
    assert_non_null(strstr(page, "href=\"../?a=1&#38;b=2\""));
    sl_writer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),       cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_forms),       cmocka_unit_test(test_cached_only),
        cmocka_unit_test(test_disposition), cmocka_unit_test(test_sniff),
        cmocka_unit_test(test_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
