/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixel formats, frames, packets, tracks, colour. */
#include <string.h>

#include "failing_alloc.h"
#include "media/colour.h"
#include "media/frame.h"
#include "media/packet.h"
#include "media/track.h"
#include "unit.h"

static void test_formats(void **state)
{
    static const struct {
        enum sl_pixel_format format;
        const char *name;
        int planes;
        int64_t bytes[3]; /* of a row of 5 pixels */
        int32_t rows[3];  /* of a picture of 3 rows */
    } cases[] = {
        {SL_PIX_YUV420P, "yuv420p", 3, {5, 3, 3}, {3, 2, 2}},
        {SL_PIX_YUV422P, "yuv422p", 3, {5, 3, 3}, {3, 3, 3}},
        {SL_PIX_YUV444P, "yuv444p", 3, {5, 5, 5}, {3, 3, 3}},
        {SL_PIX_YUV440P, "yuv440p", 3, {5, 5, 5}, {3, 2, 2}},
        {SL_PIX_YUV411P, "yuv411p", 3, {5, 2, 2}, {3, 3, 3}},
        {SL_PIX_YUV410P, "yuv410p", 3, {5, 2, 2}, {3, 1, 1}},
        {SL_PIX_YUV420P10, "yuv420p10", 3, {10, 6, 6}, {3, 2, 2}},
        {SL_PIX_YUV444P12, "yuv444p12", 3, {10, 10, 10}, {3, 3, 3}},
        {SL_PIX_GRAY, "gray", 1, {5}, {3}},
        {SL_PIX_GRAY10, "gray10", 1, {10}, {3}},
        {SL_PIX_NV12, "nv12", 2, {5, 6}, {3, 2}},
        {SL_PIX_P010, "p010", 2, {10, 12}, {3, 2}},
        {SL_PIX_GBRP, "gbrp", 3, {5, 5, 5}, {3, 3, 3}},
        {SL_PIX_GBRP12, "gbrp12", 3, {10, 10, 10}, {3, 3, 3}},
        {SL_PIX_RGB24, "rgb24", 1, {15}, {3}},
        {SL_PIX_BGRA, "bgra", 1, {20}, {3}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_pixel_info *info = sl_pixel_info(cases[i].format);
        assert_non_null(info);
        assert_int_equal(info->planes, cases[i].planes);
        assert_int_equal(sl_pixel_find(cases[i].name), cases[i].format);
        for (int p = 0; p < 3; p++) {
            assert_int_equal(sl_plane_bytes(cases[i].format, p, 5), cases[i].bytes[p]);
            assert_int_equal(sl_plane_rows(cases[i].format, p, 3), cases[i].rows[p]);
        }
    }
    for (int f = SL_PIX_NONE + 1; f < SL_PIX_COUNT; f++) {
        const struct sl_pixel_info *info = sl_pixel_info((enum sl_pixel_format)f);
        assert_non_null(info);
        assert_int_equal(sl_pixel_find(info->name), f);
        assert_int_equal(info->sample_bytes, info->depth > 8 ? 2 : 1);
        assert_int_equal(sl_plane_bytes((enum sl_pixel_format)f, info->planes, 5), 0);
        assert_int_equal(sl_plane_bytes((enum sl_pixel_format)f, -1, 5), 0);
    }
    assert_null(sl_pixel_info(SL_PIX_NONE));
    assert_null(sl_pixel_info(SL_PIX_COUNT));
    assert_null(sl_pixel_info((enum sl_pixel_format) - 1));
    assert_int_equal(sl_pixel_find("yuv420p9"), SL_PIX_NONE);
    assert_int_equal(sl_pixel_find(""), SL_PIX_NONE);
    assert_int_equal(sl_pixel_find(NULL), SL_PIX_NONE);
    assert_int_equal(sl_plane_bytes(SL_PIX_RGBA, 0, INT32_MAX), INT64_C(4) * INT32_MAX);
    assert_int_equal(sl_plane_rows(SL_PIX_YUV420P, 1, INT32_MAX), 1 << 30);
}

/* Every byte of every plane may be written, planes do not touch, rows are aligned. */
static void check_planes(struct sl_frame *f)
{
    const struct sl_pixel_info *info = sl_pixel_info(f->format);
    for (int p = 0; p < info->planes; p++) {
        const int64_t bytes = sl_plane_bytes(f->format, p, f->width);
        const int32_t rows = sl_plane_rows(f->format, p, f->height);
        assert_int_equal((uintptr_t)f->plane[p] % SL_BUF_ALIGN, 0);
        assert_int_equal(f->stride[p] % SL_BUF_ALIGN, 0);
        assert_true(f->stride[p] >= bytes);
        for (int32_t y = 0; y < rows; y++) {
            memset(f->plane[p] + y * f->stride[p], 'a' + p, (size_t)bytes);
        }
        const uint8_t *end = f->plane[p] + rows * f->stride[p] + SL_BUF_PADDING;
        assert_true(end <= f->buf[0]->data + f->buf[0]->size);
        if (p + 1 < info->planes) {
            assert_true(end <= f->plane[p + 1]);
        }
    }
    for (int p = 0; p < info->planes; p++) {
        assert_int_equal(f->plane[p][0], 'a' + p);
    }
}

static void test_video(void **state)
{
    (void)state;
    for (int format = SL_PIX_NONE + 1; format < SL_PIX_COUNT; format++) {
        static const int32_t sizes[][2] = {{1, 1}, {2, 2}, {63, 5}, {64, 64}, {65, 3}, {16384, 1}};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct sl_frame *f = NULL;
            size_t size = 0;
            assert_int_equal(sl_frame_create_video(&f, (enum sl_pixel_format)format, sizes[i][0],
                                                   sizes[i][1], NULL, NULL),
                             SL_OK);
            assert_true(
                sl_frame_video_size((enum sl_pixel_format)format, sizes[i][0], sizes[i][1], &size));
            assert_int_equal(size, f->buf[0]->size);
            assert_int_equal(f->kind, SL_KIND_VIDEO);
            assert_int_equal(f->pts, SL_NO_TIME);
            assert_int_equal(f->colour.matrix, 2);
            check_planes(f);
            sl_frame_unref(&f);
            assert_null(f);
        }
    }
}

static void test_video_refused(void **state)
{
    static const int32_t sizes[][2] = {{0, 1}, {1, 0}, {-1, 2}, {16385, 1}, {1, INT32_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sl_frame *f = NULL;
        struct sl_error err = {0};
        size_t size;
        assert_false(sl_frame_video_size(SL_PIX_NV12, sizes[i][0], sizes[i][1], &size));
        assert_int_equal(
            sl_frame_create_video(&f, SL_PIX_NV12, sizes[i][0], sizes[i][1], NULL, &err),
            SL_EINVAL);
        assert_int_equal(err.status, SL_EINVAL);
        assert_null(f);
    }
    struct sl_frame *f = NULL;
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_NONE, 16, 16, NULL, NULL), SL_EINVAL);
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_COUNT, 16, 16, NULL, NULL), SL_EINVAL);
}

static void test_pool(void **state)
{
    struct sl_buf_pool *pool = NULL;
    struct sl_frame *f = NULL;
    size_t size = 0;
    (void)state;

    assert_true(sl_frame_video_size(SL_PIX_YUV420P, 320, 180, &size));
    assert_int_equal(sl_buf_pool_create(&pool, size, 2, NULL), SL_OK);
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_YUV420P, 320, 180, pool, NULL), SL_OK);
    const uint8_t *block = f->buf[0]->data;
    check_planes(f);
    sl_frame_unref(&f);
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_YUV420P, 320, 180, pool, NULL), SL_OK);
    assert_ptr_equal(f->buf[0]->data, block);
    sl_frame_unref(&f);
    /* A pool made for another size is the caller's mistake, and no overrun. */
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_YUV444P, 320, 180, pool, NULL), SL_EINVAL);
    assert_null(f);
    sl_buf_pool_destroy(&pool);
}

static void test_audio(void **state)
{
    struct sl_frame *f = NULL;
    (void)state;

    assert_int_equal(sl_frame_create_audio(&f, 6, 0x3f, 48000, 1025, NULL), SL_OK);
    assert_int_equal(f->kind, SL_KIND_AUDIO);
    assert_int_equal(f->sample_format, SL_SAMPLE_F32P);
    for (int c = 0; c < 6; c++) {
        float *samples = (float *)(void *)f->plane[c];
        assert_int_equal((uintptr_t)samples % SL_BUF_ALIGN, 0);
        for (int i = 0; i < 1025; i++) {
            assert_true(samples[i] == 0.0f);
            samples[i] = 1.0f;
        }
    }
    sl_frame_unref(&f);
    assert_int_equal(sl_frame_create_audio(&f, 0, 0, 48000, 1024, NULL), SL_EINVAL);
    assert_int_equal(sl_frame_create_audio(&f, SL_FRAME_PLANES + 1, 0, 48000, 1024, NULL),
                     SL_EINVAL);
    assert_int_equal(sl_frame_create_audio(&f, 2, 3, 48000, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_frame_create_audio(&f, 2, 3, 0, 1024, NULL), SL_EINVAL);
    assert_null(f);
}

static void test_share(void **state)
{
    struct sl_frame *a = NULL;
    struct sl_frame *b = NULL;
    (void)state;

    assert_int_equal(sl_frame_create_video(&a, SL_PIX_NV12, 32, 16, NULL, NULL), SL_OK);
    a->pts = 7;
    a->duration = 2;
    a->flags = SL_FRAME_KEY;
    a->sample_aspect = (struct sl_rational){4, 3};
    a->colour.matrix = 1;
    assert_int_equal(sl_frame_share(&b, a, NULL), SL_OK);
    assert_int_equal(b->pts, 7);
    assert_int_equal(b->flags, SL_FRAME_KEY);
    assert_int_equal(b->sample_aspect.num, 4);
    assert_int_equal(b->colour.matrix, 1);
    assert_int_equal(b->width, 32);
    assert_ptr_equal(b->plane[1], a->plane[1]);
    b->pts = 8;
    assert_int_equal(a->pts, 7);

    struct sl_frame *c = sl_frame_ref(a);
    sl_frame_unref(&a);
    assert_int_equal(c->pts, 7);
    sl_frame_unref(&c);
    memset(b->plane[0], 1, 32); /* alive through b alone */
    sl_frame_unref(&b);
    sl_frame_unref(&b);
    sl_frame_unref(NULL);
}

static void test_packet(void **state)
{
    struct sl_packet *p = NULL;
    uint8_t *data = NULL;
    (void)state;

    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    assert_int_equal(p->pts, SL_NO_TIME);
    assert_int_equal(p->dts, SL_NO_TIME);
    assert_int_equal(p->duration, SL_NO_TIME);
    assert_int_equal(p->position, -1);
    assert_int_equal(p->payload.size, 0);
    sl_packet_unref(&p);

    assert_int_equal(sl_packet_create_data(&p, 1000, &data, NULL), SL_OK);
    memset(data, 5, 1000);
    assert_int_equal(p->payload.size, 1000);
    struct sl_packet *q = sl_packet_ref(p);
    sl_packet_unref(&p);
    uint8_t last = 0;
    assert_int_equal(sl_chain_read(&q->payload, 999, &last, 1, NULL), SL_OK);
    assert_int_equal(last, 5);
    sl_packet_unref(&q);

    assert_int_equal(sl_packet_create_data(&p, 0, &data, NULL), SL_OK);
    assert_int_equal(p->payload.size, 0);
    sl_packet_unref(&p);
    sl_packet_unref(&p);
    sl_packet_unref(NULL);
}

static void test_track(void **state)
{
    struct sl_track a;
    struct sl_track b;
    (void)state;

    sl_track_init(&a);
    sl_track_init(&b);
    assert_int_equal(a.start, SL_NO_TIME);
    assert_int_equal(a.timebase.den, 1);
    assert_int_equal(a.profile, -1);
    assert_int_equal(a.level, -1);
    assert_int_equal(a.reorder, -1);
    assert_int_equal(a.colour.primaries, 2);
    assert_int_equal(a.colour.range, SL_RANGE_UNSPECIFIED);
    assert_int_equal(sl_track_set_config(&a, "abc", 3, NULL), SL_OK);
    assert_int_equal(sl_track_set_config(&a, a.config + 1, 2, NULL), SL_OK); /* of itself */
    assert_memory_equal(a.config, "bc", 2);
    a.codec = SL_CODEC_AAC;
    a.sample_rate = 44100;
    assert_int_equal(sl_track_copy(&b, &a, NULL), SL_OK);
    assert_ptr_not_equal(b.config, a.config);
    assert_int_equal(b.config_size, 2);
    assert_memory_equal(b.config, "bc", 2);
    assert_int_equal(b.sample_rate, 44100);
    assert_int_equal(sl_track_set_config(&a, NULL, 0, NULL), SL_OK);
    assert_null(a.config);
    sl_track_clear(&a);
    sl_track_clear(&b);
    assert_null(b.config);
    assert_int_equal(b.sample_rate, 0);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SL_CODEC_COUNT; i++) {
        const char *name = sl_codec_name((enum sl_codec)i);
        assert_non_null(name);
        assert_true(strlen(name) > 1 && strlen(name) < 32);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, sl_codec_name((enum sl_codec)j));
        }
    }
    assert_string_equal(sl_codec_name(SL_CODEC_EAC3), "eac3");
    assert_string_equal(sl_codec_name(SL_CODEC_COUNT), "unknown");
    assert_string_equal(sl_codec_name((enum sl_codec) - 1), "unknown");
    assert_string_equal(sl_kind_name(SL_KIND_VIDEO), "video");
    assert_string_equal(sl_kind_name((enum sl_media_kind)99), "unknown");
}

static void test_colour(void **state)
{
    static const struct {
        struct sl_colour in;
        bool rgb;
        int32_t height;
        struct sl_colour out;
    } cases[] = {
        {{2, 2, 2, 0, 0}, false, 720, {1, 1, 1, SL_RANGE_LIMITED, 0}},
        {{2, 2, 2, 0, 0}, false, 719, {6, 6, 6, SL_RANGE_LIMITED, 0}},
        {{2, 2, 2, 0, 0}, true, 1080, {1, 1, 1, SL_RANGE_FULL, 0}},
        {{2, 2, 0, 0, 0}, true, 1080, {1, 1, 0, SL_RANGE_FULL, 0}},
        {{2, 2, 0, 0, 0}, false, 1080, {1, 1, 1, SL_RANGE_LIMITED, 0}},
        {{0, 0, 2, 0, 0}, false, 480, {6, 6, 6, SL_RANGE_LIMITED, 0}},
        {{5, 2, 2, 2, 1}, false, 1080, {5, 6, 1, SL_RANGE_FULL, 1}},
        {{9, 2, 2, 0, 0}, false, 480, {9, 14, 9, SL_RANGE_LIMITED, 0}},
        {{2, 16, 9, 0, 0}, false, 480, {9, 16, 9, SL_RANGE_LIMITED, 0}},
        {{1, 13, 6, 1, 3}, false, 2160, {1, 13, 6, SL_RANGE_LIMITED, 3}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_colour c = sl_colour_complete(cases[i].in, cases[i].rgb, cases[i].height);
        assert_memory_equal(&c, &cases[i].out, sizeof c);
    }
}

static enum sl_status make_all(void *arg)
{
    struct sl_frame *video = NULL;
    struct sl_frame *audio = NULL;
    struct sl_frame *share = NULL;
    struct sl_packet *packet = NULL;
    struct sl_track track;
    struct sl_track copy;
    struct sl_error err = {0};
    uint8_t *data = NULL;
    enum sl_status status;
    (void)arg;

    sl_track_init(&track);
    sl_track_init(&copy);
    status = sl_frame_create_video(&video, SL_PIX_YUV420P, 64, 64, NULL, &err);
    if (status == SL_OK) {
        status = sl_frame_share(&share, video, &err);
    }
    if (status == SL_OK) {
        status = sl_frame_create_audio(&audio, 2, 3, 48000, 1024, &err);
    }
    if (status == SL_OK) {
        status = sl_packet_create_data(&packet, 100, &data, &err);
    }
    if (status == SL_OK) {
        status = sl_track_set_config(&track, "config", 6, &err);
    }
    if (status == SL_OK) {
        status = sl_track_copy(&copy, &track, &err);
    }
    assert_int_equal(err.status, status);
    sl_frame_unref(&share);
    sl_frame_unref(&video);
    sl_frame_unref(&audio);
    sl_packet_unref(&packet);
    sl_track_clear(&track);
    sl_track_clear(&copy);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(make_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_video),
        cmocka_unit_test(test_video_refused), cmocka_unit_test(test_pool),
        cmocka_unit_test(test_audio),         cmocka_unit_test(test_share),
        cmocka_unit_test(test_packet),        cmocka_unit_test(test_track),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_colour),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
