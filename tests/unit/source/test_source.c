/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "source/source.h"
#include "unit.h"

#define SIZE 300000

static struct scratch scratch;
static uint8_t bytes[SIZE];

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    scratch_noise(bytes, sizeof bytes, 7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static const char *written(const char *name)
{
    const char *path = scratch_name(&scratch, name);
    scratch_write(path, bytes, sizeof bytes);
    return path;
}

/* Reads [from, SIZE) in order, in pieces of up to `piece` bytes. */
static void check_bytes(struct sl_source *s, size_t from, size_t piece)
{
    static uint8_t got[SIZE + 1];
    size_t at = from;
    for (;;) {
        size_t n = 0;
        assert_int_equal(
            s->bytes.fill(s->bytes.opaque, (int64_t)(at - from), got + at, piece, &n, NULL), SL_OK);
        at += n;
        if (n == 0) {
            break;
        }
        assert_true(at <= SIZE);
    }
    assert_int_equal(at, SIZE);
    assert_memory_equal(got + from, bytes + from, SIZE - from);
}

static void plain_file(void **state)
{
    (void)state;
    const char *path = written("plain");
    struct sl_source *s = NULL;
    struct sl_error err = {0};
    uint8_t two[2];
    size_t n = 0;

    assert_int_equal(sl_source_open(&s, path, &err), SL_OK);
    assert_string_equal(s->bytes.name, path);
    assert_int_equal(s->bytes.size, SIZE);
    assert_true(s->bytes.seekable);
    assert_non_null(s->bytes.file);
    check_bytes(s, 0, 70000);
    /* back, and past the end */
    assert_int_equal(s->bytes.fill(s->bytes.opaque, 4711, two, 2, &n, &err), SL_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(two, bytes + 4711, 2);
    assert_int_equal(s->bytes.fill(s->bytes.opaque, SIZE + 5, two, 2, &n, &err), SL_OK);
    assert_int_equal(n, 0);
    sl_source_destroy(&s);
    assert_null(s);
    sl_source_destroy(&s);
    sl_source_destroy(NULL);
}

/* Runs body in a process whose standard input is fd. */
static void with_input(int fd, void (*body)(void))
{
    int code = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(fd, STDIN_FILENO) != STDIN_FILENO) {
            _exit(99);
        }
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

#define NEED(condition)                                                                            \
    if (!(condition)) {                                                                            \
        _exit(__LINE__ & 0x7f ? __LINE__ & 0x7f : 1);                                              \
    }

static void read_all_input(size_t from, bool seekable)
{
    static uint8_t got[SIZE];
    struct sl_source *s = NULL;
    size_t at = from;
    size_t n = 1;
    NEED(sl_source_open(&s, "-", NULL) == SL_OK);
    NEED(s->bytes.seekable == seekable);
    NEED(s->bytes.size == (seekable ? (int64_t)(SIZE - from) : -1));
    NEED(strcmp(s->bytes.name, "standard input") == 0);
    while (n > 0) {
        NEED(s->bytes.fill(s->bytes.opaque, (int64_t)(at - from), got + at, SIZE - at, &n, NULL) ==
             SL_OK);
        at += n;
    }
    NEED(at == SIZE && memcmp(got + from, bytes + from, SIZE - from) == 0);
    if (seekable) {
        NEED(s->bytes.fill(s->bytes.opaque, 5, got, 1, &n, NULL) == SL_OK && n == 1 &&
             got[0] == bytes[from + 5]);
    } else {
        NEED(fcntl(STDIN_FILENO, F_GETPIPE_SZ) > 65536 || geteuid() != 0);
    }
    sl_source_destroy(&s);
    NEED(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* not ours to close */
}

static void input_from_start(void)
{
    read_all_input(0, true);
}

static void input_from_middle(void)
{
    read_all_input(1000, true);
}

static void input_pipe(void)
{
    read_all_input(0, false);
}

static void standard_input_file(void **state)
{
    (void)state;
    int fd = open(written("stdin"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    with_input(fd, input_from_start);
    /* A shell's `read` took the first bytes: they are not ours. */
    assert_int_equal(lseek(fd, 1000, SEEK_SET), 1000);
    with_input(fd, input_from_middle);
    (void)close(fd);
}

/* A child writes, in pieces; reading it must not depend on how they come. */
static void pipe_with_writer(int flags)
{
    int ends[2];
    pid_t writer;
    assert_int_equal(pipe2(ends, 0), 0);
    writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        (void)close(ends[0]);
        for (size_t at = 0; at < SIZE;) {
            size_t part = SIZE - at < 7777 ? SIZE - at : 7777;
            ssize_t n = write(ends[1], bytes + at, part);
            NEED(n > 0);
            at += (size_t)n;
        }
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(fcntl(ends[0], F_SETFL, flags), 0);
    with_input(ends[0], input_pipe);
    (void)close(ends[0]);
    (void)waitpid(writer, NULL, 0);
}

static void standard_input_pipe(void **state)
{
    (void)state;
    pipe_with_writer(0);
    pipe_with_writer(O_NONBLOCK);
}

static void named_pipe(void **state)
{
    (void)state;
    const char *path = scratch_name(&scratch, "fifo");
    struct sl_source *s = NULL;
    pid_t writer;

    assert_int_equal(mkfifo(path, 0600), 0);
    writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        for (size_t at = 0; at < SIZE;) {
            ssize_t n = write(fd, bytes + at, SIZE - at);
            NEED(n > 0);
            at += (size_t)n;
        }
        _exit(0);
    }
    assert_int_equal(sl_source_open(&s, path, NULL), SL_OK);
    assert_false(s->bytes.seekable);
    assert_int_equal(s->bytes.size, -1);
    assert_null(s->bytes.file);
    check_bytes(s, 0, 4096);
    sl_source_destroy(&s);
    (void)waitpid(writer, NULL, 0);
}

static void check_refused(const char *where, enum sl_status status, const char *part)
{
    struct sl_source *s = NULL;
    struct sl_error err = {0};
    char text[512];
    assert_int_equal(sl_source_open(&s, where, &err), status);
    assert_null(s);
    assert_int_equal(err.status, status);
    assert_non_null(strstr(sl_error_format(&err, text, sizeof text), part));
    if (*where) {
        assert_string_equal(err.where, where);
    }
}

static void refused(void **state)
{
    (void)state;
    uid_t self = geteuid();
    const char *path = NULL;

    check_refused("", SL_ENOTFOUND, "empty name");
    check_refused("/nonexistent/clip.mkv", SL_ENOTFOUND, "No such file");
    check_refused(scratch.path, SL_EIO, "is a directory");
    path = written("secret");
    assert_int_equal(chmod(path, 0), 0);
    if (self == 0) {
        assert_int_equal(chmod(scratch.path, 0755), 0);
        assert_int_equal(seteuid(65534), 0); /* to root everything is readable */
    }
    check_refused(path, SL_EIO, "Permission denied");
    assert_int_equal(seteuid(self), 0);
}

static enum sl_status open_once(void *arg)
{
    struct sl_source *s = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_source_open(&s, arg, &err);
    assert_true((status == SL_OK) == (s != NULL));
    assert_int_equal(err.status, status);
    sl_source_destroy(&s);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    char path[512];
    (void)snprintf(path, sizeof path, "%s", written("short"));
    failing_alloc_run(open_once, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(standard_input_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(standard_input_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(named_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_runs_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
