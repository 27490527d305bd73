/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "serve/decorate.h"
#include "unit.h"

static void test_lines(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"#EXTM3U\n1.m4s\n", "#EXTM3U\n1.m4s?q=1\n"},
        {"#EXTM3U\r\n1.m4s\r\n", "#EXTM3U\r\n1.m4s?q=1\r\n"},
        {"1.m4s", "1.m4s?q=1"},
        {"a?b", "a?b&q=1"},
        {"a#f", "a?q=1#f"},
        {"../x/1.ts\n", "../x/1.ts?q=1\n"},
        {"/abs\n", "/abs?q=1\n"},
        {"http://h/a\n//h/a\ndata:,x\n", "http://h/a\n//h/a\ndata:,x\n"},
        {"#EXT-X-MAP:URI=\"init.mp4\"\n", "#EXT-X-MAP:URI=\"init.mp4?q=1\"\n"},
        {"#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"1@0\"\n",
         "#EXT-X-MAP:URI=\"init.mp4?q=1\",BYTERANGE=\"1@0\"\n"},
        {"#EXT-X-MEDIA:NAME=\",URI=\",URI=\"a\",X=\"b\"\n",
         "#EXT-X-MEDIA:NAME=\",URI=\",URI=\"a?q=1\",X=\"b\"\n"},
        {"#EXT-X-MEDIA:NAME=\"no uri\"\n#EXTINF:4,URI=\"x\n# URI=\"y\"\n",
         "#EXT-X-MEDIA:NAME=\"no uri\"\n#EXTINF:4,URI=\"x\n# URI=\"y\"\n"},
        {"\n\n1\n", "\n\n1?q=1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_writer out;

        sl_writer_init(&out, 1000);
        sl_decorate_playlist((const uint8_t *)cases[i][0], strlen(cases[i][0]), "q=1", &out);
        sl_write_u8(&out, 0);
        assert_int_equal(out.status, SL_OK);
        assert_string_equal(out.data, cases[i][1]);
        sl_writer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
