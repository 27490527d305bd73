/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "serve/types.h"
#include "unit.h"

static void test_types(void **state)
{
    static const struct {
        const char *path, *type;
        enum sl_media_class class;
    } cases[] = {
        {"master.m3u8", "application/vnd.apple.mpegurl", SL_CLASS_PLAYLIST},
        {"a/b/PLAYLIST.M3U8", "application/vnd.apple.mpegurl", SL_CLASS_PLAYLIST},
        {"360p/000/000001.m4s", "video/iso.segment", SL_CLASS_MEDIA},
        {"360p/init.mp4", "video/mp4", SL_CLASS_MEDIA},
        {"x.ts", "video/mp2t", SL_CLASS_MEDIA},
        {"x.m4a", "audio/mp4", SL_CLASS_MEDIA},
        {"x.vtt", "text/vtt; charset=utf-8", SL_CLASS_OTHER},
        {"x.html", "text/html; charset=utf-8", SL_CLASS_OTHER},
        {"x.js", "text/javascript; charset=utf-8", SL_CLASS_OTHER},
        {"hls.min.mjs", "text/javascript; charset=utf-8", SL_CLASS_OTHER},
        {"x.css", "text/css; charset=utf-8", SL_CLASS_OTHER},
        {"x.json", "application/json", SL_CLASS_OTHER},
        {"x.jpg", "image/jpeg", SL_CLASS_OTHER},
        {"x.PNG", "image/png", SL_CLASS_OTHER},
        {"x.svg", "image/svg+xml", SL_CLASS_OTHER},
        {"x.unknown", "application/octet-stream", SL_CLASS_OTHER},
        {"x", "application/octet-stream", SL_CLASS_OTHER},
        {"x.", "application/octet-stream", SL_CLASS_OTHER},
        {"x.mp4/y", "application/octet-stream", SL_CLASS_OTHER},
        {"mp4", "application/octet-stream", SL_CLASS_OTHER},
        {".mp4", "application/octet-stream", SL_CLASS_OTHER},
        {"x.mp4.bak", "application/octet-stream", SL_CLASS_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_media_type *t = sl_media_type_of(cases[i].path);

        if (strcmp(t->type, cases[i].type) != 0 || t->class != cases[i].class) {
            fail_msg("%s: %s", cases[i].path, t->type);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
