/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes of the fMP4 muxer: golden dumps, framing, refusals. Real streams: test_fmp4_media.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boxes.h"
#include "failing_alloc.h"
#include "made.h"
#include "media/dts.h"
#include "media/track.h"
#include "mux/registry.h"
#include "scratch.h"
#include "unit.h"

struct fixture {
    struct sl_track tracks[2];
    struct sl_muxer *m;
    struct sl_error err;
    int64_t dts; /* of expect_sample's next packet */
};

static void open_tracks(struct fixture *f, size_t count)
{
    const struct sl_track *tracks[2] = {&f->tracks[0], &f->tracks[1]};
    const struct sl_mux_params params = {0};
    if (sl_mux_open(&f->m, &sl_mux_fmp4, tracks, count, &params, &f->err))
        fail_msg("%s", f->err.msg);
}

static void close_tracks(struct fixture *f, size_t count)
{
    sl_mux_destroy(&f->m);
    for (size_t i = 0; i < count; i++)
        sl_track_clear(&f->tracks[i]);
    memset(f, 0, sizeof *f);
}

static struct sl_buf *header_of(struct fixture *f)
{
    struct sl_chain chain = {0};
    struct sl_buf *buf;
    assert_int_equal(f->m->ops->header(f->m, &chain, &f->err), SL_OK);
    assert_int_equal(sl_chain_load(&chain, &buf, NULL), SL_OK);
    sl_chain_clear(&chain);
    return buf;
}

static struct sl_buf *flush(struct fixture *f)
{
    struct sl_chain chain = {0};
    struct sl_buf *buf;
    assert_int_equal(f->m->ops->flush(f->m, &chain, &f->err), SL_OK);
    assert_int_equal(sl_chain_load(&chain, &buf, NULL), SL_OK);
    sl_chain_clear(&chain);
    return buf;
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

static void write_ok(struct fixture *f, struct sl_packet *p)
{
    if (f->m->ops->write(f->m, p, &f->err))
        fail_msg("%s", f->err.msg);
}

/* The packet is refused with this status and these words, and stays the caller's. */
static void write_refused(struct fixture *f, struct sl_packet *p, enum sl_status status,
                          const char *words)
{
    struct sl_error err = {0};
    assert_int_equal(f->m->ops->write(f->m, p, &err), status);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    sl_packet_unref(&p);
}

static void golden(const struct sl_buf *buf, const char *name)
{
    struct sl_writer text;
    sl_writer_init(&text, 1 << 20);
    boxes_dump(buf->data, buf->size, &text);
    golden_check(SL_GOLDEN_DIR, name, &text);
    sl_writer_clear(&text);
}

static void test_init(void **state)
{
    struct fixture f = {0};
    struct sl_buf *buf, *again;
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    f.tracks[0].timebase = (struct sl_rational){1001, 30000};
    f.tracks[0].decode_delay = 2;
    f.tracks[0].sample_aspect = (struct sl_rational){4, 3};
    f.tracks[0].colour =
        (struct sl_colour){.primaries = 1, .transfer = 1, .matrix = 1, .range = SL_RANGE_LIMITED};
    f.tracks[0].bitrate = 800000;
    open_tracks(&f, 1);
    buf = header_of(&f);
    golden(buf, "init-h264.txt");
    again = header_of(&f);
    assert_int_equal(buf->size, again->size);
    assert_memory_equal(buf->data, again->data, buf->size);
    sl_buf_unref(&again);
    sl_buf_unref(&buf);
    close_tracks(&f, 1);

    assert_int_equal(made_hevc(&f.tracks[0]), SL_OK);
    f.tracks[0].rotation = 90;
    f.tracks[0].colour.range = SL_RANGE_FULL;
    (void)strcpy(f.tracks[0].language, "pt-BR");
    open_tracks(&f, 1);
    buf = header_of(&f);
    golden(buf, "init-hevc.txt");
    sl_buf_unref(&buf);
    close_tracks(&f, 1);

    assert_int_equal(made_aac(&f.tracks[0]), SL_OK);
    f.tracks[0].bitrate = 128000;
    (void)strcpy(f.tracks[0].language, "fre");
    open_tracks(&f, 1);
    buf = header_of(&f);
    golden(buf, "init-aac.txt");
    sl_buf_unref(&buf);
    close_tracks(&f, 1);
}

/* The corners of the picture must land where a player expects them. */
static void test_matrix(void **state)
{
    static const struct {
        int32_t rotation, flip;
        int32_t a, b, c, d, x, y;
    } cases[] = {
        {0, 0, 1, 0, 0, 1, 0, 0},         {90, 0, 0, 1, -1, 0, 180, 0},
        {180, 0, -1, 0, 0, -1, 320, 180}, {270, 0, 0, -1, 1, 0, 0, 320},
        {0, 1, -1, 0, 0, 1, 320, 0},      {90, 1, 0, 1, 1, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = {0};
        struct sl_reader r;
        struct sl_buf *buf;
        struct box tkhd;
        int32_t m[9];
        assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
        f.tracks[0].rotation = cases[i].rotation;
        f.tracks[0].flip = cases[i].flip;
        open_tracks(&f, 1);
        buf = header_of(&f);
        tkhd = box_find(buf->data, buf->size, "moov/trak/tkhd", 0);
        sl_reader_init(&r, tkhd.data, tkhd.size);
        sl_read_skip(&r, 52);
        for (unsigned k = 0; k < 9; k++)
            m[k] = (int32_t)sl_read_be32(&r);
        assert_int_equal(m[0], cases[i].a * 65536);
        assert_int_equal(m[1], cases[i].b * 65536);
        assert_int_equal(m[3], cases[i].c * 65536);
        assert_int_equal(m[4], cases[i].d * 65536);
        assert_int_equal(m[6], cases[i].x * 65536);
        assert_int_equal(m[7], cases[i].y * 65536);
        sl_buf_unref(&buf);
        close_tracks(&f, 1);
    }
}

/* Two tracks, reordered pictures, a fragment of sound alone: compact where all is equal, columns
 * where it is not. */
static void test_fragments(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3, 4, 5};
    static const uint8_t slice[] = {0, 0, 0, 1, 0x41, 9, 8, 7};
    struct fixture f = {0};
    struct sl_buf *buf;
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    assert_int_equal(made_aac(&f.tracks[1]), SL_OK);
    f.tracks[0].decode_delay = 1;
    open_tracks(&f, 2);
    write_ok(&f, packet(0, 0, -1, 1, SL_PACKET_KEY, idr, sizeof idr));
    write_ok(&f, packet(0, 2, 0, 1, 0, slice, sizeof slice));
    write_ok(&f, packet(0, 1, 1, 1, 0, slice, sizeof slice - 1));
    write_ok(&f, packet(0, 3, 2, 2, 0, slice, sizeof slice));
    for (int i = 0; i < 3; i++)
        write_ok(&f, packet(1, i * 1024 - 1024, i * 1024 - 1024, 1024, 0, "sound", 5));
    buf = flush(&f);
    golden(buf, "fragment-first.txt");
    sl_buf_unref(&buf);
    write_ok(&f, packet(1, 2048, 2048, 1024, 0, "sound", 5));
    buf = flush(&f);
    golden(buf, "fragment-sound.txt");
    sl_buf_unref(&buf);
    write_ok(&f, packet(0, 5, 4, 1, SL_PACKET_KEY, idr, sizeof idr));
    write_ok(&f, packet(0, 6, 5, 1, SL_PACKET_KEY, idr, sizeof idr));
    buf = flush(&f);
    golden(buf, "fragment-keys.txt");
    sl_buf_unref(&buf);
    buf = flush(&f);
    assert_int_equal(buf->size, 0);
    sl_buf_unref(&buf);
    close_tracks(&f, 2);
}

static struct box mdat_of(const struct sl_buf *buf)
{
    return box_find(buf->data, buf->size, "mdat", 0);
}

static void expect_sample(struct fixture *f, const void *in, size_t in_size, const void *out,
                          size_t out_size)
{
    struct sl_buf *buf;
    struct box mdat;
    write_ok(f, packet(0, f->dts, f->dts, 1, SL_PACKET_KEY, in, in_size));
    f->dts++;
    buf = flush(f);
    mdat = mdat_of(buf);
    assert_int_equal(mdat.size, out_size);
    assert_memory_equal(mdat.data, out, out_size);
    sl_buf_unref(&buf);
}

static void test_framing(void **state)
{
    /* two slices behind start codes of three and four bytes, a delimiter and a filler */
    static const uint8_t annexb[] = {0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 5,  0x80, 0,   0, 0, 1, 0x65,
                                     1, 2, 0, 0, 1, 0x65, 3, 0, 0, 1, 12, 0xff, 0x80};
    static const uint8_t lengths[] = {0, 0,    0, 3, 6, 5, 0x80, 0, 0,    0,
                                      3, 0x65, 1, 2, 0, 0, 0,    2, 0x65, 3};
    static const uint8_t one[] = {0, 0, 0, 1, 0x65}; /* also a start code and one byte */
    uint8_t ambiguous[4 + 0x165] = {0, 0, 1, 0x65, 0x65, 1, 2, 3}, reframed[4 + 0x166];
    struct fixture f = {0};
    struct sl_packet *p;
    struct sl_buf *buf;
    (void)state;
    ambiguous[sizeof ambiguous - 1] = 0x80; /* a unit does not end in 0 */
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    open_tracks(&f, 1);
    expect_sample(&f, annexb, sizeof annexb, lengths, sizeof lengths);
    expect_sample(&f, lengths, sizeof lengths, lengths, sizeof lengths);

    /* could be either: what came before decides */
    expect_sample(&f, ambiguous, sizeof ambiguous, ambiguous, sizeof ambiguous);
    expect_sample(&f, annexb, sizeof annexb, lengths, sizeof lengths);
    memcpy(reframed, (const uint8_t[]){0, 0, 0x01, 0x66}, 4);
    memcpy(reframed + 4, ambiguous + 3, 0x166);
    expect_sample(&f, ambiguous, sizeof ambiguous, reframed, sizeof reframed);
    expect_sample(&f, lengths, sizeof lengths, lengths, sizeof lengths);
    expect_sample(&f, one, sizeof one, one, sizeof one);

    /* with the parameter sets that are in avcC */
    uint8_t data[256] = {0, 0, 0, 1};
    size_t size = 4, n;
    const uint8_t *set = made_set(&f.tracks[0], 0, &n);
    memcpy(data + size, set, n);
    size += n;
    memcpy(data + size, "\0\0\0\1", 4);
    set = made_set(&f.tracks[0], 1, &n);
    memcpy(data + size + 4, set, n);
    size += 4 + n;
    memcpy(data + size, annexb + 12, 8);
    expect_sample(&f, data, size + 8, lengths + 7, 7);

    /* payloads are not copied: the units are slices of the packet's own memory */
    p = packet(0, f.dts, f.dts, 1, SL_PACKET_KEY, annexb, sizeof annexb);
    buf = sl_buf_ref(p->payload.slices[0].buf);
    write_ok(&f, p);
    assert_true(atomic_load(&buf->refs) > 1);
    struct sl_chain chain = {0};
    assert_int_equal(f.m->ops->flush(f.m, &chain, &f.err), SL_OK);
    size_t shared = 0;
    for (size_t i = 0; i < chain.count; i++)
        shared += chain.slices[i].buf == buf;
    assert_int_equal(shared, 3);
    sl_chain_clear(&chain);
    sl_buf_unref(&buf);
    close_tracks(&f, 1);
}

static void test_refusals(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    static const uint8_t foreign[] = {0, 0, 0, 1, 0x67, 0x64, 0, 0x1f, 0, 0, 0, 1, 0x65, 1, 2, 3};
    static const uint8_t no_slice[] = {0, 0, 0, 1, 6, 5, 1, 1, 0x80};
    struct fixture f = {0};
    struct sl_buf *buf;
    struct sl_packet *p;
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    f.tracks[0].decode_delay = 2;
    open_tracks(&f, 1);
    write_refused(&f, packet(0, 0, 0, 1, 0, idr, sizeof idr), SL_EINVAL,
                  "track 0: dts 0 ticks, but the durations before it end at -2");
    write_ok(&f, packet(0, 0, -2, 1, SL_PACKET_KEY, idr, sizeof idr));
    write_refused(&f, packet(0, 1, 0, 1, 0, idr, sizeof idr), SL_EINVAL, "end at -1");
    write_refused(&f, packet(0, -2, -1, 1, 0, idr, sizeof idr), SL_EINVAL, "pts -2 ticks");
    write_refused(&f, packet(0, 1, -1, 0, 0, idr, sizeof idr), SL_EINVAL, "duration 0");
    write_refused(&f, packet(0, 1, SL_NO_TIME, 1, 0, idr, sizeof idr), SL_EINVAL, "without");
    write_refused(&f, packet(0, 1, -1, (int64_t)1 << 33, 0, idr, sizeof idr), SL_EUNSUPPORTED,
                  "32 bits");
    write_refused(&f, packet(1, 1, -1, 1, 0, idr, sizeof idr), SL_EINVAL, "track 1");
    write_refused(&f, packet(0, 1, -1, 1, 0, foreign, sizeof foreign), SL_EUNSUPPORTED,
                  "parameter set (NAL type 7) that is not in the decoder configuration");
    write_refused(&f, packet(0, 1, -1, 1, 0, no_slice, sizeof no_slice), SL_EDATA, "no slice");
    p = packet(0, 1, -1, 1, 0, idr, sizeof idr);
    p->config = malloc(4);
    p->config_size = 4;
    memset(p->config, 1, 4);
    write_refused(&f, p, SL_EUNSUPPORTED, "configuration changes");
    /* none of it left a trace */
    write_ok(&f, packet(0, 1, -1, 1, 0, idr, sizeof idr));
    buf = flush(&f);
    assert_int_equal(mdat_of(buf).size, 16);
    sl_buf_unref(&buf);
    close_tracks(&f, 1);
}

static void refuse_track(struct sl_track *t, enum sl_status status, const char *words)
{
    const struct sl_track *tracks[1] = {t};
    const struct sl_mux_params params = {0};
    struct sl_error err = {0};
    struct sl_muxer *m;
    assert_int_equal(sl_mux_open(&m, &sl_mux_fmp4, tracks, 1, &params, &err), status);
    assert_null(m);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    sl_track_clear(t);
}

static void test_tracks(void **state)
{
    struct sl_track t;
    (void)state;
    assert_int_equal(made_aac(&t), SL_OK);
    t.codec = SL_CODEC_VORBIS;
    refuse_track(&t, SL_EUNSUPPORTED, "no sample entry for vorbis");
    assert_int_equal(made_aac(&t), SL_OK);
    t.channels = 0;
    refuse_track(&t, SL_EINVAL, "0 channels");
    assert_int_equal(made_h264(&t), SL_OK);
    t.width = 70000;
    refuse_track(&t, SL_EINVAL, "70000x180");
    assert_int_equal(made_h264(&t), SL_OK);
    assert_int_equal(sl_track_set_config(&t, NULL, 0, NULL), SL_OK);
    refuse_track(&t, SL_EINVAL, "without its decoder configuration");
    assert_int_equal(made_h264(&t), SL_OK);
    t.config_size = 5;
    refuse_track(&t, SL_EDATA, "");
    assert_int_equal(made_h264(&t), SL_OK);
    t.timebase = (struct sl_rational){0, 1};
    refuse_track(&t, SL_EINVAL, "timebase 0/1");
    assert_int_equal(made_h264(&t), SL_OK);
    t.timebase = (struct sl_rational){1, (int64_t)1 << 40};
    refuse_track(&t, SL_EUNSUPPORTED, "32-bit timescale");
    assert_int_equal(made_h264(&t), SL_OK);
    t.decode_delay = -1;
    refuse_track(&t, SL_EINVAL, "decode delay -1");
    assert_null(sl_mux_find("avi"));
    assert_ptr_equal(sl_mux_find("fmp4"), &sl_mux_fmp4);
}

/* 200 segments of reordered pictures of random durations, and the sound beside them: each tfdt is
 * the one before it and its durations, and every composition offset is what pts asks for. */
static void test_continuity(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    static const unsigned order[4] = {0, 3, 1, 2}; /* coded to shown */
    struct fixture f = {0};
    int64_t time = 0, sound = -1024, expected[2] = {0, 0};
    uint32_t seed = 1;
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    assert_int_equal(made_aac(&f.tracks[1]), SL_OK);
    f.tracks[0].timebase = (struct sl_rational){7, 90000};
    f.tracks[0].decode_delay = 2000;
    open_tracks(&f, 2);
    for (unsigned segment = 0; segment < 200; segment++) {
        struct sl_packet *packets[40];
        int64_t pts[41];
        size_t count;
        struct sl_buf *buf;
        seed = seed * 1664525u + 1013904223u;
        count = 4 * (1 + (seed >> 24) % 10);
        for (size_t i = 0; i <= count; i++) {
            pts[i] = time;
            seed = seed * 1664525u + 1013904223u;
            time += 1 + (seed >> 16) % 900;
        }
        time = pts[count];
        for (size_t i = 0; i < count; i++)
            packets[i] = packet(0, pts[i / 4 * 4 + order[i % 4]], 0, 0, i ? 0 : SL_PACKET_KEY, idr,
                                sizeof idr);
        assert_int_equal(sl_dts_assign(packets, count, time, 2000, &f.err), SL_OK);
        for (size_t i = 0; i < count; i++)
            write_ok(&f, packets[i]);
        for (; segment % 3 && sound * 90000 < time * 7 * 48000; sound += 1024)
            write_ok(&f, packet(1, sound, sound, 1024, 0, "sound", 5));
        buf = flush(&f);
        for (size_t k = 0; k < box_count(buf->data, buf->size, "moof/traf"); k++) {
            struct box tfhd = box_find(buf->data, buf->size, "moof/traf/tfhd", k);
            struct box tfdt = box_find(buf->data, buf->size, "moof/traf/tfdt", k);
            struct box trun = box_find(buf->data, buf->size, "moof/traf/trun", k);
            struct sl_reader r;
            uint32_t id, flags, samples, each = 0, trun_flags;
            sl_reader_init(&r, tfhd.data, tfhd.size);
            flags = sl_read_be32(&r);
            id = sl_read_be32(&r) - 1;
            if (flags & 8)
                each = sl_read_be32(&r);
            sl_reader_init(&r, tfdt.data, tfdt.size);
            sl_read_skip(&r, 4);
            assert_int_equal(sl_read_be64(&r), expected[id]);
            sl_reader_init(&r, trun.data, trun.size);
            trun_flags = sl_read_be32(&r);
            samples = sl_read_be32(&r);
            sl_read_skip(&r, trun_flags & 4 ? 8 : 4);
            for (uint32_t i = 0; i < samples; i++) {
                int64_t start = expected[id];
                expected[id] += trun_flags & 0x100 ? sl_read_be32(&r) : each;
                sl_read_skip(&r, (trun_flags & 0x200 ? 4u : 0) + (trun_flags & 0x400 ? 4u : 0));
                if (id == 0) /* shown at pts, after the edit list's 2000 * 7 */
                    assert_int_equal(start + (trun_flags & 0x800 ? sl_read_be32(&r) : 0),
                                     (pts[i / 4 * 4 + order[i % 4]] + 2000) * 7);
            }
            assert_false(r.overrun);
        }
        sl_buf_unref(&buf);
        assert_int_equal(expected[0], time * 7);
        assert_int_equal(expected[1], sound + 1024);
    }
    close_tracks(&f, 2);
}

/* A payload that nobody could hold in memory, as ranges of a sparse file: mdat with 64 bits. */
static void test_large(void **state)
{
    const uint8_t head[5] = {0xbf, 0xff, 0xff, 0xfc, 0x65};
    const int64_t each = 0xc0000000;
    struct fixture f = {0};
    struct scratch dir;
    struct sl_file *file;
    struct sl_chain chain = {0};
    struct sl_packet *p;
    uint8_t bytes[256];
    struct box moof;
    struct sl_reader r;
    (void)state;
    scratch_make(&dir);
    scratch_write(scratch_name(&dir, "sparse"), head, sizeof head);
    assert_int_equal(truncate(dir.name, 2 * each), 0);
    assert_int_equal(sl_file_open(&file, dir.name, NULL), SL_OK);
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    open_tracks(&f, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
        p->pts = p->dts = i;
        p->duration = 1;
        p->flags = SL_PACKET_KEY;
        assert_int_equal(sl_chain_add_file(&p->payload, file, i * each, (size_t)each, NULL), SL_OK);
        write_ok(&f, p);
    }
    assert_int_equal(f.m->ops->flush(f.m, &chain, &f.err), SL_OK);
    assert_int_equal(sl_chain_read(&chain, 0, bytes, 200, NULL), SL_OK);
    sl_reader_init(&r, bytes, 200);
    sl_read_skip(&r, sl_read_be32(&r) - 4); /* styp */
    moof.size = sl_read_be32(&r);
    sl_read_skip(&r, moof.size - 4);
    assert_int_equal(sl_read_be32(&r), 1);
    assert_memory_equal(sl_read_bytes(&r, 4), "mdat", 4);
    assert_int_equal(sl_read_be64(&r), 16 + 2 * each);
    assert_int_equal(chain.size, (int64_t)r.pos + 2 * each);
    assert_int_equal(sl_chain_read(&chain, (int64_t)r.pos, bytes, 5, NULL), SL_OK);
    assert_memory_equal(bytes, head, 5);
    sl_chain_clear(&chain);
    sl_file_unref(&file);
    close_tracks(&f, 1);
    scratch_remove(&dir);
}

static enum sl_status mux_all(void *arg)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3, 0, 0, 1, 0x65, 4};
    const struct sl_mux_params params = {0};
    struct sl_track tracks[2];
    const struct sl_track *list[2] = {&tracks[0], &tracks[1]};
    struct sl_chain chain = {0};
    struct sl_muxer *m = NULL;
    struct sl_packet *p = NULL;
    enum sl_status status = made_h264(&tracks[0]);
    (void)arg;
    sl_track_init(&tracks[1]);
    if (!status)
        status = made_aac(&tracks[1]);
    if (!status)
        status = sl_mux_open(&m, &sl_mux_fmp4, list, 2, &params, NULL);
    if (!status)
        status = m->ops->header(m, &chain, NULL);
    for (int i = 0; i < 12 && !status; i++) {
        status = made_packet(&p, 0, i, 1, idr, sizeof idr);
        if (!status)
            status = m->ops->write(m, p, NULL);
        if (status)
            sl_packet_unref(&p);
        if (!status)
            status = made_packet(&p, 1, i * 1024 - 1024, 1024, "sound", 5);
        if (!status)
            status = m->ops->write(m, p, NULL);
        if (status)
            sl_packet_unref(&p);
        if (!status && i % 6 == 5)
            status = m->ops->flush(m, &chain, NULL);
    }
    sl_chain_clear(&chain);
    sl_mux_destroy(&m);
    sl_track_clear(&tracks[0]);
    sl_track_clear(&tracks[1]);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(mux_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),       cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_fragments),  cmocka_unit_test(test_framing),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_continuity), cmocka_unit_test(test_large),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("mux/fmp4", tests, NULL, NULL);
}
