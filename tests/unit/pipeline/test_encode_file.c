/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of changes, and a whole run in which memory runs out. Refusals and streams are judged
 * in tests/media. */
#include <stdio.h>
#include <string.h>

#include "failing_alloc.h"
#include "pipeline/encode_file_run.h"
#include "scratch.h"
#include "unit.h"

struct job {
    struct sl_encode_file_params params;
    struct sl_encoder_params encoder;
};

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

static void make_job(struct job *j, struct scratch *dir)
{
    memset(j, 0, sizeof *j);
    assert_int_equal(sl_options_default(sl_encoder_options(), &j->encoder, NULL), SL_OK);
    j->encoder.rate = (struct sl_rational){0, 1};
    (void)snprintf(j->encoder.preset, sizeof j->encoder.preset, "ultrafast");
    (void)snprintf(j->encoder.backend, sizeof j->encoder.backend, "x264");
    j->encoder.bitrate = 500000;
    j->encoder.threads = 1;
    (void)snprintf(j->params.input, sizeof j->params.input, "%s", scratch_name(dir, "a.y4m"));
    (void)snprintf(j->params.output, sizeof j->params.output, "%s", scratch_name(dir, "a.264"));
    (void)snprintf(j->params.stats, sizeof j->params.stats, "%s", scratch_name(dir, "a.jsonl"));
}

static enum sl_status run_once(void *arg)
{
    struct job *j = arg;
    struct sl_encode_file *f = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_encode_file_create(&f, &j->params, &j->encoder, NULL, NULL, &err);
    if (status == SL_OK) {
        status = sl_encode_file_execute(f, &err);
    }
    assert_int_equal(status, err.status);
    sl_encode_file_free(&f);
    assert_null(f);
    return status;
}

static void run_survives_failing_allocations(void **state)
{
    (void)state;
    static const struct sl_encode_file_change changes[] = {
        {3, "bitrate", "300k"}, {1, "idr", ""}, {4, "idr", ""}};
    static struct job j;
    struct scratch dir;
    scratch_make(&dir);
    make_job(&j, &dir);
    write_y4m(j.params.input, 6);
    j.params.changes = changes;
    j.params.change_count = sizeof changes / sizeof changes[0];
    failing_alloc_run(run_once, &j);
    assert_int_equal(scratch_count(dir.path), 3); /* nothing temporary is left */

    /* An object that has run does not run again. */
    struct sl_encode_file *f = NULL;
    assert_int_equal(sl_encode_file_create(&f, &j.params, &j.encoder, NULL, NULL, NULL), SL_OK);
    assert_int_equal(sl_encode_file_execute(f, NULL), SL_OK);
    assert_int_equal(sl_encode_file_execute(f, NULL), SL_EINVAL);
    sl_encode_file_free(&f);

    /* Stopped before it began: nothing appears. */
    (void)snprintf(j.params.output, sizeof j.params.output, "%s", scratch_name(&dir, "b.264"));
    (void)snprintf(j.params.stats, sizeof j.params.stats, "%s", scratch_name(&dir, "b.jsonl"));
    assert_int_equal(sl_encode_file_create(&f, &j.params, &j.encoder, NULL, NULL, NULL), SL_OK);
    sl_encode_file_request_stop(f);
    assert_int_equal(sl_encode_file_execute(f, NULL), SL_ECANCELLED);
    sl_encode_file_free(&f);
    assert_int_equal(scratch_count(dir.path), 3);
    scratch_remove(&dir);
}

/* By picture; those of one picture as they were given. */
static void changes_are_in_order(void **state)
{
    (void)state;
    static struct sl_encode_file_change given[100];
    struct sl_encode_changes c = {0};
    struct sl_encode_file_params params = {.changes = given, .change_count = 100};
    struct sl_encoder_params encoder = {0};
    struct sl_error err = {0};
    for (int i = 0; i < 100; i++) {
        given[i].picture = i * 37 % 10;
        (void)snprintf(given[i].key, sizeof given[i].key, "qp");
        (void)snprintf(given[i].value, sizeof given[i].value, "%d", i / 2);
    }
    assert_int_equal(sl_encode_changes_open(&c, &params, &encoder, NULL), SL_OK);
    for (size_t i = 1; i < c.count; i++) {
        const struct sl_encode_file_change *a = &c.items[i - 1], *b = &c.items[i];
        assert_true(a->picture <= b->picture);
        if (a->picture == b->picture) {
            assert_true(strlen(a->value) < strlen(b->value) ||
                        (strlen(a->value) == strlen(b->value) && strcmp(a->value, b->value) <= 0));
        }
    }
    sl_encode_changes_clear(&c);
    given[99].picture = -1;
    assert_int_equal(sl_encode_changes_open(&c, &params, &encoder, &err), SL_EINVAL);
    assert_non_null(strstr(err.msg, "-1"));
    sl_encode_changes_clear(&c);
    params.change_count = SL_ENCODE_FILE_CHANGES_MAX + 1;
    assert_int_equal(sl_encode_changes_open(&c, &params, &encoder, NULL), SL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_in_order),
        cmocka_unit_test(run_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
