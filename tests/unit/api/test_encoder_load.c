/* SPDX-License-Identifier: BSD-2-Clause */
/* Many encoders at once, and many pictures and openings one after the other. With SLUICE_SOAK=1
 * (make soak) there are fifty times as many. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/encode.h>

#include "unit.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define WIDTH   160
#define HEIGHT  90
#define BYTES   ((size_t)WIDTH * HEIGHT * 3)
#define THREADS 8
#define SLACK   65536 /* bytes that what came before may still hold or not */

static size_t allocated(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
    /* sanitizer/allocator_interface.h, which gcc does not bring */
    extern size_t __sanitizer_get_current_allocated_bytes(void); /* NOLINT */
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

static int many(int count)
{
    const char *soak = getenv("SLUICE_SOAK"); /* NOLINT(concurrency-mt-unsafe) */
    return soak && strcmp(soak, "1") == 0 ? count * 50 : count;
}

static enum sl_status settings(struct sl_encoder_params *p, int latency, int64_t bitrate,
                               struct sl_error *err)
{
    enum sl_status status = sl_encoder_params_default(p, sizeof *p, err);
    p->size[0] = WIDTH;
    p->size[1] = HEIGHT;
    p->bitrate = bitrate;
    p->buffer = 100000;
    p->rate_control = SL_RATE_CBR;
    p->latency = latency;
    p->depth = 2;
    p->threads = 2;
    p->bframes = 0; /* tokens come out in order */
    return status;
}

static enum sl_status open_next(struct sl_encoder **e, int latency, struct sl_error *err)
{
    struct sl_encoder_params p;
    enum sl_status status = settings(&p, latency, 500000, err);
    return status == SL_OK ? sl_encoder_open(e, &p, NULL, err) : status;
}

static enum sl_status change_bitrate(struct sl_encoder *e, int latency, int64_t bitrate,
                                     struct sl_error *err)
{
    struct sl_encoder_params p;
    enum sl_status status = settings(&p, latency, bitrate, err);
    return status == SL_OK ? sl_encoder_reconfigure(e, &p, NULL, err) : status;
}

static struct sl_picture picture(uint8_t *pixels, int i)
{
    for (size_t k = 0; k < BYTES; k++) {
        pixels[k] = (uint8_t)(k / WIDTH + (size_t)i * 3 + k % 7 * 4);
    }
    return (struct sl_picture){.struct_size = sizeof(struct sl_picture),
                               .format = SL_PICTURE_RGB24,
                               .flags = i % 50 == 49 ? SL_PICTURE_IDR : 0,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .plane = {pixels},
                               .stride = {INT64_C(3) * WIDTH},
                               .pts = SL_NO_TIME,
                               .token = (uint64_t)i};
}

/* Units that are ready; they come in the order in which their pictures went in. */
static enum sl_status take(struct sl_encoder *e, uint64_t *next, struct sl_error *err)
{
    for (;;) {
        struct sl_access_unit unit;
        enum sl_status status = sl_encoder_receive(e, &unit, err);
        if (status != SL_OK) {
            return status;
        }
        status = unit.token == (*next)++ && unit.size > 0 ? SL_OK : SL_EDATA;
        sl_access_unit_clear(&unit);
        if (status != SL_OK) {
            return status;
        }
    }
}

static enum sl_status code(struct sl_encoder *e, uint8_t *pixels, int first, int count,
                           uint64_t *next, struct sl_error *err)
{
    for (int i = first; i < first + count; i++) {
        struct sl_picture in = picture(pixels, i);
        enum sl_status status = sl_encoder_send(e, &in, err);
        if (status != SL_OK) {
            return status;
        }
        status = take(e, next, err);
        if (status != SL_EAGAIN) {
            return status;
        }
    }
    return SL_OK;
}

struct worker {
    pthread_t thread;
    int latency, pictures;
    enum sl_status status;
    struct sl_error err;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sl_encoder *e = NULL;
    uint64_t next = 0;
    uint8_t *pixels = malloc(BYTES);
    w->status = pixels ? open_next(&e, w->latency, &w->err) : SL_ENOMEM;
    for (int i = 0; i < w->pictures && w->status == SL_OK; i += 10) {
        w->status = code(e, pixels, i, 10, &next, &w->err);
        if (w->status == SL_OK) {
            w->status = change_bitrate(e, w->latency, i % 20 ? 500000 : 300000, &w->err);
        }
    }
    if (w->status == SL_OK) {
        w->status = sl_encoder_drain(e, &w->err);
    }
    if (w->status == SL_OK) {
        w->status =
            take(e, &next, &w->err) == SL_EOF && next == (uint64_t)w->pictures ? SL_OK : SL_EDATA;
    }
    sl_encoder_destroy(&e);
    free(pixels);
    return NULL;
}

static void eight_threads(void **state)
{
    (void)state;
    struct worker workers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        workers[i].latency = i % 3;
        workers[i].pictures = many(40);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        if (workers[i].status != SL_OK) {
            fail_msg("thread %d: %d %s %s", i, workers[i].status, workers[i].err.where,
                     workers[i].err.msg);
        }
    }
}

static void opened_and_closed(void **state)
{
    (void)state;
    uint8_t *pixels = malloc(BYTES);
    size_t before = 0;
    for (int i = 0; i < many(200); i++) {
        struct sl_encoder *e = NULL;
        uint64_t next = 0;
        struct sl_error err = {0};
        if (i == 20) {
            before = allocated();
        }
        assert_int_equal(open_next(&e, i % 3, &err), SL_OK);
        /* Closed with units ready, on their way, and with nothing. */
        assert_int_equal(code(e, pixels, 0, i % 4, &next, &err), SL_OK);
        sl_encoder_destroy(&e);
    }
    assert_true(allocated() < before + SLACK);
    free(pixels);
}

static void many_pictures(void **state)
{
    (void)state;
    uint8_t *pixels = malloc(BYTES);
    struct sl_encoder *e = NULL;
    struct sl_error err = {0};
    uint64_t next = 0;
    assert_int_equal(open_next(&e, SL_LATENCY_SYNC, &err), SL_OK);
    assert_int_equal(code(e, pixels, 0, 200, &next, &err), SL_OK);
    size_t before = allocated();
    assert_int_equal(code(e, pixels, 200, many(2000) - 200, &next, &err), SL_OK);
    assert_true(allocated() < before + SLACK);
    sl_encoder_destroy(&e);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads),
        cmocka_unit_test(opened_and_closed),
        cmocka_unit_test(many_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
