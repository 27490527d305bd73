/* SPDX-License-Identifier: BSD-2-Clause */
/* Every constructor of base, with each of its allocations failing in turn. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/module.h"
#include "base/pool.h"
#include "base/publish.h"
#include "base/queue.h"
#include "base/window.h"
#include "failing_alloc.h"
#include "unit.h"

static enum sl_status strings(void *arg)
{
    char *a = sl_strdup("text"), *b = NULL;

    (void)arg;
    if (a)
        b = sl_format("%s %0200d", a, 7);
    if (b)
        assert_int_equal(strlen(b), 205);
    sl_free(a);
    sl_free(b);
    return b ? SL_OK : SL_ENOMEM;
}

static enum sl_status writer(void *arg)
{
    struct sl_writer w;
    struct sl_bit_writer bits;
    struct sl_error err = {0};
    enum sl_status status;

    (void)arg;
    sl_writer_init(&w, 5000);
    sl_write_be32(&w, 1);
    sl_write_zeros(&w, 300);
    sl_write_format(&w, "%0700d", 1);
    sl_bit_writer_init(&bits, &w);
    for (unsigned i = 0; i < 3000; i++)
        sl_put_bits(&bits, 8, i);
    status = sl_writer_finish(&w, &err);
    assert_int_equal(status, err.status);
    if (status == SL_OK)
        assert_int_equal(w.size, 4 + 300 + 700 + 3000);
    sl_writer_clear(&w);
    return status;
}

static enum sl_status grown(void *arg)
{
    int *items = NULL;
    size_t capacity = 0;
    enum sl_status status = SL_OK;

    (void)arg;
    for (int i = 0; i < 100 && status == SL_OK; i++) {
        status = sl_grow(&items, &capacity, (size_t)i, sizeof(*items), 100);
        if (status == SL_OK)
            items[i] = i;
    }
    sl_free(items);
    return status;
}

static void count_release(void *opaque, uint8_t *data)
{
    (void)data;
    ++*(int *)opaque;
}

static enum sl_status bufs(void *arg)
{
    static uint8_t foreign[100 + SL_BUF_PADDING];
    struct sl_buf *a = NULL, *b = NULL;
    struct sl_error err = {0};
    int released = 0;
    enum sl_status status = sl_buf_alloc(&a, 1000, &err);

    (void)arg;
    if (status == SL_OK)
        status = sl_buf_wrap(&b, foreign, 100, count_release, &released, &err);
    assert_int_equal(status, err.status);
    sl_buf_unref(&a);
    sl_buf_unref(&b);
    assert_int_equal(released, status == SL_OK); /* on failure the caller still owns it */
    return status;
}

static enum sl_status buf_pool(void *arg)
{
    struct sl_buf_pool *pool = NULL;
    struct sl_buf *a = NULL, *b = NULL, *c = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_buf_pool_create(&pool, 5000, 1, &err);

    (void)arg;
    if (status == SL_OK)
        status = sl_buf_pool_get(pool, &a, &err);
    if (status == SL_OK)
        status = sl_buf_pool_get(pool, &b, &err);
    sl_buf_unref(&a);
    if (status == SL_OK)
        status = sl_buf_pool_get(pool, &c, &err); /* a's block again */
    sl_buf_pool_destroy(&pool);
    sl_buf_unref(&b);
    sl_buf_unref(&c);
    assert_int_equal(status, err.status);
    return status;
}

/* A chain that could not take more is as it was. */
static enum sl_status chain(void *arg)
{
    struct sl_chain c, d;
    struct sl_file *file = NULL;
    struct sl_buf *all = NULL;
    struct sl_error err = {0};
    enum sl_status status;
    int64_t size = 0;

    sl_chain_init(&c);
    sl_chain_init(&d);
    status = sl_file_open(&file, arg, &err);
    for (int i = 0; i < 20 && status == SL_OK; i++) {
        size_t count = c.count;

        status = i % 2 ? sl_chain_add_file(&c, file, i, 7, &err)
                       : sl_chain_add_copy(&c, "0123456", 7, &err);
        if (status == SL_OK)
            size += 7;
        else
            assert_int_equal(c.count, count);
        assert_int_equal(c.size, size);
    }
    if (status == SL_OK)
        status = sl_chain_add_copy(&d, "x", 1, &err);
    if (status == SL_OK) {
        status = sl_chain_add_chain(&d, &c, 3, 100, &err);
        assert_int_equal(d.size, status == SL_OK ? 101 : 1);
    }
    if (status == SL_OK) {
        status = sl_chain_move(&c, &d, &err);
        assert_int_equal(d.size, status == SL_OK ? 0 : 101);
        assert_int_equal(c.size, status == SL_OK ? size + 101 : size);
    }
    if (status == SL_OK)
        status = sl_chain_load(&c, &all, &err);
    assert_int_equal(status, err.status);
    sl_buf_unref(&all);
    sl_chain_clear(&c);
    sl_chain_clear(&d);
    sl_file_unref(&file);
    return status;
}

static enum sl_status queue(void *arg)
{
    struct sl_queue *q;
    struct sl_error err = {0};
    enum sl_status status = sl_queue_create(&q, 4, sl_free, &err);

    (void)arg;
    if (status == SL_OK) {
        void *item = sl_alloc(10);

        status = item ? sl_queue_push(q, item) : SL_ENOMEM;
    }
    sl_queue_destroy(&q);
    assert_null(q);
    return status;
}

static enum sl_status pool(void *arg)
{
    struct sl_pool *p;
    struct sl_error err = {0};
    enum sl_status status = sl_pool_create(&p, 2, 4, &err);

    (void)arg;
    assert_int_equal(status, err.status);
    sl_pool_destroy(&p);
    return status;
}

static enum sl_status publish(void *arg)
{
    struct sl_chain c;
    struct sl_error err = {0};
    enum sl_status status;
    char *path = NULL;

    sl_chain_init(&c);
    status = sl_chain_add_copy(&c, "hello", 5, &err);
    if (status == SL_OK) {
        path = sl_format("%s/deep/published", (const char *)arg);
        status = path ? SL_OK : SL_ENOMEM;
    }
    if (status == SL_OK) {
        char *directory = sl_format("%s/deep", (const char *)arg);

        status = directory ? sl_make_directories(directory, &err) : SL_ENOMEM;
        sl_free(directory);
    }
    if (status == SL_OK)
        status = sl_publish_whole(path, &c, &err);
    if (status == SL_OK)
        status = sl_publish_bytes(path, "again", 5, &err);
    sl_free(path);
    sl_chain_clear(&c);
    return status;
}

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    (void)opaque;
    (void)err;
    *got = offset < 3000000 ? (3000000 - offset < (int64_t)size ? (size_t)(3000000 - offset) : size)
                            : 0;
    memset(dst, 7, *got);
    return SL_OK;
}

static enum sl_status window(void *arg)
{
    struct sl_window_source source = {.name = "zeros", .size = -1, .seekable = true};
    struct sl_window *w = NULL, *pushed = NULL;
    struct sl_error err = {0};
    const uint8_t *data;
    size_t got;
    enum sl_status status;

    source.fill = fill;
    source.seekable = arg != NULL;
    status = sl_window_create(&w, &source, &err);
    if (status == SL_OK)
        status = sl_window_view(w, 10, 1000000, &data, &got, &err);
    if (status == SL_OK)
        status = sl_window_view(w, 1000, 2500000, &data, &got, &err);
    source.fill = NULL;
    if (status == SL_OK)
        status = sl_window_create(&pushed, &source, &err);
    if (status == SL_OK)
        status = sl_window_push(pushed, "abc", 3, &err);
    assert_int_equal(status, err.status);
    sl_window_destroy(&w);
    sl_window_destroy(&pushed);
    return status;
}

/* What stood in the way of a module is told as far as memory goes; never another status. */
static enum sl_status module(void *arg)
{
    const void *symbol;

    (void)arg;
    return sl_module_symbol("no-such-part", "x", &symbol, NULL) == SL_EUNSUPPORTED ? SL_OK
                                                                                   : SL_EINVAL;
}

static void test_module(void **state)
{
    (void)state;
    failing_alloc_run_lenient(module, NULL);
}

static void test_strings(void **state)
{
    (void)state;
    failing_alloc_run(strings, NULL);
}

static void test_writer(void **state)
{
    (void)state;
    failing_alloc_run(writer, NULL);
}

static void test_grown(void **state)
{
    (void)state;
    failing_alloc_run(grown, NULL);
}

static void test_bufs(void **state)
{
    (void)state;
    failing_alloc_run(bufs, NULL);
    failing_alloc_run(buf_pool, NULL);
}

static void test_chain(void **state)
{
    failing_alloc_run(chain, (char *)*state);
}

static void test_threads(void **state)
{
    (void)state;
    failing_alloc_run(queue, NULL);
    failing_alloc_run(pool, NULL);
}

static void test_publish(void **state)
{
    char directory[] = "/tmp/sl-failing-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    failing_alloc_run(publish, directory);
    /* One file and no temporary one: rmdir proves it. */
    (void)snprintf(path, sizeof(path), "%s/deep/published", directory);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/deep", directory);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void test_window(void **state)
{
    (void)state;
    failing_alloc_run(window, NULL);
    failing_alloc_run(window, (char *)"seekable");
}

/* The harness itself: it must notice what it is there for. */
static void test_harness(void **state)
{
    void *p;

    (void)state;
    failing_alloc_set(2);
    p = sl_alloc(1);
    assert_non_null(p);
    assert_null(sl_alloc_zero(1));
    sl_free(p);
    p = sl_alloc_aligned(64, 1);
    assert_non_null(p);
    failing_alloc_set(1);
    assert_null(sl_realloc_array(p, 2, 2));
    sl_free(p);
    failing_alloc_set(0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_grown),
        cmocka_unit_test(test_bufs),
        cmocka_unit_test_prestate(test_chain, argv[0]),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_publish),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_module),
        cmocka_unit_test(test_harness),
    };

    (void)argc;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
