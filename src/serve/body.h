/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a connection is within the bytes that it sends. */
#ifndef SL_SERVE_BODY_H
#define SL_SERVE_BODY_H

#include <event2/buffer.h>

#include "serve/answer.h"

/* Shorter ranges of files are read and joined: each sendfile is a system call and a turn of the
 * loop.
 */
#define SL_BODY_FILE_LEAST 65536

struct sl_body {
    struct sl_answer *answer; /* NULL: nothing (more) to send */
    size_t slice;             /* where the next piece begins */
    size_t inside;
    int64_t left;
    bool copy; /* the socket is no plain one: files are read, since sendfile would map them */
    /* The file whose ranges were queued last, and the size that it must have for them. */
    struct sl_file *file;
    int64_t need;
};

/* count bytes of a from first on, which it has. Takes a reference of its own. */
void sl_body_start(struct sl_body *b, struct sl_answer *a, int64_t first, int64_t count, bool copy);
/* Appends the next piece to out: some memory, or some of a file. *queued says how many bytes.
 * SL_EIO where a file became shorter. Nothing is left: *queued is 0. */
SL_NODISCARD enum sl_status sl_body_queue(struct sl_body *b, struct evbuffer *out, int64_t *queued,
                                          struct sl_error *err);
/* Whether the file whose ranges were queued last is shorter than they need. */
bool sl_body_file_is_short(const struct sl_body *b);
void sl_body_clear(struct sl_body *b); /* a zeroed one is fine */

#endif
