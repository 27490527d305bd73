/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/pool.h"
#include "unit.h"

struct job {
    atomic_int *runs, *drops, *cancelled;
    atomic_bool *gate; /* run waits until it opens, or for the cancellation */
    atomic_int *started;
};

static void run(void *arg, const struct sl_cancel *cancel)
{
    struct job *j = arg;

    if (j->started)
        atomic_fetch_add(j->started, 1);
    while (j->gate && !atomic_load(j->gate) && !sl_cancelled(cancel))
        sched_yield();
    if (j->cancelled && sl_cancelled(cancel))
        atomic_fetch_add(j->cancelled, 1);
    atomic_fetch_add(j->runs, 1);
}

static void drop(void *arg)
{
    struct job *j = arg;

    atomic_fetch_add(j->drops, 1);
}

static void test_runs_all(void **state)
{
    atomic_int runs = 0, drops = 0;
    struct job job = {.runs = &runs, .drops = &drops};
    struct sl_pool *p;

    (void)state;
    assert_int_equal(sl_pool_create(&p, 3, 2, NULL), SL_OK);
    sl_pool_wait(p); /* for nothing */
    for (int i = 0; i < 500; i++)
        assert_int_equal(sl_pool_submit(p, run, drop, &job), SL_OK);
    sl_pool_wait(p);
    assert_int_equal(runs, 500);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sl_pool_submit(p, run, NULL, &job), SL_OK);
    sl_pool_destroy(&p); /* the backlog is still done */
    assert_null(p);
    assert_int_equal(runs, 510);
    assert_int_equal(drops, 0);
    sl_pool_destroy(&p);
    sl_pool_destroy(NULL);
}

/* What waits is dropped, what runs is told, what comes later is not taken. */
static void test_cancel(void **state)
{
    atomic_int runs = 0, drops = 0, cancelled = 0, started = 0;
    atomic_bool gate = false;
    struct job job = {.runs = &runs,
                      .drops = &drops,
                      .cancelled = &cancelled,
                      .gate = &gate,
                      .started = &started};
    struct sl_pool *p;

    (void)state;
    assert_int_equal(sl_pool_create(&p, 2, 10, NULL), SL_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(sl_pool_submit(p, run, drop, &job), SL_OK);
    while (atomic_load(&started) < 2)
        sched_yield();
    assert_int_equal(sl_pool_submit(p, run, NULL, &job), SL_OK); /* dropped without a word */
    sl_pool_cancel(p);
    assert_int_equal(drops, 6);
    assert_int_equal(sl_pool_submit(p, run, drop, &job), SL_ECANCELLED);
    sl_pool_wait(p);
    assert_int_equal(cancelled, 2);
    assert_int_equal(runs, 2);
    sl_pool_cancel(p);
    sl_pool_destroy(&p);
    assert_int_equal(drops, 6);
}

struct waiter {
    struct sl_pool *pool;
    struct job *job;
    enum sl_status status;
};

static void *submit_until_refused(void *arg)
{
    struct waiter *w = arg;

    while ((w->status = sl_pool_submit(w->pool, run, drop, w->job)) == SL_OK)
        ;
    return NULL;
}

/* A submitter that waits for room is let go by cancel. */
static void test_cancel_wakes_submitters(void **state)
{
    atomic_int runs = 0, drops = 0, started = 0;
    atomic_bool gate = false;
    struct job job = {.runs = &runs, .drops = &drops, .gate = &gate, .started = &started};
    struct waiter w = {.job = &job};
    pthread_t thread;

    (void)state;
    assert_int_equal(sl_pool_create(&w.pool, 1, 1, NULL), SL_OK);
    assert_int_equal(pthread_create(&thread, NULL, submit_until_refused, &w), 0);
    while (atomic_load(&started) < 1)
        sched_yield();
    sl_pool_cancel(w.pool);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.status, SL_ECANCELLED);
    sl_pool_destroy(&w.pool);
    assert_int_equal(runs, 1);
}

/* wait does not wait for what others submit after it. */
static void test_wait_is_bounded(void **state)
{
    atomic_int runs = 0, late_runs = 0, drops = 0, started = 0;
    atomic_bool gate = false;
    struct job quick = {.runs = &runs, .drops = &drops};
    struct job late = {.runs = &late_runs, .drops = &drops, .gate = &gate, .started = &started};
    struct sl_pool *p;

    (void)state;
    assert_int_equal(sl_pool_create(&p, 2, 4, NULL), SL_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sl_pool_submit(p, run, drop, &quick), SL_OK);
    sl_pool_wait(p);
    assert_int_equal(runs, 20);
    assert_int_equal(sl_pool_submit(p, run, drop, &late), SL_OK);
    assert_int_equal(sl_pool_submit(p, run, drop, &quick), SL_OK);
    while (atomic_load(&started) < 1 || atomic_load(&runs) < 21)
        sched_yield();
    assert_int_equal(late_runs, 0);
    atomic_store(&gate, true);
    sl_pool_wait(p);
    assert_int_equal(late_runs, 1);
    sl_pool_destroy(&p);
}

static void look_at_signals(void *arg, const struct sl_cancel *cancel)
{
    sigset_t set;

    (void)cancel;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    atomic_store((atomic_int *)arg, sigismember(&set, SIGINT));
}

static void test_signals(void **state)
{
    atomic_int blocked = -1;
    struct sl_pool *p;
    sigset_t set;

    (void)state;
    assert_int_equal(sl_pool_create(&p, 1, 1, NULL), SL_OK);
    assert_int_equal(sl_pool_submit(p, look_at_signals, NULL, &blocked), SL_OK);
    sl_pool_destroy(&p);
    assert_int_equal(blocked, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    assert_int_equal(sigismember(&set, SIGINT), 0);
}

static void test_arguments(void **state)
{
    struct sl_pool *p;
    struct sl_cancel c = {0};

    (void)state;
    assert_int_equal(sl_pool_create(&p, 0, 1, NULL), SL_EINVAL);
    assert_null(p);
    assert_int_equal(sl_pool_create(&p, 1, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_pool_create(&p, 100000, 1, NULL), SL_EINVAL);
    assert_false(sl_cancelled(NULL));
    assert_false(sl_cancelled(&c));
    sl_cancel_set(&c);
    assert_true(sl_cancelled(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_all),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_wakes_submitters),
        cmocka_unit_test(test_wait_is_bounded),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
