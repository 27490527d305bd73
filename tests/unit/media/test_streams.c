/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams made by ffmpeg in this run, and those of the corpus where it exists: what we read out of
 * them is what ffprobe reads, and what we write is what ffmpeg's own bitstream filters write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "hevc_build.h"
#include "media/aac.h"
#include "media/codec_string.h"
#include "media/hevc.h"
#include "media/pixel.h"
#include "media/track.h"
#include "scratch.h"
#include "unit.h"

#define BIG (1u << 24)

static const struct stream {
    const char *name;
    bool hevc;
    const char *size, *options;
} streams[] = {
    {"high", false, "1920x1080",
     "-pix_fmt yuv420p -c:v libx264 -x264-params bframes=3:b-pyramid=normal:ref=4 "
     "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"},
    {"baseline", false, "352x288", "-pix_fmt yuv420p -c:v libx264 -profile:v baseline"},
    {"anamorphic", false, "720x576",
     "-vf setsar=16/15 -pix_fmt yuv420p -c:v libx264 -flags +ildct+ilme "
     "-color_primaries bt470bg -color_trc gamma28 -colorspace bt470bg"},
    {"hrd", false, "640x360",
     "-pix_fmt yuv420p -c:v libx264 -b:v 500k -maxrate 500k -bufsize 1M "
     "-x264-params nal-hrd=cbr:filler=0:pic-struct=1:chromaloc=2"},
    {"high10", false, "322x182", "-pix_fmt yuv420p10le -c:v libx264"},
    {"high422", false, "322x182", "-pix_fmt yuv422p -c:v libx264 -color_range pc"},
    {"high444", false, "321x181", "-pix_fmt yuv444p -c:v libx264"},
    {"gbr", false, "321x181", "-pix_fmt bgr24 -c:v libx264rgb"},
    {"main", true, "1280x720",
     "-pix_fmt yuv420p -c:v libx265 -x265-params log-level=none:bframes=4:b-pyramid=1 "
     "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"},
    {"main10", true, "642x362",
     "-vf setsar=4/3 -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:hrd=1:"
     "vbv-bufsize=1000:vbv-maxrate=500 -b:v 400k "
     "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv"},
    {"layers", true, "640x360",
     "-pix_fmt yuv420p -c:v libx265 -x265-params log-level=none:temporal-layers=1:"
     "scaling-list=default:no-b-pyramid=1:bframes=2"},
    {"main422", true, "322x182",
     "-pix_fmt yuv422p10le -c:v libx265 -x265-params log-level=none:bframes=0"},
    {"main444", true, "322x182",
     "-pix_fmt yuv444p -c:v libx265 -x265-params log-level=none -color_range pc"},
    {"gray", true, "320x180", "-pix_fmt gray -c:v libx265 -x265-params log-level=none"},
};
#define STREAMS (sizeof streams / sizeof *streams)

static int setup(void **state)
{
    struct scratch *s = malloc(sizeof *s);
    assert_non_null(s);
    scratch_make(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}

/* Twelve frames, Annex B. The name is valid until the next call. */
static const char *make_stream(struct scratch *s, const struct stream *v)
{
    const char *path = scratch_name(s, v->hevc ? "in.hevc" : "in.h264");
    free(command_run("ffmpeg -v error -y -f lavfi -i testsrc=s=%s:r=25:d=0.48 -preset ultrafast %s "
                     "'%s'",
                     v->size, v->options, path));
    return path;
}

/* What ffprobe calls the code points of H.273. */
static unsigned code_point(const char *name)
{
    static const struct {
        const char *name;
        unsigned value;
    } names[] = {{"", 2},           {"unknown", 2},      {"gbr", 0},      {"bt709", 1},
                 {"bt470m", 4},     {"bt470bg", 5},      {"gamma28", 5},  {"smpte170m", 6},
                 {"smpte240m", 7},  {"bt2020", 9},       {"bt2020nc", 9}, {"iec61966-2-1", 13},
                 {"smpte2084", 16}, {"arib-std-b67", 18}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].value;
        }
    }
    fail_msg("ffprobe says \"%s\"", name);
    return 2;
}

/* yuvj420p is how FFmpeg says yuv420p in full range. */
static enum sl_pixel_format pixel_format(const char *name)
{
    char plain[32];
    snprintf(plain, sizeof plain, "%s", name);
    if (strncmp(plain, "yuvj", 4) == 0) {
        memmove(plain + 3, plain + 4, strlen(plain + 4) + 1);
    }
    return sl_pixel_find(plain);
}

static void config_of(const uint8_t *data, size_t size, bool hevc, struct sl_writer *w)
{
    struct sl_error err = {0};
    sl_writer_init(w, BIG);
    const enum sl_status status =
        hevc ? sl_hvcc_from_annexb(data, size, w, &err) : sl_avcc_from_annexb(data, size, w, &err);
    if (status != SL_OK) {
        fail_msg("%s", err.msg);
    }
}

/* The reorder depth is compared only where the stream states it: FFmpeg guesses otherwise. */
static bool reorder_stated(const struct sl_track *t, bool hevc)
{
    struct sl_nal_config config;
    struct sl_h264_sps sps;
    if (hevc) {
        return true;
    }
    assert_int_equal(sl_avcc_parse(t->config, t->config_size, &config, NULL), SL_OK);
    assert_int_equal(sl_h264_parse_sps(&config.sets[0], &sps, NULL), SL_OK);
    return sps.vui_present && sps.bitstream_restriction;
}

static void check_track(const struct sl_track *t, bool hevc, struct probe *p, bool raw)
{
    assert_int_equal(t->width, probe_number(p, "width"));
    assert_int_equal(t->height, probe_number(p, "height"));
    assert_int_equal(t->pixel_format, pixel_format(probe_text(p, "pix_fmt")));
    assert_int_equal(t->level, probe_number(p, "level"));
    if (reorder_stated(t, hevc)) {
        assert_int_equal(t->reorder, probe_number(p, "has_b_frames"));
    } else {
        assert_true(t->reorder >= probe_number(p, "has_b_frames"));
    }
    /* In a container ffprobe merges what the container says. */
    const struct sl_colour *c = &t->colour;
    if (raw || c->primaries != 2) {
        assert_int_equal(c->primaries, code_point(probe_text(p, "color_primaries")));
    }
    if (raw || c->transfer != 2) {
        assert_int_equal(c->transfer, code_point(probe_text(p, "color_transfer")));
    }
    if (raw || c->matrix != 2) {
        assert_int_equal(c->matrix, code_point(probe_text(p, "color_space")));
    }
    if (c->range != SL_RANGE_UNSPECIFIED) {
        assert_string_equal(probe_text(p, "color_range"), c->range == SL_RANGE_FULL ? "pc" : "tv");
    }
    if (raw && t->sample_aspect.num > 0) {
        char sar[48];
        snprintf(sar, sizeof sar, "%d:%d", (int)t->sample_aspect.num, (int)t->sample_aspect.den);
        assert_string_equal(probe_text(p, "sample_aspect_ratio"), sar);
    }
    if (c->chroma_location != 0) {
        static const char *const locations[] = {"left", "center",     "topleft",
                                                "top",  "bottomleft", "bottom"};
        assert_string_equal(probe_text(p, "chroma_location"), locations[c->chroma_location - 1]);
    }
}

static void describe(struct sl_track *t, const struct sl_writer *config, bool hevc)
{
    sl_track_init(t);
    t->codec = hevc ? SL_CODEC_HEVC : SL_CODEC_H264;
    assert_int_equal(sl_track_set_config(t, config->data, config->size, NULL), SL_OK);
    assert_int_equal(hevc ? sl_hevc_describe(t, NULL) : sl_h264_describe(t, NULL), SL_OK);
}

/* Every access unit back and forth, the config against what ffmpeg's muxer makes of the stream. */
static void check_config(struct scratch *s, const char *path, bool hevc,
                         const struct sl_writer *config)
{
    char mp4[600];
    size_t file_size = 0;
    size_t box_size = 0;
    struct sl_nal_config ours;
    struct sl_nal_config theirs;

    char *source = strdup(path);
    assert_non_null(source);
    snprintf(mp4, sizeof mp4, "%s", scratch_name(s, "out.mp4"));
    free(command_run("ffmpeg -v error -y -r 25 -i '%s' -c copy '%s' 2>&1", source, mp4));
    free(source);
    uint8_t *file = scratch_read(mp4, &file_size);
    const uint8_t *box = find_box(file, file_size, hevc ? "hvcC" : "avcC", 1, &box_size);
    assert_non_null(box);
    if (!hevc) {
        assert_int_equal(box_size, config->size);
        assert_memory_equal(box, config->data, box_size);
        assert_int_equal(sl_avcc_parse(box, box_size, &theirs, NULL), SL_OK);
    } else {
        /* Byte 15 tells parallelism, which we leave open; arrays of "hev1" are not complete, and
         * ffmpeg keeps SEI. */
        assert_memory_equal(box, config->data, 15);
        assert_memory_equal(box + 16, config->data + 16, 22 - 16);
        assert_int_equal(sl_hvcc_parse(box, box_size, &theirs, NULL), SL_OK);
        assert_int_equal(sl_hvcc_parse(config->data, config->size, &ours, NULL), SL_OK);
        assert_int_equal(theirs.count, ours.count);
        for (size_t i = 0; i < ours.count; i++) {
            assert_int_equal(theirs.sets[i].size, ours.sets[i].size);
            assert_memory_equal(theirs.sets[i].data, ours.sets[i].data, ours.sets[i].size);
        }
    }
    free(file);
}

static void test_generated(void **state)
{
    struct scratch *s = *state;
    for (size_t i = 0; i < STREAMS; i++) {
        const struct stream *v = &streams[i];
        struct probe p;
        struct sl_track t;
        struct sl_writer config;
        struct sl_writer lengths;
        struct sl_writer annexb;
        char text[SL_CODEC_STRING_MAX];
        size_t size = 0;
        char path[600];

        snprintf(path, sizeof path, "%s", make_stream(s, v));
        uint8_t *data = scratch_read(path, &size);
        probe_open(&p, path, "v:0");
        config_of(data, size, v->hevc, &config);
        describe(&t, &config, v->hevc);
        check_track(&t, v->hevc, &p, true);
        check_config(s, path, v->hevc, &config);
        assert_int_equal(sl_codec_string(&t, text, NULL), SL_OK);
        assert_memory_equal(text, v->hevc ? "hvc1." : "avc1.", 5);
        assert_true(v->hevc ? sl_hevc_is_irap(data, size, 0) : sl_h264_is_idr(data, size, 0));

        /* The same units in both framings */
        sl_writer_init(&lengths, BIG);
        sl_writer_init(&annexb, BIG);
        sl_nal_annexb_to_length(data, size, &lengths);
        assert_int_equal(sl_nal_length_to_annexb(lengths.data, lengths.size, 4, &annexb, NULL),
                         SL_OK);
        struct sl_nal_walker a = {.data = data, .size = size};
        struct sl_nal_walker b = {.data = annexb.data, .size = annexb.size};
        struct sl_nal x;
        struct sl_nal y;
        size_t units = 0;
        while (sl_nal_next_annexb(&a, &x)) {
            assert_true(sl_nal_next_annexb(&b, &y));
            assert_int_equal(x.size, y.size);
            assert_memory_equal(x.data, y.data, x.size);
            units++;
        }
        assert_false(sl_nal_next_annexb(&b, &y));
        assert_true(units >= 12 + 2);
        sl_writer_clear(&lengths);
        sl_writer_clear(&annexb);
        sl_writer_clear(&config);
        sl_track_clear(&t);
        probe_close(&p);
        free(data);
    }
}

/* The first unit of this type, copied. */
static void first_unit(const char *path, bool hevc, struct sl_writer *out)
{
    size_t size = 0;
    uint8_t *data = scratch_read(path, &size);
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    while (sl_nal_next_annexb(&w, &nal)) {
        if (hevc ? (nal.data[0] >> 1 & 0x3f) == SL_HEVC_SPS : (nal.data[0] & 0x1f) == SL_H264_SPS) {
            sl_writer_init(out, BIG);
            sl_write_bytes(out, nal.data, nal.size);
            assert_int_equal(sl_writer_finish(out, NULL), SL_OK);
            free(data);
            return;
        }
    }
    fail_msg("no SPS in %s", path);
}

/* Our SPS writer against h264_metadata and hevc_metadata: bit for bit. */
static void test_rewritten(void **state)
{
    struct scratch *s = *state;
    const struct sl_colour colour = {9, 16, 9, SL_RANGE_FULL, 0};

    for (size_t i = 0; i < STREAMS; i++) {
        const struct stream *v = &streams[i];
        struct sl_writer before;
        struct sl_writer theirs;
        struct sl_writer ours;
        char in[600];
        char out[600];

        snprintf(in, sizeof in, "%s", make_stream(s, v));
        snprintf(out, sizeof out, "%s", scratch_name(s, v->hevc ? "out.hevc" : "out.h264"));
        free(command_run("ffmpeg -v error -y -i '%s' -c copy -bsf:v %s_metadata=colour_primaries=9:"
                         "transfer_characteristics=16:matrix_coefficients=9:"
                         "video_full_range_flag=1%s '%s'",
                         in, v->hevc ? "hevc" : "h264",
                         v->hevc ? "" : ":sample_aspect_ratio=7/5:crop_right=2", out));
        first_unit(in, v->hevc, &before);
        first_unit(out, v->hevc, &theirs);
        sl_writer_init(&ours, BIG);
        const struct sl_nal nal = {before.data, before.size};
        if (v->hevc) {
            assert_int_equal(sl_hevc_rewrite_colour(&nal, &colour, &ours, NULL), SL_OK);
        } else {
            struct sl_h264_sps sps;
            assert_int_equal(sl_h264_parse_sps(&nal, &sps, NULL), SL_OK);
            sps.sample_aspect = (struct sl_rational){7, 5};
            sps.video_signal_present = true;
            sps.colour_description_present = true;
            sps.colour.primaries = 9;
            sps.colour.transfer = 16;
            sps.colour.matrix = 9;
            sps.colour.range = SL_RANGE_FULL;
            sps.crop_right = sps.chroma_format_idc == 3 ? 2 : 1;
            sl_h264_write_sps(&sps, &ours);
        }
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.data, theirs.data, ours.size);
        sl_writer_clear(&before);
        sl_writer_clear(&theirs);
        sl_writer_clear(&ours);
    }
}

/* SPS with everything in them, of which encoders at hand write little: trace_headers finds the
 * VUI at the same bit. */
static void test_built(void **state)
{
    struct scratch *s = *state;
    uint64_t random = 2024;

    for (int run = 0; run < 12; run++) {
        static const uint8_t vps[] = {0,    0,    0,    1,    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff,
                                      0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
                                      0x00, 0x00, 0x03, 0x00, 0x78, 0x95, 0x94, 0x09};
        static const uint8_t slice[] = {0, 0, 0, 1, 0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89,
                                        0, 0, 0, 1, 0x26, 0x01, 0xaf, 0x10, 0x80};
        struct hevc_build c;
        struct sl_writer unit;
        struct sl_writer file;
        struct sl_hevc_sps sps;

        hevc_build_random(&c, &random);
        sl_writer_init(&unit, BIG);
        sl_writer_init(&file, BIG);
        hevc_build(&c, &unit);
        sl_write_bytes(&file, vps, sizeof vps);
        sl_write_be32(&file, 1);
        sl_write_bytes(&file, unit.data, unit.size);
        sl_write_bytes(&file, slice, sizeof slice);
        const char *path = scratch_name(s, "built.hevc");
        scratch_write(path, file.data, file.size);
        const struct sl_nal nal = {unit.data, unit.size};
        assert_int_equal(sl_hevc_parse_sps(&nal, &sps, NULL), SL_OK);

        char *text = command_run("ffmpeg -hide_banner -f hevc -i '%s' -c copy -bsf:v trace_headers "
                                 "-f null - 2>&1 || true",
                                 path);
        const char *line = strstr(text, "vui_parameters_present_flag");
        if (!line) {
            fail_msg("%s", text);
        }
        while (line[-1] != ']') {
            line--;
        }
        /* It counts from the NAL header on. */
        assert_int_equal(strtol(line, NULL, 10), sps.vui_bit + 16);
        free(text);
        sl_writer_clear(&unit);
        sl_writer_clear(&file);
    }
}

static void test_aac(void **state)
{
    static const struct {
        const char *layout;
        int rate;
        unsigned channels;
    } cases[] = {{"mono", 44100, 1}, {"stereo", 48000, 2}, {"5.1", 48000, 6}, {"7.1", 32000, 8}};
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[600];
        size_t size = 0;
        size_t box_size = 0;
        unsigned frames = 0;
        struct sl_aac_config c;

        snprintf(path, sizeof path, "%s", scratch_name(s, "sound.aac"));
        free(command_run("ffmpeg -v error -y -f lavfi -i 'aevalsrc=random(0)*0.2:c=%s:s=%d:d=0.5' "
                         "-c:a aac '%s' 2>&1",
                         cases[i].layout, cases[i].rate, path));
        uint8_t *data = scratch_read(path, &size);
        for (size_t at = 0; at < size; frames++) {
            struct sl_adts a;
            uint8_t header[SL_ADTS_HEADER];
            assert_int_equal(sl_adts_parse(data + at, size - at, &a, NULL), SL_OK);
            assert_int_equal(a.sample_rate, cases[i].rate);
            assert_int_equal(a.blocks, 1);
            c = (struct sl_aac_config){.object_type = a.object_type,
                                       .sample_rate = a.sample_rate,
                                       .channel_config = a.channel_config};
            if (a.channel_config != 0) { /* 7.1 has a program config element in the frames */
                assert_int_equal(
                    sl_adts_write(&c, (size_t)a.frame_size - a.header_size, header, NULL), SL_OK);
                assert_memory_equal(header, data + at, SL_ADTS_HEADER);
            }
            at += a.frame_size;
        }
        assert_true(frames > 10);
        free(data);

        char mp4[600];
        snprintf(mp4, sizeof mp4, "%s", scratch_name(s, "sound.mp4"));
        free(command_run("ffmpeg -v error -y -i '%s' -c copy '%s' 2>&1", path, mp4));
        data = scratch_read(mp4, &size);
        const uint8_t *esds = find_box(data, size, "esds", 0, &box_size);
        assert_non_null(esds);
        /* DecoderSpecificInfo: tag 5, a length in four bytes */
        size_t at = 0;
        while (at + 5 < box_size && !(esds[at] == 5 && esds[at + 1] == 0x80)) {
            at++;
        }
        const size_t config_size = esds[at + 4];
        assert_true(at + 5 + config_size <= box_size);
        assert_int_equal(sl_aac_parse_config(esds + at + 5, config_size, &c, NULL), SL_OK);
        assert_int_equal(c.sample_rate, cases[i].rate);
        assert_int_equal(c.channels, cases[i].channels);
        assert_false(c.sbr);
        assert_int_equal(c.frame_samples, 1024);
        free(data);
    }
}

static void test_corpus(void **state)
{
    struct scratch *s = *state;
    const char *folder = getenv("SLUICE_CORPUS");
    struct stat st;

    if (!folder) {
        folder = SL_SOURCE_ROOT "/../shared/corpus";
    }
    if (stat(folder, &st) != 0) {
        return; /* nothing to compare with; the generated streams have been */
    }
    char *list = command_run("ls '%s'/*.mkv '%s'/*.mp4 '%s'/*.ts '%s'/*.webm", folder, folder,
                             folder, folder);
    char *rest = NULL;
    for (char *path = strtok_r(list, "\n", &rest); path; path = strtok_r(NULL, "\n", &rest)) {
        struct probe p;
        struct sl_track t;
        struct sl_writer config;
        char raw[600];
        char text[SL_CODEC_STRING_MAX];
        size_t size = 0;

        probe_open(&p, path, "v:0");
        const bool hevc = strcmp(probe_text(&p, "codec_name"), "hevc") == 0;
        if (!hevc && strcmp(probe_text(&p, "codec_name"), "h264") != 0) {
            probe_close(&p);
            continue;
        }
        snprintf(raw, sizeof raw, "%s", scratch_name(s, hevc ? "c.hevc" : "c.h264"));
        free(command_run("ffmpeg -v fatal -y -i '%s' -map 0:v:0 -c copy -frames:v 40 -bsf:v "
                         "%s_mp4toannexb '%s'",
                         path, hevc ? "hevc" : "h264", raw));
        uint8_t *data = scratch_read(raw, &size);
        config_of(data, size, hevc, &config);
        describe(&t, &config, hevc);
        check_track(&t, hevc, &p, false);
        assert_int_equal(sl_codec_string(&t, text, NULL), SL_OK);
        free(data);

        /* An SPS of who knows which encoder, back as the bytes it was. Its aspect ratio may have
         * been written in a longer way, so the second writing is compared with the first. */
        if (!hevc) {
            struct sl_nal_config sets;
            struct sl_h264_sps a;
            struct sl_h264_sps b;
            struct sl_writer w;
            assert_int_equal(sl_avcc_parse(t.config, t.config_size, &sets, NULL), SL_OK);
            assert_int_equal(sl_h264_parse_sps(&sets.sets[0], &a, NULL), SL_OK);
            sl_writer_init(&w, BIG);
            sl_h264_write_sps(&a, &w);
            const struct sl_nal nal = {w.data, w.size};
            assert_int_equal(sl_h264_parse_sps(&nal, &b, NULL), SL_OK);
            assert_memory_equal(&a, &b, sizeof a);
            sl_writer_clear(&w);
        }
        /* What its own muxer wrote */
        if (strstr(path, ".mp4")) {
            size_t box_size = 0;
            struct sl_nal_config own;
            data = scratch_read(path, &size);
            const uint8_t *box = find_box(data, size, hevc ? "hvcC" : "avcC", 1, &box_size);
            assert_non_null(box);
            assert_int_equal(hevc ? sl_hvcc_parse(box, box_size, &own, NULL)
                                  : sl_avcc_parse(box, box_size, &own, NULL),
                             SL_OK);
            assert_true(own.count >= 2);
            free(data);
        }
        sl_writer_clear(&config);
        sl_track_clear(&t);
        probe_close(&p);
    }
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated), cmocka_unit_test(test_rewritten),
        cmocka_unit_test(test_built),     cmocka_unit_test(test_aac),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
