/* SPDX-License-Identifier: BSD-2-Clause */
/* What is answered, without a network: tests/http asks the same from outside and much more. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "scratch.h"
#include "serve/site.h"
#include "unit.h"

#define BIG 100000

static struct scratch scratch;
static struct sl_site site;

static int set_up(void **state)
{
    static uint8_t noise[BIG];

    (void)state;
    scratch_make(&scratch);
    scratch_noise(noise, sizeof noise, 1);
    scratch_write(scratch_name(&scratch, "small.m3u8"), "#EXTM3U\n", 8);
    scratch_write(scratch_name(&scratch, "big.m4s"), noise, sizeof noise);
    scratch_write(scratch_name(&scratch, "empty.txt"), "", 0);
    assert_int_equal(mkdir(scratch_name(&scratch, "directory"), 0777), 0);
    assert_int_equal(mkfifo(scratch_name(&scratch, "fifo.ts"), 0666), 0);
    assert_int_equal(symlink("/etc/passwd", scratch_name(&scratch, "link")), 0);
    return sl_site_open(&site, scratch.path, 0, NULL, NULL) == SL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sl_site_close(&site);
    scratch_remove(&scratch);
    return 0;
}

static void ask(const char *method, const char *path, const char *fields, struct sl_request *r,
                struct sl_reply *reply)
{
    char bytes[512];
    size_t used;
    int n =
        snprintf(bytes, sizeof bytes, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path, fields);

    sl_request_init(r);
    sl_reply_init(reply);
    if (sl_request_feed(r, bytes, (size_t)n, &used) == SL_REQUEST_DONE) {
        const struct sl_client client = {.text = "127.0.0.1"};
        const struct sl_visit visit = {.request = r, .client = &client, .now = 2000000000};

        sl_site_answer(&site, &visit, reply);
    }
}

static void test_answers(void **state)
{
    static const struct {
        const char *method, *path, *fields;
        int status;
        int64_t first, count, size;
        const char *cache;
        bool file, memory;
    } cases[] = {
        {"GET", "/small.m3u8", "", 200, 0, 8, 8, "no-cache", false, true},
        {"HEAD", "/small.m3u8", "", 200, 0, 8, 8, "no-cache", false, true},
        {"GET", "/healthz", "", 200, 0, 3, 3, "no-store", false, false},
        {"GET", "/media/", "", 404, 0, 14, 14, "no-store", false, true},
        {"GET", "/small.m3u8", "Range: bytes=2-3\r\n", 206, 2, 2, 8, "no-cache", false, true},
        {"GET", "/big.m4s", "", 200, 0, BIG, BIG, "no-cache", true, false},
        {"GET", "/big.m4s", "Range: bytes=-1\r\n", 206, BIG - 1, 1, BIG, "no-cache", true, false},
        {"GET", "/empty.txt", "", 200, 0, 0, 0, "no-cache", false, true},
        {"GET", "/missing", "", 404, 0, 14, 14, "no-store", false, true},
        {"GET", "/directory", "", 404, 0, 14, 14, "no-store", false, true},
        {"GET", "/fifo.ts", "", 404, 0, 14, 14, "no-store", false, true},
        {"GET", "/link", "", 404, 0, 14, 14, "no-store", false, true},
        {"GET", "/_sluice/nothing", "", 404, 0, 14, 14, "no-store", false, true},
        {"OPTIONS", "/missing", "", 204, 0, 0, 0, NULL, false, false},
        {"OPTIONS", "*", "", 204, 0, 0, 0, NULL, false, false},
        {"GET", "/%", "", 400, 0, 16, 16, "no-store", false, true},
        {"GET", "/big.m4s", "If-Match: \"x\"\r\n", 412, 0, 24, 24, "no-store", false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_request r;
        struct sl_reply reply;

        ask(cases[i].method, cases[i].path, cases[i].fields, &r, &reply);
        if (reply.status != cases[i].status || reply.first != cases[i].first ||
            reply.count != cases[i].count || reply.size != cases[i].size ||
            (reply.answer != NULL) != cases[i].file || (reply.owned != NULL) != cases[i].memory) {
            fail_msg("%s %s: %d, %lld+%lld/%lld", cases[i].method, cases[i].path, reply.status,
                     (long long)reply.first, (long long)reply.count, (long long)reply.size);
        }
        if (cases[i].cache) {
            assert_string_equal(reply.cache, cases[i].cache);
        }
        sl_reply_clear(&reply);
        sl_request_clear(&r);
    }
}

/* A file that is rewritten or replaced gets another tag; the tag of one version stays. */
static void test_tags(void **state)
{
    char first[sizeof((struct sl_validators *)0)->etag], path[128], other[128];
    struct sl_request r;
    struct sl_reply reply;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/tag.m3u8", scratch.path);
    (void)snprintf(other, sizeof other, "%s/other", scratch.path);
    scratch_write(path, "one", 3);
    ask("GET", "/tag.m3u8", "", &r, &reply);
    memcpy(first, reply.validators.etag, sizeof first);
    assert_true(first[0] == '"');
    sl_reply_clear(&reply);
    sl_request_clear(&r);
    ask("GET", "/tag.m3u8", "", &r, &reply);
    assert_string_equal(reply.validators.etag, first);
    sl_reply_clear(&reply);
    sl_request_clear(&r);
    scratch_write(other, "two", 3);
    assert_int_equal(rename(other, path), 0);
    ask("GET", "/tag.m3u8", "", &r, &reply);
    assert_string_not_equal(reply.validators.etag, first);
    sl_reply_clear(&reply);
    sl_request_clear(&r);
}

static void test_age(void **state)
{
    struct sl_site aged;

    (void)state;
    assert_int_equal(sl_site_open(&aged, scratch.path, 3600, NULL, NULL), SL_OK);
    assert_string_equal(aged.media_cache, "public, max-age=3600, immutable");
    sl_site_close(&aged);
}

static void test_root(void **state)
{
    struct sl_error err = {0};
    struct sl_site none;

    (void)state;
    assert_int_equal(sl_site_open(&none, scratch_name(&scratch, "none"), 0, NULL, &err),
                     SL_ENOTFOUND);
    assert_non_null(strstr(err.where, "none"));
    sl_site_close(&none);
    memset(&err, 0, sizeof err);
    assert_int_equal(sl_site_open(&none, scratch_name(&scratch, "small.m3u8"), 0, NULL, &err),
                     SL_EIO);
    sl_site_close(&none);
}

/* Whatever cannot be allocated becomes an answer, or one without a body. */
static enum sl_status answer_once(void *arg)
{
    struct sl_request r;
    struct sl_reply reply;

    ask("GET", arg, "", &r, &reply);
    assert_true(r.status || reply.status >= 200);
    sl_reply_clear(&reply);
    sl_request_clear(&r);
    return SL_OK;
}

static void test_memory(void **state)
{
    static char small[] = "/small.m3u8", big[] = "/big.m4s", list[] = "/_sluice/ladders.json";

    (void)state;
    failing_alloc_run_lenient(answer_once, small);
    failing_alloc_run_lenient(answer_once, big);
    failing_alloc_run_lenient(answer_once, list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_tags),   cmocka_unit_test(test_age),
        cmocka_unit_test(test_root),    cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
