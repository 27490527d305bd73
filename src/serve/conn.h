/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection: requests in, one after the other, answers out. Lives on its loop's thread. */
#ifndef SL_SERVE_CONN_H
#define SL_SERVE_CONN_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>

#include "serve/loop.h"
#include "serve/request.h"

struct sl_conn {
    struct sl_loop *loop;
    struct sl_conn *prev, *next;
    struct bufferevent *bev;
    struct event *timer; /* one deadline at a time; which one follows from state */
    enum {
        SL_CONN_READING,   /* between requests, or within a head */
        SL_CONN_WRITING,   /* an answer is on its way; nothing is parsed meanwhile */
        SL_CONN_LINGERING, /* all is said; what the client still sends is thrown away */
    } state;
    bool eof;      /* the client will send no more; it may still be reading */
    bool keep;     /* another request may follow */
    bool deadline; /* READING: the head's deadline runs, not the idle time */
    struct sl_request request;

    /* The answer under way. */
    int status;
    int64_t head_size, body_size; /* as queued, or to be queued */
    int64_t started;              /* microseconds, monotonic */
    int64_t queued_before;        /* of queued, what belongs to answers before */
    struct evbuffer_file_segment *file;
    int file_fd;                  /* owned by file */
    int64_t file_next, file_left; /* relative to file: what is not queued yet */
    int64_t file_need;            /* size that the file must have to be what was announced */

    int64_t queued; /* bytes ever added to the output */
    int64_t taken;  /* bytes that the client had taken when the write deadline last passed */
    struct sockaddr_storage peer;
};

/* Takes fd, whatever it returns. busy answers 503 right away. */
SL_NODISCARD enum sl_status sl_conn_open(struct sl_loop *loop, int fd, bool busy,
                                         struct sl_error *err);
/* The server stops: an idle connection goes, a busy one ends after its answer. */
void sl_conn_stop(struct sl_conn *c);
/* Ends it at once. */
void sl_conn_abort(struct sl_conn *c);

#endif
