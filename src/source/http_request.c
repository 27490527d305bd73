/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests, attempts, redirects. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/url.h"
#include "source/http_parts.h"

#define ATTEMPTS       4   /* in a row without a byte */
#define FIRST_PAUSE_MS 200 /* before another attempt; doubled each time */
#define POLL_MS        1000
#define LOOK_MS        100 /* where there is a flag or a deadline to look at */
#define REDIRECTS_MAX  10

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sl_http_stop(struct sl_http *h)
{
    if (h->active) {
        (void)curl_multi_remove_handle(h->multi, h->easy);
    }
    h->active = false;
    h->paused = false;
    h->start = h->held = 0;
}

/* ---- header fields ------------------------------------------------------------------------ */

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char *line = sl_format("%s: %s", name, value);
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;

    sl_free(line);
    if (longer) {
        *list = longer;
    }
    return longer != NULL;
}

/* What was given for one origin is not for another one, to which a redirect leads. */
static bool at_home(const struct sl_http *h)
{
    struct sl_url given, now;
    const char *why = NULL;

    return !h->effective ||
           (sl_url_parse(h->url, &given, &why) && sl_url_parse(h->effective, &now, &why) &&
            sl_url_same_origin(&given, &now));
}

static enum sl_status set_headers(struct sl_http *h, bool partial, struct sl_error *err)
{
    struct curl_slist *headers = NULL;
    bool ok = true;

    /* RFC 9110 13.1.5: all of it if it has changed. Weak tags do not do for this. */
    if (h->known.tag[0] == '"' && partial) {
        ok = add_header(&headers, "If-Range", h->known.tag);
    }
    if (h->params.field_count > 0 && at_home(h)) {
        for (size_t i = 0; ok && i < h->params.field_count; i++) {
            ok = add_header(&headers, h->params.fields[i].name, h->params.fields[i].value);
        }
    }
    (void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers);
    curl_slist_free_all(h->headers);
    h->headers = headers;
    return ok ? SL_OK : sl_fail_memory(err);
}

/* Begins to ask for what starts at h->at. */
static enum sl_status request(struct sl_http *h, struct sl_error *err)
{
    char range[64];
    bool partial = h->first || h->ranges;
    enum sl_status status;

    sl_http_stop(h);
    h->code = 0;
    h->refused = SL_OK;
    h->range_from = h->range_total = -1;
    h->head = h->dropped = 0;
    h->barred = false;
    h->reason[0] = '\0';
    h->end = partial ? h->at + h->piece : -1;
    (void)snprintf(range, sizeof range, "%" PRId64 "-%" PRId64, h->at, h->end - 1);
    (void)curl_easy_setopt(h->easy, CURLOPT_RANGE, partial ? range : NULL);
    (void)curl_easy_setopt(h->easy, CURLOPT_URL, h->effective ? h->effective : h->url);
    status = set_headers(h, partial, err);
    if (status != SL_OK) {
        return status;
    }
    if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK) {
        return sl_fail_memory(err);
    }
    h->active = true;
    return SL_OK;
}

/* ---- redirects of guarded sources --------------------------------------------------------- */

/* A redirect to the same origin goes on with the user and password of the address. */
static char *with_user(const struct sl_http *h, const char *url)
{
    struct sl_url given, next;
    const char *why = NULL, *rest;

    if (!sl_url_parse(h->url, &given, &why) || !sl_url_parse(url, &next, &why) ||
        given.user_size == 0 || next.user_size > 0 || !sl_url_same_origin(&given, &next)) {
        return sl_strdup(url);
    }
    rest = strstr(url, "//") + 2;
    return sl_format("%.*s%.*s@%s", (int)(rest - url), url, (int)given.user_size, given.user, rest);
}

static enum sl_status refuse_redirect(const struct sl_http *h, const char *why,
                                      struct sl_error *err)
{
    sl_http_blame(h, SL_HTTP_REFUSED);
    return sl_fail(err, SL_EIO, h->name, "redirects to an address that is not allowed: %s", why);
}

/* The next request goes where this answer says, if that is allowed. */
static enum sl_status follow(struct sl_http *h, struct sl_error *err)
{
    const char *why = "no pattern allows it";
    char *location = NULL, *to = NULL;
    struct sl_url parsed;
    enum sl_status status = SL_OK;

    (void)curl_easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &location);
    if (!location || ++h->hops > REDIRECTS_MAX) {
        sl_http_blame(h, SL_HTTP_BROKEN);
        return sl_fail(err, SL_EIO, h->name,
                       location ? "redirects too often" : "redirects to nowhere");
    }
    to = sl_strdup(location);
    if (!to) {
        return sl_fail_memory(err);
    }
    to[strcspn(to, "#")] = '\0';
    if (!sl_url_parse(to, &parsed, &why) ||
        (h->params.allowed && !h->params.allowed(h->params.allowed_opaque, to))) {
        status = refuse_redirect(h, why, err);
    } else {
        sl_free(h->effective);
        h->effective = with_user(h, to);
        status = h->effective ? SL_OK : sl_fail_memory(err);
    }
    sl_free(to);
    return status;
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void learn(struct sl_http *h)
{
    const char *effective = NULL;
    curl_off_t length = -1;
    h->hops = 0;
    if (!h->first || h->code == 0) {
        return;
    }
    h->first = false;
    h->ranges = h->code == 206 || h->code == 416;
    h->known = h->answer;
    h->known.size = h->range_total;
    if (h->code == 200) {
        (void)curl_easy_getinfo(h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        h->known.size = length >= 0 ? (int64_t)length : -1;
        h->end = -1;
    }
    if (h->params.guarded) {
        return; /* redirects were followed here */
    }
    (void)curl_easy_getinfo(h->easy, CURLINFO_EFFECTIVE_URL, &effective);
    if (effective && strcmp(effective, h->url) != 0) {
        h->effective = sl_strdup(effective); /* NULL: the redirect is followed each time */
    }
}

/* Lets libcurl work once; *result is set where the transfer is over. */
static enum sl_status pump(struct sl_http *h, bool *over, CURLcode *result, struct sl_error *err)
{
    int running = 0, left = 0;
    CURLMsg *message;
    CURLMcode code = curl_multi_perform(h->multi, &running);
    *over = false;
    if (code == CURLM_OK && running > 0 && h->held == 0) {
        code = curl_multi_poll(h->multi, NULL, 0,
                               h->params.cancel || h->params.timeout ? LOOK_MS : POLL_MS, NULL);
    }
    if (code != CURLM_OK) {
        sl_http_blame(h, SL_HTTP_BROKEN);
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
static bool is_passing(const struct sl_http *h, CURLcode result)
{
    if (h->code == 429 || (h->code >= 500 && h->code != 501 && h->code != 505)) {
        return true;
    }
    if (h->barred) {
        return false;
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

static enum sl_status failure(struct sl_http *h, CURLcode result, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    bool missing = h->code == 404 || h->code == 410;

    h->refused = SL_OK;
    if (h->code != 0) { /* once more, for the words */
        h->code = 0;
        status = sl_http_check(h, err);
    }
    if (status != SL_OK) {
        sl_http_blame(h, missing ? SL_HTTP_MISSING : SL_HTTP_BROKEN); /* unless it was blamed */
        return status;
    }
    sl_http_blame(h, h->barred                            ? SL_HTTP_REFUSED
                     : result == CURLE_OPERATION_TIMEDOUT ? SL_HTTP_TIMEOUT
                                                          : SL_HTTP_BROKEN);
    if (h->barred) {
        return sl_fail(err, SL_EIO, h->name, "leads to an address that is not public");
    }
    return sl_fail_at(err, SL_EIO, h->name, h->at, "%s",
                      h->reason[0] ? h->reason : curl_easy_strerror(result));
}

/* A transfer is over without a byte. SL_EAGAIN: another one is to be made. */
static enum sl_status after_nothing(struct sl_http *h, CURLcode result, bool good, int *attempt,
                                    struct sl_error *err)
{
    if (good) {
        /* An empty body: the end, unless it is a piece that the server made of no bytes. */
        return h->code != 206 || (*attempt)++ == ATTEMPTS ? SL_EOF : SL_EAGAIN;
    }
    /* Where a redirect led may have been good for a while only. */
    if (h->params.guarded && h->effective && !h->first && h->code >= 400 && h->code < 500) {
        sl_free(h->effective);
        h->effective = NULL;
        return ++*attempt < ATTEMPTS ? SL_EAGAIN : failure(h, result, err);
    }
    if (!(h->first || h->ranges || h->at == 0) || !is_passing(h, result) ||
        ++*attempt == ATTEMPTS) {
        return failure(h, result, err);
    }
    nap(*attempt - 1);
    return SL_EAGAIN;
}

static enum sl_status look_around(const struct sl_http *h, int64_t deadline, struct sl_error *err)
{
    if (sl_cancelled(h->params.cancel)) {
        return sl_fail(err, SL_ECANCELLED, NULL, "stopped on request");
    }
    if (h->params.timeout > 0 && now_ms() >= deadline) {
        sl_http_blame(h, SL_HTTP_TIMEOUT);
        return sl_fail_at(err, SL_EIO, h->name, h->at, "no byte came in %" PRId64 " ms",
                          h->params.timeout);
    }
    return SL_OK;
}

/* A transfer ended. SL_OK: bytes may be there; SL_EAGAIN, SL_EOF: none. */
static enum sl_status ended(struct sl_http *h, CURLcode result, int *attempt, struct sl_error *err)
{
    bool good;

    if (h->code == 0 && result == CURLE_OK) {
        h->refused = sl_http_check(h, err); /* an answer without a body */
        if (h->refused != SL_OK && !is_passing(h, result)) {
            if (h->params.guarded && h->effective) {
                return after_nothing(h, result, false, attempt, err);
            }
            return failure(h, result, err);
        }
    }
    if (h->refused == SL_OK && sl_http_is_redirect(h)) {
        enum sl_status status = follow(h, err);
        return status == SL_OK ? SL_EAGAIN : status;
    }
    good = result == CURLE_OK && h->refused == SL_OK;
    if (good) {
        learn(h);
    }
    return h->held == 0 ? after_nothing(h, result, good, attempt, err) : SL_OK;
}

enum sl_status sl_http_wait(struct sl_http *h, struct sl_error *err)
{
    int64_t deadline = h->held == 0 && h->params.timeout > 0 ? now_ms() + h->params.timeout : 0;
    struct sl_error why = {0};

    for (int attempt = 0; h->held == 0;) {
        CURLcode result = CURLE_OK;
        bool over = false;
        enum sl_status status = look_around(h, deadline, err);
        if (status == SL_OK && !h->active) {
            if (h->known.size >= 0 && h->at >= h->known.size) {
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
        why = (struct sl_error){0};
        status = ended(h, result, &attempt, &why);
        (void)curl_multi_remove_handle(h->multi, h->easy);
        h->active = false;
        if (status != SL_OK && status != SL_EAGAIN && status != SL_EOF && err &&
            err->status == SL_OK) {
            *err = why;
        }
        if (status != SL_OK && status != SL_EAGAIN) {
            return status;
        }
    }
    return SL_OK;
}

enum sl_status sl_http_end_piece(struct sl_http *h, struct sl_error *err)
{
    CURLcode result = CURLE_OK;
    bool over = false;
    enum sl_status status = SL_OK;
    int64_t deadline = h->params.timeout > 0 ? now_ms() + h->params.timeout : 0;
    while (h->active && !h->first && h->held == 0 && h->end >= 0 && h->at >= h->end) {
        status = look_around(h, deadline, err);
        if (status == SL_OK) {
            status = pump(h, &over, &result, err);
        }
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
