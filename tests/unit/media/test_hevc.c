/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/rational.h"
#include "failing_alloc.h"
#include "hevc_build.h"
#include "media/hevc.h"
#include "media/pixel.h"
#include "media/track.h"
#include "random.h"
#include "unit.h"
#include "vectors.h"

#define BIG (1u << 20)

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEVC_VECTORS; i++) {
        const struct hevc_vector *v = &hevc_vectors[i];
        const struct sl_nal nal = {v->sps, v->sps_size};
        struct sl_hevc_sps s;
        struct sl_error err = {0};

        if (sl_hevc_parse_sps(&nal, &s, &err) != SL_OK) {
            fail_msg("%s: %s", v->name, err.msg);
        }
        assert_int_equal(s.width, v->width);
        assert_int_equal(s.height, v->height);
        assert_int_equal(s.chroma_format_idc, v->chroma_format);
        assert_int_equal(s.bit_depth_luma, v->depth);
        assert_int_equal(s.bit_depth_chroma, v->depth);
        assert_int_equal(s.max_num_reorder, v->reorder);
        assert_int_equal(s.sample_aspect.num, v->sar_num);
        assert_int_equal(s.sample_aspect.den, v->sar_den);
        assert_int_equal(s.colour.range, v->range);
        assert_int_equal(s.colour.primaries, v->primaries);
        assert_int_equal(s.ptl.profile_idc, v->profile);
        assert_int_equal(s.ptl.level_idc, v->level);
        assert_int_equal(s.max_sub_layers, v->sub_layers);
        if (strcmp(v->name, "no timing") == 0) {
            assert_false(s.timing_present);
        } else {
            assert_true(s.timing_present);
            assert_int_equal(s.time_scale, 25 * (int)s.num_units_in_tick);
        }
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEVC_VECTORS; i++) {
        const struct hevc_vector *v = &hevc_vectors[i];
        unsigned refused = 0;
        for (size_t size = 0; size <= v->sps_size; size++) {
            uint8_t *copy = malloc(size + !size);
            struct sl_hevc_sps s;
            struct sl_error err = {0};
            assert_non_null(copy);
            memcpy(copy, v->sps, size);
            const struct sl_nal nal = {copy, size};
            const enum sl_status status = sl_hevc_parse_sps(&nal, &s, &err);
            assert_true(status == SL_OK || status == SL_EDATA);
            assert_int_equal(err.status, status);
            refused += status != SL_OK;
            free(copy);
        }
        assert_true(refused >= v->sps_size - 1);
    }
}

/* Everything that an SPS can hold, and the fields behind it still read as they were written. */
static void test_built(void **state)
{
    uint64_t random = 11;
    (void)state;
    for (int run = 0; run < 10000; run++) {
        struct hevc_build c;
        struct sl_hevc_sps s;
        struct sl_writer w;
        struct sl_error err = {0};

        hevc_build_random(&c, &random);
        sl_writer_init(&w, BIG);
        hevc_build(&c, &w);
        const struct sl_nal nal = {w.data, w.size};
        if (sl_hevc_parse_sps(&nal, &s, &err) != SL_OK) {
            fail_msg("run %d: %s", run, err.msg);
        }
        const unsigned unit_x = c.chroma_format == 1 || c.chroma_format == 2 ? 2 : 1;
        const unsigned unit_y = c.chroma_format == 1 ? 2 : 1;
        assert_int_equal(s.id, 3);
        assert_int_equal(s.max_sub_layers, c.sub_layers);
        assert_int_equal(s.ptl.tier, 1);
        assert_int_equal(s.ptl.level_idc, 93);
        assert_true(s.ptl.constraint_flags == UINT64_C(0x900000000000));
        assert_int_equal(s.width, c.width - unit_x * (c.crop[0] + c.crop[1]));
        assert_int_equal(s.height, c.height - unit_y * (c.crop[2] + c.crop[3]));
        assert_int_equal(s.bit_depth_luma, c.depth_luma);
        assert_int_equal(s.bit_depth_chroma, c.depth_chroma);
        assert_int_equal(s.max_dec_pic_buffering, c.buffering);
        assert_int_equal(s.max_num_reorder, c.reorder);
        assert_int_equal(s.vui_present, c.vui);
        if (c.vui) {
            assert_memory_equal(&s.colour, &c.colour, sizeof s.colour);
            assert_int_equal(s.video_format, c.video_format);
            if (c.aspect) {
                assert_int_equal(
                    sl_rational_compare(s.sample_aspect, sl_rational(c.sar_w, c.sar_h)), 0);
            }
            assert_int_equal(s.timing_present, c.timing);
            assert_int_equal(s.num_units_in_tick, c.timing ? c.units : 0);
            assert_int_equal(s.min_spatial_segmentation, c.restriction ? c.min_spatial : 0);
        }
        sl_writer_clear(&w);
    }
}

/* The same SPS with another colour, built and rewritten. */
static void test_rewrite(void **state)
{
    static const struct sl_colour colours[] = {
        {2, 2, 2, SL_RANGE_UNSPECIFIED, 0}, {1, 1, 1, SL_RANGE_LIMITED, 0},
        {9, 16, 9, SL_RANGE_LIMITED, 0},    {2, 2, 2, SL_RANGE_FULL, 0},
        {6, 6, 6, SL_RANGE_FULL, 3},        {0, 0, 0, SL_RANGE_LIMITED, 0},
    };
    uint64_t random = 12;
    (void)state;
    for (int run = 0; run < 10000; run++) {
        const struct sl_colour *colour = &colours[(size_t)run % 6];
        struct hevc_build c;
        struct sl_writer before;
        struct sl_writer after;
        struct sl_writer wanted;

        hevc_build_random(&c, &random);
        sl_writer_init(&before, BIG);
        sl_writer_init(&after, BIG);
        sl_writer_init(&wanted, BIG);
        hevc_build(&c, &before);
        const struct sl_nal nal = {before.data, before.size};
        assert_int_equal(sl_hevc_rewrite_colour(&nal, colour, &after, NULL), SL_OK);
        c.vui = true; /* chroma_location is no video signal field: it stays */
        c.colour.primaries = colour->primaries;
        c.colour.transfer = colour->transfer;
        c.colour.matrix = colour->matrix;
        c.colour.range = colour->range;
        hevc_build(&c, &wanted);
        assert_int_equal(after.size, wanted.size);
        assert_memory_equal(after.data, wanted.data, wanted.size);
        sl_writer_clear(&before);
        sl_writer_clear(&after);
        sl_writer_clear(&wanted);
    }
}

static void test_rewrite_vectors(void **state)
{
    const struct sl_colour colour = {9, 18, 9, SL_RANGE_FULL, 0};
    (void)state;
    for (size_t i = 0; i < HEVC_VECTORS; i++) {
        const struct hevc_vector *v = &hevc_vectors[i];
        const struct sl_nal nal = {v->sps, v->sps_size};
        struct sl_hevc_sps s;
        struct sl_hevc_sps t;
        struct sl_writer there;
        struct sl_writer back;

        sl_writer_init(&there, BIG);
        sl_writer_init(&back, BIG);
        assert_int_equal(sl_hevc_parse_sps(&nal, &s, NULL), SL_OK);
        assert_int_equal(sl_hevc_rewrite_colour(&nal, &colour, &there, NULL), SL_OK);
        const struct sl_nal changed = {there.data, there.size};
        assert_int_equal(sl_hevc_parse_sps(&changed, &t, NULL), SL_OK);
        assert_int_equal(t.colour.transfer, 18);
        assert_int_equal(t.colour.range, SL_RANGE_FULL);
        assert_int_equal(t.colour.chroma_location, s.colour.chroma_location);
        assert_int_equal(t.time_scale, s.time_scale);
        assert_int_equal(sl_hevc_rewrite_colour(&changed, &s.colour, &back, NULL), SL_OK);
        assert_int_equal(back.size, v->sps_size);
        assert_memory_equal(back.data, v->sps, v->sps_size);
        sl_writer_clear(&there);
        sl_writer_clear(&back);
    }
}

/* The fields can be read out of the zeros that follow a lost stop bit, but not moved. */
static void test_rewrite_refused(void **state)
{
    const struct sl_colour colour = {1, 1, 1, SL_RANGE_LIMITED, 0};
    uint8_t bytes[80];
    struct sl_writer out;
    struct sl_hevc_sps s;
    (void)state;

    memcpy(bytes, hevc_vectors[7].sps, sizeof bytes);
    assert_int_equal(bytes[hevc_vectors[7].sps_size - 1], 0x08);
    bytes[hevc_vectors[7].sps_size - 1] = 0;
    const struct sl_nal nal = {bytes, hevc_vectors[7].sps_size};
    sl_writer_init(&out, BIG);
    assert_int_equal(sl_hevc_parse_sps(&nal, &s, NULL), SL_OK);
    assert_int_equal(sl_hevc_rewrite_colour(&nal, &colour, &out, NULL), SL_EDATA);
    assert_int_equal(out.size, 0);
}

static void test_bit_flips(void **state)
{
    const struct sl_colour colour = {1, 1, 1, SL_RANGE_LIMITED, 0};
    uint64_t random = 3;
    unsigned accepted = 0;
    (void)state;
    for (int run = 0; run < 30000; run++) {
        struct hevc_build c;
        struct sl_writer w;
        struct sl_writer out;
        struct sl_hevc_sps s;

        sl_writer_init(&w, BIG);
        sl_writer_init(&out, BIG);
        if (run % 4 == 0) {
            const struct hevc_vector *v = &hevc_vectors[(size_t)run / 4 % HEVC_VECTORS];
            sl_write_bytes(&w, v->sps, v->sps_size);
        } else {
            hevc_build_random(&c, &random);
            hevc_build(&c, &w);
        }
        for (uint32_t n = 1 + random_below(&random, 4); n > 0; n--) {
            const uint32_t bit = 16 + random_below(&random, (uint32_t)w.size * 8 - 16);
            w.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        const struct sl_nal nal = {w.data, w.size};
        if (sl_hevc_parse_sps(&nal, &s, NULL) == SL_OK) {
            accepted++;
            assert_in_range(s.width, 1, 16384);
            assert_in_range(s.height, 1, 16384);
            assert_in_range(s.max_num_reorder, 0, 15);
            const enum sl_status status = sl_hevc_rewrite_colour(&nal, &colour, &out, NULL);
            assert_true(status == SL_OK || status == SL_EDATA);
        }
        sl_writer_clear(&w);
        sl_writer_clear(&out);
    }
    assert_true(accepted > 1000);
}

static void expect_refused(const struct hevc_build *c, const char *field)
{
    struct sl_hevc_sps s;
    struct sl_writer w;
    struct sl_error err = {0};
    sl_writer_init(&w, BIG);
    hevc_build(c, &w);
    const struct sl_nal nal = {w.data, w.size};
    assert_int_equal(sl_hevc_parse_sps(&nal, &s, &err), SL_EDATA);
    if (!strstr(err.msg, field)) {
        fail_msg("\"%s\" does not name %s", err.msg, field);
    }
    sl_writer_clear(&w);
}

static void test_out_of_range(void **state)
{
    const struct hevc_build good = {.seed = 1,
                                    .sub_layers = 1,
                                    .chroma_format = 1,
                                    .width = 320,
                                    .height = 180,
                                    .depth_luma = 8,
                                    .depth_chroma = 8,
                                    .buffering = 5,
                                    .reorder = 2,
                                    .vui = true,
                                    .video_format = 5,
                                    .colour = {2, 2, 2, 0, 0}};
    struct hevc_build c;
    struct sl_hevc_sps s;
    (void)state;

#define REFUSED(change, field)                                                                     \
    c = good;                                                                                      \
    change;                                                                                        \
    expect_refused(&c, field)

    REFUSED(c.sub_layers = 8, "sps_max_sub_layers_minus1");
    REFUSED(c.chroma_format = 4, "chroma_format_idc");
    REFUSED(c.width = 16385, "pic_width_in_luma_samples");
    REFUSED(c.height = 0, "side");
    REFUSED((c.crop[0] = 80, c.crop[1] = 80), "conf_win_right_offset");
    REFUSED(c.depth_luma = 17, "bit_depth_luma_minus8");
    REFUSED(c.buffering = 17, "sps_max_dec_pic_buffering_minus1");
    REFUSED(c.reorder = 5, "sps_max_num_reorder_pics");
    REFUSED(c.rps_count = 65, "num_short_term_ref_pic_sets");
    REFUSED((c.chroma_loc = true, c.colour.chroma_location = 7), "chroma_sample_loc_type");
    REFUSED((c.restriction = true, c.min_spatial = 4096), "min_spatial_segmentation_idc");
#undef REFUSED

    uint8_t bytes[80];
    memcpy(bytes, hevc_vectors[0].sps, sizeof bytes);
    const struct sl_nal nal = {bytes, hevc_vectors[0].sps_size};
    bytes[1] = 0x09; /* nuh_layer_id 1 */
    assert_int_equal(sl_hevc_parse_sps(&nal, &s, NULL), SL_EUNSUPPORTED);
    bytes[1] = 0x01;
    bytes[0] = 0x44;
    assert_int_equal(sl_hevc_parse_sps(&nal, &s, NULL), SL_EDATA);
    bytes[0] = 0xc2;
    assert_int_equal(sl_hevc_parse_sps(&nal, &s, NULL), SL_EDATA);
}

static void put_unit(struct sl_writer *w, const uint8_t *data, size_t size)
{
    sl_write_be32(w, 1);
    sl_write_bytes(w, data, size);
}

static void annexb_of(const struct hevc_vector *v, struct sl_writer *w)
{
    static const uint8_t sei[] = {0x4e, 0x01, 5, 1, 0xaa, 0x80};
    static const uint8_t slice[] = {0x26, 0x01, 0xaf, 0x10};
    sl_writer_init(w, BIG);
    put_unit(w, v->vps, v->vps_size);
    put_unit(w, v->sps, v->sps_size);
    put_unit(w, v->pps, v->pps_size);
    put_unit(w, v->vps, v->vps_size);
    put_unit(w, sei, sizeof sei);
    put_unit(w, slice, sizeof slice);
}

static void test_hvcc(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEVC_VECTORS; i++) {
        const struct hevc_vector *v = &hevc_vectors[i];
        struct sl_writer annexb;
        struct sl_writer hvcc;
        struct sl_nal_config config;

        annexb_of(v, &annexb);
        sl_writer_init(&hvcc, BIG);
        assert_int_equal(sl_hvcc_from_annexb(annexb.data, annexb.size, &hvcc, NULL), SL_OK);
        assert_int_equal(hvcc.size, 23 + 3 * 5 + v->vps_size + v->sps_size + v->pps_size);
        assert_int_equal(hvcc.data[1] & 0x1f, v->profile);
        assert_int_equal(hvcc.data[12], v->level);
        assert_int_equal(hvcc.data[16], 0xfc | v->chroma_format);
        assert_int_equal(hvcc.data[17], 0xf8 | (v->depth - 8));
        assert_int_equal(hvcc.data[21] >> 3 & 7, v->sub_layers);
        assert_int_equal(hvcc.data[22], 3);
        assert_int_equal(hvcc.data[23], 0x80 | SL_HEVC_VPS);
        assert_int_equal(sl_hvcc_parse(hvcc.data, hvcc.size, &config, NULL), SL_OK);
        assert_int_equal(config.length_size, 4);
        assert_int_equal(config.profile, v->profile);
        assert_int_equal(config.level, v->level);
        assert_int_equal(config.count, 3);
        assert_memory_equal(config.sets[0].data, v->vps, v->vps_size);
        assert_memory_equal(config.sets[1].data, v->sps, v->sps_size);
        assert_memory_equal(config.sets[2].data, v->pps, v->pps_size);

        for (size_t size = 0; size < hvcc.size; size++) {
            uint8_t *copy = malloc(size + !size);
            assert_non_null(copy);
            memcpy(copy, hvcc.data, size);
            assert_int_equal(sl_hvcc_parse(copy, size, &config, NULL), SL_EDATA);
            free(copy);
        }
        sl_writer_clear(&annexb);
        sl_writer_clear(&hvcc);
    }
}

static void test_hvcc_refused(void **state)
{
    const struct hevc_vector *v = &hevc_vectors[0];
    struct sl_nal_config config;
    struct sl_writer w;
    struct sl_writer out;
    struct sl_error err = {0};
    (void)state;

    sl_writer_init(&w, BIG);
    sl_writer_init(&out, BIG);
    put_unit(&w, v->sps, v->sps_size);
    put_unit(&w, v->pps, v->pps_size);
    assert_int_equal(sl_hvcc_from_annexb(w.data, w.size, &out, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, "0 VPS, 1 SPS and 1 PPS"));
    assert_int_equal(out.size, 0);
    sl_writer_clear(&w);

    /* PPS before SPS, SEI between: sorted, and SEI left out */
    uint8_t bytes[] = {1,  1,    0x60, 0,    0,    0,    0x90, 0, 0, 0,    0,    0,
                       93, 0xf0, 0,    0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3,    0xa2,
                       0,  1,    0,    2,    0x44, 1,    0xa7, 0, 1, 0,    2,    0x4e,
                       1,  0x21, 0,    2,    0,    2,    0x42, 1, 0, 2,    0x42, 2};
    assert_int_equal(sl_hvcc_parse(bytes, sizeof bytes, &config, NULL), SL_OK);
    assert_int_equal(config.count, 3);
    assert_int_equal(config.sets[0].data[0], 0x42);
    assert_int_equal(config.sets[1].data[1], 2);
    assert_int_equal(config.sets[2].data[0], 0x44);
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 2}, {21, 0x0e}, {22, 4}, {24, 1}, {25, 2}, {27, 3}, {28, 0x42}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        const uint8_t old = bytes[damage[i].at];
        bytes[damage[i].at] = damage[i].value;
        assert_int_equal(sl_hvcc_parse(bytes, sizeof bytes, &config, NULL), SL_EDATA);
        bytes[damage[i].at] = old;
    }

    sl_writer_init(&w, BIG); /* 65 VPS */
    sl_write_bytes(&w, bytes, 22);
    sl_write_u8(&w, 1);
    sl_write_u8(&w, 0xa0);
    sl_write_be16(&w, 65);
    for (int i = 0; i < 65; i++) {
        sl_write_be16(&w, 1);
        sl_write_u8(&w, 0x40);
    }
    assert_int_equal(sl_hvcc_parse(w.data, w.size, &config, NULL), SL_EDATA);
    sl_writer_clear(&w);
}

static void test_describe(void **state)
{
    static const enum sl_pixel_format formats[] = {
        SL_PIX_YUV420P, SL_PIX_YUV420P10, SL_PIX_YUV422P12, SL_PIX_YUV444P, SL_PIX_GRAY,
        SL_PIX_YUV420P, SL_PIX_YUV420P,   SL_PIX_YUV420P,   SL_PIX_YUV420P};
    (void)state;
    for (size_t i = 0; i < HEVC_VECTORS; i++) {
        const struct hevc_vector *v = &hevc_vectors[i];
        struct sl_writer annexb;
        struct sl_writer hvcc;
        struct sl_track t;

        annexb_of(v, &annexb);
        sl_writer_init(&hvcc, BIG);
        assert_int_equal(sl_hvcc_from_annexb(annexb.data, annexb.size, &hvcc, NULL), SL_OK);
        sl_track_init(&t);
        t.colour.matrix = 6;
        assert_int_equal(sl_track_set_config(&t, hvcc.data, hvcc.size, NULL), SL_OK);
        assert_int_equal(sl_hevc_describe(&t, NULL), SL_OK);
        assert_int_equal(t.width, v->width);
        assert_int_equal(t.height, v->height);
        assert_int_equal(t.bit_depth, v->depth);
        assert_int_equal(t.reorder, v->reorder);
        assert_int_equal(t.profile, v->profile);
        assert_int_equal(t.level, v->level);
        assert_int_equal(t.sample_aspect.num, v->sar_num);
        assert_int_equal(t.colour.matrix, v->primaries == 2 ? 6 : v->primaries);
        assert_int_equal(t.pixel_format, formats[i]);
        sl_track_clear(&t);
        sl_writer_clear(&annexb);
        sl_writer_clear(&hvcc);
    }
    struct sl_track t;
    sl_track_init(&t);
    assert_int_equal(sl_hevc_describe(&t, NULL), SL_EDATA);
}

static void test_irap(void **state)
{
    static const uint8_t trail[] = {0, 0, 1, 0x02, 1, 0xd0, 0, 0, 1, 0x26, 1};
    static const uint8_t cra[] = {0, 0, 0, 3, 0x46, 1, 0x10, 0, 0, 0, 3, 0x2a, 1, 0xaf};
    struct sl_writer w;
    (void)state;

    annexb_of(&hevc_vectors[0], &w);
    assert_true(sl_hevc_is_irap(w.data, w.size, 0));
    assert_false(sl_hevc_is_irap(w.data, w.size - 8, 0));
    assert_false(sl_hevc_is_irap(trail, sizeof trail, 0));
    assert_true(sl_hevc_is_irap(cra, sizeof cra, 4));
    assert_false(sl_hevc_is_irap(cra, sizeof cra - 1, 4));
    assert_false(sl_hevc_is_irap(NULL, 0, 4));
    sl_writer_clear(&w);
}

static enum sl_status body(void *arg)
{
    const struct hevc_vector *v = arg;
    const struct sl_nal nal = {v->sps, v->sps_size};
    const struct sl_colour colour = {9, 16, 9, SL_RANGE_LIMITED, 0};
    struct sl_track t;
    struct sl_error err = {0};
    struct sl_writer annexb;
    struct sl_writer hvcc;
    struct sl_writer sps;
    enum sl_status status;

    sl_track_init(&t);
    sl_writer_init(&hvcc, BIG);
    sl_writer_init(&sps, BIG);
    annexb_of(v, &annexb);
    status = sl_writer_finish(&annexb, &err);
    if (status == SL_OK) {
        status = sl_hevc_rewrite_colour(&nal, &colour, &sps, &err);
    }
    if (status == SL_OK) {
        status = sl_hvcc_from_annexb(annexb.data, annexb.size, &hvcc, &err);
    }
    if (status == SL_OK) {
        status = sl_track_set_config(&t, hvcc.data, hvcc.size, &err);
    }
    if (status == SL_OK) {
        status = sl_hevc_describe(&t, &err);
    }
    assert_int_equal(err.status, status);
    sl_track_clear(&t);
    sl_writer_clear(&annexb);
    sl_writer_clear(&hvcc);
    sl_writer_clear(&sps);
    return status;
}

static void test_memory(void **state)
{
    struct hevc_vector v = hevc_vectors[1];
    (void)state;
    failing_alloc_run(body, &v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_rewrite_vectors),
        cmocka_unit_test(test_rewrite_refused),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_hvcc),
        cmocka_unit_test(test_hvcc_refused),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_irap),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
