/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/server.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/module.h"
#include "base/rational.h"
#include "registry/registry.h"
#include "serve/listener.h"
#include "serve/loop.h"

#define FILES_KEPT 64 /* descriptors that connections leave to the rest of the process */
/* The same for each source that is kept open: it may be read in several places at once. */
#define FILES_OF_SOURCE 4
#define MEBIBYTE        INT64_C(1048576)

static enum sl_status to_timeval(const char *key, struct sl_rational seconds, struct timeval *out,
                                 struct sl_error *err)
{
    int64_t micros;

    if (!sl_rational_valid(seconds)) {
        return sl_fail(err, SL_EINVAL, key, "a time above 0 seconds is expected");
    }
    micros = sl_muldiv(seconds.num, 1000000, seconds.den, SL_ROUND_UP);
    out->tv_sec = (time_t)(micros / 1000000);
    out->tv_usec = (suseconds_t)(micros % 1000000);
    return SL_OK;
}

static enum sl_status set_times(struct sl_server *s, const struct sl_serve_params *p,
                                struct sl_error *err)
{
    const struct {
        const char *key;
        struct sl_rational value;
        struct timeval *out;
    } times[] = {
        {"header-timeout", p->header_timeout, &s->header_timeout},
        {"idle-timeout", p->idle_timeout, &s->idle_timeout},
        {"write-timeout", p->write_timeout, &s->write_timeout},
        {"grace", p->grace, &s->grace},
    };
    enum sl_status status;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        status = to_timeval(times[i].key, times[i].value, times[i].out, err);
        if (status != SL_OK) {
            return status;
        }
    }
    s->write_least = sl_muldiv(1024, p->write_timeout.num, p->write_timeout.den, SL_ROUND_UP);
    return SL_OK;
}

static int64_t processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static unsigned thread_count(int64_t wanted)
{
    if (wanted == 0) {
        wanted = processors();
    }
    return wanted < SL_SERVE_THREADS_MAX ? (unsigned)wanted : SL_SERVE_THREADS_MAX;
}

/* Each connection may hold a file open besides its socket. Better a 503 that says what is wrong
 * than an accept() that fails. */
static unsigned connection_limit(const struct sl_server *s, int64_t wanted, int64_t sources)
{
    struct rlimit limit;
    int64_t most, kept;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return (unsigned)wanted;
    }
    kept = FILES_KEPT + (s->site.media ? sources * FILES_OF_SOURCE : 0);
    most =
        (int64_t)limit.rlim_cur > kept * 2 ? ((int64_t)limit.rlim_cur - kept) / 2 : FILES_KEPT / 2;
    if (most >= wanted) {
        return (unsigned)wanted;
    }
    sl_log_write(s->log, SL_LOG_WARN, "serve",
                 "only %lld connections at a time: the limit of open files is %lld",
                 (long long)most, (long long)limit.rlim_cur);
    return (unsigned)most;
}

static enum sl_status open_media(struct sl_server *s, const struct sl_serve_params *p,
                                 const struct sl_media_engine *engine, struct sl_error *err)
{
    int64_t transcodes = p->transcodes > 0 ? p->transcodes : processors();
    const struct sl_media_params params = {
        .engine = engine,
        .root = p->media,
        .cache = p->cache,
        .cache_size = p->cache_size * MEBIBYTE,
        .memory = p->cache_memory * MEBIBYTE,
        .workers = (unsigned)processors() + 2,
        .transcodes = (unsigned)transcodes,
        .waiting = (unsigned)p->waiting,
        .streams = (unsigned)p->streams,
        .sources = (unsigned)p->sources,
        .remote = s->site.proxy != NULL,
        .allowed = sl_allow_url,
        .allowed_opaque = &s->proxy.allow,
        .alias_key = s->proxy.seal.ops ? s->proxy.seal.key : NULL,
    };

    if (!p->media[0] && !s->site.proxy) {
        return SL_OK;
    }
    if (!engine) {
        return sl_fail(err, SL_EUNSUPPORTED, "media", "this build cannot serve media files");
    }
    s->site.library = p->media[0] != '\0';
    return sl_media_create(&s->site.media, &params, s->log, err);
}

/* After the key was read. */
static enum sl_status open_proxy(struct sl_server *s, const struct sl_serve_params *p,
                                 struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (p->allow_source_count < 0 || p->allow_source_count > SL_SERVE_SOURCES_MAX) {
        return sl_fail(err, SL_EINVAL, "allow-source", "0 to %d patterns are expected",
                       SL_SERVE_SOURCES_MAX);
    }
    for (int64_t i = 0; status == SL_OK && i < p->allow_source_count; i++) {
        if (!memchr(p->allow_source[i], '\0', sizeof p->allow_source[i])) {
            return sl_fail(err, SL_EINVAL, "allow-source", "a pattern has no end");
        }
        status = sl_allow_parse(&s->proxy.allow.patterns[i], p->allow_source[i], err);
        s->proxy.allow.count++;
    }
    if (status == SL_OK && p->allow_source_count > 0 && s->site.key.size > 0) {
        status = sl_seal_init(&s->proxy.seal, &s->site.key, err);
    }
    s->site.proxy = p->allow_source_count > 0 ? &s->proxy : NULL;
    return status;
}

/* Where nothing else is said, the runs of a store are known to a file within it. */
static enum sl_status open_depot(struct sl_server *s, const struct sl_serve_params *p,
                                 struct sl_error *err)
{
    enum sl_status status;
    char *registry;

    if (!p->store[0]) {
        return p->registry[0] ? sl_fail(err, SL_EINVAL, "registry", "needs a store") : SL_OK;
    }
    registry = sl_registry_of_store(p->store, p->registry);
    if (!registry) {
        return sl_fail_memory(err);
    }
    status = sl_depot_open(&s->site.depot,
                           &(struct sl_depot_params){.store = p->store, .registry = registry},
                           s->log, err);
    sl_free(registry);
    return status;
}

static enum sl_status open_tls(struct sl_server *s, const struct sl_serve_params *p,
                               struct sl_error *err)
{
    const void *symbol = NULL;
    enum sl_status status;

    if (!p->tls_cert[0] && !p->tls_key[0]) {
        return SL_OK;
    }
    if (!p->tls_cert[0] || !p->tls_key[0]) {
        return sl_fail(err, SL_EINVAL, p->tls_cert[0] ? "tls-key" : "tls-cert",
                       "TLS needs both a certificate and a key");
    }
    status = sl_module_symbol(SL_SERVE_TLS_MODULE, SL_SERVE_TLS_SYMBOL, &symbol, err);
    if (status == SL_OK) {
        s->tls = symbol;
        status = s->tls->create(&s->tls_context, p->tls_cert, p->tls_key, err);
    }
    return status;
}

/* What stands between a request and its answer. */
static enum sl_status set_limits(struct sl_server *s, const struct sl_serve_params *p,
                                 struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (p->rate > 0) {
        status = sl_rate_create(&s->rate, p->rate, p->burst, err);
    }
    if (status == SL_OK && p->sign_key_file[0]) {
        status = sl_sign_key_read(&s->site.key, p->sign_key_file, err);
    }
    return status == SL_OK ? open_tls(s, p, err) : status;
}

enum sl_status sl_serve_open(struct sl_server **out, const struct sl_serve_params *params,
                             const struct sl_media_engine *engine, const struct sl_log *log,
                             struct sl_error *err)
{
    struct sl_server *s = sl_alloc_zero(sizeof *s);
    enum sl_status status;

    *out = NULL;
    if (!s) {
        if (engine && engine->destroy) {
            engine->destroy(engine->opaque);
        }
        return sl_fail_memory(err);
    }
    if (engine) {
        s->engine = *engine;
    }
    s->site.root = s->listener = s->stop_event = -1;
    s->log = log;
    s->access = params->access;
    s->access_opaque = params->access_opaque;
    s->port = (uint16_t)params->port;
    s->access_format = (enum sl_access_format)params->log_format;
    s->forwarded = params->forwarded != 0;
    status = set_times(s, params, err);
    if (status == SL_OK) {
        status = sl_site_open(&s->site, params->root, params->segment_age, log, err);
    }
    if (status == SL_OK) {
        s->site.connections = &s->connections;
        s->site.metrics = params->metrics ? &s->metrics : NULL;
        status = set_limits(s, params, err);
    }
    if (status == SL_OK) {
        status = open_proxy(s, params, err);
    }
    if (status == SL_OK) {
        status = open_media(s, params, engine, err);
    }
    if (status == SL_OK) {
        status = open_depot(s, params, err);
    }
    if (status != SL_OK) {
        goto out;
    }
    s->connections_max = connection_limit(s, params->connections, params->sources);
    s->stop_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->stop_event < 0) {
        status = sl_fail_errno(err, errno, NULL, "eventfd");
        goto out;
    }
    status = strncmp(params->listen, "unix:", 5) == 0
                 ? sl_listener_open_unix(params->listen + 5, &s->listener, err)
                 : sl_listener_open(params->listen, &s->port, &s->listener, err);
    if (status == SL_OK && strncmp(params->listen, "unix:", 5) == 0) {
        (void)snprintf(s->unix_path, sizeof s->unix_path, "%s", params->listen + 5);
        s->port = 0;
    }
    for (unsigned n = thread_count(params->threads); status == SL_OK && s->loop_count < n;) {
        status = sl_loop_create(&s->loops[s->loop_count], s, s->loop_count == 0, err);
        if (status == SL_OK) {
            s->loop_count++;
        }
    }
out:
    if (status != SL_OK) {
        sl_serve_destroy(&s);
    }
    *out = s;
    return status;
}

static void *run_loop(void *opaque)
{
    sl_loop_run(opaque);
    return NULL;
}

enum sl_status sl_serve_run(struct sl_server *s, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    sigset_t all, before;
    unsigned started = 0;

    /* The loops inherit this mask: signals are for the caller's threads, and a client that goes
     * away makes a write fail instead of raising SIGPIPE. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (status == SL_OK && started < s->loop_count) {
        int error = pthread_create(&s->loops[started]->thread, NULL, run_loop, s->loops[started]);

        if (error == 0) {
            started++;
        } else {
            status = sl_fail_errno(err, error, NULL, "cannot start a thread");
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != SL_OK) {
        sl_serve_stop(s);
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(s->loops[i]->thread, NULL);
    }
    return status;
}

void sl_serve_stop(struct sl_server *s)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(s->stop_event, &one, sizeof one); /* async-signal-safe */

    (void)n; /* EAGAIN: it was set four billion times before */
    errno = saved;
}

void sl_serve_destroy(struct sl_server **out)
{
    struct sl_server *s = *out;

    if (!s) {
        return;
    }
    *out = NULL;
    for (unsigned i = 0; i < s->loop_count; i++) {
        sl_loop_destroy(&s->loops[i]);
    }
    if (s->listener >= 0) {
        (void)close(s->listener);
    }
    if (s->stop_event >= 0) {
        (void)close(s->stop_event);
    }
    if (s->unix_path[0]) {
        (void)unlink(s->unix_path);
    }
    if (s->tls_context) {
        s->tls->destroy(s->tls_context);
    }
    sl_media_destroy(&s->site.media);
    if (s->engine.destroy) {
        s->engine.destroy(s->engine.opaque);
    }
    sl_depot_close(&s->site.depot);
    sl_rate_destroy(&s->rate);
    sl_site_close(&s->site);
    sl_free(s);
}
