/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "judge.h"
#include "media/h264.h"
#include "media/track.h"

/* Not a multiple of 16: the SPS has to crop. */
#define WIDTH  190
#define HEIGHT 106
#define LUMA   (WIDTH * HEIGHT)
#define FRAME  (LUMA * 3 / 2)

/* What a test encodes: a textured picture that drifts, another one from each scene on. */
struct clip {
    const int *keys;    /* frames that are forced, ended by -1; the first of each segment */
    const int *scenes;  /* frames at which everything changes, ended by -1 */
    const int64_t *pts; /* NULL: i */
    bool upside_down;   /* the same picture by negative strides */
};

static bool listed(const int *list, int i)
{
    for (; list && *list >= 0; list++) {
        if (*list == i) {
            return true;
        }
    }
    return false;
}

static uint32_t hash(uint32_t x)
{
    x = (x ^ 61u) ^ (x >> 16);
    x *= 9u;
    x ^= x >> 4;
    x *= 0x27d4eb2du;
    return x ^ (x >> 15);
}

/* Sample x, y of plane p in frame i: smooth waves with a little fixed grain, drifting. */
static uint8_t sample(const struct clip *c, int i, int p, int x, int y)
{
    uint32_t scene = 0;
    for (const int *s = c->scenes; s && *s >= 0 && *s <= i; s++) {
        scene++;
    }
    uint32_t at = (uint32_t)(x + i) / (3 + scene) * 7u + (uint32_t)y / 4u * (31u + scene * 977u);
    double wave = sin((double)(x + 2 * i) / (9.0 + 11.0 * scene)) +
                  cos((double)y / (7.0 + 5.0 * scene) + (double)p);
    return (uint8_t)(112.0 + 38.0 * wave + (double)(hash(at + scene * 7919u) % 24u));
}

static void draw(const struct clip *c, int i, uint8_t *out)
{
    for (int p = 0; p < 3; p++) {
        int w = p ? WIDTH / 2 : WIDTH, h = p ? HEIGHT / 2 : HEIGHT;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                *out++ = sample(c, i, p, x, y);
            }
        }
    }
}

static struct sl_frame *make(void *arg, int i)
{
    const struct clip *c = arg;
    struct sl_error err = {0};
    struct sl_frame *f;
    uint8_t *picture = malloc(FRAME);
    assert_non_null(picture);
    draw(c, i, picture);
    assert_int_equal(sl_frame_create_video(&f, SL_PIX_YUV420P, WIDTH, HEIGHT, NULL, &err), SL_OK);
    const uint8_t *from = picture;
    for (int p = 0; p < 3; p++) {
        int w = p ? WIDTH / 2 : WIDTH, h = p ? HEIGHT / 2 : HEIGHT;
        if (c->upside_down) {
            f->plane[p] += f->stride[p] * (h - 1);
            f->stride[p] = -f->stride[p];
        }
        for (int y = 0; y < h; y++, from += w) {
            memcpy(f->plane[p] + f->stride[p] * y, from, (size_t)w);
        }
    }
    free(picture);
    f->pts = c->pts ? c->pts[i] : i;
    f->duration = c->pts ? c->pts[i + 1] - c->pts[i] : 1;
    if (listed(c->keys, i)) {
        f->flags = SL_FRAME_KEY | SL_FRAME_CUT;
    }
    return f;
}

static struct sl_encode_params defaults(void)
{
    return (struct sl_encode_params){
        .timebase = {1, 30},
        .threads = 2,
        .width = WIDTH,
        .height = HEIGHT,
        .frame_rate = {30, 1},
        .sample_aspect = {1, 1},
        .colour = {1, 1, 1, SL_RANGE_LIMITED, 0},
        .preset = "veryfast",
        .rate = SL_RATE_CRF,
        .crf = {20, 1},
        .latency = SL_LATENCY_LOOKAHEAD,
        .bframes = -1,
    };
}

static struct sl_coder *open_encoder(const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (sl_encode_open(&e, SL_CODEC_H264, "x264", p, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return e;
}

static int by_pts(const void *a, const void *b)
{
    const struct sl_packet *const *x = a, *const *y = b;
    return (*x)->pts < (*y)->pts ? -1 : (*x)->pts > (*y)->pts;
}

/* Each frame came out once, with its own time, duration and cut, and no decoding time yet. */
static void check_packets(const struct judge_packets *packets, const struct clip *c, int count)
{
    struct judge_packets shown = *packets;
    assert_int_equal(packets->count, count);
    qsort(shown.packet, shown.count, sizeof(struct sl_packet *), by_pts);
    for (int i = 0; i < count; i++) {
        const struct sl_packet *p = shown.packet[i];
        assert_int_equal(p->pts, c->pts ? c->pts[i] : i);
        assert_int_equal(p->duration, c->pts ? c->pts[i + 1] - c->pts[i] : 1);
        assert_true(p->dts == SL_NO_TIME);
        assert_int_equal((p->flags & SL_PACKET_CUT) != 0, listed(c->keys, i));
        if (listed(c->keys, i)) {
            assert_true(p->flags & SL_PACKET_KEY);
        }
        size_t size;
        const uint8_t *data = judge_payload(p, &size);
        assert_int_equal((p->flags & SL_PACKET_KEY) != 0, sl_h264_is_idr(data, size, 0));
    }
    /* Closed groups: in coded order nothing before a cut is shown after it, nor the reverse. */
    int64_t latest = INT64_MIN, cut = INT64_MIN;
    for (size_t i = 0; i < packets->count; i++) {
        const struct sl_packet *p = packets->packet[i];
        if (p->flags & SL_PACKET_CUT) {
            assert_true(p->pts > latest);
            cut = p->pts;
        }
        assert_true(p->pts >= cut);
        latest = p->pts > latest ? p->pts : latest;
    }
}

/* The key frames that ffprobe finds are exactly the packets that are marked. */
static void check_keys(const char *path, const struct judge_packets *packets)
{
    struct judge_packets shown = *packets;
    qsort(shown.packet, shown.count, sizeof(struct sl_packet *), by_pts);
    char *frames =
        judge_run("ffprobe -v warning -show_entries frame=key_frame -of csv=p=0 %s", path);
    const char *at = frames;
    for (size_t i = 0; i < shown.count; i++, at++) {
        at += strcspn(at, "01"); /* side data leaves commas and empty lines */
        if (*at == 0 || (*at == '1') != ((shown.packet[i]->flags & SL_PACKET_KEY) != 0)) {
            fail_msg("frame %zu: ffprobe says key \"%.1s\"", i, at);
        }
    }
    assert_int_equal(at[strcspn(at, "01")], 0);
    free(frames);
}

/* Decodes without a warning, count frames, and luma PSNR of at least min dB. */
static void check_pictures(const char *path, const struct clip *c, int count, double min)
{
    char *said = judge_run("ffmpeg -v warning -i %s -fps_mode passthrough -f rawvideo -y %s.yuv",
                           path, path);
    free(said);
    char decoded[600];
    (void)snprintf(decoded, sizeof decoded, "%s.yuv", path);
    size_t size;
    uint8_t *is = scratch_read(decoded, &size), *was = malloc(FRAME);
    assert_non_null(was);
    assert_int_equal(size, (size_t)count * FRAME);
    double error = 0;
    for (int i = 0; i < count; i++) {
        draw(c, i, was);
        for (int k = 0; k < LUMA; k++) {
            double d = (double)is[(size_t)i * FRAME + (size_t)k] - was[k];
            error += d * d;
        }
    }
    double psnr = 10 * log10(255.0 * 255.0 / (error / count / LUMA));
    if (!(psnr >= min)) {
        fail_msg("PSNR %.2f dB, expected %.2f", psnr, min);
    }
    free(was);
    free(is);
}

static void cuts_where_it_is_told(void **state)
{
    (void)state;
    static const int keys[] = {0, 30, 31, 47, 90, -1};
    static const char *const presets[] = {"ultrafast", "veryfast", "medium", "slower"};
    struct clip clip = {.keys = keys};
    for (size_t k = 0; k < sizeof presets / sizeof *presets; k++) {
        struct sl_encode_params p = defaults();
        p.preset = presets[k];
        struct sl_coder *e = open_encoder(&p);
        struct judge_packets packets;
        judge_encode(e, make, &clip, 100, &packets);
        check_packets(&packets, &clip, 100);
        size_t key_count = 0;
        for (size_t i = 0; i < packets.count; i++) {
            key_count += (packets.packet[i]->flags & SL_PACKET_KEY) != 0;
        }
        assert_int_equal(key_count, 5); /* one steady scene: no others */

        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, "a.h264");
        judge_write(&packets, path);
        check_keys(path, &packets);
        check_pictures(path, &clip, 100, 36.0);
        char *probe =
            judge_run("ffprobe -v warning -show_entries stream=has_b_frames,level,profile,"
                      "width,height -of default=nw=1 %s",
                      path);
        assert_int_equal(judge_number(probe, "has_b_frames"), e->track.reorder);
        assert_int_equal(judge_number(probe, "level"), e->track.level);
        assert_int_equal(judge_number(probe, "width"), WIDTH);
        assert_int_equal(judge_number(probe, "height"), HEIGHT);
        /* Without CABAC, 8x8 transform and B pictures x264 says Constrained Baseline. */
        judge_has(probe, k == 0 ? "profile=Constrained Baseline" : "profile=High");
        assert_int_equal(e->track.reorder, k == 0 ? 0 : 2);
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void keeps_irregular_times(void **state)
{
    (void)state;
    static const int keys[] = {0, 25, 26, 70, -1};
    static int64_t pts[121];
    struct clip clip = {.keys = keys, .pts = pts};
    uint32_t seed = 7;
    pts[0] = 123456789; /* need not start at 0 */
    for (int i = 1; i <= 120; i++) {
        seed = hash(seed);
        /* Mostly about 1/30 s, sometimes a tick, sometimes five seconds. */
        pts[i] = pts[i - 1] + (i % 40 == 0 ? 450000 : i % 17 == 0 ? 1 : 2000 + seed % 2000);
    }
    struct sl_encode_params p = defaults();
    p.timebase = (struct sl_rational){1, 90000};
    p.frame_rate = (struct sl_rational){0, 1}; /* not known */
    p.rate = SL_RATE_VBR;
    p.bitrate = 1000000;
    p.maxrate = 1500000;
    p.buffer = 2000000;
    p.threads = 0;
    struct sl_coder *e = open_encoder(&p);
    struct judge_packets packets;
    judge_encode(e, make, &clip, 120, &packets);
    check_packets(&packets, &clip, 120);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

static void scene_cuts_never_move_the_cuts(void **state)
{
    (void)state;
    static const int keys[] = {0, 60, -1}, scenes[] = {20, 45, 50, 95, -1};
    struct clip clip = {.keys = keys, .scenes = scenes};
    struct sl_encode_params p = defaults();
    struct sl_coder *e = open_encoder(&p);
    struct judge_packets packets;
    judge_encode(e, make, &clip, 120, &packets);
    check_packets(&packets, &clip, 120);
    struct scratch dir;
    scratch_make(&dir);
    const char *path = scratch_name(&dir, "a.h264");
    judge_write(&packets, path);
    check_keys(path, &packets);
    check_pictures(path, &clip, 120, 36.0);
    char *types =
        judge_run("ffprobe -v warning -show_entries frame=pict_type -of csv=p=0 %s", path);
    size_t intra = 0;
    const char *at = types;
    for (; *at; at++) {
        intra += *at == 'I';
    }
    assert_in_range(intra, 3, 6); /* the two cuts, and scene cuts as x264 sees them */
    free(types);
    scratch_remove(&dir);
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

static void describes_colour_and_shape(void **state)
{
    (void)state;
    static const struct {
        struct sl_colour colour;
        struct sl_rational sar;
        const char *says[6];
    } cases[] = {
        {{1, 1, 1, SL_RANGE_LIMITED, 0},
         {1, 1},
         {"color_space=bt709", "color_primaries=bt709", "color_transfer=bt709", "color_range=tv",
          "sample_aspect_ratio=1:1", "chroma_location=left"}},
        {{6, 6, 6, SL_RANGE_LIMITED, 1},
         {32, 27},
         {"color_space=smpte170m", "color_primaries=smpte170m", "color_transfer=smpte170m",
          "color_range=tv", "sample_aspect_ratio=32:27", "chroma_location=left"}},
        {{5, 6, 5, SL_RANGE_FULL, 0},
         {64, 45},
         {"color_space=bt470bg", "color_primaries=bt470bg", "color_transfer=smpte170m",
          "color_range=pc", "sample_aspect_ratio=64:45", "chroma_location=left"}},
        {{9, 16, 9, SL_RANGE_LIMITED, 3},
         {0, 1},
         {"color_space=bt2020nc", "color_primaries=bt2020", "color_transfer=smpte2084",
          "color_range=tv", "sample_aspect_ratio=N/A", "chroma_location=topleft"}},
        {{9, 18, 9, SL_RANGE_LIMITED, 0},
         {100000, 100001}, /* beyond 16 bits: the nearest */
         {"color_space=bt2020nc", "color_primaries=bt2020", "color_transfer=arib-std-b67",
          "color_range=tv", "sample_aspect_ratio=65534:65535", "chroma_location=left"}},
        {{2, 2, 2, SL_RANGE_UNSPECIFIED, 0},
         {1, 1},
         {"color_space=unknown", "color_primaries=unknown", "color_transfer=unknown",
          "sample_aspect_ratio=1:1", "color_range=unknown", "chroma_location=left"}},
        {{2, 2, 1, SL_RANGE_FULL, 2},
         {1, 1},
         {"color_space=bt709", "color_primaries=unknown", "color_transfer=unknown",
          "color_range=pc", "sample_aspect_ratio=1:1", "chroma_location=center"}},
    };
    struct clip clip = {0};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sl_encode_params p = defaults();
        p.colour = cases[k].colour;
        p.sample_aspect = cases[k].sar;
        struct sl_coder *e = open_encoder(&p);
        assert_int_equal(e->track.colour.matrix, p.colour.matrix);
        assert_int_equal(e->track.colour.primaries, p.colour.primaries);
        assert_int_equal(e->track.colour.transfer, p.colour.transfer);
        struct judge_packets packets;
        judge_encode(e, make, &clip, 3, &packets);
        struct scratch dir;
        scratch_make(&dir);
        const char *path = scratch_name(&dir, "a.h264");
        judge_write(&packets, path);
        char *probe = judge_run("ffprobe -v warning -show_streams %s", path);
        for (size_t i = 0; i < 6; i++) {
            judge_has(probe, cases[k].says[i]);
        }
        free(probe);
        scratch_remove(&dir);
        judge_drop(&packets);
        sl_encode_destroy(&e);
    }
}

static void announces_the_parameter_sets_it_sends(void **state)
{
    (void)state;
    static const int keys[] = {0, 10, 20, -1};
    struct clip clip = {.keys = keys};
    struct sl_encode_params p = defaults();
    struct sl_coder *e = open_encoder(&p);
    const struct sl_track *t = &e->track;
    assert_int_equal(t->kind, SL_KIND_VIDEO);
    assert_int_equal(t->codec, SL_CODEC_H264);
    assert_string_equal(t->codec_name, "h264");
    assert_int_equal(t->width, WIDTH);
    assert_int_equal(t->height, HEIGHT);
    assert_int_equal(t->bit_depth, 8);
    assert_int_equal(t->timebase.den, 30);
    assert_int_equal(t->decode_delay, 0); /* the pipeline's to set */
    struct sl_nal_config config;
    struct sl_error err = {0};
    assert_int_equal(sl_avcc_parse(t->config, t->config_size, &config, &err), SL_OK);
    assert_int_equal(config.count, 2);

    struct judge_packets packets;
    judge_encode(e, make, &clip, 30, &packets);
    size_t sei = 0;
    for (size_t i = 0; i < packets.count; i++) {
        struct sl_nal_walker w = {0};
        w.data = judge_payload(packets.packet[i], &w.size);
        struct sl_nal nal;
        size_t sets = 0;
        while (sl_nal_next_annexb(&w, &nal)) {
            int type = nal.data[0] & 0x1f;
            assert_int_not_equal(type, SL_H264_AUD);
            sei += type == SL_H264_SEI;
            if (type != SL_H264_SPS && type != SL_H264_PPS) {
                continue;
            }
            const struct sl_nal *same = &config.sets[type == SL_H264_PPS];
            assert_int_equal(nal.size, same->size);
            assert_memory_equal(nal.data, same->data, nal.size);
            sets++;
        }
        assert_int_equal(sets, packets.packet[i]->flags & SL_PACKET_KEY ? 2 : 0);
    }
    assert_int_equal(sei, 1); /* x264's version, once */
    judge_drop(&packets);
    sl_encode_destroy(&e);
}

/* The whole stream as one hash, FNV-1a. */
static uint64_t fingerprint(const struct sl_encode_params *p, struct clip *clip, int64_t *bytes)
{
    struct sl_coder *e = open_encoder(p);
    struct judge_packets packets;
    judge_encode(e, make, clip, 60, &packets);
    uint64_t h = 0xcbf29ce484222325u;
    *bytes = 0;
    for (size_t i = 0; i < packets.count; i++) {
        size_t size;
        const uint8_t *data = judge_payload(packets.packet[i], &size);
        *bytes += (int64_t)size;
        for (size_t k = 0; k < size; k++) {
            h = (h ^ data[k]) * 0x100000001b3u;
        }
    }
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return h;
}

static void gives_the_same_bytes_again(void **state)
{
    (void)state;
    static const int keys[] = {0, 24, 48, -1}, scenes[] = {31, -1};
    struct clip clip = {.keys = keys, .scenes = scenes};
    struct sl_encode_params p = defaults();
    int64_t bytes, more;
    p.threads = 3;
    uint64_t first = fingerprint(&p, &clip, &bytes);
    for (int i = 0; i < 3; i++) {
        assert_true(fingerprint(&p, &clip, &bytes) == first);
    }
    /* x264's bitrate control looks at what other threads have done so far: one thread only. */
    p.rate = SL_RATE_VBR;
    p.bitrate = 400000;
    p.maxrate = 600000;
    p.buffer = 800000;
    p.threads = 1;
    first = fingerprint(&p, &clip, &bytes);
    assert_true(fingerprint(&p, &clip, &bytes) == first);
    /* Rows from the bottom up are the same picture. */
    clip.upside_down = true;
    assert_true(fingerprint(&p, &clip, &bytes) == first);
    /* The rate is heard. */
    p.bitrate = 1600000;
    p.maxrate = p.buffer = 0;
    (void)fingerprint(&p, &clip, &more);
    assert_true(more > 2 * bytes);
    p.rate = SL_RATE_CRF;
    p.crf = (struct sl_rational){37, 1};
    (void)fingerprint(&p, &clip, &bytes);
    assert_true(more > 2 * bytes);
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
    struct sl_encode_params cases[13];
    const char *says[13];
    for (size_t i = 0; i < 13; i++) {
        cases[i] = defaults();
    }
    size_t n = 0;
    cases[n].width = 191, says[n++] = "size 191x106, expected even sides of 2 to 16384";
    cases[n].height = 0, says[n++] = "size 190x0, expected even sides of 2 to 16384";
    cases[n].timebase.den = 0, says[n++] = "timebase 1/0, expected terms of 1 to 2147483647";
    cases[n].preset = "sluggish", says[n++] = "preset \"sluggish\"";
    cases[n].tune = "nothing", says[n++] = "tune \"nothing\"";
    cases[n].tune = "film,fastdecode,grain", says[n++] = "two that exclude each other";
    cases[n].profile = "lofty", says[n++] = "profile \"lofty\"";
    cases[n].crf.num = 52, says[n++] = "crf 52/1, expected 1 to 51";
    cases[n].crf.num = 0, says[n++] = "crf 0/1, expected 1 to 51";
    cases[n].rate = SL_RATE_VBR, says[n++] = "bitrate 0, expected 1000 or more";
    cases[n].maxrate = -1, says[n++] = "maxrate -1, expected";
    cases[n].colour.matrix = 0, says[n++] = "colour matrix 0 (RGB)";
    cases[n].threads = 500, says[n++] = "500 threads, expected 0 to 128";
    assert_int_equal(n, 13);
    for (size_t i = 0; i < n; i++) {
        struct sl_error err = {0};
        struct sl_coder *e;
        assert_int_equal(sl_encode_open(&e, SL_CODEC_H264, NULL, &cases[i], &err), SL_EINVAL);
        assert_null(e);
        if (!strstr(err.msg, says[i])) {
            fail_msg("\"%s\" is not in \"%s\"", says[i], err.msg);
        }
    }
    /* A code point that does not exist is not written as something else; one that x264 does not
     * know is written by us. */
    struct sl_encode_params p = defaults();
    p.colour.chroma_location = 9;
    struct sl_error err = {0};
    struct sl_coder *e;
    assert_int_equal(sl_encode_open(&e, SL_CODEC_H264, NULL, &p, &err), SL_EUNSUPPORTED);
    p = defaults();
    err = (struct sl_error){0};
    p.colour.primaries = 22; /* H.273: EBU Tech. 3213-E */
    assert_int_equal(sl_encode_open(&e, SL_CODEC_H264, NULL, &p, &err), SL_OK);
    assert_int_equal(e->track.colour.primaries, 22);
    struct sl_track described = {.codec = SL_CODEC_H264};
    assert_int_equal(sl_track_set_config(&described, e->track.config, e->track.config_size, &err),
                     SL_OK);
    assert_int_equal(sl_h264_describe(&described, &err), SL_OK);
    assert_int_equal(described.colour.primaries, 22);
    sl_track_clear(&described);
    sl_encode_destroy(&e);
}

static void refuses_bad_frames(void **state)
{
    (void)state;
    struct clip clip = {0};
    struct sl_encode_params p = defaults();
    p.preset = "ultrafast";
    p.threads = 1;
    p.tune = "zerolatency"; /* a frame behind: it needs the next one's time */
    struct sl_coder *e = open_encoder(&p);
    struct sl_packet *packet;
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);

    struct sl_frame *f = make(&clip, 4), *g = make(&clip, 5), *bad;
    assert_int_equal(e->ops->send(e, f, NULL), SL_OK);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
    assert_int_equal(e->ops->send(e, g, NULL), SL_OK);
    assert_int_equal(e->ops->send(e, g, NULL), SL_EAGAIN);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_OK);
    assert_int_equal(packet->pts, 4);
    sl_packet_unref(&packet);

    struct sl_error err = {0};
    assert_int_equal(e->ops->send(e, g, &err), SL_EINVAL);
    assert_string_equal(err.msg, "frame pts 5 after 5, expected to rise");
    g->pts = SL_NO_TIME;
    assert_int_equal(e->ops->send(e, g, NULL), SL_EINVAL);
    assert_int_equal(sl_frame_create_video(&bad, SL_PIX_YUV422P, WIDTH, HEIGHT, NULL, NULL), SL_OK);
    bad->pts = 9;
    err = (struct sl_error){0};
    assert_int_equal(e->ops->send(e, bad, &err), SL_EINVAL);
    assert_string_equal(err.msg, "frame is yuv422p 190x106, expected yuv420p 190x106");
    sl_frame_unref(&bad);
    assert_int_equal(sl_frame_create_video(&bad, SL_PIX_YUV420P, WIDTH + 2, HEIGHT, NULL, NULL),
                     SL_OK);
    bad->pts = 9;
    assert_int_equal(e->ops->send(e, bad, NULL), SL_EINVAL);
    sl_frame_unref(&bad);

    /* None of that did harm. */
    g->pts = 6;
    assert_int_equal(e->ops->send(e, g, NULL), SL_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(e->ops->receive(e, &packet, NULL), SL_OK);
        assert_int_equal(packet->pts, 5 + i);
        sl_packet_unref(&packet);
        assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    }
    g->pts = 7;
    assert_int_equal(e->ops->send(e, g, NULL), SL_EINVAL);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF);
    sl_frame_unref(&f);
    sl_frame_unref(&g);
    sl_encode_destroy(&e);
}

static void count_lines(void *opaque, enum sl_log_level level, const char *component,
                        const char *text)
{
    int *lines = opaque;
    assert_in_range(level, SL_LOG_ERROR, SL_LOG_DEBUG);
    assert_string_equal(component, "x264");
    assert_null(strchr(text, '\n'));
    lines[level]++;
}

static void speaks_through_the_log(void **state)
{
    (void)state;
    int lines[SL_LOG_DEBUG + 1] = {0};
    struct sl_log log = {.level = SL_LOG_DEBUG, .write = count_lines, .opaque = lines};
    struct clip clip = {0};
    struct sl_encode_params p = defaults();
    p.log = &log;
    p.threads = 1;
    struct sl_coder *e = open_encoder(&p);
    struct judge_packets packets;
    judge_encode(e, make, &clip, 5, &packets);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    assert_true(lines[SL_LOG_DEBUG] > 0);
    assert_int_equal(lines[SL_LOG_ERROR] + lines[SL_LOG_WARN] + lines[SL_LOG_INFO], 0);
    memset(lines, 0, sizeof lines);
    log.level = SL_LOG_INFO;
    e = open_encoder(&p);
    sl_encode_destroy(&e);
    assert_int_equal(lines[SL_LOG_DEBUG], 0);
}

/* Opens, sends three frames, drains. */
static enum sl_status short_run(void *arg)
{
    struct sl_frame *const *frames = arg;
    struct sl_encode_params p = defaults();
    p.preset = "ultrafast";
    p.threads = 1;
    struct sl_error err = {0};
    struct sl_coder *e;
    size_t packets = 0;
    enum sl_status status = sl_encode_open(&e, SL_CODEC_H264, NULL, &p, &err);
    if (status != SL_OK) {
        assert_null(e);
        assert_int_equal(err.status, status);
        return status;
    }
    for (int i = 0; i <= 3 && status == SL_OK; i++) {
        status = e->ops->send(e, i < 3 ? frames[i] : NULL, &err);
        while (status == SL_OK) {
            struct sl_packet *packet;
            status = e->ops->receive(e, &packet, &err);
            packets += status == SL_OK;
            sl_packet_unref(&packet);
        }
        if (status == SL_EAGAIN) {
            status = SL_OK;
        }
    }
    sl_encode_destroy(&e);
    if (status != SL_EOF) {
        return status;
    }
    assert_int_equal(packets, 3);
    return SL_OK;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct clip clip = {0};
    struct sl_frame *frames[3];
    for (int i = 0; i < 3; i++) {
        frames[i] = make(&clip, i);
    }
    failing_alloc_run(short_run, frames);
    for (int i = 0; i < 3; i++) {
        sl_frame_unref(&frames[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_where_it_is_told),
        cmocka_unit_test(keeps_irregular_times),
        cmocka_unit_test(scene_cuts_never_move_the_cuts),
        cmocka_unit_test(describes_colour_and_shape),
        cmocka_unit_test(announces_the_parameter_sets_it_sends),
        cmocka_unit_test(gives_the_same_bytes_again),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(refuses_bad_frames),
        cmocka_unit_test(speaks_through_the_log),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
