/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Serve: one directory over HTTP/1.1 (RFC 9110, RFC 9112), made for segments and playlists that
 * appear while they are being watched, with a page at "/" that plays what is found below; and the
 * media files below another, streamed on demand.
 */
#ifndef SLUICE_SERVE_H
#define SLUICE_SERVE_H

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_SERVE_SOURCES_MAX 32 /**< patterns of addresses that may be streamed */

/** Settings of a server. Fill with sl_serve_params_default(), then change. */
struct sl_serve_params {
    uint32_t struct_size; /**< set by sl_serve_params_default() */
    char root[4096];      /**< the directory to serve; nothing outside of it is ever opened; may be
                               empty where media, store or allow_source is set */
    char media[4096];     /**< the directory whose media files are streamed below /media/; empty:
                               none */
    char store[4096];     /**< content store (sluice/store.h), at /ipfs/ and /runs; empty: none */
    char registry[4096]; /**< where its runs are registered: a file, or postgres://…; empty: a file
                              in the store's directory */
    char listen[128];    /**< address or host name to listen on, or "unix:" and a path */
    int64_t port;        /**< 0: any free one, see sl_server_port() */
    int64_t threads;     /**< event loops; 0: one per processor */
    int64_t connections; /**< most connections at a time; what comes on top is told 503 */
    struct sl_rational header_timeout; /**< seconds from a request's first byte to its last */
    struct sl_rational idle_timeout;   /**< seconds between requests */
    struct sl_rational write_timeout;  /**< seconds in which a reader must take 1 KiB for each */
    struct sl_rational grace;          /**< seconds that running answers get after a stop */
    int64_t rate;         /**< requests a second that one client may go on making; 0: any number */
    int64_t burst;        /**< requests that it may make at once */
    int64_t transcodes;   /**< answers that are coded at a time; 0: one per processor */
    int64_t waiting;      /**< those that may wait for that; what comes on top is told 503 */
    int64_t streams;      /**< continuous streams at a time */
    int64_t sources;      /**< media files that are kept open */
    int64_t cache_memory; /**< MiB of answers that are kept in memory */
    char cache[4096];     /**< directory for coded answers; empty: none */
    int64_t cache_size;   /**< MiB that it may grow to */
    char sign_key_file[4096]; /**< set: nothing plays without a link signed by sl_sign_url() */
    char tls_cert[4096];      /**< PEM; with tls_key: HTTPS */
    char tls_key[4096];       /**< PEM */
    int forwarded; /**< 1: the last address in X-Forwarded-For is the client's (a proxy in front) */
    int metrics;   /**< 1: /metrics tells what was counted */
    int log_format;      /**< of the lines of access: 0 plain, 1 common, 2 JSON */
    int64_t segment_age; /**< Cache-Control max-age of media files; 0: no-cache (docs/serve.md) */
    /** Patterns of the addresses that may be streamed below /proxy/ (docs/proxy.md). */
    char allow_source[SL_SERVE_SOURCES_MAX][256];
    int64_t allow_source_count;        /**< 0: there is no /proxy/ */
    int allow_source_private;          /**< 1: also where they lead into private networks */
    struct sl_rational source_timeout; /**< seconds in which an origin must send something */
    int64_t source_memory;             /**< MiB of what origins sent that are kept in memory */
    int access_log; /**< 1: the front end wants one line per request; the library ignores it */
    /**
     * Called once per request when it is over, with one line without a newline; NULL: no log.
     * Thread-safety: called from several threads at once.
     */
    void (*access)(void *opaque, const char *line);
    void *access_opaque;
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled.
 * Returns: SL_EINVAL where this library does not know that size. Thread-safety: reentrant.
 */
SL_NODISCARD SL_API enum sl_status sl_serve_params_default(struct sl_serve_params *params,
                                                           uint32_t size, struct sl_error *err);

/** The option table of struct sl_serve_params. Static storage. */
SL_API const struct sl_option *sl_serve_options(void);

/** A server: sockets, and the threads that serve them. */
struct sl_server;

/**
 * Checks the settings, opens the directory and binds. Connections wait from here on and are
 * answered once sl_server_run() runs.
 * Ownership: *out is the caller's, to be given to sl_server_destroy(). @p params is copied.
 * Lifetime: @p log and params->access_opaque must outlive the server. @p log may be NULL.
 * Returns: SL_EINVAL (settings), SL_ENOTFOUND or SL_EIO (directory), SL_EIO naming the address
 * where it cannot be bound.
 */
SL_NODISCARD SL_API enum sl_status sl_server_open(struct sl_server **out,
                                                  const struct sl_serve_params *params,
                                                  const struct sl_log *log, struct sl_error *err);

/** The port that is listened on. Thread-safety: any thread. */
SL_API uint16_t sl_server_port(const struct sl_server *server);

/**
 * Serves until sl_server_stop(), and then until the last answer is out or the grace time is over.
 * Returns: SL_OK after a stop, SL_EIO or SL_ENOMEM where a thread could not be started.
 * Thread-safety: one call per object; starts threads of its own and joins them all. They block
 * every signal, so that handlers run on the caller's threads.
 */
SL_NODISCARD SL_API enum sl_status sl_server_run(struct sl_server *server, struct sl_error *err);

/** Asks a server to stop; before sl_server_run() too. Thread-safety: any thread, also a signal
 * handler. */
SL_API void sl_server_stop(struct sl_server *server);

/** Destroys and zeroes the pointer. NULL is fine. Never while sl_server_run() is running. */
SL_API void sl_server_destroy(struct sl_server **server);

/** Settings of a signed link. Fill with sl_sign_params_default(), then change. */
struct sl_sign_params {
    uint32_t struct_size;     /**< set by sl_sign_params_default() */
    char sign_key_file[4096]; /**< the same as the server's */
    int64_t valid;            /**< seconds from now on */
    char scope[4096];         /**< path that ends with "/": all below is allowed; empty: the
                                   directory of a playlist, and no more than itself of all else */
    char address[64];         /**< the only client that may use it; empty: anybody */
};

/** As sl_serve_params_default(). */
SL_NODISCARD SL_API enum sl_status sl_sign_params_default(struct sl_sign_params *params,
                                                          uint32_t size, struct sl_error *err);

/** The option table of struct sl_sign_params. Static storage. */
SL_API const struct sl_option *sl_sign_options(void);

/**
 * Writes @p url (a path with or without scheme and host) with its signature into @p out,
 * terminated. Returns: SL_EINVAL for what is no such address, for settings, and where @p size is
 * too small; SL_ENOTFOUND or SL_EIO for the key file. Thread-safety: reentrant.
 */
SL_NODISCARD SL_API enum sl_status sl_sign_url(const char *url, const struct sl_sign_params *params,
                                               char *out, uint32_t size, struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
