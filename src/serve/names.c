/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/names.h"

#include <stdio.h>

bool sl_name_presentable(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        unsigned follow = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
        uint32_t c = follow == 0 ? *p : *p & (0x3fu >> follow);
        static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};

        if (*p < 0x20 || *p == 0x7f || *p == '\\' || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4) {
            return false;
        }
        p++;
        for (unsigned i = 0; i < follow; i++, p++) {
            if ((*p & 0xc0) != 0x80) {
                return false;
            }
            c = c << 6 | (*p & 0x3fu);
        }
        if (c < least[follow] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

bool sl_name_join(char out[SL_SERVE_PATH_MAX], const char *path, const char *name)
{
    int n = snprintf(out, SL_SERVE_PATH_MAX, "%s%s%s", path, path[0] ? "/" : "", name);

    return n > 0 && n < SL_SERVE_PATH_MAX;
}

void sl_name_write_json(struct sl_writer *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        /* sl_name_presentable let no control character through */
        if (*p == '"' || *p == '\\') {
            sl_write_format(out, "\\%c", *p);
        } else {
            sl_write_u8(out, (unsigned char)*p);
        }
    }
}
