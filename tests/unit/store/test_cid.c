/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "store/cid.h"
#include "store/set.h"
#include "store/varint.h"
#include "unit.h"

/* Made with multiformats 13 (JavaScript): one CID in every base that is read. */
static const char *const node_texts[] = {
    "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
    "BAFYBEIHMF37WCUVTX4HPU7HE5ZL5QAF2INEO2LQLFRAPOKKM5ZZW7ZYHVM",
    "zdj7WmKrrsQFg3AD2Mw1m6mcZ8xn7otrJNpkWBH8Hwucpk1U6",
    "f01701220ec2eff6152b3bf0efa7ce4ee57d800ba4348ed2e0b2c40f7294cee736fe707ab",
    "F01701220EC2EFF6152B3BF0EFA7CE4EE57D800BA4348ED2E0B2C40F7294CEE736FE707AB",
    "k2jmtxx911h1tpgrqzym2cr1y6n0rbk9ds1xfuvsf14qzgakitaxj1kb",
    "K2JMTXX911H1TPGRQZYM2CR1Y6N0RBK9DS1XFUVSF14QZGAKITAXJ1KB",
};
static const char node_v0[] = "QmeEcVSLQCZZLK41H299kBJQ9ucT8kxgtBmkTVZEoPB7JA";
static const char raw_text[] = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

static struct sl_cid parse(const char *text)
{
    struct sl_cid cid;

    assert_int_equal(sl_cid_parse(&cid, text, strlen(text), NULL), SL_OK);
    return cid;
}

static void test_bases(void **state)
{
    char text[SL_CID_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof node_texts / sizeof *node_texts; i++) {
        struct sl_cid cid = parse(node_texts[i]);

        assert_int_equal(cid.version, 1);
        assert_int_equal(cid.codec, SL_CODEC_DAG_PB);
        assert_string_equal(sl_cid_text(&cid, text), node_texts[0]);
    }
    struct sl_cid raw = parse(raw_text);

    assert_int_equal(raw.codec, SL_CODEC_RAW);
    assert_string_equal(sl_cid_text(&raw, text), raw_text);
}

static void test_versions(void **state)
{
    struct sl_cid v0 = parse(node_v0), v1 = parse(node_texts[0]), made;
    uint8_t bytes[SL_CID_BYTES_MAX];
    char text[SL_CID_TEXT_SIZE];
    size_t used;

    (void)state;
    assert_int_equal(v0.version, 0);
    assert_true(sl_cid_same(&v0, &v1));
    assert_string_equal(sl_cid_text(&v0, text), node_v0);
    made = sl_cid_v1(&v0);
    assert_string_equal(sl_cid_text(&made, text), node_texts[0]);
    assert_int_equal(sl_cid_encode(&v0, bytes), 34);
    assert_int_equal(sl_cid_decode(&made, bytes, 34, &used, NULL), SL_OK);
    assert_int_equal(made.version, 0);
    assert_int_equal(used, 34);
    assert_int_equal(sl_cid_encode(&v1, bytes), 36);
    assert_int_equal(sl_cid_decode(&made, bytes, 36, &used, NULL), SL_OK);
    assert_int_equal(made.version, 1);
    assert_int_equal(used, 36);
    for (size_t cut = 0; cut < 36; cut++) {
        assert_int_equal(sl_cid_decode(&made, bytes, cut, &used, NULL), SL_EDATA);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum sl_status status;
    } cases[] = {
        {"", SL_EINVAL},
        {"b", SL_EINVAL},
        {"film.mkv", SL_EINVAL},
        {"bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhv", SL_EINVAL},   /* cut */
        {"bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvma", SL_EINVAL}, /* longer */
        {"bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvn", SL_EINVAL}, /* spare bits */
        {"bAFYBEIHMF37WCUVTX4HPU7HE5ZL5QAF2INEO2LQLFRAPOKKM5ZZW7ZYHVM", SL_EINVAL},
        {"Bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm", SL_EINVAL},
        {"QmeEcVSLQCZZLK41H299kBJQ9ucT8kxgtBmkTVZEoPB7J", SL_EINVAL},
        {"QmeEcVSLQCZZLK41H299kBJQ9ucT8kxgtBmkTVZEoPB7J0", SL_EINVAL}, /* no 0 in base58 */
        {"QmeEcVSLQCZZLK41H299kBJQ9ucT8kxgtBmkTVZEoPB7JAA", SL_EINVAL},
        {"zQmeEcVSLQCZZLK41H299kBJQ9ucT8kxgtBmkTVZEoPB7JA", SL_EINVAL}, /* v0 with a prefix */
        {"f1220ec2eff6152b3bf0efa7ce4ee57d800ba4348ed2e0b2c40f7294cee736fe707ab", SL_EINVAL},
        {"f0171120", SL_EINVAL},
        /* dag-cbor; identity; SHA-512 */
        {"f01711220ec2eff6152b3bf0efa7ce4ee57d800ba4348ed2e0b2c40f7294cee736fe707ab",
         SL_EUNSUPPORTED},
        {"f0155000161", SL_EUNSUPPORTED},
        {"f01551340"
         "ec2eff6152b3bf0efa7ce4ee57d800ba4348ed2e0b2c40f7294cee736fe707ab"
         "ec2eff6152b3bf0efa7ce4ee57d800ba4348ed2e0b2c40f7294cee736fe707ab",
         SL_EINVAL}, /* longer than SL_CID_PARSE_MAX */
        {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
         "z"
         "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
         SL_EINVAL},
        {"z1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
         "11111111111111111111111111111111111111",
         SL_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_error err = {0};
        struct sl_cid cid;

        if (sl_cid_parse(&cid, cases[i].text, strlen(cases[i].text), &err) != cases[i].status) {
            fail_msg("%s: status %d (%s)", cases[i].text, err.status, err.msg);
        }
        assert_true(err.msg[0] != '\0');
    }
}

static void test_varints(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    static const uint8_t longer[] = {0x80, 0x00},
                         past[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    struct sl_reader r;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[SL_VARINT_MAX];
        size_t size = sl_varint_put(values[i], bytes);

        assert_int_equal(size, sl_varint_size(values[i]));
        sl_reader_init(&r, bytes, size);
        assert_true(sl_read_varint(&r) == values[i] && !r.overrun && r.pos == size);
        sl_reader_init(&r, bytes, size - 1);
        (void)sl_read_varint(&r);
        assert_true(r.overrun);
    }
    sl_reader_init(&r, longer, sizeof longer);
    (void)sl_read_varint(&r);
    assert_true(r.overrun);
    sl_reader_init(&r, past, sizeof past);
    (void)sl_read_varint(&r);
    assert_true(r.overrun);
}

static enum sl_status fill_set(void *arg)
{
    struct sl_cid_set set = {.max = 300};
    struct sl_cid cid = parse(raw_text);
    struct sl_cid_entry *entry;
    enum sl_status status = SL_OK;
    bool added;

    (void)arg;
    for (int i = 0; i < 300 && status == SL_OK; i++) {
        cid.digest[0] = (uint8_t)i;
        cid.digest[9] = (uint8_t)(i >> 8); /* behind what the place is taken from */
        status = sl_cid_set_add(&set, &cid, &entry, &added, NULL);
        if (status == SL_OK) {
            assert_true(added && entry->value == 0);
            entry->value = i;
        }
    }
    for (int i = 0; i < 300 && status == SL_OK; i++) {
        cid.digest[0] = (uint8_t)i;
        cid.digest[9] = (uint8_t)(i >> 8);
        assert_non_null(sl_cid_set_find(&set, &cid));
        assert_int_equal(sl_cid_set_find(&set, &cid)->value, i);
        assert_int_equal(sl_cid_set_add(&set, &cid, &entry, &added, NULL), SL_OK);
        assert_false(added);
    }
    if (status == SL_OK) {
        cid.digest[9] = 77;
        assert_null(sl_cid_set_find(&set, &cid));
        assert_int_equal(sl_cid_set_add(&set, &cid, &entry, &added, NULL), SL_ENOMEM);
    }
    sl_cid_set_clear(&set);
    return status;
}

static void test_set(void **state)
{
    (void)state;
    failing_alloc_run(fill_set, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bases),   cmocka_unit_test(test_versions),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_varints),
        cmocka_unit_test(test_set),
    };

    return cmocka_run_group_tests_name("store/cid", tests, NULL, NULL);
}
