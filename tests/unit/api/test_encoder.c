/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/encode.h>

#include "failing_alloc.h"
#include "media/h264.h"
#include "unit.h"

#define WIDTH  320
#define HEIGHT 180

static struct sl_encoder_params settings(void)
{
    struct sl_encoder_params p;
    assert_int_equal(sl_encoder_params_default(&p, sizeof p, NULL), SL_OK);
    p.size[0] = WIDTH;
    p.size[1] = HEIGHT;
    (void)strcpy(p.backend, "x264");
    (void)strcpy(p.preset, "ultrafast");
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

/* A picture of RGB24 that moves. */
static struct sl_picture picture(uint8_t *pixels, int i)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *at = pixels + ((ptrdiff_t)y * WIDTH + x) * 3;
            at[0] = (uint8_t)(x + 3 * i);
            at[1] = (uint8_t)(y + 2 * i);
            at[2] = (uint8_t)((x * y) / 64 + i);
        }
    }
    return (struct sl_picture){.struct_size = sizeof(struct sl_picture),
                               .format = SL_PICTURE_RGB24,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .plane = {pixels},
                               .stride = {WIDTH * 3},
                               .pts = SL_NO_TIME,
                               .token = (uint64_t)i + 1000};
}

static size_t count_units(const struct sl_access_unit *u, unsigned type)
{
    struct sl_nal_walker w = {.data = u->data, .size = u->size};
    struct sl_nal nal;
    size_t n = 0;
    while (sl_nal_next_annexb(&w, &nal)) {
        n += (nal.data[0] & 0x1fu) == type;
    }
    return n;
}

static void one_in_one_out(void **state)
{
    (void)state;
    struct sl_encoder_params p = settings();
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    struct sl_encoder_stats stats;
    p.gop = 10;
    struct sl_encoder *e = open_with(&p);
    char codecs[64], emitted[64] = "";
    (void)snprintf(codecs, sizeof codecs, "%s", sl_encoder_codec_string(e));
    struct sl_access_unit u;
    assert_int_equal(sl_encoder_receive(e, &u, NULL), SL_EAGAIN);
    for (int i = 0; i < 25; i++) {
        struct sl_picture in = picture(pixels, i);
        in.flags = i == 13 ? SL_PICTURE_IDR : 0;
        assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
        bool key = i == 0 || i == 10 || i == 13 || i == 23;
        assert_int_equal(u.key, key);
        assert_int_equal(count_units(&u, SL_H264_SPS), key);
        assert_int_equal(count_units(&u, SL_H264_PPS), key);
        assert_int_equal(count_units(&u, SL_H264_IDR) > 0, key);
        if (key) { /* the SPS stands first: type, profile, constraints, level */
            (void)snprintf(emitted, sizeof emitted, "avc1.%02x%02x%02x", u.data[5], u.data[6],
                           u.data[7]);
            assert_string_equal(emitted, codecs);
        }
        assert_int_equal(u.token, 1000 + i);
        assert_int_equal(u.pts, i);
        assert_int_equal(u.dts, i);
        assert_true(u.qp > 0 && u.qp < 52);
        assert_true(u.encode_ns > 0 && u.convert_ns > 0);
        assert_true(u.header_size < u.size);
        sl_access_unit_clear(&u);
        sl_access_unit_clear(&u);
    }
    sl_encoder_get_stats(e, &stats);
    assert_int_equal(stats.units, 25);
    assert_int_equal(stats.keys, 4);
    assert_int_equal(sl_encoder_drain(e, NULL), SL_OK);
    assert_int_equal(sl_encoder_receive(e, &u, NULL), SL_EOF);
    /* After the drain it begins anew. */
    struct sl_picture in = picture(pixels, 25);
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
    assert_int_equal(u.key, 1);
    assert_int_equal(u.pts, 25);
    sl_access_unit_clear(&u);
    sl_encoder_close(e);
    sl_encoder_close(e);
    assert_int_equal(sl_encoder_send(e, &in, NULL), SL_EINVAL);
    assert_int_equal(sl_encoder_drain(e, NULL), SL_EINVAL);
    sl_encoder_destroy(&e);
    sl_encoder_destroy(&e);
    free(pixels);
}

static void in_every_mode(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    for (int latency = SL_LATENCY_SYNC; latency <= SL_LATENCY_LOOKAHEAD; latency++) {
        struct sl_encoder_params p = settings();
        p.latency = latency;
        p.depth = 3;
        p.rate = (struct sl_rational){30000, 1001};
        p.timebase = (struct sl_rational){1, 90000};
        (void)strcpy(p.preset, "veryfast");
        struct sl_encoder *e = open_with(&p);
        struct sl_access_unit u;
        int out = 0, sent = 0;
        bool seen[80] = {false};
        int64_t last = INT64_MIN;
        enum sl_status status = SL_OK;
        while (status != SL_EOF) {
            if (sent < 80) {
                struct sl_picture in = picture(pixels, sent);
                status = sl_encoder_send(e, &in, NULL);
                assert_true(status == SL_OK || status == SL_EAGAIN);
                sent += status == SL_OK;
            } else {
                assert_int_equal(sl_encoder_drain(e, NULL), SL_OK);
            }
            while ((status = sl_encoder_receive(e, &u, NULL)) == SL_OK) {
                size_t i = (size_t)u.token - 1000;
                assert_true(i < 80 && !seen[i]);
                seen[i] = true;
                /* 3003 ticks each, to the tick */
                assert_int_equal(u.pts, 3003 * (int64_t)i);
                assert_true(u.dts <= u.pts && u.dts > last);
                last = u.dts;
                if (latency != SL_LATENCY_LOOKAHEAD) {
                    assert_int_equal(u.dts, u.pts);
                    assert_true(sent - out <= (latency == SL_LATENCY_SYNC ? 1 : 4));
                }
                out++;
                sl_access_unit_clear(&u);
            }
            assert_true(status == SL_EAGAIN || status == SL_EOF);
        }
        assert_int_equal(out, 80);
        sl_encoder_destroy(&e);
    }
    free(pixels);
}

static void count_release(void *opaque)
{
    ++*(int *)opaque;
}

static void formats_and_releases(void **state)
{
    (void)state;
    static const struct {
        int format, planes;
        int64_t stride[3];
    } rows[] = {
        {SL_PICTURE_NV12, 2, {WIDTH, WIDTH, 0}},     {SL_PICTURE_I420, 3, {WIDTH, 160, 160}},
        {SL_PICTURE_I444, 3, {WIDTH, WIDTH, WIDTH}}, {SL_PICTURE_P010, 2, {640, 640, 0}},
        {SL_PICTURE_RGB24, 1, {960, 0, 0}},          {SL_PICTURE_BGR24, 1, {960, 0, 0}},
        {SL_PICTURE_RGBA, 1, {1280, 0, 0}},          {SL_PICTURE_BGRA, 1, {1280, 0, 0}},
    };
    struct sl_encoder_params p = settings();
    struct sl_encoder *e = open_with(&p);
    struct sl_access_unit u;
    int released = 0, wanted = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *memory = calloc(1, (size_t)WIDTH * HEIGHT * 4);
        struct sl_picture in = {.struct_size = sizeof in,
                                .format = rows[i].format,
                                .width = WIDTH,
                                .height = HEIGHT,
                                .pts = SL_NO_TIME,
                                .release = count_release,
                                .opaque = &released};
        for (int k = 0; k < rows[i].planes; k++) {
            in.plane[k] = memory;
            in.stride[k] = rows[i].stride[k];
        }
        struct sl_error err = {0};
        if (sl_encoder_encode(e, &in, &u, &err) != SL_OK) {
            fail_msg("format %d: %s: %s", rows[i].format, err.where, err.msg);
        }
        sl_access_unit_clear(&u);
        assert_int_equal(released, ++wanted);
        /* Refused: not released. */
        in.stride[0]--;
        assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_EINVAL);
        assert_int_equal(released, wanted);
        /* Upside down. */
        in.stride[0] = -rows[i].stride[0];
        in.plane[0] = memory + (HEIGHT - 1) * rows[i].stride[0];
        assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
        assert_int_equal(released, ++wanted);
        sl_access_unit_clear(&u);
        free(memory);
    }
    sl_encoder_destroy(&e);
}

static void changes(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    struct sl_encoder_params p = settings();
    struct sl_access_unit u;
    struct sl_error err = {0};
    int idr = -1;
    p.gop = 0;
    p.bitrate = 400000;
    p.maxrate = 400000;
    p.buffer = 100000;
    p.max_size[0] = 2 * WIDTH;
    p.max_size[1] = 2 * HEIGHT;
    struct sl_encoder *e = open_with(&p);
    for (int i = 0; i < 30; i++) {
        struct sl_picture in = picture(pixels, i);
        if (i == 10) {
            p.bitrate = p.maxrate = 1600000;
            p.buffer = 400000;
            assert_int_equal(sl_encoder_reconfigure(e, &p, &idr, NULL), SL_OK);
            assert_int_equal(idr, 0);
        }
        if (i == 20) {
            p.rate = (struct sl_rational){60, 1};
            assert_int_equal(sl_encoder_reconfigure(e, &p, &idr, NULL), SL_OK);
            assert_int_equal(idr, 1);
        }
        assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
        assert_int_equal(u.key, i == 0 || i == 20);
        assert_int_equal(u.token, 1000 + i);
        sl_access_unit_clear(&u);
    }
    /* Something that may not change, and a size above what was declared. */
    struct sl_encoder_params bad = p;
    bad.gop = 5;
    assert_int_equal(sl_encoder_reconfigure(e, &bad, &idr, &err), SL_EINVAL);
    assert_string_equal(err.where, "gop");
    bad = p;
    bad.size[0] = 4 * WIDTH;
    assert_int_equal(sl_encoder_reconfigure(e, &bad, &idr, NULL), SL_EINVAL);
    /* Half the height. */
    p.size[1] = HEIGHT / 2;
    assert_int_equal(sl_encoder_reconfigure(e, &p, &idr, NULL), SL_OK);
    assert_int_equal(idr, 1);
    struct sl_picture in = picture(pixels, 30);
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_EINVAL);
    in.height = HEIGHT / 2;
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
    assert_int_equal(u.key, 1);
    sl_access_unit_clear(&u);
    sl_encoder_destroy(&e);
    free(pixels);
}

/* 4:4:4 has no half samples. A bitrate that nothing holds to cannot be changed in x264. */
static void odd_and_unbounded(void **state)
{
    (void)state;
    struct sl_encoder_params p = settings();
    struct sl_access_unit u;
    int idr = -1;
    p.size[0] = 321;
    p.size[1] = 179;
    p.bitrate = 300000;
    p.gop = 0;
    (void)strcpy(p.profile, "high444");
    struct sl_encoder *e = open_with(&p);
    uint8_t *planes = calloc(1, (size_t)321 * 179);
    struct sl_picture in = {.struct_size = sizeof in,
                            .format = SL_PICTURE_I444,
                            .width = 321,
                            .height = 179,
                            .plane = {planes, planes, planes},
                            .stride = {321, 321, 321},
                            .pts = SL_NO_TIME};
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
    sl_access_unit_clear(&u);
    p.bitrate = 900000;
    assert_int_equal(sl_encoder_reconfigure(e, &p, &idr, NULL), SL_OK);
    assert_int_equal(idr, 1);
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
    assert_int_equal(u.key, 1);
    sl_access_unit_clear(&u);
    sl_encoder_destroy(&e);
    free(planes);
}

static void recovers(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    static const struct {
        int loss_recovery, intra_refresh;
        enum sl_encoder_recovery how;
    } rows[] = {
        {0, 0, SL_RECOVERY_IDR}, {1, 0, SL_RECOVERY_REFERENCE}, {0, 1, SL_RECOVERY_REFRESH}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct sl_encoder_params p = settings();
        enum sl_encoder_recovery how = SL_RECOVERY_IDR;
        p.loss_recovery = rows[k].loss_recovery;
        p.intra_refresh = rows[k].intra_refresh;
        p.gop = rows[k].intra_refresh ? 60 : 0;
        struct sl_encoder *e = open_with(&p);
        struct sl_access_unit u;
        for (int i = 0; i < 20; i++) {
            struct sl_picture in = picture(pixels, i);
            if (i == 10) {
                assert_int_equal(sl_encoder_recover(e, 1008, &how, NULL), SL_OK);
                assert_int_equal(how, rows[k].how);
            }
            assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_OK);
            assert_int_equal(u.key, i == 0 || (i == 10 && rows[k].how == SL_RECOVERY_IDR));
            sl_access_unit_clear(&u);
        }
        assert_int_equal(sl_encoder_recover(e, 7, &how, NULL), SL_ENOTFOUND);
        sl_encoder_destroy(&e);
    }
    free(pixels);
}

static void user_data(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    uint8_t data[600] = {0};
    struct sl_encoder_params p = settings();
    struct sl_encoder *e = open_with(&p);
    struct sl_access_unit with, u;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 5); /* with runs that need escapes */
    }
    memset(data + 100, 0, 50);
    for (int i = 0; i < 2; i++) {
        struct sl_picture in = picture(pixels, i);
        in.sei = data;
        in.sei_size = sizeof data;
        assert_int_equal(sl_encoder_encode(e, &in, &with, NULL), SL_OK);
        struct sl_nal_walker w = {.data = with.data, .size = with.size};
        struct sl_nal nal;
        bool found = false;
        while (sl_nal_next_annexb(&w, &nal)) {
            assert_false(found && (nal.data[0] & 0x1f) == SL_H264_SPS);
            struct sl_writer body;
            sl_writer_init(&body, 4096);
            sl_nal_unescape(nal.data, nal.size, &body);
            /* type 5 of 255 + 255 + 90 bytes */
            if ((nal.data[0] & 0x1f) == SL_H264_SEI && body.size == 1 + 1 + 3 + 600 + 1 &&
                memcmp(body.data + 5, data, sizeof data) == 0) {
                found = true;
                assert_int_equal(body.data[1], 5);
                assert_true(nal.data + nal.size <= with.data + with.header_size);
            }
            sl_writer_clear(&body);
        }
        assert_true(found);
        sl_access_unit_clear(&with);
    }
    struct sl_picture in = picture(pixels, 2);
    in.sei = data;
    in.sei_size = 15;
    assert_int_equal(sl_encoder_encode(e, &in, &u, NULL), SL_EINVAL);
    sl_encoder_destroy(&e);
    free(pixels);
}

static void misuse(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    struct sl_access_unit u;
    struct sl_error err = {0};
    struct sl_encoder *e = NULL;
    struct sl_encoder_params p = settings();
#define REFUSED(change, key)                                                                       \
    do {                                                                                           \
        struct sl_encoder_params q = p;                                                            \
        err = (struct sl_error){0};                                                                \
        change;                                                                                    \
        assert_int_equal(sl_encoder_open(&e, &q, NULL, &err), SL_EINVAL);                          \
        assert_string_equal(err.where, key);                                                       \
        assert_null(e);                                                                            \
    } while (0)
    REFUSED(q.size[0] = 321, "size");
    REFUSED(q.size[1] = 0, "size");
    REFUSED(q.codec = 2, "codec");
    REFUSED(q.rate.num = 0, "rate");
    REFUSED(q.rate_control = SL_RATE_CBR, "bitrate");
    REFUSED((q.bitrate = 1000000, q.maxrate = 500000), "maxrate");
    REFUSED((q.rate_control = SL_RATE_CRF, q.bitrate = 1), "bitrate");
    REFUSED(q.level[0] = 'x', "level");
    REFUSED(strcpy(q.level, "1"), "level"); /* too small for the size */
    REFUSED(strcpy(q.profile, "main10"), "profile");
    REFUSED(q.depth = 0, "depth");
    REFUSED(q.struct_size = 8, "struct_size");
    (void)strcpy(p.backend, "nothing");
    assert_int_equal(sl_encoder_open(&e, &p, NULL, NULL), SL_EUNSUPPORTED);
    assert_int_equal(sl_encoder_send(NULL, NULL, NULL), SL_EINVAL);
    sl_encoder_destroy(&e);

    p = settings();
    e = open_with(&p);
    struct sl_picture in = picture(pixels, 0), bad = in;
    bad.width--;
    assert_int_equal(sl_encoder_send(e, &bad, NULL), SL_EINVAL);
    bad = in, bad.format = 8;
    assert_int_equal(sl_encoder_send(e, &bad, NULL), SL_EINVAL);
    bad = in, bad.plane[0] = NULL;
    assert_int_equal(sl_encoder_send(e, &bad, NULL), SL_EINVAL);
    bad = in, bad.memory = SL_MEMORY_CUDA;
    assert_int_equal(sl_encoder_send(e, &bad, NULL), SL_EUNSUPPORTED);
    bad = in, bad.struct_size = 1;
    assert_int_equal(sl_encoder_send(e, &bad, NULL), SL_EINVAL);
    in.pts = 5;
    assert_int_equal(sl_encoder_send(e, &in, NULL), SL_OK);
    assert_int_equal(sl_encoder_send(e, &in, NULL), SL_EAGAIN);
    assert_int_equal(sl_encoder_receive(e, &u, NULL), SL_OK);
    sl_access_unit_clear(&u);
    assert_int_equal(sl_encoder_send(e, &in, NULL), SL_EINVAL); /* a time that does not rise */
    sl_encoder_destroy(&e);
    free(pixels);
}

static void the_list(void **state)
{
    (void)state;
    struct sl_encoder_backend_info info;
    size_t n = 0;
    bool found = false;
    while (sl_encoder_backend(n, &info, NULL) == SL_OK) {
        assert_non_null(info.name);
        assert_true(info.available || info.reason[0]);
        found |= strcmp(info.name, "x264") == 0 && info.available;
        n++;
        assert_true(n < 64);
    }
    assert_true(found);
}

static enum sl_status three_pictures(void *arg)
{
    uint8_t *pixels = arg;
    struct sl_encoder_params p = settings();
    struct sl_encoder *e = NULL;
    p.threads = 1;
    enum sl_status status = sl_encoder_open(&e, &p, NULL, NULL);
    for (int i = 0; i < 3 && status == SL_OK; i++) {
        struct sl_picture in = picture(pixels, i);
        struct sl_access_unit u;
        static const uint8_t sei[16];
        in.sei = sei;
        in.sei_size = sizeof sei;
        status = sl_encoder_encode(e, &in, &u, NULL);
        sl_access_unit_clear(&u);
    }
    sl_encoder_destroy(&e);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    uint8_t *pixels = malloc((size_t)WIDTH * HEIGHT * 3);
    failing_alloc_run(three_pictures, pixels);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_in_one_out),
        cmocka_unit_test(in_every_mode),
        cmocka_unit_test(formats_and_releases),
        cmocka_unit_test(changes),
        cmocka_unit_test(odd_and_unbounded),
        cmocka_unit_test(recovers),
        cmocka_unit_test(user_data),
        cmocka_unit_test(misuse),
        cmocka_unit_test(the_list),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
