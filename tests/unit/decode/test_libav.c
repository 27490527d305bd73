/* SPDX-License-Identifier: BSD-2-Clause */
/* Module decode-libav, with ffmpeg as the judge of every frame. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/registry.h"
#include "decoding.h"
#include "media/track.h"
#include "media_file.h"
#include "scratch.h"
#include "unit.h"

static struct scratch scratch;

static const char *named(const char *name)
{
    return scratch_name(&scratch, name);
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

/* Moving bars of w x h, one second at `rate`. */
#define BARS(size, rate) "-f lavfi -i testsrc=s=" size ":r=" rate ":d=1 "

static void pictures(void **state)
{
    (void)state;
    static const struct {
        const char *name, *coder;
    } cases[] = {
        {"a.mp4", "-c:v libx264 -bf 3 -g 10 -pix_fmt yuv420p"},
        {"b.mkv", "-c:v libx264 -bf 3 -g 10 -pix_fmt yuv422p10le"},
        {"c.mp4", "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le -tag:v hvc1"},
        {"d.mkv", "-c:v libx265 -x265-params log-level=none -pix_fmt yuv444p12le"},
        {"e.ts", "-vf scale=158:96 -c:v libx264 -bf 2 -flags +ildct+ilme -pix_fmt yuv420p"},
        {"f.ts", "-c:v mpeg2video -bf 2"},
        {"g.webm", "-c:v libvpx-vp9 -cpu-used 8"},
        {"h.webm", "-c:v libvpx -pix_fmt yuv420p -auto-alt-ref 1"},
        {"i.avi", "-c:v mpeg4 -bf 2"},
        {"j.avi", "-c:v mjpeg -pix_fmt yuvj422p"},
        {"k.avi", "-c:v rawvideo -pix_fmt bgr24"},
        {"l.mkv", "-c:v ffv1 -pix_fmt gbrp10le"},
        {"m.mkv", "-c:v ffv1 -pix_fmt gray"},
        {"n.mov", "-c:v png -pix_fmt rgba"},
        {"o.h264", "-c:v libx264 -bf 2"},
        {"p.mp4", "-c:v libx264 -bf 2 -x264-params keyint=12:open-gop=1:intra-refresh=0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_ffmpeg(BARS("158x94", "25") "%s %s", cases[i].coder, named(cases[i].name));
        compare_pictures(named(cases[i].name), 0, "", 0);
    }
}

/* What ffmpeg writes as Y4M and reads back, through our own demuxer and decoder. */
static void y4m(void **state)
{
    (void)state;
    static const char *const formats[] = {"yuv420p",     "yuv422p",     "yuv444p",
                                          "yuv411p",     "gray",        "yuv420p10le",
                                          "yuv422p10le", "yuv444p12le", "gray10le"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        run_ffmpeg(BARS("57x31", "30000/1001") "-strict -1 -pix_fmt %s %s", formats[i],
                   named("a.y4m"));
        compare_pictures(named("a.y4m"), 0, "", 0);
    }
}

/* Layouts that Sluice does not have, against swscale as ffmpeg uses it. */
static void converted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *coder, *becomes;
    } cases[] = {
        {"a.mov", "-c:v png -pix_fmt pal8", "rgba"},
        {"b.avi", "-c:v rawvideo -pix_fmt yuyv422", "yuv422p"},
        {"c.mkv", "-c:v ffv1 -pix_fmt yuv420p16le", "yuv420p12le"},
        {"d.mkv", "-c:v ffv1 -pix_fmt yuv422p9le", "yuv422p10le"},
        {"e.mkv", "-c:v ffv1 -pix_fmt gray16le", "gray10le"},
        {"f.mov", "-c:v png -pix_fmt rgb48le", "gbrp12le"},
        {"g.mkv", "-c:v ffv1 -pix_fmt bgr0", "rgb24"},
        {"h.mov", "-c:v png -pix_fmt monob", "gray"},
        {"i.mkv", "-c:v ffv1 -pix_fmt yuv440p10le", "yuv444p10le"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char options[128];
        run_ffmpeg(BARS("158x94", "5") "%s %s", cases[i].coder, named(cases[i].name));
        (void)snprintf(options, sizeof options,
                       "-sws_flags bicubic+accurate_rnd+full_chroma_inp -pix_fmt %s",
                       cases[i].becomes);
        compare_pictures(named(cases[i].name), 0, options, 0);
    }
}

/* Alpha is a plane that is left out, the others stay where they are. */
static void alpha(void **state)
{
    (void)state;
    run_ffmpeg(BARS("64x48", "5") "-vf format=yuva420p -c:v ffv1 %s", named("a.mkv"));
    compare_pictures(named("a.mkv"), 0, "-vf extractplanes=y+u+v,mergeplanes=0x001020:yuv420p", 0);
}

static void sound(void **state)
{
    (void)state;
    static const struct {
        const char *name, *coder;
    } cases[] = {
        {"a.m4a", "-c:a aac"},
        {"b.mkv", "-c:a ac3"},
        {"c.mkv", "-c:a eac3"},
        {"d.webm", "-c:a libopus"},
        {"e.mkv", "-c:a libvorbis"},
        {"f.flac", "-c:a flac"},
        {"g.flac", "-c:a flac -sample_fmt s32"},
        {"h.mp3", "-c:a libmp3lame"},
        {"i.ts", "-c:a aac"},
        {"j.wav", "-c:a pcm_u8"},
        {"k.wav", "-c:a pcm_s16le"},
        {"l.wav", "-c:a pcm_s24le"},
        {"m.wav", "-c:a pcm_f32le"},
        {"n.wav", "-c:a pcm_f64le"},
        {"o.wav", "-c:a adpcm_ms"},
        {"p.wma", "-c:a wmav2"},
        {"q.ts", "-c:a mp2"},
        {"r.mov", "-c:a alac"},
        {"s.mkv", "-c:a dca -strict -2"},
        {"t.mov", "-c:a pcm_s16be"},
        {"u.mkv", "-c:a truehd -strict -2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_ffmpeg("-f lavfi -i \"aevalsrc=sin(440*2*PI*t)/2|cos(330*2*PI*t)/3:d=1:s=44100\" %s %s",
                   cases[i].coder, named(cases[i].name));
        compare_sound(named(cases[i].name), 0);
    }
}

static int32_t seen_channels;
static uint64_t seen_layout;
static int32_t seen_width, seen_changes;
static struct sl_colour seen_colour;
static struct sl_rational seen_aspect;

static void see(const struct sl_frame *f)
{
    seen_channels = f->channels;
    seen_layout = f->channel_layout;
    seen_changes += seen_width != 0 && f->width != seen_width;
    seen_width = f->width;
    seen_colour = f->colour;
    seen_aspect = f->sample_aspect;
}

static void channels(void **state)
{
    (void)state;
    struct listing ours = {0};
    run_ffmpeg("-f lavfi -i \"aevalsrc=sin(440*2*PI*t)|0|0.1|0.2|0.3|0.4:c=5.1:d=1\" -c:a aac %s",
               named("six.mp4"));
    compare_sound(named("six.mp4"), 0);
    listing_ours(&ours, named("six.mp4"), 0, see);
    listing_free(&ours);
    assert_int_equal(seen_channels, 6);
    assert_int_equal(seen_layout, 0x3f);
}

static float folded[10];
static int32_t folded_channels;

static void see_first_samples(const struct sl_frame *f)
{
    folded_channels = f->channels;
    for (int32_t i = 0; i < f->channels; i++) {
        memcpy(&folded[i], f->plane[i], sizeof folded[i]);
    }
}

static void many_channels_are_folded(void **state)
{
    (void)state;
    struct listing ours = {0};
    run_ffmpeg("-f lavfi -i \"aevalsrc=0.01|0.02|0.03|0.04|0.05|0.06|0.07|0.08|0.09|0.10:d=0.1\" "
               "-c:a pcm_f32le %s",
               named("ten.wav"));
    listing_ours(&ours, named("ten.wav"), 0, see_first_samples);
    listing_free(&ours);
    assert_int_equal(folded_channels, 8);
    assert_true(fabsf(folded[0] - (0.01F + 0.09F * 0.70710678F)) < 1e-6F);
    assert_true(fabsf(folded[1] - (0.02F + 0.10F * 0.70710678F)) < 1e-6F);
    assert_true(fabsf(folded[7] - 0.08F) < 1e-6F);
}

/* An edit that begins within a group of pictures and within a frame of sound, but with a picture:
 * see listing_ours for the other kind. */
static void edits(void **state)
{
    (void)state;
    run_ffmpeg(BARS("96x64", "25") "-f lavfi -i sine=d=1 -map 0 -map 1 -c:v libx264 -bf 2 -g 25 "
                                   "-c:a aac %s",
               named("whole.mp4"));
    run_ffmpeg("-ss 0.4 -i %s -map 0 -c copy %s/edited.mp4", named("whole.mp4"), scratch.path);
    compare_pictures(named("edited.mp4"), 0, "", 0);
    compare_sound(named("edited.mp4"), 1);
}

static void size_changes(void **state)
{
    (void)state;
    struct listing ours = {0};
    run_ffmpeg(BARS("96x64", "10") "-c:v libx264 -bf 0 %s", named("one.ts"));
    run_ffmpeg(BARS("128x72", "10") "-c:v libx264 -bf 0 -output_ts_offset 1 %s", named("two.ts"));
    run_command("cat '%s/one.ts' '%s/two.ts' > '%s/both.ts'", scratch.path, scratch.path,
                scratch.path);
    seen_width = seen_changes = 0;
    listing_ours(&ours, named("both.ts"), 0, see);
    assert_int_equal(ours.count, 20);
    assert_int_equal(seen_changes, 1);
    assert_int_equal(seen_width, 128);
    listing_free(&ours);
}

static void colour_and_aspect(void **state)
{
    (void)state;
    struct listing ours = {0};
    /* In the bitstream alone, then in the container alone, then nowhere. */
    run_ffmpeg(BARS("96x64", "10") "-vf setsar=16/11 -c:v libx264 -pix_fmt yuv420p -x264-params "
                                   "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range="
                                   "tv:chromaloc=2 %s",
               named("a.ts"));
    listing_ours(&ours, named("a.ts"), 0, see);
    listing_free(&ours);
    assert_int_equal(seen_colour.primaries, 9);
    assert_int_equal(seen_colour.transfer, 16);
    assert_int_equal(seen_colour.matrix, 9);
    assert_int_equal(seen_colour.range, SL_RANGE_LIMITED);
    assert_int_equal(seen_colour.chroma_location, 3);
    assert_int_equal(seen_aspect.num, 16);
    assert_int_equal(seen_aspect.den, 11);
    run_ffmpeg(BARS("96x64", "10") "-c:v mpeg4 -colorspace bt709 "
                                   "-color_primaries bt709 -color_trc bt709 -aspect 2:1 %s",
               named("b.mkv"));
    listing_ours(&ours, named("b.mkv"), 0, see);
    listing_free(&ours);
    assert_int_equal(seen_colour.primaries, 1);
    assert_int_equal(seen_colour.matrix, 1);
    assert_int_equal(seen_aspect.num, 4);
    assert_int_equal(seen_aspect.den, 3);
    run_ffmpeg(BARS("96x64", "10") "-c:v libx264 -pix_fmt yuv420p %s", named("c.mp4"));
    listing_ours(&ours, named("c.mp4"), 0, see);
    listing_free(&ours);
    assert_int_equal(seen_colour.primaries, 2);
    assert_int_equal(seen_colour.matrix, 2);
    assert_int_equal(seen_colour.range, SL_RANGE_UNSPECIFIED);
}

/* Threads must not change anything. */
static void threads(void **state)
{
    (void)state;
    struct listing one = {.threads = 1};
    struct listing many = {.threads = 7};
    run_ffmpeg(BARS("320x180", "50") "-c:v libx264 -bf 3 -g 20 %s", named("t.mp4"));
    listing_ours(&one, named("t.mp4"), 0, NULL);
    listing_ours(&many, named("t.mp4"), 0, NULL);
    assert_int_equal(one.count, 50);
    assert_int_equal(many.count, 50);
    for (size_t i = 0; i < one.count; i++) {
        assert_string_equal(one.frames[i].md5, many.frames[i].md5);
        assert_int_equal(one.frames[i].pts, many.frames[i].pts);
    }
    listing_free(&one);
    listing_free(&many);
}

static size_t warned;

static void count_warnings(void *opaque, enum sl_log_level level, const char *component,
                           const char *text)
{
    (void)opaque;
    (void)text;
    assert_string_equal(component, "decode");
    warned += level <= SL_LOG_WARN;
}

/* Bytes that are no coded pictures at all, amid good ones: refused, passed over, and the rest is
 * decoded. */
static void damage(void **state)
{
    (void)state;
    const struct sl_log log = {.level = SL_LOG_WARN, .write = count_warnings};
    const struct sl_decode_params params = {.log = &log, .threads = 1};
    struct media_file m;
    struct sl_decoder *d = NULL;
    struct sl_packet *p = NULL;
    struct listing frames = {0};
    struct sl_error err = {0};
    size_t refused = 0;
    size_t n = 0;

    run_ffmpeg(BARS("96x64", "50") "-c:v libx264 -bf 0 -g 5 %s", named("d.mp4"));
    media_file_open(&m, named("d.mp4"));
    check_ok(sl_decode_open(&d, m.demuxer->tracks, &params, &err), &err);
    while (m.demuxer->ops->read(m.demuxer, &p, &err) == SL_OK) {
        struct sl_packet *bad = NULL;
        uint8_t *data = NULL;
        if (n++ % 10 == 7) {
            assert_int_equal(sl_packet_create_data(&bad, 500, &data, NULL), SL_OK);
            scratch_noise(data, 500, (uint32_t)n);
            struct sl_error why = {0};
            enum sl_status status = d->ops->send(d, bad, &why);
            assert_true(status == SL_EDATA || status == SL_OK);
            assert_int_equal(why.status, status);
            refused += status == SL_EDATA;
            sl_packet_unref(&bad);
            (void)receive_all(&frames, d, NULL);
        }
        check_ok(d->ops->send(d, p, &err), &err);
        (void)receive_all(&frames, d, NULL);
        sl_packet_unref(&p);
    }
    check_ok(d->ops->send(d, NULL, &err), &err);
    assert_true(receive_all(&frames, d, NULL));
    assert_true(refused + warned > 0);
    assert_int_equal(frames.count, 50);
    listing_free(&frames);
    sl_decode_destroy(&d);
    media_file_close(&m);
}

/* A codec's raw stream has no times; they are counted from the frame rate. */
static void no_times(void **state)
{
    (void)state;
    struct sl_track t;
    struct media_file m;
    struct sl_decoder *d = NULL;
    struct sl_packet *p = NULL;
    struct listing frames = {0};
    struct sl_error err = {0};

    run_ffmpeg(BARS("96x64", "30000/1001") "-c:v mjpeg %s", named("e.avi"));
    media_file_open(&m, named("e.avi"));
    sl_track_init(&t);
    check_ok(sl_track_copy(&t, m.demuxer->tracks, &err), &err);
    t.timebase = (struct sl_rational){1, 1000};
    check_ok(sl_decode_open(&d, &t, NULL, &err), &err);
    while (m.demuxer->ops->read(m.demuxer, &p, &err) == SL_OK) {
        p->pts = p->dts = p->duration = SL_NO_TIME;
        check_ok(d->ops->send(d, p, &err), &err);
        (void)receive_all(&frames, d, NULL);
        sl_packet_unref(&p);
    }
    check_ok(d->ops->send(d, NULL, &err), &err);
    assert_true(receive_all(&frames, d, NULL));
    assert_int_equal(frames.count, 30);
    assert_int_equal(frames.frames[0].pts, 0);
    assert_int_equal(frames.frames[1].pts, 33);
    assert_int_equal(frames.frames[2].pts, 67);
    assert_int_equal(frames.frames[29].pts, 968);
    listing_free(&frames);
    sl_track_clear(&t);
    sl_decode_destroy(&d);
    media_file_close(&m);
}

static void unknown_codec(void **state)
{
    (void)state;
    struct sl_track t;
    struct sl_decoder *d = NULL;
    struct sl_error err = {0};
    uint8_t config[3] = {1, 2, 3};
    sl_track_init(&t);
    t.kind = SL_KIND_VIDEO;
    t.codec = SL_CODEC_OTHER;
    memcpy(t.codec_name, "telepathy", 10);
    assert_int_equal(sl_decode_open(&d, &t, NULL, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "telepathy (video)"));
    assert_null(d);
    /* A configuration that is none. */
    memset(&err, 0, sizeof err);
    t.kind = SL_KIND_AUDIO;
    t.codec = SL_CODEC_FLAC;
    t.config = config;
    t.config_size = sizeof config;
    enum sl_status status = sl_decode_open(&d, &t, NULL, &err);
    assert_true(status == SL_OK || status == SL_EDATA);
    sl_decode_destroy(&d);
}

static void corpus(void **state)
{
    (void)state;
    struct dirent **names = NULL;
    int count = scandir(CORPUS, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        struct media_file m;
        enum sl_media_kind kinds[16] = {SL_KIND_UNKNOWN};
        struct sl_error err = {0};
        (void)snprintf(path, sizeof path, "%s/%s", CORPUS, names[i]->d_name);
        bool media = names[i]->d_name[0] != '.' && !strstr(names[i]->d_name, ".tsv");
        free(names[i]);
        if (!media) {
            continue;
        }
        check_ok(media_file_try(&m, path, &err), &err);
        for (size_t t = 0; t < m.demuxer->track_count && t < 16; t++) {
            kinds[t] = m.demuxer->tracks[t].kind;
        }
        media_file_close(&m);
        for (size_t t = 0; t < 16; t++) {
            if (kinds[t] == SL_KIND_VIDEO) {
                compare_pictures(path, t, "", 60);
            } else if (kinds[t] == SL_KIND_AUDIO) {
                compare_sound(path, t);
            }
        }
    }
    free((void *)names);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(y4m),
        cmocka_unit_test(converted),
        cmocka_unit_test(alpha),
        cmocka_unit_test(sound),
        cmocka_unit_test(channels),
        cmocka_unit_test(edits),
        cmocka_unit_test(size_changes),
        cmocka_unit_test(threads),
        cmocka_unit_test(damage),
        cmocka_unit_test(no_times),
        cmocka_unit_test(unknown_codec),
        cmocka_unit_test(colour_and_aspect),
        cmocka_unit_test(many_channels_are_folded),
    };
    /* Minutes under a sanitizer: a test of its own. */
    const struct CMUnitTest files[] = {cmocka_unit_test(corpus)};
    if (argc > 1 && strcmp(argv[1], "corpus") == 0) {
        return cmocka_run_group_tests(files, set_up, tear_down);
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
