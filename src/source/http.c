/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection, kept alive. Bytes are asked for in pieces that grow while reading goes straight
 * on: a jump then seldom finds an answer half read, which would cost the connection, and a long
 * read has few requests. What arrives waits in a small buffer; a full one pauses the transfer, and
 * so, by TCP's window, the server. */
#include "source/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/error.h"

#define PIECE_MIN   (INT64_C(64) << 10)
#define PIECE_MAX   (INT64_C(16) << 20)
#define BUFFER_SIZE ((size_t)256 << 10)
#define SKIP_MAX    (INT64_C(128) << 10) /* read over rather than asked for anew */

#define REDIRECTS_MAX     10L
#define CONNECT_MS        15000L
#define SILENCE_S         30L /* less than a byte a second for so long is a failure */
#define ATTEMPTS          4   /* in a row without a byte */
#define FIRST_PAUSE_MS    200 /* before another attempt; doubled each time */
#define POLL_MS           1000
#define HEADER_VALUE_SIZE 256

struct http {
    struct sl_source source; /* first: handed out as this */
    char *url;               /* as given */
    char *effective;         /* after redirects, or NULL */
    char *name;              /* for messages: without user and password */
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];

    bool active; /* a transfer is running */
    bool paused;
    bool ranges;                 /* the server answers for ranges */
    bool first;                  /* no answer has been seen yet */
    int64_t at;                  /* offset of the next byte in buffer */
    int64_t piece;               /* size of the next request */
    int64_t wanted_from, wanted; /* what will be asked for next; 0 bytes: not known */
    int64_t end;                 /* where the running request ends; -1: where the body does */
    int64_t total;               /* -1: not known */
    char tag[HEADER_VALUE_SIZE]; /* a strong ETag (RFC 9110 8.8.3), or empty */

    /* of the answer at hand */
    long code;
    int64_t range_from, range_total;
    char answer_tag[HEADER_VALUE_SIZE];
    enum sl_status refused; /* the answer is not what can be used */

    uint8_t *buffer;
    size_t start, held;
};

static void destroy(struct sl_source *source)
{
    struct http *h = (struct http *)source;
    if (h->multi && h->easy && h->active) {
        (void)curl_multi_remove_handle(h->multi, h->easy);
    }
    curl_easy_cleanup(h->easy);
    if (h->multi) {
        (void)curl_multi_cleanup(h->multi);
    }
    curl_slist_free_all(h->headers);
    sl_free(h->buffer);
    sl_free(h->name);
    sl_free(h->effective);
    sl_free(h->url);
    sl_free(h);
}

/* ---- what libcurl calls -------------------------------------------------------------------- */

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
static void read_content_range(struct http *h, const char *value)
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

static size_t on_header(char *line, size_t one, size_t size, void *opaque)
{
    struct http *h = opaque;
    char value[HEADER_VALUE_SIZE] = "";
    size *= one;
    if (size > 5 &&
        strncasecmp(line, "HTTP/", 5) == 0) { /* of a redirect, or the one that counts */
        h->range_from = -1;
        h->range_total = -1;
        h->answer_tag[0] = '\0';
    } else if (header_is(line, size, "Content-Range", value, sizeof value)) {
        read_content_range(h, value);
    } else if (header_is(line, size, "ETag", value, sizeof value) && value[0] == '"') {
        memcpy(h->answer_tag, value, sizeof value);
    }
    return size;
}

/* Once per answer, before its first byte is used. */
static enum sl_status check_answer(struct http *h, struct sl_error *err)
{
    long code = 0;
    if (h->code != 0) {
        return h->refused;
    }
    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &code);
    h->code = code;
    if (code == 206 && h->range_from != h->at) {
        return sl_fail_at(err, SL_EIO, h->name, h->at,
                          "the server sent bytes from %" PRId64 " on instead", h->range_from);
    }
    if (code == 206 && !h->first && h->total >= 0 && h->range_total >= 0 &&
        h->range_total != h->total) {
        return sl_fail(err, SL_EIO, h->name,
                       "has changed while it was read: %" PRId64 " bytes, now %" PRId64, h->total,
                       h->range_total);
    }
    if (code == 200 && !h->first && h->ranges) {
        return sl_fail_at(err, SL_EIO, h->name, h->at,
                          "has changed while it was read, or the server no longer sends ranges");
    }
    if (code == 200 || code == 206 || code == 416) {
        return SL_OK;
    }
    return sl_fail(err, code == 404 || code == 410 ? SL_ENOTFOUND : SL_EIO, h->name,
                   "the server answers with status %ld", code);
}

static size_t on_body(char *data, size_t one, size_t size, void *opaque)
{
    struct http *h = opaque;
    size *= one;
    h->refused = check_answer(h, NULL);
    if (h->refused != SL_OK || h->code == 416) {
        return h->code == 416 ? size : 0; /* 0: ends the transfer; the reason is told afterwards */
    }
    if (h->start + h->held + size > BUFFER_SIZE && h->start > 0) {
        memmove(h->buffer, h->buffer + h->start, h->held);
        h->start = 0;
    }
    if (h->held + size > BUFFER_SIZE) {
        h->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(h->buffer + h->start + h->held, data, size);
    h->held += size;
    return size;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void stop(struct http *h)
{
    if (h->active) {
        (void)curl_multi_remove_handle(h->multi, h->easy);
    }
    h->active = false;
    h->paused = false;
    h->start = h->held = 0;
}

/* Begins to ask for what starts at h->at. */
static enum sl_status request(struct http *h, struct sl_error *err)
{
    char range[64], condition[HEADER_VALUE_SIZE + 16];
    struct curl_slist *headers = NULL;
    bool partial = h->first || h->ranges;

    stop(h);
    h->code = 0;
    h->refused = SL_OK;
    h->range_from = h->range_total = -1;
    h->reason[0] = '\0';
    h->end = partial ? h->at + h->piece : -1;
    (void)snprintf(range, sizeof range, "%" PRId64 "-%" PRId64, h->at, h->end - 1);
    (void)curl_easy_setopt(h->easy, CURLOPT_RANGE, partial ? range : NULL);
    (void)curl_easy_setopt(h->easy, CURLOPT_URL, h->effective ? h->effective : h->url);
    if (h->tag[0] && partial) { /* RFC 9110 13.1.5: all of it if it has changed */
        (void)snprintf(condition, sizeof condition, "If-Range: %s", h->tag);
        headers = curl_slist_append(NULL, condition);
        if (!headers) {
            return sl_fail_memory(err);
        }
    }
    (void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers);
    curl_slist_free_all(h->headers);
    h->headers = headers;
    if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK) {
        return sl_fail_memory(err);
    }
    h->active = true;
    return SL_OK;
}

static void learn(struct http *h)
{
    const char *effective = NULL;
    curl_off_t length = -1;
    if (!h->first || h->code == 0) {
        return;
    }
    h->first = false;
    h->ranges = h->code == 206;
    h->total = h->range_total;
    if (h->code == 200) {
        (void)curl_easy_getinfo(h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        h->total = length >= 0 ? (int64_t)length : -1;
        h->end = -1;
    } else if (h->code == 416) {
        h->ranges = true;
    }
    memcpy(h->tag, h->answer_tag, sizeof h->tag);
    (void)curl_easy_getinfo(h->easy, CURLINFO_EFFECTIVE_URL, &effective);
    if (effective && strcmp(effective, h->url) != 0) {
        h->effective = sl_strdup(effective); /* NULL: the redirect is followed each time */
    }
}

/* Lets libcurl work once; *result is set where the transfer is over. */
static enum sl_status pump(struct http *h, bool *over, CURLcode *result, struct sl_error *err)
{
    int running = 0, left = 0;
    CURLMsg *message;
    CURLMcode code = curl_multi_perform(h->multi, &running);
    *over = false;
    if (code == CURLM_OK && running > 0 && h->held == 0) {
        code = curl_multi_poll(h->multi, NULL, 0, POLL_MS, NULL);
    }
    if (code != CURLM_OK) {
        return sl_fail(err, SL_EIO, h->name, "%s", curl_multi_strerror(code));
    }
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *over = true;
            *result = message->data.result;
        }
    }
    return SL_OK;
}

static void nap(int attempt)
{
    int ms = FIRST_PAUSE_MS << attempt;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&t, NULL);
}

/* Failures that another attempt may not meet. */
static bool is_passing(const struct http *h, CURLcode result)
{
    if (h->code >= 500 && h->code != 501 && h->code != 505) {
        return true;
    }
    switch (result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static enum sl_status failure(struct http *h, CURLcode result, struct sl_error *err)
{
    h->refused = SL_OK;
    if (h->code != 0) { /* once more, for the words */
        h->code = 0;
        enum sl_status status = check_answer(h, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return sl_fail_at(err, SL_EIO, h->name, h->at, "%s",
                      h->reason[0] ? h->reason : curl_easy_strerror(result));
}

/* Until bytes are there (held > 0) or there are no more (SL_EOF). */
static enum sl_status wait_for_bytes(struct http *h, struct sl_error *err)
{
    for (int attempt = 0; h->held == 0;) {
        CURLcode result = CURLE_OK;
        bool over = false;
        enum sl_status status = SL_OK;
        if (!h->active) {
            if (h->total >= 0 && h->at >= h->total) {
                return SL_EOF;
            }
            status = request(h, err);
        }
        if (status == SL_OK && h->paused) {
            h->paused = false;
            (void)curl_easy_pause(h->easy, CURLPAUSE_CONT);
        }
        if (status == SL_OK) {
            status = pump(h, &over, &result, err);
        }
        if (status != SL_OK) {
            return status;
        }
        if (h->held > 0 && h->code != 0) {
            learn(h);
        }
        if (!over) {
            continue;
        }
        if (h->code == 0 && result == CURLE_OK) {
            h->refused = check_answer(h, err); /* an answer without a body */
            if (h->refused != SL_OK && !is_passing(h, result)) {
                return h->refused;
            }
        }
        bool good = result == CURLE_OK && h->refused == SL_OK;
        if (good) {
            learn(h);
        }
        (void)curl_multi_remove_handle(h->multi, h->easy);
        h->active = false;
        if (good && h->held == 0) {
            /* An empty body: the end, unless it is a piece that the server made of no bytes. */
            if (h->code != 206 || attempt++ == ATTEMPTS) {
                return SL_EOF;
            }
        } else if (!good && h->held == 0) {
            bool again = (h->first || h->ranges || h->at == 0) && is_passing(h, result);
            if (!again || ++attempt == ATTEMPTS) {
                return failure(h, result, err);
            }
            nap(attempt - 1);
        }
    }
    return SL_OK;
}

/* All of the piece has been taken: lets libcurl see its end, so that the connection stays. */
static enum sl_status end_piece(struct http *h, struct sl_error *err)
{
    CURLcode result = CURLE_OK;
    bool over = false;
    enum sl_status status = SL_OK;
    while (h->active && !h->first && h->held == 0 && h->end >= 0 && h->at >= h->end) {
        status = pump(h, &over, &result, err);
        if (status != SL_OK) {
            return status;
        }
        if (over) {
            (void)curl_multi_remove_handle(h->multi, h->easy);
            h->active = false;
        }
    }
    return SL_OK;
}

static enum sl_status http_fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                struct sl_error *err)
{
    struct http *h = opaque;
    enum sl_status status = SL_OK;
    *got = 0;
    if (size == 0) {
        return SL_OK;
    }
    status = end_piece(h, err);
    if (status != SL_OK) {
        return status;
    }
    if (offset != h->at) {
        int64_t ahead = offset - h->at;
        bool near = ahead > 0 && ahead <= SKIP_MAX && (h->active || h->held > 0) &&
                    (h->end < 0 || offset < h->end);
        while (near && h->at < offset) {
            status = wait_for_bytes(h, err);
            if (status != SL_OK) {
                return status == SL_EOF ? SL_OK : status;
            }
            int64_t left = offset - h->at;
            size_t n = (int64_t)h->held < left ? h->held : (size_t)left;
            h->start += n;
            h->held -= n;
            h->at += (int64_t)n;
        }
        if (!near) {
            stop(h);
            h->at = offset;
            h->piece = PIECE_MIN;
        }
    }
    if (h->held == 0 && !h->active && h->wanted > 0 && h->wanted_from == offset) {
        h->piece = h->wanted;
        h->wanted = 0;
    } else if (h->held == 0 && !h->active && !h->first) {
        h->piece = h->piece * 4 < PIECE_MAX ? h->piece * 4 : PIECE_MAX;
    }
    status = wait_for_bytes(h, err);
    if (status != SL_OK) {
        return status == SL_EOF ? SL_OK : status;
    }
    *got = h->held < size ? h->held : size;
    memcpy(dst, h->buffer + h->start, *got);
    h->start += *got;
    h->held -= *got;
    h->at += (int64_t)*got;
    if (h->held == 0) {
        h->start = 0;
    }
    return SL_OK;
}

static void http_expect(struct sl_source *source, int64_t offset, int64_t size)
{
    struct http *h = (struct http *)source;
    h->wanted_from = offset;
    h->wanted = size;
}

/* ---- open ---------------------------------------------------------------------------------- */

/* "https://user:secret@host/x" is shown as "https://host/x". */
static char *name_for(const char *url)
{
    const char *host = strstr(url, "//") + 2;
    size_t authority = strcspn(host, "/?#");
    const char *at = NULL;
    for (size_t i = 0; i < authority; i++) {
        at = host[i] == '@' ? host + i : at;
    }
    return at ? sl_format("%.*s%s", (int)(host - url), url, at + 1) : sl_strdup(url);
}

static enum sl_status set_up(struct http *h, struct sl_error *err)
{
    CURL *c = h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    h->buffer = sl_alloc(BUFFER_SIZE);
    if (!c || !h->multi || !h->buffer) {
        return sl_fail_memory(err);
    }
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    return SL_OK;
}

static enum sl_status http_open(struct sl_source **out, const char *url, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct http *h = sl_alloc_zero(sizeof *h);
    *out = NULL;
    if (!h) {
        return sl_fail_memory(err);
    }
    h->source.destroy = destroy;
    h->source.expect = http_expect;
    h->first = true;
    h->total = -1;
    h->piece = PIECE_MIN;
    h->url = sl_strdup(url);
    h->name = name_for(url);
    status = h->url && h->name ? set_up(h, err) : sl_fail_memory(err);
    if (status == SL_OK) {
        status = wait_for_bytes(h, err);
        status = status == SL_EOF ? SL_OK : status; /* an empty body */
    }
    if (status != SL_OK) {
        destroy(&h->source);
        return status;
    }
    h->source.bytes = (struct sl_window_source){
        .fill = http_fill,
        .opaque = h,
        .name = h->name,
        .size = h->total,
        .seekable = h->ranges,
    };
    *out = &h->source;
    return SL_OK;
}

const struct sl_source_http_ops sl_source_http = {.open = http_open};
