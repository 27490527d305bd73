/* SPDX-License-Identifier: BSD-2-Clause */
/* Chains to every kind of descriptor. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/slice.h"
#include "scratch.h"
#include "unit.h"

#define SOURCE_SIZE ((size_t)3 << 20)

struct fixture {
    struct scratch scratch;
    uint8_t *bytes; /* of the source */
    struct sl_file *file;
    struct sl_chain chain;
    uint8_t *expected; /* of the chain */
    size_t size;
};

/* A fragment as passthrough makes it: headers, then frames of all sizes with gaps between them;
 * more memory slices in a row than one writev takes. */
static void make_chain(struct fixture *f)
{
    int64_t at = 0;
    size_t length = 1;

    f->expected = malloc(SOURCE_SIZE * 2);
    assert_non_null(f->expected);
    sl_chain_init(&f->chain);
    for (int i = 0; at + (int64_t)length + 9 < (int64_t)SOURCE_SIZE; i++) {
        if (i % 5 == 0) {
            assert_int_equal(sl_chain_add_copy(&f->chain, f->bytes + at, 9, NULL), SL_OK);
            memcpy(f->expected + f->size, f->bytes + at, 9);
            f->size += 9;
        }
        assert_int_equal(sl_chain_add_file(&f->chain, f->file, at, length, NULL), SL_OK);
        memcpy(f->expected + f->size, f->bytes + at, length);
        f->size += length;
        at += (int64_t)length + 7;
        length = length * 3 % 200003 + 1;
    }
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(sl_chain_add_copy(&f->chain, f->bytes + i, i % 3 + 1, NULL), SL_OK);
        memcpy(f->expected + f->size, f->bytes + i, i % 3 + 1);
        f->size += i % 3 + 1;
    }
    assert_int_equal(f->chain.size, f->size);
    assert_true(f->chain.count > 3000);
}

static int setup(void **state)
{
    static struct fixture f;

    (void)signal(SIGPIPE, SIG_IGN);
    scratch_make(&f.scratch);
    f.bytes = malloc(SOURCE_SIZE);
    assert_non_null(f.bytes);
    scratch_noise(f.bytes, SOURCE_SIZE, 3);
    scratch_write(scratch_name(&f.scratch, "source"), f.bytes, SOURCE_SIZE);
    assert_int_equal(sl_file_open(&f.file, scratch_name(&f.scratch, "source"), NULL), SL_OK);
    make_chain(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sl_chain_clear(&f->chain);
    sl_file_unref(&f->file);
    free(f->expected);
    free(f->bytes);
    scratch_remove(&f->scratch);
    return 0;
}

static void assert_file_holds(const char *path, const void *before, size_t before_size,
                              const struct fixture *f)
{
    size_t size;
    uint8_t *got = scratch_read(path, &size);

    assert_int_equal(size, before_size + f->size);
    assert_memory_equal(got, before, before_size);
    assert_true(memcmp(got + before_size, f->expected, f->size) == 0);
    free(got);
}

static void test_to_file(void **state)
{
    struct fixture *f = *state;
    const char *path = scratch_name(&f->scratch, "copy");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before", 6), 6); /* it goes on where the descriptor stands */
    assert_int_equal(sl_chain_write(&f->chain, fd, path, NULL), SL_OK);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 6 + (off_t)f->size);
    assert_int_equal(close(fd), 0);
    assert_file_holds(path, "before", 6, f);
}

/* copy_file_range and sendfile refuse a descriptor opened for appending. */
static void test_to_appended_file(void **state)
{
    struct fixture *f = *state;
    const char *path = scratch_name(&f->scratch, "appended");
    int fd;

    scratch_write(path, "first", 5);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(sl_chain_write(&f->chain, fd, path, NULL), SL_OK);
    assert_int_equal(close(fd), 0);
    assert_file_holds(path, "first", 5, f);
}

/* Another file system: memory, where there is one. */
static void test_to_other_file_system(void **state)
{
    struct fixture *f = *state;
    char path[64];
    int fd = memfd_create("sluice", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(sl_chain_write(&f->chain, fd, "memory", NULL), SL_OK);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_file_holds(path, "", 0, f);
    assert_int_equal(close(fd), 0);
}

struct reader {
    int fd;
    size_t step, delay_us;
    uint8_t *data;
    size_t size, room;
};

static void *read_all(void *arg)
{
    struct reader *r = arg;
    sigset_t all;
    ssize_t n;

    sigfillset(&all); /* the writer is the one to be interrupted */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (r->size < r->room) {
        size_t want = r->room - r->size < r->step ? r->room - r->size : r->step;

        n = read(r->fd, r->data + r->size, want);
        if (n <= 0)
            break;
        r->size += (size_t)n;
        if (r->delay_us)
            usleep((useconds_t)r->delay_us);
    }
    return NULL;
}

/* Writes the chain into one end while a thread reads the other. */
static void through_chain(const struct sl_chain *c, const uint8_t *expected, int out, int in,
                          size_t step, size_t delay_us)
{
    size_t size = (size_t)c->size;
    struct reader r = {.fd = in, .step = step, .delay_us = delay_us, .room = size + 100};
    pthread_t thread;

    r.data = malloc(r.room);
    assert_non_null(r.data);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
    assert_int_equal(sl_chain_write(c, out, "other end", NULL), SL_OK);
    assert_int_equal(close(out), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(in), 0);
    assert_int_equal(r.size, size);
    assert_true(memcmp(r.data, expected, size) == 0);
    free(r.data);
}

static void through(const struct fixture *f, int out, int in, size_t step, size_t delay_us)
{
    through_chain(&f->chain, f->expected, out, in, step, delay_us);
}

static void test_to_pipe(void **state)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    through(*state, ends[1], ends[0], 65536, 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    through(*state, ends[1], ends[0], 777, 0);
    /* Somebody else's descriptor may be non-blocking; it is waited for. */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    through(*state, ends[1], ends[0], 5000, 0);
}

static void test_to_socket(void **state)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    through(*state, ends[1], ends[0], 65536, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    through(*state, ends[1], ends[0], 5000, 0);
}

static void on_alarm(int number)
{
    (void)number;
}

/* A signal in the middle of a write is nobody's business. */
static void test_interrupted(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, old; /* without SA_RESTART */
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct fixture *f = *state;
    struct sl_chain memory;
    int ends[2];

    sl_chain_init(&memory);
    assert_int_equal(sl_chain_add_copy(&memory, f->bytes, SOURCE_SIZE, NULL), SL_OK);
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    through(*state, ends[1], ends[0], 65536, 200);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    through(*state, ends[1], ends[0], 65536, 200);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    through_chain(&memory, f->bytes, ends[1], ends[0], 65536, 200);
    sl_chain_clear(&memory);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
}

static void expect_failure(const struct sl_chain *c, int fd, const char *where, const char *words)
{
    struct sl_error err = {0};

    assert_int_equal(sl_chain_write(c, fd, "output", &err), SL_EIO);
    assert_int_equal(err.status, SL_EIO);
    assert_string_equal(err.where, where);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

static void test_reader_gone(void **state)
{
    struct fixture *f = *state;
    struct sl_chain memory;
    int ends[2];

    sl_chain_init(&memory);
    assert_int_equal(sl_chain_add_copy(&memory, "x", 1, NULL), SL_OK);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(close(ends[0]), 0);
    expect_failure(&f->chain, ends[1], "output", "has gone away");
    expect_failure(&memory, ends[1], "output", "has gone away");
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(close(ends[0]), 0);
    expect_failure(&f->chain, ends[1], "output", "has gone away");
    assert_int_equal(close(ends[1]), 0);
    sl_chain_clear(&memory);
}

static void test_device_full(void **state)
{
    struct fixture *f = *state;
    struct sl_chain ranges;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    expect_failure(&f->chain, fd, "output", "no space is left");
    sl_chain_init(&ranges);
    assert_int_equal(sl_chain_add_file(&ranges, f->file, 0, 100000, NULL), SL_OK);
    expect_failure(&ranges, fd, "output", "no space is left");
    sl_chain_clear(&ranges);
    assert_int_equal(close(fd), 0);
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(sl_chain_write(&f->chain, fd, "output", NULL), SL_OK);
    assert_int_equal(close(fd), 0);
}

/* The wrong way round: a descriptor that cannot be written at all. */
static void test_not_writable(void **state)
{
    struct fixture *f = *state;
    int fd = open(scratch_name(&f->scratch, "source"), O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    expect_failure(&f->chain, fd, "output", "write: ");
    assert_int_equal(close(fd), 0);
    expect_failure(&f->chain, -1, "output", "write: ");
}

/* A source that has become shorter is named, and how far it goes. */
static void test_truncated_source(void **state)
{
    struct fixture *f = *state;
    char path[512];
    struct sl_file *file;
    struct sl_chain c;
    int ends[2], fds[3];

    (void)snprintf(path, sizeof(path), "%s", scratch_name(&f->scratch, "shrinks"));
    scratch_write(path, f->bytes, 30000);
    assert_int_equal(sl_file_open(&file, path, NULL), SL_OK);
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_file(&c, file, 1000, 29000, NULL), SL_OK);
    assert_int_equal(truncate(path, 20000), 0);
    fds[0] = open(scratch_name(&f->scratch, "short"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fds[1] = ends[1];
    fds[2] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        struct sl_error err = {0};

        assert_int_equal(sl_chain_write(&c, fds[i], "output", &err), SL_EIO);
        assert_string_equal(err.where, path);
        assert_true(err.has_offset && err.offset == 20000);
        assert_non_null(strstr(err.msg, "shorter"));
        assert_int_equal(close(fds[i]), 0);
    }
    assert_int_equal(close(ends[0]), 0);
    sl_chain_clear(&c);
    sl_file_unref(&file);
}

static void test_empty(void **state)
{
    struct sl_chain c = {0};

    (void)state;
    assert_int_equal(sl_chain_write(&c, -1, "nowhere", NULL), SL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_file),
        cmocka_unit_test(test_to_appended_file),
        cmocka_unit_test(test_to_other_file_system),
        cmocka_unit_test(test_to_pipe),
        cmocka_unit_test(test_to_socket),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_device_full),
        cmocka_unit_test(test_not_writable),
        cmocka_unit_test(test_truncated_source),
        cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
