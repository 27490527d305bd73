/* SPDX-License-Identifier: BSD-2-Clause */
/* Turning planes, and what turning does to chroma siting. */
#include <stdlib.h>
#include <string.h>

#include "filter/rotate.h"
#include "filter/siting.h"
#include "pictures.h"
#include "unit.h"

#define SIDE 41

/* Where the pixel x, y of a w x h picture ends up, by the words of the header. */
static void turned(int32_t w, int32_t h, int degrees, bool flip, int32_t *x, int32_t *y)
{
    for (int i = 0; i < degrees; i += 90) { /* one quarter clockwise at a time */
        int32_t old_x = *x, old_h = h;
        *x = h - 1 - *y;
        *y = old_x;
        h = w;
        w = old_h;
    }
    if (flip) {
        *x = w - 1 - *x;
    }
}

static void check_turn(int32_t w, int32_t h, int degrees, bool flip)
{
    bool sideways = degrees % 180 != 0;
    int32_t out_w = sideways ? h : w, out_h = sideways ? w : h;
    uint8_t *in = malloc((size_t)(w * h)), *out = malloc((size_t)((out_w + 1) * out_h));
    uint32_t seed = 3;
    assert_non_null(in);
    assert_non_null(out);
    for (int32_t i = 0; i < w * h; i++) {
        in[i] = (uint8_t)picture_random(&seed);
    }
    memset(out, 0xa5, (size_t)((out_w + 1) * out_h));
    sl_rotate_plane((struct sl_plane_view){out, out_w + 1}, (struct sl_plane_view){in, w}, w, h,
                    degrees, flip);
    for (int32_t y = 0; y < h; y++) {
        for (int32_t x = 0; x < w; x++) {
            int32_t to_x = x, to_y = y;
            turned(w, h, degrees, flip, &to_x, &to_y);
            assert_int_equal(out[to_y * (out_w + 1) + to_x], in[y * w + x]);
        }
    }
    for (int32_t y = 0; y < out_h; y++) {
        assert_int_equal(out[y * (out_w + 1) + out_w], 0xa5);
    }
    free(in);
    free(out);
}

static void test_every_turn(void **state)
{
    (void)state;
    for (int degrees = 0; degrees < 360; degrees += 90) {
        for (int flip = 0; flip < 2; flip++) {
            for (int32_t w = 1; w < SIDE; w += 1 + w / 9) {
                for (int32_t h = 1; h < SIDE; h += 1 + h / 7) {
                    check_turn(w, h, degrees, flip);
                }
            }
        }
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    enum { W = 37, H = 22 };
    for (int degrees = 0; degrees < 360; degrees += 90) {
        uint8_t a[W * H], b[W * H], c[W * H];
        uint32_t seed = 5;
        bool sideways = degrees % 180 != 0;
        int32_t w = sideways ? H : W, h = sideways ? W : H;
        for (int i = 0; i < W * H; i++) {
            a[i] = (uint8_t)picture_random(&seed);
        }
        sl_rotate_plane((struct sl_plane_view){b, w}, (struct sl_plane_view){a, W}, W, H, degrees,
                        false);
        sl_rotate_plane((struct sl_plane_view){c, W}, (struct sl_plane_view){b, w}, w, h,
                        (360 - degrees) % 360, false);
        assert_memory_equal(a, c, sizeof a);
        /* A turn with a mirror undoes itself where it is one of the reflections. */
        sl_rotate_plane((struct sl_plane_view){b, w}, (struct sl_plane_view){a, W}, W, H, degrees,
                        true);
        sl_rotate_plane((struct sl_plane_view){c, W}, (struct sl_plane_view){b, w}, w, h, degrees,
                        true);
        assert_memory_equal(a, c, sizeof a);
    }
}

static void test_siting_codes(void **state)
{
    (void)state;
    for (uint8_t location = 1; location <= 6; location++) {
        assert_int_equal(sl_siting_location(sl_siting_from_location(location)), location);
    }
    assert_int_equal(sl_siting_location(sl_siting_from_location(0)), 1); /* inferred: left */
    assert_int_equal(sl_siting_location((struct sl_siting){1, 0}), 0);
    assert_int_equal(sl_siting_location(sl_siting_codable((struct sl_siting){1, 0})), 2);
    const struct sl_pixel_info *i444 = sl_pixel_info(SL_PIX_YUV444P);
    const struct sl_pixel_info *i422 = sl_pixel_info(SL_PIX_YUV422P);
    assert_int_equal(sl_siting_location(sl_siting_of(i444, 3)), 2);
    assert_int_equal(sl_siting_location(sl_siting_of(i422, 3)), 1);
}

static void test_siting_turns(void **state)
{
    (void)state;
    /* Left becomes top by a quarter to the right; bottom would become left. */
    struct sl_siting left = sl_siting_from_location(1);
    assert_int_equal(sl_siting_location(sl_siting_turn(left, 90, false)), 4);
    assert_int_equal(sl_siting_location(sl_siting_turn(left, 270, false)), 6);
    assert_int_equal(sl_siting_location(sl_siting_unturn(left, 90, false)), 6);
    assert_int_equal(sl_siting_location(sl_siting_turn(left, 180, false)), 0);
    assert_int_equal(sl_siting_location(sl_siting_turn(left, 180, true)), 1);
    for (int degrees = 0; degrees < 360; degrees += 90) {
        for (int flip = 0; flip < 2; flip++) {
            for (int8_t h = -1; h <= 1; h++) {
                for (int8_t v = -1; v <= 1; v++) {
                    struct sl_siting s = {h, v};
                    struct sl_siting t = sl_siting_turn(s, degrees, flip);
                    assert_true(sl_siting_equal(sl_siting_unturn(t, degrees, flip), s));
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_turn),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_siting_codes),
        cmocka_unit_test(test_siting_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
