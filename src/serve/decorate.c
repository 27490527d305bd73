/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/decorate.h"

#include <string.h>

/* Without a scheme (RFC 3986 3.1) and without an authority: what is elsewhere has other rules. */
static bool is_relative(const char *uri, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (uri[i] == ':') {
            return false;
        }
        if (strchr("/?#", uri[i])) {
            break;
        }
    }
    return size > 0 && !(size >= 2 && uri[0] == '/' && uri[1] == '/');
}

static void write_uri(const char *uri, size_t size, const char *query, struct sl_writer *out)
{
    const char *fragment = memchr(uri, '#', size);
    size_t head = fragment ? (size_t)(fragment - uri) : size;

    if (!is_relative(uri, size)) {
        sl_write_bytes(out, uri, size);
        return;
    }
    sl_write_bytes(out, uri, head);
    sl_write_u8(out, memchr(uri, '?', head) ? '&' : '?');
    sl_write_text(out, query);
    sl_write_bytes(out, uri + head, size - head);
}

/* The value of the attribute URI of a tag, with quotes as the only bracket: RFC 8216bis 4.2 */
static const char *find_uri(const char *line, size_t size, size_t *length)
{
    static const char name[] = "URI=\"";
    bool quoted = false;

    for (size_t i = 1; i + sizeof name - 1 < size; i++) {
        if (!quoted && (line[i - 1] == ',' || line[i - 1] == ':') &&
            memcmp(line + i, name, sizeof name - 1) == 0) {
            const char *value = line + i + sizeof name - 1;
            const char *end = memchr(value, '"', size - (size_t)(value - line));

            *length = end ? (size_t)(end - value) : 0;
            return end ? value : NULL;
        }
        quoted ^= line[i] == '"';
    }
    return NULL;
}

static void write_line(const char *line, size_t size, const char *query, struct sl_writer *out)
{
    const char *uri;
    size_t length = 0;

    if (size > 0 && line[0] != '#') {
        write_uri(line, size, query, out);
        return;
    }
    uri = size > 4 && memcmp(line, "#EXT", 4) == 0 ? find_uri(line, size, &length) : NULL;
    if (!uri) {
        sl_write_bytes(out, line, size);
        return;
    }
    sl_write_bytes(out, line, (size_t)(uri - line));
    write_uri(uri, length, query, out);
    sl_write_bytes(out, uri + length, size - (size_t)(uri - line) - length);
}

void sl_decorate_playlist(const uint8_t *text, size_t size, const char *query,
                          struct sl_writer *out)
{
    const char *p = (const char *)text;

    while (size > 0) {
        const char *end = memchr(p, '\n', size);
        size_t line = end ? (size_t)(end - p) : size, passed = end ? line + 1 : line;
        size_t text_size = line > 0 && p[line - 1] == '\r' ? line - 1 : line;

        write_line(p, text_size, query, out);
        sl_write_bytes(out, p + text_size, passed - text_size);
        p += passed;
        size -= passed;
    }
}
