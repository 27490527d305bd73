/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "failing_alloc.h"
#include "media/h264.h"
#include "media/pixel.h"
#include "media/track.h"
#include "random.h"
#include "unit.h"
#include "vectors.h"

#define BIG (1u << 20)

static struct sl_nal sps_of(const struct h264_vector *v)
{
    return (struct sl_nal){v->sps, v->sps_size};
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < H264_VECTORS; i++) {
        const struct h264_vector *v = &h264_vectors[i];
        const struct sl_nal nal = sps_of(v);
        const struct sl_nal pps_nal = {v->pps, v->pps_size};
        struct sl_h264_sps s;
        struct sl_h264_pps pps;
        struct sl_writer w;
        struct sl_error err = {0};

        assert_int_equal(sl_h264_parse_sps(&nal, &s, &err), SL_OK);
        assert_int_equal(s.width, v->width);
        assert_int_equal(s.height, v->height);
        assert_int_equal(s.chroma_format_idc, v->chroma_format);
        assert_int_equal(s.bit_depth_luma, v->depth);
        assert_int_equal(s.bit_depth_chroma, v->depth);
        assert_int_equal(sl_h264_reorder(&s), v->reorder);
        assert_int_equal(s.sample_aspect.num, v->sar_num);
        assert_int_equal(s.sample_aspect.den, v->sar_den);
        assert_int_equal(s.colour.range, v->range);
        assert_int_equal(s.colour.primaries, v->primaries);
        assert_true(s.timing_present);
        assert_int_equal(s.time_scale, 50 * (int)s.num_units_in_tick);

        /* x264 writes nothing in two ways, so the bytes must come back. */
        sl_writer_init(&w, BIG);
        sl_h264_write_sps(&s, &w);
        assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
        assert_int_equal(w.size, v->sps_size);
        assert_memory_equal(w.data, v->sps, v->sps_size);
        sl_writer_clear(&w);

        assert_int_equal(sl_h264_parse_pps(&pps_nal, &pps, NULL), SL_OK);
        assert_int_equal(pps.id, 0);
        assert_int_equal(pps.sps_id, 0);
        assert_false(pps.cabac); /* ultrafast */
    }
}

static void test_details(void **state)
{
    struct sl_h264_sps s;
    struct sl_nal nal = sps_of(&h264_vectors[5]);
    (void)state;

    assert_string_equal(h264_vectors[5].name, "NAL HRD, pic_struct, overscan");
    assert_int_equal(sl_h264_parse_sps(&nal, &s, NULL), SL_OK);
    assert_true(s.nal_hrd_present);
    assert_false(s.vcl_hrd_present);
    assert_int_equal(s.nal_hrd.cpb_count, 1);
    assert_int_equal(s.nal_hrd.bit_rate_value[0] << (6 + s.nal_hrd.bit_rate_scale), 600000);
    assert_int_equal(s.nal_hrd.cpb_size_value[0] << (4 + s.nal_hrd.cpb_size_scale), 1000000);
    assert_false(s.nal_hrd.cbr[0]);
    assert_true(s.pic_struct_present);
    assert_true(s.overscan_info);
    assert_false(s.overscan_appropriate);
    assert_int_equal(s.video_format, 1); /* PAL */

    nal = sps_of(&h264_vectors[6]);
    assert_int_equal(sl_h264_parse_sps(&nal, &s, NULL), SL_OK);
    assert_false(s.frame_mbs_only);
    assert_true(s.mb_adaptive_frame_field);

    nal = sps_of(&h264_vectors[7]);
    assert_int_equal(sl_h264_parse_sps(&nal, &s, NULL), SL_OK);
    assert_true(s.scaling_present);
    assert_int_equal(s.constraints & 0x10, 0x10);
    assert_int_equal(s.crop_bottom, 8); /* 4:2:2: units of one row */
}

/* Every prefix in a block of its own size, so that the sanitizer sees the first byte too many. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < H264_VECTORS; i++) {
        const struct h264_vector *v = &h264_vectors[i];
        unsigned refused = 0;
        for (size_t size = 0; size <= v->sps_size; size++) {
            uint8_t *copy = malloc(size + !size);
            struct sl_h264_sps s;
            struct sl_h264_pps pps;
            struct sl_error err = {0};
            assert_non_null(copy);
            memcpy(copy, v->sps, size);
            const struct sl_nal nal = {copy, size};
            const enum sl_status status = sl_h264_parse_sps(&nal, &s, &err);
            assert_true(status == SL_OK || status == SL_EDATA);
            assert_int_equal(err.status, status);
            refused += status != SL_OK;
            const enum sl_status other = sl_h264_parse_pps(&nal, &pps, NULL);
            assert_int_equal(other, SL_EDATA);
            free(copy);
        }
        /* All but the whole, and the whole less the byte that holds nothing but the stop bit. */
        assert_true(refused >= v->sps_size - 1);
    }
}

static void check_inverse(const struct sl_h264_sps *s)
{
    struct sl_h264_sps back;
    struct sl_writer w;
    struct sl_error err = {0};

    sl_writer_init(&w, BIG);
    sl_h264_write_sps(s, &w);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    const struct sl_nal nal = {w.data, w.size};
    if (sl_h264_parse_sps(&nal, &back, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_memory_equal(&back, s, sizeof back);
    sl_writer_clear(&w);
}

static void test_bit_flips(void **state)
{
    uint64_t random = 1;
    unsigned accepted = 0;
    (void)state;
    for (int run = 0; run < 60000; run++) {
        const struct h264_vector *v = &h264_vectors[(size_t)run % H264_VECTORS];
        uint8_t bytes[sizeof v->sps];
        struct sl_h264_sps s;
        memcpy(bytes, v->sps, sizeof bytes);
        for (uint32_t n = 1 + random_below(&random, 4); n > 0; n--) {
            const uint32_t bit = 8 + random_below(&random, (uint32_t)v->sps_size * 8 - 8);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        const struct sl_nal nal = {bytes, v->sps_size};
        if (sl_h264_parse_sps(&nal, &s, NULL) == SL_OK) {
            accepted++;
            assert_in_range(s.width, 1, 16384);
            assert_in_range(s.height, 1, 16384);
            assert_in_range(sl_h264_reorder(&s), 0, 16);
            check_inverse(&s);
        }
    }
    assert_true(accepted > 1000);
}

static void random_hrd(uint64_t *r, struct sl_h264_hrd *h)
{
    h->cpb_count = (uint8_t)(1 + random_below(r, 32));
    h->bit_rate_scale = (uint8_t)random_below(r, 16);
    h->cpb_size_scale = (uint8_t)random_below(r, 16);
    for (unsigned i = 0; i < h->cpb_count; i++) {
        h->bit_rate_value[i] = 1 + random_next(r) % (UINT32_MAX - 1);
        h->cpb_size_value[i] = i == 0 ? UINT32_MAX : 1 + random_below(r, 1000);
        h->cbr[i] = random_below(r, 2);
    }
    h->initial_delay_length = (uint8_t)(1 + random_below(r, 32));
    h->removal_delay_length = (uint8_t)(1 + random_below(r, 32));
    h->output_delay_length = (uint8_t)(1 + random_below(r, 32));
    h->time_offset_length = (uint8_t)random_below(r, 32);
}

static void random_chroma(uint64_t *r, struct sl_h264_sps *s)
{
    s->chroma_format_idc = (uint8_t)random_below(r, 4);
    s->separate_colour_plane = s->chroma_format_idc == 3 && random_below(r, 2);
    s->bit_depth_luma = (uint8_t)(8 + random_below(r, 7));
    s->bit_depth_chroma = (uint8_t)(8 + random_below(r, 7));
    s->lossless_bypass = random_below(r, 2);
    s->scaling_present = random_below(r, 2);
    /* Lists that are not given follow from rules that test_scaling checks; here all are. */
    if (s->scaling_present) {
        s->chroma_format_idc = 3;
        memset(s->scaling_list_present, 1, sizeof s->scaling_list_present);
        for (unsigned i = 0; i < sizeof s->scaling4; i++) {
            s->scaling4[i / 16][i % 16] = (uint8_t)(1 + random_below(r, 255));
        }
        for (unsigned i = 0; i < sizeof s->scaling8; i++) {
            s->scaling8[i / 64][i % 64] = (uint8_t)(1 + random_below(r, 255));
        }
    }
}

static void random_vui(uint64_t *r, struct sl_h264_sps *s)
{
    static const struct sl_rational aspects[] = {{0, 1}, {1, 1}, {160, 99}, {7, 5}, {65535, 65534}};
    s->sample_aspect = aspects[random_below(r, 5)];
    s->overscan_info = random_below(r, 2);
    s->overscan_appropriate = s->overscan_info && random_below(r, 2);
    s->video_signal_present = random_below(r, 2);
    if (s->video_signal_present) {
        s->video_format = (uint8_t)random_below(r, 8);
        s->colour.range = random_below(r, 2) ? SL_RANGE_FULL : SL_RANGE_LIMITED;
        s->colour_description_present = random_below(r, 2);
        if (s->colour_description_present) {
            s->colour.primaries = (uint8_t)random_below(r, 256);
            s->colour.transfer = (uint8_t)random_below(r, 256);
            s->colour.matrix = (uint8_t)random_below(r, 256);
        }
    }
    s->chroma_loc_present = random_below(r, 2);
    if (s->chroma_loc_present) {
        s->chroma_loc_top = (uint8_t)random_below(r, 6);
        s->chroma_loc_bottom = (uint8_t)random_below(r, 6);
        s->colour.chroma_location = (uint8_t)(s->chroma_loc_top + 1);
    }
    s->timing_present = random_below(r, 2);
    if (s->timing_present) {
        s->num_units_in_tick = 1 + random_below(r, 0xffffffff);
        s->time_scale = 1 + random_below(r, 3); /* zeros to be escaped */
        s->fixed_frame_rate = random_below(r, 2);
    }
    s->nal_hrd_present = random_below(r, 2);
    if (s->nal_hrd_present) {
        random_hrd(r, &s->nal_hrd);
    }
    s->vcl_hrd_present = random_below(r, 2);
    if (s->vcl_hrd_present) {
        random_hrd(r, &s->vcl_hrd);
    }
    s->low_delay_hrd = (s->nal_hrd_present || s->vcl_hrd_present) && random_below(r, 2);
    s->pic_struct_present = random_below(r, 2);
    s->bitstream_restriction = random_below(r, 2);
    if (s->bitstream_restriction) {
        s->motion_vectors_over_boundaries = random_below(r, 2);
        s->max_bytes_per_pic_denom = random_below(r, 17);
        s->max_bits_per_mb_denom = random_below(r, 17);
        s->log2_max_mv_h = random_below(r, 17);
        s->log2_max_mv_v = random_below(r, 17);
        s->max_dec_frame_buffering = random_below(r, 17);
        s->max_num_reorder_frames = random_below(r, s->max_dec_frame_buffering + 1);
    }
}

static void default_sps(struct sl_h264_sps *s)
{
    const struct sl_nal nal = sps_of(&h264_vectors[2]);
    assert_int_equal(sl_h264_parse_sps(&nal, s, NULL), SL_OK);
}

static void random_sps(uint64_t *r, struct sl_h264_sps *s)
{
    static const uint8_t profiles[] = {66, 77, 88,  100, 110, 122, 244, 44,
                                       83, 86, 118, 128, 138, 139, 134, 135};
    const uint8_t profile = profiles[random_below(r, sizeof profiles)];
    struct sl_h264_sps plain;

    default_sps(&plain);
    memset(s, 0, sizeof *s);
    s->profile_idc = profile;
    s->constraints = (uint8_t)random_below(r, 256);
    s->level_idc = (uint8_t)random_below(r, 256);
    s->id = (uint8_t)random_below(r, 32);
    s->chroma_format_idc = 1;
    s->bit_depth_luma = 8;
    s->bit_depth_chroma = 8;
    memset(s->scaling4, 16, sizeof s->scaling4);
    memset(s->scaling8, 16, sizeof s->scaling8);
    s->sample_aspect = (struct sl_rational){0, 1};
    s->video_format = 5;
    s->colour = (struct sl_colour){2, 2, 2, 0, 0};
    if (profile != 66 && profile != 77 && profile != 88) {
        random_chroma(r, s);
    }
    s->log2_max_frame_num = (uint8_t)(4 + random_below(r, 13));
    s->poc_type = (uint8_t)random_below(r, 3);
    if (s->poc_type == 0) {
        s->log2_max_poc_lsb = (uint8_t)(4 + random_below(r, 13));
    } else if (s->poc_type == 1) {
        s->delta_pic_order_always_zero = random_below(r, 2);
        s->offset_for_non_ref_pic = INT32_MAX;
        s->offset_for_top_to_bottom = -INT32_MAX;
        s->poc_cycle_count = (uint8_t)random_below(r, 256);
        for (unsigned i = 0; i < s->poc_cycle_count; i++) {
            s->offset_for_ref_frame[i] = (int32_t)random_below(r, 2001) - 1000;
        }
    }
    s->max_num_ref_frames = random_below(r, 17);
    s->gaps_in_frame_num_allowed = random_below(r, 2);
    s->frame_mbs_only = random_below(r, 2);
    s->mb_adaptive_frame_field = !s->frame_mbs_only && random_below(r, 2);
    s->direct_8x8_inference = random_below(r, 2);
    s->width_mbs = 1 + random_below(r, 1024);
    s->height_map_units = 1 + random_below(r, s->frame_mbs_only ? 1024 : 512);
    const bool shared = s->chroma_format_idc != 0 && !s->separate_colour_plane;
    const uint32_t unit_x = shared && s->chroma_format_idc != 3 ? 2 : 1;
    const uint32_t unit_y =
        (shared && s->chroma_format_idc == 1 ? 2u : 1u) * (s->frame_mbs_only ? 1u : 2u);
    const uint32_t height = s->height_map_units * (s->frame_mbs_only ? 16 : 32);
    if (random_below(r, 2)) {
        s->crop_left = random_below(r, 4);
        s->crop_right = random_below(r, 4);
        s->crop_top = random_below(r, 2);
        s->crop_bottom = random_below(r, 2);
    }
    s->width = (int32_t)(s->width_mbs * 16 - unit_x * (s->crop_left + s->crop_right));
    s->height = (int32_t)(height - unit_y * (s->crop_top + s->crop_bottom));
    s->vui_present = random_below(r, 4) != 0;
    if (s->vui_present) {
        random_vui(r, s);
    }
}

static void test_inverse(void **state)
{
    uint64_t random = 5;
    (void)state;
    for (int run = 0; run < 10000; run++) {
        struct sl_h264_sps s;
        random_sps(&random, &s);
        check_inverse(&s);
    }
}

/* Fall-back rule set A of table 7-2, and lists that say "default". */
static void test_scaling(void **state)
{
    struct sl_h264_sps s;
    struct sl_h264_sps back;
    struct sl_writer w;
    (void)state;

    default_sps(&s);
    s.profile_idc = 244;
    s.chroma_format_idc = 3;
    s.scaling_present = true;
    s.scaling_list_present[1] = 1; /* Cb intra 4x4, all 9; Cr follows it */
    memset(s.scaling4[1], 9, 16);
    s.scaling_list_present[5] = 1; /* Cr inter 4x4: default */
    s.scaling_default[5] = 1;
    s.scaling_list_present[8] = 1; /* Cb intra 8x8 */
    memset(s.scaling8[2], 7, 64);
    s.scaling8[2][63] = 255;
    sl_writer_init(&w, BIG);
    sl_h264_write_sps(&s, &w);
    const struct sl_nal nal = {w.data, w.size};
    assert_int_equal(sl_h264_parse_sps(&nal, &back, NULL), SL_OK);
    static const uint8_t default_intra4[] = {6,  13, 13, 20, 20, 20, 28, 28,
                                             28, 28, 32, 32, 32, 37, 37, 42};
    assert_memory_equal(back.scaling4[0], default_intra4, 16);
    assert_memory_equal(back.scaling4[1], s.scaling4[1], 16);
    assert_memory_equal(back.scaling4[2], s.scaling4[1], 16);
    assert_int_equal(back.scaling4[3][15], 34);
    assert_int_equal(back.scaling4[4][15], 34);
    assert_int_equal(back.scaling4[5][0], 10);
    assert_true(back.scaling_default[5]);
    assert_int_equal(back.scaling8[0][63], 42);
    assert_int_equal(back.scaling8[1][63], 35);
    assert_memory_equal(back.scaling8[2], s.scaling8[2], 64);
    assert_int_equal(back.scaling8[3][63], 35);               /* inter Cb like inter Y */
    assert_memory_equal(back.scaling8[4], s.scaling8[2], 64); /* intra Cr like intra Cb */
    check_inverse(&back);
    sl_writer_clear(&w);

    /* The short form: nextScale 0 before the end repeats the last value. */
    struct sl_bit_writer b;
    sl_writer_init(&w, BIG);
    sl_bit_writer_init(&b, &w);
    sl_put_bits(&b, 8, 0x67);
    sl_put_bits(&b, 24, 0x640028);
    sl_put_ue(&b, 0); /* id */
    sl_put_ue(&b, 1); /* 4:2:0 */
    sl_put_ue(&b, 0);
    sl_put_ue(&b, 0);
    sl_put_bits(&b, 1, 0); /* lossless */
    sl_put_bits(&b, 2, 3); /* scaling matrix, first list */
    sl_put_se(&b, 2);      /* 10 */
    sl_put_se(&b, 5);      /* 15 */
    sl_put_se(&b, -15);    /* 0: 15 from here on */
    sl_put_bits(&b, 7, 0);
    sl_put_ue(&b, 0);
    sl_put_ue(&b, 2); /* poc type */
    sl_put_ue(&b, 1);
    sl_put_bits(&b, 1, 0);
    sl_put_ue(&b, 1);
    sl_put_ue(&b, 1);
    sl_put_bits(&b, 4, 8 + 4); /* frame_mbs_only, direct_8x8, no crop, no VUI */
    sl_put_trailing(&b);
    const struct sl_nal hand = {w.data, w.size};
    assert_int_equal(sl_h264_parse_sps(&hand, &back, NULL), SL_OK);
    assert_int_equal(back.scaling4[0][0], 10);
    for (unsigned i = 1; i < 16; i++) {
        assert_int_equal(back.scaling4[0][i], 15);
    }
    assert_int_equal(back.width, 32);
    check_inverse(&back);
    sl_writer_clear(&w);
}

static void expect_refused(const struct sl_h264_sps *s, const char *field)
{
    struct sl_h264_sps back;
    struct sl_writer w;
    struct sl_error err = {0};

    sl_writer_init(&w, BIG);
    sl_h264_write_sps(s, &w);
    const struct sl_nal nal = {w.data, w.size};
    assert_int_equal(sl_h264_parse_sps(&nal, &back, &err), SL_EDATA);
    if (!strstr(err.msg, field)) {
        fail_msg("\"%s\" does not name %s", err.msg, field);
    }
    sl_writer_clear(&w);
}

static void test_out_of_range(void **state)
{
    struct sl_h264_sps s;
    (void)state;

#define REFUSED(change, field)                                                                     \
    default_sps(&s);                                                                               \
    change;                                                                                        \
    expect_refused(&s, field)

    REFUSED(s.id = 32, "seq_parameter_set_id");
    REFUSED(s.chroma_format_idc = 4, "chroma_format_idc");
    REFUSED(s.bit_depth_luma = 15, "bit_depth_luma_minus8");
    REFUSED(s.bit_depth_chroma = 15, "bit_depth_chroma_minus8");
    REFUSED(s.log2_max_frame_num = 17, "log2_max_frame_num_minus4");
    REFUSED(s.poc_type = 3, "pic_order_cnt_type");
    REFUSED(s.log2_max_poc_lsb = 17, "log2_max_pic_order_cnt_lsb_minus4");
    REFUSED(s.max_num_ref_frames = 17, "max_num_ref_frames");
    REFUSED(s.width_mbs = 1025, "pic_width_in_mbs_minus1");
    REFUSED(s.height_map_units = 1025, "pic_height_in_map_units_minus1");
    REFUSED((s.height_map_units = 513, s.frame_mbs_only = false), "height");
    REFUSED((s.crop_left = 480, s.crop_right = 480), "frame_crop_right_offset");
    REFUSED(s.crop_top = UINT32_MAX, "frame_crop_top_offset");
    REFUSED((s.chroma_loc_present = true, s.chroma_loc_top = 6), "chroma_sample_loc_type_top");
    REFUSED((s.nal_hrd_present = true, s.nal_hrd.cpb_count = 33), "cpb_cnt_minus1");
    REFUSED((s.vcl_hrd_present = true, s.vcl_hrd.cpb_count = 1), "SPS"); /* value 0 - 1 */
    REFUSED(s.max_dec_frame_buffering = 17, "max_dec_frame_buffering");
    REFUSED(s.max_num_reorder_frames = 17, "max_num_reorder_frames");
    REFUSED((s.max_num_reorder_frames = 3, s.max_dec_frame_buffering = 2),
            "max_num_reorder_frames");
    REFUSED(s.log2_max_mv_h = 17, "log2_max_mv_length_horizontal");
#undef REFUSED

    static const uint8_t wrong[] = {0x68, 100, 0, 40, 0xac};
    static const uint8_t forbidden[] = {0xe7, 100, 0, 40, 0xac};
    const struct sl_nal nals[] = {{wrong, sizeof wrong}, {forbidden, sizeof forbidden}};
    assert_int_equal(sl_h264_parse_sps(&nals[0], &s, NULL), SL_EDATA);
    assert_int_equal(sl_h264_parse_sps(&nals[1], &s, NULL), SL_EDATA);
}

static void test_timing_zero(void **state)
{
    struct sl_h264_sps s;
    struct sl_h264_sps back;
    struct sl_writer w;
    (void)state;

    default_sps(&s);
    s.num_units_in_tick = 0;
    sl_writer_init(&w, BIG);
    sl_h264_write_sps(&s, &w);
    const struct sl_nal nal = {w.data, w.size};
    assert_int_equal(sl_h264_parse_sps(&nal, &back, NULL), SL_OK);
    assert_false(back.timing_present);
    assert_int_equal(back.time_scale, 0);
    sl_writer_clear(&w);
}

static void test_reorder(void **state)
{
    static const struct {
        uint8_t profile, constraints, level, poc_type;
        uint32_t width_mbs, height_map_units;
        bool frame_mbs_only;
        int32_t expected;
    } cases[] = {
        {100, 0, 40, 0, 120, 68, true, 4},    /* 32768 / 8160 */
        {100, 0, 31, 0, 80, 45, true, 5},     /* 18000 / 3600 */
        {77, 0, 30, 0, 45, 18, false, 5},     /* 8100 / 1620 */
        {77, 0, 51, 0, 20, 12, true, 16},     /* many: at most 16 */
        {66, 0, 11, 0, 11, 9, true, 9},       /* 900 / 99 */
        {66, 0x10, 11, 0, 11, 9, true, 4},    /* level 1b: 396 / 99 */
        {100, 0, 9, 0, 11, 9, true, 4},       /* level 1b of High */
        {100, 0x10, 40, 0, 120, 68, true, 0}, /* High 10 Intra and kin */
        {110, 0x10, 40, 0, 120, 68, true, 0}, {44, 0x10, 40, 0, 120, 68, true, 0},
        {77, 0x10, 40, 0, 120, 68, true, 4}, /* the flag means nothing in Main */
        {66, 0, 30, 2, 22, 18, true, 0},     /* output order is decoding order */
        {100, 0, 99, 0, 120, 68, true, 16},  /* no such level */
        {100, 0, 10, 0, 120, 68, true, 0},   /* larger than its level allows */
        {100, 0, 62, 0, 1024, 1024, true, 0},
    };
    struct sl_h264_sps s;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        default_sps(&s);
        s.profile_idc = cases[i].profile;
        s.constraints = cases[i].constraints;
        s.level_idc = cases[i].level;
        s.poc_type = cases[i].poc_type;
        s.width_mbs = cases[i].width_mbs;
        s.height_map_units = cases[i].height_map_units;
        s.frame_mbs_only = cases[i].frame_mbs_only;
        s.max_num_reorder_frames = 1;
        assert_int_equal(sl_h264_reorder(&s), 1); /* stated */
        s.bitstream_restriction = false;
        assert_int_equal(sl_h264_reorder(&s), cases[i].expected);
        s.bitstream_restriction = true;
        s.vui_present = false;
        assert_int_equal(sl_h264_reorder(&s), cases[i].expected);
    }
}

static void put_unit(struct sl_writer *w, const uint8_t *data, size_t size)
{
    sl_write_be32(w, 1);
    sl_write_bytes(w, data, size);
}

/* AUD, SEI, SPS, PPS, the SPS again, IDR slice */
static void annexb_of(const struct h264_vector *v, struct sl_writer *w)
{
    static const uint8_t aud[] = {9, 0xf0};
    static const uint8_t sei[] = {6, 5, 1, 0xaa, 0x80};
    static const uint8_t slice[] = {0x65, 0x88, 0x84, 0x12};
    sl_writer_init(w, BIG);
    put_unit(w, aud, sizeof aud);
    put_unit(w, sei, sizeof sei);
    put_unit(w, v->sps, v->sps_size);
    put_unit(w, v->pps, v->pps_size);
    put_unit(w, v->sps, v->sps_size);
    put_unit(w, slice, sizeof slice);
}

static void test_avcc(void **state)
{
    (void)state;
    for (size_t i = 0; i < H264_VECTORS; i++) {
        const struct h264_vector *v = &h264_vectors[i];
        const bool high = v->sps[1] >= 100;
        struct sl_writer annexb;
        struct sl_writer avcc;
        struct sl_nal_config config;

        annexb_of(v, &annexb);
        sl_writer_init(&avcc, BIG);
        assert_int_equal(sl_avcc_from_annexb(annexb.data, annexb.size, &avcc, NULL), SL_OK);
        assert_int_equal(avcc.size, 6 + 2 + v->sps_size + 1 + 2 + v->pps_size + (high ? 4 : 0));
        assert_memory_equal(avcc.data + 1, v->sps + 1, 3);
        if (high) {
            const uint8_t *ext = avcc.data + avcc.size - 4;
            assert_int_equal(ext[0], 0xfc | v->chroma_format);
            assert_int_equal(ext[1], 0xf8 | (v->depth - 8));
            assert_int_equal(ext[2], 0xf8 | (v->depth - 8));
            assert_int_equal(ext[3], 0);
        }
        assert_int_equal(sl_avcc_parse(avcc.data, avcc.size, &config, NULL), SL_OK);
        assert_int_equal(config.length_size, 4);
        assert_int_equal(config.profile, v->sps[1]);
        assert_int_equal(config.compatibility, v->sps[2]);
        assert_int_equal(config.level, v->sps[3]);
        assert_int_equal(config.count, 2);
        assert_int_equal(config.sets[0].size, v->sps_size);
        assert_memory_equal(config.sets[0].data, v->sps, v->sps_size);
        assert_memory_equal(config.sets[1].data, v->pps, v->pps_size);

        for (size_t size = 0; size < avcc.size; size++) {
            uint8_t *copy = malloc(size + !size);
            assert_non_null(copy);
            memcpy(copy, avcc.data, size);
            const enum sl_status status = sl_avcc_parse(copy, size, &config, NULL);
            /* Only the fields for High may be missing. */
            assert_int_equal(status, size >= avcc.size - (high ? 4 : 0) ? SL_OK : SL_EDATA);
            free(copy);
        }
        sl_writer_clear(&annexb);
        sl_writer_clear(&avcc);
    }
}

static void test_avcc_refused(void **state)
{
    const struct h264_vector *v = &h264_vectors[0];
    struct sl_nal_config config;
    struct sl_writer w;
    struct sl_writer out;
    struct sl_error err = {0};
    (void)state;

    sl_writer_init(&w, BIG);
    sl_writer_init(&out, BIG);
    assert_int_equal(sl_avcc_from_annexb(NULL, 0, &out, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, "0 SPS and 0 PPS"));
    put_unit(&w, v->sps, v->sps_size);
    assert_int_equal(sl_avcc_from_annexb(w.data, w.size, &out, NULL), SL_EDATA);
    for (uint8_t i = 0; i < 40; i++) { /* 40 different PPS, 33 places */
        const uint8_t pps[] = {0x68, 0xce, 0x0f, (uint8_t)(0x80 | i)};
        put_unit(&w, pps, sizeof pps);
    }
    assert_int_equal(sl_avcc_from_annexb(w.data, w.size, &out, NULL), SL_EDATA);
    assert_int_equal(out.size, 0);
    sl_writer_clear(&w);

    uint8_t bytes[] = {1, 66, 0xc0, 13, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68};
    assert_int_equal(sl_avcc_parse(bytes, sizeof bytes, &config, NULL), SL_OK);
    assert_int_equal(config.count, 2);
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 0}, {0, 2}, {4, 0xfe}, {8, 0x68}, {13, 0x67}, {6, 1}, {7, 200}, {10, 2}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        const uint8_t old = bytes[damage[i].at];
        bytes[damage[i].at] = damage[i].value;
        assert_int_equal(sl_avcc_parse(bytes, sizeof bytes, &config, NULL), SL_EDATA);
        bytes[damage[i].at] = old;
    }
    bytes[4] = 0xfd; /* lengths of two bytes */
    assert_int_equal(sl_avcc_parse(bytes, sizeof bytes, &config, NULL), SL_OK);
    assert_int_equal(config.length_size, 2);

    sl_writer_init(&w, BIG); /* 31 + 40 sets */
    sl_write_bytes(&w, bytes, 5);
    sl_write_u8(&w, 0xff);
    for (int i = 0; i < 31 + 40; i++) {
        if (i == 31) {
            sl_write_u8(&w, 40);
        }
        sl_write_be16(&w, 1);
        sl_write_u8(&w, i < 31 ? 0x67 : 0x68);
    }
    assert_int_equal(sl_avcc_parse(w.data, w.size, &config, NULL), SL_EDATA);
    sl_writer_clear(&w);
}

static void test_describe(void **state)
{
    static const enum sl_pixel_format formats[] = {
        SL_PIX_YUV420P, SL_PIX_GRAY,    SL_PIX_YUV420P,   SL_PIX_YUV422P10, SL_PIX_YUV444P,
        SL_PIX_YUV420P, SL_PIX_YUV420P, SL_PIX_YUV422P10, SL_PIX_GBRP};
    (void)state;
    for (size_t i = 0; i < H264_VECTORS; i++) {
        const struct h264_vector *v = &h264_vectors[i];
        struct sl_writer annexb;
        struct sl_writer avcc;
        struct sl_track t;

        annexb_of(v, &annexb);
        sl_writer_init(&avcc, BIG);
        assert_int_equal(sl_avcc_from_annexb(annexb.data, annexb.size, &avcc, NULL), SL_OK);
        sl_track_init(&t);
        t.colour.primaries = 9; /* the container's, kept where the stream says nothing */
        t.colour.range = SL_RANGE_FULL;
        assert_int_equal(sl_track_set_config(&t, avcc.data, avcc.size, NULL), SL_OK);
        assert_int_equal(sl_h264_describe(&t, NULL), SL_OK);
        assert_int_equal(t.width, v->width);
        assert_int_equal(t.height, v->height);
        assert_int_equal(t.bit_depth, v->depth);
        assert_int_equal(t.reorder, v->reorder);
        assert_int_equal(t.profile, v->sps[1]);
        assert_int_equal(t.level, v->sps[3]);
        assert_int_equal(t.sample_aspect.num, v->sar_num);
        assert_int_equal(t.colour.primaries, v->primaries == 2 ? 9 : v->primaries);
        assert_int_equal(t.colour.range, v->range ? v->range : SL_RANGE_FULL);
        assert_int_equal(t.pixel_format, formats[i]);
        sl_track_clear(&t);
        sl_writer_clear(&annexb);
        sl_writer_clear(&avcc);
    }

    static const uint8_t in_band[] = {1, 66, 0xc0, 13, 0xff, 0xe0, 0};
    struct sl_track t;
    sl_track_init(&t);
    t.width = 99;
    assert_int_equal(sl_h264_describe(&t, NULL), SL_EDATA); /* nothing to read from */
    assert_int_equal(sl_track_set_config(&t, in_band, sizeof in_band, NULL), SL_OK);
    assert_int_equal(sl_h264_describe(&t, NULL), SL_OK);
    assert_int_equal(t.width, 99);
    assert_int_equal(t.profile, 66);
    assert_int_equal(t.reorder, -1);

    /* An SPS that is cut short changes nothing. */
    static const uint8_t damaged[] = {1, 100, 0, 40, 0xff, 0xe1, 0, 4, 0x67, 100, 0, 40, 0};
    assert_int_equal(sl_track_set_config(&t, damaged, sizeof damaged, NULL), SL_OK);
    assert_int_equal(sl_h264_describe(&t, NULL), SL_EDATA);
    assert_int_equal(t.profile, 66);
    assert_int_equal(t.width, 99);
    sl_track_clear(&t);
}

static void test_idr(void **state)
{
    struct sl_writer w;
    struct sl_writer lengths;
    (void)state;

    annexb_of(&h264_vectors[0], &w);
    sl_writer_init(&lengths, BIG);
    sl_nal_annexb_to_length(w.data, w.size, &lengths);
    assert_true(sl_h264_is_idr(w.data, w.size, 0));
    assert_true(sl_h264_is_idr(lengths.data, lengths.size, 4));
    assert_false(sl_h264_is_idr(w.data, w.size - 8, 0)); /* without the slice */
    assert_false(sl_h264_is_idr(lengths.data, lengths.size - 1, 4));
    assert_false(sl_h264_is_idr(lengths.data, lengths.size, 3));
    assert_false(sl_h264_is_idr(NULL, 0, 0));
    assert_false(sl_h264_is_idr(NULL, 0, 4));
    static const uint8_t slice[] = {0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x65};
    assert_false(sl_h264_is_idr(slice, sizeof slice, 0));
    sl_writer_clear(&w);
    sl_writer_clear(&lengths);
}

static enum sl_status body(void *arg)
{
    const struct h264_vector *v = arg;
    const struct sl_nal nal = sps_of(v);
    struct sl_h264_sps s;
    struct sl_track t;
    struct sl_error err = {0};
    struct sl_writer annexb;
    struct sl_writer avcc;
    struct sl_writer sps;
    enum sl_status status;

    sl_track_init(&t);
    sl_writer_init(&avcc, BIG);
    sl_writer_init(&sps, BIG);
    annexb_of(v, &annexb);
    status = sl_writer_finish(&annexb, &err);
    if (status == SL_OK) {
        status = sl_h264_parse_sps(&nal, &s, &err);
    }
    if (status == SL_OK) {
        sl_h264_write_sps(&s, &sps);
        status = sl_writer_finish(&sps, &err);
    }
    if (status == SL_OK) {
        status = sl_avcc_from_annexb(annexb.data, annexb.size, &avcc, &err);
    }
    if (status == SL_OK) {
        status = sl_track_set_config(&t, avcc.data, avcc.size, &err);
    }
    if (status == SL_OK) {
        status = sl_h264_describe(&t, &err);
    }
    assert_int_equal(err.status, status);
    sl_track_clear(&t);
    sl_writer_clear(&annexb);
    sl_writer_clear(&avcc);
    sl_writer_clear(&sps);
    return status;
}

static void test_memory(void **state)
{
    struct h264_vector v = h264_vectors[5];
    (void)state;
    failing_alloc_run(body, &v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_details),
        cmocka_unit_test(test_prefixes),     cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_inverse),      cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_timing_zero),
        cmocka_unit_test(test_reorder),      cmocka_unit_test(test_avcc),
        cmocka_unit_test(test_avcc_refused), cmocka_unit_test(test_describe),
        cmocka_unit_test(test_idr),          cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
