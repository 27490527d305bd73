/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection: requests in, one after the other, answers out. Lives on its loop's thread. */
#ifndef SL_SERVE_CONN_H
#define SL_SERVE_CONN_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>

#include "serve/body.h"
#include "serve/client.h"
#include "serve/later.h"
#include "serve/loop.h"
#include "serve/media.h"
#include "serve/reply.h"
#include "serve/request.h"

#define SL_CONN_AHEAD 2

struct sl_conn {
    struct sl_loop *loop;
    struct sl_conn *prev, *next;
    struct bufferevent *bev;
    struct event *timer; /* one deadline at a time; which one follows from state */
    enum {
        SL_CONN_GREETING,  /* TLS: its handshake */
        SL_CONN_READING,   /* between requests, or within a head */
        SL_CONN_WAITING,   /* the answer is being made; nothing is parsed meanwhile */
        SL_CONN_WRITING,   /* an answer is on its way; nor here */
        SL_CONN_LINGERING, /* all is said; what the client still sends is thrown away */
    } state;
    bool eof;      /* the client will send no more; it may still be reading */
    bool keep;     /* another request may follow */
    bool deadline; /* READING: the head's deadline runs, not the idle time */
    struct sl_request request;
    struct sl_client peer, client; /* client: as X-Forwarded-For has it, where that is believed */

    /* The answer under way. */
    int status;
    enum sl_reply_class class;
    int64_t head_size, body_size; /* as queued, or to be queued; body_size -1: not known */
    int64_t started;              /* microseconds, monotonic */
    int64_t queued_before;        /* of queued, what belongs to answers before */
    struct sl_body body;

    /* What has to be made first. */
    struct sl_media_want *want;
    struct sl_waiter waiter;
    /* A viewer of segments is one of the next, too: pictures and sound take turns here. */
    struct sl_waiter ahead[SL_CONN_AHEAD];
    size_t ahead_next;
    struct sl_media_stream *stream;
    struct sl_job *job; /* WAITING: what makes the answer; WRITING: what makes its chunks */
    bool chunked;
    bool chunk_open; /* a chunk was begun, its end is to be written */
    bool chunk_due;  /* the viewer has taken all that there is so far */
    bool stream_over;

    int64_t queued; /* bytes ever added to the output */
    int64_t taken;  /* bytes that the client had taken when the write deadline last passed */
};

/* Takes fd, whatever it returns. busy answers 503 right away. */
SL_NODISCARD enum sl_status sl_conn_open(struct sl_loop *loop, int fd, bool busy,
                                         struct sl_error *err);
/* The server stops: an idle connection goes, a busy one ends after its answer. */
void sl_conn_stop(struct sl_conn *c);
/* Ends it at once. */
void sl_conn_abort(struct sl_conn *c);

/* ---- conn_send.c: the way out ------------------------------------------------------------- */

/* Sends reply, and clears it. The connection may be gone afterwards. */
void sl_conn_send(struct sl_conn *c, struct sl_reply *reply);
/* The output is empty: puts more into it. 1: there is, or will be, more; 0: this was all; -1: the
 * connection is gone. */
int sl_conn_send_more(struct sl_conn *c);
/* The next chunk of a stream is there, or its end. The same results. */
int sl_conn_take_chunk(struct sl_conn *c);
/* Bytes that have reached the client for certain: the system's buffer may hold megabytes. */
int64_t sl_conn_bytes_taken(const struct sl_conn *c);
/* A job is done. The connection may be gone afterwards. */
void sl_conn_job_done(struct sl_job *j);
void sl_conn_drop_answer(struct sl_conn *c);
void sl_conn_log(struct sl_conn *c);
int64_t sl_conn_now(void); /* microseconds, monotonic */

#endif
