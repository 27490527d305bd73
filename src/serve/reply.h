/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer before it is bytes, and the rendering of its head. */
#ifndef SL_SERVE_REPLY_H
#define SL_SERVE_REPLY_H

#include "serve/answer.h"
#include "serve/condition.h"
#include "serve/metrics.h"

#define SL_REPLY_HEAD_MAX 32768

struct sl_job;
struct sl_media_want;

/* What is to be sent. Zero-initialised by sl_reply_init; at most one of text, owned and answer is
 * the body. Owned members go with sl_reply_clear unless somebody took them (and zeroed them). */
struct sl_reply {
    int status; /* 0: not known yet, want or job says what has to be made first */
    enum sl_reply_class class;
    const char *type;                /* Content-Type; NULL: none */
    const char *cache;               /* Cache-Control; NULL: none */
    struct sl_validators validators; /* etag empty: none */
    int64_t size;                    /* of the whole representation; -1: not known (HEAD alone) */
    int64_t first;                   /* what of it is sent */
    int64_t count;                   /* Content-Length; -1: not known */
    int64_t retry;                   /* Retry-After, seconds; 0: none */
    bool ranges;                     /* a single range may be asked for */
    bool gzip;                       /* Content-Encoding */
    bool varies;                     /* by Accept-Encoding */
    bool varies_by_accept;           /* by Accept */
    bool chunked;                    /* answer is the first of many chunks, or job makes all of
                                        them; size and count are -1 */
    bool page;                       /* the page: say what it may load */
    bool options;               /* answers OPTIONS: say what is allowed, to CORS preflights too */
    bool no_body;               /* HEAD */
    const void *text;           /* static storage, count bytes from first on */
    uint8_t *owned;             /* sl_alloc'ed, the same */
    struct sl_answer *answer;   /* the same */
    struct sl_media_want *want; /* owned */
    struct sl_job *job;         /* owned */
    char *extra;                /* owned: header fields, each with its CRLF */
};

void sl_reply_init(struct sl_reply *reply);
void sl_reply_clear(struct sl_reply *reply);
/* An error as a line of plain text: "404 Not Found: detail". Forgets what reply was before. */
void sl_reply_fail(struct sl_reply *reply, const struct sl_request *r, int status,
                   const char *detail);
/* Status 200 or what the conditions and the range of r make of it, for what type, cache, validators
 * and size are set; bodies are left alone. */
void sl_reply_select(struct sl_reply *reply, const struct sl_request *r, int64_t now);
/* Replaces owned (status 200, whole) by its compressed form where r takes that and it gains
 * something; called before sl_reply_select. Says that the answer varies in any case. */
void sl_reply_compress(struct sl_reply *reply, const struct sl_request *r);
/* Appends -suffix to the entity tag: another form of the same thing. */
void sl_reply_mark(struct sl_reply *reply, const char *suffix);
/* "Not Found"; never NULL. */
const char *sl_reply_phrase(int status);

/* Status line and header fields with the empty line after them. close says Connection: close. */
void sl_reply_head(const struct sl_reply *reply, const struct sl_request *r, bool close,
                   int64_t now, struct sl_writer *out);

#endif
