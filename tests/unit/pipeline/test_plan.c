/* SPDX-License-Identifier: BSD-2-Clause */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/ladder_plan.h"
#include "unit.h"

static struct sl_ladder_params params;
static struct sl_ladder_rung rungs[SL_LADDER_RUNGS_MAX];

static size_t plan(int32_t width, int32_t height)
{
    size_t count = 0;
    assert_int_equal(sl_ladder_plan(&params, width, height, rungs, &count, NULL), SL_OK);
    return count;
}

static void expect(size_t i, const char *name, int64_t width, int64_t height, int64_t bitrate)
{
    assert_string_equal(rungs[i].name, name);
    assert_int_equal(rungs[i].width, width);
    assert_int_equal(rungs[i].height, height);
    assert_int_equal(rungs[i].bitrate, bitrate);
    assert_int_equal(rungs[i].maxrate, (bitrate * 3 + 1) / 2);
    assert_int_equal(rungs[i].buffer, bitrate * 2);
    assert_string_equal(rungs[i].preset, "veryfast");
}

static void test_default_ladder(void **state)
{
    (void)state;
    memset(&params, 0, sizeof params);
    snprintf(params.preset, sizeof params.preset, "veryfast");
    assert_int_equal(plan(1920, 1080), 3);
    expect(0, "original", 1920, 1080, 5000);
    expect(1, "720p", 1280, 720, 2500);
    expect(2, "360p", 640, 360, 800);
    assert_int_equal(plan(1280, 720), 2);
    expect(0, "original", 1280, 720, 2500);
    expect(1, "360p", 640, 360, 800);
    assert_int_equal(plan(640, 360), 1);
    expect(0, "original", 640, 360, 800);
    assert_int_equal(plan(3840, 2160), 3);
    expect(0, "original", 3840, 2160, 15000);
    assert_int_equal(plan(854, 480), 2);
    expect(0, "original", 854, 480, 1500);
    expect(1, "360p", 640, 360, 800);
    /* turned on its side: the rows count */
    assert_int_equal(plan(1080, 1920), 3);
    expect(1, "720p", 406, 720, 2500);
}

static void test_asked_for(void **state)
{
    (void)state;
    memset(&params, 0, sizeof params);
    snprintf(params.preset, sizeof params.preset, "veryfast");
    static const char *const texts[] = {"height=360", "name=top", "width=960,bitrate=1234"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sl_ladder_rung_parse(texts[i], &params.rungs[i], NULL), SL_OK);
    }
    params.rung_count = 3;
    assert_int_equal(plan(1920, 1080), 3);
    expect(0, "top", 1920, 1080, 5000);
    expect(1, "540p", 960, 540, 1234);
    expect(2, "360p", 640, 360, 800);
}

static void refused(const char *text, const char *word)
{
    struct sl_ladder_rung r;
    struct sl_error err = {0};
    assert_int_equal(sl_ladder_rung_parse(text, &r, &err), SL_EINVAL);
    char all[600];
    sl_error_format(&err, all, sizeof all);
    if (!strstr(all, word)) {
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, all, word);
    }
}

static void test_bad_rungs(void **state)
{
    (void)state;
    refused("height", "key=value");
    refused("height=", "height");
    refused("height=abc", "height");
    refused("height=0", "height");
    refused("heihgt=100", "height");
    refused("name=a/b", "a/b");
    refused("name=audio", "audio");
    refused("name=.hidden", "hidden");
    refused("height=99999999999999999999", "height");
    refused("name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_ladder),
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_bad_rungs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
