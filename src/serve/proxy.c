/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/proxy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "serve/media_route.h"
#include "serve/query.h"

#define FIELD_PREFIX    "h_"
#define FIELD_NAME_MAX  64
#define FIELD_VALUE_MAX 2048
#define ID_MAX          256
#define NUMBER_MAX      32

/* ---- header fields ------------------------------------------------------------------------ */

/* What belongs to the connection (RFC 9110 7.6.1), says where a message ends or goes, or is ours to
 * decide: the range, its conditions, and that bytes come as they are. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncasecmp(name, "if-", 3) == 0 || strncasecmp(name, "proxy-", 6) == 0;
}

int sl_proxy_check_field(const char *name, const char *value, const char **detail)
{
    size_t length = strlen(value);

    *detail = "a header field is not well formed";
    if (name[0] == '\0' || length == 0 || value[0] == ' ' || value[length - 1] == ' ') {
        return 400;
    }
    for (const char *p = name; *p; p++) {
        if (!sl_is_tchar((unsigned char)*p) || *p == '%') {
            return 400;
        }
    }
    for (const char *p = value; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            return 400;
        }
    }
    *detail = "this header field cannot be set";
    return is_ours(name) ? 400 : 0;
}

static bool is_field(struct sl_text name)
{
    return name.size > 2 && memcmp(name.data, FIELD_PREFIX, 2) == 0;
}

static int add_field(struct sl_media_want *w, struct sl_text name, struct sl_text value,
                     const char **detail)
{
    char key[FIELD_NAME_MAX], text[FIELD_VALUE_MAX];
    struct sl_media_header *h;
    int status;

    *detail = "a header field is too long, or there are too many";
    if (name.size - 2 >= sizeof key || w->header_count >= SL_PROXY_FIELDS_MAX ||
        sl_query_decode(value, text, sizeof text) < 0) {
        return 400;
    }
    (void)snprintf(key, sizeof key, "%.*s", (int)name.size - 2, name.data + 2);
    status = sl_proxy_check_field(key, text, detail);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < w->header_count; i++) {
        if (strcasecmp(w->headers[i].name, key) == 0) {
            *detail = "a header field stands twice";
            return 400;
        }
    }
    h = &w->headers[w->header_count];
    h->name = sl_strdup(key);
    h->value = sl_strdup(text);
    w->header_count++; /* counted even if half of it: want_destroy frees it */
    return h->name && h->value ? 0 : 503;
}

static int read_fields(struct sl_text query, struct sl_media_want *w, const char **detail)
{
    struct sl_text name, value, all = query;
    int status = 0;

    while (status == 0 && sl_query_next(&all, &name, &value)) {
        if (!is_field(name)) {
            continue;
        }
        if (!w->headers) {
            w->headers = sl_alloc_array(SL_PROXY_FIELDS_MAX, sizeof *w->headers);
        }
        status = w->headers ? add_field(w, name, value, detail) : 503;
    }
    return status;
}

/* ---- names --------------------------------------------------------------------------------- */

void sl_proxy_opaque_key(const char *id, const char *chat, const char *message, char key[17])
{
    uint8_t digest[SL_SHA256_SIZE];
    char text[ID_MAX + 2 * NUMBER_MAX];
    int n = id ? snprintf(text, sizeof text, "mp4:file_id:%s", id)
               : snprintf(text, sizeof text, "mp4:chat:%s:msg:%s", chat, message);

    sl_sha256(text, (size_t)n, digest);
    sl_sha256_hex(digest, 8, key);
}

/* "-1001234", "42", "a_channel" */
static bool is_word(const char *text)
{
    const char *p = text[0] == '-' || text[0] == '@' ? text + 1 : text;

    return p[0] != '\0' &&
           strspn(p, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") ==
               strlen(p);
}

/* *key becomes "" where the address alone names the source. */
static int read_id(struct sl_text query, char key[17], const char **detail)
{
    char id[ID_MAX], chat[NUMBER_MAX], message[NUMBER_MAX];
    int have_id = sl_query_get(query, "file_id", id, sizeof id);
    int have_chat = sl_query_get(query, "chat", chat, sizeof chat);
    int have_message = sl_query_get(query, "msg", message, sizeof message);

    key[0] = '\0';
    *detail = "either file_id, or chat and msg together, are expected";
    if (have_id < 0 || have_chat < 0 || have_message < 0 || have_chat != have_message ||
        (have_id && have_chat) || (have_id && id[0] == '\0') ||
        (have_chat && (!is_word(chat) || strspn(message, "0123456789") != strlen(message) ||
                       message[0] == '\0'))) {
        return 400;
    }
    if (have_id || have_chat) {
        sl_proxy_opaque_key(have_id ? id : NULL, chat, message, key);
    }
    return 0;
}

/* Header fields are part of it: what they open is not for who does not have them. */
static void identify(const char *version, struct sl_media_want *w)
{
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_sha256 h;

    sl_sha256_init(&h);
    sl_sha256_update(&h, "remote", 7);
    sl_sha256_update(&h, version, strlen(version) + 1);
    sl_sha256_update(&h, w->url, strlen(w->url) + 1);
    for (size_t i = 0; i < w->header_count; i++) {
        sl_sha256_update(&h, w->headers[i].name, strlen(w->headers[i].name) + 1);
        sl_sha256_update(&h, w->headers[i].value, strlen(w->headers[i].value) + 1);
    }
    sl_sha256_final(&h, digest);
    sl_sha256_hex(digest, 8, w->address);
}

int sl_proxy_read_source(struct sl_text query, const char *version, struct sl_media_want *w,
                         const char **detail)
{
    char url[SL_URL_MAX + 1];
    struct sl_url parsed;
    int status;

    *detail = "one src with an http or https address is expected";
    if (sl_query_get(query, "src", url, sizeof url) != 1 || !sl_url_parse(url, &parsed, detail)) {
        return 400;
    }
    status = read_fields(query, w, detail);
    if (status == 0) {
        status = read_id(query, w->id, detail);
    }
    if (status) {
        return status;
    }
    *detail = NULL;
    w->url = sl_strdup(url);
    w->name = sl_url_name(&parsed);
    if (!w->url || !w->name) {
        return 503;
    }
    identify(version, w);
    w->opaque = w->id[0] != '\0';
    if (!w->opaque) {
        memcpy(w->id, w->address, sizeof w->id);
    }
    return 0;
}

/* ---- links --------------------------------------------------------------------------------- */

static bool is_one_of(struct sl_text name, const char *const *names)
{
    for (; *names; names++) {
        if (name.size == strlen(*names) && memcmp(name.data, *names, name.size) == 0) {
            return true;
        }
    }
    return false;
}

static bool names_source(struct sl_text name)
{
    static const char *const names[] = {"src", "file_id", "chat", "msg", NULL};

    return is_field(name) || is_one_of(name, names);
}

/* Written anew, so that nothing gets into a playlist but what an escape cannot spare. */
static void write_source(struct sl_text query, struct sl_writer *out)
{
    struct sl_text name, value, all = query;
    const char *joint = "";
    char text[SL_URL_MAX + 1]; /* no part is longer */

    _Static_assert(FIELD_VALUE_MAX <= SL_URL_MAX, "a value would be left out");

    while (sl_query_next(&all, &name, &value)) {
        if (names_source(name) && sl_query_decode(value, text, sizeof text) >= 0) {
            sl_write_text(out, joint);
            sl_write_bytes(out, name.data, name.size);
            sl_write_u8(out, '=');
            sl_query_encode(out, text);
            joint = "&";
        }
    }
}

void sl_proxy_carry(const struct sl_proxy *proxy, struct sl_text query, struct sl_writer *out)
{
    char token[SL_SEAL_TOKEN_MAX + 1];

    if (!proxy->seal.ops) {
        write_source(query, out);
    } else if (sl_query_get(query, "s", token, sizeof token) == 1) {
        sl_write_text(out, "s=");
        sl_query_encode(out, token);
    }
}

static bool is_too_long(struct sl_text query)
{
    struct sl_writer text;
    bool ok;

    sl_writer_init(&text, SL_PROXY_QUERY_MAX);
    write_source(query, &text);
    ok = text.status == SL_OK;
    sl_writer_clear(&text);
    return !ok;
}

enum sl_status sl_proxy_sign(const struct sl_seal *seal, struct sl_text query, int64_t expires,
                             const char *address, struct sl_writer *out, struct sl_error *err)
{
    static const char *const ours[] = {"s", "exp", "ip", "in", "sig", "v", NULL};
    struct sl_media_want *w = sl_alloc_zero(sizeof *w);
    struct sl_text name, value, all = query;
    const char *detail = NULL;
    struct sl_writer text;
    enum sl_status status = SL_OK;

    if (!w || sl_proxy_read_source(query, "", w, &detail) != 0) {
        sl_media_want_destroy(&w);
        return detail ? sl_fail(err, SL_EINVAL, "src", "%s", detail) : sl_fail_memory(err);
    }
    sl_media_want_destroy(&w);
    sl_writer_init(&text, SL_SEAL_TEXT_MAX);
    sl_write_format(&text, "exp=%" PRId64, expires);
    if (address) {
        sl_write_text(&text, "&ip=");
        sl_query_encode(&text, address);
    }
    sl_write_u8(&text, '&');
    write_source(query, &text);
    sl_write_u8(&text, '\0');
    if (text.status != SL_OK || is_too_long(query)) {
        status = sl_fail(err, SL_EINVAL, "src", "with its header fields it is longer than %d bytes",
                         SL_PROXY_QUERY_MAX);
    } else {
        sl_write_text(out, "s=");
        status = sl_seal_text(seal, (const char *)text.data, out, err);
    }
    sl_writer_clear(&text);
    while (status == SL_OK && sl_query_next(&all, &name, &value)) {
        if (!names_source(name) && !is_one_of(name, ours)) {
            sl_write_u8(out, '&');
            sl_write_bytes(out, name.data, name.size);
            sl_write_u8(out, '=');
            sl_write_bytes(out, value.data, value.size);
        }
    }
    return status;
}

bool sl_proxy_tells_nothing(struct sl_text name)
{
    static const char *const names[] = {"format", "start", "t", "w", "h", "v", NULL};

    return is_one_of(name, names);
}

/* ---- routes -------------------------------------------------------------------------------- */

/* What a token says, if it is ours, of this client and not over yet. */
static int open_seal(const struct sl_proxy *proxy, struct sl_text query,
                     const struct sl_proxy_visit *visit, char text[SL_SEAL_TEXT_MAX + 1],
                     const char **detail)
{
    char token[SL_SEAL_TOKEN_MAX + 1], address[64];
    struct sl_text name, value, all = query, inner;
    int64_t expires = 0;
    int have;

    *detail = "a signed link is needed";
    if (sl_query_get(query, "s", token, sizeof token) != 1 ||
        !sl_seal_open(&proxy->seal, token, text)) {
        return 403;
    }
    inner = (struct sl_text){text, strlen(text)};
    have = sl_query_get(inner, "ip", address, sizeof address);
    if (sl_query_number(inner, "exp", &expires) != 1 || have < 0 ||
        (have == 1 && strcmp(address, visit->address) != 0)) {
        return 403;
    }
    if (expires < visit->now) {
        *detail = "the link has expired";
        return 410;
    }
    while (sl_query_next(&all, &name, &value)) {
        if (names_source(name)) {
            *detail = "a signed link names its source itself";
            return 400;
        }
    }
    return 0;
}

/* 0, and the version in w if the address names one. */
static int read_version(struct sl_text query, struct sl_media_want *w)
{
    char version[32];
    int found = sl_query_get(query, "v", version, sizeof version);

    if (found < 0 || (found == 1 && strlen(version) < sizeof w->version - 1)) {
        return 400;
    }
    w->pinned = found == 1;
    if (w->pinned) {
        memcpy(w->version, version, sizeof w->version - 1);
    }
    return 0;
}

static int read_want(const struct sl_proxy *proxy, const char *version, struct sl_text query,
                     const struct sl_proxy_visit *visit, struct sl_media_want *w,
                     const char **detail)
{
    char inner[SL_SEAL_TEXT_MAX + 1];
    struct sl_text source = query;
    int status = 0;

    if (proxy->seal.ops) {
        status = open_seal(proxy, query, visit, inner, detail);
        source = (struct sl_text){inner, status ? 0 : strlen(inner)};
    } else if (is_too_long(query)) {
        *detail = "the source is named by more than 4096 bytes";
        status = 400;
    }
    if (status == 0) {
        status = sl_proxy_read_source(source, version, w, detail);
    }
    if (status == 0 && !sl_allow_url(&proxy->allow, w->url)) {
        *detail = "this source is not allowed";
        status = 403;
    }
    if (status == 0) {
        *detail = NULL;
        status = sl_media_parse_query(query, &w->ask);
    }
    return status ? status : read_version(query, w);
}

int sl_proxy_route(const struct sl_proxy *proxy, const char *version, const char *path,
                   struct sl_text query, const struct sl_proxy_visit *visit,
                   struct sl_media_want **want, const char **detail)
{
    struct sl_media_want *w;
    struct sl_media_ask ask;
    size_t length = 0;
    int status;

    *want = NULL;
    *detail = NULL;
    if (!sl_media_parse(path, &ask, &length) || length != sizeof SL_PROXY_PREFIX - 2) {
        return 404;
    }
    w = sl_alloc_zero(sizeof *w);
    if (!w) {
        return 503;
    }
    w->ask = ask;
    status = read_want(proxy, version, query, visit, w, detail);
    if (status != 0) {
        sl_media_want_destroy(&w);
    }
    *want = w;
    return status;
}
