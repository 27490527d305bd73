/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/publish.h"
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

static void assert_content(const char *path, const char *expected)
{
    size_t size;
    uint8_t *got = scratch_read(path, &size);

    assert_string_equal((char *)got, expected);
    assert_int_equal(size, strlen(expected));
    free(got);
}

static void test_commit(void **state)
{
    const char *path = scratch_name(&scratch, "media.m3u8");
    struct sl_publish *p;
    struct stat st;
    mode_t mask = umask(027);

    (void)state;
    assert_int_equal(sl_publish_open(&p, path, NULL), SL_OK);
    assert_int_equal(sl_publish_write(p, "one ", 4, NULL), SL_OK);
    assert_int_equal(sl_publish_write(p, NULL, 0, NULL), SL_OK);
    assert_int_equal(sl_publish_write(p, "two", 3, NULL), SL_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(sl_publish_commit(&p, NULL), SL_OK);
    assert_null(p);
    assert_content(path, "one two");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_nlink, 1);
    (void)umask(mask);
    /* Over what is there. */
    assert_int_equal(sl_publish_bytes(path, "new", 3, NULL), SL_OK);
    assert_content(path, "new");
    assert_int_equal(sl_publish_bytes(path, "", 0, NULL), SL_OK);
    assert_content(path, "");
    assert_int_equal(scratch_count(scratch.path), 1);
}

static void test_abort(void **state)
{
    const char *path = scratch_name(&scratch, "kept");
    struct sl_publish *p;

    (void)state;
    assert_int_equal(sl_publish_bytes(path, "old", 3, NULL), SL_OK);
    assert_int_equal(sl_publish_open(&p, path, NULL), SL_OK);
    assert_int_equal(sl_publish_write(p, "half", 4, NULL), SL_OK);
    assert_int_equal(scratch_count(scratch.path), 2);
    sl_publish_abort(&p);
    assert_null(p);
    sl_publish_abort(&p);
    sl_publish_abort(NULL);
    assert_content(path, "old");
    assert_int_equal(scratch_count(scratch.path), 1);
}

static void test_chain(void **state)
{
    struct sl_chain c;
    struct sl_file *file;

    (void)state;
    assert_int_equal(sl_publish_bytes(scratch_name(&scratch, "source"), "0123456789", 10, NULL),
                     SL_OK);
    assert_int_equal(sl_file_open(&file, scratch.name, NULL), SL_OK);
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_copy(&c, "head ", 5, NULL), SL_OK);
    assert_int_equal(sl_chain_add_file(&c, file, 3, 4, NULL), SL_OK);
    assert_int_equal(sl_publish_whole(scratch_name(&scratch, "whole"), &c, NULL), SL_OK);
    assert_content(scratch.name, "head 3456");
    sl_chain_clear(&c);
    sl_file_unref(&file);
}

static void refuse(const char *path, enum sl_status expected)
{
    struct sl_error err = {0};
    struct sl_publish *p;
    size_t before = scratch_count(scratch.path);

    assert_int_equal(sl_publish_open(&p, path, &err), expected);
    assert_int_equal(err.status, expected);
    assert_null(p);
    assert_int_equal(scratch_count(scratch.path), before);
}

static void test_paths(void **state)
{
    char name[300], path[400];
    struct sl_error err = {0};
    char back[4096];

    (void)state;
    refuse("", SL_EINVAL);
    refuse("/", SL_EINVAL);
    refuse(scratch_name(&scratch, ""), SL_EINVAL);
    refuse(scratch_name(&scratch, "."), SL_EINVAL);
    refuse(scratch_name(&scratch, ".."), SL_EINVAL);
    refuse(scratch_name(&scratch, "no/such/directory"), SL_ENOTFOUND);
    assert_int_equal(sl_publish_bytes(scratch_name(&scratch, "plain"), "x", 1, NULL), SL_OK);
    refuse(scratch_name(&scratch, "plain/file"), SL_EIO);

    refuse("/proc/sluice", SL_ENOTFOUND); /* a directory that takes no files */

    /* The longest name that a file can have, and one more. */
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", scratch.path, name);
    assert_int_equal(sl_publish_bytes(path, "long", 4, NULL), SL_OK);
    assert_content(path, "long");
    name[255] = 'n';
    name[256] = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", scratch.path, name);
    assert_int_equal(sl_publish_bytes(path, "long", 4, &err), SL_EIO);
    assert_int_equal(scratch_count(scratch.path), 2);

    /* A directory is in the way. */
    err = (struct sl_error){0};
    assert_int_equal(sl_make_directories(scratch_name(&scratch, "dir"), NULL), SL_OK);
    assert_int_equal(sl_publish_bytes(scratch.name, "x", 1, &err), SL_EIO);
    assert_string_equal(err.where, scratch.name);
    assert_int_equal(scratch_count(scratch.path), 3);

    /* Without a directory: the current one. */
    assert_non_null(getcwd(back, sizeof(back)));
    assert_int_equal(chdir(scratch.path), 0);
    assert_int_equal(sl_publish_bytes("here", "x", 1, NULL), SL_OK);
    assert_int_equal(chdir(back), 0);
    assert_content(scratch_name(&scratch, "here"), "x");
}

/* What is no plain file is written to, a link leads on: neither is ever replaced. */
static void test_what_must_stay(void **state)
{
    struct scratch *s = &scratch;
    struct stat st;
    char target[sizeof s->name], link[sizeof s->name], fifo[sizeof s->name], got[8] = {0};
    int reader;

    (void)state;
    assert_int_equal(sl_publish_bytes("/dev/null", "lost", 4, NULL), SL_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));

    (void)snprintf(fifo, sizeof fifo, "%s", scratch_name(s, "fifo"));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(sl_publish_bytes(fifo, "piped", 5, NULL), SL_OK);
    assert_int_equal(read(reader, got, sizeof got), 5);
    assert_memory_equal(got, "piped", 5);
    (void)close(reader);

    (void)snprintf(target, sizeof target, "%s", scratch_name(s, "target"));
    (void)snprintf(link, sizeof link, "%s", scratch_name(s, "link"));
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(sl_publish_bytes(link, "first", 5, NULL), SL_OK); /* leads to nothing yet */
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(sl_publish_bytes(link, "new one", 7, NULL), SL_OK);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(target, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_size, 7);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(symlink("link", target), 0); /* in a circle */
    assert_int_equal(sl_publish_bytes(link, "nowhere", 7, NULL), SL_EIO);
}

static void test_directories(void **state)
{
    struct sl_error err = {0};
    char path[512];
    struct stat st;
    mode_t mask = umask(022);

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/a//b/c/", scratch.path);
    assert_int_equal(sl_make_directories(path, NULL), SL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(sl_make_directories(path, NULL), SL_OK);
    assert_int_equal(sl_make_directories("/", NULL), SL_OK);
    assert_int_equal(sl_make_directories(".", NULL), SL_OK);
    assert_int_equal(sl_make_directories("", &err), SL_EINVAL);
    scratch_write(scratch_name(&scratch, "file"), "x", 1);
    err = (struct sl_error){0};
    assert_int_equal(sl_make_directories(scratch.name, &err), SL_EEXIST);
    assert_string_equal(err.where, scratch.name);
    assert_true(sl_make_directories(scratch_name(&scratch, "file/below"), NULL) != SL_OK);
    assert_true(sl_make_directories("/proc/sluice/below", NULL) != SL_OK);
    (void)umask(mask);
}

/* What must hold wherever the space ends: one clear error, nothing left behind, the old file
 * untouched, and no way to publish the half that was written. */
static void write_until_full(const char *path, const char *words)
{
    uint8_t *block = calloc(1, 100000);
    struct sl_publish *p;
    struct sl_error err = {0};
    struct sl_chain chain;
    size_t before;
    char directory[512];

    assert_non_null(block);
    (void)snprintf(directory, sizeof(directory), "%s", path);
    *strrchr(directory, '/') = 0;
    assert_int_equal(sl_publish_bytes(path, "old", 3, NULL), SL_OK);
    before = scratch_count(directory);
    assert_int_equal(sl_publish_open(&p, path, NULL), SL_OK);
    assert_int_equal(sl_publish_write(p, block, 100000, &err), SL_EIO);
    assert_string_equal(err.where, path);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    err = (struct sl_error){0};
    assert_int_equal(sl_publish_commit(&p, &err), SL_EIO);
    assert_string_equal(err.where, path);
    assert_null(p);
    assert_int_equal(sl_publish_bytes(path, block, 100000, NULL), SL_EIO);
    sl_chain_init(&chain);
    assert_int_equal(sl_chain_add_copy(&chain, block, 100000, NULL), SL_OK);
    assert_int_equal(sl_publish_whole(path, &chain, NULL), SL_EIO);
    assert_content(path, "old");
    assert_int_equal(scratch_count(directory), before);
    sl_chain_clear(&chain);
    free(block);
}

static void test_file_limit(void **state)
{
    struct rlimit old, low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 50000;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    write_until_full(scratch_name(&scratch, "limited"), "write: ");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

/* A mount that nobody else sees: as root, or in a user namespace in which this user is root. */
static bool own_mounts(const char *directory)
{
    char uid[64], gid[64];

    if (unshare(CLONE_NEWNS) < 0) {
        (void)snprintf(uid, sizeof(uid), "0 %u 1", (unsigned)getuid());
        (void)snprintf(gid, sizeof(gid), "0 %u 1", (unsigned)getgid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
            return false;
        scratch_write("/proc/self/uid_map", uid, strlen(uid));
        scratch_write("/proc/self/setgroups", "deny", 4);
        scratch_write("/proc/self/gid_map", gid, strlen(gid));
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", 0, "size=64k") == 0;
}

#define NO_MOUNT 77

static bool mounted;

static void in_full_disk(void **state)
{
    char path[512];

    mounted = own_mounts(*state);
    if (!mounted)
        return;
    (void)snprintf(path, sizeof(path), "%s/file", (const char *)*state);
    write_until_full(path, "no space is left");
}

/* A disk of 64 KiB, where this process may mount one: in a process of its own (see main), with
 * which the mount goes. */
static void test_full_disk(void **state)
{
    int result = 0;
    pid_t child;

    (void)state;
    assert_int_equal(sl_make_directories(scratch_name(&scratch, "disk"), NULL), SL_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/proc/self/exe", "test_base_publish", scratch.name, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == NO_MOUNT)
        print_message("no mount here: only test_file_limit has seen a full disk\n");
    else
        assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_killed(void **state)
{
    const char *path = scratch_name(&scratch, "killed");
    struct sl_publish *p;
    int result;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        if (sl_publish_open(&p, path, NULL) == SL_OK &&
            sl_publish_write(p, "half", 4, NULL) == SL_OK)
            (void)raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(scratch_count(scratch.path), 1);

    /* Swept are temporary files of the dead, not of the living, and nothing else. */
    assert_int_equal(sl_publish_open(&p, path, NULL), SL_OK);
    scratch_write(scratch_name(&scratch, "visible.sltmp"), "x", 1);
    scratch_write(scratch_name(&scratch, ".hidden"), "x", 1);
    scratch_write(scratch_name(&scratch, ".sltmp"), "x", 1);
    assert_int_equal(sl_make_directories(scratch_name(&scratch, ".directory.sltmp"), NULL), SL_OK);
    assert_int_equal(scratch_count(scratch.path), 6);
    sl_publish_sweep(scratch.path);
    assert_int_equal(scratch_count(scratch.path), 5);
    assert_int_equal(sl_publish_write(p, "whole", 5, NULL), SL_OK);
    assert_int_equal(sl_publish_commit(&p, NULL), SL_OK);
    assert_content(scratch_name(&scratch, "killed"), "whole");
    sl_publish_sweep(scratch_name(&scratch, "missing"));
}

static atomic_bool sweeping;

static void *sweep(void *arg)
{
    (void)arg;
    while (atomic_load(&sweeping))
        sl_publish_sweep(scratch.path);
    return NULL;
}

static void *publish_often(void *arg)
{
    char path[512], text[2] = {*(const char *)arg, 0};
    uint8_t block[5000];
    enum sl_status status = SL_OK;

    memset(block, text[0], sizeof(block));
    (void)snprintf(path, sizeof(path), "%s/shared", scratch.path);
    for (int i = 0; i < 20 && status == SL_OK; i++)
        status = sl_publish_bytes(path, block, sizeof(block), NULL);
    return status == SL_OK ? NULL : arg;
}

/* Several publish under one name while somebody sweeps: every one succeeds, the last one stays. */
static void test_together(void **state)
{
    static const char letters[] = "abc";
    pthread_t sweeper, publishers[3];
    uint8_t *got;
    size_t size;

    (void)state;
    atomic_store(&sweeping, true);
    assert_int_equal(pthread_create(&sweeper, NULL, sweep, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&publishers[i], NULL, publish_often, (void *)(uintptr_t)&letters[i]), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;

        assert_int_equal(pthread_join(publishers[i], &failed), 0);
        assert_null(failed);
    }
    atomic_store(&sweeping, false);
    assert_int_equal(pthread_join(sweeper, NULL), 0);
    got = scratch_read(scratch_name(&scratch, "shared"), &size);
    assert_int_equal(size, 5000);
    for (size_t i = 1; i < size; i++)
        assert_int_equal(got[i], got[0]);
    free(got);
    assert_int_equal(scratch_count(scratch.path), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_must_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_together, setup, teardown),
    };

    const struct CMUnitTest full_disk[] = {
        cmocka_unit_test_prestate(in_full_disk, argv[1]),
    };

    if (argc == 2) {
        int failed = cmocka_run_group_tests(full_disk, NULL, NULL);

        return failed ? 1 : mounted ? 0 : NO_MOUNT;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
