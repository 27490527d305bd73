/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/allow.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

static enum sl_status refuse(const char *text, const char *why, struct sl_error *err)
{
    return sl_fail(err, SL_EINVAL, "allow-source", "\"%.128s\": %s", text, why);
}

/* Up to "://"; the rest, or NULL. */
static const char *read_scheme(struct sl_allow_pattern *p, const char *text)
{
    const char *end = strstr(text, "://");
    size_t size = end ? (size_t)(end - text) : 0;

    p->http = (size == 4 && strncasecmp(text, "http", 4) == 0) || (size == 1 && text[0] == '*');
    p->https = (size == 5 && strncasecmp(text, "https", 5) == 0) || (size == 1 && text[0] == '*');
    return p->http || p->https ? end + 3 : NULL;
}

/* Of host and port, by the reader of addresses: what it would refuse can never match. */
static bool read_host(struct sl_allow_pattern *p, const char *host, size_t size)
{
    char text[SL_ALLOW_TEXT + 8];
    struct sl_url url;
    const char *why = NULL;

    if (size == 1 && host[0] == '*') {
        p->kind = SL_ALLOW_ANY;
        return true;
    }
    p->kind = size > 2 && host[0] == '*' && host[1] == '.' ? SL_ALLOW_BELOW : SL_ALLOW_HOST;
    if (p->kind == SL_ALLOW_BELOW) {
        host += 2;
        size -= 2;
    }
    (void)snprintf(text, sizeof text, "http://%.*s", (int)size, host);
    if (!sl_url_parse(text, &url, &why) || url.path_size > 0 || url.user_size > 0 ||
        strlen(url.host) != size) {
        return false;
    }
    (void)snprintf(p->host, sizeof p->host, "%s%.*s", p->kind == SL_ALLOW_BELOW ? "." : "",
                   (int)sizeof p->host - 2, url.host);
    return true;
}

static bool read_port(struct sl_allow_pattern *p, const char *text, size_t size)
{
    int n = 0;

    if (size == 1 && text[0] == '*') {
        p->port = -1;
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || i >= 5) {
            return false;
        }
        n = n * 10 + (text[i] - '0');
    }
    p->port = n;
    return n > 0 && n <= 65535;
}

static bool read_path(struct sl_allow_pattern *p, const char *path)
{
    size_t size = strlen(path);

    p->prefix = size == 0 || path[size - 1] == '*';
    if (size > 0 && p->prefix) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (!sl_url_char((unsigned char)path[i]) || strchr("*?#", path[i])) {
            return false;
        }
    }
    (void)snprintf(p->path, sizeof p->path, "%.*s", (int)size, path);
    return true;
}

enum sl_status sl_allow_parse(struct sl_allow_pattern *p, const char *text, struct sl_error *err)
{
    const char *host, *path, *colon;
    size_t size, host_size;

    memset(p, 0, sizeof *p);
    if (strlen(text) >= SL_ALLOW_TEXT) {
        return refuse(text, "is too long, at most 255 bytes are expected", err);
    }
    host = read_scheme(p, text);
    if (!host) {
        return refuse(text, "begins with no http://, https:// or *://", err);
    }
    size = strcspn(host, "/?#");
    path = host + size;
    colon = memchr(host, ']', size);
    colon = memchr(colon ? colon : host, ':', colon ? size - (size_t)(colon - host) : size);
    host_size = colon ? (size_t)(colon - host) : size;
    if (!read_host(p, host, host_size)) {
        return refuse(text, "a host, *.host or * is expected behind ://", err);
    }
    if (colon && !read_port(p, colon + 1, size - host_size - 1)) {
        return refuse(text, "a port of 1 to 65535 or * is expected behind the colon", err);
    }
    if (!read_path(p, path)) {
        return refuse(text, "a path is expected behind the host, with * at its end alone", err);
    }
    if (p->kind == SL_ALLOW_ANY && (!colon || path[0] == '\0')) {
        return refuse(text, "allows every host: then port and path have to be written too", err);
    }
    return SL_OK;
}

static bool host_matches(const struct sl_allow_pattern *p, const char *host)
{
    size_t size = strlen(host), tail = strlen(p->host);

    switch (p->kind) {
    case SL_ALLOW_ANY:
        return true;
    case SL_ALLOW_BELOW:
        return size > tail && strcmp(host + size - tail, p->host) == 0;
    default:
        return strcmp(host, p->host) == 0;
    }
}

bool sl_allow_matches(const struct sl_allow_pattern *p, const struct sl_url *url)
{
    const char *path = url->path_size > 0 ? url->path : "/";
    size_t size = url->path_size > 0 ? url->path_size : 1, length = strlen(p->path);

    if (!(url->tls ? p->https : p->http) || !host_matches(p, url->host)) {
        return false;
    }
    if (p->port >= 0 && url->port != (p->port > 0 ? p->port : url->tls ? 443 : 80)) {
        return false;
    }
    return p->prefix ? size >= length && memcmp(path, p->path, length) == 0
                     : size == length && memcmp(path, p->path, length) == 0;
}

bool sl_allow_url(const void *opaque, const char *text)
{
    const struct sl_allow *allow = opaque;
    struct sl_url url;
    const char *why = NULL;

    if (!sl_url_parse(text, &url, &why)) {
        return false;
    }
    for (unsigned i = 0; i < allow->count; i++) {
        if (sl_allow_matches(&allow->patterns[i], &url)) {
            return true;
        }
    }
    return false;
}
