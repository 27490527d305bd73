/* SPDX-License-Identifier: BSD-2-Clause */
/* Renditions on disk: real clips in, and ffmpeg plays the directory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boxes.h"
#include "clip.h"
#include "failing_alloc.h"
#include "made.h"
#include "media/track.h"
#include "mux/registry.h"
#include "package/rendition.h"
#include "ts_check.h"
#include "unit.h"

#define X264                                                                                       \
    "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=7 -pix_fmt yuv420p -c:v libx264 -preset fast "  \
    "-bf 3 -g 60 -keyint_min 60 -x264-params open-gop=0:scenecut=0"
#define NOISE "-f lavfi -i \"aevalsrc=0.4*sin(440*2*PI*t)+0.1*random(0):d=8\""

static void write_ok(struct sl_rendition *r, struct sl_packet *p)
{
    struct sl_error err = {0};
    if (sl_rendition_write(r, p, &err))
        fail_msg("%s: %s", err.where, err.msg);
}

static void open_ok(struct sl_rendition **r, const char *directory,
                    const struct sl_muxer_ops *muxer, const struct sl_track *main,
                    const struct sl_track *sound)
{
    struct sl_rendition_params params = {
        .directory = directory, .muxer = muxer, .tracks = {main, sound}, .target = 2};
    struct sl_error err = {0};
    if (sl_rendition_open(r, &params, &err))
        fail_msg("%s: %s", err.where, err.msg);
}

static char *read_text(struct scratch *dir, const char *name)
{
    size_t size;
    return (char *)scratch_read(scratch_name(dir, name), &size);
}

static bool exists(struct scratch *dir, const char *name)
{
    return access(scratch_name(dir, name), F_OK) == 0;
}

static size_t count_lines(const char *text, const char *start)
{
    size_t n = 0;
    for (const char *c = text; (c = strstr(c, start)); c++)
        n += c == text || c[-1] == '\n';
    return n;
}

/* All segments behind the init segment, as a player would append them. */
static void concatenate(struct scratch *dir, const char *sub, const char *init, const char *ext,
                        size_t count, const char *out)
{
    char path[512];
    FILE *to = fopen(out, "wb");
    assert_non_null(to);
    for (size_t i = 0; i < count + (init ? 1 : 0); i++) {
        size_t size, number = i - (init ? 1 : 0);
        uint8_t *data;
        if (init && i == 0)
            (void)snprintf(path, sizeof path, "%s/%s/%s", dir->path, sub, init);
        else
            (void)snprintf(path, sizeof path, "%s/%s/%03zu/%06zu.%s", dir->path, sub, number / 500,
                           number, ext);
        data = scratch_read(path, &size);
        assert_int_equal(fwrite(data, 1, size, to), size);
        free(data);
    }
    assert_int_equal(fclose(to), 0);
}

static void test_video(void **state)
{
    struct scratch dir;
    struct clip c;
    struct sl_rendition *r;
    struct sl_error err = {0};
    char out[256], sub[256], *text;
    (void)state;
    scratch_make(&dir);
    clip_video(&c, &dir, "h264", 30000, 2, X264);
    (void)snprintf(sub, sizeof sub, "%s/a/b", dir.path);
    open_ok(&r, sub, &sl_mux_fmp4, &c.track, NULL);
    assert_true(exists(&dir, "a/b/init.mp4"));
    for (size_t i = 0; i < c.count; i++) {
        struct sl_packet *p = clip_copy(&c, i);
        if (p->flags & SL_PACKET_KEY)
            p->flags |= SL_PACKET_CUT;
        if (i == 90) { /* published whole, then listed; nothing of what comes next */
            assert_int_equal(sl_rendition_playlist(r)->count, 1);
            text = read_text(&dir, "a/b/playlist.m3u8");
            assert_int_equal(count_lines(text, "#EXTINF:2.002000,\n000/000000.m4s"), 1);
            assert_int_equal(count_lines(text, "#EXTINF"), 1);
            assert_null(strstr(text, "ENDLIST"));
            free(text);
            assert_int_equal(scratch_count(scratch_name(&dir, "a/b/000")), 1);
        }
        write_ok(r, p);
    }
    assert_int_equal(sl_rendition_finish(r, c.end, &err), SL_OK);
    assert_int_equal(sl_rendition_playlist(r)->count, 4);
    assert_true(sl_rendition_playlist(r)->ended);
    struct sl_packet *late = clip_copy(&c, 0);
    assert_int_equal(sl_rendition_write(r, late, NULL), SL_EINVAL);
    sl_packet_unref(&late);
    sl_rendition_destroy(&r);
    text = read_text(&dir, "a/b/playlist.m3u8");
    assert_int_equal(count_lines(text, "#EXTINF"), 4);
    assert_int_equal(count_lines(text, "#EXT-X-ENDLIST"), 1);
    assert_int_equal(count_lines(text, "#EXT-X-MAP:URI=\"init.mp4\""), 1);
    free(text);
    (void)snprintf(out, sizeof out, "%s/out.mp4", dir.path);
    concatenate(&dir, "a/b", "init.mp4", "m4s", 4, out);
    judge_silent(out);
    judge_same(c.source, out, "v", 0);
    (void)snprintf(out, sizeof out, "%s/a/b/playlist.m3u8", dir.path);
    judge_silent(out);
    assert_int_equal(scratch_count(scratch_name(&dir, "a/b")), 3); /* nothing temporary */
    clip_free(&c);
    scratch_remove(&dir);
}

/* Sound alone; EXTINF is what is heard of the segment, and the next tfdt is where it ends. */
static void test_audio(void **state)
{
    struct scratch dir;
    struct clip c;
    struct sl_rendition *r;
    struct sl_error err = {0};
    char out[256];
    uint64_t expected = 0;
    (void)state;
    scratch_make(&dir);
    clip_aac(&c, &dir, 44100, 2, NOISE);
    open_ok(&r, dir.path, &sl_mux_fmp4, &c.track, NULL);
    for (size_t i = 0; i < c.count; i++) {
        struct sl_packet *p = clip_copy(&c, i);
        if (i && p->pts / (2 * 44100) != (p->pts - 1024) / (2 * 44100))
            p->flags |= SL_PACKET_CUT;
        write_ok(r, p);
    }
    assert_int_equal(sl_rendition_finish(r, c.end, &err), SL_OK);
    const struct sl_playlist *list = sl_rendition_playlist(r);
    assert_true(list->count >= 4);
    for (size_t i = 0; i < list->count; i++) {
        char name[64];
        size_t size;
        uint8_t *data;
        struct box tfdt;
        struct sl_reader reader;
        sl_playlist_segment_uri(list, (uint32_t)i, name);
        data = scratch_read(scratch_name(&dir, name), &size);
        assert_int_equal(size, list->segments[i].bytes);
        tfdt = box_find(data, size, "moof/traf/tfdt", 0);
        sl_reader_init(&reader, tfdt.data, tfdt.size);
        sl_read_skip(&reader, 4);
        assert_int_equal(sl_read_be64(&reader), expected);
        /* the first holds 1024 samples of priming that are before 0 */
        expected += (uint64_t)list->segments[i].duration + (i == 0 ? 1024 : 0);
        free(data);
    }
    assert_int_equal(expected, c.count * 1024);
    (void)snprintf(out, sizeof out, "%s/out.mp4", dir.path);
    concatenate(&dir, ".", "init.mp4", "m4s", list->count, out);
    judge_silent(out);
    sl_rendition_destroy(&r);
    clip_free(&c);
    scratch_remove(&dir);
}

/* Feeds both tracks, sound lead packets ahead of (or behind) the pictures. */
static void feed(struct sl_rendition *r, struct clip *video, struct clip *sound, int lead)
{
    size_t next = 0;
    for (size_t i = 0; i < video->count; i++) {
        struct sl_packet *p = clip_copy(video, i);
        if (p->flags & SL_PACKET_KEY)
            p->flags |= SL_PACKET_CUT;
        for (; next < sound->count && (int)next < (int)i * 3 / 2 + lead; next++) {
            struct sl_packet *s = clip_copy(sound, next);
            s->track = 1;
            write_ok(r, s);
        }
        write_ok(r, p);
    }
    for (; next < sound->count; next++) {
        struct sl_packet *s = clip_copy(sound, next);
        s->track = 1;
        write_ok(r, s);
    }
}

static void test_muxed(void **state)
{
    static const int leads[] = {0, 300, -300};
    struct scratch dir;
    struct clip video, sound;
    struct sl_error err = {0};
    char out[256], first[256] = "";
    (void)state;
    scratch_make(&dir);
    clip_video(&video, &dir, "h264", 90000, 2, X264);
    clip_aac(&sound, &dir, 48000, 2, NOISE);
    for (unsigned k = 0; k < 3; k++) {
        struct sl_rendition *r;
        struct ts_check *check = calloc(1, sizeof *check);
        size_t pictures = 0;
        (void)snprintf(out, sizeof out, "%s/ts%u", dir.path, k);
        open_ok(&r, out, &sl_mux_ts, &video.track, &sound.track);
        feed(r, &video, &sound, leads[k]);
        assert_int_equal(sl_rendition_end_sound(r, &err), SL_OK);
        assert_int_equal(sl_rendition_finish(r, video.end, &err), SL_OK);
        const struct sl_playlist *list = sl_rendition_playlist(r);
        assert_int_equal(list->count, 4);
        assert_int_equal(list->total_duration, video.end - video.packets[0]->pts);
        for (uint32_t i = 0; i < list->count; i++) {
            char name[128], uri[64];
            size_t size;
            uint8_t *data;
            sl_playlist_segment_uri(list, i, uri);
            (void)snprintf(name, sizeof name, "ts%u/%s", k, uri);
            data = scratch_read(scratch_name(&dir, name), &size);
            ts_check_segment(check, data, size);
            for (size_t n = 0; n < check->pes_count; n++)
                pictures += check->pes[n].stream_id == 0xe0;
            assert_true(check->pes[0].random_access);
            free(data);
        }
        assert_int_equal(pictures, video.count);
        ts_check_clear(check);
        free(check);
        sl_rendition_destroy(&r);
        (void)snprintf(out, sizeof out, "%s/out%u.ts", dir.path, k);
        (void)snprintf(first, sizeof first, "ts%u", k);
        concatenate(&dir, first, NULL, "ts", 4, out);
        judge_silent(out);
        judge_same(video.source, out, "v", 900000);
        /* the order of arrival makes no difference to the bytes */
        if (k) {
            (void)snprintf(first, sizeof first, "%s/out0.ts", dir.path);
            free(run_command("cmp %s %s", first, out));
        }
        (void)snprintf(out, sizeof out, "%s/ts%u/playlist.m3u8", dir.path, k);
        judge_silent(out);
    }
    clip_free(&video);
    clip_free(&sound);
    scratch_remove(&dir);
}

/* A segment waits for its sound, and not longer. */
static void test_waiting(void **state)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    struct scratch dir;
    struct sl_track video, sound;
    struct sl_rendition *r;
    struct sl_packet *p;
    char sub[128];
    (void)state;
    scratch_make(&dir);
    assert_int_equal(made_h264(&video), SL_OK);
    assert_int_equal(made_aac(&sound), SL_OK);
    (void)snprintf(sub, sizeof sub, "%s/r", dir.path);
    open_ok(&r, sub, &sl_mux_ts, &video, &sound);
    for (int i = 0; i < 4; i++) { /* a second each */
        assert_int_equal(made_packet(&p, 0, i * 25, SL_NO_TIME, idr, sizeof idr), SL_OK);
        p->flags = SL_PACKET_KEY | SL_PACKET_CUT;
        write_ok(r, p);
    }
    assert_int_equal(sl_rendition_playlist(r)->count, 0);
    for (int64_t at = -1024; at < 48000 - 1024; at += 1024) {
        assert_int_equal(sl_rendition_playlist(r)->count, 0);
        assert_int_equal(made_packet(&p, 1, at, 1024, "sound", 5), SL_OK);
        write_ok(r, p);
    }
    assert_int_equal(sl_rendition_playlist(r)->count, 0); /* up to 47104 */
    assert_int_equal(made_packet(&p, 1, 47104, 1024, "sound", 5), SL_OK);
    write_ok(r, p);
    assert_int_equal(sl_rendition_playlist(r)->count, 1);
    assert_int_equal(sl_rendition_end_sound(r, NULL), SL_OK);
    assert_int_equal(sl_rendition_playlist(r)->count, 3);
    assert_int_equal(made_packet(&p, 1, 48128, 1024, "sound", 5), SL_OK);
    assert_int_equal(sl_rendition_write(r, p, NULL), SL_EINVAL);
    sl_packet_unref(&p);
    assert_int_equal(sl_rendition_finish(r, 100, NULL), SL_OK);
    assert_int_equal(sl_rendition_playlist(r)->count, 4);
    sl_rendition_destroy(&r);
    sl_track_clear(&video);
    sl_track_clear(&sound);
    scratch_remove(&dir);
}

static void touch(struct scratch *dir, const char *name)
{
    scratch_write(scratch_name(dir, name), "x", 1);
}

/* What an earlier run left is gone, what is not ours stays. */
static void test_earlier_run(void **state)
{
    struct scratch dir;
    struct sl_track t;
    struct sl_rendition *r;
    (void)state;
    scratch_make(&dir);
    assert_int_equal(mkdir(scratch_name(&dir, "000"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&dir, "001"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&dir, "other"), 0777), 0);
    assert_int_equal(symlink("other", scratch_name(&dir, "002")), 0);
    touch(&dir, "000/000000.m4s");
    touch(&dir, "000/000001.ts");
    touch(&dir, "000/.000002.m4s.0123456789abcdef.sltmp");
    touch(&dir, "001/000500.m4s");
    touch(&dir, "001/notes.txt");
    touch(&dir, "other/000001.m4s");
    touch(&dir, "playlist.m3u8");
    touch(&dir, ".playlist.m3u8.0123456789abcdef.sltmp");
    touch(&dir, "poster.jpg");
    assert_int_equal(made_h264(&t), SL_OK);
    open_ok(&r, dir.path, &sl_mux_fmp4, &t, NULL);
    assert_false(exists(&dir, "playlist.m3u8"));
    assert_false(exists(&dir, "000"));
    assert_false(exists(&dir, "001/000500.m4s"));
    assert_true(exists(&dir, "001/notes.txt"));
    assert_true(exists(&dir, "other/000001.m4s"));
    assert_true(exists(&dir, "poster.jpg"));
    assert_true(exists(&dir, "init.mp4"));
    assert_int_equal(scratch_count(dir.path), 5); /* 001, 002, other, poster.jpg, init.mp4 */
    assert_int_equal(sl_rendition_finish(r, 0, NULL), SL_EDATA); /* nothing was written */
    sl_rendition_destroy(&r);
    /* a muxer that cannot take the track must not cost the run that is there */
    touch(&dir, "playlist.m3u8");
    t.codec = SL_CODEC_VC1;
    struct sl_rendition_params params = {
        .directory = dir.path, .muxer = &sl_mux_fmp4, .tracks = {&t}, .target = 2};
    assert_int_equal(sl_rendition_open(&r, &params, NULL), SL_EUNSUPPORTED);
    assert_null(r);
    assert_true(exists(&dir, "playlist.m3u8"));
    sl_track_clear(&t);
    scratch_remove(&dir);
}

static void write_refused(struct sl_rendition *r, struct sl_packet *p, enum sl_status status,
                          const char *words)
{
    struct sl_error err = {0};
    assert_int_equal(sl_rendition_write(r, p, &err), status);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    sl_packet_unref(&p);
}

static struct sl_packet *key(uint32_t track, int64_t pts, uint32_t flags)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    struct sl_packet *p;
    assert_int_equal(made_packet(&p, track, pts, 1024, idr, sizeof idr), SL_OK);
    p->flags = flags;
    return p;
}

static void test_refusals(void **state)
{
    struct scratch dir;
    struct sl_track t;
    struct sl_rendition *r;
    struct sl_packet *p;
    struct sl_buf *huge;
    char *text;
    (void)state;
    scratch_make(&dir);
    assert_int_equal(made_h264(&t), SL_OK);
    open_ok(&r, dir.path, &sl_mux_fmp4, &t, NULL);
    write_refused(r, key(0, 0, 0), SL_EINVAL, "does not start with a key frame");
    write_refused(r, key(1, 0, 0), SL_EINVAL, "track 1");
    write_refused(r, key(0, SL_NO_TIME, SL_PACKET_KEY), SL_EINVAL, "usable times");
    write_ok(r, key(0, 0, SL_PACKET_KEY | SL_PACKET_CUT));
    write_refused(r, key(0, 25, SL_PACKET_CUT), SL_EINVAL, "does not start with a key frame");
    write_ok(r, key(0, 25, SL_PACKET_KEY | SL_PACKET_CUT));
    assert_int_equal(sl_rendition_playlist(r)->count, 1);
    /* what waits is bounded; a block that is claimed many times over costs no memory here */
    assert_int_equal(sl_buf_alloc(&huge, 16 << 20, NULL), SL_OK);
    memset(huge->data, 1, huge->size);
    for (int i = 0; i < 31; i++) {
        assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
        p->pts = 26 + i;
        assert_int_equal(sl_chain_add_buf(&p->payload, huge, 0, huge->size, NULL), SL_OK);
        write_ok(r, p);
    }
    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    p->pts = 60;
    assert_int_equal(sl_chain_add_buf(&p->payload, huge, 0, huge->size, NULL), SL_OK);
    write_refused(r, p, SL_ENOMEM, "over 512 MiB wait for a segment");
    sl_buf_unref(&huge);
    sl_rendition_destroy(&r);

    /* longer than the target: not listed, and what was listed stays */
    open_ok(&r, dir.path, &sl_mux_fmp4, &t, NULL);
    write_ok(r, key(0, 0, SL_PACKET_KEY | SL_PACKET_CUT));
    write_ok(r, key(0, 50, SL_PACKET_KEY | SL_PACKET_CUT));
    write_refused(r, key(0, 113, SL_PACKET_KEY | SL_PACKET_CUT), SL_EINVAL,
                  "rounds to more than the target duration of 2 s");
    write_refused(r, key(0, 113, SL_PACKET_KEY), SL_EINVAL, "publishing failed before");
    assert_int_equal(sl_rendition_finish(r, 114, NULL), SL_EINVAL);
    sl_rendition_destroy(&r);
    text = read_text(&dir, "playlist.m3u8");
    assert_int_equal(count_lines(text, "#EXTINF"), 1);
    free(text);
    assert_int_equal(scratch_count(scratch_name(&dir, "000")), 1);
    sl_track_clear(&t);
    scratch_remove(&dir);
}

/* The place goes away under a running rendition: an error, no crash, and the caller keeps the
 * packet. */
static void test_directory_gone(void **state)
{
    struct scratch dir;
    struct sl_track video, sound;
    struct sl_rendition *r;
    char sub[128];
    (void)state;
    scratch_make(&dir);
    assert_int_equal(made_h264(&video), SL_OK);
    assert_int_equal(made_aac(&sound), SL_OK);
    (void)snprintf(sub, sizeof sub, "%s/r", dir.path);
    open_ok(&r, sub, &sl_mux_ts, &video, &sound);
    write_ok(r, key(0, 0, SL_PACKET_KEY | SL_PACKET_CUT));
    write_ok(r, key(0, 1, SL_PACKET_KEY | SL_PACKET_CUT));
    scratch_write(scratch_name(&dir, "r/000"), "in the way", 10);
    write_ok(r, key(1, -1024, 0));
    write_ok(r, key(1, 0, 0));
    write_refused(r, key(1, 1024, 0), SL_EEXIST, "not a directory");
    write_refused(r, key(0, 2, SL_PACKET_KEY), SL_EEXIST, "failed before");
    sl_rendition_destroy(&r);
    sl_track_clear(&video);
    sl_track_clear(&sound);
    scratch_remove(&dir);
}

static enum sl_status package_all(void *arg)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65, 1, 2, 3, 0, 0, 1, 0x65, 4};
    struct sl_track tracks[2];
    struct sl_rendition_params params = {
        .directory = arg, .muxer = &sl_mux_ts, .tracks = {&tracks[0], &tracks[1]}, .target = 2};
    struct sl_rendition *r = NULL;
    struct sl_packet *p = NULL;
    enum sl_status status = made_h264(&tracks[0]);
    sl_track_init(&tracks[1]);
    if (!status)
        status = made_aac(&tracks[1]);
    if (!status)
        status = sl_rendition_open(&r, &params, NULL);
    for (int i = 0; i < 10 && !status; i++) {
        status = made_packet(&p, 0, i, 1, idr, sizeof idr);
        if (status)
            break;
        p->flags = SL_PACKET_KEY | (i % 5 ? 0 : SL_PACKET_CUT);
        status = sl_rendition_write(r, p, NULL);
        if (status)
            sl_packet_unref(&p);
        for (int64_t k = 0; k < 2 && !status; k++) {
            status = made_packet(&p, 1, (2 * i + k) * 1024 - 1024, 1024, "sound", 5);
            if (status)
                break;
            status = sl_rendition_write(r, p, NULL);
            if (status)
                sl_packet_unref(&p);
        }
    }
    if (!status)
        status = sl_rendition_finish(r, 10, NULL);
    sl_rendition_destroy(&r);
    sl_track_clear(&tracks[0]);
    sl_track_clear(&tracks[1]);
    return status;
}

static void test_memory(void **state)
{
    struct scratch dir;
    (void)state;
    scratch_make(&dir);
    failing_alloc_run(package_all, dir.path);
    scratch_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_video),          cmocka_unit_test(test_audio),
        cmocka_unit_test(test_muxed),          cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_earlier_run),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_directory_gone), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("package/rendition", tests, NULL, NULL);
}
