/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes over HTTP, against a small server of the test's own that misbehaves by path. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "scratch.h"
#include "source/source.h"
#include "unit.h"

#define SIZE 3000000

static uint8_t bytes[SIZE];
static int listener;
static uint16_t port;
static pthread_t server;
static atomic_int requests, connections;

/* ---- the server ---------------------------------------------------------------------------- */

static void send_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        p += n;
        size -= (size_t)n;
    }
}

static void reply(int fd, const char *status, const char *headers, long long from, long long length)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %lld\r\n\r\n", status,
                     headers, length);
    send_all(fd, head, (size_t)n);
    if (length > 0) {
        send_all(fd, bytes + from, (size_t)length);
    }
}

/* One request; false: the connection is to be closed. */
static bool answer(int fd, const char *request)
{
    char headers[256];
    long long from = 0, to = SIZE - 1;
    const char *range = strstr(request, "Range: bytes=");
    bool partial = range && sscanf(range, "Range: bytes=%lld-%lld", &from, &to) == 2;
    int count = ++requests;
    to = to < SIZE - 1 ? to : SIZE - 1;
    if (strstr(request, "GET /missing ")) {
        reply(fd, "404 Not Found", "", 0, 0);
        return true;
    }
    if (strstr(request, "GET /moved ")) {
        reply(fd, "302 Found", "Location: /ranges\r\n", 0, 0);
        return true;
    }
    if (strstr(request, "GET /loop ")) {
        reply(fd, "302 Found", "Location: /loop\r\n", 0, 0);
        return true;
    }
    if (strstr(request, "GET /busy ") && count < 3) {
        reply(fd, "503 Service Unavailable", "", 0, 0);
        return true;
    }
    if (strstr(request, "GET /empty ")) {
        reply(fd, "416 Range Not Satisfiable", "Content-Range: bytes */0\r\n", 0, 0);
        return true;
    }
    if (strstr(request, "GET /plain ") || !partial) {
        reply(fd, "200 OK", "", 0, SIZE);
        return true;
    }
    if (from >= SIZE) {
        reply(fd, "416 Range Not Satisfiable", "", 0, 0);
        return true;
    }
    bool changed = strstr(request, "GET /changes ") && count > 1;
    (void)snprintf(headers, sizeof headers, "Content-Range: bytes %lld-%lld/%d\r\nETag: \"%d\"\r\n",
                   from, to, changed ? SIZE + 1 : SIZE, changed);
    if (strstr(request, "GET /cut ") && to - from > 20000) { /* promises all, gives a part */
        char head[512];
        int n = snprintf(head, sizeof head,
                         "HTTP/1.1 206 Partial Content\r\n%sContent-Length: %lld\r\n\r\n", headers,
                         to - from + 1);
        send_all(fd, head, (size_t)n);
        send_all(fd, bytes + from, (size_t)(to - from) / 2);
        return false;
    }
    reply(fd, "206 Partial Content", headers, from, to - from + 1);
    return true;
}

static void *serve_one(void *opaque)
{
    int fd = *(int *)opaque;
    char request[4096];
    size_t n = 0;
    free(opaque);
    for (;;) {
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            n = 0;
            if (!answer(fd, request)) {
                break;
            }
        }
    }
    (void)close(fd);
    return NULL;
}

static void *serve(void *opaque)
{
    int fd;
    (void)opaque;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        int *arg = malloc(sizeof *arg);
        assert_non_null(arg);
        *arg = fd;
        connections++;
        assert_int_equal(pthread_create(&thread, NULL, serve_one, arg), 0);
        (void)pthread_detach(thread);
    }
    return NULL;
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    (void)state;
    scratch_noise(bytes, sizeof bytes, 11);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)shutdown(listener, SHUT_RDWR);
    (void)pthread_join(server, NULL);
    (void)close(listener);
    return 0;
}

/* ---- the tests ----------------------------------------------------------------------------- */

static enum sl_status try_open(struct sl_source **s, const char *path, struct sl_error *err)
{
    char url[128];
    (void)snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%u/%s", port, path);
    requests = connections = 0;
    return sl_source_open(s, url, err);
}

static struct sl_source *opened(const char *path)
{
    struct sl_source *s = NULL;
    struct sl_error err = {0};
    enum sl_status st = try_open(&s, path, &err);
    if (st != SL_OK) {
        fail_msg("%s: %s", path, err.msg);
    }
    return s;
}

static void check(struct sl_source *s, int64_t offset, size_t size)
{
    static uint8_t got[SIZE];
    size_t at = 0;
    while (at < size) {
        size_t n = 0;
        assert_int_equal(
            s->bytes.fill(s->bytes.opaque, offset + (int64_t)at, got + at, size - at, &n, NULL),
            SL_OK);
        assert_true(n > 0);
        at += n;
    }
    assert_memory_equal(got, bytes + offset, size);
}

static void check_end(struct sl_source *s, int64_t offset)
{
    uint8_t byte;
    size_t n = 1;
    assert_int_equal(s->bytes.fill(s->bytes.opaque, offset, &byte, 1, &n, NULL), SL_OK);
    assert_int_equal(n, 0);
}

static void ranges(void **state)
{
    struct sl_source *s = opened("ranges");
    (void)state;
    assert_int_equal(s->bytes.size, SIZE);
    assert_true(s->bytes.seekable);
    assert_null(strstr(s->bytes.name, "secret"));
    check(s, 0, SIZE);
    check_end(s, SIZE);
    assert_true(requests < 8);
    assert_int_equal(connections, 1); /* kept alive */
    check(s, 2000000, 100);
    check(s, 5, 100);
    check(s, 50000, 100); /* near enough to be read over */
    check(s, SIZE - 3, 3);
    check_end(s, SIZE);
    check_end(s, SIZE + 1000);
    sl_source_destroy(&s);
}

static void without_ranges(void **state)
{
    struct sl_source *s = opened("plain");
    (void)state;
    assert_false(s->bytes.seekable);
    assert_int_equal(s->bytes.size, SIZE);
    check(s, 0, SIZE);
    check_end(s, SIZE);
    assert_int_equal(requests, 1);
    sl_source_destroy(&s);
}

static void redirects(void **state)
{
    struct sl_source *s = opened("moved");
    (void)state;
    check(s, 0, 1000000);
    check(s, 2500000, 1000);
    assert_true(requests < 8);
    sl_source_destroy(&s);
    assert_int_equal(try_open(&s, "loop", NULL), SL_EIO);
}

static void broken_connections_are_resumed(void **state)
{
    struct sl_source *s = opened("cut");
    (void)state;
    check(s, 0, 300000);
    sl_source_destroy(&s);
    s = opened("busy");
    check(s, 0, 1000);
    sl_source_destroy(&s);
}

static void refusals(void **state)
{
    struct sl_source *s = NULL;
    struct sl_error err = {0};
    uint8_t block[1000];
    size_t n = 0;
    (void)state;
    assert_int_equal(try_open(&s, "missing", &err), SL_ENOTFOUND);
    assert_null(s);
    assert_null(strstr(err.where, "secret"));
    assert_int_equal(sl_source_open(&s, "http://127.0.0.1:1/", NULL), SL_EIO);
    s = opened("changes");
    check(s, 0, 1000);
    assert_int_equal(s->bytes.fill(s->bytes.opaque, 2000000, block, sizeof block, &n, NULL),
                     SL_EIO);
    sl_source_destroy(&s);
    s = opened("empty");
    check_end(s, 0);
    sl_source_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),    cmocka_unit_test(without_ranges),
        cmocka_unit_test(redirects), cmocka_unit_test(broken_connections_are_resumed),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
