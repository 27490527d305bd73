/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "serve/cache_disk.h"
#include "serve/cache_memory.h"
#include "unit.h"

static struct scratch scratch;

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static struct sl_answer *make(const char *text)
{
    struct sl_answer *a = NULL;

    assert_int_equal(sl_answer_create(&a, NULL), SL_OK);
    assert_int_equal(sl_chain_add_copy(&a->chain, text, strlen(text), NULL), SL_OK);
    return a;
}

static void put_text(struct sl_cache_disk *c, const char *key, const char *text)
{
    struct sl_answer *a = make(text);

    sl_cache_disk_put(c, key, &a->chain);
    sl_answer_unref(&a);
}

static void expect(struct sl_answer *a, const char *text)
{
    struct sl_buf *buf = NULL;

    assert_non_null(a);
    assert_int_equal(sl_chain_load(&a->chain, &buf, NULL), SL_OK);
    assert_int_equal(buf->size, strlen(text));
    assert_memory_equal(buf->data, text, buf->size);
    sl_buf_unref(&buf);
    sl_answer_unref(&a);
}

static void test_memory(void **state)
{
    struct sl_cache_memory c = {0};
    char big[3000], note[9];
    struct sl_answer *a;

    (void)state;
    sl_cache_memory_clear(&c);
    assert_int_equal(sl_cache_memory_init(&c, 4000, NULL), SL_OK);
    a = make("one");
    sl_cache_memory_put(&c, "k1", a, "notes 12");
    sl_answer_unref(&a);
    expect(sl_cache_memory_get(&c, "k1", note), "one");
    assert_string_equal(note, "notes 12");
    assert_null(sl_cache_memory_get(&c, "k2", note));
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    a = make(big);
    sl_cache_memory_put(&c, "big", a, note); /* more than a quarter: not kept */
    sl_answer_unref(&a);
    assert_null(sl_cache_memory_get(&c, "big", note));
    for (int i = 0; i < 100; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "x%d", i);
        a = make(key);
        sl_cache_memory_put(&c, key, a, note);
        sl_answer_unref(&a);
        expect(sl_cache_memory_get(&c, "k1", note), "one"); /* used, so it stays */
        assert_true(c.bytes <= 4000);
    }
    assert_null(sl_cache_memory_get(&c, "x0", note));
    a = sl_cache_memory_get(&c, "x99", note);
    sl_cache_memory_clear(&c);
    expect(a, "x99"); /* what is being sent stays */
}

static int64_t count_of(struct sl_cache_disk *c)
{
    int64_t bytes, count;

    sl_cache_disk_sizes(c, &bytes, &count);
    return count;
}

static void test_restart(void **state)
{
    struct sl_cache_disk *c = NULL;
    char left[512];
    uint8_t *data;
    size_t size;

    (void)state;
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "c"), 1 << 20, NULL, NULL),
                     SL_OK);
    assert_null(sl_cache_disk_get(c, "k"));
    put_text(c, "k", "value");
    put_text(c, "other", "another value");
    put_text(c, "k", "value 2");
    expect(sl_cache_disk_get(c, "k"), "value 2");
    assert_int_equal(count_of(c), 2);
    sl_cache_disk_close(&c);
    /* What a killed server was writing is swept away, and what is no file of ours is let be. */
    (void)snprintf(left, sizeof left, "%s/c/00/.half.123456.sltmp", scratch.path);
    (void)mkdir(scratch_name(&scratch, "c/00"), 0777);
    scratch_write(left, "half", 4);
    scratch_write(scratch_name(&scratch, "c/00/README"), "text", 4);
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "c"), 1 << 20, NULL, NULL),
                     SL_OK);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(count_of(c), 2);
    expect(sl_cache_disk_get(c, "other"), "another value");
    data = scratch_read(scratch_name(&scratch, "c/00/README"), &size);
    assert_true(size == 4);
    free(data);
    sl_cache_disk_close(&c);
}

/* Finds the one file of a cache. */
static void find_file(char path[512])
{
    for (unsigned i = 0; i < 256; i++) {
        FILE *p;

        (void)snprintf(path, 512, "ls %s/d/%02x/* 2>/dev/null", scratch.path, i);
        p = popen(path, "r"); /* NOLINT: a test */
        assert_non_null(p);
        if (fgets(path, 512, p)) {
            path[strcspn(path, "\n")] = '\0';
            (void)pclose(p);
            return;
        }
        (void)pclose(p);
    }
    fail_msg("there is no file");
}

static void test_damage(void **state)
{
    struct sl_cache_disk *c = NULL;
    char path[512];

    (void)state;
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "d"), 1 << 20, NULL, NULL),
                     SL_OK);
    put_text(c, "k", "a value of some length");
    find_file(path);
    assert_int_equal(truncate(path, 30), 0);
    assert_null(sl_cache_disk_get(c, "k"));
    assert_int_equal(count_of(c), 0);
    assert_int_equal(access(path, F_OK), -1);
    put_text(c, "k", "again");
    expect(sl_cache_disk_get(c, "k"), "again");
    assert_int_equal(unlink(path), 0); /* somebody cleans up */
    assert_null(sl_cache_disk_get(c, "k"));
    sl_cache_disk_close(&c);
}

static void test_eviction(void **state)
{
    struct sl_cache_disk *c = NULL;
    struct sl_answer *held;
    int64_t bytes, count;
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "e"), 10000, NULL, NULL), SL_OK);
    put_text(c, "first", text);
    held = sl_cache_disk_get(c, "first");
    for (int i = 0; i < 30; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "%d", i);
        put_text(c, key, text);
        sl_cache_disk_sizes(c, &bytes, &count);
        assert_true(bytes <= 10000 && count <= 10);
    }
    assert_null(sl_cache_disk_get(c, "first"));
    expect(held, text); /* it was being sent */
    expect(sl_cache_disk_get(c, "29"), text);
    sl_cache_disk_close(&c);
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "e"), 3000, NULL, NULL), SL_OK);
    assert_true(count_of(c) <= 3); /* a smaller one from now on */
    sl_cache_disk_close(&c);
}

/* A disk that takes no more: nothing is kept, and nothing breaks. */
static void test_full(void **state)
{
    struct rlimit before, small;
    struct sl_cache_disk *c = NULL;
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(sl_cache_disk_open(&c, scratch_name(&scratch, "f"), 1 << 20, NULL, NULL),
                     SL_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put_text(c, "k", text);
    put_text(c, "small", "fits");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_null(sl_cache_disk_get(c, "k"));
    expect(sl_cache_disk_get(c, "small"), "fits");
    assert_int_equal(count_of(c), 1);
    put_text(c, "k", text);
    expect(sl_cache_disk_get(c, "k"), text);
    sl_cache_disk_close(&c);
}

static enum sl_status use_once(void *arg)
{
    struct sl_cache_disk *c = NULL;
    enum sl_status status = sl_cache_disk_open(&c, arg, 1 << 20, NULL, NULL);

    assert_true((status == SL_OK) == (c != NULL));
    sl_cache_disk_close(&c);
    return status;
}

/* In use a cache that gets no memory holds less. */
static enum sl_status keep_once(void *arg)
{
    struct sl_cache_disk *c = NULL;
    struct sl_answer *a = NULL;

    if (sl_cache_disk_open(&c, arg, 1 << 20, NULL, NULL) != SL_OK) {
        return SL_OK;
    }
    if (sl_answer_create(&a, NULL) == SL_OK &&
        sl_chain_add_copy(&a->chain, "text", 4, NULL) == SL_OK) {
        sl_cache_disk_put(c, "k", &a->chain);
    }
    sl_answer_unref(&a);
    a = sl_cache_disk_get(c, "k");
    sl_answer_unref(&a);
    sl_cache_disk_close(&c);
    return SL_OK;
}

static void test_no_memory(void **state)
{
    static char name[512];

    (void)state;
    (void)snprintf(name, sizeof name, "%s/g", scratch.path);
    failing_alloc_run_lenient(use_once, name); /* what a scan misses is found next time */
    failing_alloc_run_lenient(keep_once, name);
    failing_alloc_run_lenient(use_once, name); /* now there is something to find */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), cmocka_unit_test(test_restart),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_full),   cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
