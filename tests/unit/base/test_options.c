/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include <sluice/options.h>

#include "base/error.h"
#include "unit.h"

struct params {
    uint32_t before;
    int low_latency;
    int64_t bitrate;
    struct sl_rational rate;
    char name[8];
    int preset;
    int32_t size[2];
    int64_t delay;
    struct sl_rational aspect;
    char title[5];
    int rungs;
    char last_rung[16];
    uint32_t after;
};

static enum sl_status add_rung(void *params, const char *value, struct sl_error *err)
{
    struct params *p = params;

    if (strcmp(value, "bad") == 0)
        return sl_fail(err, SL_EINVAL, "rung", "bad");
    p->rungs++;
    (void)strncpy(p->last_rung, value, sizeof(p->last_rung) - 1);
    return SL_OK;
}

static const char *const presets[] = {"ultrafast", "veryfast", "slow", NULL};

#define FIELD(f) offsetof(struct params, f)

static const struct sl_option table[] = {
    {.key = "low-latency",
     .type = SL_OPTION_BOOL,
     .offset = FIELD(low_latency),
     .help = "one frame in, one access unit out"},
    {.key = "bitrate",
     .type = SL_OPTION_INT,
     .offset = FIELD(bitrate),
     .min = 1,
     .max = 1000000,
     .value_default = "5000",
     .metavar = "KBIT/S",
     .help = "average bit rate"},
    {.key = "rate",
     .type = SL_OPTION_RATIONAL,
     .offset = FIELD(rate),
     .min = 1,
     .max = 1000,
     .value_default = "30000/1001",
     .help = "frames per second of what has no clock of its own, which is raw frames and nothing "
             "else in this world"},
    {.key = "name",
     .type = SL_OPTION_STRING,
     .offset = FIELD(name),
     .capacity = sizeof(((struct params *)0)->name),
     .value_default = "x",
     .help = "name"},
    {.key = "preset",
     .type = SL_OPTION_ENUM,
     .offset = FIELD(preset),
     .choices = presets,
     .value_default = "veryfast",
     .help = "speed against size"},
    {.key = "size",
     .type = SL_OPTION_SIZE,
     .offset = FIELD(size),
     .min = 1,
     .max = 16384,
     .help = "size of the picture"},
    {.key = "delay",
     .type = SL_OPTION_INT,
     .offset = FIELD(delay),
     .min = INT64_MIN,
     .max = INT64_MAX,
     .help = "ticks"},
    {.key = "aspect",
     .type = SL_OPTION_RATIONAL,
     .offset = FIELD(aspect),
     .max = 100,
     .help = "shape of a sample"},
    {.key = "title",
     .type = SL_OPTION_STRING,
     .offset = FIELD(title),
     .capacity = 5,
     .help = "title"},
    {.key = "rung", .type = SL_OPTION_LIST, .add = add_rung, .help = "one rung of the ladder"},
    {.key = NULL},
};

static struct params defaults(void)
{
    struct params p;

    memset(&p, 0xA5, sizeof(p));
    p.rungs = 0;
    assert_int_equal(sl_options_default(table, &p, NULL), SL_OK);
    assert_int_equal(p.before, 0xA5A5A5A5);
    assert_int_equal(p.after, 0xA5A5A5A5);
    return p;
}

static void test_defaults(void **state)
{
    static const struct sl_option broken[] = {
        {.key = "n", .type = SL_OPTION_INT, .min = 1, .max = 2, .value_default = "3"},
        {.key = NULL},
    };
    struct params p = defaults();
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(p.low_latency, 0);
    assert_int_equal(p.bitrate, 5000);
    assert_int_equal(p.rate.num, 30000);
    assert_int_equal(p.rate.den, 1001);
    assert_string_equal(p.name, "x");
    assert_int_equal(p.preset, 1);
    assert_int_equal(p.size[0], 0);
    assert_int_equal(p.size[1], 0);
    assert_int_equal(p.rungs, 0);
    assert_int_equal(p.delay, 0);
    assert_int_equal(p.aspect.num, 0);
    assert_string_equal(p.title, "");
    assert_int_equal(sl_options_default(broken, &p, &err), SL_EINVAL);
    assert_string_equal(err.where, "n");
}

static void test_good(void **state)
{
    struct params p = defaults();

    (void)state;
    assert_int_equal(sl_options_set(table, &p, "low-latency", NULL, NULL), SL_OK);
    assert_int_equal(p.low_latency, 1);
    assert_int_equal(sl_options_set(table, &p, "low-latency", "no", NULL), SL_OK);
    assert_int_equal(p.low_latency, 0);
    assert_int_equal(sl_options_set(table, &p, "low-latency", "true", NULL), SL_OK);
    assert_int_equal(p.low_latency, 1);
    assert_int_equal(sl_options_set(table, &p, "low-latency", "0", NULL), SL_OK);
    assert_int_equal(p.low_latency, 0);
    assert_int_equal(sl_options_set(table, &p, "bitrate", "1000000", NULL), SL_OK);
    assert_int_equal(p.bitrate, 1000000);
    assert_int_equal(sl_options_set(table, &p, "delay", "-9223372036854775808", NULL), SL_OK);
    assert_true(p.delay == INT64_MIN);
    assert_int_equal(sl_options_set(table, &p, "delay", "+9223372036854775807", NULL), SL_OK);
    assert_int_equal(p.delay, INT64_MAX);
    assert_int_equal(sl_options_set(table, &p, "rate", "29.97", NULL), SL_OK);
    assert_int_equal(p.rate.num, 2997);
    assert_int_equal(p.rate.den, 100);
    assert_int_equal(sl_options_set(table, &p, "name", "1234567", NULL), SL_OK);
    assert_string_equal(p.name, "1234567");
    assert_int_equal(sl_options_set(table, &p, "name", "", NULL), SL_OK);
    assert_string_equal(p.name, "");
    assert_int_equal(sl_options_set(table, &p, "preset", "slow", NULL), SL_OK);
    assert_int_equal(p.preset, 2);
    assert_int_equal(sl_options_set(table, &p, "size", "1920x1080", NULL), SL_OK);
    assert_int_equal(p.size[0], 1920);
    assert_int_equal(p.size[1], 1080);
    assert_int_equal(sl_options_set(table, &p, "rung", "a", NULL), SL_OK);
    assert_int_equal(sl_options_set(table, &p, "rung", "b", NULL), SL_OK);
    assert_int_equal(p.rungs, 2);
    assert_string_equal(p.last_rung, "b");
    assert_ptr_equal(sl_options_find(table, "size"), &table[5]);
    assert_null(sl_options_find(table, "siz"));
}

static void test_bad(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"bitrate", "0", "bitrate: 0 is not allowed (1 to 1000000)"},
        {"bitrate", "1000001", "bitrate: 1000001 is not allowed (1 to 1000000)"},
        {"bitrate", "fast", "bitrate: \"fast\" is not a whole number (1 to 1000000)"},
        {"bitrate", "", "bitrate: \"\" is not a whole number (1 to 1000000)"},
        {"bitrate", "1 ", "bitrate: \"1 \" is not a whole number (1 to 1000000)"},
        {"bitrate", "-", "bitrate: \"-\" is not a whole number (1 to 1000000)"},
        {"bitrate", "99999999999999999999",
         "bitrate: \"99999999999999999999\" is not a whole number (1 to 1000000)"},
        {"bitrate", NULL, "bitrate: needs a value: KBIT/S"},
        {"size", NULL, "size: needs a value"},
        {"low-latency", "maybe", "low-latency: \"maybe\" is not yes or no"},
        {"rate", "1001", "rate: 1001 is not allowed (1 to 1000)"},
        {"rate", "999/1000", "rate: 999/1000 is not allowed (1 to 1000)"},
        {"rate", "1/0", "rate: \"1/0\" is not a number like 25, 29.97 or 30000/1001 (1 to 1000)"},
        {"name", "12345678", "name: is 8 bytes long (at most 7)"},
        {"preset", "fast", "preset: \"fast\" is not allowed (ultrafast|veryfast|slow)"},
        {"size", "1920", "size: \"1920\" is not a size like 1920x1080 (1 to 16384)"},
        {"size", "1920x", "size: \"1920x\" is not a size like 1920x1080 (1 to 16384)"},
        {"size", "x", "size: \"x\" is not a size like 1920x1080 (1 to 16384)"},
        {"size", "1920x0", "size: 1920x0 is not allowed (1 to 16384)"},
        {"size", "16385x1", "size: 16385x1 is not allowed (1 to 16384)"},
        {"size", "0000000000000000000000000001x1",
         "size: \"0000000000000000000000000001x1\" is not a size like 1920x1080 (1 to 16384)"},
        {"rung", "bad", "rung: bad"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct params p = defaults(), before = p;
        struct sl_error err = {0};
        char text[500];

        assert_int_equal(sl_options_set(table, &p, cases[i].key, cases[i].value, &err), SL_EINVAL);
        assert_string_equal(sl_error_format(&err, text, sizeof(text)), cases[i].text);
        assert_memory_equal(&p, &before, sizeof(p));
    }
}

static void test_unknown(void **state)
{
    static const struct {
        const char *key, *msg;
    } cases[] = {
        {"bitrat", "no such option; did you mean \"bitrate\"?"},
        {"bit-rate", "no such option; did you mean \"bitrate\"?"},
        {"lowlatency", "no such option; did you mean \"low-latency\"?"},
        {"presto", "no such option; did you mean \"preset\"?"},
        {"rungs", "no such option; did you mean \"rung\"?"},
        {"crf", "no such option"},
        {"something-else", "no such option"},
        {"", "no such option"},
    };
    struct params p = defaults();
    struct sl_error err = {0};
    char endless[500];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct sl_error){0};
        assert_int_equal(sl_options_set(table, &p, cases[i].key, "1", &err), SL_ENOTFOUND);
        assert_string_equal(err.where, cases[i].key);
        assert_string_equal(err.msg, cases[i].msg);
    }
    memset(endless, 'x', sizeof(endless));
    endless[sizeof(endless) - 1] = 0;
    assert_int_equal(sl_options_set(table, &p, endless, "1", NULL), SL_ENOTFOUND);
}

static void test_help(void **state)
{
    static const char expected[] =
        "  --low-latency             one frame in, one access unit out\n"
        "  --bitrate KBIT/S          average bit rate (default: 5000)\n"
        "  --rate N/D                frames per second of what has no clock of its own,\n"
        "                            which is raw frames and nothing else in this world\n"
        "                            (default: 30000/1001)\n"
        "  --name TEXT               name (default: x)\n"
        "  --preset ultrafast|veryfast|slow\n"
        "                            speed against size (default: veryfast)\n"
        "  --size WxH                size of the picture\n"
        "  --delay N                 ticks\n"
        "  --aspect N/D              shape of a sample\n"
        "  --title TEXT              title\n"
        "  --rung VALUE              one rung of the ladder\n";
    char text[2000];
    size_t length = sl_options_help(table, text, sizeof(text));

    (void)state;
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    for (size_t size = 0; size < sizeof(expected) + 2; size++) {
        memset(text, '#', sizeof(text));
        assert_int_equal(sl_options_help(table, text, size), length);
        if (size > 0) {
            size_t kept = size - 1 < length ? size - 1 : length;

            assert_memory_equal(text, expected, kept);
            assert_int_equal(text[kept], 0);
        }
        assert_int_equal(text[size], '#');
    }
    assert_int_equal(sl_options_help(table, NULL, 0), length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_unknown),  cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
