/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/queue.h"
#include "unit.h"

static int numbers[1000];

static void test_order(void **state)
{
    struct sl_queue *q;
    void *item;

    (void)state;
    assert_int_equal(sl_queue_create(&q, 3, NULL, NULL), SL_OK);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(sl_queue_push(q, &numbers[i]), SL_OK);
        assert_int_equal(sl_queue_length(q), 3);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sl_queue_pop(q, &item), SL_OK);
            assert_ptr_equal(item, &numbers[i]);
        }
        assert_int_equal(sl_queue_push(q, NULL), SL_OK); /* NULL is an item like any other */
        assert_int_equal(sl_queue_pop(q, &item), SL_OK);
        assert_ptr_equal(item, &numbers[2]);
        assert_int_equal(sl_queue_pop(q, &item), SL_OK);
        assert_null(item);
        assert_int_equal(sl_queue_length(q), 0);
    }
    sl_queue_destroy(&q);
    assert_null(q);
    sl_queue_destroy(&q);
    sl_queue_destroy(NULL);
}

static void count_drop(void *item)
{
    ++*(int *)item;
}

static void test_close(void **state)
{
    struct sl_queue *q;
    struct sl_error err = {0};
    void *item;
    int dropped = 0;

    (void)state;
    assert_int_equal(sl_queue_create(&q, 0, NULL, &err), SL_EINVAL);
    assert_null(q);
    assert_int_equal(err.status, SL_EINVAL);

    assert_int_equal(sl_queue_create(&q, 4, count_drop, NULL), SL_OK);
    assert_int_equal(sl_queue_push(q, &dropped), SL_OK);
    assert_int_equal(sl_queue_push(q, &dropped), SL_OK);
    sl_queue_close(q);
    assert_int_equal(sl_queue_push(q, &dropped), SL_EINVAL);
    assert_int_equal(sl_queue_pop(q, &item), SL_OK);
    assert_int_equal(dropped, 0);
    sl_queue_destroy(&q); /* one is still inside */
    assert_int_equal(dropped, 1);

    dropped = 0;
    assert_int_equal(sl_queue_create(&q, 4, count_drop, NULL), SL_OK);
    assert_int_equal(sl_queue_push(q, &dropped), SL_OK);
    assert_int_equal(sl_queue_push(q, &dropped), SL_OK);
    sl_queue_cancel(q);
    assert_int_equal(dropped, 2);
    assert_int_equal(sl_queue_pop(q, &item), SL_ECANCELLED);
    assert_null(item);
    assert_int_equal(sl_queue_push(q, &dropped), SL_ECANCELLED);
    sl_queue_close(q);
    assert_int_equal(sl_queue_push(q, &dropped), SL_ECANCELLED);
    sl_queue_destroy(&q);
    assert_int_equal(dropped, 2);

    assert_int_equal(sl_queue_create(&q, 1, NULL, NULL), SL_OK);
    sl_queue_close(q);
    assert_int_equal(sl_queue_pop(q, &item), SL_EOF);
    assert_int_equal(sl_queue_pop(q, &item), SL_EOF);
    sl_queue_destroy(&q);
}

struct line {
    struct sl_queue *q;
    int first, last;
    atomic_int *seen;
    enum sl_status status;
};

static void *produce(void *arg)
{
    struct line *l = arg;

    for (int i = l->first; i < l->last; i++) {
        l->status = sl_queue_push(l->q, &numbers[i]);
        if (l->status != SL_OK)
            break;
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct line *l = arg;
    void *item;

    while ((l->status = sl_queue_pop(l->q, &item)) == SL_OK)
        atomic_fetch_add(&l->seen[(int *)item - numbers], 1);
    return NULL;
}

/* Every item arrives once, whoever pushed and whoever popped. */
static void test_many(void **state)
{
    static atomic_int seen[1000];
    struct sl_queue *q;
    struct line producers[4], consumers[3];
    pthread_t pushing[4], popping[3];

    (void)state;
    assert_int_equal(sl_queue_create(&q, 5, NULL, NULL), SL_OK);
    for (int i = 0; i < 3; i++) {
        consumers[i] = (struct line){.q = q, .seen = seen};
        assert_int_equal(pthread_create(&popping[i], NULL, consume, &consumers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        producers[i] = (struct line){.q = q, .first = i * 250, .last = (i + 1) * 250};
        assert_int_equal(pthread_create(&pushing[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(pushing[i], NULL), 0);
        assert_int_equal(producers[i].status, SL_OK);
    }
    sl_queue_close(q);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(popping[i], NULL), 0);
        assert_int_equal(consumers[i].status, SL_EOF);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(seen[i], 1);
    sl_queue_destroy(&q);
}

/* One that waits for room and one that waits for an item are both let go. */
static void wake(bool full, void (*how)(struct sl_queue *q), enum sl_status expected)
{
    struct sl_queue *q;
    struct line l;
    pthread_t thread;

    assert_int_equal(sl_queue_create(&q, 1, NULL, NULL), SL_OK);
    l = (struct line){.q = q, .first = 0, .last = 3};
    assert_int_equal(pthread_create(&thread, NULL, full ? produce : consume, &l), 0);
    while (full && sl_queue_length(q) == 0)
        ;
    how(q);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(l.status, expected);
    sl_queue_destroy(&q);
}

static void test_wake(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        wake(true, sl_queue_cancel, SL_ECANCELLED);
        wake(true, sl_queue_close, SL_EINVAL);
        wake(false, sl_queue_cancel, SL_ECANCELLED);
        wake(false, sl_queue_close, SL_EOF);
    }
}

static void test_within(void **state)
{
    struct sl_queue *q;
    struct timespec before, after;
    int item = 7;
    void *out = &item;

    (void)state;
    assert_int_equal(sl_queue_create(&q, 1, NULL, NULL), SL_OK);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(sl_queue_pop_within(q, 30, &out), SL_EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_null(out);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >=
                30000000);
    assert_int_equal(sl_queue_pop_within(q, 0, &out), SL_EAGAIN);
    assert_int_equal(sl_queue_push(q, &item), SL_OK);
    assert_int_equal(sl_queue_pop_within(q, 0, &out), SL_OK);
    assert_ptr_equal(out, &item);
    sl_queue_close(q);
    assert_int_equal(sl_queue_pop_within(q, 1000000, &out), SL_EOF);
    sl_queue_cancel(q);
    assert_int_equal(sl_queue_pop_within(q, 1000000, &out), SL_ECANCELLED);
    sl_queue_destroy(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order), cmocka_unit_test(test_close),  cmocka_unit_test(test_many),
        cmocka_unit_test(test_wake),  cmocka_unit_test(test_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
