/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "failing_alloc.h"
#include "media/aac.h"
#include "random.h"
#include "unit.h"

#define BIG 4096

/* Configurations as encoders write them. */
static const struct vector {
    const char *name;
    size_t size;
    uint8_t bytes[8];
    struct sl_aac_config c;
} vectors[] = {
    {"LC 44100", 2, {0x12, 0x10}, {2, 2, 44100, 2, 2, false, false, 44100, 1024}},
    {"LC 48000 5.1", 2, {0x11, 0xb0}, {2, 2, 48000, 6, 6, false, false, 48000, 1024}},
    {"LC 48000 7.1", 2, {0x11, 0xb8}, {2, 2, 48000, 7, 8, false, false, 48000, 1024}},
    {"LC 960", 2, {0x11, 0x94}, {2, 2, 48000, 2, 2, false, false, 48000, 960}},
    {"Main", 2, {0x0a, 0x10}, {1, 1, 44100, 2, 2, false, false, 44100, 1024}},
    {"LC, SBR denied",
     5,
     {0x11, 0x90, 0x56, 0xe5, 0x00},
     {2, 2, 48000, 2, 2, false, false, 48000, 1024}},
    {"HE, explicit", 4, {0x2b, 0x92, 0x08, 0x00}, {2, 5, 22050, 2, 2, true, false, 44100, 1024}},
    {"HE v2, explicit", 4, {0xeb, 0x8a, 0x08, 0x00}, {2, 29, 22050, 1, 1, true, true, 44100, 1024}},
    {"HE, compatible",
     5,
     {0x13, 0x90, 0x56, 0xe5, 0xa0},
     {2, 2, 22050, 2, 2, true, false, 44100, 1024}},
    {"HE v2, compatible",
     7,
     {0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80},
     {2, 2, 22050, 1, 1, true, true, 44100, 1024}},
    {"ELD", 4, {0xf8, 0xe8, 0x50, 0x00}, {39, 39, 44100, 2, 2, false, false, 44100, 480}},
    {"LD", 3, {0xba, 0x10, 0x00}, {23, 23, 44100, 2, 2, false, false, 44100, 512}},
    {"escape rate",
     5,
     {0x17, 0x80, 0x18, 0x1c, 0x90},
     {2, 2, 12345, 2, 2, false, false, 12345, 1024}},
};
#define VECTORS (sizeof vectors / sizeof *vectors)

static void check_config(const char *name, const struct sl_aac_config *c,
                         const struct sl_aac_config *e)
{
    if (c->object_type != e->object_type || c->declared_type != e->declared_type ||
        c->sample_rate != e->sample_rate || c->channel_config != e->channel_config ||
        c->channels != e->channels || c->sbr != e->sbr || c->ps != e->ps ||
        c->output_rate != e->output_rate || c->frame_samples != e->frame_samples) {
        fail_msg("%s: %u (%u), %u Hz, config %u, %u channels, SBR %d, PS %d, %u Hz, %u samples",
                 name, c->object_type, c->declared_type, c->sample_rate, c->channel_config,
                 c->channels, c->sbr, c->ps, c->output_rate, c->frame_samples);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        struct sl_aac_config c;
        assert_int_equal(sl_aac_parse_config(v->bytes, v->size, &c, NULL), SL_OK);
        check_config(v->name, &c, &v->c);
        for (size_t size = 0; size < v->size; size++) {
            uint8_t *copy = malloc(size + !size);
            struct sl_error err = {0};
            assert_non_null(copy);
            memcpy(copy, v->bytes, size);
            const enum sl_status status = sl_aac_parse_config(copy, size, &c, &err);
            assert_true(status == SL_OK || status == SL_EDATA);
            assert_true(status == SL_EDATA || size >= 2);
            assert_int_equal(err.status, status);
            free(copy);
        }
    }
}

static void test_refused(void **state)
{
    static const uint8_t reserved_rate[] = {0x16, 0x90};         /* index 13 */
    static const uint8_t zero_rate[] = {0x17, 0x80, 0, 0, 0x10}; /* escape, 0 Hz */
    static const uint8_t reserved_ext[] = {0x2b, 0x96, 0x88, 0};
    static const uint8_t usac[] = {0xf9, 0x46, 0x40, 0x00};
    static const uint8_t null_type[] = {0x02, 0x10};
    struct sl_aac_config c;
    struct sl_error err = {0};
    (void)state;

    assert_int_equal(sl_aac_parse_config(reserved_rate, 2, &c, NULL), SL_EDATA);
    assert_int_equal(sl_aac_parse_config(zero_rate, 5, &c, NULL), SL_EDATA);
    assert_int_equal(sl_aac_parse_config(reserved_ext, 4, &c, NULL), SL_EDATA);
    assert_int_equal(sl_aac_parse_config(null_type, 2, &c, NULL), SL_EUNSUPPORTED);
    assert_int_equal(sl_aac_parse_config(NULL, 0, &c, NULL), SL_EDATA);
    assert_int_equal(sl_aac_parse_config(usac, 4, &c, &err), SL_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "42"));
    assert_int_equal(c.declared_type, 42);
    assert_int_equal(c.sample_rate, 48000);
    assert_int_equal(c.channels, 2);
}

/* A program config element: front pair, back pair, centre, LFE; with a comment. */
static void test_program(void **state)
{
    struct sl_writer w;
    struct sl_bit_writer b;
    struct sl_aac_config c;
    (void)state;

    sl_writer_init(&w, BIG);
    sl_bit_writer_init(&b, &w);
    sl_put_bits(&b, 5, 2);
    sl_put_bits(&b, 4, 3);
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 3, 0);
    sl_put_bits(&b, 4, 0); /* element_instance_tag */
    sl_put_bits(&b, 2, 1);
    sl_put_bits(&b, 4, 3);
    sl_put_bits(&b, 4, 2); /* front */
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 4, 1); /* back */
    sl_put_bits(&b, 2, 1); /* LFE */
    sl_put_bits(&b, 3, 1); /* data */
    sl_put_bits(&b, 4, 1); /* coupling */
    sl_put_bits(&b, 1, 1);
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 1, 0);
    sl_put_bits(&b, 1, 1);
    sl_put_bits(&b, 3, 0);
    sl_put_bits(&b, 5, 0);    /* single channel */
    sl_put_bits(&b, 5, 0x10); /* pair */
    sl_put_bits(&b, 5, 0x11);
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 5, 0);
    sl_put_align(&b);
    sl_put_bits(&b, 8, 3);
    sl_put_bits(&b, 24, 0x616263);
    sl_put_bits(&b, 11, 0x2b7); /* and what follows it is found */
    sl_put_bits(&b, 5, 5);
    sl_put_bits(&b, 1, 1);
    sl_put_bits(&b, 4, 0);
    sl_put_align(&b);
    assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
    assert_int_equal(sl_aac_parse_config(w.data, w.size, &c, NULL), SL_OK);
    assert_int_equal(c.channel_config, 0);
    assert_int_equal(c.channels, 6);
    assert_true(c.sbr);
    assert_int_equal(c.output_rate, 96000);
    sl_writer_clear(&w);
}

static void test_write(void **state)
{
    static const uint32_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
                                     16000, 12000, 11025, 8000,  7350,  1,     47999, 0xffffff};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        for (uint8_t channels = 1; channels <= 7; channels++) {
            struct sl_aac_config c = {.object_type = 2,
                                      .sample_rate = rates[i],
                                      .channel_config = channels,
                                      .frame_samples = channels == 3 ? 960 : 1024};
            struct sl_aac_config back;
            struct sl_writer w;
            sl_writer_init(&w, BIG);
            sl_aac_write_config(&c, &w);
            assert_int_equal(sl_writer_finish(&w, NULL), SL_OK);
            assert_int_equal(w.size, i < 13 ? 2 : 5);
            assert_int_equal(sl_aac_parse_config(w.data, w.size, &back, NULL), SL_OK);
            assert_int_equal(back.object_type, 2);
            assert_int_equal(back.sample_rate, rates[i]);
            assert_int_equal(back.channel_config, channels);
            assert_int_equal(back.frame_samples, c.frame_samples);
            sl_writer_clear(&w);
        }
    }
    /* From the number of channels alone */
    const struct sl_aac_config c = {.object_type = 2, .sample_rate = 48000, .channels = 8};
    struct sl_writer w;
    sl_writer_init(&w, BIG);
    sl_aac_write_config(&c, &w);
    assert_memory_equal(w.data, vectors[2].bytes, 2);
    sl_writer_clear(&w);
}

static void test_adts(void **state)
{
    static const uint8_t known[] = {0xff, 0xf1, 0x4c, 0x80, 0x2e, 0x7f, 0xfc};
    struct sl_adts a;
    (void)state;

    assert_int_equal(sl_adts_parse(known, sizeof known, &a, NULL), SL_OK);
    assert_int_equal(a.object_type, 2);
    assert_int_equal(a.sample_rate, 48000);
    assert_int_equal(a.channel_config, 2);
    assert_int_equal(a.frame_size, 371);
    assert_int_equal(a.header_size, 7);
    assert_int_equal(a.blocks, 1);

    static const uint8_t crc[] = {0xff, 0xf8, 0x50, 0x80, 0x2e, 0x7f, 0xfd}; /* MPEG-2, 2 blocks */
    assert_int_equal(sl_adts_parse(crc, sizeof crc, &a, NULL), SL_OK);
    assert_int_equal(a.header_size, 11);
    assert_int_equal(a.blocks, 2);

    for (size_t size = 0; size < sizeof known; size++) {
        uint8_t *copy = malloc(size + !size);
        assert_non_null(copy);
        memcpy(copy, known, size);
        assert_int_equal(sl_adts_parse(copy, size, &a, NULL), SL_EDATA);
        free(copy);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 0xfe}, {1, 0xe1}, {1, 0xf3}, {2, 0x74}, {2, 0x7c}, {4, 0}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        uint8_t bytes[7];
        struct sl_error err = {0};
        memcpy(bytes, known, 7);
        bytes[damage[i].at] = damage[i].value;
        assert_int_equal(sl_adts_parse(bytes, 7, &a, &err), SL_EDATA);
        assert_int_equal(err.status, SL_EDATA);
    }
}

static void test_adts_write(void **state)
{
    struct sl_aac_config c = {.object_type = 2, .sample_rate = 44100, .channel_config = 2};
    uint64_t random = 77;
    uint8_t header[SL_ADTS_HEADER];
    struct sl_adts a;
    (void)state;

    for (int run = 0; run < 2000; run++) {
        static const uint32_t rates[] = {96000, 48000, 44100, 8000, 7350};
        const size_t payload = random_below(&random, 8185);
        c.object_type = (uint8_t)(1 + random_below(&random, 4));
        c.sample_rate = rates[random_below(&random, 5)];
        c.channel_config = (uint8_t)(1 + random_below(&random, 7));
        assert_int_equal(sl_adts_write(&c, payload, header, NULL), SL_OK);
        assert_int_equal(sl_adts_parse(header, sizeof header, &a, NULL), SL_OK);
        assert_int_equal(a.object_type, c.object_type);
        assert_int_equal(a.sample_rate, c.sample_rate);
        assert_int_equal(a.channel_config, c.channel_config);
        assert_int_equal(a.frame_size, payload + 7);
        assert_int_equal(a.header_size, 7);
        assert_int_equal(a.blocks, 1);
    }
    assert_int_equal(sl_adts_write(&c, 8184, header, NULL), SL_OK);
    assert_int_equal(sl_adts_write(&c, 8185, header, NULL), SL_EUNSUPPORTED);
    struct sl_aac_config d = c;
    d.sample_rate = 12345;
    assert_int_equal(sl_adts_write(&d, 10, header, NULL), SL_EUNSUPPORTED);
    d = c;
    d.object_type = 5;
    assert_int_equal(sl_adts_write(&d, 10, header, NULL), SL_EUNSUPPORTED);
    d = c;
    d.channel_config = 0;
    assert_int_equal(sl_adts_write(&d, 10, header, NULL), SL_EUNSUPPORTED);
    d.channel_config = 11;
    assert_int_equal(sl_adts_write(&d, 10, header, NULL), SL_EUNSUPPORTED);
    d = c;
    d.frame_samples = 960;
    assert_int_equal(sl_adts_write(&d, 10, header, NULL), SL_EUNSUPPORTED);
}

static void test_garbage(void **state)
{
    uint64_t random = 4;
    (void)state;
    for (int run = 0; run < 100000; run++) {
        const size_t size = random_below(&random, 24);
        uint8_t *bytes = malloc(size + !size);
        struct sl_aac_config c;
        struct sl_adts a;
        assert_non_null(bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)random_next(&random);
        }
        if (sl_aac_parse_config(bytes, size, &c, NULL) == SL_OK) {
            assert_true(c.sample_rate > 0 && c.output_rate > 0 && c.frame_samples > 0);
        }
        if (size >= 2) {
            bytes[0] = 0xff;
            bytes[1] |= 0xf0;
        }
        if (sl_adts_parse(bytes, size, &a, NULL) == SL_OK) {
            assert_true(a.frame_size >= a.header_size && a.sample_rate > 0);
        }
        free(bytes);
    }
}

static enum sl_status body(void *arg)
{
    const struct sl_aac_config c = {.object_type = 2, .sample_rate = 48000, .channel_config = 2};
    struct sl_writer w;
    (void)arg;
    sl_writer_init(&w, BIG);
    sl_aac_write_config(&c, &w);
    const enum sl_status status = sl_writer_finish(&w, NULL);
    sl_writer_clear(&w);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_program), cmocka_unit_test(test_write),
        cmocka_unit_test(test_adts),    cmocka_unit_test(test_adts_write),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
