/* SPDX-License-Identifier: BSD-2-Clause */
/* One event loop on a thread of its own. The first loop accepts, and hands each connection to the
 * loop that has fewest: through a pipe, since a descriptor is one atomic write. (One SO_REUSEPORT
 * listener per loop would spread a few long-lived connections by the luck of a hash, and would let
 * a second server take the same port without anybody being told.) */
#ifndef SL_SERVE_LOOP_H
#define SL_SERVE_LOOP_H

#include <pthread.h>
#include <stdbool.h>

#include <event2/event.h>

#include "serve/server.h"

struct sl_conn;

struct sl_loop {
    struct sl_server *server;
    struct event_base *base;
    struct event *stop;   /* server->stop_event */
    struct event *handed; /* hand_over[0] */
    struct event *accept; /* the listener; first loop only */
    struct event *pause;  /* accepting goes on when it fires; first loop only */
    struct event *grace;
    struct event *made; /* port.fd */
    struct event *late; /* later.fd */
    int hand_over[2];
    struct sl_media_port port;   /* what the library has made for our connections */
    struct sl_later_port later;  /* what the depot's workers have done for them */
    struct sl_conn *connections; /* all of them, doubly linked */
    atomic_uint load;            /* connections handed here and not yet gone */
    bool stopping;
    bool out_of_files; /* said once, not once per refused connection */
    pthread_t thread;
};

SL_NODISCARD enum sl_status sl_loop_create(struct sl_loop **out, struct sl_server *server,
                                           bool accepts, struct sl_error *err);
/* Until the stop and the end of the last connection or of the grace time. */
void sl_loop_run(struct sl_loop *loop);
/* Not while it runs. Closes what is left. */
void sl_loop_destroy(struct sl_loop **out);
/* For sl_conn: one of this loop's connections is gone. */
void sl_loop_forget(struct sl_loop *loop);

#endif
