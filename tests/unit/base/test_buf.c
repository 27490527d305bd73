/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "unit.h"

static void assert_padded(const struct sl_buf *buf)
{
    assert_int_equal((uintptr_t)buf->data % SL_BUF_ALIGN, 0);
    for (size_t i = 0; i < SL_BUF_PADDING; i++)
        assert_int_equal(buf->data[buf->size + i], 0);
}

static void test_alloc(void **state)
{
    struct sl_buf *buf, *same;
    struct sl_error err = {0};

    (void)state;
    for (size_t size = 0; size < 200; size++) {
        assert_int_equal(sl_buf_alloc(&buf, size, &err), SL_OK);
        assert_int_equal(buf->size, size);
        memset(buf->data, 0xFF, size);
        assert_padded(buf);
        same = sl_buf_ref(buf);
        assert_ptr_equal(same, buf);
        sl_buf_unref(&buf);
        assert_null(buf);
        assert_padded(same);
        sl_buf_unref(&same);
    }
    sl_buf_unref(&buf);
    sl_buf_unref(NULL);
    assert_int_equal(sl_buf_alloc(&buf, SIZE_MAX - 10, &err), SL_ENOMEM);
    assert_null(buf);
    assert_int_equal(err.status, SL_ENOMEM);
}

struct release {
    int count;
    uint8_t *data;
};

static void note_release(void *opaque, uint8_t *data)
{
    struct release *r = opaque;

    r->count++;
    r->data = data;
}

static void test_wrap(void **state)
{
    uint8_t memory[100];
    struct release release = {0};
    struct sl_buf *buf, *second;

    (void)state;
    assert_int_equal(sl_buf_wrap(&buf, memory, 50, note_release, &release, NULL), SL_OK);
    assert_ptr_equal(buf->data, memory);
    second = sl_buf_ref(buf);
    sl_buf_unref(&buf);
    assert_int_equal(release.count, 0);
    sl_buf_unref(&second);
    assert_int_equal(release.count, 1);
    assert_ptr_equal(release.data, memory);
    assert_int_equal(sl_buf_wrap(&buf, memory, 50, NULL, NULL, NULL), SL_OK);
    sl_buf_unref(&buf);
}

static void test_pool(void **state)
{
    struct sl_buf_pool *pool;
    struct sl_buf *a, *b, *c;
    uint8_t *warm;

    (void)state;
    assert_int_equal(sl_buf_pool_create(&pool, 1000, 2, NULL), SL_OK);
    assert_int_equal(sl_buf_pool_get(pool, &a, NULL), SL_OK);
    assert_int_equal(sl_buf_pool_get(pool, &b, NULL), SL_OK);
    assert_int_equal(a->size, 1000);
    assert_padded(a);
    warm = a->data;
    memset(a->data, 0xFF, 1000 + SL_BUF_PADDING);
    a->size = 10; /* allowed with one reference, and not for the next one to find */
    a->data += 20;
    sl_buf_unref(&a);
    assert_int_equal(sl_buf_pool_get(pool, &c, NULL), SL_OK);
    assert_ptr_equal(c->data, warm);
    assert_int_equal(c->size, 1000);
    assert_padded(c);
    sl_buf_pool_destroy(&pool);
    assert_null(pool);
    sl_buf_pool_destroy(&pool);
    memset(b->data, 1, 1000); /* still there */
    memset(c->data, 1, 1000);
    sl_buf_unref(&b);
    sl_buf_unref(&c);
}

static void test_pool_limits(void **state)
{
    struct sl_buf_pool *pool;
    struct sl_buf *bufs[10];
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(sl_buf_pool_create(&pool, 0, 0, NULL), SL_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++)
            assert_int_equal(sl_buf_pool_get(pool, &bufs[i], NULL), SL_OK);
        for (int i = 0; i < 10; i++)
            sl_buf_unref(&bufs[i]);
    }
    sl_buf_pool_destroy(&pool);

    assert_int_equal(sl_buf_pool_create(&pool, SIZE_MAX, 1, NULL), SL_OK);
    assert_int_equal(sl_buf_pool_get(pool, &bufs[0], &err), SL_ENOMEM);
    assert_null(bufs[0]);
    sl_buf_pool_destroy(&pool);
}

/* Blocks go back from other threads while the pool goes away: for the thread sanitizer. */
static void *use_pool(void *arg)
{
    struct sl_buf_pool *pool = arg;
    struct sl_buf *held = NULL;

    for (int i = 0; i < 2000; i++) {
        struct sl_buf *buf;

        if (sl_buf_pool_get(pool, &buf, NULL) != SL_OK)
            return NULL;
        buf->data[0] = (uint8_t)i;
        buf->data[buf->size - 1] = (uint8_t)i;
        sl_buf_unref(&held);
        held = buf;
    }
    return held;
}

static void *drop_buf(void *arg)
{
    struct sl_buf *buf = arg;

    sl_buf_unref(&buf);
    return NULL;
}

static void test_pool_threads(void **state)
{
    struct sl_buf_pool *pool;
    struct sl_buf *shared;
    pthread_t threads[4], droppers[4];
    void *held[4];

    (void)state;
    assert_int_equal(sl_buf_pool_create(&pool, 100, 2, NULL), SL_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_pool, pool), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &held[i]), 0);
        assert_non_null(held[i]);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&droppers[i], NULL, drop_buf, held[i]), 0);
    sl_buf_pool_destroy(&pool);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(droppers[i], NULL), 0);

    shared = held[3];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&droppers[i], NULL, drop_buf, sl_buf_ref(shared)), 0);
    sl_buf_unref(&shared);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(droppers[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_pool),         cmocka_unit_test(test_pool_limits),
        cmocka_unit_test(test_pool_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
