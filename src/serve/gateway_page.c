/* SPDX-License-Identifier: BSD-2-Clause */
/* What the gateway writes itself: the page of a directory, and the name of a download. */
#include <inttypes.h>
#include <string.h>

#include "serve/gateway.h"
#include "serve/query.h"

/* ---- types ---------------------------------------------------------------------------------- */

static bool is_text(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t more = p[i] < 0x80   ? 0
                      : p[i] < 0xc2 ? 9
                      : p[i] < 0xe0 ? 1
                      : p[i] < 0xf0 ? 2
                      : p[i] < 0xf5 ? 3
                                    : 9;

        if (more == 9 || (p[i] < 0x20 && !strchr("\t\n\r\f", p[i])) || p[i] == 0x7f || p[i] == 0) {
            return false;
        }
        for (i++; more > 0 && i < size; more--, i++) { /* what is cut at the end is none */
            if ((p[i] & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return size > 0;
}

const char *sl_gateway_sniff(const uint8_t *data, size_t size)
{
    static const struct {
        size_t at;
        const char *magic;
        size_t size;
        const char *type;
    } known[] = {
        {0, "#EXTM3U", 7, "application/vnd.apple.mpegurl"},
        {4, "ftyp", 4, "video/mp4"},
        {4, "styp", 4, "video/iso.segment"},
        {4, "moof", 4, "video/iso.segment"},
        {0, "\x1a\x45\xdf\xa3", 4, "video/matroska"},
        {0, "\x89PNG\r\n\x1a\n", 8, "image/png"},
        {0, "\xff\xd8\xff", 3, "image/jpeg"},
        {0, "GIF8", 4, "image/gif"},
        {8, "WEBP", 4, "image/webp"},
        {0, "WEBVTT", 6, "text/vtt; charset=utf-8"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (size >= known[i].at + known[i].size &&
            memcmp(data + known[i].at, known[i].magic, known[i].size) == 0) {
            return known[i].type;
        }
    }
    if (size > 188 && data[0] == 0x47 && data[188] == 0x47) { /* ISO/IEC 13818-1 2.4.3.2 */
        return "video/mp2t";
    }
    return is_text(data, size) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

/* ---- names ---------------------------------------------------------------------------------- */

/* RFC 6266 4.3 and RFC 8187 3.2: once in ASCII for everybody, and once in full where that is more.
 */
void sl_gateway_disposition(struct sl_writer *out, bool attachment, const char *name)
{
    bool plain = true;

    sl_write_format(out, "Content-Disposition: %s", attachment ? "attachment" : "inline");
    if (name[0]) {
        sl_write_text(out, "; filename=\"");
        for (const char *p = name; *p; p++) {
            unsigned char c = (unsigned char)*p;

            if (c >= 0x80) {
                plain = false;
                if ((c & 0xc0) != 0x80) { /* one for each letter */
                    sl_write_u8(out, '_');
                }
            } else if (c < 0x20 || c == 0x7f) {
                sl_write_u8(out, '_');
            } else {
                if (c == '"' || c == '\\') {
                    sl_write_u8(out, '\\');
                }
                sl_write_u8(out, c);
            }
        }
        sl_write_u8(out, '"');
    }
    if (!plain) {
        sl_write_text(out, "; filename*=UTF-8''");
        for (const char *p = name; *p; p++) {
            unsigned char c = (unsigned char)*p;

            if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                strchr("-._~", c)) { /* attr-char */
                sl_write_u8(out, c);
            } else {
                sl_write_format(out, "%%%02X", c);
            }
        }
    }
    sl_write_text(out, "\r\n");
}

/* ---- the page of a directory ---------------------------------------------------------------- */

static void write_html(struct sl_writer *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            sl_write_format(out, "&#%d;", c);
        } else if (c < 0x20 || c == 0x7f) {
            sl_write_text(out, "&#65533;");
        } else {
            sl_write_u8(out, c);
        }
    }
}

/* Relative, so that it works behind a proxy that puts something in front; "./" since a name may
 * hold a colon. */
static void write_href(struct sl_writer *out, const char *name, const char *carry)
{
    sl_write_text(out, "./");
    for (const char *p = name; *p; p++) {
        char one[2] = {*p, '\0'};

        sl_query_encode(out, one);
    }
    if (carry[0]) {
        sl_write_text(out, "?");
        write_html(out, carry, strlen(carry));
    }
}

static void write_size(struct sl_writer *out, uint64_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t tenths = 0;

    for (; size >= 1024; unit++) {
        tenths = size % 1024 * 10 / 1024;
        size /= 1024;
    }
    if (unit == 0) {
        sl_write_format(out, "%" PRIu64 " B", size);
    } else {
        sl_write_format(out, "%" PRIu64 ".%" PRIu64 " %s", size, tenths, units[unit]);
    }
}

static const char head[] =
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\n"
    "h1{font-size:1.1rem;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "td{border-top:1px solid #8884;padding:.35rem .5rem}\n"
    "td:first-child{overflow-wrap:anywhere}\n"
    "td:nth-child(2){text-align:right;white-space:nowrap}\n"
    "td:last-child{font:.8rem ui-monospace,monospace;opacity:.7}\n"
    "@media(max-width:40rem){td:last-child{display:none}}\n"
    "</style>\n";

void sl_gateway_page(const struct sl_cas_list *list, const struct sl_gateway_ask *ask,
                     const char *carry, struct sl_writer *out)
{
    const char *path = ask->path;
    char text[SL_CID_TEXT_SIZE];

    sl_write_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>/");
    write_html(out, path, strlen(path));
    sl_write_text(out, "</title>\n");
    sl_write_text(out, head);
    sl_write_text(out, "<h1>Index of /");
    write_html(out, path, strlen(path));
    sl_write_text(out, "</h1>\n<table>\n");
    if (path[ask->below]) {
        sl_write_text(out, "<tr><td><a href=\"..");
        if (carry[0]) {
            sl_write_text(out, "/?");
            write_html(out, carry, strlen(carry));
        }
        sl_write_text(out, "\">..</a><td><td>\n");
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct sl_cas_entry *e = &list->entries[i];

        sl_write_text(out, "<tr><td><a href=\"");
        write_href(out, e->name, carry);
        sl_write_text(out, "\">");
        write_html(out, e->name, strlen(e->name));
        sl_write_text(out, "</a><td>");
        write_size(out, e->tsize);
        sl_write_format(out, "<td>%s\n", sl_cid_text(&e->cid, text));
    }
    sl_write_text(out, "</table>\n");
}
