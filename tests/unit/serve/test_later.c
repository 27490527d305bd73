/* SPDX-License-Identifier: BSD-2-Clause */
/* Jobs: done by workers, parked, left, refused. */
#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "failing_alloc.h"
#include "serve/later.h"
#include "unit.h"

struct test_job {
    struct sl_job job;          /* first */
    struct sl_later_pool *pool; /* NULL: it is parked */
    struct sl_job **shelf;
    int steps;
};

static atomic_int destroyed, held, running;

static void job_step(struct sl_job *j)
{
    struct test_job *t = (struct test_job *)j;

    t->steps++;
    if (t->pool) {
        sl_job_submit(j, t->pool);
        return;
    }
    (void)pthread_mutex_lock(&j->later->lock);
    sl_job_park(j, t->shelf);
    (void)pthread_mutex_unlock(&j->later->lock);
}

static void job_run(struct sl_job *j)
{
    struct sl_answer *answer = NULL;
    enum sl_status status;

    atomic_fetch_add(&running, 1);
    while (atomic_load(&held)) {
        (void)usleep(1000);
    }
    atomic_fetch_sub(&running, 1);
    status = sl_answer_create(&answer, NULL);
    sl_job_done(j, status, answer, false);
}

static void job_hurry(struct sl_job *j)
{
    sl_job_done(j, SL_OK, NULL, true);
}

static void job_destroy(struct sl_job *j)
{
    atomic_fetch_add(&destroyed, 1);
    sl_free(j);
}

static const struct sl_job_ops ops = {
    .step = job_step, .run = job_run, .hurry = job_hurry, .destroy = job_destroy};

static struct {
    struct sl_later later;
    struct sl_later_pool pool;
    struct sl_later_port port;
    struct sl_job *shelf;
    int done;
} s;

static int set_up(void **state)
{
    (void)state;
    atomic_store(&destroyed, 0);
    atomic_store(&held, 0);
    s.done = 0;
    s.shelf = NULL;
    sl_later_init(&s.later);
    assert_int_equal(sl_later_pool_create(&s.pool, 2, 0, NULL), SL_OK);
    assert_int_equal(sl_later_port_open(&s.port, &s.later, NULL), SL_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_later_close(&s.later);
    sl_later_pool_destroy(&s.pool);
    sl_later_port_close(&s.port);
    sl_later_clear(&s.later);
    return 0;
}

static struct sl_job *make(bool parked)
{
    struct test_job *t = sl_alloc_zero(sizeof *t);

    assert_non_null(t);
    sl_job_init(&t->job, &ops, &s.later);
    t->pool = parked ? NULL : &s.pool;
    t->shelf = &s.shelf;
    return &t->job;
}

static void on_done(struct sl_job *j)
{
    (void)j;
    s.done++;
}

static void deliver(int expected)
{
    struct pollfd p = {.fd = s.port.fd, .events = POLLIN};

    while (s.done < expected) {
        assert_true(poll(&p, 1, 30000) == 1);
        sl_later_deliver(&s.port);
    }
    assert_int_equal(s.done, expected);
}

static void test_worker(void **state)
{
    struct sl_job *j = make(false);

    (void)state;
    sl_job_step(j, &s.port, on_done, NULL);
    deliver(1);
    assert_false(sl_job_waits(j));
    assert_true(j->status == SL_OK && j->answer != NULL && !j->last);
    sl_answer_unref(&j->answer);
    sl_job_next(j);
    assert_true(sl_job_waits(j));
    deliver(2);
    sl_job_leave(&j); /* with its answer */
    assert_null(j);
    sl_job_leave(&j);
}

static void test_parked(void **state)
{
    struct sl_job *a = make(true), *b = make(true);

    (void)state;
    sl_job_step(a, &s.port, on_done, NULL);
    sl_job_step(b, &s.port, on_done, NULL);
    assert_true(s.shelf == b && b->next == a);
    (void)pthread_mutex_lock(&s.later.lock);
    sl_job_done_locked(a, SL_EBUSY, NULL, false);
    (void)pthread_mutex_unlock(&s.later.lock);
    assert_true(s.shelf == b && !b->next);
    deliver(1);
    assert_int_equal(a->status, SL_EBUSY);
    sl_job_hurry(b);
    deliver(2);
    assert_true(b->last);
    /* Left while it is parked, and while its outcome waits to be delivered. */
    sl_job_next(a);
    sl_job_leave(&a);
    assert_null(s.shelf);
    sl_job_next(b);
    sl_job_hurry(b);
    sl_job_leave(&b);
    sl_later_deliver(&s.port);
    assert_int_equal(s.done, 2);
    assert_int_equal(atomic_load(&destroyed), 2);
}

static void test_left_while_it_runs(void **state)
{
    struct sl_job *j = make(false);

    (void)state;
    atomic_store(&held, 1);
    sl_job_step(j, &s.port, on_done, NULL);
    while (atomic_load(&running) == 0) {
        (void)usleep(1000);
    }
    sl_job_leave(&j);
    assert_int_equal(atomic_load(&destroyed), 0);
    atomic_store(&held, 0);
    while (atomic_load(&destroyed) == 0) {
        (void)usleep(1000);
    }
    sl_later_deliver(&s.port);
    assert_int_equal(s.done, 0);
}

static void test_too_many(void **state)
{
    static struct sl_job *jobs[SL_LATER_JOBS_MAX + 1];
    struct sl_job *refused;

    (void)state;
    atomic_store(&held, 1);
    for (size_t i = 0; i <= SL_LATER_JOBS_MAX; i++) {
        jobs[i] = make(false);
        sl_job_step(jobs[i], &s.port, on_done, NULL);
    }
    deliver(1);
    refused = jobs[SL_LATER_JOBS_MAX];
    assert_int_equal(refused->status, SL_EAGAIN);
    for (size_t i = 0; i < SL_LATER_JOBS_MAX; i++) { /* most of them never ran */
        sl_job_leave(&jobs[i]);
    }
    sl_job_leave(&refused);
    atomic_store(&held, 0);
}

static void test_closing(void **state)
{
    struct sl_job *j = make(true);

    (void)state;
    sl_later_close(&s.later);
    sl_job_step(j, &s.port, on_done, NULL);
    deliver(1);
    assert_int_equal(j->status, SL_ECANCELLED);
    sl_job_leave(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_left_while_it_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
