/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS, by OpenSSL through libevent_openssl: a module (base/module.h), so that whoever serves plain
 * HTTP does not load it. */
#ifndef SL_SERVE_TLS_H
#define SL_SERVE_TLS_H

#include <event2/bufferevent.h>
#include <event2/event.h>

#include <sluice/error.h>

#define SL_SERVE_TLS_MODULE "serve-tls"
#define SL_SERVE_TLS_SYMBOL "sl_serve_tls"

struct sl_tls_ops {
    /* certificate: PEM, the server's own first, then those up to the root's child. key: PEM. */
    enum sl_status (*create)(void **out, const char *certificate, const char *key,
                             struct sl_error *err);
    void (*destroy)(void *context);
    /* A bufferevent that closes fd when it is freed; NULL (fd is not taken) when memory runs out.
     * Tells BEV_EVENT_CONNECTED after the handshake. */
    struct bufferevent *(*wrap)(void *context, struct event_base *base, int fd);
    /* Says to the other side that nothing more will come (close_notify). */
    void (*finish)(struct bufferevent *bev);
};

#endif
