/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/sockios.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/access.h"
#include "serve/conn.h"

#define LINE_MAX 8192 /* of the access log */

int64_t sl_conn_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct evbuffer *output(const struct sl_conn *c)
{
    return bufferevent_get_output(c->bev);
}

static int64_t bytes_sent(const struct sl_conn *c)
{
    return c->queued - (int64_t)evbuffer_get_length(output(c));
}

int64_t sl_conn_bytes_taken(const struct sl_conn *c)
{
    int waiting = 0;

    if (ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &waiting) != 0) {
        waiting = 0;
    }
    return bytes_sent(c) - waiting;
}

void sl_conn_log(struct sl_conn *c)
{
    const struct sl_server *server = c->loop->server;
    int64_t sent = bytes_sent(c) - c->queued_before;
    struct sl_access a = {
        .request = &c->request,
        .client = &c->client,
        .status = c->status,
        .sent = sent > c->head_size ? sent - c->head_size : 0,
        .whole = c->body_size < 0 ? c->stream_over : sent == c->head_size + c->body_size,
        .micros = sl_conn_now() - c->started,
        .now = (int64_t)time(NULL),
    };
    struct sl_writer line;

    sl_metrics_bytes(&c->loop->server->metrics, c->class, a.sent);
    if (!server->access) {
        return;
    }
    sl_writer_init(&line, LINE_MAX);
    sl_access_line(&a, server->access_format, &line);
    sl_write_u8(&line, '\0');
    if (line.status == SL_OK) {
        server->access(server->access_opaque, (const char *)line.data);
    }
    sl_writer_clear(&line);
}

void sl_conn_drop_answer(struct sl_conn *c)
{
    sl_media_leave(&c->waiter);
    sl_media_stream_close(&c->stream);
    sl_job_leave(&c->job);
    sl_media_want_destroy(&c->want);
    sl_body_clear(&c->body);
    c->chunked = c->chunk_open = c->chunk_due = c->stream_over = false;
}

/* ---- where chunks come from: a stream of the library, or a job ------------------------------- */

static void ask_chunk(struct sl_conn *c)
{
    if (c->job) {
        sl_job_next(c->job);
    } else {
        sl_media_stream_next(c->stream, &c->waiter);
    }
}

static struct sl_answer **chunk_of(struct sl_conn *c)
{
    return c->job ? &c->job->answer : &c->waiter.answer;
}

static bool chunk_waits(const struct sl_conn *c)
{
    return c->job ? sl_job_waits(c->job) : sl_media_waits(&c->waiter);
}

static bool was_last(const struct sl_conn *c)
{
    return c->job ? c->job->last : c->waiter.last;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Queues the next piece of the body. false: the connection cannot go on, and is gone. */
static bool queue_piece(struct sl_conn *c)
{
    struct sl_error err = {0};
    int64_t queued = 0;
    enum sl_status status = sl_body_queue(&c->body, output(c), &queued, &err);

    c->queued += queued;
    if (status == SL_OK) {
        return true;
    }
    if (status == SL_EIO) {
        /* An orderly end before Content-Length: the client knows that something is missing and
         * keeps what is right. */
        sl_log_write(c->loop->server->log, SL_LOG_WARN, "serve", "connection closed: %s", err.msg);
        c->state = SL_CONN_LINGERING;
        sl_conn_log(c);
    }
    sl_conn_abort(c);
    return false;
}

static bool add(struct sl_conn *c, const void *data, size_t size)
{
    if (evbuffer_add(output(c), data, size) != 0) {
        return false;
    }
    c->queued += (int64_t)size;
    return true;
}

/* Begins a chunk (RFC 9112 7.1) with the bytes of answer. */
static bool open_chunk(struct sl_conn *c, struct sl_answer *answer)
{
    char line[24];
    int n = snprintf(line, sizeof line, "%llx\r\n", (unsigned long long)answer->chain.size);

    if (c->chunked && !add(c, line, (size_t)n)) {
        return false;
    }
    c->chunk_open = c->chunked;
    sl_body_start(&c->body, answer, 0, answer->chain.size, c->loop->server->tls != NULL);
    return true;
}

static void free_owned(const void *data, size_t size, void *extra)
{
    (void)data;
    (void)size;
    sl_free(extra);
}

/* The body of reply, or where it begins; what it owned is the output's then. */
static bool queue_body(struct sl_conn *c, struct sl_reply *reply)
{
    if (reply->chunked && !reply->answer) { /* the head goes at once, all chunks follow */
        c->chunk_due = true;
        return true;
    }
    if (reply->chunked) {
        return open_chunk(c, reply->answer);
    }
    if (reply->answer) {
        sl_body_start(&c->body, reply->answer, reply->first, reply->count,
                      c->loop->server->tls != NULL);
        return true;
    }
    if (reply->owned) {
        if (evbuffer_add_reference(output(c), reply->owned + reply->first, (size_t)reply->count,
                                   free_owned, reply->owned) != 0) {
            return false;
        }
        reply->owned = NULL;
    } else if (evbuffer_add_reference(output(c), (const char *)reply->text + reply->first,
                                      (size_t)reply->count, NULL, NULL) != 0) {
        return false;
    }
    c->queued += reply->count;
    return true;
}

/* ---- without a turn of the loop ---------------------------------------------------------------
 */

/* bufferevents wait until a socket is writable before they write. A socket that has just brought a
 * request is, nearly always, so the first piece is written here, and only what is left waits: two
 * changes of the event and a turn of the loop less for each answer. By TLS all is libevent's. */
static bool writes_at_once(const struct sl_conn *c)
{
    return c->loop->server->tls == NULL;
}

/* What of the head could be sent. The file that follows it begins in the same packet. */
static size_t send_head(const struct sl_conn *c, const struct sl_writer *head)
{
    ssize_t n = -1;

    if (writes_at_once(c) && evbuffer_get_length(output(c)) == 0) {
        n = send(bufferevent_getfd(c->bev), head->data, head->size,
                 MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
    }
    return n > 0 ? (size_t)n : 0;
}

/* Has libevent write what is in the output, if there is anything. */
static void keep_writing(struct sl_conn *c)
{
    if (writes_at_once(c) && evbuffer_get_length(output(c)) > 0) {
        (void)bufferevent_enable(c->bev, EV_WRITE);
    }
}

static void write_at_once(struct sl_conn *c)
{
    struct evbuffer *out = output(c);

    if (!writes_at_once(c)) {
        return;
    }
    (void)evbuffer_unfreeze(out, 1);                      /* as bufferevents do around a write */
    (void)evbuffer_write(out, bufferevent_getfd(c->bev)); /* what fails fails again for libevent */
    (void)evbuffer_freeze(out, 1);
    if (evbuffer_get_length(out) > 0) {
        keep_writing(c);
    } else { /* as if libevent had written it, from the loop: never from within a callback */
        bufferevent_trigger(c->bev, EV_WRITE,
                            BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
    }
}

void sl_conn_send(struct sl_conn *c, struct sl_reply *reply)
{
    bool body = !reply->no_body && reply->status != 204 && reply->status != 304 &&
                (reply->count > 0 || (reply->chunked && (reply->answer || reply->job)));
    struct sl_writer head;
    size_t sent;
    bool ok;

    if (writes_at_once(c)) { /* nothing is armed for what is about to be written here */
        (void)bufferevent_disable(c->bev, EV_WRITE);
    }
    /* A stream to an old client ends with the connection. */
    if (body && reply->chunked && c->request.minor == 0) {
        c->request.keep_alive = false;
    }
    c->keep = c->request.keep_alive && !c->loop->stopping;
    c->state = SL_CONN_WRITING;
    c->status = reply->status;
    c->class = reply->class;
    c->queued_before = c->queued;
    c->body_size = body ? reply->count : 0;
    c->chunked = body && reply->chunked && c->request.minor > 0;
    sl_metrics_count(&c->loop->server->metrics, c->class, c->status, sl_conn_now() - c->started);

    sl_writer_init(&head, SL_REPLY_HEAD_MAX);
    sl_reply_head(reply, &c->request, !c->keep, (int64_t)time(NULL), &head);
    c->head_size = (int64_t)head.size;
    ok = head.status == SL_OK;
    sent =
        ok && body && reply->answer && reply->count >= SL_BODY_FILE_LEAST ? send_head(c, &head) : 0;
    c->queued += (int64_t)sent;
    ok = ok && (sent == head.size || add(c, head.data + sent, head.size - sent));
    sl_writer_clear(&head);
    ok = ok && (!body || queue_body(c, reply));
    if (!body) {
        sl_media_stream_close(&c->stream);
    } else if (reply->chunked) {
        c->job = reply->job;
        reply->job = NULL;
    }
    sl_reply_clear(reply);
    c->taken = sl_conn_bytes_taken(c);
    if (!ok) {
        sl_conn_abort(c);
        return;
    }
    (void)event_add(c->timer, &c->loop->server->write_timeout);
    /* The first piece goes with the head. */
    if (c->body.left > 0 && !queue_piece(c)) {
        return;
    }
    write_at_once(c);
    if (c->job) {
        sl_job_step(c->job, &c->loop->later, sl_conn_job_done, c);
    } else if (c->stream) {
        ask_chunk(c);
    }
}

/* The viewer has all of the chunk at hand: 1 as sl_conn_send_more. */
static int next_chunk(struct sl_conn *c)
{
    static const char end[] = "\r\n";
    struct sl_answer *answer = *chunk_of(c);
    bool ok;

    if (c->chunk_open && !add(c, end, sizeof end - 1)) {
        sl_conn_abort(c);
        return -1;
    }
    c->chunk_open = false;
    if (!answer) {
        keep_writing(c);
        c->chunk_due = true; /* sl_conn_take_chunk goes on */
        return 1;
    }
    *chunk_of(c) = NULL;
    sl_body_clear(&c->body);
    ok = open_chunk(c, answer);
    sl_answer_unref(&answer);
    if (!ok) {
        sl_conn_abort(c);
        return -1;
    }
    if (!queue_piece(c)) {
        return -1;
    }
    keep_writing(c);
    ask_chunk(c);
    return 1;
}

/* The stream is over, well or badly. */
static int end_stream(struct sl_conn *c)
{
    static const char last[] = "0\r\n\r\n";

    if (was_last(c) && (!c->chunked || add(c, last, sizeof last - 1))) {
        keep_writing(c);
        c->stream_over = true;
        sl_media_stream_close(&c->stream);
        sl_job_leave(&c->job);
        return c->chunked ? 1 : 0; /* where nothing was added, nothing will be written */
    }
    /* Without the last chunk the client knows that something is missing. */
    sl_conn_abort(c);
    return -1;
}

int sl_conn_send_more(struct sl_conn *c)
{
    if (c->body.left > 0) {
        if (!queue_piece(c)) {
            return -1;
        }
        keep_writing(c);
        return 1;
    }
    if (!c->stream && !c->job) {
        return 0;
    }
    if (!chunk_waits(c) && !*chunk_of(c)) {
        static const char end[] = "\r\n";

        if (c->chunk_open && !add(c, end, sizeof end - 1)) {
            sl_conn_abort(c);
            return -1;
        }
        c->chunk_open = false;
        return end_stream(c);
    }
    return next_chunk(c);
}

int sl_conn_take_chunk(struct sl_conn *c)
{
    if (!c->chunk_due) {
        return 1; /* it waits for its turn */
    }
    c->chunk_due = false;
    c->taken = sl_conn_bytes_taken(c);
    (void)event_add(c->timer, &c->loop->server->write_timeout);
    return *chunk_of(c) ? next_chunk(c) : end_stream(c);
}
