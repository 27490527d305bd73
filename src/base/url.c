/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/url.h"

#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "base/alloc.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sl_url_char(unsigned char c)
{
    /* NUL would be found by strchr */
    return c != 0 &&
           (is_digit((char)c) || is_letter((char)c) || strchr("-._~!$&'()*+,;=:@/?[]%", c));
}

/* Of these characters alone, and each "%" with its two digits. */
static bool is_encoded(const char *text, size_t size, const char *without)
{
    for (size_t i = 0; i < size; i++) {
        if (!sl_url_char((unsigned char)text[i]) || strchr(without, text[i])) {
            return false;
        }
        if (text[i] == '%' &&
            (size - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0)) {
            return false;
        }
    }
    return true;
}

/* One byte of a path, decoded, and how many it takes. */
static char decoded(const char *p, size_t left, size_t *taken)
{
    *taken = 1;
    if (p[0] == '%' && left >= 3) {
        *taken = 3;
        return (char)((unsigned)hex_value(p[1]) << 4 | (unsigned)hex_value(p[2]));
    }
    return p[0];
}

/* "/a/../b" in any spelling: whoever resolves it leaves the prefix that a pattern allows. */
static bool has_dot_segment(const char *path, size_t size)
{
    size_t dots = 0, others = 0, taken;

    for (size_t i = 0; i < size; i += taken) {
        char c = decoded(path + i, size - i, &taken);

        if (c == '/' || c == '\\' || c == ';') { /* some take "..;x" for ".." with a parameter */
            if (others == 0 && (dots == 1 || dots == 2)) {
                return true;
            }
            dots = others = 0;
        } else if (c == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return others == 0 && (dots == 1 || dots == 2);
}

/* Escapes of control characters and of "\" are nobody's honest path. */
static bool has_odd_escape(const char *path, size_t size)
{
    size_t taken;

    for (size_t i = 0; i < size; i += taken) {
        unsigned char c = (unsigned char)decoded(path + i, size - i, &taken);

        if (c < 0x20 || c == 0x7f || c == '\\') {
            return true;
        }
    }
    return false;
}

/* RFC 3986 3.2.2, without zones. */
static bool read_ipv6(const char *text, size_t size, struct sl_url *out)
{
    char inner[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (size < 4 || size - 2 >= sizeof inner) {
        return false;
    }
    memcpy(inner, text + 1, size - 2);
    inner[size - 2] = '\0';
    return inet_pton(AF_INET6, inner, &address) == 1 && size < sizeof out->host;
}

/* Letters, digits, "-" and "_" in labels of 1 to 63. What ends in a number is an address or
 * nothing (WHATWG URL 3.6): "127.1", "0x7f.1" and "2130706433" are read as addresses by some. */
static bool read_name(const char *text, size_t size)
{
    size_t label = 0, last = 0;
    char plain[INET_ADDRSTRLEN];
    struct in_addr address;

    if (size == 0 || size >= SL_URL_HOST_MAX - 2) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            last = i + 1;
        } else if (is_digit(text[i]) || is_letter(text[i]) || text[i] == '-' || text[i] == '_') {
            if (++label > 63) {
                return false;
            }
        } else {
            return false;
        }
    }
    if (label == 0) { /* a dot at the end */
        return false;
    }
    if (!is_digit(text[last])) {
        return true;
    }
    for (size_t i = last; i < size; i++) {
        bool hex = text[last] == '0' && size - last > 1 && (text[last + 1] | 0x20) == 'x';

        if (!is_digit(text[i]) && !hex) {
            return true; /* "3com" */
        }
    }
    if (size >= sizeof plain) {
        return false;
    }
    memcpy(plain, text, size);
    plain[size] = '\0';
    return inet_pton(AF_INET, plain, &address) == 1;
}

static bool read_port(const char *text, size_t size, uint16_t *out)
{
    unsigned n = 0;

    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]) || i >= 5) {
            return false;
        }
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    *out = (uint16_t)n;
    return size > 0 && n > 0 && n <= 65535;
}

/* "user@host:port" */
static bool read_authority(const char *text, size_t size, struct sl_url *out, const char **why)
{
    const char *at = memchr(text, '@', size), *host = at ? at + 1 : text;
    size_t left = size - (size_t)(host - text), length;
    const char *bracket = left > 0 && host[0] == '[' ? memchr(host, ']', left) : NULL;
    const char *colon;

    if (at) {
        out->user = text;
        out->user_size = (size_t)(at - text);
        if (memchr(host, '@', left) || out->user_size == 0 ||
            !is_encoded(text, out->user_size, "/?[]@")) {
            *why = "user and password are not written as RFC 3986 has it";
            return false;
        }
    }
    if (bracket) {
        length = (size_t)(bracket - host) + 1;
    } else {
        colon = memchr(host, ':', left);
        length = colon ? (size_t)(colon - host) : left;
    }
    if (bracket ? !read_ipv6(host, length, out) : !read_name(host, length)) {
        *why = "a host name in ASCII or a plain address is expected";
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        out->host[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
    }
    out->host[length] = '\0';
    if (length < left &&
        (host[length] != ':' || !read_port(host + length + 1, left - length - 1, &out->port))) {
        *why = "a port of 1 to 65535 is expected behind the host";
        return false;
    }
    return true;
}

bool sl_url_parse(const char *text, struct sl_url *out, const char **why)
{
    const char *rest;
    size_t length, authority;

    memset(out, 0, sizeof *out);
    length = strnlen(text, SL_URL_MAX + 1);
    if (length > SL_URL_MAX) {
        *why = "it is longer than 2048 bytes";
        return false;
    }
    if (!is_encoded(text, length, "")) {
        *why = "it holds a character that has to be written as an escape";
        return false;
    }
    out->tls = strncasecmp(text, "https://", 8) == 0;
    if (!out->tls && strncasecmp(text, "http://", 7) != 0) {
        *why = "http:// or https:// is expected";
        return false;
    }
    out->port = out->tls ? 443 : 80;
    rest = text + (out->tls ? 8 : 7);
    authority = strcspn(rest, "/?");
    if (!read_authority(rest, authority, out, why)) {
        return false;
    }
    out->path = rest + authority;
    out->path_size = strcspn(out->path, "?");
    if (has_dot_segment(out->path, out->path_size) || has_odd_escape(out->path, out->path_size)) {
        *why = "the path holds dot segments, backslashes or control characters";
        return false;
    }
    return true;
}

bool sl_url_same_origin(const struct sl_url *a, const struct sl_url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

char *sl_url_name(const struct sl_url *url)
{
    const char *scheme = url->tls ? "https" : "http";
    int size = (int)url->path_size;

    if (url->port == (url->tls ? 443 : 80)) {
        return sl_format("%s://%s%.*s", scheme, url->host, size, url->path);
    }
    return sl_format("%s://%s:%u%.*s", scheme, url->host, (unsigned)url->port, size, url->path);
}
