/* SPDX-License-Identifier: BSD-2-Clause */
/* The path and the query of a request, as far as they are looked at before a file is opened; and a
 * playlist that is given a query. The first line is the target, the rest is the playlist. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/decorate.h"
#include "serve/media_route.h"
#include "serve/path.h"
#include "serve/query.h"
#include "serve/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_route(const char *path, struct sl_text query)
{
    struct sl_media_ask ask;
    size_t source;

    if (!sl_media_parse(path, &ask, &source)) {
        return;
    }
    require(source > 0 && source < strlen(path) && path[source] == '/');
    require(strlen(ask.rendition) < sizeof ask.rendition && !strpbrk(ask.rendition, "/.%\\ "));
    require(ask.number < 1000000000);
    if (sl_media_parse_query(query, &ask) == 0) {
        require(ask.time.num >= 0 && ask.time.den > 0);
        require(ask.width >= 0 && ask.width <= 1920 && ask.height >= 0 && ask.height <= 1920);
    }
}

static void check_query(const char *path, struct sl_text query)
{
    struct sl_sign_key key = {.size = 16, .bytes = "0123456789abcdef"};
    struct sl_text rest = query, name, value;
    char text[64], whole[SL_SERVE_PATH_MAX + 1] = "/";
    struct sl_writer carry, link;
    int status;

    while (sl_query_next(&rest, &name, &value)) {
        require(name.data >= query.data && name.data + name.size <= query.data + query.size);
        require(value.data >= name.data && value.data + value.size <= query.data + query.size);
        status = sl_query_decode(value, text, sizeof text);
        require(status < (int)sizeof text && (status < 0 || strlen(text) == (size_t)status));
    }
    strcpy(whole + 1, path); /* NOLINT: it has room */
    status = sl_sign_check(&key, whole, query, "192.0.2.1", 1795000000);
    require(status == 403 || status == 410 || status == 0);
    sl_writer_init(&carry, SL_SIGN_QUERY_MAX);
    sl_sign_carry(query, &carry);
    for (size_t i = 0; i < carry.size; i++) { /* it goes into lines of playlists */
        require(carry.data[i] > 0x20 && carry.data[i] < 0x7f && carry.data[i] != '"');
    }
    sl_writer_clear(&carry);

    /* What was signed is let through. */
    sl_writer_init(&link, (size_t)SL_SIGN_QUERY_MAX * 2);
    sl_sign_query(&key, whole, NULL, 1795000000, "192.0.2.1", &link);
    if (link.status == SL_OK) {
        require(sl_sign_check(&key, whole, (struct sl_text){(char *)link.data, link.size},
                              "192.0.2.1", 1795000000) == 0);
    }
    sl_writer_clear(&link);
}

static void check_playlist(const uint8_t *text, size_t size)
{
    struct sl_writer out;
    size_t lines = 0;

    sl_writer_init(&out, 1 << 24);
    sl_decorate_playlist(text, size, "q=1", &out);
    require(out.status == SL_OK && out.size >= size);
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    for (size_t i = 0; i < out.size; i++) {
        lines -= out.data[i] == '\n';
    }
    require(lines == 0);
    sl_writer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL, *question;
    size_t length = end ? (size_t)(end - data) : size, path_size;
    struct sl_text query = {NULL, 0};
    char path[SL_SERVE_PATH_MAX];

    for (size_t i = 0; i < length; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f || strchr("#\"<>", data[i])) {
            return 0; /* sl_request_feed lets none of these through */
        }
    }
    question = length > 0 ? memchr(data, '?', length) : NULL;
    path_size = question ? (size_t)(question - data) : length;
    if (question) {
        query = (struct sl_text){(const char *)question + 1, length - path_size - 1};
    }
    if (path_size > 0 && sl_path_decode((const char *)data, path_size, path) == 0) {
        check_route(path, query);
        check_query(path, query);
    }
    if (end) {
        check_playlist(end + 1, size - length - 1);
    }
    return 0;
}
