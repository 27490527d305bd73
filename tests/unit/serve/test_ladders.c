/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "serve/ladders.h"
#include "unit.h"

static struct scratch scratch;

static void make_ladder(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", scratch.path, name);
    assert_true(mkdir(path, 0777) == 0 || name[0] == '.');
    (void)snprintf(path, sizeof path, "%s/%s/master.m3u8", scratch.path, name);
    scratch_write(path, "#EXTM3U\n", 8);
}

/* The list with its times taken out. */
static void render(char *out, size_t size)
{
    struct sl_site site;
    struct sl_writer w;
    size_t n = 0;

    assert_int_equal(sl_site_open(&site, scratch.path, 0, NULL, NULL), SL_OK);
    sl_writer_init(&w, SL_LADDERS_TEXT_MAX);
    assert_int_equal(sl_ladders_render(&site, &w, NULL), SL_OK);
    for (size_t i = 0; i < w.size; i++) {
        static const char key[] = ",\"modified\":";

        assert_true(n + 1 < size);
        if (w.size - i > sizeof key && memcmp(w.data + i, key, sizeof key - 1) == 0) {
            while (w.data[i] != '}') {
                i++;
            }
        }
        out[n++] = (char)w.data[i];
    }
    out[n] = '\0';
    sl_writer_clear(&w);
    sl_site_close(&site);
}

static void test_list(void **state)
{
    char text[2048];

    (void)state;
    scratch_make(&scratch);
    render(text, sizeof text);
    assert_string_equal(text, "{\"ladders\":[],\"truncated\":false}\n");

    make_ladder("b");
    make_ladder("a \"q\" #&%");
    make_ladder("b/deep");
    make_ladder("b/deep/deeper"); /* a level too far down */
    make_ladder(".hidden");
    make_ladder("bad\xff");
    make_ladder("back\\slash");
    make_ladder("\xc3\xa4");
    assert_int_equal(mkdir(scratch_name(&scratch, "empty"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&scratch, "odd"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&scratch, "odd/master.m3u8"), 0777), 0);
    scratch_write(scratch_name(&scratch, "file"), "x", 1);
    assert_int_equal(symlink("/", scratch_name(&scratch, "out")), 0);
    assert_int_equal(symlink(".", scratch_name(&scratch, "self")), 0);
    render(text, sizeof text);
    assert_string_equal(
        text,
        "{\"ladders\":["
        "{\"path\":\"a \\\"q\\\" #&%\",\"url\":\"a%20%22q%22%20%23%26%25/master.m3u8\"},"
        "{\"path\":\"b\",\"url\":\"b/master.m3u8\"},"
        "{\"path\":\"b/deep\",\"url\":\"b/deep/master.m3u8\"},"
        /* a link that stays inside is as good as a directory */
        "{\"path\":\"self/a \\\"q\\\" #&%\",\"url\":\"self/a%20%22q%22%20%23%26%25/master.m3u8\"},"
        "{\"path\":\"self/b\",\"url\":\"self/b/master.m3u8\"},"
        "{\"path\":\"self/\xc3\xa4\",\"url\":\"self/%C3%A4/master.m3u8\"},"
        "{\"path\":\"\xc3\xa4\",\"url\":\"%C3%A4/master.m3u8\"}"
        "],\"truncated\":false}\n");

    scratch_write(scratch_name(&scratch, "master.m3u8"), "#EXTM3U\n", 8);
    render(text, sizeof text);
    assert_non_null(strstr(text, "[{\"path\":\"\",\"url\":\"master.m3u8\"}"));
    scratch_remove(&scratch);
}

static void test_many(void **state)
{
    struct sl_site site;
    struct sl_writer w;

    (void)state;
    scratch_make(&scratch);
    for (int i = 0; i <= SL_LADDERS_MAX; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%d", i);
        make_ladder(name);
    }
    assert_int_equal(sl_site_open(&site, scratch.path, 0, NULL, NULL), SL_OK);
    sl_writer_init(&w, SL_LADDERS_TEXT_MAX);
    assert_int_equal(sl_ladders_render(&site, &w, NULL), SL_OK);
    sl_write_u8(&w, 0);
    assert_non_null(strstr((const char *)w.data, "\"truncated\":true"));
    sl_writer_clear(&w);
    sl_site_close(&site);
    scratch_remove(&scratch);
}

static enum sl_status render_once(void *arg)
{
    struct sl_writer w;
    enum sl_status status;

    sl_writer_init(&w, SL_LADDERS_TEXT_MAX);
    status = sl_ladders_render(arg, &w, NULL);
    sl_writer_clear(&w);
    return status;
}

static void test_memory(void **state)
{
    struct sl_site site;

    (void)state;
    scratch_make(&scratch);
    make_ladder("a");
    make_ladder("b");
    assert_int_equal(sl_site_open(&site, scratch.path, 0, NULL, NULL), SL_OK);
    failing_alloc_run(render_once, &site);
    sl_site_close(&site);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
