/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/conn.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/access.h"

#define INPUT_MAX  65536     /* bytes that wait for their turn; reading pauses beyond */
#define FILE_PIECE (2 << 20) /* bytes of a file queued at a time */
#define WRITE_MAX  (1 << 18) /* bytes of memory written at a time */
#define LINE_MAX   8192      /* of the access log */

/* How long a client that was told to go away may take to notice. Closing at once would make the
 * system answer what it still sends with a reset, which can destroy the answer: RFC 9112 9.6. */
static const struct timeval linger_time = {2, 0};

static int64_t monotonic(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static size_t output_left(const struct sl_conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static int64_t bytes_sent(const struct sl_conn *c)
{
    return c->queued - (int64_t)output_left(c);
}

/* Bytes that have reached the client for certain: the system's buffer may hold megabytes. */
static int64_t bytes_taken(const struct sl_conn *c)
{
    int waiting = 0;

    if (ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &waiting) != 0) {
        waiting = 0;
    }
    return bytes_sent(c) - waiting;
}

static void arm(struct sl_conn *c, const struct timeval *time)
{
    (void)event_add(c->timer, time);
}

static void log_answer(struct sl_conn *c)
{
    const struct sl_server *server = c->loop->server;
    int64_t sent = bytes_sent(c) - c->queued_before;
    struct sl_access a = {
        .request = &c->request,
        .peer = &c->peer,
        .status = c->status,
        .sent = sent > c->head_size ? sent - c->head_size : 0,
        .whole = sent == c->head_size + c->body_size,
        .micros = monotonic() - c->started,
        .now = (int64_t)time(NULL),
    };
    struct sl_writer line;

    if (!server->access) {
        return;
    }
    sl_writer_init(&line, LINE_MAX);
    sl_access_line(&a, &line);
    sl_write_u8(&line, '\0');
    if (line.status == SL_OK) {
        server->access(server->access_opaque, (const char *)line.data);
    }
    sl_writer_clear(&line);
}

static void drop_file(struct sl_conn *c)
{
    if (c->file) {
        evbuffer_file_segment_free(c->file);
    }
    c->file = NULL;
    c->file_left = 0;
}

static void destroy(struct sl_conn *c)
{
    struct sl_loop *loop = c->loop;

    if (c->bev && c->state == SL_CONN_WRITING) {
        log_answer(c);
    }
    if (c->prev) {
        c->prev->next = c->next;
    } else if (loop->connections == c) {
        loop->connections = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    drop_file(c);
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
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    arm(c, &linger_time);
}

/* Queues the next piece of the file. false: out of memory, the connection cannot go on. */
static bool queue_piece(struct sl_conn *c)
{
    int64_t size = c->file_left < FILE_PIECE ? c->file_left : FILE_PIECE;

    if (evbuffer_add_file_segment(bufferevent_get_output(c->bev), c->file, (ev_off_t)c->file_next,
                                  (ev_off_t)size) != 0) {
        return false;
    }
    c->queued += size;
    c->file_next += size;
    c->file_left -= size;
    return true;
}

static void free_owned(const void *data, size_t size, void *extra)
{
    (void)data;
    (void)size;
    sl_free(extra);
}

/* The body of reply into the output; what it owned is the output's then. */
static bool queue_body(struct sl_conn *c, struct sl_reply *reply)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);

    if (reply->fd >= 0) {
        /* The segment takes the descriptor, and evbuffers send it by sendfile(2): the output was
         * marked as draining to a descriptor. Never mapped, so a file that becomes shorter raises
         * no SIGBUS. */
        c->file = evbuffer_file_segment_new(
            reply->fd, (ev_off_t)reply->first, (ev_off_t)reply->count,
            EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_LOCKING);
        if (!c->file) {
            return false;
        }
        c->file_fd = reply->fd;
        reply->fd = -1;
        c->file_next = 0;
        c->file_left = reply->count;
        c->file_need = reply->first + reply->count;
        return queue_piece(c);
    }
    if (reply->owned) {
        if (evbuffer_add_reference(out, reply->owned + reply->first, (size_t)reply->count,
                                   free_owned, reply->owned) != 0) {
            return false;
        }
        reply->owned = NULL;
    } else if (evbuffer_add_reference(out, (const char *)reply->text + reply->first,
                                      (size_t)reply->count, NULL, NULL) != 0) {
        return false;
    }
    c->queued += reply->count;
    return true;
}

/* Sends reply, and clears it. The connection may be gone afterwards. */
static void send_reply(struct sl_conn *c, struct sl_reply *reply)
{
    bool body = !reply->no_body && reply->status != 204 && reply->status != 304 && reply->count > 0;
    struct sl_writer head;
    bool ok;

    c->keep = c->request.keep_alive && !c->loop->stopping;
    c->state = SL_CONN_WRITING;
    c->status = reply->status;
    c->queued_before = c->queued;
    c->body_size = body ? reply->count : 0;

    sl_writer_init(&head, SL_REPLY_HEAD_MAX);
    sl_reply_head(reply, &c->request, !c->keep, (int64_t)time(NULL), &head);
    c->head_size = (int64_t)head.size;
    ok = head.status == SL_OK &&
         evbuffer_add(bufferevent_get_output(c->bev), head.data, head.size) == 0;
    sl_writer_clear(&head);
    if (ok) {
        c->queued += c->head_size;
        ok = !body || queue_body(c, reply);
    }
    sl_reply_clear(reply);
    c->taken = bytes_taken(c);
    if (ok) {
        arm(c, &c->loop->server->write_timeout);
    } else {
        sl_conn_abort(c);
    }
}

static void answer(struct sl_conn *c)
{
    struct sl_reply reply;

    sl_reply_init(&reply);
    c->started = monotonic();
    sl_site_answer(&c->loop->server->site, &c->request, (int64_t)time(NULL), &reply);
    send_reply(c, &reply);
}

static void answer_failure(struct sl_conn *c, int status, const char *detail)
{
    struct sl_reply reply;

    sl_reply_init(&reply);
    c->started = monotonic();
    c->request.keep_alive = false;
    sl_reply_fail(&reply, &c->request, status, detail);
    send_reply(c, &reply);
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
    log_answer(c);
    drop_file(c);
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
    if (c->state != SL_CONN_WRITING) {
        return;
    }
    if (c->file_left > 0) {
        if (!queue_piece(c)) {
            sl_conn_abort(c);
        }
    } else {
        finish_answer(c);
    }
}

/* bufferevents call it the end of the file when a write takes nothing. With sendfile that is either
 * a file that became shorter than announced, or a socket that was not writable after all. */
static void on_write_nothing(struct sl_conn *c)
{
    struct stat st;

    if (c->file && (fstat(c->file_fd, &st) != 0 || st.st_size < c->file_need)) {
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
    if (what & BEV_EVENT_ERROR) {
        destroy(c);
    } else if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_WRITING)) {
        on_write_nothing(c);
    } else if (what & BEV_EVENT_EOF) {
        /* A half-closed client may well be reading: what it asked for is still answered. */
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
    case SL_CONN_READING:
        if (c->deadline) {
            answer_failure(c, 408, NULL);
        } else {
            destroy(c);
        }
        break;
    case SL_CONN_WRITING:
        taken = bytes_taken(c);
        if (taken - c->taken < server->write_least) {
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
    if (c->state == SL_CONN_READING && !sl_request_begun(&c->request)) {
        destroy(c);
    }
}

enum sl_status sl_conn_open(struct sl_loop *loop, int fd, bool busy, struct sl_error *err)
{
    struct sl_conn *c = sl_alloc_zero(sizeof *c);
    socklen_t length = sizeof c->peer;

    if (!c) {
        (void)close(fd);
        sl_loop_forget(loop);
        return sl_fail_memory(err);
    }
    c->loop = loop;
    sl_request_init(&c->request);
    c->next = loop->connections;
    if (c->next) {
        c->next->prev = c;
    }
    loop->connections = c;

    c->timer = evtimer_new(loop->base, on_timer, c);
    c->bev = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev) {
        (void)close(fd);
    }
    if (!c->bev || !c->timer) {
        destroy(c);
        return sl_fail_memory(err);
    }
    if (loop->server->access) {
        (void)getpeername(fd, (struct sockaddr *)&c->peer, &length);
    }
    (void)evbuffer_set_flags(bufferevent_get_output(c->bev), EVBUFFER_FLAG_DRAINS_TO_FD);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    (void)bufferevent_set_max_single_write(c->bev, WRITE_MAX);
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    /* Writing is enabled from the start. */
    if (bufferevent_enable(c->bev, EV_READ) != 0) {
        destroy(c);
        return sl_fail_memory(err);
    }
    if (busy) {
        answer_failure(c, 503, "too many connections");
    } else {
        arm(c, &loop->server->idle_timeout);
    }
    return SL_OK;
}
