/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/conn.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/tls.h"

#define INPUT_MAX 65536     /* bytes that wait for their turn; reading pauses beyond */
#define WRITE_MAX (1 << 18) /* bytes of memory written at a time */

/* How long a client that was told to go away may take to notice. Closing at once would make the
 * system answer what it still sends with a reset, which can destroy the answer: RFC 9112 9.6. */
static const struct timeval linger_time = {2, 0};

static void arm(struct sl_conn *c, const struct timeval *time)
{
    (void)event_add(c->timer, time);
}

static void destroy(struct sl_conn *c)
{
    struct sl_loop *loop = c->loop;

    if (c->bev && c->state == SL_CONN_WRITING) {
        sl_conn_log(c);
    }
    if (c->prev) {
        c->prev->next = c->next;
    } else if (loop->connections == c) {
        loop->connections = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    for (size_t i = 0; i < SL_CONN_AHEAD; i++) {
        sl_media_leave(&c->ahead[i]);
    }
    sl_conn_drop_answer(c);
    sl_request_clear(&c->request);
    if (c->timer) {
        event_free(c->timer);
    }
    if (c->bev) {
        bufferevent_free(c->bev); /* closes the descriptor */
    }
    sl_free(c);
    sl_loop_forget(loop);
}

void sl_conn_abort(struct sl_conn *c)
{
    /* Megabytes in the system's buffer for somebody who does not read: a reset throws them away. */
    const struct linger at_once = {1, 0};

    if (c->state == SL_CONN_WRITING) {
        (void)setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &at_once,
                         sizeof at_once);
    }
    destroy(c);
}

static void linger(struct sl_conn *c)
{
    if (c->eof) {
        destroy(c);
        return;
    }
    c->state = SL_CONN_LINGERING;
    if (c->loop->server->tls) {
        c->loop->server->tls->finish(c->bev);
    }
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    arm(c, &linger_time);
}

static void finish_answer(struct sl_conn *c);

static struct sl_visit visit_of(const struct sl_conn *c)
{
    return (struct sl_visit){
        .request = &c->request,
        .client = &c->client,
        .now = (int64_t)time(NULL),
        .stopping = c->loop->stopping,
    };
}

/* The library has answered, well or not. */
static void answer_made(struct sl_conn *c)
{
    struct sl_server *server = c->loop->server;
    struct sl_media_want *want = c->want;
    struct sl_visit visit = visit_of(c);
    bool follow = want->ask.what == SL_MEDIA_SEGMENT && c->waiter.settings[0] == 'c' &&
                  c->waiter.status == 200 && c->request.method == SL_METHOD_GET &&
                  c->request.keep_alive && !c->loop->stopping;
    struct sl_reply reply;

    c->want = NULL;
    c->stream = sl_media_stream_take(&c->waiter);
    sl_reply_init(&reply);
    sl_site_finish(&server->site, &visit, want, &c->waiter, &reply);
    sl_answer_unref(&c->waiter.answer);
    if (follow) {
        struct sl_waiter *ahead = &c->ahead[c->ahead_next++ % SL_CONN_AHEAD];

        sl_media_leave(ahead); /* asked for by now, or of no use any more */
        sl_media_ahead(server->site.media, want, ahead);
    }
    sl_media_want_destroy(&want);
    sl_conn_send(c, &reply);
}

static void on_made(struct sl_waiter *w)
{
    struct sl_conn *c = w->opaque;

    if (c->state == SL_CONN_WAITING) {
        answer_made(c);
    } else if (sl_conn_take_chunk(c) == 0) {
        finish_answer(c);
    }
}

void sl_conn_job_done(struct sl_job *j)
{
    struct sl_conn *c = j->opaque;

    if (c->state == SL_CONN_WAITING) {
        struct sl_visit visit = visit_of(c);
        struct sl_reply reply;

        sl_reply_init(&reply);
        j->ops->reply(j, &c->loop->server->site, &visit, &reply);
        if (reply.chunked && reply.status == 200) { /* it goes on making chunks */
            reply.job = c->job;
            c->job = NULL;
        }
        sl_job_leave(&c->job);
        sl_conn_send(c, &reply);
    } else if (sl_conn_take_chunk(c) == 0) {
        finish_answer(c);
    }
}

static void on_ahead(struct sl_waiter *w)
{
    sl_answer_unref(&w->answer); /* it is in the cache now */
}

static void answer(struct sl_conn *c)
{
    struct sl_server *server = c->loop->server;
    struct sl_visit visit = visit_of(c);
    struct sl_reply reply;
    int64_t wait = 0;

    sl_reply_init(&reply);
    c->started = sl_conn_now();
    if (!sl_rate_take(server->rate, c->client.key, c->started, &wait)) {
        atomic_fetch_add_explicit(&server->metrics.refused_rate, 1, memory_order_relaxed);
        sl_reply_fail(&reply, &c->request, 429, NULL);
        reply.retry = wait / 1000000 + 1;
        sl_conn_send(c, &reply);
        return;
    }
    sl_site_answer(&server->site, &visit, &reply);
    if (!reply.want && (!reply.job || reply.status != 0)) {
        sl_conn_send(c, &reply);
        return;
    }
    c->want = reply.want;
    c->job = reply.job;
    reply.want = NULL;
    reply.job = NULL;
    sl_reply_clear(&reply);
    c->state = SL_CONN_WAITING;
    (void)event_del(c->timer);
    if (c->job) {
        sl_job_step(c->job, &c->loop->later, sl_conn_job_done, c);
        return;
    }
    if (sl_media_request(server->site.media, c->want, c->request.method == SL_METHOD_HEAD,
                         &c->waiter)) {
        answer_made(c);
    }
}

static void answer_failure(struct sl_conn *c, int status, const char *detail)
{
    struct sl_reply reply;

    sl_reply_init(&reply);
    c->started = sl_conn_now();
    c->request.keep_alive = false;
    sl_reply_fail(&reply, &c->request, status, detail);
    sl_conn_send(c, &reply);
}

/* READING: takes what has arrived, up to the end of one head. The connection may be gone
 * afterwards. */
static void advance(struct sl_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    enum sl_request_result result = SL_REQUEST_MORE;
    struct evbuffer_iovec block;

    while (result == SL_REQUEST_MORE && evbuffer_peek(in, 1, NULL, &block, 1) > 0 &&
           block.iov_len > 0) {
        size_t used;

        result = sl_request_feed(&c->request, block.iov_base, block.iov_len, &used);
        (void)evbuffer_drain(in, used);
    }
    if (result == SL_REQUEST_DONE) {
        if (c->loop->server->forwarded) {
            c->client = c->peer;
            sl_client_from_field(&c->client, &c->request);
        }
        answer(c);
    } else if (result == SL_REQUEST_BAD) {
        answer_failure(c, c->request.status, c->request.reason);
    } else if (c->eof) {
        destroy(c);
    } else if (!c->deadline && sl_request_begun(&c->request)) {
        /* Set once per request and never moved: trickling bytes buys no time. */
        c->deadline = true;
        arm(c, &c->loop->server->header_timeout);
    }
}

static void finish_answer(struct sl_conn *c)
{
    sl_conn_log(c);
    sl_conn_drop_answer(c);
    sl_request_clear(&c->request);
    if (!c->keep || c->loop->stopping) {
        linger(c);
        return;
    }
    c->state = SL_CONN_READING;
    c->deadline = false;
    arm(c, &c->loop->server->idle_timeout);
    advance(c); /* what was pipelined */
}

static void on_read(struct bufferevent *bev, void *opaque)
{
    struct sl_conn *c = opaque;
    struct evbuffer *in = bufferevent_get_input(bev);

    if (c->state == SL_CONN_READING) {
        advance(c);
    } else if (c->state == SL_CONN_LINGERING) {
        (void)evbuffer_drain(in, evbuffer_get_length(in));
    }
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *opaque)
{
    struct sl_conn *c = opaque;

    (void)bev;
    if (c->state == SL_CONN_WRITING && !c->chunk_due && sl_conn_send_more(c) == 0) {
        finish_answer(c);
    }
}

/* bufferevents call it the end of the file when a write takes nothing. With sendfile that is either
 * a file that became shorter than announced, or a socket that was not writable after all. */
static void on_write_nothing(struct sl_conn *c)
{
    if (sl_body_file_is_short(&c->body)) {
        sl_log_write(c->loop->server->log, SL_LOG_WARN, "serve",
                     "a file became shorter while it was sent: connection closed");
        /* An orderly end before Content-Length: the client knows that something is missing and
         * keeps what is right. */
        destroy(c);
    } else if (bufferevent_enable(c->bev, EV_WRITE) != 0) {
        sl_conn_abort(c);
    }
}

static void on_event(struct bufferevent *bev, short what, void *opaque)
{
    struct sl_conn *c = opaque;

    (void)bev;
    if (what & BEV_EVENT_CONNECTED) { /* TLS */
        c->state = SL_CONN_READING;
        arm(c, &c->loop->server->idle_timeout);
    } else if (what & BEV_EVENT_ERROR) {
        destroy(c);
    } else if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_WRITING)) {
        on_write_nothing(c);
    } else if (what & BEV_EVENT_EOF) {
        /* A half-closed client may well be reading: what it asked for is still answered. But it
         * cannot be told from one that has gone, so nothing is made for it. */
        c->eof = true;
        if (c->state != SL_CONN_WRITING) {
            destroy(c);
        }
    }
}

static void on_timer(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_conn *c = opaque;
    const struct sl_server *server = c->loop->server;
    int64_t taken;

    (void)fd;
    (void)what;
    switch (c->state) {
    case SL_CONN_GREETING:
    case SL_CONN_WAITING: /* there is no such deadline */
        destroy(c);
        break;
    case SL_CONN_READING:
        if (c->deadline) {
            answer_failure(c, 408, NULL);
        } else {
            destroy(c);
        }
        break;
    case SL_CONN_WRITING:
        taken = sl_conn_bytes_taken(c);
        /* Where the next chunk of a stream is being made, the reader is not the slow one. */
        if (taken - c->taken < server->write_least && !c->chunk_due) {
            sl_log_write(server->log, SL_LOG_DEBUG, "serve", "a reader is too slow");
            sl_conn_abort(c);
        } else {
            c->taken = taken;
            arm(c, &server->write_timeout);
        }
        break;
    case SL_CONN_LINGERING:
        destroy(c);
        break;
    }
}

void sl_conn_stop(struct sl_conn *c)
{
    if (c->state == SL_CONN_GREETING ||
        (c->state == SL_CONN_READING && !sl_request_begun(&c->request))) {
        destroy(c);
    } else if (c->job) {
        sl_job_hurry(c->job);
    }
}

static struct bufferevent *wrap(struct sl_loop *loop, int fd)
{
    const struct sl_server *server = loop->server;
    struct bufferevent *bev;

    if (server->tls) {
        bev = server->tls->wrap(server->tls_context, loop->base, fd);
    } else {
        bev = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    if (!bev) {
        (void)close(fd);
        return NULL;
    }
    if (!server->tls) { /* else sendfile would map files */
        (void)evbuffer_set_flags(bufferevent_get_output(bev), EVBUFFER_FLAG_DRAINS_TO_FD);
    }
    return bev;
}

static void set_up_waiters(struct sl_conn *c)
{
    c->waiter = (struct sl_waiter){.port = &c->loop->port, .done = on_made, .opaque = c};
    for (size_t i = 0; i < SL_CONN_AHEAD; i++) {
        c->ahead[i] = (struct sl_waiter){
            .port = &c->loop->port, .done = on_ahead, .opaque = c, .ahead = true};
    }
}

enum sl_status sl_conn_open(struct sl_loop *loop, int fd, bool busy, struct sl_error *err)
{
    struct sl_conn *c = sl_alloc_zero(sizeof *c);
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;

    if (!c) {
        (void)close(fd);
        sl_loop_forget(loop);
        return sl_fail_memory(err);
    }
    c->loop = loop;
    sl_request_init(&c->request);
    c->request.secure = loop->server->tls != NULL;
    set_up_waiters(c);
    c->next = loop->connections;
    if (c->next) {
        c->next->prev = c;
    }
    loop->connections = c;
    (void)getpeername(fd, (struct sockaddr *)&peer, &length);
    sl_client_from_peer(&c->peer, &peer);
    c->client = c->peer;

    c->timer = evtimer_new(loop->base, on_timer, c);
    c->bev = wrap(loop, fd);
    if (!c->bev || !c->timer) {
        destroy(c);
        return sl_fail_memory(err);
    }
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    (void)bufferevent_set_max_single_write(c->bev, WRITE_MAX);
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    /* Writing is enabled from the start. */
    if (bufferevent_enable(c->bev, EV_READ) != 0) {
        destroy(c);
        return sl_fail_memory(err);
    }
    c->state = loop->server->tls ? SL_CONN_GREETING : SL_CONN_READING;
    if (busy && loop->server->tls) {
        sl_conn_abort(c); /* a handshake is just what there is no room for */
    } else if (busy) {
        answer_failure(c, 503, "too many connections");
    } else {
        arm(c, loop->server->tls ? &loop->server->header_timeout : &loop->server->idle_timeout);
    }
    return SL_OK;
}
