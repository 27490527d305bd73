/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "decode/registry.h"
#include "failing_alloc.h"
#include "media/track.h"
#include "scratch.h"
#include "unit.h"

#define WIDTH  7
#define HEIGHT 5

static struct sl_track track_of(enum sl_pixel_format format)
{
    struct sl_track t;
    sl_track_init(&t);
    t.kind = SL_KIND_VIDEO;
    t.codec = SL_CODEC_RAWVIDEO;
    t.timebase = (struct sl_rational){1, 25};
    t.pixel_format = (int32_t)format;
    t.width = WIDTH;
    t.height = HEIGHT;
    t.sample_aspect = (struct sl_rational){16, 11};
    t.colour.range = SL_RANGE_FULL;
    return t;
}

static size_t picture_size(enum sl_pixel_format format)
{
    size_t sum = 0;
    for (int i = 0; i < sl_pixel_info(format)->planes; i++) {
        sum += (size_t)(sl_plane_bytes(format, i, WIDTH) * sl_plane_rows(format, i, HEIGHT));
    }
    return sum;
}

static enum sl_status make_packet(struct sl_packet **out, size_t size, uint8_t **data)
{
    enum sl_status status = sl_packet_create_data(out, size, data, NULL);
    if (status == SL_OK) {
        scratch_noise(*data, size, 2);
        (*out)->pts = 42;
        (*out)->duration = 1;
    }
    return status;
}

static void planes_point_into_the_payload(void **state)
{
    (void)state;
    for (int format = SL_PIX_NONE + 1; format < SL_PIX_COUNT; format++) {
        struct sl_track t = track_of((enum sl_pixel_format)format);
        struct sl_decoder *d = NULL;
        struct sl_packet *p = NULL;
        struct sl_frame *f = NULL;
        uint8_t *data = NULL;
        size_t size = picture_size((enum sl_pixel_format)format);

        assert_int_equal(sl_decode_open(&d, &t, NULL, NULL), SL_OK);
        assert_int_equal(d->ops->receive(d, &f, NULL), SL_EAGAIN);
        assert_int_equal(make_packet(&p, size, &data), SL_OK);
        assert_int_equal(d->ops->send(d, p, NULL), SL_OK);
        assert_int_equal(d->ops->send(d, p, NULL), SL_EAGAIN);
        sl_packet_unref(&p); /* the frame keeps the bytes */
        assert_int_equal(d->ops->receive(d, &f, NULL), SL_OK);
        assert_int_equal(f->pts, 42);
        assert_int_equal(f->duration, 1);
        assert_int_equal(f->width, WIDTH);
        assert_int_equal(f->height, HEIGHT);
        assert_int_equal(f->format, format);
        assert_int_equal(f->sample_aspect.num, 16);
        assert_int_equal(f->colour.range, SL_RANGE_FULL);
        size_t at = 0;
        for (int i = 0; i < sl_pixel_info((enum sl_pixel_format)format)->planes; i++) {
            assert_ptr_equal(f->plane[i], data + at);
            assert_int_equal(f->stride[i], sl_plane_bytes((enum sl_pixel_format)format, i, WIDTH));
            at += (size_t)f->stride[i] *
                  (size_t)sl_plane_rows((enum sl_pixel_format)format, i, HEIGHT);
        }
        assert_int_equal(at, size);
        sl_frame_unref(&f);
        assert_int_equal(d->ops->send(d, NULL, NULL), SL_OK);
        assert_int_equal(d->ops->receive(d, &f, NULL), SL_EOF);
        sl_decode_destroy(&d);
        assert_null(d);
        sl_decode_destroy(&d);
    }
}

static void wrong_size_and_hidden(void **state)
{
    (void)state;
    struct sl_track t = track_of(SL_PIX_RGB24);
    struct sl_decoder *d = NULL;
    struct sl_packet *p = NULL;
    struct sl_frame *f = NULL;
    struct sl_error err = {0};
    uint8_t *data = NULL;

    assert_int_equal(sl_decode_open(&d, &t, NULL, NULL), SL_OK);
    assert_int_equal(make_packet(&p, 104, &data), SL_OK);
    assert_int_equal(d->ops->send(d, p, &err), SL_EDATA);
    assert_string_equal(err.msg, "raw picture of 104 bytes, 105 were expected");
    sl_packet_unref(&p);
    assert_int_equal(make_packet(&p, 105, &data), SL_OK);
    p->flags = SL_PACKET_HIDDEN;
    assert_int_equal(d->ops->send(d, p, NULL), SL_OK);
    assert_int_equal(d->ops->receive(d, &f, NULL), SL_EAGAIN);
    p->flags = 0;
    assert_int_equal(d->ops->send(d, p, NULL), SL_OK);
    sl_packet_unref(&p);
    sl_decode_destroy(&d); /* with a frame inside */
}

static void nobody_decodes(void **state)
{
    (void)state;
    struct sl_track t = track_of(SL_PIX_RGB24);
    struct sl_decoder *d = NULL;
    struct sl_error err = {0};
    t.width = 20000;
    assert_int_equal(sl_decode_open(&d, &t, NULL, &err), SL_EUNSUPPORTED);
    memset(&err, 0, sizeof err);
    t.kind = SL_KIND_SUBTITLE;
    t.codec = SL_CODEC_SRT;
    memcpy(t.codec_name, "srt", 4);
    assert_int_equal(sl_decode_open(&d, &t, NULL, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "srt (subtitle)"));
}

static enum sl_status decode_once(void *arg)
{
    struct sl_track t = track_of(SL_PIX_YUV420P);
    struct sl_decoder *d = NULL;
    struct sl_packet *p = NULL;
    struct sl_frame *f = NULL;
    uint8_t *data = NULL;
    uint8_t config[4] = {1, 2, 3, 4};
    (void)arg;
    t.config = config;
    t.config_size = sizeof config;
    enum sl_status status = sl_decode_open(&d, &t, NULL, NULL);
    if (status == SL_OK) {
        status = make_packet(&p, picture_size(SL_PIX_YUV420P), &data);
    }
    if (status == SL_OK) {
        status = d->ops->send(d, p, NULL);
    }
    if (status == SL_OK) {
        status = d->ops->receive(d, &f, NULL);
    }
    sl_frame_unref(&f);
    sl_packet_unref(&p);
    sl_decode_destroy(&d);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    failing_alloc_run(decode_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_point_into_the_payload),
        cmocka_unit_test(wrong_size_and_hidden),
        cmocka_unit_test(nobody_decodes),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
