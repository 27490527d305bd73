/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of temporal layers: a stream built here, bit by bit, so that what it refers to is known.
 * One period of 0 4 2 1 3, twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/error.h"
#include "failing_alloc.h"
#include "media/h264.h"
#include "pipeline/pack.h"
#include "scratch.h"
#include "unit.h"

#define PERIODS 2
#define SAMPLES (PERIODS * 5)

static struct scratch scratch;
static char stream[128], metadata[128], packed[128], ranges[128], out[128];

/* ---- the stream -------------------------------------------------------------------------- */

static void unit(struct sl_writer *w, unsigned head, const struct sl_writer *rbsp)
{
    sl_write_be32(w, 1);
    sl_write_u8(w, head);
    sl_nal_escape(rbsp->data, rbsp->size, w);
}

static void put_sets(struct sl_writer *w)
{
    struct sl_h264_sps sps = {.profile_idc = 77,
                              .level_idc = 10,
                              .chroma_format_idc = 1,
                              .bit_depth_luma = 8,
                              .bit_depth_chroma = 8,
                              .log2_max_frame_num = 4,
                              .poc_type = 0,
                              .log2_max_poc_lsb = 6,
                              .max_num_ref_frames = 4,
                              .gaps_in_frame_num_allowed = true,
                              .width_mbs = 2,
                              .height_map_units = 2,
                              .frame_mbs_only = true,
                              .direct_8x8_inference = true,
                              .width = 32,
                              .height = 32};
    struct sl_writer rbsp;
    struct sl_bit_writer b;
    sl_write_be32(w, 1);
    sl_h264_write_sps(&sps, w);
    sl_writer_init(&rbsp, 256);
    sl_bit_writer_init(&b, &rbsp);
    sl_put_ue(&b, 0);
    sl_put_ue(&b, 0);
    sl_put_bits(&b, 2, 2); /* CABAC; no bottom field order */
    sl_put_ue(&b, 0);
    sl_put_ue(&b, 0); /* one reference in each list by default */
    sl_put_ue(&b, 0);
    sl_put_bits(&b, 3, 0);
    sl_put_se(&b, 0);
    sl_put_se(&b, 0);
    sl_put_se(&b, 0);
    sl_put_bits(&b, 3, 4);
    sl_put_trailing(&b);
    unit(w, 0x68, &rbsp);
    sl_writer_clear(&rbsp);
}

/* One list of one entry: frame_num of the picture meant. */
static void put_list(struct sl_bit_writer *b, unsigned own, unsigned wanted)
{
    sl_put_bits(b, 1, 1);
    sl_put_ue(b, 0);
    sl_put_ue(b, (own - wanted + 16) % 16 - 1);
    sl_put_ue(b, 3);
}

static const struct picture {
    unsigned display, layer, max_ref_layer, type, ref_idc, frame_num;
    int list0, list1; /* frame_num */
} pictures[5] = {
    {0, 0, 0, 1, 3, 0, -1, -1}, {4, 0, 0, 3, 2, 1, 0, -1}, {2, 1, 0, 4, 1, 2, 0, 1},
    {1, 2, 1, 5, 0, 3, 0, 2},   {3, 2, 1, 5, 0, 3, 2, 1},
};

static void put_slice(struct sl_writer *w, const struct picture *p, unsigned period)
{
    static const unsigned types[] = {0, 7, 7, 5, 6, 6};
    struct sl_writer rbsp;
    struct sl_bit_writer b;
    sl_writer_init(&rbsp, 4096);
    sl_bit_writer_init(&b, &rbsp);
    sl_put_ue(&b, 0);
    sl_put_ue(&b, types[p->type]);
    sl_put_ue(&b, 0);
    sl_put_bits(&b, 4, p->frame_num);
    if (p->type == 1) {
        sl_put_ue(&b, period);
    }
    sl_put_bits(&b, 6, p->display * 2);
    if (p->list1 >= 0) {
        sl_put_bits(&b, 1, 1); /* direct_spatial_mv_pred */
    }
    if (p->list0 >= 0) {
        sl_put_bits(&b, 1, 0); /* no override */
        put_list(&b, p->frame_num, (unsigned)p->list0);
    }
    if (p->list1 >= 0) {
        put_list(&b, p->frame_num, (unsigned)p->list1);
    }
    for (unsigned i = 0; i < 20 + 10 * p->display; i++) { /* what would be macroblocks */
        sl_put_bits(&b, 8, (i * 37 + p->display) & 255);
    }
    sl_put_trailing(&b);
    unit(w, p->ref_idc << 5 | (p->type == 1 ? 5 : 1), &rbsp);
    sl_writer_clear(&rbsp);
}

static int setup(void **state)
{
    struct sl_writer w, lines;
    (void)state;
    scratch_make(&scratch);
    (void)snprintf(stream, sizeof stream, "%s/run.h264", scratch.path);
    (void)snprintf(metadata, sizeof metadata, "%s/run.jsonl", scratch.path);
    (void)snprintf(packed, sizeof packed, "%s/run.mp4", scratch.path);
    (void)snprintf(ranges, sizeof ranges, "%s/run.mp4.jsonl", scratch.path);
    (void)snprintf(out, sizeof out, "%s/out", scratch.path);
    sl_writer_init(&w, 1 << 20);
    sl_writer_init(&lines, 1 << 20);
    put_sets(&w);
    sl_write_text(&lines, "{\"type\":\"stream\",\"width\":32,\"height\":32,\"fps_num\":30000,"
                          "\"fps_den\":1001}\n");
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct picture *p = &pictures[i % 5];
        size_t before = w.size;
        if (i == 5) {
            put_sets(&w); /* later sets belong to their IDR */
        }
        put_slice(&w, p, i / 5);
        sl_write_format(&lines,
                        "{\"type\":\"sample\",\"sample_index\":%u,\"byte_offset\":%zu,"
                        "\"byte_len\":%zu,\"pts\":%u,\"dts\":%d,\"duration\":1,\"is_keyframe\":%s,"
                        "\"picture_type\":%u,\"display_frame\":%u,\"decode_order\":%u,"
                        "\"temporal_layer\":%u,\"max_ref_layer\":%u,\"frame_id\":%u}\n",
                        i, before, w.size - before, i / 5 * 5 + p->display, (int)i - 2,
                        p->type == 1 ? "true" : "false", p->type, i / 5 * 5 + p->display, i,
                        p->layer, p->max_ref_layer, 100 + i);
    }
    scratch_write(stream, w.data, w.size);
    scratch_write(metadata, lines.data, lines.size);
    sl_writer_clear(&w);
    sl_writer_clear(&lines);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

/* ---- tests ------------------------------------------------------------------------------- */

static enum sl_status pack(int layout, struct sl_error *err)
{
    struct sl_pack_params params = {.struct_size = sizeof params, .layout = layout};
    memcpy(params.input, stream, sizeof stream);
    memcpy(params.output, packed, sizeof packed);
    return sl_pack_execute(&params, NULL, err);
}

static void references(void **state)
{
    static const uint32_t expected[5][2] = {{0}, {0}, {0, 1}, {0, 2}, {2, 1}};
    static const uint8_t counts[5] = {0, 1, 2, 2, 2};
    struct sl_layered l;
    (void)state;
    assert_int_equal(sl_layered_open(&l, stream, "", NULL), SL_OK);
    assert_int_equal(l.count, SAMPLES);
    assert_int_equal(l.layers, 3);
    assert_int_equal(sl_layered_find_refs(&l, NULL), SL_OK);
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sl_layered_sample *s = &l.samples[i];
        assert_true(s->refs_known);
        assert_int_equal(s->ref_count, counts[i % 5]);
        for (size_t k = 0; k < s->ref_count; k++) {
            assert_int_equal(s->refs[k], i / 5 * 5 + expected[i % 5][k]);
        }
    }
    sl_layered_clear(&l);
}

/* Where each layer's samples lie, and that the bytes there are the units of the stream. */
static void laid_out(void **state)
{
    static const unsigned orders[3][SAMPLES] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
                                                {0, 1, 5, 6, 2, 7, 3, 4, 8, 9},
                                                {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
    (void)state;
    for (int layout = 0; layout < 3; layout++) {
        struct sl_layered l, again;
        size_t size;
        uint8_t *bytes;
        assert_int_equal(sl_layered_open(&l, stream, metadata, NULL), SL_OK);
        assert_int_equal(sl_layered_write_mp4(&l, layout, packed, NULL), SL_OK);
        for (size_t i = 1; i < SAMPLES; i++) {
            const struct sl_layered_sample *a = &l.samples[orders[layout][i - 1]];
            assert_int_equal(a->out_offset + a->out_size, l.samples[orders[layout][i]].out_offset);
        }
        bytes = scratch_read(packed, &size);
        assert_int_equal(sl_layered_open_mp4(&again, packed, NULL, NULL), SL_OK);
        assert_int_equal(again.count, SAMPLES);
        assert_int_equal(again.layers, 3);
        assert_int_equal(sl_layered_find_refs(&again, NULL), SL_OK);
        for (size_t i = 0; i < SAMPLES; i++) {
            const struct sl_layered_sample *a = &l.samples[i], *b = &again.samples[i];
            assert_int_equal(b->offset, a->out_offset);
            assert_int_equal(b->size, a->out_size);
            assert_int_equal(b->layer, a->layer);
            assert_int_equal(b->key, a->key);
            assert_int_equal(b->pts, a->pts * 1001);
            assert_int_equal(b->dts, a->dts * 1001);
            assert_int_equal(b->ref_count, i % 5 == 0 ? 0 : i % 5 == 1 ? 1 : 2);
            assert_true((size_t)(b->offset + b->size) <= size);
            assert_int_equal(bytes[b->offset + 4] & 31, i % 5 ? 1 : 5);
        }
        free(bytes);
        sl_layered_clear(&l);
        sl_layered_clear(&again);
    }
}

static void dropped(void **state)
{
    struct sl_layers_params params = {.struct_size = sizeof params, .max_layer = 1};
    size_t whole, size;
    uint8_t *bytes = scratch_read(stream, &whole), *kept;
    (void)state;
    memcpy(params.input, stream, sizeof stream);
    memcpy(params.output, out, sizeof out);
    assert_int_equal(sl_layers_execute(&params, NULL, NULL), SL_OK);
    kept = scratch_read(out, &size);
    assert_true(size < whole);
    struct sl_nal_walker w = {.data = kept, .size = size};
    struct sl_nal nal;
    unsigned slices = 0;
    while (sl_nal_next_annexb(&w, &nal)) {
        slices += (nal.data[0] & 31) == 1 || (nal.data[0] & 31) == 5;
    }
    assert_int_equal(slices, 6);
    free(kept);
    /* the highest layer kept: the stream itself */
    params.max_layer = 7;
    assert_int_equal(sl_layers_execute(&params, NULL, NULL), SL_OK);
    kept = scratch_read(out, &size);
    assert_int_equal(size, whole);
    assert_memory_equal(kept, bytes, size);
    free(kept);
    free(bytes);
    /* and of the MP4 */
    struct sl_layered l;
    assert_int_equal(pack(SL_PACK_GOP, NULL), SL_OK);
    memcpy(params.input, packed, sizeof packed);
    params.max_layer = 0;
    assert_int_equal(sl_layers_execute(&params, NULL, NULL), SL_OK);
    assert_int_equal(sl_layered_open_mp4(&l, out, NULL, NULL), SL_OK);
    assert_int_equal(l.count, 4);
    assert_int_equal(l.layers, 1);
    assert_int_equal(l.end, 10 * 1001); /* as long as it was */
    sl_layered_clear(&l);
}

static bool wrong;

static void refused_with(const char *from, const char *to, const char *message)
{
    struct sl_layered l;
    struct sl_error err = {0};
    struct sl_writer w;
    size_t size, at = 0;
    uint8_t *text = scratch_read(metadata, &size);
    while (at + strlen(from) <= size && memcmp(text + at, from, strlen(from)) != 0) {
        at++;
    }
    assert_true(at + strlen(from) <= size);
    sl_writer_init(&w, 1 << 20);
    sl_write_bytes(&w, text, at);
    sl_write_text(&w, to);
    sl_write_bytes(&w, text + at + strlen(from), size - at - strlen(from));
    scratch_write(out, w.data, w.size);
    assert_int_equal(sl_layered_open(&l, stream, out, &err), SL_EDATA);
    if (strcmp(err.msg, message) != 0) {
        print_error("expected %s\ngot      %s\n", message, err.msg);
        wrong = true;
    }
    assert_null(l.samples);
    sl_writer_clear(&w);
    free(text);
}

static void refused(void **state)
{
    (void)state;
    refused_with("\"stream\"", "\"streem\"",
                 "line 1, column 2: type: \"streem\", expected \"stream\" on the first line");
    refused_with("\"sample_index\":3", "\"sample_index\":4",
                 "line 5, column 18: sample_index: 4, expected 3");
    refused_with("\"dts\":1,", "\"dts\":0,", "line 5, column 75: dts: 0, expected more than 0");
    refused_with("\"pts\":4,", "\"pts\":-9,",
                 "line 3, column 66: pts: -9, expected dts or more: -1");
    refused_with("\"picture_type\":1", "\"picture_type\":2",
                 "line 2, column 96: is_keyframe: does not go with picture_type 2");
    refused_with("\"is_keyframe\":true", "\"is_keyframe\":1",
                 "line 2, column 96: is_keyframe: found an integer, expected true or false");
    refused_with("\"max_ref_layer\":1", "\"max_ref_layer\":3",
                 "line 5, column 187: max_ref_layer: 3, expected at most 2");
    refused_with(
        "\"frame_id\":102", "\"frame_id\":102,\"refs\":[9]",
        "line 4, column 228: refs[0]: frame 9 is not one that was coded since the last IDR");
    assert_false(wrong);
}

static enum sl_status everything(void *arg)
{
    struct sl_layers_params params = {.struct_size = sizeof params, .max_layer = 1};
    enum sl_status status = pack(SL_PACK_GOP, NULL);
    (void)arg;
    memcpy(params.input, stream, sizeof stream);
    memcpy(params.output, out, sizeof out);
    return status ? status : sl_layers_execute(&params, NULL, NULL);
}

static enum sl_status of_an_mp4(void *arg)
{
    struct sl_layers_params params = {.struct_size = sizeof params, .max_layer = 1};
    (void)arg;
    memcpy(params.input, packed, sizeof packed);
    memcpy(params.output, out, sizeof out);
    return sl_layers_execute(&params, NULL, NULL);
}

static void memory(void **state)
{
    (void)state;
    failing_alloc_run(everything, NULL);
    failing_alloc_run_lenient(of_an_mp4, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references), cmocka_unit_test(laid_out), cmocka_unit_test(dropped),
        cmocka_unit_test(refused),    cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
