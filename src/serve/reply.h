/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer before it is bytes, and the rendering of its head. */
#ifndef SL_SERVE_REPLY_H
#define SL_SERVE_REPLY_H

#include "serve/condition.h"

#define SL_REPLY_HEAD_MAX 4096

/* What is to be sent. Zero-initialised by sl_reply_init; at most one of text, owned and fd is the
 * body. Owned members go with sl_reply_clear unless somebody took them (and zeroed them). */
struct sl_reply {
    int status;
    const char *type;                /* Content-Type; NULL: none */
    const char *cache;               /* Cache-Control; NULL: none */
    struct sl_validators validators; /* etag empty: none */
    int64_t size;                    /* of the whole representation */
    int64_t first;                   /* what of it is sent */
    int64_t count;                   /* Content-Length */
    bool ranges;                     /* a single range may be asked for */
    bool page;                       /* the page: say what it may load */
    bool options;     /* answers OPTIONS: say what is allowed, to CORS preflights too */
    bool no_body;     /* HEAD */
    const void *text; /* static storage, count bytes */
    uint8_t *owned;   /* sl_alloc'ed, count bytes */
    int fd;           /* a regular file; -1: none */
};

void sl_reply_init(struct sl_reply *reply);
void sl_reply_clear(struct sl_reply *reply);
/* An error as a line of plain text: "404 Not Found: detail". Forgets what reply was before. */
void sl_reply_fail(struct sl_reply *reply, const struct sl_request *r, int status,
                   const char *detail);
/* "Not Found"; never NULL. */
const char *sl_reply_phrase(int status);

/* Status line and header fields with the empty line after them. close says Connection: close. */
void sl_reply_head(const struct sl_reply *reply, const struct sl_request *r, bool close,
                   int64_t now, struct sl_writer *out);

#endif
