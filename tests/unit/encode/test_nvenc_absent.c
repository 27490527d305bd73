/* SPDX-License-Identifier: BSD-2-Clause */
/* NVENC where NVIDIA's driver, or half of it, is missing: a reason, and nothing else changes. Run
 * with no argument, and with "cuda": the stand-in's libcuda.so.1 alone. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "encode/nvenc_nvtx.h"
#include "encode/registry.h"
#include "unit.h"

static const char *missing = "libcuda.so.1";

static void is_a_reason(void **state)
{
    (void)state;
    static const enum sl_codec codecs[] = {SL_CODEC_H264, SL_CODEC_HEVC};
    void *there = dlopen(missing, RTLD_NOW);
    if (there) { /* a machine with the driver */
        dlclose(there);
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        struct sl_error err = {0};
        const struct sl_coder_ops *ops;
        struct sl_coder *e;
        assert_int_equal(sl_encode_find(codecs[i], "nvenc", &ops, &err), SL_EUNSUPPORTED);
        if (!strstr(err.msg, "nvenc: no ") || !strstr(err.msg, missing)) {
            fail_msg("%s", err.msg);
        }
        for (const struct sl_coder_ops *const *c = sl_coders(); *c; c++) {
            ops = (*c)->codec == codecs[i] && strcmp((*c)->name, "nvenc") == 0 ? *c : ops;
        }
        assert_non_null(ops); /* and opened without having been asked first */
        const struct sl_encode_params params = {.width = 64, .height = 64};
        memset(&err, 0, sizeof err);
        assert_int_equal(ops->open(&e, &params, &err), SL_EUNSUPPORTED);
        assert_null(e);
        assert_null(strstr(ops->caps->version(), "driver"));
    }
}

static void is_never_taken_unasked(void **state)
{
    (void)state;
    const struct sl_coder_ops *ops;
    struct sl_error err = {0};
    if (sl_encode_find(SL_CODEC_H264, NULL, &ops, &err) == SL_OK) {
        assert_string_not_equal(ops->name, "nvenc");
    }
}

static void does_without_nvtx(void **state)
{
    (void)state;
    struct sl_nvtx nvtx;
    if (sl_nvtx_open(&nvtx)) {
        sl_nvtx_close(&nvtx);
        skip();
    }
    sl_nvtx_push(&nvtx, SL_NVTX_READ_CAI);
    sl_nvtx_pop(&nvtx);
    sl_nvtx_close(&nvtx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_a_reason),
        cmocka_unit_test(is_never_taken_unasked),
        cmocka_unit_test(does_without_nvtx),
    };
    if (argc > 1 && strcmp(argv[1], "cuda") == 0) {
        missing = "libnvidia-encode.so.1";
    }
    return cmocka_run_group_tests_name("encode/nvenc_absent", tests, NULL, NULL);
}
