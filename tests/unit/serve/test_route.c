/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "serve/media_route.h"
#include "unit.h"

static void test_paths(void **state)
{
    static const struct {
        const char *path, *source, *rendition;
        int what, form; /* what -1: no route */
        uint64_t number;
    } cases[] = {
        {"f.mkv/master.m3u8", "f.mkv", "", SL_MEDIA_MASTER, SL_MEDIA_FMP4, 0},
        {"a/b c/f.mkv/stream.mp4", "a/b c/f.mkv", "", SL_MEDIA_STREAM, SL_MEDIA_FMP4, 0},
        {"f/thumb.jpg", "f", "", SL_MEDIA_PICTURE, SL_MEDIA_FMP4, 0},
        {"f.mkv/source/playlist.m3u8", "f.mkv", "source", SL_MEDIA_PLAYLIST, SL_MEDIA_FMP4, 0},
        {"f.mkv/720p/init.mp4", "f.mkv", "720p", SL_MEDIA_INIT, SL_MEDIA_FMP4, 0},
        {"a/f/audio1-aac/0.m4s", "a/f", "audio1-aac", SL_MEDIA_SEGMENT, SL_MEDIA_FMP4, 0},
        {"f/x/999999999.ts", "f", "x", SL_MEDIA_SEGMENT, SL_MEDIA_TS, 999999999},
        {"f/text2/12.vtt", "f", "text2", SL_MEDIA_SEGMENT, SL_MEDIA_VTT, 12},
        {"f/x/1000000000.ts", NULL, NULL, -1, 0, 0},
        {"f/x/01.m4s", NULL, NULL, -1, 0, 0},
        {"f/x/-1.m4s", NULL, NULL, -1, 0, 0},
        {"f/x/1.m4s ", NULL, NULL, -1, 0, 0},
        {"f/x/.m4s", NULL, NULL, -1, 0, 0},
        {"f/x/1.mp4", NULL, NULL, -1, 0, 0},
        {"x/1.m4s", NULL, NULL, -1, 0, 0},
        {"master.m3u8", NULL, NULL, -1, 0, 0},
        {"/master.m3u8", NULL, NULL, -1, 0, 0},
        {"f/playlist.m3u8", NULL, NULL, -1, 0, 0},
        {"f/x y/playlist.m3u8", NULL, NULL, -1, 0, 0},
        {"f/x.y/playlist.m3u8", NULL, NULL, -1, 0, 0},
        {"f/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/init.mp4", NULL, NULL, -1, 0, 0},
        {"f//init.mp4", NULL, NULL, -1, 0, 0},
        {"", NULL, NULL, -1, 0, 0},
        {"f.mkv", NULL, NULL, -1, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_media_ask ask;
        size_t source = 0;
        bool found = sl_media_parse(cases[i].path, &ask, &source);

        if (found != (cases[i].what >= 0)) {
            fail_msg("%s", cases[i].path);
        }
        if (found) {
            assert_int_equal(ask.what, cases[i].what);
            assert_int_equal(ask.form, cases[i].form);
            assert_string_equal(ask.rendition, cases[i].rendition);
            assert_true(ask.number == cases[i].number);
            assert_int_equal(source, strlen(cases[i].source));
        }
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t micros; /* -1: none */
    } cases[] = {
        {"0", 0},
        {"12", 12000000},
        {"12.5", 12500000},
        {"0.000001", 1},
        {"1.0000019", 1000001},
        {"1.", 1000000},
        {"", -1},
        {".5", -1},
        {"-1", -1},
        {"1e3", -1},
        {"nan", -1},
        {"1 ", -1},
        {"999999999", 999999999000000},
        {"1000000000", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_rational t = {-1, 1000000};
        bool ok = sl_media_parse_time(cases[i].text, &t);

        if (ok != (cases[i].micros >= 0) || t.num != cases[i].micros) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_queries(void **state)
{
    static const struct {
        const char *path, *query;
        int status;
    } cases[] = {
        {"f/master.m3u8", "", 0},
        {"f/master.m3u8", "format=ts", 0},
        {"f/master.m3u8", "format=x", 400},
        {"f/x/1.m4s", "format=x", 0},
        {"f/thumb.jpg", "t=5&w=100&h=80", 0},
        {"f/thumb.jpg", "w=15", 400},
        {"f/thumb.jpg", "w=1921", 400},
        {"f/thumb.jpg", "h=x", 400},
        {"f/thumb.jpg", "t=x", 400},
        {"f/stream.mp4", "start=1.5", 0},
        {"f/stream.mp4", "start=-1", 400},
        {"f/stream.mp4", "start=1&start=2", 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_media_ask ask;
        size_t source;

        assert_true(sl_media_parse(cases[i].path, &ask, &source));
        if (sl_media_parse_query((struct sl_text){cases[i].query, strlen(cases[i].query)}, &ask) !=
            cases[i].status) {
            fail_msg("%s?%s", cases[i].path, cases[i].query);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_times),
                                       cmocka_unit_test(test_queries)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
