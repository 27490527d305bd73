/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/conn.h"

#define ACCEPT_BATCH 64 /* connections taken before others get their turn */
#define BUSY_EXTRA   64 /* connections above the maximum that are told 503; more are just closed */

/* What is handed over: one write of less than PIPE_BUF is atomic (pipe(7)). */
struct handed {
    int fd;
    int busy;
};

static void report(const struct sl_loop *loop, enum sl_status status, const struct sl_error *err)
{
    if (status != SL_OK) {
        sl_log_write(loop->server->log, SL_LOG_ERROR, "serve", "connection dropped: %s", err->msg);
    }
}

/* loopexit, not loopbreak: bufferevents close their sockets in callbacks that are still queued. */
static void end_if_done(struct sl_loop *loop)
{
    if (loop->stopping && atomic_load(&loop->load) == 0) {
        (void)event_base_loopexit(loop->base, NULL);
    }
}

void sl_loop_forget(struct sl_loop *loop)
{
    atomic_fetch_sub(&loop->load, 1);
    atomic_fetch_sub(&loop->server->connections, 1);
    end_if_done(loop);
}

static void take(struct sl_loop *loop, const struct handed *h)
{
    struct sl_error err = {0};

    if (loop->stopping) {
        (void)close(h->fd);
        sl_loop_forget(loop);
        return;
    }
    report(loop, sl_conn_open(loop, h->fd, h->busy != 0, &err), &err);
}

static void on_handed(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;
    struct handed h;

    (void)what;
    while (read(fd, &h, sizeof h) == (ssize_t)sizeof h) {
        take(loop, &h);
    }
}

/* Counts fd and gives it to the loop with the fewest connections. */
static void hand_over(struct sl_loop *loop, const struct handed *h)
{
    struct sl_server *server = loop->server;
    struct sl_loop *to = server->loops[0];

    for (unsigned i = 1; i < server->loop_count; i++) {
        if (atomic_load(&server->loops[i]->load) < atomic_load(&to->load)) {
            to = server->loops[i];
        }
    }
    atomic_fetch_add(&to->load, 1);
    if (to == loop) {
        take(loop, h);
    } else if (write(to->hand_over[1], h, sizeof *h) != (ssize_t)sizeof *h) {
        /* Its pipe is full: thousands are waiting there. */
        (void)close(h->fd);
        atomic_fetch_sub(&to->load, 1);
        atomic_fetch_sub(&server->connections, 1);
    }
}

static void on_accept(evutil_socket_t fd, short what, void *opaque)
{
    static const struct timeval pause_time = {0, 100000};
    struct sl_loop *loop = opaque;
    struct sl_server *server = loop->server;

    (void)what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sl_error err = {0};
        struct handed h = {accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), 0};
        unsigned count;

        if (h.fd < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                return;
            }
            if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) {
                continue;
            }
            /* Out of descriptors or memory: the listener stays readable, so wait instead of
             * spinning until a connection has gone. */
            if (!loop->out_of_files) {
                (void)sl_fail_errno(&err, errno, NULL, "cannot accept");
                sl_log_write(server->log, SL_LOG_WARN, "serve", "%s", err.msg);
            }
            loop->out_of_files = true;
            (void)event_del(loop->accept);
            (void)event_add(loop->pause, &pause_time);
            return;
        }
        loop->out_of_files = false;
        atomic_fetch_add_explicit(&server->metrics.accepted, 1, memory_order_relaxed);
        count = atomic_fetch_add(&server->connections, 1);
        if (count >= server->connections_max + BUSY_EXTRA) {
            (void)close(h.fd);
            atomic_fetch_sub(&server->connections, 1);
            continue;
        }
        h.busy = count >= server->connections_max;
        if (h.busy) {
            atomic_fetch_add_explicit(&server->metrics.refused_busy, 1, memory_order_relaxed);
        }
        hand_over(loop, &h);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;

    (void)fd;
    (void)what;
    if (!loop->stopping) {
        (void)event_add(loop->accept, NULL);
    }
}

static void on_grace_over(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;

    (void)fd;
    (void)what;
    (void)event_base_loopbreak(loop->base); /* sl_loop_destroy ends what is left */
}

static void on_stop(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;

    (void)fd;
    (void)what;
    (void)event_del(loop->stop); /* it stays readable */
    if (loop->accept) {
        (void)event_del(loop->accept);
        (void)close(loop->server->listener); /* refused from now on, not kept waiting */
        loop->server->listener = -1;
    }
    loop->stopping = true;
    (void)event_add(loop->grace, &loop->server->grace);
    for (struct sl_conn *c = loop->connections, *next; c; c = next) {
        next = c->next;
        sl_conn_stop(c);
    }
    end_if_done(loop);
}

static void on_media_made(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;

    (void)fd;
    (void)what;
    sl_media_deliver(&loop->port);
}

static void on_late(evutil_socket_t fd, short what, void *opaque)
{
    struct sl_loop *loop = opaque;

    (void)fd;
    (void)what;
    sl_later_deliver(&loop->later);
}

static enum sl_status create_events(struct sl_loop *loop, bool accepts, struct sl_error *err)
{
    struct sl_server *server = loop->server;

    loop->stop = event_new(loop->base, server->stop_event, EV_READ | EV_PERSIST, on_stop, loop);
    loop->handed = event_new(loop->base, loop->hand_over[0], EV_READ | EV_PERSIST, on_handed, loop);
    loop->grace = evtimer_new(loop->base, on_grace_over, loop);
    if (!loop->stop || !loop->handed || !loop->grace || event_add(loop->stop, NULL) != 0 ||
        event_add(loop->handed, NULL) != 0) {
        return sl_fail_memory(err);
    }
    if (loop->port.media) {
        loop->made =
            event_new(loop->base, loop->port.fd, EV_READ | EV_PERSIST, on_media_made, loop);
        if (!loop->made || event_add(loop->made, NULL) != 0) {
            return sl_fail_memory(err);
        }
    }
    if (loop->later.later) {
        loop->late = event_new(loop->base, loop->later.fd, EV_READ | EV_PERSIST, on_late, loop);
        if (!loop->late || event_add(loop->late, NULL) != 0) {
            return sl_fail_memory(err);
        }
    }
    if (!accepts) {
        return SL_OK;
    }
    if (server->site.depot) { /* one loop watches for all */
        enum sl_status status = sl_depot_attach(server->site.depot, loop->base, err);

        if (status != SL_OK) {
            return status;
        }
    }
    loop->pause = evtimer_new(loop->base, on_pause_over, loop);
    loop->accept = event_new(loop->base, server->listener, EV_READ | EV_PERSIST, on_accept, loop);
    if (!loop->pause || !loop->accept || event_add(loop->accept, NULL) != 0) {
        return sl_fail_memory(err);
    }
    return SL_OK;
}

enum sl_status sl_loop_create(struct sl_loop **out, struct sl_server *server, bool accepts,
                              struct sl_error *err)
{
    struct event_config *config = NULL;
    enum sl_status status = SL_OK;
    struct sl_loop *loop = sl_alloc_zero(sizeof *loop);

    if (!loop) {
        return sl_fail_memory(err);
    }
    loop->server = server;
    loop->hand_over[0] = loop->hand_over[1] = -1;
    if (pipe2(loop->hand_over, O_NONBLOCK | O_CLOEXEC) != 0) {
        status = sl_fail_errno(err, errno, NULL, "pipe");
        goto out;
    }
    if (server->site.media) {
        status = sl_media_port_open(&loop->port, server->site.media, err);
        if (status != SL_OK) {
            goto out;
        }
    }
    if (server->site.depot) {
        status = sl_later_port_open(&loop->later, &server->site.depot->later, err);
        if (status != SL_OK) {
            goto out;
        }
    }
    config = event_config_new();
    /* No locks: everything of a loop happens on its own thread. */
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0) {
        loop->base = event_base_new_with_config(config);
    }
    if (!loop->base) {
        status = sl_fail(err, SL_EIO, NULL, "cannot create an event loop");
        goto out;
    }
    status = create_events(loop, accepts, err);
out:
    if (config) {
        event_config_free(config);
    }
    if (status != SL_OK) {
        sl_loop_destroy(&loop);
    }
    *out = loop;
    return status;
}

void sl_loop_run(struct sl_loop *loop)
{
    (void)event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void sl_loop_destroy(struct sl_loop **out)
{
    struct sl_loop *loop = *out;
    struct event *events[7];
    struct handed h;

    if (!loop) {
        return;
    }
    *out = NULL;
    while (loop->connections) {
        sl_conn_abort(loop->connections);
    }
    /* What was accepted too late for anybody to take it. */
    while (loop->hand_over[0] >= 0 && read(loop->hand_over[0], &h, sizeof h) == (ssize_t)sizeof h) {
        (void)close(h.fd);
    }
    events[0] = loop->stop;
    events[1] = loop->handed;
    events[2] = loop->accept;
    events[3] = loop->pause;
    events[4] = loop->grace;
    events[5] = loop->made;
    events[6] = loop->late;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
    if (loop->base) {
        sl_depot_detach(loop->server->site.depot, loop->base);
        /* A deferred callback holds its bufferevent: libevent forgets both with the base, unless
         * the callback has had its turn. Nothing of ours is called any more. */
        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
        event_base_free(loop->base);
    }
    sl_media_port_close(&loop->port);
    sl_later_port_close(&loop->later);
    for (int i = 0; i < 2; i++) {
        if (loop->hand_over[i] >= 0) {
            (void)close(loop->hand_over[i]);
        }
    }
    sl_free(loop);
}
