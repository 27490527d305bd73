/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "serve/path.h"
#include "unit.h"

static const struct {
    const char *path;
    int status;
    const char *relative;
} cases[] = {
    {"/", 0, ""},
    {"/a", 0, "a"},
    {"/a/b.m4s", 0, "a/b.m4s"},
    {"/a%20b", 0, "a b"},
    {"/%41%7a", 0, "Az"},
    {"/%e2%82%ac", 0, "\xe2\x82\xac"},
    {"/%ff", 0, "\xff"},    /* file names are bytes */
    {"/a%2541", 0, "a%41"}, /* decoded once */
    {"/a%252f", 0, "a%2f"},
    {"/a+b", 0, "a+b"},
    /* dot segments, RFC 3986 5.2.4, encoded ones too */
    {"/.", 0, ""},
    {"/./a", 0, "a"},
    {"/a/./b", 0, "a/b"},
    {"/a/../b", 0, "b"},
    {"/a/b/../../c", 0, "c"},
    {"/a/..", 0, ""},
    {"/a/%2e%2e/b", 0, "b"},
    {"/a/.%2E/b", 0, "b"},
    {"/..", 400, NULL},
    {"/../etc/passwd", 400, NULL},
    {"/a/../../b", 400, NULL},
    {"/%2e%2e/x", 400, NULL},
    {"/a/%2e%2e/%2e%2e/x", 400, NULL},
    {"/./..", 400, NULL},
    /* directories are not served, nor second names */
    {"/a/", 404, NULL},
    {"/a/.", 404, NULL},
    {"/a/b/..", 404, NULL},
    {"//a", 404, NULL},
    {"/a//b", 404, NULL},
    {"//", 404, NULL},
    /* hidden and unfinished */
    {"/.git/config", 404, NULL},
    {"/a/.hidden", 404, NULL},
    {"/%2ehidden", 404, NULL},
    {"/...", 404, NULL},
    {"/..a", 404, NULL},
    {"/a/x.sltmp", 404, NULL},
    {"/x%2esltmp", 404, NULL},
    {"/.sltmp", 404, NULL},
    {"/sltmp", 0, "sltmp"},
    {"/x.sltmp2", 0, "x.sltmp2"},
    /* what no honest client sends */
    {"/%", 400, NULL},
    {"/%4", 400, NULL},
    {"/%4g", 400, NULL},
    {"/%zz", 400, NULL},
    {"/a%00", 400, NULL},
    {"/%00/b", 400, NULL},
    {"/a%2fb", 400, NULL},
    {"/a%2Fb", 400, NULL},
    {"/..%2f..%2fetc", 400, NULL},
    {"/a%5cb", 400, NULL},
    {"/a\\b", 400, NULL},
    {"/..\\..\\x", 400, NULL},
    {"/a%0a", 400, NULL},
    {"/a%0d%0aX:y", 400, NULL},
    {"/a%7f", 400, NULL},
    {"/%1b", 400, NULL},
    {"", 400, NULL},
    {"a", 400, NULL},
};

static void test_decode(void **state)
{
    char out[SL_SERVE_PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = sl_path_decode(cases[i].path, strlen(cases[i].path), out);

        if (status != cases[i].status) {
            fail_msg("%s: %d", cases[i].path, status);
        }
        if (status == 0) {
            assert_string_equal(out, cases[i].relative);
        }
    }
    assert_int_equal(sl_path_decode("/a\0b", 4, out), 400);
}

static void test_long(void **state)
{
    char path[2 * SL_SERVE_PATH_MAX], out[SL_SERVE_PATH_MAX];

    (void)state;
    memset(path, 'a', sizeof path);
    path[0] = '/';
    assert_int_equal(sl_path_decode(path, SL_SERVE_PATH_MAX, out), 0);
    assert_int_equal(strlen(out), SL_SERVE_PATH_MAX - 1);
    assert_int_equal(sl_path_decode(path, SL_SERVE_PATH_MAX + 1, out), 414);
    for (size_t i = 0; i < sizeof path; i += 2) {
        path[i] = '/';
    }
    assert_int_equal(sl_path_decode(path, sizeof path, out), 414);
    /* Going up makes room again. */
    for (size_t i = 0; i + 5 < sizeof path; i += 5) {
        memcpy(path + i, "/b/..", 5);
    }
    assert_int_equal(sl_path_decode(path, sizeof path / 5 * 5, out), 0);
    assert_string_equal(out, "");
}

static struct scratch scratch;

static void make(const char *name)
{
    scratch_write(scratch_name(&scratch, name), "x", 1);
}

static void make_directory(const char *name)
{
    assert_int_equal(mkdir(scratch_name(&scratch, name), 0777), 0);
}

static void make_link(const char *to, const char *name)
{
    assert_int_equal(symlink(to, scratch_name(&scratch, name)), 0);
}

/* Whether it opens; with_links says that links inside may be followed. */
static void check_open(int root, const char *path, bool openat2, bool expected)
{
    int fd = sl_path_open(root, path, false, openat2);
    char c = 0;

    if ((fd >= 0) != expected) {
        fail_msg("%s, openat2 %d: %s", path, openat2, fd < 0 ? strerror(-fd) : "opened");
    }
    if (fd < 0) {
        return;
    }
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 'x');
    assert_int_equal(close(fd), 0);
}

static void test_open(void **state)
{
    char outside[128];
    bool have;
    int root, fd;

    (void)state;
    scratch_make(&scratch);
    make("secret");
    make_directory("root");
    make_directory("root/sub");
    make_directory("root/sub/deep");
    make("root/file");
    make("root/sub/file");
    make("root/sub/deep/file");
    make_link("file", "root/inside");
    make_link("sub/deep", "root/inside-directory");
    make_link("../file", "root/sub/up");
    make_link("../secret", "root/out");
    make_link("..", "root/out-directory");
    (void)snprintf(outside, sizeof outside, "%s/secret", scratch.path);
    make_link(outside, "root/out-absolute");
    make_link("/proc/self/root/etc/passwd", "root/magic");
    make_link("loop", "root/loop");
    assert_int_equal(mkfifo(scratch_name(&scratch, "root/fifo"), 0666), 0);
    root = open(scratch_name(&scratch, "root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    have = sl_path_have_openat2(root);

    for (int i = 0; i <= (have ? 1 : 0); i++) {
        bool openat2 = i == 1;

        check_open(root, "file", openat2, true);
        check_open(root, "sub/file", openat2, true);
        check_open(root, "sub/deep/file", openat2, true);
        check_open(root, "missing", openat2, false);
        check_open(root, "file/x", openat2, false);
        check_open(root, "sub/missing/x", openat2, false);
        check_open(root, "inside", openat2, openat2);
        check_open(root, "sub/up", openat2, openat2);
        check_open(root, "inside-directory/file", openat2, openat2);
        check_open(root, "out", openat2, false);
        check_open(root, "out-directory/secret", openat2, false);
        check_open(root, "out-absolute", openat2, false);
        check_open(root, "magic", openat2, false);
        check_open(root, "loop", openat2, false);
        fd = sl_path_open(root, "fifo", false, openat2); /* does not wait for a writer */
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(sl_path_open(root, "file", true, openat2), -ENOTDIR);
        fd = sl_path_open(root, "", true, openat2);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    /* What sl_path_decode never makes is held back here, too. */
    if (have) {
        assert_int_equal(sl_path_open(root, "../secret", false, true), -EXDEV);
    }
    assert_int_equal(close(root), 0);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
