/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/query.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sl_query_next(struct sl_text *query, struct sl_text *name, struct sl_text *value)
{
    while (query->size > 0) {
        const char *end = memchr(query->data, '&', query->size), *equals;
        size_t length = end ? (size_t)(end - query->data) : query->size;
        size_t passed = end ? length + 1 : length;

        *name = (struct sl_text){query->data, length};
        *value = (struct sl_text){query->data + length, 0};
        equals = length > 0 ? memchr(name->data, '=', length) : NULL;
        if (equals) {
            name->size = (size_t)(equals - name->data);
            *value = (struct sl_text){equals + 1, length - name->size - 1};
        }
        query->data += passed;
        query->size -= passed;
        if (length > 0) {
            return true;
        }
    }
    return false;
}

int sl_query_decode(struct sl_text part, char *out, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < part.size; i++) {
        unsigned char c = (unsigned char)part.data[i];

        if (c == '%') {
            int high = part.size - i > 2 ? hex_value(part.data[i + 1]) : -1;
            int low = part.size - i > 2 ? hex_value(part.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return -1;
            }
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f || n + 1 >= room) {
            return -1;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return (int)n;
}

int sl_query_get(struct sl_text query, const char *name, char *out, size_t room)
{
    struct sl_text key, value, found = {NULL, 0};

    while (sl_query_next(&query, &key, &value)) {
        if (key.size == strlen(name) && memcmp(key.data, name, key.size) == 0) {
            if (found.data) {
                return -1;
            }
            found = value;
        }
    }
    if (!found.data) {
        return 0;
    }
    return sl_query_decode(found, out, room) < 0 ? -1 : 1;
}

int sl_query_number(struct sl_text query, const char *name, int64_t *value)
{
    char text[20];
    int found = sl_query_get(query, name, text, sizeof text - 1);
    int64_t n = 0;

    if (found != 1) {
        return found;
    }
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') {
            return -1;
        }
        n = n * 10 + (*p - '0');
    }
    *value = n;
    return text[0] ? 1 : -1;
}

void sl_query_encode(struct sl_writer *w, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            strchr("-._~/", c)) {
            sl_write_u8(w, c);
        } else {
            sl_write_format(w, "%%%02X", c);
        }
    }
}
