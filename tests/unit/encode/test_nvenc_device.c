/* SPDX-License-Identifier: BSD-2-Clause */
/* NVENC and pictures in the device's memory, on the stand-in. */
#include <stdlib.h>
#include <string.h>

#include "nvenc_device.h"

#define PITCH 256

static struct device device;

static int setup(void **state)
{
    (void)state;
    device_open(&device);
    clip_standin()->reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    device_close(&device);
    clip_nothing_left();
    return 0;
}

static unsigned count(const char *call)
{
    return clip_standin()->count(call);
}

static struct sl_encode_params params(enum sl_codec codec)
{
    struct sl_encode_params p = clip_params(codec);
    p.cuda_context = device.context;
    return p;
}

static struct sl_frame *picture(enum sl_pixel_format format, int i)
{
    return clip_frame(format, CLIP_WIDTH, CLIP_HEIGHT, i);
}

/* Encodes pictures that lie in these buffers in turn. */
static void encode(struct sl_coder *e, enum sl_pixel_format format, size_t pitch, int gap,
                   const CUdeviceptr *buffers, int buffer_count, int pictures,
                   struct judge_packets *packets)
{
    for (int i = 0; i < pictures; i++) {
        struct sl_frame *f =
            device_frame(buffers[i % buffer_count], pitch, gap, picture(format, i));
        clip_send(e, f);
        packets->packet[packets->count++] = clip_receive(e);
    }
}

static void reads_in_place_and_registers_once(void **state)
{
    (void)state;
    static const struct {
        enum sl_codec codec;
        enum sl_pixel_format format;
        const char *profile;
        size_t pitch;
    } cases[] = {{SL_CODEC_H264, SL_PIX_NV12, NULL, PITCH},
                 {SL_CODEC_H264, SL_PIX_YUV420P, NULL, PITCH},
                 {SL_CODEC_HEVC, SL_PIX_NV12, NULL, 192},
                 {SL_CODEC_HEVC, SL_PIX_P010, "main10", 512}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = params(cases[k].codec);
        struct judge_packets packets = {.count = 0};
        CUdeviceptr buffers[3];
        p.profile = cases[k].profile;
        clip_standin()->reset();
        for (int i = 0; i < 3; i++) {
            buffers[i] =
                device_alloc(&device, device_size(cases[k].pitch, 0, cases[k].format, CLIP_HEIGHT));
        }
        struct sl_coder *e = clip_open(cases[k].codec, &p);
        encode(e, cases[k].format, cases[k].pitch, 0, buffers, 3, 30, &packets);
        assert_int_equal(count("nvEncRegisterResource"), 3);
        assert_int_equal(count("nvEncMapInputResource"), 30);
        assert_int_equal(count("nvEncUnmapInputResource"), 30);
        assert_int_equal(count("nvEncUnregisterResource"), 0);
        assert_int_equal(count("cuMemcpy2DAsync_v2"), 0);
        assert_int_equal(count("nvEncCreateInputBuffer"), 0);
        assert_int_equal(count("cuMemAllocPitch_v2"), 0);
        sl_encode_destroy(&e);
        assert_int_equal(count("nvEncUnregisterResource"), 3);
        assert_int_equal(count("cuDevicePrimaryCtxRetain"), 1); /* by the probe; ours is shared */
        if (cases[k].format != SL_PIX_P010) {
            clip_decodes(&packets, cases[k].codec, 30, 0, 34.0);
        }
        for (int i = 0; i < 3; i++) {
            device_free(&device, buffers[i]);
        }
        judge_drop(&packets);
    }
}

static void keeps_sixteen_registered(void **state)
{
    (void)state;
    CUdeviceptr buffers[17];
    struct sl_encode_params p = params(SL_CODEC_H264);
    struct judge_packets packets = {.count = 0};
    for (int i = 0; i < 17; i++) {
        buffers[i] = device_alloc(&device, device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT));
    }
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    encode(e, SL_PIX_NV12, PITCH, 0, buffers, 16, 48, &packets);
    assert_int_equal(count("nvEncRegisterResource"), 16);
    assert_int_equal(count("nvEncUnregisterResource"), 0);
    /* One more: the one that was used longest ago goes, and comes back in place of the next. */
    struct sl_frame *f = device_frame(buffers[16], PITCH, 0, picture(SL_PIX_NV12, 48));
    clip_send(e, f);
    packets.packet[packets.count++] = clip_receive(e);
    assert_int_equal(count("nvEncRegisterResource"), 17);
    assert_int_equal(count("nvEncUnregisterResource"), 1);
    clip_send(e, device_frame(buffers[15], PITCH, 0, picture(SL_PIX_NV12, 49)));
    packets.packet[packets.count++] = clip_receive(e);
    assert_int_equal(count("nvEncRegisterResource"), 17);
    clip_send(e, device_frame(buffers[0], PITCH, 0, picture(SL_PIX_NV12, 50)));
    packets.packet[packets.count++] = clip_receive(e);
    assert_int_equal(count("nvEncRegisterResource"), 18);
    assert_int_equal(count("nvEncUnregisterResource"), 2);
    clip_decodes(&packets, SL_CODEC_H264, 51, 0, 34.0);
    sl_encode_destroy(&e);
    assert_int_equal(count("nvEncUnregisterResource"), 18);
    judge_drop(&packets);
    for (int i = 0; i < 17; i++) {
        device_free(&device, buffers[i]);
    }
}

/* More pictures on their way than the cache has entries. */
static void registers_as_many_as_are_on_their_way(void **state)
{
    (void)state;
    CUdeviceptr buffers[40];
    struct sl_encode_params p = params(SL_CODEC_H264);
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 16;
    p.extra_delay = 8;
    for (int i = 0; i < 40; i++) {
        buffers[i] = device_alloc(&device, device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT));
    }
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    for (int i = 0; i < 80; i++) {
        clip_send(e, device_frame(buffers[i % 40], PITCH, 0, picture(SL_PIX_NV12, i)));
        if (i >= 24) {
            struct sl_packet *packet = clip_receive(e);
            assert_int_equal(packet->pts, i - 24);
            sl_packet_unref(&packet);
        }
    }
    sl_encode_destroy(&e); /* with 24 on their way */
    for (int i = 0; i < 40; i++) {
        device_free(&device, buffers[i]);
    }
}

static void copies_on_the_device_what_lies_otherwise(void **state)
{
    (void)state;
    static const struct {
        enum sl_pixel_format format;
        size_t pitch;
        int gap, planes;
    } cases[] = {
        {SL_PIX_NV12, PITCH, 3, 2}, {SL_PIX_NV12, 190, 0, 2}, {SL_PIX_YUV420P, PITCH, 1, 3}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = params(SL_CODEC_H264);
        struct judge_packets packets = {.count = 0};
        CUdeviceptr buffer = device_alloc(
            &device, device_size(cases[k].pitch, cases[k].gap, cases[k].format, CLIP_HEIGHT));
        clip_standin()->reset();
        struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
        encode(e, cases[k].format, cases[k].pitch, cases[k].gap, &buffer, 1, 10, &packets);
        assert_int_equal(count("cuMemcpy2DAsync_v2"), 10 * cases[k].planes);
        assert_int_equal(count("cuMemAllocPitch_v2"), 1);
        assert_int_equal(count("nvEncRegisterResource"), 1);
        sl_encode_destroy(&e);
        clip_decodes(&packets, SL_CODEC_H264, 10, 0, 34.0);
        judge_drop(&packets);
        device_free(&device, buffer);
    }
}

/* What is put into a stream of the stand-in happens when it is waited for. */
static void waits_for_the_stream(void **state)
{
    (void)state;
    size_t size = device_size(PITCH, 4, SL_PIX_NV12, CLIP_HEIGHT);
    CUdeviceptr buffer = device_alloc(&device, size);
    for (int gap = 0; gap <= 4; gap += 4) { /* in place, and copied */
        for (int own = 0; own < 2; own++) { /* the default stream, and another */
            struct sl_encode_params p = params(SL_CODEC_H264);
            struct judge_packets packets = {.count = 0};
            CUstream stream = NULL;
            CUcontext popped;
            struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
            assert_int_equal(device.push(device.context), CUDA_SUCCESS);
            if (own) {
                assert_int_equal(device.stream_create(&stream, 0), CUDA_SUCCESS);
            }
            for (int i = 0; i < 4; i++) {
                struct sl_frame *f = device_frame(buffer, PITCH, gap, picture(SL_PIX_NV12, i));
                assert_int_equal(device.set(buffer, (unsigned char)(60 + 40 * i), size, stream),
                                 CUDA_SUCCESS);
                f->stream = stream;
                clip_send(e, f);
                packets.packet[packets.count++] = clip_receive(e);
            }
            sl_encode_destroy(&e);
            if (own) {
                assert_int_equal(device.stream_destroy(stream), CUDA_SUCCESS);
            }
            assert_int_equal(device.pop(&popped), CUDA_SUCCESS);
            assert_ptr_equal(popped, device.context); /* ours is what was current */
            size_t bytes, frame = CLIP_WIDTH * CLIP_HEIGHT * 3 / 2;
            uint8_t *is = clip_decode(&packets, SL_CODEC_H264, "yuv420p", &bytes);
            assert_int_equal(bytes, 4 * frame);
            for (size_t i = 0; i < 4; i++) {
                assert_in_range(is[i * frame + 5000], 57 + 40 * i, 63 + 40 * i);
            }
            free(is);
            judge_drop(&packets);
        }
    }
    device_free(&device, buffer);
}

/* The frame is the caller's memory: it is let go when it has been read, and no earlier. */
static void holds_the_frame_while_it_is_read(void **state)
{
    (void)state;
    struct sl_encode_params p = params(SL_CODEC_H264);
    struct sl_error err = {0};
    CUdeviceptr buffers[3];
    struct sl_frame *frames[3];
    p.latency = SL_LATENCY_PIPELINED;
    p.depth = 2;
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    for (int i = 0; i < 3; i++) {
        buffers[i] = device_alloc(&device, device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT));
        frames[i] = device_frame(buffers[i], PITCH, 0, picture(SL_PIX_NV12, i));
        assert_int_equal(e->ops->send(e, frames[i], &err), SL_OK);
        assert_int_equal(atomic_load(&frames[i]->refs), 2);
    }
    struct sl_packet *packet = clip_receive(e);
    sl_packet_unref(&packet);
    assert_int_equal(atomic_load(&frames[0]->refs), 1);
    assert_int_equal(atomic_load(&frames[1]->refs), 2);
    /* The same memory twice on its way is mapped once. */
    frames[0]->pts = 3;
    assert_int_equal(e->ops->send(e, frames[0], &err), SL_OK);
    packet = clip_receive(e);
    sl_packet_unref(&packet);
    struct sl_frame *again;
    assert_int_equal(sl_frame_share(&again, frames[0], &err), SL_OK);
    again->memory = SL_MEMORY_CUDA;
    again->pts = 4;
    assert_int_equal(e->ops->send(e, again, &err), SL_OK);
    sl_encode_destroy(&e);
    sl_frame_unref(&again);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&frames[i]->refs), 1);
        sl_frame_unref(&frames[i]);
        device_free(&device, buffers[i]);
    }
}

/* Freed and allocated anew, memory may have the address that it had. */
static void does_not_take_new_memory_for_old(void **state)
{
    (void)state;
    struct sl_encode_params p = params(SL_CODEC_H264);
    struct judge_packets packets = {.count = 0};
    size_t size = device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT);
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    CUdeviceptr first = 0;
    for (int i = 0; i < 3; i++) {
        CUdeviceptr buffer = device_alloc(&device, size);
        first = first ? first : buffer;
        assert_true(buffer == first);
        clip_send(e, device_frame(buffer, PITCH, 0, picture(SL_PIX_NV12, i)));
        packets.packet[packets.count++] = clip_receive(e);
        device_free(&device, buffer);
    }
    assert_int_equal(count("nvEncRegisterResource"), 3);
    sl_encode_destroy(&e);
    judge_drop(&packets);
}

/* NVENC's own conversion, here the stand-in's: that the bytes are taken for what they are, and the
 * matrix is the one that is stated. */
static void lets_nvenc_convert_rgb(void **state)
{
    (void)state;
    static const struct {
        enum sl_pixel_format format;
        uint8_t matrix, y, cb, cr;               /* of R 200, G 80, B 30; H.273 8.3 */
    } cases[] = {{SL_PIX_RGBA, 6, 111, 88, 184}, /* BT.601: 0.299, 0.114 */
                 {SL_PIX_BGRA, 6, 111, 88, 184},
                 {SL_PIX_RGBA, 1, 103, 94, 183}}; /* BT.709: 0.2126, 0.0722 */
    size_t pitch = 1024, size = pitch * CLIP_HEIGHT;
    CUdeviceptr buffer = device_alloc(&device, size);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sl_encode_params p = params(SL_CODEC_H264);
        struct judge_packets packets = {.count = 0};
        bool rgba = cases[k].format == SL_PIX_RGBA;
        const uint8_t pixel[4] = {rgba ? 200 : 30, 80, rgba ? 30 : 200, 255};
        p.colour.matrix = cases[k].matrix;
        p.colour.primaries = p.colour.transfer = cases[k].matrix;
        struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
        struct sl_error err = {0};
        struct sl_frame *host;
        assert_int_equal(
            sl_frame_create_video(&host, cases[k].format, CLIP_WIDTH, CLIP_HEIGHT, NULL, &err),
            SL_OK);
        for (int y = 0; y < CLIP_HEIGHT; y++) {
            for (int x = 0; x < CLIP_WIDTH; x++) {
                memcpy(host->plane[0] + host->stride[0] * y + 4 * x, pixel, 4);
            }
        }
        host->pts = 0;
        host->memory = SL_MEMORY_HOST;
        assert_int_equal(e->ops->send(e, host, &err), SL_EINVAL); /* the host's is our own work */
        clip_send(e, device_frame(buffer, pitch, 0, host));
        packets.packet[packets.count++] = clip_receive(e);
        sl_encode_destroy(&e);
        size_t bytes, luma = CLIP_WIDTH * CLIP_HEIGHT;
        uint8_t *is = clip_decode(&packets, SL_CODEC_H264, "yuv420p", &bytes);
        assert_int_equal(bytes, luma * 3 / 2);
        assert_in_range(is[5000], cases[k].y - 1, cases[k].y + 1);
        assert_in_range(is[luma + 2000], cases[k].cb - 1, cases[k].cb + 1);
        assert_in_range(is[luma * 5 / 4 + 2000], cases[k].cr - 1, cases[k].cr + 1);
        free(is);
        judge_drop(&packets);
    }
    struct sl_encode_params p = params(SL_CODEC_H264);
    p.colour = (struct sl_colour){9, 14, 9, SL_RANGE_LIMITED, 0};
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    struct sl_error err = {0};
    struct sl_frame *host;
    assert_int_equal(sl_frame_create_video(&host, SL_PIX_RGBA, CLIP_WIDTH, CLIP_HEIGHT, NULL, &err),
                     SL_OK);
    host->pts = 0;
    struct sl_frame *f = device_frame(buffer, pitch, 0, host);
    assert_int_equal(e->ops->send(e, f, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "matrix 9"));
    sl_frame_unref(&f);
    sl_encode_destroy(&e);
    device_free(&device, buffer);
}

static void refuses_what_it_cannot_read(void **state)
{
    (void)state;
    struct sl_encode_params p = params(SL_CODEC_H264);
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    CUdeviceptr buffer = device_alloc(&device, device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT));
    struct sl_frame *f = device_frame(buffer, PITCH, 0, picture(SL_PIX_NV12, 0));
    struct sl_error err = {0};
    f->stride[0] = -PITCH;
    assert_int_equal(e->ops->send(e, f, &err), SL_EUNSUPPORTED);
    f->stride[0] = 100;
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    f->stride[0] = PITCH;
    f->width = 188;
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    f->width = CLIP_WIDTH;
    f->format = SL_PIX_P010;
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    f->format = SL_PIX_NV12;
    f->memory = SL_MEMORY_CVPIXELBUFFER;
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    f->memory = SL_MEMORY_CUDA;
    assert_int_equal(e->ops->send(e, f, &err), SL_OK); /* nothing was broken by that */
    sl_frame_unref(&f);
    struct sl_packet *packet = clip_receive(e);
    sl_packet_unref(&packet);
    sl_encode_destroy(&e);
    device_free(&device, buffer);
}

static void mixes_host_and_device(void **state)
{
    (void)state;
    struct sl_encode_params p = clip_params(SL_CODEC_H264); /* the primary context */
    struct judge_packets packets = {.count = 0};
    CUdeviceptr buffer = device_alloc(&device, device_size(PITCH, 0, SL_PIX_NV12, CLIP_HEIGHT));
    struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
    for (int i = 0; i < 10; i++) {
        struct sl_frame *f = picture(i % 3 == 1 ? SL_PIX_YUV420P : SL_PIX_NV12, i);
        clip_send(e, i % 2 && i % 3 != 1 ? device_frame(buffer, PITCH, 0, f) : f);
        packets.packet[packets.count++] = clip_receive(e);
    }
    assert_int_equal(count("cuDevicePrimaryCtxRetain"), 2); /* the probe has given it back */
    assert_int_equal(count("cuDevicePrimaryCtxRelease"), 1);
    sl_encode_destroy(&e);
    assert_int_equal(count("cuDevicePrimaryCtxRelease"), 2);
    clip_decodes(&packets, SL_CODEC_H264, 10, 0, 34.0);
    judge_drop(&packets);
    device_free(&device, buffer);
}

static void names_its_ranges(void **state)
{
    (void)state;
    struct sl_encode_params p = clip_params(SL_CODEC_H264);
    for (int on = 0; on < 2; on++) {
        p.nvtx = on;
        clip_standin()->reset();
        struct sl_coder *e = clip_open(SL_CODEC_H264, &p);
        clip_send(e, picture(SL_PIX_NV12, 0));
        struct sl_packet *packet = clip_receive(e);
        sl_packet_unref(&packet);
        sl_encode_destroy(&e);
        assert_string_equal(clip_standin()->ranges(),
                            on ? "pdum.encode>pdum.copy_to_nvenc><pdum.submit><<"
                                 "pdum.collect_output><"
                               : "");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_in_place_and_registers_once),
        TEST(keeps_sixteen_registered),
        TEST(registers_as_many_as_are_on_their_way),
        TEST(copies_on_the_device_what_lies_otherwise),
        TEST(waits_for_the_stream),
        TEST(holds_the_frame_while_it_is_read),
        TEST(does_not_take_new_memory_for_old),
        TEST(lets_nvenc_convert_rgb),
        TEST(refuses_what_it_cannot_read),
        TEST(mixes_host_and_device),
        TEST(names_its_ranges),
    };
    return cmocka_run_group_tests_name("encode/nvenc_device", tests, NULL, NULL);
}
