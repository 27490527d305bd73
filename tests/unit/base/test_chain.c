/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"
#include "scratch.h"
#include "unit.h"

#define SIZE 10000

struct fixture {
    struct scratch scratch;
    uint8_t bytes[SIZE];
    struct sl_file *file; /* holds them */
    struct sl_buf *buf;   /* too */
};

static int setup(void **state)
{
    static struct fixture f;

    scratch_make(&f.scratch);
    scratch_noise(f.bytes, SIZE, 1);
    scratch_write(scratch_name(&f.scratch, "source"), f.bytes, SIZE);
    assert_int_equal(sl_file_open(&f.file, scratch_name(&f.scratch, "source"), NULL), SL_OK);
    assert_int_equal(sl_buf_alloc(&f.buf, SIZE, NULL), SL_OK);
    memcpy(f.buf->data, f.bytes, SIZE);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->file->refs, 1); /* no chain has kept one */
    assert_int_equal(f->buf->refs, 1);
    sl_file_unref(&f->file);
    sl_buf_unref(&f->buf);
    scratch_remove(&f->scratch);
    return 0;
}

static void assert_holds(const struct sl_chain *c, const uint8_t *expected, size_t size)
{
    struct sl_buf *all;

    assert_int_equal(c->size, size);
    assert_int_equal(sl_chain_load(c, &all, NULL), SL_OK);
    assert_int_equal(all->size, size);
    assert_memory_equal(all->data, expected, size);
    sl_buf_unref(&all);
}

static void test_file(void **state)
{
    struct fixture *f = *state;
    struct sl_file *file, *same;
    struct sl_error err = {0};

    assert_int_equal(sl_file_open(&file, scratch_name(&f->scratch, "source"), &err), SL_OK);
    assert_int_equal(file->size, SIZE);
    assert_string_equal(file->name, f->scratch.name);
    same = sl_file_ref(file);
    sl_file_unref(&file);
    assert_null(file);
    assert_true(fcntl(same->fd, F_GETFD) & FD_CLOEXEC);
    sl_file_unref(&same);
    sl_file_unref(&same);

    assert_int_equal(sl_file_open(&file, scratch_name(&f->scratch, "missing"), &err), SL_ENOTFOUND);
    assert_null(file);
    assert_string_equal(err.where, f->scratch.name);
    assert_int_equal(sl_file_open(&file, f->scratch.path, NULL), SL_EUNSUPPORTED);
    /* A pipe is refused at once; opening it would wait for a writer. */
    assert_int_equal(mkfifo(scratch_name(&f->scratch, "pipe"), 0600), 0);
    assert_int_equal(sl_file_open(&file, f->scratch.name, NULL), SL_EUNSUPPORTED);
    assert_int_equal(sl_file_open(&file, "/dev/null", NULL), SL_EUNSUPPORTED);
}

static void test_append(void **state)
{
    struct fixture *f = *state;
    struct sl_chain c = {0}; /* zero-initialised is enough */
    uint8_t expected[200] = {0};

    assert_holds(&c, expected, 0);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 10, 20, NULL), SL_OK);
    assert_int_equal(c.count, 1);
    assert_ptr_equal(c.slices, &c.first);
    assert_int_equal(sl_chain_add_file(&c, f->file, 100, 30, NULL), SL_OK);
    assert_int_equal(sl_chain_add_copy(&c, "copied", 6, NULL), SL_OK);
    assert_int_equal(sl_chain_add_copy(&c, NULL, 0, NULL), SL_OK);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, SIZE, 0, NULL), SL_OK);
    assert_int_equal(c.count, 3);
    memcpy(expected, f->bytes + 10, 20);
    memcpy(expected + 20, f->bytes + 100, 30);
    memcpy(expected + 50, "copied", 6);
    assert_holds(&c, expected, 56);
    sl_chain_clear(&c);
    assert_int_equal(c.size, 0);
    assert_holds(&c, expected, 0);
    sl_chain_clear(&c);
}

static void test_neighbours_become_one(void **state)
{
    struct fixture *f = *state;
    struct sl_chain c;

    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_file(&c, f->file, 0, 10, NULL), SL_OK);
    assert_int_equal(sl_chain_add_file(&c, f->file, 10, 10, NULL), SL_OK);
    assert_int_equal(c.count, 1);
    assert_int_equal(f->file->refs, 2);
    assert_int_equal(sl_chain_add_file(&c, f->file, 21, 10, NULL), SL_OK);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 31, 10, NULL), SL_OK);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 41, SIZE - 41, NULL), SL_OK);
    assert_int_equal(c.count, 3);
    assert_int_equal(c.size, 30 + SIZE - 31);
    sl_chain_clear(&c);
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    struct sl_chain c, d;
    struct sl_error err = {0};
    uint8_t byte;

    sl_chain_init(&c);
    sl_chain_init(&d);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, SIZE + 1, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 1, SIZE, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 1, SIZE_MAX, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_file(&c, f->file, -1, 1, NULL), SL_EDATA);
    assert_int_equal(sl_chain_add_file(&c, f->file, SIZE, 1, &err), SL_EDATA);
    assert_string_equal(err.where, f->file->name);
    assert_int_equal(err.offset, SIZE);
    assert_int_equal(sl_chain_add_file(&c, f->file, 0, SIZE_MAX, NULL), SL_EDATA);
    assert_int_equal(sl_chain_add_file(&c, f->file, INT64_MAX, SIZE_MAX, NULL), SL_EDATA);
    assert_int_equal(c.count, 0);
    assert_int_equal(sl_chain_add_file(&c, f->file, 5, 10, NULL), SL_OK);
    assert_int_equal(sl_chain_add_chain(&d, &c, 0, 11, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&d, &c, 11, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&d, &c, -1, 1, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&d, &c, 1, -1, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&d, &c, 1, INT64_MAX, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&c, &c, 0, 1, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_add_chain(&d, &c, 10, 0, NULL), SL_OK);
    assert_int_equal(d.count, 0);
    assert_int_equal(sl_chain_read(&c, 0, &byte, SIZE_MAX, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_read(&c, 10, &byte, 1, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_read(&c, -1, &byte, 1, NULL), SL_EINVAL);
    assert_int_equal(sl_chain_read(&c, 10, &byte, 0, NULL), SL_OK);
    assert_int_equal(sl_slice_read(&c.slices[0], 11, &byte, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_slice_read(&c.slices[0], 10, &byte, 1, NULL), SL_EINVAL);
    assert_int_equal(sl_slice_read(&c.slices[0], 9, &byte, 1, NULL), SL_OK);
    assert_int_equal(byte, f->bytes[14]);
    sl_chain_clear(&c);
}

/* A chain cannot promise more bytes, or hold more slices, than can be counted. */
static void test_maximum(void **state)
{
    struct fixture *f = *state;
    struct sl_file huge = {.fd = -1, .size = INT64_MAX, .name = f->file->name};
    struct sl_chain c, d;

    atomic_init(&huge.refs, 1);
    sl_chain_init(&c);
    sl_chain_init(&d);
    assert_int_equal(sl_chain_add_file(&c, &huge, 0, INT64_MAX, NULL), SL_OK);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 0, 1, NULL), SL_ENOMEM);
    assert_int_equal(sl_chain_add_buf(&d, f->buf, 0, 1, NULL), SL_OK);
    assert_int_equal(sl_chain_add_chain(&d, &c, 0, INT64_MAX, NULL), SL_ENOMEM);
    assert_int_equal(sl_chain_move(&d, &c, NULL), SL_ENOMEM);
    assert_int_equal(c.size, INT64_MAX);
    assert_int_equal(d.size, 1);
    sl_chain_clear(&c);
    sl_chain_clear(&d);
    assert_int_equal(huge.refs, 1);
}

/* Every part of a mixed chain, against the bytes. */
static void test_parts(void **state)
{
    struct fixture *f = *state;
    struct sl_chain c, part;
    uint8_t expected[64], got[64];
    size_t size = 0;

    sl_chain_init(&c);
    for (size_t i = 0; i < 9; i++) {
        if (i % 3 == 0)
            assert_int_equal(sl_chain_add_buf(&c, f->buf, i * 20, i + 1, NULL), SL_OK);
        else if (i % 3 == 1)
            assert_int_equal(sl_chain_add_file(&c, f->file, (int64_t)i * 20, i + 1, NULL), SL_OK);
        else
            assert_int_equal(sl_chain_add_copy(&c, f->bytes + i * 20, i + 1, NULL), SL_OK);
        memcpy(expected + size, f->bytes + i * 20, i + 1);
        size += i + 1;
    }
    assert_holds(&c, expected, size);
    for (size_t from = 0; from <= size; from++) {
        for (size_t n = 0; from + n <= size; n++) {
            assert_int_equal(sl_chain_read(&c, (int64_t)from, got, n, NULL), SL_OK);
            assert_memory_equal(got, expected + from, n);
            sl_chain_init(&part);
            assert_int_equal(sl_chain_add_chain(&part, &c, (int64_t)from, (int64_t)n, NULL), SL_OK);
            assert_holds(&part, expected + from, n);
            sl_chain_clear(&part);
        }
    }
    sl_chain_clear(&c);
}

/* From and to chains of no, one and several slices. */
static void test_move(void **state)
{
    struct fixture *f = *state;

    for (size_t to = 0; to < 4; to++) {
        for (size_t from = 0; from < 4; from++) {
            struct sl_chain a, b;
            uint8_t expected[64];
            size_t size = 0;

            sl_chain_init(&a);
            sl_chain_init(&b);
            for (size_t i = 0; i < to + from; i++) {
                struct sl_chain *c = i < to ? &a : &b;

                assert_int_equal(i % 2 ? sl_chain_add_buf(c, f->buf, i * 10, 5, NULL)
                                       : sl_chain_add_file(c, f->file, (int64_t)i * 10, 5, NULL),
                                 SL_OK);
                memcpy(expected + size, f->bytes + i * 10, 5);
                size += 5;
            }
            assert_int_equal(sl_chain_move(&a, &b, NULL), SL_OK);
            assert_int_equal(b.count, 0);
            assert_int_equal(b.size, 0);
            assert_holds(&a, expected, size);
            if (a.count == 1)
                assert_ptr_equal(a.slices, &a.first);
            assert_int_equal(sl_chain_add_copy(&b, "again", 5, NULL), SL_OK);
            assert_int_equal(sl_chain_move(&a, &a, NULL), SL_OK);
            sl_chain_clear(&a);
            assert_holds(&b, (const uint8_t *)"again", 5);
            sl_chain_clear(&b);
        }
    }
}

static void test_load(void **state)
{
    struct fixture *f = *state;
    struct sl_chain c;
    struct sl_buf *all;

    /* Nothing to copy where one buffer is all there is. */
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 0, SIZE, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&c, &all, NULL), SL_OK);
    assert_ptr_equal(all, f->buf);
    sl_buf_unref(&all);
    sl_chain_clear(&c);
    /* Only a part: whoever reads past its end must find padding, not the next frame. */
    assert_int_equal(sl_chain_add_buf(&c, f->buf, 0, SIZE - 1, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&c, &all, NULL), SL_OK);
    assert_ptr_not_equal(all, f->buf);
    assert_int_equal(all->data[SIZE - 1], 0);
    sl_buf_unref(&all);
    sl_chain_clear(&c);
}

/* Many ranges of one file, most of them close together: more than one call can take, gaps of all
 * sizes, steps back, memory and another file in between. */
static void test_gathered(void **state)
{
    enum { ranges = 1500, most = 40, size = 600 };
    struct fixture *f = *state;
    struct sl_file *other;
    struct sl_chain c;
    uint8_t *expected = malloc((size_t)ranges * most), *got = malloc((size_t)ranges * most);
    size_t held = 0;
    int64_t at = 0;
    uint32_t seed = 5;

    assert_true(expected && got);
    assert_int_equal(sl_file_open(&other, scratch_name(&f->scratch, "source"), NULL), SL_OK);
    sl_chain_init(&c);
    for (int i = 0; i < ranges; i++) {
        size_t n = 1 + (seed = seed * 1664525u + 1013904223u) % most;
        int64_t gap = i % 97 == 0 ? 5000 : i % 7;

        at = i % 211 == 210 ? at - 100 : at + gap;
        at = at + (int64_t)n > SIZE || at < 0 ? 0 : at;
        if (i % 300 == 299) {
            assert_int_equal(sl_chain_add_copy(&c, f->bytes + at, n, NULL), SL_OK);
        } else {
            assert_int_equal(sl_chain_add_file(&c, i % 400 < 390 ? f->file : other, at, n, NULL),
                             SL_OK);
        }
        memcpy(expected + held, f->bytes + at, n);
        held += n;
        at += (int64_t)n;
    }
    assert_holds(&c, expected, held);
    for (size_t from = 0; from + size <= held; from += 331) {
        memset(got, 0, size + 1);
        assert_int_equal(sl_chain_read(&c, (int64_t)from, got, size, NULL), SL_OK);
        assert_memory_equal(got, expected + from, size);
        assert_int_equal(got[size], 0);
    }
    sl_chain_clear(&c);
    sl_file_unref(&other);
    free(expected);
    free(got);
}

static void test_shorter_file(void **state)
{
    struct fixture *f = *state;
    const char *path = scratch_name(&f->scratch, "shrinks");
    struct sl_chain c;
    struct sl_file *file;
    struct sl_buf *all;
    struct sl_error err = {0};

    scratch_write(path, f->bytes, 1000);
    assert_int_equal(sl_file_open(&file, path, NULL), SL_OK);
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_file(&c, file, 100, 900, NULL), SL_OK);
    assert_int_equal(truncate(path, 500), 0);
    assert_int_equal(sl_chain_load(&c, &all, &err), SL_EIO);
    assert_null(all);
    assert_string_equal(err.where, path);
    assert_int_equal(err.offset, 500);
    sl_chain_clear(&c);

    /* The end lies in a gap: what comes before it is there, and the range behind it is named. */
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(sl_chain_add_file(&c, file, 100, 300, NULL), SL_OK);
    assert_int_equal(sl_chain_add_file(&c, file, 600, 100, NULL), SL_OK);
    assert_int_equal(truncate(path, 500), 0);
    err = (struct sl_error){0};
    assert_int_equal(sl_chain_load(&c, &all, &err), SL_EIO);
    assert_int_equal(err.offset, 600);
    sl_chain_clear(&c);
    sl_file_unref(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_neighbours_become_one),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_gathered),
        cmocka_unit_test(test_shorter_file),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
