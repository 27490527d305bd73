/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and playlists of runs. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "failing_alloc.h"
#include "serve/runs_core.h"
#include "serve/sign.h"
#include "unit.h"

static void test_routes(void **state)
{
    static const struct {
        const char *path;
        int status;
        enum sl_run_what what;
        const char *id, *rendition;
    } cases[] = {
        {"runs", 0, SL_RUN_LIST, "", ""},
        {"runs/a", 0, SL_RUN_JSON, "a", ""},
        {"runs/A-1_b.c", 0, SL_RUN_JSON, "A-1_b.c", ""},
        {"runs/a/master.m3u8", 0, SL_RUN_MASTER, "a", ""},
        {"runs/a/events", 0, SL_RUN_EVENTS, "a", ""},
        {"runs/a/quality/720p/playlist.m3u8", 0, SL_RUN_PLAYLIST, "a", "720p"},
        {"runs/a/quality//playlist.m3u8", 404, 0, NULL, NULL},
        {"runs/a/quality/playlist.m3u8", 404, 0, NULL, NULL},
        {"runs/a/quality/x/y/playlist.m3u8", 404, 0, NULL, NULL},
        {"runs/a/quality/-x/playlist.m3u8", 404, 0, NULL, NULL},
        {"runs/-a", 404, 0, NULL, NULL},
        {"runs/.a", 404, 0, NULL, NULL},
        {"runs/a b", 404, 0, NULL, NULL},
        {"runs/a/", 404, 0, NULL, NULL},
        {"runs/a/nothing", 404, 0, NULL, NULL},
        {"runs//master.m3u8", 404, 0, NULL, NULL},
        {"runsx", 404, 0, NULL, NULL},
    };
    char longest[128] = "runs/";
    struct sl_run_ask ask;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(sl_run_parse(cases[i].path, &ask), cases[i].status);
        if (cases[i].status == 0) {
            assert_int_equal(ask.what, cases[i].what);
            assert_string_equal(ask.id, cases[i].id);
            assert_string_equal(ask.rendition, cases[i].rendition);
            assert_true(ask.msn == -1 && ask.seen == -1);
        }
    }
    memset(longest + 5, 'x', SL_REGISTRY_ID_MAX);
    assert_int_equal(sl_run_parse(longest, &ask), 404);
    longest[5 + SL_REGISTRY_ID_MAX - 1] = '\0';
    assert_int_equal(sl_run_parse(longest, &ask), 0);
}

static int parse(const char *target, const char *fields, struct sl_run_ask *ask)
{
    const char *detail = NULL;
    struct sl_request r;
    char head[1024], path[256];
    size_t used;
    int status,
        n = snprintf(head, sizeof head, "GET /%s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, fields);

    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
    sl_request_init(&r);
    assert_int_equal(sl_request_feed(&r, head, (size_t)n, &used), SL_REQUEST_DONE);
    assert_int_equal(sl_run_parse(path, ask), 0);
    status = sl_run_parse_request(&r, ask, &detail);
    assert_true(status == 0 || detail != NULL);
    sl_request_clear(&r);
    return status;
}

static void test_queries(void **state)
{
    static const char playlist[] = "runs/a/quality/v/playlist.m3u8";
    struct sl_run_ask ask;
    char target[128];

    (void)state;
    assert_int_equal(parse("runs?state=failed&limit=7&cursor=12-x", "", &ask), 0);
    assert_true(ask.state == SL_RUN_FAILED && ask.limit == 7);
    assert_string_equal(ask.cursor, "12-x");
    assert_int_equal(parse("runs?state=dead", "", &ask), 400);
    assert_int_equal(parse("runs?limit=0", "", &ask), 400);
    assert_int_equal(parse("runs?limit=1001", "", &ask), 400);
    (void)snprintf(target, sizeof target, "%s?_HLS_msn=12&_HLS_part=3", playlist);
    assert_int_equal(parse(target, "", &ask), 0);
    assert_true(ask.msn == 12);
    (void)snprintf(target, sizeof target, "%s?_HLS_part=3", playlist);
    assert_int_equal(parse(target, "", &ask), 400);
    (void)snprintf(target, sizeof target, "%s?_HLS_msn=-1", playlist);
    assert_int_equal(parse(target, "", &ask), 400);
    assert_int_equal(parse("runs/a/events", "Last-Event-ID: 42\r\n", &ask), 0);
    assert_true(ask.seen == 42);
    assert_int_equal(parse("runs/a/events", "Last-Event-ID: 4x\r\n", &ask), 0);
    assert_true(ask.seen == -1);
    assert_int_equal(parse("runs/a/events", "Last-Event-ID: 99999999999999999999\r\n", &ask), 0);
    assert_true(ask.seen == -1);
}

/* ---- playlists ------------------------------------------------------------------------------ */

static const struct sl_registry_rendition video = {
    .name = "v",
    .kind = "video",
    .codecs = "avc1.64001f",
    .width = 640,
    .height = 360,
    .frame_rate = {30000, 1001},
    .timebase = {1, 30000},
    .bitrate = 1000000,
    .average_bitrate = 800000,
    .target_duration = 4,
    .format = "fmp4",
};

static struct sl_registry_segment segment(int64_t number, const char *init)
{
    struct sl_registry_segment s = {.number = number,
                                    .start = number * 120120,
                                    .duration = 120120, /* 4.004 s */
                                    .program_time = 1792000000000000 + number * 4004000};

    (void)snprintf(s.cid, sizeof s.cid, "cid%d", (int)number);
    (void)snprintf(s.init_cid, sizeof s.init_cid, "%s", init);
    return s;
}

static void expect(const struct sl_run_track *t, const struct sl_registry_rendition *r,
                   enum sl_run_state state, const char *text)
{
    struct sl_writer out;

    sl_writer_init(&out, SL_PLAYOUT_TEXT_MAX);
    sl_run_track_write(t, r, state, &out);
    sl_write_u8(&out, '\0');
    assert_int_equal(out.status, SL_OK);
    assert_string_equal((char *)out.data, text);
    sl_writer_clear(&out);
}

static void start(struct sl_run_track *t)
{
    *t = (struct sl_run_track){.name = "v", .clock = SL_NO_TIME};
    sl_writer_init(&t->body, SL_PLAYOUT_TEXT_MAX);
}

static void end(struct sl_run_track *t)
{
    sl_writer_clear(&t->body);
    sl_free(t->shown);
}

#define HEAD                                                                                       \
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n"                \
    "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT-SEGMENTS\n"
#define BLOCK "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n"
#define S     "../../../../ipfs/"

static void test_event(void **state)
{
    struct sl_registry_segment s[4] = {segment(0, "init"), segment(1, "init"), segment(2, "init"),
                                       segment(3, "other")};
    struct sl_run_track t;

    (void)state;
    start(&t);
    assert_int_equal(sl_run_track_add(&t, &video, s, 1, NULL), SL_OK);
    expect(&t, &video, SL_RUN_RUNNING,
           HEAD BLOCK "#EXT-X-MAP:URI=\"" S "init?filename=init.mp4\"\n"
                      "#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:40.000Z\n"
                      "#EXTINF:4.004000,\n" S "cid0?filename=000000.m4s\n");
    s[1].gap = true;
    s[1].cid[0] = '\0';
    s[2].discontinuity = true;
    s[3].program_time += 1000000; /* the writer's clock was set */
    assert_int_equal(sl_run_track_add(&t, &video, s + 1, 3, NULL), SL_OK);
    expect(&t, &video, SL_RUN_FINISHED,
           HEAD "#EXT-X-MAP:URI=\"" S "init?filename=init.mp4\"\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:40.000Z\n"
                "#EXTINF:4.004000,\n" S "cid0?filename=000000.m4s\n"
                "#EXT-X-GAP\n#EXTINF:4.004000,\ngap/000001.m4s\n"
                "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:48.008Z\n"
                "#EXTINF:4.004000,\n" S "cid2?filename=000002.m4s\n"
                "#EXT-X-MAP:URI=\"" S "other?filename=init.mp4\"\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:53.012Z\n"
                "#EXTINF:4.004000,\n" S "cid3?filename=000003.m4s\n#EXT-X-ENDLIST\n");
    /* A run that can be gone on with has not ended. */
    assert_int_equal(sl_run_track_add(&t, &video, s + 1, 1, NULL), SL_EDATA);
    end(&t);
}

static void test_window(void **state)
{
    struct sl_registry_rendition r = video;
    struct sl_registry_segment s[5];
    struct sl_run_track t;

    (void)state;
    r.window = 2;
    (void)snprintf(r.format, sizeof r.format, "ts");
    for (int i = 0; i < 5; i++) {
        s[i] = segment(i, "");
        s[i].program_time = SL_NO_TIME;
        s[i].discontinuity = i == 1 || i == 3;
    }
    start(&t);
    assert_int_equal(sl_run_track_add(&t, &r, s, 5, NULL), SL_OK);
    expect(&t, &r, SL_RUN_STOPPED,
           "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:3\n"
           "#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-INDEPENDENT-SEGMENTS\n"
           "#EXT-X-DISCONTINUITY\n#EXTINF:4.004000,\n" S "cid3?filename=000003.ts\n"
           "#EXTINF:4.004000,\n" S "cid4?filename=000004.ts\n");
    end(&t);
}

static void test_master(void **state)
{
    struct sl_registry_rendition all[3] = {video, video, video};
    bool has[3] = {true, true, false};
    struct sl_writer out;

    (void)state;
    (void)snprintf(all[1].name, sizeof all[1].name, "a");
    (void)snprintf(all[1].kind, sizeof all[1].kind, "audio");
    (void)snprintf(all[1].codecs, sizeof all[1].codecs, "mp4a.40.2");
    (void)snprintf(all[1].language, sizeof all[1].language, "eng");
    all[1].channels = 2;
    all[1].bitrate = 130000;
    all[1].average_bitrate = 128000;
    (void)snprintf(all[2].name, sizeof all[2].name, "late");
    sl_writer_init(&out, 1 << 20);
    assert_int_equal(sl_run_master_write(all, has, 3, &out, NULL), SL_OK);
    sl_write_u8(&out, '\0');
    assert_string_equal(
        (char *)out.data,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"a\",LANGUAGE=\"en\",DEFAULT=YES,"
        "AUTOSELECT=YES,CHANNELS=\"2\",URI=\"quality/a/playlist.m3u8\"\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=1130000,AVERAGE-BANDWIDTH=928000,"
        "CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO=\"audio\","
        "STABLE-VARIANT-ID=\"v\"\nquality/v/playlist.m3u8\n");
    sl_writer_clear(&out);
    /* Sound alone. */
    has[0] = false;
    sl_writer_init(&out, 1 << 20);
    assert_int_equal(sl_run_master_write(all, has, 3, &out, NULL), SL_OK);
    sl_write_u8(&out, '\0');
    assert_non_null(strstr((char *)out.data, "BANDWIDTH=130000"));
    assert_null(strstr((char *)out.data, "EXT-X-MEDIA:"));
    sl_writer_clear(&out);
    has[1] = false;
    sl_writer_init(&out, 1 << 20);
    assert_int_equal(sl_run_master_write(all, has, 3, &out, NULL), SL_ENOTFOUND);
    sl_writer_clear(&out);
}

static void test_signed_links(void **state)
{
    static const char text[] =
        "#EXTM3U\n#EXT-X-MAP:URI=\"" S "init?filename=init.mp4\"\n#EXTINF:4,\n" S
        "cid0?filename=000000.m4s\ngap/000001.m4s\n";
    const struct sl_sign_key key = {.size = 16, .bytes = "0123456789abcdef"};
    struct sl_writer out;
    char *line, *rest;
    int links = 0;

    (void)state;
    sl_writer_init(&out, 1 << 20);
    sl_run_sign_links((const uint8_t *)text, sizeof text - 1, &key, 2000000000, "192.0.2.1", &out);
    sl_write_u8(&out, '\0');
    assert_int_equal(out.status, SL_OK);
    for (rest = (char *)out.data; (line = strsep(&rest, "\n")) != NULL;) {
        char *uri = strstr(line, S), *query = uri ? strchr(uri, '?') : NULL, path[64];

        if (!uri) {
            continue;
        }
        query[strcspn(query, "\"")] = '\0';
        *query++ = '\0';
        (void)snprintf(path, sizeof path, "/ipfs/%s", uri + strlen(S));
        assert_int_equal(sl_sign_check(&key, path, (struct sl_text){query, strlen(query)},
                                       "192.0.2.1", 1900000000),
                         0);
        assert_int_equal(sl_sign_check(&key, path, (struct sl_text){query, strlen(query)},
                                       "192.0.2.2", 1900000000),
                         403);
        assert_int_equal(sl_sign_check(&key, "/ipfs/other", (struct sl_text){query, strlen(query)},
                                       "192.0.2.1", 1900000000),
                         403);
        links++;
    }
    assert_int_equal(links, 2);
    sl_writer_clear(&out);
}

/* All that a track takes memory for. arg: the window. */
static enum sl_status fill(void *arg)
{
    const struct sl_registry_segment s[3] = {segment(0, "i"), segment(1, "i"), segment(2, "i")};
    struct sl_registry_rendition r = video;
    const bool has[1] = {true};
    struct sl_run_track t;
    struct sl_writer out;
    enum sl_status status;

    r.window = *(const int32_t *)arg;
    start(&t);
    sl_writer_init(&out, 1 << 20);
    status = sl_run_track_add(&t, &r, s, 3, NULL);
    if (status == SL_OK) {
        sl_run_track_write(&t, &r, SL_RUN_RUNNING, &out);
        status = out.status;
    }
    if (status == SL_OK) {
        status = sl_run_master_write(&r, has, 1, &out, NULL);
    }
    sl_writer_clear(&out);
    end(&t);
    return status;
}

static void test_no_memory(void **state)
{
    int32_t window = 0;

    (void)state;
    failing_alloc_run(fill, &window);
    window = 2;
    failing_alloc_run(fill, &window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),    cmocka_unit_test(test_queries),
        cmocka_unit_test(test_event),     cmocka_unit_test(test_window),
        cmocka_unit_test(test_master),    cmocka_unit_test(test_signed_links),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
