/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and patterns of sources on the web, and the query that names one. The first line is a
 * pattern, the second an address, the rest a query. What is taken for good is read by libcurl too,
 * and has to mean the same to it: who checks and who connects are two. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "serve/allow.h"
#include "serve/proxy.h"
#include "serve/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void require_part(CURLU *u, CURLUPart part, const char *expected)
{
    char *text = NULL;

    require(curl_url_get(u, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK);
    require(strcasecmp(text, expected) == 0);
    curl_free(text);
}

static void compare(const char *text, const struct sl_url *url)
{
    CURLU *u = curl_url();
    char port[8], path[SL_URL_MAX + 2], user[SL_URL_MAX + 1], *name, *password = NULL;

    require(u && curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK);
    (void)snprintf(port, sizeof port, "%u", url->port);
    (void)snprintf(path, sizeof path, "%.*s", url->path_size ? (int)url->path_size : 1,
                   url->path_size ? url->path : "/");
    require_part(u, CURLUPART_SCHEME, url->tls ? "https" : "http");
    require_part(u, CURLUPART_PORT, port);
    if (url->host[0] != '[') { /* libcurl writes those anew */
        require_part(u, CURLUPART_HOST, url->host);
    }
    require_part(u, CURLUPART_PATH, path);
    if (curl_url_get(u, CURLUPART_USER, &name, 0) == CURLUE_OK) {
        bool more = curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK;

        (void)snprintf(user, sizeof user, "%s%s%s", name, more ? ":" : "", more ? password : "");
        require(strlen(user) == url->user_size && memcmp(user, url->user, url->user_size) == 0);
        curl_free(password);
        curl_free(name);
    } else {
        require(url->user_size == 0);
    }
    curl_url_cleanup(u);
}

static void check_url(const char *pattern, const char *text)
{
    struct sl_allow allow = {.count = 1};
    struct sl_url url, again;
    const char *why = NULL;
    bool known = sl_allow_parse(&allow.patterns[0], pattern, NULL) == SL_OK;
    char *name;

    if (!sl_url_parse(text, &url, &why)) {
        require(why && why[0] && (!known || !sl_allow_url(&allow, text)));
        return;
    }
    require(url.port > 0 && url.host[0] && !strpbrk(url.host, "@/\\%?# "));
    require(url.path >= text && url.path + url.path_size <= text + strlen(text));
    require(!memmem(url.path, url.path_size, "/../", 4));
    compare(text, &url);
    name = sl_url_name(&url);
    require(name && !strpbrk(name, "@?") == !memchr(url.path, '@', url.path_size));
    require(sl_url_parse(name, &again, &why) && sl_url_same_origin(&url, &again));
    sl_free(name);
    if (known && sl_allow_url(&allow, text)) {
        const struct sl_allow_pattern *p = &allow.patterns[0];

        require(p->kind == SL_ALLOW_ANY || strstr(url.host, p->host));
        require(strncmp(url.path_size ? url.path : "/", p->path, strlen(p->path)) == 0);
    }
}

static void check_query(struct sl_text query)
{
    struct sl_media_want *w = sl_alloc_zero(sizeof *w), *again = sl_alloc_zero(sizeof *again);
    const struct sl_proxy proxy = {.allow.count = 0};
    const char *detail = NULL;
    struct sl_writer carry;

    require(w && again);
    if (sl_proxy_read_source(query, "v", w, &detail) == 0) {
        for (size_t i = 0; i < w->header_count; i++) {
            require(!strpbrk(w->headers[i].name, ":\r\n ") && w->headers[i].name[0]);
            require(!strpbrk(w->headers[i].value, "\r\n") && w->headers[i].value[0]);
        }
        sl_writer_init(&carry, 1 << 20);
        sl_proxy_carry(&proxy, query, &carry);
        require(carry.status == SL_OK);
        for (size_t i = 0; i < carry.size; i++) { /* it goes into lines of playlists */
            require(carry.data[i] > 0x20 && carry.data[i] < 0x7f && carry.data[i] != '"');
        }
        require(sl_proxy_read_source((struct sl_text){(char *)carry.data, carry.size}, "v", again,
                                     &detail) == 0);
        require(strcmp(w->url, again->url) == 0 && strcmp(w->id, again->id) == 0 &&
                strcmp(w->address, again->address) == 0);
        sl_writer_clear(&carry);
    }
    sl_media_want_destroy(&w);
    sl_media_want_destroy(&again);
}

/* A line, terminated; moves *data behind it. */
static void take_line(const uint8_t **data, size_t *size, char *line, size_t room)
{
    const uint8_t *end = *size > 0 ? memchr(*data, '\n', *size) : NULL;
    size_t length = end ? (size_t)(end - *data) : *size, passed = end ? length + 1 : length;

    length = length < room ? length : room - 1;
    memcpy(line, *data, length);
    line[length] = '\0';
    *data += passed;
    *size -= passed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char pattern[SL_ALLOW_TEXT + 16], url[SL_URL_MAX + 16];

    if (size == 0) {
        return 0;
    }
    take_line(&data, &size, pattern, sizeof pattern);
    take_line(&data, &size, url, sizeof url);
    check_url(pattern, url);
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f || strchr("#\"<>", data[i])) {
            return 0; /* sl_request_feed lets none of these through */
        }
    }
    check_query((struct sl_text){(const char *)data, size});
    return 0;
}
