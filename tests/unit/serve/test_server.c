/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a server: opening, what it refuses, stopping. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <sluice/options.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "serve/server.h"
#include "unit.h"

static struct scratch scratch;

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    scratch_write(scratch_name(&scratch, "file"), "hello", 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static void fill(struct sl_serve_params *p)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(sl_options_default(sl_serve_table(), p, NULL), SL_OK);
    (void)snprintf(p->root, sizeof p->root, "%s", scratch.path);
    p->port = 0;
    p->threads = 2;
}

static void test_defaults(void **state)
{
    struct sl_serve_params p;

    (void)state;
    fill(&p);
    assert_string_equal(p.listen, "127.0.0.1");
    assert_true(p.connections == 4096);
    assert_true(p.header_timeout.num == 10 && p.header_timeout.den == 1);
    assert_true(p.segment_age == 0);
}

static void *run(void *arg)
{
    return sl_serve_run(arg, NULL) == SL_OK ? arg : NULL;
}

static int connect_to(const struct sl_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(s->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Asks for the file, keep-alive, and reads until its last byte. */
static void fetch(int fd)
{
    static const char request[] = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[4096];
    size_t got = 0;

    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    while (got < 9 || memcmp(answer + got - 9, "\r\n\r\nhello", 9) != 0) {
        ssize_t n = read(fd, answer + got, sizeof answer - got);

        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
}

static void test_serve_and_stop(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL;
    int fds[5];
    pthread_t thread;
    void *result;

    (void)state;
    fill(&p);
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, NULL), SL_OK);
    assert_int_not_equal(s->port, 0);
    assert_int_equal(pthread_create(&thread, NULL, run, s), 0);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        fds[i] = connect_to(s);
        fetch(fds[i]);
    }
    fetch(fds[0]); /* the connection was kept */
    sl_serve_stop(s);
    sl_serve_stop(s);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    sl_serve_destroy(&s);
    assert_null(s);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        assert_int_equal(close(fds[i]), 0);
    }
}

static void test_stop_first(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL;

    (void)state;
    fill(&p);
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, NULL), SL_OK);
    sl_serve_stop(s);
    assert_int_equal(sl_serve_run(s, NULL), SL_OK);
    sl_serve_destroy(&s);
    sl_serve_destroy(&s);
}

static void test_taken_port(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL, *second = NULL;
    struct sl_error err = {0};
    char where[64];

    (void)state;
    fill(&p);
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, NULL), SL_OK);
    p.port = s->port;
    assert_int_equal(sl_serve_open(&second, &p, NULL, NULL, &err), SL_EIO);
    assert_null(second);
    (void)snprintf(where, sizeof where, "127.0.0.1:%u", s->port);
    assert_string_equal(err.where, where);
    sl_serve_destroy(&s);
}

static void test_refused(void **state)
{
    struct sl_serve_params p;
    struct sl_server *s = NULL;
    struct sl_error err = {0};

    (void)state;
    fill(&p);
    (void)snprintf(p.listen, sizeof p.listen, "192.0.2.1"); /* nobody's: RFC 5737 */
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, &err), SL_EIO);
    assert_string_equal(err.where, "192.0.2.1:0");
    memset(&err, 0, sizeof err);
    fill(&p);
    p.idle_timeout.num = 0;
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, &err), SL_EINVAL);
    assert_string_equal(err.where, "idle-timeout");
    fill(&p);
    (void)snprintf(p.root, sizeof p.root, "/nonexistent");
    assert_int_equal(sl_serve_open(&s, &p, NULL, NULL, NULL), SL_ENOTFOUND);
    assert_null(s);
}

static enum sl_status open_once(void *arg)
{
    struct sl_server *s = NULL;
    enum sl_status status = sl_serve_open(&s, arg, NULL, NULL, NULL);

    assert_true((status == SL_OK) == (s != NULL));
    sl_serve_destroy(&s);
    return status;
}

static void test_memory(void **state)
{
    struct sl_serve_params p;

    (void)state;
    fill(&p);
    failing_alloc_run(open_once, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_serve_and_stop),
        cmocka_unit_test(test_stop_first), cmocka_unit_test(test_taken_port),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
