/* SPDX-License-Identifier: BSD-2-Clause */
/* fMP4 from real streams, judged by ffmpeg and ffprobe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boxes.h"
#include "clip.h"
#include "mux/registry.h"
#include "unit.h"

/* One fragment for every group of pictures, or for every few frames of sound. */
static void mux_clip(struct clip *c, const char *path)
{
    struct sl_muxer *m;
    struct sl_chain chain;
    struct sl_error err = {0};
    const struct sl_track *tracks[1] = {&c->track};
    const struct sl_mux_params params = {0};
    bool video = c->track.kind == SL_KIND_VIDEO;
    sl_chain_init(&chain);
    if (sl_mux_open(&m, &sl_mux_fmp4, tracks, 1, &params, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(m->ops->header(m, &chain, &err), SL_OK);
    for (size_t i = 0; i < c->count; i++) {
        if (i && (video ? c->packets[i]->flags & SL_PACKET_KEY : i % 90 == 0))
            assert_int_equal(m->ops->flush(m, &chain, &err), SL_OK);
        if (m->ops->write(m, clip_copy(c, i), &err))
            fail_msg("packet %zu: %s", i, err.msg);
    }
    assert_int_equal(m->ops->flush(m, &chain, &err), SL_OK);
    chain_append_file(&chain, path);
    sl_chain_clear(&chain);
    sl_mux_destroy(&m);
}

static void check_video(const char *codec, int timescale, int delay, const char *options)
{
    struct scratch dir;
    struct clip c;
    scratch_make(&dir);
    clip_video(&c, &dir, codec, timescale, delay, options);
    clip_assign(&c);
    mux_clip(&c, scratch_name(&dir, "out.mp4"));
    judge_silent(dir.name);
    judge_same(c.source, dir.name, "v", 0);
    clip_free(&c);
    scratch_remove(&dir);
}

static void test_h264(void **state)
{
    (void)state;
    check_video("h264", 30000, 2,
                "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=4 -pix_fmt yuv420p -c:v libx264 "
                "-preset fast -bf 3 -g 40 -x264-params open-gop=0:slices=3");
}

static void test_h264_variable(void **state)
{
    (void)state;
    check_video(
        "h264", 30000, 3,
        "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=4 "
        "-vf \"select='not(eq(mod(n\\,7)\\,3))',settb=1/30000,setpts='N*1001+mod(N*37\\,11)*60'\" "
        "-fps_mode passthrough -enc_time_base 1/30000 -pix_fmt yuv420p -c:v libx264 "
        "-preset fast -bf 3 -g 25 -x264-params open-gop=0");
}

static void test_h264_no_reorder(void **state)
{
    (void)state;
    check_video("h264", 90000, 0,
                "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -pix_fmt yuv420p -c:v libx264 "
                "-preset ultrafast -g 25 -aspect 4:3");
}

static void test_hevc(void **state)
{
    (void)state;
    check_video("hevc", 25000, 3,
                "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -pix_fmt yuv420p10le -c:v libx265 "
                "-preset fast -tag:v hvc1 -x265-params "
                "log-level=none:bframes=4:keyint=25:open-gop=0:repeat-headers=1");
}

static void check_aac(int rate, int channels)
{
    struct scratch dir;
    struct clip c;
    char source[256];
    scratch_make(&dir);
    clip_aac(&c, &dir, rate, channels,
             "-f lavfi -i \"aevalsrc=0.4*sin(440*2*PI*t)+0.1*random(0):d=6\"");
    (void)snprintf(source, sizeof source, "%s/source.m4a", dir.path);
    free(run_command("ffmpeg -v error -i %s -c copy %s", c.source, source));
    mux_clip(&c, scratch_name(&dir, "out.mp4"));
    judge_silent(dir.name);
    /* What ffmpeg makes of ADTS starts at 0, ours at the priming. */
    judge_same(source, dir.name, "a", -1024);
    char *text = run_command("ffprobe -v error -show_entries "
                             "stream=codec_tag_string,sample_rate,channels,start_pts,bit_rate "
                             "-of default=nw=1:nk=1 %s",
                             dir.name);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "mp4a\n%d\n%d\n", rate, channels);
    assert_memory_equal(text, expected, strlen(expected));
    free(text);
    clip_free(&c);
    scratch_remove(&dir);
}

static void test_aac(void **state)
{
    (void)state;
    check_aac(48000, 2);
    check_aac(44100, 6);
    check_aac(96000, 2); /* beyond the 16 bits of the sample entry */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h264),
        cmocka_unit_test(test_h264_variable),
        cmocka_unit_test(test_h264_no_reorder),
        cmocka_unit_test(test_hevc),
        cmocka_unit_test(test_aac),
    };
    return cmocka_run_group_tests_name("mux/fmp4_media", tests, NULL, NULL);
}
