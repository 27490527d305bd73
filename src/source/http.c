/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection, kept alive. Bytes are asked for in pieces that grow while reading goes straight
 * on: a jump then seldom finds an answer half read, which would cost the connection, and a long
 * read has few requests. What arrives waits in a small buffer; a full one pauses the transfer, and
 * so, by TCP's window, the server. */
#include "source/http.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "source/http_parts.h"

#define PIECE_MIN (INT64_C(64) << 10)
#define PIECE_MAX (INT64_C(16) << 20)
#define SKIP_MAX  (INT64_C(128) << 10) /* read over rather than asked for anew */

#define REDIRECTS_MAX 10L
#define CONNECT_MS    15000L
#define SILENCE_S     30L   /* less than a byte a second for so long is a failure */
#define GUARDED_LEAST 4096L /* bytes a second of a source that somebody else named */

static void destroy(struct sl_source *source)
{
    struct sl_http *h = (struct sl_http *)source;
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

static enum sl_status http_fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                struct sl_error *err)
{
    struct sl_http *h = opaque;
    enum sl_status status = SL_OK;
    *got = 0;
    if (size == 0) {
        return SL_OK;
    }
    status = sl_http_end_piece(h, err);
    if (status != SL_OK) {
        return status;
    }
    if (offset != h->at) {
        int64_t ahead = offset - h->at;
        bool near = ahead > 0 && ahead <= SKIP_MAX && (h->active || h->held > 0) &&
                    (h->end < 0 || offset < h->end);
        while (near && h->at < offset) {
            status = sl_http_wait(h, err);
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
            sl_http_stop(h);
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
    status = sl_http_wait(h, err);
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
    struct sl_http *h = (struct sl_http *)source;
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

/* Of somebody else's address: nothing is connected to that was not looked at. */
static void guard(struct sl_http *h)
{
    CURL *c = h->easy;
    long seconds = h->params.timeout > 0 ? (long)((h->params.timeout + 999) / 1000) : SILENCE_S;

    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* http_request.c does it */
    (void)curl_easy_setopt(c, CURLOPT_PROXY, "");          /* it would connect in our place */
    (void)curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, sl_http_on_socket);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, GUARDED_LEAST);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, seconds);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, seconds * 1000);
}

static enum sl_status set_up(struct sl_http *h, struct sl_error *err)
{
    CURL *c = h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    h->buffer = sl_alloc(SL_HTTP_BUFFER);
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
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, sl_http_on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, sl_http_on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    if (h->params.guarded) {
        guard(h);
    }
    return SL_OK;
}

/* The first answer, or what another source of the same address learnt. */
static enum sl_status begin(struct sl_http *h, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (h->params.known) {
        h->known = *h->params.known;
        h->first = false;
        h->ranges = true;
    } else {
        status = sl_http_wait(h, err);
        status = status == SL_EOF ? SL_OK : status; /* an empty body */
    }
    if (status == SL_OK && h->params.facts) {
        *h->params.facts = h->known;
    }
    return status;
}

static enum sl_status http_open(struct sl_source **out, const struct sl_http_params *params,
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct sl_http *h = sl_alloc_zero(sizeof *h);
    *out = NULL;
    if (!h) {
        return sl_fail_memory(err);
    }
    h->source.destroy = destroy;
    h->source.expect = http_expect;
    h->params = *params;
    h->first = true;
    h->known.size = -1;
    h->piece = PIECE_MIN;
    h->url = sl_strdup(params->url);
    h->name = params->name ? sl_strdup(params->name) : name_for(params->url);
    status = h->url && h->name ? set_up(h, err) : sl_fail_memory(err);
    if (status == SL_OK) {
        status = begin(h, err);
    }
    if (status != SL_OK) {
        destroy(&h->source);
        return status;
    }
    h->source.bytes = (struct sl_window_source){
        .fill = http_fill,
        .opaque = h,
        .name = h->name,
        .size = h->known.size,
        .seekable = h->ranges,
    };
    *out = &h->source;
    return SL_OK;
}

const struct sl_source_http_ops sl_source_http = {.open = http_open};
