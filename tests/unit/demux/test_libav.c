/* SPDX-License-Identifier: BSD-2-Clause */
/* Module demux-libav over files that ffmpeg makes, with ffprobe as the judge of every packet. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/md5.h>

#include "demux/demuxers.h"
#include "demux/registry.h"
#include "feeding.h"
#include "media_file.h"
#include "scratch.h"
#include "unit.h"

#define SOUND "-f lavfi -i sine=d=1:r=48000 "

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

/* Own demuxers are asked first: this is about the one that comes last. */
static void open_libav(struct media_file *m, const char *path)
{
    struct sl_error err = {0};
    check_ok(media_file_try_with(m, path, &sl_demux_libav_module, &err), &err);
}

/* Colour bars of w x h, `rate` pictures a second, one second. */
#define BARS(size, rate) "-f lavfi -i testsrc=s=" size ":r=" rate ":d=1 "

static void make_mp4(const char *path)
{
    run_ffmpeg(BARS("160x90", "30000/1001") SOUND
               "-map 0 -map 1 -c:v libx264 -bf 2 -g 12 -pix_fmt yuv420p -vf setsar=4/3 "
               "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv "
               "-c:a aac -b:a 64k -metadata:s:a language=deu "
               "-metadata:s:v language=und -movflags +faststart %s",
               path);
}

/* Overwrites the matrix in the tkhd box of an MP4 file: ffmpeg no longer writes one. */
static void set_matrix(const char *path, int32_t a, int32_t b, int32_t c, int32_t d)
{
    size_t size = 0;
    const int32_t values[4] = {a, b, c, d};
    static const size_t places[4] = {0, 4, 12, 16};
    uint8_t *data = scratch_read(path, &size);
    uint8_t *tkhd = memmem(data, size, "tkhd", 4);
    assert_non_null(tkhd);
    for (size_t i = 0; i < 4; i++) {
        /* ISO/IEC 14496-12 8.3.2, version 0: the matrix is 40 bytes into the fields */
        uint8_t *at = tkhd + 4 + 40 + places[i];
        uint32_t v = (uint32_t)values[i] * 65536U;
        at[0] = (uint8_t)(v >> 24);
        at[1] = (uint8_t)(v >> 16);
        at[2] = 0;
        at[3] = 0;
    }
    scratch_write(path, data, size);
    free(data);
}

static void mp4_tracks(void **state)
{
    (void)state;
    struct media_file m;
    make_mp4(named("a.mp4"));
    set_matrix(named("a.mp4"), 0, 1, -1, 0);
    open_libav(&m, named("a.mp4"));
    assert_string_equal(m.demuxer->format, "mov");
    assert_true(m.demuxer->duration > 990000 && m.demuxer->duration < 1100000);
    assert_int_equal(m.demuxer->track_count, 2);

    const struct sl_track *v = &m.demuxer->tracks[0];
    assert_int_equal(v->kind, SL_KIND_VIDEO);
    assert_int_equal(v->codec, SL_CODEC_H264);
    assert_string_equal(v->codec_name, "h264");
    assert_int_equal(v->id, 1);
    assert_int_equal(v->timebase.num, 1);
    assert_int_equal(v->timebase.den, 30000);
    assert_int_equal(v->start, 0);
    assert_int_equal(v->duration, 30 * 1001);
    assert_string_equal(v->language, "");
    assert_int_equal(v->is_default, 1);
    assert_int_equal(v->width, 160);
    assert_int_equal(v->height, 90);
    assert_int_equal(v->pixel_format, SL_PIX_YUV420P);
    assert_int_equal(v->bit_depth, 8);
    assert_int_equal(v->sample_aspect.num, 4);
    assert_int_equal(v->sample_aspect.den, 3);
    assert_int_equal(v->frame_rate.num, 30000);
    assert_int_equal(v->frame_rate.den, 1001);
    assert_int_equal(v->frame_rate_exact, 1);
    assert_int_equal(v->rotation, 90);
    assert_int_equal(v->flip, 0);
    assert_int_equal(v->reorder, 2);
    assert_int_equal(v->colour.primaries, 1);
    assert_int_equal(v->colour.transfer, 1);
    assert_int_equal(v->colour.matrix, 1);
    assert_int_equal(v->colour.range, SL_RANGE_LIMITED);
    assert_int_equal(v->profile, 100);
    assert_true(v->level > 0);
    assert_true(v->config_size > 7 && v->config[0] == 1);

    const struct sl_track *a = &m.demuxer->tracks[1];
    assert_int_equal(a->kind, SL_KIND_AUDIO);
    assert_int_equal(a->codec, SL_CODEC_AAC);
    assert_int_equal(a->sample_rate, 48000);
    assert_int_equal(a->channels, 1);
    assert_int_equal(a->channel_layout, 4);
    assert_int_equal(a->profile, 2);
    assert_string_equal(a->language, "deu");
    assert_int_equal(a->timebase.den, 48000);
    assert_true(a->config_size >= 2);
    assert_int_equal(a->rotation, 0);
    media_file_close(&m);
}

static void check_matrix(int32_t a, int32_t b, int32_t c, int32_t d, int rotation, int flip)
{
    struct media_file m;
    set_matrix(named("turn.mp4"), a, b, c, d);
    open_libav(&m, named("turn.mp4"));
    assert_int_equal(m.demuxer->tracks[0].rotation, rotation);
    assert_int_equal(m.demuxer->tracks[0].flip, flip);
    media_file_close(&m);
}

static void rotation(void **state)
{
    (void)state;
    run_ffmpeg(BARS("64x48", "10") "-c:v libx264 %s", named("turn.mp4"));
    check_matrix(1, 0, 0, 1, 0, 0);
    check_matrix(-1, 0, 0, -1, 180, 0);
    check_matrix(0, 1, -1, 0, 90, 0);
    check_matrix(0, -1, 1, 0, 270, 0);
    check_matrix(-1, 0, 0, 1, 0, 1);   /* mirrored left-right */
    check_matrix(1, 0, 0, -1, 180, 1); /* top-bottom: turned by 180, then left-right */
    /* A clockwise quarter turn takes (x, y) to (-y, x); mirrored after that, to (y, x). */
    check_matrix(0, 1, 1, 0, 90, 1);
    check_matrix(0, -1, -1, 0, 270, 1);
    check_matrix(0, 0, 0, 0, 0, 0);
}

static void variable_rate(void **state)
{
    (void)state;
    struct media_file m;
    run_ffmpeg(
        BARS("64x48",
             "10") "-vf \"setpts='if(gt(N,5),PTS*1.5,PTS)'\" -fps_mode passthrough -c:v libx264 %s",
        named("vfr.mp4"));
    open_libav(&m, named("vfr.mp4"));
    assert_int_equal(m.demuxer->tracks[0].frame_rate_exact, 0);
    media_file_close(&m);
    /* Fragments: the header does not prove anything about what follows. */
    run_ffmpeg(BARS("64x48", "10") "-c:v libx264 -movflags frag_keyframe+empty_moov %s",
               named("frag.mp4"));
    open_libav(&m, named("frag.mp4"));
    assert_int_equal(m.demuxer->tracks[0].frame_rate_exact, 0);
    assert_int_equal(m.demuxer->tracks[0].frame_rate.num, 10);
    media_file_close(&m);
}

static void matroska_tracks(void **state)
{
    (void)state;
    struct media_file m;
    run_ffmpeg(BARS("96x64", "24000/1001") "-f lavfi -i \"aevalsrc=0|0|0|0|0|0:c=5.1:d=1\" "
                                           "-map 0 -map 1 -c:v libx265 -x265-params log-level=none "
                                           "-pix_fmt yuv420p10le "
                                           "-c:a ac3 -metadata:s:a title='The sound of %s' "
                                           "-metadata:s:v language=fre "
                                           "-disposition:a:0 forced %s",
               "\xc3\xbc\xc3\xbc", named("b.mkv"));
    open_libav(&m, named("b.mkv"));
    assert_string_equal(m.demuxer->format, "mkv");
    const struct sl_track *v = &m.demuxer->tracks[0];
    const struct sl_track *a = &m.demuxer->tracks[1];
    assert_int_equal(v->codec, SL_CODEC_HEVC);
    assert_int_equal(v->pixel_format, SL_PIX_YUV420P10);
    assert_int_equal(v->bit_depth, 10);
    assert_int_equal(v->profile, 2);
    assert_int_equal(v->frame_rate.num, 24000);
    assert_int_equal(v->frame_rate.den, 1001);
    assert_int_equal(v->frame_rate_exact, 1);
    assert_int_equal(v->timebase.den, 1000);
    assert_string_equal(v->language, "fre");
    assert_true(v->config_size > 22 && v->config[0] == 1);
    assert_int_equal(a->codec, SL_CODEC_AC3);
    assert_int_equal(a->channels, 6);
    assert_int_equal(a->channel_layout, 0x60f);
    assert_string_equal(a->title, "The sound of \xc3\xbc\xc3\xbc");
    assert_int_equal(a->is_forced, 1);
    media_file_close(&m);
}

static void webm_tracks(void **state)
{
    (void)state;
    struct media_file m;
    run_ffmpeg(BARS("96x64", "25") SOUND
               "-map 0 -map 1 -c:v libvpx-vp9 -cpu-used 8 -c:a libopus %s",
               named("c.webm"));
    open_libav(&m, named("c.webm"));
    assert_int_equal(m.demuxer->tracks[0].codec, SL_CODEC_VP9);
    assert_int_equal(m.demuxer->tracks[0].frame_rate.num, 25);
    assert_int_equal(m.demuxer->tracks[1].codec, SL_CODEC_OPUS);
    assert_int_equal(m.demuxer->tracks[1].delay, 312);
    assert_memory_equal(m.demuxer->tracks[1].config, "OpusHead", 8);
    media_file_close(&m);
}

static void transport_stream_tracks(void **state)
{
    (void)state;
    struct media_file m;
    run_ffmpeg(
        BARS("96x64", "25") SOUND
        "-map 0 -map 1 -c:v libx264 -bf 2 -pix_fmt yuv420p -colorspace smpte170m -c:a aac %s",
        named("d.ts"));
    open_libav(&m, named("d.ts"));
    const struct sl_track *v = &m.demuxer->tracks[0];
    assert_string_equal(m.demuxer->format, "mpegts");
    assert_int_equal(v->id, 0x100);
    assert_int_equal(v->timebase.den, 90000);
    assert_int_equal(v->frame_rate_exact, 0);
    assert_int_equal(v->frame_rate.num, 25);
    /* No record: the parameter sets as they stand in band. What they say is known all the same. */
    assert_true(v->config_size > 8);
    assert_int_equal(v->config[0], 0);
    assert_int_equal(v->reorder, 2);
    assert_int_equal(v->colour.matrix, 6);
    assert_int_equal(v->profile, 100);
    media_file_close(&m);
}

static void cover_picture(void **state)
{
    (void)state;
    struct media_file m;
    run_ffmpeg(BARS("32x32", "1") "-frames:v 1 %s", named("cover.png"));
    run_ffmpeg(SOUND
               "-i %s -map 0 -map 1 -c:a aac -c:v copy -disposition:v:0 attached_pic %s/e.m4a",
               named("cover.png"), scratch.path);
    open_libav(&m, named("e.m4a"));
    assert_int_equal(m.demuxer->track_count, 2);
    assert_int_equal(m.demuxer->tracks[0].is_attached_picture, 0);
    assert_int_equal(m.demuxer->tracks[1].is_attached_picture, 1);
    assert_string_equal(m.demuxer->tracks[1].codec_name, "png");
    assert_int_equal(m.demuxer->tracks[1].codec, SL_CODEC_OTHER);
    media_file_close(&m);
}

/* ---- packets ------------------------------------------------------------------------------ */

static void print_time(char *out, size_t size, int64_t t)
{
    if (t == SL_NO_TIME) {
        (void)snprintf(out, size, "N/A");
    } else {
        (void)snprintf(out, size, "%" PRId64, t);
    }
}

/* One packet as text, the same from either side. */
struct printed {
    char index[16], pts[32], dts[32], duration[32], size[16], pos[32], flags[8], hash[48];
};

static void print_packet(const struct sl_packet *p, struct printed *to)
{
    uint8_t digest[16];
    struct sl_buf *buf = NULL;

    assert_int_equal(sl_chain_load(&p->payload, &buf, NULL), SL_OK);
    av_md5_sum(digest, buf->data, buf->size);
    (void)snprintf(to->hash, sizeof to->hash, "MD5:");
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(to->hash + 4 + 2 * i, 3, "%02x", digest[i]);
    }
    (void)snprintf(to->index, sizeof to->index, "%u", (unsigned)p->track);
    (void)snprintf(to->size, sizeof to->size, "%zu", buf->size);
    print_time(to->pts, sizeof to->pts, p->pts);
    print_time(to->dts, sizeof to->dts, p->dts);
    print_time(to->duration, sizeof to->duration, p->duration);
    print_time(to->pos, sizeof to->pos, p->position < 0 ? SL_NO_TIME : p->position);
    (void)snprintf(to->flags, sizeof to->flags, "%c%c", p->flags & SL_PACKET_KEY ? 'K' : '_',
                   p->flags & SL_PACKET_HIDDEN ? 'D' : '_');
    sl_buf_unref(&buf);
}

/* The next packet that ffprobe lists; false at the end. */
static bool next_listed(FILE *pipe, struct printed *to)
{
    const struct {
        const char *key;
        char *value;
        size_t size;
    } fields[] = {
        {"stream_index=", to->index, sizeof to->index},
        {"pts=", to->pts, sizeof to->pts},
        {"dts=", to->dts, sizeof to->dts},
        {"pos=", to->pos, sizeof to->pos},
        {"size=", to->size, sizeof to->size},
        {"flags=", to->flags, sizeof to->flags},
        {"data_hash=", to->hash, sizeof to->hash},
        {"duration=", to->duration, sizeof to->duration},
    };
    char line[1024];

    memset(to, 0, sizeof *to);
    (void)snprintf(to->duration, sizeof to->duration, "N/A"); /* left out where not known */
    while (fgets(line, sizeof line, pipe)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "[/PACKET]") == 0) {
            return true;
        }
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            size_t n = strlen(fields[i].key);
            if (strncmp(line, fields[i].key, n) == 0) {
                assert_true(strlen(line + n) < fields[i].size);
                memcpy(fields[i].value, line + n, strlen(line + n) + 1);
            }
        }
    }
    return false;
}

static void check_same(const char *path, size_t count, const struct printed *ours,
                       const struct printed *theirs)
{
    bool same = strcmp(ours->index, theirs->index) == 0 && strcmp(ours->pts, theirs->pts) == 0 &&
                strcmp(ours->dts, theirs->dts) == 0 &&
                strcmp(ours->duration, theirs->duration) == 0 &&
                strcmp(ours->size, theirs->size) == 0 && strcmp(ours->pos, theirs->pos) == 0 &&
                strcmp(ours->flags, theirs->flags) == 0 && strcmp(ours->hash, theirs->hash) == 0;
    if (!same) {
        fail_msg("%s, packet %zu: track %s pts %s dts %s duration %s size %s pos %s %s %s, ffprobe "
                 "has track %s pts %s dts %s duration %s size %s pos %s %s %s",
                 path, count, ours->index, ours->pts, ours->dts, ours->duration, ours->size,
                 ours->pos, ours->flags, ours->hash, theirs->index, theirs->pts, theirs->dts,
                 theirs->duration, theirs->size, theirs->pos, theirs->flags, theirs->hash);
    }
}

/* Compares every packet of d (but those of no bytes) with ffprobe's list. Returns how many. */
static size_t compare_packets(struct sl_demuxer *d, const char *path)
{
    char command[1024];
    struct printed ours;
    struct printed theirs;
    size_t count = 0;
    (void)snprintf(command, sizeof command,
                   "ffprobe -v quiet -show_data_hash md5 -show_packets -of default '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (next_listed(pipe, &theirs)) {
        struct sl_error err = {0};
        struct sl_packet *p = NULL;
        if (strcmp(theirs.size, "0") == 0) {
            continue;
        }
        do {
            sl_packet_unref(&p);
            check_ok(d->ops->read(d, &p, &err), &err);
        } while (p->payload.size == 0);
        memset(&ours, 0, sizeof ours);
        print_packet(p, &ours);
        sl_packet_unref(&p);
        check_same(path, count, &ours, &theirs);
        count++;
    }
    assert_int_equal(pclose(pipe), 0);
    struct sl_packet *p = NULL;
    enum sl_status status = SL_OK;
    while ((status = d->ops->read(d, &p, NULL)) == SL_OK) {
        assert_int_equal(p->payload.size, 0);
        sl_packet_unref(&p);
    }
    assert_int_equal(status, SL_EOF);
    return count;
}

static void compare_file(const char *path)
{
    struct media_file m;
    open_libav(&m, path);
    assert_true(compare_packets(m.demuxer, path) > 0);
    media_file_close(&m);
}

static void same_packets(void **state)
{
    (void)state;
    make_mp4(named("a.mp4"));
    compare_file(named("a.mp4"));
    /* An edit list that begins within a group of pictures: hidden packets. */
    run_ffmpeg("-ss 0.5 -i %s -map 0 -c copy %s/cut.mp4", named("a.mp4"), scratch.path);
    compare_file(named("cut.mp4"));
    static const char *const copies[] = {"f.mkv", "f.ts", "f.flv", "f.avi"};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        run_ffmpeg("-i %s/a.mp4 -map 0 -c copy %s", scratch.path, named(copies[i]));
        compare_file(named(copies[i]));
    }
}

static void corpus_packets(void **state)
{
    (void)state;
    struct dirent **names = NULL;
    int count = scandir(CORPUS, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        const char *ending = strrchr(names[i]->d_name, '.');
        if (ending && strcmp(ending, ".tsv") != 0 && ending[1] != '\0') {
            (void)snprintf(path, sizeof path, "%s/%s", CORPUS, names[i]->d_name);
            compare_file(path);
        }
        free(names[i]);
    }
    free((void *)names);
}

static void pipes(void **state)
{
    (void)state;
    static const char *const copies[] = {"g.mkv", "g.ts", "g.mp4"};
    make_mp4(named("a.mp4"));
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        struct feed feed;
        struct sl_demuxer *d = NULL;
        struct sl_error err = {0};
        size_t size = 0;
        run_ffmpeg("-i %s/a.mp4 -map 0 -c copy -movflags +faststart %s", scratch.path,
                   named(copies[i]));
        uint8_t *data = scratch_read(named(copies[i]), &size);
        assert_int_equal(feed_open(&feed, data, size, 1000, false, &err), SL_OK);
        check_ok(sl_demux_libav_module.open(&d, feed.window, NULL, &err), &err);
        assert_true(compare_packets(d, named(copies[i])) > 0);
        sl_demux_destroy(&d);
        feed_close(&feed);
        free(data);
    }
}

/* A pushed window that holds all is like a pipe; libavformat cannot be made to wait in the middle,
 * and that is said. */
static void pushed(void **state)
{
    (void)state;
    struct feed feed;
    struct sl_demuxer *d = NULL;
    struct sl_packet *p = NULL;
    struct sl_error err = {0};
    size_t size = 0;
    uint8_t *data = NULL;
    enum sl_status status = SL_OK;

    run_ffmpeg(BARS("96x64", "25") SOUND "-map 0 -map 1 -c:v libx264 -c:a aac %s", named("d.ts"));
    data = scratch_read(named("d.ts"), &size);
    assert_int_equal(feed_open_pushed(&feed, data, size, &err), SL_OK);
    assert_int_equal(sl_demux_libav_module.open(&d, feed.window, NULL, &err), SL_EAGAIN);
    assert_true(feed_push(&feed, 5000));
    assert_int_equal(sl_demux_libav_module.open(&d, feed.window, NULL, &err), SL_EAGAIN);
    assert_null(d);
    assert_int_equal(err.status, SL_OK);
    assert_true(feed_push(&feed, SIZE_MAX));
    assert_true(feed_push(&feed, SIZE_MAX));
    check_ok(sl_demux_libav_module.open(&d, feed.window, NULL, &err), &err);
    assert_true(compare_packets(d, named("d.ts")) > 0);
    sl_demux_destroy(&d);
    feed_close(&feed);

    /* Several probe buffers of it, but not the end. */
    size_t copies = (10U << 20) / size + 1;
    uint8_t *many = malloc(copies * size);
    assert_non_null(many);
    for (size_t i = 0; i < copies; i++) {
        memcpy(many + i * size, data, size);
    }
    assert_int_equal(feed_open_pushed(&feed, many, copies * size, &err), SL_OK);
    assert_true(feed_push(&feed, copies * size - 1));
    check_ok(sl_demux_libav_module.open(&d, feed.window, NULL, &err), &err);
    while ((status = d->ops->read(d, &p, &err)) == SL_OK) {
        sl_packet_unref(&p);
    }
    assert_int_equal(status, SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "can be waited for"));
    sl_demux_destroy(&d);
    feed_close(&feed);
    free(many);
    free(data);
}

static void only_selected(void **state)
{
    (void)state;
    struct media_file m;
    struct sl_packet *p = NULL;
    size_t count = 0;
    make_mp4(named("a.mp4"));
    open_libav(&m, named("a.mp4"));
    m.demuxer->ops->select(m.demuxer, 2);
    while (m.demuxer->ops->read(m.demuxer, &p, NULL) == SL_OK) {
        assert_int_equal(p->track, 1);
        sl_packet_unref(&p);
        count++;
    }
    assert_int_equal(count, 48);
    media_file_close(&m);
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void check_refused(const char *name, const void *data, size_t size, enum sl_status status,
                          const char *part)
{
    struct media_file m;
    struct sl_error err = {0};
    scratch_write(named(name), data, size);
    /* What is empty is refused before anybody is asked. */
    const struct sl_demuxer_ops *ops = size ? &sl_demux_libav_module : NULL;
    assert_int_equal(media_file_try_with(&m, named(name), ops, &err), status);
    assert_string_equal(err.where, named(name));
    if (!strstr(err.msg, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", err.msg, part);
    }
}

static void not_media(void **state)
{
    (void)state;
    static uint8_t noise[100000];
    const char *text = "Dear reader,\nthis is a letter and no film.\n";
    const char *list = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n"
                       "/etc/passwd\n#EXT-X-ENDLIST\n";
    const char *concat = "ffconcat version 1.0\nfile /etc/passwd\n";
    const char *session = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                          "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    scratch_noise(noise, sizeof noise, 5);
    check_refused("empty", "", 0, SL_EDATA, "is empty");
    check_refused("letter.txt", text, strlen(text), SL_EDATA, "not a media file that is known");
    check_refused("letter.ans", text, strlen(text), SL_EDATA, "not a media file that is known");
    check_refused("noise.mp4", noise, sizeof noise, SL_EDATA, "");
    check_refused("zeros", memset(noise, 0, sizeof noise), sizeof noise, SL_EDATA, "");
    check_refused("list.m3u8", list, strlen(list), SL_EUNSUPPORTED, "\"hls\"");
    check_refused("list.ffconcat", concat, strlen(concat), SL_EUNSUPPORTED, "\"concat\"");
    check_refused("session.sdp", session, strlen(session), SL_EUNSUPPORTED, "\"sdp\"");
}

/* Within the samples: packets first, and then it is said that there should be more. */
static void check_cut(const char *name)
{
    struct media_file m;
    struct sl_error err = {0};
    struct sl_packet *p = NULL;
    enum sl_status status = SL_OK;
    size_t size = 0;
    size_t count = 0;
    uint8_t *data = scratch_read(named(name), &size);

    scratch_write(named("cut"), data, size * 3 / 4);
    open_libav(&m, named("cut"));
    while ((status = m.demuxer->ops->read(m.demuxer, &p, &err)) == SL_OK) {
        sl_packet_unref(&p);
        count++;
    }
    assert_true(count > 0 && count < 78);
    assert_int_equal(status, SL_EDATA);
    assert_non_null(strstr(err.msg, "is cut short"));
    assert_true(err.has_offset);
    assert_int_equal(err.offset, size * 3 / 4);
    media_file_close(&m);
    free(data);
}

static void cut_off(void **state)
{
    (void)state;
    size_t size = 0;
    make_mp4(named("a.mp4"));
    uint8_t *data = scratch_read(named("a.mp4"), &size);

    check_refused("head.mp4", data, 600, SL_EDATA, "the header cannot be read");
    free(data);
    run_ffmpeg("-i %s -map 0 -c copy %s/a.mkv", named("a.mp4"), scratch.path);
    run_ffmpeg("-i %s -map 0 -c copy -movflags frag_keyframe+empty_moov %s/frag.mp4",
               named("a.mp4"), scratch.path);
    check_cut("a.mp4");
    check_cut("a.mkv");
    check_cut("frag.mp4");
}

/* A source whose reads fail says why, and libavformat's own words do not hide it. */
static enum sl_status failing_fill(void *opaque, int64_t offset, void *dst, size_t size,
                                   size_t *got, struct sl_error *err)
{
    struct feed *f = opaque;
    size_t left = f->size - (size_t)offset;
    if ((size_t)offset >= f->size) {
        if (err && err->status == SL_OK) {
            err->status = SL_EIO;
            (void)snprintf(err->msg, sizeof err->msg, "the disk is on fire");
        }
        return SL_EIO;
    }
    *got = size < left ? size : left;
    memcpy(dst, f->data + offset, *got);
    return SL_OK;
}

static void reading_fails(void **state)
{
    (void)state;
    size_t size = 0;
    make_mp4(named("a.mp4"));
    uint8_t *data = scratch_read(named("a.mp4"), &size);
    /* in the format, in the header, in the samples */
    const size_t ends[] = {5000 < size ? 4096 : size, 4800, size - 100};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct feed feed = {.data = data, .size = ends[i]};
        struct sl_window_source source = {.fill = failing_fill,
                                          .opaque = &feed,
                                          .name = "disk",
                                          .size = (int64_t)size,
                                          .seekable = true};
        struct sl_window *w = NULL;
        struct sl_demuxer *d = NULL;
        struct sl_error err = {0};
        struct sl_packet *p = NULL;
        assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
        enum sl_status status = sl_demux_libav_module.open(&d, w, NULL, &err);
        while (status == SL_OK) {
            status = d->ops->read(d, &p, &err);
            sl_packet_unref(&p);
        }
        assert_int_equal(status, SL_EIO);
        assert_string_equal(err.msg, "the disk is on fire");
        sl_demux_destroy(&d);
        sl_window_destroy(&w);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp4_tracks),     cmocka_unit_test(rotation),
        cmocka_unit_test(variable_rate),  cmocka_unit_test(matroska_tracks),
        cmocka_unit_test(webm_tracks),    cmocka_unit_test(transport_stream_tracks),
        cmocka_unit_test(cover_picture),  cmocka_unit_test(same_packets),
        cmocka_unit_test(corpus_packets), cmocka_unit_test(pipes),
        cmocka_unit_test(pushed),         cmocka_unit_test(only_selected),
        cmocka_unit_test(not_media),      cmocka_unit_test(cut_off),
        cmocka_unit_test(reading_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
