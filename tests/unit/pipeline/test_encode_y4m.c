/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration, and a whole run in which memory runs out. Refusals and streams are judged in
 * tests/media. */
#include <stdio.h>
#include <string.h>

#include "failing_alloc.h"
#include "pipeline/encode_y4m.h"
#include "pipeline/encode_y4m_config.h"
#include "scratch.h"
#include "unit.h"

static enum sl_status parse(struct sl_encode_y4m_config *c, const char *text, struct sl_error *err)
{
    return sl_encode_y4m_config_parse(c, "encode.json", text, strlen(text), err);
}

static const char *option(const struct sl_encode_y4m_config *c, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < c->option_count; i++) {
        value = strcmp(c->options[i].key, key) == 0 ? c->options[i].value : value;
    }
    return value;
}

static void reads_what_there_is(void **state)
{
    (void)state;
    struct sl_encode_y4m_config c;
    struct sl_error err = {0};
    assert_int_equal(
        parse(&c,
              "{\"keyint\":60,\"bframes\":7,\"crf\":25.5,\"preset\":\"slow\",\"rc_lookahead\":40,"
              "\"threads\":3,\"x264_extra_params\":\"weightp=0:no-mbtree:me=umh\","
              "\"x264_layer_qps\":\"0=22,3=30.5\",\"layer_qp_offsets\":\"1=1.5,2=-2\"}",
              &err),
        SL_OK);
    assert_true(c.scheduled);
    assert_int_equal(c.schedule.count, 0);
    assert_int_equal(c.plan.gop, 16);
    assert_int_equal(c.plan.keyint, 60);
    assert_int_equal(c.plan.bframes, 7);
    assert_int_equal(c.bframes, 7);
    assert_int_equal(c.threads, 3);
    assert_string_equal(c.preset, "slow");
    assert_string_equal(option(&c, "crf"), "25.5");
    assert_string_equal(option(&c, "rc-lookahead"), "40");
    assert_string_equal(option(&c, "weightp"), "0");
    assert_string_equal(option(&c, "me"), "umh");
    assert_null(option(&c, "no-mbtree"));
    assert_null(option(&c, "keyint")); /* the schedule's business */
    static const struct {
        uint8_t layer;
        enum sl_schedule_qp kind;
        double qp;
    } want[] = {
        {0, SL_SCHEDULE_QP_ABSOLUTE, 22}, {1, SL_SCHEDULE_QP_OFFSET, 1.5},
        {2, SL_SCHEDULE_QP_OFFSET, -2},   {3, SL_SCHEDULE_QP_ABSOLUTE, 30.5},
        {4, SL_SCHEDULE_QP_NONE, 0},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct sl_schedule_frame f = {.layer = want[i].layer};
        sl_encode_y4m_config_qp(&c, &f);
        assert_int_equal(f.qp_kind, want[i].kind);
        assert_true(f.qp == want[i].qp);
        f = (struct sl_schedule_frame){
            .layer = want[i].layer, .qp_kind = SL_SCHEDULE_QP_OFFSET, .qp = 7};
        sl_encode_y4m_config_qp(&c, &f);
        assert_true(f.qp == 7 && f.qp_kind == SL_SCHEDULE_QP_OFFSET);
    }
    sl_encode_y4m_config_clear(&c);
    sl_encode_y4m_config_clear(&c);
}

static void knows_when_there_is_no_schedule(void **state)
{
    (void)state;
    struct sl_encode_y4m_config c;
    assert_int_equal(parse(&c, "{\"gop\":0,\"keyint\":60,\"open_gop\":true,\"scenecut\":40}", NULL),
                     SL_OK);
    assert_false(c.scheduled);
    assert_string_equal(option(&c, "keyint"), "60");
    assert_string_equal(option(&c, "open-gop"), "1");
    sl_encode_y4m_config_clear(&c);
    assert_int_equal(parse(&c, "{\"low_delay\":true}", NULL), SL_OK);
    assert_int_equal(c.bframes, 0);
    assert_string_equal(option(&c, "mbtree"), "0");
    sl_encode_y4m_config_clear(&c);
    assert_int_equal(parse(&c, "{\"low_delay\":true,\"x264_extra_params\":\"mbtree=1\"}", NULL),
                     SL_OK);
    assert_string_equal(option(&c, "mbtree"), "1");
    sl_encode_y4m_config_clear(&c);
    assert_int_equal(parse(&c, "{}", NULL), SL_OK);
    assert_true(c.scheduled);
    assert_int_equal(c.bframes, 15);
    sl_encode_y4m_config_clear(&c);
}

static void counts_options(void **state)
{
    (void)state;
    char text[4096] = "{\"x264_extra_params\":\"", *at = text + strlen(text);
    struct sl_encode_y4m_config c;
    struct sl_error err = {0};
    for (int i = 0; i < SL_ENCODE_Y4M_OPTIONS_MAX + 1; i++) {
        at += sprintf(at, "ref=%d:", i % 4 + 1);
    }
    (void)sprintf(at, "\"}");
    assert_int_equal(parse(&c, text, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, "too many"));
    sl_encode_y4m_config_clear(&c);
}

static enum sl_status config_once(void *arg)
{
    struct sl_encode_y4m_config c;
    enum sl_status status = parse(&c, arg, NULL);
    sl_encode_y4m_config_clear(&c);
    return status;
}

static void config_survives_failing_allocations(void **state)
{
    (void)state;
    static char text[] = "{\"crf\":23,\"x264_extra_params\":\"ref=2:mbtree=0\","
                         "\"x264_layer_qps\":\"0=22\"}";
    failing_alloc_run(config_once, text);
}

static void write_y4m(const char *path, int frames)
{
    enum { WIDTH = 32, HEIGHT = 32, SIZE = WIDTH * HEIGHT * 3 / 2 };
    static uint8_t picture[SIZE];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    (void)fprintf(f, "YUV4MPEG2 W%d H%d F25:1 C420jpeg\n", WIDTH, HEIGHT);
    for (int i = 0; i < frames; i++) {
        for (int j = 0; j < SIZE; j++) {
            picture[j] = (uint8_t)(j * 5 % 97 + i * 3);
        }
        (void)fprintf(f, "FRAME\n");
        assert_int_equal(fwrite(picture, 1, SIZE, f), SIZE);
    }
    assert_int_equal(fclose(f), 0);
}

static enum sl_status run_once(void *arg)
{
    struct sl_encode_y4m *e = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_encode_y4m_create(&e, arg, NULL, NULL, &err);
    if (status == SL_OK) {
        status = sl_encode_y4m_execute(e, &err);
    }
    assert_int_equal(status, err.status);
    sl_encode_y4m_free(&e);
    assert_null(e);
    return status;
}

static void run_survives_failing_allocations(void **state)
{
    (void)state;
    static const char config[] =
        "{\"threads\":1,\"preset\":\"ultrafast\",\"gop\":4,\"x264_extra_params\":\"ref=2\"}";
    struct scratch dir;
    static struct sl_encode_y4m_params params;
    scratch_make(&dir);
    params.extended = 1;
    (void)snprintf(params.input_y4m, sizeof params.input_y4m, "%s", scratch_name(&dir, "a.y4m"));
    (void)snprintf(params.config, sizeof params.config, "%s", scratch_name(&dir, "encode.json"));
    write_y4m(params.input_y4m, 7);
    scratch_write(params.config, config, sizeof config - 1);
    (void)snprintf(params.annex_b, sizeof params.annex_b, "%s", scratch_name(&dir, "a.h264"));
    (void)snprintf(params.metadata, sizeof params.metadata, "%s", scratch_name(&dir, "a.jsonl"));
    failing_alloc_run(run_once, &params);
    assert_int_equal(scratch_count(dir.path), 4); /* nothing temporary is left */

    /* An object that has run does not run again. */
    struct sl_encode_y4m *e = NULL;
    assert_int_equal(sl_encode_y4m_create(&e, &params, NULL, NULL, NULL), SL_OK);
    assert_int_equal(sl_encode_y4m_execute(e, NULL), SL_OK);
    assert_int_equal(sl_encode_y4m_execute(e, NULL), SL_EINVAL);
    sl_encode_y4m_free(&e);

    /* Stopped before it began: nothing appears. */
    (void)snprintf(params.annex_b, sizeof params.annex_b, "%s", scratch_name(&dir, "b.h264"));
    (void)snprintf(params.metadata, sizeof params.metadata, "%s", scratch_name(&dir, "b.jsonl"));
    assert_int_equal(sl_encode_y4m_create(&e, &params, NULL, NULL, NULL), SL_OK);
    sl_encode_y4m_request_stop(e);
    assert_int_equal(sl_encode_y4m_execute(e, NULL), SL_ECANCELLED);
    sl_encode_y4m_free(&e);
    assert_int_equal(scratch_count(dir.path), 4);
    scratch_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_there_is),
        cmocka_unit_test(knows_when_there_is_no_schedule),
        cmocka_unit_test(counts_options),
        cmocka_unit_test(config_survives_failing_allocations),
        cmocka_unit_test(run_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
