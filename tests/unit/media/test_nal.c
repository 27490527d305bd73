/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "failing_alloc.h"
#include "media/nal.h"
#include "random.h"
#include "unit.h"

#define BIG (1u << 20)

static void expect_units(const uint8_t *data, size_t size, const char *expected)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    struct sl_writer text;

    sl_writer_init(&text, BIG);
    while (sl_nal_next_annexb(&w, &nal)) {
        assert_true(nal.data >= data && nal.data + nal.size <= data + size);
        sl_write_text(&text, "[");
        for (size_t i = 0; i < nal.size; i++) {
            sl_write_format(&text, "%02x", nal.data[i]);
        }
        sl_write_text(&text, "]");
    }
    assert_false(sl_nal_next_annexb(&w, &nal)); /* and it stays so */
    sl_write_u8(&text, 0);
    assert_int_equal(sl_writer_finish(&text, NULL), SL_OK);
    assert_string_equal((char *)text.data, expected);
    sl_writer_clear(&text);
}

#define UNITS(expected, ...)                                                                       \
    expect_units((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), expected)

static void test_annexb(void **state)
{
    (void)state;
    expect_units(NULL, 0, "");
    UNITS("", 0);
    UNITS("", 0, 0, 1);
    UNITS("", 0, 0, 0, 1);
    UNITS("[65]", 0, 0, 1, 0x65);
    UNITS("[65]", 0, 0, 0, 1, 0x65, 0, 0);
    UNITS("[65aa][41]", 0, 0, 1, 0x65, 0xaa, 0, 0, 1, 0x41);
    UNITS("[65aa][41]", 0, 0, 0, 1, 0x65, 0xaa, 0, 0, 0, 0, 0, 1, 0x41);
    UNITS("[41]", 0x99, 1, 0, 0, 1, 0x41);    /* bytes before the first code */
    UNITS("[41]", 0, 0, 1, 0, 0, 0, 1, 0x41); /* an empty unit */
    UNITS("[6500000301]", 0, 0, 1, 0x65, 0, 0, 3, 1);
    UNITS("[0101]", 0, 0, 1, 1, 1);
    UNITS("", 1, 1, 1, 1);
}

static void test_find(void **state)
{
    static const uint8_t data[] = {0, 0, 1, 0x67, 0, 0, 0, 1, 0x65, 0, 0, 1};
    (void)state;
    assert_int_equal(sl_nal_find_annexb(data, sizeof data, 0), 3);
    assert_int_equal(sl_nal_find_annexb(data, sizeof data, 3), 8);
    assert_int_equal(sl_nal_find_annexb(data, sizeof data, 8), sizeof data);
    assert_int_equal(sl_nal_find_annexb(data, sizeof data, sizeof data), sizeof data);
    assert_int_equal(sl_nal_find_annexb(NULL, 0, 0), 0);
    /* A unit of no bytes is none, and 00 01 begins one (HEVC TRAIL_N). */
    static const uint8_t empty[] = {0, 0, 1, 0, 0, 0, 1, 0, 1, 0xd0, 0, 0, 1, 0, 0};
    assert_int_equal(sl_nal_find_annexb(empty, sizeof empty, 0), 7);
    assert_int_equal(sl_nal_find_annexb(empty, sizeof empty, 7), sizeof empty);
}

static void test_length(void **state)
{
    static const uint8_t one[] = {2, 0x65, 0xaa, 0, 1, 0x41};
    static const uint8_t four[] = {0, 0, 0, 2, 0x65, 0xaa};
    struct sl_nal_walker w = {.data = one, .size = sizeof one};
    struct sl_nal nal;
    struct sl_error err = {0};
    (void)state;

    assert_int_equal(sl_nal_next_length(&w, 1, &nal, NULL), SL_OK);
    assert_int_equal(nal.size, 2);
    assert_int_equal(sl_nal_next_length(&w, 1, &nal, NULL), SL_OK); /* past the empty one */
    assert_int_equal(nal.data[0], 0x41);
    assert_int_equal(sl_nal_next_length(&w, 1, &nal, NULL), SL_EOF);
    assert_int_equal(sl_nal_next_length(&w, 1, &nal, NULL), SL_EOF);

    for (size_t size = 0; size <= sizeof four; size++) {
        uint8_t *copy = malloc(size + !size);
        assert_non_null(copy);
        memcpy(copy, four, size);
        w = (struct sl_nal_walker){.data = copy, .size = size};
        assert_int_equal(sl_nal_next_length(&w, 4, &nal, NULL), size == 0             ? SL_EOF
                                                                : size == sizeof four ? SL_OK
                                                                                      : SL_EDATA);
        free(copy);
    }
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1};
    w = (struct sl_nal_walker){.data = huge, .size = sizeof huge};
    assert_int_equal(sl_nal_next_length(&w, 4, &nal, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, "4294967295"));
    assert_int_equal(sl_nal_next_length(&w, 3, &nal, NULL), SL_EINVAL);
    assert_int_equal(sl_nal_next_length(&w, 0, &nal, NULL), SL_EINVAL);
}

/* A payload made of the bytes that matter to escaping. */
static size_t random_bytes(uint64_t *random, uint8_t *out, size_t max)
{
    const size_t size = random_below(random, (uint32_t)max + 1);
    for (size_t i = 0; i < size; i++) {
        const uint32_t r = random_below(random, 10);
        out[i] = (uint8_t)(r < 6 ? 0 : r < 9 ? r - 5 : random_below(random, 256));
    }
    return size;
}

static void test_escape(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int run = 0; run < 20000; run++) {
        uint8_t rbsp[40];
        struct sl_writer escaped;
        struct sl_writer back;
        const size_t size = random_bytes(&random, rbsp, sizeof rbsp);

        sl_writer_init(&escaped, BIG);
        sl_writer_init(&back, BIG);
        sl_nal_escape(rbsp, size, &escaped);
        assert_int_equal(sl_writer_finish(&escaped, NULL), SL_OK);
        for (size_t i = 2; i < escaped.size; i++) { /* 7.4.1: none of 00 00 00, 01, 02 */
            assert_false(escaped.data[i - 2] == 0 && escaped.data[i - 1] == 0 &&
                         escaped.data[i] < 3);
        }
        sl_nal_unescape(escaped.data, escaped.size, &back);
        assert_int_equal(back.size, size);
        if (size > 0) {
            assert_memory_equal(back.data, rbsp, size);
        }
        sl_writer_clear(&escaped);
        sl_writer_clear(&back);
    }
    static const uint8_t in[] = {0, 0, 1, 0, 0, 3, 5, 0, 0};
    static const uint8_t out[] = {0, 0, 3, 1, 0, 0, 3, 3, 5, 0, 0, 3};
    struct sl_writer w;
    sl_writer_init(&w, BIG);
    sl_nal_escape(in, sizeof in, &w);
    assert_int_equal(w.size, sizeof out);
    assert_memory_equal(w.data, out, sizeof out);
    sl_writer_clear(&w);
}

/* Units in Annex B with every kind of framing → lengths → Annex B → lengths. */
static void test_reframe(void **state)
{
    uint64_t random = 99;
    (void)state;
    for (int run = 0; run < 3000; run++) {
        struct sl_writer annexb;
        struct sl_writer lengths;
        struct sl_writer again;
        struct sl_writer expected;
        const unsigned count = random_below(&random, 6);

        sl_writer_init(&annexb, BIG);
        sl_writer_init(&lengths, BIG);
        sl_writer_init(&again, BIG);
        sl_writer_init(&expected, BIG);
        for (unsigned i = 0; i < count; i++) {
            uint8_t rbsp[30];
            struct sl_writer unit;
            const size_t size = random_bytes(&random, rbsp, sizeof rbsp - 1);
            rbsp[size] = 0x80;
            sl_writer_init(&unit, BIG);
            sl_nal_escape(rbsp, size + 1, &unit);
            sl_write_zeros(&annexb, random_below(&random, 4));
            sl_write_be24(&annexb, 1);
            sl_write_bytes(&annexb, unit.data, unit.size);
            sl_write_be32(&expected, (uint32_t)unit.size);
            sl_write_bytes(&expected, unit.data, unit.size);
            sl_writer_clear(&unit);
        }
        sl_write_zeros(&annexb, random_below(&random, 3));

        sl_nal_annexb_to_length(annexb.data, annexb.size, &lengths);
        assert_int_equal(lengths.size, expected.size);
        if (expected.size > 0) {
            assert_memory_equal(lengths.data, expected.data, expected.size);
        }
        assert_int_equal(sl_nal_length_to_annexb(lengths.data, lengths.size, 4, &again, NULL),
                         SL_OK);
        sl_writer_clear(&lengths);
        sl_nal_annexb_to_length(again.data, again.size, &lengths);
        assert_int_equal(lengths.size, expected.size);
        if (expected.size > 0) {
            assert_memory_equal(lengths.data, expected.data, expected.size);
        }
        sl_writer_clear(&annexb);
        sl_writer_clear(&lengths);
        sl_writer_clear(&again);
        sl_writer_clear(&expected);
    }
}

static enum sl_status body(void *arg)
{
    static const uint8_t data[] = {0, 0, 1, 0x65, 1, 2, 0, 0, 3, 1, 0, 0, 1, 0x41, 9};
    struct sl_writer lengths;
    struct sl_writer annexb;
    struct sl_writer raw;
    enum sl_status status;
    (void)arg;

    sl_writer_init(&lengths, BIG);
    sl_writer_init(&annexb, BIG);
    sl_writer_init(&raw, BIG);
    sl_nal_annexb_to_length(data, sizeof data, &lengths);
    status = sl_writer_finish(&lengths, NULL);
    if (status == SL_OK) {
        status = sl_nal_length_to_annexb(lengths.data, lengths.size, 4, &annexb, NULL);
    }
    if (status == SL_OK) {
        status = sl_writer_finish(&annexb, NULL);
    }
    if (status == SL_OK) {
        sl_nal_unescape(annexb.data, annexb.size, &raw);
        sl_nal_escape(annexb.data, annexb.size, &raw);
        status = sl_writer_finish(&raw, NULL);
    }
    sl_writer_clear(&lengths);
    sl_writer_clear(&annexb);
    sl_writer_clear(&raw);
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
        cmocka_unit_test(test_annexb),  cmocka_unit_test(test_find),
        cmocka_unit_test(test_length),  cmocka_unit_test(test_escape),
        cmocka_unit_test(test_reframe), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
