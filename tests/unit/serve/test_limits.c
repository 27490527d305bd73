/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates, clients, queries, and what Accept-Encoding says. */
#include <string.h>
#include <zlib.h>

#include <arpa/inet.h>

#include "failing_alloc.h"
#include "serve/client.h"
#include "serve/gzip.h"
#include "serve/metrics.h"
#include "serve/query.h"
#include "serve/rate.h"
#include "unit.h"

static void test_rate(void **state)
{
    uint8_t a[SL_RATE_KEY] = {1}, b[SL_RATE_KEY] = {2};
    struct sl_rate *r = NULL;
    int64_t now = 1000000, wait = 0;

    (void)state;
    assert_true(sl_rate_take(NULL, a, now, &wait));
    assert_int_equal(sl_rate_create(&r, 10, 20, NULL), SL_OK);
    for (int i = 0; i < 20; i++) {
        assert_true(sl_rate_take(r, a, now, &wait));
    }
    assert_false(sl_rate_take(r, a, now, &wait));
    assert_true(wait == 100000);
    assert_true(sl_rate_take(r, b, now, &wait)); /* another client */
    assert_false(sl_rate_take(r, a, now + 99999, &wait));
    assert_true(wait == 1);
    assert_true(sl_rate_take(r, a, now + 100000, &wait));
    assert_false(sl_rate_take(r, a, now + 100000, &wait));
    assert_false(sl_rate_take(r, a, now, &wait)); /* a clock that goes back gives nothing */
    now += INT64_C(100000000) * 1000000;          /* years later: full, and no more than that */
    for (int i = 0; i < 20; i++) {
        assert_true(sl_rate_take(r, a, now, &wait));
    }
    assert_false(sl_rate_take(r, a, now, &wait));
    for (uint32_t i = 0; i < 100000; i++) { /* more clients than there is room for */
        memcpy(b, &i, sizeof i);
        b[7] = 1;
        assert_true(sl_rate_take(r, b, now + i, &wait));
    }
    sl_rate_destroy(&r);
    sl_rate_destroy(&r);
}

static void feed(struct sl_request *r, const char *fields)
{
    char text[512] = "GET / HTTP/1.1\r\nHost: h\r\n";
    size_t used;

    strcat(text, fields); /* NOLINT: short literals */
    strcat(text, "\r\n"); /* NOLINT */
    sl_request_init(r);
    assert_int_equal(sl_request_feed(r, text, strlen(text), &used), SL_REQUEST_DONE);
}

static void test_clients(void **state)
{
    struct sockaddr_storage peer = {0};
    struct sl_client c, d;
    struct sl_request r;

    (void)state;
    sl_client_from_peer(&c, &peer);
    assert_string_equal(c.text, "-");
    peer.ss_family = AF_INET6;
    assert_int_equal(
        inet_pton(AF_INET6, "::ffff:192.0.2.7", &((struct sockaddr_in6 *)(void *)&peer)->sin6_addr),
        1);
    sl_client_from_peer(&c, &peer);
    assert_string_equal(c.text, "192.0.2.7");
    assert_true(sl_client_parse(&d, "192.0.2.7"));
    assert_memory_equal(c.key, d.key, sizeof c.key);
    assert_true(sl_client_parse(&c, "2001:db8:0:1::1"));
    assert_true(sl_client_parse(&d, "2001:db8:0:1:ffff::2"));
    assert_memory_equal(c.key, d.key, sizeof c.key); /* a household */
    assert_false(sl_client_parse(&d, "localhost"));
    feed(&r, "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n");
    sl_client_from_field(&c, &r);
    assert_string_equal(c.text, "203.0.113.9");
    sl_request_clear(&r);
    feed(&r, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 2001:DB8::5\r\n");
    sl_client_from_field(&c, &r);
    assert_string_equal(c.text, "2001:db8::5");
    sl_request_clear(&r);
    feed(&r, "X-Forwarded-For: 198.51.100.1, unknown\r\n");
    sl_client_from_field(&c, &r);
    assert_string_equal(c.text, "2001:db8::5"); /* as before */
    sl_request_clear(&r);
}

static struct sl_text text_of(const char *text)
{
    return (struct sl_text){text, strlen(text)};
}

static void test_queries(void **state)
{
    static const struct {
        const char *query, *value; /* of "a" */
        int found;
    } cases[] = {
        {"", "", 0},
        {"a=1", "1", 1},
        {"b=2&a=1&c", "1", 1},
        {"a", "", 1},
        {"a=", "", 1},
        {"aa=1", "", 0},
        {"a=1&a=2", "", -1},
        {"a=x%20y+z", "x y z", 1},
        {"a=%", "", -1},
        {"a=%4", "", -1},
        {"a=%zz", "", -1},
        {"a=%0a", "", -1},
        {"a=%00", "", -1},
        {"&&a=1&&", "1", 1},
        {"a=b=c", "b=c", 1},
        {"a=123456789", "", -1},
        {"a=%C3%A9", "\xc3\xa9", 1},
    };
    char out[9];
    int64_t n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int found = sl_query_get(text_of(cases[i].query), "a", out, sizeof out);

        if (found != cases[i].found) {
            fail_msg("%s: %d", cases[i].query, found);
        }
        if (found == 1) {
            assert_string_equal(out, cases[i].value);
        }
    }
    assert_int_equal(sl_query_number(text_of("n=123456789012345678"), "n", &n), 1);
    assert_true(n == 123456789012345678);
    assert_int_equal(sl_query_number(text_of("n=1234567890123456789"), "n", &n), -1);
    assert_int_equal(sl_query_number(text_of("n="), "n", &n), -1);
    assert_int_equal(sl_query_number(text_of("n=-1"), "n", &n), -1);
    assert_int_equal(sl_query_number(text_of("m=1"), "n", &n), 0);
}

static void test_accepted(void **state)
{
    static const struct {
        const char *fields;
        bool accepted;
    } cases[] = {
        {"", false},
        {"Accept-Encoding: gzip\r\n", true},
        {"Accept-Encoding: deflate, GZIP;q=0.5, br\r\n", true},
        {"Accept-Encoding: x-gzip\r\n", true},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip; q=0.000\r\n", false},
        {"Accept-Encoding: gzip ;q=0.001\r\n", true},
        {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true},
        {"Accept-Encoding: *\r\n", false},
        {"Accept-Encoding: identity\r\n", false},
        {"Accept-Encoding: gzipped\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_request r;

        feed(&r, cases[i].fields);
        if (sl_gzip_accepted(&r) != cases[i].accepted) {
            fail_msg("%s", cases[i].fields);
        }
        sl_request_clear(&r);
    }
}

static const char playlist[] = "#EXTM3U\n1.m4s\n2.m4s\n3.m4s\n4.m4s\n5.m4s\n6.m4s\n7.m4s\n";

static enum sl_status pack_once(void *arg)
{
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_gzip_make(&buf, playlist, sizeof playlist, NULL);
    uint8_t plain[sizeof playlist];

    (void)arg;
    if (status == SL_OK) {
        z_stream z = {.next_in = buf->data, .avail_in = (uInt)buf->size};

        z.next_out = plain;
        z.avail_out = sizeof plain;
        if (inflateInit2(&z, 15 + 16) == Z_OK) { /* its allocations fail, too */
            int result = inflate(&z, Z_FINISH);

            assert_true(result == Z_STREAM_END || result == Z_MEM_ERROR);
            assert_true(result != Z_STREAM_END || memcmp(plain, playlist, sizeof plain) == 0);
            (void)inflateEnd(&z);
        }
    }
    sl_buf_unref(&buf);
    return status;
}

static void test_gzip(void **state)
{
    struct sl_buf *buf = NULL;

    (void)state;
    failing_alloc_run_lenient(pack_once, NULL);
    assert_int_equal(sl_gzip_make(&buf, "", SL_GZIP_MOST + 1, NULL), SL_EINVAL);
    assert_null(buf);
}

static void test_metrics(void **state)
{
    struct sl_metrics *m = test_calloc(1, sizeof *m);
    struct sl_writer out;

    (void)state;
    sl_metrics_count(m, SL_REPLY_MEDIA, 200, 700);
    sl_metrics_count(m, SL_REPLY_MEDIA, 206, 99999999);
    sl_metrics_count(m, SL_REPLY_MEDIA, 503, 1);
    sl_metrics_bytes(m, SL_REPLY_MEDIA, 4711);
    sl_writer_init(&out, 1 << 20);
    sl_metrics_write(m, 3, &out);
    sl_write_u8(&out, 0);
    assert_int_equal(out.status, SL_OK);
    static const char *const lines[] = {
        "\nsluice_requests_total{class=\"media\",status=\"2xx\"} 2\n",
        "\nsluice_requests_total{class=\"media\",status=\"5xx\"} 1\n",
        "\nsluice_sent_bytes_total{class=\"media\"} 4711\n",
        "\nsluice_first_byte_seconds_bucket{class=\"media\",le=\"0.000500\"} 1\n",
        "\nsluice_first_byte_seconds_bucket{class=\"media\",le=\"0.001000\"} 2\n",
        "\nsluice_first_byte_seconds_bucket{class=\"media\",le=\"+Inf\"} 3\n",
        "\nsluice_first_byte_seconds_sum{class=\"media\"} 100.000700\n",
        "\nsluice_connections 3\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!strstr((const char *)out.data, lines[i])) {
            fail_msg("%s is missing", lines[i]);
        }
    }
    sl_writer_clear(&out);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),    cmocka_unit_test(test_clients),
        cmocka_unit_test(test_queries), cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_gzip),    cmocka_unit_test(test_metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
