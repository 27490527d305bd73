/* SPDX-License-Identifier: BSD-2-Clause */
#include "package/text.h"

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

bool sl_text_quotable(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '"' || is_control(*c)) {
            return false;
        }
    }
    return *text != '\0';
}

bool sl_text_uri(const char *text)
{
    return sl_text_quotable(text) && text[0] != '#' && text[0] != ' ';
}

void sl_text_write_name(struct sl_writer *w, const char *text)
{
    for (const char *c = text; *c; c++) {
        sl_write_u8(w, is_control(*c) ? ' ' : *c == '"' ? '\'' : (unsigned char)*c);
    }
}
