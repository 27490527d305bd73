/* SPDX-License-Identifier: BSD-2-Clause */
/* Which samples a request takes, the index that it is worked out from, its sidecars, and a whole
 * read with each allocation failing in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "pipeline/frames.h"
#include "pipeline/frames_binary.h"
#include "pipeline/pack.h"
#include "scratch.h"
#include "unit.h"

/* ---- streams ----------------------------------------------------------------------------- */

struct coded { /* one letter and a time: I key, i no key, P, B referred to, b not */
    char type;
    int64_t pts;
    int layer;
    int refs[3]; /* samples, -1: no more; {0}: not known */
};

static void make_index(struct sl_frames_index *x, const struct coded *c, size_t count)
{
    *x = (struct sl_frames_index){0};
    for (size_t i = 0; i < count; i++) {
        struct sl_frames_sample s = {.offset = (int64_t)i * 100,
                                     .size = 100,
                                     .pts = c[i].pts,
                                     .duration = 1,
                                     .layer = (uint8_t)c[i].layer,
                                     .flags = SL_FRAMES_LOOKED};
        s.flags |= c[i].type == 'I' ? SL_FRAMES_KEY : 0;
        s.flags |= c[i].type == 'b' ? SL_FRAMES_DISPOSABLE : 0;
        s.flags |= c[i].type == 'h' ? SL_FRAMES_HIDDEN : 0;
        assert_int_equal(sl_frames_index_add(x, &s, NULL), SL_OK);
    }
    assert_int_equal(sl_frames_index_finish(x, "test", NULL), SL_OK);
}

static void link_index(struct sl_frames_index *x, const struct coded *c)
{
    x->layered = true;
    for (size_t i = 0; i < x->count; i++) {
        uint32_t refs[3];
        size_t n = 0;
        for (size_t k = 0; k < 3 && c[i].refs[k] >= 0 && c[i].type != 'I'; k++) {
            refs[n++] = (uint32_t)c[i].refs[k];
        }
        assert_int_equal(sl_frames_set_refs(x, i, refs, n, NULL), SL_OK);
    }
}

/* What is decoded for pictures of these numbers, as text: samples, "|" where decoding begins anew.
 */
static void plan(struct sl_frames_index *x, const char *numbers, char *out, size_t room)
{
    struct sl_frames_plan p = {0};
    struct sl_frames_oracle none = {0};
    uint32_t *wanted = sl_alloc_array(32, sizeof *wanted);
    size_t count = 0, at = 0;
    char *end;
    for (const char *n = numbers; *n; n = end) {
        wanted[count++] = x->shown[strtoul(n, &end, 10)];
    }
    out[0] = '\0';
    sl_frames_plan_begin(&p, x, &none, wanted, count);
    while (sl_frames_plan_span(&p, NULL) == SL_OK) {
        if (p.fresh) {
            at += (size_t)snprintf(out + at, room - at, "%s|", at ? " " : "");
        }
        for (size_t i = p.first; i < p.end; i++) {
            if (p.needed[i - p.first]) {
                at += (size_t)snprintf(out + at, room - at, " %zu", i);
            }
        }
    }
    sl_frames_plan_clear(&p);
}

#define EXPECT_PLAN(x, numbers, expected)                                                          \
    do {                                                                                           \
        char text[256];                                                                            \
        plan(x, numbers, text, sizeof text);                                                       \
        assert_string_equal(text, expected);                                                       \
    } while (0)

/* ---- plans ------------------------------------------------------------------------------- */

static void plain(void **state)
{
    static const struct coded c[] = {{'I', 0, 0, {0}}, {'P', 1, 0, {0}}, {'P', 2, 0, {0}},
                                     {'I', 3, 0, {0}}, {'P', 4, 0, {0}}, {'P', 5, 0, {0}},
                                     {'I', 6, 0, {0}}, {'P', 7, 0, {0}}};
    struct sl_frames_index x;
    (void)state;
    make_index(&x, c, 8);
    EXPECT_PLAN(&x, "0", "| 0");
    EXPECT_PLAN(&x, "2", "| 0 1 2");
    EXPECT_PLAN(&x, "4", "| 3 4");
    EXPECT_PLAN(&x, "7 1", "| 0 1 | 6 7");
    EXPECT_PLAN(&x, "1 4", "| 0 1 | 3 4");
    EXPECT_PLAN(&x, "2 4", "| 0 1 2 3 4"); /* nothing is left out between */
    EXPECT_PLAN(&x, "0 1 2 3 4 5 6 7", "| 0 1 2 3 4 5 6 7");
    sl_frames_index_clear(&x);
}

/* I P B b b, twice, closed: pictures that nothing refers to are taken where they are asked for. */
static void pyramid(void **state)
{
    static const struct coded c[] = {
        {'I', 0, 0, {0}}, {'P', 4, 0, {0}}, {'B', 2, 0, {0}}, {'b', 1, 0, {0}}, {'b', 3, 0, {0}},
        {'P', 8, 0, {0}}, {'B', 6, 0, {0}}, {'b', 5, 0, {0}}, {'b', 7, 0, {0}},
    };
    struct sl_frames_index x;
    (void)state;
    make_index(&x, c, 9);
    EXPECT_PLAN(&x, "4", "| 0 1");
    EXPECT_PLAN(&x, "3", "| 0 1 2 4");
    EXPECT_PLAN(&x, "8", "| 0 1 2 5");
    EXPECT_PLAN(&x, "7 1", "| 0 1 2 3 5 6 8");
    sl_frames_index_clear(&x);
}

/* B pictures that are coded after a key and shown before it lean on the span before. */
static void open_gop(void **state)
{
    static const struct coded c[] = {
        {'I', 0, 0, {0}},  {'P', 3, 0, {0}},  {'b', 1, 0, {0}},  {'b', 2, 0, {0}}, {'I', 6, 0, {0}},
        {'b', 4, 0, {0}},  {'B', 5, 0, {0}},  {'P', 9, 0, {0}},  {'b', 7, 0, {0}}, {'b', 8, 0, {0}},
        {'I', 12, 0, {0}}, {'b', 10, 0, {0}}, {'b', 11, 0, {0}}, {'P', 13, 0, {0}}};
    struct sl_frames_index x;
    struct sl_frames_plan p = {0};
    struct sl_frames_oracle none = {0};
    uint32_t *wanted;
    (void)state;
    make_index(&x, c, 14);
    EXPECT_PLAN(&x, "4", "| 0 1 4 5");
    EXPECT_PLAN(&x, "6", "| 4");
    EXPECT_PLAN(&x, "9", "| 4 6 7");
    EXPECT_PLAN(&x, "10", "| 4 6 7 10 11");
    EXPECT_PLAN(&x, "0 10", "| 0 | 4 6 7 10 11");
    EXPECT_PLAN(&x, "0 4", "| 0 1 4 5");
    EXPECT_PLAN(&x, "4 10", "| 0 1 4 5 6 7 10 11"); /* no key is decoded twice */
    EXPECT_PLAN(&x, "1 13", "| 0 1 2 | 10 13");
    /* One that does not come: from a key further back, all of it. */
    wanted = sl_alloc_array(1, sizeof *wanted);
    wanted[0] = x.shown[13];
    sl_frames_plan_begin(&p, &x, &none, wanted, 1);
    assert_int_equal(sl_frames_plan_span(&p, NULL), SL_OK);
    assert_int_equal(p.first, 10);
    assert_true(sl_frames_plan_retry(&p, 13));
    assert_int_equal(sl_frames_plan_span(&p, NULL), SL_OK);
    assert_true(p.fresh && p.first == 4 && p.end == 10 && p.needed[3] && !p.needed[4]);
    assert_int_equal(sl_frames_plan_span(&p, NULL), SL_OK);
    assert_true(!p.fresh && p.first == 10 && p.needed[3]);
    assert_true(sl_frames_plan_retry(&p, 13)); /* from the beginning */
    assert_int_equal(sl_frames_plan_span(&p, NULL), SL_OK);
    assert_int_equal(p.first, 0);
    assert_false(sl_frames_plan_retry(&p, 13));
    sl_frames_plan_clear(&p);
    sl_frames_index_clear(&x);
}

/* Groups of four, two of them, depth first: 0 4 2 1 3 8 6 5 7; layers 0, 1, 2. */
static const struct coded dyadic[] = {
    {'I', 0, 0, {-1}},       {'P', 4, 0, {0, -1}}, {'B', 2, 1, {0, 1, -1}}, {'b', 1, 2, {0, 2, -1}},
    {'b', 3, 2, {2, 1, -1}}, {'P', 8, 0, {1, -1}}, {'B', 6, 1, {1, 5, -1}}, {'b', 5, 2, {1, 6, -1}},
    {'b', 7, 2, {6, 5, -1}}, {'I', 9, 0, {-1}},    {'P', 13, 0, {9, -1}},
};
#define DYADIC (sizeof dyadic / sizeof dyadic[0])

static void layered(void **state)
{
    struct sl_frames_index x;
    (void)state;
    make_index(&x, dyadic, DYADIC);
    assert_int_equal(x.layers, 3);
    x.layered = true; /* layers alone: all up to the picture's own */
    EXPECT_PLAN(&x, "8", "| 0 1 5");
    EXPECT_PLAN(&x, "6", "| 0 1 2 5 6");
    EXPECT_PLAN(&x, "7", "| 0 1 2 5 6 8");
    link_index(&x, dyadic);
    EXPECT_PLAN(&x, "8", "| 0 1 5");
    EXPECT_PLAN(&x, "6", "| 0 1 5 6");
    EXPECT_PLAN(&x, "7", "| 0 1 5 6 8");
    EXPECT_PLAN(&x, "1", "| 0 1 2 3");
    EXPECT_PLAN(&x, "1 7", "| 0 1 2 3 5 6 8");
    EXPECT_PLAN(&x, "10 0", "| 0 | 9 10");
    sl_frames_index_clear(&x);
}

/* ---- the index --------------------------------------------------------------------------- */

static void order(void **state)
{
    /* What is hidden is decoded and has no number; times need not be even. */
    static const struct coded c[] = {{'i', -3, 0, {0}},
                                     {'h', -1, 0, {0}},
                                     {'P', 10, 0, {0}},
                                     {'b', 4, 0, {0}},
                                     {'P', 11, 0, {0}}};
    static const uint32_t shown[] = {0, 3, 2, 4};
    static const int64_t durations[] = {7, 6, 1, 1};
    struct sl_frames_index x;
    (void)state;
    make_index(&x, c, 5);
    assert_int_equal(x.shown_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(x.shown[i], shown[i]);
        assert_int_equal(x.samples[shown[i]].duration, durations[i]);
        assert_int_equal(x.samples[shown[i]].shown, i);
    }
    EXPECT_PLAN(&x, "2", "| 0 1 2"); /* the first sample is a key, whatever is said of it */
    sl_frames_index_clear(&x);
    const uint32_t ahead[] = {1};
    make_index(&x, dyadic, DYADIC);
    assert_int_equal(sl_frames_set_refs(&x, 1, ahead, 1, NULL), SL_EDATA);
    assert_int_equal(sl_frames_set_refs(&x, 10, ahead, 1, NULL), SL_EDATA); /* over a key */
    sl_frames_index_clear(&x);
}

/* ---- sidecars ---------------------------------------------------------------------------- */

static struct scratch scratch;

/* As sluice pack writes it: the dyadic stream, with ids that fall. */
static uint8_t *sidecar(bool binary, size_t *size)
{
    struct sl_layered l = {.width = 32, .height = 32, .timebase = {1, 25}, .layers = 3};
    struct sl_layered_sample samples[DYADIC] = {{0}};
    const char *path = scratch_name(&scratch, binary ? "idx" : "jsonl");
    for (size_t i = 0; i < DYADIC; i++) {
        samples[i] = (struct sl_layered_sample){.out_offset = (int64_t)i * 100,
                                                .out_size = 100,
                                                .pts = dyadic[i].pts,
                                                .display = dyadic[i].pts,
                                                .duration = i + 1 == DYADIC ? 1 : 4,
                                                .id = 1000 - dyadic[i].pts,
                                                .layer = (uint8_t)dyadic[i].layer,
                                                .group = i >= 9,
                                                .key = dyadic[i].type == 'I',
                                                .refs_known = true};
        for (size_t k = 0; k < 3 && dyadic[i].refs[k] >= 0; k++) {
            samples[i].refs[samples[i].ref_count++] = (uint32_t)dyadic[i].refs[k];
        }
    }
    l.samples = samples;
    l.count = DYADIC;
    assert_int_equal(binary ? sl_layered_write_binary(&l, SL_PACK_GOP, path, NULL)
                            : sl_layered_write_ranges(&l, SL_PACK_GOP, path, NULL),
                     SL_OK);
    return scratch_read(path, size);
}

static enum sl_status read_back(struct sl_frames_index *x, const uint8_t *data, size_t size,
                                struct sl_error *err)
{
    return sl_frames_is_binary(data, size) ? sl_frames_read_binary(x, "index", data, size, err)
                                           : sl_frames_read_sidecar(x, "index", data, size, err);
}

static void sidecars(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        struct sl_frames_index x;
        size_t size;
        uint8_t *data = sidecar(binary, &size);
        make_index(&x, dyadic, DYADIC);
        x.layered = true;
        assert_int_equal(sl_frames_is_binary(data, size), binary);
        assert_int_equal(read_back(&x, data, size, NULL), SL_OK);
        assert_true(x.has_ids);
        for (size_t i = 0; i < DYADIC; i++) {
            assert_int_equal(x.samples[i].id, 1000 - dyadic[i].pts);
        }
        EXPECT_PLAN(&x, "7", "| 0 1 5 6 8");
        assert_int_equal(sl_frames_index_ids(&x, NULL), SL_OK);
        assert_int_equal(x.by_id[0], DYADIC - 1);
        sl_frames_index_clear(&x);
        /* every byte wrong, every length */
        for (size_t i = 0; i < size && binary; i++) {
            make_index(&x, dyadic, DYADIC);
            data[i] ^= 0x41;
            assert_int_not_equal(read_back(&x, data, size, NULL), SL_OK);
            data[i] ^= 0x41;
            sl_frames_index_clear(&x);
        }
        for (size_t i = 0; i + 1 < size; i++) { /* JSON: less its last line's end */
            make_index(&x, dyadic, DYADIC);
            assert_int_not_equal(read_back(&x, data, i, NULL), SL_OK);
            sl_frames_index_clear(&x);
        }
        make_index(&x, dyadic, DYADIC - 1); /* of another file */
        assert_int_equal(read_back(&x, data, size, NULL), SL_EDATA);
        sl_frames_index_clear(&x);
        free(data);
    }
}

static uint8_t *text;
static size_t text_size;

static enum sl_status read_again(void *arg)
{
    struct sl_frames_index x = {0};
    enum sl_status status = SL_OK;
    (void)arg;
    for (size_t i = 0; i < DYADIC && !status; i++) {
        struct sl_frames_sample s = {.offset = (int64_t)i * 100,
                                     .size = 100,
                                     .pts = dyadic[i].pts,
                                     .layer = (uint8_t)dyadic[i].layer,
                                     .flags = dyadic[i].type == 'I' ? SL_FRAMES_KEY : 0};
        status = sl_frames_index_add(&x, &s, NULL);
    }
    status = status ? status : sl_frames_index_finish(&x, "test", NULL);
    status = status ? status : read_back(&x, text, text_size, NULL);
    status = status ? status : sl_frames_index_ids(&x, NULL);
    sl_frames_index_clear(&x);
    return status;
}

static void sidecar_memory(void **state)
{
    (void)state;
    text = sidecar(true, &text_size);
    failing_alloc_run(read_again, NULL);
    free(text);
}

/* ---- the whole --------------------------------------------------------------------------- */

static char film[128], png[128], raw[128];

static enum sl_status read_film(void *arg)
{
    static const uint64_t wanted[] = {9, 2, 13};
    struct sl_frames_params params = {.struct_size = sizeof params, .threads = 1};
    struct sl_frames *f = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_frames_begin(&f, film, &params, NULL, &err);
    (void)arg;
    status = status ? status : sl_frames_ask(f, wanted, 3, &err);
    status = status ? status : sl_frames_advance(f, &err);
    if (!status) {
        assert_int_equal(f->index.samples[f->frame->pts].shown, 2);
        struct sl_frames_picture picture;
        status = sl_frames_describe(f, &picture, &err);
    }
    status = status ? status : sl_frames_write_png(f, png, &err);
    status = status ? status : sl_frames_write_raw(f, raw, &err);
    if (!status) {
        struct stat st;
        assert_int_equal(stat(raw, &st), 0);
        assert_int_equal(st.st_size, 2 * 64 * 48 * 3);
        assert_int_equal(f->stats.given, 3);
    }
    if (status == SL_EUNSUPPORTED && strstr(err.msg, "cannot be had")) {
        status = SL_ENOMEM; /* what a module is called could not be put together */
    }
    if (status && status != SL_ENOMEM) {
        print_error("%s: %s\n", err.where, err.msg);
    }
    sl_frames_free(&f);
    return status;
}

static void memory(void **state)
{
    static const char *const names[] = {"film.mp4", "film.mkv"};
    char command[512];
    (void)state;
    (void)snprintf(png, sizeof png, "%s/one.png", scratch.path);
    (void)snprintf(raw, sizeof raw, "%s/two.rgb", scratch.path);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(film, sizeof film, "%s/%s", scratch.path, names[i]);
        (void)snprintf(command, sizeof command,
                       "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=10 "
                       "-frames:v 16 -c:v libx264 -g 8 -bf 2 -pix_fmt yuv420p %s",
                       film);
        assert_int_equal(system(command), 0);
        failing_alloc_run_lenient(read_film, NULL);
    }
}

static int setup(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),          cmocka_unit_test(pyramid), cmocka_unit_test(open_gop),
        cmocka_unit_test(layered),        cmocka_unit_test(order),   cmocka_unit_test(sidecars),
        cmocka_unit_test(sidecar_memory), cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
