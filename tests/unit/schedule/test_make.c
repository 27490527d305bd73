/* SPDX-License-Identifier: BSD-2-Clause */
/* Schedules as they are made: the figures of their DPB, their layers, and that each one stands its
 * own check, reads back as it was written and comes out the same group by group. */
#include <string.h>

#include "base/error.h"
#include "failing_alloc.h"
#include "media/h264.h"
#include "schedule/schedule.h"
#include "unit.h"

static struct sl_schedule_plan plan_of(int32_t gop, int32_t keyint, bool breadth, bool forget)
{
    struct sl_schedule_plan plan;
    sl_schedule_plan_default(&plan);
    plan.gop = gop;
    plan.keyint = keyint;
    plan.breadth = breadth;
    plan.forget = forget;
    return plan;
}

static void make(struct sl_schedule *s, const struct sl_schedule_plan *plan, int64_t count)
{
    struct sl_error err = {0};
    if (sl_schedule_make(s, plan, count, &err) != SL_OK) {
        fail_msg("gop %d, bframes %d, %d layers, keyint %d, %d frames: %s", plan->gop,
                 plan->bframes, plan->layers, plan->keyint, (int)count, err.msg);
    }
    assert_int_equal(s->count, count);
    if (sl_schedule_check(s, "made", &err) != SL_OK) {
        struct sl_writer w;
        sl_writer_init(&w, 1 << 24);
        sl_schedule_write(s, &w);
        sl_write_u8(&w, 0);
        print_error("%s", (const char *)w.data);
        sl_writer_clear(&w);
        fail_msg("gop %d, keyint %d, %d frames: %s", plan->gop, plan->keyint, (int)count, err.msg);
    }
}

/* What the reference encoder's notes say, and what follows from it. */
static void figures(void **state)
{
    static const struct {
        int32_t gop, keyint, frames, bframes;
        bool breadth, forget;
        int32_t dpb, reorder, layers;
    } cases[] = {
        {16, 120, 600, -1, false, false, 12, 4, 5}, {16, 120, 600, -1, true, false, 16, 8, 5},
        {16, 129, 516, -1, false, true, 8, 4, 5},   {16, 120, 480, -1, false, true, 8, 4, 5},
        {16, 120, 500, -1, true, true, 9, 8, 5},    {32, 120, 600, -1, false, true, 16, 5, 6},
        {8, 120, 600, -1, false, false, 7, 3, 4},   {4, 120, 600, -1, false, false, 4, 2, 3},
        {2, 120, 600, -1, false, false, 2, 1, 2},   {1, 120, 600, -1, false, false, 1, 0, 1},
        {32, 129, 258, -1, false, true, 16, 5, 6},  {8, 120, 600, 0, false, false, 4, 0, 4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_schedule_plan plan =
            plan_of(cases[i].gop, cases[i].keyint, cases[i].breadth, cases[i].forget);
        struct sl_schedule s;
        struct sl_schedule_needs needs;
        plan.bframes = cases[i].bframes;
        make(&s, &plan, cases[i].frames);
        assert_int_equal(s.dpb, cases[i].dpb);
        assert_int_equal(s.reorder, cases[i].reorder);
        assert_int_equal(s.layers, cases[i].layers);
        assert_int_equal(sl_schedule_measure(&s, &needs, NULL), SL_OK);
        assert_int_equal(needs.dpb, s.dpb);
        assert_int_equal(needs.reorder, s.reorder);
        assert_int_equal(needs.layers, s.layers);
        sl_schedule_clear(&s);
    }
}

static void assert_same(const struct sl_schedule *a, const struct sl_schedule *b)
{
    assert_int_equal(a->rate.num, b->rate.num);
    assert_int_equal(a->rate.den, b->rate.den);
    assert_int_equal(a->gop, b->gop);
    assert_int_equal(a->dpb, b->dpb);
    assert_int_equal(a->reorder, b->reorder);
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct sl_schedule_frame *x = &a->frames[i], *y = &b->frames[i];
        assert_int_equal(x->display, y->display);
        assert_int_equal(x->decode, y->decode);
        assert_int_equal(x->id, y->id);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->layer, y->layer);
        assert_int_equal(x->max_ref_layer, y->max_ref_layer);
        assert_int_equal(x->disposable, y->disposable);
        assert_int_equal(x->qp_kind, y->qp_kind);
        assert_true(x->qp == y->qp);
        assert_int_equal(x->ref_count, y->ref_count);
        assert_memory_equal(x->refs, y->refs, x->ref_count * sizeof x->refs[0]);
        assert_int_equal(x->forget_count, y->forget_count);
        assert_memory_equal(x->forget, y->forget, x->forget_count * sizeof x->forget[0]);
    }
}

static void reads_back(const struct sl_schedule *s)
{
    struct sl_writer w;
    struct sl_schedule again;
    struct sl_error err = {0};
    sl_writer_init(&w, 1 << 24);
    sl_schedule_write(s, &w);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    if (sl_schedule_parse(&again, "written", (const char *)w.data, w.size, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_same(s, &again);
    sl_schedule_clear(&again);
    sl_writer_clear(&w);
}

/* Layers 0 to L of a period are every (gop >> L)-th picture, to the end of its tail. */
static void evenly_sampled(const struct sl_schedule *s, int32_t gop, int32_t keyint)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sl_schedule_frame *f = &s->frames[i];
        int64_t place = f->display % keyint;
        int32_t step = gop >> f->layer;
        assert_int_equal(place % step, 0);
        assert_true(f->layer == 0 || place % (step * 2) != 0);
        assert_int_equal(f->type == SL_SCHEDULE_IDR, place == 0);
    }
}

/* With the same DPB, group by group is what it is as a whole, however the pictures arrive. */
static void streams(const struct sl_schedule_plan *plan, int64_t count)
{
    static struct sl_schedule_frame frames[512 + SL_SCHEDULE_GOP_MAX];
    struct sl_schedule_plan same = *plan;
    struct sl_schedule_maker *m;
    struct sl_schedule whole;
    struct sl_schedule got;
    enum sl_status status = SL_OK;
    int64_t there = 0;
    if (sl_schedule_maker_create(&m, plan, NULL) != SL_OK) {
        return; /* a tail that this source has not needs more than H.264 allows */
    }
    got = *sl_schedule_maker_head(m);
    same.dpb = got.dpb;
    make(&whole, &same, count);
    got.frames = frames;
    while (status != SL_EOF) {
        size_t n;
        assert_true(got.count <= 512);
        status = sl_schedule_maker_next(m, there - (int64_t)got.count, there == count,
                                        frames + got.count, &n);
        got.count += n;
        if (status == SL_EAGAIN) {
            assert_true(there < count && n == 0);
            there++;
        }
    }
    assert_true(whole.reorder <= got.reorder);
    assert_true(whole.layers <= got.layers);
    got.reorder = whole.reorder;
    got.layers = whole.layers;
    assert_same(&whole, &got);
    sl_schedule_clear(&whole);
    sl_schedule_maker_destroy(&m);
}

static void every_plan(void **state)
{
    static const int32_t keyints[] = {1, 2, 7, 16, 17, 31, 120}, bframes[] = {-1, 0, 3};
    static const int64_t counts[] = {1, 2, 3, 5, 8, 15, 16, 17, 18, 33, 47, 130, 241};
    (void)state;
    for (int32_t gop = 1; gop <= 16; gop *= 2) {
        for (size_t k = 0; k < 7 * 3 * 4; k++) {
            struct sl_schedule_plan plan = plan_of(gop, keyints[k % 7], k / 21 & 1, k / 42 & 1);
            plan.bframes = bframes[k / 7 % 3];
            plan.rate = (struct sl_rational){30000, 1001};
            for (size_t c = k % 2; c < sizeof counts / sizeof counts[0]; c += 2) {
                struct sl_schedule s;
                make(&s, &plan, counts[c]);
                evenly_sampled(&s, gop, plan.keyint);
                reads_back(&s);
                sl_schedule_clear(&s);
                streams(&plan, counts[c]);
            }
        }
    }
}

/* Fewer layers than levels: the last one holds the rest. */
static void few_layers(void **state)
{
    (void)state;
    for (int32_t layers = 1; layers <= 5; layers++) {
        for (int32_t bframes = -1; bframes < 8; bframes++) {
            struct sl_schedule_plan plan = plan_of(16, 50, false, layers & 1);
            struct sl_schedule s;
            plan.layers = layers;
            plan.bframes = bframes;
            make(&s, &plan, 131);
            assert_int_equal(s.layers, layers);
            reads_back(&s);
            sl_schedule_clear(&s);
        }
    }
}

static void a_cut_starts_anew(void **state)
{
    struct sl_schedule_plan plan = plan_of(8, 100, false, false);
    struct sl_schedule_frame frames[64 + SL_SCHEDULE_GOP_MAX];
    struct sl_schedule_maker *m;
    struct sl_schedule s;
    size_t n;
    (void)state;
    assert_int_equal(sl_schedule_maker_create(&m, &plan, NULL), SL_OK);
    s = *sl_schedule_maker_head(m);
    s.frames = frames;
    while (sl_schedule_maker_next(m, 13 - (int64_t)s.count, true, frames + s.count, &n) == SL_OK) {
        s.count += n;
    }
    sl_schedule_maker_restart(m);
    while (sl_schedule_maker_next(m, 30 - (int64_t)s.count, true, frames + s.count, &n) == SL_OK) {
        s.count += n;
    }
    assert_int_equal(s.count, 30);
    assert_int_equal(frames[13].type, SL_SCHEDULE_IDR);
    assert_int_equal(frames[13].display, 13);
    assert_int_equal(sl_schedule_check(&s, "cut", NULL), SL_OK);
    sl_schedule_maker_destroy(&m);
    assert_null(m);
}

static void refused(const struct sl_schedule_plan *plan, int64_t count, const char *message)
{
    struct sl_schedule s;
    struct sl_error err = {0};
    char text[512];
    assert_int_equal(sl_schedule_make(&s, plan, count, &err), SL_EINVAL);
    assert_null(s.frames);
    assert_string_equal(sl_error_format(&err, text, sizeof text), message);
}

static void plans_that_cannot_be(void **state)
{
    struct sl_schedule_plan plan = plan_of(12, 120, false, false);
    (void)state;
    refused(&plan, 10, "gop: 12 is not allowed (1, 2, 4 to 64)");
    plan = plan_of(16, 0, false, false);
    refused(&plan, 10, "keyint: 0 is not allowed (1 or more)");
    plan = plan_of(16, 120, false, false);
    refused(&plan, 0, "frames: 0 is out of range (1 to 1048576)");
    plan.dpb = 8;
    refused(&plan, 200, "dpb: 8 frames are too few, 12 are needed");
    plan = plan_of(32, 120, false, false);
    refused(&plan, 200,
            "gop: 32 pictures coded this way need more than the 16 frames of a DPB that H.264 "
            "allows (forgetting needs fewer)");
    plan = plan_of(64, 120, false, false);
    refused(&plan, 200,
            "gop: 64 pictures coded this way need more than the 16 frames of a DPB that H.264 "
            "allows");
    plan = plan_of(32, 120, true, true);
    refused(&plan, 200,
            "gop: 32 pictures coded this way need more than the 16 frames of a DPB that H.264 "
            "allows");
    plan = plan_of(8, 120, false, false);
    plan.layers = 5;
    refused(&plan, 200, "layers: 5 layers need a gop of 16 or more, it is 8");
    plan.layers = 0;
    plan.past = 0;
    refused(&plan, 200, "refs: 0 past and 2 future ones are not allowed");
}

static void drawings(void **state)
{
    struct sl_schedule_plan plan = plan_of(4, 8, false, false);
    struct sl_schedule s;
    struct sl_writer w;
    (void)state;
    make(&s, &plan, 8);
    sl_writer_init(&w, 1 << 20);
    sl_schedule_draw_text(&s, 0, 100, &w);
    sl_write_u8(&w, 0);
    assert_string_equal((const char *)w.data,
                        "8 frames, gop 4, dpb 3, reorder 2, 3 layers\n"
                        "\n"
                        "display     0    1    2    3    4    5    6    7\n"
                        "layer 0     I    .    .    .    P    .    .    .\n"
                        "layer 1     .    .    B    .    .    .    P    .\n"
                        "layer 2     .    b    .    b    .    b    .    p\n"
                        "decode      0    3    2    4    1    6    5    7\n"
                        "\n"
                        "I idr, i intra, P, B: reference pictures; p, b: disposable ones\n");
    sl_writer_clear(&w);
    sl_schedule_draw_svg(&s, 2, 4, &w);
    sl_write_u8(&w, 0);
    assert_non_null(strstr((const char *)w.data, "frame 5, decode 6, layer 2"));
    assert_null(strstr((const char *)w.data, "frame 6,"));
    sl_writer_clear(&w);
    sl_schedule_clear(&s);
}

/* H.264 table A-1 by examples. */
static void levels(void **state)
{
    const struct sl_rational fast = {60, 1}, none = {0, 1};
    (void)state;
    assert_int_equal(sl_h264_level(1280, 720, none, 8), 40);
    assert_int_equal(sl_h264_level(1280, 720, none, 12), 50);
    assert_int_equal(sl_h264_level(1920, 1080, none, 4), 40);
    assert_int_equal(sl_h264_level(1920, 1080, fast, 4), 42);
    assert_int_equal(sl_h264_level(1920, 1080, none, 12), 50);
    assert_int_equal(sl_h264_level(1920, 1080, none, 16), 51);
    assert_int_equal(sl_h264_level(64, 48, none, 16), 10);
    assert_int_equal(sl_h264_level(16384, 16384, none, 1), 0);
    assert_int_equal(sl_h264_level_dpb(40, 1280, 720), 9);
    assert_int_equal(sl_h264_level_dpb(51, 320, 240), 16);
    assert_int_equal(sl_h264_level_dpb(31, 1920, 1080), 0);
    assert_int_equal(sl_h264_level_dpb(33, 64, 48), 0);
}

static enum sl_status everything(void *arg)
{
    struct sl_schedule_plan plan = plan_of(8, 20, false, true);
    struct sl_schedule s = {0}, again = {0};
    struct sl_schedule_maker *m = NULL;
    struct sl_schedule_needs needs;
    struct sl_writer w;
    enum sl_status status;
    (void)arg;
    sl_writer_init(&w, 1 << 20);
    status = sl_schedule_maker_create(&m, &plan, NULL);
    status = status ? status : sl_schedule_make(&s, &plan, 40, NULL);
    status = status ? status : sl_schedule_check(&s, "made", NULL);
    status = status ? status : sl_schedule_measure(&s, &needs, NULL);
    if (!status) {
        sl_schedule_write(&s, &w);
        status = sl_writer_finish(&w, NULL);
    }
    if (!status) {
        status = sl_schedule_parse(&again, "written", (const char *)w.data, w.size, NULL);
    }
    if (!status) {
        sl_schedule_draw_text(&s, 0, 40, &w);
        sl_schedule_draw_svg(&s, 0, 40, &w);
        status = sl_writer_finish(&w, NULL);
    }
    sl_schedule_clear(&again);
    sl_schedule_clear(&s);
    sl_schedule_maker_destroy(&m);
    sl_writer_clear(&w);
    return status;
}

static void memory(void **state)
{
    (void)state;
    failing_alloc_run(everything, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(every_plan),
        cmocka_unit_test(few_layers),
        cmocka_unit_test(a_cut_starts_anew),
        cmocka_unit_test(plans_that_cannot_be),
        cmocka_unit_test(drawings),
        cmocka_unit_test(levels),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
