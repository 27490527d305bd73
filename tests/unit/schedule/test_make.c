/* SPDX-License-Identifier: BSD-2-Clause */
/* Schedules as they are made: the figures of their DPB, their layers, and that each one stands its
 * own check, reads back as it was written and comes out the same group by group. */
#include <string.h>

#include "base/error.h"
#include "failing_alloc.h"
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
        fail_msg("gop %d, %d frames: %s", plan->gop, (int)count, err.msg);
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
        {16, 129, 516, -1, false, true, 8, 4, 5},   {16, 120, 480, -1, false, true, 10, 4, 5},
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
        print_message("gop %d keyint %d: dpb %d reorder %d\n", plan.gop, plan.keyint, s.dpb,
                      s.reorder);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
