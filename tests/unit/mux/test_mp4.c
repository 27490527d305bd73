/* SPDX-License-Identifier: BSD-2-Clause */
/* What passthrough asks of the fMP4 muxer, and the classic MP4 muxer. Encoders' streams:
 * test_fmp4.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boxes.h"
#include "clip.h"
#include "failing_alloc.h"
#include "made.h"
#include "media/track.h"
#include "mux/registry.h"
#include "mux/wvtt.h"
#include "scratch.h"
#include "unit.h"

static const uint8_t idr4[] = {0, 0, 0, 4, 0x65, 1, 2, 3};
static const uint8_t slice4[] = {0, 0, 0, 3, 0x41, 9, 8};

static struct sl_muxer *open_mux(const struct sl_muxer_ops *ops, struct sl_track *tracks,
                                 size_t count, const struct sl_mux_params *params)
{
    const struct sl_track *list[SL_MUX_TRACKS_MAX];
    struct sl_error err = {0};
    struct sl_muxer *m;
    for (size_t i = 0; i < count; i++)
        list[i] = &tracks[i];
    if (sl_mux_open(&m, ops, list, count, params, &err))
        fail_msg("%s", err.msg);
    return m;
}

static struct sl_packet *packet(uint32_t track, int64_t pts, int64_t dts, int64_t duration,
                                uint32_t flags, const void *data, size_t size)
{
    struct sl_packet *p;
    assert_int_equal(made_packet(&p, track, pts, duration, data, size), SL_OK);
    p->dts = dts;
    p->flags = flags;
    return p;
}

static void write_ok(struct sl_muxer *m, struct sl_packet *p)
{
    struct sl_error err = {0};
    if (m->ops->write(m, p, &err))
        fail_msg("%s", err.msg);
}

static struct sl_buf *take(struct sl_muxer *m,
                           enum sl_status (*what)(struct sl_muxer *m, struct sl_chain *out,
                                                  struct sl_error *err))
{
    struct sl_chain chain = {0};
    struct sl_error err = {0};
    struct sl_buf *buf;
    if (what(m, &chain, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(sl_chain_load(&chain, &buf, NULL), SL_OK);
    sl_chain_clear(&chain);
    return buf;
}

static void golden(const struct sl_buf *buf, const char *name)
{
    struct sl_writer text;
    sl_writer_init(&text, 1 << 20);
    boxes_dump(buf->data, buf->size, &text);
    golden_check(SL_GOLDEN_DIR, name, &text);
    sl_writer_clear(&text);
}

static void make_track(struct sl_track *t, enum sl_media_kind kind, enum sl_codec codec,
                       const void *config, size_t size)
{
    sl_track_init(t);
    t->kind = kind;
    t->codec = codec;
    t->timebase = (struct sl_rational){1, kind == SL_KIND_AUDIO ? 48000 : 1000};
    if (kind == SL_KIND_VIDEO) {
        t->width = 320;
        t->height = 180;
    } else if (kind == SL_KIND_AUDIO) {
        t->sample_rate = 48000;
        t->channels = 2;
    }
    assert_int_equal(sl_track_set_config(t, config, size, NULL), SL_OK);
}

/* One sample entry of every codec that is not in test_fmp4.c. */
static void test_entries(void **state)
{
    static const uint8_t av1c[] = {0x81, 0, 0x0c, 0, 0x0a, 1, 0};
    static const uint8_t vpcc[] = {1, 0, 0, 0, 2, 31, 0xa2, 9, 16, 9, 0, 0};
    static const uint8_t dac3[] = {0x10, 0x3d, 0xe0}, dec3[] = {0x0c, 0, 0x20, 0x0f, 0};
    static const uint8_t head[] = {'O',  'p', 'u',  's',  'H', 'e', 'a', 'd', 1, 2,
                                   0x38, 1,   0x80, 0xbb, 0,   0,   0,   0,   0};
    static const uint8_t info[34] = {0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0xb8, 0x05, 0x70};
    struct sl_track t[9];
    struct sl_muxer *m;
    struct sl_buf *buf;
    (void)state;
    make_track(&t[0], SL_KIND_VIDEO, SL_CODEC_AV1, av1c, sizeof av1c);
    make_track(&t[1], SL_KIND_VIDEO, SL_CODEC_VP9, vpcc, sizeof vpcc);
    t[1].colour = (struct sl_colour){9, 16, 9, SL_RANGE_LIMITED, 0};
    t[1].hdr = (struct sl_hdr){
        1,  {{8500, 39850}, {6550, 2300}, {35400, 14600}}, {15635, 16450}, 10000000, 50, 1, 1000,
        400};
    make_track(&t[2], SL_KIND_VIDEO, SL_CODEC_VP8, vpcc, sizeof vpcc);
    make_track(&t[3], SL_KIND_AUDIO, SL_CODEC_AC3, dac3, sizeof dac3);
    make_track(&t[4], SL_KIND_AUDIO, SL_CODEC_EAC3, dec3, sizeof dec3);
    make_track(&t[5], SL_KIND_AUDIO, SL_CODEC_MP3, NULL, 0);
    make_track(&t[6], SL_KIND_AUDIO, SL_CODEC_OPUS, head, sizeof head);
    make_track(&t[7], SL_KIND_AUDIO, SL_CODEC_FLAC, info, sizeof info);
    t[7].channels = 4;
    t[7].channel_layout = 0x107; /* front three and one behind */
    make_track(&t[8], SL_KIND_SUBTITLE, SL_CODEC_WEBVTT, NULL, 0);
    m = open_mux(&sl_mux_fmp4, t, 9, &(struct sl_mux_params){.brands = "dash"});
    buf = take(m, m->ops->header);
    golden(buf, "init-codecs.txt");
    sl_buf_unref(&buf);
    write_ok(m, packet(6, 0, 0, 960, 0, "opus", 4)); /* eight tracks have nothing in it */
    write_ok(m, packet(6, 960, 960, 960, 0, "opus", 4));
    buf = take(m, m->ops->flush);
    golden(buf, "fragment-roll.txt");
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    for (size_t i = 0; i < 9; i++)
        sl_track_clear(&t[i]);
}

static void refuse(struct sl_track *t, enum sl_status status, const char *words)
{
    const struct sl_track *list[1] = {t};
    struct sl_error err = {0};
    struct sl_muxer *m;
    assert_int_equal(sl_mux_open(&m, &sl_mux_fmp4, list, 1, &(struct sl_mux_params){0}, &err),
                     status);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    sl_track_clear(t);
}

static void test_bad_configs(void **state)
{
    struct sl_track t;
    (void)state;
    make_track(&t, SL_KIND_AUDIO, SL_CODEC_OPUS, "OpusHead\1", 9);
    refuse(&t, SL_EDATA, "track 0: the configuration of opus: an Opus header of 9 bytes");
    make_track(&t, SL_KIND_AUDIO, SL_CODEC_FLAC, "fLaC", 4);
    refuse(&t, SL_EDATA, "without STREAMINFO");
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_AV1, "abcd", 4);
    refuse(&t, SL_EDATA, "begins with 61 (81)");
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_VP9, "abcdefghijkl", 12);
    refuse(&t, SL_EDATA, "no vpcC");
    make_track(&t, SL_KIND_AUDIO, SL_CODEC_AC3, "ab", 2);
    refuse(&t, SL_EINVAL, "without its decoder configuration");
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_WEBVTT, NULL, 0);
    refuse(&t, SL_EINVAL, "of kind video");
}

/* A segment from the middle, without styp, with sidx. */
static void test_places(void **state)
{
    const struct sl_mux_track places[2] = {{.start = 1000}, {.start = 480000}};
    const struct sl_mux_params params = {
        .tracks = places, .flags = SL_MUX_NO_STYP | SL_MUX_SIDX, .sequence = 7};
    struct sl_track t[2];
    struct sl_muxer *m;
    struct sl_buf *buf;
    struct sl_error err = {0};
    struct sl_packet *p;
    (void)state;
    assert_int_equal(made_aac(&t[0]), SL_OK);
    assert_int_equal(made_h264(&t[1]), SL_OK);
    t[0].decode_delay = 0;
    t[1].timebase = (struct sl_rational){1, 48000};
    t[1].decode_delay = 2000;
    m = open_mux(&sl_mux_fmp4, t, 2, &params);
    p = packet(1, 480000, -2000, 2000, SL_PACKET_KEY, idr4, sizeof idr4);
    assert_int_equal(m->ops->write(m, p, &err), SL_EINVAL);
    p->dts = 478000;
    write_ok(m, p);
    write_ok(m, packet(1, 482000, 480000, 2000, 0, slice4, sizeof slice4));
    write_ok(m, packet(0, 1000, 1000, 1024, 0, "sound", 5));
    buf = take(m, m->ops->flush);
    golden(buf, "fragment-places.txt");
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    sl_track_clear(&t[0]);
    sl_track_clear(&t[1]);
}

/* Lengths of 2 bytes become 4; sets, delimiters and fillers that a container's samples have stay.
 */
static void test_lengths(void **state)
{
    static const uint8_t two[] = {0, 2, 9, 0xf0, 0, 3, 0x65, 1, 2, 0, 2, 12, 0x80};
    static const uint8_t four[] = {0,    0, 0, 2, 9, 0xf0, 0, 0,  0,   3,
                                   0x65, 1, 2, 0, 0, 0,    2, 12, 0x80};
    for (unsigned i = 0; i < 2; i++) {
        struct sl_track t;
        struct sl_muxer *m;
        struct sl_buf *buf;
        assert_int_equal(made_h264(&t), SL_OK);
        t.config[4] = i ? 0xff : 0xfd;
        m = open_mux(&sl_mux_fmp4, &t, 1, &(struct sl_mux_params){0});
        buf = take(m, m->ops->header);
        struct box avcc =
            box_find(buf->data, buf->size, "moov/trak/mdia/minf/stbl/stsd/avc1/avcC", 0);
        assert_int_equal(avcc.data[4], 0xff);
        sl_buf_unref(&buf);
        write_ok(m, i ? packet(0, 0, 0, 1, SL_PACKET_KEY, four, sizeof four)
                      : packet(0, 0, 0, 1, SL_PACKET_KEY, two, sizeof two));
        buf = take(m, m->ops->flush);
        struct box mdat = box_find(buf->data, buf->size, "mdat", 0);
        assert_int_equal(mdat.size, sizeof four);
        assert_memory_equal(mdat.data, four, sizeof four);
        sl_buf_unref(&buf);
        sl_mux_destroy(&m);
        sl_track_clear(&t);
    }
    (void)state;
}

/* The payload of a packet that nobody else holds is moved, of another shared; neither is touched.
 */
static void test_untouched(void **state)
{
    struct sl_track t;
    struct sl_muxer *m;
    struct sl_packet *p, *shared;
    struct sl_chain chain = {0};
    struct scratch dir;
    struct sl_file *file;
    (void)state;
    scratch_make(&dir);
    scratch_write(scratch_name(&dir, "payload"), idr4, sizeof idr4);
    assert_int_equal(truncate(dir.name, 1 << 20), 0);
    assert_int_equal(sl_file_open(&file, dir.name, NULL), SL_OK);
    assert_int_equal(made_h264(&t), SL_OK);
    m = open_mux(&sl_mux_fmp4, &t, 1, &(struct sl_mux_params){0});
    write_ok(m, packet(0, 0, 0, 1, SL_PACKET_KEY, idr4, sizeof idr4)); /* framing is known now */
    assert_int_equal(truncate(dir.name, 0), 0);                        /* who reads it now fails */
    for (int i = 1; i < 3; i++) {
        assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
        p->pts = p->dts = i;
        p->duration = 1;
        assert_int_equal(sl_chain_add_file(&p->payload, file, i * 1000, 900, NULL), SL_OK);
        shared = i == 2 ? sl_packet_ref(p) : NULL;
        write_ok(m, p);
        if (shared) {
            assert_int_equal(shared->payload.size, 900);
            sl_packet_unref(&shared);
        }
    }
    assert_int_equal(m->ops->flush(m, &chain, NULL), SL_OK);
    assert_int_equal(chain.count, 4);
    assert_int_equal(chain.slices[2].offset, 1000);
    assert_int_equal(chain.slices[3].size, 900);
    sl_chain_clear(&chain);
    sl_mux_destroy(&m);
    sl_track_clear(&t);
    sl_file_unref(&file);
    scratch_remove(&dir);
}

static void give_config(struct sl_packet *p, const uint8_t *data, size_t size)
{
    p->config = malloc(size);
    assert_non_null(p->config);
    memcpy(p->config, data, size);
    p->config_size = size;
}

/* A new configuration: flush, reconfigure, header, and once more. */
static void test_switch(void **state)
{
    struct sl_track t;
    struct sl_muxer *m;
    struct sl_packet *p;
    struct sl_buf *buf;
    struct sl_error err = {0};
    uint8_t other[128];
    (void)state;
    assert_int_equal(made_h264(&t), SL_OK);
    m = open_mux(&sl_mux_fmp4, &t, 1, &(struct sl_mux_params){.flags = SL_MUX_SWITCH});
    p = packet(0, 0, 0, 1, SL_PACKET_KEY, idr4, sizeof idr4);
    give_config(p, t.config, t.config_size); /* the same: nothing happens */
    write_ok(m, p);
    p = packet(0, 1, 1, 1, SL_PACKET_KEY, idr4, sizeof idr4);
    memcpy(other, t.config, t.config_size);
    other[3] = 0x1f;
    give_config(p, other, t.config_size);
    assert_int_equal(m->ops->write(m, p, &err), SL_EAGAIN);
    assert_int_equal(err.status, SL_OK);
    assert_int_equal(m->ops->reconfigure(m, p, NULL), SL_EINVAL); /* a sample waits */
    buf = take(m, m->ops->flush);
    sl_buf_unref(&buf);
    assert_int_equal(m->ops->reconfigure(m, p, &err), SL_OK);
    buf = take(m, m->ops->header);
    struct box avcc = box_find(buf->data, buf->size, "moov/trak/mdia/minf/stbl/stsd/avc1/avcC", 0);
    assert_int_equal(avcc.data[3], 0x1f);
    sl_buf_unref(&buf);
    write_ok(m, p);
    buf = take(m, m->ops->flush);
    struct box tfdt = box_find(buf->data, buf->size, "moof/traf/tfdt", 0);
    assert_int_equal(tfdt.data[11], 1); /* time goes on */
    sl_buf_unref(&buf);

    /* the same from parameter sets in an Annex B access unit */
    uint8_t unit[128] = {0, 0, 0, 1};
    size_t size;
    const uint8_t *sps = made_set(&t, 0, &size);
    memcpy(unit + 4, sps, size);
    unit[4 + 3] = 0x20; /* level_idc */
    memcpy(unit + 4 + size, "\0\0\0\1\x65\1\2\3", 8);
    p = packet(0, 2, 2, 1, SL_PACKET_KEY, unit, size + 12);
    assert_int_equal(m->ops->write(m, p, &err), SL_EAGAIN);
    assert_int_equal(m->ops->reconfigure(m, p, &err), SL_OK);
    buf = take(m, m->ops->header);
    avcc = box_find(buf->data, buf->size, "moov/trak/mdia/minf/stbl/stsd/avc1/avcC", 0);
    assert_int_equal(avcc.data[3], 0x20);
    sl_buf_unref(&buf);
    write_ok(m, p);
    sl_mux_destroy(&m);

    /* what cannot take another header has the sets in its samples */
    const struct sl_mux_track place = {.in_band = true};
    m = open_mux(&sl_mux_fmp4, &t, 1, &(struct sl_mux_params){.tracks = &place});
    buf = take(m, m->ops->header);
    assert_int_equal(box_count(buf->data, buf->size, "moov/trak/mdia/minf/stbl/stsd/avc3"), 1);
    sl_buf_unref(&buf);
    p = packet(0, 0, 0, 1, SL_PACKET_KEY, idr4, sizeof idr4);
    give_config(p, other, t.config_size);
    write_ok(m, p);
    write_ok(m, packet(0, 1, 1, 1, SL_PACKET_KEY, unit, size + 12));
    buf = take(m, m->ops->flush);
    struct box mdat = box_find(buf->data, buf->size, "mdat", 0);
    size_t pps;
    (void)made_set(&t, 1, &pps);
    assert_int_equal(mdat.size, 4 + size + 4 + pps + sizeof idr4 + size + 12);
    assert_int_equal(mdat.data[4], 0x67);
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    sl_track_clear(&t);
}

static void test_av1_delimiter(void **state)
{
    static const uint8_t av1c[] = {0x81, 0, 0x0c, 0};
    static const uint8_t unit[] = {0x12, 0, 0x32, 2, 1, 2};
    struct sl_track t;
    struct sl_muxer *m;
    struct sl_buf *buf;
    (void)state;
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_AV1, av1c, sizeof av1c);
    m = open_mux(&sl_mux_fmp4, &t, 1, &(struct sl_mux_params){0});
    write_ok(m, packet(0, 0, 0, 1, SL_PACKET_KEY, unit, sizeof unit));
    write_ok(m, packet(0, 1, 1, 1, 0, unit, sizeof unit));
    write_ok(m, packet(0, 2, 2, 1, 0, unit + 2, 4));
    buf = take(m, m->ops->flush);
    assert_int_equal(box_find(buf->data, buf->size, "mdat", 0).size, 12);
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    sl_track_clear(&t);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void expect_text(struct sl_wvtt *w, int64_t until, bool cut, int64_t pts, int64_t duration,
                        const char *types)
{
    struct sl_packet *p;
    struct sl_buf *buf;
    struct sl_reader r;
    struct box box;
    assert_int_equal(sl_wvtt_take(w, until, cut, &p, NULL), SL_OK);
    assert_int_equal(p->pts, pts);
    assert_int_equal(p->dts, pts);
    assert_int_equal(p->duration, duration);
    assert_int_equal(sl_chain_load(&p->payload, &buf, NULL), SL_OK);
    sl_reader_init(&r, buf->data, buf->size);
    while (box_next(&r, &box)) {
        assert_memory_equal(box.type, types, 4);
        types += 4;
        if (!strcmp(box.type, "vttc")) { /* the last letter of the text is in types */
            assert_int_equal(box.data[box.size - 1], *types);
            types++;
        }
    }
    assert_int_equal(*types, 0);
    sl_buf_unref(&buf);
    sl_packet_unref(&p);
}

static void test_wvtt(void **state)
{
    struct sl_wvtt *w;
    struct sl_packet *p;
    (void)state;
    assert_int_equal(sl_wvtt_create(&w, 0, NULL), SL_OK);
    assert_int_equal(sl_wvtt_take(w, 1000, false, &p, NULL), SL_EAGAIN);
    assert_int_equal(sl_wvtt_add(w, &(struct sl_wvtt_cue){1000, 3000, "1", "line:0", "a"}, NULL),
                     SL_OK);
    assert_int_equal(sl_wvtt_add(w, &(struct sl_wvtt_cue){2000, 2500, NULL, NULL, "b"}, NULL),
                     SL_OK);
    assert_int_equal(sl_wvtt_add(w, &(struct sl_wvtt_cue){9, 9, NULL, NULL, "never"}, NULL), SL_OK);
    expect_text(w, 2200, false, 0, 1000, "vtte");
    expect_text(w, 2200, false, 1000, 1000, "vttca");
    assert_int_equal(sl_wvtt_take(w, 2200, false, &p, NULL), SL_EAGAIN);
    expect_text(w, 2200, true, 2000, 200, "vttcavttcb");
    assert_int_equal(sl_wvtt_take(w, 2200, true, &p, NULL), SL_EAGAIN);
    /* one that comes late */
    assert_int_equal(sl_wvtt_add(w, &(struct sl_wvtt_cue){2100, 2300, NULL, NULL, "c"}, NULL),
                     SL_OK);
    expect_text(w, 9000, true, 2200, 100, "vttcavttcbvttcc");
    expect_text(w, 9000, true, 2300, 200, "vttcavttcb");
    expect_text(w, 9000, true, 2500, 500, "vttca");
    expect_text(w, 9000, true, 3000, 6000, "vtte");
    assert_int_equal(sl_wvtt_take(w, 9000, true, &p, NULL), SL_EAGAIN);
    sl_wvtt_destroy(&w);
    sl_wvtt_destroy(&w);
}

/* ---- classic ------------------------------------------------------------------------------- */

/* Header, what flush gave, and the index: as the pipeline puts them together. */
struct file {
    struct sl_chain front, payload;
};

static struct sl_buf *assemble(struct sl_muxer *m, struct file *f)
{
    struct sl_error err = {0};
    struct sl_chain whole = {0};
    struct sl_buf *buf;
    int64_t before = f->front.size;
    sl_chain_clear(&f->front);
    if (m->ops->finish(m, &f->front, &err))
        fail_msg("%s", err.msg);
    assert_true(f->front.size >= before);
    assert_int_equal((f->front.size - before) % SL_MUX_FRONT_STEP, 0);
    assert_int_equal(sl_chain_move(&whole, &f->front, NULL), SL_OK);
    assert_int_equal(sl_chain_move(&whole, &f->payload, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&whole, &buf, NULL), SL_OK);
    sl_chain_clear(&whole);
    return buf;
}

static void test_classic(void **state)
{
    const struct sl_mux_track places[2] = {{0}, {.start = 480}};
    struct sl_track t[2];
    struct sl_muxer *m;
    struct file f = {0};
    struct sl_packet *p;
    struct sl_buf *buf;
    (void)state;
    assert_int_equal(made_h264(&t[0]), SL_OK);
    assert_int_equal(made_aac(&t[1]), SL_OK);
    t[0].decode_delay = 1;
    m = open_mux(&sl_mux_mp4, t, 2, &(struct sl_mux_params){.tracks = places});
    assert_int_equal(m->ops->header(m, &f.front, NULL), SL_OK);
    assert_int_equal(f.front.size, SL_MUX_FRONT_STEP);
    write_ok(m, packet(0, 0, -1, 1, SL_PACKET_KEY, idr4, sizeof idr4));
    write_ok(m, packet(0, 2, 0, 1, 0, slice4, sizeof slice4));
    write_ok(m, packet(1, 480 - 1024, 480 - 1024, 1024, 0, "first", 5));
    assert_int_equal(m->ops->finish(m, &f.front, NULL), SL_EINVAL); /* some wait */
    assert_int_equal(m->ops->flush(m, &f.payload, NULL), SL_OK);
    write_ok(m, packet(0, 1, 1, 1, 0, slice4, sizeof slice4));
    write_ok(m, packet(0, 3, 2, 2, SL_PACKET_KEY, idr4, sizeof idr4));
    p = packet(1, 480, 480, 1024, 0, "second", 6);
    p->trim_end = 24;
    write_ok(m, p);
    assert_int_equal(m->ops->flush(m, &f.payload, NULL), SL_OK);
    buf = assemble(m, &f);
    golden(buf, "classic.txt");
    /* where the chunks begin */
    struct box co = box_find(buf->data, buf->size, "moov/trak/mdia/minf/stbl/stco", 1);
    struct sl_reader r;
    sl_reader_init(&r, co.data, co.size);
    sl_read_skip(&r, 8);
    assert_memory_equal(buf->data + sl_read_be32(&r), "first", 5);
    assert_memory_equal(buf->data + sl_read_be32(&r), "second", 6);
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    sl_track_clear(&t[0]);
    sl_track_clear(&t[1]);
}

/* Random samples, more than the space that was kept: what the tables say is what went in. */
static void test_tables(void **state)
{
    enum { COUNT = 20000 };
    static struct {
        int64_t pts, dts;
        uint32_t size;
        bool key;
    } in[COUNT];
    static uint8_t noise[300];
    struct sl_track t;
    struct sl_muxer *m;
    struct file f = {0};
    struct sl_buf *buf;
    struct sl_reader stts, ctts, stsz, stss, stsc, stco;
    uint32_t seed = 7, durations = 0, duration = 0, offsets = 0, offset = 0, chunk = 0, left = 0;
    int64_t dts = 0;
    (void)state;
    sl_chain_init(&f.front);
    sl_chain_init(&f.payload);
    scratch_noise(noise, sizeof noise, 1);
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_VP8, "\1\0\0\0\0\37\202\2\2\2\0\0", 12);
    m = open_mux(&sl_mux_mp4, &t, 1, &(struct sl_mux_params){0});
    assert_int_equal(m->ops->header(m, &f.front, NULL), SL_OK);
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        in[i].dts = dts;
        in[i].pts = dts + (seed >> 30) * 40;
        in[i].size = 1 + (seed >> 16) % sizeof noise;
        in[i].key = (seed >> 10) % 50 == 0;
        int64_t each = (seed >> 8) % 3 ? 40 : 41;
        write_ok(m,
                 packet(0, in[i].pts, dts, each, in[i].key ? SL_PACKET_KEY : 0, noise, in[i].size));
        dts += each;
        if ((seed >> 4) % 9 == 0)
            assert_int_equal(m->ops->flush(m, &f.payload, NULL), SL_OK);
    }
    assert_int_equal(m->ops->flush(m, &f.payload, NULL), SL_OK);
    buf = assemble(m, &f);
#define TABLE(r, name)                                                                             \
    do {                                                                                           \
        struct box b_ = box_find(buf->data, buf->size, "moov/trak/mdia/minf/stbl/" name, 0);       \
        sl_reader_init(&(r), b_.data + 8, b_.size - 8);                                            \
    } while (0)
    TABLE(stts, "stts");
    TABLE(ctts, "ctts");
    TABLE(stsz, "stsz");
    TABLE(stss, "stss");
    TABLE(stsc, "stsc");
    TABLE(stco, "stco");
#undef TABLE
    assert_int_equal(sl_read_be32(&stsz), COUNT);
    uint32_t run_first = sl_read_be32(&stsc), run_count = sl_read_be32(&stsc), at = 0;
    assert_int_equal(run_first, 1);
    sl_read_skip(&stsc, 4);
    uint32_t each = run_count, next_first = sl_reader_left(&stsc) ? sl_read_be32(&stsc) : 0;
    uint32_t next_key = sl_read_be32(&stss);
    dts = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        if (!durations) {
            durations = sl_read_be32(&stts);
            duration = sl_read_be32(&stts);
        }
        if (!offsets) {
            offsets = sl_read_be32(&ctts);
            offset = sl_read_be32(&ctts);
        }
        if (!left) {
            if (++chunk == next_first) {
                each = sl_read_be32(&stsc);
                sl_read_skip(&stsc, 4);
                next_first = sl_reader_left(&stsc) ? sl_read_be32(&stsc) : 0;
            }
            left = each;
            at = sl_read_be32(&stco);
        }
        assert_int_equal(in[i].dts, dts);
        assert_int_equal(in[i].pts, dts + offset);
        uint32_t size = sl_read_be32(&stsz);
        assert_int_equal(in[i].size, size);
        assert_memory_equal(buf->data + at, noise, size);
        assert_int_equal(in[i].key, next_key == i + 1);
        if (in[i].key)
            next_key = sl_read_be32(&stss);
        at += size;
        dts += duration;
        durations--, offsets--, left--;
    }
    assert_int_equal(sl_reader_left(&stts) + sl_reader_left(&ctts) + sl_reader_left(&stsz), 0);
    assert_int_equal(sl_reader_left(&stsc) + sl_reader_left(&stco) + sl_reader_left(&stss), 0);
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    sl_track_clear(&t);
}

/* 64-bit chunk offsets, and a real stream through ffmpeg. */
static void test_judged(void **state)
{
    struct scratch dir;
    struct clip c;
    struct file f = {0};
    struct sl_muxer *m;
    struct sl_error err = {0};
    (void)state;
    scratch_make(&dir);
    clip_video(&c, &dir, "h264", 30000, 2,
               "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=4 -pix_fmt yuv420p -c:v libx264 "
               "-preset fast -bf 3 -g 40 -x264-params open-gop=0");
    clip_assign(&c);
    m = open_mux(&sl_mux_mp4, &c.track, 1, &(struct sl_mux_params){.duration = 4000000});
    assert_int_equal(m->ops->header(m, &f.front, &err), SL_OK);
    for (size_t i = 0; i < c.count; i++) {
        write_ok(m, clip_copy(&c, i));
        if (i % 20 == 19)
            assert_int_equal(m->ops->flush(m, &f.payload, &err), SL_OK);
    }
    assert_int_equal(m->ops->flush(m, &f.payload, &err), SL_OK);
    struct sl_buf *buf = assemble(m, &f);
    scratch_write(scratch_name(&dir, "out.mp4"), buf->data, buf->size);
    judge_silent(dir.name);
    judge_same(c.source, dir.name, "v", 0);
    sl_buf_unref(&buf);
    sl_mux_destroy(&m);
    clip_free(&c);

    struct sl_track t;
    struct sl_file *file;
    make_track(&t, SL_KIND_VIDEO, SL_CODEC_VP8, "\1\0\0\0\0\37\202\2\2\2\0\0", 12);
    scratch_write(scratch_name(&dir, "sparse"), "", 0);
    assert_int_equal(truncate(dir.name, (off_t)3 << 30), 0);
    assert_int_equal(sl_file_open(&file, dir.name, NULL), SL_OK);
    m = open_mux(&sl_mux_mp4, &t, 1, &(struct sl_mux_params){0});
    for (int i = 0; i < 2; i++) {
        struct sl_packet *p;
        assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
        p->pts = p->dts = i;
        p->duration = 1;
        assert_int_equal(sl_chain_add_file(&p->payload, file, 0, (size_t)3 << 30, NULL), SL_OK);
        write_ok(m, p);
        assert_int_equal(m->ops->flush(m, &f.payload, NULL), SL_OK);
    }
    assert_int_equal(m->ops->finish(m, &f.front, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&f.front, &buf, NULL), SL_OK);
    struct box co = box_find(buf->data, buf->size - 16, "moov/trak/mdia/minf/stbl/co64", 0);
    struct sl_reader r;
    sl_reader_init(&r, co.data + 8, co.size - 8);
    assert_int_equal(sl_read_be64(&r), f.front.size);
    assert_int_equal(sl_read_be64(&r), f.front.size + ((int64_t)3 << 30));
    sl_reader_init(&r, buf->data + buf->size - 16, 16);
    assert_int_equal(sl_read_be32(&r), 1);
    sl_read_skip(&r, 4);
    assert_int_equal(sl_read_be64(&r), 16 + ((int64_t)6 << 30));
    sl_buf_unref(&buf);
    sl_chain_clear(&f.front);
    sl_chain_clear(&f.payload);
    sl_mux_destroy(&m);
    sl_file_unref(&file);
    sl_track_clear(&t);
    scratch_remove(&dir);
}

static enum sl_status classic_all(void *arg)
{
    struct sl_track t[2];
    const struct sl_track *list[2] = {&t[0], &t[1]};
    struct sl_chain chain = {0};
    struct sl_muxer *m = NULL;
    struct sl_packet *p = NULL;
    struct sl_wvtt *w = NULL;
    enum sl_status status = made_h264(&t[0]);
    (void)arg;
    sl_track_init(&t[1]);
    t[1].kind = SL_KIND_SUBTITLE;
    t[1].codec = SL_CODEC_WEBVTT;
    t[1].timebase = (struct sl_rational){1, 25};
    if (!status)
        status = sl_mux_open(&m, &sl_mux_mp4, list, 2, &(struct sl_mux_params){0}, NULL);
    if (!status)
        status = m->ops->header(m, &chain, NULL);
    if (!status)
        status = sl_wvtt_create(&w, 0, NULL);
    if (!status)
        status = sl_wvtt_add(w, &(struct sl_wvtt_cue){0, 5, NULL, NULL, "text"}, NULL);
    for (int i = 0; i < 12 && !status; i++) {
        status = made_packet(&p, 0, i, 1, idr4, sizeof idr4);
        if (!status)
            status = m->ops->write(m, p, NULL);
        if (status)
            sl_packet_unref(&p);
        if (!status && i % 6 == 5) {
            status = sl_wvtt_take(w, i, true, &p, NULL);
            if (!status) {
                p->track = 1;
                status = m->ops->write(m, p, NULL);
            }
            if (status)
                sl_packet_unref(&p);
            if (!status)
                status = m->ops->flush(m, &chain, NULL);
        }
    }
    if (!status)
        status = m->ops->finish(m, &chain, NULL);
    sl_chain_clear(&chain);
    sl_wvtt_destroy(&w);
    sl_mux_destroy(&m);
    sl_track_clear(&t[0]);
    sl_track_clear(&t[1]);
    return status;
}

static enum sl_status switch_all(void *arg)
{
    static const uint8_t extra[] = {0,    0, 0, 1, 0x68, 0xeb, 0xe3, 0xcb, 0x22,
                                    0xc1, 0, 0, 0, 1,    0x65, 1,    2,    3};
    struct sl_track t;
    const struct sl_track *list[1] = {&t};
    struct sl_chain chain = {0};
    struct sl_muxer *m = NULL;
    struct sl_packet *p = NULL;
    enum sl_status status = made_h264(&t);
    (void)arg;
    if (!status)
        status = sl_mux_open(&m, &sl_mux_fmp4, list, 1,
                             &(struct sl_mux_params){.flags = SL_MUX_SWITCH | SL_MUX_SIDX}, NULL);
    if (!status)
        status = made_packet(&p, 0, 0, 1, extra, sizeof extra);
    if (!status) {
        status = m->ops->write(m, p, NULL);
        if (status == SL_EAGAIN) {
            status = m->ops->reconfigure(m, p, NULL);
            if (!status)
                status = m->ops->write(m, p, NULL);
        }
        if (status)
            sl_packet_unref(&p);
    }
    if (!status)
        status = m->ops->flush(m, &chain, NULL);
    sl_chain_clear(&chain);
    sl_mux_destroy(&m);
    sl_track_clear(&t);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(classic_all, NULL);
    failing_alloc_run(switch_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),       cmocka_unit_test(test_bad_configs),
        cmocka_unit_test(test_places),        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_untouched),     cmocka_unit_test(test_switch),
        cmocka_unit_test(test_av1_delimiter), cmocka_unit_test(test_wvtt),
        cmocka_unit_test(test_classic),       cmocka_unit_test(test_tables),
        cmocka_unit_test(test_judged),        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("mux/mp4", tests, NULL, NULL);
}
