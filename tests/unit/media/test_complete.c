/* SPDX-License-Identifier: BSD-2-Clause */
/* What a track lacks, from its first access unit: ffmpeg writes MP4 files, their first samples are
 * taken without their boxes, and what we make of them is what ffmpeg wrote into the boxes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "command.h"
#include "failing_alloc.h"
#include "media/ac3.h"
#include "media/adts.h"
#include "media/av1.h"
#include "media/complete.h"
#include "media/flac.h"
#include "media/hevc.h"
#include "media/mpeg_audio.h"
#include "media/nal_form.h"
#include "media/opus.h"
#include "media/track.h"
#include "media/vp9.h"
#include "scratch.h"
#include "unit.h"

#define PICTURE "-f lavfi -i testsrc2=s=320x180:r=30:d=0.4 "
#define SOUND   "-f lavfi -i anoisesrc=a=0.3:r=48000:d=0.4 "

static const struct source {
    enum sl_codec codec;
    const char *options, *file;
    const char *box; /* whose payload is the config that we must come to */
    uint8_t first;   /* its first byte */
    int32_t width, rate, channels;
} sources[] = {
    {SL_CODEC_H264, PICTURE "-c:v libx264 -pix_fmt yuv420p", "a.mp4", "avcC", 1, 320, 0, 0},
    {SL_CODEC_AV1, PICTURE "-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p", "b.mp4", "av1C", 0x81,
     320, 0, 0},
    {SL_CODEC_AV1,
     PICTURE "-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv444p10le -color_primaries bt2020 "
             "-color_trc smpte2084 -colorspace bt2020nc",
     "c.mp4", "av1C", 0x81, 320, 0, 0},
    {SL_CODEC_VP9,
     PICTURE "-c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuv420p10le -profile:v 2 "
             "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
     "d.mp4", "vpcC", 1, 320, 0, 0},
    {SL_CODEC_VP9, PICTURE "-c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuv422p", "e.mp4", "vpcC", 1, 320,
     0, 0},
    {SL_CODEC_AC3, SOUND "-ac 2 -c:a ac3 -b:a 192k", "f.mp4", "dac3", 0x10, 0, 48000, 2},
    {SL_CODEC_AC3, SOUND "-ac 6 -ar 44100 -c:a ac3 -b:a 448k", "g.mp4", "dac3", 0x50, 0, 44100, 6},
    {SL_CODEC_AC3, SOUND "-ac 1 -ar 32000 -c:a ac3 -b:a 64k", "h.mp4", "dac3", 0x90, 0, 32000, 1},
    {SL_CODEC_EAC3, SOUND "-ac 6 -c:a eac3 -b:a 384k", "i.mp4", "dec3", 0x0c, 0, 48000, 6},
    {SL_CODEC_EAC3, SOUND "-ac 2 -c:a eac3 -b:a 96k", "j.mp4", "dec3", 0x03, 0, 48000, 2},
    {SL_CODEC_MP3, SOUND "-ac 2 -ar 44100 -c:a libmp3lame", "k.mp4", NULL, 0, 0, 44100, 2},
    {SL_CODEC_MP3, SOUND "-ac 1 -ar 22050 -c:a libmp3lame", "l.mp4", NULL, 0, 0, 22050, 1},
};
#define SOURCES (sizeof sources / sizeof *sources)

static struct sl_packet *packet_of(const void *data, size_t size)
{
    struct sl_packet *p;
    uint8_t *to;
    assert_int_equal(sl_packet_create_data(&p, size, &to, NULL), SL_OK);
    if (size)
        memcpy(to, data, size);
    return p;
}

/* The first sample of a file. */
static struct sl_packet *first_sample(const char *path, const uint8_t *file, size_t file_size)
{
    unsigned long pos = 0, size = 0;
    char *text = command_run("ffprobe -v error -show_entries packet=size,pos -read_intervals %%+#1 "
                             "-of csv=p=0 %s",
                             path);
    assert_int_equal(sscanf(text, "%lu,%lu", &size, &pos), 2);
    free(text);
    assert_true(pos + size <= file_size);
    return packet_of(file + pos, size);
}

static enum sl_status complete(struct sl_track *t, const struct sl_packet *p,
                               struct sl_payload_form *form)
{
    struct sl_error err = {0};
    enum sl_status status = sl_track_complete(t, &p->payload, form, &err);
    assert_int_equal(err.status, status == SL_EAGAIN ? SL_OK : status);
    return status;
}

static void test_boxes(void **state)
{
    struct scratch dir;
    (void)state;
    scratch_make(&dir);
    for (size_t i = 0; i < SOURCES; i++) {
        const struct source *s = &sources[i];
        struct sl_payload_form form;
        struct sl_packet *p;
        struct sl_track t;
        size_t file_size, box_size = 0;
        const char *path = scratch_name(&dir, s->file);
        free(command_run("ffmpeg -v error -y %s -strict -2 %s 2>&1", s->options, path));
        uint8_t *file = scratch_read(path, &file_size);
        p = first_sample(path, file, file_size);
        sl_track_init(&t);
        t.codec = s->codec;
        if (s->codec == SL_CODEC_VP9 && strstr(s->options, "bt2020")) {
            t.colour.primaries = 9; /* VP9 does not code them: the container does */
            t.colour.transfer = 16;
        }
        if (s->codec == SL_CODEC_H264) { /* as a stream has it */
            struct sl_writer w;
            struct sl_buf *buf;
            sl_writer_init(&w, 1 << 20);
            assert_int_equal(sl_chain_load(&p->payload, &buf, NULL), SL_OK);
            const uint8_t *avcc = find_box(file, file_size, "avcC", 1, &box_size);
            struct sl_nal_config config;
            assert_int_equal(sl_avcc_parse(avcc, box_size, &config, NULL), SL_OK);
            for (size_t k = 0; k < config.count; k++) {
                sl_write_be32(&w, 1);
                sl_write_bytes(&w, config.sets[k].data, config.sets[k].size);
            }
            assert_int_equal(sl_nal_length_to_annexb(buf->data, buf->size, 4, &w, NULL), SL_OK);
            sl_packet_unref(&p);
            p = packet_of(w.data, w.size);
            sl_buf_unref(&buf);
            sl_writer_clear(&w);
        }
        assert_int_equal(complete(&t, p, &form), SL_OK);
        assert_int_equal(form.annexb, s->codec == SL_CODEC_H264);
        assert_false(form.in_band || form.adts);
        assert_int_equal(t.width, s->width);
        assert_int_equal(t.sample_rate, s->rate);
        assert_int_equal(t.channels, s->channels);
        if (s->box) {
            const uint8_t *box = find_box(file, file_size, s->box, s->first, &box_size);
            if (!box)
                fail_msg("%s has no %s", s->file, s->box);
            assert_int_equal(t.config_size, box_size);
            if (s->codec == SL_CODEC_VP9) /* ffmpeg knows the rate, and so a higher level */
                t.config[5] = box[5];
            if (s->codec == SL_CODEC_H264) /* its trailing fields are optional */
                box_size = box_size < 8 ? box_size : box_size - 4;
            assert_memory_equal(t.config, box, box_size);
        } else {
            assert_int_equal(t.config_size, 0);
        }
        sl_packet_unref(&p);
        sl_track_clear(&t);
        free(file);
    }
    scratch_remove(&dir);
}

/* Opus and FLAC: their boxes are read, written from what was read, and are the same. */
static void test_round_trips(void **state)
{
    struct scratch dir;
    size_t file_size, size;
    struct sl_writer w;
    (void)state;
    scratch_make(&dir);
    for (unsigned i = 0; i < 2; i++) {
        struct sl_opus_head head, again;
        free(command_run("ffmpeg -v error -y " SOUND "-ac %d -c:a libopus %s 2>&1", i ? 6 : 2,
                         scratch_name(&dir, "o.mp4")));
        uint8_t *file = scratch_read(dir.name, &file_size);
        const uint8_t *box = find_box(file, file_size, "dOps", 0, &size);
        assert_non_null(box);
        assert_int_equal(sl_opus_parse(box, size, &head, NULL), SL_OK);
        assert_int_equal(head.channels, i ? 6 : 2);
        assert_int_equal(head.pre_skip, 312);
        sl_writer_init(&w, 1024);
        sl_opus_write_dops(&head, &w);
        assert_int_equal(w.size, size);
        assert_memory_equal(w.data, box, size);
        sl_writer_clear(&w);
        sl_opus_write_head(&head, &w);
        assert_int_equal(sl_opus_parse(w.data, w.size, &again, NULL), SL_OK);
        assert_memory_equal(&head, &again, sizeof head);
        sl_writer_clear(&w);
        struct sl_packet *p = first_sample(dir.name, file, file_size);
        uint8_t toc[2];
        assert_int_equal(sl_chain_read(&p->payload, 0, toc, 2, NULL), SL_OK);
        assert_int_equal(sl_opus_samples(toc, 2), 960);
        sl_packet_unref(&p);
        free(file);
    }
    struct sl_flac_info info, bare;
    free(command_run("ffmpeg -v error -y " SOUND "-sample_fmt s32 -c:a flac -strict -2 %s 2>&1",
                     scratch_name(&dir, "f.mp4")));
    uint8_t *file = scratch_read(dir.name, &file_size);
    const uint8_t *box = find_box(file, file_size, "dfLa", 0, &size);
    assert_non_null(box);
    assert_int_equal(sl_flac_parse(box, size, &info, NULL), SL_OK);
    assert_int_equal(info.sample_rate, 48000);
    assert_int_equal(info.bit_depth, 24);
    sl_writer_init(&w, 1024);
    sl_flac_write_dfla(&info, &w);
    assert_int_equal(w.size, size);
    assert_memory_equal(w.data, box, size);
    sl_writer_clear(&w);
    assert_int_equal(sl_flac_parse(info.raw, SL_FLAC_STREAMINFO, &bare, NULL), SL_OK);
    assert_int_equal(bare.block_max, info.block_max);
    sl_writer_init(&w, 1024);
    sl_write_text(&w, "fLaC");
    sl_write_bytes(&w, box + 4, size - 4);
    assert_int_equal(sl_flac_parse(w.data, w.size, &bare, NULL), SL_OK);
    assert_int_equal(bare.channels, info.channels);
    assert_int_equal(sl_flac_parse(w.data, 20, &bare, NULL), SL_EDATA);
    sl_writer_clear(&w);
    free(file);
    scratch_remove(&dir);
}

/* ---- E-AC-3 by hand: ffmpeg makes no dependent substreams and no Atmos --------------------- */

static void put_frame(struct sl_writer *w, unsigned type, unsigned id, unsigned acmod, bool lfe,
                      unsigned map, bool joc)
{
    struct sl_bit_writer b;
    size_t start = w->size;
    sl_bit_writer_init(&b, w);
    sl_put_bits(&b, 16, 0x0b77);
    sl_put_bits(&b, 2, type);
    sl_put_bits(&b, 3, id);
    sl_put_bits(&b, 11, 32 / 2 - 1);
    sl_put_bits(&b, 4, 3); /* 48 kHz, six blocks */
    sl_put_bits(&b, 3, acmod);
    sl_put_bits(&b, 1, lfe);
    sl_put_bits(&b, 5, 16);
    sl_put_bits(&b, 5, 31);
    sl_put_bits(&b, 1, 0); /* compre */
    if (type == 1) {
        sl_put_bits(&b, 1, 1);
        sl_put_bits(&b, 16, map);
    }
    sl_put_bits(&b, 1, 0); /* mixmdate */
    sl_put_bits(&b, 1, 0); /* infomdate */
    sl_put_bits(&b, 1, joc);
    if (joc) {
        sl_put_bits(&b, 6, 1); /* two bytes */
        sl_put_bits(&b, 8, 1);
        sl_put_bits(&b, 8, 16);
    }
    sl_put_align(&b);
    sl_write_zeros(w, 32 - (w->size - start));
}

static void test_eac3(void **state)
{
    static const uint8_t atmos[] = {0x00, 0x80, 0x20, 0x0f, 0x00, 0x01, 0x10};
    static const uint8_t eight[] = {0x01, 0x00, 0x20, 0x0f, 0x02, 0x02};
    struct sl_payload_form form;
    struct sl_ac3_unit unit;
    struct sl_packet *p;
    struct sl_track t;
    struct sl_writer w;
    (void)state;
    sl_writer_init(&w, 1024);
    put_frame(&w, 0, 0, 7, true, 0, true);
    put_frame(&w, 0, 0, 7, true, 0, true); /* the next access unit: not this one's */
    p = packet_of(w.data, w.size);
    sl_track_init(&t);
    t.codec = SL_CODEC_EAC3;
    assert_int_equal(complete(&t, p, &form), SL_OK);
    assert_int_equal(t.config_size, sizeof atmos);
    t.config[0] = 0, t.config[1] = 0x80; /* the data rate: 8 kbit/s */
    assert_memory_equal(t.config, atmos, sizeof atmos);
    assert_int_equal(t.channel_layout, 0x3f);
    assert_int_equal(t.bitrate, 32 * 8 * 48000 / 1536);
    sl_track_clear(&t);
    sl_packet_unref(&p);
    sl_writer_clear(&w);

    put_frame(&w, 0, 0, 7, true, 0, false);
    put_frame(&w, 1, 0, 2, false, 0x0200, false); /* Lrs/Rrs */
    put_frame(&w, 0, 0, 7, true, 0, false);
    assert_int_equal(sl_ac3_parse_unit(w.data, w.size, &unit, NULL), SL_OK);
    assert_int_equal(unit.count, 1);
    assert_int_equal(unit.channels, 8);
    assert_int_equal(unit.layout, 0x63f);
    p = packet_of(w.data, w.size);
    t.codec = SL_CODEC_EAC3;
    assert_int_equal(complete(&t, p, &form), SL_OK);
    assert_int_equal(t.config_size, sizeof eight);
    t.config[0] = 1, t.config[1] = 0;
    assert_memory_equal(t.config, eight, sizeof eight);
    /* AC-3 it is not */
    sl_track_clear(&t);
    t.codec = SL_CODEC_AC3;
    assert_int_equal(complete(&t, p, &form), SL_EDATA);
    sl_packet_unref(&p);
    assert_int_equal(sl_ac3_parse_unit(w.data + 32, 32, &unit, NULL), SL_EDATA); /* dependent */
    assert_int_equal(sl_ac3_parse_unit(w.data, 6, &unit, NULL), SL_EDATA);
    sl_writer_clear(&w);
}

/* ---- pieces -------------------------------------------------------------------------------- */

static void test_adts(void **state)
{
    static const uint8_t frame[] = {0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 1, 2, 3, 4};
    static const uint8_t asc[] = {0x12, 0x10};
    struct sl_payload_form form;
    struct sl_track t;
    struct sl_packet *p = packet_of(frame, sizeof frame);
    (void)state;
    sl_track_init(&t);
    t.codec = SL_CODEC_AAC;
    assert_int_equal(complete(&t, p, &form), SL_OK);
    assert_true(form.adts);
    assert_int_equal(t.config_size, 2);
    assert_memory_equal(t.config, asc, 2);
    assert_int_equal(t.sample_rate, 44100);
    assert_int_equal(t.channels, 2);
    assert_int_equal(sl_adts_unwrap(p, NULL), SL_OK);
    assert_int_equal(p->payload.size, 4);
    assert_int_equal(sl_adts_unwrap(p, NULL), SL_OK); /* nothing there any more */
    assert_int_equal(p->payload.size, 4);
    sl_track_clear(&t);
    assert_int_equal((t.codec = SL_CODEC_AAC, complete(&t, p, &form)), SL_EDATA);
    sl_packet_unref(&p);
    p = packet_of(frame, sizeof frame - 1);
    assert_int_equal(sl_adts_unwrap(p, NULL), SL_EDATA);
    sl_packet_unref(&p);

    /* Channels told by a program config element: two front pairs, one LFE */
    uint8_t pce[] = {0xff, 0xf1, 0x4c, 0x00, 0x02, 0x1f, 0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct sl_writer w;
    struct sl_bit_writer b;
    struct sl_aac_config config;
    sl_writer_init(&w, 64);
    sl_bit_writer_init(&b, &w);
    sl_put_bits(&b, 3, 5);
    sl_put_bits(&b, 10, 1 << 4 | 3);
    sl_put_bits(&b, 4, 2);
    sl_put_bits(&b, 8, 0);
    sl_put_bits(&b, 2, 1);
    sl_put_bits(&b, 7, 0);
    sl_put_bits(&b, 3, 0);
    sl_put_bits(&b, 5, 16);
    sl_put_bits(&b, 5, 17);
    sl_put_bits(&b, 4, 0);
    sl_put_align(&b);
    sl_write_u8(&w, 0);
    memcpy(pce + 7, w.data, w.size);
    sl_writer_clear(&w);
    assert_int_equal(sl_adts_config(pce, sizeof pce, &w, NULL), SL_OK);
    assert_int_equal(sl_aac_parse_config(w.data, w.size, &config, NULL), SL_OK);
    assert_int_equal(config.channels, 5);
    assert_int_equal(config.sample_rate, 48000);
    sl_writer_clear(&w);
    pce[7] = 0;
    assert_int_equal(sl_adts_config(pce, sizeof pce, &w, NULL), SL_EAGAIN);
    sl_writer_clear(&w);
}

static void test_mpeg_audio(void **state)
{
    static const struct {
        uint8_t bytes[4];
        enum sl_status status;
        uint32_t rate, bit_rate, size;
        uint16_t samples;
    } cases[] = {
        {{0xff, 0xfb, 0x90, 0x64}, SL_OK, 44100, 128000, 417, 1152},
        {{0xff, 0xfb, 0x92, 0x64}, SL_OK, 44100, 128000, 418, 1152},
        {{0xff, 0xf3, 0x84, 0xc4}, SL_OK, 24000, 64000, 192, 576},
        {{0xff, 0xe3, 0x18, 0xc4}, SL_OK, 8000, 8000, 72, 576},
        {{0xff, 0xfd, 0xa4, 0x00}, SL_OK, 48000, 192000, 576, 1152},
        {{0xff, 0xff, 0x44, 0x00}, SL_OK, 48000, 128000, 128, 384},
        {{0xff, 0xfb, 0x00, 0x64}, SL_OK, 44100, 0, 0, 1152},
        {{0xff, 0xfb, 0xf0, 0x64}, SL_EDATA, 0, 0, 0, 0},
        {{0xff, 0xeb, 0x90, 0x64}, SL_EDATA, 0, 0, 0, 0},
        {{0xff, 0xfb, 0x9c, 0x64}, SL_EDATA, 0, 0, 0, 0},
        {{0x0b, 0x77, 0x90, 0x64}, SL_EDATA, 0, 0, 0, 0},
    };
    struct sl_mpeg_audio a;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(sl_mpeg_audio_parse(cases[i].bytes, 4, &a, NULL), cases[i].status);
        if (cases[i].status)
            continue;
        assert_int_equal(a.sample_rate, cases[i].rate);
        assert_int_equal(a.bit_rate, cases[i].bit_rate);
        assert_int_equal(a.frame_size, cases[i].size);
        assert_int_equal(a.samples, cases[i].samples);
    }
    assert_int_equal(sl_mpeg_audio_parse(cases[0].bytes, 3, &a, NULL), SL_EDATA);
}

static void test_opus_samples(void **state)
{
    static const uint8_t toc[][2] = {{0x00, 0}, {0x1b, 2}, {0x80, 0},
                                     {0xfc, 0}, {0xff, 6}, {3, 63}};
    static const unsigned samples[] = {480, 5760, 120, 960, 5760, 0};
    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(sl_opus_samples(toc[i], 2), samples[i]);
    assert_int_equal(sl_opus_samples(toc[1], 1), 0);
    assert_int_equal(sl_opus_samples(NULL, 0), 0);
}

/* Pictures that do not begin a stream tell nothing; that is no error. */
static void test_again(void **state)
{
    static const uint8_t vp9[] = {0x84, 0, 0}, av1[] = {0x12, 0, 0x32, 1, 0};
    static const uint8_t h264[] = {0, 0, 0, 1, 0x41, 1, 2, 3};
    static const struct {
        enum sl_codec codec;
        const uint8_t *data;
        size_t size;
    } cases[] = {{SL_CODEC_VP9, vp9, sizeof vp9},
                 {SL_CODEC_AV1, av1, sizeof av1},
                 {SL_CODEC_H264, h264, sizeof h264},
                 {SL_CODEC_HEVC, h264, sizeof h264}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_payload_form form;
        struct sl_track t;
        struct sl_packet *p = packet_of(cases[i].data, cases[i].size);
        sl_track_init(&t);
        t.codec = cases[i].codec;
        assert_int_equal(complete(&t, p, &form), SL_EAGAIN);
        sl_packet_unref(&p);
        sl_track_clear(&t);
    }
}

static void test_nal_form(void **state)
{
    static const uint8_t annexb[] = {0, 0, 0, 1, 0x65, 1, 2, 3};
    static const uint8_t lengths[] = {0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41};
    static const uint8_t either[] = {0, 0, 0, 1, 0x65};
    struct sl_chain chain = {0};
    enum sl_nal_form form;
    (void)state;
    assert_int_equal(sl_nal_form(annexb, sizeof annexb, 4), SL_NAL_ANNEXB);
    assert_int_equal(sl_nal_form(lengths, sizeof lengths, 4), SL_NAL_LENGTHS);
    assert_int_equal(sl_nal_form(either, sizeof either, 4), SL_NAL_UNCLEAR);
    assert_int_equal(sl_nal_form(either, 2, 4), SL_NAL_UNCLEAR);
    /* in pieces the same */
    for (size_t cut = 0; cut <= sizeof annexb; cut++) {
        assert_int_equal(sl_chain_add_copy(&chain, annexb, cut, NULL), SL_OK);
        assert_int_equal(sl_chain_add_copy(&chain, annexb + cut, sizeof annexb - cut, NULL), SL_OK);
        assert_int_equal(sl_nal_form_chain(&chain, 4, &form, NULL), SL_OK);
        assert_int_equal(form, SL_NAL_ANNEXB);
        sl_chain_clear(&chain);
    }
    for (size_t cut = 1; cut < sizeof either; cut++) {
        assert_int_equal(sl_chain_add_copy(&chain, either, cut, NULL), SL_OK);
        assert_int_equal(sl_chain_add_copy(&chain, either + cut, sizeof either - cut, NULL), SL_OK);
        assert_int_equal(sl_nal_form_chain(&chain, 4, &form, NULL), SL_OK);
        assert_int_equal(form, SL_NAL_UNCLEAR);
        sl_chain_clear(&chain);
    }
}

/* Every allocation failing in turn, over one access unit of each kind. */
static enum sl_status complete_all(void *arg)
{
    static const uint8_t adts[] = {0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 1, 2, 3, 4};
    static const uint8_t vp8[] = {0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0};
    static const uint8_t opus[] = {0xfc, 1};
    static const uint8_t ac3[] = {0x0b, 0x77, 0, 0, 0x14, 0x40, 0x40, 0};
    static const struct {
        enum sl_codec codec;
        const uint8_t *data;
        size_t size;
    } cases[] = {{SL_CODEC_AAC, adts, sizeof adts},
                 {SL_CODEC_VP8, vp8, sizeof vp8},
                 {SL_CODEC_OPUS, opus, sizeof opus},
                 {SL_CODEC_AC3, ac3, sizeof ac3}};
    enum sl_status status = SL_OK;
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !status; i++) {
        struct sl_payload_form form;
        struct sl_chain chain = {0};
        struct sl_track t;
        sl_track_init(&t);
        t.codec = cases[i].codec;
        status = sl_chain_add_copy(&chain, cases[i].data, cases[i].size, NULL);
        if (!status)
            status = sl_track_complete(&t, &chain, &form, NULL);
        sl_chain_clear(&chain);
        sl_track_clear(&t);
    }
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(complete_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes),      cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_eac3),       cmocka_unit_test(test_adts),
        cmocka_unit_test(test_mpeg_audio), cmocka_unit_test(test_opus_samples),
        cmocka_unit_test(test_again),      cmocka_unit_test(test_nal_form),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("media/complete", tests, NULL, NULL);
}
