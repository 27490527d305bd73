/* SPDX-License-Identifier: BSD-2-Clause */
/* The public encoder on NVENC, which is the stand-in of tests/standin/nvenc: no machine of ours has
 * the hardware. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h>

#include <sluice/encode.h>

#include "../../standin/nvenc/standin.h"
#include "unit.h"

#define WIDTH         192
#define HEIGHT        108
#define PITCH         256
#define NV12_BYTES    ((size_t)PITCH * HEIGHT * 3 / 2)
#define DEVICE_LOST   5 /* NV_ENC_ERR_DEVICE_NOT_EXIST */
#define LAUNCH_FAILED 719

static void *symbol(const char *name)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NODELETE);
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) {
        fail_msg("no %s in libcuda.so.1: is it the stand-in?", name);
    }
    dlclose(library);
    return found;
}

static const struct standin_control *standin(void)
{
    standin_control_get *get;
    void *found = symbol("standin_control");
    memcpy(&get, &found, sizeof get);
    return get();
}

static int setup(void **state)
{
    (void)state;
    standin()->reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char text[512];
    if (standin()->live(text, sizeof text) != 0) {
        fail_msg("left behind: %s", text);
    }
    return 0;
}

static struct sl_encoder_params settings(const char *backend)
{
    struct sl_encoder_params p;
    assert_int_equal(sl_encoder_params_default(&p, sizeof p, NULL), SL_OK);
    p.size[0] = WIDTH;
    p.size[1] = HEIGHT;
    (void)snprintf(p.backend, sizeof p.backend, "%s", backend);
    return p;
}

static struct sl_encoder *open_with(const struct sl_encoder_params *p)
{
    struct sl_error err = {0};
    struct sl_encoder *e = NULL;
    if (sl_encoder_open(&e, p, NULL, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

static const char *backend_of(const struct sl_encoder *e)
{
    struct sl_encoder_info info;
    assert_int_equal(sl_encoder_get_info(e, &info, NULL), SL_OK);
    return info.backend;
}

static struct sl_picture rgb(uint8_t *pixels, int i)
{
    memset(pixels, 40 + i, (size_t)WIDTH * HEIGHT * 3);
    return (struct sl_picture){.struct_size = sizeof(struct sl_picture),
                               .format = SL_PICTURE_RGB24,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .plane = {pixels},
                               .stride = {WIDTH * 3},
                               .pts = SL_NO_TIME,
                               .token = (uint64_t)i};
}

static void encode_one(struct sl_encoder *e, uint8_t *pixels, int i, int key)
{
    struct sl_picture in = rgb(pixels, i);
    struct sl_access_unit u;
    struct sl_error err = {0};
    if (sl_encoder_encode(e, &in, &u, &err) != SL_OK) {
        fail_msg("picture %d: %s", i, err.msg);
    }
    assert_int_equal(u.token, i);
    assert_int_equal(u.pts, i);
    assert_int_equal(u.key, key);
    sl_access_unit_clear(&u);
}

/* Each of these is how a device goes; the picture at hand comes from the next backend, as an IDR.
 */
static void falls_back_when_the_device_is_lost(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int code;
    } losses[] = {{"nvEncEncodePicture", DEVICE_LOST},
                  {"nvEncLockBitstream", DEVICE_LOST},
                  {"nvEncLockInputBuffer", DEVICE_LOST},
                  {"cuCtxPushCurrent_v2", LAUNCH_FAILED}};
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    for (size_t k = 0; k < sizeof losses / sizeof losses[0]; k++) {
        struct sl_encoder_params p = settings("auto");
        struct sl_encoder_stats stats;
        standin()->reset();
        struct sl_encoder *e = open_with(&p);
        assert_string_equal(backend_of(e), "nvenc");
        assert_memory_equal(sl_encoder_codec_string(e), "avc1.64", 7);
        for (int i = 0; i < 20; i++) {
            if (i == 10) {
                standin()->inject(losses[k].call, standin()->count(losses[k].call) + 1,
                                  losses[k].code);
            }
            encode_one(e, pixels, i, i == 0 || i == 10);
        }
        assert_true(standin()->injected());
        assert_string_not_equal(backend_of(e), "nvenc");
        sl_encoder_get_stats(e, &stats);
        assert_int_equal(stats.fallbacks, 1);
        assert_int_equal(stats.units, 20);
        sl_encoder_destroy(&e);

        p = settings("nvenc"); /* asked for by name: nobody else goes on */
        standin()->reset();
        e = open_with(&p);
        encode_one(e, pixels, 0, 1);
        standin()->inject(losses[k].call, standin()->count(losses[k].call) + 1, losses[k].code);
        struct sl_picture in = rgb(pixels, 1);
        assert_int_equal(sl_encoder_send(e, &in, NULL), SL_EIO);
        sl_encoder_destroy(&e);
    }
    free(pixels);
}

static void codes_ten_bits(void **state)
{
    (void)state;
    struct sl_encoder_params p = settings("auto");
    p.codec = SL_ENCODER_HEVC;
    (void)strcpy(p.profile, "main10");
    struct sl_encoder *e = open_with(&p);
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    assert_string_equal(backend_of(e), "nvenc");
    assert_memory_equal(sl_encoder_codec_string(e), "hvc1.2.", 7);
    for (int i = 0; i < 3; i++) {
        encode_one(e, pixels, i, i == 0);
    }
    sl_encoder_destroy(&e);
    free(pixels);
}

static void changes_and_recovers(void **state)
{
    (void)state;
    struct sl_encoder_params p = settings("nvenc");
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    enum sl_encoder_recovery how;
    int idr = -1;
    p.bitrate = 300000;
    p.loss_recovery = 1;
    struct sl_encoder *e = open_with(&p);
    for (int i = 0; i < 6; i++) {
        encode_one(e, pixels, i, i == 0);
    }
    p.bitrate = 900000;
    assert_int_equal(sl_encoder_reconfigure(e, &p, &idr, NULL), SL_OK);
    assert_int_equal(idr, 0);
    encode_one(e, pixels, 6, 0);
    assert_int_equal(sl_encoder_recover(e, 5, &how, NULL), SL_OK);
    assert_int_equal(how, SL_RECOVERY_REFERENCE);
    encode_one(e, pixels, 7, 0);
    assert_int_equal(sl_encoder_recover(e, 1, &how, NULL), SL_OK); /* nothing older is kept */
    assert_int_equal(how, SL_RECOVERY_IDR);
    encode_one(e, pixels, 8, 1);
    sl_encoder_destroy(&e);
    free(pixels);
}

static void count_release(void *opaque)
{
    ++*(int *)opaque;
}

/* Device pictures in pipelined mode, and an output delay beyond it. */
static void reads_device_memory_until_it_says_so(void **state)
{
    (void)state;
    tcuCtxCreate_v2 *create;
    tcuCtxDestroy_v2 *destroy;
    tcuMemAlloc_v2 *alloc;
    tcuMemFree_v2 *give_back;
    const struct {
        const char *name;
        void *to;
    } symbols[] = {{"cuCtxCreate_v2", &create},
                   {"cuCtxDestroy_v2", &destroy},
                   {"cuMemAlloc_v2", &alloc},
                   {"cuMemFree_v2", &give_back}};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *found = symbol(symbols[i].name);
        memcpy(symbols[i].to, &found, sizeof found);
    }
    CUcontext context;
    CUdeviceptr memory[8];
    assert_int_equal(create(&context, 0, 0), CUDA_SUCCESS);
    struct sl_encoder_params p = settings("nvenc");
    int released = 0, received = 0;
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 2;
    p.extra_output_delay = 3;
    p.cuda_context = context;
    struct sl_encoder *e = open_with(&p);
    struct sl_encoder_info info;
    assert_int_equal(sl_encoder_get_info(e, &info, NULL), SL_OK);
    assert_int_equal(info.delay, 5);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(alloc(&memory[i], NV12_BYTES), CUDA_SUCCESS);
    }
    for (int i = 0; i < 24; i++) {
        uint8_t *at = (uint8_t *)(uintptr_t)memory[i % 8];
        memset(at, 100 + i, NV12_BYTES);
        struct sl_picture in = {.struct_size = sizeof in,
                                .format = SL_PICTURE_NV12,
                                .memory = SL_MEMORY_CUDA,
                                .width = WIDTH,
                                .height = HEIGHT,
                                .plane = {at, at + (size_t)PITCH * HEIGHT},
                                .stride = {PITCH, PITCH},
                                .pts = SL_NO_TIME,
                                .token = (uint64_t)i,
                                .release = count_release,
                                .opaque = &released};
        struct sl_access_unit u;
        struct sl_error err = {0};
        if (sl_encoder_send(e, &in, &err) != SL_OK) {
            fail_msg("picture %d: %s", i, err.msg);
        }
        while (sl_encoder_receive(e, &u, NULL) == SL_OK) {
            assert_int_equal(u.token, received++);
            sl_access_unit_clear(&u);
        }
        assert_int_equal(received, i < 5 ? 0 : i - 4);
        assert_int_equal(released, received);
        if (i == 20) { /* a picture that cannot be read breaks nothing */
            in.stride[0] = -PITCH;
            assert_int_not_equal(sl_encoder_send(e, &in, NULL), SL_OK);
            assert_int_equal(released, received);
        }
    }
    assert_int_equal(standin()->count("nvEncRegisterResource"), 8);
    assert_int_equal(standin()->count("cuMemcpy2DAsync_v2"), 0);
    sl_encoder_close(e);
    assert_int_equal(released, 24);
    sl_encoder_destroy(&e);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(give_back(memory[i]), CUDA_SUCCESS);
    }
    assert_int_equal(destroy(context), CUDA_SUCCESS);
}

static void is_listed_with_what_it_can(void **state)
{
    (void)state;
    struct sl_encoder_backend_info info;
    int found = 0;
    for (size_t i = 0; sl_encoder_backend(i, &info, NULL) == SL_OK; i++) {
        if (strcmp(info.name, "nvenc") == 0) {
            assert_int_equal(info.available, 1);
            assert_true(info.flags & SL_BACKEND_CUDA);
            assert_memory_equal(info.version, "API ", 4);
            found++;
        }
    }
    assert_int_equal(found, 2);
    setenv("SLUICE_STANDIN_DEVICES", "0", 1);
    for (size_t i = 0; sl_encoder_backend(i, &info, NULL) == SL_OK; i++) {
        if (strcmp(info.name, "nvenc") == 0) {
            assert_int_equal(info.available, 0);
            assert_non_null(strstr(info.reason, "no CUDA device"));
        }
    }
    struct sl_encoder_params p = settings("auto");
    struct sl_encoder *e = open_with(&p);
    assert_string_not_equal(backend_of(e), "nvenc");
    sl_encoder_destroy(&e);
    unsetenv("SLUICE_STANDIN_DEVICES");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(falls_back_when_the_device_is_lost),
        TEST(codes_ten_bits),
        TEST(changes_and_recovers),
        TEST(reads_device_memory_until_it_says_so),
        TEST(is_listed_with_what_it_can),
    };
    return cmocka_run_group_tests_name("api/encoder_nvenc", tests, NULL, NULL);
}
