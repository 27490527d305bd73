/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "failing_alloc.h"
#include "media/codec_string.h"
#include "media/pixel.h"
#include "media/track.h"
#include "random.h"
#include "unit.h"
#include "vectors.h"

static const struct vector {
    const char *expected; /* NULL: there is none */
    enum sl_codec codec;
    size_t size;
    uint8_t config[24];
} vectors[] = {
    /* RFC 6381 3.3 and what players test with */
    {"avc1.42e01e", SL_CODEC_H264, 7, {1, 0x42, 0xe0, 0x1e, 0xff, 0xe0, 0}},
    {"avc1.64001f", SL_CODEC_H264, 7, {1, 0x64, 0x00, 0x1f, 0xff, 0xe0, 0}},
    {"avc1.4d400d", SL_CODEC_H264, 7, {1, 0x4d, 0x40, 0x0d, 0xff, 0xe0, 0}},
    /* ISO/IEC 14496-15 annex E: Main, progressive and frame only, level 3.1 */
    {"hvc1.1.6.L93.B0", SL_CODEC_HEVC, 23, {1,  0x01, 0x60, 0,    0,    0,    0xb0, 0, 0, 0,  0, 0,
                                            93, 0xf0, 0,    0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 15, 0}},
    {"hvc1.2.4.H153.90", SL_CODEC_HEVC, 23, {1,    0x22, 0x20, 0, 0,   0,    0x90, 0,
                                             0,    0,    0,    0, 153, 0xf0, 0,    0xfc,
                                             0xfd, 0xfa, 0xfa, 0, 0,   15,   0}},
    {"hvc1.A4.41.H120.B0.23", SL_CODEC_HEVC, 23, {1,    0x64, 0x82, 0, 0,   0,    0xb0, 0x23,
                                                  0,    0,    0,    0, 120, 0xf0, 0,    0xfc,
                                                  0xfd, 0xfa, 0xfa, 0, 0,   15,   0}},
    {"hvc1.4.10.L90.8.0.0.0.0.1", SL_CODEC_HEVC, 23, {1,    0x04, 0x08, 0, 0,  0,    0x08, 0,
                                                      0,    0,    0,    1, 90, 0xf0, 0,    0xfc,
                                                      0xfd, 0xfa, 0xfa, 0, 0,  15,   0}},
    {"hvc1.1.80000000.L30", SL_CODEC_HEVC, 23, {1,  0x01, 0, 0,    0,    1,    0,    0, 0, 0,  0, 0,
                                                30, 0xf0, 0, 0xfc, 0xfd, 0xfa, 0xfa, 0, 0, 15, 0}},
    {"mp4a.40.2", SL_CODEC_AAC, 2, {0x12, 0x10}},
    {"mp4a.40.2", SL_CODEC_AAC, 5, {0x13, 0x90, 0x56, 0xe5, 0xa0}}, /* SBR, compatible */
    {"mp4a.40.5", SL_CODEC_AAC, 4, {0x2b, 0x92, 0x08, 0x00}},
    {"mp4a.40.29", SL_CODEC_AAC, 4, {0xeb, 0x8a, 0x08, 0x00}},
    {"mp4a.40.42", SL_CODEC_AAC, 4, {0xf9, 0x46, 0x40, 0x00}}, /* xHE-AAC */
    {"mp4a.6B", SL_CODEC_MP3, 0, {0}},
    {"ac-3", SL_CODEC_AC3, 0, {0}},
    {"ec-3", SL_CODEC_EAC3, 0, {0}},
    {"Opus", SL_CODEC_OPUS, 0, {0}},
    {"fLaC", SL_CODEC_FLAC, 0, {0}},
    {"alac", SL_CODEC_ALAC, 0, {0}},
    /* AV1 Codec ISO Media File Format Binding, section 5 */
    {"av01.0.04M.08", SL_CODEC_AV1, 4, {0x81, 0x04, 0x0c, 0}},
    {"av01.0.04M.10", SL_CODEC_AV1, 4, {0x81, 0x04, 0x4c, 0}},
    {"av01.2.19H.12.0.100.02.02.02.0", SL_CODEC_AV1, 4, {0x81, 0x53, 0xe8, 0}},
    {"av01.0.13M.10", SL_CODEC_AV1, 4, {0x81, 0x0d, 0x4c, 0}},
    /* VP Codec ISO Media File Format Binding */
    {"vp09.00.31.08", SL_CODEC_VP9, 12, {1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0}},
    {"vp09.02.10.10.01.09.16.09.01", SL_CODEC_VP9, 12, {1, 0, 0, 0, 2, 10, 0xa3, 9, 16, 9, 0, 0}},
    {"vp09.01.50.08.03.02.02.02.00", SL_CODEC_VP9, 12, {1, 0, 0, 0, 1, 50, 0x86, 2, 2, 2, 0, 0}},
    {"vp09.00.31.08", SL_CODEC_VP9, 12, {1, 0, 0, 0, 0, 31, 0x80, 2, 2, 2, 0, 0}},
    {"vp08.00.41.08", SL_CODEC_VP8, 12, {1, 0, 0, 0, 0, 41, 0x82, 2, 2, 2, 0, 0}},
    /* No config, or another */
    {NULL, SL_CODEC_H264, 0, {0}},
    {NULL, SL_CODEC_HEVC, 0, {0}},
    {NULL, SL_CODEC_AAC, 0, {0}},
    {NULL, SL_CODEC_AV1, 0, {0}},
    {NULL, SL_CODEC_AV1, 4, {0x01, 0x04, 0x0c, 0}},
    {NULL, SL_CODEC_VP9, 0, {0}},
    {NULL, SL_CODEC_DTS, 0, {0}},
    {NULL, SL_CODEC_PCM, 0, {0}},
    {NULL, SL_CODEC_UNKNOWN, 0, {0}},
    {NULL, SL_CODEC_COUNT, 0, {0}},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        char text[SL_CODEC_STRING_MAX] = "x";
        struct sl_track t;
        struct sl_error err = {0};

        sl_track_init(&t);
        t.codec = v->codec;
        assert_int_equal(sl_track_set_config(&t, v->config, v->size, NULL), SL_OK);
        const enum sl_status status = sl_codec_string(&t, text, &err);
        assert_string_equal(text, v->expected ? v->expected : "");
        assert_int_equal(status, v->expected ? SL_OK : SL_EUNSUPPORTED);
        assert_int_equal(err.status, status);
        sl_track_clear(&t);
    }
}

/* A config that is damaged is an error of its own, and leaves nothing behind. */
static void test_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        for (size_t size = 1; v->expected && size < v->size; size++) {
            char text[SL_CODEC_STRING_MAX];
            struct sl_track t;
            sl_track_init(&t);
            t.codec = v->codec;
            assert_int_equal(sl_track_set_config(&t, v->config, size, NULL), SL_OK);
            const enum sl_status status = sl_codec_string(&t, text, NULL);
            assert_true((status == SL_OK) == (text[0] != '\0'));
            sl_track_clear(&t);
        }
    }
}

/* WebM has no vpcC: the fields must do. */
static void test_vp_fields(void **state)
{
    static const struct {
        const char *expected;
        enum sl_codec codec;
        int32_t width, height, rate, profile, level, depth;
        enum sl_pixel_format format;
        struct sl_colour colour;
    } cases[] = {
        {"vp09.00.31.08", SL_CODEC_VP9, 1280, 720, 30, 0, -1, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {"vp09.00.40.08", SL_CODEC_VP9, 1280, 720, 60, 0, -1, 8, SL_PIX_YUV420P, {1, 1, 1, 1, 0}},
        {"vp09.00.50.08", SL_CODEC_VP9, 3840, 2160, 30, 0, -1, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {"vp09.00.10.08", SL_CODEC_VP9, 128, 96, 0, 0, -1, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {"vp09.02.41.10.01.09.16.09.00",
         SL_CODEC_VP9,
         1920,
         1080,
         60,
         2,
         41,
         10,
         SL_PIX_YUV420P10,
         {9, 16, 9, 1, 0}},
        {"vp09.01.21.08.03.02.02.02.00",
         SL_CODEC_VP9,
         320,
         180,
         30,
         1,
         21,
         8,
         SL_PIX_YUV444P,
         {2, 2, 2, 0, 0}},
        {"vp08.00.21.08", SL_CODEC_VP8, 640, 332, 24, -1, -1, 0, SL_PIX_NONE, {2, 2, 2, 0, 0}},
        {NULL, SL_CODEC_VP9, 1280, 720, 30, -1, 31, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {NULL, SL_CODEC_VP9, 1280, 720, 30, 0, 31, 0, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {NULL, SL_CODEC_VP9, 0, 0, 30, 0, 31, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
        {NULL, SL_CODEC_VP9, 16384, 16384, 30, 0, -1, 8, SL_PIX_YUV420P, {2, 2, 2, 0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[SL_CODEC_STRING_MAX];
        struct sl_track t;
        sl_track_init(&t);
        t.codec = cases[i].codec;
        t.width = cases[i].width;
        t.height = cases[i].height;
        t.frame_rate = (struct sl_rational){cases[i].rate, 1};
        t.profile = cases[i].profile;
        t.level = cases[i].level;
        t.bit_depth = cases[i].depth;
        t.pixel_format = (int32_t)cases[i].format;
        t.colour = cases[i].colour;
        assert_int_equal(sl_codec_string(&t, text, NULL),
                         cases[i].expected ? SL_OK : SL_EUNSUPPORTED);
        assert_string_equal(text, cases[i].expected ? cases[i].expected : "");
    }
}

static void put_unit(struct sl_writer *w, const uint8_t *data, size_t size)
{
    sl_write_be32(w, 1);
    sl_write_bytes(w, data, size);
}

/* Transport streams have no records: parameter sets as Annex B, and the type that ADTS states. */
static enum sl_status transport_stream(void *arg)
{
    const struct h264_vector *h264 = &h264_vectors[2];
    const struct hevc_vector *hevc = &hevc_vectors[0];
    struct sl_writer w;
    struct sl_track t;
    char avc[SL_CODEC_STRING_MAX];
    char hvc[SL_CODEC_STRING_MAX];
    char aac[SL_CODEC_STRING_MAX];
    enum sl_status status;
    (void)arg;

    sl_writer_init(&w, 4096);
    put_unit(&w, h264->sps, h264->sps_size);
    put_unit(&w, h264->pps, h264->pps_size);
    const size_t first = w.size;
    put_unit(&w, hevc->vps, hevc->vps_size);
    put_unit(&w, hevc->sps, hevc->sps_size);
    put_unit(&w, hevc->pps, hevc->pps_size);
    status = sl_writer_finish(&w, NULL);
    if (status != SL_OK) {
        goto out;
    }
    sl_track_init(&t);
    t.codec = SL_CODEC_H264;
    t.config = w.data; /* read only */
    t.config_size = first;
    status = sl_codec_string(&t, avc, NULL);
    if (status == SL_OK) {
        t.codec = SL_CODEC_HEVC;
        t.config += first;
        t.config_size = w.size - first;
        status = sl_codec_string(&t, hvc, NULL);
    } else {
        assert_string_equal(avc, "");
    }
    if (status == SL_OK) {
        t.codec = SL_CODEC_AAC;
        t.config = NULL;
        t.config_size = 0;
        t.profile = 2;
        status = sl_codec_string(&t, aac, NULL);
    }
    if (status == SL_OK) {
        assert_string_equal(avc, "avc1.640028");
        assert_string_equal(hvc, "hvc1.1.6.L120.90");
        assert_string_equal(aac, "mp4a.40.2");
    }
out:
    sl_writer_clear(&w);
    return status;
}

static void test_transport_stream(void **state)
{
    (void)state;
    assert_int_equal(transport_stream(NULL), SL_OK);
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(transport_stream, NULL);
}

static void test_garbage(void **state)
{
    uint64_t random = 8;
    (void)state;
    for (int run = 0; run < 50000; run++) {
        uint8_t bytes[32];
        char text[SL_CODEC_STRING_MAX];
        struct sl_track t;
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(random_below(&random, 3) ? random_next(&random) : 1);
        }
        sl_track_init(&t);
        t.codec = (enum sl_codec)random_below(&random, SL_CODEC_COUNT);
        assert_int_equal(sl_track_set_config(&t, bytes, random_below(&random, 33), NULL), SL_OK);
        const enum sl_status status = sl_codec_string(&t, text, NULL);
        assert_true(strlen(text) < SL_CODEC_STRING_MAX - 10);
        assert_true((status == SL_OK) == (text[0] != '\0'));
        sl_track_clear(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_vp_fields), cmocka_unit_test(test_transport_stream),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
