/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "serve/access.h"
#include "unit.h"

static void check(const char *bytes, const struct sockaddr_storage *peer, bool whole,
                  enum sl_access_format format, const char *expected)
{
    struct sl_client client;
    struct sl_request r;
    struct sl_access a = {.request = &r,
                          .client = &client,
                          .status = 206,
                          .sent = 42,
                          .whole = whole,
                          .micros = 12345678,
                          .now = 784111777};
    struct sl_writer out;
    size_t used;

    sl_request_init(&r);
    (void)!sl_request_feed(&r, bytes, strlen(bytes), &used);
    sl_writer_init(&out, 8192);
    sl_client_from_peer(&client, peer);
    sl_access_line(&a, format, &out);
    sl_write_u8(&out, 0);
    assert_int_equal(out.status, SL_OK);
    assert_string_equal(out.data, expected);
    sl_writer_clear(&out);
    sl_request_clear(&r);
}

static void test_lines(void **state)
{
    struct sockaddr_storage four = {0}, six = {0}, none = {0};

    (void)state;
    *(struct sockaddr_in *)(void *)&four = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *(struct sockaddr_in6 *)(void *)&six = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    check("GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: x y\r\n\r\n", &four, true, SL_ACCESS_PLAIN,
          "1994-11-06T08:49:37Z 127.0.0.1:4711 \"GET /a?b HTTP/1.1\" 206 42 12.345678 \"x y\"");
    check("HEAD /\\ HTTP/1.0\r\nUser-Agent: \"\\\t\xff\r\n\r\n", &six, false, SL_ACCESS_PLAIN,
          "1994-11-06T08:49:37Z [::1]:1 \"HEAD /\\x5c HTTP/1.0\" 206 42 12.345678 "
          "\"\\x22\\x5c\\x09\\xff\" aborted");
    check("", &none, true, SL_ACCESS_PLAIN, "1994-11-06T08:49:37Z - \"-\" 206 42 12.345678 \"\"");
    check("GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: x y\r\nReferer: \"\r\n\r\n", &four, true,
          SL_ACCESS_COMMON,
          "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 206 42 \"\\x22\" \"x "
          "y\"");
    check("GET /\\ HTTP/1.1\r\nHost: h\r\nUser-Agent: \"\t\xff\r\n\r\n", &six, false,
          SL_ACCESS_JSON,
          "{\"time\":\"1994-11-06T08:49:37Z\",\"client\":\"::1\",\"method\":\"GET\","
          "\"target\":\"/\\u005c\",\"status\":206,\"bytes\":42,\"seconds\":12.345678,"
          "\"whole\":false,\"referer\":\"\",\"agent\":\"\\u0022\\u0009\\u00ff\"}");
    /* What names a source on the web is a secret. */
    check("GET /proxy/a/1.m4s?src=http://u:p@h/&t=1&h_A=b&s=c&x HTTP/1.1\r\nHost: h\r\n"
          "Referer: http://h/proxy/master.m3u8?src=x&v=1\r\n\r\n",
          &none, true, SL_ACCESS_COMMON,
          "- - - [06/Nov/1994:08:49:37 +0000] \"GET /proxy/a/1.m4s?src=*&t=1&h_A=*&s=*&x=* "
          "HTTP/1.1\" 206 42 \"http://h/proxy/master.m3u8?src=*&v=1\" \"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
