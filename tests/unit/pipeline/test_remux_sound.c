/* SPDX-License-Identifier: BSD-2-Clause */
/* Passed-through sound on the grid of its own samples. */
#include <stdlib.h>

#include "base/rational.h"
#include "media/track.h"
#include "pipeline/remux_sound.h"
#include "unit.h"

#define COUNT 2000

static struct sl_track track(enum sl_codec codec, int32_t rate, struct sl_rational timebase)
{
    struct sl_track t;
    sl_track_init(&t);
    t.kind = SL_KIND_AUDIO;
    t.codec = codec;
    t.sample_rate = rate;
    t.timebase = timebase;
    return t;
}

static void push(struct sl_remux_sound *s, int64_t pts, int64_t duration)
{
    struct sl_packet *p;
    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    assert_int_equal(sl_chain_add_copy(&p->payload, "x", 1, NULL), SL_OK);
    p->pts = pts;
    p->duration = duration;
    sl_remux_sound_push(s, p);
}

static int64_t starts[COUNT], lengths[COUNT];

static size_t collect(struct sl_remux_sound *s, size_t n)
{
    struct sl_packet *p;
    while ((p = sl_remux_sound_pop(s)) != NULL) {
        assert_true(p->duration > 0);
        assert_int_equal(p->pts, p->dts);
        if (n > 0) {
            assert_int_equal(p->pts, starts[n - 1] + lengths[n - 1]);
        }
        starts[n] = p->pts;
        lengths[n++] = p->duration;
        sl_packet_unref(&p);
    }
    return n;
}

/* Milliseconds of AAC, as Matroska has them: the samples come back, and rounded they are the same
 * milliseconds. first: samples at which the sound starts. */
static void milliseconds(int32_t rate, int64_t first, enum sl_rounding rounding)
{
    struct sl_rational ms = {1, 1000}, samples = {1, rate};
    struct sl_track t = track(SL_CODEC_AAC, rate, ms);
    struct sl_remux_sound s;
    int64_t times[COUNT];
    size_t n = 0, odd = 0;
    assert_int_equal(sl_remux_sound_init(&s, &t, NULL, NULL), SL_OK);
    for (int i = 0; i < COUNT; i++) {
        times[i] = sl_rescale(first + i * 1024, samples, ms, rounding);
        push(&s, times[i], SL_NO_TIME);
        n = collect(&s, n);
    }
    sl_remux_sound_end(&s);
    assert_int_equal(collect(&s, n), COUNT);
    for (int i = 0; i < COUNT; i++) {
        int64_t off = starts[i] * 1000 - times[i] * rate; /* in 1/1000 samples */
        assert_true(off >= -rate / 2 - 500 && off <= rate / 2 + 500);
        odd += lengths[i] != 1024;
    }
    assert_true(odd <= 3);
    sl_remux_sound_clear(&s);
}

static void matroska_milliseconds(void **state)
{
    (void)state;
    milliseconds(48000, 0, SL_ROUND_NEAREST);
    milliseconds(48000, 1024, SL_ROUND_NEAREST);
    milliseconds(44100, 0, SL_ROUND_NEAREST);
    milliseconds(44100, 777, SL_ROUND_DOWN);
    milliseconds(22050, 5, SL_ROUND_UP);
}

static void hours_do_not_drift(void **state)
{
    /* A clock that is 50 ppm fast: 0.18 s an hour. */
    struct sl_track t = track(SL_CODEC_AC3, 48000, sl_rational(1, 1000));
    struct sl_remux_sound s;
    struct sl_packet *p;
    int64_t worst = 0;
    (void)state;
    assert_int_equal(sl_remux_sound_init(&s, &t, NULL, NULL), SL_OK);
    for (int64_t i = 0; i < 300000; i++) {
        int64_t ms = sl_muldiv(i * 32, 1000050, 1000000, SL_ROUND_NEAREST);
        push(&s, ms, SL_NO_TIME);
        while ((p = sl_remux_sound_pop(&s)) != NULL) {
            sl_packet_unref(&p);
        }
        int64_t off = s.next - 1536 - ms * 48;
        if (s.next != SL_NO_TIME && s.ahead_count == 0) {
            worst = worst > llabs(off) ? worst : llabs(off);
        }
    }
    assert_true(worst <= 48);
    sl_remux_sound_clear(&s);
}

static void gaps_are_kept_and_overlaps_trimmed(void **state)
{
    struct sl_track t = track(SL_CODEC_AAC, 48000, sl_rational(1, 48000));
    struct sl_remux_sound s;
    (void)state;
    assert_int_equal(sl_remux_sound_init(&s, &t, NULL, NULL), SL_OK);
    push(&s, 0, 1024);
    push(&s, 1024, 1024);
    push(&s, 9000, 1024);       /* a gap */
    push(&s, 9000 + 500, 1024); /* an overlap of half a frame */
    push(&s, 9000 + 400, 1024); /* behind the one before it */
    push(&s, 9000 + 1524, 700); /* a short last one, as the table says */
    sl_remux_sound_end(&s);
    assert_int_equal(collect(&s, 0), 5);
    assert_int_equal(starts[1], 1024);
    assert_true(llabs(starts[2] - 9000) <= 1 && llabs(starts[3] - 9500) <= 1);
    assert_true(llabs(lengths[1] - (9000 - 1024)) <= 1);
    assert_int_equal(lengths[4], 700);
    assert_int_equal(s.dropped, 1);
    sl_remux_sound_clear(&s);
}

static void opus_lengths_come_from_its_toc(void **state)
{
    static const struct {
        uint8_t head[2];
        int64_t samples;
    } cases[] = {{{0xfc, 0}, 960},  {{0xfd, 0}, 1920}, {{0xe3, 0x03}, 360}, {{0x08, 0}, 960},
                 {{0x18, 0}, 2880}, {{0x60, 0}, 480},  {{0x68, 0}, 960}};
    struct sl_rational ms = {1, 1000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_track t = track(SL_CODEC_OPUS, 48000, ms);
        struct sl_remux_sound s;
        assert_int_equal(sl_remux_sound_init(&s, &t, NULL, NULL), SL_OK);
        for (int k = 0; k < 3; k++) {
            struct sl_packet *p;
            assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
            assert_int_equal(sl_chain_add_copy(&p->payload, cases[i].head, 2, NULL), SL_OK);
            p->pts = sl_rescale(k * cases[i].samples, sl_rational(1, 48000), ms, SL_ROUND_NEAREST);
            sl_remux_sound_push(&s, p);
        }
        sl_remux_sound_end(&s);
        assert_int_equal(collect(&s, 0), 3);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(lengths[k], cases[i].samples);
        }
        sl_remux_sound_clear(&s);
    }
}

static void eac3_frames_of_fewer_blocks(void **state)
{
    /* syncword, strmtyp 0, substreamid 0, frmsiz, fscod 0, numblkscod 1: two blocks */
    static const uint8_t head[] = {0x0b, 0x77, 0x00, 0x80, 0x10, 0, 0, 0};
    struct sl_track t = track(SL_CODEC_EAC3, 48000, sl_rational(1, 1000));
    struct sl_chain c;
    (void)state;
    sl_chain_init(&c);
    assert_int_equal(sl_chain_add_copy(&c, head, sizeof head, NULL), SL_OK);
    assert_int_equal(sl_remux_frame_samples(&t, &c), 512);
    sl_chain_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matroska_milliseconds),
        cmocka_unit_test(hours_do_not_drift),
        cmocka_unit_test(gaps_are_kept_and_overlaps_trimmed),
        cmocka_unit_test(opus_lengths_come_from_its_toc),
        cmocka_unit_test(eac3_frames_of_fewer_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
