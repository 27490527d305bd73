/* SPDX-License-Identifier: BSD-2-Clause */
/* Every call of NVIDIA's driver failing in turn, and every allocation of ours, on the stand-in;
 * and an FFmpeg that knows nothing of us, to see that the stand-in does not just agree with us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "nvenc_device.h"

#define PITCH         256
#define LAUNCH_FAILED 719
#define ECC           214
#define CALLS_MAX     64
#define TIMES_MAX     4 /* the first ones of each kind of call */

static struct device device;
static CUdeviceptr buffers[2];

static int setup(void **state)
{
    (void)state;
    device_open(&device);
    for (int i = 0; i < 2; i++) {
        buffers[i] = device_alloc(&device, device_size(PITCH, 2, SL_PIX_NV12, CLIP_HEIGHT));
    }
    clip_standin()->reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clip_standin()->reset();
    for (int i = 0; i < 2; i++) {
        device_free(&device, buffers[i]);
    }
    device_close(&device);
    clip_nothing_left();
    return 0;
}

/* Picture i: from the host, in place on the device, or to be copied there. NULL: no memory. */
static struct sl_frame *frame(int i, struct sl_frame *host)
{
    return i % 3 == 0 ? host : device_frame(buffers[i % 2], PITCH, i % 3 == 1 ? 0 : 2, host);
}

static enum sl_status receive_all(struct sl_coder *e, enum sl_status status, struct sl_error *err)
{
    struct sl_packet *packet;
    while (status == SL_OK && (status = e->ops->receive(e, &packet, err)) == SL_OK) {
        sl_packet_unref(&packet);
    }
    return status == SL_EAGAIN || status == SL_EOF ? SL_OK : status;
}

static enum sl_status send_one(struct sl_coder *e, struct sl_frame *f, struct sl_error *err)
{
    enum sl_status status = e->ops->send(e, f, err);
    if (status != SL_OK) { /* it stays failed, and says so */
        struct sl_error again = {0};
        enum sl_status later = e->ops->send(e, f, &again);
        assert_true(status == SL_ENOMEM || later == status || later == SL_OK);
    }
    return status;
}

struct scenario {
    enum sl_codec codec;
    struct sl_frame *frames[8]; /* made before: what is to fail is ours */
    struct sl_error err;
};

static void make_frames(struct scenario *s)
{
    for (int i = 0; i < 8; i++) {
        s->frames[i] = frame(i, clip_frame(SL_PIX_NV12, CLIP_WIDTH, CLIP_HEIGHT, i));
    }
}

static void drop_frames(struct scenario *s)
{
    for (int i = 0; i < 8; i++) {
        assert_int_equal(atomic_load(&s->frames[i]->refs), 1); /* nobody holds it any more */
        sl_frame_unref(&s->frames[i]);
    }
}

/* Everything once: opens, sends, changes, recovers, drains. */
static enum sl_status play(void *arg)
{
    struct scenario *s = arg;
    struct sl_encode_params p = clip_params(s->codec);
    struct sl_coder *e;
    enum sl_encoder_recovery how;
    memset(&s->err, 0, sizeof s->err);
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 2;
    p.loss_recovery = true;
    p.rate = SL_RATE_VBR;
    p.bitrate = 300000;
    enum sl_status status = sl_encode_open(&e, s->codec, "nvenc", &p, &s->err);
    if (status != SL_OK) {
        assert_null(e);
        return status;
    }
    for (int i = 0; status == SL_OK && i < 8; i++) {
        if (i == 4) {
            p.bitrate = 500000;
            status = e->ops->reconfigure(e, &p, &s->err);
        } else if (i == 6) {
            status = e->ops->recover(e, 5, &how, &s->err);
        }
        if (status == SL_OK) {
            status = send_one(e, s->frames[i], &s->err);
        }
        status = receive_all(e, status, &s->err);
    }
    if (status == SL_OK) {
        status = e->ops->send(e, NULL, &s->err);
        status = receive_all(e, status, &s->err);
    }
    sl_encode_destroy(&e);
    return status;
}

/* Calls that only give back, ask for words, or ask what may be unknown: their failure changes
 * nothing for the caller. */
static bool may_fail(const char *call)
{
    static const char *const calls[] = {"nvEncUnmapInputResource",
                                        "nvEncUnregisterResource",
                                        "nvEncDestroyInputBuffer",
                                        "nvEncDestroyBitstreamBuffer",
                                        "nvEncDestroyEncoder",
                                        "cuMemFree_v2",
                                        "cuGetErrorName",
                                        "cuCtxPopCurrent_v2",
                                        "cuDevicePrimaryCtxRelease",
                                        "cuPointerGetAttribute",
                                        "cuCtxPushCurrent_v2"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(call, calls[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void fail_one(struct scenario *s, const char *call, unsigned nth, int code)
{
    char text[512];
    clip_standin()->reset();
    clip_standin()->inject(call, nth, code);
    enum sl_status status = play(s);
    if (!clip_standin()->injected()) {
        fail_msg("%s was not called %u times", call, nth);
    }
    clip_standin()->reset();
    bool expected = status == SL_EIO || status == SL_EUNSUPPORTED;
    if (!expected && !(may_fail(call) && status == SL_OK)) {
        fail_msg("%s, time %u, %d: status %d, \"%s\"", call, nth, code, (int)status, s->err.msg);
    }
    if (expected && !s->err.msg[0]) {
        fail_msg("%s, time %u: no message", call, nth);
    }
    /* Of the tests: a context, and two blocks of memory. */
    if (clip_standin()->live(text, sizeof text) != 3) {
        fail_msg("%s, time %u, %d: left behind: %s", call, nth, code, text);
    }
}

static void survives_every_failing_call(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct scenario s = {.codec = k ? SL_CODEC_HEVC : SL_CODEC_H264};
        const struct standin_control *control = clip_standin();
        struct {
            const char *name;
            unsigned count;
        } calls[CALLS_MAX];
        size_t count = 0;
        make_frames(&s);
        control->reset();
        assert_int_equal(play(&s), SL_OK);
        for (size_t i = 0; control->call(i) && count < CALLS_MAX; i++) {
            calls[count].name = control->call(i);
            calls[count].count = control->count(calls[count].name);
            count += calls[count].count > 0;
        }
        assert_in_range(count, 25, CALLS_MAX - 1);
        for (size_t i = 0; i < count; i++) {
            bool cuda = strncmp(calls[i].name, "cu", 2) == 0;
            for (unsigned n = 1; n <= calls[i].count; n++) {
                if (n > (k ? 1 : TIMES_MAX) && n < calls[i].count) {
                    continue; /* and the last one */
                }
                if (strcmp(calls[i].name, "nvEncGetEncodeCaps") == 0) {
                    continue; /* a capability that is not known is not there */
                }
                fail_one(&s, calls[i].name, n, cuda ? LAUNCH_FAILED : NV_ENC_ERR_DEVICE_NOT_EXIST);
            }
        }
        drop_frames(&s);
    }
}

/* What has to come back, call by call. */
static void tells_loss_from_refusal(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned nth;
        int code;
        enum sl_status status;
        const char *says;
    } cases[] = {
        /* The first of each belongs to the probe, which gives reasons and no device errors. */
        {"cuInit", 1, 100, SL_EUNSUPPORTED, "no CUDA device"},
        {"cuInit", 2, 999, SL_EIO, "cuInit: CUDA error 999, CUDA_ERROR_UNKNOWN"},
        {"nvEncOpenEncodeSessionEx", 1, NV_ENC_ERR_OUT_OF_MEMORY, SL_EUNSUPPORTED,
         "no session left"},
        {"nvEncOpenEncodeSessionEx", 2, NV_ENC_ERR_OUT_OF_MEMORY, SL_EIO, "no session left"},
        {"nvEncOpenEncodeSessionEx", 2, NV_ENC_ERR_NO_ENCODE_DEVICE, SL_EUNSUPPORTED,
         "NV_ENC_ERR_NO_ENCODE_DEVICE"},
        {"nvEncInitializeEncoder", 1, NV_ENC_ERR_INVALID_PARAM, SL_EUNSUPPORTED,
         "nvEncInitializeEncoder: NV_ENC_ERR_INVALID_PARAM"},
        {"nvEncInitializeEncoder", 1, NV_ENC_ERR_GENERIC, SL_EIO, "NV_ENC_ERR_GENERIC"},
        {"nvEncEncodePicture", 2, NV_ENC_ERR_DEVICE_NOT_EXIST, SL_EIO,
         "nvEncEncodePicture: NV_ENC_ERR_DEVICE_NOT_EXIST"},
        {"nvEncEncodePicture", 2, NV_ENC_ERR_INVALID_PARAM, SL_EIO, "NV_ENC_ERR_INVALID_PARAM"},
        {"nvEncLockBitstream", 1, NV_ENC_ERR_DEVICE_NOT_EXIST, SL_EIO, "nvEncLockBitstream"},
        {"cuStreamSynchronize", 1, ECC, SL_EIO, "CUDA error 214, CUDA_ERROR_ECC_UNCORRECTABLE"},
        {"cuMemcpy2DAsync_v2", 1, LAUNCH_FAILED, SL_EIO, "CUDA_ERROR_LAUNCH_FAILED"},
        {"nvEncReconfigureEncoder", 1, NV_ENC_ERR_INVALID_PARAM, SL_EUNSUPPORTED,
         "nvEncReconfigureEncoder"},
        {"nvEncInvalidateRefFrames", 1, NV_ENC_ERR_INVALID_PARAM, SL_EUNSUPPORTED,
         "nvEncInvalidateRefFrames"},
    };
    struct scenario s = {.codec = SL_CODEC_H264};
    make_frames(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clip_standin()->reset();
        clip_standin()->inject(cases[i].call, cases[i].nth, cases[i].code);
        enum sl_status status = play(&s);
        if (status != cases[i].status || !strstr(s.err.msg, cases[i].says)) {
            fail_msg("%s: status %d, \"%s\"; expected %d, \"…%s…\"", cases[i].call, (int)status,
                     s.err.msg, (int)cases[i].status, cases[i].says);
        }
    }
    clip_standin()->reset();
    clip_standin()->inject("nvEncEncodePicture", 2, NV_ENC_ERR_ENCODER_BUSY); /* is asked again */
    assert_int_equal(play(&s), SL_OK);
    drop_frames(&s);
}

static void survives_every_failing_allocation(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct scenario s = {.codec = k ? SL_CODEC_HEVC : SL_CODEC_H264};
        make_frames(&s);
        assert_int_equal(play(&s), SL_OK); /* what libraries keep is there now */
        failing_alloc_run(play, &s);
        drop_frames(&s);
    }
}

/* Debian's FFmpeg, unmodified, through its own NVENC code. */
static void serves_ffmpeg_too(void **state)
{
    (void)state;
    static const char *const runs[] = {"-c:v h264_nvenc", "-c:v hevc_nvenc",
                                       "-pix_fmt nv12 -c:v h264_nvenc -tune ull -zerolatency 1",
                                       "-pix_fmt p010le -c:v hevc_nvenc -rc cbr -b:v 500k"};
    struct scratch dir;
    scratch_make(&dir);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const char *path = scratch_name(&dir, "a.mkv");
        free(judge_run("SLUICE_STANDIN_STRICT=0 ffmpeg -v error -f lavfi "
                       "-i testsrc2=size=192x108:rate=30 -frames:v 300 %s -y %s",
                       runs[i], path));
        char *said = judge_run("ffprobe -v error -count_frames -show_entries stream=nb_read_frames,"
                               "codec_name -of default=nw=1 %s",
                               path);
        assert_int_equal(judge_number(said, "nb_read_frames"), 300);
        judge_has(said, strstr(runs[i], "h264") ? "codec_name=h264" : "codec_name=hevc");
        free(said);
    }
    scratch_remove(&dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(survives_every_failing_call),
        TEST(tells_loss_from_refusal),
        TEST(survives_every_failing_allocation),
        TEST(serves_ffmpeg_too),
    };
    return cmocka_run_group_tests_name("encode/nvenc_errors", tests, NULL, NULL);
}
