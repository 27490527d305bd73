/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "encode/registry.h"
#include "unit.h"

static void lists_what_is_built_in(void **state)
{
    (void)state;
    bool h264 = false, aac = false;
    for (const struct sl_coder_ops *const *e = sl_coders(); *e; e++) {
        assert_non_null((*e)->name);
        assert_non_null((*e)->open);
        h264 = h264 || ((*e)->codec == SL_CODEC_H264 && (*e)->kind == SL_KIND_VIDEO);
        aac = aac || ((*e)->codec == SL_CODEC_AAC && (*e)->kind == SL_KIND_AUDIO);
    }
    assert_true(aac);
    assert_true(h264); /* nvenc at least: whether it can serve is another question */
}

static void expect(enum sl_codec codec, const char *name, const char *found, const char *why)
{
    struct sl_error err = {0};
    const struct sl_coder_ops *ops;
    enum sl_status status = sl_encode_find(codec, name, &ops, &err);
    if (found) {
        if (status != SL_OK) {
            fail_msg("%s", err.msg);
        }
        assert_string_equal(ops->name, found);
        assert_non_null(ops->caps);
        assert_int_equal(err.status, SL_OK);
        return;
    }
    assert_int_equal(status, SL_EUNSUPPORTED);
    assert_null(ops);
    /* Among the reasons of others, nvenc's for one. */
    assert_non_null(strstr(err.msg, " encoder in this build ("));
    assert_non_null(strstr(err.msg, why));
}

static void finds_video_or_says_why_not(void **state)
{
    (void)state;
    const char *no_x264 = "x264: built with -Dgpl=disabled";
    const char *x264 = SL_HAVE_X264 ? "x264" : NULL, *x265 = SL_HAVE_X265 ? "x265" : NULL;
    expect(SL_CODEC_H264, "x264", x264, no_x264);
    const char *no_x265 = "x265: " SL_X265_MISSING;
    expect(SL_CODEC_HEVC, NULL, x265, no_x265);
    expect(SL_CODEC_HEVC, "x265", x265, no_x265);
#if SL_HAVE_OPENH264
    expect(SL_CODEC_H264, "openh264", "openh264", NULL);
    expect(SL_CODEC_H264, NULL, SL_HAVE_X264 ? "x264" : "openh264", NULL);
#else
    expect(SL_CODEC_H264, "openh264", NULL, "openh264: not there when this was built");
#endif
}

/* Only who is named need not look ahead where that is asked for. */
static void opens_what_looks_ahead(void **state)
{
    (void)state;
    struct sl_encode_params p = {.timebase = {1, 30},
                                 .width = 64,
                                 .height = 64,
                                 .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
                                 .rate = SL_RATE_CRF,
                                 .latency = SL_LATENCY_LOOKAHEAD,
                                 .bframes = -1};
    struct sl_error err = {0};
    struct sl_coder *e;
    enum sl_status status = sl_encode_open(&e, SL_CODEC_H264, NULL, &p, &err);
#if SL_HAVE_X264
    assert_int_equal(status, SL_OK);
    assert_string_equal(e->ops->name, "x264");
    sl_encode_destroy(&e);
#else
    assert_int_equal(status, SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "x264: built with -Dgpl=disabled"));
#endif
#if SL_HAVE_OPENH264
    err = (struct sl_error){0};
    assert_int_equal(sl_encode_open(&e, SL_CODEC_H264, "openh264", &p, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "openh264 does not look ahead"));
#endif
}

static void says_where_videotoolbox_is(void **state)
{
    (void)state;
#if !SL_HAVE_VIDEOTOOLBOX
    const enum sl_codec codecs[] = {SL_CODEC_H264, SL_CODEC_HEVC};
    for (size_t i = 0; i < 2; i++) {
        struct sl_error err = {0};
        const struct sl_coder_ops *ops;
        assert_int_equal(sl_encode_find(codecs[i], "videotoolbox", &ops, &err), SL_EUNSUPPORTED);
        assert_non_null(strstr(err.msg, "encoder in this build (videotoolbox: only on macOS)"));
    }
#endif
}

static void finds_aac_in_its_module(void **state)
{
    (void)state;
    struct sl_error err = {0};
    const struct sl_coder_ops *ops;
    if (sl_encode_find(SL_CODEC_AAC, NULL, &ops, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_string_equal(ops->name, "aac");
}

static void refuses_what_is_not_there(void **state)
{
    (void)state;
    const struct sl_coder_ops *ops;
    struct sl_error err = {0};
    assert_int_equal(sl_encode_find(SL_CODEC_AAC, "quick", &ops, &err), SL_EUNSUPPORTED);
    assert_string_equal(err.msg, "no AAC encoder is called \"quick\"");
    assert_null(ops);
    err = (struct sl_error){0};
    assert_int_equal(sl_encode_find(SL_CODEC_VP8, NULL, &ops, &err), SL_EUNSUPPORTED);
    assert_string_equal(err.msg, "no vp8 encoder in this build");
    struct sl_coder *e;
    assert_int_equal(sl_encode_open(&e, SL_CODEC_VP8, NULL, &(struct sl_encode_params){0}, NULL),
                     SL_EUNSUPPORTED);
    assert_null(e);
    sl_encode_destroy(&e);
    sl_encode_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_is_built_in),  cmocka_unit_test(finds_video_or_says_why_not),
        cmocka_unit_test(opens_what_looks_ahead),  cmocka_unit_test(says_where_videotoolbox_is),
        cmocka_unit_test(finds_aac_in_its_module), cmocka_unit_test(refuses_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
