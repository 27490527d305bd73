/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments on demand, of media that ffmpeg makes: put together they are the remux of the whole, the
 * playlist says what they hold, and neither order nor company changes a byte of them. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/remux.h"
#include "unit.h"
#include "vod_media.h"

static struct scratch home;

static const struct {
    const char *name, *arguments;
    bool indexed;
} films[] = {
    {"cues.mkv", PICTURES TONE CODED "-c:a aac -b:a 64k", true},
    {"live.mkv", PICTURES TONE CODED "-c:a aac -b:a 64k -live 1", false},
    {"film.mp4", PICTURES TONE CODED "-c:a aac -b:a 64k", true},
    {"fragments.mp4", PICTURES TONE CODED "-c:a aac -b:a 64k -movflags frag_keyframe+empty_moov",
     false},
    {"film.ts", PICTURES TONE CODED "-c:a aac -b:a 64k", false},
    /* open groups, another rate, one channel, milliseconds */
    {"open.mkv",
     PICTURES TONE "-c:v libx264 -preset veryfast -pix_fmt yuv420p -r 30000/1001 "
                   "-x264-params keyint=60:open-gop=1:scenecut=0 -c:a aac -ar 44100 -ac 1",
     true},
    {"surround.mkv", PICTURES TONE CODED "-c:a eac3 -ac 6 -b:a 256k", true},
    {"ac3.mp4", PICTURES TONE CODED "-c:a ac3 -ac 2 -ar 44100", true},
    /* the picture begins late, and the sound ends early */
    {"late.mkv",
     PICTURES "-itsoffset -0.7 " TONE "-map 0:v -map 1:a " CODED "-c:a libmp3lame -t 11", true},
};
#define FILMS (sizeof films / sizeof films[0])
static char paths[FILMS][600];
static char sound_only[600], spoken[600];

static int set_up(void **state)
{
    (void)state;
    scratch_make(&home);
    for (size_t i = 0; i < FILMS; i++) {
        vod_media(&home, films[i].arguments, films[i].name, paths[i]);
    }
    vod_media(&home, TONE "-c:a eac3 -ac 2", "sound.mkv", sound_only);
    FILE *f = fopen(scratch_name(&home, "text.srt"), "w");
    assert_non_null(f);
    (void)fputs("1\n00:00:01,000 --> 00:00:02,500\nfirst & <b>bold</b>\n\n"
                "2\n00:00:03,500 --> 00:00:06,000\nacross a cut\n\n",
                f);
    assert_int_equal(fclose(f), 0);
    char arguments[1024];
    (void)snprintf(arguments, sizeof arguments, "%s-i %s %s-c:s srt -metadata:s:s:0 language=eng",
                   PICTURES, scratch_name(&home, "text.srt"), CODED);
    vod_media(&home, arguments, "spoken.mkv", spoken);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&home);
    return 0;
}

static const char *audio_of(const struct sl_vod *v, bool copy)
{
    const struct sl_vod_info *info = sl_vod_info(v);
    for (size_t i = 0; i < info->rendition_count; i++) {
        if (info->renditions[i].kind == SL_KIND_AUDIO && info->renditions[i].copy == copy) {
            return info->renditions[i].name;
        }
    }
    return NULL;
}

/* EXTINF of segment n, microseconds; -1: the playlist has fewer. */
static int64_t extinf(const char *playlist, size_t n)
{
    const char *at = playlist;
    for (size_t i = 0; (at = strstr(at, "#EXTINF:")) != NULL; i++, at++) {
        if (i == n) {
            long long seconds = 0, micros = 0;
            assert_int_equal(sscanf(at, "#EXTINF:%lld.%6lld", &seconds, &micros), 2);
            return seconds * 1000000 + micros;
        }
    }
    return -1;
}

static int64_t timescale_of(struct sl_vod *v, const char *rendition)
{
    struct sl_chain init;
    int64_t scale = 0;
    sl_chain_init(&init);
    assert_int_equal(sl_vod_init(v, rendition, &init, NULL, NULL), SL_OK);
    uint8_t *data = malloc((size_t)init.size);
    assert_non_null(data);
    assert_int_equal(sl_chain_read(&init, 0, data, (size_t)init.size, NULL), SL_OK);
    for (int64_t i = 0; i + 28 < init.size && scale == 0; i++) {
        if (memcmp(data + i, "mdhd", 4) == 0) {
            const uint8_t *p = data + i + 4 + (data[i + 4] == 1 ? 20 : 12);
            scale = (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
    }
    free(data);
    sl_chain_clear(&init);
    return scale;
}

/* Each segment begins where the one before ended, and lasts as long as its EXTINF says. hidden: of
 * the first one, before presentation begins (priming), ticks; -1: any. */
static void check_times(struct sl_vod *v, const char *rendition, int64_t hidden)
{
    char *playlist = vod_media_playlist(v, rendition, SL_VOD_FMP4);
    int64_t scale = timescale_of(v, rendition), next = 0;
    enum sl_status st = SL_OK;
    size_t n = 0;
    for (;; n++) {
        struct vod_fragment f;
        size_t size;
        uint8_t *data = vod_media_segment(v, rendition, SL_VOD_FMP4, n, &size, &st);
        if (!data) {
            break;
        }
        vod_media_fragment(data, size, &f);
        free(data);
        assert_true(n == 0 || f.start == next);
        next = f.start + f.duration;
        if (n == 0 && hidden < 0) {
            continue;
        }
        double ticks = (double)extinf(playlist, n) * (double)scale / 1e6;
        double held = (double)(f.duration - (n == 0 ? hidden : 0));
        if (fabs(ticks - held) > 2e-6 * (double)scale) {
            fail_msg("%s %zu: EXTINF says %f ticks, it holds %f", rendition, n, ticks, held);
        }
    }
    assert_int_equal(st, SL_ENOTFOUND);
    assert_int_equal(extinf(playlist, n), -1);
    assert_true(extinf(playlist, n - 1) > 0);
    free(playlist);
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILMS; i++) {
        char whole[600], joined[600];
        struct sl_vod *v = vod_media_open(paths[i]);
        (void)snprintf(whole, sizeof whole, "%s", scratch_name(&home, "whole.mp4"));
        (void)snprintf(joined, sizeof joined, "%s", scratch_name(&home, "joined.mp4"));
        assert_int_equal(sl_vod_info(v)->indexed, films[i].indexed);
        vod_media_remux(paths[i], whole, SL_REMUX_AUDIO_COPY);
        assert_true(vod_media_join(v, "source", SL_VOD_FMP4, joined) >= 3);
        assert_true(vod_media_compare(joined, whole, SL_KIND_VIDEO, true, 0) >= 110);
        check_times(v, "source", 0);
        /* Sound comes out as it does in one piece, but for what the container has rounded: a
         * millisecond is 44.1 samples. */
        const char *sound = audio_of(v, true);
        assert_non_null(sound);
        assert_true(vod_media_join(v, sound, SL_VOD_FMP4, joined) >= 3);
        assert_true(vod_media_compare(joined, whole, SL_KIND_AUDIO, true, 44) > 100);
        check_times(v, sound, -1);
        sl_vod_destroy(&v);
    }
}

/* A sound that is encoded: as many packets, in the same places, as in one piece. */
static void test_converted(void **state)
{
    static const size_t some[] = {0, 4, 5, 6, 7};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        char whole[600], joined[600];
        struct sl_vod *v = vod_media_open(paths[some[i]]);
        (void)snprintf(whole, sizeof whole, "%s", scratch_name(&home, "whole.mp4"));
        (void)snprintf(joined, sizeof joined, "%s", scratch_name(&home, "joined.mp4"));
        vod_media_remux(paths[some[i]], whole, SL_REMUX_AUDIO_AAC);
        assert_true(vod_media_join(v, audio_of(v, false), SL_VOD_FMP4, joined) >= 3);
        assert_true(vod_media_compare(joined, whole, SL_KIND_AUDIO, false, 0) > 100);
        check_times(v, audio_of(v, false), 1024);
        sl_vod_destroy(&v);
    }
}

/* ---- seams -------------------------------------------------------------------------------------
 */

static float *samples_of(const char *path, size_t *count)
{
    char command[2048], raw[600];
    size_t size;
    (void)snprintf(raw, sizeof raw, "%s", scratch_name(&home, "samples.f32"));
    (void)snprintf(command, sizeof command,
                   "ffmpeg -v error -nostdin -y -i %s -map 0:a:0 -ac 1 -f f32le %s", path, raw);
    assert_int_equal(system(command), 0);
    float *data = (float *)(void *)scratch_read(raw, &size);
    *count = size / sizeof *data;
    return data;
}

/* The level of a tone about a place, by a window of 1024 samples. */
static double level(const float *x, size_t at, double turns)
{
    double re = 0, im = 0;
    for (size_t i = 0; i < 1024; i++) {
        double window = 0.5 - 0.5 * cos(2 * M_PI * (double)i / 1024);
        double angle = 2 * M_PI * turns * (double)(at + i);
        re += window * (double)x[at - 512 + i] * cos(angle);
        im += window * (double)x[at - 512 + i] * sin(angle);
    }
    return sqrt(re * re + im * im);
}

static void test_seams(void **state)
{
    static const struct {
        size_t film;
        int rate;
    } some[] = {{6, 48000}, {7, 44100}, {5, 44100}};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        char joined[600];
        size_t count;
        struct sl_vod *v = vod_media_open(paths[some[i].film]);
        const char *sound = audio_of(v, false);
        (void)snprintf(joined, sizeof joined, "%s", scratch_name(&home, "joined.mp4"));
        size_t segments = vod_media_join(v, sound, SL_VOD_FMP4, joined);
        char *playlist = vod_media_playlist(v, sound, SL_VOD_FMP4);
        float *x = samples_of(joined, &count);
        double turns = 997.0 / some[i].rate, usual = level(x, count / 2 + 5000, turns);
        int64_t at = 0;
        for (size_t n = 0; n + 1 < segments; n++) {
            at += extinf(playlist, n);
            size_t seam = (size_t)(at * some[i].rate / 1000000);
            for (size_t k = 0; k < 4096 && seam + k + 600 < count + 2048; k += 128) {
                double db = 20 * log10(level(x, seam + k - 2048, turns) / usual);
                if (fabs(db) > 0.1) {
                    fail_msg("%s: %f dB %zu samples from seam %zu", films[some[i].film].name, db, k,
                             n);
                }
            }
        }
        free(x);
        free(playlist);
        sl_vod_destroy(&v);
    }
}

/* ---- order and company -------------------------------------------------------------------------
 */

#define SEGMENTS_MAX 16
static const char *const asked[] = {"source", "audio1-copy", "audio1-aac", "48p"};
#define ASKED (sizeof asked / sizeof asked[0])

struct answers {
    uint8_t *data[ASKED][SEGMENTS_MAX];
    size_t size[ASKED][SEGMENTS_MAX], count[ASKED];
};

static void ask_all(struct sl_vod *v, struct answers *a)
{
    for (size_t r = 0; r < ASKED; r++) {
        enum sl_status st;
        for (size_t n = 0; n < SEGMENTS_MAX; n++) {
            a->data[r][n] = vod_media_segment(v, asked[r], SL_VOD_FMP4, n, &a->size[r][n], &st);
            if (!a->data[r][n]) {
                break;
            }
            a->count[r]++;
        }
        assert_true(a->count[r] >= 3);
    }
}

static void clear_answers(struct answers *a)
{
    for (size_t r = 0; r < ASKED; r++) {
        for (size_t n = 0; n < a->count[r]; n++) {
            free(a->data[r][n]);
        }
    }
}

struct viewer {
    pthread_t thread;
    struct sl_vod *vod;
    const struct answers *right;
    unsigned seed;
    size_t wrong;
};

/* cmocka's asserts are for the main thread alone. */
static void *watch(void *arg)
{
    struct viewer *w = arg;
    for (int i = 0; i < 12; i++) {
        size_t r = (size_t)rand_r(&w->seed) % ASKED;
        size_t n = (size_t)rand_r(&w->seed) % w->right->count[r];
        struct sl_chain chain;
        sl_chain_init(&chain);
        enum sl_status st = sl_vod_segment(w->vod, asked[r], SL_VOD_FMP4, n, &chain, NULL, NULL);
        size_t size = (size_t)chain.size;
        uint8_t *data = malloc(size + 1);
        bool same = st == SL_OK && data && size == w->right->size[r][n] &&
                    sl_chain_read(&chain, 0, data, size, NULL) == SL_OK &&
                    memcmp(data, w->right->data[r][n], size) == 0;
        w->wrong += !same;
        free(data);
        sl_chain_clear(&chain);
    }
    return NULL;
}

static void test_company(void **state)
{
    static struct answers right;
    static const size_t some[] = {0, 4, 6};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct viewer viewers[4];
        struct sl_vod_params p = {.where = paths[some[i]], .readers = 2};
        struct sl_vod *v = vod_media_open(paths[some[i]]);
        memset(&right, 0, sizeof right);
        ask_all(v, &right);
        sl_vod_destroy(&v);
        /* another one, in which nothing has been asked before, with fewer readers than viewers */
        assert_int_equal(sl_vod_open(&v, &p, NULL, NULL), SL_OK);
        for (unsigned k = 0; k < 4; k++) {
            viewers[k] = (struct viewer){.vod = v, .right = &right, .seed = k + 1};
            assert_int_equal(pthread_create(&viewers[k].thread, NULL, watch, &viewers[k]), 0);
        }
        for (unsigned k = 0; k < 4; k++) {
            assert_int_equal(pthread_join(viewers[k].thread, NULL), 0);
            assert_int_equal(viewers[k].wrong, 0);
        }
        sl_vod_destroy(&v);
        clear_answers(&right);
    }
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static void test_encoded(void **state)
{
    char joined[600];
    struct sl_vod *v = vod_media_open(paths[5]);
    (void)state;
    (void)snprintf(joined, sizeof joined, "%s", scratch_name(&home, "joined.mp4"));
    assert_true(vod_media_join(v, "48p", SL_VOD_FMP4, joined) >= 3);
    check_times(v, "48p", 0);
    /* as many pictures, at the same times */
    char command[2048];
    (void)snprintf(
        command, sizeof command,
        "ffprobe -v error -select_streams v -show_entries packet=pts_time -of csv=p=0 %s "
        "> %s/a && ffprobe -v error -select_streams v -show_entries packet=pts_time "
        "-of csv=p=0 %s | sort -n > %s/b && test $(wc -l < %s/a) = $(wc -l < %s/b)",
        joined, home.path, paths[5], home.path, home.path, home.path);
    assert_int_equal(system(command), 0);
    sl_vod_destroy(&v);
}

static void test_ts(void **state)
{
    char joined[600], command[2048];
    struct sl_vod *v = vod_media_open(paths[6]);
    (void)state;
    (void)snprintf(joined, sizeof joined, "%s", scratch_name(&home, "joined.ts"));
    assert_true(vod_media_join(v, "source", SL_VOD_TS, joined) >= 3);
    (void)snprintf(command, sizeof command,
                   "test $(ffprobe -v fatal -count_packets -select_streams v -show_entries "
                   "stream=nb_read_packets -of csv=p=0 %s | head -1) = 130",
                   joined);
    assert_int_equal(system(command), 0);
    char *list = vod_media_playlist(v, "source", SL_VOD_TS);
    assert_non_null(strstr(list, "\n0.ts\n"));
    assert_null(strstr(list, "EXT-X-MAP"));
    free(list);
    list = vod_media_playlist(v, NULL, SL_VOD_TS);
    assert_non_null(strstr(list, "\nsource/playlist.m3u8?format=ts\n"));
    assert_non_null(strstr(list, "mp4a.40.2"));
    free(list);
    sl_vod_destroy(&v);
}

static void test_lists(void **state)
{
    struct sl_vod *v = vod_media_open(paths[6]);
    char *list = vod_media_playlist(v, NULL, SL_VOD_FMP4);
    (void)state;
    assert_non_null(strstr(list, "GROUP-ID=\"source\""));
    assert_non_null(strstr(list, "GROUP-ID=\"aac\""));
    assert_non_null(strstr(list, ",ec-3\",RESOLUTION=64x48,FRAME-RATE=10.000,AUDIO=\"source\"\n"));
    assert_non_null(strstr(list, "URI=\"audio1-copy/playlist.m3u8\""));
    free(list);
    list = vod_media_playlist(v, "source", SL_VOD_FMP4);
    assert_non_null(strstr(list, "#EXT-X-INDEPENDENT-SEGMENTS\n"));
    assert_non_null(strstr(list, "#EXT-X-PLAYLIST-TYPE:VOD\n"));
    assert_non_null(strstr(list, "#EXTINF:4.000000,\n0.m4s\n"));
    free(list);
    sl_vod_destroy(&v);
    /* open groups do not stand alone */
    v = vod_media_open(paths[5]);
    list = vod_media_playlist(v, "source", SL_VOD_FMP4);
    assert_null(strstr(list, "#EXT-X-INDEPENDENT-SEGMENTS\n"));
    free(list);
    assert_true(sl_vod_segment_start(v, "source", 1) > 3900000);
    assert_int_equal(sl_vod_segment_start(v, "source", 99), -1);
    sl_vod_destroy(&v);
    /* sound alone */
    v = vod_media_open(sound_only);
    list = vod_media_playlist(v, NULL, SL_VOD_FMP4);
    assert_non_null(strstr(list, "CODECS=\"ec-3\""));
    free(list);
    check_times(v, "audio0-aac", 1024);
    check_times(v, "audio0-copy", -1);
    sl_vod_destroy(&v);
}

static void test_text(void **state)
{
    enum sl_status st;
    size_t size;
    struct sl_vod *v = vod_media_open(spoken);
    char *list = vod_media_playlist(v, NULL, SL_VOD_FMP4);
    (void)state;
    assert_non_null(strstr(list, "TYPE=SUBTITLES,GROUP-ID=\"text\""));
    assert_non_null(strstr(list, "LANGUAGE=\"en\""));
    free(list);
    char *first = (char *)vod_media_segment(v, "text1", SL_VOD_FMP4, 0, &size, &st);
    first[size] = '\0';
    assert_string_equal(first, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
                               "00:00:01.000 --> 00:00:02.500\nfirst &amp; <b>bold</b>\n\n"
                               "00:00:03.500 --> 00:00:06.000\nacross a cut\n");
    free(first);
    char *second = (char *)vod_media_segment(v, "text1", SL_VOD_TS, 1, &size, &st);
    second[size] = '\0';
    assert_string_equal(second, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n"
                                "00:00:03.500 --> 00:00:06.000\nacross a cut\n");
    free(second);
    sl_vod_destroy(&v);
}

static void test_pictures(void **state)
{
    struct sl_vod *v = vod_media_open(paths[0]);
    struct sl_chain chain;
    uint8_t head[8];
    (void)state;
    sl_chain_init(&chain);
    assert_int_equal(
        sl_vod_thumbnail(v, (struct sl_rational){5, 1}, 32, 32, SL_VOD_JPEG, &chain, NULL, NULL),
        SL_OK);
    assert_int_equal(sl_chain_read(&chain, 0, head, 3, NULL), SL_OK);
    assert_memory_equal(head, "\xff\xd8\xff", 3);
    sl_chain_clear(&chain);
    /* past the end is the last one */
    assert_int_equal(sl_vod_thumbnail(v, (struct sl_rational){5000, 1}, 4000, 4000, SL_VOD_PNG,
                                      &chain, NULL, NULL),
                     SL_OK);
    assert_int_equal(sl_chain_read(&chain, 0, head, 4, NULL), SL_OK);
    assert_memory_equal(head, "\x89PNG", 4);
    sl_chain_clear(&chain);
    sl_vod_destroy(&v);
    v = vod_media_open(sound_only);
    assert_int_equal(
        sl_vod_thumbnail(v, (struct sl_rational){0, 1}, 32, 32, SL_VOD_JPEG, &chain, NULL, NULL),
        SL_ENOTFOUND);
    sl_vod_destroy(&v);
}

static void test_stream(void **state)
{
    struct sl_vod *v = vod_media_open(paths[6]);
    struct sl_remux *r = NULL;
    struct sl_chain chain;
    int64_t size = 0;
    enum sl_status st;
    (void)state;
    assert_int_equal(sl_vod_stream(v, (struct sl_rational){-1, 1}, &r, NULL), SL_EINVAL);
    assert_int_equal(sl_vod_stream(v, (struct sl_rational){6, 1}, &r, NULL), SL_OK);
    sl_chain_init(&chain);
    while ((st = sl_remux_next(r, &chain, NULL)) == SL_OK) {
        size += chain.size;
        sl_chain_clear(&chain);
    }
    assert_int_equal(st, SL_EOF);
    assert_true(size > 10000);
    sl_remux_free(&r);
    sl_vod_destroy(&v);
}

static void test_refused(void **state)
{
    struct sl_vod *v = NULL;
    struct sl_cancel cancel = {.set = false};
    struct sl_vod_params p = {.where = paths[1], .preset = "ultrafast"};
    struct sl_chain chain;
    struct sl_writer w;
    (void)state;
    assert_int_equal(sl_vod_open(&v, &p, NULL, NULL), SL_EINVAL);
    p.preset = NULL;
    p.target = (struct sl_rational){1, 10};
    assert_int_equal(sl_vod_open(&v, &p, NULL, NULL), SL_EINVAL);
    p.target.num = 0;
    p.where = "/nonexistent.mkv";
    assert_int_equal(sl_vod_open(&v, &p, NULL, NULL), SL_ENOTFOUND);
    p.where = paths[1];
    sl_cancel_set(&cancel);
    assert_int_equal(sl_vod_open(&v, &p, &cancel, NULL), SL_ECANCELLED);
    assert_null(v);
    assert_int_equal(sl_vod_open(&v, &p, NULL, NULL), SL_OK);
    sl_chain_init(&chain);
    sl_writer_init(&w, 1 << 20);
    assert_int_equal(sl_vod_segment(v, "source", SL_VOD_FMP4, 0, &chain, &cancel, NULL),
                     SL_ECANCELLED);
    assert_int_equal(sl_vod_playlist(v, "source", SL_VOD_FMP4, NULL, &w, &cancel, NULL),
                     SL_ECANCELLED);
    assert_int_equal(sl_vod_segment(v, "nothing", SL_VOD_FMP4, 0, &chain, NULL, NULL),
                     SL_ENOTFOUND);
    assert_int_equal(sl_vod_segment(v, "audio1-aac", SL_VOD_TS, 0, &chain, NULL, NULL),
                     SL_ENOTFOUND);
    assert_int_equal(sl_vod_init(v, "", &chain, NULL, NULL), SL_ENOTFOUND);
    assert_int_equal(sl_vod_segment(v, "source", SL_VOD_FMP4, SIZE_MAX, &chain, NULL, NULL),
                     SL_ENOTFOUND);
    /* cancelling was of one call alone */
    assert_int_equal(sl_vod_segment(v, "source", SL_VOD_FMP4, 0, &chain, NULL, NULL), SL_OK);
    sl_chain_clear(&chain);
    sl_vod_destroy(&v);
    sl_vod_destroy(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_converted),
        cmocka_unit_test(test_seams),    cmocka_unit_test(test_company),
        cmocka_unit_test(test_encoded),  cmocka_unit_test(test_ts),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_stream),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
