/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/sign.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sluice/serve.h>

#include "api/params.h"
#include "base/error.h"
#include "serve/client.h"
#include "serve/gateway_path.h"
#include "serve/path.h"
#include "serve/proxy.h"

#define AT(field)   offsetof(struct sl_sign_params, field)
#define ROOM(field) sizeof(((struct sl_sign_params *)0)->field)

static const struct sl_option table[] = {
    {.key = "sign-key-file",
     .type = SL_OPTION_STRING,
     .offset = AT(sign_key_file),
     .capacity = ROOM(sign_key_file),
     .value_default = "",
     .metavar = "FILE",
     .help = "the key that the server has"},
    {.key = "valid",
     .type = SL_OPTION_INT,
     .offset = AT(valid),
     .min = 1,
     .max = 3153600000,
     .value_default = "86400",
     .metavar = "SECONDS",
     .help = "how long the link works"},
    {.key = "scope",
     .type = SL_OPTION_STRING,
     .offset = AT(scope),
     .capacity = ROOM(scope),
     .value_default = "",
     .metavar = "PATH/",
     .help = "allow everything below this path; by default, a playlist's directory"},
    {.key = "address",
     .type = SL_OPTION_STRING,
     .offset = AT(address),
     .capacity = ROOM(address),
     .value_default = "",
     .metavar = "ADDRESS",
     .help = "allow only this client"},
    {.key = NULL},
};

const struct sl_option *sl_sign_options(void)
{
    return table;
}

enum sl_status sl_sign_params_default(struct sl_sign_params *params, uint32_t size,
                                      struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

/* The path of a URL, decoded as the server will see it. */
static enum sl_status path_of(const char *url, char path[SL_SERVE_PATH_MAX + 1],
                              struct sl_error *err)
{
    const char *scheme = strstr(url, "://"), *start = url;
    size_t length;

    if (scheme && scheme < url + strcspn(url, "/?#")) { /* not one in the query */
        start = scheme + 3 + strcspn(scheme + 3, "/?#");
    }
    length = strcspn(start, "?#");
    if (start[length] == '#' || strchr(start, '#')) {
        return sl_fail(err, SL_EINVAL, url, "an address without a fragment is expected");
    }
    path[0] = '/';
    if (length == 7 && memcmp(start, "/media/", 7) == 0) { /* the one directory that answers */
        memcpy(path, "/media/", 8);
        return SL_OK;
    }
    if (sl_gateway_is((struct sl_text){start, length})) {
        struct sl_gateway_ask ask;
        const char *detail;

        if (sl_gateway_parse_path((struct sl_text){start, length}, &ask, &detail) != 0) {
            return sl_fail(err, SL_EINVAL, url, "%s", detail ? detail : "this is no such path");
        }
        sl_gateway_signed_path(&ask, path + 1);
        return SL_OK;
    }
    if (length == 0 || start[0] != '/' || sl_path_decode(start, length, path + 1) != 0) {
        return sl_fail(err, SL_EINVAL, url, "this is no address that a server here answers");
    }
    return SL_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* "" where the link is for its own path alone. */
static enum sl_status scope_of(const char *path, const struct sl_sign_params *params,
                               char scope[SL_SERVE_PATH_MAX + 1], struct sl_error *err)
{
    size_t length = strlen(params->scope);

    scope[0] = '\0';
    if (length > 0) {
        if (params->scope[0] != '/' || params->scope[length - 1] != '/' || strlen(path) < length ||
            memcmp(path, params->scope, length) != 0) {
            return sl_fail(err, SL_EINVAL, "scope",
                           "a path that begins and ends with \"/\" and holds %s is expected", path);
        }
        (void)snprintf(scope, SL_SERVE_PATH_MAX + 1, "%s", params->scope);
    } else if (ends_with(path, ".m3u8") || ends_with(path, ".mpd")) {
        length = (size_t)(strrchr(path, '/') - path) + 1;
        memcpy(scope, path, length);
        scope[length] = '\0';
    }
    return SL_OK;
}

static bool is_proxied(const char *path)
{
    return strncmp(path + 1, SL_PROXY_PREFIX, sizeof SL_PROXY_PREFIX - 1) == 0;
}

/* A source on the web: what names it is sealed, with the expiry and the client. */
static enum sl_status seal(const char *url, const struct sl_sign_params *params,
                           const struct sl_sign_key *key, const char *address,
                           struct sl_writer *out, struct sl_error *err)
{
    const char *query = strchr(url, '?');
    struct sl_seal seal = {0};
    enum sl_status status;

    if (!query) {
        return sl_fail(err, SL_EINVAL, url, "names no source: a query with src= is expected");
    }
    if (params->scope[0]) {
        return sl_fail(err, SL_EINVAL, "scope", "a link to a source on the web allows just that");
    }
    status = sl_seal_init(&seal, key, err);
    if (status == SL_OK) {
        sl_write_bytes(out, url, (size_t)(query - url) + 1);
        status = sl_proxy_sign(&seal, (struct sl_text){query + 1, strlen(query + 1)},
                               (int64_t)time(NULL) + params->valid, address, out, err);
    }
    return status;
}

static enum sl_status sign(const char *url, const struct sl_sign_params *params, char *out,
                           uint32_t size, struct sl_error *err)
{
    char path[SL_SERVE_PATH_MAX + 1] = "", scope[SL_SERVE_PATH_MAX + 1] = "";
    struct sl_sign_key key = {0};
    struct sl_client client = {.port = 0};
    const char *address = params->address[0] ? client.text : NULL;
    struct sl_writer text;
    enum sl_status status = path_of(url, path, err);

    if (status == SL_OK && !is_proxied(path)) {
        status = scope_of(path, params, scope, err);
    }
    if (status == SL_OK) {
        status = sl_sign_key_read(&key, params->sign_key_file, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (params->address[0] && !sl_client_parse(&client, params->address)) {
        return sl_fail(err, SL_EINVAL, "address", "\"%s\" is no numeric address", params->address);
    }
    sl_writer_init(&text, size > 0 ? size - 1 : 0);
    if (is_proxied(path)) {
        status = seal(url, params, &key, address, &text, err);
    } else {
        sl_write_text(&text, url);
        sl_write_u8(&text, strchr(url, '?') ? '&' : '?');
        sl_sign_query(&key, path, scope[0] ? scope : NULL, (int64_t)time(NULL) + params->valid,
                      address, &text);
    }
    if (status != SL_OK) {
        sl_writer_clear(&text);
        return status;
    }
    if (text.status == SL_OK) {
        memcpy(out, text.data, text.size);
        out[text.size] = '\0';
    } else {
        status = sl_fail(err, SL_EINVAL, "size", "%u bytes are too few for the link", size);
    }
    sl_writer_clear(&text);
    return status;
}

enum sl_status sl_sign_url(const char *url, const struct sl_sign_params *params, char *out,
                           uint32_t size, struct sl_error *err)
{
    enum sl_status status = sl_params_check(params, sizeof *params, "sl_sign_params_default", err);

    if (status != SL_OK) {
        return status;
    }
    if (!url || !out) {
        return sl_fail(err, SL_EINVAL, url ? "out" : "url", "is NULL");
    }
    if (!memchr(params->sign_key_file, '\0', sizeof params->sign_key_file) ||
        !memchr(params->scope, '\0', sizeof params->scope) ||
        !memchr(params->address, '\0', sizeof params->address)) {
        return sl_fail(err, SL_EINVAL, NULL, "a text in the settings has no end");
    }
    if (!params->sign_key_file[0]) {
        return sl_fail(err, SL_EINVAL, "sign-key-file", "a file with the key is expected");
    }
    if (params->valid < 1 || params->valid > 3153600000) {
        return sl_fail(err, SL_EINVAL, "valid", "1 to 3153600000 seconds are expected");
    }
    return sign(url, params, out, size, err);
}
