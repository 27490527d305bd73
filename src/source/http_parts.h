/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of module source-http share. */
#ifndef SL_SOURCE_HTTP_PARTS_H
#define SL_SOURCE_HTTP_PARTS_H

#include <curl/curl.h>

#include "source/http.h"

#define SL_HTTP_BUFFER ((size_t)256 << 10)

struct sl_http {
    struct sl_source source;      /* first: handed out as this */
    struct sl_http_params params; /* url and name are ours */
    char *url;                    /* as given */
    char *effective;              /* after redirects, or NULL */
    char *name;                   /* for messages: without user and password */
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
    struct sl_http_facts known;  /* size -1: not known */

    /* of the answer at hand */
    long code;
    int64_t range_from, range_total;
    struct sl_http_facts answer;
    size_t head;            /* bytes of header fields */
    size_t dropped;         /* bytes of a body that nobody wants */
    enum sl_status refused; /* the answer is not what can be used */
    bool barred;            /* an address was not connected to */
    int hops;               /* redirects in a row */

    uint8_t *buffer;
    size_t start, held;
};

/* ---- http_answer.c: what libcurl calls ---------------------------------------------------- */

size_t sl_http_on_header(char *line, size_t one, size_t size, void *opaque);
size_t sl_http_on_body(char *data, size_t one, size_t size, void *opaque);
curl_socket_t sl_http_on_socket(void *opaque, curlsocktype purpose, struct curl_sockaddr *address);
/* Once per answer, before its first byte is used. */
enum sl_status sl_http_check(struct sl_http *h, struct sl_error *err);
bool sl_http_is_redirect(const struct sl_http *h);
/* Remembers the first one. */
void sl_http_blame(const struct sl_http *h, enum sl_http_fault fault);

/* ---- http_request.c ----------------------------------------------------------------------- */

void sl_http_stop(struct sl_http *h);
/* Until bytes are there (held > 0) or there are no more (SL_EOF). */
SL_NODISCARD enum sl_status sl_http_wait(struct sl_http *h, struct sl_error *err);
/* All of the piece has been taken: lets libcurl see its end, so that the connection stays. */
SL_NODISCARD enum sl_status sl_http_end_piece(struct sl_http *h, struct sl_error *err);

#endif
