/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/authority.h"

#include <string.h>

#include <arpa/inet.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* reg-name = *( unreserved / pct-encoded / sub-delims ), which covers IPv4 addresses */
static bool reg_name_valid(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (c == '%') {
            if (size - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                   (c == '\0' || !strchr("-._~!$&'()*+,;=", c))) {
            return false;
        }
    }
    return size > 0;
}

/* What stands between the brackets. IPvFuture has no user and is refused. */
static bool ipv6_valid(const char *text, size_t size)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (size >= sizeof copy || memchr(text, '\0', size)) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

bool sl_authority_valid(const char *text, size_t size)
{
    size_t host = size;
    const char *colon;

    if (size > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', size);

        if (!end || !ipv6_valid(text + 1, (size_t)(end - text) - 1)) {
            return false;
        }
        host = (size_t)(end - text) + 1;
        if (host < size && text[host] != ':') {
            return false;
        }
    } else {
        colon = size > 0 ? memchr(text, ':', size) : NULL;
        if (colon) {
            host = (size_t)(colon - text);
        }
        if (!reg_name_valid(text, host)) {
            return false;
        }
    }
    /* port = *DIGIT: it may be empty, and it must be a port. */
    if (host < size) {
        unsigned long port = 0;

        for (size_t i = host + 1; i < size; i++) {
            if (!is_digit(text[i])) {
                return false;
            }
            port = port * 10 + (unsigned long)(text[i] - '0');
            if (port > 65535) {
                return false;
            }
        }
    }
    return true;
}
