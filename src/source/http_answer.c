/* SPDX-License-Identifier: BSD-2-Clause */
/* What libcurl calls, and what an answer is taken for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "source/address.h"
#include "source/http_parts.h"

#define HEAD_MAX ((size_t)128 << 10) /* of all answers to one request */
#define DROP_MAX ((size_t)64 << 10)

void sl_http_blame(const struct sl_http *h, enum sl_http_fault fault)
{
    int none = SL_HTTP_FINE;

    if (h->params.fault) {
        (void)atomic_compare_exchange_strong(h->params.fault, &none, (int)fault);
    }
}

/* The value of a header line if it has this name, into a bounded string. */
static bool header_is(const char *line, size_t size, const char *name, char *value, size_t room)
{
    size_t n = strlen(name);
    if (size <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return false;
    }
    line += n + 1;
    size -= n + 1;
    while (size > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n", line[size - 1])) {
        size--;
    }
    if (size >= room) {
        size = 0; /* longer than anything that is of use here */
    }
    memcpy(value, line, size);
    value[size] = '\0';
    return true;
}

/* "bytes 0-99/1234", "bytes 0-99/" with a star, or the same with a star before the slash. */
static void read_content_range(struct sl_http *h, const char *value)
{
    const char *slash = strchr(value, '/');
    if (strncasecmp(value, "bytes ", 6) != 0 || !slash) {
        return;
    }
    if (value[6] >= '0' && value[6] <= '9') {
        h->range_from = strtoll(value + 6, NULL, 10);
    }
    if (slash[1] >= '0' && slash[1] <= '9') {
        h->range_total = strtoll(slash + 1, NULL, 10);
    }
}

size_t sl_http_on_header(char *line, size_t one, size_t size, void *opaque)
{
    struct sl_http *h = opaque;
    char value[sizeof h->answer.tag] = "";
    size *= one;
    h->head += size;
    if (h->head > HEAD_MAX) {
        return 0; /* ends the transfer */
    }
    if (size > 5 &&
        strncasecmp(line, "HTTP/", 5) == 0) { /* of a redirect, or the one that counts */
        h->barred = false;                    /* another address of the name was good */
        h->range_from = -1;
        h->range_total = -1;
        h->answer.tag[0] = h->answer.modified[0] = '\0';
    } else if (header_is(line, size, "Content-Range", value, sizeof value)) {
        read_content_range(h, value);
    } else if (header_is(line, size, "ETag", value, sizeof value)) {
        memcpy(h->answer.tag, value, sizeof value);
    } else if (header_is(line, size, "Last-Modified", value, sizeof h->answer.modified)) {
        memcpy(h->answer.modified, value, sizeof h->answer.modified);
    }
    return size;
}

bool sl_http_is_redirect(const struct sl_http *h)
{
    return h->params.guarded &&
           (h->code == 301 || h->code == 302 || h->code == 303 || h->code == 307 || h->code == 308);
}

/* A 206 against what is known. Where both have an ETag it decides alone: of several servers that
 * have the same file each may have its own time. */
static enum sl_status check_part(const struct sl_http *h, struct sl_error *err)
{
    const struct sl_http_facts *k = &h->known, *a = &h->answer;
    bool same = true;

    if (h->range_from != h->at) {
        sl_http_blame(h, SL_HTTP_BROKEN);
        return sl_fail_at(err, SL_EIO, h->name, h->at,
                          "the server sent bytes from %" PRId64 " on instead", h->range_from);
    }
    if (h->first) {
        return SL_OK;
    }
    if (k->size >= 0 && h->range_total >= 0 && h->range_total != k->size) {
        sl_http_blame(h, SL_HTTP_CHANGED);
        return sl_fail(err, SL_EIO, h->name,
                       "has changed while it was read: %" PRId64 " bytes, now %" PRId64, k->size,
                       h->range_total);
    }
    if (k->tag[0] && a->tag[0]) {
        same = strcmp(k->tag, a->tag) == 0;
    } else if (k->modified[0] && a->modified[0]) {
        same = strcmp(k->modified, a->modified) == 0;
    }
    if (!same) {
        sl_http_blame(h, SL_HTTP_CHANGED);
        return sl_fail_at(err, SL_EIO, h->name, h->at, "has changed while it was read");
    }
    return SL_OK;
}

enum sl_status sl_http_check(struct sl_http *h, struct sl_error *err)
{
    long code = 0;
    if (h->code != 0) {
        return h->refused;
    }
    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &code);
    h->code = code;
    if (code == 206) {
        return check_part(h, err);
    }
    if (code == 200 && !h->first && h->ranges) {
        sl_http_blame(h, SL_HTTP_CHANGED);
        return sl_fail_at(err, SL_EIO, h->name, h->at,
                          "has changed while it was read, or the server no longer sends ranges");
    }
    if (code == 200 && h->params.guarded) {
        sl_http_blame(h, SL_HTTP_NO_RANGES);
        return sl_fail(err, SL_EIO, h->name,
                       "the server sends all of it where a range was asked for");
    }
    if (code == 200 || code == 416 || sl_http_is_redirect(h)) {
        return SL_OK;
    }
    return sl_fail(err, code == 404 || code == 410 ? SL_ENOTFOUND : SL_EIO, h->name,
                   "the server answers with status %ld", code);
}

size_t sl_http_on_body(char *data, size_t one, size_t size, void *opaque)
{
    struct sl_http *h = opaque;
    size *= one;
    h->refused = sl_http_check(h, NULL);
    if (h->refused != SL_OK) {
        return 0; /* ends the transfer; the reason is told afterwards */
    }
    if (h->code == 416 || sl_http_is_redirect(h)) {
        h->dropped += size;
        return h->dropped <= DROP_MAX ? size : 0;
    }
    if (h->start + h->held + size > SL_HTTP_BUFFER && h->start > 0) {
        memmove(h->buffer, h->buffer + h->start, h->held);
        h->start = 0;
    }
    if (h->held + size > SL_HTTP_BUFFER) {
        h->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(h->buffer + h->start + h->held, data, size);
    h->held += size;
    return size;
}

/* The last moment before connecting: this address and no other is used. */
curl_socket_t sl_http_on_socket(void *opaque, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sl_http *h = opaque;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        (!h->params.private_too && !sl_address_public(&address->addr, address->addrlen))) {
        h->barred = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
