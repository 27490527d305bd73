/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole ladder, threads and all, with each allocation failing in turn: it ends with an error,
 * never hangs, and gives everything back. */
#include <stdio.h>
#include <string.h>

#include "failing_alloc.h"
#include "pipeline/ladder.h"
#include "scratch.h"
#include "unit.h"

#define WIDTH    64
#define HEIGHT   48
#define PICTURES 9

struct job {
    struct scratch home;
    struct sl_ladder_params params;
};

static void make_source(struct job *j)
{
    static uint8_t data[64 + PICTURES * (6 + WIDTH * HEIGHT * 3 / 2)];
    size_t at =
        (size_t)snprintf((char *)data, 64, "YUV4MPEG2 W%d H%d F4:1 C420jpeg\n", WIDTH, HEIGHT);
    for (int i = 0; i < PICTURES; i++) {
        memcpy(data + at, "FRAME\n", 6);
        scratch_noise(data + at + 6, WIDTH * HEIGHT * 3 / 2, (uint32_t)i);
        at += 6 + WIDTH * HEIGHT * 3 / 2;
    }
    scratch_write(scratch_name(&j->home, "in.y4m"), data, at);
}

static enum sl_status ladder(void *arg)
{
    struct job *j = arg;
    struct sl_ladder *l = NULL;
    enum sl_status st = sl_ladder_create(&l, &j->params, NULL, NULL, NULL);
    if (st == SL_OK) {
        st = sl_ladder_execute(l, NULL);
    }
    sl_ladder_free(&l);
    return st;
}

static void set_up(struct job *j, int format)
{
    struct sl_ladder_params *p = &j->params;
    snprintf(p->preset, sizeof p->preset, "ultrafast");
    p->format = format;
    p->segment = (struct sl_rational){1, 1};
    p->threads = 1;
    p->video_track = p->audio_track = -1;
    p->audio_rate = 48000;
    p->audio_channels = 2;
    p->audio_bitrate = 128;
    p->overwrite = 1;
    p->rung_count = 2;
    snprintf(p->rungs[0].name, sizeof p->rungs[0].name, "top");
    p->rungs[1].height = HEIGHT / 2;
}

static void each_allocation(int format)
{
    static struct job j;
    memset(&j, 0, sizeof j);
    scratch_make(&j.home);
    make_source(&j);
    set_up(&j, format);
    snprintf(j.params.input, sizeof j.params.input, "%s", scratch_name(&j.home, "in.y4m"));
    snprintf(j.params.output, sizeof j.params.output, "%s", scratch_name(&j.home, "out"));
    failing_alloc_run_long(ladder, &j);
    scratch_remove(&j.home);
}

static void test_fmp4(void **state)
{
    (void)state;
    each_allocation(SL_LADDER_FMP4);
}

static void test_ts(void **state)
{
    (void)state;
    each_allocation(SL_LADDER_TS);
}

/* Pictures of a program's own, into a live run where there is a store: another one each time. */
static enum sl_status pushed(void *arg)
{
    struct job *j = arg;
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    static int number;
    struct sl_picture picture = {.struct_size = sizeof picture,
                                 .format = SL_PICTURE_RGB24,
                                 .width = WIDTH,
                                 .height = HEIGHT,
                                 .plane = {pixels},
                                 .stride = {(int64_t)WIDTH * 3},
                                 .pts = SL_NO_TIME};
    struct sl_ladder *l = NULL;
    if (j->params.store[0]) {
        (void)snprintf(j->params.run, sizeof j->params.run, "run-%d", number++);
    }
    enum sl_status st = sl_ladder_create(&l, &j->params, NULL, NULL, NULL);
    for (int i = 0; i < PICTURES && st == SL_OK; i++) {
        scratch_noise(pixels, sizeof pixels, (uint32_t)i);
        st = sl_ladder_push(l, &picture, NULL);
    }
    if (st == SL_OK) {
        st = sl_ladder_push_close(l, NULL);
    }
    sl_ladder_free(&l);
    return st;
}

static void each_allocation_of_pushed(const char *store, const char *output)
{
    static struct job j;
    memset(&j, 0, sizeof j);
    scratch_make(&j.home);
    set_up(&j, SL_LADDER_FMP4);
    if (store) {
        snprintf(j.params.store, sizeof j.params.store, "%s", scratch_name(&j.home, store));
    } else {
        snprintf(j.params.output, sizeof j.params.output, "%s", scratch_name(&j.home, output));
    }
    j.params.size[0] = WIDTH;
    j.params.size[1] = HEIGHT;
    j.params.rate = (struct sl_rational){4, 1};
    assert_int_equal(pushed(&j), SL_OK); /* opens the modules, once for all */
    failing_alloc_run_long_lenient(pushed, &j);
    scratch_remove(&j.home);
}

static void test_pushed(void **state)
{
    (void)state;
    each_allocation_of_pushed(NULL, "out");
}

static void test_live(void **state)
{
    (void)state;
    each_allocation_of_pushed("store", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fmp4),
        cmocka_unit_test(test_ts),
        cmocka_unit_test(test_pushed),
        cmocka_unit_test(test_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
