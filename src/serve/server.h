/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP server: what is shared by its loops, and the calls behind include/sluice/serve.h. */
#ifndef SL_SERVE_SERVER_H
#define SL_SERVE_SERVER_H

#include <stdatomic.h>
#include <sys/time.h>

#include <sluice/serve.h>

#include "serve/access.h"
#include "serve/rate.h"
#include "serve/site.h"
#include "serve/tls.h"

#define SL_SERVE_THREADS_MAX 64

struct sl_loop;

/* Written by open and destroy only, except for the counters. */
struct sl_server {
    struct sl_site site;
    struct sl_proxy proxy;         /* of site, where there is one */
    struct sl_media_engine engine; /* owned */
    const struct sl_log *log;
    void (*access)(void *opaque, const char *line);
    void *access_opaque;
    enum sl_access_format access_format;
    bool forwarded;               /* X-Forwarded-For is believed */
    const struct sl_tls_ops *tls; /* NULL: plain */
    void *tls_context;
    struct sl_rate *rate; /* NULL: no limit */
    struct sl_metrics metrics;
    struct timeval header_timeout, idle_timeout, write_timeout, grace;
    int64_t write_least; /* bytes a reader must take in one write_timeout */
    unsigned connections_max;
    uint16_t port;
    char unix_path[108]; /* of the socket, to be removed; empty: TCP */
    int listener;
    int stop_event; /* eventfd; readable from sl_serve_stop on, for good: every loop sees it */
    unsigned loop_count;
    struct sl_loop *loops[SL_SERVE_THREADS_MAX];
    atomic_uint connections;
};

/* The option table, and the calls that sl_server_* make after checking their arguments. engine:
 * what makes answers out of media files, taken over whatever happens; NULL: nothing does. */
const struct sl_option *sl_serve_table(void);
SL_NODISCARD enum sl_status sl_serve_open(struct sl_server **out,
                                          const struct sl_serve_params *params,
                                          const struct sl_media_engine *engine,
                                          const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_serve_run(struct sl_server *s, struct sl_error *err);
void sl_serve_stop(struct sl_server *s);
void sl_serve_destroy(struct sl_server **out);

#endif
