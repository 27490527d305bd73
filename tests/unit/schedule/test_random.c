/* SPDX-License-Identifier: BSD-2-Clause */
/* Random schedules: hierarchies of any shape are right, and what a random change makes of one is
 * either refused or still holds what an oracle of its own says. */
#include <string.h>

#include "base/error.h"
#include "schedule/schedule.h"
#include "unit.h"

#define MOST 200

static uint32_t seed;

static uint32_t noise(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

static struct sl_schedule_frame frames[MOST];
static int64_t shown[MOST + 1]; /* display numbers, with gaps */
static struct sl_schedule s;

static void add(size_t place, enum sl_schedule_type type, int layer, int64_t low, int64_t high)
{
    struct sl_schedule_frame *f = &frames[s.count];
    *f = (struct sl_schedule_frame){.display = shown[place],
                                    .decode = (int64_t)s.count,
                                    .id = (int64_t)noise(1000),
                                    .type = type,
                                    .layer = (uint8_t)layer,
                                    .max_ref_layer = (uint8_t)layer,
                                    .disposable = type == SL_SCHEDULE_B};
    for (int64_t ref = low;; ref = high) {
        if (ref >= 0) {
            f->refs[f->ref_count++] = shown[ref];
        }
        if (ref == high) {
            break;
        }
    }
    s.count++;
}

/* All between low and high, split anywhere; the halves in any order. */
static void split(int64_t low, int64_t high, int layer)
{
    int64_t middle;
    bool alone = high - low == 2;
    if (high - low < 2) {
        return;
    }
    middle = low + 1 + noise((uint32_t)(high - low - 1));
    layer += layer < 7;
    add((size_t)middle, alone || noise(6) == 0 ? SL_SCHEDULE_B : SL_SCHEDULE_BREF, layer, low,
        high);
    if (frames[s.count - 1].type == SL_SCHEDULE_B) {
        /* nothing can refer to it: the rest refers past it */
        for (int64_t at = low + 1; at < high; at++) {
            if (at != middle) {
                add((size_t)at, SL_SCHEDULE_B, layer, low, high);
            }
        }
    } else if (noise(2)) {
        split(low, middle, layer);
        split(middle, high, layer);
    } else {
        split(middle, high, layer);
        split(low, middle, layer);
    }
}

static void make_random(void)
{
    size_t count = 1 + noise(MOST);
    int64_t anchor = 0, display = noise(3);
    s = (struct sl_schedule){.frames = frames, .gop = 256, .dpb = 16, .reorder = 16, .layers = 8};
    for (size_t i = 0; i < count; i++) {
        shown[i] = display;
        display += 1 + (noise(4) == 0) * noise(9);
    }
    add(0, SL_SCHEDULE_IDR, 0, -1, -1);
    while (s.count < count) {
        int64_t left = (int64_t)(count - s.count);
        int64_t next = anchor + 1 + noise(left < 12 ? (uint32_t)left : 12);
        if (noise(9) == 0) {
            anchor++;
            add((size_t)anchor, SL_SCHEDULE_IDR, 0, -1, -1);
            continue;
        }
        add((size_t)next, SL_SCHEDULE_P, 0, anchor, anchor);
        split(anchor, next, 0);
        anchor = next;
    }
}

static void valid(void **state)
{
    size_t fit = 0;
    (void)state;
    for (seed = 1; seed < 3000 * 7; seed += 7) {
        uint32_t keep = seed;
        struct sl_schedule_needs needs;
        struct sl_error err = {0};
        make_random();
        seed = keep;
        assert_int_equal(sl_schedule_measure(&s, &needs, &err), SL_OK);
        if (needs.dpb > SL_SCHEDULE_REFS_MAX) {
            assert_int_equal(sl_schedule_check(&s, "random", &err), SL_EDATA);
            continue;
        }
        fit++;
        s.dpb = needs.dpb;
        s.reorder = needs.reorder;
        if (sl_schedule_check(&s, "random", &err) != SL_OK) {
            fail_msg("seed %u: %s", keep, err.msg);
        }
        if (s.reorder > 0) { /* neither figure can be smaller */
            s.reorder--;
            assert_int_equal(sl_schedule_check(&s, "random", NULL), SL_EDATA);
            s.reorder++;
        }
        if (s.dpb > s.reorder && s.dpb > 1) {
            s.dpb--;
            assert_int_equal(sl_schedule_check(&s, "random", NULL), SL_EDATA);
        }
    }
    assert_true(fit > 300);
}

static void change(void)
{
    struct sl_schedule_frame *f = &frames[noise((uint32_t)s.count)];
    struct sl_schedule_frame *g = &frames[noise((uint32_t)s.count)];
    struct sl_schedule_frame swap = *f;
    int64_t decode = f->decode;
    switch (noise(10)) {
    case 0:
        f->display = (int64_t)noise(300) - 2;
        break;
    case 1:
        f->decode = noise(MOST);
        break;
    case 2:
        f->type = (enum sl_schedule_type)noise(7);
        f->disposable = f->type == SL_SCHEDULE_B;
        break;
    case 3:
        f->layer = (uint8_t)noise(9);
        break;
    case 4:
        f->max_ref_layer = (uint8_t)noise(9);
        break;
    case 5:
        f->refs[noise(3)] = g->display;
        break;
    case 6:
        f->ref_count = (uint8_t)noise(18);
        break;
    case 7:
        f->forget[0] = g->display;
        f->forget_count = 1;
        break;
    case 8: /* two places in coded order */
        *f = *g;
        *g = swap;
        g->decode = f->decode;
        f->decode = decode;
        break;
    default:
        s.dpb = (int32_t)noise(19) - 1;
        s.reorder = (int32_t)noise(9);
    }
}

static const struct sl_schedule_frame *find(int64_t display)
{
    for (size_t i = 0; i < s.count; i++) {
        if (frames[i].display == display) {
            return &frames[i];
        }
    }
    return NULL;
}

/* A few of the rules, said in another way. */
static void oracle(uint32_t with)
{
    for (size_t i = 0; i < s.count; i++) {
        const struct sl_schedule_frame *f = &frames[i];
        bool past = false, future = false;
        assert_int_equal(f->decode, i);
        assert_ptr_equal(find(f->display), f);
        for (size_t k = 0; k < f->ref_count; k++) {
            const struct sl_schedule_frame *ref = find(f->refs[k]);
            int newer = 0;
            assert_non_null(ref);
            assert_true(ref < f && ref->type != SL_SCHEDULE_B);
            assert_true(ref->layer <= f->max_ref_layer && f->max_ref_layer <= f->layer);
            for (const struct sl_schedule_frame *g = ref; g < f; g++) {
                newer += !g->disposable;
                assert_true(g == ref || g->type != SL_SCHEDULE_IDR);
            }
            if (newer > s.dpb) { /* then something was forgotten in between */
                bool forgot = false;
                for (const struct sl_schedule_frame *g = ref; g < f; g++) {
                    forgot |= g->forget_count > 0;
                }
                if (!forgot) {
                    fail_msg("seed %u: %d refers to %d, %d frames back", with, (int)f->display,
                             (int)ref->display, newer);
                }
            }
            past |= ref->display < f->display;
            future |= ref->display > f->display;
        }
        if (f->type >= SL_SCHEDULE_P && f->ref_count) {
            assert_true(past);
            assert_true(future || f->type == SL_SCHEDULE_P);
        }
        for (size_t k = 0; k < i; k++) {
            assert_true(f->type != SL_SCHEDULE_IDR || frames[k].display < f->display);
        }
    }
}

static void changed(void **state)
{
    size_t accepted = 0;
    (void)state;
    for (uint32_t run = 1; run < 20000; run++) {
        struct sl_schedule_needs needs;
        struct sl_error err = {0};
        seed = run * 2654435761u;
        make_random();
        assert_int_equal(sl_schedule_measure(&s, &needs, NULL), SL_OK);
        s.dpb = needs.dpb > 16 ? 16 : needs.dpb;
        s.reorder = needs.reorder < s.dpb ? needs.reorder : s.dpb;
        for (uint32_t n = noise(3) + 1; n > 0; n--) {
            change();
        }
        enum sl_status status = sl_schedule_check(&s, "changed", &err);
        if (status == SL_OK) {
            accepted++;
            oracle(run);
        } else {
            assert_int_equal(status, SL_EDATA);
            assert_true(!strncmp(err.msg, "frame ", 6) || strstr(err.msg, "DPB") ||
                        strstr(err.msg, "reorder"));
        }
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid),
        cmocka_unit_test(changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
