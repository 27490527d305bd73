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
    assert_int_equal(h264, SL_HAVE_X264);
}

static void finds_h264_or_says_why_not(void **state)
{
    (void)state;
    const char *const names[] = {NULL, "x264"};
    for (size_t i = 0; i < 2; i++) {
        struct sl_error err = {0};
        const struct sl_coder_ops *ops;
        enum sl_status status = sl_encode_find(SL_CODEC_H264, names[i], &ops, &err);
#if SL_HAVE_X264
        assert_int_equal(status, SL_OK);
        assert_string_equal(ops->name, "x264");
        assert_int_equal(err.status, SL_OK);
#else
        assert_int_equal(status, SL_EUNSUPPORTED);
        assert_null(ops);
        /* nvenc has its reason too, where it was not another that was asked for. */
        assert_non_null(strstr(err.msg, "no H.264 encoder in this build ("));
        assert_non_null(strstr(err.msg, "x264: built with -Dgpl=disabled)"));
#endif
    }
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
        cmocka_unit_test(lists_what_is_built_in),
        cmocka_unit_test(finds_h264_or_says_why_not),
        cmocka_unit_test(finds_aac_in_its_module),
        cmocka_unit_test(refuses_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
