/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "serve/tls.h"

static enum sl_status fail(struct sl_error *err, const char *where, const char *what)
{
    char text[160] = "unknown error";
    unsigned long code = ERR_get_error();

    if (code) {
        ERR_error_string_n(code, text, sizeof text);
    }
    ERR_clear_error();
    return sl_fail(err, SL_EIO, where, "%s: %s", what, text);
}

/* RFC 7301: HTTP/1.1 and nothing else; who offers only others is told so by the handshake. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *size,
                           const unsigned char *in, unsigned in_size, void *opaque)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)opaque;
    if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void destroy(void *context)
{
    SSL_CTX_free(context);
}

static enum sl_status create(void **out, const char *certificate, const char *key,
                             struct sl_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    enum sl_status status = SL_OK;

    *out = NULL;
    if (!context) {
        return fail(err, NULL, "TLS cannot be set up");
    }
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* Renegotiation costs the server far more than the client. */
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* of idle connections */
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        status = fail(err, certificate, "this is no certificate in PEM");
    } else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        status = fail(err, key, "this is no private key in PEM");
    } else if (SSL_CTX_check_private_key(context) != 1) {
        status = fail(err, key, "the key does not belong to the certificate");
    }
    if (status != SL_OK) {
        SSL_CTX_free(context);
        context = NULL;
    }
    *out = context;
    return status;
}

static struct bufferevent *wrap(void *context, struct event_base *base, int fd)
{
    SSL *ssl = SSL_new(context);
    struct bufferevent *bev;

    if (!ssl) {
        ERR_clear_error();
        return NULL;
    }
    /* Frees ssl itself, where it fails, too. */
    bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                         BEV_OPT_CLOSE_ON_FREE);
    if (bev) {
        /* A client that just closes its socket has ended the connection like any other: where an
         * answer ends, its length says. */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    }
    return bev;
}

static void finish(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);

    if (ssl && SSL_is_init_finished(ssl)) {
        (void)SSL_shutdown(ssl); /* one way: what the client still says does not matter */
    }
    ERR_clear_error();
}

extern const struct sl_tls_ops sl_serve_tls;

__attribute__((visibility("default"))) const struct sl_tls_ops sl_serve_tls = {
    .create = create,
    .destroy = destroy,
    .wrap = wrap,
    .finish = finish,
};
