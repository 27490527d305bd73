/* SPDX-License-Identifier: BSD-2-Clause */
/* What is mended, left and refused, without an encoder. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "encode/contract.h"
#include "failing_alloc.h"
#include "media/hevc.h"
#include "media/track.h"
#include "unit.h"

#define WIDTH  320
#define HEIGHT 180

/* Units of H.264 as far as the contract looks at them. */
static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80}, aud[] = {0x09, 0xf0};
static const uint8_t sei[] = {0x06, 0x05, 0x01, 0xaa, 0x80}, filler[] = {0x0c, 0xff, 0xff, 0x80};
static const uint8_t idr[] = {0x65, 0x88, 0x80, 0x10, 0x20}, slice[] = {0x41, 0x9a, 0x02, 0x03};

/* x265 3.5, 320x180 at 30 pictures a second: Main, level 2, BT.709, no reordering. */
static const uint8_t h_vps[] = {0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60,
                                0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
                                0x00, 0x00, 0x03, 0x00, 0x3c, 0xba, 0x02, 0x40};
static const uint8_t h_sps[] = {0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00,
                                0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x08, 0x0c,
                                0x1f, 0x3e, 0x5b, 0xa4, 0xa4, 0xc2, 0xf0, 0x16, 0xa0, 0x20, 0x20,
                                0x20, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x0f, 0x04};
static const uint8_t h_pps[] = {0x44, 0x01, 0xc0, 0x71, 0x83, 0x12};
static const uint8_t h_idr[] = {0x28, 0x01, 0xad, 0xcc}, h_slice[] = {0x02, 0x01, 0xd0, 0x09};
static const uint8_t h_aud[] = {0x46, 0x01, 0x50}, h_cra[] = {0x2a, 0x01, 0xad, 0xcc};

struct bytes {
    uint8_t data[1024];
    size_t size;
};

static void add(struct bytes *b, const uint8_t *unit, size_t size, bool zero)
{
    static const uint8_t code[] = {0, 0, 0, 1};
    memcpy(b->data + b->size, code + !zero, sizeof code - !zero);
    b->size += sizeof code - !zero;
    memcpy(b->data + b->size, unit, size);
    b->size += size;
}
#define ADD(b, unit) add(b, unit, sizeof(unit), true)

static struct sl_encode_params defaults(void)
{
    return (struct sl_encode_params){
        .timebase = {1, 30},
        .width = WIDTH,
        .height = HEIGHT,
        .frame_rate = {30, 1},
        .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
        .rate = SL_RATE_CQP,
        .latency = SL_LATENCY_SYNC,
    };
}

/* What an encoder would write that says no more than it has to. */
static struct sl_h264_sps bare(void)
{
    return (struct sl_h264_sps){
        .profile_idc = 66,
        .constraints = 0xc0,
        .level_idc = 12,
        .chroma_format_idc = 1,
        .bit_depth_luma = 8,
        .bit_depth_chroma = 8,
        .log2_max_frame_num = 4,
        .poc_type = 2,
        .max_num_ref_frames = 1,
        .width_mbs = WIDTH / 16,
        .height_map_units = (HEIGHT + 15) / 16,
        .frame_mbs_only = true,
        .direct_8x8_inference = true,
        .crop_bottom = 6,
        .width = WIDTH,
        .height = HEIGHT,
        .sample_aspect = {0, 1},
    };
}

static void add_sps(struct bytes *b, const struct sl_h264_sps *s)
{
    struct sl_writer w;
    sl_writer_init(&w, 1024);
    sl_h264_write_sps(s, &w);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    add(b, w.data, w.size, true);
    sl_writer_clear(&w);
}

static enum sl_status open_h264(struct sl_contract *c, const struct sl_h264_sps *s,
                                const struct sl_encode_params *p, int32_t reorder,
                                struct sl_track *t, struct sl_error *err)
{
    struct bytes sets = {.size = 0};
    add_sps(&sets, s);
    ADD(&sets, pps);
    sl_track_init(t);
    return sl_contract_open(c, "test", SL_CODEC_H264, p, reorder, sets.data, sets.size, t, err);
}

/* Opens, reads back the SPS that comes out, and closes. */
static struct sl_h264_sps mended(const struct sl_h264_sps *s, const struct sl_encode_params *p,
                                 int32_t reorder)
{
    struct sl_contract c;
    struct sl_track t;
    struct sl_error err = {0};
    struct sl_nal_config config;
    struct sl_h264_sps out;
    if (open_h264(&c, s, p, reorder, &t, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(sl_avcc_parse(t.config, t.config_size, &config, &err), SL_OK);
    assert_int_equal(sl_h264_parse_sps(&config.sets[0], &out, &err), SL_OK);
    assert_int_equal(t.width, WIDTH);
    assert_int_equal(t.profile, out.profile_idc);
    assert_int_equal(t.level, out.level_idc);
    assert_int_equal(t.reorder, out.max_num_reorder_frames);
    sl_track_clear(&t);
    sl_contract_clear(&c);
    return out;
}

static void refused(const struct sl_h264_sps *s, const struct sl_encode_params *p, int32_t reorder,
                    enum sl_status status, const char *says)
{
    struct sl_contract c;
    struct sl_track t;
    struct sl_error err = {0};
    enum sl_status is = open_h264(&c, s, p, reorder, &t, &err);
    sl_track_clear(&t);
    if (is != status || !strstr(err.msg, says)) {
        fail_msg("status %d, expected %d; \"%s\" in \"%s\"", (int)is, (int)status, says, err.msg);
    }
    assert_null(c.from);
    assert_null(c.to);
}

static void mends_what_is_left_out(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare(), out = mended(&s, &p, -1);
    assert_true(out.vui_present && out.bitstream_restriction);
    assert_int_equal(out.max_num_reorder_frames, 0);
    assert_int_equal(out.max_dec_frame_buffering, 1);
    assert_true(out.video_signal_present && out.colour_description_present);
    assert_int_equal(out.colour.primaries, 1);
    assert_int_equal(out.colour.transfer, 1);
    assert_int_equal(out.colour.matrix, 1);
    assert_int_equal(out.colour.range, SL_RANGE_LIMITED);
    assert_int_equal(out.profile_idc, 66); /* none was asked for */
    assert_int_equal(out.level_idc, 13); /* 1.2 has 6,000 macroblocks a second, 7,200 are needed */
}

static void mends_what_is_wrong(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare(), out;
    s.vui_present = s.video_signal_present = s.colour_description_present = true;
    s.colour = (struct sl_colour){6, 6, 6, SL_RANGE_FULL, 0};
    s.bitstream_restriction = true;
    s.max_num_reorder_frames = s.max_dec_frame_buffering = 4;
    p.colour = (struct sl_colour){9, 18, 9, SL_RANGE_LIMITED, 3};
    p.sample_aspect = (struct sl_rational){32, 27};
    out = mended(&s, &p, 0);
    assert_int_equal(out.max_num_reorder_frames, 0);
    assert_int_equal(out.colour.primaries, 9);
    assert_int_equal(out.colour.transfer, 18);
    assert_int_equal(out.colour.range, SL_RANGE_LIMITED);
    assert_int_equal(out.colour.chroma_location, 3);
    assert_int_equal(out.sample_aspect.num, 32);
    assert_int_equal(out.sample_aspect.den, 27);
    p.colour.range = SL_RANGE_FULL;
    out = mended(&s, &p, 0);
    assert_int_equal(out.colour.range, SL_RANGE_FULL);

    /* What looks ahead is believed, or told by the backend. */
    p.latency = SL_LATENCY_LOOKAHEAD;
    assert_int_equal(mended(&s, &p, -1).max_num_reorder_frames, 4);
    assert_int_equal(mended(&s, &p, 2).max_num_reorder_frames, 2);
    s.bitstream_restriction = false;
    assert_int_equal(mended(&s, &p, 2).max_num_reorder_frames, 2);
    assert_int_equal(mended(&s, &p, 2).max_dec_frame_buffering, 2);
    refused(&s, &p, -1, SL_EDATA, "no bitstream_restriction");
}

/* What is right already comes through as it was, byte by byte. */
static void leaves_what_is_right(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare(), out = mended(&s, &p, 0);
    struct sl_contract c;
    struct sl_track t;
    assert_int_equal(open_h264(&c, &out, &p, 0, &t, NULL), SL_OK);
    assert_int_equal(c.from_size, c.to_size);
    assert_memory_equal(c.from, c.to, c.to_size);
    sl_track_clear(&t);
    sl_contract_clear(&c);
}

static void raises_profiles(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare(), out;
    p.profile = "baseline";
    assert_int_equal(mended(&s, &p, 0).profile_idc, 66);
    p.profile = "main";
    out = mended(&s, &p, 0);
    assert_int_equal(out.profile_idc, 77);
    assert_int_equal(out.constraints, 0);
    p.profile = "high";
    assert_int_equal(mended(&s, &p, 0).profile_idc, 100);
    s.profile_idc = 77;
    assert_int_equal(mended(&s, &p, 0).profile_idc, 100);
    p.profile = "baseline";
    refused(&s, &p, 0, SL_EUNSUPPORTED, "asked for profile baseline, SPS says profile_idc 77");
    p.profile = "high10";
    refused(&s, &p, 0, SL_EUNSUPPORTED, "asked for profile high10");
    s.profile_idc = 66;
    s.constraints = 0x80; /* Baseline proper, which may have what Main has not */
    p.profile = "main";
    refused(&s, &p, 0, SL_EUNSUPPORTED, "asked for profile main");
    s.profile_idc = 100;
    s.constraints = 0;
    refused(&s, &p, 0, SL_EUNSUPPORTED, "asked for profile main, SPS says profile_idc 100");
}

static void raises_levels(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare();
    s.level_idc = 10;
    assert_int_equal(mended(&s, &p, 0).level_idc, 13); /* 7,200 macroblocks a second */
    p.frame_rate.num = 120;
    assert_int_equal(mended(&s, &p, 0).level_idc, 30); /* 28,800 */
    p.frame_rate.num = 30;
    p.rate = SL_RATE_CBR;
    p.bitrate = 3000000;
    assert_int_equal(mended(&s, &p, 0).level_idc, 21); /* 4 Mbit/s */
    s.level_idc = 40;
    assert_int_equal(mended(&s, &p, 0).level_idc, 40); /* says more than is needed: allowed */
    p.level = 31;
    assert_int_equal(mended(&s, &p, 0).level_idc, 31);
    p.level = 13;
    refused(&s, &p, 0, SL_EINVAL, "1.3 does not hold 320x180 at this rate, 2.1 would");
}

static void refuses_another_picture(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare();
    p.width = 318;
    refused(&s, &p, 0, SL_EDATA, "SPS says 320x180, asked for 318x180");
    p = defaults();
    p.colour.chroma_location = 7;
    refused(&s, &p, 0, SL_EUNSUPPORTED, "chroma location 7 cannot be described");
    struct sl_contract c;
    struct sl_track t;
    struct sl_error err = {0};
    struct bytes sets = {.size = 0};
    p = defaults();
    sl_track_init(&t);
    ADD(&sets, pps);
    assert_int_equal(
        sl_contract_open(&c, "test", SL_CODEC_H264, &p, 0, sets.data, sets.size, &t, &err),
        SL_EDATA); /* no SPS */
    sl_track_clear(&t);
    assert_int_equal(sl_contract_open(&c, "test", SL_CODEC_H264, &p, 0, sets.data, 0, &t, NULL),
                     SL_EDATA);
    sl_track_clear(&t);
}

/* What comes out of a unit of these bytes. */
static struct sl_packet *packet_of(const struct sl_contract *c, const struct bytes *in)
{
    struct sl_packet *packet;
    struct sl_error err = {0};
    if (sl_contract_packet(c, in->data, in->size, &packet, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return packet;
}

static void expect(const struct sl_contract *c, const struct bytes *in, bool key,
                   const struct bytes *rest)
{
    struct sl_packet *packet = packet_of(c, in);
    const struct sl_slice *s = &packet->payload.slices[0];
    const uint8_t *data = s->buf->data + s->offset;
    size_t sets = key ? c->to_size : 0;
    assert_int_equal(packet->flags, key ? SL_PACKET_KEY : 0);
    assert_int_equal(s->size, sets + rest->size);
    assert_memory_equal(data, c->to, sets);
    assert_memory_equal(data + sets, rest->data, rest->size);
    sl_packet_unref(&packet);
}

static void puts_sets_where_they_belong(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_h264_sps s = bare();
    struct sl_contract c;
    struct sl_track t;
    struct sl_packet *packet;
    struct sl_error err = {0};
    assert_int_equal(open_h264(&c, &s, &p, 0, &t, NULL), SL_OK);
    struct bytes in = {.size = 0}, out = {.size = 0};
    ADD(&in, aud);
    add_sps(&in, &s);
    ADD(&in, pps);
    ADD(&in, filler);
    ADD(&in, sei);
    ADD(&in, idr);
    add(&in, idr, sizeof idr, false);
    ADD(&out, sei);
    ADD(&out, idr);
    add(&out, idr, sizeof idr, false);
    expect(&c, &in, true, &out);
    /* An IDR to which the backend gave no sets has them all the same; others never have. */
    expect(&c, &out, true, &out);
    in.size = out.size = 0;
    add_sps(&in, &s);
    ADD(&in, pps);
    ADD(&in, slice);
    ADD(&out, slice);
    expect(&c, &in, false, &out);
    expect(&c, &out, false, &out);
    /* Zeros behind a unit in front do not make it another. */
    in.size = 0;
    add_sps(&in, &s);
    in.data[in.size++] = 0;
    in.data[in.size++] = 0;
    ADD(&in, slice);
    expect(&c, &in, false, &out);

    /* Sets that change. */
    in.size = 0;
    s.level_idc = 30;
    add_sps(&in, &s);
    ADD(&in, idr);
    assert_int_equal(sl_contract_packet(&c, in.data, in.size, &packet, &err), SL_EDATA);
    assert_null(packet);
    assert_string_equal(err.msg, "parameter set of type 7 in band differs from the one announced");
    /* Nothing to see. */
    in.size = 0;
    err = (struct sl_error){0};
    assert_int_equal(sl_contract_packet(&c, in.data, 0, &packet, &err), SL_EDATA);
    assert_string_equal(err.msg, "access unit of 0 bytes without a slice");
    ADD(&in, sei);
    assert_int_equal(sl_contract_packet(&c, in.data, in.size, &packet, NULL), SL_EDATA);
    for (int i = 0; i < 20; i++) {
        ADD(&in, sei);
    }
    ADD(&in, slice);
    err = (struct sl_error){0};
    assert_int_equal(sl_contract_packet(&c, in.data, in.size, &packet, &err), SL_EDATA);
    assert_string_equal(err.msg, "more than 16 units in front of the first slice");
    sl_track_clear(&t);
    sl_contract_clear(&c);
}

static enum sl_status open_hevc(struct sl_contract *c, const struct sl_encode_params *p,
                                int32_t reorder, struct sl_track *t, struct sl_error *err)
{
    struct bytes sets = {.size = 0};
    ADD(&sets, h_vps);
    ADD(&sets, h_sps);
    ADD(&sets, h_pps);
    sl_track_init(t);
    return sl_contract_open(c, "test", SL_CODEC_HEVC, p, reorder, sets.data, sets.size, t, err);
}

static void mends_hevc(void **state)
{
    (void)state;
    struct sl_encode_params p = defaults();
    struct sl_contract c;
    struct sl_track t;
    struct sl_error err = {0};
    if (open_hevc(&c, &p, -1, &t, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(c.from_size, c.to_size); /* nothing to mend */
    assert_memory_equal(c.from, c.to, c.to_size);
    assert_int_equal(t.level, 60);
    assert_int_equal(t.profile, 1);
    assert_int_equal(t.reorder, 0);
    struct bytes in = {.size = 0}, out = {.size = 0};
    ADD(&in, h_aud);
    ADD(&in, h_vps);
    ADD(&in, h_sps);
    ADD(&in, h_pps);
    ADD(&in, h_idr);
    ADD(&out, h_idr);
    expect(&c, &in, true, &out);
    in.size = out.size = 0;
    ADD(&in, h_slice);
    expect(&c, &in, false, &in);
    ADD(&out, h_cra); /* begins no closed group: not a key */
    expect(&c, &out, false, &out);
    sl_track_clear(&t);
    sl_contract_clear(&c);

    p.colour = (struct sl_colour){9, 16, 9, SL_RANGE_FULL, 0};
    p.level = 41;
    p.profile = "main";
    assert_int_equal(open_hevc(&c, &p, 0, &t, &err), SL_OK);
    struct sl_nal_config config;
    struct sl_hevc_sps sps;
    assert_int_equal(sl_hvcc_parse(t.config, t.config_size, &config, &err), SL_OK);
    assert_int_equal(sl_hevc_parse_sps(&config.sets[1], &sps, &err), SL_OK);
    assert_int_equal(sps.colour.primaries, 9);
    assert_int_equal(sps.colour.transfer, 16);
    assert_int_equal(sps.colour.range, SL_RANGE_FULL);
    assert_int_equal(sps.ptl.level_idc, 123);
    assert_int_equal(config.sets[0].size, sizeof h_vps);
    assert_int_equal(config.sets[0].data[20], 123);
    assert_memory_equal(config.sets[0].data, h_vps, 20);
    assert_int_equal(t.level, 123);
    sl_track_clear(&t);
    sl_contract_clear(&c);
}

static void refuses_other_hevc(void **state)
{
    (void)state;
    static const struct {
        int level, location, reorder, height;
        const char *profile, *says;
        enum sl_status status;
    } cases[] = {
        {10, 0, 0, HEIGHT, NULL, "1.0 does not hold 320x180", SL_EINVAL},
        {0, 3, 0, HEIGHT, NULL, "chroma location 3, SPS says 1", SL_EUNSUPPORTED},
        {0, 0, 2, HEIGHT, NULL, "SPS says a reorder depth of 0, expected 2", SL_EDATA},
        {0, 0, 0, HEIGHT + 2, NULL, "SPS says 320x180", SL_EDATA},
        {0, 0, 0, HEIGHT, "main10", "asked for profile main10", SL_EUNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_encode_params p = defaults();
        struct sl_contract c;
        struct sl_track t;
        struct sl_error err = {0};
        p.level = cases[i].level;
        p.colour.chroma_location = (uint8_t)cases[i].location;
        p.latency = cases[i].reorder ? SL_LATENCY_LOOKAHEAD : SL_LATENCY_SYNC;
        p.height = cases[i].height;
        p.profile = cases[i].profile;
        enum sl_status is = open_hevc(&c, &p, cases[i].reorder, &t, &err);
        if (is != cases[i].status || !strstr(err.msg, cases[i].says)) {
            fail_msg("%zu: status %d; \"%s\" in \"%s\"", i, (int)is, cases[i].says, err.msg);
        }
        sl_track_clear(&t);
    }
}

/* size bytes, of which the first sets_size announce. */
static void try_damaged(int hevc, const struct bytes *in, size_t size, size_t sets_size)
{
    struct sl_encode_params p = defaults();
    uint8_t *copy = malloc(size + 1); /* so that a read past the end is seen */
    struct sl_contract c;
    struct sl_track t;
    struct sl_packet *packet;
    assert_non_null(copy);
    memcpy(copy + 1, in->data, size);
    sl_track_init(&t);
    if (sl_contract_open(&c, "test", hevc ? SL_CODEC_HEVC : SL_CODEC_H264, &p, 0, copy + 1,
                         sets_size, &t, NULL) == SL_OK) {
        (void)!sl_contract_packet(&c, copy + 1, size, &packet, NULL);
        sl_packet_unref(&packet);
    }
    sl_track_clear(&t);
    sl_contract_clear(&c);
    free(copy);
}

/* Cut short, or with one bit wrong: an error or a stream, never more than was given. */
static void survives_damage(void **state)
{
    (void)state;
    struct sl_h264_sps s = bare();
    for (int hevc = 0; hevc < 2; hevc++) {
        struct bytes sets = {.size = 0};
        if (hevc) {
            ADD(&sets, h_vps);
            ADD(&sets, h_sps);
            ADD(&sets, h_pps);
        } else {
            add_sps(&sets, &s);
            ADD(&sets, pps);
        }
        size_t whole = sets.size;
        if (hevc) {
            ADD(&sets, h_idr);
        } else {
            ADD(&sets, idr);
        }
        for (size_t at = 0; at < sets.size; at++) {
            try_damaged(hevc, &sets, at, at < whole ? at : whole); /* cut here */
            for (unsigned bit = 0; bit < 8; bit++) {
                sets.data[at] ^= (uint8_t)(1u << bit);
                try_damaged(hevc, &sets, sets.size, whole);
                sets.data[at] ^= (uint8_t)(1u << bit);
            }
        }
    }
}

struct given {
    enum sl_codec codec;
    struct bytes sets, unit;
};

static enum sl_status run(void *arg)
{
    const struct given *g = arg;
    struct sl_encode_params p = defaults();
    struct sl_contract c;
    struct sl_track t;
    struct sl_error err = {0};
    struct sl_packet *packet = NULL;
    p.level = 41;
    p.colour.primaries = 9;
    sl_track_init(&t);
    enum sl_status status =
        sl_contract_open(&c, "test", g->codec, &p, 0, g->sets.data, g->sets.size, &t, &err);
    if (status == SL_OK) {
        status = sl_contract_packet(&c, g->unit.data, g->unit.size, &packet, &err);
    }
    sl_packet_unref(&packet);
    sl_track_clear(&t);
    sl_contract_clear(&c);
    return status;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct sl_h264_sps s = bare();
    struct given h264 = {.codec = SL_CODEC_H264}, hevc = {.codec = SL_CODEC_HEVC};
    add_sps(&h264.sets, &s);
    ADD(&h264.sets, pps);
    ADD(&h264.unit, idr);
    failing_alloc_run(run, &h264);
    ADD(&hevc.sets, h_vps);
    ADD(&hevc.sets, h_sps);
    ADD(&hevc.sets, h_pps);
    ADD(&hevc.unit, h_idr);
    failing_alloc_run(run, &hevc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mends_what_is_left_out),
        cmocka_unit_test(mends_what_is_wrong),
        cmocka_unit_test(leaves_what_is_right),
        cmocka_unit_test(raises_profiles),
        cmocka_unit_test(raises_levels),
        cmocka_unit_test(refuses_another_picture),
        cmocka_unit_test(puts_sets_where_they_belong),
        cmocka_unit_test(mends_hevc),
        cmocka_unit_test(refuses_other_hevc),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
