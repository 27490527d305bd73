/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "media/aac.h"
#include "media/codec_string.h"

#define AAC_FRAME 1024
#define LAYOUT_51 0x60fu /* with side speakers, as AC-3 has it */
#define PI        3.14159265358979323846

/* What a test encodes: samples from a function of channel and index. */
struct sound {
    double (*at)(const struct sound *s, int channel, int64_t sample);
    int64_t samples;
    int64_t first; /* pts of sample 0 */
    int32_t rate, channels;
    uint64_t layout;
    double hz;
    int64_t click;
    bool padded; /* the last frame is whole, and its duration says how much is meant */
};

/* Each channel has a tone of its own. */
static double tone(const struct sound *s, int channel, int64_t sample)
{
    return 0.25 * sin(2 * PI * s->hz * (1 + channel) * (double)sample / s->rate);
}

static double click(const struct sound *s, int channel, int64_t sample)
{
    (void)channel;
    return sample == s->click ? 0.9 : 0;
}

static int frame_count(const struct sound *s)
{
    return (int)((s->samples + AAC_FRAME - 1) / AAC_FRAME);
}

static struct sl_frame *make(void *arg, int i)
{
    const struct sound *s = arg;
    int64_t left = s->samples - (int64_t)i * AAC_FRAME;
    int32_t meant = left < AAC_FRAME ? (int32_t)left : AAC_FRAME;
    int32_t samples = s->padded ? AAC_FRAME : meant;
    struct sl_frame *f;
    assert_int_equal(sl_frame_create_audio(&f, s->channels, s->layout, s->rate, samples, NULL),
                     SL_OK);
    for (int c = 0; c < s->channels; c++) {
        float *out = (float *)(void *)f->plane[c];
        for (int k = 0; k < meant; k++) {
            out[k] = (float)s->at(s, c, (int64_t)i * AAC_FRAME + k);
        }
    }
    f->pts = s->first + (int64_t)i * AAC_FRAME;
    f->duration = meant;
    return f;
}

static struct sl_encode_params params_of(const struct sound *s)
{
    return (struct sl_encode_params){.timebase = {1, s->rate},
                                     .sample_rate = s->rate,
                                     .channels = s->channels,
                                     .channel_layout = s->layout};
}

static struct sl_coder *open_encoder(const struct sl_encode_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (sl_encode_open(&e, SL_CODEC_AAC, NULL, p, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return e;
}

/* ADTS keeps every sample, priming included. */
static void write_adts(const struct sl_track *t, const struct judge_packets *packets,
                       const char *path)
{
    struct sl_aac_config config;
    struct sl_error err = {0};
    assert_int_equal(sl_aac_parse_config(t->config, t->config_size, &config, &err), SL_OK);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < packets->count; i++) {
        size_t size;
        const uint8_t *data = judge_payload(packets->packet[i], &size);
        uint8_t header[SL_ADTS_HEADER];
        assert_int_equal(sl_adts_write(&config, size, header, &err), SL_OK);
        assert_int_equal(fwrite(header, 1, sizeof header, f), sizeof header);
        assert_int_equal(fwrite(data, 1, size, f), size);
    }
    assert_int_equal(fclose(f), 0);
}

/* The rules of the grid, whatever the sound. */
static void check_packets(const struct judge_packets *packets, const struct sound *s)
{
    int64_t at = s->first - AAC_FRAME, sum = 0;
    assert_int_equal(packets->count, frame_count(s) + 1);
    for (size_t i = 0; i < packets->count; i++, at += AAC_FRAME) {
        const struct sl_packet *p = packets->packet[i];
        assert_int_equal(p->pts, at);
        assert_int_equal(p->dts, at);
        assert_int_equal(p->duration, AAC_FRAME);
        assert_int_equal(p->flags, SL_PACKET_KEY);
        assert_int_equal(p->trim_start, 0);
        if (i + 1 < packets->count) {
            assert_int_equal(p->trim_end, 0);
        }
        sum += p->duration - p->trim_end;
    }
    assert_int_equal(sum, s->samples + AAC_FRAME);
}

/* Encodes, lets ffmpeg decode, and returns the samples, interleaved, without the priming. */
static float *there_and_back(const struct sound *s, int64_t bitrate)
{
    struct sl_encode_params p = params_of(s);
    p.bitrate = bitrate;
    struct sl_coder *e = open_encoder(&p);
    struct judge_packets packets;
    struct sound source = *s;
    judge_encode(e, make, &source, frame_count(s), &packets);
    check_packets(&packets, s);

    struct scratch dir;
    scratch_make(&dir);
    char aac[600], pcm[600];
    (void)snprintf(aac, sizeof aac, "%s", scratch_name(&dir, "a.aac"));
    (void)snprintf(pcm, sizeof pcm, "%s", scratch_name(&dir, "a.f32"));
    write_adts(&e->track, &packets, aac);
    /* Through a pipe: of a file ffmpeg would warn that it guesses the length. */
    free(judge_run("cat %s | ffmpeg -v warning -f aac -i - -ar %d -f f32le %s", aac, s->rate, pcm));
    /* Its size also says that rate and channels were understood: no resampling, no downmix. */
    size_t size;
    uint8_t *data = scratch_read(pcm, &size);
    size_t frame = sizeof(float) * (size_t)s->channels;
    assert_int_equal(size, packets.count * AAC_FRAME * frame);
    size_t skip = (size_t)e->track.delay * frame, length = (size_t)s->samples * frame;
    assert_true(skip + length <= size);
    float *out = malloc(length);
    assert_non_null(out);
    memcpy(out, data + skip, length);
    free(data);
    scratch_remove(&dir);
    judge_drop(&packets);
    sl_encode_destroy(&e);
    return out;
}

static void covers_every_sample(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1, 1023, 1024, 1025, 2048, 48000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int padded = 0; padded <= 1; padded++) {
            struct sound s = {.at = tone,
                              .samples = lengths[i],
                              .first = (int64_t)i * 5000,
                              .rate = 48000,
                              .channels = 2,
                              .hz = 440,
                              .padded = padded != 0};
            free(there_and_back(&s, 0));
        }
    }
}

/* Signal over error in dB, and level against the source in dB, of one channel in the middle. */
static void compare(const struct sound *s, const float *decoded, int channel, double *snr,
                    double *level)
{
    double signal = 0, error = 0, power = 0;
    for (int64_t i = s->samples / 4; i < s->samples * 3 / 4; i++) {
        double was = s->at(s, channel, i);
        double is = (double)decoded[i * s->channels + channel];
        signal += was * was;
        power += is * is;
        error += (is - was) * (is - was);
    }
    *snr = 10 * log10(signal / error);
    *level = 10 * log10(power / signal);
}

static void keeps_tones_in_their_channels(void **state)
{
    (void)state;
    static const struct {
        int32_t rate, channels;
        uint64_t layout;
    } cases[] = {{48000, 2, 3},         {44100, 2, 0}, {48000, 1, 4}, {8000, 1, 0},
                 {48000, 6, LAYOUT_51}, {96000, 2, 3}, {22050, 2, 0}, {48000, 6, 0x3f}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sound s = {.at = tone,
                          .samples = cases[k].rate,
                          .rate = cases[k].rate,
                          .channels = cases[k].channels,
                          .layout = cases[k].layout,
                          .hz = 311.13};
        float *decoded = there_and_back(&s, 0);
        for (int c = 0; c < s.channels; c++) {
            double snr, level;
            if (s.channels == 6 && c == 3) {
                continue; /* LFE: cut at 120 Hz or so */
            }
            compare(&s, decoded, c, &snr, &level);
            if (!(snr > 30) || !(fabs(level) < 0.1)) {
                fail_msg("%d Hz, channel %d of %d: SNR %.1f dB, level %.2f dB", s.rate, c,
                         s.channels, snr, level);
            }
        }
        free(decoded);
    }
}

static void leaves_a_click_where_it_was(void **state)
{
    (void)state;
    static const int64_t clicks[] = {0, 1, 777, 1024, 5000, 9999};
    for (size_t k = 0; k < sizeof clicks / sizeof *clicks; k++) {
        struct sound s = {
            .at = click, .samples = 10000, .rate = 48000, .channels = 1, .click = clicks[k]};
        float *decoded = there_and_back(&s, 128000);
        int64_t loudest = 0;
        for (int64_t i = 0; i < s.samples; i++) {
            loudest = fabsf(decoded[i]) > fabsf(decoded[loudest]) ? i : loudest;
        }
        assert_int_equal(loudest, clicks[k]);
        assert_true(fabsf(decoded[loudest]) > 0.4f);
        free(decoded);
    }
}

static void describes_its_track(void **state)
{
    (void)state;
    struct sound s = {.rate = 48000, .channels = 6, .layout = LAYOUT_51};
    struct sl_encode_params p = params_of(&s);
    struct sl_coder *e = open_encoder(&p);
    const struct sl_track *t = &e->track;
    assert_int_equal(t->kind, SL_KIND_AUDIO);
    assert_int_equal(t->codec, SL_CODEC_AAC);
    assert_string_equal(t->codec_name, "aac");
    assert_int_equal(t->timebase.num, 1);
    assert_int_equal(t->timebase.den, 48000);
    assert_int_equal(t->sample_rate, 48000);
    assert_int_equal(t->channels, 6);
    assert_int_equal(t->delay, AAC_FRAME);
    assert_int_equal(t->decode_delay, AAC_FRAME);
    assert_int_equal(t->bitrate, 6 * 64000);
    struct sl_aac_config config;
    assert_int_equal(sl_aac_parse_config(t->config, t->config_size, &config, NULL), SL_OK);
    assert_int_equal(config.object_type, 2);
    assert_int_equal(config.channel_config, 6); /* no program config element */
    assert_int_equal(config.frame_samples, AAC_FRAME);
    char codecs[SL_CODEC_STRING_MAX];
    assert_int_equal(sl_codec_string(t, codecs, NULL), SL_OK);
    assert_string_equal(codecs, "mp4a.40.2");
    struct sl_packet *packet;
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EAGAIN);
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    assert_int_equal(e->ops->receive(e, &packet, NULL), SL_EOF); /* nothing in, nothing out */
    sl_encode_destroy(&e);
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
    struct sound s = {.rate = 48000, .channels = 2};
    struct sl_encode_params cases[6];
    static const char *const says[6] = {"sample rate 47999",
                                        "9 channels, expected 1 to 8",
                                        "0 channels, expected 1 to 8",
                                        "timebase 1/44100, expected 1/48000",
                                        "layout 0x4 does not have 2 channels",
                                        "bitrate 600000, expected up to 576000"};
    for (size_t i = 0; i < 6; i++) {
        cases[i] = params_of(&s);
    }
    cases[0].sample_rate = 47999;
    cases[1].channels = 9;
    cases[2].channels = 0;
    cases[3].timebase.den = 44100;
    cases[4].channel_layout = 4;
    cases[5].bitrate = 600000;
    for (size_t i = 0; i < 6; i++) {
        struct sl_error err = {0};
        struct sl_coder *e;
        assert_int_not_equal(sl_encode_open(&e, SL_CODEC_AAC, NULL, &cases[i], &err), SL_OK);
        assert_null(e);
        if (!strstr(err.msg, says[i])) {
            fail_msg("\"%s\" is not in \"%s\"", says[i], err.msg);
        }
    }
}

static void refuses_bad_frames(void **state)
{
    (void)state;
    struct sound s = {.at = tone, .samples = 4096, .rate = 48000, .channels = 2, .hz = 440};
    struct sl_encode_params p = params_of(&s);
    struct sl_coder *e = open_encoder(&p);
    struct sl_frame *f = make(&s, 0);
    f->pts = SL_NO_TIME;
    assert_int_equal(e->ops->send(e, f, NULL), SL_EINVAL);
    f->pts = 100;
    assert_int_equal(e->ops->send(e, f, NULL), SL_OK);
    struct sl_error err = {0};
    f->pts = 100 + AAC_FRAME + 1; /* a gap of a sample */
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    assert_string_equal(err.msg, "frame starts at sample 1125, expected 1124");
    f->pts = 100 + AAC_FRAME;
    f->sample_rate = 44100;
    assert_int_equal(e->ops->send(e, f, NULL), SL_EINVAL);
    f->sample_rate = 48000;
    f->duration = 1000; /* the last one */
    assert_int_equal(e->ops->send(e, f, NULL), SL_OK);
    f->pts = 100 + AAC_FRAME + 1000;
    err = (struct sl_error){0};
    assert_int_equal(e->ops->send(e, f, &err), SL_EINVAL);
    assert_string_equal(err.msg,
                        "frame of 1024 samples after a short one, expected 1024 (fewer only at "
                        "the end)");
    sl_frame_unref(&f);
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_OK);
    struct sl_packet *packet;
    size_t packets = 0;
    while (e->ops->receive(e, &packet, NULL) == SL_OK) {
        packets++;
        sl_packet_unref(&packet);
    }
    assert_int_equal(packets, 3);
    sl_encode_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covers_every_sample),
        cmocka_unit_test(keeps_tones_in_their_channels),
        cmocka_unit_test(leaves_a_click_where_it_was),
        cmocka_unit_test(describes_its_track),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(refuses_bad_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
