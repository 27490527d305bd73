/* SPDX-License-Identifier: BSD-2-Clause */
/* MP4 built by hand: what the tables say is what comes out, however the bytes come, and what they
 * cannot say is refused with the box, the offset and what is allowed. Real files are judged by
 * ffprobe: tests/media/test_mp4_demux.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demux/demuxers.h"
#include "failing_alloc.h"
#include "feeding.h"
#include "mp4_build.h"
#include "unit.h"

struct expected {
    uint32_t track;
    int64_t pts, dts, duration;
    uint32_t n; /* sample of the track */
    uint32_t flags;
};

/* Pictures 20 ticks apart, I P B B B B as build_mp4 writes them; sound in between. */
static const struct expected plain[] = {
    {0, 20, 0, 20, 0, SL_PACKET_KEY},
    {0, 60, 20, 20, 1, 0},
    {0, 40, 40, 20, 2, 0},
    {1, 0, 0, 20, 0, SL_PACKET_KEY},
    {1, 20, 20, 20, 1, SL_PACKET_KEY},
    {1, 40, 40, 20, 2, SL_PACKET_KEY},
    {0, 80, 60, 20, 3, SL_PACKET_KEY},
    {0, 120, 80, 20, 4, 0},
    {0, 100, 100, 20, 5, 0},
    {1, 60, 60, 20, 3, SL_PACKET_KEY},
    {1, 80, 80, 20, 4, SL_PACKET_KEY},
    {1, 100, 100, 20, 5, SL_PACKET_KEY},
};
#define PLAIN (sizeof plain / sizeof *plain)

static void check_packet(const struct sl_packet *p, const struct expected *e)
{
    uint8_t bytes[64];
    assert_int_equal(p->track, e->track);
    assert_int_equal(p->pts, e->pts);
    assert_int_equal(p->dts, e->dts);
    assert_int_equal(p->duration, e->duration);
    assert_int_equal(p->flags, e->flags);
    assert_int_equal(p->payload.size, e->n + 1);
    assert_int_equal(sl_chain_read(&p->payload, 0, bytes, e->n + 1, NULL), SL_OK);
    for (uint32_t i = 0; i <= e->n; i++) {
        assert_int_equal(bytes[i], 16 * e->track + e->n);
    }
}

enum how { SEEKABLE, PIPE, PUSHED };

/* Opens and reads all; what is read must be the first of the expected ones. Returns the status that
 * ended it and how many there were. */
static enum sl_status run(const void *data, size_t size, enum how how, size_t piece, bool strict,
                          const struct expected *expected, size_t *count, struct sl_error *err)
{
    struct sl_demux_params params = {.strict = strict};
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_packet *p = NULL;
    enum sl_status status = how == PUSHED
                                ? feed_open_pushed(&feed, data, size, err)
                                : feed_open(&feed, data, size, piece, how == SEEKABLE, err);
    *count = 0;
    if (status != SL_OK) {
        return status;
    }
    do {
        status = sl_demux_mp4.open(&d, feed.window, &params, err);
    } while (status == SL_EAGAIN && feed_push(&feed, piece));
    while (status == SL_OK) {
        status = d->ops->read(d, &p, err);
        if (status == SL_OK) {
            if (expected) {
                assert_true(*count < PLAIN);
                check_packet(p, &expected[*count]);
            }
            (*count)++;
        }
        sl_packet_unref(&p);
        if (status == SL_EAGAIN && feed_push(&feed, piece)) {
            status = SL_OK;
        }
    }
    if (d) {
        d->ops->destroy(d);
    }
    feed_close(&feed);
    return status == SL_EAGAIN ? SL_ENOMEM : status; /* a push that failed */
}

static void check_all(const struct build *b, const struct expected *expected)
{
    static const struct {
        enum how how;
        size_t piece;
    } ways[] = {{SEEKABLE, 4096}, {SEEKABLE, 7}, {PIPE, 4096},
                {PIPE, 3},        {PUSHED, 1},   {PUSHED, 100}};
    struct sl_writer file;
    build_mp4(&file, b);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct sl_error err = {0};
        char text[512];
        size_t count = 0;
        enum sl_status status =
            run(file.data, file.size, ways[i].how, ways[i].piece, true, expected, &count, &err);
        if (status != SL_EOF) {
            fail_msg("way %zu: %s", i, sl_error_format(&err, text, sizeof text));
        }
        assert_int_equal(count, PLAIN);
    }
    sl_writer_clear(&file);
}

static void layouts(void **state)
{
    (void)state;
    static const struct build builds[] = {
        {.entry = NULL},
        {.media_first = true},
        {.large_sizes = true},
        {.large_sizes = true, .media_first = true},
        {.open_end = true},
        {.open_end = true, .media_first = true},
        {.odd_boxes = true},
        {.odd_boxes = true, .media_first = true},
        {.compact_sizes = true},
        {.fragments = true},
        {.fragments = true, .old_base = true},
        {.fragments = true, .odd_boxes = true},
    };
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        check_all(&builds[i], plain);
    }
}

/* Offsets below zero move all decoding times, so that none passes its presentation time. */
static void negative_offsets(void **state)
{
    (void)state;
    struct expected moved[PLAIN];
    memcpy(moved, plain, sizeof moved);
    for (size_t i = 0; i < PLAIN; i++) {
        moved[i].pts -= moved[i].track == 0 ? 20 : 0;
        moved[i].dts -= moved[i].track == 0 ? 20 : 0;
    }
    check_all(&(struct build){.negative = true}, moved);
    check_all(&(struct build){.negative = true, .fragments = true}, moved);
}

/* Presentation starts at the edit: two pictures of delay go, or what comes before is hidden. */
static void edits(void **state)
{
    (void)state;
    struct expected e[PLAIN];
    memcpy(e, plain, sizeof e);
    for (size_t i = 0; i < PLAIN; i++) {
        e[i].pts -= e[i].track == 0 ? 20 : 0;
        e[i].dts -= e[i].track == 0 ? 20 : 0;
    }
    check_all(&(struct build){.start = 20, .duration = 60}, e);
    check_all(&(struct build){.start = 20, .duration = 0, .fragments = true}, e);
    /* Two that play on are one. */
    check_all(&(struct build){.start = 20, .duration = 20, .second = 60}, e);
    /* Empty edits come first: 10 movie ticks are 20 of the track. */
    for (size_t i = 0; i < PLAIN; i++) {
        e[i].pts += e[i].track == 0 ? 20 : 0;
        e[i].dts += e[i].track == 0 ? 20 : 0;
    }
    check_all(&(struct build){.empty = 10, .start = 20, .duration = 60}, e);
    /* From 50 on, within the picture that is shown from 40 to 60: the one before is hidden. */
    for (size_t i = 0; i < PLAIN; i++) {
        if (e[i].track == 0) {
            e[i].pts = plain[i].pts - 50;
            e[i].dts = plain[i].dts - 50;
            e[i].flags |= plain[i].pts == 20 ? SL_PACKET_HIDDEN : 0;
            if (plain[i].pts == 40) { /* shown from the edit's start on, for what is left of it */
                e[i].pts = 0;
                e[i].duration = 10;
            }
        }
    }
    check_all(&(struct build){.start = 50, .duration = 0}, e);
}

static void edit_ends(void **state)
{
    (void)state;
    struct sl_writer file;
    struct sl_error err = {0};
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_demux_params params = {0};
    struct sl_packet *p = NULL;
    size_t shown = 0;
    /* 20 movie ticks from 20 on: pictures at 20 and 40 only. */
    build_mp4(&file, &(struct build){.start = 20, .duration = 20});
    assert_int_equal(feed_open(&feed, file.data, file.size, 4096, true, &err), SL_OK);
    assert_int_equal(sl_demux_mp4.open(&d, feed.window, &params, &err), SL_OK);
    assert_int_equal(d->tracks[0].duration, 40);
    while (d->ops->read(d, &p, &err) == SL_OK) {
        if (p->track == 0) {
            assert_int_equal((p->flags & SL_PACKET_HIDDEN) != 0, p->pts < 0 || p->pts >= 40);
            shown += !(p->flags & SL_PACKET_HIDDEN);
        }
        sl_packet_unref(&p);
    }
    assert_int_equal(shown, 2);
    d->ops->destroy(d);
    feed_close(&feed);
    sl_writer_clear(&file);
}

static void track_fields(void **state)
{
    (void)state;
    struct sl_writer file;
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_demux_params params = {0};
    build_mp4(&file, &(struct build){.start = 20, .duration = 60});
    assert_int_equal(feed_open(&feed, file.data, file.size, 4096, true, NULL), SL_OK);
    assert_int_equal(sl_demux_mp4.open(&d, feed.window, &params, NULL), SL_OK);
    assert_string_equal(d->format, "mov");
    assert_int_equal(d->track_count, 2);
    const struct sl_track *v = &d->tracks[0];
    assert_int_equal(v->kind, SL_KIND_VIDEO);
    assert_int_equal(v->codec, SL_CODEC_MPEG4);
    assert_string_equal(v->language, "deu");
    assert_int_equal(v->width, 64);
    assert_int_equal(v->height, 48);
    assert_int_equal(v->start, 0);
    assert_int_equal(v->duration, 120);
    assert_int_equal(v->frame_rate.num, 50);
    assert_int_equal(v->frame_rate_exact, 1);
    assert_int_equal(v->is_default, 1);
    const struct sl_track *a = &d->tracks[1];
    assert_int_equal(a->kind, SL_KIND_AUDIO);
    assert_int_equal(a->codec, SL_CODEC_PCM);
    assert_string_equal(a->codec_name, "pcm_s16be");
    assert_int_equal(a->sample_rate, 8000);
    assert_int_equal(a->channels, 1);
    d->ops->destroy(d);
    feed_close(&feed);
    sl_writer_clear(&file);
}

static void seeking(void **state)
{
    (void)state;
    static const struct {
        int64_t time;
        size_t first; /* picture in plain[] that comes first */
    } seeks[] = {{-5, 0}, {0, 0}, {20, 0}, {79, 0}, {80, 6}, {119, 6}, {5000, 6}};
    for (int fragments = 0; fragments < 2; fragments++) {
        struct sl_writer file;
        struct feed feed;
        struct sl_demuxer *d = NULL;
        struct sl_demux_params params = {0};
        struct sl_packet *p = NULL;
        build_mp4(&file, &(struct build){.fragments = fragments});
        assert_int_equal(feed_open(&feed, file.data, file.size, 4096, true, NULL), SL_OK);
        assert_int_equal(sl_demux_mp4.open(&d, feed.window, &params, NULL), SL_OK);
        for (size_t i = 0; i < sizeof seeks / sizeof *seeks; i++) {
            assert_int_equal(d->ops->seek(d, 0, seeks[i].time, NULL), SL_OK);
            do {
                sl_packet_unref(&p);
                assert_int_equal(d->ops->read(d, &p, NULL), SL_OK);
            } while (p->track != 0);
            check_packet(p, &plain[seeks[i].first]);
            sl_packet_unref(&p);
        }
        assert_int_equal(d->ops->seek(d, 2, 0, NULL), SL_EINVAL);
        d->ops->destroy(d);
        feed_close(&feed);
        assert_int_equal(feed_open(&feed, file.data, file.size, 4096, false, NULL), SL_OK);
        assert_int_equal(sl_demux_mp4.open(&d, feed.window, &params, NULL), SL_OK);
        assert_int_equal(d->ops->seek(d, 0, 0, NULL), SL_EUNSUPPORTED);
        d->ops->destroy(d);
        feed_close(&feed);
        sl_writer_clear(&file);
    }
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void check_refused(const struct build *b, enum sl_status status, const char *box,
                          const char *part)
{
    struct sl_writer file;
    struct sl_error err = {0};
    size_t count = 0;
    build_mp4(&file, b);
    assert_int_equal(run(file.data, file.size, SEEKABLE, 4096, true, NULL, &count, &err), status);
    if (!strstr(err.msg, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", err.msg, part);
    }
    if (box) {
        assert_true(err.has_offset);
        assert_memory_equal(file.data + err.offset + 4, box, 4);
    }
    sl_writer_clear(&file);
}

static void counts_that_lie(void **state)
{
    (void)state;
    static const char *const boxes[] = {"stts", "ctts", "stss", "stsc",
                                        "stsz", "stco", "stsd", "elst"};
    static const uint32_t counts[] = {7, 0x10000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        for (size_t n = 0; n < 3; n++) {
            struct build b = {.start = 20, .lie = boxes[i], .count = counts[n]};
            if (strcmp(boxes[i], "stsd") == 0 && n == 0) {
                b.count = 2000;
            }
            check_refused(&b, SL_EDATA, boxes[i], "allowed");
        }
    }
    check_refused(&(struct build){.fragments = true, .lie = "trun", .count = UINT32_MAX}, SL_EDATA,
                  "trun", "allowed");
    check_refused(&(struct build){.compact_sizes = true, .lie = "stsz", .count = 100}, SL_EDATA,
                  "stz2", "allowed");
    check_refused(&(struct build){.lie = "stco", .count = 0}, SL_EDATA, "stbl", "stco");
    check_refused(&(struct build){.lie = "stts", .count = 0}, SL_EDATA, "stbl", "stts");
}

static void refused(void **state)
{
    (void)state;
    struct sl_writer file;
    struct sl_error err = {0};
    size_t count = 0;

    check_refused(&(struct build){.entry = "encv"}, SL_EUNSUPPORTED, "encv",
                  "encrypted ('encv', scheme 'cenc')");
    check_refused(&(struct build){.entry = "SVQ3"}, SL_ENOTFOUND, "SVQ3", "'SVQ3'");
    check_refused(&(struct build){.start = 20, .duration = 20, .second = 90}, SL_EUNSUPPORTED,
                  "elst", "edits");
    /* Media in front of the index, more than is held, from a pipe. */
    build_mp4(&file, &(struct build){.media_first = true, .large_sizes = true});
    size_t mdat = build_find(&file, "mdat");
    memcpy(file.data + mdat, "\0\0\0\0\x08\0\0\0", 8);
    assert_int_equal(run(file.data, file.size, PIPE, 4096, true, NULL, &count, &err),
                     SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "after media of 134217728 bytes"));
    memset(&err, 0, sizeof err);
    assert_int_equal(run(file.data, file.size, PUSHED, 64, true, NULL, &count, &err),
                     SL_EUNSUPPORTED);
    sl_writer_clear(&file);
    memset(&err, 0, sizeof err);
    /* Fragments without their init segment. */
    build_mp4(&file, &(struct build){.fragments = true});
    size_t moof = build_find(&file, "moof") - 8;
    assert_int_equal(
        run(file.data + moof, file.size - moof, SEEKABLE, 4096, true, NULL, &count, &err),
        SL_EDATA);
    assert_non_null(strstr(err.msg, "init segment"));
    sl_writer_clear(&file);
}

/* Samples of one size claimed by the thousand million: no time is spent on what cannot be. */
static void endless(void **state)
{
    (void)state;
    struct sl_writer file;
    struct sl_error err = {0};
    size_t count = 0;
    build_mp4(&file, &(struct build){.entry = NULL});
    size_t stsz = build_find(&file, "stsz");
    size_t stsc = build_find(&file, "stsc");
    memcpy(file.data + stsz + 4, "\0\0\0\1\xff\xff\xff\xff", 8);
    memcpy(file.data + stsc + 12, "\x7f\xff\xff\xff", 4);
    assert_int_equal(run(file.data, file.size, SEEKABLE, 4096, false, NULL, &count, &err),
                     SL_EDATA);
    assert_true(count < 2 * file.size);
    sl_writer_clear(&file);
}

/* Whatever is cut off: the samples before it come, and then it is said. */
static void cut_at_every_byte(void **state)
{
    (void)state;
    static const struct build builds[] = {{.entry = NULL}, {.fragments = true}};
    for (size_t i = 0; i < 2; i++) {
        struct sl_writer file;
        build_mp4(&file, &builds[i]);
        for (size_t size = 1; size < file.size; size++) {
            for (enum how how = SEEKABLE; how <= PUSHED; how++) {
                struct sl_error err = {0};
                size_t count = 0;
                uint8_t *copy = malloc(size);
                assert_non_null(copy);
                memcpy(copy, file.data, size);
                enum sl_status status = run(copy, size, how, 50, false, NULL, &count, &err);
                free(copy);
                /* Between two fragments nobody can tell that there were to be more. */
                assert_true(status == SL_EDATA || (builds[i].fragments && status == SL_EOF));
                assert_true(count < PLAIN);
                if (status == SL_EDATA) {
                    assert_non_null(strstr(err.msg, "cut short"));
                }
            }
        }
        sl_writer_clear(&file);
    }
}

struct memory_case {
    const uint8_t *data;
    size_t size;
    enum how how;
};

static enum sl_status memory_body(void *arg)
{
    const struct memory_case *c = arg;
    struct sl_error err = {0};
    size_t count = 0;
    enum sl_status status = run(c->data, c->size, c->how, 4096, false, plain, &count, &err);
    return status == SL_EOF ? SL_OK : status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const struct build builds[] = {
        {.entry = NULL}, {.media_first = true}, {.fragments = true}};
    for (size_t i = 0; i < 3; i++) {
        for (enum how how = SEEKABLE; how <= PUSHED; how++) {
            struct sl_writer file;
            build_mp4(&file, &builds[i]);
            struct memory_case c = {file.data, file.size, how};
            failing_alloc_run(memory_body, &c);
            sl_writer_clear(&file);
        }
    }
}

static void selected(void **state)
{
    (void)state;
    struct sl_writer file;
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_demux_params params = {0};
    struct sl_packet *p = NULL;
    size_t count = 0;
    build_mp4(&file, &(struct build){.entry = NULL});
    assert_int_equal(feed_open(&feed, file.data, file.size, 4096, true, NULL), SL_OK);
    assert_int_equal(sl_demux_mp4.open(&d, feed.window, &params, NULL), SL_OK);
    d->ops->select(d, 2);
    while (d->ops->read(d, &p, NULL) == SL_OK) {
        assert_int_equal(p->track, 1);
        sl_packet_unref(&p);
        count++;
    }
    assert_int_equal(count, BUILD_SAMPLES);
    d->ops->destroy(d);
    feed_close(&feed);
    sl_writer_clear(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(negative_offsets),
        cmocka_unit_test(edits),
        cmocka_unit_test(edit_ends),
        cmocka_unit_test(track_fields),
        cmocka_unit_test(seeking),
        cmocka_unit_test(selected),
        cmocka_unit_test(counts_that_lie),
        cmocka_unit_test(refused),
        cmocka_unit_test(endless),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
