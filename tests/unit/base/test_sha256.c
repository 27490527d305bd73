/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/sha256.h"
#include "unit.h"

/* FIPS 180-4 examples (NIST), and one whose padding needs a block of its own. */
static void test_digests(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t digest[SL_SHA256_SIZE];
        char hex[SL_SHA256_SIZE * 2 + 1];

        sl_sha256(cases[i].text, strlen(cases[i].text), digest);
        sl_sha256_hex(digest, sizeof digest, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void test_pieces(void **state)
{
    static const char a[997];
    uint8_t digest[SL_SHA256_SIZE];
    char hex[SL_SHA256_SIZE * 2 + 1];
    struct sl_sha256 h;

    (void)state;
    for (size_t step = 1; step < 200; step += 7) {
        uint8_t whole[SL_SHA256_SIZE];

        sl_sha256(a, sizeof a, whole);
        sl_sha256_init(&h);
        for (size_t at = 0; at < sizeof a; at += step) {
            sl_sha256_update(&h, a + at, sizeof a - at < step ? sizeof a - at : step);
        }
        sl_sha256_final(&h, digest);
        assert_memory_equal(digest, whole, sizeof whole);
    }
    sl_sha256_init(&h);
    for (int i = 0; i < 1000000; i++) {
        sl_sha256_update(&h, "a", 1);
    }
    sl_sha256_final(&h, digest);
    sl_sha256_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231 4.2, 4.3, 4.7 */
static void test_hmac(void **state)
{
    uint8_t key[131], digest[SL_SHA256_SIZE];
    char hex[SL_SHA256_SIZE * 2 + 1];

    (void)state;
    memset(key, 0x0b, 20);
    sl_hmac_sha256(key, 20, "Hi There", 8, digest);
    sl_sha256_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    sl_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
    sl_sha256_hex(digest, 4, hex);
    assert_string_equal(hex, "5bdcc146");
    memset(key, 0xaa, sizeof key);
    sl_hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                   digest);
    sl_sha256_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(sl_equal_secret("", "", 0));
    assert_true(sl_equal_secret("abc", "abc", 3));
    assert_false(sl_equal_secret("abc", "abd", 3));
    assert_false(sl_equal_secret("bbc", "abc", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
