/* SPDX-License-Identifier: BSD-2-Clause */
/* Writers that are killed, and several at once. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "place.h"

/* Goes on where the run stands, saying each number that was announced, until it is killed. */
static _Noreturn void write_on(int out)
{
    struct sl_error err = {.status = SL_OK};
    struct sl_registry *r = place_open(20000);
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_rendition *list;
    size_t count;
    int64_t next;

    set_three(r, &claim);
    assert_ok(sl_registry_renditions(r, "a", &list, &count, &err), &err);
    next = list[0].next;
    sl_free(list);
    for (;; next++) {
        assert_ok(announce_one(r, &claim, "720p", next, &err), &err);
        if (write(out, &next, sizeof(next)) != (ssize_t)sizeof(next))
            _exit(1);
    }
}

static void check_all(int64_t said)
{
    struct sl_registry *r = place_open(20000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_segment *segments;
    size_t count;
    int64_t expected = 0;

    do {
        assert_ok(sl_registry_segments(
                      r,
                      &(const struct sl_registry_segments_query){
                          .run = "a", .rendition = "720p", .first = expected, .limit = 0},
                      &segments, &count, &err),
                  &err);
        for (size_t i = 0; i < count; i++, expected++) {
            const struct sl_registry_segment want = fake_segment("720p", expected);

            assert_int_equal(segments[i].number, expected);
            assert_string_equal(segments[i].cid, want.cid);
        }
        sl_free(segments);
    } while (count == SL_REGISTRY_PAGE_MAX);
    assert_true(expected > said); /* nothing that was announced is lost */
    sl_registry_close(&r);
}

static void test_killed_writers(void **state)
{
    const char *soak = getenv("SLUICE_SOAK");
    const int kills = soak && soak[0] == '1' ? 100 : 5;
    int64_t said = -1;
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < kills; i++) {
        int pipes[2], status;
        int64_t number;
        pid_t pid;

        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(pipes[0]);
            write_on(pipes[1]);
        }
        (void)close(pipes[1]);
        assert_int_equal(read(pipes[0], &number, sizeof(number)), sizeof(number));
        said = number;
        seed = seed * 1664525u + 1013904223u;
        (void)nanosleep(&(struct timespec){0, (long)(seed >> 8) % 60000000}, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(pipes[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
            assert_int_equal(number, said + 1);
            said = number;
        }
        (void)close(pipes[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        check_all(said);
    }
    print_message("%d writers killed, %lld segments\n", kills, (long long)said + 1);
}

/* Each its own run, as fast as they can: waiting for each other's locks is no error. */
static void test_several_writers(void **state)
{
    enum { WRITERS = 3, SEGMENTS = 30 };
    static const char *const names[WRITERS] = {"a", "b", "c"};
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    pid_t pids[WRITERS];

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            struct sl_registry *own = place_open(60000);
            struct sl_registry_claim claim = claim_run(own, names[i]);

            set_three(own, &claim);
            for (int64_t n = 0; n < SEGMENTS; n++)
                assert_ok(announce_one(own, &claim, "360p", n, &err), &err);
            sl_registry_close(&own);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        struct sl_registry_rendition *list;
        size_t count;
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        assert_ok(sl_registry_renditions(r, names[i], &list, &count, &err), &err);
        assert_int_equal(list[1].next, SEGMENTS);
        sl_free(list);
    }
    sl_registry_close(&r);
}

/* All of them open an empty place, and create the same run: one wins. */
static void test_race_to_create(void **state)
{
    enum { WRITERS = 4 };
    pid_t pids[WRITERS];
    int go[2], winners = 0;

    (void)state;
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            const struct sl_registry_claim_params p = {.run = "a"};
            struct sl_registry_claim claim;
            struct sl_registry *own;
            enum sl_status status;
            char byte;

            (void)close(go[1]);
            (void)!read(go[0], &byte, 1); /* until it is closed */
            own = place_open(60000);
            status = sl_registry_claim(own, &p, &claim, NULL);
            sl_registry_close(&own);
            _exit(status == SL_OK ? 10 : status == SL_EEXIST ? 11 : 1);
        }
    }
    (void)close(go[0]);
    (void)close(go[1]);
    for (int i = 0; i < WRITERS; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 10 || WEXITSTATUS(status) == 11));
        winners += WEXITSTATUS(status) == 10;
    }
    assert_int_equal(winners, 1);
}

const struct CMUnitTest crash_tests[] = {
    cmocka_unit_test_setup(test_killed_writers, place_clear),
    cmocka_unit_test_setup(test_several_writers, place_clear),
    cmocka_unit_test_setup(test_race_to_create, place_clear),
};
const size_t crash_test_count = sizeof(crash_tests) / sizeof(crash_tests[0]);
