/* SPDX-License-Identifier: BSD-2-Clause */
/* Remote resources against a server of the test's own, in a process of its own, so that its memory
 * is not ours. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "source/remote.h"
#include "unit.h"

#define SIZE 1000000

static uint8_t bytes[SIZE];
static uint16_t port;
static pid_t server;

/* Of both processes. */
static struct shared {
    atomic_int requests, connections, version;
} * shared;

/* ---- the server ---------------------------------------------------------------------------- */

static void answer(int fd, const char *request)
{
    long long from = 0, to = SIZE - 1;
    char head[256];
    const char *range = strstr(request, "Range: bytes=");
    int n;

    atomic_fetch_add(&shared->requests, 1);
    if (!range || sscanf(range, "Range: bytes=%lld-%lld", &from, &to) != 2) {
        exit(1);
    }
    to = to < SIZE - 1 ? to : SIZE - 1;
    if (strstr(request, "GET /whole ")) {
        n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
        from = 0;
        to = SIZE - 1;
    } else if (strstr(request, "GET /away ")) {
        n = snprintf(head, sizeof head,
                     "HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 1\r\n\r\n");
        to = from;
    } else {
        n = snprintf(head, sizeof head,
                     "HTTP/1.1 206 Partial Content\r\nETag: W/\"%d\"\r\nContent-Range: bytes "
                     "%lld-%lld/%d\r\nContent-Length: %lld\r\n\r\n",
                     atomic_load(&shared->version), from, to, SIZE, to - from + 1);
    }
    if (send(fd, head, (size_t)n, MSG_NOSIGNAL) == n) {
        for (long long at = from; at <= to;) {
            ssize_t sent = send(fd, bytes + at, (size_t)(to + 1 - at), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            at += sent;
        }
    }
}

static void serve(int listener)
{
    int fd;

    (void)signal(SIGCHLD, SIG_IGN);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&shared->connections, 1);
        if (fork() == 0) {
            char request[4096];
            size_t n = 0;
            ssize_t got;

            while ((got = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0) {
                n += (size_t)got;
                request[n] = '\0';
                if (strstr(request, "\r\n\r\n")) {
                    answer(fd, request);
                    n = 0;
                }
            }
            _exit(0);
        }
        (void)close(fd);
    }
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    scratch_noise(bytes, sizeof bytes, 12);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    server = fork();
    if (server == 0) {
        serve(listener);
        _exit(0);
    }
    (void)close(listener);
    return server > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)kill(server, SIGKILL);
    return munmap(shared, sizeof *shared);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static enum sl_status open_at(struct sl_remote **out, struct sl_blocks *blocks, const char *path,
                              bool private_too, atomic_int *fault)
{
    const struct sl_http_field field = {"X-A", "b"};
    char url[64];
    struct sl_http_params params = {
        .url = url,
        .name = "name",
        .fields = &field,
        .field_count = 1,
        .private_too = private_too,
        .timeout = 20000,
        .fault = fault,
    };

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", port, path);
    return sl_remote_open(out, &params, blocks, NULL);
}

static enum sl_status read_at(struct sl_source *s, int64_t offset, size_t size)
{
    static uint8_t got[SIZE];
    size_t at = 0, n = 1;

    while (at < size && n > 0) {
        enum sl_status status =
            s->bytes.fill(s->bytes.opaque, offset + (int64_t)at, got + at, size - at, &n, NULL);
        if (status != SL_OK) {
            return status;
        }
        at += n;
    }
    assert_int_equal(at, size);
    assert_memory_equal(got, bytes + offset, size);
    return SL_OK;
}

static void test_reading(void **state)
{
    struct sl_blocks *blocks = NULL;
    struct sl_remote *r = NULL;
    struct sl_source *a = NULL, *b = NULL;
    size_t n = 1;

    (void)state;
    atomic_store(&shared->connections, 0);
    atomic_store(&shared->requests, 0);
    assert_int_equal(sl_blocks_create(&blocks, (size_t)2 * SIZE, NULL), SL_OK);
    assert_int_equal(open_at(&r, blocks, "ranges", true, NULL), SL_OK);
    assert_true(sl_remote_facts(r)->size == SIZE);
    assert_int_equal(sl_remote_source(r, &a, NULL), SL_OK);
    assert_int_equal(sl_remote_source(r, &b, NULL), SL_OK);
    assert_true(a->bytes.seekable && a->bytes.size == SIZE);
    assert_int_equal(read_at(a, 0, SIZE), SL_OK);
    assert_int_equal(atomic_load(&shared->connections), 1);
    assert_true(atomic_load(&shared->requests) <= 6); /* 1, 1, 2, 4, 8 blocks */
    assert_int_equal(read_at(b, 0, SIZE), SL_OK);     /* out of memory's blocks */
    assert_int_equal(atomic_load(&shared->connections), 1);
    assert_int_equal(b->bytes.fill(b->bytes.opaque, SIZE, &n, 1, &n, NULL), SL_OK);
    assert_int_equal(n, 0);
    a->destroy(a);
    b->destroy(b);
    sl_remote_destroy(&r);
    sl_blocks_destroy(&blocks);
}

static void test_jumps(void **state)
{
    struct sl_blocks *blocks = NULL;
    struct sl_remote *r = NULL;
    struct sl_source *s = NULL;

    (void)state;
    atomic_store(&shared->connections, 0);
    assert_int_equal(sl_blocks_create(&blocks, 1, NULL), SL_OK); /* nothing is kept */
    assert_int_equal(open_at(&r, blocks, "ranges", true, NULL), SL_OK);
    assert_int_equal(sl_remote_source(r, &s, NULL), SL_OK);
    for (int64_t at = SIZE - 10; at > 0; at -= 70001) {
        assert_int_equal(read_at(s, at, 10), SL_OK);
        assert_int_equal(read_at(s, at / 2, 10), SL_OK);
    }
    assert_int_equal(atomic_load(&shared->connections), 1); /* each answer was read to its end */
    s->destroy(s);
    sl_remote_destroy(&r);
    sl_blocks_destroy(&blocks);
}

static void test_faults(void **state)
{
    static const struct {
        const char *path;
        bool private_too;
        enum sl_http_fault fault;
    } cases[] = {
        {"ranges", false, SL_HTTP_REFUSED},
        {"whole", true, SL_HTTP_NO_RANGES},
    };
    struct sl_blocks *blocks = NULL;
    struct sl_remote *r = NULL;
    struct sl_source *s = NULL;

    (void)state;
    assert_int_equal(sl_blocks_create(&blocks, 1, NULL), SL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_int fault = SL_HTTP_FINE;

        assert_int_equal(open_at(&r, blocks, cases[i].path, cases[i].private_too, &fault), SL_EIO);
        assert_null(r);
        assert_int_equal(atomic_load(&fault), cases[i].fault);
    }
    assert_int_equal(open_at(&r, blocks, "ranges", true, NULL), SL_OK);
    assert_int_equal(sl_remote_source(r, &s, NULL), SL_OK);
    assert_int_equal(read_at(s, 500000, 10), SL_OK);
    atomic_fetch_add(&shared->version, 1); /* a weak tag does for telling */
    assert_int_equal(read_at(s, 900000, 10), SL_EIO);
    assert_int_equal(sl_remote_fault(r), SL_HTTP_CHANGED);
    s->destroy(s);
    sl_remote_destroy(&r);
    sl_blocks_destroy(&blocks);
}

static bool allow_nothing(const void *opaque, const char *url)
{
    (void)opaque;
    assert_string_equal(url, "http://other/");
    return false;
}

static void test_redirect(void **state)
{
    char url[64];
    atomic_int fault = SL_HTTP_FINE;
    const struct sl_http_params params = {
        .url = url, .private_too = true, .allowed = allow_nothing, .fault = &fault};
    struct sl_blocks *blocks = NULL;
    struct sl_remote *r = NULL;

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/away", port);
    assert_int_equal(sl_blocks_create(&blocks, 1, NULL), SL_OK);
    assert_int_equal(sl_remote_open(&r, &params, blocks, NULL), SL_EIO);
    assert_int_equal(atomic_load(&fault), SL_HTTP_REFUSED);
    sl_blocks_destroy(&blocks);
}

static enum sl_status body(void *arg)
{
    struct sl_remote *r = NULL;
    struct sl_source *s = NULL;
    enum sl_status status = open_at(&r, arg, "ranges", true, NULL);

    if (status == SL_OK) {
        status = sl_remote_source(r, &s, NULL);
    }
    if (status == SL_OK) {
        status = read_at(s, 100000, 1000);
        s->destroy(s);
    }
    sl_remote_destroy(&r);
    /* A module whose name there is no memory for is one that cannot be had. */
    return status == SL_EUNSUPPORTED ? SL_ENOMEM : status;
}

static void test_memory(void **state)
{
    struct sl_blocks *blocks = NULL;

    (void)state;
    assert_int_equal(sl_blocks_create(&blocks, 1, NULL), SL_OK);
    failing_alloc_run_lenient(body, blocks); /* a block that cannot be kept is no failure */
    sl_blocks_destroy(&blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_faults),  cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
