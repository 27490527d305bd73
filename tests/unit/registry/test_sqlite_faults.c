/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be wrong with a file, each told in clear words. */
#include <errno.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/internal.h"
#include "scratch.h"
#include "unit.h"

static struct scratch scratch;

static int setup(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static enum sl_status open_in(struct sl_registry **r, const char *where, int wait_ms, bool create,
                              struct sl_error *err)
{
    const struct sl_registry_params p = {.wait_ms = wait_ms, .create = create};

    *err = (struct sl_error){.status = SL_OK};
    return sl_registry_open_with(r, &sl_db_sqlite, where, &p, err);
}

static void check_open(const char *where, bool create, enum sl_status status, const char *words)
{
    struct sl_registry *r;
    struct sl_error err;

    assert_int_equal(open_in(&r, where, 100, create, &err), status);
    assert_null(r);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

static void test_cannot_open(void **state)
{
    char path[128];

    (void)state;
    check_open(scratch_name(&scratch, "none.db"), false, SL_ENOTFOUND, "there is no registry");
    check_open(scratch.path, true, SL_EINVAL, "is not a file");
    (void)snprintf(path, sizeof(path), "%s/no/such/folder.db", scratch.path);
    check_open(path, true, SL_EIO, "unable to open");
    scratch_write(scratch_name(&scratch, "text.db"), "not a database, but long enough for one", 39);
    check_open(scratch_name(&scratch, "text.db"), true, SL_EDATA, "is damaged, or no registry");
}

/* A name that SQLite would take for something else. */
static void test_odd_names(void **state)
{
    static const char *const names[] = {":memory:", "file:x.db?mode=memory", "a b'\".db"};
    char *before = get_current_dir_name();

    (void)state;
    assert_int_equal(chdir(scratch.path), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sl_registry *r;
        struct sl_error err;

        assert_int_equal(open_in(&r, names[i], 1000, true, &err), SL_OK);
        sl_registry_close(&r);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void test_locked(void **state)
{
    const struct sl_registry_claim_params p = {.run = "a", .may_exist = true, .force = true};
    struct sl_registry_claim claim;
    struct sl_registry_run *runs;
    const struct sl_registry_runs_query q = {.limit = 0};
    struct sl_registry *r;
    struct sl_error err;
    size_t count;
    sqlite3 *db;

    (void)state;
    assert_int_equal(open_in(&r, scratch_name(&scratch, "a.db"), 100, true, &err), SL_OK);
    assert_int_equal(sqlite3_open(scratch_name(&scratch, "a.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sl_registry_claim(r, &p, &claim, &err), SL_EBUSY);
    assert_non_null(strstr(err.msg, "is locked by another (waited 100 ms)"));
    err = (struct sl_error){.status = SL_OK};
    assert_int_equal(sl_registry_runs(r, &q, &runs, &count, &err), SL_OK); /* readers do not wait */
    sl_registry_runs_free(&runs, count);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sl_registry_claim(r, &p, &claim, &err), SL_OK);
    (void)sqlite3_close(db);
    sl_registry_close(&r);
}

static void test_damaged(void **state)
{
    const struct sl_registry_claim_params p = {.run = "a"};
    struct sl_registry_claim claim;
    struct sl_registry *r;
    struct sl_error err;
    uint8_t *data;
    size_t size;

    (void)state;
    assert_int_equal(open_in(&r, scratch_name(&scratch, "a.db"), 100, true, &err), SL_OK);
    assert_int_equal(sl_registry_claim(r, &p, &claim, &err), SL_OK);
    sl_registry_close(&r);
    data = scratch_read(scratch_name(&scratch, "a.db"), &size);
    memset(data + 4096, 0xee, size - 4096); /* all but the first page */
    scratch_write(scratch_name(&scratch, "a.db"), data, size);
    free(data);
    check_open(scratch_name(&scratch, "a.db"), true, SL_EDATA, "is damaged");
}

/* In a name space of its own, where that is allowed: 0 passed, 77 not allowed. */
static int fill_disk(void)
{
    struct sl_registry *r;
    struct sl_error err;
    const struct sl_registry_claim_params p = {.run = "a"};
    struct sl_registry_claim claim;
    struct sl_registry_segment s = {.duration = 1, .program_time = SL_NO_TIME, .cid = "Qmx"};
    const struct sl_registry_item item = {.rendition = "v", .segments = &s, .segment_count = 1};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};
    const struct sl_registry_rendition v = {.name = "v", .timebase = {1, 30}};
    struct sl_registry_segment *back;
    char path[96], filler[96];
    uint8_t *noise;
    size_t count = 0;
    enum sl_status status;

    /* In a chroot "/" is no mount: what is mounted here may then be seen outside until it goes. */
    if (unshare(CLONE_NEWNS) < 0 ||
        (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 && errno != EINVAL) ||
        mount("none", scratch.path, "tmpfs", 0, "size=1m") < 0)
        return 77;
    (void)snprintf(path, sizeof(path), "%s/a.db", scratch.path);
    (void)snprintf(filler, sizeof(filler), "%s/filler", scratch.path);
    noise = calloc(1, 400000);
    scratch_write(filler, noise, 400000);
    free(noise);
    if (open_in(&r, path, 50, true, &err) != SL_OK ||
        sl_registry_claim(r, &p, &claim, &err) != SL_OK ||
        sl_registry_set_renditions(r, &claim, &v, 1, &err) != SL_OK)
        return 1;
    for (;; s.number++, s.start++) {
        status = sl_registry_announce(r, &claim, &a, NULL, &err);
        if (status != SL_OK)
            break;
    }
    (void)printf("# %lld segments, then: %s\n", (long long)s.number, err.msg);
    if (status != SL_EBUSY || !strstr(err.msg, "the disk is full"))
        return 2;
    if (sl_registry_announce(r, &claim, &a, NULL, NULL) != SL_EBUSY)
        return 3;
    (void)unlink(filler);
    err = (struct sl_error){.status = SL_OK};
    if (sl_registry_announce(r, &claim, &a, NULL, &err) != SL_OK)
        return 4;
    status = sl_registry_segments(r,
                                  &(const struct sl_registry_segments_query){
                                      .run = "a", .rendition = "v", .last = true, .limit = 1},
                                  &back, &count, &err);
    if (status != SL_OK || count != 1 || back[0].number != s.number)
        return 5;
    free(back);
    sl_registry_close(&r);
    return 0;
}

static void test_disk_full(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    (void)fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        status = fill_disk();
        (void)umount2(scratch.path, MNT_DETACH);
        (void)fflush(stdout);
        _exit(status);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Not as root, who may write everything. */
static void test_not_ours(void **state)
{
    const struct sl_registry_claim_params p = {.run = "a"};
    struct sl_registry_claim claim;
    struct sl_registry *r;
    struct sl_error err;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(open_in(&r, scratch_name(&scratch, "a.db"), 100, true, &err), SL_OK);
    sl_registry_close(&r);
    assert_int_equal(chmod(scratch_name(&scratch, "a.db"), 0444), 0);
    assert_int_equal(chmod(scratch.path, 0555), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(77);
        if (open_in(&r, scratch_name(&scratch, "a.db"), 100, true, &err) == SL_OK &&
            sl_registry_claim(r, &p, &claim, &err) == SL_OK)
            _exit(1);
        sl_registry_close(&r);
        _exit(err.status == SL_EIO ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod(scratch.path, 0755), 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cannot_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
