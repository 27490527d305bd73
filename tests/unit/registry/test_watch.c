/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers are told, by whatever process it was. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "place.h"

#define PATIENCE_MS 20000 /* no test is about time */

struct heard {
    int count;
    int64_t revision; /* of run "a" */
    bool any, deleted, other;
};

static void hear(void *opaque, const struct sl_registry_change *change)
{
    struct heard *h = opaque;

    h->count++;
    if (!change->run[0])
        h->any = true;
    else if (strcmp(change->run, "a") != 0)
        h->other = true;
    else if (change->revision < 0)
        h->deleted = true;
    else
        h->revision = change->revision;
}

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* As an event loop does. False: out of patience. */
static bool wait_for(struct sl_registry_watch *w, struct heard *h, const bool *flag,
                     int64_t revision, enum sl_status *seen)
{
    const int64_t end = now_us() + (int64_t)PATIENCE_MS * 1000;

    while ((flag && !*flag) || h->revision < revision) {
        struct pollfd fd = {.fd = sl_registry_watch_fd(w), .events = POLLIN};
        enum sl_status status;

        if (now_us() > end)
            return false;
        if (poll(&fd, 1, 1000) <= 0)
            continue;
        status = sl_registry_watch_read(w, hear, h, NULL);
        if (status != SL_OK && seen)
            *seen = status;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Segments of another process; it says when each was announced (CLOCK_MONOTONIC is one for all). */
static void test_other_process(void **state)
{
    enum { COUNT = 30 };
    struct sl_registry *r = place_open(5000);
    struct sl_registry_watch *w = NULL;
    struct sl_error err = {.status = SL_OK};
    struct heard h = {.count = 0};
    int64_t late[COUNT];
    int pipes[2], status;
    pid_t pid;

    (void)state;
    assert_ok(sl_registry_watch_open(&w, place.where, NULL, &err), &err);
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sl_registry *own = place_open(10000);
        struct sl_registry_claim claim = claim_run(own, "a");

        set_three(own, &claim);
        for (int64_t i = 0; i < COUNT; i++) {
            int64_t at;

            (void)nanosleep(&(struct timespec){0, 20000000 + (long)(i * 1700000)}, NULL);
            at = announce_one(own, &claim, "720p", i, NULL) == SL_OK ? now_us() : -1;
            (void)!write(pipes[1], &at, sizeof(at));
        }
        sl_registry_close(&own);
        _exit(0);
    }
    for (int64_t i = 0; i < COUNT; i++) {
        /* created: 0, renditions: 1, then one for each segment. */
        int64_t at, heard_at;

        assert_true(wait_for(w, &h, NULL, i + 2, NULL));
        heard_at = now_us();
        assert_int_equal(read(pipes[0], &at, sizeof(at)), sizeof(at));
        assert_true(at > 0);
        late[i] = heard_at - at;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    qsort(late, COUNT, sizeof(late[0]), compare);
    print_message("told after %.1f ms (median), %.1f ms (most) of %d\n",
                  (double)late[COUNT / 2] / 1000, (double)late[COUNT - 1] / 1000, COUNT);
    /* The half of them, since the machine may be busy with other things. */
    assert_true(late[COUNT / 2] < 100000);
    assert_false(h.any || h.other);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    sl_registry_watch_close(&w);
    sl_registry_close(&r);
}

static void test_coalesced(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_watch *w = NULL;
    struct sl_error err = {.status = SL_OK};
    struct heard h = {.count = 0};
    int64_t i;

    (void)state;
    set_three(r, &claim);
    assert_ok(sl_registry_watch_open(&w, place.where, NULL, &err), &err);
    for (i = 0; i < 20; i++)
        assert_ok(announce_one(r, &claim, "720p", i, &err), &err);
    assert_true(wait_for(w, &h, NULL, 21, NULL));
    assert_true(h.count < 20);
    assert_false(h.any);
    (void)claim_run(r, "b");
    assert_true(wait_for(w, &h, &h.other, 0, NULL));
    assert_ok(sl_registry_delete_run(r, "a", true, &err), &err);
    assert_true(wait_for(w, &h, &h.deleted, 0, NULL));
    assert_ok(sl_registry_watch_read(w, hear, &h, &err), &err); /* at any time */
    sl_registry_watch_close(&w);
    sl_registry_close(&r);
}

/* More than the table of changes holds, while nobody listened. */
static void test_too_much(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_watch *w = NULL;
    struct sl_error err = {.status = SL_OK};
    struct heard h = {.count = 0};

    (void)state;
    if (place.postgres) {
        sl_registry_close(&r);
        return; /* the server keeps them all */
    }
    set_three(r, &claim);
    assert_ok(sl_registry_watch_open(&w, place.where, NULL, &err), &err);
    free(place_sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
                   " INSERT INTO changes (run, revision) SELECT 'x', i FROM n"));
    assert_ok(announce_one(r, &claim, "720p", 0, &err), &err);
    assert_true(wait_for(w, &h, &h.any, 2, NULL));
    sl_registry_watch_close(&w);
    sl_registry_close(&r);
}

/* The file is moved away, the server goes down: SL_EBUSY until it is back, and then all goes on. */
static void test_out_of_reach(void **state)
{
    struct sl_registry *r = place_open(300), *again;
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_watch *w = NULL;
    struct sl_error err = {.status = SL_OK};
    struct heard h = {.count = 0};
    enum sl_status seen = SL_OK;
    struct sl_registry_segment *segments;
    size_t count;

    (void)state;
    set_three(r, &claim);
    assert_ok(announce_one(r, &claim, "720p", 0, &err), &err);
    assert_ok(sl_registry_watch_open(&w, place.where, NULL, &err), &err);
    place_stop();
    assert_int_equal(announce_one(r, &claim, "720p", 1, &err), SL_EBUSY);
    assert_non_null(strstr(err.msg, place.postgres ? "PostgreSQL" : "the database file is gone"));
    print_message("%s\n", err.msg);
    err = (struct sl_error){.status = SL_OK};
    for (const int64_t end = now_us() + 20000000; seen == SL_OK && now_us() < end;) {
        struct pollfd fd = {.fd = sl_registry_watch_fd(w), .events = POLLIN};

        if (poll(&fd, 1, 1000) > 0)
            seen = sl_registry_watch_read(w, hear, &h, &err);
    }
    assert_int_equal(seen, SL_EBUSY);
    assert_false(h.any);
    assert_int_equal(announce_one(r, &claim, "720p", 1, NULL), SL_EBUSY);
    if (!place.postgres)
        assert_int_not_equal(access(place.where, F_OK), 0); /* not made anew */
    place_start();
    err = (struct sl_error){.status = SL_OK};
    assert_ok(announce_one(r, &claim, "720p", 1, &err), &err);
    assert_true(wait_for(w, &h, &h.any, 0, NULL));
    assert_ok(announce_one(r, &claim, "720p", 2, &err), &err);
    assert_true(wait_for(w, &h, NULL, 4, NULL));
    again = place_open(5000);
    assert_ok(sl_registry_segments(again,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "720p", .first = 0, .limit = 0},
                                   &segments, &count, &err),
              &err);
    assert_int_equal(count, 3);
    free(segments);
    sl_registry_watch_close(&w);
    sl_registry_close(&r);
    sl_registry_close(&again);
}

const struct CMUnitTest watch_tests[] = {
    cmocka_unit_test_setup(test_other_process, place_clear),
    cmocka_unit_test_setup(test_coalesced, place_clear),
    cmocka_unit_test_setup(test_too_much, place_clear),
    cmocka_unit_test_setup(test_out_of_reach, place_clear),
};
const size_t watch_test_count = sizeof(watch_tests) / sizeof(watch_tests[0]);
