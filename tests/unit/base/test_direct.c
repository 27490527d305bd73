/* SPDX-License-Identifier: BSD-2-Clause */
/* Long files past the page cache: the same bytes, whatever the pieces. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/direct.h"
#include "scratch.h"
#include "unit.h"

#define SOURCE_SIZE ((size_t)3 << 20)

struct fixture {
    struct scratch scratch;
    uint8_t *bytes; /* of the source */
    struct sl_file *file;
};

static int setup(void **state)
{
    static struct fixture f;

    scratch_make(&f.scratch);
    f.bytes = malloc(SOURCE_SIZE);
    assert_non_null(f.bytes);
    scratch_noise(f.bytes, SOURCE_SIZE, 9);
    scratch_write(scratch_name(&f.scratch, "source"), f.bytes, SOURCE_SIZE);
    assert_int_equal(sl_file_open(&f.file, scratch_name(&f.scratch, "source"), NULL), SL_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sl_file_unref(&f->file);
    free(f->bytes);
    scratch_remove(&f->scratch);
    return 0;
}

/* total bytes in pieces of up to piece, gap bytes of the source left out between them, a slice of
 * memory after every seventh; written chain by chain, and kept in expected. */
static void write_pieces(const struct fixture *f, struct sl_direct *d, size_t total, size_t piece,
                         size_t gap, uint8_t *expected)
{
    size_t at = 0, size = 0;

    while (size < total) {
        struct sl_chain c;

        sl_chain_init(&c);
        for (int i = 0; i < 300 && size < total; i++) {
            size_t n = piece < total - size ? piece : total - size;

            at = at + n + gap > SOURCE_SIZE ? 0 : at;
            assert_int_equal(i % 7 == 6 ? sl_chain_add_copy(&c, f->bytes + at, n, NULL)
                                        : sl_chain_add_file(&c, f->file, (int64_t)at, n, NULL),
                             SL_OK);
            memcpy(expected + size, f->bytes + at, n);
            size += n;
            at += n + gap;
        }
        assert_int_equal(sl_direct_chain(d, &c, NULL), SL_OK);
        sl_chain_clear(&c);
    }
}

/* Shorter than the stage, as long, longer, several times; and the descriptor goes on afterwards. */
static void test_bytes(void **state)
{
    static const struct {
        size_t total, piece, gap;
    } cases[] = {
        {0, 1, 0},
        {1, 1, 0},
        {SL_DIRECT_STAGE - 1, 40000, 9},
        {SL_DIRECT_STAGE, 65536, 0},
        {SL_DIRECT_STAGE + 1, 33333, 350},
        {3 * SL_DIRECT_STAGE, 7000, 4097},
        {2 * SL_DIRECT_STAGE + 4096, 1 << 20, 4096},
        {3 * SL_DIRECT_STAGE + 12345, (2 << 20) + 5, 1},
        {SL_DIRECT_STAGE + 777, 211, 20},
    };
    struct fixture *f = *state;
    const char *path = scratch_name(&f->scratch, "copy");
    uint8_t *expected = malloc(4 * SL_DIRECT_STAGE);

    assert_non_null(expected);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        struct sl_direct *d;
        size_t size;
        uint8_t *got;

        assert_true(fd >= 0);
        assert_int_equal(sl_direct_open(&d, fd, path, true, NULL), SL_OK);
        assert_non_null(d);
        write_pieces(f, d, cases[i].total, cases[i].piece, cases[i].gap, expected);
        assert_int_equal(sl_direct_close(&d, NULL), SL_OK);
        assert_null(d);
        assert_int_equal(write(fd, "end", 3), 3);
        assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
        assert_int_equal(close(fd), 0);
        got = scratch_read(path, &size);
        assert_int_equal(size, cases[i].total + 3);
        assert_true(memcmp(got, expected, cases[i].total) == 0);
        assert_memory_equal(got + cases[i].total, "end", 3);
        free(got);
    }
    free(expected);
}

/* What it is not for. */
static void test_not_for(void **state)
{
    struct fixture *f = *state;
    const char *path = scratch_name(&f->scratch, "other");
    struct sl_direct *d;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int ends[2];

    assert_int_equal(write(fd, "odd", 3), 3); /* does not stand at a block */
    assert_int_equal(sl_direct_open(&d, fd, path, true, NULL), SL_OK);
    assert_null(d);
    assert_int_equal(close(fd), 0);
    fd = open(path, O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC);
    assert_int_equal(sl_direct_open(&d, fd, path, true, NULL), SL_OK);
    assert_null(d);
    assert_int_equal(close(fd), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(sl_direct_open(&d, ends[1], "pipe", false, NULL), SL_OK);
    assert_null(d);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
    sl_direct_abort(&d);
}

/* A source that has become shorter is named, and where it ends; the descriptor is as it was. */
static void test_truncated_source(void **state)
{
    struct fixture *f = *state;
    struct sl_error err = {0};
    struct sl_direct *d;
    struct sl_chain c;
    struct sl_file *file;
    char path[512];
    int fd = open(scratch_name(&f->scratch, "short"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)strcpy(path, scratch_name(&f->scratch, "shrinks"));
    scratch_write(path, f->bytes, 30000);
    assert_int_equal(sl_file_open(&file, path, NULL), SL_OK);
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_file(&c, file, 1000, 9000, NULL), SL_OK);
    assert_int_equal(sl_chain_add_file(&c, file, 10001, 19999, NULL), SL_OK);
    assert_int_equal(truncate(path, 20000), 0);
    assert_int_equal(sl_direct_open(&d, fd, "output", true, NULL), SL_OK);
    assert_int_equal(sl_direct_chain(d, &c, &err), SL_EIO);
    assert_string_equal(err.where, path);
    assert_true(err.has_offset && err.offset == 20000);
    sl_direct_abort(&d);
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    assert_int_equal(close(fd), 0);
    sl_chain_clear(&c);
    sl_file_unref(&file);
}

static void test_full(void **state)
{
    struct fixture *f = *state;
    struct rlimit was, limit = {SL_DIRECT_STAGE + 4096, SL_DIRECT_STAGE + 4096};
    struct sl_error err = {0};
    struct sl_direct *d;
    struct sl_chain c;
    enum sl_status status = SL_OK;
    int fd = open(scratch_name(&f->scratch, "full"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_file(&c, f->file, 0, SOURCE_SIZE, NULL), SL_OK);
    assert_int_equal(sl_direct_open(&d, fd, "output", true, NULL), SL_OK);
    for (int i = 0; i < 3 && status == SL_OK; i++) {
        status = sl_direct_chain(d, &c, &err);
    }
    assert_int_equal(status, SL_EIO);
    assert_string_equal(err.where, "output");
    sl_direct_abort(&d);
    sl_chain_clear(&c);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_not_for),
        cmocka_unit_test(test_truncated_source),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
