/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "serve/authority.h"
#include "serve/request.h"
#include "unit.h"

#define H "Host: h\r\n"

/* Requests that are taken. Everything is compared as text; NULL is not looked at. */
static const struct good {
    const char *bytes;
    enum sl_method method;
    const char *path;
    int minor;
    bool keep_alive;
} good[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "/", 1, true},
    {"HEAD /a%20b?c=d HTTP/1.1\r\n" H "\r\n", SL_METHOD_HEAD, "/a%20b", 1, true},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", SL_METHOD_OPTIONS, "", 1, true},
    {"OPTIONS /x HTTP/1.1\r\n" H "\r\n", SL_METHOD_OPTIONS, "/x", 1, true},
    {"OPTIONS http://h HTTP/1.1\r\n" H "\r\n", SL_METHOD_OPTIONS, "", 1, true},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "/", 1, true},
    /* HTTP/1.0: no Host needed, no persistence unless asked for */
    {"GET / HTTP/1.0\r\n\r\n", SL_METHOD_GET, "/", 0, false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", SL_METHOD_GET, "/", 0, true},
    {"GET / HTTP/1.0\r\nExpect: magic\r\n\r\n", SL_METHOD_GET, "/", 0, false},
    {"GET / HTTP/1.7\r\n" H "\r\n", SL_METHOD_GET, "/", 1, true},
    /* Connection: a list, several fields, any case; close wins */
    {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", SL_METHOD_GET, "/", 1, false},
    {"GET / HTTP/1.1\r\n" H "Connection: x , CLOSE\r\n\r\n", SL_METHOD_GET, "/", 1, false},
    {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nconnection:close\r\n\r\n", SL_METHOD_GET,
     "/", 1, false},
    {"GET / HTTP/1.1\r\n" H "Connection: closed,,\r\n\r\n", SL_METHOD_GET, "/", 1, true},
    /* absolute-form, RFC 9112 3.2.2 */
    {"GET http://example.org/p?q HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "/p", 1, true},
    {"GET HTTP://[::1]:80/p HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "/p", 1, true},
    {"GET http://h?q HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "", 1, true},
    /* Host in all its forms */
    {"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", SL_METHOD_GET, "/", 1, true},
    {"GET / HTTP/1.1\r\nhOST:\t[2001:db8::1]:1\t \r\n\r\n", SL_METHOD_GET, "/", 1, true},
    {"GET / HTTP/1.1\r\nHost: a-b.c_d:\r\n\r\n", SL_METHOD_GET, "/", 1, true},
    /* values: empty, with tabs, with bytes above 127 */
    {"GET / HTTP/1.1\r\n" H "A:\r\nB: \t \r\nC: a\tb\r\nD: \xc3\xa4\r\n\r\n", SL_METHOD_GET, "/", 1,
     true},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", SL_METHOD_GET, "/", 1, true},
    {"GET / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n\r\n", SL_METHOD_GET, "/", 1, true},
    {"GET /|^`{}[]\\ HTTP/1.1\r\n" H "\r\n", SL_METHOD_GET, "/|^`{}[]\\", 1, true},
};

/* Requests that are refused, and with which status. */
static const struct bad {
    const char *bytes;
    int status;
} bad[] = {
    /* the request line */
    {"GET /\r\n", 400},
    {"GET\r\n", 400},
    {" GET / HTTP/1.1\r\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET / HTTP/1.1 \r\n", 400},
    {"GET /a b HTTP/1.1\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n", 400},
    {"G(T / HTTP/1.1\r\n", 400},
    {"GET / http/1.1\r\n", 400},
    {"GET / HTTP/1.10\r\n", 400},
    {"GET / HTTP/1,1\r\n", 400},
    {"GET / HTTP/a.1\r\n", 400},
    {"GET / HTTP/2.0\r\n", 505},
    {"GET / HTTP/0.9\r\n", 505},
    {"PRI * HTTP/2.0\r\n", 505},
    {"\r\n\r\n", 400},
    {"\x16\x03\x01", 400}, /* a TLS greeting, before any line has ended */
    {"\x80", 400},
    {"GET /\x7f", 400},
    /* the target */
    {"GET x HTTP/1.1\r\n", 400},
    {"GET * HTTP/1.1\r\n", 400},
    {"GET /#f HTTP/1.1\r\n", 400},
    {"GET /\" HTTP/1.1\r\n", 400},
    {"GET /<x> HTTP/1.1\r\n", 400},
    {"GET /\xc3\xa4 HTTP/1.1\r\n", 400},
    {"GET ftp://h/ HTTP/1.1\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n", 400},
    {"GET http://u@h/ HTTP/1.1\r\n", 400},
    {"GET http://h:99999/ HTTP/1.1\r\n", 400},
    {"GET http:// HTTP/1.1\r\n", 400},
    {"GET https://h/ HTTP/1.1\r\n", 421},
    /* line ends: RFC 9112 2.2 */
    {"GET / HTTP/1.1\n", 400},
    {"GET / HTTP/1.1\r" H, 400},
    {"GET / HTTP/1.1\r\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "A: b\n", 400},
    {"GET / HTTP/1.1\r\n" H "A: b\rc", 400},
    {"GET / HTTP/1.1\r\n" H "A: b\x01", 400},
    {"GET / HTTP/1.1\r\n" H "A: b\x0b", 400},
    /* fields: RFC 9112 5 */
    {"GET / HTTP/1.1\r\n " H, 400},
    {"GET / HTTP/1.1\r\n" H " folded: x\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : h\r\n", 400},
    {"GET / HTTP/1.1\r\nHost\t: h\r\n", 400},
    {"GET / HTTP/1.1\r\n: h\r\n", 400},
    {"GET / HTTP/1.1\r\nHost h\r\n", 400},
    {"GET / HTTP/1.1\r\nHo[st: h\r\n", 400},
    {"GET / HTTP/1.1\r\nH\xc3\xa4: h\r\n", 400},
    /* Host: RFC 9112 3.2 */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H H, 400},
    {"GET / HTTP/1.0\r\n" H H, 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: h:x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [v1.x]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: %zz\r\n\r\n", 400},
    {"GET http://h/ HTTP/1.1\r\n\r\n", 400}, /* absolute-form needs Host all the same */
    /* bodies: RFC 9112 6 */
    {"GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 400},
    {"HEAD / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 00\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: +0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0, 0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0x0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 0\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "transfer-encoding:\tchunked\r\n\r\n", 400},
    {"HEAD / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n", 400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    /* methods */
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", 405},
    {"PUT / HTTP/1.1\r\n" H "\r\n", 405},
    {"DELETE / HTTP/1.1\r\n" H "\r\n", 405},
    {"TRACE / HTTP/1.1\r\n" H "\r\n", 405},
    {"CONNECT h:1 HTTP/1.1\r\n" H "\r\n", 405},
    {"BREW / HTTP/1.1\r\n" H "\r\n", 501},
    {"get / HTTP/1.1\r\n" H "\r\n", 501},
    /* fields that stand once */
    {"GET / HTTP/1.1\r\n" H "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Expect: magic\r\n\r\n", 417},
};

enum cut { WHOLE, BYTES, ODD, CUTS };

static enum sl_request_result feed(struct sl_request *r, const char *bytes, size_t size,
                                   enum cut cut, size_t *taken)
{
    enum sl_request_result result = SL_REQUEST_MORE;
    size_t piece = cut == WHOLE ? size : cut == BYTES ? 1 : 7;

    for (*taken = 0; *taken < size && result == SL_REQUEST_MORE;) {
        size_t left = size - *taken, used;

        result = sl_request_feed(r, bytes + *taken, left < piece ? left : piece, &used);
        *taken += used;
    }
    return result;
}

static void assert_text(struct sl_text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    if (text.size > 0)
        assert_memory_equal(text.data, expected, text.size);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct good *g = &good[i];
        char pipelined[1024];

        assert_true(strlen(g->bytes) + 5 < sizeof pipelined);
        memcpy(pipelined, g->bytes, strlen(g->bytes));
        memcpy(pipelined + strlen(g->bytes), "GET /", 5);
        for (enum cut cut = WHOLE; cut < CUTS; cut++) {
            struct sl_request r;
            size_t taken;

            sl_request_init(&r);
            if (feed(&r, pipelined, strlen(g->bytes) + 5, cut, &taken) != SL_REQUEST_DONE)
                fail_msg("case %zu, cut %d: %d %s", i, cut, r.status, r.reason);
            assert_int_equal(taken, strlen(g->bytes)); /* the next request is left alone */
            assert_int_equal(r.method, g->method);
            assert_text(sl_request_text(&r, r.path), g->path);
            assert_int_equal(r.minor, g->minor);
            assert_int_equal(r.keep_alive, g->keep_alive);
            assert_int_equal(sl_request_feed(&r, "x", 1, &taken), SL_REQUEST_DONE);
            assert_int_equal(taken, 0);
            sl_request_clear(&r);
            assert_false(sl_request_begun(&r));
        }
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (enum cut cut = WHOLE; cut < CUTS; cut++) {
            struct sl_request r;
            size_t taken;
            enum sl_request_result result;

            sl_request_init(&r);
            result = feed(&r, bad[i].bytes, strlen(bad[i].bytes), cut, &taken);
            if (result != SL_REQUEST_BAD || r.status != bad[i].status)
                fail_msg("case %zu, cut %d: %d, status %d %s", i, cut, result, r.status, r.reason);
            assert_non_null(r.reason);
            assert_false(r.keep_alive);
            sl_request_clear(&r);
        }
    }
}

static void test_nul(void **state)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n";
    struct sl_request r;
    size_t taken;

    (void)state;
    sl_request_init(&r);
    assert_int_equal(feed(&r, bytes, sizeof bytes - 1, WHOLE, &taken), SL_REQUEST_BAD);
    assert_int_equal(r.status, 400);
    sl_request_clear(&r);
}

/* A request with a target or a field value of some length, or with many fields. */
static int status_of(const char *start, size_t padding, const char *end, size_t fields)
{
    struct sl_request r;
    size_t used, size = strlen(start) + padding + strlen(end) + fields * 5 + 2, at;
    char *bytes = malloc(size);
    int status;

    assert_non_null(bytes);
    at = strlen(start);
    memcpy(bytes, start, at);
    memset(bytes + at, 'a', padding);
    at += padding;
    memcpy(bytes + at, end, strlen(end));
    at += strlen(end);
    for (size_t i = 0; i < fields; i++, at += 5)
        memcpy(bytes + at, "A:b\r\n", 5);
    memcpy(bytes + at, "\r\n", 2);
    sl_request_init(&r);
    status = sl_request_feed(&r, bytes, size, &used) == SL_REQUEST_DONE ? 200 : r.status;
    sl_request_clear(&r);
    free(bytes);
    return status;
}

static void test_limits(void **state)
{
    const char line[] = "GET / HTTP/1.1\r\n" H;
    size_t around = strlen("GET /") + strlen(" HTTP/1.1\r\n");
    char many[5 * 8300];

    (void)state;
    assert_int_equal(status_of("GET /", SL_REQUEST_LINE_MAX - around, " HTTP/1.1\r\n" H, 0), 200);
    assert_int_equal(status_of("GET /", SL_REQUEST_LINE_MAX - around + 1, " HTTP/1.1\r\n" H, 0),
                     414);
    assert_int_equal(status_of("GET / HTTP/1.1\r\n" H "A:", SL_REQUEST_LINE_MAX - 4, "\r\n", 0),
                     200);
    assert_int_equal(status_of("GET / HTTP/1.1\r\n" H "A:", SL_REQUEST_LINE_MAX - 3, "\r\n", 0),
                     431);
    assert_int_equal(status_of(line, 0, "", SL_REQUEST_FIELDS_MAX - 1), 200);
    assert_int_equal(status_of(line, 0, "", SL_REQUEST_FIELDS_MAX), 431);
    /* Four lines of 8,000 bytes and their surroundings fit, five do not. */
    for (size_t lines = 4; lines <= 5; lines++) {
        size_t at = strlen(line);

        memcpy(many, line, at);
        for (size_t i = 0; i < lines - 1; i++, at += 8000) {
            memset(many + at, 'a', 8000);
            memcpy(many + at, "A:", 2);
            memcpy(many + at + 7998, "\r\n", 2);
        }
        many[at] = '\0';
        assert_int_equal(status_of(many, 0, "", 0), 200);
        memset(many + at, 'a', 8000);
        memcpy(many + at, "A:", 2);
        memcpy(many + at + 7998, "\r\n", 3);
        assert_int_equal(status_of(many, 0, "", 0), lines == 4 ? 200 : 431);
    }
}

static void test_fields(void **state)
{
    static const char bytes[] =
        "GET / HTTP/1.1\r\n" H "If-None-Match: \"a\"\r\nUser-Agent:  x y  \r\n"
        "if-none-match: \"b\"\r\n\r\n";
    struct sl_text value, list = {" a ,,b,\t", 8}, element;
    struct sl_request r;
    size_t taken, cursor = 0;

    (void)state;
    sl_request_init(&r);
    assert_int_equal(feed(&r, bytes, sizeof bytes - 1, BYTES, &taken), SL_REQUEST_DONE);
    assert_text(sl_request_field(&r, SL_FIELD_USER_AGENT), "x y");
    assert_null(sl_request_field(&r, SL_FIELD_RANGE).data);
    assert_true(sl_request_next(&r, SL_FIELD_IF_NONE_MATCH, &cursor, &value));
    assert_text(value, "\"a\"");
    assert_true(sl_request_next(&r, SL_FIELD_IF_NONE_MATCH, &cursor, &value));
    assert_text(value, "\"b\"");
    assert_false(sl_request_next(&r, SL_FIELD_IF_NONE_MATCH, &cursor, &value));
    sl_request_clear(&r);

    assert_true(sl_list_next(&list, &element));
    assert_text(element, "a");
    assert_true(sl_list_next(&list, &element));
    assert_text(element, "b");
    assert_false(sl_list_next(&list, &element));
}

static void test_authority(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"h", true},          {"example.org:80", true}, {"[::]", true},    {"[::1]:", true},
        {"1.2.3.4", true},    {"a%2fb", true},          {"", false},       {":80", false},
        {"h:65536", false},   {"h:1:2", false},         {"[::1]x", false}, {"[]", false},
        {"[::g]", false},     {"h:-1", false},          {"a%2", false},    {"\xc3\xa4", false},
        {"h:65535", true},    {"[::1", false},          {"h:0080", true},  {"a,b", true},
        {"[1.2.3.4]", false}, {"::1", false},           {"h\\x", false},   {"h?x", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sl_authority_valid(cases[i].text, strlen(cases[i].text)) != cases[i].valid)
            fail_msg("%s", cases[i].text);
    assert_false(sl_authority_valid("[::1\0]", 6));
}

static enum sl_status parse_one(void *arg)
{
    struct sl_request r;
    enum sl_request_result result;
    size_t taken;

    sl_request_init(&r);
    result = feed(&r, arg, strlen(arg), ODD, &taken);
    if (result == SL_REQUEST_BAD)
        assert_int_equal(r.status, 503);
    sl_request_clear(&r);
    return result == SL_REQUEST_DONE ? SL_OK : SL_ENOMEM;
}

static void test_memory(void **state)
{
    char bytes[] =
        "GET /some/path/that/is/not/so/short HTTP/1.1\r\n" H "A: bbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
        "B: cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\r\n\r\n";

    (void)state;
    failing_alloc_run(parse_one, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_authority),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
