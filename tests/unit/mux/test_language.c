/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/language.h"
#include "unit.h"

static void test_language(void **state)
{
    static const struct {
        const char *tag, *three, *bcp47;
    } cases[] = {
        {"en", "eng", "en"},
        {"eng", "eng", "en"},
        {"EN-us", "eng", "en-us"},
        {"fre", "fra", "fr"},
        {"ger", "deu", "de"},
        {"pt_BR", "por", "pt-BR"},
        {"gsw", "gsw", "gsw"},
        {"und", "und", ""},
        {"", "und", ""},
        {"e", "und", ""},
        {"english", "und", ""},
        {"\x80\xff", "und", ""},
        {"zh-Hant-TW", "zho", "zh-Hant-TW"},
        {"en-\"x", "eng", "en"},
        {"xx", "und", "xx"},
        {"zh-Hant-Latn-CN", "zho", "zh-Hant-Latn-CN"},
    };
    char three[4], tag[16];
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_language_iso639_2(cases[i].tag, three);
        assert_string_equal(three, cases[i].three);
        sl_language_bcp47(cases[i].tag, tag);
        assert_string_equal(tag, cases[i].bcp47);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_language)};
    return cmocka_run_group_tests_name("mux/language", tests, NULL, NULL);
}
