/* SPDX-License-Identifier: BSD-2-Clause */
/* What a registry holds, whichever engine is below: argument "sqlite" or "postgres". */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "place.h"
#include "registry/internal.h"

/* ---- segments ---------------------------------------------------------------------------- */

static void test_segments_once(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_run run;
    struct sl_registry_segment *segments, other = fake_segment("720p", 5);
    struct sl_registry_item item = {.rendition = "720p", .segments = &other, .segment_count = 1};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};
    size_t count;
    int64_t before, after;

    (void)state;
    set_three(r, &claim);
    assert_ok(announce_one(r, &claim, "720p", 5, &err), &err); /* any number begins */
    assert_ok(announce_one(r, &claim, "720p", 6, &err), &err);
    assert_ok(sl_registry_announce(r, &claim, &a, &before, &err), &err);
    assert_ok(sl_registry_announce(r, &claim, &a, &after, &err), &err);
    assert_int_equal(before, after); /* nothing new: nobody is told */

    fake_cid(other.cid, "another", 5);
    assert_int_equal(sl_registry_announce(r, &claim, &a, NULL, &err), SL_EEXIST);
    assert_non_null(strstr(err.msg, "segment 5 of a/720p is published already"));
    err = (struct sl_error){.status = SL_OK};
    other = fake_segment("720p", 5);
    other.duration++;
    assert_int_equal(sl_registry_announce(r, &claim, &a, NULL, NULL), SL_EEXIST);
    assert_int_equal(announce_one(r, &claim, "720p", 8, &err), SL_EINVAL);
    assert_non_null(strstr(err.msg, "7 comes next"));
    assert_int_equal(announce_one(r, &claim, "720p", 4, NULL), SL_EEXIST); /* before the first */
    assert_int_equal(announce_one(r, &claim, "1080p", 0, NULL), SL_EINVAL);

    err = (struct sl_error){.status = SL_OK};
    assert_ok(sl_registry_segments(r,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "720p", .first = 0, .limit = 0},
                                   &segments, &count, &err),
              &err);
    assert_int_equal(count, 2);
    other = fake_segment("720p", 5);
    assert_string_equal(segments[0].cid, other.cid);
    assert_string_equal(segments[0].init_cid, other.init_cid);
    assert_int_equal(segments[0].number, 5);
    assert_int_equal(segments[1].start, 720);
    assert_true(segments[1].program_time == SL_NO_TIME);
    sl_free(segments);
    assert_ok(sl_registry_run(r, "a", false, &run, &err), &err);
    assert_int_equal(run.revision, before);
    sl_registry_run_clear(&run);
    sl_registry_close(&r);
}

static void test_all_or_nothing(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    const struct sl_registry_segment first = fake_segment("720p", 0);
    struct sl_registry_segment second = fake_segment("360p", 0);
    const struct sl_registry_item items[] = {
        {.rendition = "720p", .segments = &first, .segment_count = 1, .playlist_cid = "Qmlist"},
        {.rendition = "360p", .segments = &second, .segment_count = 1},
    };
    const struct sl_registry_upload upload = {
        .node = "http://node", .cid = "Qmone", .what = SL_UPLOAD_ADD};
    const struct sl_registry_announcement a = {.items = items,
                                               .item_count = 2,
                                               .master_cid = "Qmmaster",
                                               .resume = "{\"at\": 1}",
                                               .uploads = &upload,
                                               .upload_count = 1};
    struct sl_registry_rendition *renditions;
    struct sl_registry_run run;
    struct sl_registry_upload_summary uploads;
    size_t count;
    char *text;

    (void)state;
    set_three(r, &claim);
    assert_ok(announce_one(r, &claim, "360p", 0, &err), &err);
    second.duration = 7; /* another one */
    assert_int_equal(sl_registry_announce(r, &claim, &a, NULL, NULL), SL_EEXIST);
    assert_ok(sl_registry_renditions(r, "a", &renditions, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_string_equal(renditions[0].name, "720p");
    assert_int_equal(renditions[0].next, 0);
    assert_string_equal(renditions[0].playlist_cid, "");
    sl_free(renditions);
    assert_ok(sl_registry_upload_summary(r, NULL, NULL, &uploads, &err), &err);
    assert_int_equal(uploads.count, 0);

    second = fake_segment("360p", 1);
    assert_ok(sl_registry_announce(r, &claim, &a, NULL, &err), &err);
    assert_ok(sl_registry_run(r, "a", true, &run, &err), &err);
    assert_string_equal(run.master_cid, "Qmmaster");
    assert_string_equal(run.resume, "{\"at\": 1}");
    sl_registry_run_clear(&run);
    assert_ok(sl_registry_upload_summary(r, NULL, "a", &uploads, &err), &err);
    assert_int_equal(uploads.count, 1);
    assert_ok(sl_registry_renditions(r, "a", &renditions, &count, &err), &err);
    assert_int_equal(renditions[1].next, 2);
    assert_int_equal(renditions[1].end, 240);
    assert_int_equal(renditions[1].bytes, 1000 + 1001);
    sl_free(renditions);

    /* As those see it who read with SQL. */
    text = place_sql(place.postgres
                         ? "SELECT concat(quality_playlists->'720p'->>'bitrate', ' ', "
                           "quality_playlists->'720p'->>'cid', ' ', "
                           "quality_playlists->'720p'->'width') FROM runs WHERE id = 'a'"
                         : "SELECT json_extract(quality_playlists, '$.720p.bitrate') || ' ' || "
                           "json_extract(quality_playlists, '$.720p.cid') || ' ' || "
                           "json_extract(quality_playlists, '$.720p.width') FROM runs");
    assert_non_null(text);
    assert_string_equal(text, "3000000 Qmlist 1280");
    free(text);
    sl_registry_close(&r);
}

static void test_gaps_and_flags(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_segment s[2] = {fake_segment("sound", 0), fake_segment("sound", 1)};
    const struct sl_registry_item item = {.rendition = "sound", .segments = s, .segment_count = 2};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};
    struct sl_registry_segment *back;
    size_t count;

    (void)state;
    set_three(r, &claim);
    s[0].gap = true;
    assert_int_equal(sl_registry_announce(r, &claim, &a, NULL, NULL), SL_EINVAL);
    s[0].cid[0] = 0;
    s[0].init_cid[0] = 0;
    s[1].discontinuity = true;
    s[1].program_time = INT64_C(1800000000123456);
    s[1].start = INT64_C(1) << 60;
    assert_ok(sl_registry_announce(r, &claim, &a, NULL, &err), &err);
    assert_ok(announce_one(r, &claim, "sound", 2, &err), &err);
    assert_int_equal(announce_one(r, &claim, "sound", 0, NULL), SL_EEXIST); /* lost is lost */
    assert_ok(sl_registry_segments(r,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "sound", .last = true, .limit = 2},
                                   &back, &count, &err),
              &err);
    assert_int_equal(count, 2);
    assert_int_equal(back[0].number, 1);
    assert_true(back[0].discontinuity && !back[0].gap);
    assert_true(back[0].program_time == s[1].program_time && back[0].start == s[1].start);
    sl_free(back);
    assert_ok(sl_registry_segments(r,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "sound", .first = 0, .limit = 1},
                                   &back, &count, &err),
              &err);
    assert_int_equal(count, 1);
    assert_true(back[0].gap && !back[0].cid[0]);
    sl_free(back);
    assert_int_equal(
        sl_registry_segments(r,
                             &(const struct sl_registry_segments_query){
                                 .run = "a", .rendition = "none", .first = 0, .limit = 1},
                             &back, &count, NULL),
        SL_ENOTFOUND);
    sl_registry_close(&r);
}

static void test_renditions_stay(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_rendition *list;
    size_t count;

    (void)state;
    set_three(r, &claim);
    assert_ok(announce_one(r, &claim, "720p", 0, &err), &err);
    set_three(r, &claim); /* again is fine, and forgets nothing */
    assert_ok(sl_registry_renditions(r, "a", &list, &count, &err), &err);
    assert_int_equal(list[0].next, 1);
    list[0].average_bitrate = 2500000;
    assert_ok(sl_registry_set_renditions(r, &claim, list, 1, &err), &err);
    list[0].timebase.den = 25;
    assert_int_equal(sl_registry_set_renditions(r, &claim, list, 1, NULL), SL_EEXIST);
    (void)snprintf(list[1].name, sizeof(list[1].name), "720p");
    assert_int_equal(sl_registry_set_renditions(r, &claim, list, 2, NULL), SL_EINVAL);
    sl_free(list);
    assert_ok(sl_registry_renditions(r, "a", &list, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].average_bitrate, 2500000);
    assert_int_equal(list[0].timebase.den, 30);
    sl_free(list);
    assert_int_equal(sl_registry_renditions(r, "none", &list, &count, NULL), SL_ENOTFOUND);
    sl_registry_close(&r);
}

/* ---- pages ------------------------------------------------------------------------------- */

static void test_pages(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_runs_query q = {.limit = 3};
    struct sl_registry_run *runs;
    size_t count, seen = 0;
    char id[16], *json, cursor[128] = "";
    json_t *root;

    (void)state;
    for (int i = 0; i < 8; i++) {
        (void)snprintf(id, sizeof(id), "run-%d", i);
        (void)claim_run(r, id);
    }
    do {
        assert_ok(sl_registry_runs(r, &q, &runs, &count, &err), &err);
        for (size_t i = 0; i < count; i++, seen++) {
            (void)snprintf(id, sizeof(id), "run-%zu", 7 - seen); /* the newest first */
            assert_string_equal(runs[i].id, id);
            assert_true(runs[i].alive);
            q.after = true;
            q.after_created = runs[i].created;
            (void)snprintf(q.after_id, sizeof(q.after_id), "%s", runs[i].id);
        }
        sl_registry_runs_free(&runs, count);
    } while (count == 3);
    assert_int_equal(seen, 8);

    q = (struct sl_registry_runs_query){.state = SL_RUN_FINISHED};
    assert_ok(sl_registry_runs(r, &q, &runs, &count, &err), &err);
    assert_int_equal(count, 0);
    sl_registry_runs_free(&runs, count);

    for (seen = 0;;) {
        assert_ok(sl_registry_runs_json(r, SL_RUN_ANY, cursor[0] ? cursor : NULL, 3, &json, &err),
                  &err);
        root = json_loads(json, 0, NULL);
        sl_free(json);
        seen += json_array_size(json_object_get(root, "runs"));
        if (json_is_null(json_object_get(root, "next")))
            break;
        (void)snprintf(cursor, sizeof(cursor), "%s",
                       json_string_value(json_object_get(root, "next")));
        json_decref(root);
    }
    json_decref(root);
    assert_int_equal(seen, 8);
    assert_int_equal(sl_registry_runs_json(r, SL_RUN_ANY, "12", 3, &json, NULL), SL_EINVAL);
    assert_int_equal(sl_registry_runs_json(r, SL_RUN_ANY, "1-../x", 3, &json, NULL), SL_EINVAL);
    sl_registry_close(&r);
}

static void test_many_segments(void **state)
{
    enum { BATCH = 700 };
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    struct sl_registry_segment *segments = calloc(BATCH, sizeof(*segments)), *back;
    const struct sl_registry_item item = {
        .rendition = "720p", .segments = segments, .segment_count = BATCH};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};
    size_t count;
    char *text;

    (void)state;
    set_three(r, &claim);
    for (int64_t first = 0; first < 2 * BATCH; first += BATCH) {
        for (int64_t i = 0; i < BATCH; i++)
            segments[i] = fake_segment("720p", first + i);
        assert_ok(sl_registry_announce(r, &claim, &a, NULL, &err), &err);
    }
    free(segments);
    assert_ok(sl_registry_segments(r,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "720p", .first = 0, .limit = 0},
                                   &back, &count, &err),
              &err);
    assert_int_equal(count, SL_REGISTRY_PAGE_MAX);
    sl_free(back);
    assert_ok(sl_registry_segments(r,
                                   &(const struct sl_registry_segments_query){
                                       .run = "a", .rendition = "720p", .first = 1000, .limit = 0},
                                   &back, &count, &err),
              &err);
    assert_int_equal(count, 2 * BATCH - 1000);
    assert_int_equal(back[count - 1].number, 2 * BATCH - 1);
    sl_free(back);
    assert_ok(sl_registry_delete_run(r, "a", true, &err), &err);
    text = place_sql("SELECT count(*) FROM segments");
    assert_string_equal(text, "0");
    free(text);
    assert_int_equal(announce_one(r, &claim, "720p", 1400, &err), SL_ENOTFOUND);
    sl_registry_close(&r);
}

/* ---- texts ------------------------------------------------------------------------------- */

static void test_texts(void **state)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      ".a",
                                      "-a",
                                      "a/b",
                                      "a b",
                                      "a\n",
                                      "ä",
                                      "a'b",
                                      "0123456789012345678901234567890123456789"
                                      "0123456789012345678901234"};
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim;
    struct sl_registry_claim_params p = {.run = "a"};
    struct sl_registry_run run;
    struct sl_registry_end end = {.state = SL_RUN_FAILED};
    char long_text[2000];
    char clean[12];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        p.run = bad[i];
        assert_int_equal(sl_registry_claim(r, &p, &claim, NULL), SL_EINVAL);
        assert_int_equal(sl_registry_run(r, bad[i], false, &run, NULL), SL_EINVAL);
    }
    p.run = "a";
    p.options = "{\"a\": 1, \"a\": 2}";
    assert_int_equal(sl_registry_claim(r, &p, &claim, NULL), SL_EINVAL);
    p.options = "[]";
    assert_int_equal(sl_registry_claim(r, &p, &claim, NULL), SL_EINVAL);
    p.options = "{\"title\": \"a'); DROP TABLE runs; --\", \"\\u00e9\": \"\xc3\xa9\"}";
    assert_ok(sl_registry_claim(r, &p, &claim, &err), &err);
    assert_true(claim.created);

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    memcpy(long_text, "it broke: \xff\n'", 13);
    memcpy(long_text + SL_REGISTRY_ERROR_MAX - 2, "\xc3\xa9", 2); /* would be cut in two */
    end.error = long_text;
    assert_ok(sl_registry_end_run(r, &claim, &end, &err), &err);
    assert_ok(sl_registry_run(r, "a", true, &run, &err), &err);
    assert_string_equal(run.options, p.options);
    assert_int_equal(run.state, SL_RUN_FAILED);
    assert_int_equal(strlen(run.error), SL_REGISTRY_ERROR_MAX - 2);
    assert_memory_equal(run.error, "it broke: ? '", 13);
    assert_null(run.resume);
    sl_registry_run_clear(&run);

    sl_registry_clean(clean, sizeof(clean), "\xf0\x9f\x98\x80\xed\xa0\x80\xc0\x80");
    assert_string_equal(clean, "\xf0\x9f\x98\x80?????");
    sl_registry_clean(clean, sizeof(clean), NULL);
    assert_string_equal(clean, "");
    sl_registry_close(&r);
}

static void test_names(void **state)
{
    struct sl_registry *r;
    struct sl_registry_params p = {.wait_ms = -1};
    char *name = sl_registry_safe_name("postgres://me:secret@host:5432/runs?password=x");

    (void)state;
    assert_string_equal(name, "postgres://me@host:5432/runs");
    sl_free(name);
    name = sl_registry_safe_name("postgresql://host/runs#x");
    assert_string_equal(name, "postgresql://host/runs");
    sl_free(name);
    assert_int_equal(sl_registry_open(&r, "", NULL, NULL), SL_EINVAL);
    assert_int_equal(sl_registry_open(&r, "mysql://host/runs", NULL, NULL), SL_EINVAL);
    assert_int_equal(sl_registry_open(&r, place.where, &p, NULL), SL_EINVAL);
    assert_null(r);
}

static void test_json(void **state)
{
    struct sl_registry *r = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_claim claim = claim_run(r, "a");
    json_t *root, *renditions;
    char *text;

    (void)state;
    set_three(r, &claim);
    assert_ok(announce_one(r, &claim, "720p", 3, &err), &err);
    assert_ok(sl_registry_run_json(r, "a", &text, &err), &err);
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    sl_free(text);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "state")), "running");
    assert_true(json_is_true(json_object_get(root, "alive")));
    renditions = json_object_get(root, "renditions");
    assert_int_equal(json_array_size(renditions), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(renditions, 0), "segments")),
                     1);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(renditions, 0), "frame_rate")), "30/1");
    assert_null(json_object_get(json_array_get(renditions, 2), "width"));
    json_decref(root);
    assert_int_equal(sl_registry_run_json(r, "b", &text, NULL), SL_ENOTFOUND);
    sl_registry_close(&r);
}

/* ---- uploads ----------------------------------------------------------------------------- */

static struct sl_registry_take *take_of(struct sl_registry_take *take, const char *node,
                                        size_t limit)
{
    *take = (struct sl_registry_take){.node = node, .limit = limit, .lease_ms = 60000};
    return take;
}

static void test_uploads(void **state)
{
    struct sl_registry *r = place_open(5000), *other = place_open(5000);
    struct sl_error err = {.status = SL_OK};
    struct sl_registry_upload u[3] = {
        {.node = "http://one", .cid = "Qma", .what = SL_UPLOAD_ADD, .run = "a"},
        {.node = "http://one", .cid = "Qmb", .what = SL_UPLOAD_ADD, .run = "a"},
        {.node = "http://two", .cid = "Qma", .what = SL_UPLOAD_ADD},
    };
    struct sl_registry_upload *taken, *rest;
    size_t count, left;
    struct sl_registry_take take;
    struct sl_registry_upload_summary sum;

    (void)state;
    assert_ok(sl_registry_queue_uploads(r, u, 3, &err), &err);
    assert_ok(sl_registry_queue_uploads(r, u, 3, &err), &err); /* once is enough */
    assert_ok(sl_registry_take_uploads(r, take_of(&take, "http://one", 1), &taken, &count, &err),
              &err);
    assert_int_equal(count, 1);
    assert_string_equal(taken[0].cid, "Qma");
    assert_ok(sl_registry_take_uploads(other, take_of(&take, NULL, 0), &rest, &left, &err), &err);
    assert_int_equal(left, 2); /* what is taken is out of sight */
    sl_free(rest);
    assert_ok(sl_registry_take_uploads(other, take_of(&take, NULL, 0), &rest, &left, &err), &err);
    assert_int_equal(left, 0);
    assert_null(rest);
    assert_true(take.next > sl_registry_now(r));

    /* It failed: later, and it says why. */
    assert_ok(sl_registry_upload_failed(r, &taken[0], sl_registry_now(r) - 1, "refused\n", &err),
              &err);
    sl_free(taken);
    assert_ok(sl_registry_take_uploads(r, take_of(&take, "http://one", 0), &taken, &count, &err),
              &err);
    assert_int_equal(count, 1);
    assert_int_equal(taken[0].attempts, 1);
    assert_string_equal(taken[0].error, "refused ");

    /* Held on to, put off, and asked for at once. */
    assert_ok(sl_registry_upload_hold(r, &taken[0], 90000, &err), &err);
    assert_true(taken[0].next > sl_registry_now(r) + INT64_C(60000000));
    assert_ok(sl_registry_upload_summary(r, "http://one", "a", &sum, &err), &err);
    assert_int_equal(sum.attempts, 1);
    assert_string_equal(sum.error, "refused ");
    assert_string_equal(sum.node, "http://one");
    assert_ok(sl_registry_take_uploads(other, take_of(&take, "http://one", 0), &rest, &left, &err),
              &err);
    assert_int_equal(left, 0);
    assert_ok(sl_registry_hasten_uploads(r, NULL, "b", &err), &err);
    assert_ok(sl_registry_take_uploads(other, take_of(&take, "http://one", 0), &rest, &left, &err),
              &err);
    assert_int_equal(left, 0);
    assert_ok(sl_registry_hasten_uploads(r, "http://one", "a", &err), &err);
    take_of(&take, "http://one", 0)->run = "b";
    assert_ok(sl_registry_take_uploads(other, &take, &rest, &left, &err), &err);
    assert_int_equal(left, 0);
    take.run = "a";
    assert_ok(sl_registry_take_uploads(other, &take, &rest, &left, &err), &err);
    assert_int_equal(left, 1);
    sl_free(rest);

    /* Unpinning is asked for while it is under way: that comes afterwards. */
    u[0].what = SL_UPLOAD_UNPIN;
    assert_ok(sl_registry_queue_uploads(other, u, 1, &err), &err);
    assert_ok(sl_registry_take_uploads(other, take_of(&take, "http://one", 0), &rest, &left, &err),
              &err);
    assert_int_equal(left, 0);
    assert_ok(sl_registry_upload_done(r, &taken[0], &err), &err);
    sl_free(taken);
    assert_ok(sl_registry_take_uploads(r, take_of(&take, "http://one", 0), &taken, &count, &err),
              &err);
    assert_int_equal(count, 1);
    assert_int_equal(taken[0].what, SL_UPLOAD_UNPIN);
    assert_int_equal(taken[0].attempts, 0);
    assert_ok(sl_registry_upload_done(r, &taken[0], &err), &err);
    assert_ok(sl_registry_upload_done(r, &taken[0], &err), &err);
    sl_free(taken);
    assert_ok(sl_registry_uploads(r, NULL, 0, 0, &rest, &left, &err), &err);
    assert_int_equal(left, 2);
    assert_true(rest[0].id < rest[1].id);
    sl_free(rest);
    assert_ok(sl_registry_upload_summary(r, NULL, "a", &sum, &err), &err);
    assert_int_equal(sum.count, 1);
    assert_int_equal(sum.attempts, 0);
    assert_string_equal(sum.error, "");
    u[0].what = (enum sl_upload_what)7;
    assert_int_equal(sl_registry_queue_uploads(r, u, 1, NULL), SL_EINVAL);
    sl_registry_close(&r);
    sl_registry_close(&other);
}

/* ---- versions ---------------------------------------------------------------------------- */

static enum sl_status to_one(struct sl_registry *r, void *arg, struct sl_error *err)
{
    return sl_schema_migrate(r, 1, arg, err);
}

static void test_migrations(void **state)
{
    struct sl_registry *r;
    const struct sl_registry_params readonly = {.read_only = true, .wait_ms = 1000};
    struct sl_error err = {.status = SL_OK};
    struct sl_db_params params = {
        .where = place.where, .name = place.where, .wait_ms = 5000, .create = true};
    const struct sl_db_ops *ops = NULL;
    struct sl_registry old = {.params = params, .name = place.where};
    struct sl_registry_run run;
    bool done = false;
    char *text;

    (void)state;
    assert_ok(sl_registry_engine(place.where, &ops, &err), &err);
    old.ops = ops;
    assert_ok(sl_registry_transact(&old, SL_DB_MIGRATE, to_one, &done, &err), &err);
    assert_true(done);
    ops->close(old.db);
    free(place_sql("INSERT INTO runs (id, state, created, updated, revision, profile, options, "
                   "error, master_cid, root_cid, quality_playlists, epoch, writer, heard, lease) "
                   "VALUES ('old', 'stopped', 1, 2, 3, '', '{}', '', '', '', '{}', 1, '', 0, 0)"));
    assert_int_equal(sl_registry_open(&r, place.where, &readonly, &err), SL_EUNSUPPORTED);
    err = (struct sl_error){.status = SL_OK};

    r = place_open(5000);
    assert_ok(sl_registry_run(r, "old", false, &run, &err), &err);
    assert_int_equal(run.revision, 3);
    sl_registry_run_clear(&run);
    sl_registry_close(&r);
    text = place_sql("SELECT count(*) FROM uploads");
    assert_string_equal(text, "0");
    free(text);

    assert_ok(sl_registry_open(&r, place.where, &readonly, &err), &err);
    assert_int_equal(sl_registry_delete_run(r, "old", false, NULL), SL_EINVAL);
    sl_registry_close(&r);
    free(place_sql("INSERT INTO sluice_schema (version, applied) VALUES (99, 0)"));
    assert_int_equal(sl_registry_open(&r, place.where, NULL, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "newer Sluice: schema version 99, this one knows up to 2"));
}

const struct CMUnitTest registry_tests[] = {
    cmocka_unit_test_setup(test_segments_once, place_clear),
    cmocka_unit_test_setup(test_all_or_nothing, place_clear),
    cmocka_unit_test_setup(test_gaps_and_flags, place_clear),
    cmocka_unit_test_setup(test_renditions_stay, place_clear),
    cmocka_unit_test_setup(test_pages, place_clear),
    cmocka_unit_test_setup(test_many_segments, place_clear),
    cmocka_unit_test_setup(test_texts, place_clear),
    cmocka_unit_test_setup(test_names, place_clear),
    cmocka_unit_test_setup(test_json, place_clear),
    cmocka_unit_test_setup(test_uploads, place_clear),
    cmocka_unit_test_setup(test_migrations, place_clear),
};
const size_t registry_test_count = sizeof(registry_tests) / sizeof(registry_tests[0]);

int main(int argc, char **argv)
{
    const char *engine = argc > 1 ? argv[1] : "sqlite";
    struct CMUnitTest tests[64];
    size_t count = 0;
    int failed;

    if (!place_begin(!strcmp(engine, "postgres"))) {
        (void)printf("1..1\nok 1 - postgres # SKIP PostgreSQL is not installed\n");
        return 77;
    }
    memcpy(tests, registry_tests, sizeof(registry_tests));
    count += registry_test_count;
    memcpy(tests + count, claim_tests, claim_test_count * sizeof(tests[0]));
    count += claim_test_count;
    memcpy(tests + count, watch_tests, watch_test_count * sizeof(tests[0]));
    count += watch_test_count;
    memcpy(tests + count, crash_tests, crash_test_count * sizeof(tests[0]));
    count += crash_test_count;
    failed = _cmocka_run_group_tests(engine, tests, count, NULL, NULL);
    place_end();
    return failed;
}
