/* SPDX-License-Identifier: BSD-2-Clause */
/* The Matroska demuxer over files that no tool at hand writes, and without memory. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "demux/ebml.h"
#include "failing_alloc.h"
#include "media/track.h"
#include "mkv_builder.h"
#include "unit.h"

#define SIMPLE 0xa3
#define GROUP  0xa0
#define BLOCK  0xa1

static struct sl_writer file;
static struct mkv_result result;

static int set_up(void **state)
{
    (void)state;
    sl_writer_init(&file, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_writer_clear(&file);
    return 0;
}

/* Reads the file in every way, which must come to the same; the last result stays. */
static void read_every_way(enum sl_status status, size_t count)
{
    struct mkv_result *first = calloc(1, sizeof *first);

    assert_non_null(first);
    assert_int_equal(file.status, SL_OK);
    for (int i = 0; i < 6; i++) {
        static const size_t pieces[] = {1, 4096};
        mkv_read(&result, (enum mkv_way)(i % MKV_WAYS), pieces[i / MKV_WAYS], file.data, file.size,
                 false);
        if (result.status != status || result.count != count) {
            fail_msg("way %d: status %d after %zu packets (%s), expected %d after %zu", i,
                     result.status, result.count, result.err.msg, status, count);
        }
        if (i == 0) {
            *first = result;
        } else {
            assert_memory_equal(first->packets, result.packets, sizeof result.packets);
        }
        sl_track_clear(&result.track);
    }
    free(first);
}

/* A file of one track up to its first cluster; returns the segment. */
static size_t begin(unsigned type, const char *codec, void (*more)(struct sl_writer *w))
{
    size_t segment = mkv_head(&file);
    mkv_info(&file);
    mkv_track(&file, type, codec, NULL, 0, more);
    return segment;
}

/* ---- EBML --------------------------------------------------------------------------------- */

static void variable_integers(void **state)
{
    (void)state;
    static const struct {
        uint8_t data[9];
        size_t size;
        unsigned length;
        uint64_t value;
    } cases[] = {
        {{0x81}, 1, 1, 1},
        {{0x80}, 1, 1, 0},
        {{0xff}, 1, 1, UINT64_MAX},
        {{0x40, 0x7f}, 2, 2, 127},
        {{0x7f, 0xff}, 2, 2, UINT64_MAX},
        {{0x40}, 1, 0, 0},
        {{0x00, 1}, 2, 0, 0},
        {{0x01, 0, 0, 0, 0, 0, 0, 5}, 8, 8, 5},
        {{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, 8, UINT64_MAX},
        {{0x10, 0x20, 0, 1}, 4, 4, 0x200001},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        assert_int_equal(sl_ebml_vint(cases[i].data, cases[i].size, &value), cases[i].length);
        assert_true(value == cases[i].value);
    }
}

static void element_headers(void **state)
{
    (void)state;
    struct sl_ebml_element e;
    struct sl_error err = {0};
    static const uint8_t cluster[] = {0x1f, 0x43, 0xb6, 0x75, 0x82};

    assert_int_equal(sl_ebml_parse_header(cluster, 5, 100, "x", &e, NULL), SL_OK);
    assert_int_equal(e.id, 0x1f43b675);
    assert_int_equal(e.data, 105);
    assert_int_equal(e.size, 2);
    for (size_t n = 0; n < 5; n++) {
        assert_int_equal(sl_ebml_parse_header(cluster, n, 100, "x", &e, NULL), SL_EOF);
    }
    assert_int_equal(sl_ebml_parse_header((const uint8_t *)"\x08\x81", 2, 7, "x", &e, &err),
                     SL_EDATA);
    assert_int_equal(err.offset, 7);
    assert_non_null(strstr(err.msg, "08"));
    err = (struct sl_error){0};
    assert_int_equal(sl_ebml_parse_header((const uint8_t *)"\xa3\x00\x81", 3, 0, "x", &e, &err),
                     SL_EDATA);
    assert_non_null(strstr(err.msg, "1 to 8"));
    assert_int_equal(sl_ebml_parse_header((const uint8_t *)"\xff\x81", 2, 7, "x", &e, NULL),
                     SL_EDATA);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void twenty_ms(struct sl_writer *w)
{
    mkv_uint(w, 0x23e383, 20000000);
}

/* Frames of 3, 300 and 5 bytes in each kind of lace (equal sizes of 4 in the fixed one). */
static void laces(void **state)
{
    (void)state;
    uint8_t data[400] = {0};
    size_t cluster = 0;
    size_t segment = begin(2, "A_PCM/INT/LIT", twenty_ms);

    cluster = mkv_cluster(&file, 1000);
    /* Xiph: two frames more, 3, 255 + 45 */
    memcpy(data, "\x02\x03\xff\x2d", 4);
    data[4] = 'a';
    data[7] = 'b';
    data[307] = 'c';
    mkv_block(&file, SIMPLE, 0, 0x82, data, 4 + 308);
    /* fixed: three of four bytes */
    mkv_block(&file, SIMPLE, 60, 0x84,
              "\x02"
              "aaaabbbbcccc",
              13);
    /* EBML: 3, then 297 more in two bytes (bias 8191) */
    memset(data, 0, sizeof data);
    data[0] = 2;
    data[1] = 0x83;
    data[2] = (uint8_t)(0x40 | (297 + 8191) >> 8);
    data[3] = (uint8_t)(297 + 8191);
    data[4] = 'a';
    data[7] = 'b';
    data[307] = 'c';
    mkv_block(&file, SIMPLE, 120, 0x86, data, 4 + 308);
    mkv_block(&file, SIMPLE, 180, 0x80, "plain", 5);
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
    read_every_way(SL_EOF, 10);
    for (size_t i = 0; i < 10; i++) {
        static const size_t sizes[] = {3, 300, 5, 4, 4, 4, 3, 300, 5, 5};
        assert_int_equal(result.packets[i].pts, 1000 + 20 * (int)i);
        assert_int_equal(result.packets[i].size, sizes[i]);
        assert_int_equal(result.packets[i].duration, 20);
        assert_int_equal(result.packets[i].data[0], i == 9 ? 'p' : "abc"[i % 3]);
    }
}

/* Without DefaultDuration the frames themselves say how long they are. */
static void laced_times_by_codec(void **state)
{
    (void)state;
    static const struct {
        const char *codec;
        size_t size;
        uint8_t frame[12];
        int step; /* milliseconds */
    } cases[] = {
        {"A_MPEG/L3", 12, {0xff, 0xfb, 0x94, 0x44}, 24},
        {"A_AC3", 12, {0x0b, 0x77, 0, 0, 0x10, 0x40}, 32},
        {"A_EAC3", 12, {0x0b, 0x77, 0, 0, 0x10, 0x80}, 11}, /* two blocks: 512 samples */
        {"A_OPUS", 12, {0x78, 0, 0, 0}, 20},                /* CELT, 20 ms, one frame */
        {"A_OPUS", 12, {0x03, 0x03, 0, 0}, 30},             /* SILK, 10 ms, three */
        {"A_PCM/INT/LIT", 12, {0}, 0},                      /* three samples */
        {"A_FLAC", 12, {0xff, 0xf8, 0xc9, 0x18, 0x00}, 85}, /* 4096 samples */
        {"A_DTS", 12, {0x7f, 0xfe, 0x80, 0x01, 0xfc, 0x3c, 0, 0}, 11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[64] = {2};
        size_t cluster = 0;
        size_t segment = 0;
        sl_writer_clear(&file);
        segment = begin(2, cases[i].codec, NULL);
        cluster = mkv_cluster(&file, 0);
        for (size_t n = 0; n < 3; n++) {
            memcpy(data + 1 + n * 12, cases[i].frame, 12);
        }
        mkv_block(&file, SIMPLE, 100, 0x84, data, 1 + 36);
        mkv_end(&file, cluster);
        mkv_end(&file, segment);
        read_every_way(SL_EOF, 3);
        assert_int_equal(result.packets[0].pts, 100);
        assert_int_equal(result.packets[1].pts, 100 + cases[i].step);
        assert_int_equal(result.packets[0].duration, SL_NO_TIME);
        assert_true(llabs(result.packets[2].pts - 100 - 2 * cases[i].step) <= 1);
    }
}

/* BlockGroups: durations, references, padding, and what stands between them. */
static void groups(void **state)
{
    (void)state;
    size_t segment = begin(1, "V_VP8", NULL);
    size_t cluster = mkv_cluster(&file, 40);
    size_t group = mkv_begin(&file, GROUP);
    mkv_bytes(&file, 0xec, "void", 4);
    mkv_block(&file, BLOCK, 0, 0, "first", 5);
    mkv_uint(&file, 0x9b, 33);
    mkv_end(&file, group);
    mkv_bytes(&file, 0xbf, "crc!", 4);
    mkv_bytes(&file, 0xab, "prev", 4);
    group = mkv_begin(&file, GROUP);
    mkv_uint(&file, 0xfb, (uint64_t)-33);
    mkv_block(&file, BLOCK, -10, 0, "second", 6);
    mkv_end(&file, group);
    group = mkv_begin(&file, GROUP); /* of a track that is not described */
    mkv_bytes(&file, BLOCK, "\x85\0\0\0xxx", 7);
    mkv_end(&file, group);
    mkv_end(&file, cluster);
    mkv_bytes(&file, 0xec, "between", 7);
    mkv_end(&file, segment);
    read_every_way(SL_EOF, 2);
    assert_int_equal(result.packets[0].pts, 40);
    assert_int_equal(result.packets[0].duration, 33);
    assert_int_equal(result.packets[0].flags, SL_PACKET_KEY);
    assert_memory_equal(result.packets[0].data, "first", 5);
    assert_int_equal(result.packets[1].pts, 30);
    assert_int_equal(result.packets[1].duration, SL_NO_TIME);
    assert_int_equal(result.packets[1].flags, 0);
}

static void discard_padding(void **state)
{
    (void)state;
    size_t segment = begin(2, "A_OPUS", NULL);
    size_t cluster = mkv_cluster(&file, 0);
    size_t group = mkv_begin(&file, GROUP);
    mkv_block(&file, BLOCK, 0, 0, "\x78opus", 5);
    mkv_id(&file, 0x75a2);
    sl_write_u8(&file, 0x84);
    sl_write_be32(&file, 13500000);
    mkv_end(&file, group);
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
    read_every_way(SL_EOF, 1);
    assert_int_equal(result.packets[0].trim_end, 648);
}

/* ---- order and sizes ---------------------------------------------------------------------- */

/* Unknown sizes: whatever is no child of a cluster ends it. */
static void unknown_sizes(void **state)
{
    (void)state;
    static const uint32_t ends[] = {0x1f43b675, 0x1c53bb6b, 0x1254c367, 0x1549a966,
                                    0x1654ae6b, 0x114d9b74, 0x1043a770, 0x1941a469};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        sl_writer_clear(&file);
        (void)begin(1, "V_VP8", NULL);
        (void)mkv_cluster(&file, 0);
        mkv_block(&file, SIMPLE, 0, 0x80, "a", 1);
        if (ends[i] != 0x1f43b675) {
            mkv_bytes(&file, ends[i], "", 0);
        }
        (void)mkv_cluster(&file, 100);
        mkv_block(&file, SIMPLE, 1, 0x80, "b", 1);
        read_every_way(SL_EOF, 2);
        assert_int_equal(result.packets[1].pts, 101);
    }
    /* And another document is not read as part of this one. */
    (void)mkv_head(&file);
    (void)mkv_cluster(&file, 0);
    mkv_block(&file, SIMPLE, 0, 0x80, "c", 1);
    read_every_way(SL_EOF, 2);
}

/* A chain of two SeekHeads leads to the tracks behind the clusters; without it they are found by
 * walking. A pipe cannot, and says so. */
static void tracks_at_the_end(void **state)
{
    (void)state;
    for (int chained = 0; chained < 2; chained++) {
        size_t hole = 0;
        size_t second = 0;
        size_t segment = 0;
        size_t at = 0;
        sl_writer_clear(&file);
        segment = mkv_head(&file);
        size_t start = file.size;
        if (chained) {
            at = mkv_begin(&file, 0x114d9b74);
            second = mkv_begin(&file, 0x4dbb);
            mkv_bytes(&file, 0x53ab, "\x11\x4d\x9b\x74", 4);
            mkv_uint(&file, 0x53ac, 0);
            hole = file.size - 4;
            mkv_end(&file, second);
            mkv_end(&file, at);
        }
        at = mkv_cluster(&file, 7);
        mkv_block(&file, SIMPLE, 0, 0x80, "a", 1);
        mkv_end(&file, at);
        size_t tracks = file.size - start;
        mkv_info(&file);
        tracks = file.size - start;
        mkv_track(&file, 1, "V_VP8", NULL, 0, NULL);
        if (chained) {
            sl_writer_patch_be32(&file, hole, (uint32_t)(file.size - start));
            at = mkv_begin(&file, 0x114d9b74);
            second = mkv_begin(&file, 0x4dbb);
            mkv_bytes(&file, 0x53ab, "\x16\x54\xae\x6b", 4);
            mkv_uint(&file, 0x53ac, tracks);
            mkv_end(&file, second);
            mkv_end(&file, at);
        }
        mkv_end(&file, segment);
        mkv_read(&result, MKV_SEEKABLE, 100, file.data, file.size, false);
        assert_int_equal(result.status, SL_EOF);
        assert_int_equal(result.count, 1);
        assert_int_equal(result.packets[0].pts, 7);
        mkv_read(&result, MKV_PIPE, 100, file.data, file.size, false);
        assert_int_equal(result.status, SL_EDATA);
        assert_non_null(strstr(result.err.msg, "cannot be searched"));
    }
}

/* ---- encodings ---------------------------------------------------------------------------- */

static void (*encoding_kind)(struct sl_writer *w);

static void encoding(struct sl_writer *w)
{
    size_t all = mkv_begin(w, 0x6d80);
    size_t one = mkv_begin(w, 0x6240);
    encoding_kind(w);
    mkv_end(w, one);
    mkv_end(w, all);
}

static void stripping(struct sl_writer *w)
{
    size_t c = mkv_begin(w, 0x5034);
    mkv_uint(w, 0x4254, 3);
    mkv_bytes(w, 0x4255, "HEAD", 4);
    mkv_end(w, c);
}

static void packing(struct sl_writer *w)
{
    size_t c = mkv_begin(w, 0x5034);
    mkv_uint(w, 0x5032, 3);
    mkv_end(w, c);
}

static void lzo(struct sl_writer *w)
{
    size_t c = mkv_begin(w, 0x5034);
    mkv_uint(w, 0x4254, 2);
    mkv_end(w, c);
}

static void encryption(struct sl_writer *w)
{
    size_t c = 0;
    mkv_uint(w, 0x5033, 1);
    c = mkv_begin(w, 0x5035);
    mkv_uint(w, 0x47e1, 5);
    mkv_end(w, c);
}

static void encoded(void (*kind)(struct sl_writer *w), const void *data, size_t size)
{
    size_t cluster = 0;
    size_t segment = 0;
    encoding_kind = kind;
    sl_writer_clear(&file);
    segment = begin(1, "V_VP8", encoding);
    cluster = mkv_cluster(&file, 0);
    mkv_block(&file, SIMPLE, 0, 0x80, data, size);
    mkv_block(&file, SIMPLE, 40, 0x80, data, size);
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
}

static void encodings(void **state)
{
    (void)state;
    uint8_t packed[256];
    uLongf size = sizeof packed;

    encoded(stripping, " and the rest", 13);
    read_every_way(SL_EOF, 2);
    assert_memory_equal(result.packets[1].data, "HEAD and the rest", 17);

    assert_int_equal(compress(packed, &size, (const Bytef *)"text text text text text", 24), Z_OK);
    encoded(packing, packed, size);
    read_every_way(SL_EOF, 2);
    assert_int_equal(result.packets[1].size, 24);
    assert_memory_equal(result.packets[1].data, "text text", 9);

    /* A frame that cannot be unpacked is passed over; strict reading stops. */
    file.data[file.size - 3] ^= 0x55;
    read_every_way(SL_EOF, 1);
    mkv_read(&result, MKV_SEEKABLE, 100, file.data, file.size, true);
    assert_int_equal(result.status, SL_EDATA);
    assert_non_null(strstr(result.err.msg, "zlib"));
    sl_track_clear(&result.track);

    encoded(encryption, "x", 1);
    mkv_read(&result, MKV_PIPE, 100, file.data, file.size, false);
    assert_int_equal(result.status, SL_EUNSUPPORTED);
    assert_non_null(strstr(result.err.msg, "encrypted"));
    encoded(lzo, "x", 1);
    mkv_read(&result, MKV_PIPE, 100, file.data, file.size, false);
    assert_int_equal(result.status, SL_EUNSUPPORTED);
    assert_non_null(strstr(result.err.msg, "LZO1X"));
}

/* ---- parameter sets ----------------------------------------------------------------------- */

static const uint8_t sps[] = {0x67, 0x64, 0x00, 0x34, 0xac, 0xd9, 0x40, 0x44, 0x05,
                              0xbe, 0x5f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
                              0x00, 0x00, 0x03, 0x04, 0xb0, 0x0f, 0x18, 0x31, 0x96};
static const uint8_t pps[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
static const uint8_t idr[] = {0x65, 0x88, 0x84, 0x00, 0x10};

static size_t add_unit(uint8_t *to, bool annexb, const uint8_t *unit, size_t size)
{
    memset(to, 0, 4);
    to[3] = annexb ? 1 : (uint8_t)size;
    memcpy(to + 4, unit, size);
    return size + 4;
}

/* A track without CodecPrivate: the first key frame has what is missing. */
static void missing_config(void **state)
{
    (void)state;
    for (int annexb = 0; annexb < 2; annexb++) {
        uint8_t frame[128];
        size_t n = 0;
        size_t cluster = 0;
        size_t segment = 0;
        sl_writer_clear(&file);
        segment = begin(1, "V_MPEG4/ISO/AVC", NULL);
        cluster = mkv_cluster(&file, 0);
        n += add_unit(frame + n, annexb, sps, sizeof sps);
        n += add_unit(frame + n, annexb, pps, sizeof pps);
        n += add_unit(frame + n, annexb, idr, sizeof idr);
        mkv_block(&file, SIMPLE, 0, 0x80, frame, n);
        mkv_end(&file, cluster);
        mkv_end(&file, segment);
        read_every_way(SL_EOF, 1);
        assert_int_equal(result.packets[0].size, n);
        assert_memory_equal(result.packets[0].data, frame, n);
        for (int way = 0; way < MKV_WAYS; way++) {
            mkv_read(&result, (enum mkv_way)way, 50, file.data, file.size, true);
            assert_int_equal(result.status, SL_EOF);
            assert_int_equal(result.track.profile, 100);
            assert_int_equal(result.track.width, 1080);
            assert_int_equal(result.track.config[0], annexb ? 0 : 1);
            sl_track_clear(&result.track);
        }
    }
}

/* ---- exact times -------------------------------------------------------------------------- */

static void film_rate(struct sl_writer *w)
{
    mkv_uint(w, 0x23e383, 41708333);
}

/* Picture i of 24000/1001 a second, the first one at so many microseconds, rounded. */
static int64_t milliseconds(int64_t origin, int64_t i)
{
    return (origin * 24 + i * 1001000 + 12000) / 24000;
}

/* Whatever the origin: each picture on the grid, none moved by more than half a millisecond. */
static void grid(void **state)
{
    (void)state;
    for (int origin = 0; origin < 1000; origin += 37) { /* microseconds */
        size_t cluster = 0;
        size_t segment = 0;
        sl_writer_clear(&file);
        segment = begin(1, "V_VP8", film_rate);
        cluster = mkv_cluster(&file, 0);
        for (int64_t i = 0; i < 60; i++) {
            mkv_block(&file, SIMPLE, (int)milliseconds(origin, i), 0x80, "x", 1);
        }
        mkv_end(&file, cluster);
        mkv_end(&file, segment);
        mkv_read(&result, MKV_PIPE, 4096, file.data, file.size, true);
        assert_int_equal(result.status, SL_EOF);
        assert_int_equal(result.count, 60);
        assert_int_equal(result.track.timebase.den, 24000);
        assert_int_equal(result.track.frame_rate.num, 24000);
        assert_int_equal(result.track.frame_rate.den, 1001);
        for (int64_t i = 0; i < 60; i++) {
            int64_t ms = milliseconds(origin, i);
            assert_int_equal(result.packets[i].pts - result.packets[0].pts, i * 1001);
            assert_true(llabs(result.packets[i].pts - ms * 24) <= 12);
        }
        sl_track_clear(&result.track);
    }
}

/* DefaultDuration lies about some pictures: those keep their times. */
static void off_the_grid(void **state)
{
    (void)state;
    static const int times[] = {0, 42, 83, 90, 125, 167, 500, 507};
    size_t segment = begin(1, "V_VP8", film_rate);
    size_t cluster = mkv_cluster(&file, 0);
    for (size_t i = 0; i < 8; i++) {
        mkv_block(&file, SIMPLE, times[i], 0x80, "x", 1);
    }
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
    read_every_way(SL_EOF, 8);
    assert_int_equal(result.packets[1].pts, 1001);
    assert_int_equal(result.packets[2].pts, 2002);
    assert_int_equal(result.packets[3].pts, 90 * 24);
    assert_int_equal(result.packets[4].pts, 3003);
    assert_int_equal(result.packets[6].pts, 12012);
    assert_int_equal(result.packets[7].pts, 507 * 24);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Whatever byte is changed, reading ends, and ends well or with a reason. */
static void every_byte(void **state)
{
    (void)state;
    size_t segment = begin(2, "A_MPEG/L3", twenty_ms);
    for (uint64_t i = 0; i < 3; i++) {
        size_t cluster = mkv_cluster(&file, i * 40);
        mkv_block(&file, SIMPLE, 0, 0x84,
                  "\x01"
                  "aaaabbbb",
                  9);
        mkv_block(&file, SIMPLE, 20, 0x82,
                  "\x01\x03"
                  "aaabb",
                  7);
        mkv_end(&file, cluster);
    }
    mkv_end(&file, segment);
    for (size_t at = 0; at < file.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            file.data[at] ^= (uint8_t)(1 << bit);
            for (int way = 0; way < MKV_WAYS; way++) {
                mkv_read(&result, (enum mkv_way)way, 64, file.data, file.size, bit & 1);
                assert_true(result.status == SL_EOF || result.status == SL_EDATA ||
                            result.status == SL_EUNSUPPORTED);
                assert_true(result.status == SL_EOF || result.err.msg[0]);
                sl_track_clear(&result.track);
            }
            file.data[at] ^= (uint8_t)(1 << bit);
        }
    }
}

static void every_length(void **state)
{
    (void)state;
    size_t segment = begin(2, "A_MPEG/L3", twenty_ms);
    size_t cluster = mkv_cluster(&file, 0);
    mkv_block(&file, SIMPLE, 0, 0x80, "frame", 5);
    size_t end = file.size;
    mkv_block(&file, SIMPLE, 20, 0x80, "frame", 5);
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
    for (size_t size = 0; size < file.size; size++) {
        for (int way = 0; way < MKV_WAYS; way++) {
            mkv_read(&result, (enum mkv_way)way, 64, file.data, size, false);
            if (way == MKV_PUSHED && size == cluster - 12) {
                assert_int_equal(result.status, SL_EOF); /* a header by itself is whole */
                sl_track_clear(&result.track);
                continue;
            }
            if (result.status != SL_EDATA && size >= segment - 12) {
                fail_msg("%zu of %zu bytes, way %d: %d", size, file.size, way, result.status);
            }
            assert_int_equal(result.status, size > 0 && size < segment - 12
                                                ? SL_EUNSUPPORTED /* nobody knows the format */
                                                : SL_EDATA);
            assert_int_equal(result.count, size >= end);
            sl_track_clear(&result.track);
        }
    }
}

/* ---- memory ------------------------------------------------------------------------------- */

static enum sl_status read_once(void *arg)
{
    static struct mkv_result r;
    enum sl_status status = SL_OK;
    (void)arg;
    mkv_read(&r, MKV_PUSHED, 200, file.data, file.size, false);
    status = r.status == SL_EOF ? SL_OK : r.status;
    sl_track_clear(&r.track);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    uint8_t frame[128];
    uint8_t packed[256];
    uLongf size = sizeof packed;
    size_t n = 0;
    size_t segment = 0;
    size_t cluster = 0;

    n += add_unit(frame + n, true, sps, sizeof sps);
    n += add_unit(frame + n, true, pps, sizeof pps);
    n += add_unit(frame + n, true, idr, sizeof idr);
    segment = begin(1, "V_MPEG4/ISO/AVC", film_rate);
    cluster = mkv_cluster(&file, 0);
    mkv_block(&file, SIMPLE, 0, 0x80, frame, n);
    mkv_block(&file, SIMPLE, 42, 0x00, frame, n);
    mkv_end(&file, cluster);
    mkv_end(&file, segment);
    failing_alloc_run(read_once, NULL);

    assert_int_equal(compress(packed, &size, (const Bytef *)"text text text text text", 24), Z_OK);
    encoded(packing, packed, size);
    failing_alloc_run(read_once, NULL);
    encoded(stripping, "rest", 4);
    failing_alloc_run(read_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variable_integers),
        cmocka_unit_test(element_headers),
        cmocka_unit_test_setup_teardown(laces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(laced_times_by_codec, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(discard_padding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tracks_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(encodings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_config, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(off_the_grid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_runs_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
