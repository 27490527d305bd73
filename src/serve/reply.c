/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "serve/date.h"
#include "serve/gzip.h"
#include "serve/later.h"
#include "serve/media.h"

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

void sl_reply_init(struct sl_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    reply->validators.modified = -1;
}

void sl_reply_clear(struct sl_reply *reply)
{
    sl_free(reply->owned);
    sl_answer_unref(&reply->answer);
    sl_media_want_destroy(&reply->want);
    sl_job_leave(&reply->job);
    sl_free(reply->extra);
    sl_reply_init(reply);
}

const char *sl_reply_phrase(int status)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Error";
}

void sl_reply_fail(struct sl_reply *reply, const struct sl_request *r, int status,
                   const char *detail)
{
    bool no_body = r->method == SL_METHOD_HEAD && r->method_text.size > 0;
    enum sl_reply_class class = reply->class;
    char *text = sl_format("%d %s%s%s\n", status, sl_reply_phrase(status), detail ? ": " : "",
                           detail ? detail : "");

    sl_reply_clear(reply);
    reply->status = status;
    reply->class = class;
    reply->no_body = no_body;
    reply->retry = status == 503 || status == 429 ? 1 : 0;
    /* Whatever is missing now may be there in a moment: live playlists name it soon. */
    reply->cache = "no-store";
    if (text) {
        reply->type = "text/plain; charset=utf-8";
        reply->count = reply->size = (int64_t)strlen(text);
        reply->owned = (uint8_t *)text;
    }
}

void sl_reply_select(struct sl_reply *reply, const struct sl_request *r, int64_t now)
{
    int status = sl_condition_check(r, &reply->validators, now);
    int64_t size = reply->size;

    reply->no_body = r->method == SL_METHOD_HEAD;
    if (status == 412) {
        sl_reply_fail(reply, r, status, NULL);
        return;
    }
    reply->status = status ? status : 200;
    reply->first = 0;
    reply->count = size;
    if (status == 304) {
        reply->ranges = false;
    }
    if (!reply->ranges) {
        return;
    }
    switch (sl_range_check(r, &reply->validators, now, size, &reply->first, &reply->count)) {
    case SL_RANGE_WHOLE:
        reply->first = 0;
        reply->count = size;
        break;
    case SL_RANGE_PART:
        reply->status = 206;
        break;
    case SL_RANGE_BEYOND:
        sl_reply_fail(reply, r, 416, NULL);
        reply->size = size; /* for Content-Range */
        break;
    }
}

void sl_reply_mark(struct sl_reply *reply, const char *suffix)
{
    char *etag = reply->validators.etag;
    size_t length = strlen(etag), more = strlen(suffix);

    if (length > 1 && length + more + 2 <= sizeof reply->validators.etag) {
        etag[length - 1] = '-';
        memcpy(etag + length, suffix, more + 1);
        etag[length + more] = '"';
        etag[length + more + 1] = '\0';
    }
}

void sl_reply_compress(struct sl_reply *reply, const struct sl_request *r)
{
    struct sl_buf *buf = NULL;

    reply->varies = true;
    /* A range of a compressed form would be of no use to anybody: ranges are of the plain one. */
    if (reply->size < SL_GZIP_LEAST || reply->size > SL_GZIP_MOST || !sl_gzip_accepted(r) ||
        sl_request_field(r, SL_FIELD_RANGE).data ||
        sl_gzip_make(&buf, reply->owned, (size_t)reply->size, NULL) != SL_OK) {
        return;
    }
    if ((int64_t)buf->size < reply->size) {
        memcpy(reply->owned, buf->data, buf->size);
        reply->size = reply->count = (int64_t)buf->size;
        reply->gzip = true;
        reply->ranges = false;
        sl_reply_mark(reply, "gzip");
    }
    sl_buf_unref(&buf);
}

static void write_cors(const struct sl_reply *reply, struct sl_writer *out)
{
    sl_write_text(out, "Access-Control-Allow-Origin: *\r\n");
    if (reply->options) {
        sl_write_text(out, "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
                           "Access-Control-Allow-Headers: Range, If-Match, If-None-Match, "
                           "If-Modified-Since, If-Unmodified-Since, If-Range, Cache-Control\r\n"
                           "Access-Control-Max-Age: 86400\r\n");
    } else {
        sl_write_text(out, "Access-Control-Expose-Headers: Accept-Ranges, Content-Length, "
                           "Content-Range, Date, ETag, Last-Modified, X-Ipfs-Path, "
                           "X-Ipfs-Roots\r\n");
    }
}

/* What the page needs and nothing from elsewhere: hls.js runs its worker from a blob, media
 * sources are blobs, too, and its text tracks begin as an empty data: address. */
static const char page_policy[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob: data:; connect-src 'self'; worker-src 'self' "
    "blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'\r\n"
    "Referrer-Policy: no-referrer\r\n";

void sl_reply_head(const struct sl_reply *reply, const struct sl_request *r, bool close,
                   int64_t now, struct sl_writer *out)
{
    char date[SL_DATE_SIZE];

    sl_date_format(now, date);
    sl_write_format(out, "HTTP/1.1 %d %s\r\nServer: sluice\r\nDate: %s\r\n", reply->status,
                    sl_reply_phrase(reply->status), date);
    /* RFC 9112 9.3: persistence is the rule in 1.1 and must be said in 1.0. */
    if (close) {
        sl_write_text(out, "Connection: close\r\n");
    } else if (r->minor == 0) {
        sl_write_text(out, "Connection: keep-alive\r\n");
    }
    if (reply->options || reply->status == 405) { /* RFC 9110 15.5.6 */
        sl_write_text(out, "Allow: GET, HEAD, OPTIONS\r\n");
    }
    if (reply->retry > 0) {
        sl_write_format(out, "Retry-After: %" PRId64 "\r\n", reply->retry);
    }
    /* No length where there can be no content: RFC 9110 8.6 */
    if (reply->status != 204 && reply->status != 304) {
        if (reply->type) {
            sl_write_format(out, "Content-Type: %s\r\n", reply->type);
        }
        if (reply->count >= 0) {
            sl_write_format(out, "Content-Length: %" PRId64 "\r\n", reply->count);
        } else if (reply->chunked && r->minor > 0) {
            sl_write_text(out, "Transfer-Encoding: chunked\r\n");
        }
        if (reply->gzip) {
            sl_write_text(out, "Content-Encoding: gzip\r\n");
        }
    }
    if (reply->varies || reply->varies_by_accept) {
        sl_write_format(out, "Vary: %s%s%s\r\n", reply->varies_by_accept ? "Accept" : "",
                        reply->varies && reply->varies_by_accept ? ", " : "",
                        reply->varies ? "Accept-Encoding" : "");
    }
    if (reply->status == 206) {
        sl_write_format(out, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
                        reply->first, reply->first + reply->count - 1, reply->size);
    } else if (reply->status == 416) { /* RFC 9110 14.4 */
        sl_write_format(out, "Content-Range: bytes */%" PRId64 "\r\n", reply->size);
    }
    if (reply->ranges) {
        sl_write_text(out, "Accept-Ranges: bytes\r\n");
    }
    if (reply->validators.etag[0]) {
        sl_write_format(out, "ETag: %s\r\n", reply->validators.etag);
    }
    if (reply->validators.modified >= 0) {
        /* RFC 9110 8.8.2.1: never later than the answer itself */
        sl_date_format(reply->validators.modified < now ? reply->validators.modified : now, date);
        sl_write_format(out, "Last-Modified: %s\r\n", date);
    }
    if (reply->cache) {
        sl_write_format(out, "Cache-Control: %s\r\n", reply->cache);
    }
    if (reply->extra) {
        sl_write_text(out, reply->extra);
    }
    write_cors(reply, out);
    sl_write_text(out, "X-Content-Type-Options: nosniff\r\n");
    if (reply->page) {
        sl_write_text(out, page_policy);
    }
    sl_write_text(out, "\r\n");
}
