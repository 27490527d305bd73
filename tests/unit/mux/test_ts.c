/* SPDX-License-Identifier: BSD-2-Clause */
/* The TS muxer packet by packet (ts_check.h), then on real streams, judged by ffmpeg. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clip.h"
#include "failing_alloc.h"
#include "made.h"
#include "media/aac.h"
#include "media/track.h"
#include "mux/registry.h"
#include "ts_check.h"
#include "unit.h"

#define START 900000 /* 10 s: where presentation time 0 is */

struct fixture {
    struct sl_track tracks[2];
    struct sl_muxer *m;
    struct sl_error err;
    struct ts_check *check;
};

static void open_tracks(struct fixture *f, size_t count)
{
    const struct sl_track *tracks[2] = {&f->tracks[0], &f->tracks[1]};
    const struct sl_mux_params params = {0};
    if (sl_mux_open(&f->m, &sl_mux_ts, tracks, count, &params, &f->err))
        fail_msg("%s", f->err.msg);
    f->check = calloc(1, sizeof *f->check);
    assert_non_null(f->check);
}

static void close_tracks(struct fixture *f, size_t count)
{
    sl_mux_destroy(&f->m);
    for (size_t i = 0; i < count; i++)
        sl_track_clear(&f->tracks[i]);
    ts_check_clear(f->check);
    free(f->check);
    memset(f, 0, sizeof *f);
}

static void write_ok(struct fixture *f, struct sl_packet *p)
{
    if (f->m->ops->write(f->m, p, &f->err))
        fail_msg("%s", f->err.msg);
}

/* Through the checker, and to the end of path unless it is NULL. */
static size_t flush(struct fixture *f, const char *path)
{
    struct sl_chain chain = {0};
    struct sl_buf *buf;
    size_t size;
    if (f->m->ops->flush(f->m, &chain, &f->err))
        fail_msg("%s", f->err.msg);
    assert_int_equal(sl_chain_load(&chain, &buf, NULL), SL_OK);
    size = buf->size;
    if (size)
        ts_check_segment(f->check, buf->data, size);
    if (path)
        chain_append_file(&chain, path);
    sl_buf_unref(&buf);
    sl_chain_clear(&chain);
    return size;
}

static struct sl_packet *packet(uint32_t track, int64_t pts, int64_t duration, uint32_t flags,
                                const void *data, size_t size)
{
    struct sl_packet *p;
    assert_int_equal(made_packet(&p, track, pts, duration, data, size), SL_OK);
    p->flags = flags;
    return p;
}

/* Every payload size from one byte to three packets' worth: stuffing is exact. */
static void test_stuffing(void **state)
{
    struct fixture f = {0};
    uint8_t data[600] = {0, 0, 0, 1, 0x41};
    (void)state;
    memset(data + 5, 0x55, sizeof data - 5);
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    open_tracks(&f, 1);
    for (size_t n = 5; n < sizeof data; n++) {
        write_ok(&f, packet(0, (int64_t)n - 5, 1, 0, data, n));
        flush(&f, NULL);
        assert_int_equal(f.check->pes_count, 1);
        assert_int_equal(f.check->pes[0].size, 6 + n - 1); /* the second start code needs no zero */
        assert_memory_equal(f.check->pes[0].data, "\0\0\0\1\x09\xf0", 6);
        assert_memory_equal(f.check->pes[0].data + 6, data + 1, n - 1);
        assert_int_equal(f.check->pes[0].pts, START + ((int64_t)n - 5) * 3600);
        assert_true(f.check->pes[0].has_pcr);
    }
    close_tracks(&f, 1);
}

static bool holds(const struct ts_pes *pes, const void *bytes, size_t size)
{
    return memmem(pes->data, pes->size, bytes, size) != NULL;
}

/* Delimiter first, parameter sets before a key frame that lacks them and only there. */
static void check_in_band(enum sl_status (*make)(struct sl_track *), unsigned sets,
                          const uint8_t *delimiter, size_t delimiter_size, uint8_t slice)
{
    struct fixture f = {0};
    uint8_t own[512], lengths[] = {0, 0, 0, 4, slice, 1, 2, 3};
    size_t size = 0;
    assert_int_equal(make(&f.tracks[0]), SL_OK);
    open_tracks(&f, 1);
    write_ok(&f, packet(0, 0, 1, SL_PACKET_KEY, lengths, sizeof lengths));
    write_ok(&f, packet(0, 1, 1, 0, lengths, sizeof lengths));
    for (unsigned i = 0; i < sets; i++) { /* an encoder that repeats its headers */
        size_t n;
        const uint8_t *set = made_set(&f.tracks[0], i, &n);
        memcpy(own + size, "\0\0\0\1", 4);
        memcpy(own + size + 4, set, n);
        size += 4 + n;
    }
    memcpy(own + size, "\0\0\1", 3);
    memcpy(own + size + 3, lengths + 4, 4);
    size += 7;
    write_ok(&f, packet(0, 2, 1, SL_PACKET_KEY, own, size));
    flush(&f, NULL);
    assert_int_equal(f.check->pes_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct ts_pes *pes = &f.check->pes[i];
        assert_memory_equal(pes->data, delimiter, delimiter_size);
        assert_true(holds(pes, "\0\0\1", 3));
        assert_int_equal(pes->random_access, i != 1);
        for (unsigned k = 0; k < sets; k++) {
            size_t n;
            const uint8_t *set = made_set(&f.tracks[0], k, &n);
            assert_int_equal(holds(pes, set, n), i != 1);
        }
    }
    assert_int_equal(f.check->pes[2].size, delimiter_size + size); /* once, not twice */
    assert_memory_equal(f.check->pes[0].data + delimiter_size, own, size);
    close_tracks(&f, 1);
}

static void test_in_band(void **state)
{
    static const uint8_t h264[] = {0, 0, 0, 1, 0x09, 0xf0}, hevc[] = {0, 0, 0, 1, 0x46, 1, 0x50};
    (void)state;
    check_in_band(made_h264, 2, h264, sizeof h264, 0x65);
    check_in_band(made_hevc, 3, hevc, sizeof hevc, 0x26);
}

/* Sound by itself carries the clock; frames share PES packets and none is lost. */
static void test_sound_alone(void **state)
{
    struct fixture f = {0};
    uint8_t data[900];
    size_t frames = 0;
    (void)state;
    memset(data, 0x21, sizeof data);
    assert_int_equal(made_aac(&f.tracks[0]), SL_OK);
    (void)strcpy(f.tracks[0].language, "de");
    open_tracks(&f, 1);
    for (int i = 0; i < 200; i++) {
        write_ok(&f, packet(0, i * 1024 - 1024, 1024, 0, data, 1 + (size_t)i * 4));
        if (i % 50 == 49) {
            flush(&f, NULL);
            assert_true(f.check->pes[0].random_access);
            for (size_t k = 0; k < f.check->pes_count; k++) {
                const struct ts_pes *pes = &f.check->pes[k];
                size_t pos = 0;
                /* rounded once, from the ticks of the first frame */
                assert_int_equal(
                    pes->pts, START + (((int64_t)frames - 1) * 1024 * 15 + (frames ? 4 : -4)) / 8);
                while (pos < pes->size) {
                    struct sl_adts adts;
                    assert_int_equal(sl_adts_parse(pes->data + pos, pes->size - pos, &adts, NULL),
                                     SL_OK);
                    assert_int_equal(adts.frame_size, 7 + 1 + frames * 4);
                    assert_int_equal(adts.sample_rate, 48000);
                    pos += adts.frame_size;
                    frames++;
                }
                assert_int_equal(pos, pes->size);
            }
            assert_true(f.check->pes_count < 50);
        }
    }
    assert_int_equal(frames, 200);
    assert_string_equal(f.check->streams[0].language, "deu");
    assert_int_equal(f.check->streams[0].type, 0x0f);
    assert_int_equal(f.check->pcr_pid, f.check->streams[0].pid);
    close_tracks(&f, 1);
}

/* A time lapse: pictures 3 s apart, sound between them, and the clock still every 0.1 s, across
 * segments as well (the checker watches). */
static void test_slow_pictures(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    struct fixture f = {0};
    int64_t sound = -1024;
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    assert_int_equal(made_aac(&f.tracks[1]), SL_OK);
    f.tracks[0].timebase = (struct sl_rational){3, 1};
    f.tracks[0].decode_delay = 4; /* 12 s: the offset grows */
    open_tracks(&f, 2);
    for (int i = 0; i < 8; i++) {
        struct sl_packet *p = packet(0, i, 1, SL_PACKET_KEY, idr, sizeof idr);
        p->dts = i - 4;
        write_ok(&f, p);
        for (; sound < (i + 1) * 3 * 48000; sound += 1024)
            write_ok(&f, packet(1, sound, 1024, 0, "sound", 5));
        if (i % 2) {
            flush(&f, NULL);
            assert_int_equal(f.check->pes[0].pts, 2 * START + (i - 1) * 270000);
            assert_int_equal(f.check->pes[0].dts, 2 * START + (i - 5) * 270000);
        }
    }
    assert_int_equal(f.check->pcr_interval, 9000);
    close_tracks(&f, 2);
}

/* 33 bits of 90 kHz are 26.5 hours: the stamps wrap, and the checker unwraps them. */
static void test_wrap(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    struct fixture f = {0};
    (void)state;
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    f.tracks[0].timebase = (struct sl_rational){60, 1};
    open_tracks(&f, 1);
    for (int i = 0; i < 27 * 60; i++) {
        write_ok(&f, packet(0, i, 1, SL_PACKET_KEY, idr, sizeof idr));
        flush(&f, NULL);
        assert_int_equal(f.check->pes[0].dts, START + (int64_t)i * 60 * 90000);
    }
    assert_true(f.check->pcr > (int64_t)1 << 33);
    close_tracks(&f, 1);
}

static void write_refused(struct fixture *f, struct sl_packet *p, enum sl_status status,
                          const char *words)
{
    struct sl_error err = {0};
    assert_int_equal(f->m->ops->write(f->m, p, &err), status);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    sl_packet_unref(&p);
}

static void test_refusals(void **state)
{
    static const uint8_t sei[] = {0, 0, 0, 1, 6, 1, 2, 3};
    const struct sl_mux_params params = {0};
    struct fixture f = {0};
    struct sl_error err = {0};
    struct sl_muxer *m;
    struct sl_chain chain = {0};
    const struct sl_track *tracks[1] = {&f.tracks[0]};
    (void)state;
    assert_int_equal(made_aac(&f.tracks[0]), SL_OK);
    f.tracks[0].codec = SL_CODEC_FLAC;
    assert_int_equal(sl_mux_open(&m, &sl_mux_ts, tracks, 1, &params, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "no stream type for flac"));
    assert_int_equal(sl_mux_open(&m, &sl_mux_ts, tracks, 0, &params, NULL), SL_EINVAL);
    sl_track_clear(&f.tracks[0]);
    assert_int_equal(made_h264(&f.tracks[0]), SL_OK);
    open_tracks(&f, 1);
    assert_int_equal(flush(&f, NULL), 0);
    write_refused(&f, packet(0, 5, 1, 0, sei, sizeof sei), SL_EINVAL, "end at 0");
    write_refused(&f, packet(0, 0, 90001, 0, sei, sizeof sei), SL_EUNSUPPORTED, "over an hour");
    write_refused(&f, packet(0, 0, 1, 0, sei, 0), SL_EINVAL, "0 bytes");
    write_refused(&f, packet(3, 0, 1, 0, sei, 0), SL_EINVAL, "track 3");
    write_ok(&f, packet(0, 0, 1, 0, sei, sizeof sei));
    memset(&err, 0, sizeof err);
    assert_int_equal(f.m->ops->flush(f.m, &chain, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, "no slice"));
    assert_int_equal(chain.size, 0);
    close_tracks(&f, 1);
}

/* ---- real streams ------------------------------------------------------------------------ */

static void mux_clips(struct fixture *f, struct clip *video, struct clip *sound, const char *path)
{
    size_t next = 0;
    for (size_t i = 0; i < video->count; i++) {
        struct sl_packet *p = clip_copy(video, i);
        if (i && p->flags & SL_PACKET_KEY) {
            /* a rendition hands over what is heard before the cut */
            for (; sound && next < sound->count; next++) {
                struct sl_packet *s = sound->packets[next];
                if (s->pts * video->track.timebase.den * sound->track.timebase.num >=
                    p->pts * sound->track.timebase.den * video->track.timebase.num)
                    break;
                s = clip_copy(sound, next);
                s->track = 1;
                write_ok(f, s);
            }
            flush(f, path);
        }
        write_ok(f, p);
    }
    for (; sound && next < sound->count; next++) {
        struct sl_packet *s = clip_copy(sound, next);
        s->track = 1;
        write_ok(f, s);
    }
    flush(f, path);
}

static void check_real(const char *codec, int timescale, int delay, const char *options)
{
    struct scratch dir;
    struct fixture f = {0};
    struct clip video, sound;
    char out[256], *text;
    scratch_make(&dir);
    clip_video(&video, &dir, codec, timescale, delay, options);
    clip_assign(&video);
    clip_aac(&sound, &dir, 48000, 2,
             "-f lavfi -i \"aevalsrc=0.4*sin(440*2*PI*t)+0.1*random(0):d=4\"");
    assert_int_equal(sl_track_copy(&f.tracks[0], &video.track, NULL), SL_OK);
    assert_int_equal(sl_track_copy(&f.tracks[1], &sound.track, NULL), SL_OK);
    open_tracks(&f, 2);
    (void)snprintf(out, sizeof out, "%s/out.ts", dir.path);
    mux_clips(&f, &video, &sound, out);
    judge_silent(out);
    /* The same pictures at the same times: the source's clip was made at 90 kHz for this. */
    judge_same(video.source, out, "v", START);
    text = run_command("ffprobe -v error -select_streams a -count_packets -show_entries "
                       "stream=codec_name,start_pts,nb_read_packets -of default=nw=1:nk=1 %s | "
                       "head -3",
                       out);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "aac\n%d\n%zu\n", START - 1920, sound.count);
    assert_string_equal(text, expected);
    free(text);
    close_tracks(&f, 2);
    clip_free(&video);
    clip_free(&sound);
    scratch_remove(&dir);
}

static void test_real(void **state)
{
    (void)state;
    check_real("h264", 90000, 2,
               "-f lavfi -i testsrc2=s=320x180:r=30:d=4 -pix_fmt yuv420p -c:v libx264 "
               "-preset fast -bf 3 -g 40 -x264-params open-gop=0:slices=3");
    check_real("h264", 90000, 0,
               "-f lavfi -i testsrc2=s=320x180:r=5:d=4 -pix_fmt yuv420p -c:v libx264 "
               "-preset ultrafast -g 10");
    check_real("hevc", 90000, 3,
               "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -pix_fmt yuv420p -c:v libx265 "
               "-preset fast -tag:v hvc1 -x265-params "
               "log-level=none:bframes=4:keyint=25:open-gop=0");
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
        status = sl_mux_open(&m, &sl_mux_ts, list, 2, &params, NULL);
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
        cmocka_unit_test(test_stuffing),    cmocka_unit_test(test_in_band),
        cmocka_unit_test(test_sound_alone), cmocka_unit_test(test_slow_pictures),
        cmocka_unit_test(test_wrap),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_real),        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("mux/ts", tests, NULL, NULL);
}
