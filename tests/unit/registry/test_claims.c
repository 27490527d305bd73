/* SPDX-License-Identifier: BSD-2-Clause */
/* One writer at a time, and how a run ends. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "place.h"
#include "registry/internal.h"

static void test_one_writer(void **state)
{
    struct sl_registry *r = place_open(5000), *second = place_open(300);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim first = claim_run(r, "a"), claim;
    struct sl_registry_claim_params p = {.run = "a"};

    (void)state;
    assert_true(first.created);
    set_three(r, &first);
    assert_int_equal(sl_registry_claim(second, &p, &claim, &err), SL_EEXIST);
    p.may_exist = true;
    err = (struct sl_error){.status = SL_OK};
    assert_int_equal(sl_registry_claim(second, &p, &claim, &err), SL_EBUSY);
    assert_non_null(strstr(err.msg, "another process writes"));
    assert_int_equal(sl_registry_delete_run(second, "a", false, NULL), SL_EBUSY);
    err = (struct sl_error){.status = SL_OK};
    assert_ok(announce_one(r, &first, "720p", 0, &err), &err);
    p.force = true;
    assert_ok(sl_registry_claim(second, &p, &claim, &err), &err);
    assert_false(claim.created);
    assert_true(claim.epoch > first.epoch);

    /* The fence. */
    assert_int_equal(announce_one(r, &first, "720p", 1, &err), SL_ECANCELLED);
    assert_non_null(strstr(err.msg, "taken over"));
    assert_int_equal(sl_registry_touch(r, &first, NULL), SL_ECANCELLED);
    assert_int_equal(sl_registry_end_run(
                         r, &first, &(const struct sl_registry_end){.state = SL_RUN_FAILED}, NULL),
                     SL_ECANCELLED);
    err = (struct sl_error){.status = SL_OK};
    assert_ok(announce_one(second, &claim, "720p", 1, &err), &err);
    sl_registry_close(&r);
    sl_registry_close(&second);
}

static void test_lease(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim_params p = {.run = "a", .may_exist = true, .lease_ms = 100};
    struct sl_registry_claim first, claim;
    struct sl_registry_run run;

    (void)state;
    assert_ok(sl_registry_claim(r, &p, &first, &err), &err);
    (void)nanosleep(&(struct timespec){0, 200000000}, NULL);
    assert_ok(sl_registry_run(r, "a", false, &run, &err), &err);
    assert_int_equal(run.state, SL_RUN_RUNNING);
    assert_false(run.alive);
    sl_registry_run_clear(&run);
    p.lease_ms = 60000;
    assert_ok(sl_registry_claim(r, &p, &claim, &err), &err);
    assert_int_equal(sl_registry_claim(r, &p, &first, NULL), SL_EBUSY);
    p.lease_ms = -1;
    assert_int_equal(sl_registry_claim(r, &p, &first, NULL), SL_EINVAL);
    sl_registry_close(&r);
}

/* One of this machine that was killed holds nobody up. */
static void test_dead_writer(void **state)
{
    struct sl_registry *r;
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_run run;
    struct sl_registry_claim claim;
    int ready[2], status;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sl_registry *own = place_open(10000);

        (void)claim_run(own, "a");
        (void)!write(ready[1], "x", 1);
        (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    r = place_open(5000);
    assert_ok(sl_registry_run(r, "a", false, &run, &err), &err);
    assert_true(run.alive);
    sl_registry_run_clear(&run);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_ok(sl_registry_run(r, "a", false, &run, &err), &err);
    assert_false(run.alive);
    sl_registry_run_clear(&run);
    claim = claim_run(r, "a");
    assert_int_equal(claim.epoch, 2);
    (void)close(ready[0]);
    (void)close(ready[1]);
    sl_registry_close(&r);
}

static void test_who_is_dead(void **state)
{
    char self[SL_WRITER_MAX], other[SL_WRITER_MAX];
    struct sl_error err = {.status = SL_OK};
    char *last;

    (void)state;
    assert_ok(sl_writer_self(self, &err), &err);
    assert_false(sl_writer_is_dead(self));
    memcpy(other, self, sizeof(other)); /* the number went to another process */
    last = other + strlen(other) - 1;
    *last = *last == '1' ? '2' : '1';
    assert_true(sl_writer_is_dead(other));
    memcpy(other, self, sizeof(other)); /* another boot, or machine: not known */
    other[20] = other[20] == 'a' ? 'b' : 'a';
    *last = '0';
    assert_false(sl_writer_is_dead(other));
    assert_false(sl_writer_is_dead(""));
    assert_false(sl_writer_is_dead("x - - 1 1"));
}

static void test_endings(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_end end = {.state = SL_RUN_STOPPED, .resume = "{\"frame\": 12}"};
    struct sl_registry_claim_params p = {.run = "a", .may_exist = true};
    struct sl_registry_run run;

    (void)state;
    set_three(r, &claim);
    assert_ok(sl_registry_end_run(r, &claim, &end, &err), &err);
    assert_ok(sl_registry_end_run(r, &claim, &end, &err), &err); /* again is fine */
    assert_int_equal(announce_one(r, &claim, "720p", 0, &err), SL_ECANCELLED);
    assert_non_null(strstr(err.msg, "has ended"));
    err = (struct sl_error){.status = SL_OK};
    assert_ok(sl_registry_run(r, "a", true, &run, &err), &err);
    assert_int_equal(run.state, SL_RUN_STOPPED);
    assert_string_equal(run.resume, "{\"frame\": 12}");
    assert_true(run.ended != SL_NO_TIME && !run.alive);
    sl_registry_run_clear(&run);

    claim = claim_run(r, "a"); /* goes on at once: nobody writes */
    assert_ok(announce_one(r, &claim, "720p", 0, &err), &err);
    end = (struct sl_registry_end){.state = SL_RUN_FINISHED, .root_cid = "Qmroot"};
    assert_ok(sl_registry_end_run(r, &claim, &end, &err), &err);
    assert_ok(sl_registry_run(r, "a", true, &run, &err), &err);
    assert_int_equal(run.state, SL_RUN_FINISHED);
    assert_string_equal(run.root_cid, "Qmroot");
    assert_null(run.resume);
    sl_registry_run_clear(&run);
    assert_int_equal(sl_registry_claim(r, &p, &claim, &err), SL_EINVAL);
    assert_non_null(strstr(err.msg, "is finished"));
    err = (struct sl_error){.status = SL_OK};
    assert_ok(sl_registry_delete_run(r, "a", false, &err), &err);
    assert_int_equal(sl_registry_delete_run(r, "a", false, NULL), SL_ENOTFOUND);
    end.state = SL_RUN_RUNNING;
    assert_int_equal(sl_registry_end_run(r, &claim, &end, NULL), SL_EINVAL);
    sl_registry_close(&r);
}

const struct CMUnitTest claim_tests[] = {
    cmocka_unit_test_setup(test_one_writer, place_clear),
    cmocka_unit_test_setup(test_lease, place_clear),
    cmocka_unit_test_setup(test_dead_writer, place_clear),
    cmocka_unit_test(test_who_is_dead),
    cmocka_unit_test_setup(test_endings, place_clear),
};
const size_t claim_test_count = sizeof(claim_tests) / sizeof(claim_tests[0]);
